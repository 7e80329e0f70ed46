"""Attacks on the door, over real sockets: each ends before the upgrade, and nobody else is disturbed.

The numbers are the published classes of attacks on charging back-ends: 1 missing or wrong credentials, 2 hostile
identities, 3 shadowing of a live identity, 4 guessing, 9 downgrade of the security profile, 10 client certificates.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ohmstead.ocpp.security import Policy, StationIdentity
from ohmstead.ocpp.tls import CertificateReloader, TlsError, TlsFiles
from ohmstead.stations import credentials
from tests.security.door import Door, open_door
from tests.security.pki import DAY, Authority, Issued, client_context

PEPPER = b"p" * 32
KEY = "00ff3a5c7e9b1d2f4a6c8e0b1d3f5a7c9e0b2d4f"
LOOPBACK = (ip_network("127.0.0.0/8"),)
# In TLS 1.3 a client learns of its refusal only when it reads.
TURNED_AWAY = (aiohttp.ClientError, ssl.SSLError, ConnectionError)


def basic(user: str, password: bytes | str = KEY) -> dict[str, str]:
    secret = password.encode() if isinstance(password, str) else password
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()}


class Site:
    """Authorities, files and a register with one station of each profile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Authority("Servers CA")
        self.stations = Authority("Stations CA", "RSA")
        self.sub = Authority("Stations sub CA", parent=self.stations)
        self.strangers = Authority("Strangers CA")
        self.register: dict[str, StationIdentity] = {}
        cert, key = self.servers.server("EC").write(directory, "ec")
        rsa_cert, rsa_key = self.servers.server("RSA").write(directory, "rsa")
        self.ca, self.crl = directory / "ca.pem", directory / "crl.pem"
        self.ca.write_bytes(self.stations.pem)
        self.files = TlsFiles(ec_cert=cert, ec_key=key, rsa_cert=rsa_cert, rsa_key=rsa_key, client_ca=self.ca)
        self.with_crl = TlsFiles(
            ec_cert=cert, ec_key=key, rsa_cert=rsa_cert, rsa_key=rsa_key, client_ca=self.ca, client_crl=self.crl
        )
        self.count = 0

    async def enrol(self) -> None:
        hashed = await credentials.hash_secret(KEY, PEPPER, is_generated=True)
        for profile in range(4):
            name = f"CP-{profile}"
            self.register[name] = StationIdentity(station_id=name, security_profile=profile, secret_hash=hashed)

    def tls(self, shown: Issued | None = None) -> ssl.SSLContext:
        """A station's TLS side, showing a certificate."""
        if shown is None:
            return client_context(self.servers)
        self.count += 1
        return client_context(self.servers, shown.write(self.directory, f"client-{self.count}"))


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    await made.enrol()
    return made


@pytest.fixture
async def door(site: Site) -> AsyncIterator[Door]:
    async with open_door(CertificateReloader(site.files), site.register, Policy(pepper=PEPPER)) as opened:
        yield opened


@pytest.fixture
async def proxied(site: Site) -> AsyncIterator[Door]:
    """A door that trusts a proxy on this machine."""
    async with open_door(CertificateReloader(site.files), site.register, Policy(pepper=PEPPER), LOOPBACK) as opened:
        yield opened


# ---- 1 credentials, 2 identities -------------------------------------------------------------------------------------


async def test_the_genuine_station_of_each_profile_is_admitted(door: Door, site: Site) -> None:
    assert (await door.knock("CP-0"))["security_profile"] == 0
    assert (await door.knock("CP-1", headers=basic("CP-1")))["security_profile"] == 1
    assert (await door.knock("CP-2", headers=basic("CP-2"), tls=site.tls()))["security_profile"] == 2
    mutual = await door.knock("CP-3", tls=site.tls(site.stations.client("CP-3")))
    assert (mutual["security_profile"], mutual["station_id"]) == (3, "CP-3")


