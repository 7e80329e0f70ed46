"""Carries messages about transactions to the CSMS: in order, none lost while the line is down, retried by the book.

OCPP 1.6 §3.7 and §4.8, OCPP 2.x E04 and E13: queued while offline, sent in order with their original times; a message
that the CSMS refuses or does not answer is tried `message_attempts` times, with n × `message_retry_s` before try n+1.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from ohmstead.simulator.link import CallRefused, Disconnected, Link, Message, Unanswered
from ohmstead.simulator.orders import StopOrder
from ohmstead.simulator.transaction import TransactionEvent

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station


class Courier:
    """One station's queue. It costs a task only while something is in it."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._queue: deque[TransactionEvent] = deque()
        self._held: TransactionEvent | None = None
        self._task: asyncio.Task[None] | None = None
        self._n_sent = 0
        self.is_idle = asyncio.Event()
        self.is_idle.set()

    def __len__(self) -> int:
        return len(self._queue)

    def has_messages_of(self, transaction_id: str | None) -> bool:
        """Are messages queued, about this transaction or about any (None)?"""
        return any(transaction_id in (None, event.transaction.transaction_id) for event in self._queue)

    def queued_ends(self) -> list[TransactionEvent]:
        """Ends of transactions that the CSMS does not know of yet."""
        return [event for event in self._queue if event.kind == "Ended"]

    def put(self, event: TransactionEvent) -> None:
        """Queue an event. Quirks that reorder or drop act here."""
        quirks = self._station.quirks
        if event.kind == "Ended" and "drops-stop" in quirks:
            return
        if event.kind == "Started" and "transaction-minus-1" in quirks:
            return
        if "out-of-order" in quirks:
            self._put_disordered(event)
        else:
            self._queue.append(event)
        self._start()

    def _put_disordered(self, event: TransactionEvent) -> None:
        held, self._held = self._held, None
        if held is None and event.kind == "Updated" and event.readings:
            self._held = event
            return
        self._queue.append(event)
        if held is not None:
            self._queue.append(held)

    def _start(self) -> None:
        if self._queue and (self._task is None or self._task.done()):
            self.is_idle.clear()
            self._task = self._station.spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._deliver(self._queue[0])
                self._queue.popleft()
        finally:
            if not self._queue:
                self.is_idle.set()

    async def _deliver(self, event: TransactionEvent) -> None:
        for message in self._station.speaker.transaction(event):
            answer = await self.carry(message)
            if answer is None:
                if event.kind == "Started" and event.transaction.wire_id is None:
                    event.transaction.wire_id = -1
                continue
            self._learn(event, answer)

    async def carry(self, message: Message) -> Any:
        """Bring one message to the CSMS, however long the line is down. None: given up after the last attempt."""
        station = self._station
        attempt = 1
        while True:
            link = await station.wait_online()
            try:
                answer = await link.call(message)
            except Disconnected:
                continue
            except (CallRefused, Unanswered) as error:
                if attempt >= station.device.number("message_attempts"):
                    station.world.tally.error("given_up", f"{station.plan.station_id} {message.action}: {error}")
                    return None
                await asyncio.sleep(attempt * station.device.number("message_retry_s"))
                attempt += 1
                continue
            if "duplicates" in station.quirks:
                await self._repeat(link, message)
            return answer

    async def _repeat(self, link: Link, message: Message) -> None:
        self._n_sent += 1
        try:
            await link.call(message, link.last_message_id if self._n_sent % 2 == 0 else None)
        except (CallRefused, Unanswered, Disconnected) as error:
            self._station.world.tally.error("repeat_refused", str(error))

    def _learn(self, event: TransactionEvent, answer: Any) -> None:
        """Take over what the CSMS said: the 1.6 transaction id, and whether the token may go on."""
        station = self._station
        verdict = station.speaker.read_transaction(event, answer)
        if verdict.wire_id is not None:
            event.transaction.wire_id = verdict.wire_id
        if event.token is not None and verdict.status is not None:
            station.cache_token(event.token, verdict.status, verdict.group_uid)
        is_refused = verdict.status is not None and verdict.status != "Accepted"
        if verdict.cost is not None:
            event.transaction.cost = verdict.cost
        outlet = station.outlets.get(event.transaction.evse_number)
        if is_refused and event.kind != "Ended" and outlet is not None and outlet.transaction is event.transaction:
            station.world.tally.error("deauthorized")
            if station.device.flag("stop_on_invalid"):
                outlet.stop(StopOrder("Deauthorized", "DeAuthorized"))
        elif verdict.limit is not None and outlet is not None and outlet.transaction is event.transaction:
            outlet.set_limit(verdict.limit)
