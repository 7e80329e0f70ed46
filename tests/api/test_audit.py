"""Who did what, before and after, in a chain that shows whatever is done to it."""

import asyncio
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from ohmstead.accounts import access, service
from tests.api.door import Visitor, problem
from tests.architecture.house import ROOT
from tests.faults.own_process import environment
from tests.tampering import altered


async def test_what_was_changed_is_told_with_before_and_after_and_no_secret(api: Visitor) -> None:
    station_id = api.name("AUD")
    await api.posts("/stations", {"station_id": station_id, "name": "Before"})
    place = await api.posts("/locations", {"name": "Quay", "city": "Old"})
    await api.patches(f"/stations/{station_id}", {"name": "After", "evses": [{"evse_number": 1, "max_power_w": 22000}]})
    await api.posts(f"/stations/{station_id}/secret", {"password": "a-Secret-of-its-own-77"})
    await api.posts(f"/stations/{station_id}/retire")
    await api.patches(f"/locations/{place['location_id']}", {"city": "New"})
    token = await api.posts("/tokens", {"uid": "AUDIT1"})
    await api.posts(f"/tokens/{token['token_id']}/block")
    await api.patches("/local-lists", {"is_sent": True})
    await api.sends_table("/tokens/bulk", "uid,label\nAUDIT1,By table\nAUDIT2,New\n")
    password = "Another-one-of-its-own-88"
    table = f"station_id,name,password\n{station_id},By table,{password}\n"
    await api.client.post(f"/stations/{station_id}/reinstate")
    assert (await api.sends_table("/stations/bulk", table)).json()["updated"] == 1

    by_object = {}
    for entry in await api.all_of("/audit-log"):
        by_object.setdefault((entry["object"], entry["action"]), entry)
    assert by_object[f"token/{token['token_id']}", "token.changed"]["changes"] == {
        "label": {"before": "", "after": "By table"}
    }
    by_table, reinstated, changed = [
        entry["changes"]
        for entry in await api.all_of("/audit-log", object=f"station/{station_id}", action="station.changed")
    ]
    assert by_table == {
        "name": {"before": "After", "after": "By table"},
        "secret_hash": {"before": "•••", "after": "•••"},
    }
    assert reinstated["retired_at"]["after"] is None
    assert changed == {
        "name": {"before": "Before", "after": "After"},
        "evses": {
            "before": [],
            "after": [{"evse_number": 1, "current_type": None, "max_power_w": 22000, "physical_reference": None}],
        },
    }
    retired = by_object[f"station/{station_id}", "station.retired"]["changes"]["retired_at"]
    assert retired["before"] is None
    assert retired["after"]
    assert by_object[f"location/{place['location_id']}", "location.changed"]["changes"] == {
        "city": {"before": "Old", "after": "New"}
    }
    blocked = by_object[f"token/{token['token_id']}", "token.blocked"]
    assert blocked["changes"] == {"status": {"before": "active", "after": "blocked"}}
    assert (blocked["actor"].partition(":")[0], blocked["actor_name"]) == ("key", "test")
    assert blocked["remote_address"] == "127.0.0.1"
    lists = by_object[f"party/{api.network.party_id}", "party.local_lists"]
    assert lists["changes"] == {"is_on": {"before": False, "after": True}}
    shown = json.dumps(list(by_object.values()))
    assert "a-Secret-of-its-own" not in shown
    assert password not in shown
    assert "argon2" not in shown


async def test_the_log_is_filtered_and_exported_and_checked_by_anybody(api: Visitor, stranger: Visitor) -> None:
    for uid in ("HAY-1", "NEEDLE", "HAY-2"):
        await api.posts("/tokens", {"uid": uid})
    await api.posts("/stations", {"station_id": api.name("X"), "name": 'Zoë\'s =1+1 \u2028 "quoted" \\ 🚗\t.'})
    entries = await api.all_of("/audit-log")
    (actor,) = {entry["actor"] for entry in entries if entry["action"] == "token.created"}
    assert len(await api.all_of("/audit-log", action="token.")) == 3
    assert len(await api.all_of("/audit-log", action="token.created", actor=actor, limit=2)) == 3
    assert [e["detail"]["uid"] for e in await api.all_of("/audit-log", q="needle")] == ["NEEDLE"]
    assert await api.all_of("/audit-log", actor="system", action="token.") == []
    first = entries[-1]["at"]
    assert await api.all_of("/audit-log", to=first) == []
    assert len(await api.all_of("/audit-log", **{"from": first})) == len(entries)
    problem(await api.client.get("/audit-log", params={"from": "yesterday"}), 400, "bad-request")
    assert not any(entry["number"] in (None, 0) for entry in entries)

    lines = (await api.client.get("/audit-log", params={"format": "ndjson"})).text.strip().split("\n")
    verified_outside([json.loads(line) for line in lines])
    table = (await api.client.get("/audit-log", params={"format": "csv"})).text
    verified_outside(list(csv.DictReader(io.StringIO(table))))
    verdict = await api.gets("/audit-log/verdict")
    assert verdict == {
        "is_whole": True,
        "n_entries": len(entries),
        "head_number": len(entries),
        "head_hash": entries[0]["hash"],
        "faults": [],
    }
    assert (await stranger.gets("/audit-log/verdict"))["head_hash"] != verdict["head_hash"]


