"""What must be true of the database after all that was done to it: the stations' ledgers against the tables.

*Exactly once* is a matter of effect. A status change is one row of `status_change`; a start is one row of `session`,
under the transaction id that the station was given or gave; a meter value is one row of `sample`, in its own session,
with its own register; and a session's energy is what its station's register went up by. However often a message was
sent, and whichever gateways took it, these rows are there once.

The message log `ocpp_message` is a record of exchanges over the wire, not of effects. A message that its station had to
send again, since the first answer was lost with the connection, may stand there as often as it was sent: each row was
one arrival. So of the log is asked: every acknowledged message at least once, answered with a result; and none answered
with a result more often than the station sent it, since one arrival is one such row even when its commit had to be
tried again. (An arrival whose commit was done, but whose gateway never learned of it, may have a second row: the error
that the station was told.)
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from tests.faults.fleet import Charge, Fleet, Station

Conn = Any  # an asyncpg connection or pool


async def audit(conn: Conn, fleet: Fleet) -> None:
    """Compare what stations were promised with what is kept. They have finished and the worker is done."""
    stations = {station.station_id: station for station in fleet.stations}
    unanswered = [m for s in fleet.stations for m in s.ledger if m.answer is None]
    assert not unanswered, f"{len(unanswered)} messages were never acknowledged: {unanswered[:3]}"
    ids = list(stations)
    await _sessions_are_right(conn, ids, stations)
    await _samples_are_right(conn, ids, stations)
    await _statuses_are_right(conn, ids, stations)
    await _log_is_right(conn, ids, stations)


async def _sessions_are_right(conn: Conn, ids: list[str], stations: dict[str, Station]) -> None:
    rows = await conn.fetch("select * from session where station_id = any($1)", ids)
    kept: dict[tuple[str, str], asyncpg.Record] = {(r["station_id"], r["transaction_id"]): r for r in rows}
    assert len(kept) == len(rows), "a transaction has two sessions"
    told = {(s.station_id, c.transaction_id): c for s in stations.values() for c in s.charges}
    assert set(kept) == set(told), f"lost {set(told) - set(kept)}, invented {set(kept) - set(told)}"
    wrong = [why for key, charge in told.items() if (why := _what_is_wrong(kept[key], charge))]
    assert not wrong, f"{len(wrong)} of {len(told)} sessions: {wrong[:5]}"


def _what_is_wrong(row: asyncpg.Record, charge: Charge) -> str | None:
    assert charge.register_stop_wh is not None
    energy_wh = charge.register_stop_wh - charge.register_start_wh
    if row["energy_wh"] != Decimal(energy_wh):
        return f"{row['station_id']} {row['transaction_id']}: {row['energy_wh']} Wh, the station says {energy_wh}"
    if row["status"] != "completed" or row["settled_at"] is None:
        return f"{row['station_id']} {row['transaction_id']}: {row['status']}, settled {row['settled_at']}"
    if row["anomalies"] or row["is_orphan"]:
        return f"{row['station_id']} {row['transaction_id']}: {row['anomalies']}, orphan {row['is_orphan']}"
    return None


async def _samples_are_right(conn: Conn, ids: list[str], stations: dict[str, Station]) -> None:
    rows = await conn.fetch(
        "select s.station_id, s.transaction_id, m.sampled_at, m.energy_wh from sample m join session s using (session_id)"
        " where s.station_id = any($1) and m.context = 'Sample.Periodic'",
        ids,
    )
    kept = Counter((r["station_id"], r["transaction_id"], r["sampled_at"], int(r["energy_wh"])) for r in rows)
    told = Counter(
        (station.station_id, charge.transaction_id, sample.at, sample.register_wh)
        for station in stations.values()
        for charge in station.charges
        for sample in charge.samples
    )
    assert kept == told, f"lost {list(told - kept)[:5]}, too many {list(kept - told)[:5]}"
    loose = await conn.fetchval("select count(*) from loose_sample where station_id = any($1)", ids)
    assert loose == 0, "meter values of a session lie outside any"


async def _statuses_are_right(conn: Conn, ids: list[str], stations: dict[str, Station]) -> None:
    rows = await conn.fetch("select station_id, at from status_change where station_id = any($1)", ids)
    kept: Counter[tuple[str, datetime]] = Counter((r["station_id"], r["at"]) for r in rows)
    told = Counter((station.station_id, at) for station in stations.values() for at in station.statuses)
    assert kept == told, f"lost {list(told - kept)[:5]}, too many {list(kept - told)[:5]}"


async def _log_is_right(conn: Conn, ids: list[str], stations: dict[str, Station]) -> None:
    rows = await conn.fetch(
        "select message_id, count(*) as n from ocpp_message where station_id = any($1) and direction = 'in'"
        " and answer_kind = 'result' group by message_id",
        ids,
    )
    kept = {r["message_id"]: r["n"] for r in rows}
    messages = [m for s in stations.values() for m in s.ledger]
    lost = [m for m in messages if m.message_id not in kept]
    assert not lost, f"{len(lost)} acknowledged messages are not in the log: {lost[:3]}"
    often = [m for m in messages if kept[m.message_id] > m.times_sent]
    assert not often, f"{len(often)} messages are in the log more often than they were sent: {often[:3]}"
