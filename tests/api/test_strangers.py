"""Every route there is, asked by another party and by nobody: nothing is told, nothing is changed."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler

from ohmstead.accounts.access import OF_INSTALLATION
from ohmstead.api.examples import TEXT_EXAMPLES, example_of
from ohmstead.api.openapi import _given_of
from ohmstead.api.routes import RESOURCES
from ohmstead.api.signed_examples import METER_KEY
from ohmstead.core.ids import new_id
from ohmstead.notifications import service as notifications
from ohmstead.notifications.model import Recipient
from ohmstead.stations.device import upkeep
from tests.api.door import Front, Visitor, problem
from tests.api.pictures import a_png
from tests.api.test_sessions import charged
from tests.security.pki import Authority

ROUTES = [handler for handlers in RESOURCES.values() for handler in handlers]
WITH_IDS = [handler for handler in ROUTES if "{" in next(iter(handler.paths))]
UUIDS = (
    *("session_id", "token_id", "location_id", "command_id", "bulk_id", "api_key_id", "certificate_id"),
    *("template_id", "image_id", "rollout_id", "log_id", "reservation_id", "safe_limit_id", "web_payment_id"),
    *("operator_id", "approval_id", "webhook_id", "delivery_id", "party_id", "web_session_id", "group_id"),
    "photo_id",
    *("driver_id", "saved_list_id"),
    *("tariff_id", "assignment_id", "simulation_id"),
    *("cdr_id", "account_id", "entry_id"),
    *("payment_id", "debt_id", "difference_id", "line_id", "method_id"),
    *("plan_id", "subscription_id", "coupon_id", "company_id", "member_id"),
    "notification_id",
    *("invoice_id", "run_id", "host_id", "contract_id"),
)
UNKNOWN_IDS = (
    dict.fromkeys(("station_id", "digest", "action", "kind", "request_id", "message_id", "series", "prefix"), "X")
    | dict.fromkeys(UUIDS, "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f")
    | {
        "position": "1",
        "profile_id": "1",
        "evse_number": "1",
        "customer": "driver:019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
    }
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
    fields = msgspec.structs.fields(given) if isinstance(given, type) and issubclass(given, msgspec.Struct) else ()
    if not any(field.name == "location_id" and field.required for field in fields):
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
    await api.network.pool.execute(
        "insert into signed_session values ($1, $2, 'not_checkable', '[]', 1, null, now())",
        session["session_id"],
        api.network.party_id,
    )
    await api.posts(
        f"/stations/{session['station_id']}/meter-keys", {"evse_number": 1, "public_key": METER_KEY}, expect=201
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
    limit_of_cost = {"amount": 25, "currency": "EUR"}
    assert (await api.client.put(f"/drivers/{driver['driver_id']}/price-limit", json=limit_of_cost)).is_success
    async with api.network.pool.acquire() as conn, conn.transaction():
        to = Recipient(email="mine@example.com")
        data = {"number": "Mine"}
        (notification_id,) = await notifications.queue(
            conn, api.network.party_id, kind="receipt_issued", to=to, data=data, key="mine"
        )
    saved = await api.posts("/saved-lists", {"page": "tokens", "name": "Mine", "query": "q=x", "is_shared": True})
    simulation = await api.posts("/tariff-simulations", {"tariff_id": tariff["tariff_id"]}, expect=202)
    price = {"starts_at": "2026-03-02T10:00:00Z", "ends_at": "2026-03-02T11:00:00Z", "price_kwh": 0.1}
    await api.posts("/price-series", {"name": "MINE", "currency": "EUR"}, expect=201)
    written = await api.client.put("/price-series/MINE", json={"currency": "EUR", "prices": [price]})
    assert written.is_success, written.text
    ids = {
        **await billed_ids_of(api, session["session_id"]),
        "tariff_id": tariff["tariff_id"],
        "assignment_id": assignment["assignment_id"],
        "simulation_id": simulation["simulation_id"],
        "series": "MINE",
        "driver_id": driver["driver_id"],
        **await payer_ids_of(api, driver["driver_id"]),
        "saved_list_id": saved["saved_list_id"],
        "method_id": await stored_card_of(api, driver["driver_id"]),
        "web_payment_id": str(payment_id),
        "operator_id": operator["operator"]["operator_id"],
        **await people_ids_of(api, operator["operator"]["operator_id"]),
        "party_id": str(api.network.party_id),
        "approval_id": str(approval_id),
        "notification_id": str(notification_id),
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
    await api.network.until(lambda: is_calm(api), "what was begun here is finished")
    return ids


async def is_calm(api: Visitor) -> bool:
    """Whether the worker has done all it does by itself with these things, so that they stay as they are. What it would do to
    stations later on (look at their clocks, give them lists) is called off.
    """
    pool, party_id = api.network.pool, api.network.party_id
    called_off = await pool.fetch(
        "update upkeep u set due_at = null from station s where s.station_id = u.station_id and s.party_id = $1"
        " and u.due_at is not null and u.taken_until is null returning u.station_id",
        party_id,
    )
    is_over = await pool.fetchval(
        "select not exists (select from notification where party_id = $1 and finished_at is null)"
        " and not exists (select from tariff_simulation where party_id = $1 and finished_at is null)"
        " and not exists (select from invoice_run where party_id = $1 and finished_at is null)"
        " and not exists (select from command where party_id = $1 and status in ('queued', 'sending', 'sent'))"
        " and not exists (select from upkeep u join station s using (station_id)"
        "  where s.party_id = $1 and u.due_at is not null)"
        " and not exists (select from outbox o join outbox_cursor c on c.consumer = 'stations.upkeep'"
        "  where o.party_id = $1 and o.kind = any ($2) and (o.xid >= c.window_to"
        "   or o.xid >= c.window_from and o.event_id > c.done_event_id))",
        party_id,
        list(upkeep.KINDS),
    )
    return is_over and not called_off


async def people_ids_of(api: Visitor, operator_id: str) -> dict[str, str]:
    """A browser in which somebody is signed in, and a directory's group."""
    ids = {"web_session_id": new_id(), "group_id": new_id()}
    await api.network.pool.execute(
        "insert into web_session (web_session_id, operator_id, cookie_hash, csrf_token, expires_at)"
        " values ($1, $2, uuid_send($1::uuid), 'Mine', now() + interval '1 hour')",
        ids["web_session_id"],
        UUID(operator_id),
    )
    await api.network.pool.execute(
        "insert into operator_group (group_id, party_id, name, created_at, changed_at)"
        " values ($1, $2, 'Mine too', now(), now())",
        ids["group_id"],
        api.network.party_id,
    )
    return {name: str(value) for name, value in ids.items()}


