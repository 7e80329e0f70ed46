"""Providers forget cards that were removed, and drivers who were erased: written first, asked afterwards, until they did.

An erased driver's card pays what they owe from before and nothing else, for a week at most; what it does not pay by then stays
owed, as all debts of erased drivers do.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final
from uuid import UUID

from ohmstead.billing.payments import deciding
from ohmstead.billing.payments.methods import store
from ohmstead.billing.payments.ports import MethodRef, Providers
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.log import logger

# Longer than a bank is asked again and again for what it refused for now.
LEAVES_WITHIN: Final = timedelta(days=7)
ERASED: Final = "erased"
_LOOKS_AGAIN: Final = timedelta(minutes=15)
# A card is charged within so long after its session is billed, or is not at all.
_CHARGED_WITHIN: Final = timedelta(hours=1)
_LEASE: Final = timedelta(seconds=90)
_DAY_S: Final = 86_400.0

log = logger("ohmstead.payments")


async def forget_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """A driver was erased: their cards leave, and providers forget them. Told twice, it is once."""
    now = clock.now()
    await store.end_setups(conn, party_id, driver_id, ERASED)
    for method_id in await store.end_methods(conn, party_id, driver_id, now + LEAVES_WITHIN):
        await store.insert_removal(conn, party_id, method_id, now)
    for provider, ref in await store.list_customers(conn, party_id, driver_id):
        await store.insert_customer_removal(conn, party_id, driver_id, provider, ref, now)


async def remove_now(pool: Pool, providers: Providers, removal_id: UUID) -> None:
    """The one that was just written, without waiting for the worker: that does it where this does not."""
    async with pool.acquire() as conn, conn.transaction():
        claimed = await store.claim_removals(conn, clock.now(), _LEASE, 1, removal_id)
    for row in claimed:
        await _carry_out(pool, providers, row)


async def remove_due(pool: Pool, providers: Providers, most: int = 20) -> int:
    """All that is due now; how many."""
    async with pool.acquire() as conn, conn.transaction():
        claimed = await store.claim_removals(conn, clock.now(), _LEASE, most)
    for row in claimed:
        await _carry_out(pool, providers, row)
    return len(claimed)


async def _carry_out(pool: Pool, providers: Providers, row: Row) -> None:
    party_id, removal_id, now = row["party_id"], row["removal_id"], clock.now()
    async with pool.acquire() as conn, conn.transaction():
        if row["method_id"] is not None and not await _leaves(conn, row):
            await store.wait_with_removal(conn, party_id, removal_id, now + _LOOKS_AGAIN)
            return
    try:
        await _ask(providers, row)
    except ExternalFailure as failure:
        pause_s = _DAY_S if failure.permanent else deciding.pause_s(row["n_tries"], random.random())  # noqa: S311
        log.warning("not_forgotten", kind=row["kind"], removal_id=str(removal_id), error=failure.text)
        async with pool.acquire() as conn, conn.transaction():
            again_at = clock.now() + timedelta(seconds=pause_s or _DAY_S)
            await store.retry_removal(conn, party_id, removal_id, again_at, failure.text)
        return
    async with pool.acquire() as conn, conn.transaction():
        await store.finish_removal(conn, party_id, removal_id, clock.now())


async def _leaves(conn: Connection, row: Row) -> bool:
    """Is a card used for nothing any more, from now on? Not while its erased driver owes something that it can pay."""
    party_id, method_id, now = row["party_id"], row["method_id"], clock.now()
    method = await store.find_method(conn, party_id, method_id)
    assert method is not None
    if method["forgotten_at"] is None and method["leaves_at"] is not None and now < method["leaves_at"]:
        billed_since = now - _CHARGED_WITHIN
        if await store.is_owed_on(conn, party_id, method["driver_id"], method_id, billed_since):
            return False
    await store.forget_method(conn, party_id, method_id, now)
    return True


async def _ask(providers: Providers, row: Row) -> None:
    provider = row["provider"]
    asked = providers.find(provider)
    if asked is None:
        raise ExternalFailure(f"{provider} is not set up")
    if row["kind"] == "customer":
        await asked.forget_customer(row["ref"])
    else:
        await asked.forget_method(MethodRef(provider_ref=row["ref"], customer_ref=""))
