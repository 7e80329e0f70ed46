"""Prices as drivers read them before they charge: with taxes, in the order in which AFIR wants them told (Regulation
(EU) 2023/1804, article 5: per kWh, per minute, per session, other), none written out as none; and what charging would
come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import format_currency
from msgspec import Struct

from ohmstead.billing.invoices.paper.words import tax_name
from ohmstead.core.errors import Invalid
from ohmstead.core.language import _, p_, spoken
from ohmstead.core.money import minor_units
from ohmstead.tariffs import pricing
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffAdjustment, TariffTax
from ohmstead.tariffs.pricing import MarketPrices, Payer, Stretch
from ohmstead.tariffs.pricing.calendar import rule_of
from ohmstead.ui import figures
from ohmstead.ui.prices import conditions, depends_on_session

_MOST_PLACES = 4
# What a car takes at most in the examples: few take more, and hardly any for long.
_CAR_AC_W, _CAR_DC_W = 22_000, 150_000
_UNKNOWN_AC_W, _UNKNOWN_DC_W = 11_000, 50_000


class PriceRow(Struct, frozen=True, kw_only=True):
    """A row under the big price: what it is by, how much, and what there is to say about it."""

    name: str
    price: str
    notes: list[str]


class Example(Struct, frozen=True, kw_only=True):
    """What a charge would cost, whole."""

    what: str
    cost: str


class PriceTag(Struct, frozen=True, kw_only=True):
    """A plug's price for whoever pays. `big` and `unit`: the one that counts most; `usual`: that of people without a contract,
    where it is another; `least` of what is big, as a number; `is_free`: nothing costs anything."""

    big: str
    unit: str
    usual: str = ""
    least: Decimal
    is_free: bool
    rows: list[PriceRow]
    taxes: str
    examples: list[Example]


def money(amount: Decimal, currency: str, *, is_unit_price: bool = False) -> str:
    """An amount with its currency's sign, as the language of this task writes it; unit prices with more decimals."""
    places = minor_units(currency)
    if is_unit_price:
        amount = amount.quantize(Decimal(1).scaleb(-max(places, _MOST_PLACES)), ROUND_HALF_UP)
        exponent = amount.normalize().as_tuple().exponent
        places = max(places, -exponent if isinstance(exponent, int) else 0)
    amount = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    locale = Locale.parse(spoken())
    pattern = str(locale.currency_formats["standard"].pattern).replace("0.00", "0." + "0" * places if places else "0")
    return format_currency(amount, currency, pattern, locale=locale, currency_digits=False)


def gross(price: Decimal, taxes: Sequence[TariffTax], tariff: Tariff) -> Decimal:
    """What is paid of a price."""
    if tariff.tax_included != "NO":
        return price
    return price * (100 + sum((tax.percentage for tax in taxes), Decimal(0))) / 100


def tag_of(
    tariff: Tariff,
    zone: str,
    at: datetime,
    *,
    power_w: int | None,
    is_dc: bool,
    payer: Payer,
    market: Mapping[str, MarketPrices] | None = None,
) -> PriceTag:
    """The price of a plug for a session that begins now."""
    wall = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    now, later = _components(tariff, wall)
    examples, market_price = _examples(tariff, zone, at, power_w, is_dc, payer, market)
    own = _Changed(tariff, _adjustments(tariff, payer, at))
    kwh = [own.gross(one, _net_of(one, market_price)) for one, _when in now["ENERGY"]]
    minute = [own.gross(one) / 60 for one, _when in now["TIME"]]
    flat = [own.gross(one) for one, _when in now["FLAT"]]
    big, unit = _headline(tariff, kwh, minute, flat)
    rows = [
        _kwh_row(own, now["ENERGY"], later["ENERGY"], kwh),
        _minute_row(own, now, later, minute),
        _session_row(tariff, now["FLAT"], flat),
        _other_row(own),
    ]
    is_free = _is_free(own, [*now.values(), *later.values()])
    usual = "" if is_free else _usual(tariff, now, market_price, at)
    return PriceTag(
        big=_("Free") if is_free else big,
        unit="" if is_free else unit,
        usual="" if usual == big else usual,
        least=min(next((prices for prices in (kwh, minute, flat) if any(prices)), [Decimal(0)])),
        is_free=is_free,
        rows=[] if is_free else [row for row in rows if row is not None],
        taxes="" if is_free else _taxes(tariff),
        examples=[] if is_free else examples,
    )


