"""What sessions cost: the tariff they keep since their start, over what was measured. Implements sessions.costs.Costs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions import metering
from ohmstead.sessions.costs import Cost
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.pricing import pieces, store
from ohmstead.sessions.pricing.store import Kept, Measured
from ohmstead.tariffs import pricing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import CostBreakdown, Payer, Plan, Stretch
from ohmstead.tariffs.queries import find_market
from ohmstead.tariffs.records import Place

# What OCPP calls paying on the spot; everybody else has a contract with somebody.
AD_HOC = frozenset({"DirectPayment"})
_MOST_PLANS = 1000
# What pricing raises over a tariff or a session that makes no sense to it: a time zone that there is not, overlaps.
_NO_PRICE = (Invalid, KeyError, ValueError, ArithmeticError)

log = logger("ohmstead.pricing")


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


class TariffCosts:
    """Whoever knows prices: tariffs do."""

    def __init__(self) -> None:
        self._plans = Plans()

    async def costs_of(self, conn: Connection, sessions: Sequence[Session]) -> list[Cost | None]:
        """None where no tariff applies."""
        priced = await self.break_down(conn, sessions)
        kept = await store.list_kept(conn, [session.session_id for session in sessions])
        return [
            None
            if found is None
            else Cost(
                total=Money(found.cost.total, found.cost.currency),
                price_kwh=_only_price(kept[session.session_id].tariff),
            )
            for session, found in zip(sessions, priced, strict=True)
        ]

    async def break_down(self, conn: Connection, sessions: Sequence[Session]) -> list[SessionCost | None]:
        """The cost of each session with its lines; None where no tariff applies, or nothing was measured yet."""
        kept = await keep_tariffs(conn, sessions)
        wanted = [session for session in sessions if session.session_id in kept]
        measured = await measured_of(conn, wanted, kept)
        found: dict[UUID, SessionCost] = {}
        for session in wanted:
            of = kept[session.session_id]
            stretches = stretches_of(session, measured[session.session_id])
            if not stretches:
                continue
            end = stretches[-1].ended_at
            market = await find_market(
                conn, session.party_id, tariffs.series_of(of.tariff), stretches[0].started_at, end
            )
            found[session.session_id] = SessionCost(
                session_id=session.session_id,
                tariff_id=of.tariff_id,
                version=of.version,
                is_final=session.settled_at is not None,
                cost=pricing.price(self._plans.of(of), stretches, payer_of(session), market),
            )
        return [found.get(session.session_id) for session in sessions]


async def reckon(conn: Connection, costs: TariffCosts, session_ids: Sequence[UUID]) -> list[Reckoned]:
    """Those of the sessions that are settled, with what they cost in the end. One that cannot be priced stops no other."""
    found = [one for one in await store.list_sessions(conn, session_ids) if one.settled_at is not None]
    kept = await keep_tariffs(conn, found)
    try:
        priced = await costs.break_down(conn, found)
    except _NO_PRICE:
        priced = [await _alone(conn, costs, session) for session in found]
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


async def _alone(conn: Connection, costs: TariffCosts, session: Session) -> SessionCost | None:
    try:
        (found,) = await costs.break_down(conn, [session])
    except _NO_PRICE as error:
        log.warning("session_without_price", session_id=str(session.session_id), error=repr(error))
        return None
    return found


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


async def measured_of(
    conn: Connection, sessions: Sequence[Session], kept: dict[UUID, Kept] | None = None
) -> dict[UUID, Measured]:
    """What was measured of sessions; currents only where a tariff (or whoever passes none) asks for them."""
    measured = await store.list_measured(conn, [session.session_id for session in sessions])
    asked = [s.session_id for s in sessions if kept is None or _wants_current(kept[s.session_id].tariff)]
    if asked:
        for session_id, currents in (await store.list_currents(conn, asked)).items():
            measured[session_id].currents.extend(currents)
    return measured


def stretches_of(session: Session, measured: Measured) -> list[Stretch]:
    """What pricing takes: of a session that is not settled yet as it would settle now."""
    periods = measured.periods
    if session.settled_at is None or not periods:
        periods = metering.periods(session, measured.events, measured.registers)
    return pieces.stretches_of(periods, metering.register_points(session, measured.registers), measured.currents)


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


def payer_of(session: Session) -> Payer:
    """Who pays, as far as the session tells."""
    return Payer(groups=[session.group_uid] if session.group_uid else [])


def _wants_current(tariff: Tariff) -> bool:
    return any(
        r.min_current is not None or r.max_current is not None
        for r in (element.restrictions for element in tariff.elements)
        if r is not None
    )


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
