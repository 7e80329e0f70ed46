"""A CSMS for the simulator's tests: in memory, recording, and strict: the official schemas judge every frame."""

import asyncio
import heapq
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import msgspec

from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.simulator.clock import iso
from ohmstead.simulator.transport import Socket, Unreachable

T = TypeVar("T")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer as soon as nothing is left to do: hours pass in milliseconds."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._virtual_s = 0.0

    def time(self) -> float:
        return self._virtual_s

    def _run_once(self) -> None:
        loop: Any = self  # asyncio's own loop keeps its timers in members that no type tells of
        if not loop._ready and loop._scheduled:
            while loop._scheduled and loop._scheduled[0]._cancelled:
                handle = heapq.heappop(loop._scheduled)
                handle._scheduled = False
                loop._timer_cancelled_count -= 1
            if loop._scheduled:
                self._virtual_s = max(self._virtual_s, loop._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


def virtually(story: Callable[[], Awaitable[T]]) -> T:
    """Run a story in virtual time. What is left over at its end is cancelled."""
    loop = VirtualLoop()

    async def bounded() -> T:
        async with asyncio.timeout(30 * 86_400):
            return await story()

    try:
        return loop.run_until_complete(bounded())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


def virtual_now() -> datetime:
    """The time of day that goes with the virtual loop."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class Heard(msgspec.Struct):
    """A CALL that a station made."""

    station_id: str
    action: str
    payload: dict[str, Any]
    message_id: str
    at_s: float


class _Wire:
    """A station's end of an in-memory socket."""

    def __init__(self, csms: "Csms", station_id: str, version: Version) -> None:
        self.csms, self.station_id, self.version = csms, station_id, version
        self.to_station: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_open = True

    async def send(self, frame: bytes) -> None:
        if not self.is_open:
            raise ConnectionError("closed")
        await self.csms.take(self, frame)

    async def receive(self) -> bytes | None:
        return await self.to_station.get()

    async def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.to_station.put_nowait(None)


class Csms:
    """The double. `problems` lists everything a station said that the official schemas refuse."""

    def __init__(self, *, is_strict: bool = True) -> None:
        self.heard: list[Heard] = []
        self.frames: list[str] = []
        self.problems: list[str] = []
        self.wires: dict[str, _Wire] = {}
        self.secrets: dict[str, bytes | None] = {}
        self.blocked: set[str] = set()
        self.limit: dict[str, Any] | None = None  # told with the start of every transaction (2.1)
        self.costs: list[float] = []  # told with what follows it, one after the other (2.1)
        self.boot_statuses: list[tuple[str, int]] = []
        self.refuses: dict[str, int] = {}
        self.is_reachable = True
        self.dynamic_limit: float | None = None
        self._stalled: set[str] = set()
        self.drops_after = 0
        self.n_dropped = 0
        self._is_strict = is_strict
        self._ids = count(1)
        self._news = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._n_transactions = count(1000)
        self._transactions: dict[tuple[Any, ...], int] = {}

    async def dial(self, station_id: str, version: str, secret: bytes | None) -> Socket:
        """The Dialer's side."""
        if not self.is_reachable:
            raise Unreachable("no route")
        wire = _Wire(self, station_id, Version(version))
        self.wires[station_id] = wire
        self.secrets[station_id] = secret
        return wire

    def stall(self, action: str) -> None:
        """Never answer this action."""
        self._stalled.add(action)

    def expect(self, message_id: str) -> "asyncio.Future[Any]":
        """What a station will answer to a frame that the story sends by hand."""
        future = self._answers[message_id] = asyncio.get_running_loop().create_future()
        return future

    def number_of(self, heard: Heard) -> int:
        """The transaction id that a StartTransaction was given."""
        return self._transactions[self._start_key(heard.station_id, heard.payload)]

    @staticmethod
    def _start_key(station_id: str, payload: dict[str, Any]) -> tuple[Any, ...]:
        return (station_id, *(payload[part] for part in ("connectorId", "idTag", "timestamp", "meterStart")))

    def drop(self, station_id: str) -> None:
        """Close the station's socket from this side."""
        wire = self.wires[station_id]
        wire.is_open = False
        wire.to_station.put_nowait(None)

    async def take(self, wire: _Wire, data: bytes) -> None:
        """A frame from a station."""
        self.frames.append(f"{wire.station_id} {data.decode()}")
        frame = rpc.parse(data, wire.version)
        if isinstance(frame, rpc.Call):
            payload = msgspec.json.decode(frame.payload)
            at_s = asyncio.get_running_loop().time()
            self._news.set()
            self.heard.append(Heard(wire.station_id, frame.action, payload, frame.message_id, at_s))
            if self._is_strict:
                faults = schemas.violations(wire.version, frame.action, bytes(frame.payload))
                self.problems += [f"{frame.action}: {fault}" for fault in faults]
            if frame.action in self._stalled:
                return
            if self.drops_after and len(self.heard) % self.drops_after == 0:
                self.n_dropped += 1
                wire.is_open = False
                wire.to_station.put_nowait(None)
                return
            if self.refuses.get(frame.action, 0) > 0:
                self.refuses[frame.action] -= 1
                error = rpc.encode_error(frame.message_id, rpc.ErrorCode.INTERNAL_ERROR, "not now", None, wire.version)
                wire.to_station.put_nowait(error)
                return
            body = self._reply(wire, frame.action, payload)
            faults = schemas.violations(wire.version, frame.action, body, is_response=True)
            assert not faults, f"the double answers {frame.action} wrongly: {faults}"
            wire.to_station.put_nowait(rpc.encode_result(frame.message_id, body))
        elif isinstance(frame, rpc.CallResult | rpc.CallError):
            future = self._answers.pop(frame.message_id)
            if not future.done():
                future.set_result(frame)

    def _reply(self, wire: _Wire, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        is_16 = wire.version is Version.V16
        now = iso(virtual_now())
        if action == "BootNotification":
            status, interval = self.boot_statuses.pop(0) if self.boot_statuses else ("Accepted", 900)
            return {"status": status, "interval": interval, "currentTime": now}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            uid = payload["idTag"] if is_16 else payload["idToken"]["idToken"]
            return {"idTagInfo" if is_16 else "idTokenInfo": {"status": self.verdict(uid)}}
        if action == "StartTransaction":
            key = self._start_key(wire.station_id, payload)
            number = self._transactions.setdefault(key, 0) or next(self._n_transactions)
            self._transactions[key] = number
            return {"transactionId": number, "idTagInfo": {"status": self.verdict(payload["idTag"])}}
        if action == "PullDynamicScheduleUpdate":
            limit = self.dynamic_limit
            return (
                {"status": "Rejected"} if limit is None else {"status": "Accepted", "scheduleUpdate": {"limit": limit}}
            )
        if action == "TransactionEvent":
            return self._event_reply(payload)
        if action in ("SignCertificate", "DataTransfer"):
            return {"status": "Accepted"}
        return {}

    def _event_reply(self, payload: dict[str, Any]) -> dict[str, Any]:
        reply: dict[str, Any] = {}
        if payload.get("idToken"):
            reply["idTokenInfo"] = {"status": self.verdict(payload["idToken"]["idToken"])}
        if payload["eventType"] == "Started" and self.limit is not None:
            reply["transactionLimit"] = self.limit
        elif self.costs:
            reply["totalCost"] = self.costs.pop(0)
        return reply

    def verdict(self, uid: str) -> str:
        """What the double says about a token."""
        return "Blocked" if uid in self.blocked else "Accepted"

    async def call(self, station_id: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask a station; its answer is checked by the official schema. A CALLERROR comes back as {'error': code}."""
        wire = self.wires[station_id]
        faults = schemas.violations(wire.version, action, payload)
        assert not faults, f"the double asks {action} wrongly: {faults}"
        message_id = f"csms-{next(self._ids)}"
        future = self.expect(message_id)
        wire.to_station.put_nowait(rpc.encode_call(message_id, action, payload))
        async with asyncio.timeout(30):
            frame = await future
        if isinstance(frame, rpc.CallError):
            return {"error": frame.code}
        faults = schemas.violations(wire.version, action, bytes(frame.payload), is_response=True)
        self.problems += [f"{action} answer: {fault}" for fault in faults]
        answer: dict[str, Any] = msgspec.json.decode(frame.payload)
        return answer

    def of(self, action: str, station_id: str | None = None) -> list[dict[str, Any]]:
        """The payloads heard of one action."""
        return [h.payload for h in self.heard if h.action == action and station_id in (None, h.station_id)]

    async def until(self, action: str, n: int = 1, *, within_s: float = 7200.0) -> list[dict[str, Any]]:
        """Wait until an action has been heard `n` times."""
        await self.wait_for(lambda: len(self.of(action)) >= n, within_s=within_s)
        return self.of(action)

    async def wait_for(self, is_reached: Callable[[], object], *, within_s: float = 7200.0) -> None:
        """Wait until something holds; looked at after every frame heard."""
        async with asyncio.timeout(within_s):
            while not is_reached():
                self._news.clear()
                await self._news.wait()
