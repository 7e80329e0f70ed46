"""QR codes of stations: set up, checked when somebody scanned one, and the session that is paid for on the web.

A code is good once, at its EVSE, while its password is shown and one step longer: the driver needs a moment. Whoever
comes with a bad one is refused, and security hears of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.ids import new_id
from ohmstead.sessions.limits import strictest
from ohmstead.sessions.payments import store, totp
from ohmstead.sessions.payments.model import (
    NewSetup,
    NewStart,
    Refusal,
    Scan,
    Setup,
    SetupView,
    WebPayment,
)
from ohmstead.stations import service as stations
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.model import Signal
from ohmstead.stations.orders import AnnounceWebPayment, Command, RemoteStart, SessionLimit, SetVariables

PAYS_WITHIN = timedelta(minutes=5)  # card, 3-D Secure, a bad connection in a garage
_PLACES = ("{evse}", "{totp}")
_SIGNALLED = frozenset(("password_form", "password_wrong", "password_used"))


async def set_up(
    pool: Pool, desk: CommandDesk, pepper: bytes, *, party_id: UUID, station_id: str, given: NewSetup, requested_by: str
) -> SetupView:
    """Tell a station how to show QR codes, with a secret of its own; it counts once the station took all of it.

    Raises NotFound, Invalid for an address without places for EVSE and password, and Conflict with what the station
    said when it did not take it.
    """
    if missing := [place for place in _PLACES if place not in given.url_template]:
        raise Invalid(f"has no place for {' and '.join(missing)}", field="url_template")
    setup = Setup(
        station_id=station_id,
        party_id=party_id,
        generation=new_id(),
        validity_s=given.validity_s,
        length=given.length,
        set_at=clock.now(),
    )
    values = {
        "URLTemplate": given.url_template,
        "TOTPVersion": totp.VERSION,
        "ValidityTime": str(given.validity_s),
        "Length": str(given.length),
        "SharedSecret": totp.secret_of(pepper, station_id, setup.generation),
        "Enabled": "true",
    }
    command = await desk.send(
        SetVariables(values={f"WebPaymentsCtrlr.{name}": value for name, value in values.items()}),
        party_id=party_id,
        station_id=station_id,
        requested_by=requested_by,
    )
    async with pool.acquire() as conn, conn.transaction():
        await stations.blot_out_secrets(conn, command)
        if command.status == "accepted":
            await store.save_setup(conn, party_id, setup)
    if command.status != "accepted":
        text = command.error_text or "the station is not connected"
        raise Conflict(text, code=command.status, command_id=str(command.command_id))
    return SetupView(
        station_id=station_id,
        validity_s=setup.validity_s,
        length=setup.length,
        set_at=setup.set_at,
        command_id=command.command_id,
    )


async def scan(conn: Connection, pepper: bytes, party_id: UUID, given: Scan, at: datetime) -> WebPayment | Refusal:
    """Look at what a QR code says. A refusal is no error: what security is told of it is to be committed."""
    setup = await store.find_setup(conn, party_id, given.station_id)
    found = await _judge(conn, pepper, party_id, setup, given, at)
    if isinstance(found, Refusal):
        if found.why in _SIGNALLED:
            await _signal(conn, party_id, given, found, at)
        return found
    payment = WebPayment(
        web_payment_id=new_id(),
        party_id=party_id,
        station_id=given.station_id,
        evse_number=given.evse_number,
        limits=strictest(given.limit),
        begun_at=at,
        expires_at=at + PAYS_WITHIN,
    )
    await store.insert_payment(conn, party_id, payment, found)
    return payment


async def _judge(
    conn: Connection, pepper: bytes, party_id: UUID, setup: Setup | None, given: Scan, at: datetime
) -> int | Refusal:
    """The time step of a good password, or what is wrong."""
    if setup is None:
        return Refusal("not_set_up", "no such station, or it shows no QR codes for payment", "station_id")
    if not await store.has_evse(conn, party_id, given.station_id, given.evse_number):
        return Refusal("unknown_evse", f"the station has no EVSE {given.evse_number}", "evse_number")
    if given.version != totp.VERSION:
        return Refusal("unknown_version", f"no such version of passwords: there is {totp.VERSION}", "version")
    if len(given.totp) != setup.length or not set(given.totp) <= set(totp.LETTERS):
        return Refusal("password_form", f"a password has {setup.length} letters and digits", "totp")
    secret = totp.secret_of(pepper, setup.station_id, setup.generation)
    now = totp.step_at(at.timestamp(), setup.validity_s)
    step = totp.find_step(secret, given.totp, range(now - 1, now + 2), setup.length)
    if step is None:
        return Refusal("password_wrong", "this code is over: scan the one that the station shows now", "totp")
    if await store.is_used(conn, party_id, given.station_id, given.evse_number, step):
        return Refusal("password_used", "this code was used: wait for the next one", "totp")
    if await store.is_being_paid(conn, party_id, given.station_id, given.evse_number, at):
        return Refusal("being_paid", "somebody else is paying for this outlet", "evse_number")
    return step


async def _signal(conn: Connection, party_id: UUID, given: Scan, refusal: Refusal, at: datetime) -> None:
    detail: dict[str, Any] = {"why": refusal.why, "evse_number": given.evse_number}
    signal = Signal(kind="web_payment_refused", at=at, party_id=party_id, station_id=given.station_id, detail=detail)
    await stations.keep_signals(conn, [signal])


async def announce(desk: CommandDesk, payment: WebPayment, requested_by: str) -> Command:
    """Tell the station that somebody pays, so that nobody begins there meanwhile (C25.FR.21)."""
    return await desk.send(
        AnnounceWebPayment(evse_number=payment.evse_number, timeout_s=int(PAYS_WITHIN.total_seconds())),
        party_id=payment.party_id,
        station_id=payment.station_id,
        requested_by=requested_by,
    )


async def use(conn: Connection, party_id: UUID, web_payment_id: UUID, psp_ref: str) -> WebPayment:
    """A leave to pay is used for a payment; it is good for one.

    Raises NotFound, and Conflict when the leave is over or used, or the payment started another session.
    """
    payment = await store.find_payment(conn, party_id, web_payment_id)
    if payment is None:
        raise NotFound("no such web payment")
    if payment.psp_ref is not None:
        raise Conflict("a session was started with it", code="used")
    if payment.expires_at <= clock.now():
        raise Conflict("it is over: the code must be scanned again", code="over")
    if await store.is_paid_elsewhere(conn, party_id, psp_ref, web_payment_id):
        raise Conflict("this payment started another session", code="paid_elsewhere")
    await store.set_paid(conn, party_id, web_payment_id, psp_ref)
    return payment


async def limits_of(conn: Connection, party_id: UUID, web_payment_id: UUID) -> SessionLimit | None:
    """What the driver chose at the station."""
    payment = await store.find_payment(conn, party_id, web_payment_id)
    return payment.limits if payment is not None else None


async def start(
    pool: Pool, desk: CommandDesk, party_id: UUID, web_payment_id: UUID, given: NewStart, requested_by: str
) -> Command:
    """Begin the session that was paid for, once: a payment starts one session, and leave to pay is good for one.

    Raises NotFound, and Conflict when the leave is over or used, or the payment started another session.
    """
    async with pool.acquire() as conn, conn.transaction():
        payment = await use(conn, party_id, web_payment_id, given.psp_ref)
    command = await desk.send(
        RemoteStart(
            token_uid=given.psp_ref,
            token_type="DirectPayment",  # noqa: S106  (a kind of card)
            evse_number=payment.evse_number,
            limit=strictest(payment.limits, given.limit),
        ),
        party_id=party_id,
        station_id=payment.station_id,
        requested_by=requested_by,
    )
    async with pool.acquire() as conn, conn.transaction():
        await store.set_command(conn, party_id, web_payment_id, command.command_id)
    return command
