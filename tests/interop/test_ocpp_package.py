"""The `ocpp` package's own client charges here on each version and over each link; its schemas judge our answers."""

import ssl
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import websockets

from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations.orders import RemoteStart, Reset
from tests.gateway.running import House, open_gateway, with_settings
from tests.interop.charge_points import CARD, on_the_wire
from tests.security.pki import Authority, client_context


class Links:
    """The three ways in: what `on_the_wire` needs for each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Authority("Servers CA")
        self.stations = Authority("Stations CA")
        self.cert, self.key = self.servers.server().write(directory, "server")
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.stations.pem)

    def mutual(self, name: str) -> ssl.SSLContext:
        return client_context(self.servers, self.stations.client(name).write(self.directory, name))

    def options(self, profile: int, name: str) -> dict[str, Any]:
        if profile == 1:
            return {}
        if profile == 2:
            return {"ssl": client_context(self.servers)}
        return {"ssl": self.mutual(name), "password": None}


@pytest.fixture
def links(tmp_path: Path) -> Links:
    return Links(tmp_path)


@pytest.fixture
async def house(settings: Settings, db: Pool, party_id: UUID, links: Links) -> AsyncIterator[House]:
    """A gateway with TLS, and a card that may charge."""
    secured = with_settings(settings, tls_ec_cert=links.cert, tls_ec_key=links.key, tls_client_ca=links.ca)
    await db.execute("insert into token (token_id, party_id, uid) values ($1, $2, $3)", new_id(), party_id, CARD)
    async with open_gateway(secured, db, party_id) as running:
        yield running


@pytest.mark.parametrize("profile", [1, 2, 3], ids=["basic_over_ws", "basic_over_wss", "mutual_tls"])
@pytest.mark.parametrize("version", list(Version))
async def test_the_packages_own_client_boots_charges_stops_and_obeys(
    version: Version, profile: int, house: House, links: Links
) -> None:
    await house.station("CP-1", profile)
    url = house.url if profile == 1 else house.tls_url
    async with on_the_wire(url, "CP-1", version, **links.options(profile, "CP-1")) as station:
        assert await station.boot() == "Accepted"
        await station.tell_free()
        assert await station.authorize(CARD) == "Accepted"
        assert await station.authorize("UNKNOWN") in ("Invalid", "Unknown")
        started = await house.order("CP-1", RemoteStart(token_uid=CARD, evse_number=1))
        transaction_id = await station.charge()
        reset = await house.order("CP-1", Reset(how="soft"))
        assert (started.status, reset.status) == ("accepted", "accepted")
        assert station.obeyed == [("start", CARD), ("reset", "Soft" if version is Version.V16 else "OnIdle")]
    row = await house.pool.fetchrow("select * from session")
    assert row is not None
    assert (row["transaction_id"], row["status"], row["energy_wh"], row["token_uid"], row["ocpp_version"]) == (
        transaction_id,
        "completed",
        Decimal(7500),
        CARD,
        version.value,
    )
    assert await house.pool.fetchval("select status from connector where station_id = 'CP-1'") is not None


async def test_the_packages_client_is_refused_as_it_expects_with_a_wrong_password(house: House) -> None:
    await house.station("CP-1")
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with on_the_wire(house.url, "CP-1", Version.V16, password="wrong"):
            pass
    assert refused.value.response.status_code == 401


async def test_the_packages_client_without_our_versions_is_let_go_with_a_close_code(house: House) -> None:
    await house.station("CP-1")
    url = house.url.replace("://", "://CP-1:00ff3a5c7e9b1d2f4a6c8e0b1d3f5a7c9e0b2d4f@", 1)
    async with websockets.connect(f"{url}/CP-1", subprotocols=[websockets.Subprotocol("ocpp1.5")]) as socket:
        assert socket.subprotocol is None
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1002


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_the_websockets_library_agrees_with_us_on_compression(compression: str | None, house: House) -> None:
    await house.station("CP-1")
    async with on_the_wire(house.url, "CP-1", Version.V201, compression=compression) as station:
        assert await station.boot() == "Accepted"
        socket: Any = station._connection
        assert bool(socket.protocol.extensions) == (compression == "deflate")
