"""Questions to the outside world that a station's answer waits for: before the batch, with a deadline, never in it."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from uuid import UUID

import msgspec
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.log import logger
from ohmstead.stations.certificates import contracts, ocsp, queries
from ohmstead.stations.certificates.contracts import BadChain, ContractStatus
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.certificates.ports import (
    ContractPool,
    EvCertificateAnswer,
    EvCertificateRequest,
    ListSource,
    Responders,
)
from ohmstead.stations.certificates.revocation.crls import points_of
from ohmstead.stations.certificates.revocation.service import OutsideLists
from ohmstead.stations.orders import CertificateRef

log = logger("ohmstead.inquiries")

DEADLINE_S = 5.0
POOL_DEADLINE_S = 20.0
MOST_REMEMBERED = 10_000
MOST_AT_ONCE = 100


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate whose state is asked for, and who can tell: responders, and distribution points of lists."""

    certificate: CertificateRef
    urls: tuple[str, ...]
    lists: tuple[str, ...] = ()


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What a car showed: its certificate's chain, the hashes of it, or both. `is_contract`: is this name the contract's?"""

    party_id: UUID
    is_contract: Callable[[str], bool]
    chain_pem: str | None = None
    named: tuple[Named, ...] = ()


class ContractAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it proves; `reason` is for the record."""

    status: ContractStatus
    reason: str = ""


class Inquiries:
    """One per gateway. Remembers what responders said until they say it anew (nextUpdate)."""

    def __init__(
        self,
        pool: Pool,
        responders: Responders | None = None,
        ev_pool: ContractPool | None = None,
        list_source: ListSource | None = None,
    ) -> None:
        self._pool = pool
        self.lists = OutsideLists(pool, list_source)
        self._responders = responders
        self._ev_pool = ev_pool
        self._told: OrderedDict[CertificateRef, Verdict] = OrderedDict()
        # Stations that ask much must not have us ask without bound.
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)

    async def contract(self, shown: Contract) -> ContractAnswer:
        """Is the contract certificate good? Nothing that went wrong on the way makes it so."""
        known = roots = await self._roots(shown.party_id)
        wanted = list(shown.named)
        if shown.chain_pem is not None:
            try:
                chain = contracts.read_chain(shown.chain_pem, shown.is_contract, roots, clock.now())
            except BadChain as bad:
                return ContractAnswer(status=bad.status, reason=bad.reason)
            known = [*roots, *chain.certificates]
            wanted = _wanted(chain.certificates, shown.named, has_lists=self.lists.is_on)
        verdicts = await asyncio.gather(*[self._state_or_list(one, known) for one in wanted])
        status = contracts.status_of(verdicts)
        reasons = sorted({verdict.reason or verdict.state for verdict in verdicts if verdict.state != "good"})
        return ContractAnswer(status=status, reason="; ".join(reasons)[:200])

    async def state(self, named: Named, party_id: UUID) -> Verdict:
        """What a responder says of a certificate, the first that says anything to the point."""
        return await self._state(named, await self._roots(party_id))

    async def listed(self, named: Named, party_id: UUID) -> Verdict:
        """What its authority's revocation list says of a certificate; the authority must be known here."""
        return await self._by_list(named, await self._roots(party_id))

    async def _state_or_list(self, named: Named, known: Sequence[x509.Certificate]) -> Verdict:
        """A responder's word, or where none can be had that of a list."""
        verdict = await self._state(named, known)
        if verdict.state != "unreachable" or not named.lists or not self.lists.is_on:
            return verdict
        return await self._by_list(named, known)

    async def _by_list(self, named: Named, known: Sequence[x509.Certificate]) -> Verdict:
        issuer = next((one for one in known if ocsp.has_issued(one, named.certificate)), None)
        if issuer is None:
            return Verdict(state="unreachable", reason="nobody here knows the issuer")
        try:
            async with asyncio.timeout(DEADLINE_S), self._at_once:
                return await self.lists.state(int(named.certificate.serial_number, 16), issuer, named.lists)
        except TimeoutError:
            return Verdict(state="unreachable", reason=f"no list within {DEADLINE_S:g} s")
        except ValueError:
            return Verdict(state="unreachable", reason="a serial number that is none")

    async def _roots(self, party_id: UUID) -> list[x509.Certificate]:
        async with self._pool.acquire() as conn:
            pems = await queries.list_contract_roots(conn, party_id)
        return [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]

    async def _state(self, named: Named, known: Sequence[x509.Certificate]) -> Verdict:
        remembered = self._told.get(named.certificate)
        if remembered is not None and remembered.until is not None and clock.now() < remembered.until:
            return remembered
        verdict = Verdict(state="unreachable", reason="no responder is named")
        try:
            async with asyncio.timeout(DEADLINE_S), self._at_once:
                for url in named.urls:
                    verdict = await self._ask(url, named.certificate, known)
                    if verdict.is_told:
                        break
        except TimeoutError:
            verdict = Verdict(state="unreachable", reason=f"no answer within {DEADLINE_S:g} s")
        if verdict.until is not None:
            self._told[named.certificate] = verdict
            self._told.move_to_end(named.certificate)
            if len(self._told) > MOST_REMEMBERED:
                self._told.popitem(last=False)
        return verdict

    async def _ask(self, url: str, asked: CertificateRef, known: Sequence[x509.Certificate]) -> Verdict:
        if self._responders is None:
            return Verdict(state="unreachable", reason="no responders may be asked")
        nonce = os.urandom(16)
        try:
            request = ocsp.request_for(asked, nonce)
        except (ValueError, OverflowError):
            return Verdict(state="unreachable", reason="hashes that are none")
        try:
            response = await self._responders.ask(url, request)
        except ExternalFailure as error:
            log.info("responder_not_reached", url=url[:200], error=error.text)
            return Verdict(state="unreachable", reason=error.text)
        verdict = ocsp.judge(response, asked, nonce, clock.now(), known)
        if verdict.state == "lying":
            log.warning("responder_not_believed", url=url[:200], reason=verdict.reason)
        return verdict

    async def ev_certificate(self, request: EvCertificateRequest) -> EvCertificateAnswer | None:
        """The pool's answer to a car; None when there is no pool, or it has none."""
        if self._ev_pool is None:
            return None
        try:
            async with asyncio.timeout(POOL_DEADLINE_S), self._at_once:
                return await self._ev_pool.fetch(request)
        except TimeoutError:
            log.warning("pool_not_reached", error="too slow")
        except ExternalFailure as error:
            log.warning("pool_not_reached", error=error.text)
        return None


def _wanted(chain: Sequence[x509.Certificate], named: Sequence[Named], *, has_lists: bool) -> list[Named]:
    """All of a chain but its root. A certificate names its responder and lists; for one without responder the station may.

    An authority that nobody can ask about is taken as it is; the contract's own certificate is not.
    """
    wanted = []
    for number, (certificate, issuer) in enumerate(pairwise(chain)):
        hashes = ocsp.hashes_of(certificate, issuer)
        urls = _responders_of(certificate) or tuple(
            url
            for one in named
            if one.certificate.serial_number.lower().lstrip("0") == hashes.serial_number
            for url in one.urls
        )
        lists = points_of(certificate) if has_lists else ()
        if urls or lists or number == 0:
            wanted.append(Named(certificate=hashes, urls=urls, lists=lists))
    return wanted


def _responders_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(
        one.access_location.value
        for one in access
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    )
