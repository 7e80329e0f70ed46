"""CDRs and unbillable sessions in PostgreSQL, on the write side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.billing.cdrs.model import Cdr, CdrPlace, CdrToken, Decision, Reason, content_of
from ohmstead.billing.paying.covering import customer_of
from ohmstead.core.db import Connection, Row
from ohmstead.stations.sites.countries import in_two

# What a driver typed at a keypad stands on no bill.
PIN: Final = "PIN"


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a CDR tells of a session beside its price. `is_test`: its station is on trial; `is_free`: nothing is asked for
    it; `driver_id`: who held the token when it began.
    """

    place: CdrPlace
    token: CdrToken
    customer: str
    is_test: bool
    is_free: bool = False
    driver_id: UUID | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """Where an unbillable session stands."""

    reason: Reason
    detail: str
    decision: Decision | None


_SURROUNDINGS = """
select s.session_id, s.location_id, coalesce(l.name, '') as name, coalesce(l.address, '') as address,
       coalesce(l.city, '') as city, coalesce(l.postal_code, '') as postal_code, coalesce(l.state, '') as state,
       coalesce(nullif(l.country, ''), y.country_code) as country, l.latitude, l.longitude,
       coalesce(l.time_zone, y.time_zone) as time_zone, s.station_id, st.name as station_name, s.evse_number,
       s.connector_number, c.standard as connector_standard, e.current_type,
       coalesce(e.max_power_w, st.max_power_w) as max_power_w,
       st.is_lab as is_test, s.token_uid as uid, s.token_type as type, s.token_id, t.contract_id,
       v.kind as cover_kind, v.ref as cover_ref,
       (select h.driver_id from token_holding h where h.party_id = s.party_id and h.uid_key = s.token_key
         and s.token_uid is not null and h.from_at <= s.started_at and (h.until_at is null or s.started_at < h.until_at)
         order by h.from_at desc limit 1) as driver_id,
       (select p.payment_id from payment p where p.party_id = s.party_id and p.token_key = s.token_key) as payment_id
from session s join station st using (station_id) join party y on y.party_id = s.party_id
left join location l on l.location_id = s.location_id
left join token t on t.token_id = s.token_id
left join session_cover v on v.session_id = s.session_id
left join evse e on e.station_id = s.station_id and e.evse_number = s.evse_number
left join connector c on c.station_id = s.station_id and c.evse_number = s.evse_number
  and c.connector_number = s.connector_number
where s.party_id = $1 and s.session_id = any ($2)
"""


async def find_surroundings(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Surroundings]:
    found = {}
    for row in await conn.fetch(_SURROUNDINGS, party_id, list(session_ids)):
        fields = dict(row)
        session_id, driver_id = fields.pop("session_id"), fields.pop("driver_id")
        cover, ref, payment_id = fields.pop("cover_kind"), fields.pop("cover_ref"), fields.pop("payment_id")
        is_test = fields.pop("is_test")
        if fields["type"] == "KeyCode":
            fields["uid"] = PIN
        token = CdrToken(**{name: fields.pop(name) for name in ("uid", "type", "token_id", "contract_id")})
        fields["country"] = in_two(fields["country"].upper())
        found[session_id] = Surroundings(
            place=CdrPlace(**fields),
            token=token,
            customer=customer_of(cover, ref, driver_id=driver_id, token_id=token.token_id, payment_id=payment_id),
            is_test=is_test,
            is_free=cover == "free",
            driver_id=driver_id,
        )
    return found


CDR = """
select c.cdr_id, c.party_id, c.kind, c.session_id, c.version, c.credits_id, c.replaces_id, k.cdr_id as credited_by,
       c.location_id, c.station_id, c.token_uid, c.token_type, c.token_id, c.contract_id, c.customer, c.started_at, c.ended_at,
       c.energy_wh, c.currency, c.before_taxes, c.total, c.tariff_id, c.tariff_version, c.content, c.reason, c.created_at,
       c.created_by
from cdr c left join cdr k on k.credits_id = c.cdr_id
"""


def cdr_of(row: Row) -> Cdr:
    """A row of `CDR`."""
    fields: dict[str, Any] = dict(row)
    content = content_of(fields.pop("content"))
    token = CdrToken(
        uid=fields.pop("token_uid"),
        type=fields.pop("token_type"),
        token_id=fields.pop("token_id"),
        contract_id=fields.pop("contract_id"),
    )
    return Cdr(token=token, **msgspec.structs.asdict(content), **fields)


async def list_latest(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Cdr]:
    """The last charge of each session that was ever billed, credited or not."""
    rows = await conn.fetch(
        f"select distinct on (session_id) * from ({CDR} where c.party_id = $1 and c.session_id = any ($2)"
        " and c.kind = 'charge') x order by session_id, version desc",
        party_id,
        list(session_ids),
    )
    return {row["session_id"]: cdr_of(row) for row in rows}


_INSERTED = {
    "cdr_id": "uuid",
    "kind": "text",
    "session_id": "uuid",
    "version": "integer",
    "credits_id": "uuid",
    "replaces_id": "uuid",
    "location_id": "uuid",
    "station_id": "text",
    "customer": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "energy_wh": "numeric",
    "currency": "text",
    "before_taxes": "numeric",
    "total": "numeric",
    "tariff_id": "uuid",
    "tariff_version": "integer",
    "content": "jsonb",
    "reason": "text",
    "created_at": "timestamptz",
    "created_by": "text",
}
_OF_TOKEN = {"token_uid": "uid", "token_type": "type", "token_id": "token_id", "contract_id": "contract_id"}


