"""Safe limits: stations keep one for every car, are brought to it, and have it taken back."""

from decimal import Decimal
from typing import Any

from ohmstead.accounts import access
from ohmstead.core import clock
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging import store as profiles
from ohmstead.smartcharging.defaults import editing
from ohmstead.smartcharging.defaults import service as defaults
from ohmstead.smartcharging.defaults.choosing import SET_BY
from ohmstead.smartcharging.defaults.model import NewSafeLimit, SafeLimit, SafeLimitChange
from ohmstead.stations.device.duties import Done
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station


async def limits(network: Network, **given: Any) -> SafeLimit:
    whole = {"name": "Safe", "limit": Decimal(10), "rate_unit": "A", **given}
    async with network.pool.acquire() as conn, conn.transaction():
        return await editing.create_limit(conn, access.system(network.party_id), NewSafeLimit(**whole))


async def reconciled(network: Network, station: Station) -> Done:
    return await defaults.reconcile(network.pool, network.house.desk, station.station_id)


async def by_hand(network: Network, station: Station) -> None:
    """From now on the story alone brings the station to its limits. The worker's turns come two seconds after it connected,
    and at once where it was asked again meanwhile: on a slow machine they would fall anywhere."""

    async def is_ours() -> bool:
        taken = await network.pool.fetchval(
            "insert into upkeep as u (station_id, duty, taken_until) values ($1, $2, now() + interval '1 hour')"
            " on conflict (station_id, duty) do update set taken_until = excluded.taken_until"
            " where u.taken_until is null returning true",
            station.station_id,
            defaults.DUTY,
        )
        return bool(taken)

    await network.until(is_ours, "the worker is done with it")


def given_to(station: Station) -> list[tuple[int, str, float]]:
    """Default profiles that the station was given: EVSE, unit, limit."""
    found = []
    for _, action, payload in station.wire.heard:
        if action == "SetChargingProfile":
            profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
            schedule = profile["chargingSchedule"]
            schedule = schedule if isinstance(schedule, dict) else schedule[0]
            assert profile["chargingProfilePurpose"] == "TxDefaultProfile"
            assert profile["chargingProfileKind"] == "Relative"
            where = payload["connectorId"] if "connectorId" in payload else payload["evseId"]
            found.append((where, schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"][0]["limit"]))
    return found


async def states(network: Network, station: Station) -> list[tuple[int, str]]:
    async with network.pool.acquire() as conn:
        found = await defaults.state_of(conn, network.house.desk.book, network.party_id, station.station_id)
    return [(one.evse_number, one.state) for one in found]


def has_none(station: Station, version: str) -> None:
    if version != "1.6":
        station.answers["GetChargingProfiles"] = {"status": "NoProfiles"}


async def test_a_station_that_connects_is_given_its_safe_limit_and_freed_when_there_is_none(
    network: Network, version: str
) -> None:
    limit = await limits(network)
    station = await silent_station(network, version)
    has_none(station, version)

    async def has_it() -> bool:
        return await states(network, station) == [(0, "same")]

    await network.until(has_it, "the station was given its limit by itself")
    await by_hand(network, station)
    assert given_to(station) == [(0, "A", 10)]
    assert (await reconciled(network, station)).result == "same"
    assert len(given_to(station)) == 1  # once
    async with network.pool.acquire() as conn, conn.transaction():
        change = SafeLimitChange(limit=Decimal("6.5"))
        await editing.change_limit(conn, access.system(network.party_id), limit.safe_limit_id, change)
    assert await states(network, station) == [(0, "differs")]
    assert (await reconciled(network, station)).result == "same"
    assert given_to(station)[-1] == (0, "A", 6.5)
    async with network.pool.acquire() as conn, conn.transaction():
        await editing.delete_limit(conn, access.system(network.party_id), limit.safe_limit_id)
    assert (await reconciled(network, station)).result == "same"
    await station.hears("ClearChargingProfile")
    assert await states(network, station) == []


async def test_off_unless_somebody_wants_it(network: Network) -> None:
    await limits(network, is_enabled=False)
    await limits(network, name="Others", station_ids=["ELSEWHERE"])
    station = await silent_station(network, "2.0.1")
    await by_hand(network, station)
    assert (await reconciled(network, station)).result == "nothing"
    assert station.wire.heard == []


async def test_an_outlet_with_a_limit_of_its_own_has_every_outlet_told_its_own(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await by_hand(network, station)
    has_none(station, version)
    await network.outlets(station, 2)
    await limits(network, name="All", limit=Decimal(16))
    await limits(network, name="Second", limit=Decimal(8), evse_number=2, station_ids=[station.station_id])
    assert (await reconciled(network, station)).result == "same"
    assert given_to(station) == [(1, "A", 16), (2, "A", 8)]


async def test_what_a_station_lost_is_given_again_and_what_it_refuses_is_told(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await by_hand(network, station)
    has_none(station, version2)
    await limits(network)
    assert (await reconciled(network, station)).result == "same"
    # Connected anew, it tells of no profile of ours.
    await network.pool.execute("delete from profile_report where station_id = $1", station.station_id)
    station.answers["SetChargingProfile"] = {"status": "Rejected"}
    done = await reconciled(network, station)
    assert (done.result, done.is_failure) == ("refused", True)
    assert len(given_to(station)) == 2
    assert await states(network, station) == [(0, "refused")]


async def test_an_answer_to_the_order_before_says_nothing_of_the_one_that_is_on_its_way(
    network: Network, version: str
) -> None:
    """The worker hears of answers a moment later; by then the same profile may be on its way again."""
    station = await silent_station(network, version)
    await by_hand(network, station)
    has_none(station, version)
    await limits(network)
    assert (await reconciled(network, station)).result == "same"
    before = await network.pool.fetchval(
        "select payload from outbox where kind = 'CommandAnswered' and payload ->> 'station_id' = $1"
        " and payload ->> 'kind' = 'set_profile'",
        station.station_id,
    )
    async with network.pool.acquire() as conn, conn.transaction():
        (held,) = await profiles.list_held(conn, station.station_id)
        await profiles.save_profiles(conn, station.station_id, 0, [held.profile], status="sent", set_by=SET_BY)
        await smartcharging.learn(conn, [before])
        status = "select status from charging_profile where station_id = $1"
        assert await conn.fetchval(status, station.station_id) == "sent"
        later = before | {"status": "rejected", "error_text": "Rejected", "requested_at": clock.now()}
        await smartcharging.learn(conn, [later])
        assert await conn.fetchval(status, station.station_id) == "refused"


async def test_somebody_elses_default_at_the_same_level_is_left_alone(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await by_hand(network, station)
    profile: Payload = {
        "profile_id": 77,
        "purpose": "session_default",
        "timing": "relative",
        "schedules": [{"rate_unit": "A", "periods": [{"start_s": 0, "limit": "12"}]}],
    }
    await network.pool.execute(
        "insert into charging_profile (station_id, profile_id, evse_number, purpose, timing, stack_level, profile, status,"
        " set_by) values ($1, 77, 0, 'session_default', 'relative', 0, $2, 'held', 'operator:x')",
        station.station_id,
        profile,
    )
    if version != "1.6":
        station.answers["GetChargingProfiles"] = {"status": "Unknown"}
    await limits(network)
    await network.pool.execute(
        "insert into profile_report (station_id, request_id, is_full) values ($1, 1, true)", station.station_id
    )
    done = await reconciled(network, station)
    assert (done.result, "77" in (done.text or "")) == ("refused", True)
    assert given_to(station) == []
