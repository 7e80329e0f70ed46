"""Stored cards of drivers, as whoever looks after them decides. The provider is asked outside of transactions."""

from __future__ import annotations

from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.paying import service as paying
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.ports import Providers
from ohmstead.core.db import Pool


async def forget(pool: Pool, providers: Providers, actor: Actor, driver_id: UUID, method_id: UUID) -> None:
    """A stored card is used no more; the provider forgets it, too. A driver who paid with it pays as the rules say.

    Raises NotFound.
    """
    await payments.forget_method(pool, providers, actor.party_id, driver_id, method_id)
    async with pool.acquire() as conn, conn.transaction():
        method = await paying.method_of(conn, actor.party_id, driver_id=driver_id)
        if method.kind == "card" and method.ref == str(method_id):
            await paying.unset_method(conn, actor, driver_id=driver_id)
        detail: dict[str, object] = {"method_id": str(method_id)}
        await accounts.audit(conn, actor, "payment_method.forgotten", f"driver/{driver_id}", detail)
