"""One long session: what a meter value costs at its beginning and after 10,000 of them. It should cost the same."""

from __future__ import annotations

import argparse
import asyncio
import statistics
from pathlib import Path

import msgspec

from bench._figures import Result, added, console, machine, save, show, told
from bench._system import Loads, Servers, Subject, loads, lost, quiet_after_s, servers, subject

OPENING = 3  # status, authorize, start


class Window(msgspec.Struct):
    """Some meter values of long sessions, and as many of sessions that had just begun, one after the other."""

    version: str
    up_to: int
    long_cpu_s_per_1000: float
    fresh_cpu_s_per_1000: float
    long_p99_ms: float
    fresh_p99_ms: float
    errors: dict[str, int]

    @property
    def ratio(self) -> float:
        return self.long_cpu_s_per_1000 / self.fresh_cpu_s_per_1000


async def measure(version: str, on: Servers, args: argparse.Namespace) -> tuple[list[Window], list[str]]:
    """Sessions of `args.samples` meter values, in windows; and what was lost, in words."""
    windows: list[Window] = []
    n_windows = args.samples // args.window
    total = added([])
    async with subject("ohmstead", on, args.stations * (n_windows + 1)) as server:
        with loads(server, args.stations, version, "--mix", "meters") as long:
            await long.tell("connect 50")
            await long.tell(f"send {OPENING}")
            for n in range(1, n_windows + 1):
                first = args.stations * n
                with loads(server, args.stations, version, "--mix", "meters", first=first) as fresh:
                    await fresh.tell("connect 50")
                    await fresh.tell(f"send {OPENING}")
                    fresh_cost, fresh_result = await _cost(server, fresh, args.window)
                    long_cost, long_result = await _cost(server, long, args.window)
                    total = added([total, fresh.total])
                errors = added([fresh_result, long_result]).errors
                both_ms = long_result.at_ms(0.99), fresh_result.at_ms(0.99)
                windows.append(Window(version, n * args.window, long_cost, fresh_cost, *both_ms, errors))
            wrong = await lost(server, added([total, long.total]))
    return windows, wrong


async def _cost(server: Subject, load: Loads, count: int) -> tuple[float, Result]:
    """CPU seconds per 1,000 messages while every station of a load sends `count`."""
    await quiet_after_s(server)
    before = sum(server.cpu().values())
    result = await load.tell(f"send {count}")
    await quiet_after_s(server)
    return (sum(server.cpu().values()) - before) * 1000 / max(result.n_answered, 1), result


def tell(windows: list[Window], wrong: list[str], args: argparse.Namespace) -> None:
    rows = [
        [
            f"{w.up_to}",
            f"{w.long_cpu_s_per_1000:.3f}",
            f"{w.fresh_cpu_s_per_1000:.3f}",
            f"{w.ratio:.2f}",
            f"{w.long_p99_ms:.1f}",
            f"{w.fresh_p99_ms:.1f}",
            str(sum(w.errors.values())),
        ]
        for w in windows
    ]
    head = ("up to sample", "CPU s / 1,000", "fresh sessions'", "ratio", "p99 ms", "fresh ones' p99 ms", "errors")
    title = f"OCPP {windows[0].version}, {args.stations} sessions of {args.samples} meter values"
    show(title, head, rows, markdown=args.markdown)
    # Three windows on each side: one alone is mostly noise.
    first, last = (statistics.median(w.ratio for w in part) for part in (windows[:3], windows[-3:]))
    print(f"cost beside fresh sessions: first three windows {first:.2f}, last three {last:.2f}")
    for text in wrong:
        console.print(f"  LOST {text}", highlight=False, markup=False)


async def main(args: argparse.Namespace) -> None:
    every: list[Window] = []
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        for version in args.versions.split(","):
            windows, wrong = await measure(version, on, args)
            tell(windows, wrong, args)
            every += windows
            save(args.json, about, every)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default="1.6,2.0.1,2.1", help="with commas")
    parser.add_argument("--stations", type=int, default=10, help="sessions side by side")
    parser.add_argument("--samples", type=int, default=10_000, help="meter values of each session")
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
