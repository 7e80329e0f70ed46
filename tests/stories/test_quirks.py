"""Quirks of a make meet the wire: what is reported is put right, what is missing is asked for, orders are put its way."""

from pathlib import Path
from typing import Any

from ohmstead.ocpp import quirks
from ohmstead.stations.commands import RemoteStart
from ohmstead.stations.device import messages, onboarding, store
from ohmstead.stations.quirks.book import QuirkBook
from tests.conformance.test_password_cases import row, takes
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_templates import asked, is_done

OPENEVSE = {"chargePointVendor": "OpenEVSE", "chargePointModel": "Advanced Series", "firmwareVersion": "v4.2.2"}


def a_book(directory: Path, effects: str) -> QuirkBook:
    """A profile of the make that stories are about."""
    (directory / "make.yaml").write_text(
        f"name: Make\nmatch: {{vendor: Vendor}}\nbecause: told\nsource: https://example.org/1\neffects: {{{effects}}}\n"
    )
    return QuirkBook(directory, look_every_s=0)


async def test_energy_that_a_make_counts_in_kwh_is_kept_in_wh(network: Network) -> None:
    await network.token("CARD")
    for name, payload, expected in (("RIGHT", None, 10), ("KWH", OPENEVSE, 10_000)):
        station = await network.station("1.6", name)
        station.register_start = 361
        if payload is not None:
            await station.says("BootNotification", payload)
        assert await station.presents("CARD") == "Accepted"
        await station.delivers(wh=10, over="1h")
        await station.presents("CARD")
        session = await network.session_of(station)
        assert (session.status, session.energy_wh) == ("completed", expected)


async def test_a_make_known_from_before_is_known_from_its_first_message_on(network: Network) -> None:
    station = await network.station("1.6")
    await station.says("BootNotification", OPENEVSE)
    await station.wire.close()
    await station.connects()
    connection = network.house.gateway.find(station.station_id)
    assert connection is not None
    assert connection.quirks is not None
    assert connection.quirks.corrections[0].times == 1000
    ordinary = await network.station("1.6", "ORDINARY")
    connection = network.house.gateway.find(ordinary.station_id)
    assert connection is not None
    assert connection.quirks is None


async def test_a_profile_that_changes_holds_for_stations_that_are_connected(network: Network, tmp_path: Path) -> None:
    station = await silent_station(network, "1.6")
    connection = network.house.gateway.find(station.station_id)
    assert connection is not None
    book = a_book(tmp_path, "id_case: lower")
    seen = quirks.resolve_all([connection], book, -1)
    await network.orders(station, RemoteStart(token_uid="Tag-1"))
    assert asked(station, "RemoteStartTransaction")[-1]["idTag"] == "tag-1"
    a_book(tmp_path, "id_case: upper   ")
    seen = quirks.resolve_all([connection], book, seen)
    await network.orders(station, RemoteStart(token_uid="Tag-1"))
    assert asked(station, "RemoteStartTransaction")[-1]["idTag"] == "TAG-1"
    assert quirks.resolve_all([connection], book, seen) == seen


async def test_messages_that_a_make_does_not_send_are_asked_for(network: Network, version: str, tmp_path: Path) -> None:
    station = await silent_station(network, version)
    book = a_book(tmp_path, "never_sends: [StatusNotification, MeterValues]")
    done = await messages.ask_for(network.pool, network.house.desk, book, station.station_id)
    assert done.result == "asked"
    assert [one["requestedMessage"] for one in asked(station, "TriggerMessage")] == [
        "StatusNotification",
        "MeterValues",
    ]
    nobody = await messages.ask_for(network.pool, network.house.desk, QuirkBook(), station.station_id)
    assert nobody.result == "nothing"


async def test_a_make_that_takes_its_key_as_text_gets_one_that_fits(network: Network, tmp_path: Path) -> None:
    station = await silent_station(network, "1.6")
    takes(station)
    # Its arrival has been noticed: from here on nobody but this story gives it a password.
    await is_done(network, station, "nothing")
    await network.pool.execute(
        "update station set onboarding = 'set_password' where station_id = $1", station.station_id
    )
    await _given(network, station, a_book(tmp_path, "authorization_key: raw"))
    told: Payload = asked(station, "ChangeConfiguration")[-1]
    assert len(told["value"]) == 20
    after: Any = await row(network, station)
    assert len(after.next_secret_hashes) == 1


async def _given(network: Network, station: Station, book: QuirkBook) -> None:
    house = network.house
    async with network.pool.acquire() as conn:
        assert await store.find_newcomer(conn, station.station_id) is not None
    done = await onboarding.go_on(
        network.pool, house.bus, house.desk, house.settings.secret(), book, station.station_id
    )
    assert done.result == "given"
