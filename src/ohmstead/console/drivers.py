"""Who charges? The list of drivers, and one driver with tokens, sessions and what may be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.lists import service as lists
from ohmstead.console.exports import table_response
from ohmstead.console.forms import Form, decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import owed_by
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.core.money import Money
from ohmstead.core.validation import in_words
from ohmstead.drivers import queries
from ohmstead.drivers import service as drivers
from ohmstead.drivers.model import Driver, DriverChange, NewDriver
from ohmstead.drivers.queries import SORTS, DriverFilter, Sort
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.people import queries as people
from ohmstead.sessions.covers import service as covers
from ohmstead.sessions.erasing import service as erasing
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE = 50
EXPORTED = 50_000
SHOWN = ("active", "blocked", "erased")
# The form's fields and what they are called.
FIELDS = {
    "name": N_("Name"),
    "email": N_("E-mail"),
    "phone": N_("Phone"),
    "language": N_("Reads"),
    "company": N_("Company"),
    "group_uid": N_("Group"),
    "vehicles": N_("Vehicles"),
    "notes": N_("Notes"),
}


@get("/drivers")
async def driver_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; text, state, group, order and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "drivers:read")
        wanted, sort, number = _wanted(view), _sort(view), _number(view)
        found = await queries.list_drivers(
            conn,
            actor.party_id,
            wanted,
            sort,
            limit=PAGE,
            offset=(number - 1) * PAGE,
        )
        counts = await queries.count_drivers(conn, actor.party_id, wanted)
        used = await people.driver_last_uses(conn, actor.party_id, [d.driver_id for d in found])
        hidden = await lists.hidden_columns(conn, actor, "drivers")
    n_found = counts.get(wanted.status, 0) if wanted.status else sum(counts.values())
    return page(
        request,
        "console/drivers.html",
        hidden=hidden,
        found=found,
        used=used,
        counts={"all": sum(counts.values()), **counts},
        show=wanted.status or "all",
        sort=sort.removeprefix("-"),
        is_descending=sort.startswith("-"),
        number=number,
        n_found=n_found,
        n_pages=max(1, -(-n_found // PAGE)),
        first=(number - 1) * PAGE + 1,
        headline=headline(counts),
    )


@get(["/drivers.csv", "/drivers.xlsx"])
async def drivers_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it, as csv or xlsx."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "drivers:read")
        found = await queries.list_drivers(conn, actor.party_id, _wanted(view), _sort(view), limit=EXPORTED)
    columns = (
        "driver_id", "name", "email", "phone", "phone_confirmed_at", "language", "company", "group_uid", "vehicles", "notes",
        "status", "n_tokens", "contracts", "created_at", "updated_at",
    )  # fmt: skip
    return await table_response(request, columns, ([getattr(d, name) for name in columns] for d in found))


def _wanted(view: View) -> DriverFilter:
    show = view.query["show"]
    return DriverFilter(
        status=cast("Any", show) if show in SHOWN else None,
        group=view.query["group"][:255] or None,
        q=view.query["q"].strip()[:100] or None,
    )


def _sort(view: View) -> Sort:
    sort = view.query["sort"] if view.query["sort"] in SORTS else "name"
    return cast("Sort", f"-{sort}" if view.query["order"] == "desc" else sort)


def _number(view: View) -> int:
    text = view.query["page"]
    return min(max(int(text), 1), 2000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def headline(counts: Mapping[str, int]) -> str:
    """The answer in one sentence."""
    n_alive, n_blocked = counts.get("active", 0) + counts.get("blocked", 0), counts.get("blocked", 0)
    if not n_alive:
        return _("No driver fits.") if counts else _("Nobody is known by name yet.")
    if not n_blocked:
        return n_("%(n)s driver.", "%(n)s drivers.", n_alive)
    blocked = figures.number(n_blocked)
    return n_(
        "%(n)s driver, %(blocked)s of them blocked.",
        "%(n)s drivers, %(blocked)s of them blocked.",
        n_alive,
        blocked=blocked,
    )


# ---------------------------------------------------------------------------------------------------- one driver


@get("/drivers/new")
async def new_driver(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
    return _form(request, {}, {})


@post("/drivers/new", status_code=200)
async def add_driver(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create a driver, or show what does not fit."""
    allow(actor, "drivers:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
        try:
            wanted = msgspec.convert(_values(given), NewDriver)
            async with conn.transaction():
                made = await drivers.create_driver(conn, actor, wanted)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, faults_of(error, FIELDS))
    await bus.publish(NUDGE, {})
    return Redirect(f"/drivers/{made.driver_id}", status_code=303)


