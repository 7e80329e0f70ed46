"""Sessions in PostgreSQL: a handful of set-based statements a batch, each safe to run again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row
from ohmstead.core.writes import Write, records, to_rows
from ohmstead.sessions.model import (
    ENERGY_REGISTER,
    MeterSample,
    Reading,
    Session,
    SessionEvent,
    SignedReading,
)
from ohmstead.stations.orders import SessionLimit

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
    "limit_ours": "jsonb",
    "limit_station": "jsonb",
    "limit_seq_no": "integer",
}
SESSION_COLUMNS = {**_FIXED, **_CHANGING}
_COLUMNS = ", ".join(SESSION_COLUMNS) + ", xmin as version"


def _arrays(columns: dict[str, str]) -> str:
    return ", ".join(
        f"${n}::{'text' if sql.endswith('[]') else sql}[]" for n, sql in enumerate(columns.values(), start=1)
    )


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
    "seen_seq_nos",
)


def _by_id(change: tuple[Session, Session]) -> UUID:
    return change[1].session_id


_still = attrgetter(*(name for name in _CHANGING if name not in (*_MOVING, "n_samples")))


# any party: text only, the callers choose the rows
def _update(names: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    columns = {name: _CHANGING[name] for name in names}
    sets = ", ".join(f"{name} = u.{name}" + ("::" + sql if sql.endswith("[]") else "") for name, sql in columns.items())
    travelling = {"session_id": "uuid", **columns}
    source = f"unnest({_arrays(travelling)}) as u ({', '.join(travelling)})"
    return f"update session s set {sets} from {source} where s.session_id = u.session_id", tuple(travelling)


_UPDATESESSION_COLUMNS = _update(_CHANGING)


def _value(session: Session, name: str) -> Any:
    value = getattr(session, name)
    if name == "seen_seq_nos":
        return "{" + ",".join(map(str, value)) + "}"
    if name == "anomalies":
        return "{" + ",".join(value) + "}"
    return value


def session_of(fields: dict[str, Any]) -> Session:
    """A session of its columns."""
    for name in ("limit_ours", "limit_station"):
        if fields[name] is not None:
            fields[name] = msgspec.convert(fields[name], SessionLimit)
    return Session(**fields)


def _session(row: Row) -> Session:
    return session_of(dict(row))


# any party: a station's own sessions
async def list_open(conn: Connection, station_ids: Sequence[str]) -> list[Session]:
    """All sessions of stations that are not over."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from session where status in ('pending', 'active', 'closing') and station_id = any($1)",
        list(station_ids),
    )
    return [_session(row) for row in rows]


class Asked(NamedTuple):
    """What a report tells of a session that is not at hand: its name or its start, or only the outlet and the time."""

    station_id: str
    transaction_id: str | None
    start_key: str | None
    evse_number: int | None
    at: datetime


_PAST = f"""
select k.n, b.register_last_wh as before_wh, f.*
  from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[])
       with ordinality as k (station_id, transaction_id, start_key, evse_number, at, n)
  left join lateral (
       (select {_COLUMNS} from session s
         where k.start_key is null and s.station_id = k.station_id and s.transaction_id = k.transaction_id
         order by s.started_at <= k.at desc, case when s.started_at <= k.at then -s.run else s.run end limit 1)
       union all
       (select {_COLUMNS} from session s where s.station_id = k.station_id and s.start_key = k.start_key)
       limit 1) f on true
  left join lateral (
       select register_last_wh from session s
        where s.station_id = k.station_id and s.evse_number = k.evse_number and s.started_at < k.at
        order by started_at desc limit 1) b on true
"""


# any party: a station names its own transactions and outlets; never looked up without the station
async def find_past(conn: Connection, asked: Sequence[Asked]) -> list[tuple[Session | None, Decimal | None]]:
    """For each: the session, and the register at the end of the last session begun before at that outlet.

    Of several runs of one name the session is the one that was going on at the instant given: a replay finds its own.
    """
    rows = await conn.fetch(_PAST, *(list(column) for column in zip(*asked, strict=True)))
    found: list[tuple[Session | None, Decimal | None]] = [(None, None)] * len(asked)
    for row in rows:
        fields = dict(row)
        n, before_wh = fields.pop("n"), fields.pop("before_wh")
        found[n - 1] = (session_of(fields) if fields["session_id"] is not None else None, before_wh)
    return found


