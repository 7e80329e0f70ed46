"""Server certificates of our own authority, for the gateway and for the console: made for names, kept as files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ohmstead.core import clock
from ohmstead.core.errors import Invalid, Refused
from ohmstead.stations.certificates import issuing
from ohmstead.stations.certificates.authority import InternalAuthority
from ohmstead.stations.certificates.model import KeyKind
from ohmstead.stations.certificates.vault import PrivateKey

MOST_NAMES = 20
_HOST = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Where a certificate and its key are now. `is_new` False: the one that was there is good enough yet."""

    certificate: Path
    key: Path
    not_after: datetime
    is_new: bool


def alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    """Host names and addresses as a certificate names them. Raises Invalid."""
    if not 0 < len(names) <= MOST_NAMES:
        raise Invalid(f"1 to {MOST_NAMES} names", "names")
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(one.strip().lower() for one in names):
        try:
            found.append(x509.IPAddress(ip_address(name)))
            continue
        except ValueError:
            pass
        if _HOST.fullmatch(name) is None:
            raise Invalid(f"{name[:100]!r} is neither a host name nor an address", "names")
        found.append(x509.DNSName(name))
    return found


async def write(
    authority: InternalAuthority, names: Sequence[str], kind: KeyKind, directory: Path, *, days: int, ahead: timedelta
) -> Written:
    """A new key and a certificate for `names` as `server-ec.pem` and `server-ec.key` (`rsa`) in the directory.

    Nothing is done while the certificate there is for these names, is this authority's, and good for longer than `ahead`:
    a timer may call this every day. A gateway that serves these files takes the new ones up by itself. Raises Invalid,
    and Refused for a directory that cannot be written.
    """
    wanted = alternatives(names)
    issued_by = await authority.ensure("server", kind)
    issuer = x509.load_pem_x509_certificate(issued_by.certificate_pem.encode())
    certificate, key_file = (directory / f"server-{kind.lower()}{suffix}" for suffix in (".pem", ".key"))
    at = clock.now()
    until = _good_until(certificate, key_file, wanted, issuer)
    if until is not None and until > at + ahead:
        return Written(certificate=certificate, key=key_file, not_after=until, is_new=False)
    key = issuing.new_key(kind, "server", is_root=False)
    leaf = issuing.make_server(wanted, key, issuer, authority.key_of(issued_by), at, timedelta(days=days))
    try:
        _write_pair(certificate, issuing.pem(leaf, issuer).encode(), key_file, _key_pem(key))
    except OSError as error:
        raise Refused(f"{directory} cannot be written: {error.strerror}") from error
    return Written(certificate=certificate, key=key_file, not_after=leaf.not_valid_after_utc, is_new=True)


def _good_until(
    certificate: Path, key: Path, wanted: Sequence[x509.GeneralName], issuer: x509.Certificate
) -> datetime | None:
    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001  (whatever it is: it is replaced)
        return None
    return found.not_valid_after_utc if list(said) == list(wanted) and key.exists() else None


def _write_pair(certificate: Path, chain: bytes, key_file: Path, key: bytes) -> None:
    certificate.parent.mkdir(parents=True, exist_ok=True)
    # The key first: a pair that does not match is not taken up, and the certificate completes it.
    _replace(key_file, key, mode=0o600)
    _replace(certificate, chain, mode=0o644)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    """All of it or nothing; nobody else ever may read more of it than `mode` says."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
