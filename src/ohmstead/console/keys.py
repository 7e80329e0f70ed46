"""Which programs may come in? API keys: the list, one of them, and making one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts import access, service
from ohmstead.accounts.access import ADMIN, Actor
from ohmstead.accounts.model import ApiKey
from ohmstead.accounts.parties import service as parties
from ohmstead.console.exports import csv_response
from ohmstead.console.forms import Form, form_of
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.language import N_, _, told
from ohmstead.reports.pages import queries as pages
from ohmstead.ui.templating import page

PLACE: Final = "/settings/keys"
SOON: Final = timedelta(days=14)
UNUSED: Final = timedelta(days=90)
# What a key may do, by theme, in plain words; every action is in here once.
SCOPES: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    (
        N_("Stations"),
        {
            "stations:read": N_("See locations and stations, their state and settings"),
            "stations:write": N_("Create, change, adopt and retire stations and locations"),
            "logs:read": N_("Read logs that stations sent"),
            "messages:read": N_("Read every OCPP message"),
        },
    ),
    (
        N_("Orders to stations"),
        {
            "commands:send": N_("Send orders: start, stop, reset, unlock and all others"),
            "commands:raw": N_("Send any OCPP message, security settings too"),
            "firmware:write": N_("Upload firmware and roll it out"),
            "reservations:read": N_("See reservations"),
            "reservations:write": N_("Reserve outlets, and cancel that"),
        },
    ),
    (
        N_("Sessions, tokens and drivers"),
        {
            "sessions:read": N_("See sessions and their readings"),
            "tokens:read": N_("See tokens"),
            "tokens:write": N_("Create, change, block and delete tokens"),
            "drivers:read": N_("See drivers, who are people with names and addresses"),
            "drivers:write": N_("Create, change, block and erase drivers"),
        },
    ),
    (
        N_("Prices and bills"),
        {
            "tariffs:read": N_("See tariffs, where they apply, and what sessions cost"),
            "tariffs:write": N_("Publish tariffs, assign them, write prices of markets"),
            "billing:read": N_("See CDRs, sessions that are not billed, and the books"),
            "billing:write": N_("Credit CDRs, decide about sessions that are not billed, close months"),
            "payments:read": N_("See payments, debts and chargebacks"),
            "payments:write": N_("Refund payments, let holds go, forgive debts"),
        },
    ),
    (
        N_("What happens"),
        {
            "events:read": N_("Follow the live stream and all events"),
            "webhooks:write": N_("Set webhooks up and send requests again"),
            "notifications:read": N_("See what people were told, and the words of messages"),
            "notifications:write": N_("Change the words of messages, send messages again, choose for drivers"),
        },
    ),
    (
        N_("People and settings"),
        {
            "people:write": N_("Invite people, give them roles, see who signed in"),
            "people:provision": N_("Keep people as a directory has them (SCIM)"),
            "approvals:decide": N_("Nothing yet: only people approve orders"),
            "parties:write": N_("Create and change the parties of this installation"),
            ADMIN: N_("Everything, making more keys too"),
        },
    ),
)
WORDS: Final = {scope: words for _theme, scopes in SCOPES for scope, words in scopes.items()}
# How long a key is good: in days; `day` is a day of one's own.
EXPIRIES: Final = {
    "7": N_("a week"),
    "30": N_("30 days"),
    "90": N_("90 days"),
    "365": N_("a year"),
    "day": N_("until a day of your choice"),
    "never": N_("for good, until it is revoked"),
}


def state_of(key: ApiKey, now: datetime) -> str:
    """`good`, `soon` over, `over` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None or key.expires_at > now + SOON:
        return "good"
    return "soon" if key.expires_at > now else "over"


@get(PLACE)
async def key_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Those that are good; `?show=all`: those of before too."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ADMIN)
        found = await service.list_api_keys(conn, actor.party_id)
    good = [key for key in found if state_of(key, view.now) in ("good", "soon")]
    idle = [key for key in good if max(key.created_at, key.last_used_at or key.created_at) < view.now - UNUSED]
    is_all = view.query["show"] == "all"
    shown = found if is_all else good
    q = view.query["q"].strip()[:100].lower()
    return page(
        request,
        "console/keys.html",
        found=[key for key in shown if not q or q in f"{key.name} {key.key_start} {' '.join(key.scopes)}".lower()],
        n_good=len(good),
        n_all=len(found),
        n_idle=len(idle),
        show="all" if is_all else "good",
        state_of=state_of,
        words=WORDS,
    )


