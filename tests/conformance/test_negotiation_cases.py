"""Cases of group K in which car and CSMS negotiate (K15–K20): on the wire and kept."""

import asyncio
from decimal import Decimal

from ohmstead.core import clock
from ohmstead.smartcharging import negotiation, service, store
from ohmstead.stations import orders as o
from tests.conformance.power import charging_car, chosen, for_session, needs, needs_kept, period, sends, sent, told
from tests.stories.network import Network
from tests.stories.test_profiles import ac_needs, charging_station, held_by


async def test_tc_k_55_a_car_that_chooses_too_much_is_told_and_asked_again(network: Network, version2: str) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    _, first = await sends(network, station, 1)
    # The plan allows 6 A on three phases: 4140 W.
    answer = await station.says("NotifyEVChargingSchedule", chosen(11_000))
    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["additionalInfo"] == "11000 W from second 0 on, where 4140 W are allowed"
    _, again = await sends(network, station, 2)
    assert again["chargingProfile"]["id"] == first["chargingProfile"]["id"]
    assert await station.says("NotifyEVChargingSchedule", chosen(4140)) == {"status": "Accepted"}
    kept = await needs_kept(network, station)
    assert (kept.n_rejected, kept.ev_schedule.periods[0].limit, len(await held_by(network, station))) == (1, 4140, 1)
    for n in range(2, negotiation.MOST_REJECTED + 1):
        await station.says("NotifyEVChargingSchedule", chosen(11_000))
        await sends(network, station, n + 1)
    assert (await station.says("NotifyEVChargingSchedule", chosen(11_000)))["status"] == "Rejected"
    kept = await needs_kept(network, station)
    assert (kept.status, kept.n_rejected) == ("planned", negotiation.MOST_REJECTED + 1)


async def test_an_answer_to_the_plan_before_says_nothing_of_the_plan_that_is_on_its_way(
    network: Network, version2: str
) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    await sends(network, station, 1)
    before = await network.pool.fetchval(
        "select payload from outbox where kind = 'CommandAnswered' and payload ->> 'station_id' = $1"
        " and payload ->> 'kind' = 'set_profile'",
        station.station_id,
    )
    asked = (await needs_kept(network, station)).needs_id
    async with network.pool.acquire() as renewing, network.pool.acquire() as late:
        async with renewing.transaction():
            (held,) = await store.list_held(renewing, station.station_id)
            await store.save_plan(renewing, asked, "received")
            await store.save_profiles(
                renewing, station.station_id, 1, [held.profile], status="sent", set_by=held.set_by
            )
            # One that hears of the answer while the plan is renewed waits for that, and must not judge by what was before.
            hearing = asyncio.create_task(service.learn(late, [before]))

            async def is_waiting() -> bool:
                # Behind the plan itself, or behind the job that sent the order and hears of its answer, too.
                return bool(
                    await network.pool.fetchval("select cardinality(pg_blocking_pids($1)) > 0", late.get_server_pid())
                )

            await network.until(is_waiting, "the answer waits for the plan that is renewed")
        await hearing
        await service.learn(late, [before])
    assert (await needs_kept(network, station)).status == "received"
    # What it holds is renewed: until the station answered, the car is judged by what was sent.
    answer = await station.says("NotifyEVChargingSchedule", chosen(11_000))
    assert answer["statusInfo"]["additionalInfo"] == "11000 W from second 0 on, where 4140 W are allowed"
    await sends(network, station, 2)


async def test_two_that_hear_of_answers_about_one_car_do_not_wait_for_each_other(
    network: Network, version2: str
) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    await sends(network, station, 1)
    before = await network.pool.fetchval(
        "select payload from outbox where kind = 'CommandAnswered' and payload ->> 'station_id' = $1"
        " and payload ->> 'kind' = 'set_profile'",
        station.station_id,
    )
    async with network.pool.acquire() as reader, network.pool.acquire() as other:
        (held,) = await store.list_held(reader, station.station_id)
        await store.save_profiles(reader, station.station_id, 1, [held.profile], status="sent", set_by=held.set_by)
        later = before | {"requested_at": clock.now().isoformat()}
        async with reader.transaction():
            # The reader of the outbox, of several answers in a piece: the car's plan is in its hands.
            await service.learn(reader, [before])

            async def hears() -> None:
                async with other.transaction():
                    await service.learn(other, [later])

            hearing = asyncio.create_task(hears())

            async def is_waiting() -> bool:
                found = await network.pool.fetchval("select pg_blocking_pids($1)", other.get_server_pid())
                return reader.get_server_pid() in found

            await network.until(is_waiting, "the other waits")
            await service.learn(reader, [later])
        await hearing
    assert (await needs_kept(network, station)).status == "planned"
    assert [one.status for one in await held_by(network, station)] == ["held"]


