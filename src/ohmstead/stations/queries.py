"""Locations, stations, commands and the message log as pages and the API show them: reading only, one party at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.stations.model import ConnectorStatus, Onboarding, Registration
from ohmstead.stations.orders import Command
from ohmstead.stations.orders import Status as CommandStatus
from ohmstead.stations.redaction import hide_secrets, hide_secrets_in_text
from ohmstead.stations.sites.model import Access, Facility, Hours, ParkingRestriction, ParkingType

StationStatus: TypeAlias = Literal["faulted", "charging", "occupied", "available", "unavailable", "unknown"]


class Location(Struct, frozen=True, kw_only=True):
    """A site with stations."""

    location_id: UUID
    party_id: UUID
    name: str
    address: str
    city: str
    postal_code: str
    country: Annotated[str, Meta(description="ISO 3166-1, two or three letters; empty when not known.")]
    latitude: float | None
    longitude: float | None
    time_zone: Annotated[str, Meta(description="IANA name; hours of tokens and tariffs are counted in it.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime
    reference: Annotated[str | None, Meta(description="What other systems call it, as the id of an OCPI Location.")]
    state: str
    directions: Annotated[str, Meta(description="How to find it once near.")]
    owner: str
    owner_website: str
    help_phone: str
    access: Annotated[Access, Meta(description="restricted: to members or guests; private: to its owner's people.")]
    parking_type: ParkingType | None
    parking_restrictions: list[ParkingRestriction]
    facilities: list[Facility]
    opening: Annotated[Hours | None, Meta(description="Null: not known.")]
    charges_when_closed: Annotated[bool, Meta(description="A car that is inside may charge after closing time.")]
    energy_supplier: str
    is_green_energy: bool | None
    is_published: Annotated[bool, Meta(description="Whether drivers and partners may be shown it.")]
    n_stations: Annotated[int, Meta(description="Stations in service here.")] = 0


class ConnectorView(Struct, frozen=True, kw_only=True):
    """A plug or socket and how it is. `status_at` is the station's time of its last change."""

    connector_number: int
    standard: str | None
    max_power_w: int | None
    status: ConnectorStatus
    status_at: datetime | None
    error_code: str | None
    info: str | None
    vendor_error_code: str | None


class EvseView(Struct, frozen=True, kw_only=True):
    """A part of a station that charges one car at a time. On OCPP 1.6 each connector is one."""

    evse_number: int
    current_type: Literal["AC", "DC"] | None
    max_power_w: int | None
    physical_reference: str | None
    connectors: list[ConnectorView]


class StationView(Struct, frozen=True, kw_only=True):
    """A station as it is registered, as it describes itself, and as it is now."""

    station_id: Annotated[str, Meta(description="The OCPP identity: the last part of the URL it connects to.")]
    party_id: UUID
    name: str
    location_id: UUID | None
    location_name: str | None
    registration: Annotated[Registration, Meta(description="pending: it waits for adoption.")]
    is_lab: Annotated[bool, Meta(description="It came by itself, under a policy that lets unknown stations in.")]
    security_profile: Annotated[int, Meta(description="0 nothing, 1 password, 2 password with TLS, 3 certificate.")]
    has_secret: Annotated[bool, Meta(description="Whether a password is set; it cannot be read back.")]
    certificate_name: str | None
    status: Annotated[StationStatus, Meta(description="The most telling state among its connectors and itself.")]
    is_connected: bool
    ocpp_version: str | None
    connected_at: datetime | None
    disconnected_at: datetime | None
    last_seen_at: datetime | None
    remote_address: str | None
    vendor: str | None
    model: str | None
    serial_number: str | None
    firmware_version: str | None
    iccid: str | None
    imsi: str | None
    meter_type: str | None
    meter_serial_number: str | None
    max_power_w: int | None
    heartbeat_interval_s: int | None
    booted_at: datetime | None
    boot_reason: str | None
    error_code: str | None
    info: str | None
    onboarding: Annotated[
        Onboarding | None,
        Meta(description="set_password: it is to be given one of its own; use_password: to come with it."),
    ]
    takes_templates: Annotated[bool, Meta(description="Whether templates change its configuration.")]
    takes_local_list: Annotated[
        bool | None, Meta(description="Whether it gets a local authorization list; null: as the party says.")
    ]
    version: Annotated[int, Meta(description="Counts changes of what people set; it is the ETag.")]
    created_at: datetime
    updated_at: datetime
    retired_at: datetime | None
    evses: list[EvseView] = []


