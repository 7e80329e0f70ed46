"""Statements of providers and what does not agree with them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.payments.ports import BalanceLine
from ohmstead.core.db import Connection, Row
from ohmstead.core.ids import new_id


class Found(Struct, frozen=True, kw_only=True):
    """A difference. `key`: the same one has the same key for ever. `expected`: by our books; `found`: by the other side."""

    key: str
    kind: str
    provider: str | None
    payment_id: UUID | None
    cdr_id: UUID | None
    currency: str
    expected: Decimal
    found: Decimal
    text: str


async def put(conn: Connection, party_id: UUID, found: Sequence[Found], at: datetime) -> int:
    """Keep differences; one that is known keeps its time and what was said about it. Returns how many are new."""
    n_new = 0
    for one in found:
        row = await conn.fetchrow(
            "insert into payment_difference (difference_id, party_id, key, kind, provider, payment_id, cdr_id, currency,"
            " expected, found, text, found_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            " on conflict (party_id, key) do update set expected = excluded.expected, found = excluded.found,"
            " text = excluded.text, state = case when payment_difference.state = 'gone' then 'open'"
            " else payment_difference.state end returning xmax = 0 as is_new",
            new_id(),
            party_id,
            one.key,
            one.kind,
            one.provider,
            one.payment_id,
            one.cdr_id,
            one.currency,
            one.expected,
            one.found,
            one.text,
            at,
        )
        n_new += bool(row and row["is_new"])
    return n_new


async def leave_only(
    conn: Connection, party_id: UUID, provider: str | None, kinds: Sequence[str], keys: Sequence[str]
) -> int:
    """Differences of these kinds that were not found again are gone; how many."""
    rows = await conn.fetch(
        "update payment_difference set state = 'gone' where party_id = $1 and provider is not distinct from $2"
        " and kind = any ($3) and key <> all ($4) and state = 'open' returning difference_id",
        party_id,
        provider,
        list(kinds),
        list(keys),
    )
    return len(rows)


async def count_open(conn: Connection, party_id: UUID) -> int:
    """Those that nobody has explained."""
    n: int = await conn.fetchval(
        "select count(*) from payment_difference where party_id = $1 and state = 'open'", party_id
    )
    return n


async def explain(conn: Connection, party_id: UUID, difference_id: UUID, note: str, at: datetime, by: str) -> None:
    await conn.execute(
        "update payment_difference set state = 'explained', note = $3, decided_at = $4, decided_by = $5"
        " where party_id = $1 and difference_id = $2",
        party_id,
        difference_id,
        note,
        at,
        by,
    )


async def find_until(conn: Connection, provider: str) -> datetime | None:
    """Up to when its account was compared with ours."""
    found: datetime | None = await conn.fetchval(
        "select until_at from payment_reconciliation where provider = $1", provider
    )
    return found


async def set_until(conn: Connection, provider: str, until: datetime, at: datetime) -> None:
    await conn.execute(
        "insert into payment_reconciliation values ($1, $2, $3)"
        " on conflict (provider) do update set until_at = greatest(payment_reconciliation.until_at, $2), ran_at = $3",
        provider,
        until,
        at,
    )


# any party: a provider's account is the installation's; each line goes to the party whose payment it is of
async def match_lines(conn: Connection, provider: str, lines: Sequence[BalanceLine]) -> dict[str, tuple[UUID, UUID]]:
    """(party, payment) of lines by what they name."""
    refs = sorted({line.payment_ref for line in lines if line.payment_ref is not None})
    rows = await conn.fetch(
        "select payment_id, party_id, provider_ref, checkout_ref from payment where provider = $1"
        " and (provider_ref = any ($2) or checkout_ref = any ($2))",
        provider,
        refs,
    )
    found = {}
    for row in rows:
        for name in ("provider_ref", "checkout_ref"):
            if row[name] is not None:
                found[row[name]] = (row["party_id"], row["payment_id"])
    return found


# any party: what is nobody's in particular belongs to the party that runs the installation
async def find_owner(conn: Connection) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "select party_id from party where owns_installation order by created_at limit 1"
    )
    return found


# any party: every line says whose it is
async def insert_lines(
    conn: Connection, provider: str, rows: Sequence[tuple[BalanceLine, UUID, UUID | None]]
) -> list[str]:
    """Lines of a statement; the refs of those that are new."""
    new = []
    for line, party_id, payment_id in rows:
        ref = await conn.fetchval(
            "insert into payment_balance_line (provider, ref, party_id, kind, payment_id, currency, gross, fee, at, text)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (provider, ref) do update"
            # The statement may have had it before we were told of its payment.
            " set payment_id = excluded.payment_id where payment_balance_line.payment_id is null"
            " and payment_balance_line.party_id = excluded.party_id and excluded.payment_id is not null"
            " returning case when xmax = 0 then ref end",
            provider,
            line.ref,
            party_id,
            line.kind,
            payment_id,
            line.currency,
            line.gross,
            line.fee,
            line.at,
            line.text,
        )
        if ref is not None:
            new.append(ref)
    return new


# any party: whoever has payments with a provider
async def list_parties(conn: Connection, provider: str) -> list[UUID]:
    rows = await conn.fetch(
        "select party_id from payment where provider = $1 union select party_id from payment_balance_line"
        " where provider = $1 order by 1",
        provider,
    )
    return [row["party_id"] for row in rows]


async def list_unknown(conn: Connection, party_id: UUID, provider: str) -> list[Row]:
    """Lines about charges and refunds that are of no payment of ours."""
    return await conn.fetch(
        "select ref, kind, currency, gross, at, text from payment_balance_line where party_id = $1 and provider = $2"
        " and payment_id is null and kind in ('charge', 'refund', 'dispute', 'other') and gross <> 0 order by at, ref",
        party_id,
        provider,
    )


async def list_unequal(conn: Connection, party_id: UUID, provider: str, until: datetime) -> list[Row]:
    """Payments whose statement says something else than we do, of what was captured before then."""
    return await conn.fetch(
        "select p.payment_id, p.cdr_id, p.currency, p.captured, p.refunded, coalesce(l.charged, 0) as charged,"
        " coalesce(l.refunded, 0) as given_back, l.n is not null as is_told from payment p left join ("
        " select payment_id, count(*) as n, sum(gross) filter (where kind = 'charge') as charged,"
        " -sum(gross) filter (where kind = 'refund') as refunded from payment_balance_line"
        " where provider = $2 and payment_id is not null group by payment_id) l using (payment_id)"
        " where p.party_id = $1 and p.provider = $2 and (p.closed_at < $3 or l.n is not null)"
        " and (p.captured <> coalesce(l.charged, 0) or p.refunded <> coalesce(l.refunded, 0)) order by p.payment_id",
        party_id,
        provider,
        until,
    )


async def list_clearing(conn: Connection, party_id: UUID, provider: str) -> list[Row]:
    """By currency: what the provider's statement leaves on the account, and what the books do."""
    return await conn.fetch(
        "select coalesce(l.currency, b.currency) as currency, coalesce(l.net, 0) as net, coalesce(b.minor, 0) as minor"
        " from (select currency, sum(gross - fee) as net from payment_balance_line where party_id = $1 and provider = $2"
        " group by currency) l full join (select a.currency, sum(x.debit_minor - x.credit_minor) as minor"
        " from ledger_account a join ledger_balance x using (account_id) where a.party_id = $1"
        " and a.kind = 'psp_clearing' and a.detail = $2 group by a.currency) b using (currency)",
        party_id,
        provider,
    )


