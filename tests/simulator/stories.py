"""Words for the simulator's tests: one station, its cars, and what the CSMS heard of a transaction in any version."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from ohmstead.simulator.car import MODELS, Car
from ohmstead.simulator.plan import EvsePlan, StationPlan, Token, Visit
from ohmstead.simulator.station import Station
from ohmstead.simulator.world import Options, World
from tests.simulator.csms import Csms, virtual_now

VERSIONS = ("1.6", "2.0.1", "2.1")
TOKEN = Token("CARD0001")


class Planned:
    """A demand that knows exactly who comes: (seconds after the start, seconds of stay, Wh wanted)."""

    def __init__(self, *visits: tuple[float, float, float], is_dc: bool = False, is_card_first: bool = False) -> None:
        self._visits = list(visits)
        self._is_dc = is_dc
        self._is_card_first = is_card_first
        self._begin: datetime | None = None

    def first_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        self._begin = self._begin or at
        return None

    def next_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        if not self._visits:
            return None
        after_s, stay_s, wanted_wh = self._visits.pop(0)
        assert self._begin is not None
        model = MODELS[8]
        return Visit(
            arrives_at=self._begin + timedelta(seconds=after_s),
            stay_s=stay_s,
            car=Car.needing(model, wanted_wh, 0.9, is_dc=self._is_dc),
            token=TOKEN,
            is_card_first=self._is_card_first,
        )


def make_world(
    csms: Csms, *, quirks: Iterable[str] = (), demand: Any = None, nonce: str = "t-", **options: Any
) -> World:
    """A world around the double."""
    return World(
        csms,
        Options(quirks=tuple(quirks), job_step_s=1.0, **options),
        demand=demand,
        tokens=[TOKEN, Token("CARD0002")],
        nonce=nonce,
        now=virtual_now,
    )


def make_station(version: str, world: World, **changes: Any) -> Station:
    """A station with one 11 kW outlet (or what `changes` say)."""
    given: dict[str, Any] = {"station_id": "SIM-1", "version": version, "serial_number": "SN-1", **changes}
    return Station(StationPlan(**given), world)


def starts(station: Station) -> "asyncio.Task[None]":
    """The station runs until the story ends."""
    return asyncio.get_running_loop().create_task(station.run())


def registers(csms: Csms, version: str) -> list[tuple[str, float]]:
    """Every total register heard in a transaction, in order: (context, Wh)."""
    found = []
    for heard in csms.heard:
        payload = heard.payload
        if heard.action == "StartTransaction":
            found.append(("Transaction.Begin", float(payload["meterStart"])))
        for value in payload.get("meterValue", []):
            for sample in value["sampledValue"]:
                if sample.get("measurand") == "Energy.Active.Import.Register" and "phase" not in sample:
                    found.append((sample["context"], float(sample["value"])))
        if heard.action == "StopTransaction":
            found.append(("Transaction.End", float(payload["meterStop"])))
    return found


def powers(csms: Csms) -> list[tuple[str, float]]:
    """Every power reading heard: (time, W)."""
    return [
        (value["timestamp"], float(sample["value"]))
        for heard in csms.heard
        for value in heard.payload.get("meterValue", [])
        for sample in value["sampledValue"]
        if sample.get("measurand") == "Power.Active.Import"
    ]


def ended(csms: Csms, version: str) -> list[dict[str, Any]]:
    """What reported the ends of transactions."""
    if version == "1.6":
        return csms.of("StopTransaction")
    return [p for p in csms.of("TransactionEvent") if p["eventType"] == "Ended"]


async def until_ended(csms: Csms, version: str, n: int = 1, *, within_s: float = 20_000) -> dict[str, Any]:
    """Wait until `n` transactions have ended; the last end."""
    await csms.wait_for(lambda: len(ended(csms, version)) >= n, within_s=within_s)
    return ended(csms, version)[n - 1]


async def until_charging(csms: Csms, version: str, *, within_s: float = 4000) -> None:
    """Wait until a car charges."""
    async with asyncio.timeout(within_s):
        while True:
            if version == "1.6":
                if any(p["status"] == "Charging" for p in csms.of("StatusNotification")) and csms.of(
                    "StartTransaction"
                ):
                    break
            elif any(p["transactionInfo"].get("chargingState") == "Charging" for p in csms.of("TransactionEvent")):
                break
            await asyncio.sleep(0.5)
    await asyncio.sleep(1.0)
