"""A party's own words: reading, changing, previewing, trying, and going back to those that come along."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.language import _, languages, speaking
from ohmstead.notifications import mailing, queries, rendering, service, store
from ohmstead.notifications.kinds import KINDS, VARIABLES, Kind
from ohmstead.notifications.model import Recipient
from ohmstead.notifications.rendering import Words


class TemplateVariable(Struct, frozen=True, kw_only=True):
    """A value that words can use."""

    name: str
    meaning: str
    example: Annotated[Any, Meta(description="As previews have it.")]


class MessageTemplate(Struct, frozen=True, kw_only=True):
    """The words of a kind of message in a language."""

    kind: str
    language: str
    title: Annotated[str, Meta(description="What the kind is for.")]
    theme: str
    subject: Annotated[str, Meta(description="A template: `{{ variable }}`, `{% if variable %}…{% endif %}`.")]
    body: Annotated[
        str,
        Meta(description="Likewise; an empty line begins a paragraph, `**bold**`, `[label](address)` is a button."),
    ]
    is_own: Annotated[bool, Meta(description="The party's own; false: those that come along.")]
    variables: list[TemplateVariable]
    updated_at: datetime | None
    updated_by: str | None


class MessageWords(Struct, kw_only=True, forbid_unknown_fields=True):
    """A party's own words."""

    subject: Annotated[str, Meta(min_length=1, max_length=rendering.MOST_SUBJECT)]
    body: Annotated[str, Meta(min_length=1, max_length=rendering.MOST_BODY)]


class MessagePreview(Struct, frozen=True, kw_only=True):
    """What words come to, with example values."""

    subject: str
    text: str
    html: str
    brief: Annotated[str, Meta(description="What small screens show.")]
    fragment: Annotated[str, Meta(description="The paragraphs as HTML, without the page around them.")]


async def list_templates(conn: Connection, party_id: UUID) -> list[MessageTemplate]:
    """Every kind in every language, kind by kind."""
    own = {(row["kind"], row["language"]): row for row in await queries.list_templates(conn, party_id)}
    return [
        _template(kind, language, own.get((kind.name, language))) for kind in KINDS.values() for language in languages()
    ]


async def get_template(conn: Connection, party_id: UUID, kind: str, language: str) -> MessageTemplate:
    """Raises NotFound."""
    return _template(_known(kind, language), language, await queries.find_template(conn, party_id, kind, language))


async def put_template(
    conn: Connection, actor: Actor, kind: str, language: str, given: MessageWords
) -> MessageTemplate:
    """Raises NotFound, Invalid."""
    words = rendering.check(_known(kind, language), Words(given.subject, given.body))
    await store.put_template(
        conn, actor.party_id, kind, language, words.subject, words.body, actor.actor_id, clock.now()
    )
    await accounts.audit(conn, actor, "notification_template.changed", f"notification_template/{kind}/{language}")
    return await get_template(conn, actor.party_id, kind, language)


async def reset_template(conn: Connection, actor: Actor, kind: str, language: str) -> MessageTemplate:
    """Back to the words that come along. Raises NotFound."""
    _known(kind, language)
    if await store.delete_template(conn, actor.party_id, kind, language):
        await accounts.audit(conn, actor, "notification_template.reset", f"notification_template/{kind}/{language}")
    return await get_template(conn, actor.party_id, kind, language)


async def preview(
    conn: Connection, party_id: UUID, kind: str, language: str, given: MessageWords | None = None
) -> MessagePreview:
    """Words with example values; None: as they are kept. Raises NotFound, Invalid."""
    known = _known(kind, language)
    party = await store.get_party(conn, party_id)
    if given is None:
        row = await queries.find_template(conn, party_id, kind, language)
        words = Words(row["subject"], row["body"]) if row else None
    else:
        words = rendering.check(known, Words(given.subject, given.body))
    data = {**known.example(), "network": party["name"]}
    try:
        rendered = rendering.render(known, words, data, language, party["time_zone"], _EXAMPLE_NOW)
    except ValueError as error:
        raise Invalid(str(error), field="body") from error
    below = "https://charge.example.com/unsubscribe/…" if known.is_optional else None
    return MessagePreview(
        subject=rendered.subject,
        text=mailing.text_of(rendered, party["name"], language, below),
        html=mailing.page_of(rendered, party["name"], language, below),
        brief=rendered.brief,
        fragment=rendered.html,
    )


async def send_test(conn: Connection, actor: Actor, kind: str, language: str) -> UUID:
    """Send the kept words with example values to whoever asks, by e-mail. Returns the message's id.

    Raises NotFound, and Refused for keys and for people without an e-mail address.
    """
    known = _known(kind, language)
    operator_id = actor.operator_id
    if operator_id is None:
        raise Refused("only a person can be sent a test")
    to = Recipient(operator_id=operator_id, language=language)
    data = {**known.example(), "link": None, "block_link": None}
    made = await service.queue(conn, actor.party_id, kind=kind, to=to, data=data, key=f"test:{new_id()}")
    if not made:
        raise Refused("you work for another party here, and cannot be sent a test")
    found = (await queries.get_notification(conn, actor.party_id, made[0])).notification
    if found.reason == "no_address":
        raise Refused("you have no e-mail address here")
    return made[0]


async def find_words(conn: Connection, party_id: UUID, kind: str, language: str) -> Words | None:
    """A party's own words; None: those that come along are used."""
    row = await queries.find_template(conn, party_id, kind, language)
    return Words(row["subject"], row["body"]) if row else None


_EXAMPLE_NOW = datetime.fromisoformat("2026-03-02T12:59:00+00:00")


def _known(kind: str, language: str) -> Kind:
    if kind not in KINDS or language not in languages():
        raise NotFound(f"no template {kind[:60]} in {language[:20]}")
    return KINDS[kind]


def _template(kind: Kind, language: str, own: Row | None) -> MessageTemplate:
    with speaking(language):
        subject, body = (own["subject"], own["body"]) if own else (_(kind.subject), _(kind.body))
    return MessageTemplate(
        kind=kind.name,
        language=language,
        title=kind.title,
        theme=kind.theme,
        subject=subject,
        body=body,
        is_own=own is not None,
        variables=[
            TemplateVariable(name=name, meaning=VARIABLES[name].meaning, example=VARIABLES[name].example)
            for name in kind.allowed
        ],
        updated_at=own["updated_at"] if own else None,
        updated_by=own["updated_by"] if own else None,
    )
