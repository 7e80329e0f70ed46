"""Where the time goes: py-spy of gateway and worker under load, and PostgreSQL's most expensive statements."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from bench._figures import console, machine, show, told
from bench._system import Servers, Subject, free_port, loads, on_database, quiet_after_s, servers, subject

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def own_postgres(bin_dir: Path) -> Iterator[Servers]:
    """A PostgreSQL of the system's, with pg_stat_statements, which the built-in one lacks. Removed at the end."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    options: dict[str, int] = {"user": account.pw_uid, "group": account.pw_gid} if os.geteuid() == 0 else {}
    root = Path(tempfile.mkdtemp(prefix="ohmstead-bench-pg-"))
    os.chown(root, account.pw_uid, account.pw_gid)
    data, port, password = root / "data", free_port(), secrets.token_hex(12)
    secret = root / "password"
    secret.write_text(password)
    os.chown(secret, account.pw_uid, account.pw_gid)
    command = [str(bin_dir / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
    try:
        subprocess.run(
            [*command, "--locale=C.UTF-8", "--pwfile", str(secret)],
            cwd="/", check=True, stdout=subprocess.DEVNULL, **options,  # type: ignore[call-overload]
        )  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.write(
                f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
                "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = 'all'\n"
                "shared_buffers = '256MB'\nwal_compression = on\njit = off\ntrack_io_timing = on\n"
            )
        command = [str(bin_dir / "postgres"), "-D", str(data)]
        running = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
        try:
            admin = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            asyncio.run(_until_ready(admin))
            yield Servers(admin, admin, "", {"postgres": running.pid}, root)
        finally:
            running.send_signal(2)
            running.wait(30)
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            conn = await asyncpg.connect(url, timeout=5)
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
            continue
        await conn.execute("create extension if not exists pg_stat_statements")
        await conn.close()
        return


async def statements(server: Subject, admin_url: str) -> list[list[str]]:
    """The statements that cost most, since the last reset."""
    conn = await asyncpg.connect(on_database(admin_url, "postgres"))
    try:
        rows = await conn.fetch(
            "select s.calls, s.total_exec_time, s.rows, regexp_replace(s.query, '\\s+', ' ', 'g') as query,"
            " sum(s.total_exec_time) over () as whole from pg_stat_statements s join pg_database d on d.oid = s.dbid"
            " where d.datname = $1 order by s.total_exec_time desc limit 15",
            server.database_url.rpartition("/")[2],
        )
    finally:
        await conn.close()
    return [
        [
            row["query"][:90],
            f"{row['total_exec_time'] * 100 / row['whole']:.1f}",
            f"{row['total_exec_time']:.0f}",
            str(row["calls"]),
            f"{row['total_exec_time'] / row['calls']:.2f}",
            str(row["rows"]),
        ]
        for row in rows
    ]


def most(stacks: Path) -> tuple[list[list[str]], list[list[str]]]:
    """From py-spy's collapsed stacks: functions by their own time, and by their time with all they call, in percent."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    total = 0
    for line in stacks.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        names = [_short(frame) for frame in frames.split(";")]
        total += int(count)
        own[names[-1]] += int(count)
        for name in set(names):
            whole[name] += int(count)
    rows = [
        [[name, f"{count * 100 / max(total, 1):.1f}"] for name, count in found.most_common(25)]
        for found in (own, Counter({name: count for name, count in whole.items() if "ohmstead/" in name}))
    ]
    return rows[0], rows[1]


def _short(frame: str) -> str:
    """`function (path:line)` without the line and without the way to the package."""
    name, _, place = frame.strip().rpartition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    for mark in ("site-packages/", "src/", "lib/"):
        path = path.rpartition(mark)[2]
    return f"{name} {path}"


async def main(args: argparse.Namespace, postgres: Servers | None) -> None:
    spy = args.py_spy or shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise SystemExit("py-spy is not installed: `pip install py-spy`, or --py-spy PATH")
    args.out.mkdir(parents=True, exist_ok=True)
    async with servers(postgres) as on, subject("ohmstead", on, args.stations) as server:
        print(told(machine(on.version)))
        with loads(server, args.stations, args.version, "--mix", args.mix, pace=args.pace) as load:
            await load.tell("connect 200")
            await load.tell("run 3 6")
            if postgres is not None:
                conn = await asyncpg.connect(on_database(on.admin_url, "postgres"))
                await conn.execute("select pg_stat_statements_reset()")
                await conn.close()
            spies = {}
            for role in args.roles.split(","):
                file = args.out / f"{role}.stacks"
                command = [spy, "record", "--pid", str(server.watched[role][0]), "--duration", str(int(args.duration))]
                command += ["--rate", "200", "--format", "raw", "--output", str(file), *(["--native"] * args.native)]
                spies[role] = (file, await asyncio.create_subprocess_exec(*command, stdout=-3, stderr=-3))
            result = await load.tell(f"run {args.duration + 1} {args.duration * 2}")
            for _, one in spies.values():
                await one.wait()
            await quiet_after_s(server)
            found = await statements(server, on.admin_url) if postgres is not None else []
    print(f"{result.n_answered} messages, {result.n_answered / result.took_s:.0f}/s, {result.n_errors} errors")
    for role, (file, _) in spies.items():
        own, whole = most(file)
        show(f"{role}: own time", ("function", "%"), own, markdown=args.markdown)
        show(f"{role}: with all it calls", ("function", "%"), whole, markdown=args.markdown)
    if found:
        head = ("statement", "%", "ms", "calls", "ms each", "rows")
        show("PostgreSQL's statements", head, found, markdown=args.markdown)
    console.print(f"The stacks are in {args.out}, for flame graphs (speedscope, inferno).", highlight=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--mix", choices=("session", "meters"), default="session")
    parser.add_argument("--pace", type=float, default=0.0, help="messages a second; 0: closed loop")
    parser.add_argument("--duration", type=float, default=15)
    parser.add_argument("--roles", default="gateway,worker", help="which processes py-spy looks at, with commas")
    parser.add_argument("--native", action="store_true", help="look into compiled extensions, too")
    parser.add_argument("--py-spy", help="the program, where it is not on PATH")
    parser.add_argument("--postgres-bin", type=Path, help="programs of a PostgreSQL that has pg_stat_statements")
    parser.add_argument("--out", type=Path, default=Path("profile"), help="directory for the stacks")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    arguments = parser.parse_args()
    if arguments.postgres_bin is None:
        asyncio.run(main(arguments, None))
    else:
        with own_postgres(arguments.postgres_bin) as own:
            asyncio.run(main(arguments, own))
