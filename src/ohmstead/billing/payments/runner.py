"""The worker's part of payments: what waits is done, what providers told is taken in, time passes.

At least once, each with its key: whatever a worker was at when it died, another takes up when the claim is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from ohmstead.billing.payments import applying, deciding, orders, performing, queries, store
from ohmstead.billing.payments.debts import service as debts
from ohmstead.billing.payments.methods import removing
from ohmstead.billing.payments.methods import service as methods
from ohmstead.billing.payments.model import NewPayment, Operation
from ohmstead.billing.payments.ports import Providers
from ohmstead.billing.payments.webhooks import service as webhooks
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import NotFound
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.stations.commands import CommandDesk

MOST: Final = 16
EVERY_S: Final = 0.5
SWEEP_EVERY_S: Final = 5.0
_PIECE: Final = 50

log = logger("ohmstead.payments")


class Runner:
    """Runs until cancelled. `desk`: who tells stations to begin."""

    def __init__(self, pool: Pool, providers: Providers, desk: CommandDesk | None, *, every_s: float = EVERY_S) -> None:
        self._pool = pool
        self._providers = providers
        self._desk = desk
        self._every_s = every_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._costs = TariffCosts()
        takes = [providers.get(name).capabilities for name in providers.names]
        self._least = [(one.name, currency, amount) for one in takes for currency, amount in one.least.items()]

    async def run(self, *, closes: bool = False) -> None:
        """Until cancelled; what is under way then is another worker's when its claim is over. `closes`: the providers are
        its own.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._again(self._begin_due, self._every_s))
                group.create_task(self._again(self._take_webhooks, self._every_s))
                group.create_task(self._again(self.sweep, SWEEP_EVERY_S))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if closes:
                await self._providers.close()

    async def settle_down(self, most_rounds: int = 50) -> None:
        """Do all that is due now, until nothing is: for tests and for commands that end."""
        for _ in range(most_rounds):
            n = await webhooks.process_due(self._pool, self._providers)
            claimed = await self._claim(MOST)
            for operation in claimed:
                await performing.carry_out(self._pool, self._providers, self._desk, operation)
            n += len(claimed) + await self.sweep()
            if not n:
                return

    async def _again(self, work: object, seconds: float) -> None:
        assert callable(work)
        while True:
            self._wake.clear()
            try:
                await work()
            except Exception as error:  # noqa: BLE001  (the database may be away; what waits is not lost)
                log.warning("payments_interrupted", error=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def _claim(self, most: int) -> list[Operation]:
        async with self._pool.acquire() as conn, conn.transaction():
            return await store.claim_operations(conn, clock.now(), performing.LEASE, most)

    async def _begin_due(self) -> None:
        free = MOST - len(self._tasks)
        for operation in await self._claim(free) if free > 0 else ():
            task = asyncio.create_task(self._carry_out(operation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, operation: Operation) -> None:
        try:
            await performing.carry_out(self._pool, self._providers, self._desk, operation)
        except Exception as error:
            # It is claimed for a while only, and comes up again with the same key.
            log.exception("payment_operation_lost", operation_id=str(operation.operation_id), error=repr(error))
        finally:
            self._wake.set()

    async def _take_webhooks(self) -> None:
        while await webhooks.process_due(self._pool, self._providers):
            pass

    async def sweep(self) -> int:
        """Time passes: what nobody paid, what did not begin, holds that end, webhooks that were lost. How many."""
        now = clock.now()
        async with self._pool.acquire() as conn:
            overdue = await store.list_overdue(conn, now, _PIECE)
            ending = await store.list_ending(conn, now + deciding.CAPTURES_AHEAD, _PIECE)
            not_billed = await store.list_not_billed(conn, _PIECE)
            taken = await queries.list_taken_for_nothing(conn, _PIECE)
            due = await store.claim_looks(conn, now, performing.LEASE, _PIECE)
            small = await debts.list_small(conn, self._least, _PIECE)
        await self._each(overdue, self._let_go)
        await self._each(ending, self._capture_ahead)
        await self._each(not_billed, self._release)
        await self._each(taken, self._give_back)
        await self._each(due, partial(performing.look, self._pool, self._providers))
        for party_id, customer, method_id, amount, currency, latest in small:
            await self._each([(party_id, method_id)], partial(self._collect, customer, Money(amount, currency), latest))
        n_setups = await methods.look_around(self._pool, self._providers)
        n_removed = await removing.remove_due(self._pool, self._providers)
        n_seen = sum(len(found) for found in (overdue, ending, not_billed, taken, due, small))
        return n_seen + n_setups + n_removed

    async def _each(self, found: Sequence[tuple[UUID, UUID]], work: Callable[[UUID, UUID], Awaitable[object]]) -> None:
        """One that cannot be done does not hold up the others: their holds would end meanwhile."""
        for party_id, payment_id in found:
            try:
                await work(party_id, payment_id)
            except Exception:
                log.exception("payment_not_looked_after", payment_id=str(payment_id))

    async def _give_back(self, party_id: UUID, payment_id: UUID) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            await applying.give_back(conn, party_id, payment_id, queries.NOT_BILLED)

    async def _collect(self, customer: str, amount: Money, latest: UUID, party_id: UUID, method_id: UUID) -> None:
        """What was too small for a card each time is enough by now. It is asked for once; if that is declined, again when more
        is there.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            provider = await methods.provider_of(conn, party_id, method_id)
            given = NewPayment(purpose="debt", customer=customer, amount=amount)
            await orders.charge(conn, party_id, method_id, given, provider, f"small:{latest}")

    async def _release(self, party_id: UUID, payment_id: UUID) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            kept = await applying.locked(conn, party_id, payment_id)
            if kept.payment.state in ("created", "authorizing", "held") and kept.wanted is None:
                await applying.want(conn, kept, Decimal(0), failure=queries.NOT_BILLED)

    async def _let_go(self, party_id: UUID, payment_id: UUID) -> None:
        """Nobody paid in time, or nothing began in time, as far as we know when we have locked it."""
        async with self._pool.acquire() as conn, conn.transaction():
            kept = await applying.locked(conn, party_id, payment_id)
            payment, now = kept.payment, clock.now()
            if kept.wanted is not None:
                return
            if payment.state in ("created", "authorizing") and kept.pay_by is not None and kept.pay_by <= now:
                if kept.is_hold or kept.checkout_ref is not None:
                    await applying.want(conn, kept, Decimal(0), failure="not_paid")
                else:
                    await applying.give_up(conn, kept, "not_paid")
            elif payment.state == "held" and kept.begin_by is not None and kept.begin_by <= now:
                assert payment.token_uid is not None
                session = await store.find_session(conn, party_id, payment.token_uid)
                if session is None:
                    await applying.want(conn, kept, Decimal(0), failure="no_session")
                else:
                    values = {"session_id": session["session_id"]}
                    await store.update_payment(conn, party_id, payment_id, values)

    async def _capture_ahead(self, party_id: UUID, payment_id: UUID) -> None:
        """The hold ends soon: what the session has come to by now is taken; what comes on top is owed."""
        async with self._pool.acquire() as conn, conn.transaction():
            kept = await applying.locked(conn, party_id, payment_id)
            if kept.payment.state != "held" or kept.wanted is not None:
                return
            amount = await self._running_cost(conn, party_id, kept.payment.session_id, kept.payment.currency)
            log.warning("hold_ends_soon", payment_id=str(payment_id), captured=str(amount))
            await applying.want(
                conn, kept, min(amount, kept.payment.amount), failure="hold_expired" if amount == 0 else None
            )

    async def _running_cost(self, conn: Connection, party_id: UUID, session_id: UUID | None, currency: str) -> Decimal:
        if session_id is None:
            return Decimal(0)
        try:
            found = await prices.get_cost(conn, self._costs, party_id, session_id)
        except NotFound:
            return Decimal(0)
        if found.cost.currency != currency:
            return Decimal(0)
        return max(applying.rounded(found.cost.total, currency), Decimal(0))
