"""Cases of group Q: energy both ways, by our schedule, our setpoint, somebody else's, or the grid's frequency: on the wire
and kept."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.smartcharging import queries
from ohmstead.stations import orders as o
from ohmstead.stations.orders.charging import PowerPoint
from tests.conformance.judged import asked
from tests.conformance.power import (
    changes_mode,
    charging_car,
    for_session,
    needs,
    needs_kept,
    period,
    sends,
    sent,
    told,
    updates,
)
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant
from tests.stories.test_profiles import held_by, reported


def said_to(station: Station, action: str) -> list[Payload]:
    """Our answers to what the station said under this name."""
    ids = [message_id for message_id, name, _ in station.wire.said if name == action]
    return [frame[2] for is_ours, frame in station.wire.trace if not is_ours and frame[0] == 3 and frame[1] in ids]


async def test_tc_q_102_who_may_give_energy_back_is_told_so_and_its_car_is_accepted(network: Network) -> None:
    station = await charging_car(network, may_discharge=True)
    [answer] = said_to(station, "Authorize")
    assert {"AC_three_phase", "DC", "AC_BPT", "DC_BPT"} <= set(answer["allowedEnergyTransfer"])
    assert await station.says("NotifyEVChargingNeeds", needs("AC_BPT")) == {"status": "Accepted"}
    _, heard = await sends(network, station, 1)
    # Nobody asked for energy yet: the plan charges, and says that nothing flows back.
    [schedule] = heard["chargingProfile"]["chargingSchedule"]
    assert {p["operationMode"] for p in schedule["chargingSchedulePeriod"]} == {"ChargingOnly"}
    kept = await needs_kept(network, station)
    assert (kept.needs.way, kept.needs.max_discharge_w, kept.status) == ("ac_bidirectional", 5000, "planned")


async def test_tc_q_103_a_car_whose_driver_may_not_give_energy_back_is_refused(network: Network) -> None:
    station = await charging_car(network)
    [answer] = said_to(station, "Authorize")
    assert "allowedEnergyTransfer" not in answer
    answer = await station.says("NotifyEVChargingNeeds", needs("AC_BPT"))
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "NotAllowed")
    kept = await needs_kept(network, station)
    assert (kept.status, kept.detail, sent(station)) == ("refused", "the token may not give energy back", [])


async def test_tc_q_107_a_session_charges_only_until_we_allow_more(network: Network) -> None:
    station = await charging_car(network)
    assert await station.says("NotifyEVChargingNeeds", needs()) == {"status": "Accepted"}
    await sends(network, station, 1)
    transaction_id = str(station.transactions[1].id)
    order = o.AllowEnergyTransfer(transaction_id=transaction_id, ways=("ac_three_phase", "ac_bidirectional"))
    station.answers["NotifyAllowedEnergyTransfer"] = {"status": "Rejected"}
    assert (await network.orders(station, order)).status == "rejected"
    assert (await station.says("NotifyEVChargingNeeds", needs("AC_BPT")))["status"] == "Rejected"
    station.answers["NotifyAllowedEnergyTransfer"] = {"status": "Accepted"}
    assert (await network.orders(station, order)).status == "accepted"
    ways = {"transactionId": transaction_id, "allowedEnergyTransfer": ["AC_three_phase", "AC_BPT"]}
    assert asked(station)[-1] == ("NotifyAllowedEnergyTransfer", ways)
    assert await station.says("NotifyEVChargingNeeds", needs("AC_BPT")) == {"status": "Accepted"}
    await sends(network, station, 2)
    assert (await station.says("NotifyEVChargingNeeds", needs("DC_BPT")))["status"] == "Rejected"
    await station.unplugs()

    async def is_forgotten() -> bool:
        found = "select count(*) = 0 from allowed_transfer where station_id = $1"
        return bool(await network.pool.fetchval(found, station.station_id))

    await network.until(is_forgotten, "what the session might is over with it")


async def test_a_car_that_tells_its_needs_before_its_session_waits_for_it(network: Network) -> None:
    """Q01: who charges is not known yet, and so is not whether energy may flow back."""
    await network.token("TAG1", may_discharge=False)
    station = await network.station("2.1", hours_ago=0)
    assert await station.says("NotifyEVChargingNeeds", needs("AC_BPT")) == {"status": "Processing"}
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    _, heard = await sends(network, station, 1)
    [schedule] = heard["chargingProfile"]["chargingSchedule"]
    assert {p["operationMode"] for p in schedule["chargingSchedulePeriod"]} == {"ChargingOnly"}


async def test_tc_q_108_our_schedule_goes_both_ways(network: Network) -> None:
    station = await charging_car(network, may_discharge=True)
    periods = (
        period(setpoint=7000, limit=11_000, discharge_limit=-5000, operation="central_setpoint"),
        period(3600, setpoint=-4000, discharge_limit=-5000, operation="central_setpoint"),
        period(7200, operation="idle", is_evse_asleep=True),
    )
    held, heard = await told(network, station, for_session(station, *periods))
    assert heard["chargingSchedule"][0]["chargingSchedulePeriod"] == [
        {
            "startPeriod": 0,
            "limit": 11_000,
            "dischargeLimit": -5000,
            "setpoint": 7000,
            "operationMode": "CentralSetpoint",
        },
        {"startPeriod": 3600, "dischargeLimit": -5000, "setpoint": -4000, "operationMode": "CentralSetpoint"},
        {"startPeriod": 7200, "operationMode": "Idle", "evseSleep": True},
    ]
    report = reported(station, 7, held.profile.profile_id)
    report["chargingProfile"] = [heard]
    assert await station.says("ReportChargingProfiles", report) == {}
    [kept] = await held_by(network, station)
    assert kept.profile.schedules[0].periods == periods
    assert await changes_mode(network, station, "CentralSetpoint") == ["central_setpoint"]


async def test_tc_q_109_and_110_our_setpoint_is_pushed_and_pulled(network: Network) -> None:
    station = await charging_car(network, may_discharge=True)
    now = period(setpoint=5000, limit=11_000, discharge_limit=-5000, operation="central_setpoint")
    held, heard = await told(network, station, for_session(station, now, timing="dynamic", update_interval_s=30))
    assert (heard["chargingProfileKind"], heard["dynUpdateInterval"]) == ("Dynamic", 30)
    number = held.profile.profile_id
    command = await updates(network, station, number, o.Limits(setpoint=Decimal(-3000)))
    assert (command.status, asked(station)[-1]) == (
        "accepted",
        ("UpdateDynamicSchedule", {"chargingProfileId": number, "scheduleUpdate": {"setpoint": -3000}}),
    )

    async def is_known() -> bool:
        [one] = await held_by(network, station)
        return one.profile.schedules[0].periods[0].setpoint == -3000

    await network.until(is_known, "the new setpoint is what we say it holds")
    pulled = await station.says("PullDynamicScheduleUpdate", {"chargingProfileId": number})
    values = {"limit": 11_000, "dischargeLimit": -5000, "setpoint": -3000}
    assert pulled == {"status": "Accepted", "scheduleUpdate": values}


@pytest.mark.parametrize(
    ("mode", "operation", "ours", "theirs"),
    [
        pytest.param(
            "ExternalSetpoint",
            "external_setpoint",
            {"limit": 11_000, "discharge_limit": -5000},
            {"setpoint": -2500},
            id="tc_q_111",
        ),
        pytest.param("ExternalLimits", "external_limits", {}, {"limit": 4000, "dischargeLimit": -1000}, id="tc_q_112"),
    ],
)
async def test_tc_q_111_and_112_somebody_else_says_what_flows(
    network: Network, mode: str, operation: Any, ours: dict[str, Any], theirs: Payload
) -> None:
    station = await charging_car(network, may_discharge=True)
    held, heard = await told(network, station, for_session(station, period(operation=operation, **ours)))
    [sent_period] = heard["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert (sent_period["operationMode"], "setpoint" in sent_period) == (mode, False)
    outside = {"startPeriod": 0, "operationMode": mode, **theirs}
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [outside]}
    notice = {"evseId": 1, "chargingLimit": {"chargingLimitSource": "EMS"}, "chargingSchedule": [schedule]}
    assert await station.says("NotifyChargingLimit", notice) == {}
    async with network.pool.acquire() as conn:
        [limit] = await queries.list_limits(conn, network.party_id, station.station_id)
    [kept] = limit.schedules[0].periods
    assert (limit.source, kept.operation, kept.limit, kept.discharge_limit, kept.setpoint) == (
        "EMS",
        operation,
        theirs.get("limit"),
        theirs.get("dischargeLimit"),
        theirs.get("setpoint"),
    )
    assert await changes_mode(network, station, mode) == [operation]
    assert [h.profile.profile_id for h in await held_by(network, station)] == [held.profile.profile_id]


async def test_tc_q_117_a_car_supports_the_frequency_as_we_signal(network: Network) -> None:
    station = await charging_car(network, may_discharge=True)
    curve = (PowerPoint(at=Decimal(-100), power_w=Decimal(-4000)), PowerPoint(at=Decimal(100), power_w=Decimal(4000)))
    now = period(setpoint=1000, operation="central_frequency", baseline_w=500, power_over_signal=curve)
    held, heard = await told(network, station, for_session(station, now))
    assert heard["chargingSchedule"][0]["chargingSchedulePeriod"] == [
        {
            "startPeriod": 0,
            "setpoint": 1000,
            "operationMode": "CentralFrequency",
            "v2xBaseline": 500,
            "v2xSignalWattCurve": [{"signal": -100, "power": -4000}, {"signal": 100, "power": 4000}],
        }
    ]
    at = datetime.now(UTC).replace(microsecond=0)
    command = await network.orders(station, o.SignalFrequencyReserve(at=at, signal=-50))
    assert (command.status, asked(station)[-1]) == (
        "accepted",
        ("AFRRSignal", {"timestamp": instant(at), "signal": -50}),
    )
    [kept] = await held_by(network, station)
    assert (kept.profile.profile_id, kept.profile.schedules[0].periods) == (held.profile.profile_id, (now,))


@pytest.mark.parametrize(
    ("now", "on_the_wire"),
    [
        pytest.param(
            period(
                operation="local_frequency",
                baseline_w=1000,
                power_over_frequency=(
                    PowerPoint(at=Decimal("49.8"), power_w=Decimal(-3000)),
                    PowerPoint(at=Decimal("50.2"), power_w=Decimal(3000)),
                ),
            ),
            {
                "startPeriod": 0,
                "operationMode": "LocalFrequency",
                "v2xBaseline": 1000,
                "v2xFreqWattCurve": [{"frequency": 49.8, "power": -3000}, {"frequency": 50.2, "power": 3000}],
            },
            id="tc_q_121",
        ),
        pytest.param(
            period(operation="local_load_balancing", limit=11_000, discharge_limit=-5000),
            {
                "startPeriod": 0,
                "limit": 11_000,
                "dischargeLimit": -5000,
                "operationMode": "LocalLoadBalancing",
            },
            id="tc_q_124",
        ),
    ],
)
async def test_tc_q_121_and_124_the_station_itself_balances(
    network: Network, now: o.Period, on_the_wire: Payload
) -> None:
    station = await charging_car(network, may_discharge=True)
    held, heard = await told(network, station, for_session(station, now))
    assert heard["chargingSchedule"][0]["chargingSchedulePeriod"] == [on_the_wire]
    report = reported(station, 7, held.profile.profile_id)
    report["chargingProfile"] = [heard]
    assert await station.says("ReportChargingProfiles", report) == {}
    [kept] = await held_by(network, station)
    assert kept.profile.schedules[0].periods == (now,)
    mode = str(on_the_wire["operationMode"])
    assert await changes_mode(network, station, mode) == [str(now.operation)]
