"""Do people hear of what concerns them? Messages with what became of them, in which words, and over which channels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor, may
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.language import N_, _, n_, name_of, spoken, told
from ohmstead.notifications import queries, service, templates
from ohmstead.notifications.kinds import FOR_OPERATORS, KINDS, THEMES
from ohmstead.notifications.model import CHANNELS, Notification, NotificationFilter
from ohmstead.notifications.rendering import MOST_BODY, MOST_SUBJECT
from ohmstead.notifications.templates import MessagePreview, MessageWords
from ohmstead.settings import Settings
from ohmstead.ui.templating import page

READ, WRITE = "notifications:read", "notifications:write"
HOME = "/settings/notifications"
SHOWN = 50
MOST_EXPORTED = 20_000
COLUMNS = (
    *("created_at", "kind", "channel", "driver_id", "address", "language", "status", "reason", "subject"),
    *("n_attempts", "finished_at", "last_answer", "last_error", "key"),
)
STATUSES = {"queued": N_("Waiting"), "sent": N_("Sent"), "failed": N_("Failed"), "dropped": N_("Not sent")}
CHANNEL_WORDS = {"email": N_("E-mail"), "sms": N_("SMS"), "push": N_("Push")}
REASONS = {
    "no_channel": N_("no channel configured"),
    "no_address": N_("the person left no address for it"),
    "quiet_hours": N_("quiet hours, and of no use after them"),
    "too_late": N_("too late to be of use"),
    "turned_off": N_("turned off meanwhile"),
    "erased": N_("the driver was erased"),
    "refused": N_("refused for good"),
    "given_up": N_("given up after many attempts"),
    "words": N_("its words make no sense"),
}


class ChannelState(Struct, frozen=True):
    """A channel of the installation."""

    name: str
    is_on: bool
    note: str


@get(HOME)
async def message_log(request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn) -> Response[str]:
    """The messages of the last ninety days, and how the channels are."""
    query = request.query_params
    only = _only(query)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, READ)
        before = _key(str(query.get("after", "")))
        rows = await queries.list_notifications(conn, actor.party_id, only, before=before, limit=SHOWN + 1)
        counts = await queries.count_notifications(conn, actor.party_id, view.now - timedelta(days=7))
        mine = None
        if actor.operator_id is not None:
            mine = await queries.list_operator_kinds(conn, actor.party_id, actor.operator_id)
    return page(
        request,
        "console/notifications.html",
        messages=rows[:SHOWN],
        next_after=_key_text(rows[SHOWN - 1]) if len(rows) > SHOWN else None,
        headline=headline(counts),
        channels=channels_of(settings),
        mine=mine,
        only=only,
        statuses=STATUSES,
        channel_words=CHANNEL_WORDS,
        reasons=REASONS,
        kinds=KINDS,
        themes=THEMES,
        for_operators=FOR_OPERATORS,
    )


@get(HOME + ".csv")
async def message_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """The same as a table, at most twenty thousand."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, READ)
        only = _only(request.query_params)
        rows = await queries.list_notifications(conn, actor.party_id, only, limit=MOST_EXPORTED)
    return csv_response("notifications", COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))


