"""One long session: what a meter value costs at its beginning and after 10,000 of them. It should cost the same."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec

from bench._figures import console, machine, save, show, told
from bench._system import Servers, loads, lost, quiet_after_s, servers, subject

OPENING = 3  # status, authorize, start


class Window(msgspec.Struct):
    """Some meter values of a session, one after the other."""

    version: str
    up_to: int
    cpu_s_per_1000: float
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]


async def measure(version: str, on: Servers, args: argparse.Namespace) -> tuple[list[Window], list[str]]:
    """Sessions of `args.samples` meter values, in windows; and what was lost, in words."""
    windows = []
    async with subject("ohmstead", on, args.stations) as server:
        with loads(server, args.stations, version, "--mix", "meters") as load:
            await load.tell("connect 50")
            await load.tell(f"send {OPENING + args.window}")  # the first window warms up, and is not told
            for up_to in range(2 * args.window, args.samples + 1, args.window):
                await quiet_after_s(server)
                before = sum(server.cpu().values())
                result = await load.tell(f"send {args.window}")
                await quiet_after_s(server)
                cost = (sum(server.cpu().values()) - before) * 1000 / max(result.n_answered, 1)
                windows.append(Window(version, up_to, cost, result.at_ms(0.5), result.at_ms(0.99), result.errors))
            wrong = await lost(server, load.total)
    return windows, wrong


def tell(windows: list[Window], wrong: list[str], args: argparse.Namespace) -> None:
    rows = [
        [f"{w.up_to}", f"{w.cpu_s_per_1000:.3f}", f"{w.p50_ms:.1f}", f"{w.p99_ms:.1f}", str(sum(w.errors.values()))]
        for w in windows
    ]
    title = f"OCPP {windows[0].version}, {args.stations} sessions of {args.samples} meter values"
    show(title, ("samples so far", "CPU s / 1,000", "p50 ms", "p99 ms", "errors"), rows, markdown=args.markdown)
    # Three windows on each side: one alone is mostly noise.
    first = sum(w.cpu_s_per_1000 for w in windows[:3]) / len(windows[:3])
    last = sum(w.cpu_s_per_1000 for w in windows[-3:]) / len(windows[-3:])
    print(f"last three windows / first three: {last / first:.2f}")
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
    parser.add_argument("--stations", type=int, default=4, help="sessions side by side")
    parser.add_argument("--samples", type=int, default=10_000, help="meter values of each session")
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
