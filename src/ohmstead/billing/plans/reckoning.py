"""Fees of months and of parts of months, and energy that is in them. Pure and exact.

A month that is not whole costs its days' share of the fee, and has the same share of the energy in it, each rounded half up
(to the minor unit, to the Wh). Energy belongs to the month in which it flowed, on the wall clock of the books; where a
session goes over the end of a month, each of its periods is cut there as if the energy had flowed evenly in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ohmstead.billing.ledger.entries import after, amount_of, exact_minor
from ohmstead.core.language import R_
from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.model import TariffTax
from ohmstead.tariffs.pricing import Concession, CostTax, Included
from ohmstead.tariffs.pricing.concessions import told_taxes
from ohmstead.tariffs.pricing.limits import half_up, taxes_of

_UWH = Decimal("0.000001")
_US = timedelta(microseconds=1)


class Fee(Struct, frozen=True, kw_only=True):
    """What is charged for some days of one month."""

    from_on: date
    until_on: date
    currency: str
    before_taxes: Decimal
    taxes: list[CostTax]
    total: Decimal
    included_wh: int


class Month(Struct, frozen=True, kw_only=True):
    """A month that a driver paid for. `left_wh`: of the energy in it; `own_wh`: what sessions that are asked about took."""

    plan_charge_id: UUID
    subscription_id: UUID
    plan_name: str
    started_at: datetime
    from_on: date
    until_on: date
    left_wh: Decimal
    own_wh: dict[UUID, Decimal]
    time_zone: str


def due_months(charged_until: date, ends_on: date | None, today: date) -> list[tuple[date, date]]:
    """The months, or parts of months, that are to be charged by today and were not: (from, the first day after)."""
    found, at = [], charged_until
    while at <= today and (ends_on is None or at < ends_on):
        end = after(at) if ends_on is None else min(after(at), ends_on)
        found.append((at, end))
        at = end
    return found


def fee_of(
    *,
    from_on: date,
    until_on: date,
    monthly_fee: Decimal,
    included_wh: int,
    taxes: Sequence[TariffTax],
    tax_included: bool,
    currency: str,
) -> Fee:
    """For the days from `from_on` to before `until_on`, which are in one calendar month."""
    days, whole = _days(from_on, until_on)
    listed = half_up(exact_minor(monthly_fee, currency) * days, whole)
    taxed = taxes_of({tuple(taxes): listed}, tax_included) if listed else {}
    due = sum(amount for _, amount in taxed.values())
    before = listed - due if tax_included else listed
    return Fee(
        from_on=from_on,
        until_on=until_on,
        currency=currency,
        before_taxes=amount_of(before, currency),
        taxes=told_taxes(taxed, currency),
        total=amount_of(before + due, currency),
        included_wh=included_of(included_wh, from_on, until_on),
    )


def included_of(included_wh: int, from_on: date, until_on: date) -> int:
    """What these days of one month have of a whole month's energy, in Wh."""
    days, whole = _days(from_on, until_on)
    return half_up(included_wh * days, whole)


def _days(from_on: date, until_on: date) -> tuple[int, int]:
    """(so many, of so many in the month)."""
    month = from_on.replace(day=1)
    days, whole = (until_on - from_on).days, (after(month) - month).days
    if not 0 < days <= whole or until_on > after(month):
        raise ValueError("days of one month")
    return days, whole


def energy_by_month(periods: Sequence[ChargingPeriod], zone: ZoneInfo) -> dict[date, Decimal]:
    """Wh by the first day of the month; they add up to what the periods have."""
    found: dict[date, Decimal] = {}
    for period in periods:
        left, at = period.energy_wh, period.started_at
        span = period.ended_at - period.started_at
        while True:
            month, border = month_of(at, zone)
            if period.ended_at <= border or span <= timedelta(0):
                found[month] = found.get(month, Decimal(0)) + left
                break
            part = period.energy_wh * ((border - at) // _US) / (span // _US)
            part = min(left, part.quantize(_UWH, ROUND_HALF_UP))
            found[month] = found.get(month, Decimal(0)) + part
            left, at = left - part, border
    return {month: energy for month, energy in sorted(found.items()) if energy > 0}


def share_of(energy: Mapping[date, Decimal], left: Mapping[date, Decimal]) -> dict[date, Decimal]:
    """What of a session's energy is in the fees of its months, of which so much is `left`."""
    found = {month: min(wh, left.get(month, Decimal(0))) for month, wh in energy.items()}
    return {month: wh for month, wh in found.items() if wh > 0}


class Left(Struct, frozen=True):
    """What is left for a session of a subscription's months: (month's fee, Wh) by their first days."""

    plan_name: str
    months: dict[date, tuple[UUID, Decimal]]


def left_for(
    session_id: UUID, started_at: datetime, months: Sequence[Month], taken: Mapping[UUID, Decimal]
) -> list[Left]:
    """By subscription, the earliest first, of those that began before the session.

    What the session took already counts as left for it; what others took meanwhile, `taken`, does not.
    """
    found: dict[tuple[datetime, UUID], Left] = {}
    for month in months:
        if month.started_at <= started_at:
            one = found.setdefault((month.started_at, month.subscription_id), Left(month.plan_name, {}))
            charge = month.plan_charge_id
            left = month.left_wh + month.own_wh.get(session_id, Decimal(0)) - taken.get(charge, Decimal(0))
            one.months[month.from_on.replace(day=1)] = charge, left
    return [found[subscription] for subscription in sorted(found)]


def concession_of(
    energy: Mapping[date, Decimal], left: Sequence[Left]
) -> tuple[Concession, list[tuple[UUID, Decimal]]]:
    """What a session is spared whose energy flowed in these months, and what it takes for that: (month's fee, Wh).

    What one subscription has not enough of, the next gives.
    """
    used: list[tuple[UUID, Decimal]] = []
    included: list[Included] = []
    needed = dict(energy)
    for one in left:
        share = share_of(needed, {first: wh for first, (_, wh) in one.months.items()})
        if not share:
            continue
        for first, wh in share.items():
            used.append((one.months[first][0], wh))
            needed[first] -= wh
        spared = sum(share.values(), Decimal(0))
        plan, kwh = one.plan_name, _kwh(spared)
        included.append(Included(spared, R_(f"Included in the plan {plan}: {kwh} kWh")))
    return Concession(energy_wh=sum(energy.values(), Decimal(0)), included=included), used


def month_of(at: datetime, zone: ZoneInfo) -> tuple[date, datetime]:
    """The first day of the month of an instant, and when the next month begins."""
    first = at.astimezone(zone).date().replace(day=1)
    return first, _begin(after(first), zone)


def borders_of(zone: ZoneInfo, from_at: datetime, to_at: datetime) -> list[datetime]:
    """When months begin between two instants."""
    found = []
    _, border = month_of(from_at, zone)
    while border < to_at:
        found.append(border)
        _, border = month_of(border, zone)
    return found


def zone_of(name: str) -> ZoneInfo:
    """The books' time zone; UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _kwh(wh: Decimal) -> str:
    return format((wh / 1000).normalize(), "f")
