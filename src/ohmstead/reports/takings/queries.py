"""Payments for pages: read-only SQL over payments, what was done for them, debts, disputes and differences."""

from __future__ import annotations

from datetime import date
from typing import Final
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.ledger.entries import amount_of
from ohmstead.billing.payments.model import Payment, Purpose, State
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.reports.search.queries import id_bounds
from ohmstead.reports.takings.model import PaymentEvent, PaymentPage, PaymentRefs, PaymentSum, Waiting

MOST_COUNTED: Final = 100_000
# A state of the list is one or more of payments.
SHOWS: Final[dict[str, tuple[State, ...]]] = {
    "waiting": ("created", "authorizing"),
    "held": ("held", "capturing", "releasing"),
    "captured": ("captured",),
    "released": ("released",),
    "failed": ("failed",),
}
_COLUMNS: Final = ", ".join(f"p.{name}" for name in Payment.__struct_fields__)


class PaymentWanted(Struct, frozen=True, kw_only=True):
    """Which payments; what is None matches all. `first` to `last`: asked on these days of the party's, both included."""

    show: str = "all"
    text: str | None = None
    purpose: Purpose | None = None
    provider: str | None = None
    customer: str | None = None
    first: date | None = None
    last: date | None = None
    is_given_back: bool = False


def _where(party_id: UUID, wanted: PaymentWanted) -> Conditions:
    where = Conditions()
    where.add("p.party_id = {}", party_id)
    if wanted.show in SHOWS:
        where.add("p.state = any ({})", list(SHOWS[wanted.show]))
    if wanted.is_given_back:
        where.add("p.refunded > 0 or p.disputed > 0")
    where.add_given("p.purpose = {}", wanted.purpose)
    where.add_given("p.provider = {}", wanted.provider)
    where.add_given("p.customer = {}", wanted.customer)
    zone = "(select time_zone from party y where y.party_id = p.party_id)"
    where.add_given(f"(p.created_at at time zone {zone})::date >= {{}}", wanted.first)
    where.add_given(f"(p.created_at at time zone {zone})::date <= {{}}", wanted.last)
    if wanted.text:
        _add_text(where, wanted.text)
    return where


def _add_text(where: Conditions, text: str) -> None:
    """By the beginning of an id, by what the provider calls it, or by a part of an address, a station or a description."""
    pieces = ["p.provider_ref = {}", "p.checkout_ref = {}"]
    values: list[object] = [text, text]
    bounds = id_bounds(text)
    if bounds is not None:
        for name in ("p.payment_id", "p.session_id", "p.cdr_id"):
            pieces.append(f"{name} between {{}}::uuid and {{}}::uuid")
            values += bounds
    words = "concat_ws(' ', p.email, p.station_id, p.description, p.token_uid)"
    where.add(" or ".join([*pieces, f"{words} ilike {{}}"]), *values, like(text))


# whole party: payments are the party's; pages let nobody in who sees some locations only
async def list_payments(
    conn: Connection, party_id: UUID, wanted: PaymentWanted, *, limit: int = 50, offset: int = 0
) -> PaymentPage:
    """Newest first, with what all that match come to."""
    where = _where(party_id, wanted)
    sums = await conn.fetch(
        "select currency, count(*) as n, sum(captured) as captured, sum(refunded + disputed) as given_back,"
        " coalesce(sum(amount) filter (where state in ('held', 'capturing', 'releasing')), 0) as held"
        f" from (select p.* from payment p where {where.sql} limit {MOST_COUNTED + 1}) x"
        " group by currency order by n desc, currency",
        *where.values,
    )
    rows = await conn.fetch(
        f"select {_COLUMNS} from payment p where {where.sql} order by p.created_at desc, p.payment_id desc"
        f" limit {where.parameter(limit)} offset {where.parameter(offset)}",
        *where.values,
    )
    return PaymentPage(
        rows=[Payment(**row) for row in rows],
        sums=[PaymentSum(**row) for row in sums],
        is_counted=sum(row["n"] for row in sums) <= MOST_COUNTED,
    )


# whole party: payments are the party's; pages let nobody in who sees some locations only
async def list_providers(conn: Connection, party_id: UUID) -> list[str]:
    """Those through whom anything was ever asked."""
    rows = await conn.fetch("select distinct provider from payment where party_id = $1 order by 1", party_id)
    return [row["provider"] for row in rows]


async def find_refs(conn: Connection, party_id: UUID, payment_id: UUID) -> PaymentRefs:
    """What the provider calls it; nothing for one that there is not."""
    row = await conn.fetchrow(
        "select provider_ref, checkout_ref from payment where party_id = $1 and payment_id = $2", party_id, payment_id
    )
    return PaymentRefs(**row) if row is not None else PaymentRefs(provider_ref=None, checkout_ref=None)


