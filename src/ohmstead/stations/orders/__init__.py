"""Orders to stations in our own words, whatever their OCPP version, and the row that remembers each.

A file per theme; `Order` is all of them. Which version and station can do what is told by stations.capabilities, what
parameters must fulfil by stations.rules.
"""

from __future__ import annotations

import secrets
from typing import Any, TypeAlias, get_args

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.stations.orders.charging import (
    AllowEnergyTransfer,
    ChargingProfile,
    ClearProfiles,
    CompositeSchedule,
    GetProfiles,
    Limits,
    Period,
    RemoteStart,
    RemoteStop,
    Schedule,
    SessionLimit,
    SetProfile,
    SignalFrequencyReserve,
    TransactionStatus,
    UpdateSchedule,
    UsePriorityCharging,
)
from ohmstead.stations.orders.command import Command, Dispatch, Receipt, Status, gateway_subject
from ohmstead.stations.orders.device import (
    AdjustEventStream,
    BaseReport,
    ClearMonitors,
    CustomReport,
    GetEventStreams,
    GetVariables,
    Monitor,
    MonitoringReport,
    SetMonitoringBase,
    SetMonitoringLevel,
    SetMonitors,
    SetNetworkProfile,
    SetVariables,
    Stream,
)
from ohmstead.stations.orders.drivers import (
    AnnounceWebPayment,
    CancelReservation,
    ChangeSessionTariff,
    ClearDisplayMessage,
    ClearTariffs,
    GetDisplayMessages,
    GetLocalListVersion,
    GetTariffs,
    ListedToken,
    Prices,
    RequestBatterySwap,
    Reserve,
    SendLocalList,
    SetDefaultTariff,
    SetDisplayMessage,
    StationTariff,
    UpdateCost,
)
from ohmstead.stations.orders.form import CertificateRef, OrderForm, Text, TokenRef
from ohmstead.stations.orders.grid import ClearDerControls, GetDerControls, SetDerControl
from ohmstead.stations.orders.operating import (
    ClearCache,
    DataTransfer,
    Raw,
    Reset,
    SetAvailability,
    Trigger,
    Unlock,
)
from ohmstead.stations.orders.upkeep import (
    CustomerInformation,
    DeleteCertificate,
    DeliverCertificate,
    GetDiagnostics,
    GetLog,
    InstallCertificate,
    ListCertificates,
    PublishFirmware,
    UnpublishFirmware,
    UpdateFirmware,
)

Order: TypeAlias = (
    RemoteStart
    | RemoteStop
    | TransactionStatus
    | SetProfile
    | ClearProfiles
    | GetProfiles
    | CompositeSchedule
    | UpdateSchedule
    | UsePriorityCharging
    | SignalFrequencyReserve
    | AllowEnergyTransfer
    | Reset
    | Unlock
    | SetAvailability
    | Trigger
    | ClearCache
    | DataTransfer
    | GetVariables
    | SetVariables
    | BaseReport
    | CustomReport
    | SetMonitoringBase
    | SetMonitoringLevel
    | SetMonitors
    | ClearMonitors
    | MonitoringReport
    | AdjustEventStream
    | GetEventStreams
    | SetNetworkProfile
    | GetLog
    | GetDiagnostics
    | UpdateFirmware
    | PublishFirmware
    | UnpublishFirmware
    | InstallCertificate
    | DeleteCertificate
    | ListCertificates
    | DeliverCertificate
    | CustomerInformation
    | GetLocalListVersion
    | SendLocalList
    | Reserve
    | CancelReservation
    | SetDisplayMessage
    | GetDisplayMessages
    | ClearDisplayMessage
    | UpdateCost
    | SetDefaultTariff
    | GetTariffs
    | ClearTariffs
    | ChangeSessionTariff
    | RequestBatterySwap
    | AnnounceWebPayment
    | SetDerControl
    | GetDerControls
    | ClearDerControls
    | Raw
)

