"""A station with a password is given a certificate, comes with it, renews it, and is shut out when it is revoked."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.x509.oid import NameOID

from ohmstead.accounts import access
from ohmstead.core.bus import Bus
from ohmstead.stations.certificates import service, upgrades
from tests.security.pki import Authority
from tests.stories.credentials import (
    Keys,
    certificate_id_of,
    certificates_of,
    csr,
    pki_dir,
    upgrade_of,
    with_password,
)
from tests.stories.network import Door, Installation, Network

__all__ = ["pki_dir"]


@pytest.fixture(scope="module")
def server_authority() -> Authority:
    return Authority("Servers of this story")


@pytest.fixture
async def door(installation: Installation, server_authority: Authority, pki_dir: Path) -> AsyncIterator[Door]:
    """A gateway with a server certificate, and no authority configured for stations."""
    certificate, key = server_authority.server("EC").write(pki_dir, "server")
    settings = msgspec.structs.replace(installation.settings, tls_ec_cert=certificate, tls_ec_key=key)
    opened = await Installation(settings, installation.pool, installation.bus).open_door()
    yield opened
    await opened.close()


async def revoke(network: Network, bus: Bus, leaf_id: object) -> None:
    """As an operator does."""
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        revoked = await service.revoke(conn, actor, leaf_id, "key_compromise")  # type: ignore[arg-type]
    await service.announce(bus, [revoked["fingerprint"]])


async def test_tc_a_19_and_083_a_stations_profile_is_raised_and_its_certificate_lives_and_ends(
    network: Network, version: str, door: Door, server_authority: Authority, pki_dir: Path
) -> None:
    station = await with_password(network, version)
    keys = Keys(station, pki_dir, server_authority)
    named = {} if version == "1.6" else {"certificateType": "ChargingStationCertificate"}
    assert await keys.comes_with_password(door) == "Accepted"

    # It asks for a certificate, and is given one that names it.
    assert (await keys.asks(**named))["status"] == "Accepted"
    first = await keys.gets_certificate()
    if version == "2.1":
        station.wire.heard.clear()
        keys.chain = ""
        more = {"certificateType": "ChargingStationCertificate", "requestId": 7}
        await keys.sends((await _request(keys)), **more)
        first = await keys.gets_certificate()
        assert (await station.hears("CertificateSigned"))["requestId"] == 7

    # Its profile is raised to 3: until it comes with the certificate, both are good.
    url = f"wss://127.0.0.1:{door.tls_port}/ocpp"
    async with network.pool.acquire() as conn, conn.transaction():
        await upgrades.start(conn, access.system(network.party_id), station.station_id, 3, url=url)
    if version == "1.6":
        assert await station.hears("ChangeConfiguration") == {"key": "SecurityProfile", "value": "3"}
    else:
        assert (await station.hears("SetNetworkProfile"))["connectionData"]["securityProfile"] == 3
        await station.hears("Reset")
    assert await keys.comes_with_password(door) == "Accepted"
    assert await keys.comes_with_certificate(door) == "Accepted"
    assert (await upgrade_of(network, station))["status"] == "done"

    # From now on the password opens nothing, over either line.
    with_certificate = keys.tls()
    assert await keys.comes_with_password(door) == "refused 401"
    assert await keys.comes_with_password(door, over_tls=True) == "refused 401"
    assert await keys.comes_with_certificate(door) == "Accepted"

    # Its certificate ends soon: it is asked for a new request. The old one is good until it comes with the new one.
    await network.pool.execute(
        "update certificate set not_after = now() + interval '9 days' where station_id = $1", station.station_id
    )
    await network.is_connected(station)
    await service.renew(network.pool, network.house.desk)
    trigger = "ExtendedTriggerMessage" if version == "1.6" else "TriggerMessage"
    wanted = "SignChargePointCertificate" if version == "1.6" else "SignChargingStationCertificate"
    assert (await station.hears(trigger))["requestedMessage"] == wanted
    assert (await keys.asks(**named))["status"] == "Accepted"
    second = await keys.gets_certificate()
    assert await keys.comes_with_certificate(door, with_certificate) == "Accepted"
    assert await keys.comes_with_certificate(door) == "Accepted"
    assert await keys.comes_with_certificate(door, with_certificate) == "refused 401"
    by_serial = {row["serial"]: row for row in await certificates_of(network, station)}
    old, new = by_serial[f"{first.serial_number:x}"], by_serial[f"{second.serial_number:x}"]
    assert (old["status"], old["revocation_reason"], old["replaced_by"]) == (
        "revoked",
        "superseded",
        new["certificate_id"],
    )
    assert new["status"] == "active"

    # It is revoked: the line that came with it ends at once, and it does not come back.
    assert await keys.comes_with_certificate(door) == "Accepted"
    await revoke(network, network.house.bus, await certificate_id_of(network, second))

    async def is_shut_out() -> bool:
        return not station.wire.is_open

    await network.until(is_shut_out, "the revoked connection ends")
    assert station.wire.close_code == 1008
    assert await keys.comes_with_certificate(door) == "refused 401"
    noted = "select bool_or(detail ->> 'reason' = 'certificate_revoked') from security_signal where station_id = $1"
    await network.until(lambda: network.pool.fetchval(noted, station.station_id), "the refusal is noted")


async def _request(keys: Keys) -> str:
    return csr(keys.key, (NameOID.COMMON_NAME, keys.station.station_id))


async def test_a_revocation_that_a_gateway_did_not_hear_of_counts_all_the_same(
    network: Network, door: Door, server_authority: Authority, pki_dir: Path
) -> None:
    station = await with_password(network, "2.0.1")
    keys = Keys(station, pki_dir, server_authority)
    await keys.comes_with_password(door)
    await keys.asks()
    leaf = await keys.gets_certificate()
    await network.pool.execute("update station set security_profile = 3 where station_id = $1", station.station_id)
    assert await keys.comes_with_certificate(door) == "Accepted"
    # The word to the gateways is lost: they look by themselves now and then.
    async with network.pool.acquire() as conn, conn.transaction():
        await service.revoke(conn, access.system(network.party_id), await certificate_id_of(network, leaf))
    assert station.wire.is_open
    await door.gateway.trust.end_revoked()

    async def is_shut_out() -> bool:
        return not station.wire.is_open

    await network.until(is_shut_out, "the revoked connection ends")
    assert await keys.comes_with_certificate(door) == "refused 401"


async def test_another_stations_certificate_opens_nothing(
    network: Network, door: Door, server_authority: Authority, pki_dir: Path
) -> None:
    one, other = await with_password(network, "2.0.1"), await with_password(network, "2.0.1", "ST-2")
    keys, theirs = Keys(one, pki_dir, server_authority), Keys(other, pki_dir, server_authority)
    await keys.comes_with_password(door)
    await keys.asks()
    await keys.gets_certificate()
    # Even where the register was told that the second one comes under the first one's name.
    await network.pool.execute(
        "update station set security_profile = 3, certificate_name = $2 where station_id = $1",
        other.station_id,
        one.station_id,
    )
    theirs.key, theirs.chain = keys.key, keys.chain
    assert await theirs.comes_with_certificate(door) == "refused 401"
    # Refusals are noted with the next batch: nobody waits for them.
    noted = (
        "select array_agg(detail ->> 'reason') = '{certificate_of_another}' from security_signal where station_id = $1"
    )
    await network.until(lambda: network.pool.fetchval(noted, other.station_id), "the refusal is noted")
