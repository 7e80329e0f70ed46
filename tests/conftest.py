"""Fixtures for everybody: real servers, started once, and a database that every test finds empty.

`OHMSTEAD_TEST_DATABASE_URL` and `OHMSTEAD_TEST_NATS_URL` use servers of your own instead of the built-in ones; the role
needs the right to create databases.
"""

import asyncio
import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ohmstead import embedded
from ohmstead.core.db import Pool, connect_pool
from ohmstead.core.migrations import migrate
from ohmstead.settings import Settings
from tests import emptying, environment, side_by_side
from tests.told import misfits

# Whoever holds a transaction open in this run's own database.
_HANG_UP = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
"""


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER") or not config.getoption("numprocesses", None):
        gc.disable()  # until everything is collected
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.addinivalue_line("markers", "browser: needs Chromium (python -m playwright install chromium)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items[:] = side_by_side.longest_first(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and ten thousand tests stay to the end: looking through them for garbage took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.SideBySide:
    return side_by_side.SideBySide(config, log)


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[embedded.Embedded]:
    """PostgreSQL and NATS; built-in ones (without syncing) where the environment names none."""
    settings = environment.server_settings()
    started = await embedded.start(settings, durable=False)
    if settings.database_url is None:
        await emptying.allow(settings)
    yield started
    await started.stop()
    await asyncio.to_thread(shutil.rmtree, settings.data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
async def database_url(servers: embedded.Embedded) -> AsyncIterator[str]:
    """A migrated database of this run's own."""
    name = f"ohmstead_test_{token_hex(6)}"
    conn = await asyncpg.connect(servers.database_url)
    try:
        await conn.execute(f"create database {name}")
        url = urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
        await migrate(url)
        yield url
        await conn.execute(f"drop database {name} with (force)")
    finally:
        await conn.close()


@pytest.fixture(scope="session")
def nats_url(servers: embedded.Embedded) -> str:
    """NATS; every test of the run shares it, so subjects of one test need ids of its own."""
    return servers.nats_url


@pytest.fixture(scope="session")
async def _pool(database_url: str) -> AsyncIterator[tuple[Pool, str]]:
    pool = await connect_pool(database_url, size=8, name="tests")
    yield pool, await emptying.statement(pool)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(pool.close(), 5)


@pytest.fixture
async def db(_pool: tuple[Pool, str]) -> AsyncIterator[Pool]:
    """A pool on the database, emptied of what the test before left. It was not emptied after the last failure.

    Every event that the test caused is held against the catalogue of events.
    """
    pool, clean = _pool
    try:
        await pool.execute(clean)
    except asyncpg.LockNotAvailableError:
        # A test before failed and left a transaction open: that is its failure, not this test's.
        await pool.execute(_HANG_UP)
        await pool.execute(clean)
    yield pool
    assert await misfits(pool) == []


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ports of 127.0.0.1 that nobody uses; never the same twice in a run."""
    return environment.free_port


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory for OHMSTEAD_DATA_DIR. pytest's own is closed to the account the servers run as under root."""
    path = Path(tempfile.mkdtemp(prefix="ohmstead-data-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def settings(database_url: str, nats_url: str, data_dir: Path, free_port: Callable[[], int]) -> Settings:
    """Settings of an installation on this run's servers, on ports of its own."""
    return Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        gateway_port=free_port(),
        gateway_tls_port=free_port(),
        web_port=free_port(),
        metrics_gateway_port=free_port(),
        worker_health_port=free_port(),
        pool_size=4,
    )
