"""A tariff made ready for one time zone: what applies at a moment is looked up, not searched for.

Whole numbers all through: energy in millionths of a Wh, time in microseconds, prices in 10^-16 of the currency's unit.
Nothing is rounded in here, so nothing depends on the order in which things are added.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from ohmstead.core.money import minor_units
from ohmstead.tariffs.model import MarketLink, PriceComponent, Tariff, TariffElement, TariffRestrictions, TariffTax
from ohmstead.tariffs.pricing.calendar import NEVER, Calendar, CalendarRule, rule_of, span_of

LineKind: TypeAlias = Literal["ENERGY", "TIME", "PARKING_TIME", "FLAT", "IDLE", "RESERVATION", "RESERVATION_FEE"]

SCALE = 10**16
UWH = 1_000_000  # in a Wh
KWH_UWH = 1_000_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000

# What goes on, as the tally counts it.
CHARGING, PARKED, RESERVED, EXPIRED = range(4)
_NO_BOUND = 10**40
_NO_RESTRICTIONS = TariffRestrictions()


class Link(NamedTuple):
    """A price that follows a series: factor in millionths, the rest in 10^-16 per kWh."""

    series: str
    factor: int
    adder: int
    floor: int
    cap: int

    def price(self, told: int) -> int:
        """The price that the series' price leads to; both in 10^-16 per kWh. Series have at most 8 decimals: exact."""
        price = told * self.factor // 1_000_000 + self.adder
        return self.floor if price < self.floor else self.cap if price > self.cap else price


class Component(NamedTuple):
    """One price of the tariff. `element` counts from 1 as people do; 0 is the idle fee.

    `price` in 10^-16 for a unit; `unit`: how many of what is counted make one; `step`: billed in blocks of so many.
    """

    kind: LineKind
    element: int
    price: int
    unit: int
    step: int
    taxes: tuple[TariffTax, ...]
    market: Link | None
    restrictions: TariffRestrictions | None


class Active(NamedTuple):
    """What applies: places in `components`, -1 for nothing."""

    energy: int
    time: int
    flat: int


class Plan:
    """A tariff for a time zone. Immutable but for what it remembers of its own answers."""

    def __init__(self, tariff: Tariff, zone: ZoneInfo) -> None:
        self.tariff = tariff
        self.zone = zone
        self.digits = minor_units(tariff.currency)
        self.minor = 10**self.digits
        self.components: list[Component] = []
        self._choices: list[_Choice] = []
        for number, element in enumerate(tariff.elements, 1):
            self._add(number, element)
        rules: list[CalendarRule | None] = [rule_of(element.restrictions) for element in tariff.elements]
        self.idle = self._add_idle(tariff, rules)
        self.has_days = tariff.max_per_day is not None
        self.calendar = Calendar(rules, zone, has_days=self.has_days)
        found = [element.restrictions or _NO_RESTRICTIONS for element in tariff.elements]
        self.energies = _thresholds(found, ("min_kwh", "max_kwh"), KWH_UWH)
        self.durations = _thresholds(found, ("min_duration", "max_duration"), 1_000_000)
        self.powers = _thresholds(found, ("min_power", "max_power"), 1_000_000)
        self.currents = _thresholds(found, ("min_current", "max_current"), 1_000)
        self._answers: dict[tuple[int, int, int, int, int, int], Active] = {}

    def _add(self, number: int, element: TariffElement) -> None:
        restrictions = element.restrictions
        reserved = restrictions is not None and restrictions.reservation is not None
        for given in element.price_components:
            self._choices.append(
                _Choice(len(self.components), number - 1, given.type, restrictions or _NO_RESTRICTIONS)
            )
            self.components.append(_component(given, number, restrictions, reserved))

    def _add_idle(self, tariff: Tariff, rules: list[CalendarRule | None]) -> int:
        """The place of the idle fee, which gets a bit of its own in the calendar; -1: there is none."""
        fee = tariff.idle_fee
        if fee is None:
            return -1
        if fee.start_time or fee.end_time:
            rules.append(CalendarRule(*span_of(fee.start_time, fee.end_time), None, None, frozenset()))
        else:
            rules.append(None)
        price, step = scaled(fee.price_per_minute), fee.step_size * 1_000_000
        self.components.append(Component("IDLE", 0, price, MINUTE_US, step, tuple(fee.taxes), None, None))
        self.grace_us = fee.grace_minutes * MINUTE_US
        self.idle_bit = 1 << (len(rules) - 1)
        return len(self.components) - 1

    def active(
        self, doing: int, mask: int, energy: int, duration: int, power: int | None, current: int | None
    ) -> Active:
        """What applies while `doing` goes on: energy so far in µWh, duration in µs, power in mW, current in mA.

        A power or current that nobody knows (None) meets no restriction on it.
        """
        key = (
            doing,
            mask,
            bisect_right(self.energies, energy),
            bisect_right(self.durations, duration),
            -1 if power is None else bisect_right(self.powers, power),
            -1 if current is None else bisect_right(self.currents, current),
        )
        answer = self._answers.get(key)
        if answer is None:
            state = _State(doing, mask, energy, duration, power, current)
            timed = "PARKING_TIME" if doing == PARKED else "TIME"
            answer = self._answers[key] = Active(
                self._first("ENERGY", state) if doing <= PARKED else -1,
                self._first(timed, state),
                self._first("FLAT", state),
            )
        return answer

    def _first(self, dimension: str, state: _State) -> int:
        for choice in self._choices:
            if choice.dimension == dimension and state.mask >> choice.bit & 1 and _holds(choice.restrictions, state):
                return choice.place
        # An expired reservation costs what any other does where nothing is said of expiry (OCPI).
        if state.doing == EXPIRED:
            return self._first(dimension, state._replace(doing=RESERVED))
        return -1


