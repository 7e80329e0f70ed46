"""Every route there is, asked by another party and by nobody: nothing is told, nothing is changed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from ohmstead.api.examples import TEXT_EXAMPLES, example_of
from ohmstead.api.openapi import _given_of
from ohmstead.api.routes import RESOURCES
from tests.api.door import Front, Visitor, problem
from tests.api.test_sessions import charged

ROUTES = [handler for handlers in RESOURCES.values() for handler in handlers]
WITH_IDS = [handler for handler in ROUTES if "{" in next(iter(handler.paths))]
LISTS = [h for h in ROUTES if h.handler_name.startswith("list_") and h not in WITH_IDS]


def name_of(handler: HTTPRouteHandler) -> str:
    return str(handler.handler_name)


def method_of(handler: HTTPRouteHandler) -> str:
    return str(next(iter(handler.http_methods)))


def body_of(handler: HTTPRouteHandler) -> Any:
    given = _given_of(handler)
    if given is None:
        return TEXT_EXAMPLES.get(handler.handler_name, {})
    body = dict(example_of(given))
    body.pop("location_id", None)
    return body


async def ids_of(api: Visitor) -> dict[str, str]:
    """One of everything."""
    session = await charged(api)
    location = await api.posts("/locations", {"name": "Mine"})
    command = await api.posts(f"/stations/{session['station_id']}/commands", {"kind": "reset"})
    bulk = await api.posts("/bulk-commands", {"order": {"kind": "clear_cache"}, "selection": {}})

    async def is_over() -> bool:
        return bool((await api.gets(f"/bulk-commands/{bulk['bulk_id']}"))["finished_at"])

    await api.network.until(is_over, "the bulk command is done")
    key = await api.posts("/api-keys", {"name": "Mine", "scopes": ["stations:read"]})
    await api.network.pool.execute(
        "insert into signed_reading (session_id, sampled_at, context, measurand, digest, data) values"
        " ($1, now(), 'Transaction.End', 'x', sha256('x'), 'x')",
        session["session_id"],
    )
    (signed,) = (await api.gets(f"/sessions/{session['session_id']}/signed-readings"))["items"]
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wanted = {"station_id": session["station_id"], "token_uid": session["token_uid"], "until_at": ends}
    reservation = await api.posts("/reservations", wanted, expect=201)
    return {
        "reservation_id": reservation["reservation_id"],
        "profile_id": "77001",
        "station_id": session["station_id"],
        "session_id": session["session_id"],
        "token_id": session["token_id"],
        "location_id": location["location_id"],
        "command_id": command["command_id"],
        "bulk_id": bulk["bulk_id"],
        "api_key_id": key["key"]["api_key_id"],
        "digest": signed["digest"],
        "action": "ClearCache",
    }


def filled(handler: HTTPRouteHandler, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+):\w+\}", lambda match: ids[match[1]], next(iter(handler.paths)))


async def contents(api: Visitor) -> str:
    """Everything of the party that a stranger could have changed, and all that was asked of its stations."""
    rows: list[str] = []
    for table in ("location", "station", "token", "command", "bulk_command", "api_key", "audit_entry", "reservation"):
        found = await api.network.pool.fetch(
            f"select (to_jsonb(t) - '{{last_used_at,last_seen_at}}'::text[])::text as row from {table} t"
            " where party_id = $1 order by 1",
            api.network.party_id,
        )
        rows += [row["row"] for row in found]
    return "\n".join(rows)


async def test_a_stranger_finds_nothing_under_any_id_and_changes_nothing(api: Visitor, stranger: Visitor) -> None:
    ids = await ids_of(api)
    before = await contents(api)
    assert len(WITH_IDS) > 25
    for handler in WITH_IDS:
        answer = await stranger.client.request(method_of(handler), filled(handler, ids), json=body_of(handler))
        problem(answer, 404, "not-found")
        assert not any(value in answer.json()["detail"] for value in ("Mine", "Pool car")), name_of(handler)
    assert await contents(api) == before


async def test_a_stranger_finds_every_list_empty(api: Visitor, stranger: Visitor) -> None:
    ids = await ids_of(api)
    assert len(LISTS) >= 8
    for handler in LISTS:
        text = (await stranger.client.get(next(iter(handler.paths)))).text
        for name, value in ids.items():
            assert value not in text or name == "action", (name_of(handler), name)


@pytest.mark.parametrize("handler", ROUTES, ids=name_of)
async def test_nobody_gets_in_anywhere(front: Front, handler: HTTPRouteHandler) -> None:
    ids = (
        dict.fromkeys(("station_id", "digest", "action"), "X")
        | {"profile_id": "1"}
        | dict.fromkeys(
            ("session_id", "token_id", "location_id", "command_id", "api_key_id", "reservation_id", "bulk_id"),
            "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
        )
    )
    async with front.nobody() as nobody:
        answer = await nobody.request(method_of(handler), "/api/v1" + filled(handler, ids), json={})
    problem(answer, 401, "not-signed-in")


async def test_every_route_says_what_it_takes() -> None:
    for handler in ROUTES:
        assert handler.opt.get("operation") is not None, name_of(handler)
        assert handler.opt["operation"].action is not None or name_of(handler) == "get_me"


async def test_a_key_without_scopes_for_it_is_refused_on_every_route(api: Visitor) -> None:
    async with api.front.visitor(api.network, "stations:read") as reader:
        for handler in ROUTES:
            if handler.opt["operation"].action in ("stations:read", None):
                continue
            ids = (
                dict.fromkeys(("station_id", "digest", "action"), "X")
                | {"profile_id": "1"}
                | dict.fromkeys(
                    ("session_id", "token_id", "location_id", "command_id", "api_key_id", "reservation_id", "bulk_id"),
                    "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
                )
            )
            answer = await reader.client.request(method_of(handler), filled(handler, ids), json={})
            problem(answer, 403, "not-allowed")
