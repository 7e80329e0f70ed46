"""Whether restrictions hold whenever others do: what comes after them can then never apply. Pure.

Says yes only where it is sure, so a tariff is never refused for a doubt.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ohmstead.tariffs.model import DAYS, TariffRestrictions
from ohmstead.tariffs.pricing.calendar import span_of


def covers(wide: TariffRestrictions, narrow: TariffRestrictions) -> bool:
    """Does `wide` hold at every moment at which `narrow` does?"""
    return (
        wide.reservation == narrow.reservation
        and all(
            _within(
                (getattr(wide, f"min_{name}"), getattr(wide, f"max_{name}")),
                (getattr(narrow, f"min_{name}"), getattr(narrow, f"max_{name}")),
                # A power that nobody knows meets no restriction, not even one from 0 on.
                can_be_unknown=name in ("power", "current"),
            )
            for name in ("kwh", "power", "current", "duration")
        )
        and _dates_within(wide, narrow)
        and set(narrow.day_of_week or DAYS) <= set(wide.day_of_week or DAYS)
        and _minutes(narrow) <= _minutes(wide)
    )


def _within(
    wide: tuple[Decimal | int | None, Decimal | int | None],
    narrow: tuple[Decimal | int | None, Decimal | int | None],
    *,
    can_be_unknown: bool,
) -> bool:
    if can_be_unknown and wide != (None, None) and narrow == (None, None):
        return False
    if any(isinstance(value, Decimal) and not value.is_finite() for value in (*wide, *narrow)):
        return False
    low, high = wide
    starts_early = not low or (narrow[0] is not None and narrow[0] >= low)
    ends_late = high is None or (narrow[1] is not None and narrow[1] <= high)
    return starts_early and ends_late


def _dates_within(wide: TariffRestrictions, narrow: TariffRestrictions) -> bool:
    first, last = date.min, date.max
    return (wide.start_date or first) <= (narrow.start_date or first) and (narrow.end_date or last) <= (
        wide.end_date or last
    )


def _minutes(r: TariffRestrictions) -> set[int]:
    """Of the day, at which it holds."""
    start, end = span_of(r.start_time, r.end_time)
    return set(range(start, end)) if start < end else set(range(start, 1440)) | set(range(end))
