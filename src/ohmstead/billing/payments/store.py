"""Payments in PostgreSQL, on the write side. Whoever changes one has locked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import asdict

from ohmstead.billing.payments.model import (
    Dispute,
    Kept,
    Operation,
    OperationKind,
    Payment,
    PaymentSetting,
)
from ohmstead.billing.payments.ports import SeenDispute
from ohmstead.core.db import Connection, Row, to_json
from ohmstead.core.ids import ids_of, new_id

PAYMENT = """
select payment_id, party_id, provider, purpose, customer, state, currency, amount, captured, refunded, disputed, session_id,
       cdr_id, station_id, evse_number, token_uid, email, language, description, method_id, failure, created_at,
       capture_before, version from payment
"""
_KEPT = PAYMENT.replace(
    "version from payment",
    "version, is_hold, wanted, holds_plug, debt_id, web_payment_id, provider_ref, checkout_ref, checkout_url, pay_by,"
    " held_at, begin_by, look_at from payment",
)
_OURS = tuple(name for name in Kept.__struct_fields__ if name != "payment")
_CHANGED = frozenset(
    {"state", "amount", "wanted", "captured", "refunded", "disputed", "session_id", "cdr_id", "holds_plug", "token_uid"}
    | {"provider_ref", "checkout_ref", "checkout_url", "failure", "held_at", "begin_by", "capture_before", "closed_at"}
    | {"look_at", "pay_by"}
)


def payment_of(row: Row) -> Payment:
    return Payment(**{name: row[name] for name in Payment.__struct_fields__})


def _kept(row: Row) -> Kept:
    return Kept(payment=payment_of(row), **{name: row[name] for name in _OURS})


# any party: the row says whose it is
async def insert_payment(conn: Connection, kept: Kept, order_key: str | None) -> bool:
    """False when another one holds the outlet, or the key is known."""
    payment = asdict(kept.payment) | {name: getattr(kept, name) for name in _OURS} | {"order_key": order_key}
    names = list(payment)
    done = await conn.fetchval(
        f"insert into payment ({', '.join(names)}) values ({', '.join(f'${n + 1}' for n in range(len(names)))})"
        " on conflict do nothing returning payment_id",
        *payment.values(),
    )
    return done is not None


async def find_by_order(conn: Connection, party_id: UUID, order_key: str) -> Payment | None:
    row = await conn.fetchrow(f"{PAYMENT} where party_id = $1 and order_key = $2", party_id, order_key)
    return payment_of(row) if row else None


async def lock_payment(conn: Connection, party_id: UUID, payment_id: UUID) -> Kept | None:
    row = await conn.fetchrow(
        f"{_KEPT} where party_id = $1 and payment_id = $2 for no key update", party_id, payment_id
    )
    return _kept(row) if row else None


_CHARGES = (
    f"{_KEPT} where party_id = $1 and session_id = $2 and purpose = 'session' and not is_hold order by payment_id"
)


async def list_charges(conn: Connection, party_id: UUID, session_id: UUID | None) -> list[Kept]:
    """What stored cards were charged for a session, the oldest first."""
    return [_kept(row) for row in await conn.fetch(_CHARGES, party_id, session_id)]


async def lock_charges(conn: Connection, party_id: UUID, session_id: UUID | None) -> list[Kept]:
    """The same; nobody else changes them until the transaction ends."""
    return [_kept(row) for row in await conn.fetch(f"{_CHARGES} for no key update", party_id, session_id)]


async def find_kept(conn: Connection, party_id: UUID, payment_id: UUID) -> Kept | None:
    row = await conn.fetchrow(f"{_KEPT} where party_id = $1 and payment_id = $2", party_id, payment_id)
    return _kept(row) if row else None


# any party: providers know payments by their own names for them
async def find_by_refs(conn: Connection, provider: str, refs: Sequence[str]) -> tuple[UUID, UUID] | None:
    """(party, payment) of what a provider tells about."""
    row = await conn.fetchrow(
        "select party_id, payment_id from payment where provider = $1 and (provider_ref = any ($2)"
        " or checkout_ref = any ($2) or payment_id = any ($3)) limit 1",
        provider,
        list(refs),
        ids_of(refs),
    )
    return (row["party_id"], row["payment_id"]) if row else None


async def find_by_token(conn: Connection, party_id: UUID, token_uid: str) -> Payment | None:
    row = await conn.fetchrow(f"{PAYMENT} where party_id = $1 and token_key = lower($2)", party_id, token_uid)
    return payment_of(row) if row else None


async def update_payment(conn: Connection, party_id: UUID, payment_id: UUID, values: Mapping[str, Any]) -> None:
    """What changed of a payment that is locked."""
    if not values:
        return
    names = sorted(values)
    assert set(names) <= _CHANGED, set(names) - _CHANGED
    sets = "".join(f"{name} = ${n}, " for n, name in enumerate(names, 3))
    await conn.execute(
        f"update payment set {sets}version = version + 1 where party_id = $1 and payment_id = $2",
        party_id,
        payment_id,
        *(values[name] for name in names),
    )


# ------------------------------------------------------------------------------------------------------ operations

_OPERATION = (
    "operation_id, payment_id, party_id, kind, amount, reason, details, n_tries, n_declines, created_at, created_by"
)


def _operation(row: Row) -> Operation:
    return Operation(**{name: row[name] for name in Operation.__struct_fields__})


async def insert_operation(
    conn: Connection,
    party_id: UUID,
    payment_id: UUID,
    kind: OperationKind,
    at: datetime,
    by: str,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    details: Mapping[str, str] | None = None,
    claimed_until: datetime | None = None,
) -> UUID:
    """Something to be done outside, once this transaction is committed."""
    operation_id = new_id()
    await conn.execute(
        "insert into payment_operation (operation_id, payment_id, party_id, kind, amount, reason, details, next_at,"
        " claimed_until, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10)",
        operation_id,
        payment_id,
        party_id,
        kind,
        amount,
        reason,
        to_json(dict(details)) if details is not None else None,
        at,
        claimed_until,
        by,
    )
    return operation_id


# any party: the worker does everybody's
async def claim_operations(conn: Connection, now: datetime, lease: timedelta, most: int) -> list[Operation]:
    """Those that are due, one of a payment at a time and in their order: nobody else's until the lease is over."""
    rows = await conn.fetch(
        "with due as (select o.operation_id from payment_operation o where o.state = 'waiting' and o.next_at <= $1"
        " and (o.claimed_until is null or o.claimed_until < $1) and not exists (select from payment_operation e"
        " where e.payment_id = o.payment_id and e.state = 'waiting' and e.operation_id < o.operation_id)"
        " order by o.next_at limit $3 for update skip locked)"
        " update payment_operation o set claimed_until = $1 + $2::interval, n_tries = n_tries + 1 from due"
        f" where o.operation_id = due.operation_id returning {', '.join('o.' + n.strip() for n in _OPERATION.split(','))}",
        now,
        lease,
        most,
    )
    return [_operation(row) for row in rows]


