"""Are the books right? Every entry and balance, every CDR, payment and bank line with its entries, reckoned anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.cdrs.reckoning import postings_of
from ohmstead.billing.incoming import queries as incoming
from ohmstead.billing.ledger import queries as books
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Posting, reversed_postings
from ohmstead.billing.payments import queries as payments
from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.core.money import ODD_MINOR_UNITS

MOST = 100
# More entries than that take longer than somebody waits for an answer: the command line has all the time.
MOST_AT_ONCE = 100_000
_PIECE = 2000


class BookFault(Struct, frozen=True):
    """What is wrong: which check found it, and that in words."""

    check: str
    text: str


class BookVerdict(Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong with it."""

    n_entries: int
    n_cdrs: int
    faults: list[BookFault]


async def verify(conn: Connection, party_id: UUID, *, most: int | None = None) -> BookVerdict:
    """Look at all of a party's books, as of one instant. Of each kind of fault the first hundred are told.

    Raises Refused where they have more than `most` entries.
    """
    if most is not None and await books.count_entries(conn, party_id) > most:
        raise Refused(f"the books have more than {most} entries: check them with `ohmstead ledger verify`")
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return await look_over(conn, party_id)


async def look_over(conn: Connection, party_id: UUID) -> BookVerdict:
    """The same, in the caller's transaction."""
    faults = [BookFault(name, text) for name, text in await books.list_faults(conn, party_id, MOST)]
    whole = [name for name, digits in ODD_MINOR_UNITS.items() if digits == 0]
    thousandths = [name for name, digits in ODD_MINOR_UNITS.items() if digits == 3]
    faults += [
        BookFault(name, text) for name, text in await payments.list_faults(conn, party_id, MOST, whole, thousandths)
    ]
    faults += [
        BookFault(name, text) for name, text in await incoming.list_faults(conn, party_id, MOST, whole, thousandths)
    ]
    n_cdrs, after = 0, None
    wrong: list[BookFault] = []
    while piece := await cdrs.list_for_checking(conn, party_id, after=after, limit=_PIECE):
        n_cdrs += len(piece)
        after = piece[-1].cdr_id
        ids = [cdr.cdr_id for cdr in piece] + [cdr.credits_id for cdr in piece if cdr.credits_id is not None]
        booked = await ledger.find_postings(conn, party_id, ids)
        wrong += [fault for cdr in piece if (fault := _fault_of(cdr, booked)) is not None]
    n_entries = await books.count_entries(conn, party_id)
    return BookVerdict(n_entries=n_entries, n_cdrs=n_cdrs, faults=[*faults, *wrong[:MOST]])


def _fault_of(cdr: Cdr, booked: Mapping[UUID, tuple[date, tuple[Posting, ...]]]) -> BookFault | None:
    _, found = booked.get(cdr.cdr_id, (None, ()))
    if cdr.credits_id is None:
        wanted = postings_of(cdr)
        total = cdr.cost.total
    else:
        wanted = reversed_postings(booked.get(cdr.credits_id, (None, ()))[1])
        total = -cdr.cost.total
    if wanted and not found:
        return BookFault("cdr", f"CDR {cdr.cdr_id} has no entry")
    if _sorted(found) != _sorted(wanted):
        return BookFault("cdr", f"the entry of CDR {cdr.cdr_id} says something else than it")
    if cdr.total != total:
        return BookFault("cdr", f"CDR {cdr.cdr_id} does not come to what its lines do")
    return None


def _sorted(postings: Sequence[Posting]) -> list[tuple[str, str, str]]:
    return sorted((p.account.code, p.account.currency, format(p.amount.normalize(), "f")) for p in postings)
