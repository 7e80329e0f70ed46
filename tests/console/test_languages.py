"""Pages speak the language that is chosen, and nothing but it; numbers too."""

import re
from datetime import datetime
from decimal import Decimal

import httpx
import pytest

from ohmstead.core import language
from ohmstead.doorway import LANGUAGE_COOKIE
from tests.console.test_doors import PAGES
from tests.console.town import Town
from tests.console.visitor import Visitor

MORE_PAGES = (
    "/reports",
    "/reports?station={station}&period=week&compare=year&measure=plugs",
    "/certificates",
    "/safe-limits",
    "/safe-limits/new",
    "/settings/party",
    "/bulk",
    "/stations/bulk",
)
PARTS = (
    "/parts/overview/now",
    "/stations/{station}/now",
    "/stations/{station}/command?kind=order",
    "/stations/{station}/command?kind=order&pick=set_profile",
)
# Words of English that are none of German, and no names in OCPP or of a workbook's sheets.
TELLTALE = re.compile(
    r"(?<![\w.@/-])(the|The|of|and|with|from|this|This|that|are|is|it|It|its|Its|has|not|Not|nothing|Nothing|nobody|no|No|None|yet|for|by"
    r"|station|stations|session|sessions|connector|connectors|driver|drivers|card|cards|order|orders"
    r"|Search|Settings|Sign out|Sign in|Overview|Save|Cancel|Show|Charging|Sessions|yesterday|today)(?![\w/-]|\.\w)"
)
# What is not said but shown: code, keys, JSON, what was typed, other languages' names; ids and names of protocol things.
UNSAID = re.compile(
    r"(?s)<(script|style|code|kbd|pre|textarea)\b.*?</\1>|<!--.*?-->"
    r'|<(\w+)\b[^>]*\bclass="(?:[^"]* )?(?:id|mono)(?: [^"]*)?"[^>]*>[^<]*</\2>|<a\b[^>]*\blang="en"[^>]*>.*?</a>'
)
ATTRIBUTE = re.compile(r'\b(?:title|aria-label|placeholder|alt|data-ask)="([^"]*)"')


def english_in(html: str) -> set[str]:
    """English words that people would read or hear on a page."""
    rest = UNSAID.sub(" ", html)
    said = [*ATTRIBUTE.findall(rest), *re.sub(r"(?s)<[^>]*>", "\n", rest).split("\n")]
    return {f"{found[0]}: {text.strip()[:80]}" for text in said for found in [TELLTALE.search(text)] if found}


def test_the_search_for_english_finds_it_in_texts_and_attributes_and_not_in_code() -> None:
    assert english_in('<p title="Sign out">Leistung <b>of it</b></p>') == {"Sign out: Sign out", "of: of it"}
    assert english_in("<script>the</script><code>the</code><span class='x'>Alle Ladestationen</span>") == set()


@pytest.fixture
async def german(visitor: Visitor) -> Visitor:
    visitor.client.cookies.set(LANGUAGE_COOKIE, "de")
    return visitor


async def test_every_page_is_german_from_end_to_end_for_who_chose_german(noon: datetime, german: Visitor) -> None:
    town = Town(german.network, noon)
    place = await town.location("Hafen")
    station = await town.station("ST", connectors=2, location_id=place)
    await town.fault(station, 1)
    await town.fault(await town.station("AUS", online=False, location_id=place), hours_ago=2)
    await town.station("NEU", registration="pending", connected_at=None)
    session = await town.session(station, begins=5, ends=2, wh=27_840, location_id=place, anomalies=["clock_wrong"])
    await town.session(station, begins=1, ends=None, wh=1_234_500, evse_number=2, power_w=Decimal(7200), power_at=noon)
    english: dict[str, str] = {}
    for path in (*PAGES, *MORE_PAGES):
        page = await german.opens(path.format(station=station, session=session, search="ST"))
        assert not page.html or '<html lang="de">' in page.html, path
        english |= {found: path for found in english_in(page.html) if found not in english}
    for path in PARTS:
        page = await german.opens(path.format(station=station), hx_request="true")
        english |= {found: path for found in english_in(page.html) if found not in english}
    assert english == {}, "\n".join(f"{path}: {text}" for text, path in english.items())


