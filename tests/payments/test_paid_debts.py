"""What somebody paid for a debt goes back to them by itself when it was not due after all."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.billing.cdrs.model import ReduceOrder
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import DebtForgiveness, Payment
from ohmstead.billing.payments.reconciling import service as reconciling
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.errors import Conflict
from tests.payments.test_refunds import billed_to_a_card, standing
from tests.payments.till import Till

D = Decimal
DIFFERENCES = "select kind, expected, found, text from payment_difference"


async def owing(till: Till) -> Payment:
    """A guest's session of 11.86, of which nothing could be taken."""
    payment = await till.charges("capture_refused")
    await till.works()
    assert [debt.amount for debt in await till.debts()] == [D("11.86")]
    return await till.payment(payment.payment_id)


async def pays_debt(till: Till, payment: Payment, amount: str = "11.86", card: str = "good") -> Payment:
    order = await till.orders("debt", payment.customer, amount, session_id=payment.session_id)
    return await till.checks_out(order, card)


async def reduces(till: Till, amount: str | None = None) -> None:
    cdr = await standing(till)
    assert cdr is not None
    await till.business.reduces(cdr.cdr_id, amount)


async def settled(till: Till, *payments: tuple[Payment, str]) -> None:
    """All is told twice and done; each payment kept so much, nothing is owed, and the books are right."""
    for _ in range(2):
        await till.hears_of_bills()
        await till.works()
    for payment, kept in payments:
        assert (await till.payment(payment.payment_id)).kept == D(kept)
    assert await till.debts() == []
    assert not [code for code in await till.balances() if code.startswith("receivable")]
    await till.is_right()


async def test_a_debt_that_was_paid_goes_back_as_the_bill_is_reduced(anywhere: Till) -> None:
    till = anywhere
    first = await owing(till)
    payer = await pays_debt(till, first)
    await settled(till, (first, "0"), (payer, "11.86"))
    await reduces(till, "2.00")
    await settled(till, (first, "0"), (payer, "9.86"))
    await reduces(till, "3.86")
    await settled(till, (first, "0"), (payer, "6.00"))
    await reduces(till)
    await settled(till, (first, "0"), (payer, "0"))
    assert await till.balances() == {}
    assert [(one.amount, one.returned, one.settled_how) for one in await till.debts(is_open=None)] == [
        (D("11.86"), D("11.86"), "paid")
    ]


async def test_it_goes_back_without_the_outbox_being_read(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first)
    await reduces(till, "2.00")
    await till.works()
    assert (await till.payment(payer.payment_id)).refunded == D("2.00")


async def test_late_news_and_credits_give_it_back_as_well(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first)
    assert first.session_id is not None
    await till.business.becomes(first.session_id, 10_000)
    await till.business.settles(first.session_id)
    await settled(till, (first, "0"), (payer, "5.93"))
    till.time.passes(seconds=1)
    await reconciling.reconcile(till.pool, till.providers)
    assert [dict(row) for row in await till.pool.fetch(DIFFERENCES)] == []
    cdr = await standing(till)
    assert cdr is not None
    await till.business.credits(cdr.cdr_id)
    await settled(till, (first, "0"), (payer, "0"))


async def test_of_a_session_that_a_hold_paid_in_part_the_hold_gives_back_first(till: Till) -> None:
    first = await till.holds()
    await till.ends(await till.plugs_in(first), 100_000)
    await till.works()
    first = await till.payment(first.payment_id)
    (debt,) = await till.debts()
    payer = await pays_debt(till, first, str(debt.amount))
    await settled(till, (first, str(first.captured)), (payer, str(debt.amount)))
    await reduces(till, "1.00")
    await settled(till, (first, str(first.captured - 1)), (payer, str(debt.amount)))
    await reduces(till, str(first.captured))
    await settled(till, (first, "0"), (payer, str(debt.amount - 1)))


async def test_what_is_due_after_all_is_owed_again(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first)
    assert first.session_id is not None
    for wh, owed in ((10_000, None), (30_000, D("11.86"))):
        await till.business.becomes(first.session_id, wh)
        await till.business.settles(first.session_id)
        await till.hears_of_bills()
        await till.works()
        assert [debt.amount for debt in await till.debts()] == ([owed] if owed else [])
    second = await pays_debt(till, first)
    await settled(till, (first, "0"), (payer, "5.93"), (second, "11.86"))
    # What was paid last goes back first.
    await reduces(till, "12.00")
    await settled(till, (first, "0"), (payer, "5.79"), (second, "0"))


