"""Rules of tariffs in words, for lines of costs."""

from __future__ import annotations

from decimal import Decimal

from ohmstead.tariffs.model import DAYS, TariffRestrictions

_KINDS = {
    "ENERGY": "Energy",
    "TIME": "Charging time",
    "PARKING_TIME": "Parking time",
    "FLAT": "Fee",
    "IDLE": "Idle fee",
    "RESERVATION": "Reserved time",
    "RESERVATION_FEE": "Fee for the reservation",
}
_SHORT = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))


def rule_in_words(kind: str, restrictions: TariffRestrictions | None) -> str:
    """`Energy, 17:00 to 20:00, Mon Tue, from 10 kWh`."""
    return ", ".join([_KINDS[kind], *(conditions(restrictions) if restrictions else [])])


def conditions(r: TariffRestrictions) -> list[str]:
    """What must hold, each in a few words."""
    found = []
    if r.start_time or r.end_time:
        found.append(f"{r.start_time or '00:00'} to {r.end_time or '00:00'}")
    if r.day_of_week:
        found.append(" ".join(_SHORT[day] for day in DAYS if day in r.day_of_week))
    if r.start_date:
        found.append(f"from {r.start_date} on")
    if r.end_date:
        found.append(f"before {r.end_date}")
    for low, high, unit in (
        (r.min_kwh, r.max_kwh, "kWh"),
        (r.min_power, r.max_power, "kW"),
        (r.min_current, r.max_current, "A"),
        (_minutes(r.min_duration), _minutes(r.max_duration), "min"),
    ):
        if low is not None:
            found.append(f"from {plain(low)} {unit}")
        if high is not None:
            found.append(f"below {plain(high)} {unit}")
    if r.reservation == "RESERVATION_EXPIRES":
        found.append("not used")
    return found


def plain(value: Decimal) -> str:
    """Without noughts that say nothing, and without an exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _minutes(seconds: int | None) -> Decimal | None:
    return None if seconds is None else (Decimal(seconds) / 60).quantize(Decimal("0.01"))
