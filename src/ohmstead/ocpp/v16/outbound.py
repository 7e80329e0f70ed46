"""OCPP 1.6, us → station: neutral orders → calls, answers → neutral results."""

from __future__ import annotations

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import charging
from ohmstead.ocpp.v16 import messages as m
from ohmstead.stations import orders
from ohmstead.stations.model import Variable
from ohmstead.stations.orders import Order

_GOOD = frozenset(("Accepted", "AcceptedCanceled", "Unlocked", "Scheduled", "RebootRequired"))
_EXTENDED_TRIGGERS = frozenset(("LogStatusNotification", "SignChargePointCertificate"))


def calls_for(order: Order, station_id: str) -> list[Outgoing]:
    """The calls that carry out an order, in order. Raises Refused for what 1.6 cannot do."""
    match order:
        case orders.RemoteStart():
            if len(order.token_uid) > 20:
                raise Refused("OCPP 1.6 carries tokens of at most 20 characters")
            return [
                _simple(
                    "RemoteStartTransaction",
                    m.RemoteStartTransactionRequest(id_tag=order.token_uid, connector_id=order.evse_number),
                )
            ]
        case orders.RemoteStop():
            if not order.transaction_id.lstrip("-").isdigit():
                raise Refused("OCPP 1.6 transactions have numbers", transaction_id=order.transaction_id)
            return [
                _simple(
                    "RemoteStopTransaction", m.RemoteStopTransactionRequest(transaction_id=int(order.transaction_id))
                )
            ]
        case orders.Reset():
            if order.evse_number is not None:
                raise Refused("OCPP 1.6 resets the whole station only")
            return [_simple("Reset", m.ResetRequest(type="Hard" if order.how == "hard" else "Soft"))]
        case orders.Unlock():
            return [_simple("UnlockConnector", m.UnlockConnectorRequest(connector_id=order.evse_number), "Unlocked")]
        case orders.SetAvailability():
            return [
                _simple(
                    "ChangeAvailability",
                    m.ChangeAvailabilityRequest(
                        connector_id=order.evse_number or 0, type="Operative" if order.is_operative else "Inoperative"
                    ),
                    "Accepted",
                    "Scheduled",
                )
            ]
        case orders.GetVariables():
            return [_get_configuration(order.names, station_id)]
        case orders.SetVariables():
            return [_change_configuration(name, value, station_id) for name, value in order.values.items()]
        case orders.Trigger():
            return [_trigger(order)]
        case orders.TransactionStatus():
            raise Refused("OCPP 1.6 has no way to ask about a transaction")
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


def _simple(action: str, payload: msgspec.Struct, *good: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        status = getattr(answer, "status", "Accepted")
        return Result("accepted") if status in (good or ("Accepted",)) else Result("rejected", status)

    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=read)


def _trigger(order: orders.Trigger) -> Outgoing:
    # The security extension's own trigger knows messages that the core's does not (whitepaper §5).
    action = "ExtendedTriggerMessage" if order.message in _EXTENDED_TRIGGERS else "TriggerMessage"
    payload: dict[str, object] = {"requestedMessage": order.message}
    if order.evse_number is not None:
        payload["connectorId"] = order.evse_number
    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=read_raw)


def _get_configuration(names: tuple[str, ...], station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetConfigurationResponse)
        return Result(
            "accepted",
            variables=tuple(
                Variable(station_id=station_id, variable=item.key, value=item.value, is_read_only=item.readonly)
                for item in answer.configuration_key or []
            ),
        )

    payload = m.GetConfigurationRequest(key=list(names) or None)
    return Outgoing(action="GetConfiguration", payload=msgspec.json.encode(payload), read=read)


def _change_configuration(name: str, value: str, station_id: str) -> Outgoing:
    if len(name) > 50 or len(value) > 500:
        raise Refused("OCPP 1.6 keys have at most 50 characters, values 500", variable=name)

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.ChangeConfigurationResponse)
        if answer.status == "Accepted":
            is_secret = name.lower() == "authorizationkey"
            return Result(
                "accepted",
                variables=() if is_secret else (Variable(station_id=station_id, variable=name, value=value),),
            )
        if answer.status == "RebootRequired":
            return Result("accepted", "RebootRequired")
        return Result("rejected", answer.status)

    payload = m.ChangeConfigurationRequest(key=name, value=value)
    return Outgoing(action="ChangeConfiguration", payload=msgspec.json.encode(payload), read=read)
