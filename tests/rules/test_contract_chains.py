"""What a contract certificate proves, and what an OCSP answer proves about it."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ohmstead.stations.certificates import contracts, ocsp
from ohmstead.stations.certificates.contracts import BadChain, status_of
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.orders import CertificateRef
from ohmstead.tokens.emaid import normalised
from tests.rules.contract_pki import DAY, EMAID, Holder, Operator, Responder, delegate_of

NOW = datetime.now(UTC)
NONCE = b"0123456789abcdef"


@pytest.fixture(scope="module")
def operator() -> Operator:
    return Operator()


def read(operator: Operator, pem: str, roots: list[x509.Certificate] | None = None, emaid: str = EMAID) -> list[str]:
    trusted = [operator.root.certificate] if roots is None else roots
    chain = contracts.read_chain(pem, lambda name: normalised(name) == normalised(emaid), trusted, NOW)
    return [one.subject.rfc4514_string() for one in chain.certificates]


def broken(operator: Operator, pem: str, **how: object) -> tuple[str, str]:
    with pytest.raises(BadChain) as bad:
        read(operator, pem, **how)  # type: ignore[arg-type]
    return bad.value.status, bad.value.reason


def test_a_contract_that_leads_to_a_trusted_root_is_good(operator: Operator) -> None:
    names = read(operator, operator.chain(operator.contract()))
    assert names == ["CN=NLTNMC00122045K", "CN=Mobility Sub", "CN=Mobility Root"]


def test_the_order_of_what_is_above_does_not_matter_nor_a_root_that_comes_along(operator: Operator) -> None:
    read(operator, operator.contract().pem + operator.root.pem + operator.sub.pem)


def test_a_chain_to_nobodys_root_proves_nothing(operator: Operator) -> None:
    pem = operator.chain(operator.contract())
    assert broken(operator, pem, roots=[]) == ("chain_error", "issuer_unknown")
    assert broken(operator, pem, roots=[Operator(name="Other").root.certificate]) == ("chain_error", "issuer_unknown")
    # Its own root in the chain makes nobody trust it.
    assert broken(operator, pem + operator.root.pem, roots=[])[0] == "chain_error"


def test_a_missing_link_is_found(operator: Operator) -> None:
    assert broken(operator, operator.contract().pem) == ("chain_error", "issuer_unknown")


def test_a_forged_certificate_is_a_wrong_signature(operator: Operator) -> None:
    impostor = Operator()  # the same names, other keys
    assert broken(operator, impostor.contract().pem + operator.sub.pem) == ("signature_error", "signature_wrong")
    assert broken(operator, impostor.chain(impostor.contract())) == ("signature_error", "signature_wrong")


def test_another_ones_contract_proves_nothing(operator: Operator) -> None:
    pem = operator.chain(operator.contract("NLTNM000122045U"))
    assert broken(operator, pem) == ("chain_error", "certificate_of_another_contract")


def test_an_expired_or_future_contract_is_expired(operator: Operator) -> None:
    for valid in ((-9 * DAY, -DAY), (DAY, 9 * DAY)):
        assert broken(operator, operator.chain(operator.contract(valid=valid)))[0] == "expired"


def test_an_expired_authority_above_it_ends_it_too(operator: Operator) -> None:
    over = operator.issue("Over", operator.root, is_authority=True, valid=(-9 * DAY, -DAY))
    assert broken(operator, operator.issue("NLTNMC00122045K", over).pem + over.pem)[0] == "expired"


def test_a_contract_that_signs_others_is_no_authority(operator: Operator) -> None:
    contract = operator.contract("NLTNM000122045U")
    below = operator.issue("NLTNMC00122045K", contract)
    assert broken(operator, below.pem + contract.pem + operator.sub.pem) == ("chain_error", "not_a_valid_path")


@pytest.mark.parametrize("pem", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_proves_nothing(operator: Operator, pem: str) -> None:
    assert broken(operator, pem) == ("chain_error", "unreadable")


def test_endless_chains_are_not_followed(operator: Operator) -> None:
    assert broken(operator, operator.contract().pem + operator.sub.pem * 5) == ("chain_error", "too_long")


# ----------------------------------------------------------------------------------------------- OCSP


def asked_about(operator: Operator, contract: Holder) -> CertificateRef:
    return ocsp.hashes_of(contract.certificate, operator.sub.certificate)


def verdict(operator: Operator, responder: Responder, contract: Holder, *, knows_issuer: bool = True) -> Verdict:
    asked = asked_about(operator, contract)
    response = responder.answer(ocsp.request_for(asked, NONCE))
    known = [operator.sub.certificate] if knows_issuer else []
    return ocsp.judge(response, asked, NONCE, datetime.now(UTC), known)


def test_good_revoked_and_unknown_are_told_apart_and_remembered_until_the_next_update(operator: Operator) -> None:
    good, revoked, unknown = operator.contract(), operator.contract(), operator.contract()
    responder = Responder(
        operator,
        revoked={revoked.certificate.serial_number},
        unknown={unknown.certificate.serial_number},
    )
    for contract, state in ((good, "good"), (revoked, "revoked"), (unknown, "unknown")):
        found = verdict(operator, responder, contract)
        assert (found.state, found.is_told) == (state, True)
        assert found.until is not None
        assert timedelta(minutes=50) < found.until - datetime.now(UTC) < timedelta(hours=1)


def test_a_delegate_of_the_issuer_may_speak_for_it(operator: Operator) -> None:
    assert verdict(operator, Responder(operator, delegate=delegate_of(operator)), operator.contract()).state == "good"


@pytest.mark.parametrize("what", ["another authority", "no delegate", "the root's delegate", "a contract"])
def test_an_answer_that_the_issuer_did_not_sign_is_a_lie(operator: Operator, what: str) -> None:
    responder = Responder(operator)
    if what == "another authority":
        responder.signer = Operator().sub
    elif what == "no delegate":
        responder.delegate = delegate_of(operator, may_speak=False)
    elif what == "the root's delegate":
        responder.delegate = delegate_of(operator, issuer=operator.root)
    else:
        responder.delegate = operator.contract()
    found = verdict(operator, responder, operator.contract())
    assert (found.state, found.response) == ("lying", None)


def test_an_issuer_that_nobody_knows_cannot_be_believed(operator: Operator) -> None:
    found = verdict(operator, Responder(operator), operator.contract(), knows_issuer=False)
    assert (found.state, found.is_told, found.until) == ("unproven", True, None)


@pytest.mark.parametrize(
    "lie",
    [
        {"serial_shift": 1},
        {"nonce": lambda nonce: b"another question"},
        {"this_update": timedelta(hours=-3), "next_update": timedelta(hours=-2)},
        {"this_update": timedelta(hours=1), "next_update": timedelta(hours=2)},
        {"this_update": timedelta(days=-2), "next_update": None},
    ],
    ids=["another certificate", "another question", "over", "not yet", "endless and old"],
)
def test_an_answer_to_something_else_is_a_lie(operator: Operator, lie: dict[str, object]) -> None:
    assert verdict(operator, Responder(operator, **lie), operator.contract()).state == "lying"  # type: ignore[arg-type]


def test_an_answer_signed_ahead_of_time_has_no_nonce(operator: Operator) -> None:
    assert verdict(operator, Responder(operator, nonce=lambda _: None), operator.contract()).state == "good"


@pytest.mark.parametrize("junk", [b"", b"hello", b"\x30\x03\x0a\x01\x00"])
def test_junk_proves_nothing(operator: Operator, junk: bytes) -> None:
    found = ocsp.judge(junk, asked_about(operator, operator.contract()), NONCE, NOW)
    assert (found.state, found.is_told) == ("lying", False)


def test_a_responder_that_wants_to_be_left_alone_is_not_reached(operator: Operator) -> None:
    for status in (ocsp.ocsp.OCSPResponseStatus.TRY_LATER, ocsp.ocsp.OCSPResponseStatus.UNAUTHORIZED):
        response = ocsp.ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
        assert ocsp.judge(response, asked_about(operator, operator.contract()), NONCE, NOW).state == "unreachable"


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["good", "good"], "accepted"),
        (["good", "revoked"], "revoked"),
        (["lying", "revoked"], "revoked"),
        (["good", "lying"], "signature_error"),
        (["good", "unknown"], "no_certificate"),
        (["unreachable"], "no_certificate"),
        (["good", "unproven"], "no_certificate"),
    ],
)
def test_nothing_but_good_is_good(states: list[ocsp.State], status: str) -> None:
    assert status_of(Verdict(state=state) for state in states) == status
