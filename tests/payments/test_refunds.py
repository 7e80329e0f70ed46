"""What was paid for a session is given back by reducing what was billed: books, bill and card say the same, once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.billing.cdrs.model import Cdr, ReduceOrder
from ohmstead.billing.payments.model import Payment
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.ids import new_id
from tests.payments.till import Till, eur


async def charged(till: Till, card: str = "good") -> Payment:
    """A guest's session, billed and paid: 20 kWh, 9.80 and 21 %."""
    payment = await till.charges(card)
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert payment.captured == Decimal("11.86")
    return payment


async def standing(till: Till) -> Cdr | None:
    return next((one for one in await till.business.cdrs() if one.kind == "charge" and one.credited_by is None), None)


async def settled(till: Till, payment: Payment, refunded: str) -> None:
    """All is told, some of it twice; so much is back, and nothing is left open or wrong."""
    for _ in range(2):
        await till.hears_of_bills()
        await till.works()
    assert (await till.payment(payment.payment_id)).refunded == Decimal(refunded)
    assert (await till.balances()).get(f"receivable:{payment.customer}", Decimal(0)) == 0
    assert await till.debts() == []
    await till.is_right()


async def test_a_session_that_a_card_paid_is_given_back_in_part_twice_and_then_whole(anywhere: Till) -> None:
    till = anywhere
    payment = await charged(till)
    await till.gives_back(payment.payment_id, "2.00")
    cdr = await standing(till)
    assert cdr is not None
    assert (cdr.version, cdr.total, cdr.reason) == (2, Decimal("9.86"), "The charger was slow")
    assert [line.rule for line in cdr.cost.lines[1:]] == ["Reduced: The charger was slow"]
    await settled(till, payment, "2.00")
    await till.gives_back(payment.payment_id, "3.50")
    await settled(till, payment, "5.50")
    cdr = await standing(till)
    assert cdr is not None
    assert (cdr.version, cdr.total) == (3, Decimal("6.36"))
    assert (await till.payment(payment.payment_id)).cdr_id == cdr.cdr_id
    await till.gives_back(payment.payment_id)
    await settled(till, payment, "11.86")
    assert await standing(till) is None
    with pytest.raises(Conflict, match="nothing is left"):
        await till.gives_back(payment.payment_id, "0.01")
    assert await till.balances() == {}
    assert len(await till.facts("PaymentRefunded")) == 3


async def test_two_who_press_at_once_or_before_anything_is_told_give_back_what_each_said(till: Till) -> None:
    payment = await charged(till)
    await till.gives_back(payment.payment_id, "2.00")
    await till.gives_back(payment.payment_id, "2.00")
    await settled(till, payment, "4.00")
    cdr = await standing(till)
    assert cdr is not None
    with pytest.raises(Conflict) as twice:
        await till.business.reduces((await till.business.cdrs())[0].cdr_id, "2.00")
    assert twice.value.detail["code"] == "credited"
    # Taken back by a person, and given back again before that was told: still once.
    await till.business.credits(cdr.cdr_id)
    with pytest.raises(Conflict, match="nothing is left"):
        await till.gives_back(payment.payment_id)
    await settled(till, payment, "11.86")


@pytest.mark.parametrize(
    ("amount", "more"),
    [
        ("0", {}),
        ("-1", {}),
        ("NaN", {}),
        ("Infinity", {}),
        ("0.001", {}),
        ("11.87", {}),
        ("1", {"currency": "CHF"}),
    ],
)
async def test_amounts_that_cannot_be_given_back_change_nothing(till: Till, amount: str, more: dict[str, str]) -> None:
    payment = await charged(till)
    (cdr,) = await till.business.cdrs()
    with pytest.raises(Invalid):
        await till.gives_back(payment.payment_id, amount, **more)
    with pytest.raises(Invalid):
        await till.business.reduces(cdr.cdr_id, amount, **more)
    assert len(await till.business.cdrs()) == 1
    await settled(till, payment, "0")


async def test_a_refund_that_the_provider_refuses_is_asked_for_anew_and_nothing_more_is_reduced(till: Till) -> None:
    payment = await charged(till, "refund_refused")
    await till.gives_back(payment.payment_id, "2.00")
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == 0
    assert (await till.balances())[f"receivable:{payment.customer}"] == -2  # it is theirs, in the books
    (row,) = await till.pool.fetch("select kind, expected from payment_difference")
    assert (row["kind"], row["expected"]) == ("operation", 2)
    assert len(await till.business.cdrs()) == 3
    await till.gives_back(payment.payment_id, "2.00")
    assert len(await till.business.cdrs()) == 3
    asked = await till.pool.fetch(
        "select amount, state from payment_operation where kind = 'refund' order by created_at"
    )
    assert [(one["amount"], one["state"]) for one in asked] == [(2, "failed"), (2, "waiting")]
    # This time the bank takes it.
    await till.pool.execute(
        "update sandbox_object set content = jsonb_set(content, '{card}', '\"good\"') where kind = 'payment'"
    )
    await settled(till, payment, "2.00")


async def test_more_than_what_was_refused_reduces_by_the_rest(till: Till) -> None:
    payment = await charged(till, "refund_refused")
    await till.gives_back(payment.payment_id, "2.00")
    await till.works()
    await till.gives_back(payment.payment_id, "5.00")
    cdr = await standing(till)
    assert cdr is not None
    assert cdr.total == Decimal("6.86")
    await till.pool.execute(
        "update sandbox_object set content = jsonb_set(content, '{card}', '\"good\"') where kind = 'payment'"
    )
    await settled(till, payment, "5.00")


