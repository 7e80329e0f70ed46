"""A simulated station's life: boots, charges, is commanded, goes offline; the same story on every version."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ohmstead.simulator.clock import parse_instant
from tests.simulator.csms import Csms, virtually
from tests.simulator.stories import (
    TOKEN,
    VERSIONS,
    Planned,
    ended,
    make_station,
    make_world,
    registers,
    starts,
    until_charging,
    until_ended,
)

each_version = pytest.mark.parametrize("version", VERSIONS)


@each_version
@pytest.mark.parametrize("is_card_first", [False, True])
def test_a_car_comes_charges_and_leaves(version: str, is_card_first: bool) -> None:
    csms = Csms()

    async def story() -> None:
        world = make_world(csms, demand=Planned((60, 3600, 8000), is_card_first=is_card_first), sample_interval_s=300)
        starts(make_station(version, world))
        await until_ended(csms, version)
        await asyncio.sleep(60)
        assert world.tally.energy_mwh / 1000 == pytest.approx(8000, abs=2)
        assert not world.tally.errors

    virtually(story)
    assert csms.problems == []
    found = registers(csms, version)
    energy_wh = found[-1][1] - found[0][1]
    assert energy_wh == pytest.approx(8000, abs=2)
    assert [value for _, value in found] == sorted(value for _, value in found)
    statuses = [p.get("status") or p["connectorStatus"] for p in csms.of("StatusNotification")]
    if version == "1.6":
        expected = ["Available", "Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]
        assert statuses == expected
        stop = ended(csms, version)[0]
        assert stop["transactionId"] == 1000
        assert stop["reason"] == "EVDisconnected"
    else:
        assert statuses == ["Available", "Occupied", "Available"]
        events = csms.of("TransactionEvent")
        assert [e["seqNo"] for e in events] == list(range(len(events)))
        assert len({e["transactionInfo"]["transactionId"] for e in events}) == 1
        assert [e["eventType"] for e in events] == ["Started", *["Updated"] * (len(events) - 2), "Ended"]
        assert sum("idToken" in e for e in events) == 1
        assert events[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"


@pytest.mark.parametrize("start_point", ["EVConnected", "Authorized", "PowerPathClosed"])
@pytest.mark.parametrize("is_card_first", [False, True])
def test_the_transaction_begins_where_its_start_point_says(start_point: str, is_card_first: bool) -> None:
    csms = Csms()

    async def story() -> None:
        world = make_world(csms, demand=Planned((10, 1800, 3000), is_card_first=is_card_first))
        starts(make_station("2.0.1", world, tx_start_point=start_point))
        await until_ended(csms, "2.0.1")

    virtually(story)
    assert csms.problems == []
    first = csms.of("TransactionEvent")[0]
    expected = {
        ("EVConnected", False): ("CablePluggedIn", "EVConnected", False),
        ("EVConnected", True): ("CablePluggedIn", "EVConnected", True),
        ("Authorized", False): ("Authorized", "EVConnected", True),
        ("Authorized", True): ("Authorized", "Idle", True),
        ("PowerPathClosed", False): ("Authorized", "EVConnected", True),
        ("PowerPathClosed", True): ("CablePluggedIn", "EVConnected", True),
    }[start_point, is_card_first]
    seen = (first["triggerReason"], first["transactionInfo"]["chargingState"], "idToken" in first)
    assert seen == expected


@each_version
def test_power_times_time_is_the_energy_at_any_speed(version: str) -> None:
    def run(speed: float) -> list[tuple[str, float]]:
        csms = Csms()

        async def story() -> None:
            world = make_world(csms, demand=Planned((10, 3600, 2000)), speed=speed, sample_interval_s=20)
            starts(make_station(version, world))
            await until_ended(csms, version)

        virtually(story)
        assert csms.problems == []
        samples = []
        for heard in csms.heard:
            for value in heard.payload.get("meterValue", []):
                by_name = {s["measurand"]: float(s["value"]) for s in value["sampledValue"] if "phase" not in s}
                if "Power.Active.Import" in by_name and "Energy.Active.Import.Register" in by_name:
                    at = parse_instant(value["timestamp"])
                    assert at is not None
                    samples.append((at, by_name["Power.Active.Import"], by_name["Energy.Active.Import.Register"]))
        assert len(samples) > 5
        for (at, power_w, register_wh), (later, _, next_wh) in pairwise(samples):
            counted_wh = power_w * (later - at).total_seconds() / 3600
            assert next_wh - register_wh == pytest.approx(counted_wh, abs=3)
        return []

    run(1)
    run(6)


@each_version
def test_pending_and_rejected_boots_are_repeated_at_the_pace_asked_for(version: str) -> None:
    csms = Csms()
    csms.boot_statuses = [("Pending", 40), ("Rejected", 70), ("Accepted", 600)]

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("Heartbeat")

    virtually(story)
    boots = [h.at_s for h in csms.heard if h.action == "BootNotification"]
    assert [round(b - a) for a, b in pairwise(boots)] == [40, 70]
    before = [h.action for h in csms.heard if h.at_s < boots[-1]]
    assert set(before) == {"BootNotification"}
    beats = [h.at_s for h in csms.heard if h.action == "Heartbeat"]
    assert beats[0] - boots[-1] <= 600


@each_version
def test_a_blocked_card_gets_no_power(version: str) -> None:
    csms = Csms()
    csms.blocked.add("CARD0001")

    async def story() -> None:
        world = make_world(csms, demand=Planned((10, 1800, 3000)))
        starts(make_station(version, world))
        await csms.until("Authorize")
        await asyncio.sleep(600)
        assert world.tally.errors["not_authorized"] == 1
        assert world.tally.sessions_started == 0

    virtually(story)
    assert csms.problems == []


@each_version
def test_messages_of_an_offline_spell_arrive_later_in_order_with_their_times(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        world = make_world(csms, demand=Planned((30, 1800, 3000)), sample_interval_s=300)
        starts(make_station(version, world))
        await csms.until("BootNotification")
        await asyncio.sleep(5)
        csms.is_reachable = False
        csms.drop("SIM-1")
        await asyncio.sleep(4000)
        assert not csms.of("TransactionEvent")
        assert not csms.of("StartTransaction")
        csms.is_reachable = True
        await until_ended(csms, version)
        assert world.tally.errors["given_up"] == 0

    virtually(story)
    assert csms.problems == []
    back = min(h.at_s for h in csms.heard if h.action in ("TransactionEvent", "StartTransaction"))
    assert back > 4000
    assert len(csms.of("BootNotification")) == 1
    if version == "1.6":
        start, stop = csms.of("StartTransaction")[0], csms.of("StopTransaction")[0]
        assert start["timestamp"] < "2026-03-02T08:02"
        assert stop["timestamp"] < "2026-03-02T08:35"
        assert all(p["transactionId"] == stop["transactionId"] for p in csms.of("MeterValues"))
    else:
        events = csms.of("TransactionEvent")
        assert all(e["offline"] is True for e in events)
        assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)
        assert events[-1]["timestamp"] < "2026-03-02T08:35"


@each_version
def test_a_refused_transaction_message_is_sent_again_with_the_same_content(version: str) -> None:
    csms = Csms()
    action = "StartTransaction" if version == "1.6" else "TransactionEvent"
    csms.refuses[action] = 2

    async def story() -> None:
        starts(make_station(version, make_world(csms, demand=Planned((10, 600, 1000)))))
        await until_ended(csms, version)

    virtually(story)
    sent = csms.of(action)[:3]
    assert sent[0] == sent[1] == sent[2]
    times = [h.at_s for h in csms.heard if h.action == action][:3]
    assert [round(b - a) for a, b in pairwise(times)] == [10, 20]


@each_version
def test_a_start_that_is_never_taken_ends_as_an_orphan_not_as_silence(version: str) -> None:
    csms = Csms()
    csms.refuses["StartTransaction" if version == "1.6" else "TransactionEvent"] = 3

    async def story() -> None:
        world = make_world(csms, demand=Planned((10, 600, 1000)))
        starts(make_station(version, world))
        await until_ended(csms, version)
        assert world.tally.errors["given_up"] == 1

    virtually(story)
    if version == "1.6":
        assert csms.of("StopTransaction")[0]["transactionId"] == -1


@each_version
def test_a_card_blocked_at_the_start_stops_the_transaction(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        station = make_station(version, make_world(csms, demand=Planned((10, 3600, 9000))))
        station.device.assign("pre_authorize", "true")
        station.cache_token(TOKEN, "Accepted", None)
        csms.blocked.add("CARD0001")
        starts(station)
        await until_ended(csms, version, within_s=300)

    virtually(story)
    end = ended(csms, version)[0]
    reason = end["reason"] if version == "1.6" else end["transactionInfo"]["stoppedReason"]
    assert reason == "DeAuthorized"


@each_version
def test_a_power_cut_is_reported_after_the_next_start_and_the_register_goes_on(version: str) -> None:
    csms = Csms()

    async def before() -> Any:
        station = make_station(version, make_world(csms, demand=Planned((10, 7200, 20_000)), sample_interval_s=60))
        starts(station)
        await until_charging(csms, version)
        await asyncio.sleep(900)
        return station.memory()

    memory = virtually(before)
    assert memory[1].open is not None
    cut_wh = memory[1].open.register_wh

    async def after() -> None:
        world = make_world(csms, demand=Planned((100, 1200, 1500)), nonce="u-")
        world.memory["SIM-1"] = memory
        starts(make_station(version, world))
        await until_ended(csms, version, 2)

    virtually(after)
    assert csms.problems == []
    first, second = ended(csms, version)
    reason = first["reason"] if version == "1.6" else first["transactionInfo"]["stoppedReason"]
    assert reason == "PowerLoss"
    found = [
        value for context, value in registers(csms, version) if context in ("Transaction.Begin", "Transaction.End")
    ]
    assert cut_wh in found
    assert found == sorted(found)
    assert second != first
