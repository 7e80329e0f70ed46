"""Traps in which charging back-ends lost or invented energy: what is kept, what is believed, what it adds up to."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.stories.messages import REGISTER, event2, sampled2, sampled16, start16, stop16, value2, values16
from tests.stories.network import Network
from tests.stories.station import Station
from tests.stories.wire import Error

MINUTE = timedelta(minutes=1)


async def started16(station: Station, meter: int = 1_000_000, **fields: Any) -> int:
    return int((await station.says("StartTransaction", start16(station.at, meter, **fields)))["transactionId"])


# ------------------------------------------------------------------------------------------ 1 and 2: reply and commit


async def test_nothing_is_acknowledged_before_it_is_committed(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    async with network.pool.acquire() as holder:
        held = holder.transaction()
        await held.start()
        await holder.execute("lock table session_event in exclusive mode")
        begins = asyncio.create_task(station.starts_anyway("TAG1"))
        await asyncio.sleep(0.4)
        assert not begins.done()
        assert await network.pool.fetchval("select count(*) from session where party_id = $1", network.party_id) == 0
        await held.rollback()
    assert await begins == "Accepted"
    assert await network.pool.fetchval("select count(*) from session where party_id = $1", network.party_id) == 1


async def test_a_database_connection_that_dies_under_a_message_does_not_lose_it(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    async with network.pool.acquire() as holder:
        held = holder.transaction()
        await held.start()
        await holder.execute("lock table session_event in exclusive mode")
        begins = asyncio.create_task(station.starts_anyway("TAG1"))
        await network.until(lambda: _is_blocked(holder), "the message waits for the lock")
        killed = await holder.fetch(
            "select pg_terminate_backend(pid) from pg_locks where relation = 'session_event'::regclass and not granted"
        )
        assert len(killed) == 1
        await held.rollback()
    assert await begins == "Accepted"
    session = await network.session_of(station)
    assert (session.token_uid, session.n_samples) == ("TAG1", 1)


async def _is_blocked(conn: Any) -> bool:
    return bool(
        await conn.fetchval(
            "select exists (select from pg_locks where relation = 'session_event'::regclass and not granted)"
        )
    )


async def test_what_cannot_be_stored_is_refused_and_its_neighbours_are_served(network: Network, version: str) -> None:
    await network.token("TAG1", max_sessions=None)
    poisoned = await network.station(version, "ST-BAD")
    others = [await network.station(version, f"ST-{n}") for n in range(4)]
    await network.pool.execute(
        "create function refuse_story() returns trigger language plpgsql as"
        f" $$ begin if new.station_id = '{poisoned.station_id}' then raise exception 'no room'; end if; return new; end $$;"
        "create trigger refuse_story before insert on session for each row execute function refuse_story()"
    )
    try:
        said = await asyncio.gather(
            _start_of(poisoned), *(_start_of(station) for station in others), return_exceptions=False
        )
    finally:
        await network.pool.execute("drop trigger refuse_story on session; drop function refuse_story")
    assert isinstance(said[0], Error)
    assert said[0].code == "InternalError"
    assert all(isinstance(answer, dict) for answer in said[1:])
    assert len(await network.sessions_of(poisoned)) == 0
    for station in others:
        assert (await network.session_of(station)).token_uid == "TAG1"
    # Refused, so the station sends it again, and then it counts.
    assert isinstance(await _start_of(poisoned), dict)
    assert (await network.session_of(poisoned)).token_uid == "TAG1"


async def _start_of(station: Station) -> Any:
    if station.version == "1.6":
        return await station.wire.call("StartTransaction", start16(station.at, 1_000_000))
    return await station.wire.call("TransactionEvent", event2("Started", station.at, 0, wh=1_000_000, uid="TAG1"))


# ------------------------------------------------------------------------------------------ 3: starts of zero


async def test_an_offline_begin_of_zero_is_not_the_baseline(network: Network, version2: str) -> None:
    """910 kWh billed instead of 0.083: the start was sent before the meter had been read."""
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    await station.says("TransactionEvent", event2("Started", at, 0, wh=900_000, uid="TAG1", tx="before"))
    await station.says("TransactionEvent", event2("Ended", at + 60 * MINUTE, 1, wh=910_000, tx="before"))
    at += 120 * MINUTE
    await station.says("TransactionEvent", event2("Started", at, 0, wh=0, uid="TAG1", offline=True))
    await station.says("TransactionEvent", event2("Ended", at + 2 * MINUTE, 1, wh=910_083, offline=True))
    before, session = await network.sessions_of(station)
    assert before.energy_wh == 10_000
    assert session.energy_wh == 83
    assert "start_register_corrected" in session.anomalies


async def test_a_begin_of_zero_on_a_connector_without_history_is_replaced_by_the_first_true_reading(
    network: Network, version2: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    for payload in (
        event2("Started", at, 0, wh=0, uid="TAG1"),
        event2("Updated", at + MINUTE, 1, wh=910_100),
        event2("Updated", at + 2 * MINUTE, 2, wh=910_300),
        event2("Ended", at + 3 * MINUTE, 3, wh=910_500),
    ):
        await station.says("TransactionEvent", payload)
    session = await network.session_of(station)
    assert session.energy_wh == 400
    assert "start_register_corrected" in session.anomalies


async def test_a_meter_start_of_zero_is_corrected_by_the_register_of_the_session_before(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    first = await started16(station, 900_000)
    station.passes("1h")
    await station.says("StopTransaction", stop16(first, station.at, 905_000))
    station.passes("1h")
    second = await started16(station, 0)
    station.passes("30m")
    await station.says("StopTransaction", stop16(second, station.at, 909_000))
    sessions = await network.sessions_of(station)
    assert [s.energy_wh for s in sessions] == [5_000, 4_000]


async def test_a_new_meter_that_begins_at_zero_is_believed(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=1_000, over="10m")
    await station.unplugs()
    station.registers[1] = 0
    await station.presents("TAG1")
    await station.delivers(wh=2_500, over="30m")
    await station.unplugs()
    assert [s.energy_wh for s in await network.sessions_of(station)] == [1_000, 2_500]


# ------------------------------------------------------------------------------------------ 4: units


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"value": "1000.5", "unit": "kWh"}, {"value": "1002.75", "unit": "kWh"}),
        ({"value": "1000500", "unit": "Wh"}, {"value": "1002750", "unit": "Wh"}),
        ({"value": "1000500"}, {"value": "1002750"}),
        ({"value": "1000.5", "unit": "kWh", "measurand": REGISTER}, {"value": "1002750", "measurand": REGISTER}),
    ],
    ids=["kWh", "Wh", "no unit", "mixed"],
)
async def test_kilowatt_hours_are_not_taken_for_watt_hours_in_1_6(
    network: Network, first: dict[str, str], last: dict[str, str]
) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    for sample, minutes in ((first, 5), (last, 15)):
        at = station.at + minutes * MINUTE
        await station.says("MeterValues", values16(at, sample, transaction_id=tx))
    session = await network.session_of(station)
    assert session.energy_wh == 2_750


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ({"value": 1000.5, "unitOfMeasure": {"unit": "kWh"}}, {"value": 1003.25, "unitOfMeasure": {"unit": "kWh"}}),
        ({"value": 10005, "unitOfMeasure": {"multiplier": 2}}, {"value": 10032.5, "unitOfMeasure": {"multiplier": 2}}),
        ({"value": 1000500}, {"value": 1003250}),
        (
            {"value": 10005, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}},
            {"value": 1003.25, "unitOfMeasure": {"unit": "kWh", "multiplier": 0}},
        ),
    ],
    ids=["kWh", "multiplier", "nothing", "kWh and multiplier"],
)
async def test_unit_and_multiplier_are_heeded_in_2_x(
    network: Network, version2: str, begin: dict[str, Any], end: dict[str, Any]
) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    begin, end = {"context": "Transaction.Begin", **begin}, {"context": "Transaction.End", **end}
    await station.says("TransactionEvent", event2("Started", station.at, 0, begin, uid="TAG1"))
    await station.says("TransactionEvent", event2("Ended", station.at + 20 * MINUTE, 1, end))
    assert (await network.session_of(station)).energy_wh == 2_750


# ------------------------------------------------------------------------------------------ 5: the last reading


async def test_without_a_single_meter_value_stop_minus_start_is_billed(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    station.passes("1h")
    await station.says("StopTransaction", stop16(tx, station.at, 1_009_876))
    assert (await network.session_of(station)).energy_wh == 9_876


async def test_the_ended_events_register_counts(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    await station.says("TransactionEvent", event2("Started", at, 0, wh=1_000_000, uid="TAG1"))
    await station.says("TransactionEvent", event2("Updated", at + 10 * MINUTE, 1, wh=1_001_000))
    await station.says("TransactionEvent", event2("Ended", at + 20 * MINUTE, 2, wh=1_002_345))
    assert (await network.session_of(station)).energy_wh == 2_345


async def test_the_readings_inside_a_stop_are_kept_and_counted(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    at = station.at
    data = [
        values16(at, sampled16(1_000_000, context="Transaction.Begin"))["meterValue"][0],
        values16(at + 10 * MINUTE, sampled16(1_001_500, context="Sample.Clock"))["meterValue"][0],
        values16(at + 20 * MINUTE, sampled16("1003.0", context="Transaction.End", unit="kWh"))["meterValue"][0],
    ]
    await station.says("StopTransaction", stop16(tx, at + 20 * MINUTE, 1_003_000, transactionData=data))
    session = await network.session_of(station)
    assert session.energy_wh == 3_000
    assert [(s.sampled_at - at, s.energy_wh) for s in await network.samples_of(session)] == [
        (0 * MINUTE, 1_000_000),
        (10 * MINUTE, 1_001_500),
        (20 * MINUTE, 1_003_000),
    ]


async def test_a_stop_that_comes_for_no_known_start_still_counts_its_own_readings(network: Network) -> None:
    station = await network.station("1.6")
    at = station.at
    data = [
        values16(at, sampled16(5_000, context="Transaction.Begin"))["meterValue"][0],
        values16(at + 20 * MINUTE, sampled16(8_000, context="Transaction.End"))["meterValue"][0],
    ]
    answer = await station.says("StopTransaction", stop16(-1, at + 20 * MINUTE, 8_000, transactionData=data))
    assert answer == {}
    session = await network.session_of(station)
    assert (session.is_orphan, session.energy_wh) == (True, 3_000)


# ------------------------------------------------------------------------------------------ 6: other measurands


async def test_a_batch_of_nothing_but_state_of_charge_or_power_leaves_the_energy_alone(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=3_000, over="15m")
    at = station.at + MINUTE
    soc = {"measurand": "SoC", "unit": "Percent"} if version == "1.6" else {"measurand": "SoC"}
    power = {"measurand": "Power.Active.Import"}
    if version == "1.6":
        tx = station.transactions[1].id
        await station.says("MeterValues", values16(at, sampled16(55, **soc), transaction_id=tx))
        await station.says("MeterValues", values16(at + MINUTE, sampled16(7_000, **power), transaction_id=tx))
        clock = sampled16(230, measurand="Voltage", context="Sample.Clock")
        await station.says("MeterValues", values16(at + MINUTE, clock, transaction_id=tx))
    else:
        seq = station.transactions[1].seq_no
        clock = sampled2(230, measurand="Voltage", context="Sample.Clock")
        await station.says("TransactionEvent", event2("Updated", at, seq, sampled2(55, **soc)))
        await station.says("TransactionEvent", event2("Updated", at + MINUTE, seq + 1, sampled2(7_000, **power)))
        await station.says("TransactionEvent", event2("Updated", at + MINUTE, seq + 2, clock))
        station.transactions[1].seq_no += 3
    session = await network.session_of(station)
    assert (session.energy_wh, session.soc_percent, session.power_w) == (3_000, 55, 7_000)
    await station.unplugs()
    assert (await network.session_of(station)).energy_wh == 3_000


async def test_registers_of_single_phases_do_not_overwrite_the_total(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    at = station.at + 15 * MINUTE
    phases = [("L1", 400_000), ("L2", 300_900), ("L3", 301_100)]
    if version == "1.6":
        samples = [sampled16(1_002_000), *(sampled16(wh, phase=phase) for phase, wh in phases)]
        await station.says("MeterValues", values16(at, *samples, transaction_id=station.transactions[1].id))
        samples = [sampled16(wh, phase=phase) for phase, wh in phases]
        await station.says("MeterValues", values16(at + MINUTE, *samples, transaction_id=station.transactions[1].id))
    else:
        tx = station.transactions[1]
        both = [sampled2(1_002_000), *(sampled2(wh, phase=phase) for phase, wh in phases)]
        await station.says("TransactionEvent", event2("Updated", at, tx.seq_no, *both))
        await station.says("TransactionEvent", event2("Updated", at + MINUTE, tx.seq_no + 1, *both[1:]))
    session = await network.session_of(station)
    assert session.energy_wh == 2_000
    sample = next(s for s in await network.samples_of(session) if s.sampled_at == at)
    assert sample.readings[f"{REGISTER}/L1"] == ["400000", "Wh"]


async def test_power_told_by_phase_is_summed(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    await station.presents("TAG1")
    phases = [sampled2(w, measurand="Power.Active.Import", phase=f"L{n}") for n, w in ((1, 3600), (2, 3500), (3, 3400))]
    await station.says("TransactionEvent", event2("Updated", station.at + MINUTE, 2, *phases))
    assert (await network.session_of(station)).power_w == 10_500


async def test_readings_at_the_inlet_are_kept_but_not_billed(network: Network, version2: str) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    await station.presents("TAG1")
    inlet = sampled2(77_000_000, location="Inlet", measurand=REGISTER)
    await station.says("TransactionEvent", event2("Updated", station.at + MINUTE, 2, inlet, wh=1_000_100))
    session = await network.session_of(station)
    assert session.energy_wh == 100
    assert session.anomalies == []


# ------------------------------------------------------------------------------------------ 7: linking


async def test_meter_values_without_a_transaction_belong_to_the_connectors_session(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    at = station.at + 10 * MINUTE
    if version == "1.6":
        await station.says("MeterValues", values16(at, wh=1_001_800))
    else:
        values = [value2(at, sampled2(1_001_800, measurand=REGISTER))]
        await station.says("MeterValues", {"evseId": 1, "meterValue": values})
    session = await network.session_of(station)
    assert session.energy_wh == 1_800
    assert at in [s.sampled_at for s in await network.samples_of(session)]


async def test_meter_values_of_a_free_connector_are_kept_and_join_no_session(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=1_000, over="10m")
    await station.unplugs()
    at = station.at + 10 * MINUTE
    if version == "1.6":
        await station.says("MeterValues", values16(at, wh=1_099_000))
    else:
        values = [value2(at, sampled2(1_099_000, measurand=REGISTER))]
        await station.says("MeterValues", {"evseId": 1, "meterValue": values})
    assert (await network.session_of(station)).energy_wh == 1_000
    loose = await network.rows("select * from loose_sample where station_id = $1", station.station_id)
    assert [(s.evse_number, s.sampled_at, s.energy_wh) for s in loose] == [(1, at, 1_099_000)]


async def test_samples_that_arrive_after_the_stop_are_accepted_and_kept(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    began_at, tx = station.at, station.transactions[1]
    station.passes("1h")
    station.registers[1] = 1_006_000
    tx.seq_no += 1
    await station.unplugs()
    late_at = began_at + 30 * MINUTE
    if version == "1.6":
        await station.says("MeterValues", values16(late_at, transaction_id=tx.id, wh=1_002_900))
    else:
        await station.says("TransactionEvent", event2("Updated", late_at, 2, wh=1_002_900, tx=str(tx.id)))
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 6_000)
    assert late_at in [s.sampled_at for s in await network.samples_of(session)]
    periods = await network.periods_of(session)
    assert sum(p.energy_wh for p in periods) == 6_000


async def test_a_session_that_ended_without_a_register_takes_it_from_the_sample_that_came_late(
    network: Network, version2: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version2)
    at = station.at
    await station.says("TransactionEvent", event2("Started", at, 0, wh=1_000_000, uid="TAG1"))
    await station.says("TransactionEvent", event2("Ended", at + 20 * MINUTE, 2))
    await station.says("TransactionEvent", event2("Updated", at + 19 * MINUTE, 1, wh=1_004_321))
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 4_321)


# ------------------------------------------------------------------------------------------ 15: odd registers


async def test_a_meter_stop_one_watt_hour_below_the_start_is_no_energy_and_no_alarm(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    await station.says("StopTransaction", stop16(tx, station.at + MINUTE, 999_999))
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 0, [])


async def test_a_register_that_starts_over_loses_nothing_that_was_counted(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version, sample_every=timedelta(minutes=5))
    await station.presents("TAG1")
    await station.delivers(wh=5_000, over="30m")
    station.registers[1] = 0
    await station.delivers(wh=3_000, over="20m")
    await station.unplugs()
    session = await network.session_of(station)
    # What passed between the last reading before and the first one after the reset nobody can know.
    assert session.energy_wh == 5_000 + 3_000 * Decimal("0.75")
    assert "register_reset" in session.anomalies


async def test_a_register_that_leaps_faster_than_the_outlet_can_deliver_is_not_billed(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version, sample_every=timedelta(minutes=5), rated_w=22_000)
    await station.presents("TAG1")
    await station.delivers(wh=5_000, over="30m")
    station.registers[1] = station.register() + 4_000_000
    await station.delivers(wh=3_000, over="15m")
    await station.unplugs()
    session = await network.session_of(station)
    assert session.energy_wh == 7_000
    assert "implausible_jump" in session.anomalies


async def test_a_meter_stop_of_zero_leaves_the_last_sample_standing(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    await station.says("MeterValues", values16(station.at + 10 * MINUTE, transaction_id=tx, wh=1_003_000))
    await station.says("StopTransaction", stop16(tx, station.at + 11 * MINUTE, 0))
    session = await network.session_of(station)
    assert (session.energy_wh, session.anomalies) == (3_000, ["implausible_end"])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "", "-5", "abc", "1e400"])
async def test_a_reading_that_is_no_number_is_left_out_and_the_rest_counts(network: Network, value: str) -> None:
    await network.token("TAG1")
    station = await network.station("1.6")
    tx = await started16(station, 1_000_000)
    odd = values16(station.at + MINUTE, sampled16(value), sampled16(60, measurand="SoC"), transaction_id=tx)
    await station.says("MeterValues", odd)
    await station.says("StopTransaction", stop16(tx, station.at + 20 * MINUTE, 1_001_000))
    session = await network.session_of(station)
    assert (session.energy_wh, session.soc_percent) == (1_000, 60)


# ------------------------------------------------------------------------------------------ 15: odd clocks


async def test_a_station_that_lives_in_1970_is_billed_by_its_registers(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    true_at, station.at = station.at, station.at.replace(year=1970)
    await station.presents("TAG1")
    await station.delivers(wh=6_000, over="45m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 6_000)
    assert "clock_wrong" in session.anomalies
    assert session.started_at > true_at
    assert session.ended_at >= session.started_at
    assert sum(p.energy_wh for p in await network.periods_of(session)) in (0, 6_000)


async def test_a_clock_put_back_two_hours_in_the_middle_loses_no_energy(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    station.passes("2h")
    await station.presents("TAG1")
    await station.delivers(wh=5_000, over="30m")
    station.at -= timedelta(hours=2)
    await station.delivers(wh=5_000, over="30m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 10_000)
    assert session.ended_at >= session.started_at
    periods = await network.periods_of(session)
    assert all(p.ended_at > p.started_at and p.energy_wh >= 0 for p in periods)


async def test_a_clock_set_forward_when_it_learns_the_time_loses_no_energy(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    learned_at, station.at = station.at, station.at.replace(year=1970)
    await station.presents("TAG1")
    station.passes("10m")
    station.registers[1] = 1_002_000
    station.at = learned_at
    await station.delivers(wh=2_000, over="30m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 4_000)


# ------------------------------------------------------------------------------------------ 40: signed readings


async def test_signed_readings_are_kept_byte_for_byte(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    text = 'OCMF|{"FV":"1.0","RD":[{"RV":1000.00,  "RU":"kWh"}]}|{"SD":"30450220\\u00e9é"}\r\n '
    at = station.at + MINUTE
    if version == "1.6":
        sample = sampled16(text, format="SignedData", context="Transaction.Begin")
        payload = values16(at, sample, transaction_id=station.transactions[1].id)
        for _ in range(2):
            await station.says("MeterValues", payload)
    else:
        signed = {
            "signedMeterData": text,
            "signingMethod": "ECDSA-secp256r1-SHA256",
            "encodingMethod": "OCMF",
            "publicKey": "cHVibGlj",
        }
        sample = sampled2(1_000_000, context="Transaction.Begin", signedMeterValue=signed)
        payload = event2("Updated", at, 2, sample)
        for _ in range(2):
            await station.says("TransactionEvent", payload)
    session = await network.session_of(station)
    kept = await network.rows("select * from signed_reading where session_id = $1", session.session_id)
    assert [(k.data, k.sampled_at) for k in kept] == [(text.encode(), at)]
    if version != "1.6":
        assert (kept[0].encoding, kept[0].public_key) == ("OCMF", "cHVibGlj")
        assert kept[0].signing_method == "ECDSA-secp256r1-SHA256"
