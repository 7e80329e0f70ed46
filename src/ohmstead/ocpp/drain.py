"""Leaving politely: a gateway that was told to stop lets its stations go, one after the other.

They come again at once, to the other gateways, and each costs those a handshake: so departures are spread over the time
that the operator chose. A station is let go in a quiet moment, when nobody waits for anybody's answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import WSCloseCode

from ohmstead.ocpp.connection import Connection

LOOK_EVERY_S = 0.02
AT_ONCE = 200
SPREAD = (
    0.7  # share of the time over which stations are told; the rest is for those that were busy when their turn came
)
FAREWELL = (WSCloseCode.GOING_AWAY, "restarting")


async def let_go(connections: Sequence[Connection], is_commanded: Callable[[str], bool], within_s: float) -> None:
    """Close every connection within `within_s` seconds (and the few that a station takes to agree).

    `is_commanded` tells of a station id whether a command to it is being carried out. At the end of the time those that
    never had a quiet moment are closed all the same: their stations send again what was not answered.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    step_s = within_s * SPREAD / len(connections) if connections else 0.0
    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(connections):
            group.create_task(_let_one_go(connection, is_commanded, number * step_s, deadline))


async def part(connections: Sequence[Connection]) -> None:
    """Close every connection now."""
    for start in range(0, len(connections), AT_ONCE):
        chunk = connections[start : start + AT_ONCE]
        await asyncio.gather(*(c.close(*FAREWELL) for c in chunk), return_exceptions=True)


async def _let_one_go(
    connection: Connection, is_commanded: Callable[[str], bool], after_s: float, deadline: float
) -> None:
    await asyncio.sleep(after_s)
    now, station_id = asyncio.get_running_loop().time, connection.slot.station_id
    while now() < deadline and (not connection.is_quiet or is_commanded(station_id)):  # noqa: ASYNC110  (looked at, once)
        await asyncio.sleep(LOOK_EVERY_S)
    # No wait between the look and the close: a command that comes now is told that the station is not here any more.
    await connection.close(*FAREWELL)
