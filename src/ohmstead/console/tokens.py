"""Who may charge, with what? The list of tokens, one token, and what is done to many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.accounts.lists import service as lists
from ohmstead.console.exports import table_response
from ohmstead.console.forms import Form, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, R_, _, n_, weekday
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.queries import DriverFilter
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.people import queries as people
from ohmstead.reports.service import zone_of
from ohmstead.tokens import queries
from ohmstead.tokens.queries import SORTS, Sort, TokenFilter, TokenType, TokenView
from ohmstead.tokens.register import many
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.many import ManyReport, ManyTokens
from ohmstead.tokens.register.service import NewToken, TokenChange
from ohmstead.ui import figures
from ohmstead.ui.templating import View, page

PAGE = 50
EXPORTED = 50_000
MOST_UNDONE = 5000
TYPES: tuple[str, ...] = TokenType.__args__  # type: ignore[attr-defined]
# The form's fields and what they are called.
FIELDS = {
    "uid": N_("Uid"),
    "label": N_("Label"),
    "type": N_("Type"),
    "driver": N_("Driver"),
    "group_uid": N_("Group"),
    "contract_id": N_("Contract"),
    "valid_from": N_("Good from"),
    "valid_until": N_("Good until"),
    "max_sessions": N_("Sessions at once"),
    "language": N_("Reads"),
    "is_master": N_("A master pass: ends every session, begins none"),
    "may_discharge": N_("Energy may flow back out of its holder’s car"),
    "autocharge": N_("Cars shown just before it are paired with it (AutoCharge)"),
}
CHECKS = ("is_master", "may_discharge", "autocharge")


@get("/tokens")
async def token_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; text, state, type, group, driver, order and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tokens:read")
        return await _list(request, conn, actor, view)


async def _list(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    view: View,
    *,
    report: ManyReport | None = None,
    action: str = "",
    error: str = "",
) -> Response[str]:
    wanted, sort, number = _wanted(view.query), _sort(view), _number(view)
    found = await queries.list_tokens(conn, actor.party_id, wanted, sort, limit=PAGE, offset=(number - 1) * PAGE)
    counts = await queries.count_tokens(conn, actor.party_id, wanted)
    used = await people.last_uses(conn, actor.party_id, [token.uid for token in found])
    holders = {token.driver_id for token in found if token.driver_id} | ({wanted.driver} if wanted.driver else set())
    names = await people.names_of(conn, actor.party_id, list(holders)) if may(actor, "drivers:read") else {}
    n_found = counts.get(wanted.status, 0) if wanted.status else sum(counts.values())
    return page(
        request,
        "console/tokens.html",
        hidden=await lists.hidden_columns(conn, actor, "tokens"),
        status=422 if error else 200,
        found=found,
        used=used,
        names=names,
        types=TYPES,
        counts={"all": sum(counts.values()), **counts},
        show=wanted.status or "all",
        sort=sort.removeprefix("-"),
        is_descending=sort.startswith("-"),
        number=number,
        n_found=n_found,
        n_pages=max(1, -(-n_found // PAGE)),
        first=(number - 1) * PAGE + 1,
        headline=headline(counts),
        report=report,
        action=action,
        done=_done(report, action) if report is not None else "",
        most_undone=MOST_UNDONE,
        error=error,
    )


@get(["/tokens.csv", "/tokens.xlsx"])
async def tokens_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it: columns that an import takes first."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tokens:read")
        found = await queries.list_tokens(conn, actor.party_id, _wanted(view.query), _sort(view), limit=EXPORTED)
    columns = (*register.REQUIRED, *register.OPTIONAL)

    def cells(token: TokenView) -> list[Any]:
        row = [getattr(token, name) for name in columns]
        return [*row[:-1], "any" if token.max_sessions is None else token.max_sessions]

    return await table_response(request, columns, (cells(token) for token in found))


def _wanted(query: Mapping[str, str]) -> TokenFilter:
    show, kind, driver = query.get("show", ""), query.get("type", ""), query.get("driver", "")
    return TokenFilter(
        status=cast("Any", show) if show in ("active", "blocked") else None,
        type=cast("Any", kind) if kind in TYPES else None,
        group=query.get("group", "")[:255] or None,
        driver=uuid_of(driver, "driver") if driver else None,
        q=query.get("q", "").strip()[:100] or None,
    )


def _sort(view: View) -> Sort:
    sort = view.query["sort"] if view.query["sort"] in SORTS else "uid"
    return cast("Sort", f"-{sort}" if view.query["order"] == "desc" else sort)


def _number(view: View) -> int:
    text = view.query["page"]
    return min(max(int(text), 1), 2000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def headline(counts: Mapping[str, int]) -> str:
    """The answer in one sentence."""
    n_good, n_blocked = counts.get("active", 0), counts.get("blocked", 0)
    if not n_good + n_blocked:
        return _("No token fits.")
    if not n_blocked:
        return n_("%(n)s token, all good.", "%(n)s tokens, all good.", n_good)
    return n_(
        "%(good)s of %(n)s token may charge, %(blocked)s blocked.",
        "%(good)s of %(n)s tokens may charge, %(blocked)s blocked.",
        n_good + n_blocked,
        good=figures.number(n_good),
        blocked=figures.number(n_blocked),
    )


# ---------------------------------------------------------------------------------------------- many at once


@post("/tokens", status_code=200)
async def change_tokens(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """What was chosen on the list, or all that match it; then the list again, with what became of it and a way back."""
    allow(actor, "tokens:write")
    given = await form_of(request)
    report, error = None, ""
    action = given.fields.get("action", "")
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tokens:read")
        try:
            wanted = await _many(conn, actor, given, action, view)
            async with conn.transaction():
                report = await many.change_many(conn, actor, wanted)
        except (Invalid, msgspec.ValidationError) as invalid:
            error = next(iter(faults_of(invalid, ("action",)).values()))
        answer = await _list(request, conn, actor, view, report=report, action=action, error=error)
    if report is not None:
        await bus.publish(NUDGE, {})
    return answer


def _done(report: ManyReport, action: str) -> str:
    """What became of those that were chosen."""
    n, changed = report.n_selected, figures.number(len(report.changed))
    match action:
        case "block":
            return n_("%(changed)s of %(n)s token blocked.", "%(changed)s of %(n)s tokens blocked.", n, changed=changed)
        case "unblock":
            return n_(
                "%(changed)s of %(n)s token good again.", "%(changed)s of %(n)s tokens good again.", n, changed=changed
            )
        case "assign":
            return n_("%(changed)s of %(n)s token given.", "%(changed)s of %(n)s tokens given.", n, changed=changed)
        case _:
            return n_(
                "%(changed)s of %(n)s token regrouped.", "%(changed)s of %(n)s tokens regrouped.", n, changed=changed
            )


async def _many(conn: Connection, actor: Actor, given: Form, action: str, view: View) -> ManyTokens:
    raw: dict[str, Any] = {"action": action}
    if action == "assign" and given.fields.get("driver"):
        raw["driver_id"] = await _holder(conn, actor, given.fields["driver"])
    if action == "group":
        raw["group_uid"] = given.fields.get("group_uid") or None
    if given.fields.get("all") == "yes":
        chosen = msgspec.structs.asdict(_wanted(view.query))
        raw["selection"] = {name: value for name, value in chosen.items() if value is not None}
    else:
        ids = [one for text in given.many.get("chosen", []) for one in text.split()]
        if not ids:
            raise Invalid("Choose tokens first: x, or the box at the start of a row.", "action")
        raw["token_ids"] = ids
    return msgspec.convert(raw, ManyTokens)


async def _holder(conn: Connection, actor: Actor, text: str) -> UUID:
    """The driver whose id, e-mail or name it is. Raises Invalid when nobody is, or several are."""
    try:
        return UUID(text)
    except ValueError:
        pass
    found = await drivers.list_drivers(conn, actor.party_id, DriverFilter(q=text[:100]), limit=50)
    exact = [d for d in found if text.lower() in (d.name.lower(), (d.email or "").lower())]
    if not exact:
        raise Invalid(f"No driver has the name or e-mail {text}.", "driver")
    if len(exact) > 1:
        raise Invalid(f"{len(exact)} drivers are called {text}.", "driver")
    return exact[0].driver_id


# ------------------------------------------------------------------------------------------------- one token


@get("/tokens/new")
async def new_token(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form; a uid and a driver may stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tokens:write")
        driver = await _called(conn, actor, view.query["driver"])
    return _form(
        request, {"type": "ISO14443", "max_sessions": "1", "uid": view.query["uid"][:255], "driver": driver}, {}
    )


async def _called(conn: Connection, actor: Actor, driver_id: str) -> str:
    """How a form names a driver: by e-mail or name where that is enough."""
    if not driver_id or not may(actor, "drivers:read"):
        return driver_id
    found = await drivers.find_driver(conn, actor.party_id, uuid_of(driver_id, "driver"))
    if found is None:
        return ""
    for text in (found.email, found.name):
        if text:
            try:
                if await _holder(conn, actor, text) == found.driver_id:
                    return text
            except Invalid:
                continue
    return driver_id


@post("/tokens/new", status_code=200)
async def add_token(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create a token, or show what does not fit."""
    allow(actor, "tokens:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:write")
        try:
            wanted = msgspec.convert(await _values(conn, actor, given, request), NewToken)
            async with conn.transaction():
                made = await register.create_token(conn, actor, wanted)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, _faults(error))
        except Conflict:
            return _form(request, given.fields, {"uid": R_("There is a token with this uid already.")})
    await bus.publish(NUDGE, {})
    return Redirect(f"/tokens/{made.token_id}", status_code=303)


