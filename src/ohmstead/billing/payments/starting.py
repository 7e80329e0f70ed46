"""A guest's session: begun with a token that is good once, at one place, for a few minutes, up to what is held."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from ohmstead.accounts import access
from ohmstead.billing.payments import store
from ohmstead.billing.payments.model import Kept
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import OhmsteadError
from ohmstead.core.log import logger
from ohmstead.sessions.limits import strictest
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import RemoteStart, RemoteStop, SessionLimit
from ohmstead.tokens.register import service as tokens
from ohmstead.tokens.register.service import NewToken

# A driver plugs in meanwhile; nobody's money is held for longer without a reason.
BEGINS_WITHIN: Final = timedelta(minutes=5)
# A station's clock may be behind, and its message on the way.
_GRACE: Final = timedelta(minutes=2)
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
# OCPP 1.6 takes 20 characters; 18 of these letters cannot be guessed.
_LENGTH: Final = 18

# A session of long ago may still be told of by a station that was away, and be corrected.
_KEPT_FOR: Final = timedelta(days=90)
_NAMED: Final = "Payment "

log = logger("ohmstead.payments")


def new_token_uid() -> str:
    """For one session. Begins with G for guest."""
    return "G-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


async def let_in(conn: Connection, kept: Kept) -> None:
    """The money is held: the token becomes good, at that place only."""
    payment = kept.payment
    assert payment.token_uid is not None
    assert payment.station_id is not None
    assert payment.evse_number is not None
    now = clock.now()
    outlet = await store.find_outlet(conn, payment.party_id, payment.station_id, payment.evse_number)
    location_id = outlet["location_id"] if outlet is not None else None
    token = NewToken(
        uid=payment.token_uid,
        type="DirectPayment",
        label=f"{_NAMED}{payment.payment_id}",
        valid_from=now - _GRACE,
        valid_until=now + BEGINS_WITHIN + _GRACE,
        location_ids=[location_id] if location_id is not None else None,
        max_sessions=1,
        language=payment.language,
    )
    await tokens.create_token(conn, access.system(payment.party_id), token)


async def forget_tokens(conn: Connection) -> int:
    """Guests' tokens that were good for one session, long ago, are dropped; sessions keep their uid. How many."""
    return await tokens.drop_over(conn, "DirectPayment", _NAMED, clock.now() - _KEPT_FOR)


async def start(desk: CommandDesk, kept: Kept, chosen: SessionLimit | None, *, knows_limits: bool) -> str | None:
    """Have the station begin. None when it said that it will, else why not: `station_offline`, `start_refused`.

    `chosen`: the driver's own limits, from the station's display. `knows_limits`: the station can be told where a session
    ends, and knows payments as a kind of token (OCPP 2.1); others are stopped when it costs what is held.
    """
    payment = kept.payment
    assert payment.token_uid is not None
    assert payment.station_id is not None
    limit = strictest(SessionLimit(max_cost=payment.amount), chosen) if knows_limits else None
    try:
        command = await desk.send(
            RemoteStart(
                token_uid=payment.token_uid,
                token_type="DirectPayment" if knows_limits else "Central",
                evse_number=payment.evse_number,
                limit=limit,
            ),
            party_id=payment.party_id,
            station_id=payment.station_id,
            requested_by=f"payment:{payment.payment_id}",
        )
    except OhmsteadError as error:
        log.warning("paid_start_failed", payment_id=str(payment.payment_id), error=error.text)
        return "start_refused"
    if command.status == "accepted":
        return None
    return "station_offline" if command.status in ("offline", "timed_out") else "start_refused"


async def stop(desk: CommandDesk, kept: Kept, transaction_id: str) -> None:
    """A session that nothing covers is ended, as far as its station can be told: the payment goes on all the same."""
    payment = kept.payment
    assert payment.station_id is not None
    try:
        await desk.send(
            RemoteStop(transaction_id=transaction_id),
            party_id=payment.party_id,
            station_id=payment.station_id,
            requested_by=f"payment:{payment.payment_id}",
        )
    except OhmsteadError as error:
        log.warning("unpaid_stop_failed", payment_id=str(payment.payment_id), error=error.text)
