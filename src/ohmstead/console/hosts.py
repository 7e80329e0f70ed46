"""Who owns the places, and what do they get? Hosts: the list, one with its contracts and statements, and its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.accounts.parties import service as parties
from ohmstead.billing.invoices import queries as invoices
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.hosts.sharing import ContractEnd, Host, HostContract, HostDetails, NewContract
from ohmstead.billing.invoices.queries import InvoiceFilter
from ohmstead.console.exports import csv_response
from ohmstead.console.forms import Form, day_in, decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.invoices import STATES
from ohmstead.console.money import today_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, languages, n_
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.pages import queries as pages
from ohmstead.ui import prices
from ohmstead.ui.templating import page, view_of

MOST: Final = 500
SHOWN: Final = 50
# The form's fields and what they are called.
FIELDS: Final = {
    "name": N_("Legal name"),
    "line1": N_("Street and number"),
    "line2": N_("More of the address"),
    "postal_code": N_("Postal code"),
    "city": N_("Town"),
    "country": N_("Country"),
    "vat_id": N_("VAT id"),
    "tax_number": N_("Tax number"),
    "registration": N_("Commercial register"),
    "tax_percentage": N_("Tax on what it gets"),
    "tax_name": N_("Name of the tax"),
    "no_tax_reason": N_("Why no tax is due"),
    "holder": N_("Holder of the account"),
    "iban": N_("IBAN"),
    "bic": N_("BIC"),
    "email": N_("E-mail for statements"),
    "language": N_("Language"),
}
CONTRACT_FIELDS: Final = ("location_id", "share_percent", "fee_per_kwh", "currency", "from_on", "until_on")
_PLAIN: Final = ("name", "vat_id", "tax_number", "registration", "tax_name", "no_tax_reason", "email", "language")
_ADDRESS: Final = ("postal_code", "city", "country")
_BANK: Final = ("holder", "iban", "bic")
_CODES: Final = ("country", "vat_id", "iban", "bic")
# Where a fault in a part of the data is shown in the form.
_SHOWN_AT: Final = {"lines": "line1"}
_BEGINNING: Final = {"tax_name": "VAT", "tax_percentage": "0"}


@get("/hosts")
async def host_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list by name, each with what it is owed."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await hosts.list_hosts(conn, actor.party_id, limit=MOST)
    return page(
        request,
        "money/hosts.html",
        found=found,
        owed=owed,
        headline=n_("%(n)s host.", "%(n)s hosts.", len(found)) if found else _("There is no host yet."),
    )


@get("/hosts.csv")
async def hosts_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """All of them."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await hosts.list_hosts(conn, actor.party_id, limit=50_000)
    columns = ["host_id", "name", "city", "country", "vat_id", "email", "n_contracts", "owed"]

    def cells(one: Host) -> list[str]:
        told, where = one.details, one.details.address
        owed_now = " ".join(f"{amount:f} {currency}" for currency, amount in sorted(one.balance.items()))
        named = [told.name, where.city, where.country, told.vat_id, told.email]
        return [str(one.host_id), *named, str(one.n_contracts), owed_now]

    return csv_response("hosts", columns, (cells(one) for one in found))


def owed(host: Host) -> str:
    """What it is owed, in each currency."""
    return ", ".join(prices.amount(amount, currency) for currency, amount in sorted(host.balance.items()))


async def hosts_of(
    conn: Connection, actor: Actor, location_id: UUID, today: date
) -> tuple[list[HostContract], dict[UUID, str]]:
    """What is agreed about a place now or later, and who the hosts are; nothing for who may not know."""
    if actor.locations is not None or not may(actor, "billing:read"):
        return [], {}
    found = await hosts.list_contracts(conn, actor.party_id, location_id=location_id)
    held = [one for one in found if one.until_on is None or one.until_on > today]
    names = {one.host_id: (await hosts.get_host(conn, actor.party_id, one.host_id)).details.name for one in held}
    return held, names


# ------------------------------------------------------------------------------------------------------------ one host


