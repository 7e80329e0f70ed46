"""Sampled values of any OCPP version → readings in our units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from ohmstead.core.units import unit_kept
from ohmstead.sessions.model import ENERGY_REGISTER, MeterSample, Reading, SignedReading

PERIODIC = "Sample.Periodic"
OUTLET = "Outlet"

# what a value without a unit is in (1.6 §7.43 names Wh for energy; the rest are the enumeration's plain units)
_DEFAULT_UNITS = (
    ("Energy.Reactive", "varh"),
    ("Energy.Apparent", "VAh"),
    ("Energy", "Wh"),
    ("Power.Reactive", "var"),
    ("Power.Factor", ""),
    ("Power", "W"),
    ("Current", "A"),
    ("Voltage", "V"),
    ("SoC", "Percent"),
    ("Temperature", "Celsius"),
    ("Frequency", "Hz"),
)


def default_unit(measurand: str) -> str:
    return next((unit for start, unit in _DEFAULT_UNITS if measurand.startswith(start)), "")


def number(text: str) -> Decimal | None:
    """A 1.6 value, which travels as text; None for what is no finite number of sane size."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and -30 < value.adjusted() < 30 else None


def reading(
    value: Decimal,
    measurand: str | None,
    unit: str | None,
    multiplier: int | None,
    phase: str | None,
    location: str | None,
) -> Reading:
    """Absent measurand: the import register. Absent unit: the measurand's own. Absent location: the outlet."""
    named, kept_unit, power, where = _kept_as(measurand, unit, multiplier, location)
    return Reading(named, value if power == 0 else value.scaleb(power), kept_unit, phase, where)


@lru_cache(maxsize=2048)
def _kept_as(
    measurand: str | None, unit: str | None, multiplier: int | None, location: str | None
) -> tuple[str, str, int, str | None]:
    """Measurand, unit, power of ten and location of a reading: stations say the same few things all day."""
    named = measurand or ENERGY_REGISTER
    power, kept_unit = unit_kept(unit or default_unit(named))
    return (
        named,
        kept_unit,
        power + max(-15, min(15, multiplier or 0)),
        None if location in (None, OUTLET) else location,
    )


def grouped(
    sampled_at: datetime, values: Sequence[tuple[str, Reading | None, SignedReading | None]]
) -> tuple[MeterSample, ...]:
    """One sample per context among the values of one instant."""
    contexts = {context for context, _, _ in values}
    found = []
    for context in dict.fromkeys(c for c, _, _ in values) if len(contexts) > 1 else contexts:
        readings = tuple([plain for c, plain, _ in values if plain is not None and c == context])
        signed = tuple([signed for c, _, signed in values if signed is not None and c == context])
        if readings or signed:
            found.append(MeterSample(sampled_at=sampled_at, context=context, readings=readings, signed=signed))
    return tuple(found)
