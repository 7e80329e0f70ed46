"""Tokens in PostgreSQL: the look-up that every start waits for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.tokens.model import Token


async def find_tokens(
    conn: Connection, party_ids: Sequence[UUID], uids: Sequence[str]
) -> dict[tuple[UUID, str], Token]:
    """Tokens by (party, lower-case uid) for the pairs given."""
    rows = await conn.fetch(
        "select t.token_id, t.party_id, t.uid, t.type, t.status, t.group_uid, t.is_master, t.valid_from, t.valid_until,"
        " t.location_ids, t.weekdays, t.from_minute, t.until_minute, t.max_sessions, t.may_discharge, t.language"
        " from unnest($1::uuid[], $2::text[]) as asked (party_id, uid_key)"
        " join token t using (party_id, uid_key)",
        list(party_ids),
        [uid.lower() for uid in uids],
    )
    found = {}
    for row in rows:
        fields = dict(row)
        if fields["location_ids"] is not None:
            fields["location_ids"] = tuple(fields["location_ids"])
        found[row["party_id"], row["uid"].lower()] = Token(**fields)
    return found
