"""Stations with certificates of another authority: what it revokes is refused, and ends the line that came with it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from ohmstead.adapters.crl.adapter import HttpLists
from ohmstead.ocpp.inquiries import Inquiries
from tests.contracts.outside import Behaving, listening
from tests.security.pki import Authority, Issued, client_context
from tests.stories.credentials import pki_dir
from tests.stories.network import Door, Installation, Network
from tests.stories.station import Station

__all__ = ["pki_dir"]


class Theirs:
    """Another authority, its distribution point, and gateways that trust it."""

    def __init__(self, house: Installation, directory: Path) -> None:
        self.house, self.directory = house, directory
        self.servers, self.stations = Authority("Servers"), Authority("Their stations")
        self.revoked: list[Issued] = []
        self.server = Behaving(lambda _: self.stations.revocations(*self.revoked), "application/pkix-crl")

    @contextlib.asynccontextmanager
    async def door(self, **settings: Any) -> AsyncIterator[Door]:
        certificate, key = self.servers.server().write(self.directory, "server")
        authorities = self.directory / "stations.pem"
        authorities.write_bytes(self.stations.pem)
        given = msgspec.structs.replace(
            self.house.settings, tls_ec_cert=certificate, tls_ec_key=key, tls_client_ca=authorities, **settings
        )
        assert self.stations.point is not None
        source = HttpLists([self.stations.point.split("/")[2]], deadline_s=0.5)
        inquiries = Inquiries(self.house.pool, list_source=source)
        opened = await Installation(given, self.house.pool, self.house.bus, inquiries=inquiries).open_door()
        try:
            yield opened
        finally:
            await opened.close()

    async def comes(self, door: Door, station: Station, shown: Issued) -> str:
        station.wire.url = f"wss://127.0.0.1:{door.tls_port}/ocpp/{station.station_id}"
        station.wire.tls = client_context(self.servers, shown.write(self.directory, "client"))
        await station.wire.cut()
        try:
            return await station.boots()
        except aiohttp.WSServerHandshakeError as error:
            return f"refused {error.status}"

    async def forget(self, door: Door) -> None:
        """Nobody has a list any more."""
        await self.house.pool.execute("delete from outside_crl")
        door.gateway.trust._lists._held.clear()


async def with_certificate(network: Network, theirs: Theirs, name: str) -> tuple[Station, Issued]:
    station = await network.station("2.0.1", name, boots=False)
    await network.pool.execute("update station set security_profile = 3 where station_id = $1", station.station_id)
    return station, theirs.stations.client(station.station_id)


async def reasons(network: Network, station: Station, wanted: str) -> None:
    noted = (
        "select count(*) from security_signal where station_id = $1 and (kind = $2 or detail ->> 'reason' = $2) limit 1"
    )
    await network.until(lambda: network.pool.fetchval(noted, station.station_id, wanted), f"{wanted} is noted")


async def test_what_another_authority_revokes_is_shut_out(
    network: Network, installation: Installation, pki_dir: Path
) -> None:
    theirs = Theirs(installation, pki_dir)
    async with listening(theirs.server.handle) as url:
        theirs.stations.point = f"{url}/stations.crl"
        one, its = await with_certificate(network, theirs, "ST-1")
        other, others = await with_certificate(network, theirs, "ST-2")
        async with theirs.door() as door:
            assert await theirs.comes(door, one, its) == "Accepted"
            assert await theirs.comes(door, other, others) == "Accepted"
            assert len(theirs.server.asked) == 1

            # It is revoked, and the next list is due: the gateway looks, and the line ends.
            theirs.revoked.append(its)
            await theirs.forget(door)
            await door.gateway.trust.end_revoked()

            async def is_shut_out() -> bool:
                return not one.wire.is_open

            await network.until(is_shut_out, "the revoked connection ends")
            assert (one.wire.close_code, other.wire.is_open) == (1008, True)
            assert await theirs.comes(door, one, its) == "refused 401"
            await reasons(network, one, "certificate_revoked")

            # No list can be had: nobody comes in, and those who are in stay.
            await theirs.forget(door)
            theirs.server.how = "hangs"
            assert await theirs.comes(door, one, its) == "refused 401"
            await reasons(network, one, "revocation_unknown")
            await door.gateway.trust.end_revoked()
            assert other.wire.is_open
            assert await theirs.comes(door, other, others) == "refused 401"

        # As the operator wishes, they come in all the same, and it is told.
        async with theirs.door(crl_failure="admit") as door:
            await theirs.forget(door)
            assert await theirs.comes(door, other, others) == "Accepted"
            await reasons(network, other, "revocation_unknown")
            # What was revoked for certain is refused under this policy too.
            await theirs.forget(door)
            theirs.server.how = "well"
            assert await theirs.comes(door, one, its) == "refused 401"
            await other.leaves()
            await one.leaves()
