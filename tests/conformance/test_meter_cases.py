"""Certification cases of group J (meter values): on the wire and kept."""

from datetime import datetime
from types import SimpleNamespace

import pytest

from tests.conformance.judged import Charge
from tests.stories.messages import REGISTER, sampled2, value2
from tests.stories.network import Network
from tests.stories.station import Payload, Station

SIGNED = {
    "signedMeterData": "T0NNRnx7IkZWIjoiMS4wIn18eyJTRCI6IjMwNDUifQ==",
    "signingMethod": "ECDSA-secp256r1-SHA256",
    "encodingMethod": "OCMF",
    "publicKey": "cHVibGljIGtleQ==",
}


def register(wh: float, context: str, **fields: object) -> Payload:
    return sampled2(wh, context=context, measurand=REGISTER, **fields)


async def started(network: Network, station: Station, **fields: object) -> Charge:
    await network.token("TAG1")
    charge = Charge(station)
    answer = await charge.tells("Started", "Authorized", uid="TAG1", **fields)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    return charge


async def kept(network: Network, station: Station) -> tuple[SimpleNamespace, list[tuple[str, datetime, object]]]:
    """The session and its samples: context, instant, register."""
    session = await network.session_of(station)
    return session, [(s.context, s.sampled_at, s.energy_wh) for s in await network.samples_of(session)]


async def test_tc_j_01_values_of_the_clock_without_a_session_are_kept_for_their_outlet(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    for wh in (1_000, 1_001):
        station.passes("15m")
        told = {"evseId": 1, "meterValue": [value2(station.at, register(wh, "Sample.Clock"))]}
        assert await station.says("MeterValues", told) == {}
    rows = await network.rows(
        "select * from loose_sample where station_id = $1 order by sampled_at", station.station_id
    )
    assert [(row.evse_number, row.sampled_at) for row in rows][-1] == (1, station.at)
    assert len(rows) == 2
    assert await network.sessions_of(station) == []


async def test_tc_j_02_values_of_the_clock_in_a_session_are_its_samples(network: Network, version2: str) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=1_000)
    answer = await charge.tells("Updated", "MeterValueClock", register(2_500, "Sample.Clock"), state="Charging")
    assert answer == {}
    session, samples = await kept(network, station)
    assert ("Sample.Clock", station.at, 2_500) in samples
    assert (session.status, session.energy_wh) == ("active", 1_500)


async def test_tc_j_03_values_of_the_clock_inside_the_end_are_kept_each_with_its_own_time(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=1_000)
    began_at = station.at
    station.passes("30m")
    first_at = station.at
    station.passes("15m")
    values = [value2(first_at, register(2_000, "Sample.Clock")), value2(station.at, register(3_000, "Sample.Clock"))]
    station.passes("1m")
    values.append(value2(station.at, register(3_050, "Transaction.End")))
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", values=values)
    session, samples = await kept(network, station)
    clock = [(at, wh) for context, at, wh in samples if context == "Sample.Clock"]
    assert [wh for _, wh in clock] == [2_000, 3_000]
    assert clock[0][0] == first_at > began_at
    assert (session.status, session.energy_wh) == ("completed", 2_050)


@pytest.mark.parametrize("context", ["Sample.Clock", "Sample.Periodic"])
async def test_tc_j_04_and_11_signed_values_are_kept_as_they_were_signed(
    network: Network, version2: str, context: str
) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=1_000)
    trigger = "MeterValueClock" if context == "Sample.Clock" else "MeterValuePeriodic"
    await charge.tells("Updated", trigger, register(2_000, context, signedMeterValue=SIGNED), state="Charging")
    at = station.at
    session, samples = await kept(network, station)
    assert (context, at, 2_000) in samples
    [reading] = await network.rows("select * from signed_reading where session_id = $1", session.session_id)
    assert reading.data.decode() == SIGNED["signedMeterData"]
    assert (reading.encoding, reading.signing_method) == ("OCMF", SIGNED["signingMethod"])
    assert (reading.public_key, reading.context, reading.sampled_at) == (SIGNED["publicKey"], context, at)


async def test_tc_j_07_the_values_at_the_start_are_where_the_session_counts_from(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=7_000)
    began_at = station.at
    session, samples = await kept(network, station)
    assert samples == [("Transaction.Begin", began_at, 7_000)]
    assert (session.register_start_wh, session.register_start_at, session.energy_wh) == (7_000, began_at, 0)
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=7_500)
    assert (await network.session_of(station)).energy_wh == 500


async def test_tc_j_08_a_start_that_does_not_know_its_outlet_counts_from_the_event_that_does(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    charge = await started(network, station, evse={})
    assert (await network.session_of(station)).evse_number is None
    await charge.tells("Updated", "CablePluggedIn", register(4_000, "Transaction.Begin"), state="EVConnected")
    session = await network.session_of(station)
    assert (session.evse_number, session.register_start_wh) == (1, 4_000)
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=6_000)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 2_000)


async def test_tc_j_09_periodic_values_move_the_energy_and_the_power(network: Network, version2: str) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=1_000)
    for n in (1, 2, 3):
        power = sampled2(4_000 + n, context="Sample.Periodic", measurand="Power.Active.Import")
        answer = await charge.tells("Updated", "MeterValuePeriodic", power, state="Charging", wh=1_000 + 1_000 * n)
        assert answer == {}
        session = await network.session_of(station)
        assert (session.energy_wh, session.power_w) == (1_000 * n, 4_000 + n)
    _, samples = await kept(network, station)
    assert [wh for context, _, wh in samples if context == "Sample.Periodic"] == [2_000, 3_000, 4_000]


async def test_tc_j_10_the_values_at_the_end_are_the_last_word(network: Network, version2: str) -> None:
    station = await network.station(version2)
    charge = await started(network, station, wh=1_000)
    await charge.tells("Updated", "MeterValuePeriodic", state="Charging", wh=2_000)
    await charge.tells("Ended", "StopAuthorized", reason="Local", uid="TAG1", wh=3_333)
    session, samples = await kept(network, station)
    assert samples[-1] == ("Transaction.End", station.at, 3_333)
    assert (session.register_last_wh, session.energy_wh, session.ended_at) == (3_333, 2_333, station.at)
