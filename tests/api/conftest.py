"""The API through its front door: a web process, a gateway and a worker, as in any installation."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest

from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool, connect_pool
from ohmstead.settings import Settings
from tests import environment
from tests.api.door import Front, Visitor, serving
from tests.stories.network import Installation, Network
from tests.told import misfits


@pytest.fixture(scope="package")
async def front(_pool: tuple[Pool, str], database_url: str, nats_url: str) -> AsyncIterator[Front]:
    """One installation for all tests of the API; every test has a party of its own in it."""
    pool, clean = _pool
    await pool.execute(clean)
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-api-"))
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        unknown_stations="reject",
        call_timeout_s=5,
        web_port=environment.free_port(),
        file_hosts=("firmware.maker.example",),
        webhook_hosts=("127.0.0.1",),
        webhook_timeout_s=1,
        sandbox_payments=True,
        max_log_bytes=4 * 1024 * 1024,
        max_firmware_bytes=4 * 1024 * 1024,
    )
    web_pool = await connect_pool(database_url, size=8, name="api-tests")
    bus = await Bus.connect(nats_url, "api-tests")
    try:
        async with Installation(settings, pool, bus).running() as house, serving(settings, web_pool, bus) as (url, app):
            yield Front(house, url, app)
            assert await misfits(pool) == []
    finally:
        await bus.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(web_pool.close(), 5)
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


@pytest.fixture
async def api(front: Front) -> AsyncIterator[Visitor]:
    """Somebody with a key for everything, and a party of their own."""
    network = await Network(front.house).found()
    async with front.visitor(network, "admin") as visitor:
        yield visitor
    for station in network.stations:
        await station.leaves()


@pytest.fixture
async def runs_installation(api: Visitor) -> None:
    """The visitor's party is the one that runs the installation."""
    await api.network.pool.execute("update party set owns_installation = false where owns_installation")
    await api.network.pool.execute(
        "update party set owns_installation = true where party_id = $1", api.network.party_id
    )


@pytest.fixture
async def stranger(front: Front) -> AsyncIterator[Visitor]:
    """Somebody with a key for everything of another party."""
    async with front.visitor(await Network(front.house).found(), "admin") as visitor:
        yield visitor
