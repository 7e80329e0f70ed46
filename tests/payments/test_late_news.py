"""A session that a stored card paid is billed otherwise later: the card gets the difference, or gives it, once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.invoices import queries as read
from ohmstead.billing.invoices import sellers
from ohmstead.billing.invoices import service as documents
from ohmstead.billing.paying import settling
from ohmstead.billing.payments import applying, service
from ohmstead.billing.payments.deciding import ZERO, Charge, share_out
from ohmstead.billing.payments.model import Payment, State
from ohmstead.billing.payments.ports import PaymentProvider, Providers
from ohmstead.billing.payments.runner import Runner
from ohmstead.core.db import Pool
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.stations.commands import CommandDesk
from tests.billing.network import Business, per_kwh
from tests.invoices.office import SELLER
from tests.payments.fragile import FragilePool, FragileProvider, Fuse, Killed
from tests.payments.test_refunds import billed_to_a_card
from tests.payments.till import Clock, Till

D = Decimal
# All steps at which it may die are too many for one test.
PARTS = 4


async def comes_to(till: Till, session_id: UUID, wh: int) -> None:
    """Late news: it delivered something else. All is told twice, and done."""
    await till.business.becomes(session_id, wh)
    await till.business.settles(session_id)
    await hears(till)


async def hears(till: Till) -> None:
    """All facts about the party's CDRs, twice, and all that comes of them."""
    for _ in range(2):
        await hears_of_bills(till, till.pool)
        await till.works()


async def hears_of_bills(till: Till, pool: Pool) -> None:
    rows = await till.pool.fetch(
        "select kind, subject, payload, party_id from outbox where kind in ('CdrCreated', 'CdrCredited')"
        " and party_id = $1 order by event_id",
        till.party_id,
    )
    told = [Event(**dict(row)) for row in rows]
    for consumer in (settling.notice_cdrs, service.notice_cdrs):
        async with pool.acquire() as conn, conn.transaction():
            await consumer(conn, told)


async def charges(till: Till) -> list[Payment]:
    """The oldest first."""
    rows = await till.pool.fetch(
        "select payment_id from payment where purpose = 'session' and party_id = $1 order by payment_id", till.party_id
    )
    return [await till.payment(row["payment_id"]) for row in rows]


async def paid_exactly(till: Till, total: str, *, n_charges: int) -> None:
    """The card paid what its session comes to, nothing is owed, and books and provider say so."""
    found = await charges(till)
    assert len(found) == n_charges
    assert sum((one.kept for one in found), ZERO) == D(total)
    assert await till.debts() == []
    assert (await till.balances()).get(f"receivable:{found[0].customer}", ZERO) == 0
    assert await till.business.faults() == []


async def test_late_news_that_lower_the_price_give_back_the_difference(anywhere: Till) -> None:
    till = anywhere
    session_id, payment = await billed_to_a_card(till)
    await comes_to(till, session_id, 10_000)
    await paid_exactly(till, "5.93", n_charges=1)
    payment = await till.payment(payment.payment_id)
    assert (payment.captured, payment.refunded) == (D("11.86"), D("5.93"))
    assert payment.cdr_id == (await till.business.cdrs())[-1].cdr_id
    assert await till.facts("PaymentRefunded") == ["PaymentRefunded"]
    await till.is_right()


async def test_late_news_that_raise_the_price_take_the_difference_once(anywhere: Till) -> None:
    till = anywhere
    session_id, payment = await billed_to_a_card(till)
    await comes_to(till, session_id, 30_000)
    await paid_exactly(till, "17.79", n_charges=2)
    first, second = await charges(till)
    assert (first.payment_id, first.captured, first.refunded) == (payment.payment_id, D("11.86"), 0)
    assert (second.captured, second.customer, second.method_id) == (D("5.93"), first.customer, first.method_id)
    assert {first.cdr_id, second.cdr_id} == {(await till.business.cdrs())[-1].cdr_id}
    assert await till.facts("PaymentRefunded") == []
    await till.is_right()


