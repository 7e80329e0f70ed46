"""Whose network is this, and who works for several? The party's settings, the installation's parties, the switch."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import ADMIN, Actor
from ohmstead.accounts.parties import service as parties
from ohmstead.accounts.parties.model import NewMembership, NewParty, PartyChange, PartyView
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.language import N_, gettext, told
from ohmstead.core.validation import fault_of
from ohmstead.doorway import WITHIN
from ohmstead.reports.pages import queries as pages
from ohmstead.settings import Settings
from ohmstead.ui.templating import page

KINDS = {
    "network_operator": N_("Network operator"),
    "site_host": N_("Site host"),
    "emobility_provider": N_("E-mobility provider"),
    "fleet": N_("Fleet"),
}
LANGUAGES = {"en": "English", "de": "Deutsch"}
ROLES = ("owner", "operations", "technician", "support", "finance", "site_host", "read_only")
_DANGEROUS: dict[str, Any] = {"needs_proof": True}
_FIELDS = ("name", "kind", "country_code", "party_code", "currency", "time_zone", "language")
_WORDS = {
    "name": N_("1 to 200 characters."),
    "country_code": N_("Two letters, as NL."),
    "party_code": N_("Three letters or digits."),
    "currency": N_("Three letters, as EUR."),
    "time_zone": N_("As Europe/Amsterdam."),
    "owner_name": N_("1 to 100 characters."),
    "owner_email": N_("As ada@example.com."),
}


@post("/party", opt=WITHIN, status_code=200)
async def switch(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Redirect:
    """Work for another of one's parties in this browser; the page begins anew there."""
    given = await _given(request)
    async with pool.acquire() as conn, conn.transaction():
        await parties.switch(conn, actor, uuid_of(given.get("party_id", ""), "party"))
    return Redirect("/", status_code=303)


# -------------------------------------------------------------------------------------------------- one's own party


