"""From meter readings to energy: pure.

Energy is the difference of two register readings, never a sum of what messages seem to say, so that readings may come
twice, late and in any order. A step of the register is believed when it is not negative and no faster than the outlet
can deliver; what is not believed is left out of the total, marked on the session, and never silently billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Literal

from ohmstead.sessions.model import (
    ENERGY_INTERVAL,
    ENERGY_REGISTER,
    ChargingPeriod,
    MeterSample,
    Session,
    SessionEvent,
)

BEGIN = "Transaction.Begin"
END = "Transaction.End"

JITTER_WH = Decimal(1)  # registers are cut to whole Wh in different places of one station
SLACK_WH = Decimal(500)  # clocks of meter and station disagree by seconds
MARGIN = Decimal("1.25")
UNRATED_W = 400_000  # the strongest common outlet; megawatt outlets carry their rating
LARGEST_WH = Decimal(10) ** 13
IDLE_W = Decimal(100)  # below this a car draws for its electronics, not for its battery

Step = Literal["ok", "jitter", "reset", "jump"]


def step(from_wh: Decimal, to_wh: Decimal, span_s: float, rated_w: int | None) -> Step:
    """How a register moved: is the move possible for an outlet of `rated_w` within `span_s` seconds?"""
    delta = to_wh - from_wh
    if delta < 0:
        return "jitter" if -delta <= JITTER_WH else "reset"
    limit = MARGIN * (rated_w or UNRATED_W) * Decimal(max(span_s, 0.0)) / 3600 + SLACK_WH
    return "ok" if delta <= limit else "jump"


def absorb(session: Session, sample: MeterSample, rated_w: int | None, *, is_repeat: bool = False) -> None:
    """Take one sample into the session's running totals, at a cost that does not depend on how many there were.

    One that does not come in its turn, and is no repeat, marks the session: its total is computed anew when it settles.
    """
    if not is_repeat and not session.needs_refold and _is_out_of_turn(session, sample):
        session.needs_refold = True
    register = sample.total(ENERGY_REGISTER)
    if register is not None:
        if 0 <= register < LARGEST_WH:
            _absorb_register(session, sample, register, rated_w)
        else:
            mark(session, "implausible_register")
    elif session.register_start_at is None or session.register_start_wh is None:
        _absorb_interval(session, sample)
    _absorb_power(session, sample)
    _absorb_soc(session, sample)


def _is_out_of_turn(session: Session, sample: MeterSample) -> bool:
    at = sample.sampled_at
    if session.is_end_exact or (session.register_last_at is not None and at <= session.register_last_at):
        return True
    if (session.power_at is not None and at <= session.power_at) or (
        session.soc_at is not None and at <= session.soc_at
    ):
        return True
    return sample.context == BEGIN and session.register_start_at is not None


def mark(session: Session, anomaly: str) -> None:
    """Note once that something about the session is odd; the console explains each name."""
    if anomaly not in session.anomalies:
        session.anomalies = [*session.anomalies, anomaly]


def unmark(session: Session, anomaly: str) -> None:
    """An oddity was cleared up by what came later."""
    if anomaly in session.anomalies:
        session.anomalies = [a for a in session.anomalies if a != anomaly]


def _absorb_register(session: Session, sample: MeterSample, register: Decimal, rated_w: int | None) -> None:
    at = sample.sampled_at
    if session.register_start_wh is None or session.register_start_at is None:
        session.register_start_wh = session.register_last_wh = register
        session.register_start_at = session.register_last_at = at
        session.is_start_exact = sample.context == BEGIN
        session.is_end_exact = sample.context == END
        session.energy_before_wh = Decimal(0)
    elif sample.context == BEGIN and not session.is_start_exact:
        _late_begin(session, register, at, rated_w)
    elif sample.context == END and not session.is_end_exact:
        _final(session, register, at, rated_w)
    elif session.register_last_at is not None and at > session.register_last_at:
        if not session.is_end_exact:
            _forward(session, register, at, rated_w)
    elif at < session.register_start_at and not session.is_start_exact:
        _earlier(session, register, at, rated_w)
    elif "register_reset" in session.anomalies or "implausible_jump" in session.anomalies:
        session.needs_refold = True
    _total(session)


def _forward(session: Session, register: Decimal, at: datetime, rated_w: int | None) -> None:
    last, last_at = session.register_last_wh, session.register_last_at
    assert last is not None
    assert last_at is not None
    span_s = (at - last_at).total_seconds()
    if _is_corrected_start(session, register, at, rated_w):
        return
    move = step(last, register, span_s, rated_w)
    if move == "jitter":
        session.register_last_at = at
        return
    if move == "ok":
        if span_s >= 10 and (session.power_at is None or session.power_at < last_at):
            session.power_w = ((register - last) * 3600 / Decimal(span_s)).quantize(Decimal(1))
    else:
        _begin_segment(session, register, at, "register_reset" if move == "reset" else "implausible_jump")
    session.register_last_wh, session.register_last_at = register, at


def _is_corrected_start(session: Session, register: Decimal, at: datetime, rated_w: int | None) -> bool:
    """A first step from a start that cannot be true (0 sent before the meter was read): take a better start.

    Better is the register the connector showed after its previous session, if the step from there is possible; else
    this reading itself.
    """
    start, start_at = session.register_start_wh, session.register_start_at
    if start is None or start_at is None or session.register_last_wh != start or session.energy_before_wh:
        return False
    before = session.register_before_wh
    span_s = (at - start_at).total_seconds()
    is_impossible = step(start, register, span_s, rated_w) == "jump"
    is_behind = before is not None and start < before - JITTER_WH and register >= before
    if not is_impossible and not is_behind:
        return False
    can_continue = before is not None and before <= register and step(before, register, span_s, rated_w) == "ok"
    session.register_start_wh = before if can_continue else register
    session.register_last_wh, session.register_last_at = register, at
    mark(session, "start_register_corrected")
    return True


def _begin_segment(session: Session, register: Decimal, at: datetime, anomaly: str) -> None:
    assert session.register_last_wh is not None
    assert session.register_start_wh is not None
    session.energy_before_wh += session.register_last_wh - session.register_start_wh
    session.register_start_wh = register
    mark(session, anomaly)
    session.needs_refold = True


def _final(session: Session, register: Decimal, at: datetime, rated_w: int | None) -> None:
    """The transaction's own last reading ends the count, whatever was sampled around it."""
    last, last_at = session.register_last_wh, session.register_last_at
    assert last is not None
    assert last_at is not None
    if register < last - JITTER_WH and at > last_at and last_at != session.register_start_at:
        # A zero or garbled meterStop: the last sample stands.
        mark(session, "implausible_end")
    elif at >= last_at:
        _forward(session, register, at, rated_w)
        session.is_end_exact = True
    else:
        # Samples dated after the end: the end still is the end.
        start = session.register_start_wh
        assert start is not None
        if session.energy_before_wh == 0 and register >= start - JITTER_WH:
            session.register_last_wh, session.register_last_at = max(register, start), at
            session.is_end_exact = True
        else:
            session.needs_refold = True


