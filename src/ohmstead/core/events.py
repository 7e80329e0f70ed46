"""The outbox: facts written in the transaction that made them true, read afterwards by named consumers.

At least once, in order per subject. A consumer's own writes and its cursor move commit together, so a consumer that
only writes to the database handles each event exactly once; one that calls the outside world must be idempotent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from ohmstead.core import metrics, tracing
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger
from ohmstead.core.writes import Write, records, to_rows, write_all

log = logger("ohmstead.outbox")

GATHER_S = 0.25
MOST_AT_ONCE = 200
LOOK_EVERY_S = 1.0
REST_S = 30.0

NUDGE = "ohmstead.outbox"
"""Published after commits that wrote events, so that readers need not poll fast: a list of their kinds, where it is known
and short; anything else means events of any kind."""
MOST_KINDS = 32


class Event(msgspec.Struct, frozen=True):
    """A fact. `kind` is past tense (`SessionEnded`), `subject` names what it is about (`session/<id>`)."""

    kind: str
    subject: str
    payload: dict[str, Any]
    party_id: UUID | None = None
    event_id: int = 0
    at: datetime | None = None


async def record(conn: Connection, events: Sequence[Event]) -> None:
    """Write events in the caller's transaction."""
    await write_all(conn, written(events))


def written(events: Sequence[Event]) -> list[Write]:
    """The same as a share of a statement."""
    if not events:
        return []
    rows = [_Row(e.party_id, e.kind, e.subject, e.payload) for e in events]
    return [Write(_WRITE, [to_rows(rows)])]


_COLUMNS = {"party_id": "uuid", "kind": "text", "subject": "text", "payload": "jsonb"}
_WRITE = f"facts as (insert into outbox ({', '.join(_COLUMNS)}) select * from {records(1, _COLUMNS)})"  # noqa: S608


class _Row(msgspec.Struct):
    party_id: UUID | None
    kind: str
    subject: str
    payload: dict[str, Any]


Consumer = Callable[[Connection, list[Event]], Awaitable[None]]


async def consume(pool: Pool, consumer: str, handle: Consumer, kinds: Sequence[str], limit: int = MOST_AT_ONCE) -> int:
    """Handle the next events of `kinds` for `consumer` in one transaction; returns how many (0: nothing to do now, or
    another process is at it; also 1 when it had to yield, and is to try again).

    When `handle` raises, nothing of it is kept, the cursor stays and the failure is counted on it.
    """
    try:
        async with pool.acquire() as conn, conn.transaction():
            cursor = await conn.fetchrow(
                "select * from outbox_cursor where consumer = $1 for update skip locked", consumer
            )
            if cursor is None:
                await begin(conn, consumer)
                return 0
            events = await _read(conn, cursor, kinds, limit)
            if not events and (following := await _next_window(conn, consumer, cursor)) is not None:
                events = await _read(conn, following, kinds, limit)
            if not events:
                return 0
            await handle(conn, events)
            await conn.execute(
                "update outbox_cursor set done_event_id = $2, failures = 0, last_error = null, updated_at ="
                " now() where consumer = $1",
                consumer,
                events[-1].event_id,
            )
            return len(events)
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
        raise
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
        # Stations wrote to the same rows meanwhile; of two who wait for each other PostgreSQL chose us to yield.
        log.info("consumer_yielded", consumer=consumer)
        return 1
    except Exception as error:
        metrics.outbox_failures.labels(consumer).inc()
        log.exception("consumer_failed", consumer=consumer)
        async with pool.acquire() as conn:
            await conn.execute(
                "update outbox_cursor set failures = failures + 1, last_error = left($2, 500), updated_at ="
                " now() where consumer = $1",
                consumer,
                repr(error),
            )
        raise


