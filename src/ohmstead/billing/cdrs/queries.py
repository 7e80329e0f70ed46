"""CDRs and unbillable sessions as programs and people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.billing.cdrs.model import Cdr, CdrKind, Decision, Reason, UnbillableSession
from ohmstead.billing.cdrs.store import CDR, cdr_of
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.tariffs.queries import get_version
from ohmstead.tariffs.records import TariffVersion


class CdrFilter(Struct, frozen=True, kw_only=True):
    """Which CDRs; what is None matches all. `since` ≤ made < `until`."""

    session: UUID | None = None
    location: UUID | None = None
    station: str | None = None
    token: str | None = None
    customer: str | None = None
    kind: CdrKind | None = None
    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class UnbillableFilter(Struct, frozen=True, kw_only=True):
    """Which sessions. `is_open`: about which nobody decided yet."""

    location: UUID | None = None
    station: str | None = None
    reason: Reason | None = None
    decision: Decision | None = None
    is_open: Annotated[bool | None, Meta(description="Nobody has decided yet.")] = None


async def list_cdrs(
    conn: Connection,
    scope: Scope,
    wanted: CdrFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Cdr]:
    """Newest first; `before` is (created_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("c.party_id = {}", scope.party_id)
    where.add_given("c.location_id = any ({})", scope.locations)
    where.add_given("c.session_id = {}", wanted.session)
    where.add_given("c.location_id = {}", wanted.location)
    where.add_given("c.station_id = {}", wanted.station)
    where.add_given("lower(c.token_uid) = lower({})", wanted.token)
    where.add_given("c.customer = {}", wanted.customer)
    where.add_given("c.kind = {}", wanted.kind)
    where.add_given("c.currency = {}", wanted.currency)
    where.add_given("c.created_at >= {}", wanted.since)
    where.add_given("c.created_at < {}", wanted.until)
    if before:
        where.add("(c.created_at, c.cdr_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{CDR} where {where.sql} order by c.created_at desc, c.cdr_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [cdr_of(row) for row in rows]


async def get_cdr(conn: Connection, party_id: UUID, cdr_id: UUID) -> Cdr:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{CDR} where c.party_id = $1 and c.cdr_id = $2", party_id, cdr_id)
    if row is None:
        raise NotFound(f"no CDR {cdr_id}")
    return cdr_of(row)


async def get_owner(conn: Connection, party_id: UUID, cdr: Cdr) -> tuple[str, str, TariffVersion]:
    """Whose a CDR is in OCPI's words (country and party code), and the rules by which it was priced."""
    row = await conn.fetchrow("select country_code, party_code from party where party_id = $1", party_id)
    if row is None:
        raise NotFound(f"no party {party_id}")
    version = await get_version(conn, party_id, cdr.tariff_id, cdr.tariff_version)
    return row["country_code"], row["party_code"], version


_UNBILLABLE = """
select u.session_id, u.party_id, u.location_id, u.station_id, s.started_at, s.ended_at, s.energy_wh, s.token_uid, u.reason,
       u.detail, u.found_at, u.decision, u.note, u.decided_at, u.decided_by
from unbillable_session u join session s using (session_id)
"""


async def list_unbillable(
    conn: Connection,
    scope: Scope,
    wanted: UnbillableFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[UnbillableSession]:
    """Latest found first; `before` is (found_at, session) of the last one of the page before."""
    where = Conditions()
    where.add("u.party_id = {}", scope.party_id)
    where.add_given("u.location_id = any ({})", scope.locations)
    where.add_given("u.location_id = {}", wanted.location)
    where.add_given("u.station_id = {}", wanted.station)
    where.add_given("u.reason = {}", wanted.reason)
    where.add_given("u.decision = {}", wanted.decision)
    where.add_given("(u.decision is null) = {}", wanted.is_open)
    if before:
        where.add("(u.found_at, u.session_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_UNBILLABLE} where {where.sql} order by u.found_at desc, u.session_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [UnbillableSession(**row) for row in rows]


async def get_unbillable(conn: Connection, party_id: UUID, session_id: UUID) -> UnbillableSession:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_UNBILLABLE} where u.party_id = $1 and u.session_id = $2", party_id, session_id)
    if row is None:
        raise NotFound(f"session {session_id} is not among the unbillable ones")
    return UnbillableSession(**row)


async def list_for_checking(conn: Connection, party_id: UUID, *, after: UUID | None, limit: int) -> list[Cdr]:
    """All of a party's, by id, in pieces."""
    rows = await conn.fetch(
        f"{CDR} where c.party_id = $1 and ($2::uuid is null or c.cdr_id > $2) order by c.cdr_id limit $3",
        party_id,
        after,
        limit,
    )
    return [cdr_of(row) for row in rows]
