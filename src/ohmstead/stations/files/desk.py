"""The desk for files: orders that make stations fetch or send one, and the jobs that remember them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.ids import new_id
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.files import carriers, service, store
from ohmstead.stations.files.links import Links
from ohmstead.stations.files.model import Carrier, FileJob, FirmwareRequest, Image, JobKind, LogRequest, Signers
from ohmstead.stations.files.names import safe_name, suits
from ohmstead.stations.orders import GetDiagnostics, GetLog, Order, PublishFirmware, UnpublishFirmware, UpdateFirmware
from ohmstead.stations.quirks.book import QuirkBook

_LOG_NAMES = {"diagnostics": "diagnostics", "security": "security-log", "data_collector": "data-log"}
_LOST = frozenset(("offline", "expired", "cancelled", "failed", "rejected"))


class FileDesk:
    """Sends orders and remembers what they were for. `link_s`: how long an address is good; `book`: what makes of
    stations do differently; `signers`: what becomes of firmware that nobody vouches for.
    """

    def __init__(
        self,
        pool: Pool,
        commands: CommandDesk,
        links: Links,
        link_s: int,
        book: QuirkBook | None = None,
        signers: Signers = "warn",
    ) -> None:
        self._book = book
        self._signers: Signers = signers
        self._pool = pool
        self._commands = commands
        self._links = links
        self._link_s = link_s

    async def order_log(
        self,
        actor: Actor,
        station_id: str,
        given: LogRequest,
        *,
        timeout_s: float = 30,
        queue_for_s: float | None = None,
    ) -> FileJob:
        """Have a station send a log. Raises NotFound, Invalid."""
        if given.since and given.until and given.since >= given.until:
            raise Invalid("later than until", "since")
        async with self._pool.acquire() as conn, conn.transaction():
            carrier = self._carrier(given.carrier, await store.station_facts(conn, actor.party_id, station_id))
            job = self._new_job(actor, station_id, "log", f"{_LOG_NAMES[given.log]}-{safe_name(station_id)}")
            job.log_kind, job.since, job.until = given.log, given.since, given.until
            job = await self._begin(conn, actor, job, "log.ordered")
        until = clock.now() + timedelta(seconds=self._link_s + (queue_for_s or 0))
        url = self._links.address(job.job_id, station_id, "send", "", until, carrier)
        return await self._send(job, _log_order(job, given, url), timeout_s, queue_for_s)

    async def order_firmware(
        self,
        actor: Actor,
        station_id: str,
        given: FirmwareRequest,
        *,
        timeout_s: float = 30,
        queue_for_s: float | None = None,
    ) -> FileJob:
        """Have a station install, or publish, an image. Raises NotFound, Invalid, Refused."""
        if (given.image_id is None) == (given.location is None):
            raise Invalid("give either an image or a location", "image_id")
        if given.is_published and given.image_id is None:
            raise Invalid("only an image of ours can be published: its checksum must be known", "image_id")
        if given.image_id is not None:
            await service.check_before_use(self._pool, actor.party_id, given.image_id, self._signers)
        async with self._pool.acquire() as conn, conn.transaction():
            image = await store.get_image(conn, actor.party_id, given.image_id) if given.image_id else None
            facts = await store.station_facts(conn, actor.party_id, station_id)
            if image is not None:
                _check(image, dict(facts), is_forced=given.is_forced or given.is_published)
            job = self.new_firmware_job(
                actor.party_id, actor.actor_id, station_id, image, facts["firmware_version"], given
            )
            carrier = self._carrier(given.carrier, facts)
            job = await self._begin(conn, actor, job, "firmware.ordered")
        order = self._firmware_order(job, image, given, carrier, queue_for_s or 0)
        return await self._send(job, order, timeout_s, queue_for_s)

    async def unpublish(self, actor: Actor, station_id: str, image_id: UUID, timeout_s: float = 30) -> Command:
        """Have a local controller offer an image no longer. Raises NotFound, Refused."""
        async with self._pool.acquire() as conn:
            image = await store.get_image(conn, actor.party_id, image_id)
            await store.station_facts(conn, actor.party_id, station_id)
        if image.md5 is None:
            raise Refused("the firmware has no content yet")
        command = await self._commands.send(
            UnpublishFirmware(checksum=image.md5),
            party_id=actor.party_id,
            station_id=station_id,
            requested_by=actor.actor_id,
            timeout_s=timeout_s,
        )
        if command.status == "accepted":
            async with self._pool.acquire() as conn, conn.transaction():
                await store.unpublish(conn, actor.party_id, station_id, image_id, clock.now())
        return command

    def new_firmware_job(
        self,
        party_id: UUID,
        requested_by: str,
        station_id: str,
        image: Image | None,
        version_before: str | None,
        given: FirmwareRequest,
    ) -> FileJob:
        """The job, not yet written."""
        kind: JobKind = "publish" if given.is_published else "firmware"
        job = _blank(party_id, requested_by, station_id, kind, image.name if image else "firmware")
        job.image_id, job.location = given.image_id, given.location
        job.version, job.version_before = image.version if image else given.version, version_before
        return job

    async def firmware_order(
        self, job: FileJob, image: Image | None, given: FirmwareRequest
    ) -> UpdateFirmware | PublishFirmware:
        """The order for a job that is written already. Raises NotFound for a station that is gone, Refused."""
        if image is not None:
            await service.check_before_use(self._pool, job.party_id, image.image_id, self._signers)
        async with self._pool.acquire() as conn:
            facts = await store.station_facts(conn, job.party_id, job.station_id)
        return self._firmware_order(job, image, given, self._carrier(given.carrier, facts))

    def _carrier(self, wanted: Carrier | None, facts: Row) -> Carrier:
        """How a station is sent to us. Raises Refused for a wish that cannot be met."""
        effects = None
        if self._book is not None:
            effects = self._book.effects(
                vendor=facts["vendor"],
                model=facts["model"],
                firmware=facts["firmware_version"],
                version=facts["ocpp_version"],
            )
        return carriers.choose(
            wanted,
            quirk=effects.carrier if effects is not None else None,
            told=facts["carriers"],
            offered=self._links.carriers,
            is_encrypted=self._links.is_encrypted,
        )

    def _firmware_order(
        self, job: FileJob, image: Image | None, given: FirmwareRequest, carrier: Carrier, queue_for_s: float = 0
    ) -> UpdateFirmware | PublishFirmware:
        """The order for a job, with an address that is good long enough."""
        now = clock.now()
        starts = max([now, *(at for at in (given.retrieve_at,) if at)])
        until = starts + timedelta(seconds=self._link_s + queue_for_s)
        url = given.location or self._links.address(job.job_id, job.station_id, "fetch", job.name, until, carrier)
        if job.kind == "publish":
            assert image is not None
            assert image.md5 is not None
            return PublishFirmware(
                url=url,
                request_id=job.request_id,
                checksum=image.md5,
                retries=given.retries,
                retry_after_s=given.retry_after_s,
            )
        return UpdateFirmware(
            url=url,
            request_id=job.request_id,
            retrieve_at=given.retrieve_at or now,
            install_at=given.install_at,
            certificate=image.signing_certificate if image else None,
            signature=image.signature if image else None,
            retries=given.retries,
            retry_after_s=given.retry_after_s,
        )

    async def send(self, job: FileJob, order: Order, timeout_s: float) -> FileJob:
        """Send the order of a job that is written already."""
        return await self._send(job, order, timeout_s, None)

    # ------------------------------------------------------------------------------------------------------ parts

    def _new_job(self, actor: Actor, station_id: str, kind: JobKind, name: str) -> FileJob:
        return _blank(actor.party_id, actor.actor_id, station_id, kind, name)

    async def _begin(self, conn: Connection, actor: Actor, job: FileJob, action: str) -> FileJob:
        job = await store.insert_job(conn, job)
        detail: dict[str, object] = {"job_id": str(job.job_id), "image_id": str(job.image_id) if job.image_id else None}
        await accounts.audit(conn, actor, action, f"station/{job.station_id}", detail)
        return job

    async def _send(self, job: FileJob, order: Order, timeout_s: float, queue_for_s: float | None) -> FileJob:
        try:
            command = await self._commands.send(
                order,
                party_id=job.party_id,
                station_id=job.station_id,
                requested_by=job.requested_by,
                timeout_s=timeout_s,
                queue_for_s=queue_for_s,
            )
        except Refused as refused:
            await self._lost(job.job_id, None, refused.text)
            raise
        if command.status in _LOST:
            await self._lost(job.job_id, command.command_id, _why(command))
        async with self._pool.acquire() as conn, conn.transaction():
            found = await store.find_job(conn, job.job_id, for_update=True)
            assert found is not None
            found.command_id = command.command_id
            await store.save_progress(conn, [found])
        return found

    async def _lost(self, job_id: UUID, command_id: UUID | None, detail: str) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            job = await store.find_job(conn, job_id, for_update=True)
            # The station may have said more than its answer by now.
            if job is not None and job.status == "ordered":
                job.status, job.detail, job.command_id = "failed", detail, command_id
                job.updated_at = job.finished_at = clock.now()
                await store.save_progress(conn, [job])


def _log_order(job: FileJob, given: LogRequest, url: str) -> GetLog | GetDiagnostics:
    """Diagnostics by the order that stations without the security extension know too."""
    if given.log == "diagnostics":
        return GetDiagnostics(
            url=url,
            request_id=job.request_id,
            since=given.since,
            until=given.until,
            retries=given.retries,
            retry_after_s=given.retry_after_s,
        )
    return GetLog(
        log=given.log,
        url=url,
        request_id=job.request_id,
        since=given.since,
        until=given.until,
        retries=given.retries,
        retry_after_s=given.retry_after_s,
    )


def _why(command: Command) -> str:
    if command.status == "offline":
        return "the station is not connected"
    return command.error_text or f"the station answered {command.status}"


def _check(image: Image, facts: dict[str, str | None], *, is_forced: bool) -> None:
    """Raises Refused for an image without content, or one that is not for such a station."""
    if image.stored_at is None:
        raise Refused("the firmware has no content yet: upload it first")
    if image.retired_at is not None:
        raise Refused("the firmware was retired")
    is_meant = suits(
        vendor=facts["vendor"],
        model=facts["model"],
        version=facts["firmware_version"],
        vendor_pattern=image.vendor,
        model_pattern=image.model,
        from_version=image.from_version,
    )
    if not is_meant and not is_forced:
        what = " ".join(str(facts[name] or "?") for name in ("vendor", "model", "firmware_version"))
        raise Refused(f"the firmware is not meant for {what}")


def _blank(party_id: UUID, requested_by: str, station_id: str, kind: JobKind, name: str) -> FileJob:
    now: datetime = clock.now()
    return FileJob(
        job_id=new_id(),
        party_id=party_id,
        station_id=station_id,
        kind=kind,
        log_kind=None,
        request_id=0,
        status="ordered",
        detail=None,
        image_id=None,
        rollout_id=None,
        location=None,
        name=name,
        version=None,
        version_before=None,
        offered_under=None,
        since=None,
        until=None,
        fetched_at=None,
        sha256=None,
        size_bytes=None,
        received_at=None,
        unpacked_at=None,
        unpack_note=None,
        command_id=None,
        requested_by=requested_by,
        requested_at=now,
        updated_at=now,
        finished_at=None,
    )
