"""Cases of what OCPP 2.1 added to charging profiles (group K): on the wire and kept."""

from datetime import UTC, datetime
from decimal import Decimal

from ohmstead.smartcharging import queries, service
from ohmstead.stations import orders as o
from ohmstead.stations.orders.charging import LimitAtSoc
from tests.conformance.judged import asked
from tests.conformance.power import changes_mode, charging_car, for_session, given, period, told
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.test_profiles import held_by, reported


async def test_tc_k_100_a_profile_that_ends_offline_is_gone_when_the_station_comes_back(network: Network) -> None:
    station = await silent_station(network, "2.1")
    brief = given(period(limit=7000), offline_for_s=0, is_invalid_after_offline=True)
    _, heard = await told(network, station, brief)
    assert (heard["maxOfflineDuration"], heard["invalidAfterOfflineDuration"]) == (0, True)
    long = given(period(limit=7000), stack_level=1, offline_for_s=3600, is_invalid_after_offline=True)
    pausing = given(period(limit=7000), stack_level=2, offline_for_s=0)
    kept = [(await told(network, station, one))[0].profile.profile_id for one in (long, pausing)]
    await station.goes_offline()
    await network.is_connected(station, False)
    await station.comes_back()

    async def is_gone() -> bool:
        return {h.profile.profile_id for h in await held_by(network, station)} == set(kept)

    await network.until(is_gone, "the profile is gone")
    [gone] = [h for h in await held_by(network, station, is_present=False) if h.status == "cleared"]
    assert gone.detail == "the station was offline for longer than it is good for"


async def test_tc_k_101_a_session_changes_its_mode_of_operation(network: Network) -> None:
    station = await charging_car(network)
    held, heard = await told(network, station, for_session(station, period(limit=7000, operation="charging_only")))
    assert heard["chargingSchedule"][0]["chargingSchedulePeriod"][0]["operationMode"] == "ChargingOnly"
    central = for_session(
        station, period(setpoint=3000, operation="central_setpoint"), profile_id=held.profile.profile_id
    )
    _, heard = await told(network, station, central)
    assert heard["chargingSchedule"][0]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "setpoint": 3000, "operationMode": "CentralSetpoint"}
    ]
    assert await changes_mode(network, station, "CentralSetpoint") == ["central_setpoint"]
    [now] = await held_by(network, station)
    assert now.profile.schedules[0].periods[0].operation == "central_setpoint"


async def test_tc_k_102_and_106_a_limit_at_a_state_of_charge_and_a_random_delay(network: Network) -> None:
    station = await silent_station(network, "2.1")
    more = {"limit_at_soc": LimitAtSoc(soc_percent=80, limit=Decimal(5000)), "random_delay_s": 300}
    held, heard = await told(network, station, given(period(limit=50_000), schedule=more))
    [schedule] = heard["chargingSchedule"]
    assert (schedule["limitAtSoC"], schedule["randomizedDelay"]) == ({"soc": 80, "limit": 5000}, 300)
    # What the station reports of it is the same profile.
    report = reported(station, 7, held.profile.profile_id)
    report["chargingProfile"] = [heard]
    assert await station.says("ReportChargingProfiles", report) == {}
    [kept] = await held_by(network, station)
    assert kept.profile.schedules[0].limit_at_soc == more["limit_at_soc"]
    assert kept.profile.schedules[0].random_delay_s == 300


async def test_tc_k_104_and_118_priority_has_a_profile_and_is_asked_for_by_us_and_by_the_driver(
    network: Network,
) -> None:
    station = await charging_car(network)
    transaction_id = str(station.transactions[1].id)
    order = o.UsePriorityCharging(transaction_id=transaction_id, is_active=True)
    station.answers["UsePriorityCharging"] = {"status": "NoProfile"}
    refused = await network.orders(station, order)
    assert (refused.status, refused.error_text) == ("rejected", "NoProfile")
    held, heard = await told(network, station, given(period(limit=22_000), purpose="priority_charging"))
    assert heard["chargingProfilePurpose"] == "PriorityCharging"
    assert "transactionId" not in heard
    station.answers["UsePriorityCharging"] = {"status": "Accepted"}
    assert (await network.orders(station, order)).status == "accepted"
    assert asked(station)[-1] == ("UsePriorityCharging", {"transactionId": transaction_id, "activate": True})

    async def is_active() -> bool | None:
        kept = "select is_active from priority_charging where station_id = $1 and transaction_id = $2"
        found: bool | None = await network.pool.fetchval(kept, station.station_id, transaction_id)
        return found

    for word in (True, False):
        told_by_driver = {"transactionId": transaction_id, "activated": word}
        assert await station.says("NotifyPriorityCharging", told_by_driver) == {}
        assert await is_active() is word
    assert [h.profile.profile_id for h in await held_by(network, station)] == [held.profile.profile_id]


