"""A directory keeps people and groups here by SCIM 2.0, from the first to the last day."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from ohmstead.accounts import service
from ohmstead.core.ids import new_id
from tests.api.door import Front, Visitor
from tests.stories.network import Network

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture
async def directory(front: Front, api: Visitor) -> AsyncIterator[httpx.AsyncClient]:
    """A directory with a key of its own."""
    key = await front.new_key(api.network, "people:provision")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/scim+json"}
    async with httpx.AsyncClient(base_url=front.url + "/scim/v2", headers=headers, timeout=30) as client:
        yield client


def refused(answer: httpx.Response, status: int, scim_type: str | None = None) -> dict[str, Any]:
    """The error, which must be in SCIM's form."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/scim+json"
    told: dict[str, Any] = answer.json()
    assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert told["status"] == str(status)
    assert told.get("scimType") == scim_type, told
    return told


async def made(directory: httpx.AsyncClient, user_name: str, **more: Any) -> dict[str, Any]:
    body = {"schemas": [USER], "userName": user_name, "displayName": user_name.partition("@")[0], **more}
    answer = await directory.post("/Users", json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["location"] == told["meta"]["location"]
    return told


async def signs_in(front: Front, network: Network, operator_id: str) -> httpx.AsyncClient:
    async with network.pool.acquire() as conn, conn.transaction():
        secret = await service.new_sign_in_link(conn, UUID(operator_id))
    browser = httpx.AsyncClient(base_url=front.url, timeout=30)
    assert (await browser.post("/sign-in", data={"link": secret})).status_code == 303
    return browser


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


async def test_a_person_comes_changes_and_goes(directory: httpx.AsyncClient, api: Visitor, front: Front) -> None:
    name = f"ann.{api.network.suffix}@corp.example".lower()
    names = {"givenName": "Ann", "familyName": "Lee"}
    user = await made(directory, name, displayName=None, name=names, externalId="4711", active=True)
    assert (user["displayName"], user["externalId"], user["active"]) == ("Ann Lee", "4711", True)
    assert user["emails"] == [{"value": name, "type": "work", "primary": True}]
    path = f"/Users/{user['id']}"
    assert (await directory.get(path)).json() == user
    found = (await directory.get("/Users", params={"filter": f'userName eq "{name.upper()}"'})).json()
    assert (found["totalResults"], found["Resources"]) == (1, [user])
    none = (await directory.get("/Users", params={"filter": 'userName eq "nobody"'})).json()
    assert (none["totalResults"], none["Resources"]) == (0, [])
    refused(await directory.post("/Users", json={"userName": name.upper()}), 409, "uniqueness")
    changed = await directory.patch(path, json=patch({"op": "Replace", "path": "name.familyName", "value": "Roe"}))
    assert changed.status_code == 200, changed.text
    put = await directory.put(path, json={"userName": name, "displayName": "Ann Roe", "active": True})
    assert put.json()["displayName"] == "Ann Roe"
    browser = await signs_in(front, api.network, user["id"])
    there = await signs_in(front, api.network, user["id"])
    assert (await browser.get("/api/v1/me")).status_code == 200
    # Words instead of true and false, as one of the large directories sends them.
    off = await directory.patch(path, json=patch({"op": "Replace", "value": {"active": "False"}}))
    assert off.json()["active"] is False
    for one in (browser, there):
        assert (await one.get("/api/v1/me")).status_code == 401  # at once, everywhere
    assert (
        await api.network.pool.fetchval("select count(*) from web_session where operator_id = $1", UUID(user["id"]))
        == 0
    )
    on = await directory.patch(path, json=patch({"op": "replace", "path": "active", "value": True}))
    assert on.json()["active"] is True
    assert (await directory.delete(path)).status_code == 204
    refused(await directory.get(path), 404)
    refused(await directory.delete(path), 404)
    audit = await api.gets("/audit-log", object=f"operator/{user['id']}")
    assert {"operator.provisioned", "operator.disabled"} <= {entry["action"] for entry in audit["items"]}
    for one in (browser, there):
        await one.aclose()


async def test_groups_give_roles_and_take_them(directory: httpx.AsyncClient, api: Visitor, front: Front) -> None:
    suffix = api.network.suffix.lower()
    ann, bob = [await made(directory, f"{one}.{suffix}@corp.example") for one in ("ann", "bob")]
    answer = await directory.post("/Groups", json={"displayName": "Net Ops", "members": [{"value": ann["id"]}]})
    group = answer.json()
    assert answer.status_code == 201, answer.text
    refused(await directory.post("/Groups", json={"displayName": "net ops"}), 409, "uniqueness")
    refused(
        await directory.post("/Groups", json={"displayName": "X", "members": [{"value": str(new_id())}]}),
        400,
        "invalidValue",
    )
    path = f"/Groups/{group['id']}"

    async def role(of: dict[str, Any]) -> str:
        return str(await api.network.pool.fetchval("select role from operator where operator_id = $1", UUID(of["id"])))

    assert await role(ann) == "api"  # a group means nothing until an owner says so
    owner_id = new_id()
    await api.network.pool.execute(
        "insert into operator (operator_id, party_id, name, role) values ($1, $2, 'Owner', 'owner')",
        owner_id,
        api.network.party_id,
    )
    owner = await signs_in(front, api.network, str(owner_id))
    token = await api.network.pool.fetchval("select csrf_token from web_session where operator_id = $1", owner_id)
    given = await owner.post(f"/people/groups/{group['id']}", data={"csrf_token": token, "role": "operations"})
    assert given.status_code == 303, given.text
    await owner.aclose()
    assert await role(ann) == "operations"
    add = patch({"op": "add", "path": "members", "value": [{"value": bob["id"]}]})
    assert len((await directory.patch(path, json=add)).json()["members"]) == 2
    assert await role(bob) == "operations"
    gone = patch({"op": "remove", "path": f'members[value eq "{ann["id"]}"]'})
    assert [m["value"] for m in (await directory.patch(path, json=gone)).json()["members"]] == [bob["id"]]
    assert await role(ann) == "api"
    renamed = patch({"op": "replace", "path": "displayName", "value": "Network operations"})
    assert (await directory.patch(path, json=renamed)).json()["displayName"] == "Network operations"
    found = await directory.get("/Groups", params={"filter": 'displayName eq "Network Operations"'})
    assert found.json()["totalResults"] == 1
    assert (await directory.get(f"/Users/{bob['id']}")).json()["groups"][0]["value"] == group["id"]
    replaced = await directory.put(path, json={"displayName": "Network operations", "members": [{"value": ann["id"]}]})
    assert [m["value"] for m in replaced.json()["members"]] == [ann["id"]]
    assert (await role(ann), await role(bob)) == ("operations", "api")
    assert (await directory.delete(path)).status_code == 204
    assert await role(ann) == "api"
    refused(await directory.get(path), 404)


async def test_only_a_directorys_key_comes_in_and_sees_its_own_party(
    directory: httpx.AsyncClient, api: Visitor, stranger: Visitor, front: Front
) -> None:
    user = await made(directory, f"own.{api.network.suffix}@corp.example".lower())
    other = await front.new_key(stranger.network, "people:provision")
    weak = await front.new_key(api.network, "stations:read")
    async with front.nobody() as nobody:
        for path in ("/Users", "/Groups", f"/Users/{user['id']}", "/ServiceProviderConfig", "/Schemas"):
            refused(await nobody.get(f"/scim/v2{path}"), 401)
            refused(await nobody.get(f"/scim/v2{path}", headers={"Authorization": "Bearer ohm_wrong"}), 401)
            refused(await nobody.get(f"/scim/v2{path}", headers={"Authorization": f"Bearer {weak}"}), 403)
        stranger_headers = {"Authorization": f"Bearer {other}"}
        refused(await nobody.get(f"/scim/v2/Users/{user['id']}", headers=stranger_headers), 404)
        body = patch({"op": "replace", "path": "active", "value": False})
        refused(await nobody.patch(f"/scim/v2/Users/{user['id']}", json=body, headers=stranger_headers), 404)
        refused(await nobody.delete(f"/scim/v2/Users/{user['id']}", headers=stranger_headers), 404)
        told = (await nobody.get("/scim/v2/Users", headers=stranger_headers)).json()
        assert told["totalResults"] == 0
        group = {"displayName": "Theirs", "members": [{"value": user["id"]}]}
        refused(await nobody.post("/scim/v2/Groups", json=group, headers=stranger_headers), 400, "invalidValue")
    front.attempts.forget("127.0.0.1")
    assert (await directory.get(f"/Users/{user['id']}")).json()["active"] is True


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "/Users", b"", 400, "invalidSyntax"),
        ("POST", "/Users", b"[]", 400, "invalidSyntax"),
        ("POST", "/Users", b'{"userName": "a\\u0000"}', 400, "invalidSyntax"),
        ("POST", "/Users", b"{}", 400, "invalidValue"),
        ("POST", "/Users", b'{"userName": 7}', 400, "invalidValue"),
        ("POST", "/Users", b'{"userName": "x", "active": "maybe"}', 400, "invalidValue"),
        ("POST", "/Users", b'{"userName": "x", "emails": "x"}', 400, "invalidValue"),
        ("POST", "/Users", b'{"userName": "x", "emails": [{"value": "no address"}]}', 400, "invalidValue"),
        ("POST", "/Users", b'{"userName": "' + b"x" * 300 + b'"}', 400, "invalidValue"),
        ("POST", "/Users", b"[" * 100_000, 400, "invalidSyntax"),
        ("POST", "/Groups", b'{"displayName": ""}', 400, "invalidValue"),
        ("POST", "/Groups", b'{"displayName": "x", "members": [{"value": "y"}]}', 400, "invalidValue"),
        ("PATCH", "/Users/{user}", b'{"Operations": []}', 400, "invalidSyntax"),
        ("PATCH", "/Users/{user}", b'{"Operations": [{"op": "explode"}]}', 400, "invalidSyntax"),
        ("PATCH", "/Users/{user}", b'{"Operations": [{"op": "remove"}]}', 400, "noTarget"),
        (
            "PATCH",
            "/Users/{user}",
            b'{"Operations": [{"op": "replace", "path": "id", "value": "x"}]}',
            400,
            "mutability",
        ),
        ("PATCH", "/Users/{user}", b'{"Operations": [{"op": "remove", "path": "userName"}]}', 400, "invalidValue"),
        ("GET", '/Users?filter=userName co "x"', None, 400, "invalidFilter"),
        ("GET", '/Users?filter=emails eq "x"', None, 400, "invalidFilter"),
        ("GET", "/Users?startIndex=x", None, 400, "invalidValue"),
        ("GET", "/Users/nonsense", None, 404, None),
        ("GET", "/Nothing", None, 404, None),
    ],
)
async def test_what_is_wrong_is_told_in_scims_form(
    directory: httpx.AsyncClient,
    api: Visitor,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    kind: str | None,
) -> None:
    user = await made(directory, f"odd.{api.network.suffix}@corp.example".lower())
    before = (await directory.get(f"/Users/{user['id']}")).json()
    answer = await directory.request(method, path.format(user=user["id"]), content=body)
    refused(answer, status, kind)
    assert (await directory.get(f"/Users/{user['id']}")).json() == before
    assert (await directory.get("/Users")).json()["totalResults"] == 1


async def test_it_says_what_it_knows(directory: httpx.AsyncClient) -> None:
    config = (await directory.get("/ServiceProviderConfig")).json()
    assert (config["patch"]["supported"], config["bulk"]["supported"]) == (True, False)
    assert [one["id"] for one in (await directory.get("/ResourceTypes")).json()["Resources"]] == ["User", "Group"]
    schemas = (await directory.get("/Schemas")).json()["Resources"]
    assert (await directory.get(f"/Schemas/{schemas[0]['id']}")).json() == schemas[0]
    page = (await directory.get("/Users", params={"startIndex": "1", "count": "0"})).json()
    assert (page["itemsPerPage"], page["Resources"]) == (0, [])
