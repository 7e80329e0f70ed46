"""The form of a location: from what it is to what is typed, and back. Texts for the words that OCPI has for things."""

from __future__ import annotations

from typing import Any, Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ohmstead.console.frame import PageRequest
from ohmstead.core.errors import Invalid
from ohmstead.stations.queries import Location
from ohmstead.stations.sites import hours
from ohmstead.stations.sites.model import Facility, ParkingRestriction, ParkingType


def _words(names: tuple[str, ...], **own: str) -> dict[str, str]:
    return {name: own.get(name, name.replace("_", " ").capitalize()) for name in names}


ACCESS: Final = {
    "public": "Public: anybody may drive in",
    "restricted": "Restricted: members or guests",
    "private": "Private: its owner's people",
}
PARKING: Final = _words(get_args(ParkingType))
RESTRICTIONS: Final = _words(
    get_args(ParkingRestriction),
    ev_only="Electric cars only",
    plugged="Only while plugged in",
    disabled="For disabled people",
    customers="For customers",
    motorcycles="For motorcycles",
)
FACILITIES: Final = _words(get_args(Facility), wifi="Wi-Fi", cafe="Café")
LABELS: Final = {
    "name": "Name",
    "reference": "Reference",
    "address": "Address",
    "postal_code": "Postal code",
    "city": "City",
    "state": "State",
    "country": "Country",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "time_zone": "Time zone",
    "opening": "Opening hours",
    "charges_when_closed": "Charges when closed",
    "access": "Access",
    "help_phone": "Help number",
    "directions": "Directions",
    "parking_type": "Parking",
    "parking_restrictions": "Restrictions",
    "facilities": "At hand",
    "owner": "Owner",
    "owner_website": "Owner's website",
    "energy_supplier": "Energy supplier",
    "is_green_energy": "Green energy",
    "is_published": "Shown to drivers",
}
EMPTY: Final = dict.fromkeys((*LABELS, "version"), "")
BEGINNING: Final = {"access": "public", "charges_when_closed": "yes", "is_published": "yes"}
_FLAGS = ("charges_when_closed", "is_published")
_MANY = ("parking_restrictions", "facilities")


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
            found.append((label, stored, typed))
    return found
