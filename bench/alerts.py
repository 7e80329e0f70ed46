"""How soon an alert leaves after its event: `./ohmstead bench alerts`.

A worker as it runs in production, with its usual pauses, sends to a mail server on this machine. An event is written as a
gateway writes it; measured is the time from its commit until the mail server has the whole mail. Debts are
opened one after the other, then many at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import asyncpg

from ohmstead import embedded, worker
from ohmstead.core import events
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool, connect_pool
from ohmstead.core.events import NUDGE, Event
from ohmstead.core.ids import new_id
from ohmstead.core.migrations import migrate
from ohmstead.settings import Settings

# The amount tells which it is: "€17.00 is unpaid", quoted-printable.
_AMOUNT = re.compile(rb"=E2=82=AC([0-9,]+)\.00 is unpaid")


class Mailbox:
    """A mail server that only notes when mails have arrived, by their number."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """SMTP, as much of it as there is to take a mail."""

        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say("220 bench")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250 bench")
                elif verb == b"DATA":
                    say("354 go on")
                    mail = await reader.readuntil(b"\r\n.\r\n")
                    if found := _AMOUNT.search(mail):
                        self.at.setdefault(found[1].decode().replace(",", ""), time.monotonic())
                    say("250 taken")
                elif verb == b"QUIT":
                    say("221 bye")
                    break
                else:
                    say("250 ok")
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def installation() -> AsyncIterator[tuple[Pool, Bus, Mailbox]]:
    """Servers, a worker, a mailbox."""
    box = Mailbox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ohmstead-bench-") as folder:
        started = await embedded.start(Settings(data_dir=Path(folder)), durable=True)
        conn = await asyncpg.connect(started.database_url)
        await conn.close()
        await migrate(started.database_url)
        settings = Settings(
            data_dir=Path(folder),
            database_url=started.database_url,
            nats_url=started.nats_url,
            secret_key=token_hex(32),
            smtp_url=f"smtp://127.0.0.1:{box.port}",
            mail_from="bench@harbour.example",
        )
        pool = await connect_pool(started.database_url, size=8)
        bus = await Bus.connect(started.nats_url, "bench")
        working = asyncio.create_task(worker.run(settings, pool, bus))
        try:
            await asyncio.sleep(3)
            yield pool, bus, box
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await bus.close()
            await pool.close()
            await started.stop()
            server.close()


async def party(pool: Pool) -> tuple[UUID, UUID]:
    """A party with a driver."""
    party_id, driver_id = new_id(), new_id()
    await pool.execute("insert into party (party_id, name, party_code) values ($1, 'Bench', 'BNC')", party_id)
    await pool.execute(
        "insert into driver (driver_id, party_id, name, email) values ($1, $2, 'Robin', 'robin@example.com')",
        driver_id,
        party_id,
    )
    return party_id, driver_id


async def happens(pool: Pool, bus: Bus, party_id: UUID, driver_id: UUID, numbers: list[int]) -> dict[str, float]:
    """Debts are opened, in one transaction; gives when it was committed."""
    payload: dict[str, Any] = {
        "payment_id": None,
        "purpose": "debt",
        "currency": "EUR",
        "session_id": None,
        "reason": "declined",
    }
    payload |= {"customer": f"driver:{driver_id}"}
    found = [
        Event("DebtOpened", f"debt/{n}", payload | {"debt_id": str(new_id()), "amount": f"{n}.00"}, party_id)
        for n in numbers
    ]
    async with pool.acquire() as conn, conn.transaction():
        await events.record(conn, found)
    at = time.monotonic()
    await bus.publish(NUDGE, ["DebtOpened"])
    return {str(n): at for n in numbers}


async def measure(n_single: int, n_burst: int) -> None:
    """Prints both figures."""
    async with installation() as (pool, bus, box):
        party_id, driver_id = await party(pool)
        began: dict[str, float] = {}
        for n in range(1, n_single + 1):
            began |= await happens(pool, bus, party_id, driver_id, [n])
            await asyncio.sleep(0.9)
        await arrived(box, n_single)
        told([box.at[key] - began[key] for key in began], "one by one")
        burst = await happens(pool, bus, party_id, driver_id, list(range(n_single + 1, n_single + n_burst + 1)))
        await arrived(box, n_single + n_burst)
        told([box.at[key] - burst[key] for key in burst], f"{n_burst} at once")


async def arrived(box: Mailbox, n: int) -> None:
    async with asyncio.timeout(120):
        while len(box.at) < n:
            await asyncio.sleep(0.01)


def told(seconds: list[float], what: str) -> None:
    """Median, the slowest."""
    print(f"{what}: {len(seconds)} alerts, median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--single", type=int, default=20)
    parser.add_argument("--burst", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(measure(given.single, given.burst))
