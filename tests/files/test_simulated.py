"""Simulated stations of every version fetch, check and install firmware from us, and send us their log."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ohmstead.core import clock
from ohmstead.simulator.files import HttpPorter
from ohmstead.simulator.plan import StationPlan
from ohmstead.simulator.station import Station
from ohmstead.simulator.transport import WebSocketDialer
from ohmstead.simulator.world import Options, World
from ohmstead.stations.files.links import Links
from tests.api.door import Visitor
from tests.files.carrying import uploaded
from tests.files.test_firmware import KEY, PEM
from tests.files.test_logs import LOG
from tests.stories.network import VERSIONS
from tests.stories.patience import until

LATER = "2031-01-01T00:00:00Z"


@contextlib.asynccontextmanager
async def simulated(api: Visitor, *versions: str) -> AsyncIterator[list[Station]]:
    async with WebSocketDialer(f"{api.front.house.url}/ocpp") as dialer, HttpPorter() as porter:
        world = World(dialer, Options(job_step_s=0.01), porter=porter, nonce=api.network.suffix)
        stations = []
        for n, version in enumerate(versions):
            name = api.name(f"SIM{n}")
            await api.network.pool.execute(
                "insert into station (station_id, party_id, security_profile) values ($1, $2, 0)",
                name,
                api.network.party_id,
            )
            stations.append(Station(StationPlan(station_id=name, version=version), world))
        running = [asyncio.create_task(station.run()) for station in stations]
        try:
            await asyncio.wait_for(asyncio.gather(*(s.was_accepted.wait() for s in stations)), 10)
            yield stations
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            assert world.tally.errors.get("simulator_errors") is None


async def jobs_of(api: Visitor, station: Station, what: str) -> Any:
    return (await api.gets(f"/stations/{station.plan.station_id}/{what}"))["items"]


async def test_a_whole_fleet_is_brought_to_signed_firmware(api: Visitor) -> None:
    data = b"version: 3.1.4\n" + LOG
    signature = b64encode(KEY.sign(data, ec.ECDSA(hashes.SHA256()))).decode()
    image = await uploaded(api, data, version="3.1.4", signing_certificate=PEM, signature=signature)
    async with simulated(api, *VERSIONS) as stations:
        body = {"image_id": image["image_id"], "name": "Fleet", "waves": [100]}
        rollout = await api.posts("/rollouts", body)

        async def is_finished() -> bool:
            return (await api.gets(f"/rollouts/{rollout['rollout_id']}"))["status"] == "finished"

        await until(is_finished, "the rollout is finished", patience_s=40)
        done = await api.gets(f"/rollouts/{rollout['rollout_id']}")
        assert done["counts"] == {"installed": 3}, done
        assert [s.plan.firmware_version for s in stations] == ["3.1.4"] * 3
        for station in stations:
            (job,) = await jobs_of(api, station, "firmware")
            assert job["fetched_at"] is not None


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_log_arrives_and_can_be_read(api: Visitor, version: str) -> None:
    async with simulated(api, version) as (station,):
        job = await api.posts(f"/stations/{station.plan.station_id}/logs", {})

        async def is_unpacked() -> bool:
            found = await api.gets(f"/logs/{job['job_id']}")
            return found["status"] == "done" and found["unpacked_at"] is not None

        await api.network.until(is_unpacked, "the log is here")
        page = await api.gets(f"/logs/{job['job_id']}/members/0", q="sample_interval")
        assert "sample_interval_s=60" in page["items"][0]["text"]
        view = await api.gets(f"/logs/{job['job_id']}")
        assert view["name"] == f"diagnostics-{station.plan.station_id}.log.gz" if version == "1.6" else view["name"]


async def test_firmware_whose_signature_is_another_ones_is_not_installed(api: Visitor) -> None:
    """What we would not send out, a station would not install: the order is made by hand."""
    image = await uploaded(api)
    async with simulated(api, "2.0.1") as (station,):
        name = station.plan.station_id
        job = await api.posts(f"/stations/{name}/firmware", {"image_id": image["image_id"], "retrieve_at": LATER})
        settings = api.front.house.settings
        links = Links(settings.files_base_url, settings.secret())
        until = clock.now() + timedelta(hours=1)
        order = {
            "kind": "update_firmware",
            "url": links.address(UUID(job["job_id"]), name, "fetch", job["name"], until),
            "retrieve_at": "2026-01-01T00:00:00Z",
            "certificate": PEM,
            "signature": "AAAA",
            "request_id": job["request_id"],
        }
        await api.posts(f"/stations/{name}/commands", order)

        async def is_failed() -> bool:
            (job,) = await jobs_of(api, station, "firmware")
            return (job["status"], job["detail"]) == ("failed", "invalid signature")

        await api.network.until(is_failed, "the station refuses it")
        assert station.plan.firmware_version == "1.4.2"
