"""Geometry of charts: values in, SVG coordinates out; templates draw them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from msgspec import Struct

from ohmstead.ui import figures

Point = tuple[float, float]


class Tick(Struct, frozen=True):
    """A mark on an axis: where, what it says, and whether a new day begins there."""

    at: float
    text: str
    is_day: bool = False


class Axis(Struct, frozen=True):
    """Values from `lo` to `hi` laid on pixels from `start` to `end`."""

    lo: float
    hi: float
    start: float
    end: float

    def place(self, value: float) -> float:
        span = self.hi - self.lo
        share = (value - self.lo) / span if span else 0.0
        return round(self.start + (self.end - self.start) * share, 1)


def nice_top(value: float, n_steps: int = 4) -> tuple[float, float]:
    """(top, step) of an axis from zero that holds `value`, with steps people count in."""
    if value <= 0:
        return 1.0, 1.0
    rough = value / n_steps
    power = 10 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    return math.ceil(value / step - 1e-9) * step, step


def value_ticks(axis: Axis, step: float) -> list[Tick]:
    """Marks from zero to the top."""
    digits = 0 if step >= 1 and step == int(step) else 1 if step >= 0.1 and round(step * 10, 6) % 1 == 0 else 2
    count = round((axis.hi - axis.lo) / step)
    return [Tick(axis.place(axis.lo + n * step), figures.number(axis.lo + n * step, digits)) for n in range(count + 1)]


_STEPS_S = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)


def time_ticks(axis: Axis, zone: tzinfo, most: int = 8) -> list[Tick]:
    """Round times on the wall of `zone`; `axis` runs in Unix seconds."""
    span_s = axis.hi - axis.lo
    step_s = next((s for s in _STEPS_S if span_s / s <= most), math.ceil(span_s / most / 86400) * 86400)
    local = datetime.fromtimestamp(axis.lo, zone)
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    ticks = []
    # On the wall, so that ticks stay round across changes of summer time.
    wall = first
    for _ in range(100_000):
        at = wall.replace(tzinfo=zone).timestamp()
        if at > axis.hi:
            break
        if at >= axis.lo:
            is_day = wall.hour == 0 and wall.minute == 0
            text = figures.date(wall, with_year=False) if step_s >= 86400 else wall.strftime("%H:%M")
            ticks.append(Tick(axis.place(at), text, is_day))
        wall += timedelta(seconds=step_s)
    return ticks


def line(points: Sequence[Point]) -> str:
    """A path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def area(points: Sequence[Point], base: float) -> str:
    """The surface between points and a baseline."""
    if not points:
        return ""
    return f"{line(points)}L{points[-1][0]:g} {base:g}L{points[0][0]:g} {base:g}Z"


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about `most` points that keep every peak and dip: the extremes of each of `most`/2 stretches."""
    if len(points) <= most:
        return list(points)
    size = len(points) / (most / 2)
    kept: list[Point] = [points[0]]
    for n in range(int(most / 2)):
        stretch = points[int(n * size) : int((n + 1) * size)]
        if stretch:
            kept += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])})
    kept.append(points[-1])
    return kept


def steps(points: Iterable[Point]) -> list[Point]:
    """Values that hold until the next one, as corners."""
    corners: list[Point] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners


def spark(values: Sequence[tuple[float, float]], width: float, height: float) -> tuple[str, str]:
    """(area, line) of a small curve without axes, from zero to its own peak; values are (time, value)."""
    if len(values) < 2:
        return "", ""
    across = Axis(values[0][0], max(values[-1][0], values[0][0] + 1), 0, width)
    up = Axis(0, max(1.0, *(v for _, v in values)), height - 2, 2)
    points = thinned([(across.place(t), up.place(max(0.0, v))) for t, v in values], 60)
    return area(points, height), line(points)
