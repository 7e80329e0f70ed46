"""What a durable message costs: whole sessions, answered after the commit, beside both yardsticks in the same run."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec

from bench._figures import Measured, console, machine, save, show, told
from bench._system import Servers, cpu_s, loads, lost, quiet_after_s, servers, subject

WARM_UP_S = 2.0


class Run(msgspec.Struct):
    """One subject under load once. CPU seconds per 1,000 answered messages, by process; times in milliseconds."""

    subject: str
    version: str
    n_stations: int
    answered: int
    per_second: float
    cpu_s_per_1000: float
    cpu: dict[str, float]
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: dict[str, int]
    quiet_after_s: float | None
    lost: list[str]
    load_cpu_s_per_1000: float


async def measure(name: str, on: Servers, args: argparse.Namespace, version: str, n_stations: int) -> Run:
    """Load on one subject. Its CPU counts from the first message until everything is quiet again."""
    async with subject(name, on, n_stations) as server:
        options = ["--mix", args.mix]
        with loads(server, n_stations, version, *options, pace=args.pace, processes=args.processes) as load:
            await load.tell("connect 200")
            await load.tell(f"run {WARM_UP_S} {WARM_UP_S * 2}")
            await quiet_after_s(server)
            before, load_before = server.cpu(), cpu_s(load.pids)
            result = await load.tell(f"run {args.duration} {args.duration * 2}")
            load_after = cpu_s(load.pids)
            quiet_s = await quiet_after_s(server)
            await asyncio.sleep(max(0.0, 1.0 - (quiet_s or 1.0)))
            after = server.cpu()
            wrong = await lost(server, load.total)
    n = max(result.n_answered, 1)
    cpu = {part: (after[part] - before[part]) * 1000 / n for part in after}
    return Run(
        subject=name,
        version=version,
        n_stations=n_stations,
        answered=result.n_answered,
        per_second=result.n_answered / result.took_s,
        cpu_s_per_1000=sum(cpu.values()),
        cpu=cpu,
        p50_ms=result.at_ms(0.5),
        p99_ms=result.at_ms(0.99),
        max_ms=result.at_ms(1.0),
        errors=load.total.errors,
        quiet_after_s=quiet_s,
        lost=wrong,
        load_cpu_s_per_1000=(load_after - load_before) * 1000 / n,
    )


async def compare(on: Servers, args: argparse.Namespace, version: str, n_stations: int) -> list[Run]:
    """All subjects, in turns: what else the machine does hits each of them alike."""
    runs = []
    for n in range(args.runs):
        turn = n % len(args.subjects)
        for name in args.subjects[turn:] + args.subjects[:turn]:
            run = await measure(name, on, args, version, n_stations)
            console.print(
                f"[dim]{version} × {n_stations} {name}: {run.cpu_s_per_1000:.3f} CPU s / 1,000, {run.per_second:.0f}/s,"
                f" p99 {run.p99_ms:.1f} ms, load {run.load_cpu_s_per_1000:.3f}[/dim]",
                highlight=False,
                soft_wrap=True,
            )
            runs.append(run)
    return runs


HEAD = ("", "CPU s / 1,000", "× limit", "messages/s", "p50 ms", "p99 ms", "errors", "quiet after s", "of the CPU")


def tell(runs: list[Run], args: argparse.Namespace) -> None:
    """The table of one comparison."""
    first = runs[0]
    pace = f"{args.pace:g} messages/s" if args.pace else "closed loop"
    mix = "whole sessions" if args.mix == "session" else "meter values"
    title = f"OCPP {first.version}, {first.n_stations} stations, {mix}, {pace}, {args.runs} × {args.duration:g} s"
    costs = {name: Measured.of([run.cpu_s_per_1000 for run in runs if run.subject == name]) for name in args.subjects}
    rows = []
    for name in args.subjects:
        mine = [run for run in runs if run.subject == name]

        def of(field: str, digits: int, mine: list[Run] = mine) -> str:
            return Measured.of([getattr(run, field) for run in mine]).text(digits)

        parts = [
            f"{part} {Measured.of([run.cpu[part] for run in mine]).median:.3f}"
            for part in mine[0].cpu
            if max(run.cpu[part] for run in mine) >= 0.0005
        ]
        is_left = any(run.quiet_after_s is None for run in mine)
        rows.append(
            [
                name,
                costs[name].text(3),
                f"{costs[name].median / costs['limit'].median:.1f}" if "limit" in costs else "",
                of("per_second", 0),
                of("p50_ms", 1),
                of("p99_ms", 1),
                str(sum(sum(run.errors.values()) + len(run.lost) for run in mine)),
                "" if name != "ohmstead" else "not within 120" if is_left else of("quiet_after_s", 1),
                ", ".join(parts),
            ]
        )
    show(title, HEAD, rows, markdown=args.markdown)
    for run in runs:
        for error, count in run.errors.items():
            console.print(f"  {run.subject}: {count} × {error}", highlight=False, markup=False)
        for text in run.lost:
            console.print(f"  {run.subject} LOST {text}", highlight=False, markup=False)


async def main(args: argparse.Namespace) -> None:
    runs: list[Run] = []
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        for version in args.versions:
            for n_stations in args.stations:
                found = await compare(on, args, version, n_stations)
                tell(found, args)
                runs += found
                save(args.json, about, runs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default="1.6,2.0.1", help="with commas")
    parser.add_argument("--stations", default="50", help="with commas, such as 50,500,1000")
    parser.add_argument("--subjects", help="with commas; default limit,plain,ohmstead, paced without plain")
    parser.add_argument("--mix", choices=("session", "meters"), default="session")
    parser.add_argument("--pace", type=float, default=0.0, help="messages a second of all stations; 0: closed loop")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duration", type=float, default=10, help="seconds of each run")
    parser.add_argument("--processes", type=int, default=1, help="load processes")
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    args = parser.parse_args()
    args.versions = args.versions.split(",")
    args.stations = [int(n) for n in args.stations.split(",")]
    args.subjects = (args.subjects or ("limit,ohmstead" if args.pace else "limit,plain,ohmstead")).split(",")
    return args


if __name__ == "__main__":
    asyncio.run(main(arguments()))
