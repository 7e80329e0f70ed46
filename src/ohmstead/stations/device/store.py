"""The device model in PostgreSQL: what stations report, and what is to be done to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row, to_json
from ohmstead.stations.device.drift import Refusal, Rule, Subject
from ohmstead.stations.device.model import Cause, Chunk, DeviceEvent, Monitor
from ohmstead.stations.device.tree import Known
from ohmstead.stations.model import Variable
from ohmstead.stations.orders import ListedToken

_VARIABLE = {
    "station_id": "text",
    "component": "text",
    "variable": "text",
    "attribute": "text",
    "value": "text",
    "is_read_only": "boolean",
    "data_type": "text",
    "unit": "text",
    "mutability": "text",
    "min_limit": "numeric",
    "max_limit": "numeric",
    "values_list": "text[]",
    "supports_monitoring": "boolean",
}
_KEY = "station_id, component, variable, attribute"
_KEPT_WHEN_UNTOLD = (
    "is_read_only",
    "data_type",
    "unit",
    "mutability",
    "min_limit",
    "max_limit",
    "values_list",
    "supports_monitoring",
)
# A value waits for a restart until it is in force, or the station has restarted without taking it up.
_STILL_PENDING = (
    "s.pending_value is distinct from excluded.value and s.pending_at >"
    " coalesce((select booted_at from station t where t.station_id = s.station_id), '-infinity')"
)
# The insert joins old although it takes nothing of it: rows are to be seen, and locked, before they are written.
_LEARN = f"""
with r as materialized (
    select * from json_to_recordset($1::json)
        as r ({", ".join(f"{name} {sql}" for name, sql in _VARIABLE.items())}, is_pending boolean)),
old as materialized (
    select v.* from station_variable v join r using ({_KEY}) order by {_KEY} for update of v),
changed as (
    insert into variable_change ({_KEY}, at, old_value, new_value, source, caused_by, command_id)
    select r.station_id, r.component, r.variable, r.attribute, $2, o.value, r.value, $3,
           case when $3 <> 'set' and r.value = o.pending_value then o.pending_by else $4 end,
           case when $3 <> 'set' and r.value = o.pending_value then o.pending_command_id else $5::uuid end
      from r left join old o using ({_KEY})
     where not r.is_pending and r.value is not null and o.value is distinct from r.value
       and (o.station_id is not null or $3 = 'set'))
insert into station_variable as s ({
    ", ".join(_VARIABLE)
}, updated_at, pending_value, pending_by, pending_command_id, pending_at)
select {
    ", ".join(f"r.{n}" if n != "value" else "case when r.is_pending then null else r.value end" for n in _VARIABLE)
}, $2,
       case when r.is_pending then r.value end, case when r.is_pending then $4 end,
       case when r.is_pending then $5::uuid end, case when r.is_pending then $2 end
  from r left join (select {_KEY} from old) o using ({_KEY}) order by {_KEY}
