"""Past sessions: read strictly, played to the watt-hour, and the same a second time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.simulator import past
from ohmstead.simulator.cli import plans_of
from ohmstead.simulator.past import Past, PastSession
from ohmstead.simulator.replay import Outcome, ReplayOptions, replay
from tests.simulator.csms import Csms, virtually
from tests.simulator.stories import VERSIONS, make_world

HEADER = "station,plugged_at,unplugged_at,energy_wh,token"
each_version = pytest.mark.parametrize("version", VERSIONS)


def rows(*lines: str, header: str = HEADER) -> Past:
    """Read lines under a header."""
    return past.read([f"{line}\n" for line in (header, *lines)])


def sessions(count: int) -> Past:
    """Some past: three stations, two outlets each, stays from minutes to a day, energies from nothing up."""
    random = Random(7)
    found = []
    for station in ("A-1", "B-2", "C-3"):
        for evse in (1, 2):
            at = datetime(2026, 1, 5, 6, tzinfo=UTC)
            for _ in range(count):
                at += timedelta(seconds=random.randrange(60, 40_000))
                until = at + timedelta(seconds=random.choice((61, 900, 5000, 30_000, 86_000)))
                energy = random.choice((0, 1, 999, 7001, 44_069))
                found.append(PastSession(station, at, until, energy, f"T{random.randrange(9)}", evse))
                at = until
    return Past(tuple(found), ())


def play(csms: Csms, version: str, given: Past, *, options: ReplayOptions | None = None, **more: Any) -> list[Outcome]:
    """Replay in virtual time."""

    async def story() -> list[Outcome]:
        world = make_world(csms, **more)
        plans = {plan.station_id: plan for plan in plans_of(given, (version,))}
        return await replay(world, plans, given.by_station(), options or ReplayOptions(), parallel=2)

    return virtually(story)


def test_columns_may_stand_in_any_order_and_others_are_ignored() -> None:
    found = rows(
        "x,T1,2026-01-01T10:00:00Z,5,A,2026-01-01T11:00:00+00:00,2",
        header="claimed,token,plugged_at,energy_wh,station,unplugged_at,evse",
    )
    assert found.errors == ()
    assert found.sessions[0].evse == 2
    assert found.sessions[0].unplugged_at == datetime(2026, 1, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("A,2026-01-01T10:00:00,2026-01-01T11:00:00Z,5,T", "plugged_at"),
        ("A,yesterday,2026-01-01T11:00:00Z,5,T", "plugged_at"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,5,T", "unplugged_at"),
        ("A,2026-01-01T10:00:00.0001Z,2026-01-01T11:00:00Z,5,T", "plugged_at"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,-5,T", "energy_wh"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5.5,T", "energy_wh"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,٥,T", "energy_wh"),
        ("A/B,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5,T", "station"),
        (",2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5,T", "station"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5,", "token"),
        ("A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5", ""),
        ('A,"2026-01-01T10:00:00Z"x,2026-01-01T11:00:00Z,5,T', ""),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(line: str, field: str) -> None:
    found = rows(line, "B,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5,T")
    assert [(error.row, error.field) for error in found.errors] == [(2, field)]
    assert [session.station for session in found.sessions] == ["B"]


def test_two_cars_at_one_outlet_at_once_are_refused_and_two_outlets_are_not() -> None:
    first = "A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5,T"
    second = "A,2026-01-01T10:30:00Z,2026-01-01T12:00:00Z,5,U"
    found = rows(first, second)
    assert [(error.row, error.field) for error in found.errors] == [(3, "plugged_at")]
    found = rows(f"{first},1", f"{second},2", header=HEADER + ",evse")
    assert found.errors == ()


@pytest.mark.parametrize(
    "header", ["station,plugged_at,unplugged_at,energy_wh", HEADER + ",token", ""], ids=["missing", "twice", "none"]
)
def test_a_file_without_the_right_header_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        rows(header=header)


def energies(csms: Csms, version: str) -> dict[str, int]:
    """Wh by station: end register minus begin register of every transaction heard."""
    totals: dict[str, int] = {}
    begin: dict[tuple[str, Any], int] = {}
    for heard in csms.heard:
        payload, station = heard.payload, heard.station_id
        if heard.action == "StartTransaction":
            begin[station, csms.number_of(heard)] = payload["meterStart"]
        elif heard.action == "StopTransaction":
            energy = payload["meterStop"] - begin[station, payload["transactionId"]]
            totals[station] = totals.get(station, 0) + energy
        elif heard.action == "TransactionEvent" and payload["eventType"] != "Updated":
            register = int(payload["meterValue"][0]["sampledValue"][0]["value"])
            key = (station, payload["transactionInfo"]["transactionId"])
            if payload["eventType"] == "Started":
                begin[key] = register
            else:
                totals[station] = totals.get(station, 0) + register - begin[key]
    return totals


@each_version
def test_every_watt_hour_is_played_and_registers_go_on_from_session_to_session(version: str) -> None:
    csms = Csms()
    given = sessions(12)
    outcomes = play(csms, version, given)
    assert csms.problems == []
    expected = {name: sum(s.energy_wh for s in mine) for name, mine in given.by_station().items()}
    assert energies(csms, version) == expected
    assert {o.station_id: o.energy_wh for o in outcomes} == expected
    assert sum(o.n_sessions for o in outcomes) == len(given.sessions)
    assert [o.failures for o in outcomes] == [[], [], []]
    last: dict[tuple[str, Any], int] = {}
    for heard in csms.heard:
        evse = heard.payload.get("connectorId") or (heard.payload.get("evse") or {}).get("id")
        values = [
            int(s["value"])
            for v in heard.payload.get("meterValue", ())
            for s in v["sampledValue"]
            if s["measurand"] == "Energy.Active.Import.Register"
        ]
        values += [heard.payload["meterStart"]] if "meterStart" in heard.payload else []
        for value in values:
            key = (heard.station_id, evse)
            assert value >= last.get(key, 0)
            last[key] = value
        if "meterStart" in heard.payload or heard.payload.get("eventType") == "Started":
            assert values[0] == last[heard.station_id, evse]


@each_version
def test_a_second_replay_says_the_same_under_other_message_ids(version: str) -> None:
    given = sessions(6)
    first, second = Csms(), Csms()
    play(first, version, given, nonce="one-")
    play(second, version, given, nonce="two-")
    by_station = [
        {name: [(h.action, h.payload) for h in csms.heard if h.station_id == name] for name in ("A-1", "B-2", "C-3")}
        for csms in (first, second)
    ]
    assert by_station[0] == by_station[1]
    assert not {h.message_id for h in first.heard} & {h.message_id for h in second.heard}


@each_version
def test_sessions_carry_their_original_times_as_after_an_offline_spell(version: str) -> None:
    csms = Csms()
    given = rows("A,2026-01-01T10:00:00.500Z,2026-01-01T14:00:00Z,9000,T1")
    play(csms, version, given)
    if version == "1.6":
        assert csms.of("StartTransaction")[0]["timestamp"] == "2026-01-01T10:00:00.500Z"
        assert csms.of("StopTransaction")[0]["timestamp"] == "2026-01-01T14:00:00.000Z"
        updates = csms.of("MeterValues")
    else:
        events = csms.of("TransactionEvent")
        assert all(e["offline"] is True for e in events)
        assert [e["seqNo"] for e in events] == list(range(len(events)))
        assert (events[0]["timestamp"], events[-1]["timestamp"]) == (
            "2026-01-01T10:00:00.500Z",
            "2026-01-01T14:00:00.000Z",
        )
        states = [e["transactionInfo"]["chargingState"] for e in events]
        assert states[1] == "Charging"
        assert states[-2] == "SuspendedEV"
        updates = events[1:-1]
    # Four hours: twelve samples at most, and the moment at which the battery was full.
    assert len(updates) == 13
    assert csms.of("StatusNotification")[-1]["timestamp"] == "2026-01-01T14:00:00.000Z"


@each_version
@pytest.mark.parametrize("count", [0, 3])
def test_the_number_of_samples_can_be_chosen(version: str, count: int) -> None:
    csms = Csms()
    play(
        csms,
        version,
        rows("A,2026-01-01T10:00:00Z,2026-01-01T14:00:00Z,9000,T1"),
        options=ReplayOptions(samples=count, authorizes=True),
    )
    updates = [p for p in csms.of("TransactionEvent") if p["eventType"] == "Updated"] or csms.of("MeterValues")
    assert len(updates) == count
    assert len(csms.of("Authorize")) == 1


@each_version
def test_a_line_that_drops_and_answers_that_fail_cost_nothing(version: str) -> None:
    csms = Csms()
    given = sessions(4)
    csms.refuses = {"StartTransaction": 2, "StopTransaction": 1, "TransactionEvent": 3}

    async def story() -> list[Outcome]:
        world = make_world(csms)
        plans = {plan.station_id: plan for plan in plans_of(given, (version,))}
        csms.drops_after = 9
        return await replay(world, plans, given.by_station(), ReplayOptions(), parallel=3)

    outcomes = virtually(story)
    assert csms.n_dropped > 5
    assert [o.failures for o in outcomes] == [[], [], []]
    assert sum(o.energy_wh for o in outcomes) == given.energy_wh


@each_version
def test_a_csms_that_takes_nothing_is_reported_not_hidden(version: str) -> None:
    csms = Csms()
    csms.refuses = {"StartTransaction": 99, "StopTransaction": 99, "TransactionEvent": 999}
    outcomes = play(csms, version, rows("A,2026-01-01T10:00:00Z,2026-01-01T14:00:00Z,9000,T1"))
    assert outcomes[0].n_sessions == 0
    assert len(outcomes[0].failures) == 1


def test_a_csms_that_cannot_be_reached_ends_the_replay() -> None:
    csms = Csms()
    csms.is_reachable = False
    outcomes = play(csms, "1.6", rows("A,2026-01-01T10:00:00Z,2026-01-01T14:00:00Z,9000,T1"))
    assert "gave up" in outcomes[0].failures[0]


def test_replay_is_fast_enough_not_to_be_waited_for() -> None:
    """One process has to bring a thousand messages a second; measured without the double's schema checks."""
    csms = Csms(is_strict=False)
    given = sessions(60)

    async def story() -> float:
        loop = asyncio.get_running_loop()
        world = make_world(csms)
        plans = {plan.station_id: plan for plan in plans_of(given, ("2.1",))}
        began = loop.time()
        await replay(world, plans, given.by_station(), ReplayOptions(), parallel=3)
        return loop.time() - began

    began = time.process_time()
    asyncio.run(story())
    assert len(csms.heard) / (time.process_time() - began) > 1000
