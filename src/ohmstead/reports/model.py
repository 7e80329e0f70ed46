"""What the reports answer with: figures, rows and series, ready to be shown or written to a file."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

Urgency: TypeAlias = Literal["failed", "attention", "working"]


class NetworkState(Struct, frozen=True, kw_only=True):
    """The network at one instant. `connectors` counts by the state that pages show (see queries)."""

    n_stations: int
    n_online: int
    n_pending: int
    n_never_seen: int
    connectors: dict[str, int]
    power_w: Decimal
    n_powered: int

    @property
    def n_connectors(self) -> int:
        return sum(self.connectors.values())


class Past(Struct, frozen=True, kw_only=True):
    """The same figures at an earlier instant, for comparison."""

    at: datetime
    n_stations: int
    n_online: int
    n_faulted: int


class SessionCounts(Struct, frozen=True, kw_only=True):
    """Sessions begun on a day so far, and on the day before until the same time of day."""

    today: int
    yesterday: int


class PowerPoint(Struct, frozen=True):
    """Mean power of the network over the step that starts at `at`, from metered energy."""

    at: datetime
    power_w: float


class Concern(Struct, frozen=True, kw_only=True):
    """Something that needs a look, with the evidence in words and the place to act on it."""

    urgency: Urgency
    kind: str
    title: str
    text: str
    since_at: datetime | None
    path: str
    action: str
    station_id: str | None = None
    subject: str | None = None


class Happening(Struct, frozen=True, kw_only=True):
    """A line of the feed: what just happened where. `path` leads to it."""

    at: datetime
    tone: str
    icon: str
    station_id: str
    text: str
    path: str
    note: str = ""


class Site(Struct, frozen=True, kw_only=True):
    """A location on the map with the states of its connectors; stations without a location stand for themselves."""

    location_id: UUID | None
    name: str
    latitude: float
    longitude: float
    n_stations: int
    n_offline: int
    n_faulted: int
    n_charging: int
    n_connectors: int


class ConnectorNow(Struct, frozen=True, kw_only=True):
    """A connector as it is, with the session at it if there is one."""

    station_id: str
    evse_number: int
    connector_number: int
    state: str
    status: str
    status_at: datetime | None = None
    standard: str | None = None
    max_power_w: int | None = None
    current_type: str | None = None
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None
    session_id: UUID | None = None
    session_started_at: datetime | None = None
    transaction_id: str | None = None
    token_uid: str | None = None
    charging_state: str | None = None
    energy_wh: Decimal | None = None
    power_w: Decimal | None = None
    power_at: datetime | None = None
    soc_start_percent: Decimal | None = None
    soc_percent: Decimal | None = None
    is_only_connector: bool = True

    @property
    def label(self) -> str:
        """What people call it: the EVSE's number, with the connector's where there are several."""
        return str(self.evse_number) if self.is_only_connector else f"{self.evse_number}.{self.connector_number}"


class StationRow(Struct, kw_only=True):
    """A station as a line of the list."""

    station_id: str
    name: str
    registration: str
    state: str
    state_at: datetime | None
    location_id: UUID | None
    location_name: str | None
    city: str | None
    time_zone: str | None
    vendor: str | None
    model: str | None
    serial_number: str | None
    firmware_version: str | None
    ocpp_version: str | None
    last_seen_at: datetime | None
    power_w: Decimal | None
    last_session_id: UUID | None
    last_session_at: datetime | None
    last_session_energy_wh: Decimal | None
    is_last_session_open: bool
    n_faulted: int
    n_charging: int
    connectors: list[ConnectorNow] = []


class StationPage(Struct, frozen=True):
    """A page of the list, and how many there are under each chip."""

    rows: list[StationRow]
    n_found: int
    counts: dict[str, int]


class SessionRow(Struct, frozen=True, kw_only=True):
    """A session as a line of the list."""

    session_id: UUID
    station_id: str
    location_name: str | None
    time_zone: str | None
    evse_number: int | None
    connector_number: int | None
    transaction_id: str
    status: str
    charging_state: str | None
    token_uid: str | None
    token_label: str | None
    started_at: datetime
    ended_at: datetime | None
    last_event_at: datetime
    energy_wh: Decimal
    power_w: Decimal | None
    peak_power_w: Decimal | None
    soc_start_percent: Decimal | None
    soc_percent: Decimal | None
    stop_reason: str | None
    anomalies: list[str]
    is_orphan: bool
    ocpp_version: str
    charging_s: int | None


class SessionPage(Struct, frozen=True):
    """A page of the list. `has_more` says that older ones follow; the sums are over all that were found, or, where
    `is_counted` is false, over the first of many more.
    """

    rows: list[SessionRow]
    has_more: bool
    n_found: int
    energy_wh: Decimal
    is_counted: bool = True