@get(f"{PLACE}.csv")
async def key_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """All keys, those of before too."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ADMIN)
        found = await service.list_api_keys(conn, actor.party_id)
    columns = ["name", "key_start", "state", "scopes", "created_at", "created_by", "created_by_name", "expires_at",
               "last_used_at", "last_used_from", "revoked_at"]  # fmt: skip
    rows = ([state_of(key, view.now) if name == "state" else getattr(key, name) for name in columns] for key in found)
    return csv_response("api-keys", columns, rows)


@get(f"{PLACE}/new")
async def new_key(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    return await _form(request, pool, actor, Form({"expiry": "90"}, {}, None), {})


@post(f"{PLACE}/new", opt={"needs_proof": True}, status_code=200)
async def add_key(request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn) -> Response[str]:
    """Make it; it is shown this once."""
    allow(actor, ADMIN)
    given = await form_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            view = await opened(request, conn, actor, ADMIN)
            places = _places(given)
            if places is not None:
                await parties.check_locations(conn, actor.party_id, places)
            key, secret = await service.create_api_key(
                conn,
                actor,
                name=given.fields.get("name", "")[:100],
                scopes=given.many.get("scopes", []),
                expires_at=_expiry(given, view.zone),
                location_ids=places,
            )
    except (Invalid, Refused) as error:
        field = error.field if isinstance(error, Invalid) else "scopes"
        return await _form(request, pool, actor, given, {_FIELDS.get(field or "", field or "name"): told(error)})
    return page(
        request,
        "console/key_made.html",
        key=key,
        secret=secret,
        words=WORDS,
        curl=f'curl -H "Authorization: Bearer {secret}" {settings.console_url}/api/v1/me',
        headers={"Cache-Control": "no-store"},
    )


_FIELDS: Final = {"location_ids": "locations", "expires_at": "expiry"}


@get(PLACE + "/{api_key_id:str}")
async def one_key(request: PageRequest, pool: PoolIn, actor: ActorIn, api_key_id: FromPath[str]) -> Response[str]:
    """What it may do, and what it was used for."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
        return await _one(request, conn, actor, uuid_of(api_key_id, "API key"))


@post(PLACE + "/{api_key_id:str}", status_code=200)
async def change_key(request: PageRequest, pool: PoolIn, actor: ActorIn, api_key_id: FromPath[str]) -> Response[Any]:
    """Rename it, or revoke it."""
    allow(actor, ADMIN)
    known, given = uuid_of(api_key_id, "API key"), await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
        try:
            async with conn.transaction():
                if given.fields.get("do") == "revoke":
                    await service.revoke_api_key(conn, actor, known)
                else:
                    name = given.fields.get("name", "")[:100]
                    await service.rename_api_key(conn, actor, known, name, given.version)
        except (Invalid, Conflict) as error:
            return await _one(request, conn, actor, known, given, {"name": told(error)}, isinstance(error, Conflict))
    done = "revoked" if given.fields.get("do") == "revoke" else "renamed"
    return Redirect(f"{PLACE}/{known}?done={done}", status_code=303)


async def _one(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    api_key_id: UUID,
    given: Form | None = None,
    errors: Mapping[str, str] | None = None,
    is_stale: bool = False,
) -> Response[str]:
    key = await service.get_api_key(conn, actor.party_id, api_key_id)
    names = {}
    if key.location_ids is not None:
        names = {one["location_id"]: one["name"] for one in await pages.list_locations(conn, actor.scope)}
    return page(
        request,
        "console/key.html",
        status=422 if errors else 200,
        key=key,
        state=state_of(key, clock.now()),
        places=[names.get(one, _("a location that is gone")) for one in key.location_ids or []],
        given={"name": given.fields.get("name", "")} if given else {"name": key.name},
        errors=errors or {},
        theirs={"name": key.name} if is_stale else None,
        words=WORDS,
    )


async def _form(
    request: PageRequest, pool: PoolIn, actor: Actor, given: Form, errors: Mapping[str, str]
) -> Response[str]:
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ADMIN)
        locations = await pages.list_locations(conn, actor.scope)
    wanted = given.many.get("location_ids", [])
    chosen = [one["location_id"] for one in locations if str(one["location_id"]) in wanted]
    return page(
        request,
        "console/key_new.html",
        status=422 if errors else 200,
        given={"expiry": "90", **given.fields},
        scopes=given.many.get("scopes", []),
        themes=[(theme, {k: v for k, v in words.items() if access.may(actor, k)}) for theme, words in SCOPES],
        expiries=EXPIRIES,
        locations=locations,
        chosen=chosen if given.fields.get("where") == "some" else None,
        errors=errors,
        tomorrow=(view.now.astimezone(view.zone) + timedelta(days=1)).date().isoformat(),
    )


def _expiry(given: Form, zone: tzinfo) -> datetime | None:
    """When it is over; a day of one's own counts to its end, where one is. Raises Invalid."""
    wanted = given.fields.get("expiry", "90")
    if wanted == "never":
        return None
    if wanted == "day":
        try:
            day = datetime.strptime(given.fields.get("day", ""), "%Y-%m-%d").replace(tzinfo=zone)
            return day + timedelta(days=1)
        except (ValueError, OverflowError) as error:
            raise Invalid("choose the last day on which it is good", "expires_at") from error
    return clock.now() + timedelta(days=int(wanted) if wanted in EXPIRIES else 90)


def _places(given: Form) -> list[UUID] | None:
    if given.fields.get("where") != "some":
        return None
    try:
        found = [UUID(text) for text in given.many.get("location_ids", [])]
    except ValueError as error:
        raise Invalid("one of these is no location of yours", "location_ids") from error
    if not found:
        raise Invalid("choose at least one location, or everything", "location_ids")
    return found


HANDLERS: list[Any] = [key_list, key_table, new_key, add_key, one_key, change_key]
