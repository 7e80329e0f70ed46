"""One station's socket: frames in order, one call at a time each way, limits. No meaning of any action."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias
from uuid import UUID, uuid4

import msgspec
from aiohttp import WebSocketError, WSCloseCode, WSMsgType

from ohmstead.core import clock, metrics
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.ocpp import rpc
from ohmstead.ocpp.limits import FloodGuard, Overrun
from ohmstead.ocpp.rpc import Call, CallError, CallResult, CallResultError, ErrorCode, FrameError, Send, Version
from ohmstead.ocpp.socket import StationSocket
from ohmstead.stations.model import Station
from ohmstead.stations.quirks.profiles import Effects

log = logger("ohmstead.connection")

MOST_WAITING_CALLS = 64  # a station has one call outstanding; one that pipelines more is not read until these are done
REMEMBERED_REPLIES = 8
REMEMBERED_FOR_S = 300.0

CallKey: TypeAlias = tuple[str, int]
"""A call by its message id, and its action and payload together as a hash."""

# Others are rare (answers, spaces before the frame) and looked at at once.
_LOOKS_LIKE_CALL = (b"[2,", b"[6,")

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


class Reply(Protocol):
    """A call's reply that is still being worked out."""

    def also(self, connection: Connection) -> None:
        """Give the reply to this connection too."""
        ...


