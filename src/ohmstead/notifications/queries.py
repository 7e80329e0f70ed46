"""What was sent, what people chose, whom they watch: for pages and programs. Reading only, one party at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.notifications.choosing import all_channels
from ohmstead.notifications.model import (
    Attempt,
    Follow,
    Notification,
    NotificationFilter,
    NotificationInFull,
    PlugWatch,
    Preferences,
)
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import tariff_of

_NOTIFICATIONS = """
select n.notification_id, n.party_id, n.kind, n.key, n.channel, n.driver_id, nullif(d.name, '') as driver_name, n.address,
       n.language, n.status, n.reason, n.subject, n.n_attempts,
       case when n.status in ('queued', 'sending') then n.next_at end as next_at, n.created_at, n.finished_at,
       a.answer as last_answer, a.error as last_error
from notification n left join driver d using (driver_id)
left join notification_attempt a on a.notification_id = n.notification_id and a.number = n.n_attempts
"""


def _where(party_id: UUID, only: NotificationFilter) -> Conditions:
    where = Conditions()
    where.add("n.party_id = {}", party_id)
    where.add_given("n.status = {}", only.status)
    where.add_given("n.channel = {}", only.channel)
    where.add_given("n.kind = {}", only.kind)
    where.add_given("n.driver_id = {}", only.driver_id)
    if only.q:
        where.add("concat_ws(' ', n.address, n.subject, d.name, n.key) ilike {}", like(only.q))
    return where


async def list_notifications(
    conn: Connection,
    party_id: UUID,
    only: NotificationFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Notification]:
    """Newest first; `before` is the (time, id) of the last one of the page before."""
    where = _where(party_id, only)
    if before is not None:
        where.add("(n.created_at, n.notification_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_NOTIFICATIONS} where {where.sql} order by n.created_at desc, n.notification_id desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [Notification(**row) for row in rows]


async def count_notifications(conn: Connection, party_id: UUID, since: datetime) -> dict[str, int]:
    """How many of each status since then."""
    rows = await conn.fetch(
        "select status, count(*) as n from notification where party_id = $1 and created_at >= $2 group by status",
        party_id,
        since,
    )
    return {row["status"]: row["n"] for row in rows}


async def get_notification(conn: Connection, party_id: UUID, notification_id: UUID) -> NotificationInFull:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"{_NOTIFICATIONS} where n.party_id = $1 and n.notification_id = $2", party_id, notification_id
    )
    if row is None:
        raise NotFound(f"no notification {notification_id}")
    body = await conn.fetchval(
        "select body from notification where party_id = $1 and notification_id = $2", party_id, notification_id
    )
    attempts = await conn.fetch(
        "select number, at, duration_ms, answer, error from notification_attempt where notification_id = $1"
        " order by number desc limit 100",
        notification_id,
    )
    return NotificationInFull(
        notification=Notification(**row), body=body, attempts=[Attempt(**one) for one in attempts]
    )


async def find_code(conn: Connection, party_id: UUID, notification_id: UUID, at: datetime) -> str | None:
    """The code to sign in of a message for which there is no channel, as long as it is good; None for every other message."""
    code: str | None = await conn.fetchval(
        "select data->>'code' from notification where party_id = $1 and notification_id = $2 and kind = 'sign_in_code'"
        " and status = 'dropped' and reason = 'no_channel' and expires_at > $3",
        party_id,
        notification_id,
        at,
    )
    return code


_PREFERENCES = """
select d.driver_id, coalesce(p.channels, '{}'::jsonb) as channels, p.quiet_from_minute, p.quiet_until_minute, p.time_zone,
       d.language, d.email, d.phone, d.phone_confirmed_at, coalesce(p.version, 0) as version,
       (select count(*) from push_subscription s where s.party_id = d.party_id and s.driver_id = d.driver_id)::integer
       as n_devices
from driver d left join notification_preference p using (driver_id)
"""


async def find_preferences(conn: Connection, party_id: UUID, driver_id: UUID) -> Preferences | None:
    """What a driver wants to be told; None: no such driver."""
    row = await conn.fetchrow(
        f"{_PREFERENCES} where d.party_id = $1 and d.driver_id = $2 and d.status <> 'erased'", party_id, driver_id
    )
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    return Preferences(**fields | {"channels": all_channels(fields["channels"])})


async def get_preferences(conn: Connection, party_id: UUID, driver_id: UUID) -> Preferences:
    """Raises NotFound."""
    found = await find_preferences(conn, party_id, driver_id)
    if found is None:
        raise NotFound(f"no driver {driver_id}")
    return found


async def find_chosen(conn: Connection, party_id: UUID, driver_id: UUID) -> dict[str, Any]:
    """By kind the channels, of those kinds about which they did choose."""
    found = await conn.fetchval(
        "select channels from notification_preference where party_id = $1 and driver_id = $2", party_id, driver_id
    )
    return dict(found or {})


async def list_templates(conn: Connection, party_id: UUID) -> list[Row]:
    """A party's own words."""
    return await conn.fetch(
        "select kind, language, subject, body, version, updated_at, updated_by from notification_template"
        " where party_id = $1 order by kind, language",
        party_id,
    )


