"""Duty: a station that accepted a profile is asked, once, what it would now deliver; what differs is a concern."""

from __future__ import annotations

from collections.abc import Sequence

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.language import R_
from ohmstead.core.log import logger
from ohmstead.smartcharging import service, store
from ohmstead.smartcharging.checking import store as checks
from ohmstead.smartcharging.checking import verdict as verdicts
from ohmstead.smartcharging.checking.model import Verdict
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.device.duties import RETRY_S, Done, unheard
from ohmstead.stations.orders.form import RateUnit

log = logger("ohmstead.profile_checks")

DUTY = service.CHECK_DUTY
LOOK_AHEAD_S = 14_400
MOST_TRIES = 5
LOOK_AGAIN_S = 120.0  # for what a car draws, at a make whose word counts for nothing
_NO_SUCH_MESSAGE = frozenset(("NotImplemented", "NotSupported", "refused"))


async def check(pool: Pool, desk: CommandDesk, station_id: str) -> Done:
    """The whole duty for one station. Asked anew, ever later, when it does not answer; MOST_TRIES times."""
    async with pool.acquire() as conn, conn.transaction():
        rows = [one for one in await checks.list_due(conn, station_id) if one.status in ("due", "doubtful")]
        if not rows:
            return Done("nothing")
        make = await service.make_of(conn, desk.book, station_id)
        held = await store.list_held(conn, station_id)
        due = targets([one.evse_number for one in rows], held, list(make.features.outlets))
        for one in rows:
            if one.evse_number not in due:
                await checks.drop(conn, station_id, one.evse_number)
    # Nothing is asked of a firmware that has no such message, nor twice of a make that is not believed.
    unasked = {one.evse_number for one in rows if one.status == "doubtful"}
    mute = {one.evse_number for one in rows if one.firmware is not None and one.firmware == make.firmware}
    ended: list[Done] = []
    for evse_number in due:
        asked = None
        if not {evse_number, 0} & mute and evse_number not in unasked:
            asked = await _ask(desk, make, station_id, evse_number)
            lost = unheard(asked)
            if lost is not None and not _is_mute(asked):
                ended.append(await _unanswered(pool, station_id, evse_number, make, lost))
                continue
        is_mute = bool({evse_number, 0} & mute) or (asked is not None and _is_mute(asked))
        ended.append(await _judge(pool, station_id, evse_number, make, asked, is_mute=is_mute))
    return _whole(ended)


async def _ask(desk: CommandDesk, make: service.Make, station_id: str, evse_number: int) -> Command:
    units: frozenset[str] = make.features.rate_units
    unit: RateUnit | None = None if len(units) != 1 else "W" if "W" in units else "A"
    return await service.ask_for_composite(
        desk,
        party_id=make.party_id,
        station_id=station_id,
        evse_number=evse_number,
        duration_s=LOOK_AHEAD_S,
        rate_unit=unit,
        requested_by="system:profile_checks",
    )


def _is_mute(asked: Command) -> bool:
    return asked.error_code in _NO_SUCH_MESSAGE


def targets(due: Sequence[int], held: Sequence[HeldProfile], outlets: Sequence[int]) -> list[int]:
    """Where to ask. What was set at 0 counts at the grid connection if it limits the station, else at every outlet."""
    found = {number for number in due if number}
    if 0 in due:
        whole = {one.profile.purpose for one in held if one.evse_number == 0}
        found |= {0} if whole & {"station_max", "local_generation"} else set()
        found |= set(outlets or [1]) if whole - {"station_max", "local_generation"} else set()
    return sorted(found)


async def _unanswered(pool: Pool, station_id: str, evse_number: int, make: service.Make, lost: Done) -> Done:
    if lost.result == "offline":
        return lost  # nothing was asked: it is when it is back
    async with pool.acquire() as conn, conn.transaction():
        if await checks.note_try(conn, station_id, evse_number) < MOST_TRIES:
            return lost
        text = f"it did not answer when it was asked {MOST_TRIES} times"
        is_vain = make.effects.accepts_profiles_in_vain
        await checks.conclude(
            conn, station_id, evse_number, Verdict(status="doubtful" if is_vain else "untold", detail=text)
        )
    return Done("untold", text)


async def _judge(
    pool: Pool, station_id: str, evse_number: int, make: service.Make, asked: Command | None, *, is_mute: bool
) -> Done:
    """What its answer and what the car draws come to; `asked` None: it was not asked this time."""
    now = clock.now()
    is_vain = make.effects.accepts_profiles_in_vain
    async with pool.acquire() as conn, conn.transaction():
        held = await store.list_held(conn, station_id)
        electric = await service.electric_of(conn, station_id, evse_number)
        running = await checks.find_running(conn, station_id, evse_number)
        composite = await checks.latest_composite(conn, station_id, evse_number)
        found = None
        if asked is not None and asked.status == "accepted" and asked.error_text is None and composite:
            found = verdicts.of_composite(held, composite, electric, running)
        seen = verdicts.of_power(held, evse_number, electric, running, now)
        if found is None:
            text = R_("it has no composite schedules" if is_mute else "it does not say what it would deliver")
            found = seen or Verdict(status="untold", detail=text)
        elif seen is not None and found.status != "differs":
            found = seen if seen.status == "differs" or is_vain else found
        if is_vain and found.status != "differs" and seen is None:
            text = R_(
                "this make accepts profiles that it does not carry out,"
                " and no car has shown yet whether it carries out these"
            )
            found = Verdict(status="doubtful", detail=text)
        firmware = make.firmware if is_mute else None
        await checks.conclude(conn, station_id, evse_number, found, firmware=firmware)
    if found.status == "differs":
        log.warning("profile_not_carried_out", station_id=station_id, evse_number=evse_number, detail=found.detail)
    is_shown_soon = found.status == "doubtful" and running is not None
    return Done(found.status, found.detail, LOOK_AGAIN_S if is_shown_soon else None)


def _whole(ended: Sequence[Done]) -> Done:
    """Of several outlets the worst counts; those that did not answer are asked again."""
    if not ended:
        return Done("nothing")
    failed = [one for one in ended if one.is_failure]
    if failed:
        return Done(failed[0].result, failed[0].text, RETRY_S, is_failure=True)
    ranks = ("differs", "doubtful", "waits", "untold", "same")
    worst = min(ended, key=lambda one: ranks.index(one.result))
    again = [one.again_after_s for one in ended if one.again_after_s is not None]
    return Done(worst.result, worst.text, min(again, default=None))
