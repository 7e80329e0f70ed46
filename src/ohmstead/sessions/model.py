"""Sessions: what stations report of charging, and what we keep."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.sessions.terms import Terms
from ohmstead.stations.orders import SessionLimit
from ohmstead.tokens.model import Authorization

# pending: a transaction without authorisation and energy; closing: the end is known, messages before it are missing.
Status: TypeAlias = Literal["pending", "active", "closing", "completed", "invalid"]
ChargingState: TypeAlias = Literal["connected", "charging", "suspended_ev", "suspended_evse", "idle"]
ReportKind: TypeAlias = Literal["started", "updated", "ended", "metered"]

ENERGY_REGISTER = "Energy.Active.Import.Register"
ENERGY_INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
SOC = "SoC"


class Reading(msgspec.Struct, frozen=True):
    """One measured value in the unit we keep (core.units). `phase` None: the whole; `location` None: the outlet."""

    measurand: str
    value: Decimal
    unit: str
    phase: str | None = None
    location: str | None = None


class SignedReading(msgspec.Struct, frozen=True, kw_only=True):
    """A meter's signed statement; `data` is byte for byte what arrived."""

    measurand: str
    data: bytes
    encoding: str | None = None
    signing_method: str | None = None
    public_key: str | None = None


class MeterSample(msgspec.Struct, frozen=True, kw_only=True):
    """What a meter showed at one instant. `context` as OCPP names it (Sample.Periodic, Transaction.Begin, …)."""

    sampled_at: datetime
    context: str = "Sample.Periodic"
    readings: tuple[Reading, ...] = ()
    signed: tuple[SignedReading, ...] = ()

    def total(self, measurand: str) -> Decimal | None:
        """The whole value of a measurand at the outlet; phases are never taken for it."""
        for reading in self.readings:
            if reading.measurand == measurand and reading.phase is None and reading.location is None:
                return reading.value
        return None

    def power_w(self) -> Decimal | None:
        """Active power: the whole value, or else the sum of the phases."""
        whole = self.total(POWER)
        if whole is not None:
            return whole
        phases = [r.value for r in self.readings if r.measurand == POWER and r.phase and r.location is None]
        return sum(phases, Decimal(0)) if phases else None

    def soc_percent(self) -> Decimal | None:
        """The car's state of charge, wherever it was read."""
        for reading in self.readings:
            if reading.measurand == SOC:
                return reading.value
        return None


class PresentedToken(msgspec.Struct, frozen=True):
    """A token as a station sent it; `type` is None on 1.6, which knows no types."""

    uid: str
    type: str | None = None


class TransactionReport(msgspec.Struct, kw_only=True):
    """One message of a station about charging, in neutral words.

    `at` is the station's time of the event. `transaction_id` is None for a 1.6 start (we give the number) and for
    meter values outside a transaction. `is_stop_token`: the token was shown to end charging. `start_key` identifies a
    1.6 start that may come again.
    """

    kind: ReportKind
    station_id: str
    party_id: UUID
    ocpp_version: str
    at: datetime
    received_at: datetime
    transaction_id: str | None = None
    start_key: str | None = None
    seq_no: int | None = None
    trigger: str | None = None
    evse_number: int | None = None
    connector_number: int | None = None
    location_id: UUID | None = None
    time_zone: str = "UTC"
    max_power_w: int | None = None
    is_offline: bool = False
    token: PresentedToken | None = None
    is_stop_token: bool = False
    charging_state: ChargingState | None = None
    stop_reason: str | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    operation_mode: str | None = None
    limit: SessionLimit | None = None
    samples: tuple[MeterSample, ...] = ()


class Session(msgspec.Struct, kw_only=True):
    """A charge as we keep it; what the columns of table `session` mean stands there. Energies in Wh, powers in W.

    `version` is the row's as it was read or written (PostgreSQL's xmin): a write that names it fails when the row is
    another by now. `n_samples` is counted by the database; here it is what was read.
    """

    session_id: UUID
    party_id: UUID
    station_id: str
    transaction_id: str
    ocpp_version: str
    status: Status
    started_at: datetime
    last_event_at: datetime
    first_received_at: datetime
    updated_at: datetime
    location_id: UUID | None = None
    evse_number: int | None = None
    connector_number: int | None = None
    run: int = 0
    start_key: str | None = None
    charging_state: ChargingState | None = None
    token_uid: str | None = None
    token_type: str | None = None
    token_id: UUID | None = None
    group_uid: str | None = None
    authorization_status: str | None = None
    is_offline: bool = False
    is_orphan: bool = False
    remote_start_id: int | None = None
    reservation_id: int | None = None
    ended_at: datetime | None = None
    stop_reason: str | None = None
    stop_token_uid: str | None = None
    energy_wh: Decimal = Decimal(0)
    energy_before_wh: Decimal = Decimal(0)
    energy_source: Literal["none", "register", "interval", "power"] = "none"
    register_before_wh: Decimal | None = None
    is_start_exact: bool = False
    is_end_exact: bool = False
    register_start_wh: Decimal | None = None
    register_start_at: datetime | None = None
    register_last_wh: Decimal | None = None
    register_last_at: datetime | None = None
    power_w: Decimal | None = None
    power_at: datetime | None = None
    peak_power_w: Decimal | None = None
    soc_start_percent: Decimal | None = None
    soc_percent: Decimal | None = None
    soc_at: datetime | None = None
    n_samples: int = 0
    charging_s: int | None = None
    idle_s: int | None = None
    seen_seq_nos: list[int] = []
    end_seq_no: int | None = None
    anomalies: list[str] = []
    needs_refold: bool = False
    settled_at: datetime | None = None
    limit_ours: SessionLimit | None = None
    limit_station: SessionLimit | None = None
    limit_seq_no: int | None = None
    version: int = 0


class SessionEvent(msgspec.Struct, frozen=True):
    """Something that happened in a session at the station's time `at`."""

    at: datetime
    kind: str
    detail: dict[str, str | int | None] = {}


class Change(msgspec.Struct, kw_only=True):
    """What one report made of a session: decided by lifecycle, written by store."""

    session: Session
    is_new: bool = False
    is_duplicate: bool = False
    events: list[SessionEvent] = []
    facts: list[str] = []
    samples: tuple[MeterSample, ...] = ()
    has_gap: bool = False


class Outcome(msgspec.Struct, kw_only=True):
    """The answer to a report. `authorization` is there when the report carried a token.

    `transaction_id`: for a 1.6 start the number to give the station. `terms`: what comes with the token. `limit`: what
    is to be told of where the session ends.
    """

    session: Session | None = None
    transaction_id: str | None = None
    authorization: Authorization | None = None
    is_duplicate: bool = False
    is_orphan: bool = False
    terms: Terms | None = None
    limit: SessionLimit | None = None


class ChargingPeriod(msgspec.Struct, frozen=True):
    """A stretch of a session of one kind; energies of all periods add up to the session's."""

    started_at: datetime
    ended_at: datetime
    kind: Literal["charging", "idle", "suspended_ev", "suspended_evse", "connected"]
    energy_wh: Decimal
