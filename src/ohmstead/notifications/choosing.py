"""Which messages become of one order: over which channels, when, or why not. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.notifications.kinds import CHOOSABLE, KINDS, Kind
from ohmstead.notifications.model import Channel, Reason

MOST_DEVICES = 10


class Quiet(Struct, frozen=True):
    """Quiet hours on the wall of a zone, from inclusive, until exclusive; until before from: over midnight."""

    from_minute: int
    until_minute: int
    zone: ZoneInfo


class Reach(Struct, frozen=True, kw_only=True):
    """How a person can be reached, and what they chose. `devices`: their push subscriptions. `chosen`: by kind, where they
    did choose. `is_written_to`: the order itself names an address, which is where it goes. `is_guest`: who has no account.
    """

    email: str | None = None
    phone: str | None = None
    devices: Sequence[str] = ()
    chosen: Mapping[str, Sequence[Channel]] = {}
    quiet: Quiet | None = None
    is_written_to: bool = False
    is_guest: bool = False


class Planned(Struct, frozen=True, kw_only=True):
    """A message to be: sent at `next_at`, of use until `expires_at`; with a `dropped` it is only kept for the log."""

    channel: Channel
    target: str = ""
    address: str | None = None
    next_at: datetime
    expires_at: datetime
    dropped: Reason | None = None


def choose(kind: Kind, reach: Reach, now: datetime, since: datetime | None = None) -> list[Planned]:
    """What one order comes to. Nothing: the person does not want it. `since`: when it happened, where that was not just now.

    Of the channels that they chose (or the usual ones) those that reach them; where none does, the kind's other ones,
    unless they chose. A wanted message that reaches nobody is planned as dropped, so that the log says why it is missing.
    """
    expires_at = min(since or now, now) + kind.useful_for
    wanted, is_chosen = channels_for(kind, reach)
    if not wanted:
        return []
    targets = _targets(wanted, reach)
    if not targets and not is_chosen:
        targets = _targets(kind.otherwise, reach)
    if not targets:
        return [Planned(channel=wanted[0], next_at=now, expires_at=expires_at, dropped="no_address")]
    next_at = now
    if reach.quiet is not None and not kind.is_urgent:
        next_at = loud_again(reach.quiet, now)
    dropped: Reason | None = None
    if next_at >= expires_at:
        dropped = "too_late" if now >= expires_at else "quiet_hours"
    return [
        Planned(
            channel=channel, target=target, address=address, next_at=next_at, expires_at=expires_at, dropped=dropped
        )
        for channel, target, address in targets
    ]


def channels_for(kind: Kind, reach: Reach) -> tuple[Sequence[Channel], bool]:
    """The channels that a person wants a kind over, and whether they chose so themselves."""
    if kind.is_optional and kind.name in reach.chosen:
        return reach.chosen[kind.name], True
    if reach.is_guest and not kind.for_guests:
        return (), False
    if reach.is_written_to or reach.is_guest:
        # No device of a guest is known, nor whose one is who has an address that is yet to be confirmed.
        return ("email",) if reach.email is not None else ("sms",), False
    return kind.usual, False


def _targets(wanted: Sequence[Channel], reach: Reach) -> list[tuple[Channel, str, str | None]]:
    found: list[tuple[Channel, str, str | None]] = []
    for channel in wanted:
        if channel == "email" and reach.email:
            found.append(("email", "", reach.email))
        elif channel == "sms" and reach.phone:
            found.append(("sms", "", reach.phone))
        elif channel == "push":
            found.extend(("push", device, None) for device in reach.devices[:MOST_DEVICES])
    return found


def is_quiet(quiet: Quiet, at: datetime) -> bool:
    """Whether an instant is within quiet hours. Hours from and until the same are none."""
    local = at.astimezone(quiet.zone)
    minute = local.hour * 60 + local.minute
    begin, end = quiet.from_minute, quiet.until_minute
    if begin <= end:
        return begin <= minute < end
    return minute >= begin or minute < end


def loud_again(quiet: Quiet, at: datetime) -> datetime:
    """The first instant from `at` on that is not within quiet hours, to the wall's clock: days have 23 and 25 hours, too."""
    if not is_quiet(quiet, at):
        return at
    local = at.astimezone(quiet.zone)
    until = time_of_day(*divmod(quiet.until_minute, 60))
    candidates = [
        datetime.combine(local.date() + timedelta(days=days), until, quiet.zone)
        .replace(fold=fold)
        .astimezone(at.tzinfo)
        for days in (0, 1)
        for fold in (0, 1)
    ]
    # Where the wall's clock jumps over the end, the end is the jump: look at the instants around it, too.
    for candidate in sorted(candidates):
        if candidate > at and not is_quiet(quiet, candidate):
            return _earliest(quiet, at, candidate)
    return at + timedelta(days=1)


def _earliest(quiet: Quiet, at: datetime, candidate: datetime) -> datetime:
    """The clock may have jumped out of the quiet hours before: whole minutes back while it is loud there."""
    earlier = candidate - timedelta(minutes=1)
    while earlier > at and not is_quiet(quiet, earlier):
        candidate, earlier = earlier, earlier - timedelta(minutes=1)
    return candidate


def all_channels(chosen: Mapping[str, Sequence[Channel]]) -> dict[str, list[Channel]]:
    """What goes over what, kind by kind, as it would for one who chose so."""
    return {kind.name: list(chosen.get(kind.name, kind.usual)) for kind in CHOOSABLE}


def unknown_kinds(names: Sequence[str]) -> list[str]:
    """Those that drivers cannot choose about."""
    known = {kind.name for kind in CHOOSABLE}
    return sorted(set(names) - known)


def is_wanted(name: str, channel: Channel, reach: Reach) -> bool:
    """Whether a message that waited is still wanted over this channel."""
    kind = KINDS[name]
    wanted, is_chosen = channels_for(kind, reach)
    return channel in wanted or (not is_chosen and channel in kind.otherwise)
