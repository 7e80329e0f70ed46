"""Finding anything by any id or a part of one: each kind looks where an index leads, and the best hits come first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import like
from ohmstead.core.db import Connection, Row

Kind: TypeAlias = Literal["station", "location", "driver", "token", "session", "cdr", "payment", "invoice", "entry"]
# In this order they are shown; what it takes to see them.
KINDS: dict[Kind, str] = {
    "station": "stations:read",
    "location": "stations:read",
    "driver": "drivers:read",
    "token": "tokens:read",
    "session": "sessions:read",
    "cdr": "billing:read",
    "payment": "payments:read",
    "invoice": "billing:read",
    "entry": "billing:read",
}


class Hit(Struct, frozen=True, kw_only=True):
    """Something found. The rank says how well: 3 the very id, 2 a beginning, 1 somewhere in it."""

    kind: Kind
    id: str
    title: Annotated[str, Meta(description="What people call it.")]
    text: Annotated[str, Meta(description="What else is known of it.")]
    path: Annotated[str, Meta(description="The console's page about it.")]
    at: Annotated[datetime | None, Meta(description="When it was last heard of.")]
    rank: int


_RANK = "case when lower({0}) = lower($4) then 3 when lower({0}) like lower($3) || '%' then 2 else 1 end"
_TOKEN_WORDS = "uid || ' ' || label || ' ' || coalesce(contract_id, '') || ' ' || coalesce(group_uid, '')"  # noqa: S105
_DRIVER_WORDS = "name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '') || ' ' || company"

# Parameters: $1 party, $2 locations or null, $3 the text escaped for like, $4 the text, $5 how many.
_QUERIES: dict[Kind, str] = {
    "station": f"""select st.station_id as id, st.station_id as title, concat_ws(' · ', nullif(st.name, ''), l.name,
            nullif(concat_ws(' ', st.vendor, st.model), '')) as text, st.last_seen_at as at,
            {_RANK.format("st.station_id")} as rank
        from station st left join location l using (location_id) where st.party_id = $1
            and ($2::uuid[] is null or st.location_id = any ($2)) and st.retired_at is null
            and concat_ws(' ', st.station_id, st.name, l.name, st.vendor, st.model, st.serial_number,
                          st.firmware_version, st.iccid) ilike '%' || $3 || '%'
        order by rank desc, st.station_id limit $5""",
    "location": f"""select location_id::text as id, name as title, concat_ws(' · ', address, city) as text,
            updated_at as at, {_RANK.format("name")} as rank
        from location where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))
            and (concat_ws(' ', name, address, city, postal_code) ilike '%' || $3 || '%'
            or location_id::text = lower($4))
        order by rank desc, name limit $5""",
    "driver": f"""select driver_id::text as id, name as title, concat_ws(' · ', nullif(company, ''), email, phone,
            case when status <> 'active' then status end) as text, updated_at as at,
            greatest({_RANK.format("name")}, {_RANK.format("coalesce(email, '')")}) as rank
        from driver where party_id = $1 and $2::uuid[] is null and status <> 'erased' and grams({_DRIVER_WORDS}) @> grams($4)
            and {_DRIVER_WORDS} ilike '%' || $3 || '%'
        order by rank desc, name limit $5""",
    "token": f"""select token_id::text as id, uid as title, concat_ws(' · ', nullif(label, ''), type,
            case when status = 'blocked' then 'blocked' end) as text, updated_at as at,
            greatest({_RANK.format("uid")}, {_RANK.format("coalesce(contract_id, '')")}) as rank
        from token where party_id = $1 and $2::uuid[] is null and grams({_TOKEN_WORDS}) @> grams($4)
            and {_TOKEN_WORDS} ilike '%' || $3 || '%'
        order by rank desc, uid limit $5""",
}
_SESSION = """s.session_id::text as id, 'transaction ' || s.transaction_id as title,
    concat_ws(' · ', s.station_id, s.token_uid) as text, s.started_at as at"""


async def search(conn: Connection, scope: Scope, text: str, kinds: Collection[Kind], limit: int) -> list[Hit]:
    """At most `limit` of each kind, the best kind of hit first within its kind, kinds in the order of KINDS.

    Drivers and tokens are at no location: a scope with locations finds none.
    """
    hits: list[Hit] = []
    for kind, query in _QUERIES.items():
        if kind in kinds:
            rows = await conn.fetch(query, scope.party_id, scope.locations, like(text)[1:-1], text, limit)
            hits += [_hit(kind, row) for row in rows]
    if "session" in kinds:
        hits += await _sessions(conn, scope, text, limit)
    if "cdr" in kinds:
        hits += await _cdrs(conn, scope, text, limit)
    if "payment" in kinds and scope.locations is None:
        hits += await _payments(conn, scope, text, limit)
    if "invoice" in kinds and scope.locations is None:
        hits += await _invoices(conn, scope, text, limit)
    if "entry" in kinds and scope.locations is None:
        hits += await _entries(conn, scope, text, limit)
    return hits


async def _sessions(conn: Connection, scope: Scope, text: str, limit: int) -> list[Hit]:
    """By transaction, by session id or its beginning, by the token that was shown: what an index finds."""
    bounds = id_bounds(text)
    rows = await conn.fetch(
        f"select * from ((select {_SESSION}, case when s.transaction_id = $4 then 3 else 2 end as rank from session s"
        "   where s.party_id = $1 and ($2::uuid[] is null or s.location_id = any ($2))"
        "   and s.transaction_id like $3 || '%'"
        "   order by s.transaction_id = $4 desc, s.transaction_id limit $5)"
        f" union (select {_SESSION}, case when $6::uuid = $7::uuid then 3 else 2 end from session s"
        "   where s.party_id = $1 and ($2::uuid[] is null or s.location_id = any ($2))"
        "   and s.session_id between $6::uuid and $7::uuid order by s.session_id limit $5)"
        f" union (select {_SESSION}, 2 from session s"
        "   where s.party_id = $1 and ($2::uuid[] is null or s.location_id = any ($2)) and s.token_uid is not null"
        "   and s.token_key = lower($4) order by s.started_at desc limit $5)) found"
        " order by rank desc, at desc limit $5",
        scope.party_id,
        scope.locations,
        like(text)[1:-1],
        text,
        limit,
        *(bounds or (None, None)),
    )
    seen: dict[str, Hit] = {}
    for row in rows:
        seen.setdefault(row["id"], _hit("session", row))
    return list(seen.values())


async def _cdrs(conn: Connection, scope: Scope, text: str, limit: int) -> list[Hit]:
    """By its id or the beginning of that, and all of a session that is named in full."""
    bounds = id_bounds(text)
    if bounds is None:
        return []
    rows = await conn.fetch(
        "select c.cdr_id::text as id, c.total || ' ' || c.currency as title,"
        " concat_ws(' · ', c.station_id, c.token_uid, case c.kind when 'credit' then 'credit' end) as text,"
        " c.created_at as at, case when c.cdr_id = $3::uuid and $3::uuid = $4::uuid then 3 else 2 end as rank from cdr c"
        " where c.party_id = $1 and ($2::uuid[] is null or c.location_id = any ($2))"
        " and (c.cdr_id between $3::uuid and $4::uuid or ($3::uuid = $4::uuid and c.session_id = $3::uuid))"
        " order by rank desc, c.created_at desc limit $5",
        scope.party_id,
        scope.locations,
        *bounds,
        limit,
    )
    return [_hit("cdr", row) for row in rows]


async def _payments(conn: Connection, scope: Scope, text: str, limit: int) -> list[Hit]:
    """By id or the beginning of that, or by what the provider calls it."""
    rows = await conn.fetch(
        "select p.payment_id::text as id, p.amount || ' ' || p.currency as title,"
        " concat_ws(' · ', p.provider, p.email, p.station_id) as text, p.created_at as at,"
        " case when p.payment_id = $2::uuid and $2::uuid = $3::uuid then 3 else 2 end as rank from payment p"
        " where p.party_id = $1 and (p.payment_id between $2::uuid and $3::uuid or p.provider_ref = $4"
        " or p.checkout_ref = $4 or p.email = lower($4)) order by rank desc, p.created_at desc limit $5",
        scope.party_id,
        *(id_bounds(text) or (None, None)),
        text,
        limit,
    )
    return [_hit("payment", row) for row in rows]


async def _invoices(conn: Connection, scope: Scope, text: str, limit: int) -> list[Hit]:
    """By number, by id or the beginning of that."""
    rows = await conn.fetch(
        "select i.invoice_id::text as id, i.number as title, concat_ws(' · ', nullif(i.buyer_name, ''),"
        " i.total || ' ' || i.currency) as text, i.created_at as at, case when lower(i.number) = lower($4)"
        " or (i.invoice_id = $2::uuid and $2::uuid = $3::uuid) then 3 else 2 end as rank from invoice i"
        " where i.party_id = $1 and (i.invoice_id between $2::uuid and $3::uuid or i.number = $4 or i.number = upper($4))"
        " order by rank desc, i.created_at desc limit $5",
        scope.party_id,
        *(id_bounds(text) or (None, None)),
        text,
        limit,
    )
    return [_hit("invoice", row) for row in rows]


async def _entries(conn: Connection, scope: Scope, text: str, limit: int) -> list[Hit]:
    """By number, or by id or the beginning of that."""
    bounds = id_bounds(text)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
    if bounds is None and number is None:
        return []
    rows = await conn.fetch(
        "select e.entry_id::text as id, e.number::text as title, concat_ws(' · ', e.kind, e.text) as text,"
        " e.created_at as at, case when e.entry_id = $2::uuid and $2::uuid = $3::uuid then 3 else 2 end as rank"
        " from ledger_entry e where e.party_id = $1 and (e.number = $4 or e.entry_id between $2::uuid and $3::uuid)"
        " order by rank desc, e.number desc limit $5",
        scope.party_id,
        *(bounds or (None, None)),
        number,
        limit,
    )
    return [_hit("entry", row) for row in rows]


def id_bounds(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id that begins so; None when none does, or nearly all would."""
    digits = text.lower().replace("-", "")
    if not 6 <= len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


_PLACES: dict[Kind, str] = {
    "station": "/stations/",
    "location": "/locations/",
    "driver": "/drivers/",
    "token": "/tokens/",
    "session": "/sessions/",
    "cdr": "/cdrs/",
    "payment": "/payments/",
    "invoice": "/invoices/",
    "entry": "/ledger/entries/",
}


def _hit(kind: Kind, row: Row) -> Hit:
    path = _PLACES[kind] + quote(row["id"], safe="")
    return Hit(kind=kind, id=row["id"], title=row["title"], text=row["text"], path=path, at=row["at"], rank=row["rank"])
