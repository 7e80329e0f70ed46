"""A station's end of the wire, as polite or as rude as a test wants it."""

import asyncio
import base64
import contextlib
import os
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

from ohmstead.ocpp.rpc import Version
from tests.gateway.running import KEY, House

Frame = list[Any]
BOOT: dict[Version, dict[str, Any]] = {
    Version.V16: {"chargePointVendor": "Vendor", "chargePointModel": "Model"},
    Version.V201: {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}},
    Version.V21: {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}},
}
VERSIONS = tuple(Version)


def basic(user: str, password: bytes | str = KEY) -> dict[str, str]:
    secret = password.encode() if isinstance(password, str) else password
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()}


class Closed(Exception):
    """The gateway closed the socket: `code` and the text with it."""

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class Station:
    """A live connection. Calls from the gateway are answered by `replies[action]`, else with CALLERROR NotImplemented."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, identity: str, version: Version) -> None:
        self.ws = ws
        self.identity = identity
        self.version = version
        self.replies: dict[str, Any] = {}
        self.asked: list[Frame] = []
        self.heard: list[Frame] = []
        self.close_code: int | None = None

    async def send(self, *frames: Any) -> None:
        """Frames as JSON values or as raw text."""
        for frame in frames:
            await self.ws.send_str(frame if isinstance(frame, str) else msgspec.json.encode(frame).decode())

    async def receive(self, within_s: float = 10) -> Frame:
        """The next frame that is not a call to us. Raises Closed."""
        while True:
            message = await self.ws.receive(timeout=within_s)
            if message.type is not aiohttp.WSMsgType.TEXT:
                self.close_code = self.ws.close_code
                raise Closed(self.ws.close_code, str(message.extra or ""))
            frame: Frame = msgspec.json.decode(message.data)
            self.heard.append(frame)
            if frame[0] != 2:
                return frame
            self.asked.append(frame)
            await self._reply(frame)

    async def call(self, within_s: float = 10) -> Frame:
        """The gateway's next call to us, left unanswered."""
        message = await self.ws.receive_str(timeout=within_s)
        frame: Frame = msgspec.json.decode(message)
        assert frame[0] == 2, frame
        self.asked.append(frame)
        return frame

    async def _reply(self, frame: Frame) -> None:
        reply = self.replies.get(frame[2])
        if callable(reply):
            reply = reply(frame)
        if reply is None:
            await self.send([4, frame[1], "NotImplemented", "", {}])
        elif reply is not Ellipsis:
            await self.send([3, frame[1], reply])

    async def ask(self, action: str, payload: Any, message_id: str | None = None) -> Frame:
        """A call and its answer frame, whatever else comes before it."""
        message_id = message_id or str(uuid4())
        await self.send([2, message_id, action, payload])
        while True:
            frame = await self.receive()
            if frame[1] == message_id:
                return frame

    async def tell(self, action: str, payload: Any) -> Any:
        """A call that must succeed; the answer's payload."""
        frame = await self.ask(action, payload)
        assert frame[0] == 3, frame
        return frame[2]

    async def boot(self) -> Any:
        return await self.tell("BootNotification", BOOT[self.version])

    async def beat(self) -> None:
        """Prove that the connection works."""
        assert "currentTime" in await self.tell("Heartbeat", {})

    async def answer_to(self, raw: Any) -> Frame | None:
        """What comes back for something odd; None for nothing. A heartbeat sent behind it tells the two apart."""
        mark = str(uuid4())
        await self.send(raw, [2, mark, "Heartbeat", {}])
        answer = await self.receive()
        if answer[1] == mark:
            return None
        assert (await self.receive())[1] == mark, "more than one answer"
        return answer

    async def until_closed(self, within_s: float = 5) -> int | None:
        """Read on, answering, until the gateway closes; the close code."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    await self.receive()
                except Closed as closed:
                    return closed.code

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer the gateway's calls meanwhile."""

        async def listen() -> None:
            with contextlib.suppress(Closed):
                while True:
                    await self.receive(within_s=60)

        task = asyncio.create_task(listen())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def connected(
    house: House,
    identity: str,
    version: Version = Version.V16,
    *,
    tls: ssl.SSLContext | None = None,
    headers: dict[str, str] | None = None,
    boots: bool = False,
    **options: Any,
) -> AsyncIterator[Station]:
    """A station on the wire, with its password unless `headers` say otherwise."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{house.tls_url if tls else house.url}/{identity}",
            protocols=(version.subprotocol,),
            headers=basic(identity) if headers is None else headers,
            ssl=tls or True,
            **{"max_msg_size": 0, **options},
        ) as ws,
    ):
        station = Station(ws, identity, version)
        if boots:
            await station.boot()
        yield station


async def knock(house: House, identity: str, **options: Any) -> int:
    """The status that a handshake ends with."""
    status, _ = await knock_whole(house, identity, **options)
    return status


async def knock_whole(house: House, identity: str, **options: Any) -> tuple[int, Any]:
    """The status and the headers that a handshake ends with."""
    try:
        async with connected(house, identity, **options) as station:
            return 101, station.ws._response.headers
    except aiohttp.WSServerHandshakeError as error:
        return error.status, error.headers


class RawSocket:
    """A WebSocket written by hand: frames of any kind, and nothing answered by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.head = head

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    def frame(self, opcode: int, data: bytes, *, is_final: bool = True, is_masked: bool = True, rsv: int = 0) -> None:
        """Write one WebSocket frame (RFC 6455 §5.2)."""
        first = (0x80 if is_final else 0) | rsv << 4 | opcode
        size = len(data)
        mask_bit = 0x80 if is_masked else 0
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        mask = os.urandom(4) if is_masked else b""
        self.writer.write(head + mask + (_masked(data, mask) if is_masked else data))

    def text(self, value: Any) -> None:
        self.frame(1, value if isinstance(value, bytes) else msgspec.json.encode(value))

    async def read(self, within_s: float = 5) -> tuple[int, bytes]:
        """The next frame of the server: opcode and data. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(within_s):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self, within_s: float = 5) -> int | None:
        """The code in the server's close frame, whatever comes before it; None when the line was just cut."""
        try:
            while True:
                opcode, data = await self.read(within_s)
                if opcode == 8:
                    return struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


