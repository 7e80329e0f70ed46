"""Checking the audit log of a party from its first entry to its last."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.audit import queries
from ohmstead.accounts.audit.chain import Checker, Fault, Head
from ohmstead.core.db import Connection

PIECE = 2000


class Verdict(Struct, frozen=True, kw_only=True):
    """What was found. `head` is the last entry's number and hash: note it elsewhere, and ask for it the next time."""

    n_entries: int
    head: Head
    faults: list[Fault]


async def verify(conn: Connection, party_id: UUID, anchors: Mapping[int, bytes] | None = None) -> Verdict:
    """Read all of it, as of one instant, and reckon every hash anew. `anchors`: hashes noted elsewhere, by number."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        head = await queries.find_head(conn, party_id)
        checker = Checker(anchors)
        while links := await queries.list_links(conn, party_id, checker.last.number, PIECE):
            checker.take(links)
        checker.take(await queries.list_unlinked(conn, party_id, PIECE))
        return Verdict(n_entries=checker.n_entries, head=checker.last, faults=checker.finish(head))
