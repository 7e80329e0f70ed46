"""OCPP 1.6 about files: orders for firmware and logs, and what stations tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.work import Handler, Inbound, Work, instant_text, kept, snake
from ohmstead.stations.files.model import FileReport, JobKind
from ohmstead.stations.files.orders import GetLog, PublishFirmware, UnpublishFirmware, UpdateFirmware


def call_for(order: UpdateFirmware | PublishFirmware | UnpublishFirmware | GetLog) -> Outgoing:
    """The call that carries out an order. Raises Refused for what 1.6 cannot do."""
    if isinstance(order, UpdateFirmware):
        return _update(order)
    if isinstance(order, GetLog):
        return _log(order)
    raise Refused("OCPP 1.6 knows no local controllers that offer firmware")


def _update(order: UpdateFirmware) -> Outgoing:
    if order.signing_certificate is not None and order.signature is not None:
        signed = m.SignedUpdateFirmwareRequest(
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
        return Outgoing(action="SignedUpdateFirmware", payload=msgspec.json.encode(signed), read=_read)
    if order.install_at is not None:
        raise Refused("OCPP 1.6 installs unsigned firmware when it has fetched it: give retrieve_at only")
    plain = m.UpdateFirmwareRequest(
        location=order.location,
        retrieve_date=instant_text(order.retrieve_at),
        retries=order.retries,
        retry_interval=order.retry_interval_s,
    )
    return Outgoing(action="UpdateFirmware", payload=msgspec.json.encode(plain), read=_read)


def _log(order: GetLog) -> Outgoing:
    if order.log == "data_collector":
        raise Refused("OCPP 1.6 has no data collector log")
    if order.log == "diagnostics":
        plain = m.GetDiagnosticsRequest(
            location=order.location,
            start_time=_text(order.oldest_at),
            stop_time=_text(order.latest_at),
            retries=order.retries,
            retry_interval=order.retry_interval_s,
        )
        return Outgoing(action="GetDiagnostics", payload=msgspec.json.encode(plain), read=_read_diagnostics)
    request = m.GetLogRequest(
        log=m.LogParametersType(
            remote_location=order.location,
            oldest_timestamp=_text(order.oldest_at),
            latest_timestamp=_text(order.latest_at),
        ),
        log_type="SecurityLog",
        request_id=order.request_id,
        retries=order.retries,
        retry_interval=order.retry_interval_s,
    )
    return Outgoing(action="GetLog", payload=msgspec.json.encode(request), read=_read)


def _read(answer: msgspec.Struct) -> Result:
    status = getattr(answer, "status", "Accepted")
    return Result("accepted") if status in ("Accepted", "AcceptedCanceled") else Result("rejected", status)


def _read_diagnostics(answer: msgspec.Struct) -> Result:
    # Without a file name there is nothing to send (1.6 §6.25).
    if getattr(answer, "file_name", None):
        return Result("accepted")
    return Result("rejected", "the station has no diagnostics to send")


def _text(at: datetime | None) -> str | None:
    return instant_text(at) if at is not None else None


def told(kind: JobKind, response: type[Any]) -> Handler:
    """A station says how far it is with a file."""

    def handle(message: Any, inbound: Inbound) -> Work:
        report = FileReport(
            station_id=inbound.station.station_id,
            kind=kind,
            word=snake(message.status),
            at=inbound.received_at,
            request_id=getattr(message, "request_id", None),
        )
        return Work(file_reports=(report,), records=(kept(inbound),), reply=lambda _: response())

    return handle
