"""OCPP 2.0.1 and 2.1, station → us: action → type → handler. Translation only, no decisions."""

from __future__ import annotations

from typing import Any, Literal

from ohmstead.ocpp import vendors
from ohmstead.ocpp.readings import PERIODIC, grouped, reading
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import contracts, files, notices, reports, terms
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.certificates import sign_certificate
from ohmstead.ocpp.work import NOTHING, Answers, Handler, Inbound, Work, begun, instant, instant_text, kept, snake
from ohmstead.reservations.model import ReservationReport
from ohmstead.sessions.autocharge.service import VEHICLE_SHOWN
from ohmstead.sessions.model import (
    ENERGY_REGISTER,
    ChargingState,
    MeterSample,
    PresentedToken,
    ReportKind,
    SignedReading,
)
from ohmstead.stations.model import BootReport, ConnectorStatus, Signal, StatusReport
from ohmstead.tokens.model import AuthorizationRequest

_REGISTRATION: dict[str, Literal["Accepted", "Pending", "Rejected"]] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "rejected": "Rejected",
}
_STATUS: dict[str, ConnectorStatus] = {
    "Available": "available",
    "Occupied": "occupied",
    "Reserved": "reserved",
    "Unavailable": "unavailable",
    "Faulted": "faulted",
}
_KIND: dict[str, ReportKind] = {"Started": "started", "Updated": "updated", "Ended": "ended"}
_CHARGING_STATE: dict[str, ChargingState] = {
    "EVConnected": "connected",
    "Charging": "charging",
    "SuspendedEV": "suspended_ev",
    "SuspendedEVSE": "suspended_evse",
    "Idle": "idle",
}
_STOP_TRIGGERS = frozenset(("StopAuthorized", "Deauthorized"))


def authorize(message: m.AuthorizeRequest, inbound: Inbound) -> Work:
    station = inbound.station

    def reply(answers: Answers) -> m.AuthorizeResponse:
        return terms.authorized(answers, inbound.version)

    work = Work(
        authorization=AuthorizationRequest(
            party_id=station.party_id,
            uid=contracts.token_uid(message.id_token),
            type=message.id_token.type,
            at=inbound.received_at,
            location_id=station.location_id,
            time_zone=station.time_zone,
            station_id=station.station_id,
            is_start=False,  # the card may be shown to stop: ConcurrentTx is for the Started event
        ),
        reply=reply,
    )
    if message.id_token.type in ("MacAddress", "EVCCID"):
        work.records = (kept(inbound, VEHICLE_SHOWN),)
    return contracts.with_contract(message, inbound, work)


def boot_notification(message: m.BootNotificationRequest, inbound: Inbound) -> Work:
    station = message.charging_station

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
            vendor=station.vendor_name,
            model=station.model,
            reason=snake(message.reason),
            serial_number=station.serial_number,
            firmware_version=station.firmware_version,
            iccid=station.modem.iccid if station.modem else None,
            imsi=station.modem.imsi if station.modem else None,
        ),
        reply=reply,
    )


def heartbeat(_message: m.HeartbeatRequest, _inbound: Inbound) -> Work:
    return Work(reply=lambda answers: m.HeartbeatResponse(current_time=instant_text(answers.at)))


def status_notification(message: m.StatusNotificationRequest, inbound: Inbound) -> Work:
    status = StatusReport(
        station_id=inbound.station.station_id,
        party_id=inbound.station.party_id,
        evse_number=message.evse_id,
        connector_number=message.connector_id,
        at=instant(message.timestamp),
        received_at=inbound.received_at,
        status=_STATUS[message.connector_status],
    )
    return Work(statuses=(status,), reply=NOTHING)


def notify_event(message: m.NotifyEventRequest, inbound: Inbound) -> Work:
    """All events are kept; availability of connectors (2.1's way to tell it, G01) is also their status."""
    statuses = []
    for event in message.event_data:
        evse = event.component.evse
        status = _STATUS.get(event.actual_value)
        if event.variable.name != "AvailabilityState" or status is None:
            continue
        if event.component.name == "Connector" and evse is not None and evse.id > 0:
            outlet = (evse.id, evse.connector_id or 1)
        elif event.component.name == "ChargingStation":
            outlet = (0, 0)
        else:
            continue
        statuses.append(
            StatusReport(
                station_id=inbound.station.station_id,
                party_id=inbound.station.party_id,
                evse_number=outlet[0],
                connector_number=outlet[1],
                at=instant(event.timestamp),
                received_at=inbound.received_at,
                status=status,
                error_code=event.tech_code,
                info=event.tech_info,
            )
        )
    return Work(
        statuses=tuple(statuses),
        device=reports.events_of(message, inbound),
        records=(kept(inbound),),
        reply=lambda _: m.NotifyEventResponse(),
    )