def _masked(data: bytes, mask: bytes) -> bytes:
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(len(data)) if data else b""


def deflated(data: bytes) -> bytes:
    """A message as permessage-deflate writes it (RFC 7692 §7.2.1)."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


@contextlib.asynccontextmanager
async def dialled(
    house: House,
    path: str | bytes,
    *,
    user: str | None = None,
    protocol: str | None = "ocpp1.6",
    headers: dict[str, str] | None = None,
    is_upgrade: bool = True,
    receive_buffer: int | None = None,
) -> AsyncIterator[RawSocket]:
    """A connection with a request line of one's own. `path` from the first slash; `user` adds the station's password."""
    host, port = house.url.removeprefix("ws://").split("/")[0].split(":")
    limits: dict[str, Any] = {} if receive_buffer is None else {"limit": receive_buffer}
    reader, writer = await asyncio.open_connection(host, int(port), **limits)
    try:
        lines = {"Host": f"{host}:{port}"}
        if is_upgrade:
            lines |= {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            }
        if protocol is not None and is_upgrade:
            lines["Sec-WebSocket-Protocol"] = protocol
        lines |= (basic(user) if user else {}) | (headers or {})
        target = path.encode() if isinstance(path, str) else path
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        writer.write(b"GET " + target + b" HTTP/1.1\r\n" + head + b"\r\n")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        yield RawSocket(reader, writer, answer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()


class Cut:
    """A TCP proxy that can be cut and joined again: what a failing network or a stopped server looks like.

    `cut` ends connections and refuses new ones; `stall` holds every byte back, both ways, and ends nothing; `deafen_after`
    lets through what is asked, and nothing that is answered.
    """

    def __init__(self, host: str, port: int, listens_on: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._listens_on = listens_on
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()
        self._last_words: bytes | None = None
        self.is_deaf = False
        self.port = 0

    async def __aenter__(self) -> "Cut":
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    async def join(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._serve, self._listens_on, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            for link in list(self._links):
                link.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def stall(self) -> None:
        """Hold everything back from now on."""
        self._is_flowing.clear()

    def flow(self) -> None:
        """Let through what was held back, and all that comes."""
        self._is_flowing.set()

    def forget(self) -> None:
        """Connections of before stay silent for ever; new ones get through."""
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()

    def deafen_after(self, words: bytes) -> None:
        """The next request with these words gets through; no answer does from then on, on any connection."""
        self._last_words, self.is_deaf = words, False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._links.add(back)
        try:
            await asyncio.gather(self._pump(reader, back, is_request=True), self._pump(there, writer))
        finally:
            for link in (writer, back):
                self._links.discard(link)
                link.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool = False
    ) -> None:
        is_flowing = self._is_flowing
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await is_flowing.wait()
                if is_request and self._last_words is not None and self._last_words in data:
                    self._last_words, self.is_deaf = None, True
                if self.is_deaf and not is_request:
                    continue
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


Reply = Callable[[Frame], Any]
