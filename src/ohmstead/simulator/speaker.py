"""What a station can say, in no version's words; `speaker16` and `speaker2` give it each version's form."""

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.simulator import quirks
from ohmstead.simulator.device import Device
from ohmstead.simulator.link import Answer, Message
from ohmstead.simulator.meter import Reading
from ohmstead.simulator.plan import StationPlan, Token
from ohmstead.simulator.transaction import Limit, TransactionEvent

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet
    from ohmstead.simulator.station import Station

Answerer: TypeAlias = Callable[["Station", Any], "Answer | Struct"]


class Registration(Struct, frozen=True):
    """The CSMS's answer to a boot."""

    status: str
    interval_s: int


class Verdict(Struct, frozen=True):
    """What an answer says about a token: its status as spelled (None: nothing said) and, in 1.6, the transaction id; in
    2.1 where the transaction ends and what it costs so far.
    """

    status: str | None = None
    group_uid: str | None = None
    wire_id: int | None = None
    limit: Limit | None = None
    cost: float | None = None


class StatusReport(Struct, frozen=True):
    """An outlet's status at an instant, ready for StatusNotification. EVSE 0 is the station."""

    evse_number: int
    status: str
    at: datetime
    error_code: str = "NoError"
    info: str | None = None


class Speaker(Protocol):
    """One version's form of everything a station says and hears."""

    plan: StationPlan

    @property
    def version(self) -> Version:
        """The version spoken."""

    @property
    def responses(self) -> Mapping[str, msgspec.json.Decoder[Any]]:
        """Decoders of the CSMS's answers by action."""

    def payload(self, message: Message) -> bytes:
        """The message as JSON, quirks applied."""

    def answer(self, action: str, payload: msgspec.Raw) -> Answer:
        """Answer a CALL of the CSMS."""

    def boot(self, reason: str) -> Message:
        """BootNotification; `reason` in 2.x's words."""

    def read_boot(self, answer: Any) -> Registration:
        """The answer to a boot."""

    def heartbeat(self) -> Message:
        """Heartbeat."""

    def status(self, report: StatusReport) -> Message | None:
        """StatusNotification; None when this version sees no difference to what it said last."""

    def forget_status(self) -> None:
        """The CSMS may have forgotten: say every status anew."""

    def fault(self, outlet: "Outlet", at: datetime) -> Message | None:
        """What is told about a fault, or its end, beside the status."""

    def authorize(self, token: Token) -> Message:
        """Authorize."""

    def read_authorization(self, answer: Any) -> Verdict:
        """The answer to Authorize."""

    def transaction(self, event: TransactionEvent) -> list[Message]:
        """The messages that report an event; none where the version has no word for it."""

    def read_transaction(self, event: TransactionEvent, answer: Any) -> Verdict:
        """The answer to one of them."""

    def meter_values(self, evse_number: int, reading: Reading, wire_id: int | None = None) -> Message:
        """Meter values outside the events of a transaction."""

    def firmware_status(self, status: str, request_id: int | None, *, is_signed: bool) -> Message:
        """Progress of a firmware update."""

    def log_status(self, status: str, request_id: int | None, *, is_diagnostics: bool) -> Message:
        """Progress of a log upload."""

    def security_event(self, kind: str, at: datetime) -> Message:
        """SecurityEventNotification."""

    def sign_certificate(self, csr: str) -> Message:
        """SignCertificate with a PEM request."""

    def reservation_over(self, reservation_id: int, status: str) -> Message | None:
        """ReservationStatusUpdate, which 1.6 lacks."""


class Voice:
    """What both speakers share: the station they speak for, and the way from a struct to the bytes of a payload."""

    def __init__(self, plan: StationPlan, device: Device, chosen: frozenset[str], random: Random) -> None:
        self.plan = plan
        self.device = device
        self.quirks = chosen
        self._random = random
        self._reshapes = bool(chosen & quirks.RESHAPING)
        self.version = Version(plan.version)

    def payload(self, message: Message) -> bytes:
        """See Speaker."""
        if not self._reshapes:
            return rpc.to_json(message.body)
        plain = msgspec.json.decode(rpc.to_json(message.body))
        return rpc.to_json(quirks.reshape(self.plan.version, message.action, plain, self.quirks, self._random))

    def hear(self, table: Mapping[str, Answerer], station: "Station", action: str, payload: msgspec.Raw) -> Answer:
        """Decode what the CSMS asks and have the table's function answer it; refuse it with the right code if not."""
        try:
            request = schemas.decode(self.version, action, payload, at_station=True)
        except schemas.SchemaError as error:
            station.world.tally.error("bad_requests", f"{action}: {error.text}")
            return Answer(error=error.code, text=error.text)
        answerer = table.get(action)
        if answerer is None:
            return Answer(error=ErrorCode.NOT_SUPPORTED, text=f"this station does not support {action}")
        result = answerer(station, request)
        return result if isinstance(result, Answer) else Answer(result)

    def measurands(self, reading: Reading, seq_no: int) -> tuple[str, ...]:
        """What is measured in this reading."""
        if reading.context == "Transaction.Begin":
            return self.device.members("started_measurands")
        if reading.context == "Transaction.End":
            return self.device.members("ended_measurands")
        if reading.context == "Sample.Clock":
            return self.device.members("aligned_measurands")
        if "soc-only" in self.quirks and seq_no % 2:
            return ("SoC",) if reading.soc_percent is not None else ("Power.Active.Import",)
        return self.device.members("sampled_measurands")
