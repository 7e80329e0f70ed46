"""What documents say, in the language of whoever they are for: titles, names of prices, numbers, money, days. Pure."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale

from ohmstead.billing.invoices.model import Address, DocumentKind, DocumentLine, DocumentPart, Invoice, PartKind
from ohmstead.core.language import N_, _, grouped, month, spoken
from ohmstead.core.money import minor_units

SPACE: Final = "\u00a0"
MINUS: Final = "\u2212"
TITLES: Final[dict[DocumentKind, str]] = {
    "receipt": N_("Receipt"),
    "invoice": N_("Invoice"),
    "statement": N_("Monthly statement"),
    "credit_note": N_("Credit note"),
    "self_billing": N_("Self-billed invoice"),
}
PARTS: Final[dict[PartKind, str]] = {
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
    "FEE": N_("Fee"),
    "HOST_SHARE": N_("Share of what charging brought in"),
    "HOST_FEE": N_("Fee for energy"),
}
PAID_BY: Final = {
    "card": N_("Card"),
    "wallet": N_("Prepaid balance"),
    "sepa": N_("SEPA direct debit"),
    "terminal": N_("At the terminal"),
}
_DATE: Final = N_("%(day)s %(month)s %(year)s")
_FEWEST: Final = 2
_MOST: Final = 6


def title(kind: DocumentKind) -> str:
    """What a document is."""
    return _(TITLES[kind])


def part_name(part: DocumentPart) -> str:
    """What a price is for."""
    return part.rule or _(PARTS[part.kind])


def money(amount: Decimal, currency: str) -> str:
    """`1,284.50 EUR`, never broken across lines."""
    return f"{figure(amount, minor_units(currency))}{SPACE}{currency}"


def figure(value: Decimal, digits: int) -> str:
    """A number with so many decimals; below nothing with a minus of full width."""
    text = grouped(f"{abs(value):,.{digits}f}")
    return f"{MINUS}{text}" if value < 0 else text


def unit_price(part: DocumentPart, currency: str) -> str:
    """`0.4900 EUR/kWh`; empty where a part is an amount only."""
    if part.unit_price is None:
        return ""
    exponent = part.unit_price.normalize().as_tuple().exponent
    has = -exponent if isinstance(exponent, int) else 0
    told = figure(part.unit_price, min(max(has, _FEWEST, minor_units(currency)), _MOST))
    per = {"kWh": "/kWh", "h": "/h", "min": "/min", "1": "", None: ""}[part.price_per]
    return f"{told}{SPACE}{currency}{per}"


def quantity(part: DocumentPart) -> str:
    """How much of it."""
    if part.quantity is None or part.unit is None:
        return ""
    if part.unit == "s":
        return span(int(part.quantity))
    return kwh(part.quantity) if part.unit == "kWh" else figure(part.quantity, 0)


def kwh(value: Decimal) -> str:
    """kWh with three decimals, as meters have them."""
    return f"{figure(value, 3)}{SPACE}kWh"


def energy(energy_wh: Decimal | None) -> str:
    """Wh as kWh."""
    return "" if energy_wh is None else kwh(energy_wh / 1000)


def power(power_w: Decimal | int | None) -> str:
    """W as kW."""
    return "" if not power_w else f"{figure(Decimal(power_w) / 1000, 1)}{SPACE}kW"


def span(seconds: int) -> str:
    """`1:02:05`: hours, minutes, seconds, as they are charged for."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{SPACE}h"


def tax_name(name: str) -> str:
    """VAT in the reader's language; other taxes as tariffs name them."""
    return _("VAT") if name in ("VAT", "") else name


def percent(value: Decimal) -> str:
    """`21 %`."""
    text = format(value.normalize(), "f")
    return f"{grouped(text)}{SPACE}%"


def day(value: date) -> str:
    """A day, its month by name."""
    return _(_DATE, day=f"{value.day:02d}", month=month(value.month), year=str(value.year))


def zone_of(name: str) -> ZoneInfo:
    """A zone; UTC where there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def midnight(of: date, zone: str) -> datetime:
    """When a day begins in a zone."""
    return datetime(of.year, of.month, of.day, tzinfo=zone_of(zone))


def moment(at: datetime, zone: str, *, with_zone: bool = False) -> str:
    """A day and a time where it was."""
    local = at.astimezone(zone_of(zone))
    told = f"{day(local.date())}, {local:%H:%M:%S}"
    return f"{told} {local.tzname()}" if with_zone else told


def stretch(line: DocumentLine, zone: str) -> str:
    """From when until when, where it was: `2 Mar 2026, 11:00–12:00`."""
    if line.started_at is None or line.ended_at is None:
        return ""
    place = zone_of(line.place.time_zone if line.place is not None else zone)
    start, end = line.started_at.astimezone(place), line.ended_at.astimezone(place)
    if start.date() == end.date():
        return f"{day(start.date())}, {start:%H:%M}–{end:%H:%M}"
    return f"{day(start.date())}, {start:%H:%M} – {day(end.date())}, {end:%H:%M}"


def outlet(line: DocumentLine) -> str:
    """Which outlet: `HARBOUR-01*1`."""
    if line.place is None:
        return ""
    number = line.place.evse_number
    return f"{line.place.station_id}*{number}" if number is not None else line.place.station_id


def item_of(line: DocumentLine, zone: str) -> str:
    """A line in one sentence, for programs: what, when, where, how much."""
    if line.kind != "session":
        return line.text
    place = line.place.name or line.place.city if line.place is not None else ""
    return ", ".join(
        one for one in (stretch(line, zone), place, outlet(line), energy(line.energy_wh), line.token) if one
    )


def address_lines(address: Address, *, with_country: bool) -> list[str]:
    """As letters are addressed."""
    town = " ".join(one for one in (address.postal_code, address.city) if one)
    if address.state:
        town = f"{town}, {address.state}" if town else address.state
    found = [*address.lines, town]
    if with_country and address.country:
        found.append(country(address.country))
    return [one for one in found if one]


def country(code: str) -> str:
    """A country by its name."""
    return str(Locale.parse(spoken()).territories.get(code, code))


def reverse_charge_note() -> str:
    """What law wants said (directive 2006/112/EC, article 226, number 11a)."""
    return _("Reverse charge: the buyer owes the VAT (articles 38, 39 and 195 of directive 2006/112/EC).")


def terms(invoice: Invoice) -> str:
    """When and how it is paid."""
    totals = invoice.content.totals
    if invoice.kind == "credit_note":
        return _("This amount is given back, or taken off what is still open.")
    if invoice.kind == "self_billing":
        return _("We pay this to your account.")
    if totals.open <= 0:
        return _("Nothing is due any more.")
    if invoice.due_on is not None:
        return _("Please pay by %(day)s and name %(number)s.", day=day(invoice.due_on), number=invoice.number)
    return _("To be paid in the way that was agreed.")
