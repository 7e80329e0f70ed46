"""Bulk commands through the API: made by filter, watched, exported, cancelled."""

from typing import Any

from tests.api.door import Visitor, problem


async def over(api: Visitor, bulk_id: str) -> Any:
    async def is_over() -> bool:
        return bool((await api.gets(f"/bulk-commands/{bulk_id}"))["finished_at"])

    await api.network.until(is_over, "the bulk command is over")
    return await api.gets(f"/bulk-commands/{bulk_id}")


async def test_an_order_goes_to_the_stations_that_fit_a_filter(api: Visitor) -> None:
    old, new = await api.network.station("1.6", "OLD"), await api.network.station("2.1", "NEW")
    wanted = {"order": {"kind": "clear_cache"}, "selection": {"ocpp_version": "2.1"}}
    assert await api.posts("/bulk-commands/count", wanted, expect=200) == {"n_stations": 1}
    made = await api.posts("/bulk-commands", wanted, expect=201)
    assert made["selection"] == {"ocpp_version": "2.1"}
    done = await over(api, made["bulk_id"])
    assert (done["status"], done["progress"]["accepted"], done["n_stations"]) == ("done", 1, 1)
    assert [name for _, name, _ in old.wire.heard if name == "ClearCache"] == []
    await new.hears("ClearCache")
    assert [one["bulk_id"] for one in (await api.gets("/bulk-commands"))["items"]] == [made["bulk_id"]]
    [result] = (await api.gets(f"/bulk-commands/{made['bulk_id']}/results"))["items"]
    assert (result["station_id"], result["status"], result["answer"]) == (
        new.station_id,
        "accepted",
        {"status": "Accepted"},
    )
    command = await api.gets(f"/commands/{result['command_id']}")
    assert command["bulk_id"] == made["bulk_id"]


async def test_results_come_by_page_by_state_and_as_a_table(api: Visitor) -> None:
    names = [(await api.network.station("1.6", f"ST-{n}", boots=n == 0)).station_id for n in range(4)]
    selection = {"stations": [*names, "NOBODY"]}
    made = await api.posts("/bulk-commands", {"order": {"kind": "clear_cache"}, "selection": selection})
    await over(api, made["bulk_id"])
    path = f"/bulk-commands/{made['bulk_id']}/results"
    assert [one["station_id"] for one in await api.all_of(path, limit=2)] == names
    away = (await api.gets(path, status="offline"))["items"]
    assert [one["station_id"] for one in away] == names[1:]
    table = (await api.client.get(path, params={"format": "csv"})).text.splitlines()
    assert table[0].startswith("station_id,status,command_id")
    assert [line.split(",")[:2] for line in table[1:]] == [[names[0], "accepted"]] + [[n, "offline"] for n in names[1:]]


async def test_wrong_orders_and_empty_choices_are_refused_and_remembered_nowhere(api: Visitor) -> None:
    await api.network.station("1.6", boots=False)
    for order, selection, field in (
        ({"kind": "unlock", "evse_number": 0}, {}, "order.evse_number"),
        ({"kind": "set_variables", "values": {}}, {}, "values"),
        ({"kind": "clear_cache"}, {"q": "nothing like it"}, "stations"),
        ({"kind": "clear_cache"}, {"colour": "red"}, "selection.colour"),
    ):
        answer = await api.client.post("/bulk-commands", json={"order": order, "selection": selection})
        assert problem(answer, 422, "invalid")["field"] == field
    assert (await api.gets("/bulk-commands"))["items"] == []


async def test_a_bulk_that_is_over_cannot_be_cancelled(api: Visitor) -> None:
    await api.network.station("1.6", boots=False)
    made = await api.posts("/bulk-commands", {"order": {"kind": "clear_cache"}, "selection": {}, "queue_for": 60})
    cancelled = await api.posts(f"/bulk-commands/{made['bulk_id']}/cancel", expect=200)
    assert (cancelled["status"], cancelled["progress"]["cancelled"]) == ("cancelled", 1)
    problem(await api.client.post(f"/bulk-commands/{made['bulk_id']}/cancel", json={}), 409)


async def test_raw_messages_to_many_take_a_scope_of_their_own(api: Visitor) -> None:
    await api.network.station("1.6", boots=False)
    raw = {"kind": "raw", "action": "ClearCache", "payload": {}}
    vendor = {"kind": "data_transfer", "vendor_id": "com.example"}
    async with api.front.visitor(api.network, "commands:send") as dispatcher:
        for order in (raw, vendor):
            answer = await dispatcher.client.post("/bulk-commands", json={"order": order, "selection": {}})
            problem(answer, 403, "not-allowed")


async def test_capabilities_say_what_a_station_can_and_why_not_the_rest(api: Visitor) -> None:
    station = await api.network.station("1.6")
    found = await api.gets(f"/stations/{station.station_id}/capabilities")
    by_kind = {one["kind"]: one for one in found["items"]}
    assert found["ocpp_version"] == "1.6"
    assert by_kind["reset"] == {"kind": "reset", "is_possible": True, "reason": None}
    assert by_kind["set_display_message"]["reason"] == "OCPP 1.6 has no display messages"
    never = await api.network.station("2.0.1", "NEVER", boots=False)
    items = (await api.gets(f"/stations/{never.station_id}/capabilities"))["items"]
    assert {one["is_possible"] for one in items} == {False}


async def test_wrong_parameters_are_refused_with_their_field(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    path = f"/stations/{station.station_id}/commands"
    order = {"kind": "send_local_list", "version": 0}
    assert problem(await api.client.post(path, json=order), 422, "invalid")["field"] == "version"
    bad = {"kind": "set_profile", "evse_number": 1, "profile": {"profile_id": "one"}}
    assert problem(await api.client.post(path, json=bad), 422, "invalid")["field"].startswith("profile")
    assert (await api.gets("/commands"))["items"] == []


async def test_a_remote_start_can_wait_for_its_session(api: Visitor) -> None:
    await api.network.token("TAG1")
    station = await api.network.station("2.0.1")
    order = {"kind": "remote_start", "token_uid": "TAG1", "evse_number": 1}
    command = await api.posts(f"/stations/{station.station_id}/commands?wait_for_session=5", order)
    session = await api.network.session_of(station)
    assert command["session_id"] == str(session.session_id)
