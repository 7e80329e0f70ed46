"""Webhooks: a real receiver is told of events by signed requests, however it behaves."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ohmstead.webhooks import service
from tests.api.door import Visitor, problem
from tests.webhooks.receiver import Heard, Receiver, receiving


async def listens(api: Visitor, receiver: Receiver, *kinds: str) -> tuple[str, str]:
    """A webhook of the receiver's; its path and its secret."""
    made = await api.posts("/webhooks", {"url": receiver.url, "kinds": list(kinds) or None}, expect=201)
    return f"/webhooks/{made['webhook']['webhook_id']}", made["secret"]


async def happens(api: Visitor, *uids: str) -> None:
    for uid in uids:
        await api.posts("/tokens", {"uid": uid})


async def deliveries(api: Visitor, path: str, **query: Any) -> list[dict[str, Any]]:
    return await api.all_of(f"{path}/deliveries", **query)


async def settled(api: Visitor, path: str, status: str, n: int = 1) -> list[dict[str, Any]]:
    """Until `n` deliveries are so, and each was tried."""
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        found[:] = [one for one in await deliveries(api, path, status=status) if one["n_attempts"]]
        return len(found) >= n

    await api.network.until(look, f"{n} deliveries are {status}")
    return found


async def make_due(api: Visitor, path: str) -> None:
    """As if the pause were over."""
    await api.network.pool.execute(
        "update webhook_delivery set next_at = now() where webhook_id = $1", UUID(path.rsplit("/", 1)[1])
    )


async def test_a_receiver_is_told_of_what_it_wants_to_hear_signed_and_once(api: Visitor, stranger: Visitor) -> None:
    async with receiving() as receiver, receiving() as everything:
        path, secret = await listens(api, receiver, "TokenBlocked", "TokenDeleted")
        all_path, _ = await listens(api, everything)
        await listens(stranger, everything, "StationCreated")
        token = await api.posts("/tokens", {"uid": "HOOK1"})
        await api.posts(f"/tokens/{token['token_id']}/block")
        (heard,) = await receiver.hears()
        assert heard.is_signed_with(secret)
        assert not heard.is_signed_with("whsec_" + "A" * 43 + "=")
        assert abs(heard.timestamp - datetime.now(UTC).timestamp()) < 60
        assert heard.headers["Content-Type"] == "application/json"
        assert heard.headers["User-Agent"].startswith("Ohmstead-Webhooks/")
        message = heard.message
        (event,) = (await api.gets("/events/outbox", kind="TokenBlocked"))["items"]
        assert message == {
            "type": "TokenBlocked",
            "timestamp": event["at"],
            "event_id": event["event_id"],
            "subject": f"token/{token['token_id']}",
            "data": event["payload"],
        }
        assert message["data"]["uid"] == "HOOK1"

        (delivery,) = await settled(api, path, "delivered")
        assert (delivery["message_id"], delivery["kind"]) == (heard.message_id, "TokenBlocked")
        assert (delivery["last_status_code"], delivery["last_error"], delivery["next_at"]) == (200, None, None)
        whole = await api.gets(f"{path}/deliveries/{delivery['delivery_id']}")
        assert whole["body"].encode() == heard.body
        (attempt,) = whole["attempts"]
        assert (attempt["number"], attempt["status_code"], attempt["answer"]) == (1, 200, "thank you\ufffd")
        assert {one.message["type"] for one in await everything.hears(2)} == {"TokenCreated", "TokenBlocked"}
        await settled(api, all_path, "delivered", 2)
        assert len(receiver.heard) == 1

        shown = json.dumps([await api.gets(path), await api.all_of("/audit-log"), await api.gets("/webhooks")])
        assert secret not in shown
        assert "webhook.created" in shown


async def test_a_secret_is_replaced_while_both_sign(api: Visitor) -> None:
    async with receiving() as receiver:
        path, old = await listens(api, receiver, "TokenCreated")
        rotated = await api.posts(f"{path}/secret", {"overlap_s": 3600})
        new = rotated["secret"]
        assert len(rotated["webhook"]["secrets_expire_at"]) == 1
        await happens(api, "R1")
        (heard,) = await receiver.hears()
        assert (heard.is_signed_with(old), heard.is_signed_with(new), len(heard.signatures)) == (True, True, 2)
        newest = (await api.posts(f"{path}/secret", {"overlap_s": 0}))["secret"]
        await happens(api, "R2")
        last = (await receiver.hears(2))[-1]
        assert [last.is_signed_with(secret) for secret in (old, new, newest)] == [False, False, True]
        stored = await api.network.pool.fetch("select sealed from webhook_secret")
        assert not any(newest.encode() in row["sealed"] for row in stored)


