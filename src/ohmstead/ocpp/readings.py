"""Sampled values of any OCPP version → readings in our units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from ohmstead.core.units import normalise
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
    named = measurand or ENERGY_REGISTER
    power_of_ten = max(-15, min(15, multiplier or 0))
    kept, kept_unit = normalise(value, unit or default_unit(named), power_of_ten)
    return Reading(named, kept, kept_unit, phase, None if location in (None, OUTLET) else location)


def grouped(
    sampled_at: datetime, values: Sequence[tuple[str, Reading | None, SignedReading | None]]
) -> tuple[MeterSample, ...]:
    """One sample per context among the values of one instant."""
    by_context: dict[str, tuple[list[Reading], list[SignedReading]]] = {}
    for context, plain, signed in values:
        readings, signatures = by_context.setdefault(context, ([], []))
        if plain is not None:
            readings.append(plain)
        if signed is not None:
            signatures.append(signed)
    return tuple(
        MeterSample(sampled_at=sampled_at, context=context, readings=tuple(readings), signed=tuple(signatures))
        for context, (readings, signatures) in by_context.items()
        if readings or signatures
    )
