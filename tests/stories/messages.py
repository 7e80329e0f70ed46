"""Messages by hand, for stories about stations that say odd things."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.stories.station import instant

REGISTER = "Energy.Active.Import.Register"
Payload = dict[str, Any]


def sampled16(value: object, **fields: Any) -> Payload:
    return {"value": str(value), **fields}


def start16(at: datetime, meter: int, *, uid: str = "TAG1", connector: int = 1) -> Payload:
    return {"connectorId": connector, "idTag": uid, "meterStart": meter, "timestamp": instant(at)}


def stop16(transaction_id: object, at: datetime, meter: int, **fields: Any) -> Payload:
    return {"transactionId": transaction_id, "timestamp": instant(at), "meterStop": meter, **fields}


def values16(
    at: datetime, *samples: Payload, transaction_id: object = None, connector: int = 1, wh: object = None
) -> Payload:
    """One MeterValues with one instant; `wh` is short for a plain register."""
    sampled = [*([sampled16(wh)] if wh is not None else []), *samples]
    known = {} if transaction_id is None else {"transactionId": transaction_id}
    return {"connectorId": connector, **known, "meterValue": [{"timestamp": instant(at), "sampledValue": sampled}]}


def sampled2(value: float, **fields: Any) -> Payload:
    return {"value": value, **fields}


def value2(at: datetime, *samples: Payload) -> Payload:
    return {"timestamp": instant(at), "sampledValue": list(samples)}


def event2(
    kind: str,
    at: datetime,
    seq_no: int,
    *samples: Payload,
    wh: float | None = None,
    tx: str = "tx-1",
    trigger: str | None = None,
    uid: str | None = None,
    token_type: str = "ISO14443",
    evse: Payload | None = None,
    info: Payload | None = None,
    values: Sequence[Payload] | None = None,
    **fields: Any,
) -> Payload:
    """A TransactionEvent; `wh` is short for a register with the context that fits the kind of event."""
    usual = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "EVCommunicationLost"}
    contexts = {"Started": "Transaction.Begin", "Updated": "Sample.Periodic", "Ended": "Transaction.End"}
    payload: Payload = {
        "eventType": kind,
        "timestamp": instant(at),
        "triggerReason": trigger or usual[kind],
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": tx, **(info or {})},
        "evse": {"id": 1, "connectorId": 1} if evse is None else evse,
        **fields,
    }
    if wh is not None:
        samples = (*samples, sampled2(wh, context=contexts[kind], measurand=REGISTER))
    if values is not None:
        payload["meterValue"] = list(values)
    elif samples:
        payload["meterValue"] = [value2(at, *samples)]
    if uid is not None:
        payload["idToken"] = {"idToken": uid, "type": token_type}
    if not payload["evse"]:
        del payload["evse"]
    return payload
