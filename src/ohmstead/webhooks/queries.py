"""Webhooks and what was sent to them, for pages and programs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.webhooks.model import Delivery, DeliveryAttempt, DeliveryFilter, DeliveryInFull, Webhook

_WEBHOOKS = """
select w.webhook_id, w.party_id, w.url, w.description, w.kinds, w.is_enabled, w.disabled_why, w.disabled_at,
       w.failing_since, w.last_success_at, w.version, w.created_at, w.created_by, w.updated_at,
       (select count(*) from (select from webhook_delivery d where d.webhook_id = w.webhook_id and d.status = 'waiting'
        limit 10000) waiting) as n_waiting,
       array(select s.expires_at from webhook_secret s where s.webhook_id = w.webhook_id and s.expires_at > now()
             order by s.expires_at) as secrets_expire_at
from webhook w
"""
_DELIVERIES = """
select d.delivery_id, d.webhook_id, 'msg_' || replace(d.delivery_id::text, '-', '') as message_id, d.event_id, d.kind,
       d.subject, d.is_example, d.status, d.n_attempts, case when d.status = 'waiting' then d.next_at end as next_at,
       d.created_at, d.finished_at, a.status_code as last_status_code, a.error as last_error
from webhook_delivery d
left join webhook_attempt a on a.delivery_id = d.delivery_id and a.number = d.n_attempts
"""


async def list_webhooks(
    conn: Connection, party_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int = 200
) -> list[Webhook]:
    """The party's, oldest first."""
    where = Conditions()
    where.add("w.party_id = {}", party_id)
    if after is not None:
        where.add("(w.created_at, w.webhook_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_WEBHOOKS} where {where.sql} order by w.created_at, w.webhook_id limit {where.parameter(limit)}",
        *where.values,
    )
    return [Webhook(**row) for row in rows]


async def get_webhook(conn: Connection, party_id: UUID, webhook_id: UUID) -> Webhook:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_WEBHOOKS} where w.party_id = $1 and w.webhook_id = $2", party_id, webhook_id)
    if row is None:
        raise NotFound(f"no webhook {webhook_id}")
    return Webhook(**row)


async def list_deliveries(
    conn: Connection,
    party_id: UUID,
    webhook_id: UUID,
    only: DeliveryFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Newest first; `before` is the (time, id) of the last one of the page before."""
    where = Conditions()
    where.add("d.party_id = {}", party_id)
    where.add("d.webhook_id = {}", webhook_id)
    where.add_given("d.status = {}", only.status)
    where.add_given("d.kind = {}", only.kind)
    if before is not None:
        where.add("(d.created_at, d.delivery_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_DELIVERIES} where {where.sql} order by d.created_at desc, d.delivery_id desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [Delivery(**row) for row in rows]


async def get_delivery(conn: Connection, party_id: UUID, webhook_id: UUID, delivery_id: UUID) -> DeliveryInFull:
    """Raises NotFound."""
    key = (party_id, webhook_id, delivery_id)
    where = "where d.party_id = $1 and d.webhook_id = $2 and d.delivery_id = $3"
    row = await conn.fetchrow(f"{_DELIVERIES} {where}", *key)
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    body = await conn.fetchval(f"select d.body from webhook_delivery d {where}", *key)
    attempts = await conn.fetch(
        "select number, at, duration_ms, status_code, answer, error from webhook_attempt where delivery_id = $1"
        " order by number desc limit 200",
        delivery_id,
    )
    return DeliveryInFull(delivery=Delivery(**row), body=body, attempts=[DeliveryAttempt(**one) for one in attempts])
