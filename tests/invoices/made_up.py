"""CDRs and documents that are made up, without a database: whatever lines, taxes and currencies there may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from ohmstead.billing.cdrs.model import Cdr, CdrPlace, CdrToken
from ohmstead.billing.invoices.drafting import Measured, content_for
from ohmstead.billing.invoices.model import Address, Buyer, DocumentKind, Invoice, PaymentNote, Seller, Signatures
from ohmstead.billing.invoices.taxation import treatment_of
from ohmstead.billing.ledger.entries import amount_of, exact_minor
from ohmstead.core.ids import new_id
from ohmstead.core.money import minor_units
from ohmstead.tariffs.model import TariffTax
from ohmstead.tariffs.pricing import CostBreakdown, reduced
from ohmstead.tariffs.pricing.cost import CostLine, CostTax
from ohmstead.tariffs.pricing.limits import TaxSet, taxes_of, totals
from tests.invoices.office import SELLER

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
VAT = TariffTax(percentage=Decimal(21))
LOW = TariffTax(percentage=Decimal(9))
ADA = Buyer(
    customer=f"driver:{UUID(int=7)}",
    name="Ada Driver",
    address=Address(lines=["Main street 5"], postal_code="10115", city="Berlin", country="DE"),
    email="ada@example.com",
)


def breakdown(lines: Sequence[CostLine], currency: str = "EUR", *, includes_taxes: bool = False) -> CostBreakdown:
    """What pricing makes of lines."""
    amounts: dict[TaxSet, int] = {}
    for line in lines:
        key = tuple(line.taxes)
        amounts[key] = amounts.get(key, 0) + exact_minor(line.amount, currency)
    before, due = totals(amounts, includes_taxes)
    return CostBreakdown(
        currency=currency,
        before_taxes=amount_of(before, currency),
        total=amount_of(due, currency),
        includes_taxes=includes_taxes,
        taxes=[
            CostTax(
                name=tax.name,
                percentage=tax.percentage,
                base=amount_of(base, currency),
                amount=amount_of(amount, currency),
            )
            for tax, (base, amount) in taxes_of(amounts, includes_taxes).items()
        ],
        lines=list(lines),
    )


def line(kind: Any, amount: str | Decimal, taxes: Sequence[TariffTax] = (VAT,), **more: Any) -> CostLine:
    return CostLine(kind=kind, rule=more.pop("rule", ""), amount=Decimal(amount), taxes=list(taxes), **more)


def usual() -> list[CostLine]:
    """20 kWh, some minutes too long, a start fee, less for members."""
    return [
        line(
            "ENERGY",
            "9.80",
            quantity=Decimal(20),
            measured=Decimal(20),
            unit="kWh",
            unit_price=Decimal("0.49"),
            price_per="kWh",
        ),
        line("IDLE", "1.23", quantity=Decimal(740), unit="s", unit_price=Decimal("0.1"), price_per="min"),
        line("FLAT", "1.00", (LOW,), quantity=Decimal(1), unit="1", unit_price=Decimal(1), price_per="1"),
        line("ADJUSTMENT", "-0.98", rule="Members −10 %"),
    ]


def cdr(cost: CostBreakdown, n: int = 0, *, country: str = "NL", kind: Any = "charge") -> Cdr:
    place = CdrPlace(
        location_id=UUID(int=1),
        name="Harbour car park",
        address="Quay 1",
        city="Rotterdam",
        postal_code="3011",
        country=country,
        time_zone="Europe/Amsterdam",
        station_id="HARBOUR-01",
        evse_number=1,
        current_type="AC",
        max_power_w=22000,
    )
    started_at = AT + timedelta(days=n % 28, minutes=7 * n)
    sign = -1 if kind == "credit" else 1
    return Cdr(
        cdr_id=new_id(),
        party_id=UUID(int=2),
        kind=kind,
        session_id=new_id(),
        version=1,
        credits_id=new_id() if kind == "credit" else None,
        replaces_id=None,
        location_id=place.location_id,
        station_id="HARBOUR-01",
        token=CdrToken(uid="04A2B3C4D5", type="ISO14443"),
        customer=ADA.customer,
        started_at=started_at,
        ended_at=started_at + timedelta(hours=1, minutes=12, seconds=20),
        energy_wh=Decimal(20000),
        currency=cost.currency,
        before_taxes=sign * cost.before_taxes,
        total=sign * cost.total,
        tariff_id=UUID(int=3),
        tariff_version=1,
        place=place,
        cost=cost,
        periods=[],
        charging_s=3600,
        idle_s=740,
        peak_power_w=Decimal(21500),
        reason="",
        created_at=AT,
        created_by="system",
    )


def document(
    cdrs: Sequence[Cdr],
    kind: DocumentKind = "receipt",
    *,
    buyer: Buyer = ADA,
    seller: Seller = SELLER,
    payments: Sequence[PaymentNote] = (),
) -> Invoice:
    measured = Measured(
        register_start_wh=Decimal(1234567),
        register_end_wh=Decimal(1254567),
        voltage_v=Decimal("231.2"),
        signatures=Signatures(n=2, n_verified=2),
    )
    content = content_for(
        seller,
        buyer,
        cdrs,
        {one.session_id: measured for one in cdrs},
        currency=cdrs[0].currency,
        treatment=treatment_of(seller, buyer, cdrs[0].place.country),
        time_zone="Europe/Amsterdam",
        payments=payments,
        corrects=("I-2026-000007", date(2026, 3, 1)) if kind == "credit_note" else None,
    )
    return Invoice(
        invoice_id=new_id(),
        party_id=UUID(int=2),
        number="R-2026-000042",
        kind=kind,
        customer=buyer.customer,
        currency=cdrs[0].currency,
        issued_on=date(2026, 4, 1),
        due_on=date(2026, 4, 15) if kind == "invoice" else None,
        from_on=date(2026, 3, 2),
        to_on=date(2026, 3, 29),
        total=-content.totals.payable if kind == "credit_note" else content.totals.payable,
        session_id=None,
        corrects_id=UUID(int=5) if kind == "credit_note" else None,
        host_id=None,
        run_id=None,
        content=content,
        created_at=AT,
        created_by="system",
    )


# ---------------------------------------------------------------------------------------------------------- by chance

_RATES = [TariffTax(percentage=Decimal(rate)) for rate in ("21", "19", "9", "7.7", "0")]
_prices = st.decimals("0.0001", "3", places=4)


@st.composite
def _lines(draw: Any, currency: str) -> list[CostLine]:
    found = []
    for _n in range(draw(st.integers(1, 5))):
        taxes = draw(st.sampled_from([*[(rate,) for rate in _RATES], ()]))
        price = draw(_prices)
        kind = draw(st.sampled_from(["ENERGY", "TIME", "IDLE", "FLAT", "DISCOUNT", "CAP"]))
        if kind in ("DISCOUNT", "CAP"):
            taken = draw(st.decimals("0.01", "2", places=minor_units(currency)))
            found.append(line("ADJUSTMENT" if kind == "DISCOUNT" else "MAX_PRICE", -taken, taxes, rule="less"))
            continue
        if kind == "ENERGY":
            quantity, unit, per, base = draw(st.decimals("0.001", "200", places=3)), "kWh", "kWh", Decimal(1)
        elif kind == "FLAT":
            quantity, unit, per, base = Decimal(1), "1", "1", Decimal(1)
        else:
            quantity, unit = Decimal(draw(st.integers(1, 100_000))), "s"
            per, base = ("h", Decimal(3600)) if kind == "TIME" else ("min", Decimal(60))
        amount = (quantity * price / base).quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)
        found.append(line(kind, amount, taxes, quantity=quantity, unit=unit, unit_price=price, price_per=per))
    return found


@st.composite
def documents(draw: Any) -> tuple[Invoice, list[Cdr]]:
    """Any document about up to eight sessions, or about their credits."""
    currency = draw(st.sampled_from(["EUR", "EUR", "JPY"]))
    kind = draw(st.sampled_from(["receipt", "invoice", "credit_note"]))
    gross = draw(st.booleans())
    costs = [breakdown(draw(_lines(currency)), currency, includes_taxes=gross) for _ in range(draw(st.integers(1, 8)))]
    less = draw(st.lists(st.integers(0, 3000), min_size=len(costs), max_size=len(costs)))
    costs = [reduced(one, amount_of(minor, currency), "Reduced") for one, minor in zip(costs, less, strict=True)]
    cdrs = [cdr(one, n, kind="credit" if kind == "credit_note" else "charge") for n, one in enumerate(costs)]
    return document(cdrs, kind), cdrs
