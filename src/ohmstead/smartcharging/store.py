"""Charging profiles, limits and needs in PostgreSQL: the write side, and what decisions read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core import clock
from ohmstead.core.db import Connection, Row, to_json
from ohmstead.smartcharging.model import (
    CompositeReport,
    EvScheduleReport,
    HeldLimit,
    HeldProfile,
    LimitReport,
    Needs,
    NeedsReport,
    NeedsStatus,
    PriorityReport,
    ProfilesReport,
    ProfileStatus,
)
from ohmstead.smartcharging.negotiation import MOST_REJECTED
from ohmstead.stations.orders import ChargingProfile, Schedule
from ohmstead.stations.orders.charging import EnergyTransfer

HELD = "station_id, evse_number, status, source, profile, set_by, set_at, confirmed_at, detail"


def held_of(row: Row) -> HeldProfile:
    fields = dict(row)
    fields["profile"] = msgspec.convert(fields["profile"], ChargingProfile)
    return HeldProfile(**fields)


LIMIT = "evse_number, source, since, is_grid_critical, is_local_generation, schedules"


def limit_of(row: Row) -> HeldLimit:
    return HeldLimit(**{**dict(row), "schedules": msgspec.convert(row["schedules"], tuple[Schedule, ...])})


async def next_profile_id(conn: Connection) -> int:
    """An id that no profile of ours had before, at any station."""
    number: int = await conn.fetchval("select nextval('charging_profile_number')")
    return number


async def list_held(conn: Connection, station_id: str) -> list[HeldProfile]:
    """Profiles that a station has, or may have since it has not answered yet."""
    rows = await conn.fetch(
        f"select {HELD} from charging_profile where station_id = $1 and status in ('held', 'sent') order by profile_id",
        station_id,
    )
    return [held_of(row) for row in rows]


async def find_profile(conn: Connection, station_id: str, profile_id: int) -> HeldProfile | None:
    row = await conn.fetchrow(
        f"select {HELD} from charging_profile where station_id = $1 and profile_id = $2", station_id, profile_id
    )
    return held_of(row) if row else None


async def save_profiles(
    conn: Connection,
    station_id: str,
    evse_number: int,
    profiles: Sequence[ChargingProfile],
    *,
    status: ProfileStatus,
    set_by: str,
    source: str = "CSO",
) -> None:
    """Profiles as they are now; what a station told of one that we set keeps who set it."""
    rows = [
        {
            "profile_id": p.profile_id,
            "purpose": p.purpose,
            "timing": p.timing,
            "stack_level": p.stack_level,
            "transaction_id": p.transaction_id,
            "valid_from": p.valid_from,
            "valid_until": p.valid_until,
            "profile": p,
        }
        for p in profiles
    ]
    await conn.execute(
        "insert into charging_profile as c (station_id, profile_id, evse_number, purpose, timing, stack_level,"
        " transaction_id, valid_from, valid_until, profile, source, status, set_by, set_at, confirmed_at)"
        " select $1, u.profile_id, $2, u.purpose, u.timing, u.stack_level, u.transaction_id, u.valid_from, u.valid_until,"
        " u.profile, $3, $4, $5, $7, case when $4 = 'held' then now() end"
        " from json_to_recordset($6::json) as u (profile_id integer, purpose text, timing text, stack_level integer,"
        " transaction_id text, valid_from timestamptz, valid_until timestamptz, profile jsonb)"
        " on conflict (station_id, profile_id) do update set evse_number = excluded.evse_number,"
        " purpose = excluded.purpose, timing = excluded.timing, stack_level = excluded.stack_level,"
        " transaction_id = excluded.transaction_id, valid_from = excluded.valid_from,"
        " valid_until = excluded.valid_until, profile = excluded.profile, source = excluded.source,"
        " status = excluded.status, detail = null, confirmed_at = coalesce(excluded.confirmed_at, c.confirmed_at),"
        " set_by = case when excluded.status = 'held' then c.set_by else excluded.set_by end,"
        " set_at = case when excluded.status = 'held' then c.set_at else excluded.set_at end",
        station_id,
        evse_number,
        source,
        status,
        set_by,
        to_json(rows),
        # By the clock that orders are timed with.
        clock.now(),
    )


async def profile_answered(
    conn: Connection,
    station_id: str,
    profile_id: int,
    status: ProfileStatus,
    detail: str | None,
    requested_at: datetime,
) -> int | None:
    """The EVSE whose profile it is, when the answer is news. `requested_at`: when what is answered was ordered."""
    found: int | None = await conn.fetchval(
        "update charging_profile set status = $3, detail = left($4, 500),"
        " confirmed_at = case when $3 = 'held' then now() else confirmed_at end"
        # What is known already, was cleared since or is on its way anew, an answer that is heard of again does not change.
        " where station_id = $1 and profile_id = $2 and status in ('sent', 'unknown') and set_at <= $5"
        " returning evse_number",
        station_id,
        profile_id,
        status,
        detail,
        requested_at,
    )
    return found


async def clear_matching(
    conn: Connection,
    station_id: str,
    *,
    profile_id: int | None = None,
    evse_number: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
    except_ids: Sequence[int] = (),
    set_before: datetime | None = None,
) -> None:
    """The station has these no more; with `set_before`, only those that it was given by then."""
    await conn.execute(
        "update charging_profile set status = 'cleared', confirmed_at = now() where station_id = $1"
        " and status in ('held', 'sent', 'unknown') and ($2::integer is null or profile_id = $2)"
        " and ($3::integer is null or evse_number = $3) and ($4::text is null or purpose = $4)"
        " and ($5::integer is null or stack_level = $5) and not profile_id = any($6)"
        " and ($7::timestamptz is null or set_at <= $7)",
        station_id,
        profile_id,
        evse_number,
        purpose,
        stack_level,
        list(except_ids),
        set_before,
    )


async def end_transaction_profiles(conn: Connection, ended: Sequence[tuple[str, str]]) -> None:
    """A transaction's own profiles end with it (1.6 §3.13.1, 2.x K01): the station drops them by itself."""
    await conn.execute(
        "update charging_profile c set status = 'cleared', detail = 'the transaction ended' from"
        " unnest($1::text[], $2::text[]) as u (station_id, transaction_id) where c.station_id = u.station_id"
        " and c.transaction_id = u.transaction_id and c.status in ('held', 'sent', 'unknown')",
        [station_id for station_id, _ in ended],
        [transaction_id for _, transaction_id in ended],
    )


