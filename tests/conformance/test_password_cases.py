"""A station gets a password of its own, and both are good until it came with the new one (A01)."""

from typing import Any

import aiohttp
import pytest

from ohmstead.accounts import access
from ohmstead.stations import credentials
from ohmstead.stations.device import templates
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import Adoption
from tests.stories.listener import nothing
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_templates import asked, is_done
from tests.stories.wire import SILENCE

FACTORY = "factory-password-1"


async def with_password(network: Network, version: str, registration: str) -> Station:
    """A station of security profile 1 that came with the maker's password."""
    station = await network.station(version, boots=False, registration=registration)
    hashed = await credentials.hash_secret(FACTORY, network.house.settings.secret(), is_generated=True)
    await network.pool.execute(
        "update station set security_profile = 1, secret_hash = $2, is_lab = true where station_id = $1",
        station.station_id,
        hashed,
    )
    station.wire.after = nothing
    station.wire.password = FACTORY
    return station


def takes(station: Station, status: str = "Accepted") -> None:
    station.answers["ChangeConfiguration"] = {"status": status}
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [
            {"attributeStatus": status, "component": one["component"], "variable": one["variable"]}
            for one in payload["setVariableData"]
        ]
    }


async def given_password(station: Station) -> str:
    """The password it was told, as it stands on the wire."""
    if station.version == "1.6":
        told: Payload = await station.hears("ChangeConfiguration")
        assert told["key"] == "AuthorizationKey"
        return str(told["value"])
    [one] = (await station.hears("SetVariables"))["setVariableData"]
    assert (one["component"], one["variable"]) == ({"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"})
    return str(one["attributeValue"])


async def row(network: Network, station: Station) -> Any:
    [found] = await network.rows("select * from station where station_id = $1", station.station_id)
    return found


async def renew(network: Network, station: Station) -> None:
    async with network.pool.acquire() as conn, conn.transaction():
        await templates.renew_password(conn, access.system(network.party_id), station.station_id)


async def is_closed(network: Network, station: Station) -> None:
    async def look() -> bool:
        return not station.wire.is_open

    await network.until(look, "the connection is closed, so that the new password is used")


async def is_refused(station: Station, password: str) -> None:
    await station.wire.close()
    station.wire.password = password
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await station.wire.connect()
    assert refusal.value.status == 401


async def test_a_waiting_station_is_accepted_once_it_uses_its_own_password(network: Network, version: str) -> None:
    station = await with_password(network, version, "pending")
    takes(station)
    assert await station.boots() == "Pending"
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        made = await directory.adopt(
            conn, actor, station.station_id, Adoption(name="Yard", own_password=True), network.house.settings.secret()
        )
    assert (made.station.registration, made.station.onboarding, made.secret) == ("pending", "set_password", None)
    password = await given_password(station)
    await is_closed(network, station)
    # The old one is good still, and not enough.
    assert await station.boots() == "Pending"
    await station.wire.close()
    station.wire.password = password
    await station.wire.connect()
    # It thinks that it still waits, and is asked to introduce itself.
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "BootNotification"
    assert await station.boots() == "Accepted"
    after = await row(network, station)
    assert (after.registration, after.onboarding, after.next_secret_hashes) == ("accepted", None, None)
    assert (after.name, after.is_lab) == ("Yard", False)
    kinds = [e.kind for e in await network.rows("select kind from outbox where party_id = $1", network.party_id)]
    assert "StationOnboarded" in kinds
    await is_refused(station, FACTORY)
    assert password not in str(await network.rows("select * from command where station_id = $1", station.station_id))
    assert password not in str(
        await network.rows("select payload, answer from ocpp_message where station_id = $1", station.station_id)
    )


async def test_tc_a_09_and_073_a_station_in_service_changes_to_its_new_password(network: Network, version: str) -> None:
    station = await with_password(network, version, "accepted")
    takes(station)
    await station.boots()
    await renew(network, station)
    password = await given_password(station)
    await is_closed(network, station)
    station.wire.password = password
    assert await station.boots() == "Accepted"
    assert (await row(network, station)).onboarding is None
    await is_refused(station, FACTORY)
    await station.wire.close()
    station.wire.password = password
    assert await station.boots() == "Accepted"


async def test_tc_a_10_a_refused_password_changes_nothing(network: Network, version: str) -> None:
    station = await with_password(network, version, "accepted")
    takes(station, "Rejected")
    await station.boots()
    await renew(network, station)
    password = await given_password(station)
    await is_done(network, station, "refused", "password")
    assert station.wire.is_open
    assert (await row(network, station)).next_secret_hashes is None
    await is_refused(station, password)
    await station.wire.close()
    station.wire.password = FACTORY
    assert await station.boots() == "Accepted"


async def test_after_no_answer_both_passwords_are_good(network: Network, version: str) -> None:
    """It may have obeyed before the line went dead."""
    station = await with_password(network, version, "accepted")

    told: list[str] = []

    def no_answer(payload: Payload) -> Any:
        told.append(payload["value"] if version == "1.6" else payload["setVariableData"][0]["attributeValue"])
        return SILENCE

    station.answers |= {"ChangeConfiguration": no_answer, "SetVariables": no_answer}
    await station.boots()
    await renew(network, station)

    async def was_told() -> bool:
        return bool(told)

    await network.until(was_told, "it is told a password")
    await station.wire.cut()

    async def is_given_up() -> bool:
        found = (
            "select result = 'failed' and taken_until is null from upkeep where station_id = $1 and duty = 'password'"
        )
        return bool(await network.pool.fetchval(found, station.station_id))

    await network.until(is_given_up, "nobody waits for its answer any more")
    assert await station.boots() == "Accepted"
    await station.wire.close()
    station.wire.password = told[0]
    assert await station.boots() == "Accepted"
    await is_refused(station, FACTORY)


async def test_a_station_that_goes_on_with_its_old_password_is_restarted(network: Network, version: str) -> None:
    station = await with_password(network, version, "accepted")
    takes(station)
    await station.boots()
    await renew(network, station)
    await given_password(station)
    await is_closed(network, station)
    assert await station.boots() == "Accepted"
    await network.pool.execute(
        "update station set connected_at = now() - interval '5 minutes' where station_id = $1", station.station_id
    )
    await network.pool.execute(
        "update upkeep set due_at = now() where station_id = $1 and duty = 'password'", station.station_id
    )
    await station.hears("Reset")
    assert len(asked(station, "ChangeConfiguration", "SetVariables")) == 1
