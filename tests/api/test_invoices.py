"""Documents through the API, and as whoever was sent a link sees them."""

import io
import re
from typing import Any
from uuid import UUID

import httpx
from pypdf import PdfReader

from tests.api.door import Visitor, problem
from tests.api.test_billing import billed
from tests.tampering import altered

SELLER = {
    "legal_name": "Harbour Power B.V.",
    "address": {"lines": ["Quay 1"], "postal_code": "3011 AB", "city": "Rotterdam", "country": "NL"},
    "vat_id": "NL123456789B01",
}


async def test_a_receipt_is_issued_listed_and_read_under_its_link(api: Visitor, stranger: Visitor) -> None:
    cdr = await billed(api)
    assert (await api.gets("/invoice-seller"))["missing"]
    set_up = await api.client.put("/invoice-seller", json=SELLER, headers={"If-Match": '"0"'})
    assert set_up.status_code == 200, set_up.text
    assert set_up.json()["missing"] == []
    problem(await api.client.put("/invoice-seller", json=SELLER, headers={"If-Match": '"0"'}), 412, "stale")
    made = await api.client.post("/invoices/receipts", json={"cdr_id": cdr["cdr_id"]})
    assert made.status_code == 201, made.text
    receipt: dict[str, Any] = made.json()
    assert (receipt["total"], receipt["content"]["totals"]["payable"]) == (6.6, 6.6)
    path = f"/invoices/{receipt['invoice_id']}"
    assert await api.gets(path) == receipt
    (row,) = (await api.gets("/invoices", session=cdr["session_id"], kind="receipt"))["items"]
    assert row["number"] == receipt["number"]
    assert (await api.gets("/invoices", kind="invoice"))["items"] == []
    csv = await api.client.get("/invoices", params={"format": "csv"})
    assert receipt["number"] in csv.text
    pdf = await api.client.get(f"{path}/pdf")
    assert receipt["number"] in PdfReader(io.BytesIO(pdf.content)).pages[0].extract_text()
    xml = (await api.client.get(f"{path}/xml")).text
    assert receipt["number"] in xml
    assert "urn:oasis" in (await api.client.get(f"{path}/xml", params={"syntax": "ubl"})).text
    for away in (path, f"{path}/pdf", f"{path}/xml", f"{path}/link"):
        problem(await stranger.client.get(away), 404, "not-found")
    ranges = (await api.gets("/invoice-number-ranges"))["items"]
    assert next(one for one in ranges if one["kind"] == "receipt")["last_number"] == 1
    await _read_by_anybody(await api.gets(f"{path}/link"), receipt, xml)


