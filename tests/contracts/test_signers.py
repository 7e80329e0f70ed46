"""Whoever signs, does it alike: one contract for our own authority and for one that is reached by EST."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ohmstead.adapters.certificates.est.adapter import EstSigner
from ohmstead.adapters.certificates.est.settings import EstSettings
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.stations.certificates import policy
from ohmstead.stations.certificates.authority import InternalAuthority
from ohmstead.stations.certificates.ports import Signer
from ohmstead.stations.certificates.vault import Vault
from tests.contracts.outside import Behaving, EstAuthority, listening
from tests.stories.credentials import csr

NAME = (NameOID.COMMON_NAME, "HARBOUR-01")


@pytest.fixture
async def est() -> AsyncIterator[tuple[Behaving, EstSigner]]:
    server = Behaving(EstAuthority().answer, "application/pkcs7-mime")
    async with listening(server.handle) as url:
        settings = EstSettings(url=f"{url}/.well-known/est", user="ohmstead", password="secret", deadline_s=0.5)
        yield server, EstSigner(settings)


@pytest.fixture(params=["our own", "est"])
async def signer(request: pytest.FixtureRequest, db: Pool, est: tuple[Behaving, EstSigner]) -> Signer:
    if request.param == "est":
        return est[1]
    vault = Vault(b"k" * 32)
    return InternalAuthority(db, None, vault, valid_for=timedelta(days=90), public_url="https://csms.example")


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_a_request_becomes_a_chain_for_its_key(signer: Signer, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else rsa.generate_private_key(65537, 2048)
    request = csr(key, NAME)
    signed = await signer.sign(request, "station")
    leaf, issuer = x509.load_pem_x509_certificates(signed.chain_pem.encode())
    assert policy.key_hash(leaf) == policy.key_hash(policy.parse(request))
    assert leaf.subject == x509.Name([x509.NameAttribute(*NAME)])
    leaf.verify_directly_issued_by(issuer)
    assert issuer.subject != issuer.issuer  # the root does not travel


async def test_two_requests_get_two_numbers(signer: Signer) -> None:
    request = csr(ec.generate_private_key(ec.SECP256R1()), NAME)
    first, second = [
        x509.load_pem_x509_certificates((await signer.sign(request, "station")).chain_pem.encode())[0] for _ in range(2)
    ]
    assert first.serial_number != second.serial_number


# ---------------------------------------------------------------------------------------------- our own


async def test_all_processes_share_one_authority_whoever_is_first(db: Pool) -> None:
    houses = [InternalAuthority(db, None, Vault(b"k" * 32), valid_for=timedelta(days=1)) for _ in range(4)]
    made = await asyncio.gather(*(house.ensure("station", "EC") for house in houses))
    assert len({one.authority_id for one in made}) == 1
    assert await db.fetchval("select count(*) from authority") == 2


async def test_keys_at_rest_open_with_the_installations_secret_only(db: Pool) -> None:
    vault = Vault(b"k" * 32)
    made = await InternalAuthority(db, None, vault, valid_for=timedelta(days=1)).ensure("station", "EC")
    vault.open(made.sealed_key, made.authority_id)
    with pytest.raises(ExternalFailure, match="OHMSTEAD_SECRET_KEY"):
        Vault(b"x" * 32).open(made.sealed_key, made.authority_id)
    other = await db.fetchval("select authority_id from authority where level = 'root'")
    with pytest.raises(ExternalFailure):
        vault.open(made.sealed_key, other)


async def test_a_station_certificate_says_what_it_is_for_and_where_to_ask(db: Pool) -> None:
    house = InternalAuthority(db, None, Vault(b"k" * 32), valid_for=timedelta(days=90), public_url="https://c.example")
    signed = await house.sign(csr(ec.generate_private_key(ec.SECP256R1()), NAME), "station")
    leaf = x509.load_pem_x509_certificates(signed.chain_pem.encode())[0]
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    (use,) = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert use == x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH
    (access,) = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access.access_location.value == "https://c.example/pki/ocsp"
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    assert point.full_name[0].value == f"https://c.example/pki/crl/{signed.authority_id}.crl"


# -------------------------------------------------------------------------------------------------- EST


async def test_est_is_asked_with_credentials_at_its_usual_place(est: tuple[Behaving, EstSigner]) -> None:
    server, signer = est
    await signer.sign(csr(ec.generate_private_key(ec.SECP256R1()), NAME), "station")
    assert [path for path, _ in server.asked] == ["/.well-known/est/simpleenroll"]
    assert server.headers["Authorization"].startswith("Basic ")
    assert server.headers["Content-Type"] == "application/pkcs10"


@pytest.mark.parametrize(
    ("how", "is_permanent"),
    [
        ("202", False),
        ("503", False),
        ("hangs", False),
        ("401", True),
        ("400", True),
        ("redirects", True),
        ("endless", True),
        ("junk", True),
    ],
)
async def test_what_went_wrong_there_is_worth_another_try_or_not(
    est: tuple[Behaving, EstSigner], how: str, is_permanent: bool
) -> None:
    server, signer = est
    server.how = how
    with pytest.raises(ExternalFailure) as failure:
        await signer.sign(csr(ec.generate_private_key(ec.SECP256R1()), NAME), "station")
    assert failure.value.permanent is is_permanent
    assert len(server.asked) == 1


async def test_a_certificate_for_another_key_is_not_taken() -> None:
    authority = EstAuthority()
    other = csr(ec.generate_private_key(ec.SECP256R1()), NAME)
    der = base64.b64encode(policy.parse(other).public_bytes(Encoding.DER))
    server = Behaving(lambda _: authority.answer(der), "application/pkcs7-mime")
    async with listening(server.handle) as url:
        with pytest.raises(ExternalFailure, match="another key"):
            await EstSigner(EstSettings(url=url)).sign(csr(ec.generate_private_key(ec.SECP256R1()), NAME), "station")
