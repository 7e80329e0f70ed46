"""The page of reports: what it says, what it leads to, and what it refuses."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from ohmstead.core.events import Event
from ohmstead.reports.usage import service
from tests.console.town import Town
from tests.console.visitor import Visitor


async def a_month(noon: datetime, visitor: Visitor) -> tuple[str, str]:
    """Two sessions in March, one in February and one abroad; gives the location and one of its stations."""
    town = Town(visitor.network, noon)
    place = await town.location("Harbour")
    one, two = await town.station("ONE", location_id=place), await town.station("TWO")
    settled = {"settled_at": noon, "charging_s": 1800, "location_id": place}
    sessions = [
        await town.session(one, begins=3, ends=2, wh=10_000, **settled),
        await town.session(one, begins=24 * 4, ends=24 * 4 - 3, wh=20_000, **settled),
        await town.session(one, begins=24 * 30, ends=24 * 30 - 1, wh=15_000, **settled),
        # 31 January, 23:45 UTC is February in Vienna.
        await town.session(
            two, begins=(noon - datetime(2026, 1, 31, 23, 45, tzinfo=UTC)) / timedelta(hours=1), ends=900, wh=5_000,
            settled_at=noon, charging_s=1800,
        ),
    ]  # fmt: skip
    told = [Event("SessionSettled", "session", {"session_id": str(one)}) for one in sessions]
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        await service.notice(conn, told)
    return str(place), one


async def test_a_report_says_how_much_when_and_where_and_leads_to_the_sessions(
    noon: datetime, visitor: Visitor, stranger: Visitor
) -> None:
    place, station = await a_month(noon, visitor)
    page = await visitor.opens("/reports")
    assert page.heading == "2 sessions, 30.00 kWh in March 2026 so far."
    february = await visitor.opens("/reports?period=month&day=2026-02-10&compare=none")
    assert february.heading == "2 sessions, 20.00 kWh in February 2026."
    # By the same day of February one session had begun; the other came on the 9th.
    assert "▲ 50 % on 20.00 kWh" in page.text
    assert "Harbour" in page.text
    stats = {e.text.split()[0]: e.attributes["href"] for e in page.all("a", class_="stat")}
    assert (await visitor.opens(stats["Sessions"])).heading == "2 sessions, 30.00 kWh."
    here = await visitor.opens(f"/reports?location={place}&period=day&day=2026-03-11")
    assert here.heading == "1 session, 10.00 kWh on Wednesday 11 March 2026."
    assert station in here.text
    assert "Without a location" in february.text
    alone = await visitor.opens(f"/reports?station={station}&period=custom&from=2026-02-01&to=2026-03-31")
    assert alone.heading == "3 sessions, 45.00 kWh from 1 Feb to 31 Mar 2026 so far."
    lead = next(e.attributes["href"] for e in alone.all("a", class_="stat"))
    assert (await visitor.opens(lead)).heading == "3 sessions, 45.00 kWh."
    assert (await visitor.opens(f"/sessions?location={place}")).heading == "3 sessions, 45.00 kWh."
    # The busiest hour: one plug for 60 minutes, on a Wednesday from half past eleven.
    assert "Wednesday 11:00: 0.2 plugs at once" in page.html
    await stranger.opens(f"/reports?location={place}", expect=404)
    await stranger.opens(f"/reports?station={station}", expect=404)
    await stranger.opens(f"/sessions?location={place}", expect=404)
    assert (await stranger.opens("/reports")).heading == "No session that is over began in March 2026."


async def test_who_sees_some_locations_reads_their_numbers_and_no_others(noon: datetime, visitor: Visitor) -> None:
    place, station = await a_month(noon, visitor)
    elsewhere = await Town(visitor.network, noon).location("Hill")
    month = "period=month&day=2026-02-10&compare=none"
    # Of the two sessions of February one was at no location.
    for locations, energy in (([place], "1 session, 15.00 kWh in February 2026."), ([elsewhere], None), ([], None)):
        await visitor.network.pool.execute(
            "update operator set role = 'technician', location_ids = $2 where party_id = $1",
            visitor.network.party_id,
            locations,
        )
        page = await visitor.opens(f"/reports?{month}")
        assert page.heading == (energy or "No session that is over began in February 2026.")
        table = await visitor.client.get(f"/reports.csv?{month}&table=places")
        assert table.text.count("Harbour") == (1 if energy else 0)
        assert "Without a location" not in page.text + table.text
        assert ("Harbour" in page.text) == bool(energy)
        for path in (f"/reports?location={place}", f"/reports?station={station}", f"/sessions?location={place}"):
            await visitor.opens(path, expect=200 if energy else 404)


async def test_tables_of_a_report_as_csv(noon: datetime, visitor: Visitor) -> None:
    await a_month(noon, visitor)
    for table, n_lines, wh in (("", 32, 30_000), ("places", 2, 30_000), ("week", 169, None)):
        query = urlencode({"period": "month", "day": "2026-03-01", "table": table})
        answer = await visitor.client.get(f"/reports.csv?{query}")
        lines = answer.content.decode("utf-8-sig").splitlines()
        assert len(lines) == n_lines
        if wh is not None:
            column = lines[0].split(",").index("energy_wh")
            assert sum(Decimal(line.split(",")[column]) for line in lines[1:]) == wh


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("period=custom&from=2026-03-02&to=2026-03-01", "the period ends before it begins"),
        ("period=custom&from=1900-01-01&to=2026-03-01", "must lie between"),
        ("period=custom", "give days as 2026-03-31"),
        ("period=day&day=<script>", "give days as 2026-03-31"),
        ("period=year&day=9999-12-31", "must lie between"),
    ],
)
async def test_days_that_are_none_are_told_and_this_month_is_shown(
    noon: datetime, visitor: Visitor, query: str, says: str
) -> None:
    page = await visitor.opens(f"/reports?{query}")
    assert says in page.text
    assert "March 2026" in page.heading
    assert "<script>" not in page.html
    await visitor.opens("/reports?location=nowhere", expect=404)
