"""Stations in PostgreSQL: what the gateway reads and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row, to_json
from ohmstead.core.errors import NotFound
from ohmstead.core.writes import Write
from ohmstead.stations import features
from ohmstead.stations.features import Features
from ohmstead.stations.model import (
    MOVING,
    BootReport,
    Connected,
    Disconnected,
    Record,
    Registration,
    Station,
    StatusReport,
)
from ohmstead.stations.orders import Command, SessionLimit, Status

# What a station may claim to have: its word alone makes rows, and the column holds two thousand million.
MOST_OUTLETS = 200

_STATION = """
select s.station_id, s.party_id, s.registration, s.security_profile, s.location_id, s.secret_hash, s.certificate_name,
       s.next_security_profile,
       s.next_secret_hashes, s.onboarding, s.vendor, s.model, s.firmware_version,
       s.retired_at is not null as is_retired, s.booted_at is not null as has_booted, s.heartbeat_interval_s, s.max_power_w,
       coalesce(l.time_zone, p.time_zone) as time_zone,
       (select jsonb_object_agg(evse_number, max_power_w) from evse e
         where e.station_id = s.station_id and e.max_power_w is not null) as evse_power_w
from station s join party p using (party_id) left join location l on l.location_id = s.location_id
"""


def _station(row: Row) -> Station:
    fields = dict(row)
    fields["evse_power_w"] = {int(n): w for n, w in (fields["evse_power_w"] or {}).items()}
    fields["next_secret_hashes"] = tuple(fields["next_secret_hashes"] or ())
    return Station(**fields)


# any party: a station knocks with its identity alone; the answer tells whose it is
async def find_station(conn: Connection, station_id: str) -> Station | None:
    row = await conn.fetchrow(_STATION + " where lower(s.station_id) = lower($1)", station_id)
    return _station(row) if row else None


# any party: new stations belong to the first party until an operator assigns them
async def insert_unknown(
    conn: Connection,
    station_id: str,
    registration: Registration,
    profile: int,
    secret_hash: str | None,
    certificate_name: str | None,
) -> bool:
    """Put a station that nobody announced on the list; False when it is there already, or there is no party yet."""
    done = await conn.fetchval(
        "insert into station (station_id, party_id, registration, security_profile, secret_hash,"
        " certificate_name, is_lab)"
        " select $1, party_id, $2, $3, $4, $5, true from party order by created_at limit 1"
        " on conflict do nothing returning station_id",
        station_id,
        registration,
        profile,
        secret_hash,
        certificate_name,
    )
    return done is not None


# any party: addresses from which stations came before, for the door's memory
async def list_addresses(conn: Connection) -> list[tuple[str, str]]:
    """Stations heard within a week and the address they came from."""
    rows = await conn.fetch(
        "select station_id, remote_address from station where remote_address is not null"
        " and last_seen_at > now() - interval '7 days' order by last_seen_at desc limit 50000"
    )
    return [(row["station_id"], row["remote_address"]) for row in rows]


# any party: keyed by stations that proved their identity
async def save_boots(conn: Connection, boots: Sequence[BootReport]) -> dict[str, Registration]:
    """Remember what stations say of themselves; returns their registration."""
    rows = await conn.fetch(
        "update station s set vendor = b.vendor, model = b.model, serial_number = coalesce(b.serial_number,"
        " s.serial_number),"
        " firmware_version = coalesce(b.firmware_version, s.firmware_version), iccid = coalesce(b.iccid, s.iccid),"
        " imsi = coalesce(b.imsi, s.imsi), meter_type = coalesce(b.meter_type, s.meter_type),"
        " meter_serial_number = coalesce(b.meter_serial_number, s.meter_serial_number), boot_reason = b.reason,"
        " booted_at = b.at, last_seen_at = b.at"
        " from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
        " $8::text[],"
        " $9::text[], $10::text[], $11::text[]) as b (station_id, at, vendor, model, reason, serial_number,"
        " firmware_version, iccid, imsi, meter_type, meter_serial_number)"
        " where s.station_id = b.station_id returning s.station_id, s.registration",
        [b.station_id for b in boots],
        [b.at for b in boots],
        *[
            [getattr(b, name) for b in boots]
            for name in (
                "vendor",
                "model",
                "reason",
                "serial_number",
                "firmware_version",
                "iccid",
                "imsi",
                "meter_type",
                "meter_serial_number",
            )
        ],
    )
    return {row["station_id"]: row["registration"] for row in rows}


_STATUS = {
    "station_id": "text",
    "evse_number": "integer",
    "connector_number": "integer",
    "at": "timestamptz",
    "status": "text",
    "error_code": "text",
    "info": "text",
    "vendor_id": "text",
    "vendor_error_code": "text",
    "received_at": "timestamptz",
}
_STATE = ("status", "status_at", "error_code", "info", "vendor_error_code")
_STATUSES = f"""
r as materialized (
    select * from rows from (json_to_recordset($1::json)
           as ({", ".join(f"{name} {sql}" for name, sql in _STATUS.items())})) with ordinality as r ({", ".join(_STATUS)}, n)),
