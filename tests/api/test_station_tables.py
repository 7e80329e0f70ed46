"""Stations by the table: what becomes of good rows, and what is said of bad ones."""

import pytest

from tests.api.door import Visitor, problem
from tests.api.test_stations import opens

HEADER = "station_id,location,name,password,security_profile,latitude,longitude,city,evses\n"


async def test_a_table_creates_stations_and_their_locations_and_tells_the_secrets_once(api: Visitor) -> None:
    a, b = api.name("A"), api.name("B")
    table = (
        HEADER + f"{a},Yard,First,,2,48.2,16.4,Vienna,2\n{b},Yard,Second,correct horse battery,,,,,1:DC:150000:CCS2\n"
    )
    report = (await api.sends_table("/stations/bulk", table)).json()
    assert (report["created"], report["updated"], report["unchanged"], report["failed"]) == (2, 0, 0, [])
    assert report["locations_created"] == ["Yard"]
    assert list(report["secrets"]) == [a]
    assert await opens(api, a, report["secrets"][a])
    assert await opens(api, b, "correct horse battery")
    (location,) = (await api.gets("/locations"))["items"]
    assert (location["city"], location["latitude"], location["n_stations"]) == ("Vienna", 48.2, 2)
    first, second = (await api.gets("/stations"))["items"]
    assert [evse["evse_number"] for evse in first["evses"]] == [1, 2]
    assert second["evses"][0]["connectors"][0]["standard"] == "CCS2"
    assert (first["security_profile"], second["security_profile"]) == (2, 1)


async def test_the_same_table_again_changes_nothing(api: Visitor) -> None:
    table = (
        HEADER
        + f"{api.name('A')},Yard,First,correct horse battery,1,48.2,16.4,Vienna,2\n{api.name('B')},Yard,,,,,,,1\n"
    )
    await api.sends_table("/stations/bulk", table)
    before = (await api.gets("/stations"))["items"]
    report = (await api.sends_table("/stations/bulk", table)).json()
    assert (report["created"], report["updated"], report["unchanged"]) == (0, 0, 2)
    assert report["secrets"] == {}
    assert (await api.gets("/stations"))["items"] == before


async def test_a_table_updates_what_differs_and_leaves_empty_cells_alone(api: Visitor) -> None:
    a = api.name("A")
    await api.sends_table("/stations/bulk", HEADER + f"{a},Yard,First,,1,,,,1\n")
    report = (await api.sends_table("/stations/bulk", HEADER + f"{a},,Renamed,another password 1,,,,,2\n")).json()
    assert (report["created"], report["updated"]) == (0, 1)
    station = await api.gets(f"/stations/{a}")
    assert (station["name"], station["location_name"]) == ("Renamed", "Yard")
    assert len(station["evses"]) == 2
    assert await opens(api, a, "another password 1")


async def test_a_dry_run_reports_and_changes_nothing(api: Visitor) -> None:
    table = HEADER + f"{api.name('A')},Yard,First,,,,,,\n,,,,,,,,\n{api.name('B')},,,,9,,,,\n"
    report = (await api.sends_table("/stations/bulk", table, dry_run="true")).json()
    assert (report["created"], report["is_dry_run"], report["secrets"]) == (1, True, {})
    assert [error["row"] for error in report["failed"]] == [4]
    assert (await api.gets("/stations"))["items"] == []
    assert (await api.gets("/locations"))["items"] == []


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("a/b,,,,,,,,", "station_id"),
        (",Yard,,,,,,,", "station_id"),
        ("{x},,,short,,,,,", "password"),
        ("{x},,,correct horse battery,3,,,,", "password"),
        ("{x},,,,7,,,,", "security_profile"),
        ("{x},,,,one,,,,", "security_profile"),
        ("{x},Yard,,,,99,16,,", "latitude"),
        ("{x},Yard,,,,48,,,", "latitude"),
        ("{x},,,,,,,,0", "evses"),
        ("{x},,,,,,,,1:XX", "evses"),
        ("{x},,,,,,,,1:AC 1:DC", "evses"),
        ('{x},,"=HYPERLINK(""http://example.com"")",,,,,,', "name"),
        ("{x},,@SUM(A1),,,,,,", "name"),
        ("{x},,+cmd,,,,,,", "name"),
        ("{x},,a\x00b,,,,,,", "name"),
        ("{x},,only three", ""),
        ("{x},,,,,,,,,,,", ""),
    ],
)
async def test_a_bad_row_is_named_and_the_others_count(api: Visitor, cells: str, field: str) -> None:
    table = HEADER + cells.replace("{x}", api.name("X")) + f"\n{api.name('GOOD')},,,,,,,,\n"
    answer = await api.sends_table("/stations/bulk", table)
    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert [(error["row"], error["field"]) for error in report["failed"]] == [(2, field)]
    assert report["failed"][0]["error"]
    assert report["created"] == 1
    assert [station["station_id"] for station in (await api.gets("/stations"))["items"]] == [api.name("GOOD")]


