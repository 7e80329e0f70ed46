"""One order to many from the console: whom it reaches is said before, what each said is shown after."""

import json

import pytest

from ohmstead.console.bulk import KINDS, order_from
from ohmstead.console.orders import Choice
from ohmstead.core.errors import Invalid
from ohmstead.stations.orders import ClearCache, ClearProfiles, Order, Reset
from tests.console.visitor import Page, Visitor


async def over(visitor: Visitor, path: str) -> Page:
    """The page of a bulk command once it is through."""
    pages: list[Page] = []

    async def is_over() -> bool:
        pages.append(await visitor.opens(path))
        return "over after" in pages[-1].text

    await visitor.network.until(is_over, "the bulk command is over")
    return pages[-1]


async def test_it_says_to_how_many_asks_once_and_shows_what_became_of_it(visitor: Visitor) -> None:
    one, two = await visitor.network.station("1.6", "ONE"), await visitor.network.station("2.1", "TWO")
    two.answers["ClearCache"] = {"status": "Rejected", "statusInfo": {"reasonCode": "Busy"}}
    away = await visitor.network.station("2.0.1", "AWAY", boots=False)
    form = await visitor.opens("/stations/bulk?kind=cache")
    assert form.heading == "Order to 3 stations"
    asked = await visitor.sends("/stations/bulk", kind="cache", step="ask")
    assert "Clear token cache at 3 stations." in asked.text
    assert [e.text.strip() for e in asked.all("button", value="send")] == ["Send to 3"]
    assert await visitor.network.rows("select * from bulk_command where party_id = $1", visitor.network.party_id) == []
    answer = await visitor.client.post(
        "/stations/bulk", data={"csrf_token": visitor.csrf_token, "kind": "cache", "step": "send"}
    )
    assert answer.status_code == 303
    page = await over(visitor, answer.headers["location"])
    assert page.heading == "2 stations did not do it. 1 of 3 did it."
    by_station = {row.split()[0]: row for row in page.rows()}
    assert "Accepted" in by_station[one.station_id]
    assert "Rejected (Busy)" in by_station[two.station_id]
    assert "Station offline" in by_station[away.station_id]
    trouble = await visitor.opens(answer.headers["location"] + "?show=trouble")
    assert [row.split()[0] for row in trouble.rows()] == sorted([two.station_id, away.station_id])
    table = await visitor.client.get(answer.headers["location"] + "/results.csv")
    header, *rows = table.content.decode("utf-8-sig").splitlines()
    assert header.startswith("station_id,status,sent_at,answered_at,answer")
    assert len(rows) == 3
    listed = await visitor.opens("/bulk")
    assert "Clear token cache" in listed.rows()[0]


async def test_it_goes_to_those_of_the_list_it_was_opened_from(visitor: Visitor) -> None:
    one, two = await visitor.network.station("1.6", "NORTH"), await visitor.network.station("1.6", "SOUTH")
    stations = await visitor.opens("/stations?q=NORTH")
    [link] = [a.attributes["href"] for a in stations.all("a") if a.text.strip() == "Order to all of them"]
    assert (await visitor.opens(link)).heading == "Order to 1 station"
    answer = await visitor.client.post(
        link.partition("?")[0],
        data={"csrf_token": visitor.csrf_token, "kind": "ask", "message": "Heartbeat", "q": "NORTH", "step": "send"},
    )
    await over(visitor, answer.headers["location"])
    assert await one.hears("TriggerMessage") == {"requestedMessage": "Heartbeat"}
    assert [name for _, name, _ in two.wire.heard if name == "TriggerMessage"] == []


async def test_the_rest_can_be_cancelled(visitor: Visitor) -> None:
    await visitor.network.station("1.6", boots=False)
    answer = await visitor.client.post(
        "/stations/bulk", data={"csrf_token": visitor.csrf_token, "kind": "cache", "step": "send", "queue": "yes"}
    )
    path = answer.headers["location"]
    page = await visitor.opens(path)
    assert "Cancel the rest" in page.text
    done = await visitor.client.post(f"{path}/cancel", data={"csrf_token": visitor.csrf_token})
    assert done.status_code == 303
    assert (await over(visitor, path)).heading == "Cancelled: 0 of 1 had done it."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "order", "order": '{"kind": "reset", "how": "gently"}'}, "how: Invalid enum value"),
        ({"kind": "order", "order": "{"}, "Not JSON"),
        ({"kind": "order", "order": '{"kind": "send_local_list", "version": 0}'}, "version: is a positive number"),
        ({"kind": "set"}, "Which setting?"),
    ],
)
async def test_a_form_that_does_not_fit_says_so_and_nothing_is_remembered(
    visitor: Visitor, fields: dict[str, str], words: str
) -> None:
    await visitor.network.station("1.6", boots=False)
    page = await visitor.sends("/stations/bulk", expect=422, step="send", **fields)
    assert words in page.text
    assert await visitor.network.rows("select * from bulk_command where party_id = $1", visitor.network.party_id) == []


async def test_strangers_and_those_who_may_not_order_see_nothing(visitor: Visitor, stranger: Visitor) -> None:
    await visitor.network.station("1.6", boots=False)
    answer = await visitor.client.post(
        "/stations/bulk", data={"csrf_token": visitor.csrf_token, "kind": "cache", "step": "send"}
    )
    path = answer.headers["location"]
    await stranger.opens(path, expect=404)
    await stranger.opens(f"{path}/results.csv", expect=404)
    await stranger.sends(f"{path}/cancel", expect=404)
    assert "No order went to many yet." in (await stranger.opens("/bulk")).text
    assert (await stranger.opens("/stations/bulk")).heading == "No station fits."
    await visitor.opens("/bulk/nonsense", expect=404)


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"kind": "cache"}, ClearCache()),
        ({"kind": "restart", "how": "hard"}, Reset(how="hard")),
        (
            {"kind": "order", "order": json.dumps({"kind": "clear_profiles", "profile_id": 3})},
            ClearProfiles(profile_id=3),
        ),
    ],
)
def test_a_form_becomes_an_order(fields: dict[str, str], order: Order) -> None:
    assert order_from(Choice(kind=fields["kind"], fields=fields)) == order


def test_every_kind_has_a_form() -> None:
    for kind in KINDS:
        given = {"token": "T", "name": "N", "order": '{"kind":"clear_cache"}', "action": "ClearCache"}
        assert order_from(Choice(kind=kind, fields=given)) is not None
    with pytest.raises(Invalid):
        order_from(Choice(kind="order", fields={}))
