"""From what a station told to stretches that can be priced: registers at their instants, and what went on when.

The register at a moment at which nobody read it lies on the line between the readings around it, cut to a millionth of a
Wh. Before the first reading and after the last one nothing flowed that anybody could bill.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from ohmstead.tariffs.pricing.calendar import instant_of, us_of
from ohmstead.tariffs.pricing.tally import Stretch, StretchKind


class Shown(Struct, frozen=True, kw_only=True):
    """What a meter showed: its register, and what flowed. Power and current hold until the next one."""

    at: datetime
    register_wh: Decimal
    power_w: Decimal | None = None
    current_a: Decimal | None = None


def stretches_of(
    shown: Sequence[Shown], kinds: Sequence[tuple[datetime, StretchKind]], until: datetime
) -> list[Stretch]:
    """Stretches between every reading and every change of kind, up to `until`. `kinds`: from when on what went on.

    The order does not matter. Of readings of one instant the highest counts; one below what was shown before counts as that
    (a register does not go back).
    """
    changes = sorted((us_of(at), kind) for at, kind in kinds)
    if not changes:
        return []
    first, end = changes[0][0], us_of(until)
    readings = _rising(shown)
    marks = {first, end} | {at for at, _ in changes} | {us_of(one.at) for one in shown}
    borders = sorted(mark for mark in marks if first <= mark <= end)
    starts = [at for at, _ in changes]
    found = []
    for start, stop in pairwise(borders):
        flowing = readings.at(start)
        found.append(
            Stretch(
                started_at=instant_of(start),
                ended_at=instant_of(stop),
                kind=changes[bisect_right(starts, start) - 1][1],
                energy_wh=Decimal(readings.register(stop) - readings.register(start)).scaleb(-6),
                power_w=flowing.power_w if flowing else None,
                current_a=flowing.current_a if flowing else None,
            )
        )
    return found


class _Readings:
    def __init__(self, ats: list[int], registers: list[int], shown: list[Shown]) -> None:
        self.ats = ats
        self.registers = registers
        self.shown = shown

    def register(self, at: int) -> int:
        """In µWh at an instant."""
        if not self.ats:
            return 0
        place = bisect_left(self.ats, at)
        if place == 0:
            return self.registers[0]
        if place == len(self.ats):
            return self.registers[-1]
        before, after = self.ats[place - 1], self.ats[place]
        low, high = self.registers[place - 1], self.registers[place]
        return low + (high - low) * (at - before) // (after - before)

    def at(self, at: int) -> Shown | None:
        """The reading that holds at an instant."""
        place = bisect_right(self.ats, at) - 1
        return self.shown[place] if place >= 0 else None


def _rising(shown: Sequence[Shown]) -> _Readings:
    ats: list[int] = []
    registers: list[int] = []
    kept: list[Shown] = []
    for one in sorted(shown, key=lambda one: (one.at, one.register_wh)):
        at, register = us_of(one.at), int(one.register_wh * 1_000_000)
        register = max(register, registers[-1]) if registers else register
        if ats and ats[-1] == at:
            registers[-1], kept[-1] = register, one
        else:
            ats.append(at)
            registers.append(register)
            kept.append(one)
    return _Readings(ats, registers, kept)
