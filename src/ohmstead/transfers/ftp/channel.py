"""Data connections: a port for one transfer, and how fast bytes pass."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator

from ohmstead.core.errors import OhmsteadError

CONNECT_WITHIN_S = 20.0
PIECE_WITHIN_S = 60.0
_PIECE = 1 << 16


class BrokenOff(OhmsteadError):
    """The data connection did not come, or ended in the middle."""


class NoPort(OhmsteadError):
    """Every passive port is taken."""


class Pace:
    """Lets at most so many bytes a second through; 0: as many as come."""

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._begun_at = time.monotonic()
        self._n_bytes = 0

    async def passed(self, n_bytes: int) -> None:
        """Wait until the next piece may come."""
        self._n_bytes += n_bytes
        if self._bytes_per_s:
            ahead_s = self._n_bytes / self._bytes_per_s - (time.monotonic() - self._begun_at)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)


class Channel:
    """A listening port that takes one connection, and that only from whom the control connection is with."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._server: asyncio.Server | None = None
        self._came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.get_running_loop().create_future()
        )
        self.port = 0

    async def listen(self, host: str, ports: range, context: ssl.SSLContext | None) -> None:
        """Take a free port, a random one: a stranger cannot know where to wait. Raises NoPort."""
        start = secrets.randbelow(len(ports))
        for n in range(len(ports)):
            port = ports[(start + n) % len(ports)]
            with contextlib.suppress(OSError):
                self._server = await asyncio.start_server(self._take, host, port, ssl=context, backlog=1)
                self.port = port
                return
        raise NoPort("every passive port is taken; try again")

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection. Raises BrokenOff when none comes."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                return await asyncio.shield(self._came)
        except TimeoutError as error:
            raise BrokenOff("no data connection came") from error

    async def close(self) -> None:
        """Give the port back, and end the connection, if there is one."""
        if self._server is not None:
            self._server.close()
        if self._came.done() and not self._came.cancelled():
            writer = self._came.result()[1]
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.wait_closed()
        self._came.cancel()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.get_extra_info("peername")[0] != self._peer or self._came.done():
            writer.transport.abort()
            return
        assert self._server is not None
        self._server.close()
        self._came.set_result((reader, writer))


async def pieces(reader: asyncio.StreamReader, pace: Pace) -> AsyncIterator[bytes]:
    """What comes until the sender is done. Raises BrokenOff when the connection breaks, or is silent for a minute."""
    while True:
        try:
            async with asyncio.timeout(PIECE_WITHIN_S):
                piece = await reader.read(_PIECE)
        except (TimeoutError, OSError) as error:
            raise BrokenOff("the data connection broke off") from error
        if not piece:
            return
        yield piece
        await pace.passed(len(piece))


async def give(writer: asyncio.StreamWriter, source: AsyncIterator[bytes], pace: Pace) -> int:
    """Send everything; returns how many bytes. Raises BrokenOff."""
    n_bytes = 0
    async for piece in source:
        try:
            writer.write(piece)
            async with asyncio.timeout(PIECE_WITHIN_S):
                await writer.drain()
        except (TimeoutError, OSError) as error:
            raise BrokenOff("the data connection broke off") from error
        n_bytes += len(piece)
        await pace.passed(len(piece))
    return n_bytes
