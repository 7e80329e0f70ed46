"""Can a station be trusted? Its certificates and its profile, and what can be done about them."""

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api.door import Front
from tests.console.visitor import Visitor, sign_in
from tests.stories.credentials import csr


async def test_a_certificate_is_shown_and_revoked(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    path = f"/stations/{station.station_id}/certificates"
    page = await visitor.opens(path)
    assert page.heading == "It has no certificate of ours."
    request = csr(ec.generate_private_key(ec.SECP256R1()), (NameOID.COMMON_NAME, station.station_id))
    await station.says("SignCertificate", {"csr": request})
    await station.hears("CertificateSigned")
    page = await visitor.opens(path)
    assert page.heading == "Its certificate is good for 364 more days."
    (row,) = page.rows()
    assert row.startswith(f"CN={station.station_id} station Issued")
    action = next(form.attributes["action"] for form in page.all("form") if "revoke" in form.attributes["action"])
    await visitor.sends(action, token=False, expect=403)
    await visitor.sends(action, expect=303)
    assert "Revoked" in (await visitor.opens(path)).rows()[0]


async def test_a_station_is_asked_and_says_what_it_has(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    path = f"/stations/{station.station_id}/certificates"
    hashes = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "5f2a"}
    station.answers["GetInstalledCertificateIds"] = {"status": "Accepted", "certificateHashData": [hashes]}
    await visitor.sends(f"{path}/refresh", expect=303)
    assert "CentralSystemRootCertificate 5f2a" in (await visitor.opens(path)).text
    await visitor.sends(f"{path}/renew", expect=303)
    assert (await station.hears("ExtendedTriggerMessage"))["requestedMessage"] == "SignChargePointCertificate"
    station.answers["ExtendedTriggerMessage"] = {"status": "NotImplemented"}
    refused = await visitor.sends(f"{path}/renew", expect=422)
    assert "NotImplemented" in refused.text
    await visitor.sends(f"{path}/nonsense", expect=404)


async def test_a_profile_is_raised_where_there_is_tls(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    path = f"/stations/{station.station_id}/certificates"
    assert "TLS" in (await visitor.sends(f"{path}/raise", to_profile="2", expect=422)).text
    assert "2 or 3" in (await visitor.sends(f"{path}/raise", to_profile="1", url="wss://a", expect=422)).text
    await visitor.sends(f"{path}/raise", to_profile="2", url="wss://csms.example/ocpp", expect=303)
    assert await station.hears("ChangeConfiguration") == {"key": "SecurityProfile", "value": "2"}
    assert "To be 2: it was told" in (await visitor.opens(path)).text


async def test_who_may_only_look_changes_nothing(front: Front, visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    path = f"/stations/{station.station_id}/certificates"
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        viewer = await sign_in(front, visitor.network, client, "read_only")
        page = await viewer.opens(path)
        assert not [form for form in page.all("form") if "certificates" in form.attributes.get("action", "")]
        for what in ("renew", "refresh", "raise"):
            await viewer.sends(f"{path}/{what}", expect=403)
