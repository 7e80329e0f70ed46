"""Signing in at a real OpenID Connect provider, started here; and the words that people there are given."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from oidc_provider_mock import run_server_in_thread

from ohmstead.accounts.providers.model import Provider
from tests.api.door import Front
from tests.console.visitor import Page, Visitor
from tests.stories.network import Network


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
async def provider(front: Front, network: Network, issuer: str) -> AsyncIterator[Provider]:
    """A provider of the test's party, as the file of providers would have it."""
    party_code = await network.pool.fetchval("select party_code from party where party_id = $1", network.party_id)
    name = f"corp-{network.suffix}".lower()
    made = Provider(
        name=name,
        label="Corp",
        issuer=issuer,
        client_id="ohmstead",
        client_secret="hush",
        party=party_code,
        groups={"net-admins": "owner", "net-readers": "read_only"},
    )
    front.app.state.providers[name] = made
    yield made
    del front.app.state.providers[name]


async def knows(issuer: str, subject: str, **claims: Any) -> None:
    async with httpx.AsyncClient() as there:
        answer = await there.put(f"{issuer}/users/{subject}", json=claims)
        assert answer.is_success, answer.text


async def goes_there(browser: httpx.AsyncClient, provider: Provider, subject: str, query: str = "") -> str:
    """From our page to the provider and through its form; the address it sends the browser back to."""
    away = await browser.get(f"/sign-in/with/{provider.name}?next=/stations{query}")
    assert away.status_code == 303, away.text
    address = away.headers["location"]
    assert "code_challenge_method=S256" in address
    assert "nonce=" in address
    async with httpx.AsyncClient() as there:
        back = await there.post(address, data={"sub": subject})
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


async def comes_back(browser: httpx.AsyncClient, address: str) -> httpx.Response:
    return await browser.get(address)


async def test_who_has_a_group_comes_in_just_in_time_with_its_role(
    front: Front, network: Network, provider: Provider, issuer: str, client: httpx.AsyncClient
) -> None:
    email = f"ann-{network.suffix}@corp.example".lower()
    subject = f"ann-{network.suffix}"
    await knows(issuer, subject, name="Ann", email=email, email_verified=True, groups=["net-readers", "other"])
    assert "Sign in with Corp" in Page(await client.get("/sign-in")).text
    back = await goes_there(client, provider, subject)
    done = await comes_back(client, back)
    assert (done.status_code, done.headers["location"]) == (303, "/stations")
    me = (await client.get("/api/v1/me")).json()
    assert (me["name"], me["role"], me["party_id"]) == ("Ann", "read_only", str(network.party_id))
    # The same answer of the provider again, here or elsewhere: nothing.
    async with httpx.AsyncClient(base_url=front.url) as elsewhere:
        for browser in (client, elsewhere):
            again = await comes_back(browser, back)
            assert again.status_code == 403
    # Another role the next time; and nobody else was made.
    await knows(issuer, subject, name="Ann", email=email, email_verified=True, groups=["net-admins"])
    await comes_back(client, await goes_there(client, provider, subject))
    assert (await client.get("/api/v1/me")).json()["role"] == "owner"
    assert await network.pool.fetchval("select count(*) from operator where email = $1", email) == 1
    # Signing out leads to the provider's own end of the session.
    token = next(Page(await client.get("/stations")).all("meta", name="csrf-token")).attributes["content"]
    out = Page(await client.post("/sign-out", data={"csrf_token": token}))
    assert out.heading == "Signed out here."
    end = next(a.attributes["href"] for a in out.all("a") if "end_session" in a.attributes["href"])
    assert end.startswith(issuer)
    assert "id_token_hint=" in end
    assert (await client.get("/stations")).status_code == 303


async def test_who_has_no_place_here_is_turned_away_with_the_reason(
    front: Front, network: Network, provider: Provider, issuer: str, visitor: Visitor
) -> None:
    for subject, claims, why in (
        ("nobody", {"email": f"no-{network.suffix}@corp.example", "groups": []}, "none of your groups"),
        ("hidden", {"groups": "net-admins-not"}, "none of your groups"),
    ):
        subject = f"{subject}-{network.suffix}"
        await knows(issuer, subject, **claims)
        async with httpx.AsyncClient(base_url=front.url) as browser:
            answer = await comes_back(browser, await goes_there(browser, provider, subject))
            assert answer.status_code == 403
            assert why in answer.text.lower()
            assert "ohmstead" not in browser.cookies
    assert await network.pool.fetchval("select count(*) from operator where is_provisioned") is not None


