"""One example of everything that sites send and take."""

from typing import Any

from ohmstead.api.sites import Photos, SitesAnswer
from ohmstead.stations.sites.model import Photo, PhotoChange, PowerTree, TreeChange

_LOCATION_ID = "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"
_GRID_ID = "019a9d70-0001-7d02-9b7a-1d1b2c3d4e5f"
_ROW_ID = "019a9d70-0002-7d02-9b7a-1d1b2c3d4e5f"

SITE_DETAILS: dict[str, Any] = {
    "reference": "NL-OHM-HARBOUR",
    "state": "Zuid-Holland",
    "directions": "Second ramp on the right, level -1.",
    "owner": "Harbour Garages",
    "owner_website": "https://harbour.example.org",
    "help_phone": "+31 10 0000000",
    "access": "public",
    "parking_type": "underground_garage",
    "parking_restrictions": ["ev_only"],
    "facilities": ["cafe", "wifi"],
    "opening": {
        "is_always": False,
        "weekly": [{"weekday": 1, "since": "06:00", "until": "23:00"}],
        "openings": [],
        "closings": [{"since": "2026-12-24T23:00:00Z", "until": "2026-12-25T23:00:00Z"}],
    },
    "charges_when_closed": True,
    "energy_supplier": "Harbour Energy",
    "is_green_energy": True,
    "is_published": True,
}
_PHOTO: dict[str, Any] = {
    "photo_id": "019a9d71-2f10-7a4c-b3c2-0a1b2c3d4e5f",
    "location_id": _LOCATION_ID,
    "position": 1,
    "alt": "The ramp down to the chargers.",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "width": 1600,
    "height": 1200,
    "size_bytes": 212_480,
    "created_at": "2026-03-02T08:00:00Z",
}
_GRID: dict[str, Any] = {
    "circuit_id": _GRID_ID,
    "name": "Grid connection",
    "limit_a": 160,
    "phases": 3,
    "voltage_v": 230,
    "parent_id": None,
}
_ROW: dict[str, Any] = {
    "circuit_id": _ROW_ID,
    "name": "Row A",
    "limit_a": 63,
    "phases": 3,
    "voltage_v": 230,
    "parent_id": _GRID_ID,
}

SITE_EXAMPLES: dict[Any, dict[str, Any]] = {
    Photo: _PHOTO,
    Photos: {"items": [_PHOTO]},
    PhotoChange: {"alt": "The ramp down to the chargers.", "position": 1},
    TreeChange: {
        "circuits": [{**_GRID, "station_ids": []}, {**_ROW, "station_ids": ["HARBOUR-01"]}],
    },
    PowerTree: {
        "location_id": _LOCATION_ID,
        "version": 2,
        "circuits": [
            {**_GRID, "limit_w": 110_400, "depth": 0, "station_ids": [], "circuits_w": 43_470, "stations_w": 0},
            {
                **_ROW,
                "limit_w": 43_470,
                "depth": 1,
                "station_ids": ["HARBOUR-01"],
                "circuits_w": 0,
                "stations_w": 44_000,
            },
        ],
        "doubts": [
            {
                "circuit_id": _ROW_ID,
                "kind": "stations_exceed",
                "text": "44.0 kW could be drawn of the 43.5 kW it may carry: it needs charging to be shared",
            }
        ],
        "unplaced": ["HARBOUR-02"],
    },
    SitesAnswer: {
        "created": 3,
        "updated": 1,
        "unchanged": 12,
        "failed": [{"row": 7, "field": "latitude", "error": "not a number of degrees"}],
        "stations": None,
        "is_dry_run": False,
    },
}
SITE_TEXTS: dict[str, Any] = {
    "import_locations": (
        "name,reference,city,country,latitude,longitude,opening,facilities\n"
        "Harbour Car Park,HARBOUR,Rotterdam,NLD,51.91,4.48,Mo-Fr 06:00-23:00; Sa 08:00-20:00,cafe wifi\n"
    ),
    "export_locations": "name,location_id,reference,address\r\nHarbour Car Park,019a9d5e-…,HARBOUR,Quay 1\r\n",
    "location_template": "name,location_id,reference,address\r\nHarbour Car Park,,HARBOUR,Quay 1\r\n",
    "add_photo": "(the photo's bytes)",
    "get_photo": "(the photo's bytes)",
    "print_stickers": "%PDF-1.4 …",
}
