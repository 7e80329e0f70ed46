"""Stand-ins for the outside world, over real HTTP: a responder, an EST authority, a certificate pool."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates

from tests.security.pki import Authority

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Answers POSTs under any path; gives `http://127.0.0.1:port`."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Behaving:
    """A server that behaves, or hangs, redirects, fails or talks without end, as `how` says."""

    def __init__(self, answer: Callable[[bytes], bytes], media_type: str) -> None:
        self.answer = answer
        self._media_type = media_type
        self.how = "well"
        self.asked: list[tuple[str, bytes]] = []
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.path, body))
        self.headers = dict(request.headers)
        if self.how == "hangs":
            await asyncio.sleep(30)
        if self.how == "redirects" and not request.path.endswith("/elsewhere"):
            raise web.HTTPTemporaryRedirect(request.path + "/elsewhere")
        if self.how.isdigit():
            return web.Response(status=int(self.how))
        if self.how == "endless":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"\0" * 65536)
        if self.how == "junk":
            return web.Response(body=b"junk", content_type=self._media_type)
        return web.Response(body=self.answer(body), content_type=self._media_type)


class EstAuthority:
    """Signs whatever it is sent, as an authority with EST does."""

    def __init__(self) -> None:
        self.root = Authority("EST Root")
        self.sub = Authority("EST Sub", parent=self.root)

    def answer(self, body: bytes) -> bytes:
        csr = x509.load_der_x509_csr(base64.b64decode(body))
        now = datetime.now(UTC)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(csr.subject)
            .issuer_name(self.sub.certificate.subject)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=90))
            .sign(self.sub.key, hashes.SHA256())
        )
        bag = [self.root.certificate, self.sub.certificate, leaf]
        return base64.encodebytes(serialize_certificates(bag, Encoding.DER))