@post(HOME, status_code=200)
async def my_messages(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Redirect:
    """Of what I want to be told myself."""
    allow(actor, READ)
    form = await request.form()
    kinds = [value for value in form.getall("kinds", []) if isinstance(value, str)]
    if actor.operator_id is None:
        raise NotFound("only people are told")
    async with pool.acquire() as conn, conn.transaction():
        await service.set_operator_kinds(conn, actor.party_id, actor.operator_id, kinds)
    return Redirect(f"{HOME}?saved=yes", status_code=303)


@get(HOME + "/messages/{notification_id:str}")
async def message(request: PageRequest, pool: PoolIn, actor: ActorIn, notification_id: FromPath[str]) -> Response[str]:
    """One: what was sent, when, and what was said to it."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, READ)
        found = await queries.get_notification(conn, actor.party_id, uuid_of(notification_id, "notification"))
        # Whoever reads a code signs in as that driver: for those who may do anything with drivers already.
        code = None
        if may(actor, "drivers:write"):
            code = await queries.find_code(conn, actor.party_id, found.notification.notification_id, clock.now())
        if code is not None:
            await accounts.audit(conn, actor, "sign_in_code.read", f"notification/{found.notification.notification_id}")
    one = found.notification
    kind = KINDS.get(one.kind)
    return page(
        request,
        "console/notification.html",
        found=found,
        one=one,
        code=code,
        title=_(kind.title) if kind else one.kind,
        may_resend=one.status in ("sent", "failed", "dropped") and kind is not None and not kind.secret,
        channel_words=CHANNEL_WORDS,
        reasons=REASONS,
    )


@post(HOME + "/messages/{notification_id:str}", status_code=200)
async def resend(pool: PoolIn, actor: ActorIn, notification_id: FromPath[str]) -> Redirect:
    """Send it again."""
    allow(actor, WRITE)
    async with pool.acquire() as conn, conn.transaction():
        await service.resend(conn, actor.party_id, uuid_of(notification_id, "notification"))
    return Redirect(f"{HOME}/messages/{notification_id}", status_code=303)


@get(HOME + "/words")
async def word_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All kinds, and which words are the party's own; with a kind and a language: those words."""
    query = request.query_params
    kind, language = str(query.get("kind", "")), str(query.get("language", ""))
    async with pool.acquire() as conn:
        await opened(request, conn, actor, READ)
        if kind:
            return await _words_page(request, conn, actor, kind, language or spoken())
        found = await templates.list_templates(conn, actor.party_id)
    return page(
        request,
        "console/notification_words.html",
        kinds=KINDS,
        themes=THEMES,
        own={(one.kind, one.language) for one in found if one.is_own},
        codes=sorted({one.language for one in found}, key=lambda code: (code != "en", code)),
        name_of=name_of,
        channel_words=CHANNEL_WORDS,
    )


@post(HOME + "/words", status_code=200)
async def change_words(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Save them, see them, try them, or go back to those that come along."""
    allow(actor, WRITE)
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf_token"}
    kind, language = given.get("kind", ""), given.get("language", "")
    words = MessageWords(
        subject=given.get("subject", "")[: MOST_SUBJECT + 1], body=given.get("body", "")[: MOST_BODY + 1]
    )
    address = f"{HOME}/words?kind={kind}&language={language}"
    async with pool.acquire() as conn:
        await opened(request, conn, actor, WRITE)
        try:
            async with conn.transaction():
                match given.get("do"):
                    case "preview":
                        shown = await templates.preview(conn, actor.party_id, kind, language, words)
                        return await _words_page(request, conn, actor, kind, language, words, shown)
                    case "reset":
                        await templates.reset_template(conn, actor, kind, language)
                    case "test":
                        await templates.put_template(conn, actor, kind, language, words)
                        sent = await templates.send_test(conn, actor, kind, language)
                        address = f"{HOME}/messages/{sent}"
                    case _:
                        await templates.put_template(conn, actor, kind, language, words)
                        address += "&saved=yes"
        except (Invalid, Refused) as error:
            field = error.field if isinstance(error, Invalid) and error.field else "body"
            return await _words_page(request, conn, actor, kind, language, words, errors={field: told(error)})
    return Redirect(address, status_code=303)


async def _words_page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    kind: str,
    language: str,
    words: MessageWords | None = None,
    shown: MessagePreview | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response[str]:
    found = await templates.get_template(conn, actor.party_id, kind, language)
    if shown is None and not errors:
        shown = await templates.preview(conn, actor.party_id, kind, language)
    return page(
        request,
        "console/notification_template.html",
        status=422 if errors else 200,
        found=found,
        given={"subject": words.subject, "body": words.body}
        if words is not None
        else {"subject": found.subject, "body": found.body},
        shown=shown,
        errors=errors or {},
        language_name=name_of(language),
    )


def channels_of(settings: Settings) -> list[ChannelState]:
    """Which channels the installation has."""
    return [
        ChannelState("email", settings.smtp_url is not None, "OHMSTEAD_SMTP_URL"),
        ChannelState("sms", settings.sms_url is not None, "OHMSTEAD_SMS_URL"),
        ChannelState("push", True, ""),
    ]


def headline(counts: Mapping[str, int]) -> tuple[str, str]:
    """What did not get through within a week, and the rest."""
    n_failed, n_sent = counts.get("failed", 0), counts.get("sent", 0)
    sent = n_("%(n)s message sent within a week.", "%(n)s messages sent within a week.", n_sent)
    if not n_failed:
        return "", sent if counts else _("Nobody was told anything within a week.")
    return n_("%(n)s message failed,", "%(n)s messages failed,", n_failed), sent


def _only(query: Mapping[str, Any]) -> NotificationFilter:
    def one_of(name: str, known: Any) -> Any:
        value = str(query.get(name, ""))
        return value if value in known else None

    return NotificationFilter(
        status=one_of("show", STATUSES),
        channel=one_of("channel", CHANNELS),
        kind=one_of("kind", KINDS),
        q=str(query.get("q", "")).strip()[:100] or None,
    )


def _key(text: str) -> tuple[datetime, UUID] | None:
    """Where a page begins; from the first one where the address holds no such place."""
    at, _underline, notification_id = text.partition("_")
    try:
        key = datetime.fromisoformat(at), UUID(notification_id)
    except ValueError:
        return None
    return key if key[0].tzinfo is not None else None


def _key_text(one: Notification) -> str:
    return f"{one.created_at.isoformat()}_{one.notification_id}"


HANDLERS = [message_log, message_table, my_messages, message, resend, word_list, change_words]
