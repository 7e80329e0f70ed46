"""What a station can, as it reported itself: its version, its outlets, its limits, what it lacks. Pure.

Read from what the station told of its configuration, 1.6 keys and 2.x variables alike. What it never told limits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

Feature: TypeAlias = Literal[
    "reservations", "smart_charging", "local_list", "firmware", "trigger", "display", "monitoring", "tariffs", "cache"
]
Reported: TypeAlias = Mapping[tuple[str, str], str]

_KEY_PROFILES: Final[dict[str, Feature]] = {
    "Reservation": "reservations",
    "SmartCharging": "smart_charging",
    "LocalAuthListManagement": "local_list",
    "FirmwareManagement": "firmware",
    "RemoteTrigger": "trigger",
}
_CONTROLLERS: Final[dict[tuple[str, str], Feature]] = {
    ("ReservationCtrlr", "Available"): "reservations",
    ("SmartChargingCtrlr", "Available"): "smart_charging",
    ("LocalAuthListCtrlr", "Available"): "local_list",
    ("DisplayMessageCtrlr", "Available"): "display",
    ("MonitoringCtrlr", "Available"): "monitoring",
    ("TariffCostCtrlr", "Available[Tariff]"): "tariffs",
    ("AuthCacheCtrlr", "Available"): "cache",
}
_MESSAGES: Final = {
    "GetVariables": "get_variables",
    "SetVariables": "set_variables",
    "GetReport": "custom_report",
    "SetVariableMonitoring": "set_monitors",
    "ClearVariableMonitoring": "clear_monitors",
    "SendLocalList": "send_local_list",
}
_SMART: Final = "SmartChargingCtrlr"
VARIABLES: Final[tuple[tuple[str, str], ...]] = (
    *_CONTROLLERS,
    *(
        (_SMART, name)
        for name in (
            "ProfileStackLevel",
            "PeriodsPerSchedule",
            "RateUnit",
            "Entries[ChargingProfiles]",
            "SupportsDynamicProfiles",
        )
    ),
    *(
        (component, f"{name}[{action}]")
        for action in _MESSAGES
        for component, name in (
            ("DeviceDataCtrlr", "ItemsPerMessage"),
            ("DeviceDataCtrlr", "BytesPerMessage"),
            ("MonitoringCtrlr", "ItemsPerMessage"),
            ("MonitoringCtrlr", "BytesPerMessage"),
        )
    ),
    ("LocalAuthListCtrlr", "ItemsPerMessage"),
    ("LocalAuthListCtrlr", "BytesPerMessage"),
    *(
        ("", key)
        for key in (
            "SupportedFeatureProfiles",
            "ChargeProfileMaxStackLevel",
            "ChargingScheduleMaxPeriods",
            "MaxChargingProfilesInstalled",
            "ChargingScheduleAllowedChargingRateUnit",
            "GetConfigurationMaxKeys",
            "SendLocalListMaxLength",
            "LocalAuthListMaxLength",
        )
    ),
)


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one station. None and empty: it never said.

    `most_items`, `most_bytes`: by kind of order, what it takes in one message. `outlets`: connectors of each EVSE, empty
    where none is known. `least_stack_level`: known of the make alone, no station tells it.
    """

    version: str | None = None
    outlets: dict[int, tuple[int, ...]] = {}
    lacks: frozenset[Feature] = frozenset()
    most_stack_level: int | None = None
    least_stack_level: int | None = None
    most_periods: int | None = None
    most_profiles: int | None = None
    supports_dynamic: bool | None = None
    rate_units: frozenset[str] = frozenset()
    most_list_entries: int | None = None
    most_items: dict[str, int] = {}
    most_bytes: dict[str, int] = {}


def read(version: str | None, outlets: dict[int, tuple[int, ...]], reported: Reported) -> Features:
    """`reported`: (component, variable) → value, of those in VARIABLES."""
    if version == "1.6":
        return _of_keys(outlets, {name: value for (component, name), value in reported.items() if not component})
    return Features(
        version=version,
        outlets=outlets,
        lacks=frozenset(f for name, f in _CONTROLLERS.items() if reported.get(name, "").lower() == "false"),
        most_stack_level=_number(reported.get((_SMART, "ProfileStackLevel"))),
        most_periods=_number(reported.get((_SMART, "PeriodsPerSchedule"))),
        most_profiles=_number(reported.get((_SMART, "Entries[ChargingProfiles]"))),
        supports_dynamic=_truth(reported.get((_SMART, "SupportsDynamicProfiles"))),
        rate_units=frozenset(unit for unit in _listed(reported.get((_SMART, "RateUnit"))) if unit in ("A", "W")),
        most_items=_most("ItemsPerMessage", reported),
        most_bytes=_most("BytesPerMessage", reported),
    )


def _of_keys(outlets: dict[int, tuple[int, ...]], keys: Mapping[str, str]) -> Features:
    told = _listed(keys.get("SupportedFeatureProfiles"))
    # The key's words are Current and Power; some stations write the units instead.
    units = {"current": "A", "a": "A", "power": "W", "w": "W"}
    rates = (units.get(word.lower()) for word in _listed(keys.get("ChargingScheduleAllowedChargingRateUnit")))
    sizes = {"get_variables": "GetConfigurationMaxKeys", "send_local_list": "SendLocalListMaxLength"}
    return Features(
        version="1.6",
        outlets=outlets,
        lacks=frozenset(f for name, f in _KEY_PROFILES.items() if told and name not in told),
        most_stack_level=_number(keys.get("ChargeProfileMaxStackLevel")),
        most_periods=_number(keys.get("ChargingScheduleMaxPeriods")),
        most_profiles=_number(keys.get("MaxChargingProfilesInstalled")),
        rate_units=frozenset(unit for unit in rates if unit),
        most_list_entries=_number(keys.get("LocalAuthListMaxLength")),
        most_items={kind: most for kind, key in sizes.items() if (most := _number(keys.get(key)))},
    )


def _most(name: str, reported: Reported) -> dict[str, int]:
    found: dict[str, int] = {}
    for action, kind in _MESSAGES.items():
        for component in ("DeviceDataCtrlr", "MonitoringCtrlr"):
            if most := _number(reported.get((component, f"{name}[{action}]"))):
                found[kind] = most
    if most := _number(reported.get(("LocalAuthListCtrlr", name))):
        found["send_local_list"] = most
    return found


def _listed(value: str | None) -> list[str]:
    return [word.strip() for word in (value or "").split(",") if word.strip()]


def _number(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _truth(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").strip().lower())
