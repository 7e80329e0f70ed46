"""Locations as OCPI 2.2.1 writes them (8.3.1 Location object), from ours and to ours. Pure.

An OCPI EVSE knows no station. Ours are told apart by their `uid`, which is `<station id>*<EVSE number>`; an EVSE that is
called otherwise becomes a station of its own. What a location has and OCPI has not is left out; a station's state is its
own to tell, and not taken in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from ohmstead.core.errors import Invalid
from ohmstead.stations.sites import hours as opening
from ohmstead.stations.sites.countries import in_three
from ohmstead.stations.sites.model import Hours, Span, WeeklyHours

if TYPE_CHECKING:
    from ohmstead.stations.queries import ConnectorView, EvseView, Location, StationView

MOST_LOCATIONS = 2000
_STATUS = {
    "available": "AVAILABLE",
    "occupied": "BLOCKED",
    "preparing": "BLOCKED",
    "charging": "CHARGING",
    "suspended_ev": "CHARGING",
    "suspended_evse": "CHARGING",
    "finishing": "BLOCKED",
    "reserved": "RESERVED",
    "unavailable": "INOPERATIVE",
    "faulted": "OUTOFORDER",
    "unknown": "UNKNOWN",
}
# OCPI wants volts and amperes of every connector; of ours the power is known.
_AC_V, _DC_V, _ONE_PHASE_W = 230, 500, 7_400


class GeoPoint(Struct, kw_only=True):
    """OCPI GeoLocation; some write numbers."""

    latitude: str | float
    longitude: str | float


class RegularHours(Struct, kw_only=True):
    """OCPI RegularHours."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    period_begin: str
    period_end: str


class Period(Struct, kw_only=True):
    """OCPI ExceptionalPeriod."""

    period_begin: datetime
    period_end: datetime


class OcpiHours(Struct, kw_only=True):
    """OCPI Hours."""

    twentyfourseven: bool = False
    regular_hours: list[RegularHours] = []
    exceptional_openings: list[Period] = []
    exceptional_closings: list[Period] = []


class OcpiConnector(Struct, kw_only=True):
    """OCPI Connector, as far as we keep it."""

    id: str
    standard: Annotated[str, Meta(max_length=40)] | None = None
    power_type: str | None = None
    max_voltage: int | None = None
    max_amperage: int | None = None
    max_electric_power: int | None = None


class OcpiEvse(Struct, kw_only=True):
    """OCPI EVSE, as far as we keep it."""

    uid: Annotated[str, Meta(min_length=1, max_length=60)]
    physical_reference: str | None = None
    parking_restrictions: list[str] = []
    connectors: Annotated[list[OcpiConnector], Meta(max_length=99)] = []
    status: str | None = None


class Named(Struct, kw_only=True):
    """OCPI BusinessDetails."""

    name: str = ""
    website: str | None = None


class Mix(Struct, kw_only=True):
    """OCPI EnergyMix, as far as we keep it."""

    is_green_energy: bool | None = None
    supplier_name: str | None = None


class Text(Struct, kw_only=True):
    """OCPI DisplayText."""

    language: str = "en"
    text: str


class OcpiLocation(Struct, kw_only=True):
    """OCPI Location, as far as we keep it."""

    id: Annotated[str, Meta(min_length=1, max_length=36)]
    address: str = ""
    city: str = ""
    country: str = ""
    coordinates: GeoPoint | None = None
    time_zone: str | None = None
    publish: bool = True
    name: str | None = None
    postal_code: str | None = None
    state: str | None = None
    parking_type: str | None = None
    directions: list[Text] = []
    owner: Named | None = None
    facilities: list[str] = []
    opening_times: OcpiHours | None = None
    charging_when_closed: bool = True
    energy_mix: Mix | None = None
    evses: Annotated[list[OcpiEvse], Meta(max_length=1000)] = []


