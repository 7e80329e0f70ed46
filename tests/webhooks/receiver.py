"""Somebody who is told of events: a real HTTP server that checks signatures for itself, and misbehaves as told."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Heard:
    """One request."""

    message_id: str
    timestamp: int
    signatures: list[str]
    body: bytes
    headers: dict[str, str]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def is_signed_with(self, secret: str) -> bool:
        """As any receiver would check it, from the text of Standard Webhooks alone."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.message_id}.{self.timestamp}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return wanted in self.signatures


@dataclass
class Receiver:
    """`how` it behaves: a status, `hangs`, `huge`, `slow`, `redirects`, `breaks`."""

    url: str = ""
    how: str = "200"
    heard: list[Heard] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            body = await request.read()
            self.heard.append(
                Heard(
                    request.headers["webhook-id"],
                    int(request.headers["webhook-timestamp"]),
                    request.headers["webhook-signature"].split(),
                    body,
                    dict(request.headers),
                )
            )
            self._more.set()
            return await self._answer(request)
        finally:
            self._now -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.how == "hangs":
            await asyncio.sleep(60)
        if self.how == "slow":
            await asyncio.sleep(0.2)
        if self.how == "redirects":
            raise web.HTTPFound("/elsewhere")
        if self.how == "breaks":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if self.how == "huge":
            response = web.StreamResponse(status=200)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                for _ in range(10_000):
                    await response.write(b"x" * 65536)
            return response
        status = int(self.how) if self.how.isdigit() else 200
        headers = {"Retry-After": "7200"} if status == 429 else {}
        return web.Response(status=status, text="thank you\0" if status < 300 else "<b>not now</b>", headers=headers)

    async def hears(self, n: int = 1, within_s: float = 15) -> list[Heard]:
        """Until it has heard `n` requests in all."""
        async with asyncio.timeout(within_s):
            while len(self.heard) < n:
                self._more.clear()
                await self._more.wait()
        return self.heard

    def of_kind(self, kind: str) -> list[Heard]:
        return [one for one in self.heard if one.message["type"] == kind]


@contextlib.asynccontextmanager
async def receiving(how: str = "200") -> AsyncIterator[Receiver]:
    receiver = Receiver(how=how)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
