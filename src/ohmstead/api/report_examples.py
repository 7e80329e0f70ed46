"""Examples of reports."""

from typing import Any

from ohmstead.reports.revenue.model import Revenue
from ohmstead.reports.usage.model import Usage

_SUMS: dict[str, Any] = {
    "n_sessions": 412,
    "energy_wh": 9486200,
    "duration_s": 3019960,
    "charging_s": 1606800,
    "plug_s": 3021400,
    "delivered_wh": 9490100,
}

_EARNED: dict[str, Any] = {"n_cdrs": 409, "before_taxes": 3412.8, "total": 4095.36}
_SPAN: dict[str, Any] = {
    "period": {"kind": "month", "first": "2026-03-01", "last": "2026-03-31"},
    "until": "2026-03-11",
    "compared_with": {"kind": "month", "first": "2026-02-01", "last": "2026-02-11"},
    "comparison": "before",
    "location_id": None,
    "station_id": None,
    "time_zone": "Europe/Vienna",
}

REPORT_EXAMPLES: dict[Any, Any] = {
    Usage: {
        **_SPAN,
        "is_whole": True,
        "totals": _SUMS,
        "compared": {**_SUMS, "n_sessions": 388},
        "step": "day",
        "bars": [{"begins": "2026-03-01", "totals": {**_SUMS, "n_sessions": 37, "energy_wh": 861300}}],
        "compared_bars": [],
        "week": [{"weekday": 3, "hour": 17, "mean_plugs": 11.4, "mean_power_w": 98200, "n_sessions": 9}],
        "peaks": [
            {
                "hour_at": "2026-03-04T16:00:00Z",
                "wall_at": "2026-03-04T17:00",
                "mean_plugs": 14.2,
                "mean_power_w": 121500,
            }
        ],
        "places": [
            {
                "location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
                "station_id": None,
                "name": "Harbour",
                "totals": _SUMS,
                "compared": None,
            }
        ],
    },
    Revenue: {
        **_SPAN,
        "step": "day",
        "currencies": [
            {
                "currency": "EUR",
                "earned": _EARNED,
                "compared": {**_EARNED, "n_cdrs": 388},
                "bars": [{"begins": "2026-03-01", "earned": {"n_cdrs": 37, "before_taxes": 310.2, "total": 372.24}}],
                "compared_bars": [],
                "places": [
                    {
                        "location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
                        "station_id": None,
                        "name": "Harbour",
                        "earned": _EARNED,
                        "compared": None,
                    }
                ],
            }
        ],
    },
}
