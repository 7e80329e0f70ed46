"""Reservations and charging profiles through the public door."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.door import Visitor, problem
from tests.stories.listener import nothing
from tests.stories.station import Station


def in_(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


async def station_of(api: Visitor, version: str = "2.0.1") -> Station:
    station = await api.network.station(version, "ST", hours_ago=0)
    station.wire.after = nothing
    await api.posts("/tokens", {"uid": "CARD1"}, expect=201)
    return station


async def test_an_outlet_is_reserved_read_listed_and_cancelled(api: Visitor) -> None:
    station = await station_of(api)
    wanted = {"station_id": station.station_id, "evse_number": 1, "token_uid": "card1", "until_at": in_(hours=1)}
    made = await api.posts("/reservations", wanted, expect=201)
    assert (made["status"], made["is_held"], made["token_uid"], made["scope"]) == ("active", True, "CARD1", "evse")
    path = f"/reservations/{made['reservation_id']}"
    assert await api.gets(path) == made
    assert [
        r["number"] for r in (await api.gets("/reservations", station=station.station_id, open="true"))["items"]
    ] == [made["number"]]
    assert (await api.gets("/reservations", status="cancelled"))["items"] == []
    taken = await api.client.post("/reservations", json=wanted)
    assert problem(taken, 409, "conflict")["code"] == "taken"
    cancelled = await api.posts(f"{path}/cancel", {})
    assert cancelled["status"] == "cancelled"
    problem(await api.client.post(f"{path}/cancel"), 409, "conflict")
    await station.hears("CancelReservation")
    entries = await api.all_of("/audit-log", object=f"reservation/{made['reservation_id']}")
    assert [entry["action"] for entry in reversed(entries)] == ["reservation.made", "reservation.cancelled"]


async def test_a_reservation_is_changed_or_stands_as_it_was(api: Visitor) -> None:
    station = await station_of(api)
    wanted = {"station_id": station.station_id, "evse_number": 1, "token_uid": "CARD1", "until_at": in_(hours=1)}
    made = await api.posts("/reservations", wanted, expect=201)
    path, until_at = f"/reservations/{made['reservation_id']}", in_(hours=2)
    stale = await api.client.patch(path, json={"until_at": until_at}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    changed = await api.client.patch(path, json={"until_at": until_at})
    assert changed.status_code == 200
    body = changed.json()
    assert datetime.fromisoformat(body["until_at"]) == datetime.fromisoformat(until_at)
    assert (body["status"], body["before"], body["change_refused"]) == ("active", None, None)
    station.answers["ReserveNow"] = {"status": "Rejected"}
    kept = (await api.client.patch(path, json={"until_at": in_(hours=3)})).json()
    assert (kept["until_at"], kept["change_refused"], kept["is_held"]) == (body["until_at"], "Rejected", True)
    problem(await api.client.patch(path, json={"status": "used"}), 422, "invalid")


async def test_what_the_station_says_no_to_is_told_with_its_word(api: Visitor) -> None:
    station = await station_of(api)
    station.answers["ReserveNow"] = {"status": "Occupied"}
    wanted = {"station_id": station.station_id, "token_uid": "CARD1", "until_at": in_(hours=1)}
    made = await api.posts("/reservations", wanted, expect=201)
    assert (made["status"], made["reason"]) == ("refused", "Occupied")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"until_at": "2020-01-01T00:00:00Z"}, "until_at"),
        ({"from_at": "2020-01-01T00:00:00Z"}, "from_at"),
        ({"until_at": "2030-01-01T00:00:00"}, "until_at"),
        ({"evse_number": 0}, "evse_number"),
        ({"token_uid": "NOBODY"}, "token_uid"),
        ({"priority": 10}, "priority"),
        ({"location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"}, "station_id"),
        ({"status": "active"}, "status"),
    ],
)
async def test_what_cannot_be_reserved_is_refused_with_its_field(
    api: Visitor, change: dict[str, Any], field: str
) -> None:
    station = await station_of(api)
    wanted = {"station_id": station.station_id, "token_uid": "CARD1", "until_at": in_(hours=1), **change}
    refused = problem(await api.client.post("/reservations", json=wanted), 422, "invalid")
    named = refused.get("field") or refused["errors"][0]["field"]
    assert named == field
    assert station.wire.heard == []


async def test_a_group_is_given_precedence(api: Visitor) -> None:
    changed = await api.client.put("/reservation-groups", json={"group_uid": "RESCUE", "priority": 4})
    assert changed.status_code == 200
    assert (await api.gets("/reservation-groups"))["items"] == [{"group_uid": "RESCUE", "priority": 4}]
    await api.client.put("/reservation-groups", json={"group_uid": "RESCUE", "priority": 0})
    assert (await api.gets("/reservation-groups"))["items"] == []


PROFILE = {
    "profile_id": 0,
    "purpose": "session_default",
    "timing": "relative",
    "schedules": [{"rate_unit": "A", "periods": [{"start_s": 0, "limit": 16.5}]}],
}


async def test_a_profile_is_given_listed_and_taken_away(api: Visitor) -> None:
    station = await station_of(api)
    path = f"/stations/{station.station_id}/charging-profiles"
    held = await api.posts(path, {"evse_number": 1, "profile": PROFILE})
    assert (held["status"], held["profile"]["schedules"][0]["periods"][0]["limit"]) == ("held", 16.5)
    assert (await api.gets(path))["items"] == [held]
    number = held["profile"]["profile_id"]
    assert (await api.client.delete(f"{path}/{number}")).status_code == 204
    assert await station.hears("ClearChargingProfile") == {"chargingProfileId": number}
    assert (await api.gets(path))["items"] == []
    assert [h["status"] for h in (await api.gets(path, all="true"))["items"]] == ["cleared"]


async def test_a_profile_that_the_station_cannot_hold_is_refused_with_field_and_rule(api: Visitor) -> None:
    station = await station_of(api)
    wrong = {**PROFILE, "purpose": "session", "timing": "recurring"}
    answer = await api.client.post(
        f"/stations/{station.station_id}/charging-profiles", json={"evse_number": 1, "profile": wrong}
    )
    refused = problem(answer, 422, "invalid")
    assert {error["field"] for error in refused["errors"]} == {
        "profile.transaction_id",
        "profile.recurs",
        "profile.schedules.0.starts_at",
    }
    assert station.wire.heard == []


async def test_a_composite_schedule_is_asked_for_and_listed(api: Visitor) -> None:
    station = await station_of(api)
    told = {
        "evseId": 1,
        "duration": 60,
        "scheduleStart": "2026-06-01T12:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7400}],
    }
    station.answers["GetCompositeSchedule"] = {"status": "Accepted", "schedule": told}
    path = f"/stations/{station.station_id}/composite-schedules"
    command = await api.posts(f"{path}?evse=1&duration=60&unit=W", {})
    assert command["status"] == "accepted"
    [kept] = (await api.gets(path))["items"]
    assert (kept["rate_unit"], kept["periods"]) == ("W", [{"start_s": 0, "limit": 7400}])


async def test_settlements_are_listed_with_their_session(api: Visitor) -> None:
    station = await station_of(api, "2.1")
    await station.says(
        "NotifySettlement",
        {"pspRef": "P-1", "status": "Settled", "settlementAmount": 12.5, "settlementTime": "2026-06-01T12:00:00Z"},
    )
    [kept] = (await api.gets("/settlements", station=station.station_id))["items"]
    assert (kept["psp_ref"], kept["status"], kept["amount"], kept["session_id"]) == ("P-1", "settled", 12.5, None)
