"""The worker's part: requests that are due are made, each webhook's a few at once, and what came of them is kept.

At least once: a delivery is claimed for a while, and one whose worker died comes up again, under the same id. In no
promised order: what is retried comes later than what came after it; events carry their number and time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from datetime import timedelta
from typing import Final
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.log import logger
from ohmstead.webhooks import schedule, service, signing, store
from ohmstead.webhooks.model import Claimed, DisabledWhy, Outcome, message_id
from ohmstead.webhooks.ports import Answered, Poster
from ohmstead.webhooks.vault import Vault

log = logger("ohmstead.webhooks")

MOST_EACH: Final = 4
MOST: Final = 64
LOOKS_EVERY_S: Final = 0.5
MOST_ANSWER_CHARACTERS: Final = 2000
# A request may take its time-out, its outcome must be written; a worker that takes longer is taken for dead.
_MARGIN_S: Final = 2.0


class Deliverer:
    """Runs until cancelled. `timeout_s`: how long the poster lets a receiver take."""

    def __init__(
        self, pool: Pool, poster: Poster, vault: Vault, *, timeout_s: float, every_s: float = LOOKS_EVERY_S
    ) -> None:
        self._pool = pool
        self._poster = poster
        self._vault = vault
        self._lease = timedelta(seconds=2 * timeout_s + _MARGIN_S)
        self._every_s = every_s
        self._busy: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; requests that are under way then are another worker's when their lease is over."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._round()
                except Exception as error:  # noqa: BLE001  (the database may be away; the queue is not lost)
                    log.warning("webhooks_interrupted", error=repr(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _round(self) -> None:
        free = MOST - len(self._tasks)
        if free <= 0:
            return
        async with self._pool.acquire() as conn:
            claimed = await store.claim(conn, self._busy, MOST_EACH, free, clock.now(), self._lease)
        for one in claimed:
            self._busy[one.webhook_id] += 1
            task = asyncio.create_task(self._deliver(one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            outcome, why = await self._attempt(claimed)
            async with self._pool.acquire() as conn, conn.transaction():
                await service.settle(conn, claimed, outcome, why)
            if why is not None:
                log.warning("webhook_disabled", webhook_id=str(claimed.webhook_id), reason=why)
        except Exception as error:  # noqa: BLE001  (it is claimed for a while only, and comes up again)
            log.warning("webhook_outcome_lost", delivery_id=str(claimed.delivery_id), error=repr(error))
        finally:
            self._busy[claimed.webhook_id] -= 1
            if self._busy[claimed.webhook_id] <= 0:
                del self._busy[claimed.webhook_id]
            self._wake.set()

    async def _attempt(self, claimed: Claimed) -> tuple[Outcome, DisabledWhy | None]:
        at, began = clock.now(), time.monotonic()
        answered: Answered | None = None
        try:
            body = claimed.body.encode()
            keys = [self._vault.open(sealed, claimed.webhook_id) for sealed in claimed.sealed]
            headers = signing.headers(keys, message_id(claimed.delivery_id), int(at.timestamp()), body)
            answered = await self._poster.post(claimed.url, body, headers)
            error = _refusal(answered)
        except ExternalFailure as failure:
            error = failure.text
        outcome = Outcome(
            at=at,
            duration_ms=round((time.monotonic() - began) * 1000),
            status_code=answered.status_code if answered else None,
            answer=_kept(answered.text) if answered else None,
            error=error,
        )
        return _judged(claimed, outcome, answered)


def _judged(claimed: Claimed, outcome: Outcome, answered: Answered | None) -> tuple[Outcome, DisabledWhy | None]:
    """Whether it is tried again, and whether the webhook is switched off."""
    if outcome.is_taken or claimed.is_example:
        return outcome, None
    if outcome.status_code == 410:
        return outcome, "gone"
    now = clock.now()
    asked_s = schedule.retry_after_s(answered.retry_after) if answered else None
    pause = schedule.pause_s(claimed.n_tries + 1, random.random(), asked_s)  # noqa: S311  (no secret)
    why: DisabledWhy | None = "failing" if schedule.is_hopeless(claimed.failing_since, now) else None
    if pause is None:
        return outcome, why
    fields = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
    return Outcome(**fields | {"next_at": now + timedelta(seconds=pause)}), why


def _refusal(answered: Answered) -> str | None:
    code = answered.status_code
    if 200 <= code < 300:
        return None
    if 300 <= code < 400:
        return f"answered {code}: redirects are not followed, give the address that they lead to"
    return f"answered {code}"


def _kept(text: str) -> str:
    return text.replace("\0", "\ufffd")[:MOST_ANSWER_CHARACTERS]