@pytest.mark.parametrize("password", [bytes.fromhex(KEY), KEY.encode(), KEY.upper().encode()])
async def test_a_1_6_key_is_accepted_as_bytes_and_as_digits(password: bytes, door: Door) -> None:
    assert "station_id" in await door.knock("CP-1", headers=basic("CP-1", password))


@pytest.mark.parametrize(
    ("identity", "headers", "status"),
    [
        ("CP-1", {}, 401),
        ("CP-9", {}, 401),
        ("CP-1", basic("CP-1", "wrong"), 401),
        ("CP-1", basic("CP-1", ""), 401),
        ("CP-9", basic("CP-9"), 404),
        ("CP-1", basic("CP-0"), 401),
        ("CP-1", basic("", KEY), 401),
        ("CP-1", {"Authorization": "Bearer " + KEY}, 401),
        ("CP-1", {"Authorization": "Basic !!!"}, 401),
    ],
)
async def test_nobody_enters_without_the_stations_own_credentials(
    identity: str, headers: dict[str, str], status: int, door: Door
) -> None:
    assert (await door.knock(identity, headers=headers))["status"] == status


async def _request_line(door: Door, path: bytes, headers: bytes = b"") -> bytes:
    """The status line after a hand-written request: clients tidy paths up before they send them."""
    host, port = door.url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n" + headers + b"\r\n"
    )
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return line


@pytest.mark.parametrize(
    "path",
    [
        b"/ocpp/",
        b"/ocpp/CP-0/../CP-1",
        b"/ocpp/..",
        b"/ocpp/%2e%2e",
        b"/ocpp/..%2fCP-0",
        b"/ocpp/CP-0%2f..%2fCP-1",
        b"/ocpp/CP-0%00",
        b"/ocpp/CP%252D0",
        b"/ocpp/CP-0%0d%0aX-Client-Cert:%20x",
        b"/ocpp/CP-%C3%A9",
        b"/ocpp/CP-\xc3\xa9",
        b"/ocpp/CP-%ff",
        b"/ocpp/" + b"A" * 49,
        b"/ocpp/" + b"%41" * 2000,
        b"/ocpp/CP-0//",
        b"/ocpp/CP-0%",
    ],
)
async def test_hostile_identities_end_in_a_4xx(path: bytes, door: Door) -> None:
    status = await _request_line(door, path)
    assert status.split()[1].startswith(b"4"), status
    assert "station_id" in await door.knock("CP-0")


@pytest.mark.parametrize("path", [b"/ocpp/CP-0", b"/ocpp/CP-0/", b"/ocpp/CP%2D0", b"/ocpp/%43P-0?token=x"])
async def test_a_good_identity_in_any_spelling_is_upgraded(path: bytes, door: Door) -> None:
    assert (await _request_line(door, path)).startswith(b"HTTP/1.1 101")


async def test_raw_bytes_of_any_value_in_the_credentials_header_do_no_harm(door: Door) -> None:
    for junk in (b"Basic \xff\xfe\x00"[:8], b"Basic \xc3\xa4", b"\xff" * 30):
        status = await _request_line(door, b"/ocpp/CP-1", b"Authorization: " + junk + b"\r\n")
        assert status.split()[1] in (b"400", b"401"), status
    assert "station_id" in await door.knock("CP-1", headers=basic("CP-1"))


# ---- 3 shadowing, 4 guessing -----------------------------------------------------------------------------------------


async def test_attempts_without_credentials_leave_a_live_socket_alone(door: Door) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{door.url}/ocpp/CP-1", headers=basic("CP-1")) as live,
    ):
        await live.receive_bytes(timeout=5)
        for headers in ({}, basic("CP-1", "wrong"), basic("CP-0")):
            assert (await door.knock("CP-1", headers=headers))["status"] == 401
        await live.send_str("still here")
        assert await live.receive_str(timeout=5) == "still here"


