"""Public certification cases of group K (smart charging), 2.0.1 and 2.1: the CSMS's side, on the wire and kept."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ohmstead.smartcharging import queries
from ohmstead.stations.orders import CompositeSchedule, GetProfiles
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload
from tests.stories.test_profiles import (
    ac_needs,
    are,
    charging_station,
    clears,
    gives,
    held_by,
    night,
    plans_heard,
    reported,
)
from tests.stories.wire import Error


@pytest.mark.parametrize(
    ("case", "given", "evse_number", "told"),
    [
        ("k_01", {}, 1, {"chargingProfilePurpose": "TxDefaultProfile"}),
        ("k_03", {"purpose": "station_max"}, 0, {"chargingProfilePurpose": "ChargingStationMaxProfile"}),
        ("k_10", {}, 0, {"chargingProfilePurpose": "TxDefaultProfile"}),
        (
            "k_19",
            {"timing": "recurring", "recurs": "daily"},
            1,
            {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"},
        ),
        ("k_60", {"purpose": "session", "transaction_id": "tx-1"}, 1, {"transactionId": "tx-1"}),
    ],
)
async def test_tc_k_01_and_03_and_10_and_19_and_60_a_profile_is_set(
    network: Network, version2: str, case: str, given: dict[str, Any], evse_number: int, told: Payload
) -> None:
    station = await silent_station(network, version2)
    held, _ = await gives(network, station, night(**given), evse_number)
    heard = await station.hears("SetChargingProfile")
    assert (heard["evseId"], heard["chargingProfile"]["id"]) == (evse_number, held.profile.profile_id), case
    assert told.items() <= heard["chargingProfile"].items()
    assert [(h.evse_number, h.status) for h in await held_by(network, station)] == [(evse_number, "held")]


async def test_tc_k_02_a_session_profile_without_a_session_is_refused_by_the_station(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["SetChargingProfile"] = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    held, _ = await gives(network, station, night(purpose="session", transaction_id="gone"))
    assert (held.status, held.detail) == ("refused", "Rejected (TxNotFound)")


async def test_tc_k_04_a_profile_is_replaced(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    first, _ = await gives(network, station, night())
    second, _ = await gives(network, station, night(profile_id=first.profile.profile_id, stack_level=1))
    assert second.status == "held"
    assert [h.profile.stack_level for h in await held_by(network, station)] == [1]


async def test_tc_k_05_a_profile_is_cleared_by_its_id(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    held, _ = await gives(network, station, night())
    await clears(network, station, profile_id=held.profile.profile_id)
    assert await station.hears("ClearChargingProfile") == {"chargingProfileId": held.profile.profile_id}
    assert await held_by(network, station) == []


async def test_tc_k_06_profiles_are_cleared_by_purpose_and_level(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await gives(network, station, night(stack_level=1))
    kept, _ = await gives(network, station, night(stack_level=2))
    await clears(network, station, purpose="session_default", stack_level=1)
    criteria = {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    assert await station.hears("ClearChargingProfile") == {"chargingProfileCriteria": criteria}
    assert [h.profile.profile_id for h in await held_by(network, station)] == [kept.profile.profile_id]


async def test_tc_k_08_there_is_nothing_to_clear(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["ClearChargingProfile"] = {"status": "Unknown"}
    command = await clears(network, station, profile_id=77)
    assert (command.status, command.error_text) == ("rejected", "Unknown")


async def test_tc_k_15_a_station_without_smart_charging_says_so(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["SetChargingProfile"] = Error("NotSupported")
    held, command = await gives(network, station, night())
    assert (command.status, command.error_code, held.status) == ("failed", "NotSupported", "refused")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"evse_number": 0}, {"evseId": 0, "chargingProfile": {}}),
        ({"evse_number": 1}, {"evseId": 1, "chargingProfile": {}}),
        ({}, {"chargingProfile": {}}),
        ({"profile_ids": (7,)}, {"chargingProfile": {"chargingProfileId": [7]}}),
        ({"evse_number": 1, "stack_level": 0}, {"evseId": 1, "chargingProfile": {"stackLevel": 0}}),
        ({"evse_number": 1, "sources": ("EMS",)}, {"evseId": 1, "chargingProfile": {"chargingLimitSource": ["EMS"]}}),
        (
            {"evse_number": 1, "purpose": "session_default"},
            {"evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}},
        ),
        (
            {"evse_number": 1, "purpose": "session_default", "stack_level": 0},
            {"evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}},
        ),
    ],
)
async def test_tc_k_29_to_36_profiles_are_read(
    network: Network, version2: str, given: dict[str, Any], told: Payload
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, GetProfiles(request_id=41, **given))
    assert command.status == "accepted"
    assert await station.hears("GetChargingProfiles") == {"requestId": 41, **told}
    assert await station.says("ReportChargingProfiles", reported(station, 41, 7, tbc=True)) == {}
    assert await station.says("ReportChargingProfiles", reported(station, 41, 8)) == {}
    assert [h.profile.profile_id for h in await held_by(network, station)] == [8, 7]


@pytest.mark.parametrize("evse_number", [1, 0])
async def test_tc_k_43_and_44_the_composite_schedule_is_asked_for_and_kept(
    network: Network, version2: str, evse_number: int
) -> None:
    station = await silent_station(network, version2)
    schedule = {
        "evseId": evse_number,
        "duration": 300,
        "scheduleStart": datetime.now(UTC).isoformat(),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
    }
    station.answers["GetCompositeSchedule"] = {"status": "Accepted", "schedule": schedule}
    order = CompositeSchedule(evse_number=evse_number, duration_s=300)
    assert (await network.orders(station, order)).status == "accepted"
    assert await station.hears("GetCompositeSchedule") == {"duration": 300, "evseId": evse_number}
    async with network.pool.acquire() as conn:
        [kept] = await queries.list_composites(conn, network.party_id, station.station_id)
    assert (kept.evse_number, kept.periods[0].limit) == (evse_number, 10)


async def test_tc_k_48_and_50_and_51_a_limit_from_outside_comes_and_goes(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    limit = {"chargingLimitSource": "EMS", "isGridCritical": False}
    assert await station.says("NotifyChargingLimit", {"evseId": 1, "chargingLimit": limit}) == {}
    kept = "select source from charging_limit where station_id = $1"
    assert await network.pool.fetchval(kept, station.station_id) == "EMS"
    assert await station.says("ClearedChargingLimit", {"evseId": 1, "chargingLimitSource": "EMS"}) == {}
    assert await network.pool.fetchval(kept, station.station_id) is None


async def test_tc_k_52_a_profile_from_outside_is_reported_with_its_source(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    payload = reported(station, 5, 900, source="EMS")
    payload["chargingProfile"][0]["chargingProfilePurpose"] = "ChargingStationExternalConstraints"
    assert await station.says("ReportChargingProfiles", payload) == {}
    [kept] = await held_by(network, station)
    assert (kept.source, kept.profile.purpose) == ("EMS", "external")


async def test_tc_k_53_a_cars_needs_are_answered_by_a_profile(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    assert (await station.says("NotifyEVChargingNeeds", ac_needs()))["status"] == "Accepted"
    await are(network, station, "planned")
    [heard] = plans_heard(station)
    profile = heard["chargingProfile"]
    assert (profile["chargingProfilePurpose"], profile["transactionId"]) == ("TxProfile", station.transactions[1].id)


async def test_tc_k_57_the_car_renegotiates(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    for n, hours in ((1, 8), (2, 0.5)):
        await station.says("NotifyEVChargingNeeds", ac_needs(hours=hours))

        async def is_planned(n: int = n) -> bool:
            return len(plans_heard(station)) == n

        await network.until(is_planned, "the plan was sent")
    first, second = [heard["chargingProfile"] for heard in plans_heard(station)]
    assert first["id"] == second["id"]
    assert first["chargingSchedule"] != second["chargingSchedule"]


async def test_tc_k_58_we_renegotiate(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    kept = await are(network, station, "planned")
    renewed = night(purpose="session", transaction_id=kept.transaction_id, profile_id=kept.profile_id, stack_level=0)
    held, _ = await gives(network, station, renewed)
    assert (held.status, len(await held_by(network, station))) == ("held", 1)


async def test_tc_k_70_several_profiles_are_held_side_by_side(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await gives(network, station, night(purpose="station_max"), 0)
    await gives(network, station, night(stack_level=0), 0)
    await gives(network, station, night(stack_level=1), 1)
    purposes = [(h.evse_number, h.profile.purpose) for h in await held_by(network, station)]
    assert purposes == [(0, "session_default"), (0, "station_max"), (1, "session_default")]
