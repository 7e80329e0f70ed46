"""A station that cannot or will not take a higher security profile stays as it is, and says why."""

from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.core.errors import Invalid, Refused
from ohmstead.stations.certificates import upgrades
from tests.stories.credentials import upgrade_of
from tests.stories.network import Network
from tests.stories.station import Station

URL = "wss://csms.example:9443/ocpp"


async def raises(network: Network, station: Station, to_profile: int = 2, url: str | None = URL) -> None:
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        await upgrades.start(conn, actor, station.station_id, to_profile, url=url)


async def ends_with(network: Network, station: Station, status: str) -> dict[str, Any]:
    async def look() -> bool:
        return bool((await upgrade_of(network, station))["status"] == status)

    await network.until(look, f"the upgrade is {status}")
    return await upgrade_of(network, station)


async def profiles(network: Network, station: Station) -> tuple[int, int | None]:
    row = await network.pool.fetchrow(
        "select security_profile, next_security_profile from station where station_id = $1", station.station_id
    )
    assert row is not None
    return row["security_profile"], row["next_security_profile"]


async def test_a_station_that_refuses_stays_as_it_is(network: Network, version: str) -> None:
    station = await network.station(version)
    action = "ChangeConfiguration" if version == "1.6" else "SetNetworkProfile"
    station.answers[action] = {"status": "Rejected"}
    await raises(network, station)
    failed = await ends_with(network, station, "failed")
    assert failed["reason"] == f"{action}: Rejected"
    assert await profiles(network, station) == (0, None)
    # It can be tried again.
    station.answers[action] = {"status": "Accepted"}
    await raises(network, station)
    await ends_with(network, station, "expected")
    assert await profiles(network, station) == (0, 2)


async def test_a_station_that_is_away_is_not_raised_behind_its_back(network: Network, version: str) -> None:
    station = await network.station(version)
    await station.goes_offline()
    await network.is_connected(station, False)
    await raises(network, station)
    assert "offline" in (await ends_with(network, station, "failed"))["reason"]
    assert await profiles(network, station) == (0, None)


async def test_a_1_6_station_that_needs_a_restart_gets_one(network: Network) -> None:
    station = await network.station("1.6")
    station.answers["ChangeConfiguration"] = {"status": "RebootRequired"}
    await raises(network, station, url=None)
    assert await station.hears("Reset") == {"type": "Soft"}
    await ends_with(network, station, "expected")


async def test_a_2_x_station_must_be_told_where_to_connect(network: Network, version2: str) -> None:
    station = await network.station(version2)
    await raises(network, station, url=None)
    assert "url" in (await ends_with(network, station, "failed"))["reason"]


async def test_the_new_profile_stands_first_and_the_old_one_behind_it(network: Network, version2: str) -> None:
    station = await network.station(version2)
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [
            {"attributeStatus": "RebootRequired", "component": one["component"], "variable": one["variable"]}
            for one in payload["setVariableData"]
        ]
    }
    await raises(network, station)
    assert await station.hears("Reset") == {"type": "OnIdle"}
    assert await station.hears("SetNetworkProfile") == {
        "configurationSlot": 2,
        "connectionData": {
            "ocppInterface": "Wired0",
            "ocppTransport": "JSON",
            # 2.1 leaves it to the handshake.
            **({"ocppVersion": "OCPP20"} if version2 == "2.0.1" else {}),
            "messageTimeout": 30,
            "ocppCsmsUrl": URL,
            "securityProfile": 2,
        },
    }
    (priority,) = (await station.hears("SetVariables"))["setVariableData"]
    assert (priority["variable"]["name"], priority["attributeValue"]) == ("NetworkConfigurationPriority", "2,1")


async def test_what_did_not_happen_within_a_day_is_over(network: Network) -> None:
    station = await network.station("1.6")
    await raises(network, station)
    await ends_with(network, station, "expected")
    assert await profiles(network, station) == (0, 2)
    await network.pool.execute(
        "update profile_upgrade set started_at = now() - interval '25 hours' where station_id = $1", station.station_id
    )
    await upgrades.give_up(network.pool)
    assert "did not come back" in (await ends_with(network, station, "failed"))["reason"]
    assert await profiles(network, station) == (0, None)


@pytest.mark.parametrize("profile", [0, 1, 2])
async def test_only_a_higher_profile_is_a_raise(network: Network, profile: int) -> None:
    station = await network.station("1.6")
    await network.pool.execute("update station set security_profile = 2 where station_id = $1", station.station_id)
    with pytest.raises(Refused if profile == 2 else Invalid):
        await raises(network, station, profile)
