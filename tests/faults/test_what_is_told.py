"""Whatever is wrong, /readyz, the metrics, the log and the doctor say what it is and what to do, and when it is over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pytest

from ohmstead.core import health, metrics
from ohmstead.core.db import Pool
from ohmstead.core.health import Finding, Load
from ohmstead.settings import Settings
from tests.faults.charges import register_stations
from tests.faults.faithful import Faithful
from tests.faults.own_process import Role, doctor, running
from tests.faults.stalling import Stall
from tests.gateway.running import eventually, with_settings
from tests.gateway.wire import Cut

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def through(url: str | None, port: int) -> str:
    assert url is not None
    parts = urlsplit(url)
    login = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{port}"))


def target(url: str | None) -> tuple[str, int]:
    parts = urlsplit(url or "")
    return parts.hostname or "", parts.port or 0


@dataclass
class Three:
    """All three roles behind proxies, and what they say."""

    roles: list[Role]
    settings: Settings

    async def say(self, check: str, words: str, *, is_ready: bool, within_s: float = 30) -> dict[str, Any]:
        """Until every role names the check with these words and something to do; what the first says."""

        async def look() -> dict[str, Any]:
            told = await asyncio.gather(*(asyncio.to_thread(role.readiness) for role in self.roles))
            for status, document in told:
                named = words in document["checks"].get(check, "") and document["to_do"].get(check)
                if not named or document["is_ready"] is not is_ready or (status == 200) is not is_ready:
                    return {}
            return told[0][1]

        try:
            return await eventually(look, within_s=within_s)
        except AssertionError:
            raise AssertionError(f"{check} is not told by all: {await self.all()}") from None

    async def are_well(self, within_s: float = 60) -> None:
        async def look() -> bool:
            told = await asyncio.gather(*(asyncio.to_thread(role.readiness) for role in self.roles))
            return all((status, document["status"]) == (200, "ok") for status, document in told)

        try:
            await eventually(look, within_s=within_s)
        except AssertionError:
            raise AssertionError(f"not well again: {await self.all()}") from None

    async def all(self) -> list[Any]:
        return list(await asyncio.gather(*(asyncio.to_thread(role.readiness) for role in self.roles)))

    def log_has(self, check: str, least: int = 1) -> None:
        """Every role logged that the check failed, and what to do."""
        for role in self.roles:
            lines = role.checks_failed(check)
            assert len(lines) >= least, (role.name, check)
            assert all(line["to_do"] and line["found"] for line in lines)
            assert role.metric(f'ohmstead_check_state{{check="{check}"}}') >= 0


@contextlib.asynccontextmanager
async def three(settings: Settings, folder: Path) -> AsyncIterator[Three]:
    async with contextlib.AsyncExitStack() as stack:
        names = ("gateway", "worker", "web")
        yield Three([await stack.enter_async_context(running(name, settings, folder)) for name in names], settings)


async def test_a_database_that_is_away_or_hangs_is_told_by_all(
    settings: Settings, db: Pool, party_id: UUID, tmp_path: Path
) -> None:
    await register_stations(db, party_id, ["ST-1"])
    async with (
        Cut(*target(settings.database_url)) as cut,
        Stall("127.0.0.1", cut.port) as stall,
        three(with_settings(settings, database_url=through(settings.database_url, stall.port)), tmp_path) as roles,
    ):
        await roles.are_well()
        station = Faithful(settings.gateway_port, "ST-1", "2.0.1")
        await station.says("Heartbeat", {})

        await cut.cut()
        speaking = asyncio.create_task(station.says("DataTransfer", {"vendorId": "v"}))
        told = await roles.say("database", "cannot be reached", is_ready=False)
        assert "Look at the database server" in told["to_do"]["database"]

        async def gateway_tells() -> bool:
            document = (await asyncio.to_thread(roles.roles[0].readiness))[1]
            return "nothing could be stored" in document["checks"]["storing"]

        await eventually(gateway_tells, "storing is not told", within_s=30)
        found = await asyncio.to_thread(doctor, roles.settings)
        assert found["database"]["state"] == "failed"
        assert "is its disk full" in found["database"]["mend"]
        assert found["gateway: database"]["mend"]
        await cut.join()
        await asyncio.wait_for(speaking, 60)
        await roles.are_well()
        roles.log_has("database")

        stall.stall()
        speaking = asyncio.create_task(station.says("DataTransfer", {"vendorId": "v"}))
        told = await roles.say("database", "has not answered", is_ready=False)
        stall.flow()
        await asyncio.wait_for(speaking, 60)
        await roles.are_well()
        roles.log_has("database", 2)
        assert await db.fetchval("select count(*) from ocpp_message where action = 'DataTransfer'") >= 2
        await station.leaves()


async def test_a_bus_that_is_away_is_told_by_all_and_keeps_nobody_from_serving(
    settings: Settings, db: Pool, party_id: UUID, tmp_path: Path
) -> None:
    await register_stations(db, party_id, ["ST-1"])
    async with (
        Cut(*target(settings.nats_url)) as cut,
        three(with_settings(settings, nats_url=through(settings.nats_url, cut.port)), tmp_path) as roles,
    ):
        await roles.are_well()
        await cut.cut()
        await roles.say("nats", "not connected", is_ready=True)
        station = Faithful(settings.gateway_port, "ST-1", "1.6")
        await station.says("DataTransfer", {"vendorId": "v"})
        found = await asyncio.to_thread(doctor, roles.settings)
        assert (found["nats"]["state"], found["worker: nats"]["state"]) == ("failed", "attention")
        await cut.join()
        await roles.are_well()
        roles.log_has("nats")
        await station.leaves()


async def test_a_table_that_somebody_holds_is_told_while_stations_wait(
    settings: Settings, db: Pool, party_id: UUID, tmp_path: Path
) -> None:
    await register_stations(db, party_id, ["ST-1"])
    async with running("gateway", settings, tmp_path) as gateway:
        station = Faithful(settings.gateway_port, "ST-1", "1.6")
        await station.says("Heartbeat", {})
        async with db.acquire() as conn, conn.transaction():
            await conn.execute("lock table station_record in access exclusive mode")
            speaking = asyncio.create_task(station.says("DataTransfer", {"vendorId": "v"}))

            async def is_told() -> bool:
                document = (await asyncio.to_thread(gateway.readiness))[1]
                return (
                    "has been waiting for" in document["checks"]["storing"] and "Lock" in document["to_do"]["storing"]
                )

            await eventually(is_told, "not told", within_s=20)
        await asyncio.wait_for(speaking, 30)
        await Three([gateway], settings).are_well()
        await station.leaves()


async def test_a_consumer_that_fails_again_and_again_is_told(db: Pool, settings: Settings) -> None:
    await db.execute(
        "insert into outbox_cursor (consumer, window_from, window_to, failures, last_error)"
        " values ('sessions.settle', '1', '1', 7, 'ZeroDivisionError()')"
    )
    async with db.acquire() as conn:
        finding = await health.consumers(conn)
    assert finding.state == "attention"
    assert "sessions.settle failed 7 times in a row: ZeroDivisionError()" in finding.text
    found = await asyncio.to_thread(doctor, settings)
    assert found["outbox"]["mend"]


def test_a_gateway_that_does_not_keep_up_says_so() -> None:
    """The check reads the metrics, as an operator's dashboard does."""
    load = Load()
    assert load().state == "ok"
    metrics.ingest_waiting.set(5_000)
    try:
        assert "5000 messages wait" in load().text
        metrics.ingest_failures.labels("full").inc()
        finding = load()
        assert (finding.state, "refused" in finding.text) == ("attention", True)
        assert "Run more gateways" in finding.mend
    finally:
        metrics.ingest_waiting.set(0)
    slow = Load()
    slow()
    for _ in range(10):
        metrics.answer_seconds.observe(3.0)
    assert "3.0 s on average" in slow().text or "refused" in slow().text


def test_strangers_learn_what_is_wrong_but_no_words_of_it() -> None:
    findings = [
        Finding("database", "failed", "cannot be reached: 10.1.2.3", "Look."),
        Finding("nats", "ok", "connected"),
    ]
    told = health.report(findings, with_texts=False)
    assert told == {
        "status": "failed",
        "is_ready": False,
        "checks": {"database": "failed", "nats": "ok"},
        "to_do": {},
    }
