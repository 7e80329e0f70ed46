"""How states look: tone, icon and word for each, so that colour is never the only sign."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.core.language import N_

Tone: TypeAlias = Literal["ok", "working", "attention", "failed", "off"]


class Look(Struct, frozen=True):
    """One state on a page. `tone` is a class of the style sheet, `icon` a symbol of icons.svg."""

    tone: Tone
    icon: str
    word: str
    group: str = ""


# A connector's state as the reports work it out: what the station says, what its session does, and whether it is heard.
CONNECTORS: dict[str, Look] = {
    "available": Look("ok", "ok", "Free", "free"),
    "preparing": Look("working", "hand", "Preparing", "in_use"),
    "charging": Look("working", "working", "Charging", "charging"),
    "suspended_ev": Look("working", "hand", "Paused by car", "in_use"),
    "suspended_evse": Look("attention", "hand", "Paused by station", "in_use"),
    "finishing": Look("working", "hand", "Finishing", "in_use"),
    "connected": Look("working", "hand", "Plugged in", "in_use"),
    "idle": Look("working", "hand", "Idle", "in_use"),
    "occupied": Look("working", "hand", "Occupied", "in_use"),
    "reserved": Look("working", "hand", "Reserved", "in_use"),
    "unavailable": Look("off", "off", "Out of service", "out_of_service"),
    "faulted": Look("failed", "failed", "Out of order", "faulted"),
    "offline": Look("off", "off", "Unreachable", "offline"),
    "unknown": Look("off", "off", "Not reported", "offline"),
}

# Ribbon, legend and timeline: group → tone, drawn light or full, words.
GROUPS: dict[str, tuple[Tone, bool, str]] = {
    "free": ("ok", True, N_("free")),
    "charging": ("working", False, N_("charging")),
    "in_use": ("working", True, N_("in use")),
    "out_of_service": ("off", True, N_("out of service")),
    "faulted": ("failed", False, N_("out of order")),
    "offline": ("off", False, N_("unreachable")),
}

DELIVERIES: dict[str, Look] = {
    "waiting": Look("working", "working", "Waiting"),
    "delivered": Look("ok", "ok", "Taken"),
    "failed": Look("failed", "failed", "Given up"),
}

MESSAGES: dict[str, Look] = {
    "queued": Look("working", "working", N_("Waiting")),
    "sending": Look("working", "working", N_("Waiting")),
    "sent": Look("ok", "ok", N_("Sent")),
    "failed": Look("failed", "failed", N_("Failed")),
    "dropped": Look("off", "off", N_("Not sent")),
}

STATIONS: dict[str, Look] = {
    "online": Look("ok", "ok", "Online"),
    "offline": Look("failed", "off", "Offline"),
    "never": Look("off", "off", "Never seen"),
    "pending": Look("attention", "attention", "Waits for you"),
    "rejected": Look("off", "off", "Rejected"),
    "retired": Look("off", "off", "Retired"),
}

# Tokens, and drivers who hold them.
HOLDERS: dict[str, Look] = {
    "active": Look("ok", "ok", "May charge"),
    "blocked": Look("failed", "stop", "Blocked"),
    "erased": Look("off", "off", "Erased"),
}

SESSIONS: dict[str, Look] = {
    "pending": Look("working", "hand", "Waiting to charge"),
    "active": Look("working", "working", "Charging"),
    "closing": Look("working", "hand", "Waiting for messages"),
    "completed": Look("ok", "ok", "Completed"),
    "invalid": Look("attention", "attention", "Orphan"),
}

COMMANDS: dict[str, Look] = {
    "waiting": Look("off", "hand", "Waits its turn"),
    "queued": Look("working", "hand", "Queued until it connects"),
    "sending": Look("working", "hand", "On its way"),
    "sent": Look("working", "hand", "Sent, no answer yet"),
    "accepted": Look("ok", "ok", "Accepted"),
    "rejected": Look("failed", "failed", "Rejected"),
    "failed": Look("failed", "failed", "Failed"),
    "timed_out": Look("attention", "attention", "No answer in time"),
    "offline": Look("failed", "off", "Station offline"),
    "expired": Look("attention", "attention", "Expired"),
    "cancelled": Look("off", "off", "Cancelled"),
}

ROLLOUTS: dict[str, Look] = {
    "running": Look("working", "working", "Running"),
    "paused": Look("attention", "hand", "Paused"),
    "halted": Look("failed", "failed", "Halted"),
    "finished": Look("ok", "ok", "Finished"),
    "cancelled": Look("off", "off", "Cancelled"),
}

# A station's place in a rollout, and a job in which it fetches or sends a file.
FILES: dict[str, Look] = {
    "waiting": Look("off", "hand", "Waiting"),
    "ordering": Look("working", "hand", "Being told"),
    "running": Look("working", "working", "At it"),
    "skipped": Look("off", "off", "Left out"),
    "ordered": Look("working", "hand", "Told"),
    "scheduled": Look("working", "hand", "Scheduled"),
    "downloading": Look("working", "working", "Fetching"),
    "downloaded": Look("working", "working", "Fetched"),
    "verified": Look("working", "working", "Verified"),
    "installing": Look("working", "working", "Installing"),
    "rebooting": Look("working", "working", "Restarting"),
    "reported": Look("working", "hand", "Says installed"),
    "installed": Look("ok", "ok", "Installed"),
    "old_version": Look("failed", "failed", "Came back old"),
    "published": Look("ok", "ok", "Published"),
    "unpublished": Look("off", "off", "Withdrawn"),
    "uploading": Look("working", "working", "Sending"),
    "received": Look("working", "ok", "Received"),
    "done": Look("ok", "ok", "Done"),
    "failed": Look("failed", "failed", "Failed"),
    "superseded": Look("off", "off", "Superseded"),
}

CERTIFICATES: dict[str, Look] = {
    "issued": Look("working", "ok", "Issued"),
    "active": Look("ok", "ok", "In use"),
    "rejected": Look("failed", "failed", "Not taken"),
    "revoked": Look("off", "off", "Revoked"),
    "expired": Look("failed", "failed", "Expired"),
}

# API keys.
KEYS: dict[str, Look] = {
    "good": Look("ok", "ok", "Good"),
    "soon": Look("attention", "attention", "Ends soon"),
    "over": Look("off", "off", "Over"),
    "revoked": Look("off", "off", "Revoked"),
}

BULKS: dict[str, Look] = {
    "running": Look("working", "working", "Under way"),
    "done": Look("ok", "ok", "Over"),
    "cancelled": Look("off", "off", "Cancelled"),
}

UNKNOWN = Look("off", "off", "Not reported")


def connector(state: str | None) -> Look:
    return CONNECTORS.get(state or "unknown", UNKNOWN)


def session(status: str, charging_state: str | None = None) -> Look:
    """An open session looks like what its car does; an ended one like its end."""
    if status == "active" and charging_state in ("suspended_ev", "suspended_evse", "connected", "idle"):
        return CONNECTORS[charging_state]
    return SESSIONS.get(status, UNKNOWN)


def file(status: str) -> Look:
    return FILES.get(status, UNKNOWN)


def command(status: str) -> Look:
    return COMMANDS.get(status, UNKNOWN)


def certificate(status: str) -> Look:
    return CERTIFICATES.get(status, UNKNOWN)


def delivery(status: str) -> Look:
    return DELIVERIES.get(status, UNKNOWN)


def message(status: str) -> Look:
    """How far a message to somebody is."""
    return MESSAGES.get(status, UNKNOWN)


def channel(is_on: bool) -> Look:
    """Whether the installation can send over it."""
    return Look("ok", "ok", N_("On")) if is_on else Look("off", "off", N_("Not set up"))


def webhook(is_enabled: bool, disabled_why: str | None, failing_since: object) -> Look:
    """Whether a webhook works."""
    if not is_enabled:
        return Look("off", "off", "Off") if disabled_why == "by_hand" else Look("failed", "failed", "Off by itself")
    return Look("attention", "attention", "Not taken") if failing_since else Look("ok", "ok", "On")


def bulk(status: str) -> Look:
    return BULKS.get(status, UNKNOWN)