on conflict ({_KEY}) do update
   set value = case when excluded.pending_at is null then excluded.value else s.value end,
       {", ".join(f"{n} = coalesce(excluded.{n}, s.{n})" for n in _KEPT_WHEN_UNTOLD)},
       updated_at = excluded.updated_at,
       {
    ", ".join(
        f"{n} = case when excluded.pending_at is not null then excluded.{n} when {_STILL_PENDING} then s.{n} end"
        for n in ("pending_value", "pending_by", "pending_command_id", "pending_at")
    )
}
"""


async def learn(conn: Connection, variables: Sequence[Variable], cause: Cause, at: datetime) -> None:
    """Values as they became known at `at`, and what is new in them as history. Said twice, the later one counts last."""
    rounds: list[dict[tuple[str, str, str, str], Variable]] = []
    for one in variables:
        key = (one.station_id, one.component, one.variable, one.attribute)
        for known in rounds:
            if key not in known:
                known[key] = one
                break
        else:
            rounds.append({key: one})
    for n, known in enumerate(rounds):
        moment = at + timedelta(microseconds=n)
        await conn.execute(_LEARN, to_json(list(known.values())), moment, cause.source, cause.by, cause.command_id)


async def add_chunks(conn: Connection, chunks: Sequence[Chunk]) -> None:
    """Parts of reports. A request id that comes again after ten minutes is another report: the old parts go."""
    rows = [(c.station_id, c.kind, c.request_id, c.digest, c.seq_no, c.is_last, c.at) for c in chunks]
    for station_id, kind, request_id, digest, seq_no, _, at in rows:
        await conn.execute(
            "delete from report_chunk c where (c.station_id, c.kind, c.request_id) = ($1, $2, $3) and exists (select"
            " from report_chunk x where (x.station_id, x.kind, x.request_id) = ($1, $2, $3)"
            " and x.digest <> $4 and x.seq_no is not distinct from $5::integer"
            " and x.received_at < $6::timestamptz - interval '10 minutes')",
            station_id,
            kind,
            request_id,
            digest,
            seq_no,
            at,
        )
    await conn.executemany(
        "insert into report_chunk (station_id, kind, request_id, digest, seq_no, is_last, received_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        rows,
    )


async def upsert_monitors(conn: Connection, monitors: Sequence[Monitor], at: datetime) -> None:
    latest = {(m.station_id, m.monitor_id): m for m in monitors}
    await conn.execute(
        "insert into station_monitor as s (station_id, monitor_id, component, variable, kind, value, severity,"
        " is_transaction_only, event_kind, reported_at)"
        " select u.*, $2::timestamptz from json_to_recordset($1::json) as u (station_id text, monitor_id bigint,"
        " component text, variable text, kind text, value numeric, severity smallint, is_transaction_only boolean,"
        " event_kind text) on conflict (station_id, monitor_id) do update set component = excluded.component,"
        " variable = excluded.variable, kind = excluded.kind, value = excluded.value, severity = excluded.severity,"
        " is_transaction_only = excluded.is_transaction_only, event_kind = coalesce(excluded.event_kind, s.event_kind),"
        " reported_at = excluded.reported_at",
        to_json(list(latest.values())),
        at,
    )


async def delete_monitors(conn: Connection, station_id: str, monitor_ids: Sequence[int]) -> None:
    await conn.execute(
        "delete from station_monitor where station_id = $1 and monitor_id = any($2)", station_id, list(monitor_ids)
    )


async def delete_monitors_of(conn: Connection, station_id: str, event_kinds: Sequence[str]) -> None:
    await conn.execute(
        "delete from station_monitor where station_id = $1 and event_kind = any($2)", station_id, list(event_kinds)
    )


async def insert_events(conn: Connection, events: Sequence[DeviceEvent]) -> list[DeviceEvent]:
    """Those that were not there yet, in the order of their time."""
    rows = await conn.fetch(
        "insert into device_event (station_id, event_id, at, received_at, component, variable, value, trigger, kind,"
        " cause, monitor_id, severity, is_cleared, transaction_id, tech_code, tech_info)"
        " select * from json_to_recordset($1::json) as u (station_id text, event_id bigint, at timestamptz,"
        " received_at timestamptz, component text, variable text, value text, trigger text, kind text, cause bigint,"
        " monitor_id bigint, severity smallint, is_cleared boolean, transaction_id text, tech_code text, tech_info text)"
        " on conflict do nothing returning station_id, at, event_id, component, variable",
        to_json(events),
    )
    new = {tuple(row) for row in rows}
    fresh = {(e.station_id, e.at, e.event_id, e.component, e.variable): e for e in reversed(events)}
    return sorted((e for key, e in fresh.items() if key in new), key=lambda e: (e.at, e.event_id))


async def known_of(conn: Connection, station_id: str, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    """The present values of some variables, by (component, variable)."""
    rows = await conn.fetch(
        "select v.component, v.variable, v.attribute, v.value, v.is_read_only, v.mutability, v.data_type, v.unit,"
        " v.min_limit, v.max_limit, v.values_list, v.supports_monitoring, v.pending_value, v.updated_at"
        " from station_variable v join unnest($2::text[], $3::text[]) as u (component, variable)"
        " using (component, variable) where v.station_id = $1 and v.attribute = 'Actual'",
        station_id,
        [component for component, _ in names],
        [variable for _, variable in names],
    )
    return {(row["component"], row["variable"]): Known(**row) for row in rows}


# ------------------------------------------------------------------------------------------------------- templates


_SUBJECT = """
select s.station_id, s.party_id, s.name, s.location_id, coalesce(l.name, '') as location, coalesce(s.vendor, '') as vendor,
       coalesce(s.model, '') as model, coalesce(s.firmware_version, '') as firmware,
       coalesce(s.serial_number, '') as serial_number,
       case when s.ocpp_version is null then null when s.ocpp_version = '1.6' then '1.6' else '2.x' end as generation
