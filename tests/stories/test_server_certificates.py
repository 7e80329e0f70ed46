"""The installation's own authority makes the gateway's certificate, and renews it under connected stations."""

import asyncio
import ssl
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from ohmstead import app
from ohmstead.core.errors import Invalid, Refused
from ohmstead.settings import Settings
from ohmstead.stations.certificates.servers import Written
from ohmstead.stations.orders import InstallCertificate
from tests.stories.network import Installation, Network

NAMES = ("csms.example", "127.0.0.1")


async def issue(settings: Settings, to: Path, *names: str, ahead: int = 30) -> tuple[Written, str]:
    """As the command does."""
    written, _, root = await app.server_certificate(
        settings, names or NAMES, to, is_rsa=False, days=90, ahead_days=ahead
    )
    return written, root


def serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificates(pem)[0].serial_number


async def test_a_server_certificate_is_issued_and_renewed_without_dropping_a_station(
    network: Network, installation: Installation, tmp_path: Path
) -> None:
    written, root = await issue(installation.settings, tmp_path / "tls")
    assert written.is_new
    assert stat.S_IMODE(written.key.stat().st_mode) == 0o600
    settings = msgspec.structs.replace(installation.settings, tls_ec_cert=written.certificate, tls_ec_key=written.key)
    house = Installation(settings, installation.pool, installation.bus)
    door = await house.open_door()
    one, other = await network.station("2.0.1"), await network.station("1.6", "ST-2", boots=False)
    # A station is given the root over the line that it has, and from then on believes the gateway by it alone.
    given = await network.orders(one, InstallCertificate(use="central_root", certificate=root))
    assert given.status == "accepted"
    trusted = (await one.hears("InstallCertificate"))["certificate"]

    def tls() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=trusted)
        return context

    for station in (one, other):
        station.wire.url = f"wss://127.0.0.1:{door.tls_port}/ocpp/{station.station_id}"
        station.wire.tls = tls()
        await station.wire.cut()
    assert await one.boots() == "Accepted"
    first = serial(written.certificate.read_bytes())

    # It is good for long: nothing happens. It ends soon: there is a new one, which the gateway takes up by itself.
    again, _ = await issue(settings, tmp_path / "tls")
    assert (again.is_new, serial(written.certificate.read_bytes())) == (False, first)
    renewed, _ = await issue(settings, tmp_path / "tls", ahead=100)
    assert renewed.is_new
    assert door.gateway._tls.check()
    await one.says("Heartbeat", {})
    assert one.wire.is_open
    assert await other.boots() == "Accepted"
    shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", door.tls_port or 0))
    assert serial(shown.encode()) == serial(written.certificate.read_bytes()) != first
    # Other names make another certificate.
    more, _ = await issue(settings, tmp_path / "tls", *NAMES, "other.example")
    assert more.is_new
    for station in (one, other):
        await station.leaves()
    await door.close()


async def test_what_no_server_can_be_called_is_refused(installation: Installation, tmp_path: Path) -> None:
    for name in ("", "no host", "-x.example", "a" * 300, "*.*.example"):
        with pytest.raises(Invalid):
            await issue(installation.settings, tmp_path, name, "csms.example")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        await issue(installation.settings, tmp_path / "file")
