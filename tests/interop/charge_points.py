"""Stations made of the `ocpp` package: its own client, its own dataclasses, its own schemas.

Whatever we send is validated there, requests and answers alike; what does not fit raises.
"""

# The package has no types.
# mypy: disable-error-code="import-untyped,misc,untyped-decorator"

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import ocpp.v16
import ocpp.v16.call
import ocpp.v16.call_result
import ocpp.v21
import ocpp.v21.call
import ocpp.v21.call_result
import ocpp.v201
import ocpp.v201.call
import ocpp.v201.call_result
import websockets
from ocpp.routing import on

from ohmstead.ocpp.rpc import Version
from tests.gateway.running import KEY

STARTED_AT, METERED_AT, ENDED_AT = "2026-11-01T08:00:00Z", "2026-11-01T08:30:00Z", "2026-11-01T09:00:00Z"
CARD = "AABBCCDD"


class Station16(ocpp.v16.ChargePoint):
    """OCPP 1.6."""

    ended_at_wh = 7500

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.obeyed: list[tuple[str, Any]] = []

    async def say(self, payload: Any) -> Any:
        """A call that must not fail, its answer validated."""
        return await self.call(payload, suppress=False)

    async def boot(self) -> str:
        answer = await self.say(
            ocpp.v16.call.BootNotification(charge_point_model="Model", charge_point_vendor="Vendor")
        )
        return str(answer.status)

    async def tell_free(self) -> None:
        await self.say(ocpp.v16.call.StatusNotification(connector_id=1, error_code="NoError", status="Available"))
        await self.say(ocpp.v16.call.Heartbeat())

    async def authorize(self, card: str) -> str:
        return str((await self.say(ocpp.v16.call.Authorize(id_tag=card))).id_tag_info["status"])

    async def charge(self) -> str:
        """From start to stop, 7.5 kWh; the transaction's id."""
        start = await self.say(
            ocpp.v16.call.StartTransaction(connector_id=1, id_tag=CARD, meter_start=1000, timestamp=STARTED_AT)
        )
        assert start.id_tag_info["status"] == "Accepted"
        value = {"value": "4200", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        await self.say(
            ocpp.v16.call.MeterValues(
                connector_id=1,
                transaction_id=start.transaction_id,
                meter_value=[{"timestamp": METERED_AT, "sampled_value": [value]}],
            )
        )
        stop = await self.say(
            ocpp.v16.call.StopTransaction(
                meter_stop=8500, timestamp=ENDED_AT, transaction_id=start.transaction_id, id_tag=CARD, reason="Local"
            )
        )
        assert stop.id_tag_info["status"] == "Accepted"
        return str(start.transaction_id)

    @on("RemoteStartTransaction")
    def start_asked(self, **asked: Any) -> Any:
        self.obeyed.append(("start", asked["id_tag"]))
        return ocpp.v16.call_result.RemoteStartTransaction(status="Accepted")

    @on("Reset")
    def reset_asked(self, type: str, **_: Any) -> Any:  # noqa: A002  (the field's name)
        self.obeyed.append(("reset", type))
        return ocpp.v16.call_result.Reset(status="Accepted")


class _Station2:
    """What 2.0.1 and 2.1 share."""

    words: ModuleType
    answers: ModuleType
    ended_at_wh = 7500
    obeyed: list[tuple[str, Any]]

    async def say(self, payload: Any) -> Any:
        """A call that must not fail, its answer validated."""
        return await self.call(payload, suppress=False)  # type: ignore[attr-defined]

    async def boot(self) -> str:
        about = {"model": "Model", "vendor_name": "Vendor"}
        answer = await self.say(self.words.BootNotification(charging_station=about, reason="PowerUp"))
        return str(answer.status)

    async def tell_free(self) -> None:
        await self.say(
            self.words.StatusNotification(timestamp=STARTED_AT, connector_status="Available", evse_id=1, connector_id=1)
        )
        await self.say(self.words.Heartbeat())

    async def authorize(self, card: str) -> str:
        token = {"id_token": card, "type": "ISO14443"}
        return str((await self.say(self.words.Authorize(id_token=token))).id_token_info["status"])

    async def charge(self) -> str:
        """From start to stop, 7.5 kWh; the transaction's id."""
        token = {"id_token": CARD, "type": "ISO14443"}
        first = await self._event("Started", 0, 1000, STARTED_AT, "Authorized", id_token=token)
        assert first.id_token_info["status"] == "Accepted"
        await self._event("Updated", 1, 4200, METERED_AT, "MeterValuePeriodic")
        await self._event("Ended", 2, 8500, ENDED_AT, "StopAuthorized")
        return "tx-1"

    async def _event(self, kind: str, seq_no: int, register_wh: int, at: str, trigger: str, **more: Any) -> Any:
        contexts = {"Started": "Transaction.Begin", "Updated": "Sample.Periodic", "Ended": "Transaction.End"}
        sampled = {
            "value": register_wh,
            "context": contexts[kind],
            "measurand": "Energy.Active.Import.Register",
            "unit_of_measure": {"unit": "Wh"},
        }
        return await self.say(
            self.words.TransactionEvent(
                event_type=kind,
                seq_no=seq_no,
                timestamp=at,
                trigger_reason=trigger,
                transaction_info={"transaction_id": "tx-1", "charging_state": "Charging"},
                evse={"id": 1, "connector_id": 1},
                meter_value=[{"timestamp": at, "sampled_value": [sampled]}],
                **more,
            )
        )

    @on("RequestStartTransaction")
    def start_asked(self, **asked: Any) -> Any:
        self.obeyed.append(("start", asked["id_token"]["id_token"]))
        return self.answers.RequestStartTransaction(status="Accepted")

    @on("Reset")
    def reset_asked(self, type: str, **_: Any) -> Any:  # noqa: A002  (the field's name)
        self.obeyed.append(("reset", type))
        return self.answers.Reset(status="Accepted")


class Station201(_Station2, ocpp.v201.ChargePoint):
    """OCPP 2.0.1."""

    words, answers = ocpp.v201.call, ocpp.v201.call_result

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.obeyed = []


class Station21(_Station2, ocpp.v21.ChargePoint):
    """OCPP 2.1."""

    words, answers = ocpp.v21.call, ocpp.v21.call_result

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.obeyed = []


Any_Station = Station16 | Station201 | Station21
_KINDS: dict[Version, type[Any_Station]] = {
    Version.V16: Station16,
    Version.V201: Station201,
    Version.V21: Station21,
}


@contextlib.asynccontextmanager
async def on_the_wire(
    url: str, identity: str, version: Version, *, password: str | None = KEY, **options: Any
) -> AsyncIterator[Any_Station]:
    """The package's client on a `websockets` connection, serving until the block ends."""
    if password is not None:
        url = url.replace("://", f"://{identity}:{password}@", 1)
    protocol = websockets.Subprotocol(version.subprotocol)
    async with websockets.connect(f"{url}/{identity}", subprotocols=[protocol], **options) as socket:
        station = _KINDS[version](identity, socket)
        serving = asyncio.create_task(station.start())
        try:
            yield station
            assert not serving.done(), serving
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                await serving
