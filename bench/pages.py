"""The console and the API over a large network: how long pages and searches take, and what open pages cost."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import aiohttp
import asyncpg
import msgspec

from bench import _large
from bench._asking import AIM_PAGE_MS, HEAD, Asked, Timed, ask, rows_of, signed_in
from bench._figures import Latencies, console, machine, save, show, told
from bench._large import Size, station_id
from bench._station import Station
from bench._system import (
    TEMPLATE,
    Servers,
    Subject,
    cpu_s,
    execute,
    loads,
    ohmstead,
    on_database,
    raise_file_limit,
    servers,
)
from bench._websocket import Socket
from bench.commands import new_key
from ohmstead.core import events
from ohmstead.core.db import connect_pool
from ohmstead.reports.usage import service as usage

DATABASE = "bench_pages"
AIM_LIVE_MS = 500
AIM_FIRST_KB, AIM_FIRST_REQUESTS, AIM_STREAMS_PERCENT = 150, 10, 25


class FirstPage(msgspec.Struct):
    """What a browser that was never here loads. `usable_ms`: until its own script runs; 0 without a browser."""

    kb: float
    n_requests: int
    usable_ms: float


class Live(msgspec.Struct):
    """From the station hearing that its message is stored to the open page hearing of it."""

    n: int
    p50_ms: float
    p95_ms: float
    most_ms: float


class Streams(msgspec.Struct):
    """Open pages and what they cost the web process, in percent of one core."""

    n_pages: int
    updates_per_s: float
    quiet_percent: float
    busy_percent: float
    kb_per_s_each: float


# ------------------------------------------------------------------------------------------------------- the network


@contextlib.asynccontextmanager
async def network(on: Servers, size: Size, took: dict[str, float]) -> AsyncIterator[Subject]:
    """Ohmstead over a network of that size. `took` is told how long making it took."""
    await execute(on.database_url, f"create database {DATABASE} template {TEMPLATE}")
    url = on_database(on.database_url, DATABASE)
    took |= await _large.fill(url, size, lambda text: console.print(f"  {text}", highlight=False))
    began = time.monotonic()
    pool = await connect_pool(url, size=1, name="bench", command_timeout_s=600)
    try:
        async with pool.acquire() as conn:
            await events.begin(conn, usage.CONSUMER)
        await usage.fill(pool)
    finally:
        await pool.close()
    await execute(url, "vacuum (analyze) usage_day", "vacuum (analyze) usage_hour", "vacuum (analyze) usage_share")
    took["reports"] = time.monotonic() - began
    console.print(f"  reports: {took['reports']:.0f} s", highlight=False)
    keeper = asyncio.create_task(_keep_gateway(url))
    await asyncio.sleep(1)
    try:
        with ohmstead(url, on, 1, {}) as running:
            yield running
    finally:
        keeper.cancel()


async def _keep_gateway(url: str) -> None:
    """Stations of a gateway that is silent are let go: ours, which is none, is kept alive."""
    conn = await asyncpg.connect(url)
    while True:
        await conn.execute("update gateway set alive_at = now() where gateway_id = $1", _large.GATEWAY)
        await asyncio.sleep(4)


# ------------------------------------------------------------------------------------------------------------- pages


def sorts(size: Size, session_ids: Sequence[str], places: Sequence[str]) -> list[Asked]:
    """Every page that grows with the network."""

    def any_station(chance: random.Random) -> str:
        return station_id(chance.randrange(size.n_stations))

    def any_token(chance: random.Random) -> str:
        return f"T{chance.randrange(size.n_tokens):05d}"

    def a_day(chance: random.Random) -> str:
        day = time.gmtime(time.time() - 86400 * chance.randrange(2, 300))
        return time.strftime("%Y-%m-%d", day)

    def old(chance: random.Random) -> str:
        return f"{a_day(chance)}T12:00:00%2B00:00_ffffffff-ffff-7fff-bfff-ffffffffffff"

    def choice(*paths: str) -> Callable[[random.Random], str]:
        return lambda chance: chance.choice(paths)

    chips = choice(*(f"/stations?show={chip}" for chip in ("needs", "charging", "offline", "faulted")))
    return [
        Asked("Overview", lambda _: "/", AIM_PAGE_MS),
        Asked("Stations", lambda _: "/stations"),
        Asked("Stations, page 2 and on", lambda c: f"/stations?sort=station&page={c.randrange(2, 40)}"),
        Asked("Stations by chip", chips),
        Asked("Stations by last session", choice("/stations?sort=last", "/stations?sort=energy&order=desc")),
        Asked("Stations, text", lambda c: f"/stations?q={c.choice((any_station(c), 'Town 7', 'SN79', 'M11'))}"),
        Asked("Sessions", lambda _: "/sessions"),
        Asked("Sessions, older pages", lambda c: f"/sessions?before={old(c)}"),
        Asked("Sessions of a day", lambda c: (lambda d: f"/sessions?from={d}&to={d}")(a_day(c))),
        Asked(
            "Sessions by chip", choice(*(f"/sessions?show={chip}" for chip in ("now", "odd", "orphan", "completed")))
        ),
        Asked("Sessions of a station", lambda c: f"/sessions?station={any_station(c)}"),
        Asked("Sessions of a token", lambda c: f"/sessions?token={any_token(c)}"),
        Asked("Sessions, text", lambda c: f"/sessions?q={c.choice((any_station(c), any_token(c), 'Site 00', 'none'))}"),
        Asked(
            "Search", lambda c: f"/search?q={c.choice((any_token(c), any_station(c)[:5], c.choice(session_ids)[:13]))}"
        ),
        Asked("Station", lambda c: f"/stations/{any_station(c)}", AIM_PAGE_MS),
        Asked("Session", lambda c: f"/sessions/{c.choice(session_ids)}", AIM_PAGE_MS),
        Asked("Report of a month", lambda c: f"/reports?period=month&day={a_day(c)}", AIM_PAGE_MS),
        Asked(
            "Report of a year", lambda c: f"/reports?period=year&compare={c.choice(('none', 'before'))}", AIM_PAGE_MS
        ),
        Asked("Report of a location", lambda c: f"/reports?period=year&location={c.choice(places)}", AIM_PAGE_MS),
        Asked("API stations", lambda c: f"/api/v1/stations?limit=50&q={any_station(c)[:4]}", is_api=True),
        Asked("API sessions", lambda _: "/api/v1/sessions?limit=50", is_api=True),
        Asked("API sessions, text", lambda c: f"/api/v1/sessions?limit=50&q={any_token(c)}", is_api=True),
        Asked("API tokens", lambda c: f"/api/v1/tokens?limit=50&q={any_token(c)}", is_api=True),
    ]


async def time_pages(server: Subject, args: argparse.Namespace, size: Size, data_dir: Path) -> list[Timed]:
    conn = await asyncpg.connect(server.database_url)
    try:
        session_ids = [
            str(row["session_id"])
            for row in await conn.fetch("select session_id from session tablesample system (1) limit 2000")
        ] or [str(await conn.fetchval("select session_id from session limit 1"))]
        places = [str(row["location_id"]) for row in await conn.fetch("select location_id from location limit 500")]
    finally:
        await conn.close()
    wanted = [one for one in sorts(size, session_ids, places) if args.only.lower() in one.what.lower()]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await signed_in(server, data_dir, session)
        key = {"Authorization": f"Bearer {await new_key(server)}"}
        return await ask(server, session, wanted, args.requests, random.Random(7), key)


async def first_page(server: Subject, data_dir: Path) -> FirstPage:
    """Overview with an empty cache: the page, and all that it names."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), auto_decompress=False) as session:
        await signed_in(server, data_dir, session)
        cookie = {one.key: one.value for one in session.cookie_jar}
        async with session.get(server.web_url + "/", headers={"Accept-Encoding": "gzip"}) as answer:
            page = await answer.read()
        named = dict.fromkeys(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.decode()))
        n_bytes = len(page)
        for address in named:
            async with session.get(server.web_url + address, headers={"Accept-Encoding": "gzip"}) as answer:
                n_bytes += len(await answer.read())
    return FirstPage(n_bytes / 1000, 1 + len(named), await _in_browser(server, cookie))


