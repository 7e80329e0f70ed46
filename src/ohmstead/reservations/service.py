"""Booking outlets, telling stations, and what becomes of it. The edge opens the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.reservations import lifecycle, store
from ohmstead.reservations.model import OPEN, NewReservation, Outlet, Reservation, ReservationReport, Terms, Use
from ohmstead.stations import service as stations
from ohmstead.tokens import service as tokens
from ohmstead.tokens.model import Authorization, AuthorizationRequest

TELL_JOB = "tell_reservation"
LET_GO_JOB = "let_reservation_go"
RETRY_AFTER = timedelta(seconds=30)
# A station that says so will say the same the next time.
_CANNOT = frozenset(("refused", "schema", "NotImplemented", "NotSupported"))
TAKEN = (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError)

claim_to_tell = store.claim_to_tell
told_for_good = store.told_for_good
is_true = store.is_true


async def book(conn: Connection, actor: Actor, given: NewReservation) -> Reservation:
    """Reserve an outlet in our books; its station is told when the time comes, at the latest when it is back.

    Raises Invalid, NotFound (no such outlet), Refused (the token may not charge), and Conflict when every outlet that
    fits is taken in that time. The database itself refuses to book an outlet twice, whoever asks at the same moment.
    """
    now = clock.now()
    lifecycle.check_place(given)
    from_at, until_at = lifecycle.span(given, now)
    outlets = await store.list_outlets(
        conn,
        actor.party_id,
        station_id=given.station_id,
        evse_number=given.evse_number,
        location_id=given.location_id,
        connector_type=given.connector_type,
        at=from_at,
    )
    outlets = [outlet for outlet in outlets if actor.scope.holds(outlet.location_id)]
    if not outlets:
        raise NotFound("no outlet in service fits: station, outlet, location or connector type is not there")
    token = await holder(conn, actor.party_id, given, outlets[0], from_at)
    group_priority = await store.group_priority(conn, actor.party_id, token.group_uid)
    values = {
        "reservation_id": new_id(),
        "scope": "evse" if given.evse_number is not None else "station" if given.station_id else "location",
        "connector_type": given.connector_type,
        "token_uid": token.uid,
        "token_type": token.type or "ISO14443",
        "group_uid": token.group_uid,
        "priority": given.priority if given.priority is not None else group_priority,
        "from_at": from_at,
        "until_at": until_at,
        "status": "requested",
        "tell_at": lifecycle.tell_at(from_at, now),
        "requested_by": actor.actor_id,
    }
    made = await _insert(conn, actor, outlets, values)
    wait_s = max(0.0, (made.tell_at - now).total_seconds())
    await jobs.enqueue(conn, TELL_JOB, {"reservation_id": str(made.reservation_id)}, after_s=wait_s)
    await accounts.audit(
        conn, actor, "reservation.made", f"reservation/{made.reservation_id}", {"station_id": made.station_id}
    )
    await record(conn, [fact("ReservationMade", made)])
    return made


async def holder(
    conn: Connection, party_id: UUID, given: NewReservation, outlet: Outlet, at: datetime
) -> Authorization:
    """The token for which an outlet is to be kept. Raises Invalid, and Refused when it may not charge there then."""
    request = AuthorizationRequest(
        party_id=party_id, uid=given.token_uid, type=None, at=at, location_id=outlet.location_id, is_start=False
    )
    [token] = await tokens.authorize(conn, [request], open_sessions=_nobody)
    if token.status == "unknown":
        raise Invalid("no token of yours", "token_uid")
    if not token.is_accepted or token.is_master:
        raise Refused(f"the token may not charge there then: {'master pass' if token.is_master else token.status}")
    return token


async def _nobody(
    conn: Connection,
    party_ids: Sequence[UUID],
    uids: Sequence[str],
) -> dict[tuple[UUID, str], list[UUID]]:
    """Holding something open is no hindrance to reserving for later."""
    return {}


async def _insert(conn: Connection, actor: Actor, outlets: list[Outlet], values: dict[str, Any]) -> Reservation:
    lanes = await store.lanes_of(conn, outlets)
    for outlet in outlets:
        if (made := await _try(conn, actor, outlet, lanes, values)) is not None:
            return made
    # Everything is taken: by somebody who has to make room?
    now = clock.now()
    found = await store.list_in_the_way(
        conn, actor.party_id, list(lanes.values()), values["from_at"], values["until_at"]
    )
    for outlet in outlets:
        here = [r for r in found if (r.station_id, r.evse_number) == (outlet.station_id, outlet.evse_number)]
        if here and all(lifecycle.yields(r, values["priority"], now) for r in here):
            for one in here:
                await _end(conn, one, "cancelled", "made room for a reservation of higher priority")
            if (made := await _try(conn, actor, outlet, lanes, values)) is not None:
                return made
    raise Conflict("every outlet that fits is reserved in that time", code="taken")


async def _try(
    conn: Connection, actor: Actor, outlet: Outlet, lanes: dict[tuple[str, int], int], values: dict[str, Any]
) -> Reservation | None:
    place = {
        "station_id": outlet.station_id,
        "evse_number": outlet.evse_number,
        "location_id": outlet.location_id,
        "lane": lanes[outlet.station_id, outlet.evse_number],
    }
    try:
        async with conn.transaction():
            return await store.insert_reservation(conn, actor.party_id, {**values, **place})
    except TAKEN:
        return None


async def cancel(conn: Connection, actor: Actor, reservation_id: UUID, reason: str = "") -> Reservation:
    """Let an outlet go; the station is told if it may know of it. Raises NotFound, and Conflict when it is over."""
    found = await store.lock(conn, actor.party_id, reservation_id)
    if found is None:
        raise NotFound(f"no reservation {reservation_id}")
    if found.status not in OPEN:
        raise Conflict(f"it is over already: {found.status}", code="over")
    await _end(conn, found, "cancelled", reason or f"by {actor.actor_id}")
    after = await store.lock(conn, actor.party_id, reservation_id)
    assert after is not None
    thing = f"reservation/{reservation_id}"
    was, now = {"status": found.status}, {"status": after.status}
    await accounts.audit(conn, actor, "reservation.cancelled", thing, {"reason": reason}, before=was, after=now)
    return after


async def set_group_priority(conn: Connection, actor: Actor, group_uid: str, priority: int) -> None:
    """Whose reservations come before others'."""
    was, now = {"priority": await store.group_priority(conn, actor.party_id, group_uid)}, {"priority": priority}
    await store.save_group(conn, actor.party_id, group_uid, priority)
    await accounts.audit(conn, actor, "reservation_group.changed", f"group/{group_uid}", {**now}, before=was, after=now)


