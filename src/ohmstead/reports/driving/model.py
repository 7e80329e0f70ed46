"""Charges as their drivers see them. Energies in Wh, powers in W."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct


class Charge(Struct, frozen=True, kw_only=True):
    """One session with its place. `is_online`: the station can be heard; `duration_s`: until its end, or the last news."""

    session_id: UUID
    party_id: UUID
    party_name: str
    station_id: str
    evse_number: int | None
    plug: str
    standard: str | None
    current_type: str | None
    transaction_id: str
    status: str
    charging_state: str | None
    started_at: datetime
    ended_at: datetime | None
    last_event_at: datetime
    updated_at: datetime
    settled_at: datetime | None
    energy_wh: Decimal
    power_w: Decimal | None
    power_at: datetime | None
    peak_power_w: Decimal | None
    soc_start_percent: Decimal | None
    soc_percent: Decimal | None
    soc_at: datetime | None
    charging_s: int | None
    stop_reason: str | None
    token_id: UUID | None
    token_uid: str | None
    is_online: bool
    location_id: UUID | None
    location_name: str
    address: str
    city: str
    time_zone: str
    help_phone: str

    @property
    def is_open(self) -> bool:
        """It goes on."""
        return self.status in ("pending", "active")

    @property
    def duration_s(self) -> float:
        return ((self.ended_at or self.last_event_at) - self.started_at).total_seconds()


class Sample(Struct, frozen=True):
    """What the meter showed at an instant."""

    at: datetime
    power_w: Decimal | None
    soc_percent: Decimal | None
    energy_wh: Decimal | None


class StartOrder(Struct, frozen=True, kw_only=True):
    """A remote start, and what came of it."""

    command_id: UUID
    party_id: UUID
    station_id: str
    evse_number: int | None
    token_uid: str | None
    status: str
    error_text: str | None
    requested_at: datetime
    session_id: UUID | None


class HistoryRow(Struct, frozen=True, kw_only=True):
    """A charge in the history. `total`: what it cost in the end; None where nobody knows yet, or nothing was due."""

    session_id: UUID
    started_at: datetime
    ended_at: datetime | None
    last_event_at: datetime
    status: str
    energy_wh: Decimal
    station_id: str
    location_name: str
    city: str
    time_zone: str
    cdr_id: UUID | None
    total: Decimal | None
    currency: str | None


class MonthSum(Struct, frozen=True, kw_only=True):
    """A month on the wall of the driver's party. `billed_wh`: that of `energy_wh` which `costs`, by currency, are for."""

    month: str
    n: int
    energy_wh: Decimal
    billed_wh: Decimal
    costs: dict[str, Decimal]


class Habits(Struct, frozen=True, kw_only=True):
    """When somebody plugs in: how many sessions began in each hour, and on each weekday (0 is Monday)."""

    hours: list[int]
    weekdays: list[int]
