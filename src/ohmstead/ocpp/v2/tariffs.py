"""OCPP 2.1: a tariff that a station reckons with by itself, as the wire writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import some
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.orders.drivers import Bound, Conditions, Tax

_DAYS: dict[str, Any] = {
    "monday": "Monday",
    "tuesday": "Tuesday",
    "wednesday": "Wednesday",
    "thursday": "Thursday",
    "friday": "Friday",
    "saturday": "Saturday",
    "sunday": "Sunday",
}


def tariff(given: o.StationTariff, content: Callable[[o.Text], m.MessageContentType]) -> m.TariffType:
    """`content`: how a text is written."""
    return m.TariffType(
        tariff_id=given.tariff_id,
        currency=given.currency,
        description=some(content(text) for text in given.description),
        energy=_energy(given.energy),
        valid_from=instant_text(given.valid_from),
        charging_time=_time(given.charging_time),
        idle_time=_time(given.idle_time),
        fixed_fee=_fixed(given.fixed),
        reservation_time=_time(given.reservation_time),
        reservation_fixed=_fixed(given.reservation_fixed),
        min_cost=_bound(given.min_cost),
        max_cost=_bound(given.max_cost),
    )


def _energy(prices: o.Prices | None) -> m.TariffEnergyType | None:
    if prices is None:
        return None
    listed = [
        m.TariffEnergyPriceType(price_kwh=p.price, conditions=_conditions(p.conditions) if p.conditions else None)
        for p in prices.prices
    ]
    return m.TariffEnergyType(prices=listed, tax_rates=_taxes(prices.taxes))


def _time(prices: o.Prices | None) -> m.TariffTimeType | None:
    if prices is None:
        return None
    listed = [
        m.TariffTimePriceType(price_minute=p.price, conditions=_conditions(p.conditions) if p.conditions else None)
        for p in prices.prices
    ]
    return m.TariffTimeType(prices=listed, tax_rates=_taxes(prices.taxes))


def _fixed(prices: o.Prices | None) -> m.TariffFixedType | None:
    if prices is None:
        return None
    listed = [
        m.TariffFixedPriceType(
            price_fixed=p.price, conditions=_fixed_conditions(p.conditions) if p.conditions else None
        )
        for p in prices.prices
    ]
    return m.TariffFixedType(prices=listed, tax_rates=_taxes(prices.taxes))


def _bound(given: Bound | None) -> m.PriceType | None:
    if given is None:
        return None
    return m.PriceType(excl_tax=given.without_tax, incl_tax=given.with_tax, tax_rates=_taxes(given.taxes))


def _taxes(given: Sequence[Tax]) -> list[m.TaxRateType] | None:
    return some(m.TaxRateType(type=tax.name, tax=tax.percent, stack=tax.stack) for tax in given)


def _when(given: Conditions) -> dict[str, Any]:
    return {
        "start_time_of_day": given.from_time,
        "end_time_of_day": given.until_time,
        "day_of_week": some(_DAYS[day] for day in given.days),
        "valid_from_date": given.from_on.isoformat() if given.from_on else None,
        "valid_to_date": given.until_on.isoformat() if given.until_on else None,
        "evse_kind": given.current_type,
    }


def _fixed_conditions(given: Conditions) -> m.TariffConditionsFixedType:
    return m.TariffConditionsFixedType(
        **_when(given), payment_brand=given.payment_brand, payment_recognition=given.payment_recognition
    )


def _conditions(given: Conditions) -> m.TariffConditionsType:
    return m.TariffConditionsType(
        **_when(given),
        min_energy=given.min_energy_wh,
        max_energy=given.max_energy_wh,
        min_current=given.min_current_a,
        max_current=given.max_current_a,
        min_power=given.min_power_w,
        max_power=given.max_power_w,
        min_time=given.min_time_s,
        max_time=given.max_time_s,
        min_charging_time=given.min_charging_time_s,
        max_charging_time=given.max_charging_time_s,
        min_idle_time=given.min_idle_time_s,
        max_idle_time=given.max_idle_time_s,
    )
