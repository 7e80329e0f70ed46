"""The form of a location: from what it is to what is typed, and back. Texts for the words that OCPI has for things."""

from __future__ import annotations

import re
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ohmstead.console.frame import PageRequest
from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_, _
from ohmstead.stations.queries import Location
from ohmstead.stations.sites import hours

ACCESS: Final = {
    "public": N_("Public: anybody may drive in"),
    "restricted": N_("Restricted: members or guests"),
    "private": N_("Private: its owner's people"),
}
ACCESS_WORDS: Final = {"public": N_("Public"), "restricted": N_("Restricted"), "private": N_("Private")}
PARKING: Final = {
    "along_motorway": N_("Along motorway"),
    "parking_garage": N_("Parking garage"),
    "parking_lot": N_("Parking lot"),
    "on_driveway": N_("On driveway"),
    "on_street": N_("On street"),
    "underground_garage": N_("Underground garage"),
}
RESTRICTIONS: Final = {
    "ev_only": N_("Electric cars only"),
    "plugged": N_("Only while plugged in"),
    "disabled": N_("For disabled people"),
    "customers": N_("For customers"),
    "motorcycles": N_("For motorcycles"),
}
FACILITIES: Final = {
    "hotel": N_("Hotel"),
    "restaurant": N_("Restaurant"),
    "cafe": N_("Café"),
    "mall": N_("Mall"),
    "supermarket": N_("Supermarket"),
    "sport": N_("Sport"),
    "recreation_area": N_("Recreation area"),
    "nature": N_("Nature"),
    "museum": N_("Museum"),
    "bike_sharing": N_("Bike sharing"),
    "bus_stop": N_("Bus stop"),
    "taxi_stand": N_("Taxi stand"),
    "tram_stop": N_("Tram stop"),
    "metro_station": N_("Metro station"),
    "train_station": N_("Train station"),
    "airport": N_("Airport"),
    "parking_lot": N_("Parking lot"),
    "carpool_parking": N_("Carpool parking"),
    "fuel_station": N_("Fuel station"),
    "wifi": N_("Wi-Fi"),
}
LABELS: Final = {
    "name": N_("Name"),
    "reference": N_("Reference"),
    "address": N_("Address"),
    "postal_code": N_("Postal code"),
    "city": N_("City"),
    "state": N_("State or province"),
    "country": N_("Country"),
    "latitude": N_("Latitude"),
    "longitude": N_("Longitude"),
    "time_zone": N_("Time zone"),
    "opening": N_("Opening hours"),
    "charges_when_closed": N_("Charges when closed"),
    "access": N_("Access"),
    "help_phone": N_("Help number"),
    "directions": N_("Directions"),
    "parking_type": N_("Parking"),
    "parking_restrictions": N_("Restrictions"),
    "facilities": N_("At hand"),
    "owner": N_("Owner"),
    "owner_website": N_("Owner's website"),
    "energy_supplier": N_("Energy supplier"),
    "is_green_energy": N_("Green energy"),
    "is_published": N_("Shown to drivers"),
}
EMPTY: Final = dict.fromkeys((*LABELS, "version"), "")
BEGINNING: Final = {"access": "public", "charges_when_closed": "yes", "is_published": "yes"}
_FLAGS = ("charges_when_closed", "is_published")
_MANY = ("parking_restrictions", "facilities")
# The words of opening hours (stations.sites.hours), which forms and tables take in English only.
_HOURS: Final = {
    **dict(zip(hours.DAYS, (N_("Mo"), N_("Tu"), N_("We"), N_("Th"), N_("Fr"), N_("Sa"), N_("Su")), strict=True)),
    "open": N_("open"),
    "closed": N_("closed"),
}
_HOURS_WORD: Final = re.compile(r"\b(?:" + "|".join(_HOURS) + r")\b")


async def fields(request: PageRequest) -> dict[str, str]:
    """What was typed; boxes of one name that are ticked come as words with spaces between."""
    form = await request.form()
    given: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name != "csrf_token":
            given[name] = f"{given[name]} {value.strip()}" if name in given else value.strip()
    return given


def values(given: dict[str, str]) -> dict[str, Any]:
    """The fields of a location. Raises Invalid."""
    found: dict[str, Any] = {name: given.get(name, "").replace("\r\n", "\n") for name in LABELS}
    found |= {name: given.get(name) == "yes" for name in _FLAGS}
    found |= {name: given.get(name, "").split() for name in _MANY}
    found["is_green_energy"] = {"yes": True, "no": False}.get(given.get("is_green_energy", ""))
    for name in ("reference", "parking_type"):
        found[name] = found[name] or None
    for name in ("latitude", "longitude"):
        text = found[name].replace(",", ".")
        try:
            found[name] = float(text) if text else None
        except ValueError as error:
            raise Invalid("A number of degrees, as 52.5200.", name) from error
    try:
        zone = ZoneInfo(found["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("Not a time zone, such as Europe/Amsterdam.", "time_zone") from error
    found["opening"] = hours.read(found["opening"], zone)
    return found


def shown(location: Location) -> dict[str, str]:
    """What the form holds of a location."""
    given = {name: _text(getattr(location, name)) for name in LABELS}
    given |= {name: " ".join(getattr(location, name)) for name in _MANY}
    given |= {name: "yes" if getattr(location, name) else "" for name in _FLAGS}
    given["is_green_energy"] = {True: "yes", False: "no", None: ""}[location.is_green_energy]
    given["opening"] = "\n".join(hours.rules(location.opening, ZoneInfo(location.time_zone)))
    given["version"] = str(location.version)
    return given


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.7f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def differences(theirs: dict[str, str], given: dict[str, str]) -> list[tuple[str, str, str]]:
    """(field, what is stored now, what was typed), where they are not the same."""
    found = []
    for name, label in LABELS.items():
        stored, typed = theirs.get(name, ""), given.get(name, "").replace("\r\n", "\n")
        if name in _MANY:
            stored, typed = " ".join(sorted(stored.split())), " ".join(sorted(typed.split()))
        if stored != typed:
            found.append((_(label), stored, typed))
    return found


def told_hours(rule: str) -> str:
    """A rule of the opening hours, for reading."""
    return _HOURS_WORD.sub(lambda word: _(_HOURS[word[0]]), rule)