async def begin_report(conn: Connection, station_id: str, request_id: int, *, is_full: bool) -> None:
    await conn.execute(
        "insert into profile_report (station_id, request_id, is_full) values ($1, $2, $3) on conflict do nothing",
        station_id,
        request_id,
        is_full,
    )


async def add_to_report(conn: Connection, report: ProfilesReport) -> tuple[bool, list[int]]:
    """One more part: whether the report is now complete and was one of everything, and the ids it named so far."""
    row = await conn.fetchrow(
        "insert into profile_report as p (station_id, request_id, n_chunks, is_complete, profile_ids)"
        " values ($1, $2, 1, $3, $4) on conflict (station_id, request_id) do update set n_chunks = p.n_chunks + 1,"
        " is_complete = p.is_complete or excluded.is_complete,"
        " profile_ids = (select array_agg(distinct id) from unnest(p.profile_ids || excluded.profile_ids) as id)"
        " returning is_complete and is_full as is_done, profile_ids",
        report.station_id,
        report.request_id,
        report.is_last,
        [p.profile_id for p in report.profiles],
    )
    assert row is not None
    return row["is_done"], row["profile_ids"] or []


async def keeps_safe_limits(conn: Connection, station_id: str) -> bool:
    """Has it ever been looked at for safe limits?"""
    found: bool = await conn.fetchval(
        "select exists (select from upkeep where station_id = $1 and duty = 'safe_limit')", station_id
    )
    return found


async def save_composite(conn: Connection, report: CompositeReport) -> None:
    await conn.execute(
        "insert into composite_schedule (station_id, evse_number, rate_unit, starts_at, duration_s, periods)"
        " values ($1, $2, $3, $4, $5, $6) on conflict (station_id, evse_number, rate_unit) do update set"
        " starts_at = excluded.starts_at, duration_s = excluded.duration_s, periods = excluded.periods,"
        " received_at = now()",
        report.station_id,
        report.evse_number,
        report.rate_unit,
        report.starts_at,
        report.duration_s,
        to_json(report.periods),
    )


async def save_limit(conn: Connection, report: LimitReport) -> None:
    if report.is_cleared:
        await conn.execute(
            "delete from charging_limit where station_id = $1 and evse_number = $2 and source = $3",
            report.station_id,
            report.evse_number,
            report.source,
        )
        return
    await conn.execute(
        "insert into charging_limit (station_id, evse_number, source, is_grid_critical, is_local_generation, schedules,"
        " since) values ($1, $2, $3, $4, $5, $6, $7) on conflict (station_id, evse_number, source) do update set"
        " is_grid_critical = excluded.is_grid_critical, is_local_generation = excluded.is_local_generation,"
        " schedules = excluded.schedules, since = excluded.since",
        report.station_id,
        report.evse_number,
        report.source,
        report.is_grid_critical,
        report.is_local_generation,
        to_json(report.schedules),
        report.at,
    )


