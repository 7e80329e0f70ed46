"""A session that goes on, counted as it goes: one more reading costs the same however long it is. Pure.

All that came until the last reading but one is in a tally that is kept; what came since is counted on a copy of it each
time. So the last reading may still change, and a state that is told late but after it needs nothing anew. Whatever would
change what was counted is noticed, and then everything is counted anew: the same comes out.

Energy flows evenly between readings. Without states from the station, time between two readings is charging where their
mean power reaches IDLE_W. (A settled session is priced by its charging periods, which are cut to whole Wh: where prices
change at a change of state, the final price can differ from this one by what a Wh costs.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from ohmstead.sessions import metering
from ohmstead.sessions.metering import IDLE_W, LARGEST_WH
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.pricing.spans import Spans
from ohmstead.tariffs.pricing import MarketPrices, Meter, Plan, Tally
from ohmstead.tariffs.pricing.calendar import instant_of, us_of
from ohmstead.tariffs.pricing.plan import CHARGING, PARKED

_DOING: Final = {
    "charging": CHARGING,
    "suspended_evse": CHARGING,
    "suspended_ev": PARKED,
    "connected": PARKED,
    "idle": PARKED,
}
STATES: Final = tuple(_DOING)
_UWH: Final = 1_000_000
_SUSPENDED: Final = ("suspended_ev", "suspended_evse")

T = TypeVar("T", bound=Struct)


class Told(Struct, frozen=True, kw_only=True):
    """What was told of a session, times in µs. Of a session that is gone on with: all states, and samples after `until`.

    `states`: (when, which); `samples`: when each was; `registers`: (when, µWh); `currents`: (when, mA over all phases).
    `n_samples`: how many samples the session has in all. `borders`: where its energy is to be cut. `edition`: of everything
    else that the price depends on.
    """

    n_samples: int
    states: list[tuple[int, str]]
    samples: list[int]
    registers: list[tuple[int, int]]
    currents: list[tuple[int, int]]
    borders: list[int] = []
    edition: str = ""


class Progress(Struct, frozen=True, array_like=True):
    """What is kept: the tally until `until` (µs), and what it was counted from, by which a change is noticed."""

    tally: Tally
    until: int
    energy: int
    started: int
    register: int
    n_before: int
    n_states: int
    opening: str
    current: int | None
    edition: str
    spans: Spans | None = None


class Step(Struct, frozen=True):
    """Where a session stands: `now` with all that was told, `kept` to go on from.

    `periods`: its charging periods, those between two borders in one; None where no border was told.
    """

    now: Tally
    kept: Progress
    periods: list[ChargingPeriod] | None


def as_bytes(progress: Progress) -> bytes:
    """To keep it."""
    return msgspec.msgpack.encode(progress)


def from_bytes(data: bytes) -> Progress | None:
    """What was kept; None for what an earlier version kept otherwise."""
    try:
        return msgspec.msgpack.decode(data, type=Progress)
    except msgspec.MsgspecError:
        return None


def begin(plan: Plan, session: Session, told: Told, market: Mapping[str, MarketPrices]) -> Step | None:
    """Count everything. None where only the whole session can be priced: its register was doubted, or is not there."""
    if not _is_clean(session):
        return None
    started = us_of(session.started_at)
    states = _states(told, started)
    meter = Meter.begin(plan, session.started_at, market)
    start = Progress(
        tally=meter.tally,
        until=started,
        energy=0,
        started=started,
        register=_uwh(session.register_start_wh),
        n_before=told.n_samples - sum(at > started for at in told.samples),
        n_states=bisect_right(states, started, key=_when),
        opening=_opening(states, started),
        current=None,
        edition=told.edition,
        spans=Spans(borders=told.borders, started=started, at=started) if told.borders else None,
    )
    return _count(plan, session, told, states, market, start)


def go_on(plan: Plan, session: Session, told: Told, market: Mapping[str, MarketPrices], kept: Progress) -> Step | None:
    """Count what came since. None where everything is to be counted anew."""
    if not _is_clean(session) or kept.edition != told.edition:
        return None
    started = us_of(session.started_at)
    states = _states(told, started)
    is_same = (
        kept.started == started
        and kept.register == _uwh(session.register_start_wh)
        and kept.n_before == told.n_samples - len(told.samples)
        and kept.n_states == bisect_right(states, kept.until, key=_when)
        and kept.opening == _opening(states, started)
        and (kept.spans.borders if kept.spans is not None else []) == told.borders
    )
    return _count(plan, session, told, states, market, kept) if is_same else None


def _count(
    plan: Plan,
    session: Session,
    told: Told,
    states: list[tuple[int, str]],
    market: Mapping[str, MarketPrices],
    before: Progress,
) -> Step | None:
    line = _line(session, told, before)
    if line[-1][1] != _uwh(session.energy_wh):
        return None
    ats = [at for at, _ in line]
    end = max(us_of(session.last_event_at), ats[-1])
    states = [one for one in states if one[0] <= end]
    run = _Run(line, ats, states, told.currents, before)
    tally = _copied(before.tally)
    spans = _copied(before.spans) if before.spans is not None else None
    kept, until = before, ats[-2] if len(ats) > 1 else ats[0]
    if until > before.until:
        meter = Meter(plan, tally, market)
        current = run.count(meter, spans, before.until, until, before.current)
        kept = Progress(
            tally=_copied(tally),
            until=until,
            energy=line[-2][1],
            started=before.started,
            register=before.register,
            n_before=told.n_samples - (len(told.samples) - bisect_right(told.samples, until)),
            n_states=bisect_right(states, until, key=_when),
            opening=before.opening,
            current=current,
            edition=before.edition,
            spans=_copied(spans) if spans is not None else None,
        )
    # A meter remembers for how long nothing changes: it goes on with the tally, though not with the one that is kept.
    run.count(Meter(plan, tally, market), spans, kept.until, end, kept.current)
    return Step(tally, kept, spans.until(end, line[-1][1]) if spans is not None else None)


class _Run:
    """Readings and states of a stretch of time."""

    def __init__(
        self,
        line: Sequence[tuple[int, int]],
        ats: list[int],
        states: Sequence[tuple[int, str]],
        currents: Sequence[tuple[int, int]],
        before: Progress,
    ) -> None:
        self._line, self._ats, self._states, self._currents = line, ats, states, currents
        self._state_ats = [at for at, _ in states]
        self._current_ats = [at for at, _ in currents]
        self._before = before

    def count(self, meter: Meter, spans: Spans | None, start: int, end: int, current: int | None) -> int | None:
        """Into the meter, and into spans, piece by piece; the current that flowed last."""
        marks = {start, end}
        for found in (self._ats, self._state_ats, self._current_ats):
            marks.update(found[bisect_right(found, start) : bisect_left(found, end)])
        for a, b in pairwise(sorted(marks)):
            place = bisect_right(self._current_ats, a) - 1
            if place >= 0:
                current = self._currents[place][1]
            kind = self._kind(a)
            if spans is not None and kind != spans.kind:
                spans.turn(a, kind, self._whole_wh(a))
            meter.count(a, b, self._energy(b) - self._energy(a), _DOING[kind], None, current)
        place = bisect_right(self._current_ats, end) - 1
        return self._currents[place][1] if place >= 0 else current

    def _energy(self, at: int) -> int:
        place = bisect_left(self._ats, at)
        if place == len(self._ats):
            return self._line[-1][1]
        after, high = self._line[place]
        if after == at or place == 0:
            return high
        before, low = self._line[place - 1]
        return low + (high - low) * (at - before) // (after - before)

    def _whole_wh(self, at: int) -> int:
        """As a settled session's periods are cut."""
        place = bisect_left(self._ats, at)
        if place == 0 or place == len(self._ats) or self._ats[place] == at:
            return self._energy(at) // _UWH
        around = [(instant_of(when), Decimal(energy).scaleb(-6)) for when, energy in self._line[place - 1 : place + 1]]
        return int(metering.energy_at(around, instant_of(at)))

    def _kind(self, at: int) -> str:
        """What goes on from an instant on: as the station told, else by the power between the readings around it."""
        place = bisect_right(self._state_ats, at) - 1
        if place >= 0:
            return self._states[place][1]
        if self._before.opening == "connected":
            return "connected"
        place = bisect_right(self._ats, at)
        if place == 0 or place == len(self._ats):
            return "idle"
        (before, low), (after, high) = self._line[place - 1], self._line[place]
        return "charging" if (high - low) * 3600 >= int(IDLE_W) * (after - before) else "idle"


