"""Rollouts: begun, stopped and taken up by people, carried on by the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import structs

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, OhmsteadError, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.stations.files import rollouts, store
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.model import FileJob, FirmwareRequest, Image, NewRollout, Place, Rollout, RolloutStatus
from ohmstead.stations.files.names import is_version, suits

log = logger("ohmstead.rollouts")

ANSWER_WITHIN_S = 60.0
_MAY: dict[RolloutStatus, tuple[RolloutStatus, ...]] = {
    "running": ("paused", "halted"),
    "paused": ("running",),
    "cancelled": ("running", "paused", "halted"),
}


async def create_rollout(conn: Connection, actor: Actor, given: NewRollout) -> Rollout:
    """Choose the stations and begin. Raises NotFound, Invalid, Refused."""
    image = await store.get_image(conn, actor.party_id, given.image_id)
    if image.stored_at is None or image.retired_at is not None:
        raise Refused("the firmware has no content yet, or was retired")
    _check(given)
    zone = given.time_zone or (await accounts.get_party(conn, actor.party_id)).time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("expected an IANA time zone, such as Europe/Amsterdam", "time_zone") from error
    now = clock.now()
    places = await _places(conn, actor, given, image, now)
    rollout = Rollout(
        rollout_id=new_id(),
        party_id=actor.party_id,
        image_id=given.image_id,
        name=given.name,
        status="running",
        waves=given.waves,
        wave=0,
        at_once=given.at_once,
        failure_limit_percent=given.failure_limit_percent,
        most_tries=given.most_tries,
        retry_after_s=given.retry_after_s,
        give_up_after_s=given.give_up_after_s,
        only_idle=given.only_idle,
        window_from=given.window_from,
        window_to=given.window_to,
        time_zone=zone,
        halted_because=None,
        created_at=now,
        created_by=actor.actor_id,
        updated_at=now,
    )
    await store.insert_rollout(conn, rollout, places)
    detail = {"name": given.name, "image_id": str(given.image_id), "n_stations": len(places)}
    await accounts.audit(conn, actor, "rollout.created", f"rollout/{rollout.rollout_id}", detail)
    return rollout


def _check(given: NewRollout) -> None:
    if given.waves != sorted(set(given.waves)) or given.waves[-1] != 100:
        raise Invalid("the shares rise, and the last is 100", "waves")
    if (given.window_from is None) != (given.window_to is None):
        raise Invalid("window_from and window_to belong together", "window_from")


async def _places(conn: Connection, actor: Actor, given: NewRollout, image: Image, now: datetime) -> list[Place]:
    wanted = given.stations
    found = await store.stations_like(conn, actor.party_id, wanted.station_ids, wanted.location_id)
    meant = [
        row
        for row in found
        if all(
            suits(
                vendor=row["vendor"],
                model=row["model"],
                version=row["firmware_version"],
                vendor_pattern=narrow.vendor,
                model_pattern=narrow.model,
                from_version=narrow.from_version,
            )
            for narrow in (image, wanted)
        )
        or is_version(row["firmware_version"], image.version)
    ]
    if not meant:
        raise Refused("no station is both chosen and meant by the firmware")
    todo = [row["station_id"] for row in meant if not is_version(row["firmware_version"], image.version)]
    done = [row["station_id"] for row in meant if is_version(row["firmware_version"], image.version)]
    placed = rollouts.split(todo, given.waves)
    return [Place(station_id=s, wave=wave, status="waiting", updated_at=now) for s, wave in placed] + [
        Place(station_id=s, wave=0, status="installed", detail="had it already", updated_at=now) for s in done
    ]


async def steer(conn: Connection, actor: Actor, rollout_id: UUID, status: RolloutStatus) -> Rollout:
    """Pause, go on, or cancel. Going on after a halt gives those that failed a new chance. Raises NotFound, Refused.

    What stations were told already they finish: nobody can call firmware back.
    """
    rollout = await store.get_rollout(conn, actor.party_id, rollout_id)
    if rollout.status == status:
        return rollout
    if rollout.status not in _MAY.get(status, ()):
        raise Refused(f"the rollout is {rollout.status}")
    now = clock.now()
    was = {"status": rollout.status, "halted_because": rollout.halted_because}
    if rollout.status == "halted" and status == "running":
        await store.release_places(conn, rollout_id, now)
    if status == "cancelled":
        await store.skip_places(conn, rollout_id, now)
    rollout = structs.replace(rollout, status=status, halted_because=None, updated_at=now)
    await store.save_rollout(conn, actor.party_id, rollout)
    after = {"status": rollout.status, "halted_because": rollout.halted_because}
    await accounts.audit(conn, actor, f"rollout.{status}", f"rollout/{rollout_id}", before=was, after=after)
    return rollout


class Campaigns:
    """The worker's part: round after round, what the state of each rollout asks for.

    Which stations are told is written before they are: a worker that dies in between leaves orders that the next round
    finds and, after a while, tries again.
    """

    def __init__(self, pool: Pool, desk: FileDesk) -> None:
        self._pool = pool
        self._desk = desk
        self._telling: set[asyncio.Task[None]] = set()

    async def round(self) -> None:
        """One look at every rollout that runs."""
        async with self._pool.acquire() as conn:
            running = await store.list_running(conn)
        for rollout_id in running:
            for job, image in await self._step(rollout_id):
                task = asyncio.create_task(self._tell(job, image))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    async def _step(self, rollout_id: UUID) -> list[tuple[FileJob, Image]]:
        async with self._pool.acquire() as conn, conn.transaction():
            rollout = await store.take_rollout(conn, rollout_id)
            if rollout is None:
                return []
            image = await store.get_image(conn, rollout.party_id, rollout.image_id)
            places = await store.list_places(conn, rollout.party_id, rollout_id)
            now = clock.now()
            step = rollouts.decide(rollout, image.version, places, now)
            if step.changes:
                await store.change_places(conn, rollout_id, step.changes, now)
            jobs = [await self._order(conn, rollout, image, p, now) for p in _named(places, step.told)]
            if (step.status, step.wave) != (rollout.status, rollout.wave):
                rollout = structs.replace(
                    rollout, status=step.status, wave=step.wave, halted_because=step.halted_because, updated_at=now
                )
                await store.save_rollout(conn, rollout.party_id, rollout)
            if step.changes or jobs or step.status != "running":
                await record(conn, [_fact(rollout)])
        return [(job, image) for job in jobs]

    async def _order(self, conn: Connection, rollout: Rollout, image: Image, place: Place, now: datetime) -> FileJob:
        given = FirmwareRequest(image_id=image.image_id)
        job = self._desk.new_firmware_job(
            rollout.party_id, f"rollout:{rollout.rollout_id}", place.station_id, image, place.firmware_version, given
        )
        job.rollout_id = rollout.rollout_id
        job = await store.insert_job(conn, job)
        await store.place_ordered(conn, rollout.rollout_id, place.station_id, job.job_id, now)
        return job

    async def _tell(self, job: FileJob, image: Image) -> None:
        assert job.rollout_id is not None
        try:
            order = await self._desk.firmware_order(job, image, FirmwareRequest(image_id=image.image_id))
            await self._desk.send(job, order, ANSWER_WITHIN_S)
        except OhmsteadError as error:
            log.info("station_not_told", station_id=job.station_id, reason=error.text)
        except Exception as error:  # noqa: BLE001  (the database may be away: the order counts as lost, and is tried again)
            log.warning("station_not_told", station_id=job.station_id, error=repr(error))
            return
        async with self._pool.acquire() as conn, conn.transaction():
            await store.place_answered(conn, job.rollout_id, job.job_id, clock.now())


def _named(places: Sequence[Place], station_ids: Sequence[str]) -> list[Place]:
    by_id = {place.station_id: place for place in places}
    return [by_id[station_id] for station_id in station_ids]


def _fact(rollout: Rollout) -> Event:
    kind = {"finished": "RolloutFinished", "halted": "RolloutHalted"}.get(rollout.status, "RolloutMoved")
    return Event(
        kind=kind,
        subject=f"rollout/{rollout.rollout_id}",
        party_id=rollout.party_id,
        payload={"rollout_id": str(rollout.rollout_id), "name": rollout.name, "status": rollout.status},
    )