async def test_pages_of_money_are_german_from_end_to_end_too(noon: datetime, german: Visitor) -> None:
    town = Town(german.network, noon)
    await town.tariff(name="Tag")
    station = await town.station("ST", location_id=await town.location("Hafen"))
    first, second, third = await town.bills(
        *[await town.settled(station, begins=30 * n + 2, ends=30 * n + 1) for n in (0, 1, 30)]
    )
    await town.bills(await town.settled(station, begins=9, ends=8, wh=0), await town.settled(station, begins=7, ends=7))
    await german.sends(f"/cdrs/{second.cdr_id}/credit", reason="Zu viel", bill_again="yes", expect=303)
    driver = (await german.sends("/drivers/new", name="Anna", expect=303)).answer.headers["location"]
    await german.sends(f"{driver}/money/wallet", expect=303)
    await german.sends(f"{driver}/money/adjust", amount="5", reason="Kulanz", expect=303)
    fee = {"label": "G", "monthly_fee": "9,90", "tax": "20"}
    plan = (await german.sends("/plans/new", name="Gold", expect=303, **fee)).answer.headers["location"]
    company = (await german.sends("/companies/new", name="Hafen AG", expect=303)).answer.headers["location"]
    account = await german.network.pool.fetchval(
        "select account_id from ledger_account where party_id = $1 and kind = 'receivable'", german.network.party_id
    )
    entry = await german.network.pool.fetchval(
        "select entry_id from ledger_entry where party_id = $1 and number = 1", german.network.party_id
    )
    english: dict[str, str] = {}
    for path in (
        *(f"/cdrs/{one.cdr_id}" for one in (first, second, third)),
        *("/money", "/cdrs", "/exceptions", "/exceptions?show=all", "/ledger", "/ledger/months", "/payments"),
        *("/exceptions/debts", "/exceptions/disputes", "/exceptions/differences", "/invoices", "/invoices/runs"),
        *(f"/ledger/accounts/{account}", f"/ledger/entries/{entry}", f"/sessions/{first.session_id}"),
        *(driver, f"{driver}/money", "/plans", plan, f"{plan}/edit", "/companies", company, f"{company}/edit"),
        "/settings/payments",
    ):
        page = await german.opens(path)
        english |= {found: path for found in english_in(page.html) if found not in english}
    assert english == {}, "\n".join(f"{path}: {text}" for text, path in english.items())


async def test_numbers_are_written_as_germans_do(noon: datetime, german: Visitor) -> None:
    town = Town(german.network, noon)
    station = await town.station("ST")
    session = await town.session(station, begins=5, ends=2, wh=27_840)
    await town.session(station, begins=1, ends=None, wh=1_234_500, power_w=Decimal(7200), power_at=noon)
    assert "27,84" in (await german.opens(f"/sessions/{session}")).text
    strip = (await german.opens("/")).text
    assert "1.262" in strip
    assert "7,20 kW" in strip
    assert "keine Leistung am letzten Mittwoch" in strip


async def test_programs_are_answered_in_english_whatever_a_browser_would_like(noon: datetime, german: Visitor) -> None:
    station = await Town(german.network, noon).station("ST")
    table = await german.client.get(f"/stations/{station}/day.csv")
    assert "connected" in table.text
    answer = await german.client.get("/api/v1/stations/NOBODY")
    assert answer.json()["detail"] == "no station NOBODY"


async def test_a_language_is_chosen_by_a_link_that_leads_back(visitor: Visitor) -> None:
    for code, name in (("de", "English"), ("en", "Deutsch")):
        answer = await visitor.client.get(f"/language?code={code}&next=/stations?show=online")
        assert answer.headers["location"] == "/stations?show=online"
        assert f"{LANGUAGE_COOKIE}={code}" in answer.headers["set-cookie"]
        page = await visitor.opens("/stations")
        assert f'<html lang="{code}">' in page.html
        assert [link.text for link in page.all("a", hreflang="en" if code == "de" else "de")] == [name]


async def test_a_strangers_browser_is_answered_in_its_own_language(client: httpx.AsyncClient) -> None:
    answer = await client.get("/sign-in", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert '<html lang="de">' in answer.text
    assert english_in(answer.text) == set()


async def test_a_language_that_there_is_not_cannot_be_chosen(client: httpx.AsyncClient) -> None:
    for code in ("xx", "../../etc/passwd", ""):
        answer = await client.get("/language", params={"code": code})
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_choice_of_a_language_leads_nowhere_outside(client: httpx.AsyncClient, elsewhere: str) -> None:
    answer = await client.get("/language", params={"code": "de", "next": elsewhere})
    assert answer.headers["location"] == "/"
    assert language.spoken() == language.ENGLISH


async def test_pages_and_fragments_speak_the_language_of_the_browser(visitor: Visitor) -> None:
    page = await visitor.opens("/tokens", accept_language="de-AT,de;q=0.9,en;q=0.8")
    assert 'lang="de"' in page.html
    assert page.heading == "Kein Token passt."
    for path, words in (("/search?q=nothing-like-it", "Nichts gefunden"), ("/activity", "Noch nichts")):
        drawn = await visitor.opens(path, accept_language="de", hx_request="true")
        assert "<html" not in drawn.html
        assert words in drawn.text
    assert (await visitor.opens("/tokens")).heading == "No token fits."


async def test_a_hidden_column_is_hidden_in_every_language(visitor: Visitor) -> None:
    await visitor.sends("/lists/tokens/columns", hidden=["Group"], expect=303)
    page = await visitor.opens("/tokens", accept_language="de")
    menu = next(e for e in page.all("details") if "data-hidden" in e.attributes)
    heads = {e.attributes.get("data-column", ""): e.text.strip() for e in page.all("th", scope="col")}
    assert heads[menu.attributes["data-hidden"]] == "Gruppe"
