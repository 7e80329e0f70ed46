"""One station's socket: frames in order, one call at a time each way, limits. No meaning of any action."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID, uuid4

import msgspec
from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web

from ohmstead.core import clock, metrics
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.ocpp import rpc
from ohmstead.ocpp.limits import FloodGuard, Overrun
from ohmstead.ocpp.rpc import Call, CallError, CallResult, CallResultError, ErrorCode, FrameError, Send, Version
from ohmstead.stations.model import Station

log = logger("ohmstead.connection")

MOST_WAITING_CALLS = 64  # a station has one call outstanding; one that pipelines more is not read until these are done
REMEMBERED_REPLIES = 8
REMEMBERED_FOR_S = 300.0

# Frames that the WebSocket layer itself refuses: broken framing, no UTF-8, too large (also once inflated).
_REFUSED_FRAMES = {
    1007: ("text is not UTF-8", "not_utf8"),
    1009: ("frame too large", "frame_too_large"),
}


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may do to us. `send_timeout_s`: a reader this slow is gone."""

    max_frame_bytes: int = rpc.MAX_BYTES
    send_timeout_s: float = 20.0
    guard: Callable[[], FloodGuard] = FloodGuard


class Slot:
    """What outlives a station's sockets in this gateway: who holds it now, and its latest replies.

    The same message id with the same action and payload again is the same message (2.1 part 4 §4.1.4): it gets the
    reply it got, even while the first is still being committed.
    """

    __slots__ = ("connection", "replies", "station_id")

    def __init__(self, station_id: str) -> None:
        self.station_id = station_id
        self.connection: Connection | None = None
        self.replies: OrderedDict[tuple[str, str, int], tuple[float, asyncio.Future[bytes | None]]] = OrderedDict()

    def earlier(self, call: Call) -> asyncio.Future[bytes | None] | None:
        """The reply to the same call, given or still awaited."""
        found = self.replies.get((call.message_id, call.action, hash(bytes(call.payload))))
        if found is None or time.monotonic() - found[0] > REMEMBERED_FOR_S:
            return None
        return found[1]

    def remember(self, call: Call, reply: asyncio.Future[bytes | None]) -> None:
        key = (call.message_id, call.action, hash(bytes(call.payload)))
        self.replies[key] = (time.monotonic(), reply)
        while len(self.replies) > REMEMBERED_REPLIES:
            self.replies.popitem(last=False)

    def forget(self, call: Call) -> None:
        """A call that failed may be tried again."""
        self.replies.pop((call.message_id, call.action, hash(bytes(call.payload))), None)


class Waiting:
    """A call of ours that the station has not answered yet."""

    __slots__ = ("action", "answer", "message_id", "payload", "sent_at", "started")

    def __init__(self, message_id: str, action: str, payload: bytes) -> None:
        self.message_id = message_id
        self.action = action
        self.payload = payload
        self.answer: asyncio.Future[CallResult | CallError] = asyncio.get_running_loop().create_future()
        self.sent_at = clock.now()
        self.started = time.perf_counter()


class Gone(Exception):
    """The connection ended before the station answered."""


class Doorman(Protocol):
    """What a connection asks of the gateway: implemented there, so that this file knows nothing of meaning."""

    async def answer(self, connection: Connection, frame: Call | Send) -> bytes | None:
        """The complete answer frame, once all that the call said is committed; None when none is due."""
        ...

    def bad_frame(self, connection: Connection, data: bytes, error: FrameError) -> None:
        """A frame that could not be taken."""
        ...

    def late_answer(self, connection: Connection, frame: CallResult | CallError) -> None:
        """An answer to a call that nobody waits for any more."""
        ...


