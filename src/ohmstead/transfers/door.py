"""/files/…: where stations fetch firmware and send logs. An address is all the credentials they show.

Plain ASGI: bodies pass through in pieces, and a refusal is given before a body is read.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.core import clock, metrics
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, OhmsteadError
from ohmstead.core.forms import FirstFile, is_form
from ohmstead.core.log import logger
from ohmstead.core.ranges import Unsatisfiable, part_of, part_sent
from ohmstead.doorway import FILES_PATH, Attempts
from ohmstead.settings import Settings
from ohmstead.stations.files import service
from ohmstead.stations.files.links import Claim, Links, claim_of, why_over
from ohmstead.stations.files.model import FileJob
from ohmstead.stations.files.names import safe_name
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import NoRoom, Received, Spool, TooLarge

log = logger("ohmstead.transfers")

PIECE_WITHIN_S = 60.0
_FORM_SLACK = 64 * 1024  # what a form adds to the file in it
_STATUS: Final[dict[type[OhmsteadError], int]] = {
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Invalid: 422,
    TooManyAttempts: 429,
    ExternalFailure: 502,
    NoRoom: 507,
}
_METHODS = {"fetch": ("GET", "HEAD"), "send": ("PUT", "POST", "HEAD")}
Headers: TypeAlias = dict[str, str]


class Hung(OhmsteadError):
    """Whoever was sending sends no more."""


class Refusal(OhmsteadError):
    """No, with an HTTP status; `signal` is the kind of security signal that it is."""

    def __init__(self, status: int, text: str, signal: str | None = None, job: FileJob | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.signal = signal
        self.job = job


class FileDoor:
    """The application under /files."""

    def __init__(
        self, settings: Settings, pool: Pool, storage: Storage, spool: Spool, links: Links, attempts: Attempts
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._storage = storage
        self._spool = spool
        self._links = links
        self._attempts = attempts
        self._sending: set[Any] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        visit = _Visit(scope, receive, send)
        job: FileJob | None = None
        try:
            self._attempts.check(visit.address)
            claim = claim_of(visit.token)
            job = await self._job_of(visit, claim)
            assert claim is not None
            if claim.direction == "fetch":
                await self._give(visit, job)
            else:
                await self._take(visit, job)
            metrics.file_transfers.labels(claim.direction, "done").inc()
        except Hung as gone:
            metrics.file_transfers.labels("send", "broken_off").inc()
            log.info("file_broken_off", station_id=job.station_id if job else None, reason=gone.text)
        except OhmsteadError as error:
            await self._refuse(visit, job, error)

    async def _job_of(self, visit: _Visit, claim: Claim | None) -> FileJob:
        """The job an address is for. Raises Refusal for an address that is not good for what is asked."""
        job = None
        if claim is not None:
            async with self._pool.acquire() as conn:
                job = await service.find_job(conn, claim.job_id)
        if claim is None or job is None or (claim.direction == "send") != (job.kind == "log"):
            raise Refusal(404, "there is nothing here", "file_link_forged")
        name = job.name if claim.direction == "fetch" else ""
        if not self._links.is_genuine(claim, job.station_id, name):
            raise Refusal(404, "there is nothing here", "file_link_forged")
        if visit.method not in _METHODS[claim.direction]:
            raise Refusal(
                405, f"this address is for {' and '.join(_METHODS[claim.direction])}", "file_link_misused", job
            )
        over = why_over(claim, job, clock.now())
        if over == "expired":
            raise Refusal(410, "this address was good for a while, which is over", "file_link_expired", job)
        if over == "superseded":
            raise Refusal(410, "another order has taken the place of the one this address belongs to", None, job)
        return job

    # ---------------------------------------------------------------------------------------------------- fetching

    async def _give(self, visit: _Visit, job: FileJob) -> None:
        async with self._pool.acquire() as conn:
            content = await service.content_of(conn, job)
        etag = f'"{content.sha256}"'
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(job.name)}",
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(content.sha256)).decode()}:",
            "Cache-Control": "private, no-transform",
        }
        if visit.header("if-none-match") in (etag, "*"):
            await visit.answer(304, headers)
            return
        wanted = visit.header("range") if visit.header("if-range") in ("", etag) else ""
        try:
            part = part_of(wanted, content.size_bytes)
        except Unsatisfiable:
            await visit.answer(416, headers | {"Content-Range": f"bytes */{content.size_bytes}", "Content-Length": "0"})
            return
        first, last = part or (0, content.size_bytes - 1)
        if part is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{content.size_bytes}"
        headers["Content-Length"] = str(last - first + 1)
        status = 206 if part is not None else 200
        if visit.method == "HEAD":
            await visit.answer(status, headers)
            return
        await visit.stream(status, headers, self._storage.read(content.sha256, first, last - first + 1))
        if last == content.size_bytes - 1:
            async with self._pool.acquire() as conn:
                await service.job_fetched(conn, job.job_id, clock.now())

    # ----------------------------------------------------------------------------------------------------- sending

    async def _take(self, visit: _Visit, job: FileJob) -> None:
        most = self._settings.max_log_bytes
        content_type = visit.header("content-type")
        has_form = is_form(content_type)
        announced = visit.length()
        if announced is not None and announced > most + (_FORM_SLACK if has_form else 0):
            raise TooLarge(f"{announced} bytes are more than the {most} that are taken")
        if visit.header("content-encoding") not in ("", "identity"):
            raise Refusal(415, "send the file as it is")
        if visit.method == "HEAD":
            await visit.answer(200, _held(job.size_bytes if job.sha256 else self._spool.held(str(job.job_id))))
            return
        if visit.header("content-range"):
            await self._take_part(visit, job, announced)
            return
        if job.job_id in self._sending:
            raise Conflict("this file is being sent already")
        self._sending.add(job.job_id)
        try:
            self._spool.check_room(announced if announced is not None else most)
            form = FirstFile(content_type, visit.body()) if has_form else None
            pieces = form.pieces() if form is not None else visit.body()
            async with self._spool.receive(pieces, most) as received:
                name = (form.name if form is not None else "") or visit.rest
                is_new = await self._keep(visit, job, safe_name(name, job.name), received)
        finally:
            self._sending.discard(job.job_id)
        await visit.answer(201 if is_new else 200, {"Content-Type": "text/plain; charset=utf-8"}, b"received\n")

    async def _take_part(self, visit: _Visit, job: FileJob, announced: int | None) -> None:
        """A part, from where the one before ended, or 0 to begin anew; the digest is over all once the last is here."""
        part, key = part_sent(visit.header("content-range")), str(job.job_id)
        most = self._settings.max_log_bytes
        if part is None or part.size is None or visit.method != "PUT":
            raise Refusal(400, "a part is PUT with Content-Range: bytes first-last/size")
        if part.size > most:
            raise TooLarge(f"{part.size} bytes are more than the {most} that are taken")
        if job.sha256 is not None:
            is_same = part.size == job.size_bytes
            await visit.answer(200 if is_same else 409, _held(job.size_bytes), b"" if is_same else b"it came already\n")
            return
        if part.n_bytes == 0:
            await visit.answer(202, _held(self._spool.held(key)))
            return
        if announced not in (None, part.n_bytes):
            raise Refusal(400, f"{announced} bytes are announced, and Content-Range tells of {part.n_bytes}")
        async with self._spool.half(key) as half:
            if part.first not in (0, half.size):
                await visit.answer(409, _held(half.size), f"{half.size} bytes are here: go on from there\n".encode())
                return
            await half.append(part.first, visit.body(), part.last + 1)
            if half.size < part.size:
                await visit.answer(202, _held(half.size))
                return
            name = safe_name(visit.rest, job.name)
            await service.take_half(self._pool, self._storage, half, job.job_id, name, visit.address)
        await visit.answer(201, _held(part.size) | {"Content-Type": "text/plain; charset=utf-8"}, b"received\n")

    async def _keep(self, visit: _Visit, job: FileJob, name: str, received: Received) -> bool:
        if received.size_bytes == 0:
            raise Invalid("the file is empty", "body")
        await service.take_log(self._pool, self._storage, job.job_id, name, received, visit.address)
        return job.sha256 is None

    async def _refuse(self, visit: _Visit, job: FileJob | None, error: OhmsteadError) -> None:
        status = error.status if isinstance(error, Refusal) else _STATUS.get(type(error), 500)
        signal, job = (error.signal, error.job or job) if isinstance(error, Refusal) else (None, job)
        if isinstance(error, TooLarge):
            signal = "file_too_large"
        metrics.file_transfers.labels("unknown" if job is None else job.kind, f"refused_{status}").inc()
        log.info("file_refused", status=status, reason=error.text, station_id=job.station_id if job else None)
        if signal is not None:
            # Counted by address: who tries many is turned away without a look, and fills no table.
            self._attempts.failed(visit.address)
            detail: dict[str, object] = {"reason": error.text, "method": visit.method}
            await service.refuse_use(self._pool, job, signal, visit.address, detail)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
        if isinstance(error, TooManyAttempts):
            headers["Retry-After"] = str(error.retry_after_s)
        await visit.answer(status, headers, f"{error.text}\n".encode())


def _held(n_bytes: int | None) -> Headers:
    """How much of a file is here, for who goes on sending it."""
    return {"Upload-Offset": str(n_bytes or 0), "Cache-Control": "no-store"}


class _Visit:
    """One request and its answer."""

    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_begun = False
        path: str = scope["path"]
        self.token, _, self.rest = path.removeprefix(FILES_PATH).lstrip("/").partition("/")
        self.method: str = scope["method"]
        self.address: str = scope["state"]["remote_address"]
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

    def header(self, name: str) -> str:
        value: str = self._headers.get(name, "")
        return value.strip()

    def length(self) -> int | None:
        """What the sender says that the body is long."""
        text = self.header("content-length")
        return int(text) if text.isascii() and text.isdigit() else None

    async def body(self) -> AsyncIterator[bytes]:
        """Pieces as they come. Raises Hung when the sender leaves, or is silent for a minute."""
        while True:
            try:
                async with asyncio.timeout(PIECE_WITHIN_S):
                    message = await self._receive()
            except TimeoutError as error:
                raise Hung("nothing came for a minute") from error
            if message["type"] != "http.request":
                raise Hung("the connection ended in the middle")
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                return

    async def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        if self._has_begun:
            return
        if "Content-Length" not in headers and status != 304:
            headers = headers | {"Content-Length": str(len(body))}
        await self._begin(status, headers)
        await self._send(_body(b"" if self.method == "HEAD" else body, more=False))

    async def stream(self, status: int, headers: Headers, pieces: AsyncIterator[bytes]) -> None:
        """The status goes out with the first piece: a store that has not got it is still an honest 404."""
        async for piece in pieces:
            if not self._has_begun:
                await self._begin(status, headers)
            await self._send(_body(piece, more=True))
        if not self._has_begun:
            await self._begin(status, headers)
        await self._send(_body(b"", more=False))

    async def _begin(self, status: int, headers: Headers) -> None:
        self._has_begun = True
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def _body(piece: bytes, *, more: bool) -> Any:
    return {"type": "http.response.body", "body": piece, "more_body": more}
