"""Sessions in PostgreSQL: a handful of set-based statements a batch, each safe to run again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row
from ohmstead.sessions.model import (
    ENERGY_REGISTER,
    SOC,
    ChargingPeriod,
    MeterSample,
    Reading,
    Session,
    SessionEvent,
    SignedReading,
)

# column → SQL type of the array it travels in. Arrays inside a row travel as text, since unnest flattens them.
_FIXED = {
    "session_id": "uuid",
    "party_id": "uuid",
    "station_id": "text",
    "transaction_id": "text",
    "run": "smallint",
    "start_key": "text",
    "ocpp_version": "text",
    "first_received_at": "timestamptz",
}
_CHANGING = {
    "location_id": "uuid",
    "evse_number": "integer",
    "connector_number": "integer",
    "status": "text",
    "charging_state": "text",
    "token_uid": "text",
    "token_type": "text",
    "token_id": "uuid",
    "group_uid": "text",
    "authorization_status": "text",
    "is_offline": "boolean",
    "is_orphan": "boolean",
    "remote_start_id": "integer",
    "reservation_id": "integer",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "last_event_at": "timestamptz",
    "updated_at": "timestamptz",
    "stop_reason": "text",
    "stop_token_uid": "text",
    "energy_wh": "numeric",
    "energy_before_wh": "numeric",
    "energy_source": "text",
    "register_before_wh": "numeric",
    "is_start_exact": "boolean",
    "is_end_exact": "boolean",
    "register_start_wh": "numeric",
    "register_start_at": "timestamptz",
    "register_last_wh": "numeric",
    "register_last_at": "timestamptz",
    "power_w": "numeric",
    "power_at": "timestamptz",
    "peak_power_w": "numeric",
    "soc_start_percent": "numeric",
    "soc_percent": "numeric",
    "soc_at": "timestamptz",
    "n_samples": "integer",
    "charging_s": "integer",
    "idle_s": "integer",
    "seen_seq_nos": "integer[]",
    "end_seq_no": "integer",
    "anomalies": "text[]",
    "needs_refold": "boolean",
    "settled_at": "timestamptz",
}
_ALL = {**_FIXED, **_CHANGING}
_COLUMNS = ", ".join(_ALL)


def _arrays(columns: dict[str, str]) -> str:
    return ", ".join(
        f"${n}::{'text' if sql.endswith('[]') else sql}[]" for n, sql in enumerate(columns.values(), start=1)
    )


def _picked(columns: dict[str, str], alias: str) -> str:
    return ", ".join(
        f"{alias}.{name}::{sql}" if sql.endswith("[]") else f"{alias}.{name}" for name, sql in columns.items()
    )


_INSERT = f"insert into session ({_COLUMNS}) select {_picked(_ALL, 'u')} from unnest({_arrays(_ALL)}) as u ({_COLUMNS})"

# What a meter value moves; most updates touch nothing else, and a third of the columns costs a third.
_MOVING = (
    "charging_state",
    "last_event_at",
    "updated_at",
    "energy_wh",
    "energy_source",
    "register_last_wh",
    "register_last_at",
    "power_w",
    "power_at",
    "peak_power_w",
    "soc_percent",
    "soc_at",
    "n_samples",
    "seen_seq_nos",
)
_STILL = tuple(name for name in _CHANGING if name not in _MOVING)


# any party: text only, the callers choose the rows
def _update(names: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    columns = {name: _CHANGING[name] for name in names}
    sets = ", ".join(f"{name} = u.{name}" + ("::" + sql if sql.endswith("[]") else "") for name, sql in columns.items())
    travelling = {"session_id": "uuid", **columns}
    source = f"unnest({_arrays(travelling)}) as u ({', '.join(travelling)})"
    return f"update session s set {sets} from {source} where s.session_id = u.session_id", tuple(travelling)


_UPDATE_ALL = _update(_CHANGING)
_UPDATE_MOVING = _update(_MOVING)


def _value(session: Session, name: str) -> Any:
    value = getattr(session, name)
    if name == "seen_seq_nos":
        return "{" + ",".join(map(str, value)) + "}"
    if name == "anomalies":
        return "{" + ",".join(value) + "}"
    return value


def _session(row: Row) -> Session:
    return Session(**dict(row))


# any party: a station names its own transactions; the pair finds no other station's
async def find_by_transaction(
    conn: Connection, station_ids: Sequence[str], transaction_ids: Sequence[str], ats: Sequence[datetime]
) -> dict[tuple[str, str], Session]:
    """The session of each (station, transaction), locked; never looked up without the station.

    Of several runs it is the one that was going on at the instant given: a replay finds its own.
    """
    rows = await conn.fetch(
        f"select f.* from unnest($1::text[], $2::text[], $3::timestamptz[]) as k (station_id, transaction_id, at)"
        f" cross join lateral (select {_COLUMNS} from session s"
        f" where s.station_id = k.station_id and s.transaction_id = k.transaction_id"
        f" order by s.started_at <= k.at desc, case when s.started_at <= k.at then -s.run else s.run end"
        f" limit 1 for update) f",
        station_ids,
        transaction_ids,
        ats,
    )
    return {(row["station_id"], row["transaction_id"]): _session(row) for row in rows}


# any party: a station's own starts
async def find_by_start_key(
    conn: Connection, station_ids: Sequence[str], start_keys: Sequence[str]
) -> dict[tuple[str, str], Session]:
    """Sessions of 1.6 starts that came before, locked."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from session where (station_id, start_key) in"
        " (select * from unnest($1::text[], $2::text[])) for update",
        station_ids,
        start_keys,
    )
    return {(row["station_id"], row["start_key"]): _session(row) for row in rows}


