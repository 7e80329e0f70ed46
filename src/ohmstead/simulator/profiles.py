"""Charging profiles as a station keeps and obeys them (OCPP 1.6 §3.13, OCPP 2.x part 2 K). Pure.

Per purpose the valid profile with the highest stack level leads; a TxProfile takes the place of the TxDefaultProfile;
the station's maximum and external constraints bound whatever remains. Limits are kept as sent (A or W).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.simulator.car import VOLTAGE_V

Purpose: TypeAlias = Literal["station_max", "external", "tx_default", "tx", "priority", "local_generation"]
Kind: TypeAlias = Literal["absolute", "recurring", "relative", "dynamic"]
Unit: TypeAlias = Literal["A", "W"]

DC_VOLTAGE_V = 400.0
MAX_STACK_LEVEL = 10
MAX_PERIODS = 48
MAX_PROFILES = 40
_DAY = timedelta(days=1)


class Period(Struct, frozen=True):
    """From `start_s` after the schedule's start on: a limit in the schedule's unit. None: no limit of its own."""

    start_s: int
    limit: float | None
    phases: int | None = None
    operation: str | None = None


class Limit(Struct, frozen=True):
    """What profiles allow at an instant. Both None: nothing is forbidden."""

    power_w: float | None = None
    current_a: float | None = None

    def watts(self, phases: int, *, is_dc: bool) -> float | None:
        """The limit in W; amperes count per phase on AC, against 400 V on DC."""
        volts = DC_VOLTAGE_V if is_dc else VOLTAGE_V * phases
        return _least(self.power_w, None if self.current_a is None else self.current_a * volts)

    def amperes(self, phases: int, *, is_dc: bool) -> float | None:
        """The limit in A, per phase on AC."""
        volts = DC_VOLTAGE_V if is_dc else VOLTAGE_V * phases
        return _least(self.current_a, None if self.power_w is None else self.power_w / volts)

    def within(self, other: "Limit") -> "Limit":
        """The stricter of both, unit by unit."""
        return Limit(_least(self.power_w, other.power_w), _least(self.current_a, other.current_a))

    def shared(self, parts: int) -> "Limit":
        """An equal part of the limit, for one of `parts` outlets that charge."""
        if parts <= 1:
            return self
        return Limit(
            None if self.power_w is None else self.power_w / parts,
            None if self.current_a is None else self.current_a / parts,
        )


NO_LIMIT = Limit()


class Profile(Struct, frozen=True):
    """One profile in force on `evse_number` (0: the whole station; for a default: each EVSE).

    2.1: `limit_at_soc` is a percentage and the limit from there on; every period begins `delay_s` later, which the station
    draws within `random_delay_s`; offline it is good for `offline_for_s`, and gone for good after that if
    `is_invalid_after_offline`.
    """

    profile_id: int
    evse_number: int
    purpose: Purpose
    stack_level: int
    kind: Kind
    unit: Unit
    periods: tuple[Period, ...]
    start_at: datetime | None = None
    duration_s: int | None = None
    recurrency: Literal["daily", "weekly"] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None
    min_rate: float | None = None
    schedule_id: int = 1
    limit_at_soc: tuple[int, float] | None = None
    random_delay_s: int = 0
    delay_s: float = 0.0
    offline_for_s: int | None = None
    is_invalid_after_offline: bool = False
    update_interval_s: int = 0

    def limit_at(self, at: datetime, started_at: datetime | None) -> Limit | None:
        """The limit in force, or None where the profile says nothing. `started_at`: begin of the transaction."""
        if (self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to):
            return None
        origin = self._origin(at, started_at)
        if origin is None:
            return None
        elapsed_s = (at - origin).total_seconds() - self.delay_s
        if elapsed_s < 0 or (self.duration_s is not None and elapsed_s >= self.duration_s):
            return None
        found: Period | None = None
        for period in self.periods:
            if period.start_s > elapsed_s:
                break
            found = period
        if found is None:
            return None
        return NO_LIMIT if found.limit is None else self.of_limit(found.limit)

    def _origin(self, at: datetime, started_at: datetime | None) -> datetime | None:
        if self.kind == "relative":
            return started_at
        start = self.start_at or started_at or self.valid_from
        if start is not None and self.kind == "recurring":
            every = 7 * _DAY if self.recurrency == "weekly" else _DAY
            # Floor division finds the latest begin at or before `at`, also of a schedule that starts in the future.
            return start + every * ((at - start) // every)
        return start

    def is_out_of_time(self, offline_since: datetime | None, at: datetime) -> bool:
        """Offline for longer than it is good for."""
        if offline_since is None or self.offline_for_s is None:
            return False
        return (at - offline_since).total_seconds() >= self.offline_for_s

    def of_limit(self, value: float) -> Limit:
        """A number in the profile's unit."""
        return Limit(power_w=value) if self.unit == "W" else Limit(current_a=value)

    def edges_after(self, at: datetime, started_at: datetime | None) -> list[datetime]:
        """Instants after `at` at which the profile may say something else."""
        edges = [t for t in (self.valid_from, self.valid_to) if t is not None]
        origin = self._origin(at, started_at)
        if origin is not None:
            ends = [p.start_s for p in self.periods] + ([] if self.duration_s is None else [self.duration_s])
            edges += [origin + timedelta(seconds=s + self.delay_s) for s in ends]
            if self.kind == "recurring":
                edges.append(origin + (7 * _DAY if self.recurrency == "weekly" else _DAY))
        return [t for t in edges if t > at]


