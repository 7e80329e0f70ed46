"""kill -9 of the worker while guests pay: before and after each request to the provider and to the station. Every payment is
taken once and given back once, no debt is made up, and the books are right."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ohmstead.accounts import access
from ohmstead.adapters.payments import providers_of, sandbox_of
from ohmstead.adapters.payments.sandbox.adapter import SandboxProvider
from ohmstead.billing import verifying
from ohmstead.billing.paying.covers import CoverTerms
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import NewAdHoc
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.money import Money
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.settings import Settings
from tests.driver.visitor import offers, per_kwh, public_place
from tests.faults.own_process import Role, running
from tests.stories.network import Installation, Network
from tests.stories.patience import until
from tests.stories.station import Payload, Station

N_GUESTS = 10
# 10 kWh for 0.50 each and 20 % on top.
DUE, GIVEN_BACK = Decimal("6.00"), Decimal("2.00")

# Somebody waits to write to a table, and an operation of a kind is claimed (null: never mind).
WAITS = """
select exists (select from pg_locks where not granted and relation = $1::regclass)
   and ($2::text is null or exists (select from payment_operation where kind = $2 and claimed_until > now()))
"""


class Quay:
    """A station with an outlet for each guest, and a worker in a process of its own that is killed again and again."""

    def __init__(self, network: Network, station: Station, folder: Path) -> None:
        self.network, self.station, self.folder = network, station, folder
        self.pool, self.settings = network.pool, network.house.settings
        sandbox = sandbox_of(self.settings, self.pool)
        assert sandbox is not None
        self.sandbox: SandboxProvider = sandbox
        self.providers = providers_of(self.settings, self.pool, sandbox)
        self.n_killed = 0

    async def guests_pay(self) -> list[UUID]:
        """Each at an outlet, on the provider's page; nobody told us yet."""
        found = []
        for n in range(1, N_GUESTS + 1):
            given = NewAdHoc(
                party_id=self.network.party_id,
                station_id=self.station.station_id,
                evse_number=n,
                return_url="http://127.0.0.1/drive/back/{payment_id}",
            )
            begun = await service.begin_ad_hoc(self.pool, self.providers, given)
            await self.sandbox.pay(begun.url.rpartition("/")[2], "good")
            found.append(begun.payment_id)
        return found

    async def kill(self, worker: Role) -> None:
        os.kill(worker.process.pid, signal.SIGKILL)
        await asyncio.to_thread(worker.process.wait, 10)
        self.n_killed += 1

    async def claims_are_over(self) -> None:
        """The minute and a half in which what the dead worker was at is nobody else's goes by."""
        await self.pool.execute("update payment_operation set claimed_until = now() - interval '1 s'")
        await self.pool.execute("update payment_webhook set claimed_until = now() - interval '1 s'")
        await self.pool.execute("update sandbox_event set due_at = now() where due_at is not null")

    async def dies_at(self, table: str, at: str | None = None) -> None:
        """A worker comes as far as to write to a table, where it is killed; what it did before that is done. `at`: the kind
        of operation that it has claimed then.
        """
        async with self.pool.acquire() as conn, conn.transaction():
            # Reading goes on, writing waits.
            await conn.execute(f"lock table {table} in exclusive mode")

            async def waits() -> bool:
                return bool(await self.pool.fetchval(WAITS, table, at))

            async with running("worker", self.settings, self.folder) as worker:
                await until(waits, f"the worker has come to {table}", patience_s=20)
                await self.kill(worker)
        await self.claims_are_over()

    async def dies_when(self, is_so: Any, what: str) -> None:
        """A worker works until it is so, and is killed at once."""
        async with running("worker", self.settings, self.folder) as worker:
            await until(is_so, what, patience_s=30)
            await self.kill(worker)
        await self.claims_are_over()

    async def states(self) -> dict[str, int]:
        rows = await self.pool.fetch("select state, count(*) as n from payment group by state")
        return {row["state"]: row["n"] for row in rows}

    async def at_provider(self, of: str) -> list[Decimal]:
        """What the provider has of each payment, in order: held, captured, refunded."""
        rows = await self.pool.fetch("select content from sandbox_object where kind = 'payment' order by ref")
        contents = [
            msgspec.json.decode(row["content"]) if isinstance(row["content"], str) else row["content"] for row in rows
        ]
        return [Decimal(content[of]) for content in contents]

    async def waiting(self) -> int:
        return int(await self.pool.fetchval("select count(*) from payment_operation where state = 'waiting'"))


@pytest.fixture
async def quay(settings: Settings, db: Pool, nats_url: str, tmp_path: Path) -> AsyncIterator[Quay]:
    settings = msgspec.structs.replace(settings, sandbox_payments=True, pool_size=24)
    bus = await Bus.connect(nats_url, "payments-killed")
    house = Installation(settings, db, bus, costs=TariffCosts(PlanPayers()), terms=CoverTerms())
    door = await house.open_door()
    network = await Network(house).found()
    await offers(network, per_kwh("0.50"))
    station = await network.station("2.1", location_id=await public_place(network), hours_ago=0, rated_w=150_000)
    await network.outlets(station, N_GUESTS)
    await db.execute("update evse set current_type = 'DC', max_power_w = 150000")
    yield Quay(network, station, tmp_path)
    await station.leaves()
    await door.close()
    await bus.close()