from station s left join location l using (location_id)
"""


# any party: the worker goes by the station
async def find_subject(conn: Connection, station_id: str) -> Subject | None:
    """What templates look at in a station; None when it takes none: not accepted, retired, or it opted out."""
    row = await conn.fetchrow(
        _SUBJECT + " where s.station_id = $1 and s.registration = 'accepted' and s.retired_at is null"
        " and s.takes_templates",
        station_id,
    )
    return Subject(**row) if row else None


async def find_subject_of(conn: Connection, party_id: UUID, station_id: str) -> Subject | None:
    """The same for somebody who looks, whatever the station takes."""
    row = await conn.fetchrow(_SUBJECT + " where s.party_id = $1 and s.station_id = $2", party_id, station_id)
    return Subject(**row) if row else None


async def list_subjects(conn: Connection, party_id: UUID) -> list[Subject]:
    """All stations in service that take templates, by id."""
    rows = await conn.fetch(
        _SUBJECT + " where s.party_id = $1 and s.registration = 'accepted' and s.retired_at is null"
        " and s.takes_templates order by s.station_id",
        party_id,
    )
    return [Subject(**row) for row in rows]


async def takes_templates(conn: Connection, party_id: UUID, station_id: str) -> bool:
    found: bool = await conn.fetchval(
        "select takes_templates from station where party_id = $1 and station_id = $2", party_id, station_id
    )
    return found


async def list_rules(conn: Connection, party_id: UUID) -> list[Rule]:
    """Templates in force."""
    rows = await conn.fetch(
        "select template_id, name, generation, priority, vendor, model, firmware, location_id, station_ids, variables,"
        " resets_on_idle from configuration_template where party_id = $1 and is_enabled",
        party_id,
    )
    return [Rule(**row) for row in rows]


async def refusals_of(conn: Connection, station_id: str) -> dict[str, Refusal]:
    rows = await conn.fetch(
        "select name, value, reason, retry_at from variable_refusal where station_id = $1", station_id
    )
    return {row["name"]: Refusal(value=row["value"], reason=row["reason"], retry_at=row["retry_at"]) for row in rows}


async def note_refusal(
    conn: Connection, station_id: str, name: str, value: str, reason: str, at: datetime, *, is_again: bool
) -> int:
    """How often the same value was refused by now."""
    tries: int = await conn.fetchval(
        "insert into variable_refusal as r (station_id, name, value, reason, at, retry_at)"
        " values ($1, $2, $3, left($4, 500), $5, $5) on conflict (station_id, name) do update"
        " set tries = case when r.value = excluded.value and $6 then r.tries + 1 else 1 end, value = excluded.value,"
        " reason = excluded.reason, at = excluded.at returning tries",
        station_id,
        name,
        value,
        reason,
        at,
        is_again,
    )
    return tries


async def retry_refusal_at(conn: Connection, station_id: str, name: str, retry_at: datetime) -> None:
    await conn.execute(
        "update variable_refusal set retry_at = $3 where station_id = $1 and name = $2", station_id, name, retry_at
    )


async def forget_all_refusals(conn: Connection, station_id: str) -> None:
    await conn.execute("delete from variable_refusal where station_id = $1", station_id)


async def forget_refusals(conn: Connection, station_id: str, names: Sequence[str]) -> None:
    await conn.execute("delete from variable_refusal where station_id = $1 and name = any($2)", station_id, list(names))


_TEMPLATE = (
    "name",
    "generation",
    "priority",
    "vendor",
    "model",
    "firmware",
    "location_id",
    "station_ids",
    "variables",
    "resets_on_idle",
    "is_enabled",
)


async def insert_template(conn: Connection, party_id: UUID, template_id: UUID, values: dict[str, Any]) -> bool:
    """False when the party has one of this name."""
    places = ", ".join(f"${n}" for n in range(3, 3 + len(_TEMPLATE)))
    done = await conn.fetchval(
        f"insert into configuration_template (template_id, party_id, {', '.join(_TEMPLATE)})"
        f" values ($1, $2, {places}) on conflict (party_id, name) do nothing returning template_id",
        template_id,
        party_id,
        *[values[name] for name in _TEMPLATE],
    )
    return done is not None


async def update_template(
    conn: Connection, party_id: UUID, template_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there, or not in the version `if_version`."""
    names = [name for name in _TEMPLATE if name in values]
    changes = "".join(f"{name} = ${n}, " for n, name in enumerate(names, 4))
    done = await conn.fetchval(
        f"update configuration_template set {changes}version = version + 1, updated_at = now()"
        " where party_id = $1 and template_id = $2 and ($3::integer is null or version = $3) returning template_id",
        party_id,
        template_id,
        if_version,
        *[values[name] for name in names],
    )
    return done is not None


