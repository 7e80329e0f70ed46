"""The worker: what happens after a message was answered, and what happens by the clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.core import clock, events, jobs, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool, connect_one
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.reservations import service as reservations
from ohmstead.reservations import telling
from ohmstead.sessions import gaps, starts
from ohmstead.sessions.costs import Costs
from ohmstead.sessions.reserving import note_use
from ohmstead.sessions.settling.service import settle
from ohmstead.sessions.telling import service as telling_costs
from ohmstead.settings import Settings
from ohmstead.smartcharging import planning
from ohmstead.smartcharging import service as smartcharging
from ohmstead.stations import commands
from ohmstead.stations import service as stations
from ohmstead.stations.bulk import service as bulk
from ohmstead.stations.commands import CommandDesk

log = logger("ohmstead.worker")

GATEWAY_SILENT_S = 20.0
PARTITIONS_EVERY_S = 60.0
COSTS_EVERY_S = 15.0


async def run(
    settings: Settings,
    pool: Pool,
    bus: Bus,
    *,
    ask_after_s: float = gaps.FIRST_AFTER_S,
    gather_s: float = events.GATHER_S,
    runner: events.Runner | None = None,
    costs: Costs | None = None,
) -> None:
    """All of it, until cancelled. Stations are asked about missing messages after `ask_after_s` seconds.

    `runner`: what runs the outbox's consumers, for who wants to know of them.
    `costs`: whoever knows what sessions cost; stations are told nothing of costs without.
    """
    runner = runner or events.Runner(pool, bus, gather_s)
    runner.add("sessions.settle", _settle, ("SessionEnded", "SessionChanged", "OrphanRecorded"))
    runner.add("sessions.gaps", partial(gaps.notice, after_s=ask_after_s), ("SessionGapFound", "StationBooted"))
    runner.add("reservations", _reservations, ("CommandAnswered", "SessionStarted"))
    runner.add("smartcharging", smartcharging.follow, ("CommandAnswered", "ChargingNeedsReported", "SessionEnded"))
    if costs is not None:
        runner.add("sessions.costs", telling_costs.notice_end, ("SessionSettled",))
    desk = CommandDesk(pool, bus)
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        group.create_task(_jobs(settings, pool, desk, costs))
        group.create_task(bulk.Runner(pool, bus).run())
        group.create_task(_every(5, "release_gateways", lambda: _release_gateways(pool)))
        group.create_task(_every(5, "expire_commands", lambda: _expire_commands(pool)))
        group.create_task(_every(0.5, "remote_starts", lambda: starts.notice(pool)))
        group.create_task(_every(2, "reservations", lambda: _pass_reservations(pool, desk)))
        if costs is not None:
            group.create_task(_every(COSTS_EVERY_S, "costs", partial(telling_costs.tell_running, pool, desk, costs)))
        group.create_task(_every(PARTITIONS_EVERY_S, "partitions", lambda: _partitions(pool)))


async def _settle(conn: Connection, found: list[Event]) -> None:
    await settle(conn, [UUID(event.payload["session_id"]) for event in found])


async def _reservations(conn: Connection, found: list[Event]) -> None:
    await reservations.learn(conn, [event.payload for event in found if event.kind == "CommandAnswered"])
    await note_use(conn, [event for event in found if event.kind == "SessionStarted"])


async def _pass_reservations(pool: Pool, desk: CommandDesk) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await reservations.pass_time(conn, clock.now())
    await telling.tell_due(pool, desk)


async def _jobs(settings: Settings, pool: Pool, desk: CommandDesk, costs: Costs | None) -> None:
    """Jobs and cron timers, on a connection of their own, anew whenever it is lost."""
    while True:
        try:
            assert settings.database_url is not None
            conn = await connect_one(settings.database_url, name="ohmstead-jobs", command_timeout_s=30)
            try:
                queue = jobs.Worker(conn)
                queue.on(gaps.JOB, lambda payload: gaps.ask(pool, desk, payload))
                queue.on(reservations.TELL_JOB, lambda payload: telling.tell(pool, desk, payload))
                queue.on(reservations.LET_GO_JOB, lambda payload: telling.let_go(pool, desk, payload))
                queue.on(
                    smartcharging.PLAN_JOB,
                    lambda payload: planning.answer_needs(pool, desk, payload, shape=settings.charging_plan),
                )
                if costs is not None:
                    queue.on(telling_costs.FINAL_JOB, partial(telling_costs.tell_final, pool, desk, costs))
                queue.every("retention", "23 3 * * *", lambda: _retention(settings, pool))
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
