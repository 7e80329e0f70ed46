"""/locations as files, their power trees and photos; /stickers."""

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    ApiRequest,
    TheActor,
    TheBus,
    ThePool,
    TheSettings,
    answer,
    expected_version,
    operation,
)
from ohmstead.api.stations import BulkAnswer, BulkQuery, bulk_answer
from ohmstead.core.db import trial
from ohmstead.core.events import NUDGE
from ohmstead.core.tables import RowError
from ohmstead.core.workbooks import MEDIA_TYPE as XLSX
from ohmstead.stations import queries as stations
from ohmstead.stations.directory import service as directory
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.queries import LocationFilter
from ohmstead.stations.sites import files, importing, pictures, queries, service, stickers
from ohmstead.stations.sites.files import FileForm
from ohmstead.stations.sites.model import Photo, PhotoChange, PowerTree, TreeChange
from ohmstead.stations.sites.stickers import StickerFilter

TheStorage: TypeAlias = NamedDependency[SkipValidation[Storage]]
OCTETS = "application/octet-stream"
PDF = "application/pdf"
MAX_TABLE_BYTES = 8 * 1024 * 1024


class ExportQuery(LocationFilter, kw_only=True, forbid_unknown_fields=True):
    """Which locations, and as what."""

    format: Annotated[FileForm, Meta(description="csv and xlsx can be imported again; ocpi: OCPI 2.2.1 objects.")] = (
        "csv"
    )


class TemplateQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the file to begin an import with."""

    format: Annotated[Literal["csv", "xlsx"], Meta(description="As what.")] = "xlsx"


class PhotoQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of an upload."""

    alt: Annotated[str, Meta(max_length=300, description="What it shows, for who cannot see it.")] = ""


