"""Money for pages: read-only SQL over CDRs, sessions that are not billed, and the ledger; always of one party."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.scope import Scope
from ohmstead.billing.ledger.entries import NOBODY, amount_of
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.reports.money.model import (
    BookMonth,
    CdrPage,
    CdrRow,
    CdrSum,
    DaySum,
    EntryPosting,
    KindSum,
    LedgerEntry,
    Owed,
    ReasonSum,
)
from ohmstead.reports.search.queries import id_bounds
from ohmstead.sessions.queries import keys_named

CdrChip: TypeAlias = Literal["all", "charge", "credit", "credited", "corrected"]
CDR_CHIPS: Final[tuple[CdrChip, ...]] = get_args(CdrChip)
MOST_COUNTED: Final = 100_000
_CHIP_SQL: Final[dict[CdrChip, str]] = {
    "all": "true",
    "charge": "c.kind = 'charge'",
    "credit": "c.kind = 'credit'",
    "credited": (
        "c.kind = 'charge' and exists (select from cdr k where k.credits_id = c.cdr_id and k.party_id = c.party_id"
        " and k.kind = 'credit')"
    ),
    "corrected": "c.replaces_id is not null",
}
_ORDERS: Final = {
    "made": ("created_at", "cdr_id"),
    "ended": ("ended_at", "cdr_id"),
    "energy": ("energy_wh", "cdr_id"),
    "total": ("total", "cdr_id"),
}
CDR_ORDERS: Final = tuple(_ORDERS)


class CdrWanted(Struct, frozen=True, kw_only=True):
    """Which CDRs; what is None matches all. `first` to `last`: booked on these days, both included."""

    chip: CdrChip = "all"
    text: str | None = None
    location: UUID | None = None
    station: str | None = None
    token: str | None = None
    customer: str | None = None
    tariff: UUID | None = None
    currency: str | None = None
    first: date | None = None
    last: date | None = None


# ------------------------------------------------------------------------------------------------------- the overview


async def list_currencies(conn: Connection, party_id: UUID) -> list[str]:
    """Those in which anything was ever booked, by name."""
    rows = await conn.fetch(
        "select distinct currency from ledger_account where party_id = $1 order by currency", party_id
    )
    return [row["currency"] for row in rows]


async def find_currency(conn: Connection, party_id: UUID) -> str:
    """The party's own."""
    currency: str = await conn.fetchval("select currency from party where party_id = $1", party_id)
    return currency


async def sums_by_day(conn: Connection, party_id: UUID, currency: str, since: date, until: date) -> list[DaySum]:
    """What was earned, day by day, `since` ≤ day < `until`; days without anything are left out."""
    rows = await conn.fetch(
        "select b.booked_on as day, sum(b.credit_minor - b.debit_minor)::bigint as billed,"
        " coalesce(sum(b.credit_minor - b.debit_minor) filter (where a.kind = 'tax'), 0)::bigint as taxes"
        " from ledger_account a join ledger_balance b using (account_id)"
        " where a.party_id = $1 and a.currency = $2 and a.kind in ('revenue', 'tax', 'rounding')"
        " and b.booked_on >= $3 and b.booked_on < $4 group by 1 order by 1",
        party_id,
        currency,
        since,
        until,
    )
    return [
        DaySum(day=row["day"], billed=amount_of(row["billed"], currency), taxes=amount_of(row["taxes"], currency))
        for row in rows
    ]


async def list_owed(conn: Connection, party_id: UUID, currency: str, since: date, until: date) -> list[Owed]:
    """What customers owe by their sort: at the start of `since`, what came and went until before `until`, and then. Both are
    the first day of a month.
    """
    rows = await conn.fetch(
        "select whose, coalesce(sum(debit_minor - credit_minor) filter (where month < $3), 0)::bigint as before,"
        " coalesce(sum(debit_minor) filter (where month >= $3), 0)::bigint as debit,"
        " coalesce(sum(credit_minor) filter (where month >= $3), 0)::bigint as credit,"
        " sum(debit_minor - credit_minor)::bigint as after from ledger_sum"
        " where party_id = $1 and currency = $2 and kind = 'receivable' and month < $4"
        " group by whose order by after desc, whose",
        party_id,
        currency,
        since,
        until,
    )
    open_ones = await _count_open_accounts(conn, party_id, currency, until)
    money = ("before", "debit", "credit", "after")
    return [
        Owed(
            whose=row["whose"],
            n_open=open_ones.get(row["whose"], 0),
            **{name: amount_of(row[name], currency) for name in money},
        )
        for row in rows
    ]


