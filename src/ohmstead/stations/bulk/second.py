"""Orders to many stations that wait for a second person, where the party wants one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.accounts.approvals import service as approvals
from ohmstead.accounts.approvals.model import Approval
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.stations import orders, rules
from ohmstead.stations.bulk import service
from ohmstead.stations.bulk.model import BulkCommand
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import Order

KIND: Final = "bulk_command"


class Wanted(Struct, frozen=True, kw_only=True):
    """An order to many, as it waits."""

    kind: str
    parameters: dict[str, Any]
    station_ids: list[str]
    selection: dict[str, Any]
    terms: dict[str, Any]


async def create(
    pool: Pool,
    desk: CommandDesk,
    actor: Actor,
    order: Order,
    station_ids: Sequence[str],
    selection: dict[str, Any],
    *,
    timeout_s: float = 30,
    queue_for_s: float | None = None,
    at_once: int = service.MOST_AT_STATIONS,
) -> BulkCommand | Approval:
    """As bulk.service.create; where the party wants a second person it waits for one, with the stations as of now.

    Raises Invalid and Refused before anybody is asked to agree.
    """
    async with pool.acquire() as conn:
        is_needed = await approvals.is_needed(conn, actor.party_id)
    if not is_needed:
        return await service.create(
            pool,
            desk,
            actor,
            order,
            station_ids,
            selection,
            timeout_s=timeout_s,
            queue_for_s=queue_for_s,
            at_once=at_once,
        )
    await desk.look_at_addresses(order, actor.party_id, None, actor.actor_id)
    rules.check(orders.numbered(order), clock.now())
    if not station_ids:
        raise Invalid("stations: none fits", "stations")
    wanted = Wanted(
        kind=orders.kind_of(order),
        parameters=orders.parameters_of(order),
        station_ids=list(station_ids),
        selection=selection,
        terms={"timeout_s": timeout_s, "queue_for_s": queue_for_s, "at_once": at_once},
    )
    n = len(wanted.station_ids)
    summary = f"{wanted.kind.replace('_', ' ')} to {n} {'station' if n == 1 else 'stations'}"
    async with pool.acquire() as conn, conn.transaction():
        return await approvals.ask(conn, actor, KIND, summary, msgspec.to_builtins(wanted))


async def approve(pool: Pool, desk: CommandDesk, actor: Actor, approval_id: UUID) -> BulkCommand:
    """Agree: it goes out in the name of whoever asked. Raises as approvals.service.hold does, and Refused and Invalid.

    Stations that were retired meanwhile are passed over.
    """
    async with pool.acquire() as conn:
        asked = await approvals.get(conn, actor.party_id, approval_id)
    if asked.state != "waiting" or asked.kind != KIND:
        raise Conflict(f"this is {asked.state} already")
    wanted = msgspec.convert(asked.request, Wanted)
    order = orders.order_from(wanted.kind, wanted.parameters)
    asker = msgspec.structs.replace(
        actor, actor_id=asked.asked_by, name=asked.asked_name, web_session_id=None, remote_address=None
    )
    # Where stations may be sent may have changed since.
    await desk.look_at_addresses(order, asker.party_id, None, asker.actor_id)
    async with pool.acquire() as conn, conn.transaction():
        held = await approvals.hold(conn, actor, approval_id)
        made = await service.remember(conn, asker, order, wanted.station_ids, wanted.selection, wanted.terms)
        await approvals.approve(conn, actor, held, f"bulk_command/{made.bulk_id}")
    return made
