"""What a session gives to each hour on the wall of its location. Pure.

Two ways to count, because two things are asked. Where sessions are counted, all of a session belongs to the hour in
which it began, so that a report agrees with the list of sessions. Where use is measured (how many plugs, how much power
at once), time and energy belong to the hours in which they passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

HOUR = timedelta(hours=1)
LONGEST = timedelta(days=31)
"""What lasts longer (a station whose clock was wrong) is spread over its first 31 days only."""
_FINEST = Decimal("0.001")


class Stretch(Struct, frozen=True):
    """A piece of a session and the energy in it, in Wh."""

    started_at: datetime
    ended_at: datetime
    energy_wh: Decimal


class Counted(Struct, frozen=True, kw_only=True):
    """A settled session as far as reports count it. `stretches`: its charging periods."""

    started_at: datetime
    ended_at: datetime
    energy_wh: Decimal
    charging_s: int
    zone: ZoneInfo
    stretches: Sequence[Stretch] = ()


class Share(Struct, kw_only=True):
    """An hour's part of a session: seconds and Wh. `wall_at` is `hour_at` on the wall of the location."""

    hour_at: datetime
    wall_at: datetime
    n_sessions: int = 0
    energy_wh: Decimal = Decimal(0)
    duration_s: int = 0
    charging_s: int = 0
    plug_s: int = 0
    delivered_wh: Decimal = Decimal(0)


def shares(session: Counted) -> list[Share]:
    """The session by the hour, in time order; plug seconds and energies add up to the session's exactly."""
    found: dict[datetime, Share] = {}
    begin, end = session.started_at, max(session.started_at, session.ended_at)
    first = _at(found, begin, session.zone)
    first.n_sessions = 1
    first.energy_wh = session.energy_wh
    first.duration_s = round((end - begin).total_seconds())
    first.charging_s = session.charging_s
    passed, counted_s = timedelta(0), 0
    for at, span in _hours(begin, min(end, begin + LONGEST), session.zone):
        passed += span
        upto_s = round(passed.total_seconds())
        _at(found, at, session.zone).plug_s += upto_s - counted_s
        counted_s = upto_s
    stretches = [s for s in session.stretches if s.energy_wh > 0]
    if sum((s.energy_wh for s in stretches), Decimal(0)) != session.energy_wh:
        stretches = [Stretch(begin, end, session.energy_wh)]
    for stretch in stretches:
        _deliver(found, stretch, session.zone)
    return [found[at] for at in sorted(found)]


def _deliver(found: dict[datetime, Share], stretch: Stretch, zone: ZoneInfo) -> None:
    """Evenly over the stretch; what rounding leaves goes to its last hour."""
    until = min(max(stretch.started_at, stretch.ended_at), stretch.started_at + LONGEST)
    hours = list(_hours(stretch.started_at, until, zone)) or [(stretch.started_at, timedelta(0))]
    whole = sum((span for _, span in hours), timedelta(0))
    left = stretch.energy_wh
    for at, span in hours[:-1]:
        part = (stretch.energy_wh * Decimal(span / whole)).quantize(_FINEST)
        part = min(part, left)
        _at(found, at, zone).delivered_wh += part
        left -= part
    _at(found, hours[-1][0], zone).delivered_wh += left


def _at(found: dict[datetime, Share], at: datetime, zone: ZoneInfo) -> Share:
    """The share of the hour that holds an instant."""
    local = at.astimezone(zone)
    over = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    hour_at = at - over
    share = found.get(hour_at)
    if share is None:
        wall_at = local.replace(minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        share = found[hour_at] = Share(hour_at=hour_at, wall_at=wall_at)
    return share


def _hours(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    """A span cut where an hour begins on the wall: (start of the piece, its length)."""
    at = begin
    while at < end:
        local = at.astimezone(zone)
        over = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        following = min(at + (HOUR - over), end)
        yield at, following - at
        at = following
