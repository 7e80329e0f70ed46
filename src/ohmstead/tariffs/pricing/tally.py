"""What a session has come to so far, by price: one more stretch costs the same however long the session is.

A stretch is cut wherever another price begins: at a time of day, after a duration, when an amount of energy is reached,
where the market's price changes. Where the meter says nothing at such a border, the energy of the stretch is taken to have
flowed evenly; the register at the border is cut to a millionth of a Wh, so that the pieces add up to what was measured.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.tariffs.pricing.calendar import NEVER, Window, us_of
from ohmstead.tariffs.pricing.plan import CHARGING, EXPIRED, PARKED, RESERVED, Active, Link, Plan, scaled

StretchKind: TypeAlias = Literal[
    "charging", "suspended_evse", "idle", "suspended_ev", "connected", "reserved", "reservation_expired"
]
# A car that would take power and gets none is charging (OCPI 2.3.0, PARKING_TIME); one that asks for none is parked.
_DOING = {
    "charging": CHARGING,
    "suspended_evse": CHARGING,
    "idle": PARKED,
    "suspended_ev": PARKED,
    "connected": PARKED,
    "reserved": RESERVED,
    "reservation_expired": EXPIRED,
}
MOST_DIGITS = 10  # of an energy in Wh, before the point


class Stretch(Struct, frozen=True, kw_only=True):
    """A piece of a session of one kind. `energy_wh`: what the meter counted in it.

    `power_w`, `current_a`: what flowed, the current as the sum over the phases. A power that is not told is the energy
    over the time; a current that is not told is 0 while parked and else unknown, which meets no restriction on it.
    """

    started_at: datetime
    ended_at: datetime
    kind: StretchKind = "charging"
    energy_wh: Decimal = Decimal(0)
    power_w: Decimal | None = None
    current_a: Decimal | None = None


class MarketPrices(Struct, frozen=True):
    """Prices per kWh of a series, by interval: `starts` and `ends` in µs, ascending; `prices` in 10^-16."""

    starts: list[int]
    ends: list[int]
    prices: list[int]

    @classmethod
    def of(cls, rows: list[tuple[datetime, datetime, Decimal]]) -> MarketPrices:
        """From (from, to, price per kWh), in any order; intervals do not overlap."""
        ordered = sorted(rows)
        starts, ends = [us_of(row[0]) for row in ordered], [us_of(row[1]) for row in ordered]
        return cls(starts, ends, [scaled(row[2]) for row in ordered])

    def at(self, instant: int) -> tuple[int | None, int]:
        """The price then, None where none is told, and until when that holds."""
        place = bisect_right(self.starts, instant) - 1
        if place >= 0 and instant < self.ends[place]:
            return self.prices[place], self.ends[place]
        return None, self.starts[place + 1] if place + 1 < len(self.starts) else NEVER


class Part(Struct, array_like=True):
    """What one price of a market gave: quantity, price in 10^-16, and whether the series told it."""

    first: int
    last: int
    quantity: int
    price: int
    is_told: bool


class Cell(Struct, array_like=True):
    """What one price counted: on one day where days matter. `first`, `last`: the time it spans in µs."""

    component: int
    day: int
    quantity: int
    first: int
    last: int
    parts: list[Part] = []


class Tally(Struct):
    """Where a session stands; can be kept as JSON and gone on with. Times in µs, energies in µWh.

    `phase_at`: when the reservation, or the session after it, began; `idle`: idle time since charging began.
    """

    at: int
    phase_at: int
    energy: int = 0
    phase: int = -1
    has_charged: bool = False
    idle: int = 0
    cells: list[Cell] = []
    flats: int = 0
    last_energy: int = -1
    last_time: int = -1
    last_reserved: int = -1
    last_idle: int = -1


class Meter:
    """A tally and what adds to it: fast, because it knows until when nothing changes."""

    __slots__ = (
        *("plan", "tally", "_market", "_places"),
        *("_until", "_ceiling", "_doing", "_power", "_current", "_energy_place", "_time_place", "_part"),
        *("_is_idle", "_idle_place", "_last_at", "_last_us"),
    )

    def __init__(self, plan: Plan, tally: Tally, market: Mapping[str, MarketPrices] | None = None) -> None:
        self.plan = plan
        self.tally = tally
        self._market = market or {}
        self._places = {(cell.component, cell.day): place for place, cell in enumerate(tally.cells)}
        # What follows holds until `_until` (µs) and below `_ceiling` (µWh), while doing, power and current stay.
        self._until = 0
        self._ceiling = 0
        self._doing = -1
        self._power: int | None = None
        self._current: int | None = None
        self._energy_place = self._time_place = -1
        self._part: Part | None = None
        self._last_at: datetime | None = None
        self._last_us = 0
        self._is_idle = False
        self._idle_place = -1

    @classmethod
    def begin(cls, plan: Plan, at: datetime, market: Mapping[str, MarketPrices] | None = None) -> Meter:
        """For a session, or its reservation, that begins then."""
        instant = us_of(at)
        return cls(plan, Tally(at=instant, phase_at=instant), market)

    def add(self, stretch: Stretch) -> None:
        """Count one more stretch. Raises Invalid for one that ends before it begins, or begins before the last one ended.

        Time between stretches, of which nobody tells anything, costs nothing.
        """
        energy, power, current = stretch.energy_wh, stretch.power_w, stretch.current_a
        try:
            counted = int(energy * 1_000_000) if energy.adjusted() < MOST_DIGITS else -1
        except (ValueError, OverflowError, InvalidOperation):
            counted = -1
        if counted < 0:
            raise Invalid(f"no energy that a session can have: {energy}", field="energy_wh")
        # Most stretches begin where the one before ended; an instant takes longer to count than to compare.
        start = self._last_us if stretch.started_at == self._last_at else us_of(stretch.started_at)
        end = us_of(stretch.ended_at)
        self.count(
            start,
            end,
            counted,
            _DOING[stretch.kind],
            None if power is None else int(power * 1000),
            None if current is None else int(current * 1000),
        )
        self._last_at, self._last_us = stretch.ended_at, end

    def count(self, start: int, end: int, energy: int, doing: int, power: int | None, current: int | None) -> None:
        """The same in whole numbers: µs, µWh, mW, mA."""
        tally, plan = self.tally, self.plan
        if end < start or start < tally.at:
            raise Invalid("stretches come in their order, and end after they begin", field="started_at")
        if start > tally.at:
            tally.at, self._until = start, 0
        if not plan.powers:
            power = None
        elif power is None:
            # µWh in µs to mW
            power = energy * 3_600_000 // (end - start) if end > start else 0
        if not plan.currents:
            current = None
        elif current is None and doing != CHARGING:
            current = 0
        if (
            end <= self._until
            and doing == self._doing
            and tally.energy + energy < self._ceiling
            and power == self._power
            and current == self._current
        ):
            self._put(end, energy)
        else:
            self._cut(end, energy, doing, power, current)

    def _put(self, end: int, energy: int) -> None:
        """All of it where the stretch before went."""
        tally = self.tally
        if energy and self._energy_place >= 0:
            self._fill(self._energy_place, energy, end)
            if self._part is not None:
                self._part.quantity += energy
                self._part.last = end
            tally.last_energy = self._energy_place
        if self._time_place >= 0 and end > tally.at:
            self._fill(self._time_place, end - tally.at, end)
            if self._doing <= PARKED:
                tally.last_time = self._time_place
            else:
                tally.last_reserved = self._time_place
        if self._is_idle:
            tally.idle += end - tally.at
            if self._idle_place >= 0 and end > tally.at:
                self._fill(self._idle_place, end - tally.at, end)
                tally.last_idle = self._idle_place
        elif end > tally.at and self._doing == CHARGING:
            tally.has_charged = True
        tally.energy += energy
        tally.at = end

    def _cut(self, end: int, energy: int, doing: int, power: int | None, current: int | None) -> None:
        """Piece by piece, each until something changes."""
        tally, plan = self.tally, self.plan
        self._enter(doing)
        start, before, after = tally.at, tally.energy, tally.energy + energy
        span = end - start
        while True:
            now, have = tally.at, tally.energy
            window = plan.calendar.window(now)
            duration = now - tally.phase_at
            active = plan.active(doing, window.mask, have, duration, power, current)
            until = min(window.until, self._next_duration(duration), self._market_until(active.energy, now))
            is_idle = doing == PARKED and tally.has_charged and plan.idle >= 0
            if is_idle and tally.idle < plan.grace_us:
                until = min(until, now + plan.grace_us - tally.idle)
            stop = min(end, until)
            reached = after if stop == end else before + energy * (stop - start) // span
            place = bisect_right(plan.energies, have)
            ceiling = plan.energies[place] if place < len(plan.energies) else NEVER
            if reached >= ceiling:
                # The first microsecond at which so much has flowed.
                stop = max(now, start - (before - ceiling) * span // energy)
                reached = ceiling
            pays_idle = is_idle and tally.idle >= plan.grace_us and bool(window.mask & plan.idle_bit)
            if is_idle:
                self._add_idle(stop - now, window, pays_idle)
            self._add_piece(stop, reached - have, active, window.day, doing)
            if stop >= end and reached >= after:
                break
        self._part = None
        if active.energy >= 0 and plan.components[active.energy].market is not None:
            cell = tally.cells[self._place(active.energy, window.day)]
            if cell.parts and reached > have:
                self._part = cell.parts[-1]
            else:
                # No energy came at this price yet, so there is no part that more could be added to: any energy cuts anew.
                ceiling = tally.energy + 1
        self._until, self._ceiling = until, ceiling
        self._is_idle = is_idle
        self._idle_place = self._place(plan.idle, window.day) if pays_idle else -1
        self._doing, self._power, self._current = doing, power, current
        self._energy_place = self._place(active.energy, window.day) if active.energy >= 0 else -1
        self._time_place = self._place(active.time, window.day) if active.time >= 0 else -1

    def _enter(self, doing: int) -> None:
        """A reservation and the session after it have clocks of their own; the first of them began when all did."""
        tally = self.tally
        phase = doing >> 1
        if phase != tally.phase:
            if tally.phase >= 0:
                tally.phase_at = tally.at
            tally.phase = phase

    def _next_duration(self, duration: int) -> int:
        durations = self.plan.durations
        place = bisect_right(durations, duration)
        return self.tally.phase_at + durations[place] if place < len(durations) else NEVER

    def _add_piece(self, stop: int, energy: int, active: Active, day: int, doing: int) -> None:
        tally = self.tally
        span = stop - tally.at
        phase = doing >> 1
        if active.flat >= 0 and not tally.flats >> phase & 1:
            tally.flats |= 1 << phase
            self._fill(self._place(active.flat, day), 1, tally.at)
        if active.energy >= 0 and energy:
            self._add_energy(active.energy, day, stop, energy)
        if active.time >= 0 and span:
            place = self._place(active.time, day)
            self._fill(place, span, stop)
            if phase == 0:
                tally.last_time = place
            else:
                tally.last_reserved = place
        if doing == CHARGING and span:
            tally.has_charged = True
        tally.energy += energy
        tally.at = stop

    def _add_idle(self, span: int, window: Window, pays_idle: bool) -> None:
        tally = self.tally
        if span and pays_idle:
            place = tally.last_idle = self._place(self.plan.idle, window.day)
            self._fill(place, span, tally.at + span)
        tally.idle += span

    def _add_energy(self, component: int, day: int, stop: int, energy: int) -> None:
        tally, known = self.tally, self.plan.components[component]
        place = tally.last_energy = self._place(component, day)
        self._fill(place, energy, stop)
        if known.market is None:
            return
        told = self._market_at(known.market, tally.at)[0]
        price = known.price if told is None else known.market.price(told)
        parts = tally.cells[place].parts
        if parts and parts[-1].price == price and parts[-1].is_told == (told is not None):
            parts[-1].quantity += energy
            parts[-1].last = stop
        else:
            parts.append(Part(tally.at, stop, energy, price, told is not None))

    def _market_until(self, component: int, now: int) -> int:
        link = self.plan.components[component].market if component >= 0 else None
        return NEVER if link is None else self._market_at(link, now)[1]

    def _market_at(self, link: Link, now: int) -> tuple[int | None, int]:
        prices = self._market.get(link.series)
        return (None, NEVER) if prices is None else prices.at(now)

    def _fill(self, place: int, quantity: int, stop: int) -> None:
        cell = self.tally.cells[place]
        if not cell.quantity:
            cell.first = self.tally.at
        cell.quantity += quantity
        cell.last = stop

    def _place(self, component: int, day: int) -> int:
        """Where in the tally a price counts on that day; made where it is not there yet."""
        place = self._places.get((component, day))
        if place is None:
            place = self._places[component, day] = len(self.tally.cells)
            self.tally.cells.append(Cell(component, day, 0, self.tally.at, self.tally.at))
        return place


def as_json(tally: Tally) -> bytes:
    """To keep a tally."""
    return msgspec.json.encode(tally)


def from_json(data: bytes | str) -> Tally:
    """A tally that was kept."""
    return msgspec.json.decode(data, type=Tally)


__all__ = ["Cell", "MarketPrices", "Meter", "Part", "Stretch", "StretchKind", "Tally", "as_json", "from_json"]
