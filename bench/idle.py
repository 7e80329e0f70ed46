"""20,000 stations that only stay connected, over as many gateways as the limit of open files asks for."""

from __future__ import annotations

import argparse
import asyncio
import math
from pathlib import Path

import asyncpg
import msgspec

from bench._figures import console, machine, save, show, told
from bench._system import (
    Held,
    Servers,
    Subject,
    held,
    loads,
    missing_rows,
    quiet_after_s,
    raise_file_limit,
    servers,
    subject,
)

SPARE_FILES = 500  # libraries, the database, NATS, metrics, and newcomers


class Idle(msgspec.Struct):
    """What so many stations cost: to let in, to keep, and to answer once all together."""

    n_stations: int
    n_gateways: int
    file_limit: int
    took_s: float
    cpu_ms_per_station: float
    errors: dict[str, int]
    missing: list[str]
    idle_percent: dict[str, float]
    empty: list[Held]
    full: list[Held]
    n_database_connections: int
    answered_afterwards: int
    slowest_answer_s: float


async def measure(on: Servers, args: argparse.Namespace, limit: int) -> Idle:
    async with subject("ohmstead", on, args.stations, gateways=args.gateways) as server:
        gateways = server.watched["gateway"]
        with loads(server, args.stations, args.version, processes=args.gateways, own_addresses=True) as load:
            await asyncio.sleep(2)
            empty, before = [held([pid]) for pid in gateways], server.cpu()
            result = await load.tell(f"connect {args.at_once // args.gateways}")
            after = server.cpu()
            await quiet_after_s(server)
            await asyncio.sleep(5)
            idle_percent = await _by_process(server, args.hold)
            full = [held([pid]) for pid in gateways]
            n_connections = await _connections(server)
            wrong = await missing_rows(server, args.stations)
            last = await load.tell("send 1")
    return Idle(
        n_stations=args.stations,
        n_gateways=args.gateways,
        file_limit=limit,
        took_s=result.took_s,
        cpu_ms_per_station=(sum(after.values()) - sum(before.values())) * 1000 / args.stations,
        errors=load.total.errors,
        missing=wrong,
        idle_percent=idle_percent,
        empty=empty,
        full=full,
        n_database_connections=n_connections,
        answered_afterwards=last.n_answered,
        slowest_answer_s=last.at_ms(1.0) / 1000,
    )


async def _by_process(server: Subject, seconds: float) -> dict[str, float]:
    """CPU over the next seconds, in percent of one core, by process."""
    before = server.cpu()
    await asyncio.sleep(seconds)
    return {name: (now - before[name]) * 100 / seconds for name, now in server.cpu().items()}


async def _connections(server: Subject) -> int:
    conn = await asyncpg.connect(server.database_url)
    try:
        found: int = await conn.fetchval(
            "select count(*) from pg_stat_activity where application_name like 'ohmstead%'"
        )
        return found
    finally:
        await conn.close()


def tell(found: Idle, args: argparse.Namespace) -> None:
    rows = [
        [
            f"{n + 1}",
            str(full.n_files),
            f"{empty.pss_kb / 1024:.0f}",
            f"{full.pss_kb / 1024:.0f}",
            f"{(full.pss_kb - empty.pss_kb) * found.n_gateways / found.n_stations:.1f}",
        ]
        for n, (empty, full) in enumerate(zip(found.empty, found.full, strict=True))
    ]
    title = f"{found.n_stations} idle stations, OCPP {args.version}, {found.n_gateways} gateways"
    show(title, ("gateway", "open files", "MB empty", "MB full", "KB a station"), rows, markdown=args.markdown)
    busy = ", ".join(f"{name} {percent:.1f} %" for name, percent in found.idle_percent.items())
    print(f"all in after {found.took_s:.0f} s, {found.cpu_ms_per_station:.2f} ms of CPU each")
    print(f"CPU while idle, of one core: {sum(found.idle_percent.values()):.1f} % ({busy})")
    print(f"database connections of Ohmstead: {found.n_database_connections}; limit of open files {found.file_limit}")
    print(
        f"asked something all at once afterwards: {found.answered_afterwards} answered, "
        f"the slowest after {found.slowest_answer_s:.1f} s"
    )
    for error, count in found.errors.items():
        console.print(f"  {count} × {error}", highlight=False, markup=False)
    for text in found.missing:
        console.print(f"  MISSING {text}", highlight=False, markup=False)


async def main(args: argparse.Namespace) -> None:
    limit = raise_file_limit()
    args.gateways = args.gateways or math.ceil(args.stations / (limit - SPARE_FILES))
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        found = await measure(on, args, limit)
    tell(found, args)
    save(args.json, about, [found])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=20_000)
    parser.add_argument("--gateways", type=int, default=0, help="0: as many as the limit of open files asks for")
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--at-once", type=int, default=2000, help="stations under way at once")
    parser.add_argument("--hold", type=float, default=60, help="seconds to watch them idle")
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
