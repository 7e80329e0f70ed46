"""Codes that stations show, with a password that is good once (OCPP 2.1 C25): looked at when the page is opened.

Leave to pay that came of a good one is kept in the browser for its five minutes, so that loading the page again is no
forgery.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response
from litestar.datastructures import Cookie

from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.language import N_, _
from ohmstead.doorway import is_https
from ohmstead.driver.frame import PageRequest, drawn
from ohmstead.reports.plugs import queries
from ohmstead.sessions.payments import service as payments
from ohmstead.sessions.payments.model import Refusal, Scan

COOKIE: Final = "ohmstead-leave"
_PURPOSE: Final = "driver leave"
_WHY: Final = {
    "not_set_up": N_("This station shows no codes of that kind. The sticker at the plug leads you to its page."),
    "unknown_evse": N_("The station has no such plug. Scan the code again."),
    "unknown_version": N_("This code is of a kind that nobody here knows. Scan the code that the station shows now."),
    "password_form": N_("This is no code of this station. If it is on a sticker, do not pay there, and call for help."),
    "password_wrong": N_("This code is over. Scan the one that the station shows now."),
    "password_used": N_("This code was used. Wait for the next one at the station, then scan it."),
    "being_paid": N_("Somebody else is paying for this plug at the moment. Try again in a few minutes."),
}


class Leave(msgspec.Struct, array_like=True):
    """Leave to pay, as a browser keeps it."""

    web_payment_id: UUID
    station_id: str
    evse_number: int


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of looking at a code: the page that says why not; or leave to pay, and the cookie that keeps it."""

    refusal: Response[Any] | None = None
    leave: str = ""
    cookie: Cookie | None = None


async def look_at(request: PageRequest, pool: Pool, station_id: str, evse_number: int, code: str) -> Looked:
    """A code that was just scanned. Raises NotFound. Loaded again, the page keeps the leave that its browser has."""
    if leave := leave_of(request, station_id, evse_number):
        return Looked(leave=leave)
    version = str(request.query_params.get("v", "v1"))
    try:
        wanted = msgspec.convert(
            {"station_id": station_id, "evse_number": evse_number, "totp": code, "version": version}, Scan
        )
    except msgspec.ValidationError:
        return Looked(refusal=_refused(request, "password_form"))
    async with pool.acquire() as conn, conn.transaction():
        plug = await queries.find_plug(conn, station_id, evse_number)
        if plug is None:
            raise NotFound(_("There is no such plug here. Check the number on the sticker, or call for help."))
        found = await payments.scan(conn, request.app.state.pepper, plug.party_id, wanted, clock.now())
    if isinstance(found, Refusal):
        return Looked(refusal=_refused(request, found.why, plug.help_phone))
    good_for_s = max(1.0, (found.expires_at - clock.now()).total_seconds())
    leave = msgspec.to_builtins(Leave(found.web_payment_id, station_id, evse_number))
    kept = Cookie(
        key=COOKIE,
        value=_seals(request).note_text(_PURPOSE, leave, clock.now(), good_for_s),
        max_age=max(1, int(good_for_s)),
        path="/drive",
        httponly=True,
        secure=is_https(request.app.state.settings),
        samesite="lax",
    )
    return Looked(leave=str(found.web_payment_id), cookie=kept)


def leave_of(request: PageRequest, station_id: str, evse_number: int) -> str:
    """The leave that this browser has for an outlet, as the id of its web payment; "" for none."""
    try:
        content = _seals(request).open(_PURPOSE, request.cookies.get(COOKIE, ""), clock.now()).content
        leave = msgspec.convert(content, Leave)
    except (Refused, Invalid, msgspec.ValidationError):
        return ""
    return str(leave.web_payment_id) if (leave.station_id, leave.evse_number) == (station_id, evse_number) else ""


def _seals(request: PageRequest) -> Seals:
    seals: Seals = request.app.state.sign_in_desk.seals
    return seals


def _refused(request: PageRequest, why: str, help_phone: str = "") -> Response[Any]:
    again = request.scope["path"] if why in ("not_set_up", "being_paid", "password_wrong", "password_used") else ""
    title, text = _("This code is not good"), _(_WHY[why])
    return drawn(request, "bad_code.html", status=409, help_phone=help_phone, title=title, why=text, again=again)
