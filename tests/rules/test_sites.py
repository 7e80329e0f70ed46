"""Sites without a database: hours, power trees, stickers, and locations as other systems write them."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from ohmstead.core import workbooks
from ohmstead.core.errors import Invalid
from ohmstead.core.tables import read_table, table_of
from ohmstead.stations.sites import exchange, files, hours, pictures, rows, stickers, tree
from ohmstead.stations.sites.model import Circuit, Hours, WeeklyHours
from tests.api.pictures import a_jpeg_that_tells_where, a_png

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = "Mo-Fr 07:00-12:00 13:00-18:00; Sa,Su 09:00-24:00"
SPECIAL = "open 2026-12-24 08:00-14:00; closed 2026-12-25..2026-12-26; closed 2026-12-31 12:00-24:00"


def test_hours_are_read_and_said_in_the_same_words() -> None:
    found = hours.read(f"{WEEK}; {SPECIAL}", BERLIN)
    assert hours.rules(found, BERLIN) == [
        "Mo-Fr 07:00-12:00 13:00-18:00",
        "Sa-Su 09:00-23:59",
        "open 2026-12-24 08:00-14:00",
        "closed 2026-12-25..2026-12-26",
        "closed 2026-12-31 12:00-24:00",
    ]
    assert hours.read("\n".join(hours.rules(found, BERLIN)), BERLIN) == found
    assert hours.read(" \n; ", BERLIN) is None


times = st.times().map(lambda at: f"{at:%H:%M}")
weekly = st.builds(
    WeeklyHours,
    weekday=st.integers(1, 7),
    since=times.filter(lambda t: t < "12:00"),
    until=times.filter(lambda t: t > "12:00"),
)


@given(st.lists(weekly, max_size=7, unique_by=lambda one: one.weekday))
def test_any_week_survives_being_said_and_read(week: list[WeeklyHours]) -> None:
    found = hours.read("; ".join(hours.rules(Hours(weekly=week), BERLIN)), BERLIN)
    assert (found.weekly if found else []) == sorted(week, key=lambda one: one.weekday)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-03-11T11:59", True),
        ("2026-03-11T12:00", False),
        ("2026-03-14T23:59", True),
        ("2026-03-15T08:59", False),
        ("2026-12-24T13:30", True),
        ("2026-12-25T10:00", False),
        ("2026-12-31T13:00", False),
    ],
)
def test_a_place_is_open_by_its_own_clock_and_exceptions_go_first(at: str, is_open: bool) -> None:
    found = hours.read(f"{WEEK}; {SPECIAL}", BERLIN)
    assert hours.is_open(found, datetime.fromisoformat(at).replace(tzinfo=BERLIN).astimezone(UTC), BERLIN) is is_open
    assert hours.is_open(None, datetime.now(UTC), BERLIN) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Mo-Xx 07:00-12:00", "no days"),
        ("Fr-Mo 07:00-12:00", "no days"),
        ("Mo 07:00", "no times"),
        ("Mo 12:00-07:00", "ends before"),
        ("Mo 07:00-12:00 11:00-13:00", "overlap"),
        ("Mo 24:00-24:00", "no times"),
        ("closed 2026-02-30", "no such day"),
        ("closed 2026-12-24..2026-12-26 08:00-09:00", "no times of their own"),
        ("24/7; Mo 07:00-12:00", "round the clock"),
        ("whenever", "cannot be read"),
    ],
)
def test_hours_that_make_no_sense_are_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        hours.read(text, BERLIN)


# ------------------------------------------------------------------------------------------------------ power trees


def circuit(n: int, limit: int | str, parent: int | None = None, phases: Any = 3, **more: Any) -> Circuit:
    return Circuit(
        circuit_id=UUID(int=n),
        name=more.pop("name", f"C{n}"),
        limit_a=Decimal(limit),
        phases=phases,
        parent_id=UUID(int=parent) if parent else None,
        **more,
    )


def test_a_tree_is_told_with_its_sums_and_its_doubts() -> None:
    circuits = [
        circuit(3, 32, 2, 1, station_ids=["B"]),
        circuit(1, 100),
        circuit(2, 63, 1, station_ids=["A"]),
        circuit(4, 63, 1),
    ]
    ratings = {"A": 44_000, "B": None}
    tree.check(circuits, frozenset(ratings))
    found = tree.in_order(circuits, ratings)
    assert [(one.name, one.depth) for one in found] == [("C1", 0), ("C2", 1), ("C3", 2), ("C4", 1)]
    assert (found[0].limit_w, found[0].circuits_w) == (69_000, 2 * 43_470)
    assert (found[1].circuits_w, found[1].stations_w) == (7_360, 44_000)
    assert [(d.circuit_id.int, d.kind) for d in tree.doubts(found, ratings)] == [
        (1, "circuits_exceed"),
        (2, "circuits_exceed"),
        (3, "unrated"),
    ]


@pytest.mark.parametrize(
    ("circuits", "field", "said"),
    [
        ([circuit(1, 63, 2), circuit(2, 63, 1)], "circuits[0].parent_id", "feed itself"),
        ([circuit(1, 63, 1)], "circuits[0].parent_id", "feed itself"),
        ([circuit(1, 63, 9)], "circuits[0].parent_id", "not in the tree"),
        ([circuit(1, 63), circuit(2, 64, 1)], "circuits[1].limit_a", "more than the 63 A of C1"),
        ([circuit(1, 63, phases=1), circuit(2, 32, 1)], "circuits[1].phases", "one phase"),
        ([circuit(1, 0)], "circuits[0].limit_a", "more than 0"),
        ([circuit(1, "NaN")], "circuits[0].limit_a", "more than 0"),
        ([circuit(1, 63), circuit(1, 63)], "circuits[1].circuit_id", "twice"),
        ([circuit(1, 63, station_ids=["A"]), circuit(2, 63, station_ids=["A"])], "circuits[1].station_ids", "C1"),
        ([circuit(1, 63, station_ids=["X"])], "circuits[0].station_ids", "no station at this location"),
        ([circuit(1, 63), circuit(2, 63, name="c1 ")], "circuits[1].name", "neighbour"),
        ([circuit(n, 63, n - 1 or None) for n in range(1, 11)], "circuits[8].parent_id", "below one another"),
    ],
)
def test_a_tree_that_cannot_be_is_refused_and_the_circuit_named(circuits: list[Circuit], field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        tree.check(circuits, frozenset({"A"}))
    assert caught.value.field == field


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), max_size=8, unique_by=lambda pair: pair[0]))
def test_whatever_feeds_whatever_a_tree_is_refused_or_told_whole(pairs: list[tuple[int, int]]) -> None:
    circuits = [circuit(n, 63, above or None) for n, above in pairs]
    try:
        tree.check(circuits, frozenset())
    except Invalid:
        return
    assert len(tree.in_order(circuits, {})) == len(circuits)


# --------------------------------------------------------------------------------------------------------- stickers


def test_a_code_on_a_sticker_is_the_address_module_by_module() -> None:
    url = stickers.address("https://ohm.example.org", "Q/1 é", 2)
    assert url == "https://ohm.example.org/drive/e/Q%2F1%20%C3%A9*2"
    sheet = stickers.SHEETS["a4_3x8"]
    (placed,) = stickers.first_page([stickers.Sticker(evse_id="Q*2", url=url)], sheet, 25)
    assert (placed.x, placed.y) == sheet.place(1)
    drawn = {
        (int(x) + step, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1", placed.code)
        for step in range(int(width))
    }
    matrix = segno.make(url, error="m", micro=False).matrix
    assert drawn == {(x, y) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark}


@pytest.mark.parametrize("name", stickers.SHEETS)
def test_every_sheet_fits_its_page_and_every_sticker_is_on_one(name: stickers.SheetName) -> None:
    sheet = stickers.SHEETS[name]
    x, y = sheet.place(sheet.n_labels - 1)
    assert x + sheet.label[0] <= sheet.page[0] + 0.1
    assert y + sheet.label[1] <= sheet.page[1] + 0.1
    made = [
        stickers.Sticker(
            evse_id=f"{'STATION' * 6}-{n}*1", url="https://a.example/drive/e/A*1", place="Überlandstraße Ω"
        )
        for n in range(30)
    ]
    data = stickers.pdf(made, sheet, 5)
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", data)) == stickers.n_pages(30, sheet, 5)


# ------------------------------------------------------------------------------------------------- photos and tables


def test_a_photo_comes_out_upright_small_and_silent() -> None:
    data = a_jpeg_that_tells_where()
    assert b"secret" in data
    drawn = pictures.redrawn(data)
    assert (drawn.width, drawn.height) == (800, 1600)
    assert b"secret" not in drawn.data
    assert b"Exif" not in drawn.data
    assert drawn.data.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"<svg onload='alert(1)'/>", "not a photo"),
        (b"GIF89a" + b"\0" * 40, "not a photo"),
        (a_png()[:60], "damaged"),
        (a_png(9000, 9000), "pixels"),
    ],
)
def test_what_is_no_photo_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        pictures.redrawn(data)


def test_a_workbook_says_what_it_was_told_and_runs_nothing() -> None:
    told = [["=HYPERLINK(1)", 51.91, None], ["+49 30 1234", 3, "plain"]]
    data = workbooks.write_workbook({"Locations": (("a", "b", "c"), told)})
    lines = workbooks.read_workbook(data)["Locations"]
    assert lines[1:] == [(2, ["'=HYPERLINK(1)", "51.91", ""]), (3, ["'+49 30 1234", "3", "plain"])]
    table = table_of(iter(lines), ("a",), ("b", "c"), max_rows=10)
    assert [row.cells for row in table.rows] == [
        {"a": "=HYPERLINK(1)", "b": "51.91"},
        {"a": "+49 30 1234", "b": "3", "c": "plain"},
    ]
    book = Workbook()
    book.active.append(["name"])  # type: ignore[union-attr]
    book.active.append(["=1+1"])  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    found = table_of(iter(workbooks.read_workbook(out.getvalue())["Sheet"]), ("name",), (), max_rows=10)
    assert "formula" in found.errors[0].error


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 and nothing more", "damaged"),
        (packed(**{"a.txt": b"x"}), "no workbook"),
        (packed(**{"[Content_Types].xml": b"<x/>", "big.bin": b"\0" * 60_000_000}), "more than a table"),
        (packed(**{"[Content_Types].xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}), "entities"),
        (packed(**{"[Content_Types].xml": b"<Types/>", "xl__workbook.xml": b"<"}), "damaged"),
    ],
)
def test_hostile_workbooks_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        workbooks.read_workbook(data)


def test_the_templates_rows_are_good_rows() -> None:
    lines = workbooks.read_workbook(files.template("xlsx"))[rows.SHEET]
    of_csv = read_table(files.template("csv"), rows.REQUIRED, rows.OPTIONAL, max_rows=10)
    of_xlsx = table_of(iter(lines), rows.REQUIRED, rows.OPTIONAL, max_rows=10)
    assert of_csv.rows[0].cells == of_xlsx.rows[0].cells
    values = rows.values_of(of_csv.rows[0].cells, "UTC")
    assert values["help_phone"] == "+31 10 0000000"
    assert values["opening"].closings[0].since == datetime(2026, 12, 31, 23, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------- OCPI


OCPI: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "ABC",
    "id": "LOC1",
    "publish": True,
    "name": "Gent Zuid",
    "address": "F.Rooseveltlaan 3A",
    "city": "Gent",
    "country": "BEL",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "time_zone": "Europe/Brussels",
    "parking_type": "ON_STREET",
    "facilities": ["BUS_STOP", "WIFI"],
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
        "exceptional_closings": [{"period_begin": "2026-12-24T23:00:00Z", "period_end": "2026-12-25T23:00:00Z"}],
    },
    "evses": [
        {
            "uid": "CP-1*2",
            "status": "AVAILABLE",
            "parking_restrictions": ["EV_ONLY"],
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T2",
                    "power_type": "AC_3_PHASE",
                    "max_voltage": 230,
                    "max_amperage": 32,
                }
            ],
        },
        {"uid": "3256", "status": "REMOVED"},
        {"uid": "3257", "connectors": []},
    ],
    "last_updated": "2026-03-01T00:00:00Z",
}


def test_an_ocpi_location_is_taken_in_with_its_stations() -> None:
    values, stations = exchange.of_ocpi(OCPI)
    assert (values["reference"], values["parking_type"], values["facilities"]) == (
        "LOC1",
        "on_street",
        ["bus_stop", "wifi"],
    )
    assert hours.rules(values["opening"], ZoneInfo("Europe/Brussels")) == ["Mo 08:00-20:00", "closed 2026-12-25"]
    assert values["parking_restrictions"] == ["ev_only"]
    assert stations == [
        {"station_id": "CP-1", "location": "Gent Zuid", "evses": "2:AC:22080:IEC_62196_T2"},
        {"station_id": "3257", "location": "Gent Zuid", "evses": "1"},
    ]


def test_ocpi_documents_are_one_object_a_list_or_an_answer() -> None:
    for document in (OCPI, [OCPI], {"status_code": 1000, "data": [OCPI]}):
        assert exchange.read_locations(json.dumps(document).encode()) == [OCPI]
    for data in (b"{", b"[]", b"[1]", b"[" * 100_000, b'"x"'):
        with pytest.raises(Invalid):
            exchange.read_locations(data)
