"""The built-in servers: started, kept running, found again, stopped; whatever is killed."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest

from ohmstead import embedded, runas
from ohmstead.embedded import Embedded, EmbeddedError, find_running
from ohmstead.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

OWNER = """
import asyncio, sys
from pathlib import Path
from ohmstead import embedded
from ohmstead.settings import Settings

async def main():
    servers = await embedded.start(Settings(data_dir=Path(sys.argv[1])), durable=False)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A data directory as a clean stop leaves it, to copy from: quicker than making one for each test."""
    with tempfile.TemporaryDirectory(prefix="ohmstead-cluster-", ignore_cleanup_errors=True) as name:
        path = Path(name) / "data"
        path.mkdir()
        for directory in (path, path.parent):
            directory.chmod(0o711)
        asyncio.run(_make(path))
        yield path


async def _make(path: Path) -> None:
    servers = await embedded.start(Settings(data_dir=path), durable=False)
    await query(servers.database_url, "create table kept (number integer)")
    await servers.stop()


@pytest.fixture
def used(cluster: Path, data_dir: Path) -> Iterator[Path]:
    """A data directory that was used before."""
    subprocess.run(["cp", "-a", f"{cluster}/.", str(data_dir)], check=True)
    yield data_dir
    embedded.stop_leftovers(data_dir)


@asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[Embedded]:
    servers = await embedded.start(Settings(data_dir=data_dir), durable=False)
    try:
        yield servers
    finally:
        await servers.stop()


async def query(url: str, sql: str) -> object:
    conn = await asyncpg.connect(url, timeout=5)
    try:
        return await conn.fetchval(sql)
    finally:
        await conn.close()


async def until(check: Callable[[], Awaitable[bool]], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not await check():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.05)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def owner_process(data_dir: Path) -> "subprocess.Popen[str]":
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", OWNER, str(data_dir)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    return owner


async def test_a_first_start_makes_a_utf8_database_that_is_not_a_superusers(data_dir: Path) -> None:
    async with serving(data_dir) as servers:
        assert await query(servers.database_url, "show server_encoding") == "UTF8"
        assert await query(servers.database_url, "show timezone") == "UTC"
        assert await query(servers.database_url, "select lower('ÅNGSTRÖM')") == "ångström"
        assert await query(servers.database_url, "select rolsuper from pg_roles where rolname = current_user") is False
        client = await nats.connect(servers.nats_url)
        await client.flush()
        assert client.max_payload == 8 * 1024 * 1024
        await client.close()
        for pid in servers.pids.values():
            uid = psutil.Process(pid).uids().effective
            assert uid != 0
            assert uid == os.geteuid() or os.geteuid() == 0


async def test_passwords_are_in_no_command_line_and_no_file_that_others_can_read(used: Path) -> None:
    async with serving(used) as servers:
        password = servers.database_url.split(":")[2].split("@")[0]
        lines = [" ".join(psutil.Process(pid).cmdline()) for pid in servers.pids.values()]
        assert not any(password in line for line in lines)
        holding = subprocess.run(
            ["grep", "-rl", "-e", password, str(used)], capture_output=True, text=True, check=False
        )
        files = [Path(line) for line in holding.stdout.splitlines()]
        assert used / "run" / "servers.json" in files
        assert [file for file in files if file.stat().st_mode & 0o077] == []


async def test_without_the_password_nobody_gets_in(used: Path) -> None:
    async with serving(used) as servers:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(servers.database_url.replace("ohmstead:", "ohmstead:x", 1), "select 1")
        with pytest.raises(nats.errors.Error):
            await nats.connect(servers.nats_url.replace("ohmstead:", "ohmstead:x", 1), allow_reconnect=False)


async def test_a_killed_postgres_comes_back_at_the_same_address_with_everything_committed(used: Path) -> None:
    async with serving(used) as servers:
        await query(servers.database_url, "insert into kept values (42)")
        killed = servers.pids["postgres"]
        kill(killed)

        async def is_back() -> bool:
            try:
                return await query(servers.database_url, "select number from kept") == 42
            except (OSError, asyncpg.PostgresError, TimeoutError):
                return False

        await until(is_back)
        assert servers.pids["postgres"] != killed


async def test_a_killed_nats_comes_back_at_the_same_address(used: Path) -> None:
    async with serving(used) as servers:
        killed = servers.pids["nats"]
        kill(killed)

        async def is_back() -> bool:
            try:
                client = await nats.connect(servers.nats_url, allow_reconnect=False, connect_timeout=1)
            except (OSError, TimeoutError, nats.errors.Error):
                return False
            await client.close()
            return True

        await until(is_back)
        assert servers.pids["nats"] != killed


async def test_the_state_file_follows_a_restart(used: Path) -> None:
    async with serving(used) as servers:
        kill(servers.pids["nats"])

        async def is_told() -> bool:
            running = find_running(Settings(data_dir=used))
            return running is not None and running.nats_pid == servers.pids.get("nats") and alive(running.nats_pid or 0)

        await until(is_told)


async def test_servers_whose_owner_was_killed_are_taken_over(used: Path) -> None:
    owner = owner_process(used)
    running = find_running(Settings(data_dir=used))
    assert running is not None
    assert running.database_url is not None
    await query(running.database_url, "insert into kept values (7)")
    owner.kill()
    owner.wait()
    assert find_running(Settings(data_dir=used)) is None
    async with serving(used) as servers:
        assert servers.owned
        assert servers.pids == {"postgres": running.postgres_pid, "nats": running.nats_pid}
        assert servers.database_url == running.database_url
        assert await query(servers.database_url, "select number from kept") == 7
    assert not alive(running.postgres_pid or 0)
    assert not alive(running.nats_pid or 0)


async def test_a_server_taken_over_is_watched_too(used: Path) -> None:
    owner = owner_process(used)
    owner.kill()
    owner.wait()
    async with serving(used) as servers:
        adopted = servers.pids["postgres"]
        kill(adopted)

        async def is_back() -> bool:
            return servers.pids.get("postgres") not in (None, adopted)

        await until(is_back)


async def test_everything_killed_at_once_starts_anew_with_the_data(used: Path) -> None:
    owner = owner_process(used)
    running = find_running(Settings(data_dir=used))
    assert running is not None
    assert running.database_url is not None
    await query(running.database_url, "insert into kept values (9)")
    for pid in (owner.pid, running.postgres_pid, running.nats_pid):
        assert pid is not None
        kill(pid)
    owner.wait()
    async with serving(used) as servers:
        assert servers.database_url == running.database_url
        assert await query(servers.database_url, "select number from kept") == 9


async def test_a_second_start_finds_the_first_and_leaves_it_alone(used: Path) -> None:
    async with serving(used) as first:
        async with serving(used) as second:
            assert not second.owned
            assert second.owner_pid == os.getpid()
            assert (second.database_url, second.nats_url) == (first.database_url, first.nats_url)
        assert await query(first.database_url, "select 1") == 1


async def test_two_starts_at_the_same_moment_share_one_pair_of_servers(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    one, two = await asyncio.gather(*(embedded.start(settings, durable=False) for _ in range(2)))
    try:
        assert one.database_url == two.database_url
        assert len(one.keepers) + len(two.keepers) == 2
    finally:
        await one.stop()
        await two.stop()


async def test_ports_and_passwords_stay_from_start_to_start(used: Path) -> None:
    urls = []
    for _ in range(2):
        async with serving(used) as servers:
            urls.append((servers.database_url, servers.nats_url))
    assert urls[0] == urls[1]


async def test_a_port_that_a_stranger_took_meanwhile_is_given_up(used: Path) -> None:
    async with serving(used) as servers:
        port = int(servers.database_url.rpartition(":")[2].split("/")[0])
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        async with serving(used) as servers:
            assert f":{port}/" not in servers.database_url
            assert await query(servers.database_url, "select 1") == 1


async def test_a_stop_is_quick_and_leaves_nothing_running(used: Path) -> None:
    async with serving(used) as servers:
        pids = list(servers.pids.values())
        conn = await asyncpg.connect(servers.database_url)  # a client that does not leave
        began = time.monotonic()
        await servers.stop()
        assert time.monotonic() - began < 5
        assert not any(alive(pid) for pid in pids)
        conn.terminate()
    assert not (used / "postgres" / "postmaster.pid").exists()
    assert find_running(Settings(data_dir=used)) is None


async def test_given_urls_nothing_is_started_or_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "none", database_url="postgresql://host/db", nats_url="nats://host")
    servers = await embedded.start(settings)
    assert (servers.database_url, servers.nats_url) == ("postgresql://host/db", "nats://host")
    await servers.stop()
    assert not (tmp_path / "none").exists()


async def test_given_one_url_only_the_other_server_is_started(data_dir: Path) -> None:
    servers = await embedded.start(Settings(data_dir=data_dir, database_url="postgresql://host/db"))
    try:
        assert list(servers.pids) == ["nats"]
        assert servers.database_url == "postgresql://host/db"
        assert not (data_dir / "postgres").exists()
    finally:
        await servers.stop()


async def test_an_interrupted_first_start_is_redone(data_dir: Path) -> None:
    (data_dir / "postgres.new").mkdir()
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18\n")
    async with serving(data_dir) as servers:
        assert await query(servers.database_url, "select 1") == 1
    assert not (data_dir / "postgres.new").exists()


async def test_a_pid_file_whose_number_went_to_another_process_does_not_stop_the_start(used: Path) -> None:
    stale = used / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{used}/postgres\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
    shutil.chown(stale, (used / "postgres").stat().st_uid)
    async with serving(used) as servers:
        assert await query(servers.database_url, "select 1") == 1


async def test_a_data_directory_with_a_very_long_path_has_its_socket_elsewhere(data_dir: Path) -> None:
    deep = data_dir.joinpath(*["a-directory-with-a-long-name"] * 5)
    deep.mkdir(parents=True)
    for directory in [deep, *deep.parents]:
        if directory != data_dir.parent:
            directory.chmod(0o711)
        if directory == data_dir:
            break
    async with serving(deep) as servers:
        lines = (deep / "postgres" / "ohmstead.conf").read_text().splitlines()
        where = next(line.split("'")[1].strip('"') for line in lines if line.startswith("unix_socket_directories"))
        assert where
        assert len(where) < 90
        assert list(Path(where).glob(".s.PGSQL.*"))
        assert await query(servers.database_url, "select 1") == 1
        shutil.rmtree(where, ignore_errors=True)


async def test_a_data_directory_may_have_odd_characters_in_its_path(data_dir: Path) -> None:
    name = """it's, "ünïcode" $HOME"""
    data_dir.chmod(0o711)
    async with serving(data_dir / name) as servers:
        assert await query(servers.database_url, "select 1") == 1
        assert list((data_dir / name / "socket").glob(".s.PGSQL.*"))
        assert (data_dir / name / "nats" / "nats.log").exists()


