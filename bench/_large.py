"""A network of any size written into an empty database by COPY: a year of it, with a present that goes on."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

GATEWAY = UUID(int=7)
"""Holds the stations that are online and that nobody plays."""
DAYS = 365
PER_LOCATION = 40
CHUNK = 1 << 20
# Bytes that a row takes with its indexes, rather too many than too few.
_SIZES = {"station": 4_000, "session": 2_600, "sample": 480}
# Sessions by hour of the day: quiet nights, a peak after work.
_HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 8, 7, 6, 6, 7, 7, 6, 7, 9, 12, 12, 10, 8, 6, 4, 2)
_READINGS = '{"Energy.Active.Import.Register": ["%d", "Wh"], "Power.Active.Import": ["%d", "W"]}'


class Size(msgspec.Struct, frozen=True):
    """How much of everything."""

    n_stations: int
    n_sessions: int
    n_samples: int

    @property
    def n_tokens(self) -> int:
        return min(max(self.n_stations * 5, 300), 100_000)

    @property
    def n_open(self) -> int:
        return min(self.n_stations // 7, self.n_sessions)

    @property
    def n_bytes(self) -> int:
        """Space on the disk, the write-ahead log included."""
        sizes = (("station", self.n_stations), ("session", self.n_sessions), ("sample", self.n_samples))
        return sum(_SIZES[name] * n for name, n in sizes) + (4 << 30)


def station_id(n: int) -> str:
    return f"B{n:05d}"


def enough_space(size: Size, folder: Path) -> None:
    """Raises SystemExit when the disk has not the room."""
    free = shutil.disk_usage(folder).free
    if free < size.n_bytes:
        raise SystemExit(
            f"{size.n_bytes / 2**30:.0f} GB are needed in {folder} and {free / 2**30:.0f} GB are free:"
            " choose a smaller --scale"
        )


async def fill(url: str, size: Size, say: Callable[[str], None]) -> dict[str, float]:
    """Write it all; gives the seconds that each part took."""
    conn = await asyncpg.connect(url)
    took: dict[str, float] = {}
    try:
        await conn.execute("set synchronous_commit = off")
        party_id = await conn.fetchval("select party_id from party order by created_at limit 1")
        writer = _Writer(conn, size, party_id)
        for name, work in (
            ("partitions", writer.partitions),
            ("stations", writer.stations),
            ("tokens", writer.tokens),
            ("sessions", writer.sessions),
            ("periods and events", writer.periods),
            ("samples", writer.samples),
            ("messages", writer.messages),
            ("statistics", writer.statistics),
        ):
            began = time.monotonic()
            await work()
            took[name] = time.monotonic() - began
            say(f"{name}: {took[name]:.0f} s")
    finally:
        await conn.close()
    return took


class _Session(msgspec.Struct, frozen=True):
    n: int
    at_s: int
    took_s: int
    wh: int
    station: int
    evse: int
    is_open: bool

    @property
    def id(self) -> UUID:
        return UUID(int=(self.at_s * 1000) << 80 | 7 << 76 | (self.n & 0xFFF) << 64 | 2 << 62 | self.n)


class _Writer:
    def __init__(self, conn: asyncpg.Connection[asyncpg.Record], size: Size, party_id: UUID) -> None:
        self._conn = conn
        self._size = size
        self._party_id = party_id
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._begin_s = int((self._now - timedelta(days=DAYS)).timestamp()) // 86400 * 86400

    # ---------------------------------------------------------------------------------------------- what is fixed

    async def partitions(self) -> None:
        at = self._now - timedelta(days=DAYS + 2)
        while at < self._now:
            await self._conn.execute("select ensure_partition('sample', $1)", at)
            at += timedelta(days=27)

    async def stations(self) -> None:
        """Of 25 stations one is offline; each has two outlets."""
        last, places = self._size.n_stations - 1, max(self._size.n_stations // PER_LOCATION, 1)
        await self._conn.execute(
            "insert into gateway (gateway_id, address, alive_at) values ($1, 'bench', now() + interval '50 seconds')",
            GATEWAY,
        )
        await self._conn.execute(
            "insert into location (location_id, party_id, name, city, latitude, longitude, time_zone)"
            " select gen_random_uuid(), $1, 'Site ' || to_char(n, 'FM0000'), 'Town ' || n % 90, 46 + random() * 3,"
            " 9 + random() * 8, 'Europe/Vienna' from generate_series(1, $2::int) n",
            self._party_id,
            places,
        )
        await self._conn.execute(
            "insert into station (station_id, party_id, security_profile, location_id, name, vendor, model, serial_number,"
            " firmware_version, ocpp_version, gateway_id, connected_at, disconnected_at, last_seen_at, created_at)"
            " select 'B' || to_char(n, 'FM00000'), $1, 0, p.ids[1 + n % $3], 'Outlet ' || n, 'Bench',"
            " 'M' || n % 12, 'SN' || n * 7919, '1.' || n % 9, '2.0.1', case when n % 25 > 0 then $4::uuid end,"
            " now() - interval '2 days', case when n % 25 = 0 then now() - n * interval '1 minute' end, now(),"
            " now() - interval '400 days'"
            " from generate_series(0, $2::int) n, (select array_agg(location_id) as ids from location) p",
            self._party_id,
            last,
            places,
            GATEWAY,
        )
        await self._conn.execute(
            "insert into evse (station_id, evse_number, current_type, max_power_w)"
            " select station_id, e, 'AC', 22000 from station, generate_series(1, 2) e"
        )
        await self._conn.execute(
            "insert into connector (station_id, evse_number, connector_number, status, status_at)"
            " select station_id, evse_number, 1, case when abs(hashtext(station_id)) % 100 = 3 and evse_number = 2"
            " then 'faulted' else 'available' end, now() - interval '3 hours' from evse"
        )
        await self._conn.execute(
            "insert into connection_change (station_id, at, is_connected) select station_id, connected_at, true from station"
        )
        await self._conn.execute(
            "insert into status_change (station_id, evse_number, connector_number, at, status)"
            " select station_id, evse_number, 1, now() - k * interval '5 hours', case k % 2 when 0 then 'available'"
            " else 'occupied' end from evse, generate_series(1, 6) k"
        )

    async def tokens(self) -> None:
        await self._conn.execute(
            "insert into token (token_id, party_id, uid, label) select gen_random_uuid(), $1, 'T' || to_char(n, 'FM00000'),"
            " 'Card ' || n from generate_series(0, $2::int - 1) n",
            self._party_id,
            self._size.n_tokens,
        )

    async def messages(self) -> None:
        await self._conn.execute(
            "insert into ocpp_message (station_id, received_at, message_id, direction, version, action, payload, answer_kind,"
            " answer, latency_us) select station_id, now() - k * interval '1 minute', 'm' || k, 'in', '2.0.1', 'Heartbeat',"
            " '{}', 'result', '{\"currentTime\":\"2026-01-01T00:00:00Z\"}', 4000 from station, generate_series(1, 10) k"
        )

    async def statistics(self) -> None:
        # The map of what everybody sees lets counts be read from the index alone.
        await self._conn.execute("vacuum (analyze) session")
        await self._conn.execute("analyze")

    # ------------------------------------------------------------------------------------------------ what happened

    def _all(self) -> Iterator[_Session]:
        """In the order of time. The last ones are still going on, one at an outlet."""
        size, chance = self._size, random.Random(20_260_311)
        total, before = sum(_HOURS), []
        for n in range(24):
            before.append(sum(_HOURS[:n]) / total)
        span_s = self._now.timestamp() - self._begin_s
        free = chance.sample(range(2 * size.n_stations), size.n_open)
        first_open = size.n_sessions - size.n_open
        for n in range(size.n_sessions):
            if n >= first_open:
                outlet = free[n - first_open]
                at_s = int(self._now.timestamp()) - 3 * 3600 + 2 * 3600 * (n - first_open) // size.n_open
                took_s, is_open = int(self._now.timestamp()) - at_s, True
            else:
                day, part = divmod(n * (span_s - 4 * 3600) / first_open, 86400)
                share = part / 86400
                hour = next(h for h in range(23, -1, -1) if before[h] <= share)
                within = (share - before[hour]) * total / _HOURS[hour]
                at_s = self._begin_s + int(day * 86400 + hour * 3600 + within * 3600)
                at_s = min(at_s, int(self._now.timestamp()) - 4 * 3600)
                outlet, is_open = chance.randrange(2 * size.n_stations), False
                took_s = 900 + chance.randrange(7200)
            wh = took_s * 3 + chance.randrange(4000)
            yield _Session(n, at_s, took_s, wh, outlet // 2, 1 + outlet % 2, is_open)

    async def _copy(self, table: str, columns: str, rows: Iterator[str]) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            gathered: list[str] = []
            n_bytes = 0
            for row in rows:
                gathered.append(row)
                n_bytes += len(row)
                if n_bytes > CHUNK:
                    yield "".join(gathered).encode()
                    gathered, n_bytes = [], 0
            yield "".join(gathered).encode()

        await self._conn.copy_to_table(table, source=chunks(), columns=columns.split(", "), format="text")

    async def sessions(self) -> None:
        places = {
            row["station_id"]: row["location_id"]
            for row in await self._conn.fetch("select station_id, location_id from station")
        }

        def rows() -> Iterator[str]:
            n_tokens = self._size.n_tokens
            for one in self._all():
                begin, end = _text(one.at_s), _text(one.at_s + one.took_s)
                station = station_id(one.station)
                state = "active\tcharging\t\\N" if one.is_open else f"completed\tidle\t{end}"
                power = f"11000\t{end}" if one.is_open else "\\N\t\\N"
                settled = "\\N\t\\N\t\\N" if one.is_open else f"{one.took_s * 3 // 4}\t{one.took_s // 4}\t{end}"
                odd = "{register_reset}" if one.n % 97 == 0 else "{}"
                yield (
                    f"{one.id}\t{self._party_id}\t{station}\t{places[station]}\t{one.evse}\t1\t{station}-{one.n}\t2.0.1\t"
                    f"{state}\tT{one.n * 7919 % n_tokens:05d}\t{begin}\t{end}\t{begin}\t{end}\t{one.wh}\tregister\t"
                    f"1000\t{begin}\t{1000 + one.wh}\t{end}\t{power}\t11000\t{settled}\t{odd}\t"
                    f"{'t' if one.n % 5003 == 0 else 'f'}\n"
                )

        await self._copy(
            "session",
            "session_id, party_id, station_id, location_id, evse_number, connector_number, transaction_id, ocpp_version,"
            " status, charging_state, ended_at, token_uid, started_at, last_event_at, first_received_at, updated_at,"
            " energy_wh, energy_source, register_start_wh, register_start_at, register_last_wh, register_last_at, power_w,"
            " power_at, peak_power_w, charging_s, idle_s, settled_at, anomalies, is_orphan",
            rows(),
        )
        await self._conn.execute(
            "update connector c set status = 'occupied' from session s where s.status = 'active'"
            " and s.station_id = c.station_id and s.evse_number = c.evse_number"
        )

    async def periods(self) -> None:
        def pieces() -> Iterator[str]:
            for one in self._all():
                if not one.is_open:
                    full_s = one.at_s + one.took_s * 3 // 4
                    yield f"{one.id}\t{_text(one.at_s)}\t{_text(full_s)}\tcharging\t{one.wh}\n"
                    yield f"{one.id}\t{_text(full_s)}\t{_text(one.at_s + one.took_s)}\tsuspended_ev\t0\n"

        def events() -> Iterator[str]:
            for one in self._all():
                yield f"{one.id}\t{_text(one.at_s)}\tstarted\t{{}}\n"
                if not one.is_open:
                    yield f"{one.id}\t{_text(one.at_s + one.took_s)}\tended\t{{}}\n"

        await self._copy("charging_period", "session_id, started_at, ended_at, kind, energy_wh", pieces())
        await self._copy("session_event", "session_id, at, kind, detail", events())

    async def samples(self) -> None:
        """As many for each session, evenly over it, in the order in which they would have come."""
        each = max(self._size.n_samples // max(self._size.n_sessions, 1), 1)

        def rows() -> Iterator[str]:
            for one in self._all():
                name, step_s, step_wh = str(one.id), max(one.took_s // each, 1), one.wh // each
                for k in range(1, each + 1):
                    register = 1000 + (one.wh if k == each else step_wh * k)
                    readings = _READINGS % (register, 11000)
                    yield (
                        f"{name}\t{_text(one.at_s + step_s * k)}\tSample.Periodic\t{register}\t11000\t{20 + 60 * k // each}\t"
                        f"{readings}\n"
                    )

        await self._copy("sample", "session_id, sampled_at, context, energy_wh, power_w, soc_percent, readings", rows())


_days: dict[int, str] = {}
_CLOCK = [f" {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}+00" for s in range(86400)]


def _text(at_s: int) -> str:
    """An instant as PostgreSQL reads it; a look into two tables, for it is done a hundred million times."""
    day, rest = divmod(at_s, 86400)
    text = _days.get(day)
    if text is None:
        text = _days[day] = datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")
    return text + _CLOCK[rest]
