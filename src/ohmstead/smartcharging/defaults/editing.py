"""What people decide about safe limits. Every change is audited and recorded as an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.smartcharging.defaults import queries, store
from ohmstead.smartcharging.defaults.model import NewSafeLimit, SafeLimit, SafeLimitChange
from ohmstead.smartcharging.profiles import STEP
from ohmstead.stations import queries as stations

MOST: dict[str, Decimal] = {"A": Decimal(1000), "W": Decimal(1_000_000)}


async def create_limit(conn: Connection, actor: Actor, given: NewSafeLimit) -> SafeLimit:
    """Raises Invalid, and Conflict when the name is taken."""
    values = msgspec.structs.asdict(given)
    await _check(conn, actor, values)
    safe_limit_id = new_id()
    if not await store.insert_limit(conn, actor.party_id, safe_limit_id, values):
        raise Conflict(f"there is a safe limit {given.name} already", code="taken")
    await _note(conn, actor, "created", safe_limit_id, values)
    return await queries.get_limit(conn, actor.party_id, safe_limit_id)


async def change_limit(
    conn: Connection, actor: Actor, safe_limit_id: UUID, given: SafeLimitChange, if_version: int | None = None
) -> SafeLimit:
    """Raises NotFound, Invalid, and Conflict when it is not in the version `if_version`, or the name is taken."""
    before = await queries.get_limit(conn, actor.party_id, safe_limit_id)
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    await _check(conn, actor, {"limit": before.limit, "rate_unit": before.rate_unit, **values})
    name = values.get("name")
    if name is not None and name != before.name and await queries.has_limit(conn, actor.party_id, name):
        raise Conflict(f"there is a safe limit {name} already", code="taken")
    if not await store.update_limit(conn, actor.party_id, safe_limit_id, values, if_version):
        raise _stale()
    await _note(conn, actor, "changed", safe_limit_id, values)
    return await queries.get_limit(conn, actor.party_id, safe_limit_id)


async def delete_limit(conn: Connection, actor: Actor, safe_limit_id: UUID, if_version: int | None = None) -> None:
    """Stations that have it are freed from it. Raises NotFound, Conflict."""
    before = await queries.get_limit(conn, actor.party_id, safe_limit_id)
    if not await store.delete_limit(conn, actor.party_id, safe_limit_id, if_version):
        raise _stale()
    await _note(conn, actor, "deleted", safe_limit_id, {"name": before.name})


async def _check(conn: Connection, actor: Actor, values: dict[str, Any]) -> None:
    limit, most = values["limit"], MOST[values["rate_unit"]]
    if not limit.is_finite() or not 0 <= limit <= most:
        raise Invalid(f"limit: 0 to {most} {values['rate_unit']}", field="limit")
    if limit % STEP:
        raise Invalid("limit: one decimal at most, OCPP 1.6 takes no more", field="limit")
    location_id = values.get("location_id")
    if location_id is not None and await stations.find_location(conn, actor.party_id, location_id) is None:
        raise Invalid("no such location", field="location_id")


def _stale() -> Conflict:
    return Conflict("it has changed since you read it: read it again", is_stale=True)


async def _note(conn: Connection, actor: Actor, what: str, safe_limit_id: UUID, detail: dict[str, Any]) -> None:
    subject = f"safe_limit/{safe_limit_id}"
    await accounts.audit(conn, actor, f"safe_limit.{what}", subject, detail)
    payload = {"safe_limit_id": safe_limit_id, "by": actor.actor_id, "name": detail.get("name")}
    event = Event(kind=f"SafeLimit{what.capitalize()}", subject=subject, party_id=actor.party_id, payload=payload)
    await record(conn, [event])
