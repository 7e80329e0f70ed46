"""Drivers in PostgreSQL: what people write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection

_COLUMNS = frozenset(
    {"name", "email", "phone", "language", "company", "notes", "group_uid", "vehicles", "status"},
)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if beyond := set(values) - _COLUMNS:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    return values


async def insert_driver(conn: Connection, party_id: UUID, driver_id: UUID, values: dict[str, Any]) -> None:
    names = "".join(f", {name}" for name in _checked(values))
    places = "".join(f", ${n}" for n in range(3, 3 + len(values)))
    await conn.execute(
        f"insert into driver (driver_id, party_id{names}) values ($1, $2{places})",
        driver_id,
        party_id,
        *values.values(),
    )


async def update_driver(
    conn: Connection, party_id: UUID, driver_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version. Another telephone number is not confirmed."""
    places = {name: f"${n}" for n, name in enumerate(_checked(values), start=4)}
    assignments = "".join(f"{name} = {place}, " for name, place in places.items())
    if "phone" in places:
        # In the same statement: whatever became of the number meanwhile, what was confirmed is another one.
        same = f"phone is not distinct from {places['phone']}"
        assignments += f"phone_confirmed_at = case when {same} then phone_confirmed_at end, "
    row = await conn.fetchrow(
        f"update driver set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and driver_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        driver_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def sign_out(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """Everywhere, and by whatever they signed in with."""
    for table in ("driver_session", "driver_passkey"):
        await conn.execute(f"delete from {table} where party_id = $1 and driver_id = $2", party_id, driver_id)
