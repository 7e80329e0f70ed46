"""OCPP 2.0.1 and 2.1: what a station says."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import Message
from ohmstead.simulator.meter import Reading, sign
from ohmstead.simulator.plan import Token
from ohmstead.simulator.speaker import Registration, StatusReport, Verdict, Voice
from ohmstead.simulator.transaction import Limit, TransactionEvent

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet

RESPONSES: dict[str, msgspec.json.Decoder[Any]] = {a: msgspec.json.Decoder(t) for a, t in m.RESPONSES.items()}
_UNITS = {
    "Energy.Active.Import.Register": "Wh",
    "Power.Active.Import": "W",
    "Power.Offered": "W",
    "Current.Import": "A",
    "Voltage": "V",
    "SoC": "Percent",
}
_CONNECTOR_STATUS = {
    "Available": "Available",
    "Reserved": "Reserved",
    "Unavailable": "Unavailable",
    "Faulted": "Faulted",
}


def number(value: float | Decimal) -> Decimal:
    """A number without binary noise."""
    return Decimal(str(value))


def id_token(token: Token, version: Version) -> m.IdTokenType:
    """A token in 2.x's form. 2.0.1 takes at most 36 characters."""
    return m.IdTokenType(id_token=token.uid[: 36 if version is Version.V201 else 255], type=token.type)


