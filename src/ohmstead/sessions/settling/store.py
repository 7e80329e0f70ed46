"""What settling reads and writes: ended sessions with all that is told of them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.writes import Write, records, to_rows
from ohmstead.sessions.model import ChargingPeriod, MeterSample, Session, SessionEvent
from ohmstead.sessions.store import SESSION_COLUMNS, parse_reading, session_of


class Ended(msgspec.Struct):
    """A session to settle, and what is told of it. `rated_w`: what its outlet can deliver, as far as anybody told us."""

    session: Session
    events: list[SessionEvent]
    registers: list[tuple[datetime, Decimal]]
    n_samples: int
    rated_w: int | None
    is_settled_again: bool = False


_TO_SETTLE = f"""
select {", ".join(f"s.{name}" for name in SESSION_COLUMNS)}, s.xmin as version, m.n, m.ats, m.registers,
       (select jsonb_agg(jsonb_build_array(v.at, v.kind, v.detail) order by v.at, v.received_at)
          from session_event v where v.session_id = s.session_id) as happened,
       coalesce(e.max_power_w, st.max_power_w) as rated_w
  from session s join station st using (station_id)
  left join evse e on e.station_id = s.station_id and e.evse_number = s.evse_number
  cross join lateral (
       select count(*) as n, array_agg(p.sampled_at order by {{order}}) filter (where p.energy_wh is not null) as ats,
              array_agg(p.energy_wh::text order by {{order}}) filter (where p.energy_wh is not null) as registers
         from sample p where p.session_id = s.session_id) m
 where s.session_id = any($1) order by s.session_id for update of s
""".format(order="p.sampled_at, p.context = 'Transaction.End', p.context <> 'Transaction.Begin', p.context")


# any party: by id, for the worker
async def list_to_settle(conn: Connection, session_ids: Sequence[UUID]) -> list[Ended]:
    """Those of the sessions that exist, locked, with their events and registers in time order."""
    found = []
    for row in await conn.fetch(_TO_SETTLE, list(session_ids)):
        fields = dict(row)
        n, ats, shown = fields.pop("n"), fields.pop("ats") or (), fields.pop("registers") or ()
        happened, rated_w = fields.pop("happened") or (), fields.pop("rated_w")
        found.append(
            Ended(
                session=session_of(fields),
                events=[SessionEvent(datetime.fromisoformat(at), kind, detail) for at, kind, detail in happened],
                registers=list(zip(ats, map(Decimal, shown), strict=True)),
                n_samples=n,
                rated_w=rated_w,
            )
        )
    return found


async def list_samples(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, list[MeterSample]]:
    """All samples of sessions, in time order."""
    rows = await conn.fetch(
        "select session_id, sampled_at, context, readings from sample where session_id = any($1) order by sampled_at",
        list(session_ids),
    )
    found: dict[UUID, list[MeterSample]] = {session_id: [] for session_id in session_ids}
    for row in rows:
        found[row["session_id"]].append(
            MeterSample(
                sampled_at=row["sampled_at"],
                context=row["context"],
                readings=tuple(parse_reading(name, value) for name, value in row["readings"].items()),
            )
        )
    return found


# any party: by id, for the worker
async def drop_periods(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """The charging periods of sessions that settle once more."""
    if session_ids:
        await conn.execute("delete from charging_period where session_id = any($1)", list(session_ids))


_SETTLED = {
    "session_id": "uuid",
    "power_w": "numeric",
    "charging_s": "integer",
    "idle_s": "integer",
    "settled_at": "timestamptz",
}
_PERIOD = {
    "session_id": "uuid",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "kind": "text",
    "energy_wh": "numeric",
}
_SETTLE = f"""
settled as (
    update session s set {", ".join(f"{name} = u.{name}" for name in _SETTLED if name != "session_id")}
    from {records(1, _SETTLED)} where s.session_id = u.session_id),
stretches as (insert into charging_period ({", ".join(_PERIOD)}) select * from {records(2, _PERIOD)})"""
_settled_values = attrgetter(*_SETTLED)
_Settled = msgspec.defstruct("_Settled", tuple(_SETTLED))


class _PeriodRow(msgspec.Struct):
    session_id: UUID
    started_at: datetime
    ended_at: datetime
    kind: str
    energy_wh: Decimal


# any party: by id, for the worker
def settled(sessions: Sequence[Session], periods: Mapping[UUID, Sequence[ChargingPeriod]]) -> list[Write]:
    """What settling adds to sessions that had no charging periods, or have none any more."""
    if not sessions:
        return []
    rows = [
        _PeriodRow(session_id, p.started_at, p.ended_at, p.kind, p.energy_wh)
        for session_id, found in periods.items()
        for p in found
    ]
    return [Write(_SETTLE, [to_rows([_Settled(*_settled_values(s)) for s in sessions]), to_rows(rows)])]
