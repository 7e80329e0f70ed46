"""Which outlets are kept, and for whom?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import UNSET

from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_, told
from ohmstead.doorway import WITHIN
from ohmstead.reservations import changes, holds, queries
from ohmstead.reservations import service as reservations
from ohmstead.reservations.model import OPEN, NewReservation, ReservationChange
from ohmstead.reservations.queries import ReservationFilter
from ohmstead.ui.templating import page

SHOWN = 200
LONGEST_MIN = 14 * 24 * 60
# tone and word of each status
LOOKS = {
    "requested": ("attention", N_("Asked for")),
    "accepted": ("working", N_("Agreed")),
    "active": ("working", N_("Kept free")),
    "used": ("ok", N_("Used")),
    "refused": ("failed", N_("Refused")),
    "expired": ("off", N_("Expired")),
    "no_show": ("attention", N_("Nobody came")),
    "cancelled": ("off", N_("Cancelled")),
}


@get("/reservations", opt=WITHIN)
async def reservations_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, with the form for one more."""
    return await _page(request, pool, actor, {}, {})


@post("/reservations", status_code=200, opt=WITHIN)
async def add_reservation(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Reserve an outlet from now on."""
    allow(actor, "reservations:write")
    form = await request.form()
    given = {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}
    try:
        wanted = _wanted(given)
        async with pool.acquire() as conn, conn.transaction():
            await reservations.book(conn, actor, wanted)
    except (Invalid, NotFound, Conflict, Refused) as error:
        return await _page(request, pool, actor, given, {_field(error): told(error)})
    await _tell(bus)
    return Redirect("/reservations", status_code=303)


@post("/reservations/{reservation_id:str}/cancel", status_code=200)
async def cancel_reservation(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, reservation_id: FromPath[str]
) -> Response[Any]:
    """Let an outlet go; one that is over already stays as it is."""
    allow(actor, "reservations:write")
    try:
        async with pool.acquire() as conn, conn.transaction():
            await reservations.cancel(conn, actor, uuid_of(reservation_id, "reservation"))
    except Conflict as error:
        return await _page(request, pool, actor, {}, {"list": told(error)})
    await _tell(bus)
    return Redirect("/reservations", status_code=303)


@post("/reservations/{reservation_id:str}/change", status_code=200)
async def change_reservation(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, reservation_id: FromPath[str]
) -> Response[Any]:
    """Another end, token or outlet; what is left empty stays."""
    allow(actor, "reservations:write")
    form = await request.form()
    given = {k: v.strip() for k, v in form.items() if isinstance(v, str)}
    known = uuid_of(reservation_id, "reservation")
    async with pool.acquire() as conn:
        await queries.get_reservation(conn, actor.party_id, known)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await changes.change(conn, actor, known, _change(given))
    except (Invalid, NotFound, Conflict, Refused) as error:
        return await _page(request, pool, actor, {}, {"list": _("Not changed: %(why)s", why=told(error))})
    await _tell(bus)
    return Redirect("/reservations", status_code=303)


async def _tell(bus: BusIn) -> None:
    await bus.publish(holds.NUDGE, {})
    await bus.publish(NUDGE, {})


async def _page(
    request: PageRequest, pool: PoolIn, actor: ActorIn, given: Mapping[str, str], errors: Mapping[str, str]
) -> Response[str]:
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "reservations:read")
        wanted = ReservationFilter(open=view.query.get("show") == "open", station=view.query.get("station") or None)
        found = await queries.list_reservations(conn, actor.scope, wanted, limit=SHOWN)
        counts = await queries.count_by_state(conn, actor.scope, clock.now())
    return page(
        request,
        "console/reservations.html",
        status=422 if errors else 200,
        headline=headline(counts),
        found=found,
        counts=counts,
        looks=LOOKS,
        is_open=lambda r: r.status in OPEN,
        given=given,
        errors=errors,
    )


def headline(counts: Mapping[str, int]) -> str:
    """The answer in one sentence."""
    kept, asked, missed = counts.get("active", 0), counts.get("requested", 0), counts.get("no_show", 0)
    coming = counts.get("accepted", 0)
    if not any((kept, asked, coming, missed)):
        return _("No outlet is reserved.")
    free = n_("%(n)s outlet kept free", "%(n)s outlets kept free", kept) if kept else _("No outlet kept free")
    parts = [free]
    if coming + asked:
        parts.append(_("%(n)s to come", n=coming + asked))
    if missed:
        parts.append(_("%(n)s to which nobody came since yesterday", n=missed))
    return ", ".join(parts) + "."


def _change(given: Mapping[str, str]) -> ReservationChange:
    minutes, evse, uid = given.get("minutes", ""), given.get("evse_number", ""), given.get("token_uid", "")
    return ReservationChange(
        until_at=clock.now() + timedelta(minutes=_minutes(minutes)) if minutes else UNSET,
        evse_number=_evse_number(evse) if evse else UNSET,
        token_uid=uid or UNSET,
    )


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7 and 0 < int(text) <= LONGEST_MIN):
        raise Invalid(f"Minutes, 1 to {LONGEST_MIN}.", "minutes")
    return int(text)


def _evse_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text) > 0):
        raise Invalid("A number from 1, or nothing for any.", "evse_number")
    return int(text)


def _wanted(given: Mapping[str, str]) -> NewReservation:
    minutes, evse = _minutes(given.get("minutes", "")), given.get("evse_number", "")
    evse_number = _evse_number(evse) if evse else None
    if not given.get("station_id"):
        raise Invalid("Which station?", "station_id")
    if not given.get("token_uid"):
        raise Invalid("For whom? Give a token.", "token_uid")
    return NewReservation(
        station_id=given["station_id"],
        evse_number=evse_number,
        token_uid=given["token_uid"],
        until_at=clock.now() + timedelta(minutes=minutes),
    )


def _field(error: OhmsteadError) -> str:
    if isinstance(error, Invalid):
        return error.field
    return "token_uid" if isinstance(error, Refused) else "station_id"
