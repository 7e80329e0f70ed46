"""Reports of use: kept up as sessions settle, made anew by a command, and read for any span of days."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import NotFound
from ohmstead.core.events import Event
from ohmstead.reports.service import zone_of
from ohmstead.reports.usage import periods, queries, store
from ohmstead.reports.usage.model import Bar, Cell, Peak, Subject, Totals, Usage
from ohmstead.reports.usage.periods import Comparison, UsagePeriod
from ohmstead.reports.usage.shares import Counted, shares

CONSUMER = "reports.usage"
KINDS = ("SessionSettled",)
WALK_STEP = 1000
WALK_REST_S = 0.02
N_PEAKS = 5


# --------------------------------------------------------------------------------------------------- counting


async def notice(conn: Connection, found: Sequence[Event]) -> None:
    """Sessions were settled: they count from now on, or count anew."""
    await store.lock_walk(conn)
    await count(conn, [UUID(event.payload["session_id"]) for event in found])


async def count(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """Put sessions as they are now into the sums, in place of what they gave before: any number of times gives the same.

    The caller holds the lock of the walk.
    """
    wanted = sorted(set(session_ids))
    settled = await store.list_settled(conn, wanted)
    given = []
    for one in settled:
        counted = Counted(
            started_at=one.started_at,
            ended_at=one.ended_at,
            energy_wh=one.energy_wh,
            charging_s=one.charging_s,
            zone=zone_of(one.zone_name),
            stretches=one.stretches,
        )
        given.append((one, shares(counted)))
    await store.take_out(conn, wanted)
    await store.put_in(conn, given)
    await store.keep_last(conn, wanted)


async def fill(pool: Pool) -> int:
    """Count what was settled before anybody listened, a piece at a time; gives how many sessions it looked at.

    Does nothing once all is counted, nor before the consumer listens: a session that settles in between would be missed.
    """
    n_seen = 0
    while True:
        async with pool.acquire() as conn, conn.transaction():
            walk = await store.lock_walk(conn)
            if walk.is_whole or not await store.is_heard(conn, CONSUMER):
                return n_seen
            found = await store.next_sessions(conn, walk.walked_to, WALK_STEP)
            await count(conn, found)
            is_whole = len(found) < WALK_STEP
            await store.set_walk(conn, found[-1] if found else walk.walked_to, is_whole=is_whole)
        n_seen += len(found)
        if is_whole:
            return n_seen
        # Stations come first: others get at the database, and at this loop, in between.
        await asyncio.sleep(WALK_REST_S)


async def forget(conn: Connection) -> None:
    """Drop all sums. Reports say that they are being counted until `fill` is through."""
    await store.lock_walk(conn)
    await store.forget_all(conn)


# ---------------------------------------------------------------------------------------------------- reading


async def today_at(conn: Connection, scope: Scope, subject: Subject) -> tuple[date, str]:
    """The date on the wall of what a report is about, and the zone's name. Raises NotFound for what the scope does not see."""
    place = await queries.find_place(conn, scope, subject)
    if place is None:
        what = f"station {subject.station_id}" if subject.station_id is not None else f"location {subject.location_id}"
        raise NotFound(f"no {what}")
    zone_name = str(place["time_zone"])
    return clock.now().astimezone(zone_of(zone_name)).date(), zone_name


async def usage(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, comparison: Comparison) -> Usage:
    """The report. Raises NotFound for a location or station that the scope does not see."""
    today, zone_name = await today_at(conn, scope, subject)
    come = periods.so_far(period, today)
    other = periods.compared(period, comparison, today)
    days = await queries.by_day(conn, scope, subject, come)
    past_days = await queries.by_day(conn, scope, subject, other) if other else {}
    whole_other = other_period(period, comparison)
    return Usage(
        period=period,
        until=come.last,
        compared_with=other,
        comparison=comparison,
        location_id=subject.location_id,
        station_id=subject.station_id,
        time_zone=zone_name,
        is_whole=await queries.is_whole(conn),
        totals=queries.added(days.values()),
        compared=queries.added(past_days.values()) if other else None,
        step=period.step,
        bars=await _bars(conn, scope, subject, period, days),
        compared_bars=await _bars(conn, scope, subject, whole_other, None) if whole_other else [],
        week=_week(await queries.by_week(conn, scope, subject, come), come),
        peaks=[
            Peak(
                hour_at=row["hour_at"],
                wall_at=wall(row["wall_at"]),
                mean_plugs=round(row["plug_s"] / 3600, 2),
                mean_power_w=round(float(row["delivered_wh"]), 1),
            )
            for row in await queries.peaks(conn, scope, subject, come, N_PEAKS)
        ],
        places=await queries.places(conn, scope, subject, come, other),
    )


def other_period(period: UsagePeriod, comparison: Comparison) -> UsagePeriod | None:
    """The whole of the other period, for the chart."""
    if comparison == "none":
        return None
    return periods.before(period) if comparison == "before" else periods.a_year_before(period)


async def _bars(
    conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, days: dict[date, Totals] | None
) -> list[Bar]:
    """Every step of the period, those without anything too. `days`: its days, where they are known already."""
    if period.step == "hour":
        rows = await queries.by_hour(conn, scope, subject, period)
        known = {row["wall_at"]: queries.totals_of(row) for row in rows}
        hours = [
            datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001  (the wall's own time)
            for day in periods.days(period)
            for hour in range(24)
        ]
        return [Bar(begins=wall(at), totals=known.get(at, Totals())) for at in hours]
    if days is None:
        days = await queries.by_day(conn, scope, subject, period)
    if period.step == "day":
        return [Bar(begins=day.isoformat(), totals=days.get(day, Totals())) for day in periods.days(period)]
    by_month: dict[date, list[Totals]] = {}
    for day, totals in days.items():
        by_month.setdefault(day.replace(day=1), []).append(totals)
    return [
        Bar(begins=month.isoformat(), totals=queries.added(by_month.get(month, ()))) for month in periods.months(period)
    ]


def _week(rows: Sequence[Row], period: UsagePeriod) -> list[Cell]:
    """The mean over as many of each weekday as the period has."""
    n_days = dict.fromkeys(range(1, 8), 0)
    for n in range(min(period.n_days, 7)):
        weekday = (period.first + timedelta(days=n)).isoweekday()
        n_days[weekday] = (period.n_days - n + 6) // 7
    known = {(row["weekday"], row["hour"]): row for row in rows}
    cells = []
    for weekday, n in n_days.items():
        for hour in range(24):
            row = known.get((weekday, hour))
            is_known = row is not None and n > 0
            cells.append(
                Cell(
                    weekday=weekday,
                    hour=hour,
                    mean_plugs=round(row["plug_s"] / 3600 / n, 2) if row is not None and is_known else 0.0,
                    mean_power_w=round(float(row["delivered_wh"]) / n, 1) if row is not None and is_known else 0.0,
                    n_sessions=row["n_sessions"] if row is not None and is_known else 0,
                )
            )
    return cells


def wall(at: datetime) -> str:
    """An hour on the wall, as reports tell it."""
    return at.isoformat(timespec="minutes")
