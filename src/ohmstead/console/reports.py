"""How much is the network used, when, and what does that bring in? By location, station and period, beside another period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, get_args
from urllib.parse import urlencode

from litestar import Response, get
from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.language import N_, R_, _, grouped, month, n_, told, weekday
from ohmstead.core.money import minor_units
from ohmstead.doorway import WITHIN
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.revenue.model import RevenueIn
from ohmstead.reports.revenue.service import NOTHING, revenue
from ohmstead.reports.usage import periods, service
from ohmstead.reports.usage.model import Bar, Subject, Totals, Usage
from ohmstead.reports.usage.periods import Comparison, Kind, UsagePeriod
from ohmstead.ui import charts, figures, prices
from ohmstead.ui.templating import Query, View, page

KINDS: tuple[Kind, ...] = get_args(Kind)
DAYS_OF_WEEK = 7
KIND_NAMES = {"day": N_("Day"), "week": N_("Week"), "month": N_("Month"), "year": N_("Year")}
COMPARISONS = {"before": N_("the period before"), "year": N_("a year before"), "none": N_("nothing")}
BY_STEP = {"hour": N_("%(measure)s by hour"), "day": N_("%(measure)s by day"), "month": N_("%(measure)s by month")}
LEVELS = 9
LEFT, RIGHT, TOP, BASE = 56.0, 1096.0, 20.0, 236.0


class Measure(Struct, frozen=True):
    """What the bars may show."""

    name: str
    unit: str
    of: Callable[[Totals], float]


MEASURES = {
    "energy": Measure(N_("Energy"), "kWh", lambda t: float(t.energy_wh) / 1000),
    "sessions": Measure(N_("Sessions"), N_("sessions"), lambda t: float(t.n_sessions)),
    "duration": Measure(N_("Average duration"), "min", lambda t: (t.mean_duration_s or 0) / 60),
    "plugs": Measure(N_("Plugs in use"), N_("hours"), lambda t: t.plug_s / 3600),
}


class Shown(Struct, frozen=True, kw_only=True):
    """What the bars show, in the period and in the other one, step by step."""

    key: str
    name: str
    unit: str
    values: list[float]
    past: list[float]
    digits: int = 1


REVENUE = N_("Revenue")


class Asked(Struct, frozen=True, kw_only=True):
    """What the address asks for; `error` says what in it was no good and was left out."""

    subject: Subject
    period: UsagePeriod
    comparison: Comparison
    measure: str
    error: str | None = None


class BarShape(Struct, frozen=True):
    """A bar as coordinates, what it says, and the page that is about it alone."""

    x: float
    y: float
    width: float
    height: float
    title: str
    path: str


class BarChart(Struct, frozen=True, kw_only=True):
    """Bars of the period, the other period as a stepped line over them."""

    value_ticks: list[charts.Tick]
    labels: list[charts.Tick]
    bars: list[BarShape]
    past_line: str
    unit: str


@get("/reports", opt=WITHIN)
async def reports(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The report; what it is about stands in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "sessions:read")
        subject = _subject(view.query)
        today, _zone = await service.today_at(conn, actor.scope, subject)
        asked = _asked(view.query, subject, today)
        found = await service.usage(conn, actor.scope, subject, asked.period, asked.comparison)
        earned = await _earned(conn, actor, asked)
        locations = await pages.list_locations(conn, actor.scope)
    names = {key: one.name for key, one in MEASURES.items()}
    names |= {"revenue": REVENUE} if earned else {}
    shown = _shown(found, asked.measure, earned)
    return page(
        request,
        "console/reports.html",
        asked=asked,
        found=found,
        today=today,
        headline=_headline(found),
        strip=_strip(found, earned),
        chart=_chart(found, shown),
        measures=names,
        rows=_rows(found, shown, earned),
        measure=shown,
        by_step=_(BY_STEP[found.step], measure=_(shown.name)),
        heat=_heat(found),
        hour_text=_hour_text,
        weekdays=[(weekday(n), weekday(n, is_long=True)) for n in range(DAYS_OF_WEEK)],
        places=_places(found, earned),
        has_revenue=bool(earned),
        locations=locations,
        comparisons=COMPARISONS,
        kinds=KIND_NAMES,
        earlier=_moved(view, periods.before(asked.period)),
        later=_moved(view, periods.after(asked.period)),
        sessions_path=_sessions_path(found, found.period.first, found.until),
        peak_path=_peak_path(found),
    )


@get("/reports.csv", opt=WITHIN)
async def reports_csv(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """The figures behind a part of the page: `table` is steps, week or places."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "sessions:read")
        subject = _subject(view.query)
        today, _zone = await service.today_at(conn, actor.scope, subject)
        asked = _asked(view.query, subject, today)
        found = await service.usage(conn, actor.scope, subject, asked.period, asked.comparison)
        earned = await _earned(conn, actor, asked)
    sums = ("n_sessions", "energy_wh", "duration_s", "charging_s", "plug_s", "delivered_wh")
    revenues = [f"revenue_{one.currency}" for one in earned]
    if view.query["table"] == "week":
        cells = ("weekday", "hour", "mean_plugs", "mean_power_w", "n_sessions")
        return csv_response("usage-week", cells, ([getattr(c, n) for n in cells] for c in found.week))
    if view.query["table"] == "places":
        columns = ("location_id", "station_id", "name", *sums, *revenues)
        by_place = [{(p.location_id, p.station_id): p.earned for p in one.places} for one in earned]
        rows = (
            [p.location_id, p.station_id, p.name]
            + [getattr(p.totals, n) for n in sums]
            + [known.get((p.location_id, p.station_id), NOTHING).before_taxes for known in by_place]
            for p in found.places
        )
        return csv_response("usage-places", columns, rows)
    steps = (
        [
            bar.begins,
            *(getattr(bar.totals, name) for name in sums),
            *(one.bars[n].earned.before_taxes for one in earned),
        ]
        for n, bar in enumerate(found.bars)
    )
    return csv_response("usage", ("begins", *sums, *revenues), steps)


