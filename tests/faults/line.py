"""A station's line that costs little, so that a thousand fit into a test: raw frames, pipelining, sudden ends."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec

from tests.gateway.wire import basic

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
VERSIONS = tuple(SUBPROTOCOLS)
BOOTS: dict[str, dict[str, Any]] = {
    "1.6": {"chargePointVendor": "Vendor", "chargePointModel": "Model"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}},
    "2.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}},
}
NOT_DONE = [4, "", "NotImplemented", "", {}]


class Refused(Exception):
    """The handshake ended with another status than 101."""

    def __init__(self, status: int, head: str) -> None:
        super().__init__(head)
        self.status = status
        self.head = head


class Over(Exception):
    """The line ended before the answer came."""


class Line(asyncio.Protocol):
    """One live connection. The masking key is zero, which is a valid key and leaves the payload as it is."""

    def __init__(self) -> None:
        self.close_code: int | None = None
        self.over = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._opened: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self._watcher: Callable[[list[Any]], None] | None = None
        self._awaited: dict[str, asyncio.Future[list[Any]]] = {}

    @classmethod
    async def open(
        cls,
        port: int,
        station_id: str,
        version: str = "1.6",
        *,
        password: str | None = None,
        local: str | None = None,
        within_s: float = 30,
    ) -> Line:
        """Connect, from the loopback address `local` if given. Raises Refused, OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            address = (local, 0) if local else None
            transport, line = await loop.create_connection(cls, "127.0.0.1", port, local_addr=address)
            try:
                head = {
                    "Host": "127.0.0.1",
                    "Upgrade": "websocket",
                    "Connection": "Upgrade",
                    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Protocol": SUBPROTOCOLS[version],
                } | (basic(station_id, password) if password is not None else {})
                lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
                transport.write(f"GET /ocpp/{station_id} HTTP/1.1\r\n{lines}\r\n".encode())
                assert line._opened is not None
                await line._opened
            except BaseException:
                transport.abort()
                raise
        return line

    # ------------------------------------------------------------------------------------------ talking

    def send(self, frame: Any) -> None:
        """A frame, as a value or as its bytes; nothing is waited for."""
        payload = frame if isinstance(frame, bytes) else msgspec.json.encode(frame)
        self._write(0x81, payload)

    async def ask(
        self, action: str, payload: Any, message_id: str | None = None, within_s: float | None = 60
    ) -> list[Any]:
        """A call and its answer frame. Raises Over."""
        message_id = message_id or str(uuid4())
        awaited: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._awaited[message_id] = awaited
        if self.over.is_set():
            raise Over(self.close_code)
        self.send([2, message_id, action, payload])
        async with asyncio.timeout(within_s):
            return await awaited

    def watch(self, answered: Callable[[list[Any], float], None]) -> dict[str, float]:
        """Call `answered` with answers to calls that were only sent, and how long each took.

        Returns where to note when each call was sent (perf_counter), by its id.
        """
        sent_at: dict[str, float] = {}

        def hear(frame: list[Any]) -> None:
            at = sent_at.pop(frame[1], None)
            if at is not None:
                answered(frame, time.perf_counter() - at)

        self._watcher = hear
        return sent_at

    async def tell(self, action: str, payload: Any, within_s: float | None = 60) -> Any:
        """A call that must succeed; the answer's payload."""
        answer = await self.ask(action, payload, within_s=within_s)
        assert answer[0] == 3, answer
        return answer[2]

    async def beat_s(self, within_s: float = 60) -> float:
        """How long a heartbeat takes."""
        began = time.perf_counter()
        assert "currentTime" in await self.tell("Heartbeat", {}, within_s)
        return time.perf_counter() - began

    def abort(self) -> None:
        """The power is gone: no close frame, no TCP farewell that waits."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Leave politely."""
        self._write(0x88, (1000).to_bytes(2))
        try:
            async with asyncio.timeout(5):
                await self.over.wait()
        except TimeoutError:
            self.abort()

    def pause(self) -> None:
        """Read nothing more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    @property
    def unsent_bytes(self) -> int:
        """What the other side has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    # ------------------------------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.over.set()
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(Over("no answer to the handshake"))
        for awaited in self._awaited.values():
            if not awaited.done():
                awaited.set_exception(Over(self.close_code))
                awaited.exception()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._opened is not None and not self._opened.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).decode("latin-1")
            del self._buffer[: end + 4]
            status = int(head.split(" ", 2)[1])
            if status != 101:
                self._opened.set_exception(Refused(status, head))
                return
            self._opened.set_result(None)
        while self._take():
            pass

    def _take(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size in (126, 127):
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return False
            size = int.from_bytes(buffer[2:start])
        if len(buffer) < start + size:
            return False
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == 1:
            self._hear(msgspec.json.decode(payload))
        elif opcode == 9:
            self._write(0x8A, payload)
        elif opcode == 8:
            self.close_code = int.from_bytes(payload[:2]) if payload else 1005
            self._write(0x88, payload[:2])
            if self._transport is not None:
                self._transport.close()
        return True

    def _hear(self, frame: list[Any]) -> None:
        if frame[0] == 2:
            self.send([NOT_DONE[0], frame[1], *NOT_DONE[2:]])
            return
        if self._watcher is not None:
            self._watcher(frame)
        awaited = self._awaited.pop(frame[1], None)
        if awaited is not None and not awaited.done():
            awaited.set_result(frame)

    def _write(self, first: int, payload: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        size = len(payload)
        if size < 126:
            head = bytes((first, 0x80 | size))
        elif size < 65536:
            head = bytes((first, 0x80 | 126)) + size.to_bytes(2)
        else:
            head = bytes((first, 0x80 | 127)) + size.to_bytes(8)
        self._transport.write(head + b"\0\0\0\0" + payload)
