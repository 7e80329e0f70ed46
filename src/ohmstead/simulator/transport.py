"""How a station reaches its CSMS: a thin seam over aiohttp's client, so that tests can put something else behind it."""

import asyncio
import base64
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import aiohttp
from aiohttp import WSMsgType

from ohmstead.core.errors import Invalid


class Unreachable(Exception):
    """No connection. `status`: the HTTP status that refused the upgrade, 0 when it never came to that."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Socket(Protocol):
    """An open WebSocket."""

    async def send(self, frame: bytes) -> None:
        """Send a text frame. ConnectionError when the socket is gone."""

    async def receive(self) -> bytes | None:
        """The next text frame; None when the socket is closed."""

    async def close(self) -> None:
        """Close in order."""


class Dialer(Protocol):
    """Opens sockets."""

    async def dial(self, station_id: str, version: str, secret: bytes | None) -> Socket:
        """Connect as this station. `secret`: the bytes of the Basic-auth password. Raises Unreachable."""


class WebSocket:
    """A socket of aiohttp's."""

    __slots__ = ("_ws",)

    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._ws = ws

    async def send(self, frame: bytes) -> None:
        """See Socket."""
        try:
            await self._ws.send_frame(frame, WSMsgType.TEXT)
        except (aiohttp.ClientError, RuntimeError) as error:
            raise ConnectionError(str(error)) from error

    async def receive(self) -> bytes | None:
        """See Socket."""
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                data = message.data
                return data if isinstance(data, bytes) else data.encode()
            if message.type is not WSMsgType.BINARY:
                return None

    async def close(self) -> None:
        """See Socket."""
        await self._ws.close()


class WebSocketDialer:
    """Dials `url`/station id with Basic auth, one HTTP session for all stations.

    `is_compressed` offers permessage-deflate; `ping_interval_s` None leaves pinging to the CSMS. At most `at_once`
    handshakes run at the same time, so that thousands of stations do not time each other out.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        is_compressed: bool = False,
        ping_interval_s: float | None = None,
        at_once: int = 100,
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._compress = 15 if is_compressed else 0
        self._ping_interval_s = ping_interval_s
        self._handshakes = asyncio.Semaphore(at_once)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "WebSocketDialer":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls if self._tls is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=20),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def dial(self, station_id: str, version: str, secret: bytes | None) -> Socket:
        """See Dialer."""
        if self._session is None:
            raise RuntimeError("the dialer is used outside its `async with`")
        headers = {}
        if secret is not None:
            token = base64.b64encode(station_id.encode() + b":" + secret).decode()
            headers["Authorization"] = f"Basic {token}"
        try:
            async with self._handshakes, asyncio.timeout(30):
                ws = await self._session.ws_connect(
                    f"{self._url}/{quote(station_id, safe='')}",
                    protocols=(f"ocpp{version}",),
                    headers=headers,
                    compress=self._compress,
                    heartbeat=self._ping_interval_s,
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=3.0),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise Unreachable(f"refused with HTTP {error.status}", error.status) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        if ws.protocol != f"ocpp{version}":
            await ws.close()
            raise Unreachable(f"the server does not speak ocpp{version}")
        return WebSocket(ws)


def tls_context(ca: Path | None, client_cert: Path | None, client_key: Path | None) -> ssl.SSLContext:
    """TLS as a station uses it: `ca` instead of the system's authorities, a client certificate for security profile 3.

    Raises Invalid for files that cannot be used.
    """
    file = ca
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        if client_cert is not None:
            file = client_cert
            context.load_cert_chain(client_cert, client_key)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"{file} cannot be used for TLS: {error}", field="tls") from error
    return context
