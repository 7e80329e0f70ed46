"""Where stations connect: who is here, and what is said to whom."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from datetime import datetime
from uuid import UUID

import msgspec
from aiohttp import WSCloseCode, web

from ohmstead.core import clock, db, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.ocpp import drain, quirks
from ohmstead.ocpp.batch import Item
from ohmstead.ocpp.calls import Calls
from ohmstead.ocpp.commander import Commander
from ohmstead.ocpp.connection import Connection, Flow, Slot, spawn
from ohmstead.ocpp.door import PATH, Door
from ohmstead.ocpp.ingest import Full, Ingest
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.ocpp.limits import TakeoverWatch
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.security import (
    Admission,
    Handshake,
)
from ohmstead.ocpp.socket import StationSocket
from ohmstead.reservations.holds import Holds
from ohmstead.sessions.costs import Costs, DriverTerms
from ohmstead.settings import Settings
from ohmstead.stations import service as stations
from ohmstead.stations.model import MOVING, Connected, Disconnected, Station
from ohmstead.stations.orders import gateway_subject
from ohmstead.stations.quirks.book import book_at
from ohmstead.tokens.authorization import Unregistered

log = logger("ohmstead.gateway")

STATION_CHANGED = "ohmstead.station.changed"
STATION_CONNECTED = "ohmstead.station.connected"
BEAT_S = 5.0
SEEN_EVERY_S = 30.0
REQUEST_TIMEOUT_S = 15.0  # how long a connection may take over its first request


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
        terms: DriverTerms | None = None,
        inquiries: Inquiries | None = None,
    ) -> None:
        self.gateway_id = new_id()
        self.settings = settings
        self._pool = pool
        self._bus = bus
        self._slots: dict[str, Slot] = {}
        self._takeovers = TakeoverWatch()
        self._flow = flow or Flow(max_frame_bytes=settings.max_frame_bytes)
        self._farewells: set[asyncio.Task[None]] = set()
        self.is_draining = self._is_stopped = False
        self._quirks = book_at(settings.quirks_dir)
        self._holds = Holds()
        self.ingest = Ingest(
            pool,
            bus,
            unregistered=Unregistered(settings.no_authorization, settings.direct_payment),
            organization=settings.tls_client_organization,
            holds=self._holds,
            costs=costs,
            terms=terms,
        )
        asked = inquiries or Inquiries(pool)
        self.door = Door(
            settings,
            pool,
            bus,
            self.ingest,
            asked.lists,
            check_takeover=self._check_takeover,
            is_shut=lambda: self.is_draining,
        )
        self.trust, self._tls = self.door.trust, self.door.tls
        self.commander = Commander(self, pool, bus, self.ingest, settings.call_timeout_s)
        self.calls = Calls(settings, self.ingest, self.commander, asked)
        self.ingest.source = self.calls

    # -------------------------------------------------------------------------------------------- life

    def application(self) -> web.Application:
        """The HTTP side: the stations' route, and a hint for whoever comes elsewhere."""
        app = web.Application(client_max_size=1024)
        app.router.add_get(PATH + "{identity:.*}", self._door)
        app.router.add_get("/{elsewhere:.*}", self.door.lost)
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
            self.door.attempts.remember_all(await stations.list_addresses(conn))
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
        entered = await self.door.let_in(request)
        return entered if isinstance(entered, web.Response) else await self._welcome(request, *entered)

    async def _welcome(
        self, request: web.Request, handshake: Handshake, admission: Admission, station: Station
    ) -> web.StreamResponse:
        version = _common_version(handshake.offered)
        ws = StationSocket([version.subprotocol] if version else [], self.settings.max_frame_bytes)
        await ws.prepare(request)
        if version is None:
            # The handshake is completed without a subprotocol and closed (1.6J §3.3, 2.x part 4 §3.2): not refused.
            metrics.handshakes.labels("no_common_version").inc()
            self.door.signal(
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
            self.door.signal(
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
            self.door.signal(
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
        if not _has_loop():
            return  # the process ends under this line: the sweep of dead gateways tells of it
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

    def _check_takeover(self, station_id: str) -> None:
        if self.find(station_id) is not None:
            self._takeovers.check(station_id)

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


def _common_version(offered: tuple[str, ...]) -> Version | None:
    """The station's first choice among the versions we speak; the address never decides."""
    for name in offered:
        with contextlib.suppress(ValueError):
            return Version.from_subprotocol(name)
    return None


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