async def test_bad_input_is_refused_by_its_field(api: Visitor) -> None:
    for body, field in (
        ({"url": "https://10.0.0.7/x"}, "url"),
        ({"url": "http://hooks.example.com/x"}, "url"),
        ({"url": "https://hooks.example.com/", "kinds": ["Weather"]}, "kinds"),
        ({"url": "https://hooks.example.com/", "kinds": []}, "kinds"),
        ({"url": 7}, "url"),
    ):
        document = problem(await api.client.post("/webhooks", json=body), 422)
        assert document["errors"][0]["field"] == field, document
    problem(await api.client.post("/webhooks", json={"url": "https://hooks.example.com/", "secret": "x"}), 422)
    assert (await api.gets("/webhooks"))["items"] == []
    async with api.front.visitor(api.network, "webhooks:write") as blind:
        answer = await blind.client.post("/webhooks", json={"url": "https://hooks.example.com/"})
        assert "events:read" in problem(answer, 403, "not-allowed")["detail"]
    # Nor is anybody told by a webhook what they may not read.
    async with api.front.visitor(api.network, "webhooks:write", "events:read", "tokens:read") as lesser:
        url = {"url": "https://hooks.example.com/"}
        for kinds in (None, ["StationCreated", "InvoiceIssued"]):
            answer = await lesser.client.post("/webhooks", json=url | {"kinds": kinds})
            assert ":read" in problem(answer, 403, "not-allowed")["detail"]
        theirs = (await lesser.posts("/webhooks", url | {"kinds": ["StationCreated", "TokenCreated"]}))["webhook"]
        path = f"/webhooks/{theirs['webhook_id']}"
        problem(await lesser.client.patch(path, json={"kinds": None}), 403, "not-allowed")
        await api.patches(path, {"kinds": ["CdrCreated"]})
        for change in ({"url": "https://elsewhere.example.com/"}, {"is_enabled": True}):
            problem(await lesser.client.patch(path, json=change), 403, "not-allowed")
        assert (await lesser.patches(path, {"is_enabled": False}))["is_enabled"] is False
        assert (await lesser.client.delete(path)).status_code == 204
    made = (await api.posts("/webhooks", {"url": "https://hooks.example.com/"}))["webhook"]
    path = f"/webhooks/{made['webhook_id']}"
    changed = await api.patches(path, {"description": "New"}, if_match='"1"')
    assert (changed["version"], changed["description"]) == (2, "New")
    problem(await api.client.patch(path, json={"description": "x"}, headers={"If-Match": '"1"'}), 412)
    problem(await api.client.post(f"{path}/example", json={"kind": "Weather"}), 422)
    problem(await api.client.post(f"{path}/replay", json={"since": "2026-01-01T00:00:00"}), 422)
    for _ in range(service.MOST_WEBHOOKS - 1):
        await api.posts("/webhooks", {"url": "https://hooks.example.com/"})
    answer = await api.client.post("/webhooks", json={"url": "https://hooks.example.com/"})
    assert "50 webhooks already" in answer.json()["detail"]
    assert len(await api.all_of("/webhooks", limit=20)) == 50
    assert (await api.client.delete(path)).status_code == 204
    problem(await api.client.get(path), 404)


