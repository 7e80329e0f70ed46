"""Is the network well, right now? The first page answers from what is really there."""

from datetime import datetime, timedelta
from decimal import Decimal

from tests.console.town import Town
from tests.console.visitor import Visitor


async def test_the_strip_shows_what_the_rows_add_up_to(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    busy = await town.station("BUSY", connectors=2)
    await town.station("GONE", online=False, lost_hours_ago=3)
    broken = await town.station("BROKEN")
    await town.fault(broken, hours_ago=2)
    # Two and a half hours yesterday by the same time of day, one hour today: 10 kWh then, 5 kWh and 2 kWh now.
    await town.session(busy, begins=30, ends=27.5, wh=10_000)
    await town.session(busy, begins=3, ends=2, wh=5_000)
    await town.session(busy, begins=0.5, ends=None, wh=2_000, evse_number=2, power_w=Decimal(7200), power_at=noon)
    page = await visitor.opens("/")
    assert page.figures() == {
        "Stations online": ("2 of 3 ▼ 1 on yesterday, 3", "/stations?show=online"),
        "Charging now": ("1 of 4 connectors 0 more in use, 1 free", "/stations?show=charging"),
        "Out of order": ("1 connector ▲ 1 on yesterday, 0", "/stations?show=faulted"),
        "Power now": ("7.20 kW no power last Wednesday", "/sessions?show=now"),
        "Sessions today": ("2 by 14:30 ▲ 100 % on yesterday, 1", "/sessions?day=today"),
        "Energy today": ("7.000 kWh ▼ 30 % on yesterday, 10.00", "/sessions?day=today"),
    }


async def test_every_figure_leads_to_as_many_rows(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    busy = await town.station("BUSY")
    await town.station("GONE", online=False)
    await town.fault(await town.station("BROKEN"))
    await town.session(busy, begins=26, ends=25, wh=1_000)
    await town.session(busy, begins=0.5, ends=None, wh=2_000, power_w=Decimal(4000), power_at=noon)
    figures = (await visitor.opens("/")).figures()
    assert {name: len((await visitor.opens(path)).rows()) for name, (_, path) in figures.items()} == {
        "Stations online": 2,
        "Charging now": 1,
        "Out of order": 1,
        "Power now": 1,
        "Sessions today": 1,
        "Energy today": 1,
    }


async def test_the_heading_says_how_well_it_is(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    for number in range(6):
        await town.station(f"ST-{number}")
    assert (await visitor.opens("/")).heading == "Yes. All 6 stations are online. Nothing needs a person."
    await town.station("GONE", online=False)
    page = await visitor.opens("/", hx_request="true")
    assert page.heading == "Mostly. 1 problem needs a person."


async def test_stations_lost_together_are_one_problem(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    place = await town.location("Junction")
    for number in range(3):
        await town.station(
            f"ST-{number}", online=False, location_id=place, disconnected_at=town.ago(1) + timedelta(seconds=number)
        )
    lone = await town.station("ALONE", online=False, location_id=place, lost_hours_ago=5)
    page = await visitor.opens("/")
    assert "Junction: 3 stations unreachable" in page.text
    assert "All lost within 2 s: suspect the site’s uplink or power. 3 connectors." in page.text
    assert f"{lone} unreachable" in page.text
    assert page.heading.startswith("No. 2 problems need a person")


async def test_a_station_lost_just_now_needs_no_person_yet(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    await town.station("FINE")
    gone = await town.station("GONE", online=False, lost_hours_ago=0.02)
    page = await visitor.opens("/")
    assert page.heading == "Yes. 1 of 2 stations are online. Nothing needs a person."
    assert f"{gone} connection lost" in page.text


async def test_concerns_come_most_urgent_first_and_newest_first_within(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    broken = await town.station("BROKEN")
    await town.fault(broken, hours_ago=3, info="Relay welded")
    gone = await town.station("GONE", online=False, lost_hours_ago=1)
    await town.station("NEW", registration="pending", connected_at=None, vendor="Acme")
    await town.session(broken, begins=4, ends=4, wh=0, status="invalid", is_orphan=True)
    text = (await visitor.opens("/attention")).text
    order = [f"{gone} unreachable", f"{broken} connector 1 out of order", "nobody saw begin", "waits to be adopted"]
    assert sorted(order, key=text.index) == order
    assert "The ground-fault breaker has tripped. Relay welded" in text


async def test_the_power_chart_has_its_data_as_a_table(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    busy = await town.station("BUSY")
    await town.session(busy, begins=3, ends=2, wh=6_000)
    page = await visitor.opens("/parts/overview/power", hx_request="true")
    by_hour = {row.split()[0]: " ".join(row.split()[1:]) for row in page.rows()}
    # From 11:30 to 12:30 in Vienna: half of it before noon, half after.
    assert by_hour["11:00"] == "3.00 kW 0 kW"
    assert by_hour["12:00"] == "3.00 kW 0 kW"
    assert by_hour["13:00"] == "0 kW 0 kW"
    assert "Europe/Vienna" in page.text


async def test_the_map_names_sites_with_problems(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    await town.station("A", location_id=await town.location("North", 48.25, 16.35))
    await town.fault(await town.station("B", location_id=await town.location("South", 48.15, 16.40)))
    page = await visitor.opens("/parts/overview/where", hx_request="true")
    assert "South · 1 out of order" in page.text
    assert "North: all free; 1 station, 1 connector" in page.text


async def test_without_stations_the_page_teaches_how_to_connect_one(visitor: Visitor) -> None:
    page = await visitor.opens("/")
    assert page.heading == "No stations yet. Connect the first one in three steps."
    port = visitor.front.house.settings.gateway_port
    assert f"ws://127.0.0.1:{port}/ocpp/STATION-NAME" in page.text
    assert "Waiting for the first station" in page.text


async def test_the_waiting_mark_turns_into_the_station(visitor: Visitor) -> None:
    before = await visitor.opens("/parts/waiting", hx_request="true")
    assert "hx-refresh" not in before.answer.headers
    station = await visitor.network.station("1.6")
    after = await visitor.opens("/parts/waiting", hx_request="true")
    assert after.answer.headers["hx-refresh"] == "true"
    assert station.station_id in (await visitor.opens("/")).text


async def test_the_simulators_key_works_and_is_shown_once(visitor: Visitor) -> None:
    page = await visitor.sends("/parts/simulator")
    command = next(page.all("button", **{"data-copy": "./ohmstead"})).attributes["data-copy"]
    key = command.rpartition("--api-key ")[2]
    answer = await visitor.client.get("/api/v1/stations", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    assert key not in (await visitor.opens("/")).html
