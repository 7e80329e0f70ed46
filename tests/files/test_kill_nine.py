"""A web process dies in the middle of an upload: nothing of the half is ever seen, and its rest is swept away."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import msgspec

from ohmstead.core import clock
from ohmstead.stations.files.links import Links
from ohmstead.stations.files.spool import Spool
from tests.api.door import Visitor
from tests.files.carrying import carrier
from tests.stories.patience import until


async def test_a_web_process_killed_in_the_middle_leaves_nothing_and_the_station_sends_again(
    api: Visitor, free_port: Callable[[], int]
) -> None:
    station = await carrier(api, "2.0.1")
    await api.posts(f"/stations/{station.station.station_id}/logs", {})
    settings = msgspec.structs.replace(api.front.house.settings, web_port=free_port(), pool_size=2)
    environment = os.environ | {
        "OHMSTEAD_DATABASE_URL": settings.database_url or "",
        "OHMSTEAD_NATS_URL": settings.nats_url or "",
        "OHMSTEAD_DATA_DIR": str(settings.data_dir),
        "OHMSTEAD_SECRET_KEY": settings.secret_key or "",
        "OHMSTEAD_WEB_PORT": str(settings.web_port),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ohmstead", "web", env=environment)
    incoming = settings.data_dir / "incoming"
    try:
        async with httpx.AsyncClient() as client:

            async def answers() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{settings.web_port}/healthz")).is_success
                except httpx.TransportError:
                    return False

            await until(answers, "the process serves", patience_s=30)
        job = await station.job("log")
        links = Links(settings.files_base_url, settings.secret())
        until_then = clock.now() + timedelta(hours=1)
        address = links.address(UUID(job["job_id"]), station.station.station_id, "send", "", until_then)
        parts = urlsplit(address)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
        writer.write(head.encode() + bytes(1_000_000))
        await writer.drain()

        async def is_half() -> bool:
            return any(path.stat().st_size > 100_000 for path in incoming.glob("*.part"))

        await until(is_half, "half of it is on the disk")
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    writer.close()
    assert (await station.job("log"))["status"] == "ordered"
    assert Spool(incoming).sweep(older_than_s=-1) == 1
    assert list(incoming.glob("*.part")) == []
    assert (await station.sends(b"once more, whole\n")).status_code == 201
