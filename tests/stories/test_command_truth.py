"""What became of an order is told as it was: orders of several messages, late answers, starts and their sessions."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ohmstead.core import clock
from ohmstead.core.errors import Invalid
from ohmstead.sessions.starts import Begun, match
from ohmstead.stations.orders import (
    GetVariables,
    RemoteStart,
    Reserve,
    Reset,
    SetProfile,
    SetVariables,
    TokenRef,
    Unlock,
)
from ohmstead.stations.service import Starting
from tests.rules.order_examples import profile, schedule
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.wire import SILENCE


async def told(network: Network, station: Station, **values: str) -> None:
    """The station told us these variables, `Component__Variable`, or 1.6 keys."""
    for name, value in values.items():
        component, _, variable = name.rpartition("__")
        await network.pool.execute(
            "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, $4)",
            station.station_id,
            component,
            variable,
            value,
        )


async def fate(
    network: Network, command_id: UUID, is_so: Callable[[SimpleNamespace], bool] = lambda _row: True
) -> SimpleNamespace:
    async def look() -> bool:
        [row] = await network.rows("select * from command where command_id = $1", command_id)
        return is_so(row)

    await network.until(look, "the command is as expected")
    [row] = await network.rows("select * from command where command_id = $1", command_id)
    return row


def reader(payload: Payload) -> Payload:
    return {
        "getVariableResult": [
            {**one, "attributeStatus": "Accepted", "attributeValue": one["variable"]["name"]}
            for one in payload["getVariableData"]
        ]
    }


# ------------------------------------------------------------------------------------------ several messages


async def test_answers_to_an_order_of_several_messages_are_shown_together(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'DeviceDataCtrlr', 'BytesPerMessage[GetVariables]', '220')",
        station.station_id,
    )
    station.answers["GetVariables"] = reader
    command = await network.orders(station, GetVariables(names=tuple(f"Component.Variable{n}" for n in range(5))))
    assert command.status == "accepted"
    n_messages = len(station.wire.heard)
    assert n_messages > 1
    shown = [one["attributeValue"] for one in command.answer["getVariableResult"]]
    assert shown == [f"Variable{n}" for n in range(5)]


async def test_what_is_unknown_in_one_message_does_not_keep_the_next_from_being_asked(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'DeviceDataCtrlr', 'ItemsPerMessage[GetVariables]', '1')",
        station.station_id,
    )
    station.answers["GetVariables"] = lambda payload: {
        "getVariableResult": [
            {**one, "attributeStatus": "Accepted", "attributeValue": "1"}
            if one["variable"]["name"] == "B"
            else {**one, "attributeStatus": "UnknownVariable"}
            for one in payload["getVariableData"]
        ]
    }
    command = await network.orders(station, GetVariables(names=("C.A", "C.B", "C.D")))
    assert (command.status, len(station.wire.heard)) == ("accepted", 3)
    assert [one["attributeStatus"] for one in command.answer["getVariableResult"]] == [
        "UnknownVariable",
        "Accepted",
        "UnknownVariable",
    ]


async def test_of_an_order_cut_off_in_the_middle_it_is_told_how_far_it_came(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["ChangeConfiguration"] = lambda payload: (
        SILENCE if payload["key"] == "B" else {"status": "Accepted"}
    )
    order = SetVariables(values={"A": "1", "B": "2", "C": "3"})
    command = await network.orders(station, order, timeout_s=1)
    assert command.status == "timed_out"
    assert "message 2 of 3; those after it were not sent" in str(command.error_text)
    message_id = station.wire.heard[-1][0]
    await station.wire.send([3, message_id, {"status": "Accepted"}])
    row = await fate(network, command.command_id, lambda row: row.answered_at is not None)
    assert (row.status, row.error_code) == ("failed", "incomplete")
    assert "message 2 of 3" in row.error_text
    assert [payload["key"] for _, _, payload in station.wire.heard] == ["A", "B"]


async def test_a_restart_that_is_needed_is_told_even_when_later_keys_need_none(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["ChangeConfiguration"] = lambda payload: {
        "status": "RebootRequired" if payload["key"] == "A" else "Accepted"
    }
    command = await network.orders(station, SetVariables(values={"A": "1", "B": "2"}))
    assert (command.status, command.error_text) == ("accepted", "A: RebootRequired")
    kept = await network.rows(
        "select variable, value, pending_value from station_variable where station_id = $1 order by variable",
        station.station_id,
    )
    assert [(row.variable, row.value, row.pending_value) for row in kept] == [("A", None, "1"), ("B", "2", None)]


async def test_an_answer_that_leaves_out_what_was_asked_is_no_success(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [{"attributeStatus": "Accepted"} | _names(payload["setVariableData"][0])]
    }
    command = await network.orders(station, SetVariables(values={"C.A": "1", "C.B": "2"}))
    assert (command.status, command.error_text) == ("rejected", "C.B: not answered")
    assert command.answer is not None


def _names(one: Payload) -> Payload:
    return {"component": one["component"], "variable": one["variable"]}


async def test_two_answers_to_one_message_count_once(network: Network, version: str) -> None:
    station = await silent_station(network, version)

    async def twice(_payload: Payload) -> Any:
        message_id = station.wire.heard[-1][0]
        await station.wire.send([3, message_id, {"status": "Accepted"}])
        await station.wire.send([3, message_id, {"status": "Rejected"}])
        return SILENCE

    station.answers["Reset"] = twice
    command = await network.orders(station, Reset(), timeout_s=3)
    await station.says("Heartbeat", {})
    row = await fate(network, command.command_id)
    assert (command.status, row.status, row.answer) == ("accepted", "accepted", {"status": "Accepted"})


# ------------------------------------------------------------------------------------------ before anything is sent


async def test_wrong_parameters_make_no_command(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    with pytest.raises(Invalid, match=r"profile.schedules.0.periods.0.limit: is not negative"):
        await network.orders(station, SetProfile(evse_number=1, profile=profile(schedules=(schedule(-1),))))
    with pytest.raises(Invalid, match="expires_at: is over already"):
        await network.orders(station, Reserve(token=TokenRef(uid="TAG1"), expires_at=clock.now() - timedelta(hours=1)))
    assert await network.rows("select * from command where station_id = $1", station.station_id) == []


async def test_what_the_station_reported_bounds_what_it_is_sent(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    key = "ChargeProfileMaxStackLevel" if version == "1.6" else "SmartChargingCtrlr__ProfileStackLevel"
    await told(network, station, **{key: "3"})
    command = await network.orders(station, SetProfile(evse_number=1, profile=profile(stack_level=4)))
    assert (command.status, command.error_code) == ("failed", "refused")
    assert command.error_text == "profile.stack_level: this station knows levels up to 3"
    command = await network.orders(station, Unlock(evse_number=5))
    assert command.error_text == "evse_number: this station has no EVSE 5, only 1"
    assert station.wire.heard == []
    assert (await network.orders(station, SetProfile(evse_number=1, profile=profile()))).status == "accepted"


async def test_a_station_without_reservations_is_not_asked_to_reserve(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    if version == "1.6":
        await told(network, station, SupportedFeatureProfiles="Core,SmartCharging")
    else:
        await told(network, station, ReservationCtrlr__Available="false")
    order = Reserve(token=TokenRef(uid="TAG1"), expires_at=clock.now() + timedelta(hours=1), evse_number=1)
    command = await network.orders(station, order)
    assert command.error_text == "this station reported that it has no reservations"
    assert station.wire.heard == []


# ------------------------------------------------------------------------------------------ a start and its session


async def test_a_remote_start_learns_its_session(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    assert command.status == "accepted"
    done = await network.house.desk.await_session(command, 5)
    session = await network.session_of(station)
    assert done.session_id == session.session_id
    if version != "1.6":
        assert session.remote_start_id == command.parameters["remote_start_id"]


async def test_a_start_that_nobody_follows_has_no_session(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    done = await network.house.desk.await_session(command, 0.7)
    assert (done.status, done.session_id) == ("accepted", None)


def starting(**fields: Any) -> Starting:
    given = {"station_id": "ST", "token_uid": "TAG1", "evse_number": None, "remote_start_id": 5, "requested_at": NOW}
    return Starting(**{"command_id": uuid4(), **given, **fields})


def begun(**fields: Any) -> Begun:
    given = {"station_id": "ST", "evse_number": 1, "token_uid": "tag1", "remote_start_id": None, "is_numbered": False}
    return Begun(**{"session_id": uuid4(), **given, "at": NOW + timedelta(seconds=30), **fields})


NOW = clock.now()


@pytest.mark.parametrize(
    ("command", "session", "is_it"),
    [
        ({}, {}, True),
        ({"evse_number": 1}, {}, True),
        ({"evse_number": 2}, {}, False),
        ({}, {"token_uid": "OTHER"}, False),
        ({}, {"station_id": "OTHER"}, False),
        ({}, {"at": NOW - timedelta(seconds=1)}, False),
        ({}, {"at": NOW + timedelta(minutes=6)}, False),
        ({}, {"is_numbered": True, "remote_start_id": 5}, True),
        ({}, {"is_numbered": True, "remote_start_id": 6}, False),
        ({}, {"is_numbered": True}, False),
    ],
)
def test_which_session_a_start_led_to(command: dict[str, Any], session: dict[str, Any], is_it: bool) -> None:
    one, other = starting(**command), begun(**session)
    assert match([one], [other]) == ({one.command_id: other.session_id} if is_it else {})


def test_two_starts_do_not_claim_one_session() -> None:
    first, second = starting(), starting(requested_at=NOW + timedelta(seconds=10))
    session = begun()
    assert match([second, first], [session]) == {first.command_id: session.session_id}
    later = begun(at=NOW + timedelta(seconds=40))
    assert match([second, first], [later, session]) == {
        first.command_id: session.session_id,
        second.command_id: later.session_id,
    }


async def test_many_orders_to_many_stations_at_once_are_each_told_what_became_of_them(network: Network) -> None:
    stations = [await silent_station(network, "2.0.1", f"ST-{n}") for n in range(8)]
    stations[3].answers["UnlockConnector"] = {"status": "UnlockFailed"}
    commands = await asyncio.gather(*(network.orders(station, Unlock(evse_number=1)) for station in stations))
    assert [c.status for c in commands] == ["accepted"] * 3 + ["rejected"] + ["accepted"] * 4
