"""/notifications: what people were told; /notification-templates: in which words; what a driver wants to be told."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.notifications import queries, service, templates
from ohmstead.notifications.model import (
    Channel,
    Notification,
    NotificationFilter,
    NotificationInFull,
    Preferences,
    PreferencesChange,
    Status,
)
from ohmstead.notifications.rendering import MOST_BODY, MOST_SUBJECT
from ohmstead.notifications.templates import MessagePreview, MessageTemplate, MessageWords

KEYSET = Keyset(item=Notification, type=tuple[datetime, UUID], of=lambda one: (one.created_at, one.notification_id))
TEMPLATES = Keyset(item=MessageTemplate, type=tuple[str, str], of=lambda one: (one.kind, one.language))


class NotificationQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the messages."""

    status: Annotated[Status | None, Meta(description="Of this status.")] = None
    channel: Annotated[Channel | None, Meta(description="Over this channel.")] = None
    kind: Annotated[str, Meta(max_length=60, description="Of this kind, as `charging_complete`.")] | None = None
    driver_id: Annotated[UUID | None, Meta(description="To this driver.")] = None
    q: Annotated[str, Meta(max_length=100, description="Found in address, subject, driver or key.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class MessageTemplateQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """The query of the templates."""

    kind: Annotated[str, Meta(max_length=60, description="Of this kind.")] | None = None
    language: Annotated[str, Meta(max_length=20, description="In this language.")] | None = None


class MessageTemplateName(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which words."""

    kind: Annotated[str, Meta(max_length=60)]
    language: Annotated[str, Meta(max_length=20)]


class NewMessageTemplate(MessageTemplateName, kw_only=True, forbid_unknown_fields=True):
    """Words of one's own."""

    subject: Annotated[str, Meta(min_length=1, max_length=MOST_SUBJECT)]
    body: Annotated[str, Meta(min_length=1, max_length=MOST_BODY)]


class SentTest(Struct, frozen=True, kw_only=True):
    """The message that was put into the queue."""

    notification_id: UUID


@get("/notifications", opt=operation("notifications:read", exports=(CSV, NDJSON)))
async def list_notifications(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[NotificationQuery]
) -> Response[Page[Notification]]:
    """List messages of the last ninety days, newest first: to whom, over which channel, and what came of them."""
    only = NotificationFilter(
        status=filters.status, channel=filters.channel, kind=filters.kind, driver_id=filters.driver_id, q=filters.q
    )

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Notification]:
        return await queries.list_notifications(conn, actor.party_id, only, before=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="notifications")


@get("/notifications/{notification_id:uuid}", opt=operation("notifications:read", errors=(404,)))
async def get_notification(
    pool: ThePool, actor: TheActor, notification_id: FromPath[UUID]
) -> Response[NotificationInFull]:
    """Read a message: its text as it was sent, and every attempt with what the provider answered."""
    async with pool.acquire() as conn:
        return answer(await queries.get_notification(conn, actor.party_id, notification_id))


@post(
    "/notifications/{notification_id:uuid}/resend",
    opt=operation("notifications:write", errors=(404, 409)),
    status_code=202,
)
async def resend_notification(
    pool: ThePool, actor: TheActor, notification_id: FromPath[UUID]
) -> Response[Notification]:
    """Send a message again that is over: the same, to the same. Codes cannot be, they are kept nowhere."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.resend(conn, actor.party_id, notification_id), status=202)


@get("/notification-templates", opt=operation("notifications:read"))
async def list_notification_templates(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[MessageTemplateQuery]
) -> Response[Page[MessageTemplate]]:
    """List the words of all messages, in every language, with the variables that they can use."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[MessageTemplate]:
        found = await templates.list_templates(conn, actor.party_id)
        wanted = [
            one
            for one in sorted(found, key=lambda one: (one.kind, one.language))
            if filters.kind in (None, one.kind) and filters.language in (None, one.language)
        ]
        return [one for one in wanted if after is None or (one.kind, one.language) > tuple(after)][:limit]

    return await listed(request, pool, TEMPLATES, fetch, filters)


@put("/notification-templates", opt=operation("notifications:write", errors=(404,)))
async def put_notification_template(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewMessageTemplate]
) -> Response[MessageTemplate]:
    """Write words of your own. They can insert variables, and leave parts out with `{% if variable %}`; nothing else."""
    words = MessageWords(subject=given.subject, body=given.body)
    async with pool.acquire() as conn, conn.transaction():
        return answer(await templates.put_template(conn, actor, given.kind, given.language, words))


@post("/notification-templates/reset", opt=operation("notifications:write", errors=(404,)), status_code=200)
async def reset_notification_template(
    pool: ThePool, actor: TheActor, given: NamedDependency[MessageTemplateName]
) -> Response[MessageTemplate]:
    """Go back to the words that come along."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await templates.reset_template(conn, actor, given.kind, given.language))


@post("/notification-templates/preview", opt=operation("notifications:read", errors=(404,)), status_code=200)
async def preview_notification_template(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewMessageTemplate]
) -> Response[MessagePreview]:
    """See what words come to, with example values. Nothing is kept."""
    words = MessageWords(subject=given.subject, body=given.body)
    async with pool.acquire() as conn:
        return answer(await templates.preview(conn, actor.party_id, given.kind, given.language, words))


@post("/notification-templates/test", opt=operation("notifications:write", errors=(404, 409)), status_code=202)
async def send_notification_test(
    pool: ThePool, actor: TheActor, given: NamedDependency[MessageTemplateName]
) -> Response[SentTest]:
    """Send the kept words with example values to yourself, by e-mail. Keys have no address."""
    async with pool.acquire() as conn, conn.transaction():
        made = await templates.send_test(conn, actor, given.kind, given.language)
    return answer(SentTest(notification_id=made), status=202)


@get("/drivers/{driver_id:uuid}/notification-preferences", opt=operation("notifications:read", errors=(404,)))
async def get_notification_preferences(
    pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]
) -> Response[Preferences]:
    """Read what a driver wants to be told, over which channels, and when not."""
    async with pool.acquire() as conn:
        found = await service.get_preferences(conn, actor.party_id, driver_id)
    return answer(found, version=found.version)


@patch(
    "/drivers/{driver_id:uuid}/notification-preferences",
    opt=operation("notifications:write", errors=(404, 409), takes_if_match=True),
)
async def change_notification_preferences(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    driver_id: FromPath[UUID],
    given: NamedDependency[PreferencesChange],
) -> Response[Preferences]:
    """Choose for a driver. What is left out stays; so do kinds that are not named."""
    async with pool.acquire() as conn, conn.transaction():
        found = await service.set_preferences(conn, actor.party_id, driver_id, given, expected_version(request))
    return answer(found, version=found.version)


HANDLERS = [
    list_notifications,
    get_notification,
    resend_notification,
    list_notification_templates,
    put_notification_template,
    reset_notification_template,
    preview_notification_template,
    send_notification_test,
    get_notification_preferences,
    change_notification_preferences,
]