async def test_an_invited_person_is_found_by_a_verified_address_and_by_no_other(
    front: Front, network: Network, provider: Provider, issuer: str, visitor: Visitor
) -> None:
    email = f"kim-{network.suffix}@corp.example".lower()
    await visitor.sends("/people", name="Kim", email=email, role="technician")
    for verified, status in ((False, 403), (True, 303)):
        subject = f"kim-{network.suffix}-{verified}"
        await knows(issuer, subject, email=email, email_verified=verified, groups=[])
        async with httpx.AsyncClient(base_url=front.url) as browser:
            answer = await comes_back(browser, await goes_there(browser, provider, subject))
            assert answer.status_code == status, answer.text
            if status == 303:
                assert (await browser.get("/api/v1/me")).json()["role"] == "technician"
                kim = await network.pool.fetchval("select operator_id from operator where email = $1", email)
                await visitor.sends(f"/people/{kim}", do="disable", expect=303)
                answer = await comes_back(browser, await goes_there(browser, provider, subject))
                assert answer.status_code == 403
                assert "disabled" in answer.text


async def test_a_sign_in_that_began_elsewhere_or_was_refused_there_is_none(
    front: Front, network: Network, provider: Provider, issuer: str, client: httpx.AsyncClient
) -> None:
    subject = f"eve-{network.suffix}"
    await knows(issuer, subject, groups=["net-admins"])
    back = await goes_there(client, provider, subject)
    async with httpx.AsyncClient(base_url=front.url) as victim:
        assert (await comes_back(victim, back)).status_code == 403  # somebody else's sign-in, slipped to a victim
        await victim.get(f"/sign-in/with/{provider.name}")
        assert (await comes_back(victim, back)).status_code == 403
    for query in ("", "?code=x", "?state=x&code=x", "?error=access_denied&state=%00"):
        answer = await client.get(f"/sign-in/back/{provider.name}{query}")
        assert answer.status_code == 403
    assert (await client.get("/sign-in/with/nobody")).status_code == 404
    front.attempts.forget("127.0.0.1")


async def test_an_address_that_the_provider_gave_to_somebody_else_takes_no_account_over(
    front: Front, network: Network, provider: Provider, issuer: str, visitor: Visitor
) -> None:
    email = f"kim-{network.suffix}@corp.example".lower()
    await visitor.sends("/people", name="Kim", email=email, role="technician")
    first, later = f"kim-{network.suffix}", f"kim-2-{network.suffix}"
    for subject in (first, later):
        await knows(issuer, subject, email=email, email_verified=True, groups=[])
    async with httpx.AsyncClient(base_url=front.url) as browser:
        assert (await comes_back(browser, await goes_there(browser, provider, first))).status_code == 303
    async with httpx.AsyncClient(base_url=front.url) as browser:
        answer = await comes_back(browser, await goes_there(browser, provider, later))
        assert answer.status_code == 403
        assert "somebody else at the provider" in answer.text.lower()
        assert "ohmstead" not in browser.cookies
        # An owner who knows better resets the account; then it is whose address it is now.
        kim = await network.pool.fetchval("select operator_id from operator where email = $1", email)
        await visitor.sends(f"/people/{kim}", do="reset")
        assert (await comes_back(browser, await goes_there(browser, provider, later))).status_code == 303


async def test_what_comes_back_in_the_providers_name_may_be_anything(
    front: Front, provider: Provider, client: httpx.AsyncClient
) -> None:
    away = await client.get(f"/sign-in/with/{provider.name}")
    state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
    for error in ("%00", "%ED%A0%80", "<script>"):
        answer = await client.get(f"/sign-in/back/{provider.name}?state={state}&error={error}")
        assert answer.status_code == 403
        assert "<script>" not in answer.text.replace("<script src", "")
    front.attempts.forget("127.0.0.1")


async def test_a_provider_that_is_away_is_said_to_be(
    front: Front, provider: Provider, client: httpx.AsyncClient
) -> None:
    gone = Provider(name="gone", label="Gone", issuer="http://localhost:9", client_id="x")
    front.app.state.providers["gone"] = gone
    try:
        answer = await client.get("/sign-in/with/gone")
        assert answer.status_code == 403
        assert "cannot be reached" in answer.text
    finally:
        del front.app.state.providers["gone"]
