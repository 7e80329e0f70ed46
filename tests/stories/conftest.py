"""One installation for all stories; every story has a party, stations and cards of its own in it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import structlog

from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from tests.stories.network import VERSIONS, Installation, Network


@pytest.fixture(scope="package")
def plain_log() -> Iterator[None]:
    """structlog's own default draws every traceback with all its variables, which takes seconds."""
    formatted = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, formatted])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="package")
async def installation(
    _pool: tuple[Pool, str], database_url: str, nats_url: str, plain_log: None
) -> AsyncIterator[Installation]:
    pool, clean = _pool
    await pool.execute(clean)
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-story-"))
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        unknown_stations="reject",
        sandbox_payments=True,
        call_timeout_s=5,
    )
    bus = await Bus.connect(nats_url, "stories")
    try:
        async with Installation(settings, pool, bus).running() as house:
            yield house
    finally:
        await bus.close()
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


@pytest.fixture
async def network(installation: Installation) -> AsyncIterator[Network]:
    network = await Network(installation).found()
    yield network
    for station in network.stations:
        await station.leaves()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=VERSIONS[1:])
def version2(request: pytest.FixtureRequest) -> str:
    """The second generation only."""
    return str(request.param)