async def delete_template(conn: Connection, party_id: UUID, template_id: UUID, if_version: int | None) -> bool:
    done = await conn.fetchval(
        "delete from configuration_template where party_id = $1 and template_id = $2"
        " and ($3::integer is null or version = $3) returning template_id",
        party_id,
        template_id,
        if_version,
    )
    return done is not None


# any party: the worker asks before it restarts the station
async def is_idle(conn: Connection, station_id: str) -> bool:
    """Nobody charges or is about to, as far as the connectors tell."""
    found: bool = await conn.fetchval(
        "select not exists (select from connector where station_id = $1"
        " and status not in ('available', 'unavailable', 'faulted', 'unknown'))",
        station_id,
    )
    return found


# ---------------------------------------------------------------------------------------------------------- upkeep


class Duty(msgspec.Struct, frozen=True):
    """Something to be done to a station, taken by one worker."""

    station_id: str
    duty: str
    asked: int
    tries: int


# any party: duties are the installation's
async def ask(conn: Connection, duty: str, station_ids: Sequence[str], at: datetime) -> None:
    """This duty is due for these stations at `at`, unless it is sooner anyway."""
    await conn.execute(
        "insert into upkeep as u (station_id, duty, due_at, asked)"
        " select station_id, $2, $3, 1 from station where station_id = any($1) and retired_at is null"
        " order by station_id on conflict (station_id, duty) do update"
        " set due_at = least(u.due_at, excluded.due_at), asked = u.asked + 1",
        list(station_ids),
        duty,
        at,
    )


# any party: duties are the installation's
async def list_onboarding(conn: Connection, station_ids: Sequence[str]) -> list[str]:
    """Those that are to be given a password, or to come with it."""
    rows = await conn.fetch(
        "select station_id from station where station_id = any($1) and onboarding is not null", list(station_ids)
    )
    return [row["station_id"] for row in rows]


async def stations_of(conn: Connection, party_ids: Sequence[UUID]) -> list[str]:
    """Stations in service."""
    rows = await conn.fetch(
        "select station_id from station where party_id = any($1) and retired_at is null and registration = 'accepted'",
        list(party_ids),
    )
    return [row["station_id"] for row in rows]


