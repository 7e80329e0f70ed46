"""Does a manufacturer's root that we trust stand behind the certificate that firmware was signed with? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.stations.files.signatures import check_certificate

MOST_CERTIFICATES = 5
_USES = (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


class Verdict(Struct, frozen=True):
    """`vouched_by`: the root's subject; `doubt`: why there is none. One of the two is None."""

    vouched_by: str | None
    doubt: str | None


def read_chain(pem: str | None) -> list[x509.Certificate]:
    """Certificates between the signing one and the root. Raises Invalid."""
    if pem is None:
        return []
    try:
        found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError as error:
        raise Invalid("not certificates in PEM", "signing_chain") from error
    if len(found) >= MOST_CERTIFICATES:
        raise Invalid(f"more than {MOST_CERTIFICATES - 1} certificates", "signing_chain")
    return found


def judge(certificate: str | None, chain: str | None, roots: Sequence[str], at: datetime) -> Verdict:
    """Follow a signing certificate up to one of `roots`, all PEM: signatures, validity at an instant, and what each may
    be used for (signing code, where the certificate says anything of it).
    """
    if certificate is None:
        return _doubt("it is not signed")
    try:
        leaf, between = check_certificate(certificate, at), read_chain(chain)
    except Invalid as error:
        return _doubt(f"its signing certificate is not good: {error.text}")
    trusted = [x509.load_pem_x509_certificate(one.encode()) for one in roots]
    if not trusted:
        return _doubt("no manufacturer's root is trusted yet")
    if not _is_for_code(leaf):
        return _doubt("its signing certificate is for other uses than signing code")
    if leaf in trusted:
        return Verdict(leaf.subject.rfc4514_string(), None)
    policy = ExtensionPolicy.permit_all()
    verifier = (
        PolicyBuilder()
        .store(Store(trusted))
        .time(at)
        .max_chain_depth(MOST_CERTIFICATES)
        .extension_policies(
            ca_policy=policy.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None), ee_policy=policy
        )
        .build_client_verifier()
    )
    try:
        path = verifier.verify(leaf, between).chain
    except VerificationError:
        return _doubt("its signing certificate leads to no manufacturer's root that is trusted")
    return Verdict(path[-1].subject.rfc4514_string(), None)


def _doubt(text: str) -> Verdict:
    return Verdict(None, text)


def _is_for_code(leaf: x509.Certificate) -> bool:
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(one in uses for one in _USES)
