"""By which plans and coupons sessions are priced, those that drivers had when they began, and what is taken off: energy in the
fees of their plans, or all of it. Implements sessions.costs.Payers.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.billing.paying import store
from ohmstead.billing.paying.covering import customer_of
from ohmstead.billing.paying.model import SessionCover
from ohmstead.billing.plans import including
from ohmstead.billing.plans import queries as plans
from ohmstead.billing.plans.reckoning import (
    Left,
    Month,
    borders_of,
    concession_of,
    energy_by_month,
    left_for,
    month_of,
    zone_of,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.sessions.costs import Grant, PaidBy
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.tariffs.pricing import Concession, Payer

# Of whom nothing was found it is asked again after so long: a token may be shown long after a car was plugged in.
_AGAIN_S = 30.0
_FRESH = timedelta(seconds=60)
_MOST = 100_000


class Free(Struct, frozen=True):
    """Nothing is asked for the session. Implements sessions.costs.Grant."""

    def borders(self, until_at: datetime) -> list[datetime]:
        """None: all of it is free."""
        return []

    def concession(self, periods: Sequence[ChargingPeriod]) -> Concession:
        """All of it."""
        return Concession(is_free=True)


class OfPlans:
    """Energy that is in the fees of the months of a session's driver, as billing would grant it were no other session billed
    before. Implements sessions.costs.Grant.
    """

    def __init__(self, started_at: datetime, zone: ZoneInfo, left: Sequence[Left]) -> None:
        self._started_at, self._zone, self._left = started_at, zone, left
        # Nearly all sessions are over before the next month: those have no need of a calendar.
        self._month, self._border = month_of(started_at, zone)
        self._found: tuple[datetime, list[datetime]] = (self._border, [])

    def borders(self, until_at: datetime) -> list[datetime]:
        """When months begin."""
        following, found = self._found
        if until_at > following or (found and until_at <= found[-1]):
            found = borders_of(self._zone, self._started_at, until_at)
            self._found = month_of(found[-1] if found else self._started_at, self._zone)[1], found
        return found

    def concession(self, periods: Sequence[ChargingPeriod]) -> Concession:
        """What is left, as far as the session needs it."""
        if len(periods) == 1 and periods[0].ended_at <= self._border:
            energy = {self._month: periods[0].energy_wh} if periods[0].energy_wh > 0 else {}
        else:
            energy = energy_by_month(periods, self._zone)
        return concession_of(energy, self._left)[0]


class _Known(Struct, frozen=True):
    """What a session's cover says: who pays, whether anybody does, and whose plans count, with those of no one else."""

    payer: Payer | None
    is_free: bool
    driver_id: UUID | None


class _Kept(Struct, frozen=True):
    """What was left for a session, and from when until when it is not read again."""

    grant: OfPlans | None
    started_at: datetime
    from_at: datetime
    until: datetime


