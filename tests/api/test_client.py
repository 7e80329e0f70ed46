"""The Python client: what is in the repository is what the API says, and it works against a real server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from tools import gen_client

from ohmstead.api.examples import example_of
from ohmstead.stations.queries import Location
from ohmstead_client import (
    OPERATIONS,
    AsyncClient,
    Client,
    ClientError,
    ConnectionFailed,
    Invalid,
    NotSignedIn,
    Stale,
    Unavailable,
    UnreadableAnswer,
    models,
)
from tests.api.door import Visitor
from tests.environment import free_port


def test_what_is_in_the_repository_is_what_the_api_says() -> None:
    for name, text in gen_client.files().items():
        assert (gen_client.FOLDER / name).read_text() == text, "run: python tools/gen_client.py"


@pytest.fixture
async def client(api: Visitor) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(api.front.url, api.key) as typed:
        yield typed


async def test_a_location_and_its_stations_by_typed_calls(api: Visitor, client: AsyncClient) -> None:
    place = await client.create_location(models.NewLocation(name="Quay", latitude=51.9, longitude=4.5))
    with pytest.raises(Invalid) as refused:
        await client.change_location(place.location_id, models.LocationChange(latitude=91))
    assert (refused.value.field, refused.value.status) == ("latitude", 422)
    assert refused.value.request_id
    names = [api.name(f"PAGE-{number:02}") for number in range(7)]
    for name in names:
        made = await client.create_station(models.NewStation(station_id=name, location_id=place.location_id))
        assert made.station.created_at.tzinfo is not None
    found = [station async for station in client.iter_stations(location=str(place.location_id), limit=3)]
    assert [station.station_id for station in found] == names
    changed = await client.change_station(names[0], models.StationChange(name="First"), if_match=found[0].version)
    assert (changed.name, changed.location_id) == ("First", place.location_id)
    with pytest.raises(Stale):
        await client.change_station(names[0], models.StationChange(name="Late"), if_match=found[0].version)
    table = b"".join([piece async for piece in client.export("list_stations", "csv", location=str(place.location_id))])
    assert table.decode().count("\r\n") == len(names) + 1
    assert (await client.call("get_station", station_id=names[0]))["name"] == "First"
    with pytest.raises(ClientError, match="does not come as pdf"):
        await anext(client.export("list_stations", "pdf"))


async def test_a_blocking_program_does_the_same(api: Visitor) -> None:
    def work() -> list[str]:
        with Client(api.front.url, api.key) as client:
            key = str(uuid4())
            first = client.create_location(models.NewLocation(name="Once"), idempotency_key=key)
            again = client.create_location(models.NewLocation(name="Once"), idempotency_key=key)
            assert again == first
            client.create_token(models.NewToken(uid=api.name("CARD")))
            report = client.import_tokens(f"uid,type\n{api.name('B')},ISO14443\n", dry_run=True)
            assert report.is_dry_run
            client.delete_location(first.location_id)
            return [token.uid for token in client.iter_tokens(limit=1)]

    assert await asyncio.to_thread(work) == [api.name("CARD")]
    with pytest.raises(NotSignedIn):
        await AsyncClient(api.front.url, "ohm_wrong").get_me()
    api.front.attempts.forget("127.0.0.1")


async def test_live_events_arrive_as_they_happen(api: Visitor, client: AsyncClient) -> None:
    events = client.stream_events(kind=["station"])
    coming = asyncio.ensure_future(anext(events))
    async with asyncio.timeout(20):
        while not coming.done():
            # Whoever listens begins at some moment; until then there is something to hear again and again.
            await client.create_station(models.NewStation(station_id=api.name(f"EV-{uuid4().hex[:6]}")))
            await asyncio.wait({coming}, timeout=0.2)
    event = coming.result()
    assert event.kind == "station"
    assert event.data["station_id"].startswith("EV-")
    await events.aclose()


def test_every_operation_is_a_method_of_both_clients() -> None:
    for name in OPERATIONS:
        assert callable(getattr(Client, name))
        assert callable(getattr(AsyncClient, name))


class Flaky:
    """A server that answers as it is told, and drops the connection where it is told nothing."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        port = free_port()
        server = await asyncio.start_server(self._one, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{port}"

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heard.append(head)
            if (answer := self.answers.pop(0)) is not None:
                writer.write(f"HTTP/1.1 {answer}".encode())
                await writer.drain()
        writer.close()


def answer(status: str, body: str = "{}", more: str = "") -> str:
    return f"{status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n{body}"


PLACE = json.dumps(example_of(Location))


async def test_a_lost_answer_is_asked_for_again_with_the_same_key() -> None:
    server = Flaky(None, answer("503 Busy", more="Retry-After: 0\r\n"), answer("201 Created", PLACE))
    async with server.running() as url, AsyncClient(url, "ohm_x") as client:
        made = await client.create_location(models.NewLocation(name="A"))
    assert made.name == example_of(Location)["name"]
    keys = {line for head in server.heard for line in head.lower().splitlines() if line.startswith("idempotency-key")}
    assert (len(server.heard), len(keys)) == (3, 1)


async def test_a_change_whose_answer_is_lost_is_not_repeated() -> None:
    server = Flaky(None)
    async with server.running() as url, AsyncClient(url, "ohm_x") as client:
        with pytest.raises(ConnectionFailed):
            await client.change_location(uuid4(), models.LocationChange(name="B"))
    assert len(server.heard) == 1


async def test_it_gives_up_at_last_and_says_why() -> None:
    busy = answer("503 Busy", '{"type":"/api/v1/problems/unavailable","detail":"later"}', "Retry-After: 0\r\n")
    server = Flaky(busy, busy, answer("200 OK", "<html>"), answer("302 Found", more="Location: /sign-in\r\n"))
    async with server.running() as url, AsyncClient(url, retries=1) as client:
        with pytest.raises(Unavailable, match="later"):
            await client.get_me()
        with pytest.raises(UnreadableAnswer, match="cannot be read"):
            await client.get_me()
        with pytest.raises(UnreadableAnswer, match="led away to /sign-in"):
            await client.get_me()