@get("/hosts/{host_id:str}")
async def host_page(request: PageRequest, pool: PoolIn, actor: ActorIn, host_id: FromPath[str]) -> Response[str]:
    """What it gets where, what was stated, what it is owed."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, uuid_of(host_id, "host"), {}, {})


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    host_id: UUID,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    error: str = "",
) -> Response[str]:
    host = await hosts.get_host(conn, actor.party_id, host_id)
    contracts = await hosts.list_contracts(conn, actor.party_id, host_id)
    statements = InvoiceFilter(kind="self_billing", customer=f"host:{host_id}")
    made = await invoices.list_invoices(conn, actor.party_id, statements, limit=SHOWN)
    party = await parties.get_party(conn, actor.party_id)
    today = today_of(request, view_of(request))
    return page(
        request,
        "money/host.html",
        status=422 if errors else 409 if error else 200,
        host=host,
        owed=owed(host),
        contracts=contracts,
        statements=made,
        states=STATES,
        locations=await pages.list_locations(conn, actor.scope),
        today=today,
        given={"currency": party.currency, "from_on": today.replace(day=1).isoformat(), **given},
        errors=errors,
        error=error,
        may_write=may(actor, "billing:write"),
        prices=prices,
    )


@post("/hosts/{host_id:str}/contracts", status_code=200)
async def agree(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, host_id: FromPath[str]
) -> Response[Any]:
    """It gets so much of what is charged at a place, from a day on."""
    allow(actor, "billing:write")
    given, known = await form_of(request), uuid_of(host_id, "host")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        await hosts.get_host(conn, actor.party_id, known)
        try:
            wanted = msgspec.convert(_contract(given), NewContract)
            async with conn.transaction():
                await hosts.agree(conn, actor, known, wanted)
        except (msgspec.ValidationError, Invalid) as fault:
            return await _page(request, conn, actor, known, given.fields, faults_of(fault, CONTRACT_FIELDS))
        except (Conflict, NotFound) as fault:
            return await _page(request, conn, actor, known, given.fields, {}, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/hosts/{known}#contracts", status_code=303)


def _contract(given: Form) -> dict[str, Any]:
    if not given.fields.get("location_id"):
        raise Invalid("say which location", "location_id")
    from_on = day_in(given, "from_on")
    if from_on is None:
        raise Invalid("say from which day on", "from_on")
    return {
        "location_id": given.fields["location_id"],
        "currency": given.fields.get("currency", "").upper(),
        "share_percent": decimal_in(given, "share_percent"),
        "fee_per_kwh": decimal_in(given, "fee_per_kwh"),
        "from_on": from_on,
        "until_on": day_in(given, "until_on"),
    }


@post("/hosts/{host_id:str}/contracts/{contract_id:str}/end", status_code=200)
async def end_contract(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    actor: ActorIn,
    host_id: FromPath[str],
    contract_id: FromPath[str],
) -> Response[Any]:
    """It holds no longer from a day on."""
    allow(actor, "billing:write")
    given, known, contract = await form_of(request), uuid_of(host_id, "host"), uuid_of(contract_id, "contract")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        await hosts.get_host(conn, actor.party_id, known)
        try:
            until_on = day_in(given, "until_on")
            if until_on is None:
                raise Invalid("say from which day on it holds no longer", "until_on")
            async with conn.transaction():
                await hosts.end(conn, actor, known, contract, ContractEnd(until_on=until_on))
        except (Invalid, Refused) as fault:
            return await _page(request, conn, actor, known, {}, {}, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/hosts/{known}#contracts", status_code=303)


# ------------------------------------------------------------------------------------------------------------ the form


@get("/hosts/new")
async def new_host(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        party = await parties.get_party(conn, actor.party_id)
    return _form(request, {**_BEGINNING, "country": party.country_code, "language": party.language}, {})


@post("/hosts/new", status_code=200, opt={"needs_proof": True})
async def add_host(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create one, or show what does not fit."""
    allow(actor, "billing:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        try:
            wanted = msgspec.convert(_values(given), HostDetails)
            async with conn.transaction():
                made = await hosts.create_host(conn, actor, wanted)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, _faults(error))
    await bus.publish(NUDGE, {})
    return Redirect(f"/hosts/{made.host_id}", status_code=303)


