"""Charging profiles on their page: a dry look before anything is sent, faults at their field, one set and one cleared."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ohmstead.console import profile_form
from ohmstead.core.errors import Invalid
from ohmstead.stations.orders import Period
from tests.console.town import Town
from tests.console.visitor import Visitor
from tests.stories.listener import silent_station


async def test_a_limit_is_looked_at_dry_then_set_asked_for_and_cleared(visitor: Visitor) -> None:
    network = visitor.network
    station = await silent_station(network, "2.0.1")
    here = f"/stations/{station.station_id}/profiles"
    fields = {"purpose": "session_default", "evse": "1", "timing": "now", "unit": "A", "steps": "0:00 16\r\n1:30 10"}
    page = await visitor.opens(f"{here}?purpose=session_default&evse=1&timing=now&unit=A&steps=0:00+16%0A1:30+10")
    assert len(list(page.all("figure", id="preview"))) == 1
    assert station.wire.heard == []  # nothing is sent for a look
    page = await visitor.sends(here, do="set", **fields, level="1", hours="8")
    assert "The station holds profile" in page.text
    heard = await station.hears("SetChargingProfile")
    [schedule] = heard["chargingProfile"]["chargingSchedule"]
    assert (heard["evseId"], heard["chargingProfile"]["stackLevel"], schedule["duration"]) == (1, 1, 28_800)
    assert [(p["startPeriod"], p["limit"]) for p in schedule["chargingSchedulePeriod"]] == [(0, 16), (5400, 10)]
    await visitor.sends(here, do="composite", evse="1")
    assert (await station.hears("GetCompositeSchedule"))["evseId"] == 1
    [kept] = await network.rows(
        "select profile_id, set_by from charging_profile where station_id = $1", station.station_id
    )
    assert kept.set_by.startswith("operator:")
    await visitor.sends(here, do="clear", profile_id=str(kept.profile_id))
    assert await station.hears("ClearChargingProfile") == {"chargingProfileId": kept.profile_id}
    assert (await visitor.opens(here)).heading == "It holds no charging profile that we know of."


async def test_what_cannot_be_set_says_why_at_its_field_and_is_not_sent(visitor: Visitor) -> None:
    network = visitor.network
    station = await silent_station(network, "1.6")
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, '', 'ChargeProfileMaxStackLevel', '2')",
        station.station_id,
    )
    here = f"/stations/{station.station_id}/profiles"
    right = {"purpose": "session_default", "evse": "1", "timing": "now", "unit": "A", "steps": "0:00 16", "level": "0"}
    for change, field, word in (
        ({"steps": "0:00 16\nsoon 10"}, "steps", "Step 2"),
        ({"steps": "0:30 16"}, "steps", "K01.FR.31"),
        ({"steps": ""}, "steps", "At least one step"),
        ({"level": "7"}, "level", "levels up to 2"),
        ({"level": "-1"}, "level", "0 to 1000"),
        ({"purpose": "session"}, "evse", "No car charges there"),
        ({"unit": "V"}, "unit", "Amperes or watts"),
        ({"hours": "0"}, "hours", "1 to 744"),
    ):
        page = await visitor.sends(here, do="set", **{**right, **change}, expect=422)
        wrong = [e for tag in ("input", "select", "textarea") for e in page.all(tag, **{"aria-invalid": "true"})]
        assert [e.attributes["name"] for e in wrong] == [field], change
        assert word in page.text
    assert station.wire.heard == []


async def test_a_stations_refusal_is_told_and_a_stranger_finds_nothing(visitor: Visitor, stranger: Visitor) -> None:
    station = await silent_station(visitor.network, "2.1")
    station.answers["SetChargingProfile"] = {"status": "Rejected", "statusInfo": {"reasonCode": "NoProfile"}}
    here = f"/stations/{station.station_id}/profiles"
    page = await visitor.sends(
        here, do="set", purpose="station_max", timing="now", unit="W", steps="0:00 9000", expect=422
    )
    assert "The station does not hold it" in page.text
    assert "NoProfile" in page.text
    await stranger.opens(here, expect=404)
    await stranger.sends(here, do="clear-all", expect=404)


async def test_a_safe_limit_is_made_shown_at_the_station_and_taken_back(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ")
    page = await visitor.opens("/safe-limits")
    assert page.heading.startswith("No safe limit")
    page = await visitor.sends(
        "/safe-limits/new", name="Night", limit="6.55", rate_unit="A", is_enabled="yes", expect=422
    )
    [wrong] = page.all("input", **{"aria-invalid": "true"})
    assert wrong.attributes["name"] == "limit"
    await visitor.sends("/safe-limits/new", name="Night", limit="6,5", rate_unit="A", is_enabled="yes", expect=303)
    page = await visitor.opens("/safe-limits")
    assert "6.5 A" in page.rows()[0]
    page = await visitor.opens(f"/stations/{station}/profiles")
    assert "Not given yet" in page.text
    [found] = await visitor.network.rows(
        "select safe_limit_id from safe_limit where party_id = $1", visitor.network.party_id
    )
    await visitor.sends(f"/safe-limits/{found.safe_limit_id}", do="delete", expect=303)
    assert (await visitor.opens("/safe-limits")).heading.startswith("No safe limit")


def test_steps_by_the_clock_begin_at_the_sites_midnight() -> None:
    vienna = ZoneInfo("Europe/Vienna")
    now = datetime(2026, 3, 11, 14, 30, tzinfo=vienna)
    given = {"timing": "daily", "steps": "0:00 6\n22:00 16,5"}
    evse, profile = profile_form.profile_from(given, {}, now, vienna)
    [schedule] = profile.schedules
    assert (evse, profile.recurs, schedule.starts_at) == (0, "daily", datetime(2026, 3, 10, tzinfo=vienna))
    assert [(p.start_s, float(p.limit or 0)) for p in schedule.periods] == [(0, 6), (79_200, 16.5)]
    with pytest.raises(Invalid, match="more than any station has"):
        profile_form.profile_from({"steps": "0:00 99999999"}, {}, now, vienna)


def test_the_preview_is_drawn_to_scale() -> None:
    now = datetime(2026, 3, 11, 14, 30, tzinfo=ZoneInfo("UTC"))
    after = (
        Period(start_s=0, limit=Decimal(10_000)),
        Period(start_s=43_200, limit=Decimal(0)),
    )
    drawn = profile_form.drawn((Period(start_s=0),), after, now, 86_400, ZoneInfo("UTC"))
    assert drawn.before == ""
    assert f"{(drawn.left + drawn.right) / 2:g} {drawn.base}" in drawn.after
