"""A station that accepted a profile is asked what it would deliver: whoever accepts in vain is found out."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ohmstead.accounts.scope import Scope
from ohmstead.reports import service as reports
from ohmstead.smartcharging import service
from ohmstead.smartcharging.checking import queries as checks
from ohmstead.smartcharging.checking import service as checking
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.device.duties import Done
from ohmstead.stations.orders import ChargingProfile, Period, RemoteStart, Schedule, SetProfile
from ohmstead.stations.quirks.book import QuirkBook
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_profiles import tells
from tests.stories.test_quirks import a_book
from tests.stories.wire import SILENCE, Error


def flat(limit: int, purpose: Any = "session_default", **given: Any) -> ChargingProfile:
    schedule = Schedule(
        rate_unit=given.pop("unit", "A"),
        periods=(Period(start_s=0, limit=Decimal(limit)),),
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return ChargingProfile(profile_id=0, purpose=purpose, timing="absolute", schedules=(schedule,), **given)


async def gives(
    network: Network, station: Station, profile: ChargingProfile, evse: int = 1, desk: CommandDesk | None = None
) -> str:
    held, _ = await service.set_profile(
        network.pool,
        desk or network.house.desk,
        party_id=network.party_id,
        station_id=station.station_id,
        evse_number=evse,
        profile=profile,
        requested_by="operator:story",
    )
    return held.status


def would_deliver(station: Station, version: str, limit: float, evse: int = 1, unit: str = "A") -> None:
    """What it answers to the question what it would deliver."""
    inner = {
        "chargingRateUnit": unit,
        "duration": 14_400,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    begin = datetime.now(UTC).isoformat()
    told: Payload = {"status": "Accepted", "schedule": {"evseId": evse, "scheduleStart": begin, **inner}}
    if version == "1.6":
        told = {"status": "Accepted", "connectorId": evse, "scheduleStart": begin, "chargingSchedule": inner}
    station.answers["GetCompositeSchedule"] = told


def asked(station: Station, action: str = "GetCompositeSchedule") -> list[Payload]:
    return [payload for _, name, payload in station.wire.heard if name == action]


async def checked(network: Network, station: Station, desk: CommandDesk | None = None) -> Done:
    return await checking.check(network.pool, desk or network.house.desk, station.station_id)


async def concerns(network: Network, station: Station) -> list[str]:
    async with network.pool.acquire() as conn:
        found = await reports.list_concerns(conn, Scope(network.party_id))
    return [one.text for one in found if one.kind == "profile_ignored" and one.station_id == station.station_id]


async def kept(network: Network, station: Station) -> list[tuple[int, str]]:
    async with network.pool.acquire() as conn:
        found = await checks.list_checks(conn, network.party_id, station.station_id)
    return [(one.evse_number, one.status) for one in found]


async def test_a_station_that_accepts_in_vain_is_found_out_and_one_that_obeys_is_left_alone(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    assert await gives(network, station, flat(20, "station_max"), evse=0) == "held"
    would_deliver(station, version, 32, evse=0)
    done = await checked(network, station)
    assert (done.result, len(asked(station))) == ("differs", 1)
    [text] = await concerns(network, station)
    assert text == "It accepted 13.8 kW and says it would deliver 22.1 kW."
    assert (await checked(network, station)).result == "nothing"  # once
    await gives(network, station, flat(16, "station_max", stack_level=1), evse=0)
    would_deliver(station, version, 16, evse=0)
    assert (await checked(network, station)).result == "same"
    assert await concerns(network, station) == []
    assert await kept(network, station) == [(0, "same")]


async def test_a_default_that_is_left_out_while_nobody_charges_is_looked_at_when_somebody_does(
    network: Network, version: str
) -> None:
    station = await network.station(version, hours_ago=0)
    await network.token("TAG1")
    await gives(network, station, flat(10))
    would_deliver(station, version, 32)
    assert (await checked(network, station)).result == "waits"
    assert await concerns(network, station) == []
    await station.plugs_in()
    await station.presents("TAG1")

    async def is_due() -> bool:
        return await kept(network, station) == [(1, "due")]

    await network.until(is_due, "a car charges: it is to be asked again")
    assert (await checked(network, station)).result == "differs"
    assert len(await concerns(network, station)) == 1


async def test_one_that_has_no_such_message_is_asked_once_and_one_that_is_silent_again_and_again(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    station.answers["GetCompositeSchedule"] = Error("NotImplemented")
    await network.pool.execute("update station set firmware_version = '1' where station_id = $1", station.station_id)
    await gives(network, station, flat(10, stack_level=0))
    assert (await checked(network, station)).result == "untold"
    await gives(network, station, flat(10, stack_level=1))
    assert (await checked(network, station)).result == "untold"
    assert len(asked(station)) == 1
    assert await concerns(network, station) == []
    desk = CommandDesk(network.pool, network.house.bus)
    other = await silent_station(network, version, "ST-2")
    other.answers["GetCompositeSchedule"] = SILENCE
    await gives(network, other, flat(10), desk=desk)
    await other.wire.close()
    done = await checked(network, other)
    assert (done.result, done.is_failure) == ("offline", True)
    assert await kept(network, other) == [(1, "due")]


# ------------------------------------------------------------------------------------------ quirks


@pytest.mark.parametrize(("unit", "given", "heard"), [("W", 16, 11_040), ("A", 11_040, 16)])
async def test_a_make_that_obeys_one_unit_is_told_in_that_whoever_orders(
    network: Network, version: str, tmp_path: Path, unit: str, given: int, heard: float
) -> None:
    station, desk = await _of_make(network, version, tmp_path, f"rate_unit: {unit}")
    profile = flat(given, unit="A" if unit == "W" else "W")
    assert await gives(network, station, profile, desk=desk) == "held"
    plain = SetProfile(evse_number=1, profile=_numbered(profile, 1_777_777_777))
    assert (await network.orders(station, plain)).status == "accepted"
    said = [_schedule(payload) for payload in asked(station, "SetChargingProfile")]
    assert [(s["chargingRateUnit"], s["chargingSchedulePeriod"][0]["limit"]) for s in said] == [(unit, heard)] * 2
    start = RemoteStart(token_uid="T", evse_number=1, profile=_numbered(_for_start(profile), 1_777_777_778))
    await network.orders(station, start)
    [one] = asked(station, "RemoteStartTransaction" if version == "1.6" else "RequestStartTransaction")
    assert _schedule(one)["chargingRateUnit"] == unit


async def test_levels_that_a_make_does_not_take_are_refused_before_anything_is_sent(
    network: Network, version: str, tmp_path: Path
) -> None:
    station, desk = await _of_make(network, version, tmp_path, "highest_stack_level: 2, lowest_stack_level: 1")
    await tells(network, station, ChargeProfileMaxStackLevel="9", SmartChargingCtrlr__ProfileStackLevel="9")
    for level, word in ((3, "levels up to 2"), (0, "levels from 1 on")):
        with pytest.raises(service.Misfit, match=word):
            await gives(network, station, flat(10, stack_level=level), desk=desk)
        plain = SetProfile(evse_number=1, profile=_numbered(flat(10, stack_level=level), 1_777_777_777))
        command = await network.orders(station, plain)
        assert (command.status, command.error_code) == ("failed", "refused")
        assert word in (command.error_text or "")
    assert asked(station, "SetChargingProfile") == []
    assert await gives(network, station, flat(10, stack_level=2), desk=desk) == "held"


async def test_a_make_that_accepts_in_vain_is_doubted_until_a_car_shows_what_it_does(
    network: Network, version: str, tmp_path: Path
) -> None:
    station, desk = await _of_make(network, version, tmp_path, "accepts_profiles_in_vain: true")
    await gives(network, station, flat(10), desk=desk)
    would_deliver(station, version, 10)
    assert (await checked(network, station, desk)).result == "doubtful"
    [text] = await concerns(network, station)
    assert "does not carry out" in text
    await network.token("TAG1")
    await station.plugs_in()
    await station.presents("TAG1")
    await network.settled()
    for power_w, result in ((11_000, "differs"), (6900, "same")):
        await network.pool.execute(
            "update charging_profile set confirmed_at = now() - interval '2 minutes' where station_id = $1",
            station.station_id,
        )
        await network.pool.execute(
            "update session set power_w = $2, power_at = now() where station_id = $1", station.station_id, power_w
        )
        await network.pool.execute("update profile_check set status = 'due' where station_id = $1", station.station_id)
        assert (await checked(network, station, desk)).result == result
    assert await concerns(network, station) == []


async def _of_make(network: Network, version: str, directory: Path, effects: str) -> tuple[Station, CommandDesk]:
    """A station of a make with quirks, and a desk that knows of them, as its gateway does."""
    station = await network.station(version, hours_ago=0)
    book: QuirkBook = a_book(directory, effects)
    connection = network.house.gateway.find(station.station_id)
    assert connection is not None
    connection.quirks = book.effects(
        vendor=connection.station.vendor, model=None, firmware=None, version=connection.version.value
    )
    assert connection.quirks is not None
    return station, CommandDesk(network.pool, network.house.bus, book=book)


def _numbered(profile: ChargingProfile, number: int) -> ChargingProfile:
    return ChargingProfile(
        profile_id=number,
        purpose=profile.purpose,
        timing=profile.timing,
        stack_level=profile.stack_level,
        schedules=profile.schedules,
    )


def _for_start(profile: ChargingProfile) -> ChargingProfile:
    return ChargingProfile(profile_id=0, purpose="session", timing="absolute", schedules=profile.schedules)


def _schedule(payload: Payload) -> Payload:
    profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
    found: Any = profile["chargingSchedule"]
    return found if isinstance(found, dict) else found[0]
