"""A station that does what OCPP asks of it when things go wrong: keeps what was not accepted, and sends it again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ohmstead.core.db import Pool
from tests.faults.charges import Charge, Message
from tests.faults.line import Line, Over, Refused


class Faithful:
    """`acknowledged` are the ids of the messages that were answered with a result, `errors` the codes of the others."""

    def __init__(self, port: int, station_id: str, version: str, *, pause_s: float = 0.5) -> None:
        self.station_id = station_id
        self.version = version
        self.acknowledged: list[str] = []
        self.errors: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._port = port
        self._pause_s = pause_s
        self._line: Line | None = None

    async def connects(self) -> Line:
        """A line, however long it takes to get one."""
        while self._line is None or self._line.over.is_set():
            try:
                self._line = await Line.open(self._port, self.station_id, self.version)
            except (Refused, Over, OSError, TimeoutError) as error:
                self.errors[f"connecting: {getattr(error, 'status', type(error).__name__)}"] += 1
                await asyncio.sleep(self._pause_s)
        return self._line

    async def says(self, action: str, payload: dict[str, Any]) -> Any:
        """One message until it is accepted, always under its own id; the answer's payload."""
        message_id = uuid4().hex
        while True:
            line = await self.connects()
            began = time.perf_counter()
            try:
                answer = await line.ask(action, payload, message_id)
            except (Over, TimeoutError) as error:
                self.errors[type(error).__name__] += 1
                line.abort()
                continue
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
            if answer[0] == 3:
                self.acknowledged.append(message_id)
                return answer[2]
            self.errors[answer[2]] += 1
            await asyncio.sleep(self._pause_s)

    async def charges(self, charge: Charge) -> None:
        """A whole charge."""
        answer = await self.says(*charge.start())
        if self.version == "1.6":
            charge.transaction_id = answer["transactionId"]
        await self.delivers(charge.messages()[1:])

    async def delivers(self, messages: Sequence[Message]) -> None:
        """These, in order."""
        for action, payload in messages:
            await self.says(action, payload)

    async def leaves(self) -> None:
        if self._line is not None:
            with contextlib.suppress(Over):
                await self._line.close()

    def loses_power(self) -> None:
        if self._line is not None:
            self._line.abort()


async def lost(pool: Pool, stations: Sequence[Faithful]) -> set[tuple[str, str]]:
    """Messages that a station was told are accepted, and that the database does not have."""
    told = {(station.station_id, message_id) for station in stations for message_id in station.acknowledged}
    rows = await pool.fetch("select distinct station_id, message_id from ocpp_message where answer_kind = 'result'")
    return told - {(row["station_id"], row["message_id"]) for row in rows}
