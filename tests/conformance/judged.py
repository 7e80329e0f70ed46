"""A network of stations whose every frame is judged by the official schemas, and what cases look up of what was kept."""

import json
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ohmstead.ocpp.rpc import Version
from tests.conformance.test_message_types_match_official_schemas import judge
from tests.stories.messages import event2
from tests.stories.network import Installation, Network
from tests.stories.station import Payload, Station

CALL, RESULT, SEND = 2, 3, 6


@pytest.fixture
async def network(installation: Installation) -> AsyncIterator[Network]:
    """As in the stories; at the end all that was said and answered must be valid, in both directions."""
    network = await Network(installation).found()
    yield network
    for station in network.stations:
        await station.leaves()
    assert [fault for station in network.stations for fault in faults_of(station.version, station.wire.trace)] == []


def faults_of(version: str, frames: Iterable[tuple[bool, list[Any]]]) -> list[str]:
    """What the official schemas find wrong with frames of one station, each with whether the station sent it."""
    found: list[str] = []
    asked: dict[tuple[bool, str], str] = {}
    for is_from_station, frame in frames:
        if frame[0] in (CALL, SEND):
            asked[is_from_station, frame[1]] = frame[2]
            found += _faults(Version(version), frame[2], frame[3], is_response=False)
        elif frame[0] == RESULT:
            action = asked[not is_from_station, frame[1]]
            found += _faults(Version(version), action, frame[2], is_response=True)
    return found


def _faults(version: Version, action: str, payload: Any, *, is_response: bool) -> list[str]:
    exact = json.loads(json.dumps(payload), parse_float=Decimal)
    return [f"{action}: {error.message}" for error in judge(version, action, is_response).iter_errors(exact)]


class Charge:
    """A 2.x transaction told event by event, a quarter of an hour apart."""

    def __init__(self, station: Station, tx: str = "tx-1", evse_number: int = 1) -> None:
        self.station = station
        self.tx = tx
        self.evse: Payload = {"id": evse_number, "connectorId": 1}
        self.seq_no = 0

    async def tells(
        self,
        kind: str,
        trigger: str,
        *samples: Payload,
        state: str | None = None,
        reason: str | None = None,
        info: Payload | None = None,
        **fields: Any,
    ) -> Payload:
        """One event; returns its answer. `fields` as in `event2`."""
        payload = self.event(kind, trigger, *samples, state=state, reason=reason, info=info, **fields)
        return await self.station.says("TransactionEvent", payload)

    def event(
        self,
        kind: str,
        trigger: str,
        *samples: Payload,
        state: str | None = None,
        reason: str | None = None,
        info: Payload | None = None,
        **fields: Any,
    ) -> Payload:
        """The event without saying it."""
        self.station.passes("15m")
        told: Payload = dict(info or {})
        if state is not None:
            told["chargingState"] = state
        if reason is not None:
            told["stoppedReason"] = reason
        given = {"evse": self.evse, **fields}
        payload = event2(kind, self.station.at, self.seq_no, *samples, tx=self.tx, trigger=trigger, info=told, **given)
        self.seq_no += 1
        return payload


def asked(station: Station) -> list[tuple[str, Payload]]:
    """What the station was asked so far."""
    return [(action, payload) for _, action, payload in station.wire.heard]


async def status_of(network: Network, station: Station, evse_number: int = 1, connector_number: int = 1) -> str | None:
    """A connector's status as kept."""
    found = await network.pool.fetchval(
        "select status from connector where station_id = $1 and evse_number = $2 and connector_number = $3",
        station.station_id,
        evse_number,
        connector_number,
    )
    return None if found is None else str(found)


async def signals_of(network: Network, station: Station) -> list[str]:
    """Kinds of the security signals about a station, oldest first."""
    rows = await network.rows(
        "select kind from security_signal where station_id = $1 order by signal_id", station.station_id
    )
    return [row.kind for row in rows]


async def records_of(network: Network, station: Station, kind: str) -> list[Any]:
    """Payloads kept as records of a kind."""
    rows = await network.rows(
        "select payload from station_record where station_id = $1 and kind = $2", station.station_id, kind
    )
    return [json.loads(row.payload) if isinstance(row.payload, str | bytes) else row.payload for row in rows]


async def row_of(network: Network, station: Station) -> SimpleNamespace:
    """The station as the register has it."""
    [row] = await network.rows("select * from station where station_id = $1", station.station_id)
    return row


async def kinds_of(network: Network, session: SimpleNamespace) -> list[str]:
    """What happened in a session, in order."""
    return [event.kind for event in await network.events_of(session)]
