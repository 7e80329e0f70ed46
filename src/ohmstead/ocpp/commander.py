"""Commands on their last leg: from the row to the station's wire and back to the row."""

from __future__ import annotations

import time
from collections import Counter
from typing import Protocol, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.core import clock
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.db import Pool
from ohmstead.core.errors import OhmsteadError, Refused
from ohmstead.core.log import logger
from ohmstead.ocpp import asides, rpc, schemas
from ohmstead.ocpp.connection import Connection, Gone, Waiting
from ohmstead.ocpp.dispatch import asked_for
from ohmstead.ocpp.ingest import Ingest, Item
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.rpc import CallError, CallResult, ErrorCode, Version
from ohmstead.ocpp.store import Exchange
from ohmstead.ocpp.v2 import outbound as v2
from ohmstead.ocpp.v16 import outbound as v16
from ohmstead.reservations import service as reservations
from ohmstead.stations import service as stations
from ohmstead.stations.orders import Command, Dispatch, Receipt, Status, order_of
from ohmstead.stations.redaction import hide_secrets_in_text

log = logger("ohmstead.commander")

_FOR_ACCEPTED = frozenset(
    ("RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction")
)
_ITEMS_OF = {"get_variables": "GetVariables", "set_variables": "SetVariables"}
_Outcome: TypeAlias = tuple[Status, str | None, str | None, str | None]  # status, answer, error code, error text


class Stations(Protocol):
    """Who is here."""

    def find(self, station_id: str) -> Connection | None: ...


