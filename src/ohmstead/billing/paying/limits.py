"""How far sessions are covered while they go on. Implements sessions.costs.Covers.

A session of a wallet or of a company's limit ends where what it holds ends; it holds more, a step at a time, as it goes on, as
long as there is any. A guest's session ends with what is held of their card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from ohmstead.billing.holding import service as holding
from ohmstead.billing.holding.model import Hold
from ohmstead.billing.holding.reckoning import raised_hold
from ohmstead.billing.paying import covers, store
from ohmstead.billing.paying.covering import AD_HOC_TYPES
from ohmstead.billing.paying.model import Cover, SessionCover
from ohmstead.billing.wallets import topping
from ohmstead.billing.wallets.service import minor_down
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions.costs import CoverLimit
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing.queries import running_costs

WARN_AT = Decimal("0.8")


class CoverLimits:
    """Whoever knows how far a session is paid for."""

    async def limits_of(self, conn: Connection, sessions: Sequence[Session]) -> list[CoverLimit | None]:
        """The limit of each session, after what it holds was raised where that was due; None: it has none.

        Each raise is a transaction of its own, unless the caller has one open.
        """
        ids = [session.session_id for session in sessions if session.token_uid is not None]
        if not ids:
            return [None] * len(sessions)
        await covers.cover_sessions(conn, ids)
        found = await _of_guests(conn, sessions)
        by_party: dict[UUID, list[Session]] = defaultdict(list)
        for session in sessions:
            by_party[session.party_id].append(session)
        for party_id, ours in sorted(by_party.items()):
            found |= await _of_party(conn, party_id, ours)
        return [found.get(session.session_id) for session in sessions]


async def _of_guests(conn: Connection, sessions: Sequence[Session]) -> dict[UUID, CoverLimit]:
    guests = [s.session_id for s in sessions if s.token_type in AD_HOC_TYPES]
    if not guests:
        return {}
    return {
        session_id: _limit(held, more=False) for session_id, held in (await store.list_guests(conn, guests)).items()
    }


async def _of_party(conn: Connection, party_id: UUID, sessions: Sequence[Session]) -> dict[UUID, CoverLimit]:
    ids = [session.session_id for session in sessions]
    covered = {
        session_id: cover
        for session_id, cover in (await store.list_covers(conn, party_id, ids)).items()
        if cover.kind in ("wallet", "company")
    }
    if not covered:
        return {}
    policy = await store.find_policy(conn, party_id)
    holds = await holding.list_of_sessions(conn, party_id, list(covered))
    spent = await running_costs(conn, party_id, list(covered))
    found: dict[UUID, CoverLimit] = {}
    for session in sorted(
        (s for s in sessions if s.session_id in covered), key=lambda s: _order(covered[s.session_id])
    ):
        session_id = session.session_id
        hold = holds.get(session_id)
        step = policy.hold_amount if policy is not None else Decimal(20)
        if hold is not None and not _is_short(hold, spent, step):
            found[session_id] = _limit(Money.from_minor(hold.amount_minor, hold.currency), more=True)
            continue
        limit = await _raise(conn, session, covered[session_id], spent.get(session_id), step)
        if limit is not None:
            found[session_id] = limit
    return found


def _order(cover: SessionCover) -> tuple[str, str, str]:
    return cover.kind, cover.ref or "", str(cover.session_id)


def _is_short(hold: Hold, spent: Mapping[UUID, Money], step: Decimal) -> bool:
    assert hold.session_id is not None
    cost = spent.get(hold.session_id)
    if cost is None or cost.currency != hold.currency:
        return False
    return (hold.amount_minor - cost.minor()) * 2 <= minor_down(step, hold.currency)


async def _raise(
    conn: Connection, session: Session, cover: SessionCover, cost: Money | None, step: Decimal
) -> CoverLimit | None:
    party_id, session_id = session.party_id, session.session_id
    async with conn.transaction():
        asked = Cover(kind=cover.kind, source=cover.source, ref=cover.ref)
        account = await covers.account_of(conn, party_id, asked, is_held=True)
        if account is None:
            return None
        own = next((one for one in account.holds if one.session_id == session_id), None)
        holds = own.amount_minor if own is not None else 0
        funds = account.without(own).funds if own is not None else account.funds
        spent = cost.minor() if cost is not None and cost.currency == account.currency else 0
        amount = raised_hold(funds, holds, spent, minor_down(step, account.currency)) if account.is_paying else holds
        hold = Hold(
            hold_id=own.hold_id if own is not None else new_id(),
            party_id=party_id,
            account=account.name,
            currency=account.currency,
            amount_minor=amount,
            made_at=clock.now(),
            uid_key=(session.token_uid or "").lower(),
            station_id=session.station_id,
            session_id=session_id,
        )
        held = Money.from_minor(amount, account.currency)
        if own is None or amount != holds:
            await holding.put(conn, party_id, hold)
            await store.set_limit(conn, party_id, session_id, held.amount, held.currency)
        more = funds.available > amount
        if not more and account.is_wallet and cover.ref is not None:
            await topping.top_up_if_low(conn, party_id, UUID(cover.ref))
        return _limit(held, more=more)


def _limit(held: Money, *, more: bool) -> CoverLimit:
    """`more`: there is more to be held, so that nobody need be warned."""
    return CoverLimit(limit=held, warn_at=held if more else (held * WARN_AT).rounded())
