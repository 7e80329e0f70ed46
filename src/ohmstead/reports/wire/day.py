"""A stretch of a station's time, everything that was going on in it, on one axis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection, Row
from ohmstead.core.language import N_, _, told
from ohmstead.reports import concerns
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.wire import queries

LONGEST = timedelta(days=7)
SHORTEST = timedelta(minutes=2)
BARS = 96
_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)

# Names in words, as they stand in the database: what was odd about a session, how orders end, why a connection ended,
# what mattered for security. Those of others, and of stations' own making, are told as they are.
WORDS = (
    N_("start missing"), N_("stop missing"), N_("messages missing"), N_("clock wrong"), N_("register reset"),
    N_("implausible jump"), N_("implausible end"), N_("implausible register"), N_("start register corrected"),
    N_("energy estimated"), N_("foreign transaction"),
    N_("rejected"), N_("failed"), N_("timed out"),
    N_("ping_timeout"), N_("gateway_lost"), N_("going_away"), N_("closed"), N_("lost"), N_("flood"), N_("malformed"),
    N_("broken_frame"), N_("frame_too_large"), N_("not_utf8"), N_("restarting"),
    N_("Address refused"), N_("Clock off"), N_("Connection refused"), N_("Tls handshake failed"),
    N_("Certificate request refused"), N_("Certificate refused"), N_("Certificate rejected"), N_("Certificate failed"),
    N_("Contract refused"), N_("Ocsp not believed"), N_("Revocation unknown"), N_("Firmware refused"),
    N_("Firmware doubtful"), N_("Web payment refused"), N_("Foreign transaction"),
)  # fmt: skip

IssueKind: TypeAlias = Literal["fault", "disconnected", "session", "security", "order"]


class Issue(Struct, frozen=True, kw_only=True):
    """Something that a person may want to know of. `session_id`: the session that it is about."""

    at: datetime
    kind: Annotated[IssueKind, Meta(description="What it is about.")]
    text: str
    evse_number: int | None = None
    session_id: UUID | None = None


class Traffic(Struct, frozen=True, kw_only=True):
    """Messages in one stretch; stretches without any are left out."""

    at: datetime
    until: datetime
    n: int
    n_failed: Annotated[int, Meta(description="Refused, late, answered with an error, or not at all.")]
    slowest_us: int | None


class Day(Struct, frozen=True, kw_only=True):
    """What was going on: rows of states, connections, sessions and samples, traffic and issues."""

    since: datetime
    until: datetime
    statuses: list[Row]
    connections: list[Row]
    sessions: list[Row]
    samples: list[Row]
    traffic: list[Traffic]
    issues: list[Issue]


def step_of(span: timedelta) -> int:
    """How many seconds one bar of messages stands for, so that there are at most BARS."""
    wanted = span.total_seconds() / BARS
    return next((step for step in _STEPS_S if step >= wanted), _STEPS_S[-1])


async def read(
    conn: Connection, scope: Scope, station_id: str, since: datetime, until: datetime, *, with_messages: bool = True
) -> Day:
    """Everything from `since` to `until`, at most LONGEST apart. Messages only where somebody may read them."""
    sessions = await pages.sessions_at(conn, scope, station_id, since, until)
    statuses = await pages.status_history(conn, scope.party_id, station_id, since, until)
    connections = await pages.connection_history(conn, scope.party_id, station_id, since, until)
    step_s = step_of(until - since)
    counts = (
        await queries.message_counts(conn, scope.party_id, station_id, since, until, step_s) if with_messages else []
    )
    return Day(
        since=since,
        until=until,
        statuses=statuses,
        connections=connections,
        sessions=sessions,
        samples=await pages.power_samples(
            conn, scope.party_id, [s["session_id"] for s in sessions], since - timedelta(hours=1)
        ),
        traffic=[
            Traffic(
                at=row["at"],
                until=min(row["at"] + timedelta(seconds=step_s), until),
                n=row["n"],
                n_failed=row["n_failed"],
                slowest_us=row["slowest_us"],
            )
            for row in counts
        ],
        issues=issues_of(
            (row for row in statuses if row["at"] >= since),
            (row for row in connections if row["at"] >= since),
            sessions,
            await queries.signals(conn, scope.party_id, station_id, since, until),
            await queries.orders_between(conn, scope.party_id, station_id, since, until),
        ),
    )


def issues_of(
    statuses: Iterable[Any],
    connections: Iterable[Any],
    sessions: Iterable[Any],
    signals: Iterable[Any],
    orders: Iterable[Any],
) -> list[Issue]:
    """What was not as it should be, oldest first."""
    found = [
        Issue(
            at=row["at"],
            kind="fault",
            evse_number=row["evse_number"],
            text=concerns.fault(row["error_code"]) if row["error_code"] else _("It reports a fault without a reason."),
        )
        for row in statuses
        if row["status"] == "faulted"
    ]
    found += [
        Issue(
            at=row["at"],
            kind="disconnected",
            text=_("The connection was lost: %(reason)s.", reason=_words_of(row["reason"])),
        )
        for row in connections
        if not row["is_connected"]
    ]
    for row in sessions:
        words = ", ".join(_(name.replace("_", " ")) for name in row["anomalies"])
        if words:
            at = row["ended_at"] or row["last_event_at"]
            found.append(
                Issue(
                    at=at,
                    kind="session",
                    evse_number=row["evse_number"],
                    session_id=row["session_id"],
                    text=_("The session is odd: %(what)s.", what=words),
                )
            )
    found += [Issue(at=row["at"], kind="security", text=_(_words(row["kind"])) + ".") for row in signals]
    for row in orders:
        order, status = (_(row[name].replace("_", " ")) for name in ("kind", "status"))
        if row["error_text"]:
            why = told(row["error_text"]).removesuffix(".")
            text = _("The order “%(order)s” was %(status)s: %(why)s.", order=order, status=status, why=why)
        else:
            text = _("The order “%(order)s” was %(status)s.", order=order, status=status)
        found.append(Issue(at=row["at"], kind="order", text=text))
    return sorted(found, key=lambda issue: issue.at)


def _words_of(reason: str | None) -> str:
    return _(reason) if reason else _("no reason known")


def _words(kind: str) -> str:
    words = kind.replace("_", " ")
    return words[:1].upper() + words[1:]
