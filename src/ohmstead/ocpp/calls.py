"""A station's call from its frame to its answer: may it, was it here before, what does it ask, and the word back.

Everything here runs in the middle of reading from or writing to a socket: nothing waits, nothing raises.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from prometheus_client import Counter

from ohmstead.core import metrics, tracing
from ohmstead.core.log import logger
from ohmstead.ocpp import quirks, rpc
from ohmstead.ocpp.batch import Item, refusal_exchange
from ohmstead.ocpp.commander import Commander
from ohmstead.ocpp.connection import CallKey, Connection, spawn
from ohmstead.ocpp.dispatch import TABLES, work_for
from ohmstead.ocpp.ingest import Full, Ingest
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.ocpp.rpc import Call, CallError, CallResult, ErrorCode, FrameError, Send, Version
from ohmstead.ocpp.work import Inbound, Refused, Work
from ohmstead.settings import Settings
from ohmstead.stations.model import Station
from ohmstead.stations.quirks.book import book_at

log = logger("ohmstead.calls")

_BOOT = "BootNotification"


class Pending:
    """A call on its way through the batch. Implements connection.Reply and ingest.Waiter."""

    __slots__ = ("_calls", "_others", "connection", "frame", "inbound", "key", "span", "started")

    def __init__(
        self, calls: Calls, connection: Connection, frame: Call | Send, inbound: Inbound, key: CallKey | None
    ) -> None:
        self._calls = calls
        self._others: list[Connection] | None = None
        self.connection = connection
        self.frame = frame
        self.inbound = inbound
        self.key = key
        self.started = time.perf_counter()
        self.span = (
            tracing.begin(f"OCPP {_known_action(inbound)}", "server", station_id=inbound.station.station_id)
            if tracing.is_on()
            else None
        )

    def also(self, connection: Connection) -> None:
        """The same call came again, over a newer socket: it is answered there too."""
        self._others = [*(self._others or ()), connection]

    def committed(self, payload: bytes | None) -> None:
        """All that the call said is in the database."""
        self._calls.committed(self, payload)
        for connection in self._others or ():
            connection.done(_result(self.frame, payload))

    def failed(self, error: Exception) -> None:
        """Nothing of what the call said is in the database, or nobody can tell."""
        self._calls.failed(self, error)
        for connection in self._others or ():
            self._calls.failed(self, error, connection)


class Calls:
    """The calls of one gateway's stations. Implements connection.Doorman and ingest.Source."""

    def __init__(self, settings: Settings, ingest: Ingest, commander: Commander, inquiries: Inquiries) -> None:
        self._settings = settings
        self._ingest = ingest
        self._commander = commander
        self._inquiries = inquiries
        self._book = book_at(settings.quirks_dir)
        self._fresh: list[tuple[Connection, bytes]] = []
        self._answered: dict[tuple[Version, str], Counter] = {}

    def heard(self, connection: Connection, data: bytes) -> None:
        """Read it when the next batch is made: the same work many times over is done much faster than in between."""
        self._fresh.append((connection, data))
        if len(self._fresh) == 1:
            self._ingest.wake()

    def pour(self) -> None:
        """Begin with all that was heard."""
        while self._fresh:
            fresh, self._fresh = self._fresh, []
            for connection, data in fresh:
                connection.begin(data)

    def take(self, connection: Connection, frame: Call | Send) -> None:
        """Begin with a call; its connection is told when it is done."""
        inbound = Inbound(
            station=connection.station,
            version=connection.version,
            action=frame.action,
            message_id=frame.message_id,
            payload=bytes(frame.payload),
            received_at=connection.last_heard,
        )
        pending = Pending(self, connection, frame, inbound, None)
        try:
            self._submit(pending)
        except Exception as error:  # noqa: BLE001  (whatever it is, the station gets its answer and we go on)
            self.failed(pending, error)

    def _submit(self, pending: Pending) -> None:
        connection, frame, inbound = pending.connection, pending.frame, pending.inbound
        if not connection.may_send(frame.action):
            raise Refused(ErrorCode.SECURITY_ERROR, "the station is not accepted yet: BootNotification comes first")
        if frame.action == _BOOT:
            connection.slot.forget_all()
            inbound.interval_s = self._interval_s(connection.station)
        elif isinstance(frame, Call) and frame.action != "Heartbeat":
            key = (frame.message_id, hash((frame.action, inbound.payload)))
            earlier = connection.slot.earlier(key)
            if earlier is not None:
                reply = earlier[1]
                tracing.end(pending.span)
                if isinstance(reply, bytes) or reply is None:
                    connection.done(_result(frame, reply))
                else:
                    reply.also(connection)
                return
            pending.key = key
        work = work_for(frame, inbound)
        if connection.quirks is not None or work.boot is not None:
            quirks.meet(connection, work, self._book)
        if work.first is not None:
            spawn(self._ask_first(pending, work, work.first))
        else:
            self._ingest.take(
                Item(at=inbound.received_at, inbound=inbound, work=work, waiter=pending, span=pending.span)
            )
        if pending.key is not None:
            connection.slot.remember(pending.key, pending)

    async def _ask_first(self, pending: Pending, work: Work, first: Callable[[Inquiries], Awaitable[None]]) -> None:
        """Its station's next call waits meanwhile, nobody else's does."""
        inbound = pending.inbound
        try:
            await first(self._inquiries)
            self._ingest.take(
                Item(at=inbound.received_at, inbound=inbound, work=work, waiter=pending, span=pending.span)
            )
        except Exception as error:  # noqa: BLE001  (whatever it is, the station gets its answer and we go on)
            self.failed(pending, error)

    def committed(self, pending: Pending, payload: bytes | None) -> None:
        """Word and send the answer."""
        connection, frame = pending.connection, pending.frame
        if pending.key is not None:
            connection.slot.remember(pending.key, payload)
        if frame.action == _BOOT and payload is not None:
            self._booted(connection, payload)
        counter = self._answered.get((connection.version, frame.action))
        if counter is None:
            counter = metrics.calls.labels(connection.version.value, frame.action, "answered")
            self._answered[connection.version, frame.action] = counter
        counter.inc()
        metrics.answer_seconds.observe(time.perf_counter() - pending.started)
        connection.done(_result(frame, payload))
        tracing.end(pending.span)

    def failed(self, pending: Pending, error: Exception, connection: Connection | None = None) -> None:
        """Say why, in the protocol's own words; the station sends the message again."""
        frame = pending.frame
        connection = connection or pending.connection
        if pending.key is not None:
            connection.slot.forget(pending.key)
        if isinstance(error, Refused):
            code, text = error.code, error.text
        elif isinstance(error, Full):
            code, text = ErrorCode.INTERNAL_ERROR, "busy: please send again later"
        else:
            log.error("call_failed", station_id=connection.slot.station_id, action=frame.action, exc_info=error)
            code, text = ErrorCode.INTERNAL_ERROR, f"not stored ({type(error).__name__}): please send again"
        connection.done(self._refusal(pending, code, text))
        tracing.end(pending.span, code.value)

    def _refusal(self, pending: Pending, code: ErrorCode, text: str) -> bytes | None:
        inbound = pending.inbound
        metrics.calls.labels(inbound.version.value, _known_action(inbound), code.value).inc()
        exchange = refusal_exchange(inbound, code, text, inbound.version, pending.started)
        self._ingest.note(Item(at=inbound.received_at, exchange=exchange))
        if isinstance(pending.frame, Send):
            return None
        return rpc.encode_error(pending.frame.message_id, code, text, None, inbound.version)

    def _booted(self, connection: Connection, payload: bytes) -> None:
        status: Any = msgspec.json.decode(payload)["status"].lower()
        connection.station = msgspec.structs.replace(
            connection.station, has_booted=status == "accepted", registration=status
        )
        if status == "accepted":
            spawn(self._commander.send_queued(connection))

    def _interval_s(self, station: Station) -> int:
        """Heartbeats of a fleet must not beat together: ±10 %, the same for a station each time."""
        base = station.heartbeat_interval_s or self._settings.heartbeat_interval_s
        spread = int.from_bytes(hashlib.blake2b(station.station_id.encode(), digest_size=2).digest()) / 65535
        interval = round(base * (0.9 + 0.2 * spread))
        return interval if station.registration == "accepted" else min(interval, 60)

    def bad_frame(self, connection: Connection, data: bytes, error: FrameError) -> None:
        """Log a frame that is no OCPP message."""
        inbound = Inbound(
            station=connection.station,
            version=connection.version,
            action="(unreadable)",
            message_id=error.message_id.replace("\0", "�"),
            payload=data[:4096],
            received_at=connection.last_heard,
        )
        exchange = refusal_exchange(inbound, error.code, error.description, connection.version, time.perf_counter())
        self._ingest.note(Item(at=inbound.received_at, exchange=exchange))

    def late_answer(self, connection: Connection, frame: CallResult | CallError) -> None:
        """The station obeyed, only slowly: its answer still counts."""
        spawn(self._commander.late_answer(connection, frame))


def _result(frame: Call | Send, payload: bytes | None) -> bytes | None:
    return rpc.encode_result(frame.message_id, payload) if payload is not None and isinstance(frame, Call) else None


def _known_action(inbound: Inbound) -> str:
    """Metrics must not grow with what strangers invent."""
    return inbound.action if inbound.action in TABLES[inbound.version] else "(unknown)"