@get("/settings/party")
async def own_party(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The party's name, codes, currency, zone, language and rules; who of other parties works for it."""
    return await _own(request, pool, actor)


@post("/settings/party", opt=_DANGEROUS, status_code=200)
async def change_own_party(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Change them; two who change at once see both versions."""
    allow(actor, ADMIN)
    given = await _given(request)
    try:
        change = msgspec.convert({name: given[name] for name in _FIELDS if given.get(name)}, PartyChange)
        change.needs_second_person = given.get("needs_second_person") == "yes"
        async with pool.acquire() as conn, conn.transaction():
            await parties.change(conn, actor, actor.party_id, change, _version(given))
    except (msgspec.ValidationError, Invalid, Conflict) as error:
        return await _own(request, pool, actor, _errors(error), given)
    return Redirect("/settings/party?saved=1", status_code=303)


@post("/settings/guests/{operator_id:str}", opt=_DANGEROUS, status_code=200)
async def remove_guest(request: PageRequest, pool: PoolIn, actor: ActorIn, operator_id: FromPath[str]) -> Redirect:
    """Somebody of another party works for this one no longer."""
    allow(actor, "people:write")
    async with pool.acquire() as conn, conn.transaction():
        await parties.withdraw(conn, actor, actor.party_id, uuid_of(operator_id, "guest"))
    return Redirect("/settings/party", status_code=303)


async def _own(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    errors: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ADMIN)
        party = await parties.get_party(conn, actor.party_id)
        guests = await parties.list_guests(conn, actor.party_id) if view.may("people:write") else []
    return page(
        request,
        "console/party.html",
        status=422 if errors else 200,
        party=party,
        given=given if given is not None else _shown(party),
        errors=errors or {},
        guests=guests,
        kinds=KINDS,
        party_languages=LANGUAGES,
    )


# -------------------------------------------------------------------------------------------- the installation's


@get("/settings/parties")
async def all_parties(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All parties, with the form for one more."""
    return await _all(request, pool, actor)


@post("/settings/parties", opt=_DANGEROUS, status_code=200)
async def add_party(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """Make one; its first owner's link is shown this once."""
    allow(actor, parties.MAKE)
    given = await _given(request)
    names = (*_FIELDS, "owner_name", "owner_email")
    try:
        wanted = msgspec.convert({name: given[name] for name in names if given.get(name)}, NewParty)
        async with pool.acquire() as conn, conn.transaction():
            _, owner, secret = await parties.create(conn, actor, wanted)
    except (msgspec.ValidationError, Invalid, Conflict, Refused) as error:
        return await _all(request, pool, actor, errors=_errors(error), given=given)
    return await _all(request, pool, actor, link=(owner.name, _link(settings, secret)) if owner and secret else None)


@get("/settings/parties/{party_id:str}")
async def one_party(request: PageRequest, pool: PoolIn, actor: ActorIn, party_id: FromPath[str]) -> Response[str]:
    """One party: what it is, and who is lent to it."""
    return await _one(request, pool, actor, uuid_of(party_id, "party"))


@post("/settings/parties/{party_id:str}", opt=_DANGEROUS, status_code=200)
async def change_party(request: PageRequest, pool: PoolIn, actor: ActorIn, party_id: FromPath[str]) -> Response[Any]:
    """Change it; lend somebody to it, or take them back."""
    allow(actor, parties.MAKE)
    known = uuid_of(party_id, "party")
    given = await _given(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await _do(conn, actor, known, given)
    except (msgspec.ValidationError, Invalid, Conflict, Refused) as error:
        return await _one(request, pool, actor, known, _errors(error), given)
    except NotFound as error:
        if given.get("do") != "lend":
            raise
        return await _one(request, pool, actor, known, {"email": told(error)}, given)
    return Redirect(f"/settings/parties/{known}", status_code=303)


async def _do(conn: Connection, actor: Actor, party_id: UUID, given: dict[str, str]) -> None:
    match given.get("do"):
        case "lend":
            operator_id = await parties.find_by_email(conn, actor, given.get("email", ""))
            wanted = msgspec.convert({"role": given.get("role")}, NewMembership)
            wanted.location_ids = _places(given)
            await parties.lend(conn, actor, party_id, operator_id, wanted)
        case "withdraw":
            await parties.withdraw(conn, actor, party_id, uuid_of(given.get("operator_id", ""), "guest"))
        case _:
            change = msgspec.convert({name: given[name] for name in _FIELDS if given.get(name)}, PartyChange)
            await parties.change(conn, actor, party_id, change, _version(given))


async def _all(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    *,
    errors: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
    link: tuple[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, parties.MAKE)
        found = await parties.list_parties(conn)
    return page(
        request,
        "console/parties.html",
        status=422 if errors else 200,
        found=found,
        given=given or {"kind": "site_host", "currency": found[0].currency, "time_zone": found[0].time_zone},
        errors=errors or {},
        kinds=KINDS,
        party_languages=LANGUAGES,
        link=link,
    )


async def _one(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    party_id: UUID,
    errors: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, parties.MAKE)
        party = await parties.get_party(conn, party_id)
        guests = await parties.list_guests(conn, party_id)
        locations = await pages.list_locations(conn, parties.scope_of(party))
    return page(
        request,
        "console/party_of_installation.html",
        status=422 if errors else 200,
        party=party,
        guests=guests,
        locations=locations,
        given={**_shown(party), **(given or {})},
        errors=errors or {},
        kinds=KINDS,
        party_languages=LANGUAGES,
        roles=ROLES,
    )


# ---------------------------------------------------------------------------------------------- where somebody sees


@get("/people/{operator_id:str}/locations")
async def places_page(request: PageRequest, pool: PoolIn, actor: ActorIn, operator_id: FromPath[str]) -> Response[str]:
    """Where one of the party's people may do what their role says."""
    return await _places_page(request, pool, actor, uuid_of(operator_id, "operator"))


@post("/people/{operator_id:str}/locations", opt=_DANGEROUS, status_code=200)
async def give_places(request: PageRequest, pool: PoolIn, actor: ActorIn, operator_id: FromPath[str]) -> Response[Any]:
    """Change it; it counts at once."""
    allow(actor, "people:write")
    known = uuid_of(operator_id, "operator")
    given = await _given(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await parties.give_locations(conn, actor, known, _places(given))
    except (Invalid, Refused) as error:
        return await _places_page(request, pool, actor, known, told(error))
    return Redirect(f"/people/{known}", status_code=303)


async def _places_page(
    request: PageRequest, pool: PoolIn, actor: Actor, operator_id: UUID, error: str = ""
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "people:write")
        person = await parties.get_person(conn, actor.party_id, operator_id)
        locations = await pages.list_locations(conn, actor.scope)
    return page(
        request,
        "console/person_locations.html",
        status=422 if error else 200,
        person=person,
        locations=locations,
        errors={"locations": error} if error else {},
    )


# ---------------------------------------------------------------------------------------------------------- forms


async def _given(request: PageRequest) -> dict[str, str]:
    """The form's fields; of locations, which may be several, one text with spaces between."""
    form = await request.form()
    given = {name: value.strip() for name, value in form.items() if isinstance(value, str) and name != "csrf_token"}
    given["location_ids"] = " ".join(str(value) for value in form.getall("location_ids", []))
    return given


def _places(given: dict[str, str]) -> list[UUID] | None:
    if given.get("where") != "some":
        return None
    try:
        return [UUID(text) for text in given.get("location_ids", "").split()]
    except ValueError as error:
        raise Invalid("one of these is no location of the party", "locations") from error


def _version(given: dict[str, str]) -> int | None:
    text = given.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _errors(error: Exception) -> dict[str, str]:
    if isinstance(error, msgspec.ValidationError):
        field, text = fault_of(error)
        return {field or "name": gettext(_WORDS[field]) if field in _WORDS else text}
    if isinstance(error, Invalid):
        return {error.field or "name": told(error)}
    if isinstance(error, OhmsteadError):
        if error.detail.get("is_stale"):
            return {"stale": told(error)}
        return {str(error.detail.get("field", "name")): told(error)}
    raise error


def _shown(party: PartyView) -> dict[str, str]:
    shown = {name: str(getattr(party, name)) for name in _FIELDS}
    return {**shown, "needs_second_person": "yes" if party.needs_second_person else ""}


def _link(settings: Settings, secret: str) -> str:
    return f"{settings.console_url}/sign-in?link={quote(secret)}"


HANDLERS = [
    switch,
    own_party,
    change_own_party,
    remove_guest,
    all_parties,
    add_party,
    one_party,
    change_party,
    places_page,
    give_places,
]
