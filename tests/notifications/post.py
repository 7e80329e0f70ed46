"""Doubles for the outside: a real SMTP server, a push service, a provider's HTTP door."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jwt
from aiohttp import web
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.security.pki import Authority


@dataclass
class PostOffice:
    """What a mail server got. `answers`: what it says instead of taking a mail, one after the other; `refuses`: what it says
    to addresses.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    is_tls: list[bool] = field(default_factory=list)
    who: list[str] = field(default_factory=list)
    tries: int = 0
    slow_s: float = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(
        self, _server: Server, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.tries += 1
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, _session: Session, envelope: Envelope) -> str:
        if self.answers and (said := self.answers.pop(0)) != "250":
            return said
        await asyncio.sleep(self.slow_s)
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        self.envelopes.append(envelope)
        self.is_tls.append(server.transport is not None and server.transport.get_extra_info("sslcontext") is not None)
        self._more.set()
        return "250 2.0.0 Taken as 4711"

    async def gets(self, n: int, within_s: float = 10) -> list[EmailMessage]:
        """Wait for so many mails."""
        async with asyncio.timeout(within_s):
            while len(self.mails) < n:
                self._more.clear()
                await self._more.wait()
        return self.mails

    def authenticate(
        self, _server: Server, _session: Session, _envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.who.append(data.login.decode())
        is_right = hmac.compare_digest(data.password, b"s3cret p@ss")
        return AuthResult(success=is_right, handled=is_right)


@contextlib.asynccontextmanager
async def post_office(
    tls: ssl.SSLContext | None = None, *, starts_tls: bool = False, wants_login: bool = False
) -> AsyncIterator[PostOffice]:
    """A mail server on this machine."""
    office = PostOffice()
    controller = UnthreadedController(
        office,
        hostname="127.0.0.1",
        port=0,
        loop=asyncio.get_running_loop(),
        ssl_context=tls if not starts_tls else None,
        tls_context=tls if starts_tls else None,
        require_starttls=starts_tls,
        authenticator=office.authenticate if wants_login else None,
        auth_required=wants_login,
        auth_require_tls=starts_tls,
        enable_SMTPUTF8=True,
    )
    controller.server = await controller._create_server()
    office.port = controller.server.sockets[0].getsockname()[1]
    yield office
    controller.server.close()
    await controller.server.wait_closed()


def text_in(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\u00a0", " ").replace("\r\n", "\n")


# --------------------------------------------------------------------------------------------------------------- push


@dataclass
class Browser:
    """A browser with a push subscription, which decrypts as RFC 8291 says, from its text alone."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = bytes(range(16))

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def decrypt(self, body: bytes) -> bytes:
        salt, key_length = body[:16], body[20]
        sender, sealed = body[21 : 21 + key_length], body[21 + key_length :]
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), public)
        ikm = _hkdf(self.auth, shared, b"WebPush: info\0" + self.point + sender, 32)
        content_key = _hkdf(salt, ikm, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, ikm, b"Content-Encoding: nonce\0", 12)
        plain = AESGCM(content_key).decrypt(nonce, sealed, None)
        content, mark, rest = plain.rpartition(b"\x02")
        assert mark
        assert not rest.strip(b"\0")
        return content


def _hkdf(salt: bytes, key: bytes, info: bytes, length: int) -> bytes:
    secret = hmac.digest(salt, key, hashlib.sha256)
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)[:length]


@dataclass
class PushService:
    """Takes push messages; `status` is what it says."""

    url: str = ""
    status: int = 201
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="said")


@contextlib.asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    service = PushService()
    async with http_door(service.handle) as url:
        service.url = f"{url}/push/abc"
        yield service


def vapid_of(headers: dict[str, str]) -> tuple[dict[str, Any], str]:
    """What the VAPID token claims, once its signature was checked, and the key that it was checked with (RFC 8292)."""
    scheme, _, rest = headers["Authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    claims: dict[str, Any] = jwt.decode(parts["t"], public, algorithms=["ES256"], options={"verify_aud": False})
    return claims, parts["k"]


@contextlib.asynccontextmanager
async def http_door(handle: Any) -> AsyncIterator[str]:
    """A web server on this machine where everything goes to one handler."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


@dataclass
class ShortMessages:
    """What somebody who sends SMS was asked to: (number, text)."""

    url: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        told = await request.json()
        self.heard.append((unquote(request.path.rpartition("/")[2]), told["message"]))
        return web.Response(status=200)


@contextlib.asynccontextmanager
async def short_messages() -> AsyncIterator[ShortMessages]:
    office = ShortMessages()
    async with http_door(office.handle) as url:
        office.url = url.replace("http://", "json://") + "/sms/{phone}"
        yield office


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate for this machine, and the file of whom to believe."""
    authority = Authority("Mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.server().write(folder, "mail"))
    path = folder / "ca.pem"
    path.write_bytes(authority.pem)
    return context, path
