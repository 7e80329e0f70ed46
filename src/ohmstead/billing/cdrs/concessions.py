"""What is taken off a price when it is billed: energy that a plan's fee has paid for, sessions that are free, and what a
person took off before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.billing.cdrs import store
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.cdrs.store import Surroundings
from ohmstead.billing.plans import including
from ohmstead.billing.plans.reckoning import Month, concession_of, energy_by_month, left_for, zone_of
from ohmstead.core.db import Connection
from ohmstead.core.language import R_
from ohmstead.core.log import logger
from ohmstead.sessions.pricing.service import Reckoned
from ohmstead.tariffs.pricing import Concession, applied, reduced

log = logger("ohmstead.billing")


class Uses(Struct, frozen=True):
    """What sessions take of months' energy: (month's fee, Wh) by session."""

    by_session: dict[UUID, list[tuple[UUID, Decimal]]] = {}


async def granted(
    conn: Connection, party_id: UUID, reckoned: Sequence[Reckoned], around: Mapping[UUID, Surroundings]
) -> tuple[list[Reckoned], Uses]:
    """The sessions with their prices less what is taken off, and what they take of plans.

    What a session took already counts as left for it: reckoned anew, it comes to the same. The caller holds the books.
    """
    drivers = {
        one.session.session_id: driver_id
        for one in reckoned
        if (here := around.get(one.session.session_id)) is not None
        and (driver_id := here.driver_id) is not None
        and not here.is_free
        and here.customer.startswith("driver:")
    }
    months: Mapping[UUID, list[Month]] = {}
    if drivers:
        months = await including.list_months(conn, party_id, sorted(set(drivers.values())), list(drivers))
    taken: dict[UUID, Decimal] = defaultdict(Decimal)
    found, uses = [], {}
    for one in sorted(reckoned, key=lambda one: (one.session.started_at, one.session.session_id)):
        session_id, cost = one.session.session_id, one.cost
        here = around.get(session_id)
        if cost is None or here is None:
            found.append(one)
        elif here.is_free:
            found.append(replace(one, cost=applied(cost, Concession(is_free=True))))
        elif session_id in drivers and (ours := months.get(drivers[session_id])):
            energy = energy_by_month(one.periods, zone_of(ours[0].time_zone))
            given, used = concession_of(energy, left_for(session_id, one.session.started_at, ours, taken))
            found.append(replace(one, cost=applied(cost, given)))
            if used:
                uses[session_id] = used
            own = {month.plan_charge_id: month.own_wh.get(session_id, Decimal(0)) for month in ours}
            for charge, wh in used:
                taken[charge] += wh - own[charge]
        else:
            found.append(one)
    return found, Uses(uses)


def reduced_rule(reason: str) -> str:
    """What a line says that takes something off."""
    why = " ".join(reason.split())
    return R_(f"Reduced: {why}")


async def reduced_as_before(conn: Connection, party_id: UUID, reckoned: Sequence[Reckoned]) -> list[Reckoned]:
    """The sessions with their prices less what people took off them: the same amounts again, never more than there is."""
    before = await store.list_reductions(conn, party_id, [one.session.session_id for one in reckoned])
    found = []
    for one in reckoned:
        cost = one.cost
        for less in before.get(one.session.session_id, []) if cost is not None else []:
            assert cost is not None
            if less.currency == cost.currency:
                cost = reduced(cost, less.amount, reduced_rule(less.reason))
            else:
                log.error("reduction_in_another_currency", cdr_id=str(less.cdr_id), currency=cost.currency)
        found.append(replace(one, cost=cost))
    return found


async def keep(conn: Connection, party_id: UUID, cdrs: Sequence[Cdr], uses: Uses) -> None:
    """With new CDRs: a credit gives back what its charge took, a charge takes."""
    ids = {cdr.session_id for cdr in cdrs}
    charged = {cdr.session_id for cdr in cdrs if cdr.kind == "charge"}
    if not ids:
        return
    rows = [(charge, one, wh) for one in charged for charge, wh in uses.by_session.get(one, [])]
    await including.write(conn, party_id, sorted(ids), rows)
