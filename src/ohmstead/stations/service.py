"""What stations tell of themselves, taken in; each function takes a batch and the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict
from ohmstead.core.events import Event, record
from ohmstead.core.writes import Write
from ohmstead.stations import store
from ohmstead.stations.model import (
    BootOutcome,
    BootReport,
    Connected,
    Disconnected,
    Record,
    Registration,
    Station,
    StatusReport,
)
from ohmstead.stations.orders import Command
from ohmstead.stations.redaction import hide_secrets
from ohmstead.stations.signals import service as signals

note_signals = signals.note_signals
keep_signals = signals.keep_signals
count_signals = signals.count_signals
forget_signals = signals.forget_signals
find_station = store.find_station
list_addresses = store.list_addresses
save_seen = store.save_seen
beat_gateway = store.beat_gateway
list_queued = store.list_queued
take_commands = store.take_commands
list_features = store.list_features
commands_named = store.commands_named
cancel_queued = store.cancel_queued
list_starting = store.list_starting
list_start_limits = store.list_start_limits
starts_found = store.starts_found
Starting = store.Starting
Named = store.Named
Answered = store.Answered
find_command_by_message = store.find_command_by_message


async def take_unknown(
    conn: Connection,
    station_id: str,
    registration: Registration,
    profile: int,
    *,
    secret_hash: str | None = None,
    certificate_name: str | None = None,
) -> Station | None:
    """A station that nobody announced, under the policy `pending` or `accept`: it gets a place on the list, with the
    credentials that it came with.
    """
    is_new = await store.insert_unknown(conn, station_id, registration, profile, secret_hash, certificate_name)
    station = await store.find_station(conn, station_id)
    if is_new and station is not None:
        await record(conn, [_event("StationAppeared", station_id, station.party_id, {"registration": registration})])
    return station


async def boot(conn: Connection, reports: Sequence[BootReport], party_ids: Sequence[UUID]) -> list[BootOutcome]:
    """Take in boots; the outcome says whether the station may serve."""
    registrations = await store.save_boots(conn, reports)
    await record(
        conn,
        [
            _event(
                "StationBooted",
                r.station_id,
                party_id,
                {"vendor": r.vendor, "model": r.model, "firmware_version": r.firmware_version, "reason": r.reason},
            )
            for r, party_id in zip(reports, party_ids, strict=True)
        ],
    )
    return [BootOutcome(registrations.get(r.station_id, "rejected")) for r in reports]


def report_status(reports: Sequence[StatusReport]) -> tuple[list[Write], list[Event]]:
    """Take in states of connectors: what is to be written, and faults as events."""
    faults = [
        _event(
            "ConnectorFaulted",
            r.station_id,
            r.party_id,
            {
                "evse_number": r.evse_number,
                "connector_number": r.connector_number,
                "error_code": r.error_code,
                "vendor_error_code": r.vendor_error_code,
                "info": r.info,
            },
        )
        for r in reports
        if r.status == "faulted"
    ]
    return store.statuses(reports), faults


async def connected(conn: Connection, items: Sequence[Connected]) -> None:
    """Stations are here now, whoever held them before."""
    await store.save_connected(conn, items)
    await record(
        conn, [_event("StationConnected", c.station_id, c.party_id, {"ocpp_version": c.ocpp_version}) for c in items]
    )


async def reclaim(conn: Connection, items: Sequence[Connected]) -> int:
    """Connections of a gateway that was given up though it lives; stations that went elsewhere stay there."""
    free = await store.list_free(conn, [c.station_id for c in items])
    back = [c for c in items if c.station_id in free]
    if back:
        await connected(conn, back)
    return len(back)


async def disconnected(conn: Connection, items: Sequence[Disconnected]) -> set[UUID]:
    """Connections ended; returns those that did hold their station."""
    held = await store.save_disconnected(conn, items)
    await record(
        conn,
        [
            _event("StationDisconnected", d.station_id, d.party_id, {"reason": d.reason})
            for d in items
            if d.connection_id in held
        ],
    )
    return held


async def release_gateways(conn: Connection, gateway_id: UUID | None = None, older_than_s: float = 30) -> int:
    """Stations of gateways that are gone are offline; returns how many."""
    rows = await store.release_gateways(conn, gateway_id, older_than_s)
    await record(
        conn,
        [_event("StationDisconnected", r["station_id"], r["party_id"], {"reason": "gateway_lost"}) for r in rows],
    )
    return len(rows)


async def keep_records(conn: Connection, records: Sequence[Record]) -> None:
    """Reports whose meaning comes with later work, kept whole."""
    await store.insert_records(conn, records)


async def forget_records(pool: Pool, days: int, at_once: int = 20_000) -> int:
    """Drop what stations reported more than so many days ago, in short transactions of its own; returns how many rows."""
    before, n_dropped = clock.now() - timedelta(days=days), 0
    while True:
        async with pool.acquire() as conn, conn.transaction():
            n = await store.drop_records(conn, before, at_once)
        n_dropped += n
        if n == 0:
            return n_dropped


async def blot_out_secrets(conn: Connection, command: Command) -> None:
    """Passwords in a command's parameters, once it is on its way, are nobody's business any more."""
    shown = hide_secrets(command.parameters)
    if shown != command.parameters:
        await store.replace_parameters(conn, command.command_id, shown)


# Orders whose answers change more than the command itself: other rooms hear of them through the outbox.
FOLLOWED = frozenset(("reserve", "cancel_reservation", "set_profile", "clear_profiles", "update_schedule"))


async def commands_answered(conn: Connection, found: Sequence[Answered]) -> list[Command]:
    """What became of commands; returns those of which that was not known already."""
    commands = await store.commands_answered(conn, found)
    followed = [command for command in commands if command.kind in FOLLOWED]
    if followed:
        await record(conn, [_event("CommandAnswered", c.station_id, c.party_id, answered(c)) for c in followed])
    return commands


def answered(command: Command) -> dict[str, object]:
    """A command as the fact that it was answered tells it."""
    return {
        "command_id": str(command.command_id),
        "kind": command.kind,
        "status": command.status,
        "parameters": command.parameters,
        "error_code": command.error_code,
        "error_text": command.error_text,
        "station_id": command.station_id,
        "requested_by": command.requested_by,
        "requested_at": command.requested_at,
    }


def _event(kind: str, station_id: str, party_id: UUID | None, payload: dict[str, object]) -> Event:
    return Event(
        kind=kind,
        subject=f"station/{station_id}",
        party_id=party_id,
        payload={"station_id": station_id, **payload},
    )


async def cancel_command(conn: Connection, actor: Actor, command_id: UUID) -> Command:
    """An order that waits for its station goes out no more. Raises NotFound, and Conflict for one that does not wait."""
    found = await store.get_command(conn, actor.party_id, command_id)
    if not await store.cancel_command(conn, actor.party_id, command_id):
        raise Conflict(f"only an order that waits for its station can be cancelled; this one is {found.status}")
    await accounts.audit(conn, actor, "command.cancelled", f"command/{command_id}", {"kind": found.kind})
    return await store.get_command(conn, actor.party_id, command_id)