kept as (insert into status_change ({", ".join(_STATUS)}) select {", ".join(_STATUS)} from r on conflict do nothing),
latest as materialized (
    select distinct on (station_id, evse_number, connector_number) * from r
     order by station_id, evse_number, connector_number, at desc, n desc),
device as (
    update station s set status = l.status, status_at = l.at, error_code = l.error_code, info = l.info
      from latest l where l.evse_number = 0 and s.station_id = l.station_id
       and (s.status_at is null or s.status_at <= l.at)),
outlet as (
    select * from latest where evse_number between 1 and $2 and connector_number between 1 and $2),
new_evse as (
    insert into evse (station_id, evse_number) select distinct station_id, evse_number from outlet o
     where not exists (select from evse e where (e.station_id, e.evse_number) = (o.station_id, o.evse_number))
    on conflict do nothing),
connectors as (
    insert into connector as c (station_id, evse_number, connector_number, {", ".join(_STATE)})
    select station_id, evse_number, connector_number, status, at, error_code, info, vendor_error_code from outlet
    on conflict (station_id, evse_number, connector_number) do update
       set ({", ".join(_STATE)}) = ({", ".join(f"excluded.{name}" for name in _STATE)})
     where c.status_at is null or c.status_at <= excluded.status_at)"""


# any party: keyed by stations that proved their identity
def statuses(reports: Sequence[StatusReport]) -> list[Write]:
    """Keep every change; move a connector's present state only forward in the station's time.

    An outlet nobody described is put on the list: the station knows best what it has.
    """
    return [Write(_STATUSES, [to_json(reports), MOST_OUTLETS])] if reports else []


# any party: keyed by stations that proved their identity
async def save_connected(conn: Connection, items: Sequence[Connected]) -> None:
    """In the order in which they came: of two connections of one station the later one holds it."""
    latest = list({c.station_id: c for c in items}.values())
    await conn.execute(
        "update station s set gateway_id = c.gateway_id, connection_id = c.connection_id, connected_at = c.at,"
        " ocpp_version = c.version, remote_address = c.address, last_seen_at = c.at"
        " from unnest($1::text[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[])"
        " as c (station_id, gateway_id, connection_id, at, version, address) where s.station_id = c.station_id",
        [c.station_id for c in latest],
        [c.gateway_id for c in latest],
        [c.connection_id for c in latest],
        [c.at for c in latest],
        [c.ocpp_version for c in latest],
        [c.remote_address for c in latest],
    )
    await _insert_connection_changes(conn, [(c.station_id, c.at, True, "", c.remote_address) for c in items])


# any party: only the connection that holds a station can let it go
async def save_disconnected(conn: Connection, items: Sequence[Disconnected]) -> set[UUID]:
    """Returns the connections that did hold their station; the others were superseded and change nothing."""
    rows = await conn.fetch(
        "update station s set gateway_id = null, connection_id = null, disconnected_at = d.at, last_seen_at = d.at"
        " from unnest($1::text[], $2::uuid[], $3::timestamptz[]) as d (station_id, connection_id, at)"
        " where s.station_id = d.station_id and s.connection_id = d.connection_id returning d.connection_id",
        [d.station_id for d in items],
        [d.connection_id for d in items],
        [d.at for d in items],
    )
    held = {row["connection_id"] for row in rows}
    await _insert_connection_changes(
        conn, [(d.station_id, d.at, False, d.reason, "") for d in items if d.connection_id in held]
    )
    return held


async def _insert_connection_changes(conn: Connection, changes: Sequence[tuple[str, datetime, bool, str, str]]) -> None:
    if changes:
        await conn.execute(
            "insert into connection_change (station_id, at, is_connected, reason, detail)"
            " select * from unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::text[], $5::text[])"
            " on conflict do nothing",
            *[list(column) for column in zip(*changes, strict=True)],
        )


# any party: the gateway's own stations
async def save_seen(conn: Connection, seen: dict[str, datetime]) -> None:
    """When stations were last heard; written now and then, since it changes with every message."""
    await conn.execute(
        "update station s set last_seen_at = greatest(s.last_seen_at, u.at)"
        " from unnest($1::text[], $2::timestamptz[]) as u (station_id, at) where s.station_id = u.station_id",
        list(seen),
        list(seen.values()),
    )


# any party: what is old is old
async def drop_records(conn: Connection, before: datetime, limit: int) -> int:
    """Forget what stations reported before an instant, at most `limit` rows of each table; returns how many went."""
    n_dropped = 0
    for table, key in (("report_chunk", "station_id, kind, request_id, digest"), ("station_record", "record_id")):
        done = await conn.execute(
            f"delete from {table} where ({key}) in (select {key} from {table} where received_at < $1 limit $2)",
            before,
            limit,
        )
        n_dropped += int(done.rpartition(" ")[2])
    return n_dropped


async def insert_records(conn: Connection, records: Sequence[Record]) -> None:
    if records:
        await conn.execute(
            "insert into station_record (station_id, received_at, kind, digest, payload)"
            " select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bytea[], $5::jsonb[])"
            " on conflict do nothing",
            [r.station_id for r in records],
            [r.at for r in records],
            [r.kind for r in records],
            [r.digest for r in records],
            [r.payload.decode() for r in records],
        )


# ------------------------------------------------------------------------------------------------------- gateways


async def beat_gateway(conn: Connection, gateway_id: UUID, address: str) -> bool:
    """Tell that a gateway lives. True when nobody knew of it: it is new, or was given up and its stations with it."""
    is_new: bool = await conn.fetchval(
        "insert into gateway (gateway_id, address) values ($1, $2)"
        " on conflict (gateway_id) do update set alive_at = now() returning xmax = 0",
        gateway_id,
        address,
    )
    return is_new


# any party: keyed by stations that proved their identity to the gateway that asks
async def list_free(conn: Connection, station_ids: Sequence[str]) -> set[str]:
    """Those of the stations that no gateway holds, locked until the transaction ends."""
    rows = await conn.fetch(
        "select station_id from station where station_id = any($1) and gateway_id is null for update",
        list(station_ids),
    )
    return {row["station_id"] for row in rows}


# any party: a dead gateway had stations of all
async def release_gateways(conn: Connection, gateway_id: UUID | None, older_than_s: float) -> list[Row]:
    """Forget a gateway that stops (`gateway_id`) or those silent for `older_than_s`; returns the stations let go."""
    rows = await conn.fetch(
        "with dead as (delete from gateway where gateway_id = $1 or alive_at < now() - make_interval(secs => $2)"
        # The database's clock was put back: who lives tells so again within seconds.
        "   or alive_at > now() + make_interval(secs => greatest($2, 60))"
        "   returning gateway_id, least(alive_at, now()) as alive_at),"
        " orphaned as (select s.station_id, d.alive_at from station s join dead d using (gateway_id)"
        "   union select station_id, s.last_seen_at from station s where gateway_id is not null"
        "   and not exists (select from gateway g where g.gateway_id = s.gateway_id))"
        " update station s set gateway_id = null, connection_id = null, disconnected_at = o.alive_at"
        " from orphaned o where s.station_id = o.station_id returning s.station_id, s.party_id, o.alive_at as at",
        gateway_id,
        older_than_s,
    )
    await _insert_connection_changes(
        conn, [(r["station_id"], r["at"], False, "gateway_lost", "") for r in rows if r["at"] is not None]
    )
    return rows


# ------------------------------------------------------------------------------------------------------- commands

_COMMAND = (
    "command_id, party_id, station_id, kind, action, parameters, status, requested_by, requested_at, expires_at,"
    " sent_at,"
    " answered_at, message_id, answer, error_code, error_text, session_id, bulk_id"
)


def _command(row: Row) -> Command:
    return Command(**dict(row))


# any party: the command carries its party, and the station must be that party's
async def insert_command(conn: Connection, command: Command) -> bool:
    """False when the party has no such station in service."""
    done = await conn.fetchval(
        "insert into command (command_id, party_id, station_id, kind, action, parameters, status, requested_by,"
        " requested_at, expires_at) select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 where exists"
        " (select from station where station_id = $3 and party_id = $2 and retired_at is null) returning command_id",
        command.command_id,
        command.party_id,
        command.station_id,
        command.kind,
        command.action,
        to_json(command.parameters),
        command.status,
        command.requested_by,
        command.requested_at,
        command.expires_at,
    )
    return done is not None


async def get_command(conn: Connection, party_id: UUID, command_id: UUID) -> Command:
    row = await conn.fetchrow(
        f"select {_COMMAND} from command where command_id = $1 and party_id = $2", command_id, party_id
    )
    if row is None:
        raise NotFound(f"no command {command_id}")
    return _command(row)


# any party: dispatched to the gateway by id, which only the desk knows
async def take_commands(conn: Connection, command_ids: Sequence[UUID]) -> list[Command]:
    """Those that still wait to be sent; they are `sent` from here on, so that nobody sends them twice."""
    rows = await conn.fetch(
        f"update command set status = 'sent', sent_at = clock_timestamp() where command_id = any($1)"
        f" and status in ('sending', 'queued') and (expires_at is null or expires_at > now()) returning {_COMMAND}",
        list(command_ids),
    )
    return [_command(row) for row in rows]


# any party: a command that its gateway is about to send
async def replace_parameters(conn: Connection, command_id: UUID, parameters: dict[str, Any]) -> None:
    await conn.execute("update command set parameters = $2 where command_id = $1", command_id, to_json(parameters))


# any party: the connection's own station
async def list_queued(conn: Connection, station_id: str) -> list[UUID]:
    rows = await conn.fetch(
        "select command_id from command where station_id = $1 and status = 'queued' and expires_at > now()"
        " order by requested_at",
        station_id,
    )
    return [row["command_id"] for row in rows]


# any party: the gateway is about to send to it, or the caller checked whose it is
async def list_features(conn: Connection, versions: Mapping[str, str | None]) -> dict[str, Features]:
    """What stations told of themselves that orders depend on. `versions`: by station, the one that it speaks."""
    rows = await conn.fetch(
        "select station_id, component, variable, value from station_variable where station_id = any($1)"
        " and attribute = 'Actual' and (component, variable) in (select * from unnest($2::text[], $3::text[]))",
        list(versions),
        [component for component, _ in features.VARIABLES],
        [variable for _, variable in features.VARIABLES],
    )
    reported: dict[str, dict[tuple[str, str], str]] = {station_id: {} for station_id in versions}
    for row in rows:
        reported[row["station_id"]][row["component"], row["variable"]] = row["value"] or ""
    outlets: dict[str, dict[int, tuple[int, ...]]] = {station_id: {} for station_id in versions}
    for row in await conn.fetch(
        "select e.station_id, e.evse_number, array_remove(array_agg(c.connector_number order by c.connector_number),"
        " null) as connectors from evse e left join connector c using (station_id, evse_number)"
        " where e.station_id = any($1) group by e.station_id, e.evse_number",
        list(versions),
    ):
        outlets[row["station_id"]][row["evse_number"]] = tuple(row["connectors"])
    return {
        station_id: features.read(version, outlets[station_id], reported[station_id])
        for station_id, version in versions.items()
    }


class Named(msgspec.Struct, frozen=True):
    """Which OCPP message a command became: of several the `part`th."""

    command_id: UUID
    action: str
    message_id: str
    part: int = 1
    n_parts: int = 1


# any party: the gateway that sent it
async def commands_named(conn: Connection, named: Sequence[Named]) -> None:
    """Late answers find the command by its message."""
    await conn.execute(
        "update command c set action = n.action, message_id = n.message_id, part = n.part, n_parts = n.n_parts"
        " from json_to_recordset($1::json) as n (command_id uuid, action text, message_id text, part smallint,"
        " n_parts smallint) where c.command_id = n.command_id",
        to_json(named),
    )


class Answered(msgspec.Struct, frozen=True):
    """What became of a command. `answer` is JSON text."""

    command_id: UUID
    status: Status
    at: datetime | None
    answer: str | None = None
    error_code: str | None = None
    error_text: str | None = None


# any party: the gateway that sent it
async def commands_answered(conn: Connection, answered: Sequence[Answered]) -> list[Command]:
    """Those that changed by it. An answer always counts, even after we stopped waiting for it; only the first one does."""
    rows = await conn.fetch(
        "update command c set status = a.status, answered_at = a.at, answer = a.answer::jsonb,"
        # What was taken to be sent and then refused never left.
        " sent_at = case when c.message_id is null and a.error_code in ('refused', 'schema') then null else c.sent_at end,"
        " error_code = a.error_code, error_text = left(a.error_text, 500)"
        " from json_to_recordset($1::json) as a (command_id uuid, status text, at timestamptz, answer text,"
        " error_code text, error_text text) where c.command_id = a.command_id and c.answered_at is null"
        f" returning {', '.join('c.' + name.strip() for name in _COMMAND.split(','))}",
        to_json(answered),
    )
    return [_command(row) for row in rows]


# any party: a station's late answer, found by the message it answers
async def find_command_by_message(
    conn: Connection, station_id: str, message_id: str
) -> tuple[Command, int, int] | None:
    """The command, which part of it the message was, and how many parts it has."""
    row = await conn.fetchrow(
        f"select {_COMMAND}, part, n_parts from command where station_id = $1 and message_id = $2",
        station_id,
        message_id,
    )
    if row is None:
        return None
    fields = dict(row)
    part, n_parts = fields.pop("part"), fields.pop("n_parts")
    return Command(**fields), part, n_parts


class Starting(msgspec.Struct, frozen=True):
    """A remote start that was sent and has no session yet."""

    command_id: UUID
    station_id: str
    token_uid: str
    evse_number: int | None
    remote_start_id: int | None
    requested_at: datetime


# any party: for the worker, who looks for their sessions
async def list_starting(conn: Connection, since: datetime) -> list[Starting]:
    rows = await conn.fetch(
        "select command_id, station_id, parameters->>'token_uid' as token_uid,"
        " (parameters->>'evse_number')::integer as evse_number,"
        " (parameters->>'remote_start_id')::integer as remote_start_id, requested_at from command"
        " where kind = 'remote_start' and session_id is null and requested_at >= $1"
        " and status in ('sent', 'accepted', 'timed_out')",
        since,
    )
    return [Starting(**row) for row in rows]


# any party: a station's own sessions
async def list_start_limits(
    conn: Connection, starts: Sequence[tuple[str, int]], at: datetime
) -> dict[tuple[str, int], SessionLimit]:
    """The limits of remote starts of the last day, by station and number."""
    rows = await conn.fetch(
        "select c.station_id, f.number, c.parameters->'limit' as limits"
        " from unnest($1::text[], $2::integer[]) as f (station_id, number)"
        " join command c on c.station_id = f.station_id and c.requested_at >= $3 and c.kind = 'remote_start'"
        " and (c.parameters->>'remote_start_id')::integer = f.number where jsonb_typeof(c.parameters->'limit') = 'object'",
        [station_id for station_id, _ in starts],
        [number for _, number in starts],
        at - timedelta(days=1),
    )
    return {(row["station_id"], row["number"]): msgspec.convert(row["limits"], SessionLimit) for row in rows}


# any party: for the worker, who found their sessions
async def starts_found(conn: Connection, found: Mapping[UUID, UUID]) -> None:
    await conn.execute(
        "update command c set session_id = f.session_id from unnest($1::uuid[], $2::uuid[]) as f (command_id, session_id)"
        " where c.command_id = f.command_id",
        list(found),
        list(found.values()),
    )


# any party: the desk that made the row
async def command_undelivered(conn: Connection, command_id: UUID, status: Status, at: datetime) -> None:
    await conn.execute(
        "update command set status = $2, answered_at = case when $2 = 'offline' then $3::timestamptz end"
        " where command_id = $1 and status = 'sending'",
        command_id,
        status,
        at,
    )


# any party: an expiry is an expiry
async def expire_commands(conn: Connection, at: datetime, given_up_after: timedelta) -> list[UUID]:
    rows = await conn.fetch(
        "update command set status = case status when 'queued' then 'expired' else 'timed_out' end,"
        " answered_at = case status when 'queued' then $1::timestamptz end,"
        " error_text = case when status = 'queued' then 'the station did not come back in time' when message_id is null"
        "  then 'its gateway ended before it was sent' else 'its gateway ended before the station answered' end"
        " where (status = 'queued' and expires_at <= $1)"
        " or (status in ('sending', 'sent') and coalesce(sent_at, requested_at) < $1 - $2::interval)"
        " returning command_id",
        at,
        given_up_after,
    )
    return [row["command_id"] for row in rows]


async def cancel_queued(conn: Connection, party_id: UUID, station_id: str, kind: str, name: str, value: str) -> int:
    """Orders of a kind, with this parameter, that still wait for their station go out no more; returns how many."""
    rows = await conn.fetch(
        "update command set status = 'cancelled', answered_at = now() where party_id = $1 and station_id = $2"
        " and kind = $3 and status = 'queued' and parameters->>$4 = $5 returning command_id",
        party_id,
        station_id,
        kind,
        name,
        value,
    )
    return len(rows)


async def cancel_command(conn: Connection, party_id: UUID, command_id: UUID) -> bool:
    """An order that still waits for its station goes out no more; False when it does not wait."""
    sql = "update command set status = 'cancelled', answered_at = now() where party_id = $1 and command_id = $2"
    return await conn.fetchval(f"{sql} and status = 'queued' returning true", party_id, command_id) is not None


# any party: the desk checked the party when it made the row
async def gateway_of(conn: Connection, station_id: str) -> tuple[UUID | None, bool]:
    """The gateway that holds a station now, if any is alive; and whether one sent it elsewhere a moment ago."""
    row = await conn.fetchrow(
        "select g.gateway_id, s.gateway_id is null and s.disconnected_at > now() - interval '20 seconds'"
        " and exists (select from connection_change c where c.station_id = s.station_id and c.at = s.disconnected_at"
        "  and not c.is_connected and c.reason = $2) as is_moving"
        " from station s left join gateway g on g.gateway_id = s.gateway_id"
        " and g.alive_at > now() - interval '30 seconds' where s.station_id = $1",
        station_id,
        MOVING,
    )
    return (row["gateway_id"], bool(row["is_moving"])) if row is not None else (None, False)


# any party: for the worker's reconciliation
async def list_connected(conn: Connection, station_ids: Sequence[str]) -> set[str]:
    rows = await conn.fetch(
        "select station_id from station where station_id = any($1) and gateway_id is not null", list(station_ids)
    )
    return {row["station_id"] for row in rows}
