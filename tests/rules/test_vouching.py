"""Which signing certificates a manufacturer's root stands behind."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ohmstead.core.errors import Invalid
from ohmstead.stations.files.vouching import judge, read_chain
from tests.files.certificates import signing_certificate
from tests.security.pki import DAY, Authority, Issued

NOW = datetime.now(UTC)
CODE = ExtendedKeyUsageOID.CODE_SIGNING
ROOT, OTHER = Authority("Maker Root"), Authority("Other Root", "RSA")
BETWEEN = Authority("Maker Firmware", parent=ROOT)


def leaf_of(
    authority: Authority,
    usage: x509.ObjectIdentifier | None = CODE,
    valid: tuple[timedelta, timedelta] = (-DAY, 30 * DAY),
) -> Issued:
    return authority.client("Signer", usage=usage, valid=valid)


def pem_of(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def doubt_of(
    leaf: x509.Certificate | None, *roots: Authority, chain: str | None = None, at: datetime = NOW
) -> str | None:
    found = judge(pem_of(leaf) if leaf else None, chain, [pem_of(one.certificate) for one in roots], at)
    assert (found.vouched_by is None) is (found.doubt is not None)
    return found.doubt


def test_a_certificate_of_a_trusted_root_is_vouched_for_by_name() -> None:
    found = judge(pem_of(leaf_of(ROOT).certificate), None, [OTHER.pem.decode(), ROOT.pem.decode()], NOW)
    assert (found.vouched_by, found.doubt) == ("CN=Maker Root", None)


@pytest.mark.parametrize("usage", [CODE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, None])
def test_a_chain_leads_to_the_root(usage: x509.ObjectIdentifier | None) -> None:
    leaf = leaf_of(BETWEEN, usage).certificate
    assert doubt_of(leaf, ROOT, chain=pem_of(BETWEEN.certificate)) is None
    assert "leads to no manufacturer" in str(doubt_of(leaf, ROOT))
    assert "leads to no manufacturer" in str(doubt_of(leaf, OTHER, chain=pem_of(BETWEEN.certificate)))


def test_a_signing_certificate_can_be_trusted_by_itself() -> None:
    own = signing_certificate(ec.generate_private_key(ec.SECP256R1()), NOW)
    assert judge(own, None, [own], NOW).vouched_by == "CN=Maker"


@pytest.mark.parametrize("usage", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
def test_a_certificate_for_other_uses_signs_no_firmware(usage: x509.ObjectIdentifier) -> None:
    assert "other uses" in str(doubt_of(leaf_of(ROOT, usage).certificate, ROOT))


def test_time_ends_trust_at_every_step() -> None:
    short = leaf_of(ROOT, valid=(-10 * DAY, -DAY)).certificate
    assert "valid from" in str(doubt_of(short, ROOT))
    long = leaf_of(BETWEEN, valid=(-DAY, 9000 * DAY)).certificate
    late = BETWEEN.certificate.not_valid_after_utc + DAY
    assert "leads to no manufacturer" in str(doubt_of(long, ROOT, chain=pem_of(BETWEEN.certificate), at=late))


def test_who_is_no_authority_vouches_for_nobody() -> None:
    """A maker's customer with a certificate of the maker's cannot make further ones."""
    customer = leaf_of(ROOT)
    fake = Authority("Signer")
    fake.certificate, fake.key = customer.certificate, customer.key
    assert "leads to no manufacturer" in str(
        doubt_of(leaf_of(fake).certificate, ROOT, chain=pem_of(customer.certificate))
    )


def test_without_signature_or_roots_nobody_vouches() -> None:
    assert doubt_of(None, ROOT) == "it is not signed"
    assert doubt_of(leaf_of(ROOT).certificate) == "no manufacturer's root is trusted yet"


@pytest.mark.parametrize(
    "pem", ["x", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "\u00e9", ROOT.pem.decode() * 5]
)
def test_a_chain_that_is_none_is_refused(pem: str) -> None:
    with pytest.raises(Invalid):
        read_chain(pem)
