"""What is billed, how it is put into the books, and how partners read it: rules alone."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.cdrs.judging import doubt_of
from ohmstead.billing.cdrs.model import Cdr, CdrPlace, CdrToken
from ohmstead.billing.cdrs.ocpi import OcpiCdr, cdr_object
from ohmstead.billing.cdrs.reckoning import net_lines, postings_of, revenue_of
from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Account, Entry, Posting
from ohmstead.core.errors import Invalid
from ohmstead.sessions.model import ChargingPeriod, Session
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
from ohmstead.tariffs.pricing import CostBreakdown, CostLine, CostPart, Stretch, plan_of, price

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = UUID("019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f")
OTHER_ID = UUID("019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e60")
VAT = TariffTax(percentage=Decimal(21))
LOW = TariffTax(percentage=Decimal(9))
HARBOUR = Tariff(
    currency="EUR",
    elements=[
        TariffElement(
            price_components=[
                PriceComponent(type="FLAT", price=Decimal(1), taxes=[LOW]),
                PriceComponent(type="ENERGY", price=Decimal("0.49"), taxes=[VAT]),
                PriceComponent(type="PARKING_TIME", price=Decimal(2), taxes=[VAT]),
            ]
        )
    ],
)


def session(**values: Any) -> Session:
    known: dict[str, Any] = {
        "session_id": ID, "party_id": ID, "station_id": "ST", "transaction_id": "1", "ocpp_version": "2.0.1",
        "status": "completed", "started_at": AT, "ended_at": AT + HOUR, "last_event_at": AT, "first_received_at": AT,
        "updated_at": AT, "energy_wh": Decimal(20_000), "settled_at": AT + HOUR,
    }  # fmt: skip
    return Session(**known | values)


def cost_of(tariff: Tariff, charging_s: int = 3600, wh: int = 20_000, parked_s: int = 1800) -> CostBreakdown:
    middle = AT + timedelta(seconds=charging_s)
    stretches = [Stretch(started_at=AT, ended_at=middle, kind="charging", energy_wh=Decimal(wh))]
    if parked_s:
        end = middle + timedelta(seconds=parked_s)
        stretches.append(Stretch(started_at=middle, ended_at=end, kind="idle", energy_wh=Decimal(0)))
    return price(plan_of(tariff, "Europe/Amsterdam"), stretches)


def cdr(cost: CostBreakdown, **values: Any) -> Cdr:
    known: dict[str, Any] = {
        "cdr_id": ID, "party_id": ID, "kind": "charge", "session_id": ID, "version": 1, "credits_id": None,
        "replaces_id": None, "location_id": ID, "station_id": "HARBOUR-01", "token": CdrToken(uid="AB", type="ISO14443"),
        "customer": "nobody", "started_at": AT, "ended_at": AT + HOUR * 1.5, "energy_wh": Decimal(20_000),
        "currency": cost.currency, "before_taxes": cost.before_taxes, "total": cost.total, "tariff_id": ID,
        "tariff_version": 1, "place": CdrPlace(station_id="HARBOUR-01", country="NL", location_id=ID, evse_number=1),
        "cost": cost, "charging_s": 3600, "idle_s": 1800, "peak_power_w": None, "reason": "", "created_at": AT,
        "created_by": "system", "periods": [
            ChargingPeriod(AT, AT + HOUR, "charging", Decimal(20_000)),
            ChargingPeriod(AT + HOUR, AT + HOUR * 1.5, "idle", Decimal(0)),
        ],
    }  # fmt: skip
    return Cdr(**known | values)


def booked(one: Cdr) -> dict[str, str]:
    return {posting.account.code: str(posting.amount) for posting in postings_of(one)}


# ------------------------------------------------------------------------------------------------- what is billed


@pytest.mark.parametrize(
    ("values", "around", "reason"),
    [
        ({}, {}, None),
        ({}, {"is_test": True}, "test"),
        ({"is_orphan": True, "status": "invalid"}, {}, "orphan"),
        ({"status": "invalid"}, {}, "implausible"),
        ({"ended_at": None}, {}, "implausible"),
        ({"ended_at": AT - HOUR}, {}, "implausible"),
        ({"ended_at": AT + timedelta(days=32)}, {}, "implausible"),
        ({"anomalies": ["implausible_jump"]}, {}, "implausible"),
        ({"anomalies": ["messages_missing"]}, {}, None),
        ({"energy_wh": Decimal(0)}, {}, "no_energy"),
        ({"ended_at": AT + timedelta(seconds=59), "energy_wh": Decimal(99)}, {}, "too_short"),
        ({"ended_at": AT + timedelta(seconds=59), "energy_wh": Decimal(100)}, {}, None),
        ({"ended_at": AT + timedelta(seconds=60), "energy_wh": Decimal(1)}, {}, None),
        ({}, {"has_tariff": False, "cost": None}, "no_tariff"),
        ({}, {"cost": None}, "price_unknown"),
    ],
)
def test_a_session_is_billed_unless_there_is_a_reason_to_ask(
    values: dict[str, Any], around: dict[str, Any], reason: str | None
) -> None:
    known: dict[str, Any] = {"is_test": False, "has_tariff": True, "cost": cost_of(HARBOUR)}
    found = doubt_of(session(**values), **known | around)
    assert (found.reason if found else None) == reason


def test_a_market_that_tells_no_price_and_a_price_that_cannot_be_true_are_asked_about() -> None:
    part = CostPart(from_at=AT, to_at=AT, quantity=Decimal(1), unit_price=Decimal(1), is_told=False)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"parts": [part]}, "price_unknown"),
        ({"amount": Decimal(10) ** 15}, "implausible"),
    ]
    for more, reason in cases:
        known: dict[str, Any] = {"kind": "ENERGY", "rule": "Energy", "amount": Decimal(1), "taxes": []}
        line = CostLine(**known | more)
        cost = CostBreakdown(
            currency="EUR",
            before_taxes=line.amount,
            taxes=[],
            total=line.amount,
            includes_taxes=False,
            lines=[line],
        )
        found = doubt_of(session(), is_test=False, has_tariff=True, cost=cost)
        assert found is not None
        assert found.reason == reason


# --------------------------------------------------------------------------------------------------- into the books


def test_a_cdr_is_owed_by_its_customer_and_is_revenue_and_taxes() -> None:
    one = cdr(cost_of(HARBOUR), customer=f"driver:{ID}")
    assert booked(one) == {
        f"receivable:driver:{ID}": "14.16",
        "revenue:energy": "-9.80",
        "revenue:flat": "-1.00",
        "revenue:parking": "-1.00",
        "tax:NL:VAT:21": "-2.27",
        "tax:NL:VAT:9": "-0.09",
    }


def test_the_example_of_docs_billing_md() -> None:
    assert booked(cdr(cost_of(HARBOUR, parked_s=0))) == {
        "receivable:nobody": "12.95",
        "revenue:energy": "-9.80",
        "revenue:flat": "-1.00",
        "tax:NL:VAT:21": "-2.06",
        "tax:NL:VAT:9": "-0.09",
    }


def test_what_costs_nothing_moves_nothing() -> None:
    free = Tariff(
        currency="EUR", elements=[TariffElement(price_components=[PriceComponent(type="ENERGY", price=Decimal(0))])]
    )
    assert postings_of(cdr(cost_of(free))) == ()


prices = st.decimals(0, 5, places=4)
taxes = st.lists(
    st.builds(TariffTax, percentage=st.sampled_from([Decimal(5), Decimal("7.7"), Decimal(21)])), max_size=1
) | st.just([VAT, TariffTax(name="City tax", percentage=Decimal("3.5"))])
components = st.lists(
    st.builds(
        PriceComponent, type=st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]), price=prices, taxes=taxes
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.type,
)
tariffs = st.builds(
    Tariff,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    tax_included=st.sampled_from(["YES", "NO"]),
    elements=components.map(lambda found: [TariffElement(price_components=found)]),
    idle_fee=st.none() | st.builds(IdleFee, price_per_minute=prices, taxes=taxes, max_amount=st.none() | prices),
    max_price=st.none() | st.builds(PriceLimit, before_taxes=prices),
    min_price=st.none() | st.builds(PriceLimit, before_taxes=prices),
    adjustments=st.lists(
        st.builds(TariffAdjustment, name=st.just("X"), percent=st.integers(-100, 100).map(Decimal)), max_size=2
    ),
)


@given(tariffs, st.integers(1, 40_000), st.integers(0, 80_000), st.integers(0, 9_000))
def test_whatever_the_tariff_an_entry_balances_and_revenue_is_what_is_without_taxes(
    tariff: Tariff, charging_s: int, wh: int, parked_s: int
) -> None:
    cost = cost_of(tariff, charging_s, wh, parked_s)
    one = cdr(cost)
    assert sum(net_lines(cost), Decimal(0)) == cost.before_taxes
    assert sum(revenue_of(cost).values(), Decimal(0)) == cost.before_taxes
    postings = postings_of(one)
    assert sum((posting.amount for posting in postings), Decimal(0)) == 0
    assert all(posting.account.kind != "rounding" for posting in postings)
    if postings:
        entry = Entry(key="x", kind="cdr", text="x", wanted_on=date(2026, 3, 2), postings=postings)
        entries.check(entry)
        back = entries.reversed_postings(postings)
        assert entries.gathered([*postings, *back]) == ()


EUR = Account("wallet", "driver:1", "EUR")
CASH = Account("psp_clearing", "sandbox", "EUR")
YEN = Account("wallet", "driver:1", "JPY")


def entry(*postings: tuple[Account, str], **values: Any) -> Entry:
    known: dict[str, Any] = {"key": "k", "kind": "top_up", "text": "", "wanted_on": date(2026, 3, 2)}
    return Entry(**known | values, postings=tuple(Posting(a, Decimal(amount)) for a, amount in postings))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (entry((EUR, "-5"), (CASH, "4.99")), "off by -0.01 EUR"),
        (entry((EUR, "-5"), (CASH, "5"), (YEN, "1")), "off by 1 JPY"),
        (entry((EUR, "-5")), "from somewhere to somewhere"),
        (entry(), "from somewhere to somewhere"),
        (entry((EUR, "0"), (CASH, "0")), "nothing is posted"),
        (entry((EUR, "-0.005"), (CASH, "0.005")), "not exact in EUR"),
        (entry((YEN, "-0.5"), (YEN, "0.5")), "not exact in JPY"),
        (entry((EUR, "NaN"), (CASH, "NaN")), "finite"),
        (entry((EUR, "-1e20"), (CASH, "1e20")), "more than anything costs"),
        (entry((EUR, "-5"), (CASH, "5"), key=""), "a key"),
    ],
)
def test_an_entry_that_is_none_is_refused(wrong: Entry, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        entries.check(wrong)


def test_an_entry_says_the_same_whatever_the_order_and_the_noughts() -> None:
    one = entry((EUR, "-5"), (CASH, "5"))
    assert entries.digest(one) == entries.digest(entry((CASH, "5.00"), (EUR, "-5.0"), wanted_on=date(2026, 4, 1)))
    assert entries.digest(one) != entries.digest(entry((EUR, "-5.01"), (CASH, "5.01")))
    assert entries.digest(one) != entries.digest(entry((EUR, "-5"), (CASH, "5"), text="else"))


@pytest.mark.parametrize(
    ("wanted", "first_open", "expected"),
    [
        ("2026-03-02", None, "2026-03-02"),
        ("2026-05-01", None, "2026-04-10"),
        ("2026-03-31", "2026-04-01", "2026-04-10"),
        ("2026-04-01", "2026-04-01", "2026-04-01"),
        ("2026-05-01", "2026-04-01", "2026-04-10"),
    ],
)
def test_an_entry_is_booked_where_it_belongs_unless_that_month_is_closed_or_yet_to_come(
    wanted: str, first_open: str | None, expected: str
) -> None:
    opened = date.fromisoformat(first_open) if first_open else None
    found = entries.booked_on(date.fromisoformat(wanted), date(2026, 4, 10), opened)
    assert found == date.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "26-10", "2026-1", "2026-10-01", "0000-01", "x"])
def test_a_month_is_told_by_year_and_month(text: str) -> None:
    assert entries.month_of("2026-10") == date(2026, 10, 1)
    with pytest.raises(Invalid):
        entries.month_of(text)


# ------------------------------------------------------------------------------------------------------ as OCPI has it

# OCPI 2.2.1, mod_cdrs: what must be there, and what else there may be.
CDR_MUST = {
    *("country_code", "party_id", "id", "start_date_time", "end_date_time", "cdr_token", "auth_method"),
    *("cdr_location", "currency", "charging_periods", "total_cost", "total_energy", "total_time", "last_updated"),
}
CDR_MAY = {
    *("session_id", "authorization_reference", "meter_id", "tariffs", "signed_data", "total_fixed_cost"),
    *("total_energy_cost", "total_time_cost", "total_parking_time", "total_parking_cost", "total_reservation_cost"),
    *("remark", "invoice_reference_id", "credit", "credit_reference_id", "home_charging_compensation"),
}
LOCATION_MUST = {
    *("id", "address", "city", "country", "coordinates", "evse_uid", "evse_id", "connector_id"),
    *("connector_standard", "connector_format", "connector_power_type"),
}
LONGEST = {"id": 36, "address": 45, "city": 45, "country": 3, "evse_uid": 36, "evse_id": 48, "connector_id": 36}
DIMENSIONS = {"ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME", "MAX_POWER", "MIN_POWER", "MAX_CURRENT"}


def as_json(found: OcpiCdr) -> dict[str, Any]:
    text = msgspec.json.Encoder(decimal_format="number").encode(found)
    return dict(msgspec.json.decode(text))


def test_a_cdr_has_the_fields_that_ocpi_wants_and_no_others() -> None:
    long = CdrPlace(station_id="X" * 48, address="A" * 99, city="B" * 99, country="NL", evse_number=99)
    for one in (cdr(cost_of(HARBOUR)), cdr(cost_of(HARBOUR), place=long, station_id="X" * 48, periods=[])):
        found = as_json(cdr_object(one, "NL", "HPK", HARBOUR))
        assert found.keys() >= CDR_MUST
        assert found.keys() <= CDR_MUST | CDR_MAY
        assert found["cdr_token"].keys() == {"uid", "type", "contract_id"}
        place = found["cdr_location"]
        assert place.keys() >= LOCATION_MUST
        assert place.keys() <= LOCATION_MUST | {"name", "postal_code", "state"}
        assert all(1 <= len(place[name]) <= most for name, most in LONGEST.items())
        assert found["charging_periods"]
        assert {d["type"] for p in found["charging_periods"] for d in p["dimensions"]} <= DIMENSIONS


def test_ocpi_reads_the_same_sums() -> None:
    found = as_json(cdr_object(cdr(cost_of(HARBOUR)), "NL", "HPK", HARBOUR))
    assert found["total_cost"] == {"excl_vat": 11.8, "incl_vat": 14.16}
    assert (found["total_energy"], found["total_time"], found["total_parking_time"]) == (20, 1.5, 0.5)
    assert found["total_energy_cost"] == {"excl_vat": 9.8}
    assert found["total_fixed_cost"] == {"excl_vat": 1}
    assert found["total_parking_cost"] == {"excl_vat": 1}
    assert "total_time_cost" not in found
    assert found["cdr_location"]["evse_id"] == "NL*HPK*EHARBOUR01*1"
    assert found["cdr_location"]["country"] == "NLD"
    assert found["start_date_time"] == "2026-03-02T10:00:00Z"
    assert found["tariffs"][0]["elements"][0]["price_components"][1] == {
        "type": "ENERGY",
        "price": 0.49,
        "vat": 21,
        "step_size": 1,
    }


def test_a_credit_is_its_charge_with_negative_cost_and_says_which() -> None:
    cost = cost_of(HARBOUR)
    charge = as_json(cdr_object(cdr(cost), "NL", "HPK", HARBOUR))
    one = cdr(cost, cdr_id=OTHER_ID, kind="credit", credits_id=ID, before_taxes=-cost.before_taxes, total=-cost.total)
    credit = as_json(cdr_object(one, "NL", "HPK", HARBOUR))
    assert credit.pop("credit") is True
    assert credit.pop("credit_reference_id") == charge["id"]
    assert credit.pop("total_cost") == {"excl_vat": -11.8, "incl_vat": -14.16}
    assert credit == {**{k: v for k, v in charge.items() if k != "total_cost"}, "id": str(OTHER_ID)}


def test_restrictions_are_told_in_ocpis_words() -> None:
    said = TariffRestrictions(
        start_time="08:00", min_kwh=Decimal(3), start_date=date(2026, 1, 1), day_of_week=["MONDAY"]
    )
    element = msgspec.structs.replace(HARBOUR.elements[0], restrictions=said)
    tariff = msgspec.structs.replace(HARBOUR, elements=[element])
    found = as_json(cdr_object(cdr(cost_of(HARBOUR)), "NL", "HPK", tariff))
    assert found["tariffs"][0]["elements"][0]["restrictions"] == {
        "start_time": "08:00",
        "min_kwh": 3,
        "start_date": "2026-01-01",
        "day_of_week": ["MONDAY"],
    }
