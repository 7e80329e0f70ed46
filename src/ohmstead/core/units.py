"""Electrical quantities as they arrive and as we keep them.

Kept: energy in Wh, power in W, current in A, voltage in V, state of charge in percent, temperature in Celsius; Decimal,
never float, because register values end up on invoices.
"""

from __future__ import annotations

from decimal import Decimal

# unit as sent (OCPP 1.6 §7.45, OCPP 2.x appendix 2) → (unit as kept, power of ten)
UNITS: dict[str, tuple[str, int]] = {
    "Wh": ("Wh", 0),
    "kWh": ("Wh", 3),
    "MWh": ("Wh", 6),
    "varh": ("varh", 0),
    "kvarh": ("varh", 3),
    "VAh": ("VAh", 0),
    "kVAh": ("VAh", 3),
    "W": ("W", 0),
    "kW": ("W", 3),
    "MW": ("W", 6),
    "VA": ("VA", 0),
    "kVA": ("VA", 3),
    "var": ("var", 0),
    "kvar": ("var", 3),
    "A": ("A", 0),
    "mA": ("A", -3),
    "V": ("V", 0),
    "kV": ("V", 3),
    "mV": ("V", -3),
    "Percent": ("Percent", 0),
    "Celsius": ("Celsius", 0),
    "Celcius": ("Celsius", 0),
    "Fahrenheit": ("Fahrenheit", 0),
    "K": ("K", 0),
    "Hz": ("Hz", 0),
    "Hertz": ("Hz", 0),
}
_BY_FOLDED = {name.casefold(): unit for name, unit in UNITS.items() if name not in ("MWh", "MW", "mA", "mV")}
_BY_FOLDED["mwh"] = ("Wh", 6)


def unit_kept(unit: str) -> tuple[int, str]:
    """The power of ten that brings a unit as sent to the unit we keep, and that unit. Unknown units stay as named."""
    if not unit:
        return 0, ""
    kept, power = UNITS.get(unit) or _BY_FOLDED.get(unit.casefold(), (unit, 0))
    return power, kept


def kwh(energy_wh: Decimal | int) -> Decimal:
    """Wh → kWh, exact."""
    return Decimal(energy_wh).scaleb(-3)
