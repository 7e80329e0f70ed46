"""Money that came in pays invoices: once, exactly, and what was wrong is taken back."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.billing.incoming.model import BankLine, StatementColumns
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError
from tests.billing.network import per_kwh
from tests.incoming.test_statements import camt, details, entry
from tests.incoming.till import Bank


async def test_a_line_that_names_an_invoice_pays_it(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    before = await bank.stands(invoice)
    assert (before.state, before.open) == ("open", invoice.total)
    line = await bank.comes_in("11.86", f"{invoice.number} thank you", payer="Fleet GmbH")
    (proposal,) = await bank.proposed(line)
    assert (proposal.sureness, proposal.numbers, proposal.rest) == ("exact", [invoice.number], Decimal(0))
    assert (await bank.stands(invoice)).state == "open", "a person confirms"
    await bank.books(line, (invoice.invoice_id, "11.86"))
    assert await bank.balances() | {"bank": Decimal("11.86")} == await bank.balances()
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal(0)}
    after = await bank.stands(invoice)
    assert (after.state, after.open, after.received) == ("paid", Decimal(0), Decimal("11.86"))
    (paid,) = await bank.facts("InvoicePaid")
    assert (paid["number"], paid["paid_on"]) == (invoice.number, "2026-04-14")
    with pytest.raises(Conflict):
        await bank.books(line, (invoice.invoice_id, "11.86"))
    assert await bank.faults() == []


async def test_part_of_it_and_more_than_it(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    await bank.books(await bank.comes_in("5.00"), (invoice.invoice_id, "5.00"))
    assert (await bank.stands(invoice)).state == "partly_paid"
    line = await bank.comes_in("10.00")
    with pytest.raises(Invalid):
        await bank.books(line, (invoice.invoice_id, "10.00"))
    await bank.books(line, (invoice.invoice_id, "6.86"))
    assert (await bank.stands(invoice)).state == "paid"
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal("-3.14")}, "to their credit"
    assert await bank.faults() == []


async def test_one_line_for_invoices_of_two_says_whose_the_rest_is(bank: Bank) -> None:
    one, two = await bank.company_invoice(), await bank.company_invoice(40_000)
    line = await bank.comes_in("40.00")
    shares = ((one.invoice_id, "11.86"), (two.invoice_id, "23.72"))
    with pytest.raises(Invalid):
        await bank.books(line, *shares)
    with pytest.raises((NotFound, Invalid)):
        await bank.books(line, *shares, customer=f"company:{uuid4()}")
    await bank.books(line, *shares, customer=two.customer)
    assert await bank.owes(one, two) == {
        f"receivable:{one.customer}": Decimal(0),
        f"receivable:{two.customer}": Decimal("-4.42"),
    }
    assert await bank.faults() == []


async def test_a_wrong_booking_is_reversed_by_another_entry_and_booked_anew(bank: Bank) -> None:
    one, two = await bank.company_invoice(), await bank.company_invoice()
    line = await bank.comes_in("11.86")
    await bank.books(line, (one.invoice_id, "11.86"))
    await bank.reverses(line)
    assert ((await bank.stands(one)).state, (await bank.stands(one)).received) == ("open", Decimal(0))
    assert "bank" not in await bank.balances(), "nothing is left there"
    with pytest.raises(Conflict):
        await bank.reverses(line)
    await bank.books(line, (two.invoice_id, "11.86"))
    assert ((await bank.stands(one)).state, (await bank.stands(two)).state) == ("open", "paid")
    assert (await bank.balances())["bank"] == Decimal("11.86")
    assert await bank.faults() == []


async def test_a_line_is_booked_once_whoever_books_it_at_the_same_time(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    line = await bank.comes_in("11.86")
    done = await asyncio.gather(
        *(bank.books(line, (invoice.invoice_id, "11.86")) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in done) == 3
    assert (await bank.balances())["bank"] == Decimal("11.86")


async def test_what_a_bank_told_is_never_changed(bank: Bank) -> None:
    line = await bank.comes_in()
    for change in ("amount = 1", "payer = 'x'", "booked_on = '2026-01-01'"):
        with pytest.raises(asyncpg.PostgresError):
            await bank.pool.execute(f"update bank_line set {change} where line_id = $1", line.line_id)
    with pytest.raises(asyncpg.PostgresError):
        await bank.pool.execute("delete from bank_line where line_id = $1", line.line_id)


async def test_a_statement_again_a_longer_one_and_one_by_hand_take_each_line_in_once(bank: Bank) -> None:
    data = camt(entry(more=f"<NtryDtls>{details()}</NtryDtls>") + entry("5.00", ref="R2"))
    rehearsed = await bank.imports(data, dry_run=True)
    assert (rehearsed.n_new, await bank.lines()) == (2, [])
    assert (await bank.imports(data)).n_new == 2
    again = await bank.imports(data)
    assert (again.n_new, again.n_known) == (0, 2)
    with pytest.raises(Conflict):
        await bank.comes_in("5.00", bank_ref="R2")
    await bank.comes_in("7.00", bank_ref="R3")
    longer = await bank.imports(camt(entry() + entry("7.00", ref="R3") + entry("7.00", ref="R4")))
    assert longer.n_new == 1, "R1 and R3 are known, one by hand"
    assert sum(line.amount for line in await bank.lines()) == Decimal("90.15")


async def test_columns_are_remembered_and_rows_that_cannot_be_read_are_told(bank: Bank) -> None:
    table = "day,sum,text\n2026-04-14,11.86,a\n2026-04-14,x,b\n2026-04-14,11.86,a\n"
    with pytest.raises(Invalid):
        await bank.imports(table)
    columns = StatementColumns(booked_on="day", amount="sum", text="text", default_currency="EUR")
    report = await bank.imports(table, columns=columns)
    assert (report.n_new, [fault.row for fault in report.faults]) == (2, [3])
    again = await bank.imports(table)
    assert (again.n_new, again.n_known) == (0, 2)


async def test_only_an_exact_line_is_booked_by_itself_and_only_where_it_is_wanted(bank: Bank) -> None:
    one, two = await bank.company_invoice(), await bank.company_invoice()
    data = camt(
        entry("11.86", ref="R1", more=f"<NtryDtls>{details(text=one.number)}</NtryDtls>")
        + entry("11.86", ref="R2", more=f"<NtryDtls>{details(text=one.number)}</NtryDtls>")
        + entry("11.00", ref="R3", more=f"<NtryDtls>{details(text=two.number)}</NtryDtls>")
    )
    assert (await bank.imports(data, dry_run=True)).n_booked == 0
    await bank.wants(books_exact=True)
    assert (await bank.imports(data)).n_booked == 1, "it is paid once, and not in part"
    assert ((await bank.stands(one)).state, (await bank.stands(two)).state) == ("paid", "open")
    assert await bank.faults() == []


async def test_a_credit_note_lessens_what_is_open(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    (cdr,) = await bank.cdrs()
    await bank.credits(cdr.cdr_id)
    await bank.hears()
    standing = await bank.stands(invoice)
    assert (standing.state, standing.open, standing.credited) == ("credited", Decimal(0), Decimal("-11.86"))


async def test_the_list_knows_how_invoices_stand(bank: Bank) -> None:
    paid, late = await bank.company_invoice(), await bank.company_invoice()
    await bank.books(await bank.comes_in("11.86"), (paid.invoice_id, "11.86"))
    # It was due long ago: documents are never changed, but by whoever may do all.
    await bank.pool.execute("alter table invoice disable trigger invoice_keep")
    await bank.pool.execute("update invoice set due_on = '2026-01-01' where invoice_id = $1", late.invoice_id)
    await bank.pool.execute("alter table invoice enable trigger invoice_keep")
    for wanted, found in ({"state": "paid"}, paid), ({"state": "overdue"}, late), ({"is_open": True}, late):
        assert [one.invoice_id for one in await bank.documents(**wanted)] == [found.invoice_id], wanted


async def test_faults_are_found(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    line = await bank.comes_in("11.86")
    await bank.books(line, (invoice.invoice_id, "11.86"))
    assert await bank.faults() == []
    await bank.pool.execute("update bank_line set state = 'open' where line_id = $1", line.line_id)
    assert [fault.split(" ")[0:2] for fault in await bank.faults()] == [["bank", "line"]]
    await bank.pool.execute(
        "update bank_booking set reversed_at = now(), reversed_by = 'x' where line_id = $1", line.line_id
    )
    told = " ".join(await bank.faults())
    assert "in the books" in told
    assert "is reversed" in told


steps = st.lists(
    st.one_of(
        st.tuples(st.just("comes_in"), st.sampled_from(["5.00", "11.86", "23.72", "40.00"]), st.integers(0, 3)),
        st.tuples(st.just("books"), st.integers(0, 9), st.lists(st.integers(0, 2), max_size=3, unique=True)),
        st.tuples(st.just("proposed"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("reverses"), st.integers(0, 9), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_whatever_comes_in_and_is_booked_and_reversed_the_books_are_right(
    db: Pool, steps: list[tuple[str, str | int, int | list[int]]]
) -> None:
    bank = Bank(db)
    await bank.founded(per_kwh("0.49"))
    await bank.opened()
    invoices = [await bank.company_invoice(wh) for wh in (20_000, 40_000)]
    number = [one.number for one in invoices] + ["nothing", f"{invoices[0].number} {invoices[1].number}"]
    lines: list[BankLine] = []
    for name, first, more in steps:
        if name == "comes_in" and isinstance(first, str) and isinstance(more, int):
            lines.append(await bank.comes_in(first, number[more], bank_ref=f"R{len(lines)}"))
        elif lines and isinstance(first, int):
            line = lines[first % len(lines)]
            try:
                if name == "books" and isinstance(more, list):
                    wanted = [(invoices[n].invoice_id, "5.00") for n in more if n < 2]
                    await bank.books(line, *wanted, customer=invoices[0].customer)
                elif name == "proposed":
                    for one in (await bank.proposed(line))[:1]:
                        shares = [(share.invoice_id, str(share.amount)) for share in one.shares]
                        await bank.books(line, *shares, customer=one.customer)
                elif name == "reverses":
                    await bank.reverses(line)
            except OhmsteadError:
                continue
    booked = sum((line.amount for line in await bank.lines(state="booked")), Decimal(0))
    balances = await bank.balances()
    assert balances.get("bank", Decimal(0)) == booked
    assert sum((await bank.owes(*invoices)).values()) == sum(one.total for one in invoices) - booked
    standings = [await bank.stands(one) for one in invoices]
    for standing in standings:
        assert standing.open == standing.total - standing.received
        assert standing.open is not None
        assert 0 <= standing.open <= standing.total
    assert sum(one.received for one in standings) <= booked
    assert await bank.faults() == []
