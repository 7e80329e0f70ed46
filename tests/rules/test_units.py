"""Electrical quantities as they arrive, and as they are kept."""

from decimal import Decimal

import pytest

from ohmstead.core.units import kwh
from ohmstead.ocpp.readings import default_unit, number, reading


@pytest.mark.parametrize(
    ("value", "unit", "multiplier", "kept"),
    [
        ("1.5", "kWh", 0, ("1500", "Wh")),
        ("1.5", "KWH", 0, ("1500", "Wh")),
        ("1500", "Wh", 0, ("1500", "Wh")),
        ("1.5", "MWh", 0, ("1500000", "Wh")),
        ("15", "Wh", 2, ("1500", "Wh")),
        ("15", "kWh", -1, ("1500", "Wh")),
        ("7.4", "kW", 0, ("7400", "W")),
        ("16000", "mA", 0, ("16", "A")),
        ("230", "V", 0, ("230", "V")),
        ("0.4", "kV", 0, ("400", "V")),
        ("21", "Celcius", 0, ("21", "Celsius")),
        ("3", "kvarh", 0, ("3000", "varh")),
        ("50", "Hz", 0, ("50", "Hz")),
        ("5", "Furlong", 0, ("5", "Furlong")),
        ("5", "Furlong", 1, ("50", "Furlong")),
        ("5", None, 0, ("5", "")),
        ("5", "", 1, ("50", "")),
    ],
)
def test_values_are_kept_in_one_unit_each(value: str, unit: str | None, multiplier: int, kept: tuple[str, str]) -> None:
    found = reading(Decimal(value), "Something.New", unit, multiplier, None, None)
    assert (found.value, found.unit) == (Decimal(kept[0]), kept[1])


def test_nothing_is_rounded() -> None:
    found = reading(Decimal("1234567.890123456789"), None, "kWh", None, None, None)
    assert (found.value, found.unit) == (Decimal("1234567890.123456789"), "Wh")
    assert kwh(Decimal("1")) == Decimal("0.001")
    assert kwh(123_456) == Decimal("123.456")


@pytest.mark.parametrize(
    ("measurand", "unit"),
    [
        ("Energy.Active.Import.Register", "Wh"),
        ("Energy.Reactive.Import.Register", "varh"),
        ("Energy.Apparent.Net", "VAh"),
        ("Power.Active.Import", "W"),
        ("Power.Offered", "W"),
        ("Power.Reactive.Export", "var"),
        ("Power.Factor", ""),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("SoC", "Percent"),
        ("Temperature", "Celsius"),
        ("Frequency", "Hz"),
        ("Something.New", ""),
    ],
)
def test_a_value_without_a_unit_is_in_its_measurands_own(measurand: str, unit: str) -> None:
    assert default_unit(measurand) == unit


def test_a_value_without_anything_is_the_import_register_at_the_outlet() -> None:
    kept = reading(Decimal(5), None, None, None, None, None)
    assert (kept.measurand, kept.unit, kept.phase, kept.location) == ("Energy.Active.Import.Register", "Wh", None, None)


@pytest.mark.parametrize(("location", "kept"), [("Outlet", None), (None, None), ("Inlet", "Inlet"), ("EV", "EV")])
def test_the_outlet_is_the_usual_place(location: str | None, kept: str | None) -> None:
    assert reading(Decimal(5), None, None, None, None, location).location == kept


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        (" 5.25 ", "5.25"),
        ("-3", -3),
        ("1e3", 1000),
        ("+7", 7),
        ("0", 0),
        ("NaN", None),
        ("Infinity", None),
        ("-inf", None),
        ("1e400", None),
        ("1e-400", None),
        ("", None),
        ("5,5", None),
        ("abc", None),
        ("0x10", None),
    ],
)
def test_numbers_that_travel_as_text(text: str, value: object) -> None:
    assert number(text) == (None if value is None else Decimal(str(value)))


def test_a_multiplier_beyond_reason_makes_no_number_without_end() -> None:
    assert reading(Decimal(5), None, "Wh", 2**31 - 1, None, None).value == Decimal(5).scaleb(15)
    assert reading(Decimal(5), None, "Wh", -(2**31), None, None).value == Decimal(5).scaleb(-15)
