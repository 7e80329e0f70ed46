"""Who is told what happens, and did it get there? Webhooks: the list, one of them with its log, one request in full."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.language import N_, _, n_, told
from ohmstead.facts import catalogue
from ohmstead.settings import Settings
from ohmstead.ui import figures
from ohmstead.ui.templating import page
from ohmstead.webhooks import queries, service
from ohmstead.webhooks.model import (
    Delivery,
    DeliveryFilter,
    NewWebhook,
    Webhook,
    WebhookChange,
    WithWebhookSecret,
)
from ohmstead.webhooks.vault import Vault

ACTION = "webhooks:write"
SHOWN = 50
FILTERS = {
    "all": DeliveryFilter(),
    "waiting": DeliveryFilter(status="waiting"),
    "delivered": DeliveryFilter(status="delivered"),
    "failed": DeliveryFilter(status="failed"),
}
SINCE_DAYS = {"1": N_("the last day"), "7": N_("the last week"), "30": N_("the last 30 days")}
# How service.py begins what it says of an address; the rest is said by addresses.py.
_UNFIT = "a webhook cannot have this address: "
OFF_WORDS = {
    "by_hand": N_("Switched off."),
    "gone": N_("Switched off by itself: it answered 410, gone."),
    "failing": N_("Switched off by itself: it took nothing for three days."),
}


@get("/settings/webhooks")
async def webhook_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All of them, with how they do."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        found = await queries.list_webhooks(conn, actor.party_id)
    return page(request, "console/webhooks.html", webhooks=found, headline=headline(found))


@get("/settings/webhooks/new")
async def new_webhook(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
    return _form(request, {}, [], {})


@post("/settings/webhooks/new", status_code=200)
async def add_webhook(request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn) -> Response[str]:
    """Set one up; its secret is shown this once."""
    allow(actor, ACTION)
    given, kinds = await _fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        try:
            wanted = NewWebhook(
                url=given.get("url", ""), description=given.get("description", "")[:500], kinds=_wanted(given, kinds)
            )
            async with conn.transaction():
                vault = Vault(settings.secret())
                made = await service.create_webhook(conn, actor, wanted, vault, settings.webhook_hosts)
        except (Invalid, Refused) as error:
            return _form(request, given, kinds, _errors(error))
    return _made(request, made, is_new=True)


@get("/settings/webhooks/{webhook_id:str}")
async def webhook(request: PageRequest, pool: PoolIn, actor: ActorIn, webhook_id: FromPath[str]) -> Response[str]:
    """One: what it hears of, and its log."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        return await _one(request, conn, actor, uuid_of(webhook_id, "webhook"), None, [], {})


@post("/settings/webhooks/{webhook_id:str}", status_code=200)
async def change_webhook(
    request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn, webhook_id: FromPath[str]
) -> Response[Any]:
    """Save it, switch it, replace its secret, send again, delete it."""
    allow(actor, ACTION)
    given, kinds = await _fields(request)
    known, home = uuid_of(webhook_id, "webhook"), f"/settings/webhooks/{webhook_id}"
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        try:
            async with conn.transaction():
                done = await _do(conn, settings, actor, known, given, kinds)
        except (Invalid, Conflict, Refused) as error:
            return await _one(request, conn, actor, known, given, kinds, _errors(error))
    match done:
        case WithWebhookSecret():
            return _made(request, done, is_new=False)
        case Delivery():
            return Redirect(f"{home}/deliveries/{done.delivery_id}", status_code=303)
        case int():
            return Redirect(f"{home}?show=waiting&again={done}", status_code=303)
    return Redirect("/settings/webhooks" if given.get("do") == "delete" else home, status_code=303)


async def _do(
    conn: Connection, settings: Settings, actor: Actor, webhook_id: UUID, given: Mapping[str, str], kinds: list[str]
) -> WithWebhookSecret | Delivery | int | None:
    match given.get("do"):
        case "delete":
            await service.delete_webhook(conn, actor, webhook_id)
        case "enable" | "disable" as verb:
            change = WebhookChange(is_enabled=verb == "enable")
            await service.change_webhook(conn, actor, webhook_id, change, settings.webhook_hosts)
        case "rotate":
            return await service.rotate_secret(conn, actor, webhook_id, Vault(settings.secret()))
        case "example":
            return await service.send_example(conn, actor, webhook_id, given.get("kind", ""))
        case "replay":
            days = int(given["days"]) if given.get("days") in SINCE_DAYS else 1
            return await service.replay_failed(conn, actor, webhook_id, clock.now() - timedelta(days=days))
        case _:
            change = WebhookChange(
                url=given.get("url", ""), description=given.get("description", "")[:500], kinds=_wanted(given, kinds)
            )
            await service.change_webhook(conn, actor, webhook_id, change, settings.webhook_hosts)
    return None