def _late_begin(session: Session, register: Decimal, at: datetime, rated_w: int | None) -> None:
    start, start_at = session.register_start_wh, session.register_start_at
    assert start is not None
    assert start_at is not None
    if step(register, start, (start_at - at).total_seconds(), rated_w) in ("ok", "jitter"):
        session.register_start_wh, session.register_start_at = min(register, start), at
        session.is_start_exact = True
    else:
        mark(session, "start_register_corrected")


def _earlier(session: Session, register: Decimal, at: datetime, rated_w: int | None) -> None:
    start, start_at = session.register_start_wh, session.register_start_at
    assert start is not None
    assert start_at is not None
    if step(register, start, (start_at - at).total_seconds(), rated_w) in ("ok", "jitter"):
        session.register_start_wh, session.register_start_at = min(register, start), at
    else:
        session.needs_refold = True


def _total(session: Session) -> None:
    if session.register_last_wh is None or session.register_start_wh is None:
        return
    span = session.register_last_wh - session.register_start_wh
    session.energy_wh = max(Decimal(0), session.energy_before_wh + span)
    session.energy_source = "register"


def _absorb_interval(session: Session, sample: MeterSample) -> None:
    """Stations without a register: the amounts per interval add up, each instant once."""
    amount = sample.total(ENERGY_INTERVAL)
    if amount is None:
        return
    if not 0 <= amount < LARGEST_WH:
        mark(session, "implausible_register")
        return
    if session.register_last_at is not None and sample.sampled_at <= session.register_last_at:
        session.needs_refold = True
        return
    session.register_last_at = sample.sampled_at
    session.energy_wh += amount
    session.energy_source = "interval"


def _absorb_power(session: Session, sample: MeterSample) -> None:
    power = sample.power_w()
    if power is None or abs(power) >= LARGEST_WH:
        return
    if session.power_at is None or sample.sampled_at >= session.power_at:
        session.power_w, session.power_at = power, sample.sampled_at
    if session.peak_power_w is None or power > session.peak_power_w:
        session.peak_power_w = power


