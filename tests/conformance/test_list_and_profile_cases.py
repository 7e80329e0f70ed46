"""Certification cases of groups D (local list) and K (charging profiles), as plain commands: on the wire and on the row.

What the rooms that keep lists and profiles do by themselves has its tests there.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.stations import orders as o
from tests.conformance.judged import Charge, asked
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, instant

NOW = datetime.now(UTC).replace(microsecond=0)


# ------------------------------------------------------------------------------------------------------ local list


def listed(uid: str, status: str | None = "Accepted") -> Payload:
    info = {} if status is None else {"idTokenInfo": {"status": status}}
    return {"idToken": {"idToken": uid, "type": "ISO14443"}, **info}


@pytest.mark.parametrize(
    ("update", "entries", "wanted"),
    [
        pytest.param(
            "full",
            (o.ListedToken(uid="TAG1"), o.ListedToken(uid="TAG2", status="blocked")),
            [listed("TAG1"), listed("TAG2", "Blocked")],
            id="tc_d_01",
        ),
        pytest.param("differential", (o.ListedToken(uid="TAG3"),), [listed("TAG3")], id="tc_d_02"),
        pytest.param("differential", (o.ListedToken(uid="TAG1", status=None),), [listed("TAG1", None)], id="tc_d_03"),
        pytest.param("full", (), None, id="tc_d_04"),
    ],
)
async def test_tc_d_01_to_04_a_list_is_sent_whole_or_its_changes(
    network: Network, version2: str, update: Any, entries: Any, wanted: list[Payload] | None
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, o.SendLocalList(version=7, update=update, entries=entries))
    told: Payload = {"versionNumber": 7, "updateType": update.capitalize()}
    if wanted is not None:
        told["localAuthorizationList"] = wanted
    assert asked(station) == [("SendLocalList", told)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    station.answers["SendLocalList"] = {"status": "VersionMismatch"}
    refused = await network.orders(station, o.SendLocalList(version=7, update=update, entries=entries))
    assert (refused.status, refused.error_text) == ("rejected", "VersionMismatch")


@pytest.mark.parametrize("version", [pytest.param(7, id="tc_d_08"), pytest.param(0, id="tc_d_09")])
async def test_tc_d_08_and_09_the_lists_version_is_asked_for(network: Network, version2: str, version: int) -> None:
    station = await silent_station(network, version2)
    station.answers["GetLocalListVersion"] = {"versionNumber": version}
    command = await network.orders(station, o.GetLocalListVersion())
    assert asked(station) == [("GetLocalListVersion", {})]
    assert (command.status, command.answer) == ("accepted", {"versionNumber": version})


# -------------------------------------------------------------------------------------------------------- profiles


def profile(purpose: Any, timing: Any = "absolute", **fields: Any) -> o.ChargingProfile:
    periods = (o.Period(start_s=0, limit=Decimal(16)), o.Period(start_s=3600, limit=Decimal(8)))
    starts_at = None if timing == "relative" else NOW
    schedule = o.Schedule(rate_unit="A", periods=periods, starts_at=starts_at, duration_s=86_400)
    return o.ChargingProfile(
        profile_id=7, stack_level=1, purpose=purpose, timing=timing, schedules=(schedule,), **fields
    )


def on_the_wire(purpose: str, kind: str = "Absolute", **fields: Any) -> Payload:
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "duration": 86_400,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}, {"startPeriod": 3600, "limit": 8}],
    }
    if kind != "Relative":
        schedule["startSchedule"] = instant(NOW)
    return {
        "id": 7,
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
        **fields,
    }


@pytest.mark.parametrize(
    ("evse_number", "given", "wanted"),
    [
        pytest.param(1, profile("session_default"), on_the_wire("TxDefaultProfile"), id="tc_k_01"),
        pytest.param(0, profile("station_max"), on_the_wire("ChargingStationMaxProfile"), id="tc_k_03"),
        pytest.param(0, profile("session_default"), on_the_wire("TxDefaultProfile"), id="tc_k_10"),
        pytest.param(
            1,
            profile("session_default", "recurring", recurs="daily", valid_until=NOW + timedelta(days=1)),
            on_the_wire(
                "TxDefaultProfile", "Recurring", recurrencyKind="Daily", validTo=instant(NOW + timedelta(days=1))
            ),
            id="tc_k_19",
        ),
    ],
)
async def test_tc_k_01_and_03_and_10_and_19_and_04_a_profile_is_set_and_replaced(
    network: Network, version2: str, evse_number: int, given: o.ChargingProfile, wanted: Payload
) -> None:
    station = await silent_station(network, version2)
    for _ in range(2):
        command = await network.orders(station, o.SetProfile(evse_number=evse_number, profile=given))
        assert asked(station)[-1] == ("SetChargingProfile", {"evseId": evse_number, "chargingProfile": wanted})
        assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


async def test_tc_k_60_a_session_has_a_profile_of_its_own(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await silent_station(network, version2)
    await Charge(station).tells("Started", "Authorized", uid="TAG1", wh=1_000)
    given = profile("session", "relative", transaction_id="tx-1")
    command = await network.orders(station, o.SetProfile(evse_number=1, profile=given))
    wanted = on_the_wire("TxProfile", "Relative", transactionId="tx-1")
    assert asked(station) == [("SetChargingProfile", {"evseId": 1, "chargingProfile": wanted})]
    assert command.status == "accepted"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        pytest.param(profile("session", "relative", transaction_id="tx-9"), "Rejected", id="tc_k_02"),
        pytest.param(profile("session_default"), "Rejected", id="tc_k_15"),
    ],
)
async def test_tc_k_02_and_15_a_profile_that_is_refused_is_told(
    network: Network, version2: str, given: o.ChargingProfile, word: str
) -> None:
    station = await silent_station(network, version2)
    refusal = {"status": word, "statusInfo": {"reasonCode": "TxNotFound"}}
    station.answers["SetChargingProfile"] = refusal
    command = await network.orders(station, o.SetProfile(evse_number=1, profile=given))
    assert [action for action, _ in asked(station)] == ["SetChargingProfile"]
    assert (command.status, command.error_text, command.answer) == ("rejected", "Rejected (TxNotFound)", refusal)


@pytest.mark.parametrize(
    ("given", "wanted", "word"),
    [
        pytest.param({"profile_id": 7}, {"chargingProfileId": 7}, "Accepted", id="tc_k_05"),
        pytest.param(
            {"purpose": "session_default", "stack_level": 1},
            {"chargingProfileCriteria": {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}},
            "Accepted",
            id="tc_k_06",
        ),
        pytest.param({"profile_id": 8}, {"chargingProfileId": 8}, "Unknown", id="tc_k_08"),
    ],
)
async def test_tc_k_05_and_06_and_08_profiles_are_cleared_or_were_not_there(
    network: Network, version2: str, given: dict[str, Any], wanted: Payload, word: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["ClearChargingProfile"] = {"status": word}
    command = await network.orders(station, o.ClearProfiles(**given))
    assert asked(station) == [("ClearChargingProfile", wanted)]
    assert command.answer == {"status": word}
    assert command.error_text == (None if word == "Accepted" else word)


@pytest.mark.parametrize(
    ("given", "evse", "criterion"),
    [
        pytest.param({"evse_number": 0}, 0, {}, id="tc_k_29"),
        pytest.param({"evse_number": 1}, 1, {}, id="tc_k_30"),
        pytest.param({}, None, {}, id="tc_k_31"),
        pytest.param({"profile_ids": (7,)}, None, {"chargingProfileId": [7]}, id="tc_k_32"),
        pytest.param({"evse_number": 1, "stack_level": 1}, 1, {"stackLevel": 1}, id="tc_k_33"),
        pytest.param({"evse_number": 1, "sources": ("CSO",)}, 1, {"chargingLimitSource": ["CSO"]}, id="tc_k_34"),
        pytest.param(
            {"evse_number": 1, "purpose": "session_default"},
            1,
            {"chargingProfilePurpose": "TxDefaultProfile"},
            id="tc_k_35",
        ),
        pytest.param(
            {"evse_number": 1, "purpose": "session_default", "stack_level": 1},
            1,
            {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1},
            id="tc_k_36",
        ),
    ],
)
async def test_tc_k_29_to_36_profiles_are_asked_for_and_the_report_is_taken(
    network: Network, version2: str, given: dict[str, Any], evse: int | None, criterion: Payload
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, o.GetProfiles(**given))
    number = command.parameters["request_id"]
    wanted: Payload = {"requestId": number, "chargingProfile": criterion}
    if evse is not None:
        wanted["evseId"] = evse
    assert asked(station) == [("GetChargingProfiles", wanted)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    told = {
        "requestId": number,
        "chargingLimitSource": "CSO",
        "evseId": evse or 0,
        "chargingProfile": [on_the_wire("TxDefaultProfile")],
    }
    assert await station.says("ReportChargingProfiles", told) == {}


@pytest.mark.parametrize("evse_number", [pytest.param(1, id="tc_k_43"), pytest.param(0, id="tc_k_44")])
async def test_tc_k_43_and_44_the_limits_of_the_next_hours_are_asked_for(
    network: Network, version2: str, evse_number: int
) -> None:
    station = await silent_station(network, version2)
    schedule = {
        "evseId": evse_number,
        "duration": 300,
        "scheduleStart": instant(NOW),
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11_000}],
    }
    station.answers["GetCompositeSchedule"] = {"status": "Accepted", "schedule": schedule}
    order = o.CompositeSchedule(evse_number=evse_number, duration_s=300, rate_unit="W")
    command = await network.orders(station, order)
    wanted = {"duration": 300, "evseId": evse_number, "chargingRateUnit": "W"}
    assert asked(station) == [("GetCompositeSchedule", wanted)]
    assert command.status == "accepted"
    assert command.answer["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 11_000}]


async def test_tc_k_37_a_remote_start_carries_a_profile(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await silent_station(network, version2)
    order = o.RemoteStart(token_uid="TAG1", evse_number=1, profile=profile("session", "relative"))
    command = await network.orders(station, order)
    [(action, payload)] = asked(station)
    assert (action, payload["chargingProfile"]) == ("RequestStartTransaction", on_the_wire("TxProfile", "Relative"))
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
