"""Fees of parts of months, energy that is in them, and what is free: exact, and by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.cdrs.reckoning import net_lines
from ohmstead.billing.plans.reckoning import Fee, energy_by_month, fee_of, share_of
from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffAdjustment, TariffElement, TariffTax
from ohmstead.tariffs.pricing import (
    Concession,
    CostBreakdown,
    CostLine,
    CostTax,
    Included,
    Payer,
    Stretch,
    applied,
    plan_of,
    price,
    reduced,
)
from ohmstead.tariffs.pricing.limits import Amounts, taxes_of, totals

VIENNA = ZoneInfo("Europe/Vienna")
VAT = TariffTax(percentage=Decimal(20))
D = Decimal


def fee(from_on: date, until_on: date, amount: str = "9.90", *, included: bool = True, wh: int = 100_000) -> Fee:
    return fee_of(
        from_on=from_on,
        until_on=until_on,
        monthly_fee=D(amount),
        included_wh=wh,
        taxes=[VAT],
        tax_included=included,
        currency="EUR",
    )


def test_a_whole_month_costs_the_fee_and_a_part_its_days() -> None:
    whole = fee(date(2026, 3, 1), date(2026, 4, 1))
    assert (whole.total, whole.before_taxes, whole.taxes[0].amount, whole.included_wh) == (
        D("9.90"),
        D("8.25"),
        D("1.65"),
        100_000,
    )
    half = fee(date(2026, 3, 17), date(2026, 4, 1))
    assert (half.total, half.before_taxes, half.included_wh) == (D("4.79"), D("3.99"), 48_387)
    net = fee(date(2026, 2, 28), date(2026, 3, 1), "10", included=False)
    assert (net.before_taxes, net.taxes[0].amount, net.total) == (D("0.36"), D("0.07"), D("0.43"))
    nothing = fee(date(2026, 3, 1), date(2026, 4, 1), "0")
    assert nothing.total == 0
    assert not nothing.taxes
    with pytest.raises(ValueError, match="one month"):
        fee(date(2026, 3, 17), date(2026, 4, 2))
    with pytest.raises(ValueError, match="one month"):
        fee(date(2026, 3, 17), date(2026, 3, 17))


@given(st.dates(date(2024, 1, 1), date(2030, 1, 1)), st.decimals(0, 1000, places=2), st.integers(0, 10**7))
def test_the_days_before_and_from_a_day_on_make_the_month_up_to_a_cent(day: date, amount: Decimal, wh: int) -> None:
    first = day.replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1)
    whole = fee(first, last, str(amount), wh=wh)
    rest = fee(day, last, str(amount), wh=wh)
    assert 0 <= rest.total <= whole.total
    assert rest.total == rest.before_taxes + sum((one.amount for one in rest.taxes), D(0))
    if day > first:
        begin = fee(first, day, str(amount), wh=wh)
        assert abs(begin.total + rest.total - whole.total) <= D("0.01")
        assert abs(begin.included_wh + rest.included_wh - wh) <= 1


def period(started_at: datetime, minutes: float, wh: str) -> ChargingPeriod:
    return ChargingPeriod(started_at, started_at + timedelta(minutes=minutes), "charging", D(wh))


def test_energy_belongs_to_the_month_on_the_wall_of_the_books() -> None:
    at = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)  # half past eleven in Vienna
    assert energy_by_month([period(at, 60, "20000")], VIENNA) == {date(2026, 3, 1): 10_000, date(2026, 4, 1): 10_000}
    assert energy_by_month([period(at, 60, "20000")], ZoneInfo("UTC")) == {date(2026, 3, 1): 20_000}
    assert energy_by_month([period(at, 90, "10000")], VIENNA) == {
        date(2026, 3, 1): D("3333.333333"),
        date(2026, 4, 1): D("6666.666667"),
    }


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
            st.integers(1, 60 * 24 * 40),
            st.decimals(0, 10**6, places=3),
        ),
        max_size=4,
    )
)
def test_the_months_add_up_to_what_was_charged(found: list[tuple[datetime, int, Decimal]]) -> None:
    periods = [period(at, minutes, str(wh)) for at, minutes, wh in found]
    by_month = energy_by_month(periods, VIENNA)
    assert sum(by_month.values(), D(0)) == sum((one.energy_wh for one in periods), D(0))
    share = share_of(by_month, dict.fromkeys(by_month, D(5000)))
    assert all(0 < wh <= 5000 and wh <= by_month[month] for month, wh in share.items())


def cost(kwh: str, *, includes: bool = False, **more: object) -> CostBreakdown:
    """0.50 a kWh with 20 %, and a fee of 1.00 with 10 %."""
    components = [
        PriceComponent(type="ENERGY", price=D("0.50"), taxes=[VAT], step_size=0),
        PriceComponent(type="FLAT", price=D("1.00"), taxes=[TariffTax(percentage=D(10))]),
    ]
    tariff = Tariff(
        currency="EUR",
        elements=[TariffElement(price_components=components)],
        tax_included="YES" if includes else "NO",
        **more,  # type: ignore[arg-type]
    )
    at = datetime(2026, 3, 1, tzinfo=UTC)
    stretch = Stretch(started_at=at, ended_at=at + timedelta(hours=1), kind="charging", energy_wh=D(kwh) * 1000)
    return price(plan_of(tariff, "UTC"), [stretch], Payer(plans=["gold"]))


def with_included(before: CostBreakdown, included_wh: Decimal, energy_wh: Decimal, rule: str) -> CostBreakdown:
    return applied(before, Concession(energy_wh=energy_wh, included=[Included(included_wh, rule)]))


def test_energy_that_a_fee_has_paid_for_is_a_line_of_its_own() -> None:
    before = cost("20")
    assert (before.before_taxes, before.total) == (D("11.00"), D("13.10"))
    after = with_included(before, D(8000), D(20_000), "Included")
    assert [(line.kind, line.rule, line.amount) for line in after.lines[2:]] == [("ADJUSTMENT", "Included", D("-4.00"))]
    assert (after.before_taxes, after.total) == (D("7.00"), D("8.30"))
    assert {tax.percentage: tax.amount for tax in after.taxes} == {D(20): D("1.20"), D(10): D("0.10")}
    whole = with_included(before, D(30_000), D(20_000), "Included")
    assert (whole.before_taxes, whole.total) == (D("1.00"), D("1.10"))
    assert with_included(before, D(0), D(20_000), "Included") == before


def test_what_is_included_takes_no_more_than_other_discounts_left() -> None:
    less = TariffAdjustment(name="Member", percent=D(-50), dimensions=["ENERGY"], plans=["gold"])
    after = with_included(cost("20", adjustments=[less]), D(20_000), D(20_000), "Included")
    assert [line.amount for line in after.lines] == [D("10.00"), D("1.00"), D("-5.00"), D("-5.00")]
    assert (after.before_taxes, after.total) == (D("1.00"), D("1.10"))


@given(st.decimals(0, 200, places=3), st.decimals(0, 250, places=3), st.booleans())
def test_lines_add_up_whatever_is_included(kwh: Decimal, included: Decimal, includes: bool) -> None:
    before = cost(str(kwh), includes=includes)
    after = with_included(before, included * 1000, kwh * 1000, "Included")
    assert sum((line.amount for line in after.lines), D(0)) == (after.total if includes else after.before_taxes)
    assert after.total == after.before_taxes + sum((tax.amount for tax in after.taxes), D(0))
    assert 0 <= after.total <= before.total


def test_what_is_free_keeps_its_lines() -> None:
    after = applied(cost("20"), Concession(is_free=True))
    assert (after.before_taxes, after.total) == (D(0), D(0))
    assert [line.amount for line in after.lines] == [D("10.00"), D("1.00"), D("-10.00"), D("-1.00")]
    assert {line.rule for line in after.lines[2:]} == {"Free of charge"}
    assert all(tax.amount == 0 for tax in after.taxes)


def test_what_is_reduced_is_taken_off_each_rate_by_its_share() -> None:
    after = reduced(cost("20"), D("3.10"), "Reduced: late")
    assert after.total == D("10.00")
    assert [(line.kind, line.rule) for line in after.lines[2:]] == [("ADJUSTMENT", "Reduced: late")] * 2
    assert [line.amount for line in after.lines[2:]] == [D("-2.38"), D("-0.22")]
    assert {tax.percentage: (tax.base, tax.amount) for tax in after.taxes} == {
        D(20): (D("7.62"), D("1.52")),
        D(10): (D("0.78"), D("0.08")),
    }
    gross = reduced(cost("20", includes=True), D("1.10"), "Reduced")
    assert (gross.total, [line.amount for line in gross.lines[2:]]) == (D("9.90"), [D("-1.00"), D("-0.10")])


def test_all_of_it_leaves_nothing_and_so_does_more() -> None:
    for amount in ("13.10", "99"):
        after = reduced(cost("20"), D(amount), "Reduced")
        assert (after.before_taxes, after.total) == (D(0), D(0))
        assert all(tax.amount == 0 for tax in after.taxes)
    nothing = applied(cost("20"), Concession(is_free=True))
    assert reduced(nothing, D(1), "Reduced") == nothing


def test_a_total_that_no_rounded_tax_gives_is_reached_all_the_same() -> None:
    """At 20 % there is no net price for 0.03: 0.02 gives 0.02, 0.03 gives 0.04."""
    component = PriceComponent(type="FLAT", price=D("0.10"), taxes=[VAT])
    tariff = Tariff(currency="EUR", elements=[TariffElement(price_components=[component])], tax_included="NO")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    before = price(
        plan_of(tariff, "UTC"), [Stretch(started_at=at, ended_at=at + timedelta(hours=1), energy_wh=D(1000))]
    )
    after = reduced(before, D("0.09"), "Reduced")
    assert (after.before_taxes, after.taxes[0].amount, after.total) == (D("0.02"), D("0.01"), D("0.03"))
    # One more: only what the tax had too much of goes.
    last = reduced(after, D("0.01"), "Reduced")
    assert (last.before_taxes, last.taxes[0].amount, last.total) == (D("0.02"), D("0.00"), D("0.02"))
    assert last.lines[-1].amount == 0


CENTS = st.integers(-500, 5000).map(lambda n: D(n) / 100)
RATES = st.sampled_from(["0", "5.5", "9", "10", "19", "20", "21", "25.5"]).map(D)
TAXES = st.lists(RATES.map(lambda rate: TariffTax(percentage=rate)), max_size=2, unique=True)


@st.composite
def costs(draw: st.DrawFn) -> CostBreakdown:
    """What could be billed: lines of any rates, some taken off again, as pricing adds it up."""
    includes = draw(st.booleans())
    lines = [
        CostLine(kind="ENERGY", rule="made up", amount=amount, taxes=taxes)
        for amount, taxes in draw(st.lists(st.tuples(CENTS, TAXES), min_size=1, max_size=5))
    ]
    amounts: Amounts = {}
    for line in lines:
        amounts[tuple(line.taxes)] = amounts.get(tuple(line.taxes), 0) + int(line.amount * 100)
    before, after = totals(amounts, includes)
    taxed = taxes_of(amounts, includes)
    return CostBreakdown(
        currency="EUR",
        before_taxes=D(before) / 100,
        taxes=[
            CostTax(name=tax.name, percentage=tax.percentage, base=D(base) / 100, amount=D(amount) / 100)
            for tax, (base, amount) in taxed.items()
        ],
        total=D(after) / 100,
        includes_taxes=includes,
        lines=lines,
    )


def groups(found: CostBreakdown) -> dict[tuple[TariffTax, ...], Decimal]:
    sums: dict[tuple[TariffTax, ...], Decimal] = {}
    for line in found.lines:
        sums[tuple(line.taxes)] = sums.get(tuple(line.taxes), D(0)) + line.amount
    return sums


@given(costs(), st.lists(st.integers(1, 3000), min_size=1, max_size=4))
def test_what_is_paid_is_less_by_the_amount_exactly(before: CostBreakdown, cents: list[int]) -> None:
    for cent in cents:
        amount = D(cent) / 100
        after = reduced(before, amount, "Reduced")
        assert after.total == (max(before.total - amount, D(0)) if before.total > 0 else before.total)
        assert after.total == after.before_taxes + sum((tax.amount for tax in after.taxes), D(0))
        assert sum((line.amount for line in after.lines), D(0)) == (
            after.total if after.includes_taxes else after.before_taxes
        )
        assert after.lines[: len(before.lines)] == before.lines
        assert sum(net_lines(after), D(0)) == after.before_taxes
        if after.total > 0 and not after.includes_taxes:
            # No tax is more than what rounding makes of it, but for the minor units that lacked: one for each tax of a price.
            strays = [
                tax.amount - (tax.base * tax.percentage / 100).quantize(D("0.01"), ROUND_HALF_UP) for tax in after.taxes
            ]
            assert all(0 <= stray <= D("0.02") for stray in strays)
        was = groups(before)
        if after.total > 0:
            assert all(min(was[taxes], D(0)) <= left <= was[taxes] for taxes, left in groups(after).items())
        before = after
