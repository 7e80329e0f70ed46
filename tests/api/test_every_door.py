"""Every route of the application, API and console, tried by all who have no business there: nobody, people of another
party in each role, and people of the same party who see another location only. They get nothing and change nothing.

Routes are read off the application. A new one is tried by itself; where its path has a part that is not known here, or
where it is for everybody, the test fails until somebody has said what it is.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from ohmstead.accounts.access import ROLES
from ohmstead.doorway import Web, is_for_drivers
from ohmstead.reports.reach.queries import PLACED
from tests.api.door import Front, Visitor
from tests.api.test_strangers import body_of, ids_of
from tests.console.visitor import Page, new_link, new_operator
from tests.stories.network import Network

# For everybody: what the world may know, and the door itself.
OPEN = re.compile(
    r"GET /(healthz|readyz|metrics|language|sign-in|sign-in/with/\{name\}|sign-in/back/\{name\})"
    r"|POST /sign-in(/code|/passkey|/passkey/options)?"
    r"|GET /api/v1/(openapi\.json|docs|docs\.css|problems/\{name\})"
    r"|(GET|POST) /pki/.*|(GET|POST) /unsubscribe/\{token\}"
    r"|GET /documents/\{token\}(/\w+)?|(GET|POST) /pay/sandbox/\{ref\}|POST /api/v1/payment-webhooks/\{provider\}"
)
# What is one's own: everybody who is signed in has it. Never sent by the walk, which would sign itself out.
OWN = re.compile(
    r"(GET|POST) /account(/.*)?|POST /prove(/.*)?|POST /sign-out|POST /party"
    r"|GET /api/v1/(me|me/parties|party)|(GET|POST) /api/v1/saved-lists|(GET|PUT) /api/v1/list-layout"
    r"|(GET|POST) /lists/\{name\}(/columns)?"
)
STREAMS = frozenset({"GET /live", "GET /api/v1/events"})
# For directories with a key only; its own tests try it with keys of others.
SCIM = "/scim/v2/"

# Parts of paths that name nothing of a party.
WORDS = {
    "part": "now",
    "what": "renew",
    "verb": "pause",
    "action": "ClearCache",
    "name": "x",
    "evse_number": "1",
    "question": "x",
    "urn": "x",
    "passkey_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
    "user_id": "x",
    "method_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
    "provider": "x",
    "ref": "x",
    "token": "x",
}
# Enough for a form to get as far as to the thing it is about.
FORM = {
    "do": "disable",
    "role": "owner",
    "name": "Mallory",
    "email": "mallory@example.com",
    "reason": "because",
    "kind": "reset",
    "step": "send",
    "minutes": "5",
    "version": "1",
    "where": "all",
    "order": "reset",
    "time_zone": "UTC",
    "country_code": "NL",
    "party_code": "EVL",
    "currency": "EUR",
    "language": "en",
}


@dataclass(frozen=True)
class Door:
    """A route with one method."""

    method: str
    path: str
    handler: HTTPRouteHandler

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parts(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def address(self, ids: dict[str, str]) -> str:
        known = WORDS | ids
        unknown = [part for part in self.parts if part not in known]
        assert not unknown, f"{self.name}: say here what {', '.join(unknown)} means"
        return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], self.path)


def doors(app: Web) -> Iterator[Door]:
    """All of them, but those of files, which have secrets of their own in their addresses, and those for drivers, whom
    tests/driver/test_strangers.py sends round: an operator is nobody there.
    """
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        if path.startswith(("/static/", SCIM)) or is_for_drivers(path):
            continue
        for handler in route.route_handlers:
            for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                yield Door(str(method), path, handler)


def closed_doors(app: Web) -> list[Door]:
    """Those that are neither everybody's nor one's own."""
    found = list(doors(app))
    return [d for d in found if not (OPEN.fullmatch(d.name) or OWN.fullmatch(d.name) or d.name in STREAMS)]


@dataclass
class Person:
    """Somebody signed in with a browser."""

    who: str
    client: httpx.AsyncClient
    csrf_token: str

    async def knocks(self, door: Door, ids: dict[str, str]) -> httpx.Response:
        """As a browser would, with the token that its pages have."""
        headers = {"X-CSRF-Token": self.csrf_token}
        address = door.address(ids)
        if door.method == "GET":
            return await self.client.get(address, follow_redirects=address.endswith("/command"))
        if door.is_api:
            body = body_of(door.handler)
            if isinstance(body, bytes | str):
                return await self.client.request(door.method, address, content=body, headers=headers)
            return await self.client.request(door.method, address, json=body, headers=headers)
        form = FORM | {"station_id": ids["station_id"], "token_uid": ids["token_uid"], "party_id": ids["party_id"]}
        return await self.client.request(door.method, address, data=form, headers=headers)


@asynccontextmanager
async def person(
    front: Front, network: Network, role: str, locations: list[UUID] | None = None
) -> AsyncIterator[Person]:
    """Signed in by a link, and fresh enough for what is dangerous."""
    operator_id = await new_operator(network, role)
    await network.pool.execute("update operator set location_ids = $2 where operator_id = $1", operator_id, locations)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        link = (await new_link(network, operator_id)).partition("link=")[2]
        answer = await client.post("/sign-in", data={"link": link, "next": "/"})
        assert answer.status_code == 303, answer.text
        page = Page(await client.get("/account"))
        token = next(page.all("meta", name="csrf-token")).attributes["content"]
        yield Person(f"{role} of {network.suffix}", client, token)


async def one_of_everything(api: Visitor) -> dict[str, str]:
    """The ids of a party's things, all of them at one location."""
    ids = await ids_of(api)
    pool, station_id = api.network.pool, ids["station_id"]
    location_id = await pool.fetchval("select location_id from station where station_id = $1", station_id)
    assert location_id == await pool.fetchval("select location_id from session where station_id = $1", station_id)
    uid = await pool.fetchval("select uid from token where token_id = $1", UUID(ids["token_id"]))
    group_id = await pool.fetchval(
        "insert into operator_group (group_id, party_id, name, created_at, changed_at)"
        " values (gen_random_uuid(), $1, 'Mine', now(), now()) returning group_id",
        api.network.party_id,
    )
    return ids | {
        "location_id": str(location_id),
        "party_id": str(api.network.party_id),
        "group_id": str(group_id),
        "token_uid": uid,
    }


