"""Writing a tariff: the form, or JSON for what the form cannot say, and what it would cost while it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console import tariff_examples, tariff_form
from ohmstead.console.forms import Form, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.tariff_form import BEGINNING, FIELDS, MOST_WINDOWS
from ohmstead.console.tariffs import KINDS, zone_in
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.language import weekday
from ohmstead.tariffs import queries, service
from ohmstead.tariffs.currencies import CURRENCIES
from ohmstead.tariffs.model import DAYS, Tariff
from ohmstead.tariffs.records import KeptTariff, TariffDraft
from ohmstead.ui import prices
from ohmstead.ui.templating import page

_TEMPLATE_JSON = """{
  "currency": "EUR",
  "elements": [
    {"price_components": [{"type": "ENERGY", "price": 0.49, "taxes": [{"percentage": 20}]}]}
  ]
}"""
_KINDS = ("", "REGULAR", "AD_HOC_PAYMENT")


@get("/tariffs/new")
async def new_tariff(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form; `as=json` for JSON."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tariffs:write")
        fields = {"json": _TEMPLATE_JSON} if view.query["as"] == "json" else dict(BEGINNING)
        return await _editor(request, conn, actor, Form(fields, {}, None), {})


@post("/tariffs/new", status_code=200)
async def add_tariff(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Publish it, or show what does not fit; `do` only changes the form."""
    return await _save(request, pool, bus, actor, None)


