"""The worker's part: messages that are due are sent, outside of transactions, and what came of them is kept.

A message is claimed for a while; one whose worker died comes up again. So a mail goes out twice only when the worker dies
between the server's 250 and our commit; both copies have the same Message-ID, by which mail programs know them for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.core import clock, metrics
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import ExternalFailure, OhmsteadError
from ohmstead.core.log import logger
from ohmstead.notifications import choosing, mailing, rendering, schedule, service, store, templates, unsubscribing
from ohmstead.notifications.addressing import addressed
from ohmstead.notifications.kinds import KINDS, Kind
from ohmstead.notifications.model import Attachment, Channel, Reason, Subscription
from ohmstead.notifications.ports import Carrier, Enclosure, Gone, Letter
from ohmstead.notifications.rendering import Rendered
from ohmstead.notifications.store import Claimed, Ending
from ohmstead.notifications.unsubscribing import Unsubscription

log = logger("ohmstead.notifications")

MOST: Final = 16
LOOKS_EVERY_S: Final = 0.5
TIMEOUT_S: Final = 30.0
MOST_ANSWER_CHARACTERS: Final = 1000
# A letter may take its time-out, with its files and its outcome; a worker that takes longer is taken for dead.
LEASE: Final = timedelta(seconds=3 * TIMEOUT_S)

Filer = Callable[[Pool, UUID, Attachment], Awaitable[Enclosure]]


class Sent(Struct, frozen=True, kw_only=True):
    """A letter, or why there is none."""

    letter: Letter | None
    reason: Reason | None = None


class Deliverer:
    """Runs until cancelled. `carriers`: the channels of this installation; what goes over another is dropped, and says so.

    `base_url`: where drivers reach us. `filer`: makes the files that go along.
    """

    def __init__(
        self,
        pool: Pool,
        carriers: Mapping[Channel, Carrier],
        *,
        secret: bytes,
        base_url: str,
        filer: Filer | None = None,
        every_s: float = LOOKS_EVERY_S,
        lease: timedelta = LEASE,
    ) -> None:
        self._pool = pool
        self._carriers = carriers
        self._secret = secret
        self._base_url = base_url
        self._filer = filer
        self._every_s = every_s
        self._lease = lease
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; what is under way then is another worker's when its lease is over."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._round()
                except Exception as error:  # noqa: BLE001  (the database may be away; the queue is not lost)
                    log.warning("notifications_interrupted", error=repr(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self) -> int:
        """Everything that is due now, and no more; returns how many were sent, failed or dropped."""
        n = 0
        while True:
            async with self._pool.acquire() as conn:
                claimed = await store.claim(conn, MOST, clock.now(), self._lease)
            if not claimed:
                return n
            await asyncio.gather(*(self._deliver(one) for one in claimed))
            n += len(claimed)

    async def _round(self) -> None:
        free = MOST - len(self._tasks)
        if free <= 0:
            return
        async with self._pool.acquire() as conn:
            claimed = await store.claim(conn, free, clock.now(), self._lease)
        for one in claimed:
            task = asyncio.create_task(self._deliver(one))
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            end = await self._attempt(claimed)
            async with self._pool.acquire() as conn, conn.transaction():
                await store.finish(conn, claimed.notification_id, end)
                if claimed.channel == "push" and end.status == "sent":
                    await store.note_push(conn, claimed.party_id, UUID(claimed.target), end.at)
            if end.status != "queued":
                metrics.notifications_ended.labels(claimed.channel, end.status, end.reason or "").inc()
            if end.status == "sent":
                took_s = (clock.now() - claimed.created_at).total_seconds()
                metrics.notification_seconds.labels(claimed.channel).observe(max(0.0, took_s))
        except Exception as error:  # noqa: BLE001  (it is claimed for a while only, and comes up again)
            log.warning("notification_outcome_lost", notification_id=str(claimed.notification_id), error=repr(error))

    async def _attempt(self, claimed: Claimed) -> Ending:
        kind, now = KINDS.get(claimed.kind), clock.now()
        if kind is None:
            return _dropped("words", now, ())
        if now >= claimed.expires_at:
            return _dropped("too_late", now, kind.secret)
        made = await self._write(claimed, kind, now)
        told = _told(made.letter, kind)
        if made.letter is None or made.reason is not None:
            # Where nothing can be sent, a code is kept as long as it is good for: whoever runs a trial may look it up.
            hidden = () if made.reason == "no_channel" else kind.secret
            return _dropped(made.reason or "words", now, hidden, **told)
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._carriers[claimed.channel].carry(made.letter)
        except (ExternalFailure, TimeoutError) as failure:
            if isinstance(failure, Gone) and claimed.channel == "push":
                async with self._pool.acquire() as conn, conn.transaction():
                    await store.drop_subscription(conn, claimed.party_id, UUID(claimed.target))
            return _failed(claimed, kind, failure, now, _ms(began), told)
        return Ending(at=now, duration_ms=_ms(began), status="sent", answer=_kept(answer), hidden=kind.secret, **told)

    async def _write(self, claimed: Claimed, kind: Kind, now: datetime) -> Sent:
        """The letter; with a reason: how it would have read, and why it does not go out."""
        async with self._pool.acquire() as conn:
            words = await templates.find_words(conn, claimed.party_id, kind.name, claimed.language)
            party = await store.get_party(conn, claimed.party_id)
            reason = await _why_not(conn, claimed, kind)
            row = None
            if claimed.channel == "push" and reason is None:
                row = await store.find_subscription(conn, claimed.party_id, UUID(claimed.target))
        try:
            rendered = self._render(kind, words, claimed, now)
        except ValueError as error:
            log.warning("notification_without_words", kind=kind.name, error=str(error))
            return Sent(letter=None, reason="words")
        if claimed.channel == "push" and reason is None and row is None:
            reason = "no_address"
        if reason is None and claimed.channel not in self._carriers:
            reason = "no_channel"
        enclosures = await self._enclose(claimed) if reason is None and claimed.channel == "email" else ()
        unsubscribe_url = None
        if claimed.driver_id is not None and kind.is_optional:
            wanted = Unsubscription(claimed.party_id, claimed.driver_id, kind.name)
            unsubscribe_url = unsubscribing.url_of(self._base_url, self._secret, wanted)
        network = str(party["name"])
        letter = Letter(
            notification_id=claimed.notification_id,
            kind=kind.name,
            network=network,
            address=claimed.address,
            subject=rendered.subject,
            text=mailing.text_of(rendered, network, claimed.language, unsubscribe_url),
            html=mailing.page_of(rendered, network, claimed.language, unsubscribe_url),
            brief=rendered.brief,
            link=rendered.link,
            unsubscribe_url=unsubscribe_url,
            enclosures=enclosures,
            subscription=Subscription(**row) if row else None,
            is_urgent=kind.is_urgent,
            useful_s=max(1, int((claimed.expires_at - now).total_seconds())),
            language=claimed.language,
        )
        return Sent(letter=letter, reason=reason)

    def _render(self, kind: Kind, words: rendering.Words | None, claimed: Claimed, now: datetime) -> Rendered:
        """A party's own words that make no sense after all are no reason to tell nothing: those that come along do."""
        data = addressed(self._secret, self._base_url, claimed.data)
        try:
            return rendering.render(kind, words, data, claimed.language, claimed.time_zone, now)
        except ValueError:
            if words is None:
                raise
            return rendering.render(kind, None, data, claimed.language, claimed.time_zone, now)

    async def _enclose(self, claimed: Claimed) -> tuple[Enclosure, ...]:
        """Files that go along. One that cannot be made stops no message: its link leads there too."""
        made = []
        for one in claimed.attachments if self._filer is not None else ():
            attachment = msgspec.convert(one, Attachment)
            try:
                assert self._filer is not None
                made.append(await self._filer(self._pool, claimed.party_id, attachment))
            except (OhmsteadError, OSError, ValueError) as error:
                log.warning("enclosure_missing", notification_id=str(claimed.notification_id), error=repr(error))
        return tuple(made)


