"""The composition root: settings → pool and bus → the three roles. The one file that knows everybody.

Each role imports what only it needs when it starts: the others start sooner.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote
from uuid import UUID

import asyncpg
import msgspec
from aiohttp import web as aiohttp_web
from msgspec import structs

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.audit import queries as audit_log
from ohmstead.accounts.audit import service as audit
from ohmstead.accounts.audit.chain import anchor_of
from ohmstead.accounts.parties import service as parties
from ohmstead.accounts.parties.model import NewParty, PartyView
from ohmstead.billing import verifying as books
from ohmstead.billing.cdrs import service as cdrs
from ohmstead.billing.cdrs.queries import list_owners
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.model import LedgerLock
from ohmstead.billing.ledger.queries import list_books
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.core import clock, events, health, metrics, migrations, tracing
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool, connect_one, connect_pool
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.health import Watch
from ohmstead.core.log import logger
from ohmstead.core.validation import fault_of
from ohmstead.reports.revenue import service as revenue
from ohmstead.reports.usage import service as usage
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.settings import Settings
from ohmstead.stations.certificates import servers
from ohmstead.stations.certificates.authority import InternalAuthority
from ohmstead.stations.certificates.model import KeyKind
from ohmstead.stations.certificates.servers import Written
from ohmstead.stations.certificates.vault import Vault

if TYPE_CHECKING:
    from ohmstead.ocpp.inquiries import Inquiries

log = logger("ohmstead.app")

# Stations wait behind the gateway's statements, and none of those is long: a database that stalls is told to them soon.
_COMMAND_TIMEOUT_S = {"gateway": 8.0, "web": 30.0, "worker": 30.0}
# What is left of the energy in a driver's plan is read so often while they charge, not with every reading of the meter.
PLANS_AGAIN_S = 60.0
DEMO_KEY_NAME = "Demo simulator"
DEMO_SCOPES = (
    "stations:read",
    "stations:write",
    "tokens:read",
    "tokens:write",
    "commands:send",
    "firmware:write",
    "reservations:write",
    "drivers:read",
    "drivers:write",
    "tariffs:read",
    "billing:read",
    "billing:write",
)


async def migrate(settings: Settings) -> list[str]:
    """Bring the database up to date; the names of what was applied."""
    return await migrations.migrate(_required(settings.database_url))


async def run_gateway(settings: Settings) -> None:
    """Stations' sockets, until SIGTERM or SIGINT; then they are let go politely."""
    from ohmstead.billing.paying.covers import CoverTerms
    from ohmstead.ocpp.gateway import Gateway

    async with contextlib.AsyncExitStack() as stack:
        pool, bus = await stack.enter_async_context(_deps(settings, "gateway"))
        costs = TariffCosts(PlanPayers(again_s=PLANS_AGAIN_S), looks_up=False)
        gateway = Gateway(settings, pool, bus, costs=costs, terms=CoverTerms(), inquiries=_inquiries(settings, pool))
        watch = Watch(pool, bus, (health.Load(),))
        await stack.enter_async_context(_watched(settings.metrics_gateway_port, watch, lambda: gateway.is_draining))
        stations = gateway.runner()
        await stations.setup()
        serving = asyncio.create_task(gateway.run())
        try:
            sites = [aiohttp_web.TCPSite(stations, settings.gateway_host, settings.gateway_port, backlog=4096)]
            context = gateway.ssl_context()
            if context is not None:
                sites.append(
                    aiohttp_web.TCPSite(
                        stations, settings.gateway_host, settings.gateway_tls_port, ssl_context=context, backlog=4096
                    )
                )
            for site in sites:
                await site.start()
            if settings.unknown_stations == "accept":
                log.warning(
                    "every_station_is_let_in",
                    meaning="OHMSTEAD_UNKNOWN_STATIONS=accept: whoever connects is served. For laboratories only.",
                )
            _calm_collector()
            log.info("gateway_ready", port=settings.gateway_port, tls=settings.gateway_tls_port if context else None)
            await _until_told(serving)
            log.info("draining", within_s=settings.drain_s)
            for site in sites:
                await site.stop()
            await gateway.drain(settings.drain_s)
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            await stations.cleanup()


