"""OCPP 1.6, us → station: costs as California pricing, carried by DataTransfer."""

from __future__ import annotations

from typing import Any

from ohmstead.ocpp.outgoing import Outgoing
from ohmstead.ocpp.rpc import to_json
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import call, transaction_number
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o

COST_VENDOR = "org.openchargealliance.costmsg"
_STATES = {"charging": "Charging", "idle": "Idle"}


def update_cost(order: o.UpdateCost) -> list[Outgoing]:
    """The price first, when it is told, then the running or the final cost. Raises Refused."""
    calls = []
    data: dict[str, Any] = {"transactionId": transaction_number(order.transaction_id), "cost": order.total_cost}
    if order.is_final:
        data["priceText"] = order.price_text or str(order.total_cost)
        return [_message("FinalCost", data)]
    if order.price_text is not None and order.token_uid is not None:
        calls.append(_message("SetUserPrice", {"idToken": order.token_uid, "priceText": order.price_text}))
    data |= {"timestamp": instant_text(order.at), "meterValue": order.meter_wh, "state": _STATES[order.state]}
    if order.state == "charging" and order.price_kwh is not None:
        data["chargingPrice"] = {"kWhPrice": order.price_kwh}
    return [*calls, _message("RunningCost", {name: value for name, value in data.items() if value is not None})]


def _message(message_id: str, data: dict[str, Any]) -> Outgoing:
    payload = m.DataTransferRequest(vendor_id=COST_VENDOR, message_id=message_id, data=to_json(data).decode())
    return call("DataTransfer", payload)
