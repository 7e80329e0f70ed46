"""Cars that told what they need get a plan: once for each time that they told, by a job of the worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger
from ohmstead.smartcharging import negotiating, profiles, service, sharing, store
from ohmstead.smartcharging import plan as plans
from ohmstead.smartcharging.model import Electric, HeldLimit, HeldProfile
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import ChargingProfile, Period

log = logger("ohmstead.smartcharging")

MOST_TRIES = 20
_WAIT_S = 20.0
SELF = "system:charging_needs"
LOOK_AHEAD_S = 2 * 86_400  # no car stays longer than its plan looks ahead
REVIEW_JOB = "review_charging_plan"
REVIEW_AFTER_S = 60.0
MUCH = Decimal("1.05")
SEEN_LATELY = timedelta(minutes=5)


async def answer_needs(pool: Pool, desk: CommandDesk, payload: Any, *, shape: plans.Shape = "flat") -> None:
    """Job: a plan for the car, sent to its EVSE for its transaction (K15).

    What the station leaves for it counts: see `room_for`.
    Its profile keeps its id however often this runs, and a car that asks anew (K17) gets the same profile renewed: the
    station never holds two.
    """
    needs_id, tries = UUID(payload["needs_id"]), int(payload["tries"])
    async with pool.acquire() as conn, conn.transaction():
        waiting = await store.lock_waiting(conn, needs_id)
        if waiting is None:
            return
        if waiting.transaction_id is None:
            if tries < MOST_TRIES:
                await service.plan_needs(conn, str(needs_id), tries + 1)
            else:
                await store.save_plan(conn, needs_id, "impossible", detail="no transaction began at the outlet")
            return
        # Two cars at one station are planned one after the other: the second one sees what the first one was given.
        await store.lock_station(conn, waiting.station_id)
        make = await service.make_of(conn, desk.book, waiting.station_id)
        planned, is_short, electric = await _profile(conn, make, waiting, clock.now(), shape)
        profile, decided_by = await negotiating.for_negotiation(conn, waiting, planned, electric, make.features)
        if profile is None:
            await store.save_plan(conn, needs_id, "impossible", detail="the car and the outlet have no power in common")
            return
        await store.save_plan(
            conn,
            needs_id,
            "received",
            transaction_id=waiting.transaction_id,
            profile_id=profile.profile_id,
            plan=profile.schedules[0],
        )
        if is_short and decided_by is None and tries == 0:
            await _review_later(conn, needs_id)
    try:
        is_answered = await _send(pool, desk, waiting, profile, decided_by)
    except service.Misfit as misfit:
        async with pool.acquire() as conn, conn.transaction():
            await store.save_plan(conn, needs_id, "refused", detail=misfit.text)
        return
    log.info("car_planned", station_id=waiting.station_id, is_answered=is_answered, profile_id=profile.profile_id)
    if not is_answered:
        async with pool.acquire() as conn, conn.transaction():
            if tries < MOST_TRIES:
                await service.plan_needs(conn, str(needs_id), tries + 1)
            else:
                await store.save_plan(conn, needs_id, "refused", detail="the station did not answer")


async def _send(
    pool: Pool, desk: CommandDesk, waiting: store.Waiting, profile: ChargingProfile, decided_by: str | None
) -> bool:
    """Whether the station answered. A dynamic profile that it holds is told its new values, and set anew only where it
    refuses those (K20). Raises Misfit."""
    to: dict[str, Any] = {
        "party_id": waiting.party_id,
        "station_id": waiting.station_id,
        "requested_by": SELF,
        "timeout_s": _WAIT_S,
    }
    async with pool.acquire() as conn:
        before = await store.find_profile(conn, waiting.station_id, profile.profile_id)
    if before is not None and before.status == "held" and before.profile.timing == profile.timing == "dynamic":
        limits = profiles.limits_of(profile)
        command = await service.update_dynamic(pool, desk, profile_id=profile.profile_id, limits=limits, **to)
        if command.status in ("accepted", "timed_out", "offline"):
            return command.status == "accepted"
    held, _ = await service.set_profile(
        pool, desk, evse_number=waiting.evse_number, profile=profile, set_by=decided_by, **to
    )
    return held.status != "unknown"


async def review(pool: Pool, desk: CommandDesk, payload: Any, *, shape: plans.Shape = "flat") -> None:
    """Job: a car that was given less than it needs, for want of room, is given more when there is; as long as it charges."""
    needs_id, now = UUID(payload["needs_id"]), clock.now()
    async with pool.acquire() as conn, conn.transaction():
        waiting = await store.lock_waiting(conn, needs_id, is_planned=True)
        if waiting is None or waiting.transaction_id is None or waiting.plan is None:
            return
        await store.lock_station(conn, waiting.station_id)
        make = await service.make_of(conn, desk.book, waiting.station_id)
        profile, is_short, outlet = await _profile(conn, make, waiting, now, shape)
        if profile is None:
            return
        [before, *_] = sharing.steps_of(waiting.plan, outlet, now, now)
        [after, *_] = sharing.steps_of(profile.schedules[0], outlet, now, now)
        if before.limit is not None and after.limit is not None and not _is_worth_it(before.limit, after.limit):
            if is_short:
                await _review_later(conn, needs_id)
            return
        await store.save_plan(conn, needs_id, "received")
        await service.plan_needs(conn, str(needs_id))


def _is_worth_it(before_w: Decimal, after_w: Decimal) -> bool:
    """A station is not bothered about a few watts more; less is less."""
    return after_w < before_w or after_w > before_w * MUCH + 100


async def _review_later(conn: Connection, needs_id: UUID) -> None:
    await jobs.enqueue(conn, REVIEW_JOB, {"needs_id": str(needs_id)}, after_s=REVIEW_AFTER_S)


async def _profile(
    conn: Connection, make: service.Make, waiting: store.Waiting, now: datetime, shape: plans.Shape
) -> tuple[ChargingProfile | None, bool, Electric]:
    """A plan as a profile, whether it is less than the car would get alone, and the outlet as the car uses it."""
    outlet = await service.electric_of(conn, waiting.station_id, waiting.evse_number)
    room = await room_for(conn, waiting.station_id, waiting.evse_number, now, is_obeyed=not _is_vain(make))
    electric = service.for_car(outlet, waiting.needs)
    schedule = plans.plan(waiting.needs, electric, make.features, now, shape=shape, ceiling=room)
    alone = plans.plan(waiting.needs, electric, make.features, now, shape=shape)
    if schedule is None or alone is None:
        return None, False, electric
    is_short = (schedule.periods[0].limit or 0) < (alone.periods[0].limit or 0)
    assert waiting.transaction_id is not None
    profile_id = waiting.profile_id or await store.earlier_profile_id(
        conn, waiting.station_id, waiting.evse_number, waiting.transaction_id
    )
    profile = ChargingProfile(
        profile_id=profile_id or await store.next_profile_id(conn),
        purpose="session",
        timing="absolute",
        stack_level=make.features.least_stack_level or 0,
        transaction_id=waiting.transaction_id,
        schedules=(schedule,),
    )
    return profile, is_short, electric


def _is_vain(make: service.Make) -> bool:
    return make.effects.accepts_profiles_in_vain


async def room_for(
    conn: Connection, station_id: str, evse_number: int, now: datetime, *, is_obeyed: bool = True
) -> tuple[Period, ...]:
    """What is left for a car at an outlet: limits that others set, the station's maximum less what its other cars take.

    A car with a plan takes what that allows, one without it what its default profile allows, else what it was seen to
    draw a moment ago, else all that its outlet has. `is_obeyed` False: plans at this station count for nothing.
    """
    limits = await store.list_limits(conn, station_id)
    held = await store.list_held(conn, station_id)
    wiring = await store.find_wiring(conn, station_id, 0)
    whole = [sharing.steady(wiring.max_power_w if wiring is not None else None)]
    grid = await service.electric_of(conn, station_id, 0)
    whole.append(_held_limit(held, 0, grid, now, ("station_max", "external")))
    whole += _others(limits, 0, grid, now)
    own_wiring = await service.electric_of(conn, station_id, evse_number)
    own = [
        *_others(limits, evse_number, own_wiring, now),
        _held_limit(held, evse_number, own_wiring, now, ("external",)),
    ]
    taken = []
    for other in await store.list_takers(conn, station_id, evse_number):
        outlet = await service.electric_of(conn, station_id, other.evse_number or 0)
        bounds = [sharing.steady(outlet.max_power_w)]
        if other.evse_number is not None:
            bounds += _others(limits, other.evse_number, outlet, now)
        if is_obeyed and other.plan is not None:
            bounds.append(sharing.steps_of(other.plan, outlet, now, now))
        elif is_obeyed and (default := _default(held, other, outlet, now))[0].limit is not None:
            bounds.append(default)
        elif other.power_w is not None and other.power_at is not None and now - other.power_at <= SEEN_LATELY:
            bounds.append(sharing.steady(other.power_w))
        taken.append(sharing.tightest(bounds))
    return sharing.ceiling(own, whole, taken)


def _default(held: Sequence[HeldProfile], other: store.Taker, outlet: Electric, now: datetime) -> tuple[Period, ...]:
    return _held_limit(held, other.evse_number or 0, outlet, now, ("session_default",), other.started_at)


def _held_limit(
    held: Sequence[HeldProfile],
    evse_number: int,
    electric: Electric,
    now: datetime,
    purposes: Sequence[str],
    transaction_at: datetime | None = None,
) -> tuple[Period, ...]:
    """What profiles of some purposes come to over the next days."""
    of_them = [one for one in held if one.profile.purpose in purposes]
    return profiles.expected(of_them, evse_number, electric, now, LOOK_AHEAD_S, transaction_at=transaction_at)


def _others(
    limits: Sequence[HeldLimit], evse_number: int, electric: Electric, now: datetime
) -> list[tuple[Period, ...]]:
    """Limits that somebody else set at an outlet, or at the whole station; one without a schedule says nothing."""
    return [
        sharing.steps_of(schedule, electric, limit.since, now)
        for limit in limits
        if limit.evse_number == evse_number
        for schedule in limit.schedules
    ]