@get("/drivers/{driver_id:str}")
async def driver_page(request: PageRequest, pool: PoolIn, actor: ActorIn, driver_id: FromPath[str]) -> Response[str]:
    """One driver: who, with what, and what was charged."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:read")
        driver = await queries.get_driver(conn, actor.party_id, uuid_of(driver_id, "driver"))
        return await _page(request, conn, actor, driver)


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    driver: Driver,
    error: str = "",
    wanted_limit: str | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response[str]:
    held = await tokens.list_tokens(conn, actor.party_id, TokenFilter(driver=driver.driver_id), limit=200)
    usage = await people.driver_usage(conn, actor.party_id, driver.driver_id)
    last = await people.last_sessions(conn, actor.party_id, driver.driver_id, 20)
    found = await pages.sessions_called(conn, actor.party_id, last)
    limit = await covers.get_price_limit(conn, actor.party_id, driver.driver_id)
    party = await accounts.get_party(conn, actor.party_id)
    typed = f"{limit.amount:f}" if limit else ""
    return page(
        request,
        "console/driver.html",
        status=422 if errors else 409 if error else 200,
        limit=limit,
        wanted_limit=typed if wanted_limit is None else wanted_limit,
        limit_currency=limit.currency if limit else party.currency,
        errors=errors or {},
        driver=driver,
        held=held,
        usage=usage,
        sessions=found,
        owed=await owed_by(conn, actor, f"driver:{driver.driver_id}"),
        prices=prices,
        error=error,
    )


@post("/drivers/{driver_id:str}/price-limit", status_code=200)
async def set_price_limit(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """What a session of theirs may cost at most; empty: what it does."""
    allow(actor, "drivers:write")
    given, known = await form_of(request), uuid_of(driver_id, "driver")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
        driver = await queries.get_driver(conn, actor.party_id, known)
        limit = await covers.get_price_limit(conn, actor.party_id, known)
        party = await accounts.get_party(conn, actor.party_id)
        currency = limit.currency if limit else party.currency
        try:
            amount = decimal_in(given, "price_limit")
            if amount is not None or limit is not None:
                most = Money(amount, currency) if amount is not None else None
                async with conn.transaction():
                    await covers.set_price_limit(conn, actor.party_id, known, most)
        except Invalid as error:
            told = {"price_limit": in_words(error.text)}
            return await _page(
                request, conn, actor, driver, wanted_limit=given.fields.get("price_limit", ""), errors=told
            )
    await bus.publish(NUDGE, {})
    return Redirect(f"/drivers/{known}#price-limit", status_code=303)


@get("/drivers/{driver_id:str}/edit")
async def edit_driver(request: PageRequest, pool: PoolIn, actor: ActorIn, driver_id: FromPath[str]) -> Response[str]:
    """The form with what is known."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
        driver = await queries.get_driver(conn, actor.party_id, uuid_of(driver_id, "driver"))
    return _form(request, _shown(driver), {}, driver)


@post("/drivers/{driver_id:str}/edit", status_code=200)
async def change_driver(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Change a driver. Where somebody else did meanwhile, both versions are shown and nothing typed is lost."""
    allow(actor, "drivers:write")
    given = await form_of(request)
    found = uuid_of(driver_id, "driver")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
        try:
            wanted = msgspec.convert(_values(given), DriverChange)
            async with conn.transaction():
                await drivers.change_driver(conn, actor, found, wanted, given.version)
        except (msgspec.ValidationError, Invalid) as error:
            driver = await queries.get_driver(conn, actor.party_id, found)
            return _form(request, given.fields, faults_of(error, FIELDS), driver)
        except Conflict:
            driver = await queries.get_driver(conn, actor.party_id, found)
            return _form(request, given.fields, {}, driver, theirs=_shown(driver))
    await bus.publish(NUDGE, {})
    return Redirect(f"/drivers/{driver_id}", status_code=303)


def _form(
    request: PageRequest,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    driver: Driver | None = None,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    differing = [name for name in FIELDS if theirs and theirs[name] != given.get(name, "")]
    return page(
        request,
        "console/driver_form.html",
        status=409 if theirs else 422 if errors else 200,
        given=given,
        errors=errors,
        driver=driver,
        theirs=theirs,
        differing=differing,
        labels=FIELDS,
    )


def _shown(driver: Driver) -> dict[str, str]:
    values = {name: getattr(driver, name) or "" for name in FIELDS}
    return {**values, "vehicles": "\n".join(driver.vehicles)}


def _values(given: Form) -> dict[str, Any]:
    values: dict[str, Any] = {name: given.fields.get(name, "") for name in FIELDS}
    for name in ("email", "phone", "language", "group_uid"):
        values[name] = values[name] or None
    values["vehicles"] = [line.strip() for line in values["vehicles"].splitlines() if line.strip()]
    return values


@post([f"/drivers/{{driver_id:str}}/{deed}" for deed in ("block", "unblock")], status_code=200)
async def do_to_driver(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Block or unblock. Why it cannot be done is said on the driver's page."""
    return await _do(request, pool, bus, actor, driver_id)


@post("/drivers/{driver_id:str}/erase", status_code=200, opt={"needs_proof": True})
async def erase_driver(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Erase for good. Why it cannot be done is said on the driver's page."""
    return await _do(request, pool, bus, actor, driver_id)


async def _do(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: str) -> Response[Any]:
    allow(actor, "drivers:write")
    found, deed = uuid_of(driver_id, "driver"), request.scope["path"].rpartition("/")[2]
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:write")
        driver = await queries.get_driver(conn, actor.party_id, found)
        try:
            async with conn.transaction():
                if deed == "erase":
                    await erasing.erase_driver(conn, actor, found)
                else:
                    await drivers.set_status(conn, actor, found, "blocked" if deed == "block" else "active")
        except Refused as refused:
            return await _page(request, conn, actor, driver, refused.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/drivers/{driver_id}", status_code=303)


HANDLERS: Sequence[Any] = [
    driver_list,
    drivers_table,
    new_driver,
    add_driver,
    driver_page,
    set_price_limit,
    edit_driver,
    change_driver,
    do_to_driver,
    erase_driver,
]
