"""What there is to tell of a session that goes on, and when a car will be full. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ohmstead.notifications.estimating import Charge, is_nearly_full, time_to_full
from ohmstead.notifications.moments import Running, fee_begins_at, moments_of
from ohmstead.tariffs.model import IdleFee, PriceComponent, Tariff, TariffElement, TariffTax

BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=20)


def charge(begun: int | None, soc: int | None, wh: int, watts: int, at: datetime = NOW) -> Charge:
    return Charge(
        at=at,
        soc_from_percent=None if begun is None else Decimal(begun),
        soc_percent=None if soc is None else Decimal(soc),
        energy_wh=Decimal(wh),
        power_w=Decimal(watts),
    )


def tariff(fee: IdleFee | None, tax_included: str = "NO") -> Tariff:
    energy = PriceComponent(type="ENERGY", price=Decimal("0.5"))
    elements = [TariffElement(price_components=[energy])]
    return Tariff(currency="EUR", elements=elements, idle_fee=fee, tax_included=tax_included)  # type: ignore[arg-type]


def kinds(running: Running, now: datetime = NOW) -> list[str]:
    return [one.kind for one in moments_of(running, now)]


@pytest.mark.parametrize(
    "known",
    [
        charge(None, 50, 10_000, 50_000),
        charge(20, None, 10_000, 50_000),
        charge(20, 23, 2_000, 50_000),  # too few percents
        charge(20, 50, 20_000, 100),  # next to nothing flows
        charge(20, 50, 0, 50_000),
        charge(20, 21, 10, 1_000),
        charge(40, 50, 6_000, 1_400),  # longer than a day at that power
    ],
)
def test_where_too_little_is_known_nothing_is_said(known: Charge) -> None:
    late = replace(known, power_w=Decimal(600)) if known.power_w == 1_400 else known
    found = time_to_full(late if known.power_w == 1_400 else known)
    assert found is None or found.latest_at - NOW < timedelta(hours=24)
    if known.power_w != 1_400:
        assert found is None


def test_an_even_charge_by_alternating_current_is_told_within_a_narrow_range() -> None:
    # 60 kWh, 11 kW, from 40 to 60 %: 24 kWh to go, 2 h 11 min without taper.
    found = time_to_full(charge(40, 60, 12_000, 11_000))
    assert found is not None
    true = NOW + timedelta(hours=24 / 11)
    assert found.earliest_at <= true <= found.latest_at
    assert found.latest_at - found.earliest_at <= timedelta(minutes=45)


@given(
    st.integers(20, 120),
    st.integers(2, 60),
    st.integers(10, 30),
    st.sampled_from([11_000, 22_000, 50_000, 100_000, 150_000]),
    st.floats(0.2, 1.0),
)
def test_the_range_holds_what_a_car_with_any_usual_taper_does(
    kwh: int, begun: int, gained: int, watts: int, last_share: float
) -> None:
    """A car that charges evenly up to where it tapers, and whose percents are rounded, is full within the range."""
    soc = begun + gained
    is_fast = watts >= 25_000
    begins = 80.0 if is_fast else 95.0
    hours, at = 0.0, float(soc)
    while at < 100:
        step = min(0.1, 100 - at)
        share = (
            1.0 if at < begins else 1 - (1 - max(last_share, 0.2 if is_fast else 0.5)) * (at - begins) / (100 - begins)
        )
        hours += kwh * 10 * step / (watts * share)
        at += step
    found = time_to_full(charge(begun, soc, int(kwh * 10 * gained), watts))
    if found is None:
        assert hours > 15
        return
    assert found.earliest_at <= NOW + timedelta(hours=hours) + timedelta(minutes=1)
    assert NOW + timedelta(hours=hours) <= found.latest_at + timedelta(minutes=1)
    assert found.earliest_at <= found.latest_at


def test_nearly_full_is_told_by_percents_or_by_time() -> None:
    assert is_nearly_full(charge(40, 90, 30_000, 20_000), None)
    assert not is_nearly_full(charge(40, 60, 12_000, 11_000), time_to_full(charge(40, 60, 12_000, 11_000)))
    assert is_nearly_full(replace(charge(40, 79, 30_000, 50_000), target_percent=80), None)
    assert not is_nearly_full(charge(None, None, 30_000, 50_000), None)


def test_moments_come_in_their_order() -> None:
    running = Running(started_at=BEGAN, charge=charge(40, 60, 12_000, 11_000), idle_since=None)
    assert kinds(running) == ["time_to_full"]
    assert kinds(replace(running, started_at=NOW - timedelta(minutes=2))) == []  # too early to say
    assert kinds(replace(running, charge=charge(40, 92, 31_000, 11_000))) == ["nearly_full"]
    rests = replace(running, charge=charge(40, 100, 36_000, 0), idle_since=NOW)
    assert kinds(rests) == []  # it may go on in a moment
    assert kinds(rests, NOW + timedelta(seconds=90)) == ["fully_charged"]
    assert kinds(replace(rests, charge=charge(40, 40, 0, 0)), NOW + timedelta(hours=1)) == []


def test_an_idle_fee_is_told_ten_minutes_ahead_with_its_taxes() -> None:
    fee = IdleFee(price_per_minute=Decimal("0.10"), grace_minutes=30, taxes=[TariffTax(percentage=Decimal(21))])
    running = Running(started_at=BEGAN, charge=charge(40, 99, 36_000, 0), idle_since=NOW, tariff=tariff(fee))
    begins = NOW + timedelta(minutes=30)
    assert fee_begins_at(running) == begins
    assert "idle_fee" not in kinds(running, begins - timedelta(minutes=11))
    (told,) = [one for one in moments_of(running, begins - timedelta(minutes=10)) if one.kind == "idle_fee"]
    assert told.data == {"at": begins, "fee": {"amount": "0.121", "currency": "EUR"}}
    before = replace(running, idle_before_s=20 * 60)
    assert fee_begins_at(before) == NOW + timedelta(minutes=10)
    included = replace(running, tariff=tariff(fee, "YES"))
    (told,) = [one for one in moments_of(included, begins) if one.kind == "idle_fee"]
    assert told.data["fee"]["amount"] == "0.10"


def test_an_idle_fee_of_the_day_begins_in_the_morning() -> None:
    fee = IdleFee(price_per_minute=Decimal("0.10"), grace_minutes=0, start_time="08:00", end_time="20:00")
    night = datetime(2026, 3, 2, 22, tzinfo=UTC)
    running = Running(
        started_at=night - timedelta(hours=4),
        charge=charge(40, 99, 36_000, 0, night),
        idle_since=night,
        tariff=tariff(fee),
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert fee_begins_at(running) == datetime(2026, 3, 3, 7, tzinfo=UTC)
