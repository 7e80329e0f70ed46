"""Signed meter data, meters' keys and drivers' limits through the API."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from lxml import etree

from ohmstead.sessions.pricing import watching
from ohmstead.sessions.pricing.service import TariffCosts, list_sessions
from ohmstead.sessions.signed import service as signed
from tests.api.door import Visitor, problem
from tests.api.test_sessions import charged
from tests.api.test_tariffs import a_tariff, energy
from tests.rules.test_signed import SigningMeter
from tests.stories.test_costs import charging


async def signing(api: Visitor, *texts: bytes) -> dict[str, Any]:
    """A session that was charged, with what its meter signed."""
    session = await charged(api)
    for text in texts:
        await api.network.pool.execute(
            "insert into signed_reading (session_id, sampled_at, context, measurand, digest, data)"
            " values ($1::uuid, now(), 'Transaction.Begin', 'Energy.Active.Import.Register', $2, $3)",
            session["session_id"],
            sha256(text).digest(),
            text,
        )
    return session


async def test_keys_are_pinned_and_sessions_have_verdicts_and_files(api: Visitor, stranger: Visitor) -> None:
    meter = SigningMeter()
    texts = [meter.signs("B", "0.0"), meter.signs("E", "11.0", 60)]
    session = await signing(api, *texts)
    path, keys = f"/sessions/{session['session_id']}", f"/stations/{session['station_id']}/meter-keys"
    problem(await api.client.get(f"{path}/signed-verdict"), 404, "not-found")
    problem(await api.client.post(keys, json={"evse_number": 0, "public_key": "nonsense"}), 422, "invalid")
    made = await api.posts(keys, {"evse_number": 0, "public_key": meter.key, "serial": "M-1"}, expect=201)
    assert (made["public_key"], made["curve"], made["source"]) == (meter.key, "secp256r1", "registered")
    problem(await api.client.post(keys, json={"evse_number": 0, "public_key": meter.key}), 409, "conflict")
    assert [one["serial"] for one in (await api.gets(keys))["items"]] == ["M-1"]
    async with api.network.pool.acquire() as conn, conn.transaction():
        await signed.check(conn, await list_sessions(conn, [session["session_id"]]))
    verdict = await api.gets(f"{path}/signed-verdict")
    assert (verdict["verdict"], verdict["energy_wh"], verdict["n_readings"]) == ("verified", 11_000, 2)
    listed = (await api.gets(f"{path}/signed-readings"))["items"]
    assert {one["verdict"] for one in listed} == {"verified"}
    assert {one["checked_with"] for one in listed} == {meter.key}
    file = await api.client.get(f"{path}/signed-data")
    assert file.headers["content-type"].startswith("application/xml")
    root = etree.fromstring(file.content)
    assert {one.findtext("signedData") for one in root} == {text.decode() for text in texts}
    for away in (f"{path}/signed-verdict", f"{path}/signed-data", keys):
        problem(await stranger.client.get(away), 404, "not-found")
    told = problem(await stranger.client.post(keys, json={"evse_number": 0, "public_key": meter.key}), 404, "not-found")
    assert "pinned" not in told["detail"], "which key is pinned there is nothing to them"
    problem(await stranger.client.delete(f"{keys}/0"), 404, "not-found")
    for number, status in (("1", 404), (str(10**12), 404), ("0", 204), ("0", 404)):
        assert (await api.client.delete(f"{keys}/{number}")).status_code == status, number
    (gone,) = (await api.gets(keys))["items"]
    assert gone["until_at"] is not None
    assert [one["action"] for one in (await api.gets("/audit-log", limit=1))["items"]] == ["meter_key.removed"]


async def test_what_keeps_sessions_from_being_billed_is_said_by_who_keeps_the_books(api: Visitor) -> None:
    assert await api.gets("/signed-policy") == {"doubt": "never"}
    answer = await api.client.put("/signed-policy", json={"doubt": "missing"})
    assert answer.status_code == 200
    assert await api.gets("/signed-policy") == {"doubt": "missing"}
    problem(await api.client.put("/signed-policy", json={"doubt": "sometimes"}), 422, "invalid")


async def test_a_driver_has_a_limit_of_cost(api: Visitor, stranger: Visitor) -> None:
    driver = await api.posts("/drivers", {"name": "Somebody"}, expect=201)
    path = f"/drivers/{driver['driver_id']}/price-limit"
    problem(await api.client.get(path), 404, "not-found")
    for wrong in (
        {"amount": 0, "currency": "EUR"},
        {"amount": 1.001, "currency": "EUR"},
        {"amount": 5, "currency": "eur"},
    ):
        problem(await api.client.put(path, json=wrong), 422, "invalid")
    assert (await api.client.put(path, json={"amount": 25, "currency": "EUR"})).status_code == 200
    assert await api.gets(path) == {"amount": 25, "currency": "EUR"}
    problem(await stranger.client.put(path, json={"amount": 25, "currency": "EUR"}), 404, "not-found")
    assert (await api.client.delete(path)).status_code == 204
    problem(await api.client.get(path), 404, "not-found")


async def test_a_session_that_goes_on_tells_its_cost(api: Visitor) -> None:
    await a_tariff(api, "Everywhere", energy(0.5))
    station = await charging(api.network, "2.0.1")
    await station.delivers(wh=4_000, over="30m")
    await watching.look(api.network.pool, api.network.house.bus, TariffCosts())
    (session,) = (await api.gets("/sessions", station=station.station_id))["items"]
    assert (session["cost"], session["cost_currency"]) == (2.4, "EUR")
    assert (await api.gets(f"/sessions/{session['session_id']}"))["cost"] == 2.4
    cost = await api.gets(f"/sessions/{session['session_id']}/cost")
    assert (Decimal(str(cost["cost"]["total"])), cost["is_final"]) == (Decimal("2.4"), False)
    await station.unplugs()
