"""What is measured: the servers, Ohmstead's roles and the yardsticks, as named processes on databases of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import psutil

from bench._figures import Result, added
from ohmstead import app, embedded
from ohmstead.core import log
from ohmstead.core.migrations import migrate
from ohmstead.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "bench_template"


# ------------------------------------------------------------------------------------------------- processes


def free_port() -> int:
    """Below those that the system gives to outgoing connections, of which a benchmark makes thousands."""
    while True:
        port = 10000 + secrets.randbelow(10000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def raise_file_limit() -> int:
    """Open files: as many as this account may have. Returns how many that is; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def process(arguments: Sequence[str], env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python process of ours, stopped at the end."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        started.kill()
        started.wait()


def tell(started: subprocess.Popen[str], line: str) -> None:
    assert started.stdin is not None
    started.stdin.write(line + "\n")
    started.stdin.flush()


def _tree(pids: Sequence[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            yield root
            yield from root.children(recursive=True)


def cpu_s(pids: Sequence[int]) -> float:
    """CPU seconds of processes and all that they started, ended children included."""
    total = 0.0
    for one in _tree(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class Held(msgspec.Struct, frozen=True):
    """What a process and its children hold.

    `pss_kb` shares out what several processes map, `private_kb` is what no other process maps and no file backs:
    without PostgreSQL's buffers. Both are the resident size where the system does not tell them.
    """

    rss_kb: int
    pss_kb: int
    private_kb: int
    n_files: int


def held(pids: Sequence[int]) -> Held:
    rss = pss = private = files = 0
    for one in _tree(pids):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            resident = one.memory_info().rss // 1024
            told = _smaps(one.pid)
            rss += resident
            pss += told.get("Pss", resident)
            private += told.get("Pss_Anon", resident)
            files += one.num_fds()
    return Held(rss, pss, private, files)


def _smaps(pid: int) -> dict[str, int]:
    """Kilobytes by kind, as Linux tells them."""
    file = Path(f"/proc/{pid}/smaps_rollup")
    if not file.exists():
        return {}
    found = {}
    for line in file.read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0])
    return found


# --------------------------------------------------------------------------------------------------- servers


@dataclass
class Servers:
    """PostgreSQL and NATS. `admin_url` is the database's superuser's, where there is one."""

    database_url: str
    admin_url: str
    nats_url: str
    pids: dict[str, int]
    data_dir: Path
    version: str = ""


@contextlib.asynccontextmanager
async def servers(postgres: Servers | None = None) -> AsyncIterator[Servers]:
    """The built-in servers on a fresh directory, with a migrated template database, removed at the end.

    `postgres`: a PostgreSQL of another kind to use instead of the built-in one.
    """
    log.setup("error", "console", "bench")
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-bench-"))
    data_dir.chmod(0o755)
    try:
        started = await embedded.start(
            Settings(data_dir=data_dir, database_url=postgres.database_url if postgres else None)
        )
        try:
            pids = (postgres.pids if postgres else {}) | started.pids
            admin_url = postgres.admin_url if postgres else _superuser(data_dir, started.database_url)
            ready = Servers(started.database_url, admin_url, started.nats_url, pids, data_dir)
            ready.version = await _prepare(ready)
            yield ready
        finally:
            await started.stop()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def _superuser(data_dir: Path, database_url: str) -> str:
    kept = msgspec.json.decode((data_dir / "run" / "servers.json").read_bytes())
    parts = urlsplit(database_url)
    login = f"postgres:{kept['superuser_password']}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=login, path="/postgres"))


def on_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _prepare(started: Servers) -> str:
    await execute(started.database_url, f"create database {TEMPLATE}")
    template = on_database(started.database_url, TEMPLATE)
    await migrate(template)
    await app.first_sign_in_link(Settings(database_url=template, data_dir=started.data_dir))
    conn = await asyncpg.connect(template)
    try:
        version: str = await conn.fetchval("select version()")
        return version
    finally:
        await conn.close()


async def execute(url: str, *statements: str) -> None:
    """Statements on a connection of their own, each by itself."""
    conn = await asyncpg.connect(url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


# -------------------------------------------------------------------------------------------------- subjects


@dataclass
class Subject:
    """A running server to put load on. `url` has `{id}` where the station's identity goes; one for each gateway."""

    name: str
    urls: list[str]
    database_url: str
    watched: dict[str, list[int]]
    metrics_ports: list[int] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    web_url: str = ""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by process."""
        return {name: cpu_s(pids) for name, pids in self.watched.items()}


@contextlib.asynccontextmanager
async def subject(
    name: str, on: Servers, n_stations: int, *, gateways: int = 1, settings: dict[str, str] | None = None
) -> AsyncIterator[Subject]:
    """`ohmstead`, or the yardstick of that name, on a fresh database; the database is dropped at the end.

    Ohmstead's stations are registered beforehand, B00000 and on, each with one outlet and a card T00000 and on.
    """
    database = f"bench_{name}_{time.time_ns() // 1000 % 10**9}"
    template = f" template {TEMPLATE}" if name == "ohmstead" else ""
    await execute(on.database_url, f"create database {database}{template}")
    url = on_database(on.database_url, database)
    try:
        if name == "ohmstead":
            await execute(url, *(statement.format(last=n_stations - 1) for statement in _REGISTER))
        # What the one before left to write must not be counted here.
        await execute(on.admin_url, "checkpoint")
        running = ohmstead(url, on, gateways, settings or {}) if name == "ohmstead" else _yardstick(name, url, on)
        with running as found:
            yield found
    finally:
        await execute(on.database_url, f"drop database {database} with (force)")


_REGISTER = (
    (
        "insert into station (station_id, party_id, security_profile) select 'B' || to_char(n, 'FM00000'), party_id, 0"
        " from party, generate_series(0, {last}) n"
    ),
    (
        "insert into evse (station_id, evse_number, current_type, max_power_w)"
        " select 'B' || to_char(n, 'FM00000'), 1, 'AC', 22000 from generate_series(0, {last}) n"
    ),
    (
        "insert into connector (station_id, evse_number, connector_number)"
        " select 'B' || to_char(n, 'FM00000'), 1, 1 from generate_series(0, {last}) n"
    ),
    (
        "insert into token (token_id, party_id, uid) select gen_random_uuid(), party_id, 'T' || to_char(n, 'FM00000')"
        " from party, generate_series(0, {last}) n"
    ),
    "analyze station, evse, connector, token",
)


@contextlib.contextmanager
def ohmstead(url: str, on: Servers, gateways: int, settings: dict[str, str]) -> Iterator[Subject]:
    common = {
        "OHMSTEAD_DATABASE_URL": url,
        "OHMSTEAD_NATS_URL": on.nats_url,
        "OHMSTEAD_SECRET_KEY": secrets.token_hex(32),
        "OHMSTEAD_DATA_DIR": str(on.data_dir),
        "OHMSTEAD_LOG_LEVEL": "error",
        **settings,
    }
    found = Subject("ohmstead", [], url, {"gateway": []}, environment=common)
    with contextlib.ExitStack() as stack:
        for role in [*["gateway"] * gateways, "worker", "web"]:
            port, second = free_port(), free_port()
            ports = {
                "gateway": {"OHMSTEAD_GATEWAY_PORT": str(port), "OHMSTEAD_METRICS_GATEWAY_PORT": str(second)},
                "worker": {"OHMSTEAD_WORKER_HEALTH_PORT": str(port)},
                "web": {"OHMSTEAD_WEB_PORT": str(port)},
            }[role]
            started = stack.enter_context(process(["-m", "ohmstead", role], common | ports))
            found.watched.setdefault(role, []).append(started.pid)
            _wait_for(port, started)
            if role == "web":
                found.web_url = f"http://127.0.0.1:{port}"
            if role == "gateway":
                found.urls.append(f"ws://127.0.0.1:{port}/ocpp/{{id}}")
                found.metrics_ports.append(second)
        found.watched |= {name: [on.pids[name]] for name in ("postgres", "nats") if name in on.pids}
        yield found


@contextlib.contextmanager
def _yardstick(name: str, url: str, on: Servers) -> Iterator[Subject]:
    port = free_port()
    with process(["-m", f"bench._{name}_server", str(port)]) as started:
        tell(started, url)
        _wait_for(port, started)
        watched = {"server": [started.pid], "postgres": [on.pids["postgres"]]}
        yield Subject(name, [f"ws://127.0.0.1:{port}/ocpp/{{id}}"], url, watched)


def _wait_for(port: int, started: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if started.poll() is not None:
            raise SystemExit(f"{started.args!r} ended with {started.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


# ------------------------------------------------------------------------------------------------------ load


class Loads:
    """Load processes with the stations shared out among them, and among the subject's gateways."""

    def __init__(self, started: list[subprocess.Popen[str]]) -> None:
        self._started = started
        self.total = added([])

    @property
    def pids(self) -> list[int]:
        return [one.pid for one in self._started]

    async def tell(self, line: str) -> Result:
        """Have all do it; returns the last result of all, added up."""
        return [result async for result in self.tell_and_hear(line)][-1]

    async def tell_and_hear(self, line: str) -> AsyncIterator[Result]:
        """Have all do it; yields what they report on the way, the last one at the end."""
        for one in self._started:
            tell(one, line)
        while True:
            lines = await asyncio.gather(*(asyncio.to_thread(self._line, one) for one in self._started))
            result = added(lines)
            self.total = added([self.total, result])
            yield result
            if all(one.is_last for one in lines):
                return

    @staticmethod
    def _line(one: subprocess.Popen[str]) -> Result:
        assert one.stdout is not None
        line = one.stdout.readline()
        if not line:
            raise SystemExit("the load ended by itself")
        return msgspec.json.decode(line, type=Result)


@contextlib.contextmanager
def loads(
    on: Subject,
    n_stations: int,
    version: str,
    *options: str,
    pace: float = 0.0,
    processes: int = 1,
    own_addresses: bool = False,
    first: int = 0,
) -> Iterator[Loads]:
    """Load processes against a subject, not yet connected. `pace` is messages a second of all of them.

    `first`: the number of the first station. `own_addresses`: each process's stations come from an address of its own,
    127.0.0.2 and on, with all its ports.
    """
    raise_file_limit()
    with contextlib.ExitStack() as stack:
        started = []
        for n in range(processes):
            share = n_stations // processes + (n < n_stations % processes)
            command = ["-m", "bench._load", "--url", on.urls[n % len(on.urls)], "--version", version]
            command += ["--stations", str(share), "--first", str(first), "--pace", str(pace * share / n_stations)]
            command += ["--source", f"127.0.0.{2 + n}"] if own_addresses else []
            started.append(stack.enter_context(process([*command, *options])))
            first += share
        yield Loads(started)


# ---------------------------------------------------------------------------------------- what is left, what is kept


async def quiet_after_s(on: Subject, patience_s: float = 120) -> float | None:
    """Seconds until nothing is left to do: nothing waits in a gateway, the outbox is read, ended sessions are settled.

    None when that does not come within `patience_s`.
    """
    if on.name != "ohmstead":
        return 0.0
    conn = await asyncpg.connect(on.database_url)
    began = time.monotonic()
    try:
        while time.monotonic() - began < patience_s:
            waiting = sum(await asyncio.gather(*(asyncio.to_thread(_waiting, port) for port in on.metrics_ports)))
            if not waiting and await conn.fetchval(_IS_READ):
                return time.monotonic() - began
            await asyncio.sleep(0.1)
        return None
    finally:
        await conn.close()


_IS_READ = (
    "select not exists (select from outbox o, outbox_cursor c where o.xid >= c.window_to)"
    " and not exists (select from session where status in ('completed', 'invalid') and settled_at is null)"
    " and exists (select from outbox_cursor)"
)


def _waiting(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("ohmstead_ingest_waiting "):
                return float(line.rpartition(" ")[2])
    raise SystemExit("the gateway's metrics do not tell ohmstead_ingest_waiting")


async def lost(on: Subject, total: Result) -> list[str]:
    """Compare what the load was told with what the database has; what disagrees, in words. Ohmstead only.

    Of each kind at least what was acknowledged must be there, and at most that and what is in doubt.
    """
    if on.name != "ohmstead":
        return []
    conn = await asyncpg.connect(on.database_url)
    try:
        found = await conn.fetchrow(_KEPT)
    finally:
        await conn.close()
    assert found is not None
    wrong = []
    for step, column in (("start", "started"), ("meter", "sampled"), ("stop", "stopped")):
        least = total.answered.get(step, 0)
        most = least + total.in_doubt.get(step, 0)
        if not least <= found[column] <= most:
            wrong.append(f"{step}: {least} acknowledged, {most - least} in doubt, {found[column]} in the database")
    if not total.in_doubt and found["energy_wh"] != total.energy_wh:
        wrong.append(f"energy: stations sent {total.energy_wh} Wh, the database has {found['energy_wh']} Wh")
    return wrong


_KEPT = (
    "select (select count(*) from session) as started,"
    " (select count(*) from session where status = 'completed') as stopped,"
    " (select count(*) from sample where context = 'Sample.Periodic') as sampled,"
    " (select coalesce(sum(energy_wh), 0) from session where status = 'completed')::float8 as energy_wh"
)


async def busy_percent(on: Subject, seconds: float) -> float:
    """CPU of all processes over the next seconds, in percent of one core."""
    before = sum(on.cpu().values())
    await asyncio.sleep(seconds)
    return (sum(on.cpu().values()) - before) * 100 / seconds


async def missing_rows(on: Subject, n_stations: int) -> list[str]:
    """What the stations were told is stored, and is not. Ohmstead only."""
    if on.name != "ohmstead":
        return []
    conn = await asyncpg.connect(on.database_url)
    try:
        found = await conn.fetchrow(
            "select (select count(*) from station where gateway_id is not null) as connected,"
            " (select count(*) from station where booted_at is not null) as booted,"
            " (select count(*) from connector where status = 'available') as available"
        )
    finally:
        await conn.close()
    assert found is not None
    return [f"{count} of {n_stations} {what}" for what, count in found.items() if count != n_stations]
