"""Names, addresses, seals, ranges, signatures and the course of a job: decisions about files."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.ranges import Unsatisfiable, part_of
from ohmstead.settings import Settings, SettingsError
from ohmstead.stations.files.addresses import Guard, why_not
from ohmstead.stations.files.carriers import choose
from ohmstead.stations.files.links import FtpSide, Links, claim_of
from ohmstead.stations.files.names import is_version, safe_name, safe_path, suits
from ohmstead.stations.files.progress import after_boot, after_report, after_upload
from ohmstead.stations.files.signatures import check_certificate, check_signature
from ohmstead.stations.orders import GetLog, Order, Raw, SetNetworkProfile, UpdateFirmware, kind_of
from ohmstead.stations.redaction import hide_secrets, hide_secrets_in_text
from ohmstead.transfers.ftp import words
from ohmstead.transfers.ftp.channel import Pace
from tests.rules.order_examples import ALL

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
JOB = UUID(int=7)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("log.txt", "log.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/abs/olute.log", "olute.log"),
        ("a\0b.log", "ab.log"),
        ("..", "file"),
        ("", "file"),
        ("...", "file"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("ﬁrm：ware.bin", "firm_ware.bin"),
        ('a"; rm -rf x\r\nSet-Cookie: y.log', "a__ rm -rf xSet-Cookie_ y.log"),
        ("<script>.log", "_script_.log"),
        ("x" * 300 + ".tar.gz", "x" * 117 + ".gz"),
    ],
)
def test_a_name_from_outside_becomes_harmless(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


@given(st.text())
def test_no_name_leads_anywhere(text: str) -> None:
    for name in (safe_name(text), *safe_path(text).split("/")):
        assert name not in ("", ".", "..")
        assert not set(name) & set('/\\\0\r\n"<>')
        assert len(name) <= 120


def test_a_path_inside_an_archive_stays_inside() -> None:
    assert safe_path("../../var/log/./x.log") == "var/log/x.log"
    assert safe_path("C:\\logs\\today.txt") == "C_/logs/today.txt"
    assert safe_path("/") == "file"


LINKS = Links("https://files.example", b"k" * 32)
UNTIL = NOW + timedelta(hours=2)


def test_an_address_is_for_one_station_one_file_one_direction_and_a_while() -> None:
    address = LINKS.address(JOB, "CS-1", "fetch", "fw 1.bin", UNTIL)
    assert address.startswith("https://files.example/files/")
    assert address.endswith("/fw%201.bin")
    assert len(address) < 200
    claim = claim_of(address.split("/")[4])
    assert claim is not None
    assert (claim.job_id, claim.direction, claim.expires_at) == (JOB, "fetch", UNTIL)
    assert LINKS.is_genuine(claim, "CS-1", "fw 1.bin")
    assert not LINKS.is_genuine(claim, "CS-2", "fw 1.bin")
    assert not LINKS.is_genuine(claim, "CS-1", "fw 2.bin")
    assert not Links("https://files.example", b"x" * 32).is_genuine(claim, "CS-1", "fw 1.bin")


def test_no_bit_of_a_token_can_be_changed() -> None:
    token = LINKS.token(JOB, "CS-1", "send", "", UNTIL)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for bit in range(len(raw) * 8):
        raw[bit // 8] ^= 1 << bit % 8
        claim = claim_of(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))
        assert claim is None or not LINKS.is_genuine(claim, "CS-1", "")
        raw[bit // 8] ^= 1 << bit % 8


@given(st.text(max_size=250))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    claim = claim_of(text)
    assert claim is None or not LINKS.is_genuine(claim, "CS-1", "")


def test_a_token_has_one_spelling() -> None:
    token = LINKS.token(JOB, "CS-1", "send", "", UNTIL)
    assert claim_of(token) is not None
    for other in (token + "=", token + "==", token + "\n", token[:10] + "!" + token[10:], " " + token):
        assert claim_of(other) is None


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("https://firmware.example.com/a.bin", True),
        ("https://FIRMWARE.example.com.:8443/a.bin", True),
        ("ftp://user:word@cdn.maker.example/a.bin", True),
        ("https://maker.example/a.bin", False),
        ("https://evilmaker.example/a.bin", False),
        ("https://firmware.example.com.evil.test/a", False),
        ("https://firmware.example.com@evil.test/a", False),
        ("https://evil.test/?https://firmware.example.com", False),
        ("https://evil.test\\@firmware.example.com/", False),
        ("http://127.0.0.1/", False),
        ("http://[::1]/", False),
        ("http://2130706433/", False),
        ("http://0x7f.1/", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://10.1.2.3/log", True),
        ("file:///etc/passwd", False),
        ("gopher://firmware.example.com/", False),
        ("firmware.example.com/a.bin", False),
        ("https:///a.bin", False),
        ("https://[bad/", False),
        ("https://firmware.example.com:99999/", False),
        ("https://firmware.example.com/a b", False),
    ],
)
def test_stations_are_sent_only_to_hosts_that_the_setting_names(address: str, is_allowed: bool) -> None:
    assert (why_not(address, {"firmware.example.com", "*.maker.example", "10.1.2.3"}) is None) is is_allowed


def test_the_guard_looks_into_every_order_and_knows_our_own_addresses() -> None:
    guard = Guard("https://files.example/files/", ("ok.example",))
    ours, foreign = "https://files.example/files/x", "https://evil.test/x"
    guard.check(GetLog(url=ours, request_id=1))
    guard.check(GetLog(url="https://ok.example/x", request_id=1))
    guard.check(Raw(action="DataTransfer", payload={"location": foreign}))
    for order in (
        GetLog(url=foreign, request_id=1),
        UpdateFirmware(url=foreign, request_id=1, retrieve_at=NOW),
        GetLog(url="https://files.example.evil.test/files/x", request_id=1),
        Raw(action="GetDiagnostics", payload={"location": foreign}),
        Raw(action="GetLog", payload={"log": {"remoteLocation": foreign}}),
        Raw(action="UpdateFirmware", payload={"firmware": {"location": foreign}}),
    ):
        with pytest.raises(Refused, match="OHMSTEAD_FILE_HOSTS"):
            guard.check(order)


# A network profile names the system that a station reports to, no file.
WITH_ADDRESS = [order for order in ALL if hasattr(order, "url") and not isinstance(order, SetNetworkProfile)]


@pytest.mark.parametrize("order", WITH_ADDRESS, ids=kind_of)
def test_without_a_guard_of_ones_own_no_order_with_an_address_leaves(order: Order) -> None:
    with pytest.raises(Refused, match="OHMSTEAD_FILE_HOSTS"):
        Guard("", ()).check(order)


def test_a_refused_address_is_told_without_its_password() -> None:
    with pytest.raises(Refused) as refused:
        Guard("", ()).check(GetLog(url="ftp://user:hunter2@evil.test/x", request_id=1))
    assert "hunter2" not in refused.value.text + str(refused.value.detail)


def test_what_opens_a_file_is_not_shown_in_messages_and_orders() -> None:
    address = LINKS.address(JOB, "CS-1", "send", "", UNTIL)
    token = address.rpartition("/")[2]
    order = {"location": address, "log": {"remoteLocation": [address + "/x"]}, "other": "/files/ is short"}
    for shown in (str(hide_secrets(order)), hide_secrets_in_text(msgspec.json.encode(order).decode())):
        assert shown is not None
        assert token not in shown
        assert "/files/ is short" in shown


def test_a_bucket_needs_its_key_in_the_address() -> None:
    env = {"OHMSTEAD_DATA_DIR": "/tmp/x", "OHMSTEAD_FILES_BUCKET_URL": "https://s3.example/bucket"}
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(env)
    assert refused.value.value is None
    env["OHMSTEAD_FILES_BUCKET_URL"] = "https://key:se%2Fcret@s3.example:9000/bucket/prefix?region=eu-central-1"
    assert Settings.from_env(env).files_bucket_url == env["OHMSTEAD_FILES_BUCKET_URL"]
    assert "se%2F" not in repr(Settings.from_env(env))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-99", (0, 99)),
        ("bytes=100-", (100, 999)),
        ("bytes=-1", (999, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=900-5000", (900, 999)),
        ("bytes=5-1", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=0-99999999999999999999999", None),
    ],
)
def test_a_part_of_a_file_is_what_the_header_asks_for(header: str, part: tuple[int, int] | None) -> None:
    assert part_of(header, 1000) == part


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=-0", "bytes=5000-6000"])
def test_a_part_outside_the_file_cannot_be_had(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        part_of(header, 1000)


def test_an_image_suits_stations_by_pattern() -> None:
    told = {"vendor": "Example Power", "model": "EP-150", "version": "1.4.2"}
    everything = {"vendor_pattern": "*", "model_pattern": "*", "from_version": "*"}
    assert suits(**told, **everything)
    assert suits(**told, **everything | {"vendor_pattern": "example *", "model_pattern": "EP-1?0"})
    assert not suits(**told, **everything | {"from_version": "2.*"})
    unknown: dict[str, None] = dict.fromkeys(told)
    assert suits(**unknown, **everything)
    assert not suits(**unknown, **everything | {"vendor_pattern": "Example*"})


def test_versions_are_compared_as_people_do() -> None:
    assert is_version("V1.2.3 ", "1.2.3")
    assert not is_version("1.2.30", "1.2.3")
    assert not is_version(None, "1.2.3")
    assert not is_version("", "")
    assert not is_version("vnext", "next")


def test_firmware_is_installed_only_when_the_station_runs_it() -> None:
    status = "ordered"
    for word, expected in (
        ("downloading", "downloading"),
        ("downloaded", "downloaded"),
        ("signature_verified", "verified"),
        ("idle", "verified"),
        ("installing", "installing"),
        ("install_rebooting", "rebooting"),
        ("installed", "reported"),
    ):
        status = after_report("firmware", status, word)  # type: ignore[arg-type]
        assert status == expected
    assert after_boot("reported", "2.0", "1.0", "1.0") == "old_version"
    assert after_boot("reported", "2.0", "2.0", "1.0") == "installed"
    assert after_boot("downloading", "2.0", "1.0", "1.0") == "downloading"
    assert after_boot("failed", "2.0", "V2.0", "1.0") == "installed"
    assert after_boot("installed", "2.0", "1.0", "1.0") == "old_version"
    assert after_boot("installed", "2.0", "3.0", "1.0") == "installed"
    assert after_boot("reported", None, "1.0", "1.0") == "reported"


def test_a_station_that_came_back_old_cannot_talk_itself_new() -> None:
    assert after_report("firmware", "old_version", "installed") == "old_version"
    assert after_report("firmware", "old_version", "downloading") == "downloading"
    assert after_report("firmware", "installed", "download_failed") == "installed"
    assert after_report("firmware", "superseded", "installing") == "superseded"


def test_a_log_is_done_when_it_is_here_and_the_station_says_so() -> None:
    assert after_report("log", "uploading", "uploaded", has_file=False) == "uploading"
    assert after_report("log", "received", "uploaded", has_file=True) == "done"
    assert after_upload("uploading", is_said_done=False) == "received"
    assert after_upload("uploading", is_said_done=True) == "done"
    assert after_report("log", "uploading", "upload_failure") == "failed"
    assert after_report("log", "done", "uploading", has_file=True) == "done"


# ----------------------------------------------------------------------------------------------------- signatures


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *, days: int = 30, signs: bool = True) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Maker")])
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(uuid4().int >> 1)
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.KeyUsage(digital_signature=signs, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


CURVE, LONG = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
IMAGE = b"the image"


def digest() -> str:
    made = hashes.Hash(hashes.SHA256())
    made.update(IMAGE)
    return made.finalize().hex()


@pytest.mark.parametrize("form", ["ecdsa", "pss", "pkcs1"])
def test_a_signature_of_each_kind_that_makers_use_is_verified(form: str) -> None:
    if form == "ecdsa":
        pem, raw = certificate(CURVE), CURVE.sign(IMAGE, ec.ECDSA(hashes.SHA256()))
    else:
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        pem, raw = certificate(LONG), LONG.sign(IMAGE, pss if form == "pss" else padding.PKCS1v15(), hashes.SHA256())
    signature = base64.b64encode(raw).decode()
    check_signature(pem, signature, digest(), NOW)
    with pytest.raises(Invalid, match="does not belong"):
        check_signature(pem, signature, "00" * 32, NOW)
    with pytest.raises(Invalid, match="base64"):
        check_signature(pem, signature + "!", digest(), NOW)


def test_a_certificate_that_is_over_weak_or_for_other_uses_signs_nothing() -> None:
    for pem, why in (
        (certificate(CURVE, days=-1), "only"),
        (certificate(CURVE, signs=False), "key usage"),
        (certificate(rsa.generate_private_key(65537, 1024)), "short"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "PEM"),
        ("", "PEM"),
    ):
        with pytest.raises(Invalid, match=why) as refused:
            check_certificate(pem, NOW)
        assert refused.value.field == "signing_certificate"


@pytest.mark.parametrize(
    ("wanted", "quirk", "told", "offered", "chosen"),
    [
        (None, None, None, "http ftp ftps", "http"),
        (None, None, "FTP", "http ftp ftps", "ftp"),
        (None, None, "FTP,FTPS", "http ftp ftps", "ftps"),
        (None, None, "ftp, https", "http ftp", "http"),
        (None, None, "FTP,HTTP", "http ftp", "ftp"),  # ours is HTTPS
        (None, None, "FTP", "http", "http"),
        (None, None, "SFTP", "http ftp", "http"),
        (None, "ftp", "HTTPS", "http ftp", "ftp"),
        (None, "ftp", "HTTPS", "http", "http"),
        ("http", "ftp", "FTP", "http ftp", "http"),
        ("ftps", None, None, "http ftps", "ftps"),
    ],
)
def test_how_a_station_is_sent_to_us(wanted: Any, quirk: Any, told: str | None, offered: str, chosen: str) -> None:
    found = choose(wanted, quirk=quirk, told=told, offered=offered.split(), is_encrypted=True)  # type: ignore[arg-type]
    assert found == chosen


def test_a_wish_that_cannot_be_met_names_the_setting() -> None:
    with pytest.raises(Refused, match="OHMSTEAD_FTPS_PORT"):
        choose("ftps", quirk=None, told=None, offered=("http", "ftp"), is_encrypted=True)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("ftp://user:pass-1_@files.example:2121/fw.bin", False),
        ("ftp://user:pass@files.example:2122/fw.bin", True),
        ("ftp://user:pass@files.example:2121@evil.test/fw.bin", True),
        ("ftp://evil.test/x@files.example:2121/fw.bin", True),
        ("ftps://user:pass@files.example:2121/fw.bin", True),
    ],
)
def test_addresses_of_ours_by_ftp_are_known_by_host_and_port(address: str, is_refused: bool) -> None:
    guard = Guard(Links("https://files.example", b"k" * 32, FtpSide("files.example", 2121, None)).ours, ())
    order = GetLog(url=address, request_id=1)
    if is_refused:
        with pytest.raises(Refused):
            guard.check(order)
    else:
        guard.check(order)


def test_users_and_passwords_in_addresses_are_blotted_out() -> None:
    secret = "ftp://AZxx-_12:geheim@files.example:2121/fw.bin"
    for text in (hide_secrets_in_text(f'{{"location": "{secret}"}}') or "", str(hide_secrets({"url": secret}))):
        assert "geheim" not in text
        assert "AZxx" not in text
        assert "files.example:2121/fw.bin" in text
    plain = '{"text": "write to ada@example.com, 10:30"}'
    assert hide_secrets_in_text(plain) == plain


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *(("fw.bin", "fw.bin"), ("/fw.bin", "fw.bin"), ("./a/../fw.bin", "fw.bin"), ("../../fw.bin", "fw.bin")),
        *(("", ""), ("/", ""), ("..", ""), ("../../etc/passwd", "etc/passwd"), ("..\\..\\x", "x")),
    ],
)
def test_paths_of_ftp_never_lead_out(given: str, meant: str) -> None:
    assert words.path_of(given) == meant


@given(st.binary(max_size=300))
def test_any_line_is_a_command_or_none(line: bytes) -> None:
    said = words.read(line)
    assert said is None or (said.word.isascii() and said.word.isupper() and "\0" not in said.argument)


async def test_a_pace_lets_no_more_through_than_it_says() -> None:
    begun = time.monotonic()
    slow, free = Pace(50_000), Pace(0)
    for _ in range(10):
        await slow.passed(1000)
        await free.passed(10**9)
    assert time.monotonic() - begun >= 0.19
