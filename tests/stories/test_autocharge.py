"""AutoCharge: the car is recognised after it was shown once with its driver's card; only for those who want it."""

import pytest

from ohmstead.accounts import access
from ohmstead.tokens.register import service as register
from tests.stories.network import Network
from tests.stories.station import Station

CAR = "0A1B2C3D4E5F"


async def plugs_in_car(station: Station, car: str = CAR) -> str:
    """The station asks about the car before anybody shows a card."""
    if station.version == "1.6":
        answer = await station.says("Authorize", {"idTag": f"VID:{car}"})
        return str(answer["idTagInfo"]["status"])
    answer = await station.says("Authorize", {"idToken": {"idToken": car, "type": "MacAddress"}})
    return str(answer["idTokenInfo"]["status"])


async def vehicles(network: Network) -> list[str]:
    """Paired cars, once the worker has seen every session."""
    seen = (
        "select not exists (select from outbox o join outbox_cursor c on o.xid >= c.window_to or (o.xid >= c.window_from"
        " and o.event_id > c.done_event_id) where c.consumer = 'sessions.autocharge' and o.kind = 'SessionStarted')"
    )
    await network.until(lambda: network.pool.fetchval(seen), "the worker has seen the sessions")
    rows = await network.pool.fetch(
        "select uid from token where party_id = $1 and paired_with is not null order by uid", network.party_id
    )
    return [row["uid"].removeprefix("VID:") for row in rows]


async def charges(station: Station, uid: str = "CARD1") -> None:
    assert await station.presents(uid) == "Accepted"
    await station.presents(uid)


async def test_a_car_shown_with_its_drivers_card_charges_alone_from_then_on(network: Network, version: str) -> None:
    station = await network.station(version)
    await network.token("CARD1", autocharge=True, label="Ada", contract_id="C-1")
    assert await plugs_in_car(station) in ("Invalid", "Unknown")
    await charges(station)
    assert await vehicles(network) == [CAR]
    assert await plugs_in_car(station) == "Accepted"
    kept = await network.pool.fetchrow(
        "select * from token where paired_with is not null and party_id = $1", network.party_id
    )
    assert kept is not None
    assert (kept["type"], kept["label"], kept["contract_id"]) == ("MacAddress", "Vehicle of Ada", "C-1")
    # A second charge pairs nothing anew.
    await charges(station)
    assert await vehicles(network) == [CAR]


async def test_who_did_not_ask_for_it_is_not_paired(network: Network, version: str) -> None:
    station = await network.station(version)
    await network.token("CARD1")
    await plugs_in_car(station)
    await charges(station)
    assert await vehicles(network) == []


async def test_where_two_cars_were_shown_nobody_knows_which_was_meant(network: Network) -> None:
    station = await network.station("2.0.1")
    await network.token("CARD1", autocharge=True)
    await plugs_in_car(station)
    await plugs_in_car(station, "FFFFFFFFFFFF")
    await charges(station)
    assert await vehicles(network) == []


async def test_a_car_that_was_shown_long_before_is_not_meant(network: Network) -> None:
    station = await network.station("2.0.1")
    await network.token("CARD1", autocharge=True)
    await plugs_in_car(station)
    await network.pool.execute(
        "update station_record set received_at = received_at - interval '61 seconds' where station_id = $1",
        station.station_id,
    )
    await charges(station)
    assert await vehicles(network) == []


async def test_a_car_of_somebody_else_stays_theirs_and_a_card_has_few(network: Network) -> None:
    station = await network.station("2.0.1")
    await network.token("CARD1", autocharge=True)
    await network.token("CARD2", autocharge=True)
    await plugs_in_car(station)
    await charges(station, "CARD1")
    assert await vehicles(network) == [CAR]
    for number in range(4):
        await network.pool.execute("delete from station_record where station_id = $1", station.station_id)
        await plugs_in_car(station, f"00000000000{number}")
        await charges(station, "CARD2")
        await vehicles(network)
    assert await vehicles(network) == ["000000000000", "000000000001", "000000000002", CAR]


@pytest.mark.parametrize("how", ["blocked", "deleted"])
async def test_a_car_shares_its_cards_fate(network: Network, how: str) -> None:
    station = await network.station("2.1")
    card = await network.token("CARD1", autocharge=True)
    await plugs_in_car(station)
    await charges(station)
    assert await vehicles(network) == [CAR]
    async with network.pool.acquire() as conn, conn.transaction():
        if how == "blocked":
            await register.set_status(conn, access.system(network.party_id), card, "blocked")
        else:
            await register.delete_token(conn, access.system(network.party_id), card)
    assert await plugs_in_car(station) == ("Blocked" if how == "blocked" else "Unknown")
