"""What drivers change of their cars. The edge opens the transaction."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked
from ohmstead.drivers.garage import queries, store
from ohmstead.drivers.garage.model import NewCar
from ohmstead.drivers.signin.model import SignedInDriver

MOST_CARS = 20


async def add_car(conn: Connection, who: SignedInDriver, given: NewCar) -> UUID:
    """Raises Invalid, Refused."""
    given = _tidy(given)
    if len(await queries.list_cars(conn, who.party_id, who.driver_id)) >= MOST_CARS:
        raise Refused(f"you have {MOST_CARS} cars: remove one first")
    car_id = new_id()
    await store.insert_car(conn, who.party_id, who.driver_id, car_id, given)
    return car_id


async def change_car(conn: Connection, who: SignedInDriver, car_id: UUID, given: NewCar) -> None:
    """Raises Invalid, NotFound."""
    if not await store.update_car(conn, who.party_id, who.driver_id, car_id, _tidy(given)):
        raise NotFound("no such car")


async def remove_car(conn: Connection, who: SignedInDriver, car_id: UUID) -> None:
    """Raises NotFound."""
    if not await store.delete_car(conn, who.party_id, who.driver_id, car_id):
        raise NotFound("no such car")


async def forget(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """All that a driver kept, before they are erased."""
    await store.forget(conn, party_id, driver_id)


def _tidy(given: NewCar) -> NewCar:
    name = checked(given.name, "name")
    if not name:
        raise Invalid("may not be empty", field="name")
    used = given.wh_per_km
    if used is not None and not (used.is_finite() and Decimal(50) <= used <= Decimal(1000)):
        raise Invalid("is to be between 5 and 100 kWh for 100 km", field="wh_per_km")
    return msgspec.structs.replace(given, name=name)
