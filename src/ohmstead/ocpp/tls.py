"""TLS towards stations: both server certificates, client certificates, and new files without dropping a socket.

`CertificateReloader.context` is what a listener is given. It stays; each handshake is handed over to the context built
last (in the server-name callback, which OpenSSL calls also when the client names no server), so certificates,
authorities and revocation lists can be replaced while thousands of sockets live on. Whether a client is asked for a
certificate is the one thing that the first context decides: it begins to ask when the first authority is there.

Trusted are the authorities of the configured file and, by `CertificateReloader.trust`, those of our own.

Offered: TLS 1.2 and 1.3, ECDHE only, no compression, no renegotiation. The two `TLS_RSA_WITH_AES_*_GCM` suites of OCPP
2.0.1 A00.FR.318 have no forward secrecy and are off in today's OpenSSL defaults; `allows_rsa_key_exchange` adds them
for stations that know nothing else.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ohmstead.core import clock
from ohmstead.core.log import logger
from ohmstead.settings import Settings
from ohmstead.stations.certificates.revocation.crls import points_of

log = logger(__name__)

_ECDHE_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_RSA_SUITES = "AES128-GCM-SHA256:AES256-GCM-SHA384"
_EXPIRES_SOON = timedelta(days=21)
_CRL_EXPIRES_SOON = timedelta(hours=24)

Problem: TypeAlias = Literal["expired", "not_yet_valid", "revoked", "revocation_unknown", "untrusted"]


class TlsError(Exception):
    """A certificate, key or revocation list that cannot be used; names the file and what is wrong with it."""


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and whom to believe. All PEM; chains leaf first; keys without passphrase."""

    ec_cert: Path | None = None
    ec_key: Path | None = None
    rsa_cert: Path | None = None
    rsa_key: Path | None = None
    client_ca: Path | None = None
    client_crl: Path | None = None
    allows_rsa_key_exchange: bool = False

    @classmethod
    def of(cls, settings: Settings) -> TlsFiles:
        return cls(
            ec_cert=settings.tls_ec_cert,
            ec_key=settings.tls_ec_key,
            rsa_cert=settings.tls_rsa_cert,
            rsa_key=settings.tls_rsa_key,
            client_ca=settings.tls_client_ca,
            client_crl=settings.tls_client_crl,
            allows_rsa_key_exchange=settings.tls_allows_rsa_key_exchange,
        )

    def pairs(self) -> list[tuple[Literal["EC", "RSA"], Path, Path]]:
        """The configured (kind, chain, key) pairs."""
        found: list[tuple[Literal["EC", "RSA"], Path, Path]] = []
        if self.ec_cert and self.ec_key:
            found.append(("EC", self.ec_cert, self.ec_key))
        if self.rsa_cert and self.rsa_key:
            found.append(("RSA", self.rsa_cert, self.rsa_key))
        return found

    def paths(self) -> list[Path]:
        """Every configured file."""
        paths = (self.ec_cert, self.ec_key, self.rsa_cert, self.rsa_key, self.client_ca, self.client_crl)
        return [path for path in paths if path is not None]


class ClientCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a station's certificate says. Subject fields are None when absent or given more than once.

    `serial_number` is the subject attribute, `certificate_serial` the issuer's number for the certificate, in
    hexadecimal. `problem` is why it must not be believed, None when it may be.
    """

    common_name: str | None
    serial_number: str | None
    organization: str | None
    certificate_serial: str
    issuer: str
    not_after: datetime
    fingerprint: str
    crl_urls: tuple[str, ...] = ()
    problem: Problem | None = None


class Own(msgspec.Struct, frozen=True):
    """Our own authorities, and their revocation lists where lists are asked for."""

    anchors: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()


class ClientAuthorities:
    """The authorities whose certificates identify stations, and what they have revoked."""

    def __init__(self, authorities: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]):
        self._by_name = {authority.subject.rfc4514_string(): authority for authority in authorities}
        self._builder = (
            PolicyBuilder()
            .store(Store(list(authorities)))
            # Browsers' rules about extensions are not those of station certificates (no alternative name, A00.FR.511)
            # nor of an operator's own authority. Every issuer is one that the operator configured: none is followed
            # that came with the certificate.
            .extension_policies(
                ca_policy=ExtensionPolicy.permit_all().require_present(
                    x509.BasicConstraints, Criticality.AGNOSTIC, None
                ),
                ee_policy=ExtensionPolicy.permit_all(),
            )
        )
        self._lists = {
            crl.issuer: (crl.next_update_utc, frozenset(entry.serial_number for entry in crl)) for crl in lists
        }

    @classmethod
    def load(cls, ca: Path | None, crl: Path | None, own: Own | None = None) -> ClientAuthorities:
        """Read the PEM files, and add what is ours. Raises TlsError."""
        authorities = [] if ca is None else _certificates(ca)
        lists = [] if crl is None else _revocation_lists(crl, authorities)
        if own is not None:
            authorities += own.anchors
            lists += own.lists
        return cls(authorities, lists)

    def read(self, der: bytes, *, is_chain_verified: bool, at: datetime) -> ClientCertificate:
        """What a certificate says and whether it may be believed at an instant.

        `is_chain_verified`: OpenSSL has checked the path in this handshake (or in the one a resumed session began
        with, which is why validity and revocation are looked at again here); a certificate handed over by a proxy is
        checked against the authorities wholly. Raises ValueError when it cannot be parsed.
        """
        certificate = x509.load_der_x509_certificate(der)
        return msgspec.structs.replace(
            describe(certificate), problem=self._problem(certificate, is_chain_verified=is_chain_verified, at=at)
        )

    def _problem(self, certificate: x509.Certificate, *, is_chain_verified: bool, at: datetime) -> Problem | None:
        if at >= certificate.not_valid_after_utc:
            return "expired"
        if at < certificate.not_valid_before_utc:
            return "not_yet_valid"
        if not is_chain_verified:
            try:
                self._builder.time(at).build_client_verifier().verify(certificate, [])
            except VerificationError:
                return "untrusted"
            if not _may_identify_clients(certificate):
                return "untrusted"
        return self._revocation(certificate, at)

    def _revocation(self, certificate: x509.Certificate, at: datetime) -> Problem | None:
        if not self._lists:
            return None
        next_update, revoked = self._lists.get(certificate.issuer, (None, frozenset[int]()))
        if certificate.serial_number in revoked:
            return "revoked"
        # No current word from its issuer: refused, as OpenSSL does.
        return None if next_update is not None and at < next_update else "revocation_unknown"

    def issuer_of(self, certificate: ClientCertificate) -> x509.Certificate | None:
        """The authority that is named in a certificate, if it is one of these."""
        return self._by_name.get(certificate.issuer)

    def warnings(self, at: datetime) -> list[str]:
        """What an operator should mend before it locks stations out."""
        return [
            f"the revocation list of {issuer.rfc4514_string()} {'has expired' if until <= at else 'expires'} ({until})"
            for issuer, (until, _) in self._lists.items()
            if until is not None and until - at < _CRL_EXPIRES_SOON
        ]


def _may_identify_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def describe(certificate: x509.Certificate) -> ClientCertificate:
    """What a certificate says, without judging it."""
    return ClientCertificate(
        common_name=_only(certificate.subject, NameOID.COMMON_NAME),
        serial_number=_only(certificate.subject, NameOID.SERIAL_NUMBER),
        organization=_only(certificate.subject, NameOID.ORGANIZATION_NAME),
        certificate_serial=f"{certificate.serial_number:x}",
        issuer=certificate.issuer.rfc4514_string(),
        not_after=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        crl_urls=points_of(certificate),
    )


def _only(name: x509.Name, attribute: x509.ObjectIdentifier) -> str | None:
    # Of two common names one would be checked here and the other believed elsewhere: neither counts.
    values = [str(found.value) for found in name.get_attributes_for_oid(attribute)]
    return values[0] if len(values) == 1 else None


def build_context(settings: Settings) -> ssl.SSLContext | None:
    """A server context with every configured chain, or None when no server certificate is set. Raises TlsError."""
    files = TlsFiles.of(settings)
    return _context(files) if files.pairs() else None


def _context(files: TlsFiles, own: Own | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(f"{_ECDHE_SUITES}:{_RSA_SUITES}" if files.allows_rsa_key_exchange else _ECDHE_SUITES)
    for kind, chain, key in files.pairs():
        _check_leaf(kind, chain)
        try:
            context.load_cert_chain(chain, key, password=lambda key=key: _refuse_passphrase(key))
        except (ssl.SSLError, OSError) as error:
            raise TlsError(f"{chain} and {key} do not make a usable pair: {_told(error)}") from error
    context.num_tickets = 1
    anchors = own.anchors if own is not None else ()
    if files.client_ca is not None or anchors:
        _believe(context, files, own or Own())
        _ask_for_client_certificates(context, checks_lists=files.client_crl is not None)
    return context


def _believe(context: ssl.SSLContext, files: TlsFiles, own: Own) -> None:
    ca, crl = files.client_ca, files.client_crl
    try:
        if ca is not None:
            context.load_verify_locations(ca)
        if crl is not None:
            context.load_verify_locations(crl)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"{crl or ca} cannot be used: {_told(error)}") from error
    for anchor in own.anchors:
        context.load_verify_locations(cadata=anchor.public_bytes(Encoding.DER))
    if own.lists:
        # OpenSSL takes revocation lists from files only.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(b"".join(crl.public_bytes(Encoding.PEM) for crl in own.lists))
            file.flush()
            context.load_verify_locations(file.name)


def _ask_for_client_certificates(context: ssl.SSLContext, *, checks_lists: bool) -> None:
    # Optional: stations of the other profiles use the same port; `security.admit` decides by the station's profile.
    context.verify_mode = ssl.CERT_OPTIONAL
    # The bundle may hold the operator's own sub-authority without the root above it.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if checks_lists:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    # A resumed session is not asked for its certificate again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def _check_leaf(kind: Literal["EC", "RSA"], chain: Path) -> None:
    leaf = _certificates(chain)[0]
    expected = ec.EllipticCurvePublicKey if kind == "EC" else rsa.RSAPublicKey
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsError(f"{chain}: the first certificate's key cannot be used: {error}") from error
    if not isinstance(key, expected):
        raise TlsError(f"{chain}: the first certificate has no {kind} key")


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TlsError(f"{path} cannot be read as PEM certificates: {error}") from error
    return found


_CRL_BEGIN, _CRL_END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


def _revocation_lists(path: Path, authorities: Sequence[x509.Certificate]) -> list[x509.CertificateRevocationList]:
    try:
        blocks = path.read_bytes().split(_CRL_BEGIN)[1:]
        lists = [x509.load_pem_x509_crl(_CRL_BEGIN + block.split(_CRL_END)[0] + _CRL_END) for block in blocks]
    except (OSError, ValueError) as error:
        raise TlsError(f"{path} cannot be read as a PEM revocation list: {error}") from error
    if not lists:
        raise TlsError(f"{path} holds no revocation list (PEM, `{_CRL_BEGIN.decode()}`)")
    for crl in lists:
        issuers = (found for found in authorities if found.subject == crl.issuer)
        if not any(_is_signed_by(crl, issuer) for issuer in issuers):
            raise TlsError(f"{path}: the list of {crl.issuer.rfc4514_string()} is not signed by a configured authority")
    return lists


def _is_signed_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        key = issuer.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) and crl.is_signature_valid(key)


def _refuse_passphrase(key: Path) -> NoReturn:
    # Without this OpenSSL asks on the terminal and a service hangs at its start.
    raise TlsError(f"{key} is protected by a passphrase; store it without one, readable by this user only")


def _told(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


class CertificateReloader:
    """Serves the newest usable files. `context` is None without a server certificate, `authorities` without a CA.

    `on_failure` is told of every failed TLS handshake, by a short reason such as `certificate has expired` or
    `no_shared_cipher`: a refused connection is a security event (A00.FR.323). Raises TlsError when the files cannot be
    used at the start; later a broken file is logged and the old one stays in use.
    """

    def __init__(self, files: TlsFiles, on_failure: Callable[[str], None] | None = None) -> None:
        self._files = files
        self._own = Own()
        self._stamp = self._stat()
        self._current, self.authorities, self._expiries = self._load()
        self._warn()
        self.context: ssl.SSLContext | None = None
        if files.pairs():
            self.context = _context(files)
            self.context.sni_callback = self._hand_over
            if on_failure is not None:
                self.context.sslobject_class = _watched(on_failure)

    def _hand_over(self, sock: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._current is not None:
            sock.context = self._current

    def _load(self) -> tuple[ssl.SSLContext | None, ClientAuthorities | None, list[tuple[Path, datetime]]]:
        expiries = [(chain, _certificates(chain)[0].not_valid_after_utc) for _, chain, _ in self._files.pairs()]
        authorities = None
        if self._files.client_ca is not None or self._own.anchors:
            # First, because it says more clearly than OpenSSL what is wrong with a file.
            authorities = ClientAuthorities.load(self._files.client_ca, self._files.client_crl, self._own)
        context = _context(self._files, self._own) if self._files.pairs() else None
        return context, authorities, expiries

    @property
    def wants_lists(self) -> bool:
        """Are revocation lists asked for, of every authority?"""
        return self._files.client_crl is not None

    def trust(self, anchors: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList] = ()) -> None:
        """Believe these authorities too, from the next handshake on."""
        own = Own(tuple(anchors), tuple(lists))
        if own == self._own:
            return
        before, self._own = self._own, own
        if not self.check(is_forced=True):
            self._own = before
            return
        if self.context is not None and self.context.verify_mode is ssl.CERT_NONE and anchors:
            _ask_for_client_certificates(self.context, checks_lists=self.wants_lists)

    def warnings(self, at: datetime) -> list[str]:
        """What expires soon or has expired, in words."""
        found = [] if self.authorities is None else self.authorities.warnings(at)
        for chain, until in self._expiries:
            if until - at < _EXPIRES_SOON:
                found.append(f"the certificate in {chain} {'has expired' if until <= at else 'expires'} ({until})")
        return found

    def _warn(self) -> None:
        for warning in self.warnings(clock.now()):
            log.warning("tls_needs_attention", what=warning)

    def _stat(self) -> list[tuple[int, int, int] | None]:
        def stamp(path: Path) -> tuple[int, int, int] | None:
            try:
                found = os.stat(path)
            except OSError:
                return None
            return found.st_mtime_ns, found.st_size, found.st_ino

        return [stamp(path) for path in self._files.paths()]

    def check(self, *, is_forced: bool = False) -> bool:
        """Load the files again if any has changed (or `is_forced`, for SIGHUP). Whether new ones are in use now."""
        stamp = self._stat()
        if stamp == self._stamp and not is_forced:
            return False
        self._stamp = stamp
        try:
            context, authorities, expiries = self._load()
            for chain, until in expiries:
                if until <= clock.now():
                    raise TlsError(f"the certificate in {chain} has expired ({until})")
        except TlsError as error:
            log.error("tls_files_not_reloaded", problem=str(error), kept="the certificates in use")
            return False
        self._current, self.authorities, self._expiries = context, authorities, expiries
        if stamp:
            log.info("tls_files_reloaded", files=[str(path) for path in self._files.paths()])
        self._warn()
        return True

    async def run(self, interval_s: float = 10.0) -> None:
        """Look for changed files until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            await asyncio.to_thread(self.check)


def _watched(on_failure: Callable[[str], None]) -> type[ssl.SSLObject]:
    class WatchedSslObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                on_failure(_failure(error))
                raise

    return WatchedSslObject


def _failure(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "unknown").lower()
