"""Every night: providers' statements, the books, CDRs; each difference is a row with its reason, until it is explained."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments import queries
from ohmstead.billing.payments.model import DifferenceNote, PaymentDifference
from ohmstead.billing.payments.reconciling import differences
from ohmstead.billing.payments.reconciling.service import reconcile
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.core.ids import new_id
from tests.payments.stripe_double import StripeDouble
from tests.payments.till import Clock, Till


@pytest.fixture
async def striped(till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble) -> Till:
    await till.pool.execute("update party set owns_installation = true where party_id = $1", till.party_id)
    return Till(till.business, time, stripe, double)


async def found(till: Till) -> list[PaymentDifference]:
    async with till.pool.acquire() as conn:
        return await queries.list_differences(conn, till.party_id)


async def test_fees_and_payouts_are_booked_and_everything_agrees(striped: Till, double: StripeDouble) -> None:
    till = striped
    payment = await till.charges()
    await till.works()
    await till.refunds(payment, "2.00")
    await till.works()
    double.pays_out(900)
    till.time.at += timedelta(seconds=1)
    for _ in range(2):
        n_open = await reconcile(till.pool, till.providers)
        assert [(one.kind, one.text) for one in await found(till)] == []
        assert n_open == 0
    balances = await till.balances()
    # 11.86 − 2.00 refunded − 0.41 fee − 9.00 paid out
    assert balances["psp_clearing:stripe"] == Decimal("0.45")
    assert (balances["bank"], balances["fees:stripe"]) == (Decimal(9), Decimal("0.41"))
    assert await till.business.faults() == []
    assert await found(till) == []


async def test_what_does_not_agree_is_listed_until_it_does_or_is_explained(striped: Till, double: StripeDouble) -> None:
    till = striped
    payment = await till.charges()
    await till.works()
    line = double.lines.pop()
    till.time.at += timedelta(days=3)
    assert await reconcile(till.pool, till.providers) == 1
    (missing,) = await found(till)
    assert (missing.kind, missing.payment_id) == ("missing_at_provider", payment.payment_id)
    assert (missing.expected, missing.found, missing.state) == (Decimal("11.86"), Decimal(0), "open")
    # Told once, whatever is found again.
    assert await till.facts("PaymentDifference") == ["PaymentDifferenceFound"]
    assert await reconcile(till.pool, till.providers) == 1
    assert await till.facts("PaymentDifference") == ["PaymentDifferenceFound"]
    double.lines.append({**line, "amount": 1100, "created": double.now() - 60})
    assert await reconcile(till.pool, till.providers) == 1
    other = next(one for one in await found(till) if one.state == "open")
    assert (other.kind, other.expected, other.found) == ("amount", Decimal("11.86"), Decimal("11.00"))
    assert {one.state for one in await found(till)} == {"open", "gone"}
    async with till.pool.acquire() as conn, conn.transaction():
        said = await differences.explain(
            conn, till.business.actor, other.difference_id, DifferenceNote(note="A fee was taken off")
        )
        assert (said.state, said.note) == ("explained", "A fee was taken off")
        with pytest.raises(Conflict):
            await differences.explain(conn, till.business.actor, missing.difference_id, DifferenceNote(note="x"))
        with pytest.raises(NotFound):
            await differences.explain(conn, till.business.actor, new_id(), DifferenceNote(note="x"))
    assert await reconcile(till.pool, till.providers) == 0


async def test_money_that_we_know_nothing_of_is_the_installations_to_explain(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    double._line("charge", 500, 0, "eur", {"id": "ch_x", "object": "charge", "payment_intent": "pi_elsewhere"})
    till.time.at += timedelta(seconds=1)
    assert await reconcile(till.pool, till.providers) == 1
    (one,) = await found(till)
    assert (one.kind, one.found) == ("unknown_at_ours", Decimal(5))


async def test_a_cdr_that_nobody_covers_is_found(striped: Till) -> None:
    till = striped
    payment = await till.charges(wh=80_000)
    await till.works()
    till.time.at += timedelta(seconds=1)
    assert await reconcile(till.pool, till.providers) == 0
    await till.pool.execute("delete from payment_debt")
    assert await reconcile(till.pool, till.providers) == 1
    (one,) = await found(till)
    assert (one.kind, one.payment_id, one.expected, one.found) == (
        "uncovered",
        payment.payment_id,
        Decimal("47.43"),
        Decimal("40.00"),
    )


async def test_ledger_verify_finds_a_payment_that_the_books_do_not_know(till: Till) -> None:
    payment = await till.charges()
    await till.works()
    assert await till.business.faults() == []
    await till.pool.execute("update payment set refunded = 1 where payment_id = $1", payment.payment_id)
    (fault,) = await till.business.faults()
    assert fault == f"payment {payment.payment_id} has 10.86 EUR, and the books 1186 minor units"


async def test_a_line_that_came_before_its_payment_was_told_of_is_its_line_once_it_is(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    method = await till.stores(new_id())
    double.lose.append("/v1/payment_intents")
    await till.takes(method)
    told, double.events = double.events, []
    till.time.at += timedelta(seconds=1)
    await reconcile(till.pool, till.providers)
    assert [one.kind for one in await found(till) if one.state == "open"][:1] == ["unknown_at_ours"]
    double.events = told
    await till.works()
    till.time.at += timedelta(seconds=1)
    assert await reconcile(till.pool, till.providers) == 0
    assert await till.business.faults() == []
