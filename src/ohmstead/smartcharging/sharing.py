"""What a station leaves for one car: its own maximum and limits that others set, less what its other cars take. Pure.

All in W, as steps over time: a list of periods, each of which holds until the next one begins. A limit of None limits
nothing. Powers are added up over all phases; how they lie on single phases is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from ohmstead.smartcharging.model import Electric
from ohmstead.smartcharging.profiles import limit_at, to_watts
from ohmstead.stations.orders import Period, Schedule

Steps: TypeAlias = Sequence[Period]


def steady(limit_w: Decimal | None) -> tuple[Period, ...]:
    """One limit for all time."""
    return (Period(start_s=0, limit=limit_w),)


def steps_of(schedule: Schedule, electric: Electric, since: datetime, now: datetime) -> tuple[Period, ...]:
    """A schedule as it goes on from `now`; one that names no beginning began at `since`.

    Before it begins and after it ended it limits nothing.
    """
    passed_s = int((now - (schedule.starts_at or since)) / timedelta(seconds=1))
    found: dict[int, Decimal | None] = {0: None}
    for period in schedule.periods:
        if schedule.duration_s is not None and period.start_s >= schedule.duration_s:
            break
        limit = period.limit
        if limit is not None and schedule.rate_unit == "A":
            limit = to_watts(limit, electric, period.n_phases)
        found[max(period.start_s - passed_s, 0)] = limit
    if schedule.duration_s is not None:
        found[max(schedule.duration_s - passed_s, 0)] = None
    return _joined(found)


def tightest(several: Sequence[Steps]) -> tuple[Period, ...]:
    """The lowest of several limits at every instant."""
    return _joined({at_s: _least([limit_at(one, at_s) for one in several]) for at_s in _instants(several)})


def room(most: Steps, taken: Sequence[Steps]) -> tuple[Period, ...]:
    """What is left of a limit when others take theirs, never less than nothing. Where nothing limits, nothing does.

    One of the others that nothing limits takes all there is.
    """
    found: dict[int, Decimal | None] = {}
    for at_s in _instants([most, *taken]):
        limit = limit_at(most, at_s)
        others = [limit_at(one, at_s) for one in taken]
        if limit is None:
            found[at_s] = None
        elif any(one is None for one in others):
            found[at_s] = Decimal(0)
        else:
            found[at_s] = max(limit - sum((one for one in others if one is not None), Decimal(0)), Decimal(0))
    return _joined(found)


def ceiling(own: Sequence[Steps], whole: Sequence[Steps], taken: Sequence[Steps]) -> tuple[Period, ...]:
    """What a car may draw at an outlet with limits of its `own`, at a station whose limits are `whole`."""
    return tightest([*own, room(tightest(whole), taken)])


def _instants(several: Sequence[Steps]) -> list[int]:
    return sorted({0, *(period.start_s for one in several for period in one)})


def _least(values: Sequence[Decimal | None]) -> Decimal | None:
    return min((value for value in values if value is not None), default=None)


def _joined(found: dict[int, Decimal | None]) -> tuple[Period, ...]:
    """In order, without steps that change nothing."""
    periods: list[Period] = []
    for start_s in sorted(found):
        if not periods or periods[-1].limit != found[start_s]:
            periods.append(Period(start_s=start_s, limit=found[start_s]))
    return tuple(periods)