# any party: duties are the installation's
async def take_duties(conn: Connection, limit: int, for_s: float) -> list[Duty]:
    """What is due for stations that are connected; nobody else gets it for `for_s` seconds."""
    rows = await conn.fetch(
        "with due as (select u.station_id, u.duty from upkeep u join station s using (station_id)"
        " where u.due_at <= now() and (u.taken_until is null or u.taken_until < now())"
        " and s.gateway_id is not null and s.retired_at is null"
        " order by u.due_at limit $1 for update of u skip locked)"
        " update upkeep u set taken_until = now() + make_interval(secs => $2) from due d"
        " where (u.station_id, u.duty) = (d.station_id, d.duty) returning u.station_id, u.duty, u.asked, u.tries",
        limit,
        for_s,
    )
    return [Duty(**row) for row in rows]


async def finish_duty(
    conn: Connection, duty: Duty, at: datetime, result: str, text: str | None, again_at: datetime | None, tries: int
) -> None:
    """What became of it. One that was asked for again meanwhile is due at once."""
    await conn.execute(
        "update upkeep set taken_until = null, due_at = case when asked = $3 then $7::timestamptz else $4 end,"
        " done_at = $4, result = $5, text = left($6, 500), tries = $8 where station_id = $1 and duty = $2",
        duty.station_id,
        duty.duty,
        duty.asked,
        at,
        result,
        text,
        again_at,
        tries,
    )


# ----------------------------------------------------------------------------------------------------- local lists


# any party: the worker goes by the station
async def find_recipient(conn: Connection, station_id: str) -> Row | None:
    """A station in service that takes a local list, with what it holds and how much it takes; None for others."""
    return await conn.fetchrow(
        "select s.station_id, s.party_id, s.location_id, s.ocpp_version, l.version, l.entries"
        " from station s join party p using (party_id) left join local_list l using (station_id)"
        " where s.station_id = $1 and s.retired_at is null and s.registration = 'accepted'"
        " and s.ocpp_version is not null and coalesce(s.takes_local_list, p.sends_local_lists)",
        station_id,
    )


async def list_chargeable(
    conn: Connection, party_id: UUID, station_id: str, location_id: UUID | None
) -> list[ListedToken]:
    """Tokens that may charge at a station's location at any hour, the latest changed first. What a list cannot say (hours,
    weekdays, master passes) is left to the question at the time; whom the station was to forget it is not told of."""
    rows = await conn.fetch(
        "select uid, type, group_uid, date_trunc('second', valid_until) as expires_at from token"
        " where party_id = $1 and status = 'active' and not is_master and weekdays = 127"
        " and from_minute is null and (valid_from is null or valid_from <= now())"
        " and (valid_until is null or valid_until > now())"
        " and (location_ids is null or $2 = any(location_ids)) and not exists (select from local_list_withheld w"
        " where w.station_id = $3 and w.uid = lower(token.uid) and w.at >= token.updated_at)"
        " order by updated_at desc, token_id",
        party_id,
        location_id,
        station_id,
    )
    return [ListedToken(**row) for row in rows]


async def withhold(conn: Connection, station_id: str, uid: str, at: datetime) -> None:
    """The station's list leaves this token out, until somebody changes it after `at`."""
    await conn.execute(
        "insert into local_list_withheld (station_id, uid, at) values ($1, lower($2), $3)"
        " on conflict (station_id, uid) do update set at = greatest(local_list_withheld.at, excluded.at)",
        station_id,
        uid,
        at,
    )


async def save_local_list(
    conn: Connection, station_id: str, version: int, entries: dict[str, ListedToken], n_left_out: int
) -> None:
    await conn.execute(
        "insert into local_list as l (station_id, version, entries, n_left_out) values ($1, $2, $3, $4)"
        " on conflict (station_id) do update set version = excluded.version, entries = excluded.entries,"
        " n_left_out = excluded.n_left_out, changed_at = now()",
        station_id,
        version,
        to_json(entries),
        n_left_out,
    )