# any party: a station's own outlets
async def find_open(
    conn: Connection, station_ids: Sequence[str], evse_numbers: Sequence[int]
) -> dict[tuple[str, int], list[Session]]:
    """Open sessions at outlets, locked, the latest start first."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from session where status in ('pending', 'active', 'closing') and (station_id,"
        " evse_number) in"
        " (select * from unnest($1::text[], $2::integer[])) order by started_at desc for update",
        station_ids,
        evse_numbers,
    )
    found: dict[tuple[str, int], list[Session]] = {}
    for row in rows:
        found.setdefault((row["station_id"], row["evse_number"]), []).append(_session(row))
    return found


# any party: a station's own outlet
async def find_covering(conn: Connection, station_id: str, evse_number: int, at: datetime) -> Session | None:
    """The session that an outlet had at an instant: for meter values that name no transaction."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from session where station_id = $1 and evse_number = $2 and started_at <= $3"
        " and (ended_at is null or ended_at >= $3) order by started_at desc limit 1 for update",
        station_id,
        evse_number,
        at,
    )
    return _session(row) if row else None


# any party: a station's own outlets
async def registers_before(
    conn: Connection, station_ids: Sequence[str], evse_numbers: Sequence[int], ats: Sequence[datetime]
) -> list[Decimal | None]:
    """For each outlet the register at the end of the last session begun before an instant."""
    rows = await conn.fetch(
        "select k.n, f.register_last_wh from unnest($1::text[], $2::integer[], $3::timestamptz[])"
        " with ordinality as k (station_id, evse_number, at, n) cross join lateral"
        " (select register_last_wh from session s where s.station_id = k.station_id and s.evse_number = k.evse_number"
        "  and s.started_at < k.at order by started_at desc limit 1) f",
        station_ids,
        evse_numbers,
        ats,
    )
    found: list[Decimal | None] = [None] * len(station_ids)
    for row in rows:
        found[row["n"] - 1] = row["register_last_wh"]
    return found


async def open_by_token(
    conn: Connection, party_ids: Sequence[UUID], uids: Sequence[str]
) -> dict[tuple[UUID, str], list[UUID]]:
    """Sessions that tokens hold now, by (party, lower-case uid): implements tokens.service.OpenSessions."""
    rows = await conn.fetch(
        "select party_id, token_key, session_id from session where status in ('pending', 'active') and"
        " (party_id, token_key) in (select * from unnest($1::uuid[], $2::text[]))",
        list(party_ids),
        [uid.lower() for uid in uids],
    )
    found: dict[tuple[UUID, str], list[UUID]] = {}
    for row in rows:
        found.setdefault((row["party_id"], row["token_key"]), []).append(row["session_id"])
    return found


async def next_transaction_numbers(conn: Connection, n: int) -> list[int]:
    """`n` fresh OCPP 1.6 transaction ids, unique over all stations."""
    rows = await conn.fetch("select nextval('transaction_number')::integer as number from generate_series(1, $1)", n)
    return [row["number"] for row in rows]


# any party: a station's own transactions
async def next_run(conn: Connection, station_id: str, transaction_id: str) -> int:
    """The number for one more use of a transaction id by its station."""
    run: int = await conn.fetchval(
        "select coalesce(max(run) + 1, 0) from session where station_id = $1 and transaction_id = $2",
        station_id,
        transaction_id,
    )
    return run


