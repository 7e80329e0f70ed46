"""What a contract certificate of Plug & Charge proves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ohmstead.stations.certificates.ocsp import Verdict

# OCPP 2.x AuthorizeCertificateStatusEnumType in our spelling.
ContractStatus: TypeAlias = Literal[
    "accepted", "signature_error", "expired", "revoked", "no_certificate", "chain_error", "contract_cancelled"
]

MOST_CERTIFICATES = 5


class Chain(msgspec.Struct, frozen=True):
    """A contract certificate with what is above it, up to and including the root that we trust."""

    certificates: tuple[x509.Certificate, ...]


class BadChain(Exception):
    """The certificate proves nothing."""

    def __init__(self, status: ContractStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read_chain(pem: str, is_contract: Callable[[str], bool], roots: Sequence[x509.Certificate], at: datetime) -> Chain:
    """The chain of a contract certificate, leaf first, verified up to one of `roots`.

    `is_contract` tells whether the name in the certificate is the contract's id. Raises BadChain.
    """
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise BadChain("chain_error", "unreadable") from None
    if len(found) > MOST_CERTIFICATES:
        raise BadChain("chain_error", "too_long")
    leaf, above = found[0], found[1:]
    names = [str(found.value) for found in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not is_contract(names[0]):
        raise BadChain("chain_error", "certificate_of_another_contract")
    if at >= leaf.not_valid_after_utc:
        raise BadChain("expired", "expired")
    path = _path(leaf, above, roots)
    if any(not one.not_valid_before_utc <= at < one.not_valid_after_utc for one in path):
        raise BadChain("expired", "expired")
    _verify(path, at)
    return Chain(tuple(path))


def _path(
    leaf: x509.Certificate, above: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """From the leaf to a root of ours, each signed by the next."""
    path = [leaf]
    while len(path) <= MOST_CERTIFICATES:
        named = [one for one in (*roots, *above) if one.subject == path[-1].issuer]
        if not named:
            raise BadChain("chain_error", "issuer_unknown")
        signing = next((one for one in named if _has_signed(one, path[-1])), None)
        if signing is None:
            raise BadChain("signature_error", "signature_wrong")
        path.append(signing)
        if signing in roots:
            return path
    raise BadChain("chain_error", "no_root")


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _verify(path: Sequence[x509.Certificate], at: datetime) -> None:
    """What signatures alone do not tell: who may sign for others, and how far."""
    builder = (
        PolicyBuilder()
        .store(Store([path[-1]]))
        .time(at)
        .max_chain_depth(MOST_CERTIFICATES)
        .extension_policies(
            ca_policy=ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None),
            ee_policy=ExtensionPolicy.permit_all(),
        )
    )
    try:
        builder.build_client_verifier().verify(path[0], list(path[1:-1]))
    except VerificationError:
        raise BadChain("chain_error", "not_a_valid_path") from None


def status_of(verdicts: Iterable[Verdict]) -> ContractStatus:
    """What OCSP says of all certificates of a chain together; nothing but good is good."""
    states = [verdict.state for verdict in verdicts]
    if "revoked" in states:
        return "revoked"
    if "lying" in states:
        return "signature_error"
    if any(state != "good" for state in states):
        return "no_certificate"
    return "accepted"
