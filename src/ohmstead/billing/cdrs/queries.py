"""CDRs and unbillable sessions as programs and people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.billing.cdrs.model import Cdr, CdrKind, Decision, Reason, UnbillableSession
from ohmstead.billing.cdrs.ocpi import AuthMethod
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


async def list_by_ids(conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]) -> list[Cdr]:
    """Those of the ids that are the party's, in the order in which their sessions began."""
    rows = await conn.fetch(
        f"{CDR} where c.party_id = $1 and c.cdr_id = any ($2) order by c.started_at, c.cdr_id", party_id, list(cdr_ids)
    )
    return [cdr_of(row) for row in rows]


async def get_owner(conn: Connection, party_id: UUID, cdr: Cdr) -> tuple[str, str, TariffVersion]:
    """Whose a CDR is in OCPI's words (country and party code), and the rules by which it was priced."""
    row = await conn.fetchrow("select country_code, party_code from party where party_id = $1", party_id)
    if row is None:
        raise NotFound(f"no party {party_id}")
    version = await get_version(conn, party_id, cdr.tariff_id, cdr.tariff_version)
    return row["country_code"], row["party_code"], version


async def find_auth_method(conn: Connection, party_id: UUID, session_id: UUID) -> AuthMethod:
    """How a session was authorised, in OCPI's words: by our own command, by a question that the station asked, or by what
    the station knew already while it was offline."""
    row = await conn.fetchrow(
        "select s.is_offline, s.remote_start_id is not null or exists (select from command c where c.station_id = s.station_id"
        "  and c.session_id = s.session_id and c.kind = 'remote_start') as is_ours, s.authorization_status is not null as"
        " is_asked from session s where s.party_id = $1 and s.session_id = $2",
        party_id,
        session_id,
    )
    if row is None:
        return "WHITELIST"
    if row["is_ours"]:
        return "COMMAND"
    return "AUTH_REQUEST" if row["is_asked"] and not row["is_offline"] else "WHITELIST"


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
        f"{CDR} where c.party_id = $1 and c.cdr_id > $2 order by c.cdr_id limit $3",
        party_id,
        after or UUID(int=0),
        limit,
    )
    return [cdr_of(row) for row in rows]


# any party: for who runs the installation
async def list_owners(conn: Connection) -> list[tuple[UUID, str]]:
    """Parties with sessions that settled."""
    rows = await conn.fetch(
        "select p.party_id, p.name from party p where exists (select from session s where s.party_id = p.party_id"
        " and s.settled_at is not null) order by p.created_at"
    )
    return [(row["party_id"], row["name"]) for row in rows]
