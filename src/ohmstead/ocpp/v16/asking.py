"""OCPP 1.6, us → station: how a call is made and what its answer means; shared by the themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.rpc import to_json

MOST_TOKEN = 20
_GOOD = frozenset(("Accepted", "AcceptedCanceled", "Unlocked", "Scheduled", "RebootRequired"))


def read_raw(answer: msgspec.Struct) -> Result:
    """What an answer to any message means: its status where it has one."""
    status = getattr(answer, "status", None)
    if status is None or status in _GOOD:
        return Result("accepted")
    return Result("rejected", status)


def call(action: str, payload: msgspec.Struct, read: Callable[[Any], Result] = read_raw) -> Outgoing:
    return Outgoing(action=action, payload=to_json(payload), read=read)


def tag(uid: str) -> str:
    """A token's uid, if 1.6 can carry it. Raises Refused."""
    if len(uid) > MOST_TOKEN:
        raise Refused(f"OCPP 1.6 carries tokens of at most {MOST_TOKEN} characters")
    return uid


def transaction_number(transaction_id: str) -> int:
    """1.6 counts transactions. Raises Refused."""
    if not transaction_id.lstrip("-").isdigit() or len(transaction_id) > 10:
        raise Refused("OCPP 1.6 transactions have numbers", transaction_id=transaction_id)
    return int(transaction_id)


def number(given: int | None) -> int:
    """An id that orders have from the desk; those made elsewhere may lack it."""
    return given if given is not None else 1


def one_connector(connector_number: int | None) -> None:
    """Raises Refused for another connector than the first of an EVSE."""
    if connector_number not in (None, 1):
        raise Refused("OCPP 1.6 numbers outlets alone: each is an EVSE with one connector")
