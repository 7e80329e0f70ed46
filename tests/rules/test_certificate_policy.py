"""What a station may have signed: its own name, a strong key, and nothing else."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ohmstead.stations.certificates import policy
from ohmstead.stations.certificates.policy import Policy, Refusal
from tests.stories.credentials import csr

NAME = (NameOID.COMMON_NAME, "HARBOUR-01")
KEY = ec.generate_private_key(ec.SECP256R1())
RULES = Policy(use="station", names={"harbour-01"})


def refusal(request: str, rules: Policy = RULES) -> str:
    with pytest.raises(Refusal) as refused:
        policy.check(request, rules)
    return refused.value.reason


@pytest.mark.parametrize(
    "curve", [ec.SECP224R1(), ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name
)
def test_a_request_in_its_own_name_is_taken(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    found = policy.check(csr(key, NAME, (NameOID.ORGANIZATION_NAME, "Harbour Charging")), RULES)
    assert found.csr.public_key() == key.public_key()


def test_rsa_keys_are_taken_from_2048_bits_on() -> None:
    policy.check(csr(rsa.generate_private_key(65537, 2048), NAME), RULES)
    assert refusal(csr(rsa.generate_private_key(65537, 1024), NAME)) == "key_too_weak"


def test_weak_curves_and_unknown_kinds_of_key_are_refused() -> None:
    assert refusal(csr(ec.generate_private_key(ec.SECP192R1()), NAME)) == "key_too_weak"
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(*NAME)]))
    edwards = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()
    assert refusal(edwards) == "key_kind_unknown"


def test_a_weak_hash_is_refused() -> None:
    # cryptography itself signs with nothing weaker than this one.
    assert refusal(csr(KEY, NAME, algorithm=hashes.SHA224())) == "hash_too_weak"


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ((), "nameless"),
        (((NameOID.COMMON_NAME, "HARBOUR-02"),), "name_of_another"),
        ((NAME, (NameOID.COMMON_NAME, "HARBOUR-02")), "name_of_another"),
        ((NAME, (NameOID.SERIAL_NUMBER, "HARBOUR-02")), "serial_number_of_another"),
        ((NAME, (NameOID.SERIAL_NUMBER, "HARBOUR-01"), (NameOID.SERIAL_NUMBER, "X")), "serial_number_of_another"),
        ((NAME, (NameOID.EMAIL_ADDRESS, "x@example.org")), "foreign_attribute_1.2.840.113549.1.9.1"),
        ((NAME, (NameOID.DOMAIN_COMPONENT, "CPO")), "foreign_attribute_0.9.2342.19200300.100.1.25"),
        ((NAME, (NameOID.ORGANIZATION_NAME, "A"), (NameOID.ORGANIZATION_NAME, "B")), "another_organization"),
    ],
)
def test_foreign_names_are_refused(subject: tuple[tuple[x509.ObjectIdentifier, str], ...], reason: str) -> None:
    assert refusal(csr(KEY, *subject)) == reason


def test_the_organization_must_be_ours_where_one_is_set() -> None:
    rules = Policy(use="station", names={"HARBOUR-01"}, organization="Harbour Charging")
    policy.check(csr(KEY, NAME, (NameOID.ORGANIZATION_NAME, "Harbour Charging")), rules)
    assert refusal(csr(KEY, NAME, (NameOID.ORGANIZATION_NAME, "Harbour charging")), rules) == "another_organization"
    assert refusal(csr(KEY, NAME), rules) == "another_organization"


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        (x509.SubjectAlternativeName([x509.DNSName("csms.example")]), "foreign_names"),
        (x509.BasicConstraints(ca=True, path_length=None), "wants_to_be_authority"),
        (x509.InhibitAnyPolicy(0), "extension_unknown"),
    ],
    ids=["names", "authority", "unknown"],
)
def test_a_request_for_more_is_refused(extension: x509.ExtensionType, reason: str) -> None:
    assert refusal(csr(KEY, NAME, extension=extension)) == reason


def test_what_is_usually_asked_for_is_no_reason_to_refuse() -> None:
    policy.check(csr(KEY, NAME, extension=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])), RULES)


def test_a_request_that_another_key_signed_is_refused() -> None:
    der = x509.load_pem_x509_csr(csr(KEY, NAME).encode()).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_csr(der[:-3] + bytes([der[-3] ^ 1]) + der[-2:])
    assert refusal(forged.public_bytes(Encoding.PEM).decode()) == "signature_wrong"


@pytest.mark.parametrize(
    "text", ["", "hello", "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----"]
)
def test_what_is_no_request_is_refused(text: str) -> None:
    assert refusal(text) == "not_a_request"


def test_two_requests_at_once_and_endless_ones_are_refused() -> None:
    assert refusal(csr(KEY, NAME) * 2) == "not_a_request"
    assert refusal(csr(KEY, NAME) + " " * 6000) == "too_long"


def test_a_station_that_asks_without_end_is_refused() -> None:
    rules = Policy(use="station", names={"HARBOUR-01"}, n_within_hour=policy.MOST_REQUESTS_AN_HOUR)
    assert refusal(csr(KEY, NAME), rules) == "too_many_requests"


def test_a_v2g_certificate_may_say_that_it_is_a_charge_point_operators() -> None:
    rules = Policy(use="v2g", names={"HARBOUR-01"})
    request = x509.load_pem_x509_csr(csr(KEY, NAME, (NameOID.DOMAIN_COMPONENT, "CPO")).encode())
    policy.check(request.public_bytes(Encoding.PEM).decode(), rules)
    assert policy.subject_of(request, "v2g").get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)
    assert refusal(csr(KEY, NAME, (NameOID.DOMAIN_COMPONENT, "OEM")), rules) == "foreign_domain"


def test_only_what_was_checked_gets_into_the_certificate() -> None:
    request = x509.load_pem_x509_csr(csr(KEY, NAME, (NameOID.TITLE, "Boss")).encode())
    assert policy.subject_of(request, "station") == x509.Name([x509.NameAttribute(*NAME)])
