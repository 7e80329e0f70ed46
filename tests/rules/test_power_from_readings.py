"""Power curves of sessions: measured where it was, else from the register, never invented."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ohmstead.console.timeline import powers

T0 = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
Reading = tuple[int, float | None, float | None]  # minute, register in Wh, power in W


def curve(*readings: Reading) -> list[tuple[int, float]]:
    rows: list[dict[str, Any]] = [
        {"session_id": 1, "sampled_at": T0 + timedelta(minutes=m), "energy_wh": e, "power_w": p} for m, e, p in readings
    ]
    return [(int((at - T0).total_seconds() / 60), round(w)) for at, w in powers(rows).get(1, [])]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        # start and stop alone: level at the mean
        ([(0, 1000, None), (60, 12_000, None)], [(0, 11_000), (60, 11_000)]),
        # register only: a level stretch between each two readings
        ([(0, 0, None), (30, 5000, None), (60, 5000, None)], [(0, 10_000), (30, 10_000), (30, 0), (60, 0)]),
        # power measured in between; begin and end take the mean of the stretch beside them
        ([(0, 0, None), (30, 5000, 11_000), (60, 7000, None)], [(0, 10_000), (30, 11_000), (60, 4000)]),
        ([(0, 0, 7000), (30, 3500, 7000)], [(0, 7000), (30, 7000)]),
        # nothing to tell it from
        ([(0, None, None), (30, 500, None)], []),
        ([(0, 500, None)], []),
        # a register that fell tells nothing of power
        ([(0, 900, None), (30, 100, None)], []),
    ],
)
def test_power_is_measured_or_the_mean_of_the_register(
    readings: list[Reading], expected: list[tuple[int, float]]
) -> None:
    assert curve(*readings) == expected
