"""Cars, meters and charging profiles by themselves: pure rules."""

from datetime import UTC, datetime, timedelta

import pytest

from ohmstead.simulator.car import DC_TAPER, MODELS, Car, taper
from ohmstead.simulator.device import SETTINGS, Device, Refusal, find_key16, find_variable2
from ohmstead.simulator.meter import Meter
from ohmstead.simulator.permissions import Permission, Permissions
from ohmstead.simulator.plan import Token
from ohmstead.simulator.profiles import Limit, Outlet, Period, Profile, ProfileStack

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
AC = Outlet(evse_number=1, phases=3, is_dc=False, max_power_w=22_000, transaction_id="t", started_at=AT)


def make(profile_id: int, limit: float, **changes: object) -> Profile:
    """A TxDefaultProfile in amperes, from AT on."""
    given: dict[str, object] = {
        "profile_id": profile_id,
        "evse_number": 0,
        "purpose": "tx_default",
        "stack_level": 0,
        "kind": "absolute",
        "unit": "A",
        "periods": (Period(0, limit),),
        "start_at": AT,
        **changes,
    }
    return Profile(**given)  # type: ignore[arg-type]


def stack_of(*profiles: Profile) -> ProfileStack:
    """A stack that takes all of them."""
    stack = ProfileStack()
    assert [stack.install(p) for p in profiles] == [None] * len(profiles)
    return stack


def amperes(stack: ProfileStack, after_s: float = 1, outlet: Outlet = AC) -> float | None:
    """The limit after some seconds."""
    return stack.limit_at(outlet, AT + timedelta(seconds=after_s)).amperes(outlet.phases, is_dc=outlet.is_dc)


def test_the_highest_stack_level_leads_and_the_next_follows_when_it_ends() -> None:
    stack = stack_of(make(1, 20), make(2, 10, stack_level=3, duration_s=60))
    assert [amperes(stack, s) for s in (1, 59, 61)] == [10, 10, 20]


def test_a_tx_profile_takes_the_place_of_the_default_also_when_it_allows_more() -> None:
    stack = stack_of(make(1, 8), make(2, 16, purpose="tx", transaction_id="t", evse_number=1))
    assert amperes(stack) == 16
    assert amperes(stack, outlet=Outlet(1, 3, False, 22_000, "other", AT)) == 8
    stack.end_transaction("t")
    assert amperes(stack) == 8


def test_the_station_maximum_bounds_everything_and_is_shared_by_the_outlets_that_charge() -> None:
    stack = stack_of(make(1, 32), make(2, 0, purpose="station_max", unit="W", periods=(Period(0, 13_800),)))
    assert amperes(stack) == pytest.approx(20)
    two = Outlet(1, 3, False, 22_000, "t", AT, charging_outlets=2)
    assert amperes(stack, outlet=two) == pytest.approx(10)


def test_an_evses_own_default_leads_over_the_stations() -> None:
    stack = stack_of(make(1, 20), make(2, 12, evse_number=1))
    assert amperes(stack) == 12
    assert amperes(stack, outlet=Outlet(2, 3, False, 22_000)) == 20


def test_recurring_and_relative_schedules_find_their_begin() -> None:
    night = (Period(0, 32), Period(3600, 6))
    daily = stack_of(make(1, 0, kind="recurring", recurrency="daily", periods=night))
    assert [amperes(daily, s) for s in (86_400 * 3 + 10, 86_400 * 3 + 3700, -80_000)] == [32, 6, 6]
    relative = stack_of(make(1, 0, kind="relative", start_at=None, periods=night))
    later = Outlet(1, 3, False, 22_000, "t", AT + timedelta(hours=5))
    assert [amperes(relative, s, later) for s in (18_100, 22_000)] == [32, 6]


def test_validity_is_heeded() -> None:
    until = AT + timedelta(minutes=10)
    stack = stack_of(make(1, 20), make(2, 10, stack_level=1, valid_to=until))
    assert [amperes(stack, s) for s in (599, 601)] == [10, 20]
    assert stack.next_change_s(AC, AT) == 600


@pytest.mark.parametrize(
    "changes",
    [
        {"periods": (Period(5, 10),)},
        {"periods": ()},
        {"stack_level": 11},
        {"periods": tuple(Period(i, 10) for i in range(49))},
        {"purpose": "station_max", "evse_number": 1},
        {"purpose": "station_max", "kind": "relative"},
        {"purpose": "station_max", "start_at": None},
        {"kind": "recurring"},
        {"purpose": "tx"},
    ],
)
def test_a_profile_that_cannot_be_obeyed_is_refused(changes: dict[str, object]) -> None:
    stack = ProfileStack()
    assert stack.install(make(1, 10, **changes)) is not None
    assert stack.profiles == []


def test_a_full_battery_is_given_less_and_a_drawn_delay_is_kept() -> None:
    stack = stack_of(make(1, 30, limit_at_soc=(80, 12.0)))
    for soc, limit in ((None, 30), (79, 30), (80, 12)):
        assert amperes(stack, outlet=Outlet(1, 3, False, 22_000, "t", AT, soc_percent=soc)) == limit
    late = stack_of(make(1, 8, stack_level=0), make(2, 16, stack_level=1, delay_s=30.0))
    assert [amperes(late, s) for s in (1, 29, 31)] == [8, 8, 16]
    assert late.next_change_s(AC, AT) == 30