def verified_outside(rows: list[dict[str, Any]]) -> None:
    """What docs/audit.md tells outsiders to do."""
    last = hashlib.sha256(b"").hexdigest()
    for row in sorted(rows, key=lambda row: int(row["number"])):
        assert row["previous_hash"] == last
        last = hashlib.sha256(f"{last}\n{row['content']}".encode()).hexdigest()
        assert row["hash"] == last
        _, at, actor, action, thing, _, _, address = json.loads(row["content"])
        assert (actor, action, thing, address or "") == (
            row["actor"],
            row["action"],
            row["object"],
            row["remote_address"] or "",
        )
        assert at[:19] == row["at"][:19]


async def test_many_at_once_make_one_chain_and_who_gives_up_leaves_no_gap(api: Visitor) -> None:
    pool, actor = api.network.pool, access.system(api.network.party_id)

    async def one(n: int) -> None:
        async with pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            await service.audit(conn, actor, "thing.done", f"thing/{n}")
            await asyncio.sleep(0)
            await service.audit_many(conn, actor, "thing.seen", {f"thing/{n}-{m}": ({}, {}) for m in range(3)})
            await (transaction.rollback() if n % 5 == 0 else transaction.commit())

    await asyncio.gather(*(one(n) for n in range(40)))
    async with pool.acquire() as conn, conn.transaction():
        await service.audit_many(conn, actor, "thing.seen", {f"mass/{n}": ({}, {"n": n}) for n in range(3000)})
    verdict = await api.gets("/audit-log/verdict")
    n = await pool.fetchval("select count(*) from audit_entry where party_id = $1", api.network.party_id)
    assert (verdict["is_whole"], verdict["n_entries"], verdict["head_number"]) == (True, n, n)
    assert n >= 32 * 4 + 3000


async def test_nobody_changes_it_and_who_forces_it_is_found_by_the_command(api: Visitor) -> None:
    pool, party_id = api.network.pool, api.network.party_id
    for n in range(6):
        await api.posts("/tokens", {"uid": f"T{n}"})
    name = str(party_id)
    whole = await verify(api, "--party", name)
    assert (whole.returncode, "The chain is whole." in whole.stdout) == (0, True), whole.stderr
    noted = whole.stdout.split("the last is ")[1].split()[0]

    for statement in ("update audit_entry set actor = 'x' where number = 3", "delete from audit_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await pool.execute(statement)

    async def force(*statements: str) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("alter table audit_entry disable trigger user")
            for statement in statements:
                await conn.execute(statement, party_id)
            await conn.execute("alter table audit_entry enable trigger user")

    await force(
        "update audit_entry set actor = 'key:other' where party_id = $1 and number = 3",
        "delete from audit_entry where party_id = $1 and number = 5",
        "insert into audit_entry (party_id, actor, action, object) values ($1, 'x', 'x', 'x')",
    )
    verdict = await api.gets("/audit-log/verdict")
    assert [(f["what"], f["first"]) for f in verdict["faults"]] == [("unlinked", 0), ("altered", 3), ("deleted", 5)]
    found = await verify(api, "--party", name, "--anchor", noted)
    assert found.returncode == 1
    assert "altered: entry 3 is not what it was" in found.stderr
    assert "deleted: entry 5 is missing" in found.stderr
    assert "anchor" not in found.stderr
    other = altered(noted, -4)
    assert "another hash than the one that was noted" in (await verify(api, "--party", name, "--anchor", other)).stderr
    assert "expected an entry's number" in (await verify(api, "--anchor", "nonsense")).stderr


async def verify(api: Visitor, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "ohmstead", "audit", "verify", *arguments]
    env = environment(api.front.house.settings) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path])}
    return await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)
