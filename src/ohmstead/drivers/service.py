"""What people decide about drivers. Every change is audited and recorded; the edge opens the transaction.

Neither the audit log nor the record holds anything of the person: both outlive an erasure.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked
from ohmstead.drivers import queries, store
from ohmstead.drivers.model import Driver, DriverChange, NewDriver
from ohmstead.tokens.register import many

_EMPTY: dict[str, Any] = {
    "name": "",
    "email": None,
    "phone": None,
    "language": None,
    "company": "",
    "notes": "",
    "group_uid": None,
    "vehicles": [],
}


async def create_driver(conn: Connection, actor: Actor, given: NewDriver) -> Driver:
    """Raises Invalid."""
    driver_id = new_id()
    await store.insert_driver(conn, actor.party_id, driver_id, _tidy(msgspec.structs.asdict(given)))
    await _note(conn, actor, "created", driver_id)
    return await queries.get_driver(conn, actor.party_id, driver_id)


async def change_driver(
    conn: Connection, actor: Actor, driver_id: UUID, given: DriverChange, if_version: int | None = None
) -> Driver:
    """Another e-mail address signs its driver out everywhere, and passkeys that were added there open nothing any more:
    whose the mailbox before was, may not be who they are. Another telephone number is to be confirmed anew.

    Raises NotFound, Invalid, Refused for one who is erased, and Conflict when not in the version `if_version`.
    """
    before = await _alive(conn, actor, driver_id)
    values = _tidy({name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET})
    await _write(conn, actor, driver_id, values, if_version)
    if "group_uid" in values and values["group_uid"] != before.group_uid:
        await many.regroup_of_driver(conn, actor, driver_id, before.group_uid, values["group_uid"])
    if "email" in values and (values["email"] or "").lower() != (before.email or "").lower():
        await store.sign_out(conn, actor.party_id, driver_id)
    await _note(conn, actor, "changed", driver_id, {"fields": sorted(values)})
    return await queries.get_driver(conn, actor.party_id, driver_id)


async def note_confirmed(conn: Connection, actor: Actor, driver_id: UUID) -> None:
    """Their telephone number was confirmed."""
    await accounts.audit(conn, actor, "driver.phone_confirmed", f"driver/{driver_id}")
    payload = {"driver_id": driver_id, "by": actor.actor_id, "fields": ["phone_confirmed_at"]}
    await record(
        conn,
        [Event(kind="DriverChanged", subject=f"driver/{driver_id}", party_id=actor.party_id, payload=payload)],
    )


async def set_status(
    conn: Connection,
    actor: Actor,
    driver_id: UUID,
    status: Literal["active", "blocked"],
    if_version: int | None = None,
) -> Driver:
    """Block a driver and all tokens of theirs in one step, or let them charge again.

    Tokens that were blocked for themselves before stay so. Raises NotFound, Refused for one who is erased, Conflict.
    """
    before = await _alive(conn, actor, driver_id)
    await _write(conn, actor, driver_id, {"status": status}, if_version)
    if before.status != status:
        act = many.block_of_driver if status == "blocked" else many.unblock_of_driver
        changed = await act(conn, actor, driver_id)
        what = "blocked" if status == "blocked" else "unblocked"
        told = {"n_tokens": len(changed)}
        await _note(conn, actor, what, driver_id, told, was=before.status, now=status)
    return await queries.get_driver(conn, actor.party_id, driver_id)


async def empty_driver(conn: Connection, actor: Actor, driver_id: UUID, if_version: int | None = None) -> None:
    """Forget who a driver is and delete their tokens. What the driver did is for rooms above to make nameless.

    Raises NotFound, Refused for one who is erased already, Conflict.
    """
    before = await _alive(conn, actor, driver_id)
    await _write(conn, actor, driver_id, {**_EMPTY, "status": "erased"}, if_version)
    n_tokens = await many.delete_of_driver(conn, actor, driver_id)
    await _note(conn, actor, "erased", driver_id, {"n_tokens": n_tokens}, was=before.status, now="erased")


async def _alive(conn: Connection, actor: Actor, driver_id: UUID) -> Driver:
    driver = await queries.get_driver(conn, actor.party_id, driver_id)
    if driver.status == "erased":
        raise Refused("this driver was erased", code="erased")
    return driver


def _tidy(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("name", "company"):
        if name in values:
            values[name] = checked(values[name], name)
    if values.get("name") == "":
        raise Invalid("may not be empty", field="name")
    if "notes" in values:
        values["notes"] = checked(values["notes"], "notes", has_lines=True)
    if "vehicles" in values:
        values["vehicles"] = [checked(text, f"vehicles.{n}") for n, text in enumerate(values["vehicles"])]
    return values


async def _write(
    conn: Connection, actor: Actor, driver_id: UUID, values: dict[str, Any], if_version: int | None
) -> None:
    if not await store.update_driver(conn, actor.party_id, driver_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)


async def _note(
    conn: Connection,
    actor: Actor,
    what: str,
    driver_id: UUID,
    detail: dict[str, Any] | None = None,
    *,
    was: str | None = None,
    now: str | None = None,
) -> None:
    before, after = {"status": was}, {"status": now}
    await accounts.audit(conn, actor, f"driver.{what}", f"driver/{driver_id}", detail, before=before, after=after)
    await record(
        conn,
        [
            Event(
                kind=f"Driver{what.capitalize()}",
                subject=f"driver/{driver_id}",
                party_id=actor.party_id,
                payload={"driver_id": driver_id, "by": actor.actor_id, **(detail or {})},
            )
        ],
    )