def _is_clean(session: Session) -> bool:
    """Can its energy be followed along its register, from its start, without doubts?"""
    return (
        session.energy_source == "register"
        and session.register_start_wh is not None
        and session.energy_before_wh == 0
        and session.last_event_at >= session.started_at
    )


def _line(session: Session, told: Told, before: Progress) -> list[tuple[int, int]]:
    """(when, µWh since the start) from where the tally ends: rising, one for each instant.

    What was read before the session began counts from its begin. A reading of the session itself that is not among the
    samples yet is the latest.
    """
    readings = sorted(told.registers)
    if session.register_last_at is not None and session.register_last_wh is not None:
        last_at = us_of(session.register_last_at)
        if not readings or last_at > readings[-1][0]:
            readings.append((last_at, _uwh(session.register_last_wh)))
    line = [(before.until, before.energy)]
    for at, register in readings:
        if not 0 <= register < int(LARGEST_WH) * 1_000_000:
            continue
        at, energy = max(at, before.until), max(register - before.register, line[-1][1])
        if at == line[-1][0]:
            line[-1] = (at, energy)
        else:
            line.append((at, energy))
    return line


def _states(told: Told, started: int) -> list[tuple[int, str]]:
    return sorted((max(at, started), kind) for at, kind in told.states)


def _opening(states: Sequence[tuple[int, str]], started: int) -> str:
    """What is taken for going on before the first state that was told."""
    if not states:
        return "power"
    at, kind = states[0]
    if at <= started:
        return "told"
    return "power" if kind in _SUSPENDED else "connected"


def _copied(kept: T) -> T:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=type(kept))


def _when(state: tuple[int, str]) -> int:
    return state[0]


def _uwh(energy_wh: Decimal | None) -> int:
    return int((energy_wh or Decimal(0)) * 1_000_000)