async def contents(network: Network) -> dict[str, str]:
    """All that the party has, by table: what a digest of it is. What changes by itself does not count."""
    tables = await network.pool.fetch(
        "select table_name::text as name from information_schema.columns c join pg_class k on k.relname = c.table_name"
        " where c.table_schema = 'public' and c.column_name = 'party_id' and k.relkind in ('r', 'p')"
        " and not k.relispartition and k.relname not in ('outbox', 'sign_in_attempt', 'web_session', 'idempotent_request',"
        " 'webhook_delivery')"
    )
    found = {}
    for table in tables:
        found[table["name"]] = await network.pool.fetchval(
            "select coalesce(string_agg((to_jsonb(t) - '{last_used_at,last_seen_at}'::text[])::text, ';'"
            f" order by to_jsonb(t)::text), '') from {table['name']} t where party_id = $1",
            network.party_id,
        )
    assert {"station", "session", "token", "command", "operator", "party", "audit_entry", "location"} <= found.keys()
    return found


def secrets_of(ids: dict[str, str]) -> list[str]:
    """What must not stand in any answer."""
    names = ("kind", "action", "position", "request_id", "profile_id", "token_uid", "digest")
    return [value for name, value in ids.items() if name not in names and name not in WORDS]


async def test_nobody_gets_in_anywhere(front: Front, api: Visitor) -> None:
    ids = await one_of_everything(api)
    before = await contents(api.network)
    n_refused = 0
    async with front.nobody() as nobody:
        for door in doors(front.app):
            if OPEN.fullmatch(door.name):
                continue
            answer = await nobody.request(door.method, door.address(ids))
            is_led_away = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
            assert answer.status_code == 401 or is_led_away, (door.name, answer.status_code)
            n_refused += 1
    assert n_refused > 200
    assert await contents(api.network) == before


def is_way_to_page(answer: httpx.Response) -> bool:
    """A part of a page, asked for by itself, leads to its page, which is another door; nothing is looked up for that."""
    return answer.status_code == 303 and answer.request.method == "GET" and not answer.text


