"""Money that went out by bank pays what we owe: hosts, customers whose invoices were taken back, the bank itself."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.billing.incoming import online, service
from ohmstead.billing.incoming.model import BankLine, NewBankLine, StatementColumns
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.hosts.sharing import Host, HostDetails, NewContract
from ohmstead.billing.invoices.model import Address, Invoice
from ohmstead.billing.invoices.model import Bank as Account
from ohmstead.billing.payments.ports import Providers
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError
from tests.billing.network import per_kwh
from tests.incoming.test_statements import camt, details, entry
from tests.incoming.till import Bank

IBAN = "NL91ABNA0417164300"
HOST = HostDetails(
    name="Harbour Garages Ltd",
    address=Address(lines=["Quay 2"], postal_code="3011", city="Rotterdam", country="NL"),
    vat_id="NL987654321B01",
    tax_percentage=Decimal(21),
    bank=Account(iban=IBAN),
)
ZERO = Decimal(0)


async def a_host(bank: Bank) -> Host:
    """It gets half of what sessions bring in without taxes."""
    async with bank.pool.acquire() as conn, conn.transaction():
        host = await hosts.create_host(conn, bank.actor, HOST)
        terms = NewContract(
            location_id=bank.location_id, currency="EUR", from_on=date(2026, 1, 1), share_percent=Decimal(50)
        )
        await hosts.agree(conn, bank.actor, host.host_id, terms)
    return host


async def owed_to_a_host(bank: Bank) -> tuple[Host, Invoice]:
    """20 kWh at 0.49: 4.90 and 21 % VAT are 5.93."""
    host = await a_host(bank)
    await bank.charged()
    await bank.runs(kind="hosts")
    (made,) = await bank.documents(kind="self_billing")
    assert made.total == Decimal("5.93")
    return host, made


async def goes_out(bank: Bank, amount: str, text: str = "", **more: Any) -> BankLine:
    return await bank.comes_in(f"-{amount}", text, **more)


async def taken_back(bank: Bank) -> tuple[Invoice, Invoice]:
    """An invoice of 11.86 that was paid by bank, and then credited: the note about it."""
    invoice = await bank.company_invoice()
    await bank.books(await bank.comes_in("11.86"), (invoice.invoice_id, "11.86"))
    for cdr in await bank.cdrs():
        if cdr.cdr_id in invoice.cdr_ids:
            await bank.credits(cdr.cdr_id)
    (note,) = await bank.hears()
    return invoice, note


async def test_a_payout_pays_what_a_host_is_owed_and_its_document_says_when(bank: Bank) -> None:
    host, made = await owed_to_a_host(bank)
    assert ((await bank.stands(made)).state, (await bank.stands(made)).open) == ("open", made.total)
    line = await goes_out(bank, "5.93", f"{made.number} March", payer="Harbour Garages", payee_iban=IBAN)
    (proposal,) = await bank.proposed(line)
    assert (proposal.sureness, proposal.numbers, proposal.customer) == ("exact", [made.number], f"host:{host.host_id}")
    booking = await bank.books(line, (made.invoice_id, "5.93"))
    assert booking.customers == {f"host:{host.host_id}": Decimal("5.93")}
    balances = await bank.balances()
    assert (balances["bank"], balances.get(f"host_share:{host.host_id}", ZERO)) == (Decimal("-5.93"), ZERO)
    standing = await bank.stands(made)
    assert (standing.state, standing.open, standing.received) == ("paid", ZERO, Decimal("5.93"))
    shown = await online.look(bank.pool, Providers(), made)
    assert shown is not None
    assert (shown.paid_on, shown.may_pay) == (date(2026, 4, 14), False)
    async with bank.pool.acquire() as conn:
        assert (await hosts.get_host(conn, bank.party_id, host.host_id)).balance == {}
    with pytest.raises(Conflict):
        await bank.books(line, (made.invoice_id, "5.93"))
    assert await bank.facts("InvoicePaid") == [], "that is told of what others owe"
    assert await bank.faults() == []


async def test_what_hosts_are_owed_is_no_open_invoice_of_anybody(bank: Bank) -> None:
    _, made = await owed_to_a_host(bank)
    assert await bank.documents(is_open=True) == []
    assert await bank.documents(state="open") == []
    for wanted in ({"is_open": True}, {"state": "open"}):
        (found,) = await bank.documents(kind="self_billing", **wanted)
        assert found.invoice_id == made.invoice_id
    came = await bank.comes_in("5.93", made.number)
    assert await bank.proposed(came) == [], "nobody pays us by it"
    with pytest.raises(Invalid):
        await bank.books(came, (made.invoice_id, "5.93"))


async def test_a_payout_in_parts_and_of_more_than_is_owed(bank: Bank) -> None:
    host, made = await owed_to_a_host(bank)
    await bank.books(await goes_out(bank, "5.00"), (made.invoice_id, "5.00"))
    assert (await bank.stands(made)).state == "partly_paid"
    line = await goes_out(bank, "2.00")
    with pytest.raises(Invalid):
        await bank.books(line, (made.invoice_id, "2.00"))
    await bank.books(line, (made.invoice_id, "0.93"))
    assert (await bank.balances())[f"host_share:{host.host_id}"] == Decimal("1.07"), "the host owes us that"
    assert await bank.faults() == []


async def test_a_payout_that_was_booked_wrongly_is_taken_back_and_booked_anew(bank: Bank) -> None:
    host, made = await owed_to_a_host(bank)
    line = await goes_out(bank, "5.93", made.number)
    await bank.books(line, (made.invoice_id, "5.93"))
    await bank.reverses(line)
    assert ((await bank.stands(made)).state, (await bank.stands(made)).open) == ("open", made.total)
    balances = await bank.balances()
    assert (balances.get("bank", ZERO), balances[f"host_share:{host.host_id}"]) == (ZERO, Decimal("-5.93"))
    assert await bank.faults() == []
    await bank.books(line, customer="fees:bank")
    balances = await bank.balances()
    assert (balances["fees:bank"], balances["bank"]) == (Decimal("5.93"), Decimal("-5.93"))
    assert await bank.faults() == []


async def test_money_goes_back_for_an_invoice_that_was_taken_back(bank: Bank) -> None:
    invoice, note = await taken_back(bank)
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal("-11.86")}
    line = await goes_out(bank, "11.86", f"Refund {invoice.number}")
    (proposal,) = await bank.proposed(line)
    assert (proposal.sureness, proposal.numbers, proposal.rest) == ("exact", [note.number], ZERO)
    await bank.books(line, (note.invoice_id, "11.86"))
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": ZERO}
    standing = await bank.stands(invoice)
    assert (standing.open, standing.credited, standing.received, standing.given_back) == (
        ZERO,
        Decimal("-11.86"),
        Decimal("11.86"),
        Decimal("11.86"),
    )
    assert (await bank.stands(note)).received == Decimal("11.86")
    again = await goes_out(bank, "11.86", f"Refund {note.number}", bank_ref="R2")
    assert await bank.proposed(again) == []
    with pytest.raises(Invalid):
        await bank.books(again, (note.invoice_id, "0.01"))
    assert await bank.faults() == []


async def test_what_was_never_paid_is_not_given_back(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    await bank.books(await bank.comes_in("4.00"), (invoice.invoice_id, "4.00"))
    (cdr,) = await bank.cdrs()
    await bank.credits(cdr.cdr_id)
    (note,) = await bank.hears()
    line = await goes_out(bank, "11.86", note.number)
    (proposal,) = await bank.proposed(line)
    assert (proposal.sureness, [share.amount for share in proposal.shares], proposal.rest) == (
        "named",
        [Decimal("4.00")],
        Decimal("7.86"),
    )
    with pytest.raises(Invalid):
        await bank.books(line, (note.invoice_id, "11.86"))
    await bank.books(line, (note.invoice_id, "4.00"))
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal("7.86")}, "they got too much"
    assert await bank.faults() == []


async def test_a_receipt_that_nothing_paid_has_nothing_to_give_back(bank: Bank) -> None:
    _, uid = await bank.driver()
    session = await bank.charged(uid)
    (receipt,) = await bank.receipts(session)
    await bank.credits(receipt.cdr_ids[0])
    (note,) = await bank.hears()
    assert await bank.proposed(await goes_out(bank, "11.86", note.number)) == []


async def test_a_payment_that_was_booked_wrongly_and_given_back_is_owed_again(bank: Bank) -> None:
    invoice, note = await taken_back(bank)
    await bank.books(await goes_out(bank, "11.86"), (note.invoice_id, "11.86"))
    (came,) = [line for line in await bank.lines() if line.amount > 0]
    await bank.reverses(came)
    assert (await bank.stands(invoice)).open == Decimal("11.86"), "they got back what they never paid"
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal("11.86")}
    assert await bank.faults() == []


async def test_fees_of_the_bank_are_booked_by_a_persons_word(bank: Bank) -> None:
    await bank.wants(books_exact=True)
    line = await goes_out(bank, "7.50", "Account fee April")
    assert (line.state, await bank.proposed(line)) == ("open", [])
    with pytest.raises(Invalid):
        await bank.books(line)
    await bank.books(line, customer="fees:bank")
    assert (await bank.balances())["fees:bank"] == Decimal("7.50")
    back = await bank.comes_in("2.50", "Fee corrected")
    await bank.books(back, customer="fees:bank")
    assert (await bank.balances())["fees:bank"] == Decimal("5.00")
    for nobody in ("fees:x", "host:x", f"host:{uuid4()}", f"company:{uuid4()}", "x"):
        with pytest.raises((NotFound, Invalid)):
            await bank.books(await goes_out(bank, "1.00", bank_ref=nobody), customer=nobody)
    assert await bank.faults() == []


async def test_only_what_agrees_exactly_is_booked_by_itself(bank: Bank) -> None:
    _, made = await owed_to_a_host(bank)
    elsewhere = "<Cdtr><Nm>Garages</Nm></Cdtr><CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>"
    theirs = f"<Cdtr><Nm>Garages</Nm></Cdtr><CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct>"
    entries = [
        entry("5.93", side="DBIT", ref="R1", more=f"<NtryDtls>{details(elsewhere, made.number)}</NtryDtls>"),
        entry("5.90", side="DBIT", ref="R2", more=f"<NtryDtls>{details(theirs, made.number)}</NtryDtls>"),
        entry("5.93", side="DBIT", ref="R3", more=f"<NtryDtls>{details(theirs, 'rent')}</NtryDtls>"),
        entry("5.93", side="CRDT", ref="R4", more=f"<NtryDtls>{details(text=made.number)}</NtryDtls>"),
    ]
    await bank.wants(books_exact=True)
    assert (await bank.imports(camt("".join(entries)))).n_booked == 0
    exact = entry("5.93", side="DBIT", ref="R5", more=f"<NtryDtls>{details(theirs, made.number)}</NtryDtls>")
    report = await bank.imports(camt("".join([*entries, exact, exact.replace("R5", "R6")])))
    assert (report.n_new, report.n_known, report.n_booked) == (2, 4, 1), "it is paid once"
    assert (await bank.stands(made)).state == "paid"
    again = await bank.imports(camt(exact))
    assert (again.n_new, again.n_booked) == (0, 0)
    assert await bank.faults() == []


async def test_a_csv_pays_a_host_by_account_and_amount(bank: Bank) -> None:
    _, made = await owed_to_a_host(bank)
    columns = StatementColumns(booked_on="day", amount="sum", text="text", payee_iban="iban", default_currency="EUR")
    table = f"day,sum,text,iban\n2026-04-14,-5.93,for March,{IBAN}\n2026-04-14,5.93,for March,{IBAN}\n"
    assert (await bank.imports(table, columns=columns)).n_new == 2
    (out,) = [line for line in await bank.lines() if line.amount < 0]
    (proposal,) = await bank.proposed(out)
    assert (proposal.sureness, proposal.numbers) == ("likely", [made.number])
    assert (await bank.imports(table)).n_new == 0


async def test_a_payout_is_booked_once_whoever_books_it_at_the_same_time(bank: Bank) -> None:
    _, made = await owed_to_a_host(bank)
    lines = [await goes_out(bank, "5.93", bank_ref=f"R{n}") for n in range(3)]
    done = await asyncio.gather(
        *(bank.books(line, (made.invoice_id, "5.93")) for line in lines), return_exceptions=True
    )
    assert sum(isinstance(one, Invalid) for one in done) == 2
    assert (await bank.balances())["bank"] == Decimal("-5.93")
    assert await bank.faults() == []


async def test_what_is_recorded_by_hand_is_looked_at(bank: Bank) -> None:
    for wrong in ({"amount": "0"}, {"amount": "-0.001"}, {"amount": "-1", "payee_iban": "NL91ABNA0417164301"}):
        with pytest.raises(Invalid):
            await bank.comes_in(**wrong)
    with pytest.raises(Invalid):
        await bank.comes_in("1.00", payee_iban=IBAN)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": 1, "currency": "EUR", "booked_on": "2026-04-14", "payee_iban": "x"}, NewBankLine)


async def test_faults_of_money_that_went_out_are_found(bank: Bank) -> None:
    host, made = await owed_to_a_host(bank)
    line = await goes_out(bank, "5.93", made.number)
    await bank.books(line, (made.invoice_id, "5.93"))
    assert await bank.faults() == []
    await bank.pool.execute("alter table invoice_payment disable trigger invoice_payment_keep")
    await bank.pool.execute("update invoice_payment set amount = 6 where invoice_id = $1", made.invoice_id)
    told = " ".join(await bank.faults())
    assert "was paid out with 6" in told
    assert "pays 6 of documents" in told
    invoice = await bank.company_invoice()
    await bank.pool.execute(
        "update invoice_payment set amount = 5.93, invoice_id = $2 where invoice_id = $1",
        made.invoice_id,
        invoice.invoice_id,
    )
    await bank.pool.execute("alter table invoice_payment enable trigger invoice_payment_keep")
    assert "which is no money that goes out" in " ".join(await bank.faults())
    await bank.pool.execute("update bank_booking set postings = '{}' where line_id = $1", line.line_id)
    assert f"host {host.host_id} is owed" in " ".join(await bank.faults())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("goes"), st.sampled_from(["-1.00", "-5.93", "-11.86", "-20.00", "11.86"]), st.integers(0, 3)),
        st.tuples(st.just("books"), st.integers(0, 9), st.lists(st.integers(0, 2), max_size=2, unique=True)),
        st.tuples(st.just("proposed"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("fee"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("reverses"), st.integers(0, 9), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_whatever_goes_out_and_is_booked_and_reversed_the_books_are_right(
    db: Pool, steps: list[tuple[str, str | int, int | list[int]]]
) -> None:
    bank = Bank(db)
    await bank.founded(per_kwh("0.49"))
    await bank.opened()
    host, made = await owed_to_a_host(bank)
    invoice, note = await taken_back(bank)
    owed = [made, note, invoice]
    texts = [made.number, note.number, invoice.number, "rent"]
    lines: list[BankLine] = []
    for name, first, more in steps:
        if name == "goes" and isinstance(first, str) and isinstance(more, int):
            lines.append(await bank.comes_in(first, texts[more], bank_ref=f"R{len(lines)}"))
        elif lines and isinstance(first, int):
            line = lines[first % len(lines)]
            try:
                if name == "books" and isinstance(more, list):
                    await bank.books(line, *((owed[n].invoice_id, "1.00") for n in more), customer=invoice.customer)
                elif name == "proposed":
                    for one in (await bank.proposed(line))[:1]:
                        shares = [(share.invoice_id, str(share.amount)) for share in one.shares]
                        await bank.books(line, *shares, customer=one.customer)
                elif name == "fee":
                    await bank.books(line, customer="fees:bank")
                elif name == "reverses":
                    await bank.reverses(line)
            except OhmsteadError:
                continue
    booked = sum((line.amount for line in await bank.lines(state="booked")), ZERO)
    balances = await bank.balances()
    assert balances.get("bank", ZERO) == booked
    assert sum(balances.values(), ZERO) == 0
    to_host, back = await bank.stands(made), await bank.stands(note)
    assert to_host.open == made.total - to_host.received
    assert to_host.open >= 0
    assert 0 <= back.received <= Decimal("11.86")
    whose = f"host:{host.host_id}"
    async with bank.pool.acquire() as conn:
        views = await service.views_of(conn, bank.party_id, await bank.lines(state="booked"))
    paid_out = sum((view.bookings[0].customers.get(whose, ZERO) for view in views if view.line.amount < 0), ZERO)
    assert -balances.get(f"host_share:{host.host_id}", ZERO) == made.total - paid_out
    assert await bank.faults() == []
