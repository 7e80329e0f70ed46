"""Who pays afterwards for what their people charge? Companies: the list, one with its month and members, and its contract."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.companies import queries
from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import Company, CompanyChange, CompanyStatus, NewCompany, NewCompanyMember
from ohmstead.billing.companies.queries import CompanyFilter
from ohmstead.console.exports import csv_response
from ohmstead.console.forms import Form, decimal_in, faults_of, form_of, whole_in
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import owed_by
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.queries import DriverFilter
from ohmstead.reports.money import queries as money
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter
from ohmstead.ui import prices
from ohmstead.ui.templating import page

MOST: Final = 500
STATUSES: Final = {"active": N_("Active"), "suspended": N_("Suspended"), "ended": N_("Ended")}
# The form's fields and what they are called.
FIELDS: Final = {
    "name": N_("Name"),
    "vat_number": N_("VAT number"),
    "address": N_("Address"),
    "postal_code": N_("Postal code"),
    "city": N_("City"),
    "country": N_("Country"),
    "email": N_("E-mail for invoices"),
    "reference": N_("Their reference"),
    "payment_days": N_("Days to pay"),
    "limit_per_month": N_("Limit per month"),
    "status": N_("State"),
}
_NULLABLE: Final = ("vat_number", "email")


@get("/companies")
async def company_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list by name; text and state stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        show = view.query["show"] if view.query["show"] in STATUSES else "all"
        wanted = CompanyFilter(
            status=None if show == "all" else cast("CompanyStatus", show),
            q=view.query["q"].strip()[:100] or None,
        )
        found = await queries.list_companies(conn, actor.party_id, wanted, limit=MOST)
    headline = (
        n_("%(n)s company.", "%(n)s companies.", len(found))
        if found
        else _("No company fits.")
        if any(view.query.values())
        else _("There is no company yet.")
    )
    return page(
        request, "money/companies.html", found=found, show=show, statuses=STATUSES, headline=headline, prices=prices
    )


@get("/companies.csv")
async def companies_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """All of them."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await queries.list_companies(conn, actor.party_id, CompanyFilter(), limit=50_000)
    columns = [name for name in Company.__struct_fields__ if name != "party_id"]
    return csv_response("companies", columns, ([str(getattr(one, name) or "") for name in columns] for one in found))


# --------------------------------------------------------------------------------------------------------- one company


@get("/companies/{company_id:str}")
async def company_page(request: PageRequest, pool: PoolIn, actor: ActorIn, company_id: FromPath[str]) -> Response[str]:
    """Its month, its members, what it owes."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, uuid_of(company_id, "company"))


async def _page(
    request: PageRequest, conn: Connection, actor: Actor, company_id: UUID, error: str = "", who: str = ""
) -> Response[str]:
    company = await queries.get_company(conn, actor.party_id, company_id)
    month = await companies.month_of(conn, actor.party_id, company_id)
    members = await queries.list_members(conn, actor.party_id, company_id)
    people = await money.names_of_actors(conn, actor.party_id, [one.added_by for one in members])
    return page(
        request,
        "money/company.html",
        status=422 if error else 200,
        company=company,
        month=month,
        members=members,
        people=people,
        owed=await owed_by(conn, actor, f"company:{company_id}"),
        statuses=STATUSES,
        may_write=may(actor, "billing:write"),
        sees_drivers=may(actor, "drivers:read"),
        error=error,
        who=who,
        prices=prices,
    )


@post("/companies/{company_id:str}/members", status_code=200)
async def add_member(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, company_id: FromPath[str]
) -> Response[Any]:
    """It pays for a driver (by e-mail or name) or a token (by uid) from now on."""
    allow(actor, "billing:write")
    given = await form_of(request)
    who, known = given.fields.get("who", ""), uuid_of(company_id, "company")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        try:
            member = await _member(conn, actor, who)
            async with conn.transaction():
                await companies.add_member(conn, actor, known, member)
        except (Invalid, Refused, Conflict) as error:
            return await _page(request, conn, actor, known, error.text, who)
    await bus.publish(NUDGE, {})
    return Redirect(f"/companies/{known}#members", status_code=303)


async def _member(conn: Connection, actor: Actor, text: str) -> NewCompanyMember:
    """Whom a text means. Raises Invalid when nobody is called so, or several are."""
    if not text:
        raise Invalid("say who: an e-mail, a name, or a token's uid", "who")
    found = await drivers.list_drivers(conn, actor.party_id, DriverFilter(q=text[:100]), limit=50)
    exact = [one for one in found if text.lower() in (one.name.lower(), (one.email or "").lower())]
    if len(exact) > 1:
        raise Invalid(f"{len(exact)} drivers are called {text}.", "who")
    if exact:
        return NewCompanyMember(driver_id=exact[0].driver_id)
    held = await tokens.list_tokens(conn, actor.party_id, TokenFilter(q=text[:100]), limit=50)
    same = [one for one in held if one.uid.lower() == text.lower()]
    if not same:
        raise Invalid(f"No driver and no token is called {text}.", "who")
    return NewCompanyMember(token_id=same[0].token_id)


@post("/companies/{company_id:str}/members/remove", status_code=200)
async def remove_member(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, company_id: FromPath[str]
) -> Response[Any]:
    """It pays for what they begin no more; what began stays."""
    allow(actor, "billing:write")
    given, known = await form_of(request), uuid_of(company_id, "company")
    member = uuid_of(given.fields.get("member_id", ""), "member")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        await queries.get_company(conn, actor.party_id, known)
        with contextlib.suppress(NotFound):
            async with conn.transaction():
                await companies.remove_member(conn, actor, known, member)
    await bus.publish(NUDGE, {})
    return Redirect(f"/companies/{known}#members", status_code=303)


# ------------------------------------------------------------------------------------------------------------ contract


@get("/companies/new")
async def new_company(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
    return _form(request, {"payment_days": "14", "status": "active"}, {})


@post("/companies/new", status_code=200)
async def add_company(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create one, or show what does not fit."""
    allow(actor, "billing:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        try:
            values = _values(given)
            values.pop("status")
            async with conn.transaction():
                made = await companies.create_company(conn, actor, msgspec.convert(values, NewCompany))
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, faults_of(error, FIELDS))
    await bus.publish(NUDGE, {})
    return Redirect(f"/companies/{made.company_id}", status_code=303)