def to_ocpi(location: Location, stations: Sequence[StationView], country_code: str, party_code: str) -> dict[str, Any]:
    """An OCPI Location object, JSON-ready."""
    evses = [_evse(location, station, evse) for station in stations for evse in station.evses]
    found: dict[str, Any] = {
        "country_code": country_code,
        "party_id": party_code,
        "id": location.reference or str(location.location_id),
        "publish": location.is_published,
        "name": location.name,
        "address": location.address,
        "city": location.city,
        "postal_code": location.postal_code,
        "state": location.state,
        "country": in_three(location.country),
        "coordinates": _point(location),
        "evses": evses,
        "directions": [{"language": "en", "text": location.directions}] if location.directions else [],
        "owner": _owner(location),
        "facilities": [one.upper() for one in location.facilities],
        "parking_type": location.parking_type.upper() if location.parking_type else None,
        "time_zone": location.time_zone,
        "opening_times": _hours(location.opening) if location.opening else None,
        "charging_when_closed": location.charges_when_closed,
        "energy_mix": _mix(location),
        "last_updated": _instant(location.updated_at),
    }
    needed = ("address", "city", "country")
    return {name: value for name, value in found.items() if value not in (None, "", []) or name in needed}


def _point(location: Location) -> dict[str, str] | None:
    if location.latitude is None or location.longitude is None:
        return None
    return {"latitude": f"{location.latitude:.7f}", "longitude": f"{location.longitude:.7f}"}


def _owner(location: Location) -> dict[str, str] | None:
    if not location.owner:
        return None
    return {"name": location.owner, **({"website": location.owner_website} if location.owner_website else {})}


def _mix(location: Location) -> dict[str, Any] | None:
    if location.is_green_energy is None and not location.energy_supplier:
        return None
    mix: dict[str, Any] = {"is_green_energy": bool(location.is_green_energy)}
    return mix | ({"supplier_name": location.energy_supplier} if location.energy_supplier else {})


def _hours(hours: Hours) -> dict[str, Any]:
    found: dict[str, Any] = {"twentyfourseven": hours.is_always}
    if hours.weekly:
        found["regular_hours"] = [
            {"weekday": one.weekday, "period_begin": one.since, "period_end": one.until} for one in hours.weekly
        ]
    for name, spans in (("exceptional_openings", hours.openings), ("exceptional_closings", hours.closings)):
        if spans:
            found[name] = [{"period_begin": _instant(one.since), "period_end": _instant(one.until)} for one in spans]
    return found


def _evse(location: Location, station: StationView, evse: EvseView) -> dict[str, Any]:
    states = [_STATUS.get(connector.status, "UNKNOWN") for connector in evse.connectors]
    order = ("OUTOFORDER", "CHARGING", "RESERVED", "BLOCKED", "AVAILABLE", "INOPERATIVE", "UNKNOWN")
    found: dict[str, Any] = {
        "uid": f"{station.station_id}*{evse.evse_number}",
        "status": min(states, key=order.index, default="UNKNOWN") if station.is_connected else "UNKNOWN",
        "connectors": [_connector(station, evse, connector) for connector in evse.connectors],
        "last_updated": _instant(station.updated_at),
    }
    if evse.physical_reference:
        found["physical_reference"] = evse.physical_reference
    if location.parking_restrictions:
        found["parking_restrictions"] = [one.upper() for one in location.parking_restrictions]
    return found


def _connector(station: StationView, evse: EvseView, connector: ConnectorView) -> dict[str, Any]:
    power_w = connector.max_power_w or evse.max_power_w
    is_dc = evse.current_type == "DC"
    phases = 3 if (power_w or 0) > _ONE_PHASE_W else 1
    kind = "DC" if is_dc else f"AC_{phases}_PHASE"
    volts = _DC_V if is_dc else _AC_V
    found: dict[str, Any] = {
        "id": str(connector.connector_number),
        "standard": connector.standard or "IEC_62196_T2",
        "format": "CABLE" if is_dc else "SOCKET",
        "power_type": kind,
        "max_voltage": volts,
        "max_amperage": round((power_w or 0) / (volts * (1 if is_dc else phases))),
        "last_updated": _instant(connector.status_at or station.updated_at),
    }
    return found | ({"max_electric_power": power_w} if power_w else {})


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ----------------------------------------------------------------------------------------------------- taking in


