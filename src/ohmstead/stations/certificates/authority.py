"""The installation's own certificate authority: made on first need, in the database, so that all processes share it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.ids import new_id
from ohmstead.stations.certificates import issuing, ocsp, policy, store
from ohmstead.stations.certificates.issuing import Places, Revoked
from ohmstead.stations.certificates.model import Authority, KeyKind, Purpose, Use, kind_of
from ohmstead.stations.certificates.ports import Signed
from ohmstead.stations.certificates.vault import PrivateKey, Vault

AUTHORITIES_CHANGED = "ohmstead.authorities.changed"
CRL_PATH = "/pki/crl/"
OCSP_PATH = "/pki/ocsp"


class InternalAuthority:
    """Signs with the installation's own keys. Implements ports.Signer."""

    def __init__(
        self, pool: Pool, bus: Bus | None, vault: Vault, *, valid_for: timedelta, public_url: str | None = None
    ) -> None:
        self._pool = pool
        self._bus = bus
        self._vault = vault
        self._valid_for = valid_for
        self._public_url = public_url

    async def sign(self, csr_pem: str, use: Use) -> Signed:
        """A station with an RSA key gets an RSA chain, one with Ed448 an Ed448 one, everybody else an EC one."""
        csr = policy.parse(csr_pem)
        authority = await self.ensure(kind_of(use), _key_kind(csr))
        issuer = _certificate(authority)
        key = self.key_of(authority)
        found = issuing.sign_request(
            csr, use, issuer, key, clock.now(), self._valid_for, self._places(authority.authority_id)
        )
        return Signed(chain_pem=issuing.pem(found, issuer), authority_id=authority.authority_id)

    async def ensure(self, purpose: Purpose, key_kind: KeyKind) -> Authority:
        """The issuing authority; root and issuing are made when they are not there yet."""
        async with self._pool.acquire() as conn:
            found = await store.find_authorities(conn, purpose, key_kind)
        if "issuing" not in found:
            # Outside the transaction, and off the loop: RSA keys take their time.
            made = await asyncio.to_thread(_make, purpose, key_kind, self._vault, clock.now())
            async with self._pool.acquire() as conn, conn.transaction():
                if await store.insert_authority(conn, made[0]):
                    await store.insert_authority(conn, made[1])
            async with self._pool.acquire() as conn:
                found = await store.find_authorities(conn, purpose, key_kind)
            if self._bus is not None:
                await self._bus.publish(AUTHORITIES_CHANGED, {})
        return found["issuing"]

    async def root_of(self, purpose: Purpose, key_kind: KeyKind) -> Authority:
        """The root above the issuing authority."""
        await self.ensure(purpose, key_kind)
        async with self._pool.acquire() as conn:
            return (await store.find_authorities(conn, purpose, key_kind))["root"]

    def key_of(self, authority: Authority) -> PrivateKey:
        """Its private key. Raises ExternalFailure."""
        return self._vault.open(authority.sealed_key, authority.authority_id)

    def _places(self, authority_id: UUID) -> Places:
        if self._public_url is None:
            return Places()
        return Places(
            crl_url=f"{self._public_url}{CRL_PATH}{authority_id}.crl", ocsp_url=f"{self._public_url}{OCSP_PATH}"
        )


def _key_kind(csr: x509.CertificateSigningRequest) -> KeyKind:
    key = csr.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA"
    return "Ed448" if isinstance(key, ed448.Ed448PublicKey) else "EC"


def _make(purpose: Purpose, key_kind: KeyKind, vault: Vault, at: datetime) -> tuple[Authority, Authority]:
    root_key, key = (issuing.new_key(key_kind, purpose, is_root=level) for level in (True, False))
    root = issuing.make_root(purpose, key_kind, root_key, at)
    below = issuing.make_issuing(purpose, key_kind, key, root, root_key, at)

    root_id, below_id = new_id(), new_id()
    return (
        Authority(
            authority_id=root_id,
            purpose=purpose,
            key_kind=key_kind,
            level="root",
            certificate_pem=issuing.pem(root),
            sealed_key=vault.seal(root_key, root_id),
        ),
        Authority(
            authority_id=below_id,
            purpose=purpose,
            key_kind=key_kind,
            level="issuing",
            certificate_pem=issuing.pem(below),
            sealed_key=vault.seal(key, below_id),
        ),
    )


def _certificate(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate_pem.encode())


async def revocation_list(conn: Connection, vault: Vault, authority_id: UUID) -> bytes | None:
    """The authority's current list, DER, in the caller's transaction; None when there is no such authority."""
    at = clock.now()
    crl = await store.current_crl(conn, authority_id, at)
    if crl is not None:
        return crl
    authority = await store.find_authority(conn, authority_id)
    if authority is None:
        return None
    # The lock comes first: what is revoked after we looked spoils the list that we are about to write.
    number = await store.next_crl_number(conn, authority_id)
    revoked = await store.list_revoked(conn, authority_id, at)
    key = vault.open(authority.sealed_key, authority_id)
    made = issuing.make_crl(_certificate(authority), key, revoked, number, at)
    crl = made.public_bytes(Encoding.DER)
    # Signed anew when half its time is over, so that whoever keeps it for a while still holds a good one.
    await store.save_crl(conn, authority_id, crl, at + issuing.CRL_FOR / 2)
    return crl


async def ocsp_answer(conn: Connection, vault: Vault, request_der: bytes) -> bytes:
    """Our responder's answer, DER: a signed one about a certificate of ours, a refusal about anything else."""
    try:
        asked = ocsp.read_request(request_der)
    except ocsp.BadRequest:
        return ocsp.refusal(is_malformed=True)
    for authority in await store.list_authorities(conn):
        certificate = _certificate(authority)
        if not ocsp.is_issuer(asked, certificate):
            continue
        found = await store.find_by_serial(conn, authority.authority_id, f"{asked.serial_number:x}")
        is_revoked = found is not None and found["status"] in ("revoked", "rejected")
        revoked = None
        if found is not None and is_revoked:
            revoked = Revoked(serial="", revoked_at=found["revoked_at"], reason=found["reason"])
        key = vault.open(authority.sealed_key, authority.authority_id)
        # The authorities themselves are in no list; nothing of theirs was ever revoked.
        is_known = found is not None or authority.level == "root"
        return ocsp.answer(asked, certificate, key, revoked, clock.now(), is_known=is_known)
    return ocsp.refusal(is_malformed=False)
