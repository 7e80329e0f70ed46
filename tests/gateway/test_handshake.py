"""Who gets in, over the real gateway's plain socket: the answer before the upgrade, and what is kept of a refusal."""

import asyncio
from ipaddress import ip_network
from uuid import UUID

import aiohttp
import pytest

from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from tests.gateway.running import KEY, House, eventually, open_gateway, with_settings
from tests.gateway.wire import VERSIONS, basic, connected, dialled, knock, knock_whole

# ---- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_with_its_password_is_served_on_each_version(version: Version, house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", version) as station:
        assert station.ws.protocol == version.subprotocol
        assert (await station.boot())["status"] == "Accepted"
        await station.beat()
        row = await house.row("CP-1")
        assert (row["ocpp_version"], row["gateway_id"]) == (version.value, house.gateway.gateway_id)


@pytest.mark.parametrize("password", [bytes.fromhex(KEY), KEY.encode(), KEY.upper().encode()])
async def test_a_1_6_key_opens_as_bytes_and_as_digits(password: bytes, house: House) -> None:
    await house.station("CP-1")
    assert await knock(house, "CP-1", headers=basic("CP-1", password)) == 101


@pytest.mark.parametrize(
    ("identity", "headers", "status", "reason"),
    [
        ("CP-1", {}, 401, "credentials_missing"),
        ("CP-1", basic("CP-1", "wrong"), 401, "password_wrong"),
        ("CP-1", basic("CP-2"), 401, "username_differs"),
        ("CP-1", {"Authorization": "Basic !!!"}, 401, "credentials_malformed"),
        ("CP-9", {}, 401, "credentials_missing"),
        ("CP-9", basic("CP-9"), 404, "station_unknown"),
        ("RETIRED", basic("RETIRED"), 404, "station_retired"),
        ("PROFILE-2", basic("PROFILE-2"), 403, "link_too_weak"),
        ("PROFILE-3", basic("PROFILE-3"), 401, "link_too_weak"),
        ("CP%201", basic("CP 1"), 400, "identity_malformed"),
    ],
)
async def test_whoever_is_refused_learns_it_before_the_upgrade_and_is_on_record(
    identity: str, headers: dict[str, str], status: int, reason: str, house: House
) -> None:
    await house.station("CP-1")
    await house.station("RETIRED")
    await house.change("RETIRED", retired_at=(await house.row("RETIRED"))["created_at"])
    await house.station("PROFILE-2", 2)
    await house.station("PROFILE-3", 3)
    async with connected(house, "CP-1", boots=True) as bystander:
        given, answer = await knock_whole(house, identity, headers=headers)
        assert given == status
        assert ("WWW-Authenticate" in answer) == (status == 401)
        signal = await house.signal(kind="connection_refused", reason=reason)
        assert (signal["station_id"], signal["remote_address"]) == (identity.replace("%20", " "), "127.0.0.1")
        await bystander.beat()
        assert bystander.ws.close_code is None
        assert await house.is_connected("CP-1")


async def test_profile_0_needs_no_password_but_must_be_set_for_the_station(house: House) -> None:
    await house.station("LAB", 0, password=None)
    assert await knock(house, "LAB", headers={}) == 101


