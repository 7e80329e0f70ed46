"""Stations: Location → Station → Evse → Connector, and what stations say about themselves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

Registration: TypeAlias = Literal["accepted", "pending", "rejected"]
Onboarding: TypeAlias = Literal["set_password", "use_password"]
ConnectorStatus: TypeAlias = Literal[
    "available",
    "occupied",
    "preparing",
    "charging",
    "suspended_ev",
    "suspended_evse",
    "finishing",
    "reserved",
    "unavailable",
    "faulted",
    "unknown",
]


class Station(msgspec.Struct, kw_only=True):
    """What a gateway must know of a station to serve it. Powers in W."""

    station_id: str
    party_id: UUID
    registration: Registration
    security_profile: int
    location_id: UUID | None = None
    time_zone: str = "UTC"
    secret_hash: str | None = None
    next_secret_hashes: tuple[str, ...] = ()
    onboarding: Onboarding | None = None
    certificate_name: str | None = None
    next_security_profile: int | None = None
    is_retired: bool = False
    vendor: str | None = None
    model: str | None = None
    firmware_version: str | None = None
    has_booted: bool = False
    heartbeat_interval_s: int | None = None
    max_power_w: int | None = None
    evse_power_w: dict[int, int] = {}

    def rated_power_w(self, evse_number: int | None) -> int | None:
        """What the outlet can deliver, as far as anybody told us."""
        if evse_number is not None and evse_number in self.evse_power_w:
            return self.evse_power_w[evse_number]
        return self.max_power_w


class BootReport(msgspec.Struct, kw_only=True):
    """A station started (1.6 §4.2, 2.x B01) and says what it is."""

    station_id: str
    at: datetime
    vendor: str
    model: str
    reason: str | None = None
    serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_type: str | None = None
    meter_serial_number: str | None = None


class BootOutcome(msgspec.Struct):
    registration: Registration


class StatusReport(msgspec.Struct, kw_only=True):
    """A connector, or with `evse_number` 0 the station itself, says how it is, at the station's time."""

    station_id: str
    party_id: UUID
    evse_number: int
    connector_number: int
    at: datetime
    received_at: datetime
    status: ConnectorStatus
    error_code: str | None = None
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class Connected(msgspec.Struct, kw_only=True):
    """A station holds a connection to a gateway."""

    station_id: str
    party_id: UUID
    gateway_id: UUID
    connection_id: UUID
    at: datetime
    ocpp_version: str
    remote_address: str


MOVING = "restarting"  # why a connection ended: its gateway stops, and the station is to come again elsewhere


class Disconnected(msgspec.Struct, kw_only=True):
    """A connection ended; it means nothing for the station when a newer one has taken over."""

    station_id: str
    party_id: UUID
    connection_id: UUID
    at: datetime
    reason: str


class Record(msgspec.Struct, kw_only=True):
    """A report kept whole until later work gives it a meaning. `digest` makes a repeat recognisable."""

    station_id: str
    kind: str
    digest: bytes
    payload: bytes
    at: datetime


class Variable(msgspec.Struct, kw_only=True):
    """A configuration value as reported: a 1.6 key (component ''), or a 2.x variable. `is_pending`: the station accepted
    it, and it is in force after a restart."""

    station_id: str
    variable: str
    component: str = ""
    attribute: str = "Actual"
    value: str | None = None
    is_read_only: bool | None = None
    data_type: str | None = None
    unit: str | None = None
    mutability: str | None = None
    min_limit: Decimal | None = None
    max_limit: Decimal | None = None
    values_list: tuple[str, ...] | None = None
    supports_monitoring: bool | None = None
    is_pending: bool = False


class Signal(msgspec.Struct, kw_only=True):
    """Something that detections will want to know: a refused connection, a station's own security event."""

    kind: str
    at: datetime
    party_id: UUID | None = None
    station_id: str | None = None
    remote_address: str | None = None
    detail: dict[str, Any] = {}
