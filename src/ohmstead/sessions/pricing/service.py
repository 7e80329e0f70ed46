"""What sessions cost: the tariff they keep since their start, over what was measured. Implements sessions.costs.Costs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions import metering
from ohmstead.sessions.costs import Cost, PaidBy, Payers
from ohmstead.sessions.metering import Register
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.pricing import counting, pieces, store
from ohmstead.sessions.pricing.counting import Counted, Plans
from ohmstead.sessions.pricing.store import Kept, Measured
from ohmstead.tariffs import pricing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import CostBreakdown, Payer, Stretch
from ohmstead.tariffs.queries import find_market, get_tariff
from ohmstead.tariffs.records import Place

# What OCPP calls paying on the spot; everybody else has a contract with somebody.
AD_HOC = frozenset({"DirectPayment"})

log = logger("ohmstead.pricing")

list_sessions = store.list_sessions


class SessionCost(Struct, frozen=True, kw_only=True):
    """What a session costs, by which tariff."""

    session_id: UUID
    tariff_id: UUID
    version: int
    is_final: bool
    cost: CostBreakdown


class Reckoned(Struct, frozen=True, kw_only=True):
    """A session with its final price. `kept`: the tariff that it began with; `cost`: None where no price can be told."""

    session: Session
    kept: Kept | None
    cost: CostBreakdown | None
    periods: list[ChargingPeriod]


class TariffCosts:
    """Whoever knows prices: tariffs do.

    `looks_up` False: of sessions that go on only the tariff that they keep already counts. It is kept as they begin, and a
    gateway's batch is no time to look for one. `payers`: whoever knows of plans and coupons and of what is taken off; without,
    the token's group alone counts.
    """

    def __init__(self, payers: Payers | None = None, *, looks_up: bool = True) -> None:
        self._plans = Plans()
        self._payers = payers
        self._looks_up = looks_up

    async def costs_of(self, conn: Connection, sessions: Sequence[Session]) -> list[Cost | None]:
        """None where no tariff applies. A session that goes on is gone on with; one that is over is priced as a whole."""
        kept = await keep_tariffs(conn, [s for s in sessions if self._looks_up or not is_going_on(s)])
        if not self._looks_up:
            kept |= await store.list_kept(conn, [s.session_id for s in sessions if is_going_on(s)])
        payers = await self._payers_of(conn, [s for s in sessions if s.session_id in kept])
        counted = await self._count(conn, sessions, kept, payers)
        priced = await self._whole(conn, [s for s in sessions if s.session_id not in counted], kept, payers)
        return [
            self._cost(
                kept[s.session_id], counted.get(s.session_id), priced.get(s.session_id), payers.get(s.session_id)
            )
            if s.session_id in counted or s.session_id in priced
            else None
            for s in sessions
        ]

    async def break_down(self, conn: Connection, sessions: Sequence[Session]) -> list[SessionCost | None]:
        """The cost of each session with its lines; None where no tariff applies, or nothing was measured yet."""
        kept = await keep_tariffs(conn, sessions)
        payers = await self._payers_of(conn, [s for s in sessions if s.session_id in kept])
        counted = await self._count(conn, sessions, kept, payers)
        found = await self._whole(conn, [s for s in sessions if s.session_id not in counted], kept, payers)
        for session in sessions:
            one = counted.get(session.session_id)
            if one is not None and session.last_event_at > session.started_at:
                cost = pricing.break_down(one.plan, one.tally, _payer(session, payers.get(session.session_id)))
                if one.concession is not None:
                    cost = pricing.applied(cost, one.concession)
                found[session.session_id] = _of(session, kept[session.session_id], cost)
        return [found.get(session.session_id) for session in sessions]

    async def _count(
        self, conn: Connection, sessions: Sequence[Session], kept: dict[UUID, Kept], payers: dict[UUID, PaidBy]
    ) -> dict[UUID, Counted]:
        grants = {session_id: paid.grant for session_id, paid in payers.items() if paid.grant is not None}
        return await counting.count(conn, self._plans, [s for s in sessions if is_going_on(s)], kept, grants)

    async def _whole(
        self, conn: Connection, sessions: Sequence[Session], kept: dict[UUID, Kept], payers: dict[UUID, PaidBy]
    ) -> dict[UUID, SessionCost]:
        """From all that was measured of each; one that cannot be priced stops no other."""
        wanted = [session for session in sessions if session.session_id in kept]
        measured = await measured_of(conn, wanted, kept) if wanted else {}
        found: dict[UUID, SessionCost] = {}
        for session in wanted:
            of, paid = kept[session.session_id], payers.get(session.session_id)
            try:
                stretches = stretches_of(session, measured[session.session_id])
                if not stretches:
                    continue
                names, start, end = tariffs.series_of(of.tariff), stretches[0].started_at, stretches[-1].ended_at
                market = await find_market(conn, session.party_id, names, start, end)
                cost = pricing.price(self._plans.of(of), stretches, _payer(session, paid), market)
                if paid is not None and paid.grant is not None:
                    periods = periods_of(session, measured[session.session_id])
                    cost = pricing.applied(cost, paid.grant.concession(periods))
            except counting.NO_PRICE as error:
                log.warning("session_without_price", session_id=str(session.session_id), error=repr(error))
                continue
            found[session.session_id] = _of(session, of, cost)
        return found

    async def _payers_of(self, conn: Connection, sessions: Sequence[Session]) -> dict[UUID, PaidBy]:
        return await self._payers.payers_of(conn, sessions) if self._payers is not None and sessions else {}

    def _cost(self, kept: Kept, counted: Counted | None, priced: SessionCost | None, paid: PaidBy | None) -> Cost:
        # Where something is taken off, there is more to say about the price than what a kWh costs.
        price_kwh = _only_price(kept.tariff) if paid is None or paid.grant is None else None
        if counted is None:
            assert priced is not None
            return Cost(total=Money(priced.cost.total, priced.cost.currency), price_kwh=price_kwh)
        payer = _payer(counted.session, paid)
        _, total = pricing.total_of(counted.plan, counted.tally, payer, counted.concession)
        return Cost(total=Money(total, kept.tariff.currency), price_kwh=price_kwh, progress=counted.progress)


def is_going_on(session: Session) -> bool:
    """Is its end yet to come, or messages before it?"""
    return session.status in ("pending", "active", "closing")


def _of(session: Session, kept: Kept, cost: CostBreakdown) -> SessionCost:
    return SessionCost(
        session_id=session.session_id,
        tariff_id=kept.tariff_id,
        version=kept.version,
        is_final=session.settled_at is not None,
        cost=cost,
    )


async def reckon(conn: Connection, costs: TariffCosts, session_ids: Sequence[UUID]) -> list[Reckoned]:
    """Those of the sessions that are settled, with what they cost in the end. One that cannot be priced stops no other."""
    found = [one for one in await store.list_sessions(conn, session_ids) if one.settled_at is not None]
    kept = await keep_tariffs(conn, found)
    priced = await costs.break_down(conn, found)
    measured = await store.list_measured(conn, [session.session_id for session in found])
    return [
        Reckoned(
            session=session,
            kept=kept.get(session.session_id),
            cost=one.cost if one else None,
            periods=measured[session.session_id].periods,
        )
        for session, one in zip(found, priced, strict=True)
    ]


async def get_cost(conn: Connection, costs: TariffCosts, party_id: UUID, session_id: UUID) -> SessionCost:
    """What a session of a party costs. Raises NotFound, also where no tariff applies to it."""
    session = await store.find_session(conn, party_id, session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    (found,) = await costs.break_down(conn, [session])
    if found is None:
        raise NotFound("no tariff applies to this session, or nothing was measured yet")
    return found


async def note_start(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionStarted`: what applies at the start is kept, whatever is published afterwards."""
    await keep_tariffs(conn, await store.list_sessions(conn, [UUID(event.payload["session_id"]) for event in found]))