def _inquiries(settings: Settings, pool: Pool) -> Inquiries:
    """Whom the gateway asks outside while a station waits."""
    from ohmstead.adapters.crl.adapter import HttpLists
    from ohmstead.adapters.ocsp.adapter import HttpResponders
    from ohmstead.adapters.pnc.adapter import HttpPool
    from ohmstead.adapters.pnc.settings import PoolSettings
    from ohmstead.adapters.vat.adapter import HttpVatRegister
    from ohmstead.ocpp.inquiries import Inquiries

    ev_pool = None
    if settings.pnc_pool_url is not None:
        ev_pool = HttpPool(PoolSettings(url=settings.pnc_pool_url, token=settings.pnc_pool_token))
    vat_register = HttpVatRegister(settings.vat_register_url) if settings.vat_register_url else None
    lists = HttpLists(settings.crl_hosts) if settings.crl_hosts else None
    return Inquiries(pool, HttpResponders(settings.ocsp_hosts), ev_pool, vat_register, lists)


async def run_web(settings: Settings) -> None:
    """REST API and console, until SIGTERM or SIGINT."""
    import uvicorn

    from ohmstead.ocpp import tls
    from ohmstead.web import create_web, ftp_door

    class Server(uvicorn.Server):
        # uvicorn's own would raise the signal again after its polite end: the process would end by it, pool and all.
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    async with _deps(settings, "web") as (pool, bus), _looking(watch := Watch(pool, bus)):
        app = create_web(settings, pool, bus, watch)
        config = uvicorn.Config(
            app,
            host=settings.web_host,
            port=settings.web_port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, settings.drain_s),
            http="httptools",
            ws="none",
            loop="none",
        )
        server = Server(config)
        # Stations that come for files show no certificate: what they sign in with is the job's own.
        plain = structs.replace(settings, tls_client_ca=None, tls_client_crl=None)
        async with ftp_door(settings, pool, app, partial(tls.build_context, plain)).opened():
            serving = asyncio.create_task(server.serve())
            await _until_told(serving)
            server.should_exit = True
            await serving


async def run_worker(settings: Settings) -> None:
    """Consumers, jobs, timers and control loops, until SIGTERM or SIGINT."""
    from ohmstead import worker
    from ohmstead.billing.paying.limits import CoverLimits

    async with (
        _deps(settings, "worker") as (pool, bus),
        _watched(settings.worker_health_port, Watch(pool, bus)),
    ):
        working = asyncio.create_task(
            worker.run(settings, pool, bus, costs=TariffCosts(PlanPayers(again_s=PLANS_AGAIN_S)), covers=CoverLimits())
        )
        try:
            _calm_collector()
            log.info("worker_ready")
            await _until_told(working)
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working


async def first_sign_in_link(settings: Settings) -> str | None:
    """The address that signs the first owner in, once; None when somebody has signed in before."""
    async with _connection(settings) as conn, conn.transaction():
        operator = await accounts.ensure_first_operator(conn, currency=settings.currency, time_zone=settings.time_zone)
        if await accounts.has_signed_in(conn, operator.operator_id):
            return None
        return _link(settings, await accounts.new_sign_in_link(conn, operator.operator_id))


async def new_sign_in_link(settings: Settings) -> str:
    """Another one-time address for the first owner: whoever may run this command owns the machine."""
    async with _connection(settings) as conn, conn.transaction():
        operator = await accounts.ensure_first_operator(conn, currency=settings.currency, time_zone=settings.time_zone)
        return _link(settings, await accounts.new_sign_in_link(conn, operator.operator_id))


async def list_parties(settings: Settings) -> list[PartyView]:
    """All parties, the one that runs the installation first."""
    async with _connection(settings) as conn:
        return await parties.list_parties(conn)


async def new_party(
    settings: Settings, name: str, code: str, kind: str, owner: str, email: str | None
) -> tuple[PartyView, str | None]:
    """A party, and the address that lets its first owner in. Raises Invalid and Conflict."""
    country, _, own = code.upper().partition("-")
    given: dict[str, object] = {"name": name, "kind": kind, "country_code": country, "party_code": own}
    given |= {"currency": settings.currency, "time_zone": settings.time_zone}
    if email is not None:
        given |= {"owner_name": owner, "owner_email": email}
    try:
        wanted = msgspec.convert(given, NewParty)
    except msgspec.ValidationError as error:
        field, text = fault_of(error)
        raise Invalid(f"{field}: {text}", field=field) from error
    async with _connection(settings) as conn, conn.transaction():
        first = await accounts.ensure_first_operator(conn, currency=settings.currency, time_zone=settings.time_zone)
        made, _, secret = await parties.create(conn, access.system(first.party_id), wanted)
    return made, _link(settings, secret) if secret else None