@get("/tariffs/{tariff_id:str}/edit")
async def edit_tariff(request: PageRequest, pool: PoolIn, actor: ActorIn, tariff_id: FromPath[str]) -> Response[str]:
    """The form with what it says now."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tariffs:write")
        kept = await queries.get_tariff(conn, actor.party_id, uuid_of(tariff_id, "tariff"))
        given = form_with(kept, zone_in(request), as_json=view.query["as"] == "json")
        return await _editor(request, conn, actor, given, {}, kept)


@post("/tariffs/{tariff_id:str}/edit", status_code=200)
async def change_tariff(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, tariff_id: FromPath[str]
) -> Response[Any]:
    """Publish a new version. Where somebody else did meanwhile, both are shown and nothing typed is lost."""
    return await _save(request, pool, bus, actor, tariff_id)


def form_with(kept: KeptTariff, zone: ZoneInfo, *, as_json: bool) -> Form:
    """A tariff as a form: as fields where they can say all of it."""
    drawn = None if as_json else tariff_form.fields_of(kept.tariff, zone)
    fields, many = drawn or ({"json": tariff_form.as_json(kept.tariff)}, {})
    return Form({**fields, "name": kept.name}, many, kept.version)


async def _save(request: PageRequest, pool: Any, bus: Any, actor: Actor, tariff_id: str | None) -> Response[Any]:
    allow(actor, "tariffs:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:write")
        known = None if tariff_id is None else uuid_of(tariff_id, "tariff")
        kept = None if known is None else await queries.get_tariff(conn, actor.party_id, known)
        if (changed := _reshaped(given, zone_in(request))) is not None:
            return await _editor(request, conn, actor, changed, {}, kept)
        read = tariff_form.read(given, zone_in(request))
        errors = dict(read.errors)
        if read.tariff is not None:
            try:
                draft = msgspec.convert({"name": given.fields.get("name", ""), "tariff": read.tariff}, TariffDraft)
                async with conn.transaction():
                    if kept is None:
                        made = await service.create_tariff(conn, actor, draft)
                    else:
                        made = await service.replace_tariff(conn, actor, kept.tariff_id, draft, given.version)
                await bus.publish(NUDGE, {})
                return Redirect(f"/tariffs/{made.tariff_id}", status_code=303)
            except (Invalid, msgspec.ValidationError) as error:
                errors |= _service_faults(error)
            except Conflict as error:
                if kept is not None and error.detail.get("is_stale"):
                    return await _conflicting(request, conn, actor, given, kept)
                errors["name"] = error.text
        return await _editor(request, conn, actor, given, errors, kept)


def _service_faults(error: Invalid | msgspec.ValidationError) -> dict[str, str]:
    if isinstance(error, Invalid) and error.field.startswith("tariff."):
        error = Invalid(error.text, field=error.field.removeprefix("tariff."))
    return faults_of(error, FIELDS)


def _reshaped(given: Form, zone: ZoneInfo) -> Form | None:
    """The form after a button that only changes it; None where it is to be saved."""
    do = given.fields.get("do", "")
    if do == "add-window":
        n = min(tariff_form.n_windows(given.fields) + 1, MOST_WINDOWS)
        return Form({**given.fields, "n_windows": str(n), "focus": f"w{n - 1}_from"}, given.many, given.version)
    if do.startswith("drop-window:"):
        row = do.partition(":")[2]
        return tariff_form.without_row(given, int(row) if row.isascii() and row.isdigit() and len(row) < 4 else -1)
    if do in ("as-json", "as-form"):
        read = tariff_form.read(given, zone)
        if read.tariff is None:
            return None
        name = given.fields.get("name", "")
        if do == "as-json":
            return Form({"json": tariff_form.as_json(read.tariff), "name": name}, {}, given.version)
        drawn = tariff_form.fields_of(read.tariff, zone)
        if drawn is None:
            return Form({**given.fields, "undrawn": "yes"}, given.many, given.version)
        return Form({**drawn[0], "name": name}, drawn[1], given.version)
    return None


async def _conflicting(
    request: PageRequest, conn: Connection, actor: Actor, given: Form, kept: KeptTariff
) -> Response[str]:
    newest = await queries.get_tariff(conn, actor.party_id, kept.tariff_id)
    theirs = form_with(newest, zone_in(request), as_json="json" in given.fields)
    mine, other = tariff_form.told(given.fields, given.many), tariff_form.told(theirs.fields, theirs.many)
    if "json" in theirs.fields and "json" not in given.fields:
        read = tariff_form.read(given, zone_in(request))
        mine = dict.fromkeys(mine, "") | {"name": mine["name"]}
        mine["json"] = tariff_form.as_json(read.tariff) if read.tariff else ""
    return await _editor(request, conn, actor, given, {}, newest, (mine, other))


async def _editor(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    given: Form,
    errors: Mapping[str, str],
    kept: KeptTariff | None = None,
    versions: tuple[dict[str, str], dict[str, str]] | None = None,
) -> Response[str]:
    mine, theirs = versions or ({}, None)
    read = tariff_form.read(given, zone_in(request))
    is_json = "json" in given.fields
    rows = list(range(tariff_form.n_windows(given.fields)))
    known = set(FIELDS) | {f"w{row}_{part}" for row in rows for part in ("from", "until", "days", "kwh", "hour")}
    shown_at = {"name", "json"} if is_json else known - {"json", "windows"}
    version = kept.version if kept and (versions or given.version is None) else given.version
    return page(
        request,
        "console/tariff_form.html",
        status=409 if versions else 422 if errors else 200,
        kept=kept,
        version=version,
        given={**dict.fromkeys(known, ""), **given.fields},
        many=given.many,
        errors={name: text for name, text in errors.items() if name in shown_at},
        elsewhere={name: text for name, text in errors.items() if name not in shown_at},
        rows=rows,
        days=[(day, weekday(n), weekday(n, is_long=True)) for n, day in enumerate(DAYS)],
        is_json=is_json,
        theirs=theirs,
        mine=mine,
        differing=[name for name in FIELDS if theirs and theirs[name] != mine[name]],
        currencies=sorted(CURRENCIES),
        kinds=[(kind, KINDS[kind]) for kind in _KINDS],
        **await _preview(request, conn, actor, read.tariff, read.errors),
    )


@post("/tariffs/preview", status_code=200)
async def preview_tariff(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The examples of what stands in the form now. Nothing is kept; a form that is not finished is no error."""
    allow(actor, "tariffs:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:write")
        read = tariff_form.read(given, zone_in(request))
        context = await _preview(request, conn, actor, read.tariff, read.errors)
    return page(request, "parts/tariff_preview.html", **context)


async def _preview(
    request: PageRequest, conn: Connection, actor: Actor, tariff: Tariff | None, errors: Mapping[str, str]
) -> dict[str, Any]:
    shown = None
    if tariff is not None:
        shown = await tariff_examples.shown(conn, actor.party_id, tariff, zone_in(request))
    return {"shown": shown, "lacking": dict(errors), "prices": prices, "labels": FIELDS}


HANDLERS: Sequence[Any] = [new_tariff, add_tariff, edit_tariff, change_tariff, preview_tariff]
