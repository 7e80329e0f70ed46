"""The load: stations in a closed loop or paced, whole sessions. Run as a process of its own; prints one JSON line.

A session: status, authorize, start, status (1.6), `meters` meter values, heartbeat, stop, status. A station has one
call outstanding. Paced, latency counts from the moment a message was due: a server that stalls is not flattered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import uvloop

from bench._websocket import Refused, Socket

Message = tuple[str, str]  # action, payload


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Station:
    """One simulated station: makes its messages, keeps its meter."""

    def __init__(self, station_id: str, version: str, meters: int) -> None:
        self.station_id = station_id
        self.version = version
        self.meters = meters
        self.register_wh = random.randrange(1_000_000)
        self.transaction = 0
        self.number = 0

    def boot(self) -> list[Message]:
        if self.version == "1.6":
            return [
                ("BootNotification", '{"chargePointVendor":"Bench","chargePointModel":"B1"}'),
                self.status("Available"),
            ]
        return [
            ("BootNotification", '{"reason":"PowerUp","chargingStation":{"vendorName":"Bench","model":"B1"}}'),
            self.status("Available"),
        ]

    def status(self, state: str) -> Message:
        if self.version == "1.6":
            return (
                "StatusNotification",
                f'{{"connectorId":1,"errorCode":"NoError","status":"{state}","timestamp":"{now()}"}}',
            )
        state = state if state == "Available" else "Occupied"
        outlet = '"evseId":1,"connectorId":1'
        return "StatusNotification", f'{{{outlet},"connectorStatus":"{state}","timestamp":"{now()}"}}'

    def session(self) -> list[str]:
        """The steps of one session, by name; `make` turns each into a message when its turn comes."""
        middle = ["meter"] * self.meters
        if self.version == "1.6":
            return ["preparing", "authorize", "start", "charging", *middle, "heartbeat", "stop", "available"]
        return ["preparing", "authorize", "start", *middle, "heartbeat", "stop", "available"]

    def make(self, step: str) -> Message:
        if step in ("preparing", "charging", "available"):
            return self.status(step.capitalize())
        if step == "heartbeat":
            return "Heartbeat", "{}"
        return self._make_16(step) if self.version == "1.6" else self._make_2(step)

    def _make_16(self, step: str) -> Message:
        if step == "authorize":
            return "Authorize", '{"idTag":"BENCH"}'
        if step == "start":
            return "StartTransaction", (
                f'{{"connectorId":1,"idTag":"BENCH","meterStart":{self.register_wh},"timestamp":"{now()}"}}'
            )
        self.register_wh += 100
        if step == "meter":
            return "MeterValues", (
                f'{{"connectorId":1,"transactionId":{self.transaction},"meterValue":[{{"timestamp":"{now()}","sampledValue":'
                f'[{{"value":"{self.register_wh}"}},{{"value":"11000","measurand":"Power.Active.Import","unit":"W"}},'
                f'{{"value":"16.1","measurand":"Current.Import","phase":"L1","unit":"A"}}]}}]}}'
            )
        return "StopTransaction", (
            f'{{"transactionId":{self.transaction},"meterStop":{self.register_wh},"timestamp":"{now()}","reason":"Local"}}'
        )

    def _make_2(self, step: str) -> Message:
        if step == "authorize":
            return "Authorize", '{"idToken":{"idToken":"BENCH","type":"ISO14443"}}'
        if step == "start":
            self.transaction += 1
            self.number = 0
            kind, trigger, extra = "Started", "Authorized", ',"idToken":{"idToken":"BENCH","type":"ISO14443"}'
        else:
            self.register_wh += 100
            self.number += 1
            kind, trigger = ("Updated", "MeterValuePeriodic") if step == "meter" else ("Ended", "StopAuthorized")
            extra = ""
        state = "" if step == "stop" else ',"chargingState":"Charging"'
        return "TransactionEvent", (
            f'{{"eventType":"{kind}","triggerReason":"{trigger}","timestamp":"{now()}","seqNo":{self.number},'
            f'"transactionInfo":{{"transactionId":"{self.station_id}-{START}-{self.transaction}"'
            f"{state}}},"
            f'"evse":{{"id":1,"connectorId":1}}{extra},"meterValue":[{{"timestamp":"{now()}","sampledValue":'
            f'[{{"value":{self.register_wh}}},{{"value":11000,"measurand":"Power.Active.Import"}},'
            f'{{"value":16.1,"measurand":"Current.Import","phase":"L1"}}]}}]}}'
        )

    def heard(self, answer: bytes) -> None:
        """1.6 gets its transaction id from the answer to its start."""
        if self.version == "1.6" and b'"transactionId"' in answer:
            self.transaction = int(json.loads(answer)[2]["transactionId"])


START = f"{time.time_ns() // 1000 % 10**12:x}"


class Tally:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()
        self.answered = 0


class Stop(Exception):
    pass


async def exchange(socket: Socket, number: int, message: Message, timeout_s: float) -> bytes:
    action, payload = message
    message_id = f"{START}-{number}"
    socket.send(f'[2,"{message_id}","{action}",{payload}]'.encode())
    async with asyncio.timeout(timeout_s):
        while True:
            answer = await socket.receive()
            if answer is None:
                raise Refused("connection lost")
            if answer.startswith(b'[3,"' + message_id.encode()):
                return answer
            if answer.startswith(b"[4,"):
                raise Stop(answer.decode()[:200])


async def run_station(station: Station, args: argparse.Namespace, tally: Tally, begin: asyncio.Event) -> None:
    socket = await Socket.connect(args.url.format(id=station.station_id), f"ocpp{station.version}")
    numbers = iter(range(1, 10**9))
    for message in station.boot():
        await exchange(socket, next(numbers), message, args.timeout)
    args.ready += 1
    await begin.wait()
    try:
        async for step, due in steps(station, args):
            started = due or time.perf_counter()
            try:
                answer = await exchange(socket, next(numbers), station.make(step), args.timeout)
            except Stop as error:
                tally.errors[str(error)] += 1
                continue
            if step == "start":
                station.heard(answer)
            tally.answered += 1
            if started >= args.measure_from:
                tally.latencies.append(time.perf_counter() - started)
    except (Refused, TimeoutError) as error:
        tally.errors[repr(error)] += 1
    socket.close()


async def steps(station: Station, args: argparse.Namespace) -> AsyncIterator[tuple[str, float]]:
    due = time.perf_counter() + random.random() * args.interval
    while time.perf_counter() < args.until:
        for step in station.session() if args.mix == "session" else meter_values(station):
            if time.perf_counter() >= args.until:
                return
            if args.interval:
                due += args.interval
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield step, due if args.interval else 0.0


def meter_values(station: Station) -> list[str]:
    """One long session: what a message costs when hardly anything but meter values comes."""
    return ["preparing", "authorize", "start", *["meter"] * 1_000_000] if station.number == 0 else ["meter"] * 1000


async def main(args: argparse.Namespace) -> None:
    tally = Tally()
    begin = asyncio.Event()
    args.ready, args.until, args.measure_from = 0, float("inf"), 0.0
    stations = [Station(f"{args.prefix}{n:05d}", args.version, args.meters) for n in range(args.stations)]
    tasks = []
    for n, station in enumerate(stations):
        tasks.append(asyncio.create_task(run_station(station, args, tally, begin)))
        if n % 50 == 49:
            await asyncio.sleep(0.05)
    while args.ready < len(stations) and not any(t.done() for t in tasks):
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.to_thread(input)
    started = time.perf_counter()
    args.until, args.measure_from = started + args.duration, started
    begin.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    took = time.perf_counter() - started
    for result in results:
        if isinstance(result, BaseException):
            tally.errors[repr(result)[:200]] += 1
    ordered = sorted(tally.latencies)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2) if ordered else 0.0

    print(
        json.dumps(
            {
                "answered": tally.answered,
                "per_second": round(tally.answered / took, 1),
                "p50_ms": at(0.5),
                "p99_ms": at(0.99),
                "max_ms": at(1.0),
                "errors": dict(tally.errors.most_common(5)),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--duration", type=float, default=10)
    parser.add_argument(
        "--interval", type=float, default=0.0, help="seconds between a station's messages; 0: closed loop"
    )
    parser.add_argument("--meters", type=int, default=10)
    parser.add_argument("--mix", choices=("session", "meters"), default="session")
    parser.add_argument("--prefix", default="B")
    parser.add_argument("--timeout", type=float, default=30)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(parser.parse_args()))
