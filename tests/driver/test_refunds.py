"""A stranger gets something back: the page of their charge says what is left, and has the credit note."""

from decimal import Decimal

from ohmstead.accounts import access
from ohmstead.billing import verifying
from ohmstead.billing.payments.model import RefundOrder
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.events import NUDGE
from tests.driver.test_guests import a_plug, begins, pays, shows
from tests.driver.visitor import Visitor
from tests.stories.patience import until


async def test_a_stranger_who_gets_something_back_finds_a_credit_note_and_a_new_receipt(
    visitor: Visitor, another: Visitor
) -> None:
    station = await a_plug(visitor)
    charge = await pays(visitor, await begins(visitor, station, email=visitor.mailbox("guest")))
    await shows(visitor, charge, "Up to €20.00 is covered.")
    await station.delivers(wh=10_000, over="4m")
    await visitor.sends(f"{charge}/stop", expect=303)
    await shows(visitor, charge, "Receipt")
    assert "Credit note" not in (await visitor.opens(charge)).text
    network = visitor.network
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        payment_id = await conn.fetchval("select payment_id from payment where party_id = $1", network.party_id)
        order = RefundOrder(reason="The charger was slow", amount=Decimal("1.50"))
        await refunds.refund(conn, actor, payment_id, order)
    await network.house.bus.publish(NUDGE, {})

    async def is_done() -> bool:
        row = await network.pool.fetchrow("select refunded from payment where payment_id = $1", payment_id)
        n = await network.pool.fetchval("select count(*) from invoice where party_id = $1", network.party_id)
        return bool(row["refunded"] == Decimal("1.50") and n == 3)

    await until(is_done, "the money is back, with a credit note and a new receipt", patience_s=30)
    page = await visitor.opens(charge)
    assert "Reduced: The charger was slow" in page.text
    paths = [one.attributes["href"] for one in page.all("a") if one.attributes["href"].startswith("/documents/")]
    receipt, note = [await another.opens(path) for path in paths]
    assert "4.50" in receipt.text
    assert "The charger was slow" in note.text
    async with network.pool.acquire() as conn:
        assert (await verifying.verify(conn, network.party_id)).faults == []
