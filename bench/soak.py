"""Half an hour and more at a steady rate: memory, open files, tables and latency, and whether they stay as they are."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path

import asyncpg
import msgspec

from bench._figures import Result, console, machine, save, show, told
from bench._system import Held, Subject, held, loads, lost, quiet_after_s, servers, subject

MB = 1024  # kilobytes
LEAST_S = 600  # a slope per hour that was seen for less is told, not judged


class Table(msgspec.Struct):
    """A table with all its partitions. Sizes in bytes; row counts as PostgreSQL's statistics have them."""

    table_bytes: int
    index_bytes: int
    n_rows: int
    n_dead: int

    @property
    def bytes_per_row(self) -> float:
        return (self.table_bytes + self.index_bytes) / max(self.n_rows, 1)


class Sample(msgspec.Struct):
    """One look at everything."""

    at_s: float
    answered: int
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]
    processes: dict[str, Held]
    tables: dict[str, Table]
    cpu: dict[str, float]


class Verdict(msgspec.Struct):
    """What became of one resource: its level after the warm-up, its slope, and whether that is flat."""

    resource: str
    level: str
    per_hour: str
    verdict: str
    is_good: bool


async def look(server: Subject, result: Result, began: float) -> Sample:
    """Memory, files and tables now, with what the load said of the time since the last look."""
    conn = await asyncpg.connect(server.database_url)
    try:
        rows = await conn.fetch(_TABLES)
    finally:
        await conn.close()
    return Sample(
        at_s=time.monotonic() - began,
        answered=result.n_answered,
        p50_ms=result.at_ms(0.5),
        p99_ms=result.at_ms(0.99),
        errors=result.errors,
        processes={name: held(pids) for name, pids in server.watched.items()},
        tables={
            row["name"]: Table(row["table_bytes"], row["index_bytes"], row["n_rows"], row["n_dead"]) for row in rows
        },
        cpu=server.cpu(),
    )


_TABLES = (
    "select coalesce(p.relname, c.relname)::text as name, sum(pg_table_size(c.oid))::bigint as table_bytes,"
    " sum(pg_indexes_size(c.oid))::bigint as index_bytes,"
    " sum(s.n_live_tup)::bigint as n_rows, sum(s.n_dead_tup)::bigint as n_dead"
    " from pg_stat_user_tables s join pg_class c on c.oid = s.relid left join pg_inherits i on i.inhrelid = c.oid"
    " left join pg_class p on p.oid = i.inhparent group by 1 having sum(s.n_tup_ins + s.n_tup_upd) > 0 order by 1"
)


def slope_per_hour(samples: list[Sample], values: list[float]) -> float:
    """By least squares, in the values' unit per hour."""
    if len(values) < 3:
        return 0.0
    return statistics.linear_regression([s.at_s / 3600 for s in samples], values).slope


