"""Which orders a version and a station can carry out, and if not, why not. Pure.

One table for everybody: translation refuses by it, the API and the console show it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ohmstead.stations import orders as o
from ohmstead.stations.features import Feature, Features

VERSIONS: Final = ("1.6", "2.0.1", "2.1")

# What 1.6 has no message for, in words that end the sentence “OCPP 1.6 has …”.
_NOT_IN_16: Final[dict[type[o.OrderForm], str]] = {
    o.TransactionStatus: "no way to ask about a transaction",
    o.GetProfiles: "no way to ask for charging profiles",
    o.BaseReport: "no reports; read all variables instead",
    o.CustomReport: "no reports; read variables instead",
    o.SetMonitoringBase: "no monitoring",
    o.SetMonitoringLevel: "no monitoring",
    o.SetMonitors: "no monitoring",
    o.ClearMonitors: "no monitoring",
    o.MonitoringReport: "no monitoring",
    o.SetNetworkProfile: "no network profiles",
    o.PublishFirmware: "no local controllers that publish firmware",
    o.UnpublishFirmware: "no local controllers that publish firmware",
    o.CustomerInformation: "no way to ask what a station keeps about people",
    o.SetDisplayMessage: "no display messages",
    o.GetDisplayMessages: "no display messages",
    o.ClearDisplayMessage: "no display messages",
}
# What came with 2.1, likewise.
_SINCE_21: Final[dict[type[o.OrderForm], str]] = {
    o.UpdateSchedule: "no dynamic charging profiles",
    o.UsePriorityCharging: "no priority charging",
    o.SignalFrequencyReserve: "no signals for frequency reserves",
    o.AllowEnergyTransfer: "no choice of ways of energy transfer",
    o.AdjustEventStream: "no periodic event streams",
    o.GetEventStreams: "no periodic event streams",
    o.SetDefaultTariff: "no tariffs in the station",
    o.GetTariffs: "no tariffs in the station",
    o.ClearTariffs: "no tariffs in the station",
    o.ChangeSessionTariff: "no tariffs in the station",
    o.RequestBatterySwap: "no battery swap",
    o.AnnounceWebPayment: "no payment by web",
    o.SetDerControl: "no control of distributed energy resources",
    o.GetDerControls: "no control of distributed energy resources",
    o.ClearDerControls: "no control of distributed energy resources",
}
_NEEDS: Final[dict[type[o.OrderForm], Feature]] = {
    o.Reserve: "reservations",
    o.CancelReservation: "reservations",
    o.SetProfile: "smart_charging",
    o.ClearProfiles: "smart_charging",
    o.GetProfiles: "smart_charging",
    o.CompositeSchedule: "smart_charging",
    o.UpdateSchedule: "smart_charging",
    o.UsePriorityCharging: "smart_charging",
    o.SendLocalList: "local_list",
    o.GetLocalListVersion: "local_list",
    o.UpdateFirmware: "firmware",
    o.GetDiagnostics: "firmware",
    o.Trigger: "trigger",
    o.SetDisplayMessage: "display",
    o.GetDisplayMessages: "display",
    o.ClearDisplayMessage: "display",
    o.SetMonitoringBase: "monitoring",
    o.SetMonitoringLevel: "monitoring",
    o.SetMonitors: "monitoring",
    o.ClearMonitors: "monitoring",
    o.MonitoringReport: "monitoring",
    o.SetDefaultTariff: "tariffs",
    o.GetTariffs: "tariffs",
    o.ClearTariffs: "tariffs",
    o.ChangeSessionTariff: "tariffs",
    o.ClearCache: "cache",
}
_WORDS: Final[dict[Feature, str]] = {
    "reservations": "reservations",
    "smart_charging": "charging profiles",
    "local_list": "local list",
    "firmware": "firmware management",
    "trigger": "triggers",
    "display": "display messages",
    "monitoring": "monitoring",
    "tariffs": "tariffs",
    "cache": "token cache",
}


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a kind of order can be carried out; `reason` says why not."""

    kind: str
    is_possible: bool
    reason: str | None = None


def why_not(kind: type[o.OrderForm], version: str, features: Features | None = None) -> str | None:
    """Why orders of this kind cannot be carried out; None when they can."""
    if version != "2.1" and kind in _SINCE_21:
        return f"OCPP {version} has {_SINCE_21[kind]}"
    if version == "1.6" and kind in _NOT_IN_16:
        return f"OCPP 1.6 has {_NOT_IN_16[kind]}"
    needed = _NEEDS.get(kind)
    if features is not None and needed in features.lacks and needed is not None:
        return f"this station reported that it has no {_WORDS[needed]}"
    return None


def capabilities(version: str | None, features: Features | None = None) -> list[Capability]:
    """Every kind of order, by name. A station that was never connected has no version: nothing can be told then."""
    if version not in VERSIONS:
        unknown = "its OCPP version is known once it has connected"
        return [Capability(kind=kind, is_possible=False, reason=unknown) for kind in sorted(o.KINDS)]
    found = {name: why_not(kind, version, features) for name, kind in o.KINDS.items()}
    return [Capability(kind=kind, is_possible=reason is None, reason=reason) for kind, reason in sorted(found.items())]
