"""Quirks of a make of station where the wire meets them: what it reports is put right, what it is told is put its way.

Resolved once per connection, and anew when the station boots or a profile changes. A station without quirks costs a look
at one attribute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ohmstead.ocpp.connection import Connection
from ohmstead.ocpp.work import Work
from ohmstead.sessions.model import MeterSample, TransactionReport
from ohmstead.stations.model import Station, StatusReport
from ohmstead.stations.orders import Order, RemoteStart, RequestBatterySwap, Reserve, SendLocalList
from ohmstead.stations.quirks.book import QuirkBook
from ohmstead.stations.quirks.profiles import Effects, corrected


def resolve(connection: Connection, book: QuirkBook) -> None:
    """What is different about this connection's station, by what it last said of itself."""
    station = connection.station
    connection.quirks = book.effects(
        vendor=station.vendor,
        model=station.model,
        firmware=station.firmware_version,
        version=connection.version.value,
    )


def resolve_all(connections: Iterable[Connection], book: QuirkBook, seen: int) -> int:
    """The same for all, when the profiles are others than `seen`; returns which they are."""
    book.profiles()
    if book.edition != seen:
        for connection in connections:
            resolve(connection, book)
    return book.edition


def meet(connection: Connection, work: Work, book: QuirkBook) -> None:
    """A station said something: now it may be known what make it is, and what it says may have to be put right."""
    if work.boot is not None:
        connection.station = msgspec.structs.replace(
            connection.station,
            vendor=work.boot.vendor,
            model=work.boot.model,
            firmware_version=work.boot.firmware_version or connection.station.firmware_version,
        )
        resolve(connection, book)
    if connection.quirks is not None:
        mend(work, connection.quirks, connection.station)


def mend(work: Work, effects: Effects, station: Station) -> None:
    """Put right what a message says."""
    if work.report is not None:
        if effects.connectors_from_zero:
            _from_one(work.report, station)
        if effects.corrections:
            work.report.samples = tuple(_meant(sample, effects) for sample in work.report.samples)
    if effects.connectors_from_zero and work.statuses:
        work.statuses = tuple(_status_from_one(status) for status in work.statuses)


def _from_one(report: TransactionReport, station: Station) -> None:
    if report.evse_number is None and report.kind != "started":
        return
    report.evse_number = (report.evse_number or 0) + 1
    report.connector_number = 1
    report.max_power_w = station.rated_power_w(report.evse_number)


def _status_from_one(status: StatusReport) -> StatusReport:
    return msgspec.structs.replace(status, evse_number=status.evse_number + 1, connector_number=1)


def _meant(sample: MeterSample, effects: Effects) -> MeterSample:
    return msgspec.structs.replace(
        sample,
        readings=tuple(
            msgspec.structs.replace(r, value=corrected(r.value, r.measurand, r.unit, effects.corrections))
            for r in sample.readings
        ),
    )


def adapted(order: Order, effects: Effects) -> Order:
    """An order as this make of station understands it."""
    changes: dict[str, Any] = {}
    if effects.id_case is not None:
        if isinstance(order, RemoteStart):
            changes["token_uid"] = getattr(order.token_uid, effects.id_case)()
        elif isinstance(order, Reserve | RequestBatterySwap):
            changes["token"] = _cased(order.token, effects.id_case)
        elif isinstance(order, SendLocalList):
            changes["entries"] = tuple(_cased(one, effects.id_case) for one in order.entries)
    number = getattr(order, "evse_number", None)
    if effects.connectors_from_zero and number:  # 0 and none are the station as a whole
        changes["evse_number"] = number - 1
    return msgspec.structs.replace(order, **changes) if changes else order


def _cased(named: Any, case: str) -> Any:
    return msgspec.structs.replace(named, uid=getattr(named.uid, case)())
