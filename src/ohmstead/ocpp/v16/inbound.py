"""OCPP 1.6 (core and security extension), station → us: action → type → handler. Translation only, no decisions."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Literal, cast

from ohmstead.ocpp import vendors
from ohmstead.ocpp.readings import PERIODIC, grouped, number, reading
from ohmstead.ocpp.v16 import files
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.certificates import sign_certificate
from ohmstead.ocpp.work import NOTHING, Answers, Handler, Inbound, Work, begun, instant, instant_text, kept, snake
from ohmstead.reservations.model import ReservationReport
from ohmstead.sessions.autocharge.service import VEHICLE_SHOWN
from ohmstead.sessions.metering import BEGIN, END
from ohmstead.sessions.model import (
    ENERGY_REGISTER,
    ChargingState,
    MeterSample,
    PresentedToken,
    Reading,
    SignedReading,
    TransactionReport,
)
from ohmstead.stations.model import BootReport, ConnectorStatus, Signal, StatusReport
from ohmstead.tokens.emaid import of_tag
from ohmstead.tokens.model import Authorization, AuthorizationRequest

_REGISTRATION: dict[str, Literal["Accepted", "Pending", "Rejected"]] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "rejected": "Rejected",
}
_STATUS: dict[str, ConnectorStatus] = {
    "Available": "available",
    "Preparing": "preparing",
    "Charging": "charging",
    "SuspendedEV": "suspended_ev",
    "SuspendedEVSE": "suspended_evse",
    "Finishing": "finishing",
    "Reserved": "reserved",
    "Unavailable": "unavailable",
    "Faulted": "faulted",
}
_CHARGING_STATE: dict[str, ChargingState] = {
    "charging": "charging",
    "suspended_ev": "suspended_ev",
    "suspended_evse": "suspended_evse",
}
_AUTHORIZATION: dict[str, Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]] = {
    "accepted": "Accepted",
    "blocked": "Blocked",
    "expired": "Expired",
    "concurrent": "ConcurrentTx",
}


def id_tag_info(authorization: Authorization | None) -> m.IdTagInfo:
    """1.6 has fewer answers than we: what it cannot say is Invalid."""
    if authorization is None:
        return m.IdTagInfo(status="Accepted")
    group = authorization.group_uid
    return m.IdTagInfo(
        status=_AUTHORIZATION.get(authorization.status, "Invalid"),
        parent_id_tag=group if group and len(group) <= 20 else None,
        expiry_date=instant_text(authorization.valid_until),
    )


def authorize(message: m.AuthorizeRequest, inbound: Inbound) -> Work:
    station = inbound.station
    is_vehicle = message.id_tag.upper().startswith("VID:")
    return Work(
        records=(kept(inbound, VEHICLE_SHOWN),) if is_vehicle else (),
        authorization=AuthorizationRequest(
            party_id=station.party_id,
            uid=of_tag(message.id_tag),
            type=None,
            at=inbound.received_at,
            location_id=station.location_id,
            time_zone=station.time_zone,
            station_id=station.station_id,
            is_start=False,  # the card may be shown to stop: ConcurrentTx is for StartTransaction (1.6 §7.2)
        ),
        reply=lambda answers: m.AuthorizeResponse(id_tag_info=id_tag_info(answers.authorization)),
    )


def boot_notification(message: m.BootNotificationRequest, inbound: Inbound) -> Work:
    def reply(answers: Answers) -> m.BootNotificationResponse:
        assert answers.boot is not None
        return m.BootNotificationResponse(
            status=_REGISTRATION[answers.boot.registration],
            current_time=instant_text(answers.at),
            interval=inbound.interval_s,
        )

    return Work(
        boot=BootReport(
            station_id=inbound.station.station_id,
            at=inbound.received_at,
            vendor=message.charge_point_vendor,
            model=message.charge_point_model,
            serial_number=message.charge_point_serial_number or message.charge_box_serial_number,
            firmware_version=message.firmware_version,
            iccid=message.iccid,
            imsi=message.imsi,
            meter_type=message.meter_type,
            meter_serial_number=message.meter_serial_number,
        ),
        reply=reply,
    )


def heartbeat(_message: m.HeartbeatRequest, _inbound: Inbound) -> Work:
    return Work(reply=lambda answers: m.HeartbeatResponse(current_time=instant_text(answers.at)))


def status_notification(message: m.StatusNotificationRequest, inbound: Inbound) -> Work:
    """Connector n is EVSE n, connector 1; connector 0 is the station."""
    error = message.error_code
    return Work(
        statuses=(
            StatusReport(
                station_id=inbound.station.station_id,
                party_id=inbound.station.party_id,
                evse_number=message.connector_id,
                connector_number=1 if message.connector_id else 0,
                at=instant(message.timestamp) if message.timestamp else inbound.received_at,
                received_at=inbound.received_at,
                status=_STATUS[message.status],
                error_code=None if error == "NoError" else snake(error),
                info=message.info or None,
                vendor_id=message.vendor_id or None,
                vendor_error_code=message.vendor_error_code or None,
            ),
        ),
        report=_state_report(message, inbound),
        reply=NOTHING,
    )


def _state_report(message: m.StatusNotificationRequest, inbound: Inbound) -> TransactionReport | None:
    """1.6 tells a session's state changes only by its connector's status."""
    state = _CHARGING_STATE.get(_STATUS[message.status])
    if state is None or message.connector_id == 0:
        return None
    at = instant(message.timestamp) if message.timestamp else inbound.received_at
    report = begun(inbound, "metered", at)
    report.evse_number = message.connector_id
    report.charging_state = state
    return report


def start_transaction(message: m.StartTransactionRequest, inbound: Inbound) -> Work:
    at = instant(message.timestamp)
    report = begun(inbound, "started", at)
    if message.connector_id > 0:
        report.evse_number, report.connector_number = message.connector_id, 1
        report.max_power_w = inbound.station.rated_power_w(message.connector_id)
    report.start_key = start_key(message.connector_id, message.id_tag, message.timestamp, message.meter_start)
    report.token = PresentedToken(of_tag(message.id_tag))
    report.reservation_id = message.reservation_id
    report.samples = (_register(at, BEGIN, message.meter_start),)

    def reply(answers: Answers) -> m.StartTransactionResponse:
        assert answers.session is not None
        return m.StartTransactionResponse(
            id_tag_info=id_tag_info(answers.session.authorization),
            transaction_id=int(answers.session.transaction_id or 0),
        )

    return Work(report=report, reply=reply, asides=_used(message, inbound))


def _used(message: m.StartTransactionRequest, inbound: Inbound) -> tuple[ReservationReport, ...]:
    """The station says that the reservation of this number was used (1.6 §5.13)."""
    number, station_id = message.reservation_id, inbound.station.station_id
    if number is None:
        return ()
    return (ReservationReport(station_id=station_id, number=number, what="used", at=inbound.received_at),)


def stop_transaction(message: m.StopTransactionRequest, inbound: Inbound) -> Work:
    """Stop for a start that never reached us carries -1 (1.6J errata 3.18) and still counts."""
    at = instant(message.timestamp)
    report = begun(inbound, "ended", at)
    report.transaction_id = str(message.transaction_id)
    if message.transaction_id <= 0:
        report.start_key = start_key(message.transaction_id, "stop", message.timestamp, message.meter_stop)
    report.stop_reason = _reason(message.reason)
    if message.id_tag:
        report.token = PresentedToken(of_tag(message.id_tag))
        report.is_stop_token = True
    report.samples = (*samples(message.transaction_data or []), _register(at, END, message.meter_stop))

    def reply(answers: Answers) -> m.StopTransactionResponse:
        authorization = answers.session.authorization if answers.session else None
        return m.StopTransactionResponse(id_tag_info=id_tag_info(authorization) if authorization else None)

    return Work(report=report, reply=reply)


def meter_values(message: m.MeterValuesRequest, inbound: Inbound) -> Work:
    taken = samples(message.meter_value)
    at = max((s.sampled_at for s in taken), default=inbound.received_at)
    report = begun(inbound, "metered", at)
    report.evse_number = message.connector_id
    report.max_power_w = inbound.station.rated_power_w(message.connector_id)
    if message.transaction_id is not None and message.transaction_id > 0:
        report.transaction_id = str(message.transaction_id)
    report.samples = taken
    return Work(report=report, reply=NOTHING)


def data_transfer(message: m.DataTransferRequest, inbound: Inbound) -> Work:
    def reply(answer: vendors.VendorAnswer) -> m.DataTransferResponse:
        return m.DataTransferResponse(status=answer.status, data=answer.text)

    return vendors.work_for(message.vendor_id, message.message_id, message.data, inbound, reply)


def security_event_notification(message: m.SecurityEventNotificationRequest, inbound: Inbound) -> Work:
    signal = Signal(
        kind=f"station_{snake(message.type)}",
        at=instant(message.timestamp),
        party_id=inbound.station.party_id,
        station_id=inbound.station.station_id,
        detail={"tech_info": message.tech_info} if message.tech_info else {},
    )
    return Work(signals=(signal,), records=(kept(inbound),), reply=lambda _: m.SecurityEventNotificationResponse())


def recorded(response: type[Any]) -> Handler:
    """A status message that is kept and acknowledged."""

    def handle(_message: Any, inbound: Inbound) -> Work:
        return Work(records=(kept(inbound),), reply=lambda _: response())

    return handle


TABLE: dict[str, tuple[type[Any], Handler]] = {
    "Authorize": (m.AuthorizeRequest, authorize),
    "BootNotification": (m.BootNotificationRequest, boot_notification),
    "DataTransfer": (m.DataTransferRequest, data_transfer),
    "DiagnosticsStatusNotification": (
        m.DiagnosticsStatusNotificationRequest,
        files.told("log", m.DiagnosticsStatusNotificationResponse),
    ),
    "FirmwareStatusNotification": (
        m.FirmwareStatusNotificationRequest,
        files.told("firmware", m.FirmwareStatusNotificationResponse),
    ),
    "Heartbeat": (m.HeartbeatRequest, heartbeat),
    "LogStatusNotification": (m.LogStatusNotificationRequest, files.told("log", m.LogStatusNotificationResponse)),
    "MeterValues": (m.MeterValuesRequest, meter_values),
    "SecurityEventNotification": (m.SecurityEventNotificationRequest, security_event_notification),
    "SignCertificate": (m.SignCertificateRequest, sign_certificate),
    "SignedFirmwareStatusNotification": (
        m.SignedFirmwareStatusNotificationRequest,
        files.told("firmware", m.SignedFirmwareStatusNotificationResponse),
    ),
    "StartTransaction": (m.StartTransactionRequest, start_transaction),
    "StatusNotification": (m.StatusNotificationRequest, status_notification),
    "StopTransaction": (m.StopTransactionRequest, stop_transaction),
}


def start_key(connector_id: int, id_tag: str, timestamp: str, register: int) -> str:
    """Names a start (or an orphan stop) by what a repeat of it repeats."""
    text = f"{connector_id}|{id_tag.lower()}|{timestamp}|{register}"
    return hashlib.sha256(text.encode(), usedforsecurity=False).hexdigest()[:32]


def samples(values: list[m.MeterValue]) -> tuple[MeterSample, ...]:
    """1.6 meter values: numbers as text, signed data as text under format SignedData."""
    taken: list[MeterSample] = []
    for value in values:
        taken += grouped(instant(value.timestamp), [_sampled(v) for v in value.sampled_value])
    return tuple(taken)


def _sampled(value: m.SampledValue) -> tuple[str, Reading | None, SignedReading | None]:
    context = value.context or PERIODIC
    if value.format == "SignedData":
        return context, None, SignedReading(measurand=value.measurand or ENERGY_REGISTER, data=value.value.encode())
    amount = number(value.value)
    if amount is None:
        return context, None, None
    return context, reading(amount, value.measurand, value.unit, None, value.phase, value.location), None


def _register(at: datetime, context: str, register_wh: int) -> MeterSample:
    plain = reading(cast(Any, number(str(register_wh))), ENERGY_REGISTER, "Wh", None, None, None)
    return MeterSample(sampled_at=at, context=context, readings=(plain,))


def _reason(reason: str | None) -> str:
    return "deauthorized" if reason == "DeAuthorized" else snake(reason or "Local")