async def insert_cdrs(conn: Connection, party_id: UUID, cdrs: Sequence[Cdr], days: Sequence[date]) -> None:
    """In their order: a credit after what it credits. `days`: on which each is in the books."""
    names = [*_INSERTED, *_OF_TOKEN, "booked_on"]
    types = [*_INSERTED.values(), "text", "text", "uuid", "text", "date"]
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=2))
    columns: list[list[Any]] = [[getattr(cdr, name) for cdr in cdrs] for name in _INSERTED]
    columns += [[getattr(cdr.token, field) for cdr in cdrs] for field in _OF_TOKEN.values()]
    columns.append(list(days))
    await conn.execute(
        f"insert into cdr (party_id, {', '.join(names)}) select $1, c.* from unnest({arrays}) as c", party_id, *columns
    )


async def list_unbilled(conn: Connection, party_id: UUID, after: UUID | None, limit: int) -> list[UUID]:
    """Settled sessions without a CDR that are not on the list either, by id."""
    rows = await conn.fetch(
        # Not "$2 is null or": a plan that is kept for all values of $2 would walk the index from its beginning.
        "select s.session_id from session s where s.party_id = $1 and s.settled_at is not null"
        # Said of the others as well: a merge begins at the first of theirs otherwise.
        " and s.session_id > $2 and not exists (select from cdr c where c.session_id = s.session_id and c.session_id > $2)"
        " and not exists (select from unbillable_session u where u.session_id = s.session_id and u.session_id > $2)"
        " order by s.session_id limit $3",
        party_id,
        after or UUID(int=0),
        limit,
    )
    return [row["session_id"] for row in rows]


async def list_unbillable(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Listed]:
    rows = await conn.fetch(
        "select session_id, reason, detail, decision from unbillable_session where party_id = $1 and session_id = any ($2)",
        party_id,
        list(session_ids),
    )
    return {
        row["session_id"]: Listed(reason=row["reason"], detail=row["detail"], decision=row["decision"]) for row in rows
    }


async def put_on_list(conn: Connection, party_id: UUID, rows: Sequence[tuple[UUID, Reason, str]], at: datetime) -> None:
    """(session, reason, in words). One that is listed already keeps its time, and nobody has decided about it."""
    await conn.execute(
        "insert into unbillable_session (session_id, party_id, location_id, station_id, reason, detail, found_at)"
        " select u.session_id, $1, s.location_id, s.station_id, u.reason, u.detail, $2"
        " from unnest($3::uuid[], $4::text[], $5::text[]) as u (session_id, reason, detail)"
        " join session s on s.session_id = u.session_id and s.party_id = $1"
        " on conflict (session_id) do update set reason = excluded.reason, detail = excluded.detail,"
        " decision = null, note = '', decided_at = null, decided_by = null",
        party_id,
        at,
        *[list(column) for column in zip(*rows, strict=True)],
    )


async def take_off_list(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> None:
    """Those of the sessions about which nobody decided: they are billed by themselves now."""
    await conn.execute(
        "delete from unbillable_session where party_id = $1 and session_id = any ($2) and decision is null",
        party_id,
        list(session_ids),
    )


async def decide(
    conn: Connection, party_id: UUID, session_id: UUID, decision: Decision, note: str, at: datetime, by: str
) -> None:
    await conn.execute(
        "update unbillable_session set decision = $3, note = $4, decided_at = $5, decided_by = $6"
        " where party_id = $1 and session_id = $2",
        party_id,
        session_id,
        decision,
        note,
        at,
        by,
    )


class Reduction(Struct, frozen=True, kw_only=True):
    """What a person took off a bill. `amount`: with taxes."""

    cdr_id: UUID
    reduces_id: UUID
    session_id: UUID
    currency: str
    amount: Decimal
    reason: str
    created_at: datetime
    created_by: str


async def insert_reduction(conn: Connection, party_id: UUID, made: Reduction) -> None:
    await conn.execute(
        "insert into cdr_reduction (party_id, cdr_id, reduces_id, session_id, currency, amount, reason, created_at, created_by)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        party_id,
        *msgspec.structs.astuple(made),
    )


async def list_reductions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, list[Reduction]]:
    """Of each session those that hold, in the order in which they were made."""
    rows = await conn.fetch(
        "select cdr_id, reduces_id, session_id, currency, amount, reason, created_at, created_by from cdr_reduction"
        " where party_id = $1 and session_id = any ($2) and ended_at is null order by created_at, cdr_id",
        party_id,
        list(session_ids),
    )
    found: dict[UUID, list[Reduction]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(Reduction(**dict(row)))
    return found


async def end_reductions(conn: Connection, party_id: UUID, session_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update cdr_reduction set ended_at = $3 where party_id = $1 and session_id = $2 and ended_at is null",
        party_id,
        session_id,
        at,
    )


async def rename_tokens(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> int:
    """Erased drivers' sessions have a pseudonym: their CDRs get it, too. Returns how many."""
    rows = await conn.fetch(
        "update cdr c set token_uid = s.token_uid, token_id = null, contract_id = null from session s, token_holding h"
        " where c.party_id = $1 and h.party_id = $1 and h.driver_id = any ($2) and s.party_id = $1"
        " and s.token_key = h.uid_key and s.token_uid like 'erased-%' and c.session_id = s.session_id"
        " and c.token_uid is distinct from s.token_uid returning c.cdr_id",
        party_id,
        list(driver_ids),
    )
    return len(rows)
