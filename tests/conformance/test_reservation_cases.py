"""Public certification cases of group H (reservation), 2.0.1 and 2.1: the CSMS's side, on the wire and kept."""

from datetime import UTC, datetime, timedelta

import pytest

from ohmstead.core.errors import Conflict
from tests.stories.network import Network
from tests.stories.test_reservations import becomes, cancel, is_kept, reserve, reserved_station, row


async def test_tc_h_01_an_evse_is_reserved_for_a_token(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    heard = await station.hears("ReserveNow")
    assert (heard["id"], heard["evseId"], heard["idToken"]["idToken"]) == (made.number, 1, "HOLDER")
    assert datetime.fromisoformat(heard["expiryDateTime"]) > datetime.now(UTC)
    await becomes(network, made, "active")


async def test_tc_h_07_a_reservation_that_was_not_used_ends(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1, until_at=datetime.now(UTC) + timedelta(seconds=30))
    await becomes(network, made, "active")
    payload = {"reservationId": made.number, "reservationUpdateStatus": "Expired"}
    assert await station.says("ReservationStatusUpdate", payload) == {}
    assert (await row(network, made)).status == "no_show"
    assert await station.starts_anyway("STRANGER") == "Accepted"


async def test_tc_h_08_any_evse_is_reserved(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'ReservationCtrlr', 'NonEvseSpecific', 'true')",
        station.station_id,
    )
    made = await reserve(network, station)
    assert "evseId" not in await station.hears("ReserveNow")
    await becomes(network, made, "active")


async def test_tc_h_14_no_more_are_reserved_than_there_are_evses(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    await network.pool.execute("insert into evse values ($1, 2, 'AC', 22000)", station.station_id)
    made = [await reserve(network, station) for _ in range(2)]
    with pytest.raises(Conflict):
        await reserve(network, station)
    for one in made:
        await becomes(network, one, "active")
    assert [action for _, action, _ in station.wire.heard].count("ReserveNow") == 2


async def test_tc_h_15_a_kind_of_connector_is_reserved(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'ReservationCtrlr', 'NonEvseSpecific', 'true')",
        station.station_id,
    )
    await network.pool.execute(
        "insert into connector (station_id, evse_number, connector_number, standard) values ($1, 1, 1,"
        " 'IEC_62196_T2_COMBO')",
        station.station_id,
    )
    made = await reserve(network, station, connector_type="IEC_62196_T2_COMBO")
    heard = await station.hears("ReserveNow")
    assert (heard["connectorType"], "evseId" in heard) == ("cCCS2", False)
    await becomes(network, made, "active")


async def test_tc_h_17_a_reservation_is_cancelled(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    await cancel(network, made)
    assert await station.hears("CancelReservation") == {"reservationId": made.number}
    assert (await row(network, made)).status == "cancelled"


async def test_tc_h_19_a_reservation_is_used_by_a_token_of_the_same_group(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    assert await station.authorizes("WIFE") == ("Accepted", "FAMILY")
    assert await station.starts_anyway("WIFE") == "Accepted"
    await becomes(network, made, "used")


async def test_tc_h_20_a_station_that_breaks_cancels_the_reservation(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    await station.tells_status(1, "faulted")
    payload = {"reservationId": made.number, "reservationUpdateStatus": "Removed"}
    assert await station.says("ReservationStatusUpdate", payload) == {}
    assert (await row(network, made)).status == "cancelled"


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Unavailable", "Rejected"])
async def test_tc_h_22_a_reservation_is_refused(network: Network, version2: str, word: str) -> None:
    station = await reserved_station(network, version2)
    station.answers["ReserveNow"] = {"status": word}
    made = await reserve(network, station, evse_number=1)
    assert (await becomes(network, made, "refused")).reason == word


async def test_h04_2_1_says_that_nobody_began_a_transaction(network: Network) -> None:
    station = await reserved_station(network, "2.1")
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    await station.says(
        "ReservationStatusUpdate", {"reservationId": made.number, "reservationUpdateStatus": "NoTransaction"}
    )
    assert (await row(network, made)).status == "no_show"