async def test_what_a_payment_left_owed_is_off_first(till: Till) -> None:
    """A session that came to more than was held."""
    payment = await till.holds()
    await till.ends(await till.plugs_in(payment), 100_000)
    await till.works()
    payment = await till.payment(payment.payment_id)
    (debt,) = await till.debts()
    owed = debt.amount
    assert payment.captured + owed == Decimal("59.29")
    await till.gives_back(payment.payment_id, str(owed))
    assert await till.debts() == []
    await settled(till, payment, "0")
    await till.gives_back(payment.payment_id, "1.00")
    await settled(till, payment, "1.00")


async def billed_to_a_card(
    till: Till, card: str = "good", hears: Callable[[], Awaitable[None]] | None = None
) -> tuple[UUID, Payment]:
    """A driver's session, as billing charges it: (session, payment). `hears`: how that comes about."""
    driver_id = new_id()
    method = await till.stores(driver_id, card)
    session_id = await till.business.session(token_uid="CARD")
    await till.pool.execute(
        "insert into driver (driver_id, party_id, name) values ($1, $2, 'Ada')", driver_id, till.party_id
    )
    await till.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, 'card', '2020-01-01Z')",
        till.party_id,
        driver_id,
    )
    await till.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source) values ($1, $2, 'card', $3, 'driver')",
        session_id,
        till.party_id,
        str(method.method_id),
    )
    await till.business.settles(session_id)
    if hears is not None:
        await hears()
    else:
        await till.charges_cards()
        await till.works()
    (payment_id,) = [
        row[0]
        for row in await till.pool.fetch(
            "select payment_id from payment where purpose = 'session' and party_id = $1", till.party_id
        )
    ]
    return session_id, await till.payment(payment_id)


async def test_a_stored_card_gets_the_difference_and_is_not_charged_again(till: Till) -> None:
    _, payment = await billed_to_a_card(till)
    assert (payment.state, payment.captured) == ("captured", Decimal("11.86"))
    for n, amount in enumerate(("1.86", "3.00"), start=2):
        cdr = await standing(till)
        assert cdr is not None
        await till.business.reduces(cdr.cdr_id, amount)
        await till.charges_cards()
        assert await till.pool.fetchval("select count(*) from payment") == 1, n
    await settled(till, payment, "4.86")
    cdr = await standing(till)
    assert cdr is not None
    await till.business.reduces(cdr.cdr_id)
    await till.charges_cards()
    await settled(till, payment, "11.86")


async def test_a_card_that_is_not_charged_yet_gives_back_what_is_too_much(till: Till) -> None:
    """Its bank said no for now: it is asked again in an hour, for what was ordered."""
    _, payment = await billed_to_a_card(till, "poor_later")
    assert payment.state == "created"
    (cdr,) = await till.business.cdrs()
    await till.business.reduces(cdr.cdr_id, "1.86")
    await till.charges_cards()
    await till.hears_of_bills()
    for pause in (timedelta(hours=2), timedelta(days=2), timedelta(days=4)):
        till.time.at += pause
        await till.works()
    assert (await till.payment(payment.payment_id)).state == "failed"
    assert [debt.amount for debt in await till.debts()] == [Decimal("10.00")]
    cdr = (await till.business.cdrs())[-1]
    await till.business.reduces(cdr.cdr_id, "4.00")
    assert [debt.amount for debt in await till.debts()] == [Decimal("6.00")]
    await till.business.reduces((await till.business.cdrs())[-1].cdr_id)
    assert await till.debts() == []
    await till.is_right()


async def test_late_news_of_a_reduced_session_keep_the_reduction(till: Till) -> None:
    payment = await charged(till)
    await till.gives_back(payment.payment_id, "2.00")
    await settled(till, payment, "2.00")
    cdr = await standing(till)
    assert cdr is not None
    await till.business.settles(cdr.session_id)
    assert await standing(till) == cdr, "the same again changes nothing"
    await till.business.becomes(cdr.session_id, 10_000)  # 5.93
    await till.business.settles(cdr.session_id)
    await settled(till, payment, "7.93")
    cdr = await standing(till)
    assert cdr is not None
    assert (cdr.total, cdr.cost.lines[-1].rule) == (Decimal("3.93"), "Reduced: The charger was slow")
    await till.business.becomes(cdr.session_id, 2_000)  # 1.19: less than what was taken off
    await till.business.settles(cdr.session_id)
    await settled(till, payment, "11.86")
    cdr = await standing(till)
    assert cdr is not None
    assert cdr.total == 0


async def test_a_preview_says_what_will_go_back_and_does_nothing(till: Till) -> None:
    payment = await charged(till)
    (cdr,) = await till.business.cdrs()
    async with till.pool.acquire() as conn:
        seen = await refunds.preview(
            conn, till.business.actor, cdr.cdr_id, ReduceOrder(reason="x", amount=Decimal("2.50"))
        )
    assert (seen.before, seen.after, seen.rest) == (Decimal("11.86"), Decimal("9.36"), 0)
    assert [(one.payment_id, one.amount) for one in seen.payments] == [(payment.payment_id, Decimal("2.50"))]
    assert len(await till.business.cdrs()) == 1
    await settled(till, payment, "0")


async def test_other_payments_are_given_back_as_they_are(till: Till) -> None:
    driver_id = new_id()
    payment = await till.checks_out(await till.orders("top_up", f"driver:{driver_id}", "25.00", key="one"))
    await till.gives_back(payment.payment_id, "5.00")
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == eur("5.00").amount
    assert await till.business.cdrs() == []
    await till.is_right()
