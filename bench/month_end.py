"""A month end: settled sessions become CDRs and entries of one party's books, customers get invoices, the books are checked.

`./ohmstead bench month_end`. The aim: 200,000 sessions and 10,000 invoices as data in 10 minutes on 2 cores. One process bills,
as one worker does: a party's books have one writer. Then the console's pages about money are asked for over these books.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
from tests.invoices.office import SELLER

from bench._asking import AIM_PAGE_MS, HEAD, Asked, Timed, ask, rows_of, signed_in
from bench._figures import console, machine, save, show, told
from bench._system import TEMPLATE, Subject, cpu_s, execute, ohmstead, on_database, servers
from bench.pricing import DAY_AND_NIGHT, PLAIN
from ohmstead.accounts import access
from ohmstead.billing import verifying
from ohmstead.billing.cdrs import service as cdrs
from ohmstead.billing.invoices import runs, sellers
from ohmstead.billing.invoices.runs import NewRun
from ohmstead.core.db import Pool, connect_pool
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.records import NewTariffAssignment, TariffDraft

DATABASE = "bench_month_end"
AIM_S = 600


class Stage(msgspec.Struct):
    """What one thing took; CPU seconds of this process and of PostgreSQL."""

    what: str
    n: int
    seconds: float
    cpu_own_s: float
    cpu_postgres_s: float


_PEOPLE = """
with d as (
    insert into driver (driver_id, party_id, name) select gen_random_uuid(), $1, 'D' || n from generate_series(1, $2) n
    returning driver_id, name)
insert into token_holding (party_id, driver_id, uid_key, from_at)
select $1, driver_id, 't' || substr(name, 2), '2020-01-01Z' from d
"""
_PLACES = (
    (
        "insert into location (location_id, party_id, name, country, time_zone)"
        " select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 'L' || n, 'NLD', 'Europe/Amsterdam'"
        " from generate_series(1, $2) n"
    ),
    (
        "insert into station (station_id, party_id, location_id, registration)"
        " select 'S' || n, $1, ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 100), 12, '0'))::uuid, 'accepted'"
        " from generate_series(1, $2) n"
    ),
)
# Sessions spread over a month, an hour and a half each: charging, then idle, with readings along a line.
_SESSIONS = """
insert into session (session_id, party_id, station_id, location_id, evse_number, transaction_id, ocpp_version, status,
       token_uid, token_type, authorization_status, started_at, ended_at, last_event_at, first_received_at, updated_at,
       energy_wh, energy_source, register_start_wh, register_start_at, register_last_wh, register_last_at, n_samples,
       charging_s, idle_s, settled_at)
select gen_random_uuid(), $1, s.station_id, s.location_id, 1, 'x' || n, '2.0.1', 'completed', 'T' || (1 + n % $3),
       'ISO14443', 'accepted', t.at, t.at + interval '90 min', t.at + interval '90 min', t.at, t.at + interval '90 min',
       w.wh, 'register', 0, t.at, w.wh, t.at + interval '90 min', $4, 3600, 1800, t.at + interval '91 min'
  from generate_series(1, $2) n
  join station s on s.station_id = 'S' || (1 + n % 1000)
  cross join lateral (select '2026-03-01Z'::timestamptz + interval '30 days' * ((n * 7919::bigint) % $2) / $2 as at) t
  cross join lateral (select 2000 + (n * 977) % 40000 as wh) w
