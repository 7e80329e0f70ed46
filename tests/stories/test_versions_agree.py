"""One story told by a 1.6, a 2.0.1 and a 2.1 station leaves the same session behind, sample by sample."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.stories.network import VERSIONS, Installation, Network
from tests.stories.station import Station

Story = Callable[[Network, Station], Awaitable[None]]


async def charges(_network: Network, station: Station) -> None:
    await station.plugs_in()
    await station.presents("TAG1")
    await station.delivers(wh=11_000, over="1h")
    await station.unplugs()


async def charges_and_idles(_network: Network, station: Station) -> None:
    await station.presents("TAG1")
    await station.delivers(wh=5_555, over="40m")
    await station.suspends("ev", over="1h")
    await station.presents("TAG1")


async def pauses(_network: Network, station: Station) -> None:
    await station.presents("TAG1")
    await station.delivers(wh=3_000, over="30m")
    await station.suspends("evse", over="20m")
    await station.resumes()
    await station.delivers(wh=3_001, over="30m")
    await station.unplugs()


async def fills_a_battery(_network: Network, station: Station) -> None:
    await station.presents("TAG1")
    for soc in (20, 50, 79):
        station.soc_percent = soc
        await station.delivers(wh=4_000, over="15m")
    await station.presents("TAG2")


async def is_refused_and_charges(_network: Network, station: Station) -> None:
    await station.starts_anyway("BLOCKED")
    await station.delivers(wh=500, over="5m")
    await station.unplugs()


async def charges_offline(_network: Network, station: Station) -> None:
    await station.goes_offline()
    await station.presents("TAG1")
    await station.delivers(wh=7_000, over="50m")
    await station.suspends("ev", over="30m")
    await station.unplugs()
    station.passes("1h")
    await station.comes_back()


async def loses_power(_network: Network, station: Station) -> None:
    await station.presents("TAG1")
    await station.delivers(wh=4_000, over="30m")
    await station.loses_power()
    await station.powers_up()


async def takes_nothing(_network: Network, station: Station) -> None:
    await station.presents("TAG1")
    station.passes("10m")
    await station.unplugs()


STORIES: list[Story] = [
    charges,
    charges_and_idles,
    pauses,
    fills_a_battery,
    is_refused_and_charges,
    charges_offline,
    loses_power,
    takes_nothing,
]
KEPT = (
    *("status", "energy_wh", "energy_source", "energy_before_wh", "register_start_wh", "register_last_wh"),
    *("token_uid", "token_type", "authorization_status", "group_uid", "stop_reason", "stop_token_uid"),
    *("charging_state", "charging_s", "idle_s", "peak_power_w", "power_w", "soc_start_percent", "soc_percent"),
    *("evse_number", "connector_number", "is_orphan", "is_start_exact", "is_end_exact", "anomalies", "n_samples"),
)


async def what_is_left(network: Network, station: Station, story: Story) -> dict[str, Any]:
    begins_at = station.at
    await story(network, station)
    session = await network.session_of(station)
    return {
        **{name: getattr(session, name) for name in KEPT},
        "started": session.started_at - begins_at,
        "ended": session.ended_at - begins_at,
        "periods": [
            (p.started_at - begins_at, p.ended_at - begins_at, p.kind, p.energy_wh)
            for p in await network.periods_of(session)
        ],
        "samples": [
            (s.sampled_at - begins_at, s.context, s.energy_wh, s.power_w, s.soc_percent)
            for s in await network.samples_of(session)
        ],
        "events": [(e.at - begins_at, e.kind) for e in await network.events_of(session)],
    }


@pytest.mark.parametrize("story", STORIES, ids=[story.__name__ for story in STORIES])
async def test_a_story_gives_equal_sessions_on_every_version(installation: Installation, story: Story) -> None:
    left = {}
    for version in VERSIONS:
        network = await Network(installation).found()
        await network.token("TAG1", group_uid="FAMILY")
        await network.token("TAG2", group_uid="FAMILY")
        await network.token("BLOCKED", status="blocked")
        station = await network.station(version)
        left[version] = await what_is_left(network, station, story)
        await station.leaves()
    assert left["2.0.1"] == left["1.6"]
    assert left["2.1"] == left["1.6"]
    assert left["1.6"]["status"] == "completed"
    assert sum(p[3] for p in left["1.6"]["periods"]) == left["1.6"]["energy_wh"]
