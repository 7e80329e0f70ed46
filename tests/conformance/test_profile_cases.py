"""Certification cases of charging profiles in OCPP 1.6 and in remote starts, as plain commands: on the wire and on the row."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.stations import orders as o
from tests.conformance.judged import Charge, asked
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload

NOW = datetime.now(UTC).replace(microsecond=0)


def profile(purpose: Any, timing: Any = "absolute", **fields: Any) -> o.ChargingProfile:
    periods = (o.Period(start_s=0, limit=Decimal(16)), o.Period(start_s=3600, limit=Decimal(8)))
    starts_at = None if timing == "relative" else NOW
    schedule = o.Schedule(rate_unit="A", periods=periods, starts_at=starts_at, duration_s=86_400)
    return o.ChargingProfile(
        profile_id=7, stack_level=1, purpose=purpose, timing=timing, schedules=(schedule,), **fields
    )


RELATIVE = {
    "id": 7,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [
        {
            "id": 1,
            "chargingRateUnit": "A",
            "duration": 86_400,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}, {"startPeriod": 3600, "limit": 8}],
        }
    ],
}


async def test_tc_k_37_a_remote_start_carries_a_profile(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await silent_station(network, version2)
    order = o.RemoteStart(token_uid="TAG1", evse_number=1, profile=profile("session", "relative"))
    command = await network.orders(station, order)
    [(action, payload)] = asked(station)
    assert (action, payload["chargingProfile"]) == ("RequestStartTransaction", RELATIVE)
    assert command.status == "accepted"
    charge = Charge(station)
    number = {"remoteStartId": payload["remoteStartId"]}
    await charge.tells("Started", "RemoteStart", uid="TAG1", info=number, wh=1_000)
    assert (await network.session_of(station)).remote_start_id == payload["remoteStartId"]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        pytest.param(
            o.SetProfile(evse_number=1, profile=profile("session_default")),
            ("SetChargingProfile", "TxDefaultProfile", None),
            id="tc_056",
        ),
        pytest.param(
            o.SetProfile(evse_number=1, profile=profile("session", "relative", transaction_id="77")),
            ("SetChargingProfile", "TxProfile", 77),
            id="tc_057",
        ),
        pytest.param(
            o.RemoteStart(token_uid="TAG1", evse_number=1, profile=profile("session", "relative")),
            ("RemoteStartTransaction", "TxProfile", None),
            id="tc_059",
        ),
    ],
)
async def test_tc_056_and_057_and_059_a_1_6_station_is_given_profiles(
    network: Network, order: Any, wanted: tuple[str, str, int | None]
) -> None:
    station = await silent_station(network, "1.6")
    command = await network.orders(station, order)
    [(action, payload)] = asked(station)
    given = payload["csChargingProfiles" if action == "SetChargingProfile" else "chargingProfile"]
    assert (action, given["chargingProfilePurpose"], given.get("transactionId")) == wanted
    assert (given["chargingProfileId"], given["stackLevel"]) == (7, 1)
    periods = given["chargingSchedule"]["chargingSchedulePeriod"]
    assert periods == [{"startPeriod": 0, "limit": 16}, {"startPeriod": 3600, "limit": 8}]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


async def test_tc_066_a_1_6_station_is_asked_for_the_limits_of_the_next_hours(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["GetCompositeSchedule"] = {"status": "Accepted", "connectorId": 1}
    command = await network.orders(station, o.CompositeSchedule(evse_number=1, duration_s=300, rate_unit="A"))
    wanted = {"connectorId": 1, "duration": 300, "chargingRateUnit": "A"}
    assert asked(station) == [("GetCompositeSchedule", wanted)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted", "connectorId": 1})


@pytest.mark.parametrize(("given", "wanted"), [({"profile_id": 7}, {"id": 7}), ({}, {})])
async def test_tc_067_profiles_of_a_1_6_station_are_cleared(
    network: Network, given: dict[str, Any], wanted: Payload
) -> None:
    station = await silent_station(network, "1.6")
    command = await network.orders(station, o.ClearProfiles(**given))
    assert asked(station) == [("ClearChargingProfile", wanted)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
