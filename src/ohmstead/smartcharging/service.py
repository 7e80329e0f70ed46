"""Profiles at stations: given, taken away, asked for, and what stations say about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, NotFound, OhmsteadError
from ohmstead.core.events import Event, record
from ohmstead.smartcharging import profiles, store
from ohmstead.smartcharging.model import (
    CompositeReport,
    Electric,
    HeldProfile,
    LimitReport,
    Needs,
    PriorityReport,
    ProfilesReport,
    SmartReport,
    UpdatePull,
)
from ohmstead.stations import rules
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.device import upkeep
from ohmstead.stations.features import Features
from ohmstead.stations.orders import (
    ChargingProfile,
    ClearProfiles,
    CompositeSchedule,
    GetProfiles,
    Limits,
    Period,
    SetProfile,
    UpdateSchedule,
)
from ohmstead.stations.orders.charging import EnergyTransfer
from ohmstead.stations.orders.form import RateUnit
from ohmstead.stations.profile_rules import Fault
from ohmstead.stations.queries import require_station
from ohmstead.stations.quirks.book import QuirkBook
from ohmstead.stations.quirks.narrowing import narrowed
from ohmstead.stations.quirks.profiles import NOTHING, Effects

KINDS = ("CommandAnswered", "ChargingNeedsReported", "SessionStarted", "SessionEnded", "StationConnected")
ONE_PHASE_W = 7400  # 32 A at 230 V
PLAN_JOB = "answer_charging_needs"
_ABOUT_PROFILES = frozenset({"set_profile", "clear_profiles", "update_schedule"})
SAFE_LIMIT_DUTY = "safe_limit"
CHECK_DUTY = "profile_check"
CHECK_AFTER_S = 10.0  # it may need a moment before it reckons with what it just took
PLAN_AGAIN_AFTER_S = 3.0  # the transaction may not be told of yet, or the station did not answer


class Misfit(OhmsteadError):
    """A profile that the station cannot hold. `faults`: fields and the rules they break."""

    def __init__(self, faults: list[Fault]) -> None:
        text = "; ".join(f"{field}: {rule}" for field, rule in faults)
        super().__init__(text, faults=[list(fault) for fault in faults])
        self.faults = faults


class Make(msgspec.Struct, frozen=True):
    """What profiles have to reckon with at a station: what it can hold, and what is known of its make."""

    party_id: UUID
    features: Features
    effects: Effects = NOTHING
    firmware: str | None = None


async def make_of(conn: Connection, book: QuirkBook, station_id: str) -> Make:
    """What a station can hold, as far as it ever told and as its make is known. Raises NotFound."""
    wiring = await store.find_wiring(conn, station_id, 0)
    if wiring is None:
        raise NotFound(f"no station {station_id}")
    version = wiring.ocpp_version or "1.6"
    told = (await stations.list_features(conn, {station_id: version}))[station_id]
    effects = book.effects(
        vendor=wiring.vendor, model=wiring.model, firmware=wiring.firmware_version, version=wiring.ocpp_version
    )
    return Make(wiring.party_id, narrowed(told, effects), effects or NOTHING, wiring.firmware_version)


async def electric_of(conn: Connection, station_id: str, evse_number: int) -> Electric:
    """How an outlet is wired, as far as it is registered or reported."""
    wiring = await store.find_wiring(conn, station_id, evse_number)
    names = (f"EVSE@{evse_number}.SupplyPhases", f"EVSE@{evse_number}.Power")
    told = await store.told_by(conn, station_id, names)
    most_w = wiring.max_power_w if wiring is not None else None
    # No outlet of so little power was ever wired to three phases at 32 A: amperes are not to become too many watts.
    likely = 1 if most_w is not None and most_w <= ONE_PHASE_W else 3
    phases = told.get(names[0], "")
    return Electric(
        is_dc=wiring is not None and wiring.current_type == "DC",
        n_phases=int(phases) if phases in ("1", "2", "3") else likely,
        max_power_w=most_w,
    )


def for_car(electric: Electric, needs: Needs) -> Electric:
    """The outlet as this car uses it: on as many phases, at the voltage it charges with."""
    return msgspec.structs.replace(
        electric,
        is_dc=needs.is_dc,
        n_phases=1 if needs.is_dc else min(needs.n_phases, electric.n_phases),
        voltage_v=needs.voltage_v if needs.is_dc and needs.voltage_v else electric.voltage_v,
    )


async def set_profile(
    pool: Pool,
    desk: CommandDesk,
    *,
    party_id: UUID,
    station_id: str,
    evse_number: int,
    profile: ChargingProfile,
    requested_by: str,
    timeout_s: float = 30,
    queue_for_s: float | None = None,
    set_by: str | None = None,
) -> tuple[HeldProfile, Command]:
    """Give a station a profile and remember what it said. A `profile_id` of 0 gets one of its own.

    `set_by`: who decided on it, where that is not who asks for it to be sent.

    A schedule in a unit that the station does not take is converted by the outlet's phases and voltage. Raises Misfit,
    before anything is sent, for what the station cannot hold; NotFound.
    """
    async with pool.acquire() as conn, conn.transaction():
        await require_station(conn, party_id, station_id)
        features = (await make_of(conn, desk.book, station_id)).features
        held = await store.list_held(conn, station_id)
        if profile.profile_id == 0:
            profile = msgspec.structs.replace(profile, profile_id=await store.next_profile_id(conn))
        profile = profiles.as_taken(profile, features, await electric_of(conn, station_id, evse_number))
        order = SetProfile(evse_number=evse_number, profile=profile)
        if found := profiles.faults(order, features, held, clock.now()):
            raise Misfit(found)
        await store.save_profiles(
            conn, station_id, evse_number, [profile], status="sent", set_by=set_by or requested_by
        )
    command = await desk.send(
        order,
        party_id=party_id,
        station_id=station_id,
        requested_by=requested_by,
        timeout_s=timeout_s,
        queue_for_s=queue_for_s,
    )
    async with pool.acquire() as conn, conn.transaction():
        await learn(conn, [stations.answered(command)])
        after = await store.find_profile(conn, station_id, profile.profile_id)
    assert after is not None
    return after, command


async def clear_profiles(
    pool: Pool,
    desk: CommandDesk,
    order: ClearProfiles,
    *,
    party_id: UUID,
    station_id: str,
    requested_by: str,
    timeout_s: float = 30,
) -> Command:
    """Take profiles away. What the station does not know is not there either."""
    command = await desk.send(
        order, party_id=party_id, station_id=station_id, requested_by=requested_by, timeout_s=timeout_s
    )
    async with pool.acquire() as conn, conn.transaction():
        await learn(conn, [stations.answered(command)])
    return command


async def ask_for_profiles(
    pool: Pool, desk: CommandDesk, *, party_id: UUID, station_id: str, requested_by: str, timeout_s: float = 30
) -> Command:
    """2.x: have the station report all its profiles; afterwards those that it did not name count as gone."""
    async with pool.acquire() as conn, conn.transaction():
        await require_station(conn, party_id, station_id)
        request_id = await store.next_profile_id(conn)
        await store.begin_report(conn, station_id, request_id, is_full=True)
    command = await desk.send(
        GetProfiles(request_id=request_id),
        party_id=party_id,
        station_id=station_id,
        requested_by=requested_by,
        timeout_s=timeout_s,
    )
    if command.status == "accepted" and command.error_text == "NoProfiles":
        async with pool.acquire() as conn, conn.transaction():
            await store.clear_matching(conn, station_id)
    return command


async def ask_for_composite(
    desk: CommandDesk,
    *,
    party_id: UUID,
    station_id: str,
    evse_number: int,
    duration_s: int,
    rate_unit: RateUnit | None,
    requested_by: str,
) -> Command:
    """What the station would deliver; its answer is kept as the EVSE's composite schedule."""
    order = CompositeSchedule(evse_number=evse_number, duration_s=duration_s, rate_unit=rate_unit)
    return await desk.send(order, party_id=party_id, station_id=station_id, requested_by=requested_by)


