"""A driver is erased: their sessions stay, and are nobody's."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.core.ids import new_secret
from ohmstead.drivers import service as drivers
from ohmstead.sessions.covers import service as covers
from ohmstead.sessions.erasing import store


class Erased(Struct, frozen=True, kw_only=True):
    """What an erasure left behind: sessions and reservations under the pseudonym, which leads back to nobody."""

    driver_id: UUID
    pseudonym: str
    n_sessions: int
    n_reservations: int


async def erase_driver(conn: Connection, actor: Actor, driver_id: UUID, if_version: int | None = None) -> Erased:
    """Empty the driver, delete their tokens, and put a pseudonym in place of the tokens' uids wherever they charged.

    Energy and times stay as they were. In the caller's transaction: all of it or nothing. Raises NotFound, Conflict, and
    Refused while the driver charges or has an outlet reserved: what goes on needs the token.
    """
    await drivers.empty_driver(conn, actor, driver_id, if_version)
    if await store.count_open(conn, actor.party_id, driver_id):
        raise Refused("they charge, or have an outlet reserved: erase them when that is over", code="in_use")
    await covers.forget_price_limit(conn, actor.party_id, driver_id)
    pseudonym = f"erased-{new_secret(9)}"
    n_sessions = await store.rename_sessions(conn, actor.party_id, driver_id, pseudonym)
    n_reservations = await store.rename_reservations(conn, actor.party_id, driver_id, pseudonym)
    await store.rename_holdings(conn, actor.party_id, driver_id, pseudonym)
    return Erased(driver_id=driver_id, pseudonym=pseudonym, n_sessions=n_sessions, n_reservations=n_reservations)
