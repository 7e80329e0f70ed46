"""Ways of paying in PostgreSQL: one look-up for a start, and what people set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.paying.covering import Asked
from ohmstead.billing.paying.model import Cover, Method, PayingPartner, PayingPolicy, SessionCover
from ohmstead.core.db import Connection, Row
from ohmstead.core.money import Money


class Known(Struct, frozen=True, kw_only=True):
    """What is set up about whoever shows a token, and about their party."""

    asked: Asked
    party_id: UUID
    driver_id: UUID | None
    hold_amount: Decimal
    least_credit: Decimal


# Nothing but the policy is looked at where a party has none: then there are no rows.
_KNOWN = """
select a.n, a.party_id, a.type, a.driver_id, a.payment_id, p.without_method, p.hold_amount, p.least_credit,
       mt.kind as token_kind, mt.ref as token_ref, md.kind as driver_kind, md.ref as driver_ref,
       ct.company_id as token_company, cd.company_id as driver_company, pp.partner, w.driver_id is not null as has_wallet,
       array(select c.company_id::text from company c where c.status <> 'active' and c.company_id in (
           ct.company_id, cd.company_id, case when mt.kind = 'company' then mt.ref::uuid end,
           case when md.kind = 'company' then md.ref::uuid end)) as suspended_companies,
       exists (select from payment_debt b where b.party_id = a.party_id and b.settled_at is null
           and b.reason <> 'amount_too_small'
           and b.customer in ('driver:' || a.driver_id, 'token:' || a.token_id)) as is_in_debt
from {asked} a join paying_policy p on p.party_id = a.party_id
left join paying_method mt on mt.token_id = a.token_id
left join paying_method md on md.driver_id = a.driver_id
left join company_member ct on ct.token_id = a.token_id
left join company_member cd on cd.driver_id = a.driver_id
left join paying_partner pp on pp.party_id = a.party_id and pp.prefix = upper(left(replace(a.contract, '-', ''), 5))
left join wallet w on w.driver_id = a.driver_id
order by a.n
"""
# Parties without a policy first, and tokens by their id alone: a plan made while tables are small is kept for long.
_TOKENS = """
(select u.n, u.party_id, u.token_id, u.type, t.driver_id,
        (select y.payment_id::text from payment y where t.type = 'DirectPayment' and y.party_id = u.party_id
          and y.token_key = t.uid_key) as payment_id,
        coalesce(t.contract_id, case when t.type = 'eMAID' then t.uid end) as contract
 from (select v.* from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as v (party_id, token_id, type, n)
       where v.party_id in (select q.party_id from paying_policy q where q.party_id = any ($1)) offset 0) u
 left join token t on t.token_id = u.token_id)
"""
# Whose a token was when the session began.
_SESSIONS = """
(select s.session_id as n, s.party_id, s.token_id, s.token_type as type,
        (select y.payment_id::text from payment y where s.token_type = 'DirectPayment' and y.party_id = s.party_id
          and y.token_key = s.token_key) as payment_id,
        coalesce(t.contract_id, case when s.token_type = 'eMAID' then s.token_uid end) as contract,
        (select h.driver_id from token_holding h where h.party_id = s.party_id and h.uid_key = s.token_key
          and s.token_uid is not null and h.from_at <= s.started_at and (h.until_at is null or s.started_at < h.until_at)
          order by h.from_at desc limit 1) as driver_id
 from session s left join token t on t.token_id = s.token_id
 where s.party_id = $1 and s.session_id = any ($2) and s.token_uid is not null)
"""


def _known(row: Row) -> Known:
    return Known(
        asked=Asked(
            type=row["type"],
            driver_id=str(row["driver_id"]) if row["driver_id"] else None,
            payment_id=row["payment_id"],
            token_method=Method(kind=row["token_kind"], ref=row["token_ref"]) if row["token_kind"] else None,
            driver_method=Method(kind=row["driver_kind"], ref=row["driver_ref"]) if row["driver_kind"] else None,
            token_company=str(row["token_company"]) if row["token_company"] else None,
            driver_company=str(row["driver_company"]) if row["driver_company"] else None,
            suspended_companies=frozenset(row["suspended_companies"]),
            partner=row["partner"],
            is_in_debt=row["is_in_debt"],
            has_wallet=row["has_wallet"],
            without_method=row["without_method"],
        ),
        party_id=row["party_id"],
        driver_id=row["driver_id"],
        hold_amount=row["hold_amount"],
        least_credit=row["least_credit"],
    )


async def look_up(
    conn: Connection, party_ids: Sequence[UUID], token_ids: Sequence[UUID | None], types: Sequence[str | None]
) -> dict[int, Known]:
    """By the place in the sequences; those of parties that have nothing set up are left out."""
    rows = await conn.fetch(_KNOWN.format(asked=_TOKENS), list(party_ids), list(token_ids), list(types))
    return {row["n"] - 1: _known(row) for row in rows}


async def look_up_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Known]:
    """Of sessions with a token, as it is now, for whoever held the token when they began."""
    rows = await conn.fetch(_KNOWN.format(asked=_SESSIONS), party_id, list(session_ids))
    return {row["n"]: _known(row) for row in rows}


# any party: by id, for the worker
async def parties_of(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Sessions that have no cover yet and may need one, by party."""
    rows = await conn.fetch(
        "select s.party_id, array_agg(s.session_id) as session_ids from session s join paying_policy p using (party_id)"
        " where s.session_id = any ($1) and s.token_uid is not null"
        " and not exists (select from session_cover c where c.session_id = s.session_id) group by s.party_id",
        list(session_ids),
    )
    return {row["party_id"]: list(row["session_ids"]) for row in rows}