async def test_guessing_a_password_is_stopped_and_the_station_elsewhere_is_not(proxied: Door) -> None:
    thief, home = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.7"}
    answers = [await proxied.knock("CP-1", headers=basic("CP-1", f"guess-{n}") | thief) for n in range(8)]
    assert [answer["status"] for answer in answers] == [401] * 5 + [429] * 3
    assert int(answers[-1]["headers"]["Retry-After"]) >= 1
    assert (await proxied.knock("CP-1", headers=basic("CP-1") | thief))["status"] == 429
    assert "station_id" in await proxied.knock("CP-1", headers=basic("CP-1") | home)


async def test_an_attacker_cannot_choose_the_address_it_is_counted_by(proxied: Door, door: Door) -> None:
    for n in range(5):
        forged = {"X-Forwarded-For": f"10.9.8.{n}, 203.0.113.9"}
        await proxied.knock("CP-1", headers=basic("CP-1", "guess") | forged)
        await door.knock("CP-1", headers=basic("CP-1", "guess") | {"X-Forwarded-For": f"10.9.8.{n}"})
    again = {"X-Forwarded-For": "10.9.8.77, 203.0.113.9"}
    assert (await proxied.knock("CP-1", headers=basic("CP-1", "guess") | again))["status"] == 429
    assert (await door.knock("CP-1", headers=basic("CP-1", "guess") | again))["status"] == 429


# ---- 9 downgrade -----------------------------------------------------------------------------------------------------


async def test_a_station_cannot_be_pulled_down_to_a_weaker_profile(door: Door, site: Site) -> None:
    assert (await door.knock("CP-2", headers=basic("CP-2")))["status"] == 403
    assert (await door.knock("CP-3", headers=basic("CP-3")))["status"] == 401
    assert (await door.knock("CP-3", headers=basic("CP-3"), tls=site.tls()))["status"] == 401
    assert door.refused == ["link_too_weak", "link_too_weak", "certificate_missing"]


async def test_a_plain_link_cannot_claim_to_be_tls(door: Door, proxied: Door) -> None:
    claim = {"X-Forwarded-Proto": "https"}
    assert (await door.knock("CP-2", headers=basic("CP-2") | claim))["status"] == 403
    assert door.ignored == ["x-forwarded-proto"]
    assert (await proxied.knock("CP-2", headers=basic("CP-2") | claim))["security_profile"] == 2


# ---- 10 client certificates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_certificates_with_either_kind_of_key_identify_a_station(kind: Any, door: Door, site: Site) -> None:
    assert "station_id" in await door.knock("CP-3", tls=site.tls(site.stations.client("cp-3", kind=kind)))


async def test_a_certificate_may_name_the_stations_serial_number_instead(door: Door, site: Site) -> None:
    door.register["CP-3"] = StationIdentity(station_id="CP-3", security_profile=3, certificate_name="SN-0042")
    by_attribute = site.stations.client("Any station", serial_number="SN-0042")
    for shown in (by_attribute, site.stations.client("SN-0042")):
        assert "station_id" in await door.knock("CP-3", tls=site.tls(shown))
    assert (await door.knock("CP-3", tls=site.tls(site.stations.client("CP-3"))))["status"] == 401


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (lambda site: site.stations.client("CP-4"), "certificate_of_another"),
        (lambda site: site.stations.client("CP-4", serial_number="CP-5"), "certificate_of_another"),
        (lambda site: site.stations.client("CP-4", "CP-3"), "certificate_of_another"),
        (lambda site: site.stations.client(), "certificate_of_another"),
    ],
)
async def test_another_stations_certificate_does_not_open_this_ones_door(
    shown: Callable[[Site], Issued], reason: str, door: Door, site: Site
) -> None:
    assert (await door.knock("CP-3", tls=site.tls(shown(site))))["status"] == 401
    assert door.refused == [reason]


