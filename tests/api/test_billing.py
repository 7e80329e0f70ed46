"""CDRs, unbillable sessions and the ledger through the API: read, filtered, credited, decided about, closed."""

import base64
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts.access import ROLES
from tests.api.door import Visitor, problem
from tests.api.test_every_door import person
from tests.api.test_sessions import charged
from tests.api.test_tariffs import a_tariff, energy


async def billed(api: Visitor, name: str = "ST", price: Any = 0.5) -> dict[str, Any]:
    """The CDR of a session that was really charged: 11 kWh."""
    if not (await api.gets("/tariffs"))["items"]:
        await a_tariff(api, "Everywhere", energy(price))
    session = await charged(api, name=name)

    async def is_there() -> bool:
        return bool((await api.gets("/cdrs", session=session["session_id"]))["items"])

    await api.network.until(is_there, "the session is billed")
    return dict((await api.gets("/cdrs", session=session["session_id"]))["items"][0])


async def unbilled(api: Visitor) -> dict[str, Any]:
    """A session for which no tariff applied."""
    session = await charged(api)

    async def is_there() -> bool:
        return bool((await api.gets("/unbillable-sessions"))["items"])

    await api.network.until(is_there, "the session is listed")
    (found,) = (await api.gets("/unbillable-sessions"))["items"]
    assert found["session_id"] == session["session_id"]
    return dict(found)


async def test_a_session_that_was_charged_is_billed_by_itself(api: Visitor, stranger: Visitor) -> None:
    cdr = await billed(api)
    assert (cdr["kind"], cdr["version"], cdr["before_taxes"], cdr["total"]) == ("charge", 1, 5.5, 6.6)
    assert (cdr["energy_wh"], cdr["currency"], cdr["token"]["uid"]) == (11_000, "EUR", "CARD-ST")
    assert cdr["customer"].startswith("token:")
    path = f"/cdrs/{cdr['cdr_id']}"
    assert await api.gets(path) == cdr
    ocpi = await api.gets(f"{path}/ocpi")
    assert (ocpi["id"], ocpi["total_cost"]) == (cdr["cdr_id"], {"excl_vat": 5.5, "incl_vat": 6.6})
    for away in (path, f"{path}/ocpi"):
        problem(await stranger.client.get(away), 404, "not-found")
    accounts = await api.all_of("/ledger/accounts", limit=2)
    assert {one["code"]: one["balance"] for one in accounts} == {
        f"receivable:{cdr['customer']}": 6.6,
        "revenue:energy": -5.5,
        "tax:XX:VAT:20": -1.1,
    }
    assert (await stranger.gets("/ledger/accounts"))["items"] == []
    (tax,) = (await api.gets("/ledger/accounts", code="tax:"))["items"]
    entries = f"/ledger/accounts/{tax['account_id']}/entries"
    (posting,) = (await api.gets(entries))["items"]
    assert (posting["amount"], posting["number"], posting["cdr_id"]) == (-1.1, 1, cdr["cdr_id"])
    problem(await stranger.client.get(entries), 404, "not-found")
    facts = await api.network.pool.fetch(
        "select kind, payload from outbox where party_id = $1 and kind = 'CdrCreated'", api.network.party_id
    )
    assert [row["payload"]["cdr_id"] for row in facts] == [cdr["cdr_id"]]


async def test_a_cdr_is_credited_and_the_session_is_billed_anew(api: Visitor) -> None:
    cdr = await billed(api)
    path = f"/cdrs/{cdr['cdr_id']}/credit"
    problem(await api.client.post(path, json={"reason": ""}), 422, "invalid")
    made = await api.posts(path, {"reason": "The meter was wrong", "bill_again": True}, expect=201)
    assert (made["credit"]["total"], made["credit"]["credits_id"]) == (-6.6, cdr["cdr_id"])
    assert (made["replacement"]["version"], made["replacement"]["replaces_id"]) == (2, cdr["cdr_id"])
    assert problem(await api.client.post(path, json={"reason": "again"}), 409, "conflict")["code"] == "credited"
    again = f"/cdrs/{made['replacement']['cdr_id']}/credit"
    gone = await api.posts(again, {"reason": "A guest of ours"}, expect=201)
    assert gone["replacement"] is None
    kinds = [(one["kind"], one["version"]) for one in await api.all_of("/cdrs", limit=1)]
    assert kinds == [("credit", 2), ("charge", 2), ("credit", 1), ("charge", 1)]
    assert [one["kind"] for one in (await api.gets("/cdrs", kind="credit"))["items"]] == ["credit"] * 2
    assert {one["balance"] for one in (await api.gets("/ledger/accounts"))["items"]} == {0}
    (listed,) = (await api.gets("/unbillable-sessions", reason="credited"))["items"]
    assert (listed["decision"], listed["note"]) == ("never", "A guest of ours")
    assert [entry["action"] for entry in await api.all_of("/audit-log", action="cdr.")] == ["cdr.credited"] * 2