"""
_PERIODS = (
    (
        "insert into charging_period select session_id, started_at, started_at + interval '60 min', 'charging', energy_wh"
        " from session"
    ),
    "insert into charging_period select session_id, started_at + interval '60 min', ended_at, 'suspended_ev', 0 from session",
    (
        "insert into sample (session_id, sampled_at, context, energy_wh, readings) select session_id,"
        " started_at + interval '60 min' * k / (n_samples - 1), 'Sample.Periodic', round(energy_wh * k / (n_samples - 1)), '{}'"
        " from session, generate_series(0, n_samples - 1) k"
    ),
)


async def fill(url: str, n: int, n_samples: int) -> UUID:
    """A party with so many settled sessions, and two tariffs: by group of stations."""
    conn = await asyncpg.connect(url, command_timeout=1800)
    try:
        # The one whose owner is let in.
        party_id: UUID = await conn.fetchval(
            "update party set country_code = 'NL', party_code = 'MON', time_zone = 'Europe/Amsterdam' where party_id ="
            " (select party_id from party order by created_at limit 1) returning party_id"
        )
        n_drivers = max(n // 20, 10)
        await conn.execute(_PEOPLE, party_id, n_drivers)
        for sql, many in zip(_PLACES, (100, 1000), strict=True):
            await conn.execute(sql, party_id, many)
        await conn.execute(_SESSIONS, party_id, n, n_drivers, n_samples)
        for sql in _PERIODS:
            await conn.execute(sql)
    finally:
        await conn.close()
    return party_id


async def price(pool: Pool, party_id: UUID) -> None:
    """Everywhere a price a kWh; at a third of the locations one by day and night, with time and an idle fee."""
    actor = access.system(party_id)
    async with pool.acquire() as conn, conn.transaction():
        plain = await tariffs.create_tariff(conn, actor, TariffDraft(name="Plain", tariff=PLAIN))
        night = await tariffs.create_tariff(conn, actor, TariffDraft(name="Night", tariff=DAY_AND_NIGHT))
        await tariffs.assign(conn, actor, NewTariffAssignment(tariff_id=plain.tariff_id))
        for row in await conn.fetch("select location_id from location where party_id = $1 limit 33", party_id):
            given = NewTariffAssignment(tariff_id=night.tariff_id, location_id=row["location_id"])
            await tariffs.assign(conn, actor, given)
        for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
            await conn.execute(f"update {column} = '2020-01-01Z'")


async def run(args: argparse.Namespace) -> None:
    async with servers() as on:
        about = machine(on.version)
        console.print(told(about), highlight=False)
        await execute(on.database_url, f"create database {DATABASE} template {TEMPLATE}")
        url = on_database(on.database_url, DATABASE)
        began = time.monotonic()
        party_id = await fill(url, args.sessions, args.samples)
        await execute(url, "vacuum analyze")
        console.print(f"  made in {time.monotonic() - began:.0f} s", highlight=False)
        pool = await connect_pool(url, size=2, name="bench", command_timeout_s=600)
        postgres = [on.pids["postgres"]]
        try:
            await price(pool, party_id)
            stages = [
                await _timed("CDRs and entries", postgres, bill(pool, party_id)),
                await _timed("invoices as data", postgres, invoice(pool, party_id)),
                await _timed("books checked", postgres, check(pool, party_id)),
            ]
        finally:
            await pool.close()
        await execute(url, "vacuum analyze")
        with ohmstead(url, on, 1, {}) as server:
            if args.wait:
                console.print(f"{server.web_url}\n{server.database_url}", highlight=False)
                await asyncio.to_thread(input, "Enter begins. ")
            pages = await time_pages(server, party_id, on.data_dir, args)
    _show(stages, pages, args)
    save(args.json, about, [*stages, *pages])


async def bill(pool: Pool, party_id: UUID) -> int:
    """In pieces as the worker bills, each a transaction. Returns how many sessions."""
    after, done = None, 0
    while True:
        async with pool.acquire() as conn, conn.transaction():
            after, n = await cdrs.catch_up(conn, party_id, after, 200)
        done += n
        if after is None:
            return done


async def invoice(pool: Pool, party_id: UUID) -> int:
    """The month's run. Returns how many documents."""
    actor = access.system(party_id)
    async with pool.acquire() as conn, conn.transaction():
        await sellers.set_seller(conn, actor, SELLER)
        asked = await runs.ask(conn, actor, NewRun(month="2026-03"))
    await runs.run(pool, {"run_id": str(asked.run_id)})
    async with pool.acquire() as conn:
        done = await runs.get_run(conn, party_id, asked.run_id)
        total = await conn.fetchval("select sum(total) from invoice where party_id = $1", party_id)
        charged = await conn.fetchval(
            "select sum(total) from cdr where party_id = $1 and ended_at < '2026-04-01 00:00 Europe/Amsterdam'",
            party_id,
        )
    if done.status != "done" or done.problems or total != charged:
        raise SystemExit(f"invoices are wrong: {done.status}, {done.problems[:3]}, {total} of {charged}")
    return done.n_issued


async def check(pool: Pool, party_id: UUID) -> int:
    """What `ledger verify` does; and that nothing was left out. Returns how many entries."""
    async with pool.acquire() as conn:
        verdict = await verifying.verify(conn, party_id)
        row = await conn.fetchrow(
            "select count(*) as n, sum(before_taxes) as revenue from cdr where party_id = $1", party_id
        )
        assert row is not None
        billed, revenue = row["n"], row["revenue"]
        listed = await conn.fetchval("select count(*) from unbillable_session where party_id = $1", party_id)
        sessions = await conn.fetchval("select count(*) from session where party_id = $1", party_id)
        earned = await conn.fetchval(
            "select -sum(amount_minor) from ledger_posting join ledger_account using (account_id)"
            " where ledger_posting.party_id = $1 and kind = 'revenue'",
            party_id,
        )
    if verdict.faults or billed + listed != sessions or Decimal(earned).scaleb(-2) != revenue:
        raise SystemExit(
            f"the books are wrong: {verdict.faults[:3]}, {billed} + {listed} of {sessions}, {earned}, {revenue}"
        )
    return verdict.n_entries


