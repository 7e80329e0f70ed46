"""/commands and /stations/{id}/commands: orders to stations; /stations/{id}/ocpp/{action}: any OCPP message at all."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.access import Actor, require, require_proof
from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    TheDesk,
    ThePool,
    answer,
    decode_body,
    listed,
    operation,
)
from ohmstead.api.problems import (
    FieldError,
    StationOffline,
    StationRefused,
    StationSilent,
    Unprocessable,
    UnsupportedMedia,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.doorway import WITHIN
from ohmstead.stations import queries, vendors
from ohmstead.stations import service as stations
from ohmstead.stations.capabilities import Capability, capabilities
from ohmstead.stations.commands import Command
from ohmstead.stations.orders import DataTransfer, Order, Raw, SecurityOrder
from ohmstead.stations.queries import CommandFilter, without_secrets

KEYSET = Keyset(item=Command, type=tuple[datetime, UUID], of=lambda command: (command.requested_at, command.command_id))
_ACTION = re.compile(r"[A-Za-z0-9]{1,60}")


class CommandQuery(CommandFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of commands."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class SendQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How long to wait."""

    timeout: Annotated[float, Meta(ge=1, le=120, description="Seconds to wait for the station's answer.")] = 30.0
    queue_for: (
        Annotated[
            float,
            Meta(
                ge=1,
                le=604_800,
                description="A station that is offline gets it when it is back within so many seconds.",
            ),
        ]
        | None
    ) = None
    wait_for_session: Annotated[
        float, Meta(ge=0, le=300, description="Of a remote start: seconds to wait for the session that begins with it.")
    ] = 0.0


class RawQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How long to wait."""

    timeout: Annotated[float, Meta(ge=1, le=120, description="Seconds to wait for the station's answer.")] = 30.0


class RawAnswer(Struct, frozen=True, kw_only=True):
    """A station's answer to an OCPP message: `answer` is its payload as it came."""

    command_id: UUID
    station_id: str
    action: str
    message_id: str | None
    answer: Annotated[Any, Meta(description="The payload of the CALLRESULT.")]


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a station can be ordered to do."""

    ocpp_version: str | None
    items: list[Capability]


@get("/commands", opt=operation("commands:send", exports=(CSV, NDJSON)) | WITHIN)
async def list_commands(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[CommandQuery]
) -> Response[Page[Command]]:
    """List commands, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Command]:
        return await queries.list_commands(conn, actor.scope, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="commands")


@get("/commands/{command_id:uuid}", opt=operation("commands:send", errors=(404,)))
async def get_command(pool: ThePool, actor: TheActor, command_id: FromPath[UUID]) -> Response[Command]:
    """Read what became of a command."""
    async with pool.acquire() as conn:
        return answer(await queries.get_command_view(conn, actor.party_id, command_id))


@post("/commands/{command_id:uuid}/cancel", status_code=200, opt=operation("commands:send", errors=(404, 409)))
async def cancel_command(pool: ThePool, actor: TheActor, command_id: FromPath[UUID]) -> Response[Command]:
    """Cancel a command that waits for its station; one that went out, or is over, is a conflict."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(without_secrets(await stations.cancel_command(conn, actor, command_id)))


@post("/stations/{station_id:str}/commands", status_code=200, opt=operation("commands:send", errors=(404,)))
async def send_command(
    desk: TheDesk,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[Order],
    filters: NamedDependency[SendQuery],
) -> Response[Command]:
    """Send an order to a station and wait for its answer.

    The answer is a command whatever became of it: `status` tells (`accepted`, `rejected`, `offline`, `queued`,
    `timed_out`, `failed`). A station that answers later is still recorded. Parameters that no station could take are
    refused with 422; what this one cannot do is `failed` with `error_code` `refused`, and nothing was sent. `kind: raw`,
    messages of vendors that are not registered, and orders about certificates and network profiles take the scope
    `commands:raw`.
    """
    require_for(actor, given)
    command = await desk.send(
        given,
        party_id=actor.party_id,
        station_id=station_id,
        requested_by=actor.actor_id,
        timeout_s=filters.timeout,
        queue_for_s=filters.queue_for,
    )
    if filters.wait_for_session:
        command = await desk.await_session(command, filters.wait_for_session)
    where = {"Location": f"/api/v1/commands/{command.command_id}"}
    return answer(without_secrets(command), headers=where)


def require_for(actor: Actor, order: Order) -> None:
    """Raises NotAllowed where an order takes more than the right to send orders, and ProofNeeded for a browser's person."""
    is_unchecked = isinstance(order, DataTransfer) and not vendors.is_registered(order.vendor_id)
    if isinstance(order, Raw | SecurityOrder) or is_unchecked:
        require(actor, "commands:raw")
        require_proof(actor, clock.now())


