"""What is wrong with a tariff before it is kept: nonsense is refused where it is written, not where it is billed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from ohmstead.core.money import minor_units
from ohmstead.tariffs.covering import covers
from ohmstead.tariffs.currencies import CURRENCIES, is_strong
from ohmstead.tariffs.model import (
    DAYS,
    IdleFee,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffAdjustment,
    TariffElement,
    TariffRestrictions,
    TariffTax,
)


class Fault(NamedTuple):
    """What is wrong, and where: a dotted path."""

    field: str
    text: str


# By dimension in a strong currency; others may have so many times more.
_MOST = {"ENERGY": Decimal(100), "TIME": Decimal(1000), "PARKING_TIME": Decimal(1000), "FLAT": Decimal(1000)}
_MOST_TOTAL = Decimal(10_000)
_WEAK_TIMES = 100_000
_MOST_STEP = {"ENERGY": 100_000, "TIME": 86_400, "PARKING_TIME": 86_400, "FLAT": 1}
_MOST_OF = {"kwh": Decimal(10_000), "power": Decimal(10_000), "current": Decimal(10_000)}
_PLACES_OF = {"kwh": 6, "power": 6, "current": 3}
_LONGEST_S = 31 * 86_400


def faults_of(tariff: Tariff) -> list[Fault]:
    """All that is wrong with a tariff; empty: it can be kept."""
    return list(_faults(tariff))


def _faults(tariff: Tariff) -> Iterator[Fault]:
    if tariff.currency not in CURRENCIES:
        yield Fault("currency", "no currency that people pay with (ISO 4217)")
        return
    times = 1 if is_strong(tariff.currency) else _WEAK_TIMES
    yield from _span("", tariff.start_date_time, tariff.end_date_time)
    for number, element in enumerate(tariff.elements):
        yield from _element(f"elements.{number}", element, times, tariff)
    yield from _never_reached(tariff)
    yield from _bounds(tariff, times)
    if tariff.idle_fee is not None:
        yield from _idle("idle_fee", tariff.idle_fee, times)
        yield from _untaxed("idle_fee", tariff.idle_fee.taxes, tariff)
    for number, adjustment in enumerate(tariff.adjustments):
        yield from _adjustment(f"adjustments.{number}", adjustment, times)
        yield from _untaxed(f"adjustments.{number}", adjustment.taxes or [], tariff)
    names = [one.name for one in tariff.adjustments]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Fault(f"adjustments.{number}.name", "another one has this name")
    languages = [one.language for one in tariff.tariff_alt_text]
    if len(set(languages)) < len(languages):
        yield Fault("tariff_alt_text", "a language comes twice")
    if tariff.tariff_alt_url is not None and not _is_address(tariff.tariff_alt_url):
        yield Fault("tariff_alt_url", "no address of a page")


def _number(field: str, value: Decimal | None, low: Decimal | int, high: Decimal | int, places: int = 6) -> list[Fault]:
    """Whether it is a number in its range; looked at before anything is reckoned with it."""
    if value is None:
        return []
    if not value.is_finite():
        return [Fault(field, "is to be a number")]
    # An exponent of hundreds would make a comparison cost as many digits.
    if value and not -30 < value.adjusted() < 30:
        return [Fault(field, f"{low} to {high}")]
    if not low <= value <= high:
        return [Fault(field, f"{low} to {high}")]
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        return [Fault(field, f"at most {places} decimals")]
    return []


def _span(field: str, start: datetime | None, end: datetime | None) -> Iterator[Fault]:
    if start is not None and end is not None and end <= start:
        yield Fault(f"{field}.end_date_time".lstrip("."), "ends before it begins")


def _taxes(field: str, taxes: list[TariffTax]) -> Iterator[Fault]:
    for number, tax in enumerate(taxes):
        yield from _number(f"{field}.{number}.percentage", tax.percentage, 0, 100, 4)
        if tax.name in [other.name for other in taxes[:number]]:
            yield Fault(f"{field}.{number}.name", "another one has this name")


def _untaxed(field: str, taxes: list[TariffTax], tariff: Tariff) -> Iterator[Fault]:
    if tariff.tax_included == "N/A" and taxes:
        yield Fault(f"{field}.taxes", "tax_included says that nothing is taxed")


def _element(field: str, element: TariffElement, times: int, tariff: Tariff) -> Iterator[Fault]:
    r = element.restrictions
    if r is not None:
        yield from _restrictions(f"{field}.restrictions", r, tariff)
    for number, component in enumerate(element.price_components):
        where = f"{field}.price_components.{number}"
        if component.type in [other.type for other in element.price_components[:number]]:
            yield Fault(f"{where}.type", f"the element has a price for {component.type} already")
        if r is not None and r.reservation is not None and component.type not in ("FLAT", "TIME"):
            yield Fault(f"{where}.type", "a reservation has FLAT and TIME only")
        yield from _component(where, component, times)
        yield from _untaxed(where, component.taxes, tariff)


def _component(field: str, component: PriceComponent, times: int) -> Iterator[Fault]:
    yield from _number(f"{field}.price", component.price, 0, _MOST[component.type] * times)
    if component.step_size > _MOST_STEP[component.type]:
        yield Fault(f"{field}.step_size", f"at most {_MOST_STEP[component.type]}")
    yield from _taxes(f"{field}.taxes", component.taxes)
    link = component.market
    if link is None:
        return
    if component.type != "ENERGY":
        yield Fault(f"{field}.market", "only energy has a price on a market")
    most = _MOST["ENERGY"] * times
    found = [
        *_number(f"{field}.market.factor", link.factor, 0, 100),
        *_number(f"{field}.market.adder", link.adder, -most, most),
        *_number(f"{field}.market.floor", link.floor, -most, most),
        *_number(f"{field}.market.cap", link.cap, -most, most),
    ]
    yield from found
    if not found and link.floor is not None and link.cap is not None and link.cap < link.floor:
        yield Fault(f"{field}.market.cap", "is below the floor")


def _restrictions(field: str, r: TariffRestrictions, tariff: Tariff) -> Iterator[Fault]:
    if r == TariffRestrictions():
        yield Fault(field, "restricts nothing: leave it out")
    if (r.start_time or r.end_time) and (r.start_time or "00:00") == (r.end_time or "00:00") != "00:00":
        yield Fault(f"{field}.end_time", "begins and ends at the same time")
    if r.start_date and r.end_date and r.end_date <= r.start_date:
        yield Fault(f"{field}.end_date", "is the first day without it, so it must be after start_date")
    elif r.start_date and r.end_date and r.day_of_week and not _has_day(r.start_date, r.end_date, r):
        yield Fault(f"{field}.day_of_week", "none of these days is between the dates")
    if len(set(r.day_of_week)) < len(r.day_of_week):
        yield Fault(f"{field}.day_of_week", "a day comes twice")
    for name in ("kwh", "power", "current"):
        yield from _range(field, name, getattr(r, f"min_{name}"), getattr(r, f"max_{name}"))
        if r.reservation is not None and (getattr(r, f"min_{name}"), getattr(r, f"max_{name}")) != (None, None):
            yield Fault(f"{field}.reservation", f"nothing flows in a reservation: leave the {name} out")
    for side in ("min_duration", "max_duration"):
        if (getattr(r, side) or 0) > _LONGEST_S:
            yield Fault(f"{field}.{side}", f"at most {_LONGEST_S} seconds")
    if r.max_duration is not None and r.max_duration <= (r.min_duration or 0):
        yield Fault(f"{field}.max_duration", "never applies: it ends where it begins, or before")
    yield from _outside(field, r, tariff)


def _range(field: str, name: str, low: Decimal | None, high: Decimal | None) -> Iterator[Fault]:
    found = [
        *_number(f"{field}.min_{name}", low, 0, _MOST_OF[name], _PLACES_OF[name]),
        *_number(f"{field}.max_{name}", high, 0, _MOST_OF[name], _PLACES_OF[name]),
    ]
    yield from found
    if not found and high is not None and high <= (low or 0):
        yield Fault(f"{field}.max_{name}", "never applies: it ends where it begins, or before")


def _has_day(start: date, end: date, r: TariffRestrictions) -> bool:
    days = {DAYS.index(day) for day in r.day_of_week}
    return any((start + timedelta(days=n)).weekday() in days for n in range(min((end - start).days, 7)))


def _outside(field: str, r: TariffRestrictions, tariff: Tariff) -> Iterator[Fault]:
    """Dates that lie outside the tariff's own, with a day to spare for time zones."""
    # A session that began within goes on for weeks at most.
    ends, begins, first, last = tariff.end_date_time, tariff.start_date_time, r.start_date, r.end_date
    if ends is not None and first is not None and first - ends.date() > timedelta(seconds=_LONGEST_S + 86_400):
        yield Fault(f"{field}.start_date", "never applies: the tariff ends before")
    if begins is not None and last is not None and begins.date() - last > timedelta(days=1):
        yield Fault(f"{field}.end_date", "never applies: the tariff begins later")


