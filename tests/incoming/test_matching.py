"""Which invoices money could pay: numbers in whatever payers write, amounts, names."""

from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.incoming.matching import Book, fault_of, is_certain, propose
from ohmstead.billing.incoming.model import OpenInvoice, Proposal, Share, Told

NS = UUID("019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001")


def invoice(number: str = "INV-2026-000012", open: str = "71.15", who: str = "Fleet GmbH", **more: str) -> OpenInvoice:  # noqa: A002
    return OpenInvoice(
        invoice_id=uuid5(NS, number),
        number=number,
        customer=f"company:{uuid5(NS, who)}",
        buyer_name=who,
        currency=more.get("currency", "EUR"),
        open=Decimal(open),
        issued_on=date(2026, 4, 1),
        due_on=date.fromisoformat(more.get("due", "2026-04-15")),
        iban=more.get("iban", ""),
        corrects=more.get("corrects", ""),
    )


def told(text: str = "", amount: str = "71.15", payer: str = "", currency: str = "EUR", iban: str = "") -> Told:
    return Told(
        amount=Decimal(amount), currency=currency, booked_on=date(2026, 4, 14), payer=payer, text=text, payee_iban=iban
    )


def said(found: list[Proposal]) -> list[tuple[str, list[tuple[str, str]], str]]:
    return [
        (one.sureness, [(n, str(s.amount)) for n, s in zip(one.numbers, one.shares, strict=True)], str(one.rest))
        for one in found
    ]


