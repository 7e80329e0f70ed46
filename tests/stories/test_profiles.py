"""Profiles are given to stations, and what they answered is what we say they hold."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.core.errors import NotFound
from ohmstead.smartcharging import queries, service
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command
from ohmstead.stations.orders import (
    ChargingProfile,
    ClearProfiles,
    Limits,
    Period,
    Schedule,
    SetProfile,
    UsePriorityCharging,
)
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.wire import SILENCE, Error

BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)


def night(**given: Any) -> ChargingProfile:
    schedule = Schedule(
        rate_unit=given.pop("unit", "A"),
        periods=(Period(start_s=0, limit=Decimal("16.5")), Period(start_s=3600, limit=Decimal(6))),
        starts_at=BEGIN,
        duration_s=7200,
    )
    whole: dict[str, Any] = {
        "profile_id": 0,
        "purpose": "session_default",
        "timing": "absolute",
        "stack_level": 2,
        **given,
    }
    return ChargingProfile(schedules=(schedule,), **whole)


async def gives(
    network: Network, station: Station, profile: ChargingProfile, evse_number: int = 1, **terms: Any
) -> tuple[HeldProfile, Command]:
    return await service.set_profile(
        network.pool,
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        evse_number=evse_number,
        profile=profile,
        requested_by="operator:story",
        **terms,
    )


async def held_by(network: Network, station: Station, *, is_present: bool = True) -> list[HeldProfile]:
    async with network.pool.acquire() as conn:
        return await queries.list_profiles(conn, network.party_id, station.station_id, is_present=is_present)


async def tells(network: Network, station: Station, **values: str) -> None:
    """What the station reported of itself."""
    for name, value in values.items():
        component, _, variable = name.rpartition("__")
        await network.pool.execute(
            "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, $4)",
            station.station_id,
            component,
            variable,
            value,
        )


async def test_a_profile_is_said_as_the_version_says_it_and_kept_when_the_station_took_it(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    held, command = await gives(network, station, night())
    assert (held.status, held.set_by, command.status) == ("held", "operator:story", "accepted")
    heard = await station.hears("SetChargingProfile")
    schedule = {
        "chargingRateUnit": "A",
        "startSchedule": "2026-06-01T12:00:00.000Z",
        "duration": 7200,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.5}, {"startPeriod": 3600, "limit": 6}],
    }
    told = {"stackLevel": 2, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"}
    number = held.profile.profile_id
    if version == "1.6":
        assert heard == {
            "connectorId": 1,
            "csChargingProfiles": {"chargingProfileId": number, **told, "chargingSchedule": schedule},
        }
    else:
        assert heard == {
            "evseId": 1,
            "chargingProfile": {"id": number, **told, "chargingSchedule": [{"id": 1, **schedule}]},
        }
    assert [h.profile.profile_id for h in await held_by(network, station)] == [number]


async def test_ids_are_never_given_twice(network: Network) -> None:
    station = await silent_station(network, "2.0.1")
    made = [(await gives(network, station, night(stack_level=n)))[0].profile.profile_id for n in range(3)]
    assert len(set(made)) == 3


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        ({"status": "Rejected"}, "refused", "Rejected"),
        (Error("NotSupported", "no"), "refused", "no"),
        (SILENCE, "unknown", None),
    ],
)
async def test_what_the_station_did_not_take_it_does_not_hold(
    network: Network, version: str, answer: Any, status: str, detail: str | None
) -> None:
    station = await silent_station(network, version)
    station.answers["SetChargingProfile"] = answer
    held, _ = await gives(network, station, night(), timeout_s=0.5 if answer is SILENCE else 8)
    assert held.status == status
    assert detail is None or held.detail == detail
    assert await held_by(network, station) == []


async def test_a_late_yes_still_counts(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["SetChargingProfile"] = SILENCE
    held, _ = await gives(network, station, night(), timeout_s=0.5)
    assert held.status == "unknown"
    await station.wire.send([3, station.wire.heard[0][0], {"status": "Accepted"}])

    async def is_held() -> bool:
        return bool(await held_by(network, station))

    await network.until(is_held, "the profile is held")


async def test_a_profile_that_a_plain_order_gave_is_known_too(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    order = SetProfile(evse_number=1, profile=night(profile_id=1_888_888_888))
    assert (await network.orders(station, order)).status == "accepted"

    async def is_held() -> bool:
        return [h.profile.profile_id for h in await held_by(network, station)] == [1_888_888_888]

    await network.until(is_held, "the profile is known")


async def test_what_a_station_cannot_hold_is_refused_before_anything_is_sent(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    if version == "1.6":
        await tells(network, station, ChargeProfileMaxStackLevel="1", ChargingScheduleMaxPeriods="1")
    else:
        await tells(
            network, station, SmartChargingCtrlr__ProfileStackLevel="1", SmartChargingCtrlr__PeriodsPerSchedule="1"
        )
    with pytest.raises(service.Misfit) as caught:
        await gives(network, station, night())
    assert sorted(field for field, _ in caught.value.faults) == ["profile.schedules.0.periods", "profile.stack_level"]
    assert station.wire.heard == []
    assert await held_by(network, station, is_present=False) == []


async def test_amperes_become_watts_where_the_station_takes_only_those(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    if version == "1.6":
        await tells(network, station, ChargingScheduleAllowedChargingRateUnit="Power")
    else:
        await tells(network, station, SmartChargingCtrlr__RateUnit="W")
    await gives(network, station, night())
    heard = await station.hears("SetChargingProfile")
    schedule = (
        heard["csChargingProfiles"]["chargingSchedule"]
        if version == "1.6"
        else heard["chargingProfile"]["chargingSchedule"][0]
    )
    assert schedule["chargingRateUnit"] == "W"
    assert [p["limit"] for p in schedule["chargingSchedulePeriod"]] == [11_385, 4140]


async def test_another_partys_station_takes_no_profile(network: Network) -> None:
    station = await silent_station(network, "2.0.1")
    stranger = await Network(network.house).found()
    with pytest.raises(NotFound):
        await gives(stranger, station, night())
    assert station.wire.heard == []
    assert await held_by(network, station, is_present=False) == []


# ------------------------------------------------------------------------------------------ clearing


async def clears(network: Network, station: Station, **given: Any) -> Command:
    return await service.clear_profiles(
        network.pool,
        network.house.desk,
        ClearProfiles(**given),
        party_id=network.party_id,
        station_id=station.station_id,
        requested_by="operator:story",
    )


async def test_profiles_are_cleared_by_id_and_by_what_they_are_for(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    first, _ = await gives(network, station, night(stack_level=0))
    second, _ = await gives(network, station, night(stack_level=1))
    assert (await clears(network, station, profile_id=first.profile.profile_id)).status == "accepted"
    heard = await station.hears("ClearChargingProfile")
    assert heard == {"id" if version == "1.6" else "chargingProfileId": first.profile.profile_id}
    assert [h.profile.profile_id for h in await held_by(network, station)] == [second.profile.profile_id]
    await clears(network, station, evse_number=1, purpose="session_default", stack_level=1)
    told = {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    heard = await station.hears("ClearChargingProfile")
    if version == "1.6":
        assert heard == {"connectorId": 1, **told}
    else:
        assert heard == {"chargingProfileCriteria": {"evseId": 1, **told}}
    assert await held_by(network, station) == []


async def test_what_the_station_does_not_know_is_gone_and_what_it_refuses_to_clear_is_not(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    await gives(network, station, night())
    station.answers["ClearChargingProfile"] = Error("InternalError")
    assert (await clears(network, station)).status == "failed"
    assert len(await held_by(network, station)) == 1
    station.answers["ClearChargingProfile"] = {"status": "Unknown"}
    assert (await clears(network, station)).status == "rejected"
    assert await held_by(network, station) == []


async def test_a_transactions_profile_ends_with_it(network: Network, version: str) -> None:
    station = await network.station(version)
    await network.token("TAG1")
    await station.plugs_in()
    await station.presents("TAG1")
    transaction_id = str(station.transactions[1].id)
    await gives(network, station, night(purpose="session", transaction_id=transaction_id))
    await gives(network, station, night(stack_level=1))
    assert len(await held_by(network, station)) == 2
    await station.unplugs()

    async def is_gone() -> bool:
        return [h.profile.purpose for h in await held_by(network, station)] == ["session_default"]

    await network.until(is_gone, "the transaction's profile is gone")


# ------------------------------------------------------------------------------------------ asking


async def test_the_composite_schedule_is_kept(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    periods = [{"startPeriod": 0, "limit": 8.5}, {"startPeriod": 600, "limit": 16}]
    inner = {"chargingRateUnit": "A", "duration": 1200, "chargingSchedulePeriod": periods}
    begin = "2026-06-01T12:00:00Z"
    told: Payload = {"status": "Accepted", "schedule": {"evseId": 1, "scheduleStart": begin, **inner}}
    if version == "1.6":
        told = {"status": "Accepted", "connectorId": 1, "scheduleStart": begin, "chargingSchedule": inner}
    station.answers["GetCompositeSchedule"] = told
    command = await service.ask_for_composite(
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        evse_number=1,
        duration_s=1200,
        rate_unit="A",
        requested_by="operator:story",
    )
    assert command.status == "accepted"
    heard = await station.hears("GetCompositeSchedule")
    assert heard == {
        "connectorId" if version == "1.6" else "evseId": 1,
        "duration": 1200,
        "chargingRateUnit": "A",
    }
    async with network.pool.acquire() as conn:
        [kept] = await queries.list_composites(conn, network.party_id, station.station_id)
    assert (kept.evse_number, kept.rate_unit, kept.duration_s, kept.starts_at) == (1, "A", 1200, BEGIN)
    assert [(p.start_s, p.limit) for p in kept.periods] == [(0, Decimal("8.5")), (600, 16)]


def reported(station: Station, request_id: int, *numbers: int, source: str = "CSO", **more: Any) -> Payload:
    return {
        "requestId": request_id,
        "chargingLimitSource": source,
        "evseId": 1,
        "chargingProfile": [
            {
                "id": number,
                "stackLevel": number % 10,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": [
                    {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000}]}
                ],
            }
            for number in numbers
        ],
        **more,
    }


async def test_a_report_in_parts_is_put_together_and_what_it_does_not_name_is_gone(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    ours, _ = await gives(network, station, night())
    lost, _ = await gives(network, station, night(stack_level=3))
    command = await service.ask_for_profiles(
        network.pool,
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        requested_by="operator:story",
    )
    assert command.status == "accepted"
    heard = await station.hears("GetChargingProfiles")
    request_id = heard["requestId"]
    assert heard == {"requestId": request_id, "chargingProfile": {}}
    await station.says("ReportChargingProfiles", reported(station, request_id, 9_000_001, source="EMS", tbc=True))
    assert len(await held_by(network, station)) == 3
    await station.says("ReportChargingProfiles", reported(station, request_id, ours.profile.profile_id))
    held = {h.profile.profile_id: h for h in await held_by(network, station)}
    assert set(held) == {ours.profile.profile_id, 9_000_001}
    assert (held[9_000_001].source, held[9_000_001].set_by) == ("EMS", "station:EMS")
    assert held[ours.profile.profile_id].set_by == "operator:story"
    gone = [h for h in await held_by(network, station, is_present=False) if h.status == "cleared"]
    assert [h.profile.profile_id for h in gone] == [lost.profile.profile_id]


async def test_a_station_without_profiles_says_so(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await gives(network, station, night())
    station.answers["GetChargingProfiles"] = {"status": "NoProfiles"}
    await service.ask_for_profiles(
        network.pool,
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        requested_by="operator:story",
    )
    assert await held_by(network, station) == []


async def test_limits_that_others_set_are_kept_until_they_are_gone(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    limit = {"chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}, "evseId": 1}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}
    assert await station.says("NotifyChargingLimit", {**limit, "chargingSchedule": [schedule]}) == {}
    await station.says("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "SO"}})

    async def limits() -> list[Any]:
        async with network.pool.acquire() as conn:
            return await queries.list_limits(conn, network.party_id, station.station_id)

    grid, local = await limits()
    assert (grid.evse_number, grid.source, grid.is_grid_critical) == (0, "SO", None)
    assert (local.evse_number, local.source, local.is_grid_critical) == (1, "EMS", True)
    assert local.schedules[0].periods[0].limit == 10
    assert await station.says("ClearedChargingLimit", {"chargingLimitSource": "EMS", "evseId": 1}) == {}
    assert [one.source for one in await limits()] == ["SO"]


# ------------------------------------------------------------------------------------------ OCPP 2.1


async def test_a_dynamic_profile_is_renewed_at_once_and_when_the_station_asks(network: Network) -> None:
    station = await silent_station(network, "2.1")
    schedule = Schedule(rate_unit="W", periods=(Period(start_s=0, limit=Decimal(7000)),))
    dynamic = ChargingProfile(
        profile_id=0, purpose="session_default", timing="dynamic", schedules=(schedule,), update_interval_s=60
    )
    held, _ = await gives(network, station, dynamic)
    number = held.profile.profile_id
    pulled = await station.says("PullDynamicScheduleUpdate", {"chargingProfileId": number})
    assert pulled == {"status": "Accepted", "scheduleUpdate": {"limit": 7000}}
    command = await service.update_dynamic(
        network.pool,
        network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        profile_id=number,
        limits=Limits(limit=Decimal("4500.5")),
        requested_by="operator:story",
    )
    assert command.status == "accepted"
    heard = await station.hears("UpdateDynamicSchedule")
    assert heard == {"chargingProfileId": number, "scheduleUpdate": {"limit": 4500.5}}
    pulled = await station.says("PullDynamicScheduleUpdate", {"chargingProfileId": number})
    assert pulled["scheduleUpdate"] == {"limit": 4500.5}
    unknown = await station.says("PullDynamicScheduleUpdate", {"chargingProfileId": 1_999_999_999})
    assert unknown["status"] == "Rejected"


async def test_priority_is_ordered_and_recorded(network: Network) -> None:
    station = await silent_station(network, "2.1")
    order = UsePriorityCharging(transaction_id="tx-1", is_active=True)
    assert (await network.orders(station, order)).status == "accepted"
    assert await station.hears("UsePriorityCharging") == {"transactionId": "tx-1", "activate": True}
    await station.says("NotifyPriorityCharging", {"transactionId": "tx-1", "activated": True})
    await station.says("NotifyPriorityCharging", {"transactionId": "tx-1", "activated": False})
    [kept] = await network.rows("select * from priority_charging where station_id = $1", station.station_id)
    assert (kept.transaction_id, kept.is_active) == ("tx-1", False)


async def test_what_came_with_2_1_is_not_sent_to_others(network: Network) -> None:
    for version in ("1.6", "2.0.1"):
        station = await silent_station(network, version, f"ST-{version}")
        command = await network.orders(station, UsePriorityCharging(transaction_id="1", is_active=True))
        assert (command.status, command.error_code in ("refused", "schema")) == ("failed", True)
        assert station.wire.heard == []


# ------------------------------------------------------------------------------------------ what cars need


async def charging_station(network: Network, version: str) -> Station:
    station = await network.station(version, hours_ago=0)
    await network.token("TAG1")
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    return station


def ac_needs(hours: float = 8, wh: int = 20_000) -> Payload:
    departs = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    parameters = {"energyAmount": wh, "evMinCurrent": 6, "evMaxCurrent": 32, "evMaxVoltage": 400}
    return {
        "evseId": 1,
        "maxScheduleTuples": 4,
        "chargingNeeds": {
            "requestedEnergyTransfer": "AC_three_phase",
            "departureTime": departs,
            "acChargingParameters": parameters,
        },
    }


async def needs_of(network: Network, station: Station) -> Any:
    async with network.pool.acquire() as conn:
        return (await queries.list_needs(conn, network.party_id, station.station_id))[0]


async def are(network: Network, station: Station, status: str) -> Any:
    async def look() -> bool:
        return bool((await needs_of(network, station)).status == status)

    await network.until(look, f"the needs are {status}")
    return await needs_of(network, station)


def plans_heard(station: Station) -> list[Payload]:
    return [payload for _, action, payload in station.wire.heard if action == "SetChargingProfile"]


async def test_a_car_gets_a_plan_for_its_transaction_once(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    assert await station.says("NotifyEVChargingNeeds", ac_needs()) == {"status": "Accepted"}
    kept = await are(network, station, "planned")
    [heard] = plans_heard(station)
    profile = heard["chargingProfile"]
    assert (heard["evseId"], profile["chargingProfilePurpose"]) == (1, "TxProfile")
    assert profile["transactionId"] == station.transactions[1].id
    [schedule] = profile["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "A"
    first, last = schedule["chargingSchedulePeriod"]
    # 20 kWh in nine tenths of eight hours on three phases at 230 V: 4.03 A, and the car wants at least 6.
    assert (first["startPeriod"], first["limit"]) == (0, 6)
    # The outlet has 22 kW: 31.8 A.
    assert last["limit"] == 31.8
    assert kept.profile_id == profile["id"]
    assert kept.transaction_id == station.transactions[1].id


async def test_a_hasty_car_gets_everything(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs(hours=0.5))
    await are(network, station, "planned")
    [schedule] = plans_heard(station)[0]["chargingProfile"]["chargingSchedule"]
    assert [p["limit"] for p in schedule["chargingSchedulePeriod"]] == [31.8]


async def test_a_car_that_asks_anew_gets_its_profile_renewed(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    first = await are(network, station, "planned")
    await station.says("NotifyEVChargingNeeds", ac_needs(hours=1))

    async def again() -> bool:
        return len(plans_heard(station)) == 2

    await network.until(again, "the plan is renewed")
    second = await are(network, station, "planned")
    assert second.needs_id != first.needs_id
    assert second.profile_id == first.profile_id
    assert len(await held_by(network, station)) == 1


async def test_a_transaction_that_is_told_of_later_is_waited_for(network: Network, version2: str) -> None:
    station = await network.station(version2, hours_ago=0)
    await network.token("TAG1")
    await station.says("NotifyEVChargingNeeds", ac_needs())
    await station.plugs_in()
    await station.presents("TAG1")
    await are(network, station, "planned")


async def test_a_station_that_refuses_the_plan_is_believed(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    refusal = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    station.answers["SetChargingProfile"] = refusal
    await station.says("NotifyEVChargingNeeds", ac_needs())
    kept = await are(network, station, "refused")
    assert "TxNotFound" in kept.detail


async def test_direct_current_and_the_cars_own_schedule(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    await network.pool.execute(
        "update evse set current_type = 'DC', max_power_w = 50000 where station_id = $1", station.station_id
    )
    parameters = {"evMaxCurrent": 200, "evMaxVoltage": 400, "stateOfCharge": 20, "evEnergyCapacity": 60_000}
    needs = {"requestedEnergyTransfer": "DC", "dcChargingParameters": parameters}
    await station.says("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
    kept = await are(network, station, "planned")
    assert kept.needs.energy_wh == 48_000
    [schedule] = plans_heard(station)[0]["chargingProfile"]["chargingSchedule"]
    assert (schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"][0]["limit"]) == ("W", 50_000)
    chosen = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 40_000}]}
    payload = {"timeBase": BEGIN.isoformat(), "evseId": 1, "chargingSchedule": chosen}
    assert await station.says("NotifyEVChargingSchedule", payload) == {"status": "Accepted"}
    kept = await needs_of(network, station)
    assert kept.ev_schedule.periods[0].limit == 40_000
    assert kept.ev_schedule_at == BEGIN


async def test_a_car_that_could_also_give_back_is_charged(network: Network) -> None:
    station = await charging_station(network, "2.1")
    await network.pool.execute("update evse set current_type = 'DC' where station_id = $1", station.station_id)
    await network.pool.execute("update token set may_discharge = true where party_id = $1", network.party_id)
    v2x = {"minChargePower": 1000, "maxChargePower": 11_000, "maxDischargePower": 9000, "evTargetEnergyRequest": 5000}
    needs = {"requestedEnergyTransfer": "DC_BPT", "controlMode": "DynamicControl", "v2xChargingParameters": v2x}
    await station.says("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
    kept = await are(network, station, "planned")
    assert kept.needs.is_bidirectional
    [schedule] = plans_heard(station)[0]["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"][0]["limit"] == 11_000


# ------------------------------------------------------------------------------------------ heard of again


async def test_old_answers_that_are_heard_of_again_change_nothing(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    held, given = await gives(network, station, night())
    number = held.profile.profile_id
    cleared = await clears(network, station, profile_id=number)
    assert await held_by(network, station) == []
    async with network.pool.acquire() as conn, conn.transaction():
        await service.learn(conn, [stations.answered(given)])
    assert await held_by(network, station) == []
    await gives(network, station, night(profile_id=number))
    async with network.pool.acquire() as conn, conn.transaction():
        await service.learn(conn, [stations.answered(cleared)])
    assert [h.profile.profile_id for h in await held_by(network, station)] == [number]
