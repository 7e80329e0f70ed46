"""Charges in pure values: reports as an edge would make them, and a store that keeps what a database would."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.sessions import lifecycle, metering
from ohmstead.sessions.metering import BEGIN, END
from ohmstead.sessions.model import (
    ENERGY_REGISTER,
    Change,
    ChargingPeriod,
    MeterSample,
    PresentedToken,
    Reading,
    ReportKind,
    Session,
    SessionEvent,
    TransactionReport,
)
from ohmstead.tokens.model import Authorization

PARTY = UUID(int=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECEIVED = NOON + timedelta(hours=20)


def minutes(n: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=n)


def reading(value: object, measurand: str = ENERGY_REGISTER, unit: str = "Wh", **where: Any) -> Reading:
    return Reading(measurand, Decimal(str(value)), unit, **where)


def sample(at: datetime, wh: object = None, *readings: Reading, context: str = "Sample.Periodic") -> MeterSample:
    plain = (reading(wh),) if wh is not None else ()
    return MeterSample(sampled_at=at, context=context, readings=(*plain, *readings))


def report(kind: ReportKind, at: datetime, seq_no: int | None = None, **fields: Any) -> TransactionReport:
    given: dict[str, Any] = {
        "station_id": "ST-1",
        "party_id": PARTY,
        "ocpp_version": "1.6" if seq_no is None else "2.0.1",
        "received_at": RECEIVED,
        "transaction_id": "tx-1",
        "seq_no": seq_no,
        "evse_number": 1,
        "connector_number": 1,
        "max_power_w": 22_000,
    }
    return TransactionReport(kind=kind, at=at, **(given | fields))


def begin(at: datetime, wh: object) -> MeterSample:
    return sample(at, wh, context=BEGIN)


def end(at: datetime, wh: object) -> MeterSample:
    return sample(at, wh, context=END)


ACCEPTED = Authorization(status="accepted", uid="TAG1", type="ISO14443", token_id=UUID(int=2))


def card(uid: str = "TAG1") -> PresentedToken:
    return PresentedToken(uid, "ISO14443")


@dataclass
class Kept:
    """A session with what a database would keep beside it: each sample and each event once, the first one said."""

    session: Session | None = None
    samples: dict[tuple[datetime, str], dict[str, Reading]] = field(default_factory=dict)
    events: dict[tuple[datetime, str], SessionEvent] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    rated_w: int | None = 22_000

    def take(self, item: TransactionReport, authorization: Authorization | None = None) -> Change:
        change = lifecycle.apply(self.session, item, authorization)
        self.session = change.session
        for one in change.samples:
            kept = self.samples.setdefault((one.sampled_at, one.context), {})
            for r in one.readings:
                kept.setdefault(f"{r.measurand}/{r.phase}@{r.location}", r)
        for event in change.events:
            self.events.setdefault((event.at, event.kind), event)
        self.changes.append(change)
        return change

    def all_samples(self) -> list[MeterSample]:
        return [
            MeterSample(sampled_at=at, context=context, readings=tuple(readings.values()))
            for (at, context), readings in self.samples.items()
        ]

    def settled(self) -> Session:
        assert self.session is not None
        metering.refold(self.session, self.all_samples(), self.rated_w)
        return self.session

    def periods(self) -> list[ChargingPeriod]:
        assert self.session is not None
        return metering.periods(self.session, list(self.events.values()), metering.registers(self.all_samples()))


def told(reports: Iterable[TransactionReport], authorization: Authorization | None = ACCEPTED) -> Kept:
    """All reports, one after the other; those with a token are answered with `authorization`."""
    kept = Kept()
    for item in reports:
        kept.take(item, authorization if item.token is not None else None)
    return kept


def metered(samples: Sequence[MeterSample], rated_w: int | None = 22_000) -> Session:
    """A running session that was told these samples one by one, in this order."""
    kept = told([report("started", NOON, token=card())])
    assert kept.session is not None
    for one in samples:
        metering.absorb(kept.session, one, rated_w)
    return kept.session


def energy(*samples: MeterSample, rated_w: int | None = 22_000) -> Decimal:
    """What these samples add up to, told in this order and then worked out anew; both must agree."""
    session = metered(samples, rated_w)
    at_once = session.energy_wh
    metering.refold(session, samples, rated_w)
    assert session.energy_wh == at_once, f"told {at_once}, worked out {session.energy_wh}"
    return session.energy_wh
