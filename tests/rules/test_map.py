"""The map without a map service: everything in the frame, labels that can be read, alarms always named."""

import random

import pytest

from ohmstead.console import maps
from ohmstead.reports.model import Site


def site(name: str, latitude: float, longitude: float, **counts: int) -> Site:
    known = {"n_stations": 2, "n_offline": 0, "n_faulted": 0, "n_charging": 0, "n_connectors": 4}
    return Site(location_id=None, name=name, latitude=latitude, longitude=longitude, **{**known, **counts})


def town(n: int, spread: float) -> list[Site]:
    dice = random.Random(n)
    return [
        site(
            f"Site {i}",
            48 + dice.uniform(-spread, spread),
            16 + dice.uniform(-spread, spread),
            n_faulted=int(i % 9 == 0),
        )
        for i in range(n)
    ]


def test_without_sites_there_is_no_map() -> None:
    assert maps.drawn([]) is None


@pytest.mark.parametrize("spread", [0.0, 0.001, 0.05, 5.0, 30.0])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_every_site_is_in_the_frame(n: int, spread: float) -> None:
    drawn = maps.drawn(town(n, spread))
    assert drawn is not None
    assert len(drawn.marks) == n
    assert all(0 <= m.x <= maps.WIDTH and 0 <= m.y <= drawn.height for m in drawn.marks)
    assert drawn.bar_width < maps.WIDTH / 2


def test_north_is_up_and_east_is_right() -> None:
    drawn = maps.drawn([site("A", 48.0, 16.0), site("B", 48.1, 16.2)])
    assert drawn is not None
    by_name = {m.name: m for m in drawn.marks}
    assert by_name["B"].y < by_name["A"].y
    assert by_name["B"].x > by_name["A"].x


def test_labels_do_not_cover_each_other_and_alarms_have_theirs() -> None:
    drawn = maps.drawn(town(60, 0.05))
    assert drawn is not None
    boxes = []
    for mark in drawn.marks:
        assert mark.label or mark.tone != "failed"
        if mark.label:
            width = len(mark.label) * maps.LETTER
            left = mark.label_x - {"start": 0, "end": width, "middle": width / 2}[mark.anchor]
            boxes.append((left, mark.label_y - 11, left + width, mark.label_y + 2))
    assert len(boxes) > 10
    overlapping = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping == []


def test_hundreds_of_sites_are_drawn_as_groups_that_hide_no_alarm() -> None:
    sites = town(600, 3.0)
    drawn = maps.drawn(sites)
    assert drawn is not None
    assert len(drawn.marks) <= maps.MOST_MARKS
    assert drawn.summary.startswith("600 sites")
    counted = [int(m.name.split()[0]) if m.name.endswith(" sites") else 1 for m in drawn.marks]
    assert sum(counted) == 600
    broken = [m for m in drawn.marks if m.tone == "failed"]
    told = sum(int(m.title.partition(": ")[2].split()[0]) for m in broken)
    assert told == sum(s.n_faulted for s in sites)
    assert {m.path for m in broken if m.name.endswith(" sites")} == {"/stations?show=needs"}
