"""Which sites are to come, and which are there, as files: import with a rehearsal, export, and stickers to print."""

from __future__ import annotations

import base64
import binascii
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.console.location_form import ACCESS, FACILITIES
from ohmstead.core.db import Connection, trial
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.forms import FirstFile, is_form
from ohmstead.core.language import told
from ohmstead.reports.pages import queries as pages
from ohmstead.stations.directory import bulk
from ohmstead.stations.directory import service as directory
from ohmstead.stations.queries import LocationFilter
from ohmstead.stations.sites import files, importing, rows, service, stickers
from ohmstead.stations.sites.stickers import StickerFilter
from ohmstead.ui.templating import View, page

MOST_BYTES = 8 * 1024 * 1024
_ROOM = 6 * 1024 * 1024  # base64 is a third longer, and a form has words of its own


@get("/locations/export")
async def export_locations(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it, as CSV, XLSX or OCPI."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        asked = view.query.get("format")
        form: files.FileForm = "xlsx" if asked == "xlsx" else "ocpi" if asked == "ocpi" else "csv"
        access, facility = view.query.get("access"), view.query.get("facility")
        wanted = msgspec.convert(
            {
                "q": view.query.get("q", "").strip()[:100] or None,
                "access": access if access in ACCESS else None,
                "facility": facility if facility in FACILITIES else None,
            },
            LocationFilter,
        )
        data = await files.export(conn, actor.scope, wanted, form)
    return _file(data, files.MEDIA[form], files.NAMES[form])


@get("/locations/template")
async def location_template(request: PageRequest, actor: ActorIn) -> Response[bytes]:
    """A file to begin an import with."""
    allow(actor, "stations:read")
    form: files.FileForm = "csv" if request.query_params.get("format") == "csv" else "xlsx"
    return _file(files.template("csv" if form == "csv" else "xlsx"), files.MEDIA[form], files.NAMES[form])


@get("/locations/import")
async def import_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Where a file is picked."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
    return _import_page(request)


@post("/locations/import", status_code=200, request_max_body_size=MOST_BYTES + _ROOM)
async def import_file(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, settings: SettingsIn
) -> Response[str]:
    """First a rehearsal that changes nothing and reports every row; then, on a second press, the same for good."""
    allow(actor, "stations:write")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        try:
            data, is_rehearsal = await _sent(request)
            async with trial(conn, is_kept=not is_rehearsal):
                report = await importing.import_sites(conn, actor, data, settings.secret())
        except Invalid as invalid:
            return _import_page(request, error=told(invalid))
    if not is_rehearsal:
        changed = report.stations.changed_ids if report.stations else []
        await directory.announce(bus, actor.party_id, changed, "changed")
    return _import_page(
        request, report=report, is_rehearsal=is_rehearsal, kept=base64.b64encode(data).decode() if is_rehearsal else ""
    )


async def _sent(request: PageRequest) -> tuple[bytes, bool]:
    """The file, and whether this is a rehearsal: a file picked, or the rehearsed one once more. Raises Invalid."""
    content_type = request.headers.get("content-type", "")
    if is_form(content_type):
        form = FirstFile(content_type, request.stream())
        data = b"".join([piece async for piece in form.pieces()])
        is_rehearsal = True
    else:
        fields = await request.form()
        try:
            data = base64.b64decode(str(fields.get("kept", "")), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Invalid("the file got damaged on its way: pick it again") from error
        is_rehearsal = False
    if len(data) > MOST_BYTES:
        raise Invalid(f"more than {MOST_BYTES // 1024 // 1024} MB are not taken: send it in parts")
    if not data:
        raise Invalid("the file is empty")
    return data, is_rehearsal


def _import_page(
    request: PageRequest,
    report: importing.SiteReport | None = None,
    *,
    is_rehearsal: bool = True,
    kept: str = "",
    error: str | None = None,
) -> Response[str]:
    return page(
        request,
        "console/location_import.html",
        status=422 if error else 200,
        columns=rows.COLUMNS,
        station_columns={name: bulk.COLUMNS[name] for name in ("station_id", "location", "name", "evses")},
        report=report,
        is_rehearsal=is_rehearsal,
        kept=kept,
        error=error,
    )


# ------------------------------------------------------------------------------------------------------- stickers


@get("/stickers")
async def sticker_page(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[Any]:
    """Choose what is printed on what, and see the first page."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        wanted, location_id = _wanted(request, view)
        found, error = await _stickers(conn, actor, location_id, wanted, settings.console_url)
        locations = await pages.list_locations(conn, actor.scope)
        stations = await pages.list_stations(
            conn, actor.scope, chip="all", location_id=location_id, sort="station", limit=500
        )
    sheet = stickers.SHEETS[wanted.sheet]
    return page(
        request,
        "console/stickers.html",
        wanted=wanted,
        location_id=location_id,
        locations=locations,
        stations=[one for one in stations.rows if one.registration == "accepted"],
        sheets=stickers.SHEETS,
        sheet=sheet,
        n_stickers=len(found),
        n_pages=stickers.n_pages(len(found), sheet, wanted.skip),
        placed=stickers.first_page(found, sheet, wanted.skip),
        example=found[0].url if found else "",
        error=error,
    )


@get("/stickers.pdf")
async def sticker_file(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[Any]:
    """The sheets, to print."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        wanted, location_id = _wanted(request, view)
        found, error = await _stickers(conn, actor, location_id, wanted, settings.console_url)
    if error:
        return Redirect("/stickers?" + urlencode(list(request.query_params.multi_items())), status_code=303)
    data = stickers.pdf(found, stickers.SHEETS[wanted.sheet], wanted.skip)
    return _file(data, "application/pdf", "stickers.pdf")


def _wanted(request: PageRequest, view: View) -> tuple[StickerFilter, UUID | None]:
    """What the address asks for; what makes no sense in it is as if it were not there."""
    stations = [text for name, text in request.query_params.multi_items() if name == "station" and text]
    sheet, skip = view.query.get("sheet", ""), view.query.get("skip", "")
    location = view.query.get("location", "")
    wanted = StickerFilter(
        station=stations or None,
        sheet=sheet if sheet in get_args(stickers.SheetName) else "a4_3x8",  # type: ignore[arg-type]
        skip=min(int(skip), 23) if skip.isascii() and skip.isdigit() and len(skip) < 4 else 0,
        phone=view.query.get("phone", "").strip()[:30],
    )
    return wanted, uuid_of(location, "location") if location else None


async def _stickers(
    conn: Connection, actor: Actor, location_id: UUID | None, wanted: StickerFilter, public_url: str
) -> tuple[list[stickers.Sticker], str]:
    """What is to be printed; or nothing, and why."""
    try:
        return await service.list_stickers(conn, actor.party_id, location_id, wanted, public_url), ""
    except (Invalid, NotFound) as error:
        return [], told(error)


def _file(data: bytes, media: str, name: str) -> Response[bytes]:
    return Response(data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


HANDLERS = [
    export_locations,
    location_template,
    import_page,
    import_file,
    sticker_page,
    sticker_file,
]
