"""What is done to many tokens at once, and to all of a driver's. The edge opens the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.access import Actor
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Invalid
from ohmstead.core.language import R_
from ohmstead.tokens.queries import TokenFilter, conditions
from ohmstead.tokens.register import store
from ohmstead.tokens.register.service import DRIVER_BLOCKED, Uid, note, told_uid

MOST = 20_000


class WhichTokens(TokenFilter, kw_only=True, forbid_unknown_fields=True):
    """All tokens that fit, as the list finds them."""


class ManyTokens(Struct, kw_only=True, forbid_unknown_fields=True):
    """One change to many tokens: those named, or all that fit a filter."""

    action: Annotated[
        Literal["block", "unblock", "assign", "group"],
        Meta(description="assign gives them to `driver_id`, group puts them into `group_uid`; null takes them out."),
    ]
    token_ids: Annotated[list[UUID], Meta(max_length=MOST, description="These.")] | None = None
    selection: Annotated[WhichTokens | None, Meta(description="Or all that fit.")] = None
    driver_id: UUID | None = None
    group_uid: Uid | None = None


class LeftOut(Struct, frozen=True):
    """A token that was left as it is, and why."""

    token_id: UUID
    uid: str
    error: str


class ManyReport(Struct, kw_only=True):
    """What became of them. `changed` undoes it: send them with the opposite action."""

    n_selected: int
    changed: list[UUID] = []
    left_out: list[LeftOut] = []
    is_dry_run: bool = False


async def change_many(conn: Connection, actor: Actor, given: ManyTokens) -> ManyReport:
    """Raises Invalid: neither or both kinds of choice, no such driver, more than MOST tokens."""
    if (given.token_ids is None) == (given.selection is None):
        raise Invalid("name the tokens, or give a selection: one of the two", field="token_ids")
    driver_status, group_uid = await _holder(conn, actor, given)
    if given.selection is not None:
        where = conditions(actor.party_id, given.selection)
    else:
        where = Conditions()
        where.add("token_id = any({})", given.token_ids)
    await store.hold_drivers(conn, where.sql, where.values, actor.party_id)
    found = await store.lock_many(conn, where.sql, where.values, actor.party_id, MOST + 1)
    if len(found) > MOST:
        raise Invalid(f"more than {MOST} tokens fit: narrow the selection", field="selection")
    report = ManyReport(n_selected=len(found))
    wanted: dict[str, Any]
    if given.action in ("block", "unblock"):
        await _set_status(conn, actor, found, "blocked" if given.action == "block" else "active", report)
        return report
    if given.action == "assign":
        wanted = {"driver_id": given.driver_id} | ({"group_uid": group_uid} if group_uid else {})
    else:
        wanted = {"group_uid": given.group_uid}
    if driver_status == "blocked":
        report.left_out = [LeftOut(t["token_id"], t["uid"], R_("the driver is blocked")) for t in found if _is_good(t)]
        found = [t for t in found if not _is_good(t)]
    changed = [t for t in found if any(t[name] != value for name, value in wanted.items())]
    await _write(conn, actor, changed, wanted, "changed", report)
    if given.action == "assign":
        await store.note_holders(conn, actor.party_id, [t["uid_key"] for t in changed])
    return report


def _is_good(token: Row) -> bool:
    return bool(token["status"] == "active")


async def _holder(conn: Connection, actor: Actor, given: ManyTokens) -> tuple[str | None, str | None]:
    if given.action != "assign" or given.driver_id is None:
        return None, None
    driver = await store.find_driver(conn, actor.party_id, given.driver_id)
    if driver is None or driver["status"] == "erased":
        raise Invalid("no such driver", field="driver_id")
    return driver["status"], driver["group_uid"]


async def _set_status(conn: Connection, actor: Actor, found: Sequence[Row], status: str, report: ManyReport) -> None:
    if status == "active":
        held = [t for t in found if not _is_good(t) and t["driver_status"] not in (None, "active")]
        report.left_out = [LeftOut(t["token_id"], t["uid"], DRIVER_BLOCKED) for t in held]
        found = [t for t in found if t not in held]
    changed = [t for t in found if t["status"] != status]
    await _write(
        conn,
        actor,
        changed,
        {"status": status, "is_blocked_with_driver": False},
        "blocked" if status == "blocked" else "unblocked",
        report,
    )
    await _with_vehicles(conn, actor, changed, {"status": status})


async def _with_vehicles(conn: Connection, actor: Actor, cards: Sequence[Row], values: dict[str, Any]) -> None:
    vehicles = await store.list_vehicles(conn, actor.party_id, [t["token_id"] for t in cards])
    if vehicles:
        await store.update_many(conn, actor.party_id, vehicles, values)


async def _write(
    conn: Connection, actor: Actor, tokens: Sequence[Row], values: dict[str, Any], what: str, report: ManyReport
) -> None:
    report.changed = [t["token_id"] for t in tokens]
    if not tokens:
        return
    await store.update_many(conn, actor.party_id, report.changed, values)
    told = {name: value for name, value in values.items() if name != "is_blocked_with_driver"}
    await note(
        conn,
        actor,
        what,
        [(t["token_id"], told_uid(t["uid"], t["type"])) for t in tokens],
        {"fields": sorted(told)} if what == "changed" else None,
        changes=[({name: t[name] for name in told}, told) for t in tokens],
    )


# --------------------------------------------------------------------------------------------------------- a driver's


async def block_of_driver(conn: Connection, actor: Actor, driver_id: UUID) -> list[UUID]:
    """Block all good tokens of a driver; returns which. They are good again by `unblock_of_driver`."""
    found = [t for t in await _of_driver(conn, actor, driver_id) if _is_good(t)]
    report = ManyReport(n_selected=len(found))
    await _write(conn, actor, found, {"status": "blocked", "is_blocked_with_driver": True}, "blocked", report)
    return report.changed


async def unblock_of_driver(conn: Connection, actor: Actor, driver_id: UUID) -> list[UUID]:
    """Those that were blocked with their driver are good again; others stay blocked."""
    found = [t for t in await _of_driver(conn, actor, driver_id) if t["is_blocked_with_driver"]]
    report = ManyReport(n_selected=len(found))
    await _write(conn, actor, found, {"status": "active", "is_blocked_with_driver": False}, "unblocked", report)
    return report.changed


async def regroup_of_driver(
    conn: Connection, actor: Actor, driver_id: UUID, before: str | None, after: str | None
) -> list[UUID]:
    """Tokens of a driver that are in the driver's group go to the new one with them."""
    found = [t for t in await _of_driver(conn, actor, driver_id) if t["group_uid"] == before]
    report = ManyReport(n_selected=len(found))
    await _write(conn, actor, found, {"group_uid": after}, "changed", report)
    return report.changed


async def delete_of_driver(conn: Connection, actor: Actor, driver_id: UUID) -> int:
    """Delete all tokens of a driver, whose uids are written nowhere; returns how many."""
    found = await _of_driver(conn, actor, driver_id)
    if found:
        await store.delete_many(conn, actor.party_id, [t["token_id"] for t in found])
        await store.note_holders(conn, actor.party_id, [t["uid_key"] for t in found])
        await note(conn, actor, "deleted", [(t["token_id"], "") for t in found])
    return len(found)


async def _of_driver(conn: Connection, actor: Actor, driver_id: UUID) -> list[Row]:
    where = Conditions()
    where.add("driver_id = {}", driver_id)
    return await store.lock_many(conn, where.sql, where.values, actor.party_id, MOST)