async def save_priority(conn: Connection, report: PriorityReport) -> None:
    await conn.execute(
        "insert into priority_charging values ($1, $2, $3, $4) on conflict (station_id, transaction_id) do update set"
        " is_active = excluded.is_active, changed_at = excluded.changed_at",
        report.station_id,
        report.transaction_id,
        report.is_active,
        report.at,
    )


# ------------------------------------------------------------------------------------------ needs


async def insert_needs(
    conn: Connection, needs_id: UUID, report: NeedsReport, status: NeedsStatus, detail: str | None
) -> None:
    """What the car wanted before, and was not answered, does not count any more."""
    await conn.execute(
        "update charging_needs set status = 'superseded' where station_id = $1 and evse_number = $2"
        " and status in ('received', 'rejected')",
        report.station_id,
        report.evse_number,
    )
    await conn.execute(
        "insert into charging_needs (needs_id, station_id, evse_number, received_at, needs, status, detail)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        needs_id,
        report.station_id,
        report.evse_number,
        report.at,
        to_json(report.needs),
        status,
        detail,
    )


class Waiting(msgspec.Struct, frozen=True):
    """Needs that wait for their plan, and the transaction at their outlet if there is one. `plan`: the present one."""

    needs_id: UUID
    party_id: UUID
    station_id: str
    evse_number: int
    received_at: datetime
    needs: Needs
    profile_id: int | None
    plan: Schedule | None
    transaction_id: str | None


