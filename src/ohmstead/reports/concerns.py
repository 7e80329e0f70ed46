"""What needs a person, in the words of the task's language, from rows: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, TypeAlias
from urllib.parse import quote

from ohmstead.core.language import N_, _, n_, p_, told
from ohmstead.reports.model import Concern
from ohmstead.reports.security.words import REASONS

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
    "ConnectorLockFailure": N_("The lock does not open or close."),
    "EVCommunicationError": N_("It cannot talk to the car."),
    "GroundFailure": N_("The ground-fault breaker has tripped."),
    "HighTemperature": N_("It is too hot inside."),
    "InternalError": N_("An internal hardware or software fault."),
    "LocalListConflict": N_("Its list of cards disagrees with ours."),
    "OtherError": N_("A fault of another kind."),
    "OverCurrentFailure": N_("Over-current protection has tripped."),
    "OverVoltage": N_("The voltage is too high."),
    "PowerMeterFailure": N_("The electricity meter cannot be read."),
    "PowerSwitchFailure": N_("The power switch does not obey."),
    "ReaderFailure": N_("The card reader does not work."),
    "ResetFailure": N_("It could not restart."),
    "UnderVoltage": N_("The voltage is too low."),
    "WeakSignal": N_("The mobile signal is weak."),
}

_LOST = {
    "gateway_lost": N_("Our gateway stopped while it was connected."),
    "ping_timeout": N_("It stopped answering pings."),
    "timeout": N_("It stopped answering pings."),
}

_SWITCHED_OFF = {
    "gone": N_("%(name)s: its address answered 410, gone. What happens now is not sent to it."),
    "failing": N_("%(name)s: it took nothing for three days. What happens now is not sent to it."),
}


def fault(code: str | None) -> str:
    """What is wrong, in words: `code` is a ChargePointErrorCode, or whatever a station reports instead."""
    if code in (None, "", "NoError"):
        return _("It gives no reason.")
    return _(FAULTS[code]) if code in FAULTS else _("It reports %(code)s.", code=code)


def refusal(reason: str | None) -> str:
    """Why the door stayed shut, in words."""
    return _(REASONS[reason]) if reason in REASONS else (reason or "").replace("_", " ") or _("no reason was noted")


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
    for _place_id, group in groupby(placed, key=lambda r: str(r["location_id"])):
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
    if is_fresh:
        said = _("Lost just now; most come back by themselves.")
    else:
        n = row["n_connectors"]
        said = n_("%(n)s connector cannot be used from here.", "%(n)s connectors cannot be used from here.", n)
    why = _(_LOST.get(row["reason"] or "", "")) if not is_fresh else ""
    return Concern(
        urgency="working" if is_fresh else "failed",
        kind="offline",
        title=_("connection lost") if is_fresh else _("unreachable"),
        text=_sentences(_place_of(row), said, why),
        since_at=row["disconnected_at"],
        path=station_path(row["station_id"]),
        action=p_("a page", "Open"),
        station_id=row["station_id"],
    )


def _offline_together(rows: list[Mapping[str, Any]]) -> Concern:
    spread_s = (rows[-1]["disconnected_at"] - rows[0]["disconnected_at"]).total_seconds()
    seconds = f"{spread_s:.0f}"
    together = (
        _("All lost at once: suspect the site’s uplink or power.")
        if spread_s < 1
        else _("All lost within %(seconds)s s: suspect the site’s uplink or power.", seconds=seconds)
    )
    plugs = n_("%(n)s connector.", "%(n)s connectors.", sum(r["n_connectors"] for r in rows))
    return Concern(
        urgency="failed",
        kind="offline",
        title=n_(
            "%(place)s: %(n)s station unreachable",
            "%(place)s: %(n)s stations unreachable",
            len(rows),
            place=rows[0]["location_name"],
        ),
        text=_sentences(together, plugs),
        since_at=rows[0]["disconnected_at"],
        path=f"/stations?show=offline&location={rows[0]['location_id']}",
        action=_("See them"),
    )


def of_faults(rows: Rows) -> list[Concern]:
    """Connectors out of order."""
    found = []
    for row in rows:
        more = ", ".join(str(row[name]) for name in ("info", "vendor_error_code") if row[name])
        number = row["evse_number"]
        found.append(
            Concern(
                urgency="failed",
                kind="faulted",
                title=_("connector %(number)s out of order", number=number) if number else _("out of order"),
                text=_sentences(_place_of(row), fault(row["error_code"]), more),
                since_at=row["status_at"],
                path=station_path(row["station_id"]),
                action=p_("a page", "Open"),
                station_id=row["station_id"],
            )
        )
    return found


def of_pending(rows: Rows) -> list[Concern]:
    """Stations that wait to be adopted."""
    found = []
    for row in rows:
        what = " ".join(str(row[name]) for name in ("vendor", "model") if row[name])
        what = what or _("An unknown station")
        address = row["remote_address"]
        who = _("%(what)s from %(address)s.", what=what, address=address) if address else f"{what}."
        found.append(
            Concern(
                urgency="attention",
                kind="pending",
                title=_("waits to be adopted"),
                text=_sentences(who, _("It may not charge before you adopt it.")),
                since_at=row["created_at"],
                path=station_path(row["station_id"]),
                action=p_("button", "Decide"),
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
            title=n_(
                "ended %(n)s session that nobody saw begin", "ended %(n)s sessions that nobody saw begin", row["n"]
            ),
            text=_("It names another station's transaction.")
            if row["is_foreign"]
            else _("The start never reached us: energy and token may be missing."),
            since_at=row["last_at"],
            path=f"/sessions?show=orphan&station={quote(row['station_id'])}"
            if row["n"] > 1
            else f"/sessions/{row['session_id']}",
            action=_("See it") if row["n"] == 1 else _("See them"),
            station_id=row["station_id"],
        )
        for row in rows
    ]


def of_refusals(rows: Rows) -> list[Concern]:
    """Who was turned away at the door."""
    found = []
    for row in rows:
        station_id = row["station_id"]
        path, action = "/stations", _("Stations")
        if station_id and row["is_known"]:
            path, action = station_path(station_id), p_("a page", "Open")
        elif station_id:
            path, action = f"/stations/new?station={quote(station_id)}", _("Register it")
        found.append(
            Concern(
                urgency="attention",
                kind="refused",
                title=_("was refused") if station_id else _("a connection without identity was refused"),
                text=_refused(row["n"], row["remote_address"], refusal(row["reason"])),
                since_at=row["last_at"],
                path=path,
                action=action,
                station_id=station_id,
            )
        )
    return found


def _refused(n: int, address: str | None, why: str) -> str:
    if address:
        return n_(
            "Once in the last day from %(address)s: %(why)s.",
            "%(n)s times in the last day from %(address)s: %(why)s.",
            n,
            address=address,
            why=why,
        )
    return n_("Once in the last day: %(why)s.", "%(n)s times in the last day: %(why)s.", n, why=why)


def of_certificates(rows: Rows, now: datetime) -> list[Concern]:
    """Certificates that end soon: roots, which nobody renews by itself, and those of stations that did not ask anew."""
    found = []
    for row in rows:
        days = max(0, (row["not_after"] - now).days)
        station_id = row["station_id"]
        if station_id is None:
            name = row["subject"].removeprefix("CN=")
            ends = n_(
                "The certificate %(name)s ends in %(n)s day.",
                "The certificate %(name)s ends in %(n)s days.",
                days,
                name=name,
            )
            then = _("Contracts and stations under it are refused from then on.")
        else:
            ends = n_("Its certificate ends in %(n)s day.", "Its certificate ends in %(n)s days.", days)
            then = _(
                "It was asked to renew it and has not yet; with security profile 3 it cannot connect from then on."
            )
        found.append(
            Concern(
                urgency="failed" if days < CERTIFICATE_URGENT.days else "attention",
                kind="certificate",
                title=_("certificate ends soon") if station_id else _("a trusted root ends soon"),
                text=_sentences(ends, then),
                since_at=None,
                path=f"{station_path(station_id)}/certificates" if station_id else "/certificates",
                action=_("See it"),
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
            title=_ignores(row["evse_number"], is_certain=row["status"] == "differs"),
            text=_begun(told(row["detail"])) + "." if row["detail"] else _("It allows more than it accepted."),
            since_at=row["since"],
            path=station_path(row["station_id"]) + "/profiles",
            action=p_("a page", "Open"),
            station_id=row["station_id"],
        )
        for row in rows
    ]


def _ignores(evse_number: int, *, is_certain: bool) -> str:
    if evse_number == 0:
        return _("it ignores its charging profile") if is_certain else _("it may ignore its charging profile")
    if is_certain:
        return _("EVSE %(number)s ignores its charging profile", number=evse_number)
    return _("EVSE %(number)s may ignore its charging profile", number=evse_number)


def of_webhooks(rows: Rows) -> list[Concern]:
    """Webhooks that were switched off by themselves: a program of the party's no longer hears of anything."""
    return [
        Concern(
            urgency="attention",
            kind="webhook",
            title=_("webhook switched off by itself"),
            text=_(_SWITCHED_OFF[row["disabled_why"]], name=row["description"] or row["url"]),
            since_at=row["disabled_at"],
            path=f"/settings/webhooks/{row['webhook_id']}",
            action=_("See it"),
        )
        for row in rows
    ]


def station_path(station_id: str) -> str:
    return f"/stations/{quote(station_id, safe='')}"


def _place_of(row: Mapping[str, Any]) -> str:
    return f"{row['location_name']}." if row["location_name"] else ""


def _sentences(*parts: str) -> str:
    """Those that are something, one after the other."""
    return " ".join(part for part in parts if part)


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
