"""Drivers asked to pay by programs, and their stored cards."""

from typing import Any
from uuid import UUID

import httpx

from ohmstead.core.ids import new_id
from tests.api.door import Visitor, problem


async def a_driver(api: Visitor) -> str:
    driver = await api.posts("/drivers", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    return str(driver["driver_id"])


async def a_debt(api: Visitor, customer: str) -> str:
    debt_id = new_id()
    await api.network.pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values ($1, $2, $3, 'EUR', 5, 'over_hold', now())",
        debt_id,
        api.network.party_id,
        customer,
    )
    return str(debt_id)


async def told(api: Visitor) -> list[dict[str, Any]]:
    """Who was asked to pay."""
    return list((await api.gets("/notifications", kind="payment_asked"))["items"])


async def test_a_driver_is_asked_to_fill_the_wallet(api: Visitor, stranger: Visitor) -> None:
    path = f"/drivers/{await a_driver(api)}/wallet"
    problem(await api.client.post(f"{path}/top-up-requests", json={"amount": 25}), 404, "not-found")
    assert (await api.client.put(path)).is_success
    for wrong in (0, -1, 0.001):
        problem(await api.client.post(f"{path}/top-up-requests", json={"amount": wrong}), 422, "invalid")
    problem(await stranger.client.post(f"{path}/top-up-requests", json={"amount": 25}), 404, "not-found")
    assert await told(api) == []
    asked = await api.posts(f"{path}/top-up-requests", {"amount": 25}, expect=201, idempotency_key="once")
    assert await api.posts(f"{path}/top-up-requests", {"amount": 25}, expect=201, idempotency_key="once") == asked
    payment = asked["payment"]
    assert (payment["purpose"], payment["state"], payment["amount"]) == ("top_up", "created", 25)
    assert [one["address"] for one in await told(api)] == ["ada@example.com"]
    async with httpx.AsyncClient() as anybody:
        page = await anybody.get(asked["link"])
    assert page.status_code == 200
    assert "25.00" in page.text
    assert (await api.gets("/audit-log", limit=1))["items"][0]["action"] == "payment.asked"


async def test_a_driver_is_asked_for_a_debt_once_while_it_can_be_paid(api: Visitor, stranger: Visitor) -> None:
    debt_id = await a_debt(api, f"driver:{await a_driver(api)}")
    problem(await stranger.client.post(f"/payment-debts/{debt_id}/ask"), 404, "not-found")
    asked = await api.posts(f"/payment-debts/{debt_id}/ask", expect=201)
    assert (asked["payment"]["purpose"], asked["payment"]["amount"]) == ("debt", 5)
    assert await api.posts(f"/payment-debts/{debt_id}/ask", expect=201) == asked
    assert len(await told(api)) == 1
    await api.posts(f"/payment-debts/{debt_id}/forgive", {"reason": "goodwill"})
    problem(await api.client.post(f"/payment-debts/{debt_id}/ask"), 409)
    guest = await a_debt(api, "nobody")
    problem(await api.client.post(f"/payment-debts/{guest}/ask"), 409, "refused")


async def test_stored_cards_are_listed_and_forgotten(api: Visitor, stranger: Visitor) -> None:
    driver_id, method_id = await a_driver(api), new_id()
    await api.network.pool.execute(
        "insert into stored_method (method_id, party_id, driver_id, provider, provider_ref, customer_ref, kind, last4,"
        " created_at) values ($1, $2, $3, 'sandbox', $1::uuid::text, 'c', 'card', '4242', now())",
        method_id,
        api.network.party_id,
        UUID(driver_id),
    )
    path = f"/drivers/{driver_id}"
    method = {"kind": "card", "method_id": str(method_id)}
    assert (await api.client.put(f"{path}/paying-method", json=method)).is_success
    assert [one["last4"] for one in (await api.gets(f"{path}/stored-cards"))["items"]] == ["4242"]
    problem(await stranger.client.get(f"{path}/stored-cards"), 404, "not-found")
    problem(await stranger.client.delete(f"{path}/stored-cards/{method_id}"), 404, "not-found")
    problem(await api.client.delete(f"/drivers/{await a_driver(api)}/stored-cards/{method_id}"), 404, "not-found")
    assert (await api.client.delete(f"{path}/stored-cards/{method_id}")).status_code == 204
    assert (await api.gets(f"{path}/stored-cards"))["items"] == []
    assert (await api.gets(f"{path}/paying-method"))["kind"] != "card", "as the rules say"