def judge(samples: list[Sample], warm_up_s: float) -> list[Verdict]:
    """Of every resource: is it flat? What grows because rows are added is told apart from what swells."""
    steady = [s for s in samples if s.at_s >= warm_up_s] or samples
    verdicts = []
    for name in steady[0].processes:
        kb = [float(s.processes[name].private_kb) for s in steady]
        slope, level = slope_per_hour(steady, kb), statistics.median(kb)
        is_flat = slope < max(0.05 * level, 4 * MB)
        verdicts.append(_verdict(f"{name} memory", f"{level / MB:.0f} MB", f"{slope / MB:+.1f} MB", is_flat))
        files = [float(s.processes[name].n_files) for s in steady]
        slope = slope_per_hour(steady, files)
        is_flat = slope < 5 or max(files) - min(files) <= 8
        verdicts.append(_verdict(f"{name} files", f"{statistics.median(files):.0f}", f"{slope:+.1f}", is_flat))
    verdicts += [_of_table(name, steady) for name in steady[-1].tables]
    third = max(1, len(steady) // 3)
    for field in ("p50_ms", "p99_ms"):
        first = statistics.median(getattr(s, field) for s in steady[:third])
        last = statistics.median(getattr(s, field) for s in steady[-third:])
        verdicts.append(
            _verdict(f"latency {field[:3]}", f"{last:.1f} ms", f"{last - first:+.1f} ms", last <= 1.5 * first + 5)
        )
    if steady[-1].at_s - steady[0].at_s < LEAST_S:
        for one in verdicts:
            one.verdict = "too short to tell" if not one.is_good else one.verdict
    return verdicts


def _verdict(resource: str, level: str, per_hour: str, is_good: bool) -> Verdict:
    return Verdict(resource, level, per_hour, "flat" if is_good else "GROWS", is_good)


def _of_table(name: str, steady: list[Sample]) -> Verdict:
    tables = [s.tables[name] for s in steady if name in s.tables]
    with_it = [s for s in steady if name in s.tables]
    first, last = tables[0], tables[-1]
    size = (last.table_bytes + last.index_bytes) / 2**20
    slope = slope_per_hour(with_it, [(t.table_bytes + t.index_bytes) / 2**20 for t in tables])
    grew = last.n_rows - first.n_rows
    added = (last.table_bytes + last.index_bytes) - (first.table_bytes + first.index_bytes)
    most_dead = max(t.n_dead for t in tables)
    level = f"{size:.1f} MB, {last.n_rows} rows, at most {most_dead} dead"
    if grew > 0.02 * max(first.n_rows, 1):
        # Rows were added: good when each of them took what the ones before take.
        each, before = added / grew, first.bytes_per_row
        is_good = each <= 1.25 * before + 64 and last.n_dead <= 0.25 * last.n_rows + 5000
        words = f"data: {each:.0f} bytes a new row, {before:.0f} a row before"
        return Verdict(f"table {name}", level, f"{slope:+.1f} MB", words if is_good else f"SWELLS, {words}", is_good)
    is_good = slope <= max(0.1 * size, 2.0)
    return Verdict(f"table {name}", level, f"{slope:+.1f} MB", "flat" if is_good else "SWELLS", is_good)


async def main(args: argparse.Namespace) -> None:
    samples: list[Sample] = []
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        async with subject("ohmstead", on, args.stations) as server:
            with loads(server, args.stations, args.version, pace=args.rate, processes=args.processes) as load:
                await load.tell("connect 200")
                began = time.monotonic()
                async for result in load.tell_and_hear(f"run {args.minutes * 60} {args.every}"):
                    samples.append(await look(server, result, began))
                    _say(samples[-1])
                    save(args.json, about, samples)
                quiet_s = await quiet_after_s(server)
                wrong = await lost(server, load.total)
                answered, errors = load.total.n_answered, load.total.errors
    tell(samples, args)
    used = {name: samples[-1].cpu[name] - samples[0].cpu[name] for name in samples[-1].cpu}
    since = max(sum(s.answered for s in samples[1:]), 1)
    parts = ", ".join(f"{name} {seconds * 1000 / since:.3f}" for name, seconds in used.items())
    print(f"{answered} messages answered, {sum(errors.values())} errors, quiet after {quiet_s} s")
    print(f"CPU s / 1,000: {sum(used.values()) * 1000 / since:.3f} ({parts})")
    for error, count in errors.items():
        console.print(f"  {count} × {error}", highlight=False, markup=False)
    for text in wrong:
        console.print(f"  LOST {text}", highlight=False, markup=False)


def _say(s: Sample) -> None:
    memory = ", ".join(f"{name} {found.private_kb / MB:.0f} MB" for name, found in s.processes.items())
    console.print(
        f"[dim]{s.at_s / 60:6.1f} min  p50 {s.p50_ms:.1f} ms  p99 {s.p99_ms:.1f} ms  {memory}[/dim]",
        highlight=False,
        soft_wrap=True,
    )


def tell(samples: list[Sample], args: argparse.Namespace) -> None:
    warm_up_s = args.minutes * 60 * 0.2
    rows = [[v.resource, v.level, v.per_hour, v.verdict] for v in judge(samples, warm_up_s)]
    title = (
        f"{args.minutes:g} minutes at {args.rate:g} messages/s, {args.stations} stations, OCPP {args.version}; "
        f"after {warm_up_s / 60:.1f} minutes of warm-up"
    )
    show(title, ("", "level", "per hour", "verdict"), rows, markdown=args.markdown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=500, help="messages a second of all stations")
    parser.add_argument("--stations", type=int, default=250)
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--every", type=float, default=15, help="seconds between two looks")
    parser.add_argument("--processes", type=int, default=1, help="load processes")
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
