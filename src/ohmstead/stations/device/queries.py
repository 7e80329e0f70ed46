"""The device model, templates and upkeep as pages and the API show them: reading only, one party at a time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.stations.device import assembly, drift, reconcile, store
from ohmstead.stations.device.assembly import Part
from ohmstead.stations.device.drift import Drift, Generation, Rule, Subject
from ohmstead.stations.device.model import ReportKind, Source
from ohmstead.stations.device.tree import ComponentNode, Known, grown

# None is ever kept; of one that got there by other ways nothing is shown, and nothing can be guessed by searching.
_SHOWN = "case when lower(v.variable) in ('authorizationkey', 'basicauthpassword') then '•••' else v.value end"
_KNOWN = (
    f"v.component, v.variable, v.attribute, {_SHOWN} as value, v.is_read_only, v.mutability, v.data_type, v.unit, v.min_limit,"
    " v.max_limit, v.values_list, v.supports_monitoring, v.pending_value, v.updated_at"
)
_MOST_KNOWN = 5000


async def list_known(conn: Connection, party_id: UUID, station_id: str, text: str | None = None) -> list[Known]:
    """Values known of a station, by component and name; `text`: found in any of them."""
    where = Conditions()
    where.add("s.party_id = {}", party_id)
    where.add("v.station_id = {}", station_id)
    if text:
        where.add(
            "concat_ws(' ', v.component, v.variable, v.component || '.' || v.variable, " + _SHOWN + ") ilike {}",
            like(text),
        )
    rows = await conn.fetch(
        f"select {_KNOWN} from station_variable v join station s using (station_id) where {where.sql}"
        f" order by v.component, v.variable, v.attribute limit {_MOST_KNOWN}",
        *where.values,
    )
    return [Known(**row) for row in rows]


async def device_tree(
    conn: Connection, party_id: UUID, station_id: str, text: str | None = None
) -> list[ComponentNode]:
    """The same as a tree."""
    return grown(await list_known(conn, party_id, station_id, text))


class VariableChange(Struct, frozen=True, kw_only=True):
    """A value changed. `at`: when that became known; `caused_by`: `station`, or who gave the order."""

    at: datetime
    component: str
    variable: str
    attribute: str
    old_value: str | None
    new_value: str | None
    source: Annotated[Source, Meta(description="How it became known: read, set, in a report, by an event.")]
    caused_by: Annotated[
        str,
        Meta(description="`station`: nobody ordered it; else as commands say it: `operator:…`, `key:…`, `template:…`."),
    ]
    command_id: UUID | None


class ChangeFilter(Struct, kw_only=True):
    """Which changes."""

    q: Annotated[str, Meta(description="Found in the name or a value.", max_length=100)] | None = None
    caused_by: Annotated[str, Meta(description="`station`, `operator:…`, `template:…`.", max_length=100)] | None = None


async def list_changes(
    conn: Connection,
    party_id: UUID,
    station_id: str,
    wanted: ChangeFilter,
    *,
    after: tuple[datetime, str, str, str] | None = None,
    limit: int = 100,
) -> list[VariableChange]:
    """Newest first; `after` is (at, component, variable, attribute) of the last one of the page before."""
    where = Conditions()
    where.add("c.station_id = {}", station_id)
    where.add("exists (select from station s where s.station_id = {} and s.party_id = {})", station_id, party_id)
    if wanted.q:
        where.add(
            "concat_ws(' ', c.component, c.variable, c.component || '.' || c.variable, c.old_value, c.new_value) ilike {}",
            like(wanted.q),
        )
    where.add_given("c.caused_by = {}", wanted.caused_by)
    if after:
        where.add("(c.at, c.component, c.variable, c.attribute) < ({}, {}, {}, {})", *after)
    rows = await conn.fetch(
        "select c.at, c.component, c.variable, c.attribute, c.old_value, c.new_value, c.source, c.caused_by,"
        f" c.command_id from variable_change c where {where.sql}"
        " order by c.at desc, c.component desc, c.variable desc, c.attribute desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [VariableChange(**row) for row in rows]


class MonitorView(Struct, frozen=True, kw_only=True):
    """A monitor as the station last reported it (OCPP 2.x)."""

    monitor_id: int
    component: str
    variable: str
    kind: str
    value: Decimal
    severity: Annotated[int, Meta(description="0 is the worst, 9 the least.")]
    is_transaction_only: bool
    event_kind: str | None
    reported_at: datetime


async def list_monitors(conn: Connection, party_id: UUID, station_id: str) -> list[MonitorView]:
    """Worst first."""
    rows = await conn.fetch(
        "select m.monitor_id, m.component, m.variable, m.kind, m.value, m.severity, m.is_transaction_only, m.event_kind,"
        " m.reported_at from station_monitor m join station s using (station_id)"
        " where s.party_id = $1 and m.station_id = $2 order by m.severity, m.component, m.variable, m.monitor_id",
        party_id,
        station_id,
    )
    return [MonitorView(**row) for row in rows]


class EventView(Struct, frozen=True, kw_only=True):
    """What a monitor or the station itself told, at the station's time (OCPP 2.x NotifyEvent)."""

    at: datetime
    received_at: datetime
    event_id: int
    component: str
    variable: str
    value: str
    trigger: str
    kind: str
    cause: int | None
    monitor_id: int | None
    severity: int | None
    is_cleared: bool
    transaction_id: str | None
    tech_code: str | None
    tech_info: str | None


