"""NATS between processes: requests that someone answers at once, and live news that may be missed.

What must not be lost is never only here: it is in the outbox or in the command table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from ohmstead.core.log import logger

log = logger("ohmstead.bus")


class Unanswered(Exception):
    """Nobody listens on the subject: an immediate, honest no."""


class Bus:
    """A connection that heals itself; while it is away, publishes are dropped and requests fail at once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def connect(cls, url: str, name: str) -> Bus:
        """Connect, waiting for a server that is still starting. Reconnects for ever afterwards."""

        async def on_error(error: Exception) -> None:
            log.warning("bus_error", error=repr(error))

        client = await nats.connect(
            url,
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            connect_timeout=5,
            error_cb=on_error,
            pending_size=8 * 1024 * 1024,
        )
        return cls(client)

    @property
    def is_connected(self) -> bool:
        return bool(self._client.is_connected)

    async def publish(self, subject: str, payload: Any) -> None:
        """Tell whoever listens; nobody listening, or no server, is fine."""
        if not self._client.is_connected:
            return
        try:
            await self._client.publish(subject, msgspec.json.encode(payload))
        except NatsError as error:
            log.debug("publish_dropped", subject=subject, error=repr(error))

    async def request(self, subject: str, payload: Any, timeout_s: float) -> bytes:
        """Ask and wait. Raises Unanswered when nobody listens, TimeoutError when nobody answers in time."""
        if not self._client.is_connected:
            raise Unanswered(subject)
        try:
            reply = await self._client.request(subject, msgspec.json.encode(payload), timeout=timeout_s)
        except NoRespondersError as error:
            raise Unanswered(subject) from error
        except NatsError as error:
            if isinstance(error, TimeoutError):
                raise
            raise Unanswered(subject) from error
        return bytes(reply.data)

    async def serve(self, subject: str, answer: Callable[[bytes], Awaitable[Any]]) -> None:
        """Answer requests on `subject`, each in its own task so that a slow one holds up nobody."""
        tasks: set[asyncio.Task[None]] = set()

        async def one(msg: Msg) -> None:
            try:
                reply = await answer(msg.data)
            except Exception:
                log.exception("request_failed", subject=subject)
                return
            if msg.reply:
                await msg.respond(msgspec.json.encode(reply))

        async def received(msg: Msg) -> None:
            task = asyncio.create_task(one(msg))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        await self._client.subscribe(subject, cb=received)

    async def listen(
        self, subject: str, heard: Callable[[str, bytes], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Call `heard(subject, data)` for every publish; returns the function that stops listening."""

        async def received(msg: Msg) -> None:
            await heard(msg.subject, msg.data)

        subscription = await self._client.subscribe(subject, cb=received)
        return subscription.unsubscribe

    async def flush(self) -> None:
        await self._client.flush()

    async def close(self) -> None:
        await self._client.close()