class StationFilter(Struct, kw_only=True):
    """Which stations; nothing given: all in service."""

    status: Annotated[list[StationStatus] | None, Meta(description="Any of these states.")] = None
    location: Annotated[UUID | None, Meta(description="At this location.")] = None
    connected: Annotated[bool | None, Meta(description="Connected now, or not.")] = None
    registration: Annotated[Registration | None, Meta(description="accepted, pending or rejected.")] = None
    ocpp_version: Annotated[str, Meta(description="Speaking this version, as `1.6`.", max_length=20)] | None = None
    retired: Annotated[bool, Meta(description="The retired ones instead of those in service.")] = False
    q: Annotated[str, Meta(description="Found in id, name, vendor, model or serial number.", max_length=100)] | None = (
        None
    )


class LocationFilter(Struct, kw_only=True):
    """Which locations."""

    q: Annotated[str, Meta(description="Found in name, address, city or postal code.", max_length=100)] | None = None
    country: Annotated[str, Meta(description="In this country, as it was given.", max_length=3)] | None = None
    access: Annotated[Access | None, Meta(description="With this access.")] = None
    facility: Annotated[Facility | None, Meta(description="With this at hand.")] = None
    published: Annotated[bool | None, Meta(description="Shown to drivers and partners, or not.")] = None


class CommandFilter(Struct, kw_only=True):
    """Which commands."""

    station: Annotated[str, Meta(description="To this station.", max_length=48)] | None = None
    status: Annotated[list[CommandStatus] | None, Meta(description="Any of these.")] = None
    kind: Annotated[str, Meta(description="Of this kind, as `remote_start`.", max_length=40)] | None = None


_LOCATION = """
select l.location_id, l.party_id, l.name, l.address, l.city, l.postal_code, l.country, l.latitude, l.longitude,
       l.time_zone, l.version, l.created_at, l.updated_at, l.reference, l.state, l.directions, l.owner, l.owner_website,
       l.help_phone, l.access, l.parking_type, l.parking_restrictions, l.facilities, l.opening, l.charges_when_closed,
       l.energy_supplier, l.is_green_energy, l.is_published,
       (select count(*) from station s where s.location_id = l.location_id and s.retired_at is null)::integer
       as n_stations
from location l
"""


