"""The party's settings, the installation's parties, and the change between them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.door import Front
from tests.console.visitor import Visitor, new_link, new_operator, sign_in
from tests.stories.network import Network


@pytest.fixture
async def runner(visitor: Visitor) -> AsyncIterator[Visitor]:
    """An owner of the party that runs the installation, for as long as the test goes on."""
    pool = visitor.network.pool
    await pool.execute("update party set owns_installation = false where owns_installation")
    await pool.execute("update party set owns_installation = true where party_id = $1", visitor.network.party_id)
    yield visitor
    await pool.execute("update party set owns_installation = false where owns_installation")


async def test_owners_set_their_party_up_and_see_both_versions_when_two_do_at_once(visitor: Visitor) -> None:
    page = await visitor.opens("/settings/party")
    assert page.heading.startswith("Story,")
    fields = {e.attributes["name"]: e.attributes.get("value", "") for e in page.all("input") if "name" in e.attributes}
    kept = {name: fields[name] for name in ("name", "country_code", "party_code", "currency", "time_zone", "version")}
    kept |= {"country_code": "AT", "party_code": visitor.network.suffix[-3:].upper()}
    refused = await visitor.sends("/settings/party", expect=422, **kept | {"name": "Quay", "time_zone": "Moon/Sea"})
    assert "ot a time zone" in refused.text
    assert next(refused.all("input", id="name")).attributes["value"] == "Quay"
    await visitor.sends("/settings/party", expect=303, **kept | {"name": "Quay", "needs_second_person": "yes"})
    late = await visitor.sends("/settings/party", expect=422, **kept | {"name": "Pier"})
    assert "It is now: Quay" in late.text
    assert next(late.all("input", id="name")).attributes["value"] == "Pier"
    # What stands in the form now is the version that both have seen.
    version = next(late.all("input", name="version")).attributes["value"]
    await visitor.sends("/settings/party", expect=303, **kept | {"name": "Pier", "version": version})
    assert (await visitor.opens("/settings/party")).heading.startswith("Pier,")


async def test_who_runs_the_installation_makes_a_party_and_lends_people_to_it(
    front: Front, runner: Visitor, stranger: Visitor
) -> None:
    suffix = runner.network.suffix
    code = suffix[-3:].upper()
    new = {"name": "Harbour", "kind": "site_host", "country_code": "NL", "currency": "EUR", "time_zone": "UTC"}
    refused = await runner.sends("/settings/parties", expect=422, **new, party_code="TOO LONG", language="en")
    assert "Three letters or digits" in refused.text
    owner = {"owner_name": "Bo", "owner_email": f"bo-{suffix}@example.com"}
    made = await runner.sends("/settings/parties", **new, party_code=code, language="de", **owner)
    assert "A link for Bo" in made.text
    (party,) = [a.attributes["href"] for a in made.all("a") if a.text == "Harbour"]
    email = f"ada-{suffix}@example.com"
    ada = await new_operator(runner.network, "operations")
    await runner.network.pool.execute("update operator set email = $2 where operator_id = $1", ada, email)
    nobody = await runner.sends(party, expect=422, do="lend", email="nobody@example.com", role="support", where="all")
    assert "nobody has this address" in nobody.text
    await runner.sends(party, expect=303, do="lend", email=email, role="support", where="all")
    assert email in (await runner.opens(party)).text
    # Others have no such pages.
    for path in ("/settings/parties", party):
        await stranger.opens(path, expect=403)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        link = (await new_link(runner.network, ada)).partition("link=")[2]
        await client.post("/sign-in", data={"link": link, "next": "/"})
        one = Visitor(front, runner.network, client)
        page = await one.opens("/stations")
        one.csrf_token = next(page.all("meta", name="csrf-token")).attributes["content"]
        assert {"Story", "Harbour"} <= {e.text for e in page.all("option")}
        await one.sends("/party", expect=303, party_id=party.rpartition("/")[2])
        assert "Harbour" in (await one.opens("/stations")).text


async def test_a_site_host_sees_a_rail_without_the_rooms_of_the_whole_party(
    front: Front, network: Network, client: httpx.AsyncClient
) -> None:
    here = await network.location("Quay")
    host = await sign_in(front, network, client, "site_host")
    assert "simulated" not in (await host.opens("/")).text
    await network.pool.execute("update operator set location_ids = $2 where party_id = $1", network.party_id, [here])
    page = await host.opens("/stations")
    rail = {a.attributes["href"] for a in page.all("a") if "nav" in a.parents}
    assert {"/", "/stations", "/sessions", "/reservations", "/reports"} <= rail
    assert not rail & {"/templates", "/firmware", "/certificates", "/people", "/settings/party"}
    for path in rail:
        await host.opens(path)


async def test_owners_say_on_a_page_where_somebody_sees(visitor: Visitor) -> None:
    network = visitor.network
    here = await network.location("Quay")
    operator_id = await new_operator(network, "technician")
    path = f"/people/{operator_id}/locations"
    assert "Everything" in (await visitor.opens(path)).heading
    await visitor.sends(path, expect=303, where="some", location_ids=str(here))
    assert (await visitor.opens(path)).heading == "Only 1 location, and what is there."
    assert "1 location" in (await visitor.opens("/people")).text
    await visitor.sends(path, expect=422, where="some", location_ids="x")
    await visitor.sends(path, expect=303, where="all")
    assert "Everything" in (await visitor.opens(path)).heading
