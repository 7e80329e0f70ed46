"""The load: a process of its own with many stations, told line by line what to do, answering each line with JSON.

`connect AT_ONCE`        connect, boot and report status, at most AT_ONCE stations under way
`run SECONDS EVERY_S`    send for so long, whole sessions or meter values; one line of result every EVERY_S seconds
`send COUNT`             send COUNT messages from every station
`quit`

A station has one call outstanding. Paced, latency counts from the moment a message was due: a server that stalls is not
flattered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
import time
from collections import Counter

import msgspec
import uvloop

from bench._figures import Latencies, Result
from bench._station import RUN, Station
from bench._websocket import Refused, Socket


class Tally:
    """What happened since it was made."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.latencies = Latencies()
        self.answered: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.energy_wh = 0

    def result(self, in_doubt: Counter[str]) -> Result:
        return Result(
            took_s=time.perf_counter() - self.began,
            answered=dict(self.answered),
            in_doubt=dict(in_doubt),
            errors=dict(self.errors.most_common(8)),
            energy_wh=self.energy_wh,
            latencies=self.latencies.buckets,
        )


class Driver:
    """Sends a station's messages over its socket, the next one when the last one is answered and due."""

    def __init__(self, load: Load, station: Station) -> None:
        self.load = load
        self.station = station
        self.socket: Socket | None = None
        self.step = ""
        self.sent_at = 0.0  # 0: nothing is waited for
        self.due_at = 0.0
        self.left = 0
        self._number = 0
        self._expected = b""
        self._done: asyncio.Future[None] | None = None
        self._booting: list[tuple[str, str, str]] = []

    async def connect(self) -> None:
        """Connect, boot and report status. What goes wrong is counted."""
        began = time.perf_counter()
        tally = self.load.tally
        args = self.load.args
        url = args.url.format(id=self.station.station_id)
        try:
            self.socket = await Socket.connect(
                url, f"ocpp{args.version}", self._heard, self._lost, timeout_s=args.timeout, source=args.source
            )
        except (Refused, OSError, TimeoutError) as error:
            tally.errors[f"connect: {error!r}"[:200]] += 1
            return
        self._booting = self.station.boot()
        self._done = asyncio.get_running_loop().create_future()
        self._send(*self._booting.pop(0))
        await self._done
        tally.latencies.add(time.perf_counter() - began)

    def begin(self, left: int, due_at: float = 0.0) -> asyncio.Future[None]:
        """Send `left` messages; the future is done when the last one is answered. `due_at`: 0 sends at once."""
        self._done = asyncio.get_running_loop().create_future()
        self.left, self.due_at = left, due_at
        if self.socket is None or not left:
            self._finish()
        elif due_at:
            self._wait_until_due()
        else:
            self._next()
        return self._done

    def give_up(self, reason: str) -> None:
        """The station leaves; what it waited for stays in doubt."""
        self.load.tally.errors[reason] += 1
        if self.sent_at:
            self.load.in_doubt[self.step] += 1
        self.sent_at = 0.0
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.close()
        self._finish()

    def _finish(self) -> None:
        self.left = 0
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _wait_until_due(self) -> None:
        wait_s = self.due_at - time.perf_counter()
        if wait_s > 0.0005:
            asyncio.get_running_loop().call_later(wait_s, self._next)
        else:
            self._next()

    def _next(self) -> None:
        if self.socket is None or time.perf_counter() >= self.load.until:
            self._finish()
            return
        self._send(*self.station.next())

    def _send(self, step: str, action: str, payload: str) -> None:
        assert self.socket is not None
        self._number += 1
        message_id = f"{RUN}-{self._number}"
        self.step = step
        self._expected = f'[3,"{message_id}"'.encode()
        self.sent_at = time.perf_counter()
        self.socket.send(f'[2,"{message_id}","{action}",{payload}]'.encode())

    def _heard(self, frame: bytes) -> None:
        if frame.startswith(self._expected) and self.sent_at:
            self._answered(frame)
        elif frame.startswith(b"[4,"):
            self.load.tally.errors[frame.decode()[:200]] += 1
            self.load.in_doubt[self.step] += 1
            self.sent_at = 0.0
            self._go_on()
        elif frame.startswith(b"[2,") and self.socket is not None:
            message_id = msgspec.json.decode(frame)[1]
            if self.load.args.obeys:
                self.socket.send(msgspec.json.encode([3, message_id, {"status": "Accepted"}]))
            else:
                self.socket.send(msgspec.json.encode([4, message_id, "NotImplemented", "", {}]))
        else:
            self.give_up("unexpected: " + frame.decode()[:200])

    def _answered(self, frame: bytes) -> None:
        tally, station = self.load.tally, self.station
        now = time.perf_counter()
        tally.answered[self.step] += 1
        if not self._booting and self.left:
            # A timer may ring half a millisecond early; nobody is faster than at once.
            tally.latencies.add(now - (min(self.due_at, self.sent_at) if self.due_at else self.sent_at))
        self.sent_at = 0.0
        station.heard(self.step, frame)
        if self.step == "stop":
            tally.energy_wh += station.register_wh - station.session_start_wh
        self._go_on()

    def _go_on(self) -> None:
        if self._booting:
            self._send(*self._booting.pop(0))
            return
        self.left -= 1
        if self.left <= 0:
            self._finish()
        elif self.due_at:
            self.due_at += self.load.interval_s
            self._wait_until_due()
        else:
            self._next()

    def _lost(self) -> None:
        if self.socket is not None:
            self.socket = None
            self.give_up("connection lost")


