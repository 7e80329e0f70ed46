"""OCPP 2.0.1 and 2.1 about files: what stations tell of firmware and logs."""

from __future__ import annotations

from typing import Any

from ohmstead.ocpp.work import Handler, Inbound, Work, kept, snake
from ohmstead.stations.files.model import FileReport, JobKind


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
            offered_under=getattr(message, "location", None),
        )
        return Work(file_reports=(report,), records=(kept(inbound),), reply=lambda _: response())

    return handle