# any party: a station's own outlet
async def find_covering(conn: Connection, station_id: str, evse_number: int, at: datetime) -> Session | None:
    """The session that an outlet had at an instant: for meter values that name no transaction."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from session where station_id = $1 and evse_number = $2 and started_at <= $3"
        " and (ended_at is null or ended_at >= $3) order by started_at desc limit 1",
        station_id,
        evse_number,
        at,
    )
    return _session(row) if row else None


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


# any party: by id, of sessions locked in this transaction
async def update_sessions(conn: Connection, sessions: Sequence[Session]) -> None:
    """Write sessions back that nobody else can have changed meanwhile."""
    if sessions:
        sql, names = _UPDATESESSION_COLUMNS
        await conn.execute(sql, *[[_value(s, name) for s in sessions] for name in names])


# ---------------------------------------------------------------------------------------------- what reports change

# Rows travel as one JSON text a kind: cheaper on both sides than an array for each of fifty columns.


_KEY = {"session_id": "uuid", "version": "xid"}
_SAMPLE = {
    "session_id": "uuid",
    "sampled_at": "timestamptz",
    "context": "text",
    "energy_wh": "numeric",
    "power_w": "numeric",
    "soc_percent": "numeric",
    "readings": "jsonb",
}
_EVENT = {"session_id": "uuid", "at": "timestamptz", "kind": "text", "detail": "jsonb"}

_SAMPLES = f"""
taken as (
    insert into sample as s ({", ".join(_SAMPLE)}, received_at) select u.*, $1 from {records(2, _SAMPLE)}
    on conflict (session_id, sampled_at, context) do update set readings = excluded.readings || s.readings,
        energy_wh = coalesce(s.energy_wh, excluded.energy_wh), power_w = coalesce(s.power_w, excluded.power_w),
        soc_percent = coalesce(s.soc_percent, excluded.soc_percent)
    where not s.readings @> excluded.readings
    returning session_id, received_at = $1 as is_new),
counted as (
    select jsonb_object_agg(session_id, n) as n_by_id
      from (select session_id, count(*) as n from taken where is_new group by session_id) c)"""
# Not a join: the planner, who knows nothing of either side's size, would walk one side for each row of the other.
_N_NEW = "coalesce(((select n_by_id from counted) ->> u.session_id::text)::integer, 0)"


# any party: text only, the callers choose the rows
def _changes(name: str, parameter: int, names: Iterable[str]) -> str:
    columns = {column: _CHANGING[column] for column in names if column != "n_samples"}
    return f""",
{name} as (
    update session s set {", ".join(f"{column} = u.{column}" for column in columns)}, n_samples = s.n_samples + {_N_NEW}
    from {records(parameter, {**_KEY, **columns})}
    where s.session_id = u.session_id and s.xmin = u.version returning s.xmin as version)"""


_OUTCOME = """
(select version from written limit 1) as session_version,
case when (select count(*) from written) <> $3 then raise_stale() end as is_stale"""
_SAVE_MOVED = f"{_SAMPLES}{_changes('written', 4, _MOVING)}"
_ADDED = {name: sql for name, sql in SESSION_COLUMNS.items() if name != "n_samples"}
_SAVESESSION_COLUMNS = f"""
{_SAMPLES}{_changes("moved", 4, _MOVING)}{_changes("changed", 5, _CHANGING)},
added as (
    insert into session ({", ".join(_ADDED)}, n_samples)
    select {", ".join(f"u.{name}" for name in _ADDED)}, {_N_NEW} from {records(6, _ADDED)}
    returning xmin as version),
happened as (
    insert into session_event ({", ".join(_EVENT)}) select * from {records(7, _EVENT)} on conflict do nothing),
