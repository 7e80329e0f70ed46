"""What would we have earned? A tariff, kept or not yet, tried over the sessions of the last month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.console import tariff_form
from ohmstead.console.forms import form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.tariffs import location_names, zone_in
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.core.events import NUDGE
from ohmstead.sessions.pricing import simulating
from ohmstead.sessions.pricing.simulating import PayerChange, TariffSimulation
from ohmstead.tariffs import queries
from ohmstead.tokens import queries as tokens
from ohmstead.ui import prices
from ohmstead.ui.templating import page

DAYS = 30
_TOLD = 10


@post("/tariffs/trials", status_code=200)
async def try_tariff(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Ask what the last month would have cost: under a tariff that is kept, or under the one in the form."""
    allow(actor, "tariffs:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:write")
        if given.fields.get("tariff_id"):
            tariff_id = uuid_of(given.fields["tariff_id"], "tariff")
            tariff = (await queries.get_tariff(conn, actor.party_id, tariff_id)).tariff
        else:
            read = tariff_form.read(given, zone_in(request))
            if read.tariff is None:
                field, text = next(iter(read.errors.items()))
                raise Invalid(text, field=field)
            tariff = read.tariff
        place = given.fields.get("location_id")
        now = clock.now()
        async with conn.transaction():
            made = await simulating.ask(
                conn, actor, tariff, now - timedelta(days=DAYS), now, uuid_of(place, "location") if place else None
            )
    await bus.publish(NUDGE, {})
    return Redirect(f"/tariffs/trials/{made.simulation_id}", status_code=303)


@get("/tariffs/trials/{simulation_id:str}")
async def trial(request: PageRequest, pool: PoolIn, actor: ActorIn, simulation_id: FromPath[str]) -> Response[str]:
    """The answer; as long as there is none the page asks again every second."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:read")
        found = await simulating.get_simulation(conn, actor.party_id, uuid_of(simulation_id, "simulation"))
        names = await location_names(conn, actor) if found.location_id else {}
        uids = await _uids(conn, actor, found)
    result = found.result
    return page(
        request,
        "console/tariff_trial.html",
        found=found,
        place=names.get(found.location_id) if found.location_id else None,
        more=result.most_more[:_TOLD] if result else [],
        less=result.most_less[:_TOLD] if result else [],
        uids=uids,
        prices=prices,
    )


async def _uids(conn: Connection, actor: Actor, found: TariffSimulation) -> dict[UUID, str]:
    """What people know tokens by; nothing for who may not see any."""
    if found.result is None or not may(actor, "tokens:read"):
        return {}
    told: list[PayerChange] = [*found.result.most_more[:_TOLD], *found.result.most_less[:_TOLD]]
    uids = {}
    for one in told:
        if one.token_id is not None and (token := await tokens.find_token(conn, actor.party_id, one.token_id)):
            uids[one.token_id] = token.label or token.uid
    return uids


HANDLERS: Sequence[Any] = [try_tariff, trial]
