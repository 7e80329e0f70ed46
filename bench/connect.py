"""A power cut is over: thousands of stations connect, boot and report status at once. What it costs, and what stays."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec

from bench._figures import Measured, console, machine, save, show, told
from bench._system import (
    Servers,
    busy_percent,
    held,
    loads,
    missing_rows,
    quiet_after_s,
    raise_file_limit,
    servers,
    subject,
)


class Run(msgspec.Struct):
    """One subject met by all stations at once. Memory is of the process that holds the sockets, CPU of all."""

    subject: str
    version: str
    n_stations: int
    took_s: float
    cpu_ms_per_station: float
    cpu: dict[str, float]
    p50_s: float
    p99_s: float
    max_s: float
    errors: dict[str, int]
    missing: list[str]
    idle_before_percent: float
    quiet_after_s: float | None
    idle_after_percent: float
    kb_per_station: float
    rss_kb: int
    n_files: int


async def measure(name: str, on: Servers, args: argparse.Namespace) -> Run:
    """All stations against one subject."""
    async with subject(name, on, args.stations) as server:
        door = server.watched["gateway" if name == "ohmstead" else "server"]
        with loads(server, args.stations, args.version, processes=args.processes) as load:
            await asyncio.sleep(2)
            idle_before = await busy_percent(server, 5)
            empty, before = held(door), server.cpu()
            result = await load.tell(f"connect {args.at_once // args.processes}")
            after = server.cpu()
            quiet_s = await quiet_after_s(server)
            wrong = await missing_rows(server, args.stations)
            idle_after = await busy_percent(server, args.hold)
            full = held(door)
    return Run(
        subject=name,
        version=args.version,
        n_stations=args.stations,
        took_s=result.took_s,
        cpu_ms_per_station=sum(after.values()) * 1000 / args.stations - sum(before.values()) * 1000 / args.stations,
        cpu={part: (after[part] - before[part]) * 1000 / args.stations for part in after},
        p50_s=result.at_ms(0.5) / 1000,
        p99_s=result.at_ms(0.99) / 1000,
        max_s=result.at_ms(1.0) / 1000,
        errors=result.errors,
        missing=wrong,
        idle_before_percent=idle_before,
        quiet_after_s=quiet_s,
        idle_after_percent=idle_after,
        kb_per_station=(full.pss_kb - empty.pss_kb) / args.stations,
        rss_kb=full.rss_kb,
        n_files=full.n_files,
    )


def tell(runs: list[Run], args: argparse.Namespace) -> None:
    title = (
        f"{args.stations} stations, OCPP {args.version}, connect, boot and report status, "
        f"{args.at_once} under way at once, {args.runs} runs"
    )
    head = (
        "",
        "CPU ms each",
        "took s",
        "p50 s",
        "p99 s",
        "errors",
        "idle before %",
        "idle after %",
        "KB each",
        "of it",
    )
    rows = []
    for name in args.subjects:
        mine = [run for run in runs if run.subject == name]

        def of(field: str, digits: int, mine: list[Run] = mine) -> str:
            return Measured.of([getattr(run, field) for run in mine]).text(digits)

        parts = [
            f"{part} {Measured.of([run.cpu[part] for run in mine]).median:.2f}"
            for part in mine[0].cpu
            if max(run.cpu[part] for run in mine) >= 0.005
        ]
        rows.append(
            [
                name,
                of("cpu_ms_per_station", 2),
                of("took_s", 1),
                of("p50_s", 2),
                of("p99_s", 2),
                str(sum(sum(run.errors.values()) + len(run.missing) for run in mine)),
                of("idle_before_percent", 1),
                of("idle_after_percent", 1),
                of("kb_per_station", 1),
                ", ".join(parts),
            ]
        )
    show(title, head, rows, markdown=args.markdown)
    for run in runs:
        for error, count in run.errors.items():
            console.print(f"  {run.subject}: {count} × {error}", highlight=False, markup=False)
        for text in run.missing:
            console.print(f"  {run.subject} MISSING {text}", highlight=False, markup=False)
    late = [f"{run.quiet_after_s:.1f}" if run.quiet_after_s is not None else "never" for run in runs]
    console.print(f"  quiet after, s: {', '.join(late)}; files of the last one's door: {runs[-1].n_files}")


async def main(args: argparse.Namespace) -> None:
    limit = raise_file_limit()
    if limit < args.stations * 2 // max(args.processes, 1):
        console.print(f"The limit of open files is {limit}; see docs/operations.md, “Many stations”.")
    runs: list[Run] = []
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        for n in range(args.runs):
            turn = n % len(args.subjects)
            for name in args.subjects[turn:] + args.subjects[:turn]:
                runs.append(await measure(name, on, args))
        tell(runs, args)
        save(args.json, about, runs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=5000)
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--subjects", default="plain,ohmstead", help="with commas")
    parser.add_argument("--at-once", type=int, default=2000, help="stations under way; at most the kernel's backlog")
    parser.add_argument("--hold", type=float, default=10, help="seconds to watch afterwards")
    parser.add_argument("--processes", type=int, default=1, help="load processes")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    args = parser.parse_args()
    args.subjects = args.subjects.split(",")
    return args


if __name__ == "__main__":
    asyncio.run(main(arguments()))
