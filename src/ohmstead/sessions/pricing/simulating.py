"""What sessions of the past would have cost under a tariff: what would have come in, and who would have paid more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.accounts.access import Actor
from ohmstead.core import jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.ids import new_id
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing import store
from ohmstead.sessions.pricing.service import TariffCosts, measured_of, payer_of, stretches_of
from ohmstead.tariffs import pricing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.queries import find_market
from ohmstead.tariffs.records import tariff_of

JOB = "simulate_tariff"
LONGEST = timedelta(days=93)
_BATCH = 500
_TOLD = 50


class PayerChange(Struct, frozen=True, kw_only=True):
    """What one token would have paid."""

    token_id: Annotated[UUID | None, Meta(description="null: sessions without a token that we know.")]
    n_sessions: int
    before: Annotated[Decimal, Meta(description="What their sessions cost, with taxes.")]
    after: Annotated[Decimal, Meta(description="What they would have cost.")]


class SimulationResult(Struct, frozen=True, kw_only=True):
    """Sessions under the tariff beside what they cost. Revenue is without taxes."""

    currency: str
    n_sessions: int
    energy_wh: Decimal
    revenue: Decimal
    n_compared: Annotated[int, Meta(description="Of these there was a price in the same currency.")]
    revenue_before: Annotated[Decimal, Meta(description="Of those compared, as they were.")]
    revenue_after: Annotated[Decimal, Meta(description="Of those compared, under the tariff.")]
    n_more: int
    n_less: int
    n_same: int
    most_more: Annotated[list[PayerChange], Meta(description="Who would have paid most more.")]
    most_less: Annotated[list[PayerChange], Meta(description="Who would have paid most less.")]


class TariffSimulation(Struct, frozen=True, kw_only=True):
    """A question about the past, and its answer once it is there."""

    simulation_id: UUID
    status: Literal["queued", "done", "failed"]
    from_at: datetime
    to_at: datetime
    location_id: UUID | None
    result: SimulationResult | None
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None


class _Sums:
    def __init__(self) -> None:
        self.n = self.n_compared = self.n_more = self.n_less = self.n_same = 0
        self.energy_wh = self.revenue = self.before = self.after = Decimal(0)
        self.payers: dict[UUID | None, list[Any]] = {}

    def add(self, session: Session, now: pricing.CostBreakdown, was: pricing.CostBreakdown | None) -> None:
        self.n += 1
        self.energy_wh += session.energy_wh
        self.revenue += now.before_taxes
        if was is None or was.currency != now.currency:
            return
        self.n_compared += 1
        self.before += was.before_taxes
        self.after += now.before_taxes
        self.n_more += now.total > was.total
        self.n_less += now.total < was.total
        self.n_same += now.total == was.total
        payer = self.payers.setdefault(session.token_id, [0, Decimal(0), Decimal(0)])
        payer[0] += 1
        payer[1] += was.total
        payer[2] += now.total

    def result(self, currency: str) -> SimulationResult:
        changes = [
            PayerChange(token_id=token_id, n_sessions=n, before=before, after=after)
            for token_id, (n, before, after) in self.payers.items()
        ]
        more = sorted((one for one in changes if one.after > one.before), key=lambda one: one.before - one.after)
        less = sorted((one for one in changes if one.after < one.before), key=lambda one: one.after - one.before)
        return SimulationResult(
            currency=currency,
            n_sessions=self.n,
            energy_wh=self.energy_wh,
            revenue=self.revenue,
            n_compared=self.n_compared,
            revenue_before=self.before,
            revenue_after=self.after,
            n_more=self.n_more,
            n_less=self.n_less,
            n_same=self.n_same,
            most_more=more[:_TOLD],
            most_less=less[:_TOLD],
        )


async def ask(
    conn: Connection,
    actor: Actor,
    tariff: Tariff,
    from_at: datetime,
    to_at: datetime,
    location_id: UUID | None,
) -> TariffSimulation:
    """Ask for a simulation; a job answers. Raises Invalid."""
    tariffs.check(tariff)
    await tariffs.check_series(conn, actor.party_id, tariff)
    if to_at <= from_at:
        raise Invalid("ends before it begins", field="to_at")
    if to_at - from_at > LONGEST:
        raise Invalid(f"at most {LONGEST.days} days", field="to_at")
    simulation_id = new_id()
    await store.insert_simulation(
        conn, actor.party_id, simulation_id, tariff, from_at, to_at, location_id, actor.actor_id
    )
    await jobs.enqueue(conn, JOB, {"simulation_id": str(simulation_id)})
    return await get_simulation(conn, actor.party_id, simulation_id)


async def get_simulation(conn: Connection, party_id: UUID, simulation_id: UUID) -> TariffSimulation:
    """Raises NotFound."""
    row = await store.find_simulation(conn, party_id, simulation_id)
    if row is None:
        raise NotFound(f"no simulation {simulation_id}")
    return msgspec.convert(dict(row), TariffSimulation, strict=False)


async def get_tried(conn: Connection, party_id: UUID, simulation_id: UUID) -> Tariff:
    """The tariff that was asked about, as it was then. Raises NotFound."""
    content = await store.find_tried(conn, party_id, simulation_id)
    if content is None:
        raise NotFound(f"no simulation {simulation_id}")
    return tariff_of(content)


async def list_simulations(conn: Connection, party_id: UUID, *, limit: int) -> list[tuple[TariffSimulation, Tariff]]:
    """The latest that were asked for, each with its tariff, newest first."""
    rows = [dict(row) for row in await store.list_simulations(conn, party_id, limit)]
    return [(msgspec.convert(row, TariffSimulation, strict=False), tariff_of(row["content"])) for row in rows]


async def run(pool: Pool, payload: Any) -> None:
    """Job: answer one. Sessions are read a few hundred at a time, each time with a connection of its own."""
    simulation_id = UUID(payload["simulation_id"])
    async with pool.acquire() as conn:
        row = await store.find_queued(conn, simulation_id)
    if row is None:
        return
    party_id, tariff = row["party_id"], tariff_of(row["content"])
    sums, costs, after = _Sums(), TariffCosts(), None
    plans: dict[str, pricing.Plan] = {}
    while True:
        async with pool.acquire() as conn, conn.transaction():
            sessions = await store.list_settled(
                conn, party_id, row["from_at"], row["to_at"], row["location_id"], after, _BATCH
            )
            await _add_batch(conn, sums, costs, plans, party_id, tariff, sessions)
        if len(sessions) < _BATCH:
            break
        after = (sessions[-1].started_at, sessions[-1].session_id)
    async with pool.acquire() as conn, conn.transaction():
        await store.finish_simulation(conn, party_id, simulation_id, "done", sums.result(tariff.currency))


async def _add_batch(
    conn: Connection,
    sums: _Sums,
    costs: TariffCosts,
    plans: dict[str, pricing.Plan],
    party_id: UUID,
    tariff: Tariff,
    sessions: Sequence[Session],
) -> None:
    was = await costs.break_down(conn, sessions)
    measured = await measured_of(conn, sessions)
    zones = await tariffs.find_zones(conn, party_id, [s.location_id for s in sessions if s.location_id])
    market: dict[str, pricing.MarketPrices] = {}
    if sessions and (series := tariffs.series_of(tariff)):
        first, last = sessions[0].started_at, max(s.ended_at or s.last_event_at for s in sessions)
        market = await find_market(conn, party_id, series, first, last)
    for session, before in zip(sessions, was, strict=True):
        zone = zones.get(session.location_id, "UTC") if session.location_id else "UTC"
        if zone not in plans:
            plans[zone] = pricing.plan_of(tariff, zone)
        stretches = stretches_of(session, measured[session.session_id])
        if stretches:
            now = pricing.price(plans[zone], stretches, payer_of(session), market)
            sums.add(session, now, before.cost if before else None)
