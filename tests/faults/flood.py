"""Stations that send without end, in a process of their own: `python -m tests.faults.flood` with arguments as below.

Each sends at its share of a rate whatever comes back, reconnects at once when it is closed, and remembers which of its
messages were accepted. What its line does not take yet waits, and more is due all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.line import Line, Over, Refused

MOST_UNSENT_BYTES = 1 << 20


class Flooder:
    """One of them."""

    def __init__(self, port: int, station_id: str, rate: float) -> None:
        self._port = port
        self._station_id = station_id
        self._rate = rate
        self.wanted = 0
        self.sent = 0
        self.lines = 0
        self.refused = 0
        self.acknowledged: list[str] = []
        self.took_s: list[float] = []

    async def run(self, ends_at: float) -> None:
        began = time.monotonic()
        while time.monotonic() < ends_at:
            try:
                line = await Line.open(self._port, self._station_id, within_s=max(1, ends_at - time.monotonic()))
            except (Refused, Over, OSError, TimeoutError):
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            self.lines += 1
            heard = line.watch(self._answered)
            while time.monotonic() < ends_at and not line.over.is_set():
                self.wanted = round((time.monotonic() - began) * self._rate)
                self._pump(line, heard)
                await asyncio.sleep(0.02)
            line.abort()
        self.wanted = round((ends_at - began) * self._rate)

    def _pump(self, line: Line, sent_at: dict[str, float]) -> None:
        while self.sent < self.wanted and line.unsent_bytes < MOST_UNSENT_BYTES:
            message_id = f"{self._station_id}-{self.sent}"
            sent_at[message_id] = time.perf_counter()
            line.send(msgspec.json.encode([2, message_id, "DataTransfer", {"vendorId": "flood", "data": "x" * 100}]))
            self.sent += 1

    def _answered(self, frame: list[Any], took_s: float) -> None:
        if frame[0] == 3:
            self.acknowledged.append(frame[1])
            self.took_s.append(took_s)


async def _main(args: argparse.Namespace) -> dict[str, Any]:
    rate = args.rate / args.count
    flooders = [Flooder(args.port, f"{args.prefix}{n}", rate) for n in range(args.count)]
    ends_at = time.monotonic() + args.seconds
    await asyncio.gather(*(flooder.run(ends_at) for flooder in flooders))
    took_s = sorted(t for flooder in flooders for t in flooder.took_s)
    return {
        "offered": sum(flooder.wanted for flooder in flooders),
        "lines": sum(flooder.lines for flooder in flooders),
        "refused": sum(flooder.refused for flooder in flooders),
        "acknowledged": [m for flooder in flooders for m in flooder.acknowledged],
        "median_s": took_s[len(took_s) // 2] if took_s else None,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--prefix")
    parser.add_argument("--count", type=int)
    parser.add_argument("--rate", type=float, help="messages a second, of all together")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--result", type=Path)
    given = parser.parse_args()
    given.result.write_text(json.dumps(asyncio.run(_main(given))))
    sys.exit(0)
