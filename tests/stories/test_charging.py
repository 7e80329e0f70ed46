"""A car charges: the same story on every version gives the same session."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.sessions.settling.service import settle
from ohmstead.stations.commands import RemoteStart, RemoteStop
from tests.stories.network import Network
from tests.stories.station import span

# What a version can say of a refusal: 1.6 has one word for most.
SAID_16 = {"blocked": "Blocked", "expired": "Expired", "concurrent": "ConcurrentTx"}
SAID_2 = {
    "blocked": "Blocked",
    "expired": "Expired",
    "unknown": "Unknown",
    "concurrent": "ConcurrentTx",
    "not_at_this_location": "NotAtThisLocation",
    "not_at_this_time": "NotAtThisTime",
}


def said(version: str, status: str) -> str:
    return SAID_16.get(status, "Invalid") if version == "1.6" else SAID_2[status]


async def test_a_car_charges_and_the_session_holds_every_watt_hour(network: Network, version: str) -> None:
    token_id = await network.token("TAG1")
    station = await network.station(version)
    await station.plugs_in()
    assert await station.presents("tag1") == "Accepted"
    began_at = station.at
    await station.delivers(wh=11_000, over="1h")
    await station.unplugs()

    session = await network.session_of(station)
    assert session.status == "completed"
    assert session.energy_wh == 11_000
    assert session.energy_source == "register"
    assert (session.started_at, session.ended_at) == (began_at, station.at)
    assert (session.token_uid, session.token_id, session.token_type) == ("tag1", token_id, "ISO14443")
    assert session.authorization_status == "accepted"
    assert session.stop_reason == "ev_disconnected"
    assert session.ocpp_version == version
    assert (session.evse_number, session.connector_number) == (1, 1)
    assert session.anomalies == []
    assert session.peak_power_w == 11_000
    assert session.charging_state == "idle"
    assert session.power_w is None
    assert session.settled_at is not None
    assert session.n_samples == 6
    periods = await network.periods_of(session)
    assert [(p.kind, p.energy_wh) for p in periods] == [("charging", Decimal(11_000))]
    assert (periods[0].started_at, periods[0].ended_at) == (began_at, station.at)
    assert (session.charging_s, session.idle_s) == (3605, 0)


async def test_while_it_charges_energy_power_and_state_can_be_watched(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=5_500, over="30m")
    session = await network.session_of(station)
    assert (session.status, session.charging_state) == ("active", "charging")
    assert (session.energy_wh, session.power_w) == (5_500, 11_000)
    assert session.ended_at is None


async def _card(network: Network, case: str, location_id: UUID) -> dict[str, Any]:
    now = datetime.now(UTC)
    other = await network.location("Elsewhere")
    return {
        "blocked": {"status": "blocked"},
        "expired": {"valid_until": now - timedelta(days=2)},
        "not_at_this_location": {"location_ids": [other]},
        "not_at_this_time": {"valid_from": now + timedelta(days=1)},
    }[case]


@pytest.mark.parametrize("case", ["blocked", "expired", "unknown", "not_at_this_location", "not_at_this_time"])
async def test_a_card_that_may_not_charge_is_told_why(network: Network, version: str, case: str) -> None:
    location_id = await network.location()
    if case != "unknown":
        await network.token("TAG1", **await _card(network, case, location_id))
    station = await network.station(version, location_id=location_id)
    assert await station.presents("TAG1") == said(version, case)
    assert await network.sessions_of(station) == []


@pytest.mark.parametrize("case", ["blocked", "expired", "unknown", "not_at_this_location", "not_at_this_time"])
async def test_energy_taken_without_leave_is_counted_all_the_same(network: Network, version: str, case: str) -> None:
    location_id = await network.location()
    if case != "unknown":
        await network.token("TAG1", **await _card(network, case, location_id))
    station = await network.station(version, location_id=location_id)
    assert await station.starts_anyway("TAG1") == said(version, case)
    pending = await network.session_of(station)
    assert (pending.status, pending.authorization_status) == ("pending", case)
    await station.delivers(wh=250, over="2m")
    assert (await network.session_of(station)).status == "active"
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.authorization_status) == ("completed", 250, case)


async def test_a_card_in_use_elsewhere_starts_nothing_until_that_session_ends(network: Network, version: str) -> None:
    await network.token("TAG1")
    first = await network.station(version, "ST-1")
    second = await network.station(version, "ST-2")
    assert await first.presents("TAG1") == "Accepted"
    assert await second.starts_anyway("TAG1") == "ConcurrentTx"
    await second.unplugs()
    await first.delivers(wh=1_000, over="10m")
    await first.unplugs()
    assert await second.presents("TAG1") == "Accepted"


async def test_a_card_may_hold_as_many_sessions_as_it_is_allowed(network: Network, version: str) -> None:
    await network.token("FLEET", max_sessions=2)
    stations = [await network.station(version, f"ST-{n}") for n in range(3)]
    answers = [await station.starts_anyway("FLEET") for station in stations]
    assert answers == ["Accepted", "Accepted", "ConcurrentTx"]


async def test_asking_with_a_card_in_use_does_not_refuse_it_since_it_may_be_shown_to_stop(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    status, _ = await station.authorizes("TAG1")
    assert status == "Accepted"


async def test_a_card_of_the_same_group_stops_and_a_strangers_does_not(network: Network, version: str) -> None:
    await network.token("MINE", group_uid="FAMILY")
    await network.token("OURS", group_uid="FAMILY")
    await network.token("THEIRS", group_uid="NEIGHBOURS")
    station = await network.station(version)
    await station.presents("MINE")
    await station.delivers(wh=2_000, over="20m")
    assert await station.presents("THEIRS") == "NotYours"
    assert (await network.session_of(station)).status == "active"
    assert await station.presents("OURS") == "Accepted"
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", "local", 2_000)
    assert (session.token_uid, session.stop_token_uid, session.group_uid) == ("MINE", "OURS", "FAMILY")


@pytest.mark.parametrize("group", ["G" * 20, "G" * 21], ids=["20 signs", "21 signs"])
async def test_a_group_is_told_as_far_as_1_6_can_carry_it(network: Network, group: str) -> None:
    await network.token("TAG1", group_uid=group)
    station = await network.station("1.6")
    status, told = await station.authorizes("TAG1")
    assert (status, told) == ("Accepted", group if len(group) <= 20 else None)


async def test_a_master_pass_stops_what_others_began_and_begins_nothing(network: Network, version: str) -> None:
    await network.token("TAG1")
    await network.token("MASTER", is_master=True, group_uid="MASTERS", max_sessions=None)
    station = await network.station(version, master_group="MASTERS")
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="20m")
    assert await station.presents("MASTER") == "Accepted"
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.stop_token_uid) == ("completed", 2_000, "MASTER")
    assert session.stop_reason == ("local" if version == "1.6" else "master_pass")
    assert await station.starts_anyway("MASTER") != "Accepted"


async def test_an_operator_starts_and_stops_from_afar(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    started = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    assert started.status == "accepted"
    await network.is_status(station, "active")
    session = await network.session_of(station)
    assert (session.token_uid, session.evse_number) == ("TAG1", 1)
    if version != "1.6":
        asked = await station.hears("RequestStartTransaction")
        assert session.remote_start_id == asked["remoteStartId"]
    await station.delivers(wh=3_000, over="30m")
    stopped = await network.orders(station, RemoteStop(transaction_id=session.transaction_id))
    assert stopped.status == "accepted"
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    assert (session.energy_wh, session.stop_reason) == (3_000, "remote")


async def test_a_charge_begun_and_ended_offline_comes_in_later_with_its_own_times(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.goes_offline()
    await station.presents("TAG1")
    began_at = station.at
    await station.delivers(wh=7_000, over="1h")
    await station.presents("TAG1")
    ended_at = station.at
    station.passes("3h")
    assert await network.sessions_of(station) == []
    await station.comes_back()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 7_000)
    assert (session.started_at, session.ended_at) == (began_at, ended_at)
    assert session.authorization_status == "accepted"
    assert session.is_offline is (version != "1.6")  # 1.6 has no word for it
    assert session.anomalies == []


async def test_the_power_fails_and_the_session_ends_when_it_did(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=4_000, over="30m")
    failed_at = station.at
    await station.loses_power()
    await network.is_connected(station, False)
    await station.powers_up(after="10m")
    session = await network.session_of(station)
    assert (session.status, session.stop_reason) == ("completed", "power_loss")
    assert (session.energy_wh, session.ended_at) == (4_000, failed_at)


async def test_a_full_car_that_stays_is_idle_and_costs_no_energy(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    began_at = station.at
    await station.delivers(wh=11_000, over="1h")
    await station.suspends("ev", over="2h")
    await station.unplugs()
    session = await network.session_of(station)
    periods = await network.periods_of(session)
    assert [(p.kind, p.energy_wh) for p in periods] == [("charging", 11_000), ("suspended_ev", 0)]
    assert periods[0].ended_at == periods[1].started_at == began_at + span("1h")
    assert (session.charging_s, session.idle_s) == (3600, 7205)
    assert session.energy_wh == 11_000


async def test_a_station_that_holds_back_makes_a_pause_that_is_not_the_drivers(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=3_000, over="30m")
    await station.suspends("evse", over="30m")
    assert (await network.session_of(station)).charging_state == "suspended_evse"
    await station.resumes()
    await station.delivers(wh=3_000, over="30m")
    await station.presents("TAG1")
    session = await network.session_of(station)
    assert [(p.kind, p.energy_wh) for p in await network.periods_of(session)] == [
        ("charging", 3_000),
        ("suspended_evse", 0),
        ("charging", 3_000),
    ]
    assert (session.charging_s, session.idle_s) == (3605, 0)


async def test_the_battery_fills_and_its_level_is_kept(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    for soc in (31, 55, 80):
        station.soc_percent = soc
        await station.delivers(wh=2_000, over="15m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.soc_start_percent, session.soc_percent) == (31, 80)
    assert [s.soc_percent for s in await network.samples_of(session) if s.context == "Sample.Periodic"] == [31, 55, 80]
    assert session.energy_wh == 6_000


async def test_a_station_that_connects_again_without_booting_goes_on(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="15m")
    await station.goes_offline()
    await station.delivers(wh=2_000, over="15m")
    await station.comes_back()
    await station.delivers(wh=2_000, over="15m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 6_000)
    assert [action for _, action, _ in station.wire.said].count("BootNotification") == 1


async def test_a_second_connection_takes_over_and_the_first_ones_end_changes_nothing(
    network: Network, version: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=2_000, over="15m")
    old = station.wire
    again = type(old)(old.url, version, old.on_call, old.after, old.said, old.heard)
    await again.connect()
    station.wire = again
    await station.delivers(wh=2_000, over="15m")
    await network.until(lambda: _is_closed(old), "the old socket is closed")
    await station.unplugs()
    await old.cut()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 4_000)
    await network.is_connected(station)


async def _is_closed(wire: Any) -> bool:
    return not wire.is_open


async def test_the_gateway_restarts_in_the_middle_and_the_session_goes_on(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=5_000, over="30m")
    await network.house.restart_gateway()
    assert not station.wire.is_open
    await station.goes_offline()
    await station.comes_back()
    await station.delivers(wh=5_000, over="30m")
    await station.unplugs()
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 10_000, [])
    assert (session.ended_at - session.started_at) == span("1h") + span("5s")


async def test_a_gateway_that_died_hands_over_to_another(network: Network, version: str) -> None:
    await network.token("TAG1")
    station = await network.station(version)
    await station.presents("TAG1")
    await station.delivers(wh=5_000, over="30m")
    dead = network.house._door
    assert dead is not None
    await station.loses_power()
    await network.house.open_door()
    station.wire.url = f"{network.house.url}/ocpp/{station.station_id}"
    try:
        await station.comes_back()
        await station.delivers(wh=5_000, over="30m")
        stopped = await network.orders(
            station, RemoteStop(transaction_id=(await network.session_of(station)).transaction_id)
        )
        assert stopped.status == "accepted"
        await network.is_status(station, "completed")
        assert (await network.session_of(station)).energy_wh == 10_000
    finally:
        await dead.close()


async def test_a_station_cannot_fill_the_register_with_outlets_it_makes_up(network: Network, version: str) -> None:
    station = await network.station(version)
    for number in (2, 200, 201, 2_000_000):
        await station.tells_status(number, "available")
    known = await network.rows("select evse_number from connector where station_id = $1 order by 1", station.station_id)
    assert [row.evse_number for row in known if row.evse_number > 1] == [2, 200]


async def test_a_session_keeps_its_energy_when_its_samples_are_gone(network: Network, version: str) -> None:
    """Settled again, say for a late message, after retention took its samples."""
    await network.token("TAG1")
    station = await network.station(version)
    await station.plugs_in()
    await station.presents("TAG1")
    await station.delivers(wh=11_000, over="1h")
    await station.unplugs()
    before = await network.session_of(station)
    assert before.energy_wh == 11_000
    async with network.pool.acquire() as conn, conn.transaction():
        await conn.execute("delete from sample where session_id = $1", before.session_id)
        assert await settle(conn, [before.session_id]) == []
    assert (await network.session_of(station)).energy_wh == 11_000
    assert await network.periods_of(before) != []
