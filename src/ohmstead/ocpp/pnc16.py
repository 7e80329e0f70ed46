"""Plug & Charge on OCPP 1.6: a station wraps 2.0.1's messages into DataTransfer, and is answered in the same wrapping."""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import inbound as v2
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.work import Answers, Inbound, Work, kept
from ohmstead.stations.vendors import FROM_STATION, PLUG_AND_CHARGE

_WRAPPED = FROM_STATION[PLUG_AND_CHARGE]


def is_wrapped(message: msgspec.Struct) -> TypeGuard[m.DataTransferRequest]:
    """Is it one of these?"""
    return isinstance(message, m.DataTransferRequest) and message.vendor_id == PLUG_AND_CHARGE


def work_for(message: m.DataTransferRequest, inbound: Inbound) -> Work:
    """What the message inside asks for; its answer, wrapped."""
    if message.message_id not in _WRAPPED:
        return _refused(inbound, "UnknownMessageId")
    try:
        inner = schemas.decode(Version.V201, message.message_id, _plain(message.data or "{}"))
    except (schemas.SchemaError, msgspec.DecodeError, RecursionError):
        return _refused(inbound, "Rejected")
    work = v2.TABLE[message.message_id][1](inner, inbound)
    plain = work.reply
    assert callable(plain)

    def reply(answers: Answers) -> m.DataTransferResponse:
        return m.DataTransferResponse(status="Accepted", data=rpc.to_json(plain(answers)).decode())

    work.reply = reply
    return work


def _plain(data: str) -> bytes:
    """Some stations send the contract's id alone, where others send a token as 2.0.1 has it."""
    found: Any = msgspec.json.decode(data)
    if isinstance(found, dict) and isinstance(found.get("idToken"), str):
        found["idToken"] = {"idToken": found["idToken"], "type": "eMAID"}
    return msgspec.json.encode(found)


def _refused(inbound: Inbound, status: Any) -> Work:
    return Work(records=(kept(inbound),), reply=lambda _: m.DataTransferResponse(status=status))
