"""The whole message log, one message in plain words, and a station's day, from known rows."""

import csv
import io
import json
from datetime import datetime
from urllib.parse import quote

import pytest

from tests.console.town import Town
from tests.console.visitor import Visitor

METER = '{"connectorId":1,"meterValue":[{"timestamp":"2026-03-11T13:00:00Z","sampledValue":[{"value":"%s"}]}]}'


async def a_days_messages(town: Town) -> str:
    """Nine to ten o'clock: three meter readings, a refused order, a slow one, an error, one never answered."""
    station = await town.station("ST")
    for hours, reading in ((4.5, "100"), (4.4, "150"), (4.3, "200")):
        await town.message(station, hours, "MeterValues", payload=METER % reading)
    refusal = {"direction": "out", "payload": '{"connectorId":2}', "answer": '{"status":"UnlockFailed"}'}
    await town.message(station, 4.2, "UnlockConnector", **refusal)
    await town.message(station, 4.1, "GetDiagnostics", direction="out", latency_us=2_300_000)
    broken = {"answer_kind": "error", "answer": None, "error_code": "FormationViolation"}
    await town.message(station, 4.0, "StatusNotification", **broken)
    await town.message(station, 3.9, "Reset", direction="out", answer_kind="none", answer=None, latency_us=None)
    return station


def actions_in(text: str) -> list[str]:
    return [json.loads(line)["action"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 7),
        ("log=failed", 3),
        ("log=errors", 1),
        ("log=unanswered", 1),
        ("slow=2000", 1),
        ("slow=-5", 7),
        ("slow=99999999999999999999", 7),
        ("direction=out", 3),
        ("action=MeterValues&find=150", 1),
        ("find=100%25", 0),
        ("from=2026-03-11T10:00&to=2026-03-11T10:15", 3),
        ("from=2026-03-11T09:05:00Z&to=2026-03-11T09:13:00Z", 2),
        ("from=nonsense&to=9999-99-99T00:00", 7),
    ],
)
async def test_the_log_is_filtered_shown_and_exported_alike(
    noon: datetime, visitor: Visitor, query: str, found: int
) -> None:
    station = await a_days_messages(Town(visitor.network, noon))
    page = await visitor.opens(f"/stations/{station}/log?{query}")
    assert len(list(page.all("details", class_="log-row"))) == found
    lines = await visitor.client.get(f"/stations/{station}/messages.jsonl?{query}")
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert len(actions_in(lines.text)) == found
    table = await visitor.client.get(f"/stations/{station}/messages.csv?{query}")
    assert len(list(csv.reader(io.StringIO(table.text)))) == found + 1


async def test_a_message_is_read_in_plain_words_beside_the_one_before(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await a_days_messages(town)
    log = await visitor.opens(f"/stations/{station}/log?action=MeterValues")
    assert "data-messages" in log.html
    links = [d.attributes["hx-get"] for d in log.all("div", class_="told-place")]
    newest = await visitor.opens(links[0])
    assert newest.heading == "MeterValues from the station: answered after 4 ms."
    assert "The station sends readings of a meter." in newest.text
    assert "meterValue[0].sampledValue[0].value" in newest.text
    assert '"150" "200"' in newest.text
    german = await visitor.opens(links[0], accept_language="de")
    assert "Die Ladestation sendet Messwerte eines Zählers." in german.text
    part = await visitor.opens(links[-1], hx_request="true")
    assert "It is the first one in the log." in part.text
    assert "<html" not in part.html
    error = await visitor.opens(f"/stations/{station}/log?log=errors")
    told = await visitor.opens(next(error.all("div", class_="told-place")).attributes["hx-get"])
    assert "spelled so in OCPP 1.6" in told.text
    await visitor.opens(f"/stations/{station}/log/nobody-sent-this", expect=404)
    past = await visitor.opens(f"/stations/{station}/log?to=2026-03-11T10:15")
    assert "data-messages" not in past.html
    after = quote(town.ago(4.05).isoformat())
    assert (await visitor.client.get(f"/stations/{station}/messages?after={after}&count=1")).text == "2"


async def test_a_day_has_states_sessions_messages_and_issues_on_one_axis(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    pool = visitor.network.pool
    station = await a_days_messages(town)
    session = await town.session(station, begins=6, ends=5, wh=7_000, anomalies=["clock_wrong"], settled_at=noon)
    await town.session(station, begins=30, ends=29, wh=99_000)
    for at, is_connected in ((town.ago(3), False), (town.ago(2.5), True)):
        await pool.execute(
            "insert into connection_change (station_id, at, is_connected, reason) values ($1, $2, $3, 'peer closed')",
            station,
            at,
            is_connected,
        )
    await pool.execute(
        "insert into status_change (station_id, evse_number, connector_number, at, status, error_code)"
        " values ($1, 1, 1, $2, 'faulted', 'GroundFailure')",
        station,
        town.ago(1),
    )
    page = await visitor.opens(f"/stations/{station}/day")
    assert page.heading == "3 issues. 1 session with 7.000 kWh, 7 messages."
    assert "Wednesday 11 March 2026" in page.text
    issues = page.rows()[:3]
    assert ["09:30" in issues[0], "13:30" in issues[2]] == [True, True]
    assert "clock wrong" in issues[0]
    assert "The connection was lost: peer closed." in issues[1]
    assert "The ground-fault breaker has tripped." in issues[2]
    bars = [a.attributes["href"] for a in page.all("a", class_="bar")]
    shown = [len(list((await visitor.opens(bar)).all("details", class_="log-row"))) for bar in bars]
    assert sum(shown) == 7
    assert f"/sessions/{session}" in [a.attributes["href"] for a in page.all("a", class_="mark")]

    nearer = next(a.attributes["href"] for a in page.all("a") if a.attributes.get("data-zoom") == "in")
    half = await visitor.opens(nearer)
    assert "Whole day" in half.text
    for odd in (
        "on=2026-02-30",
        "from=x&to=y",
        "from=2026-03-11T10:00&to=2026-03-11T10:00",
        "from=2020-01-01&to=2026-01-01",
    ):
        assert (await visitor.opens(f"/stations/{station}/day?{odd}")).heading == page.heading, odd
    empty = await visitor.opens(f"/stations/{station}/day?on=2026-03-01")
    assert empty.heading == "No session."
    text = (await visitor.client.get(f"/stations/{station}/day.csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["from"] for row in rows] == sorted(row["from"] for row in rows)
    assert sum(int(row["messages"] or 0) for row in rows) == 7
    assert {row["what"] for row in rows} >= {"state", "session", "messages", "fault", "disconnected", "connection"}
    # The night in which clocks change has 23 hours.
    short = await visitor.opens(f"/stations/{station}/day?on=2026-03-29")
    drawn = next(e for e in short.elements if "data-day" in e.attributes)
    assert drawn.attributes["data-from"] == "2026-03-29T00:00:00+01:00"
    assert drawn.attributes["data-to"] == "2026-03-30T00:00:00+02:00"
