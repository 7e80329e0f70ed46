"""Who pays in the demo's network: a company and drivers before its past is told, then what its books need and hold."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ohmstead.core import clock
from ohmstead.core.errors import ExternalFailure
from ohmstead.simulator import places

if TYPE_CHECKING:
    from ohmstead.simulator.scenes import Desk

COMPANY: Final = "Harbour Couriers"
HOST: Final = "Old Quay Estates"
_NAMES: Final = ("Ada Berg", "Noor Haddad", "Jonas Weber", "Mila Novak", "Tariq Aziz", "Ines Costa", "Leo Brandt")
_CARDS: Final = 8
_TOWN: Final = {"postal_code": "31000", "city": places.CITY, "country": "DE"}
_LOOKS, _PAUSE_S, _CALM_S = 60, 0.5, 3.0


async def introduce(desk: Desk) -> None:
    """A company that pays afterwards, with cards of its own, and drivers with one card each. Once: what they charged
    before they were known is owed by their cards."""
    if (await desk.read("/companies"))["items"]:
        return
    tokens = (await desk.read(f"/tokens?limit={_CARDS + len(_NAMES)}"))["items"]
    company = await desk.send(
        "POST",
        "/companies",
        {
            "name": COMPANY,
            "address": "Quayside 4",
            "email": "accounts@couriers.example",
            "reference": "PO 2231",
            **_TOWN,
        },
    )
    for token in tokens[:_CARDS]:
        await desk.send("POST", f"/companies/{company['company_id']}/members", {"token_id": token["token_id"]})
    for name, token in zip(_NAMES, tokens[_CARDS:], strict=False):
        email = f"{name.split()[0].lower()}@drivers.example"
        driver = await desk.send("POST", "/drivers", {"name": name, "email": email, "language": "en"})
        await desk.send("PATCH", f"/tokens/{token['token_id']}", {"driver_id": driver["driver_id"]})


async def keep_books(desk: Desk) -> None:
    """What stands on documents, a plan, a coupon, a host; the documents of last month, and a bill that was reduced."""
    await _until_billed(desk)
    await _sell(desk)
    await _offer(desk)
    await _host(desk)
    month = f"{clock.now().date().replace(day=1) - timedelta(days=1):%Y-%m}"
    for kind in ("customers", "hosts"):
        await _run(desk, month, kind)
    await _reduce(desk)


async def _until_billed(desk: Desk) -> None:
    """Billing follows the past by seconds: wait until no CDR came for a while."""
    newest: list[Any] | None = None
    for _look in range(_LOOKS):
        found = [one["cdr_id"] for one in (await desk.read("/cdrs?limit=1"))["items"]]
        if found == newest:
            return
        newest = found
        await asyncio.sleep(_CALM_S)


async def _sell(desk: Desk) -> None:
    seller = {
        "legal_name": f"{places.CITY} Charging GmbH",
        "trade_name": "Ohmstead Demo",
        "address": {"lines": ["Harbour Road 1"], **_TOWN},
        "vat_id": "DE123456789",
        "bank": {"holder": f"{places.CITY} Charging GmbH", "iban": "DE02120300000000202051"},
        "email": "invoices@charging.example",
    }
    await desk.send("PUT", "/invoice-seller", seller)


async def _offer(desk: Desk) -> None:
    plan = await desk.send(
        "POST",
        "/plans",
        {"name": "Commuter", "label": "commuter", "monthly_fee": "9.90", "included_kwh": "20"}
        | {"taxes": [{"name": "VAT", "percentage": "20"}], "description": "20 kWh each month are in the fee."},
    )
    await desk.send("POST", "/coupons", {"code": "WELCOME26", "label": "welcome", "sessions_each": 3})
    for driver in (await desk.read("/drivers?limit=2"))["items"]:
        given = {"plan_id": plan["plan_id"]}
        await desk.send("POST", f"/drivers/{driver['driver_id']}/subscriptions", given)


async def _host(desk: Desk) -> None:
    locations = (await desk.read("/locations?limit=1"))["items"]
    currency = (await desk.read("/tariffs?limit=1"))["items"][0]["tariff"]["currency"]
    address = {"lines": ["Old Quay 12"], **_TOWN}
    host = await desk.send("POST", "/hosts", {"name": HOST, "address": address, "no_tax_reason": "Small business"})
    for location in locations:
        given = {"location_id": location["location_id"], "currency": currency, "share_percent": "15"}
        since = {"from_on": str(clock.now().date() - timedelta(days=60))}
        await desk.send("POST", f"/hosts/{host['host_id']}/contracts", given | since)


async def _run(desk: Desk, month: str, kind: str) -> None:
    """Ask for the documents of a month, and wait until they are made."""
    run = await desk.send("POST", "/invoice-runs", {"month": month, "kind": kind})
    for _look in range(_LOOKS):
        if (await desk.read(f"/invoice-runs/{run['run_id']}"))["status"] == "done":
            return
        await asyncio.sleep(_PAUSE_S)
    raise ExternalFailure(f"the documents of {month} take too long", permanent=True)


async def _reduce(desk: Desk) -> None:
    """A part of one session goes back: its invoice gets a credit note."""
    lines: list[dict[str, Any]] = []
    for invoice in (await desk.read("/invoices?kind=invoice&limit=20"))["items"]:
        content = (await desk.read(f"/invoices/{invoice['invoice_id']}"))["content"]
        lines += [one for one in content["lines"] if one.get("cdr_id") and float(one["total"]) > 2]
    if lines:
        billed = max(lines, key=lambda one: float(one["total"]))
        given = {"amount": "2.00", "reason": "The charger was slower than told."}
        await desk.send("POST", f"/cdrs/{billed['cdr_id']}/reduce", given)
