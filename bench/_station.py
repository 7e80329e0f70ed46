"""One simulated station: the messages of whole sessions, its meter and its clock."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import repeat

import msgspec

RUN = f"{time.time_ns() // 1000 % 10**12:x}"  # message and transaction ids of two runs never meet

_second = (0, "")


def _text(at_ms: int) -> str:
    global _second  # noqa: PLW0603  (the same second is asked for a thousand times)
    seconds, rest = divmod(at_ms, 1000)
    if _second[0] != seconds:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return f"{_second[1]}.{rest:03d}Z"


class Station:
    """Makes its messages one after the other. `token` is its driver's card.

    A session is status, authorize, start, status (1.6 only), `meters` meter values of four readings each, heartbeat,
    stop, status.
    """

    def __init__(self, station_id: str, token: str, version: str, mix: str = "session", meters: int = 10) -> None:
        self.station_id = station_id
        self.token = token
        self.version = version
        self.register_wh = random.randrange(1_000_000)
        self.session_start_wh = 0
        self.transaction = 0
        self._number = 0
        self._last_ms = 0
        self._steps = self._sessions(meters) if mix == "session" else self._one_session()

    def boot(self) -> list[tuple[str, str, str]]:
        """What it says after connecting."""
        about = (
            '{"chargePointVendor":"Bench","chargePointModel":"B1","firmwareVersion":"1.0"}'
            if self.version == "1.6"
            else '{"reason":"PowerUp","chargingStation":{"vendorName":"Bench","model":"B1","firmwareVersion":"1.0"}}'
        )
        return [("boot", "BootNotification", about), ("status", *self._status("Available"))]

    def next(self) -> tuple[str, str, str]:
        """The next step's name, its action and its payload."""
        step = next(self._steps)
        if step in ("Preparing", "Charging", "Available"):
            return "status", *self._status(step)
        if step == "heartbeat":
            return step, "Heartbeat", "{}"
        return step, *(self._make_16(step) if self.version == "1.6" else self._make_2(step))

    def heard(self, step: str, answer: bytes) -> None:
        """1.6 gets its transaction id from the answer to its start."""
        if step == "start" and self.version == "1.6":
            self.transaction = int(msgspec.json.decode(answer)[2]["transactionId"])

    def _sessions(self, meters: int) -> Iterator[str]:
        status = ["Charging"] if self.version == "1.6" else []
        while True:
            yield from ["Preparing", "authorize", "start", *status]
            yield from repeat("meter", meters)
            yield from ["heartbeat", "stop", "Available"]

    def _one_session(self) -> Iterator[str]:
        yield from ["Preparing", "authorize", "start"]
        yield from repeat("meter")

    def _now(self) -> str:
        # Never the same twice: two meter values of one instant would be one to any server that keeps them by time.
        self._last_ms = max(time.time_ns() // 1_000_000, self._last_ms + 1)
        return _text(self._last_ms)

    def _status(self, state: str) -> tuple[str, str]:
        if self.version == "1.6":
            return (
                "StatusNotification",
                f'{{"connectorId":1,"errorCode":"NoError","status":"{state}","timestamp":"{self._now()}"}}',
            )
        state = state if state == "Available" else "Occupied"
        outlet = '"evseId":1,"connectorId":1'
        return "StatusNotification", f'{{{outlet},"connectorStatus":"{state}","timestamp":"{self._now()}"}}'

    def _make_16(self, step: str) -> tuple[str, str]:
        if step == "authorize":
            return "Authorize", f'{{"idTag":"{self.token}"}}'
        if step == "start":
            self.session_start_wh = self.register_wh
            return "StartTransaction", (
                f'{{"connectorId":1,"idTag":"{self.token}","meterStart":{self.register_wh},'
                f'"timestamp":"{self._now()}"}}'
            )
        self.register_wh += 100
        if step == "stop":
            return "StopTransaction", (
                f'{{"transactionId":{self.transaction},"meterStop":{self.register_wh},"timestamp":"{self._now()}",'
                '"reason":"Local"}'
            )
        return "MeterValues", (
            f'{{"connectorId":1,"transactionId":{self.transaction},"meterValue":[{{"timestamp":"{self._now()}",'
            f'"sampledValue":[{{"value":"{self.register_wh}","context":"Sample.Periodic",'
            '"measurand":"Energy.Active.Import.Register","unit":"Wh"},'
            '{"value":"11000.5","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},'
            '{"value":"16.1","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","unit":"A"},'
            '{"value":"55","context":"Sample.Periodic","measurand":"SoC","unit":"Percent"}]}]}'
        )

    def _make_2(self, step: str) -> tuple[str, str]:
        if step == "authorize":
            return "Authorize", f'{{"idToken":{{"idToken":"{self.token}","type":"ISO14443"}}}}'
        extra, more = "", ""
        if step == "start":
            self.transaction += 1
            self._number = 0
            self.session_start_wh = self.register_wh
            kind, trigger, context = "Started", "Authorized", "Transaction.Begin"
            extra = f',"idToken":{{"idToken":"{self.token}","type":"ISO14443"}}'
        else:
            self.register_wh += 100
            self._number += 1
            kind, trigger, context = ("Updated", "MeterValuePeriodic", "Sample.Periodic")
            more = (
                ',{"value":11000.5,"context":"Sample.Periodic","measurand":"Power.Active.Import",'
                '"unitOfMeasure":{"unit":"W"}},'
                '{"value":16.1,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L1",'
                '"unitOfMeasure":{"unit":"A"}},'
                '{"value":55.0,"context":"Sample.Periodic","measurand":"SoC","unitOfMeasure":{"unit":"Percent"}}'
            )
        if step == "stop":
            kind, trigger, context, more = "Ended", "StopAuthorized", "Transaction.End", ""
        state = ',"stoppedReason":"Local"' if step == "stop" else ',"chargingState":"Charging"'
        at = self._now()
        return "TransactionEvent", (
            f'{{"eventType":"{kind}","triggerReason":"{trigger}","timestamp":"{at}","seqNo":{self._number},'
            f'"transactionInfo":{{"transactionId":"{self.station_id}-{RUN}-{self.transaction}"{state}}},'
            f'"evse":{{"id":1,"connectorId":1}}{extra},"meterValue":[{{"timestamp":"{at}","sampledValue":'
            f'[{{"value":{self.register_wh},"context":"{context}","measurand":"Energy.Active.Import.Register",'
            f'"unitOfMeasure":{{"unit":"Wh"}}}}{more}]}}]}}'
        )
