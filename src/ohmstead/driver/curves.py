"""The small curve of a charge's power: values in, coordinates out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from ohmstead.core.language import _
from ohmstead.reports.driving.model import Sample
from ohmstead.ui import charts, figures

WIDTH, BASE, TOP = 350.0, 76.0, 8.0
_MOST_POINTS = 80


class Curve(Struct, frozen=True, kw_only=True):
    """Power from the beginning until now; `label`: the same for who cannot see it."""

    area: str
    line: str
    last: tuple[float, float]
    peak: str
    label: str


def draw(samples: Sequence[Sample], started_at: datetime, until: datetime) -> Curve | None:
    """None where no power was told, or too little to draw."""
    values = _powers(samples)
    if len(values) < 2:
        return None
    lo, hi = started_at.timestamp(), max(until, values[-1][0]).timestamp()
    across = charts.Axis(lo, max(hi, lo + 60), 0, WIDTH)
    peak = max(value for _at, value in values)
    up = charts.Axis(0, max(peak, 100.0), BASE, TOP)
    points = [(across.place(at.timestamp()), up.place(value)) for at, value in values]
    points = charts.thinned(points, _MOST_POINTS)
    told = " ".join(figures.power(peak))
    return Curve(
        area=charts.area(points, BASE),
        line=charts.line(points),
        last=points[-1],
        peak=told,
        label=_("Power since the beginning, at most %(power)s", power=told),
    )


def _powers(samples: Sequence[Sample]) -> list[tuple[datetime, float]]:
    """What stations tell, else what the registers come to between two readings."""
    told = [(one.at, float(one.power_w)) for one in samples if one.power_w is not None and one.power_w >= 0]
    if len(told) >= 2:
        return told
    registers = [(one.at, float(one.energy_wh)) for one in samples if one.energy_wh is not None]
    found = []
    for (at, before), (later, after) in pairwise(registers):
        hours = (later - at).total_seconds() / 3600
        if hours > 0 and after >= before:
            found.append((later, (after - before) / hours))
    return found