async def _in_browser(server: Subject, cookie: dict[str, str]) -> float:
    """Milliseconds from asking until the page's scripts have run, the median of five new visits; 0 without a Chromium."""
    try:
        from playwright.async_api import async_playwright
        from tests.console.browser import present
    except ImportError:
        return 0.0
    # A measurement installs nothing.
    if (path := present()) is None:
        return 0.0
    times = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(path), args=["--no-sandbox"])
        for _ in range(6):
            context = await browser.new_context()
            await context.add_cookies([{"name": n, "value": v, "url": server.web_url} for n, v in cookie.items()])
            tab = await context.new_page()
            await tab.goto(server.web_url + "/", wait_until="domcontentloaded")
            times.append(
                float(await tab.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
            )
            await context.close()
        await browser.close()
    return sorted(times[1:])[2]


# -------------------------------------------------------------------------------------------------------------- live


async def live_updates(server: Subject, n: int, data_dir: Path) -> Live:
    """A station reports its status every so often; an open page waits for it."""
    number = 300
    station = Station(station_id(number), f"T{number:05d}", "2.0.1")
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def heard(_: bytes) -> None:
        if not answered.done():
            answered.set_result(time.perf_counter())

    times = Latencies()
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout) as session:
        await signed_in(server, data_dir, session)
        url = server.urls[0].format(id=station.station_id)
        socket = await Socket.connect(url, "ocpp2.0.1", heard, lambda: None)
        async with session.get(server.web_url + "/live") as stream:
            for turn in range(n + 3):
                # What is still told of the message before is not taken for news of this one.
                with contextlib.suppress(TimeoutError):
                    while True:
                        async with asyncio.timeout(random.uniform(0.4, 0.9)):
                            await stream.content.readline()
                answered = asyncio.get_running_loop().create_future()
                _, action, payload = station.boot()[min(turn, 1)]
                socket.send(f'[2,"live-{turn}","{action}",{payload}]'.encode())
                stored_at = await asyncio.wait_for(answered, 30)
                async with asyncio.timeout(10):
                    while f"station:{station.station_id}".encode() not in await stream.content.readline():
                        pass
                if turn >= 3:
                    times.add(max(time.perf_counter() - stored_at, 0.0))
        socket.close()
    return Live(n, times.at_ms(0.5), times.at_ms(0.95), times.at_ms(1.0))