async def test_tc_k_109_a_limit_from_outside_stands_beside_our_profile(network: Network) -> None:
    station = await silent_station(network, "2.1")
    ours, heard = await told(network, station, given(period(limit=11_000)))
    outside = {
        "id": 9,
        "chargingRateUnit": "W",
        "startSchedule": datetime.now(UTC).isoformat(),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6000}],
    }
    limit = {"chargingLimitSource": "EMS", "isGridCritical": True, "isLocalGeneration": False}
    notice = {"evseId": 1, "chargingLimit": limit, "chargingSchedule": [outside]}
    assert await station.says("NotifyChargingLimit", notice) == {}
    async with network.pool.acquire() as conn:
        [kept] = await queries.list_limits(conn, network.party_id, station.station_id)
    assert (kept.source, kept.is_grid_critical, kept.schedules[0].periods[0].limit) == ("EMS", True, 6000)
    command = await service.ask_for_profiles(
        network.pool,
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        requested_by="operator:story",
    )
    number = command.parameters["request_id"]
    external = {
        "id": -1,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargingStationExternalConstraints",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [outside],
    }
    for source, profile, more in (("EMS", external, {"tbc": True}), ("CSO", heard, {})):
        report = {"requestId": number, "chargingLimitSource": source, "evseId": 1, "chargingProfile": [profile]}
        assert await station.says("ReportChargingProfiles", {**report, **more}) == {}
    held = {h.source: h for h in await held_by(network, station)}
    assert (held["EMS"].profile.profile_id, held["EMS"].profile.purpose) == (-1, "external")
    assert (held["CSO"].profile.profile_id, held["CSO"].set_by) == (ours.profile.profile_id, "operator:story")
    cleared = {"evseId": 1, "chargingLimitSource": "EMS"}
    assert await station.says("ClearedChargingLimit", cleared) == {}
    async with network.pool.acquire() as conn:
        assert await queries.list_limits(conn, network.party_id, station.station_id) == []
    assert ours.profile.profile_id in [h.profile.profile_id for h in await held_by(network, station)]


async def test_tc_k_121_a_station_pulls_what_its_dynamic_profile_says_now(network: Network) -> None:
    station = await silent_station(network, "2.1")
    held, heard = await told(network, station, given(period(limit=7000), timing="dynamic", update_interval_s=60))
    number = held.profile.profile_id
    assert (heard["chargingProfileKind"], heard["dynUpdateInterval"]) == ("Dynamic", 60)
    question = {"chargingProfileId": number}
    pulled = await station.says("PullDynamicScheduleUpdate", question)
    assert pulled == {"status": "Accepted", "scheduleUpdate": {"limit": 7000}}
    [kept] = await held_by(network, station)
    assert kept.profile.updated_at is not None
    # What the station did not take is not what it is told when it asks.
    station.answers["UpdateDynamicSchedule"] = {"status": "Rejected"}
    values = {
        "party_id": network.party_id,
        "station_id": station.station_id,
        "profile_id": number,
        "limits": o.Limits(limit=Decimal(3000)),
        "requested_by": "operator:story",
    }
    assert (await service.update_dynamic(network.pool, network.house.desk, **values)).status == "rejected"  # type: ignore[arg-type]
    assert (await station.says("PullDynamicScheduleUpdate", question))["scheduleUpdate"] == {"limit": 7000}
    station.answers["UpdateDynamicSchedule"] = {"status": "Accepted"}
    assert (await service.update_dynamic(network.pool, network.house.desk, **values)).status == "accepted"  # type: ignore[arg-type]
    assert (await station.says("PullDynamicScheduleUpdate", question))["scheduleUpdate"] == {"limit": 3000}
    unknown = await station.says("PullDynamicScheduleUpdate", {"chargingProfileId": 1_999_999_999})
    assert (unknown["status"], unknown["statusInfo"]["reasonCode"]) == ("Rejected", "UnknownProfile")
