"""Companies: their contracts, their members, what is left of their month. The edge opens the transaction."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.companies import queries, store
from ohmstead.billing.companies.model import (
    Company,
    CompanyChange,
    CompanyMember,
    CompanyMonth,
    NewCompany,
    NewCompanyMember,
)
from ohmstead.billing.holding import service as holding
from ohmstead.billing.holding.model import of_company
from ohmstead.billing.holding.reckoning import Funds
from ohmstead.billing.ledger.entries import after, amount_of, exact_minor
from ohmstead.billing.paying import setup
from ohmstead.core import clock
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked
from ohmstead.sessions.notices import vat

_MOST = Decimal(1_000_000_000)
_TEXTS = ("name", "address", "postal_code", "city", "reference")


async def create_company(conn: Connection, actor: Actor, given: NewCompany) -> Company:
    """Raises Invalid."""
    values = msgspec.structs.asdict(given)
    values["currency"] = given.currency or await store.currency_of(conn, actor.party_id)
    values = _tidy(values, values["currency"])
    await setup.ensure(conn, actor.party_id)
    company_id = new_id()
    await store.insert_company(conn, actor.party_id, company_id, values)
    await accounts.audit(conn, actor, "company.created", f"company/{company_id}", {"name": values["name"]})
    return await queries.get_company(conn, actor.party_id, company_id)


async def change_company(
    conn: Connection, actor: Actor, company_id: UUID, given: CompanyChange, if_version: int | None = None
) -> Company:
    """Raises NotFound, Invalid, Refused for a contract that ended, Conflict when not in the version `if_version`."""
    before = await queries.get_company(conn, actor.party_id, company_id)
    if before.status == "ended":
        raise Refused("this contract has ended: make a new one", code="ended")
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    values = _tidy(values, before.currency)
    if not await store.update_company(conn, actor.party_id, company_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    was = {name: _plain(getattr(before, name)) for name in values}
    now = {name: _plain(value) for name, value in values.items()}
    await accounts.audit(conn, actor, "company.changed", f"company/{company_id}", before=was, after=now)
    return await queries.get_company(conn, actor.party_id, company_id)


async def add_member(conn: Connection, actor: Actor, company_id: UUID, given: NewCompanyMember) -> list[CompanyMember]:
    """It pays for them from now on; sessions that began stay whose they are. Raises NotFound, Invalid, Refused, Conflict."""
    company = await queries.get_company(conn, actor.party_id, company_id)
    if (given.driver_id is None) == (given.token_id is None):
        raise Invalid("a driver or a token", field="driver_id")
    if company.status == "ended":
        raise Refused("this contract has ended: make a new one", code="ended")
    if not await store.is_there(conn, actor.party_id, given.driver_id, given.token_id):
        raise Invalid("there is none of that id", field="driver_id" if given.driver_id else "token_id")
    if not await store.insert_member(conn, actor.party_id, company_id, given.driver_id, given.token_id, actor.actor_id):
        raise Conflict("a company pays for them already", code="taken")
    detail: dict[str, object] = {name: str(value) for name, value in msgspec.structs.asdict(given).items() if value}
    await accounts.audit(conn, actor, "company.member_added", f"company/{company_id}", detail)
    return await queries.list_members(conn, actor.party_id, company_id)


async def remove_member(conn: Connection, actor: Actor, company_id: UUID, member_id: UUID) -> None:
    """It pays for what they begin no more; `member_id`: the driver's or the token's. Raises NotFound."""
    if not await store.delete_member(conn, actor.party_id, company_id, member_id):
        raise NotFound("no such member")
    detail: dict[str, object] = {"member_id": str(member_id)}
    await accounts.audit(conn, actor, "company.member_removed", f"company/{company_id}", detail)


async def month_of(conn: Connection, party_id: UUID, company_id: UUID) -> CompanyMonth:
    """What its members charged in this month, and what is left of its limit. Raises NotFound."""
    row = await store.find_limit(conn, party_id, company_id)
    if row is None:
        raise NotFound(f"no company {company_id}")
    first, last = _month(clock.now(), row["time_zone"])
    total, n = await store.billed(conn, party_id, company_id, row["currency"], first, last)
    holds = await holding.list_holds(conn, party_id, [of_company(company_id)])
    held = amount_of(holding.total(holds), row["currency"])
    limit = row["limit_per_month"]
    return CompanyMonth(
        company_id=company_id,
        month=f"{first.astimezone(_zone(row['time_zone'])):%Y-%m}",
        currency=row["currency"],
        n_sessions=n,
        billed=total,
        held=held,
        left=None if limit is None else max(Decimal(0), limit - total - held),
    )


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """A company's limit: its currency, and what it has; `funds` None: no end."""

    currency: str
    is_paying: bool
    funds: Funds | None


async def limit_of(
    conn: Connection, party_id: UUID, company_id: UUID, *, but_not: UUID | None = None, is_held: bool = False
) -> Limited | None:
    """What is left of a company's month. `is_held`: nobody else holds any of it until the transaction ends."""
    row = await (store.hold if is_held else store.find_limit)(conn, party_id, company_id)
    if row is None:
        return None
    funds = None if row["limit_per_month"] is None else await _funds(conn, party_id, company_id, row, but_not)
    return Limited(currency=row["currency"], is_paying=row["status"] == "active", funds=funds)


async def _funds(conn: Connection, party_id: UUID, company_id: UUID, row: Row, but_not: UUID | None) -> Funds:
    currency = row["currency"]
    total, _ = await store.billed(conn, party_id, company_id, currency, *_month(clock.now(), row["time_zone"]))
    holds = await holding.list_holds(conn, party_id, [of_company(company_id)])
    return Funds(
        balance=exact_minor(row["limit_per_month"], currency) - exact_minor(total, currency),
        held=holding.total(holds, but_not),
    )


def _month(at: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The calendar month of an instant, where the books are kept."""
    zone = _zone(time_zone)
    first = at.astimezone(zone).date().replace(day=1)
    following = after(first)
    return (
        datetime(first.year, first.month, 1, tzinfo=zone),
        datetime(following.year, following.month, 1, tzinfo=zone),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _tidy(values: dict[str, Any], currency: str) -> dict[str, Any]:
    for name in _TEXTS:
        if name in values:
            values[name] = checked(values[name], name)
    if values.get("name") == "":
        raise Invalid("may not be empty", field="name")
    limit = values.get("limit_per_month")
    if limit is not None:
        most = _MOST
        if not 0 <= limit <= most:
            raise Invalid(f"from 0 to {most}", field="limit_per_month")
        try:
            exact_minor(limit, currency)
        except Invalid as error:
            raise Invalid(error.text, field="limit_per_month") from error
    if values.get("vat_number"):
        parsed = vat.parse(values["vat_number"])
        if parsed is None:
            raise Invalid("no VAT number has this form", field="vat_number")
        values["vat_number"] = "".join(parsed)
    elif "vat_number" in values:
        values["vat_number"] = None
    return values


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
