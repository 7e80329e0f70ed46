"""The outbox: at least once, in order per subject, and no event lost behind a late commit."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest

from ohmstead.core import events, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event
from ohmstead.ocpp.news import Teller


def fact(number: int, subject: str = "session/1", kind: str = "SessionEnded") -> Event:
    return Event(kind=kind, subject=subject, payload={"number": number})


class Reader:
    """A consumer that writes down what it was given."""

    def __init__(self, pool: Pool, name: str = "reader", kinds: tuple[str, ...] = ("SessionEnded",)) -> None:
        self.pool = pool
        self.name = name
        self.kinds = kinds
        self.seen: list[int] = []
        self.fails = 0
        self.hangs = self.is_at_it = False

    async def handle(self, _conn: Connection, found: list[Event]) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("not today")
        if self.hangs:
            self.is_at_it = True
            await asyncio.Event().wait()
        self.seen += [event.payload["number"] for event in found]

    async def read(self, limit: int = 200) -> None:
        """Until nothing is left now."""
        idle = 0
        while idle < 2:
            found = await events.consume(self.pool, self.name, self.handle, self.kinds, limit)
            idle = 0 if found else idle + 1


async def write(pool: Pool, *found: Event) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await events.record(conn, found)


async def test_a_reader_gets_every_event_once_and_in_order(db: Pool) -> None:
    reader = Reader(db)
    await reader.read()
    for number in range(25):
        await write(db, fact(number))
    await reader.read(limit=10)
    await reader.read()
    assert reader.seen == list(range(25))


async def test_readers_have_cursors_of_their_own_and_take_only_their_kinds(db: Pool) -> None:
    one, other = Reader(db, "one"), Reader(db, "other")
    await one.read()
    await other.read()
    await write(db, fact(1), fact(2, kind="StationBooted"), fact(3))
    await one.read()
    assert (one.seen, other.seen) == ([1, 3], [])
    await other.read()
    assert other.seen == [1, 3]


async def test_an_event_that_commits_late_is_not_skipped(db: Pool) -> None:
    reader = Reader(db)
    await reader.read()
    async with db.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await events.record(slow, [fact(1)])
        await write(db, fact(2, subject="session/2"))
        await reader.read()
        early = list(reader.seen)
        await transaction.commit()
    await reader.read()
    assert early == [], "a window must not pass a transaction that is still running"
    assert sorted(reader.seen) == [1, 2]


async def test_two_writers_of_one_subject_are_read_in_the_order_of_their_commits(db: Pool) -> None:
    reader = Reader(db)
    await reader.read()
    await db.execute("insert into outbox_cursor (consumer, window_from, window_to) values ('row', '0', '0')")
    lock = "update outbox_cursor set failures = failures where consumer = 'row'"
    async with db.acquire() as first, db.acquire() as second:
        one, two = first.transaction(), second.transaction()
        await two.start()
        await second.execute("select pg_current_xact_id()")  # the later writer has the lower transaction number
        await one.start()
        await first.execute(lock)
        waiting = asyncio.create_task(second.execute(lock))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await events.record(first, [fact(1)])
        await one.commit()
        await waiting
        await reader.read()
        await events.record(second, [fact(2)])
        await two.commit()
    await reader.read()
    assert reader.seen == [1, 2]


async def test_what_a_failing_reader_did_is_undone_and_it_gets_the_events_again(db: Pool) -> None:
    reader = Reader(db)
    await reader.read()
    await write(db, fact(7))

    async def half_done(conn: Connection, found: list[Event]) -> None:
        await conn.execute("insert into outbox (kind, subject, payload) values ('HalfDone', 'x', '{}')")
        await reader.handle(conn, found)

    reader.fails = 1
    with pytest.raises(RuntimeError, match="not today"):
        while True:
            await events.consume(db, reader.name, half_done, ("SessionEnded",))
    assert await db.fetchval("select count(*) from outbox where kind = 'HalfDone'") == 0
    failed: Any = await db.fetchrow("select failures, last_error from outbox_cursor where consumer = 'reader'")
    assert failed["failures"] == 1
    assert "not today" in failed["last_error"]
    await reader.read()
    assert reader.seen == [7]


async def test_events_of_a_transaction_that_was_rolled_back_never_happened(db: Pool) -> None:
    reader = Reader(db)
    await reader.read()
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with db.acquire() as conn, conn.transaction():
            await events.record(conn, [fact(1)])
            raise RuntimeError("changed my mind")
    await write(db, fact(2))
    await reader.read()
    assert reader.seen == [2]


async def test_an_idle_reader_writes_nothing(db: Pool) -> None:
    reader = Reader(db)
    await write(db, fact(1))
    await reader.read()
    before = await db.fetchval("select xmin::text from outbox_cursor where consumer = 'reader'")
    await reader.read()
    assert await db.fetchval("select xmin::text from outbox_cursor where consumer = 'reader'") == before


async def _restored(db: Pool) -> None:
    """As if all of it had been written on a server whose transactions were numbered far higher, and dumped."""
    await db.execute("update outbox set xid = (xid::text::bigint + 9000000000)::text::xid8")
    await db.execute(
        "update outbox_cursor set window_from = (window_from::text::bigint + 9000000000)::text::xid8,"
        " window_to = (window_to::text::bigint + 9000000000)::text::xid8"
    )


async def test_after_a_dump_was_restored_on_another_server_no_event_is_missed(db: Pool, database_url: str) -> None:
    reader = Reader(db)
    await reader.read()
    await write(db, fact(1))
    await reader.read()
    await write(db, fact(2))
    await _restored(db)
    async with db.acquire() as conn:
        (waiting,) = await migrations.pending(conn)
    assert "a dump was restored" in waiting, "no role starts on it"
    assert await migrations.migrate(database_url) == []
    async with db.acquire() as conn:
        assert await migrations.pending(conn) == []
    await write(db, fact(3))
    await reader.read()
    assert reader.seen == [1, 2, 3]


async def test_a_restored_outbox_tells_what_one_of_two_readers_had_not_read(db: Pool, database_url: str) -> None:
    quick, slow = Reader(db, "quick"), Reader(db, "slow")
    for reader in (quick, slow):
        await reader.read()
    await write(db, fact(1))
    for reader in (quick, slow):
        await reader.read()
    await write(db, fact(2))
    await quick.read()
    await _restored(db)
    await migrations.migrate(database_url)
    await write(db, fact(3))
    for reader in (quick, slow):
        await reader.read()
    assert slow.seen == [1, 2, 3]
    assert quick.seen == [1, 2, 2, 3], "at least once"


class Ear:
    """A bus whose news come exactly when a test wants them."""

    def __init__(self) -> None:
        self.nudge: Any = None

    async def listen(self, _subject: str, nudge: Any) -> Any:
        self.nudge = nudge


NEVER_S = 3600.0


@asynccontextmanager
async def running(db: Pool, *readers: Reader, look_every_s: float = NEVER_S) -> AsyncIterator[Any]:
    """Consumers under a runner, all of them at rest; yields the ear that their nudges go to, and the runner's task."""
    ear = Ear()
    runner = events.Runner(db, cast(Bus, ear), gather_s=0, look_every_s=look_every_s, rest_s=NEVER_S)
    for reader in readers:
        await reader.read()
        runner.add(reader.name, reader.handle, reader.kinds)
    task = asyncio.create_task(runner.run())
    await until(lambda: ear.nudge is not None)
    await asyncio.sleep(0.2)
    try:
        yield ear, task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)