async def _count_open_accounts(conn: Connection, party_id: UUID, currency: str, until: date) -> dict[str, int]:
    """Customers whose account was not even before `until`, by their sort: from what is on it now, less what came since."""
    rows = await conn.fetch(
        "select split_part(a.detail, ':', 1) as whose, count(*) as n from ("
        "  select account_id, sum(minor) as minor from ("
        "   select account_id, balance_minor as minor from ledger_standing where party_id = $1 and balance_minor <> 0"
        "   union all select b.account_id, b.credit_minor - b.debit_minor from ledger_balance b"
        "   where b.party_id = $1 and b.booked_on >= $3) x group by account_id having sum(minor) <> 0) y"
        " join ledger_account a using (account_id) where a.kind = 'receivable' and a.currency = $2 group by 1",
        party_id,
        currency,
        until,
    )
    return {row["whose"]: row["n"] for row in rows}


# What lessens what customers owe without taking a CDR back: money that came in, less what went out again.
_PAYING: Final = (
    *("payment_captured", "payment_refunded", "payment_disputed", "payment_dispute_won"),
    *("wallet_payment", "wallet_credit", "terminal_payment", "bank_receipt", "bank_receipt_reversed"),
    *("bank_payment", "bank_payment_reversed"),
)


async def sum_paid(conn: Connection, party_id: UUID, currency: str, since: date, until: date) -> Decimal:
    """What customers paid of what they owe, `since` ≤ day < `until`; both are the first day of a month."""
    minor: int = await conn.fetchval(
        "select coalesce(sum(credit_minor - debit_minor), 0)::bigint from ledger_sum where party_id = $1 and currency = $2"
        " and kind = 'receivable' and month >= $3 and month < $4 and entry_kind = any ($5)",
        party_id,
        currency,
        since,
        until,
        list(_PAYING),
    )
    return amount_of(minor, currency)


async def is_even(conn: Connection, party_id: UUID) -> dict[str, bool]:
    """By currency: do all balances add up to nothing?"""
    rows = await conn.fetch(
        "select currency, sum(debit_minor - credit_minor) = 0 as is_even from ledger_sum where party_id = $1"
        " group by 1 order by 1",
        party_id,
    )
    return {row["currency"]: row["is_even"] for row in rows}


async def sums_by_kind(conn: Connection, party_id: UUID, until: date | None) -> list[KindSum]:
    """What is on the accounts of each kind and currency, at the end of `until`; None: now."""
    # Whole months are summed up; of the one that `until` is in, its days are read.
    month = None if until is None else (until + timedelta(days=1)).replace(day=1)
    rows = await conn.fetch(
        "select kind, currency, n_accounts, debit, credit from ("
        "  select kind, currency, sum(debit_minor)::bigint as debit, sum(credit_minor)::bigint as credit from ("
        "   select kind, currency, debit_minor, credit_minor from ledger_sum"
        "   where party_id = $1 and ($2::date is null or month < $2)"
        "   union all select a.kind, a.currency, b.debit_minor, b.credit_minor from ledger_balance b"
        "   join ledger_account a using (account_id)"
        "   where b.party_id = $1 and b.booked_on >= $2 and b.booked_on <= $3) x group by 1, 2) s"
        " join (select a.kind, a.currency, count(*) as n_accounts from ledger_account a where a.party_id = $1 and exists ("
        "   select from ledger_balance b where b.account_id = a.account_id and ($3::date is null or b.booked_on <= $3))"
        "   group by 1, 2) n using (kind, currency) order by currency, kind",
        party_id,
        month,
        until,
    )
    return [
        KindSum(
            kind=row["kind"],
            currency=row["currency"],
            n_accounts=row["n_accounts"],
            debit=amount_of(row["debit"], row["currency"]),
            credit=amount_of(row["credit"], row["currency"]),
        )
        for row in rows
    ]


