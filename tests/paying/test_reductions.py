"""What is taken off a bill goes back to whoever paid it, and plans' energy stays where it was used."""

from decimal import Decimal

import pytest

from ohmstead.billing.cdrs.model import ReduceOrder
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.errors import Conflict, NotFound, Refused
from ohmstead.core.ids import new_id
from tests.paying.customers import Customers, untaxed
from tests.paying.test_plans import Watch, fees, offered, subscribed, watch
from tests.paying.test_wallets import figures, prepaid

__all__ = ["watch"]
D = Decimal


async def test_what_a_wallet_paid_goes_back_into_it(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=20_000)
    assert await figures(customers, driver_id) == ("40.00", "0.00", "0.00", "40.00")
    (cdr,) = await customers.cdrs()
    order = ReduceOrder(reason="x", amount=D("2.50"))
    async with customers.pool.acquire() as conn:
        seen = await refunds.preview(conn, customers.actor, cdr.cdr_id, order)
    assert (seen.before, seen.after, seen.wallet, seen.payments, seen.rest) == (D("10.00"), D("7.50"), D("2.50"), [], 0)
    assert len(await customers.cdrs()) == 1
    await customers.reduces(cdr.cdr_id, "2.50")
    await customers.reduces((await customers.cdrs())[-1].cdr_id, "1.00")
    for _ in range(2):
        await customers.pays()
    assert await figures(customers, driver_id) == ("43.50", "0.00", "0.00", "43.50")
    assert f"receivable:driver:{driver_id}" not in await customers.balances()
    assert await customers.faults() == []
    made = await customers.reduces((await customers.cdrs())[-1].cdr_id)
    assert made.replacement is None
    await customers.pays()
    assert await figures(customers, driver_id) == ("50.00", "0.00", "0.00", "50.00")
    assert await customers.balances() == {"psp_clearing:sandbox": 50, f"wallet:driver:{driver_id}": -50}
    assert await customers.faults() == []


async def test_what_a_wallet_could_not_pay_is_less_to_pay(customers: Customers) -> None:
    driver_id = await prepaid(customers, "6")
    await customers.ends(await customers.begins("CARD-1"), wh=20_000)
    assert await figures(customers, driver_id) == ("0.00", "0.00", "4.00", "0.00")
    (cdr,) = await customers.cdrs()
    await customers.reduces(cdr.cdr_id, "3")
    await customers.pays()
    assert await figures(customers, driver_id) == ("0.00", "0.00", "1.00", "0.00")
    assert await customers.faults() == []


async def test_a_plans_energy_stays_used_and_is_given_back_with_the_whole(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await subscribed(customers, driver_id, await offered(customers))  # 15 of 31 kWh are left of March
    session_id = await customers.begins("CARD-1", watch.at)
    await customers.ends(session_id, wh=25_000)
    (cdr,) = await customers.cdrs()
    assert cdr.total == D("5.00")
    made = await customers.reduces(cdr.cdr_id, "1.25")
    assert made.replacement is not None
    assert [line.rule for line in made.replacement.cost.lines[1:]] == [
        "Included in the plan Plus: 15 kWh",
        "Reduced: The charger was slow",
    ]
    assert (await fees(customers))[0][3] == "15"
    await customers.settles(session_id)
    assert len(await customers.cdrs()) == 3, "reckoned anew it comes to the same"
    await customers.reduces(made.replacement.cdr_id)
    assert (await fees(customers))[0][3] == "0"
    assert await customers.faults() == []


async def test_a_reduction_stays_when_it_is_billed_anew_and_ends_with_the_bill(customers: Customers) -> None:
    session_id = await customers.session()
    await customers.settles(session_id)
    (cdr,) = await customers.cdrs()
    made = await customers.reduces(cdr.cdr_id, "4")
    assert made.replacement is not None
    again = await customers.credits(made.replacement.cdr_id, again=True)
    assert again.replacement is not None
    assert again.replacement.total == D("6.00")
    await customers.reduces(again.replacement.cdr_id)
    assert await customers.unbillable() == {session_id: ("credited", "never")}
    decided = await customers.decides(session_id, "bill")
    assert decided.cdr is not None
    assert decided.cdr.total == D("10.00"), "what was taken off is over with what it was taken off of"
    assert await customers.faults() == []


async def test_what_cannot_be_reduced_says_why(customers: Customers) -> None:
    session_id = await customers.session()
    await customers.settles(session_id)
    (cdr,) = await customers.cdrs()
    made = await customers.reduces(cdr.cdr_id, "4")
    with pytest.raises(Conflict):
        await customers.reduces(cdr.cdr_id, "1")
    with pytest.raises(Refused):
        await customers.reduces(made.credit.cdr_id, "1")
    with pytest.raises(NotFound):
        await customers.reduces(new_id(), "1")
    other = await Customers(customers.pool).founded(untaxed("0.50"))
    assert made.replacement is not None
    with pytest.raises(NotFound):
        await other.reduces(made.replacement.cdr_id, "1")
    assert len(await customers.cdrs()) == 3
