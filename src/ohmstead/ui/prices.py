"""Tariffs as people read them: what a kWh, a minute and a session cost, in the order in which AFIR wants prices told
(Regulation (EU) 2023/1804, article 5), and a week as a strip of prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.billing.invoices.paper import words
from ohmstead.core.language import N_, _, grouped, weekday
from ohmstead.core.money import minor_units
from ohmstead.tariffs.model import DAYS, Tariff, TariffAdjustment, TariffElement, TariffRestrictions, TariffTax
from ohmstead.tariffs.pricing import CostLine
from ohmstead.tariffs.pricing.calendar import rule_of, span_of
from ohmstead.ui import figures

Group: TypeAlias = Literal["kwh", "minute", "session", "other"]
GROUPS: dict[Group, str] = {
    "kwh": N_("Per kWh"),
    "minute": N_("Per minute"),
    "session": N_("Per session"),
    "other": N_("Other"),
}
WHAT = {
    "ENERGY": N_("Energy"),
    "TIME": N_("Charging time"),
    "PARKING_TIME": N_("Parking without charging"),
    "FLAT": N_("Start fee"),
    "IDLE": N_("Idle fee"),
    "RESERVATION": N_("Reserved time"),
    "RESERVATION_FEE": N_("Fee for the reservation"),
    "IDLE_CAP": N_("The idle fee ends here"),
    "DAY_CAP": N_("The most in a day"),
    "ADJUSTMENT": N_("Surcharge or discount"),
    "MAX_PRICE": N_("The most for a session"),
    "MIN_PRICE": N_("The least for a session"),
}
# What providers take, by their word for it.
PAYABLE_BY = {"apple_pay": "Apple Pay", "google_pay": "Google Pay", "card": N_("card"), "sepa": "SEPA", "link": "Link"}
# A tax in the reader's language, as documents have it.
tax_name = words.tax_name
_GROUP_OF: dict[str, Group] = {"ENERGY": "kwh", "TIME": "minute", "PARKING_TIME": "minute", "FLAT": "session"}
_MINUTES = 60
_MOST_PLACES = 6
_LEVELS = 5
_FIRST, _LAST = datetime(1900, 1, 2, tzinfo=UTC), datetime(9998, 12, 30, tzinfo=UTC)
_LEFT, _HOUR_WIDTH, _ROW_HEIGHT, _NARROWEST_TEXT = 44, 30, 28, 54


class PriceLine(Struct, frozen=True, kw_only=True):
    """One thing that costs something: what, how much for what, under which conditions, and what taxes make of it."""

    group: Group
    what: str
    price: str
    taxes: str = ""
    when: str = ""


class PriceBlock(Struct, frozen=True, kw_only=True):
    """Hours of a day that cost the same, as a rectangle. `level` 0: no price; 1 the cheapest to 5 the dearest."""

    x: int
    width: int
    level: int
    text: str
    title: str


class PriceWeek(Struct, frozen=True, kw_only=True):
    """Prices over a week. `is_partial`: others depend on the session, and are not in it."""

    days: list[tuple[str, int, list[PriceBlock]]]
    hours: list[tuple[int, str]]
    width: int
    height: int
    is_of_energy: bool
    is_partial: bool


def amount(value: Decimal, currency: str) -> str:
    """A price: at least as many decimals as the currency has, and those that say something."""
    exponent = value.normalize().as_tuple().exponent
    told = -exponent if isinstance(exponent, int) else 0
    places = min(max(minor_units(currency), told), _MOST_PLACES)
    return f"{grouped(f'{value:,.{places}f}')} {currency}"


def plain(value: Decimal) -> str:
    """A number without noughts that say nothing."""
    text = format(value, "f")
    return grouped(text.rstrip("0").rstrip(".") if "." in text else text)


def told_at(at: datetime | None) -> datetime | None:
    """An instant of a tariff as it can be told in every zone: years that no clock of people shows are cut."""
    if at is None or _FIRST < at < _LAST:
        return at
    return min(max(at, _FIRST), _LAST)


def per_minute(per_hour: Decimal) -> Decimal:
    """The price of a minute, where an hour's is told: to four decimals."""
    return (per_hour / _MINUTES).quantize(Decimal("0.0001"), ROUND_HALF_UP)


# --------------------------------------------------------------------------------------------------------- in lines


def price_lines(tariff: Tariff) -> list[PriceLine]:
    """All that a tariff says about prices, in the order of GROUPS."""
    found = [line for element in tariff.elements for line in _element_lines(tariff, element)]
    found += _idle_lines(tariff)
    found += _limit_lines(tariff)
    found += [_adjustment_line(tariff, one) for one in tariff.adjustments]
    order = list(GROUPS)
    return sorted(found, key=lambda line: order.index(line.group))


