"""No more of these mails: without signing in, by an address that only the mail's reader has (RFC 8058).

Opening it changes nothing: mail programs look at addresses by themselves. A form, or the mail program's one click, does.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.language import _
from ohmstead.driver.frame import PageRequest, PoolIn, SettingsIn, drawn, form_of
from ohmstead.notifications import service, unsubscribing
from ohmstead.notifications.kinds import KINDS
from ohmstead.notifications.unsubscribing import Unsubscription

PATH = unsubscribing.PATH + "{token:str}"
_UNKEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@get(PATH)
async def unsubscribe_page(request: PageRequest, settings: SettingsIn, token: FromPath[str]) -> Response[Any]:
    """What would be turned off, and the button that does it."""
    return _page(request, _wanted(settings, token), token)


@post(PATH, status_code=200, opt={"shows_own_secret": True})
async def unsubscribe(request: PageRequest, pool: PoolIn, settings: SettingsIn, token: FromPath[str]) -> Response[Any]:
    """Turn it off: mails of this kind, or, where the form says so, all that can be."""
    wanted = _wanted(settings, token)
    is_all = (await form_of(request)).get("which") == "all"
    async with pool.acquire() as conn, conn.transaction():
        try:
            await service.turn_off(conn, wanted.party_id, wanted.driver_id, None if is_all else wanted.kind)
        except (Refused, NotFound):
            raise NotFound("this address leads nowhere any more") from None
    return _page(request, wanted, token, done="all" if is_all else "one")


def _wanted(settings: SettingsIn, token: str) -> Unsubscription:
    found = unsubscribing.read(settings.secret(), token[:600])
    if found is None or found.kind not in KINDS or not KINDS[found.kind].is_optional:
        raise NotFound("this address leads nowhere any more")
    return found


def _page(request: PageRequest, wanted: Unsubscription, token: str, done: str = "") -> Response[Any]:
    title = _(KINDS[wanted.kind].title)
    return drawn(request, "unsubscribe.html", headers=_UNKEPT, token=token, kind=title, done=done)


HANDLERS = [unsubscribe_page, unsubscribe]