def test_a_profile_lasts_offline_as_long_as_it_says_and_some_never_come_back() -> None:
    stack = stack_of(
        make(1, 6),
        make(2, 16, stack_level=1, offline_for_s=60),
        make(3, 24, stack_level=2, offline_for_s=0, is_invalid_after_offline=True),
    )
    assert stack.minds_the_line
    assert amperes(stack) == 24
    stack.offline_since = AT
    assert [amperes(stack, s) for s in (1, 59, 61)] == [16, 16, 6]
    assert stack.came_back(AT + timedelta(seconds=90)) == 1
    assert amperes(stack, 91) == 16


def test_the_composite_schedule_joins_what_is_equal_and_ends_at_the_outlets_maximum() -> None:
    stack = stack_of(make(1, 0, periods=(Period(0, 10), Period(300, 10), Period(600, 16)), duration_s=900))
    slots = [(slot.start_s, slot.limit) for slot in stack.composite(AC, AT, 1200, "A")]
    assert slots == [(0, 10), (600, 16), (900, 31.9)]
    watts = stack.composite(AC, AT, 1200, "W")
    assert [slot.limit for slot in watts] == [6900, 11_040, 22_000]


def test_limits_convert_between_amperes_and_watts() -> None:
    assert Limit(current_a=10).watts(3, is_dc=False) == 6900
    assert Limit(current_a=10).watts(1, is_dc=False) == 2300
    assert Limit(power_w=40_000).amperes(3, is_dc=True) == 100
    assert Limit().watts(3, is_dc=False) is None


def test_a_battery_tapers_and_no_car_draws_more_than_it_can() -> None:
    shares = [taper(DC_TAPER, soc / 100) for soc in range(55, 101)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.1
    for model in MODELS:
        dc, ac = Car(model, 0.3, 1, is_dc=True), Car(model, 0.3, 1, is_dc=False)
        assert dc.wanted_power_w(1e6, 3) == model.dc_power_w
        assert dc.wanted_power_w(30_000, 3) == 30_000
        assert ac.wanted_power_w(1e6, 3) == pytest.approx(model.ac_power_w, rel=0.01)
        assert ac.wanted_power_w(1e6, 3, limit_a=5.9) == 0
        assert ac.wanted_power_w(1e6, 3, limit_a=6) == 6 * 230 * model.ac_phases


def test_a_car_is_content_after_exactly_what_it_came_for() -> None:
    car = Car.needing(MODELS[4], 12_345, 0.8, is_dc=False)
    assert car.missing_wh == pytest.approx(12_345)
    car.absorb(12_345)
    assert car.is_content
    assert car.wanted_power_w(11_000, 3) == 0


def test_the_register_counts_power_times_time_and_never_backwards() -> None:
    meter = Meter(1000, AT)
    meter.power_w = 3600
    for second in range(1, 3601):
        meter.advance(AT + timedelta(seconds=second))
    assert meter.register_wh == 4600
    assert meter.advance(AT) == 0
    assert meter.register_wh == 4600


def test_settings_are_written_by_the_rules_of_their_row() -> None:
    device = Device()
    assert device.write(find_key16("heartbeatinterval"), "60").name == "heartbeat_interval_s"
    assert device.number("heartbeat_interval_s") == 60
    for key, value in (
        ("HeartbeatInterval", "-1"),
        ("HeartbeatInterval", "x"),
        ("LocalPreAuthorize", "perhaps"),
        ("NumberOfConnectors", "4"),
        ("AuthorizationKey", "short"),
        ("NoSuchKey", "1"),
    ):
        with pytest.raises(Refusal):
            device.write(find_key16(key), value)
    assert find_variable2("ocppcommctrlr", "HEARTBEATINTERVAL", None) is not None
    assert device.read(next(s for s in SETTINGS if s.name == "auth_key")) is None
    assert len({s.name for s in SETTINGS}) == len(SETTINGS)


def test_list_and_cache_answer_in_that_order_and_forget_what_is_over() -> None:
    known = Permissions()
    card = Token("Card1")
    known.remember(card, Permission("Accepted", None, AT + timedelta(days=1)))
    assert known.find(card, AT, uses_list=True, uses_cache=True) == Permission("Accepted", None, AT + timedelta(days=1))
    known.replace(1, {"card1": Permission("Blocked")})
    found = known.find(card, AT, uses_list=True, uses_cache=True)
    assert found is not None
    assert found.status == "Blocked"
    expired = known.find(card, AT + timedelta(days=2), uses_list=False, uses_cache=True)
    assert expired is not None
    assert expired.status == "Expired"
    assert known.find(card, AT, uses_list=False, uses_cache=False) is None
    assert known.amend(1, {}) is False
    assert known.amend(2, {"card1": None}) is True
    assert known.listed == {}
    for number in range(300):
        known.remember(Token(f"T{number}"), Permission("Accepted"))
    assert len(known.cache) == 200
