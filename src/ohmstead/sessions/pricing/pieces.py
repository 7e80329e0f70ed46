"""From a session as it was measured to stretches that pricing takes. Pure.

Charging periods say how much energy there is and of what kind; the register, wherever it was read within one, says when in
it the energy flowed. So prices add up over exactly what the session delivered, also where its meter was corrected.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.pricing import Stretch
from ohmstead.tariffs.pricing.calendar import instant_of, us_of

Point = tuple[datetime, Decimal]


class _Curve:
    """Energy since the start in µWh, on lines between the points."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.ats = [us_of(at) for at, _ in points]
        self.energies = [int(energy * 1_000_000) for _, energy in points]

    def value(self, at: int) -> int:
        if not self.ats:
            return 0
        place = bisect_left(self.ats, at)
        if place == 0:
            return self.energies[0]
        if place == len(self.ats):
            return self.energies[-1]
        before, low, high = self.ats[place - 1], self.energies[place - 1], self.energies[place]
        return low + (high - low) * (at - before) // (self.ats[place] - before)


def stretches_of(
    periods: Sequence[ChargingPeriod], points: Sequence[Point], currents: Sequence[Point] = ()
) -> list[Stretch]:
    """Each period cut at every reading in it; the pieces' energies add up to the period's.

    `points`: (when, energy since the session began), rising. `currents`: (when, A over all phases), each until the next.
    """
    curve = _Curve(points)
    current_ats = [us_of(at) for at, _ in currents]
    found = []
    for period in periods:
        start, end = us_of(period.started_at), us_of(period.ended_at)
        energy = int(period.energy_wh * 1_000_000)
        inside = set(curve.ats[bisect_right(curve.ats, start) : bisect_left(curve.ats, end)])
        inside |= set(current_ats[bisect_right(current_ats, start) : bisect_left(current_ats, end)])
        low, high = curve.value(start), curve.value(end)
        given = 0
        for a, b in pairwise([start, *sorted(inside), end]):
            if high > low:
                until = energy * (curve.value(b) - low) // (high - low)
            else:
                until = energy * (b - start) // (end - start)
            place = bisect_right(current_ats, a) - 1
            found.append(
                Stretch(
                    started_at=instant_of(a),
                    ended_at=instant_of(b),
                    kind=period.kind,
                    energy_wh=Decimal(until - given).scaleb(-6),
                    current_a=currents[place][1] if place >= 0 else None,
                )
            )
            given = until
    return found
