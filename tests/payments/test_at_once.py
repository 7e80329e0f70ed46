"""Two who work at the same payment or debt at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

from ohmstead.billing.payments import applying, queries, service, store
from ohmstead.billing.payments.debts import service as debts
from ohmstead.billing.payments.methods import store as methods
from ohmstead.billing.payments.model import DebtForgiveness, NewAdHoc
from ohmstead.core.db import Connection, Pool
from ohmstead.core.ids import new_id
from tests.payments.till import RETURN_URL, Till


class Crowded:
    """The database, where another worker looks around right after each of our commits."""

    def __init__(self, pool: Any, other: Callable[[], Awaitable[object]]) -> None:
        self._pool, self._other = pool, other

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as conn:
            yield _Conn(conn, self._other)


class _Conn:
    def __init__(self, conn: Any, other: Callable[[], Awaitable[object]]) -> None:
        self._conn, self._other = conn, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._conn.transaction():
            yield
        await self._other()


async def test_a_guest_is_led_to_the_page_though_a_worker_looks_around_at_the_worst_moment(till: Till) -> None:
    crowded = cast("Pool", Crowded(till.pool, till.runner.settle_down))
    given = NewAdHoc(party_id=till.party_id, station_id=till.business.station_id, evse_number=1, return_url=RETURN_URL)
    begun = await service.begin_ad_hoc(crowded, till.providers, given)
    await till.pays(begun.url)
    await till.works()
    assert (await till.payment(begun.payment_id)).state == "held"

    order = await till.orders("top_up", f"driver:{new_id()}", "25.00")
    page = await service.checkout(crowded, till.providers, till.party_id, order.payment_id, RETURN_URL)
    await till.pays(page.url)
    await till.works()
    assert (await till.payment(order.payment_id)).state == "captured"


async def _waits_for_a_lock(till: Till) -> None:
    for _ in range(200):
        if await till.pool.fetchval("select exists (select from pg_locks where not granted)"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_debt_that_is_settled_while_its_cdr_is_looked_at_is_not_opened_again(till: Till) -> None:
    payment = await till.charges("capture_refused")
    await till.works()
    (debt,) = await till.debts()

    async def aligns() -> None:
        async with till.pool.acquire() as conn, conn.transaction():
            await applying.align(conn, till.party_id, payment.payment_id)

    async with till.pool.acquire() as conn:
        async with conn.transaction():
            given = DebtForgiveness(reason="The cable was broken")
            await service.forgive_debt(conn, till.business.actor, debt.debt_id, given)
            other = asyncio.create_task(aligns())
            await _waits_for_a_lock(till)
        await other
    assert await till.debts() == []
    assert [(one.amount, one.settled_how) for one in await till.debts(is_open=None)] == [(Decimal("11.86"), "forgiven")]


async def test_a_debt_can_be_paid_in_part_while_its_own_payment_is_looked_at(till: Till) -> None:
    """Who splits a debt writes a row that names its payment, and that is locked by whoever looks at it."""
    payment = await till.charges("capture_refused")
    await till.works()
    await till.works()  # the provider has told all that it has to tell of it
    order = await till.orders("debt", payment.customer, "5.00")
    page = await service.checkout(till.pool, till.providers, till.party_id, order.payment_id, RETURN_URL)
    await till.pays(page.url)
    async with till.pool.acquire() as conn, conn.transaction():
        await applying.locked(conn, till.party_id, payment.payment_id)
        await asyncio.wait_for(till.works(), 5)
    assert [one.amount for one in await till.debts()] == [Decimal("6.86")]
    await till.is_right()


# --------------------------------------------------------------------------------- whatever is asked for a million times


TABLES = (
    "payment",
    "payment_debt",
    "payment_dispute",
    "method_setup",
    "stored_method",
    "session",
    "session_cover",
    "cdr",
)


class Explaining:
    """Answers nothing, and keeps how what is asked would be looked for."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.plans: list[str] = []

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        rows = await self._conn.fetch(f"explain {sql}", *values)
        self.plans.append("\n".join(row[0] for row in rows))
        return []

    async def fetchrow(self, sql: str, *values: Any) -> None:
        await self.fetch(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> None:
        await self.fetch(sql, *values)

    async def execute(self, sql: str, *values: Any) -> None:
        await self.fetch(sql, *values)


async def test_no_look_walks_through_all_payments_there_are(till: Till) -> None:
    """They are found by what they are about: not by reading the table, nor all that a party has."""
    payment = await till.holds()
    async with till.pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, till.party_id, payment.payment_id)
        await conn.execute("set local enable_seqscan = off")
        asked = Explaining(conn)
        c, party_id, other = cast("Connection", asked), till.party_id, new_id()
        await store.find_by_refs(c, "sandbox", [str(other), "sbx_1"])
        await queries.list_of_sessions(c, party_id, [other])
        await queries.list_with_payers(c, party_id, [other])
        await store.list_charges(c, party_id, other)
        await queries.find_due(c, party_id, kept)
        await debts.sum_settled_debts(c, party_id, other)
        await debts.sum_settled_by(c, party_id, other)
        await debts.return_debts(c, party_id, other, kept.payment.amount)
        await store.sum_lost(c, party_id, other)
        await queries.list_taken_for_nothing(c, 10)
        await queries.list_debts_on(c, party_id, other)
        await methods.find_setup(c, "sandbox", [str(other), "sbs_1"])
        await methods.list_customers(c, party_id, other)
        await methods.is_owed_on(c, party_id, other, other, till.time.at)
    assert len(asked.plans) == 14
    for plan in asked.plans:
        for table in TABLES:
            assert f"Seq Scan on {table} " not in plan, plan
            assert f"using {table}_by_party" not in plan, plan
