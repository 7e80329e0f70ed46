"""Cars: what a battery takes at a given state of charge, and when it has enough. Pure: no clock, no sockets."""

from itertools import pairwise
from random import Random

from msgspec import Struct

# Of what the meter counts, this much reaches the cells (AC: on-board charger; DC: cable and battery losses).
AC_EFFICIENCY = 0.90
DC_EFFICIENCY = 0.95
# Share of the rated power that a battery accepts, by state of charge: straight lines between the points.
DC_TAPER = ((0.0, 0.85), (0.10, 1.0), (0.50, 1.0), (0.65, 0.72), (0.80, 0.42), (0.90, 0.20), (1.0, 0.05))
AC_TAPER = ((0.0, 1.0), (0.93, 1.0), (1.0, 0.25))
MIN_AC_CURRENT_A = 6.0
VOLTAGE_V = 230.0


class CarModel(Struct, frozen=True):
    """A kind of car: battery in Wh, what its on-board charger and its DC inlet take in W."""

    battery_wh: int
    ac_power_w: int
    ac_phases: int
    dc_power_w: int


MODELS = (
    CarModel(24_000, 3_700, 1, 50_000),
    CarModel(40_000, 6_600, 1, 50_000),
    CarModel(45_000, 11_000, 3, 85_000),
    CarModel(52_000, 22_000, 3, 50_000),
    CarModel(58_000, 11_000, 3, 120_000),
    CarModel(64_000, 7_400, 1, 77_000),
    CarModel(75_000, 11_000, 3, 170_000),
    CarModel(77_000, 11_000, 3, 230_000),
    CarModel(82_000, 11_000, 3, 250_000),
    CarModel(95_000, 22_000, 3, 270_000),
    CarModel(105_000, 11_000, 3, 350_000),
)
WEIGHTS = (4, 8, 10, 9, 16, 8, 15, 12, 10, 4, 4)


def pick_model(random: Random) -> CarModel:
    """A model as often as it is seen on the road."""
    return random.choices(MODELS, WEIGHTS)[0]


def taper(curve: tuple[tuple[float, float], ...], soc: float) -> float:
    """The share of rated power accepted at a state of charge (0…1)."""
    for (low, share_low), (high, share_high) in pairwise(curve):
        if soc <= high:
            return share_low + (share_high - share_low) * max(0.0, soc - low) / (high - low)
    return curve[-1][1]


class Car:
    """One car during one visit. `soc` and `target_soc` are shares 0…1; `absorb` takes what the meter counted."""

    __slots__ = ("_capacity_wh", "_efficiency", "is_dc", "model", "soc", "target_soc")

    def __init__(self, model: CarModel, soc: float, target_soc: float, *, is_dc: bool) -> None:
        self.model = model
        self.soc = soc
        self.target_soc = max(soc, min(1.0, target_soc))
        self.is_dc = is_dc
        self._efficiency = DC_EFFICIENCY if is_dc else AC_EFFICIENCY
        self._capacity_wh = model.battery_wh

    @classmethod
    def needing(cls, model: CarModel, energy_wh: float, target_soc: float, *, is_dc: bool) -> "Car":
        """A car that arrives so empty that the meter will count `energy_wh` until it is content."""
        efficiency = DC_EFFICIENCY if is_dc else AC_EFFICIENCY
        soc = max(0.02, target_soc - energy_wh * efficiency / model.battery_wh)
        return cls(model, soc, target_soc, is_dc=is_dc)

    @property
    def is_content(self) -> bool:
        """It has what it came for."""
        return self.soc >= self.target_soc - 1e-6

    @property
    def missing_wh(self) -> float:
        """What the meter will still count until the car is content."""
        return max(0.0, (self.target_soc - self.soc) * self._capacity_wh / self._efficiency)

    @property
    def soc_percent(self) -> int:
        """State of charge as a station displays it."""
        return round(self.soc * 100)

    def wanted_power_w(self, offered_w: float, phases: int, *, limit_a: float | None = None) -> float:
        """What the car draws when the outlet offers `offered_w` (DC) or `limit_a` on `phases` phases (AC).

        An AC offer below 6 A means pause (IEC 61851-1); 0 then.
        """
        if self.is_content:
            return 0.0
        if self.is_dc:
            return min(offered_w, self.model.dc_power_w * taper(DC_TAPER, self.soc))
        used_phases = min(phases, self.model.ac_phases)
        current_a = self.model.ac_power_w / (self.model.ac_phases * VOLTAGE_V)
        # A three-phase charger on one phase keeps its current per phase; a one-phase car may draw up to 32 A there.
        if limit_a is not None:
            if limit_a < MIN_AC_CURRENT_A - 1e-9:
                return 0.0
            current_a = min(current_a, limit_a)
        wanted = current_a * used_phases * VOLTAGE_V * taper(AC_TAPER, self.soc)
        return min(offered_w, wanted)

    def absorb(self, energy_wh: float) -> None:
        """The meter has counted this much."""
        self.soc = min(1.0, self.soc + energy_wh * self._efficiency / self._capacity_wh)
