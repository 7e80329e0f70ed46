"""A station sends its log, and it can be read: listed, unpacked, searched."""

import asyncio
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import Any
from uuid import UUID

import httpx
import pytest

from ohmstead.adapters.storage import storage_of
from ohmstead.core.errors import NotFound
from ohmstead.stations.files.service import drop_old_logs
from tests.api.door import Visitor, found, problem
from tests.files.carrying import Carrier, announces, carrier, signals
from tests.stories.network import VERSIONS

LOG = b"".join(f"2026-03-02T08:{n // 60:02d}:{n % 60:02d}Z event {n}\n".encode() for n in range(1000))


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


async def ordered(station: Carrier, **given: Any) -> Any:
    return await station.api.posts(f"/stations/{station.station.station_id}/logs", given)


async def unpacked(station: Carrier) -> Any:
    """The log once it was taken apart."""
    job = await station.job("log")

    async def is_unpacked() -> bool:
        return (await station.api.gets(f"/logs/{job['job_id']}"))["unpacked_at"] is not None

    await station.api.network.until(is_unpacked, "the log is unpacked")
    return await station.api.gets(f"/logs/{job['job_id']}")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("log", ["diagnostics", "security"])
async def test_a_log_is_asked_for_sent_unpacked_and_read(api: Visitor, version: str, log: str) -> None:
    station = await carrier(api, version)
    job = await ordered(station, log=log, since="2026-03-01T00:00:00Z")
    assert job["status"] == "ordered"
    action, payload = station.asked[-1]
    assert action == ("GetDiagnostics" if (version, log) == ("1.6", "diagnostics") else "GetLog")
    if action == "GetLog":
        assert payload["logType"] == ("SecurityLog" if log == "security" else "DiagnosticsLog")
        assert payload["log"]["oldestTimestamp"] == "2026-03-01T00:00:00.000Z"
    else:
        assert payload["startTime"] == "2026-03-01T00:00:00.000Z"

    await station.says("Uploading")
    assert (await station.sends(packed({"var/log/ocpp.log": LOG, "core": b"\0\1"}), "diag.tgz")).status_code == 201
    assert (await station.job("log"))["status"] == "received"
    await station.says("Uploaded")
    await station.is_job("done", "log")

    view = await unpacked(station)
    assert [(m["path"], m["is_text"]) for m in view["members"]] == [
        ("diag.tar/var/log/ocpp.log", True),
        ("diag.tar/core", False),
    ]
    whole = await api.client.get(f"/logs/{job['job_id']}/file")
    assert hashlib.sha256(whole.content).hexdigest() == view["sha256"]
    assert "attachment" in whole.headers["content-disposition"]


