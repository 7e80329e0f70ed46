"""Nonsense is refused where it is written, and told where it is; what makes sense is not."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from ohmstead.tariffs.checking import faults_of
from ohmstead.tariffs.model import Tariff
from tests.prices.reading import examples

ENERGY = {"type": "ENERGY", "price": "0.5"}


def tariff(*elements: Any, **rules: Any) -> Tariff:
    found = [e if "price_components" in e else {"price_components": [e]} for e in elements or (ENERGY,)]
    return msgspec.convert({"currency": "EUR", "elements": found, **rules}, Tariff)


def restricted(**values: Any) -> dict[str, Any]:
    return {"price_components": [ENERGY], "restrictions": values}


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_the_tariffs_of_the_examples_make_sense(example: Any) -> None:
    assert faults_of(example.tariff) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (tariff(ENERGY | {"price": "-0.01"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "NaN"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "Infinity"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "1E+20"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "1E+999999"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "1E-999999"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "0.1234567"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"price": "450"}), "elements.0.price_components.0.price"),
        (tariff(ENERGY | {"step_size": 10**12}), "elements.0.price_components.0.step_size"),
        (tariff(ENERGY | {"taxes": [{"percentage": "119"}]}), "elements.0.price_components.0.taxes.0.percentage"),
        (tariff(ENERGY | {"taxes": [{"percentage": "9"}] * 2}), "elements.0.price_components.0.taxes.1.name"),
        (tariff({"price_components": [ENERGY, ENERGY]}), "elements.0.price_components.1.type"),
        (tariff(currency="XXX"), "currency"),
        (tariff(currency="EUX"), "currency"),
        (tariff(restricted()), "elements.0.restrictions"),
        (tariff(restricted(start_time="10:00", end_time="10:00")), "elements.0.restrictions.end_time"),
        (tariff(restricted(min_kwh="20", max_kwh="20")), "elements.0.restrictions.max_kwh"),
        (tariff(restricted(max_kwh="0")), "elements.0.restrictions.max_kwh"),
        (tariff(restricted(min_kwh="NaN")), "elements.0.restrictions.min_kwh"),
        (tariff(restricted(max_power="-1")), "elements.0.restrictions.max_power"),
        (tariff(restricted(min_power="50", max_power="20")), "elements.0.restrictions.max_power"),
        (tariff(restricted(min_duration=60, max_duration=60)), "elements.0.restrictions.max_duration"),
        (tariff(restricted(max_duration=10**15)), "elements.0.restrictions.max_duration"),
        (
            tariff(restricted(start_date=date(2026, 1, 5), end_date=date(2026, 1, 5))),
            "elements.0.restrictions.end_date",
        ),
        (
            tariff(restricted(start_date=date(2026, 1, 5), end_date=date(2026, 1, 7), day_of_week=["SUNDAY"])),
            "elements.0.restrictions.day_of_week",
        ),
        (tariff(restricted(day_of_week=["SUNDAY", "SUNDAY"])), "elements.0.restrictions.day_of_week"),
        (tariff(restricted(reservation="RESERVATION")), "elements.0.price_components.0.type"),
        (
            tariff(
                restricted(start_date=date(2027, 1, 1)),
                ENERGY,
                end_date_time=datetime(2026, 6, 1, tzinfo=UTC),
            ),
            "elements.0.restrictions.start_date",
        ),
        (
            tariff(
                start_date_time=datetime(2026, 6, 1, tzinfo=UTC),
                end_date_time=datetime(2026, 6, 1, tzinfo=UTC),
            ),
            "end_date_time",
        ),
        (tariff(ENERGY, ENERGY), "elements.1.price_components.0"),
        (tariff(ENERGY, restricted(min_kwh="5")), "elements.1.price_components.0"),
        (
            tariff(restricted(min_kwh="5"), restricted(min_kwh="10", day_of_week=["MONDAY"])),
            "elements.1.price_components.0",
        ),
        (
            tariff(
                restricted(start_time="22:00", end_time="06:00"),
                restricted(start_time="23:00", end_time="05:00"),
                ENERGY,
            ),
            "elements.1.price_components.0",
        ),
        (tariff(min_price={"before_taxes": "5"}, max_price={"before_taxes": "4"}), "max_price"),
        (tariff(max_price={"before_taxes": "5", "after_taxes": "4"}), "max_price.after_taxes"),
        (tariff(max_price={"before_taxes": "5.001"}), "max_price.before_taxes"),
        (tariff(max_per_day="-1"), "max_per_day"),
        (tariff(preauthorize_amount="NaN"), "preauthorize_amount"),
        (tariff(idle_fee={"price_per_minute": "-0.1"}), "idle_fee.price_per_minute"),
        (tariff(idle_fee={"price_per_minute": "0.1", "start_time": "08:00", "end_time": "08:00"}), "idle_fee.end_time"),
        (tariff(adjustments=[{"name": "A"}]), "adjustments.0"),
        (tariff(adjustments=[{"name": "A", "percent": "5", "per_kwh": "1"}]), "adjustments.0"),
        (tariff(adjustments=[{"name": "A", "percent": "-101"}]), "adjustments.0.percent"),
        (tariff(adjustments=[{"name": "A", "percent": "-1"}] * 2), "adjustments.1.name"),
        (tariff(adjustments=[{"name": "A", "per_kwh": "1", "dimensions": ["TIME"]}]), "adjustments.0.dimensions"),
        (tariff(ENERGY | {"taxes": [{"percentage": "9"}]}, tax_included="N/A"), "elements.0.price_components.0.taxes"),
        (
            tariff({"type": "TIME", "price": "1", "market": {"series": "DAY"}}),
            "elements.0.price_components.0.market",
        ),
        (
            tariff(ENERGY | {"market": {"series": "DAY", "floor": "1", "cap": "0.5"}}),
            "elements.0.price_components.0.market.cap",
        ),
        (
            tariff(ENERGY | {"market": {"series": "DAY", "factor": "sNaN"}}),
            "elements.0.price_components.0.market.factor",
        ),
    ],
    ids=str,
)
def test_nonsense_is_told_at_its_field(given: Tariff, field: str) -> None:
    assert field in [fault.field for fault in faults_of(given)]


def test_what_only_looks_like_it_is_taken() -> None:
    for given in (
        tariff(restricted(start_time="00:00", end_time="00:00"), restricted(max_power="11")),
        tariff(restricted(min_power="0"), ENERGY),
        tariff(
            restricted(start_time="22:00", end_time="06:00"), restricted(start_time="21:00", end_time="23:00"), ENERGY
        ),
        tariff(ENERGY | {"price": "2466.78"}, currency="IDR"),
        tariff(restricted(min_kwh="5"), {"price_components": [{"type": "TIME", "price": "1"}]}),
    ):
        assert [fault for fault in faults_of(given) if fault.field != "elements.1.price_components.0"] == []
