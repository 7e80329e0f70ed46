"""A call to a station and what its answer means, the same for every version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from ohmstead.core.db import Connection
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.device import lists
from ohmstead.stations.features import Features
from ohmstead.stations.model import Variable
from ohmstead.stations.orders import DeliverCertificate, SendLocalList


class Result(msgspec.Struct, frozen=True):
    """What a station's answer means. `text`: its own word for a refusal or a condition. `keep` writes down what else it
    told, in a transaction of its own; the answer may come twice.
    """

    status: Literal["accepted", "rejected"]
    text: str | None = None
    variables: tuple[Variable, ...] = ()
    keep: Callable[[Connection], Awaitable[None]] | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a station: `payload` as JSON, `read` turns the typed response into its meaning."""

    action: str
    payload: bytes
    read: Callable[[msgspec.Struct], Result]


def as_lists(order: SendLocalList, known: Features, one: Callable[[SendLocalList], Outgoing]) -> list[Outgoing]:
    """A local list in as many messages as the station wants it in; of several the last one tells its version then."""
    kind = "send_local_list"
    parts = lists.shares(order, known.most_items.get(kind), known.most_bytes.get(kind))
    calls = [one(part) for part in parts]
    if len(parts) == 1:
        return calls
    last, version = calls[-1], parts[-1].version

    def read(answer: msgspec.Struct) -> Result:
        result = last.read(answer)
        told = f"in {len(parts)} messages; the list's version is {version} now"
        return msgspec.structs.replace(result, text=told) if result.status == "accepted" else result

    return [*calls[:-1], msgspec.structs.replace(last, read=read)]


def delivered(result: Result, order: DeliverCertificate, station_id: str) -> Result:
    """What a station said to a certificate is written down with the request that it answers, if it answers one."""
    request_id = order.signing_request_id
    if request_id is None:
        return result
    is_accepted = result.status == "accepted"

    async def keep(conn: Connection) -> None:
        await certificates.answered(conn, station_id, request_id, is_accepted=is_accepted, text=result.text)

    return msgspec.structs.replace(result, keep=keep)
