"""What payments did not cover, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec.structs import asdict

from ohmstead.billing.payments.model import TOO_SMALL, Debt, DebtEnd
from ohmstead.core.db import Connection, Row

DEBT = """
select debt_id, party_id, customer, currency, amount, payment_id, session_id, cdr_id, reason, opened_at, settled_at,
       settled_by, settled_how, note, returned from payment_debt
"""


def debt_of(row: Row) -> Debt:
    return Debt(**dict(row))


# any party: the worker takes them for everybody
async def list_small(
    conn: Connection, least: Sequence[tuple[str, str, Decimal]], most: int
) -> list[tuple[UUID, str, UUID, Decimal, str, UUID]]:
    """Debts that were too small for a card and by now are enough together, by customer: (party, customer, card, sum,
    currency, latest debt). `least`: (provider, currency, what it takes). Who owes for something else pays that first; each
    sum is asked for once."""
    names, currencies, amounts = zip(*least, strict=True) if least else ((), (), ())
    rows = await conn.fetch(
        "select d.party_id, d.customer, m.method_id, d.amount, d.currency, d.latest from ("
        "  select party_id, customer, currency, sum(amount) as amount,"
        "   (array_agg(debt_id order by opened_at desc, debt_id desc))[1] as latest,"
        "   (array_agg(payment_id order by opened_at desc, debt_id desc))[1] as payment_id"
        "  from payment_debt where settled_at is null and reason = $4 group by 1, 2, 3) d"
        " join payment p on p.payment_id = d.payment_id"
        " join stored_method m on m.method_id = p.method_id and m.forgotten_at is null"
        " join unnest($1::text[], $2::text[], $3::numeric[]) as l (provider, currency, least)"
        "  on l.provider = m.provider and l.currency = d.currency and d.amount >= l.least"
        " where not exists (select from payment_debt o where o.party_id = d.party_id and o.customer = d.customer"
        "   and o.settled_at is null and o.reason <> $4)"
        " and not exists (select from payment o where o.party_id = d.party_id and o.customer = d.customer"
        "   and o.purpose = 'debt' and (o.closed_at is null or o.order_key = 'small:' || d.latest))"
        " limit $5",
        list(names),
        list(currencies),
        list(amounts),
        TOO_SMALL,
        most,
    )
    return [tuple(row.values()) for row in rows]


async def insert_debt(conn: Connection, party_id: UUID, debt: Debt) -> None:
    values = asdict(debt)
    names = list(values)
    await conn.execute(
        f"insert into payment_debt ({', '.join(names)}) values ({', '.join(f'${n + 1}' for n in range(len(names)))})",
        *values.values(),
    )


async def find_open_debt(conn: Connection, party_id: UUID, payment_id: UUID) -> Debt | None:
    """Locked."""
    row = await conn.fetchrow(
        f"{DEBT} where party_id = $1 and payment_id = $2 and settled_at is null for update", party_id, payment_id
    )
    return debt_of(row) if row else None


async def sum_settled_debts(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """What of a payment's debts was paid or forgiven, and is still due."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(amount - returned), 0) from payment_debt where party_id = $1 and payment_id = $2"
        " and settled_how in ('paid', 'forgiven')",
        party_id,
        payment_id,
    )
    return found


async def sum_settled_by(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """What debts that a payment settled come to by now."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(amount - returned), 0) from payment_debt where party_id = $1 and settled_by = $2",
        party_id,
        payment_id,
    )
    return found


async def return_debts(conn: Connection, party_id: UUID, payment_id: UUID, amount: Decimal) -> None:
    """So much of what was paid for a payment's debts is due no more: of those settled last first."""
    await conn.execute(
        "with paid as (select debt_id, amount - returned as left_of, sum(amount - returned) over"
        " (order by settled_at desc, debt_id desc) as up_to from payment_debt where party_id = $1 and payment_id = $2"
        " and settled_how = 'paid' and settled_by is not null and returned < amount)"
        " update payment_debt d set returned = d.returned + least(p.left_of, $3 - (p.up_to - p.left_of)) from paid p"
        " where d.debt_id = p.debt_id and p.up_to - p.left_of < $3",
        party_id,
        payment_id,
        amount,
    )


async def lock_debts(
    conn: Connection, party_id: UUID, customer: str, currency: str, debt_id: UUID | None
) -> list[Debt]:
    """A customer's open debts in a currency, oldest first; the named one before all."""
    rows = await conn.fetch(
        f"{DEBT} where party_id = $1 and customer = $2 and currency = $3 and settled_at is null"
        " order by (debt_id = $4) desc nulls last, opened_at, debt_id for update",
        party_id,
        customer,
        currency,
        debt_id,
    )
    return [debt_of(row) for row in rows]


async def lock_debt(conn: Connection, party_id: UUID, debt_id: UUID) -> Debt | None:
    row = await conn.fetchrow(f"{DEBT} where party_id = $1 and debt_id = $2 for update", party_id, debt_id)
    return debt_of(row) if row else None


async def set_debt_amount(conn: Connection, party_id: UUID, debt_id: UUID, amount: Decimal) -> None:
    await conn.execute(
        "update payment_debt set amount = $3 where party_id = $1 and debt_id = $2", party_id, debt_id, amount
    )


async def end_debt(
    conn: Connection, party_id: UUID, debt_id: UUID, how: DebtEnd, at: datetime, by: UUID | None, note: str = ""
) -> None:
    await conn.execute(
        "update payment_debt set settled_at = $4, settled_how = $3, settled_by = $5, note = $6"
        " where party_id = $1 and debt_id = $2",
        party_id,
        debt_id,
        how,
        at,
        by,
        note,
    )
