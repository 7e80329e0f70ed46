"""A driver's telephone number counts once a code that was sent to it was typed in: until then messages would go to whoever
has the number. The edge opens the transaction and has the code sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from ohmstead.accounts.access import Actor
from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core import clock
from ohmstead.core.callers import counted_as
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Refused
from ohmstead.core.ids import new_id
from ohmstead.drivers import queries, service
from ohmstead.drivers.phones import store
from ohmstead.drivers.phones.model import PhoneCode, SentPhoneCode
from ohmstead.drivers.signin import codes

WRONG: Final = "this code is not right, or it is over: look at the latest message, or ask for a new code"


def digits_of(phone: str) -> str:
    """A number's digits, the same however it is written: spaces, brackets, 00 or + before the country."""
    digits = "".join(one for one in phone if one.isascii() and one.isdigit())
    return digits if phone.strip().startswith("+") else digits.removeprefix("00")


async def begin_code(
    conn: Connection, seals: Seals, party_id: UUID, driver_id: UUID, address: str | None = None
) -> PhoneCode:
    """A code for a driver's number; the caller sends it. `address`: whence it is asked for; None: by a program of the party.

    Raises NotFound, Refused where there is nothing to confirm, TooManyAttempts for a driver, number or address that asks a
    lot.
    """
    phone, now = await _number_to_confirm(conn, party_id, driver_id), clock.now()
    number, address = seals.code_hash(digits_of(phone), b"phone"), counted_as(address) if address is not None else None
    await store.hold(conn, party_id, driver_id, number)
    codes.check_often(await store.count_codes(conn, party_id, driver_id, number, address, now), now)
    n_wrong = await store.count_wrong(conn, party_id, driver_id, number, now - timedelta(days=1))
    code, code_id, expires_at = codes.draw(n_wrong), new_id(), now + codes.GOOD_FOR
    await store.insert_code(
        conn,
        party_id,
        driver_id,
        code_id,
        phone,
        number,
        seals.code_hash(code, code_id.bytes),
        address,
        now,
        expires_at,
    )
    return PhoneCode(code_id=code_id, phone=phone, code=code, expires_at=expires_at)


async def _number_to_confirm(conn: Connection, party_id: UUID, driver_id: UUID) -> str:
    driver = await queries.get_driver(conn, party_id, driver_id)
    if driver.status == "erased":
        raise Refused("this driver was erased", code="erased")
    if driver.phone is None or not digits_of(driver.phone):
        raise Refused("there is no telephone number to confirm")
    if driver.phone_confirmed_at is not None:
        raise Refused("this telephone number is confirmed already")
    return driver.phone


async def find_sent(conn: Connection, party_id: UUID, driver_id: UUID, phone: str) -> SentPhoneCode | None:
    """The code for this number that is good now; None: ask for one."""
    row = await store.find_latest(conn, party_id, driver_id)
    return SentPhoneCode(phone=phone, expires_at=row["expires_at"]) if row and _is_good(row, phone) else None


def _is_good(row: Row, phone: str) -> bool:
    is_over = codes.is_over(clock.now(), expires_at=row["expires_at"], used_at=row["used_at"], n_wrong=row["n_wrong"])
    return row["phone"] == phone and not is_over


async def try_code(conn: Connection, seals: Seals, actor: Actor, driver_id: UUID, typed: str) -> bool:
    """Whether it is the latest code: then the number is confirmed. A wrong guess is counted: commit it.

    Raises NotFound, and Refused for a code that is over, was used, was guessed at too often or was sent to another number, and
    where there is nothing to confirm.
    """
    phone = await _number_to_confirm(conn, actor.party_id, driver_id)
    row = await store.lock_latest(conn, actor.party_id, driver_id)
    if row is None or not _is_good(row, phone):
        raise Refused(WRONG)
    now = clock.now()
    is_right = codes.is_right(seals, row["code_id"], row["code_hash"], typed)
    await store.mark_code(conn, actor.party_id, row["code_id"], used_at=now if is_right else None)
    if is_right:
        if not await store.confirm(conn, actor.party_id, driver_id, phone, now):
            raise Refused(WRONG)
        await service.note_confirmed(conn, actor, driver_id)
    return is_right


async def forget(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """To which numbers codes went: their driver is erased."""
    await store.forget_codes(conn, party_id, driver_id, clock.now())


async def drop_old(conn: Connection) -> None:
    """Codes that have been over for a day."""
    await store.drop_old(conn, clock.now() - timedelta(days=1))
