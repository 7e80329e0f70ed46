"""Dynamic profiles of OCPP 2.1 (K28): values that the CSMS pushes, and that a station asks for from time to time."""

import asyncio
from typing import TYPE_CHECKING

from msgspec import structs

from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator.link import Message
from ohmstead.simulator.profiles import Profile

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station


def take_update(station: "Station", profile_id: int, update: m.ChargingScheduleUpdateType | None) -> bool:
    """Obey new values. False: there is no such profile, or nothing in them that a car that only charges could obey."""
    found = _find(station, profile_id)
    if found is None or update is None:
        return False
    values = [float(v) for v in (update.limit, update.setpoint) if v is not None]
    if not values:
        return False
    period = structs.replace(found.periods[0], limit=max(0.0, min(values)))
    return station.install_profile(structs.replace(found, periods=(period,))) is None


async def keep_pulling(station: "Station", profile_id: int, interval_s: float) -> None:
    """Ask for the present values as long as the station has the profile with this interval."""
    while (found := _find(station, profile_id)) is not None and found.update_interval_s == interval_s:
        await asyncio.sleep(interval_s)
        request = m.PullDynamicScheduleUpdateRequest(charging_profile_id=profile_id)
        answer = await station.ask(Message("PullDynamicScheduleUpdate", request))
        if answer is not None and answer.status == "Accepted":
            take_update(station, profile_id, answer.schedule_update)


def _find(station: "Station", profile_id: int) -> Profile | None:
    return next((p for p in station.profiles.profiles if (p.profile_id, p.kind) == (profile_id, "dynamic")), None)
