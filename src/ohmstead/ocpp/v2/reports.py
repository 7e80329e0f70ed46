"""OCPP 2.0.1 and 2.1: what stations tell of their device (B07, B08, N), translated. Parts of reports, monitors, events."""

from __future__ import annotations

from typing import Any

from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.names import component_name, variable_name
from ohmstead.ocpp.work import Inbound, Work, instant, kept, snake
from ohmstead.stations.device.model import Chunk, DeviceEvent, DeviceReport, Monitor, ReportKind
from ohmstead.stations.model import Record, Variable


def notify_report(message: m.NotifyReportRequest, inbound: Inbound) -> Work:
    """A part of the inventory: values, and what may be written where."""
    variables: list[Variable] = []
    for data in message.report_data or []:
        limits = data.variable_characteristics
        listed = limits.values_list.split(",") if limits and limits.values_list else None
        variables += [
            Variable(
                station_id=inbound.station.station_id,
                component=component_name(data.component),
                variable=variable_name(data.variable),
                attribute=attribute.type or "Actual",
                value=attribute.value,
                is_read_only=attribute.mutability == "ReadOnly" if attribute.mutability else None,
                mutability=attribute.mutability,
                data_type=limits.data_type if limits else None,
                unit=limits.unit if limits else None,
                min_limit=limits.min_limit if limits else None,
                max_limit=limits.max_limit if limits else None,
                values_list=tuple(part.strip() for part in listed) if listed else None,
                supports_monitoring=limits.supports_monitoring if limits else None,
            )
            for attribute in data.variable_attribute
        ]
    record = kept(inbound)
    report = DeviceReport(variables=tuple(variables), chunk=_chunk("NotifyReport", message, record))
    return Work(device=report, records=(record,), reply=lambda _: m.NotifyReportResponse())


def notify_monitoring_report(message: m.NotifyMonitoringReportRequest, inbound: Inbound) -> Work:
    """A part of the list of monitors."""
    monitors = [
        Monitor(
            station_id=inbound.station.station_id,
            monitor_id=one.id,
            component=component_name(data.component),
            variable=variable_name(data.variable),
            kind=snake(one.type),
            value=one.value,
            severity=one.severity,
            is_transaction_only=one.transaction,
            event_kind=snake(one.event_notification_type) if one.event_notification_type else None,
        )
        for data in message.monitor or []
        for one in data.variable_monitoring
    ]
    record = kept(inbound)
    chunk = _chunk("NotifyMonitoringReport", message, record)
    report = DeviceReport(monitors=tuple(monitors), chunk=chunk)
    return Work(device=report, records=(record,), reply=lambda _: m.NotifyMonitoringReportResponse())


def notify_customer_information(message: m.NotifyCustomerInformationRequest, inbound: Inbound) -> Work:
    """A part of what the station knows of a customer (N09)."""
    record = kept(inbound)
    report = DeviceReport(chunk=_chunk("NotifyCustomerInformation", message, record))
    return Work(device=report, records=(record,), reply=lambda _: m.NotifyCustomerInformationResponse())


def notify_display_messages(message: m.NotifyDisplayMessagesRequest, inbound: Inbound) -> Work:
    """A part of the list of messages on the display (O03); these have no sequence numbers."""
    record = kept(inbound)
    report = DeviceReport(chunk=_chunk("NotifyDisplayMessages", message, record))
    return Work(device=report, records=(record,), reply=lambda _: m.NotifyDisplayMessagesResponse())


def events_of(message: m.NotifyEventRequest, inbound: Inbound) -> DeviceReport:
    """Events as they are kept; they tell values of variables, too."""
    station_id = inbound.station.station_id
    events = [
        DeviceEvent(
            station_id=station_id,
            event_id=one.event_id,
            at=instant(one.timestamp),
            received_at=inbound.received_at,
            component=component_name(one.component),
            variable=variable_name(one.variable),
            value=one.actual_value,
            trigger=snake(one.trigger),
            kind=snake(one.event_notification_type),
            cause=one.cause,
            monitor_id=one.variable_monitoring_id,
            severity=one.severity,
            is_cleared=bool(one.cleared),
            transaction_id=one.transaction_id,
            tech_code=one.tech_code,
            tech_info=one.tech_info,
        )
        for one in message.event_data
    ]
    return DeviceReport(events=tuple(events))


def _chunk(kind: ReportKind, message: Any, record: Record) -> Chunk:
    return Chunk(
        station_id=record.station_id,
        kind=kind,
        request_id=message.request_id,
        digest=record.digest,
        seq_no=getattr(message, "seq_no", None),
        is_last=not message.tbc,
        at=record.at,
    )