class Commander:
    """Sends commands to this gateway's stations."""

    def __init__(self, here: Stations, pool: Pool, bus: Bus, ingest: Ingest, timeout_s: float) -> None:
        self._here = here
        self._pool = pool
        self._bus = bus
        self._ingest = ingest
        self._timeout_s = timeout_s
        self._commanded: Counter[str] = Counter()

    def is_commanded(self, station_id: str) -> bool:
        """Is a command to this station being carried out?"""
        return station_id in self._commanded

    async def dispatched(self, data: bytes) -> Receipt:
        """A desk asks for a command to be carried out; answered when the station did, or did not in time."""
        dispatch = msgspec.json.decode(data, type=Dispatch)
        connection = self._here.find(dispatch.station_id)
        if connection is None:
            return Receipt(is_here=False)
        await self._carry_out(connection, dispatch.command_id, dispatch.timeout_s)
        return Receipt(is_here=True)

    async def send_queued(self, connection: Connection) -> None:
        """A station came back: what waited for it goes out now, oldest first."""
        async with self._pool.acquire() as conn:
            waiting = await stations.list_queued(conn, connection.slot.station_id)
        for command_id in waiting:
            if not connection.is_open:
                return
            await self._carry_out(connection, command_id, self._timeout_s)

    async def ask_to_boot(self, connection: Connection) -> None:
        """After adoption: the station need not wait for its next try."""
        outgoing = Outgoing(
            action="TriggerMessage", payload=b'{"requestedMessage":"BootNotification"}', read=v16.read_raw
        )
        outcome = await self._exchange(connection, outgoing, self._timeout_s, None)
        log.info("boot_asked_for", station_id=connection.slot.station_id, outcome=outcome[0][0])

    async def _carry_out(self, connection: Connection, command_id: UUID, timeout_s: float) -> None:
        # Counted before the first wait: a gateway that drains must not close the connection from here on.
        self._commanded[connection.slot.station_id] += 1
        try:
            await self._take_and_send(connection, command_id, timeout_s)
        finally:
            self._commanded[connection.slot.station_id] -= 1
            if not self._commanded[connection.slot.station_id]:
                del self._commanded[connection.slot.station_id]

    async def _take_and_send(self, connection: Connection, command_id: UUID, timeout_s: float) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            command = await stations.take_command(conn, command_id)
            if command is None:
                return
            # From here on only the station needs to know a new password.
            await stations.blot_out_secrets(conn, command)
            action = _ITEMS_OF.get(command.kind)
            most_items = await stations.items_per_message(conn, command.station_id, action) if action else None
        try:
            calls = self._calls(connection, command, most_items)
            _check_registration(connection, calls)
            await self._check_reservation(command)
        except OhmsteadError as error:
            await self._finish(command_id, ("failed", None, "refused", error.text))
            return
        outcome: _Outcome = ("accepted", None, None, None)
        for outgoing in calls:
            faults = _faults(connection.version, outgoing)
            if faults:
                outcome = ("failed", None, "schema", "; ".join(faults)[:400])
                break
            outcome, result = await self._exchange(connection, outgoing, timeout_s, command_id)
            if result is not None and result.variables:
                async with self._pool.acquire() as conn, conn.transaction():
                    await stations.keep_variables(conn, result.variables)
            if result is not None and result.aside is not None:
                async with self._pool.acquire() as conn, conn.transaction():
                    await asides.keep(conn, result.aside)
            if outcome[0] != "accepted":
                break
        await self._finish(command_id, outcome)

    async def _check_reservation(self, command: Command) -> None:
        """Nobody starts a car at an outlet that is kept for somebody else. Raises Refused."""
        if command.kind == "remote_start":
            evse_number, uid = command.parameters.get("evse_number"), command.parameters["token_uid"]
            async with self._pool.acquire() as conn:
                await reservations.check_remote_start(conn, command.party_id, command.station_id, evse_number, uid)

    def _calls(self, connection: Connection, command: Command, most_items: int | None = None) -> list[Outgoing]:
        order = order_of(command)
        if connection.version is Version.V16:
            return v16.calls_for(order, command.station_id)
        return v2.calls_for(order, command.station_id, most_items)

    async def _exchange(
        self, connection: Connection, outgoing: Outgoing, timeout_s: float, command_id: UUID | None
    ) -> tuple[_Outcome, Result | None]:
        async def on_sent(waiting: Waiting) -> None:
            connection.expect(asked_for(outgoing.action, outgoing.payload))
            if command_id is not None:
                async with self._pool.acquire() as conn, conn.transaction():
                    await stations.command_named(conn, command_id, outgoing.action, waiting.message_id)

        started = time.perf_counter()
        try:
            waiting, answer = await connection.call(outgoing.action, outgoing.payload, timeout_s, on_sent)
        except TimeoutError:
            self._log(connection, outgoing, None, "none", None, "timeout", started)
            return ("timed_out", None, None, f"no answer within {timeout_s:g} s; a later one is still recorded"), None
        except Gone:
            self._log(connection, outgoing, None, "none", None, "connection_lost", started)
            return ("failed", None, "connection_lost", "the connection ended before the station answered"), None
        if isinstance(answer, CallError):
            text = f"{answer.code}: {answer.description}" if answer.description else answer.code
            self._log(connection, outgoing, waiting, "error", text, answer.code, started)
            return ("failed", None, answer.code, answer.description or answer.code), None
        payload = bytes(answer.payload)
        self._log(connection, outgoing, waiting, "result", payload.decode(), None, started)
        outcome, result = _read(connection.version, outgoing, payload)
        if result is None and connection.version is Version.V21:
            # 2.1 lets us say that an answer made no sense (part 4 §4.2.4); older versions have no word for it.
            code = ErrorCode.read(outcome[2] or "") or ErrorCode.FORMAT_VIOLATION
            await connection.send(rpc.encode_result_error(waiting.message_id, code, outcome[3] or "", None))
        return outcome, result

    def _log(
        self,
        connection: Connection,
        outgoing: Outgoing,
        waiting: Waiting | None,
        kind: str,
        answer: str | None,
        error_code: str | None,
        started: float,
    ) -> None:
        at = waiting.sent_at if waiting is not None else clock.now()
        begun = waiting.started if waiting is not None else started
        latency_us = round((time.perf_counter() - begun) * 1e6)
        message_id = waiting.message_id if waiting is not None else "-"
        exchange = Exchange(
            station_id=connection.slot.station_id,
            received_at=at,
            message_id=message_id,
            direction="out",
            version=connection.version.value,
            action=outgoing.action,
            payload=outgoing.payload.decode(),
            answer_kind=kind,
            answer=answer,
            error_code=error_code,
            latency_us=latency_us if kind != "none" else None,
        )
        news = {
            "kind": "message",
            "at": at,
            "station_id": connection.slot.station_id,
            "direction": "out",
            "action": outgoing.action,
            "message_id": message_id,
            "version": connection.version.value,
            "answer_kind": kind,
            "error_code": error_code,
            "latency_us": exchange.latency_us,
            "received_at": at,
        }
        self._ingest.note(Item(at=at, exchange=exchange, news=[(connection.station.party_id, news)]))

    async def _finish(self, command_id: UUID, outcome: _Outcome) -> None:
        status, answer, code, text = outcome
        answered_at = clock.now() if status not in ("timed_out",) else None
        async with self._pool.acquire() as conn, conn.transaction():
            command = await stations.command_answered(
                conn, command_id, status, answered_at, hide_secrets_in_text(answer), code, text
            )
        if command is not None:
            await self._tell(command)

    async def _tell(self, command: Command) -> None:
        news = {
            "kind": "command",
            "at": clock.now(),
            "station_id": command.station_id,
            "command_id": command.command_id,
            "command_kind": command.kind,
            "status": command.status,
        }
        await self._bus.publish(LIVE + command.party_id.hex, [news])

    async def late_answer(self, connection: Connection, frame: CallResult | CallError) -> None:
        """An answer after our time-out, or over a newer connection: the station obeyed after all."""
        async with self._pool.acquire() as conn:
            command = await stations.find_command_by_message(conn, connection.slot.station_id, frame.message_id)
        if command is None or command.action is None:
            log.info("stray_answer", station_id=connection.slot.station_id, message_id=frame.message_id)
            return
        if isinstance(frame, CallError):
            await self._finish(command.command_id, ("failed", None, frame.code, frame.description))
            return
        outgoing = Outgoing(action=command.action, payload=b"{}", read=v2.read_raw)
        for candidate in self._calls(connection, command):
            if candidate.action == command.action:
                outgoing = candidate
        outcome, result = _read(connection.version, outgoing, bytes(frame.payload))
        if result is not None and result.variables:
            async with self._pool.acquire() as conn, conn.transaction():
                await stations.keep_variables(conn, result.variables)
        if result is not None and result.aside is not None:
            async with self._pool.acquire() as conn, conn.transaction():
                await asides.keep(conn, result.aside)
        await self._finish(command.command_id, outcome)
        log.info("late_answer", station_id=connection.slot.station_id, action=command.action)


