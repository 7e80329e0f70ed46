"""OCPP 1.6 with its security extension, us → station: neutral orders → calls, answers → neutral results.

Profiles, upkeep and certificates are in files of their own; here what is left, and the table that has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.core.portions import portions
from ohmstead.ocpp.outgoing import Outgoing, Result, as_lists
from ohmstead.ocpp.rpc import to_json
from ohmstead.ocpp.v16 import certificates, costs, profiles, upkeep
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import MOST_TOKEN, call, number, one_connector, read_raw, tag
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.capabilities import why_not
from ohmstead.stations.features import Features
from ohmstead.stations.model import Variable
from ohmstead.stations.orders.form import OrderForm
from ohmstead.stations.redaction import is_secret

__all__ = ["calls_for", "read_raw"]

# What 2.x calls otherwise.
_TRIGGERS = {"SignChargingStationCertificate": "SignChargePointCertificate"}
# The security extension's own trigger knows messages that the core's does not (whitepaper §5).
_EXTENDED_TRIGGERS = frozenset(("LogStatusNotification", "SignChargePointCertificate"))
_LISTED: dict[str, Any] = {"accepted": "Accepted", "blocked": "Blocked", "expired": "Expired", "invalid": "Invalid"}


def calls_for(order: o.Order, station_id: str, features: Features | None = None) -> list[Outgoing]:
    """The calls that carry out an order, in order. Raises Refused for what 1.6 or the station cannot do."""
    known = features or Features(version="1.6")
    if (reason := why_not(type(order), "1.6", known)) is not None:
        raise Refused(reason)
    if (of_station := certificates.TABLE.get(type(order))) is not None:
        return of_station(order, station_id)
    match order:
        case o.GetVariables():
            return _get_configuration(order, station_id, known.most_items.get("get_variables"))
        case o.SetVariables():
            if order.attribute != "actual":
                raise Refused("OCPP 1.6 keys have one value, no attributes")
            is_alone = len(order.values) == 1
            return [_change_configuration(name, value, station_id, is_alone) for name, value in order.values.items()]
        case o.CompositeSchedule():
            return [profiles.composite(order, station_id)]
        case o.SendLocalList():
            return as_lists(order, known, _send_list)
        case o.UpdateCost():
            return costs.update_cost(order)
        case o.Raw():
            return [Outgoing(action=order.action, payload=to_json(order.payload), read=read_raw)]
        case _:
            return [TABLE[type(order)](order)]


def _only(*good: str) -> Callable[[msgspec.Struct], Result]:
    def read(answer: msgspec.Struct) -> Result:
        status = getattr(answer, "status", "Accepted")
        return Result("accepted") if status in good else Result("rejected", status)

    return read


def _reset(order: o.Reset) -> Outgoing:
    if order.evse_number is not None:
        raise Refused("OCPP 1.6 resets the whole station only")
    if order.how == "on_idle":
        raise Refused("OCPP 1.6 restarts at once: it cannot wait until nothing charges")
    if order.how == "resume":
        raise Refused("OCPP 1.6 cannot resume sessions after a restart")
    return call("Reset", m.ResetRequest(type="Hard" if order.how == "hard" else "Soft"))


def _unlock(order: o.Unlock) -> Outgoing:
    one_connector(order.connector_number)
    return call("UnlockConnector", m.UnlockConnectorRequest(connector_id=order.evse_number), _only("Unlocked"))


def _availability(order: o.SetAvailability) -> Outgoing:
    one_connector(order.connector_number)
    payload = m.ChangeAvailabilityRequest(
        connector_id=order.evse_number or 0, type="Operative" if order.is_operative else "Inoperative"
    )
    return call("ChangeAvailability", payload, _only("Accepted", "Scheduled"))


def _trigger(order: o.Trigger) -> Outgoing:
    if order.custom is not None:
        raise Refused("OCPP 1.6 has no triggers of the vendor's own")
    if order.message == "SignV2GCertificate":
        return certificates.ask_for_v2g_request()
    message = _TRIGGERS.get(order.message, order.message)
    action = "ExtendedTriggerMessage" if message in _EXTENDED_TRIGGERS else "TriggerMessage"
    payload: dict[str, Any] = {"requestedMessage": message}
    if order.evse_number is not None:
        payload["connectorId"] = order.evse_number
    return Outgoing(action=action, payload=to_json(payload), read=read_raw)


def _clear_cache(_order: o.ClearCache) -> Outgoing:
    return call("ClearCache", m.ClearCacheRequest())


def _data_transfer(order: o.DataTransfer) -> Outgoing:
    data = order.data
    text = data if isinstance(data, str) or data is None else to_json(data).decode()
    payload = m.DataTransferRequest(vendor_id=order.vendor_id, message_id=order.message_id, data=text)
    return call("DataTransfer", payload)


def _list_version(_order: o.GetLocalListVersion) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        # -1 says that the station keeps no local list (1.6 §5.10).
        assert isinstance(answer, m.GetLocalListVersionResponse)
        return Result("rejected", "keeps no local list") if answer.list_version == -1 else Result("accepted")

    return call("GetLocalListVersion", m.GetLocalListVersionRequest(), read)


def _send_list(order: o.SendLocalList) -> Outgoing:
    payload = m.SendLocalListRequest(
        list_version=order.version,
        update_type="Full" if order.update == "full" else "Differential",
        local_authorization_list=[_listed(entry) for entry in order.entries] or None,
    )
    return call("SendLocalList", payload)


def _listed(entry: o.ListedToken) -> m.AuthorizationData:
    info = None
    if entry.status is not None:
        info = m.IdTagInfo(
            status=_LISTED[entry.status],
            expiry_date=instant_text(entry.expires_at),
            parent_id_tag=tag(entry.group_uid) if entry.group_uid is not None else None,
        )
    return m.AuthorizationData(id_tag=tag(entry.uid), id_tag_info=info)


def _reserve(order: o.Reserve) -> Outgoing:
    if order.connector_standard is not None:
        raise Refused("OCPP 1.6 reserves by outlet, not by kind of connector")
    payload = m.ReserveNowRequest(
        connector_id=order.evse_number or 0,
        expiry_date=instant_text(order.expires_at),
        id_tag=tag(order.token.uid),
        reservation_id=number(order.reservation_id),
        # A group that 1.6 has no room for is left to us: the station asks about tokens that it does not keep it for.
        parent_id_tag=order.group.uid if order.group is not None and len(order.group.uid) <= MOST_TOKEN else None,
    )
    return call("ReserveNow", payload)


def _cancel(order: o.CancelReservation) -> Outgoing:
    return call("CancelReservation", m.CancelReservationRequest(reservation_id=order.reservation_id))


def _get_configuration(order: o.GetVariables, station_id: str, most_keys: int | None) -> list[Outgoing]:
    if order.attribute != "actual":
        raise Refused("OCPP 1.6 keys have one value, no attributes")

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetConfigurationResponse)
        unknown = answer.unknown_key or []
        return Result(
            "accepted",
            f"unknown: {', '.join(unknown)}" if unknown else None,
            variables=tuple(
                Variable(station_id=station_id, variable=item.key, value=item.value, is_read_only=item.readonly)
                for item in answer.configuration_key or []
            ),
        )

    shared = portions(order.names, most_keys) or [[]]
    return [call("GetConfiguration", m.GetConfigurationRequest(key=keys or None), read) for keys in shared]


def _change_configuration(name: str, value: str, station_id: str, is_alone: bool) -> Outgoing:
    if len(name) > 50 or len(value) > 500:
        raise Refused("OCPP 1.6 keys have at most 50 characters, values 500", variable=name)

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.ChangeConfigurationResponse)
        if answer.status not in ("Accepted", "RebootRequired"):
            return Result("rejected", answer.status if is_alone else f"{name}: {answer.status}")
        is_pending = answer.status == "RebootRequired"
        told = Variable(station_id=station_id, variable=name, value=value, is_pending=is_pending)
        text = f"{name}: RebootRequired" if is_pending else None
        return Result("accepted", text, () if is_secret(name) else (told,))

    return call("ChangeConfiguration", m.ChangeConfigurationRequest(key=name, value=value), read)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.Reset: _reset,
    o.Unlock: _unlock,
    o.SetAvailability: _availability,
    o.Trigger: _trigger,
    o.ClearCache: _clear_cache,
    o.DataTransfer: _data_transfer,
    o.GetLocalListVersion: _list_version,
    o.Reserve: _reserve,
    o.CancelReservation: _cancel,
    **profiles.TABLE,
    **upkeep.TABLE,
}