async def test_up_and_down_and_up_again_it_is_always_what_the_session_comes_to(anywhere: Till) -> None:
    till = anywhere
    session_id, _ = await billed_to_a_card(till)
    await comes_to(till, session_id, 30_000)
    await comes_to(till, session_id, 15_000)
    await paid_exactly(till, "8.89", n_charges=2)
    await comes_to(till, session_id, 40_000)
    await paid_exactly(till, "23.72", n_charges=3)
    assert [one.captured for one in await charges(till)] == [D("11.86"), D("5.93"), D("14.83")]
    await comes_to(till, session_id, 40_000)
    await paid_exactly(till, "23.72", n_charges=3)
    await comes_to(till, session_id, 2_000)
    await paid_exactly(till, "1.19", n_charges=3)
    await till.is_right()


async def test_what_is_credited_and_billed_again_alike_moves_nothing(till: Till) -> None:
    await billed_to_a_card(till)
    (cdr,) = await till.business.cdrs()
    await till.business.credits(cdr.cdr_id, again=True)
    await hears(till)
    await paid_exactly(till, "11.86", n_charges=1)
    assert await till.facts("Payment") == ["PaymentCaptured"]


async def test_what_is_billed_after_all_is_charged_anew_once_it_went_back(till: Till) -> None:
    session_id, _ = await billed_to_a_card(till)
    (cdr,) = await till.business.cdrs()
    await till.business.credits(cdr.cdr_id)
    await hears(till)
    await paid_exactly(till, "0", n_charges=1)
    await till.business.decides(session_id, "bill")
    await hears(till)
    await paid_exactly(till, "11.86", n_charges=2)


async def issues(till: Till) -> list[tuple[str, Decimal, Decimal]]:
    """What documents say once all is told that was: (kind, total, paid)."""
    for kinds, consumer in (
        (("CdrCredited",), documents.notice_credited),
        (("CdrCreated",), documents.notice_created),
        (("PaymentCaptured", "DebtOpened"), documents.notice_captured),
    ):
        rows = await till.pool.fetch(
            "select kind, subject, payload, party_id from outbox where kind = any ($1) order by event_id", list(kinds)
        )
        async with till.pool.acquire() as conn, conn.transaction():
            await consumer(conn, [Event(**dict(row)) for row in rows])
    async with till.pool.acquire() as conn:
        rows = await read.list_invoices(conn, till.party_id, read.InvoiceFilter(), limit=100)
        found = [await read.get_invoice(conn, till.party_id, row.invoice_id) for row in rows[::-1]]
    return [(one.kind, one.total, one.content.totals.paid) for one in found]


async def test_receipts_say_what_the_card_paid_in_all(till: Till) -> None:
    async with till.pool.acquire() as conn, conn.transaction():
        await sellers.set_seller(conn, till.business.actor, SELLER)
    session_id, _ = await billed_to_a_card(till)
    said = [("receipt", D("11.86"), D("11.86"))]
    assert await issues(till) == said
    # More: told before the card is charged, it waits for that.
    await till.business.becomes(session_id, 30_000)
    await till.business.settles(session_id)
    said += [("credit_note", D("-11.86"), D(0))]
    assert [one[:2] for one in await issues(till)] == [one[:2] for one in said]
    await hears(till)
    said += [("receipt", D("17.79"), D("17.79"))]
    # Less: told before the difference is back, it is not told as paid.
    await issues(till)
    await till.business.becomes(session_id, 10_000)
    await till.business.settles(session_id)
    said += [("credit_note", D("-17.79"), D(0)), ("receipt", D("5.93"), D("5.93"))]
    found = await issues(till)
    assert [one[:2] for one in found] == [one[:2] for one in said]
    assert [one for one in found if one[0] == "receipt"] == [one for one in said if one[0] == "receipt"]
    await hears(till)
    assert await issues(till) == found
    await paid_exactly(till, "5.93", n_charges=2)


async def test_a_difference_that_is_owed_stands_open_on_the_receipt(till: Till) -> None:
    async with till.pool.acquire() as conn, conn.transaction():
        await sellers.set_seller(conn, till.business.actor, SELLER)
    session_id, _ = await billed_to_a_card(till)
    await issues(till)
    await becomes_a_card(till, "proof")
    await comes_to(till, session_id, 30_000)
    assert (await issues(till))[-1] == ("receipt", D("17.79"), D("11.86"))
    assert await till.business.faults() == []


