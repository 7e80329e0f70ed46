"""Where stations connect: the door, who is here, and what is said to whom."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import WSCloseCode, web

from ohmstead.core import clock, db, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.ocpp import drain, quirks
from ohmstead.ocpp.calls import Calls
from ohmstead.ocpp.commander import Commander
from ohmstead.ocpp.connection import Connection, Flow, Slot, spawn
from ohmstead.ocpp.ingest import Full, Ingest, Item
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.ocpp.limits import AttemptLimiter, NewcomerLimiter, SignalLimiter, TakeoverWatch
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.security import (
    Admission,
    Handshake,
    Policy,
    Refusal,
    StationIdentity,
    admit,
    peer_of,
    read_handshake,
)
from ohmstead.ocpp.socket import StationSocket
from ohmstead.ocpp.tls import CertificateReloader, TlsFiles
from ohmstead.ocpp.trust import Trust
from ohmstead.reservations.holds import Holds
from ohmstead.sessions.costs import Costs
from ohmstead.settings import Settings
from ohmstead.stations import credentials
from ohmstead.stations import service as stations
from ohmstead.stations.certificates.vault import Vault
from ohmstead.stations.device import onboarding
from ohmstead.stations.model import MOVING, Connected, Disconnected, Signal, Station
from ohmstead.stations.orders import gateway_subject
from ohmstead.stations.quirks.book import book_at

log = logger("ohmstead.gateway")

PATH = "/ocpp/"
STATION_CHANGED = "ohmstead.station.changed"
STATION_CONNECTED = "ohmstead.station.connected"
BEAT_S = 5.0
SEEN_EVERY_S = 30.0
HANDSHAKES_AT_ONCE = 32  # reads of the register at one time: a reconnect storm queues here, not in the database
REQUEST_TIMEOUT_S = 15.0  # how long a connection may take over its first request

_HINT = "Charging stations connect here: OCPP over WebSocket, at /ocpp/ and the station's identity."


class Gateway:
    """One process's stations."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        bus: Bus,
        *,
        flow: Flow | None = None,
        costs: Costs | None = None,
        inquiries: Inquiries | None = None,
    ) -> None:
        self.gateway_id = new_id()
        self.settings = settings
        self._pool = pool
        self._bus = bus
        self._policy = Policy.of(settings)
        self._slots: dict[str, Slot] = {}
        self._attempts = AttemptLimiter()
        self._newcomers = NewcomerLimiter()
        self._takeovers = TakeoverWatch()
        self._signals = SignalLimiter()
        self._flow = flow or Flow(max_frame_bytes=settings.max_frame_bytes)
        self._farewells: set[asyncio.Task[None]] = set()
        self._handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        self._tls = CertificateReloader(TlsFiles.of(settings), self._tls_failed)
        asked = inquiries or Inquiries(pool)
        self.trust = Trust(
            pool, bus, self._tls, Vault(settings.secret()), asked.lists, admits_unknown=settings.crl_failure == "admit"
        )
        self.is_draining = self._is_stopped = False
        self._quirks = book_at(settings.quirks_dir)
        self._holds = Holds()
        self.ingest = Ingest(
            pool,
            bus,
            no_authorization=settings.no_authorization,
            organization=settings.tls_client_organization,
            holds=self._holds,
            costs=costs,
        )
        self.commander = Commander(self, pool, bus, self.ingest, settings.call_timeout_s)
        self.calls = Calls(settings, self.ingest, self.commander, asked)
        self.ingest.source = self.calls

    # -------------------------------------------------------------------------------------------- life

    def application(self) -> web.Application:
        """The HTTP side: the stations' route, and a hint for whoever comes elsewhere."""
        app = web.Application(client_max_size=1024)
        app.router.add_get(PATH + "{identity:.*}", self._door)
        app.router.add_get("/{elsewhere:.*}", self._lost)
        return app

    def runner(self, *, request_timeout_s: float = REQUEST_TIMEOUT_S, shutdown_timeout_s: float = 10) -> web.AppRunner:
        """The application, ready to be put on sockets. A connection that sends no whole request in time is closed."""
        return web.AppRunner(
            self.application(),
            access_log=None,
            handler_cancellation=False,
            keepalive_timeout=request_timeout_s,
            shutdown_timeout=shutdown_timeout_s,
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        return self._tls.context

    async def drain(self, within_s: float) -> None:
        """Let nobody in any more, and the stations go: spread over `within_s`, each when nothing is under way with it.

        Commands for stations that are still here are carried out. Call it while `run` runs; cancel that afterwards.
        """
        self.is_draining = True
        await drain.let_go(self._live(), self.commander.is_commanded, within_s)

    def _live(self) -> list[Connection]:
        return [slot.connection for slot in self._slots.values() if slot.connection is not None]

    async def run(self) -> None:
        """Serve until cancelled; then part from the stations that are still here, and forget this gateway."""
        address = f"{socket.gethostname()}:{self.settings.gateway_port}"
        async with self._pool.acquire() as conn:
            await stations.beat_gateway(conn, self.gateway_id, address)
            self._attempts.remember_all(await stations.list_addresses(conn))
        await self._bus.serve(gateway_subject(self.gateway_id), self.commander.dispatched)
        await self._bus.watch_listeners()
        stops = [
            await self._bus.listen(STATION_CHANGED, self._station_changed),
            await self._bus.listen(STATION_CONNECTED, self._connected_elsewhere),
            *await self.trust.begin(),
        ]
        tasks = [
            asyncio.create_task(self.ingest.run()),
            asyncio.create_task(self._beat(address)),
            asyncio.create_task(self._keep_alive()),
            asyncio.create_task(self._tls.run()),
            asyncio.create_task(self.trust.run()),
            asyncio.create_task(self._holds.run(self._pool, self._bus)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for stop in stops:
                with contextlib.suppress(Exception):
                    await stop()
            await self._part()
            self._is_stopped = True
            tasks += self._farewells
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with self._pool.acquire() as conn, conn.transaction():
                    await stations.release_gateways(conn, self.gateway_id, 3600)

    async def _beat(self, address: str) -> None:
        """Tell that we live, and when stations were last heard."""
        reported_at = clock.now()
        last_seen = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                async with self._pool.acquire() as conn, conn.transaction():
                    if await stations.beat_gateway(conn, self.gateway_id, address):
                        await self._reclaim(conn)
                    if time.monotonic() - last_seen >= SEEN_EVERY_S:
                        last_seen = time.monotonic()
                        seen = self._heard_since(reported_at)
                        reported_at = clock.now()
                        if seen:
                            await stations.save_seen(conn, seen)
            except Exception as error:  # noqa: BLE001  (a beat that fails is told by its absence; the next one may succeed)
                log.warning("beat_failed", error=repr(error))

    async def _keep_alive(self) -> None:
        """Find stations that are gone without a word."""
        interval_s = self.settings.ping_interval_s
        edition = self._quirks.edition
        while True:
            await asyncio.sleep(min(interval_s / 8, 5.0))
            now = time.perf_counter()
            for connection in self._live():
                connection.keep_alive(now, interval_s)
            edition = quirks.resolve_all(self._live(), self._quirks, edition)

    async def _reclaim(self, conn: db.Connection) -> None:
        """We were given up: the database was away, or its clock leapt. Our stations were called offline, and are not."""
        here = [connection for connection in self._live() if connection.is_open]
        back = await stations.reclaim(conn, [self._link(connection, clock.now()) for connection in here])
        log.warning("gateway_was_given_up", stations=len(here), connected_again=back)

    def _link(self, connection: Connection, at: datetime) -> Connected:
        return Connected(
            station_id=connection.station.station_id,
            party_id=connection.station.party_id,
            gateway_id=self.gateway_id,
            connection_id=connection.connection_id,
            at=at,
            ocpp_version=connection.version.value,
            remote_address=connection.address,
        )

    def _heard_since(self, at: datetime) -> dict[str, datetime]:
        return {
            station_id: slot.connection.last_heard
            for station_id, slot in self._slots.items()
            if slot.connection is not None and slot.connection.last_heard > at
        }

    async def _part(self) -> None:
        self.is_draining = True
        await drain.part(self._live())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self.ingest.drained()

    # -------------------------------------------------------------------------------------------- the door

    async def _door(self, request: web.Request) -> web.StreamResponse:
        try:
            handshake = self._read_handshake(request)
            with self._attempts.attempt(handshake.identity, handshake.address):
                admission, station = await self._admit(handshake)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        except Exception:
            log.exception("handshake_failed")
            metrics.handshakes.labels("unavailable").inc()
            return web.Response(status=503, text="Please try again in a moment.", headers={"Retry-After": "5"})
        return await self._welcome(request, handshake, admission, station)

    async def _lost(self, request: web.Request) -> web.Response:
        if _is_upgrade(request):
            return self._refuse(request, Refusal(404, "path_unknown", _HINT))
        return self._refuse(request, Refusal(426, "not_a_websocket", _HINT))

    def _read_handshake(self, request: web.Request) -> Handshake:
        if self.is_draining:
            raise Refusal(503, "draining", "Restarting; please connect again.", retry_after_s=1)
        if not _is_upgrade(request):
            raise Refusal(426, "not_a_websocket", _HINT)
        # The path as it was sent: the router matched its decoded form, which may hide where the identity begins.
        _, found, raw_identity = request.raw_path.split("?", 1)[0].partition(PATH)
        if not found:
            raise Refusal(404, "path_unknown", _HINT)
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        return read_handshake(
            raw_identity=raw_identity,
            headers=request.headers.items(),
            remote=request.remote or "",
            is_tls=tls is not None,
            peer_certificate=tls.getpeercert(True) if tls is not None else None,
            trusted_proxies=self.settings.trusted_proxies,
            authorities=self._tls.authorities,
            at=clock.now(),
        )

    async def _admit(self, handshake: Handshake) -> tuple[Admission, Station]:
        # Only the register's read queues here: slow checks of guessed passwords must not hold up everybody's door.
        async with self._handshakes, self._pool.acquire() as conn:
            station = await stations.find_station(conn, handshake.identity)
        identity = _identity(station) if station is not None else None
        admission = await admit(handshake, identity, self._policy)
        if admission.is_new:
            self._newcomers.enter()
            station = await self._enlist(handshake, admission)
            # Another first contact with this identity may have been quicker: then its credentials count.
            admission = await admit(handshake, _identity(station), self._policy)
        if station is None:
            raise _not_set_up()
        station = await self.trust.check(admission, station)
        if admission.used_secret_hash is not None:
            async with self._pool.acquire() as conn, conn.transaction():
                station = await onboarding.came_with(conn, station, admission.used_secret_hash)
        slot = self._slots.get(station.station_id)
        if slot is not None and slot.connection is not None and slot.connection.is_open:
            self._takeovers.check(station.station_id)
        return admission, station

    async def _enlist(self, handshake: Handshake, admission: Admission) -> Station:
        """A station nobody announced goes on the list with the credentials it came with, so that it, and only it, can
        come again before anybody has looked at it.
        """
        secret_hash = certificate_name = None
        if admission.certificate is not None:
            certificate_name = admission.certificate.common_name or admission.certificate.serial_number
        elif handshake.credentials is not None:
            password = handshake.credentials[1]
            try:
                secret_hash = await credentials.hash_secret(
                    password, self._policy.pepper, is_generated=credentials.looks_random(password)
                )
            except credentials.Busy:
                raise Refusal(503, "verification_busy", "Please try again.", retry_after_s=5) from None
        log.warning("unknown_station_admitted", station_id=admission.station_id, as_=admission.registration)
        async with self._pool.acquire() as conn, conn.transaction():
            station = await stations.take_unknown(
                conn,
                admission.station_id,
                admission.registration,
                admission.security_profile,
                secret_hash=secret_hash,
                certificate_name=certificate_name,
            )
        if station is None:
            raise _not_set_up()
        return station

    def _refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        metrics.handshakes.labels(refusal.reason).inc()
        identity = request.match_info.get("identity", "")[:48]
        address = self._address(request)
        log.info("station_refused", identity=identity, address=address, reason=refusal.reason)
        if refusal.is_attempt or refusal.status in (400, 403, 429):
            self._signal("connection_refused", identity, address, {"reason": refusal.reason}, is_refusal=True)
        headers = refusal.headers | ({"Upgrade": "websocket"} if refusal.status == 426 else {})
        return web.Response(status=refusal.status, text=refusal.text, headers=headers)

    def _address(self, request: web.Request) -> str:
        """Whose attempt it was, as far as a trusted proxy tells."""
        try:
            return peer_of(request.remote or "", False, request.headers.items(), self.settings.trusted_proxies).address
        except Refusal:
            return request.remote or ""

    def _tls_failed(self, reason: str) -> None:
        metrics.handshakes.labels("tls_failed").inc()
        self._signal("tls_handshake_failed", None, None, {"reason": reason[:100]}, is_refusal=True)

    def _signal(
        self,
        kind: str,
        station_id: str | None,
        address: str | None,
        detail: dict[str, Any],
        party_id: UUID | None = None,
        *,
        is_refusal: bool = False,
    ) -> None:
        now = clock.now()
        if is_refusal and not self._signals.may_record(kind, address or ""):
            return
        clean = station_id.replace("\0", "�").encode(errors="replace").decode() if station_id else None
        signal = Signal(kind=kind, at=now, station_id=clean, remote_address=address, detail=detail, party_id=party_id)
        self.ingest.note(Item(at=now, signal=signal))

    async def _welcome(
        self, request: web.Request, handshake: Handshake, admission: Admission, station: Station
    ) -> web.StreamResponse:
        version = _common_version(handshake.offered)
        ws = StationSocket([version.subprotocol] if version else [], self.settings.max_frame_bytes)
        await ws.prepare(request)
        if version is None:
            # The handshake is completed without a subprotocol and closed (1.6J §3.3, 2.x part 4 §3.2): not refused.
            metrics.handshakes.labels("no_common_version").inc()
            self._signal(
                "no_common_version",
                station.station_id,
                handshake.address,
                {"offered": list(handshake.offered[:8])},
                station.party_id,
            )
            await ws.close(code=WSCloseCode.PROTOCOL_ERROR, message=b"no common OCPP version")
            return ws
        metrics.handshakes.labels("accepted").inc()
        if "x-client-cert" in handshake.ignored:
            self._signal(
                "client_certificate_header_ignored", station.station_id, handshake.address, {}, station.party_id
            )
        slot = self._slots.setdefault(station.station_id, Slot(station.station_id))
        connection = Connection(ws, slot, station, version, handshake.address, self.calls, self._flow)
        self.trust.holds(connection, admission)
        quirks.resolve(connection, self._quirks)
        if admission.registration == "pending" and station.registration == "accepted":
            # It has just been accepted, and thinks that it still waits.
            connection.station = msgspec.structs.replace(station, has_booted=False)
            spawn(self.commander.ask_to_boot(connection))
        await self._serve(connection)
        return ws

    async def _serve(self, connection: Connection) -> None:
        self._take_over(connection)
        station = connection.station
        link = self._link(connection, connection.connected_at)
        gauge = metrics.stations_connected.labels(connection.version.value)
        gauge.inc()
        reason = "unavailable"
        try:
            if self.is_draining:
                await connection.close(*drain.FAREWELL)
            await self.ingest.submit(Item(at=link.at, connected=link))
            spawn(
                self._bus.publish(
                    STATION_CONNECTED, {"station_id": station.station_id, "connection_id": connection.connection_id}
                )
            )
            if connection.is_registered:
                spawn(self.commander.send_queued(connection))
            reason = await connection.read()
        except Full:
            await connection.close(WSCloseCode.TRY_AGAIN_LATER, "busy")
        except Exception:
            log.exception("connection_failed", station_id=station.station_id)
            await connection.close(WSCloseCode.INTERNAL_ERROR, "please connect again")
        finally:
            gauge.dec()
            self._left(connection, reason)

    def _take_over(self, connection: Connection) -> None:
        """The newcomer has proved who it is: the old socket goes at once, and its late end changes nothing."""
        slot = connection.slot
        old, slot.connection = slot.connection, connection
        if old is None or not old.is_open:
            return
        log.info("connection_taken_over", station_id=slot.station_id)
        old.end()
        spawn(old.close(WSCloseCode.POLICY_VIOLATION, "connected anew"))
        if self._takeovers.note(slot.station_id) == "flagged":
            self._signal(
                TakeoverWatch.SIGNAL,
                slot.station_id,
                connection.address,
                {"old_address": old.address},
                connection.station.party_id,
            )

    def _left(self, connection: Connection, reason: str) -> None:
        connection.end()
        self.trust.released(connection)
        slot = connection.slot
        if slot.connection is connection:
            slot.connection = None
        if self._is_stopped:
            return  # whoever stops a gateway tells of all its stations at once
        now = clock.now()
        gone = Disconnected(
            station_id=slot.station_id,
            party_id=connection.station.party_id,
            connection_id=connection.connection_id,
            at=now,
            reason=MOVING if self.is_draining else reason,
        )
        task = asyncio.create_task(self._bid_farewell(gone))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def _bid_farewell(self, gone: Disconnected) -> None:
        """Until it is stored: a station that leaves while the database is away would stay `connected` for ever."""
        while True:
            try:
                await self.ingest.submit(Item(at=gone.at, disconnected=gone))
                return
            except Exception as error:  # noqa: BLE001  (whatever kept it from being stored may be over the next time)
                log.warning("departure_not_stored", station_id=gone.station_id, error=repr(error))
                await asyncio.sleep(BEAT_S)

    # -------------------------------------------------------------------------------------------- messages

    def find(self, station_id: str) -> Connection | None:
        """The live connection of a station, if it is here."""
        slot = self._slots.get(station_id)
        connection = slot.connection if slot is not None else None
        return connection if connection is not None and connection.is_open else None

    # -------------------------------------------------------------------------------------------- news from elsewhere

    async def _station_changed(self, _subject: str, data: bytes) -> None:
        """An operator adopted, rejected, retired or changed a station: act on it now."""
        connection = self.find(msgspec.json.decode(data).get("station_id", ""))
        if connection is None:
            return
        async with self._pool.acquire() as conn:
            station = await stations.find_station(conn, connection.slot.station_id)
        # In the background: one station that is slow to close or to answer must not hold up the word about the next.
        if station is None or station.is_retired:
            spawn(connection.close(WSCloseCode.POLICY_VIOLATION, "no longer in service here"))
            return
        before, connection.station = connection.station, station
        if station.registration == "rejected":
            spawn(connection.close(WSCloseCode.POLICY_VIOLATION, "rejected"))
        elif (
            station.onboarding == "use_password" != before.onboarding
            or station.security_profile > before.security_profile
            or station.secret_hash != before.secret_hash
        ):
            spawn(connection.close(WSCloseCode.SERVICE_RESTART, "credentials changed"))
        elif before.registration != station.registration and station.registration == "accepted":
            connection.station = msgspec.structs.replace(station, has_booted=False)
            spawn(self.commander.ask_to_boot(connection))

    async def _connected_elsewhere(self, _subject: str, data: bytes) -> None:
        """A station that another gateway let in is not here any more."""
        news = msgspec.json.decode(data)
        connection = self.find(news["station_id"])
        if connection is not None and str(connection.connection_id) != news["connection_id"]:
            if UUID(news["connection_id"]) < connection.connection_id:
                return
            connection.end()
            spawn(connection.close(WSCloseCode.POLICY_VIOLATION, "connected anew"))


def _is_upgrade(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def _not_set_up() -> Refusal:
    return Refusal(503, "no_party", "This installation is not set up yet.", retry_after_s=30)


def _identity(station: Station) -> StationIdentity:
    return StationIdentity(
        station_id=station.station_id,
        security_profile=station.security_profile,
        secret_hash=station.secret_hash,
        next_secret_hashes=station.next_secret_hashes,
        certificate_name=station.certificate_name,
        registration=station.registration,
        is_retired=station.is_retired,
        next_profile=station.next_security_profile,
    )


def _common_version(offered: tuple[str, ...]) -> Version | None:
    """The station's first choice among the versions we speak; the address never decides."""
    for name in offered:
        with contextlib.suppress(ValueError):
            return Version.from_subprotocol(name)
    return None
