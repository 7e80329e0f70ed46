"""/firmware and /rollouts: images, and how stations come to them."""

from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from ohmstead.api.commands import SendQuery
from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    TheSettings,
    answer,
    listed,
    operation,
)
from ohmstead.api.problems import BadRequest, Overloaded, TooLarge
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.stations.commands import Command
from ohmstead.stations.files import campaigns, queries, service
from ohmstead.stations.files import spool as spooling
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.model import FileJob, FirmwareRequest, Image, NewImage, NewRollout, RolloutStatus
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.queries import RolloutDetail, RolloutView
from ohmstead.stations.files.spool import Spool

TheStorage: TypeAlias = NamedDependency[SkipValidation[Storage]]
TheSpool: TypeAlias = NamedDependency[SkipValidation[Spool]]
TheFileDesk: TypeAlias = NamedDependency[SkipValidation[FileDesk]]

OCTETS = "application/octet-stream"
IMAGES = Keyset(item=Image, type=tuple[datetime, UUID], of=lambda image: (image.created_at, image.image_id))
ROLLOUTS = Keyset(item=RolloutView, type=tuple[datetime, UUID], of=lambda one: (one.created_at, one.rollout_id))
JOBS = Keyset(item=FileJob, type=tuple[datetime, UUID], of=lambda job: (job.requested_at, job.job_id))


@get("/firmware", opt=operation("stations:read"))
async def list_firmware(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[Image]]:
    """List firmware images that are not retired, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Image]:
        return await queries.list_images(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, IMAGES, fetch, filters)


@post("/firmware", opt=operation("firmware:write"))
async def create_firmware(pool: ThePool, actor: TheActor, given: NamedDependency[NewImage]) -> Response[Image]:
    """Announce a firmware image; its content is uploaded next.

    A signature is checked when the content is there, the signing certificate now.
    """
    async with pool.acquire() as conn, conn.transaction():
        image = await service.create_image(conn, actor, given)
    return answer(image, status=201, headers={"Location": f"/api/v1/firmware/{image.image_id}"})


@get("/firmware/{image_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_firmware(pool: ThePool, actor: TheActor, image_id: FromPath[UUID]) -> Response[Image]:
    """Read a firmware image's description."""
    async with pool.acquire() as conn:
        return answer(await queries.get_image(conn, actor.party_id, image_id))


@put(
    "/firmware/{image_id:uuid}/content",
    request_max_body_size=None,
    opt=operation("firmware:write", errors=(404, 409, 413, 503), takes=OCTETS),
)
async def upload_firmware(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    settings: TheSettings,
    storage: TheStorage,
    spool: TheSpool,
    image_id: FromPath[UUID],
) -> Response[Image]:
    """Upload a firmware image's content, as it is.

    Refused unless it has the SHA-256 that was announced and the signature fits, and, where the installation asks for it,
    a manufacturer's root vouches for the signing certificate. Content never changes afterwards; the same once more is fine.
    """
    async with pool.acquire() as conn:
        await queries.get_image(conn, actor.party_id, image_id)
    most, announced = settings.max_firmware_bytes, request.content_length
    if announced is not None and announced > most:
        raise TooLarge(f"{announced} bytes are more than the {most} that are taken")
    try:
        spool.check_room(announced if announced is not None else most)
        async with spool.receive(request.stream(), most) as received:
            if announced is not None and announced != received.size_bytes:
                raise BadRequest(f"{received.size_bytes} of {announced} bytes came")
            return answer(
                await service.store_image(pool, storage, actor, image_id, received, settings.firmware_signers)
            )
    except spooling.TooLarge as error:
        raise TooLarge(error.text) from error
    except spooling.NoRoom as error:
        raise Overloaded(error.text) from error


@delete("/firmware/{image_id:uuid}", opt=operation("firmware:write", errors=(404,)))
async def retire_firmware(pool: ThePool, actor: TheActor, image_id: FromPath[UUID]) -> None:
    """Retire a firmware image. It is offered no more; what was done with it stays on record."""
    async with pool.acquire() as conn, conn.transaction():
        await service.retire_image(conn, actor, image_id)


@post("/stations/{station_id:str}/firmware", status_code=200, opt=operation("firmware:write", errors=(404,)))
async def update_firmware(
    file_desk: TheFileDesk,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[FirmwareRequest],
    filters: NamedDependency[SendQuery],
) -> Response[FileJob]:
    """Have a station install a firmware image, or a local controller publish it.

    The answer is a job, whatever became of the order. It is `installed` only once the station has booted and says so.
    """
    job = await file_desk.order_firmware(
        actor, station_id, given, timeout_s=filters.timeout, queue_for_s=filters.queue_for
    )
    return answer(job)


