"""FTP and FTPS for old stations: off unless a port is set. What is behind it is the same as behind /files.

There is no directory and no account: a user name names a job, its password is the seal over it, and all that is seen
is the job's one file.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.core import clock, metrics
from ohmstead.core.db import Pool
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.log import logger
from ohmstead.doorway import Attempts
from ohmstead.settings import Settings
from ohmstead.stations.files import service
from ohmstead.stations.files.links import Claim, Links, ftp_claim, why_over
from ohmstead.stations.files.model import FileJob
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import Spool, TooLarge
from ohmstead.transfers.ftp import words
from ohmstead.transfers.ftp.channel import BrokenOff
from ohmstead.transfers.ftp.visit import Refused, Visit

log = logger("ohmstead.ftp")

MOST_STRANGERS = 10  # of one address that have not signed in; many stations can stand behind one
_KINDS = {"expired": "file_link_expired", "superseded": None}


class FtpDoor:
    """Listens while `opened`. `context` makes TLS for each new connection, so a new certificate needs no restart."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        storage: Storage,
        spool: Spool,
        links: Links,
        attempts: Attempts,
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self.passive_ports = words.port_range(settings.ftp_passive_ports)
        self.passive_address = settings.ftp_passive_address
        self.bytes_per_s = settings.ftp_bytes_per_s
        self.context = context
        self._settings = settings
        self._pool = pool
        self._storage = storage
        self._spool = spool
        self._links = links
        self._attempts = attempts
        self._here: set[Visit] = set()
        self._visits: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Both ports, as far as they are set; whoever is still there at the end is let go."""
        host, servers = self._settings.ftp_host, []
        try:
            for port, is_implicit in ((self._settings.ftp_port, False), (self._settings.ftps_port, True)):
                if port is not None:
                    servers.append(await asyncio.start_server(self._greeter(is_implicit), host, port, limit=1024))
            yield
        finally:
            for server in servers:
                server.close()
            for task in self._visits:
                task.cancel()
            await asyncio.gather(*self._visits, return_exceptions=True)

    def _greeter(self, is_implicit: bool) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._receive(reader, writer, is_implicit))
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)

        return greet

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_implicit: bool) -> None:
        address = writer.get_extra_info("peername")[0]
        n_strangers = sum(1 for one in self._here if one.address == address and not one.is_signed_in)
        if len(self._here) >= self._settings.ftp_most_connections or n_strangers >= MOST_STRANGERS:
            writer.write(words.reply(421, "too many connections; come back later"))
            writer.close()
            return
        visit = Visit(self, reader, writer)
        self._here.add(visit)
        try:
            async with asyncio.timeout(self._settings.ftp_longest_s):
                await visit.run(is_implicit=is_implicit)
        except TimeoutError:
            log.info("ftp_too_long", address=address)
        except Exception as error:
            log.error("ftp_visit_failed", exc_info=error)
        finally:
            self._here.discard(visit)
            writer.transport.abort()

    # ------------------------------------------------------------------------------------------ what visits ask for

    async def sign_in(self, user: str, password: str, address: str) -> tuple[Claim, FileJob]:
        """See House. Whoever tries many is turned away without a look, and fills no table."""
        try:
            self._attempts.check(address)
        except TooManyAttempts as error:
            raise Refused(421, error.text) from error
        claim = ftp_claim(user, password)
        job = None
        if claim is not None:
            async with self._pool.acquire() as conn:
                job = await service.find_job(conn, claim.job_id)
        if claim is None or job is None or (claim.direction == "send") != (job.kind == "log"):
            raise await self._turned_away(None, address)
        name = job.name if claim.direction == "fetch" else ""
        if not self._links.is_genuine_ftp(claim, job.station_id, name):
            raise await self._turned_away(job, address)
        return claim, await self._checked(claim, job, address)

    async def job_still(self, claim: Claim, address: str) -> FileJob:
        """See House."""
        async with self._pool.acquire() as conn:
            job = await service.find_job(conn, claim.job_id)
        if job is None:
            raise Refused(550, "there is nothing here any more")
        return await self._checked(claim, job, address)

    async def size_of(self, claim: Claim, job: FileJob) -> int:
        """See House."""
        if claim.direction == "send":
            return job.size_bytes if job.size_bytes is not None else self._spool.held(str(job.job_id))
        async with self._pool.acquire() as conn:
            return (await service.content_of(conn, job)).size_bytes

    async def read(self, job: FileJob, first: int) -> AsyncIterator[bytes]:
        """See House."""
        async with self._pool.acquire() as conn:
            content = await service.content_of(conn, job)
        if first < content.size_bytes:
            async for piece in self._storage.read(content.sha256, first, content.size_bytes - first):
                yield piece

    async def given(self, job: FileJob) -> None:
        """See House."""
        metrics.file_transfers.labels("fetch", "done").inc()
        async with self._pool.acquire() as conn:
            await service.job_fetched(conn, job.job_id, clock.now())

    async def take(self, job: FileJob, name: str, first: int, source: AsyncIterator[bytes], address: str) -> None:
        """See House. What came before a connection broke stays, for the station to go on."""
        most = self._settings.max_log_bytes
        try:
            async with self._spool.half(str(job.job_id)) as half:
                await half.append(first, source, most)
                await service.take_half(self._pool, self._storage, half, job.job_id, name, address)
        except BrokenOff:
            metrics.file_transfers.labels("send", "broken_off").inc()
            raise
        except TooLarge as error:
            await service.refuse_use(self._pool, job, "file_too_large", address, {"reason": error.text})
            raise
        metrics.file_transfers.labels("send", "done").inc()
        log.info("ftp_received", station_id=job.station_id)

    async def _checked(self, claim: Claim, job: FileJob, address: str) -> FileJob:
        reason = why_over(claim, job, clock.now())
        if reason is not None:
            if (kind := _KINDS[reason]) is not None:
                await self._count(job, kind, address, reason)
            raise Refused(530, f"what these credentials were for is {reason}")
        return job

    async def _turned_away(self, job: FileJob | None, address: str) -> OhmsteadError:
        await self._count(job, "ftp_sign_in_failed", address, "wrong credentials")
        return Refused(530, "wrong user name or password")

    async def _count(self, job: FileJob | None, kind: str, address: str, reason: str) -> None:
        metrics.file_transfers.labels("unknown" if job is None else job.kind, "refused_530").inc()
        self._attempts.failed(address)
        await service.refuse_use(self._pool, job, kind, address, {"reason": reason, "method": "FTP"})