async def streams(server: Subject, args: argparse.Namespace, data_dir: Path) -> Streams:
    """Many open pages, quiet at first, then while stations report."""
    n_bytes = 0

    async def follow(session: aiohttp.ClientSession) -> None:
        nonlocal n_bytes
        async with session.get(server.web_url + "/live") as answer:
            async for piece in answer.content.iter_any():
                n_bytes += len(piece)

    timeout, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout, connector=connector) as session:
        await signed_in(server, data_dir, session)
        pages = []
        for _ in range(args.browsers):
            pages.append(asyncio.create_task(follow(session)))
            await asyncio.sleep(0.005)
        await asyncio.sleep(2)
        web = server.watched["web"]
        began = cpu_s(web)
        await asyncio.sleep(args.seconds)
        quiet = (cpu_s(web) - began) * 100 / args.seconds
        with loads(server, 200, "2.0.1", "--mix", "meters", pace=args.rate) as load:
            await load.tell("connect 50")
            running = asyncio.create_task(load.tell(f"run {args.seconds + 4:g} 60"))
            await asyncio.sleep(3)
            began, bytes_before = cpu_s(web), n_bytes
            await asyncio.sleep(args.seconds)
            busy, sent = (cpu_s(web) - began) * 100 / args.seconds, n_bytes - bytes_before
            result = await running
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
    per_s = result.n_answered / result.took_s
    return Streams(args.browsers, per_s, quiet, busy, sent / args.seconds / max(args.browsers, 1) / 1000)


# -------------------------------------------------------------------------------------------------------------- told


def tell(
    size: Size, pages: list[Timed], first: FirstPage, live: Live, open_pages: Streams, args: argparse.Namespace
) -> None:
    title = (
        f"{size.n_stations:,} stations, {size.n_sessions:,} sessions, {size.n_samples:,} samples; {args.requests} each"
    )
    show(title, HEAD, rows_of(pages), markdown=args.markdown)
    usable = f"{first.usable_ms:.0f}" if first.usable_ms else "no browser"
    rows = [
        ["first page, KB", f"{first.kb:.0f}", str(AIM_FIRST_KB)],
        ["first page, requests", str(first.n_requests), str(AIM_FIRST_REQUESTS)],
        ["first page, usable after ms", usable, "500"],
        ["live update, p50 and p95 ms", f"{live.p50_ms:.0f}, {live.p95_ms:.0f}", str(AIM_LIVE_MS)],
        [
            f"{open_pages.n_pages} open pages, {open_pages.updates_per_s:.0f} updates/s, % of a core",
            f"{open_pages.busy_percent:.1f} (quiet {open_pages.quiet_percent:.1f})",
            str(AIM_STREAMS_PERCENT),
        ],
        ["each of them, KB/s", f"{open_pages.kb_per_s_each:.1f}", ""],
    ]
    show("Open pages", ("", "measured", "aim"), rows, markdown=args.markdown)


async def main(args: argparse.Namespace) -> None:
    raise_file_limit()
    size = Size(
        max(int(20_000 * args.scale), 310) if args.stations is None else args.stations,
        max(int(2_000_000 * args.scale), 1000) if args.sessions is None else args.sessions,
        int(50_000_000 * args.scale) if args.samples is None else args.samples,
    )
    async with servers() as on:
        _large.enough_space(size, on.data_dir)
        about = machine(on.version)
        print(told(about))
        took: dict[str, float] = {}
        async with network(on, size, took) as server:
            if args.wait:
                print(f"{server.web_url}\n{server.database_url}", flush=True)
                await asyncio.to_thread(input, "Enter begins. ")
            pages = await time_pages(server, args, size, on.data_dir)
            first = await first_page(server, on.data_dir)
            live = await live_updates(server, args.requests, on.data_dir)
            open_pages = await streams(server, args, on.data_dir)
    tell(size, pages, first, live, open_pages, args)
    save(args.json, about, [*pages, first, live, open_pages, took])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of 20,000 stations, 2 million sessions, 50 million samples"
    )
    parser.add_argument("--stations", type=int, help="so many instead, at least 310")
    parser.add_argument("--sessions", type=int, help="so many instead")
    parser.add_argument("--samples", type=int, help="so many instead")
    parser.add_argument("--requests", type=int, default=40, help="of each page")
    parser.add_argument("--only", default="", help="only pages whose name holds this")
    parser.add_argument("--browsers", type=int, default=500, help="open pages")
    parser.add_argument("--rate", type=float, default=200, help="updates a second")
    parser.add_argument("--seconds", type=float, default=15, help="that the open pages are watched")
    parser.add_argument(
        "--wait", action="store_true", help="begin to measure after Enter: for a look, or a quiet moment"
    )
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true", help="tables for docs/performance.md")
    asyncio.run(main(parser.parse_args()))