async def count_open(conn: Connection, scope: Scope) -> list[ReasonSum]:
    """Sessions about which nobody decided yet, by reason, most first."""
    rows = await conn.fetch(
        "select u.reason, count(*) as n, coalesce(sum(s.energy_wh), 0) as energy_wh, min(s.ended_at) as first_at"
        " from unbillable_session u join session s using (session_id)"
        " where u.party_id = $1 and ($2::uuid[] is null or u.location_id = any ($2)) and u.decision is null"
        " group by u.reason order by n desc, u.reason",
        scope.party_id,
        scope.locations,
    )
    return [ReasonSum(**row) for row in rows]


async def count_bookings(conn: Connection, party_id: UUID, since: date, until: date) -> dict[str, int]:
    """How many entries of each kind were booked, `since` ≤ day < `until`; both are the first day of a month."""
    rows = await conn.fetch(
        "select kind, sum(n_entries)::bigint as n from ledger_month where party_id = $1 and month >= $2 and month < $3"
        " group by kind",
        party_id,
        since,
        until,
    )
    return {row["kind"]: row["n"] for row in rows}


# --------------------------------------------------------------------------------------------------------------- CDRs

_COLUMNS: Final = """c.cdr_id, c.kind, c.session_id, c.version,
    exists (select from cdr k where k.credits_id = c.cdr_id) as is_credited, c.location_id,
    coalesce(c.content->'place'->>'name', '') as place, coalesce(c.content->'place'->>'city', '') as city, c.station_id,
    c.token_uid, c.contract_id, c.customer, c.started_at, c.ended_at, c.energy_wh, c.currency, c.before_taxes, c.total,
    c.tariff_id, coalesce(t.name, '') as tariff_name, c.tariff_version, c.created_at,
    coalesce(c.content->'place'->>'time_zone', 'UTC') as time_zone, e.number as entry_number, e.booked_on"""


async def _where(conn: Connection, scope: Scope, wanted: CdrWanted) -> Conditions:
    where = Conditions()
    where.add("c.party_id = {}", scope.party_id)
    where.add_given("c.location_id = any ({})", scope.locations)
    where.add(_CHIP_SQL[wanted.chip])
    where.add_given("c.location_id = {}", wanted.location)
    where.add_given("c.station_id = {}", wanted.station)
    where.add_given("lower(c.token_uid) = lower({})", wanted.token)
    where.add_given("c.customer = {}", wanted.customer)
    where.add_given("c.tariff_id = {}", wanted.tariff)
    where.add_given("c.currency = {}", wanted.currency)
    where.add_given("c.booked_on >= {}", wanted.first)
    where.add_given("c.booked_on <= {}", wanted.last)
    if wanted.text:
        await _add_text(conn, where, scope, wanted.text)
    return where


async def _add_text(conn: Connection, where: Conditions, scope: Scope, text: str) -> None:
    """By the beginning of an id, a uid or a contract, or by any part of what a station, a place or a card is called.

    CDRs are too many to look into each: names are looked up first, and CDRs then by keys that have an index.
    """
    named = await keys_named(conn, scope, text)
    begins = like(text)[1:]
    pieces = ["lower(c.token_uid) like {}", "c.contract_id like {}"]
    values: list[object] = [begins.lower(), begins]
    for kind, piece in (
        ("station", "c.station_id = any ({}::text[])"),
        ("location", "c.location_id = any ({}::uuid[])"),
        ("token", "lower(c.token_uid) = any ({}::text[])"),
    ):
        if named[kind]:
            pieces.append(piece)
            values.append(named[kind])
    bounds = id_bounds(text)
    if bounds is not None:
        for name in ("c.cdr_id", "c.session_id", "c.credits_id", "c.replaces_id"):
            pieces.append(f"{name} between {{}}::uuid and {{}}::uuid")
            values += bounds
    where.add(" or ".join(f"({piece})" for piece in pieces), *values)


