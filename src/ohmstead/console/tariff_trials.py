"""What would we have earned? A tariff, kept or not yet, tried over sessions of the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.ledger.entries import after, month_of
from ohmstead.console import tariff_form
from ohmstead.console.forms import Form, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_ledger import month_text
from ohmstead.console.money_words import who
from ohmstead.console.tariffs import location_names, zone_in
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.language import grouped
from ohmstead.reports.money import queries as books
from ohmstead.sessions.pricing import simulating
from ohmstead.sessions.pricing.simulating import PayerChange, SimulationResult, TariffSimulation
from ohmstead.tariffs import queries
from ohmstead.tariffs.model import Tariff
from ohmstead.tokens import queries as tokens
from ohmstead.ui import prices
from ohmstead.ui.templating import page

DAYS = 30
_TOLD = 10
_LATELY = 10
_MONTHS = 13


@post("/tariffs/trials", status_code=200)
async def try_tariff(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Ask what a time of the past would have cost: under a tariff that is kept, one that was tried, or the form's."""
    allow(actor, "tariffs:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:write")
        tariff = await _tariff(request, conn, actor, given)
        place = given.fields.get("location_id")
        from_at, to_at = _span(given.fields.get("month", ""), zone_in(request))
        async with conn.transaction():
            made = await simulating.ask(
                conn, actor, tariff, from_at, to_at, uuid_of(place, "location") if place else None
            )
    await bus.publish(NUDGE, {})
    return Redirect(f"/tariffs/trials/{made.simulation_id}", status_code=303)


async def _tariff(request: PageRequest, conn: Connection, actor: Actor, given: Form) -> Tariff:
    if tariff_id := given.fields.get("tariff_id"):
        return (await queries.get_tariff(conn, actor.party_id, uuid_of(tariff_id, "tariff"))).tariff
    if tried := given.fields.get("simulation_id"):
        return await simulating.get_tried(conn, actor.party_id, uuid_of(tried, "simulation"))
    read = tariff_form.read(given, zone_in(request))
    if read.tariff is None:
        field, text = next(iter(read.errors.items()))
        raise Invalid(text, field=field)
    return read.tariff


def _span(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A month where the books are kept, as far as it is over; without one the last DAYS days. Raises Invalid."""
    now = clock.now()
    if not month:
        return now - timedelta(days=DAYS), now
    first = month_of(month)
    begin, end = (datetime.combine(day, time(), zone) for day in (first, after(first)))
    return begin, min(end, now)


@get("/tariffs/trials/{simulation_id:str}")
async def trial(request: PageRequest, pool: PoolIn, actor: ActorIn, simulation_id: FromPath[str]) -> Response[str]:
    """The answer; as long as there is none the page asks again every second."""
    known = uuid_of(simulation_id, "simulation")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:read")
        found = await simulating.get_simulation(conn, actor.party_id, known)
        tried = await simulating.get_tried(conn, actor.party_id, known)
        lately = await simulating.list_simulations(conn, actor.party_id, limit=_LATELY)
        names = await location_names(conn, actor)
        uids = await _uids(conn, actor, found)
        people = await books.names_of_actors(conn, actor.party_id, [one.asked_by for one, _tariff in lately])
    result = found.result
    zone = zone_in(request)
    return page(
        request,
        "console/tariff_trial.html",
        found=found,
        tried=tried,
        place=names.get(found.location_id) if found.location_id else None,
        places=names,
        month=_month_in(found, zone),
        months=_months(clock.now().astimezone(zone).date()),
        month_text=month_text,
        lately=lately,
        who=lambda code: who(code, people),
        may_write=may(actor, "tariffs:write"),
        more=result.most_more[:_TOLD] if result else [],
        less=result.most_less[:_TOLD] if result else [],
        change=_change(result) if result else "",
        uids=uids,
        prices=prices,
    )


def _change(result: SimulationResult) -> str:
    """How much more or less would have come in, of what is compared."""
    was, would_be = result.revenue_before, result.revenue_after
    if was <= 0 or was == would_be:
        return ""
    percent = (would_be - was) / was * 100
    digits = 0 if abs(percent) >= 10 else 1
    return f"{'▲' if percent > 0 else '▼'} {grouped(f'{abs(percent):.{digits}f}')} %"


def _months(today: date) -> list[date]:
    """The first days of this month and of those before it, newest first."""
    found = [today.replace(day=1)]
    while len(found) < _MONTHS:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found


def _month_in(found: TariffSimulation, zone: ZoneInfo) -> date | None:
    """The month whose sessions were tried; None: another time."""
    begin = found.from_at.astimezone(zone)
    return begin.date() if begin.day == 1 and begin.time() == time() else None


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