async def test_tc_k_59_what_we_renegotiated_stands_when_the_car_tells_its_needs_anew(
    network: Network, version2: str
) -> None:
    station = await charging_station(network, version2)
    await station.says("NotifyEVChargingNeeds", ac_needs())
    _, first = await sends(network, station, 1)
    number = first["chargingProfile"]["id"]
    await told(network, station, for_session(station, period(limit=10), unit="A", profile_id=number))
    assert await station.says("NotifyEVChargingNeeds", ac_needs()) == {"status": "Accepted"}
    _, answer = await sends(network, station, 3)
    [schedule] = answer["chargingProfile"]["chargingSchedule"]
    assert (answer["chargingProfile"]["id"], schedule["chargingSchedulePeriod"]) == (
        number,
        [{"startPeriod": 0, "limit": 10}],
    )
    assert await station.says("NotifyEVChargingSchedule", chosen(6900)) == {"status": "Accepted"}
    [held] = await held_by(network, station)
    assert (held.set_by, (await needs_kept(network, station)).profile_id) == ("operator:story", number)


async def test_tc_k_113_a_car_of_15118_20_chooses_out_of_the_schedules_that_we_renegotiated(network: Network) -> None:
    station = await charging_car(network)
    assert await station.says("NotifyEVChargingNeeds", needs(controlMode="ScheduledControl")) == {"status": "Accepted"}
    _, first = await sends(network, station, 1)
    assert first["chargingProfile"]["chargingProfileKind"] == "Absolute"
    profile = for_session(station, period(limit=4000), profile_id=first["chargingProfile"]["id"])
    fast = o.Schedule(
        rate_unit="W",
        periods=(period(limit=8000),),
        starts_at=profile.schedules[0].starts_at,
        schedule_id=2,
        power_tolerance_w=Decimal(500),
    )
    both = o.ChargingProfile(
        profile_id=profile.profile_id,
        purpose="session",
        timing="absolute",
        transaction_id=profile.transaction_id,
        schedules=(*profile.schedules, fast),
    )
    _, heard = await told(network, station, both)
    assert [one["id"] for one in heard["chargingSchedule"]] == [1, 2]
    assert (await station.says("NotifyEVChargingSchedule", chosen(8000)))["status"] == "Rejected"
    selected = chosen(8400, selectedChargingScheduleId=2, powerToleranceAcceptance=True)
    assert await station.says("NotifyEVChargingSchedule", selected) == {"status": "Accepted"}
    kept = await needs_kept(network, station)
    assert (kept.selected_schedule_id, kept.is_tolerance_accepted, kept.n_rejected) == (2, True, 1)


async def test_tc_k_114_a_car_that_renegotiates_gives_back_no_more_than_it_says(network: Network) -> None:
    station = await charging_car(network, may_discharge=True)
    await station.says("NotifyEVChargingNeeds", needs("AC_BPT"))
    _, first = await sends(network, station, 1)
    number = first["chargingProfile"]["id"]
    periods = (
        period(setpoint=9000, limit=11_000, operation="central_setpoint"),
        period(1800, setpoint=-8000, discharge_limit=-9000, operation="central_setpoint"),
    )
    await told(network, station, for_session(station, *periods, profile_id=number))
    assert await station.says("NotifyEVChargingNeeds", needs("AC_BPT", hours=2)) == {"status": "Accepted"}
    _, answer = await sends(network, station, 3)
    assert (answer["chargingProfile"]["id"], answer["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]) == (
        number,
        [
            {"startPeriod": 0, "limit": 11_000, "setpoint": 9000, "operationMode": "CentralSetpoint"},
            {"startPeriod": 1800, "dischargeLimit": -5000, "setpoint": -5000, "operationMode": "CentralSetpoint"},
        ],
    )  # fmt: skip
    [held] = await held_by(network, station)
    assert [p.setpoint for p in held.profile.schedules[0].periods] == [9000, -5000]


async def test_tc_k_115_and_117_a_car_under_dynamic_control_gets_a_value_and_later_another(network: Network) -> None:
    station = await charging_car(network)
    assert await station.says("NotifyEVChargingNeeds", needs(controlMode="DynamicControl")) == {"status": "Accepted"}
    action, first = await sends(network, station, 1)
    profile = first["chargingProfile"]
    assert (action, profile["chargingProfilePurpose"], profile["chargingProfileKind"]) == (
        "SetChargingProfile",
        "TxProfile",
        "Dynamic",
    )
    assert profile["transactionId"] == station.transactions[1].id
    [schedule] = profile["chargingSchedule"]
    assert schedule == {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
    await station.says("NotifyEVChargingNeeds", needs(hours=0.5, controlMode="DynamicControl"))
    action, update = await sends(network, station, 2)
    assert (action, update) == (
        "UpdateDynamicSchedule",
        {"chargingProfileId": profile["id"], "scheduleUpdate": {"limit": 31.8}},
    )
    [held] = await held_by(network, station)
    assert (held.profile.timing, held.profile.schedules[0].periods[0].limit) == ("dynamic", Decimal("31.8"))
    assert held.profile.updated_at is not None


async def test_tc_k_126_a_car_under_dynamic_control_that_wants_nothing_planned_is_left_to_itself(
    network: Network,
) -> None:
    station = await charging_car(network)
    wishless = needs(hours=None, wh=None, controlMode="DynamicControl")
    assert await station.says("NotifyEVChargingNeeds", wishless) == {"status": "NoChargingProfile"}
    kept = await needs_kept(network, station)
    assert (kept.status, kept.needs.control, kept.profile_id, sent(station)) == ("free", "dynamic", None, [])