async def test_guessing_is_stopped_by_identity_and_address_and_neighbours_go_on(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    trusting = with_settings(settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with open_gateway(trusting, db, party_id) as house:
        for name in ("CP-1", "CP-2", "CP-3"):
            await house.station(name)
        router = {"X-Forwarded-For": "203.0.113.9"}
        statuses = [await knock(house, "CP-1", headers=basic("CP-1", f"guess-{n}") | router) for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        locked, answer = await knock_whole(house, "CP-1", headers=basic("CP-1") | router)
        assert (locked, int(answer["Retry-After"]) >= 1) == (429, True)
        signal = await house.signal(kind="connection_refused", reason="too_many_attempts")
        assert (signal["station_id"], signal["remote_address"]) == ("CP-1", "203.0.113.9")
        # Several stations share the router's address; the victim itself comes from elsewhere.
        for neighbour in ("CP-2", "CP-3"):
            assert await knock(house, neighbour, headers=basic(neighbour) | router) == 101
        assert await knock(house, "CP-1", headers=basic("CP-1") | {"X-Forwarded-For": "198.51.100.7"}) == 101


async def test_whoever_hammers_at_the_door_does_not_fill_the_database(house: House) -> None:
    await house.station("CP-1")
    async with aiohttp.ClientSession() as session:
        for n in range(130):
            async with session.get(
                house.url.replace("ws", "http", 1) + f"/no such {n}",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            ) as answer:
                assert answer.status == 400
    async with connected(house, "CP-1", boots=True) as station:
        await station.beat()
    # A hundred at once, then one every ten seconds.
    assert 100 <= len(await house.signals(kind="connection_refused")) <= 103


# ---- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ocpp/CP-1", "/ocpp/CP-1/", "/ocpp/CP%2D1", "/ocpp/%43P-1?token=x"])
async def test_an_identity_is_understood_in_every_spelling_of_its_path(path: str, house: House) -> None:
    await house.station("CP-1")
    async with dialled(house, path, user="CP-1") as socket:
        assert socket.status == 101
        await eventually(lambda: house.is_connected("CP-1"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/steve/websocket/CentralSystemService/CP-1", 404),
        (b"/CP-1", 404),
        (b"/", 404),
        (b"/%6Fcpp/CP-1", 404),
        (b"/ocpp/CP-1/more", 404),
        (b"/ocpp/", 404),
        (b"/ocpp/CP-1%00", 400),
        (b"/ocpp/..%2fCP-1", 400),
        (b"/ocpp/CP-\xc3\xa9", 400),
        (b"/ocpp/CP-%ff", 400),
        (b"/ocpp/" + b"A" * 49, 400),
    ],
)
async def test_any_other_path_is_refused_and_does_no_harm(path: bytes, status: int, house: House) -> None:
    await house.station("CP-1")
    async with dialled(house, path, user="CP-1") as socket:
        assert socket.status == status
    assert await knock(house, "CP-1") == 101


@pytest.mark.parametrize("path", ["/", "/ocpp/CP-1", "/index.html"])
async def test_a_browser_on_the_stations_port_is_told_what_the_port_is_for(path: str, house: House) -> None:
    await house.station("CP-1")
    async with (
        aiohttp.ClientSession() as session,
        session.get(house.url.replace("ws", "http", 1).removesuffix("/ocpp") + path) as answer,
    ):
        assert answer.status == 426
        assert answer.headers["Upgrade"] == "websocket"
        assert "/ocpp/" in await answer.text()
    assert await knock(house, "CP-1") == 101


UPGRADE = b"GET /ocpp/CP-1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    "request_head",
    [
        UPGRADE + b"\r\n",
        UPGRADE + b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
        UPGRADE + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1",
        b"GET /ocpp/CP-1 HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
    ],
)
async def test_a_broken_request_ends_in_a_4xx_and_disturbs_nobody(request_head: bytes, house: House) -> None:
    await house.station("CP-1")
    await house.station("LAB", 0, password=None)
    async with connected(house, "CP-1", boots=True) as bystander:
        host, port = house.url.removeprefix("ws://").split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_head.replace(b"CP-1", b"LAB"))
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.transport.abort()
        assert status.split()[1].startswith(b"4"), status
        await bystander.beat()


async def test_connections_that_never_finish_their_request_are_closed_and_live_sockets_are_not(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    async with open_gateway(settings, db, party_id, request_timeout_s=0.5) as house:
        await house.station("CP-1")
        async with connected(house, "CP-1", boots=True) as station:
            host, port = house.url.removeprefix("ws://").split("/")[0].split(":")
            for begun in (b"", UPGRADE, UPGRADE + b"X-Slow: "):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(begun)
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            await station.beat()


# ---- subprotocols and compression ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("ocpp2.1, ocpp2.0.1, ocpp1.6", "ocpp2.1"),
        ("ocpp1.6, ocpp2.1", "ocpp1.6"),
        ("ocpp2.0,ocpp2.0.1,ocpp1.6", "ocpp2.0.1"),
        ("ocpp1.5, ocpp1.6", "ocpp1.6"),
    ],
)
async def test_of_several_versions_the_stations_first_choice_that_we_speak_is_taken(
    offered: str, chosen: str, house: House
) -> None:
    await house.station("CP-1")
    async with dialled(house, "/ocpp/CP-1", user="CP-1", protocol=offered) as socket:
        assert f"sec-websocket-protocol: {chosen}\r\n" in socket.head.decode().lower()


@pytest.mark.parametrize("offered", [None, "ocpp1.5", "ocpp2.0, mqtt", "OCPP1.6"])
async def test_without_a_common_version_the_handshake_is_finished_bare_and_then_closed(
    offered: str | None, house: House
) -> None:
    await house.station("CP-1")
    async with dialled(house, "/ocpp/CP-1", user="CP-1", protocol=offered) as socket:
        assert socket.status == 101
        assert b"sec-websocket-protocol" not in socket.head.lower()
        assert await socket.close_code() == 1002
    signal = await house.signal(kind="no_common_version")
    assert signal["station_id"] == "CP-1"
    assert not await house.is_connected("CP-1")


async def test_no_common_version_does_not_take_over_a_live_connection(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as live:
        async with dialled(house, "/ocpp/CP-1", user="CP-1", protocol="ocpp9") as socket:
            assert await socket.close_code() == 1002
        await live.beat()
        assert await house.is_connected("CP-1")


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_travel_deflated_or_plain_as_the_station_likes(compress: int, house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", compress=compress, boots=True) as station:
        assert bool(station.ws.compress) == bool(compress)
        answer = await station.tell("DataTransfer", {"vendorId": "x", "data": "y" * 20_000})
        assert answer == {"status": "UnknownVendorId"}
        [exchange] = await house.exchanges("CP-1", action="DataTransfer")
        assert len(exchange["payload"]) > 20_000
