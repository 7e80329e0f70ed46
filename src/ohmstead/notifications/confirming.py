"""Drivers confirm their telephone number: a code goes there by SMS. The edge opens the transaction."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.phones.model import SentPhoneCode
from ohmstead.drivers.signin import codes
from ohmstead.notifications import service
from ohmstead.notifications.model import Recipient

_MINUTES: Final = int(codes.GOOD_FOR.total_seconds() // 60)


async def send_phone_code(
    conn: Connection,
    seals: Seals,
    party_id: UUID,
    driver_id: UUID,
    *,
    has_sms: bool,
    address: str | None = None,
    language: str | None = None,
) -> SentPhoneCode:
    """Send a code to a driver's number. `has_sms`: whether anybody sends SMS for this installation; `address`: whence it is
    asked for; `language`: what they read now, if not their own.

    Raises NotFound, Refused where no SMS are sent or there is nothing to confirm, TooManyAttempts.
    """
    await drivers.get_driver(conn, party_id, driver_id)
    if not has_sms:
        raise Refused("no SMS are sent here: a number cannot be confirmed")
    made = await phones.begin_code(conn, seals, party_id, driver_id, address)
    await service.queue(
        conn,
        party_id,
        kind="phone_code",
        to=Recipient(driver_id=driver_id, phone=made.phone, language=language),
        data={"code": made.code, "minutes": _MINUTES},
        key=str(made.code_id),
    )
    return SentPhoneCode(phone=made.phone, expires_at=made.expires_at)