def lines_at(tariff: Tariff, wall: datetime) -> list[PriceLine]:
    """What counts at that reading of the location's clock: of each dimension the first price that holds, and those before
    it that may, as the session goes."""
    found: list[PriceLine] = []
    settled: set[str] = set()
    for element in tariff.elements:
        r, rule = element.restrictions, rule_of(element.restrictions)
        if (r is not None and r.reservation is not None) or (rule is not None and not rule.holds(wall)):
            continue
        open_types = [one.type for one in element.price_components if one.type not in settled]
        found += _element_lines(tariff, element, only=open_types)
        if not depends_on_session(r):
            settled |= set(open_types)
    found += _idle_lines(tariff)
    order = list(GROUPS)
    return sorted(found, key=lambda line: order.index(line.group))


def _element_lines(tariff: Tariff, element: TariffElement, only: Sequence[str] | None = None) -> Iterator[PriceLine]:
    r = element.restrictions
    is_reserved = r is not None and r.reservation is not None
    when = ", ".join(conditions(r)) if r else ""
    for one in element.price_components:
        if only is not None and one.type not in only:
            continue
        group: Group = "other" if is_reserved else _GROUP_OF[one.type]
        kind: str = one.type
        if is_reserved:
            kind = "RESERVATION_FEE" if kind == "FLAT" else "RESERVATION"
        price = _unit_price(one.type, one.price, tariff.currency)
        if one.market is not None:
            price = _(
                "the market’s price (%(series)s); %(price)s where it tells none", series=one.market.series, price=price
            )
        if one.step_size > 1 and one.type != "FLAT":
            step = f"{one.step_size} Wh" if one.type == "ENERGY" else figures.span(one.step_size)
            price = _("%(price)s, in steps of %(step)s", price=price, step=step)
        yield PriceLine(
            group=group,
            what=_(WHAT[kind]),
            price=price,
            when=when,
            taxes=_taxed(tariff, one.type, one.price, one.taxes, is_fixed=one.market is None),
        )


def _unit_price(kind: str, price: Decimal, currency: str) -> str:
    if kind == "ENERGY":
        return _("%(price)s per kWh", price=amount(price, currency))
    if kind == "FLAT":
        return _("%(price)s once", price=amount(price, currency))
    minute, hour = amount(per_minute(price), currency), amount(price, currency)
    return _("%(minute)s per minute (%(hour)s per hour)", minute=minute, hour=hour)


def _taxed(tariff: Tariff, kind: str, price: Decimal, taxes: Sequence[TariffTax], *, is_fixed: bool = True) -> str:
    if not taxes:
        return _("nothing is taxed") if tariff.tax_included == "N/A" else _("no tax is named")
    names = ", ".join(f"{plain(tax.percentage)} % {tax_name(tax.name)}" for tax in taxes)
    if tariff.tax_included == "YES":
        return _("with %(taxes)s in it", taxes=names)
    if not is_fixed:
        return _("and %(taxes)s", taxes=names)
    whole = price * (100 + sum(tax.percentage for tax in taxes)) / 100
    if kind in ("TIME", "PARKING_TIME"):
        whole = per_minute(whole)
    return _("and %(taxes)s: %(price)s", taxes=names, price=amount(whole, tariff.currency))


def _idle_lines(tariff: Tariff) -> Iterator[PriceLine]:
    fee = tariff.idle_fee
    if fee is None:
        return
    when = [_("once the car is full and stays")]
    if fee.grace_minutes:
        when.append(_("after %(n)s minutes for free", n=fee.grace_minutes))
    if fee.start_time or fee.end_time:
        when.append(_hours(fee.start_time, fee.end_time))
    if fee.max_amount is not None:
        when.append(_("at most %(amount)s", amount=amount(fee.max_amount, tariff.currency)))
    price = _("%(price)s per minute", price=amount(fee.price_per_minute, tariff.currency))
    if fee.step_size > 1:
        price = _("%(price)s, in steps of %(step)s", price=price, step=figures.span(fee.step_size))
    taxes = _taxed(tariff, "IDLE", fee.price_per_minute, fee.taxes)
    yield PriceLine(group="minute", what=_(WHAT["IDLE"]), price=price, when=", ".join(when), taxes=taxes)


def _limit_lines(tariff: Tariff) -> Iterator[PriceLine]:
    for kind, limit in (("MIN_PRICE", tariff.min_price), ("MAX_PRICE", tariff.max_price)):
        if limit is None:
            continue
        price = _("%(price)s before taxes", price=amount(limit.before_taxes, tariff.currency))
        if limit.after_taxes is not None:
            price = _("%(price)s, %(taxed)s after taxes", price=price, taxed=amount(limit.after_taxes, tariff.currency))
        yield PriceLine(group="other", what=_(WHAT[kind]), price=price)
    if tariff.max_per_day is not None:
        yield PriceLine(group="other", what=_(WHAT["DAY_CAP"]), price=amount(tariff.max_per_day, tariff.currency))


