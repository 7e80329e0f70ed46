"""Signed readings with what became of them, and meters' keys, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.sessions.signed.model import Doubt, MeterKey, SignedSession, Verdict


class Kept(Struct, frozen=True, kw_only=True):
    """A signed reading as it is kept; what was found out about it is None before anybody looked."""

    session_id: UUID
    sampled_at: datetime
    digest: bytes
    context: str
    measurand: str
    encoding: str | None
    signing_method: str | None
    public_key: str | None
    data: bytes
    format: str | None = None
    verdict: Verdict | None = None
    why: str = ""
    reading_wh: Decimal | None = None
    read_at: datetime | None = None
    key_used: str | None = None


_KEPT = ", ".join(f"r.{name}" for name in Kept.__struct_fields__)


# any party: by id, for the worker
async def list_kept(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, list[Kept]]:
    """In the order of their times; sessions without any are left out."""
    rows = await conn.fetch(
        f"select {_KEPT} from signed_reading r where r.session_id = any ($1) order by r.session_id, r.sampled_at,"
        " r.context = 'Transaction.End', r.context <> 'Transaction.Begin', r.received_at, r.digest",
        list(session_ids),
    )
    found: dict[UUID, list[Kept]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(Kept(**row))
    return found


async def list_of_session(conn: Connection, party_id: UUID, session_id: UUID) -> list[Kept]:
    rows = await conn.fetch(
        f"select {_KEPT} from signed_reading r join session s using (session_id)"
        " where s.party_id = $1 and r.session_id = $2 order by r.sampled_at, r.context = 'Transaction.End',"
        " r.context <> 'Transaction.Begin', r.received_at, r.digest",
        party_id,
        session_id,
    )
    return [Kept(**row) for row in rows]


# any party: by id, for the worker
async def save_found(conn: Connection, rows: Sequence[Kept]) -> None:
    """What was found out about readings; their bytes stay as they are."""
    await conn.execute(
        "update signed_reading r set format = u.format, verdict = u.verdict, why = u.why, reading_wh = u.reading_wh,"
        " read_at = u.read_at, key_used = u.key_used from unnest($1::uuid[], $2::timestamptz[], $3::bytea[], $4::text[],"
        " $5::text[], $6::text[], $7::numeric[], $8::timestamptz[], $9::text[]) as u (session_id, sampled_at, digest,"
        " format, verdict, why, reading_wh, read_at, key_used)"
        " where r.session_id = u.session_id and r.sampled_at = u.sampled_at and r.digest = u.digest",
        [row.session_id for row in rows],
        [row.sampled_at for row in rows],
        [row.digest for row in rows],
        [row.format for row in rows],
        [row.verdict for row in rows],
        [row.why for row in rows],
        [row.reading_wh for row in rows],
        [row.read_at for row in rows],
        [row.key_used for row in rows],
    )


async def save_sessions(conn: Connection, rows: Sequence[tuple[UUID, SignedSession]]) -> None:
    """(party, verdict), once a session; what was found before is replaced."""
    await conn.execute(
        "insert into signed_session (session_id, party_id, verdict, reasons, n_readings, energy_wh, checked_at)"
        " select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::integer[], $6::numeric[],"
        " $7::timestamptz[]) on conflict (session_id) do update set verdict = excluded.verdict,"
        " reasons = excluded.reasons, n_readings = excluded.n_readings, energy_wh = excluded.energy_wh,"
        " checked_at = excluded.checked_at",
        [one.session_id for _, one in rows],
        [party_id for party_id, _ in rows],
        [one.verdict for _, one in rows],
        [msgspec.json.encode(one.reasons).decode() for _, one in rows],
        [one.n_readings for _, one in rows],
        [one.energy_wh for _, one in rows],
        [one.checked_at for _, one in rows],
    )


# any party: by id, for the worker and for doors that looked whose they are
async def list_sessions(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, SignedSession]:
    rows = await conn.fetch(
        "select session_id, verdict, reasons, n_readings, energy_wh, checked_at from signed_session"
        " where session_id = any ($1)",
        list(session_ids),
    )
    return {row["session_id"]: SignedSession(**row) for row in rows}


async def find_verdict(conn: Connection, party_id: UUID, session_id: UUID) -> SignedSession | None:
    row = await conn.fetchrow(
        "select session_id, verdict, reasons, n_readings, energy_wh, checked_at from signed_session"
        " where party_id = $1 and session_id = $2",
        party_id,
        session_id,
    )
    return SignedSession(**row) if row else None


async def find_outlet(conn: Connection, party_id: UUID, session_id: UUID) -> tuple[str, int]:
    """Of a session that is there: its station and EVSE, 0 where none was told."""
    row = await conn.fetchrow(
        "select station_id, coalesce(evse_number, 0) as evse_number from session where party_id = $1 and session_id = $2",
        party_id,
        session_id,
    )
    assert row is not None
    return (row["station_id"], row["evse_number"])


_KEY = (
    "select meter_key_id, station_id, evse_number, public_key, curve, serial, source, since_at, until_at, added_by"
    " from meter_key"
)


# any party: by the stations of sessions, for the worker
async def list_pinned(conn: Connection, station_ids: Sequence[str]) -> dict[tuple[str, int], MeterKey]:
    """The keys that hold now, by station and EVSE."""
    rows = await conn.fetch(f"{_KEY} where station_id = any ($1) and until_at is null", list(station_ids))
    return {(row["station_id"], row["evse_number"]): MeterKey(**row) for row in rows}


async def list_keys(conn: Connection, party_id: UUID, station_id: str) -> list[MeterKey]:
    """All that ever held, those that do first."""
    rows = await conn.fetch(
        f"{_KEY} where party_id = $1 and station_id = $2 order by until_at is not null, evse_number, since_at desc",
        party_id,
        station_id,
    )
    return [MeterKey(**row) for row in rows]


async def list_seen(conn: Connection, party_id: UUID, station_id: str, since: datetime) -> dict[str, datetime]:
    """When readings were last checked with which key, in sessions that began since then."""
    rows = await conn.fetch(
        "select r.key_used, max(r.sampled_at) as at from signed_reading r join session s using (session_id)"
        " where s.party_id = $1 and s.station_id = $2 and s.started_at >= $3 and r.key_used is not null group by 1",
        party_id,
        station_id,
        since,
    )
    return {row["key_used"]: row["at"] for row in rows}


async def pin(conn: Connection, party_id: UUID, key: MeterKey) -> bool:
    """Pin a key where none is pinned. False: somebody was quicker."""
    row = await conn.fetchrow(
        "insert into meter_key (meter_key_id, party_id, station_id, evse_number, public_key, curve, serial, source,"
        " since_at, added_by) select $2, s.party_id, s.station_id, $4, $5, $6, $7, $8, $9, $10 from station s"
        " where s.party_id = $1 and s.station_id = $3 on conflict do nothing returning meter_key_id",
        party_id,
        key.meter_key_id,
        key.station_id,
        key.evse_number,
        key.public_key,
        key.curve,
        key.serial,
        key.source,
        key.since_at,
        key.added_by,
    )
    return row is not None


async def unpin(conn: Connection, party_id: UUID, station_id: str, evse_number: int, at: datetime) -> MeterKey | None:
    """The key that held until now."""
    row = await conn.fetchrow(
        "update meter_key set until_at = $4 where party_id = $1 and station_id = $2 and evse_number = $3"
        " and until_at is null returning meter_key_id, station_id, evse_number, public_key, curve, serial, source,"
        " since_at, until_at, added_by",
        party_id,
        station_id,
        evse_number,
        at,
    )
    return MeterKey(**row) if row else None


# any party: by the stations of sessions, for the worker
async def list_told_keys(conn: Connection, station_ids: Sequence[str]) -> dict[tuple[str, int], str]:
    """Keys as stations have them among their settings: `MeterPublicKey…` of 1.6, `FiscalMetering.PublicKey` of 2.x."""
    rows = await conn.fetch(
        "select station_id, value, coalesce(nullif(case when component = '' then substring(variable from '[0-9]+$')"
        "   else substring(component from '@([0-9]+)') end, ''), '0')::integer as evse_number"
        " from station_variable where station_id = any ($1) and value <> '' and attribute = 'Actual'"
        " and ((component = '' and variable ~ '^MeterPublicKey[0-9]{0,3}$')"
        "   or (component ~ '^FiscalMetering(@[0-9]{1,3}([.][0-9]+)?)?$' and variable = 'PublicKey'))",
        list(station_ids),
    )
    return {(row["station_id"], row["evse_number"]): row["value"] for row in rows}


# any party: by id, for the worker
async def list_doubts(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, tuple[Doubt, bool]]:
    """What the party of each session wants of signatures, and whether the session's EVSE has a registered key.

    Left out are sessions of parties that want nothing.
    """
    rows = await conn.fetch(
        "select s.session_id, p.signed_doubt, exists (select from meter_key k where k.station_id = s.station_id"
        "  and k.evse_number in (0, s.evse_number) and k.source = 'registered' and k.until_at is null) as must_sign"
        " from session s join party p using (party_id) where s.session_id = any ($1) and p.signed_doubt <> 'never'",
        list(session_ids),
    )
    return {row["session_id"]: (row["signed_doubt"], row["must_sign"]) for row in rows}


async def find_doubt(conn: Connection, party_id: UUID) -> Doubt:
    found: Doubt = await conn.fetchval("select signed_doubt from party where party_id = $1", party_id)
    return found


async def set_doubt(conn: Connection, party_id: UUID, doubt: Doubt) -> None:
    await conn.execute("update party set signed_doubt = $2 where party_id = $1", party_id, doubt)