async def test_another_operators_certificate_of_the_same_authority_is_refused(site: Site) -> None:
    policy = Policy(pepper=PEPPER, organization="Harbour Charging")
    async with open_door(CertificateReloader(site.files), site.register, policy) as door:
        assert "station_id" in await door.knock("CP-3", tls=site.tls(site.stations.client("CP-3")))
        for organization in ("Other Charging", None):
            shown = site.stations.client("CP-3", organization=organization)
            assert (await door.knock("CP-3", tls=site.tls(shown)))["status"] == 401


BAD: list[tuple[Callable[[Site], Issued], str, str]] = [
    (lambda s: s.stations.client("CP-3", valid=(-9 * DAY, -DAY)), "certificate has expired", "expired"),
    (lambda s: s.stations.client("CP-3", valid=(DAY, 9 * DAY)), "certificate is not yet valid", "not_yet_valid"),
    (lambda s: s.strangers.client("CP-3"), "unable to get local issuer certificate", "untrusted"),
    (lambda s: Authority("Stations CA", "EC").client("CP-3"), "", "untrusted"),
    (lambda s: _self_signed("CP-3"), "self-signed certificate", "untrusted"),
    (lambda s: s.stations.client("CP-3", usage=ExtendedKeyUsageOID.SERVER_AUTH), "unsuitable", "untrusted"),
    (lambda s: _without_chain(s.sub.client("CP-3")), "unable to get local issuer certificate", "untrusted"),
]


def _self_signed(name: str) -> Issued:
    itself = Authority(name)
    return Issued(itself.certificate, itself.key)


def _without_chain(issued: Issued) -> Issued:
    return Issued(issued.certificate, issued.key)


@pytest.mark.parametrize(("shown", "told", "_problem"), BAD)
async def test_a_bad_client_certificate_ends_the_tls_handshake(
    shown: Callable[[Site], Issued], told: str, _problem: str, site: Site
) -> None:
    failures: list[str] = []
    reloader = CertificateReloader(site.files, failures.append)
    async with open_door(reloader, site.register, Policy(pepper=PEPPER)) as door:
        with pytest.raises(TURNED_AWAY):
            await door.knock("CP-3", tls=site.tls(shown(site)))
        # aiohttp's client tries a second time.
        assert failures
        assert all(told in failure for failure in failures)
        assert "station_id" in await door.knock("CP-2", headers=basic("CP-2"), tls=site.tls())


@pytest.mark.parametrize(("shown", "_told", "problem"), BAD)
async def test_a_bad_certificate_is_not_believed_from_a_trusted_proxy_either(
    shown: Callable[[Site], Issued], _told: str, problem: str, proxied: Door, site: Site
) -> None:
    assert (await proxied.knock("CP-3", headers=_passed_on(shown(site))))["status"] == 401
    assert proxied.refused == [f"certificate_{problem}"]