def _adjustment_line(tariff: Tariff, one: TariffAdjustment) -> PriceLine:
    if one.percent is not None:
        price = _("%(percent)s %% of the lines before", percent=_signed(plain(one.percent), one.percent))
    elif one.per_kwh is not None:
        price = _("%(price)s per kWh", price=_signed(amount(one.per_kwh, tariff.currency), one.per_kwh))
    else:
        value = one.per_session or Decimal(0)
        price = _("%(price)s once", price=_signed(amount(value, tariff.currency), value))
    of = [*one.groups, *one.plans, *one.coupons]
    when = _("for %(those)s", those=", ".join(of)) if of else ""
    return PriceLine(group="other", what=one.name, price=price, when=when)


def _signed(text: str, value: Decimal) -> str:
    return f"+{text}" if value > 0 else text.replace("-", "−")


# ------------------------------------------------------------------------------------------------------- conditions


def conditions(r: TariffRestrictions) -> list[str]:
    """What must hold, each in a few words."""
    found = []
    if r.start_time or r.end_time:
        found.append(_hours(r.start_time, r.end_time))
    if r.day_of_week:
        found.append(" ".join(weekday(n) for n, day in enumerate(DAYS) if day in r.day_of_week))
    if r.start_date:
        found.append(_("from %(at)s", at=figures.date(r.start_date)))
    if r.end_date:
        found.append(_("before %(at)s", at=figures.date(r.end_date)))
    for low, high, unit in (
        (r.min_kwh, r.max_kwh, "kWh"),
        (r.min_power, r.max_power, "kW"),
        (r.min_current, r.max_current, "A"),
        (_in_minutes(r.min_duration), _in_minutes(r.max_duration), "min"),
    ):
        if low is not None:
            found.append(_("from %(amount)s on", amount=_with(low, unit)))
        if high is not None:
            found.append(_("below %(amount)s", amount=_with(high, unit)))
    if r.reservation == "RESERVATION_EXPIRES":
        found.append(_("reserved and not used"))
    return found


def _with(value: Decimal, unit: str) -> str:
    return f"{plain(value)} {unit}"


def _hours(start: str | None, end: str | None) -> str:
    return _("%(low)s to %(high)s", low=start or "00:00", high="24:00" if end in (None, "00:00") else end)


def _in_minutes(seconds: int | None) -> Decimal | None:
    return None if seconds is None else (Decimal(seconds) / _MINUTES).quantize(Decimal("0.01"))


def depends_on_session(r: TariffRestrictions | None) -> bool:
    """Whether more than the calendar decides whether it holds."""
    names = ("kwh", "power", "current", "duration")
    return r is not None and any(getattr(r, f"{side}_{name}") is not None for side in ("min", "max") for name in names)


def rule_of_line(line: CostLine, tariff: Tariff) -> str:
    """By which rule a line of a cost came to be, in the language of whoever reads it."""
    if line.kind == "ADJUSTMENT":
        return line.rule
    said = [_(WHAT[line.kind])]
    if line.element is not None and 0 < line.element <= len(tariff.elements):
        r = tariff.elements[line.element - 1].restrictions
        said += conditions(r) if r is not None else []
    return ", ".join(said)


def quantity_of_line(line: CostLine) -> str:
    """What is billed of it; empty where it is an amount only."""
    if line.quantity is None or line.unit is None:
        return ""
    if line.unit == "s":
        return figures.span(float(line.quantity))
    return f"{figures.number(line.quantity, 3)} kWh" if line.unit == "kWh" else plain(line.quantity)


def unit_price_of_line(line: CostLine, currency: str, price: str = "") -> str:
    """What one of it costs; empty where it is an amount only. `price`: how that is written."""
    if line.unit_price is None:
        return ""
    price = price or amount(line.unit_price, currency)
    return {
        "kWh": _("%(price)s per kWh", price=price),
        "h": _("%(price)s per hour", price=price),
        "min": _("%(price)s per minute", price=price),
        "1": _("%(price)s once", price=price),
        None: price,
    }[line.price_per]


# ---------------------------------------------------------------------------------------------------------- in short


