"""A station's end of the wire: OCPP-J frames over a WebSocket, and nothing of their meaning."""

import asyncio
import base64
import inspect
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

import aiohttp
import msgspec

SUBPROTOCOL = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Error:
    """A CALLERROR, received or to be sent."""

    code: str
    text: str = ""


class Silence:
    """No answer at all."""


SILENCE = Silence()
Answer: TypeAlias = dict[str, Any] | Error | Silence
Said: TypeAlias = tuple[str, str, dict[str, Any]]  # message id, action, payload


class Lost(Exception):
    """The connection ended before the answer came."""


@dataclass
class Wire:
    """One socket. `on_call` is asked what to answer the other side's calls; `after` runs once the answer is sent.

    `trace` is every frame that went through, with whether the station sent it.
    """

    url: str
    version: str
    on_call: Callable[[str, dict[str, Any]], Any]
    after: Callable[[str, dict[str, Any]], Any]
    said: list[Said] = field(default_factory=list)
    heard: list[Said] = field(default_factory=list)
    trace: list[tuple[bool, list[Any]]] = field(default_factory=list)
    close_code: int | None = None
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _client: aiohttp.ClientSession | None = None
    _waiting: dict[str, asyncio.Future[dict[str, Any] | Error]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _reader: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._socket is not None and not self._socket.closed

    async def connect(self) -> None:
        self._client = aiohttp.ClientSession()
        headers = dict(self.headers)
        if self.password is not None:
            shown = f"{self.url.rpartition('/')[2]}:{self.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(shown).decode()}"
        try:
            self._socket = await self._client.ws_connect(
                self.url,
                protocols=(SUBPROTOCOL[self.version],),
                max_msg_size=0,
                headers=headers,
                ssl=self.tls or True,
            )
        except BaseException:
            await self._client.close()
            raise
        assert self._socket.protocol == SUBPROTOCOL[self.version]
        self.close_code = None
        self._reader = asyncio.create_task(self._read(self._socket))

    async def call(self, action: str, payload: dict[str, Any], message_id: str | None = None) -> dict[str, Any] | Error:
        """Ask, and wait for the answer. Raises Lost when the socket ends first, TimeoutError when nothing comes."""
        name = message_id or str(uuid4())
        self.said.append((name, action, payload))
        answer = self._waiting[name] = asyncio.get_running_loop().create_future()
        await self.send([2, name, action, payload])
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await answer
        finally:
            self._waiting.pop(name, None)

    async def send(self, frame: list[Any]) -> None:
        self.trace.append((True, frame))
        await self.send_text(msgspec.json.encode(frame).decode())

    async def send_text(self, text: str) -> None:
        if self._socket is None or self._socket.closed:
            raise Lost
        await self._socket.send_str(text)

    async def close(self) -> None:
        """Say goodbye properly."""
        if self._socket is not None:
            await self._socket.close()
        await self._ended()

    async def cut(self) -> None:
        """The cable is gone: not a word to the other side but a reset."""
        if self._socket is not None and not self._socket.closed:
            transport = self._socket.get_extra_info("socket") and self._socket._response.connection
            if transport is not None and transport.transport is not None:
                transport.transport.abort()
        await self._ended()

    async def _ended(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        if self._client is not None:
            await self._client.close()
        self._socket = self._client = self._reader = None

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                frame = msgspec.json.decode(message.data)
                self.trace.append((False, frame))
                if frame[0] == 2:
                    self.heard.append((frame[1], frame[2], frame[3]))
                    task = asyncio.create_task(self._answer(frame[1], frame[2], frame[3]))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                elif (waiting := self._waiting.get(frame[1])) is not None and not waiting.done():
                    waiting.set_result(frame[2] if frame[0] == 3 else Error(frame[2], frame[3]))
        finally:
            self.close_code = socket.close_code
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Lost())

    async def _answer(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        answer = self.on_call(action, payload)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Silence):
            return
        if isinstance(answer, Error):
            await self.send([4, message_id, answer.code, answer.text, {}])
            return
        await self.send([3, message_id, answer])
        await self.after(action, payload)