async def rebuild_reports(settings: Settings) -> int:
    """Drop the sums of the reports and count all sessions and CDRs anew; gives how many sessions it looked at.

    Broken off, or beside a worker that does the same, it is gone on with by the worker.
    """
    pool = await connect_pool(_required(settings.database_url), size=1, name="ohmstead-reports")
    try:
        async with pool.acquire() as conn, conn.transaction():
            await revenue.count_anew(conn)
        async with pool.acquire() as conn, conn.transaction():
            await events.begin(conn, usage.CONSUMER)
            await usage.forget(conn)
        return await usage.fill(pool)
    finally:
        await pool.close()


async def server_certificate(
    settings: Settings, names: Sequence[str], directory: Path, *, is_rsa: bool, days: int, ahead_days: int
) -> tuple[Written, UUID, str]:
    """Files with a server certificate of our own authority; and its root, which stations have to trust: id and PEM."""
    kind: KeyKind = "RSA" if is_rsa else "EC"
    pool = await connect_pool(_required(settings.database_url), size=1, name="ohmstead-certificate")
    try:
        authority = InternalAuthority(pool, None, Vault(settings.secret()), valid_for=timedelta(days=days))
        written = await servers.write(authority, names, kind, directory, days=days, ahead=timedelta(days=ahead_days))
        root = await authority.root_of("server", kind)
    finally:
        await pool.close()
    return written, root.authority_id, root.certificate_pem


async def verify_audit(
    settings: Settings, anchors: Sequence[str], party: str | None
) -> list[tuple[str, audit.Verdict]]:
    """The audit log of every party, or of the one of that name or id, checked. Raises Invalid, NotFound."""
    try:
        noted = dict(anchor_of(text) for text in anchors)
    except ValueError as error:
        raise Invalid(str(error), field="anchor") from error
    async with _connection(settings) as conn:
        found = [(i, n) for i, n in await audit_log.list_chains(conn) if party in (None, n, str(i))]
        if not found:
            raise NotFound(f"no party {party}" if party else "there is no party yet")
        if noted and len(found) > 1:
            raise Invalid("an anchor is one party's: say whose with --party", field="party")
        return [(name, await audit.verify(conn, party_id, noted)) for party_id, name in found]


async def verify_ledger(settings: Settings, party: str | None) -> list[tuple[str, books.BookVerdict]]:
    """The books of every party, or of the one of that name or id, reckoned anew. Raises NotFound."""
    async with _connection(settings) as conn:
        found = await _books_of(conn, party)
        return [(name, await books.verify(conn, party_id)) for party_id, name in found]


async def lock_ledger(settings: Settings, month: str, party: str | None) -> tuple[str, LedgerLock]:
    """Close a month, and all before it, in a party's books. Raises NotFound, Invalid, Refused, Conflict."""
    async with _connection(settings) as conn, conn.transaction():
        found = await _books_of(conn, party)
        if len(found) > 1:
            raise Invalid("there are several parties: say whose with --party", field="party")
        ((party_id, name),) = found
        return name, await ledger.lock(conn, access.system(party_id), month)


async def reconcile_payments(settings: Settings) -> int:
    """Compare providers' statements with the books and the CDRs now; how many differences are open."""
    from ohmstead.adapters.payments import providers_of
    from ohmstead.billing.payments.reconciling import service as reconciling

    pool = await connect_pool(_required(settings.database_url), size=2, name="ohmstead-reconcile")
    providers = providers_of(settings, pool)
    try:
        return await reconciling.reconcile(pool, providers)
    finally:
        await providers.close()
        await pool.close()


async def catch_up_billing(settings: Settings, party: str | None) -> AsyncIterator[tuple[str, int]]:
    """Bill settled sessions of every party, or of one, that are neither billed nor listed: whose, and how many so far.

    Each piece is a transaction of its own. Raises NotFound.
    """
    async with _connection(settings) as conn:
        found = [(i, n) for i, n in await list_owners(conn) if party in (None, n, str(i))]
        if not found:
            raise NotFound(f"no party {party}" if party else "there is no party yet")
        for party_id, name in found:
            after, done = None, 0
            while True:
                async with conn.transaction():
                    after, n = await cdrs.catch_up(conn, party_id, after, 200)
                done += n
                if after is None:
                    break
            yield name, done


async def _books_of(conn: Connection, party: str | None) -> list[tuple[UUID, str]]:
    found = [(i, n) for i, n in await list_books(conn) if party in (None, n, str(i))]
    if not found:
        raise NotFound(f"no party {party}" if party else "there is no party yet")
    return found


