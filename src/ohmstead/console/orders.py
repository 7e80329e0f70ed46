"""Orders to a station as forms: which there are, what they will do before they are sent, and what came back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.model import ConnectorNow
from ohmstead.stations import vendors
from ohmstead.stations.commands import (
    Command,
    GetVariables,
    Order,
    Raw,
    RemoteStart,
    RemoteStop,
    Reset,
    SetAvailability,
    SetVariables,
    Trigger,
    Unlock,
)
from ohmstead.stations.orders import DataTransfer
from ohmstead.ui import figures

KINDS = {
    "start": "Start",
    "stop": "Stop",
    "unlock": "Unlock",
    "restart": "Restart",
    "availability": "Availability",
    "ask": "Ask status",
    "read": "Read settings",
    "set": "Change setting",
    "order": "Any order",
    "raw": "Raw message",
}

# Names under which the command table keeps them (stations.orders), for the history.
STORED = {
    "remote_start": "Start",
    "remote_stop": "Stop",
    "unlock": "Unlock",
    "reset": "Restart",
    "set_availability": "Availability",
    "trigger": "Ask status",
    "get_variables": "Read settings",
    "set_variables": "Change setting",
    "transaction_status": "Ask about a session",
    "reserve": "Reserve",
    "cancel_reservation": "Cancel a reservation",
    "get_profiles": "Ask for profiles",
    "composite_schedule": "Ask what it would deliver",
    "update_schedule": "Renew a limit",
    "use_priority_charging": "Priority",
    "update_cost": "Tell the cost",
    "raw": "Raw message",
    "set_profile": "Charging profile",
    "clear_profiles": "Clear charging profiles",
    "clear_cache": "Clear token cache",
    "update_firmware": "Update firmware",
    "send_local_list": "Local list",
    "deliver_certificate": "Deliver certificate",
    "install_certificate": "Install certificate",
    "delete_certificate": "Delete certificate",
    "list_certificates": "Ask for certificates",
    "set_network_profile": "Set network profile",
}

ASKABLE = {
    "StatusNotification": "State of a connector",
    "MeterValues": "Meter values",
    "Heartbeat": "Sign of life",
    "BootNotification": "Boot notification",
}

# CSMS → station, OCPP 1.6 with the security extension; 2.0.1; what 2.1 adds.
_V16 = """
CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics
GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
UnlockConnector UpdateFirmware
"""
_V201 = """
CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage
ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate GetBaseReport
GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion
GetLog GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware
RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware
"""
_V21 = """
AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs
ClosePeriodicEventStream GetDERControl GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer
NotifyWebPaymentStarted OpenPeriodicEventStream RequestBatterySwap SetDERControl SetDefaultTariff
UpdateDynamicSchedule UsePriorityCharging VatNumberValidation
"""


def actions_for(version: str | None) -> list[str]:
    """Messages that the station's version knows, for the raw form."""
    if version == "1.6":
        return _V16.split()
    return sorted(f"{_V201} {_V21}".split()) if version == "2.1" else _V201.split()


class Choice(Struct, frozen=True, kw_only=True):
    """A form filled in so far: its kind and its fields as text."""

    kind: str
    fields: Mapping[str, str]

    def get(self, name: str, otherwise: str = "") -> str:
        return self.fields.get(name, otherwise) or otherwise

    @property
    def evse_number(self) -> int | None:
        text = self.get("evse")
        return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 1000 else None


class Effect(Struct, frozen=True):
    """What sending will do, in words. `tone` warns where it hurts; `verb` is on the button."""

    tone: Literal["", "attention", "failed"]
    text: str
    verb: str
    is_possible: bool = True


def choose(fields: Mapping[str, str], connectors: Sequence[ConnectorNow]) -> Choice:
    """The form to show; without a wish, the one that fits what the station does."""
    kind = fields.get("kind", "")
    if kind not in KINDS:
        kind = "stop" if any(c.session_id for c in connectors) else "start"
    given = dict(fields)
    if kind in ("unlock", "start") and "evse" not in given and connectors:
        faulted = [c for c in connectors if c.state == "faulted"] if kind == "unlock" else []
        free = [c for c in connectors if c.state == "available"] if kind == "start" else []
        given["evse"] = str((faulted or free or list(connectors))[0].evse_number)
    if kind == "stop" and not given.get("transaction"):
        wanted = given.get("evse")
        running = [c for c in connectors if c.transaction_id and (not wanted or str(c.evse_number) == wanted)]
        given["transaction"] = running[0].transaction_id or "" if running else ""
    return Choice(kind=kind, fields=given | {"kind": kind})


