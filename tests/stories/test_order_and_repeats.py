"""Everything can come twice, late and out of order: what is kept does not depend on it."""

import asyncio
import random
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stories.messages import event2, start16, stop16, value2, values16
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.wire import Error

MINUTE = timedelta(minutes=1)
# When it was told and when it was worked out may differ; nothing else of a session may.
TOLD = ("updated_at", "settled_at", "first_received_at", "session_id", "party_id", "station_id", "is_offline")


def facts(session: SimpleNamespace) -> dict[str, Any]:
    return {name: value for name, value in vars(session).items() if name not in TOLD}


async def kept(network: Network, station: Station) -> list[dict[str, Any]]:
    """Everything about a station's sessions."""
    found = []
    for session in await network.sessions_of(station):
        samples = await network.samples_of(session)
        events = await network.events_of(session)
        periods = await network.periods_of(session)
        found.append(
            {
                **facts(session),
                "samples": [(s.sampled_at, s.context, s.readings) for s in samples],
                "events": [(e.at, e.kind) for e in events],
                "periods": [(p.started_at, p.ended_at, p.kind, p.energy_wh) for p in periods],
            }
        )
    return found


def differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[Any]:
    """What changed, field by field: empty when nothing did."""
    found: list[Any] = [] if len(before) == len(after) else [("sessions", len(before), len(after))]
    for one, other in zip(before, after, strict=False):
        found += [(name, one[name], other[name]) for name in one if one[name] != other[name]]
    return found


async def charges_twice(network: Network, version: str) -> Station:
    await network.token("TAG1")
    station = await network.station(version)
    for wh in (5_000, 7_000):
        await station.presents("TAG1")
        await station.delivers(wh=wh, over="45m")
        await station.suspends("ev", over="15m")
        await station.unplugs()
        station.passes("10m")
    return station


# ------------------------------------------------------------------------------------------ 8: replay


@pytest.mark.parametrize("same_ids", [True, False], ids=["same ids", "new ids"])
async def test_every_message_again_changes_nothing(network: Network, version: str, same_ids: bool) -> None:
    station = await charges_twice(network, version)
    before = await kept(network, station)
    answers = await station.repeats_everything(same_ids=same_ids)
    assert [a for a in answers if isinstance(a, Error)] == []
    assert differences(before, await kept(network, station)) == []
    assert [s["energy_wh"] for s in before] == [5_000, 7_000]


async def test_every_message_again_over_a_new_connection_changes_nothing(network: Network, version: str) -> None:
    station = await charges_twice(network, version)
    before = await kept(network, station)
    said = list(station.wire.said)
    await network.house.restart_gateway()
    await station.goes_offline()
    await station.connects()
    for message_id, action, payload in said:
        assert isinstance(await station.wire.call(action, payload, message_id), dict)
    assert differences(before, await kept(network, station)) == []


async def test_a_repeated_start_gets_the_same_transaction_and_is_not_concurrent_with_itself(network: Network) -> None:
    """30d: the retried start is the station's own session, not somebody else's."""
    await network.token("TAG1", max_sessions=1)
    station = await network.station("1.6")
    payload = start16(station.at, 1_000_000)
    answers = [await station.says("StartTransaction", payload) for _ in range(3)]
    assert [answer["idTagInfo"]["status"] for answer in answers] == ["Accepted"] * 3
    assert len({answer["transactionId"] for answer in answers}) == 1
    assert (await network.session_of(station)).transaction_id == str(answers[0]["transactionId"])


async def test_a_repeated_started_event_is_not_concurrent_with_itself(network: Network, version2: str) -> None:
    await network.token("TAG1", max_sessions=1)
    station = await network.station(version2)
    payload = event2("Started", station.at, 0, wh=1_000_000, uid="TAG1")
    answers = [await station.says("TransactionEvent", payload) for _ in range(3)]
    assert [answer["idTokenInfo"]["status"] for answer in answers] == ["Accepted"] * 3
    assert (await network.session_of(station)).authorization_status == "accepted"


async def test_a_start_repeated_after_the_stop_does_not_begin_another_session(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    payload = start16(station.at, 1_000_000)
    tx = (await station.says("StartTransaction", payload))["transactionId"]
    await station.says("StopTransaction", stop16(tx, station.at + 30 * MINUTE, 1_003_000))
    again = await station.says("StartTransaction", payload)
    assert again["transactionId"] == tx
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 3_000)


