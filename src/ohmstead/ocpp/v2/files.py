"""OCPP 2.0.1 and 2.1 about files: orders for firmware and logs, and what stations tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.work import Handler, Inbound, Work, instant_text, kept, snake
from ohmstead.stations.files.model import FileReport, JobKind
from ohmstead.stations.files.orders import GetLog, PublishFirmware, UnpublishFirmware, UpdateFirmware

_LOGS: Final[dict[str, Literal["DiagnosticsLog", "SecurityLog", "DataCollectorLog"]]] = {
    "diagnostics": "DiagnosticsLog",
    "security": "SecurityLog",
    "data_collector": "DataCollectorLog",
}
_GOOD = frozenset(("Accepted", "AcceptedCanceled", "Unpublished"))


def call_for(order: UpdateFirmware | PublishFirmware | UnpublishFirmware | GetLog) -> Outgoing:
    """The call that carries out an order."""
    if isinstance(order, UpdateFirmware):
        update = m.UpdateFirmwareRequest(
            request_id=order.request_id,
            firmware=m.FirmwareType(
                location=order.location,
                retrieve_date_time=instant_text(order.retrieve_at),
                install_date_time=_text(order.install_at),
                signing_certificate=order.signing_certificate,
                signature=order.signature,
            ),
            retries=order.retries,
            retry_interval=order.retry_interval_s,
        )
        return _outgoing("UpdateFirmware", update)
    if isinstance(order, PublishFirmware):
        publish = m.PublishFirmwareRequest(
            location=order.location,
            checksum=order.md5,
            request_id=order.request_id,
            retries=order.retries,
            retry_interval=order.retry_interval_s,
        )
        return _outgoing("PublishFirmware", publish)
    if isinstance(order, UnpublishFirmware):
        return _outgoing("UnpublishFirmware", m.UnpublishFirmwareRequest(checksum=order.md5))
    log = m.GetLogRequest(
        log=m.LogParametersType(
            remote_location=order.location,
            oldest_timestamp=_text(order.oldest_at),
            latest_timestamp=_text(order.latest_at),
        ),
        log_type=_LOGS[order.log],
        request_id=order.request_id,
        retries=order.retries,
        retry_interval=order.retry_interval_s,
    )
    return _outgoing("GetLog", log)


def _outgoing(action: str, payload: msgspec.Struct) -> Outgoing:
    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=_read)


def _read(answer: msgspec.Struct) -> Result:
    status = getattr(answer, "status", "Accepted")
    return Result("accepted") if status in _GOOD else Result("rejected", status)


def _text(at: datetime | None) -> str | None:
    return instant_text(at) if at is not None else None


def told(kind: JobKind, response: type[Any]) -> Handler:
    """A station says how far it is with a file."""

    def handle(message: Any, inbound: Inbound) -> Work:
        info = message.status_info
        more = (info.additional_info or info.reason_code) if info is not None else None
        report = FileReport(
            station_id=inbound.station.station_id,
            kind=kind,
            word=snake(message.status),
            at=inbound.received_at,
            request_id=message.request_id,
            text=f"{snake(message.status).replace('_', ' ')}: {more}" if more else None,
        )
        return Work(file_reports=(report,), records=(kept(inbound),), reply=lambda _: response())

    return handle
