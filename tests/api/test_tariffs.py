"""Tariffs through the API: published, assigned, explained, tried out; and what sessions cost by them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.api.door import Visitor, problem
from tests.api.test_sessions import charged

VAT = [{"percentage": 20}]


def energy(price: Any, **more: Any) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": price, "taxes": VAT} | more
    return {"currency": "EUR", "elements": [{"price_components": [component]}]}


async def a_tariff(api: Visitor, name: str, rules: dict[str, Any], **place: Any) -> dict[str, Any]:
    """One that is published and assigned, and always was: sessions of tests began before the test did."""
    made: dict[str, Any] = await api.posts("/tariffs", {"name": name, "tariff": rules}, expect=201)
    await api.posts("/tariff-assignments", {"tariff_id": made["tariff_id"], **place}, expect=201)
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await api.network.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", UUID(made["tariff_id"]))
    return made


async def test_a_tariff_is_published_and_replaced_and_every_version_stays(api: Visitor, stranger: Visitor) -> None:
    made = await api.posts("/tariffs", {"name": "Harbour", "tariff": energy(0.49)}, expect=201)
    path = f"/tariffs/{made['tariff_id']}"
    assert (made["version"], made["n_assignments"]) == (1, 0)
    problem(await api.client.post("/tariffs", json={"name": "Harbour", "tariff": energy(1)}), 409, "conflict")
    changed = await api.client.put(path, json={"name": "Harbour", "tariff": energy(0.59)}, headers={"If-Match": '"1"'})
    assert changed.json()["version"] == 2
    assert changed.headers["ETag"] == '"2"'
    again = await api.client.put(path, json={"name": "Harbour", "tariff": energy(0.6)}, headers={"If-Match": '"1"'})
    problem(again, 412, "stale")
    dollars = {**energy(0.6), "currency": "USD"}
    problem(await api.client.put(path, json={"name": "Harbour", "tariff": dollars}), 422, "invalid")
    versions = await api.all_of(f"{path}/versions", limit=1)
    prices = [one["tariff"]["elements"][0]["price_components"][0]["price"] for one in versions]
    assert [(one["version"], float(price)) for one, price in zip(versions, prices, strict=True)] == [
        (2, 0.59),
        (1, 0.49),
    ]
    assert [one["name"] for one in (await api.gets("/tariffs"))["items"]] == ["Harbour"]
    assert (await stranger.gets("/tariffs"))["items"] == []
    entries = await api.all_of("/audit-log", object=f"tariff/{made['tariff_id']}")
    assert [entry["action"] for entry in entries] == ["tariff.published", "tariff.published"]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (energy(-0.1), "tariff.elements.0.price_components.0.price"),
        (energy("NaN"), "tariff.elements.0.price_components.0.price"),
        (energy("1E+20"), "tariff.elements.0.price_components.0.price"),
        (energy(10**20), "tariff.elements.0.price_components.0.price"),
        (energy(1, step_size=10**18), "tariff.elements.0.price_components.0.step_size"),
        ({**energy(1), "currency": "QQQ"}, "tariff.currency"),
        ({"currency": "EUR", "elements": energy(1)["elements"] * 2}, "tariff.elements.1.price_components.0"),
        ({"currency": "EUR", "elements": []}, "tariff.elements"),
    ],
)
async def test_nonsense_is_refused_with_its_field(api: Visitor, rules: dict[str, Any], field: str) -> None:
    found = problem(await api.client.post("/tariffs", json={"name": "X", "tariff": rules}), 422, "invalid")
    assert found["field"].replace("[", ".").replace("]", "").startswith(field)
    preview = {"tariff": rules, "started_at": "2026-03-02T10:00:00Z", "stretches": [{"duration_s": 60}]}
    problem(await api.client.post("/tariff-previews", json=preview), 422, "invalid")


async def test_the_narrower_place_wins_and_the_answer_says_why(api: Visitor) -> None:
    session = await charged(api)
    station, at = session["station_id"], {"at": session["started_at"]}
    path = f"/stations/{station}/tariff"
    assert (await api.gets(path))["applies"] is None
    everywhere = await a_tariff(api, "Everywhere", energy(0.1))
    here = await a_tariff(api, "Here", energy(0.2), station_id=station)
    plug = await a_tariff(api, "This plug", energy(0.3), station_id=station, evse_number=2)
    fleet = await a_tariff(api, "Fleet", energy(0.4), station_id=station, group_uid="Fleet")
    later = {**energy(0.5), "start_date_time": "2200-01-01T00:00:00Z"}
    await a_tariff(api, "Later", later, station_id=station, evse_number=1)
    await a_tariff(api, "Ad hoc", {**energy(0.6), "type": "AD_HOC_PAYMENT"}, station_id=station, evse_number=1)

    async def applies(**query: Any) -> str:
        found = await api.gets(path, **at, **query)
        return str(found["applies"]["tariff_id"])

    assert await applies() == here["tariff_id"]
    assert await applies(evse=2) == plug["tariff_id"]
    assert await applies(group="FLEET") == fleet["tariff_id"]
    found = await api.gets(path, **at, evse=1)
    assert [(one["tariff_name"], one["verdict"]) for one in found["considered"]] == [
        *(sorted([("Later", "not_yet"), ("Ad hoc", "other_kind")], key=lambda one: _place(found, one[0]))),
        ("Here", "applies"),
        ("Everywhere", "outranked"),
    ]
    assert (await api.gets(path, **at, evse=1, ad_hoc=True))["applies"]["tariff_name"] == "Ad hoc"
    listed = await api.all_of("/tariff-assignments", limit=2)
    assert len(listed) == 6
    (mine,) = [one for one in listed if one["tariff_id"] == here["tariff_id"]]
    assert (await api.client.delete(f"/tariff-assignments/{mine['assignment_id']}")).status_code == 204
    problem(await api.client.delete(f"/tariff-assignments/{mine['assignment_id']}"), 409, "conflict")
    assert (await api.gets(path))["applies"]["tariff_id"] == everywhere["tariff_id"]
    # What was, stays known.
    assert await applies() == here["tariff_id"]


def _place(found: dict[str, Any], name: str) -> int:
    return [one["tariff_name"] for one in found["considered"]].index(name)


@pytest.mark.parametrize(
    "place",
    [
        {"station_id": "NOWHERE"},
        {"location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"},
        {"evse_number": 1},
        {"station_id": "X", "location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"},
        {"station_id": "X", "connector_number": 1},
        {"tariff_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"},
        {"group_uid": "\u200b"},
    ],
)
async def test_nothing_is_assigned_to_places_that_there_are_not(api: Visitor, place: dict[str, Any]) -> None:
    made = await api.posts("/tariffs", {"name": "X", "tariff": energy(1)}, expect=201)
    answer = await api.client.post("/tariff-assignments", json={"tariff_id": made["tariff_id"]} | place)
    problem(answer, 422, "invalid")


async def test_a_tariff_is_assigned_once_to_a_place(api: Visitor) -> None:
    made = await api.posts("/tariffs", {"name": "X", "tariff": energy(1)}, expect=201)
    await api.posts("/tariff-assignments", {"tariff_id": made["tariff_id"]}, expect=201)
    again = await api.client.post("/tariff-assignments", json={"tariff_id": made["tariff_id"]})
    problem(again, 409, "conflict")


async def test_a_session_keeps_the_tariff_that_it_began_with(api: Visitor) -> None:
    tariff = await a_tariff(api, "Harbour", energy("0.50"))
    session = await charged(api)
    path = f"/sessions/{session['session_id']}/cost"
    cost = await api.gets(path)
    kwh = Decimal(str((await api.gets(f"/sessions/{session['session_id']}"))["energy_wh"])) / 1000
    assert kwh > 0
    net = (kwh * Decimal("0.5")).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert Decimal(str(cost["cost"]["before_taxes"])) == net
    assert cost["version"] == 1
    (line,) = cost["cost"]["lines"]
    assert (Decimal(str(line["quantity"])), line["unit"], line["rule"]) == (kwh, "kWh", "Energy")
    await api.client.put(f"/tariffs/{tariff['tariff_id']}", json={"name": "Harbour", "tariff": energy(5)})
    (assignment,) = (await api.gets("/tariff-assignments"))["items"]
    await api.client.delete(f"/tariff-assignments/{assignment['assignment_id']}")
    assert (await api.gets(path))["cost"] == cost["cost"]


async def test_a_session_without_a_tariff_has_no_cost(api: Visitor) -> None:
    session = await charged(api)
    problem(await api.client.get(f"/sessions/{session['session_id']}/cost"), 404, "not-found")


async def test_a_preview_prices_what_is_made_up_line_by_line(api: Visitor) -> None:
    rules = {**energy(0.5), "idle_fee": {"price_per_minute": 0.1, "grace_minutes": 10, "taxes": VAT}}
    rules["adjustments"] = [{"name": "Gold", "percent": -10, "plans": ["GOLD"]}]
    wanted = {
        "tariff": rules,
        "started_at": "2026-03-28T22:00:00+01:00",
        "time_zone": "Europe/Berlin",
        "stretches": [{"duration_s": 3600, "energy_wh": 20000}, {"duration_s": 1800, "kind": "idle"}],
        "payer": {"plans": ["GOLD"]},
    }
    cost = await api.posts("/tariff-previews", wanted, expect=200)
    assert [(line["kind"], line["amount"]) for line in cost["lines"]] == [
        ("ENERGY", 10),
        ("IDLE", 2),
        ("ADJUSTMENT", -1.2),
    ]
    assert (cost["before_taxes"], cost["total"]) == (10.8, 12.96)
    for wrong in (
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "\u0001"},
        {"started_at": "0001-01-01T00:00:00Z"},
        {"started_at": "9999-12-31T23:59:59Z"},
        {"stretches": [{"duration_s": 1, "energy_wh": "NaN"}]},
        {"stretches": [{"duration_s": 1, "energy_wh": "1E+99999"}]},
        {"stretches": [{"duration_s": 1, "power_w": "-1"}]},
        {"stretches": [{"duration_s": 2_000_000}] * 2},
        {"tariff": None},
        {"tariff_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"},
    ):
        problem(await api.client.post("/tariff-previews", json=wanted | wrong), 422, "invalid")


async def test_market_prices_are_written_read_and_followed(api: Visitor, stranger: Visitor) -> None:
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    hour = timedelta(hours=1)
    prices = [
        {"starts_at": (at + n * hour).isoformat(), "ends_at": (at + (n + 1) * hour).isoformat(), "price_kwh": price}
        for n, price in enumerate((0.10, 0.30))
    ]
    problem(await api.client.put("/price-series/DAY", json={"currency": "EUR", "prices": prices}), 404, "not-found")
    await api.posts("/price-series", {"name": "DAY", "currency": "EUR"}, expect=201)
    problem(await api.client.post("/price-series", json={"name": "DAY", "currency": "EUR"}), 409, "conflict")
    problem(await api.client.post("/price-series", json={"name": "NO", "currency": "ZZZ"}), 422, "invalid")
    written = await api.client.put("/price-series/DAY", json={"currency": "EUR", "prices": prices})
    assert written.status_code == 204
    new = {"starts_at": prices[1]["starts_at"], "ends_at": prices[1]["ends_at"], "price_kwh": 0.20}
    await api.client.put("/price-series/DAY", json={"currency": "EUR", "prices": [new]})
    day = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
    assert [one["price_kwh"] for one in (await api.gets("/price-series/DAY", **day))["prices"]] == [0.1, 0.2]
    problem(await stranger.client.get("/price-series/DAY"), 404, "not-found")
    other = await api.client.put("/price-series/DAY", json={"currency": "USD", "prices": [new]})
    assert problem(other, 409, "conflict")["code"] == "other_currency"
    for wrong in ({"price_kwh": "NaN"}, {"price_kwh": 10**20}, {"ends_at": new["starts_at"]}):
        answer = await api.client.put("/price-series/DAY", json={"currency": "EUR", "prices": [new | wrong]})
        problem(answer, 422, "invalid")
    overlapping = await api.client.put("/price-series/DAY", json={"currency": "EUR", "prices": [new, new]})
    problem(overlapping, 422, "invalid")
    rules = energy(0.4, market={"series": "DAY", "factor": 1.1, "adder": 0.05}, taxes=[])
    for wrong in ({**rules, "currency": "USD"}, energy(0.4, market={"series": "NIGHT"})):
        found = problem(await api.client.post("/tariffs", json={"name": "X", "tariff": wrong}), 422, "invalid")
        assert found["field"].endswith("market.series")
    wanted = {
        "tariff": rules,
        "started_at": "2026-03-02T10:30:00Z",
        "stretches": [{"duration_s": 3600, "energy_wh": 8000}],
    }
    cost = await api.posts("/tariff-previews", wanted, expect=200)
    (line,) = cost["lines"]
    assert [(part["quantity"], part["unit_price"]) for part in line["parts"]] == [(4, 0.16), (4, 0.27)]
    assert line["amount"] == 1.72


async def test_a_simulation_says_what_would_have_come_in_and_who_would_pay_more(api: Visitor) -> None:
    await a_tariff(api, "Now", energy("0.50"))
    session = await charged(api)
    until = (datetime.fromisoformat(session["started_at"]) + timedelta(days=1)).isoformat()

    async def settled() -> bool:
        return bool((await api.gets(f"/sessions/{session['session_id']}"))["settled_at"])

    await api.network.until(settled, "the session is settled")
    asked = await api.posts("/tariff-simulations", {"tariff": energy("1.00"), "to_at": until}, expect=202)
    path = f"/tariff-simulations/{asked['simulation_id']}"

    async def is_done() -> bool:
        return bool((await api.gets(path))["status"] == "done")

    await api.network.until(is_done, "the simulation is done")
    found = await api.gets(path)
    result = found["result"]
    assert (result["n_sessions"], result["n_compared"], result["n_more"], result["n_less"]) == (1, 1, 1, 0)
    assert result["revenue_after"] == result["revenue"] > result["revenue_before"]
    (more,) = result["most_more"]
    assert (more["token_id"], more["n_sessions"]) == (session["token_id"], 1)
    for wrong in (
        {"to_at": "2026-01-01T00:00:00Z", "from_at": "2026-01-01T00:00:00Z"},
        {"from_at": "2001-01-01T00:00:00Z"},
    ):
        problem(await api.client.post("/tariff-simulations", json={"tariff": energy(1)} | wrong), 422, "invalid")


async def test_a_location_can_go_although_a_tariff_was_assigned_to_it(api: Visitor) -> None:
    location = await api.posts("/locations", {"name": "Quay"})
    await a_tariff(api, "Quay", energy(1), location_id=location["location_id"])
    gone = await api.client.delete(f"/locations/{location['location_id']}")
    assert gone.is_success, gone.text
    assert (await api.gets("/tariff-assignments", ended=True))["items"] == []


async def test_names_that_cannot_be_seen_are_refused(api: Visitor) -> None:
    rules = energy(1) | {"adjustments": [{"name": "Gold\u202e", "percent": -1}]}
    found = problem(await api.client.post("/tariffs", json={"name": "X", "tariff": rules}), 422, "invalid")
    assert found["field"] == "tariff.adjustments.0.name"
    problem(await api.client.post("/tariffs", json={"name": "\u200b", "tariff": energy(1)}), 422, "invalid")