async def _end(conn: Connection, found: Reservation, happening: Any, reason: str | None) -> None:
    """In the books at once. What the station may know it is told to forget."""
    now = clock.now()
    status = lifecycle.after(found.status, happening, found.from_at, found.until_at, now)
    await store.save(conn, found.reservation_id, status, is_held=found.is_held, reason=reason)
    await record(conn, [fact("ReservationChanged", found, status)])
    if found.told_at is None:
        return
    waited = await stations.cancel_queued(
        conn, found.party_id, found.station_id, "reserve", "reservation_id", str(found.number)
    )
    if not waited:
        await _tell_to_let_go(conn, found)


async def _tell_to_let_go(conn: Connection, found: Reservation) -> None:
    payload = {
        "party_id": str(found.party_id),
        "station_id": found.station_id,
        "number": found.number,
        "until_at": found.until_at,
    }
    await jobs.enqueue(conn, LET_GO_JOB, payload)


# ------------------------------------------------------------------------------------------ what stations say


async def take_reports(conn: Connection, reports: Sequence[ReservationReport]) -> None:
    """What stations say of reservations, by number. Those that a station does not have are nobody's."""
    known = await store.lock_told(conn, [(r.station_id, r.number) for r in reports])
    for report in reports:
        found = known.get((report.station_id, report.number))
        if found is not None:
            await _change(conn, found, report.what, is_held=False)


async def learn(conn: Connection, commands: Sequence[dict[str, Any]]) -> None:
    """What stations answered to orders about reservations; may come any number of times."""
    asked = [c for c in commands if c["kind"] in ("reserve", "cancel_reservation")]
    known = await store.lock_told(conn, [(c["station_id"], int(c["parameters"]["reservation_id"])) for c in asked])
    for command in asked:
        found = known.get((command["station_id"], int(command["parameters"]["reservation_id"])))
        if found is None:
            continue
        if command["kind"] == "reserve" and not lifecycle.is_about(found, command["parameters"]):
            continue  # of terms that it had once
        if command["kind"] == "reserve" and found.before is not None and found.status in OPEN:
            await _learn_of_change(conn, found, command)
        elif command["kind"] == "cancel_reservation":
            # Rejected means that it knows no such reservation: nothing is kept either way.
            if command["status"] in ("accepted", "rejected") and found.status not in OPEN:
                await store.save(conn, found.reservation_id, found.status, is_held=False)
        elif command["status"] == "accepted":
            if found.status in OPEN:
                await _change(conn, found, "kept", is_held=True)
            elif found.status == "cancelled" and await store.held_after_all(conn, found.reservation_id):
                # It was cancelled while the station took its time to say yes.
                await _tell_to_let_go(conn, found)
        elif command["status"] == "rejected" or command["error_code"] in _CANNOT:
            await _change(conn, found, "refused", is_held=False, reason=command["error_text"])


