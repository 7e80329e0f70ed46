"""Web payments in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row, to_json
from ohmstead.core.money import Money
from ohmstead.sessions.payments.model import Setup, WebPayment
from ohmstead.stations.orders import SessionLimit

_PAYMENT = "web_payment_id, party_id, station_id, evse_number, limits, begun_at, expires_at, psp_ref, command_id"


async def save_setup(conn: Connection, party_id: UUID, setup: Setup) -> None:
    await conn.execute(
        "insert into web_payment_setup (station_id, party_id, generation, validity_s, length, set_at)"
        " values ($1, $2, $3, $4, $5, $6) on conflict (station_id) do update set party_id = $2, generation = $3,"
        " validity_s = $4, length = $5, set_at = $6",
        setup.station_id,
        party_id,
        setup.generation,
        setup.validity_s,
        setup.length,
        setup.set_at,
    )


async def find_setup(conn: Connection, party_id: UUID, station_id: str) -> Setup | None:
    """Locked, so that one scan at a time is looked at for a station."""
    row = await conn.fetchrow(
        "select station_id, party_id, generation, validity_s, length, set_at from web_payment_setup"
        " where party_id = $1 and station_id = $2 for update",
        party_id,
        station_id,
    )
    return Setup(**row) if row else None


async def has_evse(conn: Connection, party_id: UUID, station_id: str, evse_number: int) -> bool:
    return bool(
        await conn.fetchval(
            "select exists (select from evse join station s using (station_id)"
            " where s.party_id = $1 and station_id = $2 and evse_number = $3)",
            party_id,
            station_id,
            evse_number,
        )
    )


async def is_used(conn: Connection, party_id: UUID, station_id: str, evse_number: int, step: int) -> bool:
    """Was the password of this step shown before?"""
    return bool(
        await conn.fetchval(
            "select exists (select from web_payment"
            " where party_id = $1 and station_id = $2 and evse_number = $3 and step = $4)",
            party_id,
            station_id,
            evse_number,
            step,
        )
    )


async def is_being_paid(conn: Connection, party_id: UUID, station_id: str, evse_number: int, at: datetime) -> bool:
    """Is somebody else on the way to pay for a session there?"""
    return bool(
        await conn.fetchval(
            "select exists (select from web_payment where party_id = $1 and station_id = $2 and evse_number = $3"
            " and psp_ref is null and expires_at > $4)",
            party_id,
            station_id,
            evse_number,
            at,
        )
    )


async def insert_payment(conn: Connection, party_id: UUID, payment: WebPayment, step: int) -> None:
    await conn.execute(
        "insert into web_payment (web_payment_id, party_id, station_id, evse_number, step, limits, begun_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        payment.web_payment_id,
        party_id,
        payment.station_id,
        payment.evse_number,
        step,
        to_json(payment.limits) if payment.limits is not None else None,
        payment.begun_at,
        payment.expires_at,
    )


async def find_payment(conn: Connection, party_id: UUID, web_payment_id: UUID) -> WebPayment | None:
    """Locked."""
    row = await conn.fetchrow(
        f"select {_PAYMENT} from web_payment where party_id = $1 and web_payment_id = $2 for update",
        party_id,
        web_payment_id,
    )
    return _payment(row) if row else None


async def is_paid_elsewhere(conn: Connection, party_id: UUID, psp_ref: str, web_payment_id: UUID) -> bool:
    """Did this payment start another session?"""
    return bool(
        await conn.fetchval(
            "select exists (select from web_payment where party_id = $1 and psp_ref = $2 and web_payment_id <> $3)",
            party_id,
            psp_ref,
            web_payment_id,
        )
    )


async def set_paid(conn: Connection, party_id: UUID, web_payment_id: UUID, psp_ref: str) -> None:
    await conn.execute(
        "update web_payment set psp_ref = $3 where party_id = $1 and web_payment_id = $2",
        party_id,
        web_payment_id,
        psp_ref,
    )


async def set_command(conn: Connection, party_id: UUID, web_payment_id: UUID, command_id: UUID) -> None:
    await conn.execute(
        "update web_payment set command_id = $3 where party_id = $1 and web_payment_id = $2",
        party_id,
        web_payment_id,
        command_id,
    )


def _payment(row: Row) -> WebPayment:
    fields = dict(row)
    if fields["limits"] is not None:
        fields["limits"] = msgspec.convert(fields["limits"], SessionLimit)
    return WebPayment(**fields)


# any party: by id, for the worker
async def list_to_settle(conn: Connection, session_ids: Sequence[UUID]) -> list[UUID]:
    """Of these sessions, those over that were paid on the web, or at a terminal whose station leaves it to us, and whose
    payment nobody has settled. Those begun with a token of ours are paid when they are billed.
    """
    rows = await conn.fetch(
        "select s.session_id from session s where s.session_id = any($1) and s.status = 'completed'"
        " and s.token_type = 'DirectPayment' and s.token_uid is not null and s.token_id is null"
        " and (exists (select from web_payment w where w.station_id = s.station_id and w.psp_ref = s.token_uid)"
        "  or exists (select from station_variable v where v.station_id = s.station_id and v.component = 'PaymentCtrlr'"
        "   and v.variable = 'SettlementByCSMS' and v.attribute = 'Actual' and lower(v.value) = 'true'))"
        " and not exists (select from settlement t where t.station_id = s.station_id and t.psp_ref = s.token_uid)",
        list(session_ids),
    )
    return [row["session_id"] for row in rows]


async def find_station_cost(conn: Connection, party_id: UUID, station_id: str, transaction_id: str) -> Money | None:
    """What the station reckoned, if it could."""
    row = await conn.fetchrow(
        "select total, currency from station_cost where party_id = $1 and station_id = $2 and transaction_id = $3"
        " and failure is null",
        party_id,
        station_id,
        transaction_id,
    )
    return Money(row["total"], row["currency"]) if row else None