written as (select version from moved union all select version from changed union all select version from added)"""


class _SampleRow(msgspec.Struct):
    session_id: UUID
    sampled_at: datetime
    context: str
    energy_wh: Decimal | None
    power_w: Decimal | None
    soc_percent: Decimal | None
    readings: dict[str, tuple[str, str]]


class _EventRow(msgspec.Struct):
    session_id: UUID
    at: datetime
    kind: str
    detail: dict[str, str | int]


_MOVED_FIELDS = ("session_id", "version", *_MOVING)
_Moved = msgspec.defstruct("_Moved", _MOVED_FIELDS)
_moved_values = attrgetter(*_MOVED_FIELDS)


# any party: sessions carry their party
def changes(
    new: Sequence[Session],
    changed: Sequence[tuple[Session, Session]],
    samples: Iterable[tuple[UUID, MeterSample]],
    events: Sequence[tuple[UUID, SessionEvent]],
    received_at: datetime,
) -> list[Write]:
    """What reports made of sessions: `changed` as (before, now). The outcome `session_version` is the rows' version.

    Samples are kept once; one that is there already gains readings it lacked. What happened is kept each instant and
    kind once. SQLSTATE OHS01 when a changed session is not any more what it was before, UniqueViolation when another
    gateway was first with a new one; then nothing may be committed.
    """
    moved, others = [], []
    for before, now in sorted(changed, key=_by_id):  # two who write the same rows take them in the same order
        if _still(before) == _still(now):
            moved.append(_Moved(*_moved_values(now)))
        else:
            others.append(now)
    rows = to_rows(_sample_rows(samples))
    n_written = len(moved) + len(others) + len(new)
    if new or others or events:
        happened = [_EventRow(i, e.at, e.kind, {k: v for k, v in e.detail.items() if v is not None}) for i, e in events]
        arguments = [received_at, rows, n_written, to_rows(moved), to_rows(others), to_rows(new), to_rows(happened)]
        return [Write(_SAVESESSION_COLUMNS, arguments, _OUTCOME)]
    return [Write(_SAVE_MOVED, [received_at, rows, n_written, to_rows(moved)], _OUTCOME)] if moved else []


def _sample_rows(samples: Iterable[tuple[UUID, MeterSample]]) -> list[_SampleRow]:
    merged: dict[tuple[UUID, datetime, str], _SampleRow] = {}
    for session_id, sample in samples:
        key = (session_id, sample.sampled_at, sample.context)
        row = merged.get(key)
        if row is None:
            row = merged[key] = _SampleRow(session_id, sample.sampled_at, sample.context, None, None, None, {})
        _merge(row, sample)
    return list(merged.values())


def loose_samples(samples: Iterable[tuple[str, int, MeterSample]], received_at: datetime) -> list[Write]:
    """Readings that belong to no session."""
    merged: dict[tuple[str, int, datetime, str], _SampleRow] = {}
    for station_id, evse_number, sample in samples:
        key = (station_id, evse_number, sample.sampled_at, sample.context)
        row = merged.get(key)
        if row is None:
            row = merged[key] = _SampleRow(_NOBODY, sample.sampled_at, sample.context, None, None, None, {})
        _merge(row, sample)
    if not merged:
        return []
    return [
        Write(_LOOSE, [received_at, [k[0] for k in merged], [k[1] for k in merged], to_rows(list(merged.values()))])
    ]


_LOOSE = f"""
loose as (
    insert into loose_sample (station_id, evse_number, sampled_at, context, energy_wh, power_w, soc_percent, readings,
           received_at)
    select u.station_id, u.evse_number, u.sampled_at, u.context, u.energy_wh, u.power_w, u.soc_percent, u.readings, $1
      from rows from (unnest($2::text[]), unnest($3::integer[]), json_to_recordset($4::json)
           as ({", ".join(f"{name} {sql}" for name, sql in _SAMPLE.items())}))
           as u (station_id, evse_number, {", ".join(_SAMPLE)})
    on conflict do nothing)"""

_NOBODY = UUID(int=0)


def _merge(row: _SampleRow, sample: MeterSample) -> None:
    readings = row.readings
    for reading in sample.readings:
        readings.setdefault(reading_name(reading), (str(reading.value), reading.unit))
    if row.energy_wh is None:
        row.energy_wh = sample.total(ENERGY_REGISTER)
    if row.power_w is None:
        row.power_w = sample.power_w()
    if row.soc_percent is None:
        row.soc_percent = sample.soc_percent()


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


def signed_readings(signed: Sequence[tuple[UUID, datetime, str, SignedReading]]) -> list[Write]:
    """Signed readings, byte for byte."""
    if not signed:
        return []
    columns = zip(
        *(
            (
                i,
                at,
                ctx,
                s.measurand,
                hashlib.sha256(s.data).digest(),
                s.encoding,
                s.signing_method,
                s.public_key,
                s.data,
            )
            for i, at, ctx, s in signed
        ),
        strict=True,
    )
    return [Write(_SIGNED, [list(column) for column in columns])]


_SIGNED = """
signed as (
    insert into signed_reading (session_id, sampled_at, context, measurand, digest, encoding, signing_method, public_key,
           data)
    select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
           $8::text[], $9::bytea[])
    on conflict do nothing)"""


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


# any party: sessions that the worker was told of
async def list_uses(conn: Connection, session_ids: Sequence[UUID]) -> list[Row]:
    """What began where, by whose token (if it was accepted) and for which reservation, oldest first."""
    return await conn.fetch(
        "select session_id, station_id, evse_number, case when authorization_status = 'accepted' then token_uid end"
        " as token_uid, group_uid, started_at as at, reservation_id as number from session where session_id = any($1)"
        " order by session_id",
        list(session_ids),
    )


# any party: a station's own sessions, for the worker
async def open_of_stations(conn: Connection, station_ids: Sequence[str]) -> list[UUID]:
    """The sessions of stations that are not over."""
    rows = await conn.fetch(
        "select session_id from session where station_id = any($1) and status in ('pending', 'active', 'closing')",
        list(station_ids),
    )
    return [row["session_id"] for row in rows]


# any party: stations that a remote start was sent to
async def list_begun(conn: Connection, station_ids: Sequence[str], since: datetime) -> list[Row]:
    """Sessions that were first heard of since then and that no command has for its own."""
    return await conn.fetch(
        "select session_id, station_id, evse_number, token_uid, remote_start_id, ocpp_version <> '1.6' as is_numbered,"
        " first_received_at as at from session s where station_id = any($1) and first_received_at >= $2"
        " and not exists (select from command c where c.session_id = s.session_id)",
        list(station_ids),
        since,
    )