async def test_what_is_not_taken_is_tried_again_under_the_same_id(api: Visitor) -> None:
    async with receiving("500") as receiver:
        path, _ = await listens(api, receiver, "TokenCreated")
        await happens(api, "M1")
        errors = {}
        for n, how in enumerate(("500", "429", "hangs", "redirects", "breaks"), 1):
            receiver.how = how
            if n > 1:
                await make_due(api, path)
            await receiver.hears(n)

            async def is_told(n: int = n) -> bool:
                return (await deliveries(api, path))[0]["n_attempts"] == n

            await api.network.until(is_told, "the attempt is on record")
            (delivery,) = await deliveries(api, path)
            errors[how] = delivery["last_error"]
            pause = datetime.fromisoformat(delivery["next_at"]) - datetime.now(UTC)
            if how == "500":
                assert timedelta(seconds=2) < pause < timedelta(seconds=7)
            if how == "429":
                assert pause > timedelta(seconds=7000)
        assert errors == {
            "500": "answered 500",
            "429": "answered 429",
            "hangs": "no answer within 1 s",
            "redirects": "answered 302: redirects are not followed, give the address that they lead to",
            "breaks": "no answer: ServerDisconnectedError",
        }
        webhook = await api.gets(path)
        assert (webhook["is_enabled"], webhook["n_waiting"]) == (True, 1)
        assert webhook["failing_since"] is not None

        receiver.how = "huge"
        await make_due(api, path)
        (delivery,) = await settled(api, path, "delivered")
        whole = await api.gets(f"{path}/deliveries/{delivery['delivery_id']}")
        assert [attempt["number"] for attempt in whole["attempts"]] == [6, 5, 4, 3, 2, 1]
        assert whole["attempts"][0]["answer"] == "x" * 2000
        assert whole["attempts"][-1]["answer"] == "<b>not now</b>"
        assert len({one.message_id for one in receiver.heard}) == 1
        assert len({one.body for one in receiver.heard}) == 1
        assert (await api.gets(path))["failing_since"] is None


async def test_410_and_three_days_of_silence_switch_it_off_and_that_is_said(api: Visitor) -> None:
    async with receiving("410") as receiver, receiving() as other, receiving() as witness:
        path, _ = await listens(api, receiver, "TokenCreated")
        await listens(api, witness, "TokenCreated")
        other_path, _ = await listens(api, other, "WebhookDisabled")
        await happens(api, "G1")
        told = (await other.hears())[0].message
        assert (told["data"]["reason"], told["data"]["url"]) == ("gone", receiver.url)
        webhook = await api.gets(path)
        assert (webhook["is_enabled"], webhook["disabled_why"]) == (False, "gone")
        (gone,) = await settled(api, path, "failed")
        await happens(api, "G2")
        await witness.hears(2)
        problem(await api.client.post(f"{path}/deliveries/{gone['delivery_id']}/replay"), 409)
        (entry,) = await api.all_of("/audit-log", action="webhook.disabled")
        assert (entry["actor"], entry["detail"]["reason"]) == ("system", "gone")
        assert entry["changes"] == {"is_enabled": {"before": True, "after": False}}

        assert (await api.patches(path, {"is_enabled": True}))["failing_since"] is None
        receiver.how = "503"
        await happens(api, "G3")
        await settled(api, path, "waiting")
        assert len(await deliveries(api, path)) == 2, "what happened while it was off is not kept"
        await api.network.pool.execute(
            "update webhook set failing_since = now() - interval '3 days' where webhook_id = $1",
            UUID(path.rsplit("/", 1)[1]),
        )
        await make_due(api, path)
        assert (await other.hears(2))[1].message["data"]["reason"] == "failing"
        assert (await api.gets(path))["disabled_why"] == "failing"
        receiver.how = "200"
        await api.patches(path, {"is_enabled": True})
        await make_due(api, path)
        await settled(api, path, "delivered")
        await settled(api, other_path, "delivered", 2)


