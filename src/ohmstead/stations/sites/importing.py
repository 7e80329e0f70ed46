"""Many locations, and their stations, from one file: a table, a workbook, or OCPI Location objects.

Each row is created, changed, found unchanged, or reported with what is wrong in it. What is in the caller's transaction
comes whole or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.core.tables import RowError, Table, TableRow, read_table, table_of
from ohmstead.core.validation import fault_of
from ohmstead.core.workbooks import first_sheet, is_workbook, read_workbook
from ohmstead.stations import queries
from ohmstead.stations.directory import bulk
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.bulk import BulkReport
from ohmstead.stations.directory.service import LocationChange, NewLocation
from ohmstead.stations.queries import Location
from ohmstead.stations.sites import exchange, rows
from ohmstead.stations.sites.countries import in_three

MAX_ROWS = 2000


class SiteReport(Struct, kw_only=True):
    """What became of the rows of locations; `stations`: of the stations that came with them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: list[RowError] = []
    stations: BulkReport | None = None


class _Known:
    """The party's locations that a file may mean, by each of their names, and the rows that meant them."""

    def __init__(self, locations: list[Location]) -> None:
        self.by_id: dict[UUID, Location] = {}
        self.by_reference: dict[str, Location] = {}
        self.by_name: dict[str, list[Location]] = {}
        self.rows: dict[UUID, int] = {}
        for location in locations:
            self.add(location)

    def add(self, location: Location) -> None:
        self.by_id[location.location_id] = location
        if location.reference:
            self.by_reference[location.reference.lower()] = location
        self.by_name.setdefault(location.name.lower(), []).append(location)

    def find(self, location_id: UUID | None, reference: str | None, name: str) -> Location | None:
        """Raises Invalid when it is not to be told which is meant."""
        if location_id is not None:
            if location_id not in self.by_id:
                raise Invalid("no such location of yours", "location_id")
            return self.by_id[location_id]
        if reference:
            if (found := self.by_reference.get(reference.lower())) is not None:
                return found
            try:  # an export of a location without a reference has its id there
                return self.by_id.get(UUID(reference)) or self._by_name(name)
            except ValueError:
                return self._by_name(name)
        return self._by_name(name)

    def _by_name(self, name: str) -> Location | None:
        named = self.by_name.get(name.lower(), [])
        if len(named) > 1:
            raise Invalid("several locations have this name: say which by `location_id` or `reference`", "name")
        return named[0] if named else None


async def import_sites(conn: Connection, actor: Actor, data: bytes, pepper: bytes) -> SiteReport:
    """Take a file in; good rows count even when others fail. Raises Invalid when the whole cannot be read.

    What it is, its first bytes say: an archive is a workbook, a bracket begins JSON, anything else is a table.
    """
    report = SiteReport()
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if is_workbook(data):
        sheets = await asyncio.to_thread(read_workbook, data)
        table = table_of(first_sheet(sheets, rows.SHEET), rows.REQUIRED, rows.OPTIONAL, max_rows=MAX_ROWS)
        await _import_table(conn, actor, table, report)
        lines = next((found for title, found in sheets.items() if title.strip().lower() == bulk.SHEET.lower()), [])
        if len(lines) > 1:
            found = table_of(iter(lines), bulk.REQUIRED, bulk.OPTIONAL, max_rows=bulk.MAX_ROWS)
            report.stations = await bulk.import_table(conn, actor, found, pepper)
    elif start in (b"{", b"["):
        stations = await _import_objects(conn, actor, exchange.read_locations(data), report)
        if stations.rows:
            report.stations = await bulk.import_table(conn, actor, stations, pepper)
    else:
        table = read_table(data, rows.REQUIRED, rows.OPTIONAL, max_rows=MAX_ROWS)
        await _import_table(conn, actor, table, report)
    report.failed.sort(key=lambda error: error.row)
    return report


async def _import_table(conn: Connection, actor: Actor, table: Table, report: SiteReport) -> None:
    report.failed += table.errors
    time_zone = (await accounts.get_party(conn, actor.party_id)).time_zone
    known = await _known(conn, actor, [row.cells for row in table.rows])
    for row in table.rows:
        with _noting(report, row.number):
            meant = known.find(rows.location_id_of(row.cells), row.cells.get("reference"), row.cells.get("name", ""))
            values = rows.values_of(row.cells, meant.time_zone if meant else time_zone)
            await _take(conn, actor, known, meant, values, row.number, report)


async def _import_objects(conn: Connection, actor: Actor, objects: list[Any], report: SiteReport) -> Table:
    """The locations; and the table of their stations."""
    stations = Table([], [])
    keys = [{"reference": str(one.get("id", "")), "name": str(one.get("name", ""))} for one in objects]
    known = await _known(conn, actor, keys)
    for number, raw in enumerate(objects, 1):
        with _noting(report, number):
            values, listed = exchange.of_ocpi(raw)
            meant = known.find(None, values["reference"], values["name"])
            if meant is not None and values["reference"] == str(meant.location_id):
                del values["reference"]
            if meant is not None and values["country"] == in_three(meant.country):
                del values["country"]  # the same in three letters
            await _take(conn, actor, known, meant, values, number, report)
            stations.rows += [TableRow(number, cells) for cells in listed]
    return stations


async def _known(conn: Connection, actor: Actor, cells: Sequence[Mapping[str, str]]) -> _Known:
    ids = []
    for one in cells:
        for text in (one.get("location_id"), one.get("reference")):
            try:
                ids.append(UUID(text or ""))
            except ValueError:
                continue
    references = [one["reference"] for one in cells if one.get("reference")]
    names = [one["name"] for one in cells if one.get("name")]
    return _Known(await queries.find_locations(conn, actor.party_id, ids, references, names))


async def _take(
    conn: Connection,
    actor: Actor,
    known: _Known,
    meant: Location | None,
    values: dict[str, Any],
    row: int,
    report: SiteReport,
) -> None:
    if meant is None:
        made = await directory.create_location(conn, actor, msgspec.convert(values, NewLocation))
        known.add(made)
        known.rows[made.location_id] = row
        report.created += 1
        return
    if (earlier := known.rows.get(meant.location_id)) is not None:
        raise Invalid(f"is in row {earlier} already", "name")
    known.rows[meant.location_id] = row
    changes = {name: value for name, value in values.items() if value != getattr(meant, name)}
    if not changes:
        report.unchanged += 1
        return
    await directory.change_location(conn, actor, meant.location_id, msgspec.convert(changes, LocationChange))
    report.updated += 1


@contextmanager
def _noting(report: SiteReport, row: int) -> Iterator[None]:
    """What is wrong in a row is written down, and the next one is taken."""
    try:
        yield
    except msgspec.ValidationError as error:
        report.failed.append(RowError(row, *fault_of(error)))
    except Invalid as error:
        report.failed.append(RowError(row, error.field, error.text))
