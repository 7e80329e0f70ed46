"""Locations as files that people and other systems take, and that can be taken in again."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.accounts import service as accounts
from ohmstead.accounts.scope import Scope
from ohmstead.core import workbooks
from ohmstead.core.db import Connection
from ohmstead.core.tables import neutral
from ohmstead.stations import queries
from ohmstead.stations.directory import bulk
from ohmstead.stations.queries import Location, LocationFilter, StationFilter, StationView
from ohmstead.stations.sites import exchange, rows

FileForm: TypeAlias = Literal["csv", "xlsx", "ocpi"]
MEDIA: Final[dict[FileForm, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": workbooks.MEDIA_TYPE,
    "ocpi": "application/json",
}
NAMES: Final[dict[FileForm, str]] = {"csv": "locations.csv", "xlsx": "locations.xlsx", "ocpi": "locations.json"}
MOST_LOCATIONS = 20_000
MOST_STATIONS = 100_000
_STATION_COLUMNS = ("station_id", "location", "name", "security_profile", "evses")


async def export(conn: Connection, scope: Scope, wanted: LocationFilter, form: FileForm) -> bytes:
    """Every location that fits; a workbook and OCPI with their stations."""
    locations = await queries.list_locations(conn, scope, wanted, limit=MOST_LOCATIONS)
    if form == "csv":
        return _csv(list(rows.COLUMNS), [rows.of_location(location) for location in locations])
    stations: dict[UUID | None, list[StationView]] = {}
    for station in await queries.list_stations(conn, scope, StationFilter(), limit=MOST_STATIONS):
        stations.setdefault(station.location_id, []).append(station)
    if form == "xlsx":
        return _workbook(locations, [one for location in locations for one in stations.get(location.location_id, ())])
    party = await accounts.get_party(conn, scope.party_id)
    found = [
        exchange.to_ocpi(one, stations.get(one.location_id, ()), party.country_code, party.party_code)
        for one in locations
    ]
    return msgspec.json.format(msgspec.json.encode(found), indent=1)


def template(form: Literal["csv", "xlsx"]) -> bytes:
    """A file to begin with: the columns, and one row that shows how they are filled."""
    example = [rows.EXAMPLE.get(name, "") for name in rows.COLUMNS]
    if form == "csv":
        return _csv(list(rows.COLUMNS), [example])
    stations = {"station_id": "HARBOUR-01", "location": "Harbour Car Park", "name": "Left", "security_profile": 1}
    listed = [stations.get(name, "1:AC:22000:IEC_62196_T2") for name in _STATION_COLUMNS]
    about = [[name, text.replace("`", "")] for name, text in rows.COLUMNS.items()]
    about += [[f"{bulk.SHEET}: {name}", bulk.COLUMNS[name].replace("`", "")] for name in _STATION_COLUMNS]
    return workbooks.write_workbook(
        {
            rows.SHEET: (list(rows.COLUMNS), [example]),
            bulk.SHEET: (_STATION_COLUMNS, [listed]),
            "Columns": (("Column", "What it holds"), about),
        }
    )


def _workbook(locations: Sequence[Location], stations: Sequence[StationView]) -> bytes:
    return workbooks.write_workbook(
        {
            rows.SHEET: (list(rows.COLUMNS), [rows.of_location(location) for location in locations]),
            bulk.SHEET: (
                _STATION_COLUMNS,
                [
                    [one.station_id, one.location_name, one.name, one.security_profile, bulk.evses_text(one.evses)]
                    for one in stations
                ],
            ),
        }
    )


def _csv(columns: list[str], lines: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(
        ["" if value is None else neutral(value) if isinstance(value, str) else str(value) for value in line]
        for line in lines
    )
    return text.getvalue().encode("utf-8-sig")