async def test_an_identity_twice_in_a_table_is_an_error_of_the_second_row(api: Visitor) -> None:
    table = f"station_id\n{api.name('A')}\n{api.name('a')}\n"
    report = (await api.sends_table("/stations/bulk", table)).json()
    assert report["created"] == 1
    assert report["failed"] == [{"row": 3, "field": "station_id", "error": "is in row 2 already"}]


async def test_a_quotation_mark_that_never_closes_spoils_no_row_before_it(api: Visitor) -> None:
    table = f'station_id,name\n{api.name("A")},fine\n{api.name("B")},"never closed\n{api.name("C")},lost\n'
    report = (await api.sends_table("/stations/bulk", table)).json()
    assert report["created"] == 1
    assert [error["row"] for error in report["failed"]] == [3]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"id,name\nA,B\n", "unknown column 'id'"),
        (b"name\nA\n", "'station_id' is missing"),
        (b"station_id,name,name\nA,B,C\n", "is there twice"),
        (b"station_id\n\xff\xfe\n", "not UTF-8"),
        ("station_id\nA\n".encode("utf-16"), "not UTF-8"),
        (b"station_id\n" + b"A\n" * 5001, "more than 5000 rows"),
        (b"PK\x03\x04 a spreadsheet", "the workbook is damaged"),
    ],
)
async def test_a_table_that_cannot_be_read_is_refused_whole(api: Visitor, data: bytes, says: str) -> None:
    assert says in problem(await api.sends_table("/stations/bulk", data), 422, "invalid")["detail"]


@pytest.mark.parametrize("form", ["semicolon", "tab", "bom", "crlf", "quoted"])
async def test_tables_are_read_as_spreadsheets_write_them(api: Visitor, form: str) -> None:
    table = f"station_id,name\n{api.name('A')},Gate\n"
    data = {
        "semicolon": table.replace(",", ";").encode(),
        "tab": table.replace(",", "\t").encode(),
        "bom": b"\xef\xbb\xbf" + table.encode(),
        "crlf": table.replace("\n", "\r\n").encode(),
        "quoted": f'"station_id","name"\n"{api.name("A")}","Gate"\n'.encode(),
    }[form]
    report = (await api.sends_table("/stations/bulk", data)).json()
    assert (report["created"], report["failed"]) == (1, [])
    assert (await api.gets(f"/stations/{api.name('A')}"))["name"] == "Gate"


async def test_a_huge_table_is_refused_before_it_is_read(api: Visitor) -> None:
    problem(await api.sends_table("/stations/bulk", b"station_id\n" + b"x" * 9_000_000), 413, "too-large")


async def test_another_kind_of_body_is_refused(api: Visitor) -> None:
    answer = await api.client.post("/stations/bulk", json=[{"station_id": "A"}])
    problem(answer, 415, "unsupported-media-type")


async def test_stations_of_another_party_and_retired_ones_are_reported(api: Visitor, stranger: Visitor) -> None:
    await stranger.posts("/stations", {"station_id": api.name("THEIRS")})
    await api.posts("/stations", {"station_id": api.name("GONE")})
    await api.posts(f"/stations/{api.name('GONE')}/retire")
    await api.posts("/stations", {"station_id": api.name("CASE")})
    table = "station_id,name\n" + "".join(f"{api.name(short)},X\n" for short in ("THEIRS", "GONE", "case"))
    report = (await api.sends_table("/stations/bulk", table)).json()
    assert [error["row"] for error in report["failed"]] == [2, 3, 4]
    assert "taken" in report["failed"][0]["error"]
    assert "retired" in report["failed"][1]["error"]
    assert api.name("CASE") in report["failed"][2]["error"]
    assert (await stranger.gets(f"/stations/{api.name('THEIRS')}"))["name"] == ""


async def test_a_location_name_given_to_two_places_is_ambiguous(api: Visitor) -> None:
    for _ in range(2):
        await api.posts("/locations", {"name": "Twin"})
    report = (await api.sends_table("/stations/bulk", f"station_id,location\n{api.name('A')},twin\n")).json()
    assert report["failed"][0]["field"] == "location"
    assert report["created"] == 0


async def test_thousands_of_stations_come_in_at_once(api: Visitor) -> None:
    rows = "".join(f"{api.name(f'N{n:04d}')},Yard,2\n" for n in range(3000))
    report = (await api.sends_table("/stations/bulk", "station_id,location,evses\n" + rows)).json()
    assert (report["created"], len(report["secrets"]), report["failed"]) == (3000, 3000, [])
    assert len(await api.all_of("/stations", limit=500)) == 3000
