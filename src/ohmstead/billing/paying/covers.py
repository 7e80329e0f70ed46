"""No start without cover, and who pays for what began. Implements sessions.costs.DriverTerms.

A start that a wallet or a company's limit pays for holds money before it is answered: whoever makes or raises a hold has the
wallet's (the company's) row locked, so that two cards of one wallet, shown at two gateways at once, never get the same money.
The hold is the start's until its session is seen, then the session's, and ends with its CDR.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from ohmstead.billing.companies import service as companies
from ohmstead.billing.holding import service as holding
from ohmstead.billing.holding.model import Hold, of_company, of_wallet
from ohmstead.billing.holding.reckoning import Funds, hold_at_start
from ohmstead.billing.ledger.entries import amount_of
from ohmstead.billing.paying import store
from ohmstead.billing.paying.covering import cover_of
from ohmstead.billing.paying.model import Cover
from ohmstead.billing.paying.store import Known
from ohmstead.billing.plans import queries as plans
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets.service import minor_down
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions.terms import Terms
from ohmstead.stations.orders import SessionLimit
from ohmstead.tokens.model import Authorization, AuthorizationRequest

REFUSED = Terms(covers=False)


class CoverTerms:
    """Who may begin with what. Parties that have nothing set up cost one look at an empty index."""

    async def terms_of(
        self, conn: Connection, requests: Sequence[AuthorizationRequest], granted: Sequence[Authorization]
    ) -> list[Terms | None]:
        """The terms of each token that may charge; a start holds what it may spend. None: it is not asked who pays."""
        found: list[Terms | None] = [None] * len(granted)
        if all(one.token_id is None for one in granted):
            # No token of ours: a terminal's payment, or a start that needs none.
            return found
        known = await store.look_up(
            conn, [r.party_id for r in requests], [g.token_id for g in granted], [g.type for g in granted]
        )
        # In one order for everybody, so that no two gateways wait for each other.
        covered = sorted(((cover_of(of.asked), n, of) for n, of in known.items()), key=_order)
        for cover, n, of in covered:
            found[n] = await _terms(conn, requests[n], granted[n], cover, of)
        return found


def _order(one: tuple[Cover, int, Known]) -> tuple[str, str, int]:
    return one[0].kind, one[0].ref or "", one[1]


async def _terms(
    conn: Connection, request: AuthorizationRequest, granted: Authorization, cover: Cover, of: Known
) -> Terms | None:
    if cover.kind == "refused":
        return REFUSED
    if cover.kind not in ("wallet", "company") or cover.ref is None:
        return None
    if not request.is_start:
        account = await account_of(conn, of.party_id, cover, is_held=False)
        return None if account is None else account.terms(of, 0)
    uid_key = granted.uid.lower()
    async with conn.transaction():
        account = await account_of(conn, of.party_id, cover, is_held=True)
        if account is None:
            return None
        own = next(
            (h for h in account.holds if holding.is_of_start(h, uid_key, request.station_id, request.session_id)), None
        )
        if own is not None:
            return account.without(own).terms(of, own.amount_minor)
        currency = account.currency
        wanted, least = minor_down(of.hold_amount, currency), minor_down(of.least_credit, currency)
        amount = hold_at_start(account.funds, wanted, least)
        if amount is None or not account.is_paying:
            return account.terms(of, 0)
        now = clock.now()
        hold = Hold(
            hold_id=new_id(),
            party_id=of.party_id,
            account=account.name,
            currency=currency,
            amount_minor=amount,
            made_at=now,
            uid_key=uid_key,
            station_id=request.station_id or "-",
            session_id=request.session_id,
            expires_at=None if request.session_id is not None else holding.expires_at(now),
        )
        await holding.put(conn, of.party_id, hold)
        return account.terms(of, amount)


class Account:
    """A wallet, or a company's limit, as it stands."""

    def __init__(self, name: str, currency: str, funds: Funds, holds: Sequence[Hold], *, is_wallet: bool) -> None:
        self.name, self.currency, self.funds, self.holds = name, currency, funds, holds
        self.is_wallet, self.is_paying = is_wallet, True

    def without(self, own: Hold) -> Account:
        """The same for whoever holds that."""
        funds = replace(self.funds, held=self.funds.held - own.amount_minor)
        return Account(self.name, self.currency, funds, self.holds, is_wallet=self.is_wallet)

    def terms(self, of: Known, holds: int) -> Terms:
        """What a driver is told and held to. `holds`: what is held for the one who asks."""
        left = Money.from_minor(self.funds.available, self.currency)
        covers = holds > 0 or self.funds.available >= max(1, minor_down(of.least_credit, self.currency))
        if self.is_wallet:
            return Terms(credit=left, covers=covers)
        return Terms(limit=SessionLimit(max_cost=left.amount), covers=covers)


async def account_of(conn: Connection, party_id: UUID, cover: Cover, *, is_held: bool) -> Account | None:
    """None where there is nothing to hold: a company without a limit, or a wallet that is gone."""
    assert cover.ref is not None
    ref = UUID(cover.ref)
    if cover.kind == "wallet":
        row = await (wallets.hold if is_held else wallets.look)(conn, party_id, ref)
        if row is None:
            return None
        holds = await holding.list_holds(conn, party_id, [of_wallet(ref)])
        return Account(of_wallet(ref), row.currency, await wallets.funds_of(conn, row), holds, is_wallet=True)
    limited = await companies.limit_of(conn, party_id, ref, is_held=is_held)
    if limited is None or limited.funds is None:
        return None
    holds = await holding.list_holds(conn, party_id, [of_company(ref)])
    return Account(of_company(ref), limited.currency, limited.funds, holds, is_wallet=False)


# ------------------------------------------------------------------------------------------------- sessions that began


async def note_starts(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionStarted`: who pays is kept, and the start's hold becomes the session's."""
    await cover_sessions(conn, [UUID(event.payload["session_id"]) for event in found])


async def cover_sessions(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """Note who pays for sessions for which nobody has noted it yet, and by which plans and coupons. May run any number of
    times; a session whose token is not known yet gets its cover when that is.
    """
    for party_id, ids in sorted((await store.parties_of(conn, session_ids)).items()):
        await _cover(conn, party_id, ids)


async def _cover(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> None:
    known = await store.look_up_sessions(conn, party_id, session_ids)
    starts = await store.starts_of(conn, party_id, list(known))
    drivers = {one: of.driver_id for one, of in known.items() if of.driver_id is not None}
    asked = [(driver_id, starts[one]["started_at"]) for one, driver_id in drivers.items()]
    told = await plans.list_terms(conn, party_id, asked) if asked else []
    terms = dict(zip(drivers, told, strict=True))
    for session_id, of in sorted(known.items()):
        cover = cover_of(of.asked)
        if cover.kind == "refused":
            # It began all the same (offline, or the party's rule came later): it is on account.
            cover = Cover(kind="refused", source=cover.source)
        labels, coupons = terms.get(session_id, ([], []))
        await store.insert_cover(conn, party_id, session_id, cover, of.driver_id, labels, coupons)
        start = starts[session_id]
        if cover.kind in ("wallet", "company"):
            hold = await holding.give_to_session(conn, party_id, start["token_key"], start["station_id"], session_id)
            if hold is not None:
                amount = amount_of(hold.amount_minor, hold.currency)
                await store.set_limit(conn, party_id, session_id, amount, hold.currency)
