"""Certificates through the API: roots, what is installed, revocation, and the public side of our authority."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from ohmstead.stations.certificates.ocsp import hashes_of
from tests.api.door import Front, Visitor, problem
from tests.security.pki import Authority
from tests.stories.credentials import csr
from tests.stories.station import Payload, Station

HASHES = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b",
    "issuerKeyHash": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
    "serialNumber": "5f2a",
}


async def issued(api: Visitor, version: str = "2.0.1") -> tuple[Station, x509.Certificate, x509.Certificate]:
    """A station that was given a certificate: itself, its certificate, and the authority's."""
    station = await api.network.station(version, "ST")
    request = csr(ec.generate_private_key(ec.SECP256R1()), (NameOID.COMMON_NAME, station.station_id))
    assert (await station.says("SignCertificate", {"csr": request}))["status"] == "Accepted"
    chain = (await station.hears("CertificateSigned"))["certificateChain"]
    leaf, issuer = x509.load_pem_x509_certificates(chain.encode())

    async def is_delivered() -> bool:
        found = await api.gets(f"/stations/{station.station_id}/certificates/requests")
        return bool(found["items"][0]["status"] == "delivered")

    await api.network.until(is_delivered, "the certificate is delivered")
    return station, leaf, issuer


async def asked(front: Front, leaf: x509.Certificate, issuer: x509.Certificate, *, by_get: bool) -> ocsp.OCSPResponse:
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()
    der = request.public_bytes(Encoding.DER)
    async with front.nobody() as nobody:
        if by_get:
            answer = await nobody.get("/pki/ocsp/" + base64.b64encode(der).decode().replace("/", "%2F"))
        else:
            answer = await nobody.post("/pki/ocsp", content=der, headers={"Content-Type": "application/ocsp-request"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ocsp-response")
    return ocsp.load_der_ocsp_response(answer.content)


async def test_a_certificate_is_listed_and_revoked_and_everybody_can_learn_of_it(api: Visitor, front: Front) -> None:
    station, leaf, issuer = await issued(api)
    (found,) = (await api.gets("/certificates", station=station.station_id))["items"]
    assert (found["serial"], found["status"], found["kind"]) == (f"{leaf.serial_number:x}", "issued", "station")
    assert (await asked(front, leaf, issuer, by_get=False)).certificate_status is ocsp.OCSPCertStatus.GOOD

    revoked = await api.posts(f"/certificates/{found['certificate_id']}/revoke", {"reason": "key_compromise"})
    assert (revoked["status"], revoked["revocation_reason"]) == ("revoked", "key_compromise")
    problem(await api.client.post(f"/certificates/{found['certificate_id']}/revoke", json={}), 409)

    answer = await asked(front, leaf, issuer, by_get=True)
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))

    authorities = (await api.gets("/certificates/authorities"))["items"]
    ours = next(a for a in authorities if (a["level"], a["key_kind"], a["purpose"]) == ("issuing", "EC", "station"))
    async with front.nobody() as nobody:
        listed = x509.load_der_x509_crl((await nobody.get(f"/pki/crl/{ours['authority_id']}.crl")).content)
        pem = (await nobody.get(f"/pki/ca/{ours['authority_id']}.pem")).text
        assert (await nobody.get("/pki/crl/nothing.crl")).status_code == 404
    assert pem == ours["certificate_pem"]
    assert listed.is_signature_valid(key)
    entry = listed.get_revoked_certificate_by_serial_number(leaf.serial_number)
    assert entry is not None
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    actions = [e["action"] for e in await api.all_of("/audit-log", object=f"certificate/{found['certificate_id']}")]
    assert actions == ["certificate.revoked"]


async def test_our_responder_refuses_what_is_no_question_and_what_is_not_ours(api: Visitor, front: Front) -> None:
    _, leaf, issuer = await issued(api)
    unknown = Authority("Strangers")
    theirs = unknown.client("X").certificate
    answer = await asked(front, theirs, unknown.certificate, by_get=False)
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    never_issued = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        *_hashes_of(issuer), leaf.serial_number + 1, hashes.SHA256()
    )
    async with front.nobody() as nobody:
        content = never_issued.build().public_bytes(Encoding.DER)
        told = ocsp.load_der_ocsp_response((await nobody.post("/pki/ocsp", content=content)).content)
        assert told.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
        malformed = ocsp.load_der_ocsp_response((await nobody.post("/pki/ocsp", content=b"hello")).content)
        assert malformed.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
        assert (await nobody.post("/pki/ocsp", content=b"x" * 5000)).status_code == 413


