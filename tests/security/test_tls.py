"""The TLS listener over loopback: which stations can talk to it, and how its files are replaced."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ohmstead.core import clock
from ohmstead.ocpp.tls import CertificateReloader, TlsError, TlsFiles, build_context
from ohmstead.settings import Settings, SettingsError
from tests.security.pki import DAY, Authority, Issued, client_context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test servers CA")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> TlsFiles:
    """Both chains."""
    ec_cert, ec_key = authority.server("EC").write(tmp_path, "ec")
    rsa_cert, rsa_key = authority.server("RSA").write(tmp_path, "rsa")
    return TlsFiles(ec_cert=ec_cert, ec_key=ec_key, rsa_cert=rsa_cert, rsa_key=rsa_key)


class Line:
    """An open connection to the echo listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.tls: ssl.SSLObject = writer.get_extra_info("ssl_object")

    async def echoes(self) -> bool:
        self.writer.write(b"hello\n")
        return await asyncio.wait_for(self.reader.readline(), 5) == b"hello\n"

    @property
    def certificate(self) -> x509.Certificate:
        der = self.tls.getpeercert(True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


# asyncio resets the socket without sending OpenSSL's alert.
TURNED_AWAY = (ssl.SSLError, ConnectionError)
Dial = Callable[..., Coroutine[Any, Any, Line]]


@asynccontextmanager
async def echo(context: ssl.SSLContext | None) -> AsyncIterator[Dial]:
    """A TLS listener that echoes lines; gives a way to connect to it."""
    assert context is not None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, ssl_handshake_timeout=5)
    port = server.sockets[0].getsockname()[1]
    lines: list[Line] = []

    async def dial(client: ssl.SSLContext, server_hostname: str = "csms.example") -> Line:
        opened = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=server_hostname)
        lines.append(Line(*opened))
        return lines[-1]

    try:
        yield dial
    finally:
        for line in lines:
            line.writer.close()
        server.close()


# ---- who can talk to it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "kind"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", ec.EllipticCurvePublicKey),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", ec.EllipticCurvePublicKey),
        ("ECDHE-RSA-AES128-GCM-SHA256", rsa.RSAPublicKey),
        ("ECDHE-RSA-AES256-GCM-SHA384", rsa.RSAPublicKey),
    ],
)
async def test_a_station_that_knows_one_kind_of_key_gets_that_certificate(
    suite: str, kind: type, files: TlsFiles, authority: Authority
) -> None:
    async with echo(CertificateReloader(files).context) as dial:
        line = await dial(client_context(authority, ciphers=suite))
        assert await line.echoes()
        assert isinstance(line.certificate.public_key(), kind)
        assert (line.tls.cipher() or ("",))[0] == suite
        assert line.tls.compression() is None


async def test_a_modern_station_gets_tls_1_3_and_one_that_names_no_server_is_served(
    files: TlsFiles, authority: Authority
) -> None:
    async with echo(CertificateReloader(files).context) as dial:
        line = await dial(client_context(authority))
        assert line.tls.version() == "TLSv1.3"
        nameless = client_context(authority)
        nameless.check_hostname = False
        assert await (await dial(nameless, server_hostname="")).echoes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "suites",
    ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA256", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"],
)
async def test_suites_without_forward_secrecy_or_authenticated_encryption_are_refused(
    suites: str, files: TlsFiles, authority: Authority
) -> None:
    failures: list[str] = []
    async with echo(CertificateReloader(files, failures.append).context) as dial:
        with pytest.raises(TURNED_AWAY):
            await dial(client_context(authority, ciphers=suites))
    assert failures == ["no_shared_cipher"]


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "AES256-GCM-SHA384"])
async def test_the_rsa_suites_of_ocpp_can_be_switched_on(suite: str, files: TlsFiles, authority: Authority) -> None:
    opted_in = TlsFiles(
        rsa_cert=files.rsa_cert,
        rsa_key=files.rsa_key,
        ec_cert=files.ec_cert,
        ec_key=files.ec_key,
        allows_rsa_key_exchange=True,
    )
    async with echo(CertificateReloader(opted_in).context) as dial:
        line = await dial(client_context(authority, ciphers=suite))
        assert await line.echoes()
        assert (line.tls.cipher() or ("",))[0] == suite
        strong = await dial(client_context(authority, ciphers=f"{suite}:ECDHE-RSA-AES128-GCM-SHA256"))
        assert (strong.tls.cipher() or ("",))[0] == "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_tls_1_1_is_refused(files: TlsFiles, authority: Authority) -> None:
    old = client_context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    failures: list[str] = []
    async with echo(CertificateReloader(files, failures.append).context) as dial:
        with pytest.raises(TURNED_AWAY):
            await dial(old)
    assert failures == ["unsupported_protocol"]


