"""Firmware, rollouts and file jobs in PostgreSQL: what is written, and what is read to decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row, to_json
from ohmstead.core.errors import NotFound
from ohmstead.stations.files.model import FileJob, FileReport, Image, Member, Place, Rollout
from ohmstead.stations.files.vouching import Verdict

_IMAGE = ", ".join(Image.__struct_fields__)
_JOB = ", ".join(FileJob.__struct_fields__)
_ROLLOUT = ", ".join(Rollout.__struct_fields__)
_NOT_OPEN = "('installed', 'old_version', 'published', 'unpublished', 'done', 'failed', 'superseded')"


async def _insert(conn: Connection, table: str, thing: msgspec.Struct, without: frozenset[str] = frozenset()) -> None:
    names = [name for name in thing.__struct_fields__ if name not in without]
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await conn.execute(
        f"insert into {table} ({', '.join(names)}) values ({places})", *(getattr(thing, name) for name in names)
    )


# --------------------------------------------------------------------------------------------------------- images


async def insert_image(conn: Connection, image: Image) -> None:
    await _insert(conn, "firmware_image", image)


async def get_image(conn: Connection, party_id: UUID, image_id: UUID, *, for_update: bool = False) -> Image:
    row = await conn.fetchrow(
        f"select {_IMAGE} from firmware_image where party_id = $1 and image_id = $2"
        + (" for update" if for_update else ""),
        party_id,
        image_id,
    )
    if row is None:
        raise NotFound(f"no firmware {image_id}")
    return Image(**row)


async def image_stored(
    conn: Connection, party_id: UUID, image_id: UUID, sha256: str, md5: str, size_bytes: int, at: datetime
) -> Image:
    row = await conn.fetchrow(
        "update firmware_image set sha256 = $3, md5 = $4, size_bytes = $5, stored_at = $6"
        f" where party_id = $1 and image_id = $2 returning {_IMAGE}",
        party_id,
        image_id,
        sha256,
        md5,
        size_bytes,
        at,
    )
    assert row is not None
    return Image(**row)


async def image_judged(conn: Connection, party_id: UUID, image_id: UUID, verdict: Verdict) -> Image:
    """Who vouches for it, as far as is known now."""
    row = await conn.fetchrow(
        "update firmware_image set vouched_by = $3, doubt = $4 where party_id = $1 and image_id = $2"
        f" returning {_IMAGE}",
        party_id,
        image_id,
        verdict.vouched_by,
        verdict.doubt,
    )
    assert row is not None
    return Image(**row)


async def retire_image(conn: Connection, party_id: UUID, image_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update firmware_image set retired_at = coalesce(retired_at, $3) where party_id = $1 and image_id = $2",
        party_id,
        image_id,
        at,
    )


# ----------------------------------------------------------------------------------------------------------- jobs


async def station_facts(conn: Connection, party_id: UUID, station_id: str) -> Row:
    """What a station said it is. Raises NotFound."""
    row = await conn.fetchrow(
        "select station_id, vendor, model, firmware_version, ocpp_version, (select v.value from station_variable v"
        "  where v.station_id = station.station_id and v.attribute = 'Actual' and (v.component, v.variable) in"
        "  (('', 'SupportedFileTransferProtocols'), ('OCPPCommCtrlr', 'FileTransferProtocols'))"
        "  order by v.value limit 1) as carriers from station"
        " where party_id = $1 and station_id = $2 and retired_at is null",
        party_id,
        station_id,
    )
    if row is None:
        raise NotFound(f"no station {station_id}")
    return row


# any party: the job says whose it is
async def insert_job(conn: Connection, job: FileJob) -> FileJob:
    """Its request number is the database's to give; what the station was doing of the kind is superseded."""
    await conn.execute(
        "update file_job set status = 'superseded', finished_at = $4, updated_at = $4"
        f" where station_id = $1 and kind = $2 and job_id <> $3 and status not in {_NOT_OPEN} and party_id = $5",
        job.station_id,
        job.kind,
        job.job_id,
        job.requested_at,
        job.party_id,
    )
    await _insert(conn, "file_job", job, frozenset(("request_id",)))
    job.request_id = await conn.fetchval(
        "select request_id from file_job where job_id = $1 and party_id = $2", job.job_id, job.party_id
    )
    return job