async def becomes_a_card(till: Till, card: str) -> None:
    """The bank thinks otherwise of it now."""
    await till.pool.execute(
        "update sandbox_object set content = jsonb_set(content, '{card}', to_jsonb($1::text)) where kind = 'method'",
        card,
    )


async def test_a_difference_that_the_bank_refuses_is_owed_and_grows_without_another_charge(till: Till) -> None:
    session_id, _ = await billed_to_a_card(till)
    await becomes_a_card(till, "proof")
    await comes_to(till, session_id, 30_000)
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(D("5.93"), "authentication_required")]
    await comes_to(till, session_id, 40_000)
    assert [debt.amount for debt in await till.debts()] == [D("11.86")]
    assert len(await charges(till)) == 2
    await comes_to(till, session_id, 10_000)
    await paid_exactly(till, "5.93", n_charges=2)


async def test_a_difference_that_the_bank_refuses_for_now_is_asked_for_on_another_day(till: Till) -> None:
    session_id, _ = await billed_to_a_card(till)
    await becomes_a_card(till, "poor_later")
    await comes_to(till, session_id, 30_000)
    assert await till.debts() == []
    await becomes_a_card(till, "good")
    till.time.passes(hours=2)
    await hears(till)
    await paid_exactly(till, "17.79", n_charges=2)


async def test_a_difference_is_owed_where_the_card_was_removed(till: Till) -> None:
    session_id, payment = await billed_to_a_card(till)
    assert payment.method_id is not None
    driver_id = UUID(payment.customer.removeprefix("driver:"))
    await service.forget_method(till.pool, till.providers, till.party_id, driver_id, payment.method_id)
    await comes_to(till, session_id, 10_000)
    await paid_exactly(till, "5.93", n_charges=1)
    await comes_to(till, session_id, 30_000)
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(D("11.86"), "method_removed")]
    assert await till.business.faults() == []


async def test_a_chargeback_is_owed_and_not_charged_to_the_card_again(till: Till) -> None:
    session_id, payment = await billed_to_a_card(till, "disputed")
    for _ in range(2):
        till.time.passes(seconds=6)
        await till.works()
    assert (await till.payment(payment.payment_id)).disputed == D("11.86")
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(D("11.86"), "disputed")]
    await becomes_a_card(till, "good")
    await comes_to(till, session_id, 30_000)
    assert [one.captured for one in await charges(till)] == [D("11.86"), D("5.93")]
    assert [debt.amount for debt in await till.debts()] == [D("11.86")]
    assert await till.business.faults() == []


async def test_one_of_two_charges_is_given_back_by_a_person_without_the_other(till: Till) -> None:
    session_id, _ = await billed_to_a_card(till)
    await comes_to(till, session_id, 30_000)
    _, second = await charges(till)
    await till.gives_back(second.payment_id)
    await hears(till)
    await paid_exactly(till, "11.86", n_charges=2)
    assert (await till.business.cdrs())[-1].total == D("11.86")


async def test_two_workers_who_hear_of_it_at_once_charge_once(till: Till) -> None:
    session_id, payment = await billed_to_a_card(till)
    await till.business.becomes(session_id, 30_000)
    await till.business.settles(session_id)

    async def aligns() -> None:
        async with till.pool.acquire() as conn, conn.transaction():
            await applying.align(conn, till.party_id, payment.payment_id)

    async with till.pool.acquire() as conn:
        async with conn.transaction():
            await applying.align(conn, till.party_id, payment.payment_id)
            others = [asyncio.create_task(aligns()) for _ in range(3)]
            for _ in range(500):
                if await till.pool.fetchval("select count(*) from pg_locks where not granted") >= 1:
                    break
                await asyncio.sleep(0.01)
            else:
                raise AssertionError("nobody waits")
        await asyncio.gather(*others)
    await hears(till)
    await paid_exactly(till, "17.79", n_charges=2)


