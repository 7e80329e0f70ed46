"""Who did what? The audit log with its filters, every change as before and after, and the check of its chain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Response, get
from msgspec import Struct

from ohmstead.accounts.access import ADMIN
from ohmstead.accounts.audit import queries, service
from ohmstead.accounts.audit.queries import AuditFilter
from ohmstead.accounts.model import AuditEntry
from ohmstead.console.audit_words import fault_text
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.core.language import N_, _, n_
from ohmstead.ui.templating import Query, page

SHOWN = 100
# Themes of actions by what they begin with.
THEMES = {
    "station.": N_("Stations"),
    "location.": N_("Locations"),
    "token.": N_("Tokens"),
    "reservation.": N_("Reservations"),
    "template.": N_("Templates"),
    "firmware.": N_("Firmware"),
    "rollout.": N_("Rollouts"),
    "certificate.": N_("Certificates"),
    "bulk_command.": N_("Orders to many"),
    "api_key.": N_("API keys"),
    "operator.": N_("People"),
    "webhook.": N_("Webhooks"),
    "notification_template.": N_("Words of messages"),
    "party.": N_("Network"),
}
_PLACES = {
    "station": "/stations/{}",
    "template": "/templates/{}",
    "rollout": "/rollouts/{}",
    "bulk_command": "/bulk/{}",
    "webhook": "/settings/webhooks/{}",
}


class FieldChange(Struct, frozen=True):
    """A field as it was and as it is, in words."""

    name: str
    before: str
    after: str


@get("/security/audit")
async def audit(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The log, newest first; `?check=yes` reckons the whole chain anew."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ADMIN)
        q = view.query
        only = _filter(q, view.zone)
        found = await queries.list_entries(conn, actor.party_id, only, before=_key(q["after"]), limit=SHOWN + 1)
        actors = await queries.list_actors(conn, actor.party_id)
        verdict = await service.verify(conn, actor.party_id) if q["check"] == "yes" else None
        head = await queries.find_head(conn, actor.party_id)
    return page(
        request,
        "console/audit.html",
        headline=n_(
            "%(n)s entry, each linked to the one before.", "%(n)s entries, each linked to the one before.", head.number
        ),
        entries=found[:SHOWN],
        next_after=_key_text(found[SHOWN - 1]) if len(found) > SHOWN else None,
        actors=actors,
        themes=THEMES,
        verdict=verdict,
        place_of=place_of,
        changes_of=changes_of,
        value_in_words=said,
        fault_text=fault_text,
        export=_export(only),
    )


def place_of(thing: str) -> str | None:
    """The page of an entry's object; None where it has none."""
    kind, _, name = thing.partition("/")
    return _PLACES[kind].format(quote(name, safe="")) if kind in _PLACES and name else None


def changes_of(entry: AuditEntry) -> list[FieldChange]:
    """What changed, field by field; structures field by field too, as far as they are alike."""
    found: list[FieldChange] = []
    for name, change in entry.changes.items():
        before, after = change.get("before"), change.get("after")
        if isinstance(before, dict) and isinstance(after, dict):
            for key in sorted(before.keys() | after.keys()):
                if before.get(key) != after.get(key):
                    found.append(FieldChange(f"{_words(name)}: {key}", said(before.get(key)), said(after.get(key))))
        else:
            found.append(FieldChange(_words(name), said(before), said(after)))
    return found


def said(value: Any) -> str:
    """A value in words."""
    match value:
        case None | "" | [] | {}:
            return _("nothing")
        case True:
            return _("yes")
        case False:
            return _("no")
        case str():
            return value
        case list() if all(isinstance(one, str | int | float) for one in value):
            return ", ".join(str(one) for one in value)
    return json.dumps(value, ensure_ascii=False)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _filter(q: Query, zone: tzinfo) -> AuditFilter:
    until = _day(q["to"], zone)
    return AuditFilter(
        actor=q["actor"][:200] or None,
        action=q["about"] if q["about"] in THEMES else None,
        object=_clean(q["object"])[:200] or None,
        q=_clean(q["q"]).strip()[:100] or None,
        since=_day(q["from"], zone),
        until=until + timedelta(days=1) if until is not None else None,
    )


def _clean(text: str) -> str:
    return text.replace("\0", "").encode(errors="ignore").decode()


def _day(text: str, zone: tzinfo) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError:
        return None


def _export(only: AuditFilter) -> Mapping[str, str]:
    given = {"object": only.object, "actor": only.actor, "action": only.action, "q": only.q}
    given |= {
        "from": only.since.isoformat() if only.since else None,
        "to": only.until.isoformat() if only.until else None,
    }
    kept = {name: value for name, value in given.items() if value}
    return {form: "/api/v1/audit-log?" + urlencode({**kept, "format": form}) for form in ("csv", "ndjson")}


def _key(text: str) -> tuple[datetime, int] | None:
    """Where a page begins; from the first one where the address holds no such place."""
    at, _, entry_id = text.partition("_")
    try:
        key = datetime.fromisoformat(at), int(entry_id)
    except ValueError:
        return None
    return key if key[0].tzinfo is not None and 0 <= key[1] < 2**63 else None


def _key_text(entry: AuditEntry) -> str:
    return f"{entry.at.isoformat()}_{entry.entry_id}"
