"""OCPP 1.6: what a station says."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ohmstead.ocpp.v16 import messages as m
from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import Message
from ohmstead.simulator.meter import Reading, sign
from ohmstead.simulator.plan import Token
from ohmstead.simulator.speaker import Registration, StatusReport, Verdict, Voice
from ohmstead.simulator.transaction import Transaction, TransactionEvent

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet

RESPONSES: dict[str, msgspec.json.Decoder[Any]] = {a: msgspec.json.Decoder(t) for a, t in m.RESPONSES.items()}
# 2.x's reasons that 1.6 has no word for become the nearest.
_REASONS = {
    "ImmediateReset": "HardReset",
    "Reboot": "Reboot",
    "GroundFault": "Other",
    "OvercurrentFault": "Other",
    "PowerQuality": "Other",
    "StoppedByEV": "Other",
    "SOCLimitReached": "Other",
    "EnergyLimitReached": "Other",
    "TimeLimitReached": "Other",
    "Timeout": "Other",
}
_UNITS = {
    "Energy.Active.Import.Register": "Wh",
    "Power.Active.Import": "W",
    "Power.Offered": "W",
    "Current.Import": "A",
    "Current.Offered": "A",
    "Voltage": "V",
    "SoC": "Percent",
}


def plain(value: float | int | Decimal) -> str:
    """A number as 1.6 writes it: text without exponent."""
    return f"{Decimal(str(value)).normalize():f}"


class Speech16(Voice):
    """The speaking half of a 1.6 station."""

    responses: Mapping[str, msgspec.json.Decoder[Any]] = RESPONSES

    def boot(self, reason: str) -> Message:
        """See Speaker; 1.6 gives no reason."""
        plan = self.plan
        return Message(
            "BootNotification",
            m.BootNotificationRequest(
                charge_point_vendor=plan.vendor[:20],
                charge_point_model=plan.model[:20],
                charge_point_serial_number=plan.serial_number[:25] or None,
                firmware_version=plan.firmware_version,
                meter_type="SimMeter",
            ),
        )

    def read_boot(self, answer: Any) -> Registration:
        """See Speaker."""
        return Registration(answer.status, answer.interval)

    def heartbeat(self) -> Message:
        """See Speaker."""
        return Message("Heartbeat", m.HeartbeatRequest())

    def status(self, report: StatusReport) -> Message | None:
        """See Speaker; 1.6 knows every status."""
        return Message(
            "StatusNotification",
            m.StatusNotificationRequest(
                connector_id=report.evse_number,
                error_code=cast(Any, report.error_code),
                status=cast(Any, report.status),
                timestamp=iso(report.at),
                info=report.info,
            ),
        )

    def forget_status(self) -> None:
        """See Speaker; 1.6 keeps nothing."""

    def fault(self, outlet: "Outlet", at: datetime) -> Message | None:
        """See Speaker; the error code is in the status already."""
        return None

    def authorize(self, token: Token) -> Message:
        """See Speaker."""
        return Message("Authorize", m.AuthorizeRequest(id_tag=token.uid[:20]))

    def read_authorization(self, answer: Any) -> Verdict:
        """See Speaker."""
        return Verdict(answer.id_tag_info.status, answer.id_tag_info.parent_id_tag)

    def transaction(self, event: TransactionEvent) -> list[Message]:
        """See Speaker: StartTransaction, MeterValues or StopTransaction."""
        transaction = event.transaction
        if event.kind == "Started":
            token = transaction.token
            return [
                Message(
                    "StartTransaction",
                    m.StartTransactionRequest(
                        connector_id=transaction.evse_number,
                        id_tag=token.uid[:20] if token else "",
                        meter_start=event.readings[0].register_wh,
                        timestamp=iso(event.at),
                        reservation_id=transaction.reservation_id,
                    ),
                )
            ]
        wire_id = transaction.wire_id if transaction.wire_id is not None else -1
        if event.kind == "Updated":
            if not event.readings:
                return []
            return [
                Message(
                    "MeterValues",
                    m.MeterValuesRequest(
                        connector_id=transaction.evse_number,
                        transaction_id=wire_id,
                        meter_value=[self._meter_value(r, event.seq_no) for r in event.readings],
                    ),
                )
            ]
        return [self._stop(event, wire_id)]

    def _stop(self, event: TransactionEvent, wire_id: int) -> Message:
        transaction = event.transaction
        final = event.readings[-1]
        data: list[m.MeterValue] = []
        if self.device.members("ended_measurands"):
            for reading in (transaction.begin_reading, final):
                if reading is not None:
                    data.append(self._meter_value(reading, event.seq_no))
                    if "signed-values" in self.quirks:
                        data[-1].sampled_value.append(self._signed(reading, transaction))
        reason = _REASONS.get(event.stop_reason or "Local", event.stop_reason or "Local")
        if event.trigger == "UnlockCommand":
            reason = "UnlockCommand"
        elif event.trigger == "ResetCommand" and reason == "Reboot":
            reason = "SoftReset"
        return Message(
            "StopTransaction",
            m.StopTransactionRequest(
                meter_stop=final.register_wh,
                timestamp=iso(event.at),
                transaction_id=wire_id,
                id_tag=event.token.uid[:20] if event.token else None,
                reason=cast(Any, reason),
                transaction_data=data or None,
            ),
        )

    def read_transaction(self, event: TransactionEvent, answer: Any) -> Verdict:
        """See Speaker."""
        info = getattr(answer, "id_tag_info", None)
        wire_id = getattr(answer, "transaction_id", None) if event.kind == "Started" else None
        return Verdict(info.status if info else None, info.parent_id_tag if info else None, wire_id)

    def _meter_value(self, reading: Reading, seq_no: int) -> m.MeterValue:
        return m.MeterValue(
            timestamp=iso(reading.at),
            sampled_value=[
                sample for measurand in self.measurands(reading, seq_no) for sample in self._samples(reading, measurand)
            ]
            or [self._sample(reading, "Energy.Active.Import.Register", reading.register_wh)],
        )

    def _samples(self, reading: Reading, measurand: str) -> list[m.SampledValue]:
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
    ) -> m.SampledValue:
        return m.SampledValue(
            value=plain(value),
            context=cast(Any, reading.context),
            measurand=cast(Any, measurand),
            phase=cast(Any, phase),
            location=cast(Any, location or ("Outlet" if measurand.startswith("Energy") else None)),
            unit=cast(Any, _UNITS.get(measurand)),
        )

    def _signed(self, reading: Reading, transaction: Transaction) -> m.SampledValue:
        transaction.n_signed += 1
        uid = transaction.token.uid if transaction.token else None
        signed = sign(reading, self.plan.serial_number or self.plan.station_id, transaction.n_signed, uid)
        return m.SampledValue(
            value=signed.text,
            context=cast(Any, reading.context),
            format="SignedData",
            measurand="Energy.Active.Import.Register",
            location="Outlet",
        )

    def meter_values(self, evse_number: int, reading: Reading, wire_id: int | None = None) -> Message:
        """See Speaker."""
        return Message(
            "MeterValues",
            m.MeterValuesRequest(
                connector_id=evse_number, transaction_id=wire_id, meter_value=[self._meter_value(reading, 0)]
            ),
        )

    def firmware_status(self, status: str, request_id: int | None, *, is_signed: bool) -> Message:
        """See Speaker."""
        if is_signed:
            return Message(
                "SignedFirmwareStatusNotification",
                m.SignedFirmwareStatusNotificationRequest(status=cast(Any, status), request_id=request_id),
            )
        return Message("FirmwareStatusNotification", m.FirmwareStatusNotificationRequest(status=cast(Any, status)))

    def log_status(self, status: str, request_id: int | None, *, is_diagnostics: bool) -> Message:
        """See Speaker."""
        if is_diagnostics:
            word = "UploadFailed" if status == "UploadFailure" else status
            return Message(
                "DiagnosticsStatusNotification", m.DiagnosticsStatusNotificationRequest(status=cast(Any, word))
            )
        return Message(
            "LogStatusNotification", m.LogStatusNotificationRequest(status=cast(Any, status), request_id=request_id)
        )

    def security_event(self, kind: str, at: datetime) -> Message:
        """See Speaker."""
        return Message("SecurityEventNotification", m.SecurityEventNotificationRequest(type=kind, timestamp=iso(at)))

    def sign_certificate(self, csr: str) -> Message:
        """See Speaker."""
        return Message("SignCertificate", m.SignCertificateRequest(csr=csr))

    def reservation_over(self, reservation_id: int, status: str) -> Message | None:
        """See Speaker."""
        return None
