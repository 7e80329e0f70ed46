"""Webhooks of providers: believed by their signature, stored first, processed once, in whatever order they come.

What they say is not believed, only that something changed: the provider is asked how the object stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from ohmstead.billing.payments import applying, performing
from ohmstead.billing.payments import store as payments
from ohmstead.billing.payments.methods import service as methods
from ohmstead.billing.payments.ports import Forged, Providers
from ohmstead.billing.payments.webhooks import store
from ohmstead.billing.payments.webhooks.store import Waiting
from ohmstead.core import clock, metrics
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure, NotFound
from ohmstead.core.log import logger

KEEPS_FOR: Final = timedelta(days=90)
_PAUSES_S: Final = (1, 3, 10, 30, 120, 600, 3600, 14_400, 43_200)

log = logger("ohmstead.payments")


async def take(pool: Pool, providers: Providers, provider: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Keep what a provider tells; header names in lower case. False when it was told before.

    Raises NotFound where there is no such provider, Forged for what is not its own.
    """
    known = providers.find(provider)
    if known is None:
        metrics.payment_webhooks.labels("unknown", "refused").inc()
        raise NotFound("no such payment provider")
    try:
        told = known.parse_webhook(body, headers, clock.now())
    except Forged as forged:
        metrics.payment_webhooks.labels(provider, "forged").inc()
        log.warning("payment_webhook_forged", provider=provider, reason=forged.text)
        raise
    async with pool.acquire() as conn, conn.transaction():
        is_new = await store.insert_webhook(conn, provider, told, body, clock.now())
    metrics.payment_webhooks.labels(provider, "taken" if is_new else "repeated").inc()
    return is_new


async def process_due(pool: Pool, providers: Providers, most: int = 20) -> int:
    """Process those that wait; how many."""
    async with pool.acquire() as conn:
        due = await store.claim_webhooks(conn, clock.now(), performing.LEASE, most)
    for one in due:
        await _process(pool, providers, one)
    return len(due)


async def _process(pool: Pool, providers: Providers, one: Waiting) -> None:
    try:
        if one.about == "payment":
            outcome = await _about_payment(pool, providers, one)
        elif one.about == "setup":
            outcome = "taken" if await methods.look(pool, providers, one.provider, tuple(one.refs)) else "unknown"
        else:
            outcome = "not_needed"
        error = None
    except ExternalFailure as failure:
        outcome, error = "failed", failure.text
    except Exception as fault:
        # Tried again later and later, and then no more; those behind it do not wait for it.
        log.exception("payment_webhook_not_understood", provider=one.provider, event_id=one.event_id)
        outcome, error = "failed", repr(fault)[:500]
    # What we do not know may be on its way to the database: it is looked for again, a few times.
    is_done = outcome in ("taken", "not_needed") or (outcome == "unknown" and one.n_tries >= 5)
    again_at = None
    if not is_done and one.n_tries <= len(_PAUSES_S):
        again_at = clock.now() + timedelta(seconds=_PAUSES_S[one.n_tries - 1])
    async with pool.acquire() as conn, conn.transaction():
        await store.finish_webhook(conn, one, outcome, None, again_at, error)


async def _about_payment(pool: Pool, providers: Providers, one: Waiting) -> str:
    provider = providers.find(one.provider)
    async with pool.acquire() as conn:
        found = await payments.find_by_refs(conn, one.provider, one.refs)
    if found is None or provider is None:
        return "unknown"
    party_id, payment_id = found
    async with pool.acquire() as conn:
        kept = await payments.find_kept(conn, party_id, payment_id)
    assert kept is not None
    own = next((ref for ref in one.refs if ref != str(payment_id)), None)
    ref = kept.provider_ref or kept.checkout_ref or own
    if ref is None:
        return "unknown"
    seen = await provider.fetch(ref)
    about = seen.ref or ref
    disputes = await provider.list_disputes(about) if "dispute" in one.kind else []
    async with pool.acquire() as conn, conn.transaction():
        await applying.observe(conn, party_id, payment_id, seen)
        if disputes:
            await applying.observe_disputes(conn, party_id, payment_id, disputes)
    return "taken"


async def forget_old(pool: Pool) -> int:
    """Drop what was processed long ago; how many."""
    async with pool.acquire() as conn, conn.transaction():
        return await store.forget_webhooks(conn, clock.now() - KEEPS_FOR)