async def claim_operation(
    conn: Connection, party_id: UUID, operation_id: UUID, now: datetime, lease: timedelta
) -> Operation | None:
    """That one; None when it is done, or somebody else's now, or another one of its payment comes first."""
    row = await conn.fetchrow(
        "update payment_operation o set claimed_until = $3 + $4::interval, n_tries = n_tries + 1"
        " where o.party_id = $1 and o.operation_id = $2 and o.state = 'waiting'"
        " and (o.claimed_until is null or o.claimed_until < $3) and not exists (select from payment_operation e"
        " where e.payment_id = o.payment_id and e.state = 'waiting' and e.operation_id < o.operation_id)"
        f" returning {_OPERATION}",
        party_id,
        operation_id,
        now,
        lease,
    )
    return _operation(row) if row else None


async def find_operation(
    conn: Connection, party_id: UUID, payment_id: UUID, kinds: Sequence[OperationKind]
) -> Operation | None:
    """The first of these kinds that waits."""
    row = await conn.fetchrow(
        f"select {_OPERATION} from payment_operation where party_id = $1 and payment_id = $2 and state = 'waiting'"
        " and kind = any ($3) order by operation_id limit 1",
        party_id,
        payment_id,
        list(kinds),
    )
    return _operation(row) if row else None


async def is_waiting(conn: Connection, party_id: UUID, operation_id: UUID) -> bool:
    """Locked: nobody has written what became of it."""
    row = await conn.fetchrow(
        "select state from payment_operation where party_id = $1 and operation_id = $2 for update",
        party_id,
        operation_id,
    )
    return row is not None and row["state"] == "waiting"


async def finish_operation(
    conn: Connection, party_id: UUID, operation_id: UUID, at: datetime, *, failed: str | None = None
) -> None:
    await conn.execute(
        "update payment_operation set state = $3, finished_at = $4, last_error = coalesce($5, last_error),"
        " claimed_until = null where party_id = $1 and operation_id = $2",
        party_id,
        operation_id,
        "failed" if failed is not None else "done",
        at,
        failed,
    )


