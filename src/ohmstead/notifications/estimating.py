"""When a car will be full, as an honest range. Pure.

What is known is the state of charge in whole percents, what was delivered since, and the power now. From the first two
follows how much a percent takes; where too few percents were seen, nothing is said. Cars take less towards the end: the
early end of the range is as if they did not, the late one as if they did from the taper's beginning on, and with as much
more to a percent as the percents' rounding leaves open.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

# Fewer percents than that tell too little of what one takes: each end of them is uncertain by half of one.
LEAST_PERCENT: Final = 5
LEAST_POWER_W: Final = 500
# Above this power a car charges by direct current, and tapers early; below it, only the last percents are slower.
FAST_W: Final = 25_000
TAPERS_FROM: Final = {True: 80, False: 95}
# The power that is left at 100 %, as a share of the power before the taper.
LAST_SHARE: Final = {True: 0.15, False: 0.5}
# The time between meter and battery, and what else nobody knows.
MARGIN: Final = 0.05
STEP: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(hours=24)
NEARLY_PERCENT: Final = 90
NEARLY_WITHIN: Final = timedelta(minutes=10)


class Charge(Struct, frozen=True, kw_only=True):
    """A session as it is. `soc_from_percent` and `energy_wh`: where it began, and what was delivered since. `target_percent`:
    where it ends, if not at 100.
    """

    at: datetime
    soc_from_percent: Decimal | None
    soc_percent: Decimal | None
    energy_wh: Decimal
    power_w: Decimal | None
    target_percent: int = 100


class Range(Struct, frozen=True):
    """Full between these."""

    earliest_at: datetime
    latest_at: datetime


def time_to_full(charge: Charge) -> Range | None:
    """When it will be full; None: too little is known, or it will take longer than a day."""
    soc, began, power = charge.soc_percent, charge.soc_from_percent, charge.power_w
    if soc is None or began is None or power is None or power < LEAST_POWER_W or charge.energy_wh <= 0:
        return None
    gained = float(soc - began)
    now, target = float(soc), float(min(charge.target_percent, 100))
    if gained < LEAST_PERCENT or not 0 <= now < target:
        return None
    energy, watts = float(charge.energy_wh), float(power)
    # A percent shown may be half of one more or less, at both ends.
    least_wh, most_wh = energy / (gained + 1), energy / (gained - 1)
    early_h = max(0.0, target - now - 0.5) * least_wh / watts * (1 - MARGIN)
    late_h = _tapered_hours(now - 0.5, target, most_wh, watts) * (1 + MARGIN)
    if late_h > LONGEST.total_seconds() / 3600:
        return None
    earliest, latest = charge.at + timedelta(hours=early_h), charge.at + timedelta(hours=late_h)
    return Range(_floor(max(earliest, charge.at)), _ceiling(latest))


def _tapered_hours(now: float, target: float, percent_wh: float, watts: float) -> float:
    """Hours to the target when power falls in a line from the taper's beginning to what is left at 100 %."""
    is_fast = watts >= FAST_W
    begins, last = float(TAPERS_FROM[is_fast]), LAST_SHARE[is_fast]
    hours, at = 0.0, now
    if at < begins:
        until = min(begins, target)
        hours += (until - at) * percent_wh / watts
        at = until
    # It tapers already: the power now is what is left of it here.
    full_watts = watts if now < begins else watts / _share(now, begins, last)
    while at < target:
        step = min(1.0, target - at)
        hours += step * percent_wh / (full_watts * _share(at + step / 2, begins, last))
        at += step
    return hours


def _share(percent: float, begins: float, last: float) -> float:
    """The share of full power that a car takes at a state of charge."""
    if percent <= begins:
        return 1.0
    return 1.0 - (1.0 - last) * min(1.0, (percent - begins) / (100 - begins))


def is_nearly_full(charge: Charge, found: Range | None) -> bool:
    """Whether it is time to walk back: within ten minutes at the earliest, or nine tenths full."""
    soc = charge.soc_percent
    if soc is None:
        return False
    if soc >= min(charge.target_percent, 100):
        return True
    if soc >= NEARLY_PERCENT * charge.target_percent / 100:
        return True
    return found is not None and found.earliest_at - charge.at <= NEARLY_WITHIN


def _floor(at: datetime) -> datetime:
    past = timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)
    return at - past


def _ceiling(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + STEP