async def _why_not(conn: Connection, claimed: Claimed, kind: Kind) -> Reason | None:
    """Whether its driver, asked again, still wants it: they may have turned it off while it waited."""
    if claimed.driver_id is None:
        return None
    driver = (await store.list_reach(conn, claimed.party_id, [claimed.driver_id])).get(claimed.driver_id)
    if driver is None or driver["status"] == "erased":
        return "erased"
    if claimed.channel == "sms" and not kind.secret and claimed.address != driver["phone"]:
        # Their number is another one by now, or not confirmed any more.
        return "no_address"
    is_wanted = choosing.is_wanted(kind.name, claimed.channel, service.reach_of(driver, claimed.time_zone))
    return None if is_wanted or not kind.is_optional else "turned_off"


def _told(letter: Letter | None, kind: Kind) -> dict[str, Any]:
    if letter is None or kind.secret:
        return {}
    return {"subject": letter.subject, "body": letter.text}


def _dropped(reason: Reason, now: datetime, hidden: tuple[str, ...], **told: Any) -> Ending:
    return Ending(at=now, duration_ms=0, status="dropped", reason=reason, is_attempt=False, hidden=hidden, **told)


def _failed(
    claimed: Claimed, kind: Kind, failure: Exception, now: datetime, duration_ms: int, told: dict[str, Any]
) -> Ending:
    error = failure.text if isinstance(failure, ExternalFailure) else f"no answer within {TIMEOUT_S:g} s"
    is_final = isinstance(failure, ExternalFailure) and failure.permanent
    chance = random.random()  # noqa: S311  (no secret)
    next_at = None if is_final else schedule.next_at(claimed.n_tries + 1, chance, now, claimed.expires_at)
    if next_at is not None:
        return Ending(at=now, duration_ms=duration_ms, status="queued", error=_kept(error), next_at=next_at, **told)
    reason: Reason = "refused" if is_final else "given_up"
    return Ending(
        at=now,
        duration_ms=duration_ms,
        status="failed",
        reason=reason,
        error=_kept(error),
        hidden=kind.secret,
        **told,
    )


def _kept(text: str) -> str:
    return text.replace("\0", "\ufffd")[:MOST_ANSWER_CHARACTERS]


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
