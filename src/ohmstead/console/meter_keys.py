"""Whose signature do a station's readings bear? The keys of its meters, pinned, put in the place of others, and removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.console.configuration import shown, station_of
from ohmstead.console.forms import faults_of, form_of, whole_in
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.sessions.signed import service as signed
from ohmstead.sessions.signed.model import NewMeterKey

FIELDS: Final = ("public_key", "evse_number", "serial")
_PROVED: Final[dict[str, Any]] = {"needs_proof": True}


@post("/stations/{station_id:str}/meter-keys", status_code=200, opt=_PROVED)
async def pin_key(
    request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn, station_id: FromPath[str]
) -> Response[Any]:
    """Readings of an outlet are checked with this key from now on; the one before ends."""
    allow(actor, "stations:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        await station_of(conn, actor, station_id)
        try:
            values = {name: given.fields.get(name, "") for name in ("public_key", "serial")}
            number = whole_in(given, "evse_number")
            if number is None:
                raise Invalid("say which outlet", "evse_number")
            wanted = msgspec.convert(values | {"evse_number": number}, NewMeterKey)
            async with conn.transaction():
                await signed.register_key(conn, actor, station_id, wanted)
        except (msgspec.ValidationError, Invalid) as error:
            return await shown(request, conn, actor, settings, station_id, given.fields, faults_of(error, FIELDS))
        except Conflict as error:
            told = {"public_key": error.text}
            return await shown(request, conn, actor, settings, station_id, given.fields, told)
    return _back(station_id)


@post("/stations/{station_id:str}/meter-keys/remove", status_code=200, opt=_PROVED)
async def remove_key(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Redirect:
    """The key of an outlet ends, and none takes its place yet."""
    allow(actor, "stations:write")
    given = await form_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await station_of(conn, actor, station_id)
        await signed.remove_key(conn, actor, station_id, whole_in(given, "evse_number") or 0)
    return _back(station_id)


def _back(station_id: str) -> Redirect:
    return Redirect(f"/stations/{quote(station_id, safe='')}/configuration#meter-keys", status_code=303)


HANDLERS: Sequence[Any] = [pin_key, remove_key]