def idle_words(tariff: Tariff) -> str:
    """What a minute costs a car that has charged and stays; empty for nothing, and where it depends on who pays."""
    fee = tariff.idle_fee
    changed = (
        one.percent is not None and (not one.dimensions or "IDLE" in one.dimensions) for one in tariff.adjustments
    )
    return _idle(_Changed(tariff, [])) if fee is not None and fee.price_per_minute and not any(changed) else ""


def unpriced() -> PriceTag:
    """Where no tariff says what anything costs; that is not to say that it costs nothing."""
    return PriceTag(big=_("No price yet"), unit="", least=Decimal(0), is_free=False, rows=[], taxes="", examples=[])


_Priced = list[tuple[PriceComponent, list[str]]]


def _adjustments(tariff: Tariff, payer: Payer, at: datetime) -> list[TariffAdjustment]:
    """What counts for whoever pays, for a session that begins then."""
    mine = {*payer.groups}, {*payer.plans}, {*payer.coupons}
    found = []
    for one in tariff.adjustments:
        start, end = one.start_date_time, one.end_date_time
        if (start is not None and at < start) or (end is not None and at >= end):
            continue
        wanted = one.groups, one.plans, one.coupons
        if not any(wanted) or any(set(of) & have for of, have in zip(wanted, mine, strict=True)):
            found.append(one)
    return found


class _Changed:
    """A tariff's prices with the surcharges and discounts that count for somebody, each reckoned from the price itself."""

    def __init__(self, tariff: Tariff, adjustments: Sequence[TariffAdjustment]) -> None:
        self.tariff = tariff
        self.adjustments = adjustments

    def gross(self, one: PriceComponent, price: Decimal | None = None) -> Decimal:
        """What is paid for one unit. `price`: where it is not the component's own."""
        return self.gross_of(one.type, one.price if price is None else price, one.taxes)

    def gross_of(self, kind: str, price: Decimal, taxes: Sequence[TariffTax]) -> Decimal:
        paid = whole = gross(price, taxes, self.tariff)
        for one in self.adjustments:
            if one.percent is not None and (not one.dimensions or kind in one.dimensions):
                paid += whole * one.percent / 100
            elif one.per_kwh is not None and kind == "ENERGY" and whole:
                # A discount is taken off what there is, whatever it says of taxes.
                taxed = taxes if one.taxes is None or one.per_kwh < 0 else one.taxes
                paid += gross(one.per_kwh, taxed, self.tariff)
        return max(paid, Decimal(0))


def _usual(tariff: Tariff, now: Mapping[str, _Priced], market_price: Decimal | None, at: datetime) -> str:
    """The big price of people without a contract."""
    plain = _Changed(tariff, _adjustments(tariff, Payer(), at))
    kwh = [plain.gross(one, _net_of(one, market_price)) for one, _when in now["ENERGY"]]
    minute = [plain.gross(one) / 60 for one, _when in now["TIME"]]
    return _headline(tariff, kwh, minute, [plain.gross(one) for one, _when in now["FLAT"]])[0]


def _net_of(one: PriceComponent, market_price: Decimal | None) -> Decimal:
    return market_price if one.market is not None and market_price is not None else one.price


def _components(tariff: Tariff, wall: datetime) -> tuple[dict[str, _Priced], dict[str, _Priced]]:
    """Of each dimension what counts now, with the conditions that the session decides; and what other hours cost."""
    now: dict[str, _Priced] = {"ENERGY": [], "TIME": [], "PARKING_TIME": [], "FLAT": []}
    later: dict[str, _Priced] = {name: [] for name in now}
    settled: set[str] = set()
    always: set[str] = set()
    for element in tariff.elements:
        r, rule = element.restrictions, rule_of(element.restrictions)
        if r is not None and r.reservation is not None:
            continue
        when = conditions(r) if r is not None else []
        holds = rule is None or rule.holds(wall)
        for one in element.price_components:
            if one.type in always:
                continue  # it never counts
            if holds and one.type not in settled:
                now[one.type].append((one, when if depends_on_session(r) else []))
            else:
                later[one.type].append((one, when or [_("at other times")]))
        if holds and not depends_on_session(r):
            of = {one.type for one in element.price_components}
            settled |= of
            always |= of if rule is None else set()
    return now, later


