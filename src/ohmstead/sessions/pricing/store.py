"""What pricing reads of sessions, and which tariff they keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection, Row
from ohmstead.sessions.model import ChargingPeriod, Session, SessionEvent
from ohmstead.sessions.store import SESSION_COLUMNS, session_of
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import tariff_of


class Kept(Struct, frozen=True):
    """The tariff that a session keeps."""

    session_id: UUID
    tariff_id: UUID
    version: int
    time_zone: str
    tariff: Tariff


class Measured(Struct, frozen=True):
    """What was told of a session: states, registers, currents by phase."""

    events: list[SessionEvent]
    registers: list[tuple[datetime, Decimal]]
    periods: list[ChargingPeriod]
    currents: list[tuple[datetime, Decimal]]


# any party: by id, for the worker and for doors that looked whose they are
async def list_sessions(conn: Connection, session_ids: Sequence[UUID]) -> list[Session]:
    rows = await conn.fetch(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where session_id = any ($1)"
        " order by session_id",
        list(session_ids),
    )
    return [session_of(dict(row)) for row in rows]


async def find_session(conn: Connection, party_id: UUID, session_id: UUID) -> Session | None:
    row = await conn.fetchrow(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where party_id = $1 and session_id = $2",
        party_id,
        session_id,
    )
    return session_of(dict(row)) if row else None


# any party: by id, as list_sessions
async def list_kept(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Kept]:
    rows = await conn.fetch(
        "select k.session_id, k.tariff_id, k.version, k.time_zone, v.content from session_tariff k"
        " join tariff_version v on v.tariff_id = k.tariff_id and v.version = k.version where k.session_id = any ($1)",
        list(session_ids),
    )
    known: dict[tuple[UUID, int], Tariff] = {}
    for row in rows:
        key = (row["tariff_id"], row["version"])
        if key not in known:
            known[key] = tariff_of(row["content"])
    return {
        row["session_id"]: Kept(
            row["session_id"],
            row["tariff_id"],
            row["version"],
            row["time_zone"],
            known[row["tariff_id"], row["version"]],
        )
        for row in rows
    }


async def keep(conn: Connection, party_id: UUID, rows: Sequence[tuple[UUID, UUID, int, UUID, str]]) -> None:
    """(session, tariff, version, assignment, time zone); a session that keeps one already stays with it.

    One that is not written yet keeps none.
    """
    await conn.execute(
        "insert into session_tariff (session_id, party_id, tariff_id, version, assignment_id, time_zone)"
        " select k.session_id, $1, k.tariff_id, k.version, k.assignment_id, k.time_zone"
        " from unnest($2::uuid[], $3::uuid[], $4::integer[], $5::uuid[], $6::text[])"
        " as k (session_id, tariff_id, version, assignment_id, time_zone) join session s on s.session_id = k.session_id"
        " where s.party_id = $1 on conflict do nothing",
        party_id,
        *[list(column) for column in zip(*rows, strict=True)],
    )


async def give(
    conn: Connection, party_id: UUID, session_id: UUID, tariff_id: UUID, version: int, time_zone: str
) -> bool:
    """A tariff for a session that keeps none; nobody assigned it. False: it keeps one."""
    row = await conn.fetchrow(
        "insert into session_tariff (session_id, party_id, tariff_id, version, assignment_id, time_zone)"
        " values ($2, $1, $3, $4, '00000000-0000-0000-0000-000000000000', $5) on conflict do nothing returning session_id",
        party_id,
        session_id,
        tariff_id,
        version,
        time_zone,
    )
    return row is not None


_MEASURED = """
select s.session_id,
       (select jsonb_agg(jsonb_build_array(v.at, v.kind) order by v.at, v.received_at)
          from session_event v where v.session_id = s.session_id) as happened,
       (select jsonb_agg(jsonb_build_array(c.started_at, c.ended_at, c.kind, c.energy_wh::text) order by c.started_at)
          from charging_period c where c.session_id = s.session_id) as periods,
       (select jsonb_agg(jsonb_build_array(p.sampled_at, p.energy_wh::text)
               order by p.sampled_at, p.context = 'Transaction.End', p.context <> 'Transaction.Begin', p.context)
          from sample p where p.session_id = s.session_id and p.energy_wh is not null) as registers
  from unnest($1::uuid[]) as s (session_id)
