"""Which stations need me? The list, one station's page, and the ways in."""

from datetime import datetime
from decimal import Decimal

from tests.console.town import Town
from tests.console.visitor import Visitor


async def test_the_list_puts_what_needs_a_person_first(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    fine = await town.station("FINE")
    gone = await town.station("GONE", online=False)
    broken = await town.station("BROKEN")
    await town.fault(broken)
    new = await town.station("NEW", registration="pending")
    page = await visitor.opens("/stations")
    assert [row.split()[0] for row in page.rows()] == [new, broken, gone, fine]
    assert page.heading == "3 of 4. 1 offline, 1 with a connector out of order, 1 to adopt."
    assert "1 out of order: GroundFailure" in page.rows()[1]


async def test_chips_search_site_and_order_stand_in_the_address(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    north = await town.location("North")
    one = await town.station("ONE", location_id=north, firmware_version="2.0", vendor="Acme")
    two = await town.station("TWO", firmware_version="10.1")
    gone = await town.station("GONE", online=False, location_id=north)

    async def ids(query: str) -> list[str]:
        return [row.split()[0] for row in (await visitor.opens(f"/stations?{query}")).rows()]

    assert await ids("show=offline") == [gone]
    assert await ids(f"location={north}&sort=station&order=desc") == [one, gone]
    assert await ids("q=acme") == [one]
    assert await ids("q=100%25") == ["No"]
    assert await ids("sort=station") == sorted([one, two, gone])
    assert await ids("show=nonsense&sort=nonsense&page=x") == [gone, one, two]


async def test_the_export_holds_what_the_list_shows_and_runs_no_formula(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    await town.station("ONE", name='=HYPERLINK("x")', vendor="Acme")
    await town.station("TWO")
    answer = await visitor.client.get("/stations.csv?q=acme")
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = answer.content.decode("utf-8-sig").splitlines()
    assert header.startswith("station_id,name,state,state_since,location")
    assert len(rows) == 1
    assert '"\'=HYPERLINK(""x"")"' in rows[0]


async def test_a_station_page_opens_on_what_is_happening_now(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ", connectors=3, location_id=await town.location("Harbour"))
    soc = {"soc_start_percent": Decimal(24), "soc_percent": Decimal(58)}
    power = {"power_w": Decimal(138_400), "power_at": noon}
    await town.session(station, begins=0.5, ends=None, wh=27_840, token_uid="04A224F9", **soc, **power)
    await town.fault(station, 3, hours_ago=2.75, error_code="ConnectorLockFailure")
    page = await visitor.opens(f"/stations/{station}")
    assert page.heading == "Charging 1 car at 138.4 kW. Connector 3 is out of order."
    for words in ("27.84 kWh", "58 % from 24 %", "80 % about", "The lock does not open or close.", "Harbour", "Free"):
        assert words in page.text


async def test_a_lost_station_says_since_when_and_keeps_its_last_states(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("GONE", online=False, lost_hours_ago=2)
    page = await visitor.opens(f"/stations/{station}")
    assert page.heading == "Unreachable: 1 connector cannot be used from here."
    assert "Offline for 2 h" in page.text
    assert "Last known: free." in page.text


async def test_the_log_shows_request_and_answer_in_one_line(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    meter = '{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"138.4","measurand":"Power.Active.Import","unit":"kW"},{"value":"27840"}]}]}'  # noqa: E501
    await town.message(station, 1.0, "MeterValues", payload=meter)
    await town.message(
        station,
        0.9,
        "UnlockConnector",
        direction="out",
        payload='{"connectorId":2}',
        answer='{"status":"UnlockFailed"}',
        latency_us=2_311_000,
    )
    await town.message(
        station, 0.8, "ChangeConfiguration", direction="out", payload='{"key":"AuthorizationKey","value":"topsecret"}'
    )
    page = await visitor.opens(f"/stations/{station}/messages")
    assert "1: 138.4 kW, 27.84 kWh" in page.text
    assert "UnlockFailed 2,311 ms" in page.text
    assert "topsecret" not in page.html
    failed = await visitor.opens(f"/stations/{station}/messages?log=failed")
    assert "UnlockConnector" in failed.text
    assert "MeterValues" not in failed.text
    newest = await visitor.opens(f"/stations/{station}/messages?after={town.ago(0.95).isoformat().replace('+', '%2B')}")
    assert "MeterValues" not in newest.text
    assert "ChangeConfiguration" in newest.text


async def test_the_timeline_counts_silence_and_sessions(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    lost, back = town.ago(5), town.ago(4.5)
    for at, is_connected in ((lost, False), (back, True)):
        await visitor.network.pool.execute(
            "insert into connection_change (station_id, at, is_connected) values ($1, $2, $3)",
            station,
            at,
            is_connected,
        )
    await town.session(station, begins=3, ends=2, wh=11_000)
    page = await visitor.opens(f"/stations/{station}/timeline")
    assert "unreachable 30 min" in page.text
    assert "1 session, 11.00 kWh" in page.text
    assert "Vienna" in page.text


async def test_a_new_station_gets_a_password_that_is_shown_once(visitor: Visitor) -> None:
    name = f"NEW-{visitor.network.suffix}"
    made = await visitor.sends("/stations/new", station_id=name, name="Left", new_location="Harbour", evses="2")
    assert made.heading == f"{name} is registered. Note its password now."
    shown = [b.attributes["data-copy"] for b in made.all("button") if "data-copy" in b.attributes]
    assert shown[0].endswith(f"/ocpp/{name}")
    assert len(shown[2]) == 40
    page = await visitor.opens(f"/stations/{name}")
    assert page.heading == "Has never connected."
    assert shown[2] not in page.html
    assert "Harbour" in page.text


async def test_a_form_that_does_not_fit_keeps_what_was_typed(visitor: Visitor) -> None:
    page = await visitor.sends("/stations/new", station_id="a b", name="North entrance", expect=422)
    assert "1 to 48 letters, digits" in page.text
    assert next(page.all("input", name="name")).attributes["value"] == "North entrance"
    name = f"NEW-{visitor.network.suffix}"
    await visitor.sends("/stations/new", station_id=name)
    again = await visitor.sends("/stations/new", station_id=name, expect=422)
    assert "registered already" in again.text


async def test_a_table_is_rehearsed_before_it_changes_anything(visitor: Visitor) -> None:
    suffix = visitor.network.suffix
    table = f"station_id,location,security_profile\nA-{suffix},North,1\nB-{suffix},North,9\n"
    rehearsal = await visitor.sends("/stations/import", table=table)
    assert rehearsal.heading == "This would create 1 and change 0; 1 cannot be taken."
    assert "security_profile" in rehearsal.rows()[0]
    assert "Connect the first one" in (await visitor.opens("/")).heading
    done = await visitor.sends("/stations/import", table=table, step="import")
    assert done.heading == "1 created, 0 changed, 0 as they were, 1 failed."
    assert [row.split()[0] for row in (await visitor.opens("/stations")).rows()] == [f"A-{suffix}"]
    broken = await visitor.sends("/stations/import", table="nonsense", expect=422)
    assert "station_id" in next(broken.all("p", role="alert")).text


async def test_a_station_that_knocked_can_be_adopted_or_rejected(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    mine = await town.station("MINE", registration="pending", vendor="Acme", model="One")
    other = await town.station("OTHER", registration="pending")
    assert (await visitor.opens(f"/stations/{mine}")).heading == "Waits for you to adopt it."
    adopted = await visitor.sends(f"/stations/{mine}/adopt", name="Left", security_profile="1")
    assert adopted.heading == f"{mine} is adopted. Note its password now."
    await visitor.sends(f"/stations/{other}/reject", expect=303)
    assert (await visitor.opens(f"/stations/{other}")).heading == "Rejected: it is turned away."
    found = await visitor.network.pool.fetch(
        "select registration from station where party_id = $1 order by station_id", visitor.network.party_id
    )
    assert [row["registration"] for row in found] == ["accepted", "rejected"]


async def test_settings_are_listed_without_passwords(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    for name, value in (("HeartbeatInterval", "900"), ("AuthorizationKey", "topsecret")):
        await visitor.network.pool.execute(
            "insert into station_variable (station_id, variable, value) values ($1, $2, $3)", station, name, value
        )
    page = await visitor.opens(f"/stations/{station}/configuration")
    assert page.heading == "2 settings as it last reported them."
    assert "HeartbeatInterval 900" in page.text
    assert "topsecret" not in page.html
    assert len((await visitor.opens(f"/stations/{station}/configuration?q=heart")).rows()) == 1
