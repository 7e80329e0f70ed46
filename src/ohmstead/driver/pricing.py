"""What charging costs at plugs now, for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.reports.plugs.model import PublicPlug
from ohmstead.tariffs import queries, service
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import MarketPrices, Payer
from ohmstead.tariffs.records import Place
from ohmstead.ui import pricetags
from ohmstead.ui.pricetags import PriceTag

_AHEAD = timedelta(hours=12)

_Markets: TypeAlias = Mapping[UUID, Mapping[str, MarketPrices]]


class PlugPrice(Struct, frozen=True, kw_only=True):
    """The price at a plug. `tariff`: None where no tariff reaches it: what is charged there is billed to nobody by itself, so
    nobody begins there without being known."""

    tag: PriceTag
    tariff: Tariff | None
    is_by_kwh: bool


class PricedFor(Struct, frozen=True, kw_only=True):
    """What in whoever looks decides about prices."""

    payer: Payer
    group_uid: str | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """Plugs of one place. `own`: of a driver of the network that runs it; None: without a contract."""

    party_id: UUID
    time_zone: str
    location_id: UUID | None
    plugs: Sequence[PublicPlug]
    own: PricedFor | None = None


async def prices_at(conn: Connection, asked: Sequence[Asked]) -> list[list[PlugPrice]]:
    """The price of each plug of each place, read in two statements at most, however many there are."""
    now = clock.now()
    flat = [(one, plug) for one in asked for plug in one.plugs]
    chosen = await service.choose_anywhere(conn, [_place(one, plug, now) for one, plug in flat])
    tariffs = [candidate.tariff if candidate is not None else None for candidate in chosen]
    series = {
        (one.party_id, name)
        for (one, _plug), tariff in zip(flat, tariffs, strict=True)
        if tariff is not None
        for name in service.series_of(tariff)
    }
    markets = await queries.find_markets(conn, series, now, now + _AHEAD)
    # Most plugs of a network are alike, and working out what a charge would come to takes longest.
    known: dict[tuple[object, ...], PlugPrice] = {}
    priced = []
    for (one, plug), tariff in zip(flat, tariffs, strict=True):
        key = (id(tariff), one.party_id, one.time_zone, id(one.own), plug.power_w, plug.current_type)
        if key not in known:
            known[key] = _price(one, plug, tariff, now, markets)
        priced.append(known[key])
    rest = iter(priced)
    return [[next(rest) for _plug in one.plugs] for one in asked]


def _place(one: Asked, plug: PublicPlug, now: datetime) -> Place:
    return Place(
        party_id=one.party_id,
        station_id=plug.station_id,
        at=now,
        location_id=one.location_id,
        evse_number=plug.evse_number,
        connector_number=plug.connector_number,
        group_uid=one.own.group_uid if one.own is not None else None,
        is_ad_hoc=one.own is None,
    )


def _price(one: Asked, plug: PublicPlug, tariff: Tariff | None, now: datetime, markets: _Markets) -> PlugPrice:
    if tariff is None:
        return PlugPrice(tag=pricetags.unpriced(), tariff=None, is_by_kwh=False)
    is_dc = plug.current_type == "DC" or (plug.power_w or 0) >= 50_000
    payer = one.own.payer if one.own is not None else Payer()
    market = markets.get(one.party_id, {})
    tag = pricetags.tag_of(tariff, one.time_zone, now, power_w=plug.power_w, is_dc=is_dc, payer=payer, market=market)
    is_by_kwh = any(
        part.type == "ENERGY" and part.price > Decimal(0) for e in tariff.elements for part in e.price_components
    )
    return PlugPrice(tag=tag, tariff=tariff, is_by_kwh=is_by_kwh)