async def begin(conn: Connection, consumer: str) -> None:
    """Let a consumer hear of everything from now on, if it does not yet."""
    # A new consumer starts with what happens from now on; one that wants the past says so in its migration. Where the
    # cursor is only taken, the insert is not even tried: it would wait for whoever has it.
    await conn.execute(
        "insert into outbox_cursor (consumer, window_from, window_to)"
        " select $1, pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmin(pg_current_snapshot())"
        " where not exists (select from outbox_cursor where consumer = $1) on conflict do nothing",
        consumer,
    )


async def _read(conn: Connection, cursor: asyncpg.Record, kinds: Sequence[str], limit: int) -> list[Event]:
    rows = await conn.fetch(
        # The window first: left to itself the planner would walk all events ever written in order of their numbers.
        "with w as materialized (select event_id, at, party_id, kind, subject, payload from outbox"
        " where xid >= $1 and xid < $2 and kind = any($4))"
        " select * from w where event_id > $3 order by event_id limit $5",
        cursor["window_from"],
        cursor["window_to"],
        cursor["done_event_id"],
        list(kinds),
        limit,
    )
    return [Event(**row) for row in rows]


async def _next_window(conn: Connection, consumer: str, cursor: asyncpg.Record) -> asyncpg.Record | None:
    """The cursor at the start of the window after its own; None when there is nothing behind it yet."""
    # Moving the window writes, and every write moves the horizon: without this look an idle reader would never rest.
    # Asked for by its end, the index answers at once, whatever the planner knows of the table.
    if not await conn.fetchval("select xid >= $1 from outbox order by xid desc limit 1", cursor["window_to"]):
        return None
    return await conn.fetchrow(
        "update outbox_cursor set window_from = window_to, window_to = pg_snapshot_xmin(pg_current_snapshot()),"
        " done_event_id = 0, updated_at = now()"
        " where consumer = $1 and window_to < pg_snapshot_xmin(pg_current_snapshot()) returning *",
        consumer,
    )


_NOT_HANDLED = (
    "exists (select from outbox o where o.xid >= c.window_from"
    " and (o.xid >= c.window_to or o.event_id > c.done_event_id)"
    " and o.kind in (select jsonb_array_elements_text($2::jsonb -> c.consumer)))"
)
_BEHIND = f"select c.consumer from outbox_cursor c where c.consumer = any($1) and {_NOT_HANDLED}"  # noqa: S608
# Whatever is below the horizon is decided and seen by this one statement, so what it does not find there never comes.
_PASS_BY = (
    "with idle as (select c.consumer from outbox_cursor c where c.consumer = any($1)"  # noqa: S608
    " and exists (select from outbox o where o.xid >= c.window_to)"
    f" and not {_NOT_HANDLED} for update skip locked)"
    " update outbox_cursor u set window_from = window_to, window_to = pg_snapshot_xmin(pg_current_snapshot()),"
    " done_event_id = 0, updated_at = now() from idle where u.consumer = idle.consumer"
    " and u.window_to < pg_snapshot_xmin(pg_current_snapshot())"
)


_SEEN = (
    "select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,"
    " array(select distinct kind from outbox where xid >= $1::text::xid8) as kinds"
)
_PASS_BY_EVERY = 10


class Lookout:
    """Who has events to read, asked again and again, of consumers each with its kinds.

    Most events concern few consumers. So what is new is read once for all, and only those whom it concerns are looked at, and
    those who were behind before: someone else may have been at it, and not come to its end.
    """

    def __init__(self, kinds: Mapping[str, Sequence[str]]) -> None:
        self._kinds = kinds
        self._since = 0
        self._behind = set(kinds)
        self._n_to_pass = 0

    async def look(self, conn: Connection) -> list[str]:
        """Those with events that they have not handled, even if nobody may read them yet. Now and then, and as soon as nothing
        is new, the others are taken past what is not theirs, so that none of them has to read it.
        """
        seen = await conn.fetchrow(_SEEN, str(self._since))
        assert seen is not None
        new, horizon = set(seen["kinds"]), int(seen["horizon"])
        # A server that counts anew: nothing is known of it.
        asked = self._behind | {one for one, kinds in self._kinds.items() if not new.isdisjoint(kinds)}
        if horizon < self._since:
            horizon, asked = 0, set(self._kinds)
        self._n_to_pass += bool(new)
        if self._n_to_pass >= _PASS_BY_EVERY or (self._n_to_pass and not new):
            await conn.execute(_PASS_BY, list(self._kinds), self._kinds)
            self._n_to_pass = 0
        if asked:
            rows = await conn.fetch(_BEHIND, sorted(asked), {one: self._kinds[one] for one in asked})
            self._behind = {row["consumer"] for row in rows}
        self._since = horizon
        return sorted(self._behind)