async def stored_card_of(api: Visitor, driver_id: str) -> str:
    """A card that a driver stored."""
    method_id = new_id()
    await api.network.pool.execute(
        "insert into stored_method (method_id, party_id, driver_id, provider, provider_ref, customer_ref, kind, created_at)"
        " values ($1, $2, $3, 'sandbox', $1::uuid::text, 'Mine', 'card', now())",
        method_id,
        api.network.party_id,
        UUID(driver_id),
    )
    return str(method_id)


async def billed_ids_of(api: Visitor, session_id: str) -> dict[str, str]:
    """What the worker made of a session that is settled."""

    async def is_billed() -> bool:
        return bool((await api.gets("/cdrs", session=session_id))["items"])

    await api.network.until(is_billed, "the session is billed")
    (cdr,) = (await api.gets("/cdrs", session=session_id))["items"]
    account = (await api.gets("/ledger/accounts", kind="receivable"))["items"][0]
    (posting, *_) = (await api.gets(f"/ledger/accounts/{account['account_id']}/entries"))["items"]
    found = {"cdr_id": cdr["cdr_id"], "account_id": account["account_id"], "entry_id": posting["entry_id"]}
    return found | await paid_ids_of(api) | await told_ids_of(api, cdr["cdr_id"])


async def told_ids_of(api: Visitor, cdr_id: str) -> dict[str, str]:
    """A receipt, a month that was run, a host with a contract."""
    receipt = await api.posts("/invoices/receipts", {"cdr_id": cdr_id}, expect=201)
    address = {"lines": ["Quay 1"], "city": "Rotterdam", "country": "NL"}
    seller = {"legal_name": "Mine", "address": address, "vat_id": "NL123456789B01"}
    assert (await api.client.put("/invoice-seller", json=seller)).status_code == 200
    run = await api.posts("/invoice-runs", {"month": "2026-01"}, expect=202)
    host = await api.posts("/hosts", {"name": "Mine"}, expect=201)
    location = (await api.gets("/locations"))["items"][0]["location_id"]
    terms = {"location_id": location, "currency": "EUR", "share_percent": 10, "from_on": "2026-01-01"}
    contract = await api.posts(f"/hosts/{host['host_id']}/contracts", terms, expect=201)
    return {
        "invoice_id": receipt["invoice_id"],
        "run_id": run["run_id"],
        "host_id": host["host_id"],
        "contract_id": contract["contract_id"],
        "customer": receipt["customer"],
    }


