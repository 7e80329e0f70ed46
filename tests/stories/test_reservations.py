"""An outlet is kept free for somebody: told to the station, used, let go, or run out; the same in every version."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.reservations import service
from ohmstead.reservations.holds import NUDGE
from ohmstead.reservations.model import NewReservation, Reservation
from ohmstead.stations.commands import RemoteStart
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.patience import until
from tests.stories.station import Station
from tests.stories.wire import SILENCE, Error


def in_(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)


async def reserve(network: Network, station: Station | None = None, uid: str = "HOLDER", **given: Any) -> Reservation:
    if station is not None:
        given = {"station_id": station.station_id, **given}
    wanted = NewReservation(token_uid=uid, **{"until_at": in_(hours=1), **given})
    async with network.pool.acquire() as conn, conn.transaction():
        made = await service.book(conn, access.system(network.party_id), wanted)
    await network.house.bus.publish(NUDGE, {})
    return made


async def cancel(network: Network, reservation: Reservation) -> None:
    async with network.pool.acquire() as conn, conn.transaction():
        await service.cancel(conn, access.system(network.party_id), reservation.reservation_id)


async def row(network: Network, reservation: Reservation) -> SimpleNamespace:
    [found] = await network.rows("select * from reservation where reservation_id = $1", reservation.reservation_id)
    return found


async def becomes(network: Network, reservation: Reservation, status: str) -> SimpleNamespace:
    async def look() -> bool:
        return bool((await row(network, reservation)).status == status)

    await network.until(look, f"the reservation is {status}")
    return await row(network, reservation)


async def time_passes(network: Network, at: datetime) -> None:
    """The clock's work at `at`. A row that somebody writes just then is left for the next time, as in the worker."""

    async def is_done() -> bool:
        async with network.pool.acquire() as conn, conn.transaction():
            return await service.pass_time(conn, at) > 0

    await network.until(is_done, "time has changed a reservation")


async def reserved_station(network: Network, version: str, **traits: Any) -> Station:
    station = await network.station(version, hours_ago=0, **traits)
    await network.token("HOLDER", group_uid="FAMILY")
    await network.token("WIFE", group_uid="FAMILY")
    await network.token("STRANGER")
    return station


async def is_kept(network: Network, reservation: Reservation) -> None:
    """Until the station keeps it, and the gateway has heard of it."""
    await becomes(network, reservation, "active")

    async def look() -> bool:
        return reservation.station_id in network.house.gateway._holds.stations

    await until(look, "the gateway knows")


# ------------------------------------------------------------------------------------------ telling the station