@get("/settings/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}")
async def delivery(
    request: PageRequest, pool: PoolIn, actor: ActorIn, webhook_id: FromPath[str], delivery_id: FromPath[str]
) -> Response[str]:
    """One request: what was sent, when, and what the receiver said."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        known = uuid_of(webhook_id, "webhook")
        found = await queries.get_delivery(conn, actor.party_id, known, uuid_of(delivery_id, "delivery"))
        told = await queries.get_webhook(conn, actor.party_id, known)
    return page(request, "console/delivery.html", found=found, one=found.delivery, webhook=told)


@post("/settings/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}/replay", status_code=200)
async def replay(pool: PoolIn, actor: ActorIn, webhook_id: FromPath[str], delivery_id: FromPath[str]) -> Redirect:
    """Send it again, now."""
    allow(actor, ACTION)
    async with pool.acquire() as conn, conn.transaction():
        await service.replay(conn, actor, uuid_of(webhook_id, "webhook"), uuid_of(delivery_id, "delivery"))
    return Redirect(f"/settings/webhooks/{webhook_id}/deliveries/{delivery_id}", status_code=303)


def headline(found: list[Webhook]) -> tuple[str, str]:
    """What does not work, and the rest."""
    off = [one for one in found if one.disabled_why in ("gone", "failing")]
    failing = [one for one in found if one.is_enabled and one.failing_since is not None]
    if not found:
        return "", _("Nobody is told yet.")
    if not off and not failing:
        return "", n_("%(n)s webhook, all well.", "%(n)s webhooks, all well.", len(found))
    rest = n_("%(n)s webhook.", "%(n)s webhooks.", len(found))
    if not off:
        return n_("%(n)s not taking what is sent.", "%(n)s not taking what is sent.", len(failing)), rest
    if not failing:
        return n_("%(n)s webhook switched off by itself.", "%(n)s webhooks switched off by themselves.", len(off)), rest
    both = n_(
        "%(n)s webhook switched off by itself, %(failing)s not taking what is sent.",
        "%(n)s webhooks switched off by themselves, %(failing)s not taking what is sent.",
        len(off),
        failing=figures.number(len(failing)),
    )
    return both, rest


def _form(request: PageRequest, given: Mapping[str, str], kinds: list[str], errors: Mapping[str, str]) -> Response[str]:
    return page(
        request,
        "console/webhook_new.html",
        status=422 if errors else 200,
        given=given,
        chosen=kinds,
        errors=errors,
        themes=_themes(),
    )


def _made(request: PageRequest, made: WithWebhookSecret, *, is_new: bool) -> Response[str]:
    return page(
        request, "console/webhook_made.html", webhook=made.webhook, secret=made.secret, is_new=is_new, headers=_UNCACHED
    )


_UNCACHED = {"Cache-Control": "no-store"}


async def _one(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    webhook_id: UUID,
    given: Mapping[str, str] | None,
    kinds: list[str],
    errors: Mapping[str, str],
) -> Response[str]:
    found = await queries.get_webhook(conn, actor.party_id, webhook_id)
    query = request.query_params
    show = str(query.get("show", "all"))
    show = show if show in FILTERS else "all"
    rows = await queries.list_deliveries(
        conn,
        actor.party_id,
        webhook_id,
        FILTERS[show],
        before=_key(str(query.get("after", ""))),
        limit=SHOWN + 1,
    )
    is_save = given is not None and not given.get("do")
    return page(
        request,
        "console/webhook.html",
        status=422 if errors else 200,
        webhook=found,
        deliveries=rows[:SHOWN],
        next_after=_key_text(rows[SHOWN - 1]) if len(rows) > SHOWN else None,
        show=show,
        again=str(query.get("again", "")) if str(query.get("again", "")).isdecimal() else "",
        given=given if given is not None and is_save else _shown(found),
        chosen=kinds if is_save else found.kinds or [],
        errors=errors,
        themes=_themes(),
        since_days=SINCE_DAYS,
        off_words=OFF_WORDS,
    )


def _shown(found: Webhook) -> dict[str, str]:
    return {"url": found.url, "description": found.description, "which": "all" if found.kinds is None else "some"}


def _themes() -> dict[str, list[catalogue.EventKind]]:
    themes: dict[str, list[catalogue.EventKind]] = {}
    for kind in catalogue.described():
        themes.setdefault(kind.theme, []).append(kind)
    return themes


async def _fields(request: PageRequest) -> tuple[dict[str, str], list[str]]:
    form = await request.form()
    given = {k: v.strip() for k, v in form.items() if isinstance(v, str) and k not in ("csrf_token", "kinds")}
    return given, [v for v in form.getall("kinds", []) if isinstance(v, str)]


def _wanted(given: Mapping[str, str], kinds: list[str]) -> list[str] | None:
    if given.get("which", "all") == "all":
        return None
    if not kinds:
        raise Invalid("Choose at least one event, or all.", field="kinds")
    return kinds


def _errors(error: Invalid | Conflict | Refused) -> dict[str, str]:
    return {(error.field if isinstance(error, Invalid) and error.field else "url"): _words_of(error)}


def _words_of(error: Invalid | Conflict | Refused) -> str:
    reason = error.text.removeprefix(_UNFIT)
    return (
        told(error) if reason == error.text else _("a webhook cannot have this address: %(reason)s", reason=_(reason))
    )


def _key(text: str) -> tuple[datetime, UUID] | None:
    """Where a page begins; from the first one where the address holds no such place."""
    at, _, delivery_id = text.partition("_")
    try:
        key = datetime.fromisoformat(at), UUID(delivery_id)
    except ValueError:
        return None
    return key if key[0].tzinfo is not None else None


def _key_text(one: Delivery) -> str:
    return f"{one.created_at.isoformat()}_{one.delivery_id}"


HANDLERS = [webhook_list, new_webhook, add_webhook, webhook, change_webhook, delivery, replay]
