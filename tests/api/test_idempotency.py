"""The same POST again is not done again."""

import asyncio

from tests.api.door import Visitor, problem

KEY = {"Idempotency-Key": "4b3c-first"}


async def test_a_repeated_request_gets_the_first_answer_secret_included(api: Visitor) -> None:
    body = {"station_id": api.name("IDEM")}
    first = await api.client.post("/stations", json=body, headers=KEY)
    again = await api.client.post("/stations", json=body, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    kept = str(await api.network.pool.fetch("select * from idempotent_request"))
    assert first.json()["secret"] not in kept
    assert KEY["Idempotency-Key"] not in kept


async def test_the_key_with_another_body_query_or_path_is_refused(api: Visitor) -> None:
    await api.client.post("/locations", json={"name": "A"}, headers=KEY)
    for path, body in (("/locations", {"name": "B"}), ("/locations?x=1", {"name": "A"}), ("/tokens", {"uid": "A"})):
        assert problem(await api.client.post(path, json=body, headers=KEY), 422, "invalid")["code"] == "key_reused"
    assert len((await api.gets("/locations"))["items"]) == 1


async def test_of_many_at_once_one_is_carried_out(api: Visitor) -> None:
    answers = await asyncio.gather(
        *(api.client.post("/locations", json={"name": "Once"}, headers=KEY) for _ in range(8))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, 409, "conflict")["code"] == "in_progress"
    assert len((await api.gets("/locations"))["items"]) == 1
    assert (await api.client.post("/locations", json={"name": "Once"}, headers=KEY)).status_code == 201


async def test_a_refused_request_leaves_the_key_free(api: Visitor) -> None:
    problem(await api.client.post("/locations", json={"name": ""}, headers=KEY), 422, "invalid")
    assert (await api.client.post("/locations", json={"name": "Right"}, headers=KEY)).status_code == 201


async def test_keys_of_different_callers_do_not_meet(api: Visitor, stranger: Visitor) -> None:
    mine = await api.client.post("/locations", json={"name": "A"}, headers=KEY)
    theirs = await stranger.client.post("/locations", json={"name": "A"}, headers=KEY)
    assert mine.json()["location_id"] != theirs.json()["location_id"]
    async with api.front.visitor(api.network, "stations:write") as colleague:
        other = await colleague.client.post("/locations", json={"name": "A"}, headers=KEY)
        assert other.json()["location_id"] != mine.json()["location_id"]


async def test_an_answer_is_forgotten_after_a_day_and_a_dead_request_gives_way(api: Visitor) -> None:
    first = (await api.client.post("/locations", json={"name": "A"}, headers=KEY)).json()
    await api.network.pool.execute("update idempotent_request set created_at = created_at - interval '25 hours'")
    second = (await api.client.post("/locations", json={"name": "A"}, headers=KEY)).json()
    assert second["location_id"] != first["location_id"]
    await api.network.pool.execute("update idempotent_request set status = null, body = null")
    problem(await api.client.post("/locations", json={"name": "A"}, headers=KEY), 409, "conflict")
    await api.network.pool.execute("update idempotent_request set created_at = created_at - interval '11 minutes'")
    assert (await api.client.post("/locations", json={"name": "A"}, headers=KEY)).status_code == 201


async def test_a_key_that_cannot_be_one_is_refused(api: Visitor) -> None:
    for key in ("", "x" * 256, "a\tb"):
        answer = await api.client.post("/locations", json={"name": "A"}, headers={"Idempotency-Key": key})
        problem(answer, 400, "bad-request")


async def test_a_repeated_import_makes_nothing_new_and_tells_the_same_secrets(api: Visitor) -> None:
    headers = {"Content-Type": "text/csv", **KEY}
    table = f"station_id\n{api.name('A')}\n".encode()
    first = await api.client.post("/stations/bulk", content=table, headers=headers)
    again = await api.client.post("/stations/bulk", content=table, headers=headers)
    assert first.json()["secrets"]
    assert again.json() == first.json()
