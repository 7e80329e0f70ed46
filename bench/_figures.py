"""Figures and how they are told: latencies, results of the load, medians with their spread, tables."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

console = Console(width=140)

_WIDTH = math.log(1.01)


class Latencies:
    """A histogram whose buckets are 1 % wide, so that millions cost nothing and two processes' can be added."""

    def __init__(self, buckets: dict[int, int] | None = None) -> None:
        self.buckets = dict(buckets or {})

    def add(self, seconds: float) -> None:
        bucket = int(math.log(max(seconds, 1e-6) * 1e6) / _WIDTH)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def merge(self, buckets: dict[int, int]) -> None:
        for bucket, count in buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def at_ms(self, share: float) -> float:
        """The latency that `share` of all stay below, in milliseconds; 0 when there are none."""
        wanted = sum(self.buckets.values()) * share
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return math.exp((bucket + 1) * _WIDTH) / 1000
        return 0.0


class Result(msgspec.Struct):
    """What the load says of one stretch. `answered` and `in_doubt` count messages by step of a session."""

    took_s: float
    answered: dict[str, int]
    in_doubt: dict[str, int]
    errors: dict[str, int]
    energy_wh: int
    latencies: dict[int, int]
    is_last: bool = False

    @property
    def n_answered(self) -> int:
        return sum(self.answered.values())

    @property
    def n_errors(self) -> int:
        return sum(self.errors.values())

    def at_ms(self, share: float) -> float:
        return Latencies(self.latencies).at_ms(share)


def added(results: Iterable[Result]) -> Result:
    """Results of several processes, or of several stretches, as one; the time is the longest one's."""
    total = Result(took_s=0.0, answered={}, in_doubt={}, errors={}, energy_wh=0, latencies={}, is_last=True)
    latencies = Latencies()
    for result in results:
        total.took_s = max(total.took_s, result.took_s)
        total.energy_wh += result.energy_wh
        for mine, other in (
            (total.answered, result.answered),
            (total.in_doubt, result.in_doubt),
            (total.errors, result.errors),
        ):
            for name, count in other.items():
                mine[name] = mine.get(name, 0) + count
        latencies.merge(result.latencies)
    total.latencies = latencies.buckets
    return total


class Measured(msgspec.Struct):
    """Median, least and most of several runs."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Measured:
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 1) -> str:
        if f"{self.least:.{digits}f}" == f"{self.most:.{digits}f}":
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}–{self.most:.{digits}f})"


def machine(postgres: str = "") -> dict[str, str]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model,
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": postgres.removeprefix("PostgreSQL ").partition(" ")[0],
        "busy": f"{os.getloadavg()[0]:.1f}",
        "command": command(),
    }


def command() -> str:
    """The command line, as a person types it."""
    return " ".join(["./ohmstead bench", Path(sys.argv[0]).stem, *sys.argv[1:]])


def told(about: dict[str, str]) -> str:
    """The machine as one paragraph of Markdown."""
    return (
        f"`{about['command']}`, {about['at']}: {about['cpu']}, {about['cores']} cores, {about['memory']}, "
        f"{about['system']}, Python {about['python']}, PostgreSQL {about['postgresql']}; "
        f"load average before the start {about['busy']}."
    )


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    """A table for the terminal, or in Markdown for the documentation. The first column stands left, others right."""
    if markdown:
        print(f"\n**{title}**\n")
        print("| " + " | ".join(head) + " |")
        print("|---|" + "---:|" * (len(head) - 1))
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print(flush=True)
        return
    table = Table(title=title)
    for n, name in enumerate(head):
        table.add_column(name, justify="right" if n else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def save(path: Path | None, about: dict[str, str], rows: Any) -> None:
    """Everything measured, as JSON."""
    if path is not None:
        text = msgspec.json.format(msgspec.json.encode({"machine": about, "rows": rows}), indent=1)
        path.write_bytes(text)
