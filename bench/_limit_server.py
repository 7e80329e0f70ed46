"""Yardstick *limit*: the least a durable answer can cost with these tools.

aiohttp echo + msgspec + one idempotent `unnest` per commit, messages gathering while the previous batch commits. No
validation, no state, no domain: nobody could run a network on it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import asyncpg
import msgspec
import uvloop
from aiohttp import WSMsgType, web

Waiting = tuple[str, str, str, str, asyncio.Future[None]]
decoder = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw])


class Server:
    def __init__(self, conn: asyncpg.Connection[asyncpg.Record]) -> None:
        self.conn = conn
        self.waiting: list[Waiting] = []
        self.wake = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch, self.waiting = self.waiting, []
                await self.conn.execute(
                    "insert into message select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])"
                    " on conflict do nothing",
                    *[[row[n] for row in batch] for n in range(4)],
                )
                for row in batch:
                    row[4].set_result(None)

    async def door(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=("ocpp1.6", "ocpp2.0.1", "ocpp2.1"))
        await ws.prepare(request)
        station_id = request.match_info["id"]
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                continue
            _, message_id, action, payload = decoder.decode(message.data)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append((station_id, message_id, action, bytes(payload).decode(), done))
            self.wake.set()
            await done
            answer: dict[str, Any] = (
                {"transactionId": 1, "idTagInfo": {"status": "Accepted"}} if action == "StartTransaction" else {}
            )
            await ws.send_str(msgspec.json.encode((3, message_id, answer)).decode())
        return ws


async def main(database_url: str, port: int) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute(
        "create table if not exists message (station_id text, message_id text, action text, payload text,"
        " primary key (station_id, message_id))"
    )
    server = Server(conn)
    running = asyncio.create_task(server.run())
    app = web.Application()
    app.router.add_get("/ocpp/{id}", server.door)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    print("ready", flush=True)
    await running


if __name__ == "__main__":
    uvloop.run(main(sys.stdin.readline().strip(), int(sys.argv[1])))