"""


# any party: by id, as list_sessions
async def list_measured(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Measured]:
    found = {}
    for row in await conn.fetch(_MEASURED, list(session_ids)):
        found[row["session_id"]] = Measured(
            events=[SessionEvent(_at(at), kind) for at, kind in row["happened"] or ()],
            registers=[(_at(at), Decimal(shown)) for at, shown in row["registers"] or ()],
            periods=[ChargingPeriod(_at(a), _at(b), kind, Decimal(e)) for a, b, kind, e in row["periods"] or ()],
            currents=[],
        )
    return found


class ToldRow(Struct, frozen=True):
    """A session with what was told of it since it was last counted; `until_at` and `tally`: what is kept of that."""

    session: Session
    until_at: datetime | None
    tally: bytes | None
    states: list[tuple[datetime, str]]
    samples: list[datetime]
    registers: list[tuple[datetime, Decimal]]


# What a station's clock told of a day before the session's begin is none of its readings.
_TOLD = f"""
select {", ".join(f"s.{name}" for name in SESSION_COLUMNS)}, s.xmin as version, c.until_at, c.tally, p.ats, p.registers,
       (select jsonb_agg(jsonb_build_array(v.at, v.kind) order by v.at, v.kind)
          from session_event v where v.session_id = s.session_id and v.kind = any ($2)) as states
  from session s left join session_cost c on c.session_id = s.session_id and not $3
 cross join lateral (
       select array_agg(p.sampled_at order by p.sampled_at) as ats,
              array_agg(p.energy_wh::text order by p.sampled_at) as registers
         from sample p where p.session_id = s.session_id
          and p.sampled_at > coalesce(c.until_at, s.started_at - interval '1 day')) p
 where s.session_id = any ($1)
"""


# any party: by id, as list_sessions
async def list_told(
    conn: Connection, session_ids: Sequence[UUID], states: Sequence[str], *, is_whole: bool
) -> dict[UUID, ToldRow]:
    """Sessions with their states, and their samples since they were last counted; `is_whole`: with all of them.

    One statement, so that a session is told of as it was at one instant.
    """
    found = {}
    for row in await conn.fetch(_TOLD, list(session_ids), list(states), is_whole):
        fields = dict(row)
        happened, ats, shown = fields.pop("states") or (), fields.pop("ats") or [], fields.pop("registers") or []
        until_at, tally = fields.pop("until_at"), fields.pop("tally")
        found[row["session_id"]] = ToldRow(
            session=session_of(fields),
            until_at=until_at,
            tally=tally,
            states=[(_at(at), kind) for at, kind in happened],
            samples=ats,
            registers=[(at, Decimal(one)) for at, one in zip(ats, shown, strict=True) if one is not None],
        )
    return found


# any party: the worker looks at everybody's sessions
async def list_changed(
    conn: Connection, now: datetime, nothing_since: datetime, begun_since: datetime, limit: int
) -> list[Session]:
    """Sessions that go on and changed since they were last looked at, those first that were looked at longest ago; and
    those that settled and whose final cost is not kept yet.

    Where no price is known, `nothing_since` says how long ago the last look must be, unless a tariff is kept since. Those that
    began since `begun_since` are among them in any case, unless they were looked at `now`.
    """
    columns = ", ".join(f"s.{name}" for name in SESSION_COLUMNS)
    rows = await conn.fetch(
        f"select {columns}, s.xmin as version from ("
        " (select s.session_id, c.looked_at from session s left join session_cost c using (session_id)"
        "   where s.status in ('pending', 'active', 'closing')"
        "   and (c.seen is distinct from s.xmin::text::bigint or s.first_received_at >= $3 and s.token_uid is not null"
        "     and c.looked_at < $4)"
        "   and (c.total is not null or c.looked_at is null or c.looked_at < $1"
        "     or exists (select from session_tariff t where t.session_id = s.session_id))"
        "   order by c.looked_at nulls first limit $2)"
        " union all"
        " (select s.session_id, c.looked_at from session_cost c join session s using (session_id)"
        "   where not c.is_final and s.settled_at is not null limit $2)) n"
        " join session s using (session_id) order by n.looked_at nulls first limit $2",
        nothing_since,
        limit,
        begun_since,
        now,
    )
    return [session_of(dict(row)) for row in rows]


class CostRow(Struct, frozen=True, kw_only=True):
    """What is kept of a session's cost."""

    session_id: UUID
    party_id: UUID
    total: Decimal | None
    currency: str | None
    price_kwh: Decimal | None
    price_text: str | None
    at: datetime
    is_final: bool
    seen: int
    until_at: datetime | None
    tally: bytes | None


# any party: rows carry theirs
async def save_costs(conn: Connection, rows: Sequence[CostRow], at: datetime) -> set[UUID]:
    """What was reckoned last counts. Returns the sessions whose amount is another than before."""
    ordered = sorted(rows, key=lambda row: row.session_id)
    found = await conn.fetch(
        "with before as (select session_id, total, currency from session_cost where session_id = any ($1::uuid[])),"
        " saved as (insert into session_cost (session_id, party_id, total, currency, price_kwh, price_text, at, is_final,"
        " seen, until_at, tally, looked_at) select u.*, $12 from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[],"
        " $5::numeric[], $6::text[], $7::timestamptz[], $8::boolean[], $9::bigint[], $10::timestamptz[], $11::bytea[]) as u"
        " on conflict (session_id) do update set total = excluded.total, currency = excluded.currency,"
        " price_kwh = excluded.price_kwh, price_text = excluded.price_text, at = excluded.at,"
        " is_final = excluded.is_final, seen = excluded.seen, until_at = excluded.until_at, tally = excluded.tally,"
        " looked_at = excluded.looked_at where session_cost.looked_at <= excluded.looked_at"
        " returning session_id, total, currency)"
        " select a.session_id from saved a left join before b using (session_id)"
        " where a.total is not null and (a.total, a.currency) is distinct from (b.total, b.currency)",
        [row.session_id for row in ordered],
        [row.party_id for row in ordered],
        [row.total for row in ordered],
        [row.currency for row in ordered],
        [row.price_kwh for row in ordered],
        [row.price_text for row in ordered],
        [row.at for row in ordered],
        [row.is_final for row in ordered],
        [row.seen for row in ordered],
        [row.until_at for row in ordered],
        [row.tally for row in ordered],
        at,
    )
    return {row["session_id"] for row in found}