async def _earned(conn: Connection, actor: Actor, asked: Asked) -> list[RevenueIn]:
    """What it brought in, in each currency, for who may know: the one of most CDRs first."""
    if not may(actor, "billing:read"):
        return []
    return (await revenue(conn, actor.scope, asked.subject, asked.period, asked.comparison)).currencies


def _shown(found: Usage, measured: str, earned: Sequence[RevenueIn]) -> Shown:
    """What the bars show; energy where revenue is asked for and there is none to see."""
    if measured == "revenue" and earned:
        main = earned[0]
        return Shown(
            key=measured,
            name=REVENUE,
            unit=main.currency,
            values=[float(bar.earned.before_taxes) for bar in main.bars],
            past=[float(bar.earned.before_taxes) for bar in main.compared_bars],
            digits=2,
        )
    key = measured if measured in MEASURES else "energy"
    measure = MEASURES[key]
    return Shown(
        key=key,
        name=measure.name,
        unit=_(measure.unit),
        values=[measure.of(bar.totals) for bar in found.bars],
        past=[measure.of(bar.totals) for bar in found.compared_bars],
    )


def _subject(query: Query) -> Subject:
    """Raises NotFound for a location whose id is none."""
    if query["station"]:
        return Subject(station_id=query["station"][:48])
    return Subject(location_id=uuid_of(query["location"], "location")) if query["location"] else Subject()


def _asked(query: Query, subject: Subject, today: date) -> Asked:
    error = None
    kind: Kind = next((k for k in KINDS if k == query["period"]), "month")
    period = periods.of_kind("month", today)
    try:
        if kind == "custom":
            period = periods.recognised(
                periods.between(date.fromisoformat(query["from"]), date.fromisoformat(query["to"]))
            )
        else:
            day = date.fromisoformat(query["day"]) if query["day"] else today
            if not periods.EARLIEST <= day <= periods.LATEST:
                raise ValueError(R_(f"the day must lie between {periods.EARLIEST} and {periods.LATEST}"))
            period = periods.of_kind(kind, day)
    except ValueError as wrong:
        why = told(wrong) if str(wrong).startswith("the ") else _("give days as 2026-03-31")
        error = _("This month is shown: %(why)s.", why=why)
    comparison: Comparison = next((c for c in ("year", "none") if c == query["compare"]), "before")
    measure = query["measure"] if query["measure"] in (*MEASURES, "revenue") else "energy"
    return Asked(subject=subject, period=period, comparison=comparison, measure=measure, error=error)