async def test_payments_survive_a_worker_that_is_killed_at_every_step(quay: Quay) -> None:
    ids = await quay.guests_pay()
    await hold_and_start(quay)
    await charge(quay)
    await capture(quay)
    await refund(quay, ids)
    assert quay.n_killed == 10
    assert await quay.states() == {"captured": N_GUESTS}
    assert await quay.at_provider("captured") == [DUE] * N_GUESTS
    assert await quay.at_provider("refunded") == [GIVEN_BACK] * N_GUESTS
    kinds = await quay.pool.fetch(
        "select content ->> 'kind' as kind, count(*) as n, sum((content ->> 'gross')::numeric) as gross"
        " from sandbox_balance group by 1 order by 1"
    )
    assert [(row["kind"], row["n"], row["gross"]) for row in kinds] == [
        ("charge", N_GUESTS, DUE * N_GUESTS),
        ("refund", N_GUESTS, -GIVEN_BACK * N_GUESTS),
    ]
    assert await quay.pool.fetchval("select count(*) from payment_debt") == 0
    assert await quay.pool.fetchval("select count(*) from session") == N_GUESTS
    for kind in ("PaymentHeld", "PaymentCaptured", "PaymentRefunded", "CdrCreated"):
        assert await quay.pool.fetchval("select count(*) from outbox where kind = $1", kind) == N_GUESTS, kind
    async with quay.pool.acquire() as conn:
        assert (await verifying.verify(conn, quay.network.party_id)).faults == []


async def hold_and_start(quay: Quay) -> None:
    """What is held comes to be known, and each station begins once, though the order came from a worker that died."""
    await quay.dies_at("payment_webhook")
    await quay.dies_at("token")
    await quay.dies_at("command", "start")
    assert await quay.pool.fetchval("select count(*) from session") == 0
    station = quay.station

    def asked(payload: Payload) -> Payload:
        """As stations do it: who charges, or is about to, cannot be begun again."""
        outlet = int(payload["evseId"])
        orders.append(outlet)
        return {"status": "Rejected" if orders.count(outlet) > 1 else "Accepted"}

    def begins(action: str, payload: Payload) -> str | None:
        """The car of the last outlet is plugged in later."""
        if action != "RequestStartTransaction" or orders.count(payload["evseId"]) > 1:
            return None
        if payload["evseId"] == N_GUESTS:
            late.append(payload)
            return None
        return str(payload["idToken"]["idToken"])

    orders: list[int] = []
    late: list[Payload] = []
    station.answers["RequestStartTransaction"] = asked
    station.remote_start_token = begins  # type: ignore[method-assign]

    async def has_half() -> bool:
        return len(orders) >= N_GUESTS // 2

    await quay.dies_when(has_half, "half of the stations were told")

    async def all_begun() -> bool:
        n = await quay.pool.fetchval("select count(*) from session where status = 'active'")
        return bool(n == N_GUESTS - 1) and len(late) == 1 and await quay.waiting() == 0

    await quay.dies_when(all_begun, "all but one charge")
    await station._begins(N_GUESTS, late[0]["idToken"]["idToken"], remote_start_id=late[0]["remoteStartId"])
    assert await quay.states() == {"held": N_GUESTS}


async def charge(quay: Quay) -> None:
    """All at once, 10 kWh each; then the cables are pulled."""
    station = quay.station
    station.passes("4m")
    for outlet in station.transactions:
        station.registers[outlet] = station.register(outlet) + 10_000
        await station.samples(outlet, power_w=150_000)
    for outlet in list(station.transactions):
        await station._ends(outlet, "Local", trigger="StopAuthorized")


async def capture(quay: Quay) -> None:
    """Killed before the provider is asked, and after it did it but before we wrote that down."""

    async def all_asked() -> bool:
        return await quay.states() == {"capturing": N_GUESTS}

    async with quay.pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table sandbox_call in exclusive mode")
        await quay.dies_when(all_asked, "all are to be captured")
    assert await quay.at_provider("captured") == [0] * N_GUESTS
    await quay.dies_at("ledger_entry", "capture")
    assert DUE in await quay.at_provider("captured")
    assert await quay.states() == {"capturing": N_GUESTS}

    async def all_captured() -> bool:
        return await quay.states() == {"captured": N_GUESTS} and await quay.waiting() == 0

    await quay.dies_when(all_captured, "all are captured")


async def refund(quay: Quay, ids: list[UUID]) -> None:
    """The same for what is given back."""
    actor = access.system(quay.network.party_id)
    async with quay.pool.acquire() as conn, conn.transaction():
        for payment_id in ids:
            back = Money(GIVEN_BACK, "EUR")
            await service.refund(conn, actor, actor.party_id, payment_id, back, "The cable was broken")
    await quay.dies_at("sandbox_call", "refund")
    assert await quay.at_provider("refunded") == [0] * N_GUESTS
    await quay.dies_at("ledger_entry", "refund")
    assert GIVEN_BACK in await quay.at_provider("refunded")

    async def all_refunded() -> bool:
        n = await quay.pool.fetchval("select count(*) from payment where refunded = $1", GIVEN_BACK)
        return bool(n == N_GUESTS) and await quay.waiting() == 0

    async with running("worker", quay.settings, quay.folder):
        await until(all_refunded, "all have it back", patience_s=30)
