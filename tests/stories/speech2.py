"""OCPP 2.0.1 and 2.1, as a station speaks them."""

from dataclasses import dataclass, field
from typing import Any

from tests.stories.station import Payload, Station, Transaction, instant
from tests.stories.wire import Answer

STATES = {
    "charging": "Charging",
    "suspended_ev": "SuspendedEV",
    "suspended_evse": "SuspendedEVSE",
    "connected": "EVConnected",
}
STATUSES = {"occupied": "Occupied", "available": "Available", "faulted": "Faulted", "unavailable": "Unavailable"}


@dataclass
class Station2(Station):
    """TxStartPoint Authorized: a transaction begins with the card, as in 1.6."""

    token_type: str = "ISO14443"
    next_transaction_id: str | None = None
    usual_answers: dict[str, Answer] = field(
        default_factory=lambda: {
            "UnlockConnector": {"status": "Unlocked"},
            "GetTransactionStatus": {"ongoingIndicator": True, "messagesInQueue": False},
            "GetLocalListVersion": {"versionNumber": 0},
        }
    )

    def boot_payload(self, reason: str) -> Payload:
        return {
            "reason": reason,
            "chargingStation": {
                "vendorName": "Vendor",
                "model": "Model",
                "serialNumber": "SN-1",
                "firmwareVersion": "1.0",
            },
        }

    async def authorizes(self, uid: str) -> tuple[str, str | None]:
        answer = await self.says("Authorize", {"idToken": {"idToken": uid, "type": self.token_type}})
        info = answer["idTokenInfo"]
        return info["status"], info.get("groupIdToken", {}).get("idToken")

    async def starts(self, transaction: Transaction) -> str:
        transaction.id = self.next_transaction_id or f"tx-{self.n_transactions}"
        self.next_transaction_id = None
        is_remote = transaction.remote_start_id is not None
        answer = await self.event(
            transaction,
            "Started",
            "RemoteStart" if is_remote else "Authorized",
            token=transaction.uid,
            context="Transaction.Begin",
            info={"remoteStartId": transaction.remote_start_id} if is_remote else {},
        )
        return str(answer["idTokenInfo"]["status"]) if answer is not None else "Accepted"

    async def stops(self, transaction: Transaction, reason: str, trigger: str, uid: str | None) -> None:
        await self.event(
            transaction, "Ended", trigger, token=uid, context="Transaction.End", info={"stoppedReason": reason}
        )

    async def samples(self, outlet: int, power_w: float) -> None:
        if (transaction := self.transactions.get(outlet)) is not None:
            await self.event(transaction, "Updated", "MeterValuePeriodic", context="Sample.Periodic", power_w=power_w)

    async def tells_state(self, outlet: int, state: str) -> None:
        info = {"chargingState": STATES[state]}
        await self.event(self.transactions[outlet], "Updated", "ChargingStateChanged", info=info)

    async def tells_status(self, outlet: int, status: str) -> None:
        payload = {
            "timestamp": instant(self.at),
            "connectorStatus": STATUSES[status],
            "evseId": outlet,
            "connectorId": 1,
        }
        await self.reports("StatusNotification", lambda: payload)

    async def event(
        self,
        transaction: Transaction,
        kind: str,
        trigger: str,
        *,
        token: str | None = None,
        context: str | None = None,
        power_w: float | None = None,
        info: Payload | None = None,
    ) -> Payload | None:
        """One TransactionEvent, with the register when there is a `context` for it."""
        payload: dict[str, Any] = {
            "eventType": kind,
            "timestamp": instant(self.at),
            "triggerReason": trigger,
            "seqNo": transaction.seq_no,
            "transactionInfo": {"transactionId": transaction.id, **(info or {})},
            "evse": {"id": transaction.outlet, "connectorId": 1},
        }
        transaction.seq_no += 1
        if token is not None:
            payload["idToken"] = {"idToken": token, "type": self.token_type}
        if context is not None:
            payload["meterValue"] = [self.meter_value(transaction.outlet, context, power_w)]
        if not self.is_online:
            payload["offline"] = True
        return await self.reports("TransactionEvent", lambda: payload)

    def meter_value(self, outlet: int, context: str, power_w: float | None = None) -> Payload:
        values: list[Payload] = [
            {
                "value": round(self.register(outlet), 3),
                "context": context,
                "measurand": "Energy.Active.Import.Register",
                "unitOfMeasure": {"unit": "Wh"},
            }
        ]
        if power_w is not None:
            values.append({"value": power_w, "context": context, "measurand": "Power.Active.Import"})
            if self.soc_percent is not None:
                values.append({"value": self.soc_percent, "context": context, "measurand": "SoC"})
        return {"timestamp": instant(self.at), "sampledValue": values}

    def remote_start_token(self, action: str, payload: Payload) -> str | None:
        return payload["idToken"]["idToken"] if action == "RequestStartTransaction" else None
