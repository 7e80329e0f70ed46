"""Drivers: who charges, with what, and how all of it can be forgotten."""

import io
from typing import Any

import pytest
from openpyxl import Workbook

from tests.api.door import Visitor, problem
from tests.api.test_sessions import charged


async def a_driver(api: Visitor, **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.posts("/drivers", {"name": "Ilse", **values}, expect=201)
    return made


async def test_a_driver_is_created_changed_found_and_listed_in_any_order(api: Visitor, stranger: Visitor) -> None:
    made = await a_driver(api, email="ilse@example.com", vehicles=["Van 7"], company="Harbour Logistics")
    path = f"/drivers/{made['driver_id']}"
    assert (made["status"], made["n_tokens"], made["version"]) == ("active", 0, 1)
    for name in ("anton", "Zoe", "Bea"):
        await a_driver(api, name=name)
    changed = await api.patches(path, {"phone": "+31 10 1234567", "vehicles": []}, if_match='"1"')
    assert (changed["phone"], changed["vehicles"], changed["email"]) == ("+31 10 1234567", [], "ilse@example.com")
    problem(await api.client.patch(path, json={"name": "X"}, headers={"If-Match": '"1"'}), 412, "stale")
    for sort, expected in (
        ("name", ["anton", "Bea", "Ilse", "Zoe"]),
        ("-name", ["Zoe", "Ilse", "Bea", "anton"]),
        ("-created", ["Bea", "Zoe", "anton", "Ilse"]),
        ("-updated", ["Ilse", "Bea", "Zoe", "anton"]),
    ):
        found = await api.all_of("/drivers", sort=sort, limit=1)
        assert [driver["name"] for driver in found] == expected, sort
    for text in ("ls", "harbour", "ILSE@", "1234567"):
        assert [d["name"] for d in (await api.gets("/drivers", q=text))["items"]] == ["Ilse"], text
    assert (await stranger.gets("/drivers"))["items"] == []
    table = (await api.client.get("/drivers", params={"format": "csv"})).text
    assert table.splitlines()[0].startswith("driver_id,party_id,name")
    entries = await api.all_of("/audit-log", object=f"driver/{made['driver_id']}")
    assert [entry["action"] for entry in reversed(entries)] == ["driver.created", "driver.changed"]
    assert "1234567" not in str(entries)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " \u00a0"}, "name"),
        ({"name": "Il\u202ese"}, "name"),
        ({"company": "A\u200bB"}, "company"),
        ({"email": "nobody"}, "email"),
        ({"phone": "call me"}, "phone"),
        ({"language": "english please"}, "language"),
        ({"vehicles": ["x"] * 21}, "vehicles"),
        ({"vehicles": ["Van\u0007"]}, "vehicles.0"),
        ({"group_uid": "a b"}, "group_uid"),
        ({"iban": "NL00"}, "iban"),
    ],
)
async def test_what_does_not_fit_a_driver_is_refused_and_named(
    api: Visitor, change: dict[str, Any], field: str
) -> None:
    answer = await api.client.post("/drivers", json={"name": "Ilse", **change})
    assert problem(answer, 422, "invalid")["field"] == field
    assert (await api.gets("/drivers"))["items"] == []


async def test_a_driver_is_blocked_with_all_tokens_and_stations_lists_follow(api: Visitor, stranger: Visitor) -> None:
    driver = await a_driver(api, group_uid="FLEET")
    path = f"/drivers/{driver['driver_id']}"
    one = await api.posts("/tokens", {"uid": "CARD1", "driver_id": driver["driver_id"]})
    two = await api.posts("/tokens", {"uid": "CARD2", "driver_id": driver["driver_id"], "status": "blocked"})
    other = await api.posts("/tokens", {"uid": "CARD3"})
    assert one["group_uid"] == "FLEET"
    station = await api.network.station("2.0.1", "ST")
    assert (await station.authorizes("CARD1"))[0] == "Accepted"
    blocked = await api.posts(f"{path}/block")
    assert (blocked["status"], blocked["n_tokens"]) == ("blocked", 2)
    assert (await station.authorizes("CARD1"))[0] == "Blocked"
    assert (await station.authorizes("CARD3"))[0] == "Accepted"
    # What reconciles stations' local lists hears of each token.
    facts = await api.network.pool.fetch(
        "select subject from outbox where party_id = $1 and kind = 'TokenBlocked'", api.network.party_id
    )
    assert [fact["subject"] for fact in facts] == [f"token/{one['token_id']}"]
    refused = await api.client.post(f"/tokens/{one['token_id']}/unblock")
    assert problem(refused, 409, "refused")["code"] == "driver_blocked"
    answer = await api.client.post("/tokens", json={"uid": "CARD4", "driver_id": driver["driver_id"]})
    assert problem(answer, 422)["field"] == "driver_id"
    report = (await api.sends_table("/tokens/bulk", "uid,status\nCARD1,active\n")).json()
    assert [(e["row"], e["field"]) for e in report["failed"]] == [(2, "status")]
    await api.posts(f"{path}/unblock")
    assert (await station.authorizes("CARD1"))[0] == "Accepted"
    # What was blocked for itself stays so.
    assert (await api.gets(f"/tokens/{two['token_id']}"))["status"] == "blocked"
    theirs = await stranger.client.post("/tokens", json={"uid": "X", "driver_id": driver["driver_id"]})
    assert problem(theirs, 422)["field"] == "driver_id"
    assert other["driver_id"] is None


