"""Changing a reservation. What its station keeps holds until the station has agreed to something else: the same number
reserved again replaces the one before (1.6 §5.13, 2.x H01.FR.02), and one that is refused leaves it as it was.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.core.events import record
from ohmstead.reservations import lifecycle, service, store
from ohmstead.reservations.model import OPEN, NewReservation, Reservation, ReservationChange, Terms
from ohmstead.stations import service as stations

CHANGE_JOB = "change_reservation"
_BUSY = "its station has not answered yet: change it when it has"

claim = store.claim_changes


async def change(
    conn: Connection, actor: Actor, reservation_id: UUID, given: ReservationChange, expected_version: int | None = None
) -> Reservation:
    """Another time, token or outlet. In the books it holds at once, beside what held before as long as its station has
    not answered; nobody else gets either.

    Raises NotFound, Invalid, Refused (the token may not charge), and Conflict when it is over, is being changed or told
    at this moment, was changed since it was read, or the outlet is taken in that time.
    """
    now = clock.now()
    found = await store.lock(conn, actor.party_id, reservation_id)
    if found is None:
        raise NotFound(f"no reservation {reservation_id}")
    if expected_version is not None and expected_version != found.version:
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    if found.status not in OPEN:
        raise Conflict(f"it is over already: {found.status}", code="over")
    if found.before is not None:
        raise Conflict(_BUSY, code="busy")
    terms = await _terms(conn, actor, found, given, now)
    before = Terms(
        **{name: getattr(found, name) for name in Terms.__struct_fields__ if name != "lane"},
        lane=await store.lane_of(conn, reservation_id),
    )
    if terms == before:
        return found
    is_kept = found.status != "requested"
    if not is_kept and found.told_at is not None:
        if not await stations.cancel_queued(
            conn, found.party_id, found.station_id, "reserve", "reservation_id", str(found.number)
        ):
            raise Conflict(_BUSY, code="busy")
        await store.untold(conn, reservation_id)
    try:
        async with conn.transaction():
            made = await store.save_terms(
                conn, reservation_id, terms, before=before if is_kept and _is_news(before, terms) else None
            )
    except service.TAKEN:
        raise Conflict("the outlet is reserved in that time", code="taken") from None
    payload = {"reservation_id": str(reservation_id)}
    if made.before is not None:
        await jobs.enqueue(conn, CHANGE_JOB, payload)
    elif not is_kept:
        await jobs.enqueue(conn, service.TELL_JOB, payload, after_s=max(0.0, (terms.tell_at - now).total_seconds()))
    detail = {
        name: given_value for name in given.__struct_fields__ if (given_value := getattr(given, name)) is not UNSET
    }
    await accounts.audit(
        conn, actor, "reservation.changed", f"reservation/{reservation_id}", msgspec.to_builtins(detail)
    )
    await record(conn, [service.fact("ReservationChanged", made)])
    return made


def _is_news(before: Terms, after: Terms) -> bool:
    """Does the station have to know? It is told no beginning, and keeps the outlet already."""
    told = ("evse_number", "token_uid", "group_uid", "until_at")
    return any(getattr(before, name) != getattr(after, name) for name in told)


async def _terms(conn: Connection, actor: Actor, found: Reservation, given: ReservationChange, now: datetime) -> Terms:
    from_at, until_at = lifecycle.changed_span(found, given, now)
    is_moved = given.evse_number is not UNSET and given.evse_number != found.evse_number
    evse_number = found.evse_number if given.evse_number is UNSET else given.evse_number
    uid = found.token_uid if given.token_uid is UNSET else given.token_uid
    outlets = await store.list_outlets(
        conn,
        actor.party_id,
        station_id=found.station_id,
        evse_number=evse_number,
        location_id=None,
        connector_type=found.connector_type,
        at=from_at,
    )
    if not outlets:
        raise NotFound("no such outlet in service at its station, or none of the connector type")
    wanted = NewReservation(token_uid=uid, until_at=until_at)
    token = await service.holder(conn, actor.party_id, wanted, outlets[0], from_at)
    lanes = await store.lanes_of(conn, outlets[:1])
    return Terms(
        evse_number=evse_number,
        lane=lanes[found.station_id, evse_number],
        scope="evse" if is_moved or given.evse_number is not UNSET else found.scope,
        token_uid=token.uid,
        token_type=token.type or "ISO14443",
        group_uid=token.group_uid,
        from_at=from_at,
        until_at=until_at,
        tell_at=lifecycle.tell_at(from_at, now) if given.from_at is not UNSET else found.tell_at,
    )
