"""Drivers' cars: reading only, one driver at a time."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.drivers.garage.model import Car

_CAR = "car_id, name, standard, wh_per_km, created_at"


async def list_cars(conn: Connection, party_id: UUID, driver_id: UUID) -> list[Car]:
    """The one that was written down first comes first."""
    rows = await conn.fetch(
        f"select {_CAR} from driver_car where party_id = $1 and driver_id = $2 order by created_at, car_id",
        party_id,
        driver_id,
    )
    return [Car(**row) for row in rows]


async def get_car(conn: Connection, party_id: UUID, driver_id: UUID, car_id: UUID) -> Car:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"select {_CAR} from driver_car where party_id = $1 and driver_id = $2 and car_id = $3",
        party_id,
        driver_id,
        car_id,
    )
    if row is None:
        raise NotFound("no such car")
    return Car(**row)
