"""Drivers' cars in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.drivers.garage.model import NewCar


async def insert_car(conn: Connection, party_id: UUID, driver_id: UUID, car_id: UUID, given: NewCar) -> None:
    await conn.execute(
        "insert into driver_car (car_id, party_id, driver_id, name, standard, wh_per_km) values ($1, $2, $3, $4, $5, $6)",
        car_id,
        party_id,
        driver_id,
        given.name,
        given.standard,
        given.wh_per_km,
    )


async def update_car(conn: Connection, party_id: UUID, driver_id: UUID, car_id: UUID, given: NewCar) -> bool:
    """False when it is not theirs."""
    row = await conn.fetchrow(
        "update driver_car set name = $4, standard = $5, wh_per_km = $6"
        " where party_id = $1 and driver_id = $2 and car_id = $3 returning 1",
        party_id,
        driver_id,
        car_id,
        given.name,
        given.standard,
        given.wh_per_km,
    )
    return row is not None


async def delete_car(conn: Connection, party_id: UUID, driver_id: UUID, car_id: UUID) -> bool:
    """False when it is not theirs."""
    row = await conn.fetchrow(
        "delete from driver_car where party_id = $1 and driver_id = $2 and car_id = $3 returning 1",
        party_id,
        driver_id,
        car_id,
    )
    return row is not None


async def forget(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """All of them."""
    await conn.execute("delete from driver_car where party_id = $1 and driver_id = $2", party_id, driver_id)
