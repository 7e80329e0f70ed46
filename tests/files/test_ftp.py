"""Old stations fetch and send by FTP, with and without TLS: one file each, in one direction, and nothing else is there."""

import asyncio
import contextlib
import ftplib
import hashlib
import io
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import UUID

import pytest
from msgspec import structs

from ohmstead.core import clock
from ohmstead.ocpp import tls
from ohmstead.settings import Settings
from ohmstead.simulator.files import HttpPorter, Unfetched
from ohmstead.simulator.ftp import _EncryptedAtOnce
from ohmstead.stations.files.links import Direction, FtpSide, Links
from ohmstead.web import ftp_door
from tests import environment
from tests.api.door import Front, Visitor, problem, serving
from tests.files.carrying import IMAGE, Carrier, carrier, signals, uploaded
from tests.files.test_logs import LOG, unpacked
from tests.security.pki import Authority, client_context

T = TypeVar("T")
MAKER = Authority("FTP Root")


@dataclass
class Ftp:
    """A web process that serves FTP too, and somebody with a key for everything at it."""

    api: Visitor
    settings: Settings

    @property
    def trust(self) -> ssl.SSLContext:
        return client_context(MAKER)


@pytest.fixture
async def ftp(front: Front, api: Visitor, tmp_path: Path) -> AsyncIterator[Ftp]:
    cert, key = MAKER.server().write(tmp_path, "web")
    first = environment.free_port()
    given = {
        "web_port": environment.free_port(),
        "ftp_port": environment.free_port(),
        "ftps_port": environment.free_port(),
        "ftp_passive_ports": f"{first}-{first + 9}",
        "ftp_most_connections": 4,
        "tls_ec_cert": cert,
        "tls_ec_key": key,
    }
    settings = structs.replace(front.house.settings, **given)
    async with serving(settings, api.network.pool, front.house.bus) as (url, app):
        door = ftp_door(settings, api.network.pool, app, partial(tls.build_context, settings))
        async with door.opened(), Front(front.house, url, app).visitor(api.network, "admin") as visitor:
            yield Ftp(visitor, settings)


@contextlib.contextmanager
def signed_in(url: str, trust: ssl.SSLContext | None = None) -> Iterator[ftplib.FTP]:
    """A real client at an address, as the library speaks; with `trust` by AUTH TLS."""
    parts = urlsplit(url)
    client = ftplib.FTP_TLS(context=trust, timeout=10) if trust else ftplib.FTP(timeout=10)
    with client:
        client.connect(parts.hostname or "", parts.port or 0)
        client.login(unquote(parts.username or ""), unquote(parts.password or ""))
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        yield client