def _moved(view: View, period: UsagePeriod) -> str | None:
    """This page's address with another period; None beyond the days that can be asked for."""
    if not periods.EARLIEST <= period.first <= period.last <= periods.LATEST:
        return None
    return "/reports?" + urlencode(_query(view.query, period))


def _query(query: Query, period: UsagePeriod) -> dict[str, str]:
    kept = {name: query[name] for name in ("compare", "measure", "location", "station") if query[name]}
    if period.kind == "custom":
        return {"period": "custom", "from": str(period.first), "to": str(period.last), **kept}
    return {"period": period.kind, "day": str(period.first), **kept}


def _place_query(found: Usage) -> dict[str, str]:
    if found.station_id is not None:
        return {"station": found.station_id}
    return {"location": str(found.location_id)} if found.location_id is not None else {}


def _sessions_path(found: Usage, first: date, last: date) -> str:
    """The sessions behind the figures of some days."""
    days = {"show": "completed", "from": str(first), "to": str(last)}
    return "/sessions?" + urlencode({**days, **_place_query(found)})


def _peak_path(found: Usage) -> str | None:
    if not found.peaks:
        return None
    day = date.fromisoformat(found.peaks[0].wall_at[:10])
    return _sessions_path(found, day, day)


def _headline(found: Usage) -> str:
    when = _in_words(found.period)
    if not found.totals.n_sessions:
        return _("No session that is over began %(when)s.", when=when)
    sessions = n_("%(n)s session", "%(n)s sessions", found.totals.n_sessions)
    energy = "\u00a0".join(figures.energy(found.totals.energy_wh))
    if found.until < found.period.last:
        return _("%(sessions)s, %(energy)s %(when)s so far.", sessions=sessions, energy=energy, when=when)
    return _("%(sessions)s, %(energy)s %(when)s.", sessions=sessions, energy=energy, when=when)


def _in_words(period: UsagePeriod) -> str:
    if period.n_days == 1:
        return _("on %(day)s", day=period.name)
    if period.kind == "month":
        return _("in %(month)s", month=period.name)
    return _("in %(year)s", year=period.name) if period.kind == "year" else _("from %(period)s", period=period.name)


# ------------------------------------------------------------------------------------------------------- figures


def _strip(found: Usage, earned: Sequence[RevenueIn]) -> list[dict[str, Any]]:
    """The six figures, each with what it is compared to and the rows behind it. Revenue, for who may know, instead of the
    average energy.
    """
    now, past = found.totals, found.compared
    sessions = _sessions_path(found, found.period.first, found.until)
    energy, energy_unit = figures.energy(now.energy_wh)
    mean, mean_unit = figures.energy(now.mean_energy_wh)
    peak = found.peaks[0] if found.peaks else None
    share = now.charging_s / now.duration_s * 100 if now.duration_s else None
    return [
        {"name": _("Sessions"), "value": figures.number(now.n_sessions), "unit": "", "path": sessions}
        | _trend(now.n_sessions, past.n_sessions if past else None, figures.number),
        {"name": _("Energy"), "value": energy, "unit": energy_unit, "path": sessions}
        | _trend(float(now.energy_wh), float(past.energy_wh) if past else None, lambda v: " ".join(figures.energy(v))),
        {"name": _("Average duration"), "value": figures.span(now.mean_duration_s), "unit": "", "path": sessions}
        | _trend(now.mean_duration_s, past.mean_duration_s if past else None, figures.span),
        _revenue_figure(earned, sessions)
        if earned
        else {"name": _("Average energy"), "value": mean, "unit": mean_unit, "path": sessions}
        | _trend(now.mean_energy_wh, past.mean_energy_wh if past else None, lambda v: " ".join(figures.energy(v))),
        {
            "name": _("Busiest hour"),
            "value": figures.number(peak.mean_plugs, 1) if peak else figures.NONE,
            "unit": _("plugs at once"),
            "path": _peak_path(found) or sessions,
            "trend": "",
            "note": _hour_text(peak.wall_at) if peak else _("no plug was in use"),
        },
        {
            "name": _("Time with power"),
            "value": f"{share:.0f}" if share is not None else figures.NONE,
            "unit": _("% of the time plugged in"),
            "path": sessions,
            "trend": "",
            "note": _("%(part)s of %(whole)s", part=figures.span(now.charging_s), whole=figures.span(now.duration_s))
            if now.duration_s
            else "",
        },
    ]