# any party: asks about all stations, and tells only whether
async def is_known_elsewhere(conn: Connection, station_id: str, transaction_id: str) -> bool:
    """Does another station own this transaction id? Only 1.6 ids are ours, and unique over stations."""
    return bool(
        await conn.fetchval(
            "select exists (select from session where transaction_id = $2 and station_id <> $1 and ocpp_version = '1.6'"
            " and not is_orphan)",
            station_id,
            transaction_id,
        )
    )


# any party: sessions carry their party
async def insert_sessions(conn: Connection, sessions: Sequence[Session]) -> None:
    """New sessions. Raises UniqueViolation when another gateway was first (the batch is then tried again)."""
    if sessions:
        await conn.execute(_INSERT, *[[_value(s, name) for s in sessions] for name in _ALL])


# any party: by id, of sessions loaded in this batch
async def update_sessions(
    conn: Connection, sessions: Sequence[Session], before: Mapping[UUID, Session] | None = None
) -> None:
    """Write sessions back. With what they were `before`, those in which only the meter moved cost less."""
    moved: list[Session] = []
    changed: list[Session] = []
    for session in sessions:
        earlier = before.get(session.session_id) if before is not None else None
        is_moved = earlier is not None and all(getattr(session, n) == getattr(earlier, n) for n in _STILL)
        (moved if is_moved else changed).append(session)
    for (sql, names), group in ((_UPDATE_MOVING, moved), (_UPDATE_ALL, changed)):
        if group:
            await conn.execute(sql, *[[_value(s, name) for s in group] for name in names])


async def insert_samples(
    conn: Connection, samples: Iterable[tuple[UUID, MeterSample]], received_at: datetime
) -> dict[UUID, int]:
    """Keep samples; one that is there already gains readings it lacked. Returns how many were new per session."""
    merged: dict[tuple[UUID, datetime, str], dict[str, Any]] = {}
    for session_id, sample in samples:
        row = merged.setdefault((session_id, sample.sampled_at, sample.context), {"readings": {}})
        _merge(row, sample)
    if not merged:
        return {}
    rows = await conn.fetch(
        "insert into sample as s (session_id, sampled_at, context, energy_wh, power_w, soc_percent, readings,"
        " received_at)"
        " select *, $8::timestamptz from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::numeric[],"
        " $5::numeric[],"
        " $6::numeric[], $7::jsonb[])"
        " on conflict (session_id, sampled_at, context) do update set readings = excluded.readings || s.readings,"
        " energy_wh = coalesce(s.energy_wh, excluded.energy_wh), power_w = coalesce(s.power_w, excluded.power_w),"
        " soc_percent = coalesce(s.soc_percent, excluded.soc_percent)"
        " where not s.readings @> excluded.readings"
        " returning session_id, received_at = $8::timestamptz as is_new",
        *_sample_columns(merged),
        received_at,
    )
    new: dict[UUID, int] = {}
    for done in rows:
        if done["is_new"]:
            new[done["session_id"]] = new.get(done["session_id"], 0) + 1
    return new


async def insert_loose_samples(
    conn: Connection, samples: Iterable[tuple[str, int, MeterSample]], received_at: datetime
) -> None:
    """Keep readings that belong to no session."""
    merged: dict[tuple[str, int, datetime, str], dict[str, Any]] = {}
    for station_id, evse_number, sample in samples:
        row = merged.setdefault((station_id, evse_number, sample.sampled_at, sample.context), {"readings": {}})
        _merge(row, sample)
    if merged:
        keys = list(merged)
        await conn.execute(
            "insert into loose_sample (station_id, evse_number, sampled_at, context, energy_wh, power_w, soc_percent,"
            " readings, received_at) select *, $9::timestamptz from unnest($1::text[], $2::integer[],"
            " $3::timestamptz[],"
            " $4::text[], $5::numeric[], $6::numeric[], $7::numeric[], $8::jsonb[]) on conflict do nothing",
            [k[0] for k in keys],
            [k[1] for k in keys],
            [k[2] for k in keys],
            [k[3] for k in keys],
            *[[merged[k].get(name) for k in keys] for name in ("energy_wh", "power_w", "soc_percent")],
            [_readings_json(merged[k]["readings"]) for k in keys],
            received_at,
        )


def _merge(row: dict[str, Any], sample: MeterSample) -> None:
    for reading in sample.readings:
        row["readings"].setdefault(reading_name(reading), [str(reading.value), reading.unit])
    for name, value in (
        ("energy_wh", sample.total(ENERGY_REGISTER)),
        ("power_w", sample.power_w()),
        ("soc_percent", next((r.value for r in sample.readings if r.measurand == SOC), None)),
    ):
        if row.get(name) is None:
            row[name] = value