async def unpublish(conn: Connection, party_id: UUID, station_id: str, image_id: UUID, at: datetime) -> None:
    """A local controller offers an image no longer."""
    await conn.execute(
        "update file_job set status = 'unpublished', offered_under = null, updated_at = $4, finished_at = $4"
        " where party_id = $1 and station_id = $2 and kind = 'publish' and image_id = $3 and status = 'published'",
        party_id,
        station_id,
        image_id,
        at,
    )


# any party: the job's address is the proof
async def find_job(conn: Connection, job_id: UUID, *, for_update: bool = False) -> FileJob | None:
    row = await conn.fetchrow(
        f"select {_JOB} from file_job where job_id = $1" + (" for update" if for_update else ""), job_id
    )
    return FileJob(**row) if row else None


# any party: keyed by stations that proved their identity
async def jobs_reported(conn: Connection, reports: Sequence[FileReport]) -> list[tuple[int, FileJob]]:
    """Which report is about which job, locked: by the request's number, or the station's latest of the kind."""
    rows = await conn.fetch(
        f"select r.n as n, {', '.join('j.' + name for name in FileJob.__struct_fields__)}"
        " from unnest($1::text[], $2::text[], $3::integer[]) with ordinality as r (station_id, kind, request_id, n)"
        " join lateral (select * from file_job f where f.station_id = r.station_id and f.kind = r.kind"
        "  and (f.request_id = r.request_id or r.request_id is null)"
        "  order by f.requested_at desc, f.request_id desc limit 1) found on true"
        " join file_job j on j.job_id = found.job_id order by r.n for update of j",
        [r.station_id for r in reports],
        [r.kind for r in reports],
        [r.request_id for r in reports],
    )
    return [(row["n"] - 1, FileJob(**{k: v for k, v in row.items() if k != "n"})) for row in rows]


# any party: keyed by stations that proved their identity
async def jobs_booted(conn: Connection, station_ids: Sequence[str]) -> list[FileJob]:
    """The latest firmware job of each of the stations, locked."""
    rows = await conn.fetch(
        f"select {_JOB} from file_job j where j.job_id in (select (select f.job_id from file_job f"
        " where f.station_id = s.station_id and f.kind = 'firmware' order by f.requested_at desc limit 1)"
        " from unnest($1::text[]) as s (station_id)) for update",
        list(station_ids),
    )
    return [FileJob(**row) for row in rows]


# any party: the worker asks everybody's
async def take_unproven(conn: Connection, before: datetime) -> list[Row]:
    """Jobs whose connected stations said before `before` that they installed; each is given once."""
    return await conn.fetch(
        "update file_job j set asked_at = now() from station s where s.station_id = j.station_id"
        " and s.gateway_id is not null and j.status = 'reported' and j.kind = 'firmware' and j.version is not null"
        " and j.asked_at is null and j.updated_at < $1"
        " returning j.job_id, j.party_id, j.station_id, s.ocpp_version",
        before,
    )


async def version_told(conn: Connection, party_id: UUID, station_id: str) -> str | None:
    """The version in the station's variables, which becomes what the register says that it runs."""
    version: str | None = await conn.fetchval(
        "update station s set firmware_version = v.value from station_variable v where s.party_id = $1"
        " and s.station_id = $2 and v.station_id = s.station_id and v.component = 'ChargingStation'"
        " and v.variable = 'FirmwareVersion' and v.attribute = 'Actual' and v.value is not null"
        " returning v.value",
        party_id,
        station_id,
    )
    return version


# any party: jobs were found by their own number, or are their station's
async def save_progress(conn: Connection, jobs: Sequence[FileJob]) -> None:
    await conn.execute(
        "update file_job j set status = u.status, detail = u.detail, updated_at = u.updated_at,"
        " finished_at = u.finished_at, command_id = coalesce(u.command_id, j.command_id),"
        " offered_under = coalesce((select array_agg(o) from json_array_elements_text(u.offered_under) o), j.offered_under)"
        " from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::json[])"
        " as u (job_id, status, detail, updated_at, finished_at, command_id, offered_under)"
        " where j.job_id = u.job_id",
        [j.job_id for j in jobs],
        [j.status for j in jobs],
        [j.detail for j in jobs],
        [j.updated_at for j in jobs],
        [j.finished_at for j in jobs],
        [j.command_id for j in jobs],
        [to_json(j.offered_under or []) for j in jobs],
    )