async def talk(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def code(work: Callable[[], Any]) -> int:
    """The code of the refusal that a command must get."""
    with pytest.raises(ftplib.Error) as refusal:
        work()
    return int(str(refusal.value)[:3])


async def of_ftp(ftp: Ftp, version: str = "1.6", name: str = "ST-1") -> Carrier:
    """A station that says it can do nothing but FTP."""
    station = await carrier(ftp.api, version, name)
    where = ("", "SupportedFileTransferProtocols") if version == "1.6" else ("OCPPCommCtrlr", "FileTransferProtocols")
    await ftp.api.network.pool.execute(
        "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, 'FTP')"
        " on conflict (station_id, component, variable, attribute) do update set value = 'FTP'",
        station.station.station_id,
        *where,
    )
    return station


async def test_tc_n_102_a_log_comes_with_user_and_password_as_the_station_can(ftp: Ftp) -> None:
    for version in ("1.6", "2.1"):
        station = await of_ftp(ftp, version, f"ST-{version[0]}")
        job = await ftp.api.posts(f"/stations/{station.station.station_id}/logs", {})
        parts = urlsplit(station.location)
        assert (parts.scheme, parts.port) == ("ftp", ftp.settings.ftp_port)
        await station.says("Uploading")

        def send(data: bytes, url: str = station.location) -> str:
            with signed_in(url) as client:
                return client.storbinary("STOR var/../diag.log", io.BytesIO(data))

        assert (await talk(partial(send, LOG))).startswith("226")
        await station.says("Uploaded")
        assert (await station.is_job("done", "log"))["sha256"] == hashlib.sha256(LOG).hexdigest()
        view = await unpacked(station)
        assert (view["name"], view["size_bytes"]) == ("diag.log", len(LOG))
        # The same once more is fine, another file is not.
        assert (await talk(partial(send, LOG))).startswith("226")
        assert await talk(lambda: code(partial(send, b"another"))) == 450
        (signal,) = await signals_of(ftp, station, "file_link_used_again")
        assert signal["remote_address"] == "127.0.0.1"

        command = await ftp.api.client.get(f"/commands/{job['command_id']}")
        messages = await ftp.api.client.get(f"/stations/{station.station.station_id}/messages")
        told = command.text + messages.text + str(await ftp.api.gets(f"/logs/{job['job_id']}"))
        assert "ftp://" in messages.text
        assert str(parts.password) not in told
        assert str(parts.username) not in told


async def signals_of(ftp: Ftp, station: Carrier, kind: str) -> list[dict[str, Any]]:
    return [one for one in await signals(ftp.api, kind) if one["station_id"] == station.station.station_id]


async def test_firmware_is_fetched_in_parts_and_nothing_else_is_to_be_seen(ftp: Ftp) -> None:
    station, image = await of_ftp(ftp), await uploaded(ftp.api)
    await ftp.api.posts(f"/stations/{station.station.station_id}/firmware", {"image_id": image["image_id"]})

    def visit() -> None:
        with signed_in(station.location) as client:
            assert client.nlst() == ["fw-2.0.bin"]
            assert client.size("fw-2.0.bin") == len(IMAGE)
            assert client.pwd() == "/"
            for path in ("../../etc/passwd", "/etc/passwd", "fw-2.0.bin/../x", "..\\secret.key", "", "FW-2.0.BIN"):
                assert code(partial(client.retrbinary, f"RETR {path}", print)) == 550, path
            assert code(partial(client.cwd, "etc")) == 550
            assert code(partial(client.storbinary, "STOR fw-2.0.bin", io.BytesIO(b"mine"))) == 550
            for word in ("DELE fw-2.0.bin", "MKD x", "RNFR fw-2.0.bin", "SITE CHMOD 777 x", "PORT 10,0,0,1,0,22"):
                assert code(partial(client.sendcmd, word)) == 502, word
            out = io.BytesIO()
            client.retrbinary("RETR ./fw-2.0.bin", out.write, rest=1000)
            assert out.getvalue() == IMAGE[1000:]
            client.cwd("/")
            assert code(partial(client.retrbinary, "RETR fw-2.0.bin", print, rest=len(IMAGE) + 1)) == 554

    await talk(visit)
    assert (await station.job())["fetched_at"] is not None


async def test_with_tls_both_ways_and_never_half_in_the_clear(ftp: Ftp) -> None:
    station, image = await carrier(ftp.api, "2.0.1"), await uploaded(ftp.api)
    path = f"/stations/{station.station.station_id}"
    await ftp.api.posts(f"{path}/firmware", {"image_id": image["image_id"], "carrier": "ftps"})
    assert urlsplit(station.location).port == ftp.settings.ftps_port
    async with HttpPorter(ftp.trust) as porter:
        assert (await porter.fetch(station.location)).sha256 == hashlib.sha256(IMAGE).digest()
        await ftp.api.posts(f"{path}/logs", {"carrier": "ftps"})
        assert await porter.send(station.location, "sim.log", LOG, is_form=False)
        with pytest.raises(Unfetched):
            await porter.fetch(station.location)
    await ftp.api.posts(f"{path}/logs", {"carrier": "ftp"})

    def by_request() -> None:
        with signed_in(station.location, ftp.trust) as client:
            assert isinstance(client, ftplib.FTP_TLS)
            client.prot_c()
            assert code(partial(client.storbinary, "STOR x", io.BytesIO(LOG))) == 522
            client.prot_p()
            client.storbinary("STOR x.log", io.BytesIO(LOG))

    await talk(by_request)
    assert (await station.job("log"))["size_bytes"] == len(LOG)
    # Commands sent along with AUTH, before anything was encrypted, are not obeyed: the connection ends.
    reader, writer = await asyncio.open_connection("127.0.0.1", ftp.settings.ftp_port)
    writer.write(b"AUTH TLS\r\nUSER somebody\r\n")
    assert [line[:3] for line in (await reader.read()).splitlines()] == [b"220"]
    writer.close()
    # Without FTP there is no such address, and a wish for it is refused.
    house = Visitor(ftp.api.front, ftp.api.network, ftp.api.client, ftp.api.key)
    async with Front(
        house.front.house, f"http://127.0.0.1:{house.front.house.settings.web_port}", house.front.app
    ).visitor(house.network, "admin") as plain:
        problem(await plain.client.post(f"{path}/logs", json={"carrier": "ftps"}), 409)


async def test_who_has_no_good_credentials_gets_nowhere_and_is_counted(ftp: Ftp) -> None:
    station = await of_ftp(ftp)
    await ftp.api.posts(f"/stations/{station.station.station_id}/logs", {})
    parts, job = urlsplit(station.location), await station.job("log")
    side = FtpSide("127.0.0.1", ftp.settings.ftp_port, None)
    ours = Links(ftp.settings.files_base_url, ftp.settings.secret(), side)
    of_job: tuple[UUID, str, Direction, str] = (UUID(job["job_id"]), station.station.station_id, "send", "")

    def attempt(user: str, password: str) -> int:
        with ftplib.FTP(timeout=10) as client:
            client.connect("127.0.0.1", ftp.settings.ftp_port or 0)
            assert code(partial(client.sendcmd, "PASV")) == 530
            return code(partial(client.login, user, password))

    hour = clock.now() + timedelta(hours=1)
    forged = urlsplit(Links("x", b"guess" * 8, side).address(*of_job, hour, "ftp"))
    over = urlsplit(ours.address(*of_job, clock.now() - timedelta(seconds=1), "ftp"))
    other = urlsplit(ours.address(UUID(job["job_id"]), station.station.station_id, "fetch", "x", hour, "ftp"))
    http = ours.token(*of_job, hour)
    before = len(await signals(ftp.api, "ftp_sign_in_failed"))
    for user, password in (
        ("anonymous", "a@b.c"),
        (str(parts.username), "x" * 22),
        (str(forged.username), str(forged.password)),
        (str(other.username), str(other.password)),
        (str(parts.username), http[-22:]),
    ):
        assert await talk(partial(attempt, user, password)) == 530
    assert len(await signals(ftp.api, "ftp_sign_in_failed")) - before == 5
    assert await talk(partial(attempt, str(over.username), str(over.password))) == 530
    assert len(await signals_of(ftp, station, "file_link_expired")) == 1
    # What is good for FTP, which everybody on the way reads, is no address of ours by HTTP.
    as_token = f"{ftp.settings.files_base_url}/files/{parts.username}{parts.password}"
    assert (await ftp.api.client.put(as_token, content=b"x")).status_code == 404
    # Another order takes the place of the first: its credentials are good no more.
    await ftp.api.posts(f"/stations/{station.station.station_id}/logs", {})
    assert await talk(partial(attempt, str(parts.username), str(parts.password))) == 530

    def many() -> list[int]:
        return [attempt("anonymous", f"guess{n}") for n in range(30)]

    assert (await talk(many))[-1] == 421
    ftp.api.front.file_attempts.forget("127.0.0.1")


async def test_a_log_that_broke_off_goes_on_and_too_much_is_too_much(ftp: Ftp) -> None:
    station = await of_ftp(ftp)
    await ftp.api.posts(f"/stations/{station.station.station_id}/logs", {})

    def break_off(client: ftplib.FTP, data: bytes) -> None:
        channel = client.transfercmd("STOR diag.log")
        channel.sendall(data)
        # An RST, as a modem that loses its network, once it is back: no polite end.
        while client_size(station.location) < len(data):
            time.sleep(0.02)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        channel.close()
        assert code(client.voidresp) == 426

    def send() -> None:
        with signed_in(station.location) as client:
            break_off(client, LOG[:5000])
            assert client.size("diag.log") == 5000
            assert code(partial(client.storbinary, "STOR diag.log", io.BytesIO(b"x"), rest=4000)) == 450
            client.storbinary("APPE diag.log", io.BytesIO(LOG[5000:]))

    await talk(send)
    assert (await station.job("log"))["sha256"] == hashlib.sha256(LOG).hexdigest()

    await ftp.api.posts(f"/stations/{station.station.station_id}/logs", {})

    def flood() -> None:
        with signed_in(station.location) as client:
            assert code(partial(client.storbinary, "STOR x", io.BytesIO(bytes(ftp.settings.max_log_bytes + 1)))) == 552
            with signed_in(station.location) as second, signed_in(station.location), signed_in(station.location):
                assert code(lambda: signed_in(station.location).__enter__()) == 421
                channel = client.transfercmd("STOR x")
                channel.sendall(b"one")
                while client_size_by(second) < 3:
                    time.sleep(0.02)
                assert code(partial(second.storbinary, "STOR x", io.BytesIO(b"two"))) == 450
                channel.close()
                client.voidresp()

    await talk(flood)
    assert len(await signals_of(ftp, station, "file_too_large")) == 1
    assert (await station.job("log"))["sha256"] == hashlib.sha256(b"one").hexdigest()
    assert list((ftp.settings.data_dir / "incoming").glob("*.half")) == []


def client_size(url: str) -> int:
    with signed_in(url) as client:
        return client_size_by(client)


def client_size_by(client: ftplib.FTP) -> int:
    return client.size("") or 0


async def test_the_client_of_the_simulator_speaks_tls_from_the_first_byte(ftp: Ftp) -> None:
    def greet() -> str:
        with _EncryptedAtOnce(context=ftp.trust, timeout=10) as client:
            return client.connect("127.0.0.1", ftp.settings.ftps_port or 0)

    assert (await talk(greet)).startswith("220")