async def retry_operation(
    conn: Connection, party_id: UUID, operation_id: UUID, next_at: datetime, error: str, *, is_declined: bool
) -> None:
    """Another try at that time. A refusal was an answer: the next try is a new request."""
    await conn.execute(
        "update payment_operation set next_at = $3, claimed_until = null, last_error = left($4, 500),"
        " n_declines = n_declines + $5::integer, n_tries = case when $5::integer > 0 then 0 else n_tries end"
        " where party_id = $1 and operation_id = $2",
        party_id,
        operation_id,
        next_at,
        error,
        1 if is_declined else 0,
    )


async def cancel_operations(
    conn: Connection, party_id: UUID, payment_id: UUID, kinds: Sequence[OperationKind], at: datetime, why: str
) -> None:
    """Those of these kinds that nobody works at: they are not to be done any more."""
    await conn.execute(
        "update payment_operation set state = 'failed', finished_at = $4, last_error = $5 where party_id = $1"
        " and payment_id = $2 and kind = any ($3) and state = 'waiting' and (claimed_until is null or claimed_until < $4)",
        party_id,
        payment_id,
        list(kinds),
        at,
        why,
    )


async def sum_refunds(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """Of refunds that were asked for and not refused."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(amount), 0) from payment_operation where party_id = $1 and payment_id = $2"
        " and kind = 'refund' and state <> 'failed'",
        party_id,
        payment_id,
    )
    return found


async def sum_goodwill(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """Of refunds that people ordered: it is not owed again."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(amount), 0) from payment_operation where party_id = $1 and payment_id = $2"
        " and kind = 'refund' and state <> 'failed' and details ? 'goodwill'",
        party_id,
        payment_id,
    )
    return found


# --------------------------------------------------------------------------------------------------------- looking


# any party: the worker looks after everybody's
async def claim_looks(conn: Connection, now: datetime, lease: timedelta, most: int) -> list[tuple[UUID, UUID]]:
    """(party, payment) of those whose provider is to be asked how they stand; asked again when the lease is over."""
    rows = await conn.fetch(
        "with due as (select payment_id from payment where look_at <= $1 order by look_at limit $3"
        " for update skip locked)"
        " update payment p set look_at = $1 + $2::interval from due where p.payment_id = due.payment_id"
        " returning p.party_id, p.payment_id",
        now,
        lease,
        most,
    )
    return [(row["party_id"], row["payment_id"]) for row in rows]


# any party: time passes for everybody
async def list_overdue(conn: Connection, now: datetime, most: int) -> list[tuple[UUID, UUID]]:
    """(party, payment) of those that nobody paid in time, and of holds with which nothing began in time."""
    rows = await conn.fetch(
        "select party_id, payment_id from payment where (state in ('created', 'authorizing') and wanted is distinct from 0"
        " and pay_by <= $1) or (state = 'held' and begin_by <= $1 and wanted is null and session_id is null)"
        " order by created_at limit $2",
        now,
        most,
    )
    return [(row["party_id"], row["payment_id"]) for row in rows]


# any party: time passes for everybody
async def list_ending(conn: Connection, until: datetime, most: int) -> list[tuple[UUID, UUID]]:
    """(party, payment) of holds that end before then, and of which nothing was captured."""
    rows = await conn.fetch(
        "select party_id, payment_id from payment where state = 'held' and wanted is null and capture_before <= $1"
        " order by capture_before limit $2",
        until,
        most,
    )
    return [(row["party_id"], row["payment_id"]) for row in rows]


# ------------------------------------------------------------------------------------------------------ the outlet


async def find_outlet(conn: Connection, party_id: UUID, station_id: str, evse_number: int) -> Row | None:
    """Where a guest wants to charge: location, kind of current, whether a car charges there, whether it is reached."""
    return await conn.fetchrow(
        "select s.location_id, s.ocpp_version, coalesce(e.current_type,"
        " case when coalesce(e.max_power_w, s.max_power_w, 0) > 43000"
        " then 'DC' else 'AC' end) as current_type, coalesce(e.max_power_w, s.max_power_w) as max_power_w,"
        " s.gateway_id is not null as is_connected, coalesce(l.time_zone, p.time_zone) as time_zone,"
        " exists (select from session x where x.party_id = s.party_id and x.station_id = s.station_id"
        " and x.evse_number = e.evse_number and x.status in ('pending', 'active') and x.token_uid is not null"
        ") as is_in_use from evse e join station s using (station_id) join party p on p.party_id = s.party_id"
        " left join location l on l.location_id = s.location_id"
        " where s.party_id = $1 and e.station_id = $2 and e.evse_number = $3",
        party_id,
        station_id,
        evse_number,
    )