class Speech2(Voice):
    """The speaking half of a 2.x station."""

    responses: Mapping[str, msgspec.json.Decoder[Any]] = RESPONSES

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._said: dict[int, str] = {}
        self._n_events = 0

    def boot(self, reason: str) -> Message:
        """See Speaker."""
        plan = self.plan
        return Message(
            "BootNotification",
            m.BootNotificationRequest(
                charging_station=m.ChargingStationType(
                    model=plan.model[:20],
                    vendor_name=plan.vendor[:50],
                    serial_number=plan.serial_number[:25] or None,
                    firmware_version=plan.firmware_version,
                ),
                reason=cast(Any, reason),
            ),
        )

    def read_boot(self, answer: Any) -> Registration:
        """See Speaker."""
        return Registration(answer.status, answer.interval)

    def heartbeat(self) -> Message:
        """See Speaker."""
        return Message("Heartbeat", m.HeartbeatRequest())

    def status(self, report: StatusReport) -> Message | None:
        """See Speaker; from Preparing to Finishing everything is Occupied. The station itself has no status here."""
        word = _CONNECTOR_STATUS.get(report.status, "Occupied")
        if report.evse_number == 0 or (self._said.get(report.evse_number) == word and "status-spam" not in self.quirks):
            return None
        self._said[report.evse_number] = word
        return Message(
            "StatusNotification",
            m.StatusNotificationRequest(
                timestamp=iso(report.at),
                connector_status=cast(Any, word),
                evse_id=report.evse_number,
                connector_id=1,
            ),
        )

    def forget_status(self) -> None:
        """See Speaker."""
        self._said.clear()

    def fault(self, outlet: "Outlet", at: datetime) -> Message | None:
        """See Speaker: NotifyEvent about the connector's Problem variable (2.x N07)."""
        fault = outlet.fault
        self._n_events += 1
        return Message(
            "NotifyEvent",
            m.NotifyEventRequest(
                generated_at=iso(at),
                seq_no=0,
                event_data=[
                    m.EventDataType(
                        event_id=self._n_events,
                        timestamp=iso(at),
                        trigger="Alerting",
                        actual_value="true" if fault else "false",
                        tech_code=fault.error_code if fault else None,
                        tech_info=fault.info if fault else None,
                        cleared=None if fault else True,
                        component=m.ComponentType(name="Connector", evse=m.EVSEType(id=outlet.number, connector_id=1)),
                        event_notification_type="HardWiredNotification",
                        variable=m.VariableType(name="Problem"),
                    )
                ],
            ),
        )

    def authorize(self, token: Token) -> Message:
        """See Speaker."""
        return Message("Authorize", m.AuthorizeRequest(id_token=id_token(token, self.version)))

    def read_authorization(self, answer: Any) -> Verdict:
        """See Speaker."""
        return _verdict(answer)

    def transaction(self, event: TransactionEvent) -> list[Message]:
        """See Speaker: one TransactionEvent each."""
        transaction = event.transaction
        is_remote = event.trigger == "RemoteStart" or event.kind == "Started"
        return [
            Message(
                "TransactionEvent",
                m.TransactionEventRequest(
                    event_type=event.kind,
                    timestamp=iso(event.at),
                    trigger_reason=cast(Any, event.trigger),
                    seq_no=event.seq_no,
                    offline=True if event.is_offline else None,
                    transaction_info=m.TransactionType(
                        transaction_id=transaction.transaction_id,
                        charging_state=event.charging_state,
                        stopped_reason=cast(Any, event.stop_reason),
                        remote_start_id=transaction.remote_start_id if is_remote else None,
                        transaction_limit=_limit_type(event.limit) if event.limit is not None else None,
                    ),
                    evse=m.EVSEType(id=event.evse_number, connector_id=1) if event.evse_number else None,
                    id_token=id_token(event.token, self.version) if event.token else None,
                    reservation_id=transaction.reservation_id if event.kind == "Started" else None,
                    meter_value=[self._meter_value(r, event) for r in event.readings] or None,
                ),
            )
        ]

    def read_transaction(self, event: TransactionEvent, answer: Any) -> Verdict:
        """See Speaker."""
        told = answer.transaction_limit
        limit = None
        if told is not None:
            limit = Limit(
                max_cost=_plain(told.max_cost),
                max_energy_wh=_plain(told.max_energy),
                max_time_s=told.max_time,
                max_soc_percent=told.max_so_c,
            )
        return msgspec.structs.replace(_verdict(answer), limit=limit, cost=_plain(answer.total_cost))

    def _meter_value(self, reading: Reading, event: TransactionEvent | None) -> m.MeterValueType:
        seq_no = event.seq_no if event else 0
        samples = [
            sample for measurand in self.measurands(reading, seq_no) for sample in self._samples(reading, measurand)
        ] or [self._sample(reading, "Energy.Active.Import.Register", reading.register_wh)]
        if event is not None and "signed-values" in self.quirks and event.kind != "Updated":
            self._sign(reading, event, samples)
        return m.MeterValueType(timestamp=iso(reading.at), sampled_value=samples)

    def _sign(self, reading: Reading, event: TransactionEvent, samples: list[m.SampledValueType]) -> None:
        transaction = event.transaction
        # The page is counted by event, not by call: an event sent again must carry the same signature.
        page = 1 if event.kind == "Started" else 2
        uid = transaction.token.uid if transaction.token else None
        signed = sign(reading, self.plan.serial_number or self.plan.station_id, page, uid)
        for sample in samples:
            if sample.measurand == "Energy.Active.Import.Register":
                sample.signed_meter_value = m.SignedMeterValueType(
                    signed_meter_data=signed.base64,
                    encoding_method="OCMF",
                    signing_method="ECDSA-secp256r1-SHA256",
                    public_key=signed.public_key,
                )
                return

    def _samples(self, reading: Reading, measurand: str) -> list[m.SampledValueType]:
        phases: tuple[str | None, ...] = (None,) if reading.is_dc else ("L1", "L2", "L3")[: reading.phases]
        if measurand == "Energy.Active.Import.Register":
            return [self._sample(reading, measurand, reading.register_wh)]
        if measurand == "Power.Active.Import":
            return [self._sample(reading, measurand, reading.power_w)]
        if measurand == "Power.Offered" and reading.offered_w is not None:
            return [self._sample(reading, measurand, reading.offered_w)]
        if measurand == "Current.Import":
            return [self._sample(reading, measurand, reading.current_a, phase) for phase in phases]
        if measurand == "Voltage":
            ends = phases if reading.is_dc else tuple(f"{phase}-N" for phase in phases)
            return [self._sample(reading, measurand, reading.voltage_v, end) for end in ends]
        if measurand == "SoC" and reading.soc_percent is not None:
            return [self._sample(reading, measurand, reading.soc_percent, location="EV")]
        return []

    def _sample(
        self, reading: Reading, measurand: str, value: float, phase: str | None = None, location: str | None = None
    ) -> m.SampledValueType:
        return m.SampledValueType(
            value=number(value),
            measurand=cast(Any, measurand),
            context=cast(Any, reading.context),
            phase=cast(Any, phase),
            location=cast(Any, location),
            unit_of_measure=m.UnitOfMeasureType(unit=_UNITS[measurand]),
        )

    def meter_values(self, evse_number: int, reading: Reading, wire_id: int | None = None) -> Message:
        """See Speaker."""
        return Message(
            "MeterValues",
            m.MeterValuesRequest(evse_id=evse_number, meter_value=[self._meter_value(reading, None)]),
        )

    def firmware_status(self, status: str, request_id: int | None, *, is_signed: bool) -> Message:
        """See Speaker."""
        return Message(
            "FirmwareStatusNotification",
            m.FirmwareStatusNotificationRequest(status=cast(Any, status), request_id=request_id),
        )

    def log_status(self, status: str, request_id: int | None, *, is_diagnostics: bool) -> Message:
        """See Speaker."""
        return Message(
            "LogStatusNotification", m.LogStatusNotificationRequest(status=cast(Any, status), request_id=request_id)
        )

    def security_event(self, kind: str, at: datetime) -> Message:
        """See Speaker."""
        return Message("SecurityEventNotification", m.SecurityEventNotificationRequest(type=kind, timestamp=iso(at)))

    def sign_certificate(self, csr: str) -> Message:
        """See Speaker."""
        return Message(
            "SignCertificate", m.SignCertificateRequest(csr=csr, certificate_type="ChargingStationCertificate")
        )

    def reservation_over(self, reservation_id: int, status: str) -> Message | None:
        """See Speaker."""
        return Message(
            "ReservationStatusUpdate",
            m.ReservationStatusUpdateRequest(
                reservation_id=reservation_id, reservation_update_status=cast(Any, status)
            ),
        )


def _plain(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None


def _limit_type(limit: Limit) -> m.TransactionLimitType:
    return m.TransactionLimitType(
        max_cost=number(limit.max_cost) if limit.max_cost is not None else None,
        max_energy=number(limit.max_energy_wh) if limit.max_energy_wh is not None else None,
        max_time=int(limit.max_time_s) if limit.max_time_s is not None else None,
        max_so_c=limit.max_soc_percent,
    )


def _verdict(answer: Any) -> Verdict:
    info = answer.id_token_info
    if info is None:
        return Verdict()
    return Verdict(info.status, info.group_id_token.id_token if info.group_id_token else None)