# any party: the job's address is the proof
async def job_fetched(conn: Connection, job_id: UUID, at: datetime) -> None:
    await conn.execute("update file_job set fetched_at = coalesce(fetched_at, $2) where job_id = $1", job_id, at)


# any party: the job's address is the proof
async def job_received(conn: Connection, job: FileJob) -> None:
    await conn.execute(
        "update file_job set status = $2, name = $3, sha256 = $4, size_bytes = $5, received_at = $6, updated_at = $6,"
        " finished_at = $7 where job_id = $1",
        job.job_id,
        job.status,
        job.name,
        job.sha256,
        job.size_bytes,
        job.received_at,
        job.finished_at,
    )


# any party: the worker unpacks everybody's
async def job_unpacked(
    conn: Connection, job_id: UUID, members: Sequence[Member], note: str | None, at: datetime
) -> None:
    await conn.execute("delete from log_member where job_id = $1", job_id)
    await conn.executemany(
        "insert into log_member (job_id, position, path, sha256, size_bytes, is_text, note)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [(job_id, m.position, m.path, m.sha256, m.size_bytes, m.is_text, m.note) for m in members],
    )
    await conn.execute("update file_job set unpacked_at = $2, unpack_note = $3 where job_id = $1", job_id, at, note)


# any party: retention is the installation's
async def drop_old_logs(conn: Connection, days: int) -> list[str]:
    """Forget old logs; returns the contents that nothing refers to any more."""
    rows = await conn.fetch(
        "with old as (select job_id from file_job where kind = 'log'"
        "   and requested_at < now() - make_interval(days => $1)),"
        " members as (delete from log_member m using old where m.job_id = old.job_id returning m.sha256),"
        " jobs as (delete from file_job j using old where j.job_id = old.job_id returning j.sha256)"
        " select sha256 from members union select sha256 from jobs",
        days,
    )
    return await unreferenced(conn, [row["sha256"] for row in rows if row["sha256"]])


# any party: content is shared by all who have the same
async def unreferenced(conn: Connection, sha256s: Sequence[str]) -> list[str]:
    """Those contents that no image, log, member or photo has."""
    rows = await conn.fetch(
        "select u.sha256 from unnest($1::text[]) as u (sha256)"
        " where not exists (select from firmware_image i where i.sha256 = u.sha256)"
        " and not exists (select from file_job j where j.sha256 = u.sha256)"
        " and not exists (select from log_member m where m.sha256 = u.sha256)"
        " and not exists (select from location_photo p where p.sha256 = u.sha256)",
        list(sha256s),
    )
    return [row["sha256"] for row in rows]


# ------------------------------------------------------------------------------------------------------- rollouts


async def insert_rollout(conn: Connection, rollout: Rollout, places: Sequence[Place]) -> None:
    await _insert(conn, "rollout", rollout)
    await conn.executemany(
        "insert into rollout_station (rollout_id, station_id, wave, status, detail, updated_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        [(rollout.rollout_id, p.station_id, p.wave, p.status, p.detail, p.updated_at) for p in places],
    )


async def stations_like(
    conn: Connection, party_id: UUID, station_ids: Sequence[str] | None, location_id: UUID | None
) -> list[Row]:
    """Stations in service, with what they said they are."""
    return await conn.fetch(
        "select station_id, vendor, model, firmware_version from station where party_id = $1 and retired_at is null"
        " and registration = 'accepted' and ($2::text[] is null or station_id = any($2))"
        " and ($3::uuid is null or location_id = $3) order by station_id",
        party_id,
        station_ids,
        location_id,
    )