async def _read_by_anybody(link: dict[str, Any], receipt: dict[str, Any], xml: str) -> None:
    """Without a key and without a cookie."""
    url = link["url"]
    async with httpx.AsyncClient() as anybody:
        page = await anybody.get(url)
        assert page.status_code == 200
        assert receipt["number"] in page.text
        assert "11.000" in page.text
        assert "noindex" in page.headers["x-robots-tag"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<script|style=", page.text)
        assert (await anybody.get(f"{url}/pdf")).content.startswith(b"%PDF-")
        assert (await anybody.get(f"{url}/xml")).text == xml
        assert (await anybody.get(f"{url}/signed")).status_code == 404, "nothing was signed"
        for wrong in (url[:-1], altered(url, -3), f"{url}/etc", url.rpartition("/")[0] + "/" + "A" * 59):
            gone = await anybody.get(wrong)
            assert gone.status_code == 404
            assert receipt["number"] not in gone.text


async def test_a_document_is_sent_again_by_e_mail(api: Visitor, stranger: Visitor) -> None:
    cdr = await billed(api)
    receipt = await api.posts("/invoices/receipts", {"cdr_id": cdr["cdr_id"]}, expect=201)
    path = f"/invoices/{receipt['invoice_id']}/send"
    problem(await api.client.post(path, json={}), 422, "invalid")
    problem(await api.client.post(path, json={"email": "nowhere"}), 422, "invalid")
    problem(await stranger.client.post(path, json={"email": "thief@example.com"}), 404, "not-found")
    sent = await api.posts(path, {"email": "books@example.com"}, expect=202, idempotency_key="once")
    assert await api.posts(path, {"email": "books@example.com"}, expect=202, idempotency_key="once") == sent
    (message_id,) = sent["notification_ids"]
    message = (await api.gets(f"/notifications/{message_id}"))["notification"]
    assert (message["kind"], message["address"]) == ("receipt_issued", "books@example.com")
    again = await api.posts(path, {"email": "books@example.com"}, expect=202)
    assert again["notification_ids"] != [message_id]
    assert (await api.gets("/audit-log", limit=1))["items"][0]["action"] == "invoice.sent"


async def test_a_drivers_document_is_sent_by_who_may_read_drivers(api: Visitor) -> None:
    driver = await api.posts("/drivers", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    cdr = await billed(api)
    receipt = await api.posts("/invoices/receipts", {"cdr_id": cdr["cdr_id"]}, expect=201)
    await api.network.pool.execute("alter table invoice disable trigger invoice_keep")
    await api.network.pool.execute(
        "update invoice set customer = $2 where invoice_id = $1",
        UUID(receipt["invoice_id"]),
        f"driver:{driver['driver_id']}",
    )
    await api.network.pool.execute("alter table invoice enable trigger invoice_keep")
    path = f"/invoices/{receipt['invoice_id']}/send"
    async with api.front.visitor(api.network, "billing:write") as books:
        problem(await books.client.post(path, json={}), 403, "not-allowed")
    async with api.front.visitor(api.network, "billing:write", "drivers:read") as both:
        (message_id,) = (await both.posts(path, {}, expect=202))["notification_ids"]
    assert (await api.gets(f"/notifications/{message_id}"))["notification"]["address"] == "ada@example.com", (
        "the one that is known"
    )


async def test_the_books_are_checked(api: Visitor) -> None:
    await billed(api)
    verdict = await api.gets("/ledger/verdict")
    assert (verdict["n_entries"], verdict["n_cdrs"], verdict["faults"]) == (1, 1, [])


async def test_a_month_is_asked_for_and_what_cannot_be_is_refused(api: Visitor) -> None:
    problem(await api.client.post("/invoice-runs", json={"month": "2026-01"}), 409, "refused")
    await api.client.put("/invoice-seller", json=SELLER)
    problem(await api.client.post("/invoice-runs", json={"month": "2999-01"}), 409, "refused")
    asked = await api.client.post("/invoice-runs", json={"month": "2026-01"})
    assert asked.status_code == 202
    path = asked.headers["location"].removeprefix("/api/v1")

    async def is_done() -> bool:
        return bool((await api.gets(path))["status"] == "done")

    await api.network.until(is_done, "the month is done")
    assert [one["run_id"] for one in (await api.gets("/invoice-runs"))["items"]] == [asked.json()["run_id"]]
    assert (await api.gets("/invoice-previews", month="2026-01"))["items"] == []


async def test_hosts_and_customers_are_kept(api: Visitor) -> None:
    made = await api.client.post("/hosts", json={"name": "Harbour Garages Ltd", "tax_percentage": 21})
    assert made.status_code == 201, made.text
    path = f"/hosts/{made.json()['host_id']}"
    changed = await api.client.put(path, json={"name": "Garages"}, headers={"If-Match": '"1"'})
    assert changed.json()["details"]["name"] == "Garages"
    assert [one["host_id"] for one in (await api.gets("/hosts"))["items"]] == [made.json()["host_id"]]
    assert (await api.gets(f"{path}/contracts"))["items"] == []
    driver = await api.posts("/drivers", {"name": "Ada"}, expect=201)
    path = f"/invoice-customers/driver:{driver['driver_id']}"
    wanted = await api.client.put(path, json={"name": "Roamer", "vat_id": "DE123456789"})
    assert wanted.json()["details"]["vat_id"] == "DE123456789"
    problem(await api.client.put(path, json={"reverse_charge": "always"}), 422, "invalid")
    for nobody in ("nobody", "partner:DE-ABC", f"company:{driver['driver_id']}", "driver:x", "driver:" + "-" * 36):
        problem(await api.client.put(f"/invoice-customers/{nobody}", json={}), 404, "not-found")
    problem(await api.client.put("/invoice-number-ranges/receipt", json={"format": "{n}{n}"}), 422, "invalid")
    assert (await api.client.put("/invoice-number-ranges/poem", json={"format": "P{n}"})).status_code == 404