def transaction_event(message: m.TransactionEventRequest, inbound: Inbound) -> Work:
    info = message.transaction_info
    report = begun(inbound, _KIND[message.event_type], instant(message.timestamp))
    report.transaction_id = info.transaction_id
    report.seq_no = message.seq_no
    report.trigger = snake(message.trigger_reason)
    if message.evse is not None and message.evse.id > 0:
        report.evse_number, report.connector_number = message.evse.id, message.evse.connector_id
        report.max_power_w = inbound.station.rated_power_w(message.evse.id)
    report.is_offline = bool(message.offline)
    if message.id_token is not None:
        report.token = PresentedToken(contracts.token_uid(message.id_token), message.id_token.type)
        report.is_stop_token = message.event_type == "Ended" or message.trigger_reason in _STOP_TRIGGERS
    report.charging_state = _CHARGING_STATE[info.charging_state] if info.charging_state else None
    if message.event_type == "Ended":
        report.stop_reason = _reason(info.stopped_reason)
    report.remote_start_id = info.remote_start_id
    report.operation_mode = snake(info.operation_mode) if info.operation_mode else None
    report.reservation_id = message.reservation_id
    report.samples = samples(message.meter_value or [])
    report.limit = terms.limit_of(info.transaction_limit)
    used = _used(message, inbound) if message.reservation_id is not None else ()
    work = Work(
        report=report,
        reply=NOTHING if report.token is None else terms.transaction_answer,
        # 2.0.1 hears what a charge costs when it is over; running costs travel with CostUpdated (I02).
        priced=terms.transaction_answer if message.event_type == "Ended" or inbound.version is Version.V21 else None,
        asides=used,
    )
    if message.cost_details is not None:
        work.asides = (*used, *terms.station_cost(message, inbound))
        work.is_cost_theirs = True
    return work


def _used(message: m.TransactionEventRequest, inbound: Inbound) -> tuple[ReservationReport, ...]:
    """The station says that the reservation of this number was used (H03)."""
    number = message.reservation_id or 0
    station_id = inbound.station.station_id
    return (ReservationReport(station_id=station_id, number=number, what="used", at=inbound.received_at),)


def meter_values(message: m.MeterValuesRequest, inbound: Inbound) -> Work:
    """Values outside TransactionEvent: they belong to the EVSE's session of that time, if there was one (J01)."""
    taken = samples(message.meter_value)
    report = begun(inbound, "metered", max((s.sampled_at for s in taken), default=inbound.received_at))
    report.evse_number = message.evse_id
    report.max_power_w = inbound.station.rated_power_w(message.evse_id)
    report.samples = taken
    return Work(report=report, reply=NOTHING)


def security_event_notification(message: m.SecurityEventNotificationRequest, inbound: Inbound) -> Work:
    signal = Signal(
        kind=f"station_{snake(message.type)}",
        at=instant(message.timestamp),
        party_id=inbound.station.party_id,
        station_id=inbound.station.station_id,
        detail={"tech_info": message.tech_info} if message.tech_info else {},
    )
    return Work(signals=(signal,), records=(kept(inbound),), reply=lambda _: m.SecurityEventNotificationResponse())


def data_transfer(message: m.DataTransferRequest, inbound: Inbound) -> Work:
    def reply(answer: vendors.VendorAnswer) -> m.DataTransferResponse:
        return m.DataTransferResponse(status=answer.status, data=answer.data)

    return vendors.work_for(message.vendor_id, message.message_id, message.data, inbound, reply)


def recorded(response: type[Any] | None, **fields: Any) -> Handler:
    """A message that is kept and answered with fixed `fields`."""

    def handle(_message: Any, inbound: Inbound) -> Work:
        return Work(records=(kept(inbound),), reply=lambda _: response(**fields) if response else None)

    return handle


