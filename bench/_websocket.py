"""A WebSocket client that costs next to nothing, so that a benchmark measures the server."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


class Refused(Exception):
    """The server did not upgrade the connection, or closed it."""


class Socket(asyncio.Protocol):
    """Text frames out and in. The masking key is zero, which is a valid key and leaves the payload as it is.

    `on_text` is called with every text frame, `on_lost` once when an open connection ends. Pings are answered.
    """

    def __init__(self, on_text: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.on_text = on_text
        self.on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._is_open = False
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls,
        url: str,
        subprotocol: str,
        on_text: Callable[[bytes], None],
        on_lost: Callable[[], None],
        *,
        timeout_s: float = 30,
        source: str | None = None,
    ) -> Socket:
        """An open connection. Raises Refused, OSError or TimeoutError. `source`: the client's own address."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        socket = cls(on_text, on_lost)
        local: Any = None if source is None else (source, 0)
        try:
            async with asyncio.timeout(timeout_s):
                transport, _ = await loop.create_connection(
                    lambda: socket, parts.hostname or "", parts.port or 80, local_addr=local
                )
                key = base64.b64encode(os.urandom(16)).decode()
                transport.write(
                    (
                        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
                    ).encode()
                )
                await socket._opened
        except BaseException:
            socket.close()
            raise
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's own kind

    def data_received(self, data: bytes) -> None:
        if self._is_open and not self._buffer and data[0] == 0x81 and len(data) > 1:
            size = data[1]
            if size < 126 and len(data) == size + 2:  # one whole short frame: nearly always
                self.on_text(data[2:])
                return
        self._buffer += data
        if not self._is_open and not self._take_head():
            return
        while self._take_frame():
            pass

    def _take_head(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        self._buffer = rest
        self._is_open = True
        if not self._opened.done():
            status = head.split(b"\r\n", 1)[0]
            if b" 101 " in status:
                self._opened.set_result(None)
            else:
                self._opened.set_exception(Refused(status.decode()))
        return True

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            start = 4
        elif length == 127:
            start = 10
        if len(buffer) < start:
            return False
        if start > 2:
            length = int.from_bytes(buffer[2:start])
        if len(buffer) < start + length:
            return False
        opcode = buffer[0] & 0x0F
        payload = buffer[start : start + length]
        self._buffer = buffer[start + length :]
        if opcode == 1:
            self.on_text(payload)
        elif opcode == 9:
            self._write(0x8A, payload)
        elif opcode == 8:
            self.close()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._opened.done():
            self._opened.set_exception(Refused("connection lost"))
        elif not self._opened.cancelled() and self._opened.exception() is None:
            self.on_lost()

    def send(self, text: bytes) -> None:
        self._write(0x81, text)

    def _write(self, first: int, payload: bytes) -> None:
        assert self._transport is not None
        size = len(payload)
        if size < 126:
            head = bytes((first, 0x80 | size))
        elif size < 65536:
            head = bytes((first, 0xFE)) + size.to_bytes(2)
        else:
            head = bytes((first, 0xFF)) + size.to_bytes(8)
        self._transport.write(head + b"\0\0\0\0" + payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