async def list_cdrs(
    conn: Connection,
    scope: Scope,
    wanted: CdrWanted,
    *,
    sort: str = "made",
    is_descending: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> CdrPage:
    """A page of CDRs, and what all that match come to; beyond MOST_COUNTED the sums are of the first of them."""
    where = await _where(conn, scope, wanted)
    sums = await conn.fetch(
        "select currency, count(*) as n, sum(energy_wh) as energy_wh, sum(before_taxes) as before_taxes,"
        " sum(total) as total from (select c.currency, c.before_taxes, c.total,"
        f" case c.kind when 'charge' then c.energy_wh else -c.energy_wh end as energy_wh from cdr c where {where.sql}"
        f" limit {MOST_COUNTED + 1}) x group by currency order by n desc, currency",
        *where.values,
    )
    return CdrPage(
        rows=await _rows(conn, where, sort, is_descending=is_descending, limit=limit, offset=offset),
        sums=[CdrSum(**row) for row in sums],
        is_counted=sum(row["n"] for row in sums) <= MOST_COUNTED,
    )


async def export_cdrs(
    conn: Connection, scope: Scope, wanted: CdrWanted, *, sort: str, is_descending: bool, limit: int
) -> list[CdrRow]:
    """All that match, for a file."""
    where = await _where(conn, scope, wanted)
    return await _rows(conn, where, sort, is_descending=is_descending, limit=limit, offset=0)


# any party: the conditions name it
async def _rows(
    conn: Connection, where: Conditions, sort: str, *, is_descending: bool, limit: int, offset: int
) -> list[CdrRow]:
    turned = " desc" if is_descending else ""
    order = ", ".join(f"c.{name}{turned}" for name in _ORDERS[sort])
    rows = await conn.fetch(
        # A page is cut out first: what is joined to it does not decide how CDRs are looked for.
        f"with page as (select c.* from cdr c where {where.sql} order by {order}"
        f" limit {where.parameter(limit)} offset {where.parameter(offset)})"
        f" select {_COLUMNS} from page c left join ledger_entry e on e.cdr_id = c.cdr_id"
        f" left join tariff t on t.tariff_id = c.tariff_id order by {order}",
        *where.values,
    )
    return [CdrRow(**row) for row in rows]


async def list_places(conn: Connection, scope: Scope) -> dict[UUID, str]:
    """Locations by name, for a choice."""
    rows = await conn.fetch(
        "select location_id, name from location where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))"
        " order by name, location_id limit 1000",
        scope.party_id,
        scope.locations,
    )
    return {row["location_id"]: row["name"] for row in rows}


# whole party: a tariff's name is no secret to whoever sees a CDR that it priced
async def list_tariff_names(conn: Connection, party_id: UUID) -> dict[UUID, str]:
    """Tariffs by name, for a choice."""
    rows = await conn.fetch(
        "select tariff_id, name from tariff where party_id = $1 order by name, tariff_id limit 1000", party_id
    )
    return {row["tariff_id"]: row["name"] for row in rows}


# ---------------------------------------------------------------------------------------------------------- the books

_ENTRY: Final = """select e.entry_id, e.number, e.booked_on, e.kind, e.text, e.cdr_id, e.idempotency_key as key, e.created_at,
    e.created_by from ledger_entry e"""


async def get_entry(conn: Connection, party_id: UUID, entry_id: UUID) -> LedgerEntry:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_ENTRY} where e.party_id = $1 and e.entry_id = $2", party_id, entry_id)
    if row is None:
        raise NotFound(f"no entry {entry_id}")
    return await _entry(conn, party_id, row)


