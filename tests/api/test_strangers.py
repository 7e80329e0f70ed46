"""Every route there is, asked by another party and by nobody: nothing is told, nothing is changed."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar.handlers import HTTPRouteHandler

from ohmstead.accounts.access import OF_INSTALLATION
from ohmstead.api.examples import TEXT_EXAMPLES, example_of
from ohmstead.api.openapi import _given_of
from ohmstead.api.routes import RESOURCES
from ohmstead.core.ids import new_id
from tests.api.door import Front, Visitor, problem
from tests.api.pictures import a_png
from tests.api.test_sessions import charged
from tests.security.pki import Authority

ROUTES = [handler for handlers in RESOURCES.values() for handler in handlers]
WITH_IDS = [handler for handler in ROUTES if "{" in next(iter(handler.paths))]
UUIDS = (
    *("session_id", "token_id", "location_id", "command_id", "bulk_id", "api_key_id", "certificate_id"),
    *("template_id", "image_id", "rollout_id", "log_id", "reservation_id", "safe_limit_id", "web_payment_id"),
    *("operator_id", "approval_id", "webhook_id", "delivery_id", "party_id"),
    "photo_id",
    *("driver_id", "saved_list_id"),
    *("tariff_id", "assignment_id", "simulation_id"),
    *("cdr_id", "account_id"),
)
UNKNOWN_IDS = (
    dict.fromkeys(("station_id", "digest", "action", "kind", "request_id", "message_id", "series"), "X")
    | dict.fromkeys(UUIDS, "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f")
    | {"position": "1", "profile_id": "1"}
)
EVERYBODYS = ("get_me", "get_own_party", "list_memberships")
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
    rules = {"currency": "EUR", "elements": [{"price_components": [{"type": "ENERGY", "price": 0.5}]}]}
    tariff = await api.posts("/tariffs", {"name": "Mine", "tariff": rules}, expect=201)
    assignment = await api.posts("/tariff-assignments", {"tariff_id": tariff["tariff_id"]}, expect=201)
    # Sessions of tests began before the test did.
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await api.network.pool.execute(
            f"update {column} = '2020-01-01Z' where tariff_id = $1", UUID(tariff["tariff_id"])
        )
    session = await charged(api)
    location = await api.posts("/locations", {"name": "Mine"})
    photo = await api.client.post(f"/locations/{location['location_id']}/photos", content=a_png())
    command = await api.posts(f"/stations/{session['station_id']}/commands", {"kind": "reset"})
    bulk = await api.posts("/bulk-commands", {"order": {"kind": "clear_cache"}, "selection": {}})

    async def is_over() -> bool:
        return bool((await api.gets(f"/bulk-commands/{bulk['bulk_id']}"))["finished_at"])

    await api.network.until(is_over, "the bulk command is done")
    key = await api.posts("/api-keys", {"name": "Mine", "scopes": ["stations:read"]})
    root = {"kind": "central_root", "certificate_pem": Authority("Mine").pem.decode()}
    certificate = await api.posts("/certificates/roots", root, expect=201)
    await api.network.pool.execute(
        "insert into signed_reading (session_id, sampled_at, context, measurand, digest, data) values"
        " ($1, now(), 'Transaction.End', 'x', sha256('x'), 'x')",
        session["session_id"],
    )
    (signed,) = (await api.gets(f"/sessions/{session['session_id']}/signed-readings"))["items"]
    template = await api.posts("/templates", {"name": "Mine", "generation": "1.6", "variables": {"Key": "1"}})
    limit = await api.posts(
        "/safe-limits", {"name": "Mine", "limit": 10, "rate_unit": "A", "is_enabled": False}, expect=201
    )
    await api.network.pool.execute(
        "insert into report_chunk (station_id, kind, request_id, digest, seq_no, is_last)"
        " values ($1, 'NotifyReport', 4711, 'x', 0, true)",
        session["station_id"],
    )
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wanted = {"station_id": session["station_id"], "token_uid": session["token_uid"], "until_at": ends}
    reservation = await api.posts("/reservations", wanted, expect=201)
    await api.network.pool.execute(
        "insert into station_cost values ($1, $2, $3, 1, now(), 'EUR', 4.2, '{}')",
        session["station_id"],
        session["transaction_id"],
        api.network.party_id,
    )
    payment_id = await api.network.pool.fetchval(
        "insert into web_payment values (gen_random_uuid(), $1, $2, 1, 7, null, now(), now() + interval '1 hour')"
        " returning web_payment_id",
        api.network.party_id,
        session["station_id"],
    )
    person = {"name": "Mine", "email": f"mine-{api.network.suffix}@example.com", "role": "support"}
    operator = await api.posts("/operators", person, expect=201)
    approval_id = new_id()
    await api.network.pool.execute(
        "insert into approval (approval_id, party_id, kind, summary, request, asked_by, asked_name, asked_at, expires_at)"
        " values ($1, $2, 'bulk_command', 'Mine', '{}', 'key:x', 'Mine', now(), now() + interval '1 hour')",
        approval_id,
        api.network.party_id,
    )
    webhook = (
        await api.posts(
            "/webhooks", {"url": "https://mine.example/x", "description": "Mine", "kinds": ["WebhookDisabled"]}
        )
    )["webhook"]
    example = await api.posts(f"/webhooks/{webhook['webhook_id']}/example", {"kind": "SessionEnded"})
    driver = await api.posts("/drivers", {"name": "Mine"}, expect=201)
    saved = await api.posts("/saved-lists", {"page": "tokens", "name": "Mine", "query": "q=x", "is_shared": True})
    simulation = await api.posts("/tariff-simulations", {"tariff_id": tariff["tariff_id"]}, expect=202)
    price = {"starts_at": "2026-03-02T10:00:00Z", "ends_at": "2026-03-02T11:00:00Z", "price_kwh": 0.1}
    await api.posts("/price-series", {"name": "MINE", "currency": "EUR"}, expect=201)
    written = await api.client.put("/price-series/MINE", json={"currency": "EUR", "prices": [price]})
    assert written.is_success, written.text
    return {
        **await billed_ids_of(api, session["session_id"]),
        "tariff_id": tariff["tariff_id"],
        "assignment_id": assignment["assignment_id"],
        "simulation_id": simulation["simulation_id"],
        "series": "MINE",
        "driver_id": driver["driver_id"],
        "saved_list_id": saved["saved_list_id"],
        "web_payment_id": str(payment_id),
        "operator_id": operator["operator"]["operator_id"],
        "party_id": str(api.network.party_id),
        "approval_id": str(approval_id),
        "webhook_id": webhook["webhook_id"],
        "delivery_id": example["delivery_id"],
        "photo_id": photo.json()["photo_id"],
        "template_id": template["template_id"],
        "safe_limit_id": limit["safe_limit_id"],
        "kind": "NotifyReport",
        "request_id": "4711",
        "reservation_id": reservation["reservation_id"],
        "profile_id": "77001",
        "station_id": session["station_id"],
        "session_id": session["session_id"],
        "token_id": session["token_id"],
        "location_id": location["location_id"],
        "command_id": command["command_id"],
        "message_id": (await api.gets(f"/stations/{session['station_id']}/messages"))["items"][-1]["message_id"],
        "bulk_id": bulk["bulk_id"],
        "api_key_id": key["key"]["api_key_id"],
        "certificate_id": certificate["certificate_id"],
        "digest": signed["digest"],
        "action": "ClearCache",
        **await file_ids_of(api, session["station_id"]),
    }


async def billed_ids_of(api: Visitor, session_id: str) -> dict[str, str]:
    """What the worker made of a session that is settled."""

    async def is_billed() -> bool:
        return bool((await api.gets("/cdrs", session=session_id))["items"])

    await api.network.until(is_billed, "the session is billed")
    (cdr,) = (await api.gets("/cdrs", session=session_id))["items"]
    account = (await api.gets("/ledger/accounts", kind="receivable"))["items"][0]
    return {"cdr_id": cdr["cdr_id"], "account_id": account["account_id"]}


async def file_ids_of(api: Visitor, station_id: str) -> dict[str, str]:
    """One of everything that has to do with files."""
    image = await api.posts("/firmware", {"name": "Mine.bin", "version": "2"})
    uploaded = await api.client.put(f"/firmware/{image['image_id']}/content", content=b"Mine")
    assert uploaded.is_success, uploaded.text
    await api.network.pool.execute("update station set firmware_version = '1' where station_id = $1", station_id)
    rollout = await api.posts(
        "/rollouts", {"image_id": image["image_id"], "name": "Mine", "window_from": "00:00:00", "window_to": "00:00:01"}
    )
    log = await api.posts(f"/stations/{station_id}/logs", {})
    sha256 = hashlib.sha256(b"Mine").hexdigest()
    await api.network.pool.execute("update file_job set sha256 = $2 where job_id = $1", UUID(log["job_id"]), sha256)
    await api.network.pool.execute(
        "insert into log_member values ($1, 7, 'Mine.log', $2, 4, true, null)", UUID(log["job_id"]), sha256
    )
    return {
        "image_id": image["image_id"],
        "rollout_id": rollout["rollout_id"],
        "log_id": log["job_id"],
        "position": "7",
    }


def filled(handler: HTTPRouteHandler, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+):\w+\}", lambda match: ids[match[1]], next(iter(handler.paths)))


async def contents(api: Visitor) -> str:
    """Everything of the party that a stranger could have changed, and all that was asked of its stations."""
    rows: list[str] = []
    tables = (
        *("location", "station", "token", "command", "bulk_command"),
        *("api_key", "audit_entry", "certificate", "configuration_template", "safe_limit"),
        *("firmware_image", "rollout", "file_job", "reservation"),
        *("web_payment", "web_payment_setup", "operator", "approval", "webhook"),
        *("circuit", "location_photo"),
        *("driver", "token_holding", "saved_list"),
        *("tariff", "tariff_version", "tariff_assignment", "price_series", "price_interval"),
        *("cdr", "unbillable_session", "ledger_entry", "ledger_posting", "ledger_account", "ledger_lock"),
    )
    for table in tables:
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
        if handler.opt["operation"].action in OF_INSTALLATION:
            problem(answer, 403, "not-allowed")
        else:
            problem(answer, 404, "not-found")
        assert not any(value in answer.json()["detail"] for value in ("Mine", "Pool car")), name_of(handler)
    assert await contents(api) == before


async def test_a_stranger_finds_every_list_empty(api: Visitor, stranger: Visitor) -> None:
    ids = await ids_of(api)
    assert len(LISTS) >= 8
    for handler in LISTS:
        text = (await stranger.client.get(next(iter(handler.paths)))).text
        for name, value in ids.items():
            assert value not in text or name in ("action", "kind", "position"), (name_of(handler), name)


@pytest.mark.parametrize("handler", ROUTES, ids=name_of)
async def test_nobody_gets_in_anywhere(front: Front, handler: HTTPRouteHandler) -> None:
    ids = UNKNOWN_IDS
    async with front.nobody() as nobody:
        answer = await nobody.request(method_of(handler), "/api/v1" + filled(handler, ids), json={})
    problem(answer, 401, "not-signed-in")


async def test_every_route_says_what_it_takes() -> None:
    for handler in ROUTES:
        assert handler.opt.get("operation") is not None, name_of(handler)
        assert handler.opt["operation"].action is not None or name_of(handler) in EVERYBODYS


async def test_a_key_without_scopes_for_it_is_refused_on_every_route(api: Visitor) -> None:
    async with api.front.visitor(api.network, "stations:read") as reader:
        for handler in ROUTES:
            if handler.opt["operation"].action in ("stations:read", None):
                continue
            ids = UNKNOWN_IDS
            answer = await reader.client.request(method_of(handler), filled(handler, ids), json={})
            problem(answer, 403, "not-allowed")
