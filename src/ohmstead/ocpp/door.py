"""The door of a gateway: who may come in, and who is told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from aiohttp import web

from ohmstead.core import clock, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.ocpp.batch import Item
from ohmstead.ocpp.ingest import Ingest
from ohmstead.ocpp.limits import AttemptLimiter, NewcomerLimiter, SignalLimiter
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
from ohmstead.ocpp.tls import CertificateReloader, TlsFiles
from ohmstead.ocpp.trust import Trust
from ohmstead.settings import Settings
from ohmstead.stations import credentials
from ohmstead.stations import service as stations
from ohmstead.stations.certificates.revocation.service import OutsideLists
from ohmstead.stations.certificates.vault import Vault
from ohmstead.stations.device import onboarding
from ohmstead.stations.model import Signal, Station

log = logger("ohmstead.gateway")

PATH = "/ocpp/"
HANDSHAKES_AT_ONCE = 32  # reads of the register at one time: a reconnect storm queues here, not in the database
_HINT = "Charging stations connect here: OCPP over WebSocket, at /ocpp/ and the station's identity."


class Door:
    """One per gateway. `check_takeover` raises Refusal for an identity that throws itself out too often; `is_shut`: nobody
    is let in any more."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        bus: Bus,
        ingest: Ingest,
        lists: OutsideLists,
        *,
        check_takeover: Callable[[str], None],
        is_shut: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._ingest = ingest
        self._check_takeover = check_takeover
        self._is_shut = is_shut
        self._policy = Policy.of(settings)
        self.attempts = AttemptLimiter()
        self._newcomers = NewcomerLimiter()
        self._signals = SignalLimiter()
        self._handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        self.tls = CertificateReloader(TlsFiles.of(settings), self._tls_failed)
        self.trust = Trust(
            pool, bus, self.tls, Vault(settings.secret()), lists, admits_unknown=settings.crl_failure == "admit"
        )

    async def let_in(self, request: web.Request) -> tuple[Handshake, Admission, Station] | web.Response:
        """Whoever may come in; or the refusal, already counted and noted."""
        try:
            handshake = self._read_handshake(request)
            with self.attempts.attempt(handshake.identity, handshake.address):
                admission, station = await self._admit(handshake)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        except Exception:
            log.exception("handshake_failed")
            metrics.handshakes.labels("unavailable").inc()
            return web.Response(status=503, text="Please try again in a moment.", headers={"Retry-After": "5"})
        return handshake, admission, station

    async def lost(self, request: web.Request) -> web.Response:
        """A hint for whoever comes to another address."""
        if _is_upgrade(request):
            return self._refuse(request, Refusal(404, "path_unknown", _HINT))
        return self._refuse(request, Refusal(426, "not_a_websocket", _HINT))

    def _read_handshake(self, request: web.Request) -> Handshake:
        if self._is_shut():
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
            trusted_proxies=self._settings.trusted_proxies,
            authorities=self.tls.authorities,
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
        self._check_takeover(station.station_id)
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
            self.signal("connection_refused", identity, address, {"reason": refusal.reason}, is_refusal=True)
        headers = refusal.headers | ({"Upgrade": "websocket"} if refusal.status == 426 else {})
        return web.Response(status=refusal.status, text=refusal.text, headers=headers)

    def _address(self, request: web.Request) -> str:
        """Whose attempt it was, as far as a trusted proxy tells."""
        try:
            return peer_of(request.remote or "", False, request.headers.items(), self._settings.trusted_proxies).address
        except Refusal:
            return request.remote or ""

    def _tls_failed(self, reason: str) -> None:
        metrics.handshakes.labels("tls_failed").inc()
        self.signal("tls_handshake_failed", None, None, {"reason": reason[:100]}, is_refusal=True)

    def signal(
        self,
        kind: str,
        station_id: str | None,
        address: str | None,
        detail: dict[str, Any],
        party_id: UUID | None = None,
        *,
        is_refusal: bool = False,
    ) -> None:
        """A security signal, with the next batch. Of refusals only so many from one address."""
        now = clock.now()
        if is_refusal and not self._signals.may_record(kind, address or ""):
            return
        clean = station_id.replace("\0", "�").encode(errors="replace").decode() if station_id else None
        signal = Signal(kind=kind, at=now, station_id=clean, remote_address=address, detail=detail, party_id=party_id)
        self._ingest.note(Item(at=now, signal=signal))


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
