"""Companies pay afterwards for their people, partners for their contracts, nobody for what is free, terminals at once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.billing.companies import queries
from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import CompanyChange, NewCompany, NewCompanyMember
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import PayingPartner, PayingPolicyChange
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from tests.billing.network import AT
from tests.paying.customers import Customers

D = Decimal


async def company(customers: Customers, **more: Any) -> UUID:
    async with customers.pool.acquire() as conn, conn.transaction():
        made = await companies.create_company(conn, customers.actor, NewCompany(**{"name": "Fleet"} | more))
    return made.company_id


async def joins(customers: Customers, company_id: UUID, **member: UUID) -> None:
    async with customers.pool.acquire() as conn, conn.transaction():
        await companies.add_member(conn, customers.actor, company_id, NewCompanyMember(**member))


async def changes(customers: Customers, company_id: UUID, **what: Any) -> None:
    async with customers.pool.acquire() as conn, conn.transaction():
        await companies.change_company(conn, customers.actor, company_id, CompanyChange(**what))


async def test_a_company_owes_what_its_drivers_charge(customers: Customers) -> None:
    company_id, driver_id = await company(customers), await customers.driver()
    await customers.card("CARD-1", driver_id)
    await joins(customers, company_id, driver_id=driver_id)
    assert (await customers.asks("CARD-1")) == ("accepted", None)
    session_id = await customers.begins("CARD-1")
    async with customers.pool.acquire() as conn, conn.transaction():
        await companies.remove_member(conn, customers.actor, company_id, driver_id)
    await customers.ends(session_id, wh=20_000)
    later = await customers.begins("CARD-1", AT + timedelta(hours=3))
    await customers.ends(later, wh=2_000)
    assert [cdr.customer for cdr in await customers.cdrs()] == [f"company:{company_id}", f"driver:{driver_id}"]
    assert (await customers.balances())[f"receivable:company:{company_id}"] == 10
    assert await customers.faults() == []


async def test_a_company_is_held_to_its_month(customers: Customers) -> None:
    company_id = await company(customers, limit_per_month=D(25))
    tokens = [await customers.card(f"CARD-{n}") for n in range(3)]
    for token_id in tokens:
        await joins(customers, company_id, token_id=token_id)
    status, terms = await customers.asks("CARD-0")
    assert (status, terms and terms.limit and terms.limit.max_cost) == ("accepted", D("25.00"))
    first = await customers.begins("CARD-0", clock.now() - timedelta(hours=2))
    assert (await customers.asks("CARD-1"))[0] == "accepted"
    assert [minor for _, minor in await customers.holds()] == [2000, 500]
    assert (await customers.asks("CARD-2"))[0] == "no_credit"
    await customers.ends(first, wh=50_000)
    assert (await customers.asks("CARD-2"))[0] == "no_credit"
    async with customers.pool.acquire() as conn:
        month = await companies.month_of(conn, customers.party_id, company_id)
    assert (month.billed, month.held, month.left, month.n_sessions) == (D(25), D(5), D(0), 1)
    await changes(customers, company_id, limit_per_month=D(60))
    assert (await customers.asks("CARD-2"))[0] == "accepted"
    await changes(customers, company_id, status="suspended")
    assert (await customers.asks("CARD-2"))[0] == "no_credit"


@pytest.mark.parametrize("who", ["driver", "token"])
async def test_members_of_a_suspended_company_begin_nothing_whatever_their_own_wallet_holds(
    customers: Customers, who: str
) -> None:
    """The company spares them their own money, so nothing of it steps in."""
    company_id, driver_id = await company(customers), await customers.driver()
    token_id = await customers.card("CARD-1", driver_id)
    await customers.pays_with("wallet", driver_id=driver_id)
    await customers.puts_in(driver_id, "50.00")
    await joins(customers, company_id, **({"driver_id": driver_id} if who == "driver" else {"token_id": token_id}))
    assert await customers.asks("CARD-1") == ("accepted", None), "the company pays"
    await changes(customers, company_id, status="suspended")
    assert (await customers.asks("CARD-1"))[0] == "no_credit"
    await customers.pays_with("wallet", token_id=token_id)
    assert (await customers.asks("CARD-1"))[0] == "accepted", "what was set for the token itself stays"


async def test_companies_are_checked_and_one_pays_at_a_time(customers: Customers) -> None:
    company_id, other = await company(customers, vat_number="NL 1234.56789.B01"), await company(customers)
    driver_id = await customers.driver()
    await joins(customers, company_id, driver_id=driver_id)
    with pytest.raises(Conflict, match="already"):
        await joins(customers, other, driver_id=driver_id)
    stranger = await Customers(customers.pool).founded()
    for member in (
        {},
        {"driver_id": driver_id, "token_id": driver_id},
        {"token_id": driver_id},
        {"driver_id": await stranger.driver()},
    ):
        with pytest.raises(Invalid):
            await joins(customers, other, **member)
    for wrong in (
        {"vat_number": "nonsense"},
        {"limit_per_month": D("1.234")},
        {"limit_per_month": D(-1)},
        {"name": " "},
    ):
        with pytest.raises(Invalid):
            await company(customers, **wrong)
    async with customers.pool.acquire() as conn:
        found = await queries.get_company(conn, customers.party_id, company_id)
        assert (found.vat_number, found.currency, found.n_members) == ("NL123456789B01", "EUR", 1)
        with pytest.raises(NotFound):
            await queries.get_company(conn, stranger.party_id, company_id)
    await changes(customers, company_id, status="ended")
    with pytest.raises(Refused):
        await changes(customers, company_id, status="active")
    with pytest.raises(Invalid):
        await customers.pays_with("company", driver_id=driver_id, company_id=company_id)


async def test_contracts_of_a_partner_are_billed_to_the_partner(customers: Customers) -> None:
    await customers.card("DE8AAC12345678", type="eMAID")
    await customers.card("CAR-1", contract_id="DE-8AA-C12345678-X")
    async with customers.pool.acquire() as conn, conn.transaction():
        partner = PayingPartner(prefix="DE8AA", partner="DE-8AA", name="Blue Motors")
        await paying.put_partner(conn, customers.actor, partner)
    for n, uid in enumerate(("DE8AAC12345678", "CAR-1")):
        session_id = await customers.begins(uid, AT + timedelta(hours=2 * n))
        await customers.ends(session_id, wh=10_000)
    assert {cdr.customer for cdr in await customers.cdrs()} == {"partner:DE-8AA"}
    assert (await customers.balances())["receivable:partner:DE-8AA"] == 10


async def test_what_is_free_has_a_bill_of_nothing_that_says_so(customers: Customers) -> None:
    token_id = await customers.card("STAFF")
    await customers.pays_with("free", token_id=token_id)
    assert (await customers.asks("STAFF"))[0] == "accepted"
    session_id = await customers.begins("STAFF")
    await customers.ends(session_id, wh=20_000)
    (cdr,) = await customers.cdrs()
    assert (str(cdr.total), [line.rule for line in cdr.cost.lines][-1]) == ("0.00", "Free of charge")
    assert await customers.balances() == {"revenue:energy": -10, "revenue:adjustments": 10}
    await customers.settles(session_id)
    assert len(await customers.cdrs()) == 1


async def test_tokens_for_which_nobody_pays_begin_nothing_where_the_party_says_so(customers: Customers) -> None:
    await customers.card("CARD-1")
    assert (await customers.asks("CARD-1")) == ("accepted", None)
    async with customers.pool.acquire() as conn, conn.transaction():
        await paying.change_policy(conn, customers.actor, PayingPolicyChange(without_method="refuse"))
    assert (await customers.asks("CARD-1"))[0] == "no_credit"
    assert (await customers.asks("PSP-1", type="DirectPayment"))[0] == "accepted"
    cases: list[dict[str, Any]] = [{"hold_amount": D(0)}, {"least_credit": D(-1)}, {"hold_amount": D("0.1234")}]
    for wrong in cases:
        async with customers.pool.acquire() as conn:
            with pytest.raises(Invalid):
                await paying.change_policy(conn, customers.actor, PayingPolicyChange(**wrong))


async def test_who_owes_begins_nothing_until_it_is_settled(customers: Customers) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await customers.pays_with("invoice", driver_id=driver_id)
    assert (await customers.asks("CARD-1"))[0] == "accepted"
    await customers.pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values (gen_random_uuid(), $1, $2, 'EUR', 12, 'declined', now())",
        customers.party_id,
        f"driver:{driver_id}",
    )
    assert (await customers.asks("CARD-1"))[0] == "no_credit"
    # Of what is too small to be paid by card nobody can get rid.
    await customers.pool.execute("update payment_debt set reason = 'amount_too_small', amount = 0.2")
    assert (await customers.asks("CARD-1"))[0] == "accepted"
    await customers.pool.execute("update payment_debt set reason = 'declined'")
    assert (await customers.asks("CARD-1"))[0] == "no_credit"
    await customers.pool.execute("update payment_debt set settled_at = now(), settled_how = 'forgiven'")
    assert (await customers.asks("CARD-1"))[0] == "accepted"


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_what_a_terminal_settled_is_on_its_way_and_owed_no_more(
    customers: Customers, is_told_first: bool
) -> None:
    async with customers.pool.acquire() as conn, conn.transaction():
        await paying.change_policy(conn, customers.actor, PayingPolicyChange(least_credit=D(2)))
    session_id = await customers.session(
        wh=20_000, token_uid="PSP-REF", token_type="DirectPayment", transaction_id="T1"
    )
    if not is_told_first:
        await customers.settles(session_id)
        await customers.pays()
        assert (await customers.balances())["receivable:nobody"] == 10
    await customers.pool.execute(
        "insert into settlement (party_id, station_id, psp_ref, transaction_id, status, amount, settled_at)"
        " values ($1, $2, 'PSP-REF', 'T1', 'settled', 10, $3)",
        customers.party_id,
        customers.station_id,
        AT + timedelta(hours=1),
    )
    told = {
        "station_id": customers.station_id,
        "psp_ref": "PSP-REF",
        "transaction_id": "T1",
        "status": "settled",
        "amount": "10",
    }
    for _ in range(2):
        await customers.hears("PaymentSettled", told)
    await customers.settles(session_id)
    await customers.pays()
    assert await customers.balances() == {"psp_clearing:terminal": 10, "revenue:energy": -10}
    assert await customers.faults() == []


async def test_a_token_pays_with_its_own_before_its_drivers(customers: Customers) -> None:
    company_id, driver_id = await company(customers), await customers.driver()
    token_id, plain = await customers.card("CARD-1", driver_id), await customers.card("LOOSE")
    assert (await customers.pays_with("wallet", driver_id=driver_id)).kind == "wallet"
    found = await customers.pays_with("company", token_id=token_id, company_id=company_id)
    assert (found.kind, found.source, found.name, found.driver_id) == ("company", "token", "Fleet", driver_id)
    async with customers.pool.acquire() as conn, conn.transaction():
        await paying.unset_method(conn, customers.actor, token_id=token_id)
        found = await paying.method_of(conn, customers.party_id, token_id=token_id)
        assert (found.kind, found.source, found.ref) == ("wallet", "driver", str(driver_id))
        with pytest.raises(NotFound):
            await paying.unset_method(conn, customers.actor, token_id=token_id)
    with pytest.raises(Refused, match="nobody holds"):
        await customers.pays_with("wallet", token_id=plain)
    for wrong in (
        {"kind": "card"},
        {"kind": "wallet", "partner": "DE-ABC"},
        {"kind": "company", "company_id": driver_id},
    ):
        with pytest.raises(Invalid):
            await customers.pays_with(**wrong, driver_id=driver_id)
    with pytest.raises(Invalid, match="no such stored card"):
        await customers.pays_with("card", driver_id=driver_id, method_id=driver_id)
