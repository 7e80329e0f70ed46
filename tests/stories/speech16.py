"""OCPP 1.6, as a station speaks it."""

from dataclasses import dataclass, field
from typing import Any

from tests.stories.station import Payload, Station, Transaction, instant
from tests.stories.wire import Answer

STATES = {"charging": "Charging", "suspended_ev": "SuspendedEV", "suspended_evse": "SuspendedEVSE"}
STATUSES = {"occupied": "Preparing", "available": "Available", "faulted": "Faulted", "unavailable": "Unavailable"}


def text(number: float) -> str:
    """1.6 writes numbers as text."""
    return f"{number:.3f}".rstrip("0").rstrip(".")


@dataclass
class Station16(Station):
    """Tells state changes by its connector's status, and the registers of start and stop as whole watt-hours."""

    usual_answers: dict[str, Answer] = field(
        default_factory=lambda: {
            "UnlockConnector": {"status": "Unlocked"},
            "GetConfiguration": {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]},
            "GetLocalListVersion": {"listVersion": 0},
            "GetDiagnostics": {},
            "UpdateFirmware": {},
        }
    )

    def boot_payload(self, reason: str) -> Payload:
        return {
            "chargePointVendor": "Vendor",
            "chargePointModel": "Model",
            "chargePointSerialNumber": "SN-1",
            "firmwareVersion": "1.0",
        }

    async def authorizes(self, uid: str) -> tuple[str, str | None]:
        info = (await self.says("Authorize", {"idTag": uid}))["idTagInfo"]
        return info["status"], info.get("parentIdTag")

    async def starts(self, transaction: Transaction) -> str:
        payload = {
            "connectorId": transaction.outlet,
            "idTag": transaction.uid,
            "meterStart": round(self.register(transaction.outlet)),
            "timestamp": instant(self.at),
        }

        async def deliver() -> str:
            answer = await self.says("StartTransaction", payload)
            transaction.id = answer["transactionId"]
            return str(answer["idTagInfo"]["status"])

        if self.is_online:
            return await deliver()
        self._queue.append(deliver)
        return "Accepted"

    async def stops(self, transaction: Transaction, reason: str, trigger: str, uid: str | None) -> None:
        said = "Local" if reason == "MasterPass" else reason
        payload: dict[str, Any] = {
            "timestamp": instant(self.at),
            "meterStop": round(self.register(transaction.outlet)),
            "reason": said,
            **({"idTag": uid} if uid else {}),
        }
        await self.reports("StopTransaction", lambda: {"transactionId": transaction.id, **payload})

    async def samples(self, outlet: int, power_w: float) -> None:
        values: list[Payload] = [
            {"value": text(self.register(outlet)), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": text(power_w), "measurand": "Power.Active.Import", "unit": "W"},
        ]
        if self.soc_percent is not None:
            values.append({"value": str(self.soc_percent), "measurand": "SoC", "unit": "Percent"})
        value = {"timestamp": instant(self.at), "sampledValue": values}
        transaction = self.transactions.get(outlet)

        def payload() -> Payload:
            known = {"transactionId": transaction.id} if transaction is not None else {}
            return {"connectorId": outlet, **known, "meterValue": [value]}

        await self.reports("MeterValues", payload)

    async def tells_state(self, outlet: int, state: str) -> None:
        await self._status(outlet, STATES[state])

    async def tells_status(self, outlet: int, status: str) -> None:
        await self._status(outlet, STATUSES[status])

    async def _status(self, outlet: int, status: str) -> None:
        payload = {
            "connectorId": outlet,
            "errorCode": "GroundFailure" if status == "Faulted" else "NoError",
            "status": status,
            "timestamp": instant(self.at),
        }
        await self.reports("StatusNotification", lambda: payload)

    def remote_start_token(self, action: str, payload: Payload) -> str | None:
        return payload["idTag"] if action == "RemoteStartTransaction" else None