@pytest.mark.parametrize(
    "text",
    [
        "INV-2026-000012",
        "inv 2026 000012",
        "Rechnung INV2026000012 vom 1.4.",
        "Rg.Nr.:INV-2026/000012, danke",
        "INV–2026–000012 EUR 71,15",
    ],
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    found = propose(told(text), Book([invoice(), invoice("INV-2026-000013", "10.00")]))
    assert said(found) == [("exact", [("INV-2026-000012", "71.15")], "0.00")]
    assert is_certain(found)


@pytest.mark.parametrize("text", ["INV-2026-0000123", "XINV-2026-000012", "INV-2026-00001 2", "2026-000012", "INV"])
def test_a_part_of_a_longer_number_or_half_of_one_names_nothing(text: str) -> None:
    found = propose(told(text, "1.00"), Book([invoice()]))
    if text != "INV-2026-00001 2":  # a bank that wraps its lines writes like this
        assert found == []


def test_less_and_more_than_is_open_is_proposed_and_not_certain() -> None:
    book = Book([invoice()])
    less, more = propose(told("INV-2026-000012", "50.00"), book), propose(told("INV-2026-000012", "80.00"), book)
    assert said(less) == [("named", [("INV-2026-000012", "50.00")], "0.00")]
    assert said(more) == [("named", [("INV-2026-000012", "71.15")], "8.85")]
    assert not is_certain(less)
    assert not is_certain(more)


def test_several_documents_are_paid_in_the_order_in_which_they_are_due() -> None:
    book = Book([invoice("A-1001", "30.00", due="2026-05-01"), invoice("A-1002", "20.00", due="2026-04-01")])
    both = propose(told("A-1001 und A-1002", "50.00"), book)
    assert said(both) == [("exact", [("A-1002", "20.00"), ("A-1001", "30.00")], "0.00")]
    assert not is_certain(both), "a person looks at several"
    assert said(propose(told("A-1001 A-1002", "25.00"), book))[0][1] == [("A-1002", "20.00"), ("A-1001", "5.00")]


def test_a_short_number_needs_the_amount_too() -> None:
    book = Book([invoice("12", "71.15")])
    assert said(propose(told("invoice 12"), book)) == [("exact", [("12", "71.15")], "0.00")]
    assert propose(told("order of 12 cables", "5.00"), book) == []


def test_without_a_number_the_name_and_the_amount_are_tried() -> None:
    book = Book([invoice(), invoice("INV-2026-000013", "71.15", "Müller & Söhne"), invoice("INV-2026-000014", "9.00")])
    found = propose(told(payer="FLEET"), book)
    assert said(found) == [
        ("likely", [("INV-2026-000012", "71.15")], "0.00"),
        ("amount", [("INV-2026-000013", "71.15")], "0.00"),
    ]
    assert not is_certain(found[:1])
    assert said(propose(told(payer="Firma MUELLER", amount="1.00"), book)) == []
    assert said(propose(told(payer="Muller und Sohne KG"), book))[0][0] == "likely"
    assert said(propose(told(payer="Fleet GmbH", amount="80.15"), book))[0][1] == [
        ("INV-2026-000012", "71.15"),
        ("INV-2026-000014", "9.00"),
    ]


def test_another_currency_is_another_matter() -> None:
    assert propose(told("INV-2026-000012", currency="CHF"), Book([invoice()])) == []


def test_money_that_went_out_pays_what_we_owe_by_number_account_or_name() -> None:
    ours, other = "NL91ABNA0417164300", "DE89370400440532013000"
    book = Book([invoice("SB-2026-000001", "2.37", "Harbour Garages Ltd", iban=ours)])
    exact = [("exact", [("SB-2026-000001", "2.37")], "0.00")]
    for iban in ("", ours):
        found = propose(told("sb 2026 000001", "-2.37", iban=iban), book)
        assert (said(found), is_certain(found)) == (exact, True)
    elsewhere = propose(told("SB-2026-000001", "-2.37", iban=other), book)
    assert (elsewhere[0].sureness, is_certain(elsewhere)) == ("named", False), "it went to another account"
    for known in (told(amount="-2.37", iban=ours), told(amount="-2.37", payer="HARBOUR GARAGES")):
        assert [one.sureness for one in propose(known, book)] == ["likely"]
    assert [one.sureness for one in propose(told(amount="-2.37", iban=other), book)] == ["amount"]


def test_a_refund_is_known_by_the_number_of_the_invoice_that_it_takes_back() -> None:
    book = Book([invoice("CN-2026-000001", "11.86", corrects="INV-2026-000007")])
    for number in ("CN-2026-000001", "INV-2026-000007"):
        assert said(propose(told(f"refund {number}", "-11.86"), book)) == [
            ("exact", [("CN-2026-000001", "11.86")], "0.00")
        ]


def test_what_cannot_be_shared_out_is_said() -> None:
    one, open_of = uuid5(NS, "a"), {uuid5(NS, "a"): Decimal(10)}
    good = [Share(invoice_id=one, amount=Decimal(10))]
    assert fault_of(Decimal(10), good, open_of) is None
    assert fault_of(Decimal(9), good, open_of) == "that is more than came in"
    assert fault_of(Decimal(-10), good, open_of) is None
    assert fault_of(Decimal(-9), good, open_of) == "that is more than went out"
    assert fault_of(Decimal(30), good + good, open_of) == "a document is named twice"
    for amount in ("0", "-1", "10.01", "NaN", "Infinity"):
        assert fault_of(Decimal(30), [Share(invoice_id=one, amount=Decimal(amount))], open_of) is not None
    assert fault_of(Decimal(30), [Share(invoice_id=NS, amount=Decimal(1))], open_of) is not None


@given(
    opens=st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    amount=st.integers(1, 20_000),
    named=st.sets(st.integers(0, 4)),
    payer=st.sampled_from(["", "Fleet", "Somebody"]),
    sign=st.sampled_from([1, -1]),
)
def test_no_proposal_gives_away_more_than_came_in_or_went_out_or_is_open(
    opens: list[int], amount: int, named: set[int], payer: str, sign: int
) -> None:
    invoices = [invoice(f"INV-{1000 + n}", str(Decimal(cents) / 100)) for n, cents in enumerate(opens)]
    text = " ".join(f"INV-{1000 + n}" for n in named)
    came = told(text, str(sign * Decimal(amount) / 100), payer)
    open_of: dict[UUID, Decimal] = {one.invoice_id: one.open for one in invoices}
    for found in propose(came, Book(invoices)):
        assert fault_of(came.amount, found.shares, open_of) is None
        assert sum((share.amount for share in found.shares), Decimal(0)) + found.rest == abs(came.amount)
        assert found.rest >= 0
        if found.rest:
            assert all(share.amount == open_of[share.invoice_id] for share in found.shares)