def _revenue_figure(earned: Sequence[RevenueIn], path: str) -> dict[str, Any]:
    main, *others = earned
    compared = main.compared
    trend = _trend(
        float(main.earned.before_taxes),
        float(compared.before_taxes) if compared else None,
        lambda _past: prices.amount(compared.before_taxes, main.currency) if compared else "",
    )
    beside = ", ".join(prices.amount(one.earned.before_taxes, one.currency) for one in others)
    return {
        "name": _(REVENUE),
        "value": figures.number(float(main.earned.before_taxes), minor_units(main.currency)),
        "unit": main.currency,
        "path": path,
        "trend": trend["trend"],
        "note": " · ".join(text for text in (trend["note"], beside, _("without taxes")) if text),
    }


def _trend(now: float | None, past: float | None, text: Callable[[float], str]) -> dict[str, str]:
    """More or less than in the other period, in percent."""
    if past is None or now is None:
        return {"trend": "", "note": ""}
    if past <= 0:
        return {"trend": "", "note": _("none in the other period")}
    percent = (now - past) / past * 100
    digits = 0 if abs(percent) >= 10 else 1
    return {
        "trend": f"{'▲' if percent >= 0 else '▼'} {grouped(f'{abs(percent):,.{digits}f}')} %",
        "note": _("on %(past)s", past=text(past)),
    }


def _hour_text(wall_at: str) -> str:
    at = datetime.fromisoformat(wall_at)
    begin, end = f"{at:%H}:00", f"{at + timedelta(hours=1):%H}:00"
    hours = _("%(low)s to %(high)s", low=begin, high=end)
    return f"{_day(at, figures.DAY)}, {hours}"


def _day(at: date, form: str) -> str:
    """A day in one of the forms of `figures`, its number without a leading zero."""
    return _(form, weekday=weekday(at.weekday()), day=at.day, month=month(at.month), year=at.year)


# --------------------------------------------------------------------------------------------------------- chart


