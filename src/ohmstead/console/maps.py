"""A map that needs nobody: sites projected, fitted into the frame, labelled where labels fit. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from ohmstead.core.language import _, grouped, n_
from ohmstead.reports.model import Site
from ohmstead.ui import figures

WIDTH, HEIGHT, MARGIN = 728.0, 216.0, 24.0
LETTER = 6.3
LINE = 15.0
MOST_MARKS = 120
SMALLEST_CELL = 24.0
SMALLEST_SPAN = 0.004  # degrees; one site alone is shown with its surroundings


class Mark(Struct, frozen=True, kw_only=True):
    """A site on the drawing. Without `label` there was no room for one."""

    x: float
    y: float
    radius: float
    tone: str
    sign: str
    name: str
    title: str
    path: str
    label: str = ""
    label_x: float = 0
    label_y: float = 0
    anchor: str = "start"


class Drawn(Struct, frozen=True, kw_only=True):
    """The map: marks, a grid, and a bar for the scale."""

    marks: list[Mark]
    grid_x: list[float]
    grid_y: list[float]
    bar_width: float
    bar_text: str
    summary: str
    height: float


def drawn(sites: Sequence[Site], height: float = HEIGHT) -> Drawn | None:
    """The map of some sites; None when none has coordinates. More than can be told apart are drawn as groups."""
    if not sites:
        return None
    points = [(_mercator_x(s.longitude), _mercator_y(s.latitude)) for s in sites]
    west, east = min(x for x, _y in points), max(x for x, _y in points)
    south, north = min(y for _x, y in points), max(y for _x, y in points)
    span = max(
        SMALLEST_SPAN / 360,
        (east - west) / ((WIDTH - 2 * MARGIN) / WIDTH),
        (north - south) * WIDTH / (height - 2 * MARGIN),
    )
    scale = WIDTH / span
    mid_x, mid_y = (west + east) / 2, (south + north) / 2
    placed = [
        (round(WIDTH / 2 + (x - mid_x) * scale, 1), round(height / 2 - (y - mid_y) * scale, 1)) for x, y in points
    ]
    latitude = sum(s.latitude for s in sites) / len(sites)
    metres_per_unit = 40_075_016 * math.cos(math.radians(latitude)) / scale
    bar_m = _round_length(metres_per_unit * 110)
    step = bar_m / metres_per_unit
    marked = list(zip(sites, placed, strict=True))
    cell = SMALLEST_CELL
    while len(marked) > MOST_MARKS:
        marked = _groups(list(zip(sites, placed, strict=True)), cell)
        cell *= 1.25
    return Drawn(
        marks=_labelled([_mark(site, x, y) for site, (x, y) in marked], height),
        grid_x=[round(n * step, 1) for n in range(1, int(WIDTH / step) + 1)],
        grid_y=[round(n * step, 1) for n in range(1, int(height / step) + 1)],
        bar_width=round(step, 1),
        bar_text=f"{grouped(f'{bar_m / 1000:g}')} km" if bar_m >= 1000 else f"{grouped(f'{bar_m:g}')} m",
        summary=_summary(sites),
        height=height,
    )


def _groups(marked: Sequence[tuple[Site, tuple[float, float]]], size: float) -> list[tuple[Site, tuple[float, float]]]:
    """Neighbours in a cell of the drawing as one site, in their middle, with what all of them have."""
    cells: dict[tuple[int, int], list[tuple[Site, tuple[float, float]]]] = {}
    for site, (x, y) in marked:
        cells.setdefault((int(x // size), int(y // size)), []).append((site, (x, y)))
    found = []
    for cell in cells.values():
        if len(cell) == 1:
            found += cell
            continue
        x, y = (round(sum(place[axis] for _site, place in cell) / len(cell), 1) for axis in (0, 1))
        sites = [site for site, _place in cell]
        group = Site(
            location_id=None,
            name=n_("%(n)s site", "%(n)s sites", len(sites)),
            latitude=sites[0].latitude,
            longitude=sites[0].longitude,
            n_stations=sum(s.n_stations for s in sites),
            n_offline=sum(s.n_offline for s in sites),
            n_faulted=sum(s.n_faulted for s in sites),
            n_charging=sum(s.n_charging for s in sites),
            n_connectors=sum(s.n_connectors for s in sites),
        )
        found.append((group, (x, y)))
    return found


def _mercator_x(longitude: float) -> float:
    return longitude / 360 + 0.5


def _mercator_y(latitude: float) -> float:
    bounded = max(-85.0, min(85.0, latitude))
    return 0.5 + math.log(math.tan(math.pi / 4 + math.radians(bounded) / 2)) / (2 * math.pi)


def _round_length(metres: float) -> float:
    power: float = 10 ** math.floor(math.log10(metres))
    return next(n * power for n in (5, 2, 1) if n * power <= metres)


def _mark(site: Site, x: float, y: float) -> Mark:
    tone, sign, words = "ok", "", []
    if site.n_charging:
        tone = "working"
        words.append(_("%(n)s charging", n=figures.number(site.n_charging)))
    if site.n_faulted:
        tone, sign = "failed", "×"
        words.insert(0, _("%(n)s out of order", n=figures.number(site.n_faulted)))
    if site.n_offline:
        tone, sign = "failed", "×"
        words.insert(0, _("%(n)s offline", n=figures.number(site.n_offline)))
    if site.n_stations and site.n_offline == site.n_stations:
        tone, sign = "failed", "×"
    path = f"/stations?location={site.location_id}"
    if site.location_id is None:
        path = "/stations?show=needs" if tone == "failed" else "/stations"
    stations = n_("%(n)s station", "%(n)s stations", site.n_stations)
    connectors = n_("%(n)s connector", "%(n)s connectors", site.n_connectors)
    state = ", ".join(words) or (_("all free") if site.n_stations else _("no station yet"))
    title = f"{site.name}: {state}; {stations}, {connectors}"
    is_alarm = tone == "failed"
    label = f"{site.name} · {words[0]}" if is_alarm else site.name
    return Mark(
        x=x,
        y=y,
        radius=8 if is_alarm else 5.5,
        tone=tone,
        sign=sign,
        name=site.name,
        title=title,
        path=path,
        label=label,
    )


Box = tuple[float, float, float, float]


def _labelled(marks: list[Mark], height: float) -> list[Mark]:
    """Alarms get their labels first; a label that would cover another one or a mark is left out.

    An alarm is never left out: where there is no free place, it covers marks rather than other labels.
    """
    dots = [(m.x - m.radius - 1, m.y - m.radius - 1, m.x + m.radius + 1, m.y + m.radius + 1) for m in marks]
    words: list[Box] = []
    done: list[Mark] = []
    for mark in sorted(marks, key=lambda m: m.tone != "failed"):
        found = _free_place(mark, [*dots, *words], height)
        if found is None and mark.tone == "failed":
            found = _free_place(mark, words, height)
        if found is None:
            done.append(_relabelled(mark, "", 0, 0, "start"))
            continue
        anchor, box = found
        words.append(box)
        x = {"start": box[0] + 2, "end": box[2] - 2, "middle": (box[0] + box[2]) / 2}[anchor]
        done.append(_relabelled(mark, mark.label, round(x, 1), round(box[1] + 11.5, 1), anchor))
    # Alarms are drawn last, on top.
    return sorted(done, key=lambda m: m.tone == "failed")


def _free_place(mark: Mark, taken: Sequence[Box], height: float) -> tuple[str, Box] | None:
    """Beside, below or above the mark, within the map and off what is taken."""
    width, gap = len(mark.label) * LETTER + 4, mark.radius + 3
    corners = (
        ("start", mark.x + gap, mark.y - LINE / 2),
        ("end", mark.x - gap - width, mark.y - LINE / 2),
        ("middle", mark.x - width / 2, mark.y + gap),
        ("middle", mark.x - width / 2, mark.y - gap - LINE),
    )
    for anchor, x, y in corners:
        box = (x, y, x + width, y + LINE)
        is_inside = x >= 2 and box[2] <= WIDTH - 2 and y >= 2 and box[3] <= height - 2
        if is_inside and not any(_overlaps(box, other) for other in taken):
            return anchor, box
    return None


def _relabelled(mark: Mark, label: str, x: float, y: float, anchor: str) -> Mark:
    return Mark(
        x=mark.x,
        y=mark.y,
        radius=mark.radius,
        tone=mark.tone,
        sign=mark.sign,
        name=mark.name,
        title=mark.title,
        path=mark.path,
        label=label,
        label_x=x,
        label_y=y,
        anchor=anchor,
    )


def _overlaps(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _summary(sites: Sequence[Site]) -> str:
    alarms = [
        _(
            "%(name)s %(offline)s offline, %(faulted)s out of order",
            name=s.name,
            offline=figures.number(s.n_offline),
            faulted=figures.number(s.n_faulted),
        )
        for s in sites
        if s.n_offline or s.n_faulted
    ]
    if not alarms:
        return n_("%(n)s site, none with a problem", "%(n)s sites, none with a problem", len(sites))
    head = n_("%(n)s site", "%(n)s sites", len(sites))
    return f"{head}: {'; '.join(alarms[:8])}"
