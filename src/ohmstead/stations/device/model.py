"""The device model: what a station tells of its settings, monitors and events, and where each value came from."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from ohmstead.stations.model import Variable

Source: TypeAlias = Literal["read", "set", "report", "event"]
ReportKind: TypeAlias = Literal[
    "NotifyReport", "NotifyMonitoringReport", "NotifyCustomerInformation", "NotifyDisplayMessages"
]

STATION = "station"
"""Who caused a change that nobody ordered."""


class Cause(msgspec.Struct, frozen=True):
    """How values became known, and who caused what is new in them: an order's `requested_by`, or the station itself."""

    source: Source
    by: str = STATION
    command_id: str | None = None


class Chunk(msgspec.Struct, kw_only=True):
    """One message of a report in several. `digest` is that of the record which holds it; `seq_no` None where the version
    has none."""

    station_id: str
    kind: ReportKind
    request_id: int
    digest: bytes
    seq_no: int | None
    is_last: bool
    at: datetime


CUSTOM, PRECONFIGURED, HARD_WIRED = "custom_monitor", "preconfigured_monitor", "hard_wired_monitor"
"""Who set a monitor up: we, the maker, or the hardware (2.x EventNotificationEnumType)."""


class Monitor(msgspec.Struct, kw_only=True):
    """Watches a variable on the station (2.x N). `kind`: upper_threshold, delta, periodic, …"""

    station_id: str
    monitor_id: int
    component: str
    variable: str
    kind: str
    value: Decimal
    severity: int
    is_transaction_only: bool = False
    event_kind: str | None = None


class DeviceEvent(msgspec.Struct, kw_only=True):
    """A monitor was triggered, or the station tells by itself (2.x N07)."""

    station_id: str
    event_id: int
    at: datetime
    received_at: datetime
    component: str
    variable: str
    value: str
    trigger: str
    kind: str
    cause: int | None = None
    monitor_id: int | None = None
    severity: int | None = None
    is_cleared: bool = False
    transaction_id: str | None = None
    tech_code: str | None = None
    tech_info: str | None = None


class DeviceReport(msgspec.Struct, kw_only=True):
    """What one message says of the device."""

    variables: tuple[Variable, ...] = ()
    chunk: Chunk | None = None
    monitors: tuple[Monitor, ...] = ()
    events: tuple[DeviceEvent, ...] = ()
