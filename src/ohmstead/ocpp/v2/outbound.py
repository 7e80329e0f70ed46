"""OCPP 2.0.1 and 2.1, us → station: neutral orders → calls, answers → neutral results.

A theme each in profiles, device, monitoring, upkeep, certificates, drivers and grid; here what is left, and the table that
has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, as_lists
from ohmstead.ocpp.rpc import to_json
from ohmstead.ocpp.v2 import certificates, device, drivers, grid, monitoring, profiles, upkeep
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, read_raw
from ohmstead.ocpp.v2.names import parse_name
from ohmstead.stations import orders as o
from ohmstead.stations.capabilities import why_not
from ohmstead.stations.features import Features
from ohmstead.stations.orders.form import OrderForm

__all__ = ["calls_for", "parse_name", "read_raw"]

_RESETS: dict[str, Any] = {
    "soft": "OnIdle",
    "on_idle": "OnIdle",
    "hard": "Immediate",
    "resume": "ImmediateAndResume",
}
# What 1.6 calls otherwise.
_TRIGGERS = {
    "SignChargePointCertificate": "SignChargingStationCertificate",
    "DiagnosticsStatusNotification": "LogStatusNotification",
}


def calls_for(order: o.Order, station_id: str, features: Features | None = None) -> list[Outgoing]:
    """The calls that carry out an order, in order. Raises Refused for kinds of orders that the version or the station does
    not know; what 2.1 added to kinds that 2.0.1 knows, too, `rules.check_at` has refused before.

    `features`: what the station told of itself; its limits say how many messages an order takes (B05.FR.11, B06.FR.05).
    """
    known = features or Features(version="2.1")
    if (reason := why_not(type(order), known.version or "2.1", known)) is not None:
        raise Refused(reason)
    if isinstance(order, o.Raw):
        return [Outgoing(action=order.action, payload=to_json(order.payload), read=read_raw)]
    if (of_station := certificates.TABLE.get(type(order))) is not None:
        return of_station(order, station_id)
    if (split := _SPLIT.get(type(order))) is not None:
        return split(order, station_id, known)
    return [TABLE[type(order)](order)]


def _evse(evse_number: int | None, connector_number: int | None) -> m.EVSEType | None:
    return m.EVSEType(id=evse_number, connector_id=connector_number) if evse_number is not None else None


def _reset(order: o.Reset) -> Outgoing:
    return call("Reset", m.ResetRequest(type=_RESETS[order.how], evse_id=order.evse_number))


def _unlock(order: o.Unlock) -> Outgoing:
    payload = m.UnlockConnectorRequest(evse_id=order.evse_number, connector_id=order.connector_number)
    return call("UnlockConnector", payload)


def _availability(order: o.SetAvailability) -> Outgoing:
    payload = m.ChangeAvailabilityRequest(
        operational_status="Operative" if order.is_operative else "Inoperative",
        evse=_evse(order.evse_number, order.connector_number),
    )
    return call("ChangeAvailability", payload)


def _trigger(order: o.Trigger) -> Outgoing:
    payload: dict[str, Any] = {"requestedMessage": _TRIGGERS.get(order.message, order.message)}
    if (evse := _evse(order.evse_number, order.connector_number)) is not None:
        payload["evse"] = evse
    if order.custom is not None:
        payload["customTrigger"] = order.custom
    return Outgoing(action="TriggerMessage", payload=to_json(payload), read=read_raw)


def _clear_cache(_order: o.ClearCache) -> Outgoing:
    return call("ClearCache", m.ClearCacheRequest())


def _data_transfer(order: o.DataTransfer) -> Outgoing:
    payload: dict[str, Any] = {"vendorId": order.vendor_id}
    if order.message_id is not None:
        payload["messageId"] = order.message_id
    if order.data is not None:
        payload["data"] = order.data
    return Outgoing(action="DataTransfer", payload=to_json(payload), read=read_raw)


_SPLIT: dict[type[OrderForm], Callable[[Any, str, Features], list[Outgoing]]] = {
    **device.SPLIT,
    **monitoring.SPLIT,
    **profiles.SPLIT,
    **upkeep.SPLIT,
    o.SendLocalList: lambda order, _station_id, features: as_lists(order, features, drivers.send_list),
}
TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.Reset: _reset,
    o.Unlock: _unlock,
    o.SetAvailability: _availability,
    o.Trigger: _trigger,
    o.ClearCache: _clear_cache,
    o.DataTransfer: _data_transfer,
    **profiles.TABLE,
    **device.TABLE,
    **monitoring.TABLE,
    **upkeep.TABLE,
    **drivers.TABLE,
    **grid.TABLE,
}