_WAITING = (
    "select c.consumer, w.n, coalesce(extract(epoch from now() - w.oldest_at), 0)::float8 as oldest_s from outbox_cursor c,"
    " lateral (select count(*) as n, min(at) as oldest_at from (select o.at from outbox o where o.xid >= c.window_from"
    " and (o.xid >= c.window_to or o.event_id > c.done_event_id)"
    " and o.kind in (select jsonb_array_elements_text($2::jsonb -> c.consumer)) limit 10000) x) w"
    " where c.consumer = any($1)"
)


async def waiting(conn: Connection, kinds: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, float]]:
    """Of consumers, each with its kinds: how many events wait for it (10,000: that many or more), and for how many seconds
    the oldest of those counted has waited."""
    rows = await conn.fetch(_WAITING, list(kinds), kinds)
    return {row["consumer"]: (row["n"], max(0.0, row["oldest_s"])) for row in rows}


async def forget(conn: Connection, days: int) -> None:
    """Drop events older than `days` that every consumer has passed."""
    await conn.execute(
        "delete from outbox where at < now() - make_interval(days => $1)"
        " and xid < coalesce((select min(window_from) from outbox_cursor), '0'::xid8)",
        days,
    )


_FROM_ELSEWHERE = (
    "select exists (select from outbox_cursor where window_to > pg_snapshot_xmax(pg_current_snapshot()))"
    " or exists (select from outbox where xid >= pg_snapshot_xmax(pg_current_snapshot()))"
)


async def is_from_elsewhere(conn: Connection) -> bool:
    """The outbox was written on another server, whose transactions were numbered higher: a dump was restored here.

    Readers would wait for those numbers, and see nothing of what happens until this server reaches them.
    """
    found: bool = await conn.fetchval(_FROM_ELSEWHERE)
    return found


async def settle_in(conn: Connection) -> bool:
    """Number a restored outbox by this server's transactions, in the caller's; false when there was nothing to do.

    What some consumer had not handled comes to all of them again: at least once, as ever.
    """
    if not await is_from_elsewhere(conn):
        return False
    await conn.execute("lock table outbox, outbox_cursor in exclusive mode")
    await conn.execute(
        "update outbox o set xid = case when exists (select from outbox_cursor c where o.xid >= c.window_to"
        " or (o.xid >= c.window_from and o.event_id > c.done_event_id)) then pg_current_xact_id() else '3' end"
    )
    await conn.execute(
        "update outbox_cursor set window_from = pg_current_xact_id(), window_to = pg_current_xact_id(),"
        " done_event_id = 0, updated_at = now()"
    )
    return True