async def time_pages(server: Subject, party_id: UUID, data_dir: Path, args: argparse.Namespace) -> list[Timed]:
    """Every page about money that grows with the books."""
    conn = await asyncpg.connect(server.database_url)

    async def some(table: str, column: str, where: str = "true") -> list[str]:
        sql = f"select {column} as one from {table} where party_id = $1 and {where} limit 500"
        return [str(row["one"]) for row in await conn.fetch(sql, party_id)]

    try:
        cdrs_, invoices = await some("cdr", "cdr_id"), await some("invoice", "invoice_id")
        sessions, drivers = await some("cdr", "session_id"), await some("driver", "driver_id")
        debtors = await some("ledger_account", "account_id", "kind = 'receivable'")
        busiest = await some("ledger_account", "account_id", "kind = 'revenue'")
        entries, numbers = await some("ledger_entry", "entry_id"), await some("invoice", "number")
    finally:
        await conn.close()
    n_stations = 1000

    def station(chance: random.Random) -> str:
        return f"S{chance.randrange(1, n_stations + 1)}"

    def day(chance: random.Random) -> str:
        return f"2026-03-{chance.randrange(1, 31):02d}"

    sorts = [
        Asked("Money", lambda _: "/money?month=2026-03", AIM_PAGE_MS),
        Asked("CDRs", lambda _: "/cdrs"),
        Asked("CDRs, later pages", lambda c: f"/cdrs?page={c.randrange(2, 40)}"),
        Asked("CDRs of a day", lambda c: (lambda d: f"/cdrs?from={d}&to={d}")(day(c))),
        Asked("CDRs of a month", lambda _: "/cdrs?from=2026-03-01&to=2026-03-31"),
        Asked("CDRs that were taken back", lambda _: "/cdrs?show=credited"),
        Asked("CDRs of a station", lambda c: f"/cdrs?station={station(c)}"),
        Asked("CDRs, text", lambda c: f"/cdrs?q={c.choice((station(c), c.choice(cdrs_)[:13], 'L7', 'none'))}"),
        Asked("CDRs by total", lambda _: "/cdrs?sort=total&order=desc"),
        Asked("CDR", lambda c: f"/cdrs/{c.choice(cdrs_)}", AIM_PAGE_MS),
        Asked("Session with its bill", lambda c: f"/sessions/{c.choice(sessions)}", AIM_PAGE_MS),
        Asked("Invoices", lambda _: "/invoices"),
        Asked("Invoices that are open", lambda _: "/invoices?show=open"),
        Asked("Invoices, text", lambda c: f"/invoices?q={c.choice(numbers)}"),
        Asked("Invoice", lambda c: f"/invoices/{c.choice(invoices)}", AIM_PAGE_MS),
        Asked("Runs", lambda _: "/invoices/runs"),
        Asked("Ledger", lambda _: "/ledger"),
        Asked("Ledger, a customer's account", lambda c: f"/ledger/accounts/{c.choice(debtors)}"),
        Asked("Ledger, the account of revenue", lambda c: f"/ledger/accounts/{c.choice(busiest)}"),
        Asked("Ledger, an entry", lambda c: f"/ledger/entries/{c.choice(entries)}", AIM_PAGE_MS),
        Asked("Ledger, months", lambda _: "/ledger/months"),
        Asked("Exceptions", lambda _: "/exceptions"),
        Asked("Payments", lambda _: "/payments"),
        Asked("Drivers", lambda c: f"/drivers?q=D{c.randrange(1, 10_000)}"),
        Asked("Driver's money", lambda c: f"/drivers/{c.choice(drivers)}/money", AIM_PAGE_MS),
        Asked("Search", lambda c: f"/search?q={c.choice((c.choice(numbers), c.choice(cdrs_)[:13]))}"),
    ]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await signed_in(server, data_dir, session)
        return await ask(server, session, sorts, args.requests, random.Random(7))


async def _timed(what: str, postgres: list[int], work: object) -> Stage:
    own, theirs, began = cpu_s([os.getpid()]), cpu_s(postgres), time.monotonic()
    n = await work  # type: ignore[misc]
    # PostgreSQL is a child of this process: its share is taken off.
    theirs = cpu_s(postgres) - theirs
    return Stage(what, n, time.monotonic() - began, cpu_s([os.getpid()]) - own - theirs, theirs)


def _show(stages: list[Stage], pages: list[Timed], args: argparse.Namespace) -> None:
    rows = [
        [
            one.what,
            f"{one.n:,}",
            f"{one.seconds:.0f}",
            f"{one.n / one.seconds:,.0f}",
            f"{one.cpu_own_s:.0f}",
            f"{one.cpu_postgres_s:.0f}",
        ]
        for one in stages
    ]
    show(
        f"Month end: {args.sessions:,} sessions with {args.samples} readings; aim {AIM_S} s",
        ["", "n", "s", "n/s", "CPU s, own", "CPU s, PostgreSQL"],
        rows,
        markdown=args.markdown,
    )
    show(f"Pages over these books; {args.requests} each", HEAD, rows_of(pages), markdown=args.markdown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200_000)
    parser.add_argument("--samples", type=int, default=12, help="readings of each session")
    parser.add_argument("--requests", type=int, default=20, help="of each page")
    parser.add_argument("--wait", action="store_true", help="begin to ask for pages after Enter")
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--markdown", action="store_true")
    asyncio.run(run(parser.parse_args()))
