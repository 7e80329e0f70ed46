"""Pairing in PostgreSQL: sessions that just began, and the cars that stations asked about before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection


# any party: the facts name the sessions, and each row says whose it is
async def list_pairable(
    conn: Connection, session_ids: Sequence[UUID], kind: str, within_s: float
) -> list[dict[str, Any]]:
    """Sessions that a card with AutoCharge began a moment ago, and the vehicle ids that their stations asked about.

    Sessions that are told late, since the station was offline, are left out: nobody knows what was shown then.
    """
    rows = await conn.fetch(
        "select s.session_id, s.party_id, s.token_id,"
        " array(select distinct coalesce(r.payload ->> 'idTag', r.payload -> 'idToken' ->> 'idToken')"
        "   from station_record r where r.station_id = s.station_id and r.kind = $2"
        "   and r.received_at between s.first_received_at - make_interval(secs => $3) and s.first_received_at) as shown"
        " from session s join token t on t.token_id = s.token_id"
        " where s.session_id = any($1) and t.autocharge and t.paired_with is null and t.status = 'active'"
        " and not s.is_offline",
        list(session_ids),
        kind,
        within_s,
    )
    return [dict(row) for row in rows if row["shown"]]