async def forget_local_list(conn: Connection, station_id: str) -> None:
    await conn.execute("delete from local_list where station_id = $1", station_id)


async def set_party_lists(conn: Connection, party_id: UUID, is_on: bool) -> None:
    await conn.execute("update party set sends_local_lists = $2 where party_id = $1", party_id, is_on)


# ----------------------------------------------------------------------------------------------------- onboarding


# any party: the worker goes by the station
async def find_newcomer(conn: Connection, station_id: str) -> Row | None:
    """How far a station is with a password of its own."""
    return await conn.fetchrow(
        "select station_id, party_id, registration, onboarding, ocpp_version, connected_at, vendor, model,"
        " firmware_version from station where station_id = $1 and retired_at is null and registration <> 'rejected'",
        station_id,
    )


async def begin_onboarding(conn: Connection, party_id: UUID, station_id: str) -> None:
    """The station is to be given a password."""
    await conn.execute(
        "update station set onboarding = 'set_password', version = version + 1, updated_at = now()"
        " where party_id = $1 and station_id = $2",
        party_id,
        station_id,
    )


# any party: the worker goes by the station
async def add_secret(conn: Connection, station_id: str, secret_hash: str) -> None:
    """One more password that the station may come with; of unanswered ones the latest four are remembered."""
    await conn.execute(
        "update station set next_secret_hashes = (array_prepend($2, next_secret_hashes))[1:4] where station_id = $1",
        station_id,
        secret_hash,
    )


# any party: the worker goes by the station
async def drop_secret(conn: Connection, station_id: str, secret_hash: str) -> None:
    """The station refused this one."""
    await conn.execute(
        "update station set next_secret_hashes = nullif(array_remove(next_secret_hashes, $2), '{}')"
        " where station_id = $1",
        station_id,
        secret_hash,
    )


# any party: the worker goes by the station
async def set_onboarding(conn: Connection, station_id: str, step: str | None, before: str) -> bool:
    """False when it is at another step by now."""
    done = await conn.fetchval(
        "update station set onboarding = $2 where station_id = $1 and onboarding = $3 returning station_id",
        station_id,
        step,
        before,
    )
    return done is not None


# any party: a station that came with the password it was given
async def promote_secret(conn: Connection, station_id: str, secret_hash: str) -> Row | None:
    """The new password is the only one from now on; whose it was to be accepted for it, is. None: somebody was faster."""
    return await conn.fetchrow(
        "update station s set secret_hash = $2, next_secret_hashes = null, onboarding = null, is_lab = false,"
        " security_profile = greatest(s.security_profile, 1), version = s.version + 1, updated_at = now(),"
        " registration = case when s.onboarding is not null and s.registration = 'pending' then 'accepted'"
        " else s.registration end from (select * from station where station_id = $1 for update) o"
        " where s.station_id = o.station_id and $2 = any(o.next_secret_hashes)"
        " returning s.party_id, o.registration as was, s.registration",
        station_id,
        secret_hash,
    )


# ---------------------------------------------------------------------------------------------------------- clocks


# any party: the worker goes by the station
async def clock_samples(conn: Connection, station_id: str) -> tuple[Row | None, list[tuple[datetime, datetime]]]:
    """The station, and (its time, ours) of what its connectors told since it connected."""
    found = await conn.fetchrow(
        "select station_id, party_id, ocpp_version, connected_at, registration from station where station_id = $1"
        " and connected_at is not null",
        station_id,
    )
    if found is None:
        return None, []
    rows = await conn.fetch(
        "select at, received_at from status_change where station_id = $1 and received_at >= $2"
        " order by received_at limit 100",
        station_id,
        found["connected_at"],
    )
    return found, [(row["at"], row["received_at"]) for row in rows]