def read_locations(data: bytes) -> list[Any]:
    """The Location objects of a document: one, a list, or an OCPI answer with `data`. Raises Invalid."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"not JSON: {error}", "body") from error
    if isinstance(found, dict) and isinstance(found.get("data"), list | dict):
        found = found["data"]
    locations = found if isinstance(found, list) else [found]
    if not locations or not all(isinstance(one, dict) for one in locations):
        raise Invalid("no OCPI Location objects in it", "body")
    if len(locations) > MOST_LOCATIONS:
        raise Invalid(f"more than {MOST_LOCATIONS} locations: send them in parts", "body")
    return locations


def of_ocpi(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The fields of a location of ours, and rows of the table of stations. Raises Invalid and msgspec.ValidationError."""
    given = msgspec.convert(raw, OcpiLocation, strict=False)
    values: dict[str, Any] = {
        "reference": given.id,
        "name": given.name or given.address or given.id,
        "address": given.address,
        "city": given.city,
        "country": given.country,
        "postal_code": given.postal_code or "",
        "state": given.state or "",
        "is_published": given.publish,
        "directions": _words(given.directions),
        "owner": given.owner.name if given.owner else "",
        "owner_website": (given.owner.website or "") if given.owner else "",
        "facilities": [one.lower() for one in dict.fromkeys(given.facilities)],
        "parking_type": given.parking_type.lower() if given.parking_type else None,
        "charges_when_closed": given.charging_when_closed,
        "opening": _hours_of(given.opening_times, given.time_zone) if given.opening_times else None,
        "energy_supplier": (given.energy_mix.supplier_name or "") if given.energy_mix else "",
        "is_green_energy": given.energy_mix.is_green_energy if given.energy_mix else None,
    }
    if given.evses:  # OCPI says it of each EVSE
        said = (one.lower() for evse in given.evses for one in evse.parking_restrictions)
        values["parking_restrictions"] = list(dict.fromkeys(said))
    if given.time_zone is not None:
        values["time_zone"] = given.time_zone
    if given.coordinates is not None:
        values |= {
            "latitude": _degrees(given.coordinates.latitude, "latitude"),
            "longitude": _degrees(given.coordinates.longitude, "longitude"),
        }
    return values, _stations_of(given.evses, cast(str, values["name"]))


def _words(texts: Sequence[Text]) -> str:
    """Directions in English, where there are several languages; else the first."""
    chosen = [one.text for one in texts if one.language == "en"] or [one.text for one in texts]
    return chosen[0] if chosen else ""


def _degrees(value: str | float, name: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise Invalid("not a number of degrees", f"coordinates.{name}") from error


def _hours_of(given: OcpiHours, time_zone: str | None) -> Hours:
    try:
        zone = ZoneInfo(time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("not a time zone, such as Europe/Amsterdam", "time_zone") from error

    def span(one: Period) -> Span:
        # Without an offset, which OCPI forbids and some write, they are local.
        since, until = (at if at.tzinfo else at.replace(tzinfo=zone) for at in (one.period_begin, one.period_end))
        return Span(since=since.astimezone(UTC), until=until.astimezone(UTC))

    hours = Hours(
        is_always=given.twentyfourseven,
        weekly=[]
        if given.twentyfourseven
        else [
            WeeklyHours(
                weekday=one.weekday,
                since=one.period_begin,
                until=opening.LAST_MINUTE if one.period_end in ("24:00", "00:00") else one.period_end,
            )
            for one in given.regular_hours
        ],
        openings=[] if given.twentyfourseven else [span(one) for one in given.exceptional_openings],
        closings=[span(one) for one in given.exceptional_closings],
    )
    checked = msgspec.convert(msgspec.to_builtins(hours), Hours)
    opening.check(checked, "opening_times")
    return checked


def _stations_of(evses: Sequence[OcpiEvse], location: str) -> list[dict[str, str]]:
    """Rows of the table of stations, EVSEs in its own notation."""
    found: dict[str, list[str]] = {}
    for evse in evses:
        if evse.status == "REMOVED":
            continue
        station_id, star, number = evse.uid.rpartition("*")
        if not star or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 99:
            station_id, number = evse.uid, "1"
        first = evse.connectors[0] if evse.connectors else OcpiConnector(id="1")
        kind = "DC" if first.power_type == "DC" else "AC" if first.power_type else ""
        power = str(_power_w(first) or "")
        said = f"{int(number)}:{kind}:{power}:{first.standard or ''}".rstrip(":")
        found.setdefault(station_id, []).append(said)
    return [
        {"station_id": station_id, "location": location, "evses": " ".join(said)} for station_id, said in found.items()
    ]


def _power_w(connector: OcpiConnector) -> int | None:
    if connector.max_electric_power:
        return connector.max_electric_power
    if not connector.max_voltage or not connector.max_amperage:
        return None
    phases = 3 if connector.power_type == "AC_3_PHASE" else 1
    return connector.max_voltage * connector.max_amperage * phases
