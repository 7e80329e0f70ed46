"""A reservation is changed: its station agrees, and until then, or if it does not, what it keeps stands."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.reservations import changes
from ohmstead.reservations.model import Reservation, ReservationChange
from tests.stories.network import Network
from tests.stories.station import Station
from tests.stories.test_reservations import becomes, cancel, in_, is_kept, reserve, reserved_station, row
from tests.stories.wire import SILENCE, Error


async def change(network: Network, made: Reservation, version: int | None = None, **given: Any) -> Reservation:
    async with network.pool.acquire() as conn, conn.transaction():
        return await changes.change(
            conn, access.system(network.party_id), made.reservation_id, ReservationChange(**given), version
        )


async def is_through(network: Network, made: Reservation) -> Any:
    async def look() -> bool:
        return (await row(network, made)).before is None

    await network.until(look, "the change is through")
    return await row(network, made)


def told(station: Station) -> list[Any]:
    return [payload for _, action, payload in station.wire.heard if action == "ReserveNow"]


async def test_a_change_is_told_under_the_same_number_and_holds_when_the_station_agrees(
    network: Network, version: str
) -> None:
    station = await reserved_station(network, version)
    await network.outlets(station, 2)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    until_at = in_(hours=2)
    changing = await change(network, made, evse_number=2, until_at=until_at, token_uid="STRANGER")
    assert (changing.status, changing.evse_number, changing.before is not None) == ("active", 2, True)
    after = await is_through(network, made)
    assert (after.status, after.is_held, after.evse_number, after.token_uid) == ("active", True, 2, "STRANGER")
    assert (after.until_at, after.change_refused, after.number) == (until_at, None, made.number)
    first, second = told(station)
    names = ("reservationId", "connectorId", "expiryDate") if version == "1.6" else ("id", "evseId", "expiryDateTime")
    assert [one[names[0]] for one in (first, second)] == [made.number, made.number]
    assert [one[names[1]] for one in (first, second)] == [1, 2]
    assert abs(datetime.fromisoformat(second[names[2]]) - until_at) < timedelta(milliseconds=1)
    # The outlet that it had is free again, and nobody was let go in between.
    await reserve(network, station, evse_number=1)
    assert "CancelReservation" not in [action for _, action, _ in station.wire.heard]


@pytest.mark.parametrize("how", ["refuses", "cannot", "is away"])
async def test_a_change_that_is_refused_leaves_the_old_one_standing(network: Network, version: str, how: str) -> None:
    station = await reserved_station(network, version)
    await network.outlets(station, 2)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    station.answers["ReserveNow"] = {"status": "Occupied"} if how == "refuses" else Error("NotSupported")
    if how == "is away":
        await station.goes_offline()
        await network.is_connected(station, False)
    await change(network, made, evse_number=2, until_at=in_(hours=3))
    after = await is_through(network, made)
    assert (after.status, after.is_held, after.evse_number) == ("active", True, 1)
    assert (after.until_at, after.token_uid) == (made.until_at, "HOLDER")
    assert after.change_refused if how != "refuses" else after.change_refused == "Occupied"
    await reserve(network, station, uid="STRANGER", evse_number=2)
    # It was not given up, and can be cancelled as ever.
    await cancel(network, made)
    assert (await row(network, made)).status == "cancelled"


async def test_in_doubt_nobody_else_gets_either_outlet_and_it_is_asked_again(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    await network.outlets(station, 2)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    station.answers["ReserveNow"] = SILENCE
    await change(network, made, evse_number=2)

    async def is_told_twice() -> bool:
        return len(told(station)) == 2

    await network.until(is_told_twice, "the station is told of the change")
    for evse_number in (1, 2):
        with pytest.raises(Conflict):
            await reserve(network, station, uid="STRANGER", evse_number=evse_number)
    with pytest.raises(Conflict, match="not answered"):
        await change(network, made, until_at=in_(hours=2))
    # Whoever asked is gone: the timer asks again.
    station.answers["ReserveNow"] = {"status": "Accepted"}
    await station.wire.cut()
    await station.comes_back()
    await network.pool.execute(
        "update reservation set change_told_at = now() - interval '1 minute' where number = $1", made.number
    )
    after = await is_through(network, made)
    assert (after.evse_number, after.status) == (2, "active")
    await reserve(network, station, uid="STRANGER", evse_number=1)


async def test_what_its_station_does_not_know_is_changed_in_the_books(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    await network.outlets(station, 2)
    made = await reserve(network, station, evse_number=1, from_at=in_(hours=2), until_at=in_(hours=3))
    others = await reserve(network, station, uid="STRANGER", evse_number=1, from_at=in_(hours=4), until_at=in_(hours=5))
    with pytest.raises(Conflict, match="reserved"):
        await change(network, made, until_at=in_(hours=4.5))
    for wrong, field in (
        ({"until_at": in_(hours=1)}, "until_at"),
        ({"from_at": in_(hours=-1)}, "from_at"),
        ({"until_at": in_(days=40)}, "until_at"),
        ({"token_uid": "NOBODY"}, "token_uid"),
    ):
        with pytest.raises(Invalid) as refused:
            await change(network, made, **wrong)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        await change(network, made, evse_number=9)
    await network.token("BLOCKED", status="blocked")
    with pytest.raises(Refused):
        await change(network, made, token_uid="BLOCKED")
    with pytest.raises(Conflict, match="read it again"):
        await change(network, made, version=99, until_at=in_(hours=3))
    moved = await change(network, made, made.version, from_at=in_(seconds=20), until_at=in_(hours=1))
    assert (moved.before, moved.status) == (None, "requested")
    await becomes(network, made, "accepted")
    assert len(told(station)) == 1
    with pytest.raises(Invalid, match="keeps the outlet already"):
        await change(network, made, from_at=in_(minutes=30))
    await cancel(network, others)
    with pytest.raises(Conflict, match="over"):
        await change(network, others, until_at=in_(hours=6))
    stranger = await Network(network.house).found()
    with pytest.raises(NotFound):
        await change(stranger, made, until_at=in_(hours=2))
