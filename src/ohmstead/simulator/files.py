"""Stations fetch firmware and send logs for real, over HTTP or FTP, when the run has a porter."""

import asyncio
import base64
import binascii
import ftplib
import gzip
import hashlib
import re
import ssl
from datetime import datetime
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from msgspec import Struct

from ohmstead.simulator.ftp import ftp_fetch, ftp_send, is_ftp

PIECE = 1 << 16
_VERSION_LINE = re.compile(rb"version: *([\w.+-]{1,50})")
_VERSION_IN_NAME = re.compile(r"\d+(?:\.\d+)+")


class Unfetched(Exception):
    """The file did not come, or not whole."""


class Image(Struct, frozen=True):
    """Firmware as it was fetched: its digest, and which version it turns out to be, if it says."""

    sha256: bytes
    size_bytes: int
    version: str | None


class Porter(Protocol):
    """Carries files between a station and an address."""

    async def fetch(self, url: str) -> Image:
        """Raises Unfetched."""

    async def send(self, url: str, name: str, data: bytes, *, is_form: bool) -> bool:
        """True when the other side took it."""


class HttpPorter:
    """A porter over HTTP, and FTP where the address says so; one session for all stations. A fetch by HTTP that breaks off
    goes on where it was, a few times.
    """

    TRIES = 3

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "HttpPorter":
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100, ssl=self._tls if self._tls is not None else True),
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str) -> Image:
        """See Porter."""
        if is_ftp(url):
            return await self._fetch_by_ftp(url)
        digest, head, n_bytes, etag = hashlib.sha256(), bytearray(), 0, ""
        for attempt in range(self.TRIES):
            headers = {"Range": f"bytes={n_bytes}-", "If-Range": etag} if n_bytes else {}
            try:
                async with self._opened.get(url, headers=headers) as answer:
                    if answer.status not in (200, 206):
                        raise Unfetched(f"HTTP {answer.status}")
                    if answer.status == 200:
                        digest, head, n_bytes = hashlib.sha256(), bytearray(), 0
                    etag = answer.headers.get("ETag", "")
                    async for piece in answer.content.iter_chunked(PIECE):
                        digest.update(piece)
                        head += piece[: max(0, 512 - len(head))]
                        n_bytes += len(piece)
                return Image(digest.digest(), n_bytes, version_of(bytes(head), url))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if attempt == self.TRIES - 1:
                    raise Unfetched(str(error) or type(error).__name__) from error
                await asyncio.sleep(1)
        raise Unfetched("never")

    async def _fetch_by_ftp(self, url: str) -> Image:
        try:
            data = await asyncio.to_thread(ftp_fetch, url, self._tls)
        except (ftplib.Error, OSError, EOFError) as error:
            raise Unfetched(str(error) or type(error).__name__) from error
        return Image(hashlib.sha256(data).digest(), len(data), version_of(data[:512], url))

    async def send(self, url: str, name: str, data: bytes, *, is_form: bool) -> bool:
        """See Porter."""
        if is_ftp(url):
            return await asyncio.to_thread(ftp_send, url, name, data, self._tls)
        try:
            if is_form:
                form = aiohttp.FormData()
                form.add_field("file", data, filename=name)
                async with self._opened.post(url, data=form) as answer:
                    return answer.ok
            async with self._opened.put(f"{url}/{name}", data=data) as answer:
                return answer.ok
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the porter is used outside its `async with`")
        return self._session


def version_of(head: bytes, url: str) -> str | None:
    """What an image says it is: a first line `version: 2.0.1`, or else a number in its file's name."""
    if match := _VERSION_LINE.match(head):
        return match[1].decode()
    found = _VERSION_IN_NAME.search(PurePosixPath(unquote(urlsplit(url).path)).name)
    return found[0] if found else None


def is_signed_by(sha256: bytes, signature: str, certificate: str) -> bool:
    """Does the signature (base64) belong to the digest and the certificate? RSA-PSS, RSA PKCS #1, ECDSA."""
    prehashed = utils.Prehashed(hashes.SHA256())
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, sha256, ec.ECDSA(prehashed))
            return True
    except (ValueError, binascii.Error, UnsupportedAlgorithm, InvalidSignature):
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    for form in (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), padding.PKCS1v15()):
        try:
            key.verify(raw, sha256, form, prehashed)
            return True
        except InvalidSignature:
            continue
    return False


def log_of(station_id: str, firmware: str, at: datetime, facts: dict[str, str]) -> bytes:
    """A log as a station would keep it, compressed."""
    lines = [f"{at:%Y-%m-%dT%H:%M:%SZ} station {station_id} firmware {firmware}"]
    lines += [f"{at:%Y-%m-%dT%H:%M:%SZ} {name}={value}" for name, value in sorted(facts.items())]
    lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ} end of log")
    return gzip.compress("\n".join(lines).encode() + b"\n")