def order_from(choice: Choice) -> Order:
    """The order a form asks for. Raises Invalid with the field that does not fit."""
    kind, evse = choice.kind, choice.evse_number
    if kind == "start":
        token = choice.get("token").strip()
        if not token:
            raise Invalid("Whose session is it? Give a token.", "token")
        return RemoteStart(token_uid=token[:255], evse_number=evse)
    if kind == "stop":
        if not choice.get("transaction"):
            raise Invalid("Nothing is being charged here.", "transaction")
        return RemoteStop(transaction_id=choice.get("transaction")[:255])
    if kind == "unlock":
        if evse is None:
            raise Invalid("Which connector?", "evse")
        return Unlock(evse_number=evse)
    if kind == "restart":
        how = choice.get("how", "soft")
        if how not in ("soft", "hard", "on_idle"):
            raise Invalid("How?", "how")
        return Reset(how=how)  # type: ignore[arg-type]
    if kind == "availability":
        return SetAvailability(is_operative=choice.get("operative", "no") == "yes", evse_number=evse)
    if kind == "ask":
        message = choice.get("message", "StatusNotification")
        return Trigger(message=message, evse_number=evse if message in ("StatusNotification", "MeterValues") else None)
    if kind == "read":
        return GetVariables(names=tuple(choice.get("names").replace(",", " ").split()))
    if kind == "set":
        name = choice.get("name").strip()
        if not name:
            raise Invalid("Which setting?", "name")
        return SetVariables(values={name: choice.get("value")})
    return parsed(choice.get("order")) if kind == "order" else _raw(choice)


def parsed(text: str) -> Order:
    """An order written as the API takes it. Raises Invalid."""
    try:
        order: Order = msgspec.json.decode(text.encode(), type=Order)
        return order
    except msgspec.ValidationError as error:
        field, why = fault_of(error)
        why = in_words(why)
        raise Invalid(f"{field}: {why}" if field else why, "order") from error
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Invalid(f"Not JSON: {error}", "order") from error


def as_json(value: object) -> str:
    """An order, or a payload, as it is written by hand."""
    return msgspec.json.encode(value).decode()


def is_unchecked(order: Order) -> bool:
    """Does it take the right to send anything at all?"""
    return isinstance(order, Raw) or (isinstance(order, DataTransfer) and not vendors.is_registered(order.vendor_id))


def _raw(choice: Choice) -> Raw:
    action = choice.get("action").strip()
    if not action:
        raise Invalid("Which message?", "action")
    try:
        payload = msgspec.json.decode(choice.get("payload", "{}").encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"The payload is not JSON: {error}", "payload") from error
    if not isinstance(payload, dict):
        raise Invalid("The payload is an object: {…}", "payload")
    return Raw(action=action[:50], payload=payload)


def effect(choice: Choice, connectors: Sequence[ConnectorNow], is_online: bool) -> Effect:
    """What the order will do to whom, as things stand."""
    found = _EFFECTS[choice.kind](choice, connectors)
    if is_online or not found.is_possible:
        return found
    text = f"The station is offline: nothing can be sent now. {found.text}"
    return Effect("attention", text, found.verb, found.is_possible)


def _at(choice: Choice, connectors: Sequence[ConnectorNow]) -> ConnectorNow | None:
    return next((c for c in connectors if c.evse_number == choice.evse_number), None)


def _car(connector: ConnectorNow) -> str:
    energy = " ".join(figures.energy(connector.energy_wh)) if connector.energy_wh is not None else ""
    soc = f"{float(connector.soc_percent):.0f} %" if connector.soc_percent is not None else ""
    so_far = " and ".join(part for part in (energy, soc) if part)
    return f"the car on {connector.label}" + (f" ({so_far} so far)" if so_far else "")