async def test_the_station_is_told_in_its_words_and_keeps_the_outlet(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    heard = await station.hears("ReserveNow")
    ends = heard.pop("expiryDate" if version == "1.6" else "expiryDateTime")
    assert abs(datetime.fromisoformat(ends) - made.until_at) < timedelta(milliseconds=1)
    if version == "1.6":
        assert heard == {
            "connectorId": 1,
            "idTag": "HOLDER",
            "parentIdTag": "FAMILY",
            "reservationId": made.number,
        }
    else:
        assert heard == {
            "id": made.number,
            "evseId": 1,
            "idToken": {"idToken": "HOLDER", "type": "ISO14443"},
            "groupIdToken": {"idToken": "FAMILY", "type": "Central"},
        }
    kept = await becomes(network, made, "active")
    assert kept.is_held


@pytest.mark.parametrize("status", ["Occupied", "Faulted", "Unavailable", "Rejected"])
async def test_a_station_may_refuse_and_the_outlet_is_free_again(network: Network, version: str, status: str) -> None:
    station = await reserved_station(network, version)
    station.answers["ReserveNow"] = {"status": status}
    made = await reserve(network, station, evse_number=1)
    refused = await becomes(network, made, "refused")
    assert (refused.reason, refused.is_held) == (status, False)
    await reserve(network, station, evse_number=1)


async def test_a_station_without_reservations_refuses_for_good(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    station.answers["ReserveNow"] = Error("NotSupported")
    made = await reserve(network, station)
    await becomes(network, made, "refused")
    assert len([action for _, action, _ in station.wire.heard if action == "ReserveNow"]) == 1


async def test_any_outlet_is_asked_for_where_the_station_can_choose(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    component, variable = ("", "ReserveConnectorZeroSupported")
    if version != "1.6":
        component, variable = "ReservationCtrlr", "NonEvseSpecific"
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, 'true')",
        station.station_id,
        component,
        variable,
    )
    made = await reserve(network, station)
    heard = await station.hears("ReserveNow")
    assert made.scope == "station"
    assert heard.get("connectorId", heard.get("evseId")) == (0 if version == "1.6" else None)


async def test_where_it_cannot_choose_it_is_given_the_outlet_of_the_books(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    await reserve(network, station)
    heard = await station.hears("ReserveNow")
    assert heard.get("connectorId", heard.get("evseId")) == 1


async def test_a_station_that_is_away_is_told_when_it_comes_back(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    await station.goes_offline()
    await network.is_connected(station, False)
    made = await reserve(network, station)

    async def waits() -> bool:
        return bool(
            await network.pool.fetchval(
                "select count(*) from command where station_id = $1 and status = 'queued'", station.station_id
            )
        )

    await network.until(waits, "the order waits")
    assert (await row(network, made)).status == "requested"
    await station.comes_back()
    await becomes(network, made, "active")
    assert len([action for _, action, _ in station.wire.heard if action == "ReserveNow"]) == 1


async def test_cancelled_while_the_station_is_away_it_never_hears_of_it(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    await station.goes_offline()
    await network.is_connected(station, False)
    made = await reserve(network, station)

    async def waits() -> bool:
        return bool(
            await network.pool.fetchval("select told_at = until_at from reservation where number = $1", made.number)
        )

    await network.until(waits, "the order waits")
    await cancel(network, made)
    await station.comes_back()
    await station.says("Heartbeat", {})
    assert station.wire.heard == []
    assert (await row(network, made)).status == "cancelled"


async def test_an_answer_that_comes_late_still_counts(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await network.token("HOLDER")
    station.answers["ReserveNow"] = SILENCE
    made = await reserve(network, station)
    await station.hears("ReserveNow")
    assert (await row(network, made)).status == "requested"
    await station.wire.send([3, station.wire.heard[0][0], {"status": "Accepted"}])
    await becomes(network, made, "active")


async def test_one_for_later_is_told_a_minute_ahead(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, from_at=in_(hours=2), until_at=in_(hours=3))
    soon = await reserve(network, station, from_at=in_(seconds=30), until_at=in_(minutes=30))
    await becomes(network, soon, "accepted")
    numbers = [payload.get("id", payload.get("reservationId")) for _, _, payload in station.wire.heard]
    assert numbers == [soon.number]
    assert (await row(network, made)).tell_at == made.from_at - timedelta(seconds=60)


# ------------------------------------------------------------------------------------------ cancelling


async def test_the_station_is_told_to_let_go(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station)
    await becomes(network, made, "active")
    await cancel(network, made)
    heard = await station.hears("CancelReservation")
    assert heard == {"reservationId": made.number}

    async def is_free() -> bool:
        return not (await row(network, made)).is_held

    await network.until(is_free, "the station let go")
    assert (await row(network, made)).status == "cancelled"
    with pytest.raises(Conflict):
        await cancel(network, made)


async def test_one_cancelled_while_the_station_hesitates_is_let_go_when_it_agrees(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    await network.token("HOLDER")
    station.answers["ReserveNow"] = SILENCE
    station.answers["CancelReservation"] = {"status": "Rejected"}
    made = await reserve(network, station)
    await station.hears("ReserveNow")
    await cancel(network, made)
    station.answers["CancelReservation"] = {"status": "Accepted"}
    await station.wire.send([3, station.wire.heard[0][0], {"status": "Accepted"}])

    async def was_let_go() -> bool:
        return [a for _, a, _ in station.wire.heard].count("CancelReservation") >= 1 and not (
            await row(network, made)
        ).is_held

    await network.until(was_let_go, "the station let go")
    assert (await row(network, made)).status == "cancelled"


# ------------------------------------------------------------------------------------------ who may charge


async def test_a_stranger_does_not_begin_at_a_reserved_outlet(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    status, _ = await station.authorizes("STRANGER")
    assert status == ("Invalid" if version == "1.6" else "NotAtThisTime")
    assert await station.starts_anyway("STRANGER") == status
    assert (await row(network, made)).status == "active"


@pytest.mark.parametrize("uid", ["HOLDER", "holder", "WIFE"])
async def test_the_holder_and_the_group_begin_and_use_it(network: Network, version: str, uid: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    await station.plugs_in()
    assert await station.presents(uid) == "Accepted"
    used = await becomes(network, made, "used")
    session = await network.session_of(station)

    async def is_linked() -> bool:
        return bool((await row(network, made)).session_id == session.session_id)

    await network.until(is_linked, "the session stands with the reservation")
    assert not used.is_held


async def test_a_start_that_carries_its_number_uses_it(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    at = datetime.now(UTC).isoformat()
    if version == "1.6":
        payload = {"connectorId": 1, "idTag": "HOLDER", "meterStart": 0, "timestamp": at, "reservationId": made.number}
        await station.says("StartTransaction", payload)
    else:
        payload = {
            "eventType": "Started",
            "timestamp": at,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "tx-r"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "HOLDER", "type": "ISO14443"},
            "reservationId": made.number,
        }
        await station.says("TransactionEvent", payload)
    # Not afterwards: with the same commit.
    assert (await row(network, made)).status == "used"


async def test_the_other_outlet_is_free_for_everybody(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    await network.pool.execute("insert into evse values ($1, 2, 'AC', 22000)", station.station_id)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    assert (await station.authorizes("STRANGER"))[0] == "Accepted"
    assert await station.starts_anyway("STRANGER", outlet=2) == "Accepted"


async def test_a_remote_start_for_a_stranger_is_not_sent(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    refused = await network.orders(station, RemoteStart(token_uid="STRANGER", evse_number=1))
    assert (refused.status, refused.error_code) == ("failed", "refused")
    assert "reserved" in str(refused.error_text)
    accepted = await network.orders(station, RemoteStart(token_uid="WIFE", evse_number=1))
    assert accepted.status == "accepted"
    await becomes(network, made, "used")


async def test_after_it_was_cancelled_everybody_may_charge(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    await cancel(network, made)
    assert await station.starts_anyway("STRANGER") == "Accepted"


# ------------------------------------------------------------------------------------------ time passes


async def test_when_its_time_is_over_and_nobody_came(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    await time_passes(network, made.until_at)
    over = await row(network, made)
    assert (over.status, over.is_held) == ("no_show", False)


async def test_one_that_the_station_never_kept_expires(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await network.token("HOLDER")
    station.answers["ReserveNow"] = SILENCE
    made = await reserve(network, station)
    await time_passes(network, made.until_at + timedelta(seconds=1))
    assert (await row(network, made)).status == "expired"


@pytest.mark.parametrize(("update", "status"), [("Expired", "expired"), ("Removed", "cancelled")])
async def test_the_station_says_what_became_of_it(network: Network, version2: str, update: str, status: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    payload = {"reservationId": made.number, "reservationUpdateStatus": update}
    assert await station.says("ReservationStatusUpdate", payload) == {}
    over = await row(network, made)
    assert (over.status, over.is_held) == (status, False)
    # Said once more, it changes nothing; nor does a number that the station never had.
    await station.says("ReservationStatusUpdate", payload)
    await station.says("ReservationStatusUpdate", {**payload, "reservationId": 2_000_000_000})
    assert (await row(network, made)).version == over.version


async def test_nobody_speaks_of_another_stations_reservation(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    other = await network.station(version2, "ST-2")
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    payload = {"reservationId": made.number, "reservationUpdateStatus": "Removed"}
    await other.says("ReservationStatusUpdate", payload)
    assert (await row(network, made)).status == "active"


# ------------------------------------------------------------------------------------------ no double booking


async def test_of_two_who_reserve_at_once_one_gets_it(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    for _ in range(5):
        results = await asyncio.gather(
            *(reserve(network, station, uid, evse_number=1) for uid in ("HOLDER", "STRANGER") * 2),
            return_exceptions=True,
        )
        won = [r for r in results if isinstance(r, Reservation)]
        assert len(won) == 1
        assert all(isinstance(r, Conflict) for r in results if r is not won[0])
        await cancel(network, won[0])


async def test_the_database_itself_refuses_an_overlap(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    made = await reserve(network, station, evse_number=1)
    with pytest.raises(Exception, match="reservation_no_double_booking"):
        await network.pool.execute(
            "insert into reservation (reservation_id, party_id, station_id, evse_number, lane, scope, token_uid,"
            " from_at, until_at, status, tell_at, requested_by) select gen_random_uuid(), party_id, station_id,"
            " evse_number, lane, scope, token_uid, until_at - interval '1 second', until_at + interval '1 hour',"
            " 'requested', tell_at, requested_by from reservation where number = $1",
            made.number,
        )


async def test_one_after_the_other_is_no_overlap(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    middle = in_(hours=2).replace(microsecond=0)
    await reserve(network, station, evse_number=1, from_at=in_(hours=1), until_at=middle)
    await reserve(network, station, evse_number=1, from_at=middle, until_at=middle + timedelta(hours=1))
    with pytest.raises(Conflict):
        await reserve(network, station, evse_number=1, from_at=middle - timedelta(seconds=2), until_at=in_(hours=4))


async def test_any_outlet_is_found_until_all_are_taken(network: Network) -> None:
    location_id = await network.location()
    first = await network.station("2.0.1", "ST-1", location_id=location_id, hours_ago=0)
    second = await network.station("1.6", "ST-2", location_id=location_id, hours_ago=0)
    await network.token("HOLDER")
    made = [await reserve(network, location_id=location_id) for _ in range(2)]
    assert {r.station_id for r in made} == {first.station_id, second.station_id}
    with pytest.raises(Conflict):
        await reserve(network, location_id=location_id)


async def test_a_type_of_connector_is_looked_for(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    await network.pool.execute("insert into evse values ($1, 2, 'DC', 50000)", station.station_id)
    await network.pool.execute(
        "insert into connector (station_id, evse_number, connector_number, standard)"
        " values ($1, 2, 1, 'IEC_62196_T2_COMBO') on conflict do nothing",
        station.station_id,
    )
    made = await reserve(network, station, connector_type="IEC_62196_T2_COMBO")
    assert made.evse_number == 2
    with pytest.raises(NotFound):
        await reserve(network, station, connector_type="CHADEMO")


async def test_a_group_of_higher_priority_takes_what_has_not_begun(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    await network.token("AMBULANCE", group_uid="RESCUE")
    async with network.pool.acquire() as conn, conn.transaction():
        await service.set_group_priority(conn, access.system(network.party_id), "RESCUE", 5)
    span = {"from_at": in_(hours=1), "until_at": in_(hours=2)}
    ordinary = await reserve(network, station, "HOLDER", evse_number=1, **span)
    first = await reserve(network, station, "AMBULANCE", evse_number=1, **span)
    displaced = await row(network, ordinary)
    assert displaced.status == "cancelled"
    assert "priority" in displaced.reason
    assert first.priority == 5
    with pytest.raises(Conflict):
        await reserve(network, station, "HOLDER", evse_number=1, **span)
    # What has begun stays, whoever comes.
    now = await reserve(network, station, "HOLDER", evse_number=1, until_at=in_(minutes=30))
    with pytest.raises(Conflict):
        await reserve(network, station, "AMBULANCE", evse_number=1, until_at=in_(minutes=20))
    assert (await row(network, now)).status in ("requested", "active")


async def test_only_ones_own_good_token_at_ones_own_station(network: Network) -> None:
    station = await reserved_station(network, "2.0.1")
    await network.token("BLOCKED", status="blocked")
    await network.token("MASTER", is_master=True)
    with pytest.raises(Invalid):
        await reserve(network, station, "NOBODY")
    for uid in ("BLOCKED", "MASTER"):
        with pytest.raises(Refused):
            await reserve(network, station, uid)
    stranger = await Network(network.house).found()
    await stranger.token("HOLDER")
    with pytest.raises(NotFound):
        await reserve(stranger, station)


async def test_it_survives_a_gateway_that_stops(network: Network, version: str) -> None:
    station = await reserved_station(network, version)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    await network.house.restart_gateway()
    await station.comes_back()
    await is_kept(network, made)
    assert await station.starts_anyway("STRANGER") != "Accepted"


async def test_an_old_yes_that_is_heard_of_again_changes_nothing(network: Network, version2: str) -> None:
    station = await reserved_station(network, version2)
    made = await reserve(network, station, evse_number=1)
    await becomes(network, made, "active")
    payload = {"reservationId": made.number, "reservationUpdateStatus": "Removed"}
    await station.says("ReservationStatusUpdate", payload)
    yes = {
        "kind": "reserve",
        "status": "accepted",
        "station_id": station.station_id,
        "parameters": {
            "reservation_id": made.number,
            "expires_at": made.until_at.isoformat(),
            "token": {"uid": "HOLDER"},
        },
        "error_code": None,
        "error_text": None,
    }
    async with network.pool.acquire() as conn, conn.transaction():
        await service.learn(conn, [yes])
    over = await row(network, made)
    assert (over.status, over.is_held) == ("cancelled", False)
    await station.says("Heartbeat", {})
    assert "CancelReservation" not in [action for _, action, _ in station.wire.heard]
