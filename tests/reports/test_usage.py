"""The sums of the reports against the sessions themselves: whatever happens to these, in any order, any number of times."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ohmstead import app
from ohmstead.accounts import service as accounts
from ohmstead.accounts.scope import Scope
from ohmstead.core import events
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import NotFound
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.usage import queries, service
from ohmstead.reports.usage.model import Subject, Totals
from ohmstead.reports.usage.periods import UsagePeriod
from ohmstead.settings import Settings

ALL = UsagePeriod("custom", date(2026, 1, 1), date(2026, 12, 31))
ZONES = ("Europe/Vienna", "Asia/Kolkata", "America/St_Johns")


class World:
    """A party with locations in several zones, and sessions that change."""

    def __init__(self, db: Pool, seed: int) -> None:
        self.db = db
        self.random = random.Random(seed)
        self.party_id = UUID(int=0)
        self.stations: list[tuple[str, UUID | None]] = []
        self.sessions: list[UUID] = []

    async def found(self) -> None:
        async with self.db.acquire() as conn, conn.transaction():
            operator = await accounts.ensure_first_operator(conn, currency="EUR", time_zone="UTC")
            self.party_id = operator.party_id
        for n, zone in enumerate(ZONES):
            location_id = new_id()
            await self.db.execute(
                "insert into location (location_id, party_id, name, time_zone) values ($1, $2, $3, $4)",
                *(location_id, self.party_id, f"Place {n}", zone),
            )
            self.stations += [(f"S{n}{k}", location_id) for k in range(2)]
        self.stations.append(("LONELY", None))
        for station_id, place in self.stations:
            await self.db.execute(
                "insert into station (station_id, party_id, location_id) values ($1, $2, $3)",
                *(station_id, self.party_id, place),
            )

    def values(self) -> dict[str, Any]:
        begin = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=self.random.randrange(60 * 24 * 200))
        end = begin + timedelta(seconds=self.random.randrange(0, 200_000))
        station_id, place = self.random.choice(self.stations)
        return {
            "station_id": station_id,
            "location_id": place,
            "started_at": begin,
            "ended_at": end,
            "energy_wh": Decimal(self.random.randrange(0, 900_000)) / 10,
            "charging_s": self.random.randrange(0, 20_000),
            "status": self.random.choice(("completed", "completed", "completed", "invalid", "active")),
        }

    async def begin(self) -> UUID:
        session_id = new_id()
        values = self.values()
        rest = {
            "session_id": session_id, "party_id": self.party_id, "transaction_id": session_id.hex[-12:],
            "ocpp_version": "1.6", "last_event_at": values["ended_at"], "first_received_at": values["started_at"],
            "updated_at": values["ended_at"], "settled_at": values["ended_at"],
        }  # fmt: skip
        row = {**values, **rest}
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.db.execute(f"insert into session ({', '.join(row)}) values ({places})", *row.values())
        self.sessions.append(session_id)
        return session_id

    async def change(self, session_id: UUID) -> None:
        values = self.values()
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 2))
        await self.db.execute(f"update session set {sets} where session_id = $1", session_id, *values.values())

    async def is_told(self, *session_ids: UUID) -> None:
        told = [Event("SessionSettled", f"session/{one}", {"session_id": str(one)}) for one in session_ids]
        async with self.db.acquire() as conn, conn.transaction():
            await service.notice(conn, told)

    async def agrees(self) -> None:
        """Sums of every scope are those of the sessions that count, by the day on the wall of their location."""
        rows = await self.db.fetch(
            "select (s.started_at at time zone coalesce(l.time_zone, 'UTC'))::date as day, s.location_id, s.station_id,"
            " count(*) as n, sum(s.energy_wh) as wh, sum(extract(epoch from s.ended_at - s.started_at))::bigint as took_s"
            " from session s left join location l using (location_id) where s.status = 'completed' group by 1, 2, 3"
        )
        async with self.db.acquire() as conn:
            whole_party = Scope(self.party_id)
            some = Scope(self.party_id, tuple({p for _, p in self.stations if p})[:2])
            for scope, subject, fits in [
                (whole_party, Subject(), lambda row: True),
                (some, Subject(), lambda row: some.holds(row["location_id"])),
                *(
                    (
                        scope,
                        Subject(location_id=p),
                        lambda row, p=p, scope=scope: row["location_id"] == p and scope.holds(p),
                    )
                    for scope in (whole_party, some)
                    for _, p in self.stations
                    if p
                ),
                *(
                    (
                        scope,
                        Subject(station_id=s),
                        lambda row, s=s, scope=scope: row["station_id"] == s and scope.holds(row["location_id"]),
                    )
                    for scope in (whole_party, some)
                    for s, _ in self.stations
                ),
            ]:
                expected: dict[date, tuple[int, Decimal, int]] = {}
                for row in filter(fits, rows):
                    old = expected.get(row["day"], (0, Decimal(0), 0))
                    expected[row["day"]] = (old[0] + row["n"], old[1] + row["wh"], old[2] + row["took_s"])
                days = await queries.by_day(conn, scope, subject, ALL)
                found = {d: (t.n_sessions, t.energy_wh, t.duration_s) for d, t in days.items() if t.n_sessions}
                assert found == expected, (scope, subject)
                whole: Totals = queries.added(days.values())
                assert whole.delivered_wh == whole.energy_wh
                assert whole.plug_s == whole.duration_s
                week = await queries.by_week(conn, scope, subject, ALL)
                assert sum(row["plug_s"] for row in week) == whole.plug_s
                hours = await queries.by_hour(conn, scope, subject, ALL)
                assert sum(row["delivered_wh"] for row in hours) == whole.energy_wh
            await self.last_ones_agree(conn)

    async def last_ones_agree(self, conn: Connection) -> None:
        """Stations in order by their last session: when it began, and its energy."""
        last = {
            row["station_id"]: row
            for row in await conn.fetch(
                "select distinct on (station_id) station_id, started_at, energy_wh from session"
                " order by station_id, started_at desc"
            )
        }
        for sort, column in (("energy", "energy_wh"), ("last", "started_at")):
            found = await pages.list_stations(conn, Scope(self.party_id), sort=sort)
            without = sorted(station_id for station_id, _ in self.stations if station_id not in last)
            rest = sorted(last, key=lambda station_id, column=column: (last[station_id][column], station_id))
            assert [row.station_id for row in found.rows] == without + rest, sort


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_sums_are_those_of_the_sessions_whatever_happens(db: Pool, database_url: str, seed: int) -> None:
    world = World(db, seed)
    await world.found()
    for _ in range(60):
        await world.begin()
    # Before anybody listens nothing is walked through: what settles in between would be missed.
    assert await service.fill(db) == 0
    async with db.acquire() as conn:
        await events.begin(conn, service.CONSUMER)
        assert not await queries.is_whole(conn)
    await world.is_told(*world.sessions[:25])
    assert await service.fill(db) == 60
    await world.agrees()
    for _ in range(40):
        changed = world.random.sample(world.sessions, 5)
        for session_id in changed:
            await world.change(session_id)
        new = await world.begin()
        await world.is_told(*changed, new, changed[0])
        await world.is_told(new)
    await world.agrees()
    before = await db.fetch("select * from usage_day where n_sessions > 0 order by 1, 2, 3, 4, 5")
    settings = Settings(database_url=database_url, data_dir=Path("/nonexistent"))
    assert await app.rebuild_reports(settings) == len(world.sessions)
    assert await db.fetch("select * from usage_day where n_sessions > 0 order by 1, 2, 3, 4, 5") == before
    await world.agrees()


async def test_another_party_sees_nothing_of_it(db: Pool) -> None:
    world = World(db, 4)
    await world.found()
    for _ in range(20):
        await world.begin()
    await world.is_told(*world.sessions)
    async with db.acquire() as conn:
        for subject in (Subject(), Subject(station_id="S00"), Subject(location_id=world.stations[0][1])):
            await sees_nothing(conn, Scope(new_id()), subject)
            await sees_nothing(conn, Scope(world.party_id, ()), subject)


async def sees_nothing(conn: Connection, scope: Scope, subject: Subject) -> None:
    assert await queries.by_day(conn, scope, subject, ALL) == {}
    assert await queries.by_hour(conn, scope, subject, ALL) == []
    assert await queries.by_week(conn, scope, subject, ALL) == []
    assert await queries.peaks(conn, scope, subject, ALL, 5) == []
    assert await queries.places(conn, scope, subject, ALL, ALL) == []
    if subject != Subject():
        assert await queries.find_place(conn, scope, subject) is None


async def test_whoever_sees_some_locations_sees_their_numbers_only(db: Pool) -> None:
    world = World(db, 5)
    await world.found()
    for _ in range(60):
        await world.begin()
    await world.is_told(*world.sessions)
    mine, other = world.stations[0][1], world.stations[2][1]
    assert mine is not None
    assert other is not None
    scope = Scope(world.party_id, (mine,))
    async with db.acquire() as conn:
        alone = await queries.by_day(conn, Scope(world.party_id), Subject(location_id=mine), ALL)
        assert alone
        assert await queries.by_day(conn, scope, Subject(), ALL) == alone
        assert [place.location_id for place in await queries.places(conn, scope, Subject(), ALL, ALL)] == [mine]
        await sees_nothing(conn, scope, Subject(location_id=other))
        await sees_nothing(conn, scope, Subject(station_id="S10"))
        await sees_nothing(conn, scope, Subject(station_id="LONELY"))
        with pytest.raises(NotFound):
            await service.usage(conn, scope, Subject(location_id=other), ALL, "before")
        # A station that went away leaves what it gave here; where it is now is not told.
        here = await queries.by_day(conn, scope, Subject(station_id="S00"), ALL)
        assert here
        await conn.execute("update station set location_id = $1 where station_id = 'S00'", other)
        assert await queries.by_day(conn, scope, Subject(station_id="S00"), ALL) == here
        place = await queries.find_place(conn, scope, Subject(station_id="S00"))
        assert place is not None
        assert (place["location_id"], place["time_zone"]) == (None, "UTC")
