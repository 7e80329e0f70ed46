"""Properties: the order in which reports come, and how often, leaves no trace in the settled session."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.sessions import metering
from ohmstead.sessions.lifecycle import add_seq_no, has_seq_no
from ohmstead.sessions.model import ENERGY_INTERVAL, POWER, SOC, MeterSample, TransactionReport
from tests.rules.charges import NOON, Kept, begin, card, end, metered, minutes, reading, report, sample, told

calm = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
STATES = ("charging", "suspended_ev", "suspended_evse", "connected", None)


@st.composite
def transactions(draw: st.DrawFn, *, is_2: bool = True) -> list[TransactionReport]:
    """A charge as it happened: times and registers only grow, as fast as 22 kW allow."""
    n = draw(st.integers(0, 6))
    at, wh = 0, Decimal(draw(st.sampled_from(["0", "1000", "910000.5", "99999999"])))
    first = wh
    items = [report("started", minutes(0), 0 if is_2 else None, token=card(), samples=(begin(minutes(0), wh),))]
    for seq_no in range(1, n + 1):
        step = draw(st.integers(1, 30))
        at += step
        wh += Decimal(draw(st.integers(0, 22_000 * step // 60))) / draw(st.sampled_from([1, 1, 2]))
        readings = [reading(draw(st.integers(0, 22_000)), POWER, "W")] if draw(st.booleans()) else []
        if draw(st.booleans()):
            readings.append(reading(draw(st.integers(0, 100)), SOC, "Percent"))
        samples = (sample(minutes(at), wh, *readings),) if draw(st.booleans()) else ()
        kind: Any = "updated" if is_2 else "metered"
        state = draw(st.sampled_from(STATES))
        fields = {} if is_2 else {"seq_no": None}
        items.append(report(kind, minutes(at), **({"seq_no": seq_no} | fields), charging_state=state, samples=samples))
    at += draw(st.integers(1, 30))
    has_end = draw(st.booleans())
    closing = (end(minutes(at), wh),) if has_end or not is_2 else ()
    items.append(report("ended", minutes(at), n + 1 if is_2 else None, stop_reason="local", samples=closing))
    assert wh >= first
    return items


def facts(kept: Kept) -> dict[str, Any]:
    session = kept.settled()
    names = ("status", "energy_wh", "energy_source", "started_at", "ended_at", "stop_reason", "token_uid")
    names += ("charging_state", "authorization_status", "seen_seq_nos", "end_seq_no", "n_samples", "anomalies")
    names += ("soc_start_percent", "soc_percent", "peak_power_w", "register_start_wh", "register_last_wh")
    return {**{name: getattr(session, name) for name in names}, "periods": kept.periods()}


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[TransactionReport], list[TransactionReport]]:
    items = draw(transactions())
    again = draw(st.lists(st.sampled_from(items), max_size=4))
    return items, draw(st.permutations([*items, *again]))


@calm
@given(shuffled())
def test_any_order_with_repeats_gives_the_same_session(
    charge: tuple[list[TransactionReport], list[TransactionReport]],
) -> None:
    ordered, mixed = charge
    assert facts(told(mixed)) == facts(told(ordered))


@st.composite
def shuffled_16(draw: st.DrawFn) -> tuple[list[TransactionReport], list[TransactionReport]]:
    items = draw(transactions(is_2=False))
    again = draw(st.lists(st.sampled_from(items), max_size=4))
    # Nothing of a 1.6 transaction can come before its start: the start is what gives it its number.
    return items, [items[0], *draw(st.permutations([*items[1:], *again]))]


@calm
@given(shuffled_16())
def test_after_its_start_a_1_6_charge_may_come_in_any_order_too(
    charge: tuple[list[TransactionReport], list[TransactionReport]],
) -> None:
    ordered, mixed = charge
    assert facts(told(mixed)) == facts(told(ordered))


@calm
@given(transactions())
def test_growing_registers_make_last_minus_first_exactly(items: list[TransactionReport]) -> None:
    registers = [r.value for item in items for s in item.samples for r in s.readings if r.unit == "Wh"]
    kept = told(items)
    assert kept.session is not None
    assert kept.session.energy_wh == registers[-1] - registers[0]
    assert kept.settled().energy_wh == registers[-1] - registers[0]
    assert kept.settled().anomalies == []


@calm
@given(transactions(), st.data())
def test_how_samples_are_packed_into_messages_changes_nothing(
    items: list[TransactionReport], data: st.DataObject
) -> None:
    start, middle, last = items[0], items[1:-1], items[-1]
    samples = [s for item in middle for s in item.samples]
    packed: list[TransactionReport] = []
    rest = samples
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        packed.append(report("metered", rest[n - 1].sampled_at, samples=tuple(rest[:n])))
        rest = rest[n:]
    single = [report("metered", s.sampled_at, samples=(s,)) for s in samples]
    one, other = told([start, *single, last]), told([start, *packed, last])
    # The end's number is the same in both, so both know of a gap or of none.
    assert facts(one) == facts(other)


CONTEXTS = ("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Interruption.Begin", "Other")


@st.composite
def nonsense(draw: st.DrawFn) -> list[MeterSample]:
    """What broken meters and clocks send."""
    found = []
    for _ in range(draw(st.integers(0, 8))):
        at = NOON + timedelta(seconds=draw(st.integers(-400_000, 400_000)))
        value = draw(st.one_of(st.integers(-5, 5), st.integers(0, 10**7), st.sampled_from([10**13, -(10**13), 10**20])))
        amount = Decimal(value) / draw(st.sampled_from([1, 10, 1000]))
        kind = draw(st.sampled_from(["register", "register", "register", "interval", "power", "soc", "phase"]))
        one = {
            "register": reading(amount),
            "interval": reading(amount, ENERGY_INTERVAL),
            "power": reading(amount, POWER, "W"),
            "soc": reading(amount, SOC, "Percent"),
            "phase": reading(amount, phase="L1"),
        }[kind]
        found.append(MeterSample(sampled_at=at, context=draw(st.sampled_from(CONTEXTS)), readings=(one,)))
    return found


@calm
@given(nonsense(), st.sampled_from([None, 3_700, 22_000, 350_000]))
def test_energy_is_never_negative_whatever_meters_and_clocks_say(
    samples: list[MeterSample], rated_w: int | None
) -> None:
    session = metered(samples, rated_w)
    assert session.energy_wh >= 0
    metering.refold(session, samples, rated_w)
    assert session.energy_wh >= 0
    assert session.n_samples == len(samples)


@calm
@given(
    nonsense(),
    st.integers(-60, 600),
    st.lists(st.tuples(st.integers(-100, 700), st.sampled_from(STATES[:4])), max_size=5),
)
def test_periods_cover_the_session_without_overlap_and_share_out_its_energy_exactly(
    samples: list[MeterSample], length: int, states: list[tuple[int, Any]]
) -> None:
    items = [report("started", NOON, 0, token=card())]
    items += [report("updated", minutes(at), n, charging_state=state) for n, (at, state) in enumerate(states, 1)]
    items += [report("updated", NOON, len(states) + 1 + n, samples=(one,)) for n, one in enumerate(samples)]
    items.append(report("ended", minutes(length), len(items)))
    kept = told(items)
    session = kept.settled()
    periods = kept.periods()
    assert session.ended_at is not None
    if session.ended_at <= session.started_at:
        assert periods == []
        return
    assert periods[0].started_at == session.started_at
    assert periods[-1].ended_at == session.ended_at
    assert [p.ended_at for p in periods[:-1]] == [p.started_at for p in periods[1:]]
    assert all(p.started_at < p.ended_at for p in periods)
    assert all(one.kind != other.kind for one, other in zip(periods, periods[1:], strict=False))
    assert all(p.energy_wh >= 0 for p in periods)
    assert sum(p.energy_wh for p in periods) == session.energy_wh


@calm
@given(st.lists(st.integers(0, 12), max_size=14))
def test_ranges_hold_exactly_the_numbers_put_in(numbers: list[int]) -> None:
    ranges: list[int] = []
    for number in numbers:
        ranges = add_seq_no(ranges, number)
    assert {n for n in range(14) if has_seq_no(ranges, n)} == set(numbers)
    assert ranges == sorted(ranges)
    assert all(hi + 1 < lo for hi, lo in zip(ranges[1::2], ranges[2::2], strict=False))