async def _learn_of_change(conn: Connection, found: Reservation, command: dict[str, Any]) -> None:
    """The station agreed to the new terms, or keeps the old ones; in doubt both hold, and it is asked again."""
    if command["status"] == "accepted":
        await store.settle_terms(conn, found.reservation_id)
    elif command["status"] in ("rejected", "offline") or command["error_code"] in _CANNOT:
        before = msgspec.convert(found.before, Terms)
        reason = command["error_text"] or command["status"]
        found = await store.save_terms(conn, found.reservation_id, before, before=None, refused=reason)
    else:
        return
    await record(conn, [fact("ReservationChanged", found)])


async def use(conn: Connection, uses: Sequence[Use]) -> None:
    """Sessions began: those at an outlet kept for their token use the reservation up, said the station so or not."""
    reserved = {r.station_id for r in await store.holds_at(conn, sorted({one.station_id for one in uses}))}
    for one in uses:
        if one.number is None and one.station_id not in reserved:
            continue  # most
        numbered = await store.lock_told(conn, [(one.station_id, one.number)]) if one.number is not None else {}
        found = next(iter(numbered.values()), None)
        if found is None and one.token_uid is not None:
            theirs = [
                r
                for r in await store.lock_at(conn, one.station_id, one.at)
                if lifecycle.may_use(one.token_uid, one.group_uid, r.token_uid, r.group_uid)
                and (r.scope == "station" or r.evse_number == one.evse_number)
            ]
            found = min(theirs, key=lambda r: r.evse_number != one.evse_number, default=None)
        if found is None:
            continue
        if found.status == "used":
            await store.save(conn, found.reservation_id, "used", is_held=False, session_id=one.session_id)
        else:
            await _change(conn, found, "used", is_held=False, session_id=one.session_id)


async def _change(
    conn: Connection,
    found: Reservation,
    happening: Any,
    *,
    is_held: bool,
    reason: str | None = None,
    session_id: UUID | None = None,
) -> None:
    status = lifecycle.after(found.status, happening, found.from_at, found.until_at, clock.now())
    if status == found.status and is_held == found.is_held:
        return
    await store.save(conn, found.reservation_id, status, is_held=is_held, reason=reason, session_id=session_id)
    if status != found.status:
        await record(conn, [fact("ReservationChanged", found, status)])


async def pass_time(conn: Connection, at: datetime) -> int:
    """What the clock alone changes: reservations begin, end unused, or were never kept. Returns how many."""
    found = await store.lock_passing(conn, at)
    for one in found:
        status = lifecycle.as_time_passes(one.status, one.from_at, one.until_at, at)
        await store.save(conn, one.reservation_id, status, is_held=one.is_held and status == "active")
        await record(conn, [fact("ReservationChanged", one, status)])
    return len(found)


# ------------------------------------------------------------------------------------------ who may charge


async def check_remote_start(
    conn: Connection, party_id: UUID, station_id: str, evse_number: int | None, uid: str
) -> None:
    """Raises Refused when what is to be started is reserved for somebody else."""
    now = clock.now()
    holds = [r for r in await store.holds_at(conn, [station_id]) if r.from_at <= now < r.until_at]
    if not holds:
        return
    request = AuthorizationRequest(party_id=party_id, uid=uid, type=None, at=now, is_start=False)
    [token] = await tokens.authorize(conn, [request], open_sessions=_nobody)
    n_outlets = (await store.outlets_of(conn, [station_id])).get(station_id, 0)
    if lifecycle.is_refused(holds, n_outlets, evse_number, uid, token.group_uid):
        raise Refused("the outlet is reserved for somebody else")


def fact(kind: str, reservation: Reservation, status: str | None = None) -> Event:
    """What became of a reservation, for the outbox."""
    return Event(
        kind=kind,
        subject=f"reservation/{reservation.reservation_id}",
        party_id=reservation.party_id,
        payload={
            "reservation_id": str(reservation.reservation_id),
            "number": reservation.number,
            "station_id": reservation.station_id,
            "evse_number": reservation.evse_number,
            "status": status or reservation.status,
            "from_at": reservation.from_at,
            "until_at": reservation.until_at,
        },
    )
