"""Orders to stations: how fast one is on the wire while many charge, and how long one order to thousands takes."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench._figures import Latencies, console, machine, save, show, told
from bench._station import Station
from bench._system import (
    Held,
    Servers,
    Subject,
    held,
    loads,
    quiet_after_s,
    raise_file_limit,
    servers,
    subject,
)
from bench._websocket import Socket
from ohmstead.accounts import access, service
from ohmstead.core.db import connect_pool

AIM_WIRE_MS, AIM_BULK_S, AIM_GROUP_S = 50, 20, 5
PROFILE = {
    "kind": "set_profile",
    "evse_number": 0,
    "profile": {
        "profile_id": 1,
        "stack_level": 0,
        "purpose": "session_default",
        "timing": "absolute",
        "schedules": [
            {"rate_unit": "W", "starts_at": "2026-01-01T00:00:00Z", "periods": [{"start_s": 0, "limit": 11000}]}
        ],
    },
}


class Wire(msgspec.Struct):
    """From the API call to the frame at the station, while others report meter values."""

    n_stations: int
    n_commands: int
    n_accepted: int
    load_per_s: float
    wire_p50_ms: float
    wire_p99_ms: float
    wire_max_ms: float
    answer_p50_ms: float
    answer_p99_ms: float
    load_p99_ms: float
    errors: dict[str, int]


class Bulk(msgspec.Struct):
    """One order to all stations, until every answer is recorded."""

    what: str
    n_stations: int
    took_s: float
    progress: dict[str, int]
    cpu: dict[str, float]
    gateway: list[Held]
    worker: list[Held]


class Api:
    """A client with a key that may do everything."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url + "/api/v1"

    async def post(self, path: str, body: Any) -> Any:
        async with self._session.post(self._url + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def get(self, path: str) -> Any:
        async with self._session.get(self._url + path) as answer:
            answer.raise_for_status()
            return await answer.json()


async def new_key(on: Subject) -> str:
    pool = await connect_pool(on.database_url, size=1, name="bench")
    try:
        party_id = await pool.fetchval("select party_id from party order by created_at limit 1")
        async with pool.acquire() as conn, conn.transaction():
            _, secret = await service.create_api_key(conn, access.system(party_id), name="bench", scopes=["admin"])
        return secret
    finally:
        await pool.close()


class Listener:
    """A station of this process: it knows when a frame came, by the clock that the API call was begun by."""

    def __init__(self, number: int, version: str) -> None:
        self.station = Station(f"B{number:05d}", f"T{number:05d}", version)
        self.version = version
        self.heard_at = 0.0
        self._socket: Socket | None = None
        self._answered: asyncio.Future[None] | None = None

    async def connect(self, url: str) -> None:
        station_url = url.format(id=self.station.station_id)
        self._socket = await Socket.connect(station_url, f"ocpp{self.version}", self._heard, lambda: None)
        for n, (_, action, payload) in enumerate(self.station.boot()):
            self._answered = asyncio.get_running_loop().create_future()
            self._socket.send(f'[2,"boot-{n}","{action}",{payload}]'.encode())
            await asyncio.wait_for(self._answered, 30)

    def _heard(self, frame: bytes) -> None:
        assert self._socket is not None
        if frame.startswith(b"[2,"):
            self.heard_at = time.perf_counter()
            message_id = msgspec.json.decode(frame)[1]
            self._socket.send(msgspec.json.encode([3, message_id, {"status": "Accepted"}]))
        elif self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


async def measure_wire(on: Servers, args: argparse.Namespace) -> Wire:
    """Orders through the API at `--rate` a second to stations of this process, while all others are charging."""
    n_listening = min(args.listening, args.stations)
    async with subject("ohmstead", on, args.stations) as server, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {await new_key(server)}"
        api = Api(session, server.web_url)
        listeners = [Listener(n, args.version) for n in range(n_listening)]
        rest = args.stations - n_listening
        with loads(server, rest, args.version, "--mix", "meters", "--obeys", pace=args.pace, first=n_listening) as load:
            await load.tell("connect 200")
            for listener in listeners:
                await listener.connect(server.urls[0])
            await quiet_after_s(server)
            loading = asyncio.create_task(load.tell(f"run {args.seconds + 2:g} 60"))
            await asyncio.sleep(1)
            wire, answers = Latencies(), Latencies()
            accepted = await _orders(api, listeners, args, wire, answers)
            result = await loading
        for listener in listeners:
            listener.close()
    return Wire(
        n_stations=args.stations,
        n_commands=sum(wire.buckets.values()),
        n_accepted=accepted,
        load_per_s=result.n_answered / result.took_s,
        wire_p50_ms=wire.at_ms(0.5),
        wire_p99_ms=wire.at_ms(0.99),
        wire_max_ms=wire.at_ms(1.0),
        answer_p50_ms=answers.at_ms(0.5),
        answer_p99_ms=answers.at_ms(0.99),
        load_p99_ms=result.at_ms(0.99),
        errors=result.errors,
    )


async def _orders(
    api: Api, listeners: list[Listener], args: argparse.Namespace, wire: Latencies, answers: Latencies
) -> int:
    """One after the other is due; late ones do not wait for those before. How many were accepted."""
    accepted = 0
    free = asyncio.Queue[Listener]()
    for listener in listeners:
        free.put_nowait(listener)

    async def one() -> None:
        nonlocal accepted
        listener = await free.get()
        began = time.perf_counter()
        command = await api.post(f"/stations/{listener.station.station_id}/commands", {"kind": "clear_cache"})
        answers.add(time.perf_counter() - began)
        if command["status"] == "accepted" and listener.heard_at > began:
            wire.add(listener.heard_at - began)
            accepted += 1
        free.put_nowait(listener)

    await one()  # the first one opens connections
    wire.buckets.clear()
    answers.buckets.clear()
    accepted = 0
    tasks = []
    begin = time.perf_counter()
    for n in range(int(args.seconds * args.rate)):
        await asyncio.sleep(max(0.0, begin + n / args.rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    return accepted


async def measure_bulk(on: Servers, args: argparse.Namespace) -> list[Bulk]:
    """The same stations all connected: one order to all of them, then a charging profile to some."""
    async with subject("ohmstead", on, args.bulk) as server, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {await new_key(server)}"
        api = Api(session, server.web_url)
        with loads(server, args.bulk, args.version, "--obeys") as load:
            await load.tell(f"connect {args.at_once}")
            await quiet_after_s(server)
            everybody = {"q": "B"}
            group = {"stations": [f"B{n:05d}" for n in range(min(args.group, args.bulk))]}
            found = [
                await _bulk(api, server, "order to all", {"kind": "clear_cache"}, everybody),
                await _bulk(api, server, "charging profile to a group", PROFILE, group),
            ]
    return found


async def _bulk(api: Api, server: Subject, what: str, order: Any, selection: Any) -> Bulk:
    before, began = server.cpu(), time.perf_counter()
    made = await api.post("/bulk-commands", {"order": order, "selection": selection, "timeout": 30})
    most: dict[str, list[Held]] = {}
    while True:
        now = await api.get(f"/bulk-commands/{made['bulk_id']}")
        if now["finished_at"]:
            break
        for role in ("gateway", "worker"):
            most[role] = _more(most.get(role), [held([pid]) for pid in server.watched[role]])
        await asyncio.sleep(0.2)
    took_s = time.perf_counter() - began
    after = server.cpu()
    return Bulk(
        what=what,
        n_stations=now["n_stations"],
        took_s=took_s,
        progress={name: n for name, n in now["progress"].items() if n},
        cpu={part: after[part] - before[part] for part in after},
        gateway=most.get("gateway", []),
        worker=most.get("worker", []),
    )


def _more(one: list[Held] | None, other: list[Held]) -> list[Held]:
    if one is None:
        return other
    return [max(pair, key=lambda item: item.pss_kb) for pair in zip(one, other, strict=True)]


def tell(wire: Wire | None, bulks: list[Bulk], args: argparse.Namespace) -> None:
    if wire is not None:
        rows = [
            ["frame at the station"]
            + [f"{ms:.1f}" for ms in (wire.wire_p50_ms, wire.wire_p99_ms, wire.wire_max_ms)]
            + [str(AIM_WIRE_MS)],
            ["answer of the API", f"{wire.answer_p50_ms:.1f}", f"{wire.answer_p99_ms:.1f}", "", ""],
        ]
        title = (
            f"{wire.n_commands} orders, {args.rate:g} a second, OCPP {args.version}: {wire.n_stations} stations,"
            f" {wire.load_per_s:.0f} messages a second beside"
        )
        show(title, ("ms after the call", "p50", "p99", "max", "aim p99"), rows, markdown=args.markdown)
        print(f"accepted {wire.n_accepted} of {wire.n_commands}; the others' p99 {wire.load_p99_ms:.1f} ms")
        for error, count in wire.errors.items():
            console.print(f"  {count} × {error}", highlight=False, markup=False)
    rows = [
        [
            bulk.what,
            str(bulk.n_stations),
            f"{bulk.took_s:.1f}",
            str(AIM_GROUP_S if "group" in bulk.what else AIM_BULK_S),
            f"{max((one.pss_kb for one in bulk.gateway), default=0) / 1024:.0f}",
            f"{max((one.pss_kb for one in bulk.worker), default=0) / 1024:.0f}",
            ", ".join(f"{name} {s:.1f}" for name, s in bulk.cpu.items() if s >= 0.05),
            ", ".join(f"{n} {name}" for name, n in bulk.progress.items()),
        ]
        for bulk in bulks
    ]
    if rows:
        head = ("", "stations", "took s", "aim s", "MB gateway", "MB worker", "CPU s", "what became of them")
        show(f"One order to many, OCPP {args.version}", head, rows, markdown=args.markdown)


async def main(args: argparse.Namespace) -> None:
    raise_file_limit()
    async with servers() as on:
        about = machine(on.version)
        print(told(about))
        wire = await measure_wire(on, args) if args.stations else None
        bulks = await measure_bulk(on, args) if args.bulk else []
    tell(wire, bulks, args)
    save(args.json, about, [*([wire] if wire is not None else []), *bulks])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=1000, help="connected while single orders are sent; 0: skip")
    parser.add_argument("--listening", type=int, default=40, help="of those, the ones that get the orders")
    parser.add_argument("--pace", type=float, default=200, help="messages a second of the others")
    parser.add_argument("--rate", type=float, default=20, help="orders a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--bulk", type=int, default=5000, help="stations that one order goes to; 0: skip")
    parser.add_argument("--group", type=int, default=1000, help="of those, the ones that get a charging profile")
    parser.add_argument("--at-once", type=int, default=1000, help="stations that connect at once")
    parser.add_argument("--version", default="2.0.1")
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