async def until(is_so: Any) -> None:
    async with asyncio.timeout(15):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_nudge_wakes_those_whose_kinds_it_names_and_nobody_else(db: Pool) -> None:
    ended, booted = Reader(db, "ended"), Reader(db, "booted", ("StationBooted",))
    async with running(db, ended, booted) as (ear, _):
        await write(db, fact(1), fact(2, kind="StationBooted"))
        await ear.nudge(events.NUDGE, b'["SomethingNew","StationBooted"]')
        await until(lambda: booted.seen == [2])
        await asyncio.sleep(0.1)
        assert ended.seen == []
        await ear.nudge(events.NUDGE, b'["SessionEnded"]')
        await until(lambda: ended.seen == [1])


@pytest.mark.parametrize("said", [b"null", b"{}", b"[]", b"", b"\xff", b'{"kinds":["Other"]}', b'["SessionEnded",7]'])
async def test_a_nudge_that_names_no_kinds_or_is_of_another_version_wakes_everybody(db: Pool, said: bytes) -> None:
    reader = Reader(db)
    async with running(db, reader) as (ear, _):
        await write(db, fact(1))
        await ear.nudge(events.NUDGE, said)
        await until(lambda: reader.seen == [1])


async def test_an_event_without_a_nudge_is_seen_at_the_next_look(db: Pool) -> None:
    reader, other = Reader(db), Reader(db, "other", ("StationBooted",))
    async with running(db, reader, other, look_every_s=0.1):
        await write(db, fact(1))
        await until(lambda: reader.seen == [1])
        async with db.acquire() as slow:
            transaction = slow.transaction()
            await transaction.start()
            await events.record(slow, [fact(2)])
            await write(db, fact(3))
            await asyncio.sleep(0.3)
            assert reader.seen == [1], "the look goes on for as long as nobody may read it yet"
            await transaction.commit()
        await until(lambda: sorted(reader.seen) == [1, 2, 3])
        past = "select window_to > all (select xid from outbox) from outbox_cursor where consumer = 'other'"
        await asyncio.sleep(0.3)
        assert await db.fetchval(past), "nobody has to read what is not theirs"
        await write(db, fact(4, kind="StationBooted"))
        await until(lambda: other.seen == [4])


