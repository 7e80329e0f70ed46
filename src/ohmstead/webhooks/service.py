"""Setting webhooks up, putting events into their queues, sending again."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.facts import catalogue
from ohmstead.webhooks import addresses, queries, signing, store
from ohmstead.webhooks.model import (
    Claimed,
    Delivery,
    DisabledWhy,
    Message,
    NewWebhook,
    Outcome,
    Waiting,
    Webhook,
    WebhookChange,
    WithWebhookSecret,
)
from ohmstead.webhooks.vault import Vault

MOST_WEBHOOKS: Final = 50
KEPT_FOR: Final = timedelta(days=30)
OVERLAP_S: Final = 86_400
_DROPPED_AT_ONCE = 5000

_encode = msgspec.json.Encoder().encode


async def create_webhook(
    conn: Connection, actor: Actor, given: NewWebhook, vault: Vault, allowed_hosts: Collection[str]
) -> WithWebhookSecret:
    """Raises NotAllowed for who may not read what it would tell, Invalid, and Refused when the party has as many as it may."""
    _require_for(actor, given.kinds)
    _check(given.url, given.kinds, allowed_hosts)
    if await store.count_webhooks(conn, actor.party_id) >= MOST_WEBHOOKS:
        raise Refused(f"there are {MOST_WEBHOOKS} webhooks already: delete one that nobody needs")
    webhook_id = new_id()
    given.kinds = _in_order(given.kinds)
    await store.insert_webhook(conn, actor.party_id, webhook_id, given, actor.actor_id)
    secret = await _new_secret(conn, webhook_id, vault, clock.now())
    detail: dict[str, object] = {"url": given.url, "kinds": given.kinds}
    await accounts.audit(conn, actor, "webhook.created", f"webhook/{webhook_id}", detail)
    webhook = await queries.get_webhook(conn, actor.party_id, webhook_id)
    return WithWebhookSecret(webhook=webhook, secret=secret)


async def change_webhook(
    conn: Connection,
    actor: Actor,
    webhook_id: UUID,
    given: WebhookChange,
    allowed_hosts: Collection[str],
    if_version: int | None = None,
) -> Webhook:
    """Switched on again, it begins with what waits. Raises NotAllowed, NotFound, Invalid, and Conflict (version)."""
    before = await queries.get_webhook(conn, actor.party_id, webhook_id)
    values: dict[str, Any] = {k: v for k, v in msgspec.structs.asdict(given).items() if v is not UNSET}
    if values.keys() & {"url", "kinds"} or values.get("is_enabled"):
        _require_for(actor, before.kinds)
        _require_for(actor, values.get("kinds", before.kinds))
    else:
        access.require(actor, "events:read")
    _check(values.get("url", before.url), values.get("kinds", before.kinds), allowed_hosts)
    if "kinds" in values:
        values["kinds"] = _in_order(values["kinds"])
    told = dict(values)
    if values.get("is_enabled") is True and not before.is_enabled:
        values |= {"disabled_why": None, "disabled_at": None, "failing_since": None}
    elif values.get("is_enabled") is False and before.is_enabled:
        values |= {"disabled_why": "by_hand", "disabled_at": clock.now()}
    if not await store.update_webhook(conn, actor.party_id, webhook_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    was = msgspec.structs.asdict(before)
    await accounts.audit(conn, actor, "webhook.changed", f"webhook/{webhook_id}", before=was, after=told)
    return await queries.get_webhook(conn, actor.party_id, webhook_id)


async def delete_webhook(conn: Connection, actor: Actor, webhook_id: UUID, if_version: int | None = None) -> None:
    """What waits is not sent, and its log is gone. Raises NotFound, Conflict."""
    before = await queries.get_webhook(conn, actor.party_id, webhook_id)
    if not await store.delete_webhook(conn, actor.party_id, webhook_id, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await accounts.audit(conn, actor, "webhook.deleted", f"webhook/{webhook_id}", {"url": before.url})


async def rotate_secret(
    conn: Connection, actor: Actor, webhook_id: UUID, vault: Vault, overlap_s: int = OVERLAP_S
) -> WithWebhookSecret:
    """A new secret; for `overlap_s` seconds requests carry the signature of the old one too. Raises NotFound."""
    await queries.get_webhook(conn, actor.party_id, webhook_id)
    secret = await _new_secret(conn, webhook_id, vault, clock.now() + timedelta(seconds=overlap_s))
    detail: dict[str, object] = {"overlap_s": overlap_s}
    await accounts.audit(conn, actor, "webhook.secret_rotated", f"webhook/{webhook_id}", detail)
    webhook = await queries.get_webhook(conn, actor.party_id, webhook_id)
    return WithWebhookSecret(webhook=webhook, secret=secret)


async def send_example(conn: Connection, actor: Actor, webhook_id: UUID, kind: str) -> Delivery:
    """Put the catalogue's example of a kind into the queue; sent once, to a webhook that is switched off too.

    Raises NotFound, and Invalid for an unknown kind.
    """
    await queries.get_webhook(conn, actor.party_id, webhook_id)
    if kind not in catalogue.KINDS:
        raise Invalid(f"no such event: {kind[:60]}", field="kind")
    known, delivery_id = catalogue.named(kind), new_id()
    message = Message(type=kind, timestamp=clock.now(), event_id=None, subject=known.subject, data=known.example)
    waiting = _waiting(delivery_id, webhook_id, actor.party_id, message, is_example=True)
    await store.insert_deliveries(conn, [waiting])
    return (await queries.get_delivery(conn, actor.party_id, webhook_id, delivery_id)).delivery


async def replay(conn: Connection, actor: Actor, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Send one again, under the same `webhook-id`. Raises NotFound, and Refused when the webhook is switched off."""
    await _require_enabled(conn, actor, webhook_id)
    if not await store.replay(conn, actor.party_id, webhook_id, delivery_id):
        raise NotFound(f"no delivery {delivery_id}")
    detail: dict[str, object] = {"delivery_id": str(delivery_id)}
    await accounts.audit(conn, actor, "webhook.replayed", f"webhook/{webhook_id}", detail)
    return (await queries.get_delivery(conn, actor.party_id, webhook_id, delivery_id)).delivery