class Slot(Struct, frozen=True):
    """One step of a composite schedule: from `start_s` on this limit, in the unit asked for."""

    start_s: int
    limit: float


class Outlet(Struct, frozen=True):
    """What the stack must know of the outlet it answers for."""

    evse_number: int
    phases: int
    is_dc: bool
    max_power_w: float
    transaction_id: str | None = None
    started_at: datetime | None = None
    charging_outlets: int = 1
    soc_percent: float | None = None


class ProfileStack:
    """All profiles installed at one station. It has no clock: every question names its instant."""

    __slots__ = ("offline_since", "prioritised", "profiles")

    def __init__(self) -> None:
        self.profiles: list[Profile] = []
        self.prioritised: set[str] = set()
        self.offline_since: datetime | None = None

    def install(self, profile: Profile) -> str | None:
        """Keep a profile. Returns None, or why it is refused.

        It replaces the one with the same id, and the one with the same purpose, stack level and place (K01.FR.05/06).
        """
        if not profile.periods or profile.periods[0].start_s != 0:
            return "the first period must start at 0"
        if profile.stack_level > MAX_STACK_LEVEL:
            return f"stack level above {MAX_STACK_LEVEL}"
        if len(profile.periods) > MAX_PERIODS:
            return f"more than {MAX_PERIODS} periods"
        if profile.purpose == "station_max" and (profile.evse_number != 0 or profile.kind == "relative"):
            return "a station maximum belongs to EVSE 0 and is not relative"
        if profile.kind == "recurring" and profile.recurrency is None:
            return "a recurring profile needs its recurrency"
        if profile.kind in ("absolute", "recurring") and profile.start_at is None and profile.purpose == "station_max":
            return "an absolute schedule needs its start"
        if profile.purpose == "tx" and profile.transaction_id is None:
            return "a TxProfile needs its transaction"
        self.remove(
            lambda p: (
                p.profile_id == profile.profile_id
                or (p.purpose, p.stack_level, p.evse_number, p.transaction_id)
                == (profile.purpose, profile.stack_level, profile.evse_number, profile.transaction_id)
            )
        )
        if len(self.profiles) >= MAX_PROFILES:
            return f"more than {MAX_PROFILES} profiles"
        self.profiles.append(profile)
        return None

    def remove(self, matches: Callable[[Profile], bool]) -> int:
        """Forget the profiles that match; how many that were."""
        before = len(self.profiles)
        self.profiles = [p for p in self.profiles if not matches(p)]
        return before - len(self.profiles)

    def end_transaction(self, transaction_id: str) -> None:
        """TxProfiles live no longer than their transaction."""
        self.remove(lambda p: p.purpose == "tx" and p.transaction_id == transaction_id)
        self.prioritised.discard(transaction_id)

    @property
    def minds_the_line(self) -> bool:
        """Something here is good only for a while without a CSMS."""
        return any(p.offline_for_s is not None for p in self.profiles)

    def came_back(self, at: datetime) -> int:
        """The line is up again: profiles that did not outlast its absence are forgotten; how many that were (2.1 K01)."""
        since, self.offline_since = self.offline_since, None
        return self.remove(lambda p: p.is_invalid_after_offline and p.is_out_of_time(since, at))

    def limit_at(self, outlet: Outlet, at: datetime) -> Limit:
        """What the outlet may draw at an instant."""
        allowed = self._leading("tx", outlet, at) or self._leading("tx_default", outlet, at) or NO_LIMIT
        if outlet.transaction_id in self.prioritised:
            allowed = self._leading("priority", outlet, at) or allowed
        for purpose in ("station_max", "external"):
            bound = self._leading(purpose, outlet, at)
            if bound is not None:
                allowed = allowed.within(bound.shared(outlet.charging_outlets))
        return allowed

    def _leading(self, purpose: str, outlet: Outlet, at: datetime) -> Limit | None:
        best: Limit | None = None
        best_rank = (-1, -1)
        for profile in self.profiles:
            if profile.purpose != purpose or profile.evse_number not in (0, outlet.evse_number):
                continue
            if purpose == "tx" and profile.transaction_id != outlet.transaction_id:
                continue
            if profile.is_out_of_time(self.offline_since, at):
                continue
            rank = (profile.stack_level, profile.evse_number)
            if rank <= best_rank:
                continue
            limit = profile.limit_at(at, outlet.started_at)
            if limit is not None:
                best, best_rank = limit.within(_limit_of_battery(profile, outlet)), rank
        return best

    def next_change_s(self, outlet: Outlet, at: datetime) -> float | None:
        """Seconds until the outlet's limit may change by itself; None: not foreseeable."""
        edges = [
            edge
            for p in self.profiles
            if p.evse_number in (0, outlet.evse_number)
            for edge in p.edges_after(at, outlet.started_at)
        ]
        return (min(edges) - at).total_seconds() if edges else None

    def composite(self, outlet: Outlet, at: datetime, duration_s: int, unit: Unit) -> list[Slot]:
        """The schedule that results for the coming `duration_s` (1.6 GetCompositeSchedule, 2.x K08).

        Where nothing limits, the outlet's own maximum stands.
        """
        end = at + timedelta(seconds=duration_s)
        instants = {at}
        for profile in self.profiles:
            cursor = at
            for _ in range(2 * MAX_PERIODS):
                edges = [e for e in profile.edges_after(cursor, outlet.started_at) if e < end]
                if not edges:
                    break
                cursor = min(edges)
                instants.add(cursor)
        own = Limit(power_w=outlet.max_power_w)
        slots: list[Slot] = []
        for instant in sorted(instants):
            limit = self.limit_at(outlet, instant).within(own)
            value = (
                limit.watts(outlet.phases, is_dc=outlet.is_dc)
                if unit == "W"
                else limit.amperes(outlet.phases, is_dc=outlet.is_dc)
            )
            value = round(value or 0.0, 1)
            if not slots or slots[-1].limit != value:
                slots.append(Slot(int((instant - at).total_seconds()), value))
        return slots


def _limit_of_battery(profile: Profile, outlet: Outlet) -> Limit:
    """From a state of charge on a schedule may allow less (2.1 limitAtSoC)."""
    if profile.limit_at_soc is None or outlet.soc_percent is None or outlet.soc_percent < profile.limit_at_soc[0]:
        return NO_LIMIT
    return profile.of_limit(profile.limit_at_soc[1])


def _least(a: float | None, b: float | None) -> float | None:
    if a is None:
        return b
    return a if b is None else min(a, b)