class Slot:
    """What outlives a station's sockets in this gateway: who holds it now, and its latest replies.

    The same message id with the same action and payload again is the same message (2.1 part 4 §4.1.4): it gets the
    reply it got, even while the first is still being committed.
    """

    __slots__ = ("_replies", "connection", "station_id")

    def __init__(self, station_id: str) -> None:
        self.station_id = station_id
        self.connection: Connection | None = None
        self._replies: dict[CallKey, tuple[float, Reply | bytes | None]] | None = None

    def earlier(self, key: CallKey) -> tuple[float, Reply | bytes | None] | None:
        """When the same call came before, and its reply: the payload that was given, or what works it out."""
        found = self._replies.get(key) if self._replies is not None else None
        return found if found is not None and time.monotonic() - found[0] <= REMEMBERED_FOR_S else None

    def remember(self, key: CallKey, reply: Reply | bytes | None) -> None:
        if self._replies is None:
            self._replies = {}
        self._replies[key] = (time.monotonic(), reply)
        if len(self._replies) > REMEMBERED_REPLIES:
            del self._replies[next(iter(self._replies))]

    def forget(self, key: CallKey) -> None:
        """A call that failed may be tried again."""
        if self._replies is not None:
            self._replies.pop(key, None)

    def forget_all(self) -> None:
        self._replies = None


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

    def heard(self, connection: Connection, data: bytes) -> None:
        """A frame that looks like a call came: `connection.begin` is due with it, soon and for many at once."""
        ...

    def take(self, connection: Connection, frame: Call | Send) -> None:
        """Begin with a call; `connection.done` is told once all that the call said is committed, or refused."""
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
        "_calling",
        "_calls",
        "_doorman",
        "_drained",
        "_flow",
        "_guard",
        "_held_until",
        "_is_busy",
        "_overrun",
        "_ws",
        "address",
        "connected_at",
        "connection_id",
        "heard_at",
        "last_heard",
        "pinged_at",
        "quirks",
        "slot",
        "station",
        "version",
        "waiting",
    )

    def __init__(
        self,
        ws: StationSocket,
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
        self.heard_at = self.pinged_at = time.perf_counter()
        self.waiting: Waiting | None = None
        self.quirks: Effects | None = None
        self._ws = ws
        self._doorman = doorman
        self._flow = flow
        self._guard = flow.guard()
        self._calls: deque[bytes | Call | Send] | None = None
        self._is_busy = False
        self._held_until = 0.0
        self._overrun: Overrun | None = None
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

    @property
    def is_quiet(self) -> bool:
        """Nobody waits for an answer: no call of the station's is unread or unanswered, and none of ours."""
        return not self._is_busy and not self._calls and self.waiting is None and not self._ws.has_more

    def may_send(self, action: str) -> bool:
        """Before it is accepted a station may boot; while pending also what we asked it for (B02.FR.09, B03.FR.07)."""
        if self.is_registered or action == "BootNotification":
            return True
        return self.station.registration == "pending" and self._asked is not None and action in self._asked

    def expect(self, actions: tuple[str, ...]) -> None:
        """We asked for these messages."""
        if actions:
            self._asked = (self._asked or set()) | set(actions)

    # -------------------------------------------------------------------------------------------- what comes

    async def read(self) -> str:
        """Read frames until the socket ends; returns why. Text that nobody holds back does not come by here."""
        self._ws.hear(self._heard)
        async for message in self._ws:
            if message.type is WSMsgType.TEXT:
                await self._until_ready()
                self._ws.hear(self._heard)
                self._heard(message.data)
            elif message.type is WSMsgType.BINARY:
                self._unreadable(b"(binary)", "binary frame")
                await self.close(WSCloseCode.UNSUPPORTED_DATA, "text frames only")
                return "binary_frame"
            elif message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
                # aiohttp has closed the socket already, with this code.
                text, reason = _REFUSED_FRAMES.get(message.data.code, ("broken WebSocket frame", "broken_frame"))
                self._unreadable(b"(not read)", text)
                return reason
        return self._overrun.reason if self._overrun is not None else self._why()

    async def _until_ready(self) -> None:
        """While a station is held back its frames wait in the queue, and at last in its own buffers."""
        while self._calls is not None and len(self._calls) >= MOST_WAITING_CALLS:
            self._drained = asyncio.Event()
            await self._drained.wait()
        rest_s = self._held_until - time.perf_counter()
        if rest_s > 0:
            await asyncio.sleep(rest_s)

    def _heard(self, data: bytes) -> None:
        """A text frame. Called in the middle of reading from the socket: it must not raise."""
        if self._overrun is not None:
            return
        calls = self._calls
        ws = self._ws
        # While a flood is read slowly each frame read is answered before the next is looked at: only what waits
        # behind it tells a flood from a station that waits for its answers.
        unanswered = (len(calls) if calls else 0) + self._is_busy + ws.has_more
        try:
            now = self.heard_at = time.perf_counter()
            delay_s = self._guard.received(len(data), unanswered, now)
            self.last_heard = clock.now()
            if data.startswith(_LOOKS_LIKE_CALL):
                self._call(data)
            else:
                self._received(data)
        except Overrun as overrun:
            self._ended_by(overrun)
            return
        if delay_s > 0:
            self._held_until = now + min(delay_s, 30.0)
            ws.hear(None)
        elif calls is not None and len(calls) >= MOST_WAITING_CALLS:
            ws.hear(None)

    def _call(self, data: bytes | Call | Send) -> None:
        """One call at a time: the others wait as they came."""
        if self._is_busy:
            if self._calls is None:
                self._calls = deque()
            self._calls.append(data)
            return
        self._is_busy = True
        if isinstance(data, bytes):
            self._doorman.heard(self, data)
        else:
            self._doorman.take(self, data)

    def begin(self, data: bytes) -> None:
        """It is the turn of this call."""
        try:
            is_call = self._received(data, is_its_turn=True)
        except Overrun as overrun:
            self._ended_by(overrun)
            return
        if not is_call:
            self._go_on()

    def _ended_by(self, overrun: Overrun) -> None:
        self._overrun = overrun
        self._ws.hear(None)
        spawn(self.close(overrun.close_code, overrun.text))

    def _why(self) -> str:
        error = self._ws.exception()
        if error is not None:
            return f"broken: {type(error).__name__}"
        code = self._ws.close_code
        return {1000: "closed", 1001: "going_away", 1006: "lost"}.get(code or 1006, f"code_{code}")

    def _unreadable(self, data: bytes, text: str) -> None:
        """A frame of which nothing can be answered, since answering would mean guessing a message id."""
        metrics.frames_in_bad.n += 1
        metrics.bad_frames.labels(ErrorCode.FORMAT_VIOLATION.value).inc()
        self._doorman.bad_frame(self, data, FrameError("-1", ErrorCode.FORMAT_VIOLATION, text, is_silent=True))

    def _received(self, data: bytes, *, is_its_turn: bool = False) -> bool:
        """Was it a call? Then `done` will be told."""
        try:
            frame = rpc.parse(data, self.version, self._flow.max_frame_bytes)
        except FrameError as error:
            if not _is_utf8(data):
                # What is no text ends the connection (RFC 6455 §8.1).
                self._unreadable(b"(not read)", "text is not UTF-8")
                raise Overrun(WSCloseCode.INVALID_TEXT, "not_utf8", "text frames are UTF-8") from None
            metrics.frames_in_bad.n += 1
            self._bad(data, error)
            return False
        if isinstance(frame, Call | Send):
            metrics.frames_in_call.n += 1
            if is_its_turn:
                self._doorman.take(self, frame)
            else:
                self._call(frame)
            return True
        if isinstance(frame, CallResultError):
            log.warning(
                "answer_refused",
                station_id=self.slot.station_id,
                message_id=frame.message_id,
                code=frame.code,
                text=frame.description,
            )
            return False
        metrics.frames_in_answer.n += 1
        self._answered(frame)
        return False

    def _bad(self, data: bytes, error: FrameError) -> None:
        metrics.bad_frames.labels(error.code.value).inc()
        self._doorman.bad_frame(self, data, error)
        if error.frame_type in (3, 4) and self.waiting is not None and self.waiting.message_id == error.message_id:
            broken = CallError(error.message_id, error.code.value, f"unreadable answer: {error.description}")
            self._answered(broken)
        if not error.is_silent:
            self._write(rpc.encode_error(error.message_id, error.code, error.description, None, self.version))
        self._guard.malformed()

    def _answered(self, frame: CallResult | CallError) -> None:
        waiting = self.waiting
        if waiting is not None and waiting.message_id == frame.message_id and not waiting.answer.done():
            waiting.answer.set_result(frame)
        else:
            self._doorman.late_answer(self, frame)

    # -------------------------------------------------------------------------------------------- what goes

    def done(self, answer: bytes | None) -> None:
        """The call in hand is over: write its answer, if one is due, and begin with the next."""
        if answer is not None:
            self._write(answer)
            if self._ws.is_congested:
                # Nobody who does not read gets more to read.
                spawn(self._go_on_when_read())
                return
        self._go_on()

    def _go_on(self) -> None:
        calls = self._calls
        if not calls:
            self._is_busy = False
            self._calls = None
            if self._drained is not None:
                self._drained.set()
                self._drained = None
            return
        data = calls.popleft()
        if self._drained is not None and len(calls) < MOST_WAITING_CALLS // 2:
            self._drained.set()
            self._drained = None
        if isinstance(data, bytes):
            self._doorman.heard(self, data)
        else:
            self._doorman.take(self, data)

    async def _go_on_when_read(self) -> None:
        await self._until_read()
        self._go_on()

    async def _until_read(self) -> None:
        """A station that does not read for long is cut off, so that it holds up nobody's memory."""
        try:
            async with asyncio.timeout(self._flow.send_timeout_s):
                await self._ws.drained()
        except TimeoutError:
            log.warning("slow_reader_closed", station_id=self.slot.station_id)
            self._ws.abort()
        except ConnectionError as error:
            log.debug("send_failed", station_id=self.slot.station_id, error=repr(error))

    def _write(self, frame: bytes) -> None:
        if self._ws.closed:
            return
        metrics.frames_out.n += 1
        try:
            self._ws.put(frame)
        except (ConnectionError, RuntimeError) as error:
            log.debug("send_failed", station_id=self.slot.station_id, error=repr(error))

    async def send(self, frame: bytes) -> None:
        """Write a frame, and wait for a station that reads slowly."""
        self._write(frame)
        if self._ws.is_congested:
            await self._until_read()

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

    def keep_alive(self, now: float, interval_s: float) -> None:
        """Ping a station that was silent for `interval_s`; one that stays silent for half as long again is gone."""
        heard_at = max(self.heard_at, self._ws.heard_at)
        if self.pinged_at > heard_at:
            if now - self.pinged_at > interval_s / 2:
                self._ws.lost(f"no pong within {interval_s / 2:g} s")
        elif now - heard_at >= interval_s:
            self.pinged_at = now
            self._ws.ping_now()

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
            self._ws.abort()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


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
