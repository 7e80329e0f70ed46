"""Prices of sessions that are made up: worked examples for whoever writes a tariff."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfoNotFoundError

from msgspec import Meta, Struct

from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.tariffs import pricing, queries, service
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import CostBreakdown, Payer, Stretch, StretchKind
from ohmstead.tariffs.pricing.calendar import instant_of, us_of

LONGEST_S = 31 * 86_400
_YEARS = (2000, 2100)


class PreviewStretch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of a session that is made up."""

    duration_s: Annotated[int, Meta(ge=0, le=LONGEST_S)]
    kind: StretchKind = "charging"
    energy_wh: Annotated[Decimal, Meta(description="0 to 10,000,000.")] = Decimal(0)
    power_w: Annotated[Decimal | None, Meta(description="Null: the energy over the time.")] = None
    current_a: Annotated[Decimal | None, Meta(description="Over all phases; null: not known.")] = None


class TariffPreview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff, kept (`tariff_id`, perhaps an older `version`) or not yet (`tariff`), and a session."""

    tariff_id: UUID | None = None
    version: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    tariff: Tariff | None = None
    started_at: Annotated[datetime, Meta(tz=True)]
    time_zone: Annotated[str, Meta(max_length=64, description="Of the location; IANA.")] = "UTC"
    stretches: Annotated[list[PreviewStretch], Meta(min_length=1, max_length=1000, description="One after the other.")]
    payer: Payer = Payer()


async def preview(conn: Connection, party_id: UUID, given: TariffPreview) -> CostBreakdown:
    """What the session would cost. Raises Invalid, NotFound."""
    tariff = await tariff_given(conn, party_id, given.tariff_id, given.version, given.tariff)
    service.check(tariff)
    await service.check_series(conn, party_id, tariff)
    try:
        plan = pricing.plan_of(tariff, given.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("no such time zone", field="time_zone") from error
    stretches = _stretches(given)
    market = await queries.find_market(
        conn, party_id, service.series_of(tariff), stretches[0].started_at, stretches[-1].ended_at
    )
    return pricing.price(plan, stretches, given.payer, market)


async def tariff_given(
    conn: Connection, party_id: UUID, tariff_id: UUID | None, version: int | None, tariff: Tariff | None
) -> Tariff:
    """The one that was named, or the one that was sent. Raises Invalid, NotFound."""
    if (tariff_id is None) == (tariff is None):
        raise Invalid("name a tariff or send one", field="tariff")
    if tariff is not None:
        return tariff
    assert tariff_id is not None
    if version is None:
        return (await queries.get_tariff(conn, party_id, tariff_id)).tariff
    return (await queries.get_version(conn, party_id, tariff_id, version)).tariff


def _stretches(given: TariffPreview) -> list[Stretch]:
    if not _YEARS[0] <= given.started_at.year < _YEARS[1]:
        raise Invalid(f"between {_YEARS[0]} and {_YEARS[1]}", field="started_at")
    if sum(one.duration_s for one in given.stretches) > LONGEST_S:
        raise Invalid(f"at most {LONGEST_S} seconds in all", field="stretches")
    at = us_of(given.started_at)
    found = []
    for number, one in enumerate(given.stretches):
        for name, most in (("energy_wh", 10_000_000), ("power_w", 10_000_000), ("current_a", 100_000)):
            value = getattr(one, name)
            if value is not None and not _is_sane(value, most):
                raise Invalid(f"0 to {most}", field=f"stretches.{number}.{name}")
        end = at + one.duration_s * 1_000_000
        found.append(
            Stretch(
                started_at=instant_of(at),
                ended_at=instant_of(end),
                kind=one.kind,
                energy_wh=one.energy_wh,
                power_w=one.power_w,
                current_a=one.current_a,
            )
        )
        at = end
    return found


def _is_sane(value: Decimal, most: int) -> bool:
    return value.is_finite() and (not value or -30 < value.adjusted() < 12) and 0 <= value <= most
