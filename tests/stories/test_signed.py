"""Whatever version a station speaks, what its meter signed is checked when the session settles."""

import base64

import pytest

from ohmstead.accounts import access
from ohmstead.sessions.signed import service as signed
from ohmstead.sessions.signed.model import NewMeterKey
from tests.rules.test_signed import SigningMeter
from tests.stories.messages import sampled2, sampled16, values16
from tests.stories.network import Network
from tests.stories.patience import until
from tests.stories.station import Station


async def sends(station: Station, text: bytes, context: str, n: int, key: str = "") -> None:
    if station.version == "1.6":
        sample = sampled16(text.decode(), format="SignedData", context=context)
        await station.says("MeterValues", values16(station.at, sample, transaction_id=station.transactions[1].id))
        return
    value = {
        "signedMeterData": base64.b64encode(text).decode(),
        "signingMethod": "ECDSA-secp256r1-SHA256",
        "encodingMethod": "OCMF",
        "publicKey": key,
    }
    sample = sampled2(station.register(1), context=context, signedMeterValue=value)
    await station.says(
        "MeterValues", {"evseId": 1, "meterValue": [{"timestamp": station.at.isoformat(), "sampledValue": [sample]}]}
    )


@pytest.mark.parametrize("is_genuine", [True, False], ids=["genuine", "forged"])
async def test_a_session_is_proved_by_what_its_meter_signed(network: Network, version: str, is_genuine: bool) -> None:
    meter = SigningMeter()
    await network.token("TAG1")
    station = await network.station(version)
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        await signed.register_key(conn, actor, station.station_id, NewMeterKey(evse_number=1, public_key=meter.key))
    await station.plugs_in()
    await station.presents("TAG1")
    begun = station.register(1)
    await sends(station, meter.signs("B", f"{begun / 1000:.3f}"), "Transaction.Begin", 1)
    await station.delivers(wh=5_000, over="30m")
    text = meter.signs("E", f"{station.register(1) / 1000:.3f}", 60)
    await sends(station, text if is_genuine else text.replace(b'"ST": "G"', b'"ST": "M"'), "Transaction.End", 2)
    await station.unplugs()
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    async with network.pool.acquire() as conn:
        found = await signed.find_verdict(conn, network.party_id, session.session_id)
        readings = await signed.readings_of(conn, network.party_id, session.session_id)
    assert found is not None
    assert found.verdict == ("verified" if is_genuine else "failed")
    assert [one.verdict for one in readings] == ["verified", "verified" if is_genuine else "failed"]


async def test_a_key_that_comes_with_noise_is_nobodys(network: Network) -> None:
    """The first key that comes with a reading counts from then on: it is to have signed one."""
    meter, other = SigningMeter(), SigningMeter()
    await network.token("TAG1")
    station = await network.station("2.1")

    async def keys() -> list[str]:
        async with network.pool.acquire() as conn:
            return [one.public_key for one in await signed.list_keys(conn, network.party_id, station.station_id)]

    for n, (text, key, pinned) in enumerate(
        (
            (b"OCMF|{}|{}", other.key, []),
            (other.signs("B", "1.000"), meter.key, []),
            (meter.signs("B", "1.000"), meter.key, [meter.key]),
        )
    ):
        await station.plugs_in()
        await station.presents("TAG1")
        await sends(station, text, "Transaction.Begin", 1, key)
        await station.delivers(wh=5_000, over="30m")
        await station.unplugs()
        query = "select count(*) from signed_session where party_id = $1"

        async def is_checked(wanted: int = n + 1, query: str = query) -> bool:
            return bool(await network.pool.fetchval(query, network.party_id) == wanted)

        await until(is_checked, "its signed readings are checked", patience_s=20)
        assert await keys() == pinned
