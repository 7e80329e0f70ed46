"""Tokens as pages and the API show them: reading only, one party at a time."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound

TokenType: TypeAlias = Literal[
    "ISO14443",
    "ISO15693",
    "eMAID",
    "EVCCID",
    "VIN",
    "KeyCode",
    "MacAddress",
    "Central",
    "DirectPayment",
    "NoAuthorization",
    "Local",
]


class TokenView(Struct, frozen=True, kw_only=True):
    """A credential and its limits."""

    token_id: UUID
    party_id: UUID
    uid: Annotated[str, Meta(description="As the reader sends it; compared without regard to case.")]
    type: TokenType
    status: Literal["active", "blocked"]
    label: str
    group_uid: Annotated[str | None, Meta(description="Tokens of one group may end each other's sessions.")]
    is_master: Annotated[bool, Meta(description="May end every session, and begin none.")]
    may_discharge: Annotated[bool, Meta(description="Energy may flow back out of its holder's car (OCPP 2.1).")]
    contract_id: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    location_ids: Annotated[list[UUID] | None, Meta(description="Good at these locations only; null for all.")]
    weekdays: Annotated[int, Meta(description="Days it is good on, bit 0 is Monday: 127 for all.")]
    from_minute: Annotated[int | None, Meta(description="Good from this minute of the day, in the location's time.")]
    until_minute: Annotated[int | None, Meta(description="Good until this minute; before from_minute: over midnight.")]
    max_sessions: Annotated[int | None, Meta(description="How many sessions at once; null for any number.")]
    autocharge: Annotated[bool, Meta(description="Cars shown just before it are paired with it.")]
    language: Annotated[str | None, Meta(description="What its holder reads: RFC 5646.")]
    paired_with: Annotated[UUID | None, Meta(description="A vehicle's token: the card it was paired with.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class TokenFilter(Struct, kw_only=True):
    """Which tokens."""

    status: Annotated[Literal["active", "blocked"] | None, Meta(description="active or blocked.")] = None
    type: Annotated[TokenType | None, Meta(description="Of this type.")] = None
    group: Annotated[str, Meta(description="Of this group.", max_length=255)] | None = None
    q: Annotated[str, Meta(description="Found in uid, label or contract id.", max_length=100)] | None = None


_COLUMNS = (
    "token_id, party_id, uid, type, status, label, group_uid, is_master, may_discharge, contract_id, valid_from,"
    " valid_until, location_ids, weekdays, from_minute, until_minute, max_sessions, autocharge, language, paired_with,"
    " version, created_at, updated_at"
)


async def list_tokens(
    conn: Connection, party_id: UUID, wanted: TokenFilter, *, after: str | None = None, limit: int = 100
) -> list[TokenView]:
    """By uid, lower case; `after` is that of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("status = {}", wanted.status)
    where.add_given("type = {}", wanted.type)
    where.add_given("group_uid = {}", wanted.group)
    if wanted.q:
        where.add("concat_ws(' ', uid, label, contract_id) ilike {}", like(wanted.q))
    where.add_given("uid_key > {}", after.lower() if after is not None else None)
    rows = await conn.fetch(
        f"select {_COLUMNS} from token where {where.sql} order by uid_key limit {where.parameter(limit)}",
        *where.values,
    )
    return [TokenView(**row) for row in rows]


async def find_token(conn: Connection, party_id: UUID, token_id: UUID) -> TokenView | None:
    row = await conn.fetchrow(f"select {_COLUMNS} from token where party_id = $1 and token_id = $2", party_id, token_id)
    return TokenView(**row) if row else None


async def get_token(conn: Connection, party_id: UUID, token_id: UUID) -> TokenView:
    """Raises NotFound."""
    token = await find_token(conn, party_id, token_id)
    if token is None:
        raise NotFound(f"no token {token_id}")
    return token