async def lock_station(conn: Connection, station_id: str) -> None:
    """Whoever plans for a station waits for who does so already, until that one's transaction is over."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('charging plan ' || $1, 0))", station_id)


async def lock_answers(conn: Connection, station_ids: Sequence[str]) -> None:
    """Whoever hears of answers about stations' profiles waits for who does so already: both write profiles and plans, and
    would wait for each other in a ring. Before anything else in the transaction, and in order.
    """
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('charging answer ' || s, 0)) from unnest($1::text[]) as s",
        list(station_ids),
    )


class Taker(msgspec.Struct, frozen=True):
    """Another car at the station: its plan, and what it was seen to draw."""

    evse_number: int | None
    started_at: datetime
    power_w: Decimal | None
    power_at: datetime | None
    plan: Schedule | None


# any party: the caller knows the station by its party
async def list_takers(conn: Connection, station_id: str, evse_number: int) -> list[Taker]:
    """Cars that charge at other outlets of the station, with the plans that they were given last."""
    rows = await conn.fetch(
        "select t.evse_number, t.started_at, t.power_w, t.power_at, n.plan from session t left join lateral"
        " (select plan from charging_needs n where n.station_id = t.station_id and n.evse_number = t.evse_number"
        "   and n.transaction_id = t.transaction_id and n.plan is not null and n.status in ('received', 'planned')"
        "   order by n.received_at desc limit 1) n on true"
        " where t.station_id = $1 and t.status in ('pending', 'active') and t.evse_number is distinct from $2",
        station_id,
        evse_number,
    )
    return [Taker(**{**dict(row), "plan": row["plan"] and msgspec.convert(row["plan"], Schedule)}) for row in rows]


async def list_limits(conn: Connection, station_id: str) -> list[HeldLimit]:
    """Limits that somebody else set at the station and has not taken back."""
    rows = await conn.fetch(f"select {LIMIT} from charging_limit where station_id = $1", station_id)
    return [limit_of(row) for row in rows]


# any party: by id, for the worker
async def lock_waiting(conn: Connection, needs_id: UUID, *, is_planned: bool = False) -> Waiting | None:
    """With `is_planned`, needs that have their plan, as long as the car charges and did not ask anew."""
    row = await conn.fetchrow(
        "select n.needs_id, s.party_id, n.station_id, n.evse_number, n.received_at, n.needs, n.profile_id, n.plan,"
        " (select t.transaction_id from session t where t.station_id = n.station_id"
        "   and t.evse_number = n.evse_number and t.status in ('pending', 'active')"
        "   and (not 'planned' = any($2) or t.transaction_id = n.transaction_id) order by t.started_at desc limit 1)"
        " as transaction_id from charging_needs n join station s using (station_id)"
        " where n.needs_id = $1 and n.status = any($2) and not exists (select from charging_needs later"
        "   where later.station_id = n.station_id and later.evse_number = n.evse_number"
        "   and later.received_at > n.received_at) for update of n",
        needs_id,
        ["planned"] if is_planned else ["received", "rejected"],
    )
    if row is None:
        return None
    plan = row["plan"] and msgspec.convert(row["plan"], Schedule)
    return Waiting(**{**dict(row), "needs": msgspec.convert(row["needs"], Needs), "plan": plan})


async def earlier_profile_id(conn: Connection, station_id: str, evse_number: int, transaction_id: str) -> int | None:
    """The profile that this transaction was planned with before: a new plan replaces it."""
    found: int | None = await conn.fetchval(
        "select profile_id from charging_needs where station_id = $1 and evse_number = $2 and transaction_id = $3"
        " and profile_id is not null order by received_at desc limit 1",
        station_id,
        evse_number,
        transaction_id,
    )
    return found


async def save_plan(
    conn: Connection,
    needs_id: UUID,
    status: NeedsStatus,
    *,
    detail: str | None = None,
    transaction_id: str | None = None,
    profile_id: int | None = None,
    plan: Any = None,
) -> None:
    """What became of a plan; with "received" it is on its way from now on, and answers from before count no more."""
    await conn.execute(
        "update charging_needs set status = $2, detail = left($3, 500), transaction_id = coalesce($4, transaction_id),"
        " profile_id = coalesce($5, profile_id), plan = coalesce($6::jsonb, plan),"
        " planned_at = case when $2 = 'received' then $7 else planned_at end where needs_id = $1",
        needs_id,
        status,
        detail,
        transaction_id,
        profile_id,
        to_json(plan) if plan is not None else None,
        # By the clock that orders are timed with.
        clock.now(),
    )


async def needs_answered(
    conn: Connection,
    station_id: str,
    profile_id: int,
    status: NeedsStatus,
    detail: str | None,
    requested_at: datetime,
) -> None:
    """The station took the plan, or did not. `requested_at`: when what is answered was ordered; a plan that is on its
    way anew since then waits for its own answer."""
    await conn.execute(
        "update charging_needs set status = $3, detail = left($4, 500) where needs_id = (select needs_id from"
        " charging_needs where station_id = $1 and profile_id = $2 order by received_at desc limit 1)"
        # Of the row itself: what is asked of other tables is as it was before a wait for this row.
        " and status in ('received', 'planned') and (planned_at <= $5) is not false",
        station_id,
        profile_id,
        status,
        detail,
        requested_at,
    )


async def save_ev_schedule(conn: Connection, report: EvScheduleReport) -> None:
    """What the car chose, beside the latest that it asked for."""
    await conn.execute(
        "update charging_needs set ev_schedule = $3, ev_schedule_at = $4, selected_schedule_id = $5,"
        " is_tolerance_accepted = $6 where needs_id = (select needs_id from"
        " charging_needs where station_id = $1 and evse_number = $2 order by received_at desc limit 1)",
        report.station_id,
        report.evse_number,
        to_json(report.schedule),
        report.at,
        report.selected_schedule_id,
        report.is_tolerance_accepted,
    )


async def reject_ev_schedule(conn: Connection, needs_id: UUID, detail: str) -> int:
    """The car chose too much; how often by now. What it asked for waits for its plan again."""
    n_rejected: int = await conn.fetchval(
        "update charging_needs set n_rejected = n_rejected + 1, detail = left($2, 500),"
        " status = case when status = 'planned' and n_rejected < $3 then 'rejected' else status end"
        " where needs_id = $1 returning n_rejected",
        needs_id,
        detail,
        MOST_REJECTED,
    )
    return n_rejected


class Talk(msgspec.Struct, frozen=True):
    """The session that goes on at an outlet, what it may do, and the latest that its car asked for."""

    transaction_id: str | None
    transaction_at: datetime | None
    may_discharge: bool | None
    ways: list[EnergyTransfer] | None
    needs_id: UUID | None
    needs: Needs | None
    profile_id: int | None


# any party: a station tells of its own outlet
async def find_talk(conn: Connection, station_id: str, evse_number: int) -> Talk:
    """What is known at an outlet now; everything None: nothing."""
    row = await conn.fetchrow(
        "select t.transaction_id, t.started_at as transaction_at,"
        " case when t.session_id is not null then coalesce(k.may_discharge, false) end as may_discharge, a.ways,"
        " n.needs_id, n.needs, n.profile_id from (select) as outlet"
        " left join lateral (select session_id, transaction_id, started_at, token_id from session"
        "   where station_id = $1 and evse_number = $2 and status in ('pending', 'active')"
        "   order by started_at desc limit 1) t on true"
        " left join token k on k.token_id = t.token_id"
        " left join allowed_transfer a on a.station_id = $1 and a.transaction_id = t.transaction_id"
        " left join lateral (select needs_id, needs, profile_id from charging_needs"
        "   where station_id = $1 and evse_number = $2 order by received_at desc limit 1) n on true",
        station_id,
        evse_number,
    )
    assert row is not None
    return Talk(**{**dict(row), "needs": msgspec.convert(row["needs"], Needs) if row["needs"] else None})


async def save_ways(conn: Connection, station_id: str, transaction_id: str, ways: Sequence[str]) -> None:
    """The station took it that a session may use these ways, and no others."""
    await conn.execute(
        "insert into allowed_transfer (station_id, transaction_id, ways) values ($1, $2, $3)"
        " on conflict (station_id, transaction_id) do update set ways = excluded.ways, told_at = now()",
        station_id,
        transaction_id,
        list(ways),
    )


async def forget_ways(conn: Connection, ended: Sequence[tuple[str, str]]) -> None:
    """Sessions by station and transaction that are over."""
    await conn.execute(
        "delete from allowed_transfer a using unnest($1::text[], $2::text[]) as u (station_id, transaction_id)"
        " where a.station_id = u.station_id and a.transaction_id = u.transaction_id",
        [station_id for station_id, _ in ended],
        [transaction_id for _, transaction_id in ended],
    )


# any party: stations by id, for the worker
async def end_offline_profiles(conn: Connection, station_ids: Sequence[str]) -> None:
    """Stations came back: profiles that were good for so long without us, and not afterwards, are gone by now (K01)."""
    await conn.execute(
        "update charging_profile c set status = 'cleared', confirmed_at = now(),"
        " detail = 'the station was offline for longer than it is good for' from station s"
        " where s.station_id = any($1) and c.station_id = s.station_id and c.status in ('held', 'sent', 'unknown')"
        " and (c.profile->>'is_invalid_after_offline')::boolean and c.set_at < s.disconnected_at"
        " and s.connected_at - s.disconnected_at > make_interval(secs => (c.profile->>'offline_for_s')::integer)",
        list(station_ids),
    )


# ------------------------------------------------------------------------------------------ checks


async def mark_for_check(conn: Connection, station_id: str, evse_number: int) -> None:
    """A profile was accepted for this EVSE; 0: for all of the station."""
    await conn.execute(
        "insert into profile_check as c (station_id, evse_number, status) values ($1, $2, 'due')"
        " on conflict (station_id, evse_number) do update set status = 'due', tries = 0, since = now()",
        station_id,
        evse_number,
    )


async def wake_checks(conn: Connection, station_ids: Sequence[str]) -> list[str]:
    """Cars charge now: what waited for one is due. Gives the stations where something did."""
    rows = await conn.fetch(
        "update profile_check set status = 'due', tries = 0 where station_id = any($1)"
        " and status in ('waits', 'doubtful') returning station_id",
        list(station_ids),
    )
    return sorted({row["station_id"] for row in rows})


# ------------------------------------------------------------------------------------------ what stations told


# any party: the caller knows the station by its party
async def told_by(conn: Connection, station_id: str, names: Sequence[str]) -> dict[str, str]:
    """Variables by `component.variable` (1.6: the key alone), those of `names` that the station reported."""
    rows = await conn.fetch(
        "select concat_ws('.', nullif(component, ''), variable) as name, value from station_variable"
        " where station_id = $1 and attribute in ('Actual', 'MaxSet') and value is not null"
        " and concat_ws('.', nullif(component, ''), variable) = any($2) order by attribute",
        station_id,
        list(names),
    )
    return {row["name"]: row["value"] for row in rows}


class Wiring(msgspec.Struct, frozen=True):
    """What is registered of an outlet."""

    party_id: UUID
    ocpp_version: str | None
    current_type: str | None
    max_power_w: Decimal | None
    vendor: str | None
    model: str | None
    firmware_version: str | None


# any party: the caller knows the station by its party
async def find_wiring(conn: Connection, station_id: str, evse_number: int) -> Wiring | None:
    row = await conn.fetchrow(
        "select s.party_id, s.ocpp_version, e.current_type, coalesce(e.max_power_w, s.max_power_w)::numeric as max_power_w,"
        " s.vendor, s.model, s.firmware_version"
        " from station s left join evse e on e.station_id = s.station_id and e.evse_number = $2"
        " where s.station_id = $1",
        station_id,
        evse_number,
    )
    return Wiring(**row) if row else None