async def list_uncovered(conn: Connection, party_id: UUID) -> list[Row]:
    """Guests' CDRs that their payment, what people gave back, and debts do not come to."""
    return await conn.fetch(
        "select p.payment_id, p.cdr_id, c.currency, c.due, p.captured - p.refunded - p.disputed as kept,"
        " coalesce(d.amount, 0) + coalesce(g.amount, 0) as owed from payment p"
        " join (select customer, currency, sum(total) as due from cdr where party_id = $1"
        " and customer like 'payment:%' group by customer, currency) c on c.customer = p.customer"
        " left join (select payment_id, sum(amount - returned) as amount from payment_debt where party_id = $1"
        " and (settled_at is null or settled_how in ('paid', 'forgiven')) group by payment_id) d"
        " on d.payment_id = p.payment_id"
        " left join (select payment_id, sum(amount) as amount from payment_operation where party_id = $1"
        " and kind = 'refund' and state <> 'failed' and details ? 'goodwill' group by payment_id) g"
        " on g.payment_id = p.payment_id"
        " where p.party_id = $1 and p.is_hold and p.state in ('captured', 'released', 'failed')"
        " and greatest(c.due - coalesce(g.amount, 0), 0) <> p.captured - p.refunded - p.disputed + coalesce(d.amount, 0)"
        " order by p.payment_id",
        party_id,
    )
