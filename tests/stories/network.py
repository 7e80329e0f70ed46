"""A whole installation in this process, and what stories ask of it: the real gateway, worker, database and bus."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from ohmstead import worker
from ohmstead.core import events
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.ocpp.gateway import Gateway
from ohmstead.sessions.costs import Covers
from ohmstead.settings import Settings
from ohmstead.stations.commands import Command, CommandDesk, Order
from ohmstead.stations.files.addresses import Guard
from tests.stories.patience import Look, reading, until
from tests.stories.speech2 import Station2
from tests.stories.speech16 import Station16
from tests.stories.station import Station

VERSIONS = ("1.6", "2.0.1", "2.1")
# What the examples of orders name, and what the least payloads give as an address.
GUARD = Guard("x", ("files.example",))
ASK_AFTER_S = 0.3  # how long the worker waits before it asks a station about missing messages, here
LOOK_EVERY_S = 0.1  # how long a reader waits for what a test wrote itself: only commits of the product nudge it


@dataclass
class Door:
    """A gateway that listens."""

    gateway: Gateway
    runner: web.AppRunner
    serving: asyncio.Task[None]
    port: int
    tls_port: int | None = None

    async def close(self) -> None:
        self.serving.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        await self.runner.cleanup()


class Installation:
    """What all stories of a run share."""

    def __init__(
        self, settings: Settings, pool: Pool, bus: Bus, *, covers: Covers | None = None, **outside: Any
    ) -> None:
        self.settings = settings
        self.covers = covers  # who knows how far sessions are paid for
        self.outside = outside  # what implements ports to the outside world
        self.pool = pool
        self.bus = bus
        self.desk = CommandDesk(pool, bus)
        self.desk = CommandDesk(pool, bus, GUARD)
        self._door: Door | None = None

    @property
    def url(self) -> str:
        assert self._door is not None
        return f"ws://127.0.0.1:{self._door.port}"

    @property
    def gateway(self) -> Gateway:
        assert self._door is not None
        return self._door.gateway

    async def open_door(self, port: int = 0) -> Door:
        """One more gateway, on a port of its own; `url` leads to the latest."""
        gateway = Gateway(self.settings, self.pool, self.bus, **self.outside)
        runner = web.AppRunner(gateway.application(), access_log=None, handler_cancellation=False, shutdown_timeout=5)
        await runner.setup()
        serving = asyncio.create_task(gateway.run())
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._door = Door(gateway, runner, serving, runner.addresses[0][1])
        if (context := gateway.ssl_context()) is not None:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            self._door.tls_port = runner.addresses[1][1]
        return self._door

    async def restart_gateway(self) -> None:
        """The gateway stops politely; a new one, knowing nothing, takes its port."""
        assert self._door is not None
        port = self._door.port
        await self._door.close()
        await self.open_door(port)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Installation"]:
        await self.open_door()
        runner = events.Runner(self.pool, self.bus, gather_s=0, look_every_s=LOOK_EVERY_S)
        working = asyncio.create_task(
            worker.run(
                self.settings,
                self.pool,
                self.bus,
                ask_after_s=ASK_AFTER_S,
                upkeep_every_s=0.05,
                rollouts_every_s=0.2,
                runner=runner,
                costs=self.outside.get("costs"),
                covers=self.covers,
            )
        )

        try:
            await until(reading(self.pool, runner), "the worker reads the outbox", patience_s=20)
            yield self
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            assert self._door is not None
            await self._door.close()


@dataclass
class Network:
    """A party of its own in the installation: nobody else's stations, cards or sessions."""

    house: Installation
    party_id: UUID = field(default_factory=new_id)
    suffix: str = field(default_factory=lambda: uuid4().hex[:8])
    stations: list[Station] = field(default_factory=list)

    @property
    def pool(self) -> Pool:
        return self.house.pool

    async def found(self) -> "Network":
        await self.pool.execute(
            "insert into party (party_id, name, party_code) values ($1, 'Story', $2)", self.party_id, self.suffix
        )
        return self

    async def location(self, name: str = "Car park", time_zone: str = "Europe/Vienna") -> UUID:
        location_id = new_id()
        await self.pool.execute(
            "insert into location (location_id, party_id, name, time_zone) values ($1, $2, $3, $4)",
            location_id,
            self.party_id,
            name,
            time_zone,
        )
        return location_id

    async def station(
        self,
        version: str,
        name: str = "ST-1",
        *,
        boots: bool = True,
        rated_w: int | None = 22_000,
        location_id: UUID | None = None,
        registration: str = "accepted",
        hours_ago: float = 12,
        **traits: Any,
    ) -> Station:
        """A registered station with one outlet of `rated_w`, connected and booted unless told otherwise."""
        station_id = f"{name}-{self.suffix}"
        await self.pool.execute(
            "insert into station (station_id, party_id, location_id, security_profile, registration)"
            " values ($1, $2, $3, 0, $4)",
            station_id,
            self.party_id,
            location_id,
            registration,
        )
        await self.pool.execute("insert into evse values ($1, 1, 'AC', $2)", station_id, rated_w)
        begins_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours_ago)
        speech = Station16 if version == "1.6" else Station2
        station = speech(station_id, version, self.house.url, begins_at, **traits)
        self.stations.append(station)
        if boots:
            assert await station.boots() == "Accepted"
        return station

    async def outlets(self, station: Station, n: int) -> None:
        """The station has `n` EVSEs, not just one."""
        await self.pool.executemany(
            "insert into evse (station_id, evse_number) values ($1, $2) on conflict do nothing",
            [(station.station_id, number) for number in range(1, n + 1)],
        )

    async def token(self, uid: str, **limits: Any) -> UUID:
        """A card of this party; `limits` are columns of table token."""
        token_id = new_id()
        names = ["token_id", "party_id", "uid", *limits]
        await self.pool.execute(
            f"insert into token ({', '.join(names)}) values ({', '.join(f'${n}' for n in range(1, len(names) + 1))})",
            token_id,
            self.party_id,
            uid,
            *limits.values(),
        )
        return token_id

    async def orders(self, station: Station, order: Order, **terms: Any) -> Command:
        """An operator's command through the real desk."""
        return await self.house.desk.send(
            order, party_id=self.party_id, station_id=station.station_id, requested_by="operator:story", **terms
        )

    # ----------------------------------------------------------------------------------------- what was kept

    async def rows(self, sql: str, *values: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(**dict(row)) for row in await self.pool.fetch(sql, *values)]

    async def sessions_of(self, station: Station) -> list[SimpleNamespace]:
        """All sessions of a station as the database has them, by start, after the worker is done with them."""
        await self.settled()
        return await self.rows(
            "select * from session where station_id = $1 order by started_at, first_received_at", station.station_id
        )

    async def session_of(self, station: Station) -> SimpleNamespace:
        """The one session of a station."""
        found = await self.sessions_of(station)
        assert len(found) == 1, f"{len(found)} sessions: {[(s.transaction_id, s.status) for s in found]}"
        return found[0]

    async def periods_of(self, session: SimpleNamespace) -> list[SimpleNamespace]:
        return await self.rows(
            "select * from charging_period where session_id = $1 order by started_at", session.session_id
        )

    async def samples_of(self, session: SimpleNamespace) -> list[SimpleNamespace]:
        return await self.rows(
            "select * from sample where session_id = $1 order by sampled_at, context", session.session_id
        )

    async def events_of(self, session: SimpleNamespace) -> list[SimpleNamespace]:
        return await self.rows(
            "select at, kind, detail from session_event where session_id = $1 order by at, kind", session.session_id
        )

    async def settled(self) -> None:
        """Until the worker has handled every fact there is."""
        await self.until(
            lambda: self.pool.fetchval(
                "select not exists (select from outbox o join outbox_cursor c on"
                " o.xid >= c.window_to or (o.xid >= c.window_from and o.event_id > c.done_event_id)"
                " where c.consumer = 'sessions.settle'"
                " and o.kind in ('SessionEnded', 'SessionChanged', 'OrphanRecorded'))"
            ),
            "the worker settles",
        )

    async def until(self, is_so: Look, what: str) -> None:
        await until(is_so, what)

    async def is_status(self, station: Station, status: str) -> None:
        """Until the station's latest session has a status."""

        async def look() -> bool:
            found = await self.pool.fetchval(
                "select status from session where station_id = $1 order by started_at desc limit 1", station.station_id
            )
            return bool(found == status)

        await self.until(look, f"the session is {status}")

    async def is_connected(self, station: Station, expected: bool = True) -> None:
        """Until the register says that the station is connected (or not)."""

        async def look() -> bool:
            found = await self.pool.fetchval(
                "select gateway_id is not null from station where station_id = $1", station.station_id
            )
            return bool(found is expected)

        await self.until(look, f"the station is {'' if expected else 'not '}connected")