async def test_what_a_person_gave_back_before_is_not_given_back_twice(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first)
    await till.gives_back(payer.payment_id, "2.00")
    await till.works()
    await reduces(till, "2.00")
    await settled(till, (first, "0"), (payer, "9.86"))
    await reduces(till, "1.00")
    await settled(till, (first, "0"), (payer, "8.86"))
    await till.gives_back(payer.payment_id)
    await till.works()
    await reduces(till)
    await settled(till, (payer, "0"))


async def test_a_refund_of_it_that_the_provider_refuses_is_given_by_a_person_and_once(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first, card="refund_refused")
    await reduces(till, "2.00")
    await till.works()
    assert (await till.payment(payer.payment_id)).refunded == 0
    (row,) = await till.pool.fetch("select kind, payment_id, expected from payment_difference")
    assert (row["kind"], row["payment_id"], row["expected"]) == ("operation", payer.payment_id, 2)
    await till.pool.execute("update sandbox_object set content = jsonb_set(content, '{card}', '\"good\"')")
    await till.gives_back(payer.payment_id, "2.00")
    await settled(till, (first, "0"), (payer, "9.86"))


async def test_one_payment_for_two_debts_gives_back_of_each(till: Till) -> None:
    session_id, first = await billed_to_a_card(till, "proof")
    other = await till.business.session(token_uid="CARD")
    await till.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source) values ($1, $2, 'card', $3, 'driver')",
        other,
        till.party_id,
        str(first.method_id),
    )
    await till.business.settles(other)
    await till.charges_cards()
    await till.works()
    assert [debt.amount for debt in await till.debts()] == [D("11.86"), D("11.86")]
    order = await till.orders("debt", first.customer, "23.72")
    payer = await till.checks_out(order)
    await settled(till, (payer, "23.72"))
    by_session = {cdr.session_id: cdr.cdr_id for cdr in await till.business.cdrs()}
    await till.business.reduces(by_session[session_id], "1.00")
    await till.business.reduces(by_session[other], "2.00")
    await settled(till, (payer, "20.72"))
    await till.business.credits(await latest(till, session_id))
    await settled(till, (payer, "9.86"))


async def latest(till: Till, session_id: UUID) -> UUID:
    return [cdr.cdr_id for cdr in await till.business.cdrs() if cdr.session_id == session_id and cdr.kind == "charge"][
        -1
    ]


async def test_a_chargeback_of_what_paid_a_debt_is_owed_as_far_as_that_is_due(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first, card="disputed")
    for _ in range(2):
        till.time.passes(seconds=6)
        await till.works()
    assert [(debt.amount, debt.payment_id) for debt in await till.debts()] == [(D("11.86"), payer.payment_id)]
    await reduces(till, "2.00")
    await till.hears_of_bills()
    await till.works()
    assert [debt.amount for debt in await till.debts()] == [D("9.86")]
    second = await pays_debt(till, first, "9.86")
    assert await till.debts() == []
    await reduces(till)
    await till.hears_of_bills()
    await till.works()
    assert [(await till.payment(one.payment_id)).kept for one in (first, payer, second)] == [0, 0, 0]
    assert await till.debts() == []
    assert await till.balances() == {}
    await till.is_right()


async def test_a_preview_says_that_it_goes_back(till: Till) -> None:
    first = await owing(till)
    payer = await pays_debt(till, first)
    (cdr,) = await till.business.cdrs()
    async with till.pool.acquire() as conn:
        seen = await refunds.preview(conn, till.business.actor, cdr.cdr_id, ReduceOrder(reason="x", amount=D("2.50")))
    assert [(one.payment_id, one.amount) for one in seen.payments] == [(payer.payment_id, D("2.50"))]
    assert (seen.debt, seen.rest, seen.wallet) == (0, 0, 0)
    await settled(till, (payer, "11.86"))


async def test_forgiven_money_is_nobodys_to_get(till: Till) -> None:
    first = await owing(till)
    (debt,) = await till.debts()
    payer = await pays_debt(till, first, "5.00")
    (rest,) = await till.debts()
    async with till.pool.acquire() as conn, conn.transaction():
        await service.forgive_debt(conn, till.business.actor, rest.debt_id, DebtForgiveness(reason="x"))
    assert debt.amount == D("11.86")
    await reduces(till)
    await till.hears_of_bills()
    await till.works()
    assert (await till.payment(payer.payment_id)).kept == 0
    with pytest.raises(Conflict):
        await till.gives_back(payer.payment_id)
    assert await till.balances() == {}
    await till.is_right()