async def test_sessions_are_the_drivers_who_held_the_token_then(api: Visitor) -> None:
    session = await charged(api)
    first, second = await a_driver(api, name="First"), await a_driver(api, name="Second")
    token = f"/tokens/{session['token_id']}"
    await api.patches(token, {"driver_id": first["driver_id"]})
    usage = await api.gets(f"/drivers/{first['driver_id']}/usage")
    assert (usage["n_sessions"], usage["energy_wh"]) == (1, session["energy_wh"])
    await api.patches(token, {"driver_id": second["driver_id"]})
    assert (await api.gets(f"/drivers/{second['driver_id']}/usage"))["n_sessions"] == 0
    found = (await api.gets("/sessions", driver=first["driver_id"]))["items"]
    assert [item["session_id"] for item in found] == [session["session_id"]]
    assert (await api.gets(f"{token}/usage"))["last_station_id"] == session["station_id"]


async def test_an_erased_driver_leaves_sessions_that_are_nobodys(api: Visitor) -> None:
    session = await charged(api)
    driver = await a_driver(api, email="ilse@example.com", notes="prefers mornings")
    path = f"/drivers/{driver['driver_id']}"
    await api.patches(f"/tokens/{session['token_id']}", {"driver_id": driver["driver_id"]})
    running = await api.network.pool.execute(
        "update session set status = 'active' where session_id = $1", session["session_id"]
    )
    assert running == "UPDATE 1"
    assert problem(await api.client.post(f"{path}/erase"), 409)["code"] == "in_use"
    assert (await api.gets(path))["name"] == "Ilse"
    await api.network.pool.execute(
        "update session set status = 'completed' where session_id = $1", session["session_id"]
    )
    erased = await api.posts(f"{path}/erase")
    assert erased["n_sessions"] == 1
    after = await api.gets(f"/sessions/{session['session_id']}")
    assert after["token_uid"] == erased["pseudonym"]
    assert (after["energy_wh"], after["token_id"], after["group_uid"]) == (session["energy_wh"], None, None)
    empty = await api.gets(path)
    assert (empty["name"], empty["email"], empty["notes"], empty["status"]) == ("", None, "", "erased")
    assert (await api.gets("/tokens"))["items"] == []
    assert (await api.gets(f"{path}/usage"))["n_sessions"] == 1
    assert problem(await api.client.post(f"{path}/erase"), 409)["code"] == "erased"
    for table in ("session", "session_event", "token_holding", "driver"):
        whose = "session_id = $2" if table.startswith("session") else "party_id = $2"
        kept = await api.network.pool.fetchval(
            f"select count(*) from {table} t where {whose} and to_jsonb(t)::text ilike any ($1)",
            [f"%{session['token_uid']}%", "%ilse%", "%mornings%"],
            session["session_id"] if table.startswith("session") else api.network.party_id,
        )
        assert kept == 0, table


