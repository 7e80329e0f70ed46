"""Who gets in, what strangers see, and what hostile words do: nothing."""

import re
from datetime import datetime

import httpx
import pytest

from tests.api.door import Front
from tests.console.town import Town
from tests.console.visitor import Page, Visitor, new_link, new_operator, sign_in
from tests.stories.network import Network

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'

PAGES = (
    "/",
    "/attention",
    "/stations",
    "/stations/new",
    "/stations/import",
    "/stations/{station}",
    "/stations/{station}/configuration",
    "/stations/{station}/certificates",
    "/stations/{station}/messages",
    "/stations/{station}/log",
    "/stations/{station}/day",
    "/templates",
    "/templates/new",
    "/stations/{station}/profiles",
    "/reservations",
    "/reservations?station={station}",
    "/sessions",
    "/stations/{station}/files",
    "/firmware",
    "/security/audit",
    "/security/audit?q=x&about=station.&actor=system&from=2026-01-01&to=2026-13-40&after=x&check=yes",
    "/security",
    "/security/door",
    "/security/door?q={search}&show=unknown&reason=password_wrong&days=x&after=x",
    "/security/events",
    "/security/events?q={search}&show=every&station={search}&days=all&after=W10",
    "/settings",
    "/settings/keys",
    "/settings/keys?show=all&q={search}",
    "/settings/keys/new",
    "/settings/sign-in",
    "/settings/integrations",
    "/settings/quirks",
    "/settings/quirks?q={search}",
    "/settings/retention",
    "/settings/notifications",
    "/settings/notifications/words",
    "/settings/webhooks",
    "/settings/webhooks/new",
    "/sessions/{session}",
    "/drivers",
    "/drivers/new",
    "/tokens",
    "/tokens/new",
    "/tokens/import",
    "/tariffs",
    "/tariffs?q={search}&show=ended&page=7",
    "/tariffs/new",
    "/tariffs/new?as=json",
    "/tariffs/applies",
    "/tariffs/applies?station={station}&evse=1&group={search}&adhoc=yes",
    "/money",
    "/money?month=2026-02&currency={search}",
    "/cdrs",
    "/cdrs?q={search}&station={search}&token={search}&customer={search}&from=2026-01-01&to=x&show=credit&sort=x&page=7",
    "/exceptions",
    "/exceptions?reason=orphan&show=never&before=x",
    "/ledger",
    "/ledger?q={search}&kind=tax&on=2026-01-01&after={search}",
    "/ledger/months",
    "/invoices",
    "/invoices?q={search}&kind=receipt&customer={search}&from=x",
    "/invoices/runs?kind=hosts",
    "/hosts",
    "/hosts/new",
    "/activity",
    "/search?q={search}",
    "/account",
    "/people",
    "/security/sign-ins",
    "/approvals",
    "/locations",
    "/locations/new",
    "/locations/import",
    "/onboarding",
    "/stations/{station}/outlets",
    "/stickers",
)


async def test_a_link_signs_in_once(front: Front, network: Network, client: httpx.AsyncClient) -> None:
    link = await new_link(network, await new_operator(network))
    page = Page(await client.get(link))
    assert page.heading == "Welcome."
    fields = {field.attributes["name"]: field.attributes["value"] for field in page.all("input", type="hidden")}
    assert (await client.post("/sign-in", data=fields)).headers["location"] == "/"
    assert (await client.get("/")).status_code == 200
    async with httpx.AsyncClient(base_url=front.url) as elsewhere:
        again = await elsewhere.post("/sign-in", data=fields)
    assert again.status_code == 403
    assert "was used already" in again.text
    assert "./ohmstead sign-in" in again.text


async def test_without_a_link_the_page_says_how_to_get_one(client: httpx.AsyncClient) -> None:
    page = Page(await client.get("/sign-in"))
    assert "./ohmstead sign-in" in page.text


async def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    cookie = visitor.cookie
    assert "Sign out" in (await visitor.opens("/stations")).text
    await visitor.sends("/sign-out", expect=303)
    answer = await visitor.client.get("/stations", headers={"Cookie": f"ohmstead={cookie}"})
    assert answer.headers["location"] == "/sign-in?next=/stations"


