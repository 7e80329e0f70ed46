"""Entries go into the books, months are closed. The edge opens the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.ledger import store
from ohmstead.billing.ledger.entries import Entry, Posting, after, booked_on, check, digest, month_of
from ohmstead.billing.ledger.model import KeptEntry, LedgerLock
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id


async def hold(conn: Connection, party_id: UUID) -> str:
    """Nobody else bills or posts for the party until the transaction ends. Returns the time zone of its books."""
    return (await store.hold_head(conn, party_id)).time_zone


async def post_all(conn: Connection, party_id: UUID, by: str, entries: Sequence[Entry]) -> list[KeptEntry]:
    """Put entries into the books, in their order. One whose key is there already stays as it is.

    An entry is booked on the day that it belongs to; where that month is closed, today. Raises Invalid for one that does
    not balance, Conflict where a key was used for something else.
    """
    for entry in entries:
        check(entry)
    head = await store.hold_head(conn, party_id)
    today = day_of(clock.now(), head.time_zone)
    known = await store.find_by_keys(conn, party_id, [entry.key for entry in entries])
    new: list[tuple[KeptEntry, Entry]] = []
    number = head.last_number
    for entry in entries:
        said = digest(entry)
        if entry.key not in known:
            number += 1
            day = booked_on(entry.wanted_on, today, head.first_open)
            kept = KeptEntry(entry_id=new_id(), number=number, booked_on=day)
            known[entry.key] = (said, kept)
            new.append((kept, entry))
        elif known[entry.key][0] != said:
            raise Conflict(f"{entry.key} is in the books with something else", code="key_reused")
    if new:
        wanted = [posting.account for _, entry in new for posting in entry.postings]
        ids = await store.open_accounts(conn, party_id, wanted)
        await store.move_head(conn, party_id, number)
        await store.insert_entries(conn, party_id, new, ids, clock.now(), by)
    return [known[entry.key][1] for entry in entries]


async def days_of(conn: Connection, party_id: UUID, entries: Sequence[Entry]) -> list[date]:
    """On which day each would be booked now; of one that has no postings, the day that it belongs to."""
    head = await store.hold_head(conn, party_id)
    today = day_of(clock.now(), head.time_zone)
    return [
        booked_on(entry.wanted_on, today, head.first_open) if entry.postings else entry.wanted_on for entry in entries
    ]


async def find_postings(
    conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]
) -> dict[UUID, tuple[date, tuple[Posting, ...]]]:
    """Of CDRs that are in the books: on which day, and with which postings. Those that came to nothing are not."""
    return await store.list_postings_of_cdrs(conn, party_id, cdr_ids)


async def lock(conn: Connection, actor: Actor, month: str) -> LedgerLock:
    """Close a month and all before it, for ever. Raises Invalid, Refused while it is not over, Conflict when it is closed."""
    first = month_of(month)
    head = await store.hold_head(conn, actor.party_id)
    now = clock.now()
    if after(first) > day_of(now, head.time_zone):
        raise Refused(f"{month} is not over yet")
    if head.first_open is not None and first < head.first_open:
        raise Conflict(f"{month} is closed already", code="closed")
    await store.insert_lock(conn, actor.party_id, first, after(first), now, actor.actor_id)
    await accounts.audit(conn, actor, "ledger.locked", f"ledger/{month}")
    payload = {"month": month, "by": actor.actor_id}
    await record(conn, [Event("PeriodLocked", f"ledger/{month}", payload, party_id=actor.party_id)])
    return LedgerLock(month=month, locked_at=now, locked_by=actor.actor_id)


def day_of(at: datetime, time_zone: str) -> date:
    """Which day it was where the books are kept."""
    try:
        return at.astimezone(ZoneInfo(time_zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return at.date()


async def zone_of(conn: Connection, party_id: UUID) -> str:
    """Where a party's books are kept, without holding them."""
    return (await accounts.get_party(conn, party_id)).time_zone