def _start(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    if connector is not None and connector.session_id is not None:
        return Effect(
            "attention", f"{_car(connector).capitalize()} is charging there: the station will refuse.", "Start anyway"
        )
    where = f"connector {connector.label}" if connector else "a connector of its choice"
    return Effect(
        "",
        f"The station is asked to start a session on {where} for this token. Energy flows once a car is plugged in.",
        "Send start",
    )


def _stop(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = next(
        (c for c in connectors if c.transaction_id and c.transaction_id == choice.get("transaction")), None
    )
    if connector is None:
        return Effect("", "Nothing is being charged at this station.", "Stop", is_possible=False)
    return Effect(
        "attention",
        f"Ends the session of {_car(connector)}. The cable is released, the driver is not asked.",
        "Stop the session",
    )


def _unlock(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    if connector is None:
        return Effect("", "Choose a connector.", "Unlock", is_possible=False)
    if connector.session_id is not None:
        return Effect("attention", f"Ends the session of {_car(connector)}, then releases the cable.", "Unlock")
    return Effect("", f"Releases the cable lock of connector {connector.label}. No session is touched.", "Unlock")


def _restart(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    n = sum(1 for c in connectors if c.session_id)
    how = choice.get("how", "soft")
    if how == "on_idle":
        wait = (
            f"once {figures.plural(n, 'car has', 'cars have')} left" if n else "at once, for nothing is being charged"
        )
        return Effect("", f"Restarts {wait}.", "Restart when idle")
    if n == 0:
        return Effect("", "Nothing is being charged. The station restarts and is away for a minute or two.", "Restart")
    cars = figures.plural(n, "session", "sessions")
    if how == "hard":
        return Effect("failed", f"Cuts off {cars} at once; their last readings may be lost.", "Restart now")
    return Effect("attention", f"Ends {cars} properly first, then restarts.", "Restart")


def _availability(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    what = f"Connector {connector.label}" if connector else "The whole station"
    if choice.get("operative", "no") == "yes":
        return Effect("", f"{what} may be used again.", "Put into service")
    busy = [c for c in connectors if c.session_id and (connector is None or c.evse_number == connector.evse_number)]
    after = f", after {figures.plural(len(busy), 'session')} there has ended" if len(busy) == 1 else ""
    after = f", after {len(busy)} sessions have ended" if len(busy) > 1 else after
    return Effect(
        "attention", f"{what} takes no new sessions{after}. It stays so until put back.", "Take out of service"
    )


def _ask(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    message = choice.get("message", "StatusNotification")
    return Effect("", f"The station sends {message} once more. Nothing else changes.", "Ask")


def _read(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    names = choice.get("names").replace(",", " ").split()
    what = f"{figures.plural(len(names), 'setting')}" if names else "its whole configuration, which may take a while"
    return Effect("", f"Reads {what}. Nothing changes.", "Read")


def _set(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    name = choice.get("name")
    return Effect(
        "attention", f"Changes {name or 'a setting'} on the station; some settings count only after a restart.", "Set"
    )


def _any_effect(_choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    return Effect(
        "attention",
        "The order goes out in the words of the station’s version, once its parameters fit.",
        "Send the order",
    )


def _raw_effect(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    action = choice.get("action") or choice.get("pick") or "The message"
    return Effect(
        "attention",
        f"{action} goes out exactly as written, once it fits the schema of the station’s version.",
        "Send as it is",
    )


_EFFECTS = {
    "start": _start,
    "stop": _stop,
    "unlock": _unlock,
    "restart": _restart,
    "availability": _availability,
    "ask": _ask,
    "read": _read,
    "set": _set,
    "order": _any_effect,
    "raw": _raw_effect,
}


def outcome(command: Command) -> str:
    """What became of an order, in a sentence."""
    if command.status == "offline":
        return "The station is not connected. Nothing was sent."
    if command.status == "queued":
        return "It will be sent as soon as the station connects."
    if command.status == "timed_out":
        return "No answer came in time. The station may still obey; a late answer will be recorded."
    answer = command.answer
    status = answer.get("status") if isinstance(answer, dict) else None
    took = ""
    if command.sent_at and command.answered_at:
        took = f" after {figures.latency(int((command.answered_at - command.sent_at).total_seconds() * 1e6))}"
    if isinstance(status, str):
        more = f" · {command.error_text}" if command.error_text and command.error_text != status else ""
        return f"The station answered {status}{took}{more}."
    if command.error_text or command.error_code:
        return " · ".join(part for part in (command.error_code, command.error_text) if part)
    return f"The station answered{took}."