def _headline(
    tariff: Tariff, kwh: Sequence[Decimal], minute: Sequence[Decimal], flat: Sequence[Decimal]
) -> tuple[str, str]:
    for prices, unit in ((kwh, _("per kWh")), (minute, _("per minute")), (flat, _("per session"))):
        if any(prices):
            low, high = min(prices), max(prices)
            text = money(low, tariff.currency, is_unit_price=True)
            return (text if low == high else f"{text} – {money(high, tariff.currency, is_unit_price=True)}"), unit
    return money(Decimal(0), tariff.currency), _("per kWh")


def _is_free(own: _Changed, priced: Iterable[_Priced]) -> bool:
    """Nothing costs anything, neither now nor later nor afterwards."""
    fee, least = own.tariff.idle_fee, own.tariff.min_price
    if any(one.market is not None or own.gross(one) for part in priced for one, _when in part):
        return False
    if fee is not None and own.gross_of("IDLE", fee.price_per_minute, fee.taxes):
        return False
    if least is not None and (least.before_taxes or least.after_taxes):
        return False
    return not any((one.per_kwh or 0) > 0 or (one.per_session or 0) > 0 for one in own.adjustments)


def _kwh_row(own: _Changed, now: _Priced, later: _Priced, kwh: Sequence[Decimal]) -> PriceRow | None:
    tariff, notes = own.tariff, []
    for (one, when), price in zip(now, kwh, strict=True):
        if when:
            notes.append(_("%(price)s, %(when)s", price=_unit(tariff, price), when=", ".join(when)))
        if one.market is not None:
            notes.append(_("follows the market, %(series)s; this is now", series=one.market.series))
        if one.step_size > 1:
            notes.append(_("in steps of %(step)s", step=f"{one.step_size} Wh"))
    for one, when in later[:4]:
        if one.market is None:
            then = _unit(tariff, own.gross(one))
            notes.append(_("%(price)s, %(when)s", price=then, when=", ".join(when)))
    if not any(kwh):
        return PriceRow(name=_("Per kWh"), price=p_("price", "none"), notes=notes)
    return PriceRow(name=_("Per kWh"), price=_unit(tariff, kwh[0]), notes=notes) if notes else None


def _minute_row(
    own: _Changed, now: Mapping[str, _Priced], later: Mapping[str, _Priced], minute: Sequence[Decimal]
) -> PriceRow:
    tariff, notes = own.tariff, []
    price = p_("price", "none") if not any(minute) else _unit(tariff, minute[0])
    for (_one, when), each in zip(now["TIME"], minute, strict=True):
        if when:
            notes.append(_("%(price)s, %(when)s", price=_unit(tariff, each), when=", ".join(when)))
    for one, when in later["TIME"][:4]:
        each = own.gross(one) / 60
        notes.append(_("%(price)s, %(when)s", price=_unit(tariff, each), when=", ".join(when)))
    for one, when in now["PARKING_TIME"]:
        if one.price:
            said = [_("while the car takes nothing"), *when]
            parked = _unit(tariff, own.gross(one) / 60)
            notes.append(_("%(price)s, %(when)s", price=parked, when=", ".join(said)))
    fee = tariff.idle_fee
    if fee is not None and fee.price_per_minute:
        notes.append(_idle(own))
        if not any(minute):
            price = _("none while charging")
    return PriceRow(name=_("Per minute"), price=price, notes=notes)


def _idle(own: _Changed) -> str:
    tariff, fee = own.tariff, own.tariff.idle_fee
    assert fee is not None
    price = _unit(tariff, own.gross_of("IDLE", fee.price_per_minute, fee.taxes))
    said = [_("%(price)s after it ends", price=price)]
    if fee.grace_minutes:
        said.append(_("first %(n)s min free", n=fee.grace_minutes))
    if fee.start_time or fee.end_time:
        said.append(_("%(low)s to %(high)s", low=fee.start_time or "00:00", high=fee.end_time or "24:00"))
    if fee.max_amount is not None:
        said.append(_("at most %(amount)s", amount=money(gross(fee.max_amount, fee.taxes, tariff), tariff.currency)))
    return ", ".join(said)


