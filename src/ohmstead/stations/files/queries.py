"""Firmware, rollouts and logs for lists and pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.stations.files.model import FileJob, Image, JobKind, Member, Place, Rollout
from ohmstead.stations.files.store import list_places

_IMAGE = ", ".join(f"i.{name}" for name in Image.__struct_fields__)
_JOB = ", ".join(FileJob.__struct_fields__)
_ROLLOUT = ", ".join(f"r.{name}" for name in Rollout.__struct_fields__)


class RolloutView(Rollout, kw_only=True):
    """A rollout and how far it is: stations by status, and the image's version."""

    version: str
    counts: dict[str, int]


class RolloutDetail(RolloutView, kw_only=True):
    """A rollout with its stations."""

    stations: list[Place]


class LogView(FileJob, kw_only=True):
    """A log with what was in it; a member without `sha256` could not be unpacked."""

    members: list[Member]


async def list_images(
    conn: Connection, party_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int = 500
) -> list[Image]:
    rows = await conn.fetch(
        f"select {_IMAGE} from firmware_image i where party_id = $1 and retired_at is null"
        " and ($2::timestamptz is null or (created_at, image_id) < ($2, $3)) order by created_at desc, image_id desc"
        " limit $4",
        party_id,
        *(after or (None, None)),
        limit,
    )
    return [Image(**row) for row in rows]


async def get_image(conn: Connection, party_id: UUID, image_id: UUID) -> Image:
    row = await conn.fetchrow(
        f"select {_IMAGE} from firmware_image i where party_id = $1 and image_id = $2", party_id, image_id
    )
    if row is None:
        raise NotFound(f"no firmware {image_id}")
    return Image(**row)


_ROLLOUTS = f"""
select {_ROLLOUT}, i.version,
       (select coalesce(jsonb_object_agg(status, n), '{{}}') from (
           select status, count(*) as n from rollout_station s where s.rollout_id = r.rollout_id group by status) c) as counts
from rollout r join firmware_image i using (image_id)
"""


# whole party: a rollout goes to stations of many locations
async def list_rollouts(
    conn: Connection, party_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int = 500
) -> list[RolloutView]:
    rows = await conn.fetch(
        _ROLLOUTS + " where r.party_id = $1 and ($2::timestamptz is null or (r.created_at, r.rollout_id) < ($2, $3))"
        " order by r.created_at desc, r.rollout_id desc limit $4",
        party_id,
        *(after or (None, None)),
        limit,
    )
    return [RolloutView(**row) for row in rows]


async def get_rollout(conn: Connection, party_id: UUID, rollout_id: UUID) -> RolloutDetail:
    row = await conn.fetchrow(_ROLLOUTS + " where r.party_id = $1 and r.rollout_id = $2", party_id, rollout_id)
    if row is None:
        raise NotFound(f"no rollout {rollout_id}")
    return RolloutDetail(**row, stations=await list_places(conn, party_id, rollout_id))


async def list_jobs(
    conn: Connection,
    scope: Scope,
    *,
    station_id: str | None = None,
    kinds: tuple[JobKind, ...] = ("log",),
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[FileJob]:
    """Newest first."""
    rows = await conn.fetch(
        f"select {_JOB} from file_job where party_id = $1"
        " and ($2::uuid[] is null or station_id in (select station_id from station where location_id = any ($2)))"
        " and kind = any($3) and ($4::text is null or station_id = $4)"
        " and ($5::timestamptz is null or (requested_at, job_id) < ($5, $6))"
        " order by requested_at desc, job_id desc limit $7",
        scope.party_id,
        scope.locations,
        list(kinds),
        station_id,
        *(after or (None, None)),
        limit,
    )
    return [FileJob(**row) for row in rows]


async def get_job(conn: Connection, party_id: UUID, job_id: UUID, kinds: tuple[JobKind, ...]) -> FileJob:
    row = await conn.fetchrow(
        f"select {_JOB} from file_job where party_id = $1 and job_id = $2 and kind = any($3)",
        party_id,
        job_id,
        list(kinds),
    )
    if row is None:
        raise NotFound(f"no {' or '.join(kinds)} job {job_id}")
    return FileJob(**row)


async def get_log(conn: Connection, party_id: UUID, job_id: UUID) -> LogView:
    job = await get_job(conn, party_id, job_id, ("log",))
    rows = await conn.fetch(
        "select position, path, size_bytes, is_text, sha256, note from log_member where job_id = $1 order by position",
        job_id,
    )
    fields: dict[str, Any] = msgspec.structs.asdict(job)
    return LogView(**fields, members=[Member(**row) for row in rows])


async def require_station(conn: Connection, party_id: UUID, station_id: str) -> None:
    """Raises NotFound unless the party has the station."""
    if not await conn.fetchval(
        "select exists (select from station where party_id = $1 and station_id = $2)", party_id, station_id
    ):
        raise NotFound(f"no station {station_id}")