async def list_locations(
    conn: Connection, scope: Scope, wanted: LocationFilter, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[Location]:
    """By name; `after` is (name, id) of the last one of the page before."""
    where = Conditions()
    where.add("l.party_id = {}", scope.party_id)
    where.add_given("l.location_id = any({})", scope.locations)
    if wanted.q:
        where.add("concat_ws(' ', l.name, l.address, l.city, l.postal_code, l.reference) ilike {}", like(wanted.q))
    where.add_given("l.country = {}", wanted.country)
    where.add_given("l.access = {}", wanted.access)
    where.add_given("{} = any(l.facilities)", wanted.facility)
    where.add_given("l.is_published = {}", wanted.published)
    if after:
        where.add("(l.name, l.location_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_LOCATION} where {where.sql} order by l.name, l.location_id limit {where.parameter(limit)}", *where.values
    )
    return [_location(row) for row in rows]


def _location(row: Row) -> Location:
    return Location(**{**row, "opening": msgspec.convert(row["opening"], Hours | None)})


async def find_location(conn: Connection, party_id: UUID, location_id: UUID) -> Location | None:
    row = await conn.fetchrow(f"{_LOCATION} where l.party_id = $1 and l.location_id = $2", party_id, location_id)
    return _location(row) if row else None


async def find_locations(
    conn: Connection, party_id: UUID, location_ids: Sequence[UUID], references: Sequence[str], names: Sequence[str]
) -> list[Location]:
    """Those that any of these means, whatever the case of references and names."""
    rows = await conn.fetch(
        f"{_LOCATION} where l.party_id = $1 and (l.location_id = any($2) or lower(l.reference) = any($3)"
        " or lower(l.name) = any($4)) order by l.name, l.location_id",
        party_id,
        list(location_ids),
        [one.lower() for one in references],
        [one.lower() for one in names],
    )
    return [_location(row) for row in rows]


async def get_location(conn: Connection, party_id: UUID, location_id: UUID) -> Location:
    """Raises NotFound."""
    location = await find_location(conn, party_id, location_id)
    if location is None:
        raise NotFound(f"no location {location_id}")
    return location


_STATION = """
select s.station_id, s.party_id, s.name, s.location_id, l.name as location_name, s.registration, s.is_lab,
       s.security_profile, s.secret_hash is not null as has_secret, s.certificate_name, c.status,
       g.gateway_id is not null as is_connected, s.ocpp_version, s.connected_at, s.disconnected_at, s.last_seen_at,
       s.remote_address, s.vendor, s.model, s.serial_number, s.firmware_version, s.iccid, s.imsi, s.meter_type,
       s.meter_serial_number, s.max_power_w, s.heartbeat_interval_s, s.booted_at, s.boot_reason, s.error_code, s.info,
       s.onboarding, s.takes_templates, s.takes_local_list, s.version, s.created_at, s.updated_at, s.retired_at
from station s
left join location l on l.location_id = s.location_id
left join gateway g on g.gateway_id = s.gateway_id and g.alive_at > now() - interval '30 seconds'
cross join lateral (
    select case
        when s.status = 'faulted' or bool_or(c.status = 'faulted') then 'faulted'
        when bool_or(c.status in ('charging', 'suspended_ev', 'suspended_evse')) then 'charging'
        when bool_or(c.status in ('occupied', 'preparing', 'finishing', 'reserved')) then 'occupied'
        when s.status = 'unavailable' then 'unavailable'
        when bool_or(c.status = 'available') then 'available'
        when bool_or(c.status = 'unavailable') then 'unavailable'
        else 'unknown' end as status
    from connector c where c.station_id = s.station_id
) c
"""


def _fitting(scope: Scope, wanted: StationFilter) -> Conditions:
    where = Conditions()
    where.add("s.party_id = {}", scope.party_id)
    where.add_given("s.location_id = any({})", scope.locations)
    where.add("s.retired_at is not null" if wanted.retired else "s.retired_at is null")
    where.add_given("c.status = any({})", wanted.status)
    where.add_given("s.location_id = {}", wanted.location)
    where.add_given("s.registration = {}", wanted.registration)
    where.add_given("s.ocpp_version = {}", wanted.ocpp_version)
    if wanted.connected is not None:
        where.add("g.gateway_id is not null" if wanted.connected else "g.gateway_id is null")
    if wanted.q:
        where.add("concat_ws(' ', s.station_id, s.name, s.vendor, s.model, s.serial_number) ilike {}", like(wanted.q))
    return where


async def list_station_ids(conn: Connection, scope: Scope, wanted: StationFilter) -> list[str]:
    """Those that fit, all of them."""
    where = _fitting(scope, wanted)
    rows = await conn.fetch(
        f"select x.station_id from ({_STATION} where {where.sql}) x order by x.station_id", *where.values
    )
    return [row["station_id"] for row in rows]


async def list_stations(
    conn: Connection, scope: Scope, wanted: StationFilter, *, after: str | None = None, limit: int = 100
) -> list[StationView]:
    """By id, with their EVSEs and connectors; `after` is the id of the last one of the page before."""
    where = _fitting(scope, wanted)
    where.add_given("s.station_id > {}", after)
    rows = await conn.fetch(
        f"{_STATION} where {where.sql} order by s.station_id limit {where.parameter(limit)}", *where.values
    )
    return await _with_evses(conn, rows)


async def find_station_view(conn: Connection, party_id: UUID, station_id: str) -> StationView | None:
    """A station, retired or not."""
    rows = await conn.fetch(f"{_STATION} where s.party_id = $1 and s.station_id = $2", party_id, station_id)
    found = await _with_evses(conn, rows)
    return found[0] if found else None


async def get_station_view(conn: Connection, party_id: UUID, station_id: str) -> StationView:
    """Raises NotFound."""
    station = await find_station_view(conn, party_id, station_id)
    if station is None:
        raise NotFound(f"no station {station_id}")
    return station


async def require_station(conn: Connection, party_id: UUID, station_id: str) -> None:
    """Raises NotFound unless the party has the station, retired or not."""
    found = await conn.fetchval(
        "select true from station where party_id = $1 and station_id = $2", party_id, station_id
    )
    if not found:
        raise NotFound(f"no station {station_id}")


async def list_evses(conn: Connection, party_id: UUID, station_ids: Sequence[str]) -> dict[str, list[EvseView]]:
    """EVSEs with their connectors, by station."""
    evses: dict[str, dict[int, EvseView]] = {}
    for row in await conn.fetch(
        "select e.station_id, e.evse_number, e.current_type, e.max_power_w, e.physical_reference from evse e"
        " join station s using (station_id) where s.party_id = $1 and e.station_id = any($2) order by evse_number",
        party_id,
        list(station_ids),
    ):
        fields = dict(row)
        of_station = evses.setdefault(fields.pop("station_id"), {})
        of_station[row["evse_number"]] = EvseView(**fields, connectors=[])
    for row in await conn.fetch(
        "select c.station_id, c.evse_number, c.connector_number, c.standard, c.max_power_w, c.status, c.status_at,"
        " c.error_code, c.info, c.vendor_error_code from connector c join station s using (station_id)"
        " where s.party_id = $1 and c.station_id = any($2) order by evse_number, connector_number",
        party_id,
        list(station_ids),
    ):
        fields = dict(row)
        evse = evses[fields.pop("station_id")][fields.pop("evse_number")]
        evse.connectors.append(ConnectorView(**fields))
    return {station_id: list(by_number.values()) for station_id, by_number in evses.items()}


async def _with_evses(conn: Connection, rows: Sequence[Row]) -> list[StationView]:
    if not rows:
        return []
    evses = await list_evses(conn, rows[0]["party_id"], [row["station_id"] for row in rows])
    return [StationView(**row, evses=evses.get(row["station_id"], [])) for row in rows]


class VariableView(Struct, frozen=True, kw_only=True):
    """A configuration value as the station last reported it; `component` is empty on OCPP 1.6."""

    component: str
    variable: str
    attribute: str
    value: str | None
    is_read_only: bool | None
    data_type: str | None
    unit: str | None
    updated_at: datetime


async def list_variables(conn: Connection, party_id: UUID, station_id: str) -> list[VariableView]:
    """All values known of a station, by component and name."""
    rows = await conn.fetch(
        "select v.component, v.variable, v.attribute, v.value, v.is_read_only, v.data_type, v.unit, v.updated_at"
        " from station_variable v join station s using (station_id) where s.party_id = $1 and v.station_id = $2"
        " order by v.component, v.variable, v.attribute",
        party_id,
        station_id,
    )
    return [VariableView(**row) for row in rows]


class StatusChange(Struct, frozen=True, kw_only=True):
    """A connector's state from `at` on, by the station's clock. EVSE 0 is the station itself."""

    at: datetime
    evse_number: int
    connector_number: int
    status: ConnectorStatus
    error_code: str | None
    info: str | None
    vendor_error_code: str | None


async def list_status_changes(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime, limit: int = 1000
) -> list[StatusChange]:
    """Changes in [since, until), oldest first."""
    rows = await conn.fetch(
        "select c.at, c.evse_number, c.connector_number, c.status, c.error_code, c.info, c.vendor_error_code"
        " from status_change c join station s using (station_id)"
        " where s.party_id = $1 and c.station_id = $2 and c.at >= $3 and c.at < $4"
        " order by c.at, c.evse_number, c.connector_number limit $5",
        party_id,
        station_id,
        since,
        until,
        limit,
    )
    return [StatusChange(**row) for row in rows]


class ConnectionChange(Struct, frozen=True, kw_only=True):
    """A station came or went."""

    at: datetime
    is_connected: bool
    reason: str
    detail: str


async def list_connection_changes(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime, limit: int = 1000
) -> list[ConnectionChange]:
    """Changes in [since, until), oldest first."""
    rows = await conn.fetch(
        "select c.at, c.is_connected, c.reason, c.detail from connection_change c join station s using (station_id)"
        " where s.party_id = $1 and c.station_id = $2 and c.at >= $3 and c.at < $4 order by c.at limit $5",
        party_id,
        station_id,
        since,
        until,
        limit,
    )
    return [ConnectionChange(**row) for row in rows]


_COMMAND = (
    "command_id, party_id, station_id, kind, action, parameters, status, requested_by, requested_at, expires_at,"
    " sent_at, answered_at, message_id, answer, error_code, error_text, session_id, bulk_id"
)


async def list_commands(
    conn: Connection,
    scope: Scope,
    wanted: CommandFilter,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Command]:
    """Newest first; `after` is (requested_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", scope.party_id)
    where.add_given("station_id in (select station_id from station where location_id = any({}))", scope.locations)
    where.add_given("station_id = {}", wanted.station)
    where.add_given("status = any({})", wanted.status)
    where.add_given("kind = {}", wanted.kind)
    if after:
        where.add("(requested_at, command_id) < ({}, {})", *after)
    rows = await conn.fetch(
        f"select {_COMMAND} from command where {where.sql}"
        f" order by requested_at desc, command_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [_command(row) for row in rows]


async def get_command_view(conn: Connection, party_id: UUID, command_id: UUID) -> Command:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"select {_COMMAND} from command where party_id = $1 and command_id = $2", party_id, command_id
    )
    if row is None:
        raise NotFound(f"no command {command_id}")
    return _command(row)


def _command(row: Row) -> Command:
    fields: dict[str, Any] = dict(row)
    return without_secrets(Command(**fields))


def without_secrets(command: Command) -> Command:
    """A command to be shown: passwords in the order and its answer are blotted out."""
    return msgspec.structs.replace(
        command, parameters=hide_secrets(command.parameters), answer=hide_secrets(command.answer)
    )


class MessageView(Struct, frozen=True, kw_only=True):
    """One exchange: a request and, beside it, its answer. `payload` and `answer` are JSON text as it travelled."""

    station_id: str
    received_at: Annotated[datetime, Meta(description="When the request was read (in) or written (out).")]
    message_id: str
    direction: Annotated[Literal["in", "out"], Meta(description="in: the station asked; out: we asked.")]
    version: str
    action: str
    payload: str | None
    answer_kind: Annotated[
        Literal["result", "error", "none"] | None, Meta(description="null: no answer yet, or none came.")
    ]
    answer: str | None
    error_code: Annotated[str | None, Meta(description="Of a CALLERROR.")]
    latency_us: Annotated[int | None, Meta(description="From request to answer, in microseconds.")]


class MessageFilter(Struct, kw_only=True):
    """Which messages of a station."""

    action: Annotated[str, Meta(description="As OCPP names it.", max_length=60)] | None = None
    direction: Annotated[Literal["in", "out"] | None, Meta(description="in: from the station; out: to it.")] = None
    errors: Annotated[bool | None, Meta(description="Only exchanges that ended in an error, or only others.")] = None
    since: Annotated[datetime, Meta(description="At or after.", tz=True)] | None = None
    until: Annotated[datetime, Meta(description="Before.", tz=True)] | None = None
    q: Annotated[str, Meta(description="Found in payload, answer or message id.", max_length=200)] | None = None
    slower_than_ms: Annotated[int, Meta(description="Only those that were answered no faster.")] | None = None


async def list_messages(
    conn: Connection,
    party_id: UUID,
    station_id: str,
    wanted: MessageFilter,
    *,
    after: tuple[datetime, str, str] | None = None,
    limit: int = 100,
) -> list[MessageView]:
    """Newest first; `after` is (received_at, message_id, direction) of the last one of the page before."""
    where = Conditions()
    where.add("m.station_id = {}", station_id)
    where.add("exists (select from station s where s.station_id = {} and s.party_id = {})", station_id, party_id)
    where.add_given("m.action = {}", wanted.action)
    where.add_given("m.direction = {}", wanted.direction)
    if wanted.errors is not None:
        where.add(
            "m.answer_kind is not distinct from 'error'" if wanted.errors else "m.answer_kind is distinct from 'error'"
        )
    where.add_given("m.received_at >= {}", wanted.since)
    where.add_given("m.received_at < {}", wanted.until)
    if wanted.slower_than_ms is not None:
        where.add("m.latency_us >= {}", wanted.slower_than_ms * 1000)
    if wanted.q:
        where.add("concat_ws(' ', m.message_id, m.payload, m.answer) ilike {}", like(wanted.q))
    if after:
        where.add("m.received_at <= {}", after[0])
        where.add("(m.received_at, m.message_id, m.direction) < ({}, {}, {})", *after)
    rows = await conn.fetch(
        "select m.station_id, m.received_at, m.message_id, m.direction, m.version, m.action, m.payload, m.answer_kind,"
        f" m.answer, m.error_code, m.latency_us from ocpp_message m where {where.sql}"
        f" order by m.received_at desc, m.message_id desc, m.direction desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [_message(row) for row in rows]


async def find_message(
    conn: Connection, party_id: UUID, station_id: str, received_at: datetime, message_id: str
) -> MessageView | None:
    """One exchange by when it was and its id."""
    row = await conn.fetchrow(
        "select m.station_id, m.received_at, m.message_id, m.direction, m.version, m.action, m.payload, m.answer_kind,"
        " m.answer, m.error_code, m.latency_us from ocpp_message m join station s using (station_id)"
        " where s.party_id = $1 and m.station_id = $2 and m.received_at = $3 and m.message_id = $4",
        party_id,
        station_id,
        received_at,
        message_id,
    )
    return _message(row) if row else None


def _message(row: Row) -> MessageView:
    fields = dict(row)
    for name in ("payload", "answer"):
        fields[name] = hide_secrets_in_text(fields[name])
    return MessageView(**fields)
