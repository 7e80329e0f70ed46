"""Where can I charge? Places filtered and put into order, and a small map of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ohmstead.core.language import _, grouped, n_
from ohmstead.driver import words
from ohmstead.reports.plugs.model import PublicPlug, PublicSite
from ohmstead.stations.sites.hours import is_open

EARTH_M = 6_371_000.0
WIDTH, HEIGHT, MARGIN = 390.0, 240.0, 30.0
CELL, GAP = 40.0, 2.0
SMALLEST_SPAN = 0.006 / 360  # of the world's width: one place alone is shown with its surroundings
POWERS = (11, 22, 50, 150)


class Point(Struct, frozen=True):
    """Where somebody is, in degrees."""

    latitude: float
    longitude: float


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody looks for. `kind`: a name of `words.KINDS`; `power_kw`: at least."""

    text: str = ""
    kind: str = ""
    power_kw: int = 0
    is_free_now: bool = False
    near: Point | None = None


class FoundSite(Struct, frozen=True, kw_only=True):
    """A place with the plugs that fit. `n_free`: at which one can charge now, so none while the place is closed."""

    site: PublicSite
    plugs: list[PublicPlug]
    n_free: int
    n_out: int
    power_w: int | None
    kinds: list[str]
    distance_m: float | None
    is_open: bool | None


def find(sites: Sequence[PublicSite], wanted: Wanted, at: datetime) -> list[FoundSite]:
    """The places that fit: the nearest first, else by name."""
    found = [one for site in sites if (one := _fitting(site, wanted, at)) is not None]
    if wanted.near is not None:
        found.sort(key=lambda one: (one.distance_m is None, one.distance_m or 0.0))
    return found


def _fitting(site: PublicSite, wanted: Wanted, at: datetime) -> FoundSite | None:
    text = wanted.text.casefold()
    if text and text not in _searched(site):
        return None
    plugs = [plug for plug in site.plugs if _fits(plug, wanted)]
    opens = is_open(site.opening, at, zone_of(site.time_zone))
    free = [plug for plug in plugs if plug.state == "available"] if opens is not False else []
    if not plugs or (wanted.is_free_now and not free):
        return None
    powers = [plug.power_w for plug in plugs if plug.power_w]
    return FoundSite(
        site=site,
        plugs=plugs,
        n_free=len({(plug.station_id, plug.evse_number) for plug in free}),
        n_out=len({(plug.station_id, plug.evse_number) for plug in plugs if plug.state in words.BROKEN}),
        power_w=max(powers, default=None),
        kinds=words.kinds(plug.standard for plug in plugs),
        distance_m=distance_m(wanted.near, site) if wanted.near else None,
        is_open=opens,
    )


def _searched(site: PublicSite) -> str:
    """What a search looks through: the place, and the numbers on its stickers."""
    stations = " ".join(dict.fromkeys(plug.station_id for plug in site.plugs))
    return f"{site.name} {site.address} {site.postal_code} {site.city} {site.operator} {stations}".casefold()


def _fits(plug: PublicPlug, wanted: Wanted) -> bool:
    if wanted.kind in words.KINDS and words.standard(plug.standard) != words.KINDS[wanted.kind][0]:
        return False
    return not wanted.power_kw or (plug.power_w or 0) >= wanted.power_kw * 1000