async def test_what_was_given_up_is_sent_again_one_or_all_and_an_example_tries_the_receiver(api: Visitor) -> None:
    async with receiving("500") as receiver:
        path, secret = await listens(api, receiver, "TokenCreated")
        await happens(api, "F1", "F2", "F3")
        await settled(api, path, "waiting", 3)
        await api.network.pool.execute(
            "update webhook_delivery set n_tries = 12, next_at = now() where webhook_id = $1",
            UUID(path.rsplit("/", 1)[1]),
        )
        given_up = await settled(api, path, "failed", 3)
        assert all(one["next_at"] is None and one["finished_at"] for one in given_up)

        receiver.how = "200"
        before = len(receiver.heard)
        one = given_up[0]
        again = await api.posts(f"{path}/deliveries/{one['delivery_id']}/replay", expect=202)
        assert again["message_id"] == one["message_id"]
        assert (await receiver.hears(before + 1))[-1].message_id == one["message_id"]
        await settled(api, path, "delivered")
        assert (await api.posts(f"{path}/replay", {"since": datetime.now(UTC).isoformat()})) == {"n": 0}
        assert (await api.posts(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}, expect=202)) == {"n": 2}
        await settled(api, path, "delivered", 3)
        table = (await api.client.get(f"{path}/deliveries", params={"format": "csv"})).text
        assert table.count("TokenCreated") == 3

        await api.patches(path, {"is_enabled": False})
        tried = await api.posts(f"{path}/example", {"kind": "SessionEnded"}, expect=202)
        await receiver.hears(before + 4)
        (example,) = receiver.of_kind("SessionEnded")
        assert example.is_signed_with(secret)
        assert (example.message["event_id"], example.message["data"]["energy_wh"]) == (None, "11759.75")
        receiver.how = "500"
        await api.posts(f"{path}/example", {"kind": "SessionEnded"})
        await settled(api, path, "failed")
        assert tried["is_example"]
        assert (await api.gets(path))["failing_since"] is None, "examples say nothing of the receiver's health"


async def test_no_request_goes_to_where_nobody_may_be_led(api: Visitor) -> None:
    async with receiving() as receiver:
        path, _ = await listens(api, receiver, "TokenCreated")
        for host in ("localhost", "127.1", "2130706433", "no-such-host.invalid"):
            url = receiver.url.replace("127.0.0.1", host)
            await api.network.pool.execute(
                "update webhook set url = $2 where webhook_id = $1",
                UUID(path.rsplit("/", 1)[1]),
                url.replace("http://", "https://"),
            )
            example = await api.posts(f"{path}/example", {"kind": "TokenCreated"})
            delivery_path = f"{path}/deliveries/{example['delivery_id']}"

            async def is_over(delivery_path: str = delivery_path) -> bool:
                return bool((await api.gets(delivery_path))["attempts"])

            await api.network.until(is_over, "it was tried")
            (attempt,) = (await api.gets(delivery_path))["attempts"]
            if host.startswith("no-such"):
                assert attempt["error"] == f"{host} was not found"
            else:
                assert attempt["error"].startswith("not sent: "), attempt
                assert host != "localhost" or "not public" in attempt["error"], attempt
        assert receiver.heard == []


async def test_one_that_hangs_holds_nobody_up_and_none_is_asked_too_much_at_once(api: Visitor) -> None:
    async with receiving("hangs") as hanging, receiving("slow") as slow:
        await listens(api, hanging, "TokenCreated")
        path, _ = await listens(api, slow, "TokenCreated")
        await happens(api, *(f"C{n}" for n in range(12)))
        heard = await slow.hears(12, within_s=10)
        await settled(api, path, "delivered", 12)
        assert {one.message["data"]["uid"] for one in heard} == {f"C{n}" for n in range(12)}
        assert len({one.message_id for one in heard}) == 12
        assert slow.most_at_once <= 4
        assert hanging.most_at_once <= 4


async def test_an_event_that_comes_again_is_not_sent_again(api: Visitor) -> None:
    """As after a dump was restored: consumers hear some events twice."""
    async with receiving() as receiver:
        await listens(api, receiver, "TokenCreated")
        await happens(api, "D1")
        await receiver.hears()
        await api.network.pool.execute(
            "update outbox_cursor set window_from = '3', done_event_id = 0 where consumer = 'webhooks'"
        )
        await happens(api, "D2")
        await receiver.hears(2)
        await asyncio.sleep(0.6)
        assert [uid(one) for one in receiver.heard] == ["D1", "D2"]


def uid(heard: Heard) -> str:
    found: str = heard.message["data"]["uid"]
    return found


async def test_what_is_older_than_thirty_days_is_forgotten(api: Visitor) -> None:
    async with receiving() as receiver:
        path, _ = await listens(api, receiver, "TokenCreated")
        await happens(api, "O1", "O2")
        await settled(api, path, "delivered", 2)
        old = (await deliveries(api, path))[-1]["delivery_id"]
        await api.network.pool.execute(
            "update webhook_delivery set created_at = now() - interval '31 days' where delivery_id = $1", UUID(old)
        )
        async with api.network.pool.acquire() as conn:
            assert await service.drop_old(conn) >= 1
        assert [one["delivery_id"] != old for one in await deliveries(api, path)] == [True]