async def test_a_cluster_of_another_major_version_is_refused_with_advice(used: Path) -> None:
    (used / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="written by PostgreSQL 17"):
        await embedded.start(Settings(data_dir=used))


async def test_a_lost_password_file_is_named(used: Path) -> None:
    (used / "run" / "servers.json").unlink()
    with pytest.raises(EmbeddedError, match=r"servers\.json.*Restore it"):
        await embedded.start(Settings(data_dir=used))


async def test_a_server_that_cannot_start_says_why(used: Path) -> None:
    with (used / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    with pytest.raises(EmbeddedError, match="shared_buffers"):
        await embedded.start(Settings(data_dir=used))
    assert find_running(Settings(data_dir=used)) is None


@as_root
async def test_as_root_a_data_directory_that_nobody_can_reach_is_refused_by_name(data_dir: Path) -> None:
    private = data_dir / "private"
    private.mkdir(mode=0o700)
    data_dir.chmod(0o711)
    with pytest.raises(EmbeddedError, match=rf"cannot enter {private} \(mode 0700\).*OHMSTEAD_DATA_DIR"):
        await embedded.start(Settings(data_dir=private / "data"))


@as_root
def test_as_root_programs_in_a_private_directory_are_copied_to_where_they_run(data_dir: Path, tmp_path: Path) -> None:
    data_dir.chmod(0o711)
    found = runas.installed()
    private = tmp_path / "private" / "site"
    private.mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    package = found.postgres_bin.parent.parent
    shutil.copytree(package / "pginstall18", private / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", private / f"{package.name}.libs")
    shutil.copy2(found.nats_server, private / "nats-server")
    hidden = runas.Programs(private / package.name / "pginstall18" / "bin", private / "nats-server")
    account = runas.account_for(data_dir / "postgres")
    assert account is not None
    copied = runas.runnable(hidden, data_dir, account)
    assert copied.postgres_bin.is_relative_to(data_dir) or copied.postgres_bin.is_relative_to("/var/lib/ohmstead")
    for program in (copied.postgres_bin / "initdb", copied.postgres_bin / "postgres", copied.nats_server):
        done = subprocess.run([str(program), "--version"], check=False, **runas.popen_arguments(account))
        assert done.returncode == 0
    assert runas.runnable(hidden, data_dir, account) == copied


@as_root
def test_as_root_the_servers_run_as_whoever_owns_the_data(data_dir: Path) -> None:
    owned = data_dir / "postgres"
    owned.mkdir()
    os.chown(owned, 1, 1)
    account = runas.account_for(owned)
    assert account is not None
    assert account.uid == 1
