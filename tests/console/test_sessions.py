"""What happened? The list of sessions, and one from plug to plug."""

from datetime import datetime
from decimal import Decimal

import pytest

from ohmstead.console.sessions import ANOMALIES
from ohmstead.sessions.pricing.service import list_sessions
from ohmstead.sessions.signed import service as signed
from tests.console.town import Town
from tests.console.visitor import Visitor
from tests.rules.test_signed import SigningMeter
from tests.stories.network import VERSIONS


async def test_the_list_says_how_many_and_how_much(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    await town.session(station, begins=50, ends=49, wh=4_000, token_uid="CARD-A")
    await town.session(station, begins=3, ends=2, wh=11_000, token_uid="CARD-B", anomalies=["register_reset"])
    await town.session(station, begins=0.5, ends=None, wh=2_500, token_uid="CARD-A")

    async def heading(query: str) -> str:
        return (await visitor.opens(f"/sessions?{query}")).heading

    assert await heading("") == "3 sessions, 17.50 kWh."
    assert await heading("show=now") == "1 session going on now, 2.500 kWh."
    assert await heading("show=odd") == "1 session with something odd, 11.00 kWh."
    assert await heading("token=card-a") == "2 sessions, 6.500 kWh."
    assert await heading("day=today") == "2 sessions, 13.50 kWh."
    assert await heading("from=2026-03-09&to=2026-03-09") == "1 session, 4.000 kWh."
    assert await heading("q=nothing-like-it") == "No session fits."


async def test_older_sessions_follow_page_by_page_without_gap_or_repeat(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    for number in range(60):
        # Several begin at one instant.
        await town.session(station, begins=100 + number // 4, ends=99, wh=number, transaction_id=str(number))
    seen: list[str] = []
    path = "/sessions"
    while path:
        page = await visitor.opens(path)
        seen += [link.attributes["href"] for link in page.all("a") if "th" in link.parents[-1:]]
        older = [link for link in page.all("a") if link.text.strip() == "Older"]
        path = older[0].attributes["href"] if older else ""
    assert len(seen) == len(set(seen)) == 60


async def test_the_export_holds_every_session(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    for number in range(60):
        await town.session(station, begins=100 + number, ends=99, wh=1000, transaction_id=str(number))
    answer = await visitor.client.get(f"/sessions.csv?station={station}")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 61
    assert sum(int(line.split(",")[10]) for line in lines[1:]) == 60_000


async def test_a_session_shows_its_curve_its_registers_and_its_readings(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    place = await town.location("Harbour")
    station = await town.station("ST", location_id=place)
    ended = {"token_uid": "04A224F9", "stop_reason": "ev_disconnected", "charging_s": 3600, "location_id": place}
    session = await town.session(station, begins=2, ends=1, wh=20_000, **ended)
    for hours, register, power, soc in ((2, 1000, 20_000, 40), (1.5, 11_000, 22_000, 60), (1, 21_000, 0, 80)):
        await town.sample(session, hours, energy_wh=Decimal(register), power_w=Decimal(power), soc_percent=Decimal(soc))
    page = await visitor.opens(f"/sessions/{session}")
    assert page.heading == "20.00 kWh in 1 h."
    words = (
        "the car was unplugged",
        "Average 20.0 kW while charging",
        "power, peak 22.0 kW",
        "At the start, 12:30:00 1.000 kWh",
        "At the end, 13:30:00 21.000 kWh",
        "Energy 20.000 kWh",
        "Harbour",
        "Europe/Vienna, 3 readings",
    )
    for expected in words:
        assert expected in page.text
    assert [row.split()[0] for row in page.rows()] == ["13:30:00", "13:00:00", "12:30:00"]
    csv = (await visitor.client.get(f"/sessions/{session}/readings.csv")).content.decode("utf-8-sig")
    assert len(csv.splitlines()) == 4


@pytest.mark.parametrize("anomaly", [*ANOMALIES, "something_new"])
async def test_whatever_is_odd_is_said_in_plain_words(noon: datetime, visitor: Visitor, anomaly: str) -> None:
    town = Town(visitor.network, noon)
    session = await town.session(await town.station("ST"), begins=2, ends=1, wh=500, anomalies=[anomaly])
    page = await visitor.opens(f"/sessions/{session}")
    title = ANOMALIES[anomaly][0] if anomaly in ANOMALIES else "Something new"
    assert f"{title}." in page.text


async def test_a_session_without_any_reading_says_so(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    session = await town.session(
        await town.station("ST"),
        begins=1,
        ends=1,
        wh=0,
        status="invalid",
        is_orphan=True,
        register_start_wh=None,
        register_last_wh=None,
        evse_number=None,
    )
    page = await visitor.opens(f"/sessions/{session}")
    assert page.heading == "A session nobody saw begin."
    assert "The station sent no readings for this session." in page.text


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_real_charge_looks_the_same_whatever_the_station_speaks(visitor: Visitor, version: str) -> None:
    network = visitor.network
    await network.token("CARD")
    station = await network.station(version)
    station.soc_percent = 40
    await station.plugs_in()
    await station.presents("CARD")
    await station.delivers(wh=11_000, over="1h")
    going_on = await visitor.opens("/sessions?show=now")
    assert "11.00 kWh" in going_on.rows()[0]
    assert (await visitor.opens(f"/stations/{station.station_id}")).heading == "Charging 1 car at 11.0 kW."
    await station.unplugs()
    session = await network.session_of(station)
    page = await visitor.opens(f"/sessions/{session.session_id}")
    assert page.heading == "11.00 kWh in 1 h."
    assert "Token presented CARD" in page.text
    assert "the car was unplugged" in page.text
    assert "peak 11.0 kW" in page.text


async def test_what_the_meter_signed_is_shown_with_its_verdict_and_as_a_file(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST")
    session_id = await town.session(station, begins=3, ends=2, wh=5_000)
    meter = SigningMeter()
    texts = [meter.signs("B", "1.0"), meter.signs("E", "6.0", 60, ST="M")]
    for text in texts:
        await visitor.network.pool.execute(
            "insert into signed_reading (session_id, sampled_at, context, measurand, digest, public_key, data)"
            " values ($1, $2, 'Transaction.Begin', 'x', sha256($4), $3, $4)",
            session_id,
            noon,
            meter.key,
            text,
        )
    before = await visitor.opens(f"/sessions/{session_id}")
    assert "They are checked together when the session is settled." in before.text
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        await signed.check(conn, await list_sessions(conn, [session_id]))
    page = await visitor.opens(f"/sessions/{session_id}")
    for said in ("What the meter signed", "The readings prove nothing.", "the meter was not in order", "6.000 kWh"):
        assert said in page.text
    file = await visitor.client.get(f"/sessions/{session_id}/signed.xml")
    assert file.headers["content-type"].startswith("application/xml")
    assert file.text.count("<signedData") == 2
    other = await town.session(station, begins=9, ends=8, wh=5_000)
    assert "What the meter signed" not in (await visitor.opens(f"/sessions/{other}")).text
    assert (await visitor.client.get(f"/sessions/{other}/signed.xml")).status_code == 404
