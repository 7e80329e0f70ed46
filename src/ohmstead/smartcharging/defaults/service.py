"""Duty: stations keep the safe limits that fit them. Told when they connect, put right when they differ, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event
from ohmstead.smartcharging import service
from ohmstead.smartcharging import store as kept
from ohmstead.smartcharging.defaults import choosing, store
from ohmstead.smartcharging.defaults.choosing import SET_BY
from ohmstead.smartcharging.defaults.model import Held, SafeLimit, Subject
from ohmstead.smartcharging.service import Make
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.device import upkeep
from ohmstead.stations.device.duties import RETRY_S, Done, unheard
from ohmstead.stations.orders import ChargingProfile, ClearProfiles
from ohmstead.stations.quirks.book import QuirkBook

DUTY = service.SAFE_LIMIT_DUTY
KINDS = (
    *("StationConnected", "StationBooted", "StationChanged", "StationAdopted"),
    *("SafeLimitCreated", "SafeLimitChanged", "SafeLimitDeleted"),
)
AFTER_S = 2.0  # a station that connects also boots, and then it is known what make it is
REPORT_WAIT_S = 20.0


async def notice(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: whose stations are to be told."""
    parties = sorted({e.party_id for e in found if e.kind.startswith("SafeLimit") and e.party_id is not None})
    ids = {e.payload["station_id"] for e in found if e.kind.startswith("Station")}
    ids |= set(await upkeep.stations_in_service(conn, parties))
    concerned = await store.list_concerned(conn, sorted(ids))
    await upkeep.due(conn, DUTY, concerned, clock.now() + timedelta(seconds=AFTER_S))


async def reconcile(pool: Pool, desk: CommandDesk, station_id: str) -> Done:
    """The whole duty for one station. OCPP 2.x stations tell first which profiles they have."""
    async with pool.acquire() as conn:
        subject = await store.find_subject(conn, station_id)
        if subject is None:
            return Done("nothing", "it is not in service")
        make = await service.make_of(conn, desk.book, station_id)
        found = await _state(conn, subject, make)
        forgotten = await _forgotten(conn, subject, make)
    if not found:
        return Done("nothing", "no safe limit fits")
    if make.features.version != "1.6" and not subject.has_reported:
        waits = await _report(pool, desk, subject)
        if waits is not None:
            return waits
        async with pool.acquire() as conn:
            found = await _state(conn, subject, make)
    if (ended := await _clear(pool, desk, subject, found)) is not None:
        return ended
    faults = []
    for one in found:
        if one.safe_limit_id is not None and (one.state != "same" or one.evse_number in forgotten):
            ended, fault = await _give(pool, desk, subject, make, one.evse_number)
            if ended is not None:
                return ended
            faults += [fault] if fault else []
    if faults:
        return Done("refused", "; ".join(faults), RETRY_S, is_failure=True)
    return Done("same")


async def state_of(conn: Connection, book: QuirkBook, party_id: UUID, station_id: str) -> list[Held]:
    """What the party's station is to keep, and whether it does, as far as is known. Empty for a stranger's."""
    subject = await store.find_subject(conn, station_id)
    if subject is None or subject.party_id != party_id:
        return []
    return await _state(conn, subject, await service.make_of(conn, book, station_id))


async def _forgotten(conn: Connection, subject: Subject, make: Make) -> set[int]:
    """OCPP 1.6 has no way to ask for profiles: after a start the station is told again, lest it lost them."""
    if make.features.version != "1.6" or subject.booted_at is None:
        return set()
    ours = await store.list_ours(conn, subject.station_id)
    return {one.evse_number for one in ours if one.confirmed_at is None or one.confirmed_at < subject.booted_at}


async def _state(conn: Connection, subject: Subject, make: Make) -> list[Held]:
    return choosing.compared(await _wanted(conn, subject, make), await store.list_ours(conn, subject.station_id))


async def _wanted(conn: Connection, subject: Subject, make: Make) -> dict[int, tuple[SafeLimit, ChargingProfile]]:
    limits = await store.list_in_force(conn, subject.party_id)
    want = choosing.wanted(limits, subject, sorted(make.features.outlets))
    return {
        number: (
            limit,
            choosing.profile_of(limit, 0, make.features, await service.electric_of(conn, subject.station_id, number)),
        )
        for number, limit in want.items()
    }


async def _report(pool: Pool, desk: CommandDesk, subject: Subject) -> Done | None:
    """Have it tell its profiles; None when there is nothing to wait for. The end of its report makes this due again."""
    command = await service.ask_for_profiles(
        pool, desk, party_id=subject.party_id, station_id=subject.station_id, requested_by=SET_BY
    )
    if (lost := unheard(command)) is not None:
        # One that cannot report is told nevertheless.
        return None if command.status == "failed" and command.error_code != "connection_lost" else lost
    if command.status == "accepted" and command.error_text != "NoProfiles":
        return Done("asked", "its report of profiles is awaited", REPORT_WAIT_S)
    return None


async def _clear(pool: Pool, desk: CommandDesk, subject: Subject, found: Sequence[Held]) -> Done | None:
    """Take back what is wanted no more."""
    for one in found:
        if one.safe_limit_id is None and one.profile_id is not None:
            command = await service.clear_profiles(
                pool,
                desk,
                ClearProfiles(profile_id=one.profile_id),
                party_id=subject.party_id,
                station_id=subject.station_id,
                requested_by=SET_BY,
            )
            if (lost := unheard(command)) is not None:
                return lost
    return None


async def _give(
    pool: Pool, desk: CommandDesk, subject: Subject, make: Make, evse_number: int
) -> tuple[Done | None, str | None]:
    """Set it at an EVSE. How the duty ends if the station does not answer, and what it has against it."""
    async with pool.acquire() as conn, conn.transaction():
        now_wanted = (await _wanted(conn, subject, make)).get(evse_number)
        if now_wanted is None:
            return None, None
        _, profile = now_wanted
        ours = {one.evse_number: one for one in await store.list_ours(conn, subject.station_id)}
        held = await kept.list_held(conn, subject.station_id)
    had = ours.get(evse_number)
    profile_id = had.profile.profile_id if had is not None else 0
    where = f"EVSE {evse_number}" if evse_number else "station"
    if (other := choosing.rival(profile, evse_number, held)) is not None:
        return None, f"{where}: profile {other.profile.profile_id} has its purpose and level there already"
    try:
        after, command = await service.set_profile(
            pool,
            desk,
            party_id=subject.party_id,
            station_id=subject.station_id,
            evse_number=evse_number,
            profile=msgspec.structs.replace(profile, profile_id=profile_id),
            requested_by=SET_BY,
        )
    except service.Misfit as misfit:
        return None, f"{where}: {misfit.text}"
    if after.status == "held":
        return None, None
    if (lost := unheard(command)) is not None and after.status != "refused":
        return lost, None
    return None, f"{where}: {after.detail or after.status}"
