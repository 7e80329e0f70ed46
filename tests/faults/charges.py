"""One charge as a station of any version tells it, message by message."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ohmstead.core.db import Pool
from tests.faults.line import Line

Message = tuple[str, dict[str, Any]]


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass
class Charge:
    """A charge of `samples` readings, `step_wh` apart. The 1.6 number comes with the answer to `start`."""

    version: str
    begins_at: datetime
    samples: int = 18
    outlet: int = 1
    register_wh: int = 10_000
    step_wh: int = 100
    step_s: int = 60
    is_offline: bool = False
    transaction_id: Any = field(default_factory=lambda: uuid4().hex[:20])

    def __post_init__(self) -> None:
        if self.version == "1.6":
            self.transaction_id = None

    @property
    def energy_wh(self) -> int:
        """What it delivers; a little comes after the last sample."""
        return self.samples * self.step_wh + 7

    @property
    def ends_at(self) -> datetime:
        return self._at(self.samples + 1)

    def start(self) -> Message:
        if self.version == "1.6":
            return "StartTransaction", {
                "connectorId": self.outlet,
                "idTag": "AABBCCDD",
                "meterStart": self.register_wh,
                "timestamp": instant(self.begins_at),
            }
        return self._event("Started", "CablePluggedIn", 0, self.begins_at, self.register_wh, "Transaction.Begin")

    def sample(self, n: int) -> Message:
        """The nth reading, from 1."""
        at, register_wh = self._at(n), self.register_wh + n * self.step_wh
        if self.version != "1.6":
            return self._event("Updated", "MeterValuePeriodic", n, at, register_wh, "Sample.Periodic")
        value = {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        reading = {"timestamp": instant(at), "sampledValue": [value]}
        return "MeterValues", {
            "connectorId": self.outlet,
            "transactionId": self.transaction_id,
            "meterValue": [reading],
        }

    def stop(self) -> Message:
        register_wh = self.register_wh + self.energy_wh
        if self.version == "1.6":
            return "StopTransaction", {
                "transactionId": self.transaction_id,
                "meterStop": register_wh,
                "timestamp": instant(self.ends_at),
                "reason": "EVDisconnected",
            }
        return self._event(
            "Ended", "EVCommunicationLost", self.samples + 1, self.ends_at, register_wh, "Transaction.End"
        )

    def messages(self) -> list[Message]:
        """All of them, in order; of 1.6 once the number is known."""
        return [self.start(), *(self.sample(n) for n in range(1, self.samples + 1)), self.stop()]

    async def begin(self, line: Line) -> None:
        """Tell of the start, and keep the number that 1.6 gets."""
        answer = await line.tell(*self.start())
        if self.version == "1.6":
            self.transaction_id = answer["transactionId"]

    def _at(self, n: int) -> datetime:
        return self.begins_at + timedelta(seconds=n * self.step_s)

    def _event(self, kind: str, trigger: str, seq_no: int, at: datetime, register_wh: int, context: str) -> Message:
        value = {"value": register_wh, "context": context, "measurand": "Energy.Active.Import.Register"}
        return "TransactionEvent", {
            "eventType": kind,
            "timestamp": instant(at),
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": self.transaction_id},
            "evse": {"id": self.outlet, "connectorId": 1},
            "meterValue": [{"timestamp": instant(at), "sampledValue": [value]}],
            **({"offline": True} if self.is_offline else {}),
        }


async def register_stations(pool: Pool, party_id: Any, station_ids: list[str]) -> None:
    """Stations without a password, known to have booted, with one outlet of 22 kW."""
    await pool.execute(
        "insert into station (station_id, party_id, security_profile, registration, booted_at)"
        " select id, $1, 0, 'accepted', now() from unnest($2::text[]) as u (id)",
        party_id,
        station_ids,
    )
    await pool.execute("insert into evse select id, 1, 'AC', 22000 from unnest($1::text[]) as u (id)", station_ids)