async def test_a_plain_request_on_the_tls_port_is_counted_and_disturbs_nobody(
    files: TlsFiles, authority: Authority
) -> None:
    failures: list[str] = []
    async with echo(CertificateReloader(files, failures.append).context) as dial:
        line = await dial(client_context(authority))
        port = line.writer.get_extra_info("peername")[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /ocpp/CP-1 HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) != b"HTTP/1.1 101"
        writer.close()
        assert await line.echoes()
    assert failures == ["http_request"]


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_one_kind_of_certificate_is_enough(kind: str, files: TlsFiles, authority: Authority) -> None:
    cert, key = getattr(files, f"{kind}_cert"), getattr(files, f"{kind}_key")
    settings = (
        Settings(tls_ec_cert=cert, tls_ec_key=key) if kind == "ec" else Settings(tls_rsa_cert=cert, tls_rsa_key=key)
    )
    async with echo(build_context(settings)) as dial:
        assert await (await dial(client_context(authority))).echoes()


async def test_a_chain_with_its_sub_authority_is_sent_whole(authority: Authority, tmp_path: Path) -> None:
    cert, key = Authority("Sub CA", parent=authority).server().write(tmp_path, "sub")
    async with echo(CertificateReloader(TlsFiles(ec_cert=cert, ec_key=key)).context) as dial:
        assert await (await dial(client_context(authority))).echoes()


def test_without_certificates_there_is_no_listener() -> None:
    assert build_context(Settings()) is None
    assert CertificateReloader(TlsFiles()).context is None


def test_the_environment_names_every_file(tmp_path: Path) -> None:
    names = ("ec_cert", "ec_key", "rsa_cert", "rsa_key", "client_ca", "client_crl")
    env = {f"OHMSTEAD_TLS_{name.upper()}": str(tmp_path / name) for name in names}
    files = TlsFiles.of(Settings.from_env(env | {"OHMSTEAD_TLS_ALLOWS_RSA_KEY_EXCHANGE": "true"}))
    assert files.paths() == [tmp_path / name for name in names]
    assert [kind for kind, _, _ in files.pairs()] == ["EC", "RSA"]
    assert files.allows_rsa_key_exchange


def test_revocation_lists_need_their_authority() -> None:
    with pytest.raises(SettingsError, match="needs OHMSTEAD_TLS_CLIENT_CA"):
        Settings.from_env({"OHMSTEAD_TLS_CLIENT_CRL": "x"})


def test_the_organization_counts_for_our_own_authority_too() -> None:
    settings = Settings.from_env({"OHMSTEAD_TLS_CLIENT_ORGANIZATION": "Harbour Charging"})
    assert settings.tls_client_organization == "Harbour Charging"


def test_behind_a_proxy_an_authority_is_enough() -> None:
    env = {"OHMSTEAD_TLS_CLIENT_CA": "/etc/ssl/stations.pem", "OHMSTEAD_TRUSTED_PROXIES": "10.0.0.0/8"}
    assert not Settings.from_env(env).has_tls


def test_it_works_on_uvloop_too(files: TlsFiles, authority: Authority, tmp_path: Path) -> None:
    failures: list[str] = []
    reloader = CertificateReloader(files, failures.append)

    async def scene() -> None:
        async with echo(reloader.context) as dial:
            line = await dial(client_context(authority))
            replacement = authority.server("EC", valid=(-DAY, 90 * DAY))
            replacement.write(tmp_path, "ec")
            assert reloader.check()
            assert (await dial(client_context(authority))).certificate == replacement.certificate
            assert await line.echoes()
            with pytest.raises(TURNED_AWAY):
                await dial(client_context(authority, ciphers="AES128-GCM-SHA256"))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())
    assert failures == ["no_shared_cipher"]


# ---- new files -------------------------------------------------------------------------------------------------------


