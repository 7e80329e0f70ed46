"""Charging periods of a session that goes on, as it would settle now, added up between borders. Pure.

A settled session has whole Wh in its periods, and what is left over in the longest of them (metering.periods). Where energy
is to be cut at an instant within a period, as if it had flowed evenly in it, that depends on where the period began and ends;
of periods between two borders only the sum matters. So little is kept, however long the session is.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Final

from msgspec import Struct

from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.pricing.calendar import instant_of

_CHARGING: Final = "charging"
_UWH: Final = 1_000_000


class Span(Struct, array_like=True, frozen=True):
    """A period, or several: from, to in µs, and Wh."""

    start: int
    end: int
    energy_wh: int


class Spans(Struct, array_like=True):
    """What periods there were until `at`, where the last one goes on that began then with `energy_wh` on the line.

    `sums`: Wh of periods that lie between two of the `borders`; `across`: periods that go over one. The longest so far of a
    charging car, and of one that is not, stand by themselves.
    """

    borders: list[int]
    started: int
    at: int
    energy_wh: int = 0
    kind: str = ""
    sums: list[int] = []
    across: list[Span] = []
    longest: Span | None = None
    longest_idle: Span | None = None

    def turn(self, at: int, kind: str, energy_wh: int) -> None:
        """From now on it is of this kind. `energy_wh`: what the line shows there, cut to whole Wh."""
        if kind == self.kind:
            return
        self._close(at, energy_wh)
        self.at, self.energy_wh, self.kind = at, energy_wh, kind

    def until(self, at: int, energy_uwh: int) -> list[ChargingPeriod]:
        """What it comes to when it ends now, with that much energy in µWh; what lies between two borders is told as one instant
        there. It ends here: go on with a copy.
        """
        self._close(at, energy_uwh // _UWH)
        long = self.longest or self.longest_idle
        found = [one for one in (self.longest, self.longest_idle) if one is not None and one is not long]
        starts = [self.started, *self.borders]
        found += [Span(at, at, wh) for at, wh in zip(starts, self.sums, strict=False) if wh]
        found += self.across
        if long is not None:
            left = energy_uwh - _UWH * (long.energy_wh + sum(one.energy_wh for one in found))
            return [*(_period(one) for one in found), _period(long, left)]
        return [_period(one) for one in found]

    def _close(self, at: int, energy_wh: int) -> None:
        if not self.kind or at <= self.at:
            return
        closed = Span(self.at, at, energy_wh - self.energy_wh)
        longest = self.longest if self.kind == _CHARGING else self.longest_idle
        if longest is not None and longest.end - longest.start >= closed.end - closed.start:
            self._add(closed)
            return
        if longest is not None:
            self._add(longest)
        if self.kind == _CHARGING:
            self.longest = closed
        else:
            self.longest_idle = closed

    def _add(self, one: Span) -> None:
        place = bisect_right(self.borders, one.start)
        if place < len(self.borders) and self.borders[place] < one.end:
            self.across.append(one)
            return
        self.sums += [0] * (place + 1 - len(self.sums))
        self.sums[place] += one.energy_wh


def _period(one: Span, more_uwh: int = 0) -> ChargingPeriod:
    energy = Decimal(one.energy_wh * _UWH + more_uwh).scaleb(-6)
    return ChargingPeriod(instant_of(one.start), instant_of(one.end), "charging", energy)
