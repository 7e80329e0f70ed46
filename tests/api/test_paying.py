"""Ways of paying over the API: what is set is what is read, and what makes no sense is refused with its field."""

from datetime import UTC, datetime
from typing import Any

from tests.api.door import Visitor, problem
from tests.api.test_drivers import a_driver


async def test_ways_of_paying_are_set_read_and_forgotten(api: Visitor, stranger: Visitor) -> None:
    assert (await api.gets("/paying-policy"))["without_method"] == "invoice"
    driver = f"/drivers/{(await a_driver(api))['driver_id']}"
    assert (await api.gets(f"{driver}/paying-method"))["source"] == "policy"
    company = await api.posts("/companies", {"name": "Fleet", "limit_per_month": "500"}, expect=201)
    path = f"/companies/{company['company_id']}"
    members = await api.posts(f"{path}/members", {"driver_id": driver.rpartition("/")[2]}, expect=201)
    assert [one["name"] for one in members["items"]] == ["Ilse"]
    assert (await api.gets(f"{driver}/paying-method"))["name"] == "Fleet"
    assert (await api.gets(f"{path}/month"))["left"] == 500
    changed = await api.patches(path, {"reference": "PO 4711"}, if_match='"1"')
    assert (changed["reference"], changed["version"]) == ("PO 4711", 2)
    problem(await api.client.patch(path, json={"name": "X"}, headers={"If-Match": '"1"'}), 412, "stale")
    set_to = await api.client.put(f"{driver}/paying-method", json={"kind": "wallet"})
    assert set_to.json()["kind"] == "company", "what a company pays for, its members do not"
    assert (await api.client.delete(f"{path}/members/{driver.rpartition('/')[2]}")).status_code == 204
    assert (await api.gets(f"{driver}/paying-method"))["kind"] == "wallet"
    problem(await api.client.put(f"{driver}/paying-method", json={"kind": "card"}), 422, "invalid")
    wallet = await api.gets(f"{driver}/wallet")
    assert (wallet["currency"], wallet["balance"]) == ("EUR", 0)
    given = {"amount": "5.00", "currency": "EUR", "reason": "A broken cable"}
    assert (await api.posts(f"{driver}/wallet/adjustments", given, expect=201))["available"] == 5
    entries = await api.all_of(f"{driver}/wallet/entries", limit=1)
    assert [(one["kind"], one["amount"], one["text"]) for one in entries] == [
        ("wallet_adjustment", 5, "A broken cable")
    ]
    problem(await api.client.post(f"{driver}/wallet/refund", json={"reason": "Moves away"}), 409, "refused")
    assert (await api.client.delete(f"{driver}/paying-method")).status_code == 204
    for thing in (f"{driver}/wallet", path, f"{driver}/paying-method"):
        problem(await stranger.client.get(thing), 404, "not-found")
    assert (await stranger.gets("/companies"))["items"] == []


async def test_plans_coupons_partners_and_pins(api: Visitor) -> None:
    driver = f"/drivers/{(await a_driver(api))['driver_id']}"
    given: dict[str, Any] = {"name": "Plus", "label": "PLUS", "monthly_fee": "31", "included_kwh": "31"}
    plan = await api.posts("/plans", given, expect=201)
    problem(await api.client.post("/plans", json=given), 409, "conflict")
    problem(await api.client.post("/plans", json=given | {"monthly_fee": "1.001", "label": "X"}), 422, "invalid")
    made = await api.posts(f"{driver}/subscriptions", {"plan_id": plan["plan_id"]}, expect=201)
    (charge,) = await api.all_of("/plan-charges")
    days = (datetime.fromisoformat(charge["until_on"]) - datetime.fromisoformat(charge["from_on"])).days
    assert 0 < days <= 31
    assert charge["from_on"] <= datetime.now(UTC).date().isoformat() or days == 1
    cancelled = await api.posts(f"/subscriptions/{made['subscription_id']}/cancel", {})
    assert cancelled["ends_on"] == charge["until_on"]
    assert (await api.posts(f"/subscriptions/{made['subscription_id']}/keep", {}))["ends_on"] is None
    coupon = await api.posts("/coupons", {"code": "SPRING-26", "label": "SPRING"}, expect=201)
    redeemed = await api.posts(f"{driver}/coupons", {"code": "spring-26"}, expect=201)
    assert [one["label"] for one in redeemed["items"]] == ["SPRING"]
    await api.posts(f"/coupons/{coupon['coupon_id']}/stop", {})
    assert (await api.gets(f"{driver}/coupons"))["items"] == []
    blue = {"prefix": "DE8AA", "partner": "DE-8AA", "name": "Blue Motors"}
    assert await api.posts("/paying-partners", blue, expect=201) == blue
    problem(await api.client.post("/paying-partners", json=blue | {"prefix": "DE"}), 422, "invalid")
    assert (await api.client.delete("/paying-partners/DE8AA")).status_code == 204
    assert (await api.gets("/paying-partners"))["items"] == []
    problem(await api.client.get(f"{driver}/pin"), 404, "not-found")
    pin = await api.posts(f"{driver}/pin", {}, expect=201)
    assert len(pin["pin"]) == 8
    assert "pin" not in await api.gets(f"{driver}/pin")
    again = await api.posts(f"{driver}/pin", {}, expect=201)
    problem(await api.client.get(f"/tokens/{pin['token_id']}"), 404, "not-found")
    token = await api.gets(f"/tokens/{again['token_id']}")
    assert (token["type"], token["driver_id"]) == ("KeyCode", driver.rpartition("/")[2])
    assert pin["pin"] not in str(await api.all_of("/audit-log"))
    assert (await api.client.delete(f"{driver}/pin")).status_code == 204