async def test_new_certificates_are_used_without_dropping_a_socket(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    reloader = CertificateReloader(files)
    async with echo(reloader.context) as dial:
        old = await dial(client_context(authority))
        for kind, name in (("EC", "ec"), ("RSA", "rsa")):
            renewed = authority.server(kind, valid=(-DAY, 90 * DAY))  # type: ignore[arg-type]
            renewed.write(tmp_path, name)
            assert reloader.check()
            suite = f"ECDHE-{'ECDSA' if kind == 'EC' else 'RSA'}-AES128-GCM-SHA256"
            new = await dial(client_context(authority, ciphers=suite))
            assert new.certificate == renewed.certificate
            assert new.certificate != old.certificate
            assert await new.echoes()
        assert await old.echoes()


async def test_the_watch_notices_new_files_by_itself(files: TlsFiles, authority: Authority, tmp_path: Path) -> None:
    reloader = CertificateReloader(files)
    watch = asyncio.create_task(reloader.run(interval_s=0.02))
    async with echo(reloader.context) as dial:
        renewed = authority.server("EC", valid=(-DAY, 90 * DAY))
        renewed.write(tmp_path, "ec")
        for _ in range(200):
            if (await dial(client_context(authority))).certificate == renewed.certificate:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the new certificate was never served")
        assert not watch.done()
    watch.cancel()


def _damage_cert(files: TlsFiles, _authority: Authority) -> None:
    assert files.ec_cert is not None
    files.ec_cert.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


def _empty_cert(files: TlsFiles, _authority: Authority) -> None:
    assert files.ec_cert is not None
    files.ec_cert.write_bytes(b"")


def _remove_key(files: TlsFiles, _authority: Authority) -> None:
    assert files.rsa_key is not None
    files.rsa_key.unlink()


def _half_renew(files: TlsFiles, authority: Authority) -> None:
    assert files.ec_cert is not None
    files.ec_cert.write_bytes(authority.server("EC").pem)


def _expired(files: TlsFiles, authority: Authority) -> None:
    assert files.ec_cert is not None
    authority.server("EC", valid=(-9 * DAY, -DAY)).write(files.ec_cert.parent, "ec")


def _wrong_kind(files: TlsFiles, authority: Authority) -> None:
    assert files.ec_cert is not None
    authority.server("RSA").write(files.ec_cert.parent, "ec")


def _locked_key(files: TlsFiles, authority: Authority) -> None:
    assert files.ec_cert is not None
    authority.server("EC").write(files.ec_cert.parent, "ec", passphrase=b"secret")


BROKEN = [
    (_damage_cert, "ec.pem"),
    (_empty_cert, "ec.pem"),
    (_remove_key, "rsa.key"),
    (_half_renew, "ec.key"),
    (_expired, "has expired"),
    (_wrong_kind, "no EC key"),
    (_locked_key, "passphrase"),
]


@pytest.mark.parametrize(("harm", "told"), BROKEN)
async def test_broken_new_files_are_refused_by_name_and_the_old_ones_stay(
    harm: Callable[[TlsFiles, Authority], None], told: str, files: TlsFiles, authority: Authority
) -> None:
    reloader = CertificateReloader(files)
    async with echo(reloader.context) as dial:
        before = (await dial(client_context(authority))).certificate
        harm(files, authority)
        with structlog.testing.capture_logs() as logs:
            assert not reloader.check()
            assert not reloader.check()
        assert [line["event"] for line in logs] == ["tls_files_not_reloaded"]
        assert told in logs[0]["problem"]
        line = await dial(client_context(authority))
        assert line.certificate == before
        assert await line.echoes()


@pytest.mark.parametrize(("harm", "told"), [pair for pair in BROKEN if pair[0] is not _expired])
def test_broken_files_at_the_start_are_an_error_that_names_them(
    harm: Callable[[TlsFiles, Authority], None], told: str, files: TlsFiles, authority: Authority
) -> None:
    harm(files, authority)
    with pytest.raises(TlsError, match=told):
        CertificateReloader(files)


async def test_a_renewal_in_two_steps_is_taken_over_with_the_second(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    renewed = authority.server("EC", valid=(-DAY, 90 * DAY))
    spare = tmp_path / "spare"
    spare.mkdir()
    _, new_key = renewed.write(spare, "ec")
    assert files.ec_cert is not None
    assert files.ec_key is not None
    reloader = CertificateReloader(files)
    files.ec_cert.write_bytes(renewed.pem)
    assert not reloader.check()
    new_key.rename(files.ec_key)
    assert reloader.check()
    async with echo(reloader.context) as dial:
        assert (await dial(client_context(authority))).certificate == renewed.certificate


def test_nothing_is_loaded_while_nothing_changes_unless_forced(files: TlsFiles) -> None:
    reloader = CertificateReloader(files)
    assert not reloader.check()
    assert reloader.check(is_forced=True)


def test_an_expiry_that_comes_near_is_told(authority: Authority, tmp_path: Path) -> None:
    def warned(issued: Issued) -> list[str]:
        cert, key = issued.write(tmp_path, "ec")
        return CertificateReloader(TlsFiles(ec_cert=cert, ec_key=key)).warnings(clock.now())

    assert warned(authority.server(valid=(-DAY, 60 * DAY))) == []
    assert "expires" in warned(authority.server(valid=(-DAY, 5 * DAY)))[0]
    assert "has expired" in warned(authority.server(valid=(-9 * DAY, -timedelta(hours=1))))[0]
