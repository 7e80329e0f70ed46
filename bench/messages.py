"""What a durable message costs: whole sessions, answered after the commit, beside both yardsticks in the same run."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from ohmstead import app, embedded
from ohmstead.core.migrations import migrate
from ohmstead.settings import Settings

console = Console(width=120)
ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_s(pids: list[int]) -> float:
    """CPU seconds of processes and all that they started, ended children included."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
    return total


@contextlib.contextmanager
def process(arguments: list[str], first_line: str | None = None, **env: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if first_line is not None:
            assert started.stdin is not None
            started.stdin.write(first_line + "\n")
            started.stdin.flush()
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        started.kill()


def load(url: str, args: argparse.Namespace, version: str, watch: dict[str, list[int]]) -> dict[str, Any]:
    """Run the load process against `url`; CPU of the watched processes counts from the first to the last message."""
    command = ["-m", "bench._load", "--url", url, "--version", version, "--stations", str(args.stations)]
    command += ["--duration", str(args.duration), "--interval", str(args.interval), "--mix", args.mix]
    command += ["--prefix", f"B{time.time_ns() % 10**9}-"]
    with process(command) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        ready = running.stdout.readline().strip()
        if ready != "ready":
            raise SystemExit(f"the load did not start: {ready!r}")
        before = {name: cpu_s(pids) for name, pids in watch.items()}
        running.stdin.write("go\n")
        running.stdin.flush()
        result: dict[str, Any] = json.loads(running.stdout.readline())
        time.sleep(1.0)  # work left over counts too
        after = {name: cpu_s(pids) for name, pids in watch.items()}
    result["cpu"] = {name: (after[name] - before[name]) * 1000 / max(result["answered"], 1) for name in watch}
    result["cpu_s_per_1000"] = sum(result["cpu"].values())
    return result


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def measure_ohmstead(
    servers: embedded.Embedded, data_dir: Path, args: argparse.Namespace, version: str
) -> dict[str, Any]:
    ports = [free_port() for _ in range(4)]
    env = {
        "OHMSTEAD_DATABASE_URL": servers.database_url,
        "OHMSTEAD_SECRET_KEY": secrets.token_hex(32),
        "OHMSTEAD_NATS_URL": servers.nats_url,
        "OHMSTEAD_DATA_DIR": str(data_dir),
        "OHMSTEAD_UNKNOWN_STATIONS": "accept",
        "OHMSTEAD_LOG_LEVEL": "error",
        "OHMSTEAD_GATEWAY_PORT": str(ports[0]),
        "OHMSTEAD_METRICS_GATEWAY_PORT": str(ports[1]),
        "OHMSTEAD_WORKER_HEALTH_PORT": str(ports[2]),
        "OHMSTEAD_WEB_PORT": str(ports[3]),
    }
    with (
        process(["-m", "ohmstead", "gateway"], **env) as gateway,
        process(["-m", "ohmstead", "worker"], **env) as worker,
        process(["-m", "ohmstead", "web"], **env) as web,
    ):
        for port in ports:
            wait_for(port)
        watch = {"gateway": [gateway.pid], "worker": [worker.pid], "web": [web.pid]}
        watch |= {"postgres": [servers.pids["postgres"]], "nats": [servers.pids["nats"]]}
        return load(f"ws://127.0.0.1:{ports[0]}/ocpp/{{id}}", args, version, watch)


def measure_yardstick(name: str, servers: embedded.Embedded, args: argparse.Namespace, version: str) -> dict[str, Any]:
    port = free_port()
    url = asyncio.run(fresh_database(servers.database_url, f"bench_{name}_{time.time_ns() % 10**6}"))
    with process(["-m", f"bench._{name}_server", str(port)], first_line=url) as server:
        wait_for(port)
        watch = {"server": [server.pid], "postgres": [servers.pids["postgres"]]}
        return load(f"ws://127.0.0.1:{port}/ocpp/{{id}}", args, version, watch)


async def fresh_database(database_url: str, name: str) -> str:
    conn = await asyncpg.connect(database_url)
    await conn.execute(f"create database {name}")
    await conn.close()
    head, _, _ = database_url.rpartition("/")
    return f"{head}/{name}"


async def prepare(settings: Settings, servers: embedded.Embedded) -> None:
    await migrate(servers.database_url)
    await app.first_sign_in_link(msgspec.structs.replace(settings, database_url=servers.database_url))
    conn = await asyncpg.connect(servers.database_url)
    await conn.execute(
        "insert into token (token_id, party_id, uid, max_sessions) select gen_random_uuid(), party_id, 'BENCH',"
        " null from party"
        " on conflict do nothing"
    )
    await conn.close()


async def run(args: argparse.Namespace) -> None:
    data_dir = args.data_dir
    settings = Settings(data_dir=data_dir)
    servers = await embedded.start(settings)
    try:
        await prepare(settings, servers)
        for version in args.versions.split(","):
            await asyncio.to_thread(compare, servers, data_dir, args, version)
    finally:
        await servers.stop()


def compare(servers: embedded.Embedded, data_dir: Path, args: argparse.Namespace, version: str) -> None:
    runs: dict[str, list[dict[str, Any]]] = {"ohmstead": [], "plain": [], "limit": []}
    for _ in range(args.runs):
        runs["limit"].append(measure_yardstick("limit", servers, args, version))
        if version != "2.1":
            runs["plain"].append(measure_yardstick("plain", servers, args, version))
        runs["ohmstead"].append(measure_ohmstead(servers, data_dir, args, version))
    pace = f"every {args.interval} s" if args.interval else "closed loop"
    table = Table(
        title=f"OCPP {version}, {args.stations} stations, {pace}, {args.mix}, {args.runs} runs of {args.duration:g} s"
    )
    for name in ("", "CPU s / 1,000", "spread", "× limit", "messages/s", "p50 ms", "p99 ms", "errors", "of which"):
        table.add_column(name, justify="left" if name in ("", "of which") else "right")
    limit = statistics.median(r["cpu_s_per_1000"] for r in runs["limit"])
    for name, results in runs.items():
        if not results:
            continue
        costs = [r["cpu_s_per_1000"] for r in results]
        parts = ", ".join(
            f"{part} {statistics.median(r['cpu'][part] for r in results):.3f}" for part in results[0]["cpu"]
        )
        table.add_row(
            name,
            f"{statistics.median(costs):.3f}",
            f"{min(costs):.3f}–{max(costs):.3f}",
            f"{statistics.median(costs) / limit:.1f}",
            f"{statistics.median(r['per_second'] for r in results):.0f}",
            f"{statistics.median(r['p50_ms'] for r in results):.1f}",
            f"{statistics.median(r['p99_ms'] for r in results):.1f}",
            str(sum(sum(r["errors"].values()) for r in results)),
            parts,
        )
        for result in results:
            for error, count in result["errors"].items():
                console.print(f"  {name}: {count} × {error}", highlight=False)
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default="1.6,2.0.1")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--duration", type=float, default=10)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--mix", choices=("session", "meters"), default="session")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    arguments.data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-bench-"))
    arguments.data_dir.chmod(0o755)
    try:
        asyncio.run(run(arguments))
    finally:
        shutil.rmtree(arguments.data_dir, ignore_errors=True)
