"""Stations nobody announced, stations that wait, are adopted, turned away or retired."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations.directory import service as directory
from ohmstead.stations.orders import GetVariables, Trigger
from tests.gateway.running import KEY, House, eventually, open_gateway, with_settings
from tests.gateway.wire import BOOT, VERSIONS, basic, connected, knock

STATUS: dict[Version, dict[str, Any]] = {
    Version.V16: {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    Version.V201: {
        "timestamp": "2026-11-01T08:00:00Z",
        "connectorStatus": "Available",
        "evseId": 1,
        "connectorId": 1,
    },
    Version.V21: {"timestamp": "2026-11-01T08:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
}


@pytest.fixture
async def listing(settings: Settings, db: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway that lists stations nobody announced."""
    async with open_gateway(with_settings(settings, unknown_stations="pending"), db, party_id) as running:
        yield running


@pytest.fixture
async def laboratory(settings: Settings, db: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway that lets everybody in."""
    async with open_gateway(with_settings(settings, unknown_stations="accept"), db, party_id) as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_newcomer_boots_as_pending_and_may_say_nothing_else(version: Version, listing: House) -> None:
    async with connected(listing, "NEW-1", version) as station:
        early = await station.ask("StatusNotification", STATUS[version])
        assert early[:3] == [4, early[1], "SecurityError"]
        boot = await station.boot()
        assert boot["status"] == "Pending"
        assert 0 < boot["interval"] <= 60
        for action, payload in (("StatusNotification", STATUS[version]), ("Heartbeat", {})):
            refused = await station.ask(action, payload)
            assert (refused[0], refused[2]) == (4, "SecurityError"), refused
        assert not await listing.pool.fetchval("select exists (select from status_change)")
        row = await listing.row("NEW-1")
        assert (row["registration"], row["vendor"], row["security_profile"]) == ("pending", "Vendor", 1)


async def test_a_pending_station_may_send_what_we_asked_it_for_and_only_that(listing: House) -> None:
    async with connected(listing, "NEW-1", Version.V201) as station:
        await station.boot()
        station.replies = {"GetBaseReport": {"status": "Accepted"}, "TriggerMessage": {"status": "Accepted"}}
        async with station.listening():
            report = await listing.order("NEW-1", GetVariables())
            trigger = await listing.order("NEW-1", Trigger(message="StatusNotification"))
        assert (report.status, trigger.status) == ("accepted", "accepted")
        data = {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "Identity"},
            "variableAttribute": [{"value": "NEW-1"}],
        }
        notify = {"requestId": 1, "generatedAt": "2026-11-01T08:00:00Z", "seqNo": 0, "reportData": [data]}
        assert await station.tell("NotifyReport", notify) == {}
        assert await station.tell("StatusNotification", STATUS[Version.V201]) == {}
        assert (await station.ask("Heartbeat", {}))[2] == "SecurityError"
        assert (await station.ask("Authorize", {"idToken": {"idToken": "AA", "type": "Central"}}))[2] == "SecurityError"
        kept = await listing.pool.fetchval("select value from station_variable where variable = 'Identity'")
        assert kept == "NEW-1"


async def test_what_we_asked_for_on_one_connection_is_not_allowed_on_the_next(listing: House) -> None:
    async with connected(listing, "NEW-1") as station:
        await station.boot()
        station.replies = {"TriggerMessage": {"status": "Accepted"}}
        async with station.listening():
            await listing.order("NEW-1", Trigger(message="StatusNotification"))
        await station.tell("StatusNotification", STATUS[Version.V16])
    async with connected(listing, "NEW-1") as station:
        assert (await station.ask("StatusNotification", STATUS[Version.V16]))[2] == "SecurityError"


async def test_a_newcomer_can_come_again_with_the_password_it_first_came_with(listing: House) -> None:
    for _ in range(2):
        async with connected(listing, "NEW-1") as station:
            assert (await station.boot())["status"] == "Pending"
    assert await knock(listing, "NEW-1", headers=basic("NEW-1", bytes.fromhex(KEY))) == 101
    assert await knock(listing, "NEW-1", headers=basic("NEW-1", "somebody-else-456")) == 401
    assert await knock(listing, "NEW-1", headers={}) == 401


async def test_of_two_first_contacts_at_once_only_one_password_counts(listing: House) -> None:
    statuses = await asyncio.gather(
        *(knock(listing, "NEW-1", headers=basic("NEW-1", f"password-number-{n}")) for n in range(4))
    )
    assert sorted(set(statuses)) in ([101, 401], [101, 401, 429])
    assert statuses.count(101) == 1


async def test_a_newcomer_without_a_password_is_listed_with_profile_0(listing: House) -> None:
    async with connected(listing, "NEW-1", headers={}) as station:
        assert (await station.boot())["status"] == "Pending"
    assert (await listing.row("NEW-1"))["security_profile"] == 0
    assert await knock(listing, "NEW-1", headers={}) == 101


@pytest.mark.parametrize("version", VERSIONS)
async def test_adoption_is_effective_at_once_and_the_station_is_asked_to_boot(version: Version, listing: House) -> None:
    async with connected(listing, "NEW-1", version) as station:
        await station.boot()
        station.replies = {"TriggerMessage": {"status": "Accepted"}}
        await listing.change("NEW-1", registration="accepted")
        async with asyncio.timeout(5):
            while not station.asked:
                await station.send([2, "early", "Heartbeat", {}])
                refused = await station.receive()
                assert refused[2] == "SecurityError"
                await asyncio.sleep(0.02)
        assert station.asked[0][2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        boot = await station.boot()
        assert boot["status"] == "Accepted"
        assert boot["interval"] > 60
        await station.beat()
        await station.tell("StatusNotification", STATUS[version])
        assert station.ws.close_code is None


async def test_an_operators_adoption_keeps_the_password_and_the_socket(listing: House) -> None:
    async with connected(listing, "NEW-1", Version.V201) as station:
        await station.boot()
        async with listing.pool.acquire() as conn, conn.transaction():
            adopted = await directory.adopt(
                conn, access.system(listing.party_id), "NEW-1", directory.Adoption(name="Quay 1"), b"unused"
            )
        assert adopted.secret is None
        await directory.announce(listing.bus, listing.party_id, ["NEW-1"], "adopted")
        assert (await station.call())[2] == "TriggerMessage"
        assert (await station.boot())["status"] == "Accepted"
        await station.beat()
    assert await knock(listing, "NEW-1") == 101


async def test_an_adoption_with_a_new_password_asks_for_it_at_once(listing: House) -> None:
    async with connected(listing, "NEW-1") as station:
        await station.boot()
        pepper = listing.gateway.settings.secret()
        given = directory.Adoption(password="mussels and 5 whelks")
        async with listing.pool.acquire() as conn, conn.transaction():
            await directory.adopt(conn, access.system(listing.party_id), "NEW-1", given, pepper)
        await directory.announce(listing.bus, listing.party_id, ["NEW-1"], "adopted")
        assert await station.until_closed() == 1012
    assert await knock(listing, "NEW-1") == 401
    assert await knock(listing, "NEW-1", headers=basic("NEW-1", "mussels and 5 whelks")) == 101


async def test_a_pending_station_that_does_not_answer_delays_nobody_elses_adoption(listing: House) -> None:
    async with connected(listing, "MUTE") as mute, connected(listing, "NEW-2") as other:
        await mute.boot()
        await other.boot()
        other.replies = {"TriggerMessage": {"status": "Accepted"}}
        await listing.change("MUTE", registration="accepted")
        await listing.change("NEW-2", registration="accepted")

        async def is_asked() -> bool:
            await other.answer_to([2, "probe", "Heartbeat", {}])
            return bool(other.asked)

        await eventually(is_asked, "the second station was never asked to boot", within_s=3)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_rejected_station_is_told_so_at_each_boot_and_may_say_nothing_else(
    version: Version, house: House
) -> None:
    await house.station("CP-1", registration="rejected")
    async with connected(house, "CP-1", version) as station:
        boot = await station.ask("BootNotification", BOOT[version])
        assert boot[2]["status"] == "Rejected"
        assert boot[2]["interval"] > 0
        assert (await station.ask("Heartbeat", {}))[2] == "SecurityError"


async def test_turning_a_station_away_closes_its_socket_and_the_next_boot_is_rejected(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as station:
        await house.change("CP-1", registration="rejected")
        assert await station.until_closed() == 1008
    async with connected(house, "CP-1") as station:
        assert (await station.boot())["status"] == "Rejected"


async def test_retiring_a_station_closes_its_socket_and_the_door(house: House) -> None:
    await house.station("CP-1")
    await house.station("CP-2")
    async with connected(house, "CP-1", boots=True) as station, connected(house, "CP-2", boots=True) as other:
        await house.pool.execute("update station set retired_at = now() where station_id = 'CP-1'")
        await house.bus.publish("ohmstead.station.changed", {"station_id": "CP-1"})
        assert await station.until_closed() == 1008
        await other.beat()
    assert await knock(house, "CP-1") == 404
    await eventually(lambda: _is_offline(house, "CP-1"))


async def _is_offline(house: House, station_id: str) -> bool:
    return not await house.is_connected(station_id)


@pytest.mark.parametrize("change", [{"secret_hash": "k1$00$00"}, {"security_profile": 2}])
async def test_a_socket_whose_credentials_are_good_no_longer_is_closed(change: dict[str, Any], house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as station:
        await house.change("CP-1", **change)
        assert await station.until_closed() == 1012
    assert await knock(house, "CP-1") in (401, 403)


async def test_a_change_of_something_else_leaves_the_socket_alone(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as station:
        await house.change("CP-1", name="At the harbour")
        await house.bus.publish("ohmstead.station.changed", {"station_id": "nobody"})
        await house.bus.publish("ohmstead.station.changed", {})
        await house.bus.flush()
        await station.beat()
        await station.beat()


async def test_the_laboratory_lets_everybody_in_again_and_again(laboratory: House) -> None:
    for _ in range(2):
        async with connected(laboratory, "LAB-1", Version.V21) as station:
            assert (await station.boot())["status"] == "Accepted"
            await station.beat()
    assert (await laboratory.row("LAB-1"))["is_lab"] is True


async def test_newcomers_are_turned_away_while_nobody_owns_the_installation(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    await db.execute("truncate party cascade")
    async with open_gateway(with_settings(settings, unknown_stations="pending"), db, party_id) as empty:
        assert await knock(empty, "NEW-1") == 503


async def test_an_accepted_station_that_never_booted_must_boot_first(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1") as station:
        assert (await station.ask("Heartbeat", {}))[2] == "SecurityError"
        await station.boot()
        await station.beat()
    # It need not boot again when it reconnects.
    async with connected(house, "CP-1") as station:
        await station.beat()


async def test_heartbeat_intervals_of_a_fleet_are_spread_and_stay_the_same_for_a_station(house: House) -> None:
    intervals = []
    for n in range(12):
        await house.station(f"CP-{n}")
        async with connected(house, f"CP-{n}") as station:
            boots = [(await station.boot())["interval"] for _ in range(2)]
            assert boots[0] == boots[1]
            intervals.append(boots[0])
    assert all(810 <= interval <= 990 for interval in intervals)
    assert len(set(intervals)) >= 9
    await house.station("OWN", heartbeat_interval_s=60)
    async with connected(house, "OWN") as station:
        assert 54 <= (await station.boot())["interval"] <= 66
