"""What a gateway remembers of a session is never believed against the database: who was there meanwhile is seen."""

from datetime import timedelta

import pytest

from ohmstead.core import events
from ohmstead.core.writes import write_all
from ohmstead.sessions import service as sessions
from ohmstead.sessions.memory import SessionMemory, Stale
from tests.stories.messages import event2, sampled2, start16, value2, values16
from tests.stories.network import Network
from tests.stories.station import Station
from tests.stories.test_whose_session import _reported

MINUTE = timedelta(minutes=1)


async def test_what_somebody_else_wrote_to_a_running_session_stays_and_counts(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    begun = await _begins(station)
    await _meters(station, begun, 1, 1_000_100)
    # An operator with a console of the database, another gateway: it makes no difference who.
    changed = await network.pool.execute(
        "update session set anomalies = anomalies || '{seen_by_hand}', peak_power_w = 99999 where station_id = $1",
        station.station_id,
    )
    assert changed == "UPDATE 1"
    await _meters(station, begun, 2, 1_000_200)
    session = await network.session_of(station)
    assert "seen_by_hand" in session.anomalies
    assert session.peak_power_w == 99_999
    assert (session.energy_wh, session.n_samples) == (200, 3)
    await _meters(station, begun, 3, 1_000_300)
    assert (await network.session_of(station)).energy_wh == 300


async def test_a_session_that_another_gateway_ended_meanwhile_is_not_begun_anew(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    begun = await _begins(station)
    await _meters(station, begun, 1, 1_000_100)
    await network.pool.execute(
        "update session set status = 'completed', ended_at = last_event_at where station_id = $1", station.station_id
    )
    await _meters(station, begun, 2, 1_000_200)
    (session,) = await network.sessions_of(station)
    assert (session.status, session.energy_wh, session.n_samples) == ("completed", 200, 3)


async def test_two_who_reckoned_from_the_same_row_cannot_both_write(network: Network) -> None:
    await network.token("TAG1")
    station = await network.station("2.0.1")
    await station.says("TransactionEvent", event2("Started", station.at, 0, uid="TAG1", wh=1_000_000))
    async with network.pool.acquire() as conn:
        first, second = SessionMemory(), SessionMemory()
        updates = [
            await _reported(conn, station, event2("Updated", station.at + n * MINUTE, n, wh=1_000_000 + 100 * n))
            for n in (1, 2)
        ]
        one = await sessions.take_in(conn, [updates[0]], memory=first)
        other = await sessions.take_in(conn, [updates[1]], memory=second)
        with sessions.raising_stale():
            one.done(await write_all(conn, one.writes))
        with pytest.raises(Stale), sessions.raising_stale():
            await write_all(conn, [*other.writes, *events.written([events.Event("Along", "test/1", {})])])
        assert await conn.fetchval("select count(*) from outbox where kind = 'Along'") == 0
        kept = "select n_samples from session where station_id = $1"
        assert await conn.fetchval(kept, station.station_id) == 2
        second.forget([station.station_id])
        again = await sessions.take_in(conn, [updates[1]], memory=second)
        with sessions.raising_stale():
            again.done(await write_all(conn, again.writes))
    session = await network.session_of(station)
    assert (session.energy_wh, session.n_samples, session.seen_seq_nos) == (200, 3, [0, 2])


async def _begins(station: Station) -> int:
    if station.version == "1.6":
        answer = await station.says("StartTransaction", start16(station.at, 1_000_000))
        return int(answer["transactionId"])
    await station.says("TransactionEvent", event2("Started", station.at, 0, uid="TAG1", wh=1_000_000))
    return 0


async def _meters(station: Station, begun: int, n: int, wh: int) -> None:
    at = station.at + n * MINUTE
    if station.version == "1.6":
        await station.says("MeterValues", values16(at, transaction_id=begun, wh=wh))
    else:
        await station.says("TransactionEvent", event2("Updated", at, n, values=[value2(at, sampled2(wh))]))