async def test_a_cdr_is_reduced_once_and_says_what_was_made(api: Visitor, stranger: Visitor) -> None:
    cdr = await billed(api)
    path = f"/cdrs/{cdr['cdr_id']}/reduce"
    for wrong, field in (
        ({"amount": 6.61}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 0.001}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": 1, "currency": "CHF"}, "currency"),
    ):
        answer = await api.client.post(path, json={"reason": "Slow", **wrong})
        assert problem(answer, 422, "invalid")["field"] == field, wrong
    for wrong in ({"currency": "eu"}, {"reason": ""}, {"reason": " "}):
        assert (await api.client.post(path, json={"reason": "Slow", **wrong})).status_code == 422, wrong
    order = {"reason": "The charger was slow", "amount": 1.6, "currency": "EUR"}
    problem(await stranger.client.post(path, json=order), 404, "not-found")
    async with api.front.visitor(api.network, "billing:read", "payments:write") as reader:
        problem(await reader.client.post(path, json=order), 403, "not-allowed")
    receipt = await api.posts("/invoices/receipts", {"cdr_id": cdr["cdr_id"]}, expect=201)
    asked = cdr["cdr_id"]
    foreseen = await api.posts(f"/cdrs/{asked}/reduction-preview", order, expect=200)
    assert (foreseen["before"], foreseen["after"], foreseen["rest"]) == (6.6, 5.0, 1.6)
    assert foreseen["documents"] == [receipt["number"]]
    problem(await stranger.client.post(f"/cdrs/{asked}/reduction-preview", json=order), 404, "not-found")
    headers = {"Idempotency-Key": "once"}
    first = await api.client.post(path, json=order, headers=headers)
    assert first.status_code == 201, first.text
    assert (await api.client.post(path, json=order, headers=headers)).json() == first.json()
    made = first.json()
    assert (made["credit"]["total"], made["replacement"]["total"]) == (-6.6, 5.0)
    assert first.headers["location"] == f"/api/v1/cdrs/{made['replacement']['cdr_id']}"
    assert made["replacement"]["cost"]["lines"][-1]["rule"] == "Reduced: The charger was slow"
    (note_id,) = made["credit_note_ids"]
    note = await api.gets(f"/invoices/{note_id}")
    assert (note["kind"], note["total"], note["corrects_id"]) == ("credit_note", -6.6, receipt["invoice_id"])
    assert problem(await api.client.post(path, json=order), 409, "conflict")["code"] == "credited"
    problem(await api.client.post(f"/cdrs/{made['credit']['cdr_id']}/reduce", json=order), 409, "refused")
    accounts = await api.all_of("/ledger/accounts", limit=10)
    assert {one["code"]: one["balance"] for one in accounts if one["balance"]} == {
        f"receivable:{cdr['customer']}": 5.0,
        "revenue:energy": -5.5,
        "revenue:adjustments": 1.33,
        "tax:XX:VAT:20": -0.83,
    }
    whole = await api.posts(f"/cdrs/{made['replacement']['cdr_id']}/reduce", {"reason": "All of it"}, expect=201)
    assert whole["replacement"] is None
    assert {one["balance"] for one in (await api.gets("/ledger/accounts"))["items"]} == {0}
    actions = [entry["action"] for entry in await api.all_of("/audit-log", action="cdr.")]
    assert actions == ["cdr.credited", "cdr.reduced"]


async def test_an_unbillable_session_says_why_and_is_decided_about(api: Visitor, stranger: Visitor) -> None:
    found = await unbilled(api)
    assert (found["reason"], found["decision"]) == ("no_tariff", None)
    path = f"/unbillable-sessions/{found['session_id']}/decision"
    never = {"decision": "never", "note": "Nobody had told the price"}
    problem(await stranger.client.post(path, json=never), 404, "not-found")
    problem(await api.client.post(path, json={"decision": "never"}), 422, "invalid")
    refused = problem(await api.client.post(path, json={**never, "decision": "bill"}), 409, "refused")
    assert "no tariff" in refused["detail"]
    decided = await api.posts(path, never)
    assert (decided["session"]["decision"], decided["cdr"]) == ("never", None)
    cases: list[tuple[dict[str, Any], int]] = [
        ({"open": True}, 0),
        ({"open": False}, 1),
        ({"decision": "never"}, 1),
        ({"reason": "orphan"}, 0),
    ]
    for query, n in cases:
        assert len((await api.gets("/unbillable-sessions", **query))["items"]) == n


