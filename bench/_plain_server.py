"""Yardstick *plain*: a first version as one writes it: `ocpp` on `websockets`, an INSERT and COMMIT each."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import uvloop
import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as Station16
from ocpp.v16 import call_result as result16
from ocpp.v21 import ChargePoint as Station21
from ocpp.v21 import call_result as result21
from ocpp.v201 import ChargePoint as Station201
from ocpp.v201 import call_result as result201

Pool = Any


def now() -> str:
    return datetime.now(UTC).isoformat()


class Stored:
    """Writes a message before its answer is made."""

    pool: Pool
    id: str
    number = 0

    async def store(self, action: str, fields: dict[str, Any]) -> None:
        await self.pool.execute(
            "insert into message (station_id, action, payload) values ($1, $2, $3)",
            self.id,
            action,
            msgspec.json.encode(fields).decode(),
        )


class Plain16(Stored, Station16):
    @on("BootNotification")
    async def boot(self, **fields: Any) -> Any:
        await self.store("BootNotification", fields)
        return result16.BootNotification(current_time=now(), interval=900, status="Accepted")

    @on("StatusNotification")
    async def status(self, **fields: Any) -> Any:
        await self.store("StatusNotification", fields)
        return result16.StatusNotification()

    @on("Authorize")
    async def authorize(self, **fields: Any) -> Any:
        await self.store("Authorize", fields)
        return result16.Authorize(id_tag_info={"status": "Accepted"})

    @on("StartTransaction")
    async def begin(self, **fields: Any) -> Any:
        await self.store("StartTransaction", fields)
        Plain16.number += 1
        return result16.StartTransaction(transaction_id=Plain16.number, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    async def meter(self, **fields: Any) -> Any:
        await self.store("MeterValues", fields)
        return result16.MeterValues()

    @on("Heartbeat")
    async def heartbeat(self) -> Any:
        await self.store("Heartbeat", {})
        return result16.Heartbeat(current_time=now())

    @on("StopTransaction")
    async def stop(self, **fields: Any) -> Any:
        await self.store("StopTransaction", fields)
        return result16.StopTransaction()


class Plain2(Stored):
    results: Any

    @on("BootNotification")
    async def boot(self, **fields: Any) -> Any:
        await self.store("BootNotification", fields)
        return self.results.BootNotification(current_time=now(), interval=900, status="Accepted")

    @on("StatusNotification")
    async def status(self, **fields: Any) -> Any:
        await self.store("StatusNotification", fields)
        return self.results.StatusNotification()

    @on("Authorize")
    async def authorize(self, **fields: Any) -> Any:
        await self.store("Authorize", fields)
        return self.results.Authorize(id_token_info={"status": "Accepted"})

    @on("TransactionEvent")
    async def event(self, **fields: Any) -> Any:
        await self.store("TransactionEvent", fields)
        return self.results.TransactionEvent()

    @on("Heartbeat")
    async def heartbeat(self) -> Any:
        await self.store("Heartbeat", {})
        return self.results.Heartbeat(current_time=now())


class Plain201(Plain2, Station201):
    results = result201


class Plain21(Plain2, Station21):
    results = result21


KINDS = {"ocpp1.6": Plain16, "ocpp2.0.1": Plain201, "ocpp2.1": Plain21}


async def main(database_url: str, port: int) -> None:
    logging.getLogger("ocpp").setLevel(logging.ERROR)
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=8)
    await pool.execute(
        "create table if not exists message (id bigint generated always as identity primary key, station_id text,"
        " action text, payload jsonb, at timestamptz default now())"
    )

    async def serve(socket: Any) -> None:
        kind = KINDS[socket.subprotocol]
        station = kind(socket.request.path.rsplit("/", 1)[1], socket)
        station.pool = pool
        try:
            await station.start()
        except websockets.ConnectionClosed:
            return

    async with websockets.serve(serve, "127.0.0.1", port, subprotocols=list(KINDS), compression=None):  # type: ignore[list-item]
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.stdin.readline().strip(), int(sys.argv[1])))
