"""Examples of tariffs, where they apply, and of costs."""

from typing import Any

from ohmstead.api.tariffs import NewSimulation
from ohmstead.sessions.pricing.service import SessionCost
from ohmstead.sessions.pricing.simulating import TariffSimulation
from ohmstead.tariffs.previewing import TariffPreview
from ohmstead.tariffs.pricing import CostBreakdown
from ohmstead.tariffs.records import (
    ApplicableTariff,
    KeptTariff,
    NewPriceSeries,
    NewTariffAssignment,
    PriceSeries,
    SeriesPrices,
    TariffAssignment,
    TariffDraft,
    TariffVersion,
)

_ID = "019a9d80-1100-7a10-8b00-2b3c4d5e6f71"
_ASSIGNMENT_ID = "019a9d80-2200-7a10-8b00-2b3c4d5e6f71"
_AT = "2026-03-02T08:00:00Z"
_BY = "operator:019a9d5e-7b10-7000-8000-000000000001"
_VAT: list[dict[str, Any]] = [{"percentage": 21}]
_TARIFF: dict[str, Any] = {
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": 0.29, "taxes": _VAT}],
            "restrictions": {"start_time": "22:00", "end_time": "06:00"},
        },
        {"price_components": [{"type": "ENERGY", "price": 0.49, "taxes": _VAT}]},
    ],
    "idle_fee": {"price_per_minute": 0.1, "grace_minutes": 30, "taxes": _VAT},
}
_DRAFT = {"name": "Harbour by day and night", "tariff": _TARIFF}
_PLACE = {
    "level": "party",
    "location_id": None,
    "station_id": None,
    "evse_number": None,
    "connector_number": None,
    "group_uid": None,
}
_CONSIDERED = {
    "assignment_id": _ASSIGNMENT_ID,
    "tariff_id": _ID,
    "tariff_name": "Harbour by day and night",
    "version": 1,
    "level": "party",
    "group_uid": None,
    "verdict": "applies",
    "reason": "party comes first",
}
_PRICES = [{"starts_at": "2026-03-02T10:00:00Z", "ends_at": "2026-03-02T10:15:00Z", "price_kwh": 0.08712}]
_COST: dict[str, Any] = {
    "currency": "EUR",
    "before_taxes": 9.8,
    "taxes": [{"name": "VAT", "percentage": 21, "base": 9.8, "amount": 2.06}],
    "total": 11.86,
    "includes_taxes": False,
    "lines": [
        {
            "kind": "ENERGY",
            "rule": "Energy",
            "amount": 9.8,
            "taxes": _VAT,
            "element": 2,
            "quantity": 20,
            "measured": 20,
            "unit": "kWh",
            "unit_price": 0.49,
            "price_per": "kWh",
            "exact": 9.8,
            "from_at": "2026-03-02T10:00:00Z",
            "to_at": "2026-03-02T11:00:00Z",
        }
    ],
}
_RESULT = {
    "currency": "EUR",
    "n_sessions": 412,
    "energy_wh": 8123400,
    "revenue": 3712.44,
    "n_compared": 412,
    "revenue_before": 3561.02,
    "revenue_after": 3712.44,
    "n_more": 300,
    "n_less": 100,
    "n_same": 12,
    "most_more": [
        {"token_id": "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d", "n_sessions": 12, "before": 140.21, "after": 155.80}
    ],
    "most_less": [],
}

TARIFF_EXAMPLES: dict[Any, Any] = {
    TariffDraft: _DRAFT,
    KeptTariff: {
        **_DRAFT,
        "tariff_id": _ID,
        "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
        "version": 1,
        "n_assignments": 1,
        "created_at": _AT,
        "updated_at": _AT,
    },
    TariffVersion: {"tariff_id": _ID, "version": 1, "tariff": _TARIFF, "published_at": _AT, "published_by": _BY},
    TariffPreview: {
        "tariff": _TARIFF,
        "started_at": "2026-03-02T10:00:00Z",
        "time_zone": "Europe/Amsterdam",
        "stretches": [{"duration_s": 3600, "energy_wh": 20000}],
    },
    CostBreakdown: _COST,
    NewTariffAssignment: {"tariff_id": _ID},
    TariffAssignment: {
        "assignment_id": _ASSIGNMENT_ID,
        "tariff_id": _ID,
        "tariff_name": "Harbour by day and night",
        **_PLACE,
        "assigned_at": _AT,
        "assigned_by": _BY,
        "ended_at": None,
        "ended_by": None,
    },
    ApplicableTariff: {
        "station_id": "HARBOUR-01",
        "at": "2026-03-02T10:00:00Z",
        "time_zone": "Europe/Amsterdam",
        "applies": _CONSIDERED,
        "tariff": _TARIFF,
        "considered": [_CONSIDERED],
    },
    SessionCost: {
        "session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
        "tariff_id": _ID,
        "version": 1,
        "is_final": True,
        "cost": _COST,
    },
    NewSimulation: {"tariff": _TARIFF, "from_at": "2026-02-01T00:00:00Z", "to_at": "2026-03-01T00:00:00Z"},
    TariffSimulation: {
        "simulation_id": "019a9d80-3300-7a10-8b00-2b3c4d5e6f71",
        "status": "done",
        "from_at": "2026-02-01T00:00:00Z",
        "to_at": "2026-03-01T00:00:00Z",
        "location_id": None,
        "result": _RESULT,
        "asked_by": _BY,
        "asked_at": _AT,
        "finished_at": "2026-03-02T08:00:09Z",
    },
    NewPriceSeries: {"name": "DAY-AHEAD-NL", "currency": "EUR"},
    SeriesPrices: {"currency": "EUR", "prices": _PRICES},
    PriceSeries: {"name": "DAY-AHEAD-NL", "currency": "EUR", "updated_at": _AT, "prices": _PRICES},
}