async def starts_of(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """When sessions began, with which token, where."""
    rows = await conn.fetch(
        "select session_id, started_at, token_key, station_id from session"
        " where party_id = $1 and session_id = any ($2)",
        party_id,
        list(session_ids),
    )
    return {row["session_id"]: row for row in rows}


_COVER = "session_id, party_id, kind, ref, source, driver_id, limit_amount, currency, plans, coupons"


async def list_covers(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, SessionCover]:
    rows = await conn.fetch(
        f"select {_COVER} from session_cover where party_id = $1 and session_id = any ($2)", party_id, list(session_ids)
    )
    return {row["session_id"]: SessionCover(**row) for row in rows}


async def list_priced_covers(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, SessionCover]:
    """Of those of the sessions whose price depends on plans or coupons, or which are free."""
    rows = await conn.fetch(
        f"select {_COVER} from session_cover where party_id = $1 and session_id = any ($2)"
        " and (plans <> '{}' or coupons <> '{}' or kind = 'free')",
        party_id,
        list(session_ids),
    )
    return {row["session_id"]: SessionCover(**row) for row in rows}


async def insert_cover(
    conn: Connection,
    party_id: UUID,
    session_id: UUID,
    cover: Cover,
    driver_id: UUID | None,
    plans: Sequence[str],
    coupons: Sequence[str],
) -> bool:
    """Once for a session. False when it has one."""
    row = await conn.fetchrow(
        "insert into session_cover (session_id, party_id, kind, ref, source, driver_id, plans, coupons)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning 1",
        session_id,
        party_id,
        cover.kind,
        cover.ref,
        cover.source,
        driver_id,
        list(plans),
        list(coupons),
    )
    return row is not None


async def set_limit(conn: Connection, party_id: UUID, session_id: UUID, amount: Decimal, currency: str) -> None:
    await conn.execute(
        "update session_cover set limit_amount = $3, currency = $4 where party_id = $1 and session_id = $2"
        " and (limit_amount is distinct from $3 or currency is distinct from $4)",
        party_id,
        session_id,
        amount,
        currency,
    )


# any party: by id, for the worker
async def list_guests(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """Of guests' sessions what is held of their cards."""
    rows = await conn.fetch(
        "select s.session_id, y.amount, y.currency from session s join payment y on y.party_id = s.party_id"
        " and y.token_key = s.token_key where s.session_id = any ($1) and s.token_type = 'DirectPayment'",
        list(session_ids),
    )
    return {row["session_id"]: Money(row["amount"], row["currency"]) for row in rows}


# ------------------------------------------------------------------------------------------------- what people set


async def find_policy(conn: Connection, party_id: UUID) -> PayingPolicy | None:
    row = await conn.fetchrow(
        "select party_id, without_method, hold_amount, least_credit, version from paying_policy where party_id = $1",
        party_id,
    )
    return PayingPolicy(**row) if row else None


async def ensure_policy(conn: Connection, party_id: UUID) -> None:
    """From now on it is asked who pays; without a word from the party tokens charge on account, as before."""
    await conn.execute("insert into paying_policy (party_id) values ($1) on conflict do nothing", party_id)


async def change_policy(conn: Connection, party_id: UUID, values: dict[str, Any], if_version: int | None) -> bool:
    """False when it is not in that version."""
    if beyond := set(values) - {"without_method", "hold_amount", "least_credit"}:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    assignments = "".join(f"{name} = ${n}, " for n, name in enumerate(values, start=3))
    row = await conn.fetchrow(
        f"update paying_policy set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and ($2::integer is null or version = $2) returning 1",
        party_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def set_method(
    conn: Connection,
    party_id: UUID,
    *,
    token_id: UUID | None,
    driver_id: UUID | None,
    method: Method,
    at: datetime,
    by: str,
) -> None:
    whose = "token_id" if token_id is not None else "driver_id"
    await conn.execute(
        "insert into paying_method (party_id, token_id, driver_id, kind, ref, set_at, set_by)"
        f" values ($1, $2, $3, $4, $5, $6, $7) on conflict ({whose}) where {whose} is not null do update"
        " set kind = excluded.kind, ref = excluded.ref, set_at = excluded.set_at, set_by = excluded.set_by",
        party_id,
        token_id,
        driver_id,
        method.kind,
        method.ref,
        at,
        by,
    )


async def delete_method(conn: Connection, party_id: UUID, token_id: UUID | None, driver_id: UUID | None) -> bool:
    row = await conn.fetchrow(
        "delete from paying_method where party_id = $1 and (token_id = $2 or driver_id = $3) returning 1",
        party_id,
        token_id,
        driver_id,
    )
    return row is not None


async def find_token(conn: Connection, party_id: UUID, token_id: UUID) -> Row | None:
    """Whose it is, of what type, and its contract."""
    row: Row | None = await conn.fetchrow(
        "select token_id, driver_id, type from token where party_id = $1 and token_id = $2", party_id, token_id
    )
    return row


async def is_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> bool:
    """Somebody of the party's who is not erased."""
    found = await conn.fetchval(
        "select exists (select from driver where party_id = $1 and driver_id = $2 and status <> 'erased')",
        party_id,
        driver_id,
    )
    return bool(found)


async def look_up_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> Known | None:
    """What is set up about a driver without regard to a token."""
    asked = (
        "(select 1 as n, $1::uuid as party_id, null::uuid as token_id, null::text as type, $2::uuid as driver_id,"
        " null::text as payment_id, null::text as contract)"
    )
    row = await conn.fetchrow(_KNOWN.format(asked=asked), party_id, driver_id)
    return _known(row) if row else None


async def name_of(conn: Connection, party_id: UUID, kind: str, ref: str) -> str:
    """Of a company or a partner, as people call it; empty for what is not there any more."""
    if kind == "company":
        found = await conn.fetchval(
            "select name from company where party_id = $1 and company_id = $2", party_id, UUID(ref)
        )
    else:
        found = await conn.fetchval(
            "select name from paying_partner where party_id = $1 and partner = $2 order by prefix limit 1",
            party_id,
            ref,
        )
    return found or ""


async def list_partners(conn: Connection, party_id: UUID) -> list[PayingPartner]:
    rows = await conn.fetch(
        "select prefix, partner, name from paying_partner where party_id = $1 order by prefix", party_id
    )
    return [PayingPartner(**row) for row in rows]


async def put_partner(conn: Connection, party_id: UUID, given: PayingPartner) -> None:
    await conn.execute(
        "insert into paying_partner (party_id, prefix, partner, name) values ($1, $2, $3, $4)"
        " on conflict (party_id, prefix) do update set partner = excluded.partner, name = excluded.name",
        party_id,
        given.prefix,
        given.partner,
        given.name,
    )


async def delete_partner(conn: Connection, party_id: UUID, prefix: str) -> bool:
    row = await conn.fetchrow(
        "delete from paying_partner where party_id = $1 and prefix = $2 returning 1", party_id, prefix
    )
    return row is not None


async def delete_methods_of_driver(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> None:
    """Of drivers who are erased: what they pay with, and whose members they are."""
    await conn.execute(
        "delete from paying_method where party_id = $1 and driver_id = any ($2)", party_id, list(driver_ids)
    )
    await conn.execute(
        "delete from company_member where party_id = $1 and driver_id = any ($2)", party_id, list(driver_ids)
    )


async def list_settlements(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> list[Row]:
    """What payment terminals settled of sessions: (settlement, session, amount, currency or null, when)."""
    return list(
        await conn.fetch(
            "select t.settlement_id, s.session_id, t.amount, t.currency, t.settled_at from session s join settlement t"
            " on t.station_id = s.station_id and t.transaction_id = s.transaction_id"
            " where s.party_id = $1 and s.session_id = any ($2) and t.party_id = $1 and t.status = 'settled'"
            " and t.settled_by = 'station' and t.settled_at >= s.started_at order by t.settlement_id",
            party_id,
            list(session_ids),
        )
    )


async def sessions_of_transactions(
    conn: Connection, party_id: UUID, transactions: Sequence[tuple[str, str]]
) -> list[UUID]:
    """The latest sessions of these names, (station, transaction)."""
    rows = await conn.fetch(
        "select distinct on (s.station_id, s.transaction_id) s.session_id from session s"
        " join unnest($2::text[], $3::text[]) as t (station_id, transaction_id) using (station_id, transaction_id)"
        " where s.party_id = $1 order by s.station_id, s.transaction_id, s.run desc",
        party_id,
        [station_id for station_id, _ in transactions],
        [transaction_id for _, transaction_id in transactions],
    )
    return [row["session_id"] for row in rows]


_BILL = """
select c.cdr_id, c.session_id, c.customer, c.currency, c.total, c.ended_at, k.cdr_id is not null as is_credited
from cdr c left join cdr k on k.credits_id = c.cdr_id
"""


async def list_bills(conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Charges by their id."""
    rows = await conn.fetch(
        f"{_BILL} where c.party_id = $1 and c.cdr_id = any ($2) and c.kind = 'charge'", party_id, list(cdr_ids)
    )
    return {row["cdr_id"]: row for row in rows}


async def list_bills_of_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """The latest charge of each session that was billed."""
    rows = await conn.fetch(
        f"{_BILL} where c.party_id = $1 and c.session_id = any ($2) and c.kind = 'charge' order by c.version",
        party_id,
        list(session_ids),
    )
    return {row["session_id"]: row for row in rows}