async def tried(person: Person, tried_doors: Sequence[Door], ids: dict[str, str], *, sees_party: bool) -> None:
    """Knock with the ids of others. `sees_party`: it is their party, and not their location."""
    hidden = secrets_of(ids)
    if sees_party:
        hidden.remove(ids["party_id"])
    wrong: list[str] = []
    for door in tried_doors:
        answer = await person.knocks(door, ids)
        told = f"{person.who}: {door.name} gave {answer.status_code}"
        is_right = answer.status_code < 500
        names_something = any(part not in WORDS for part in door.parts)
        if names_something:
            is_right = answer.status_code in (403, 404) or is_way_to_page(answer)
        elif sees_party and not door.handler.opt.get("within"):
            is_right = answer.status_code == 403
        # What was asked for may stand in the answer as it was asked; nothing else.
        asked = door.address(ids) if names_something else ""
        if door.method == "POST" and not door.is_api:
            asked += ids["station_id"] + ids["party_id"]
        leaked = [one for one in hidden if one in answer.text and one not in asked]
        if leaked or not is_right:
            wrong.append(f"{told}, and in it {leaked}" if leaked else told)
    assert wrong == []
    assert (await person.client.get("/account")).status_code == 200, f"{person.who} is still signed in"


@pytest.mark.timeout(180)
async def test_people_of_another_party_get_nothing_whatever_their_role(front: Front, api: Visitor) -> None:
    ids = await one_of_everything(api)
    theirs = await Network(front.house).found()
    before = await contents(api.network)
    tried_doors = closed_doors(front.app)
    # Nobody may more than an owner, who tries every door; the others take them in turn.
    others = [role for role in ROLES if role != "owner"]
    shares = {"owner": tried_doors} | {role: tried_doors[n :: len(others)] for n, role in enumerate(others)}
    for role, share in shares.items():
        async with person(front, theirs, role) as stranger:
            await tried(stranger, share, ids, sees_party=False)
        assert await contents(api.network) == before, role


@pytest.mark.timeout(180)
async def test_people_of_another_location_get_nothing_of_this_one(front: Front, api: Visitor) -> None:
    ids = await one_of_everything(api)
    elsewhere = await api.network.location("Elsewhere")
    tried_doors = closed_doors(front.app)
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(person(front, api.network, role, [elsewhere]))
            for role in ("operations", "site_host", "technician", "support")
        ]
        people.append(await stack.enter_async_context(person(front, api.network, "site_host")))
        before = await contents(api.network)
        for n, one in enumerate(people):
            share = tried_doors if n == 0 else tried_doors[n - 1 :: len(people) - 1]
            await tried(one, share, ids, sees_party=True)
            assert await contents(api.network) == before, one.who


async def test_who_hosts_the_site_finds_all_of_this_there(front: Front, api: Visitor) -> None:
    """So the refusals above are not for want of things to find."""
    ids = await one_of_everything(api)
    found, listed = 0, 0
    async with person(front, api.network, "operations", [UUID(ids["location_id"])]) as host:
        for door in closed_doors(front.app):
            if door.method != "GET":
                continue
            answer = await host.knocks(door, ids)
            if any(part in PLACED for part in door.parts):
                # A log that never came has no file, a root is the party's, the photo is elsewhere; all else is there.
                is_there = (
                    answer.status_code == 200
                    or is_way_to_page(answer)
                    or door.parts[0] in ("log_id", "certificate_id")
                    or "photo_id" in door.parts
                )
                assert is_there, (door.name, answer.status_code)
                found += 1
            elif "saved_list_id" in door.parts:
                assert answer.status_code == 404, "what others share is for who sees all of the party"
            elif door.handler.opt.get("within"):
                assert answer.status_code == 200, (door.name, answer.status_code)
                listed += ids["station_id"] in answer.text
    assert found > 40
    assert listed >= 8


