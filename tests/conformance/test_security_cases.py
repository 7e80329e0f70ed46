"""Certification cases about the door (group A without certificates' issue, 1.6 security 085 to 088, B_58)."""

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from ohmstead.ocpp.rpc import Version
from tests.gateway.running import KEY, House, eventually, open_gateway, with_settings
from tests.gateway.test_tls_handshake import TURNED_AWAY, Pki
from tests.gateway.wire import VERSIONS, basic, connected, dialled, knock, knock_whole
from tests.security.pki import DAY, client_context
from tests.stories.network import Installation, Network

REQUIRED_SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")
each_version = pytest.mark.parametrize("ocpp", VERSIONS)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture
async def house(
    installation: Installation, network: Network, pki: Pki, free_port: Callable[[], int]
) -> AsyncIterator[House]:
    """One more gateway of the installation, with TLS."""
    secured = with_settings(
        installation.settings,
        gateway_port=free_port(),
        gateway_tls_port=free_port(),
        tls_ec_cert=pki.cert,
        tls_ec_key=pki.key,
        tls_client_ca=pki.ca,
    )
    async with open_gateway(secured, installation.pool, network.party_id) as running:
        yield running


@pytest.fixture
def name(network: Network) -> str:
    return f"CP-{network.suffix}"


async def is_out(house: House, name: str) -> None:
    row = await house.row(name)
    assert (row["gateway_id"], row["booted_at"]) == (None, None)


async def handshake_failed(house: House, why: str) -> None:
    """A handshake that came to nothing is on record with its reason."""

    async def look() -> bool:
        failed = await house.signals(kind="tls_handshake_failed")
        return any(why in signal["detail"]["reason"] for signal in failed)

    await eventually(look, f"no handshake failed with {why}")


@each_version
async def test_tc_a_01_and_085_the_right_name_and_password_open(house: House, name: str, ocpp: Version) -> None:
    await house.station(name)
    status, headers = await knock_whole(house, name, version=ocpp)
    assert (status, headers["Sec-WebSocket-Protocol"]) == (101, ocpp.subprotocol)
    async with connected(house, name, ocpp) as station:
        assert (await station.boot())["status"] == "Accepted"
        assert await house.is_connected(name)
    assert (await house.row(name))["booted_at"] is not None
    assert await house.signals(station_id=name) == []


@each_version
async def test_tc_a_02_a_name_that_is_not_the_stations_does_not_open(house: House, name: str, ocpp: Version) -> None:
    await house.station(name)
    status, headers = await knock_whole(house, name, version=ocpp, headers=basic(f"{name}-other"))
    assert (status, "WWW-Authenticate" in headers) == (401, True)
    await house.signal(kind="connection_refused", reason="username_differs", station_id=name)
    await is_out(house, name)


@each_version
async def test_tc_a_03_a_wrong_password_does_not_open(house: House, name: str, ocpp: Version) -> None:
    await house.station(name)
    assert await knock(house, name, version=ocpp, headers=basic(name, KEY[::-1])) == 401
    await house.signal(kind="connection_refused", reason="password_wrong", station_id=name)
    await is_out(house, name)
    assert await knock(house, name, version=ocpp) == 101


@each_version
async def test_tc_a_04_and_086_the_server_shows_a_certificate_that_stations_can_check(
    house: House, name: str, ocpp: Version, pki: Pki
) -> None:
    await house.station(name, 2)
    async with connected(house, name, ocpp, tls=pki.tls(), boots=True) as station:
        link: ssl.SSLObject = station.ws.get_extra_info("ssl_object")
        assert link.version() in ("TLSv1.2", "TLSv1.3")
        assert link.compression() is None
        assert (await house.row(name))["security_profile"] == 2
    for suite in REQUIRED_SUITES:
        async with connected(house, name, ocpp, tls=client_context(pki.servers, ciphers=suite)) as station:
            link = station.ws.get_extra_info("ssl_object")
            assert (link.version(), (link.cipher() or ("",))[0]) == ("TLSv1.2", suite)
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await knock(house, name, version=ocpp, tls=client_context(pki.strangers))
    # Profile 2 is a promise of both sides: without TLS nobody gets in under its name.
    assert await knock(house, name, version=ocpp) == 403
    await house.signal(kind="connection_refused", reason="link_too_weak", station_id=name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_tc_a_06_tls_below_1_2_is_refused(house: House, name: str, pki: Pki) -> None:
    await house.station(name, 2)
    old = client_context(pki.servers)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(TURNED_AWAY):
        await knock(house, name, tls=old)
    await handshake_failed(house, "protocol")
    await is_out(house, name)


@each_version
async def test_tc_a_07_and_087_a_stations_own_certificate_opens(
    house: House, name: str, ocpp: Version, pki: Pki
) -> None:
    await house.station(name, 3, password=None)
    tls = pki.tls(pki.stations.client(name))
    async with connected(house, name, ocpp, tls=tls, headers={}) as station:
        assert (await station.boot())["status"] == "Accepted"
        assert await house.is_connected(name)
    assert (await house.row(name))["booted_at"] is not None


@pytest.mark.parametrize("fault", ["expired", "stranger's", "another's", "none"])
async def test_tc_a_08_a_certificate_that_is_not_good_does_not_open(
    house: House, name: str, pki: Pki, fault: str
) -> None:
    await house.station(name, 3)
    if fault in ("expired", "stranger's"):
        expired = pki.stations.client(name, valid=(-9 * DAY, -DAY))
        shown = expired if fault == "expired" else pki.strangers.client(name)
        with pytest.raises(TURNED_AWAY):
            await knock(house, name, tls=pki.tls(shown), headers={})
        await handshake_failed(house, "expired" if fault == "expired" else "unable to get local issuer certificate")
    else:
        shown_or_none = pki.stations.client("SOMEBODY-ELSE") if fault == "another's" else None
        assert await knock(house, name, tls=pki.tls(shown_or_none), headers={}) == 401
        reason = "certificate_of_another" if fault == "another's" else "certificate_missing"
        await house.signal(kind="connection_refused", reason=reason, station_id=name)
    await is_out(house, name)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("ocpp1.6", "ocpp1.6"), ("ocpp2.0.1,ocpp1.6", "ocpp2.0.1"), ("ocpp9, ocpp2.1", "ocpp2.1"), ("ocpp9", None)],
)
async def test_tc_b_58_and_088_the_subprotocol_is_one_that_both_speak_or_the_line_ends(
    house: House, name: str, offered: str, chosen: str | None
) -> None:
    await house.station(name)
    async with dialled(house, f"/ocpp/{name}", user=name, protocol=offered) as socket:
        head = socket.head.decode().lower()
        assert socket.status == 101
        if chosen is not None:
            assert f"sec-websocket-protocol: {chosen}\r\n" in head
            return
        assert "sec-websocket-protocol" not in head
        assert await socket.close_code() == 1002
    await house.signal(kind="no_common_version", station_id=name)
    assert not await house.is_connected(name)
