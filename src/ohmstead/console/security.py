"""Is somebody at the door? The page Security, who was turned away at the gateway, and what stations told of themselves."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from ohmstead.accounts.access import Actor
from ohmstead.accounts.audit import service as audit
from ohmstead.accounts.signin import service as signin
from ohmstead.console.audit_words import fault_text
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.core.db import Connection
from ohmstead.core.language import N_, _, n_
from ohmstead.doorway import WITHIN
from ohmstead.reports import concerns
from ohmstead.reports import queries as reports
from ohmstead.reports.security import queries, service
from ohmstead.reports.security.model import (
    TOLD_BY_STATIONS,
    RefusalFilter,
    SecuritySignal,
    SignalFilter,
    TurnedAway,
    Watched,
)
from ohmstead.reports.security.words import REASONS
from ohmstead.ui import figures
from ohmstead.ui.templating import View, page

SHOWN: Final = 100
LATEST: Final = 6
EXPORTED: Final = 100_000
# Longer chains are checked when somebody asks, on the page of the log.
CHECKED_AT_ONCE: Final = 5_000
DAYS: Final = {"1": N_("the last day"), "7": N_("the last week"), "30": N_("the last 30 days"), "all": N_("all times")}
KNOWN: Final = {"all": None, "known": True, "unknown": False}


@get("/security", opt=WITHIN)
async def overview(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The figures of the last day beside the week, the latest of each kind, and the state of the chain."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await service.summary(conn, actor, view.now)
        since = view.now - service.WEEK
        away = await queries.list_turned_away(conn, actor.scope, RefusalFilter(since=since), limit=LATEST)
        told = SignalFilter(kind=TOLD_BY_STATIONS, since=since)
        events = await queries.list_signals(conn, actor.scope, told, limit=LATEST)
        ending = await reports.ending_certificates(conn, actor.scope, view.now + concerns.CERTIFICATE_SOON)
        refused = []
        if found.day.n_refused_sign_ins is not None:
            refused = await signin.list_attempts(
                conn, actor.party_id, outcome="refused", operator_id=None, before=None, limit=LATEST
            )
        is_short = found.audit is not None and found.audit.n_entries <= CHECKED_AT_ONCE
        verdict = await audit.verify(conn, actor.party_id) if is_short else None
    return page(
        request,
        "console/security.html",
        headline=headline(found.day),
        found=found,
        away=away,
        events=events,
        ending=ending[:LATEST],
        refused=[one for one in refused if one.at >= since],
        verdict=verdict,
        fault_text=fault_text,
    )


def headline(day: Watched) -> tuple[str, str]:
    """What is a matter for somebody, and the rest, in the last day."""
    if not day.n_turned_away:
        quiet = _("Nobody was turned away in the last day.")
    elif day.n_of_stations:
        quiet = n_(
            "%(n)s attempt to connect was turned away in the last day, %(ours)s under names of your stations.",
            "%(n)s attempts to connect were turned away in the last day, %(ours)s under names of your stations.",
            day.n_turned_away,
            ours=figures.number(day.n_of_stations),
        )
    else:
        quiet = n_(
            "%(n)s attempt to connect was turned away in the last day.",
            "%(n)s attempts to connect were turned away in the last day.",
            day.n_turned_away,
        )
    grave = ""
    if day.n_grave:
        grave = n_("%(n)s sign of an attack.", "%(n)s signs of an attack.", day.n_grave)
    return grave, quiet


# ------------------------------------------------------------------------------------------------- turned away


@get("/security/door", opt=WITHIN)
async def door(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Who was turned away at the gateway: identity, address, why, how often; the last to knock first."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        after = _key(view.query["after"], queries.RefusalKey)
        found = await _turned_away(conn, actor, view, after, SHOWN + 1)
        counts = await queries.count_signals(conn, actor.scope, view.now - service.DAY)
    show, days, _since = _wanted(view)
    return page(
        request,
        "console/door.html",
        found=found[:SHOWN],
        headline=headline(counts)[1],
        show=show,
        days=days,
        all_days=DAYS,
        reasons=sorted(REASONS.items(), key=lambda one: one[1]),
        export=_export(view),
        next_after=_text(queries.key_of(found[SHOWN - 1])) if len(found) > SHOWN else None,
    )


@get("/security/door.csv", opt=WITHIN)
async def door_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await _turned_away(conn, actor, view, None, EXPORTED)
    columns = list(TurnedAway.__struct_fields__)
    return csv_response("turned-away", columns, ([getattr(one, name) for name in columns] for one in found))


async def _turned_away(
    conn: Connection, actor: Actor, view: View, after: queries.RefusalKey | None, limit: int
) -> list[TurnedAway]:
    show, _days, since = _wanted(view)
    only = RefusalFilter(
        is_known=KNOWN[show],
        reason=view.query["reason"] if view.query["reason"] in REASONS else None,
        q=_clean(view.query["q"]),
        since=since,
    )
    return await queries.list_turned_away(conn, actor.scope, only, after=after, limit=limit)


def _wanted(view: View) -> tuple[str, str, datetime | None]:
    """Which of them, of how many days, and since when that is."""
    show = view.query["show"] if view.query["show"] in KNOWN else "all"
    days = view.query["days"] if view.query["days"] in DAYS else "7"
    return show, days, None if days == "all" else view.now - timedelta(days=int(days))


# ------------------------------------------------------------------------------------------------------ events


@get("/security/events", opt=WITHIN)
async def events(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """What stations told of themselves, and what was noticed here, newest first."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        before = _key(view.query["after"], tuple[datetime, int])
        found = await _signals(conn, actor, view, before, SHOWN + 1)
        week = await queries.count_signals(conn, actor.scope, view.now - service.WEEK)
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    return page(
        request,
        "console/security_events.html",
        found=found[:SHOWN],
        week=week,
        days=_wanted(view)[1],
        all_days=DAYS,
        show="every" if view.query["show"] == "every" else "all",
        export=_export(view),
        next_after=_text((last.at, last.signal_id)) if last else None,
    )


@get("/security/events.csv", opt=WITHIN)
async def events_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await _signals(conn, actor, view, None, EXPORTED)
    columns = list(SecuritySignal.__struct_fields__)
    rows = (
        [msgspec.json.encode(one.detail).decode() if name == "detail" else getattr(one, name) for name in columns]
        for one in found
    )
    return csv_response("security-events", columns, rows)


async def _signals(
    conn: Connection, actor: Actor, view: View, before: tuple[datetime, int] | None, limit: int
) -> list[SecuritySignal]:
    only = SignalFilter(
        kind=None if view.query["show"] == "every" else TOLD_BY_STATIONS,
        station_id=_clean(view.query["station"]),
        q=_clean(view.query["q"]),
        since=_wanted(view)[2],
    )
    return await queries.list_signals(conn, actor.scope, only, before=before, limit=limit)


# ------------------------------------------------------------------------------------------------------- words


def _clean(text: str) -> str | None:
    """What can be looked for; None for nothing."""
    return text.replace("\0", "").encode(errors="ignore").decode().strip()[:100] or None


def _export(view: View) -> str:
    kept = {name: value for name, value in view.query.items() if name != "after" and value}
    return f"{view.path}.csv" + (f"?{urlencode(kept)}" if kept else "")


def _text(key: Any) -> str:
    """A place in a list, for an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key(text: str, kind: Any) -> Any:
    """The place that it means; the list's beginning for what is none."""
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except ValueError:
        return None
    return key if key[0].tzinfo is not None and "\0" not in str(key) else None


HANDLERS: list[Any] = [overview, door, door_table, events, events_table]
