"""Security signals: what detections and the page of the door read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ohmstead.core.db import Connection, to_json
from ohmstead.core.writes import Write
from ohmstead.stations.model import Signal


# any party: a refused connection belongs to nobody
def signals(found: Sequence[Signal]) -> list[Write]:
    """Security signals, each a row."""
    return [Write(_SIGNALS, [to_json(found)])] if found else []


_SIGNALS = """
signals as (
    insert into security_signal (at, party_id, station_id, remote_address, kind, detail)
    select u.* from json_to_recordset($1::json) as u (at timestamptz, party_id uuid, station_id text,
           remote_address text, kind text, detail jsonb))"""


# any party: by station, for whoever looks at what a station tells
async def count_recent(conn: Connection, station_ids: Sequence[str], kind: str, since: datetime) -> dict[str, int]:
    """How often something was noticed at each of these stations; where it never was, they are left out."""
    rows = await conn.fetch(
        "select station_id, count(*) as n from security_signal where station_id = any ($1) and at >= $3 and kind = $2"
        " group by station_id",
        list(station_ids),
        kind,
        since,
    )
    return {row["station_id"]: row["n"] for row in rows}


# any party: retention is the installation's
async def drop_signals(conn: Connection, before: datetime, limit: int) -> int:
    """Forget what was noticed before an instant, at most `limit` rows; returns how many went."""
    done = await conn.execute(
        "delete from security_signal where signal_id in (select signal_id from security_signal where at < $1 limit $2)",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