def _absorb_soc(session: Session, sample: MeterSample) -> None:
    soc = sample.soc_percent()
    if soc is None or not 0 <= soc <= 100:
        return
    if session.soc_at is None or sample.sampled_at >= session.soc_at:
        if session.soc_at is None:
            session.soc_start_percent = soc
        session.soc_percent, session.soc_at = soc, sample.sampled_at


# ------------------------------------------------------------------------------------------------ the whole session


_TOTALS: dict[str, object] = {
    "energy_wh": Decimal(0),
    "energy_before_wh": Decimal(0),
    "energy_source": "none",
    "is_start_exact": False,
    "is_end_exact": False,
    "register_start_wh": None,
    "register_start_at": None,
    "register_last_wh": None,
    "register_last_at": None,
    "power_w": None,
    "power_at": None,
    "peak_power_w": None,
    "soc_start_percent": None,
    "soc_percent": None,
    "soc_at": None,
    "needs_refold": False,
}
_METERING_MARKS = frozenset(
    ("register_reset", "implausible_jump", "implausible_end", "implausible_register", "start_register_corrected")
)


def chronological(samples: Iterable[MeterSample]) -> list[MeterSample]:
    """By the station's time; at one instant the transaction's first reading first, its last one last."""
    return sorted(samples, key=lambda s: (s.sampled_at, s.context == END, s.context != BEGIN, s.context))


def in_order(samples: Iterable[MeterSample]) -> list[MeterSample]:
    """By the station's time, but the transaction's own first and last readings where they belong, whatever the clock did."""
    return sorted(samples, key=lambda s: (s.context != BEGIN, s.context == END, s.sampled_at, s.context))


def refold(session: Session, samples: Iterable[MeterSample], rated_w: int | None) -> None:
    """Compute the session's totals anew from all its samples in time order: what order of arrival cannot change."""
    for name, value in _TOTALS.items():
        setattr(session, name, value)
    session.anomalies = [a for a in session.anomalies if a not in _METERING_MARKS]
    ordered = in_order(samples)
    for sample in ordered:
        absorb(session, sample, rated_w)
    session.n_samples = len(ordered)
    session.needs_refold = False
    if session.energy_source == "none":
        estimate = _energy_from_power(chronological(ordered))
        if estimate > 0:
            session.energy_wh, session.energy_source = estimate, "power"
            mark(session, "energy_estimated")


def _energy_from_power(samples: Sequence[MeterSample]) -> Decimal:
    """∫P dt by trapezoids, for stations that send only power: an estimate, marked as such."""
    total = Decimal(0)
    before: tuple[datetime, Decimal] | None = None
    for sample in samples:
        power = sample.power_w()
        if power is None:
            continue
        if before is not None:
            span_s = Decimal(str((sample.sampled_at - before[0]).total_seconds()))
            total += (power + before[1]) / 2 * span_s / 3600
        before = (sample.sampled_at, power)
    return max(total, Decimal(0)).quantize(Decimal(1))


_STATE_KINDS: dict[str, Literal["charging", "idle", "suspended_ev", "suspended_evse", "connected"]] = {
    "charging": "charging",
    "suspended_ev": "suspended_ev",
    "suspended_evse": "suspended_evse",
    "connected": "connected",
    "idle": "idle",
}


Register = tuple[datetime, Decimal]
"""An instant and what the import register showed, in Wh."""


def registers(samples: Iterable[MeterSample]) -> list[Register]:
    """The register through time."""
    found = ((sample.sampled_at, sample.total(ENERGY_REGISTER)) for sample in chronological(samples))
    return [(at, register) for at, register in found if register is not None]


def periods(session: Session, events: Sequence[SessionEvent], shown: Sequence[Register]) -> list[ChargingPeriod]:
    """The session in stretches of one kind, from the station's state changes, else from its register as it was `shown`.

    Without state changes (1.6 stations that report no status in between) a stretch between two readings is `charging`
    when its mean power reaches 100 W, else `idle`; so is what comes before a first state that ended it. Energies add up
    to the session's exactly: what cannot be placed in time goes to the longest charging stretch.
    """
    end = session.ended_at or session.last_event_at
    if end <= session.started_at:
        return []
    changes = [(e.at, _STATE_KINDS[e.kind]) for e in events if e.kind in _STATE_KINDS]
    changes = [(min(max(at, session.started_at), end), kind) for at, kind in sorted(changes)]
    points = register_points(session, shown)
    if changes:
        stretches = _from_changes(session.started_at, end, changes, points)
    else:
        stretches = _from_points(session.started_at, end, points, "charging" if session.energy_wh > 0 else "idle")
    found = [ChargingPeriod(a, b, kind, _energy_between(points, a, b)) for a, b, kind in stretches if b > a]
    return _made_exact(found, session.energy_wh)


