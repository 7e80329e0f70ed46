"""From readings to energy: what is believed, what is left out, what is said about it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ohmstead.sessions import metering
from ohmstead.sessions.metering import step
from ohmstead.sessions.model import ENERGY_INTERVAL, ENERGY_REGISTER, POWER, SOC
from tests.rules.charges import (
    NOON,
    begin,
    card,
    end,
    energy,
    metered,
    minutes,
    reading,
    report,
    sample,
    told,
)

# ------------------------------------------------------------------------------------------ one step of a register


@pytest.mark.parametrize(
    ("from_wh", "to_wh", "span_s", "rated_w", "expected"),
    [
        (1000, 1000, 0, 22_000, "ok"),
        (1000, 999, 60, 22_000, "jitter"),
        (1000, "998.9", 60, 22_000, "reset"),
        (1000, 0, 60, 22_000, "reset"),
        (1000, 6500, 900, 22_000, "ok"),  # 22 kW for a quarter of an hour
        (1000, 8375, 900, 22_000, "ok"),  # a quarter more, and the slack
        (1000, 8376, 900, 22_000, "jump"),
        (0, 910_083, 120, 22_000, "jump"),
        (0, 500, 0, 22_000, "ok"),  # clocks of meter and station differ by seconds
        (0, 501, 0, 22_000, "jump"),
        (0, 500, -60, 22_000, "ok"),
        (0, 100_000, 3600, None, "ok"),  # an outlet of which nobody knows the rating
        (0, 600_000, 3600, None, "jump"),
    ],
)
def test_a_step_is_believed_when_the_outlet_could_have_delivered_it(
    from_wh: object, to_wh: object, span_s: float, rated_w: int | None, expected: str
) -> None:
    assert step(Decimal(str(from_wh)), Decimal(str(to_wh)), span_s, rated_w) == expected


# ------------------------------------------------------------------------------------------ totals


def test_energy_is_the_last_register_minus_the_first() -> None:
    assert energy(begin(NOON, 1_000), sample(minutes(15), 3_500), end(minutes(30), 6_001)) == 5_001


def test_fractions_of_a_watt_hour_are_not_lost() -> None:
    assert energy(begin(NOON, "1000.001"), end(minutes(30), "1000.004")) == Decimal("0.003")


def test_without_a_register_there_is_no_energy_and_no_source() -> None:
    session = metered([sample(minutes(5), None, reading(60, SOC, "Percent"))])
    assert (session.energy_wh, session.energy_source) == (0, "none")


def test_a_single_register_is_no_energy_yet() -> None:
    assert energy(sample(NOON, 910_000)) == 0


def test_intervals_add_up_where_there_is_no_register() -> None:
    parts = [sample(minutes(15 * n), None, reading(1_000 + n, ENERGY_INTERVAL)) for n in (1, 2, 3)]
    session = metered(parts)
    assert (session.energy_wh, session.energy_source) == (3_006, "interval")


def test_an_interval_told_twice_counts_once() -> None:
    part = sample(minutes(15), None, reading(1_000, ENERGY_INTERVAL))
    session = metered([part, part])
    assert session.needs_refold
    metering.refold(session, [part], 22_000)
    assert session.energy_wh == 1_000


def test_intervals_beside_a_register_are_not_added_to_it() -> None:
    both = [sample(minutes(n), 1_000 + 100 * n, reading(100, ENERGY_INTERVAL)) for n in (0, 1, 2)]
    assert energy(*both) == 200


def test_power_alone_gives_an_estimate_that_says_so() -> None:
    hours = [sample(minutes(30 * n), None, reading(w, POWER, "W")) for n, w in enumerate((0, 10_000, 10_000, 0))]
    session = metered(hours)
    assert session.energy_source == "none"
    metering.refold(session, hours, 22_000)
    assert (session.energy_wh, session.energy_source) == (10_000, "power")
    assert session.anomalies == ["energy_estimated"]


# ------------------------------------------------------------------------------------------ resets and jumps


def test_a_reset_adds_what_was_counted_before_it() -> None:
    parts = (begin(NOON, 90_000), sample(minutes(30), 95_000), sample(minutes(31), 100), end(minutes(60), 5_100))
    assert energy(*parts) == 10_000


def test_two_resets_add_up_three_parts() -> None:
    registers = [(0, 90_000), (10, 92_000), (11, 10), (20, 2_010), (21, 5), (30, 2_005)]
    session = metered([sample(minutes(at), wh) for at, wh in registers])
    assert (session.energy_wh, session.anomalies) == (6_000, ["register_reset"])


def test_a_jump_is_left_out_and_marked() -> None:
    parts = [
        begin(NOON, 1_000),
        sample(minutes(10), 2_000),
        sample(minutes(11), 5_000_000),
        end(minutes(20), 5_001_000),
    ]
    session = metered(parts)
    assert (session.energy_wh, session.anomalies) == (2_000, ["implausible_jump"])


def test_a_lone_spike_costs_nothing() -> None:
    parts = [begin(NOON, 1_000), sample(minutes(10), 2_000), sample(minutes(11), 9_999_999), end(minutes(20), 3_000)]
    session = metered(parts)
    assert session.energy_wh <= 2_000
    assert "implausible_jump" in session.anomalies


def test_jitter_of_a_watt_hour_neither_adds_nor_alarms() -> None:
    registers = [(0, 1_000), (1, 1_001), (2, 1_000), (3, 1_001), (4, 1_000)]
    session = metered([sample(minutes(at), wh) for at, wh in registers])
    assert (session.energy_wh, session.anomalies) == (1, [])


def test_a_register_beyond_belief_is_ignored() -> None:
    session = metered(
        [begin(NOON, 1_000), sample(minutes(1), 10**13), sample(minutes(2), -5), sample(minutes(3), 1_200)]
    )
    assert (session.energy_wh, session.anomalies) == (200, ["implausible_register"])


def test_a_sample_out_of_order_in_a_session_with_a_reset_is_worked_out_anew() -> None:
    parts = [begin(NOON, 90_000), sample(minutes(30), 100), sample(minutes(20), 93_000), end(minutes(60), 5_100)]
    session = metered(parts)
    assert session.needs_refold
    metering.refold(session, parts, 22_000)
    assert (session.energy_wh, session.needs_refold) == (8_000, False)


# ------------------------------------------------------------------------------------------ begin and end


def test_an_end_one_watt_hour_below_what_came_before_is_the_end() -> None:
    session = metered([begin(NOON, 1_000), sample(minutes(10), 3_000), end(minutes(11), 2_999)])
    assert (session.energy_wh, session.anomalies, session.is_end_exact) == (2_000, [], True)


def test_an_end_dated_before_the_samples_is_the_end_all_the_same() -> None:
    assert energy(begin(NOON, 1_000), sample(minutes(10), 1_500), end(minutes(9), 1_400)) == 400
    assert energy(begin(NOON, 1_000), sample(minutes(10), 1_000), end(minutes(9), 999)) == 0


def test_a_start_one_watt_hour_behind_the_register_before_is_left_as_it_is() -> None:
    session = metered([])
    session.register_before_wh = Decimal(1_001)
    for one in (begin(NOON, 1_000), end(minutes(30), 2_000)):
        metering.absorb(session, one, 22_000)
    assert (session.energy_wh, session.anomalies) == (1_000, [])


def test_a_begin_that_comes_late_is_the_beginning() -> None:
    assert energy(sample(minutes(10), 2_000), begin(NOON, 1_000), sample(minutes(20), 3_000)) == 2_000


def test_samples_from_before_the_begin_do_not_move_it() -> None:
    assert energy(begin(NOON, 1_000), sample(minutes(-10), 500), end(minutes(10), 2_000)) == 1_000


def test_samples_from_after_the_end_do_not_move_it() -> None:
    assert energy(begin(NOON, 1_000), end(minutes(10), 2_000), sample(minutes(12), 2_500)) == 1_000


def test_an_end_below_the_last_sample_by_more_than_jitter_leaves_the_sample_standing() -> None:
    session = metered([begin(NOON, 1_000), sample(minutes(10), 3_000), end(minutes(11), 1_500)])
    assert (session.energy_wh, session.anomalies) == (2_000, ["implausible_end"])


def test_a_start_of_zero_is_replaced_by_the_register_before_if_that_fits() -> None:
    session = metered([])
    session.register_before_wh = Decimal(910_000)
    for one in (begin(NOON, 0), end(minutes(2), 910_083)):
        metering.absorb(session, one, 22_000)
    assert (session.energy_wh, session.anomalies) == (83, ["start_register_corrected"])


def test_a_start_of_zero_is_replaced_by_the_first_reading_if_nothing_is_known() -> None:
    session = metered([begin(NOON, 0), sample(minutes(1), 910_000), end(minutes(2), 910_083)])
    assert (session.energy_wh, session.anomalies) == (83, ["start_register_corrected"])


def test_a_start_behind_the_register_before_is_corrected_even_when_the_step_would_be_possible() -> None:
    """Ten hours after a start of 0 even a register of 200 kWh would be possible, were it not for the session before."""
    session = metered([])
    session.register_before_wh = Decimal(190_000)
    for one in (begin(NOON, 0), end(minutes(600), 200_000)):
        metering.absorb(session, one, 22_000)
    assert (session.energy_wh, session.anomalies) == (10_000, ["start_register_corrected"])


def test_a_meter_that_was_replaced_is_believed() -> None:
    session = metered([])
    session.register_before_wh = Decimal(910_000)
    for one in (begin(NOON, 0), sample(minutes(30), 5_000), end(minutes(60), 10_000)):
        metering.absorb(session, one, 22_000)
    assert (session.energy_wh, session.anomalies) == (10_000, [])


def test_the_correction_survives_being_worked_out_anew() -> None:
    session = metered([])
    session.register_before_wh = Decimal(910_000)
    parts = [begin(NOON, 0), end(minutes(2), 910_083)]
    metering.refold(session, parts, 22_000)
    assert (session.energy_wh, session.anomalies) == (83, ["start_register_corrected"])


def test_a_clock_put_back_in_the_middle_loses_nothing() -> None:
    parts = [
        begin(minutes(120), 1_000),
        sample(minutes(135), 3_000),
        sample(minutes(30), 5_000),
        end(minutes(60), 9_000),
    ]
    session = metered(parts)
    metering.refold(session, parts, 22_000)
    assert session.energy_wh == 8_000


def test_totals_worked_out_anew_keep_marks_that_are_not_about_metering() -> None:
    session = metered([])
    metering.mark(session, "clock_wrong")
    metering.mark(session, "register_reset")
    metering.refold(session, [begin(NOON, 1_000), end(minutes(10), 2_000)], 22_000)
    assert session.anomalies == ["clock_wrong"]


# ------------------------------------------------------------------------------------------ power and charge


def test_power_is_the_whole_or_the_sum_of_the_phases() -> None:
    phases = [reading(w, POWER, "W", phase=name) for name, w in (("L1", 3_600), ("L2", 3_500), ("L3", 3_400))]
    assert sample(NOON, None, *phases).power_w() == 10_500
    assert sample(NOON, None, *phases, reading(10_000, POWER, "W")).power_w() == 10_000
    assert sample(NOON, 1_000).power_w() is None


def test_power_elsewhere_than_at_the_outlet_is_not_the_outlets() -> None:
    inlet = reading(9_000, POWER, "W", location="Inlet")
    assert sample(NOON, None, inlet).power_w() is None


def test_a_register_of_one_phase_or_another_place_is_not_the_total() -> None:
    odd = sample(NOON, None, reading(5, phase="L1"), reading(6, location="Inlet"))
    assert odd.total(ENERGY_REGISTER) is None


def test_the_latest_power_and_charge_win_however_they_come() -> None:
    parts = [
        sample(minutes(20), None, reading(7_000, POWER, "W"), reading(60, SOC, "Percent")),
        sample(minutes(10), None, reading(11_000, POWER, "W"), reading(40, SOC, "Percent")),
    ]
    session = metered(parts)
    assert (session.power_w, session.peak_power_w, session.soc_percent) == (7_000, 11_000, 60)
    metering.refold(session, parts, 22_000)
    assert (session.soc_start_percent, session.soc_percent) == (40, 60)


def test_a_state_of_charge_beyond_belief_is_ignored() -> None:
    session = metered([sample(NOON, None, reading(soc, SOC, "Percent")) for soc in (-1, 101, 254)])
    assert session.soc_percent is None


def test_where_no_power_is_told_it_follows_from_the_register() -> None:
    session = metered([begin(NOON, 1_000), sample(minutes(15), 3_500)])
    assert session.power_w == 10_000


# ------------------------------------------------------------------------------------------ periods


def _states(*told_states: tuple[float, str]) -> list[object]:
    return [report("updated", minutes(at), n, charging_state=state) for n, (at, state) in enumerate(told_states, 1)]


def test_periods_follow_the_states_that_the_station_told() -> None:
    items = [
        report("started", NOON, 0, token=card(), samples=(begin(NOON, 0),)),
        *_states((0, "charging"), (30, "suspended_evse"), (45, "charging"), (60, "suspended_ev")),
        report("updated", minutes(30), 5, samples=(sample(minutes(30), 4_000),)),
        report("updated", minutes(45), 6, samples=(sample(minutes(45), 4_000),)),
        report("updated", minutes(60), 7, samples=(sample(minutes(60), 6_000),)),
        report("ended", minutes(120), 8, samples=(end(minutes(120), 6_000),)),
    ]
    kept = told(items)  # type: ignore[arg-type]
    kept.settled()
    periods = kept.periods()
    assert [(p.kind, p.energy_wh) for p in periods] == [
        ("charging", 4_000),
        ("suspended_evse", 0),
        ("charging", 2_000),
        ("suspended_ev", 0),
    ]
    assert metering.seconds(periods, "charging") == 45 * 60
    assert metering.seconds(periods, "suspended_ev", "suspended_evse") == 75 * 60


def test_without_states_the_register_tells_charging_from_idling() -> None:
    registers = [(0, 0), (30, 5_000), (60, 10_000), (90, 10_010), (120, 10_020)]
    items = [report("started", NOON, token=card())]
    items += [report("metered", minutes(at), samples=(sample(minutes(at), wh),)) for at, wh in registers]
    items.append(report("ended", minutes(120)))
    kept = told(items)
    kept.settled()
    assert [(p.kind, p.energy_wh, p.ended_at) for p in kept.periods()] == [
        ("charging", 10_000, minutes(60)),
        ("idle", 20, minutes(120)),
    ]


def test_a_reading_that_the_start_corrects_took_nothing() -> None:
    """0 was sent before the meter was read: nothing flowed in that minute, and what followed did when it did."""
    registers = [(1, 910_000), (31, 910_000), (61, 915_000)]
    items = [report("started", NOON, token=card(), samples=(begin(NOON, 0),))]
    items += [report("metered", minutes(at), samples=(sample(minutes(at), wh),)) for at, wh in registers]
    items.append(report("ended", minutes(61)))
    kept = told(items)
    assert (kept.settled().energy_wh, kept.settled().anomalies) == (5_000, ["start_register_corrected"])
    assert [(p.kind, p.energy_wh, p.ended_at) for p in kept.periods()] == [
        ("idle", 0, minutes(31)),
        ("charging", 5_000, minutes(61)),
    ]


@pytest.mark.parametrize("garbled", [0, 1_200])
def test_a_garbled_last_reading_moves_no_energy(garbled: int) -> None:
    session = metered([begin(NOON, 1_000), sample(minutes(30), 1_500), end(minutes(60), garbled)])
    shown = [(NOON, Decimal(1_000)), (minutes(30), Decimal(1_500)), (minutes(60), Decimal(garbled))]
    points = metering.register_points(session, shown)
    assert (session.anomalies, [energy for _, energy in points]) == (["implausible_end"], [0, 500, 500])


def test_a_register_that_begins_anew_at_once_counts_from_there() -> None:
    session = metered([begin(NOON, 5_000), sample(minutes(1), 100), end(minutes(30), 600)])
    shown = [(NOON, Decimal(5_000)), (minutes(1), Decimal(100)), (minutes(30), Decimal(600))]
    points = metering.register_points(session, shown)
    assert (session.energy_wh, [energy for _, energy in points]) == (500, [0, 0, 500])


def test_what_the_car_took_before_its_first_known_state_was_charging() -> None:
    """A 1.6 station that says Charging before it starts the transaction: only the pause is told."""
    items = [
        report("started", NOON, token=card(), samples=(begin(NOON, 0),)),
        report("metered", minutes(30), samples=(sample(minutes(30), 5_000),)),
        report("metered", minutes(60), samples=(sample(minutes(60), 10_000),)),
        report("metered", minutes(60), charging_state="suspended_ev"),
        report("ended", minutes(120), samples=(end(minutes(120), 10_000),)),
    ]
    kept = told(items)
    kept.settled()
    assert [(p.kind, p.energy_wh) for p in kept.periods()] == [("charging", 10_000), ("suspended_ev", 0)]


def test_a_car_that_was_plugged_and_waited_was_only_connected() -> None:
    items = [
        report("started", NOON, 0, token=card(), samples=(begin(NOON, 0),)),
        *_states((30, "charging")),
        report("ended", minutes(60), 2, samples=(end(minutes(60), 5_000),)),
    ]
    items.insert(1, report("updated", minutes(30), 3, samples=(sample(minutes(30), 0),)))
    kept = told(items)  # type: ignore[arg-type]
    kept.settled()
    assert [(p.kind, p.energy_wh) for p in kept.periods()] == [("connected", 0), ("charging", 5_000)]


def test_fractions_are_shared_out_without_a_period_going_below_zero() -> None:
    states = [(at, ("charging", "suspended_ev")[n % 2]) for n, at in enumerate((0, 10, 20, 30, 40))]
    items = [report("started", NOON, 0, token=card(), samples=(begin(NOON, 0),)), *_states(*states)]
    items += [
        report("updated", minutes(at), 10 + at, samples=(sample(minutes(at), f"{0.06 * at:.1f}"),))
        for at in (10, 20, 30, 40, 50)
    ]
    items.append(report("ended", minutes(50), 99))
    kept = told(items)  # type: ignore[arg-type]
    assert kept.settled().energy_wh == Decimal("3.0")
    periods = kept.periods()
    assert len(periods) == 5
    assert all(p.energy_wh >= 0 for p in periods)
    assert sum(p.energy_wh for p in periods) == 3


def test_energy_without_any_place_in_time_goes_to_the_longest_charging_stretch() -> None:
    items = [
        report("started", NOON, token=card(), samples=(begin(NOON - timedelta(days=9000), 0),)),
        report("metered", minutes(1), charging_state="charging"),
        report("metered", minutes(50), charging_state="suspended_ev"),
        report("ended", minutes(120), samples=(end(NOON - timedelta(days=8999), 7_000),)),
    ]
    kept = told(items)
    kept.settled()
    assert sum(p.energy_wh for p in kept.periods()) == 7_000
    assert max(kept.periods(), key=lambda p: p.energy_wh).kind == "charging"


def test_a_session_of_no_length_has_no_periods() -> None:
    kept = told([report("started", NOON, token=card()), report("ended", NOON)])
    kept.settled()
    assert kept.periods() == []


def test_a_session_without_readings_is_idle() -> None:
    kept = told([report("started", NOON, token=card()), report("ended", minutes(30))])
    kept.settled()
    assert [(p.kind, p.energy_wh) for p in kept.periods()] == [("idle", 0)]
