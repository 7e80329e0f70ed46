"""The driver's pages through their front door: a web process, a gateway and a worker, money in the sandbox."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import httpx
import pytest
import structlog

from ohmstead.billing.paying.covers import CoverTerms
from ohmstead.billing.paying.limits import CoverLimits
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool, connect_pool
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.settings import Settings
from tests import environment
from tests.api.door import Front, serving
from tests.driver.visitor import Visitor
from tests.notifications.post import PostOffice, ShortMessages, post_office, short_messages
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
async def post() -> AsyncIterator[PostOffice]:
    """A mail server: codes and receipts arrive as they would anywhere."""
    async with post_office() as office:
        yield office


@pytest.fixture(scope="package")
async def sms() -> AsyncIterator[ShortMessages]:
    """Whoever sends SMS for the installation."""
    async with short_messages() as office:
        yield office


@pytest.fixture(scope="package")
async def front(
    _pool: tuple[Pool, str], database_url: str, nats_url: str, plain_log: None, post: PostOffice, sms: ShortMessages
) -> AsyncIterator[Front]:
    """One installation for all tests of the driver's pages; every test has a party of its own in it."""
    pool, clean = _pool
    await pool.execute(clean)
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-driver-"))
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        unknown_stations="reject",
        call_timeout_s=5,
        web_port=environment.free_port(),
        sandbox_payments=True,
        smtp_url=f"smtp://127.0.0.1:{post.port}?tls=none",
        mail_from="no-reply@network.example",
        sms_url=sms.url,
        help_phone="+43 800 123 456",
        carbon_g_per_kwh=200,
    )
    web_pool = await connect_pool(database_url, size=8, name="driver-tests")
    bus = await Bus.connect(nats_url, "driver-tests")
    try:
        outside = {"costs": TariffCosts(PlanPayers()), "terms": CoverTerms()}
        async with (
            Installation(settings, pool, bus, covers=CoverLimits(), **outside).running() as house,
            serving(settings, web_pool, bus) as (url, app),
        ):
            app.state.places.good_for_s = 0.0
            yield Front(house, url, app)
            assert await misfits(pool) == []
    finally:
        await bus.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(web_pool.close(), 5)
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


@pytest.fixture
async def network(front: Front) -> AsyncIterator[Network]:
    network = await Network(front.house).found()
    # All tests come from one address: what one of them guessed wrong is not held against the next.
    front.attempts.forget("127.0.0.1")
    front.app.state.beginnings.forget("127.0.0.1")
    await network.pool.execute("delete from driver_sign_in_code")
    await network.pool.execute("delete from driver_phone_code")
    await network.pool.execute("update party set time_zone = 'Europe/Vienna' where party_id = $1", network.party_id)
    yield network
    for station in network.stations:
        await station.leaves()


@pytest.fixture
async def visitor(front: Front, network: Network, post: PostOffice) -> AsyncIterator[Visitor]:
    """Somebody with a phone."""
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        yield Visitor(front, network, client, post)


@pytest.fixture
async def another(front: Front, network: Network, post: PostOffice) -> AsyncIterator[Visitor]:
    """Somebody else."""
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        yield Visitor(front, network, client, post)
