"""Pages asked for one after the other, each time with other values: what the benches of pages share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec

from bench._figures import Latencies, console
from bench._system import Subject, cpu_s
from ohmstead import app
from ohmstead.settings import Settings

AIM_LIST_MS, AIM_PAGE_MS = 150, 200


class Timed(msgspec.Struct):
    """A page, asked for with other values each time, one request after the other.

    `cpu_ms`: of the web process and PostgreSQL for each request, which is what a busy machine's clock does not tell.
    """

    what: str
    n: int
    p50_ms: float
    p95_ms: float
    most_ms: float
    cpu_ms: float
    kb: float
    aim_ms: int


class Asked(msgspec.Struct, frozen=True):
    """Sort of page: its addresses, each time another, and what it should take."""

    what: str
    address: Callable[[random.Random], str]
    aim_ms: int = AIM_LIST_MS
    is_api: bool = False


async def signed_in(server: Subject, data_dir: Path, session: aiohttp.ClientSession) -> None:
    """As the first owner, through the door."""
    link = await app.new_sign_in_link(Settings(database_url=server.database_url, data_dir=data_dir))
    secret = parse_qs(urlsplit(link).query)["link"][0]
    form = {"link": secret, "next": "/"}
    async with session.post(f"{server.web_url}/sign-in", data=form, allow_redirects=False) as answer:
        if answer.status != 303:
            raise SystemExit(f"nobody is let in: {answer.status}")


async def ask(
    server: Subject,
    session: aiohttp.ClientSession,
    sorts: Sequence[Asked],
    n: int,
    chance: random.Random,
    key: dict[str, str] | None = None,
) -> list[Timed]:
    """Each sort `n` times. `key`: the header with which the API is asked."""
    found = []
    for asked in sorts:
        one = await _time(server, session, asked, n, (key or {}) if asked.is_api else {}, chance)
        found.append(one)
        mark = "" if one.p95_ms <= one.aim_ms else "  ← too slow"
        console.print(
            f"  {one.what}: p50 {one.p50_ms:.0f}, p95 {one.p95_ms:.0f}, CPU {one.cpu_ms:.0f} ms{mark}", highlight=False
        )
    return found


async def _time(
    server: Subject,
    session: aiohttp.ClientSession,
    asked: Asked,
    n: int,
    headers: dict[str, str],
    chance: random.Random,
) -> Timed:
    times, n_bytes, cpu_before = Latencies(), 0, 0.0
    pids = [*server.watched["web"], *server.watched["postgres"]]
    for turn in range(n + 2):
        if turn == 2:
            cpu_before = cpu_s(pids)
        address = asked.address(chance)
        began = time.perf_counter()
        async with session.get(server.web_url + address, headers=headers) as answer:
            body = await answer.read()
        took_s = time.perf_counter() - began
        if answer.status != 200:
            raise SystemExit(f"{address}: {answer.status} {body[:300]!r}")
        # The first two make connections and plans.
        if turn >= 2:
            times.add(took_s)
            n_bytes += len(body)
    cpu_ms = (cpu_s(pids) - cpu_before) * 1000 / n
    p50, p95, most = (times.at_ms(share) for share in (0.5, 0.95, 1.0))
    return Timed(asked.what, n, p50, p95, most, cpu_ms, n_bytes / n / 1000, asked.aim_ms)


HEAD = ("page", "p50 ms", "p95 ms", "max ms", "aim p95", "CPU ms", "KB")


def rows_of(pages: Sequence[Timed]) -> list[list[str]]:
    """For a table with HEAD."""
    return [
        [
            one.what,
            f"{one.p50_ms:.0f}",
            f"{one.p95_ms:.0f}",
            f"{one.most_ms:.0f}",
            str(one.aim_ms),
            f"{one.cpu_ms:.0f}",
            f"{one.kb:.0f}",
        ]
        for one in pages
    ]
