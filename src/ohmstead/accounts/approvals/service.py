"""The second person: asked, and heard once. Whoever asked cannot agree with themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor, require
from ohmstead.accounts.approvals import store
from ohmstead.accounts.approvals.model import Approval
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id

GOOD_FOR: Final = timedelta(hours=24)
MOST_REASON: Final = 500


async def is_needed(conn: Connection, party_id: UUID) -> bool:
    """Whether the party wants a second person for orders to many stations."""
    return (await accounts.get_party(conn, party_id)).needs_second_person


async def ask(conn: Connection, actor: Actor, kind: str, summary: str, request: dict[str, Any]) -> Approval:
    """Wait for a second person with `request`, for a day."""
    now = clock.now()
    asked = Approval(
        approval_id=new_id(),
        party_id=actor.party_id,
        kind=kind,
        summary=summary[:500],
        request=request,
        asked_by=actor.actor_id,
        asked_name=actor.name,
        asked_at=now,
        expires_at=now + GOOD_FOR,
        state="waiting",
    )
    await store.insert(conn, actor.party_id, asked)
    await accounts.audit(
        conn, actor, "approval.asked", f"approval/{asked.approval_id}", {"kind": kind, "summary": asked.summary}
    )
    return asked


async def get(conn: Connection, party_id: UUID, approval_id: UUID) -> Approval:
    """Raises NotFound."""
    found = await store.find(conn, party_id, approval_id, clock.now())
    if found is None:
        raise NotFound(f"no approval {approval_id}")
    return found


async def list_approvals(conn: Connection, party_id: UUID, limit: int = 100) -> list[Approval]:
    """Those that wait first, then the latest."""
    return await store.list_approvals(conn, party_id, clock.now(), limit)


def shown(one: Approval) -> Approval:
    """Without what an order carries, which may hold secrets, and without thousands of stations' names."""
    kept = {name: value for name, value in one.request.items() if name not in ("parameters", "station_ids")}
    return msgspec.structs.replace(one, request=kept)


async def list_shown(conn: Connection, party_id: UUID) -> list[Approval]:
    """`list_approvals`, as others may read it."""
    return [shown(one) for one in await list_approvals(conn, party_id)]


async def hold(conn: Connection, actor: Actor, approval_id: UUID) -> Approval:
    """One that waits, held until the transaction ends, for somebody who may agree to it.

    Raises NotFound; Conflict when it is decided or over; Refused for whoever asked; NotAllowed.
    """
    require(actor, "approvals:decide")
    found = await _waiting(conn, actor, approval_id)
    if found.asked_by == actor.actor_id:
        raise Refused("you asked for it yourself: somebody else must agree")
    if actor.operator_id is None:
        raise Refused("a key is nobody's second person")
    if await accounts.person_behind(conn, actor.party_id, found.asked_by) == actor.actor_id:
        raise Refused("a key of your own asked for it: somebody else must agree")
    return found


async def approve(conn: Connection, actor: Actor, held: Approval, result: str) -> None:
    """It is agreed to, and was carried out in this transaction as `result`. Raises Refused once whoever asked is out."""
    if not await accounts.is_at_work(conn, actor.party_id, held.asked_by):
        raise Refused("whoever asked for it may no longer do so: reject it, or ask for it yourself")
    await _decided(conn, actor, held, "approved", None, result)


async def reject(conn: Connection, actor: Actor, approval_id: UUID, reason: str) -> None:
    """It will not happen. Raises as `hold` does, and Invalid without a reason."""
    found = await hold(conn, actor, approval_id)
    reason = " ".join(reason.split())
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise Invalid(f"say why, in up to {MOST_REASON} characters: the person who asked reads it", "reason")
    await _decided(conn, actor, found, "rejected", reason, None)


async def withdraw(conn: Connection, actor: Actor, approval_id: UUID) -> None:
    """Whoever asked no longer wants it. Raises NotFound, Conflict, and Refused for others."""
    found = await _waiting(conn, actor, approval_id)
    if found.asked_by != actor.actor_id:
        raise Refused("somebody else asked for it: reject it, with a reason")
    await _decided(conn, actor, found, "withdrawn", None, None)


forget_parameters = store.forget_parameters


async def _waiting(conn: Connection, actor: Actor, approval_id: UUID) -> Approval:
    found = await store.find(conn, actor.party_id, approval_id, clock.now(), for_update=True)
    if found is None:
        raise NotFound(f"no approval {approval_id}")
    if found.state != "waiting":
        raise Conflict(f"this is {found.state} already")
    return found


async def _decided(
    conn: Connection, actor: Actor, found: Approval, state: str, reason: str | None, result: str | None
) -> None:
    now = clock.now()
    await store.decide(conn, actor.party_id, found.approval_id, state, actor.actor_id, actor.name, now, reason, result)
    detail: dict[str, object] = {"asked_by": found.asked_by, "reason": reason, "result": result}
    await accounts.audit(conn, actor, f"approval.{state}", f"approval/{found.approval_id}", detail)
