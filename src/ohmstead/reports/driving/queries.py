"""What one driver, or whoever holds a pass, may see of charges: read-only, across the rooms' tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.reports.driving.model import Charge, Habits, HistoryRow, MonthSum, Sample, StartOrder

_CHARGE = """
select s.session_id, s.party_id, p.name as party_name, s.station_id, s.evse_number,
       coalesce(nullif(e.physical_reference, ''), s.evse_number::text, '') as plug, c.standard, e.current_type,
       s.transaction_id, s.status, s.charging_state, s.started_at, s.ended_at, s.last_event_at, s.updated_at, s.settled_at,
       s.energy_wh, s.power_w, s.power_at, s.peak_power_w, s.soc_start_percent, s.soc_percent, s.soc_at, s.charging_s,
       s.stop_reason, s.token_id, s.token_uid, st.gateway_id is not null as is_online, s.location_id,
       coalesce(l.name, '') as location_name, coalesce(l.address, '') as address, coalesce(l.city, '') as city,
       coalesce(l.time_zone, p.time_zone) as time_zone, coalesce(l.help_phone, '') as help_phone
from session s join party p using (party_id) join station st on st.station_id = s.station_id
left join evse e on e.station_id = s.station_id and e.evse_number = s.evse_number
left join connector c on c.station_id = s.station_id and c.evse_number = s.evse_number
     and c.connector_number = coalesce(s.connector_number, 1)
left join location l on l.location_id = s.location_id
"""
# A driver's sessions are those begun with a token while the driver held it.
_HELD = """token_holding h join session s on s.party_id = h.party_id and s.token_key = h.uid_key and s.token_uid is not null
    and s.started_at >= h.from_at and (h.until_at is null or s.started_at < h.until_at)
    where h.party_id = $1 and h.driver_id = $2"""
_HIS = f"s.session_id = any (array(select s.session_id from {_HELD}))"


# any party: whoever holds its pass may see it
async def find_charge(conn: Connection, session_id: UUID) -> Charge | None:
    row = await conn.fetchrow(f"{_CHARGE} where s.session_id = $1", session_id)
    return Charge(**row) if row else None


# any party: by the one-time token of a payment or start, which nobody else has
async def find_session_of_token(
    conn: Connection, station_id: str, token_uid: str, within: tuple[datetime, datetime] | None = None
) -> UUID | None:
    """The latest session at a station that began with a token; `within`: of which we heard first between these."""
    found: UUID | None = await conn.fetchval(
        "select session_id from session where station_id = $1 and token_key = lower($2) and token_uid is not null"
        " and ($3::timestamptz is null or first_received_at between $3 and $4) order by started_at desc limit 1",
        station_id,
        token_uid,
        *(within or (None, None)),
    )
    return found


# any party: whoever holds its pass may see it
async def find_start(conn: Connection, command_id: UUID) -> StartOrder | None:
    row = await conn.fetchrow(
        "select command_id, party_id, station_id, (parameters ->> 'evse_number')::integer as evse_number,"
        " parameters ->> 'token_uid' as token_uid, status, error_text, requested_at, session_id"
        " from command where command_id = $1 and kind = 'remote_start'",
        command_id,
    )
    return StartOrder(**row) if row else None


# any party: whoever holds its pass may see it
async def find_party_of_payment(conn: Connection, payment_id: UUID) -> UUID | None:
    """Whose books a payment is in."""
    found: UUID | None = await conn.fetchval("select party_id from payment where payment_id = $1", payment_id)
    return found


async def is_of_driver(conn: Connection, party_id: UUID, driver_id: UUID, session_id: UUID) -> bool:
    """Whether a session is a driver's."""
    found: bool = await conn.fetchval(
        f"select exists (select from {_HELD} and s.session_id = $3)", party_id, driver_id, session_id
    )
    return found


async def list_open(conn: Connection, party_id: UUID, driver_id: UUID) -> list[Charge]:
    """A driver's charges that go on, the latest first."""
    rows = await conn.fetch(
        f"{_CHARGE} where s.party_id = $1 and s.status in ('pending', 'active') and {_HIS} order by s.started_at desc",
        party_id,
        driver_id,
    )
    return [Charge(**row) for row in rows]


async def count_open_of_token(conn: Connection, party_id: UUID, token_id: UUID) -> int:
    """How many sessions go on that began with a token."""
    n: int = await conn.fetchval(
        "select count(*) from session where party_id = $1 and token_id = $2 and status in ('pending', 'active')",
        party_id,
        token_id,
    )
    return n


async def list_samples(conn: Connection, party_id: UUID, session_id: UUID, limit: int = 2000) -> list[Sample]:
    """A session's samples in time order: of very many the latest."""
    rows = await conn.fetch(
        "select * from (select m.sampled_at as at, m.power_w, m.soc_percent, m.energy_wh"
        " from session s join sample m using (session_id) where s.party_id = $1 and s.session_id = $2"
        " order by m.sampled_at desc limit $3) x order by at",
        party_id,
        session_id,
        limit,
    )
    return [Sample(**row) for row in rows]


