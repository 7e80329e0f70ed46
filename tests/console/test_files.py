"""Firmware, rollouts and logs on pages: announced, uploaded, rolled out, asked for, read."""

import gzip
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.door import Front
from tests.console.visitor import Page, Visitor, sign_in
from tests.stories.network import Network
from tests.stories.station import Payload, Station

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'


async def image_of(visitor: Visitor, data: bytes = b"image", **more: str) -> str:
    """An image, through the pages; gives its page's address."""
    made = await visitor.sends("/firmware", name="fw-2.0.bin", version="2.0", expect=303, **more)
    path = made.answer.headers["location"]
    answer = await visitor.client.post(
        f"{path}/content",
        files={"file": ("whatever.bin", data)},
        headers={"X-CSRF-Token": visitor.csrf_token, "HX-Request": "true"},
    )
    assert answer.status_code == 200, answer.text
    assert "ready" in Page(answer).heading
    return str(path)


def listening(station: Station) -> list[Payload]:
    asked: list[Payload] = []

    def note(payload: Payload) -> Any:
        asked.append(payload)
        return {"status": "Accepted"}

    for action in ("GetLog", "UpdateFirmware"):
        station.answers[action] = note
    return asked


async def test_an_image_is_announced_uploaded_and_rolled_out(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    asked = listening(station)
    page = await visitor.opens("/firmware")
    assert "Nothing is being rolled out" in page.heading
    path = await image_of(visitor)
    assert "fw-2.0.bin" in (await visitor.opens("/firmware")).text

    begun = await visitor.sends(f"{path}/rollout", name="March", waves="50 100", at_once="5", expect=303)
    rollout = begun.answer.headers["location"]
    await visitor.network.until(lambda: _is(asked), "the station is told")
    page = await visitor.opens(rollout)
    assert "0 of 1 station done" in page.heading
    assert station.station_id in page.text
    assert "every 3s" in page.html
    assert "1 rollout is running" in (await visitor.opens("/firmware")).heading
    await visitor.sends(f"{rollout}/pause", expect=303)
    assert "Paused" in (await visitor.opens(rollout)).text
    await visitor.sends(f"{rollout}/cancel", expect=303)
    assert "Cancelled" in (await visitor.opens(rollout)).text
    await visitor.sends(f"{rollout}/explode", expect=404)


async def _is(asked: list[Payload]) -> bool:
    return bool(asked)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"version": ""}, "version"),
        ({"sha256": "zz"}, "not allowed"),
        ({"signature": "AAAA"}, "belong together"),
        ({"signing_certificate": "x", "signature": "AAAA"}, "PEM"),
    ],
)
async def test_what_does_not_fit_is_said_and_kept_in_the_form(
    visitor: Visitor, fields: dict[str, str], word: str
) -> None:
    page = await visitor.sends("/firmware", expect=422, **{"name": "fw.bin", "version": "2"} | fields)
    assert word in page.text.replace("matching regex", "not allowed")
    assert 'value="fw.bin"' in page.html


async def test_a_file_that_was_not_announced_is_refused_on_the_page(visitor: Visitor) -> None:
    made = await visitor.sends("/firmware", name="f", version="2", sha256="0" * 64, expect=303)
    path = made.answer.headers["location"]
    files = {"file": ("f", b"another")}
    answer = await visitor.client.post(f"{path}/content", files=files, headers={"X-CSRF-Token": visitor.csrf_token})
    assert answer.status_code == 422
    assert "was announced" in Page(answer).text
    assert (await visitor.client.post(f"{path}/content", files=files)).status_code == 403
    await visitor.sends(f"{path}/retire", expect=303)
    assert "retired" in (await visitor.opens(path)).heading


