"""Cards and accounts that drivers let us use again. The provider keeps them; we never see a number."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from ohmstead.billing.payments import queries
from ohmstead.billing.payments.methods import removing, store
from ohmstead.billing.payments.model import MethodSetup, StoredMethod
from ohmstead.billing.payments.ports import MethodRef, Providers, SeenSetup
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, ExternalFailure, NotFound
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger

# A page for storing a card that nobody used is closed by the provider after a day.
_OVER_AFTER: Final = timedelta(hours=26)
_LEASE: Final = timedelta(seconds=60)

log = logger("ohmstead.payments")


async def store_method(
    pool: Pool,
    providers: Providers,
    party_id: UUID,
    driver_id: UUID,
    return_url: str,
    *,
    email: str | None = None,
    provider: str | None = None,
) -> MethodSetup:
    """Where a driver lets us store a card: `url` of what comes back. `{setup_id}` in `return_url` is filled in.

    Raises Refused where no provider is set up, ExternalFailure when it does not answer.
    """
    chosen = providers.get(provider)
    name = chosen.capabilities.name
    made = MethodSetup(
        setup_id=new_id(),
        party_id=party_id,
        driver_id=driver_id,
        provider=name,
        state="created",
        created_at=clock.now(),
    )
    async with pool.acquire() as conn, conn.transaction():
        await store.insert_setup(conn, party_id, made)
    opened = await chosen.setup(
        made.setup_id,
        driver_id,
        email=email,
        return_url=return_url.replace("{setup_id}", str(made.setup_id)),
        key=f"setup:{made.setup_id}",
    )
    async with pool.acquire() as conn, conn.transaction():
        if not await store.open_setup(conn, party_id, made.setup_id, opened, clock.now() + timedelta(seconds=10)):
            # Its driver was erased meanwhile.
            await store.insert_customer_removal(conn, party_id, driver_id, name, opened.ref, clock.now())
        return await queries.get_setup(conn, party_id, made.setup_id)


async def refresh_setup(pool: Pool, providers: Providers, party_id: UUID, setup_id: UUID) -> MethodSetup:
    """Ask the provider how far a driver is: for the page that they come back to. Raises NotFound."""
    async with pool.acquire() as conn:
        row = await store.lock_setup(conn, party_id, setup_id)
    if row is None:
        raise NotFound(f"no setup {setup_id}")
    await look(pool, providers, row["provider"], (str(setup_id),))
    async with pool.acquire() as conn:
        return await queries.get_setup(conn, party_id, setup_id)


async def look(pool: Pool, providers: Providers, provider: str, refs: tuple[str, ...]) -> bool:
    """Ask how far the setup that a provider tells about is, and keep what was stored. False: we know of none."""
    asked = providers.find(provider)
    async with pool.acquire() as conn:
        row = await store.find_setup(conn, provider, refs)
    if row is None or asked is None:
        return False
    if row["state"] not in ("created", "open"):
        return True
    ref = row["provider_ref"] or next((one for one in refs if one != str(row["setup_id"])), None)
    if ref is None:
        return True
    seen = await asked.fetch_setup(ref)
    async with pool.acquire() as conn, conn.transaction():
        await _take(conn, row["party_id"], row["setup_id"], seen)
    return True


async def _take(conn: Connection, party_id: UUID, setup_id: UUID, seen: SeenSetup) -> None:
    row = await store.lock_setup(conn, party_id, setup_id)
    if row is None or row["state"] not in ("created", "open"):
        return
    now = clock.now()
    if seen.state == "done" and seen.method is not None:
        method_id = await store.insert_method(conn, party_id, row["driver_id"], row["provider"], seen.method, now)
        await store.finish_setup(conn, party_id, setup_id, method_id, None)
    elif seen.state == "failed" or now - row["created_at"] > _OVER_AFTER:
        await store.finish_setup(conn, party_id, setup_id, None, seen.failure or "not_stored")
    else:
        waited_s = (now - row["created_at"]).total_seconds()
        await store.look_at_setup_later(conn, party_id, setup_id, now + timedelta(seconds=max(10.0, waited_s / 2)))


async def look_around(pool: Pool, providers: Providers, most: int = 20) -> int:
    """Ask about setups whose webhook may have been lost; how many."""
    async with pool.acquire() as conn:
        due = await store.claim_setups(conn, clock.now(), _LEASE, most)
    for row in due:
        try:
            await look(pool, providers, row["provider"], (str(row["setup_id"]),))
        except ExternalFailure as failure:
            log.warning("setup_not_seen", setup_id=str(row["setup_id"]), error=failure.text)
    return len(due)


async def find_ref(conn: Connection, party_id: UUID, method_id: UUID) -> MethodRef | None:
    """What the provider knows it by; None when it was removed."""
    row = await store.find_method(conn, party_id, method_id)
    if row is None or row["forgotten_at"] is not None:
        return None
    return MethodRef(provider_ref=row["provider_ref"], customer_ref=row["customer_ref"])


async def provider_of(conn: Connection, party_id: UUID, method_id: UUID) -> str:
    """Raises NotFound, and Conflict when it was removed."""
    row = await store.find_method(conn, party_id, method_id)
    if row is None:
        raise NotFound(f"no stored card {method_id}")
    if row["forgotten_at"] is not None:
        raise Conflict("this card was removed", code="over")
    name: str = row["provider"]
    return name


async def list_methods(conn: Connection, party_id: UUID, driver_id: UUID) -> list[StoredMethod]:
    """A driver's, the one that is used first."""
    return await queries.list_methods(conn, party_id, driver_id)


async def set_default_method(conn: Connection, party_id: UUID, driver_id: UUID, method_id: UUID) -> None:
    """Use this one from now on. Raises NotFound."""
    row = await store.find_method(conn, party_id, method_id)
    is_gone = row is None or row["forgotten_at"] is not None or row["leaves_at"] is not None
    if row is None or row["driver_id"] != driver_id or is_gone:
        raise NotFound(f"no stored card {method_id}")
    await store.set_default_method(conn, party_id, driver_id, method_id)


async def forget_method(pool: Pool, providers: Providers, party_id: UUID, driver_id: UUID, method_id: UUID) -> None:
    """Not to be used any more: at once with us, and at the provider as soon as it answers. Raises NotFound.

    Charges that are on their way with it are refused as `method_removed`: what they should have paid is owed.
    """
    async with pool.acquire() as conn, conn.transaction():
        row = await store.find_method(conn, party_id, method_id)
        if row is None or row["driver_id"] != driver_id:
            raise NotFound(f"no stored card {method_id}")
        now = clock.now()
        await store.forget_method(conn, party_id, method_id, now)
        removal_id = await store.insert_removal(conn, party_id, method_id, now)
        left = await queries.list_methods(conn, party_id, driver_id)
        if left and not left[0].is_default:
            await store.set_default_method(conn, party_id, driver_id, left[0].method_id)
    await removing.remove_now(pool, providers, removal_id)