async def update_dynamic(
    pool: Pool,
    desk: CommandDesk,
    *,
    party_id: UUID,
    station_id: str,
    profile_id: int,
    limits: Limits,
    requested_by: str,
    timeout_s: float = 30,
) -> Command:
    """2.1: other limits or setpoints for a dynamic profile, told at once, and to a station that asks for them later
    (K28). What is not given stays. A station that refuses them keeps the ones it has."""
    async with pool.acquire() as conn, conn.transaction():
        await require_station(conn, party_id, station_id)
        found = await store.find_profile(conn, station_id, profile_id)
        if found is None or found.status != "held":
            raise NotFound(f"{station_id} holds no profile {profile_id}")
        if found.profile.timing != "dynamic":
            raise Invalid("not a dynamic profile", "profile_id")
        order = UpdateSchedule(profile_id=profile_id, limits=limits)
        rules.check(order, clock.now())
        await _keep_update(conn, found, limits)
    command = await desk.send(
        order, party_id=party_id, station_id=station_id, requested_by=requested_by, timeout_s=timeout_s
    )
    async with pool.acquire() as conn, conn.transaction():
        await learn(conn, [stations.answered(command)])
        if command.status in ("rejected", "failed"):
            await _keep_profile(conn, found, found.profile)
    return command


