"""Stations that go on with their work, in a process of their own so that nobody else's work is measured with theirs.

`python -m tests.faults.live PORT PREFIX COUNT EVERY_S` beats until its standard input ends, then prints what it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from statistics import median

from tests.faults.line import Line, Over
from tests.faults.own_process import ROOT


@dataclass
class Seen:
    """What the stations saw: how long each heartbeat took, by the second in which it was sent, and lines lost."""

    took_s: list[float] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def slowest_s(self) -> float:
        return max(self.took_s)

    @property
    def median_s(self) -> float:
        return median(self.took_s)

    def within(self, share: float) -> float:
        """What so many of the answers took at most, in seconds."""
        return sorted(self.took_s)[int(len(self.took_s) * share)]

    def since(self, at: float) -> Seen:
        """Only what was sent from then on (time.time)."""
        kept = [(took, sent) for took, sent in zip(self.took_s, self.sent_at, strict=True) if sent >= at]
        return Seen([took for took, _ in kept], [sent for _, sent in kept], self.lost)


@contextlib.asynccontextmanager
async def live_stations(port: int, prefix: str, count: int, every_s: float) -> AsyncIterator[Callable[[], Seen]]:
    """They work until the block ends; then what they saw is there to be called for."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.live", str(port), prefix, str(count), str(every_s)),
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 26,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    seen: list[Seen] = []
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        yield lambda: seen[0]
        process.stdin.close()
        seen.append(Seen(**json.loads(await asyncio.wait_for(process.stdout.readline(), 90))))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _one(line: Line, every_s: float, first_s: float, seen: Seen, is_over: asyncio.Event) -> None:
    await asyncio.sleep(first_s)
    while not is_over.is_set():
        at = time.time()
        try:
            took_s = await line.beat_s(within_s=60)
        except (Over, TimeoutError, AssertionError):
            seen.lost += 1
            return
        seen.took_s.append(took_s)
        seen.sent_at.append(at)
        await asyncio.sleep(every_s)


async def _main(port: int, prefix: str, count: int, every_s: float) -> None:
    lines = [await Line.open(port, f"{prefix}{n}") for n in range(count)]
    print("ready", flush=True)
    seen, is_over = Seen(), asyncio.Event()
    working = [
        asyncio.create_task(_one(line, every_s, every_s * n / count, seen, is_over)) for n, line in enumerate(lines)
    ]
    await asyncio.to_thread(sys.stdin.read)
    is_over.set()
    await asyncio.gather(*working)
    print(json.dumps({"took_s": seen.took_s, "sent_at": seen.sent_at, "lost": seen.lost}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