async def test_an_update_after_the_end_does_not_bring_a_session_back(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=3_000, over="30m")
    tx = station.transactions[1]
    await station.unplugs()
    at = station.at + MINUTE
    if version == "1.6":
        await station.says("MeterValues", values16(at, transaction_id=tx.id, wh=1_003_100))
    else:
        info = {"chargingState": "Charging"}
        payload = event2("Updated", at, tx.seq_no, wh=1_003_100, info=info, trigger="ChargingStateChanged")
        await station.says("TransactionEvent", payload)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.charging_state) == ("completed", 3_000, "idle")
    assert session.power_w is None
    assert session.ended_at < at


async def test_a_stop_repeated_with_other_numbers_does_not_change_the_first(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = (await station.says("StartTransaction", start16(station.at, 1_000_000)))["transactionId"]
    await station.says("StopTransaction", stop16(tx, station.at + 30 * MINUTE, 1_003_000, reason="Local"))
    await station.says("StopTransaction", stop16(tx, station.at + 90 * MINUTE, 1_009_000, reason="Reboot"))
    session = await network.session_of(station)
    assert (session.energy_wh, session.stop_reason) == (3_000, "local")
    assert session.ended_at == station.at + 30 * MINUTE


# ------------------------------------------------------------------------------------------ 9: out of order


def a_transaction(station: Station, tx: str = "tx-1") -> list[Payload]:
    at = station.at
    states = {"trigger": "ChargingStateChanged"}
    return [
        event2("Started", at, 0, wh=1_000_000, tx=tx, trigger="CablePluggedIn", info={"chargingState": "EVConnected"}),
        event2("Updated", at + MINUTE, 1, uid="TAG1", tx=tx, trigger="Authorized"),
        event2("Updated", at + 2 * MINUTE, 2, tx=tx, info={"chargingState": "Charging"}, **states),
        event2("Updated", at + 17 * MINUTE, 3, tx=tx, wh=1_002_500),
        event2("Updated", at + 32 * MINUTE, 4, tx=tx, wh=1_005_100),
        event2("Updated", at + 33 * MINUTE, 5, tx=tx, info={"chargingState": "SuspendedEV"}, wh=1_005_200, **states),
        event2("Updated", at + 48 * MINUTE, 6, tx=tx, wh=1_005_201),
        event2("Ended", at + 60 * MINUTE, 7, tx=tx, wh=1_005_202, uid="TAG1", trigger="StopAuthorized"),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_a_shuffled_transaction_gives_the_session_of_the_sorted_one(
    network: Network, version2: str, seed: int
) -> None:
    await network.token("TAG1", max_sessions=None)
    ordered, shuffled = await network.station(version2, "ST-1"), await network.station(version2, "ST-2")
    shuffled.at = ordered.at
    for payload in a_transaction(ordered):
        await ordered.says("TransactionEvent", payload)
    mixed = a_transaction(shuffled)
    dice = random.Random(seed)
    mixed += dice.sample(mixed, 3)
    dice.shuffle(mixed)
    for payload in mixed:
        await shuffled.says("TransactionEvent", payload)
    [expected], [found] = await kept(network, ordered), await kept(network, shuffled)
    assert (expected["energy_wh"], expected["status"]) == (5_202, "completed")
    for session in (expected, found):
        # Whether the start came first was told, it is no fact of the charge.
        session["events"] = sorted(set(session["events"]))
    assert differences([expected], [found]) == []


async def test_an_end_that_came_first_waits_for_what_the_station_still_holds(network: Network, version2: str) -> None:
    """TC_E_31: not ongoing, but messages in the queue: the session stays open until they came."""
    await network.token("TAG1")
    station = await network.station(version2)
    station.answers["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": True}
    events = a_transaction(station)
    await station.says("TransactionEvent", events[0])
    await station.says("TransactionEvent", events[7])
    waiting = await network.session_of(station)
    assert waiting.status == "closing"
    assert await station.hears("GetTransactionStatus") == {"transactionId": "tx-1"}
    await network.until(lambda: _answered(network, station, 1), "the answer is noted")
    assert (await network.session_of(station)).status == "closing"
    for payload in events[1:7]:
        await station.says("TransactionEvent", payload)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 5_202, [])
    assert session.token_uid == "TAG1"
    assert (session.seen_seq_nos, session.n_samples) == ([0, 7], 6)


async def test_a_gap_makes_the_server_ask_and_close_when_nothing_more_will_come(
    network: Network, version2: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    station.answers["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": False}
    events = a_transaction(station)
    for payload in (events[0], events[1], events[4], events[7]):
        await station.says("TransactionEvent", payload)
    assert await station.hears("GetTransactionStatus") == {"transactionId": "tx-1"}
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    assert (session.energy_wh, session.anomalies) == (5_202, ["messages_missing"])
    # And if it comes all the same, it counts.
    await station.says("TransactionEvent", events[3])
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 5_202)
    assert events[3]["timestamp"][:19] in [s.sampled_at.isoformat()[:19] for s in await network.samples_of(session)]


async def test_a_gap_in_a_running_session_is_asked_about_and_the_session_runs_on(
    network: Network, version2: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    events = a_transaction(station)
    for payload in (events[0], events[1], events[4]):
        await station.says("TransactionEvent", payload)
    await station.hears("GetTransactionStatus")
    await network.until(lambda: _answered(network, station, 1), "the answer is noted")
    assert (await network.session_of(station)).status == "active"


async def test_events_that_only_overtook_each_other_ask_nothing(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    events = a_transaction(station)
    for n in (0, 1, 3, 2, 4, 5, 6, 7):
        await station.says("TransactionEvent", events[n])
    assert (await network.session_of(station)).status == "completed"
    session = await network.session_of(station)
    await network.until(lambda: _no_jobs(network, session), "the question's time has come")
    assert [action for _, action, _ in station.wire.heard if action == "GetTransactionStatus"] == []


async def test_a_station_that_boots_is_asked_about_the_sessions_it_had(network: Network, version2: str) -> None:
    """It lost its memory with its power, and the session with it."""
    await network.token("TAG1")
    station = await network.station(version2)
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="15m")
    await station.loses_power()
    station.answers["GetTransactionStatus"] = {"messagesInQueue": False}
    last_heard_at = station.at
    station.passes("1h")
    await station.boots()
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    assert (session.energy_wh, session.ended_at, session.stop_reason) == (2_000, last_heard_at, "unknown")
    assert "messages_missing" in session.anomalies


async def _answered(network: Network, station: Station, n: int) -> bool:
    found = await network.pool.fetchval(
        "select count(*) from command where station_id = $1 and kind = 'transaction_status' and answered_at is not null",
        station.station_id,
    )
    return bool(found >= n)


async def _no_jobs(network: Network, session: SimpleNamespace) -> bool:
    waiting = await network.pool.fetchval(
        "select count(*) from jobs.pgqueuer where convert_from(payload, 'UTF8') like '%' || $1 || '%'",
        str(session.session_id),
    )
    return bool(waiting == 0)


async def test_a_late_update_does_not_lower_the_energy(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    began_at, tx = station.at, station.transactions[1]
    await station.delivers(wh=6_000, over="15m")
    if version == "1.6":
        await station.says("MeterValues", values16(began_at + 5 * MINUTE, transaction_id=tx.id, wh=1_002_000))
    else:
        await station.says("TransactionEvent", event2("Updated", began_at + 5 * MINUTE, tx.seq_no, wh=1_002_000))
    session = await network.session_of(station)
    assert (session.energy_wh, session.register_last_at) == (6_000, station.at)


async def test_a_transaction_whose_start_never_came_is_a_session_that_says_so(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    station.answers["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": False}
    for payload in a_transaction(station)[1:]:
        await station.says("TransactionEvent", payload)
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    assert "start_missing" in session.anomalies
    assert session.started_at == station.at + MINUTE
    assert session.energy_wh == 2_702  # since the first register that came


# ------------------------------------------------------------------------------------------ 10: message ids


async def test_a_message_id_used_again_for_another_action_gets_that_actions_answer(
    network: Network, version: str
) -> None:
    """A station that counts its messages from 1 after every reboot."""
    await network.token("TAG1")
    station = await network.station(version)
    boot = await station.says("BootNotification", station.boot_payload("PowerUp"), "1")
    assert boot["status"] == "Accepted"
    assert list(await station.says("Heartbeat", {}, "1")) == ["currentTime"]
    assert (await station.says("BootNotification", station.boot_payload("PowerUp"), "1"))["status"] == "Accepted"


async def test_a_message_id_used_again_for_another_payload_is_another_message(network: Network) -> None:
    await network.token("TAG1", max_sessions=None)
    station = await network.station("1.6")
    first = await station.says("StartTransaction", start16(station.at, 1_000_000, connector=1), "7")
    second = await station.says("StartTransaction", start16(station.at, 1_000_000, connector=2), "7")
    assert first["transactionId"] != second["transactionId"]
    assert len(await network.sessions_of(station)) == 2


async def test_the_same_message_sent_twice_at_once_is_done_once(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    action = "StartTransaction" if version == "1.6" else "TransactionEvent"
    payload = (
        start16(station.at, 1_000_000)
        if version == "1.6"
        else event2("Started", station.at, 0, wh=1_000_000, uid="TAG1")
    )
    first = asyncio.create_task(station.wire.call(action, payload, "one"))
    await station.wire.send([2, "two", action, payload])
    await station.wire.send([2, "one", action, payload])
    assert isinstance(await first, dict)
    await station.says("Heartbeat", {})
    assert (await network.session_of(station)).n_samples == 1


async def test_two_gateways_given_the_same_start_at_once_make_one_session(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    other_door = await network.house.open_door()
    try:
        twin = type(station.wire)(
            f"{network.house.url}/ocpp/{station.station_id}", version, station._asked, station._obeyed
        )
        payload = (
            start16(station.at, 1_000_000)
            if version == "1.6"
            else event2("Started", station.at, 0, wh=1_000_000, uid="TAG1")
        )
        action = "StartTransaction" if version == "1.6" else "TransactionEvent"
        first = asyncio.create_task(station.wire.call(action, payload))
        await twin.connect()
        answers = await asyncio.gather(first, twin.call(action, payload), return_exceptions=True)
        assert any(isinstance(answer, dict) for answer in answers)
        assert (await network.session_of(station)).token_uid == "TAG1"
        await twin.cut()
    finally:
        await other_door.close()
        await network.house.open_door()


# ------------------------------------------------------------------------------------------ 11: whose clock


async def test_start_and_end_are_the_stations_times_however_late_they_come(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version, hours_ago=24 * 20)
    await station.goes_offline()
    await station.presents("TAG1")
    began_at = station.at
    await station.delivers(wh=9_000, over="2h")
    await station.unplugs()
    station.passes("400h")
    await station.comes_back()
    session = await network.session_of(station)
    assert (session.started_at, session.ended_at) == (began_at, began_at + timedelta(hours=2, seconds=5))
    assert session.first_received_at - session.started_at > timedelta(days=19)
    assert session.charging_s == 2 * 3600 + 5
    assert session.energy_wh == 9_000


async def test_an_old_session_that_comes_late_does_not_end_the_one_that_goes_on(network: Network, version: str) -> None:
    await network.token("TAG1", max_sessions=None)
    station = await network.station(version)
    old_at = station.at
    station.passes("5h")
    station.registers[1] = 1_100_000
    station.n_transactions = 7
    await station.presents("TAG1")
    await station.delivers(wh=1_000, over="10m")
    if version == "1.6":
        tx = (await station.says("StartTransaction", start16(old_at, 1_000_000)))["transactionId"]
        await station.says("MeterValues", values16(old_at + 20 * MINUTE, wh=1_004_000))
        await station.says("StopTransaction", stop16(tx, old_at + 30 * MINUTE, 1_006_000))
    else:
        for payload in (
            event2("Started", old_at, 0, wh=1_000_000, uid="TAG1", tx="old", offline=True),
            event2("Updated", old_at + 20 * MINUTE, 1, wh=1_004_000, tx="old", offline=True),
            event2("Ended", old_at + 30 * MINUTE, 2, wh=1_006_000, tx="old", offline=True),
        ):
            await station.says("TransactionEvent", payload)
    old, running = await network.sessions_of(station)
    assert (old.status, old.energy_wh, old.anomalies) == ("completed", 6_000, [])
    assert (running.status, running.energy_wh, running.anomalies) == ("active", 1_000, [])
    await station.unplugs()
    assert (await network.sessions_of(station))[1].energy_wh == 1_000


async def test_meter_values_out_of_a_2_x_transaction_are_placed_by_their_time(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    for payload in (
        event2("Started", at, 0, wh=1_000_000, uid="TAG1", tx="one"),
        event2("Ended", at + 30 * MINUTE, 1, wh=1_003_000, tx="one"),
        event2("Started", at + 60 * MINUTE, 0, wh=1_003_000, uid="TAG1", tx="two"),
    ):
        await station.says("TransactionEvent", payload)
    clock = {"value": 1_001_000, "context": "Sample.Clock"}
    await station.says("MeterValues", {"evseId": 1, "meterValue": [value2(at + 10 * MINUTE, clock)]})
    one, two = await network.sessions_of(station)
    assert at + 10 * MINUTE in [s.sampled_at for s in await network.samples_of(one)]
    assert (one.energy_wh, two.energy_wh, two.n_samples) == (3_000, 0, 1)
