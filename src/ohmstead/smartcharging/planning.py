"""Cars that told what they need get a plan: once for each time that they told, by a job of the worker."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger
from ohmstead.smartcharging import negotiating, profiles, service, store
from ohmstead.smartcharging import plan as plans
from ohmstead.smartcharging.model import Electric
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import ChargingProfile

log = logger("ohmstead.smartcharging")

MOST_TRIES = 20
_WAIT_S = 20.0
SELF = "system:charging_needs"


async def answer_needs(pool: Pool, desk: CommandDesk, payload: Any, *, shape: plans.Shape = "flat") -> None:
    """Job: a plan for the car, sent to its EVSE for its transaction (K15).

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
        electric = service.for_car(
            await service.electric_of(conn, waiting.station_id, waiting.evse_number), waiting.needs
        )
        planned = await _profile(conn, waiting, electric, clock.now(), shape)
        profile, decided_by = await negotiating.for_negotiation(conn, waiting, planned, electric)
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


async def _profile(
    conn: Connection, waiting: store.Waiting, electric: Electric, now: datetime, shape: plans.Shape
) -> ChargingProfile | None:
    features = await service.features_of(conn, waiting.station_id)
    schedule = plans.plan(waiting.needs, electric, features, now, shape=shape)
    if schedule is None:
        return None
    assert waiting.transaction_id is not None
    profile_id = waiting.profile_id or await store.earlier_profile_id(
        conn, waiting.station_id, waiting.evse_number, waiting.transaction_id
    )
    return ChargingProfile(
        profile_id=profile_id or await store.next_profile_id(conn),
        purpose="session",
        timing="absolute",
        stack_level=0,
        transaction_id=waiting.transaction_id,
        schedules=(schedule,),
    )
