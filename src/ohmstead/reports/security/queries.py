"""Security signals for pages and programs: of one's own stations; what belongs to nobody, for who runs the installation."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.reports.security.model import (
    TOLD_BY_STATIONS,
    TURNED_AWAY,
    RefusalFilter,
    SecuritySignal,
    SignalFilter,
    TurnedAway,
    Watched,
    signal_of,
    turned_away_of,
)
from ohmstead.reports.security.words import GRAVE

# Who knocks says who they are, in capitals or not: the register knows how it is spelt, and whose it is.
_SIGNALS: Final = """
from security_signal g
left join station any_st on lower(any_st.station_id) = lower(g.station_id)
left join station st on st.station_id = any_st.station_id and st.party_id = {party}
"""
_REASON: Final = "case when g.kind = 'connection_refused' then g.detail ->> 'reason' end"
_TEXT: Final = "concat_ws(' ', g.station_id, g.remote_address, g.kind, g.detail::text)"


def _visible(scope: Scope) -> tuple[Conditions, str]:
    """Conditions for what somebody sees, and the tables. A knock under nobody's identity is the installation's."""
    where = Conditions()
    party = where.parameter(scope.party_id)
    where.add(
        f"g.party_id = {party} or (g.party_id is null and (st.station_id is not null or (any_st.station_id is null"
        f" and exists (select from party p where p.party_id = {party} and p.owns_installation))))"
    )
    if scope.locations is not None:
        where.add("st.location_id = any ({})", scope.locations)
    return where, _SIGNALS.format(party=party)


async def list_signals(
    conn: Connection,
    scope: Scope,
    only: SignalFilter | None = None,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[SecuritySignal]:
    """Newest first; `before` is the (time, number) of the last one of the page before."""
    only = only or SignalFilter()
    where, tables = _visible(scope)
    if before is not None:
        where.add("(g.at, g.signal_id) < ({}, {}::bigint)", *before)
    if only.kind is not None:
        where.add("starts_with(g.kind, {})" if only.kind.endswith("_") else "g.kind = {}", only.kind)
    where.add_given("lower(g.station_id) = lower({})", only.station_id)
    where.add_given("g.at >= {}", only.since)
    where.add_given("g.at < {}", only.until)
    if only.q is not None:
        where.add(_TEXT + " ilike {}", like(only.q))
    rows = await conn.fetch(
        "select g.signal_id, g.at, g.kind, coalesce(st.station_id, g.station_id) as station_id,"
        f" st.station_id is not null as is_known, g.remote_address, g.detail {tables} where {where.sql}"
        f" order by g.at desc, g.signal_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [signal_of(row) for row in rows]


RefusalKey = tuple[datetime, str, str, str, str]


async def list_turned_away(
    conn: Connection,
    scope: Scope,
    only: RefusalFilter | None = None,
    *,
    after: RefusalKey | None = None,
    limit: int = 100,
) -> list[TurnedAway]:
    """The last to knock first; `after` is the key (`key_of`) of the last one of the page before."""
    only = only or RefusalFilter()
    where, tables = _visible(scope)
    where.add("g.kind = any ({}::text[])", list(TURNED_AWAY))
    where.add_given("g.at >= {}", only.since)
    where.add_given("g.at < {}", only.until)
    where.add_given("(st.station_id is not null) = {}", only.is_known)
    where.add_given(_REASON + " = {}", only.reason)
    if only.q is not None:
        where.add("concat_ws(' ', g.station_id, g.remote_address) ilike {}", like(only.q))
    grouped = (
        "select coalesce(st.station_id, g.station_id) as station_id, st.station_id is not null as is_known,"
        f" g.remote_address, g.kind, {_REASON} as reason, count(*)::bigint as n, min(g.at) as first_at,"
        f" max(g.at) as last_at {tables} where {where.sql} group by 1, 2, 3, 4, 5"
    )
    key = "(last_at, coalesce(station_id, ''), coalesce(remote_address, ''), kind, coalesce(reason, ''))"
    beyond = Conditions()
    beyond.values = where.values
    if after is not None:
        beyond.add(key + " < ({}, {}, {}, {}, {})", *after)
    rows = await conn.fetch(
        f"select * from ({grouped}) x where {beyond.sql} order by {key} desc limit {beyond.parameter(limit)}",
        *beyond.values,
    )
    return [turned_away_of(row) for row in rows]


def key_of(one: TurnedAway) -> RefusalKey:
    """Its place in the list."""
    return one.last_at, one.station_id or "", one.remote_address or "", one.kind, one.reason or ""


async def count_signals(conn: Connection, scope: Scope, since: datetime) -> Watched:
    """How much there was."""
    where, tables = _visible(scope)
    where.add("g.at >= {}", since)
    away, grave = where.parameter(list(TURNED_AWAY)), where.parameter(sorted(GRAVE))
    told = where.parameter(TOLD_BY_STATIONS)
    is_away = f"g.kind = any ({away}::text[])"
    row = await conn.fetchrow(
        f"select count(*) filter (where {is_away}) as n_turned_away,"
        f" count(distinct lower(g.station_id)) filter (where {is_away}) as n_identities,"
        f" count(*) filter (where {is_away} and st.station_id is not null) as n_of_stations,"
        f" count(*) filter (where starts_with(g.kind, {told})) as n_station_events,"
        f" count(*) filter (where g.kind = any ({grave}::text[])) as n_grave {tables} where {where.sql}",
        *where.values,
    )
    assert row is not None
    return Watched(since=since, **row)