async def get_rollout(conn: Connection, party_id: UUID, rollout_id: UUID) -> Rollout:
    """Locked until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow(
        f"select {_ROLLOUT} from rollout where party_id = $1 and rollout_id = $2 for update", party_id, rollout_id
    )
    if row is None:
        raise NotFound(f"no rollout {rollout_id}")
    return Rollout(**row)


# any party: the worker runs everybody's
async def take_rollout(conn: Connection, rollout_id: UUID) -> Rollout | None:
    """Locked; None when another worker has it, or it does not run any more."""
    row = await conn.fetchrow(
        f"select {_ROLLOUT} from rollout where rollout_id = $1 and status = 'running' for update skip locked",
        rollout_id,
    )
    return Rollout(**row) if row else None


# any party: the worker runs everybody's
async def list_running(conn: Connection) -> list[UUID]:
    return [row["rollout_id"] for row in await conn.fetch("select rollout_id from rollout where status = 'running'")]


async def save_rollout(conn: Connection, party_id: UUID, rollout: Rollout) -> None:
    await conn.execute(
        "update rollout set status = $3, wave = $4, halted_because = $5, updated_at = $6"
        " where party_id = $1 and rollout_id = $2",
        party_id,
        rollout.rollout_id,
        rollout.status,
        rollout.wave,
        rollout.halted_because,
        rollout.updated_at,
    )


_IN_USE = ("occupied", "preparing", "charging", "suspended_ev", "suspended_evse", "finishing")


async def list_places(conn: Connection, party_id: UUID, rollout_id: UUID) -> list[Place]:
    rows = await conn.fetch(
        "select r.station_id, r.wave, r.status, r.tries, r.next_try_at, r.job_id,"
        " case when j.status in ('failed', 'old_version') then coalesce(j.detail, r.detail) else r.detail end as detail,"
        " r.updated_at, j.status as job_status, s.firmware_version, s.gateway_id is not null as is_online,"
        " exists (select from connector c where c.station_id = r.station_id and c.status = any($3)) as is_charging"
        " from rollout_station r join station s on s.station_id = r.station_id and s.party_id = $1"
        " left join file_job j on j.job_id = r.job_id where r.rollout_id = $2 order by r.wave, r.station_id",
        party_id,
        rollout_id,
        list(_IN_USE),
    )
    return [Place(**row) for row in rows]


async def change_places(conn: Connection, rollout_id: UUID, changes: Sequence[Any], at: datetime) -> None:
    await conn.execute(
        "update rollout_station r set status = u.status, detail = u.detail, next_try_at = u.next_try_at,"
        " updated_at = $6 from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])"
        " as u (station_id, status, detail, next_try_at) where r.rollout_id = $1 and r.station_id = u.station_id",
        rollout_id,
        [c.station_id for c in changes],
        [c.status for c in changes],
        [c.detail for c in changes],
        [c.next_try_at for c in changes],
        at,
    )


async def place_ordered(conn: Connection, rollout_id: UUID, station_id: str, job_id: UUID, at: datetime) -> None:
    """One more try begins."""
    await conn.execute(
        "update rollout_station set status = 'ordering', tries = tries + 1, job_id = $3, next_try_at = null,"
        " updated_at = $4 where rollout_id = $1 and station_id = $2",
        rollout_id,
        station_id,
        job_id,
        at,
    )


async def place_answered(conn: Connection, rollout_id: UUID, job_id: UUID, at: datetime) -> None:
    """The station took the order, or refused it, which its job says."""
    await conn.execute(
        "update rollout_station set status = 'running', updated_at = $3"
        " where rollout_id = $1 and job_id = $2 and status = 'ordering'",
        rollout_id,
        job_id,
        at,
    )


async def release_places(conn: Connection, rollout_id: UUID, at: datetime) -> None:
    """Those that failed get a new chance."""
    await conn.execute(
        "update rollout_station set status = 'waiting', tries = 0, next_try_at = null, updated_at = $2"
        " where rollout_id = $1 and status = 'failed'",
        rollout_id,
        at,
    )


async def skip_places(conn: Connection, rollout_id: UUID, at: datetime) -> None:
    """Those that were not told yet never will be."""
    await conn.execute(
        "update rollout_station set status = 'skipped', detail = 'the rollout was cancelled', updated_at = $2"
        " where rollout_id = $1 and status = 'waiting'",
        rollout_id,
        at,
    )