@get("/hosts/{host_id:str}/edit")
async def edit_host(request: PageRequest, pool: PoolIn, actor: ActorIn, host_id: FromPath[str]) -> Response[str]:
    """The form with what is known of it."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        host = await hosts.get_host(conn, actor.party_id, uuid_of(host_id, "host"))
    return _form(request, _shown(host), {}, host)


@post("/hosts/{host_id:str}/edit", status_code=200, opt={"needs_proof": True})
async def change_host(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, host_id: FromPath[str]
) -> Response[Any]:
    """Change it. Where somebody else did meanwhile, both versions are shown and nothing typed is lost."""
    allow(actor, "billing:write")
    given, known = await form_of(request), uuid_of(host_id, "host")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        before = await hosts.get_host(conn, actor.party_id, known)
        try:
            wanted = msgspec.convert(_values(given, before), HostDetails)
            async with conn.transaction():
                await hosts.change_host(conn, actor, known, wanted, given.version)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, _faults(error), before)
        except Conflict:
            now = await hosts.get_host(conn, actor.party_id, known)
            return _form(request, given.fields, {}, now, theirs=_shown(now))
    await bus.publish(NUDGE, {})
    return Redirect(f"/hosts/{known}", status_code=303)


def _form(
    request: PageRequest,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    host: Host | None = None,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    differing = [name for name in FIELDS if theirs and theirs[name] != given.get(name, "")]
    return page(
        request,
        "money/host_form.html",
        status=409 if theirs else 422 if errors else 200,
        given={**dict.fromkeys(FIELDS, ""), **given},
        errors=errors,
        host=host,
        theirs=theirs,
        differing=differing,
        labels=FIELDS,
        spoken=languages(),
    )


def _shown(host: Host) -> dict[str, str]:
    """The data as the form has them."""
    told = host.details
    lines = [*told.address.lines, "", ""]
    return {
        **{name: getattr(told, name) for name in _PLAIN},
        **{name: getattr(told.address, name) for name in _ADDRESS},
        **{name: getattr(told.bank, name) for name in _BANK},
        "line1": lines[0],
        "line2": lines[1],
        "tax_percentage": f"{told.tax_percentage.normalize():f}",
    }


def _values(given: Form, before: Host | None = None) -> dict[str, Any]:
    """What the form says; what it has no field for stays."""
    told = {name: given.fields.get(name, "") for name in FIELDS}
    told |= {name: "".join(told[name].split()).upper() for name in _CODES}
    known = before.details if before is not None else None
    return {
        **{name: told[name] for name in _PLAIN},
        "tax_percentage": decimal_in(given, "tax_percentage") or 0,
        "address": {
            "lines": [told[name] for name in ("line1", "line2") if told[name]]
            + (known.address.lines[2:] if known else []),
            "state": known.address.state if known else "",
            **{name: told[name] for name in _ADDRESS},
        },
        "bank": {"name": known.bank.name if known else "", **{name: told[name] for name in _BANK}},
    }


def _faults(error: msgspec.ValidationError | Invalid) -> dict[str, str]:
    """What is wrong at which of the form's fields: `bank.iban` stands at `iban`."""
    name, text = (error.field, error.text) if isinstance(error, Invalid) else fault_of(error)
    parts = [part.partition("[")[0] for part in name.split(".")]
    field = next((known for part in reversed(parts) if (known := _SHOWN_AT.get(part, part)) in FIELDS), "name")
    return {field: in_words(text)}


HANDLERS: Sequence[Any] = [
    host_list,
    hosts_table,
    new_host,
    add_host,
    host_page,
    agree,
    end_contract,
    edit_host,
    change_host,
]
