"""The worker: what happens after a message was answered, and what happens by the clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.adapters.certificates.est.adapter import EstSigner
from ohmstead.adapters.certificates.est.settings import EstSettings
from ohmstead.core import clock, events, jobs, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool, connect_one
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.sessions import gaps, starts
from ohmstead.sessions.autocharge import service as autocharge
from ohmstead.sessions.settling.service import settle
from ohmstead.settings import Settings
from ohmstead.stations import commands
from ohmstead.stations import service as stations
from ohmstead.stations.bulk import service as bulk
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.certificates import upgrades
from ohmstead.stations.certificates.authority import InternalAuthority
from ohmstead.stations.certificates.model import Kind
from ohmstead.stations.certificates.ports import Signer
from ohmstead.stations.certificates.vault import Vault
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.device import upkeep
from ohmstead.stations.quirks.book import book_at

log = logger("ohmstead.worker")

GATEWAY_SILENT_S = 20.0
PARTITIONS_EVERY_S = 60.0


async def run(
    settings: Settings,
    pool: Pool,
    bus: Bus,
    *,
    ask_after_s: float = gaps.FIRST_AFTER_S,
    gather_s: float = events.GATHER_S,
    runner: events.Runner | None = None,
    upkeep_every_s: float = 1.0,
) -> None:
    """All of it, until cancelled. Stations are asked about missing messages after `ask_after_s` seconds.

    `runner`: what runs the outbox's consumers, for who wants to know of them.
    """
    runner = runner or events.Runner(pool, bus, gather_s)
    runner.add("sessions.settle", _settle, ("SessionEnded", "SessionChanged", "OrphanRecorded"))
    runner.add("sessions.gaps", partial(gaps.notice, after_s=ask_after_s), ("SessionGapFound", "StationBooted"))
    runner.add("certificates.sign", certificates.enqueue_signing, ("CertificateRequested",))
    runner.add("certificates.upgrades", upgrades.go_on_after_certificate, ("CertificateDelivered",))
    runner.add("sessions.autocharge", autocharge.pair, ("SessionStarted",))
    desk = CommandDesk(pool, bus)
    signers = certificate_signers(settings, pool, bus)
    runner.add("stations.upkeep", partial(upkeep.notice, after_s=2 * upkeep_every_s), upkeep.KINDS)
    keeper = upkeep.Keeper(pool, bus, desk, settings.secret(), book_at(settings.quirks_dir))
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        group.create_task(_jobs(settings, pool, desk, signers))
        group.create_task(bulk.Runner(pool, bus).run())
        group.create_task(_every(5, "release_gateways", lambda: _release_gateways(pool)))
        group.create_task(keeper.run(upkeep_every_s))
        group.create_task(_every(5, "expire_commands", lambda: _expire_commands(pool)))
        group.create_task(_every(15, "undelivered_certificates", partial(certificates.follow_up, pool)))
        group.create_task(_every(300, "renew_certificates", partial(certificates.renew, pool, desk)))
        group.create_task(_every(300, "stuck_upgrades", partial(upgrades.give_up, pool)))
        group.create_task(_every(0.5, "remote_starts", lambda: starts.notice(pool)))
        group.create_task(_every(PARTITIONS_EVERY_S, "partitions", lambda: _partitions(pool)))


async def _settle(conn: Connection, found: list[Event]) -> None:
    await settle(conn, [UUID(event.payload["session_id"]) for event in found])


async def _jobs(settings: Settings, pool: Pool, desk: CommandDesk, signers: dict[Kind, Signer]) -> None:
    """Jobs and cron timers, on a connection of their own, anew whenever it is lost."""
    while True:
        try:
            assert settings.database_url is not None
            conn = await connect_one(settings.database_url, name="ohmstead-jobs", command_timeout_s=30)
            try:
                queue = jobs.Worker(conn)
                queue.on(gaps.JOB, lambda payload: gaps.ask(pool, desk, payload))
                queue.on(certificates.SIGN_JOB, partial(certificates.sign, pool, desk, signers))
                queue.on(upgrades.JOB, partial(upgrades.go_on, pool, desk))
                queue.every("retention", "23 3 * * *", lambda: _retention(settings, pool))
                await queue.run()
            finally:
                await conn.close(timeout=5)
        except Exception as error:  # noqa: BLE001  (the database may be away; jobs wait for it, they are not lost)
            log.warning("jobs_interrupted", error=repr(error))
        await asyncio.sleep(2)


def certificate_signers(settings: Settings, pool: Pool, bus: Bus) -> dict[Kind, Signer]:
    """Who signs what: our own authority, unless another one is configured."""
    ours = InternalAuthority(
        pool,
        bus,
        Vault(settings.secret()),
        valid_for=timedelta(days=settings.certificate_days),
        public_url=settings.public_url,
    )

    def signer(url: str | None) -> Signer:
        if url is None:
            return ours
        given = EstSettings(url=url, user=settings.est_user, password=settings.est_password, ca=settings.est_ca)
        return EstSigner(given)

    return {"station": signer(settings.est_url), "v2g": signer(settings.est_vehicle_url)}


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
                "variable_change": settings.status_retention_days,
                "device_event": settings.status_retention_days,
            },
        )
        await events.forget(conn, settings.message_retention_days)
        await accounts.drop_old_requests(conn)
    log.info("partitions_dropped", names=dropped)