@get("/tokens/{token_id:str}")
async def token_page(request: PageRequest, pool: PoolIn, actor: ActorIn, token_id: FromPath[str]) -> Response[str]:
    """One token: whose, what it may, where it was used and refused."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:read")
        token = await queries.get_token(conn, actor.party_id, uuid_of(token_id, "token"))
        return await _page(request, conn, actor, token)


async def _page(
    request: PageRequest, conn: Connection, actor: Actor, token: TokenView, error: str = ""
) -> Response[str]:
    names = {}
    if token.driver_id and may(actor, "drivers:read"):
        names = await people.names_of(conn, actor.party_id, [token.driver_id])
    is_seeing = may(actor, "sessions:read")
    usage = await people.token_usage(conn, actor.party_id, token.uid) if is_seeing else None
    found = await pages.list_sessions(conn, actor.scope, token_uid=token.uid, limit=20) if is_seeing else None
    locations = {row["location_id"]: row["name"] for row in await pages.list_locations(conn, actor.scope)}
    return page(
        request,
        "console/token.html",
        status=409 if error else 200,
        token=token,
        driver_name=names.get(token.driver_id) if token.driver_id else None,
        usage=usage,
        sessions=found.rows if found else [],
        locations=locations,
        weekdays=[weekday(day) for day in range(7) if token.weekdays >> day & 1],
        error=error,
    )


@get("/tokens/{token_id:str}/edit")
async def edit_token(request: PageRequest, pool: PoolIn, actor: ActorIn, token_id: FromPath[str]) -> Response[str]:
    """The form with what is set."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:write")
        token = await queries.get_token(conn, actor.party_id, uuid_of(token_id, "token"))
        shown = await _shown(conn, actor, token, request)
    return _form(request, shown, {}, token)


