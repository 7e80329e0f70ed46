"""The spans of days that reports are about, and what they are compared with. Pure; days are those on the wall."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.core.language import R_, _, month, weekday

Kind: TypeAlias = Literal["day", "week", "month", "year", "custom"]
Comparison: TypeAlias = Literal["before", "year", "none"]
Step: TypeAlias = Literal["hour", "day", "month"]

MOST_DAYS = 5 * 366
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
_DAY = timedelta(days=1)


class UsagePeriod(Struct, frozen=True):
    """Whole days from `first` to `last`, both included."""

    kind: Kind
    first: date
    last: date

    @property
    def n_days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> Step:
        """What one bar of its chart stands for."""
        return "hour" if self.n_days <= 2 else "day" if self.n_days <= 93 else "month"

    @property
    def name(self) -> str:
        """The period in words of the task's language."""
        if self.kind == "day" or self.n_days == 1:
            return _("%(weekday)s %(day)s %(month)s %(year)s", **_parts(self.first, is_long=True))
        if self.kind == "month":
            return _("%(month)s %(year)s", **_parts(self.first, is_long=True))
        if self.kind == "year":
            return f"{self.first.year}"
        first, last = _parts(self.first), _parts(self.last)
        if first["year"] == last["year"]:
            begin = _("%(day)s %(month)s", **first)
        else:
            begin = _("%(day)s %(month)s %(year)s", **first)
        return _("%(low)s to %(high)s", low=begin, high=_("%(day)s %(month)s %(year)s", **last))


def _parts(day: date, *, is_long: bool = False) -> dict[str, str]:
    return {
        "weekday": weekday(day.weekday(), is_long=is_long),
        "day": str(day.day),
        "month": month(day.month, is_long=is_long),
        "year": str(day.year),
    }


def of_kind(kind: Kind, day: date) -> UsagePeriod:
    """The day, the week from Monday, the month or the year that holds a day."""
    if kind == "week":
        first = day - timedelta(days=day.isoweekday() - 1)
        return UsagePeriod(kind, first, first + timedelta(days=6))
    if kind == "month":
        first = day.replace(day=1)
        return UsagePeriod(kind, first, _next_month(first) - _DAY)
    if kind == "year":
        return UsagePeriod(kind, date(day.year, 1, 1), date(day.year, 12, 31))
    return UsagePeriod(kind, day, day)


def between(first: date, last: date) -> UsagePeriod:
    """Any days. Raises ValueError, with a text for people, for a span that is none, too long or out of this world."""
    if last < first:
        raise ValueError(R_("the period ends before it begins"))
    if not EARLIEST <= first <= last <= LATEST:
        raise ValueError(R_(f"the period must lie between {EARLIEST} and {LATEST}"))
    if (last - first).days >= MOST_DAYS:
        raise ValueError(R_(f"the period is longer than {MOST_DAYS} days"))
    return UsagePeriod("custom", first, last)


def recognised(period: UsagePeriod) -> UsagePeriod:
    """Days that are a day, week, month or year of the calendar as such, so that they move and compare as one."""
    kinds: tuple[Kind, ...] = ("day", "week", "month", "year")
    found = (of_kind(kind, period.first) for kind in kinds)
    return next((one for one in found if (one.first, one.last) == (period.first, period.last)), period)


def so_far(period: UsagePeriod, today: date) -> UsagePeriod:
    """The part of a period that has come; a period of the future stays as it is."""
    return UsagePeriod(period.kind, period.first, today) if period.first <= today < period.last else period


def before(period: UsagePeriod) -> UsagePeriod:
    """The period right before, of the same kind; as many days before, where it is none of the calendar."""
    if period.kind in ("week", "month", "year"):
        return of_kind(period.kind, period.first - _DAY)
    return UsagePeriod(period.kind, period.first - timedelta(days=period.n_days), period.first - _DAY)


def after(period: UsagePeriod) -> UsagePeriod:
    """The period that follows."""
    if period.kind in ("week", "month", "year"):
        return of_kind(period.kind, period.last + _DAY)
    return UsagePeriod(period.kind, period.last + _DAY, period.last + timedelta(days=period.n_days))


def a_year_before(period: UsagePeriod) -> UsagePeriod:
    """A year earlier: the same days of the calendar; days and weeks on the same weekdays (52 weeks)."""
    if period.kind in ("day", "week"):
        return UsagePeriod(period.kind, period.first - timedelta(weeks=52), period.last - timedelta(weeks=52))
    if period.kind in ("month", "year"):
        return of_kind(period.kind, _year_less(period.first))
    return UsagePeriod(period.kind, _year_less(period.first), _year_less(period.last))


def compared(period: UsagePeriod, how: Comparison, today: date) -> UsagePeriod | None:
    """What the part of `period` that has come is compared with: as many days of the other one, no more than it has."""
    if how == "none":
        return None
    other = before(period) if how == "before" else a_year_before(period)
    part = so_far(period, today)
    if part.n_days == period.n_days or other.kind == "day":
        return other
    return UsagePeriod(other.kind, other.first, min(other.last, other.first + timedelta(days=part.n_days - 1)))


def days(period: UsagePeriod) -> list[date]:
    """All of them."""
    return [period.first + _DAY * n for n in range(period.n_days)]


def months(period: UsagePeriod) -> list[date]:
    """The first of each month that it touches."""
    found, month = [], period.first.replace(day=1)
    while month <= period.last:
        found.append(month)
        month = _next_month(month)
    return found


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _year_less(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)
