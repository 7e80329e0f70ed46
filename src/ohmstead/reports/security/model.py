"""Security signals, who was turned away, and how much of it there was."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from ohmstead.reports.security import words

# What is told of a knock at the gateway that led nowhere.
TURNED_AWAY = ("connection_refused", "tls_handshake_failed", "no_common_version")
# Those that a station tells of itself (OCPP's SecurityEventNotification).
TOLD_BY_STATIONS = "station_"


class SignalFilter(Struct, frozen=True, kw_only=True):
    """Which signals; what is None matches all. `since` ≤ t < `until`; `kind` may end in `_`: all that begin so."""

    kind: str | None = None
    station_id: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class RefusalFilter(Struct, frozen=True, kw_only=True):
    """Which of those turned away; what is None matches all. `since` ≤ t < `until`."""

    is_known: bool | None = None
    reason: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class SecuritySignal(Struct, frozen=True, kw_only=True):
    """Something that matters for security: told by a station of itself, or seen here."""

    signal_id: int
    at: datetime
    kind: Annotated[str, Meta(description="`station_` and more: a station told it of itself.")]
    meaning: Annotated[str, Meta(description="In words.")]
    is_grave: Annotated[bool, Meta(description="A sign of somebody who should not be there.")]
    station_id: str | None
    is_known: Annotated[bool, Meta(description="Is it a station of yours?")]
    remote_address: str | None
    detail: dict[str, Any]


class TurnedAway(Struct, frozen=True, kw_only=True):
    """Who was turned away at the gateway: one identity from one address for one reason, however often."""

    station_id: Annotated[str | None, Meta(description="The identity it came with; null where it came to none.")]
    is_known: Annotated[bool, Meta(description="Is it a station of yours?")]
    remote_address: str | None
    kind: str
    reason: str | None
    meaning: Annotated[str, Meta(description="The reason in words.")]
    n: Annotated[int, Meta(description="How often; of many from one address only some are counted.")]
    first_at: datetime
    last_at: datetime


class Watched(Struct, frozen=True, kw_only=True):
    """What there was since an instant."""

    since: datetime
    n_turned_away: Annotated[int, Meta(description="Knocks at the gateway that led nowhere.")]
    n_identities: Annotated[int, Meta(description="Under so many identities.")]
    n_of_stations: Annotated[int, Meta(description="Of them under those of your stations.")]
    n_station_events: Annotated[int, Meta(description="Security events that stations told of themselves.")]
    n_grave: Annotated[
        int, Meta(description="Signals of any kind that are a sign of somebody who should not be there.")
    ]
    n_refused_sign_ins: Annotated[int | None, Meta(description="null: you may not see who signs in.")] = None


class AuditState(Struct, frozen=True, kw_only=True):
    """How long the chain of the audit log is. Whether it is whole: `/audit-log/verdict`."""

    n_entries: int
    head_hash: str


class SecuritySummary(Struct, frozen=True, kw_only=True):
    """Is somebody at the door? The last day and the last week."""

    day: Watched
    week: Watched
    n_certificates_ending: Annotated[int, Meta(description="Those that end soon, with nothing in their place.")]
    audit: Annotated[AuditState | None, Meta(description="null: you may not read the audit log.")] = None


def signal_of(row: Any) -> SecuritySignal:
    """A row with its meaning."""
    return SecuritySignal(**row, meaning=words.meaning_of(row["kind"]), is_grave=row["kind"] in words.GRAVE)


def turned_away_of(row: Any) -> TurnedAway:
    """A row with its meaning: the reason's, or what happened where no reason was noted."""
    reason = row["reason"] if row["kind"] == "connection_refused" else None
    return TurnedAway(**row, meaning=words.reason_of(reason) or words.meaning_of(row["kind"]))