@pytest.mark.parametrize("seed", range(6))
async def test_a_look_misses_nobody_who_is_behind_whatever_happened_before(db: Pool, seed: int) -> None:
    """Against the whole question, asked of everybody: events in any order, slow writers, readers that do some or fail."""
    dice, kinds = random.Random(seed), [f"Kind{n}" for n in range(5)]
    readers = [Reader(db, f"reader{n}", tuple(dice.sample(kinds, n))) for n in (1, 1, 2, 3)]
    for reader in readers:
        await reader.read()
    lookout = events.Lookout({reader.name: reader.kinds for reader in readers})
    slow: list[AsyncExitStack] = []
    n_behind = 0
    for number in range(60):
        what = dice.choice(("write", "write", "slow", "end", "read", "look", "look"))
        if what == "write":
            await write(db, fact(number, kind=dice.choice(kinds)))
        elif what == "slow" and len(slow) < 3:
            slow.append(AsyncExitStack())
            conn = await slow[-1].enter_async_context(db.acquire())
            await slow[-1].enter_async_context(conn.transaction())
            await events.record(conn, [fact(number, kind=dice.choice(kinds))])
        elif what == "end" and slow:
            await slow.pop(dice.randrange(len(slow))).aclose()
        elif what == "read":
            reader = dice.choice(readers)
            await events.consume(db, reader.name, reader.handle, reader.kinds, dice.choice((1, 2, 200)))
        elif what == "look":
            async with db.acquire() as conn:
                told = await lookout.look(conn)
                behind = [one for one, (n, _) in (await events.waiting(conn, waiting_of(readers))).items() if n]
            assert told == sorted(behind), number
            n_behind += len(behind)
    for transaction in slow:
        await transaction.aclose()
    assert n_behind > 10
    for reader in readers:
        await reader.read()
    async with db.acquire() as conn:
        assert await lookout.look(conn) == []


def waiting_of(readers: list[Reader]) -> dict[str, tuple[str, ...]]:
    return {reader.name: reader.kinds for reader in readers}


async def test_what_a_reader_was_at_when_it_was_killed_goes_to_the_next(db: Pool) -> None:
    killed, heir = Reader(db), Reader(db)
    killed.hangs = True
    async with running(db, killed) as (ear, task):
        await write(db, fact(1))
        await ear.nudge(events.NUDGE, b"null")
        await until(lambda: killed.is_at_it)
        async with running(db, heir, look_every_s=0.1):
            assert heir.seen == []
            task.cancel()
            await until(lambda: heir.seen == [1])


async def test_a_commit_names_the_kinds_of_its_events_and_many_or_unknown_ones_not_at_all(nats_url: str) -> None:
    bus = await Bus.connect(nats_url, name="nudges")
    heard: list[Any] = []

    async def hear(_subject: str, data: bytes) -> None:
        heard.append(events.kinds_in(data))

    try:
        await bus.listen(events.NUDGE, hear)
        await bus.flush()
        for told in (
            [{"SessionEnded"}, set[str](), {"SessionStarted"}],
            [{"SessionEnded"}, None],
            [{f"Kind{n}" for n in range(events.MOST_KINDS + 1)}],
        ):
            teller = Teller(bus)
            n_heard = len(heard)
            for kinds in told:
                await teller.tell([], kinds)
            await until(lambda n=n_heard: len(heard) > n)
        assert heard == [{"SessionEnded", "SessionStarted"}, None, None]
    finally:
        await bus.close()


async def test_who_has_caught_up_lets_events_gather_and_who_is_behind_goes_on(
    db: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[float] = []
    found = iter((events.MOST_AT_ONCE, events.MOST_AT_ONCE, 7, 1, 0))
    at_rest = asyncio.Event()

    async def consumes(*_: Any) -> int:
        did.append(n := next(found))
        if n == 0:
            at_rest.set()
        return n

    async def gathers(_: events.Runner) -> None:
        did.append(-1)

    monkeypatch.setattr(events, "consume", consumes)
    monkeypatch.setattr(events.Runner, "_gather", gathers)
    runner = events.Runner(db, None, look_every_s=NEVER_S, rest_s=NEVER_S)
    runner.add("one", Reader(db).handle, ("SessionEnded",))
    task = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(at_rest.wait(), 15)
        assert did == [events.MOST_AT_ONCE, events.MOST_AT_ONCE, 7, -1, 1, -1, 0]
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)


@pytest.mark.parametrize("moments", range(8))
async def test_readers_that_are_stopped_just_as_they_wake_up_stop(db: Pool, moments: int) -> None:
    ear = Ear()
    runner = events.Runner(db, cast(Bus, ear), gather_s=0)
    for name in ("one", "other"):
        runner.add(name, Reader(db, name).handle, ("SessionEnded",))
    task = asyncio.create_task(runner.run())
    for _ in range(600):
        await asyncio.sleep(0.05)
        if await db.fetchval("select count(*) from outbox_cursor") == 2:
            break
    await ear.nudge(events.NUDGE, b"")
    for _ in range(moments):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
