"""TLS at the real gateway: passwords over it, certificates of stations, proxies, and renewal under live sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from tests.gateway.running import House, eventually, open_gateway, with_settings
from tests.gateway.wire import VERSIONS, basic, connected, knock
from tests.security.pki import DAY, Authority, Issued, client_context

# In TLS 1.3 a client learns of its refusal only when it reads.
TURNED_AWAY = (aiohttp.ClientError, ssl.SSLError, ConnectionError)


class Pki:
    """The operator's authorities, and a stranger's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Authority("Servers CA")
        self.stations = Authority("Stations CA")
        self.strangers = Authority("Strangers CA")
        self.cert, self.key = self.servers.server().write(directory, "server")
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.stations.pem)
        self.count = 0

    def tls(self, shown: Issued | None = None) -> ssl.SSLContext:
        """A station's side, showing a certificate."""
        if shown is None:
            return client_context(self.servers)
        self.count += 1
        return client_context(self.servers, shown.write(self.directory, f"client-{self.count}"))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture
def secured(settings: Settings, pki: Pki) -> Settings:
    return with_settings(settings, tls_ec_cert=pki.cert, tls_ec_key=pki.key, tls_client_ca=pki.ca)


@pytest.fixture
async def house(secured: Settings, db: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway with TLS."""
    async with open_gateway(secured, db, party_id) as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_profile_has_its_way_in_on_each_version(version: Version, house: House, pki: Pki) -> None:
    for profile in (1, 2, 3):
        await house.station(f"CP-{profile}", profile)
    async with (
        connected(house, "CP-1", version, boots=True) as plain,
        connected(house, "CP-2", version, tls=pki.tls(), boots=True) as password,
        connected(house, "CP-3", version, tls=pki.tls(pki.stations.client("CP-3")), headers={}, boots=True) as mutual,
    ):
        for station in (plain, password, mutual):
            await station.beat()


async def test_a_profile_1_station_may_come_over_tls_and_a_profile_2_station_not_without(
    house: House, pki: Pki
) -> None:
    await house.station("CP-1", 1)
    await house.station("CP-2", 2)
    assert await knock(house, "CP-1", tls=pki.tls()) == 101
    assert await knock(house, "CP-2") == 403
    await house.signal(kind="connection_refused", reason="link_too_weak", station_id="CP-2")


@pytest.mark.parametrize(
    ("names", "serial", "bound_to", "status"),
    [
        (["CP-3"], None, None, 101),
        (["cp-3"], None, None, 101),
        (["Any station"], "CP-3", None, 101),
        (["SN-0042"], None, "SN-0042", 101),
        (["Any station"], "SN-0042", "SN-0042", 101),
        (["CP-3"], None, "SN-0042", 401),
        (["CP-4"], None, None, 401),
        (["CP-4", "CP-3"], None, None, 401),
    ],
)
async def test_a_certificate_opens_only_the_door_of_the_station_it_names(
    names: list[str], serial: str | None, bound_to: str | None, status: int, house: House, pki: Pki
) -> None:
    await house.station("CP-3", 3, certificate_name=bound_to)
    shown = pki.stations.client(*names, serial_number=serial)
    assert await knock(house, "CP-3", tls=pki.tls(shown), headers={}) == status
    if status == 401:
        await house.signal(kind="connection_refused", reason="certificate_of_another", station_id="CP-3")


async def test_a_profile_3_station_gets_nowhere_with_a_password(house: House, pki: Pki) -> None:
    await house.station("CP-3", 3)
    assert await knock(house, "CP-3", tls=pki.tls()) == 401
    await house.signal(kind="connection_refused", reason="certificate_missing")


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (lambda p: p.stations.client("CP-3", valid=(-9 * DAY, -DAY)), "certificate has expired"),
        (lambda p: p.strangers.client("CP-3"), "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_of_no_worth_ends_the_handshake_on_record_and_alone(
    shown: Callable[[Pki], Issued], told: str, house: House, pki: Pki
) -> None:
    await house.station("CP-2", 2)
    await house.station("CP-3", 3)
    async with connected(house, "CP-2", tls=pki.tls(), boots=True) as bystander:
        with pytest.raises(TURNED_AWAY):
            await knock(house, "CP-3", tls=pki.tls(shown(pki)), headers={})
        await house.signal(kind="tls_handshake_failed", reason=told)
        await bystander.beat()
        assert not await house.is_connected("CP-3")


def _passed_on(issued: Issued) -> dict[str, str]:
    pem = issued.certificate.public_bytes(Encoding.PEM).decode()
    return {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7", "X-Client-Cert": quote(pem)}


async def test_a_proxys_word_about_certificates_counts_only_from_a_trusted_address(
    secured: Settings, db: Pool, party_id: UUID, pki: Pki, house: House, free_port: Callable[[], int]
) -> None:
    await house.station("CP-3", 3)
    await house.station("CP-1", 1)
    forwarded = _passed_on(pki.stations.client("CP-3"))
    assert await knock(house, "CP-3", headers=forwarded) == 401
    # Somebody who is let in all the same: the attempt is on record.
    assert await knock(house, "CP-1", headers=basic("CP-1") | forwarded) == 101
    signal = await house.signal(kind="client_certificate_header_ignored")
    assert (signal["station_id"], signal["remote_address"]) == ("CP-1", "127.0.0.1")
    trusting = with_settings(
        secured,
        trusted_proxies=(ip_network("127.0.0.0/8"),),
        gateway_port=free_port(),
        gateway_tls_port=free_port(),
    )
    async with open_gateway(trusting, db, party_id) as behind_proxy:
        async with connected(behind_proxy, "CP-3", headers=forwarded, boots=True) as station:
            await station.beat()
            assert (await house.row("CP-3"))["remote_address"] == "198.51.100.7"
        other = _passed_on(pki.stations.client("CP-4"))
        assert await knock(behind_proxy, "CP-3", headers=other) == 401
        await house.signal(kind="connection_refused", reason="certificate_of_another", remote_address="198.51.100.7")


async def test_certificates_are_renewed_under_live_sockets(house: House, pki: Pki) -> None:
    await house.station("CP-2", 2)
    await house.station("CP-5", 2)
    async with connected(house, "CP-2", tls=pki.tls(), boots=True) as before:
        fresh = pki.servers.server(valid=(-DAY, 200 * DAY))
        fresh.write(pki.directory, "server")
        assert house.gateway._tls.check()
        async with connected(house, "CP-5", tls=pki.tls(), boots=True) as after:
            shown = after.ws.get_extra_info("ssl_object").getpeercert(True)
            assert shown == fresh.der
            await after.beat()
        await before.beat()
        assert before.ws.get_extra_info("ssl_object").getpeercert(True) != fresh.der


async def test_a_plain_request_on_the_tls_port_and_tls_on_the_plain_one_disturb_nobody(house: House, pki: Pki) -> None:
    await house.station("CP-2", 2)
    async with connected(house, "CP-2", tls=pki.tls(), boots=True) as bystander:
        swapped: dict[str, Any] = {"url": house.tls_url.replace("wss", "ws", 1), "tls": None}
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TURNED_AWAY):
                await session.ws_connect(f"{swapped['url']}/CP-2")
            with pytest.raises(TURNED_AWAY):
                await session.ws_connect(f"{house.url.replace('ws', 'wss', 1)}/CP-2", ssl=pki.tls())
        await bystander.beat()


async def test_a_tls_client_that_says_nothing_holds_up_nobody(house: House, pki: Pki) -> None:
    await house.station("CP-2", 2)
    host, port = house.tls_url.removeprefix("wss://").split("/")[0].split(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
    try:
        async with asyncio.timeout(5), connected(house, "CP-2", tls=pki.tls(), boots=True) as station:
            await station.beat()
            await eventually(lambda: house.is_connected("CP-2"))
    finally:
        for _, writer in silent:
            writer.transport.abort()