class Connection:
    """A live socket. `call()` sends a request to the station and waits for its answer."""

    __slots__ = (
        "_asked",
        "_busy",
        "_calling",
        "_calls",
        "_doorman",
        "_drained",
        "_flow",
        "_guard",
        "_ws",
        "address",
        "connected_at",
        "connection_id",
        "last_heard",
        "slot",
        "station",
        "version",
        "waiting",
    )

    def __init__(
        self,
        ws: web.WebSocketResponse,
        slot: Slot,
        station: Station,
        version: Version,
        address: str,
        doorman: Doorman,
        flow: Flow,
    ) -> None:
        self.connection_id: UUID = new_id()
        self.slot = slot
        self.station = station
        self.version = version
        self.address = address
        self.connected_at = clock.now()
        self.last_heard = self.connected_at
        self.waiting: Waiting | None = None
        self._ws = ws
        self._doorman = doorman
        self._flow = flow
        self._guard = flow.guard()
        self._calls: deque[Call | Send] = deque()
        self._busy: asyncio.Task[None] | None = None
        self._drained: asyncio.Event | None = None
        self._calling: asyncio.Lock | None = None
        self._asked: set[str] | None = None

    @property
    def is_open(self) -> bool:
        return not self._ws.closed

    @property
    def is_registered(self) -> bool:
        """May the station serve? It was accepted, and has introduced itself at least once, now or before."""
        return self.station.registration == "accepted" and self.station.has_booted

    def may_send(self, action: str) -> bool:
        """Before it is accepted a station may boot; while pending also what we asked it for (B02.FR.09, B03.FR.07)."""
        if self.is_registered or action == "BootNotification":
            return True
        return self.station.registration == "pending" and self._asked is not None and action in self._asked

    def expect(self, actions: tuple[str, ...]) -> None:
        """We asked for these messages."""
        if actions:
            self._asked = (self._asked or set()) | set(actions)

    async def read(self) -> str:
        """Read frames until the socket ends; returns why. The reader never waits for a handler."""
        async for message in self._ws:
            if message.type is WSMsgType.TEXT:
                data: str = message.data
                try:
                    unanswered = len(self._calls) + (self._busy is not None) + self._has_more()
                    delay_s = self._guard.received(len(data), unanswered)
                    self._received(data)
                except Overrun as overrun:
                    await self.close(overrun.close_code, overrun.text)
                    return overrun.reason
                if delay_s > 0:
                    await asyncio.sleep(min(delay_s, 30.0))
                if len(self._calls) >= MOST_WAITING_CALLS:
                    self._drained = asyncio.Event()
                    await self._drained.wait()
            elif message.type is WSMsgType.BINARY:
                self._unreadable(b"(binary)", "binary frame")
                await self.close(WSCloseCode.UNSUPPORTED_DATA, "text frames only")
                return "binary_frame"
            elif message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
                # aiohttp has closed the socket already, with this code.
                text, reason = _REFUSED_FRAMES.get(message.data.code, ("broken WebSocket frame", "broken_frame"))
                self._unreadable(b"(not read)", text)
                return reason
        return self._why()

    def _has_more(self) -> bool:
        """Is another frame here already? While a flood is read slowly, each frame read is answered before the next is
        looked at: only what waits behind it tells a flood from a station that waits for its answers.
        """
        queue = self._ws._reader
        return queue is not None and queue._size > 0

    def _why(self) -> str:
        error = self._ws.exception()
        if error is not None:
            return f"broken: {type(error).__name__}"
        code = self._ws.close_code
        return {1000: "closed", 1001: "going_away", 1006: "lost"}.get(code or 1006, f"code_{code}")

    def _unreadable(self, data: bytes, text: str) -> None:
        """A frame of which nothing can be answered, since answering would mean guessing a message id."""
        metrics.frames.labels("in", "bad").inc()
        metrics.bad_frames.labels(ErrorCode.FORMAT_VIOLATION.value).inc()
        self._doorman.bad_frame(self, data, FrameError("-1", ErrorCode.FORMAT_VIOLATION, text, is_silent=True))

    def _received(self, data: str) -> None:
        self.last_heard = clock.now()
        try:
            frame = rpc.parse(data, self.version, self._flow.max_frame_bytes)
        except FrameError as error:
            metrics.frames.labels("in", "bad").inc()
            self._bad(data.encode(errors="replace"), error)
            return
        if isinstance(frame, Call | Send):
            metrics.frames.labels("in", "call").inc()
            self._calls.append(frame)
            if self._busy is None:
                self._busy = asyncio.create_task(self._work_off())
        elif isinstance(frame, CallResult | CallError):
            metrics.frames.labels("in", "answer").inc()
            self._answered(frame)
        elif isinstance(frame, CallResultError):
            log.warning(
                "answer_refused",
                station_id=self.slot.station_id,
                message_id=frame.message_id,
                code=frame.code,
                text=frame.description,
            )

    def _bad(self, data: bytes, error: FrameError) -> None:
        metrics.bad_frames.labels(error.code.value).inc()
        self._doorman.bad_frame(self, data, error)
        if error.frame_type in (3, 4) and self.waiting is not None and self.waiting.message_id == error.message_id:
            broken = CallError(error.message_id, error.code.value, f"unreadable answer: {error.description}")
            self._answered(broken)
        if not error.is_silent:
            answer = rpc.encode_error(error.message_id, error.code, error.description, None, self.version)
            spawn(self.send(answer))
        self._guard.malformed()

    def _answered(self, frame: CallResult | CallError) -> None:
        waiting = self.waiting
        if waiting is not None and waiting.message_id == frame.message_id and not waiting.answer.done():
            waiting.answer.set_result(frame)
        else:
            self._doorman.late_answer(self, frame)

    async def _work_off(self) -> None:
        """Answer the station's calls one by one; ends when none is left, so that idle stations cost no task."""
        try:
            while self._calls:
                frame = self._calls.popleft()
                if self._drained is not None and len(self._calls) < MOST_WAITING_CALLS // 2:
                    self._drained.set()
                    self._drained = None
                answer = await self._doorman.answer(self, frame)
                if answer is not None:
                    await self.send(answer)
        finally:
            self._busy = None
            if self._drained is not None:
                self._drained.set()

    async def send(self, frame: bytes) -> None:
        """Write a frame. A station that does not read for long is cut off, so that it holds up nobody's memory."""
        if self._ws.closed:
            return
        metrics.frames.labels("out", "any").inc()
        try:
            async with asyncio.timeout(self._flow.send_timeout_s):
                await self._ws.send_frame(frame, WSMsgType.TEXT)
        except TimeoutError:
            log.warning("slow_reader_closed", station_id=self.slot.station_id)
            self.abort()
        except (ConnectionError, RuntimeError) as error:
            log.debug("send_failed", station_id=self.slot.station_id, error=repr(error))

    async def call(
        self, action: str, payload: bytes, timeout_s: float, on_sent: Callable[[Waiting], Awaitable[None]] | None = None
    ) -> tuple[Waiting, CallResult | CallError]:
        """Ask the station. One call at a time; the time-out counts from when it is our turn.

        Raises TimeoutError when it does not answer in time (a later answer goes to the doorman), Gone when the
        connection ends first.
        """
        if self._calling is None:
            self._calling = asyncio.Lock()
        async with self._calling:
            if self._ws.closed:
                raise Gone
            waiting = self.waiting = Waiting(str(uuid4()), action, payload)
            try:
                if on_sent is not None:
                    await on_sent(waiting)
                await self.send(rpc.encode_call(waiting.message_id, action, payload))
                async with asyncio.timeout(timeout_s):
                    return waiting, await waiting.answer
            finally:
                self.waiting = None

    def end(self) -> None:
        """The socket is over: whoever waits for an answer learns it."""
        if self.waiting is not None and not self.waiting.answer.done():
            self.waiting.answer.set_exception(Gone())

    async def close(self, code: int, text: str) -> None:
        """Close politely, within seconds."""
        try:
            async with asyncio.timeout(5):
                await self._ws.close(code=code, message=text.encode()[:120])
        except (TimeoutError, ConnectionError, RuntimeError):
            self.abort()

    def abort(self) -> None:
        """Cut the line."""
        transport = self._ws._req.transport if self._ws._req is not None else None
        if transport is not None:
            transport.abort()


_tasks: set[asyncio.Task[None]] = set()


def spawn(work: Awaitable[None]) -> None:
    """Run in the background; asyncio itself keeps no hold of tasks."""
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Future[None]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background_task_failed", exc_info=error)
