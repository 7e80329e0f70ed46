"""Reports through the API, from a station that really charged."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.api.door import Visitor, problem
from tests.api.test_sessions import charged
from tests.console.town import Town


async def test_a_charge_counts_as_soon_as_it_is_settled(api: Visitor, stranger: Visitor) -> None:
    session = await charged(api)
    day = session["started_at"][:10]
    span = {"period": "custom", "from": "2020-01-01", "to": "2020-01-01"}

    async def is_counted() -> bool:
        return bool((await api.gets("/reports/usage", period="year", day=day))["totals"]["n_sessions"])

    await api.network.until(is_counted, "the session counts")
    for scope in ({}, {"location": session["location_id"]}, {"station": session["station_id"]}):
        found = await api.gets("/reports/usage", period="year", day=day, **scope)
        assert found["totals"]["n_sessions"] == 1
        assert found["totals"]["energy_wh"] == found["totals"]["delivered_wh"] == 11_000
        assert sum(bar["totals"]["energy_wh"] for bar in found["bars"]) == 11_000
        assert len(found["week"]) == 168
        assert found["peaks"][0]["mean_plugs"] > 0
        assert (await api.gets("/reports/usage", **span, **scope))["totals"]["n_sessions"] == 0
    table = await api.client.get("/reports/usage", params={"period": "year", "day": day, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 13
    assert (await stranger.gets("/reports/usage", period="year", day=day))["totals"]["n_sessions"] == 0
    for scope in ({"location": session["location_id"]}, {"station": session["station_id"]}):
        problem(await stranger.client.get("/reports/usage", params=scope), 404, "not-found")


@pytest.mark.parametrize(
    "query",
    [
        {"period": "custom"},
        {"period": "custom", "from": "2026-03-02", "to": "2026-03-01"},
        {"period": "custom", "from": "1000-01-01", "to": "2026-03-01"},
        {"from": "2026-03-02"},
        {"period": "decade"},
        {"period": "day", "day": "1999-12-31"},
        {"day": "soon"},
        {"location": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f", "station": "X"},
    ],
)
async def test_what_is_no_period_is_refused(api: Visitor, query: dict[str, str]) -> None:
    problem(await api.client.get("/reports/usage", params=query), 400, "bad-request")
    problem(await api.client.get("/reports/revenue", params=query), 400, "bad-request")


async def test_revenue_is_told_in_each_currency_as_json_and_csv(api: Visitor, stranger: Visitor) -> None:
    network = api.network
    town = Town(network, datetime(2026, 3, 11, 13, 30, tzinfo=UTC))
    await town.tariff()
    station = await town.station("ST")
    (cdr,) = await town.bills(await town.settled(station, begins=5, ends=4))
    found = await api.gets("/reports/revenue", period="year", day="2026-03-11")
    (euros,) = found["currencies"]
    assert (euros["currency"], euros["earned"]["n_cdrs"]) == ("EUR", 1)
    assert Decimal(str(euros["earned"]["total"])) == cdr.total
    assert len(euros["bars"]) == 12
    table = await api.client.get("/reports/revenue", params={"period": "day", "day": "2026-03-11", "format": "csv"})
    lines = table.text.splitlines()
    assert lines[0] == "begins,currency,n_cdrs,before_taxes,total"
    assert sum(Decimal(line.split(",")[3]) for line in lines[1:]) == cdr.before_taxes
    assert (await stranger.gets("/reports/revenue", period="year", day="2026-03-11"))["currencies"] == []
    problem(await stranger.client.get("/reports/revenue", params={"station": station}), 404, "not-found")
