"""A WebSocket client that costs next to nothing, so that a benchmark measures the server."""

from __future__ import annotations

import asyncio
import base64
import os
from urllib.parse import urlsplit


class Refused(Exception):
    """The server did not upgrade the connection."""


class Socket(asyncio.Protocol):
    """Text frames out and in. The masking key is zero, which is a valid key and leaves the payload as it is."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._is_open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()

    @classmethod
    async def connect(cls, url: str, subprotocol: str, timeout_s: float = 30) -> Socket:
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            transport, socket = await loop.create_connection(cls, parts.hostname, parts.port)
            key = base64.b64encode(os.urandom(16)).decode()
            transport.write(
                (
                    f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                    f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
                ).encode()
            )
            await socket.opened
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's own kind

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._is_open = True
            if not self.opened.done():
                if b" 101 " in head.split(b"\r\n", 1)[0]:
                    self.opened.set_result(None)
                else:
                    self.opened.set_exception(Refused(head.split(b"\r\n", 1)[0].decode()))
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return False
            length, start = int.from_bytes(buffer[2:4]), 4
        elif length == 127:
            if len(buffer) < 10:
                return False
            length, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + length:
            return False
        opcode = buffer[0] & 0x0F
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        if opcode == 1:
            self._frames.put_nowait(payload)
        elif opcode == 9:
            self._write(0x8A, payload)
        elif opcode == 8:
            self.close()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self._frames.put_nowait(None)
        if not self.opened.done():
            self.opened.set_exception(Refused("connection lost"))

    def send(self, text: bytes) -> None:
        self._write(0x81, text)

    def _write(self, first: int, payload: bytes) -> None:
        assert self._transport is not None
        size = len(payload)
        if size < 126:
            head = bytes((first, 0x80 | size))
        elif size < 65536:
            head = bytes((first, 0x80 | 126)) + size.to_bytes(2)
        else:
            head = bytes((first, 0x80 | 127)) + size.to_bytes(8)
        self._transport.write(head + b"\0\0\0\0" + payload)

    async def receive(self) -> bytes | None:
        """The next text frame; None when the connection is over."""
        return await self._frames.get()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