def _hashes_of(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert key == x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    found = hashes_of(issuer, issuer)
    return bytes.fromhex(found.issuer_name_hash), bytes.fromhex(found.issuer_key_hash)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_root_is_installed_listed_and_deleted_on_a_station(api: Visitor, version: str) -> None:
    station = await api.network.station(version, "ST")
    root = Authority("Root").pem.decode()
    made = await api.posts("/certificates/roots", {"kind": "central_root", "certificate_pem": root}, expect=201)
    path = f"/stations/{station.station_id}/certificates"
    command = await api.posts(f"{path}/install", {"certificate_id": made["certificate_id"]})
    assert command["status"] == "accepted"
    use = "CentralSystemRootCertificate" if version == "1.6" else "CSMSRootCertificate"
    assert await station.hears("InstallCertificate") == {"certificateType": use, "certificate": root}

    station.answers["GetInstalledCertificateIds"] = lambda payload: _listed(version, payload)
    assert (await api.posts(f"{path}/installed/refresh"))["status"] == "accepted"
    (listed,) = (await api.gets(f"{path}/installed"))["items"]
    assert (listed["usage"], listed["serial_number"]) == (use, "5f2a")

    gone = {name: listed[name] for name in ("hash_algorithm", "issuer_name_hash", "issuer_key_hash", "serial_number")}
    station.answers["DeleteCertificate"] = {"status": "Failed"}
    assert (await api.posts(f"{path}/delete", {"certificate": gone}))["status"] == "rejected"
    assert len((await api.gets(f"{path}/installed"))["items"]) == 1
    station.answers["DeleteCertificate"] = {"status": "Accepted"}
    assert (await api.posts(f"{path}/delete", {"certificate": gone}))["status"] == "accepted"
    assert (await station.hears("DeleteCertificate"))["certificateHashData"] == HASHES
    assert (await api.gets(f"{path}/installed"))["items"] == []


def _listed(version: str, payload: Payload) -> Payload:
    if version != "1.6":
        chain = {"certificateHashData": HASHES, "certificateType": "CSMSRootCertificate"}
        return {"status": "Accepted", "certificateHashDataChain": [chain]}
    if payload["certificateType"] == "CentralSystemRootCertificate":
        return {"status": "Accepted", "certificateHashData": [HASHES]}
    return {"status": "NotFound"}


async def test_a_root_that_is_none_is_refused(api: Visitor) -> None:
    authority = Authority("Root")
    for pem in ("hello", authority.client("X").pem.decode(), authority.pem.decode() * 2):
        body = {"kind": "contract_root", "certificate_pem": pem}
        assert problem(await api.client.post("/certificates/roots", json=body), 422)["field"] == "certificate_pem"
    body = {"kind": "contract_root", "certificate_pem": authority.pem.decode()}
    await api.posts("/certificates/roots", body, expect=201)
    problem(await api.client.post("/certificates/roots", json=body), 409, "conflict")


async def test_certificates_that_end_soon_are_found(api: Visitor) -> None:
    await issued(api)
    assert (await api.gets("/certificates", expires_within_days=30))["items"] == []
    until = datetime.now(UTC) + timedelta(days=20)
    await api.network.pool.execute(
        "update certificate set not_after = $2 where party_id = $1", api.network.party_id, until
    )
    (found,) = (await api.gets("/certificates", expires_within_days=30))["items"]
    assert (await api.gets(f"/certificates/{found['certificate_id']}"))["status"] == "issued"


async def test_a_profile_is_never_lowered_and_raised_once_at_a_time(api: Visitor) -> None:
    station = await api.network.station("1.6", "ST")
    await api.network.pool.execute("update station set security_profile = 2 where station_id = $1", station.station_id)
    path = f"/stations/{station.station_id}/security-profile"
    problem(await api.client.post(path, json={"to_profile": 1}), 422)
    problem(await api.client.post(path, json={"to_profile": 2, "url": "wss://csms.example/ocpp"}), 409)
    problem(await api.client.post(path, json={"to_profile": 3, "url": "ws://plain"}), 422)
    assert "without TLS" in problem(await api.client.post(path, json={"to_profile": 3}), 409)["detail"]
    wanted = {"to_profile": 3, "url": "wss://csms.example/ocpp"}
    started = await api.posts(path, wanted, expect=202)
    assert started["items"][0]["from_profile"] == 2
    assert "right now" in problem(await api.client.post(path, json=wanted), 409)["detail"]
    # It has no certificate: it is asked to request one first.
    assert (await station.hears("ExtendedTriggerMessage"))["requestedMessage"] == "SignChargePointCertificate"
    assert (await api.gets(path))["items"][0]["status"] == "certificate"


async def test_orders_about_certificates_take_the_scope_for_security_settings(api: Visitor) -> None:
    station = await api.network.station("2.0.1", "ST")
    path = f"/stations/{station.station_id}/commands"
    async with api.front.visitor(api.network, "commands:send") as limited:
        problem(await limited.client.post(path, json={"kind": "list_certificates"}), 403, "not-allowed")
        network_profile = {"kind": "set_network_profile", "slot": 1, "url": "wss://evil.test", "security_profile": 1}
        problem(await limited.client.post(path, json=network_profile), 403, "not-allowed")
    assert (await api.posts(path, {"kind": "list_certificates"}))["status"] == "accepted"


async def test_a_contract_token_is_kept_in_one_form(api: Visitor) -> None:
    made = await api.posts("/tokens", {"uid": "nl-tnm-c00122045-k", "type": "eMAID"}, expect=201)
    assert made["uid"] == "NLTNMC00122045"
    wrong = problem(await api.client.post("/tokens", json={"uid": "NL-TNM-C00122045-X", "type": "eMAID"}), 422)
    assert (wrong["field"], "would be K" in wrong["detail"]) == ("uid", True)
    problem(await api.client.post("/tokens", json={"uid": "NLTNMC00122045", "type": "eMAID"}), 409)
    report = (await api.sends_table("/tokens/bulk", "uid,type\nDE8AAC12345678,eMAID\nDE-8AA,eMAID\n")).json()
    assert (report["created"], report["failed"][0]["field"]) == (1, "uid")
