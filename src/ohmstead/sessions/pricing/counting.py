"""Sessions that go on are counted from where they were last counted, with what the database has since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.core.log import logger
from ohmstead.sessions.costs import Grant, Progress
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.pricing import running, store
from ohmstead.sessions.pricing.running import Step, Told
from ohmstead.sessions.pricing.store import Kept, ToldRow
from ohmstead.tariffs import pricing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import Concession, MarketPrices, Plan, Tally
from ohmstead.tariffs.pricing.calendar import instant_of, us_of
from ohmstead.tariffs.queries import find_edition, find_market

# What pricing raises over a tariff or a session that makes no sense to it: a time zone that there is not, overlaps.
NO_PRICE = (Invalid, KeyError, ValueError, ArithmeticError)
_MOST_PLANS = 1000
# Where readings came out of turn, a reading may have been added to a sample that was counted already: so often, by the
# session's own time, everything is counted anew.
_AGAIN_US = 1_800_000_000
_MOMENT = timedelta(seconds=1)

log = logger("ohmstead.pricing")


class Plans:
    """Tariffs made ready, kept: they learn."""

    def __init__(self) -> None:
        self._known: dict[tuple[UUID, int, str], Plan] = {}

    def of(self, kept: Kept) -> Plan:
        """Raises KeyError for a time zone that there is not."""
        key = (kept.tariff_id, kept.version, kept.time_zone)
        plan = self._known.get(key)
        if plan is None:
            if len(self._known) >= _MOST_PLANS:
                self._known.clear()
            plan = self._known[key] = pricing.plan_of(kept.tariff, kept.time_zone)
        return plan


class Counted(Struct, frozen=True, kw_only=True):
    """What a session has come to, what is taken off it, and what it takes to go on."""

    session: Session
    plan: Plan
    tally: Tally
    concession: Concession | None
    progress: Progress


class _Market:
    """Prices of markets for the sessions of a call: each series is read once."""

    def __init__(self, conn: Connection, from_at: datetime, to_at: datetime) -> None:
        self._conn = conn
        self._span = (from_at, to_at)
        self._prices: dict[tuple[UUID, frozenset[str]], Mapping[str, MarketPrices]] = {}
        self._editions: dict[tuple[UUID, frozenset[str]], str] = {}

    async def of(self, party_id: UUID, names: set[str]) -> tuple[Mapping[str, MarketPrices], str]:
        """The prices, and as of when."""
        if not names:
            return {}, ""
        key = (party_id, frozenset(names))
        if key not in self._prices:
            self._editions[key] = str(await find_edition(self._conn, party_id, names))
            self._prices[key] = await find_market(self._conn, party_id, names, *self._span)
        return self._prices[key], self._editions[key]


async def count(
    conn: Connection,
    plans: Plans,
    sessions: Sequence[Session],
    kept: Mapping[UUID, Kept],
    grants: Mapping[UUID, Grant],
) -> dict[UUID, Counted]:
    """Those of the sessions that keep a tariff, counted on. Left out are those that only can be priced as a whole."""
    wanted = {session.session_id: session for session in sessions if session.session_id in kept}
    found: dict[UUID, Counted] = {}
    ids = list(wanted)
    for is_whole in (False, True):
        if not ids:
            break
        told = await store.list_told(conn, ids, running.STATES, is_whole=is_whole)
        # A gateway asks about sessions that are not written yet.
        told |= {one: ToldRow(wanted[one], None, None, [], [], []) for one in ids if one not in told}
        currents = await _currents(conn, told, kept)
        market = _Market(conn, *_span(told, wanted))
        for session_id in ids:
            row, of, grant = told[session_id], kept[session_id], grants.get(session_id)
            session = _latest(row.session, wanted[session_id])
            prices, as_of = await market.of(session.party_id, tariffs.series_of(of.tariff))
            edition = f"{of.tariff_id} {of.version} {of.time_zone} {as_of}"
            news = _told(row, session, currents.get(session_id, ()), grant, edition)
            try:
                plan = plans.of(of)
                step = _step(plan, session, news, prices, row)
            except NO_PRICE as error:
                log.warning("session_without_price", session_id=str(session_id), error=repr(error))
                continue
            if step is not None:
                found[session_id] = _counted(session, plan, step, grant)
        ids = [session_id for session_id in ids if session_id not in found and told[session_id].until_at is not None]
    return found


def wants_current(tariff: Tariff) -> bool:
    """Is there a restriction on currents?"""
    return any(
        r.min_current is not None or r.max_current is not None
        for r in (element.restrictions for element in tariff.elements)
        if r is not None
    )


def _step(plan: Plan, session: Session, told: Told, market: Mapping[str, MarketPrices], row: ToldRow) -> Step | None:
    if row.until_at is None or row.tally is None:
        return running.begin(plan, session, told, market)
    kept = running.from_bytes(row.tally)
    if kept is None or kept.until != us_of(row.until_at):
        return None
    return running.go_on(plan, session, told, market, kept)


def _counted(session: Session, plan: Plan, step: Step, grant: Grant | None) -> Counted:
    progress = Progress(instant_of(step.kept.until), running.as_bytes(step.kept))
    concession = None
    if grant is not None:
        # Within one account it does not matter when the energy flowed.
        at = session.started_at
        concession = grant.concession(step.periods or [ChargingPeriod(at, at, "charging", session.energy_wh)])
    return Counted(session=session, plan=plan, tally=step.now, concession=concession, progress=progress)


def _latest(written: Session, asked: Session) -> Session:
    """A gateway is ahead of the database; whoever read the session a moment ago is behind it."""
    return written if written.updated_at >= asked.updated_at else asked


def _told(
    row: ToldRow,
    session: Session,
    currents: Sequence[tuple[datetime, Decimal]],
    grant: Grant | None,
    edition: str,
) -> Told:
    end = max(session.last_event_at, session.register_last_at or session.started_at, *row.samples[-1:])
    borders = grant.borders(end) if grant is not None else []
    again = us_of(session.last_event_at) // _AGAIN_US if session.needs_refold else ""
    return Told(
        n_samples=row.session.n_samples,
        states=[(us_of(at), kind) for at, kind in row.states],
        samples=[us_of(at) for at in row.samples],
        registers=[(us_of(at), int(shown * 1_000_000)) for at, shown in row.registers],
        currents=[(us_of(at), int(flowing * 1000)) for at, flowing in currents],
        borders=[us_of(at) for at in borders],
        edition=f"{edition} {again}",
    )


async def _currents(
    conn: Connection, told: Mapping[UUID, ToldRow], kept: Mapping[UUID, Kept]
) -> dict[UUID, list[tuple[datetime, Decimal]]]:
    asked = [row for session_id, row in told.items() if wants_current(kept[session_id].tariff)]
    if not asked:
        return {}
    after = [row.until_at or row.session.started_at for row in asked]
    return await store.list_currents(conn, [row.session.session_id for row in asked], after)


def _span(told: Mapping[UUID, ToldRow], asked: Mapping[UUID, Session]) -> tuple[datetime, datetime]:
    """From where the first one is counted on, until the last one was heard of."""
    starts = [row.until_at or row.session.started_at for row in told.values()]
    ends = [max(row.session.last_event_at, asked[i].last_event_at, *row.samples[-1:]) for i, row in told.items()]
    return min(starts), max(ends) + _MOMENT
