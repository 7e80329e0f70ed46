"""/logs: what stations sent of their own logs, unpacked, to read and to search."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Meta, Struct

from ohmstead.api.commands import SendQuery
from ohmstead.api.firmware import JOBS, OCTETS, TheFileDesk, TheStorage
from ohmstead.api.operations import ApiRequest, Page, PageQuery, TheActor, ThePool, answer, listed, operation
from ohmstead.api.problems import BadRequest, FieldError
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.ranges import Unsatisfiable, part_of
from ohmstead.doorway import WITHIN
from ohmstead.stations.files import queries
from ohmstead.stations.files.model import FileJob, LogRequest, Member
from ohmstead.stations.files.queries import LogView
from ohmstead.stations.files.reading import Line, read_lines

_CURSOR = re.compile(r"(\d{1,15})-(\d{1,15})")


class LineQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the lines of a log's file."""

    q: Annotated[str, Meta(max_length=200, description="Only lines that hold this; case does not matter.")] = ""
    limit: Annotated[int, Meta(ge=1, le=2000, description="Lines in a page.")] = 200
    cursor: Annotated[str, Meta(max_length=40, description="`next_cursor` of the page before.")] | None = None


class LogLines(Struct, frozen=True, kw_only=True):
    """Lines of a file. A page may have few, or none, and still not be the last: follow `next_cursor` until null."""

    items: list[Line]
    next_cursor: str | None


@post("/stations/{station_id:str}/logs", status_code=200, opt=operation("commands:send", errors=(404,)))
async def order_log(
    file_desk: TheFileDesk,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[LogRequest],
    filters: NamedDependency[SendQuery],
) -> Response[FileJob]:
    """Have a station send a log: diagnostics, or its security log.

    The answer is a job, whatever became of the order. It is `done` when the file is here and the station says so.
    """
    job = await file_desk.order_log(actor, station_id, given, timeout_s=filters.timeout, queue_for_s=filters.queue_for)
    return answer(job)


@get("/stations/{station_id:str}/logs", opt=operation("logs:read", errors=(404,)))
async def list_station_logs(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[PageQuery],
) -> Response[Page[FileJob]]:
    """List a station's logs, newest first."""
    async with pool.acquire() as conn:
        await queries.require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[FileJob]:
        return await queries.list_jobs(conn, actor.scope, station_id=station_id, after=after, limit=limit)

    return await listed(request, pool, JOBS, fetch, filters)


@get("/logs", opt=operation("logs:read") | WITHIN)
async def list_logs(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[FileJob]]:
    """List the logs of all stations, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[FileJob]:
        return await queries.list_jobs(conn, actor.scope, after=after, limit=limit)

    return await listed(request, pool, JOBS, fetch, filters)


@get("/logs/{log_id:uuid}", opt=operation("logs:read", errors=(404,)))
async def get_log(pool: ThePool, actor: TheActor, log_id: FromPath[UUID]) -> Response[LogView]:
    """Read what became of a log, and which files were in it."""
    async with pool.acquire() as conn:
        return answer(await queries.get_log(conn, actor.party_id, log_id))


@get("/logs/{log_id:uuid}/file", opt=operation("logs:read", errors=(404,), exports=(OCTETS,)))
async def get_log_file(
    request: ApiRequest, pool: ThePool, actor: TheActor, storage: TheStorage, log_id: FromPath[UUID]
) -> Response[bytes]:
    """Download a log as the station sent it, or a part of it (`Range`)."""
    async with pool.acquire() as conn:
        job = await queries.get_job(conn, actor.party_id, log_id, ("log",))
    if job.sha256 is None:
        raise NotFound("the station has not sent it")
    size, etag = job.size_bytes or 0, f'"{job.sha256}"'
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(job.name)}",
        "Accept-Ranges": "bytes",
        "ETag": etag,
    }
    wanted = request.headers.get("range", "") if request.headers.get("if-range", etag) == etag else ""
    try:
        part = part_of(wanted, size)
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{size}"
        return Response(b"", status_code=416, media_type=OCTETS, headers=headers)
    first, last = part or (0, size - 1)
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    pieces: AsyncIterator[bytes] = storage.read(job.sha256, first, last - first + 1)
    status = 200 if part is None else 206
    return cast("Response[bytes]", Stream(pieces, status_code=status, media_type=OCTETS, headers=headers))


@get("/logs/{log_id:uuid}/members/{position:int}", opt=operation("logs:read", errors=(404,)))
async def read_log_lines(
    pool: ThePool,
    actor: TheActor,
    storage: TheStorage,
    log_id: FromPath[UUID],
    position: FromPath[int],
    filters: NamedDependency[LineQuery],
) -> Response[LogLines]:
    """Read lines of a file in a log, or search it."""
    async with pool.acquire() as conn:
        member = member_at(await queries.get_log(conn, actor.party_id, log_id), position)
    assert member.sha256 is not None
    offset, number = 0, 1
    if filters.cursor is not None:
        if (match := _CURSOR.fullmatch(filters.cursor)) is None:
            raise BadRequest("cursor: not one of ours", [FieldError("cursor", "not one of ours")])
        offset, number = int(match[1]), int(match[2])
    page = await read_lines(storage, member.sha256, offset=offset, number=number, limit=filters.limit, search=filters.q)
    more = f"{page.next_offset}-{page.next_number}" if page.next_offset is not None else None
    return answer(LogLines(items=page.items, next_cursor=more))


def member_at(log: LogView, position: int) -> Member:
    """A file in a log that can be read. Raises NotFound."""
    found = next((member for member in log.members if member.position == position), None)
    if found is None or found.sha256 is None:
        raise NotFound("there is no such file in this log, or it could not be unpacked")
    return found


HANDLERS = [order_log, list_station_logs, list_logs, get_log, get_log_file, read_log_lines]