async def test_terms_of_a_rollout_that_make_no_sense_are_said(visitor: Visitor) -> None:
    await visitor.network.station("2.0.1")
    path = await image_of(visitor)
    for fields in ({"waves": "50"}, {"waves": "x"}, {"at_once": "0"}, {"window_from": "25:00"}, {"stations": "NOBODY"}):
        page = await visitor.sends(f"{path}/rollout", expect=422, **{"name": "x", "waves": "100"} | fields)
        assert next(page.all("span", role="alert")).text.strip()
        assert 'value="x"' in page.html


async def test_a_log_is_asked_for_and_read_in_the_browser(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    asked = listening(station)
    base = f"/stations/{station.station_id}"
    assert "Logs and firmware" in (await visitor.opens(base)).text
    assert "No log was asked for yet" in (await visitor.opens(f"{base}/files")).heading
    await visitor.sends(f"{base}/files/log", log="security", expect=303)
    text = "".join(f"line {n} <b>{HOSTILE}</b>\n" for n in range(700))
    async with httpx.AsyncClient() as client:
        sent = await client.put(f"{asked[0]['log']['remoteLocation']}/day.log.gz", content=gzip.compress(text.encode()))
    assert sent.status_code == 201
    page = await visitor.opens(f"{base}/files")
    log = next(a.attributes["href"] for a in page.all("a") if a.attributes["href"].startswith("/logs/"))

    async def is_unpacked() -> bool:
        return "1 file" in (await visitor.opens(log)).heading

    await visitor.network.until(is_unpacked, "the log is unpacked")
    page = await visitor.opens(log)
    assert "line 499 " in page.text
    assert "line 500 " not in page.text
    assert "<script>alert" not in page.html
    onward = next(a.attributes["href"] for a in page.all("a") if "at=" in a.attributes["href"])
    assert "line 500 " in (await visitor.opens(onward.partition("#")[0])).text
    found = await visitor.opens(f"{log}?file=0&q=LINE%20650")
    assert len(found.rows()) == 2
    assert "line 650 " in found.rows()[1]
    whole = await visitor.client.get(f"{log}/file")
    assert gzip.decompress(whole.content).decode() == text


async def test_firmware_is_sent_to_one_station_from_its_page(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    asked = listening(station)
    image_id = (await image_of(visitor)).rpartition("/")[2]
    path = f"/stations/{station.station_id}/files"
    await visitor.sends(f"{path}/firmware", image_id=image_id, expect=303)
    assert asked[0]["firmware"]["location"].endswith("/fw-2.0.bin")
    await station.says("FirmwareStatusNotification", {"status": "Installing", "requestId": asked[0]["requestId"]})
    assert "Installing" in (await visitor.opens(path)).text


async def test_strangers_and_readers_keep_their_hands_off(
    front: Front, network: Network, visitor: Visitor, stranger: Visitor, client: httpx.AsyncClient
) -> None:
    station = await network.station("2.0.1")
    path = await image_of(visitor)
    rollout = (await visitor.sends(f"{path}/rollout", name="x", waves="100", expect=303)).answer.headers["location"]
    await visitor.sends(f"/stations/{station.station_id}/files/log", expect=303)
    job_id: UUID = await network.pool.fetchval(
        "select job_id from file_job where kind = 'log' and party_id = $1", network.party_id
    )
    for page in (path, rollout, f"/stations/{station.station_id}/files", f"/logs/{job_id}", f"/logs/{job_id}/file"):
        await stranger.opens(page, expect=404)
    for form in (f"{path}/retire", f"{path}/rollout", f"{rollout}/cancel", f"/stations/{station.station_id}/files/log"):
        await stranger.sends(form, name="x", waves="100", expect=404)
    assert "fw-2.0.bin" not in (await stranger.opens("/firmware")).text
    reader = await sign_in(front, network, client, role="read_only")
    assert "Announce an image" not in (await reader.opens("/firmware")).html
    for form in ("/firmware", f"{path}/retire", f"{path}/rollout", f"{rollout}/cancel"):
        await reader.sends(form, expect=403)
    await reader.sends(f"/stations/{station.station_id}/files/log", expect=403)
