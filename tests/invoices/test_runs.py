"""A month's documents: previewed, made once whatever happens meanwhile; what hosts get."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from ohmstead.billing.invoices import runs, sellers, service
from ohmstead.billing.invoices import store as documents_store
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.hosts.sharing import ContractEnd, HostDetails, NewContract
from ohmstead.billing.invoices.model import Address, Seller
from ohmstead.billing.invoices.runs import NewRun
from ohmstead.core.errors import Conflict, Invalid, Refused
from tests.invoices.office import SELLER, Office

# The worker dies as the third document is written.
_DIES = """
create function dies() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$;
create trigger dies before insert on invoice for each row when (new.n = 3) execute function dies();
"""


async def test_a_month_that_is_cut_off_goes_on_and_nothing_is_made_twice(office: Office) -> None:
    for n in range(4):
        _, uid = await office.driver(f"Driver{n}")
        await office.charged(uid, days=n)
        await office.charged(uid, days=n + 10)
    async with office.pool.acquire() as conn, conn.transaction():
        asked = await runs.ask(conn, office.actor, NewRun(month="2026-03"))
    await office.pool.execute(_DIES)
    try:
        with pytest.raises(asyncpg.RaiseError, match="killed"):
            await runs.run(office.pool, {"run_id": str(asked.run_id)})
    finally:
        await office.pool.execute("drop trigger dies on invoice; drop function dies")
    assert len(await office.documents()) == 2, "what was under way is rolled back, number and all"
    with pytest.raises(Conflict):
        async with office.pool.acquire() as conn, conn.transaction():
            await runs.ask(conn, office.actor, NewRun(month="2026-03"))
    # Two workers at once: the job was given to another one, and the first was not dead after all.
    await asyncio.gather(*(runs.run(office.pool, {"run_id": str(asked.run_id)}) for _ in range(2)))
    found = await office.documents()
    assert len(found) == 4
    assert sorted(one.number[-1] for one in found) == ["1", "2", "3", "4"]
    assert sum(one.total for one in found) == sum(cdr.total for cdr in await office.cdrs())
    assert len({cdr_id for one in found for cdr_id in one.cdr_ids}) == 8
    async with office.pool.acquire() as conn:
        run = await runs.get_run(conn, office.party_id, asked.run_id)
    assert (run.status, run.n_issued) == ("done", 4)
    again = await office.runs()
    assert (again.n_wanted, again.n_issued) == (0, 0)


async def test_a_preview_says_what_will_be_made_and_makes_nothing(office: Office) -> None:
    _, uid = await office.driver()
    await office.charged(uid)
    async with office.pool.acquire() as conn:
        (told,) = await runs.previews(conn, office.actor, NewRun(month="2026-03"))
        assert await runs.previews(conn, office.actor, NewRun(month="2026-02")) == []
        last = (told.customer, told.currency, told.tax_country)
        assert await runs.previews(conn, office.actor, NewRun(month="2026-03"), after=last) == []
    assert await office.documents() == []
    await office.runs()
    (made,) = await office.documents()
    assert (told.kind, told.customer, told.total) == (made.kind, made.customer, made.total)


async def test_late_sessions_and_credited_ones(office: Office) -> None:
    _, uid = await office.driver()
    await office.charged(uid)
    taken_back = await office.charged(uid, days=1)
    (cdr,) = [one for one in await office.cdrs() if one.session_id == taken_back]
    await office.credits(cdr.cdr_id)
    await office.charged(uid, days=40)
    await office.runs()
    (march,) = await office.documents()
    assert len(march.cdr_ids) == 1, "what was taken back before is not told, nor what is of April"
    await office.charged(uid, days=3)
    await office.runs()
    (_, late) = await office.documents()
    assert len(late.cdr_ids) == 1, "what comes late is in the next run, also of the same month"


async def test_a_month_that_is_not_over_and_a_seller_without_name_are_refused(office: Office) -> None:
    async with office.pool.acquire() as conn:
        with pytest.raises(Refused, match="not over"):
            await runs.ask(conn, office.actor, NewRun(month="2999-01"))
        with pytest.raises(Invalid):
            await runs.ask(conn, office.actor, NewRun(month="2026-13"))
        await sellers.set_seller(conn, office.actor, Seller(legal_name="Harbour"))
        with pytest.raises(Refused, match="address, vat_id"):
            await runs.ask(conn, office.actor, NewRun(month="2026-03"))


async def test_a_driver_with_receipts_gets_a_statement_once(office: Office) -> None:
    _, uid = await office.driver()
    (receipt,) = await office.receipts(await office.charged(uid))
    month = f"{receipt.issued_on:%Y-%m}"
    await office.pool.execute("alter table invoice disable trigger invoice_keep")
    await office.pool.execute("update invoice set issued_on = '2026-03-03'")
    await office.pool.execute("alter table invoice enable trigger invoice_keep")
    assert month != "2026-03"
    await office.runs()
    await office.runs()
    (made,) = [one for one in await office.documents() if one.kind == "statement"]
    (line,) = made.content.lines
    assert line.document_id == receipt.invoice_id
    assert receipt.number in line.text
    assert made.total == receipt.total
    assert made.cdr_ids == [], "it is no second invoice"


async def test_numbers_of_a_year_begin_anew_only_where_the_format_names_it(office: Office) -> None:
    async with office.pool.acquire() as conn, conn.transaction():
        assert await documents_store.next_number(conn, office.party_id, "receipt", 2026) == 1
        assert await documents_store.next_number(conn, office.party_id, "receipt", 2027) == 1
        assert await documents_store.next_number(conn, office.party_id, "receipt", 2026) == 2
        assert await documents_store.next_number(conn, office.party_id, "invoice", 0) == 1


# --------------------------------------------------------------------------------------------------------------- hosts

HOST = HostDetails(
    name="Harbour Garages Ltd",
    address=Address(lines=["Quay 2"], postal_code="3011", city="Rotterdam", country="NL"),
    vat_id="NL987654321B01",
    tax_percentage=Decimal(21),
)


async def _host(office: Office, **contract: Any) -> Any:
    async with office.pool.acquire() as conn, conn.transaction():
        host = await hosts.create_host(conn, office.actor, HOST)
        given = NewContract(location_id=office.location_id, currency="EUR", from_on=date(2026, 1, 1), **contract)
        await hosts.agree(conn, office.actor, host.host_id, given)
    return host


async def test_a_host_gets_its_share_of_what_charging_brought_in_and_it_is_in_the_books(office: Office) -> None:
    """Three times 9.80, of which one is taken back: 10 % of 19.60, with 21 % VAT."""
    host = await _host(office, share_percent=Decimal(10))
    for day in range(3):
        await office.charged(days=day)
    await office.credits((await office.cdrs())[0].cdr_id)
    await office.charged(days=40)
    await office.runs(kind="hosts")
    (made,) = await office.documents(kind="self_billing")
    assert (made.content.seller.legal_name, made.content.buyer.name) == (HOST.name, "Harbour Power B.V.")
    totals = made.content.totals
    assert (totals.before_taxes, totals.tax, made.total) == (Decimal("1.96"), Decimal("0.41"), Decimal("2.37"))
    assert (made.from_on, made.to_on) == (date(2026, 3, 2), date(2026, 3, 31))
    balances = await office.balances()
    assert balances[f"fees:host:{host.host_id}"] == Decimal("1.96")
    assert balances["tax:NL:VAT:21:input"] == Decimal("0.41")
    assert balances[f"host_share:{host.host_id}"] == Decimal("-2.37")
    assert await office.faults() == []
    async with office.pool.acquire() as conn:
        assert (await hosts.get_host(conn, office.party_id, host.host_id)).balance == {"EUR": Decimal("2.37")}
        assert b"389" in await service.xml_of(conn, office.party_id, made.invoice_id)
    await office.runs(kind="hosts")
    assert len(await office.documents(kind="self_billing")) == 1, "each session counts once"
    await office.runs("2026-04", kind="hosts")
    (_, april) = await office.documents(kind="self_billing")
    assert april.content.totals.before_taxes == Decimal("0.98")


async def test_a_host_gets_so_much_for_a_kwh(office: Office) -> None:
    await _host(office, fee_per_kwh=Decimal("0.0255"))
    await office.charged(wh=12_345)
    await office.runs(kind="hosts")
    (made,) = await office.documents()
    assert made.content.totals.before_taxes == Decimal("0.31"), "12.345 × 0.0255 = 0.3148"


async def test_what_was_taken_back_after_it_was_stated_is_less_the_next_time(office: Office) -> None:
    await _host(office, share_percent=Decimal(50))
    await office.charged()
    await office.runs(kind="hosts")
    await office.credits((await office.cdrs())[0].cdr_id)
    await office.runs(kind="hosts")
    assert len(await office.documents()) == 1, "less than nothing is not stated"
    await office.charged(days=1, wh=60_000)
    await office.runs(kind="hosts")
    (first, second) = await office.documents()
    assert first.content.totals.before_taxes == Decimal("4.90")
    assert second.content.totals.before_taxes == Decimal("9.80"), "half of 29.40 less half of 9.80"


async def test_contracts_do_not_overlap_and_make_sense(office: Office) -> None:
    host = await _host(office, share_percent=Decimal(10), until_on=date(2026, 6, 1))
    async with office.pool.acquire() as conn:
        for given, error in (
            ({"share_percent": Decimal(5), "from_on": date(2026, 5, 1)}, Conflict),
            ({"share_percent": Decimal(5), "from_on": date(2025, 5, 1)}, Conflict),
            ({"share_percent": Decimal(0), "from_on": date(2026, 6, 1)}, Invalid),
            ({"share_percent": Decimal(101), "from_on": date(2026, 6, 1)}, Invalid),
            ({"fee_per_kwh": Decimal(-1), "from_on": date(2026, 6, 1)}, Invalid),
            ({"from_on": date(2026, 6, 1)}, Invalid),
            ({"share_percent": Decimal(1), "fee_per_kwh": Decimal(1), "from_on": date(2026, 6, 1)}, Invalid),
        ):
            with pytest.raises(error):
                contract = NewContract(location_id=office.location_id, currency="EUR", **given)
                await hosts.agree(conn, office.actor, host.host_id, contract)
        after = NewContract(
            location_id=office.location_id, currency="EUR", share_percent=Decimal(5), from_on=date(2026, 6, 1)
        )
        made = await hosts.agree(conn, office.actor, host.host_id, after)
        ended = await hosts.end(
            conn, office.actor, host.host_id, made.contract_id, ContractEnd(until_on=date(2026, 7, 1))
        )
        assert ended.until_on == date(2026, 7, 1)
        with pytest.raises(Refused):
            longer = ContractEnd(until_on=date(2026, 8, 1))
            await hosts.end(conn, office.actor, host.host_id, made.contract_id, longer)


async def test_an_iban_with_a_slip_in_it_is_refused(office: Office) -> None:
    bank = SELLER.bank.__class__(iban="NL91ABNA0417164301")
    async with office.pool.acquire() as conn:
        with pytest.raises(Invalid, match="check digits"):
            await sellers.set_seller(conn, office.actor, Seller(legal_name="X", bank=bank))
        with pytest.raises(Invalid):
            await hosts.create_host(conn, office.actor, HostDetails(name="X", bank=bank))
        with pytest.raises(Conflict):
            await sellers.set_seller(conn, office.actor, SELLER, if_version=7)


async def test_one_customer_whose_data_are_broken_keeps_nobody_else_from_theirs(office: Office) -> None:
    broken, uid = await office.driver("Ada")
    _, other = await office.driver("Bob")
    for one in (uid, other):
        await office.charged(one)
    await office.pool.execute(
        "insert into invoice_customer (party_id, customer, content, updated_at, updated_by)"
        " values ($1, $2, '{\"name\": 5}', now(), 'x')",
        office.party_id,
        f"driver:{broken}",
    )
    run = await office.runs()
    assert (run.status, run.n_issued, [one["who"] for one in run.problems]) == ("done", 1, [f"driver:{broken}"])
    await office.pool.execute("delete from invoice_customer")
    assert (await office.runs()).n_issued == 1


async def test_a_contract_does_not_end_before_what_its_host_was_told_of(office: Office) -> None:
    """The next host would have to pay for what is credited of it later."""
    host = await _host(office, share_percent=Decimal(10))
    await office.charged()
    await office.runs(kind="hosts")
    async with office.pool.acquire() as conn, conn.transaction():
        (contract,) = await hosts.list_contracts(conn, office.party_id, host.host_id)
        with pytest.raises(Refused, match="in a statement already"):
            early = ContractEnd(until_on=date(2026, 3, 2))
            await hosts.end(conn, office.actor, host.host_id, contract.contract_id, early)
        ended = ContractEnd(until_on=date(2026, 3, 3))
        assert (await hosts.end(conn, office.actor, host.host_id, contract.contract_id, ended)).until_on == date(
            2026, 3, 3
        )