def _check_registration(connection: Connection, calls: list[Outgoing]) -> None:
    """A station that is not accepted may be configured and asked, but starts and stops nothing (1.6 §4.2, 2.x B02);
    one that was rejected is left alone (B03). Raises Refused."""
    if connection.station.registration == "rejected":
        raise Refused("the station was rejected: it is not to be sent anything")
    if not connection.is_registered and any(call.action in _FOR_ACCEPTED for call in calls):
        raise Refused("the station is not accepted yet: it may neither start nor stop charging")


def _faults(version: Version, outgoing: Outgoing) -> list[str]:
    """What keeps a call from leaving."""
    faults = schemas.violations(version, outgoing.action, outgoing.payload)
    if not faults and outgoing.action not in schemas.family(version).TO_STATION:
        return [f"{outgoing.action} goes the other way"]
    return faults


def _read(version: Version, outgoing: Outgoing, payload: bytes) -> tuple[_Outcome, Result | None]:
    text = payload.decode()
    try:
        response = schemas.decode(version, outgoing.action, payload, is_response=True)
    except schemas.SchemaError as error:
        # The station answered, only not as the schema wants: what it said is kept and shown.
        return (
            "failed",
            text,
            rpc.spelled(error.code, version),
            f"the answer does not fit its schema: {error.text}",
        ), None
    result = outgoing.read(response)
    return (result.status, text, None, result.text), result