async def prepare_demo(settings: Settings) -> dict[str, str]:
    """What the demo's simulator needs in its environment: an API key of its own, the earlier ones revoked.

    The network gets a price, which its past had too, unless it has one.
    """
    from ohmstead.tariffs import service as tariffs
    from ohmstead.tariffs.model import IdleFee, PriceComponent, Tariff, TariffElement, TariffTax
    from ohmstead.tariffs.records import TariffDraft

    vat = [TariffTax(percentage=Decimal(20))]
    tariff = Tariff(
        currency=settings.currency,
        tax_included="YES",
        elements=[TariffElement(price_components=[PriceComponent(type="ENERGY", price=Decimal("0.49"), taxes=vat)])],
        idle_fee=IdleFee(price_per_minute=Decimal("0.05"), grace_minutes=240, max_amount=Decimal(12), taxes=vat),
    )
    async with _connection(settings) as conn, conn.transaction():
        operator = await accounts.ensure_first_operator(conn, currency=settings.currency, time_zone=settings.time_zone)
        actor = access.system(operator.party_id)
        for key in await accounts.list_api_keys(conn, operator.party_id):
            if key.name == DEMO_KEY_NAME and key.revoked_at is None:
                await accounts.revoke_api_key(conn, actor, key.api_key_id)
        _, secret = await accounts.create_api_key(conn, actor, name=DEMO_KEY_NAME, scopes=DEMO_SCOPES)
        since = clock.now() - timedelta(days=60)
        await tariffs.made_up(conn, actor, TariffDraft(name="Everywhere", tariff=tariff), since)
    return {"OHMSTEAD_API_KEY": secret}


def _link(settings: Settings, secret: str) -> str:
    return f"{settings.console_url}/sign-in?link={quote(secret)}"


def _calm_collector() -> None:
    """What exists after the start lives as long as the process, and messages leave next to no cycles behind: looking
    through everything for some, every few hundred objects, costs more than reading the messages.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


_PLANS: Final[Mapping[str, Literal["force_generic_plan", "force_custom_plan"]]] = {
    "gateway": "force_generic_plan",
    "web": "force_custom_plan",
}


@contextlib.asynccontextmanager
async def _deps(settings: Settings, role: str) -> AsyncIterator[tuple[Pool, Bus]]:
    with tracing.told_to(settings.otlp_endpoint, role, settings.trace_share):
        async with _connected(settings, role) as found:
            yield found


@contextlib.asynccontextmanager
async def _connected(settings: Settings, role: str) -> AsyncIterator[tuple[Pool, Bus]]:
    pool = await connect_pool(
        _required(settings.database_url),
        size=settings.pool_size,
        name=f"ohmstead-{role}",
        plans=_PLANS.get(role, "auto"),
        is_by_key=role != "web",
        command_timeout_s=_COMMAND_TIMEOUT_S[role],
    )
    try:
        async with pool.acquire() as conn:
            if waiting := await migrations.pending(conn):
                raise migrations.MigrationError(f"the database lacks {', '.join(waiting)}: run `ohmstead migrate`")
        bus = await Bus.connect(_required(settings.nats_url), f"ohmstead-{role}")
        try:
            yield pool, bus
        finally:
            await bus.close()
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await pool.close()
        pool.terminate()


@contextlib.asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    conn = await connect_one(_required(settings.database_url))
    try:
        yield conn
    finally:
        await conn.close()


def _required(url: str | None) -> str:
    if url is None:
        raise ValueError("no URL: start the embedded servers first")
    return url


@contextlib.asynccontextmanager
async def _watched(port: int, watch: Watch, is_draining: Callable[[], bool] = lambda: False) -> AsyncIterator[None]:
    """/healthz (the process lives), /readyz (what it needs is there, it is not leaving), /metrics, on loopback; and the
    looking itself.
    """

    async def healthz(_request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response({"status": "ok"})

    async def readyz(_request: aiohttp_web.Request) -> aiohttp_web.Response:
        told = health.report(await watch.look())
        if is_draining():
            told |= {"status": "draining", "is_ready": False}
        return aiohttp_web.json_response(told, status=200 if told["is_ready"] else 503)

    async def exposed(_request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(body=metrics.exposition(), content_type="text/plain", charset="utf-8")

    app = aiohttp_web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposed)
    runner = aiohttp_web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await aiohttp_web.TCPSite(runner, "127.0.0.1", port).start()
        async with _looking(watch):
            yield
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _looking(watch: Watch) -> AsyncIterator[None]:
    looking = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _until_told(work: asyncio.Task[None]) -> None:
    """Until SIGTERM or SIGINT, or until the work ends by itself, which raises what ended it.

    A second signal ends the process at once, as kill -9 does: nothing acknowledged depends on a polite end.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
    if work.done():
        work.result()
