"""Killed between any two steps of hold, start, capture and refund, a worker that comes after it does the rest, once."""

from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import NewAdHoc, RefundOrder
from ohmstead.billing.payments.ports import PaymentProvider, Providers
from ohmstead.billing.payments.runner import Runner
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.db import Pool
from ohmstead.stations.commands import CommandDesk
from tests.billing.network import Business, per_kwh
from tests.payments.fragile import FragilePool, FragileProvider, Fuse, Killed
from tests.payments.till import RETURN_URL, Clock, Till


class Visit:
    """A guest's visit in a process that dies at some step; what is left of it is done by another one."""

    def __init__(self, till: Till, fuse: Fuse) -> None:
        self.till = till
        self.pool = cast("Pool", FragilePool(till.pool, fuse))
        self.providers = Providers(cast("PaymentProvider", FragileProvider(till.sandbox, fuse)))
        self.runner = Runner(self.pool, self.providers, cast("CommandDesk", till.station))

    async def works(self) -> None:
        try:
            await self.till.news()
            await self.runner.settle_down()
        except Killed:
            pass
        # Another worker, when the claims of the dead one are over.
        self.till.time.passes(seconds=95)
        await self.till.works()

    async def gives_back(self, payment_id: UUID, amount: str) -> None:
        """Of a person, who looks what became of it when the page did not come, and asks again if nothing did."""
        order = RefundOrder(reason="The cable was broken", amount=Decimal(amount))
        try:
            async with self.pool.acquire() as conn, conn.transaction():
                await refunds.refund(conn, self.till.business.actor, payment_id, order)
        except Killed:
            if len(await self.till.business.cdrs()) == 1:
                await self.till.gives_back(payment_id, amount)

    async def begins(self) -> Any:
        given = NewAdHoc(
            party_id=self.till.party_id, station_id=self.till.business.station_id, evse_number=1, return_url=RETURN_URL
        )
        try:
            return await service.begin_ad_hoc(self.pool, self.providers, given)
        except Killed:
            # They never saw where to pay: the outlet is free again when the time for that is over.
            self.till.time.passes(minutes=12)
            await self.till.works()
            return await self.till.guest()


async def visit(pool: Pool, time: Clock, at: int) -> tuple[int, bool]:
    """One whole visit, with a process that dies at a step; how many steps there were, and whether it died."""
    till = await Till(await Business(pool).founded(per_kwh("0.49")), time).opens()
    fuse = Fuse(at)
    one = Visit(till, fuse)
    begun = await one.begins()
    await till.pays(begun.url)
    await one.works()
    payment = await till.payment(begun.payment_id)
    assert payment.state == "held", (at, payment)
    # The order may have been sent by the dead one as well: its token begins one session all the same.
    assert 1 <= len(till.station.starts) <= 2, at
    assert {start.token_uid for start in till.station.starts} == {payment.token_uid}
    session_id = await till.plugs_in(payment)
    await till.ends(session_id)
    await one.works()
    payment = await till.payment(begun.payment_id)
    assert (payment.state, payment.captured) == ("captured", Decimal("11.86")), (at, payment)
    await one.gives_back(begun.payment_id, "2.00")
    await one.works()
    await till.hears_of_bills()
    await till.works()
    payment = await till.payment(begun.payment_id)
    assert (payment.refunded, payment.kept) == (Decimal(2), Decimal("9.86")), (at, payment)
    assert [cdr.total for cdr in await till.business.cdrs()] == [
        Decimal("11.86"),
        Decimal("-11.86"),
        Decimal("9.86"),
    ], at
    assert f"receivable:{payment.customer}" not in await till.balances(), at
    assert await till.business.faults() == [], at
    paid = await till.sandbox.fetch(await _ref(till, begun.payment_id))
    assert (paid.captured, paid.refunded) == (Decimal("11.86"), Decimal(2)), at
    assert await till.pool.fetchval("select count(*) from payment_operation where state = 'waiting'") == 0, at
    return fuse.n, fuse.is_burnt


async def _ref(till: Till, payment_id: Any) -> str:
    return str(await till.pool.fetchval("select provider_ref from payment where payment_id = $1", payment_id))


@pytest.mark.slow
async def test_killed_at_any_step_it_is_done_once_and_the_books_are_right(db: Pool, time: Clock) -> None:
    n_steps, _ = await visit(db, time, 0)
    assert n_steps > 20
    died = 0
    for at in range(1, n_steps + 1):
        _, is_burnt = await visit(db, time, at)
        died += is_burnt
    assert died == n_steps
