"""Whoever holds a stream open was let in once; here is whether they still would be."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from ohmstead.accounts import service
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Pool
from ohmstead.core.log import logger

log = logger("ohmstead.accounts")

LOOKS_EVERY_S: Final = 5.0
_WITHIN_S: Final = 2.0


class Admission:
    """One listener's. A stream asks as often as it likes; the database is asked every `every_s` seconds at most."""

    def __init__(self, pool: Pool, actor: Actor, every_s: float = LOOKS_EVERY_S) -> None:
        self._pool = pool
        self._actor = actor
        self._every_s = every_s
        self._looked_at = time.monotonic()

    async def holds(self) -> bool:
        """Whether they may go on listening. While the database is away they may: nobody can be shut out meanwhile."""
        if time.monotonic() - self._looked_at < self._every_s:
            return True
        try:
            async with asyncio.timeout(_WITHIN_S), self._pool.acquire() as conn:
                holds = await service.is_current(conn, self._actor)
        except Exception as error:  # noqa: BLE001  (whatever keeps the database from answering)
            log.warning("admission_not_looked_up", error=repr(error))
            holds = True
        self._looked_at = time.monotonic()
        return holds
