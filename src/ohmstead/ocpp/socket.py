"""aiohttp's WebSocket with a short cut: a text frame that need not wait goes straight from the wire to its reader.

The usual way of a frame is a queue, a future and a wake-up of the task that awaits it; for a message whose whole work
is a few dozen microseconds that is a large part of the price. Everything else (pings, closing, binary frames, errors,
and text while the reader is held back) takes the usual way. Reads and writes of aiohttp's internals are all in here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

# aiohttp offers its reader and queue to nobody; the versions are pinned, and tests/gateway runs over every path here.
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

if TYPE_CHECKING:
    from aiohttp.http_websocket import WebSocketWriter
    from aiohttp.web_request import BaseRequest

_QUEUE_BYTES = 2**16
_TEXT = WSMsgType.TEXT


class _Queue(WebSocketDataQueue):
    """`reader` gets text at once while it is set and nothing waits in the queue."""

    reader: Callable[[bytes], None] | None = None
    heard_at = 0.0

    def feed_data(self, data: Any, size: int) -> None:
        reader = self.reader
        if reader is not None and data[0] is _TEXT and not self._buffer:
            reader(data[1])
        else:
            self.heard_at = time.perf_counter()
            super().feed_data(data, size)


class StationSocket(web.WebSocketResponse[Any]):
    """A server's socket. Text arrives as bytes, not yet known to be UTF-8."""

    def __init__(self, protocols: list[str], max_frame_bytes: int) -> None:
        # Without aiohttp's heartbeat, which sets a timer for each message.
        super().__init__(
            protocols=protocols,
            max_msg_size=max_frame_bytes,
            compress=True,
            timeout=5,
            decode_text=False,
        )

    def _post_start(self, request: BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        self._ws_protocol = protocol
        self._writer = writer
        assert self._loop is not None
        self._reader = _Queue(request._protocol, _QUEUE_BYTES, loop=self._loop)
        self._parser = WebSocketReader(
            self._reader, self._max_msg_size, compress=bool(self._compress), decode_text=False
        )
        request.protocol.set_parser(self._parser)
        request.protocol.keep_alive(False)

    def hear(self, reader: Callable[[bytes], None] | None) -> None:
        """Give text to `reader` as it comes; None: let it wait in the queue, which holds the sender back when full."""
        if self._reader is not None:
            self._reader.reader = reader  # type: ignore[attr-defined]  # our own queue

    @property
    def has_more(self) -> bool:
        """Does another frame wait in the queue?"""
        return self._reader is not None and self._reader._size > 0

    @property
    def is_congested(self) -> bool:
        """Does what we wrote pile up, because the other side does not read?"""
        return self._writer is not None and self._writer.protocol.writing_paused

    def put(self, text: bytes) -> None:
        """Send a text frame now, uncompressed: answers are small. Raises ConnectionError when the line is gone."""
        assert self._writer is not None
        self._writer._write_websocket_frame(text, WSMsgType.TEXT, 0)

    @property
    def heard_at(self) -> float:
        """When anything else than text came last (perf_counter): pongs, above all."""
        return self._reader.heard_at if self._reader is not None else 0.0  # type: ignore[attr-defined]

    def ping_now(self) -> None:
        """Ask for a pong."""
        if self._writer is not None and not self.closed:
            with contextlib.suppress(ConnectionError):
                self._writer._write_websocket_frame(b"", WSMsgType.PING, 0)

    def lost(self, why: str) -> None:
        """The other side is gone without a word."""
        self._handle_ping_pong_exception(TimeoutError(why))

    async def drained(self) -> None:
        """Until the other side has read what we wrote. Raises ConnectionError when the line is gone."""
        assert self._writer is not None
        await self._writer.protocol._drain_helper()

    def abort(self) -> None:
        """Cut the line."""
        transport = self._req.transport if self._req is not None else None
        if transport is not None:
            transport.abort()