TABLE: dict[str, tuple[type[Any], Handler]] = {
    "Authorize": (m.AuthorizeRequest, authorize),
    "BatterySwap": (m.BatterySwapRequest, notices.battery_swap),
    "BootNotification": (m.BootNotificationRequest, boot_notification),
    "ClearedChargingLimit": (m.ClearedChargingLimitRequest, notices.cleared_charging_limit),
    "ClosePeriodicEventStream": (m.ClosePeriodicEventStreamRequest, recorded(m.ClosePeriodicEventStreamResponse)),
    "DataTransfer": (m.DataTransferRequest, data_transfer),
    "FirmwareStatusNotification": (
        m.FirmwareStatusNotificationRequest,
        files.told("firmware", m.FirmwareStatusNotificationResponse),
    ),
    "Get15118EVCertificate": (
        m.Get15118EVCertificateRequest,
        contracts.get_15118_ev_certificate,
    ),
    "GetCertificateChainStatus": (m.GetCertificateChainStatusRequest, contracts.get_certificate_chain_status),
    "GetCertificateStatus": (
        m.GetCertificateStatusRequest,
        contracts.get_certificate_status,
    ),
    "Heartbeat": (m.HeartbeatRequest, heartbeat),
    "LogStatusNotification": (m.LogStatusNotificationRequest, files.told("log", m.LogStatusNotificationResponse)),
    "MeterValues": (m.MeterValuesRequest, meter_values),
    "NotifyChargingLimit": (m.NotifyChargingLimitRequest, notices.notify_charging_limit),
    "NotifyCustomerInformation": (m.NotifyCustomerInformationRequest, reports.notify_customer_information),
    "NotifyDERAlarm": (m.NotifyDERAlarmRequest, recorded(m.NotifyDERAlarmResponse)),
    "NotifyDERStartStop": (m.NotifyDERStartStopRequest, recorded(m.NotifyDERStartStopResponse)),
    "NotifyDisplayMessages": (m.NotifyDisplayMessagesRequest, reports.notify_display_messages),
    "NotifyEVChargingNeeds": (m.NotifyEVChargingNeedsRequest, notices.notify_ev_charging_needs),
    "NotifyEVChargingSchedule": (m.NotifyEVChargingScheduleRequest, notices.notify_ev_charging_schedule),
    "NotifyEvent": (m.NotifyEventRequest, notify_event),
    "NotifyMonitoringReport": (m.NotifyMonitoringReportRequest, reports.notify_monitoring_report),
    "NotifyPeriodicEventStream": (m.NotifyPeriodicEventStreamRequest, recorded(None)),
    "NotifyPriorityCharging": (m.NotifyPriorityChargingRequest, notices.notify_priority_charging),
    "NotifyReport": (m.NotifyReportRequest, reports.notify_report),
    "NotifySettlement": (m.NotifySettlementRequest, notices.notify_settlement),
    "OpenPeriodicEventStream": (
        m.OpenPeriodicEventStreamRequest,
        recorded(m.OpenPeriodicEventStreamResponse, status="Accepted"),
    ),
    "PublishFirmwareStatusNotification": (
        m.PublishFirmwareStatusNotificationRequest,
        files.told("publish", m.PublishFirmwareStatusNotificationResponse),
    ),
    "PullDynamicScheduleUpdate": (m.PullDynamicScheduleUpdateRequest, notices.pull_dynamic_schedule_update),
    "ReportChargingProfiles": (m.ReportChargingProfilesRequest, notices.report_charging_profiles),
    "ReportDERControl": (m.ReportDERControlRequest, recorded(m.ReportDERControlResponse)),
    "ReservationStatusUpdate": (m.ReservationStatusUpdateRequest, notices.reservation_status_update),
    "SecurityEventNotification": (m.SecurityEventNotificationRequest, security_event_notification),
    "SignCertificate": (m.SignCertificateRequest, sign_certificate),
    "StatusNotification": (m.StatusNotificationRequest, status_notification),
    "TransactionEvent": (m.TransactionEventRequest, transaction_event),
    "VatNumberValidation": (m.VatNumberValidationRequest, notices.vat_number_validation),
}


def samples(values: list[m.MeterValueType]) -> tuple[MeterSample, ...]:
    """2.x meter values: exact numbers with unit and power of ten, signed data beside the value it signs."""
    taken: list[MeterSample] = []
    for value in values:
        converted = []
        for v in value.sampled_value:
            unit = v.unit_of_measure
            plain = reading(
                v.value,
                v.measurand,
                unit.unit if unit else None,
                unit.multiplier if unit else None,
                v.phase,
                v.location,
            )
            signed = v.signed_meter_value
            converted.append(
                (
                    v.context or PERIODIC,
                    plain,
                    SignedReading(
                        measurand=v.measurand or ENERGY_REGISTER,
                        data=signed.signed_meter_data.encode(),
                        encoding=signed.encoding_method,
                        signing_method=signed.signing_method,
                        public_key=signed.public_key,
                    )
                    if signed
                    else None,
                )
            )
        taken += grouped(instant(value.timestamp), converted)
    return tuple(taken)


def _reason(reason: str | None) -> str:
    """Left out, it is Local (E03.FR.05)."""
    return "deauthorized" if reason == "DeAuthorized" else snake(reason or "Local")
