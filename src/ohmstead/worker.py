"""The worker: what happens after a message was answered, and what happens by the clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.approvals import service as approvals
from ohmstead.accounts.signin import service as signin
from ohmstead.adapters.certificates.est.adapter import EstSigner
from ohmstead.adapters.certificates.est.settings import EstSettings
from ohmstead.adapters.notify.carriers import carriers_of
from ohmstead.adapters.payments import providers_of, sandbox_of
from ohmstead.adapters.storage import storage_of
from ohmstead.adapters.webhooks.adapter import HttpPoster
from ohmstead.billing.cdrs import service as cdrs
from ohmstead.billing.holding import service as holding
from ohmstead.billing.incoming import debts as paid_debts
from ohmstead.billing.incoming import documents as paid_documents
from ohmstead.billing.incoming import reminding
from ohmstead.billing.invoices import runs as invoice_runs
from ohmstead.billing.invoices import sellers
from ohmstead.billing.invoices import service as documents
from ohmstead.billing.paying import covers as paid
from ohmstead.billing.paying import settling as paying_for
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.reconciling import service as reconciling
from ohmstead.billing.payments.runner import Runner as PaymentRunner
from ohmstead.billing.payments.settlements import Settlements
from ohmstead.billing.payments.webhooks import service as payment_webhooks
from ohmstead.billing.plans import service as plans
from ohmstead.billing.wallets import topping
from ohmstead.core import clock, events, jobs, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool, connect_one
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.drivers import erasing as drivers
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.signin import service as driver_signin
from ohmstead.facts.catalogue import KINDS
from ohmstead.notifications import enclosing, noticing, places
from ohmstead.notifications import running as running_sessions
from ohmstead.notifications import service as notifications
from ohmstead.notifications.delivering import Deliverer as MessageDeliverer
from ohmstead.reports import census
from ohmstead.reports.usage import service as usage
from ohmstead.reservations import changes, telling
from ohmstead.reservations import service as reservations
from ohmstead.sessions import gaps, starts
from ohmstead.sessions.autocharge import service as autocharge
from ohmstead.sessions.costs import Costs, Covers
from ohmstead.sessions.covers import service as covering
from ohmstead.sessions.payments import settling as paying
from ohmstead.sessions.payments.ports import PaymentProvider
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing import simulating, watching
from ohmstead.sessions.reserving import note_use
from ohmstead.sessions.settling.service import settle
from ohmstead.sessions.telling import service as telling_costs
from ohmstead.settings import Settings
from ohmstead.smartcharging import planning
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.checking import service as checks
from ohmstead.smartcharging.defaults import service as safe_limits
from ohmstead.stations import commands
from ohmstead.stations import service as stations
from ohmstead.stations.bulk import service as bulk
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.certificates import upgrades
from ohmstead.stations.certificates.authority import InternalAuthority
from ohmstead.stations.certificates.model import Use
from ohmstead.stations.certificates.ports import Signer
from ohmstead.stations.certificates.vault import Vault
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.device import upkeep
from ohmstead.stations.files import service as files
from ohmstead.stations.files.addresses import Guard
from ohmstead.stations.files.campaigns import Campaigns
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.links import FtpSide, Links
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import Spool
from ohmstead.stations.files.unpacking import Limits
from ohmstead.stations.files.versions import ask_versions
from ohmstead.stations.quirks.book import book_at
from ohmstead.webhooks import service as webhooks
from ohmstead.webhooks.delivering import Deliverer
from ohmstead.webhooks.vault import Vault as WebhookVault

log = logger("ohmstead.worker")

GATEWAY_SILENT_S = 20.0
PARTITIONS_EVERY_S = 60.0
ROLLOUTS_EVERY_S = 5.0
COSTS_EVERY_S = 5.0
COVERS_EVERY_S = 2.0
COSTS_TOLD_EVERY_S = 15.0
USAGE_EVERY_S = 10.0
SANDBOX_EVERY_S = 0.5


async def run(
    settings: Settings,
    pool: Pool,
    bus: Bus,
    *,
    ask_after_s: float = gaps.FIRST_AFTER_S,
    gather_s: float = events.GATHER_S,
    upkeep_every_s: float = 1.0,
    rollouts_every_s: float = ROLLOUTS_EVERY_S,
    runner: events.Runner | None = None,
    costs: Costs | None = None,
    covers: Covers | None = None,
    provider: PaymentProvider | None = None,
) -> None:
    """All of it, until cancelled. Stations are asked about missing messages after `ask_after_s` seconds.

    `runner`: what runs the outbox's consumers, for who wants to know of them. `costs`: whoever knows what sessions cost;
    stations are told nothing of costs without. `covers`: whoever knows how far sessions are paid for. `provider`: who holds
    drivers' payments; with costs known, those that are ours to settle are.
    """
    runner = runner or events.Runner(pool, bus, gather_s)
    for consumer, handle, kinds in _consumers(ask_after_s, upkeep_every_s):
        runner.add(consumer, handle, kinds)
    if costs is not None:
        runner.add("sessions.costs", telling_costs.notice_end, ("SessionSettled",))
    if costs is not None and provider is not None:
        runner.add("sessions.payments", paying.notice_end, ("SessionSettled",))
    ftp = FtpSide(settings.ftp_reached_at, settings.ftp_port, settings.ftps_port)
    links = Links(settings.files_base_url, settings.secret(), ftp)
    book = book_at(settings.quirks_dir)
    desk = CommandDesk(pool, bus, Guard(links.ours, settings.file_hosts), book)
    keeper = upkeep.Keeper(
        pool,
        bus,
        desk,
        settings.secret(),
        book,
        {safe_limits.DUTY: partial(safe_limits.reconcile, pool, desk), checks.DUTY: partial(checks.check, pool, desk)},
    )
    sandbox = sandbox_of(settings, pool)
    providers = providers_of(settings, pool, sandbox)
    if provider is None and providers.names:
        provider = Settlements(pool, providers)
    campaigns = Campaigns(pool, FileDesk(pool, desk, links, settings.file_link_s, book, settings.firmware_signers))
    timers: tuple[tuple[float, str, Callable[[], Awaitable[object]]], ...] = (
        (0.5, "remote_starts", partial(starts.notice, pool)),
        (2, "reservations", partial(_pass_reservations, pool, desk)),
        (5, "release_gateways", partial(_release_gateways, pool)),
        (5, "expire_commands", partial(_expire_commands, pool)),
        (15, "undelivered_certificates", partial(certificates.follow_up, pool)),
        (300, "renew_certificates", partial(certificates.renew, pool, desk)),
        (300, "stuck_upgrades", partial(upgrades.give_up, pool)),
        (rollouts_every_s, "rollouts", campaigns.round),
        (30, "firmware_versions", partial(ask_versions, pool, desk)),
        (USAGE_EVERY_S, "usage", partial(usage.fill, pool)),
        *_about_money(pool),
        (PARTITIONS_EVERY_S, "partitions", partial(_partitions, pool)),
        (running_sessions.EVERY_S, "running_sessions", running_sessions.Watcher(pool).look),
        (places.PLUGS_EVERY_S, "free_plugs", partial(places.tell_free, pool)),
        (places.STATIONS_EVERY_S, "outages", partial(places.tell_outages, pool)),
        (60, "secrets", partial(notifications.forget_secrets, pool)),
        (census.EVERY_S, "census", partial(census.take, pool, runner.kinds)),
    )
    if sandbox is not None:
        timers += (
            (SANDBOX_EVERY_S, "sandbox", partial(sandbox.deliver, partial(payment_webhooks.take, pool, providers))),
        )
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        group.create_task(_jobs(settings, pool, bus, desk, costs, provider))
        group.create_task(PaymentRunner(pool, providers, desk).run(closes=True))
        group.create_task(bulk.Runner(pool, bus).run())
        group.create_task(keeper.run(upkeep_every_s))
        group.create_task(_deliverer(settings, pool).run())
        group.create_task(_messages(settings, pool).run())
        for seconds, name, work in timers:
            group.create_task(_every(seconds, name, work))
        if costs is not None:
            for seconds, name, work in _about_costs(pool, bus, desk, costs, covers):
                group.create_task(_every(seconds, name, work))


def _about_money(pool: Pool) -> tuple[tuple[float, str, Callable[[], Awaitable[object]]], ...]:
    return (
        (60, "holds", partial(holding.tidy_up, pool)),
        (300, "plan_fees", partial(plans.charge_all, pool)),
        (reminding.EVERY_S, "invoice_reminders", partial(reminding.remind_all, pool)),
    )


def _about_costs(
    pool: Pool, bus: Bus, desk: CommandDesk, costs: Costs, covers: Covers | None
) -> tuple[tuple[float, str, Callable[[], Awaitable[object]]], ...]:
    return (
        (COSTS_EVERY_S, "costs", partial(watching.look, pool, bus, costs)),
        (COSTS_TOLD_EVERY_S, "tell_costs", partial(telling_costs.tell_running, pool, desk)),
        (COVERS_EVERY_S, "covers", covering.Watch(pool, covers).look),
        (COVERS_EVERY_S, "stops", partial(covering.stop_due, pool, desk, covers)),
    )


def _deliverer(settings: Settings, pool: Pool) -> Deliverer:
    timeout_s = settings.webhook_timeout_s
    poster = HttpPoster(settings.webhook_hosts, timeout_s)
    return Deliverer(pool, poster, WebhookVault(settings.secret()), timeout_s=timeout_s)


def _messages(settings: Settings, pool: Pool) -> MessageDeliverer:
    return MessageDeliverer(
        pool,
        carriers_of(settings, pool),
        secret=settings.secret(),
        base_url=settings.console_url,
        filer=enclosing.file_of,
    )


def _consumers(ask_after_s: float, upkeep_every_s: float) -> tuple[tuple[str, events.Consumer, tuple[str, ...]], ...]:
    """Who reads the outbox: the name of each, what it does, and of which facts it hears."""
    return (
        ("sessions.settle", _settle, ("SessionEnded", "SessionChanged", "OrphanRecorded")),
        ("sessions.gaps", partial(gaps.notice, after_s=ask_after_s), ("SessionGapFound", "StationBooted")),
        ("sessions.autocharge", autocharge.pair, ("SessionStarted",)),
        ("sessions.tariffs", prices.note_start, ("SessionStarted",)),
        ("billing.cdrs", cdrs.notice_settled, ("SessionSettled",)),
        ("billing.erasing", cdrs.notice_erased, ("DriverErased",)),
        ("paying.covers", paid.note_starts, ("SessionStarted",)),
        ("paying.cdrs", paying_for.notice_cdrs, ("CdrCreated", "CdrCredited")),
        ("paying.settlements", paying_for.notice_settlements, ("PaymentSettled",)),
        ("paying.fees", paying_for.notice_fees, ("PlanCharged",)),
        ("paying.wallets", topping.notice_payments, topping.KINDS),
        ("paying.erasing", paying_for.notice_erased, ("DriverErased",)),
        ("invoices.credits", documents.notice_credited, ("CdrCredited",)),
        ("invoices.receipts", documents.notice_created, ("CdrCreated",)),
        ("invoices.payments", documents.notice_captured, ("PaymentCaptured", "DebtOpened")),
        ("incoming.payments", paid_documents.notice_payments, paid_documents.KINDS),
        ("incoming.debts", paid_debts.notice_paid, ("InvoicePaid",)),
        ("invoices.erasing", sellers.notice_erased, ("DriverErased",)),
        ("billing.payments", payments.notice_cdrs, ("CdrCreated", "CdrCredited")),
        ("billing.guests", payments.notice_sessions, ("SessionStarted", "SessionEnded")),
        ("stations.upkeep", partial(upkeep.notice, after_s=2 * upkeep_every_s), upkeep.KINDS),
        ("certificates.sign", certificates.enqueue_signing, ("CertificateRequested",)),
        ("certificates.upgrades", upgrades.go_on_after_certificate, ("CertificateDelivered",)),
        ("files.booted", files.booted, ("StationBooted",)),
        ("reservations", _reservations, ("CommandAnswered", "SessionStarted")),
        ("smartcharging.safe_limits", safe_limits.notice, safe_limits.KINDS),
        ("smartcharging", smartcharging.follow, smartcharging.KINDS),
        (usage.CONSUMER, usage.notice, usage.KINDS),
        ("notifications", noticing.notice, noticing.KINDS),
        ("drivers.erasing", drivers.notice_erased, ("DriverErased",)),
        ("notifications.erasing", notifications.forget_drivers, ("DriverErased",)),
        ("notifications.browsers", notifications.forget_browsers, ("DriverChanged",)),
        ("webhooks", webhooks.enqueue, tuple(KINDS)),
    )


async def _settle(conn: Connection, found: list[Event]) -> None:
    await settle(conn, [UUID(event.payload["session_id"]) for event in found])


async def _reservations(conn: Connection, found: list[Event]) -> None:
    await reservations.learn(conn, [event.payload for event in found if event.kind == "CommandAnswered"])
    await note_use(conn, [event for event in found if event.kind == "SessionStarted"])


async def _pass_reservations(pool: Pool, desk: CommandDesk) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await reservations.pass_time(conn, clock.now())
    await telling.tell_due(pool, desk)
    await telling.tell_changes(pool, desk)


async def _jobs(
    settings: Settings,
    pool: Pool,
    bus: Bus,
    desk: CommandDesk,
    costs: Costs | None,
    provider: PaymentProvider | None,
) -> None:
    """Jobs and cron timers, on a connection of their own, anew whenever it is lost."""
    signers = certificate_signers(settings, pool, bus)
    storage = storage_of(settings)
    while True:
        try:
            assert settings.database_url is not None
            conn = await connect_one(settings.database_url, name="ohmstead-jobs", command_timeout_s=30)
            try:
                queue = jobs.Worker(conn)
                queue.on(gaps.JOB, lambda payload: gaps.ask(pool, desk, payload))
                queue.on(certificates.SIGN_JOB, partial(certificates.sign, pool, desk, signers))
                queue.on(upgrades.JOB, partial(upgrades.go_on, pool, desk))
                queue.on(files.UNPACK, lambda payload: _unpack(settings, pool, storage, payload))
                queue.on(reservations.TELL_JOB, lambda payload: telling.tell(pool, desk, payload))
                queue.on(changes.CHANGE_JOB, lambda payload: telling.tell_change(pool, desk, payload))
                queue.on(reservations.LET_GO_JOB, lambda payload: telling.let_go(pool, desk, payload))
                queue.on(
                    smartcharging.PLAN_JOB,
                    lambda payload: planning.answer_needs(pool, desk, payload, shape=settings.charging_plan),
                )
                queue.on(
                    planning.REVIEW_JOB,
                    lambda payload: planning.review(pool, desk, payload, shape=settings.charging_plan),
                )
                queue.on(simulating.JOB, partial(simulating.run, pool))
                queue.on(documents.RECEIPT_JOB, partial(documents.run_receipt, pool))
                queue.on(invoice_runs.JOB, partial(invoice_runs.run, pool))
                if costs is not None:
                    queue.on(telling_costs.FINAL_JOB, partial(telling_costs.tell_final, pool, desk, costs))
                if costs is not None and provider is not None:
                    queue.on(paying.JOB, partial(paying.settle, pool, provider, costs))
                queue.every("retention", "23 3 * * *", lambda: _retention(settings, pool))
                queue.every("reconcile", "13 4 * * *", lambda: _reconcile(settings, pool))
                queue.every("old_logs", "43 3 * * *", lambda: _drop_old_logs(settings, pool, storage))
                await queue.run()
            finally:
                await conn.close(timeout=5)
        except Exception as error:  # noqa: BLE001  (the database may be away; jobs wait for it, they are not lost)
            log.warning("jobs_interrupted", error=repr(error))
        await asyncio.sleep(2)


def certificate_signers(settings: Settings, pool: Pool, bus: Bus) -> dict[Use, Signer]:
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

    stations, vehicles = signer(settings.est_url), signer(settings.est_vehicle_url)
    return {"station": stations, "combined": stations, "v2g": vehicles, "v2g20": vehicles}


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


async def _reconcile(settings: Settings, pool: Pool) -> None:
    providers = providers_of(settings, pool)
    try:
        log.info("payments_reconciled", differences=await reconciling.reconcile(pool, providers))
    finally:
        await providers.close()


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
                "variable_change": settings.status_retention_days,
                "device_event": settings.status_retention_days,
            },
        )
        await events.forget(conn, settings.message_retention_days)
        await accounts.drop_old_requests(conn)
        now = clock.now()
        await signin.drop_old(conn, now - timedelta(days=2), now - timedelta(days=settings.sign_in_retention_days))
        await approvals.forget_parameters(conn, now)
        await driver_signin.drop_old(conn)
        await phones.drop_old(conn)
        await payments.forget_tokens(conn)
    await payment_webhooks.forget_old(pool)
    n_records = await stations.forget_records(pool, settings.record_retention_days)
    n_signals = await stations.forget_signals(pool, settings.signal_retention_days)
    log.info("partitions_dropped", names=dropped, n_records=n_records, n_signals=n_signals)
    async with pool.acquire() as conn:
        await webhooks.drop_old(conn)
        await notifications.drop_old(conn)
