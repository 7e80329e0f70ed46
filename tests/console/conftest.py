"""The console through its front door: a web process, a gateway and a worker, as in any installation."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import httpx
import pytest
import structlog

from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool, connect_pool
from ohmstead.reports import service as reports
from ohmstead.settings import Settings
from tests import environment
from tests.api.door import Front, serving
from tests.console.visitor import Visitor, sign_in
from tests.stories.network import Installation, Network
from tests.told import misfits


@pytest.fixture(scope="package")
def plain_log() -> Iterator[None]:
    """structlog's own default draws every traceback with all its variables, which takes seconds."""
    formatted = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, formatted])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="package")
async def front(_pool: tuple[Pool, str], database_url: str, nats_url: str, plain_log: None) -> AsyncIterator[Front]:
    """One installation for all tests of the console; every test has a party of its own in it."""
    pool, clean = _pool
    await pool.execute(clean)
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-console-"))
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        unknown_stations="reject",
        call_timeout_s=5,
        web_port=environment.free_port(),
        webhook_hosts=("127.0.0.1",),
        webhook_timeout_s=1,
    )
    web_pool = await connect_pool(database_url, size=8, name="console-tests")
    bus = await Bus.connect(nats_url, "console-tests")
    try:
        async with Installation(settings, pool, bus).running() as house, serving(settings, web_pool, bus) as (url, app):
            yield Front(house, url, app)
            assert await misfits(pool) == []
    finally:
        await bus.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(web_pool.close(), 5)
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Reports remember answers for some seconds; a test begins without any."""
    reports.forget()
    yield
    reports.forget()


@pytest.fixture
async def network(front: Front) -> AsyncIterator[Network]:
    network = await Network(front.house).found()
    # All tests come from one address: what one of them guessed wrong is not held against the next.
    front.attempts.forget("127.0.0.1")
    await network.pool.execute("delete from sign_in_backoff")
    await network.pool.execute("update party set time_zone = 'Europe/Vienna' where party_id = $1", network.party_id)
    yield network
    for station in network.stations:
        await station.leaves()


@pytest.fixture
async def client(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        yield client


@pytest.fixture
async def visitor(front: Front, network: Network, client: httpx.AsyncClient) -> Visitor:
    """An owner of the network, signed in."""
    return await sign_in(front, network, client)


@pytest.fixture
async def stranger(front: Front) -> AsyncIterator[Visitor]:
    """An owner of another network."""
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        yield await sign_in(front, await Network(front.house).found(), client)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """The clock stands still: Wednesday 11 March 2026, 14:30 in Vienna."""
    instant = datetime(2026, 3, 11, 13, 30, tzinfo=UTC)
    clock.set_source(lambda: instant)
    yield instant
    clock.set_source(None)
