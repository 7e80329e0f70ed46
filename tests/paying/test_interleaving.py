"""Whatever comes in whatever order, a wallet is what its entries say, and never below nothing."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ohmstead.billing.wallets import queries
from tests.billing.network import AT
from tests.paying.customers import Customers, untaxed

T = TypeVar("T")
AMOUNTS = st.integers(min_value=1, max_value=60)


async def test_any_order_of_starts_ends_top_ups_and_credits_keeps_the_money(customers: Customers) -> None:
    loop = asyncio.get_running_loop()

    class WalletMachine(RuleBasedStateMachine):
        """Runs in a thread; what it does is done in the test's loop."""

        sessions: Bundle[UUID] = Bundle("sessions")

        def done(self, what: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(what, loop).result(60)

        @initialize()
        def opens(self) -> None:
            self.done(self._open())

        async def _open(self) -> None:
            self.business = await Customers(customers.pool).founded(untaxed("0.50"))
            self.driver_id = await self.business.driver()
            for n in range(3):
                await self.business.card(f"CARD-{n}", self.driver_id)
            await self.business.pays_with("wallet", driver_id=self.driver_id)

        @rule(amount=AMOUNTS)
        def tops_up(self, amount: int) -> None:
            self.done(self.business.puts_in(self.driver_id, str(amount)))

        @rule(target=sessions, n=st.integers(0, 2))
        def starts(self, n: int) -> UUID:
            return self.done(self._start(n))

        async def _start(self, n: int) -> UUID:
            status, _ = await self.business.asks(f"CARD-{n}")
            before = sum(minor for _, minor in await self.business.holds())
            session_id = await self.business.begins(f"CARD-{n}", AT)
            # A session that nobody asked about, or that was refused, holds nothing by beginning.
            assert sum(minor for _, minor in await self.business.holds()) == before
            assert status in ("accepted", "no_credit")
            return session_id

        @rule(session_id=sessions, spent=AMOUNTS)
        def goes_on(self, session_id: UUID, spent: int) -> None:
            self.done(self._go_on(session_id, spent))

        async def _go_on(self, session_id: UUID, spent: int) -> None:
            if await self.business.pool.fetchval(
                "select ended_at is null from session where session_id = $1", session_id
            ):
                await self.business.costs(session_id, str(spent))
                await self.business.limits([session_id])

        @rule(session_id=sessions, kwh=st.integers(0, 120))
        def ends(self, session_id: UUID, kwh: int) -> None:
            self.done(self.business.ends(session_id, wh=kwh * 1000))

        @rule()
        def credits_the_last(self) -> None:
            self.done(self._credit())

        async def _credit(self) -> None:
            standing = [c for c in await self.business.cdrs() if c.kind == "charge" and c.credited_by is None]
            if standing:
                await self.business.credits(standing[-1].cdr_id)
                await self.business.pays()

        @invariant()
        def is_right(self) -> None:
            if hasattr(self, "driver_id"):
                self.done(self._look())

        async def _look(self) -> None:
            wallet = await self.business.wallet(self.driver_id)
            async with self.business.pool.acquire() as conn:
                entries = await queries.list_entries(conn, self.business.party_id, self.driver_id, limit=500)
            assert wallet.balance == sum((one.amount for one in entries), Decimal(0))
            assert 0 <= wallet.held <= wallet.balance
            assert wallet.due == 0 or wallet.balance == wallet.held
            open_ones = await self.business.pool.fetchval(
                "select count(*) from cover_hold h left join session s using (session_id) where h.party_id = $1"
                " and h.session_id is not null and s.ended_at is not null",
                self.business.party_id,
            )
            assert open_ones == 0

        def teardown(self) -> None:
            if hasattr(self, "driver_id"):
                assert self.done(self.business.faults()) == []

    machine = settings(
        max_examples=12,
        stateful_step_count=14,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    await asyncio.to_thread(run_state_machine_as_test, WalletMachine, settings=machine)
