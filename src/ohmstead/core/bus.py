"""NATS between processes: requests that someone answers at once, and live news that may be missed.

What must not be lost is never only here: it is in the outbox or in the command table.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from ohmstead.core import tracing
from ohmstead.core.log import logger

log = logger("ohmstead.bus")


LIVE = "ohmstead.live."
"""News for open pages, by party. Whoever listens says so, so that nobody words what nobody hears."""
_LISTENING, _WHO_LISTENS = "ohmstead.listening", "ohmstead.listening.who"
_SAY_EVERY_S, _BELIEVED_FOR_S = 10.0, 35.0


def _sort_of(subject: str) -> str:
    """A subject without whom it names, so that spans of one sort have one name."""
    return ".".join(subject.split(".")[:2])


class Unanswered(Exception):
    """Nobody listens on the subject: an immediate, honest no."""


class Bus:
    """A connection that heals itself; while it is away, publishes are dropped and requests fail at once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listening: Counter[str] = Counter()
        self._saying: asyncio.Task[None] | None = None
        self._heard_of: dict[str, float] | None = None
        self._echoes: dict[bytes, asyncio.Future[None]] | None = None
        self._echo = f"ohmstead.echo.{uuid4().hex}"

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
            # A network that swallows everything is noticed within half a minute.
            ping_interval=10,
            max_outstanding_pings=2,
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
            await self._client.publish(subject, msgspec.json.encode(payload), headers=tracing.carried())
        except NatsError as error:
            log.debug("publish_dropped", subject=subject, error=repr(error))

    async def request(self, subject: str, payload: Any, timeout_s: float) -> bytes:
        """Ask and wait. Raises Unanswered when nobody listens, TimeoutError when nobody answers in time."""
        if not self._client.is_connected:
            raise Unanswered(subject)
        try:
            with tracing.span("ask", "client", subject=_sort_of(subject)):
                data, headers = msgspec.json.encode(payload), tracing.carried()
                reply = await self._client.request(subject, data, timeout=timeout_s, headers=headers)
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
                with tracing.span("answer", "server", msg.headers, subject=_sort_of(subject)):
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
            if msg.headers is None or not tracing.is_on():
                await heard(msg.subject, msg.data)
                return
            with tracing.span("hear", "consumer", msg.headers, subject=_sort_of(subject)):
                await heard(msg.subject, msg.data)

        subscription = await self._client.subscribe(subject, cb=received)
        if not subject.startswith(LIVE):
            return subscription.unsubscribe
        await self._say_that_we_listen(subject)

        async def stop() -> None:
            self._listening[subject] -= 1
            with contextlib.suppress(NatsError):  # the connection may have ended before
                await subscription.unsubscribe()

        return stop

    # ------------------------------------------------------------------------------- who listens to live news

    async def watch_listeners(self) -> None:
        """Learn from now on who listens to live news: `has_listeners` then knows."""
        self._heard_of = {}

        async def said(_subject: str, data: bytes) -> None:
            until = time.monotonic() + _BELIEVED_FOR_S
            if self._heard_of is not None:
                now = time.monotonic()
                believed = {subject: to for subject, to in self._heard_of.items() if to > now}
                self._heard_of = believed | dict.fromkeys(msgspec.json.decode(data, type=list[str]), until)

        await self.listen(_LISTENING, said)
        await self.publish(_WHO_LISTENS, [])

    def has_listeners(self, subject: str) -> bool:
        """May somebody listen to this live subject? True as long as we do not watch."""
        return self._heard_of is None or self._heard_of.get(subject, 0.0) > time.monotonic()

    def has_any_listeners(self) -> bool:
        """May somebody listen to any live subject?"""
        return self._heard_of is None or bool(self._heard_of)

    async def _say_that_we_listen(self, subject: str) -> None:
        self._listening[subject] += 1
        if self._saying is None:

            async def asked(_msg: Msg) -> None:
                await self._say()

            await self._client.subscribe(_WHO_LISTENS, cb=asked)
            self._saying = asyncio.create_task(self._keep_saying())
        await self._say()
        if self.is_connected:
            await self.flush()

    async def _keep_saying(self) -> None:
        while True:
            await asyncio.sleep(_SAY_EVERY_S)
            await self._say()

    async def _say(self) -> None:
        subjects = [subject for subject, n in self._listening.items() if n > 0]
        if subjects:
            await self.publish(_LISTENING, subjects)

    # ------------------------------------------------------------------------------- the end

    async def flush(self) -> None:
        """Until the server has all that we published; a server that is away is not waited for.

        Not the client's own flush: one that is given up (cancelled, or too slow) ends the client's reading when the
        server answers after all, and the process hears nothing for half a minute.
        """
        if not self.is_connected:
            return
        if self._echoes is None:
            echoes = self._echoes = {}

            async def came_back(msg: Msg) -> None:
                waiting = echoes.pop(msg.data, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)

            await self._client.subscribe(self._echo, cb=came_back)
        token = uuid4().bytes
        self._echoes[token] = back = asyncio.get_running_loop().create_future()
        try:
            with contextlib.suppress(NatsError, TimeoutError):
                await self._client.publish(self._echo, token)
                async with asyncio.timeout(5):
                    await back
        finally:
            self._echoes.pop(token, None)

    async def close(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
        await self._client.close()
