"""A guest's session ends with what is held of their card; what it costs to ask is nothing where nothing is set up."""

from decimal import Decimal
from uuid import UUID

from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from tests.paying.customers import Customers


async def paid_by_a_guest(customers: Customers, uid: str, amount: str) -> UUID:
    payment_id = new_id()
    await customers.pool.execute(
        "insert into payment (payment_id, party_id, provider, purpose, customer, state, is_hold, currency, amount, token_uid,"
        " created_at) values ($1, $2, 'sandbox', 'session', 'payment:' || $1::uuid, 'held', true, 'EUR', $3, $4, now())",
        payment_id,
        customers.party_id,
        Decimal(amount),
        uid,
    )
    return payment_id


async def test_a_guest_charges_up_to_what_is_held_and_owes_it_themselves(customers: Customers) -> None:
    payment_id = await paid_by_a_guest(customers, "G-ONE", "40")
    await customers.card("G-ONE", type="DirectPayment")
    await customers.pays_with("free", token_id=await customers.card("STAFF"))
    assert (await customers.asks("G-ONE"))[0] == "accepted"
    session_id = await customers.begins("G-ONE")
    (limit,) = await customers.limits([session_id])
    assert limit is not None
    assert (limit.limit, limit.warn_at) == (Money(Decimal(40), "EUR"), Money(Decimal("32.00"), "EUR"))
    (cover,) = await customers.pool.fetch("select kind, ref from session_cover")
    assert tuple(cover) == ("ad_hoc", str(payment_id))
    await customers.ends(session_id, wh=10_000)
    assert [cdr.customer for cdr in await customers.cdrs()] == [f"payment:{payment_id}"]


async def test_where_nothing_is_set_up_nothing_is_asked_or_kept(customers: Customers) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    assert await customers.asks("CARD-1") == ("accepted", None)
    session_id = await customers.begins("CARD-1")
    assert await customers.limits([session_id]) == [None]
    await customers.ends(session_id, wh=10_000)
    assert [cdr.customer for cdr in await customers.cdrs()] == [f"driver:{driver_id}"]
    for table in ("session_cover", "cover_hold", "paying_policy"):
        assert await customers.pool.fetchval(f"select count(*) from {table}") == 0