@post("/tokens/{token_id:str}/edit", status_code=200)
async def change_token(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, token_id: FromPath[str]
) -> Response[Any]:
    """Change a token. Where somebody else did meanwhile, both versions are shown and nothing typed is lost."""
    allow(actor, "tokens:write")
    given = await form_of(request)
    found = uuid_of(token_id, "token")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:write")
        try:
            values = await _values(conn, actor, given, request)
            del values["uid"]
            wanted = msgspec.convert(values, TokenChange)
            async with conn.transaction():
                await register.change_token(conn, actor, found, wanted, given.version)
        except (msgspec.ValidationError, Invalid) as error:
            token = await queries.get_token(conn, actor.party_id, found)
            return _form(request, {**given.fields, "uid": token.uid}, _faults(error), token)
        except Conflict:
            token = await queries.get_token(conn, actor.party_id, found)
            theirs = await _shown(conn, actor, token, request)
            return _form(request, {**given.fields, "uid": token.uid}, {}, token, theirs)
    await bus.publish(NUDGE, {})
    return Redirect(f"/tokens/{token_id}", status_code=303)


def _faults(error: msgspec.ValidationError | Invalid) -> dict[str, str]:
    if isinstance(error, Invalid) and error.field == "driver_id":
        return {"driver": error.text}
    return faults_of(error, FIELDS)