async def test_many_tokens_are_changed_in_one_step_and_back(api: Visitor, stranger: Visitor) -> None:
    table = "uid,label\n" + "".join(f"CARD{n:03},Pool {n}\n" for n in range(40))
    await api.sends_table("/tokens/bulk", table)
    driver = await a_driver(api, group_uid="FLEET")
    some = [token["token_id"] for token in (await api.gets("/tokens", limit=3))["items"]]
    dry = await api.client.post("/tokens/many?dry_run=true", json={"action": "block", "token_ids": some})
    assert (dry.json()["is_dry_run"], len(dry.json()["changed"])) == (True, 3)
    assert (await api.gets("/tokens", status="blocked"))["items"] == []
    done = await api.posts("/tokens/many", {"action": "block", "selection": {"q": "pool 1"}})
    assert (done["n_selected"], len(done["changed"])) == (11, 11)
    back = await api.posts("/tokens/many", {"action": "unblock", "token_ids": done["changed"]})
    assert set(back["changed"]) == set(done["changed"])
    given = await api.posts("/tokens/many", {"action": "assign", "token_ids": some, "driver_id": driver["driver_id"]})
    assert len(given["changed"]) == 3
    held = (await api.gets("/tokens", driver=driver["driver_id"]))["items"]
    assert {(t["token_id"], t["group_uid"]) for t in held} == {(one, "FLEET") for one in some}
    await api.posts(f"/drivers/{driver['driver_id']}/block")
    left = await api.posts("/tokens/many", {"action": "unblock", "selection": {}})
    assert [item["token_id"] for item in left["left_out"]] == sorted(some)
    theirs = await stranger.posts("/tokens/many", {"action": "block", "token_ids": some})
    assert theirs["n_selected"] == 0
    for body, field in (
        ({"action": "block"}, "token_ids"),
        ({"action": "block", "token_ids": some, "selection": {}}, "token_ids"),
        ({"action": "assign", "token_ids": some, "driver_id": some[0]}, "driver_id"),
        ({"action": "sell", "token_ids": some}, "action"),
    ):
        assert problem(await api.client.post("/tokens/many", json=body), 422)["field"] == field


def workbook(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_five_hundred_rows_with_three_bad_ones_come_in_as_chosen(api: Visitor) -> None:
    rows: list[list[Any]] = [["uid", "label", "type"], *([f"CARD{n:03}", f"Card {n}", None] for n in range(500))]
    rows[7] = ["CARD000", "twice", None]
    rows[100] = ["CARD099", '=HYPERLINK("x")', None]
    rows[321] = ["CARD320", "Tr\u202eick", None]
    data = workbook(rows)
    none = (await api.sends_table("/tokens/bulk", data, all_or_none="true")).json()
    assert [(e["row"], e["field"]) for e in none["failed"]] == [(8, "uid"), (101, "label"), (322, "label")]
    assert ["already" in none["failed"][0]["error"], "formula" in none["failed"][1]["error"]] == [True, True]
    assert "U+202E" in none["failed"][2]["error"]
    assert (none["created"], none["is_kept"]) == (0, False)
    assert (await api.gets("/tokens"))["items"] == []
    good = (await api.sends_table("/tokens/bulk", data)).json()
    assert (good["created"], len(good["failed"]), good["is_kept"]) == (497, 3, True)
    again = (await api.sends_table("/tokens/bulk", data)).json()
    assert (again["created"], again["unchanged"]) == (0, 497)


async def test_a_workbook_that_is_none_is_refused(api: Visitor) -> None:
    for data in (b"PK\x03\x04nonsense", workbook([["uid"], ["A1"]])[:200]):
        assert "workbook" in problem(await api.sends_table("/tokens/bulk", data), 422)["detail"]
    assert "unknown column" in problem(await api.sends_table("/tokens/bulk", workbook([["id"], ["A"]])), 422)["detail"]


async def test_the_record_tells_that_a_holder_changed_and_not_who_it_is(api: Visitor) -> None:
    one, two = [await api.posts("/drivers", {"name": name}, expect=201) for name in ("Noor", "Ilse")]
    token = await api.posts("/tokens", {"uid": "RECORDED", "driver_id": one["driver_id"]}, expect=201)
    await api.patches(f"/tokens/{token['token_id']}", {"driver_id": two["driver_id"]})
    await api.posts("/tokens/many", {"action": "assign", "token_ids": [token["token_id"]], "driver_id": None})
    log = await api.gets("/audit-log", object=f"token/{token['token_id']}")
    told = [entry["changes"].get("driver") for entry in log["items"]]
    assert {"before": "a driver", "after": "another driver"} in told
    assert {"before": "a driver", "after": "nobody"} in told
    await api.posts(f"/drivers/{one['driver_id']}/block")
    [entry, *_] = (await api.gets("/audit-log", object=f"driver/{one['driver_id']}"))["items"]
    assert entry["changes"] == {"status": {"before": "active", "after": "blocked"}}
    assert not any(driver["driver_id"] in str(log) for driver in (one, two))
