"""A door to knock at: an aiohttp listener that admits stations as the gateway does, with a register in a dictionary."""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from ohmstead.core import clock
from ohmstead.ocpp.limits import AttemptLimiter
from ohmstead.ocpp.security import Handshake, Network, Policy, Refusal, StationIdentity, admit, read_handshake
from ohmstead.ocpp.tls import CertificateReloader


class Door:
    """`url` for plain sockets, `tls_url` if there is a certificate. `refused` and `ignored` are what it has seen."""

    def __init__(
        self,
        register: Mapping[str, StationIdentity],
        policy: Policy,
        reloader: CertificateReloader,
        proxies: Sequence[Network],
    ) -> None:
        self.register = dict(register)
        self.policy = policy
        self.proxies = proxies
        self.reloader = reloader
        self.attempts = AttemptLimiter()
        self.refused: list[str] = []
        self.ignored: list[str] = []
        self.url = self.tls_url = ""

    def _read(self, request: web.Request) -> Handshake:
        transport = request.transport
        link: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport else None
        return read_handshake(
            raw_identity=request.raw_path.partition("?")[0].removeprefix("/ocpp/"),
            headers=request.headers.items(),
            remote=request.remote or "",
            is_tls=link is not None,
            peer_certificate=link.getpeercert(True) if link else None,
            trusted_proxies=self.proxies,
            authorities=self.reloader.authorities,
            at=clock.now(),
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            handshake = self._read(request)
            self.ignored += handshake.ignored
            with self.attempts.attempt(handshake.identity, handshake.address):
                admission = await admit(handshake, self.register.get(handshake.identity), self.policy)
        except Refusal as refusal:
            self.refused.append(refusal.reason)
            return web.Response(status=refusal.status, text=refusal.text, headers=refusal.headers)
        socket = web.WebSocketResponse(protocols=("ocpp2.1", "ocpp2.0.1", "ocpp1.6"))
        await socket.prepare(request)
        await socket.send_bytes(msgspec.json.encode(admission))
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async def knock(self, identity: str, *, tls: ssl.SSLContext | None = None, **options: Any) -> dict[str, Any]:
        """Connect as a station, once. What it was admitted as, or `{"status": …}`."""
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(
                    f"{self.tls_url if tls else self.url}/ocpp/{identity}",
                    ssl=tls or True,
                    protocols=("ocpp2.0.1",),
                    **options,
                ) as socket:
                    said: dict[str, Any] = msgspec.json.decode(await socket.receive_bytes(timeout=5))
                    return said
            except aiohttp.WSServerHandshakeError as error:
                return {"status": error.status, "headers": error.headers}


@asynccontextmanager
async def open_door(
    reloader: CertificateReloader,
    register: Mapping[str, StationIdentity],
    policy: Policy,
    proxies: Sequence[Network] = (),
) -> AsyncIterator[Door]:
    """Listening until the block ends."""
    door = Door(register, policy, reloader, proxies)
    app = web.Application()
    app.router.add_get("/ocpp/{tail:.*}", door.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        plain = web.TCPSite(runner, "127.0.0.1", 0)
        await plain.start()
        door.url = f"ws://127.0.0.1:{runner.addresses[-1][1]}"
        if reloader.context is not None:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=reloader.context).start()
            door.tls_url = f"wss://127.0.0.1:{runner.addresses[-1][1]}"
        yield door
    finally:
        await runner.cleanup()
