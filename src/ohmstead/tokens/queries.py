"""Tokens as pages and the API show them: reading only, one party at a time."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.ordering import Column, Order, ordered

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
    driver_id: Annotated[UUID | None, Meta(description="Who holds it.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class TokenFilter(Struct, kw_only=True):
    """Which tokens."""

    status: Annotated[Literal["active", "blocked"] | None, Meta(description="active or blocked.")] = None
    type: Annotated[TokenType | None, Meta(description="Of this type.")] = None
    group: Annotated[str, Meta(description="Of this group.", max_length=255)] | None = None
    driver: Annotated[UUID | None, Meta(description="Held by this driver.")] = None
    q: Annotated[str, Meta(description="Found in uid, label, contract id or group.", max_length=100)] | None = None


SORTS = {
    "uid": Column("uid", shape="lower({})", kept_as="uid_key"),
    "label": Column("label", shape="lower({})"),
    "created": Column("created_at", datetime),
    "updated": Column("updated_at", datetime),
}
Sort: TypeAlias = Literal["uid", "-uid", "label", "-label", "created", "-created", "updated", "-updated"]


_COLUMNS = (
    "token_id, party_id, uid, type, status, label, group_uid, is_master, may_discharge, contract_id, valid_from,"
    " valid_until, location_ids, weekdays, from_minute, until_minute, max_sessions, autocharge, language, paired_with,"
    " driver_id, version, created_at, updated_at"
)
_WORDS = "uid || ' ' || label || ' ' || coalesce(contract_id, '') || ' ' || coalesce(group_uid, '')"


def order_of(sort: Sort) -> Order:
    """The order that a name means."""
    return ordered(SORTS, sort, "token_id")


def conditions(party_id: UUID, wanted: TokenFilter) -> Conditions:
    """What a filter means, of a table or alias whose columns need no name before them."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("status = {}", wanted.status)
    where.add_given("type = {}", wanted.type)
    where.add_given("group_uid = {}", wanted.group)
    where.add_given("driver_id = {}", wanted.driver)
    if wanted.q:
        where.add(f"grams({_WORDS}) @> grams({{}})", wanted.q)
        where.add(f"{_WORDS} ilike {{}}", like(wanted.q))
    return where


async def list_tokens(
    conn: Connection,
    party_id: UUID,
    wanted: TokenFilter,
    sort: Sort = "uid",
    *,
    after: tuple[Any, UUID] | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[TokenView]:
    """In the order asked for; `after` is the key of the last one of the page before (`order_of(sort).key_of`)."""
    order = order_of(sort)
    where = conditions(party_id, wanted)
    order.after(where, after)
    rows = await conn.fetch(
        f"select {_COLUMNS} from token where {where.sql} order by {order.sql} limit {where.parameter(limit)} offset"
        f" {where.parameter(offset)}",
        *where.values,
    )
    return [TokenView(**row) for row in rows]


async def count_tokens(conn: Connection, party_id: UUID, wanted: TokenFilter) -> dict[str, int]:
    """How many there are of each status, whatever status is asked for."""
    any_status = TokenFilter(type=wanted.type, group=wanted.group, driver=wanted.driver, q=wanted.q)
    where = conditions(party_id, any_status)
    rows = await conn.fetch(f"select status, count(*) as n from token where {where.sql} group by status", *where.values)
    return {row["status"]: row["n"] for row in rows}


async def find_token(conn: Connection, party_id: UUID, token_id: UUID) -> TokenView | None:
    row = await conn.fetchrow(f"select {_COLUMNS} from token where party_id = $1 and token_id = $2", party_id, token_id)
    return TokenView(**row) if row else None


async def get_token(conn: Connection, party_id: UUID, token_id: UUID) -> TokenView:
    """Raises NotFound."""
    token = await find_token(conn, party_id, token_id)
    if token is None:
        raise NotFound(f"no token {token_id}")
    return token