def in_short(tariff: Tariff) -> dict[str, str]:
    """What a kWh, a minute and a session cost, as cells of a list: from–to where it differs; empty where nothing."""
    found: dict[Group, list[Decimal]] = {"kwh": [], "minute": [], "session": []}
    for element in tariff.elements:
        if element.restrictions is not None and element.restrictions.reservation is not None:
            continue
        for one in element.price_components:
            group = _GROUP_OF[one.type]
            found[group].append(per_minute(one.price) if group == "minute" else one.price)
    if tariff.idle_fee is not None:
        found["minute"].append(tariff.idle_fee.price_per_minute)
    told: dict[str, str] = {}
    for group, prices in found.items():
        low, high = min(prices, default=Decimal(0)), max(prices, default=Decimal(0))
        if not prices:
            told[group] = ""
        elif low == high:
            told[group] = amount(low, tariff.currency)
        else:
            told[group] = f"{amount(low, tariff.currency).rpartition(' ')[0]}–{amount(high, tariff.currency)}"
    return told


def in_words(tariff: Tariff) -> str:
    """One sentence's worth: `0.29–0.49 EUR per kWh, 1.00 EUR per session`."""
    short = in_short(tariff)
    said = []
    if short["kwh"]:
        said.append(_("%(price)s per kWh", price=short["kwh"]))
    if short["minute"]:
        only_full = tariff.idle_fee is not None and not any(
            _GROUP_OF[one.type] == "minute" for element in tariff.elements for one in element.price_components
        )
        said.append(
            _("%(price)s per minute once the car is full", price=short["minute"])
            if only_full
            else _("%(price)s per minute", price=short["minute"])
        )
    if short["session"]:
        said.append(_("%(price)s per session", price=short["session"]))
    return ", ".join(said) or _("nothing")


# ------------------------------------------------------------------------------------------------------------ a week


def price_week(tariff: Tariff, monday: date) -> PriceWeek:
    """What a kWh costs (where nothing is asked for energy: a minute) through the week that begins with `monday`."""
    of_energy = any(one.type == "ENERGY" for element in tariff.elements for one in element.price_components)
    dimension = "ENERGY" if of_energy else "TIME"
    priced = [
        (element, one.price)
        for element in tariff.elements
        for one in element.price_components
        if one.type == dimension and (element.restrictions is None or element.restrictions.reservation is None)
    ]
    plain_ones = [(e, p if of_energy else per_minute(p)) for e, p in priced if not depends_on_session(e.restrictions)]
    rows = [_spans(plain_ones, monday + timedelta(days=n)) for n in range(7)]
    prices = sorted({price for row in rows for _low, _high, price in row if price is not None})
    days = []
    for n, row in enumerate(rows):
        blocks = [_block(low, high, price, prices, tariff.currency) for low, high, price in row]
        days.append((weekday(n), n * _ROW_HEIGHT, blocks))
    return PriceWeek(
        days=days,
        hours=[(_LEFT + hour * _HOUR_WIDTH, f"{hour:02d}") for hour in range(0, 25, 3)],
        width=_LEFT + 24 * _HOUR_WIDTH + 12,
        height=7 * _ROW_HEIGHT + 20,
        is_of_energy=of_energy,
        is_partial=len(plain_ones) < len(priced),
    )


_Spans: TypeAlias = list[tuple[int, int, Decimal | None]]


def _spans(priced: Sequence[tuple[TariffElement, Decimal]], day: date) -> _Spans:
    """From minute to minute of a day what it costs; neighbours of one price are one."""
    borders = {0, 24 * _MINUTES}
    for element, _price in priced:
        if (r := element.restrictions) is not None:
            borders |= set(span_of(r.start_time, r.end_time))
    found: _Spans = []
    for low, high in pairwise(sorted(borders)):
        wall = datetime.combine(day, time(low // _MINUTES, low % _MINUTES))
        price = next((p for e, p in priced if (rule := rule_of(e.restrictions)) is None or rule.holds(wall)), None)
        if found and found[-1][2] == price:
            found[-1] = (found[-1][0], high, price)
        else:
            found.append((low, high, price))
    return found


def _block(low: int, high: int, price: Decimal | None, prices: Sequence[Decimal], currency: str) -> PriceBlock:
    hours = f"{low // _MINUTES:02d}:{low % _MINUTES:02d}–{high // _MINUTES:02d}:{high % _MINUTES:02d}"
    width = (high - low) * _HOUR_WIDTH // _MINUTES
    told = _("no price") if price is None else amount(price, currency)
    level = 0
    if price is not None:
        level = 1 + (prices.index(price) * (_LEVELS - 1) // (len(prices) - 1) if len(prices) > 1 else 1)
    text = told.rpartition(" ")[0] if price is not None and width >= _NARROWEST_TEXT else ""
    return PriceBlock(
        x=_LEFT + low * _HOUR_WIDTH // _MINUTES, width=width, level=level, text=text, title=f"{hours}: {told}"
    )