class _Choice(NamedTuple):
    place: int
    bit: int
    dimension: str
    restrictions: TariffRestrictions


class _State(NamedTuple):
    doing: int
    mask: int
    energy: int
    duration: int
    power: int | None
    current: int | None


def _holds(r: TariffRestrictions, state: _State) -> bool:
    """All that the calendar does not say."""
    wanted = {RESERVED: "RESERVATION", EXPIRED: "RESERVATION_EXPIRES"}.get(state.doing)
    return r.reservation == wanted and (
        _within(state.energy, r.min_kwh, r.max_kwh, KWH_UWH)
        and _within(state.duration, r.min_duration, r.max_duration, 1_000_000)
        and _within(state.power, r.min_power, r.max_power, 1_000_000)
        and _within(state.current, r.min_current, r.max_current, 1_000)
    )


def _within(value: int | None, low: Decimal | int | None, high: Decimal | int | None, unit: int) -> bool:
    if low is None and high is None:
        return True
    if value is None:
        return False
    return (low is None or value >= int(low * unit)) and (high is None or value < int(high * unit))


def _thresholds(found: Sequence[TariffRestrictions], names: tuple[str, str], unit: int) -> list[int]:
    given = {getattr(one, name) for one in found for name in names} - {None}
    return sorted({int(value * unit) for value in given})


def _component(
    given: PriceComponent, number: int, restrictions: TariffRestrictions | None, reserved: bool
) -> Component:
    kind: LineKind = given.type
    unit, step = {
        "ENERGY": (KWH_UWH, UWH),
        "TIME": (HOUR_US, 1_000_000),
        "PARKING_TIME": (HOUR_US, 1_000_000),
        "FLAT": (1, 0),
    }[given.type]
    if reserved:
        kind = "RESERVATION_FEE" if given.type == "FLAT" else "RESERVATION"
    taxes = tuple(given.taxes)
    market = None if given.market is None else _link(given.market)
    return Component(kind, number, scaled(given.price), unit, step * given.step_size, taxes, market, restrictions)


def _link(given: MarketLink) -> Link:
    floor = -_NO_BOUND if given.floor is None else scaled(given.floor)
    cap = _NO_BOUND if given.cap is None else scaled(given.cap)
    return Link(given.series, int(given.factor.scaleb(6)), scaled(given.adder), floor, cap)


def scaled(value: Decimal) -> int:
    """A price in 10^-16 of the currency's unit; exact for 16 decimals."""
    return int(value.scaleb(16).to_integral_value())


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name; raises KeyError for none (zoneinfo.ZoneInfoNotFoundError is one)."""
    return ZoneInfo(name)


def plan_of(tariff: Tariff, time_zone: str) -> Plan:
    """The tariff made ready. Worth keeping: it learns."""
    return Plan(tariff, zone_of(time_zone))


__all__ = [
    "CHARGING", "EXPIRED", "NEVER", "PARKED", "RESERVED", "SCALE", "Active", "Component", "LineKind", "Plan", "plan_of",
    "scaled",
]  # fmt: skip