def _sample_columns(merged: dict[tuple[UUID, datetime, str], dict[str, Any]]) -> list[list[Any]]:
    keys = list(merged)
    return [
        [k[0] for k in keys],
        [k[1] for k in keys],
        [k[2] for k in keys],
        *[[merged[k].get(name) for k in keys] for name in ("energy_wh", "power_w", "soc_percent")],
        [_readings_json(merged[k]["readings"]) for k in keys],
    ]


def _readings_json(readings: dict[str, list[str]]) -> str:
    return msgspec.json.encode(readings).decode()


def reading_name(reading: Reading) -> str:
    """`measurand[/phase][@location]`: how a reading is named inside a sample."""
    name = reading.measurand
    if reading.phase:
        name += f"/{reading.phase}"
    if reading.location:
        name += f"@{reading.location}"
    return name


def parse_reading(name: str, value: Sequence[str]) -> Reading:
    """The reading behind a name and its [value, unit]."""
    name, _, location = name.partition("@")
    measurand, _, phase = name.partition("/")
    return Reading(measurand, Decimal(value[0]), value[1], phase or None, location or None)


async def insert_signed(conn: Connection, signed: Sequence[tuple[UUID, datetime, str, SignedReading]]) -> None:
    """Signed readings, byte for byte."""
    if signed:
        await conn.executemany(
            "insert into signed_reading (session_id, sampled_at, context, measurand, digest, encoding, signing_method,"
            " public_key, data) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
            [
                (
                    i,
                    at,
                    context,
                    s.measurand,
                    hashlib.sha256(s.data).digest(),
                    s.encoding,
                    s.signing_method,
                    s.public_key,
                    s.data,
                )
                for i, at, context, s in signed
            ],
        )


async def insert_events(conn: Connection, events: Sequence[tuple[UUID, SessionEvent]]) -> None:
    """What happened, each instant and kind once."""
    if events:
        await conn.execute(
            "insert into session_event (session_id, at, kind, detail)"
            " select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::jsonb[]) on conflict do nothing",
            [i for i, _ in events],
            [e.at for _, e in events],
            [e.kind for _, e in events],
            [msgspec.json.encode({k: v for k, v in e.detail.items() if v is not None}).decode() for _, e in events],
        )


# any party: by id, for the worker
async def get_for_update(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Session]:
    """Those of the sessions that exist, locked."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from session where session_id = any($1) order by session_id for update", list(session_ids)
    )
    return {row["session_id"]: _session(row) for row in rows}


# any party: a station's own sessions, for the worker
async def find_open_of_station(conn: Connection, station_id: str) -> list[Session]:
    """Sessions of a station that are not over, locked."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from session where station_id = $1 and status in ('pending', 'active', 'closing') for"
        " update",
        station_id,
    )
    return [_session(row) for row in rows]


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


async def list_events(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, list[SessionEvent]]:
    """All events of sessions, in time order."""
    rows = await conn.fetch(
        "select session_id, at, kind, detail from session_event where session_id = any($1) order by at, received_at",
        list(session_ids),
    )
    found: dict[UUID, list[SessionEvent]] = {session_id: [] for session_id in session_ids}
    for row in rows:
        found[row["session_id"]].append(SessionEvent(row["at"], row["kind"], row["detail"]))
    return found


async def replace_periods(conn: Connection, periods: Mapping[UUID, Sequence[ChargingPeriod]]) -> None:
    """The charging periods of sessions, in place of any they had."""
    await conn.execute("delete from charging_period where session_id = any($1)", list(periods))
    rows = [(session_id, p) for session_id, found in periods.items() for p in found]
    if rows:
        await conn.execute(
            "insert into charging_period (session_id, started_at, ended_at, kind, energy_wh)"
            " select * from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::numeric[])",
            [session_id for session_id, _ in rows],
            [p.started_at for _, p in rows],
            [p.ended_at for _, p in rows],
            [p.kind for _, p in rows],
            [p.energy_wh for _, p in rows],
        )


# any party: by the id of sessions, for the worker
async def rated_powers_w(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, int | None]:
    """What the sessions' outlets can deliver, as far as anybody told us."""
    rows = await conn.fetch(
        "select s.session_id, coalesce(e.max_power_w, st.max_power_w) as power_w from session s"
        " join station st using (station_id)"
        " left join evse e on e.station_id = s.station_id and e.evse_number = s.evse_number"
        " where s.session_id = any($1)",
        list(session_ids),
    )
    return {row["session_id"]: row["power_w"] for row in rows}