async def keep_tariffs(conn: Connection, sessions: Sequence[Session]) -> dict[UUID, Kept]:
    """The tariff of each session to which one applies. Where none is kept yet, the one of the session's start is.

    Assignments and versions are looked at as they were at that instant, so it does not matter when this is asked. A gateway
    asks about sessions that its batch has yet to write: those are told, and kept once they are there.
    """
    kept = await store.list_kept(conn, [session.session_id for session in sessions])
    missing = [session for session in sessions if session.session_id not in kept]
    for party_id in sorted({session.party_id for session in missing}):
        ours = [session for session in missing if session.party_id == party_id]
        chosen = await tariffs.choose_all(conn, party_id, [place_of(session) for session in ours])
        zones = await tariffs.find_zones(conn, party_id, [s.location_id for s in ours if s.location_id])
        rows = []
        for session, (one, _) in zip(ours, chosen, strict=True):
            if one is None:
                continue
            zone = zones.get(session.location_id, "UTC") if session.location_id else "UTC"
            kept[session.session_id] = Kept(session.session_id, one.tariff_id, one.version, zone, one.tariff)
            rows.append((session.session_id, one.tariff_id, one.version, one.assignment_id, zone))
        if rows:
            await store.keep(conn, party_id, rows)
    return kept


async def give_tariff(conn: Connection, party_id: UUID, session_id: UUID, tariff_id: UUID) -> None:
    """A session that keeps no tariff keeps the newest version of this one from now on.

    Raises NotFound for what is not the party's, Conflict where the session keeps a tariff already.
    """
    session = await store.find_session(conn, party_id, session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    tariff = await get_tariff(conn, party_id, tariff_id)
    zones = await tariffs.find_zones(conn, party_id, [session.location_id] if session.location_id else [])
    zone = zones.get(session.location_id, "UTC") if session.location_id else "UTC"
    if not await store.give(conn, party_id, session_id, tariff_id, tariff.version, zone):
        raise Conflict("the session keeps a tariff already", code="has_tariff")


async def measured_of(
    conn: Connection, sessions: Sequence[Session], kept: dict[UUID, Kept] | None = None
) -> dict[UUID, Measured]:
    """What was measured of sessions; currents only where a tariff (or whoever passes none) asks for them."""
    measured = await store.list_measured(conn, [session.session_id for session in sessions])
    asked = [s.session_id for s in sessions if kept is None or counting.wants_current(kept[s.session_id].tariff)]
    if asked:
        for session_id, currents in (await store.list_currents(conn, asked)).items():
            measured[session_id].currents.extend(currents)
    return measured


def stretches_of(session: Session, measured: Measured) -> list[Stretch]:
    """What pricing takes: of a session that is not settled yet as it would settle now."""
    points = metering.register_points(session, _registers(session, measured))
    return pieces.stretches_of(periods_of(session, measured), points, measured.currents)


def periods_of(session: Session, measured: Measured) -> list[ChargingPeriod]:
    """Its charging periods; of a session that is not settled yet as it would settle now."""
    if session.settled_at is not None and measured.periods:
        return measured.periods
    return metering.periods(session, measured.events, _registers(session, measured))


def _registers(session: Session, measured: Measured) -> list[Register]:
    """A reading that is in the session and not among its samples yet is its latest."""
    registers = measured.registers
    last_at, last_wh = session.register_last_at, session.register_last_wh
    is_told_later = last_at is not None and (not registers or registers[-1][0] < last_at)
    if session.settled_at is None and is_told_later and last_at is not None and last_wh is not None:
        return [*registers, (last_at, last_wh)]
    return registers


def place_of(session: Session) -> Place:
    """Where and when a session began, and for whom."""
    return Place(
        party_id=session.party_id,
        station_id=session.station_id,
        at=session.started_at,
        location_id=session.location_id,
        evse_number=session.evse_number,
        connector_number=session.connector_number,
        group_uid=session.group_uid,
        is_ad_hoc=session.token_type in AD_HOC,
    )


def _payer(session: Session, paid: PaidBy | None) -> Payer:
    return paid.payer if paid is not None and paid.payer is not None else payer_of(session)


def payer_of(session: Session) -> Payer:
    """Who pays, as far as the session tells."""
    return Payer(groups=[session.group_uid] if session.group_uid else [])


def _only_price(tariff: Tariff) -> Decimal | None:
    """The price of a kWh with its taxes, where that is all there is to say about the price."""
    extras = (tariff.idle_fee, tariff.min_price, tariff.max_price, tariff.max_per_day)
    if len(tariff.elements) != 1 or any(one is not None for one in extras) or tariff.adjustments:
        return None
    element = tariff.elements[0]
    only = element.price_components[0]
    if element.restrictions is not None or len(element.price_components) != 1:
        return None
    if only.type != "ENERGY" or only.market is not None:
        return None
    if tariff.tax_included == "YES":
        return only.price
    return only.price * (100 + sum((tax.percentage for tax in only.taxes), Decimal(0))) / 100
