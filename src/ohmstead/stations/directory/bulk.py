"""Many stations from one table: each row is created, updated, found unchanged, or reported with what is wrong in it."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Invalid
from ohmstead.core.events import Event, record
from ohmstead.core.language import N_
from ohmstead.core.tables import RowError, Table, TableRow, read_table, table_of
from ohmstead.core.validation import fault_of
from ohmstead.core.workbooks import first_sheet, is_workbook, read_workbook
from ohmstead.stations.credentials import hash_secret, verify
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory import store
from ohmstead.stations.directory.service import NewLocation, Password, SecurityProfile, StationId
from ohmstead.stations.queries import EvseView

REQUIRED = ("station_id",)
OPTIONAL = ("location", "name", "password", "security_profile", "latitude", "longitude", "city", "evses")
MAX_ROWS = 5000
SHEET = "Stations"
# Passwords that people chose cost some 20 ms each.
MAX_PASSWORDS = 1000
_EVSE = re.compile(r"(?P<number>\d{1,2})(?::(?P<type>AC|DC)?(?::(?P<power>\d{1,8})?(?::(?P<standard>\w{1,40})?)?)?)?")

COLUMNS = {
    "station_id": N_("The OCPP identity. Rows whose station exists update it; empty cells leave things as they are."),
    "location": N_("Name of the location, which is created when there is none of that name."),
    "name": N_("What people call the station."),
    "password": N_("16 to 40 characters. Empty: a new station gets a generated one, told in `secrets` this once."),
    "security_profile": N_("0 to 3; 1 (password) when empty."),
    "latitude": N_("Of a location created by this table."),
    "longitude": N_("Of a location created by this table."),
    "city": N_("Of a location created by this table."),
    "evses": N_("How many, as `2`; or each as `number:AC|DC:power in W:connector standard`, separated by spaces."),
}


class StationRow(Struct, frozen=True, kw_only=True):
    """A row's cells as values."""

    station_id: StationId
    location: Annotated[str, Meta(max_length=200)] | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None
    password: Password | None = None
    security_profile: SecurityProfile | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    city: Annotated[str, Meta(max_length=200)] | None = None
    evses: str | None = None


