"""Certificates at the door: our own authority is trusted, what is revoked is refused, and ends the connection it came with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import msgspec
from aiohttp import WSCloseCode
from cryptography import x509

from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.ocpp.connection import Connection, spawn
from ohmstead.ocpp.security import Admission, Refusal
from ohmstead.ocpp.tls import CertificateReloader, ClientCertificate
from ohmstead.stations import service as stations
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.certificates import upgrades
from ohmstead.stations.certificates.authority import AUTHORITIES_CHANGED, revocation_list
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.certificates.revocation.service import OutsideLists
from ohmstead.stations.certificates.service import CERTIFICATE_REVOKED
from ohmstead.stations.certificates.vault import Vault
from ohmstead.stations.model import Signal, Station

log = logger("ohmstead.trust")

LOOK_EVERY_S = 15.0


class Trust:
    """One per gateway."""

    def __init__(
        self,
        pool: Pool,
        bus: Bus,
        tls: CertificateReloader,
        vault: Vault,
        lists: OutsideLists,
        *,
        admits_unknown: bool = False,
    ) -> None:
        """`admits_unknown`: also those whose authority's list cannot be had; it is a security signal then."""
        self._pool = pool
        self._bus = bus
        self._tls = tls
        self._vault = vault
        self._lists = lists
        self._admits_unknown = admits_unknown
        self._held: dict[UUID, tuple[Connection, ClientCertificate]] = {}
        self._issuers: frozenset[str] = frozenset()

    async def begin(self) -> list[Callable[[], Awaitable[None]]]:
        """Know our authorities, and listen for news of them; returns what stops the listening."""
        await self.look()
        return [
            await self._bus.listen(AUTHORITIES_CHANGED, self._authorities_changed),
            await self._bus.listen(CERTIFICATE_REVOKED, self._revoked),
        ]

    async def run(self) -> None:
        """What news did not tell, since they may be missed: look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
                await self.end_revoked()
            except Exception as error:  # noqa: BLE001  (the database may be away; the next look may succeed)
                log.warning("trust_not_renewed", error=repr(error))

    async def look(self) -> None:
        """Read our authorities again."""
        async with self._pool.acquire() as conn:
            ours = [a for a in await certificates.list_authorities(conn) if a.purpose == "station"]
        lists = []
        if self._tls.wants_lists:
            for authority in ours:
                async with self._pool.acquire() as conn, conn.transaction():
                    lists.append(await revocation_list(conn, self._vault, authority.authority_id))
        anchors = [x509.load_pem_x509_certificate(a.certificate_pem.encode()) for a in ours]
        self._issuers = frozenset(anchor.subject.rfc4514_string() for anchor in anchors)
        await asyncio.to_thread(self._tls.trust, anchors, [x509.load_der_x509_crl(crl) for crl in lists if crl])

    async def check(self, admission: Admission, station: Station) -> Station:
        """What the register knows of the certificate; a first use of it, or of a higher profile, is written down.

        Raises Refusal for a certificate that is revoked, another station's, or that we never gave out.
        """
        certificate = admission.certificate
        known = None
        if certificate is not None:
            async with self._pool.acquire() as conn:
                known = await certificates.find_known(conn, certificate.fingerprint)
            if known is None and certificate.issuer in self._issuers:
                raise _refused("certificate_unknown")
            if known is not None and known.status in ("revoked", "rejected"):
                raise _refused("certificate_revoked")
            if known is not None and known.station_id != station.station_id:
                raise _refused("certificate_of_another")
            await self._check_lists(certificate, station)
        if not admission.is_raised and (known is None or known.status == "active"):
            return station
        spent: list[str] = []
        async with self._pool.acquire() as conn, conn.transaction():
            if known is not None:
                spent = await certificates.arrived(conn, known.certificate_id)
            if admission.is_raised:
                profile = admission.security_profile
                await upgrades.came_with(conn, station.station_id, station.party_id, profile)
                station = msgspec.structs.replace(station, security_profile=profile, next_security_profile=None)
        if spent:
            await certificates.announce(self._bus, spent)
        return station

    async def _check_lists(self, certificate: ClientCertificate, station: Station) -> None:
        """Raises Refusal for what its authority, another than ours, has revoked or may have."""
        verdict = await self._listed(certificate)
        if verdict is None or verdict.state == "good":
            return
        if verdict.state == "revoked":
            raise _refused("certificate_revoked")
        log.warning("revocation_unknown", station_id=station.station_id, reason=verdict.reason)
        if not self._admits_unknown:
            raise _refused("revocation_unknown")
        detail = {"reason": verdict.reason, "certificate": certificate.certificate_serial}
        signal = Signal(
            kind="revocation_unknown",
            at=clock.now(),
            party_id=station.party_id,
            station_id=station.station_id,
            detail=detail,
        )
        async with self._pool.acquire() as conn, conn.transaction():
            await stations.keep_signals(conn, [signal])

    async def _listed(self, certificate: ClientCertificate) -> Verdict | None:
        """What the list of its authority says; None where none is to be looked at."""
        authorities = self._tls.authorities
        if not self._lists.is_on or not certificate.crl_urls or authorities is None:
            return None
        issuer = authorities.issuer_of(certificate)
        if issuer is None or certificate.issuer in self._issuers:
            return None
        return await self._lists.state(int(certificate.certificate_serial, 16), issuer, certificate.crl_urls)

    def holds(self, connection: Connection, admission: Admission) -> None:
        """This connection came with this certificate."""
        if admission.certificate is not None:
            self._held[connection.connection_id] = (connection, admission.certificate)

    def released(self, connection: Connection) -> None:
        self._held.pop(connection.connection_id, None)

    async def _authorities_changed(self, _subject: str, _data: bytes) -> None:
        await self.look()

    async def _revoked(self, _subject: str, data: bytes) -> None:
        self._end(msgspec.json.decode(data)["fingerprints"])

    async def end_revoked(self) -> None:
        """End what was revoked without our hearing of it."""
        held = {certificate.fingerprint: certificate for _, certificate in self._held.values()}
        if not held:
            return
        async with self._pool.acquire() as conn:
            revoked = await certificates.list_revoked_of(conn, sorted(held))
        for fingerprint, certificate in held.items():
            verdict = await self._listed(certificate)
            if verdict is not None and verdict.state == "revoked":
                revoked.add(fingerprint)
        self._end(revoked)

    def _end(self, fingerprints: Iterable[str]) -> None:
        spent = set(fingerprints)
        for connection, certificate in list(self._held.values()):
            if certificate.fingerprint in spent and connection.is_open:
                log.warning("certificate_revoked", station_id=connection.slot.station_id)
                spawn(connection.close(WSCloseCode.POLICY_VIOLATION, "certificate revoked"))


def _refused(reason: str) -> Refusal:
    return Refusal(401, reason, "The credentials are missing or wrong.", is_attempt=True)