async def _keep_update(conn: Connection, held: HeldProfile, limits: Limits) -> None:
    await _keep_profile(conn, held, profiles.updated(held.profile, limits, clock.now()))


async def _keep_profile(conn: Connection, held: HeldProfile, profile: ChargingProfile) -> None:
    """What a held profile says now; whose it is stays."""
    await store.save_profiles(
        conn, held.station_id, held.evse_number, [profile], status="held", set_by=held.set_by, source=held.source
    )


# ------------------------------------------------------------------------------------------ what stations say


async def learn(conn: Connection, commands: Sequence[dict[str, Any]]) -> None:
    """What stations answered to orders about profiles; may come any number of times."""
    about = [command for command in commands if command["kind"] in _ABOUT_PROFILES]
    if about:
        await store.lock_answers(conn, sorted({command["station_id"] for command in about}))
    for command in about:
        station_id, status, parameters = command["station_id"], command["status"], command["parameters"]
        if command["kind"] == "set_profile":
            profile_id = int(parameters["profile"]["profile_id"])
            is_lost = status in ("timed_out", "offline") or command["error_code"] == "connection_lost"
            if status == "accepted" and await store.find_profile(conn, station_id, profile_id) is None:
                await _keep_given(conn, command)
                await have_checked(conn, station_id, int(parameters["evse_number"]))
            outcome, requested_at = "lost" if is_lost else status, _instant(command["requested_at"])
            await _learn_set(conn, station_id, profile_id, outcome, command["error_text"], requested_at)
        elif command["kind"] == "clear_profiles" and _is_cleared(status, command["error_text"]):
            criteria = {name: parameters.get(name) for name in ("profile_id", "evse_number", "purpose", "stack_level")}
            await store.clear_matching(conn, station_id, **criteria, set_before=_instant(command["requested_at"]))
        elif command["kind"] == "update_schedule" and status == "accepted":
            await _learn_update(conn, station_id, parameters, _instant(command["requested_at"]))


async def _keep_given(conn: Connection, command: dict[str, Any]) -> None:
    """A profile that was given by a plain order, not through `set_profile`."""
    order = msgspec.convert({"kind": command["kind"], **command["parameters"]}, SetProfile)
    await store.save_profiles(
        conn,
        command["station_id"],
        order.evse_number,
        [order.profile],
        status="held",
        set_by=command["requested_by"],
    )


def _instant(at: str | datetime) -> datetime:
    """As a command has it, or as the outbox tells of it."""
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def _is_cleared(status: str, text: str | None) -> bool:
    """A station that knows no such profile (Unknown) has none."""
    return status == "accepted" or (status == "rejected" and (text or "").startswith("Unknown"))


async def _learn_update(conn: Connection, station_id: str, parameters: dict[str, Any], requested_at: datetime) -> None:
    """Limits that the station took, be they given by `update_dynamic` or by a plain order. Those that others followed
    since, before we hear of the answer again, do not come back."""
    profile_id, limits = int(parameters["profile_id"]), msgspec.convert(parameters["limits"], Limits)
    found = await store.find_profile(conn, station_id, profile_id)
    if found is not None and found.status == "held" and found.profile.timing == "dynamic":
        since = found.profile.updated_at
        if (since is None or since < requested_at) and profiles.updated(found.profile, limits, since) != found.profile:
            await _keep_update(conn, found, limits)
        await store.needs_answered(conn, station_id, profile_id, "planned", None, requested_at)