async def list_events(
    conn: Connection,
    party_id: UUID,
    station_id: str,
    *,
    after: tuple[datetime, int, str, str] | None = None,
    limit: int = 100,
) -> list[EventView]:
    """Newest first; `after` is (at, event_id, component, variable) of the last one of the page before."""
    where = Conditions()
    where.add("e.station_id = {}", station_id)
    where.add("exists (select from station s where s.station_id = {} and s.party_id = {})", station_id, party_id)
    if after:
        where.add("(e.at, e.event_id, e.component, e.variable) < ({}, {}, {}, {})", *after)
    rows = await conn.fetch(
        "select e.at, e.received_at, e.event_id, e.component, e.variable, e.value, e.trigger, e.kind, e.cause,"
        " e.monitor_id, e.severity, e.is_cleared, e.transaction_id, e.tech_code, e.tech_info"
        f" from device_event e where {where.sql} order by e.at desc, e.event_id desc, e.component desc, e.variable desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [EventView(**row) for row in rows]


class ReportView(Struct, frozen=True, kw_only=True):
    """A report that came in several messages, as far as it is there."""

    kind: ReportKind
    request_id: int
    is_complete: Annotated[bool, Meta(description="The last message is there, and every one before it.")]
    missing: Annotated[list[int], Meta(description="Sequence numbers that have not come.")]
    n_parts: int
    n_items: int
    first_at: datetime
    last_at: datetime
    items: Annotated[list[Any], Meta(description="What is reported, in order; empty in lists.")] = []
    text: Annotated[str | None, Meta(description="Of customer information: all parts, in order.")] = None


_REPORTS = """
select c.kind, c.request_id, min(c.received_at) as first_at, max(c.received_at) as last_at,
       array_agg(c.seq_no order by c.received_at, c.seq_no) as seq_nos,
       array_agg(c.is_last order by c.received_at, c.seq_no) as are_last,
       jsonb_agg(r.payload order by c.received_at, c.seq_no) as payloads
  from report_chunk c join station s using (station_id)
  left join station_record r on (r.station_id, r.digest) = (c.station_id, c.digest)
"""


async def list_reports(conn: Connection, party_id: UUID, station_id: str, limit: int = 50) -> list[ReportView]:
    """Latest first, without their items."""
    rows = await conn.fetch(
        _REPORTS + " where s.party_id = $1 and c.station_id = $2 group by c.kind, c.request_id"
        " order by last_at desc, c.kind, c.request_id limit $3",
        party_id,
        station_id,
        limit,
    )
    return [_report(row, has_items=False) for row in rows]


async def get_report(conn: Connection, party_id: UUID, station_id: str, kind: str, request_id: int) -> ReportView:
    """A report with all that is there of it. Raises NotFound."""
    row = await conn.fetchrow(
        _REPORTS + " where s.party_id = $1 and c.station_id = $2 and c.kind = $3 and c.request_id = $4"
        " group by c.kind, c.request_id",
        party_id,
        station_id,
        kind,
        request_id,
    )
    if row is None:
        raise NotFound(f"no report {kind} {request_id}")
    return _report(row, has_items=True)


def _report(row: Any, *, has_items: bool) -> ReportView:
    parts = [
        Part(seq_no, is_last, payload or {})
        for seq_no, is_last, payload in zip(row["seq_nos"], row["are_last"], row["payloads"], strict=True)
    ]
    whole = assembly.assemble(row["kind"], parts)
    return ReportView(
        kind=row["kind"],
        request_id=row["request_id"],
        is_complete=whole.is_complete,
        missing=list(whole.missing),
        n_parts=whole.n_parts,
        n_items=len(whole.items),
        first_at=row["first_at"],
        last_at=row["last_at"],
        items=list(whole.items) if has_items else [],
        text=whole.text if has_items else None,
    )


# ------------------------------------------------------------------------------------------------------- templates


class TemplateView(Struct, frozen=True, kw_only=True):
    """What the variables of the stations it fits are to be."""

    template_id: UUID
    party_id: UUID
    name: str
    generation: Generation
    priority: int
    vendor: str | None
    model: str | None
    firmware: str | None
    location_id: UUID | None
    station_ids: list[str] | None
    variables: dict[str, str]
    resets_on_idle: bool
    is_enabled: bool
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


_TEMPLATE = (
    "select template_id, party_id, name, generation, priority, vendor, model, firmware, location_id, station_ids,"
    " variables, resets_on_idle, is_enabled, version, created_at, updated_at from configuration_template"
)


# whole party: a template fits stations of many locations
async def list_templates(
    conn: Connection, party_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[TemplateView]:
    """By name; `after` is (name, id) of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    if after:
        where.add("(name, template_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_TEMPLATE} where {where.sql} order by name, template_id limit {where.parameter(limit)}", *where.values
    )
    return [TemplateView(**row) for row in rows]


async def get_template(conn: Connection, party_id: UUID, template_id: UUID) -> TemplateView:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_TEMPLATE} where party_id = $1 and template_id = $2", party_id, template_id)
    if row is None:
        raise NotFound(f"no template {template_id}")
    return TemplateView(**row)


# whole party: a template fits stations of many locations
async def has_template(conn: Connection, party_id: UUID, name: str) -> bool:
    found: bool = await conn.fetchval(
        "select exists (select from configuration_template where party_id = $1 and name = $2)", party_id, name
    )
    return found


class Fitting(Struct, frozen=True, kw_only=True):
    """Which stations a template fits, and how many of its variables are not as it wants them there."""

    station_id: str
    n_off: int


async def stations_fitting(
    conn: Connection, party_id: UUID, template_id: UUID, limit: int = 200
) -> tuple[list[Fitting], int]:
    """Stations that a template fits, by id, the first `limit` with their drift; and how many there are."""
    template = await get_template(conn, party_id, template_id)
    rules = await store.list_rules(conn, party_id)
    mine = rule_of(template)
    subjects = [one for one in await store.list_subjects(conn, party_id) if drift.applies(mine, one)]
    found = []
    for subject in subjects[:limit]:
        wanted = drift.desired_for(rules, subject)
        off = [
            d
            for d in await reconcile.found_drift(conn, subject, wanted)
            if d.template_id == template_id and d.state != "same"
        ]
        found.append(Fitting(station_id=subject.station_id, n_off=len(off)))
    return found, len(subjects)


def rule_of(template: TemplateView) -> Rule:
    """A template as decisions see it."""
    return Rule(**{name: getattr(template, name) for name in Rule.__struct_fields__})


class DutyView(Struct, frozen=True, kw_only=True):
    """Something done to a station without being asked."""

    duty: Literal["templates", "local_list", "password", "clock", "messages", "safe_limit", "profile_check"]
    due_at: Annotated[datetime | None, Meta(description="When it is done next by itself; a change makes it sooner.")]
    done_at: datetime | None
    result: str | None
    text: str | None
    tries: Annotated[int, Meta(description="Failures in a row.")]


async def list_duties(conn: Connection, party_id: UUID, station_id: str) -> list[DutyView]:
    rows = await conn.fetch(
        "select u.duty, u.due_at, u.done_at, u.result, u.text, u.tries from upkeep u join station s using (station_id)"
        " where s.party_id = $1 and u.station_id = $2 order by u.duty",
        party_id,
        station_id,
    )
    return [DutyView(**row) for row in rows]


class StationDrift(Struct, frozen=True, kw_only=True):
    """How far a station is from what its templates want, by what is known now."""

    takes_templates: bool
    templates: Annotated[list[str], Meta(description="Templates that fit, the one whose word counts most first.")]
    items: list[Drift]
    duty: DutyView | None


async def station_drift(conn: Connection, party_id: UUID, station_id: str) -> StationDrift:
    """Raises NotFound."""
    subject = await store.find_subject_of(conn, party_id, station_id)
    if subject is None:
        raise NotFound(f"no station {station_id}")
    takes = await store.takes_templates(conn, party_id, station_id)
    rules = await store.list_rules(conn, party_id)
    fitting = sorted((r for r in rules if drift.applies(r, subject)), key=lambda r: (-r.priority, r.name))
    items = await _drift(conn, subject, rules)
    duties = {one.duty: one for one in await list_duties(conn, party_id, station_id)}
    return StationDrift(
        takes_templates=takes, templates=[r.name for r in fitting], items=items, duty=duties.get("templates")
    )


async def _drift(conn: Connection, subject: Subject, rules: list[Rule]) -> list[Drift]:
    wanted = drift.desired_for(rules, subject)
    return await reconcile.found_drift(conn, subject, wanted) if wanted else []


class LocalListView(Struct, frozen=True, kw_only=True):
    """The local authorization list of a station, as far as we sent it."""

    is_sent: Annotated[bool, Meta(description="Whether the station gets one: its own word, or else the party's.")]
    version: int | None
    n_entries: int
    n_left_out: Annotated[int, Meta(description="Tokens the station has no room for.")]
    changed_at: datetime | None
    uids: Annotated[list[str], Meta(description="The tokens on it.")]
    duty: DutyView | None


async def local_list(conn: Connection, party_id: UUID, station_id: str) -> LocalListView:
    """Raises NotFound."""
    row = await conn.fetchrow(
        "select coalesce(s.takes_local_list, p.sends_local_lists) as is_sent, l.version, l.entries, l.n_left_out,"
        " l.changed_at from station s join party p using (party_id) left join local_list l using (station_id)"
        " where s.party_id = $1 and s.station_id = $2",
        party_id,
        station_id,
    )
    if row is None:
        raise NotFound(f"no station {station_id}")
    entries = row["entries"] or {}
    duties = {one.duty: one for one in await list_duties(conn, party_id, station_id)}
    return LocalListView(
        is_sent=row["is_sent"],
        version=row["version"],
        n_entries=len(entries),
        n_left_out=row["n_left_out"] or 0,
        changed_at=row["changed_at"],
        uids=sorted(entry["uid"] for entry in entries.values()),
        duty=duties.get("local_list"),
    )


async def sends_local_lists(conn: Connection, party_id: UUID) -> bool:
    found: bool = await conn.fetchval("select sends_local_lists from party where party_id = $1", party_id)
    return found