def _chart(found: Usage, shown: Shown) -> BarChart:
    values, past = shown.values, shown.past[: len(shown.values)]
    factor, unit = 1.0, shown.unit
    if unit == "kWh" and max([*values, *past], default=0) >= 10_000:
        factor, unit = 1000.0, "MWh"
    top, step = charts.nice_top(max([*values, *past], default=0) / factor)
    up = charts.Axis(0, top, BASE, TOP)
    slot = (RIGHT - LEFT) / max(len(values), 1)
    gap = min(slot * 0.28, 14.0)
    bars = []
    for n, (bar, value) in enumerate(zip(found.bars, values, strict=True)):
        y = up.place(value / factor)
        title = f"{_step_text(bar, found.step)}: {figures.number(value / factor, shown.digits)} {unit}"
        x, width = round(LEFT + n * slot + gap / 2, 1), round(slot - gap, 1)
        bars.append(BarShape(x, y, width, round(BASE - y, 1), title, _step_path(found, bar, shown.key)))
    line: list[charts.Point] = []
    for n, value in enumerate(past):
        y = up.place(value / factor)
        line += [(round(LEFT + n * slot, 1), y), (round(LEFT + (n + 1) * slot, 1), y)]
    every = max(1, -(-len(bars) // 16))
    labels = [
        charts.Tick(round(shape.x + shape.width / 2, 1), _step_label(bar, found.step))
        for n, (bar, shape) in enumerate(zip(found.bars, bars, strict=True))
        if n % every == 0
    ]
    past_line = charts.line(line) if any(past) else ""
    return BarChart(value_ticks=charts.value_ticks(up, step), labels=labels, bars=bars, past_line=past_line, unit=unit)


def _step_text(bar: Bar, step: str) -> str:
    at = datetime.fromisoformat(bar.begins)
    if step == "hour":
        return f"{_day(at, figures.DAY)} {at:%H}:00"
    if step == "month":
        return _("%(month)s %(year)s", month=month(at.month, is_long=True), year=at.year)
    return _day(at, figures.LONG_DATE)


def _step_label(bar: Bar, step: str) -> str:
    at = datetime.fromisoformat(bar.begins)
    return f"{at:%H}:00" if step == "hour" else month(at.month) if step == "month" else _day(at, figures.DATE)


def _step_path(found: Usage, bar: Bar, measured: str) -> str:
    """A month leads to its days, a day to its hours, an hour to the sessions of its day."""
    day = date.fromisoformat(bar.begins[:10])
    if found.step == "hour":
        return _sessions_path(found, day, day)
    kind = "month" if found.step == "month" else "day"
    shown = {"period": kind, "day": str(day), "compare": found.comparison, "measure": measured}
    return "/reports?" + urlencode({**shown, **_place_query(found)})


def _rows(found: Usage, shown: Shown, earned: Sequence[RevenueIn]) -> list[tuple[str, str, Totals, str, str]]:
    """The chart's data: (step, its page, sums, revenue, the other period's value)."""
    past = [f"{figures.number(value, shown.digits)} {shown.unit}" for value in shown.past]
    past += [figures.NONE] * (len(found.bars) - len(past))
    return [
        (_step_text(bar, found.step), _step_path(found, bar, "energy"), bar.totals, _amounts(n, earned), past[n])
        for n, bar in enumerate(found.bars)
    ]


def _amounts(n: int, earned: Sequence[RevenueIn]) -> str:
    """What a step brought in, in each currency in which it did."""
    amounts = [(one.bars[n].earned, one.currency) for one in earned if one.bars[n].earned.n_cdrs]
    return " + ".join(prices.amount(found.before_taxes, currency) for found, currency in amounts) or figures.NONE


def _heat(found: Usage) -> list[list[tuple[int, str, str]]]:
    """By weekday and hour: (level of colour, plugs in short, words)."""
    most = max((cell.mean_plugs for cell in found.week), default=0.0)
    table: list[list[tuple[int, str, str]]] = [[] for _n in range(DAYS_OF_WEEK)]
    for cell in found.week:
        level = min(LEVELS, round(cell.mean_plugs / most * LEVELS)) if most else 0
        short = "" if cell.mean_plugs < 0.05 else figures.number(cell.mean_plugs, 0 if most >= 20 else 1)
        hour = f"{cell.hour:02}:00"
        words = _(
            "%(weekday)s %(hour)s: %(plugs)s plugs at once, %(power)s",
            weekday=weekday(cell.weekday - 1, is_long=True),
            hour=hour,
            plugs=figures.number(cell.mean_plugs, 1),
            power=" ".join(figures.power(cell.mean_power_w)),
        )
        table[cell.weekday - 1].append((level, short, words))
    return table


def _places(found: Usage, earned: Sequence[RevenueIn]) -> Sequence[dict[str, Any]]:
    brought: dict[tuple[Any, Any], list[str]] = {}
    for one in earned:
        for at in one.places:
            text = prices.amount(at.earned.before_taxes, one.currency)
            brought.setdefault((at.location_id, at.station_id), []).append(text)
    whole = float(found.totals.energy_wh)
    rows = []
    for place in found.places:
        which = {"station": place.station_id} if place.station_id else {"location": place.location_id}
        path, name = "", _("Without a location")
        if place.station_id or place.location_id:
            name = place.name
            span = {"from": str(found.period.first), "to": str(found.period.last)}
            if found.period.kind != "custom":
                span = {"day": str(found.period.first)}
            path = "/reports?" + urlencode({"period": found.period.kind, **span, "compare": found.comparison, **which})
        trend = _trend(
            float(place.totals.energy_wh),
            float(place.compared.energy_wh) if place.compared else None,
            lambda v: f"{v:.0f}",
        )
        share = float(place.totals.energy_wh) / whole * 100 if whole else 0.0
        amounts = " + ".join(brought.get((place.location_id, place.station_id), ())) or figures.NONE
        row = {"place": place, "name": name, "path": path, "share": share, "trend": trend["trend"]}
        rows.append(row | {"revenue": amounts})
    return rows


HANDLERS = [reports, reports_csv]
