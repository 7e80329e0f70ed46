"""Payments, debts, disputes and differences as programs and people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.payments.debts.service import DEBT, debt_of
from ohmstead.billing.payments.model import (
    Debt,
    DifferenceState,
    Dispute,
    DisputeState,
    Kept,
    MethodSetup,
    Payment,
    PaymentDifference,
    Purpose,
    State,
    StoredMethod,
)
from ohmstead.billing.payments.store import PAYMENT, payment_of
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.money import Money


class PaymentFilter(Struct, frozen=True, kw_only=True):
    """Which payments; what is None matches all. `since` ≤ asked < `until`."""

    purpose: Purpose | None = None
    state: State | None = None
    customer: str | None = None
    provider: str | None = None
    session: UUID | None = None
    station: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class DebtFilter(Struct, frozen=True, kw_only=True):
    """Which debts. `is_open`: nobody has settled them."""

    customer: str | None = None
    is_open: Annotated[bool | None, Meta(description="Nobody has settled it.")] = None


async def find_time_zone(conn: Connection, party_id: UUID) -> str:
    """Where a party keeps its books."""
    found: str = await conn.fetchval("select time_zone from party where party_id = $1", party_id)
    return found


# whole party: payments are the party's; the API lets nobody in who sees some locations only
async def list_payments(
    conn: Connection,
    party_id: UUID,
    wanted: PaymentFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Payment]:
    """Newest first; `before` is (created_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("purpose = {}", wanted.purpose)
    where.add_given("state = {}", wanted.state)
    where.add_given("customer = {}", wanted.customer)
    where.add_given("provider = {}", wanted.provider)
    where.add_given("session_id = {}", wanted.session)
    where.add_given("station_id = {}", wanted.station)
    where.add_given("created_at >= {}", wanted.since)
    where.add_given("created_at < {}", wanted.until)
    if before:
        where.add("(created_at, payment_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{PAYMENT} where {where.sql} order by created_at desc, payment_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [payment_of(row) for row in rows]


async def get_payment(conn: Connection, party_id: UUID, payment_id: UUID) -> Payment:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{PAYMENT} where party_id = $1 and payment_id = $2", party_id, payment_id)
    if row is None:
        raise NotFound(f"no payment {payment_id}")
    return payment_of(row)


async def list_debts(
    conn: Connection,
    party_id: UUID,
    wanted: DebtFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Debt]:
    """Latest opened first; `before` is (opened_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("customer = {}", wanted.customer)
    where.add_given("(settled_at is null) = {}", wanted.is_open)
    if before:
        where.add("(opened_at, debt_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{DEBT} where {where.sql} order by opened_at desc, debt_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [debt_of(row) for row in rows]


async def get_debt(conn: Connection, party_id: UUID, debt_id: UUID) -> Debt:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{DEBT} where party_id = $1 and debt_id = $2", party_id, debt_id)
    if row is None:
        raise NotFound(f"no debt {debt_id}")
    return debt_of(row)


async def sum_debts(conn: Connection, party_id: UUID, customers: Sequence[str]) -> dict[str, list[Money]]:
    """What customers owe of debts that nobody has settled; those who owe nothing are left out."""
    rows = await conn.fetch(
        "select customer, currency, sum(amount) as amount from payment_debt where party_id = $1 and customer = any ($2)"
        " and settled_at is null group by customer, currency order by customer, currency",
        party_id,
        list(customers),
    )
    found: dict[str, list[Money]] = {}
    for row in rows:
        found.setdefault(row["customer"], []).append(Money(row["amount"], row["currency"]))
    return found


async def list_debts_on(conn: Connection, party_id: UUID, invoice_id: UUID) -> list[UUID]:
    """Open debts for what stands on a document: sessions, and fees of plans, that a card should have paid."""
    rows = await conn.fetch(
        "select d.debt_id from invoice_cdr c join payment_debt d on d.cdr_id = c.cdr_id"
        " where c.party_id = $1 and c.invoice_id = $2 and d.party_id = $1 and d.settled_at is null"
        " union select d.debt_id from invoice_fee f join payment p on p.party_id = f.party_id"
        " and p.order_key = 'plan_fee:' || f.plan_charge_id join payment_debt d on d.payment_id = p.payment_id"
        " where f.party_id = $1 and f.invoice_id = $2 and d.party_id = $1 and d.settled_at is null order by debt_id",
        party_id,
        invoice_id,
    )
    return [row["debt_id"] for row in rows]


_DISPUTE = """
select dispute_id, party_id, payment_id, provider, provider_ref, state, currency, amount, reason, opened_at, closed_at
from payment_dispute
"""


async def list_disputes(
    conn: Connection,
    party_id: UUID,
    *,
    state: DisputeState | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Dispute]:
    """Latest opened first."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("state = {}", state)
    if before:
        where.add("(opened_at, dispute_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_DISPUTE} where {where.sql} order by opened_at desc, dispute_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [Dispute(**dict(row)) for row in rows]


_DIFFERENCE = """
select difference_id, party_id, kind, provider, payment_id, cdr_id, currency, expected, found, text, found_at, state, note,
       decided_at, decided_by from payment_difference
"""


async def list_differences(
    conn: Connection,
    party_id: UUID,
    *,
    state: DifferenceState | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[PaymentDifference]:
    """Latest found first."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("state = {}", state)
    if before:
        where.add("(found_at, difference_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_DIFFERENCE} where {where.sql} order by found_at desc, difference_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [PaymentDifference(**dict(row)) for row in rows]


async def get_difference(conn: Connection, party_id: UUID, difference_id: UUID) -> PaymentDifference:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_DIFFERENCE} where party_id = $1 and difference_id = $2", party_id, difference_id)
    if row is None:
        raise NotFound(f"no difference {difference_id}")
    return PaymentDifference(**dict(row))


async def list_methods(conn: Connection, party_id: UUID, driver_id: UUID) -> list[StoredMethod]:
    """A driver's, the one that is used first, then the latest."""
    rows = await conn.fetch(
        "select method_id, party_id, driver_id, provider, kind, brand, last4, expires_on, is_default from stored_method"
        " where party_id = $1 and driver_id = $2 and forgotten_at is null and leaves_at is null"
        " order by is_default desc, created_at desc",
        party_id,
        driver_id,
    )
    return [StoredMethod(**dict(row)) for row in rows]


async def get_setup(conn: Connection, party_id: UUID, setup_id: UUID) -> MethodSetup:
    """Raises NotFound."""
    row = await conn.fetchrow(
        "select setup_id, party_id, driver_id, provider, state, url, method_id, failure, created_at from method_setup"
        " where party_id = $1 and setup_id = $2",
        party_id,
        setup_id,
    )
    if row is None:
        raise NotFound(f"no setup {setup_id}")
    return MethodSetup(**dict(row))


# Why money that was held, or was taken ahead, goes back: nothing was due for its session.
NOT_BILLED: Final = "not_billed"


# any party: the worker looks after everybody's
async def list_taken_for_nothing(conn: Connection, most: int) -> list[tuple[UUID, UUID]]:
    """(party, payment) of holds that were captured since they ended, and whose session certainly comes to nothing."""
    rows = await conn.fetch(
        "select p.party_id, p.payment_id from payment p join unbillable_session u on u.party_id = p.party_id"
        " and u.session_id = p.session_id where p.state = 'captured' and p.is_hold and p.cdr_id is null"
        " and p.captured > p.refunded + p.disputed"
        " and (u.decision = 'never' or u.decision is null and u.reason in ('no_energy', 'too_short', 'test', 'no_tariff'))"
        " and not exists (select from payment_operation o where o.payment_id = p.payment_id and o.kind = 'refund'"
        " and o.reason = $2) limit $1",
        most,
        NOT_BILLED,
    )
    return [(row["party_id"], row["payment_id"]) for row in rows]


# What is wrong between payments and books, each as a query whose rows are faults.
_FAULTS = {
    "payment": """
        select 'payment ' || p.payment_id || ' has ' || (p.captured - p.refunded - p.disputed) || ' ' || p.currency
               || ', and the books ' || coalesce(b.minor, 0) || ' minor units' as text
        from payment p left join (
            select split_part(e.idempotency_key, ':', 2) as payment, sum(l.amount_minor) as minor
            from ledger_entry e join ledger_posting l using (entry_id)
            join ledger_account a on a.account_id = l.account_id and a.kind = 'psp_clearing'
            where e.party_id = $1 and e.kind in ('payment_captured', 'payment_refunded', 'payment_disputed',
                                                 'payment_dispute_won') group by 1) b
        on b.payment = p.payment_id::text
        where p.party_id = $1
          and (p.captured - p.refunded - p.disputed) * {scale} <> coalesce(b.minor, 0) order by p.payment_id""",
    "payment_entry": """
        select 'entry ' || e.number || ' is of a payment that there is not' as text from ledger_entry e
        where e.party_id = $1 and e.kind like 'payment\\_%' and not exists (select from payment p
            where p.party_id = $1 and p.payment_id::text = split_part(e.idempotency_key, ':', 2)) order by e.number""",
}
_SCALE = "(case when p.currency = any ($3) then 1 when p.currency = any ($4) then 1000 else 100 end)"


# whole party: for the command that checks the books
async def list_faults(
    conn: Connection, party_id: UUID, most: int, whole: Sequence[str], thousandths: Sequence[str]
) -> list[tuple[str, str]]:
    """(check, text) of what is wrong, at most `most` of each. `whole`, `thousandths`: currencies by their minor units."""
    found: list[tuple[str, str]] = []
    for name, sql in _FAULTS.items():
        if "{scale}" in sql:
            query = f"select text from ({sql.format(scale=_SCALE)}) x limit $2"
            rows = await conn.fetch(query, party_id, most, list(whole), list(thousandths))
        else:
            rows = await conn.fetch(f"select text from ({sql}) x limit $2", party_id, most)
        found += [(name, row["text"]) for row in rows]
    return found


# whole party: a customer's, wherever they charged
async def sum_kept(conn: Connection, party_id: UUID, customer: str, currency: str) -> Decimal:
    """What a customer has paid and not got back."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(captured - refunded - disputed), 0) from payment"
        " where party_id = $1 and customer = $2 and currency = $3",
        party_id,
        customer,
        currency,
    )
    return found


# --------------------------------------------------------------------------------------------------- payments and CDRs


async def list_of_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By session, the payments that cover it: with which it was begun, that were made for it, or charged to a stored card."""
    rows = await conn.fetch(
        # Two ways, each by its index.
        "select s.session_id, p.payment_id from session s"
        " join payment p on p.party_id = s.party_id and p.token_key = s.token_key"
        " where s.party_id = $1 and s.session_id = any ($2) and p.purpose = 'session' and p.is_hold"
        " union select p.session_id, p.payment_id from payment p"
        " where p.party_id = $1 and p.session_id = any ($2) and p.purpose = 'session' order by 1, 2",
        party_id,
        list(session_ids),
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(row["payment_id"])
    return found


async def list_with_payers(conn: Connection, party_id: UUID, payment_ids: Sequence[UUID]) -> list[UUID]:
    """Payments, and those that settled what these left owed, in the order in which they are locked."""
    rows = await conn.fetch(
        # Debts by their payment's index: not all that a party has, to be joined.
        "with recursive line as (select unnest($2::uuid[]) as payment_id union"
        " select d.settled_by from line cross join lateral (select b.party_id, b.settled_by from payment_debt b"
        " where b.payment_id = line.payment_id and b.settled_by is not null offset 0) d where d.party_id = $1)"
        " select payment_id from line order by payment_id",
        party_id,
        list(payment_ids),
    )
    return [row["payment_id"] for row in rows]


# whole party: payments are, and nobody who sees some locations only reads this
async def find_due(conn: Connection, party_id: UUID, kept: Kept) -> tuple[str, Decimal, UUID | None] | None:
    """(currency, sum, last charge) of the CDRs of a payment's session; None where nothing was billed."""
    payment = kept.payment
    row = await conn.fetchrow(
        "select c.currency, sum(c.total) as due,"
        " (array_agg(c.cdr_id order by c.version desc) filter (where c.kind = 'charge'))[1] as cdr_id"
        " from cdr c where c.party_id = $1 and c.session_id in (select $2::uuid union"
        " select s.session_id from session s where s.party_id = $1 and s.token_key = lower($3))"
        " group by c.currency order by max(c.created_at) desc limit 1",
        party_id,
        payment.session_id,
        payment.token_uid,
    )
    return (row["currency"], row["due"], row["cdr_id"]) if row else None


async def is_refund_given_up(conn: Connection, party_id: UUID, payment_id: UUID) -> bool:
    """Was the last refund that was asked for refused, or not answered for too long?"""
    state = await conn.fetchval(
        "select state from payment_operation where party_id = $1 and payment_id = $2 and kind = 'refund'"
        " order by created_at desc, operation_id desc limit 1",
        party_id,
        payment_id,
    )
    return bool(state == "failed")
