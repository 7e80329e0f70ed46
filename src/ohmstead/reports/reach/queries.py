"""Where things are: the location that something with an id belongs to. For people who see some locations only."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection

_OF_STATION = "join station p using (station_id) where t.party_id = $1 and p.location_id = any ($2)"

# By the name that paths have for the id. What is not in here belongs to the party as a whole.
_WITHIN: Final = {
    "location_id": "select true from location t where t.party_id = $1 and t.location_id = any ($2) and t.location_id = $3",
    "station_id": "select true from station t where t.party_id = $1 and t.location_id = any ($2) and t.station_id = $3",
    # A session stays where it took place, whatever becomes of its station.
    "session_id": "select true from session t where t.party_id = $1 and t.location_id = any ($2) and t.session_id = $3",
    "cdr_id": "select true from cdr t where t.party_id = $1 and t.location_id = any ($2) and t.cdr_id = $3",
    "reservation_id": "select true from reservation t"
    " where t.party_id = $1 and t.location_id = any ($2) and t.reservation_id = $3",
    "command_id": f"select true from command t {_OF_STATION} and t.command_id = $3",
    "log_id": f"select true from file_job t {_OF_STATION} and t.job_id = $3",
    "certificate_id": f"select true from certificate t {_OF_STATION} and t.certificate_id = $3",
    "web_payment_id": f"select true from web_payment t {_OF_STATION} and t.web_payment_id = $3",
    # One order to many: only when it went to none outside.
    "bulk_id": "select true from bulk_command t where t.party_id = $1 and t.bulk_id = $3 and not exists ("
    " select from bulk_station b join station p using (station_id)"
    " where b.bulk_id = t.bulk_id and (p.location_id is null or p.location_id <> all ($2)))",
}
PLACED: Final = frozenset(_WITHIN)
_TEXTS: Final = frozenset({"station_id"})


async def is_within(conn: Connection, scope: Scope, name: str, value: object) -> bool:
    """Does the thing that a path's `name` and `value` mean belong to a location of the scope?

    What is not there, and what cannot be an id, is nowhere. `name` is one of PLACED.
    """
    if scope.locations is None:
        raise ValueError("everything of the party is within a scope without locations")
    wanted: object = str(value)
    if name not in _TEXTS:
        try:
            wanted = UUID(str(value))
        except ValueError:
            return False
    return bool(await conn.fetchval(_WITHIN[name], scope.party_id, scope.locations, wanted))


async def list_station_ids(conn: Connection, scope: Scope) -> frozenset[str]:
    """The stations within a scope, retired ones too."""
    rows = await conn.fetch(
        "select station_id from station where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))",
        scope.party_id,
        scope.locations,
    )
    return frozenset(row["station_id"] for row in rows)
