"""The door through which stations come for files: whole or in parts, and no further than their address reaches."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from ohmstead.core import clock
from ohmstead.stations.files.links import Links
from tests.api.door import Visitor
from tests.files.carrying import IMAGE, SHA256, Carrier, carrier, signals, uploaded


async def fetching(api: Visitor) -> Carrier:
    """A station that was told to fetch an image."""
    station, image = await carrier(api, "2.0.1"), await uploaded(api)
    await api.posts(f"/stations/{station.station.station_id}/firmware", {"image_id": image["image_id"]})
    return station


async def asks(address: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, address, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_file_comes_with_what_is_needed_to_check_it_and_to_go_on(api: Visitor) -> None:
    station = await fetching(api)
    assert urlsplit(station.location).path.endswith("/fw-2.0.bin")
    answer = await station.fetches()
    assert (answer.status_code, answer.content) == (200, IMAGE)
    assert answer.headers["etag"] == f'"{SHA256}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(IMAGE))
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(SHA256)).decode()}:"
    assert answer.headers["content-type"] == "application/octet-stream"
    head = await asks(station.location, "HEAD")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(IMAGE)), b"")
    assert (await station.fetches(If_None_Match=f'"{SHA256}"')).status_code == 304


async def test_a_fetch_that_broke_off_goes_on_where_it_was(api: Visitor) -> None:
    station = await fetching(api)
    first = await station.fetches(Range="bytes=0-999")
    assert (first.status_code, first.content) == (206, IMAGE[:1000])
    assert first.headers["content-range"] == f"bytes 0-999/{len(IMAGE)}"
    rest = await station.fetches(Range="bytes=1000-", If_Range=first.headers["etag"])
    assert first.content + rest.content == IMAGE
    assert (await station.fetches(Range="bytes=-10")).content == IMAGE[-10:]
    other = await station.fetches(Range="bytes=1000-", If_Range='"another"')
    assert (other.status_code, other.content) == (200, IMAGE)
    outside = await station.fetches(Range=f"bytes={len(IMAGE)}-")
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{len(IMAGE)}")


async def test_a_made_up_or_altered_address_leads_nowhere_and_is_told(api: Visitor) -> None:
    station = await fetching(api)
    before = len(await signals(api, "file_link_forged"))
    head, _, rest = station.location.partition("/files/")
    token, _, name = rest.partition("/")
    swapped = ("B" if token[30] == "A" else "A").join((token[:30], token[31:]))
    for address in (
        f"{head}/files/{swapped}/{name}",
        f"{head}/files/nonsense",
        f"{head}/files/{'A' * 5000}",
        f"{head}/files/",
    ):
        assert (await asks(address)).status_code == 404
    assert len(await signals(api, "file_link_forged")) - before == 4


async def test_an_address_of_one_station_does_not_serve_another(api: Visitor) -> None:
    """Whoever knows how addresses are made, but not the key, cannot turn one into another."""
    station, other = await fetching(api), await carrier(api, "2.0.1", "OTHER")
    await api.posts(f"/stations/{other.station.station_id}/logs", {})
    job = await other.job("log")
    settings = api.front.house.settings
    until = clock.now() + timedelta(hours=1)
    stolen = Links(settings.files_base_url, b"guess" * 8).address(_uuid(job), "x", "send", "", until)
    async with httpx.AsyncClient() as client:
        assert (await client.put(stolen, content=b"x")).status_code == 404
        ours = Links(settings.files_base_url, settings.secret())
        wrong = ours.address(_uuid(job), station.station.station_id, "send", "", until)
        assert (await client.put(wrong, content=b"x")).status_code == 404
    assert (await other.job("log"))["sha256"] is None


def _uuid(job: dict[str, Any]) -> UUID:
    return UUID(job["job_id"])


async def test_an_address_serves_its_direction_only_and_not_for_ever(api: Visitor) -> None:
    station = await fetching(api)
    job = await station.job()
    assert (await asks(station.location, "PUT")).status_code == 405
    assert (await asks(station.location, "DELETE")).status_code == 405
    settings = api.front.house.settings
    links = Links(settings.files_base_url, settings.secret())
    over = links.address(
        _uuid(job), station.station.station_id, "fetch", job["name"], clock.now() - timedelta(seconds=1)
    )
    assert (await asks(over)).status_code == 410
    assert len(await signals(api, "file_link_misused")) == 2
    (signal,) = await signals(api, "file_link_expired")
    assert signal["station_id"] == station.station.station_id
    # A fetching address never lets anybody send, even with a job that takes files.
    sent = links.address(_uuid(job), station.station.station_id, "send", "", clock.now() + timedelta(hours=1))
    async with httpx.AsyncClient() as client:
        assert (await client.put(sent, content=b"x")).status_code == 404
    assert (await station.job())["sha256"] is None


async def test_credentials_that_come_along_are_not_looked_at(api: Visitor) -> None:
    station = await fetching(api)
    for value in ("Basic QUxBRERJTjpPUEVOU0VTQU1F", "Bearer ohm_wrong"):
        assert (await station.fetches(Authorization=value)).status_code == 200


async def test_who_tries_many_addresses_is_turned_away_without_a_look(api: Visitor) -> None:
    door = api.front.file_attempts
    before = len(await signals(api, "file_link_forged"))
    try:
        answers = [await asks(f"{api.front.url}/files/guess{n}") for n in range(40)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0
        assert len(await signals(api, "file_link_forged")) - before <= 30
    finally:
        door.forget("127.0.0.1")


@pytest.mark.parametrize("path", ["/files", "/files/../api/v1/me", "/files/%00", "/files/a/b/c/d"])
async def test_odd_paths_are_nothing(api: Visitor, path: str) -> None:
    api.front.file_attempts.forget("127.0.0.1")
    assert (await asks(api.front.url + path)).status_code in (404, 401)
    api.front.file_attempts.forget("127.0.0.1")
