"""Which certificates end soon, and whom is trusted? The page about them, and the concern on the overview."""

from datetime import UTC, datetime, timedelta

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ohmstead.simulator.scenes import ending_root
from tests.api.door import Front
from tests.console.visitor import Visitor, sign_in
from tests.stories.credentials import csr


async def test_a_root_is_trusted_warns_before_its_end_and_is_revoked(visitor: Visitor, stranger: Visitor) -> None:
    page = await visitor.opens("/certificates")
    assert page.heading == "No certificate ends within 30 days."
    assert "No certificate yet." in page.text
    wrong = await visitor.sends("/certificates/roots", kind="contract_root", certificate_pem="garbage", expect=422)
    assert "not one certificate in PEM form" in wrong.text
    assert ">garbage</textarea>" in wrong.html
    assert "What is it for?" in (await visitor.sends("/certificates/roots", kind="x", expect=422)).text

    pem = ending_root(datetime.now(UTC))
    await visitor.sends("/certificates/roots", kind="contract_root", certificate_pem=pem, expect=303)
    assert (
        "there already"
        in (await visitor.sends("/certificates/roots", kind="contract_root", certificate_pem=pem, expect=422)).text
    )
    page = await visitor.opens("/certificates")
    assert page.heading == "1 certificate ends within 30 days. Roots do not renew themselves."
    (row,) = page.rows()
    assert row.startswith("Demo Mobility Contract Root root for contracts In use")
    assert "in 11 days" in row
    concern = "The certificate Demo Mobility Contract Root ends in 11 days."
    assert concern in (await visitor.opens("/attention")).text
    assert (await stranger.opens("/certificates?show=all")).rows() == (await stranger.opens("/certificates")).rows()

    action = next(f.attributes["action"] for f in page.all("form") if f.attributes["action"].endswith("/revoke"))
    await stranger.sends(action, expect=404)
    await visitor.sends(action, expect=303)
    assert "it was revoked before" in (await visitor.sends(action, expect=422)).text
    assert "Revoked" in (await visitor.opens("/certificates?show=revoked")).rows()[0]
    assert "None of these." in (await visitor.opens("/certificates?show=soon")).text


async def test_certificates_of_stations_are_listed_page_by_page(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    await station.says(
        "SignCertificate",
        {"csr": csr(ec.generate_private_key(ec.SECP256R1()), (NameOID.COMMON_NAME, station.station_id))},
    )
    await station.hears("CertificateSigned")
    page = await visitor.opens("/certificates?show=issued")
    (row,) = page.rows()
    assert row.startswith(f"{station.station_id} station Issued")
    assert "Stations, EC, issuing" in page.text
    far = f"{(datetime.now(UTC) + timedelta(days=4000)).isoformat()}_{'0' * 32}".replace("+", "%2B")
    assert station.station_id not in (await visitor.opens(f"/certificates?show=all&after={far}")).rows()[0]
    for bad in ("x", "2026-01-01_x", f"2026-01-01T00:00:00_{'0' * 32}"):
        assert len((await visitor.opens(f"/certificates?show=all&after={bad}")).rows()) == 1


async def test_who_may_only_look_trusts_nobody(front: Front, visitor: Visitor) -> None:
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        viewer = await sign_in(front, visitor.network, client, "read_only")
        assert "Trust a root" not in (await viewer.opens("/certificates")).text
        await viewer.sends("/certificates/roots", kind="contract_root", certificate_pem="x", expect=403)
        await viewer.sends(f"/certificates/{'0' * 32}/revoke", expect=403)