def register_points(session: Session, shown: Sequence[Register]) -> list[tuple[datetime, Decimal]]:
    """(time, energy since start) along the register, resets left out: monotone from 0."""
    points: list[tuple[datetime, Decimal]] = []
    total = Decimal(0)
    last: Decimal | None = None
    is_whole = session.energy_before_wh == 0 and "register_reset" not in session.anomalies
    start = session.register_start_wh if is_whole else None
    for at, register in shown:
        if not 0 <= register < LARGEST_WH:
            continue
        if start is not None:
            # From the start that counts, also past a reading that it corrected.
            total = min(max(total, register - start), session.energy_wh)
        elif last is not None and register > last:
            total = min(total + register - last, session.energy_wh)
        last = register
        points.append((at, total))
    return points


_Stretch = tuple[datetime, datetime, Literal["charging", "idle", "suspended_ev", "suspended_evse", "connected"]]


def _from_changes(
    start: datetime,
    end: datetime,
    changes: list[tuple[datetime, Literal["charging", "idle", "suspended_ev", "suspended_evse", "connected"]]],
    points: list[tuple[datetime, Decimal]],
) -> list[_Stretch]:
    first_at, first = changes[0]
    merged: list[_Stretch] = []
    if first_at > start and first in ("suspended_ev", "suspended_evse"):
        # What is suspended went on before: a 1.6 station says Charging ahead of the transaction, too.
        merged = _from_points(start, first_at, points, "charging")
    elif first_at > start:
        merged = [(start, first_at, "connected")]
    for (at, kind), following in zip(changes, [*changes[1:], (end, "idle")], strict=True):
        until = min(following[0], end)
        if merged and merged[-1][2] == kind:
            merged[-1] = (merged[-1][0], until, kind)
        elif until > at:
            merged.append((at, until, kind))
    return merged


def _from_points(
    start: datetime, end: datetime, points: list[tuple[datetime, Decimal]], unknown: Literal["charging", "idle"]
) -> list[_Stretch]:
    inside = [p for p in points if start <= p[0] <= end]
    if not inside:
        return [(start, end, unknown)]
    path = [(start, inside[0][1]), *inside, (end, energy_at(points, end))]
    merged: list[_Stretch] = []
    for (a, e0), (b, e1) in pairwise(path):
        if b <= a:
            continue
        power = (e1 - e0) * 3600 / Decimal((b - a).total_seconds())
        kind: Literal["charging", "idle"] = "charging" if power >= IDLE_W else "idle"
        if merged and merged[-1][2] == kind:
            merged[-1] = (merged[-1][0], b, kind)
        else:
            merged.append((a, b, kind))
    return merged


def _energy_between(points: list[tuple[datetime, Decimal]], start: datetime, end: datetime) -> Decimal:
    # Cut at each bound rather than rounded between them: so no two neighbours round up the same watt-hour.
    return energy_at(points, end).quantize(Decimal(1), ROUND_FLOOR) - energy_at(points, start).quantize(
        Decimal(1), ROUND_FLOOR
    )


def energy_at(points: Sequence[tuple[datetime, Decimal]], at: datetime) -> Decimal:
    """Wh at an instant, on lines between the points, which are in the order of time; nothing before the first one."""
    if not points or at <= points[0][0]:
        return Decimal(0)
    before = points[0]
    for point in points[1:]:
        if point[0] >= at:
            span = (point[0] - before[0]) / timedelta(seconds=1)
            share = Decimal((at - before[0]) / timedelta(seconds=1)) / Decimal(span) if span else Decimal(1)
            return before[1] + (point[1] - before[1]) * share
        before = point
    return before[1]


def _made_exact(found: list[ChargingPeriod], energy_wh: Decimal) -> list[ChargingPeriod]:
    rest = energy_wh - sum((p.energy_wh for p in found), Decimal(0))
    if not found or rest == 0:
        return found
    candidates = [p for p in found if p.kind == "charging"] or found
    longest = max(candidates, key=lambda p: (p.energy_wh + rest >= 0, p.ended_at - p.started_at))
    return [ChargingPeriod(p.started_at, p.ended_at, p.kind, p.energy_wh + rest) if p is longest else p for p in found]


def seconds(found: Sequence[ChargingPeriod], *kinds: str) -> int:
    """Whole seconds spent in periods of these kinds."""
    return round(sum((p.ended_at - p.started_at).total_seconds() for p in found if p.kind in kinds))
