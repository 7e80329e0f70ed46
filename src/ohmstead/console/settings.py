"""How is it all set up? The rooms of the settings, and those that are read here and changed in the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec
from litestar import Response, get

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import ADMIN, Actor
from ohmstead.accounts.parties import service as parties
from ohmstead.accounts.people import service as people
from ohmstead.billing.invoices import sellers
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, opened
from ohmstead.console.keys import state_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.language import N_, _, n_
from ohmstead.notifications import queries as notifications
from ohmstead.reports.installation import service
from ohmstead.reports.installation.model import KnownQuirk
from ohmstead.settings import Settings
from ohmstead.stations.quirks.book import book_at
from ohmstead.stations.quirks.profiles import NOTHING, Effects
from ohmstead.ui.templating import View, page
from ohmstead.webhooks import queries as webhooks

# What quirk profiles change, in words; what has a value of its own kind, by name and value.
EFFECTS: Final = {
    "authorization_key=raw": N_("takes its password as text, not as hexadecimal digits"),
    "authorization_key=hex": N_("takes its password as hexadecimal digits"),
    "rate_unit": N_("obeys limits in %(value)s only"),
    "highest_stack_level": N_("takes charging profiles up to level %(value)s"),
    "lowest_stack_level": N_("takes charging profiles from level %(value)s"),
    "accepts_profiles_in_vain": N_("says yes to charging profiles that it does not carry out"),
    "id_case=upper": N_("knows tokens in capitals only"),
    "id_case=lower": N_("knows tokens in small letters only"),
    "carrier": N_("moves files by %(value)s"),
    "connectors_from_zero": N_("counts its connectors from 0"),
    "never_sends": N_("is asked for what it does not send: %(value)s"),
}


@get("/settings")
async def rooms(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """Every room that is open to who looks, with how it is there."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await _rooms(request, conn, actor, view, settings)
        party = await accounts.get_party(conn, actor.party_id)
    return page(request, "console/settings.html", rooms=found, party=party)


async def _rooms(
    request: PageRequest, conn: Connection, actor: Actor, view: View, settings: Settings
) -> list[tuple[str, str, str, str]]:
    """Address, name, what it is for, and how it is there."""
    found: list[tuple[str, str, str, str]] = []
    if view.may(ADMIN):
        party = await accounts.get_party(conn, actor.party_id)
        now = f"{party.country_code}-{party.party_code}, {party.currency}, {party.time_zone}, {party.language}"
        found.append(("/settings/party", _("Party"), _("Name, currency, time zone and language of the network"), now))
    if view.may("people:write"):
        n = sum(one.operator.disabled_at is None for one in await people.list_people(conn, actor.party_id))
        now = n_("%(n)s person", "%(n)s people", n)
        found.append(("/people", _("People and roles"), _("Who may come in, and what each may do"), now))
    if view.may(ADMIN):
        keys = await accounts.list_api_keys(conn, actor.party_id)
        now = n_("%(n)s key", "%(n)s keys", sum(state_of(one, view.now) in ("good", "soon") for one in keys))
        found.append(("/settings/keys", _("API keys"), _("Programs that may come in"), now))
    if view.may("billing:read"):
        kept = await sellers.get_seller(conn, actor.party_id)
        now = _("something is missing") if kept.missing else kept.seller.legal_name
        found.append(("/settings/invoices", _("Invoices"), _("What they say of us, and how they are numbered"), now))
    if view.may("webhooks:write"):
        now = n_("%(n)s webhook", "%(n)s webhooks", len(await webhooks.list_webhooks(conn, actor.party_id)))
        found.append(("/settings/webhooks", _("Webhooks"), _("Programs that are told what happens"), now))
    if view.may("notifications:read"):
        counts = await notifications.count_notifications(conn, actor.party_id, view.now - timedelta(days=7))
        now = n_("%(n)s sent within a week", "%(n)s sent within a week", counts.get("sent", 0))
        found.append(
            ("/settings/notifications", _("Notifications"), _("What drivers are told, and in which words"), now)
        )
    if view.may(ADMIN):
        names = request.app.state.payment_providers.names
        taken = ", ".join(name for name in names if name != "sandbox").capitalize()
        now = taken or (_("only the sandbox") if names else _("nobody yet"))
        found.append(("/settings/payments", _("Payments"), _("Who takes payments, and how much is held"), now))
        ways = await service.sign_in_ways(conn, actor, settings, _providers(request), view.now)
        now = n_("%(n)s provider", "%(n)s providers", len(ways.providers))
        found.append(("/settings/sign-in", _("Sign-in"), _("Passkeys, providers and directories"), now))
        n_on = sum(one.is_on for one in service.integrations(actor, settings).items)
        now = n_("%(n)s in use", "%(n)s in use", n_on)
        found.append(("/settings/integrations", _("Integrations"), _("What is asked or told outside"), now))
    quirks = await service.known_quirks(conn, actor.scope, book_at(settings.quirks_dir))
    now = n_("at %(n)s station", "at %(n)s stations", sum(one.n_stations for one in quirks))
    found.append(("/settings/quirks", _("Quirks"), _("What makes do differently, and is put right here"), now))
    if view.may(ADMIN):
        now = n_("messages for %(n)s day", "messages for %(n)s days", settings.message_retention_days)
        found.append(("/settings/retention", _("Retention"), _("What is kept how long"), now))
    if view.may("parties:write"):
        now = n_("%(n)s party", "%(n)s parties", len(await parties.list_parties(conn)))
        found.append(("/settings/parties", _("Parties"), _("Whose data is in this installation"), now))
    return found


