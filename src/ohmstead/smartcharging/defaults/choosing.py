"""Which safe limit counts at which outlet, as which profile, and whether the station has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ohmstead.smartcharging.defaults.model import Held, SafeLimit, Subject
from ohmstead.smartcharging.model import Electric, HeldProfile
from ohmstead.smartcharging.profiles import as_taken
from ohmstead.stations.device.drift import fits
from ohmstead.stations.features import Features
from ohmstead.stations.orders import ChargingProfile, Period, Schedule

SET_BY = "system:safe_limits"


def applies(limit: SafeLimit, subject: Subject) -> bool:
    """Does it fit the station?"""
    return (
        limit.is_enabled
        and fits(limit.vendor, subject.vendor)
        and fits(limit.model, subject.model)
        and fits(limit.firmware, subject.firmware)
        and (limit.location_id is None or limit.location_id == subject.location_id)
        and (limit.station_ids is None or subject.station_id in limit.station_ids)
    )


def wanted(limits: Iterable[SafeLimit], subject: Subject, outlets: Sequence[int]) -> dict[int, SafeLimit]:
    """By EVSE, 0 for all of them. The higher priority wins; of two equal ones that of the EVSE, then the name that comes
    first.

    Where one EVSE has a limit of its own, every EVSE gets its own: OCPP 2.x refuses a default at 0 beside one of the
    same level at an EVSE (K01.FR.52, 53).
    """
    fitting = sorted(
        (one for one in limits if applies(one, subject)),
        key=lambda one: (-one.priority, one.evse_number is None, one.name),
    )
    if all(one.evse_number is None for one in fitting):
        return {0: fitting[0]} if fitting else {}
    numbers = outlets or sorted({one.evse_number for one in fitting if one.evse_number is not None})
    found = {}
    for number in numbers:
        winner = next((one for one in fitting if one.evse_number in (None, number)), None)
        if winner is not None:
            found[number] = winner
    return found


def profile_of(limit: SafeLimit, profile_id: int, features: Features, electric: Electric) -> ChargingProfile:
    """At the lowest level that the station takes, so that every other default profile stands above it."""
    profile = ChargingProfile(
        profile_id=profile_id,
        purpose="session_default",
        timing="relative",
        stack_level=features.least_stack_level or 0,
        schedules=(Schedule(rate_unit=limit.rate_unit, periods=(Period(start_s=0, limit=limit.limit),)),),
    )
    return as_taken(profile, features, electric)


def is_same(one: ChargingProfile, other: ChargingProfile) -> bool:
    """Do they say the same? What a station adds when it reports a profile (ids, instants) does not matter."""
    return _gist(one) == _gist(other)


def _gist(profile: ChargingProfile) -> object:
    [first, *more] = profile.schedules
    periods = [(p.start_s, p.limit, p.n_phases or 3) for p in first.periods]
    return profile.purpose, profile.stack_level, profile.timing, first.rate_unit, periods, first.duration_s, len(more)


def rival(profile: ChargingProfile, evse_number: int, held: Sequence[HeldProfile]) -> HeldProfile | None:
    """A default profile of somebody else's that this one would meet, and in OCPP 1.6 replace."""
    for other in held:
        one = other.profile
        if one.profile_id == profile.profile_id or other.set_by == SET_BY or other.evse_number != evse_number:
            continue
        if (one.purpose, one.stack_level) == (profile.purpose, profile.stack_level):
            return other
    return None


def compared(want: dict[int, tuple[SafeLimit, ChargingProfile]], ours: Sequence[HeldProfile]) -> list[Held]:
    """What the station is to keep beside what it has, by EVSE. `ours`: the profiles that came from here, of any status."""
    found = []
    by_evse = {one.evse_number: one for one in ours}
    for number, (limit, profile) in sorted(want.items()):
        has = by_evse.get(number)
        state = "missing"
        if has is not None and has.status == "held":
            state = "same" if is_same(has.profile, profile) else "differs"
        elif has is not None and has.status in ("refused", "unknown") and is_same(has.profile, profile):
            state = has.status
        found.append(
            Held(
                evse_number=number,
                safe_limit_id=limit.safe_limit_id,
                name=limit.name,
                limit=limit.limit,
                rate_unit=limit.rate_unit,
                state=state,  # type: ignore[arg-type]
                profile_id=has.profile.profile_id if has is not None else None,
                detail=has.detail if has is not None and state not in ("same", "missing") else None,
            )
        )
    for one in ours:
        if one.evse_number not in want and one.status in ("held", "sent"):
            found.append(_stray(one))
    return found


def _stray(one: HeldProfile) -> Held:
    [schedule, *_] = one.profile.schedules
    return Held(
        evse_number=one.evse_number,
        safe_limit_id=None,
        name=None,
        limit=schedule.periods[0].limit,
        rate_unit=schedule.rate_unit,
        state="differs",
        profile_id=one.profile.profile_id,
        detail="no safe limit wants it any more: it is to be cleared",
    )
