"""Cars that go on charging while something is done to the installation, and what their stations were promised."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import aiohttp

from ohmstead import worker
from ohmstead.core import events
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations import credentials
from tests.gateway.running import KEY, House, eventually, open_gateway
from tests.gateway.wire import Closed, Station, connected
from tests.outbox import is_read

STEP_WH = 10
FIRST_WH = 5_000


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Charge:
    """One session as its station knows it. `acknowledged` holds the register readings the back-end took."""

    identity: str
    version: Version
    register_wh: int = FIRST_WH
    transaction_id: Any = None
    number: int = 0
    acknowledged: list[int] = field(default_factory=list)

    async def begins(self, station: Station) -> None:
        if self.version is Version.V16:
            start = {"connectorId": 1, "idTag": "AABBCCDD", "meterStart": self.register_wh, "timestamp": now()}
            self.transaction_id = (await station.tell("StartTransaction", start))["transactionId"]
        else:
            self.transaction_id = f"tx-{self.identity}"
            await station.tell("TransactionEvent", self._event("Started", "CablePluggedIn", "Transaction.Begin"))

    async def reports(self, station: Station) -> None:
        """One more meter value; it counts once it is answered."""
        self.register_wh += STEP_WH
        if self.version is Version.V16:
            value = {"timestamp": now(), "sampledValue": [{"value": str(self.register_wh)}]}
            values = {"connectorId": 1, "transactionId": self.transaction_id, "meterValue": [value]}
            await station.tell("MeterValues", values)
        else:
            self.number += 1
            await station.tell("TransactionEvent", self._event("Updated", "MeterValuePeriodic", "Sample.Periodic"))
        self.acknowledged.append(self.register_wh)

    async def ends(self, station: Station) -> None:
        self.register_wh += STEP_WH
        if self.version is Version.V16:
            stop = {"transactionId": self.transaction_id, "meterStop": self.register_wh, "timestamp": now()}
            await station.tell("StopTransaction", stop)
        else:
            self.number += 1
            await station.tell("TransactionEvent", self._event("Ended", "EVDeparted", "Transaction.End"))

    def _event(self, kind: str, trigger: str, context: str) -> dict[str, Any]:
        at = now()
        return {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": trigger,
            "seqNo": self.number,
            "evse": {"id": 1, "connectorId": 1},
            "transactionInfo": {"transactionId": self.transaction_id},
            "meterValue": [{"timestamp": at, "sampledValue": [{"value": self.register_wh, "context": context}]}],
        }


@contextlib.asynccontextmanager
async def running(settings: Settings, pool: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway and a worker on a database."""
    assert settings.nats_url is not None
    bus = await Bus.connect(settings.nats_url, "worker-under-test")
    async with open_gateway(settings, pool, party_id) as house:
        runner = events.Runner(pool, bus, gather_s=0)
        working = asyncio.create_task(worker.run(settings, pool, bus, ask_after_s=0.3, runner=runner))
        try:
            await eventually(lambda: is_read(pool, runner), "the worker does not read the outbox", within_s=20)
            yield house
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await bus.close()


def charges_of() -> list[Charge]:
    """Four stations of both families, none of them charging yet."""
    versions = (Version.V16, Version.V201, Version.V16, Version.V21)
    return [Charge(f"CAR-{n}", version) for n, version in enumerate(versions)]


async def register(pool: Pool, settings: Settings, party_id: UUID, charges: list[Charge]) -> None:
    """Their stations, as somebody registered them long ago."""
    for charge in charges:
        hashed = await credentials.hash_secret(KEY, settings.secret(), is_generated=True)
        await pool.execute(
            "insert into station (station_id, party_id, security_profile, secret_hash, booted_at)"
            " values ($1, $2, 1, $3, now())",
            charge.identity,
            party_id,
            hashed,
        )
        await pool.execute("insert into evse values ($1, 1, 'AC', 22000)", charge.identity)


async def fleet(house: House) -> list[Charge]:
    """Four registered stations of a running gateway."""
    charges = charges_of()
    await register(house.pool, house.gateway.settings, house.party_id, charges)
    return charges


@contextlib.asynccontextmanager
async def traffic(house: House, charges: list[Charge]) -> AsyncIterator[None]:
    """All of them charge and report, one message after the other, until the block ends."""
    is_over = asyncio.Event()

    async def one(charge: Charge) -> None:
        async with connected(house, charge.identity, charge.version) as station:
            if charge.transaction_id is None:
                await charge.begins(station)
            while not is_over.is_set():
                await charge.reports(station)
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(one(charge)) for charge in charges]
    try:
        await eventually(lambda: _all(charges, 3), "no traffic", within_s=30)
        yield
    finally:
        is_over.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Closed | aiohttp.ClientError):
            raise result
    assert not any(isinstance(result, BaseException) for result in results), results


async def _all(charges: list[Charge], at_least: int) -> bool:
    return all(len(charge.acknowledged) >= at_least for charge in charges)


async def more(charges: list[Charge], n: int = 5) -> None:
    """Until each of them was answered `n` more times."""
    wanted = [len(charge.acknowledged) + n for charge in charges]

    async def come() -> bool:
        return all(len(charge.acknowledged) >= least for charge, least in zip(charges, wanted, strict=True))

    await eventually(come, "traffic stopped", within_s=60)


async def kept(pool: Pool, charge: Charge) -> list[int]:
    """The register readings a database has of a charge, in order, without the first and the last of a session."""
    rows = await pool.fetch(
        "select distinct sample.energy_wh from sample join session using (session_id) where station_id = $1"
        " and context = 'Sample.Periodic' order by 1",
        charge.identity,
    )
    return [int(row["energy_wh"]) for row in rows]


async def goes_on_and_settles(house: House, charges: list[Charge], *, marked: tuple[str, ...] = ()) -> None:
    """The stations come back, go on in the same sessions and end them; every watt-hour is there.

    Asked about messages that the back-end misses, they have none left. `marked`: what a session may be marked with.
    """

    async def one(charge: Charge) -> None:
        async with connected(house, charge.identity, charge.version) as station:
            await charge.reports(station)
            await charge.ends(station)
            station.replies["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": False}
            async with station.listening():
                complaint = f"{charge.identity} did not settle"
                row = await eventually(partial(_settled, house.pool, charge), complaint, within_s=60)
        assert row["status"] == "completed"
        assert int(row["energy_wh"]) == charge.register_wh - FIRST_WH
        assert set(row["anomalies"]) <= set(marked)

    await asyncio.gather(*(one(charge) for charge in charges))
    assert await house.pool.fetchval("select count(*) from session") == len(charges)


async def _settled(pool: Pool, charge: Charge) -> dict[str, Any]:
    row = await pool.fetchrow("select * from session where station_id = $1 and settled_at is not null", charge.identity)
    return dict(row or {})