class Load:
    """All stations of this process."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.tally = Tally()
        self.in_doubt: Counter[str] = Counter()  # sent and never answered well: they may be stored or not
        self.until = float("inf")
        self.interval_s = args.stations / args.pace if args.pace else 0.0
        numbers = range(args.first, args.first + args.stations)
        self.drivers = [
            Driver(self, Station(f"B{n:05d}", f"T{n:05d}", args.version, args.mix, args.meters)) for n in numbers
        ]

    async def watch(self) -> None:
        """A station that waits too long for an answer gives up."""
        while True:
            await asyncio.sleep(1)
            now = time.perf_counter()
            for driver in self.drivers:
                if driver.sent_at and now - driver.sent_at > self.args.timeout:
                    driver.give_up(f"no answer to {driver.step} within {self.args.timeout:g} s")

    def fresh(self) -> Result:
        """What happened since the last call."""
        result = self.tally.result(self.in_doubt)
        self.tally, self.in_doubt = Tally(), Counter()
        return result

    async def connect(self, at_once: int) -> Result:
        gate = asyncio.Semaphore(at_once)

        async def one(driver: Driver) -> None:
            async with gate:
                await driver.connect()

        await asyncio.gather(*[one(driver) for driver in self.drivers])
        return self.fresh()

    async def run(self, seconds: float, every_s: float) -> None:
        began = time.perf_counter()
        self.until = began + seconds
        self.tally.began = began
        share_s = self.interval_s / len(self.drivers)
        pending = [
            driver.begin(sys.maxsize, began + n * share_s if self.interval_s else 0.0)
            for n, driver in enumerate(self.drivers)
        ]
        end = asyncio.gather(*pending)
        # The last report comes with the last answer, not a moment before it.
        while time.perf_counter() + every_s * 1.5 < self.until:
            await asyncio.sleep(every_s)
            say(self.fresh())
        await end
        say(self.fresh(), is_last=True)

    async def send(self, count: int) -> None:
        self.until = float("inf")
        self.tally.began = time.perf_counter()
        await asyncio.gather(*[driver.begin(count) for driver in self.drivers])
        say(self.fresh(), is_last=True)


def say(result: Result, *, is_last: bool = False) -> None:
    result.is_last = is_last
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    sys.stdout.flush()


async def main(args: argparse.Namespace) -> None:
    load = Load(args)
    watching = asyncio.create_task(load.watch())
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *numbers = line.split()
        if word == "connect":
            say(await load.connect(int(numbers[0])), is_last=True)
        elif word == "run":
            await load.run(float(numbers[0]), float(numbers[1]))
        elif word == "send":
            await load.send(int(numbers[0]))
        else:
            break
    watching.cancel()
    for driver in load.drivers:
        socket, driver.socket = driver.socket, None
        if socket is not None:
            socket.close()
    await asyncio.sleep(0.2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="the number of the first station")
    parser.add_argument("--mix", choices=("session", "meters"), default="session")
    parser.add_argument("--meters", type=int, default=10, help="meter values in a session")
    parser.add_argument("--pace", type=float, default=0.0, help="messages a second of all stations; 0: closed loop")
    parser.add_argument("--source", help="the stations' own address")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument(
        "--obeys", action="store_true", help="accept whatever is asked; otherwise nothing is implemented"
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(parser.parse_args()))
