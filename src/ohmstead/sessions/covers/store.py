"""Limits of cost and what was noticed of them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.money import Money
from ohmstead.sessions.covers.judging import Notice
from ohmstead.sessions.model import Session
from ohmstead.sessions.store import SESSION_COLUMNS, session_of


class Costing(Struct, frozen=True):
    """A session that goes on, with what it costs so far."""

    session: Session
    total: Money


_COSTING = f"select {', '.join(f's.{name}' for name in SESSION_COLUMNS)}, s.xmin as version, c.total, c.currency"


# any party: the worker watches everybody's sessions
async def list_watched(conn: Connection, since: datetime, after: UUID, limit: int) -> list[Costing]:
    """Sessions that go on whose cost was reckoned since then, in order of their ids."""
    rows = await conn.fetch(
        f"{_COSTING} from session_cost c join session s using (session_id) where not c.is_final and c.total is not null"
        " and s.status in ('pending', 'active') and c.looked_at >= $1 and c.session_id > $2"
        " order by c.session_id limit $3",
        since,
        after,
        limit,
    )
    return [_costing(dict(row)) for row in rows]


async def list_notices(conn: Connection, party_id: UUID, session_id: UUID) -> list[Notice]:
    """What was noticed of a session, the latest first."""
    rows = await conn.fetch(
        "select kind, whose, limit_amount, total, currency from cover_notice where party_id = $1 and session_id = $2"
        " order by coalesce(tried_at, noticed_at) desc, kind desc",
        party_id,
        session_id,
    )
    return [
        Notice(
            session_id=session_id,
            party_id=party_id,
            kind=row["kind"],
            whose=row["whose"],
            limit=Money(row["limit_amount"], row["currency"]),
            total=Money(row["total"], row["currency"]),
        )
        for row in rows
    ]


# any party: the worker stops everybody's sessions
async def claim_to_stop(conn: Connection, at: datetime, again_after: timedelta, limit: int) -> list[Costing]:
    """Sessions that reached a limit and are not over, at stations that are connected; each is claimed by whoever gets it.

    One whose station was asked before comes again after `again_after`, then after twice that, and so on up to 15 times.
    """
    rows = await conn.fetch(
        "with due as (select n.session_id, n.kind, n.whose, n.limit_amount from cover_notice n"
        "  join session s using (session_id) join station t using (station_id)"
        "  where n.kind = 'ran_out' and s.status in ('pending', 'active') and t.gateway_id is not null"
        "  and (n.tried_at is null or n.tried_at <= $1::timestamptz - $2::interval * least(n.n_tries, 15))"
        "  order by n.tried_at nulls first limit $3 for update of n skip locked),"
        " tried as (update cover_notice n set tried_at = $1, n_tries = n.n_tries + 1 from due"
        "  where (n.session_id, n.kind, n.whose, n.limit_amount) = (due.session_id, due.kind, due.whose, due.limit_amount)"
        "  returning n.session_id)"
        f" {_COSTING} from (select distinct session_id from tried) t join session s using (session_id)"
        " join session_cost c using (session_id) where c.total is not null order by s.session_id",
        at,
        again_after,
        limit,
    )
    return [_costing(dict(row)) for row in rows]


async def keep_notices(conn: Connection, notices: Sequence[Notice], at: datetime) -> list[Notice]:
    """Those that nobody noticed before."""
    ordered = sorted(notices, key=lambda one: (one.session_id, one.kind, one.whose))
    rows = await conn.fetch(
        "insert into cover_notice (session_id, party_id, kind, whose, limit_amount, currency, total, noticed_at)"
        " select u.*, $8 from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::text[],"
        " $7::numeric[]) as u on conflict do nothing returning session_id, kind, whose, limit_amount",
        [one.session_id for one in ordered],
        [one.party_id for one in ordered],
        [one.kind for one in ordered],
        [one.whose for one in ordered],
        [one.limit.amount for one in ordered],
        [one.limit.currency for one in ordered],
        [one.total.amount for one in ordered],
        at,
    )
    new = {(row["session_id"], row["kind"], row["whose"], row["limit_amount"]) for row in rows}
    return [one for one in ordered if (one.session_id, one.kind, one.whose, one.limit.amount) in new]


# any party: by id, for the worker
async def list_driver_limits(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """What the drivers who held the sessions' tokens want to pay for a session at most."""
    rows = await conn.fetch(
        "select s.session_id, l.amount, l.currency from session s join lateral ("
        "  select h.driver_id from token_holding h where h.party_id = s.party_id and h.uid_key = s.token_key"
        "   and s.token_uid is not null and h.from_at <= s.started_at and (h.until_at is null or s.started_at < h.until_at)"
        "   order by h.from_at desc limit 1) h on true"
        " join driver_price_limit l on l.driver_id = h.driver_id and l.party_id = s.party_id"
        " where s.session_id = any ($1)",
        list(session_ids),
    )
    return {row["session_id"]: Money(row["amount"], row["currency"]) for row in rows}


async def find_price_limit(conn: Connection, party_id: UUID, driver_id: UUID) -> Money | None:
    row = await conn.fetchrow(
        "select amount, currency from driver_price_limit where party_id = $1 and driver_id = $2", party_id, driver_id
    )
    return Money(row["amount"], row["currency"]) if row else None


async def save_price_limit(conn: Connection, party_id: UUID, driver_id: UUID, most: Money, at: datetime) -> bool:
    """False: the party has no such driver."""
    row = await conn.fetchrow(
        "insert into driver_price_limit (driver_id, party_id, amount, currency, set_at)"
        " select d.driver_id, d.party_id, $3, $4, $5 from driver d where d.party_id = $1 and d.driver_id = $2"
        " on conflict (driver_id) do update set amount = excluded.amount, currency = excluded.currency,"
        " set_at = excluded.set_at returning driver_id",
        party_id,
        driver_id,
        most.amount,
        most.currency,
        at,
    )
    return row is not None


async def drop_price_limit(conn: Connection, party_id: UUID, driver_id: UUID) -> bool:
    """False: there is none."""
    row = await conn.fetchrow(
        "delete from driver_price_limit where party_id = $1 and driver_id = $2 returning driver_id", party_id, driver_id
    )
    return row is not None


def _costing(fields: dict[str, object]) -> Costing:
    total, currency = fields.pop("total"), fields.pop("currency")
    return Costing(session_of(fields), Money(total, currency))  # type: ignore[arg-type]
