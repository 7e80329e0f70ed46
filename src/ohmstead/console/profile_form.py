"""A charging profile as a form: fields to a profile, faults to fields, and the preview as geometry. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_, _, told
from ohmstead.stations.orders import ChargingProfile, Period, Schedule
from ohmstead.stations.profile_rules import Fault
from ohmstead.ui import charts

PURPOSES = {
    "session_default": N_("Any car, by default"),
    "session": N_("The car that charges now"),
    "station_max": N_("The whole station"),
}
TIMINGS = {
    "now": N_("From now on"),
    "daily": N_("Every day, by the clock"),
    "relative": N_("From the start of each charge"),
}
PREVIEW_S = 86_400
MOST_STEPS = 200
LONGEST_H = 24 * 31
ROOM = 10  # for half a time at the right edge
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BASE = 620, 190, 44, 612, 14, 160
_STEP = re.compile(r"(\d{1,3}):([0-5]\d)\s+([0-9.,]+)")


class Drawn(Struct, frozen=True):
    """The preview: what holds at present as a thin line, what would hold as an area."""

    width: int
    height: int
    left: int
    right: int
    base: int
    time_ticks: list[charts.Tick]
    value_ticks: list[charts.Tick]
    before: str
    after: str
    area: str
    is_free: bool


def profile_from(
    given: Mapping[str, str], transactions: Mapping[int, str], now: datetime, zone: tzinfo
) -> tuple[int, ChargingProfile]:
    """The EVSE and the profile of a form. `transactions`: by EVSE, what is being charged. Raises Invalid with the field."""
    purpose = given.get("purpose", "session_default")
    if purpose not in PURPOSES:
        raise Invalid("For whom?", "purpose")
    evse = 0 if purpose == "station_max" else _whole(given.get("evse", "0"), "evse", 0, 1000)
    transaction_id = transactions.get(evse) if purpose == "session" else None
    if purpose == "session" and transaction_id is None:
        raise Invalid("No car charges there: choose an EVSE where one does.", "evse")
    timing = given.get("timing", "now")
    if timing not in TIMINGS:
        raise Invalid("When?", "timing")
    unit = given.get("unit", "A")
    if unit not in ("A", "W"):
        raise Invalid("Amperes or watts?", "unit")
    hours = given.get("hours", "")
    schedule = Schedule(
        rate_unit=unit,  # type: ignore[arg-type]
        periods=_steps(given.get("steps", "")),
        starts_at=_begin(timing, now, zone),
        duration_s=_whole(hours, "hours", 1, LONGEST_H) * 3600 if hours else None,
    )
    kinds: dict[str, Any] = {"now": "absolute", "daily": "recurring", "relative": "relative"}
    return evse, ChargingProfile(
        profile_id=0,
        stack_level=_whole(given.get("level") or "0", "level", 0, 1000),
        purpose=purpose,  # type: ignore[arg-type]
        timing=kinds[timing],
        recurs="daily" if timing == "daily" else None,
        transaction_id=transaction_id,
        schedules=(schedule,),
    )


def _begin(timing: str, now: datetime, zone: tzinfo) -> datetime | None:
    if timing == "relative":
        return None
    if timing == "now":
        return now.replace(microsecond=0)
    # Yesterday's midnight on the site's wall: it is in force from the first moment.
    wall = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (wall.replace(tzinfo=None) - timedelta(days=1)).replace(tzinfo=zone)


def _steps(text: str) -> tuple[Period, ...]:
    periods = []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise Invalid("At least one step, as hours:minutes and a limit: 0:00 16", "steps")
    if len(lines) > MOST_STEPS:
        raise Invalid(f"{len(lines)} steps; at most {MOST_STEPS} here", "steps")
    for number, line in enumerate(lines, 1):
        match = _STEP.fullmatch(line)
        if match is None:
            raise Invalid(f"Step {number}: hours:minutes and a limit, as 1:30 16; not {line[:40]!r}", "steps")
        try:
            limit = Decimal(match[3].replace(",", "."))
        except InvalidOperation:
            raise Invalid(f"Step {number}: {match[3][:20]!r} is no number", "steps") from None
        if limit > 1_000_000:
            raise Invalid(f"Step {number}: {limit} is more than any station has", "steps")
        periods.append(Period(start_s=int(match[1]) * 3600 + int(match[2]) * 60, limit=limit))
    return tuple(periods)


def _whole(text: str, field: str, least: int, most: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise Invalid(f"A whole number, {least} to {most}.", field)
    return int(text)


def at_fields(faults: Sequence[Fault]) -> dict[str, str]:
    """Rules that a profile breaks, by the form's field. Steps are counted from 1, as people do."""
    found: dict[str, str] = {}
    for path, rule in faults:
        parts = path.split(".")
        last = parts[-1]
        rule = told(rule)
        text = rule[:1].upper() + rule[1:]
        if "periods" in parts:
            field = "steps"
            after = parts[parts.index("periods") + 1 :]
            text = _("Step %(number)s: %(rule)s", number=int(after[0]) + 1, rule=rule) if after else text
        else:
            names = {"stack_level": "level", "evse_number": "evse", "duration_s": "hours", "rate_unit": "unit"}
            field = names.get(last, last)
            field = field if field in ("level", "evse", "hours", "unit", "purpose", "timing") else "steps"
        found[field] = f"{found[field]} {text}." if field in found else f"{text}."
    return found


def drawn(
    before: Sequence[Period], after: Sequence[Period], starts_at: datetime, duration_s: int, zone: tzinfo
) -> Drawn:
    """What holds and what would hold, kW over time."""
    begin = starts_at.timestamp()
    limits = [float(p.limit) / 1000 for p in (*before, *after) if p.limit is not None]
    top, step = charts.nice_top(max(limits, default=1.0) * 1.08)
    across = charts.Axis(begin, begin + duration_s, LEFT, RIGHT)
    up = charts.Axis(0, top, BASE, TOP)

    def corners(periods: Sequence[Period]) -> list[charts.Point]:
        # Without a limit the line runs along the top: the outlet's own maximum is not known here.
        points = [
            (across.place(begin + p.start_s), up.place(top if p.limit is None else float(p.limit) / 1000))
            for p in periods
        ]
        return charts.steps([*points, (float(RIGHT), points[-1][1])]) if points else []

    line = corners(after)
    return Drawn(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        base=BASE,
        time_ticks=[tick for tick in charts.time_ticks(across, zone, 8) if tick.at <= RIGHT - ROOM],
        value_ticks=charts.value_ticks(up, step),
        before=charts.line(corners(before)) if any(p.limit is not None for p in before) else "",
        after=charts.line(line),
        area=charts.area(line, BASE),
        is_free=all(p.limit is None for p in before),
    )