async def test_a_stream_tells_of_ones_own_locations_only(front: Front, api: Visitor) -> None:
    here, there = await api.network.location("Here"), await api.network.location("There")
    for name, place in (("HERE", here), ("THERE", there)):
        await api.posts("/stations", {"station_id": api.name(name), "location_id": str(place)})
    async with person(front, api.network, "site_host", [here]) as host:
        for path in ("/api/v1/events", "/live"):
            async with host.client.stream("GET", path) as answer:
                assert answer.status_code == 200
                lines = answer.aiter_lines()
                await anext(lines)
                await front.house.bus.flush()
                for name in ("THERE", "HERE"):
                    await api.patches(f"/stations/{api.name(name)}", {"name": "Renamed"})
                await api.posts("/stations", {"station_id": api.name(f"NEW{path[1]}"), "location_id": str(here)})
                heard = ""
                async with asyncio.timeout(10):
                    while api.name(f"NEW{path[1]}") not in heard:
                        heard += await anext(lines)
            assert api.name("HERE") in heard
            assert api.name("THERE") not in heard
        # Moved away, it is heard of no more.
        durable = (await host.client.get("/api/v1/events/outbox", params={"limit": 500})).json()["items"]
        told = {event["subject"] for event in durable}
        assert f"station/{api.name('HERE')}" in told
        assert f"station/{api.name('THERE')}" not in told


async def test_search_exports_and_bulk_orders_stay_within_ones_locations(front: Front, api: Visitor) -> None:
    here, there = await api.network.location("Here"), await api.network.location("There")
    for name, place in (("HERE", here), ("THERE", there)):
        await api.posts("/stations", {"station_id": api.name(name), "location_id": str(place)})
    async with person(front, api.network, "operations", [here]) as one:
        for path in (
            "/stations.csv",
            "/api/v1/stations?format=csv",
            f"/search?q={api.network.suffix}",
            "/stations",
            "/",
        ):
            text = (await one.client.get(path, follow_redirects=True)).text
            assert api.name("THERE") not in text, path
        assert api.name("HERE") in (await one.client.get("/stations.csv")).text
        headers = {"X-CSRF-Token": one.csrf_token}
        order = {"order": {"kind": "clear_cache"}, "selection": {}}
        count = await one.client.post("/api/v1/bulk-commands/count", json=order, headers=headers)
        assert count.json() == {"n_stations": 1}
        made = await one.client.post("/api/v1/bulk-commands", json=order, headers=headers)
        assert made.json()["n_stations"] == 1, made.text
        named = {"order": order["order"], "selection": {"stations": [api.name("THERE")]}}
        refused = await one.client.post("/api/v1/bulk-commands", json=named, headers=headers)
        assert refused.status_code == 422
        # Nothing can be carried out of their reach, or put where they do not see it.
        path = f"/api/v1/stations/{api.name('HERE')}"
        for place in (str(there), None):
            moved = await one.client.patch(path, json={"location_id": place}, headers=headers)
            assert moved.status_code == 422
        made = await one.client.post("/api/v1/stations", json={"station_id": api.name("X")}, headers=headers)
        assert made.status_code == 422
        made = await one.client.post("/api/v1/locations", json={"name": "X"}, headers=headers)
        assert made.status_code == 403


async def test_no_page_stumbles_over_a_character_that_no_database_keeps(front: Front, api: Visitor) -> None:
    ids = await one_of_everything(api)
    names = [
        "q",
        "show",
        "station",
        "from",
        "to",
        "actor",
        "kind",
        "after",
        "before",
        "page",
        "sort",
        "driver",
        "customer",
        "reason",
        "month",
        "token",
        "evse",
    ]
    query = "&".join(f"{name}=%00" for name in names)
    fallen = []
    async with person(front, api.network, "owner") as owner:
        for door in doors(front.app):
            if door.is_api or door.name in STREAMS or door.method != "GET":
                continue
            addresses = [door.address(ids | {part: "%00"}) for part in door.parts]
            for address in [f"{door.address(ids)}?{query}", *addresses]:
                if (await owner.client.get(address)).status_code >= 500:
                    fallen.append(address)
        fields = dict.fromkeys((*FORM, "uid", "label", "station_id", "password", "url", "subject", "text"), "\0")
        for door in doors(front.app):
            if door.is_api or door.method != "POST" or OWN.fullmatch(door.name) or "approvals" in door.path:
                continue
            for do in ("\0", "save"):
                form = fields | {"csrf_token": owner.csrf_token, "do": do}
                if (await owner.client.post(door.address(ids), data=form)).status_code >= 500:
                    fallen.append(door.name)
    assert fallen == []
