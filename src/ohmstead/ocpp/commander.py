"""Commands on their last leg: from the row to the station's wire and back to the row."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.core import clock, tracing
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.db import Connection as DbConnection
from ohmstead.core.db import Pool
from ohmstead.core.errors import OhmsteadError, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.gathering import Gathering
from ohmstead.core.log import logger
from ohmstead.ocpp import quirks, rpc, schemas
from ohmstead.ocpp.batch import Item
from ohmstead.ocpp.connection import Connection, Gone, Waiting
from ohmstead.ocpp.dispatch import asked_for
from ohmstead.ocpp.ingest import Ingest
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.rpc import CallError, CallResult, ErrorCode, Version
from ohmstead.ocpp.store import Exchange
from ohmstead.ocpp.v2 import outbound as v2
from ohmstead.ocpp.v16 import outbound as v16
from ohmstead.reservations import service as reservations
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.profiles import as_taken
from ohmstead.stations import rules
from ohmstead.stations import service as stations
from ohmstead.stations.device import service as device
from ohmstead.stations.features import Features
from ohmstead.stations.orders import (
    Command,
    Dispatch,
    GetVariables,
    Order,
    Receipt,
    RemoteStart,
    SetProfile,
    Status,
    order_of,
)
from ohmstead.stations.quirks.narrowing import narrowed
from ohmstead.stations.redaction import hide_secrets_in_text

log = logger("ohmstead.commander")

_FOR_ACCEPTED = frozenset(
    ("RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction")
)
_Outcome: TypeAlias = tuple[Status, str | None, str | None, str | None]  # status, answer, error code, error text
_Taken: TypeAlias = tuple[Command, Features] | None


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
        self._background: set[asyncio.Task[None]] = set()
        # What many commands at once ask of the database goes there together.
        self._taking: Gathering[tuple[UUID, str, str], _Taken] = Gathering(pool, _take)
        self._naming: Gathering[stations.Named, None] = Gathering(pool, _name)
        self._answering: Gathering[stations.Answered, Command | None] = Gathering(pool, _answer)

    def is_commanded(self, station_id: str) -> bool:
        """Is a command to this station being carried out?"""
        return station_id in self._commanded

    async def dispatched(self, data: bytes) -> Receipt:
        """A desk asks for a command to be carried out; answered when the station did, or did not in time.

        Who does not wait is answered at once: what became of it will stand on the row.
        """
        dispatch = msgspec.json.decode(data, type=Dispatch)
        connection = self._here.find(dispatch.station_id)
        if connection is None:
            return Receipt(is_here=False)
        carrying_out = self._carry_out(connection, dispatch.command_id, dispatch.timeout_s)
        if dispatch.is_waited_for:
            await carrying_out
        else:
            task = asyncio.create_task(carrying_out)
            self._background.add(task)
            task.add_done_callback(self._background.discard)
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
        slot = connection.slot
        taken = await self._taking.ask((command_id, slot.station_id, connection.version.value))
        if taken is None:
            return
        command, features = taken
        try:
            features = narrowed(features, connection.quirks)
            order = await self._in_its_unit(connection, order_of(command), features)
            rules.check_at(order, features)
            calls = _calls(connection, order, features)
            _check_registration(connection, calls)
            await self._check_reservation(command)
        except OhmsteadError as error:
            await self._finish(command_id, ("failed", None, "refused", error.text))
            return
        # Before the first one leaves: half an order is worse than none.
        if faults := [fault for outgoing in calls for fault in _faults(connection.version, outgoing)]:
            await self._finish(command_id, ("failed", None, "schema", "; ".join(faults)[:400]))
            return
        is_question = isinstance(order, GetVariables)
        outcomes: list[_Outcome] = []
        for part, outgoing in enumerate(calls, 1):
            outcome, result = await self._exchange(connection, outgoing, timeout_s, command_id, part, len(calls))
            outcomes.append(outcome)
            await self._keep(result, command)
            # Questions go on: what one message asked for may be unknown, and what the next one asks for not.
            if outcome[0] != "accepted" and not (outcome[0] == "rejected" and is_question):
                break
        await self._finish(command_id, _whole(outcomes, len(calls), is_question=is_question))

    async def _in_its_unit(self, connection: Connection, order: Order, features: Features) -> Order:
        """Limits for a make that obeys one unit only are said in that."""
        is_picky = connection.quirks is not None and connection.quirks.rate_unit is not None
        if not is_picky or not isinstance(order, SetProfile | RemoteStart) or order.profile is None:
            return order
        async with self._pool.acquire() as conn:
            electric = await smartcharging.electric_of(conn, connection.slot.station_id, order.evse_number or 0)
        return msgspec.structs.replace(order, profile=as_taken(order.profile, features, electric))

    async def _keep(self, result: Result | None, command: Command) -> None:
        if result is None or not (result.variables or result.keep):
            return
        async with self._pool.acquire() as conn, conn.transaction():
            if result.variables:
                await device.answered(conn, result.variables, command)
            if result.keep is not None:
                await result.keep(conn)

    async def _check_reservation(self, command: Command) -> None:
        """Nobody starts a car at an outlet that is kept for somebody else. Raises Refused."""
        if command.kind == "remote_start":
            evse_number, uid = command.parameters.get("evse_number"), command.parameters["token_uid"]
            async with self._pool.acquire() as conn:
                await reservations.check_remote_start(conn, command.party_id, command.station_id, evse_number, uid)

    async def _exchange(
        self,
        connection: Connection,
        outgoing: Outgoing,
        timeout_s: float,
        command_id: UUID | None,
        part: int = 1,
        n_parts: int = 1,
    ) -> tuple[_Outcome, Result | None]:
        async def on_sent(waiting: Waiting) -> None:
            connection.expect(asked_for(outgoing.action, outgoing.payload))
            if command_id is not None:
                named = stations.Named(command_id, outgoing.action, waiting.message_id, part, n_parts)
                await self._naming.ask(named)

        started = time.perf_counter()
        try:
            with tracing.span(f"OCPP {outgoing.action}", "client", station_id=connection.slot.station_id):
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
        answered = stations.Answered(command_id, status, answered_at, hide_secrets_in_text(answer), code, text)
        command = await self._answering.ask(answered)
        if command is not None:
            await self._tell(command)
            if tracing.is_on() and command.kind in stations.FOLLOWED:
                # Those who read what became of it belong to its trace, which only this word takes to them.
                await self._bus.publish(NUDGE, ["CommandAnswered"])

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
        station_id = connection.slot.station_id
        async with self._pool.acquire() as conn:
            found = await stations.find_command_by_message(conn, station_id, frame.message_id)
            if found is None or found[0].action is None or found[0].answered_at is not None:
                log.info("stray_answer", station_id=station_id, message_id=frame.message_id)
                return
            known = await stations.list_features(conn, {station_id: connection.version.value})
        command, part, n_parts = found
        if isinstance(frame, CallError):
            await self._finish(command.command_id, ("failed", None, frame.code, frame.description))
            return
        outgoing = _as_sent(connection, command, known[station_id], part)
        outcome, result = _read(connection.version, outgoing, bytes(frame.payload))
        await self._keep(result, command)
        before: list[_Outcome] = [("accepted", None, None, None)] * (part - 1)
        await self._finish(command.command_id, _whole([*before, outcome], n_parts))
        log.info("late_answer", station_id=station_id, action=command.action)


async def _take(conn: DbConnection, asked: Sequence[tuple[UUID, str, str]]) -> list[_Taken]:
    """Commands that still wait to be sent, with what is known of their stations."""
    taken = {command.command_id: command for command in await stations.take_commands(conn, [one[0] for one in asked])}
    for command in taken.values():
        # From here on only the station needs to know a new password.
        await stations.blot_out_secrets(conn, command)
    versions: dict[str, str | None] = {station_id: v for command_id, station_id, v in asked if command_id in taken}
    known = await stations.list_features(conn, versions) if versions else {}
    return [
        (taken[command_id], known[station_id]) if command_id in taken else None for command_id, station_id, _ in asked
    ]


async def _name(conn: DbConnection, named: Sequence[stations.Named]) -> list[None]:
    await stations.commands_named(conn, named)
    return [None] * len(named)


async def _answer(conn: DbConnection, answered: Sequence[stations.Answered]) -> list[Command | None]:
    # Of two answers to one command that come here together, the first counts.
    first = {one.command_id: one for one in reversed(answered)}
    changed = {command.command_id: command for command in await stations.commands_answered(conn, list(first.values()))}
    return [changed.get(one.command_id) if first[one.command_id] is one else None for one in answered]


def _calls(connection: Connection, order: Order, features: Features) -> list[Outgoing]:
    if connection.quirks is not None:
        order = quirks.adapted(order, connection.quirks)
    calls_for = v16.calls_for if connection.version is Version.V16 else v2.calls_for
    return calls_for(order, connection.slot.station_id, features)


def _as_sent(connection: Connection, command: Command, features: Features, part: int) -> Outgoing:
    """The message that a command became, to read its late answer by. The station may have changed its version since."""
    assert command.action is not None
    try:
        calls = _calls(connection, order_of(command), features)
        if part <= len(calls) and calls[part - 1].action == command.action:
            return calls[part - 1]
    except OhmsteadError:
        pass  # passwords are blotted out of the row by now; the answer's own status tells enough
    read = v16.read_raw if connection.version is Version.V16 else v2.read_raw
    return Outgoing(action=command.action, payload=b"{}", read=read)


def _whole(outcomes: Sequence[_Outcome], n_parts: int, *, is_question: bool = False) -> _Outcome:
    """What became of an order that took several messages."""
    status, _, code, _ = outcomes[-1]
    if n_parts == 1:
        return outcomes[-1]
    texts = [outcome[3] for outcome in outcomes if outcome[3]]
    if len(outcomes) < n_parts:
        texts.append(f"message {len(outcomes)} of {n_parts}; those after it were not sent")
        if status == "accepted":
            status, code = "failed", "incomplete"
    elif status == "rejected" and "accepted" in [outcome[0] for outcome in outcomes] and is_question:
        status = "accepted"  # something was told
    return status, _merged([outcome[1] for outcome in outcomes]), code, "; ".join(texts) or None


def _merged(answers: Sequence[str | None]) -> str | None:
    """Answers that are a list each become one list; of others the last one stands for all."""
    values = [msgspec.json.decode(answer) for answer in answers if answer is not None]
    names = {
        name for value in values if isinstance(value, dict) for name, item in value.items() if isinstance(item, list)
    }
    if len(values) < 2 or not names or not all(isinstance(value, dict) for value in values):
        return answers[-1]
    merged: dict[str, object] = {}
    for value in values:
        for name, item in value.items():
            merged[name] = [*merged.get(name, []), *item] if name in names else item  # type: ignore[misc]
    return msgspec.json.encode(merged).decode()


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
