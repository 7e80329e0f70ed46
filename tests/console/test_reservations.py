"""Reservations and profiles on pages: what is kept for whom, one more, one less; what limits a station."""

from datetime import datetime

from ohmstead.console.profiles import steps
from ohmstead.console.reservations import headline
from ohmstead.stations.orders import Period
from tests.console.town import Town
from tests.console.visitor import Visitor


async def test_an_outlet_is_reserved_and_let_go(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ", connectors=2)
    await visitor.network.token("CARD1", group_uid="FLEET")
    page = await visitor.opens("/reservations")
    assert page.heading == "No outlet is reserved."
    await visitor.sends(
        "/reservations", station_id=station, evse_number="2", minutes="30", token_uid="card1", expect=303
    )
    page = await visitor.opens(f"/reservations?station={station}")
    [row] = page.rows()
    assert station in row
    assert "CARD1 and FLEET" in row
    assert "1 to come" in page.heading
    [found] = await visitor.network.rows("select * from reservation where station_id = $1", station)
    assert (found.evse_number, found.requested_by.split(":")[0]) == (2, "operator")
    # As one of which its station does not know yet.
    untold = "update reservation set told_at = null, tell_at = now() + interval '1 hour' where station_id = $1"
    await visitor.network.pool.execute(untold, station)
    change = f"/reservations/{found.reservation_id}/change"
    await visitor.sends(change, minutes="90", evse_number="1", token_uid="", expect=303)
    [after] = await visitor.network.rows("select * from reservation where station_id = $1", station)
    assert (after.evse_number, after.token_uid, after.until_at > found.until_at) == (1, "CARD1", True)
    for wrong, words in (
        ({"minutes": "soon"}, "Minutes"),
        ({"token_uid": "NOBODY"}, "no token"),
        ({"evse_number": "9"}, "no such outlet"),
    ):
        page = await visitor.sends(change, **wrong, expect=422)
        assert "Not changed" in page.text
        assert words in page.text
    await visitor.sends(f"/reservations/{found.reservation_id}/cancel", expect=303)
    assert "Cancelled" in (await visitor.opens("/reservations")).rows()[0]
    page = await visitor.sends(f"/reservations/{found.reservation_id}/cancel", expect=422)
    assert "over already" in page.text


async def test_what_cannot_be_reserved_says_why_at_its_field(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ")
    await visitor.network.token("CARD1")
    given = {"station_id": station, "evse_number": "1", "minutes": "30", "token_uid": "CARD1"}
    for change, field in (
        ({"token_uid": "NOBODY"}, "token_uid"),
        ({"minutes": "soon"}, "minutes"),
        ({"evse_number": "0"}, "evse_number"),
        ({"station_id": "ELSEWHERE"}, "station_id"),
    ):
        page = await visitor.sends("/reservations", **{**given, **change}, expect=422)
        [wrong] = page.all("input", **{"aria-invalid": "true"})
        assert wrong.attributes["name"] == field
    assert await visitor.network.rows("select 1 from reservation where station_id = $1", station) == []


async def test_a_stations_profiles_stand_on_a_page_of_their_own(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ")
    page = await visitor.opens(f"/stations/{station}/profiles")
    assert "no charging profile" in page.heading
    await visitor.network.pool.execute(
        "insert into charging_profile (station_id, profile_id, evse_number, purpose, timing, stack_level, profile, status,"
        " set_by) values ($1, 7, 1, 'session_default', 'relative', 2, $2, 'held', 'operator:x')",
        station,
        {
            "profile_id": 7,
            "purpose": "session_default",
            "timing": "relative",
            "stack_level": 2,
            "schedules": [
                {"rate_unit": "A", "periods": [{"start_s": 0, "limit": "16.0"}, {"start_s": 3600, "limit": "6"}]}
            ],
        },
    )
    page = await visitor.opens(f"/stations/{station}/profiles")
    assert page.heading == "1 charging profile held."
    assert "16 A, after 1 h" in page.rows()[0]


def test_headlines_and_steps() -> None:
    assert headline({"active": 2, "no_show": 1}) == "2 outlets kept free, 1 to which nobody came since yesterday."
    assert steps([Period(start_s=0)], "W") == "no limit"