@get("/stations/{station_id:str}/capabilities", opt=operation("stations:read", errors=(404,)))
async def list_capabilities(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Capabilities]:
    """Read which kinds of orders the station can carry out, and why not the others.

    By its OCPP version and by what it reported of itself.
    """
    async with pool.acquire() as conn:
        station = await queries.get_station_view(conn, actor.party_id, station_id)
        known = await stations.list_features(conn, {station_id: station.ocpp_version})
    found = capabilities(station.ocpp_version, known[station_id])
    return answer(Capabilities(ocpp_version=station.ocpp_version, items=found))


@post(
    "/stations/{station_id:str}/ocpp/{action:str}",
    status_code=200,
    opt=operation("commands:raw", errors=(404, 409, 502, 504), takes="application/json;raw") | {"needs_proof": True},
)
async def send_message(
    request: ApiRequest,
    desk: TheDesk,
    actor: TheActor,
    station_id: FromPath[str],
    action: FromPath[str],
    filters: NamedDependency[RawQuery],
) -> Response[RawAnswer]:
    """Send any OCPP message of the station's version and wait for its answer.

    The body is the payload, checked against the version's official schema before it leaves. Problems: 409 the station
    is not connected; 422 the payload breaks its schema, `errors` names the fields; 502 the station answered with a
    CALLERROR, `code` is its code; 504 it did not answer in time.
    """
    media, _ = request.content_type
    if media not in ("application/json", ""):
        raise UnsupportedMedia(f"send application/json, not {media[:80]}")
    if not _ACTION.fullmatch(action):
        raise Unprocessable("not the name of an OCPP message", [FieldError("action", "not a name")])
    order = Raw(action=action, payload=decode_body(await request.body() or b"{}", dict[str, Any]))
    command = await desk.send(
        order,
        party_id=actor.party_id,
        station_id=station_id,
        requested_by=actor.actor_id,
        timeout_s=filters.timeout,
    )
    raise_for(command)
    shown = without_secrets(command)
    return answer(
        RawAnswer(
            command_id=shown.command_id,
            station_id=station_id,
            action=action,
            message_id=shown.message_id,
            answer=shown.answer,
        )
    )


def raise_for(command: Command) -> None:
    """Raises the problem that a command ended in; an answer of the station, whatever it says, is none."""
    known: dict[str, Any] = {"command_id": command.command_id, "code": command.error_code}
    text = command.error_text or ""
    match command.status:
        case "accepted" | "rejected":
            return
        case "offline" | "queued" | "expired" | "cancelled":
            raise StationOffline(f"{command.station_id} is not connected", command_id=command.command_id)
        case "failed" if command.error_code in ("schema", "refused"):
            raise Unprocessable(text, field_errors(text), **known)
        case "failed" if command.error_code != "connection_lost":
            raise StationRefused(f"{command.station_id} answered {command.error_code}: {text}", **known)
    raise StationSilent(text or f"{command.station_id} did not answer in time; a later answer is recorded", **known)


def field_errors(text: str) -> list[FieldError]:
    """The faults of a payload, which the gateway writes as `field: rule; field: rule`."""
    return [
        FieldError(field, rule) if rule else FieldError("", field)
        for field, _, rule in (fault.partition(": ") for fault in text.split("; "))
    ]


HANDLERS = [list_commands, get_command, cancel_command, send_command, list_capabilities, send_message]
