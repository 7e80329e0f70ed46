"""/events: what happens, as a live stream that may miss things, and as a durable list that misses nothing."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.response import Stream
from msgspec import Meta, Struct

from ohmstead.accounts.access import Actor, may, require
from ohmstead.accounts.admission import Admission
from ohmstead.api.live import MOST_LISTENERS, MOST_OF_PARTY, Listener
from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.api.problems import BadRequest, FieldError, Overloaded
from ohmstead.core import feed
from ohmstead.core.feed import Place
from ohmstead.core.live import LiveNews, News
from ohmstead.doorway import WITHIN
from ohmstead.facts.catalogue import KINDS, EventKind, described, heard_with
from ohmstead.reports.reach.audience import Audience

Kind: TypeAlias = Literal["connection", "connector", "session", "message", "command", "station"]
HEARTBEAT_S = 5.0
# Clients connect again by themselves; whoever lost the right to listen does not get in.
LONGEST_S = 1800.0


class LiveQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to listen to."""

    kind: Annotated[list[Kind] | None, Meta(description="Only these; may be given several times.")] = None
    station: Annotated[list[str] | None, Meta(description="Only of these; may be given several times.")] = None


class OutboxQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where to go on reading, and what."""

    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    start: Annotated[
        Literal["beginning", "now"], Meta(description="Without a cursor: from the oldest event kept, or from now on.")
    ] = "beginning"
    kind: Annotated[
        list[str] | None, Meta(description="Only these, as `SessionEnded`; may be given several times.")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Events in a page.")] = 100


class OutboxEvent(Struct, frozen=True, kw_only=True):
    """A fact. Events of one subject come in the order in which they happened, each at least once."""

    event_id: int
    at: datetime
    kind: Annotated[str, Meta(description="In the past tense, as `SessionEnded`.")]
    subject: Annotated[str, Meta(description="What it is about, as `session/<id>`.")]
    payload: Annotated[
        dict[str, Any],
        Meta(description="By its kind: `GET /events/kinds`, and the document's `webhooks`, tell its type."),
    ]


class EventKinds(Struct, frozen=True, kw_only=True):
    """All kinds of durable events, by theme."""

    items: list[EventKind]


class OutboxPage(Struct, frozen=True, kw_only=True):
    """The next events. `next_cursor` is always there: keep it, and go on from it later."""

    items: list[OutboxEvent]
    next_cursor: str
    has_more: Annotated[bool, Meta(description="Whether more wait right now.")]


@get(
    "/events",
    media_type="text/event-stream",
    opt=operation("events:read", errors=(503,), exports=("text/event-stream",)) | WITHIN,
)
async def stream_events(
    news: NamedDependency[LiveNews], pool: ThePool, actor: TheActor, filters: NamedDependency[LiveQuery]
) -> Response[str]:
    """Follow what happens now, as server-sent events.

    Each event is named by its `kind` and carries it as JSON. Nothing is kept for those who are away: what must not be
    missed is in /events/outbox. A client that reads too slowly is told so by an event `overrun`, and dropped; one whose key
    or session is over, within seconds.
    """
    if news.count(Listener, actor.party_id) >= MOST_OF_PARTY:
        raise Overloaded(f"{MOST_OF_PARTY} clients of yours listen already: end one that nobody needs")
    if news.count(Listener) >= MOST_LISTENERS:
        raise Overloaded(f"{MOST_LISTENERS} clients listen already: come again later")
    listener = Listener(
        frozenset(filters.kind) if filters.kind is not None else None,
        frozenset(filters.station) if filters.station is not None else None,
    )
    response = Stream(
        _server_sent(news, actor, listener, Audience(pool, actor.scope), Admission(pool, actor)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    return cast("Response[str]", response)


async def _server_sent(
    news: LiveNews, actor: Actor, listener: Listener, audience: Audience, admission: Admission
) -> AsyncIterator[bytes]:
    await news.join(actor.party_id, listener)
    try:
        yield b"retry: 3000\n: welcome\n\n"
        ends_at = time.monotonic() + LONGEST_S
        while not listener.lost:
            if time.monotonic() > ends_at:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    event = await listener.queue.get()
            except TimeoutError:
                event = None
            if not await admission.holds():
                return
            if event is None:
                yield b": still here\n\n"
                continue
            events = [event]
            while not listener.queue.empty():
                events.append(listener.queue.get_nowait())
            lines = [_lines(event) for event in events if await audience.admits(event)]
            if lines:
                yield b"".join(lines)
        yield b'event: overrun\ndata: {"text": "you read too slowly; read anew what you need, and connect again"}\n\n'
    finally:
        news.leave(actor.party_id, listener)


def _lines(event: News) -> bytes:
    return b"event: " + str(event["kind"]).encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"


@get("/events/outbox", opt=operation("events:read", errors=(409,)) | WITHIN)
async def list_outbox(pool: ThePool, actor: TheActor, filters: NamedDependency[OutboxQuery]) -> Response[OutboxPage]:
    """Read durable events in order, from a cursor on. The same cursor gives the same events, and later ones.

    Kinds that `GET /events/kinds` does not list stay inside, and are not here; nor are those that take what the caller may
    not do, unless they are asked for by name, which is refused.

    409: the cursor is from before the database was restored from a dump; begin anew without one.
    """
    unknown = [kind for kind in filters.kind or () if kind not in KINDS]
    if unknown:
        raise BadRequest(f"no such event: {unknown[0][:60]!r}", [FieldError("kind", "GET /events/kinds lists all")])
    for kind in filters.kind or ():
        if (takes := KINDS[kind].takes) is not None:
            require(actor, takes)
    heard = filters.kind or heard_with(partial(may, actor))
    async with pool.acquire() as conn:
        place = _place(filters.cursor)
        if place is None:
            place = await feed.present(conn) if filters.start == "now" else feed.BEGINNING
        found, after = await feed.read(conn, actor.party_id, place, heard, filters.limit)
    events = await Audience(pool, actor.scope).admitted(found)
    items = [
        OutboxEvent(event_id=e.event_id, at=cast(datetime, e.at), kind=e.kind, subject=e.subject, payload=e.payload)
        for e in events
    ]
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")
    return answer(OutboxPage(items=items, next_cursor=cursor, has_more=len(found) == filters.limit))


@get("/events/kinds", opt=operation("events:read"))
async def list_event_kinds() -> Response[EventKinds]:
    """List the kinds of durable events: what each means, the type of its payload, an example."""
    return answer(EventKinds(items=described()))


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Place)
    except (ValueError, UnicodeEncodeError) as error:
        raise BadRequest("cursor: not one of ours", [FieldError("cursor", "not one of ours")]) from error
    if not all(0 <= number < 2**63 for number in (place.window_from, place.window_to, place.done_event_id)):
        raise BadRequest("cursor: not one of ours", [FieldError("cursor", "not one of ours")])
    return place


HANDLERS = [stream_events, list_outbox, list_event_kinds]