def _never_reached(tariff: Tariff) -> Iterator[Fault]:
    """Prices that an element before them leaves no moment for."""
    for number, element in enumerate(tariff.elements):
        for place, component in enumerate(element.price_components):
            for earlier, other in enumerate(tariff.elements[:number]):
                if any(one.type == component.type for one in other.price_components) and covers(
                    other.restrictions or TariffRestrictions(), element.restrictions or TariffRestrictions()
                ):
                    text = f"never applies: element {earlier} comes first whenever it could"
                    yield Fault(f"elements.{number}.price_components.{place}", text)
                    break


def _bounds(tariff: Tariff, times: int) -> Iterator[Fault]:
    found: list[Fault] = []
    digits = minor_units(tariff.currency)
    for name, limit in (("min_price", tariff.min_price), ("max_price", tariff.max_price)):
        if limit is not None:
            found += _limit(name, limit, times, digits)
    found += _number("max_per_day", tariff.max_per_day, 0, _MOST_TOTAL * times, digits)
    found += _number("preauthorize_amount", tariff.preauthorize_amount, 0, _MOST_TOTAL * times, digits)
    yield from found
    if found or tariff.min_price is None:
        return
    least, most = tariff.min_price, tariff.max_price
    if most is not None and (
        most.before_taxes < least.before_taxes
        or (most.after_taxes is not None and most.after_taxes < (least.after_taxes or least.before_taxes))
    ):
        yield Fault("max_price", "is below min_price")


