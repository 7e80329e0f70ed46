"""A dry look: what keeps a station from taking a profile, and what would then hold there, before anything is sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.smartcharging import profiles, service, store
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.stations.orders import ChargingProfile, Period, SetProfile
from ohmstead.stations.profile_rules import Fault
from ohmstead.stations.queries import require_station
from ohmstead.stations.quirks.book import QuirkBook


class Preview(msgspec.Struct, frozen=True):
    """`profile`: as the station would be told. `before`, `after`: what is allowed at the EVSE in W from `starts_at` on."""

    profile: ChargingProfile
    faults: list[Fault]
    starts_at: datetime
    before: tuple[Period, ...]
    after: tuple[Period, ...]


async def look(
    conn: Connection,
    book: QuirkBook,
    *,
    party_id: UUID,
    station_id: str,
    evse_number: int,
    profile: ChargingProfile,
    duration_s: int,
) -> Preview:
    """What setting a profile would come to. Raises NotFound."""
    await require_station(conn, party_id, station_id)
    make = await service.make_of(conn, book, station_id)
    electric = await service.electric_of(conn, station_id, evse_number)
    held = await store.list_held(conn, station_id)
    told = profiles.as_taken(profile, make.features, electric)
    now = clock.now()
    found = profiles.faults(SetProfile(evse_number=evse_number, profile=told), make.features, held, now)
    new = HeldProfile(
        station_id=station_id,
        evse_number=evse_number,
        status="held",
        source="CSO",
        profile=told,
        set_by="",
        set_at=now,
    )
    others = [one for one in held if one.profile.profile_id != profile.profile_id]

    def come_to(several: list[HeldProfile]) -> tuple[Period, ...]:
        return profiles.expected(
            several,
            evse_number,
            electric,
            now,
            duration_s,
            transaction_id=profile.transaction_id,
            transaction_at=now,
        )

    # A profile that breaks the rules comes to nothing that could be drawn.
    after = () if found else come_to([*others, new])
    return Preview(told, found, now, come_to(held), after)