async def find_entry_of_cdr(conn: Connection, party_id: UUID, cdr_id: UUID) -> LedgerEntry | None:
    """None where it came to nothing."""
    row = await conn.fetchrow(f"{_ENTRY} where e.party_id = $1 and e.cdr_id = $2", party_id, cdr_id)
    return None if row is None else await _entry(conn, party_id, row)


async def find_entry_id(conn: Connection, party_id: UUID, number: int) -> UUID | None:
    """The id of the entry with a number."""
    found: UUID | None = await conn.fetchval(
        "select entry_id from ledger_entry where party_id = $1 and number = $2", party_id, number
    )
    return found


async def _entry(conn: Connection, party_id: UUID, row: Row) -> LedgerEntry:
    postings = await conn.fetch(
        "select p.position, p.account_id, a.code, a.kind, a.detail, p.currency, p.amount_minor"
        " from ledger_posting p join ledger_account a using (account_id)"
        " where p.party_id = $1 and p.entry_id = $2 order by p.position",
        party_id,
        row["entry_id"],
    )
    found = []
    for posting in postings:
        fields = dict(posting)
        minor = fields.pop("amount_minor")
        found.append(EntryPosting(amount=amount_of(minor, fields["currency"]), **fields))
    return LedgerEntry(postings=found, **row)


async def balance_until(conn: Connection, party_id: UUID, account_id: UUID, number: int, position: int) -> int:
    """What was on an account right after one posting, in minor units."""
    minor: int = await conn.fetchval(
        "select coalesce(sum(amount_minor), 0)::bigint from ledger_posting"
        " where party_id = $1 and account_id = $2 and (number, position) <= ($3, $4::smallint)",
        party_id,
        account_id,
        number,
        position,
    )
    return minor


async def list_months(conn: Connection, party_id: UUID) -> list[BookMonth]:
    """All months in which something was booked, or that were closed, the latest first."""
    rows = await conn.fetch(
        "with entry as (select month, sum(n_entries)::bigint as n_entries, min(first_number) as first_number,"
        "  max(last_number) as last_number from ledger_month where party_id = $1 group by 1),"
        " closed as (select month, locked_at, locked_by from ledger_lock where party_id = $1)"
        " select coalesce(e.month, c.month) as month, coalesce(n_entries, 0) as n_entries,"
        "  coalesce(e.first_number, 0) as first_number, coalesce(e.last_number, 0) as last_number,"
        "  coalesce(coalesce(e.month, c.month) < h.locked_until, false) as is_closed, c.locked_at as closed_at,"
        "  c.locked_by as closed_by"
        " from entry e full join closed c on c.month = e.month"
        " left join ledger_head h on h.party_id = $1 order by 1 desc",
        party_id,
    )
    return [BookMonth(**row) for row in rows]


async def find_end(conn: Connection, party_id: UUID) -> tuple[int, date | None]:
    """How many entries the books have, and the first day that is open; None: no month was ever closed."""
    row = await conn.fetchrow("select last_number, locked_until from ledger_head where party_id = $1", party_id)
    return (0, None) if row is None else (row["last_number"], row["locked_until"])


async def owed_by(conn: Connection, party_id: UUID, customers: Sequence[str]) -> list[tuple[UUID, str, int]]:
    """What customers owe: (account, currency, minor units), for each currency in which they ever owed something."""
    rows = await conn.fetch(
        "select a.account_id, a.currency, coalesce(sum(b.debit_minor - b.credit_minor), 0)::bigint as minor"
        " from ledger_account a left join ledger_balance b using (account_id)"
        " where a.party_id = $1 and a.code = any ($2) group by 1, 2 order by 2",
        party_id,
        [f"receivable:{one}" for one in customers],
    )
    return [(row["account_id"], row["currency"], row["minor"]) for row in rows]


# -------------------------------------------------------------------------------------------------------------- names


