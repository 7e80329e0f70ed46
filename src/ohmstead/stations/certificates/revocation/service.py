"""Revocation lists of other authorities, fetched when a certificate names them and kept until the next one is due."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.log import logger
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.certificates.ports import ListSource
from ohmstead.stations.certificates.revocation import crls, store
from ohmstead.stations.certificates.revocation.crls import BadList, RevocationList

log = logger("ohmstead.revocation_lists")

AGAIN_AFTER = timedelta(seconds=60)
MOST_REMEMBERED = 50
MOST_AT_ONCE = 4


class OutsideLists:
    """One per gateway; what one fetches, the others find in the database. `source` None: nobody may be asked."""

    def __init__(self, pool: Pool, source: ListSource | None = None) -> None:
        self._pool = pool
        self._source = source
        self._held: OrderedDict[tuple[str, bytes], RevocationList] = OrderedDict()
        self._asking: dict[tuple[str, bytes], asyncio.Task[Verdict | RevocationList]] = {}
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)

    @property
    def is_on(self) -> bool:
        """May anybody be asked?"""
        return self._source is not None

    async def state(self, serial: int, issuer: x509.Certificate, urls: Sequence[str]) -> Verdict:
        """What the first list that can be had says of the issuer's certificate.

        good, revoked; unreachable when there is none to be had, lying when what came is not the authority's word.
        """
        verdict = Verdict(state="unreachable", reason="no distribution point is named")
        for url in urls:
            found = await self._list(url, issuer)
            if isinstance(found, RevocationList):
                if serial in found.serials:
                    return Verdict(state="revoked", reason="in the authority's list", until=found.until)
                return Verdict(state="good", until=found.until)
            verdict = found
        return verdict

    async def _list(self, url: str, issuer: x509.Certificate) -> Verdict | RevocationList:
        key = (url, issuer.fingerprint(hashes.SHA256()))
        held = self._held.get(key)
        if held is not None and clock.now() < held.until:
            self._held.move_to_end(key)
            return held
        # Many who wait for the same list wait for one fetching of it.
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._renew(url, issuer, held))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        found = await asyncio.shield(task)
        if isinstance(found, RevocationList):
            self._held[key] = found
            if len(self._held) > MOST_REMEMBERED:
                self._held.popitem(last=False)
        return found

    async def _renew(self, url: str, issuer: x509.Certificate, held: RevocationList | None) -> Verdict | RevocationList:
        if self._source is None:
            return Verdict(state="unreachable", reason="no lists may be fetched")
        at = clock.now()
        async with self._pool.acquire() as conn:
            kept = await store.find(conn, url)
        since = held.since if held is not None else None
        if kept is not None and kept.crl is not None and kept.this_update is not None:
            since = max(since, kept.this_update) if since is not None else kept.this_update
            if kept.next_update is not None and at < kept.next_update:
                try:
                    return await asyncio.to_thread(crls.read, kept.crl, issuer, at)
                except BadList as bad:
                    log.warning("kept_list_not_believed", url=url, reason=str(bad))
                    since = None  # another authority of the same address
        if kept is not None and kept.failed_at is not None and at < kept.failed_at + AGAIN_AFTER:
            return Verdict(state="unreachable", reason=f"failed a moment ago: {kept.failure}"[:200])
        return await self._fetch(url, issuer, since)

    async def _fetch(self, url: str, issuer: x509.Certificate, since: datetime | None) -> Verdict | RevocationList:
        assert self._source is not None
        name = issuer.subject.rfc4514_string()
        try:
            async with self._at_once:
                body = await self._source.fetch(url)
            # Long lists take their time to read.
            found = await asyncio.to_thread(crls.read, body, issuer, clock.now(), since)
        except (ExternalFailure, BadList) as error:
            is_lie = isinstance(error, BadList)
            log.warning("revocation_list_not_had", url=url, reason=str(error))
            async with self._pool.acquire() as conn:
                await store.save_failure(conn, url, name, str(error), clock.now())
            return Verdict(state="lying" if is_lie else "unreachable", reason=str(error)[:200])
        async with self._pool.acquire() as conn:
            await store.save(conn, url, found, body, clock.now())
        return found
