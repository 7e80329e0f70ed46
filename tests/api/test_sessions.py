"""Sessions as the API tells them, from stations that really charged."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.api.door import Visitor, problem
from tests.stories.network import VERSIONS


async def charged(api: Visitor, version: str = "2.0.1", name: str = "ST") -> dict[str, Any]:
    """A session that is over and settled."""
    location_id = await api.network.location()
    station = await api.network.station(version, name, location_id=location_id)
    await api.posts("/tokens", {"uid": f"CARD-{name}", "label": "Pool car"})
    await station.plugs_in()
    assert await station.presents(f"CARD-{name}") == "Accepted"
    await station.delivers(11_000, "1h")
    await station.unplugs()
    await api.network.session_of(station)
    (session,) = (await api.gets("/sessions", station=station.station_id))["items"]
    return dict(session)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_reads_the_same_whatever_its_stations_version(api: Visitor, version: str) -> None:
    session = await charged(api, version)
    assert session["status"] == "completed"
    assert session["energy_wh"] == 11_000
    assert session["token_label"] == "Pool car"
    assert session["location_name"] == "Car park"
    path = f"/sessions/{session['session_id']}"
    assert await api.gets(path) == session
    samples = await api.all_of(f"{path}/samples", limit=2)
    assert len(samples) == session["n_samples"] >= 4
    assert [s["sampled_at"] for s in samples] == sorted(s["sampled_at"] for s in samples)
    assert any(reading["measurand"] == "Power.Active.Import" for s in samples for reading in s["readings"])
    assert {"started"} <= {event["kind"] for event in (await api.gets(f"{path}/events"))["items"]}
    periods = (await api.gets(f"{path}/periods"))["items"]
    assert sum(period["energy_wh"] for period in periods) == session["energy_wh"]


async def test_filters_find_sessions(api: Visitor) -> None:
    one = await charged(api, name="ONE")
    two = await charged(api, name="TWO")
    for query, expected in [
        ({"token": "card-one"}, [one]),
        ({"location": two["location_id"]}, [two]),
        ({"q": "CARD-TWO"}, [two]),
        ({"q": one["session_id"]}, [one]),
        ({"status": "completed", "token": "CARD-ONE"}, [one]),
        ({"status": "active"}, []),
        ({"to": "2001-01-01T00:00:00Z"}, []),
        ({"from": one["started_at"], "token": "CARD-ONE"}, [one]),
        ({"to": one["started_at"], "token": "CARD-ONE"}, []),
    ]:
        found = (await api.gets("/sessions", **query))["items"]
        assert [s["session_id"] for s in found] == [s["session_id"] for s in expected], query


async def test_energies_are_exact_numbers(api: Visitor) -> None:
    session = await charged(api)
    await api.network.pool.execute(
        "update session set energy_wh = 12345678.123 where session_id = $1", session["session_id"]
    )
    text = (await api.client.get(f"/sessions/{session['session_id']}")).text
    assert '"energy_wh":12345678.123,' in text


async def test_sessions_are_exported_as_tables_and_lines(api: Visitor) -> None:
    session = await charged(api)
    await api.network.pool.execute(
        "update session set stop_reason = '=1+1', soc_percent = -1 where session_id = $1", session["session_id"]
    )
    answer = await api.client.get("/sessions", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="sessions.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["session_id"], Decimal(row["energy_wh"])) == (session["session_id"], Decimal(11_000))
    assert row["stop_reason"] == "'=1+1"
    assert row["soc_percent"] == "-1"
    lines = await api.client.get("/sessions", params={"format": "ndjson"})
    assert [json.loads(line)["session_id"] for line in lines.text.splitlines()] == [session["session_id"]]
    assert (await api.client.get("/sessions", params={"format": "csv", "token": "nobody"})).text.startswith(
        "session_id,"
    )


async def test_a_signed_reading_is_downloaded_byte_for_byte(api: Visitor) -> None:
    session = await charged(api)
    data = b'OCMF|{"FV" : "1.0"}|\xff\x00\r\n'
    await api.network.pool.execute(
        "insert into signed_reading (session_id, sampled_at, context, measurand, digest, encoding, data) values"
        " ($1, $2, 'Transaction.End', 'Energy.Active.Import.Register', sha256($3), 'OCMF', $3)",
        session["session_id"],
        (await api.network.rows("select ended_at from session where session_id = $1", session["session_id"]))[
            0
        ].ended_at,
        data,
    )
    path = f"/sessions/{session['session_id']}/signed-readings"
    (reading,) = (await api.gets(path))["items"]
    assert reading["size_bytes"] == len(data)
    answer = await api.client.get(f"{path}/{reading['digest']}")
    assert (answer.content, answer.headers["content-type"]) == (data, "application/octet-stream")
    problem(await api.client.get(f"{path}/{'00' * 32}"), 404)
    problem(await api.client.get(f"{path}/nonsense"), 404)


async def test_a_session_that_is_not_there_is_a_problem_on_every_path(api: Visitor) -> None:
    for tail in ("", "/samples", "/events", "/periods", "/signed-readings"):
        problem(await api.client.get(f"/sessions/019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f{tail}"), 404, "not-found")
    problem(await api.client.get("/sessions/7"), 404, "not-found")