async def test_a_cursor_that_nobody_gave_and_a_location_that_is_gone_do_no_harm(api: Visitor) -> None:
    cdr = await billed(api)
    (revenue,) = (await api.gets("/ledger/accounts", kind="revenue"))["items"]
    path = f"/ledger/accounts/{revenue['account_id']}/entries"
    for key in ("[1, 99999]", f"[{10**30}, 1]", "[-1, -1]", "[]"):
        cursor = base64.urlsafe_b64encode(key.encode()).decode()
        assert (await api.client.get(path, params={"cursor": cursor})).status_code in (200, 400)
    await api.patches(f"/stations/{cdr['station_id']}", {"location_id": None})
    gone = await api.client.delete(f"/locations/{cdr['location_id']}")
    assert gone.status_code == 204, gone.text
    assert (await api.gets(f"/cdrs/{cdr['cdr_id']}"))["place"]["name"] == "Car park"


async def test_filters_pages_and_tables(api: Visitor) -> None:
    one, two = await billed(api, "ONE"), await billed(api, "TWO")
    for query, expected in [
        ({"token": "card-one"}, [one]),
        ({"station": two["station_id"]}, [two]),
        ({"location": one["location_id"]}, [one]),
        ({"customer": two["customer"]}, [two]),
        ({"currency": "JPY"}, []),
        ({"kind": "charge"}, [two, one]),
        ({"from": two["created_at"]}, [two]),
        ({"to": two["created_at"]}, [one]),
    ]:
        found = (await api.gets("/cdrs", **query))["items"]
        assert [cdr["cdr_id"] for cdr in found] == [cdr["cdr_id"] for cdr in expected], query
    for path, n in [("/cdrs", 2), ("/ledger/accounts", 4), ("/unbillable-sessions", 0)]:
        table = (await api.client.get(path, params={"format": "csv"})).text
        assert len(list(csv.DictReader(io.StringIO(table)))) == n
    rows = list(csv.DictReader(io.StringIO((await api.client.get("/cdrs", params={"format": "csv"})).text)))
    assert [row["total"] for row in rows] == ["6.60", "6.60"]
    (revenue,) = (await api.gets("/ledger/accounts", kind="revenue"))["items"]
    entries = f"/ledger/accounts/{revenue['account_id']}/entries"
    assert [one["number"] for one in await api.all_of(entries, limit=1)] == [2, 1]
    today = datetime.now(UTC).date()
    assert (await api.gets(entries, to=(today - timedelta(days=3)).isoformat()))["items"] == []
    early = (await api.gets("/ledger/accounts", on=(today - timedelta(days=3)).isoformat()))["items"]
    assert {one["balance"] for one in early} == {0}


async def test_a_month_is_closed_once_it_is_over(api: Visitor, stranger: Visitor) -> None:
    assert (await api.posts("/ledger/locks", {"month": "2026-01"}, expect=201))["month"] == "2026-01"
    again = await api.client.post("/ledger/locks", json={"month": "2025-12"})
    assert problem(again, 409, "conflict")["code"] == "closed"
    problem(await api.client.post("/ledger/locks", json={"month": "2999-01"}), 409, "refused")
    for month in ("2026", "2026-13", "2026-00", "x"):
        problem(await api.client.post("/ledger/locks", json={"month": month}), 422, "invalid")
    await api.posts("/ledger/locks", {"month": "2026-02"}, expect=201)
    assert [one["month"] for one in await api.all_of("/ledger/locks", limit=1)] == ["2026-02", "2026-01"]
    assert (await stranger.gets("/ledger/locks"))["items"] == []


@pytest.mark.parametrize("role", list(ROLES))
async def test_finance_reads_and_writes_others_less(api: Visitor, role: str) -> None:
    reads, writes = role in ("owner", "finance", "operations"), role in ("owner", "finance")
    async with person(api.front, api.network, role) as one:
        headers = {"X-CSRF-Token": one.csrf_token}
        for path in ("/cdrs", "/unbillable-sessions", "/ledger/accounts", "/ledger/locks"):
            assert (await one.client.get(f"/api/v1{path}")).status_code == (200 if reads else 403)
        answer = await one.client.post("/api/v1/ledger/locks", json={"month": "2026-01"}, headers=headers)
        assert answer.status_code == (201 if writes else 403)


async def test_who_sees_one_location_sees_its_cdrs_and_no_books(api: Visitor) -> None:
    here, there = await billed(api, "HERE"), await billed(api, "THERE")
    async with person(api.front, api.network, "finance", [UUID(here["location_id"])]) as one:
        found = (await one.client.get("/api/v1/cdrs")).json()["items"]
        assert [cdr["cdr_id"] for cdr in found] == [here["cdr_id"]]
        assert (await one.client.get(f"/api/v1/cdrs/{here['cdr_id']}")).status_code == 200
        assert (await one.client.get(f"/api/v1/cdrs/{there['cdr_id']}")).status_code == 404
        for path in ("/ledger/accounts", "/ledger/locks"):
            assert (await one.client.get(f"/api/v1{path}")).status_code == 403
