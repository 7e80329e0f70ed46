"""All public places as they were a moment ago, for everybody who asks meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ohmstead.core.db import Pool
from ohmstead.reports.plugs import queries
from ohmstead.reports.plugs.model import PublicSite


class Snapshot:
    """Read once for all that ask within a few seconds: a busy morning costs the database no more than a quiet one."""

    GOOD_FOR_S = 5.0

    def __init__(self, pool: Pool, good_for_s: float = GOOD_FOR_S) -> None:
        self._pool = pool
        self.good_for_s = good_for_s
        self._sites: Sequence[PublicSite] = ()
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def sites(self) -> Sequence[PublicSite]:
        """At most `good_for_s` old."""
        if time.monotonic() - self._read_at > self.good_for_s:
            async with self._lock:
                if time.monotonic() - self._read_at > self.good_for_s:
                    async with self._pool.acquire() as conn:
                        self._sites = await queries.list_sites(conn)
                    self._read_at = time.monotonic()
        return self._sites

    def forget(self) -> None:
        """Read anew when asked next."""
        self._read_at = float("-inf")
