"""OCPP 2.0.1 and 2.1, us → station: neutral orders → calls, answers → neutral results."""

from __future__ import annotations

import re

import msgspec

from ohmstead.core import clock
from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import charging
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.inbound import component_name, variable_name
from ohmstead.stations import orders
from ohmstead.stations.model import Variable
from ohmstead.stations.orders import Order

_NAME = re.compile(
    r"^(?P<component>[^.\[\]@]+)(\[(?P<instance>[^\]]+)\])?(@(?P<evse>\d+)(\.(?P<connector>\d+))?)?"
    r"\.(?P<variable>[^.\[\]@]+)(\[(?P<variable_instance>[^\]]+)\])?$"
)
_GOOD = frozenset(("Accepted", "AcceptedCanceled", "Unlocked", "Unpublished", "Scheduled", "RebootRequired"))


def calls_for(order: Order, station_id: str, most_items: int | None = None) -> list[Outgoing]:
    """The calls that carry out an order, in order. Raises Refused for what the version cannot do.

    `most_items`: how many variables the station takes in one message (B05.FR.11, B06.FR.05).
    """
    match order:
        case orders.RemoteStart():
            return [
                _simple(
                    "RequestStartTransaction",
                    m.RequestStartTransactionRequest(
                        id_token=m.IdTokenType(id_token=order.token_uid, type=order.token_type),
                        remote_start_id=_remote_start_id(),
                        evse_id=order.evse_number,
                    ),
                )
            ]
        case orders.RemoteStop():
            return [
                _simple("RequestStopTransaction", m.RequestStopTransactionRequest(transaction_id=order.transaction_id))
            ]
        case orders.Reset():
            return [
                _simple(
                    "Reset",
                    m.ResetRequest(type="OnIdle" if order.how != "hard" else "Immediate", evse_id=order.evse_number),
                )
            ]
        case orders.Unlock():
            return [
                _simple(
                    "UnlockConnector",
                    m.UnlockConnectorRequest(evse_id=order.evse_number, connector_id=order.connector_number),
                )
            ]
        case orders.SetAvailability():
            return [
                _simple(
                    "ChangeAvailability",
                    m.ChangeAvailabilityRequest(
                        operational_status="Operative" if order.is_operative else "Inoperative",
                        evse=_evse(order.evse_number, order.connector_number),
                    ),
                )
            ]
        case orders.GetVariables():
            if not order.names:
                return [_base_report()]
            return [_get_variables(part, station_id) for part in _parts(order.names, most_items)]
        case orders.SetVariables():
            return [
                _set_variables({name: order.values[name] for name in part}, station_id)
                for part in _parts(tuple(order.values), most_items)
            ]
        case orders.Trigger():
            return [_trigger(order)]
        case orders.TransactionStatus():
            return [_simple("GetTransactionStatus", m.GetTransactionStatusRequest(transaction_id=order.transaction_id))]
        case orders.Raw():
            return [Outgoing(action=order.action, payload=msgspec.json.encode(order.payload), read=read_raw)]
        case _:
            return charging.calls_for(order, station_id)


def read_raw(answer: msgspec.Struct) -> Result:
    """What an answer to any message means: its status where it has one."""
    status = getattr(answer, "status", None)
    if status is None or status in _GOOD:
        return Result("accepted")
    return Result("rejected", status)


def _remote_start_id() -> int:
    # Echoed in the station's next TransactionEvent (F02.FR.01); unique enough for the minutes in which it matters.
    return clock.now().timestamp().__trunc__() * 1000 % 2_000_000_000 + clock.now().microsecond // 1000


def _simple(action: str, payload: msgspec.Struct) -> Outgoing:
    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=read_raw)


def _evse(number: int | None, connector_number: int | None) -> m.EVSEType | None:
    return m.EVSEType(id=number, connector_id=connector_number) if number is not None else None


def _trigger(order: orders.Trigger) -> Outgoing:
    payload: dict[str, object] = {"requestedMessage": order.message}
    evse = _evse(order.evse_number, order.connector_number)
    if evse is not None:
        payload["evse"] = evse
    return Outgoing(action="TriggerMessage", payload=msgspec.json.encode(payload), read=read_raw)


def _parts(names: tuple[str, ...], most: int | None) -> list[tuple[str, ...]]:
    size = max(1, most or len(names))
    return [names[start : start + size] for start in range(0, len(names), size)]


def _base_report() -> Outgoing:
    payload = m.GetBaseReportRequest(request_id=_remote_start_id(), report_base="FullInventory")
    return Outgoing(action="GetBaseReport", payload=msgspec.json.encode(payload), read=read_raw)


def parse_name(name: str) -> tuple[m.ComponentType, m.VariableType]:
    """`Component[instance]@evse.connector.Variable[instance]` → component and variable. Raises Refused."""
    match = _NAME.match(name)
    if match is None:
        raise Refused(f"not a variable: {name!r}; write Component.Variable, e.g. OCPPCommCtrlr.HeartbeatInterval")
    evse = (
        m.EVSEType(id=int(match["evse"]), connector_id=int(match["connector"]) if match["connector"] else None)
        if match["evse"]
        else None
    )
    return (
        m.ComponentType(name=match["component"], instance=match["instance"], evse=evse),
        m.VariableType(name=match["variable"], instance=match["variable_instance"]),
    )


def _get_variables(names: tuple[str, ...], station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetVariablesResponse)
        known = [r for r in answer.get_variable_result if r.attribute_status == "Accepted"]
        return Result(
            "accepted" if known else "rejected",
            None if known else answer.get_variable_result[0].attribute_status,
            tuple(
                Variable(
                    station_id=station_id,
                    component=component_name(r.component),
                    variable=variable_name(r.variable),
                    attribute=r.attribute_type or "Actual",
                    value=r.attribute_value,
                )
                for r in known
            ),
        )

    asked = [m.GetVariableDataType(component=c, variable=v) for c, v in map(parse_name, names)]
    payload = m.GetVariablesRequest(get_variable_data=asked)
    return Outgoing(action="GetVariables", payload=msgspec.json.encode(payload), read=read)


def _set_variables(values: dict[str, str], station_id: str) -> Outgoing:
    wanted = [(name, value, *parse_name(name)) for name, value in values.items()]

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.SetVariablesResponse)
        by_name = {(component_name(c), variable_name(v)): value for _, value, c, v in wanted}
        done = []
        refused = None
        for result in answer.set_variable_result:
            key = (component_name(result.component), variable_name(result.variable))
            if result.attribute_status not in ("Accepted", "RebootRequired"):
                refused = f"{'.'.join(key)}: {result.attribute_status}"
            elif key[1] != "BasicAuthPassword" and key in by_name:
                done.append(Variable(station_id=station_id, component=key[0], variable=key[1], value=by_name[key]))
        return Result("rejected" if refused else "accepted", refused, tuple(done))

    payload = m.SetVariablesRequest(
        set_variable_data=[
            m.SetVariableDataType(attribute_value=value, component=c, variable=v) for _, value, c, v in wanted
        ]
    )
    return Outgoing(action="SetVariables", payload=msgspec.json.encode(payload), read=read)
