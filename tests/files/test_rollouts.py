"""Many stations come to an image: in waves, a few at once, and no further when too many fail."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.api.door import Visitor, problem
from tests.files.carrying import Carrier, asked, carrier, uploaded
from tests.stories.network import VERSIONS


async def fleet(api: Visitor, *versions: str) -> list[Carrier]:
    return [await carrier(api, version, f"R{n}") for n, version in enumerate(versions)]


async def begun(api: Visitor, image: Any, **terms: Any) -> Any:
    return await api.posts(
        "/rollouts",
        {"image_id": image["image_id"], "name": "Story", "retry_after_s": 1, "most_tries": 2, **terms},
        expect=201,
    )


async def installs(station: Carrier) -> None:
    await station.fetches()
    await station.says("Installing")
    await station.boots("2.0")


async def places(api: Visitor, rollout: Any) -> dict[str, str]:
    found = await api.gets(f"/rollouts/{rollout['rollout_id']}")
    return {one["station_id"].partition("-")[0]: one["status"] for one in found["stations"]}


async def is_so(api: Visitor, rollout: Any, status: str) -> Any:
    async def look() -> bool:
        return bool((await api.gets(f"/rollouts/{rollout['rollout_id']}"))["status"] == status)

    try:
        await api.network.until(look, f"the rollout is {status}")
    except AssertionError as error:
        found = await api.gets(f"/rollouts/{rollout['rollout_id']}")
        raise AssertionError(f"{error}: {found}") from None
    return await api.gets(f"/rollouts/{rollout['rollout_id']}")


async def test_stations_of_every_version_come_to_it_wave_by_wave(api: Visitor) -> None:
    stations = await fleet(api, *VERSIONS)
    rollout = await begun(api, await uploaded(api), waves=[30, 100])
    assert [(s["wave"], s["status"]) for s in rollout["stations"]] == [(0, "waiting"), (1, "waiting"), (1, "waiting")]
    await asked(stations[0])
    await asyncio.sleep(0.5)
    assert [len(s.asked) for s in stations] == [1, 0, 0]
    await installs(stations[0])
    for station in stations[1:]:
        await asked(station)
        await installs(station)
    done = await is_so(api, rollout, "finished")
    assert done["counts"] == {"installed": 3}
    assert [s["firmware_version"] for s in done["stations"]] == ["2.0"] * 3


async def test_only_so_many_are_busy_at_once(api: Visitor) -> None:
    stations = await fleet(api, *["2.0.1"] * 4)
    rollout = await begun(api, await uploaded(api), at_once=2)
    await asked(stations[1])
    await asyncio.sleep(0.5)
    assert sum(len(s.asked) for s in stations) == 2
    await installs(stations[0])
    await asked(stations[2])
    assert len(stations[3].asked) == 0
    await api.posts(f"/rollouts/{rollout['rollout_id']}/cancel")
    assert (await places(api, rollout))["R3"] == "skipped"


async def test_a_station_that_comes_back_old_gets_it_again_and_then_it_is_enough(api: Visitor) -> None:
    (station,) = await fleet(api, "2.0.1")
    rollout = await begun(api, await uploaded(api), failure_limit_percent=100)
    await asked(station)
    await station.says("Installing")
    await station.boots("1.0")
    await asked(station, 2)
    assert station.asked[0][1]["requestId"] != station.asked[1][1]["requestId"]
    await station.says("InvalidSignature")
    done = await is_so(api, rollout, "finished")
    assert done["stations"][0]["status"] == "failed"
    assert done["stations"][0]["detail"] == "invalid signature"
    assert done["stations"][0]["tries"] == 2


async def test_too_many_failures_halt_it_until_somebody_goes_on(api: Visitor) -> None:
    stations = await fleet(api, *["2.0.1"] * 3)
    rollout = await begun(api, await uploaded(api), at_once=1, most_tries=1, failure_limit_percent=10)
    await asked(stations[0])
    await stations[0].says("InstallationFailed")
    halted = await is_so(api, rollout, "halted")
    assert halted["halted_because"] == "1 of 3 stations failed, more than 10 %"
    await asyncio.sleep(0.5)
    assert [len(s.asked) for s in stations] == [1, 0, 0]
    assert (await api.posts(f"/rollouts/{rollout['rollout_id']}/resume"))["status"] == "running"
    for n, station in enumerate(stations):
        await asked(station, 2 if n == 0 else 1)
        await installs(station)
    await is_so(api, rollout, "finished")


async def test_it_can_be_paused_and_taken_up_and_not_after_its_end(api: Visitor) -> None:
    stations = await fleet(api, "1.6", "2.1")
    rollout = await begun(api, await uploaded(api), at_once=1)
    path = f"/rollouts/{rollout['rollout_id']}"
    await asked(stations[0])
    assert (await api.posts(f"{path}/pause"))["status"] == "paused"
    await installs(stations[0])
    await asyncio.sleep(0.6)
    assert stations[1].asked == []
    await api.posts(f"{path}/resume")
    await asked(stations[1])
    await installs(stations[1])
    await is_so(api, rollout, "finished")
    for verb in ("pause", "resume", "cancel"):
        problem(await api.client.post(f"{path}/{verb}"), 409, "refused")


async def test_a_station_that_charges_is_left_alone_until_it_is_done(api: Visitor) -> None:
    (station,) = await fleet(api, "2.0.1")
    await api.network.token("TAG1")
    await station.station.plugs_in()
    rollout = await begun(api, await uploaded(api))
    await asyncio.sleep(0.6)
    assert station.asked == []
    await station.station.unplugs()
    await asked(station)
    await api.posts(f"/rollouts/{rollout['rollout_id']}/cancel")


async def test_a_station_that_is_away_is_waited_for(api: Visitor) -> None:
    (station,) = await fleet(api, "2.0.1")
    await station.station.goes_offline()
    await api.network.is_connected(station.station, expected=False)
    rollout = await begun(api, await uploaded(api))
    await asyncio.sleep(0.5)
    assert await places(api, rollout) == {"R0": "waiting"}
    await station.station.connects()
    await station.boots()
    await asked(station)
    await installs(station)
    await is_so(api, rollout, "finished")


async def test_who_has_it_already_is_counted_and_left_alone(api: Visitor) -> None:
    one, other = await fleet(api, "2.0.1", "2.0.1")
    await other.boots("2.0")
    rollout = await begun(api, await uploaded(api))
    assert await places(api, rollout) == {"R0": "waiting", "R1": "installed"}
    await asked(one)
    assert other.asked == []
    await api.posts(f"/rollouts/{rollout['rollout_id']}/cancel")


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"waves": [50]}, 422),
        ({"waves": [60, 40, 100]}, 422),
        ({"waves": []}, 422),
        ({"window_from": "22:00:00"}, 422),
        ({"time_zone": "Mars/Olympus"}, 422),
        ({"at_once": 0}, 422),
        ({"stations": {"vendor": "Nobody"}}, 409),
        ({"stations": {"station_ids": []}}, 409),
    ],
)
async def test_terms_that_make_no_sense_are_refused(api: Visitor, terms: dict[str, Any], status: int) -> None:
    await carrier(api, "2.0.1")
    image = await uploaded(api)
    body = {"image_id": image["image_id"], "name": "x", **terms}
    problem(await api.client.post("/rollouts", json=body), status)


async def test_an_order_whose_worker_died_before_it_was_sent_is_found_and_sent_again(api: Visitor) -> None:
    """What a killed worker leaves: the station is down as being told, and nobody is telling it."""
    (station,) = await fleet(api, "2.0.1")
    await station.station.goes_offline()
    await api.network.is_connected(station.station, expected=False)
    rollout = await begun(api, await uploaded(api), most_tries=2)
    path = f"/rollouts/{rollout['rollout_id']}"
    await api.posts(f"{path}/pause")
    await api.network.pool.execute(
        "update rollout_station set status = 'ordering', tries = 1, updated_at = now() - interval '4 minutes'"
        " where rollout_id = $1",
        UUID(rollout["rollout_id"]),
    )
    await station.station.connects()
    await station.boots()
    await api.posts(f"{path}/resume")
    await asked(station)
    await installs(station)
    done = await is_so(api, rollout, "finished")
    assert done["stations"][0]["tries"] == 2