async def names_of_customers(conn: Connection, party_id: UUID, customers: Iterable[str]) -> dict[str, str]:
    """What people know customers by; those that are nobody's any more are left out."""
    by_sort: dict[str, list[UUID]] = {"driver": [], "token": [], "company": [], "host": []}
    for one in set(customers) - {NOBODY}:
        sort, _, value = one.partition(":")
        if sort in by_sort and len(value) == 36:
            by_sort[sort].append(UUID(value))
    rows = await conn.fetch(
        "select 'driver:' || driver_id as customer, name from driver"
        " where party_id = $1 and driver_id = any ($2) and name <> ''"
        " union all select 'token:' || token_id, coalesce(nullif(label, ''), uid) from token"
        " where party_id = $1 and token_id = any ($3)"
        " union all select 'company:' || company_id, name from company where party_id = $1 and company_id = any ($4)"
        " union all select 'host:' || host_id, name from billing_host where party_id = $1 and host_id = any ($5)",
        party_id,
        *by_sort.values(),
    )
    return {row["customer"]: row["name"] for row in rows}


async def customers_called(conn: Connection, party_id: UUID, text: str, *, with_drivers: bool) -> list[str]:
    """Drivers, companies and hosts whose name or e-mail address is this, whatever its case; three of them are enough."""
    rows = await conn.fetch(
        "select 'driver:' || driver_id as customer from driver"
        " where party_id = $1 and $3 and lower($2) in (lower(name), lower(email))"
        " union all select 'company:' || company_id from company"
        " where party_id = $1 and lower($2) in (lower(name), lower(email))"
        " union all select 'host:' || host_id from billing_host where party_id = $1 and lower($2) = lower(name) limit 3",
        party_id,
        text,
        with_drivers,
    )
    return [row["customer"] for row in rows]


async def names_of_actors(conn: Connection, party_id: UUID, actors: Iterable[str]) -> dict[str, str]:
    """Who `operator:<id>` and `key:<id>` are. People of other parties who work for this one stay unnamed."""
    ids = [UUID(one.partition(":")[2]) for one in set(actors) if one.startswith(("operator:", "key:"))]
    if not ids:
        return {}
    rows = await conn.fetch(
        "select 'operator:' || operator_id as actor, name from operator where party_id = $1 and operator_id = any ($2)"
        " union all select 'key:' || api_key_id, name from api_key where party_id = $1 and api_key_id = any ($2)",
        party_id,
        ids,
    )
    return {row["actor"]: row["name"] for row in rows}


async def find_numbers(conn: Connection, party_id: UUID, since: date, until: date) -> tuple[int, int] | None:
    """The numbers of the first and the last entry booked, `since` ≤ day < `until`; None where there is none."""
    row = await conn.fetchrow(
        "select min(number) as first, max(number) as last from ledger_entry"
        " where party_id = $1 and booked_on >= $2 and booked_on < $3",
        party_id,
        since,
        until,
    )
    return None if row is None or row["first"] is None else (row["first"], row["last"])


async def list_journal(
    conn: Connection, party_id: UUID, since: date, until: date, *, after: int, last: int, limit: int
) -> list[tuple[Any, ...]]:
    """Postings of up to `limit` entries booked, `since` ≤ day < `until`, with `after` < number ≤ `last`, in the order of
    the books: number, day, kind, text, account, debit, credit, currency, CDR, entry. Entries are whole."""
    rows = await conn.fetch(
        "select e.number, e.booked_on, e.kind, e.text, a.code, p.amount_minor, p.currency, e.cdr_id, e.entry_id from ("
        "  select number, booked_on, kind, text, cdr_id, entry_id from ledger_entry"
        "  where party_id = $1 and number > $4 and number <= $5 and booked_on >= $2 and booked_on < $3"
        "  order by number limit $6) e"
        " join ledger_posting p on p.entry_id = e.entry_id join ledger_account a on a.account_id = p.account_id"
        " order by e.number, p.position",
        party_id,
        since,
        until,
        after,
        last,
        limit,
    )
    found = []
    for row in rows:
        amount = amount_of(row["amount_minor"], row["currency"])
        sides = (amount, None) if amount > 0 else (None, -amount)
        found.append((*tuple(row.values())[:5], *sides, row["currency"], row["cdr_id"], row["entry_id"]))
    return found