class Runner:
    """Runs consumers until stopped: woken by the bus, by a look at the outbox every `look_every_s` seconds for safety, and
    after `rest_s` seconds in any case; backing off on failure.

    Once woken, and after a batch that was not full, a reader lets events gather for `gather_s` seconds. What wakes it is
    never what it goes by: that is in the outbox, and all of it.
    """

    def __init__(
        self,
        pool: Pool,
        bus: Bus | None,
        gather_s: float = GATHER_S,
        *,
        look_every_s: float = LOOK_EVERY_S,
        rest_s: float = REST_S,
    ) -> None:
        self._pool = pool
        self._gather_s = gather_s
        self._look_every_s = look_every_s
        self._rest_s = rest_s
        self._bus = bus
        self._readers: dict[str, _Reader] = {}

    @property
    def consumers(self) -> list[str]:
        """Their names."""
        return list(self._readers)

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Of which facts each hears."""
        return {reader.consumer: reader.kinds for reader in self._readers.values()}

    def add(self, consumer: str, handle: Consumer, kinds: Sequence[str]) -> None:
        self._readers[consumer] = _Reader(consumer, handle, tuple(kinds))

    async def run(self) -> None:
        if self._bus is not None:
            await self._bus.listen(NUDGE, self._nudged)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for reader in self._readers.values():
                group.create_task(self._one(reader))

    async def _nudged(self, _subject: str, data: bytes) -> None:
        kinds = kinds_in(data)
        trace = tracing.carried()
        for reader in self._readers.values():
            if kinds is None or not kinds.isdisjoint(reader.kinds):
                reader.trace = trace or reader.trace
                reader.wake.set()

    async def _watch(self) -> None:
        lookout = Lookout({reader.consumer: reader.kinds for reader in self._readers.values()})
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                async with self._pool.acquire() as conn:
                    behind = await lookout.look(conn)
            except Exception as error:  # noqa: BLE001  (the database may be away; the next look tries again)
                log.warning("outbox_not_seen", error=repr(error))
                continue
            for consumer in behind:
                self._readers[consumer].wake.set()

    async def _consume(self, reader: _Reader, trace: dict[str, str] | None) -> int:
        # Looks that nobody's trace caused are no traces of their own: there is one a second.
        if trace is None:
            return await consume(self._pool, reader.consumer, reader.handle, reader.kinds)
        with tracing.span(f"consume {reader.consumer}", "consumer", trace) as span:
            n = await consume(self._pool, reader.consumer, reader.handle, reader.kinds)
            tracing.note(span, events=n)
            return n

    async def _one(self, reader: _Reader) -> None:
        pause_s = 1.0
        while True:
            try:
                reader.wake.clear()
                trace, reader.trace = reader.trace, None
                if n := await self._consume(reader, trace):
                    pause_s = 1.0
                    if n < MOST_AT_ONCE:
                        # It has caught up. Looking again at once would find what came in the last millisecond, and so on.
                        await self._gather()
                    continue
            except Exception as error:  # noqa: BLE001  (a consumer that fails must not end the others; consume() counted it)
                pause_s = min(pause_s * 2, 60)
                log.warning("consumer_backs_off", consumer=reader.consumer, pause_s=pause_s, error=repr(error))
                await asyncio.sleep(pause_s)
                continue
            with contextlib.suppress(TimeoutError):
                # Not wait_for: until Python 3.12 it forgets a cancellation that comes just as what it waits for does.
                async with asyncio.timeout(self._rest_s):
                    await reader.wake.wait()
                await self._gather()

    async def _gather(self) -> None:
        # Under load a commit comes every few milliseconds; taking each by itself would cost more than it does.
        await asyncio.sleep(self._gather_s)


class _Reader:
    """A consumer and what wakes it; `trace`: headers of the trace that did."""

    __slots__ = ("consumer", "handle", "kinds", "trace", "wake")

    def __init__(self, consumer: str, handle: Consumer, kinds: tuple[str, ...]) -> None:
        self.consumer = consumer
        self.handle = handle
        self.kinds = kinds
        self.wake = asyncio.Event()
        self.trace: dict[str, str] | None = None


def kinds_in(data: bytes) -> frozenset[str] | None:
    """The kinds that a nudge names; None: any, also where another version words it in a way that we do not know."""
    try:
        return frozenset(msgspec.json.decode(data, type=list[str])) or None
    except msgspec.DecodeError:
        return None
