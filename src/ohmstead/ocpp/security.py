"""Who may connect: reading a handshake, and deciding on it before the upgrade.

The order at the door: `read_handshake` (what does it claim?), `limits.AttemptLimiter` (may it try now?), the station's
row, `admit` (is it true?). Nothing here touches a socket or the database.

One answer for everybody without credentials or certificate: 401, whether the identity exists or not. Who offers some
for an unknown identity gets 404, as OCPP asks (1.6J errata 3.3), or 401 where `hides_unknown` is set.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, TypeAlias
from urllib.parse import unquote, unquote_to_bytes

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ohmstead.core.log import logger
from ohmstead.ocpp.tls import ClientAuthorities, ClientCertificate
from ohmstead.settings import Settings
from ohmstead.stations import credentials

log = logger("ohmstead.security")

Network: TypeAlias = IPv4Network | IPv6Network
Registration: TypeAlias = Literal["accepted", "pending", "rejected"]

_IDENTITY = re.compile(rb"[A-Za-z0-9*\-_=+|@.]{1,48}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_HEADER = 1024
_LONGEST_CERTIFICATE = 16 * 1024
_PROXY_HEADERS = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-client-cert"})


class Refusal(Exception):
    """The handshake ends here, before the upgrade.

    `status` and `text` go to the station (`text` says nothing that helps an attacker), `reason` is a slug for metrics
    and the `security_signal` table. `is_attempt`: counts against the one who tried.
    """

    def __init__(
        self, status: int, reason: str, text: str, *, retry_after_s: float = 0.0, is_attempt: bool = False
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.text = text
        self.retry_after_s = retry_after_s
        self.is_attempt = is_attempt

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        headers = {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
        if self.retry_after_s > 0:
            headers["Retry-After"] = str(math.ceil(self.retry_after_s))
        return headers


def _unauthorized(reason: str) -> Refusal:
    return Refusal(401, reason, "The credentials are missing or wrong.", is_attempt=True)


def _malformed(reason: str) -> Refusal:
    return Refusal(400, reason, "The station's identity in the address cannot be used.")


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection claims, and over what it came.

    `address` is the station's as far as a trusted proxy tells, `is_tls` likewise. `ignored` names headers that only a
    trusted proxy may send and that came from elsewhere.
    """

    identity: str
    offered: tuple[str, ...] = ()
    credentials: tuple[str, bytes] | None = None
    address: str = ""
    is_tls: bool = False
    certificate: ClientCertificate | None = None
    via_proxy: bool = False
    ignored: tuple[str, ...] = ()

    def __repr__(self) -> str:
        has = "with" if self.credentials else "without"
        return f"Handshake({self.identity!r} from {self.address}, tls={self.is_tls}, {has} credentials)"


class StationIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What the register knows about a station's right to connect."""

    station_id: str
    security_profile: int
    secret_hash: str | None = None
    next_secret_hashes: tuple[str, ...] = ()
    certificate_name: str | None = None
    registration: Registration = "accepted"
    is_retired: bool = False
    next_profile: int | None = None

    def __repr__(self) -> str:
        return f"StationIdentity({self.station_id!r}, profile {self.security_profile}, {self.registration})"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The installation's rules for connecting. `organization`: what a station's certificate must name, if anything."""

    pepper: bytes
    unknown_stations: Literal["reject", "pending", "accept"] = "reject"
    hides_unknown: bool = False
    organization: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        return cls(
            pepper=settings.secret(),
            unknown_stations=settings.unknown_stations,
            hides_unknown=settings.hide_unknown_stations,
            organization=settings.tls_client_organization,
        )

    def __repr__(self) -> str:
        return f"Policy(unknown_stations={self.unknown_stations!r}, hides_unknown={self.hides_unknown})"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The door is open.

    `station_id` is the register's spelling (identities are compared without regard to case). `security_profile` is the
    one in use on this connection. `is_stronger`: a profile-1 station came over TLS. `is_raised`: the station came with
    the profile that it was asked to take, for the first time. `certificate` is set when the station was identified by
    it. Of a newcomer (`is_new`) the profile, `secret_hash` and `certificate_name` are to be recorded: whoever comes later
    under this identity must show the same. `used_secret_hash`: the station came with a password that it was given lately,
    for the first time.
    """

    station_id: str
    registration: Registration
    security_profile: int
    is_new: bool = False
    is_stronger: bool = False
    is_raised: bool = False
    certificate: ClientCertificate | None = None
    secret_hash: str | None = None
    certificate_name: str | None = None
    used_secret_hash: str | None = None

    def __repr__(self) -> str:
        newness = "new, " if self.is_new else ""
        return f"Admission({self.station_id!r}, {newness}profile {self.security_profile}, {self.registration})"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """The far end of the link, as far as it can be believed. `certificate_pem` only from a trusted proxy."""

    address: str
    is_tls: bool
    via_proxy: bool = False
    certificate_pem: str | None = None
    ignored: tuple[str, ...] = ()


