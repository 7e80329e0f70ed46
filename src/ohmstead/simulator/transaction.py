"""A transaction as the station keeps it, and the events it reports about it, in no version's words."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.simulator.meter import Reading
from ohmstead.simulator.plan import Token

ChargingState: TypeAlias = Literal["Idle", "EVConnected", "Charging", "SuspendedEV", "SuspendedEVSE"]
EventKind: TypeAlias = Literal["Started", "Updated", "Ended"]


class Limit(Struct, frozen=True, kw_only=True):
    """Where a transaction ends at the latest (2.1 E16): cost, energy in Wh, seconds, state of charge in percent."""

    max_cost: float | None = None
    max_energy_wh: float | None = None
    max_time_s: float | None = None
    max_soc_percent: int | None = None

    def reached(self, *, cost: float | None, energy_wh: float, seconds: float, soc_percent: int | None) -> str | None:
        """2.x's trigger for the first of its bounds that is reached."""
        shown = (
            ("EnergyLimitReached", self.max_energy_wh, energy_wh),
            ("TimeLimitReached", self.max_time_s, seconds),
            ("SoCLimitReached", self.max_soc_percent, soc_percent),
            ("CostLimitReached", self.max_cost, cost),
        )
        for trigger, bound, value in shown:
            if bound is not None and value is not None and value >= bound:
                return trigger
        return None


class Transaction(Struct, kw_only=True):
    """One transaction. `transaction_id` is the station's own in 2.x; 1.6 gets `wire_id` from the CSMS.

    `wire_id` -1: the start was never delivered (OCPP 1.6 errata 3.18); None: not answered yet.
    """

    evse_number: int
    transaction_id: str
    started_at: datetime
    register_start_wh: int
    token: Token | None = None
    wire_id: int | None = None
    next_seq_no: int = 0
    charging_state: ChargingState = "EVConnected"
    remote_start_id: int | None = None
    reservation_id: int | None = None
    begin_reading: Reading | None = None
    is_ended: bool = False
    n_signed: int = 0
    limit: Limit | None = None
    limit_reached: str | None = None
    cost: float | None = None

    def take_seq_no(self) -> int:
        """The next sequence number; every event takes exactly one."""
        self.next_seq_no += 1
        return self.next_seq_no - 1


class TransactionEvent(Struct, kw_only=True):
    """Something that happened in a transaction. `trigger` and `stop_reason` are 2.x's words; 1.6 translates."""

    transaction: Transaction
    kind: EventKind
    trigger: str
    at: datetime
    seq_no: int
    charging_state: ChargingState
    is_offline: bool = False
    readings: tuple[Reading, ...] = ()
    token: Token | None = None
    stop_reason: str | None = None
    evse_number: int | None = None
    limit: Limit | None = None