def _limit(field: str, limit: PriceLimit, times: int, digits: int) -> list[Fault]:
    found = [
        *_number(f"{field}.before_taxes", limit.before_taxes, 0, _MOST_TOTAL * times, digits),
        *_number(f"{field}.after_taxes", limit.after_taxes, 0, _MOST_TOTAL * times, digits),
    ]
    if not found and limit.after_taxes is not None and limit.after_taxes < limit.before_taxes:
        found.append(Fault(f"{field}.after_taxes", "is below before_taxes"))
    return found


def _idle(field: str, fee: IdleFee, times: int) -> Iterator[Fault]:
    yield from _number(f"{field}.price_per_minute", fee.price_per_minute, 0, 20 * times)
    yield from _number(f"{field}.max_amount", fee.max_amount, 0, _MOST_TOTAL * times)
    yield from _taxes(f"{field}.taxes", fee.taxes)
    if (fee.start_time or fee.end_time) and (fee.start_time or "00:00") == (fee.end_time or "00:00") != "00:00":
        yield Fault(f"{field}.end_time", "begins and ends at the same time")


def _adjustment(field: str, one: TariffAdjustment, times: int) -> Iterator[Fault]:
    if sum(value is not None for value in (one.percent, one.per_kwh, one.per_session)) != 1:
        yield Fault(field, "one of percent, per_kwh and per_session is to be given")
    yield from _number(f"{field}.percent", one.percent, -100, 100, 4)
    yield from _number(f"{field}.per_kwh", one.per_kwh, -100 * times, 100 * times)
    yield from _number(f"{field}.per_session", one.per_session, -1000 * times, 1000 * times)
    if one.percent is None and one.dimensions:
        yield Fault(f"{field}.dimensions", "only a percentage is of certain lines")
    if one.percent is not None and one.taxes is not None:
        yield Fault(f"{field}.taxes", "a percentage is taxed as what it is of")
    if len(set(one.dimensions)) < len(one.dimensions):
        yield Fault(f"{field}.dimensions", "one comes twice")
    yield from _taxes(f"{field}.taxes", one.taxes or [])
    yield from _span(field, one.start_date_time, one.end_date_time)


def _is_address(text: str) -> bool:
    try:
        return bool(urlsplit(text).hostname)
    except ValueError:
        return False