def _session_row(tariff: Tariff, now: _Priced, flat: Sequence[Decimal]) -> PriceRow:
    notes = [
        _("%(price)s, %(when)s", price=_unit(tariff, price), when=", ".join(when))
        for (_one, when), price in zip(now, flat, strict=True)
        if when
    ]
    return PriceRow(
        name=_("Per session"), price=_unit(tariff, flat[0]) if any(flat) else p_("price", "none"), notes=notes
    )


def _other_row(own: _Changed) -> PriceRow | None:
    tariff, said = own.tariff, list[str]()
    for limit, words in ((tariff.min_price, _("at least %(amount)s")), (tariff.max_price, _("at most %(amount)s"))):
        if limit is not None:
            amount = limit.after_taxes if limit.after_taxes is not None else limit.before_taxes
            told = words % {"amount": money(amount, tariff.currency)}
            said.append(told if limit.after_taxes is not None else _("%(said)s before taxes", said=told))
    if tariff.max_per_day is not None:
        said.append(_("at most %(amount)s a day", amount=money(tariff.max_per_day, tariff.currency)))
    for one in own.adjustments:
        if one.percent is not None:
            places = 0 if one.percent == one.percent.to_integral_value() else 1
            of = f"{one.name} {figures.number(one.percent, places)} %"
            said.append(_("%(what)s, in these prices", what=of))
        elif one.per_kwh is not None:
            of = _("%(price)s per kWh", price=_unit(tariff, one.per_kwh))
            said.append(_("%(what)s, in these prices", what=f"{one.name} {of}"))
        else:
            said.append(f"{one.name} {money(one.per_session or Decimal(0), tariff.currency)}")
    if not said:
        return None
    return PriceRow(name=_("Other"), price=said[0], notes=said[1:])


def _taxes(tariff: Tariff) -> str:
    taxes = {
        (tax.name, tax.percentage)
        for element in tariff.elements
        for one in element.price_components
        for tax in one.taxes
    }
    if not taxes:
        return ""
    names = ", ".join(
        f"{figures.number(rate, 0 if rate == rate.to_integral_value() else 1)} % {tax_name(n)}"
        for n, rate in sorted(taxes)
    )
    return _("%(taxes)s included", taxes=names)


def _unit(tariff: Tariff, price: Decimal) -> str:
    return money(price, tariff.currency, is_unit_price=True)


# ---------------------------------------------------------------------------------------------------------- examples


def _examples(
    tariff: Tariff,
    zone: str,
    at: datetime,
    power_w: int | None,
    is_dc: bool,
    payer: Payer,
    market: Mapping[str, MarketPrices] | None,
) -> tuple[list[Example], Decimal | None]:
    """Charges of a usual size at what the plug and a car can, and what a kWh of them costs on a market."""
    most = _CAR_DC_W if is_dc else _CAR_AC_W
    power = min(power_w or (_UNKNOWN_DC_W if is_dc else _UNKNOWN_AC_W), most)
    found, market_price = [], None
    try:
        plan = pricing.plan_of(tariff, zone)
        for kwh in (20, 40) if power >= 50_000 else (10, 30):
            seconds = round(kwh * 3_600_000 / power)
            stretch = Stretch(
                started_at=at,
                ended_at=at + timedelta(seconds=seconds),
                energy_wh=Decimal(kwh * 1000),
                power_w=Decimal(power),
            )
            cost = pricing.price(plan, [stretch], payer, market)
            energy = [line.unit_price for line in cost.lines if line.kind == "ENERGY" and line.unit_price is not None]
            market_price = market_price if market_price is not None else energy[0] if energy else None
            what = _(
                "%(kwh)s kWh at %(power)s kW, %(time)s", kwh=kwh, power=f"{power / 1000:g}", time=figures.span(seconds)
            )
            found.append(Example(what=what, cost=money(cost.total, cost.currency)))
    except (Invalid, ValueError, KeyError):
        return [], None
    return found, market_price
