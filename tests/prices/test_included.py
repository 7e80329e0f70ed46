"""A session that goes on is spared at any moment what its bill would spare it, if it ended then."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.billing.ledger.entries import after
from ohmstead.billing.paying.payers import OfPlans
from ohmstead.billing.plans.reckoning import Month, borders_of, concession_of, energy_by_month, included_of, left_for
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions import metering
from ohmstead.sessions.covers.judging import is_over, notices
from ohmstead.sessions.model import ChargingPeriod
from ohmstead.sessions.pricing import pieces, running
from ohmstead.sessions.terms import CoverLimit
from ohmstead.tariffs.model import PriceLimit, Tariff
from ohmstead.tariffs.pricing import Concession, CostBreakdown, applied, break_down, plan_of, price, total_of
from tests.prices.test_properties import tariffs
from tests.prices.test_running import PER_KWH, Going, told_things

D = Decimal
# Evenings before a month begins, in spring and autumn with the change of clocks near, and an afternoon in no such place.
STARTS = tuple(
    datetime.fromisoformat(f"{one}+00:00")
    for one in ("2026-03-31T16:00", "2026-03-28T23:30", "2026-10-24T23:30", "2026-10-31T18:00", "2026-02-28T21:59:59")
)
ZONES = ("Europe/Vienna", "UTC", "America/New_York", "Australia/Lord_Howe")
many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def goings(draw: st.DrawFn, tariff: Tariff | None = None) -> tuple[Going, list[tuple[Any, ...]]]:
    """A session of hours or of days, and what is told of it."""
    zone = draw(st.sampled_from(ZONES))
    going = Going(plan_of(tariff or draw(tariffs(plain=True)), zone), at=draw(st.sampled_from(STARTS)))
    going.zone = ZoneInfo(zone)
    longer = draw(st.sampled_from((1, 1, 3, 60)))
    return going, [(name, after_s * longer, *more) for name, after_s, *more in draw(told_things())]


@st.composite
def months_of(draw: st.DrawFn, going: Going) -> list[Month]:
    """Of one or two subscriptions, the first of which may have begun in the month of the session; some of it is used."""
    assert going.zone is not None
    found = []
    for n in range(draw(st.integers(1, 2))):
        began = going.at - timedelta(days=draw(st.sampled_from((0, 3, 200))), seconds=n)
        subscription_id, kwh = new_id(), draw(st.integers(0, 40))
        day = max(began, going.at - timedelta(days=40)).astimezone(going.zone).date()
        for _ in range(5):
            until = after(day)
            whole = included_of(kwh * 1000, day, until)
            found.append(
                Month(
                    plan_charge_id=new_id(),
                    subscription_id=subscription_id,
                    plan_name=f"Plan {n}",
                    started_at=began,
                    from_on=day,
                    until_on=until,
                    left_wh=D(draw(st.integers(0, whole * 1000))) / 1000,
                    own_wh={},
                    time_zone=str(going.zone),
                )
            )
            day = until
    return found


def billed(going: Going, months: list[Month]) -> CostBreakdown:
    """As a bill comes about: the periods of the session as it settles, priced from scratch, less what plans spare it."""
    periods = going.settled()
    points = metering.register_points(going.session, metering.registers(going.samples))
    cost = price(going.plan, pieces.stretches_of(periods, points))
    return applied(cost, spared(going, periods, months))


def spared(going: Going, periods: list[ChargingPeriod] | None, months: list[Month]) -> Concession:
    assert going.zone is not None
    session = going.session
    left = left_for(session.session_id, session.started_at, months, {})
    if periods is None:
        periods = [ChargingPeriod(session.started_at, session.started_at, "charging", session.energy_wh)]
    given_now = OfPlans(session.started_at, going.zone, left).concession(periods)
    assert given_now == concession_of(energy_by_month(periods, going.zone), left)[0]
    return given_now


@many
@given(st.data())
def test_its_cost_is_that_of_the_bill_if_it_ended_now(data: st.DataObject) -> None:
    tariff = data.draw(tariffs(plain=True))
    least = st.builds(PriceLimit, before_taxes=st.decimals(0, 9, places=2))
    # Days are priced by the meter's own readings, which whole Wh of periods are not.
    rules = {name: getattr(tariff, name) for name in tariff.__struct_fields__} | {"max_per_day": None}
    going, things = data.draw(goings(Tariff(**(rules | {"min_price": data.draw(st.none() | least)}))))
    months = data.draw(months_of(going))
    for name, *what in things:
        getattr(going, name)(*what)
        step = going.steps()
        if step is None or going.session.last_event_at == going.at:
            continue
        given_now = spared(going, step.periods, months)
        bill = billed(going, months)
        assert applied(break_down(going.plan, step.now), given_now).total == bill.total
        assert total_of(going.plan, step.now, given=given_now)[1] == bill.total


@many
@given(goings())
def test_its_energy_is_that_of_the_months_in_which_the_bill_sees_it(told: tuple[Going, list[tuple[Any, ...]]]) -> None:
    going, things = told
    assert going.zone is not None
    for name, *what in things:
        getattr(going, name)(*what)
        step = going.steps()
        if step is not None and step.periods is not None:
            assert energy_by_month(step.periods, going.zone) == energy_by_month(going.settled(), going.zone)


def test_borders_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    zone, at = ZoneInfo("Europe/Vienna"), STARTS[0]
    grant = OfPlans(at, zone, [])
    for hours in (1, 6, 7, 3, 24 * 30 + 6, 24 * 30 + 7, 24 * 70, 6, 0):
        until = at + timedelta(hours=hours)
        assert grant.borders(until) == borders_of(zone, at, until)


def flickering(n: int) -> Going:
    """Over the end of a month: now and then nothing flows for a while."""
    going = Going(plan_of(PER_KWH, "Europe/Vienna"), at=STARTS[0])
    going.zone, wh = ZoneInfo("Europe/Vienna"), 0
    for n_read in range(n):
        wh += 500 if n_read % 7 else 0
        going.reads(n_read * 180, wh)
        assert going.steps() is not None
    return going


def test_one_more_reading_costs_the_same_however_long_it_goes_on_in_the_new_month() -> None:
    """Counted in bytes kept, readings told and times it was counted anew, not in seconds: those are the machine's."""
    short, long = flickering(130), flickering(1000)
    assert short.kept is not None
    assert long.kept is not None
    assert short.kept.spans is not None
    assert long.kept.spans is not None
    assert len(running.as_bytes(long.kept)) <= len(running.as_bytes(short.kept)) + 16
    assert len(long.told(long.kept.until).samples) == 1
    # From its start, and once more when the month began.
    assert long.n_anew == 2
    step = long.steps()
    assert step is not None
    assert step.periods is not None
    zone = ZoneInfo("Europe/Vienna")
    assert energy_by_month(step.periods, zone) == energy_by_month(long.settled(), zone)


