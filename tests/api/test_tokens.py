"""Tokens: one by one and by the table."""

from typing import Any

import pytest

from tests.api.door import Visitor, problem


async def test_a_token_is_created_changed_blocked_unblocked_and_deleted(api: Visitor) -> None:
    made = await api.posts(
        "/tokens", {"uid": "04A2B3C4", "label": "Pool car", "valid_until": "2030-01-01T00:00:00+01:00"}, expect=201
    )
    path = f"/tokens/{made['token_id']}"
    assert made["valid_until"] == "2029-12-31T23:00:00Z"
    assert made["may_discharge"] is False
    change = {"label": "Van", "max_sessions": None, "may_discharge": True}
    changed = await api.patches(path, change, if_match='"1"')
    assert (changed["label"], changed["max_sessions"], changed["version"]) == ("Van", None, 2)
    assert changed["may_discharge"] is True
    assert (await api.posts(f"{path}/block"))["status"] == "blocked"
    assert [token["uid"] for token in (await api.gets("/tokens", status="blocked"))["items"]] == ["04A2B3C4"]
    assert (await api.posts(f"{path}/unblock"))["status"] == "active"
    problem(await api.client.delete(path, headers={"If-Match": '"1"'}), 412, "stale")
    assert (await api.client.delete(path)).status_code == 204
    problem(await api.client.get(path), 404)
    entries = await api.all_of("/audit-log", object=f"token/{made['token_id']}")
    actions = [entry["action"] for entry in reversed(entries)]
    assert actions == ["token.created", "token.changed", "token.blocked", "token.unblocked", "token.deleted"]


async def test_a_blocked_token_begins_no_session(api: Visitor) -> None:
    station = await api.network.station("2.0.1", "ST")
    token = await api.posts("/tokens", {"uid": "CARD1"})
    assert await station.authorizes("card1") == ("Accepted", None)
    await api.posts(f"/tokens/{token['token_id']}/block")
    assert (await station.authorizes("CARD1"))[0] == "Blocked"


async def test_a_uid_is_given_once_per_party_whatever_its_case(api: Visitor, stranger: Visitor) -> None:
    await api.posts("/tokens", {"uid": "AbCd"})
    assert problem(await api.client.post("/tokens", json={"uid": "aBcD"}), 409)["code"] == "taken"
    await stranger.posts("/tokens", {"uid": "ABCD"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uid": ""}, "uid"),
        ({"uid": "a b"}, "uid"),
        ({"uid": "ä"}, "uid"),
        ({"type": "RFID"}, "type"),
        ({"status": "lost"}, "status"),
        ({"weekdays": 128}, "weekdays"),
        ({"from_minute": -1}, "from_minute"),
        ({"from_minute": 60, "until_minute": 60}, "until_minute"),
        ({"max_sessions": 0}, "max_sessions"),
        ({"valid_from": "2026-01-01T00:00:00"}, "valid_from"),
        ({"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}, "valid_until"),
        ({"location_ids": ["019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"]}, "location_ids"),
        ({"is_master": "yes"}, "is_master"),
        ({"balance": 5}, "balance"),
    ],
)
async def test_what_does_not_fit_is_refused_and_named(api: Visitor, change: dict[str, Any], field: str) -> None:
    answer = await api.client.post("/tokens", json={"uid": "X1", **change})
    assert problem(answer, 422, "invalid")["field"] == field


async def test_another_partys_location_is_no_location(api: Visitor, stranger: Visitor) -> None:
    theirs = await stranger.posts("/locations", {"name": "Theirs"})
    answer = await api.client.post("/tokens", json={"uid": "X1", "location_ids": [theirs["location_id"]]})
    assert problem(answer, 422)["field"] == "location_ids"


async def test_tokens_come_in_by_the_table_and_again_without_change(api: Visitor) -> None:
    table = (
        "uid,type,label,group_uid,valid_until,max_sessions,status\n"
        "CARD1,ISO14443,One,FLEET,2030-01-01T00:00:00Z,any,\n"
        "CARD2,,,,,,blocked\n"
    )
    report = (await api.sends_table("/tokens/bulk", table)).json()
    assert report == {"created": 2, "updated": 0, "unchanged": 0, "failed": [], "is_dry_run": False, "is_kept": True}
    one, two = (await api.gets("/tokens"))["items"]
    assert (one["group_uid"], one["max_sessions"], one["valid_until"]) == ("FLEET", None, "2030-01-01T00:00:00Z")
    assert (two["type"], two["status"], two["max_sessions"]) == ("ISO14443", "blocked", 1)
    assert (await api.sends_table("/tokens/bulk", table)).json()["unchanged"] == 2
    report = (await api.sends_table("/tokens/bulk", "uid,label\ncard1,Renamed\n")).json()
    assert (report["created"], report["updated"]) == (0, 1)
    assert (await api.gets("/tokens", q="renamed"))["items"][0]["uid"] == "CARD1"


async def test_bad_rows_of_a_token_table_are_named(api: Visitor) -> None:
    table = "uid,type,valid_until,max_sessions\nA B,,,\nC1,RFID,,\nC2,,tomorrow,\nC3,,,none\nC4,,,\nc4,,,\n=C5,,,\n"
    report = (await api.sends_table("/tokens/bulk", table)).json()
    assert report["created"] == 1
    assert [(error["row"], error["field"]) for error in report["failed"]] == [
        (2, "uid"),
        (3, "type"),
        (4, "valid_until"),
        (5, "max_sessions"),
        (7, "uid"),
        (8, "uid"),
    ]


async def test_a_dry_run_of_a_token_table_changes_nothing(api: Visitor) -> None:
    report = (await api.sends_table("/tokens/bulk", "uid\nA1\n", dry_run="true")).json()
    assert (report["created"], report["is_dry_run"]) == (1, True)
    assert (await api.gets("/tokens"))["items"] == []
