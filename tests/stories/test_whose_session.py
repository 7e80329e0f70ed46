"""Transactions, stations and sessions: which belongs to which, whatever number a station gives them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ohmstead.core.db import Connection
from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2.inbound import transaction_event
from ohmstead.ocpp.v2.messages import TransactionEventRequest
from ohmstead.ocpp.work import Inbound
from ohmstead.sessions import service as sessions
from ohmstead.sessions.model import TransactionReport
from ohmstead.stations import service as stations
from tests.stories.messages import event2, sampled2, start16, stop16, value2, values16
from tests.stories.network import Network
from tests.stories.station import Station
from tests.stories.wire import Error, Lost

MINUTE = timedelta(minutes=1)


# ------------------------------------------------------------------------------------------ 12: transaction ids


async def test_transactions_begun_at_the_same_instant_have_numbers_of_their_own(network: Network) -> None:
    await network.token("TAG1", max_sessions=None)
    stations = [await network.station("1.6", f"ST-{n}") for n in range(5)]

    async def begin(station: Station, connector: int) -> int:
        answer = await station.says("StartTransaction", start16(station.at, 1_000_000, connector=connector))
        return int(answer["transactionId"])

    given = await asyncio.gather(*(begin(s, connector) for s in stations for connector in (1, 2, 3)))
    assert len(set(given)) == 15
    assert all(0 < number < 2**31 for number in given)


async def test_a_station_cannot_end_or_feed_another_stations_session(network: Network) -> None:
    await network.token("TAG1", max_sessions=None)
    mine, theirs = await network.station("1.6", "ST-1"), await network.station("1.6", "ST-2")
    tx = (await mine.says("StartTransaction", start16(mine.at, 1_000_000)))["transactionId"]
    await theirs.says("MeterValues", values16(theirs.at + MINUTE, transaction_id=tx, wh=1_000_300))
    assert await theirs.says("StopTransaction", stop16(tx, theirs.at + 2 * MINUTE, 1_000_500)) == {}
    session = await network.session_of(mine)
    assert (session.status, session.energy_wh, session.n_samples) == ("active", 0, 1)
    orphan = await network.session_of(theirs)
    assert (orphan.status, orphan.is_orphan, orphan.anomalies) == (
        "invalid",
        True,
        ["start_missing", "foreign_transaction"],
    )
    told = await network.rows("select kind from outbox where subject = $1", f"session/{orphan.session_id}")
    assert "ForeignTransactionReported" in {event.kind for event in told}


async def test_two_stations_may_use_the_same_transaction_id(network: Network, version2: str) -> None:
    await network.token("TAG1", max_sessions=None)
    one, other = await network.station(version2, "ST-1"), await network.station(version2, "ST-2")
    for station in (one, other):
        await station.says("TransactionEvent", event2("Started", station.at, 0, wh=1_000_000, uid="TAG1", tx="1"))
    await one.says("TransactionEvent", event2("Ended", one.at + 10 * MINUTE, 1, wh=1_001_000, tx="1"))
    ended, running = await network.session_of(one), await network.session_of(other)
    assert (ended.status, ended.energy_wh) == ("completed", 1_000)
    assert (running.status, running.energy_wh) == ("active", 0)


async def test_a_transaction_id_used_again_after_its_end_is_a_new_session(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    for first in (1_000_000, 1_005_000):
        at = station.at
        await station.says("TransactionEvent", event2("Started", at, 0, wh=first, uid="TAG1", tx="1"))
        await station.says("TransactionEvent", event2("Updated", at + 5 * MINUTE, 1, wh=first + 1_000, tx="1"))
        await station.says("TransactionEvent", event2("Ended", at + 10 * MINUTE, 2, wh=first + 2_500, tx="1"))
        station.passes("1h")
    sessions = await network.sessions_of(station)
    assert [(s.run, s.status, s.energy_wh) for s in sessions] == [(0, "completed", 2_500), (1, "completed", 2_500)]


async def test_a_replay_of_the_first_use_of_an_id_does_not_touch_the_second(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    first_at, second_at = station.at, station.at + 60 * MINUTE
    first = [
        event2("Started", first_at, 0, wh=1_000_000, uid="TAG1", tx="1"),
        event2("Updated", first_at + 5 * MINUTE, 1, wh=1_001_000, tx="1"),
        event2("Ended", first_at + 10 * MINUTE, 2, wh=1_002_500, tx="1"),
    ]
    second = [
        event2("Started", second_at, 0, wh=1_002_500, uid="TAG1", tx="1"),
        event2("Updated", second_at + 5 * MINUTE, 1, wh=1_003_000, tx="1"),
    ]
    for payload in first + second + first:
        await station.says("TransactionEvent", payload)
    ended, running = await network.sessions_of(station)
    assert (ended.status, ended.energy_wh, ended.n_samples) == ("completed", 2_500, 3)
    assert (running.status, running.energy_wh, running.n_samples) == ("active", 500, 2)
    assert running.started_at == second_at


async def test_a_transaction_id_used_again_though_the_first_never_ended_is_a_new_session(
    network: Network, version2: str
) -> None:
    """The station lost its power, its memory, and where it had counted to."""
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    await station.says("TransactionEvent", event2("Started", at, 0, wh=1_000_000, uid="TAG1", tx="1"))
    await station.says("TransactionEvent", event2("Updated", at + 5 * MINUTE, 1, wh=1_001_000, tx="1"))
    again_at = at + 60 * MINUTE
    await station.says("TransactionEvent", event2("Started", again_at, 0, wh=1_001_200, uid="TAG1", tx="1"))
    await station.says("TransactionEvent", event2("Ended", again_at + 9 * MINUTE, 1, wh=1_002_200, tx="1"))
    lost, new = await network.sessions_of(station)
    assert (lost.status, lost.energy_wh, lost.anomalies) == ("completed", 1_000, ["stop_missing"])
    assert lost.ended_at == at + 5 * MINUTE
    assert (new.status, new.energy_wh, new.run) == ("completed", 1_000, 1)
    assert new.started_at == again_at


# ------------------------------------------------------------------------------------------ 13: -1 and orphans


async def test_a_stop_of_a_start_that_never_came_is_answered_and_recorded_as_an_orphan(network: Network) -> None:
    station = await network.station("1.6")
    stop = stop16(-1, station.at, 1_002_000, idTag="TAG1")
    for _ in range(3):
        assert (await station.says("StopTransaction", stop))["idTagInfo"]["status"] == "Invalid"
    orphan = await network.session_of(station)
    assert (orphan.status, orphan.is_orphan, orphan.energy_wh) == ("invalid", True, 0)
    told = await network.rows("select kind from outbox where subject = $1", f"session/{orphan.session_id}")
    assert [event.kind for event in told].count("OrphanRecorded") == 1


async def test_two_lost_starts_are_two_orphans(network: Network) -> None:
    station = await network.station("1.6")
    for minutes in (0, 30):
        await station.says("StopTransaction", stop16(-1, station.at + minutes * MINUTE, 1_002_000))
    orphans = await network.sessions_of(station)
    assert [(o.transaction_id, o.run, o.status) for o in orphans] == [("-1", 0, "invalid"), ("-1", 1, "invalid")]


async def test_a_stop_for_an_unknown_transaction_is_answered_and_recorded_once(network: Network) -> None:
    station = await network.station("1.6")
    for _ in range(2):
        assert await station.says("StopTransaction", stop16(987_654, station.at, 1_002_000)) == {}
    orphan = await network.session_of(station)
    assert (orphan.transaction_id, orphan.status, orphan.is_orphan) == ("987654", "invalid", True)


async def test_meter_values_of_an_unknown_transaction_are_kept(network: Network) -> None:
    station = await network.station("1.6")
    await station.says("MeterValues", values16(station.at, transaction_id=987_654, wh=5_000))
    await station.says("MeterValues", values16(station.at, transaction_id=-1, connector=2, wh=6_000))
    loose = await network.rows(
        "select evse_number, energy_wh from loose_sample where station_id = $1 order by evse_number", station.station_id
    )
    assert [(s.evse_number, s.energy_wh) for s in loose] == [(1, 5_000), (2, 6_000)]
    assert await network.sessions_of(station) == []


async def test_meter_values_with_a_number_nobody_gave_join_the_connectors_session(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    await station.says("StartTransaction", start16(station.at, 1_000_000))
    await station.says("MeterValues", values16(station.at + MINUTE, transaction_id=987_654, wh=1_000_300))
    await station.says("MeterValues", values16(station.at + 2 * MINUTE, transaction_id=0, wh=1_000_600))
    session = await network.session_of(station)
    assert (session.energy_wh, session.n_samples) == (600, 3)


# ------------------------------------------------------------------------------------------ 14: no session yet


async def test_a_transaction_without_leave_and_energy_waits_to_become_a_session(
    network: Network, version2: str
) -> None:
    """TxStartPoint ParkingBayOccupancy: a car stands there."""
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    await station.says("TransactionEvent", event2("Started", at, 0, trigger="EVDetected", evse={"id": 1}))
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.energy_wh) == ("pending", None, 0)
    plugged = event2("Updated", at + MINUTE, 1, trigger="CablePluggedIn", info={"chargingState": "EVConnected"})
    await station.says("TransactionEvent", plugged)
    assert (await network.session_of(station)).status == "pending"
    await station.says("TransactionEvent", event2("Updated", at + 2 * MINUTE, 2, trigger="Authorized", uid="TAG1"))
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.started_at) == ("active", "TAG1", at)


async def test_a_car_that_only_parked_leaves_a_session_of_nothing(network: Network, version2: str) -> None:
    station = await network.station(version2)
    await station.says("TransactionEvent", event2("Started", station.at, 0, trigger="EVDetected"))
    await station.says("TransactionEvent", event2("Ended", station.at + MINUTE, 1, trigger="EVDeparted"))
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.energy_source) == ("completed", 0, "none")
    assert session.authorization_status is None


async def test_the_connector_is_unknown_until_the_station_names_it(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    await station.says("TransactionEvent", event2("Started", station.at, 0, uid="TAG1", evse={}))
    session = await network.session_of(station)
    assert (session.evse_number, session.connector_number) == (None, None)
    await station.says("TransactionEvent", event2("Updated", station.at + MINUTE, 1, evse={"id": 1}))
    session = await network.session_of(station)
    assert (session.evse_number, session.connector_number) == (1, None)
    evse = {"id": 1, "connectorId": 2}
    await station.says("TransactionEvent", event2("Updated", station.at + 2 * MINUTE, 2, evse=evse))
    session = await network.session_of(station)
    assert (session.evse_number, session.connector_number) == (1, 2)


async def test_a_station_with_a_button_charges_without_any_card(network: Network, version2: str) -> None:
    station = await network.station(version2)
    started = event2("Started", station.at, 0, wh=1_000_000, uid="", token_type="NoAuthorization")
    assert (await station.says("TransactionEvent", started))["idTokenInfo"]["status"] == "Accepted"
    await station.says("TransactionEvent", event2("Ended", station.at + 9 * MINUTE, 1, wh=1_001_000))
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.token_type) == ("completed", 1_000, "NoAuthorization")


async def test_a_card_shown_first_and_a_better_one_later_leaves_the_better_one(network: Network, version2: str) -> None:
    await network.token("GOOD")
    await network.token("BAD", status="blocked")
    station = await network.station(version2)
    at = station.at
    for seq, uid in enumerate(("BAD", "GOOD", "BAD")):
        kind = "Started" if seq == 0 else "Updated"
        await station.says("TransactionEvent", event2(kind, at + seq * MINUTE, seq, uid=uid, trigger="Authorized"))
    session = await network.session_of(station)
    assert (session.token_uid, session.authorization_status) == ("GOOD", "accepted")


# ------------------------------------------------------------------------------------------ one outlet, one session


async def test_a_new_charge_on_an_outlet_ends_the_one_whose_stop_was_lost(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="15m")
    last_heard_at = station.at
    station.transactions.clear()
    station.passes("2h")
    await network.token("TAG2")
    assert await station.presents("TAG2") == "Accepted"
    lost, new = await network.sessions_of(station)
    assert (lost.status, lost.stop_reason, lost.ended_at) == ("completed", "superseded", last_heard_at)
    assert (lost.energy_wh, lost.anomalies) == (2_000, ["stop_missing"])
    assert new.status == "active"


async def test_the_lost_stop_counts_when_it_comes_after_all(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="15m")
    lost = station.transactions.pop(1)
    stopped_at = station.at + 5 * MINUTE
    station.passes("2h")
    await network.token("TAG2")
    station.registers[1] = 1_002_700
    await station.presents("TAG2")
    if version == "1.6":
        await station.says("StopTransaction", stop16(lost.id, stopped_at, 1_002_700, reason="EVDisconnected"))
    else:
        payload = event2("Ended", stopped_at, lost.seq_no, wh=1_002_700, info={"stoppedReason": "EVDisconnected"})
        await station.says("TransactionEvent", payload)
    first, second = await network.sessions_of(station)
    assert (first.status, first.energy_wh, first.ended_at) == ("completed", 2_700, stopped_at)
    assert (first.stop_reason, first.anomalies) == ("ev_disconnected", [])
    assert second.status == "active"


async def test_two_outlets_of_a_station_charge_side_by_side(network: Network, version: str) -> None:
    await network.token("TAG1")
    await network.token("TAG2")
    station = await network.station(version)
    await station.presents("TAG1", outlet=1)
    await station.presents("TAG2", outlet=2)
    await station.delivers(wh=1_000, over="15m", outlet=1)
    await station.delivers(wh=3_000, over="15m", outlet=2)
    await station.unplugs(outlet=2)
    await station.unplugs(outlet=1)
    first, second = await network.sessions_of(station)
    assert (first.evse_number, first.energy_wh, first.token_uid) == (1, 1_000, "TAG1")
    assert (second.evse_number, second.energy_wh, second.token_uid) == (2, 3_000, "TAG2")


# ------------------------------------------------------------------------------------------ who may speak (36)


@pytest.mark.parametrize("registration", ["pending", "rejected"])
async def test_a_station_that_is_not_accepted_may_charge_nobody(
    network: Network, version: str, registration: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version, boots=False, registration=registration)
    assert await station.boots() == registration.capitalize()
    action, payload = _start(station)
    answer = await station.wire.call(action, payload)
    assert isinstance(answer, Error)
    assert answer.code == "SecurityError"
    assert await network.sessions_of(station) == []


async def test_before_it_boots_a_new_station_may_say_nothing_else(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version, boots=False)
    await station.connects()
    action, payload = _start(station)
    answer = await station.wire.call(action, payload)
    assert isinstance(answer, Error)
    assert answer.code == "SecurityError"
    assert await station.boots() == "Accepted"
    assert isinstance(await station.wire.call(action, payload), dict)


async def test_a_station_nobody_knows_is_turned_away(network: Network, version: str) -> None:
    station = await network.station(version, boots=False)
    station.wire.url = station.wire.url.replace("ST-1", "ST-X")
    with pytest.raises(Exception, match=r"40[14]"):
        await station.connects()


async def test_a_retired_stations_line_is_cut_and_it_does_not_get_in_again(network: Network, version: str) -> None:
    station = await network.station(version)
    await network.pool.execute("update station set retired_at = now() where station_id = $1", station.station_id)
    await network.house.bus.publish("ohmstead.station.changed", {"station_id": station.station_id})
    await network.until(lambda: _cut(station), "the line is cut")
    with pytest.raises((Lost, TimeoutError)):
        await station.says("Heartbeat", {})
    with pytest.raises(Exception, match=r"40[14]"):
        await station.connects()


async def _cut(station: Station) -> bool:
    return not station.wire.is_open


def _start(station: Station) -> tuple[str, dict[str, Any]]:
    if station.version == "1.6":
        return "StartTransaction", start16(station.at, 1_000_000)
    return "TransactionEvent", event2("Started", station.at, 0, uid="TAG1", wh=1_000_000)


# ------------------------------------------------------------------------------------------ 16: cost per message


async def test_the_cost_of_a_message_does_not_grow_with_its_session(network: Network) -> None:
    """Statements and rows, not time: an update of a session with 400 samples reads what one with 4 reads."""
    await network.token("TAG1", max_sessions=None)
    cost = {}
    for n_before in (4, 400):
        station = await network.station("2.0.1", f"ST-{n_before}")
        at = station.at
        await station.says("TransactionEvent", event2("Started", at, 0, wh=1_000_000, uid="TAG1"))
        for seq_no in range(1, 5):
            part = range((seq_no - 1) * n_before // 4, seq_no * n_before // 4)
            values = [
                value2(at + n * MINUTE, sampled2(1_000_100 + 100 * n), sampled2(6_000, measurand="Power.Active.Import"))
                for n in part
            ]
            when = at + part[-1] * MINUTE
            await station.says("TransactionEvent", event2("Updated", when, seq_no, values=values))
        assert (await network.session_of(station)).n_samples == n_before + 1
        cost[n_before] = await _cost_of_an_update(network, station, n_before)
    assert cost[4][0] == cost[400][0] < 15
    assert max(cost[4][1], cost[400][1]) < 20


ROWS_READ = (
    "select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::integer"
    " from pg_stat_xact_user_tables where relname ~ '^(sample|session_event|charging_period|signed_reading)'"
)


async def _cost_of_an_update(network: Network, station: Station, n: int) -> tuple[int, int]:
    """Statements, and rows read in the tables that a session fills, by the database's own counters."""
    update = event2("Updated", station.at + n * MINUTE, 5, wh=1_000_100 + 100 * n)
    statements = []
    async with network.pool.acquire() as conn, conn.transaction():
        report = await _reported(conn, station, update)
        # Once without counting: a fresh connection first asks the server about its types.
        rehearsal = conn.transaction()
        await rehearsal.start()
        await sessions.report(conn, [report])
        await rehearsal.rollback()
        before = await conn.fetchval(ROWS_READ)  # counts of this connection that the server has not taken over yet
        with conn.query_logger(lambda record: statements.append(record.query)):
            await sessions.report(conn, [report])
        rows = await conn.fetchval(ROWS_READ) - before
    return len(statements), rows


async def _reported(conn: Connection, station: Station, payload: dict[str, Any]) -> TransactionReport:
    """The report that the edge makes of an event."""
    raw = msgspec.json.encode(payload)
    message = schemas.decode(Version.V201, "TransactionEvent", raw)
    assert isinstance(message, TransactionEventRequest)
    known = await stations.find_station(conn, station.station_id)
    assert known is not None
    inbound = Inbound(
        station=known,
        version=Version.V201,
        action="TransactionEvent",
        message_id="1",
        payload=raw,
        received_at=datetime.now(UTC),
    )
    report = transaction_event(message, inbound).report
    assert report is not None
    return report


async def test_two_starts_with_one_card_in_one_batch_count_against_each_other(network: Network) -> None:
    await network.token("TAG1", max_sessions=1)
    both = [await network.station("2.0.1", f"ST-{n}") for n in (1, 2)]
    async with network.pool.acquire() as conn, conn.transaction():
        reports = [await _reported(conn, s, event2("Started", s.at, 0, uid="TAG1", wh=1_000_000)) for s in both]
        reported = await sessions.report(conn, reports)
    statuses = [outcome.authorization.status for outcome in reported.outcomes if outcome.authorization]
    assert statuses == ["accepted", "concurrent"]