async def test_a_sub_authority_alone_is_enough_of_an_anchor(site: Site) -> None:
    site.ca.write_bytes(site.sub.pem)
    async with open_door(CertificateReloader(site.files), site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        shown = _without_chain(site.sub.client("CP-3"))
        assert "station_id" in await door.knock("CP-3", tls=site.tls(shown))
        assert "station_id" in await door.knock("CP-3", headers=_passed_on(shown))
        with pytest.raises(TURNED_AWAY):
            await door.knock("CP-3", tls=site.tls(site.stations.client("CP-3")))


@pytest.mark.parametrize("usage", [None, ExtendedKeyUsageOID.CLIENT_AUTH])
async def test_a_plain_authority_of_the_operators_own_will_do(usage: Any, site: Site) -> None:
    plain = Authority("Workshop CA", is_bare=True)
    site.ca.write_bytes(plain.pem)
    async with open_door(CertificateReloader(site.files), site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        shown = plain.client("CP-3", usage=usage)
        assert "station_id" in await door.knock("CP-3", tls=site.tls(shown))
        assert "station_id" in await door.knock("CP-3", headers=_passed_on(shown))


async def test_a_station_cannot_act_as_an_authority(proxied: Door, site: Site) -> None:
    station = site.stations.client("CP-4")
    forged = Authority("CP-4")
    forged.key, forged.certificate = station.key, station.certificate
    shown = forged.client("CP-3")
    with pytest.raises(TURNED_AWAY):
        await proxied.knock("CP-3", tls=site.tls(Issued(shown.certificate, shown.key, (station.certificate,))))
    assert (await proxied.knock("CP-3", headers=_passed_on(shown)))["status"] == 401


async def test_a_sub_authority_sent_with_the_certificate_is_followed(door: Door, site: Site) -> None:
    assert "station_id" in await door.knock("CP-3", tls=site.tls(site.sub.client("CP-3")))


# ---- revocation ------------------------------------------------------------------------------------------------------


async def test_a_revoked_certificate_is_refused_from_the_next_handshake_on(site: Site) -> None:
    good, stolen = site.stations.client("CP-3"), site.stations.client("CP-3")
    site.crl.write_bytes(site.stations.revocations())
    failures: list[str] = []
    reloader = CertificateReloader(site.with_crl, failures.append)
    async with open_door(reloader, site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        assert "station_id" in await door.knock("CP-3", tls=site.tls(stolen))
        assert "station_id" in await door.knock("CP-3", headers=_passed_on(stolen))
        site.crl.write_bytes(site.stations.revocations(stolen))
        assert reloader.check()
        with pytest.raises(TURNED_AWAY):
            await door.knock("CP-3", tls=site.tls(stolen))
        assert set(failures) == {"certificate revoked"}
        assert (await door.knock("CP-3", headers=_passed_on(stolen)))["status"] == 401
        assert door.refused == ["certificate_revoked"]
        assert "station_id" in await door.knock("CP-3", tls=site.tls(good))


async def test_an_old_revocation_list_lets_nobody_in_and_is_told(site: Site) -> None:
    site.crl.write_bytes(site.stations.revocations(valid_for=-DAY))
    reloader = CertificateReloader(site.with_crl)
    async with open_door(reloader, site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        shown = site.stations.client("CP-3")
        with pytest.raises(TURNED_AWAY):
            await door.knock("CP-3", tls=site.tls(shown))
        await door.knock("CP-3", headers=_passed_on(shown))
        assert door.refused == ["certificate_revocation_unknown"]
        assert "station_id" in await door.knock("CP-2", headers=basic("CP-2"), tls=site.tls())
    assert any("has expired" in told for told in reloader.warnings(site.stations.certificate.not_valid_after_utc))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda site: b"", "no revocation list"),
        (lambda site: site.stations.pem, "no revocation list"),
        (lambda site: b"-----BEGIN X509 CRL-----\nnonsense\n-----END X509 CRL-----", "cannot be read"),
        (lambda site: site.strangers.revocations(), "not signed by a configured authority"),
        (lambda site: Authority("Stations CA", "EC").revocations(), "not signed by a configured authority"),
    ],
)
def test_a_revocation_list_that_cannot_be_used_is_an_error(
    content: Callable[[Site], bytes], told: str, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    site.crl.write_bytes(content(site))
    with pytest.raises(TlsError, match=told):
        CertificateReloader(site.with_crl)


async def test_an_authority_that_is_taken_away_is_not_believed_any_more(site: Site) -> None:
    reloader = CertificateReloader(site.files)
    async with open_door(reloader, site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        old, new = site.stations.client("CP-3"), site.strangers.client("CP-3")
        assert "station_id" in await door.knock("CP-3", tls=site.tls(old))
        site.ca.write_bytes(site.strangers.pem)
        assert reloader.check()
        with pytest.raises(TURNED_AWAY):
            await door.knock("CP-3", tls=site.tls(old))
        assert (await door.knock("CP-3", headers=_passed_on(old)))["status"] == 401
        assert "station_id" in await door.knock("CP-3", tls=site.tls(new))
        assert "station_id" in await door.knock("CP-3", headers=_passed_on(new))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_resumed_session_does_not_carry_a_revoked_certificate_in(version: ssl.TLSVersion, site: Site) -> None:
    stolen = site.stations.client("CP-3")
    site.crl.write_bytes(site.stations.revocations())
    reloader = CertificateReloader(site.with_crl)
    async with open_door(reloader, site.register, Policy(pepper=PEPPER)) as door:
        context = site.tls(stolen)
        context.minimum_version = context.maximum_version = version
        status, session = await asyncio.to_thread(_dial_again, door, context, None)
        assert status.startswith(b"HTTP/1.1 101")
        site.crl.write_bytes(site.stations.revocations(stolen))
        assert reloader.check()
        status, _ = await asyncio.to_thread(_dial_again, door, context, session)
        assert not status.startswith(b"HTTP/1.1 101")


def _dial_again(
    door: Door, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bytes, ssl.SSLSession | None]:
    """Status line of an upgrade request over a (possibly resumed) TLS session."""
    host, port = door.tls_url.removeprefix("wss://").split(":")
    try:
        with (
            socket.create_connection((host, int(port)), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="csms.example", session=session) as link,
        ):
            link.sendall(
                b"GET /ocpp/CP-3 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            )
            return link.recv(4096).split(b"\r\n")[0], link.session
    except (ssl.SSLError, ConnectionError):
        return b"", None


# ---- proxies ---------------------------------------------------------------------------------------------------------


def _passed_on(issued: Issued) -> dict[str, str]:
    """What a proxy that ended the station's TLS adds."""
    pem = issued.certificate.public_bytes(Encoding.PEM).decode()
    return {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7", "X-Client-Cert": quote(pem)}


async def test_a_certificate_passed_on_by_a_trusted_proxy_identifies_the_station(proxied: Door, site: Site) -> None:
    admitted = await proxied.knock("CP-3", headers=_passed_on(site.stations.client("CP-3")))
    assert admitted["security_profile"] == 3
    assert admitted["certificate"]["common_name"] == "CP-3"
    other = await proxied.knock("CP-3", headers=_passed_on(site.stations.client("CP-4")))
    assert other["status"] == 401


async def test_a_certificate_header_from_anybody_else_is_ignored_and_seen(door: Door, site: Site) -> None:
    assert (await door.knock("CP-3", headers=_passed_on(site.stations.client("CP-3"))))["status"] == 401
    assert (await door.knock("CP-3", headers=_passed_on(site.stations.client("CP-3")), tls=site.tls()))["status"] == 401
    assert door.refused == ["link_too_weak", "certificate_missing"]
    assert door.ignored == ["x-client-cert", "x-forwarded-for", "x-forwarded-proto"] * 2


async def test_a_trusted_proxys_own_certificate_is_not_the_stations(proxied: Door, site: Site) -> None:
    of_the_proxy = site.tls(site.stations.client("CP-3"))
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}
    assert (await proxied.knock("CP-3", headers=forwarded, tls=of_the_proxy))["status"] == 401
    assert proxied.refused == ["certificate_missing"]


async def test_without_a_configured_authority_a_proxys_certificate_counts_for_nothing(site: Site) -> None:
    files = TlsFiles(ec_cert=site.files.ec_cert, ec_key=site.files.ec_key)
    async with open_door(CertificateReloader(files), site.register, Policy(pepper=PEPPER), LOOPBACK) as door:
        await door.knock("CP-3", headers=_passed_on(site.stations.client("CP-3")))
        assert door.refused == ["certificate_missing"]


@pytest.mark.parametrize(
    "header",
    ["nonsense", "%", "%ff%fe", "ä", quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), "A" * 7000],
)
async def test_a_certificate_header_that_is_none_is_refused(header: str, proxied: Door) -> None:
    answer = await proxied.knock("CP-3", headers={"X-Forwarded-Proto": "https", "X-Client-Cert": header})
    assert answer["status"] == 400
    assert proxied.refused == ["client_certificate_malformed"]
