"""Which orders a version and a station can carry out, and if not, why not. Pure.

One table for everybody: translation refuses by it, the API and the console show it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ohmstead.core.language import R_
from ohmstead.stations import orders as o
from ohmstead.stations.features import Feature, Features

VERSIONS: Final = ("1.6", "2.0.1", "2.1")

# What 1.6 has no message for, in words that end the sentence “OCPP 1.6 has …”.
_NOT_IN_16: Final[dict[type[o.OrderForm], str]] = {
    o.TransactionStatus: R_("no way to ask about a transaction"),
    o.GetProfiles: R_("no way to ask for charging profiles"),
    o.BaseReport: R_("no reports; read all variables instead"),
    o.CustomReport: R_("no reports; read variables instead"),
    o.SetMonitoringBase: R_("no monitoring"),
    o.SetMonitoringLevel: R_("no monitoring"),
    o.SetMonitors: R_("no monitoring"),
    o.ClearMonitors: R_("no monitoring"),
    o.MonitoringReport: R_("no monitoring"),
    o.SetNetworkProfile: R_("no network profiles"),
    o.PublishFirmware: R_("no local controllers that publish firmware"),
    o.UnpublishFirmware: R_("no local controllers that publish firmware"),
    o.CustomerInformation: R_("no way to ask what a station keeps about people"),
    o.SetDisplayMessage: R_("no display messages"),
    o.GetDisplayMessages: R_("no display messages"),
    o.ClearDisplayMessage: R_("no display messages"),
}
# What came with 2.1, likewise.
_SINCE_21: Final[dict[type[o.OrderForm], str]] = {
    o.UpdateSchedule: R_("no dynamic charging profiles"),
    o.UsePriorityCharging: R_("no priority charging"),
    o.SignalFrequencyReserve: R_("no signals for frequency reserves"),
    o.AllowEnergyTransfer: R_("no choice of ways of energy transfer"),
    o.AdjustEventStream: R_("no periodic event streams"),
    o.GetEventStreams: R_("no periodic event streams"),
    o.SetDefaultTariff: R_("no tariffs in the station"),
    o.GetTariffs: R_("no tariffs in the station"),
    o.ClearTariffs: R_("no tariffs in the station"),
    o.ChangeSessionTariff: R_("no tariffs in the station"),
    o.RequestBatterySwap: R_("no battery swap"),
    o.AnnounceWebPayment: R_("no payment by web"),
    o.SetDerControl: R_("no control of distributed energy resources"),
    o.GetDerControls: R_("no control of distributed energy resources"),
    o.ClearDerControls: R_("no control of distributed energy resources"),
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
_LACKING: Final[dict[Feature, str]] = {
    "reservations": R_("this station reported that it has no reservations"),
    "smart_charging": R_("this station reported that it has no charging profiles"),
    "local_list": R_("this station reported that it has no local list"),
    "firmware": R_("this station reported that it has no firmware management"),
    "trigger": R_("this station reported that it has no triggers"),
    "display": R_("this station reported that it has no display messages"),
    "monitoring": R_("this station reported that it has no monitoring"),
    "tariffs": R_("this station reported that it has no tariffs"),
    "cache": R_("this station reported that it has no token cache"),
}


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a kind of order can be carried out; `reason` says why not."""

    kind: str
    is_possible: bool
    reason: str | None = None


def why_not(kind: type[o.OrderForm], version: str, features: Features | None = None) -> str | None:
    """Why orders of this kind cannot be carried out; None when they can."""
    if version != "2.1" and kind in _SINCE_21:
        return R_("OCPP %(version)s has %(what)s") % {"version": version, "what": _SINCE_21[kind]}
    if version == "1.6" and kind in _NOT_IN_16:
        return R_("OCPP %(version)s has %(what)s") % {"version": version, "what": _NOT_IN_16[kind]}
    needed = _NEEDS.get(kind)
    if features is not None and needed in features.lacks and needed is not None:
        return _LACKING[needed]
    return None


def capabilities(version: str | None, features: Features | None = None) -> list[Capability]:
    """Every kind of order, by name. A station that was never connected has no version: nothing can be told then."""
    if version not in VERSIONS:
        unknown = R_("its OCPP version is known once it has connected")
        return [Capability(kind=kind, is_possible=False, reason=unknown) for kind in sorted(o.KINDS)]
    found = {name: why_not(kind, version, features) for name, kind in o.KINDS.items()}
    return [Capability(kind=kind, is_possible=reason is None, reason=reason) for kind, reason in sorted(found.items())]
