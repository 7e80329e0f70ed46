"""Our own authority over real TLS: trusted without a restart, beside the configured ones, its revocations counted."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ohmstead.core import clock
from ohmstead.ocpp.tls import CertificateReloader, TlsFiles
from ohmstead.stations.certificates import issuing
from ohmstead.stations.certificates.issuing import Places, Revoked
from ohmstead.stations.certificates.model import KeyKind
from ohmstead.stations.certificates.policy import parse
from tests.security.pki import Authority, Issued, client_context
from tests.security.test_tls import TURNED_AWAY, echo
from tests.stories.credentials import csr


class Ours:
    """Root and issuing authority as Ohmstead makes them."""

    def __init__(self, kind: KeyKind = "EC") -> None:
        at = clock.now()
        root_key, self.key = (issuing.new_key(kind, "station", is_root=level) for level in (True, False))
        self.root = issuing.make_root("station", kind, root_key, at)
        self.issuing = issuing.make_issuing("station", kind, self.key, self.root, root_key, at)
        self._root_key = root_key

    @property
    def anchors(self) -> list[x509.Certificate]:
        return [self.root, self.issuing]

    def station(self, name: str = "ST-1") -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        request = parse(csr(key, (x509.NameOID.COMMON_NAME, name)))
        found = issuing.sign_request(
            request, "station", self.issuing, self.key, clock.now(), timedelta(days=90), Places()
        )
        return Issued(found, key, (self.issuing,))

    def lists(self, *revoked: Issued) -> list[x509.CertificateRevocationList]:
        at = clock.now()
        entries = [
            Revoked(serial=f"{one.certificate.serial_number:x}", revoked_at=at, reason="superseded") for one in revoked
        ]
        return [
            issuing.make_crl(self.issuing, self.key, entries, 1, at),
            issuing.make_crl(self.root, self._root_key, [], 1, at),
        ]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Servers")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> TlsFiles:
    certificate, key = authority.server("EC").write(tmp_path, "server")
    return TlsFiles(ec_cert=certificate, ec_key=key)


def shows(authority: Authority, issued: Issued, directory: Path, name: str = "station") -> ssl.SSLContext:
    context = client_context(authority, issued.write(directory, name))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a refusal is told in the handshake, not after it
    return context


async def test_nobody_is_asked_for_a_certificate_until_there_is_an_authority(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    reloader = CertificateReloader(files)
    ours = Ours()
    async with echo(reloader.context) as dial:
        line = await dial(client_context(authority))
        assert reloader.authorities is None
        reloader.trust(ours.anchors)
        assert reloader.authorities is not None
        # The line from before lives on; a station with a password needs no certificate; one with a certificate is known.
        assert await line.echoes()
        assert await (await dial(client_context(authority))).echoes()
        assert await (await dial(shows(authority, ours.station(), tmp_path))).echoes()
        stranger = Authority("Strangers").client("ST-1")
        with pytest.raises(TURNED_AWAY):
            await (await dial(shows(authority, stranger, tmp_path))).echoes()


async def test_a_station_that_sends_its_certificate_alone_is_known(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    reloader = CertificateReloader(files)
    ours = Ours()
    reloader.trust(ours.anchors)
    station = ours.station()
    alone = Issued(station.certificate, station.key)
    async with echo(reloader.context) as dial:
        assert await (await dial(shows(authority, alone, tmp_path))).echoes()


async def test_configured_authorities_stay_and_new_files_keep_ours(
    authority: Authority, files: TlsFiles, tmp_path: Path
) -> None:
    configured = Authority("Configured")
    bundle = tmp_path / "clients.pem"
    bundle.write_bytes(configured.pem)
    files = TlsFiles(ec_cert=files.ec_cert, ec_key=files.ec_key, client_ca=bundle)
    reloader = CertificateReloader(files)
    ours = Ours("EC")
    reloader.trust(ours.anchors)
    async with echo(reloader.context) as dial:
        for _ in range(2):
            assert await (await dial(shows(authority, configured.client("ST-1"), tmp_path))).echoes()
            assert await (await dial(shows(authority, ours.station(), tmp_path))).echoes()
            authority.server("EC").write(tmp_path, "server")
            assert reloader.check()


async def test_where_lists_are_asked_for_ours_count_too(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    configured = Authority("Configured")
    bundle, crl = tmp_path / "clients.pem", tmp_path / "clients.crl"
    bundle.write_bytes(configured.pem)
    crl.write_bytes(configured.revocations())
    reloader = CertificateReloader(
        TlsFiles(ec_cert=files.ec_cert, ec_key=files.ec_key, client_ca=bundle, client_crl=crl)
    )
    assert reloader.wants_lists
    ours = Ours()
    good, revoked = ours.station("ST-1"), ours.station("ST-2")
    reloader.trust(ours.anchors, ours.lists())
    async with echo(reloader.context) as dial:
        assert await (await dial(shows(authority, revoked, tmp_path))).echoes()
        reloader.trust(ours.anchors, ours.lists(revoked))
        with pytest.raises(TURNED_AWAY):
            await (await dial(shows(authority, revoked, tmp_path))).echoes()
        assert await (await dial(shows(authority, good, tmp_path))).echoes()
        assert await (await dial(shows(authority, configured.client("ST-3"), tmp_path))).echoes()
    assert reloader.authorities is not None
    told = reloader.authorities.read(revoked.der, is_chain_verified=True, at=clock.now())
    assert told.problem == "revoked"


def test_behind_a_proxy_our_stations_are_known_by_what_it_passes_on() -> None:
    reloader = CertificateReloader(TlsFiles())
    ours = Ours()
    reloader.trust(ours.anchors)
    assert reloader.authorities is not None
    station = ours.station()
    read = reloader.authorities.read
    assert read(station.der, is_chain_verified=False, at=clock.now()).problem is None
    assert read(station.der, is_chain_verified=False, at=clock.now() + timedelta(days=91)).problem == "expired"
    stranger = Ours().station()
    assert read(stranger.der, is_chain_verified=False, at=clock.now()).problem == "untrusted"