async def find_template(conn: Connection, party_id: UUID, kind: str, language: str) -> Row | None:
    return await conn.fetchrow(
        "select kind, language, subject, body, version, updated_at, updated_by from notification_template"
        " where party_id = $1 and kind = $2 and language = $3",
        party_id,
        kind,
        language,
    )


async def list_watches(conn: Connection, party_id: UUID, driver_id: UUID, now: datetime) -> list[PlugWatch]:
    """Those of a driver that still wait, oldest first."""
    rows = await conn.fetch(
        "select watch_id, driver_id, location_id, station_id, evse_number, created_at, expires_at, told_at from plug_watch"
        " where party_id = $1 and driver_id = $2 and told_at is null and expires_at > $3 order by created_at",
        party_id,
        driver_id,
        now,
    )
    return [PlugWatch(**row) for row in rows]


async def list_followed(conn: Connection, party_id: UUID, driver_id: UUID) -> list[Follow]:
    """The favourites of a driver, oldest first."""
    rows = await conn.fetch(
        "select f.location_id, f.station_id, coalesce(l.name, nullif(s.name, ''), s.station_id) as name, f.created_at"
        " from place_follow f left join location l on l.location_id = f.location_id"
        " left join station s on s.station_id = f.station_id where f.party_id = $1 and f.driver_id = $2"
        " order by f.created_at",
        party_id,
        driver_id,
    )
    return [Follow(**row) for row in rows]


async def is_place(conn: Connection, party_id: UUID, location_id: UUID | None, station_id: str | None) -> bool:
    """Whether a party has it, in service."""
    if location_id is not None:
        found: bool = await conn.fetchval(
            "select exists (select from location where party_id = $1 and location_id = $2)", party_id, location_id
        )
        return found
    there: bool = await conn.fetchval(
        "select exists (select from station where party_id = $1 and station_id = $2 and retired_at is null)",
        party_id,
        station_id,
    )
    return there


_FREE = """
select x.station_id, coalesce(nullif(x.name, ''), x.station_id) as station, c.evse_number, l.location_id,
       coalesce(l.name, '') as location, l.time_zone, count(*) over (partition by x.station_id) as n_evses
from station x join lateral (
    select c.evse_number from connector c where c.station_id = x.station_id and c.evse_number > 0
    group by c.evse_number having bool_or(c.status = 'available')
) c on true left join location l on l.location_id = x.location_id
where x.party_id = $1 and x.retired_at is null and x.registration = 'accepted' and x.gateway_id is not null
  and coalesce(x.status, 'available') not in ('faulted', 'unavailable')
  and not exists (select from session s where s.station_id = x.station_id and s.evse_number = c.evse_number
                  and s.status in ('pending', 'active', 'closing'))
"""


async def list_free(
    conn: Connection, party_id: UUID, location_ids: Sequence[UUID], station_ids: Sequence[str]
) -> list[Row]:
    """Outlets that are free now, of these places."""
    return await conn.fetch(
        f"{_FREE} and (x.location_id = any($2) or x.station_id = any($3)) order by x.station_id, c.evse_number",
        party_id,
        list(location_ids),
        list(station_ids),
    )


async def list_operator_kinds(conn: Connection, party_id: UUID, operator_id: UUID) -> list[str]:
    """Of what an operator wants to be told."""
    found = await conn.fetchval(
        "select kinds from notification_operator where party_id = $1 and operator_id = $2", party_id, operator_id
    )
    return list(found or [])


# ------------------------------------------------------------------------------------------------ what the worker reads

_SESSIONS = """
select s.session_id, s.party_id, s.station_id, s.status, s.charging_state, s.started_at, s.ended_at, s.stop_reason,
       s.energy_wh, s.power_w, s.soc_start_percent, s.soc_percent, s.is_orphan, s.updated_at, s.last_event_at,
       coalesce(l.name, '') as location, coalesce(nullif(x.name, ''), x.station_id) as station,
       s.evse_number, (select count(*) from evse e where e.station_id = s.station_id and e.evse_number > 0) as n_evses,
       coalesce(l.time_zone, y.time_zone) as time_zone, s.token_uid, coalesce(t.type, s.token_type) as token_type,
       coalesce(t.label, '') as token_label, s.limit_ours,
       (select h.driver_id from token_holding h where h.party_id = s.party_id and h.uid_key = s.token_key
         and s.token_uid is not null and h.from_at <= s.started_at and (h.until_at is null or s.started_at < h.until_at)
         order by h.from_at desc limit 1) as driver_id
from session s join station x using (station_id) join party y on y.party_id = s.party_id
left join location l on l.location_id = s.location_id left join token t on t.token_id = s.token_id
"""


