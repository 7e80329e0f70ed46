"""Opening hours: their words, for forms and tables, and whether a place is open. Pure.

Written one rule a line, or after a semicolon: `24/7` · `Mo-Fr 07:00-12:00 13:00-18:00` · `Sa,Su 09:00-17:00` ·
`open 2026-12-24 08:00-14:00` · `closed 2026-12-25` · `closed 2026-12-24..2026-12-26`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ohmstead.core.errors import Invalid
from ohmstead.stations.sites.model import Hours, Span, WeeklyHours

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
LAST_MINUTE = "23:59"
_NUMBERS = {day.lower(): number for number, day in enumerate(DAYS, 1)}
_TIMES = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\s*[-–]\s*([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_SPECIAL = re.compile(
    r"(open|closed)\s+(\d{4}-\d\d-\d\d)(?:\s*\.\.\s*(\d{4}-\d\d-\d\d))?(?:\s+(.*))?", re.IGNORECASE | re.ASCII
)
_WEEKLY = re.compile(r"([A-Za-z]{2}(?:\s*[-–,]\s*[A-Za-z]{2})*)\s+(.*)", re.ASCII)


def read(text: str, zone: tzinfo, field: str = "opening") -> Hours | None:
    """Hours from their words; None for none. Raises Invalid with the rule that cannot be read."""
    is_always = False
    weekly: list[WeeklyHours] = []
    spans: dict[str, list[Span]] = {"open": [], "closed": []}
    rules = [rule.strip() for rule in re.split(r"[;\n]", text) if rule.strip()]
    if not rules:
        return None
    for rule in rules:
        if rule.replace(" ", "") == "24/7":
            is_always = True
        elif (special := _SPECIAL.fullmatch(rule)) is not None:
            kind = special[1].lower()
            spans[kind] += _spans(rule, special[2], special[3], special[4], zone, field)
        elif (week := _WEEKLY.fullmatch(rule)) is not None:
            times = _times(rule, week[2], field)
            weekly += [
                WeeklyHours(weekday=day, since=since, until=until)
                for day in _days(rule, week[1], field)
                for since, until in times
            ]
        else:
            raise Invalid(f"cannot be read: {rule[:60]!r}; write it as Mo-Fr 07:00-22:00", field)
    hours = Hours(is_always=is_always, weekly=weekly, openings=spans["open"], closings=spans["closed"])
    check(hours, field)
    return hours


def check(hours: Hours, field: str = "opening") -> None:
    """Raises Invalid for hours that end before they begin, or that overlap."""
    if hours.is_always and (hours.weekly or hours.openings):
        raise Invalid("open round the clock, and only at some hours too: say one", field)
    for one in hours.weekly:
        if one.until <= one.since:
            raise Invalid(f"{DAYS[one.weekday - 1]} {one.since}-{one.until} ends before it begins", field)
    ordered = sorted(hours.weekly, key=lambda one: (one.weekday, one.since))
    for one, after in itertools.pairwise(ordered):
        if one.weekday == after.weekday and after.since < one.until:
            raise Invalid(f"hours on {DAYS[one.weekday - 1]} overlap", field)
    for span in (*hours.openings, *hours.closings):
        if span.since.tzinfo is None or span.until.tzinfo is None:
            raise Invalid("an instant needs its offset from UTC, as 2026-12-24T07:00:00Z", field)
        if span.until <= span.since:
            raise Invalid("an exception ends before it begins", field)


def is_open(hours: Hours | None, at: datetime, zone: tzinfo) -> bool | None:
    """Whether a place is open at an instant; None when its hours are not known."""
    if hours is None:
        return None
    if any(span.since <= at < span.until for span in hours.closings):
        return False
    if hours.is_always or any(span.since <= at < span.until for span in hours.openings):
        return True
    local = at.astimezone(zone)
    now = f"{local:%H:%M}"
    return any(
        one.weekday == local.isoweekday() and one.since <= now and (now < one.until or one.until == LAST_MINUTE)
        for one in hours.weekly
    )


def rules(hours: Hours | None, zone: tzinfo) -> list[str]:
    """Its words, one rule each; `read` takes them back."""
    if hours is None:
        return []
    found = ["24/7"] if hours.is_always else []
    by_day = {
        day: " ".join(
            f"{one.since}-{one.until}" for one in sorted(hours.weekly, key=lambda w: w.since) if one.weekday == day
        )
        for day in range(1, 8)
    }
    day = 1
    while day <= 7:
        last = day
        while last < 7 and by_day[last + 1] == by_day[day]:
            last += 1
        if by_day[day]:
            name = DAYS[day - 1] if last == day else f"{DAYS[day - 1]}-{DAYS[last - 1]}"
            found.append(f"{name} {by_day[day]}")
        day = last + 1
    return [*found, *_special("open", hours.openings, zone), *_special("closed", hours.closings, zone)]


def _special(kind: str, spans: Iterable[Span], zone: tzinfo) -> list[str]:
    said = []
    for span in spans:
        since, until = span.since.astimezone(zone), span.until.astimezone(zone)
        if since.time() == until.time() == time(0):
            last = until.date() - timedelta(days=1)
            days = f"{since:%Y-%m-%d}" if last == since.date() else f"{since:%Y-%m-%d}..{last:%Y-%m-%d}"
            said.append(f"{kind} {days}")
            continue
        # What runs over midnight is told day by day.
        day = since.date()
        while day <= until.date():
            begins = f"{since:%H:%M}" if day == since.date() else "00:00"
            ends = f"{until:%H:%M}" if day == until.date() else "24:00"
            if begins != ends:
                said.append(f"{kind} {day:%Y-%m-%d} {begins}-{ends}")
            day += timedelta(days=1)
    return said


def _days(rule: str, text: str, field: str) -> list[int]:
    days: list[int] = []
    for part in re.split(r"\s*,\s*", text):
        ends = re.split(r"\s*[-–]\s*", part)
        numbers = [_NUMBERS.get(end.lower(), 0) for end in ends]
        if 0 in numbers or len(numbers) > 2 or numbers[0] > numbers[-1]:
            raise Invalid(f"no days of a week: {rule[:60]!r}; they are {' '.join(DAYS)}", field)
        days += range(numbers[0], numbers[-1] + 1)
    return days


def _times(rule: str, text: str, field: str) -> list[tuple[str, str]]:
    found = []
    for part in re.split(r"[\s,]+(?=\d)", text.strip()):
        match = _TIMES.fullmatch(part.strip())
        if match is None or match[1] == "24" or (match[3] == "24" and match[4] != "00"):
            raise Invalid(f"no times of a day: {rule[:60]!r}; write 07:00-22:00", field)
        until = f"{match[3]}:{match[4]}"
        found.append((f"{match[1]}:{match[2]}", LAST_MINUTE if until == "24:00" else until))
    return found


def _spans(rule: str, first: str, last: str | None, times: str | None, zone: tzinfo, field: str) -> Sequence[Span]:
    try:
        begins, ends = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise Invalid(f"no such day: {rule[:60]!r}", field) from error
    if times is None:
        return [Span(since=_instant(begins, "00:00", zone), until=_instant(ends + timedelta(days=1), "00:00", zone))]
    if last is not None:
        raise Invalid(f"several days have no times of their own: {rule[:60]!r}; write a rule for each", field)
    return [
        Span(
            since=_instant(begins, since, zone),
            until=_instant(begins + timedelta(days=1), "00:00", zone)
            if until == LAST_MINUTE
            else _instant(begins, until, zone),
        )
        for since, until in _times(rule, times, field)
    ]


def _instant(day: date, clock: str, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
