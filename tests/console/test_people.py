"""Drivers and tokens on pages: listed, changed, blocked and back, imported; lists that people keep; finding anything."""

import io
from datetime import datetime
from typing import Any

from openpyxl import Workbook, load_workbook

from ohmstead.console.drivers import headline as drivers_headline
from ohmstead.console.tokens import headline as tokens_headline
from tests.console.town import Town
from tests.console.visitor import Visitor

HOSTILE = '=cmd|"<script>alert(1)</script>'


async def a_driver(visitor: Visitor, **fields: str) -> str:
    page = await visitor.sends("/drivers/new", **{"name": "Ilse Bakker", **fields}, expect=303)
    return page.answer.headers["location"].rpartition("/")[2]


async def a_token(visitor: Visitor, **fields: str) -> str:
    given = {"uid": "CARD1", "type": "ISO14443", "max_sessions": "1", **fields}
    page = await visitor.sends("/tokens/new", **given, expect=303)
    return page.answer.headers["location"].rpartition("/")[2]


async def test_a_driver_gets_a_token_is_blocked_and_erased(noon: datetime, visitor: Visitor, stranger: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("LNZ")
    driver = await a_driver(visitor, email="ilse@example.com", vehicles="Van 7\nVan 8", group_uid="FLEET")
    token = await a_token(visitor, driver="ilse@example.com")
    await town.session(station, begins=3, ends=2, wh=12_000, token_uid="CARD1")
    page = await visitor.opens(f"/drivers/{driver}")
    assert page.heading == "1 session, 12.00 kWh."
    for words in ("ilse@example.com", "Van 7, Van 8", "CARD1", station):
        assert words in page.text
    [row] = (await visitor.opens("/drivers?q=ilse")).rows()
    assert "12.00 kWh" in row
    await stranger.opens(f"/drivers/{driver}", expect=404)
    await visitor.sends(f"/drivers/{driver}/block", expect=303)
    assert "Blocked" in (await visitor.opens(f"/tokens/{token}")).heading
    page = await visitor.sends(f"/tokens/{token}/unblock", expect=409)
    assert "driver is blocked" in page.text
    await visitor.sends(f"/drivers/{driver}/unblock", expect=303)
    await visitor.sends(f"/drivers/{driver}/erase", expect=303)
    page = await visitor.opens(f"/drivers/{driver}")
    assert page.heading == "Erased. 1 session, 12.00 kWh."
    assert "ilse" not in page.html.lower()
    assert "CARD1" not in (await visitor.opens("/sessions")).text


async def test_whether_a_drivers_number_is_confirmed_is_said(visitor: Visitor) -> None:
    driver = await a_driver(visitor, phone="+43 664 123")
    page = await visitor.opens(f"/drivers/{driver}")
    assert "+43 664 123 not confirmed: nothing goes there by SMS" in page.text
    await visitor.network.pool.execute(
        "update driver set phone_confirmed_at = now() where driver_id::text = $1", driver
    )
    assert "not confirmed" not in (await visitor.opens(f"/drivers/{driver}")).text
    assert "+43 664 123 confirmed" in (await visitor.opens(f"/drivers/{driver}")).text
    table = (await visitor.client.get("/drivers.csv")).text
    assert "phone_confirmed_at" in table.splitlines()[0]
    # Whatever else is changed, the same number stays confirmed; another one is not.
    fields = {"name": "Ilse Bakker", "company": "New", "version": "1"}
    await visitor.sends(f"/drivers/{driver}/edit", **fields, phone="+43 664 123", expect=303)
    assert "+43 664 123 confirmed" in (await visitor.opens(f"/drivers/{driver}")).text
    await visitor.sends(f"/drivers/{driver}/edit", **{**fields, "version": "2"}, phone="+43 664 124", expect=303)
    assert "+43 664 124 not confirmed" in (await visitor.opens(f"/drivers/{driver}")).text


async def test_what_two_people_change_at_once_is_shown_and_not_lost(visitor: Visitor) -> None:
    driver = await a_driver(visitor)
    mine = {"name": "Ilse", "company": "Mine", "version": "1"}
    await visitor.sends(f"/drivers/{driver}/edit", name="Ilse", company="Theirs", version="1", expect=303)
    page = await visitor.sends(f"/drivers/{driver}/edit", **mine, expect=409)
    assert "Company Mine Theirs" in page.text
    [field] = [e for e in page.all("input") if e.attributes.get("name") == "company"]
    assert field.attributes["value"] == "Mine"
    await visitor.sends(f"/drivers/{driver}/edit", **{**mine, "version": "2"}, expect=303)
    page = await visitor.sends(f"/drivers/{driver}/edit", name="", phone="call", version="3", expect=422)
    assert next(page.all("input", **{"aria-invalid": "true"})).attributes["name"] == "name"

    token = await a_token(visitor)
    await visitor.sends(
        f"/tokens/{token}/edit", type="eMAID", label="Theirs", max_sessions="1", version="1", expect=303
    )
    page = await visitor.sends(
        f"/tokens/{token}/edit", type="eMAID", label="Mine", max_sessions="1", version="1", expect=409
    )
    assert "Label Mine Theirs" in page.text


async def test_what_does_not_fit_a_token_says_so_at_its_field(visitor: Visitor) -> None:
    await a_token(visitor)
    for change, name in (
        ({"uid": "a b"}, "uid"),
        ({"uid": "card1"}, "uid"),
        ({"max_sessions": "many"}, "max_sessions"),
        ({"valid_until": "tomorrow"}, "valid_until"),
        ({"driver": "Nobody"}, "driver"),
        ({"label": "a\u202eb"}, "label"),
    ):
        given = {"uid": "CARD2", "type": "ISO14443", "max_sessions": "1", **change}
        page = await visitor.sends("/tokens/new", **given, expect=422)
        assert next(page.all("input", **{"aria-invalid": "true"})).attributes["name"] == name, change
    assert len((await visitor.opens("/tokens")).rows()) == 1


async def test_tokens_are_chosen_blocked_and_undone(visitor: Visitor) -> None:
    ids = [await a_token(visitor, uid=f"CARD{n}", label=f"Pool {n}") for n in range(4)]
    page = await visitor.sends("/tokens", action="block", chosen=ids[:2])
    assert "2 of 2 tokens blocked." in page.text
    assert page.heading == "2 of 4 tokens may charge, 2 blocked."
    undo = next(e for e in page.all("input") if e.attributes.get("name") == "chosen" and " " in e.attributes["value"])
    page = await visitor.sends("/tokens", action="unblock", chosen=undo.attributes["value"])
    assert page.heading == "4 tokens, all good."
    page = await visitor.sends("/tokens?q=pool+3", action="block", all="yes")
    assert "1 of 1 token blocked." in page.text
    driver = await a_driver(visitor)
    page = await visitor.sends("/tokens", action="assign", all="yes", driver="Ilse Bakker")
    assert "4 of 4 tokens given." in page.text
    assert len((await visitor.opens(f"/tokens?driver={driver}&sort=label&order=desc")).rows()) == 4
    for fields in ({"action": "block"}, {"action": "assign", "chosen": ids[0], "driver": "Nobody"}, {"action": "x"}):
        await visitor.sends("/tokens", **fields, expect=422)


async def test_a_workbook_is_rehearsed_then_imported_and_exported(visitor: Visitor) -> None:
    book = Workbook()
    sheet: Any = book.active
    sheet.append(["uid", "label"])
    for n in range(500):
        sheet.append([f"CARD{n:03}", f"Card {n}"])
    sheet["A8"], sheet["B101"], sheet["B322"] = "CARD000", "=1+1", "Tr\u202eick"
    out = io.BytesIO()
    book.save(out)
    files = {"file": ("cards.xlsx", out.getvalue(), "application/octet-stream")}
    form = {"csrf_token": visitor.csrf_token, "rows": "good"}
    answer = await visitor.client.post("/tokens/import", data=form, files=files)
    assert answer.status_code == 200, answer.text
    page = type(await visitor.opens("/tokens"))(answer)
    assert page.heading == "This would create 497 and change 0; 3 cannot be taken."
    assert [row.split()[:2] for row in page.rows()] == [["8", "uid"], ["101", "label"], ["322", "label"]]
    table = next(e for e in page.all("textarea") if "hidden" in e.attributes).text
    page = await visitor.sends("/tokens/import", table=table, rows="all", step="import")
    assert page.heading == "Nothing was imported: 3 rows cannot be taken."
    page = await visitor.sends("/tokens/import", table=table, rows="good", step="import")
    assert page.heading == "497 created, 0 changed, 0 as they were, 3 failed."
    await visitor.network.pool.execute(
        "update token set label = $2 where uid = 'CARD001' and party_id = $1", visitor.network.party_id, HOSTILE
    )
    assert "<script>alert" not in (await visitor.opens("/tokens")).html
    assert f"'{HOSTILE[:5]}" in (await visitor.client.get("/tokens.csv")).text
    sheet = load_workbook(io.BytesIO((await visitor.client.get("/tokens.xlsx?q=CARD001")).content)).active
    assert [(cell.value, cell.data_type) for cell in sheet["C"][1:]] == [(f"'{HOSTILE}", "s")]


async def test_lists_are_kept_shared_and_forgotten(visitor: Visitor, stranger: Visitor) -> None:
    url = f"{visitor.front.url}/tokens?show=blocked&page=3"
    menu = await visitor.opens("/lists/tokens", hx_current_url=url, hx_request="true")
    query = next(e for e in menu.all("input") if e.attributes.get("name") == "query").attributes["value"]
    assert query == "show=blocked"
    await visitor.sends("/lists/tokens", name="Lost cards", query=query, is_shared="yes")
    page = await visitor.sends("/lists/tokens", name="Lost cards", query="")
    assert "there is a list" in page.text
    link = next(e for e in page.all("a") if e.text == "Lost cards")
    assert link.attributes["href"] == "/tokens?show=blocked"
    assert "Lost cards" not in (await stranger.opens("/lists/tokens")).text
    await visitor.opens("/lists/nothing", expect=404)
    await visitor.sends("/lists/tokens/columns", hidden=["Group", "Type"], expect=303)
    menu_of = next(e for e in (await visitor.opens("/tokens")).all("details") if "data-hidden" in e.attributes)
    assert menu_of.attributes["data-hidden"] == "Group|Type"


async def test_anything_is_found_by_a_part_and_the_best_comes_first(
    noon: datetime, visitor: Visitor, stranger: Visitor
) -> None:
    town = Town(visitor.network, noon)
    place = await town.location("Linz Harbour")
    station = await town.station("LINZ", location_id=place)
    session = await town.session(station, begins=3, ends=2, wh=1, token_uid="CARD7", transaction_id="LINZ-4711")
    driver = await a_driver(visitor, name="Linz, Anna", email="anna@linz.example")
    token = await a_token(visitor, uid="00LINZ99", label="Spare")
    page = await visitor.opens("/search?q=linz")
    paths = [e.attributes["href"] for e in page.all("a") if "tbody" in e.parents]
    expected = [f"/stations/{station}", f"/locations/{place}", f"/drivers/{driver}", f"/tokens/{token}"]
    assert paths == [*expected, f"/sessions/{session}"][: len(paths)]
    assert len(paths) == 4  # a transaction is found as it is spelled
    assert str(session) in (await visitor.opens("/search?q=LINZ-47")).html
    answer = await visitor.client.get("/search?q=00linz99")
    assert answer.headers["location"] == f"/tokens/{token}"
    typed = await visitor.opens("/search?q=anna@", hx_request="true")
    assert next(e.attributes["href"] for e in typed.all("a")) == f"/drivers/{driver}"
    assert "<html" not in typed.html
    for text in ("linz", "LINZ-4711", "00LINZ99"):
        assert str(driver) not in (await stranger.opens(f"/search?q={text}")).html
    assert "Nothing found" in (await visitor.opens("/search?q=%25")).text


def test_headlines() -> None:
    assert drivers_headline({}) == "Nobody is known by name yet."
    assert drivers_headline({"active": 2, "blocked": 1}) == "3 drivers, 1 of them blocked."
    assert tokens_headline({"active": 1}) == "1 token, all good."
    assert tokens_headline({}) == "No token fits."