@get("/companies/{company_id:str}/edit")
async def edit_company(request: PageRequest, pool: PoolIn, actor: ActorIn, company_id: FromPath[str]) -> Response[str]:
    """The form with what is agreed."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        company = await queries.get_company(conn, actor.party_id, uuid_of(company_id, "company"))
    return _form(request, _shown(company), {}, company)


@post("/companies/{company_id:str}/edit", status_code=200)
async def change_company(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, company_id: FromPath[str]
) -> Response[Any]:
    """Change it. Where somebody else did meanwhile, both versions are shown and nothing typed is lost."""
    allow(actor, "billing:write")
    given, known = await form_of(request), uuid_of(company_id, "company")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        before = await queries.get_company(conn, actor.party_id, known)
        try:
            wanted = msgspec.convert(_values(given), CompanyChange)
            async with conn.transaction():
                await companies.change_company(conn, actor, known, wanted, given.version)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, faults_of(error, FIELDS), before)
        except Refused as refused:
            return _form(request, given.fields, {"status": refused.text}, before)
        except Conflict:
            now = await queries.get_company(conn, actor.party_id, known)
            return _form(request, given.fields, {}, now, theirs=_shown(now))
    await bus.publish(NUDGE, {})
    return Redirect(f"/companies/{known}", status_code=303)


def _form(
    request: PageRequest,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    company: Company | None = None,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    differing = [name for name in FIELDS if theirs and theirs[name] != given.get(name, "")]
    return page(
        request,
        "money/company_form.html",
        status=409 if theirs else 422 if errors else 200,
        given={**dict.fromkeys(FIELDS, ""), **given},
        errors=errors,
        company=company,
        theirs=theirs,
        differing=differing,
        labels=FIELDS,
        statuses=STATUSES,
    )


def _shown(company: Company) -> dict[str, str]:
    values = {name: str(getattr(company, name) or "") for name in FIELDS}
    limit = company.limit_per_month
    return {
        **values,
        "payment_days": str(company.payment_days),
        "limit_per_month": "" if limit is None else f"{limit:f}",
    }


def _values(given: Form) -> dict[str, Any]:
    values: dict[str, Any] = {name: given.fields.get(name, "") for name in FIELDS}
    for name in _NULLABLE:
        values[name] = values[name] or None
    values["country"] = values["country"].upper()
    values["payment_days"] = whole_in(given, "payment_days") or 0
    values["limit_per_month"] = decimal_in(given, "limit_per_month")
    values["status"] = values["status"] or "active"
    return values


HANDLERS: Sequence[Any] = [
    company_list,
    companies_table,
    company_page,
    add_member,
    remove_member,
    new_company,
    add_company,
    edit_company,
    change_company,
]