class PlanPayers:
    """Whoever knows who pays: what was kept of it when the session began. What was found is not read again.

    What is left of a month's energy is read each time; of sessions that go on at most every `again_s` seconds where that is
    given, and when a month begins. `is_granting` False: nothing is taken off, as for billing, which does it by itself and
    writes it down.
    """

    def __init__(self, *, again_s: float = 0.0, is_granting: bool = True) -> None:
        self._again = timedelta(seconds=again_s)
        self._is_granting = is_granting
        self._found: dict[UUID, _Known] = {}
        self._nothing: dict[UUID, float] = {}
        self._kept: dict[UUID, _Kept] = {}

    async def payers_of(self, conn: Connection, sessions: Sequence[Session]) -> dict[UUID, PaidBy]:
        """Of sessions with plans or coupons, and of free ones; the others are left out."""
        await self._learn(conn, sessions)
        known = {s.session_id: self._found[s.session_id] for s in sessions if s.session_id in self._found}
        grants = (
            await self._grants_of(conn, [s for s in sessions if s.session_id in known]) if self._is_granting else {}
        )
        return {session_id: PaidBy(payer=one.payer, grant=grants.get(session_id)) for session_id, one in known.items()}

    async def _learn(self, conn: Connection, sessions: Sequence[Session]) -> None:
        now = time.monotonic()
        by_party: dict[UUID, list[Session]] = defaultdict(list)
        for session in sessions:
            if session.token_uid is not None and session.session_id not in self._found and self._is_due(session, now):
                by_party[session.party_id].append(session)
        for party_id, ours in sorted(by_party.items()):
            fresh = await _read(conn, party_id, ours)
            self._keep(ours, fresh, now)

    def _is_due(self, session: Session, now: float) -> bool:
        # Who pays is noted a moment after a session began.
        if session.settled_at is not None or clock.now() - session.first_received_at < _FRESH:
            return True
        return now - self._nothing.get(session.session_id, -_AGAIN_S) >= _AGAIN_S

    def _keep(self, sessions: Sequence[Session], fresh: dict[UUID, _Known], now: float) -> None:
        if len(self._found) > _MOST or len(self._nothing) > _MOST:
            self._found.clear()
            self._nothing.clear()
            self._kept.clear()
        self._found |= fresh
        self._nothing |= {s.session_id: now for s in sessions if s.session_id not in fresh}

    async def _grants_of(self, conn: Connection, sessions: Sequence[Session]) -> dict[UUID, Grant]:
        now = clock.now()
        found: dict[UUID, Grant] = {}
        by_party: dict[UUID, list[tuple[Session, UUID]]] = defaultdict(list)
        for session in sessions:
            known, kept = self._found[session.session_id], self._kept.get(session.session_id)
            if known.is_free:
                found[session.session_id] = Free()
            elif known.driver_id is not None and kept is not None and _holds(kept, session, now):
                if kept.grant is not None:
                    found[session.session_id] = kept.grant
            elif known.driver_id is not None:
                by_party[session.party_id].append((session, known.driver_id))
        for party_id, ours in sorted(by_party.items()):
            drivers = sorted({driver_id for _, driver_id in ours})
            left = await including.foresee(conn, party_id, drivers, [session.session_id for session, _ in ours])
            until = min(now + self._again, left.until)
            for session, driver_id in ours:
                grant = _grant(session, left.by_driver.get(driver_id, []))
                if grant is not None:
                    found[session.session_id] = grant
                if self._again:
                    self._kept[session.session_id] = _Kept(grant, session.started_at, now, until)
        return found


def _holds(kept: _Kept, session: Session, now: datetime) -> bool:
    return session.ended_at is None and kept.started_at == session.started_at and kept.from_at <= now < kept.until


def _grant(session: Session, months: Sequence[Month]) -> OfPlans | None:
    left = left_for(session.session_id, session.started_at, months, {})
    return OfPlans(session.started_at, zone_of(months[0].time_zone), left) if left else None


async def _read(conn: Connection, party_id: UUID, sessions: Sequence[Session]) -> dict[UUID, _Known]:
    covers = await store.list_priced_covers(conn, party_id, [session.session_id for session in sessions])
    if not covers:
        return {}
    codes = sorted({code for one in covers.values() for code in one.coupons})
    labels = await plans.labels_of(conn, party_id, codes) if codes else {}
    return {
        session.session_id: _known(session, cover, labels)
        for session in sessions
        if (cover := covers.get(session.session_id)) is not None
    }


def _known(session: Session, cover: SessionCover, labels: dict[str, str]) -> _Known:
    payer = Payer(
        groups=[session.group_uid] if session.group_uid else [],
        plans=cover.plans,
        coupons=[labels[code] for code in cover.coupons if code in labels],
    )
    return _Known(payer, cover.kind == "free", cover.driver_id if cover.plans and _owes_it(cover) else None)


def _owes_it(cover: SessionCover) -> bool:
    """Is it the driver who owes what the session costs?"""
    payment_id = UUID(cover.ref) if cover.kind == "ad_hoc" and cover.ref is not None else None
    customer = customer_of(cover.kind, cover.ref, driver_id=cover.driver_id, token_id=None, payment_id=payment_id)
    return cover.driver_id is not None and customer == f"driver:{cover.driver_id}"