async def list_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """What messages tell of sessions, and whose they are."""
    rows = await conn.fetch(
        f"{_SESSIONS} where s.party_id = $1 and s.session_id = any($2)", party_id, sorted(set(session_ids))
    )
    return {row["session_id"]: row for row in rows}


# any party: the worker looks after everybody's sessions
async def list_changed(
    conn: Connection, since: datetime, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[Row]:
    """Sessions that go on and were told of since then, or whose car rests: those of drivers and guests. The latest first;
    `after` is (updated_at, id) of the last one of the portion before.

    Whom it concerns is asked first: most sessions of a network are those of people whom somebody else tells.
    """
    return await conn.fetch(
        "with r as materialized (select s.session_id from session s where s.status in ('pending', 'active', 'closing')"
        " and s.token_uid is not null and (s.updated_at >= $1 or s.charging_state in ('suspended_ev', 'idle'))"
        " and ($3::timestamptz is null or (s.updated_at, s.session_id) < ($3, $4::uuid))"
        " and (exists (select from token_holding h where h.party_id = s.party_id and h.uid_key = s.token_key"
        "      and h.from_at <= s.started_at and (h.until_at is null or s.started_at < h.until_at))"
        "   or exists (select from payment p where p.session_id = s.session_id and p.email is not null))"
        " order by s.updated_at desc, s.session_id desc limit $2)"
        f" {_SESSIONS} where s.session_id = any(array(select session_id from r))"
        " order by s.updated_at desc, s.session_id desc",
        since,
        limit,
        *(after or (None, None)),
    )


# any party: by id, for the worker
async def list_rests(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, tuple[datetime | None, int]]:
    """Since when the car of each takes nothing though it may, and for how many seconds it did so before."""
    rows = await conn.fetch(
        "select session_id, at, kind from session_event where session_id = any($1)"
        " and kind in ('charging', 'suspended_ev', 'idle', 'suspended_evse', 'connected') order by session_id, at",
        list(session_ids),
    )
    found: dict[UUID, tuple[datetime | None, int]] = {}
    for row in rows:
        since, before_s = found.get(row["session_id"], (None, 0))
        is_resting = row["kind"] in ("suspended_ev", "idle")
        if since is not None and not is_resting:
            before_s += int((row["at"] - since).total_seconds())
            since = None
        elif since is None and is_resting:
            since = row["at"]
        found[row["session_id"]] = (since, before_s)
    return found


class KeptTariff(Struct, frozen=True):
    """The tariff that a session keeps, and the zone that it is counted in."""

    tariff: Tariff
    time_zone: str


# any party: by id, for the worker
async def list_tariffs(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, KeptTariff]:
    rows = await conn.fetch(
        "select k.session_id, k.time_zone, v.content from session_tariff k"
        " join tariff_version v on v.tariff_id = k.tariff_id and v.version = k.version where k.session_id = any($1)",
        list(session_ids),
    )
    return {row["session_id"]: KeptTariff(tariff_of(row["content"]), row["time_zone"]) for row in rows}


async def is_first_here(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> set[UUID]:
    """Those sessions whose token had never charged at their location before."""
    rows = await conn.fetch(
        "select s.session_id from session s where s.party_id = $1 and s.session_id = any($2) and s.token_uid is not null"
        " and not exists (select from session o where o.party_id = s.party_id and o.token_key = s.token_key"
        " and o.started_at < s.started_at and o.location_id is not distinct from s.location_id)",
        party_id,
        list(session_ids),
    )
    return {row["session_id"] for row in rows}


async def list_priced(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> set[UUID]:
    """Those sessions that have a tariff."""
    rows = await conn.fetch(
        "select session_id from session_tariff where party_id = $1 and session_id = any($2)",
        party_id,
        list(session_ids),
    )
    return {row["session_id"] for row in rows}


async def list_guests(
    conn: Connection, party_id: UUID, payment_ids: Sequence[UUID], session_ids: Sequence[UUID]
) -> dict[str, Row]:
    """Who paid without an account and left an address: by `payment:<id>` and by `session:<id>`."""
    if not payment_ids and not session_ids:
        return {}
    rows = await conn.fetch(
        "select payment_id, session_id, email, language from payment where party_id = $1"
        " and (payment_id = any($2) or session_id = any($3)) and customer like 'payment:%' and email is not null",
        party_id,
        list(payment_ids),
        list(session_ids),
    )
    found = {f"payment:{row['payment_id']}": row for row in rows}
    return found | {f"session:{row['session_id']}": row for row in rows if row["session_id"] is not None}


async def list_companies(conn: Connection, party_id: UUID, company_ids: Sequence[UUID]) -> dict[str, Row]:
    """Companies with an address for their invoices, by `company:<id>`."""
    if not company_ids:
        return {}
    rows = await conn.fetch(
        "select 'company:' || company_id as customer, email from company"
        " where party_id = $1 and company_id = any($2) and email is not null",
        party_id,
        list(company_ids),
    )
    return {row["customer"]: row for row in rows}


async def list_plans(conn: Connection, party_id: UUID, plan_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of plans."""
    rows = await conn.fetch(
        "select plan_id, name from plan where party_id = $1 and plan_id = any($2)", party_id, list(plan_ids)
    )
    return {row["plan_id"]: row["name"] for row in rows}


# any party: the worker looks after everybody's watches
async def list_open_watches(
    conn: Connection, now: datetime, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[Row]:
    """Drivers who wait for a free plug, whoever waits longest first; `after` is (since when, id) of the last one before."""
    return await conn.fetch(
        "select watch_id, party_id, driver_id, location_id, station_id, evse_number, created_at from plug_watch"
        " where told_at is null and expires_at > $1"
        " and ($3::timestamptz is null or (created_at, watch_id) > ($3, $4::uuid)) order by created_at, watch_id limit $2",
        now,
        limit,
        *(after or (None, None)),
    )


_LOOKED_AFTER = """
select x.station_id, x.party_id, coalesce(nullif(x.name, ''), x.station_id) as station, x.location_id,
       coalesce(l.name, '') as location, coalesce(l.time_zone, y.time_zone) as time_zone,
       x.gateway_id is not null as is_connected, greatest(x.disconnected_at, x.created_at) as offline_since, x.status,
       x.status_at, x.retired_at is not null as is_retired,
       (select count(*) from connector c where c.station_id = x.station_id) as n_connectors,
       (select count(*) from connector c where c.station_id = x.station_id and c.status in ('faulted', 'unavailable'))
       as n_out,
       (select bool_and(c.status = 'unavailable') from connector c where c.station_id = x.station_id) as is_switched_off,
       (select max(c.status_at) from connector c where c.station_id = x.station_id) as changed_at,
       o.since as out_since, o.reason as out_reason
from station x join party y on y.party_id = x.party_id left join location l on l.location_id = x.location_id
left join station_outage o on o.station_id = x.station_id and o.ended_at is null
"""


# any party: the worker looks after everybody's stations
async def list_looked_after(conn: Connection, now: datetime) -> list[Row]:
    """Stations about which somebody wants to know: followed, waited for, or their party's operators asked; and those that
    were told to be out.
    """
    return await conn.fetch(
        f"{_LOOKED_AFTER} where x.registration = 'accepted' and (o.since is not null or (x.retired_at is null and ("
        " x.station_id in (select station_id from place_follow) or x.location_id in (select location_id from place_follow)"
        " or x.station_id in (select station_id from plug_watch where told_at is null and expires_at > $1)"
        " or x.location_id in (select location_id from plug_watch where told_at is null and expires_at > $1)"
        " or x.party_id in (select party_id from notification_operator where 'operator_station_out' = any(kinds)))))"
        " order by x.station_id",
        now,
    )


# any party: the worker looks after everybody's stations
async def list_interested(
    conn: Connection, station_ids: Sequence[str], location_ids: Sequence[UUID], now: datetime
) -> list[Row]:
    """Drivers who follow, or wait at, these stations, or locations."""
    return await conn.fetch(
        "select driver_id, station_id, location_id from place_follow where station_id = any($1) or location_id = any($2)"
        " union select driver_id, station_id, location_id from plug_watch"
        " where told_at is null and expires_at > $3 and (station_id = any($1) or location_id = any($2))",
        list(station_ids),
        list(location_ids),
        now,
    )


# any party: the worker looks after everybody's stations
async def list_sound_locations(conn: Connection, location_ids: Sequence[UUID]) -> set[UUID]:
    """Those locations at which some station is in service, as far as anybody was told."""
    rows = await conn.fetch(
        "select distinct x.location_id from station x where x.location_id = any($1) and x.retired_at is null"
        " and x.registration = 'accepted' and not exists (select from station_outage o"
        " where o.station_id = x.station_id and o.ended_at is null)",
        list(location_ids),
    )
    return {row["location_id"] for row in rows}
