"""kill -9 of the worker between the steps of billing: no CDR is lost, none is made twice, and the books are right."""

import asyncio
import os
import signal
from pathlib import Path

from ohmstead.core.db import Pool
from ohmstead.core.events import Event, record
from ohmstead.settings import Settings
from tests.billing.network import Business, per_kwh
from tests.faults.own_process import running
from tests.stories.patience import until

# Where it is stopped: before its CDRs, between them and their entries, and before its place in the outbox is noted.
STEPS = ("cdr", "ledger_entry", "ledger_posting", "outbox")
N_SESSIONS = 30


async def test_a_worker_that_is_killed_while_it_bills_loses_and_doubles_nothing(
    settings: Settings, db: Pool, tmp_path: Path
) -> None:
    business = await Business(db).founded(per_kwh("0.49"))
    sessions = [await business.session(1000 + n) for n in range(N_SESSIONS)]

    async def reads() -> bool:
        return bool(await db.fetchval("select exists (select from outbox_cursor where consumer = 'billing.cdrs')"))

    async with running("worker", settings, tmp_path):
        await until(reads, "the worker reads the outbox", patience_s=20)
    told = [
        Event("SessionSettled", f"session/{one}", _payload(business, str(one)), party_id=business.party_id)
        for one in (*sessions, *sessions[:5])
    ]
    async with db.acquire() as conn, conn.transaction():
        await record(conn, told)
    for step in STEPS:
        async with db.acquire() as conn, conn.transaction():
            # Reading goes on, writing waits.
            await conn.execute(f"lock table {step} in exclusive mode")

            async def waits(step: str = step) -> bool:
                return bool(
                    await db.fetchval(
                        "select exists (select from pg_locks where not granted and relation = $1::regclass)", step
                    )
                )

            async with running("worker", settings, tmp_path) as worker:
                await until(waits, f"the worker has come to {step}", patience_s=20)
                os.kill(worker.process.pid, signal.SIGKILL)
                await asyncio.to_thread(worker.process.wait, 10)
        assert await db.fetchval("select count(*) from cdr") == 0
    async with running("worker", settings, tmp_path):

        async def all_billed() -> bool:
            return bool(await db.fetchval("select count(*) from cdr") == N_SESSIONS)

        await until(all_billed, "all are billed", patience_s=30)
    assert sorted(cdr.session_id for cdr in await business.cdrs()) == sorted(sessions)
    assert await db.fetchval("select count(*) from outbox where kind = 'CdrCreated'") == N_SESSIONS
    assert await db.fetchval("select array_agg(number order by number) from ledger_entry") == [
        *range(1, N_SESSIONS + 1)
    ]
    assert await business.faults() == []


def _payload(business: Business, session_id: str) -> dict[str, object]:
    return {
        "session_id": session_id,
        "station_id": business.station_id,
        "evse_number": 1,
        "transaction_id": "1",
        "status": "completed",
        "energy_wh": "1000",
        "ocpp_version": "2.0.1",
    }