_BILLED = """left join lateral (
    select c.cdr_id, c.total, c.currency from cdr c where c.session_id = s.session_id and c.kind = 'charge'
       and not exists (select from cdr r where r.credits_id = c.cdr_id) order by c.version desc limit 1
) b on true"""


# whole party: a driver's own charges, wherever they were
async def list_history(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    *,
    since: datetime | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[HistoryRow]:
    """Latest start first; `before` is (started_at, id) of the last one of the page before."""
    rows = await conn.fetch(
        "select s.session_id, s.started_at, s.ended_at, s.last_event_at, s.status, s.energy_wh, s.station_id,"
        " coalesce(l.name, '') as location_name, coalesce(l.city, '') as city,"
        " coalesce(l.time_zone, p.time_zone) as time_zone, b.cdr_id, b.total, b.currency"
        f" from session s join party p using (party_id) left join location l on l.location_id = s.location_id {_BILLED}"
        f" where s.party_id = $1 and {_HIS} and s.status <> 'invalid'"
        " and ($3::timestamptz is null or s.started_at >= $3)"
        " and ($4::timestamptz is null or (s.started_at, s.session_id) < ($4, $5::uuid))"
        " order by s.started_at desc, s.session_id desc limit $6",
        party_id,
        driver_id,
        since,
        *(before or (None, None)),
        limit,
    )
    return [HistoryRow(**row) for row in rows]


# whole party: a driver's own charges, wherever they were
async def list_months(
    conn: Connection, party_id: UUID, driver_id: UUID, since: datetime, time_zone: str
) -> list[MonthSum]:
    """Months with charges, oldest first, on the wall of a zone."""
    rows = await conn.fetch(
        "select to_char(s.started_at at time zone $4, 'YYYY-MM') as month, count(*)::integer as n,"
        f" sum(s.energy_wh) as energy_wh, b.currency, sum(b.total) as total from session s {_BILLED}"
        f" where s.party_id = $1 and {_HIS} and s.status <> 'invalid' and s.started_at >= $3"
        " group by 1, b.currency order by 1, b.currency",
        party_id,
        driver_id,
        since,
        time_zone,
    )
    found: dict[str, MonthSum] = {}
    for row in rows:
        known = found.get(row["month"])
        costs, billed_wh = (dict(known.costs), known.billed_wh) if known else ({}, Decimal(0))
        if row["currency"] is not None:
            costs[row["currency"]] = costs.get(row["currency"], Decimal(0)) + row["total"]
            billed_wh += row["energy_wh"]
        found[row["month"]] = MonthSum(
            month=row["month"],
            n=row["n"] + (known.n if known else 0),
            energy_wh=row["energy_wh"] + (known.energy_wh if known else Decimal(0)),
            billed_wh=billed_wh,
            costs=costs,
        )
    return list(found.values())


# whole party: a driver's own charges, wherever they were
async def find_habits(conn: Connection, party_id: UUID, driver_id: UUID, since: datetime, time_zone: str) -> Habits:
    """When a driver plugs in, on the wall of a zone."""
    rows = await conn.fetch(
        "select extract(hour from s.started_at at time zone $4)::integer as hour,"
        " extract(isodow from s.started_at at time zone $4)::integer as day, count(*)::integer as n"
        f" from session s where s.party_id = $1 and {_HIS} and s.status <> 'invalid' and s.started_at >= $3"
        " group by 1, 2",
        party_id,
        driver_id,
        since,
        time_zone,
    )
    hours, weekdays = [0] * 24, [0] * 7
    for row in rows:
        hours[row["hour"]] += row["n"]
        weekdays[row["day"] - 1] += row["n"]
    return Habits(hours=hours, weekdays=weekdays)


# any party: whoever holds the pass of the session may see what is drawn of it
async def find_cdr_id(conn: Connection, session_id: UUID) -> UUID | None:
    """The CDR that bills a session now."""
    found: UUID | None = await conn.fetchval(
        "select c.cdr_id from cdr c where c.session_id = $1 and c.kind = 'charge'"
        " and not exists (select from cdr r where r.credits_id = c.cdr_id) order by c.version desc limit 1",
        session_id,
    )
    return found


async def names_of_cards(conn: Connection, party_id: UUID, uids: Sequence[str]) -> dict[str, str]:
    """Cards' names by lower-case uid."""
    rows = await conn.fetch(
        "select uid_key, label from token where party_id = $1 and uid_key = any ($2)",
        party_id,
        [uid.lower() for uid in uids],
    )
    return {row["uid_key"]: row["label"] for row in rows}
