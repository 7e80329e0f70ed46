"""What the demo's locations are like: hours, amenities and power trees, by the kind of place that each is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ohmstead.simulator import places

if TYPE_CHECKING:
    from ohmstead.simulator.scenes import Desk

# Fuses as one buys them, in A.
_FUSES: Final = (32, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 630, 1000, 1600, 2500, 4000)
_IN_A_ROW: Final = 4
# What sites are given of what their stations could draw: chargers share.
_GRID_SHARE, _ROW_SHARE = 0.6, 0.85
_ALWAYS: Final = {"is_always": True}


def _week(since: str, until: str, days: Sequence[int] = (1, 2, 3, 4, 5, 6)) -> dict[str, Any]:
    return {"weekly": [{"weekday": day, "since": since, "until": until} for day in days]}


_KINDS: Final[dict[str, dict[str, Any]]] = {
    "street": {"opening": _ALWAYS, "parking_type": "on_street", "facilities": ["bus_stop"]},
    "residential": {"opening": _ALWAYS, "parking_type": "on_street", "parking_restrictions": ["ev_only", "plugged"]},
    "car_park": {"opening": _week("05:30", "23:59", range(1, 8)), "parking_type": "parking_garage"}
    | {"facilities": ["train_station", "bike_sharing"]},
    "leisure": {"opening": _week("09:00", "23:00", range(1, 8)), "parking_type": "parking_lot"}
    | {"facilities": ["restaurant", "sport"]},
    "hub": {"opening": _ALWAYS, "parking_type": "along_motorway", "facilities": ["cafe", "wifi", "fuel_station"]},
    "supermarket": {"opening": _week("07:00", "22:00"), "parking_type": "parking_lot", "facilities": ["supermarket"]}
    | {"parking_restrictions": ["customers"], "charges_when_closed": False},
    "workplace": {"opening": _week("06:00", "20:00", (1, 2, 3, 4, 5)), "parking_type": "parking_lot"}
    | {"access": "restricted"},
    "depot": {"opening": _ALWAYS, "parking_type": "on_driveway", "access": "private", "is_published": False},
}


async def furnish(desk: Desk, most: int = 200) -> None:
    """Give every location of the city that has no help number yet what drivers want to know, and a power tree."""
    kinds = {site.name: site.kind for site in places.SITES}
    listed = await desk.send("GET", f"/locations?limit={most}", content=b"")
    for number, location in enumerate(listed["items"], 1):
        kind = kinds.get(location["name"].rstrip(" 0123456789"))
        if kind is None or location["help_phone"]:
            continue
        path = f"/locations/{location['location_id']}"
        stations = await desk.send("GET", f"/stations?limit=200&location={location['location_id']}", content=b"")
        tree = circuits([(one["station_id"], _power_w(one)) for one in stations["items"]])
        await desk.send("PUT", f"{path}/power-tree", {"circuits": tree})
        known = {
            "address": f"{location['name']} {number}",
            "postal_code": f"31{number:03d}",
            "country": "DEU",
            "time_zone": places.TIME_ZONE,
            "help_phone": "+49 5000 112233",
            "energy_supplier": f"{places.CITY} Municipal Works",
            "is_green_energy": True,
        }
        await desk.send("PATCH", path, known | _KINDS[kind])


def _power_w(station: dict[str, Any]) -> int:
    return station["max_power_w"] or sum(evse["max_power_w"] or 0 for evse in station["evses"]) or 11_000


def circuits(stations: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """A grid connection and rows of stations below it, fused as an electrician would; `stations` with their power in W."""
    rows = [stations[n : n + _IN_A_ROW] for n in range(0, len(stations), _IN_A_ROW)]
    limits = [_fuse(_ROW_SHARE * sum(power for _, power in row)) for row in rows]
    grid_a = max([_fuse(_GRID_SHARE * sum(power for _, power in stations)), *limits])
    grid_id = str(uuid.uuid4())
    tree: list[dict[str, Any]] = [{"circuit_id": grid_id, "name": "Grid connection", "limit_a": grid_a}]
    for number, (row, limit_a) in enumerate(zip(rows, limits, strict=True)):
        tree.append(
            {
                "circuit_id": str(uuid.uuid4()),
                "name": f"Row {number + 1}",
                "limit_a": limit_a,
                "parent_id": grid_id,
                "station_ids": [station_id for station_id, _ in row],
            }
        )
    return tree


def _fuse(power_w: float) -> int:
    """The smallest that carries so much on three phases."""
    return next((a for a in _FUSES if a * 3 * 230 >= power_w), _FUSES[-1])