def parse_identity(raw_path_segment: str) -> str:
    """The station's identity from the last, still percent-encoded, part of the path. Decoded once; one slash at the
    end is tolerated.

    OCPP's identifierString without the colon (2.1 Part 4 §3.1.1): at most 48 of letters, digits and `*-_=+|@.`.
    Raises Refusal 404 where there is no identity or more path behind it, 400 for anything else.
    """
    raw = raw_path_segment.removesuffix("/")
    if not raw:
        raise Refusal(404, "identity_missing", "There is no station identity in the address.")
    if "/" in raw:
        raise Refusal(404, "path_unknown", "There is nothing here.")
    if len(raw) > 3 * 48:
        raise _malformed("identity_too_long")
    if not raw.isascii() or _BAD_ESCAPE.search(raw):
        raise _malformed("identity_malformed")
    decoded = unquote_to_bytes(raw)
    if len(decoded) > 48:
        raise _malformed("identity_too_long")
    if not _IDENTITY.fullmatch(decoded) or not decoded.strip(b"."):
        raise _malformed("identity_malformed")
    return decoded.decode("ascii")


def parse_basic(header: str | None) -> tuple[str, bytes] | None:
    """User name and password bytes of an Authorization header; None without one.

    The password is whatever bytes the station sent: 1.6 keys are often not text. Missing base64 padding is forgiven.
    Raises Refusal 401.
    """
    if header is None:
        return None
    scheme, _, encoded = header.strip().partition(" ")
    encoded = encoded.strip().rstrip("=")
    if scheme.lower() != "basic" or not encoded or len(header) > _LONGEST_HEADER:
        raise _unauthorized("credentials_malformed")
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _unauthorized("credentials_malformed") from None
    username, colon, password = decoded.partition(b":")
    if not colon:
        raise _unauthorized("credentials_malformed")
    return username.decode("latin-1"), password


def peer_of(remote: str, is_tls: bool, headers: Iterable[tuple[str, str]], trusted: Sequence[Network]) -> Peer:
    """Look behind a trusted proxy; from anybody else its headers are ignored and named in `ignored`.

    The station's address is the last of X-Forwarded-For that is not itself a trusted proxy. A proxied link counts as
    TLS only if X-Forwarded-Proto says so. Raises Refusal 400 for several X-Client-Cert: the proxy does not strip them.
    """
    sent: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() in _PROXY_HEADERS:
            sent.setdefault(name.lower(), []).append(value)
    if not sent:
        return Peer(address=_plain(remote), is_tls=is_tls)
    if not _is_within(remote, trusted):
        return Peer(address=_plain(remote), is_tls=is_tls, ignored=tuple(sorted(sent)))
    certificates = sent.get("x-client-cert", [])
    if len(certificates) > 1:
        raise Refusal(400, "client_certificate_ambiguous", "The proxy passed on several client certificates.")
    protocols = ",".join(sent.get("x-forwarded-proto", [])).split(",")
    return Peer(
        address=_behind(remote, ",".join(sent.get("x-forwarded-for", [])), trusted),
        is_tls=protocols[-1].strip().lower() in ("https", "wss"),
        via_proxy=True,
        certificate_pem=certificates[0] if certificates and certificates[0].strip() else None,
    )