class BulkReport(Struct, kw_only=True):
    """What became of the rows. `secrets`: the passwords generated, by station; they are told this once."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: list[RowError] = []
    locations_created: list[str] = []
    secrets: dict[str, str] = {}
    is_dry_run: bool = False
    changed_ids: list[str] = []


class _Wanted(Struct, kw_only=True):
    """A row on its way in. Its password is either that of `good_hash`, which is stored already, or kept as `new_hash`."""

    row: int
    given: StationRow
    evses: list[dict[str, Any]]
    location_id: UUID | None = None
    new_hash: str | None = None
    good_hash: str | None = None

    @property
    def key(self) -> str:
        return self.given.station_id.lower()


_Change: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
_NO_CHANGE: _Change = ({}, {})


async def import_stations(conn: Connection, actor: Actor, data: bytes, pepper: bytes) -> BulkReport:
    """Take a table in; good rows count even when others fail. Raises Invalid when the whole cannot be read."""
    if is_workbook(data):
        lines = first_sheet(await asyncio.to_thread(read_workbook, data), SHEET)
        table = table_of(lines, REQUIRED, OPTIONAL, max_rows=MAX_ROWS)
    else:
        table = read_table(data, REQUIRED, OPTIONAL, max_rows=MAX_ROWS)
    return await import_table(conn, actor, table, pepper)


async def import_table(conn: Connection, actor: Actor, table: Table, pepper: bytes) -> BulkReport:
    """The same for a table that was read already."""
    report = BulkReport(failed=list(table.errors))
    wanted = _parse(table.rows, report)
    if sum(1 for item in wanted if item.given.password) > MAX_PASSWORDS:
        raise Invalid(f"more than {MAX_PASSWORDS} passwords: send them in parts, or have them generated", "password")
    await _hash_passwords(conn, actor, wanted, pepper)
    present = await store.lock_stations(conn, actor.party_id, [item.given.station_id for item in wanted])
    wanted = [item for item in wanted if _is_free(item, present, report)]
    wanted = await _place(conn, actor, wanted, report)
    fresh = [item for item in wanted if item.key not in present]
    created = await _create(conn, actor, fresh, pepper, report)
    changes: dict[str, _Change] = {}
    for item in wanted:
        station = present.get(item.key)
        if station is not None and (values := await _update(conn, actor, item, station, pepper, report)):
            changes[item.given.station_id] = {name: station[name] for name in values}, values
    new_evses = await store.upsert_evses(
        conn, actor.party_id, {item.given.station_id: item.evses for item in wanted if item.evses}
    )
    changed = (changes.keys() | new_evses) - created
    report.created, report.updated = len(created), len(changed)
    report.unchanged = len(wanted) - len(created) - len(changed)
    report.changed_ids = sorted(created | changed)
    report.failed.sort(key=lambda error: error.row)
    await _note(conn, actor, "created", dict.fromkeys(created, _NO_CHANGE))
    await _note(conn, actor, "changed", {one: changes.get(one, _NO_CHANGE) for one in changed})
    return report


def _parse(rows: Sequence[TableRow], report: BulkReport) -> list[_Wanted]:
    wanted: dict[str, _Wanted] = {}
    for row in rows:
        try:
            given = msgspec.convert(row.cells, StationRow, strict=False)
            item = _Wanted(row=row.number, given=given, evses=parse_evses(given.evses))
            if item.key in wanted:
                raise Invalid(f"is in row {wanted[item.key].row} already", "station_id")
            if (given.latitude is None) != (given.longitude is None):
                raise Invalid("latitude and longitude belong together", "latitude")
            directory.check_password(
                given.password, 1 if given.security_profile is None else given.security_profile, given.station_id
            )
        except msgspec.ValidationError as error:
            report.failed.append(RowError(row.number, *fault_of(error)))
        except Invalid as error:
            report.failed.append(RowError(row.number, error.field, error.text))
        else:
            wanted[item.key] = item
    return list(wanted.values())


async def _hash_passwords(conn: Connection, actor: Actor, wanted: Sequence[_Wanted], pepper: bytes) -> None:
    """Before anything is locked: slow hashes must not hold up the gateways, which write to the same rows."""
    chosen = [item for item in wanted if item.given.password is not None]
    stored = await store.find_secret_hashes(conn, actor.party_id, [item.key for item in chosen]) if chosen else {}
    for item in chosen:
        password, known = item.given.password or "", stored.get(item.key)
        if known is not None and await verify(known, password.encode(), pepper):
            item.good_hash = known
        else:
            item.new_hash = await hash_secret(password, pepper, is_generated=False)


async def _secret(item: _Wanted, profile: int, pepper: bytes) -> tuple[str | None, str | None]:
    """(what to tell, what to keep) for a station whose stored secret will not do."""
    if item.new_hash is not None:
        return None, item.new_hash
    return await directory.make_secret(item.given.password, profile, pepper)


def parse_evses(text: str | None) -> list[dict[str, Any]]:
    """The column `evses`. Raises Invalid."""
    if text is None:
        return []
    parts = text.split()
    if len(parts) == 1 and parts[0].isdigit():
        if not 1 <= int(parts[0]) <= 99:
            raise Invalid("from 1 to 99 EVSEs", "evses")
        return [{"evse_number": number} for number in range(1, int(parts[0]) + 1)]
    evses = {}
    for part in parts:
        match = _EVSE.fullmatch(part)
        if match is None or not int(match["number"]) >= 1 or int(match["number"]) in evses:
            raise Invalid(f"not an EVSE, or one twice: {part[:40]!r}; write 1:DC:150000:IEC_62196_T2_COMBO", "evses")
        power_w = int(match["power"]) if match["power"] else None
        if power_w is not None and not 1 <= power_w <= 10_000_000:
            raise Invalid("power from 1 to 10000000 W", "evses")
        evses[int(match["number"])] = {
            "evse_number": int(match["number"]),
            "current_type": match["type"],
            "max_power_w": power_w,
            "connectors": [{"connector_number": 1, "standard": match["standard"], "max_power_w": power_w}],
        }
    return list(evses.values())


def evses_text(evses: Sequence[EvseView]) -> str:
    """EVSEs as the column `evses` has them. Of several connectors of one EVSE it can tell the first."""
    said = []
    for evse in evses:
        plug = evse.connectors[0] if evse.connectors else None
        power_w = evse.max_power_w or (plug.max_power_w if plug else None)
        cells = (evse.current_type or "", str(power_w or ""), (plug.standard if plug else None) or "")
        said.append(f"{evse.evse_number}:{':'.join(cells)}".rstrip(":"))
    # Numbers alone, and only one of them, would be read as how many there are.
    return f"{said[0]}:" if len(said) == 1 and said[0].isdigit() else " ".join(said)


def _is_free(item: _Wanted, present: dict[str, Row], report: BulkReport) -> bool:
    station = present.get(item.key)
    if station is None:
        return True
    row, field, known = item.row, "station_id", station["station_id"]
    if not station["is_ours"]:
        fault = RowError(row, field, "this identity is taken")
    elif station["retired_at"] is not None:
        fault = RowError(row, field, "is retired: reinstate it first")
    elif known != item.given.station_id:
        fault = RowError(row, field, f"is registered as {known}: identities are the same whatever their case")
    else:
        return True
    report.failed.append(fault)
    return False


async def _place(conn: Connection, actor: Actor, wanted: list[_Wanted], report: BulkReport) -> list[_Wanted]:
    names = {item.given.location for item in wanted if item.given.location}
    known = await store.find_location_ids(conn, actor.party_id, sorted(names))
    placed = []
    for item in wanted:
        given = item.given
        if given.location:
            key = given.location.lower()
            if key not in known:
                place = NewLocation(
                    name=given.location, city=given.city or "", latitude=given.latitude, longitude=given.longitude
                )
                known[key] = [(await directory.create_location(conn, actor, place)).location_id]
                report.locations_created.append(given.location)
            if len(known[key]) > 1:
                report.failed.append(RowError(item.row, "location", "several locations have this name"))
                continue
            item.location_id = known[key][0]
        placed.append(item)
    return placed


async def _create(
    conn: Connection, actor: Actor, fresh: Sequence[_Wanted], pepper: bytes, report: BulkReport
) -> set[str]:
    rows = []
    for item in fresh:
        given = item.given
        profile = 1 if given.security_profile is None else given.security_profile
        secret, secret_hash = await _secret(item, profile, pepper)
        if secret is not None:
            report.secrets[given.station_id] = secret
        rows.append(
            {
                "station_id": given.station_id,
                "name": given.name or "",
                "location_id": item.location_id,
                "security_profile": profile,
                "secret_hash": secret_hash,
            }
        )
    if not rows:
        return set()
    created = await store.insert_stations(conn, actor.party_id, rows)
    for item in fresh:
        if item.given.station_id not in created:
            report.secrets.pop(item.given.station_id, None)
            report.failed.append(RowError(item.row, "station_id", "was created by somebody else just now"))
    return created


async def _update(
    conn: Connection, actor: Actor, item: _Wanted, station: Row, pepper: bytes, report: BulkReport
) -> dict[str, Any]:
    """What it sets is given back; nothing where all is so already."""
    given = item.given
    values: dict[str, Any] = {
        "name": given.name,
        "location_id": item.location_id,
        "security_profile": given.security_profile,
        "registration": "accepted",
    }
    values = {name: value for name, value in values.items() if value is not None and value != station[name]}
    profile = values.get("security_profile", station["security_profile"])
    stored = station["secret_hash"]
    is_good = stored is not None if given.password is None else stored is not None and stored == item.good_hash
    if not is_good:
        secret, secret_hash = await _secret(item, profile, pepper)
        if secret_hash is not None:
            values["secret_hash"] = secret_hash
        if secret is not None:
            report.secrets[given.station_id] = secret
    if values:
        await store.update_station(conn, actor.party_id, given.station_id, values, None)
    return values


async def _note(
    conn: Connection, actor: Actor, what: Literal["created", "changed"], changes: dict[str, _Change]
) -> None:
    things = {f"station/{station_id}": changes[station_id] for station_id in sorted(changes)}
    if not things:
        return
    await accounts.audit_many(conn, actor, f"station.{what}", things)
    await record(
        conn,
        [
            Event(
                kind=f"Station{what.capitalize()}",
                subject=thing,
                party_id=actor.party_id,
                payload={"station_id": thing.partition("/")[2], "by": actor.actor_id, "source": "import"},
            )
            for thing in things
        ],
    )
