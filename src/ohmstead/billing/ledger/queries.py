"""The ledger, read: accounts with balances, their entries, closed months; and what `ledger verify` looks at."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.ledger.entries import AccountKind, amount_of
from ohmstead.billing.ledger.model import LedgerAccount, LedgerLock, LedgerPosting
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound


class AccountFilter(Struct, frozen=True, kw_only=True):
    """Which accounts; what is None matches all. `until`: balances at the end of this day."""

    kind: AccountKind | None = None
    code: str | None = None
    currency: str | None = None
    until: date | None = None


_ACCOUNT = """
select a.account_id, a.code, a.kind, a.detail, a.currency, a.opened_at, b.debit_minor, b.credit_minor
from ledger_account a cross join lateral (
    select coalesce(sum(debit_minor), 0)::bigint as debit_minor, coalesce(sum(credit_minor), 0)::bigint as credit_minor
    from ledger_balance where account_id = a.account_id and {until}) b
"""


def _account(row: Row) -> LedgerAccount:
    fields = dict(row)
    debit, credit = fields.pop("debit_minor"), fields.pop("credit_minor")
    currency = fields["currency"]
    return LedgerAccount(
        debit=amount_of(debit, currency),
        credit=amount_of(credit, currency),
        balance=amount_of(debit - credit, currency),
        **fields,
    )


async def list_accounts(
    conn: Connection,
    party_id: UUID,
    wanted: AccountFilter,
    *,
    after: tuple[str, str] | None = None,
    limit: int = 100,
) -> list[LedgerAccount]:
    """By code and currency; `after` is (code, currency) of the last one of the page before."""
    where = Conditions()
    until = "true" if wanted.until is None else f"booked_on <= {where.parameter(wanted.until)}"
    where.add("a.party_id = {}", party_id)
    where.add_given("a.kind = {}", wanted.kind)
    where.add_given("a.currency = {}", wanted.currency)
    if wanted.code is not None:
        where.add("starts_with(a.code, {})", wanted.code)
    if after:
        where.add("(a.code, a.currency) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_ACCOUNT.format(until=until)} where {where.sql} order by a.code, a.currency limit {where.parameter(limit)}",
        *where.values,
    )
    return [_account(row) for row in rows]


async def get_account(conn: Connection, party_id: UUID, account_id: UUID) -> LedgerAccount:
    """Raises NotFound."""
    sql = _ACCOUNT.format(until="true")
    row = await conn.fetchrow(f"{sql} where a.party_id = $1 and a.account_id = $2", party_id, account_id)
    if row is None:
        raise NotFound(f"no account {account_id}")
    return _account(row)


async def list_postings(
    conn: Connection,
    party_id: UUID,
    account_id: UUID,
    *,
    since: date | None = None,
    until: date | None = None,
    before: tuple[int, int] | None = None,
    limit: int = 100,
) -> list[LedgerPosting]:
    """Newest entry first; `before` is (number, position) of the last one of the page before. `since` ≤ day < `until`."""
    where = Conditions()
    where.add("p.party_id = {}", party_id)
    where.add("p.account_id = {}", account_id)
    where.add_given("p.booked_on >= {}", since)
    where.add_given("p.booked_on < {}", until)
    if before:
        where.add("(p.number, p.position) < ({}, {})", *before)
    rows = await conn.fetch(
        "select p.entry_id, p.number, p.position, p.booked_on, e.kind, e.text, e.cdr_id, p.amount_minor, p.currency,"
        " e.created_at, e.created_by from ledger_posting p join ledger_entry e using (entry_id)"
        f" where {where.sql} order by p.number desc, p.position desc limit {where.parameter(limit)}",
        *where.values,
    )
    found = []
    for row in rows:
        fields = dict(row)
        minor = fields.pop("amount_minor")
        found.append(LedgerPosting(amount=amount_of(minor, fields["currency"]), **fields))
    return found


async def list_locks(
    conn: Connection, party_id: UUID, *, before: date | None = None, limit: int = 100
) -> list[LedgerLock]:
    """Latest month first."""
    rows = await conn.fetch(
        "select month, locked_at, locked_by from ledger_lock where party_id = $1 and ($2::date is null or month < $2)"
        " order by month desc limit $3",
        party_id,
        before,
        limit,
    )
    return [
        LedgerLock(month=f"{row['month']:%Y-%m}", locked_at=row["locked_at"], locked_by=row["locked_by"])
        for row in rows
    ]


# any party: the command that checks the books belongs to whoever owns the machine
async def list_books(conn: Connection) -> list[tuple[UUID, str]]:
    """(party, name) of every party, by name."""
    return [(r["party_id"], r["name"]) for r in await conn.fetch("select party_id, name from party order by name, 1")]


async def count_entries(conn: Connection, party_id: UUID) -> int:
    n: int = await conn.fetchval("select count(*) from ledger_entry where party_id = $1", party_id)
    return n


# What is wrong, each as a query whose rows are faults. Of each at most a hundred are told.
_CHECKS = {
    "unbalanced": """
        select 'entry ' || e.number || ' is off by ' || sum(p.amount_minor) || ' minor units of ' || p.currency as text
        from ledger_entry e join ledger_posting p using (entry_id) where e.party_id = $1
        group by e.number, p.currency having sum(p.amount_minor) <> 0 order by e.number""",
    "postings": """
        select 'entry ' || e.number || ' has ' || count(p.*) || ' postings, not ' || e.n_postings as text
        from ledger_entry e left join ledger_posting p using (entry_id) where e.party_id = $1
        group by e.entry_id, e.number, e.n_postings having count(p.*) <> e.n_postings order by e.number""",
    "total": """
        select 'all postings in ' || currency || ' are off by ' || sum(amount_minor) || ' minor units' as text
        from ledger_posting where party_id = $1 group by currency having sum(amount_minor) <> 0 order by currency""",
    "stray": """
        select 'posting ' || p.position || ' of entry ' || p.number || ' does not fit its entry or account' as text
        from ledger_posting p left join ledger_entry e using (entry_id) left join ledger_account a using (account_id)
        where p.party_id = $1 and (e.party_id, e.number, e.booked_on, a.party_id, a.currency)
            is distinct from (p.party_id, p.number, p.booked_on, p.party_id, p.currency) order by p.number""",
    "balance": """
        select 'the balance of ' || a.code || ' in ' || a.currency || ' on ' || booked_on || ' is not what was posted' as text
        from (select account_id, booked_on, sum(greatest(amount_minor, 0)) as debit, sum(greatest(-amount_minor, 0)) as credit
              from ledger_posting where party_id = $1 group by account_id, booked_on) p
        full join (select * from ledger_balance where party_id = $1) b using (account_id, booked_on)
        join ledger_account a using (account_id)
        where (p.debit, p.credit) is distinct from (b.debit_minor, b.credit_minor) order by a.code, booked_on""",
    "standing": """
        select 'what is on ' || a.code || ' in ' || a.currency || ' is not what was posted' as text
        from (select account_id, sum(amount_minor) as minor from ledger_posting where party_id = $1 group by account_id) p
        full join (select * from ledger_standing where party_id = $1) s using (account_id)
        join ledger_account a using (account_id) where p.minor is distinct from s.balance_minor order by a.code""",
    "sum": """
        select 'the sum of ' || kind || ' by ' || entry_kind || ' in ' || to_char(month, 'YYYY-MM') || ' is not what was posted'
            as text
        from (select p.currency, date_trunc('month', p.booked_on)::date as month, a.kind,
                     case when a.kind in ('receivable', 'wallet', 'host_share') then split_part(a.detail, ':', 1) else '' end
                         as whose, e.kind as entry_kind,
                     sum(greatest(p.amount_minor, 0)) as debit, sum(greatest(-p.amount_minor, 0)) as credit
              from ledger_posting p join ledger_account a using (account_id) join ledger_entry e using (entry_id)
              where p.party_id = $1 group by 1, 2, 3, 4, 5) p
        full join (select * from ledger_sum where party_id = $1) s using (currency, month, kind, whose, entry_kind)
        where (p.debit, p.credit) is distinct from (s.debit_minor, s.credit_minor) order by month, kind""",
    "month": """
        select 'the count of ' || kind || ' in ' || to_char(month, 'YYYY-MM') || ' is not that of its entries' as text
        from (select date_trunc('month', booked_on)::date as month, kind, count(*) as n, min(number) as first,
                     max(number) as last from ledger_entry where party_id = $1 group by 1, 2) e
        full join (select * from ledger_month where party_id = $1) m using (month, kind)
        where (e.n, e.first, e.last) is distinct from (m.n_entries, m.first_number, m.last_number) order by month""",
    "day": """
        select 'CDR ' || c.cdr_id || ' is not of the day on which it was booked' as text
        from cdr c join ledger_entry e on e.cdr_id = c.cdr_id
        where c.party_id = $1 and c.booked_on <> e.booked_on order by c.created_at""",
    "undocumented": """
        select case when u.cdr_id is null then 'CDR ' || c.cdr_id || ' stands on no document, and would come on none'
                    else 'CDR ' || u.cdr_id || ' would come on a document and is not to' end as text
        from (select cdr_id from cdr c where party_id = $1 and kind = 'charge' and total <> 0
              and split_part(customer, ':', 1) in ('driver', 'company', 'partner')
              and not exists (select from cdr k where k.credits_id = c.cdr_id)
              and not exists (select from invoice_cdr d where d.cdr_id = c.cdr_id)) c
        full join (select cdr_id from cdr_undocumented where party_id = $1) u using (cdr_id)
        where c.cdr_id is null or u.cdr_id is null""",
    "gap": """
        select case when number - before = 2 then 'entry ' || number - 1 || ' is missing'
                    else 'entries ' || before + 1 || ' to ' || number - 1 || ' are missing' end as text
        from (select number, coalesce(lag(number) over (order by number), 0) as before from
              (select number from ledger_entry where party_id = $1
               union select last_number + 1 from ledger_head where party_id = $1) n) x
        where number > before + 1 order by number""",
    "beyond": """
        select 'entry ' || e.number || ' is beyond the end that was noted' as text from ledger_entry e
        left join ledger_head h using (party_id) where e.party_id = $1 and e.number > coalesce(h.last_number, 0)
        order by e.number""",
    "closed": """
        select 'entry ' || e.number || ' was booked on ' || e.booked_on || ' after that month was closed' as text
        from ledger_entry e where e.party_id = $1 and exists (select from ledger_lock l where l.party_id = $1
            and e.booked_on < l.month + interval '1 month' and e.created_at > l.locked_at) order by e.number""",
}


# whole party: the books are the party's
async def list_faults(conn: Connection, party_id: UUID, most: int) -> list[tuple[str, str]]:
    """(which check, what is wrong) of a party's books by themselves."""
    found: list[tuple[str, str]] = []
    for name, sql in _CHECKS.items():
        rows: list[Any] = await conn.fetch(f"{sql} limit $2", party_id, most)
        found += [(name, row["text"]) for row in rows]
    return found
