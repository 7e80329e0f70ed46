"""OCPP 1.6 about files: what stations tell of firmware and logs."""

from __future__ import annotations

from typing import Any

from ohmstead.ocpp.work import Handler, Inbound, Work, kept, snake
from ohmstead.stations.files.model import FileReport, JobKind


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
