"""Locations as rows of a table, and rows as locations. What is written can be read back as it was. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_
from ohmstead.stations.sites import hours

if TYPE_CHECKING:
    from ohmstead.stations.queries import Location

SHEET = "Locations"
REQUIRED = ("name",)
COLUMNS = {
    "name": N_("What people call it. A row whose location exists changes it; empty cells leave things as they are."),
    "location_id": N_("Ours, as exported: tells which location is meant even when its name changes."),
    "reference": N_("What other systems call it; tells which location is meant when there is no `location_id`."),
    "address": N_("Street and number."),
    "postal_code": N_("Postal code."),
    "city": N_("City."),
    "state": N_("State or province."),
    "country": N_("Two or three capital letters (ISO 3166-1)."),
    "latitude": N_("Degrees north, as `52.5200`."),
    "longitude": N_("Degrees east, as `13.4050`."),
    "time_zone": N_("IANA name, as `Europe/Amsterdam`; the network's own when empty."),
    "opening": N_("`24/7`, or `Mo-Fr 07:00-22:00; Sa 09:00-17:00; closed 2026-12-25; open 2026-12-24 08:00-14:00`."),
    "charges_when_closed": N_("`true` or `false`: a car that is inside may charge after closing time."),
    "access": N_("`public`, `restricted` or `private`."),
    "help_phone": N_("As `+49 30 1234567`."),
    "directions": N_("How to find it once near."),
    "parking_type": N_("As OCPI names it, in lower case: `parking_garage`, `on_street` …"),
    "parking_restrictions": N_("Separated by spaces: `ev_only customers`."),
    "facilities": N_("Separated by spaces, as OCPI names them, in lower case: `cafe wifi`."),
    "owner": N_("Who owns the place."),
    "owner_website": N_("With https://."),
    "energy_supplier": N_("Who delivers the electricity."),
    "is_green_energy": N_("`true` or `false`."),
    "is_published": N_("`true` or `false`: whether drivers and partners may be shown it."),
}
OPTIONAL = tuple(name for name in COLUMNS if name not in REQUIRED)
EXAMPLE = {
    "name": "Harbour Car Park",
    "reference": "HARBOUR",
    "address": "Quay 1",
    "postal_code": "3011",
    "city": "Rotterdam",
    "country": "NLD",
    "latitude": "51.91",
    "longitude": "4.48",
    "time_zone": "Europe/Amsterdam",
    "opening": "Mo-Sa 06:00-23:00; Su 08:00-20:00; closed 2027-01-01",
    "access": "public",
    "help_phone": "+31 10 0000000",
    "parking_type": "parking_garage",
    "parking_restrictions": "ev_only",
    "facilities": "cafe wifi",
    "is_published": "true",
}
_BOOLEANS = ("charges_when_closed", "is_green_energy", "is_published")
_LISTS = ("parking_restrictions", "facilities")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def of_location(location: Location) -> list[Any]:
    """The cells of a location, in the order of `COLUMNS`; numbers stay numbers."""
    zone = ZoneInfo(location.time_zone)
    cells: dict[str, Any] = {name: getattr(location, name) for name in COLUMNS}
    cells |= {name: " ".join(cells[name]) for name in _LISTS}
    cells |= {name: {True: "true", False: "false", None: None}[cells[name]] for name in _BOOLEANS}
    cells["opening"] = "; ".join(hours.rules(location.opening, zone))
    cells["location_id"] = str(location.location_id)
    return list(cells.values())


def location_id_of(cells: Mapping[str, str]) -> UUID | None:
    """Raises Invalid."""
    text = cells.get("location_id")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid("not an id of ours", "location_id") from error


def values_of(cells: Mapping[str, str], time_zone: str) -> dict[str, Any]:
    """The fields of a location; what stands for itself is left as text. `time_zone`: where the row names none.

    Raises Invalid.
    """
    values: dict[str, Any] = {name: text for name, text in cells.items() if name != "location_id"}
    for name in _LISTS:
        if name in values:
            values[name] = values[name].lower().replace(",", " ").split()
    for name in _BOOLEANS:
        if name in values:
            word = values[name].lower()
            if word not in _WORDS:
                raise Invalid("true or false", name)
            values[name] = _WORDS[word]
    for name in ("access", "parking_type"):
        if name in values:
            values[name] = values[name].lower()
    if "opening" in values:
        try:
            zone = ZoneInfo(values.get("time_zone", time_zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid("not a time zone, such as Europe/Amsterdam", "time_zone") from error
        values["opening"] = hours.read(values["opening"], zone)
    for name in ("latitude", "longitude"):
        if name in values:
            try:
                values[name] = float(values[name].replace(",", "."))
            except ValueError as error:
                raise Invalid("not a number of degrees", name) from error
    return values