def _behind(remote: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    address = remote
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        try:
            ip_address(hop)
        except ValueError:
            break
        address = hop
        if not _is_within(hop, trusted):
            break
    return _plain(address)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _plain(address: str) -> str:
    return str(_parsed(address) or address)


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    found = _parsed(address)
    return found is not None and any(found.version == net.version and found in net for net in networks)


def read_handshake(
    *,
    raw_identity: str,
    headers: Iterable[tuple[str, str]],
    remote: str,
    is_tls: bool,
    peer_certificate: bytes | None,
    trusted_proxies: Sequence[Network],
    authorities: ClientAuthorities | None,
    at: datetime,
) -> Handshake:
    """Everything a connection claims, parsed.

    `raw_identity` is the path behind the prefix, still encoded, without the query. `headers` are all pairs, repeated
    names included. `remote`, `is_tls` and `peer_certificate` (DER, from the TLS layer) describe the direct link.
    Raises Refusal 400, 401 or 404.
    """
    pairs = list(headers)
    peer = peer_of(remote, is_tls, pairs, trusted_proxies)
    identity = parse_identity(raw_identity)
    authorizations = [value for name, value in pairs if name.lower() == "authorization"]
    if len(authorizations) > 1:
        raise _unauthorized("credentials_malformed")
    protocols = ",".join(value for name, value in pairs if name.lower() == "sec-websocket-protocol")
    der = peer_certificate if not peer.via_proxy else _der_of(peer.certificate_pem)
    certificate = None
    if der is not None and authorities is not None:
        try:
            certificate = authorities.read(der, is_chain_verified=not peer.via_proxy, at=at)
        except ValueError:
            raise _bad_certificate() from None
    return Handshake(
        identity=identity,
        offered=tuple(part.strip() for part in protocols.split(",") if part.strip()),
        credentials=parse_basic(authorizations[0] if authorizations else None),
        address=peer.address,
        is_tls=peer.is_tls,
        certificate=certificate,
        via_proxy=peer.via_proxy,
        ignored=peer.ignored,
    )


def _bad_certificate() -> Refusal:
    return Refusal(400, "client_certificate_malformed", "The client certificate cannot be read.", is_attempt=True)


def _der_of(escaped_pem: str | None) -> bytes | None:
    """The certificate in an X-Client-Cert header (nginx's `$ssl_client_escaped_cert`)."""
    if escaped_pem is None:
        return None
    if len(escaped_pem) > _LONGEST_CERTIFICATE:
        raise _bad_certificate()
    try:
        pem = unquote(escaped_pem, errors="strict").encode("ascii")
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise _bad_certificate() from None


def is_same_identity(one: str, other: str) -> bool:
    """identifierString is compared without regard to case (2.0.1 Part 2 §2.1.4)."""
    return one.lower() == other.lower()


async def admit(handshake: Handshake, station: StationIdentity | None, policy: Policy) -> Admission:
    """Decide on a handshake, given what the register knows about the identity (None: nothing). Raises Refusal.

    Profile 0 asks nothing. 1 asks for the password; over TLS it is admitted too, as the stronger link. 2 asks for the
    password and TLS, 3 for a client certificate whose common name or serial number attribute is the station's
    `certificate_name` (its identity, if none is set). A link weaker than the profile is refused (2.0.1 A00.FR.002),
    but told so only when the credentials were right. While the profile is being raised both are good.
    """
    if station is not None and station.next_profile is not None:
        raised = msgspec.structs.replace(station, security_profile=station.next_profile, next_profile=None)
        try:
            return msgspec.structs.replace(await admit(handshake, raised, policy), is_raised=True)
        except Refusal as refusal:
            log.debug("not_yet_raised", station_id=station.station_id, reason=refusal.reason)
    is_secret_right = await _is_secret_right(handshake, station, policy)
    if is_secret_right or station is None or not station.next_secret_hashes or station.is_retired:
        return await _decided(handshake, station, policy, is_secret_right)
    used = await _new_secret(handshake, station, policy)
    admission = await _decided(handshake, station, policy, used is not None)
    return msgspec.structs.replace(admission, used_secret_hash=used) if used is not None else admission


async def _new_secret(handshake: Handshake, station: StationIdentity, policy: Policy) -> str | None:
    """Of the passwords that the station was given lately, the one it shows."""
    if handshake.credentials is not None:
        for stored in station.next_secret_hashes:
            if await credentials.verify(stored, handshake.credentials[1], policy.pepper):
                return stored
    return None


async def _decided(
    handshake: Handshake, station: StationIdentity | None, policy: Policy, is_secret_right: bool
) -> Admission:
    if handshake.credentials is not None and not is_same_identity(handshake.credentials[0], handshake.identity):
        raise _unauthorized("username_differs")
    if station is None:
        return await _newcomer(handshake, policy)
    if station.is_retired:
        raise _unknown(handshake, policy, "station_retired")
    if station.security_profile == 0:
        return _admission(station, 0)
    if station.security_profile == 3:
        return _by_certificate(handshake, station, policy)
    if handshake.credentials is None:
        raise _unauthorized("credentials_missing")
    if not is_secret_right:
        raise _unauthorized("password_wrong")
    if station.security_profile == 2 and not handshake.is_tls:
        raise _weaker_link()
    return _admission(station, 1 + handshake.is_tls, is_stronger=handshake.is_tls and station.security_profile == 1)


async def _is_secret_right(handshake: Handshake, station: StationIdentity | None, policy: Policy) -> bool:
    """Takes the time of a check whether the identity exists or not."""
    if handshake.credentials is None:
        return False
    stored = None if station is None or station.is_retired else station.secret_hash
    try:
        return await credentials.verify(stored, handshake.credentials[1], policy.pepper)
    except credentials.Busy:
        raise _busy() from None


def _busy() -> Refusal:
    return Refusal(503, "verification_busy", "Please try again in a moment.", retry_after_s=5)


def _admission(
    station: StationIdentity,
    profile: int,
    *,
    is_stronger: bool = False,
    certificate: ClientCertificate | None = None,
) -> Admission:
    return Admission(
        station_id=station.station_id,
        registration=station.registration,
        security_profile=profile,
        is_stronger=is_stronger,
        certificate=certificate,
    )


def _by_certificate(handshake: Handshake, station: StationIdentity, policy: Policy) -> Admission:
    certificate = handshake.certificate
    if certificate is None:
        raise _unauthorized("certificate_missing" if handshake.is_tls else "link_too_weak")
    _check_certificate(certificate, handshake, policy)
    name = (station.certificate_name or station.station_id).lower()
    if name not in {(value or "").lower() for value in (certificate.common_name, certificate.serial_number)}:
        raise _unauthorized("certificate_of_another")
    return _admission(station, 3, certificate=certificate)


def _check_certificate(certificate: ClientCertificate, handshake: Handshake, policy: Policy) -> None:
    if not handshake.is_tls:
        raise _weaker_link()
    if certificate.problem is not None:
        raise _unauthorized(f"certificate_{certificate.problem}")
    if policy.organization is not None and certificate.organization != policy.organization:
        raise _unauthorized("certificate_of_another_organization")


def _weaker_link() -> Refusal:
    return Refusal(403, "link_too_weak", "This station must connect with its configured security profile.")


def _unknown(handshake: Handshake, policy: Policy, reason: str) -> Refusal:
    if handshake.credentials is None and handshake.certificate is None:
        return _unauthorized("credentials_missing")
    if policy.hides_unknown:
        return _unauthorized(reason)
    return Refusal(404, reason, "This station is not known here.", is_attempt=True)


async def _newcomer(handshake: Handshake, policy: Policy) -> Admission:
    if policy.unknown_stations == "reject":
        raise _unknown(handshake, policy, "station_unknown")
    registration: Registration = "pending" if policy.unknown_stations == "pending" else "accepted"
    certificate, offered = handshake.certificate, handshake.credentials
    if certificate is not None:
        _check_certificate(certificate, handshake, policy)
        name = certificate.common_name or certificate.serial_number
        if not name:
            raise _unauthorized("certificate_nameless")
        return Admission(
            station_id=handshake.identity,
            registration=registration,
            security_profile=3,
            is_new=True,
            certificate=certificate,
            certificate_name=name,
        )
    secret_hash = None
    if offered is not None:
        try:
            secret_hash = await credentials.hash_secret(
                offered[1], policy.pepper, is_generated=credentials.looks_random(offered[1])
            )
        except credentials.Busy:
            raise _busy() from None
    return Admission(
        station_id=handshake.identity,
        registration=registration,
        security_profile=0 if offered is None else 1 + handshake.is_tls,
        is_new=True,
        secret_hash=secret_hash,
    )
