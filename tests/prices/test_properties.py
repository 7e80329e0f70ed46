"""What holds of every price: of any tariff, any session, any way of cutting it up."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.core.errors import Invalid
from ohmstead.core.money import minor_units
from ohmstead.tariffs.model import (
    DAYS,
    IdleFee,
    MarketLink,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffAdjustment,
    TariffElement,
    TariffRestrictions,
    TariffTax,
)
from ohmstead.tariffs.pricing import (
    CostBreakdown,
    MarketPrices,
    Meter,
    Payer,
    Shown,
    Stretch,
    break_down,
    plan_of,
    price,
    stretches_of,
    total_of,
)

SECOND = timedelta(seconds=1)
CURRENCIES = ("EUR", "JPY", "KWD", "USD", "HUF")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "Pacific/Apia")
# Around changes of clocks, and in between.
STARTS = (
    "2026-03-28T20:00",
    "2026-10-24T20:00",
    "2026-03-08T03:00",
    "2026-10-31T22:00",
    "2026-04-04T12:00",
    "2026-06-10",
)

prices = st.decimals(0, 20, places=4)
taxes = st.lists(
    st.builds(TariffTax, percentage=st.sampled_from((Decimal(5), Decimal("7.7"), Decimal(19)))), max_size=1
)
minutes = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")


@st.composite
def restrictions(draw: st.DrawFn) -> TariffRestrictions | None:
    kind = draw(st.sampled_from(("none", "time", "days", "kwh", "power", "duration", "mixed")))
    values: dict[str, object] = {}
    if kind in ("time", "mixed"):
        values |= {"start_time": draw(minutes), "end_time": draw(minutes)}
    if kind in ("days", "mixed"):
        values["day_of_week"] = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True))
    if kind == "kwh":
        values[draw(st.sampled_from(("min_kwh", "max_kwh")))] = draw(st.decimals(0, 60, places=1))
    if kind == "power":
        values[draw(st.sampled_from(("min_power", "max_power")))] = draw(st.decimals(0, 50, places=1))
    if kind == "duration":
        values[draw(st.sampled_from(("min_duration", "max_duration")))] = draw(st.integers(1, 20_000))
    return TariffRestrictions(**values) if values else None  # type: ignore[arg-type]


@st.composite
def tariffs(draw: st.DrawFn, *, steps: bool = True, plain: bool = False, one_rate: bool = False) -> Tariff:
    rates = st.just(draw(taxes)) if one_rate else taxes
    step = st.sampled_from((0, 1, 60, 500, 900)) if steps else st.just(0)
    elements = []
    for _ in range(draw(st.integers(1, 4))):
        kinds = draw(
            st.lists(st.sampled_from(("ENERGY", "TIME", "PARKING_TIME", "FLAT")), min_size=1, max_size=4, unique=True)
        )
        components = [
            PriceComponent(type=kind, price=draw(prices), step_size=draw(step), taxes=draw(rates))  # type: ignore[arg-type]
            for kind in kinds
        ]
        elements.append(
            TariffElement(price_components=components, restrictions=None if plain else draw(restrictions()))
        )
    idle = st.builds(IdleFee, price_per_minute=prices, grace_minutes=st.integers(0, 90), taxes=rates)
    bound = draw(st.none() | st.decimals(0, 50, places=2))
    return Tariff(
        currency=draw(st.sampled_from(CURRENCIES)),
        tax_included=draw(st.sampled_from(("YES", "NO"))),
        elements=elements,
        idle_fee=draw(st.none() | idle),
        max_per_day=draw(st.none() | st.decimals(1, 40, places=2)),
        max_price=PriceLimit(before_taxes=bound, after_taxes=draw(st.none() | st.just(bound * 2))) if bound else None,
    )


@st.composite
def sessions(draw: st.DrawFn) -> list[Stretch]:
    """Whole seconds and a whole number of mWh in each of them, so that any second cuts a stretch exactly."""
    at = datetime.fromisoformat(draw(st.sampled_from(STARTS))).replace(tzinfo=UTC) + SECOND * draw(
        st.integers(0, 40_000)
    )
    found = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(("charging", "charging", "suspended_evse", "idle", "suspended_ev")))
        span = draw(st.integers(1, 15_000))
        flow = draw(st.integers(0, 20_000)) if kind == "charging" else 0
        energy = Decimal(flow * span).scaleb(-3)
        found.append(Stretch(started_at=at, ended_at=at + SECOND * span, kind=kind, energy_wh=energy))  # type: ignore[arg-type]
        at += SECOND * span
    return found


def cut(stretch: Stretch, after: int) -> list[Stretch]:
    """In two, after so many seconds."""
    span = int((stretch.ended_at - stretch.started_at).total_seconds())
    if not 0 < after < span:
        return [stretch]
    middle = stretch.started_at + SECOND * after
    first = stretch.energy_wh * after / span
    kind = stretch.kind
    return [
        Stretch(started_at=stretch.started_at, ended_at=middle, kind=kind, energy_wh=first),
        Stretch(started_at=middle, ended_at=stretch.ended_at, kind=kind, energy_wh=stretch.energy_wh - first),
    ]


def told(cost: CostBreakdown) -> tuple[object, ...]:
    return (cost.before_taxes, cost.total, [(line.kind, line.rule, line.quantity, line.amount) for line in cost.lines])


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(tariffs(), sessions(), st.sampled_from(ZONES))
def test_the_lines_add_up_and_every_line_can_be_worked_out_by_hand(
    tariff: Tariff, session: list[Stretch], zone: str
) -> None:
    cost = price(plan_of(tariff, zone), session)
    listed = sum((line.amount for line in cost.lines), Decimal(0))
    assert listed == (cost.total if cost.includes_taxes else cost.before_taxes)
    assert cost.total == cost.before_taxes + sum((tax.amount for tax in cost.taxes), Decimal(0))
    smallest = Decimal(1).scaleb(-minor_units(tariff.currency))
    for line in cost.lines:
        assert line.amount == line.amount.quantize(smallest)
        if line.quantity is not None and line.unit_price is not None:
            per = {"h": 3600, "min": 60}.get(str(line.price_per), 1)
            assert abs(line.quantity * line.unit_price / per - line.amount) <= smallest / 2
    assert cost.total >= 0


@many
@given(tariffs(), sessions(), st.sampled_from(ZONES), st.data())
def test_a_session_cut_at_any_second_costs_the_same(
    tariff: Tariff, session: list[Stretch], zone: str, data: st.DataObject
) -> None:
    plan = plan_of(tariff, zone)
    pieces = session
    for _ in range(3):
        which = data.draw(st.integers(0, len(pieces) - 1))
        at = data.draw(st.integers(1, 15_000))
        pieces = [piece for n, one in enumerate(pieces) for piece in (cut(one, at) if n == which else [one])]
    # A power of a stretch is its mean: it stays what it was when it is cut.
    assert told(price(plan, pieces)) == told(price(plan, session))


@many
@given(tariffs(), sessions(), st.sampled_from(ZONES), st.randoms(use_true_random=False))
def test_order_and_repetition_of_stretches_change_nothing(
    tariff: Tariff, session: list[Stretch], zone: str, chance: random.Random
) -> None:
    plan = plan_of(tariff, zone)
    mixed = [*session, *session[:2]]
    chance.shuffle(mixed)
    assert told(price(plan, mixed)) == told(price(plan, session))


@many
@given(tariffs(steps=False, one_rate=True), sessions(), st.sampled_from(ZONES))
def test_no_session_gets_cheaper_by_going_on(tariff: Tariff, session: list[Stretch], zone: str) -> None:
    """As measured, that is: a block that one price rounded up is taken back when another price begins (OCPI).
    And taxed alike: a bound before taxes leaves more or less with taxes, depending on what it is made of.
    """
    plan = plan_of(tariff, zone)
    meter = Meter.begin(plan, session[0].started_at)
    before = Decimal(0)
    for stretch in session:
        for piece in cut(stretch, 600):
            meter.add(piece)
            total = total_of(plan, meter.tally)[1]
            assert total >= before
            assert total == break_down(plan, meter.tally).total
            before = total


@many
@given(tariffs(plain=True, one_rate=True), sessions(), st.integers(0, 50_000), st.integers(0, 5))
def test_more_energy_never_costs_less_where_prices_do_not_depend_on_it(
    tariff: Tariff, session: list[Stretch], more: int, which: int
) -> None:
    plan = plan_of(tariff, "Europe/Berlin")
    place = which % len(session)
    larger = [
        Stretch(started_at=s.started_at, ended_at=s.ended_at, kind=s.kind, energy_wh=s.energy_wh + more * (n == place))
        for n, s in enumerate(session)
    ]
    assert price(plan, larger).total >= price(plan, session).total


@many
@given(tariffs(), sessions(), st.sampled_from(ZONES))
def test_samples_in_any_order_give_the_same_stretches(tariff: Tariff, session: list[Stretch], zone: str) -> None:
    register, shown, kinds = Decimal(1000), [], []
    shown.append(Shown(at=session[0].started_at, register_wh=register))
    for stretch in session:
        register += stretch.energy_wh
        shown.append(Shown(at=stretch.ended_at, register_wh=register))
        kinds.append((stretch.started_at, stretch.kind))
    found = stretches_of(list(reversed(shown)) + shown[:1], list(reversed(kinds)), session[-1].ended_at)
    plan = plan_of(tariff, zone)
    assert told(price(plan, found)) == told(price(plan, session))


@many
@given(tariffs(one_rate=True), sessions(), st.decimals(-100, 0, places=1), st.decimals(-50, 0, places=2))
def test_discounts_never_pay_anybody(tariff: Tariff, session: list[Stretch], percent: Decimal, once: Decimal) -> None:
    rules = {name: getattr(tariff, name) for name in tariff.__struct_fields__}
    given_away = [
        TariffAdjustment(name="A", percent=percent),
        TariffAdjustment(name="B", per_session=once),
        TariffAdjustment(name="C", per_kwh=Decimal("-0.5"), coupons=["X"]),
    ]
    cheaper = Tariff(**(rules | {"adjustments": given_away}))
    full = price(plan_of(tariff, "UTC"), session).total
    assert 0 <= price(plan_of(cheaper, "UTC"), session, Payer(coupons=["X"])).total <= full


@many
@given(tariffs(), sessions(), st.decimals(0, 30, places=2), st.decimals(0, 30, places=2))
def test_bounds_hold_before_and_after_taxes(
    tariff: Tariff, session: list[Stretch], bound: Decimal, more: Decimal
) -> None:
    rules = {name: getattr(tariff, name) for name in tariff.__struct_fields__}
    smallest = Decimal(1).scaleb(-minor_units(tariff.currency))
    limit = PriceLimit(before_taxes=bound.quantize(smallest), after_taxes=(bound + more).quantize(smallest))
    cost = price(plan_of(Tariff(**(rules | {"max_price": limit})), "UTC"), session)
    assert cost.before_taxes <= limit.before_taxes
    assert limit.after_taxes is not None
    assert cost.total <= limit.after_taxes
    cost = price(plan_of(Tariff(**(rules | {"max_price": None, "min_price": limit})), "UTC"), session)
    if cost.lines:
        assert cost.before_taxes >= limit.before_taxes
        assert cost.total >= limit.after_taxes


def test_stretches_that_overlap_or_run_backwards_are_refused() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    tariff = Tariff(
        currency="EUR", elements=[TariffElement(price_components=[PriceComponent(type="TIME", price=Decimal(1))])]
    )
    one = Stretch(started_at=at, ended_at=at + SECOND * 60)
    for wrong in (
        Stretch(started_at=at + SECOND * 30, ended_at=at + SECOND * 90),
        Stretch(started_at=at + SECOND * 90, ended_at=at + SECOND * 80),
        Stretch(started_at=at + SECOND * 90, ended_at=at + SECOND * 99, energy_wh=Decimal(-1)),
        Stretch(started_at=at + SECOND * 90, ended_at=at + SECOND * 99, energy_wh=Decimal("NaN")),
        Stretch(started_at=at + SECOND * 90, ended_at=at + SECOND * 99, energy_wh=Decimal("1E+20")),
    ):
        with pytest.raises(Invalid):
            price(plan_of(tariff, "UTC"), [one, wrong])
    with pytest.raises(Invalid):
        price(plan_of(tariff, "UTC"), [])


@many
@given(sessions(), st.lists(st.decimals(-1, 2, places=3) | st.none(), min_size=1, max_size=40), st.integers(1, 15_000))
def test_a_market_price_is_the_same_however_the_session_is_cut(
    session: list[Stretch], told_prices: list[Decimal | None], at: int
) -> None:
    start, quarter = session[0].started_at - SECOND * 1000, SECOND * 900
    rows = [(start + n * quarter, start + (n + 1) * quarter, p) for n, p in enumerate(told_prices) if p is not None]
    market = {"DAY": MarketPrices.of(rows)}
    link = MarketLink(series="DAY", factor=Decimal("1.05"), adder=Decimal("0.01"), floor=Decimal(0), cap=Decimal(1))
    component = PriceComponent(type="ENERGY", price=Decimal("0.4"), market=link, step_size=0)
    plan = plan_of(Tariff(currency="EUR", elements=[TariffElement(price_components=[component])]), "Europe/Berlin")
    whole = price(plan, session, market=market)
    pieces = [piece for one in session for half in cut(one, at) for piece in cut(half, 60)]
    assert told(price(plan, pieces, market=market)) == told(whole)
    for line in whole.lines:
        assert sum((part.quantity for part in line.parts), Decimal(0)) == line.quantity
        by_hand = sum((part.quantity * part.unit_price for part in line.parts), Decimal(0))
        assert abs(by_hand - line.amount) <= Decimal("0.005")
