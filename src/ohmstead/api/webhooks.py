"""/webhooks: who is told of events, what was sent, and sending it again."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
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
    TheSettings,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.webhooks import queries, service
from ohmstead.webhooks.model import (
    Delivery,
    DeliveryFilter,
    DeliveryInFull,
    DeliveryStatus,
    NewWebhook,
    Webhook,
    WebhookChange,
    WithWebhookSecret,
)
from ohmstead.webhooks.vault import Vault

KEYSET = Keyset(item=Webhook, type=tuple[datetime, UUID], of=lambda one: (one.created_at, one.webhook_id))
DELIVERIES = Keyset(item=Delivery, type=tuple[datetime, UUID], of=lambda one: (one.created_at, one.delivery_id))


class SecretRotation(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the secret is replaced."""

    overlap_s: Annotated[int, Meta(ge=0, le=604_800, description="How long the old secret signs too, in seconds.")] = (
        service.OVERLAP_S
    )


class WebhookExample(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which example to send."""

    kind: Annotated[str, Meta(max_length=60, description="A kind of event, as `SessionEnded`.")]


class ReplayOfFailed(Struct, kw_only=True, forbid_unknown_fields=True):
    """From when on."""

    since: Annotated[datetime, Meta(tz=True, description="What was put into the queue since then and was given up.")]


class Replayed(Struct, frozen=True, kw_only=True):
    """How many deliveries are sent again."""

    n: int


class DeliveryQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the deliveries."""

    status: Annotated[DeliveryStatus | None, Meta(description="Of this status.")] = None
    kind: Annotated[str, Meta(max_length=60, description="Of this kind, as `SessionEnded`.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/webhooks", opt=operation("webhooks:write"))
async def list_webhooks(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[Webhook]]:
    """List webhooks, oldest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Webhook]:
        return await queries.list_webhooks(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/webhooks", opt=operation("webhooks:write", errors=(409,)))
async def create_webhook(
    pool: ThePool, settings: TheSettings, actor: TheActor, given: NamedDependency[NewWebhook]
) -> Response[WithWebhookSecret]:
    """Set a webhook up. The secret that signs its requests is shown only here.

    It hears of what happens from now on, for at least three days each: with pauses that grow from seconds to a day.
    Requests are signed as Standard Webhooks has it; docs/webhooks.md tells how to check them.
    """
    vault = Vault(settings.secret())
    async with pool.acquire() as conn, conn.transaction():
        made = await service.create_webhook(conn, actor, given, vault, settings.webhook_hosts)
    where = {"Location": f"/api/v1/webhooks/{made.webhook.webhook_id}"}
    return answer(made, status=201, version=made.webhook.version, headers=where)


@get("/webhooks/{webhook_id:uuid}", opt=operation("webhooks:write", errors=(404,)))
async def get_webhook(pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID]) -> Response[Webhook]:
    """Read a webhook."""
    async with pool.acquire() as conn:
        webhook = await queries.get_webhook(conn, actor.party_id, webhook_id)
    return answer(webhook, version=webhook.version)


@patch("/webhooks/{webhook_id:uuid}", opt=operation("webhooks:write", errors=(404, 409), takes_if_match=True))
async def change_webhook(
    request: ApiRequest,
    pool: ThePool,
    settings: TheSettings,
    actor: TheActor,
    webhook_id: FromPath[UUID],
    given: NamedDependency[WebhookChange],
) -> Response[Webhook]:
    """Change a webhook, switch it off or on. What is left out stays as it is.

    Events that happen while it is switched off are not kept for it; what waited before goes out once it is on again.
    """
    async with pool.acquire() as conn, conn.transaction():
        webhook = await service.change_webhook(
            conn, actor, webhook_id, given, settings.webhook_hosts, expected_version(request)
        )
    return answer(webhook, version=webhook.version)


@delete("/webhooks/{webhook_id:uuid}", opt=operation("webhooks:write", errors=(404,), takes_if_match=True))
async def delete_webhook(request: ApiRequest, pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID]) -> None:
    """Delete a webhook with its log. What waits is not sent."""
    async with pool.acquire() as conn, conn.transaction():
        await service.delete_webhook(conn, actor, webhook_id, expected_version(request))


@post("/webhooks/{webhook_id:uuid}/secret", opt=operation("webhooks:write", errors=(404,)), status_code=200)
async def rotate_webhook_secret(
    pool: ThePool,
    settings: TheSettings,
    actor: TheActor,
    webhook_id: FromPath[UUID],
    given: NamedDependency[SecretRotation],
) -> Response[WithWebhookSecret]:
    """Replace the secret. The new one is shown only here; for a while requests carry both signatures."""
    vault = Vault(settings.secret())
    async with pool.acquire() as conn, conn.transaction():
        made = await service.rotate_secret(conn, actor, webhook_id, vault, given.overlap_s)
    return answer(made, version=made.webhook.version)


@post("/webhooks/{webhook_id:uuid}/example", opt=operation("webhooks:write", errors=(404,)), status_code=202)
async def send_webhook_example(
    pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID], given: NamedDependency[WebhookExample]
) -> Response[Delivery]:
    """Send the example of a kind of event, once, to try the receiver. What came of it stands in the delivery."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.send_example(conn, actor, webhook_id, given.kind), status=202)


@post("/webhooks/{webhook_id:uuid}/replay", opt=operation("webhooks:write", errors=(404,)), status_code=202)
async def replay_failed_deliveries(
    pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID], given: NamedDependency[ReplayOfFailed]
) -> Response[Replayed]:
    """Send everything again that was given up since a time, under the same ids."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(Replayed(n=await service.replay_failed(conn, actor, webhook_id, given.since)), status=202)


@get(
    "/webhooks/{webhook_id:uuid}/deliveries",
    opt=operation("webhooks:write", errors=(404,), exports=(CSV, NDJSON)),
)
async def list_deliveries(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    webhook_id: FromPath[UUID],
    filters: NamedDependency[DeliveryQuery],
) -> Response[Page[Delivery]]:
    """List what was sent within the last thirty days, and what waits, newest first."""
    only = DeliveryFilter(status=filters.status, kind=filters.kind)
    async with pool.acquire() as conn:
        await queries.get_webhook(conn, actor.party_id, webhook_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Delivery]:
        return await queries.list_deliveries(conn, actor.party_id, webhook_id, only, before=after, limit=limit)

    return await listed(request, pool, DELIVERIES, fetch, filters, name="deliveries")


@get("/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}", opt=operation("webhooks:write", errors=(404,)))
async def get_delivery(
    pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID], delivery_id: FromPath[UUID]
) -> Response[DeliveryInFull]:
    """Read a delivery: its body, every attempt, and what the receiver said."""
    async with pool.acquire() as conn:
        return answer(await queries.get_delivery(conn, actor.party_id, webhook_id, delivery_id))


@post(
    "/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/replay",
    opt=operation("webhooks:write", errors=(404,)),
    status_code=202,
)
async def replay_delivery(
    pool: ThePool, actor: TheActor, webhook_id: FromPath[UUID], delivery_id: FromPath[UUID]
) -> Response[Delivery]:
    """Send one again, or now rather than later, under the same id."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.replay(conn, actor, webhook_id, delivery_id), status=202)


HANDLERS = [
    list_webhooks,
    create_webhook,
    get_webhook,
    change_webhook,
    delete_webhook,
    rotate_webhook_secret,
    send_webhook_example,
    replay_failed_deliveries,
    list_deliveries,
    get_delivery,
    replay_delivery,
]