async def documents_of(conn: Connection, party_id: UUID, payment_id: UUID) -> dict[UUID, str]:
    """The documents that it was asked for, or that it pays, by number."""
    rows = await conn.fetch(
        "select invoice_id, number from invoice where party_id = $1 and invoice_id in ("
        " select invoice_id from invoice_order where payment_id = $2"
        " union select invoice_id from invoice_payment where party_id = $1 and payment_id = $2)"
        " order by created_at, invoice_id limit 20",
        party_id,
        payment_id,
    )
    return {row["invoice_id"]: row["number"] for row in rows}


async def list_of_session(conn: Connection, party_id: UUID, session_id: UUID) -> list[Payment]:
    """What was asked for a session, oldest first."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from payment p where p.party_id = $1 and p.session_id = $2 order by p.created_at limit 100",
        party_id,
        session_id,
    )
    return [Payment(**row) for row in rows]


async def list_events(conn: Connection, party_id: UUID, payment_id: UUID, currency: str) -> list[PaymentEvent]:
    """All that was done for a payment, told of it and booked, oldest first."""
    found = await _operations(conn, party_id, payment_id)
    found += await _webhooks(conn, party_id, payment_id)
    found += await _entries(conn, party_id, payment_id, currency)
    found += await _disputes(conn, party_id, payment_id)
    return sorted(found, key=lambda one: one.at)


async def _operations(conn: Connection, party_id: UUID, payment_id: UUID) -> list[PaymentEvent]:
    rows = await conn.fetch(
        "select kind, state, amount, reason, last_error, n_tries, created_at, created_by, finished_at"
        " from payment_operation where party_id = $1 and payment_id = $2",
        party_id,
        payment_id,
    )
    return [
        PaymentEvent(
            at=row["created_at"],
            sort="operation",
            kind=row["kind"],
            state=row["state"],
            amount=row["amount"],
            text=row["last_error"] or row["reason"],
            by=row["created_by"],
            n_tries=row["n_tries"],
            ended_at=row["finished_at"],
        )
        for row in rows
    ]


async def _webhooks(conn: Connection, party_id: UUID, payment_id: UUID) -> list[PaymentEvent]:
    rows = await conn.fetch(
        "select w.event_id, w.kind, w.received_at, w.outcome from payment p join payment_webhook w"
        " on w.provider = p.provider and (w.payment_id = p.payment_id or p.provider_ref = any (w.refs)"
        " or p.checkout_ref = any (w.refs)) where p.party_id = $1 and p.payment_id = $2 limit 200",
        party_id,
        payment_id,
    )
    return [
        PaymentEvent(
            at=row["received_at"], sort="webhook", kind=row["kind"], state=row["outcome"] or "", ref=row["event_id"]
        )
        for row in rows
    ]


async def _entries(conn: Connection, party_id: UUID, payment_id: UUID, currency: str) -> list[PaymentEvent]:
    rows = await conn.fetch(
        "select e.entry_id, e.number, e.kind, e.created_at, e.created_by,"
        " (select coalesce(sum(p.amount_minor), 0)::bigint from ledger_posting p where p.entry_id = e.entry_id"
        "  and p.amount_minor > 0) as minor"
        " from ledger_entry e where e.party_id = $1 and starts_with(e.idempotency_key, $2)",
        party_id,
        f"payment:{payment_id}:",
    )
    return [
        PaymentEvent(
            at=row["created_at"],
            sort="entry",
            kind=row["kind"],
            state="done",
            amount=amount_of(row["minor"], currency),
            text=str(row["number"]),
            by=row["created_by"],
            ref=str(row["entry_id"]),
        )
        for row in rows
    ]


async def _disputes(conn: Connection, party_id: UUID, payment_id: UUID) -> list[PaymentEvent]:
    rows = await conn.fetch(
        "select provider_ref, state, amount, reason, opened_at, closed_at from payment_dispute"
        " where party_id = $1 and payment_id = $2",
        party_id,
        payment_id,
    )
    return [
        PaymentEvent(
            at=row["opened_at"],
            sort="dispute",
            kind="dispute",
            state=row["state"],
            amount=row["amount"],
            text=row["reason"],
            ref=row["provider_ref"],
            ended_at=row["closed_at"],
        )
        for row in rows
    ]


# whole party: who sees some locations only is shown the first of these alone, by another query
async def count_waiting(conn: Connection, party_id: UUID) -> Waiting:
    """Sessions to decide about, debts that nobody settled, disputes that are open, differences that nobody explained."""
    row = await conn.fetchrow(
        "select (select count(*) from unbillable_session where party_id = $1 and decision is null) as n_sessions,"
        " (select count(*) from payment_debt where party_id = $1 and settled_at is null) as n_debts,"
        " (select count(*) from payment_dispute where party_id = $1 and state = 'open') as n_disputes,"
        " (select count(*) from payment_difference where party_id = $1 and state = 'open') as n_differences",
        party_id,
    )
    assert row is not None
    return Waiting(**row)