async def replay_failed(conn: Connection, actor: Actor, webhook_id: UUID, since: datetime) -> int:
    """Send everything again that was given up since; returns how many. Raises NotFound, Refused."""
    await _require_enabled(conn, actor, webhook_id)
    n = await store.replay_failed(conn, actor.party_id, webhook_id, since)
    detail: dict[str, object] = {"since": since, "n": n}
    await accounts.audit(conn, actor, "webhook.replayed", f"webhook/{webhook_id}", detail)
    return n


# ---------------------------------------------------------------------------------------------- what the worker does


async def enqueue(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: every event into the queues of those who want to hear of it, in the transaction of the cursor."""
    party_ids = {event.party_id for event in found if event.party_id is not None}
    listening = await store.list_listening(conn, sorted(party_ids)) if party_ids else []
    waiting = [
        _waiting(new_id(), row["webhook_id"], row["party_id"], _message(event))
        for row in listening
        for event in found
        if event.party_id == row["party_id"] and (row["kinds"] is None or event.kind in row["kinds"])
    ]
    if waiting:
        await store.insert_deliveries(conn, waiting)


async def settle(conn: Connection, claimed: Claimed, outcome: Outcome, disabled_why: DisabledWhy | None) -> None:
    """Write down what became of a request, and switch the webhook off if that is to be."""
    if not await store.finish(conn, claimed.delivery_id, outcome):
        return
    if outcome.is_taken:
        await store.note_taken(conn, claimed.webhook_id, outcome.at)
        return
    if claimed.is_example:
        return
    await store.note_failed(conn, claimed.webhook_id, outcome.at)
    if disabled_why is None:
        return
    url = await store.disable(conn, claimed.party_id, claimed.webhook_id, disabled_why, clock.now())
    if url is None:
        return
    subject = f"webhook/{claimed.webhook_id}"
    payload = {"webhook_id": str(claimed.webhook_id), "url": url, "reason": disabled_why}
    await record(conn, [Event("WebhookDisabled", subject, payload, claimed.party_id)])
    detail: dict[str, object] = {"reason": disabled_why, "last_error": outcome.error}
    was, now = {"is_enabled": True}, {"is_enabled": False}
    system = access.system(claimed.party_id)
    await accounts.audit(conn, system, "webhook.disabled", subject, detail, before=was, after=now)


async def drop_old(conn: Connection) -> int:
    """Forget deliveries of more than thirty days ago; returns how many."""
    n, before = 0, clock.now() - KEPT_FOR
    while dropped := await store.drop_deliveries(conn, before, _DROPPED_AT_ONCE):
        n += dropped
    return n


# ---------------------------------------------------------------------------------------------------------- plumbing


def _require_for(actor: Actor, kinds: Sequence[str] | None) -> None:
    """Raises NotAllowed unless the actor may hear of these kinds themselves; None: of all."""
    access.require(actor, "events:read")
    known = catalogue.KINDS.keys() if kinds is None else catalogue.KINDS.keys() & set(kinds)
    for takes in sorted({takes for kind in known if (takes := catalogue.KINDS[kind].takes) is not None}):
        access.require(actor, takes)


def _check(url: str, kinds: Sequence[str] | None, allowed_hosts: Collection[str]) -> None:
    if (reason := addresses.why_not(url, allowed_hosts)) is not None:
        raise Invalid(f"a webhook cannot have this address: {reason}", field="url")
    if unknown := [kind for kind in kinds or () if kind not in catalogue.KINDS]:
        raise Invalid(f"no such event: {unknown[0][:60]}; docs/events.md lists all", field="kinds")


def _in_order(kinds: Sequence[str] | None) -> list[str] | None:
    return None if kinds is None else sorted(set(kinds))


async def _require_enabled(conn: Connection, actor: Actor, webhook_id: UUID) -> None:
    if not (await queries.get_webhook(conn, actor.party_id, webhook_id)).is_enabled:
        raise Refused("the webhook is switched off: switch it on first")


async def _new_secret(conn: Connection, webhook_id: UUID, vault: Vault, others_expire_at: datetime) -> str:
    secret = secrets.token_bytes(signing.SECRET_BYTES)
    await store.insert_secret(conn, webhook_id, new_id(), vault.seal(secret, webhook_id), others_expire_at)
    return signing.secret_text(secret)


def _message(event: Event) -> Message:
    return Message(
        type=event.kind,
        timestamp=event.at or clock.now(),
        event_id=event.event_id,
        subject=event.subject,
        data=event.payload,
    )


def _waiting(
    delivery_id: UUID, webhook_id: UUID, party_id: UUID, message: Message, *, is_example: bool = False
) -> Waiting:
    return Waiting(
        delivery_id=delivery_id,
        webhook_id=webhook_id,
        party_id=party_id,
        event_id=message.event_id,
        kind=message.type,
        subject=message.subject,
        body=_encode(message).decode(),
        is_example=is_example,
    )
