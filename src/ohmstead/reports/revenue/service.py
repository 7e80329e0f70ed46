"""Reports of revenue: what the sessions of a span brought in, beside another span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection, Row
from ohmstead.reports.revenue import queries, store
from ohmstead.reports.revenue.model import Earned, EarnedBar, EarnedPlace, Revenue, RevenueIn
from ohmstead.reports.usage import periods
from ohmstead.reports.usage import service as uses
from ohmstead.reports.usage.model import Subject
from ohmstead.reports.usage.periods import Comparison, UsagePeriod
from ohmstead.reports.usage.queries import NOWHERE

NOTHING = Earned()
count_anew = store.count_anew


async def revenue(
    conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, comparison: Comparison
) -> Revenue:
    """The report. Raises NotFound for a location or station that the scope does not see."""
    today, zone_name = await uses.today_at(conn, scope, subject)
    come, other = periods.so_far(period, today), periods.compared(period, comparison, today)
    # The chart has the other period whole, its sum goes as far as this one has come.
    whole = uses.other_period(period, comparison)
    days = await queries.by_day(conn, scope, subject, come)
    past_days = await queries.by_day(conn, scope, subject, whole) if whole else []
    bars = await _steps(conn, scope, subject, period, days)
    past_bars = await _steps(conn, scope, subject, whole, past_days) if whole else []
    places = await queries.by_place(conn, scope, subject, come)
    past_places = await queries.by_place(conn, scope, subject, other) if other else []

    def told_in(currency: str) -> RevenueIn:
        before = {row["key"]: queries.earned_of(row) for row in _in(past_places, currency)}
        return RevenueIn(
            currency=currency,
            earned=_sum(_in(days, currency)),
            compared=_sum(row for row in _in(past_days, currency) if other.first <= row["day"] <= other.last)
            if other
            else None,
            bars=_bars(period, _in(bars, currency)),
            compared_bars=_bars(whole, _in(past_bars, currency)) if whole else [],
            places=[_place(subject, row, before if other else None) for row in _in(places, currency)],
        )

    found = [told_in(currency) for currency in {row["currency"]: None for row in days}]
    return Revenue(
        period=period,
        until=come.last,
        compared_with=other,
        comparison=comparison,
        location_id=subject.location_id,
        station_id=subject.station_id,
        time_zone=zone_name,
        step=period.step,
        currencies=sorted(found, key=lambda one: (-one.earned.n_cdrs, one.currency)),
    )


async def _steps(
    conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, days: Sequence[Row]
) -> Sequence[Row]:
    return await queries.by_hour(conn, scope, subject, period) if period.step == "hour" else days


def _in(rows: Iterable[Row], currency: str) -> list[Row]:
    return [row for row in rows if row["currency"] == currency]


def _sum(rows: Iterable[Row]) -> Earned:
    return _added(queries.earned_of(row) for row in rows)


def _added(found: Iterable[Earned]) -> Earned:
    whole = NOTHING
    for one in found:
        whole = Earned(
            n_cdrs=whole.n_cdrs + one.n_cdrs,
            before_taxes=whole.before_taxes + one.before_taxes,
            total=whole.total + one.total,
        )
    return whole


def _bars(period: UsagePeriod, rows: Sequence[Row]) -> list[EarnedBar]:
    """Every step of the period, those without anything too."""
    if period.step == "hour":
        known = {row["wall_at"]: queries.earned_of(row) for row in rows}
        hours = [
            datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001  (the wall's own time)
            for day in periods.days(period)
            for hour in range(24)
        ]
        return [EarnedBar(begins=uses.wall(at), earned=known.get(at, NOTHING)) for at in hours]
    days: dict[date, Earned] = {row["day"]: queries.earned_of(row) for row in rows}
    if period.step == "day":
        return [EarnedBar(begins=day.isoformat(), earned=days.get(day, NOTHING)) for day in periods.days(period)]
    return [
        EarnedBar(
            begins=month.isoformat(), earned=_added(one for day, one in days.items() if day.replace(day=1) == month)
        )
        for month in periods.months(period)
    ]


def _place(subject: Subject, row: Row, before: dict[object, Earned] | None) -> EarnedPlace:
    is_inside = subject.location_id is not None
    return EarnedPlace(
        location_id=subject.location_id if is_inside else row["key"] if row["key"] != NOWHERE else None,
        station_id=row["key"] if is_inside else None,
        name=row["name"],
        earned=queries.earned_of(row),
        compared=before.get(row["key"], NOTHING) if before is not None else None,
    )