@pytest.mark.parametrize("path", ["/", "/stations", "/sessions", "/search?q=x", "/attention", "/stations.csv"])
async def test_who_is_not_signed_in_is_led_to_the_door(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_a_fragment_without_a_session_leads_the_whole_page_to_the_door(client: httpx.AsyncClient) -> None:
    answer = await client.get("/parts/overview/now", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"].startswith("/sign-in")
    stream = await client.get("/live", headers={"Accept": "text/event-stream"})
    assert stream.status_code == 401


async def test_a_form_without_the_pages_token_changes_nothing(visitor: Visitor) -> None:
    name = f"NEW-{visitor.network.suffix}"
    await visitor.sends("/stations/new", token=False, station_id=name, expect=403)
    await visitor.opens(f"/stations/{name}", expect=404)


async def test_strangers_see_nothing(noon: datetime, visitor: Visitor, stranger: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("SECRET", location_id=await town.location("Hideout"))
    session = await town.session(station, begins=2, ends=1, wh=5000, token_uid="SECRETCARD")
    await town.fault(station)
    for path in (
        f"/stations/{station}",
        f"/stations/{station}/now",
        f"/stations/{station}/timeline",
        f"/stations/{station}/messages",
        f"/stations/{station}/log",
        f"/stations/{station}/log/X",
        f"/stations/{station}/day",
        f"/stations/{station}/day.csv",
        f"/stations/{station}/commands/X",
        f"/stations/{station}/configuration",
        f"/sessions/{session}",
    ):
        assert (await stranger.opens(path, expect=404)).heading == "There is no such thing"
    for path in ("/", "/stations", "/sessions", f"/search?q={station}", "/search?q=SECRETCARD", "/attention"):
        page = await stranger.opens(path)
        # A search repeats what was asked; nothing else may name it.
        assert f"/stations/{station}" not in page.html
        assert "Hideout" not in page.html
        assert str(session) not in page.html
    for path in (f"/stations/{station}/messages.csv", f"/sessions/{session}/readings.csv"):
        await stranger.opens(path, expect=404)
    await stranger.sends(f"/stations/{station}/command", kind="restart", expect=404)
    await stranger.sends(f"/stations/{station}/reject", expect=404)


async def test_hostile_words_of_stations_and_people_stay_words(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    place = await town.location(HOSTILE)
    facts = dict.fromkeys(("vendor", "model", "serial_number", "firmware_version", "iccid", "boot_reason"), HOSTILE)
    station = await town.station("ST", connectors=2, name=HOSTILE, location_id=place, booted_at=noon, **facts)
    await town.fault(station, 1, error_code=HOSTILE, info=HOSTILE, vendor_error_code=HOSTILE)
    session = await town.session(
        station,
        begins=1,
        ends=None,
        wh=10,
        evse_number=2,
        token_uid=HOSTILE,
        transaction_id=HOSTILE,
        anomalies=[HOSTILE],
    )
    await town.message(station, 0.5, HOSTILE, payload=f'{{"info": "{HOSTILE[2:]}"}}', answer=HOSTILE)
    await visitor.network.pool.execute(
        "insert into station_variable (station_id, variable, value) values ($1, $2, $2)", station, HOSTILE
    )
    for path in PAGES:
        # The whole name would lead to the location that is called so.
        page = await visitor.opens(path.format(station=station, session=session, search=HOSTILE[:-1]))
        assert "<script>alert" not in page.html
        assert "onerror=alert(2)>" not in page.html.replace("onerror=alert(2)&gt;", "")
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt;(\d+)", page.html)


@pytest.mark.parametrize("path", [*PAGES, "/nothing-here"])
async def test_no_page_needs_inline_script_or_style(noon: datetime, visitor: Visitor, path: str) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    session = await town.session(station, begins=1, ends=None, wh=10)
    answer = await visitor.client.get(path.format(station=station, session=session, search="x"))
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    for element in Page(answer).elements:
        assert element.name != "style"
        assert element.name != "script" or element.attributes.get("src", "").startswith("/static/")
        bad = [name for name in element.attributes if name == "style" or name.startswith(("on", "hx-on", "hx-vars"))]
        assert bad == [], f"{element.name} has {bad}"
        for name in ("href", "action", "src"):
            assert element.attributes.get(name, "/")[:1] in ("/", "#", ""), element.attributes


@pytest.mark.parametrize(
    "path",
    ["/stations/NOBODY", "/sessions/nonsense", "/sessions/00000000-0000-7000-8000-000000000000", "/nothing-here"],
)
async def test_what_does_not_exist_has_a_page_that_says_so(visitor: Visitor, path: str) -> None:
    page = await visitor.opens(path, expect=404)
    assert "/stations" in [link.attributes["href"] for link in page.all("a")]


async def test_a_role_that_may_only_read_sees_no_commands(
    front: Front, noon: datetime, network: Network, client: httpx.AsyncClient
) -> None:
    reader = await sign_in(front, network, client, role="read_only")
    station = await Town(network, noon).station("ST")
    page = await reader.opens(f"/stations/{station}")
    assert "Send a command" not in page.text
    assert "Add a station" not in (await reader.opens("/stations")).text
    await reader.sends(f"/stations/{station}/command", kind="restart", expect=403)
    await reader.opens("/stations/new", expect=403)


async def test_search_finds_by_any_id(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST", serial_number="SN-4711")
    session = await town.session(station, begins=2, ends=1, wh=10, token_uid="04A224F9", transaction_id="TX-99")
    await visitor.network.token("04A224F9", label="Ada's card")
    assert station in (await visitor.opens("/search?q=sn-4711")).text
    assert str(session) in (await visitor.opens("/search?q=TX-99")).html
    assert str(session) in (await visitor.opens(f"/search?q={str(session)[:13]}")).html
    assert "Ada's card" in (await visitor.opens("/search?q=ada%27s")).text
    answer = await visitor.client.get(f"/search?q={station.lower()}")
    assert answer.headers["location"] == f"/stations/{station}"


async def test_a_page_is_light(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    place = await town.location("North")
    for number in range(60):
        station = await town.station(f"ST-{number:03d}", connectors=2, location_id=place)
        if number % 2:
            await town.session(station, begins=1, ends=None, wh=10)
    for path in ("/", "/stations", "/sessions", f"/stations/{station}"):
        page = await visitor.opens(path)
        linked = {e.attributes["src"] for e in page.all("script")}
        linked |= {e.attributes["href"] for e in page.all("link")}
        linked |= {e.attributes["href"].split("#")[0] for e in page.all("use")}
        sizes = [(await visitor.client.get(url)).num_bytes_downloaded for url in linked]
        # The page, its files, and the live stream.
        assert 2 + len(linked) <= 10
        assert page.answer.num_bytes_downloaded + sum(sizes) <= 150 * 1024, f"{path}: {len(page.html)} + {sum(sizes)}"
