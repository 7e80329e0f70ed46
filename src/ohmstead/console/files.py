"""Firmware and logs: which images there are, how a rollout goes, what a station's log says."""

from __future__ import annotations

import re
from datetime import time
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from litestar.response import Redirect, Stream

from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core.errors import Invalid, NotFound, OhmsteadError
from ohmstead.core.forms import FirstFile
from ohmstead.core.language import N_, _, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.stations.files import campaigns, queries, service
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.model import (
    Filter,
    FirmwareRequest,
    Image,
    LogRequest,
    NewImage,
    NewRollout,
    RolloutStatus,
)
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.reading import read_lines
from ohmstead.stations.files.spool import Spool
from ohmstead.ui.templating import page

StorageIn: TypeAlias = NamedDependency[SkipValidation[Storage]]
SpoolIn: TypeAlias = NamedDependency[SkipValidation[Spool]]
FileDeskIn: TypeAlias = NamedDependency[SkipValidation[FileDesk]]

LINES = 500
# What the form of a rollout begins with.
ROLLOUT = {
    "name": "",
    "stations": "",
    "waves": "5, 100",
    "at_once": "10",
    "failure_limit_percent": "20",
    "window_from": "",
    "window_to": "",
    "only_idle": "yes",
}
WAIT_S = 25.0
LOGS = {"diagnostics": N_("diagnostics"), "security": N_("security"), "data_collector": N_("data collector")}
# What is kept in our own words beside jobs, images and places of a rollout; anything else there is a station's.
REMARKS = (
    N_("had it already"),
    N_("went back to %(version)s"),
    N_("came back with %(version)s"),
    N_("the order was lost on its way"),
    N_("another order came between"),
    N_("the station failed"),
    N_("not done in time (%(state)s)"),
    N_("the rollout was cancelled"),
    N_("%(failed)s of %(all)s stations failed, more than %(limit)s %%"),
    N_("the station says that it sent the file, which did not come"),
    N_("it is not signed"),
    N_("its signing certificate is not good: %(why)s"),
    N_("no manufacturer's root is trusted yet"),
    N_("its signing certificate is for other uses than signing code"),
    N_("its signing certificate leads to no manufacturer's root that is trusted"),
)
_SLOT = re.compile(r"%\\\((\w+)\\\)s")
_REMARKS = [(text, re.compile(_SLOT.sub(r"(?P<\1>.+?)", re.escape(text).replace("%%", "%")))) for text in REMARKS]
_VERBS: dict[str, RolloutStatus] = {"pause": "paused", "resume": "running", "cancel": "cancelled"}


# ------------------------------------------------------------------------------------------------------- firmware