async def _learn_set(
    conn: Connection, station_id: str, profile_id: int, status: str, text: str | None, requested_at: datetime
) -> None:
    match status:
        case "accepted":
            evse_number = await store.profile_answered(conn, station_id, profile_id, "held", None, requested_at)
            if evse_number is not None:
                await have_checked(conn, station_id, evse_number)
            await store.needs_answered(conn, station_id, profile_id, "planned", None, requested_at)
        case "rejected" | "failed" | "cancelled" | "expired":
            await store.profile_answered(conn, station_id, profile_id, "refused", text or status, requested_at)
            await store.needs_answered(conn, station_id, profile_id, "refused", text or status, requested_at)
        case "lost":
            told = text or "the station did not answer"
            await store.profile_answered(conn, station_id, profile_id, "unknown", told, requested_at)


async def have_checked(conn: Connection, station_id: str, evse_number: int) -> None:
    """A profile was accepted: a little later the station is asked what it would deliver (see checks)."""
    await store.mark_for_check(conn, station_id, evse_number)
    await upkeep.due(conn, CHECK_DUTY, [station_id], clock.now() + timedelta(seconds=CHECK_AFTER_S))


async def follow(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: answers, needs to be planned for, transactions that began or ended, stations that came back."""
    await learn(conn, [event.payload for event in found if event.kind == "CommandAnswered"])
    for event in found:
        if event.kind == "ChargingNeedsReported":
            await plan_needs(conn, event.payload["needs_id"])
    began = {event.payload["station_id"] for event in found if event.kind == "SessionStarted"}
    if began and (again := await store.wake_checks(conn, sorted(began))):
        await upkeep.due(conn, CHECK_DUTY, again, clock.now() + timedelta(seconds=CHECK_AFTER_S))
    ended = [
        (event.payload["station_id"], event.payload["transaction_id"])
        for event in found
        if event.kind == "SessionEnded"
    ]
    if ended:
        await store.end_transaction_profiles(conn, ended)
        await store.forget_ways(conn, ended)
    if back := [event.payload["station_id"] for event in found if event.kind == "StationConnected"]:
        await store.end_offline_profiles(conn, back)


async def plan_needs(conn: Connection, needs_id: str, tries: int = 0) -> None:
    """Have a plan made, once the caller's transaction commits; at another try a moment later."""
    payload = {"needs_id": needs_id, "tries": tries}
    await jobs.enqueue(conn, PLAN_JOB, payload, after_s=PLAN_AGAIN_AFTER_S if tries else 0)


async def take_report(conn: Connection, report: SmartReport) -> Period | None:
    """What a station tells about power. Gives the present values of a dynamic profile to one that asks for them."""
    match report:
        case ProfilesReport():
            await _take_profiles(conn, report)
        case LimitReport():
            await store.save_limit(conn, report)
            await tell(conn, "ChargingLimitCleared" if report.is_cleared else "ChargingLimitSet", report.station_id)
        case PriorityReport():
            await store.save_priority(conn, report)
        case UpdatePull():
            found = await store.find_profile(conn, report.station_id, report.profile_id)
            if found is not None and found.status == "held" and found.profile.timing == "dynamic":
                present = msgspec.structs.replace(found.profile, updated_at=clock.now())
                await _keep_profile(conn, found, present)
                return present.schedules[0].periods[0]
    return None


async def keep_composite(conn: Connection, report: CompositeReport) -> None:
    """What a station answered to the question what it would deliver; the last answer counts."""
    await store.save_composite(conn, report)


async def keep_ways(conn: Connection, station_id: str, transaction_id: str, ways: Sequence[EnergyTransfer]) -> None:
    """A station took it that a session may use these ways of energy transfer (2.1 Q01, Q02)."""
    await store.save_ways(conn, station_id, transaction_id, ways)


async def _take_profiles(conn: Connection, report: ProfilesReport) -> None:
    await store.save_profiles(
        conn,
        report.station_id,
        report.evse_number,
        report.profiles,
        status="held",
        set_by=f"station:{report.source}",
        source=report.source,
    )
    is_done, named = await store.add_to_report(conn, report)
    if is_done:
        await store.clear_matching(conn, report.station_id, except_ids=named)
        # What it turns out not to have, of limits that it is to keep, is given to it.
        if await store.keeps_safe_limits(conn, report.station_id):
            await upkeep.due(conn, SAFE_LIMIT_DUTY, [report.station_id], clock.now())


async def tell(conn: Connection, kind: str, station_id: str, party_id: UUID | None = None, **payload: object) -> None:
    """A fact about a station's power, for the outbox."""
    subject = f"station/{station_id}"
    await record(conn, [Event(kind, subject, {"station_id": station_id, "at": clock.now(), **payload}, party_id)])