async def test_lines_come_in_pages_and_can_be_searched(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    job = await ordered(station)
    await station.sends(LOG + b"last \xff line without an end", "today.log")
    await unpacked(station)
    path = f"/logs/{job['job_id']}/members/0"
    lines = await api.all_of(path, limit=300)
    assert [line["number"] for line in lines] == list(range(1, 1002))
    assert lines[-1]["text"] == "last \ufffd line without an end"
    hits = await api.all_of(path, q="EVENT 99", limit=5)
    assert [line["number"] for line in hits] == [100, *range(991, 1001)]
    problem(await api.client.get(path, params={"cursor": "nonsense"}), 400)
    problem(await api.client.get(f"/logs/{job['job_id']}/members/9"), 404)


async def test_one_line_without_end_is_cut_and_does_no_harm(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    job = await ordered(station)
    await station.sends(gzip.compress(b"x" * 3_000_000 + b"\nshort\n"), "long.gz")
    await unpacked(station)
    page = await api.gets(f"/logs/{job['job_id']}/members/0")
    assert [len(line["text"]) for line in page["items"]] == [4000, 5]


@pytest.mark.parametrize("how", ["PUT", "POST", "form"])
async def test_stations_send_as_they_are_used_to(api: Visitor, how: str) -> None:
    station = await carrier(api, "1.6")
    await ordered(station)
    if how == "form":
        async with httpx.AsyncClient() as client:
            files = {"note": (None, "from CS-1"), "file": ("../../up/log.txt", LOG)}
            answer = await client.post(station.location, files=files)
    else:
        answer = await station.sends(LOG, "log.txt", how)
    assert answer.status_code == 201, answer.text
    job = await station.job("log")
    assert (job["name"], job["size_bytes"]) == ("log.txt", len(LOG))
    assert job["sha256"] == hashlib.sha256(LOG).hexdigest()


async def test_a_log_that_broke_off_goes_on_where_it_was_over_http(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    size = len(LOG)

    async def puts(first: int, last: int, total: int | str = size, data: bytes | None = None) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            body = LOG[first : last + 1] if data is None else data
            headers = {"Content-Range": f"bytes {first}-{last}/{total}"}
            return await client.put(station.location + "/today.log", content=body, headers=headers)

    async def held() -> int:
        async with httpx.AsyncClient() as client:
            answer = await client.head(station.location)
            assert answer.status_code == 200
            return int(answer.headers["upload-offset"])

    assert await held() == 0
    answer = await puts(0, 4999)
    assert (answer.status_code, answer.headers["upload-offset"]) == (202, "5000")
    # The next part breaks off in the middle: what came of it counts.
    with pytest.raises(TimeoutError):
        part = {"Content_Range": f"bytes 5000-{size - 1}/{size}"}
        await announces(station.location, size - 5000, body=LOG[5000:6000], **part)

    async def is_here() -> bool:
        return await held() == 6000

    await api.network.until(is_here, "the beginning of the second part is kept")
    assert (await station.job("log"))["status"] == "ordered"
    for first, last in ((5000, 7000), (7000, 8000)):
        answer = await puts(first, last)
        assert (answer.status_code, answer.headers["upload-offset"]) == (409, "6000")
    for first, last, total in ((6000, 6009, "*"), (6000, 5999, size), (6000, size, size)):
        assert (await puts(first, last, total, b"x" * 10)).status_code == 400
    most = api.front.house.settings.max_log_bytes
    assert (await puts(6000, 6009, most + 1, b"x" * 10)).status_code == 413
    # Two at once: one is taken, the other is told to wait, and nothing is mixed.
    assert sorted([a.status_code for a in await asyncio.gather(puts(6000, 9999), puts(6000, 9999))]) in (
        [202, 409],
        [202, 202],
    )
    assert await held() == 10_000
    assert (await puts(10_000, size - 1)).status_code == 201
    job = await station.job("log")
    assert (job["sha256"], job["name"]) == (hashlib.sha256(LOG).hexdigest(), "today.log")
    # The answer got lost, and the station sends the end again.
    assert (await puts(10_000, size - 1)).status_code == 200
    assert await held() == size
    assert not list((api.front.house.settings.data_dir / "incoming").glob("*.half"))

    path = f"/logs/{job['job_id']}/file"
    part = await api.client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, LOG[10:20], f"bytes 10-19/{size}")
    rest = {"Range": "bytes=20-", "If-Range": '"another"'}
    assert (await api.client.get(path, headers=rest)).content == LOG
    assert (await api.client.get(path, headers={"Range": f"bytes={size}-"})).status_code == 416


async def test_a_station_that_says_it_sent_what_never_came_is_not_believed(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    await station.says("Uploaded")
    job = await station.is_job("uploading", "log")
    assert "did not come" in job["detail"]
    await station.sends(LOG)
    assert (await station.is_job("done", "log"))["detail"] is None


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_cannot_send_says_so(api: Visitor, version: str) -> None:
    station = await carrier(api, version)
    await ordered(station)
    await station.says("UploadFailed" if version == "1.6" else "PermissionDenied")
    job = await station.is_job("failed", "log")
    assert job["detail"] == ("upload failed" if version == "1.6" else "permission denied")


async def test_a_1_6_station_without_diagnostics_and_one_that_is_away_end_the_job(api: Visitor) -> None:
    station = await carrier(api, "1.6")
    station.refusal = "none"
    job = await ordered(station)
    assert (job["status"], job["detail"]) == ("failed", "the station has no diagnostics to send")
    await station.station.goes_offline()
    await api.network.is_connected(station.station, expected=False)
    job = await ordered(station)
    assert (job["status"], job["detail"]) == ("failed", "the station is not connected")
    problem(await api.client.post(f"/stations/{station.station.station_id}/logs", json={"log": "all"}), 422)


# ------------------------------------------------------------------------------------------------------ hostile ones


async def test_a_bomb_is_refused_told_and_leaves_the_rest_alone(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    await station.sends(gzip.compress(bytes(40 * 1024 * 1024), 9), "log.gz")
    view = await unpacked(station)
    assert view["members"] == []
    assert "unpacks to more than" in view["unpack_note"]
    (signal,) = await signals(api, "log_bomb")
    assert signal["station_id"] == station.station.station_id
    assert found(await api.client.get("/me"))


async def test_names_in_a_log_lead_nowhere(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../../../etc/cron.d/evil", "* * * * * root true\n")
        archive.writestr("<img src=x onerror=alert(1)>.log", "x\n")
    await station.sends(out.getvalue(), "%2e%2e%2f%2e%2e%2f%00evil.zip")
    view = await unpacked(station)
    assert view["name"] == "evil.zip"
    assert [m["path"] for m in view["members"]] == [
        "evil.zip/etc/cron.d/evil",
        "evil.zip/_img src=x onerror=alert(1)_.log",
    ]


async def test_what_is_too_large_is_refused_before_it_is_read_and_while_it_comes(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    most = api.front.house.settings.max_log_bytes
    assert await announces(station.location, most + 1) == 413

    async def endless() -> Any:
        for _ in range(most // 65536 + 10):
            yield bytes(65536)

    async with httpx.AsyncClient() as client:
        try:
            answer = await client.put(station.location, content=endless())
            assert answer.status_code == 413
        except (httpx.WriteError, httpx.ReadError):
            pass  # we hung up while it was still talking
    assert len(await signals(api, "file_too_large")) == 2
    assert (await station.job("log"))["sha256"] is None
    spooled = api.front.house.settings.data_dir / "incoming"
    assert list(spooled.glob("*.part")) == []
    assert (await station.sends(LOG)).status_code == 201


async def test_an_address_is_good_for_one_file(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    assert (await station.sends(LOG)).status_code == 201
    assert (await station.sends(LOG)).status_code == 200
    assert (await station.sends(b"another")).status_code == 409
    (signal,) = await signals(api, "file_link_used_again")
    assert signal["station_id"] == station.station.station_id
    assert (await station.job("log"))["size_bytes"] == len(LOG)


async def test_half_a_file_is_no_file(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await ordered(station)
    with pytest.raises(TimeoutError):
        await announces(station.location, len(LOG), body=LOG[:5000])
    spooled = api.front.house.settings.data_dir / "incoming"

    async def is_gone() -> bool:
        return not list(spooled.glob("*.part"))

    await api.network.until(is_gone, "the half is gone")
    assert (await station.job("log"))["status"] == "ordered"
    assert (await station.sends(b"")).status_code == 422
    assert (await station.sends(LOG)).status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no form at all", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="l"\r\n\r\ncut off',
            "multipart/form-data; boundary=x",
        ),
        (b"x", "multipart/form-data"),
        (b"--x\r\n" + b"X-Junk: y\r\n" * 100, "multipart/form-data; boundary=x"),
    ],
)
async def test_a_damaged_form_is_refused(api: Visitor, body: bytes, content_type: str) -> None:
    station = await carrier(api, "1.6")
    await ordered(station)
    status = await announces(station.location, len(body), "POST", body, Content_Type=content_type)
    assert status == 422
    assert (await station.job("log"))["sha256"] is None


async def test_the_worker_forgets_old_logs_and_their_contents(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    data = LOG + station.station.station_id.encode()
    old = await ordered(station)
    await station.sends(data, "old.log")
    await unpacked(station)
    fresh = await ordered(station)
    await station.sends(LOG, "fresh.log")
    await unpacked(station)
    await api.network.pool.execute(
        "update file_job set requested_at = now() - interval '91 days' where job_id = $1", old["job_id"]
    )
    storage = storage_of(api.front.house.settings)
    assert await drop_old_logs(api.network.pool, storage, 90) == 1
    problem(await api.client.get(f"/logs/{old['job_id']}"), 404)
    assert (await api.gets(f"/logs/{fresh['job_id']}"))["members"]
    with pytest.raises(NotFound):
        async for _ in storage.read(hashlib.sha256(data).hexdigest()):
            pass


async def test_the_address_is_nobodys_to_read_afterwards(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    job = await ordered(station)
    token = station.location.rpartition("/")[2]
    await station.says("Uploading")
    command = await api.client.get(f"/commands/{job['command_id']}")
    messages = await api.client.get(f"/stations/{station.station.station_id}/messages")
    assert "remoteLocation" in messages.text
    assert "url" in command.json()["parameters"]
    assert token not in command.text + messages.text + str(await api.gets(f"/logs/{job['job_id']}"))
    kept = await api.network.pool.fetchval(
        "select parameters::text from command where command_id = $1", UUID(job["command_id"])
    )
    assert token not in kept
