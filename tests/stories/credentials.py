"""A station that holds keys and certificates: it asks for them, connects with them, and loses them."""

import base64
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ohmstead.stations import credentials
from tests.security.pki import Authority
from tests.stories.network import Door, Network
from tests.stories.patience import until
from tests.stories.station import Station

PASSWORD = "0123456789abcdef0123456789abcdef"


def csr(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed448.Ed448PrivateKey,
    *names: tuple[x509.ObjectIdentifier, str],
    **more: Any,
) -> str:
    """A signing request, PEM; `extension` is asked for with it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    )
    if "extension" in more:
        builder = builder.add_extension(more["extension"], critical=False)
    algorithm = None if isinstance(key, ed448.Ed448PrivateKey) else more.get("algorithm", hashes.SHA256())
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


class Keys:
    """What a station keeps: its present key, and the chains it was given."""

    def __init__(self, station: Station, directory: Path, servers: Authority) -> None:
        self.station = station
        self._directory = directory
        self._servers = servers
        self.key: ec.EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.chain = ""
        station.answers["CertificateSigned"] = self._given
        station.answers["SetVariables"] = _all_set

    def _given(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.chain = payload["certificateChain"]
        return {"status": "Accepted"}

    async def asks(self, **more: Any) -> dict[str, Any]:
        """A new key, and a request for it."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.chain = ""
        return await self.sends(csr(self.key, (NameOID.COMMON_NAME, self.station.station_id)), **more)

    async def sends(self, request: str, **more: Any) -> dict[str, Any]:
        return await self.station.says("SignCertificate", {"csr": request, **more})

    async def gets_certificate(self) -> x509.Certificate:
        """What it asked for."""

        async def has_chain() -> bool:
            return bool(self.chain)

        await until(has_chain, f"{self.station.station_id} is given a certificate")
        return x509.load_pem_x509_certificates(self.chain.encode())[0]

    def tls(self, *, shows_certificate: bool = True) -> ssl.SSLContext:
        """Its side of a TLS line, with the present certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self._servers.pem.decode())
        if shows_certificate:
            certificate, key = self._directory / "station.pem", self._directory / "station.key"
            certificate.write_text(self.chain)
            key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            context.load_cert_chain(certificate, key)
        return context

    async def comes_with_password(self, door: Door, *, over_tls: bool = False) -> str:
        """Connect and boot with the password; `refused <status>` when the door stays shut."""
        told = base64.b64encode(f"{self.station.station_id}:{PASSWORD}".encode()).decode()
        return await self._comes(
            door, self.tls(shows_certificate=False) if over_tls else None, {"Authorization": f"Basic {told}"}
        )

    async def comes_with_certificate(self, door: Door, tls: ssl.SSLContext | None = None) -> str:
        return await self._comes(door, tls or self.tls(), {})

    async def _comes(self, door: Door, tls: ssl.SSLContext | None, headers: dict[str, str]) -> str:
        wire = self.station.wire
        scheme, port = ("wss", door.tls_port) if tls is not None else ("ws", door.port)
        wire.url = f"{scheme}://127.0.0.1:{port}/ocpp/{self.station.station_id}"
        wire.tls, wire.headers = tls, headers
        await wire.cut()
        try:
            return await self.station.boots()
        except aiohttp.WSServerHandshakeError as error:
            return f"refused {error.status}"
        except (aiohttp.ClientConnectorError, aiohttp.ClientOSError, ConnectionError):
            return "refused by TLS"


def _all_set(payload: dict[str, Any]) -> dict[str, Any]:
    asked = payload["setVariableData"]
    return {
        "setVariableResult": [
            {"attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"]} for one in asked
        ]
    }


async def with_password(network: Network, version: str, name: str = "ST-1") -> Station:
    """A station of security profile 1, not yet connected."""
    station = await network.station(version, name, boots=False)
    hashed = await credentials.hash_secret(PASSWORD, network.house.settings.secret(), is_generated=True)
    await network.pool.execute(
        "update station set security_profile = 1, secret_hash = $2 where station_id = $1", station.station_id, hashed
    )
    return station


async def upgrade_of(network: Network, station: Station) -> dict[str, Any]:
    row = await network.pool.fetchrow(
        "select * from profile_upgrade where station_id = $1 order by started_at desc", station.station_id
    )
    assert row is not None
    return dict(row)


async def certificates_of(network: Network, station: Station) -> list[dict[str, Any]]:
    rows = await network.pool.fetch(
        "select * from certificate where station_id = $1 order by issued_at", station.station_id
    )
    return [dict(row) for row in rows]


async def certificate_id_of(network: Network, leaf: x509.Certificate) -> UUID:
    found: UUID = await network.pool.fetchval(
        "select certificate_id from certificate where fingerprint = $1", leaf.fingerprint(hashes.SHA256()).hex()
    )
    return found


@pytest.fixture
def pki_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ohmstead-pki-") as path:
        yield Path(path)