async def find_session(conn: Connection, party_id: UUID, token_uid: str) -> Row | None:
    """The latest session that was begun with a token."""
    return await conn.fetchrow(
        "select session_id, station_id, transaction_id, status, started_at, ended_at, settled_at from session"
        " where party_id = $1 and token_key = lower($2) order by started_at desc limit 1",
        party_id,
        token_uid,
    )


async def is_start_accepted(conn: Connection, party_id: UUID, payment_id: UUID) -> bool:
    """Did the station say before that it begins for a payment?"""
    found: bool = await conn.fetchval(
        "select exists (select from command where party_id = $1 and requested_by = 'payment:' || $2::uuid"
        " and kind = 'remote_start' and status = 'accepted')",
        party_id,
        payment_id,
    )
    return found


# any party: by id, for settlements
async def find_session_by_id(conn: Connection, session_id: UUID) -> Row | None:
    """Whose it is."""
    return await conn.fetchrow("select party_id, station_id from session where session_id = $1", session_id)


async def set_token_status(conn: Connection, party_id: UUID, token_uid: str, status: str) -> None:
    """A one-time token is good, or is not any more."""
    await conn.execute(
        "update token set status = $3, version = version + 1, updated_at = now()"
        " where party_id = $1 and uid_key = lower($2) and status <> $3",
        party_id,
        token_uid,
        status,
    )


# ------------------------------------------------------------------------------------------------------------ CDRs


# any party: the worker looks after everybody's
async def list_not_billed(conn: Connection, most: int) -> list[tuple[UUID, UUID]]:
    """(party, payment) of holds whose session is settled and certainly comes to nothing."""
    rows = await conn.fetch(
        "select p.party_id, p.payment_id from payment p join unbillable_session u on u.party_id = p.party_id"
        " and u.session_id = p.session_id where p.state = 'held' and p.wanted is null and p.is_hold"
        " and (u.decision = 'never' or u.decision is null and u.reason in ('no_energy', 'too_short', 'test', 'no_tariff'))"
        " limit $1",
        most,
    )
    return [(row["party_id"], row["payment_id"]) for row in rows]


# -------------------------------------------------------------------------------------------------------- settings


async def find_setting(conn: Connection, party_id: UUID) -> PaymentSetting:
    row = await conn.fetchrow("select provider, hold_ac, hold_dc from payment_setting where party_id = $1", party_id)
    return PaymentSetting(**dict(row)) if row else PaymentSetting()


async def save_setting(conn: Connection, party_id: UUID, setting: PaymentSetting) -> None:
    await conn.execute(
        "insert into payment_setting (party_id, provider, hold_ac, hold_dc) values ($1, $2, $3, $4)"
        " on conflict (party_id) do update set provider = $2, hold_ac = $3, hold_dc = $4, updated_at = now()",
        party_id,
        setting.provider,
        setting.hold_ac,
        setting.hold_dc,
    )


# -------------------------------------------------------------------------------------------------------- disputes


async def find_dispute(conn: Connection, party_id: UUID, provider: str, ref: str) -> Dispute | None:
    row = await conn.fetchrow(
        "select dispute_id, party_id, payment_id, provider, provider_ref, state, currency, amount, reason, opened_at,"
        " closed_at from payment_dispute where party_id = $1 and provider = $2 and provider_ref = $3",
        party_id,
        provider,
        ref,
    )
    return Dispute(**dict(row)) if row else None


async def insert_dispute(conn: Connection, party_id: UUID, payment: Payment, seen: SeenDispute) -> None:
    await conn.execute(
        "insert into payment_dispute (dispute_id, party_id, payment_id, provider, provider_ref, state, currency, amount,"
        " reason, opened_at) values ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9)",
        new_id(),
        party_id,
        payment.payment_id,
        payment.provider,
        seen.ref,
        seen.amount.currency,
        seen.amount.amount,
        seen.reason,
        seen.opened_at,
    )


async def close_dispute(conn: Connection, party_id: UUID, provider: str, ref: str, state: str, at: datetime) -> None:
    await conn.execute(
        "update payment_dispute set state = $4, closed_at = $5 where party_id = $1 and provider = $2 and provider_ref = $3",
        party_id,
        provider,
        ref,
        state,
        at,
    )


async def sum_lost(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """Of chargebacks that we lost."""
    found: Decimal = await conn.fetchval(
        "select coalesce(sum(amount), 0) from payment_dispute where party_id = $1 and payment_id = $2 and state = 'lost'",
        party_id,
        payment_id,
    )
    return found
