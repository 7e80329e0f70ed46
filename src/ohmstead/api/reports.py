"""/reports: how much the network was used, and what that brought in."""

from datetime import date
from typing import Annotated, Literal, cast
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from ohmstead.api.operations import CSV, TheActor, ThePool, answer, cell, csv_lines, operation
from ohmstead.api.problems import BadRequest, FieldError
from ohmstead.doorway import WITHIN
from ohmstead.reports.revenue.model import Revenue
from ohmstead.reports.revenue.service import revenue
from ohmstead.reports.usage import periods, service
from ohmstead.reports.usage.model import Subject, Usage
from ohmstead.reports.usage.periods import Comparison, Kind, UsagePeriod


class UsageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a report of use."""

    period: Annotated[Kind, Meta(description="A span of the calendar, or the days `from` to `to`.")] = "month"
    day: Annotated[date | None, Meta(description="A day in the span of the calendar; today without.")] = None
    since: Annotated[date | None, Meta(description="The first day of a custom period.")] = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[date | None, Meta(description="The last day of a custom period.")] = msgspec.field(
        default=None, name="to"
    )
    compare: Annotated[Comparison, Meta(description="With the period before, the same a year before, or nothing.")] = (
        "before"
    )
    location: Annotated[UUID | None, Meta(description="Of this location only.")] = None
    station: Annotated[str, Meta(description="Of this station only.", max_length=48)] | None = None
    format: Annotated[Literal["json", "csv"], Meta(description="csv sends the steps of the period.")] = "json"


def _period(query: UsageQuery, today: date) -> UsagePeriod:
    if query.period != "custom":
        if query.since is not None or query.until is not None:
            raise BadRequest("from and to go with period=custom", [FieldError("from", "without period=custom")])
        day = query.day or today
        if not periods.EARLIEST <= day <= periods.LATEST:
            text = f"must lie between {periods.EARLIEST} and {periods.LATEST}"
            raise BadRequest(f"day {text}", [FieldError("day", text)])
        return periods.of_kind(query.period, day)
    if query.since is None or query.until is None:
        raise BadRequest("a custom period needs from and to", [FieldError("from", "needed")])
    try:
        return periods.between(query.since, query.until)
    except ValueError as error:
        raise BadRequest(f"from, to: {error}", [FieldError("to", str(error))]) from error


def _subject(query: UsageQuery) -> Subject:
    if query.location is not None and query.station is not None:
        raise BadRequest("give a location or a station, not both", [FieldError("station", "beside location")])
    return Subject(query.location, query.station)


@get("/reports/usage", opt=operation("sessions:read", errors=(404,), exports=(CSV,)) | WITHIN)
async def get_usage(pool: ThePool, actor: TheActor, filters: NamedDependency[UsageQuery]) -> Response[Usage]:
    """Read how much the network, a location or a station was used: sessions, energy, peaks, compared."""
    subject = _subject(filters)
    async with pool.acquire() as conn:
        today, _ = await service.today_at(conn, actor.scope, subject)
        found = await service.usage(conn, actor.scope, subject, _period(filters, today), filters.compare)
    if filters.format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
        return cast("Response[Usage]", Response(steps_csv(found), media_type=CSV, headers=headers))
    return answer(found)


_COLUMNS = ("n_sessions", "energy_wh", "duration_s", "charging_s", "plug_s", "delivered_wh")


def steps_csv(found: Usage) -> bytes:
    """The steps of a report, one a line."""
    lines = [["begins", *_COLUMNS]]
    lines += [[bar.begins, *(cell(getattr(bar.totals, name)) for name in _COLUMNS)] for bar in found.bars]
    return csv_lines(lines)


@get("/reports/revenue", opt=operation("billing:read", errors=(404,), exports=(CSV,)) | WITHIN)
async def get_revenue(pool: ThePool, actor: TheActor, filters: NamedDependency[UsageQuery]) -> Response[Revenue]:
    """Read what sessions brought in, by the day on which they began, in each currency: CDRs less credits, compared."""
    subject = _subject(filters)
    async with pool.acquire() as conn:
        today, _ = await service.today_at(conn, actor.scope, subject)
        found = await revenue(conn, actor.scope, subject, _period(filters, today), filters.compare)
    if filters.format == "csv":
        lines = [["begins", "currency", *_AMOUNTS]]
        for one in found.currencies:
            lines += [
                [bar.begins, one.currency, *(cell(getattr(bar.earned, name)) for name in _AMOUNTS)] for bar in one.bars
            ]
        headers = {"Content-Disposition": 'attachment; filename="revenue.csv"'}
        return cast("Response[Revenue]", Response(csv_lines(lines), media_type=CSV, headers=headers))
    return answer(found)


_AMOUNTS = ("n_cdrs", "before_taxes", "total")

HANDLERS = [get_usage, get_revenue]
