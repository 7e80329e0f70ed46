"""What it costs, on pages that are about something else: what a session cost, line by line, and what charging costs at
stations now."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.reports.model import ConnectorNow
from ohmstead.reports.service import zone_of
from ohmstead.sessions.pricing import service as pricing
from ohmstead.sessions.pricing.service import SessionCost, TariffCosts
from ohmstead.tariffs import queries, service
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import Place
from ohmstead.ui import prices
from ohmstead.ui.prices import PriceLine

_COSTS = TariffCosts(PlanPayers())


class SessionPrice(Struct, frozen=True, kw_only=True):
    """What a session cost, with the rules that it was priced by."""

    found: SessionCost
    name: str
    tariff: Tariff


class PriceHere(Struct, frozen=True, kw_only=True):
    """What charging costs now at some connectors; no tariff: nothing."""

    tariff_id: UUID | None
    name: str
    lines: list[PriceLine]
    where: list[str]


async def session_price(conn: Connection, actor: Actor, session_id: UUID) -> SessionPrice | None:
    """None where no tariff applies, or nothing was measured yet."""
    try:
        async with conn.transaction():
            found = await pricing.get_cost(conn, _COSTS, actor.party_id, session_id)
    except (NotFound, Invalid):
        return None
    kept = await queries.get_tariff(conn, actor.party_id, found.tariff_id)
    version = await queries.get_version(conn, actor.party_id, found.tariff_id, found.version)
    return SessionPrice(found=found, name=kept.name, tariff=version.tariff)


async def prices_here(
    conn: Connection,
    actor: Actor,
    connectors: Sequence[ConnectorNow],
    location_id: UUID | None,
    time_zone: str,
    *,
    names_station: bool,
) -> list[PriceHere]:
    """What charging costs now, without a group: connectors of one tariff together. Nothing for who may not know, and
    where no tariff reaches any of them."""
    if not may(actor, "tariffs:read") or not connectors:
        return []
    now = clock.now()
    places = [
        Place(
            party_id=actor.party_id,
            station_id=one.station_id,
            at=now,
            location_id=location_id,
            evse_number=one.evse_number,
            connector_number=one.connector_number,
        )
        for one in connectors
    ]
    wall = now.astimezone(zone_of(time_zone))
    found: dict[UUID | None, PriceHere] = {}
    for one, (chosen, _considered) in zip(
        connectors, await service.choose_all(conn, actor.party_id, places), strict=True
    ):
        known = chosen.tariff_id if chosen else None
        if known not in found:
            found[known] = PriceHere(
                tariff_id=known,
                name=chosen.tariff_name if chosen else "",
                lines=prices.lines_at(chosen.tariff, wall) if chosen else [],
                where=[],
            )
        label = one.station_id if names_station else one.label
        if label not in found[known].where:
            found[known].where.append(label)
    return [] if set(found) == {None} else list(found.values())
