"""From a Call to the Work it asks for: which table, which type, which handler."""

from __future__ import annotations

import msgspec

from ohmstead.ocpp import pnc16, schemas
from ohmstead.ocpp.rpc import Call, ErrorCode, Send, Version
from ohmstead.ocpp.v2 import inbound as v2
from ohmstead.ocpp.v2 import messages as v2_messages
from ohmstead.ocpp.v16 import inbound as v16
from ohmstead.ocpp.work import Handler, Inbound, Refused, Work

TABLES: dict[Version, dict[str, tuple[type[msgspec.Struct], Handler]]] = {
    Version.V16: v16.TABLE,
    Version.V201: {a: route for a, route in v2.TABLE.items() if a not in v2_messages.SINCE_21_ACTIONS},
    Version.V21: v2.TABLE,
}

# What a station may send while its registration is pending, once we asked for it (2.0.1 B02.FR.09, TC_B_31).
_ASKED_BY: dict[str, tuple[str, ...]] = {
    "GetBaseReport": ("NotifyReport",),
    "GetReport": ("NotifyReport",),
    "GetMonitoringReport": ("NotifyMonitoringReport",),
    "GetChargingProfiles": ("ReportChargingProfiles",),
    "GetDisplayMessages": ("NotifyDisplayMessages",),
    "GetLog": ("LogStatusNotification",),
    "GetDiagnostics": ("DiagnosticsStatusNotification",),
    "CustomerInformation": ("NotifyCustomerInformation",),
    "UpdateFirmware": ("FirmwareStatusNotification",),
    "SignedUpdateFirmware": ("SignedFirmwareStatusNotification",),
}


def asked_for(action: str, payload: bytes) -> tuple[str, ...]:
    """Which messages a pending station may send because we sent `action`."""
    if action in ("TriggerMessage", "ExtendedTriggerMessage"):
        wanted = msgspec.json.decode(payload).get("requestedMessage", "")
        return ("SignCertificate",) if wanted.startswith("Sign") else (wanted,)
    return _ASKED_BY.get(action, ())


def work_for(frame: Call | Send, inbound: Inbound) -> Work:
    """Decode and translate. Raises Refused with the code that the version's rules ask for."""
    table = TABLES[inbound.version]
    if isinstance(frame, Send) != (frame.action in v2_messages.SENDS and inbound.version is Version.V21):
        raise Refused(ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, f"{frame.action} does not travel in this kind of frame")
    try:
        message = schemas.decode(inbound.version, frame.action, frame.payload)
    except schemas.SchemaError as error:
        raise Refused(error.code, error.text) from error
    route = table.get(frame.action)
    if route is None:
        raise Refused(ErrorCode.NOT_SUPPORTED, f"{frame.action} is not for a station to send")
    if inbound.version is Version.V16 and pnc16.is_wrapped(message):
        return pnc16.work_for(message, inbound)
    return route[1](message, inbound)


def known_action(inbound: Inbound) -> str:
    """The action, for metrics, which must not grow with what strangers invent."""
    return inbound.action if inbound.action in TABLES[inbound.version] else "(unknown)"