def _providers(request: PageRequest) -> list[Any]:
    known: dict[str, Any] = request.app.state.providers
    return list(known.values())


@get("/settings/sign-in")
async def sign_in(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """Passkeys, providers with their rules, directories."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
        ways = await service.sign_in_ways(conn, actor, settings, _providers(request), clock.now())
    return page(request, "console/sign_in_ways.html", ways=ways, owns=actor.owns_installation)


@get("/settings/integrations")
async def integrations(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """What outside is asked or told; vendors' own messages."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
    found = service.integrations(actor, settings)
    return page(request, "console/integrations.html", found=found, n_on=sum(one.is_on for one in found.items))


@get("/settings/retention")
async def retention(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """What is kept how long."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
    return page(request, "console/retention.html", items=service.retention(settings).items)


@get("/settings/quirks")
async def quirks(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """What makes do differently; those that stations here are of first."""
    book = book_at(settings.quirks_dir)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await service.known_quirks(conn, actor.scope, book)
    q = view.query["q"].strip()[:100].lower()
    shown = [one for one in found if not q or q in _text(one)]
    return page(
        request,
        "console/quirks.html",
        found=sorted(shown, key=lambda one: -one.n_stations),
        n_all=len(found),
        n_stations=sum(one.n_stations for one in found),
        faults=book.faults,
        directory=settings.quirks_dir if actor.owns_installation else None,
        effects_of=effects_of,
    )


@get("/settings/quirks.csv")
async def quirks_table(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[bytes]:
    """All of them."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await service.known_quirks(conn, actor.scope, book_at(settings.quirks_dir))
    columns = ["name", "vendor", "model", "firmware", "version", "because", "source", "is_own", "n_stations", "effects"]
    rows = (
        [one.name, one.match.vendor, one.match.model, one.match.firmware, one.match.version, one.because, one.source,
         one.is_own, one.n_stations, msgspec.json.encode(_said(one.effects)).decode()]
        for one in found
    )  # fmt: skip
    return csv_response("quirks", columns, rows)


def _text(one: KnownQuirk) -> str:
    return f"{one.name} {one.match.vendor} {one.match.model} {one.match.firmware} {one.because}".lower()


def _said(effects: Effects) -> dict[str, Any]:
    names = Effects.__struct_fields__
    return {name: getattr(effects, name) for name in names if getattr(effects, name) != getattr(NOTHING, name)}


def effects_of(one: KnownQuirk) -> list[str]:
    """What is different, in words."""
    found = []
    for name, value in _said(one.effects).items():
        if name == "corrections":
            found += [f"{c.measurand}{f' ({c.unit})' if c.unit else ''} × {c.times.normalize():f}" for c in value]
        else:
            text = EFFECTS.get(f"{name}={value}") or EFFECTS[name]
            value = ", ".join(value) if isinstance(value, list) else value
            found.append(_(text, value=value) if "%(value)s" in text else _(text))
    return found


HANDLERS: list[Any] = [rooms, sign_in, integrations, retention, quirks, quirks_table]