def zone_of(name: str) -> ZoneInfo:
    """A zone; UTC for what is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def distance_m(here: Point, site: PublicSite) -> float | None:
    """As the crow flies; None for a place without coordinates."""
    if site.latitude is None or site.longitude is None:
        return None
    p1, p2 = math.radians(here.latitude), math.radians(site.latitude)
    turn = math.radians(site.longitude - here.longitude)
    half = math.sin((p2 - p1) / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(turn / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def far(metres: float | None) -> str:
    """A distance in words; empty for none."""
    if metres is None:
        return ""
    if metres < 950:
        return f"{round(metres, -1):.0f} m"
    kilometres = metres / 1000
    return grouped(f"{kilometres:,.1f}" if kilometres < 9.95 else f"{kilometres:,.0f}") + " km"


def free_words(found: FoundSite) -> str:
    """Whether one can charge there now."""
    if found.is_open is False:
        return _("closed now")
    total = n_plugs(found.plugs)
    if found.n_free == total:
        return n_("%(n)s plug, free", "all %(n)s plugs free", total)
    return _("%(free)s of %(total)s free", free=found.n_free, total=total)


def n_plugs(plugs: Sequence[PublicPlug]) -> int:
    """Outlets that charge a car each."""
    return len({(plug.station_id, plug.evse_number) for plug in plugs})


# --------------------------------------------------------------------------------------------------------- the map


class Mark(Struct, frozen=True, kw_only=True):
    """A place, or several that are close together, on the map."""

    x: float
    y: float
    radius: float
    text: str
    title: str
    tone: str
    href: str


# Places close together, with where they are on the map.
_Cell: TypeAlias = list[tuple[FoundSite, float, float]]


class DrawnMap(Struct, frozen=True, kw_only=True):
    """Marks, lines of a grid, where the viewer is, and a bar for the scale."""

    marks: list[Mark]
    grid: str
    here: tuple[float, float] | None
    bar: float
    bar_text: str


def draw(found: Sequence[FoundSite], near: Point | None) -> DrawnMap | None:
    """The places on a map that needs nobody; None where none has coordinates."""
    placed = [
        (one, _x(one.site.longitude), _y(one.site.latitude))
        for one in found
        if one.site.latitude is not None and one.site.longitude is not None
    ]
    if not placed:
        return None
    xs, ys = [x for _one, x, _y_ in placed], [y for _one, _x_, y in placed]
    if near is not None:
        xs.append(_x(near.longitude))
        ys.append(_y(near.latitude))
    span = max(
        SMALLEST_SPAN,
        (max(xs) - min(xs)) * WIDTH / (WIDTH - 2 * MARGIN),
        (max(ys) - min(ys)) * WIDTH / (HEIGHT - 2 * MARGIN),
    )
    scale, mid_x, mid_y = WIDTH / span, (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return round(WIDTH / 2 + (x - mid_x) * scale, 1), round(HEIGHT / 2 - (y - mid_y) * scale, 1)

    cells: dict[tuple[int, int], _Cell] = {}
    for one, x, y in placed:
        px, py = place(x, y)
        cells.setdefault((int(px // CELL), int(py // CELL)), []).append((one, px, py))
    latitude = placed[0][0].site.latitude or 0.0
    metres = 40_075_016 * math.cos(math.radians(latitude)) / scale
    bar_m = _round_length(metres * 90)
    step = bar_m / metres
    grid = "".join(f"M{n * step:.1f} 0V{HEIGHT:g}" for n in range(1, int(WIDTH / step) + 1))
    grid += "".join(f"M0 {n * step:.1f}H{WIDTH:g}" for n in range(1, int(HEIGHT / step) + 1))
    return DrawnMap(
        marks=_marks(list(cells.values())),
        grid=grid,
        here=place(_x(near.longitude), _y(near.latitude)) if near is not None else None,
        bar=round(step, 1),
        bar_text=far(bar_m),
    )


def _marks(cells: list[_Cell]) -> list[Mark]:
    """A mark for each cell; those that would hide one another are one."""
    while True:
        marks = [_mark(cell) for cell in cells]
        near = next(
            (
                (i, j)
                for (i, one), (j, other) in combinations(enumerate(marks), 2)
                if math.hypot(one.x - other.x, one.y - other.y) < one.radius + other.radius + GAP
            ),
            None,
        )
        if near is None:
            return marks
        cells[near[0]] = [*cells[near[0]], *cells.pop(near[1])]


def _mark(cell: _Cell) -> Mark:
    x = sum(px for _one, px, _py in cell) / len(cell)
    y = sum(py for _one, _px, py in cell) / len(cell)
    n_free, total = sum(one.n_free for one, _x_, _y_ in cell), sum(n_plugs(one.plugs) for one, _x_, _y_ in cell)
    first = cell[0][0].site
    if len(cell) == 1:
        title = f"{first.name}: {free_words(cell[0][0])}"
    else:
        name = n_("%(n)s place", "%(n)s places", len(cell))
        title = _("%(name)s: %(free)s of %(total)s free", name=name, free=n_free, total=total)
    return Mark(
        x=round(x, 1),
        y=round(y, 1),
        radius=15.0 if len(cell) == 1 else 19.0,
        text=str(n_free),
        title=title,
        tone="ok" if n_free else "off",
        href=f"/drive/l/{first.location_id}" if len(cell) == 1 else f"#l-{first.location_id}",
    )


def _x(longitude: float | None) -> float:
    return (longitude or 0.0) / 360 + 0.5


def _y(latitude: float | None) -> float:
    bounded = max(-85.0, min(85.0, latitude or 0.0))
    return 0.5 + math.log(math.tan(math.pi / 4 + math.radians(bounded) / 2)) / (2 * math.pi)


def _round_length(metres: float) -> float:
    power: float = 10 ** math.floor(math.log10(metres))
    return next(n * power for n in (5, 2, 1) if n * power <= metres)
