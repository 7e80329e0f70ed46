"""Stations that charge, keep a ledger of what they were promised, and say again what nobody answered.

Each has one call outstanding. A call that is not answered, because the connection broke, the answer was a CALLERROR or
took too long, is sent again with the same message id and the same content, until it is acknowledged by a CALLRESULT.
Gateways are tried in turn, with back-off, as a load balancer or a list of addresses in the station does it.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

VERSIONS = ("1.6", "2.0.1", "2.1")
ANSWER_WITHIN_S = 60.0  # then a station thinks the connection dead
Payload = dict[str, Any]


@dataclass
class Message:
    """One call of a station and what became of it."""

    action: str
    message_id: str
    payload: Payload
    times_sent: int = 0
    errors: list[str] = field(default_factory=list)
    answer: Payload | None = None  # of the CALLRESULT: it was acknowledged


@dataclass
class Sample:
    """A register value that the gateway acknowledged."""

    at: datetime
    register_wh: int


@dataclass
class Charge:
    """One session as the station knows it."""

    register_start_wh: int
    transaction_id: str = ""
    register_stop_wh: int | None = None
    samples: list[Sample] = field(default_factory=list)


class Station:
    """A station of one outlet. `run` charges car after car until `stop` is set, and ends the last session properly."""

    def __init__(self, station_id: str, version: str, urls: Sequence[str], pause_s: float) -> None:
        self.station_id = station_id
        self.version = version
        self.urls = itertools.cycle(urls)
        self.pause_s = pause_s
        self.ledger: list[Message] = []
        self.charges: list[Charge] = []
        self.statuses: list[datetime] = []
        self.obeyed: list[str] = []  # actions of the commands it answered
        self.obeys_after_s = 0.0
        self.connected_to: list[str] = []
        self.partings: list[tuple[float, int | None]] = []  # when a gateway ended the connection (s), with which code
        self.refusals: list[int] = []
        self.stop = asyncio.Event()
        self._register_wh = random.randrange(1_000_000)
        self._at = datetime.now(UTC)
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._awaited: tuple[str, asyncio.Future[list[Any] | None]] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    # -------------------------------------------------------------------------------------------------- a day's work

    async def run(self, http: aiohttp.ClientSession) -> None:
        try:
            await self.say(http, "BootNotification", self._boot())
            await self._status(http, "Available")
            while not self.stop.is_set():
                await self._charge(http, n_samples=random.randint(4, 8))
        finally:
            await self._hang_up()

    async def _charge(self, http: aiohttp.ClientSession, n_samples: int) -> None:
        await self._status(http, "Preparing" if self.version == "1.6" else "Occupied")
        authorized = await self.say(http, "Authorize", self._token())
        assert "Accepted" in str(authorized), authorized
        charge = Charge(self._register_wh)
        self.charges.append(charge)
        number = itertools.count()
        await (self._start16(http, charge) if self.version == "1.6" else self._event(http, charge, "Started", number))
        for _ in range(n_samples):
            self._register_wh += random.randint(1, 90)
            if self.version == "1.6":
                await self._meter16(http, charge)
            else:
                await self._event(http, charge, "Updated", number)
        await self.say(http, "Heartbeat", {})
        self._register_wh += random.randint(0, 9)
        await (self._stop16(http, charge) if self.version == "1.6" else self._event(http, charge, "Ended", number))
        charge.register_stop_wh = self._register_wh
        await self._status(http, "Available")

    def _now(self) -> datetime:
        """The station's clock, in milliseconds, never the same twice."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._at = max(now, self._at + timedelta(milliseconds=1))
        return self._at

    def _boot(self) -> Payload:
        if self.version == "1.6":
            return {"chargePointVendor": "Vendor", "chargePointModel": "Model"}
        return {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}}

    def _token(self) -> Payload:
        uid = card_of(self.station_id)
        return {"idTag": uid} if self.version == "1.6" else {"idToken": {"idToken": uid, "type": "ISO14443"}}

    async def _status(self, http: aiohttp.ClientSession, status: str) -> None:
        at = self._now()
        payload: Payload = {"connectorId": 1, "timestamp": instant(at)}
        payload |= (
            {"errorCode": "NoError", "status": status}
            if self.version == "1.6"
            else {"evseId": 1, "connectorStatus": status}
        )
        await self.say(http, "StatusNotification", payload)
        self.statuses.append(at)

    async def _start16(self, http: aiohttp.ClientSession, charge: Charge) -> None:
        payload = {"connectorId": 1, "meterStart": self._register_wh, "timestamp": instant(self._now())}
        answer = await self.say(http, "StartTransaction", payload | self._token())
        assert answer["idTagInfo"]["status"] == "Accepted", answer
        charge.transaction_id = str(answer["transactionId"])

    async def _meter16(self, http: aiohttp.ClientSession, charge: Charge) -> None:
        sample = Sample(self._now(), self._register_wh)
        value = {"timestamp": instant(sample.at), "sampledValue": [{"value": str(sample.register_wh)}]}
        transaction = int(charge.transaction_id)
        await self.say(http, "MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [value]})
        charge.samples.append(sample)

    async def _stop16(self, http: aiohttp.ClientSession, charge: Charge) -> None:
        payload = {"meterStop": self._register_wh, "timestamp": instant(self._now()), "reason": "Local"}
        await self.say(http, "StopTransaction", payload | {"transactionId": int(charge.transaction_id)})

    async def _event(
        self, http: aiohttp.ClientSession, charge: Charge, kind: str, number: "itertools.count[int]"
    ) -> None:
        at = self._now()
        charge.transaction_id = charge.transaction_id or f"{self.station_id}-{uuid4().hex[:8]}"
        context, trigger = {
            "Started": ("Transaction.Begin", "Authorized"),
            "Updated": ("Sample.Periodic", "MeterValuePeriodic"),
            "Ended": ("Transaction.End", "StopAuthorized"),
        }[kind]
        payload: Payload = {
            "eventType": kind,
            "triggerReason": trigger,
            "timestamp": instant(at),
            "seqNo": next(number),
            "transactionInfo": {"transactionId": charge.transaction_id},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [
                {"timestamp": instant(at), "sampledValue": [{"value": self._register_wh, "context": context}]}
            ],
        }
        if kind == "Started":
            payload |= self._token()
        answer = await self.say(http, "TransactionEvent", payload)
        if kind == "Started":
            assert answer["idTokenInfo"]["status"] == "Accepted", answer
        if kind == "Updated":
            charge.samples.append(Sample(at, self._register_wh))

    # ------------------------------------------------------------------------------------------------------ the wire

    async def say(self, http: aiohttp.ClientSession, action: str, payload: Payload) -> Payload:
        """Until it is acknowledged; the answer's payload."""
        message = Message(action, uuid4().hex, payload)
        self.ledger.append(message)
        frame = msgspec.json.encode([2, message.message_id, action, payload]).decode()
        while True:
            answer = await self._try(http, message, frame)
            if answer is not None and answer[0] == 3:
                message.answer = answer[2]
                await asyncio.sleep(self.pause_s * random.uniform(0.5, 1.5))
                return message.answer
            if answer is not None:
                message.errors.append(f"{answer[2]}: {answer[3]}")
            await asyncio.sleep(random.uniform(0.1, 0.4))

    async def _try(self, http: aiohttp.ClientSession, message: Message, frame: str) -> list[Any] | None:
        """The answer frame; None when the connection ended or nothing came in time."""
        ws = await self._connected(http)
        future: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        self._awaited = (message.message_id, future)
        try:
            message.times_sent += 1
            await ws.send_str(frame)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await future
        except (ConnectionError, aiohttp.ClientError, TimeoutError):
            await self._hang_up()
            return None
        finally:
            self._awaited = None

    async def _connected(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        pause_s = 0.1
        while self._ws is None or self._ws.closed:
            await self._hang_up()
            url = next(self.urls)
            try:
                async with asyncio.timeout(20):
                    self._ws = await http.ws_connect(f"{url}/{self.station_id}", protocols=(f"ocpp{self.version}",))
            except (OSError, aiohttp.ClientError, TimeoutError) as error:
                if isinstance(error, aiohttp.WSServerHandshakeError):
                    self.refusals.append(error.status)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
                pause_s = min(pause_s * 2, 2.0)
                continue
            self.connected_to.append(url)
            self._reader = asyncio.create_task(self._read(self._ws))
        return self._ws

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for incoming in ws:
            if incoming.type is not aiohttp.WSMsgType.TEXT:
                break
            frame = msgspec.json.decode(incoming.data)
            if frame[0] == 2:
                chore = asyncio.create_task(self._obey(ws, frame))
                self._chores.add(chore)
                chore.add_done_callback(self._chores.discard)
            elif self._awaited is not None and self._awaited[0] == frame[1] and not self._awaited[1].done():
                self._awaited[1].set_result(frame)
        if self._ws is ws:
            self.partings.append((time.monotonic(), ws.close_code))
        if self._awaited is not None and not self._awaited[1].done():
            self._awaited[1].set_result(None)

    async def _obey(self, ws: aiohttp.ClientWebSocketResponse, frame: list[Any]) -> None:
        await asyncio.sleep(self.obeys_after_s)
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await ws.send_str(msgspec.json.encode([3, frame[1], {"status": "Accepted"}]).decode())
            self.obeyed.append(frame[2])

    async def _hang_up(self) -> None:
        ws, self._ws = self._ws, None
        reader, self._reader = self._reader, None
        if ws is not None and not ws.closed:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError, TimeoutError):
                async with asyncio.timeout(3):
                    await ws.close()
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


class Fleet:
    """Stations of all versions under load."""

    def __init__(self, stations: list[Station]) -> None:
        self.stations = stations

    @property
    def n_acknowledged(self) -> int:
        return sum(message.answer is not None for station in self.stations for message in station.ledger)

    @property
    def errors(self) -> list[str]:
        """The texts of all CALLERRORs, oldest first within a station."""
        return [text for station in self.stations for message in station.ledger for text in message.errors]

    async def goes_on(self, count: int = 20, within_s: float = 60) -> None:
        """Until so many more messages were acknowledged."""
        wanted = self.n_acknowledged + count
        async with asyncio.timeout(within_s):
            while self.n_acknowledged < wanted:  # noqa: ASYNC110  (a counter of many tasks)
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def charging(self, finish_within_s: float = 90) -> AsyncIterator[None]:
        """Load while the block runs; afterwards every station finishes its session, whatever it takes within reason."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            running = [asyncio.create_task(station.run(http)) for station in self.stations]
            try:
                await self.goes_on(len(running) * 3)
                yield
                for station in self.stations:
                    station.stop.set()
                async with asyncio.timeout(finish_within_s):
                    await asyncio.gather(*running)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)


def card_of(station_id: str) -> str:
    """The card that is used at a station: one each, so that nobody's session is somebody else's concern."""
    return f"CARD{station_id}"[:20]


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