class StickerQuery(StickerFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of a sheet of stickers."""

    location: Annotated[UUID | None, Meta(description="For the EVSEs at this location.")] = None


class SitesAnswer(Struct, kw_only=True):
    """What became of the rows of a file of locations."""

    created: int
    updated: int
    unchanged: int
    failed: Annotated[
        list[RowError],
        Meta(description="Rows count as a spreadsheet shows them; OCPI objects from 1."),
    ]
    stations: Annotated[BulkAnswer | None, Meta(description="Of the stations that came with them.")]
    is_dry_run: bool


class Photos(Struct):
    """The photos of a location in their order."""

    items: list[Photo]


@get("/locations/export", opt=operation("stations:read", exports=(CSV, XLSX, "application/json")))
async def export_locations(pool: ThePool, actor: TheActor, filters: NamedDependency[ExportQuery]) -> Response[bytes]:
    """Export locations as a file that can be imported again.

    A workbook and OCPI (JSON) hold their stations too. OCPI objects have what OCPI 2.2.1 has; an EVSE's `uid` is
    `<station id>*<EVSE number>`.
    """
    async with pool.acquire() as conn:
        data = await files.export(conn, actor.scope, filters, filters.format)
    return _file(data, files.MEDIA[filters.format], files.NAMES[filters.format])


@get("/locations/template", opt=operation("stations:read", exports=(CSV, XLSX)))
async def location_template(filters: NamedDependency[TemplateQuery]) -> Response[bytes]:
    """Download a file to begin an import with: the columns, and one row as an example."""
    return _file(files.template(filters.format), files.MEDIA[filters.format], files.NAMES[filters.format])


@post(
    "/locations/bulk",
    status_code=200,
    request_max_body_size=MAX_TABLE_BYTES,
    opt=operation("stations:write", takes=CSV, also_takes=(XLSX, "application/json")),
)
async def import_locations(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    filters: NamedDependency[BulkQuery],
) -> Response[SitesAnswer]:
    """Create and update many locations, and their stations, from one file.

    Takes a CSV table, an XLSX workbook (sheets `Locations` and `Stations`), or OCPI 2.2.1 Location objects as JSON; which
    it is, its first bytes say. Good rows count even when others fail, all in one transaction. The same file a second time
    changes nothing.
    """
    data = await request.body()
    async with pool.acquire() as conn, trial(conn, is_kept=not filters.dry_run):
        report = await importing.import_sites(conn, actor, data, settings.secret())
    if not filters.dry_run:
        changed = report.stations.changed_ids if report.stations else []
        await directory.announce(bus, actor.party_id, changed, "changed")
    return answer(
        SitesAnswer(
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            failed=report.failed,
            stations=bulk_answer(report.stations, is_dry_run=filters.dry_run) if report.stations else None,
            is_dry_run=filters.dry_run,
        )
    )


# ---------------------------------------------------------------------------------------------------- power trees


@get("/locations/{location_id:uuid}/power-tree", opt=operation("stations:read", errors=(404,)))
async def get_power_tree(pool: ThePool, actor: TheActor, location_id: FromPath[UUID]) -> Response[PowerTree]:
    """Read a location's power tree: what its grid connections and circuits may carry, and what they feed."""
    async with pool.acquire() as conn:
        tree = await service.get_tree(conn, actor.party_id, location_id)
    return answer(tree, version=tree.version)


@put(
    "/locations/{location_id:uuid}/power-tree",
    opt=operation("stations:write", errors=(404,), takes_if_match=True),
)
async def change_power_tree(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    location_id: FromPath[UUID],
    given: NamedDependency[TreeChange],
) -> Response[PowerTree]:
    """Set a location's power tree, whole.

    No circuit may carry more than the one that feeds it. That those below it add up to more is said in `doubts`, and
    allowed.
    """
    async with pool.acquire() as conn, conn.transaction():
        tree = await service.change_tree(conn, actor, location_id, given.circuits, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(tree, version=tree.version)


# --------------------------------------------------------------------------------------------------------- photos


@get("/locations/{location_id:uuid}/photos", opt=operation("stations:read", errors=(404,)))
async def get_photos(pool: ThePool, actor: TheActor, location_id: FromPath[UUID]) -> Response[Photos]:
    """Read which photos a location has."""
    async with pool.acquire() as conn:
        await stations.get_location(conn, actor.party_id, location_id)
        return answer(Photos(await queries.list_photos(conn, actor.party_id, location_id)))


@post(
    "/locations/{location_id:uuid}/photos",
    request_max_body_size=pictures.MOST_BYTES + 1,
    opt=operation("stations:write", errors=(404, 409, 502), takes=OCTETS),
)
async def add_photo(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    storage: TheStorage,
    location_id: FromPath[UUID],
    filters: NamedDependency[PhotoQuery],
) -> Response[Photo]:
    """Upload a photo of a location: JPEG, PNG or WebP, as it is.

    It is drawn anew as JPEG of at most 1600 pixels; what a camera wrote into the file, the place included, is left out.
    """
    photo = await service.add_photo(pool, storage, actor, location_id, await request.body(), filters.alt)
    where = {"Location": f"/api/v1/locations/{location_id}/photos/{photo.photo_id}"}
    return answer(photo, status=201, headers=where)


@get(
    "/locations/{location_id:uuid}/photos/{photo_id:uuid}",
    opt=operation("stations:read", errors=(404, 502), exports=("image/jpeg",)),
)
async def get_photo(
    pool: ThePool, actor: TheActor, storage: TheStorage, location_id: FromPath[UUID], photo_id: FromPath[UUID]
) -> Response[bytes]:
    """Read a photo."""
    async with pool.acquire() as conn:
        photo = await queries.get_photo(conn, actor.party_id, location_id, photo_id)
    data = b"".join([piece async for piece in storage.read(photo.sha256)])
    return Response(data, media_type="image/jpeg", headers={"ETag": f'"{photo.sha256}"'})


@patch("/locations/{location_id:uuid}/photos/{photo_id:uuid}", opt=operation("stations:write", errors=(404,)))
async def change_photo(
    pool: ThePool,
    actor: TheActor,
    location_id: FromPath[UUID],
    photo_id: FromPath[UUID],
    given: NamedDependency[PhotoChange],
) -> Response[Photo]:
    """Say what a photo shows, or where it stands among the others."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.change_photo(conn, actor, location_id, photo_id, given))


@delete("/locations/{location_id:uuid}/photos/{photo_id:uuid}", opt=operation("stations:write", errors=(404,)))
async def delete_photo(
    pool: ThePool, actor: TheActor, storage: TheStorage, location_id: FromPath[UUID], photo_id: FromPath[UUID]
) -> None:
    """Delete a photo."""
    await service.delete_photo(pool, storage, actor, location_id, photo_id)


# ------------------------------------------------------------------------------------------------------- stickers


@get("/stickers", opt=operation("stations:read", errors=(404,), exports=(PDF,)))
async def print_stickers(
    pool: ThePool, actor: TheActor, settings: TheSettings, filters: NamedDependency[StickerQuery]
) -> Response[bytes]:
    """Make a PDF of stickers with a QR code for each EVSE, which leads to the EVSE's page for drivers."""
    async with pool.acquire() as conn:
        found = await service.list_stickers(conn, actor.party_id, filters.location, filters, settings.console_url)
    data = stickers.pdf(found, stickers.SHEETS[filters.sheet], filters.skip)
    return _file(data, PDF, "stickers.pdf")


def _file(data: bytes, media: str, name: str) -> Response[bytes]:
    return Response(data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


HANDLERS: list[Any] = [
    export_locations,
    location_template,
    import_locations,
    get_power_tree,
    change_power_tree,
    get_photos,
    add_photo,
    get_photo,
    change_photo,
    delete_photo,
    print_stickers,
]