@get("/stations/{station_id:str}/firmware", opt=operation("stations:read", errors=(404,)))
async def list_firmware_jobs(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[PageQuery],
) -> Response[Page[FileJob]]:
    """List what firmware a station was told to install, newest first."""
    async with pool.acquire() as conn:
        await queries.require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[FileJob]:
        return await queries.list_jobs(
            conn, actor.scope, station_id=station_id, kinds=("firmware", "publish"), after=after, limit=limit
        )

    return await listed(request, pool, JOBS, fetch, filters)


@post(
    "/stations/{station_id:str}/firmware/{image_id:uuid}/unpublish",
    status_code=200,
    opt=operation("firmware:write", errors=(404,)),
)
async def unpublish_firmware(
    file_desk: TheFileDesk, actor: TheActor, station_id: FromPath[str], image_id: FromPath[UUID]
) -> Response[Command]:
    """Have a local controller offer a firmware image no longer."""
    return answer(await file_desk.unpublish(actor, station_id, image_id))


@get("/rollouts", opt=operation("stations:read"))
async def list_rollouts(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[RolloutView]]:
    """List rollouts, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[RolloutView]:
        return await queries.list_rollouts(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, ROLLOUTS, fetch, filters)


@post("/rollouts", opt=operation("firmware:write", errors=(404,)) | {"needs_proof": True})
async def create_rollout(
    pool: ThePool, bus: TheBus, actor: TheActor, settings: TheSettings, given: NamedDependency[NewRollout]
) -> Response[RolloutDetail]:
    """Bring many stations to a firmware image, in waves.

    It begins at once. Which stations take part is decided now: those chosen that the image is meant for.
    """
    await service.check_before_use(pool, actor.party_id, given.image_id, settings.firmware_signers)
    async with pool.acquire() as conn, conn.transaction():
        rollout = await campaigns.create_rollout(conn, actor, given)
        found = await queries.get_rollout(conn, actor.party_id, rollout.rollout_id)
    await bus.publish(NUDGE, {})
    return answer(found, status=201, headers={"Location": f"/api/v1/rollouts/{rollout.rollout_id}"})


@get("/rollouts/{rollout_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_rollout(pool: ThePool, actor: TheActor, rollout_id: FromPath[UUID]) -> Response[RolloutDetail]:
    """Read a rollout and where each of its stations stands."""
    async with pool.acquire() as conn:
        return answer(await queries.get_rollout(conn, actor.party_id, rollout_id))


@post("/rollouts/{rollout_id:uuid}/pause", status_code=200, opt=operation("firmware:write", errors=(404,)))
async def pause_rollout(pool: ThePool, actor: TheActor, rollout_id: FromPath[UUID]) -> Response[RolloutDetail]:
    """Pause a rollout. Stations that were told already go on."""
    return await _steered(pool, actor, rollout_id, "paused")


@post("/rollouts/{rollout_id:uuid}/resume", status_code=200, opt=operation("firmware:write", errors=(404,)))
async def resume_rollout(pool: ThePool, actor: TheActor, rollout_id: FromPath[UUID]) -> Response[RolloutDetail]:
    """Go on with a rollout that was paused or halted. After a halt, stations that failed get a new chance."""
    return await _steered(pool, actor, rollout_id, "running")


@post("/rollouts/{rollout_id:uuid}/cancel", status_code=200, opt=operation("firmware:write", errors=(404,)))
async def cancel_rollout(pool: ThePool, actor: TheActor, rollout_id: FromPath[UUID]) -> Response[RolloutDetail]:
    """End a rollout. Stations that were told already go on."""
    return await _steered(pool, actor, rollout_id, "cancelled")


async def _steered(pool: Any, actor: Any, rollout_id: UUID, status: RolloutStatus) -> Response[RolloutDetail]:
    async with pool.acquire() as conn, conn.transaction():
        await campaigns.steer(conn, actor, rollout_id, status)
        return answer(await queries.get_rollout(conn, actor.party_id, rollout_id))


HANDLERS = [
    list_firmware,
    create_firmware,
    get_firmware,
    upload_firmware,
    retire_firmware,
    update_firmware,
    list_firmware_jobs,
    unpublish_firmware,
    list_rollouts,
    create_rollout,
    get_rollout,
    pause_rollout,
    resume_rollout,
    cancel_rollout,
]
