"""What needs a person, in words, from rows: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, TypeAlias
from urllib.parse import quote

from ohmstead.reports.model import Concern

Rows: TypeAlias = Sequence[Any]  # database rows; here only their fields matter

# Stations of one location that vanish within this of each other share a cause: the site's uplink or power.
TOGETHER = timedelta(minutes=2)
# A station that was lost this recently most likely restarts or has a short gap in its network.
GRACE = timedelta(minutes=2)

# Renewal begins thirty days ahead (stations.certificates): what still ends this soon needs a person.
CERTIFICATE_SOON = timedelta(days=14)
CERTIFICATE_URGENT = timedelta(days=3)

_RANK = {"failed": 0, "attention": 1, "working": 2}

# OCPP 1.6 §7.6 ChargePointErrorCode, in plain words.
FAULTS = {
    "ConnectorLockFailure": "The lock does not open or close.",
    "EVCommunicationError": "It cannot talk to the car.",
    "GroundFailure": "The ground-fault breaker has tripped.",
    "HighTemperature": "It is too hot inside.",
    "InternalError": "An internal hardware or software fault.",
    "LocalListConflict": "Its list of cards disagrees with ours.",
    "OtherError": "A fault of another kind.",
    "OverCurrentFailure": "Over-current protection has tripped.",
    "OverVoltage": "The voltage is too high.",
    "PowerMeterFailure": "The electricity meter cannot be read.",
    "PowerSwitchFailure": "The power switch does not obey.",
    "ReaderFailure": "The card reader does not work.",
    "ResetFailure": "It could not restart.",
    "UnderVoltage": "The voltage is too low.",
    "WeakSignal": "The mobile signal is weak.",
}

# Why the door stayed shut (ocpp.security), as a person would say it.
REFUSALS = {
    "credentials_missing": "it sent no password",
    "credentials_malformed": "its credentials cannot be read",
    "password_wrong": "the password is wrong",
    "username_differs": "the user name is not the station's id",
    "station_unknown": "nobody registered this station",
    "unknown_station": "nobody registered this station",
    "certificate_missing": "it showed no client certificate",
    "certificate_of_another": "its certificate belongs to another station",
    "certificate_of_another_organization": "its certificate belongs to another organisation",
    "link_too_weak": "the connection is less secure than its profile demands",
    "station_retired": "the station was retired",
    "station_rejected": "the station was rejected",
    "too_many_attempts": "too many attempts in a short time",
}


def ordered(found: Iterable[Concern]) -> list[Concern]:
    """Most urgent first, within one urgency the newest first."""
    return sorted(found, key=lambda c: (_RANK[c.urgency], -(c.since_at.timestamp() if c.since_at else 0.0), c.title))


def of_offline(rows: Rows, now: datetime) -> list[Concern]:
    """Stations that are gone; those of one location that went together are one concern."""
    lost = {"soon": [r for r in rows if r["disconnected_at"] and now - r["disconnected_at"] < GRACE]}
    lost["long"] = [r for r in rows if r not in lost["soon"]]
    return _offline_by_place(lost["long"]) + [_offline(r, is_fresh=True) for r in lost["soon"]]


def _offline_by_place(rows: Rows) -> list[Concern]:
    found: list[Concern] = []
    placed = sorted((r for r in rows if r["location_id"] and r["disconnected_at"]), key=_place)
    for _, group in groupby(placed, key=lambda r: str(r["location_id"])):
        for cluster in _clusters(list(group)):
            found += [_offline_together(cluster)] if len(cluster) > 1 else [_offline(cluster[0])]
    found += [_offline(r) for r in rows if not r["location_id"] or not r["disconnected_at"]]
    return found


def _place(row: Mapping[str, Any]) -> tuple[str, datetime]:
    return str(row["location_id"]), row["disconnected_at"]


def _clusters(rows: list[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    clusters: list[list[Mapping[str, Any]]] = []
    for row in rows:
        if clusters and row["disconnected_at"] - clusters[-1][-1]["disconnected_at"] <= TOGETHER:
            clusters[-1].append(row)
        else:
            clusters.append([row])
    return clusters


def _offline(row: Mapping[str, Any], *, is_fresh: bool = False) -> Concern:
    plugs = _count(row["n_connectors"], "connector")
    where = f"{row['location_name']}. " if row["location_name"] else ""
    why = {
        "gateway_lost": "Our gateway stopped while it was connected.",
        "ping_timeout": "It stopped answering pings.",
        "timeout": "It stopped answering pings.",
    }.get(row["reason"] or "", "")
    told = "Lost just now; most come back by themselves." if is_fresh else f"{plugs} cannot be used from here. {why}"
    return Concern(
        urgency="working" if is_fresh else "failed",
        kind="offline",
        title="connection lost" if is_fresh else "unreachable",
        text=f"{where}{told}".strip(),
        since_at=row["disconnected_at"],
        path=station_path(row["station_id"]),
        action="Open",
        station_id=row["station_id"],
    )


def _offline_together(rows: list[Mapping[str, Any]]) -> Concern:
    spread_s = (rows[-1]["disconnected_at"] - rows[0]["disconnected_at"]).total_seconds()
    within = "at once" if spread_s < 1 else f"within {spread_s:.0f} s"
    plugs = _count(sum(r["n_connectors"] for r in rows), "connector")
    return Concern(
        urgency="failed",
        kind="offline",
        title=f"{rows[0]['location_name']}: {len(rows)} stations unreachable",
        text=f"All lost {within}: suspect the site’s uplink or power. {plugs}.",
        since_at=rows[0]["disconnected_at"],
        path=f"/stations?show=offline&location={rows[0]['location_id']}",
        action="See them",
    )


def of_faults(rows: Rows) -> list[Concern]:
    """Connectors out of order."""
    found = []
    for row in rows:
        code = row["error_code"] if row["error_code"] not in (None, "", "NoError") else None
        what = FAULTS.get(code or "", f"It reports {code}." if code else "It gives no reason.")
        more = [str(row[name]) for name in ("info", "vendor_error_code") if row[name]]
        where = f"{row['location_name']}. " if row["location_name"] else ""
        found.append(
            Concern(
                urgency="failed",
                kind="faulted",
                title="out of order" if row["evse_number"] == 0 else f"connector {row['evse_number']} out of order",
                text=where + what + (f" {', '.join(more)}" if more else ""),
                since_at=row["status_at"],
                path=station_path(row["station_id"]),
                action="Open",
                station_id=row["station_id"],
            )
        )
    return found


def of_pending(rows: Rows) -> list[Concern]:
    """Stations that wait to be adopted."""
    found = []
    for row in rows:
        what = " ".join(str(row[name]) for name in ("vendor", "model") if row[name])
        source = f" from {row['remote_address']}" if row["remote_address"] else ""
        found.append(
            Concern(
                urgency="attention",
                kind="pending",
                title="waits to be adopted",
                text=f"{what or 'An unknown station'}{source}. It may not charge before you adopt it.",
                since_at=row["created_at"],
                path=station_path(row["station_id"]),
                action="Decide",
                station_id=row["station_id"],
            )
        )
    return found


def of_orphans(rows: Rows) -> list[Concern]:
    """Charges without a beginning."""
    return [
        Concern(
            urgency="attention",
            kind="orphan",
            title=f"ended {_count(row['n'], 'session')} that nobody saw begin",
            text="It names another station's transaction."
            if row["is_foreign"]
            else "The start never reached us: energy and token may be missing.",
            since_at=row["last_at"],
            path=f"/sessions?show=orphan&station={quote(row['station_id'])}"
            if row["n"] > 1
            else f"/sessions/{row['session_id']}",
            action="See it" if row["n"] == 1 else "See them",
            station_id=row["station_id"],
        )
        for row in rows
    ]


def of_refusals(rows: Rows) -> list[Concern]:
    """Who was turned away at the door."""
    found = []
    for row in rows:
        station_id, reason = row["station_id"], row["reason"] or ""
        why = REFUSALS.get(reason, reason.replace("_", " ") or "no reason was noted")
        times = "Once" if row["n"] == 1 else f"{row['n']:,} times"
        source = f" from {row['remote_address']}" if row["remote_address"] else ""
        path, action = "/stations", "Stations"
        if station_id and row["is_known"]:
            path, action = station_path(station_id), "Open"
        elif station_id:
            path, action = f"/stations/new?station={quote(station_id)}", "Register it"
        found.append(
            Concern(
                urgency="attention",
                kind="refused",
                title="was refused" if station_id else "a connection without identity was refused",
                text=f"{times} in the last day{source}: {why}.",
                since_at=row["last_at"],
                path=path,
                action=action,
                station_id=station_id,
            )
        )
    return found


def of_certificates(rows: Rows, now: datetime) -> list[Concern]:
    """Certificates that end soon: roots, which nobody renews by itself, and those of stations that did not ask anew."""
    found = []
    for row in rows:
        days = max(0, (row["not_after"] - now).days)
        station_id = row["station_id"]
        what = f"The certificate {row['subject'].removeprefix('CN=')}" if station_id is None else "Its certificate"
        then = (
            "Contracts and stations under it are refused from then on."
            if station_id is None
            else "It was asked to renew it and has not yet; with security profile 3 it cannot connect from then on."
        )
        found.append(
            Concern(
                urgency="failed" if days < CERTIFICATE_URGENT.days else "attention",
                kind="certificate",
                title="certificate ends soon" if station_id else "a trusted root ends soon",
                text=f"{what} ends in {_count(days, 'day')}. {then}",
                since_at=None,
                path=f"{station_path(station_id)}/certificates" if station_id else "/certificates",
                action="See it",
                station_id=station_id,
            )
        )
    return found


def of_profiles(rows: Rows) -> list[Concern]:
    """Stations that do not carry out the charging profiles that they accepted, or are known not to."""
    return [
        Concern(
            urgency="attention",
            kind="profile_ignored",
            title=f"{'it' if row['evse_number'] == 0 else 'EVSE ' + str(row['evse_number'])} "
            + ("ignores its charging profile" if row["status"] == "differs" else "may ignore its charging profile"),
            text=f"{str(row['detail'] or 'It allows more than it accepted')[:1].upper()}{str(row['detail'] or '')[1:]}.",
            since_at=row["since"],
            path=station_path(row["station_id"]) + "/profiles",
            action="Open",
            station_id=row["station_id"],
        )
        for row in rows
    ]


def of_webhooks(rows: Rows) -> list[Concern]:
    """Webhooks that were switched off by themselves: a program of the party's no longer hears of anything."""
    why = {"gone": "its address answered 410, gone", "failing": "it took nothing for three days"}
    return [
        Concern(
            urgency="attention",
            kind="webhook",
            title="webhook switched off by itself",
            text=f"{row['description'] or row['url']}: {why[row['disabled_why']]}. What happens now is not sent to it.",
            since_at=row["disabled_at"],
            path=f"/settings/webhooks/{row['webhook_id']}",
            action="See it",
        )
        for row in rows
    ]


def station_path(station_id: str) -> str:
    return f"/stations/{quote(station_id, safe='')}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
