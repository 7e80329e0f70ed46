"""The worker: what happens after a message was answered, and what happens by the clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.adapters.storage import storage_of
from ohmstead.core import clock, events, jobs, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool, connect_one
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.sessions import gaps, starts
from ohmstead.sessions.settling.service import settle
from ohmstead.settings import Settings
from ohmstead.stations import commands
from ohmstead.stations import service as stations
from ohmstead.stations.bulk import service as bulk
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.files import service as files
from ohmstead.stations.files.addresses import Guard
from ohmstead.stations.files.campaigns import Campaigns
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.links import Links
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import Spool
from ohmstead.stations.files.unpacking import Limits
from ohmstead.stations.files.versions import ask_versions

log = logger("ohmstead.worker")

GATEWAY_SILENT_S = 20.0
PARTITIONS_EVERY_S = 60.0
ROLLOUTS_EVERY_S = 5.0


async def run(
    settings: Settings,
    pool: Pool,
    bus: Bus,
    *,
    ask_after_s: float = gaps.FIRST_AFTER_S,
    gather_s: float = events.GATHER_S,
    rollouts_every_s: float = ROLLOUTS_EVERY_S,
    runner: events.Runner | None = None,
) -> None:
    """All of it, until cancelled. Stations are asked about missing messages after `ask_after_s` seconds.

    `runner`: what runs the outbox's consumers, for who wants to know of them.
    """
    links = Links(settings.files_base_url, settings.secret())
    storage = storage_of(settings)
    runner = runner or events.Runner(pool, bus, gather_s)
    for consumer, handle, kinds in _consumers(ask_after_s):
        runner.add(consumer, handle, kinds)
    desk = CommandDesk(pool, bus, Guard(links.ours, settings.file_hosts))
    campaigns = Campaigns(pool, FileDesk(pool, desk, links, settings.file_link_s))
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        group.create_task(_jobs(settings, pool, desk, storage))
        group.create_task(bulk.Runner(pool, bus).run())
        group.create_task(_every(5, "release_gateways", lambda: _release_gateways(pool)))
        group.create_task(_every(5, "expire_commands", lambda: _expire_commands(pool)))
        group.create_task(_every(0.5, "remote_starts", lambda: starts.notice(pool)))
        group.create_task(_every(rollouts_every_s, "rollouts", campaigns.round))
        group.create_task(_every(30, "firmware_versions", lambda: ask_versions(pool, desk)))
        group.create_task(_every(PARTITIONS_EVERY_S, "partitions", lambda: _partitions(pool)))


def _consumers(ask_after_s: float) -> tuple[tuple[str, events.Consumer, tuple[str, ...]], ...]:
    """Who reads the outbox: the name of each, what it does, and of which facts it hears."""
    return (
        ("sessions.settle", _settle, ("SessionEnded", "SessionChanged", "OrphanRecorded")),
        ("sessions.gaps", partial(gaps.notice, after_s=ask_after_s), ("SessionGapFound", "StationBooted")),
        ("files.booted", files.booted, ("StationBooted",)),
    )


async def _settle(conn: Connection, found: list[Event]) -> None:
    await settle(conn, [UUID(event.payload["session_id"]) for event in found])


async def _jobs(settings: Settings, pool: Pool, desk: CommandDesk, storage: Storage) -> None:
    """Jobs and cron timers, on a connection of their own, anew whenever it is lost."""
    while True:
        try:
            assert settings.database_url is not None
            conn = await connect_one(settings.database_url, name="ohmstead-jobs", command_timeout_s=30)
            try:
                queue = jobs.Worker(conn)
                queue.on(gaps.JOB, lambda payload: gaps.ask(pool, desk, payload))
                queue.on(files.UNPACK, lambda payload: _unpack(settings, pool, storage, payload))
                queue.every("retention", "23 3 * * *", lambda: _retention(settings, pool))
                queue.every("old_logs", "43 3 * * *", lambda: _drop_old_logs(settings, pool, storage))
                await queue.run()
            finally:
                await conn.close(timeout=5)
        except Exception as error:  # noqa: BLE001  (the database may be away; jobs wait for it, they are not lost)
            log.warning("jobs_interrupted", error=repr(error))
        await asyncio.sleep(2)


async def _every(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Again and again, about every so many seconds: several workers, or a worker and what it looks at, fall into no step."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  (the next round tries again)
            log.warning("timer_failed", timer=name, error=repr(error))
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311  (no secret)


async def _release_gateways(pool: Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        released = await stations.release_gateways(conn, None, GATEWAY_SILENT_S)
    if released:
        log.warning("gateway_lost", stations=released)


async def _expire_commands(pool: Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await commands.expire(conn, clock.now())


async def _partitions(pool: Pool) -> None:
    async with pool.acquire() as conn:
        made = await migrations.ensure_partitions(conn)
    if made:
        log.info("partitions_made", n=made)


async def _unpack(settings: Settings, pool: Pool, storage: Storage, payload: dict[str, str]) -> None:
    spool, limits = Spool(settings.data_dir / "incoming"), Limits(most_bytes=settings.max_unpacked_bytes)
    await files.unpack_log(pool, storage, spool, limits, UUID(payload["job_id"]))


async def _drop_old_logs(settings: Settings, pool: Pool, storage: Storage) -> None:
    dropped = await files.drop_old_logs(pool, storage, settings.log_retention_days)
    log.info("old_logs_dropped", n=dropped)


async def _retention(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        dropped = await migrations.drop_expired(
            conn,
            {
                "ocpp_message": settings.message_retention_days,
                "sample": settings.sample_retention_days,
                "status_change": settings.status_retention_days,
                "connection_change": settings.status_retention_days,
            },
        )
        await events.forget(conn, settings.message_retention_days)
        await accounts.drop_old_requests(conn)
    log.info("partitions_dropped", names=dropped)
