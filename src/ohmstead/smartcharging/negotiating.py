"""What cars say about power is answered here: what they need, and which schedule they chose (ISO 15118, K15–K20, Q01)."""

from __future__ import annotations

from ohmstead.core.db import Connection
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.smartcharging import negotiation, service, store, transfer
from ohmstead.smartcharging.model import (
    Electric,
    EvScheduleReport,
    HeldProfile,
    Needs,
    NeedsAnswer,
    NeedsReport,
    NeedsStatus,
)
from ohmstead.stations.features import Features
from ohmstead.stations.orders import ChargingProfile

log = logger("ohmstead.smartcharging")

_KEPT_AS: dict[NeedsAnswer, NeedsStatus] = {
    "accepted": "received",
    "processing": "received",
    "refused": "refused",
    "free": "free",
}


async def hear_needs(conn: Connection, report: NeedsReport) -> tuple[NeedsAnswer, str | None]:
    """Keep what a car wants; what it is answered, and why it is refused. A plan follows unless it is refused or free."""
    talk = await store.find_talk(conn, report.station_id, report.evse_number)
    answer, reason = transfer.answer(report.needs, permission(talk))
    needs_id = new_id()
    await store.insert_needs(conn, needs_id, report, _KEPT_AS[answer], reason)
    if _KEPT_AS[answer] == "received":
        await service.tell(conn, "ChargingNeedsReported", report.station_id, report.party_id, needs_id=str(needs_id))
    return answer, reason


async def hear_schedule(conn: Connection, report: EvScheduleReport) -> str | None:
    """Keep the schedule that a car chose; None when it is within the limits of its outlet.

    Otherwise why it is rejected, and the car gets its profile once more, which has it choose anew (K16): a few times,
    then it is left to the station to hold its limits.
    """
    talk = await store.find_talk(conn, report.station_id, report.evse_number)
    await store.save_ev_schedule(conn, report)
    electric = await service.electric_of(conn, report.station_id, report.evse_number)
    if talk.needs is not None:
        electric = service.for_car(electric, talk.needs)
    held = await store.list_held(conn, report.station_id)
    found = negotiation.excess(report, held, electric, talk.transaction_id, talk.transaction_at)
    if found is None:
        return None
    reason = f"{found.wanted_w:.0f} W from second {found.at_s} on, where {found.allowed_w:.0f} W are allowed"
    if talk.needs_id is not None:
        n_rejected = await store.reject_ev_schedule(conn, talk.needs_id, f"the car chose {reason}")
        if n_rejected <= negotiation.MOST_REJECTED:
            await service.plan_needs(conn, str(talk.needs_id))
    log.info("car_chose_too_much", station_id=report.station_id, evse_number=report.evse_number, reason=reason)
    return reason


def permission(talk: store.Talk) -> transfer.Permission:
    """What the session at an outlet may do."""
    return transfer.Permission(may_discharge=talk.may_discharge, ways=talk.ways)


async def standing(conn: Connection, station_id: str, evse_number: int, transaction_id: str) -> HeldProfile | None:
    """The profile that somebody, not we ourselves, decided on for a session: it stands when its car asks anew."""
    given = [
        held
        for held in await store.list_held(conn, station_id)
        if (held.status, held.evse_number, held.profile.transaction_id) == ("held", evse_number, transaction_id)
        and not held.set_by.startswith(("system:", "station:"))
    ]
    return max(given, key=lambda held: held.profile.stack_level, default=None)


async def for_negotiation(
    conn: Connection,
    waiting: store.Waiting,
    profile: ChargingProfile | None,
    electric: Electric,
    features: Features,
) -> tuple[ChargingProfile | None, str | None]:
    """What the car is really sent instead of its plan, and who decided on it when that was not we."""
    needs: Needs = waiting.needs
    talk = await store.find_talk(conn, waiting.station_id, waiting.evse_number)
    may_flow_back = transfer.may_flow_back(needs, permission(talk))
    assert waiting.transaction_id is not None
    decided = await standing(conn, waiting.station_id, waiting.evse_number, waiting.transaction_id)
    if decided is not None:
        return negotiation.renewed(decided.profile, needs, electric, may_flow_back=may_flow_back), decided.set_by
    if profile is None:
        return None, None
    if needs.is_bidirectional:
        profile = negotiation.charging_only(profile)
    if needs.control == "dynamic" and features.supports_dynamic is not False:
        profile = negotiation.dynamic(profile)
    return profile, None
