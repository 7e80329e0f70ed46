"""Prices, places and passes, without a page: values in, values out."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core import language
from ohmstead.driver import finding, words
from ohmstead.driver.finding import Point, Wanted
from ohmstead.drivers import passes
from ohmstead.reports.plugs.model import PublicPlug, PublicSite
from ohmstead.stations.sites.model import Hours, WeeklyHours
from ohmstead.tariffs import pricing
from ohmstead.tariffs.model import (
    IdleFee,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffAdjustment,
    TariffElement,
    TariffRestrictions,
    TariffTax,
)
from ohmstead.tariffs.pricing import Payer, Stretch
from ohmstead.ui import pricetags
from ohmstead.ui.drawing import symbol
from ohmstead.ui.pricetags import money, tag_of
from ohmstead.ui.templating import STATIC_DIR

VAT = [TariffTax(percentage=Decimal(20))]
NOON = datetime(2026, 3, 2, 11, tzinfo=UTC)


def energy(price: str, **restrictions: str) -> TariffElement:
    held = TariffRestrictions(**restrictions) if restrictions else None  # type: ignore[arg-type]
    component = PriceComponent(type="ENERGY", price=Decimal(price), taxes=VAT)
    return TariffElement(price_components=[component], restrictions=held)


def test_the_price_that_counts_now_is_big_and_other_hours_stand_below() -> None:
    tariff = Tariff(currency="EUR", elements=[energy("0.30", start_time="22:00", end_time="06:00"), energy("0.50")])
    day = tag_of(tariff, "Europe/Vienna", NOON, power_w=150_000, is_dc=True, payer=Payer())
    night = tag_of(tariff, "Europe/Vienna", NOON.replace(hour=22), power_w=150_000, is_dc=True, payer=Payer())
    assert (day.big, day.unit) == ("€0.60", "per kWh")
    assert day.rows[0].notes == ["€0.36, 22:00 to 06:00"]
    assert night.big == "€0.36"
    assert night.rows[0].notes == ["€0.60, at other times"]
    assert [row.name for row in day.rows] == ["Per kWh", "Per minute", "Per session"]
    assert [row.price for row in day.rows[1:]] == ["none", "none"]
    assert [(one.what, one.cost) for one in day.examples] == [
        ("20 kWh at 150 kW, 8 min", "€12.00"),
        ("40 kWh at 150 kW, 16 min", "€24.00"),
    ]


def test_what_costs_nothing_is_free_and_an_idle_fee_is_not_nothing() -> None:
    free = Tariff(currency="EUR", elements=[energy("0")])
    assert tag_of(free, "UTC", NOON, power_w=None, is_dc=False, payer=Payer()).is_free
    assert not pricetags.unpriced().is_free
    idle = Tariff(currency="EUR", elements=[energy("0")], idle_fee=IdleFee(price_per_minute=Decimal("0.1")))
    tag = tag_of(idle, "UTC", NOON, power_w=None, is_dc=False, payer=Payer())
    assert not tag.is_free
    assert "€0.10 after it ends" in tag.rows[1].notes


def part(kind: str, price: str) -> TariffElement:
    return TariffElement(price_components=[PriceComponent(type=kind, price=Decimal(price), taxes=VAT)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "more",
    [
        {"min_price": PriceLimit(before_taxes=Decimal(1))},
        {"adjustments": [TariffAdjustment(name="Key", per_session=Decimal(1))]},
        {"adjustments": [TariffAdjustment(name="Grid", per_kwh=Decimal("0.02"))]},
        {"elements": [energy("0"), part("PARKING_TIME", "6")]},
        {"elements": [energy("0", start_time="08:00", end_time="20:00"), energy("0.30")]},
    ],
)
def test_what_costs_something_at_another_hour_or_in_the_end_is_not_free(more: dict[str, Any]) -> None:
    tariff = Tariff(**{"currency": "EUR", "elements": [energy("0")], **more})
    tag = tag_of(tariff, "UTC", NOON, power_w=None, is_dc=False, payer=Payer())
    assert not tag.is_free
    assert tag.unit == "per kWh"


def adjusted(*adjustments: TariffAdjustment, **more: Any) -> Tariff:
    return Tariff(
        **{"currency": "EUR", "elements": [energy("0.50"), part("TIME", "3")], "adjustments": list(adjustments), **more}
    )


CLUB = TariffAdjustment(name="Members", percent=Decimal(-20), plans=["CLUB"])


@pytest.mark.parametrize(
    ("adjustments", "payer", "big", "usual", "minute"),
    [
        ([CLUB], Payer(), "€0.60", "", "€0.06"),
        ([CLUB], Payer(plans=["CLUB"]), "€0.48", "€0.60", "€0.048"),
        # A coupon with the plan's label is no plan.
        ([CLUB], Payer(coupons=["CLUB"]), "€0.60", "", "€0.06"),
        # Each is reckoned from the price itself.
        ([CLUB, TariffAdjustment(name="Spring", percent=Decimal(-10), coupons=["S"])],
         Payer(plans=["CLUB"], coupons=["S"]), "€0.42", "€0.60", "€0.042"),
        ([TariffAdjustment(name="Energy", percent=Decimal(-50), dimensions=["ENERGY"], groups=["G"])],
         Payer(groups=["G"]), "€0.30", "€0.60", "€0.06"),
        ([TariffAdjustment(name="Less", per_kwh=Decimal("-0.10"), plans=["CLUB"])],
         Payer(plans=["CLUB"]), "€0.48", "€0.60", "€0.06"),
        ([TariffAdjustment(name="Less", per_kwh=Decimal("-0.10"), plans=["CLUB"], taxes=[])],
         Payer(plans=["CLUB"]), "€0.48", "€0.60", "€0.06"),
        ([TariffAdjustment(name="More", per_kwh=Decimal("0.10"), plans=["CLUB"], taxes=[])],
         Payer(plans=["CLUB"]), "€0.70", "€0.60", "€0.06"),
        # What everybody pays more is everybody's price.
        ([CLUB, TariffAdjustment(name="Fair", percent=Decimal(50))], Payer(plans=["CLUB"]), "€0.78", "€0.90", "€0.078"),
        ([TariffAdjustment(name="Fair", percent=Decimal(50))], Payer(), "€0.90", "", "€0.09"),
        ([TariffAdjustment(name="Over", percent=Decimal(50), end_date_time=NOON)], Payer(), "€0.60", "", "€0.06"),
        ([TariffAdjustment(name="Soon", percent=Decimal(50), start_date_time=NOON + timedelta(seconds=1))],
         Payer(), "€0.60", "", "€0.06"),
    ],
)  # fmt: skip
def test_the_big_price_is_that_of_whoever_pays_and_the_usual_one_stands_beside_it(
    adjustments: list[TariffAdjustment], payer: Payer, big: str, usual: str, minute: str
) -> None:
    tag = tag_of(adjusted(*adjustments), "UTC", NOON, power_w=22_000, is_dc=False, payer=payer)
    assert (tag.big, tag.unit, tag.usual) == (big, "per kWh", usual)
    assert next(row.price for row in tag.rows if row.name == "Per minute") == minute
    told = next((row.price for row in tag.rows if row.name == "Other"), "")
    assert ("in these prices" in told) == (big != "€0.60")


@given(
    percent=st.integers(-100, 100),
    per_kwh=st.integers(-30, 30),
    price=st.integers(1, 90),
    taxes=st.sampled_from([None, [], VAT]),
    is_taxed=st.sampled_from(["YES", "NO"]),
)
def test_the_big_price_is_what_a_charge_comes_to(
    percent: int, per_kwh: int, price: int, taxes: list[TariffTax] | None, is_taxed: Any
) -> None:
    """As billing reckons it, to what a cent of the whole makes of a kWh."""
    tariff = Tariff(
        currency="EUR",
        elements=[energy(str(Decimal(price) / 100))],
        tax_included=is_taxed,
        adjustments=[
            TariffAdjustment(name="A", percent=Decimal(percent), plans=["P"]),
            TariffAdjustment(name="B", per_kwh=Decimal(per_kwh) / 100, plans=["P"], taxes=taxes),
        ],
    )
    payer = Payer(plans=["P"])
    tag = tag_of(tariff, "UTC", NOON, power_w=50_000, is_dc=True, payer=payer)
    stretch = Stretch(
        started_at=NOON, ended_at=NOON + timedelta(hours=20), energy_wh=Decimal(1_000_000), power_w=Decimal(50_000)
    )
    cost = pricing.price(pricing.plan_of(tariff, "UTC"), [stretch], payer)
    assert abs(cost.total / 1000 - tag.least) <= Decimal("0.00003")


@pytest.mark.parametrize(
    ("amount", "currency", "spoken", "told"),
    [
        ("12.345", "EUR", "en", "€12.35"),
        ("12.345", "EUR", "de", "12,35\u00a0€"),
        ("1234.5", "JPY", "en", "¥1,235"),
        ("3", "KWD", "en", "KWD3.000"),
    ],
)
def test_money_has_the_decimals_of_its_currency_half_up(amount: str, currency: str, spoken: str, told: str) -> None:
    with language.speaking(spoken):
        assert money(Decimal(amount), currency) == told


def site(name: str, latitude: float | None, state: str = "available", standard: str = "IEC_62196_T2") -> PublicSite:
    plug = PublicPlug(
        station_id=name, evse_number=1, connector_number=1, n_connectors=1, label="1", standard=standard,
        current_type="AC", power_w=22_000, state=state, state_at=None,
    )  # fmt: skip
    return PublicSite(
        location_id=UUID(int=hash(name) & 0xFFFF), party_id=UUID(int=1), name=name, address="", city="Linz",
        postal_code="4020", country="AUT", latitude=latitude, longitude=14.29 if latitude is not None else None,
        time_zone="Europe/Vienna", directions="", help_phone="", access="public", is_published=True, facilities=[],
        opening=None, is_green_energy=None, operator="Harbour", plugs=[plug],
    )  # fmt: skip


def test_the_nearest_place_comes_first_and_those_without_coordinates_last() -> None:
    sites = [site("far", 48.5), site("nowhere", None), site("near", 48.31)]
    found = finding.find(sites, Wanted(near=Point(48.30, 14.29)), NOON)
    assert [one.site.name for one in found] == ["near", "far", "nowhere"]
    assert finding.far(found[0].distance_m) == "1.1 km"
    drawn = finding.draw(found, Point(48.30, 14.29))
    assert drawn is not None
    assert len(drawn.marks) == 2
    assert all(0 <= mark.x <= finding.WIDTH and 0 <= mark.y <= finding.HEIGHT for mark in drawn.marks)
    assert drawn.here is not None


def test_filters_leave_what_fits() -> None:
    sites = [site("busy", 48.3, "charging"), site("free", 48.3), site("fast", 48.3, standard="IEC_62196_T2_COMBO")]

    def names(**wanted: object) -> list[str]:
        return [one.site.name for one in finding.find(sites, Wanted(**wanted), NOON)]  # type: ignore[arg-type]

    assert names(is_free_now=True) == ["free", "fast"]
    assert names(kind="ccs") == ["fast"]
    assert names(power_kw=50) == []
    assert names(text="4020 li") == ["busy", "free", "fast"]
    assert names(text="graz") == []
    assert names(text="BUSY") == ["busy"]  # the number on its sticker


def test_nothing_is_free_where_nobody_gets_in() -> None:
    morning = Hours(weekly=[WeeklyHours(weekday=1, since="07:00", until="11:30")])
    closed = msgspec.structs.replace(site("market", 48.3), opening=morning)
    (found,) = finding.find([closed], Wanted(), NOON)
    assert (found.n_free, found.is_open, finding.free_words(found)) == (0, False, "closed now")
    assert finding.find([closed], Wanted(is_free_now=True), NOON) == []
    drawn = finding.draw([found], None)
    assert drawn is not None
    assert [(mark.text, mark.tone, mark.title) for mark in drawn.marks] == [("0", "off", "market: closed now")]
    (earlier,) = finding.find([closed], Wanted(is_free_now=True), NOON - timedelta(hours=1))
    assert (earlier.n_free, finding.free_words(earlier)) == (1, "1 plug, free")


def test_what_staying_costs_is_only_told_where_it_is_the_same_for_all() -> None:
    fee = IdleFee(price_per_minute=Decimal("0.10"), grace_minutes=10, taxes=VAT)
    tariff = Tariff(currency="EUR", elements=[energy("0.50")], idle_fee=fee)
    assert pricetags.idle_words(tariff) == "€0.12 after it ends, first 10 min free"
    assert pricetags.idle_words(Tariff(currency="EUR", elements=[energy("0.50")])) == ""
    members = TariffAdjustment(name="Members", percent=Decimal(-20), plans=["CLUB"])
    assert pricetags.idle_words(msgspec.structs.replace(tariff, adjustments=[members])) == ""
    of_energy = TariffAdjustment(name="Members", percent=Decimal(-20), plans=["CLUB"], dimensions=["ENERGY"])
    assert pricetags.idle_words(msgspec.structs.replace(tariff, adjustments=[of_energy])) != ""


@given(st.lists(st.tuples(st.floats(48.0, 48.6), st.floats(14.0, 14.9)), min_size=1, max_size=40))
def test_no_mark_on_the_map_hides_another_and_every_place_is_counted(places: list[tuple[float, float]]) -> None:
    sites = [
        msgspec.structs.replace(site(f"S{n}", latitude), longitude=longitude)
        for n, (latitude, longitude) in enumerate(places)
    ]
    drawn = finding.draw(finding.find(sites, Wanted(), NOON), None)
    assert drawn is not None
    for one, other in combinations(drawn.marks, 2):
        assert math.dist((one.x, one.y), (other.x, other.y)) >= one.radius + other.radius
    assert sum(int(mark.text) for mark in drawn.marks) == len(places)


@pytest.mark.parametrize(
    ("rule", "spoken", "told"),
    [
        ("24/7", "en", "round the clock"),
        ("Mo-Fr 07:00-12:00 13:00-18:00", "en", "Mon–Fri 07:00–12:00 13:00–18:00"),
        ("Mo-Su 05:30-23:59", "de", "Mo–So 05:30–24:00"),
        ("Sa 09:00-17:00", "de", "Sa 09:00–17:00"),
        ("closed 2026-12-25", "en", "closed 25 Dec 2026"),
        ("closed 2026-12-24..2026-12-26", "en", "closed 24 Dec 2026 – 26 Dec 2026"),
        ("open 2026-12-24 08:00-14:00", "en", "open 24 Dec 2026 08:00–14:00"),
    ],
)
def test_opening_hours_are_told_in_words(rule: str, spoken: str, told: str) -> None:
    with language.speaking(spoken):
        assert words.opening(rule) == told


def test_a_pass_opens_one_thing_for_one_installation() -> None:
    known = UUID(int=7)
    text = passes.write(b"a" * 32, "payment", known)
    assert passes.read(b"a" * 32, text) == passes.Pass("payment", known)
    assert passes.read(b"b" * 32, text) is None
    assert len({passes.write(b"a" * 32, what, known) for what in ("payment", "command", "session")}) == 3
    for changed in (text[:-1], text + "A", text[:5] + ("A" if text[5] != "A" else "B") + text[6:], "", "é" * 44):
        assert passes.read(b"a" * 32, changed) is None


def test_drivers_pages_have_the_consoles_colours() -> None:
    def tokens(name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for token, value in re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", (STATIC_DIR / name).read_text()):
            found.setdefault(token, []).append(value)
        return found

    console, ours = tokens("ohmstead.css"), tokens("drive.css")
    assert len(ours) > 20
    assert {name: values for name, values in ours.items() if console.get(name) != values} == {}


def test_every_symbol_that_pages_name_is_drawn() -> None:
    named = set()
    for path in (STATIC_DIR.parent / "templates" / "drive").glob("*.html"):
        named |= set(re.findall(r'symbol\("([a-z]+)"', path.read_text()))
    assert len(named) > 15
    for name in named:
        assert "<path" in symbol(name) or "<rect" in symbol(name)
