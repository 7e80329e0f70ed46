"""When restrictions on dates, days and times of day hold: exact on the wall of a location, over changes of its clock.

An hour that comes twice in autumn is looked at twice; one that is left out in spring never comes. Instants are
microseconds since 1970 (UTC), as everywhere inside pricing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.tariffs.model import DAYS, TariffRestrictions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
NEVER = 1 << 62  # µs; later than any session
_MINUTE_US = 60_000_000
_KEPT_DAYS = 400


class CalendarRule(NamedTuple):
    """When something holds. Minutes since midnight on the wall; `end` 1440 is midnight."""

    start: int
    end: int
    start_date: date | None
    end_date: date | None
    days: frozenset[int]

    def holds(self, wall: datetime) -> bool:
        """At that reading of the wall clock."""
        day = wall.date()
        if self.days and day.weekday() not in self.days:
            return False
        if (self.start_date and day < self.start_date) or (self.end_date and day >= self.end_date):
            return False
        minute = wall.hour * 60 + wall.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def minutes_of(text: str | None) -> int | None:
    """`13:30` → 810."""
    return None if text is None else int(text[:2]) * 60 + int(text[3:])


def span_of(start: str | None, end: str | None) -> tuple[int, int]:
    """From and to in minutes: an end at 00:00 is that of the day."""
    return minutes_of(start) or 0, minutes_of(end) or 1440


def rule_of(restrictions: TariffRestrictions | None) -> CalendarRule | None:
    """What restrictions say about the calendar; None: nothing."""
    if restrictions is None:
        return None
    r = restrictions
    if not (r.start_time or r.end_time or r.start_date or r.end_date or r.day_of_week):
        return None
    start, end = span_of(r.start_time, r.end_time)
    return CalendarRule(start, end, r.start_date, r.end_date, frozenset(DAYS.index(day) for day in r.day_of_week))


class Window(NamedTuple):
    """A stretch of time in which the same rules hold. `mask` has a bit for each rule; `day` counts days on the wall."""

    until: int
    mask: int
    day: int


_Rows = list[tuple[int, int, int]]  # (from, mask, day)


class Calendar:
    """Which of some rules hold when, in one time zone. `has_days`: days on the wall matter by themselves."""

    def __init__(self, rules: Sequence[CalendarRule | None], zone: ZoneInfo, *, has_days: bool = False) -> None:
        self._rules = rules
        self._zone = zone
        self._has_days = has_days
        self._all = (1 << len(rules)) - 1
        self.is_constant = not has_days and not any(rules)
        borders = {0}
        for rule in rules:
            if rule is not None:
                borders |= {rule.start % 1440, rule.end % 1440}
        self._borders = sorted(borders)
        self._known: dict[int, _Rows] = {}

    def window(self, at: int) -> Window:
        """What holds at an instant, and until when at least."""
        if self.is_constant:
            return Window(NEVER, self._all, 0)
        number = at // DAY_US
        rows = self._known.get(number)
        if rows is None:
            if len(self._known) > _KEPT_DAYS:
                self._known.clear()
            rows = self._known[number] = self._day(number)
        until = (number + 1) * DAY_US
        for start, mask, day in reversed(rows):
            if start <= at:
                return Window(until, mask, day)
            until = start
        raise AssertionError("a day begins at its beginning")

    def _day(self, number: int) -> _Rows:
        """One day of UTC in pieces."""
        first, end = number * DAY_US, (number + 1) * DAY_US
        marks = {first}
        today = (EPOCH + timedelta(days=number)).date()
        for shift in (-1, 0, 1):
            for border in self._borders:
                wall = datetime.combine(today + timedelta(days=shift), time(border // 60, border % 60), self._zone)
                marks |= {us_of(wall), us_of(wall.replace(fold=1))}
        change = self._change(first, end)
        if change is not None:
            marks.add(change)
        rows: _Rows = []
        for mark in sorted(mark for mark in marks if first <= mark < end):
            wall = (EPOCH + timedelta(microseconds=mark)).astimezone(self._zone)
            mask = 0
            for n, rule in enumerate(self._rules):
                if rule is None or rule.holds(wall):
                    mask |= 1 << n
            day = wall.toordinal() if self._has_days else 0
            if not rows or rows[-1][1:] != (mask, day):
                rows.append((mark, mask, day))
        return rows

    def _change(self, first: int, end: int) -> int | None:
        """When the zone's clock is changed in that day, if it is: to the minute, as all such changes are."""
        before = self._offset(first)
        if self._offset(end) == before:
            return None
        low, high = first // _MINUTE_US, end // _MINUTE_US
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle * _MINUTE_US) == before:
                low = middle
            else:
                high = middle
        return high * _MINUTE_US

    def _offset(self, at: int) -> timedelta | None:
        return (EPOCH + timedelta(microseconds=at)).astimezone(self._zone).utcoffset()


def us_of(at: datetime) -> int:
    """Microseconds since 1970; exact."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(us: int) -> datetime:
    """The instant of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)
