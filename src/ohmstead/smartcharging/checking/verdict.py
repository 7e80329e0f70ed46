"""What a station says it would deliver, and what is seen of it, beside what the profiles that it accepted allow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ohmstead.core.language import R_
from ohmstead.smartcharging import profiles
from ohmstead.smartcharging.checking.model import Difference, Running, Verdict
from ohmstead.smartcharging.model import Composite, Electric, HeldProfile
from ohmstead.stations.orders import Period

TOLERANCE_W = Decimal(100)  # stations round: a tenth of an ampere on three phases is 69 W
LASTS_S = 60  # clocks and boundaries are off by seconds; what is over in a minute is no difference
SETTLES = timedelta(seconds=30)  # a car follows a new limit within seconds
FRESH = timedelta(minutes=5)
OVER = Decimal("1.1")
_OF_GRID = ("station_max", "external")
MOST_SHOWN = 20


def own_share(held: Sequence[HeldProfile], evse_number: int) -> list[HeldProfile]:
    """The profiles that count at an EVSE; at the grid connection only those of the whole station."""
    return [one for one in held if evse_number or one.profile.purpose in _OF_GRID]


def of_composite(
    held: Sequence[HeldProfile],
    composite: Composite,
    electric: Electric,
    running: Running | None,
) -> Verdict:
    """Compare what a station told with what it accepted. What it allows less is its own affair.

    Default profiles are for cars: without one, a station may leave them out, and is asked again when one charges.
    """
    mine = own_share(held, composite.evse_number)
    told = _in_watts(composite, electric)
    found = _lasting(mine, composite, told, electric, running)
    if not found:
        return Verdict(status="same")
    if running is None and not _lasting(_without_defaults(mine), composite, told, electric, None):
        return Verdict(status="waits", detail=R_("it leaves out the default profile while no car charges"))
    return Verdict(
        status="differs",
        detail=_in_words(found[0]),
        differences=tuple(found[:MOST_SHOWN]),
    )


def of_power(
    held: Sequence[HeldProfile], evse_number: int, electric: Electric, running: Running | None, now: datetime
) -> Verdict | None:
    """What a car draws beside what it is allowed; None when that cannot be told."""
    if running is None or running.power_w is None or running.power_at is None or not evse_number:
        return None
    mine = own_share(held, evse_number)
    newest = max((one.confirmed_at or one.set_at for one in mine), default=None)
    if newest is None or running.power_at < newest + SETTLES or now - running.power_at > FRESH:
        return None
    [first, *_] = profiles.expected(
        mine,
        evse_number,
        electric,
        running.power_at,
        1,
        transaction_id=running.transaction_id,
        transaction_at=running.started_at,
    )
    if first.limit is None:
        return None
    if running.power_w <= first.limit * OVER + TOLERANCE_W:
        return Verdict(status="same", detail=R_("seen: the car draws no more than it is allowed"))
    difference = Difference(at_s=0, expected_w=first.limit, told_w=running.power_w)
    draws, allowed = _kilowatts(running.power_w), _kilowatts(first.limit)
    return Verdict(
        status="differs",
        detail=R_(f"a car draws {draws} where {allowed} is allowed"),
        differences=(difference,),
    )


def _without_defaults(held: Sequence[HeldProfile]) -> list[HeldProfile]:
    return [one for one in held if one.profile.purpose != "session_default"]


def _lasting(
    held: Sequence[HeldProfile],
    composite: Composite,
    told: Sequence[Period],
    electric: Electric,
    running: Running | None,
) -> list[Difference]:
    duration_s = composite.duration_s
    ours = profiles.expected(
        held,
        composite.evse_number,
        electric,
        composite.starts_at,
        duration_s,
        transaction_id=running.transaction_id if running is not None else None,
        transaction_at=running.started_at if running is not None else None,
    )
    found = []
    for at_s, our, their in profiles.differences(ours, told, duration_s, TOLERANCE_W):
        later_s = at_s + LASTS_S
        if later_s < duration_s and _is_more(profiles.limit_at(told, later_s), profiles.limit_at(ours, later_s)):
            found.append(Difference(at_s=at_s, expected_w=our, told_w=their))
    return found


def _is_more(their: Decimal | None, our: Decimal | None) -> bool:
    return our is not None and (their is None or their > our + TOLERANCE_W)


def _in_watts(composite: Composite, electric: Electric) -> list[Period]:
    return [
        Period(
            start_s=period.start_s,
            limit=period.limit
            if period.limit is None or composite.rate_unit == "W"
            else profiles.to_watts(period.limit, electric, period.n_phases),
        )
        for period in composite.periods
    ]


def _in_words(found: Difference) -> str:
    assert found.expected_w is not None
    accepted = _kilowatts(found.expected_w)
    told = R_("no limit") if found.told_w is None else _kilowatts(found.told_w)
    return R_(f"it accepted {accepted} and says it would deliver {told}")


def _kilowatts(watts: Decimal) -> str:
    return f"{float(watts) / 1000:.1f} kW"
