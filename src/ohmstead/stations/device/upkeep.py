"""What we do to stations without being asked: noticed from the outbox, done by whichever worker takes it.

A duty is a row that is due. Whoever takes it has it for a while; if that worker dies over it, another one takes it then.
What a duty does may therefore be done twice, and does no harm the second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.device import clocks, local_lists, messages, onboarding, reconcile, store
from ohmstead.stations.device.duties import RETRY_S, Done
from ohmstead.stations.device.store import Duty
from ohmstead.stations.quirks.book import QuirkBook

log = logger("ohmstead.upkeep")

KINDS = (
    *("StationConnected", "StationBooted", "StationChanged", "StationAdopted", "StationOnboarding"),
    *("TemplateCreated", "TemplateChanged", "TemplateDeleted"),
    *("TokenCreated", "TokenChanged", "TokenBlocked", "TokenUnblocked", "TokenDeleted", "LocalListsChanged"),
)
AT_ONCE = 32
TAKEN_FOR_S = 180.0
AFTER_S = 2.0
CLOCK_AFTER_S = 45.0  # connectors tell their states within seconds after a start, stamped with the station's time


async def notice(conn: Connection, found: list[Event], *, after_s: float = AFTER_S) -> None:
    """Outbox consumer: which stations have something due, `after_s` seconds from now: a station that connects also boots,
    and who changes one token often changes more.
    """
    now = clock.now()
    soon = now + timedelta(seconds=after_s)
    arrived = _stations(found, "StationConnected", "StationBooted")
    changed = _stations(found, "StationChanged", "StationAdopted")
    by_template = _parties(found, "Template")
    by_token = _parties(found, "Token") | _parties(found, "LocalLists")
    templates = {*arrived, *changed, *await store.stations_of(conn, sorted(by_template))}
    lists = {*arrived, *changed, *await store.stations_of(conn, sorted(by_token))}
    await store.ask(conn, "templates", sorted(templates), soon)
    await store.ask(conn, "local_list", sorted(lists), soon)
    newcomers = {*arrived, *_stations(found, "StationOnboarding")}
    await store.ask(conn, "password", await store.list_onboarding(conn, sorted(newcomers)), now)
    await store.ask(conn, "messages", sorted(arrived), soon)
    await store.ask(conn, "clock", sorted(arrived), now + timedelta(seconds=CLOCK_AFTER_S))


async def due(conn: Connection, duty: str, station_ids: Sequence[str], at: datetime) -> None:
    """A duty is due for stations at `at`, unless it is sooner anyway. For rooms that have duties of their own."""
    await store.ask(conn, duty, sorted(station_ids), at)


async def stations_in_service(conn: Connection, party_ids: Sequence[UUID]) -> list[str]:
    """The stations of parties that are served."""
    return await store.stations_of(conn, party_ids)


def _stations(found: Sequence[Event], *kinds: str) -> set[str]:
    return {event.payload["station_id"] for event in found if event.kind in kinds}


def _parties(found: Sequence[Event], start: str) -> set[UUID]:
    return {event.party_id for event in found if event.kind.startswith(start) and event.party_id is not None}


class Keeper:
    """One per worker: does what is due, many stations at once, none waiting for another that does not answer."""

    def __init__(
        self,
        pool: Pool,
        bus: Bus,
        desk: CommandDesk,
        pepper: bytes,
        book: QuirkBook,
        more: Mapping[str, Callable[[str], Awaitable[Done]]] | None = None,
    ) -> None:
        """`more`: duties of rooms above this one, by name; each is done for a station."""
        self._pool = pool
        self._bus = bus
        self._desk = desk
        self._pepper = pepper
        self._book = book
        self._more = more or {}
        self._going_on: set[asyncio.Task[None]] = set()

    async def run(self, every_s: float) -> None:
        """Until cancelled."""
        try:
            while True:
                is_more = False
                try:
                    is_more = await self._begin()
                except Exception as error:  # noqa: BLE001  (the next round tries again)
                    log.warning("upkeep_failed", error=repr(error))
                if is_more:
                    # There is more than we can do at once: go on as soon as some of it is done.
                    await asyncio.wait(self._going_on, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(every_s)
        finally:
            for task in self._going_on:
                task.cancel()
            await asyncio.gather(*self._going_on, return_exceptions=True)

    async def _begin(self) -> bool:
        """Take up what is due; true when there may be more of it."""
        free = AT_ONCE - len(self._going_on)
        if free <= 0:
            return True
        async with self._pool.acquire() as conn, conn.transaction():
            duties = await store.take_duties(conn, free, TAKEN_FOR_S)
        for duty in duties:
            task = asyncio.create_task(self.do(duty))
            self._going_on.add(task)
            task.add_done_callback(self._going_on.discard)
        return len(duties) == free

    async def do(self, duty: Duty) -> None:
        """One duty, and what became of it."""
        try:
            done = await self._carry_out(duty)
        except Exception as error:  # noqa: BLE001  (one station's trouble must not keep the others from their turn)
            log.warning("duty_failed", station_id=duty.station_id, duty=duty.duty, error=repr(error))
            done = Done("failed", repr(error), RETRY_S, is_failure=True)
        now = clock.now()
        tries = duty.tries + 1 if done.is_failure else 0
        async with self._pool.acquire() as conn, conn.transaction():
            await store.finish_duty(conn, duty, now, done.result, done.text, _again_at(now, done, tries), tries)

    async def _carry_out(self, duty: Duty) -> Done:
        pool, desk, station_id = self._pool, self._desk, duty.station_id
        if duty.duty in self._more:
            return await self._more[duty.duty](station_id)
        match duty.duty:
            case "templates":
                return await reconcile.reconcile(pool, desk, station_id)
            case "local_list":
                return await local_lists.reconcile(pool, desk, station_id)
            case "password":
                return await onboarding.go_on(pool, self._bus, desk, self._pepper, self._book, station_id)
            case "messages":
                return await messages.ask_for(pool, desk, self._book, station_id)
            case _:
                return await clocks.check(pool, desk, station_id)


def _again_at(now: datetime, done: Done, tries: int) -> datetime | None:
    if done.again_after_s is None:
        return None
    longer = 2.0 ** min(tries - 1, 7) if done.is_failure else 1.0
    return now + timedelta(seconds=done.again_after_s * longer)