class Office:
    """What bills and charges, in a process that dies at some step; what is left of it is done by another one."""

    def __init__(self, till: Till, fuse: Fuse) -> None:
        self.till = till
        self.pool = cast("Pool", FragilePool(till.pool, fuse))
        providers = Providers(cast("PaymentProvider", FragileProvider(till.sandbox, fuse)))
        self.runner = Runner(self.pool, providers, cast("CommandDesk", till.station))

    async def hears(self) -> None:
        try:
            await hears_of_bills(self.till, self.pool)
            await self.till.news()
            await self.runner.settle_down()
        except Killed:
            pass
        # Another worker, when the claims of the dead one are over.
        self.till.time.passes(seconds=95)
        await hears(self.till)


async def career(pool: Pool, time: Clock, at: int) -> tuple[int, bool]:
    """A session that is billed, then for more, then for less, with a process that dies at a step; how many there were."""
    till = await Till(await Business(pool).founded(per_kwh("0.49")), time).opens()
    fuse = Fuse(at)
    office = Office(till, fuse)
    session_id, _ = await billed_to_a_card(till, hears=office.hears)
    for wh, total in ((20_000, "11.86"), (30_000, "17.79"), (10_000, "5.93")):
        await till.business.becomes(session_id, wh)
        await till.business.settles(session_id)
        await office.hears()
        await paid_exactly(till, total, n_charges=1 if wh == 20_000 else 2)
    paid = [await till.sandbox.fetch(ref) for ref in await refs(till)]
    assert [(one.captured, one.refunded) for one in paid] == [(D("11.86"), D("5.93")), (D("5.93"), D("5.93"))], at
    assert await till.pool.fetchval("select count(*) from payment_operation where state = 'waiting'") == 0, at
    return fuse.n, fuse.is_burnt


async def refs(till: Till) -> list[str]:
    rows = await till.pool.fetch(
        "select provider_ref from payment where party_id = $1 order by payment_id", till.party_id
    )
    return [str(row["provider_ref"]) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
async def test_killed_at_any_step_the_difference_is_taken_once_and_given_back_once(
    db: Pool, time: Clock, part: int
) -> None:
    n_steps, _ = await career(db, time, 0)
    assert n_steps > 15
    for at in range(1 + part, n_steps + 1, PARTS):
        _, is_burnt = await career(db, time, at)
        assert is_burnt, at


# ------------------------------------------------------------------------------------------------------------ pure

CENTS = st.integers(1, 5000).map(lambda n: D(n) / 100)
STATES = st.sampled_from(["created", "authorizing", "captured", "releasing", "released", "failed"])


@st.composite
def some_charges(draw: st.DrawFn) -> list[Charge]:
    found = []
    for _ in range(draw(st.integers(0, 5))):
        state: State = draw(STATES)
        amount = draw(CENTS)
        captured = amount if state == "captured" else ZERO
        corrected = min(draw(CENTS), captured)
        let_go = draw(st.booleans())
        found.append(
            Charge(
                payment_id=new_id(),
                state=state,
                amount=amount,
                captured=captured,
                corrected=corrected,
                is_let_go=let_go,
            )
        )
    return found


@given(CENTS, some_charges())
def test_what_is_due_is_covered_or_charged_and_nobody_covers_more_than_they_can(
    due: Decimal, found: list[Charge]
) -> None:
    shares, rest = share_out(due, found)
    assert sum(shares, ZERO) + rest == due
    assert min([*shares, rest]) >= 0
    refused = [one for one in found if one.is_refused]
    for one, share in zip(found, shares, strict=True):
        assert share <= one.most or one is refused[-1]
    assert not (rest and refused), "who was refused is not asked for more"
    good = [share == one.most for one, share in zip(found, shares, strict=True) if not one.is_refused]
    if rest or any(share for one, share in zip(found, shares, strict=True) if one.is_refused):
        assert all(good), "nobody is asked while another one still covers something"


@given(CENTS, some_charges())
def test_once_the_rest_is_charged_nothing_more_is(due: Decimal, found: list[Charge]) -> None:
    _, rest = share_out(due, found)
    if rest:
        more = [*found, Charge(payment_id=new_id(), state="created", amount=rest)]
        assert share_out(due, more)[1] == 0
