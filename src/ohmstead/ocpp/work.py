"""What an inbound message asks of the domain, and how its answer is worded: the seam between versions and batch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, overload

import msgspec

from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.sessions.costs import Cost
from ohmstead.sessions.model import Outcome, ReportKind, TransactionReport
from ohmstead.sessions.terms import Terms
from ohmstead.stations.certificates.model import SigningOutcome, SigningReport
from ohmstead.stations.device.model import DeviceReport
from ohmstead.stations.files.model import FileReport
from ohmstead.stations.model import (
    BootOutcome,
    BootReport,
    Record,
    Signal,
    Station,
    StatusReport,
)
from ohmstead.tokens.model import Authorization, AuthorizationRequest


class Refused(Exception):
    """A message that cannot be taken; becomes a CALLERROR."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Inbound(msgspec.Struct, kw_only=True):
    """One message of a station, with what the handlers may know about its sender."""

    station: Station
    version: Version
    action: str
    message_id: str
    payload: bytes
    received_at: datetime
    interval_s: int = 900


class Answers(msgspec.Struct, kw_only=True):
    """What the domain made of the parts of a Work."""

    at: datetime
    session: Outcome | None = None
    boot: BootOutcome | None = None
    authorization: Authorization | None = None
    signing: SigningOutcome | None = None
    aside: Any = None
    cost: Cost | None = None
    terms: Terms | None = None

    @property
    def tells_more(self) -> bool:
        """Is there something to tell besides that the message is safe: what it costs, where it ends?"""
        return self.cost is not None or (self.session is not None and self.session.limit is not None)


class Work(msgspec.Struct, kw_only=True):
    """Neutral reports of one message, and `reply`, which words the answer's payload once they are taken in; an answer
    that is always the same is there already. `asides` are reports of kinds that few messages have (ocpp.asides).
    `first` asks the outside world before the work goes into a batch. `priced` words the answer where it is known what the
    session costs or where it ends. `is_cost_theirs`: the station reckons by itself, and is told no cost (2.1 E16.FR.16).
    """

    reply: Callable[[Answers], Any] | bytes
    report: TransactionReport | None = None
    boot: BootReport | None = None
    authorization: AuthorizationRequest | None = None
    statuses: tuple[StatusReport, ...] = ()
    records: tuple[Record, ...] = ()
    device: DeviceReport | None = None
    signals: tuple[Signal, ...] = ()
    signing: SigningReport | None = None
    first: Callable[[Inquiries], Awaitable[None]] | None = None
    file_reports: tuple[FileReport, ...] = ()
    asides: tuple[Any, ...] = ()
    priced: Callable[[Answers], Any] | None = None
    is_cost_theirs: bool = False


Handler = Callable[[Any, Inbound], Work]

NOTHING = b"{}"
"""The payload of an answer that says no more than that the message is safe."""


# A clock that was never set tells year 1 or 9999; it must not cost the energy that the message tells of, nor leave
# us no room to reckon with (PostgreSQL's driver takes the very ends of the calendar for infinity).
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def instant(text: str) -> datetime:
    """An OCPP date-time, aware, UTC. Stations write offsets, `Z`, none (taken as UTC), and any number of decimals.
    Years before 1970 and after 2199 are brought to those limits.

    Raises Refused (a format violation) for what is no instant.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is UTC and 1970 <= at.year < 2200:
            return at  # the usual way to write it
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text.strip().replace("z", "Z").replace(" ", "T", 1))
    except ValueError:
        raise Refused(ErrorCode.FORMAT_VIOLATION, f"not a date and time: {text[:40]!r}") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        return min(max(at.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        raise Refused(ErrorCode.FORMAT_VIOLATION, f"date out of range: {text[:40]!r}") from None


@overload
def instant_text(at: datetime) -> str: ...
@overload
def instant_text(at: None) -> None: ...
def instant_text(at: datetime | None) -> str | None:
    """How we write instants: RFC 3339 in UTC, to the millisecond, with `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at is not None else None


_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=1024)
def snake(name: str) -> str:
    """`EVDisconnected` → `ev_disconnected`: protocol names as our own words."""
    return _WORD.sub("_", name).lower()


def kept(inbound: Inbound, kind: str | None = None) -> Record:
    """The message as a record of its own."""
    digest = hashlib.sha256(
        f"{inbound.action}\0{inbound.message_id}\0".encode() + inbound.payload, usedforsecurity=False
    ).digest()[:16]
    return Record(
        station_id=inbound.station.station_id,
        kind=kind or inbound.action,
        digest=digest,
        payload=inbound.payload,
        at=inbound.received_at,
    )


def begun(inbound: Inbound, kind: ReportKind, at: datetime) -> TransactionReport:
    """A report of this message's sender; the handler adds what the message says."""
    station = inbound.station
    return TransactionReport(
        kind=kind,
        station_id=station.station_id,
        party_id=station.party_id,
        ocpp_version=inbound.version,
        at=at,
        received_at=inbound.received_at,
        location_id=station.location_id,
        time_zone=station.time_zone,
        max_power_w=station.max_power_w,
    )
