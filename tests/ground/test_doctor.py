"""The doctor: what it finds, and that it says how to mend it."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ohmstead import doctor
from ohmstead.core import health
from ohmstead.core.health import Finding
from ohmstead.doctor import examine
from ohmstead.settings import Settings

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def write_certificate(folder: Path, name: str, key: PrivateKey, days: int) -> tuple[Path, Path]:
    """A certificate that ends `days` from now, signed by itself, and its key."""
    now = datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert_file, key_file


def worst(findings: list[Finding], name: str) -> Finding:
    """The worst of the findings whose name begins so."""
    order = ("failed", "attention", "ok")
    return min((f for f in findings if f.name.startswith(name)), key=lambda f: order.index(f.state))


async def test_a_healthy_installation_has_no_failures(settings: Settings) -> None:
    findings = await examine(settings)
    # The test's own server may run without syncing, and is told so.
    assert [f for f in findings if f.state == "failed" and f.name != "durability"] == []
    assert worst(findings, "migrations").text == "up to date"
    assert "PostgreSQL 1" in worst(findings, "database").text
    assert worst(findings, "clock").state == "ok"
    assert "there and back" in worst(findings, "nats").text


async def test_whatever_needs_doing_comes_with_what_to_do(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, database_url="postgresql://a:b@127.0.0.1:9/none", nats_url="nats://127.0.0.1:9"
    )
    findings = await examine(settings, stations=10_000_000)
    assert all(finding.mend for finding in findings if finding.state != "ok")
    assert worst(findings, "database").state == "failed"
    assert worst(findings, "nats").state == "failed"
    assert worst(findings, "open files").state == "attention"


async def test_it_changes_nothing(tmp_path: Path) -> None:
    await examine(Settings(data_dir=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


async def test_a_port_that_a_stranger_holds_is_named_with_its_variable(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        finding = worst(doctor.ports(Settings(data_dir=tmp_path, web_port=port)), f"port {port}")
    assert finding.state == "failed"
    assert "OHMSTEAD_WEB_PORT" in finding.mend


def test_a_secret_that_others_can_read_fails(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.secret()
    assert worst(doctor.data_directory(settings), "data").state == "ok"
    (tmp_path / "secret.key").chmod(0o644)
    finding = worst(doctor.data_directory(settings), "data")
    assert finding.state == "failed"
    assert "chmod 600" in finding.mend


@pytest.mark.parametrize(
    ("offset_s", "state"), [(0.02, "ok"), (-0.5, "ok"), (3, "attention"), (-3, "attention"), (120, "failed")]
)
def test_clocks_may_differ_by_less_than_a_second(offset_s: float, state: str) -> None:
    assert health.clock_offset(offset_s).state == state


@pytest.mark.parametrize(
    ("soft", "hard", "state", "advice"),
    [
        (65536, 65536, "ok", ""),
        (1024, 65536, "attention", "ulimit -n 5256"),
        (1024, 4096, "attention", "LimitNOFILE"),
        (-1, -1, "ok", ""),
    ],
)
def test_every_station_needs_an_open_file(soft: int, hard: int, state: str, advice: str) -> None:
    finding = doctor.open_files(5000, soft, hard)
    assert finding.state == state
    assert advice in finding.mend


@pytest.mark.parametrize(("free", "state"), [(100e6, "failed"), (600e6, "attention"), (8e9, "ok")])
def test_memory_is_judged(free: int, state: str) -> None:
    assert doctor.memory(int(free)).state == state


@pytest.mark.parametrize(("days", "state"), [(-1, "failed"), (10, "attention"), (90, "ok")])
def test_certificates_are_told_of_before_they_end(tmp_path: Path, days: int, state: str) -> None:
    cert, key = write_certificate(tmp_path, "ec", ec.generate_private_key(ec.SECP256R1()), days)
    settings = Settings(data_dir=tmp_path, tls_ec_cert=cert, tls_ec_key=key, tls_client_ca=cert)
    findings = doctor.certificates(settings)
    assert [finding.state for finding in findings] == [state, state]


def test_a_certificate_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path, "ec", ec.generate_private_key(ec.SECP256R1()), 90)
    _, other = write_certificate(tmp_path, "other", ec.generate_private_key(ec.SECP256R1()), 90)
    rsa_cert, rsa_key = write_certificate(tmp_path, "rsa", rsa.generate_private_key(65537, 2048), 90)
    good = Settings(data_dir=tmp_path, tls_ec_cert=cert, tls_ec_key=key)
    texts = {
        "key": msgspec.structs.replace(good, tls_ec_key=other),
        "another kind": msgspec.structs.replace(good, tls_ec_cert=rsa_cert, tls_ec_key=rsa_key),
        "cannot be read": msgspec.structs.replace(good, tls_ec_cert=tmp_path / "none.pem"),
    }
    for text, settings in texts.items():
        (finding,) = doctor.certificates(settings)
        assert finding.state == "failed"
        assert text in finding.text


@pytest.mark.parametrize(
    ("change", "name"),
    [({"unknown_stations": "accept"}, "unknown stations"), ({"gateway_host": "0.0.0.0"}, "encryption")],
)
def test_what_is_for_laboratories_only_is_said_aloud(tmp_path: Path, change: dict[str, str], name: str) -> None:
    settings = msgspec.structs.replace(Settings(data_dir=tmp_path), **change)
    assert worst(doctor.exposure(settings), name).state == "attention"
    assert doctor.exposure(Settings(data_dir=tmp_path)) == []


def test_a_misspelt_setting_is_noticed() -> None:
    (finding,) = doctor.spelling({"OHMSTEAD_WEBPORT": "1"})
    assert finding.state == "attention"
    assert "OHMSTEAD_WEBPORT" in finding.text
