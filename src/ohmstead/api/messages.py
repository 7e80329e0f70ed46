"""/stations/{id}/messages: what travelled between a station and us, in plain words too; /stations/{id}/day beside it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.access import may
from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.api.problems import BadRequest, FieldError
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.reports.wire import day as days
from ohmstead.reports.wire import queries as wire
from ohmstead.reports.wire.day import Issue, Traffic
from ohmstead.reports.wire.differences import Change, between
from ohmstead.reports.wire.explain import ActionWords, Explanation, action_words, actions_in_short, explain
from ohmstead.stations import queries
from ohmstead.stations.queries import MessageFilter, MessageView, require_station

KEYSET = Keyset(
    item=MessageView,
    type=tuple[datetime, str, str],
    of=lambda message: (message.received_at, message.message_id, message.direction),
)


class MessageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a station's message log."""

    action: Annotated[str, Meta(description="As OCPP names it.", max_length=60)] | None = None
    direction: Annotated[Literal["in", "out"] | None, Meta(description="in: from the station; out: to it.")] = None
    errors: Annotated[bool | None, Meta(description="Only exchanges that ended in an error, or only others.")] = None
    since: Annotated[datetime, Meta(description="At or after.", tz=True)] | None = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[datetime, Meta(description="Before.", tz=True)] | None = msgspec.field(default=None, name="to")
    q: Annotated[str, Meta(description="Found in payload, answer or message id.", max_length=200)] | None = None
    slower_than_ms: (
        Annotated[int, Meta(ge=1, le=600_000, description="Only those that were answered no faster.")] | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/stations/{station_id:str}/messages", opt=operation("messages:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_messages(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[MessageQuery],
) -> Response[Page[MessageView]]:
    """List a station's OCPP messages, newest first. Passwords in them are blotted out."""
    wanted = MessageFilter(
        action=filters.action,
        direction=filters.direction,
        errors=filters.errors,
        since=filters.since,
        until=filters.until,
        q=filters.q,
        slower_than_ms=filters.slower_than_ms,
    )
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[MessageView]:
        return await queries.list_messages(conn, actor.party_id, station_id, wanted, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name=f"messages-{station_id}")


class MessageDetail(Struct, frozen=True, kw_only=True):
    """A message in plain words, and beside the one of its action and direction before it."""

    message: MessageView
    explanation: Explanation
    previous: Annotated[MessageView | None, Meta(description="The one before; null: it is the first in the log.")]
    changes: Annotated[list[Change], Meta(description="Where the request differs from the one before.")]


class MessageAt(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which of several messages with the same id."""

    at: Annotated[datetime, Meta(description="Its `received_at`; else the newest is meant.", tz=True)] | None = None


@get("/stations/{station_id:str}/messages/{message_id:str}", opt=operation("messages:read", errors=(404,)))
async def get_message(
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    message_id: FromPath[str],
    filters: NamedDependency[MessageAt],
) -> Response[MessageDetail]:
    """Read one message: each field in plain words, and what changed since the one of its kind before."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        row = await wire.find_exchange(conn, actor.party_id, station_id, message_id, filters.at)
        if row is None:
            raise NotFound(f"no message {message_id} in the log of {station_id}")
        before = await wire.find_previous(
            conn, actor.party_id, station_id, row["action"], row["direction"], row["received_at"]
        )
    return answer(
        MessageDetail(
            message=MessageView(station_id=station_id, **row),
            explanation=explain(row["version"], row["action"], row["payload"], row["answer"], row["error_code"]),
            previous=MessageView(station_id=station_id, **before) if before else None,
            changes=between(before["payload"], row["payload"]) if before else [],
        )
    )


class ActionQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of which version; one action, or all of them in short."""

    version: Annotated[Literal["1.6", "2.0.1", "2.1"], Meta(description="Of OCPP.")] = "2.1"
    action: Annotated[str, Meta(description="Only this one, with all its fields.", max_length=60)] | None = None


class Actions(Struct, frozen=True, kw_only=True):
    """Actions of a version in plain words."""

    items: list[ActionWords]


@get("/ocpp/actions", opt=operation("messages:read", errors=(404,)))
async def list_actions(filters: NamedDependency[ActionQuery]) -> Response[Actions]:
    """Read what OCPP's actions are for; of one also its fields, and what the values mean that they may have."""
    if filters.action is None:
        return answer(Actions(items=actions_in_short(filters.version)))
    words = action_words(filters.version, filters.action)
    if words is None:
        raise NotFound(f"OCPP {filters.version} has no action {filters.action}")
    return answer(Actions(items=[words]))


class DayQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which stretch; at most seven days."""

    since: Annotated[datetime, Meta(description="From then on; a day before `to` when left out.", tz=True)] | None = (
        msgspec.field(default=None, name="from")
    )
    until: Annotated[datetime, Meta(description="Before; now when left out.", tz=True)] | None = msgspec.field(
        default=None, name="to"
    )


class StateChange(Struct, frozen=True, kw_only=True):
    """A connector's state from an instant on; the first one of each connector may be from before the stretch."""

    at: datetime
    evse_number: int
    connector_number: int
    status: str
    error_code: str | None


class ConnectionAt(Struct, frozen=True, kw_only=True):
    """The station came, or was lost."""

    at: datetime
    is_connected: bool
    reason: str


class SessionThen(Struct, frozen=True, kw_only=True):
    """A session that went on in the stretch."""

    session_id: UUID
    evse_number: int | None
    connector_number: int | None
    started_at: datetime
    ended_at: datetime | None
    energy_wh: Decimal
    status: str
    anomalies: list[str]


class DayView(Struct, frozen=True, kw_only=True):
    """Everything that was going on at a station, on one axis. `messages` is empty without the scope to read them."""

    station_id: str
    since: Annotated[datetime, Meta(description="From then on.")] = msgspec.field(name="from")
    until: Annotated[datetime, Meta(description="Before.")] = msgspec.field(name="to")
    states: list[StateChange]
    connections: list[ConnectionAt]
    sessions: list[SessionThen]
    messages: list[Traffic]
    issues: list[Issue]


@get("/stations/{station_id:str}/day", opt=operation("stations:read", errors=(404,)))
async def get_day(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[DayQuery]
) -> Response[DayView]:
    """Read what was going on at a station: states, sessions, density of messages, and what was not as it should be."""
    until = filters.until or clock.now()
    since = filters.since or until - timedelta(days=1)
    if not days.SHORTEST <= until - since <= days.LONGEST:
        raise BadRequest("to: from two minutes to seven days after from", [FieldError("to", "out of range")])
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        may_read = may(actor, "messages:read")
        found = await days.read(conn, actor.scope, station_id, since, until, with_messages=may_read)
    return answer(
        DayView(
            station_id=station_id,
            since=since,
            until=until,
            states=[StateChange(**row) for row in found.statuses],
            connections=[ConnectionAt(**row) for row in found.connections],
            sessions=[
                SessionThen(**{name: row[name] for name in SessionThen.__struct_fields__}) for row in found.sessions
            ],
            messages=found.traffic,
            issues=found.issues,
        )
    )


HANDLERS = [list_messages, get_message, list_actions, get_day]