# any party: by id, as list_sessions
async def list_currents(
    conn: Connection, session_ids: Sequence[UUID], after: Sequence[datetime | None] = ()
) -> dict[UUID, list[tuple[datetime, Decimal]]]:
    """Current over all phases, where stations tell it by phase; a whole value counts where there are no phases.

    `after`: for each session only what was read later than that.
    """
    rows = await conn.fetch(
        "select p.session_id, p.sampled_at, sum((r.value ->> 0)::numeric) as current_a"
        " from unnest($1::uuid[], $2::timestamptz[]) as u (session_id, after)"
        " join sample p on p.session_id = u.session_id and (u.after is null or p.sampled_at > u.after)"
        " cross join lateral jsonb_each(p.readings) as r (key, value)"
        " where r.key ~ '^Current.Import/L[123]$'"
        "   or (r.key = 'Current.Import' and not p.readings ? 'Current.Import/L1')"
        " group by p.session_id, p.sampled_at order by p.session_id, p.sampled_at",
        list(session_ids),
        list(after) if after else [None] * len(session_ids),
    )
    found: dict[UUID, list[tuple[datetime, Decimal]]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append((row["sampled_at"], row["current_a"]))
    return found


async def list_settled(
    conn: Connection,
    party_id: UUID,
    from_at: datetime,
    to_at: datetime,
    location_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Session]:
    """Sessions that are over, oldest first."""
    rows = await conn.fetch(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where party_id = $1 and started_at >= $2"
        " and started_at < $3 and ($4::uuid is null or location_id = $4) and settled_at is not null and status = 'completed'"
        " and (started_at, session_id) > ($5, $6) order by started_at, session_id limit $7",
        party_id,
        from_at,
        to_at,
        location_id,
        after[0] if after else datetime.fromisoformat("0001-01-02T00:00:00+00:00"),
        after[1] if after else UUID(int=0),
        limit,
    )
    return [session_of(dict(row)) for row in rows]


async def insert_simulation(
    conn: Connection,
    party_id: UUID,
    simulation_id: UUID,
    tariff: Tariff,
    from_at: datetime,
    to_at: datetime,
    location_id: UUID | None,
    asked_by: str,
) -> None:
    await conn.execute(
        "insert into tariff_simulation (simulation_id, party_id, content, from_at, to_at, location_id, asked_by)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        simulation_id,
        party_id,
        tariff,
        from_at,
        to_at,
        location_id,
        asked_by,
    )


# any party: by id, for the worker
async def find_queued(conn: Connection, simulation_id: UUID) -> Row | None:
    row: Row | None = await conn.fetchrow(
        "select party_id, content, from_at, to_at, location_id from tariff_simulation"
        " where simulation_id = $1 and status = 'queued'",
        simulation_id,
    )
    return row


async def finish_simulation(conn: Connection, party_id: UUID, simulation_id: UUID, status: str, result: Any) -> None:
    await conn.execute(
        "update tariff_simulation set status = $3, result = $4, finished_at = now()"
        " where party_id = $1 and simulation_id = $2",
        party_id,
        simulation_id,
        status,
        result,
    )


async def find_simulation(conn: Connection, party_id: UUID, simulation_id: UUID) -> Row | None:
    row: Row | None = await conn.fetchrow(
        "select simulation_id, from_at, to_at, location_id, status, result, asked_by, asked_at, finished_at"
        " from tariff_simulation where party_id = $1 and simulation_id = $2",
        party_id,
        simulation_id,
    )
    return row


async def list_simulations(conn: Connection, party_id: UUID, limit: int) -> list[Row]:
    rows: list[Row] = await conn.fetch(
        "select simulation_id, from_at, to_at, location_id, status, result, asked_by, asked_at, finished_at, content"
        " from tariff_simulation where party_id = $1 order by asked_at desc, simulation_id desc limit $2",
        party_id,
        limit,
    )
    return rows


async def find_tried(conn: Connection, party_id: UUID, simulation_id: UUID) -> Any:
    return await conn.fetchval(
        "select content from tariff_simulation where party_id = $1 and simulation_id = $2", party_id, simulation_id
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