@get("/firmware")
async def firmware(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All images, and how rollouts went."""
    return await _firmware_page(request, pool, actor, {}, {})


async def _firmware_page(
    request: PageRequest, pool: Any, actor: Any, given: dict[str, str], errors: dict[str, str]
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        images = await queries.list_images(conn, actor.party_id)
        rollouts = await queries.list_rollouts(conn, actor.party_id, limit=50)
    status = 422 if errors else 200
    context: dict[str, Any] = {"images": images, "rollouts": rollouts, "given": given, "errors": errors}
    context["meant_for"] = meant_for
    return page(request, "console/firmware.html", status=status, **context)


@post("/firmware", status_code=200)
async def announce_firmware(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Describe an image; its file comes next."""
    allow(actor, "firmware:write")
    given = await _fields(request)
    try:
        image = msgspec.convert({name: text for name, text in given.items() if text}, NewImage, strict=False)
        async with pool.acquire() as conn, conn.transaction():
            made = await service.create_image(conn, actor, image)
    except msgspec.ValidationError as error:
        field, why = fault_of(error)
        return await _firmware_page(request, pool, actor, given, {field or "name": in_words(why)})
    except Invalid as invalid:
        return await _firmware_page(request, pool, actor, given, {invalid.field or "name": told(invalid)})
    return Redirect(f"/firmware/{made.image_id}", status_code=303)


@get("/firmware/{image_id:str}")
async def image_page(request: PageRequest, pool: PoolIn, actor: ActorIn, image_id: FromPath[str]) -> Response[str]:
    """One image: what it is for, its file, and the way to the stations."""
    return await _image_page(request, pool, actor, uuid_of(image_id, "firmware"))


async def _image_page(
    request: PageRequest,
    pool: Any,
    actor: Any,
    image_id: UUID,
    *,
    error: str | None = None,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        image = await queries.get_image(conn, actor.party_id, image_id)
    return page(
        request,
        "console/firmware_image.html",
        status=422 if error or errors else 200,
        image=image,
        meant_for=meant_for,
        remark=remark,
        error=error,
        given=dict.fromkeys(ROLLOUT, "") | (given if given is not None else ROLLOUT | {"name": image.version}),
        errors=errors or {},
    )


def meant_for(image: Image) -> str:
    """Which stations an image is for, in words."""
    if image.vendor == image.model == "*":
        make = _("every station")
    elif image.vendor == "*":
        make = _("any %(model)s", model=image.model)
    else:
        make = image.vendor if image.model == "*" else f"{image.vendor} {image.model}"
    return make if image.from_version == "*" else _("%(make)s, from %(version)s", make=make, version=image.from_version)


def remark(text: str | None) -> str:
    """What is kept beside a job, an image or a place of a rollout, for people: our words in their language."""
    for ours, pattern in _REMARKS:
        if text and (found := pattern.fullmatch(text)) is not None:
            return _(ours, **{name: told(value) for name, value in found.groupdict().items()})
    return told(text or "")


@post("/firmware/{image_id:str}/content", status_code=200, request_max_body_size=None)
async def upload_firmware(
    request: PageRequest,
    pool: PoolIn,
    actor: ActorIn,
    settings: SettingsIn,
    storage: StorageIn,
    spool: SpoolIn,
    image_id: FromPath[str],
) -> Response[str]:
    """The file of an image, from the page's form."""
    allow(actor, "firmware:write")
    found = uuid_of(image_id, "firmware")
    async with pool.acquire() as conn:
        await queries.get_image(conn, actor.party_id, found)
    error = None
    try:
        form = FirstFile(request.headers.get("content-type", ""), request.stream())
        async with spool.receive(form.pieces(), settings.max_firmware_bytes) as received:
            await service.store_image(pool, storage, actor, found, received, settings.firmware_signers)
    except OhmsteadError as refused:
        error = told(refused)
    return await _image_page(request, pool, actor, found, error=error)


@post("/firmware/{image_id:str}/retire", opt={"needs_proof": True})
async def retire_firmware(pool: PoolIn, actor: ActorIn, image_id: FromPath[str]) -> Redirect:
    """Offer it no more."""
    allow(actor, "firmware:write")
    async with pool.acquire() as conn, conn.transaction():
        await service.retire_image(conn, actor, uuid_of(image_id, "firmware"))
    return Redirect("/firmware", status_code=303)


# ------------------------------------------------------------------------------------------------------- rollouts


@post("/firmware/{image_id:str}/rollout", status_code=200, opt={"needs_proof": True})
async def begin_rollout(
    request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn, image_id: FromPath[str]
) -> Response[Any]:
    """Bring stations to an image."""
    allow(actor, "firmware:write")
    found = uuid_of(image_id, "firmware")
    given = await _fields(request)
    try:
        wanted = _rollout_from(given, found)
        await service.check_before_use(pool, actor.party_id, found, settings.firmware_signers)
        async with pool.acquire() as conn, conn.transaction():
            rollout = await campaigns.create_rollout(conn, actor, wanted)
    except NotFound:
        raise
    except Invalid as invalid:
        return await _image_page(
            request, pool, actor, found, given=given, errors={invalid.field or "name": told(invalid)}
        )
    except OhmsteadError as refused:
        return await _image_page(request, pool, actor, found, given=given, errors={"stations": told(refused)})
    return Redirect(f"/rollouts/{rollout.rollout_id}", status_code=303)


def _rollout_from(given: dict[str, str], image_id: UUID) -> NewRollout:
    """Raises Invalid with the field that does not fit."""
    ids = given.get("stations", "").replace(",", " ").split()
    hours = {name: _time(given, name) for name in ("window_from", "window_to")}
    raw = {
        "image_id": image_id,
        "name": given.get("name", ""),
        "stations": Filter(station_ids=ids or None),
        "waves": [_number(part, "waves") for part in given.get("waves", "").replace(",", " ").split()],
        "at_once": _whole(given, "at_once"),
        "failure_limit_percent": _whole(given, "failure_limit_percent"),
        "only_idle": given.get("only_idle") == "yes",
        **hours,
    }
    try:
        return msgspec.convert(msgspec.to_builtins(raw), NewRollout)
    except msgspec.ValidationError as error:
        field, why = fault_of(error)
        raise Invalid(in_words(why), field.partition(".")[0].partition("[")[0]) from error


def _whole(given: dict[str, str], field: str) -> int:
    return _number(given.get(field) or ROLLOUT[field], field)


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(f"{text[:20]!r} is no whole number", field)
    return int(text)


def _time(given: dict[str, str], field: str) -> time | None:
    try:
        return time.fromisoformat(given[field]) if given.get(field) else None
    except ValueError:
        raise Invalid("a time of day, as 22:00", field) from None


@get("/rollouts/{rollout_id:str}")
async def rollout_page(request: PageRequest, pool: PoolIn, actor: ActorIn, rollout_id: FromPath[str]) -> Response[str]:
    """How a rollout goes, station by station."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        rollout = await queries.get_rollout(conn, actor.party_id, uuid_of(rollout_id, "rollout"))
    n = len(rollout.stations)
    n_over = sum(rollout.counts.get(word, 0) for word in ("installed", "failed", "skipped"))
    return page(request, "console/rollout.html", rollout=rollout, n=n, n_over=n_over, remark=remark)


@post("/rollouts/{rollout_id:str}/{verb:str}")
async def steer_rollout(pool: PoolIn, actor: ActorIn, rollout_id: FromPath[str], verb: FromPath[str]) -> Redirect:
    """Pause it, go on, or end it."""
    allow(actor, "firmware:write")
    if verb not in _VERBS:
        raise NotFound("there is nothing here")
    async with pool.acquire() as conn, conn.transaction():
        await campaigns.steer(conn, actor, uuid_of(rollout_id, "rollout"), _VERBS[verb])
    return Redirect(f"/rollouts/{rollout_id}", status_code=303)


# -------------------------------------------------------------------------------------------- a station's files


@get("/stations/{station_id:str}/files")
async def station_files(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """Logs that a station sent, firmware that it was told to install."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        await queries.require_station(conn, actor.party_id, station_id)
        logs = await queries.list_jobs(conn, actor.scope, station_id=station_id) if view.may("logs:read") else []
        installs = await queries.list_jobs(
            conn, actor.scope, station_id=station_id, kinds=("firmware", "publish"), limit=20
        )
        images = [image for image in await queries.list_images(conn, actor.party_id) if image.stored_at]
    context: dict[str, Any] = {"station_id": station_id, "logs": logs, "installs": installs, "images": images}
    return page(request, "console/station_files.html", **context, log_kinds=LOGS, remark=remark)


@post("/stations/{station_id:str}/files/log")
async def order_log(request: PageRequest, file_desk: FileDeskIn, actor: ActorIn, station_id: FromPath[str]) -> Redirect:
    """Have it send a log."""
    allow(actor, "commands:send")
    given = await _fields(request)
    wanted = msgspec.convert({"log": given.get("log", "diagnostics")}, LogRequest)
    await file_desk.order_log(actor, station_id, wanted, timeout_s=WAIT_S)
    return Redirect(f"/stations/{quote(station_id, safe='')}/files", status_code=303)


@post("/stations/{station_id:str}/files/firmware")
async def order_firmware(
    request: PageRequest, file_desk: FileDeskIn, actor: ActorIn, station_id: FromPath[str]
) -> Redirect:
    """Have it install an image."""
    allow(actor, "firmware:write")
    given = await _fields(request)
    wanted = FirmwareRequest(image_id=uuid_of(given.get("image_id", ""), "firmware"))
    await file_desk.order_firmware(actor, station_id, wanted, timeout_s=WAIT_S)
    return Redirect(f"/stations/{quote(station_id, safe='')}/files", status_code=303)


@get("/logs/{log_id:str}")
async def log_page(
    request: PageRequest, pool: PoolIn, actor: ActorIn, storage: StorageIn, log_id: FromPath[str]
) -> Response[str]:
    """What is in a log, and the text of one of its files, from a place on or where a word stands."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "logs:read")
        log = await queries.get_log(conn, actor.party_id, uuid_of(log_id, "log"))
    readable = [m for m in log.members if m.sha256 and m.is_text]
    wanted = view.query["file"]
    member = next((m for m in readable if str(m.position) == wanted), readable[0] if readable and not wanted else None)
    search = view.query["q"].strip()[:200]
    offset, _, number = view.query["at"].partition("-")
    lines = None
    if member is not None and member.sha256 is not None:
        at = (int(offset), int(number)) if offset.isdecimal() and number.isdecimal() else (0, 1)
        lines = await read_lines(storage, member.sha256, offset=at[0], number=at[1], limit=LINES, search=search)
    return page(request, "console/log.html", log=log, member=member, lines=lines, search=search)


@get("/logs/{log_id:str}/file")
async def log_file(pool: PoolIn, actor: ActorIn, storage: StorageIn, log_id: FromPath[str]) -> Stream:
    """The log as it came."""
    allow(actor, "logs:read")
    async with pool.acquire() as conn:
        job = await queries.get_job(conn, actor.party_id, uuid_of(log_id, "log"), ("log",))
    if job.sha256 is None:
        raise NotFound("the station has not sent it")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(job.name)}"}
    return Stream(storage.read(job.sha256), media_type="application/octet-stream", headers=headers)


async def _fields(request: PageRequest) -> dict[str, str]:
    form = await request.form()
    return {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}


HANDLERS = [
    firmware,
    announce_firmware,
    image_page,
    upload_firmware,
    retire_firmware,
    begin_rollout,
    rollout_page,
    steer_rollout,
    station_files,
    order_log,
    order_firmware,
    log_page,
    log_file,
]
