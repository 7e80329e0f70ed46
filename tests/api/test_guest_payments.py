"""Payments through the front door: the page on which guests pay, the list, refunds, webhooks that nobody signed."""

import httpx

from ohmstead.adapters.payments import providers_of
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import AdHoc, NewAdHoc
from tests.api.door import Visitor, problem
from tests.stories.station import Station
from tests.stories.test_priced_sessions import RULES, has_tariff


async def begins(api: Visitor) -> tuple[Station, AdHoc, httpx.AsyncClient]:
    """A guest at a station, with a browser that has no key."""
    network = api.network
    await has_tariff(network, RULES)
    station = await network.station("2.1", location_id=await network.location(), hours_ago=0)
    await network.is_connected(station)
    given = NewAdHoc(
        party_id=network.party_id,
        station_id=station.station_id,
        evse_number=1,
        return_url=f"{api.front.url}/back",
    )
    begun = await service.begin_ad_hoc(network.pool, providers_of(api.front.house.settings, network.pool), given)
    return station, begun, httpx.AsyncClient(base_url=api.front.url)


def path_of(begun: AdHoc) -> str:
    return "/pay/sandbox/" + begun.url.rpartition("/")[2]


async def is_state(api: Visitor, begun: AdHoc, state: str) -> None:
    async def look() -> bool:
        return bool((await api.gets(f"/payments/{begun.payment_id}"))["state"] == state)

    await api.network.until(look, f"the payment is {state}")


async def test_a_guest_pays_on_the_page_and_the_money_is_listed_and_given_back(api: Visitor, stranger: Visitor) -> None:
    station, begun, browser = await begins(api)
    async with browser:
        page = await browser.get(path_of(begun), headers={"Accept-Language": "en"})
        assert page.status_code == 200
        assert "no money moves" in page.text
        assert 'type="text"' not in page.text  # there is nowhere to type a card's number
        declined = await browser.post(path_of(begun), data={"card": "declined"})
        assert "The bank says no" in declined.text
        assert (await browser.post(path_of(begun), data={"card": "4242424242424242"})).status_code == 422
        asked = await browser.post(path_of(begun), data={"card": "proof"})
        assert "is it you" in asked.text
        paid = await browser.post(path_of(begun), data={"proof": "yes"})
        assert (paid.status_code, paid.headers["location"]) == (303, f"{api.front.url}/back")
        assert (await browser.post(path_of(begun), data={"card": "good"})).status_code == 303
        assert (await browser.get("/pay/sandbox/sbx_nothing")).status_code == 404
    await is_state(api, begun, "held")
    await station.hears("RequestStartTransaction")
    await station.delivers(wh=10_000, over="1h")
    await station.unplugs()
    await is_state(api, begun, "captured")
    (payment,) = (await api.gets("/payments", state="captured"))["items"]
    assert (payment["captured"], payment["customer"]) == (7.2, f"payment:{begun.payment_id}")
    sheet = await api.client.get("/payments", params={"format": "csv"})
    assert sheet.text.splitlines()[0].startswith("payment_id,party_id,provider")
    assert (await stranger.gets("/payments"))["items"] == []
    assert (await stranger.client.get(f"/payments/{begun.payment_id}")).status_code == 404
    path = f"/payments/{begun.payment_id}/refund"
    too_much = await api.client.post(path, json={"reason": "Broken", "amount": 7.21})
    assert problem(too_much, 422, "invalid")["field"] == "amount"
    assert (await stranger.client.post(path, json={"reason": "Mine"})).status_code == 404
    await api.posts(path, {"reason": "The cable was broken", "amount": 2.5}, expect=202)

    async def is_given_back() -> bool:
        return bool((await api.gets(f"/payments/{begun.payment_id}"))["refunded"] == 2.5)

    await api.network.until(is_given_back, "it is given back")
    standing = (await api.gets("/cdrs", kind="charge"))["items"][0]
    assert (standing["total"], standing["reason"]) == (4.7, "The cable was broken")
    after = await api.gets(f"/payments/{begun.payment_id}")
    assert after["cdr_id"] == standing["cdr_id"]
    wrong = await api.client.post(path, json={"reason": "x", "amount": 1, "currency": "CHF"})
    assert problem(wrong, 422, "invalid")["field"] == "amount"
    (entry,) = [one for one in (await api.gets("/audit-log"))["items"] if one["action"] == "payment.refunded"]
    assert entry["detail"] == {"amount": "2.5", "currency": "EUR", "reason": "The cable was broken"}


async def test_finance_may_refund_and_others_may_not(api: Visitor) -> None:
    _, begun, browser = await begins(api)
    await browser.aclose()
    async with api.front.visitor(api.network, "payments:read") as reader:
        assert (await reader.gets("/payments"))["items"][0]["payment_id"] == str(begun.payment_id)
        refused = await reader.client.post(f"/payments/{begun.payment_id}/release", json={"reason": "x"})
        assert problem(refused, 403, "not-allowed")
    async with api.front.visitor(api.network, "sessions:read") as other:
        assert (await other.client.get("/payments")).status_code == 403
    await api.posts(f"/payments/{begun.payment_id}/release", {"reason": "They went on"}, expect=202)
    await is_state(api, begun, "released")
    again = await api.client.post(f"/payments/{begun.payment_id}/refund", json={"reason": "x"})
    assert problem(again, 409, "conflict")["code"] == "over"


async def test_what_is_held_is_set_by_the_party(api: Visitor) -> None:
    assert await api.gets("/payment-settings") == {"provider": None, "hold_ac": None, "hold_dc": None}
    put = await api.client.put("/payment-settings", json={"hold_ac": 12.5})
    assert put.json()["hold_ac"] == 12.5
    for wrong in ({"hold_dc": 0}, {"hold_dc": -3}, {"provider": "nobody"}):
        assert (await api.client.put("/payment-settings", json=wrong)).status_code == 422
    _, begun, browser = await begins(api)
    await browser.aclose()
    assert str(begun.amount) == "12.50"


async def test_webhooks_that_nobody_signed_are_not_taken(api: Visitor) -> None:
    async with httpx.AsyncClient(base_url=api.front.url) as outside:
        path = "/api/v1/payment-webhooks/sandbox"
        for headers in (
            {},
            {"ohmstead-sandbox-signature": "1.x"},
            {"ohmstead-sandbox-signature": f"{10**11}.{'0' * 64}"},
        ):
            assert problem(await outside.post(path, content=b"{}", headers=headers), 400, "bad-request")
        assert problem(await outside.post("/api/v1/payment-webhooks/nobody", content=b"{}"), 404, "not-found")
        assert (await outside.post(path, content=b"x" * 600_000)).status_code == 413
    assert await api.network.pool.fetchval("select count(*) from payment_webhook where event_id = ''") == 0
