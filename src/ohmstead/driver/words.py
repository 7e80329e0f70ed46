"""What things are called on drivers' pages: plugs, states, what there is around a place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from ohmstead.core.language import N_, _, grouped, weekday
from ohmstead.stations.sites import hours
from ohmstead.ui import figures
from ohmstead.ui.states import Look

# As OCPI and OCPP name connectors, and what people call them.
STANDARDS: Final = {
    "IEC_62196_T2": "Type 2",
    "IEC_62196_T2_COMBO": "CCS",
    "IEC_62196_T1": "Type 1",
    "IEC_62196_T1_COMBO": "CCS 1",
    "IEC_62196_T3A": "Type 3A",
    "IEC_62196_T3C": "Type 3C",
    "CHADEMO": "CHAdeMO",
    "CHAOJI": "ChaoJi",
    "SAE_J3400": "NACS",
    "NACS": "NACS",
    "MCS": "MCS",
    "TESLA_R": "Tesla",
    "TESLA_S": "Tesla",
    "DOMESTIC_F": "Schuko",
    "GBT_AC": "GB/T AC",
    "GBT_DC": "GB/T DC",
    "cCCS1": "CCS 1",
    "cCCS2": "CCS",
    "cChaoJi": "ChaoJi",
    "cG105": "CHAdeMO",
    "cGBT": "GB/T DC",
    "cMCS": "MCS",
    "cNACS": "NACS",
    "cTesla": "Tesla",
    "cType1": "Type 1",
    "cType2": "Type 2",
    "sType2": "Type 2",
    "sType3": "Type 3C",
}
# What one may filter by, and say of one's car: the name in the address, and what OCPI calls it.
KINDS: Final = {
    "type2": ("Type 2", "IEC_62196_T2"),
    "ccs": ("CCS", "IEC_62196_T2_COMBO"),
    "chademo": ("CHAdeMO", "CHADEMO"),
    "nacs": ("NACS", "SAE_J3400"),
    "type1": ("Type 1", "IEC_62196_T1"),
    "ccs1": ("CCS 1", "IEC_62196_T1_COMBO"),
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
# A connector's state in a driver's words: may I charge here?
FREE = Look("ok", "ok", N_("Free"))
PLUGGED = Look("ok", "link", N_("Plugged in"))
BUSY = Look("working", "working", N_("In use"))
RESERVED = Look("attention", "kept", N_("Reserved"))
CLOSED = Look("off", "off", N_("Out of service"))
UNKNOWN = Look("off", "off", N_("Not known"))
_LOOKS: Final = {
    "available": FREE,
    "preparing": PLUGGED,
    "occupied": PLUGGED,
    "connected": PLUGGED,
    "finishing": BUSY,
    "charging": BUSY,
    "suspended_ev": BUSY,
    "suspended_evse": BUSY,
    "idle": BUSY,
    "reserved": RESERVED,
    "unavailable": CLOSED,
    "faulted": CLOSED,
    "offline": CLOSED,
}
_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
IN_SERVICE: Final = frozenset({"available", "preparing", "occupied", "connected"})
BROKEN: Final = frozenset({"unavailable", "faulted", "offline"})


def standard(name: str | None) -> str:
    """A connector's kind; the name that we have for one that nobody knows."""
    if not name:
        return ""
    return STANDARDS.get(name, name.replace("_", " ").title() if name.isupper() else name)


def kinds(names: Iterable[str | None]) -> list[str]:
    """Kinds of several connectors, each once."""
    return list(dict.fromkeys(word for name in names if (word := standard(name))))


def look(state: str, *, has_session: bool = False) -> Look:
    """A connector's state. A plug that is taken and charges nobody waits for its driver to pay."""
    found = _LOOKS.get(state, UNKNOWN)
    return BUSY if found is PLUGGED and has_session else found


def power(power_w: int | None) -> str:
    """A plug's power as it is sold: 22 kW, 3.7 kW; empty where nobody said."""
    return f"{grouped(f'{power_w / 1000:.1f}'.removesuffix('.0'))} kW" if power_w else ""


def opening(rule: str) -> str:
    """A rule of opening hours as `hours.rules` writes it, in words: Mon–Fri 07:00–22:00."""
    if rule == "24/7":
        return _("round the clock")
    kind, _space, rest = rule.partition(" ")
    if kind in ("open", "closed"):
        said = _("open %(when)s") if kind == "open" else _("closed %(when)s")
        when = _ISO_DAY.sub(lambda day: figures.date(date.fromisoformat(day[0])), rest)
        return said % {"when": when.replace("..", " – ").replace("-", "–")}
    days = "–".join(weekday(hours.DAYS.index(day)) for day in kind.split("-"))
    return f"{days} {rest.replace(f'-{hours.LAST_MINUTE}', '-24:00').replace('-', '–')}"


def facility(name: str) -> str:
    """What there is around a place."""
    return _(FACILITIES[name]) if name in FACILITIES else ""