def _form(
    request: PageRequest,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    token: TokenView | None = None,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    return page(
        request,
        "console/token_form.html",
        status=409 if theirs else 422 if errors else 200,
        given={**dict.fromkeys(FIELDS, ""), **given},
        errors=errors,
        token=token,
        theirs=theirs,
        differing=[name for name in FIELDS if theirs and theirs[name] != given.get(name, "")],
        labels=FIELDS,
        types=TYPES,
    )


def _zone(request: PageRequest) -> ZoneInfo:
    return zone_of(str(request.scope["state"]["party_zone"]))


async def _shown(conn: Connection, actor: Actor, token: TokenView, request: PageRequest) -> dict[str, str]:
    zone = _zone(request)
    values = {name: getattr(token, name, None) for name in FIELDS}
    shown = {name: "" if value is None else str(value) for name, value in values.items()}
    for name in CHECKS:
        shown[name] = "yes" if values[name] else ""
    for name in ("valid_from", "valid_until"):
        at = values[name]
        shown[name] = at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if isinstance(at, datetime) else ""
    shown["max_sessions"] = "any" if token.max_sessions is None else str(token.max_sessions)
    shown["driver"] = await _called(conn, actor, str(token.driver_id)) if token.driver_id else ""
    return shown


async def _values(conn: Connection, actor: Actor, given: Form, request: PageRequest) -> dict[str, Any]:
    """The form as the API would be told it. Raises Invalid."""
    fields = given.fields
    values: dict[str, Any] = {name: fields.get(name, "") for name in ("uid", "label", "type")}
    for name in ("group_uid", "contract_id", "language"):
        values[name] = fields.get(name) or None
    for name in CHECKS:
        values[name] = fields.get(name) == "yes"
    for name in ("valid_from", "valid_until"):
        values[name] = _instant(fields.get(name, ""), name, _zone(request))
    most = fields.get("max_sessions", "1")
    if most != "any" and not (most.isascii() and most.isdigit() and len(most) < 6):
        raise Invalid("a number from 1, or any", "max_sessions")
    values["max_sessions"] = None if most == "any" else int(most)
    values["driver_id"] = await _holder(conn, actor, fields["driver"]) if fields.get("driver") else None
    return values


def _instant(text: str, name: str, zone: ZoneInfo) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise Invalid("a day and a time, as 2026-03-01 08:00", name) from None


@post([f"/tokens/{{token_id:str}}/{deed}" for deed in ("block", "unblock")], status_code=200)
async def do_to_token(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, token_id: FromPath[str]
) -> Response[Any]:
    """Block or unblock. Why it cannot be done is said on the token's page."""
    return await _do(request, pool, bus, actor, token_id)


@post("/tokens/{token_id:str}/delete", status_code=200, opt={"needs_proof": True})
async def delete_token(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, token_id: FromPath[str]
) -> Response[Any]:
    """Delete it; its sessions stay. Why it cannot be done is said on the token's page."""
    return await _do(request, pool, bus, actor, token_id)


async def _do(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, token_id: str) -> Response[Any]:
    allow(actor, "tokens:write")
    found, deed = uuid_of(token_id, "token"), request.scope["path"].rpartition("/")[2]
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:read")
        try:
            async with conn.transaction():
                if deed == "delete":
                    await register.delete_token(conn, actor, found)
                else:
                    status: Literal["active", "blocked"] = "blocked" if deed == "block" else "active"
                    await register.set_status(conn, actor, found, status)
        except Refused as refused:
            token = await queries.get_token(conn, actor.party_id, found)
            return await _page(request, conn, actor, token, refused.text)
    await bus.publish(NUDGE, {})
    target = "/tokens" if deed == "delete" else f"/tokens/{token_id}?done={deed}"
    return Redirect(target, status_code=303)


HANDLERS: Sequence[Any] = [
    token_list,
    tokens_table,
    change_tokens,
    new_token,
    add_token,
    token_page,
    edit_token,
    change_token,
    do_to_token,
    delete_token,
]