# Orders that decide whom a station trusts and where it connects.
SecurityOrder: TypeAlias = (
    InstallCertificate | DeleteCertificate | ListCertificates | DeliverCertificate | SetNetworkProfile
)

KINDS: dict[str, type[OrderForm]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Order)}

__all__ = [
    "KINDS",
    "AdjustEventStream",
    "AllowEnergyTransfer",
    "AnnounceWebPayment",
    "BaseReport",
    "CancelReservation",
    "CertificateRef",
    "ChangeSessionTariff",
    "ChargingProfile",
    "ClearCache",
    "ClearDerControls",
    "ClearDisplayMessage",
    "ClearMonitors",
    "ClearProfiles",
    "ClearTariffs",
    "Command",
    "CompositeSchedule",
    "CustomReport",
    "CustomerInformation",
    "DataTransfer",
    "DeleteCertificate",
    "DeliverCertificate",
    "Dispatch",
    "GetDerControls",
    "GetDiagnostics",
    "GetDisplayMessages",
    "GetEventStreams",
    "GetLocalListVersion",
    "GetLog",
    "GetProfiles",
    "GetTariffs",
    "GetVariables",
    "InstallCertificate",
    "Limits",
    "ListCertificates",
    "ListedToken",
    "Monitor",
    "MonitoringReport",
    "Order",
    "OrderForm",
    "Period",
    "Prices",
    "PublishFirmware",
    "Raw",
    "Receipt",
    "RemoteStart",
    "RemoteStop",
    "RequestBatterySwap",
    "Reserve",
    "Reset",
    "Schedule",
    "SecurityOrder",
    "SendLocalList",
    "SessionLimit",
    "SetAvailability",
    "SetDefaultTariff",
    "SetDerControl",
    "SetDisplayMessage",
    "SetMonitoringBase",
    "SetMonitoringLevel",
    "SetMonitors",
    "SetNetworkProfile",
    "SetProfile",
    "SetVariables",
    "SignalFrequencyReserve",
    "StationTariff",
    "Status",
    "Stream",
    "Text",
    "TokenRef",
    "TransactionStatus",
    "Trigger",
    "Unlock",
    "UnpublishFirmware",
    "UpdateCost",
    "UpdateFirmware",
    "UpdateSchedule",
    "UsePriorityCharging",
    "gateway_subject",
    "kind_of",
    "numbered",
    "order_from",
    "order_of",
    "parameters_of",
]

_NUMBERS = ("request_id", "remote_start_id", "reservation_id")


def kind_of(order: OrderForm) -> str:
    """The command's `kind`."""
    return str(order.__struct_config__.tag)


def parameters_of(order: OrderForm) -> dict[str, Any]:
    """The order as it stands in its row, without its kind."""
    parameters: dict[str, Any] = msgspec.to_builtins(order)
    del parameters["kind"]
    return parameters


def order_of(command: Command) -> Order:
    """The order inside a command row. Raises Invalid when the row is not one of ours."""
    return order_from(command.kind, command.parameters)


def order_from(kind: str, parameters: dict[str, Any]) -> Order:
    """The other way round. Raises Invalid."""
    try:
        order: Order = msgspec.convert({"kind": kind, **parameters}, Order)
        return order
    except msgspec.ValidationError as error:
        raise Invalid(f"not an order: {error}") from error


def numbered(order: Order) -> Order:
    """The order with an id of its own wherever reports and sessions will name it by one, and none was given.

    From chance, so that it needs no memory: two alike at one station within a day are less likely than a broken disk.
    """
    missing = {
        name: secrets.randbelow(2_147_483_646) + 1
        for name in _NUMBERS
        if name in order.__struct_fields__ and getattr(order, name) is None
    }
    if isinstance(order, DeliverCertificate):
        return order  # its id is the one that the station gave when it asked
    if isinstance(order, GetVariables) and order.names:
        return order
    return msgspec.structs.replace(order, **missing) if missing else order
