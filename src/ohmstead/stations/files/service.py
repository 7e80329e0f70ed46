"""Files of stations, taken in and given out. Functions take the caller's transaction, except where they say otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.stations import service as stations
from ohmstead.stations.certificates import queries as certificates
from ohmstead.stations.files import progress, store
from ohmstead.stations.files.model import FileJob, FileReport, Image, Member, NewImage, Signers
from ohmstead.stations.files.names import safe_name
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.signatures import check_certificate, check_signature
from ohmstead.stations.files.spool import Half, Received, Spool, digest_of
from ohmstead.stations.files.unpacking import Limits, Unpacked, unpack
from ohmstead.stations.files.vouching import Verdict, judge, read_chain
from ohmstead.stations.model import Signal

log = logger("ohmstead.files")

UNPACK = "files.unpack"


class Content(Struct, frozen=True):
    """A file in the store."""

    sha256: str
    size_bytes: int


find_job = store.find_job
job_fetched = store.job_fetched
unreferenced = store.unreferenced


# --------------------------------------------------------------------------------------------------------- images


async def create_image(conn: Connection, actor: Actor, given: NewImage) -> Image:
    """Announce firmware. A certificate is looked at now, the signature when the content is here. Raises Invalid."""
    if (given.signature is None) != (given.signing_certificate is None):
        lonely = "signing_certificate" if given.signature else "signature"
        raise Invalid("certificate and signature belong together", lonely)
    if given.signing_certificate is not None:
        check_certificate(given.signing_certificate, clock.now())
    read_chain(given.signing_chain)
    roots = await certificates.list_manufacturer_roots(conn, actor.party_id)
    verdict = judge(given.signing_certificate, given.signing_chain, roots, clock.now())
    image = Image(
        image_id=new_id(),
        party_id=actor.party_id,
        name=safe_name(given.name, "firmware.bin"),
        vendor=given.vendor,
        model=given.model,
        from_version=given.from_version,
        version=given.version.strip(),
        notes=given.notes,
        signing_certificate=given.signing_certificate,
        signature=given.signature,
        signing_chain=given.signing_chain,
        vouched_by=verdict.vouched_by,
        doubt=verdict.doubt,
        sha256=given.sha256.lower() if given.sha256 else None,
        md5=None,
        size_bytes=None,
        created_at=clock.now(),
        created_by=actor.actor_id,
        stored_at=None,
        retired_at=None,
    )
    await store.insert_image(conn, image)
    await accounts.audit(
        conn, actor, "firmware.created", f"firmware/{image.image_id}", {"name": image.name, "version": image.version}
    )
    return image


def check_content(image: Image, received: Received) -> None:
    """Is this the file that was announced? Raises Invalid, naming what does not fit."""
    if received.size_bytes == 0:
        raise Invalid("the file is empty", "body")
    if image.sha256 is not None and image.sha256 != received.sha256:
        raise Invalid(f"the file has SHA-256 {received.sha256}, and {image.sha256} was announced", "sha256")
    if image.signature is not None and image.signing_certificate is not None:
        check_signature(image.signing_certificate, image.signature, received.sha256, clock.now())


async def store_image(
    pool: Pool, storage: Storage, actor: Actor, image_id: UUID, received: Received, signers: Signers = "warn"
) -> Image:
    """The content of an image: checked, kept, then told to the database, in transactions of its own.

    The same content again changes nothing. Raises Invalid for what was not announced, or for what no manufacturer
    vouches for where `signers` says to refuse it, Conflict for another content.
    """
    async with pool.acquire() as conn:
        image = await store.get_image(conn, actor.party_id, image_id)
        verdict = await _judged(conn, image)
    if image.stored_at is not None:
        if image.sha256 != received.sha256:
            raise Conflict("the firmware has its content, which does not change: announce a new one")
        return image
    try:
        check_content(image, received)
        if verdict.doubt is not None and signers == "refuse":
            raise Invalid(f"the firmware is not taken: {verdict.doubt}", "signing_certificate")
    except Invalid as error:
        async with pool.acquire() as conn, conn.transaction():
            await _raise_signal(
                conn, "firmware_refused", actor.party_id, None, {"name": image.name, "reason": error.text}
            )
        raise
    await storage.keep(received.path, received.sha256)
    async with pool.acquire() as conn, conn.transaction():
        await store.get_image(conn, actor.party_id, image_id, for_update=True)
        image = await store.image_stored(
            conn, actor.party_id, image_id, received.sha256, received.md5, received.size_bytes, clock.now()
        )
        image = await store.image_judged(conn, actor.party_id, image_id, verdict)
        if image.is_signed and verdict.doubt is not None:
            told: dict[str, object] = {"name": image.name, "reason": verdict.doubt}
            await _raise_signal(conn, "firmware_doubtful", actor.party_id, None, told)
        detail = {"sha256": received.sha256, "size_bytes": received.size_bytes, "is_signed": image.is_signed}
        await accounts.audit(conn, actor, "firmware.stored", f"firmware/{image_id}", detail)
    return image


async def check_before_use(pool: Pool, party_id: UUID, image_id: UUID, signers: Signers) -> None:
    """May an image go out to stations now? A root may have gone since it was taken in, a certificate may have run out.

    A signature that does not fit what is kept is refused whatever `signers` says. Raises NotFound, and Refused, which is
    a security signal, too.
    """
    async with pool.acquire() as conn:
        image = await store.get_image(conn, party_id, image_id)
        verdict = await _judged(conn, image)
    reason = verdict.doubt if signers == "refuse" else None
    if image.signature and image.signing_certificate and image.sha256 and image.stored_at:
        try:
            check_signature(image.signing_certificate, image.signature, image.sha256, image.stored_at)
        except Invalid as error:
            reason = f"its signature is not good: {error.text}"
    if reason is not None:
        async with pool.acquire() as conn, conn.transaction():
            await store.image_judged(conn, party_id, image_id, verdict)
            await _raise_signal(conn, "firmware_refused", party_id, None, {"name": image.name, "reason": reason})
        raise Refused(f"the firmware may not go out: {reason}")


async def _judged(conn: Connection, image: Image) -> Verdict:
    roots = await certificates.list_manufacturer_roots(conn, image.party_id)
    return judge(image.signing_certificate, image.signing_chain, roots, clock.now())


async def content_of(conn: Connection, job: FileJob) -> Content:
    """What a station fetches. Raises NotFound when there is nothing, or nothing any more."""
    if job.kind == "log" or job.image_id is None:
        raise NotFound("there is nothing to fetch")
    image = await store.get_image(conn, job.party_id, job.image_id)
    if image.sha256 is None or image.size_bytes is None or image.stored_at is None:
        raise NotFound("there is nothing to fetch")
    return Content(image.sha256, image.size_bytes)


async def retire_image(conn: Connection, actor: Actor, image_id: UUID) -> None:
    """It is offered no more; what stands about it stays. Raises NotFound."""
    image, at = await store.get_image(conn, actor.party_id, image_id, for_update=True), clock.now()
    await store.retire_image(conn, actor.party_id, image_id, at)
    was, now = {"retired_at": image.retired_at}, {"retired_at": image.retired_at or at}
    detail: dict[str, object] = {"name": image.name, "version": image.version}
    await accounts.audit(conn, actor, "firmware.retired", f"firmware/{image_id}", detail, before=was, after=now)


# ------------------------------------------------------------------------------------------- what stations tell


async def take_reports(conn: Connection, reports: Sequence[FileReport]) -> None:
    """Stations say how far they are. A report about a job that nobody knows changes nothing."""
    if not reports:
        return
    changed: dict[UUID, FileJob] = {}
    for number, found in await store.jobs_reported(conn, reports):
        job, report = changed.get(found.job_id, found), reports[number]
        status = progress.after_report(job.kind, job.status, report.word, has_file=job.sha256 is not None)
        if job.kind == "log" and report.word == "uploaded" and job.sha256 is None:
            job.detail = SAID_DONE
        elif status == "failed":
            job.detail = report.text or report.word.replace("_", " ")
        elif status != job.status and job.status == "failed":
            job.detail = report.text
        if status == "published":
            job.offered_under = report.offered_under or job.offered_under
        changed[job.job_id] = _moved(job, status, report.at)
    await _save(conn, list(changed.values()))


SAID_DONE = "the station says that it sent the file, which did not come"


async def booted(conn: Connection, boots: Sequence[Event]) -> None:
    """Stations have started: what they run now says what became of their firmware."""
    await take_versions(conn, {b.payload["station_id"]: (b.payload.get("firmware_version"), b.at) for b in boots})


async def take_versions(conn: Connection, told: dict[str, tuple[str | None, datetime | None]]) -> None:
    """Stations say which version they run, and when they said it."""
    jobs_found = await store.jobs_booted(conn, sorted(told))
    changed = []
    for job in jobs_found:
        version, at = told[job.station_id]
        status = progress.after_boot(job.status, job.version, version, job.version_before)
        # A start from before the station's last word about the job says nothing of how the job went.
        is_stale = status == "old_version" and at is not None and at <= job.updated_at
        if status != job.status and not is_stale:
            job.detail = f"came back with {version}" if status == "old_version" else None
            changed.append(_moved(job, status, clock.now()))
    await _save(conn, changed)


def _moved(job: FileJob, status: str, at: datetime) -> FileJob:
    if status != job.status:
        is_over = progress.is_over(status)  # type: ignore[arg-type]
        job = structs.replace(job, status=status, updated_at=at, finished_at=at if is_over else None)
    return job


async def _save(conn: Connection, changed: list[FileJob]) -> None:
    if not changed:
        return
    await store.save_progress(conn, changed)
    await record(
        conn,
        [
            Event(
                kind="FileJobChanged",
                subject=f"station/{job.station_id}",
                party_id=job.party_id,
                payload={
                    "station_id": job.station_id,
                    "job_id": str(job.job_id),
                    "job_kind": job.kind,
                    "status": job.status,
                    "rollout_id": str(job.rollout_id) if job.rollout_id else None,
                },
            )
            for job in changed
        ],
    )


# ------------------------------------------------------------------------------------------------ what stations send


async def take_log(
    pool: Pool, storage: Storage, job_id: UUID, name: str, received: Received, remote_address: str
) -> FileJob:
    """A station's log came, whole. Kept first, then told to the database, in transactions of its own; then unpacked.

    The same file again changes nothing. Raises Conflict for another one: an address is good for one file.
    """
    async with pool.acquire() as conn:
        job = await store.find_job(conn, job_id)
    if job is None or (job.sha256 is not None and job.sha256 != received.sha256):
        await refuse_use(pool, job, "file_link_used_again", remote_address, {"name": name})
        raise Conflict("this address was used already, for another file")
    if job.sha256 is not None:
        return job
    await storage.keep(received.path, received.sha256)
    async with pool.acquire() as conn, conn.transaction():
        job = await store.find_job(conn, job_id, for_update=True)
        if job is None or job.sha256 not in (None, received.sha256):
            raise Conflict("this address was used already, for another file")
        now = clock.now()
        status = progress.after_upload(job.status, is_said_done=job.detail == SAID_DONE)
        job = structs.replace(
            _moved(job, status, now),
            name=name,
            sha256=received.sha256,
            size_bytes=received.size_bytes,
            received_at=now,
            updated_at=now,
            detail=None if job.detail == SAID_DONE else job.detail,
        )
        await store.job_received(conn, job)
        await _save(conn, [job])
        await jobs.enqueue(conn, UNPACK, {"job_id": str(job_id)}, dedupe_key=f"{UNPACK}/{job_id}")
    return job


async def take_half(pool: Pool, storage: Storage, half: Half, job_id: UUID, name: str, remote_address: str) -> FileJob:
    """The same for a file that came in several goes. What was refused is dropped; a store that is away may try again."""
    if half.size == 0:
        raise Invalid("the file is empty", "body")
    received = await half.whole()
    try:
        job = await take_log(pool, storage, job_id, name, received, remote_address)
    except (Conflict, Invalid, NotFound):
        half.drop()
        raise
    half.drop()
    return job


async def refuse_use(
    pool: Pool, job: FileJob | None, kind: str, remote_address: str, detail: dict[str, object]
) -> None:
    """Somebody did with an address what it is not for: a security signal, in a transaction of its own."""
    party_id, station_id = (job.party_id, job.station_id) if job is not None else (None, None)
    async with pool.acquire() as conn, conn.transaction():
        await _raise_signal(conn, kind, party_id, station_id, detail, remote_address)


async def _raise_signal(
    conn: Connection,
    kind: str,
    party_id: UUID | None,
    station_id: str | None,
    detail: dict[str, object],
    remote_address: str | None = None,
) -> None:
    signal = Signal(
        kind=kind,
        at=clock.now(),
        party_id=party_id,
        station_id=station_id,
        remote_address=remote_address,
        detail=detail,
    )
    await stations.keep_signals(conn, [signal])


async def unpack_log(pool: Pool, storage: Storage, spool: Spool, limits: Limits, job_id: UUID) -> None:
    """Take a log apart and keep every file in it, in transactions of its own. Safe to do twice."""
    async with pool.acquire() as conn:
        job = await store.find_job(conn, job_id)
    if job is None or job.sha256 is None:
        return
    members: list[Member] = []
    note: str | None = None
    with spool.folder() as folder:
        source = folder / "source"
        with source.open("wb") as out:
            async for piece in storage.read(job.sha256):
                await asyncio.to_thread(out.write, piece)
        try:
            found = await asyncio.to_thread(unpack, source, job.name, folder, limits)
            members = [await _kept(storage, n, one) for n, one in enumerate(found)]
        except Refused as error:
            note = error.text
            await refuse_use(pool, job, "log_bomb", "", {"name": job.name, "reason": error.text})
    async with pool.acquire() as conn, conn.transaction():
        if await store.find_job(conn, job_id, for_update=True) is not None:
            await store.job_unpacked(conn, job_id, members, note, clock.now())
    log.info("log_unpacked", station_id=job.station_id, n_files=len(members), note=note)


async def _kept(storage: Storage, position: int, one: Unpacked) -> Member:
    sha256 = None
    if one.file is not None:
        sha256 = await asyncio.to_thread(digest_of, one.file)
        await storage.keep(one.file, sha256)
    return Member(
        position=position,
        path=one.path,
        size_bytes=one.size_bytes,
        is_text=one.is_text,
        sha256=sha256,
        note=one.note,
    )


async def drop_old_logs(pool: Pool, storage: Storage, days: int) -> int:
    """Forget logs older than so many days, and their contents; returns how many contents went."""
    async with pool.acquire() as conn, conn.transaction():
        gone = await store.drop_old_logs(conn, days)
    n_dropped = 0
    for sha256 in gone:
        async with pool.acquire() as conn:
            if await store.unreferenced(conn, [sha256]):
                await storage.drop(sha256)
                n_dropped += 1
    return n_dropped