async def payer_ids_of(api: Visitor, driver_id: str) -> dict[str, str]:
    """A plan, a coupon, a company and a partner, with a driver who has all of it."""
    plan = await api.posts("/plans", {"name": "Mine", "label": "MINE", "monthly_fee": 10}, expect=201)
    subscription = await api.posts(f"/drivers/{driver_id}/subscriptions", {"plan_id": plan["plan_id"]}, expect=201)
    coupon = await api.posts("/coupons", {"code": "MINE", "label": "MINE"}, expect=201)
    company = await api.posts("/companies", {"name": "Mine"}, expect=201)
    await api.posts(f"/companies/{company['company_id']}/members", {"driver_id": driver_id}, expect=201)
    await api.posts("/paying-partners", {"prefix": "DE8QQ", "partner": "DE-8QQ", "name": "Mine"}, expect=201)
    assert (await api.client.put(f"/drivers/{driver_id}/wallet")).is_success
    await api.posts(f"/drivers/{driver_id}/pin", {}, expect=201)
    return {
        "plan_id": plan["plan_id"],
        "subscription_id": subscription["subscription_id"],
        "coupon_id": coupon["coupon_id"],
        "company_id": company["company_id"],
        "member_id": driver_id,
        "prefix": "DE8QQ",
    }


async def paid_ids_of(api: Visitor) -> dict[str, str]:
    """A payment, with all that can go wrong with one."""
    ids = {name: str(new_id()) for name in ("payment_id", "debt_id", "difference_id")}
    party_id, pool = api.network.party_id, api.network.pool
    await pool.execute(
        "insert into payment (payment_id, party_id, provider, purpose, customer, state, is_hold, currency, amount, created_at)"
        " values ($1, $2, 'sandbox', 'session', 'payment:' || $1::uuid, 'held', true, 'EUR', 40, now())",
        UUID(ids["payment_id"]),
        party_id,
    )
    await pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values ($1, $2, 'nobody', 'EUR', 5, 'over_hold', now())",
        UUID(ids["debt_id"]),
        party_id,
    )
    await pool.execute(
        "insert into payment_difference (difference_id, party_id, key, kind, currency, expected, found, text, found_at)"
        " values ($1, $2, 'k', 'amount', 'EUR', 1, 2, 'captured otherwise', now())",
        UUID(ids["difference_id"]),
        party_id,
    )
    line = await api.posts("/bank-lines", {"amount": 5, "currency": "EUR", "booked_on": "2026-01-02"}, expect=201)
    return ids | {"line_id": line["line_id"]}


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
        *("plan", "subscription", "plan_charge", "coupon", "coupon_redemption", "company", "company_member", "wallet"),
        *("paying_method", "paying_partner", "paying_policy"),
        *("cdr", "unbillable_session", "ledger_entry", "ledger_posting", "ledger_account", "ledger_lock"),
        *("invoice", "invoice_seller", "invoice_customer", "invoice_format", "billing_host", "host_contract"),
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
    ids = await ids_of(api) | {"evse_number": "1"}
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