def test_what_a_plan_spares_takes_little_to_know() -> None:
    going = flickering(60)
    going.zone = None
    step = going.steps()
    assert step is not None
    month = Month(
        plan_charge_id=new_id(),
        subscription_id=new_id(),
        plan_name="Plus",
        started_at=going.at - timedelta(days=40),
        from_on=going.at.date().replace(day=1),
        until_on=after(going.at.date()),
        left_wh=D(9_000),
        own_wh={},
        time_zone="Europe/Vienna",
    )
    session = going.session
    grant = OfPlans(going.at, ZoneInfo("Europe/Vienna"), left_for(session.session_id, going.at, [month], {}))
    periods = [ChargingPeriod(going.at, going.at, "charging", session.energy_wh)]
    begun = time.perf_counter()
    for _ in range(200):
        assert grant.borders(session.last_event_at) == []
        total_of(going.plan, step.now, given=grant.concession(periods))
    # It has its place in the 50 µs of a step; this is ten times that.
    assert (time.perf_counter() - begun) / 200 < 500e-6


def test_of_two_periods_that_are_as_long_the_first_has_what_whole_watt_hours_leave_over() -> None:
    """As in a session that is settled: half a Wh of March is no matter of April."""
    zone = ZoneInfo("Europe/Vienna")
    going = Going(plan_of(PER_KWH, "Europe/Vienna"), at=STARTS[0])
    going.zone = zone
    for after_s, kind in ((0, "charging"), (3600, "suspended_ev"), (6 * 3600 + 1800, "charging")):
        going.tells(after_s, kind)
    for after_s, wh in ((0, "0"), (3600, "1000"), (6 * 3600 + 1800, "1000"), (7 * 3600 + 1800, "2000.5")):
        going.reads(after_s, D(wh))
    step = going.steps()
    assert step is not None
    assert step.periods is not None
    found = energy_by_month(step.periods, zone)
    assert [str(one.normalize()) for one in found.values()] == ["1000.5", "1E+3"]
    assert found == energy_by_month(going.settled(), zone)


def test_a_session_that_costs_nothing_reaches_no_limit() -> None:
    """Not even where nothing is held for it: it needs no cover."""
    nothing, cent = Money(D(0), "EUR"), Money(D("0.01"), "EUR")
    none_held = CoverLimit(limit=nothing, warn_at=nothing)
    assert not is_over(nothing, [none_held])
    assert notices(new_id(), new_id(), nothing, [("cover", none_held)]) == []
    assert is_over(cent, [none_held])
    (found,) = notices(new_id(), new_id(), cent, [("cover", none_held)])
    assert found.kind == "ran_out"
