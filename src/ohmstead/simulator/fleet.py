"""Many stations in one process: brought up gently, kept alive, their memory saved, and stopped in order."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from ohmstead.simulator import memory
from ohmstead.simulator.memory import Memory
from ohmstead.simulator.plan import StationPlan
from ohmstead.simulator.station import Prelude, Station
from ohmstead.simulator.world import World

_SAVE_EVERY_S = 20.0
_STOP_WITHIN_S = 15.0


class Fleet:
    """All stations of a run. `state`: the file that keeps registers; `per_s`: how many stations start in a second."""

    def __init__(
        self,
        plans: list[StationPlan],
        world: World,
        *,
        state: Path | None = None,
        per_s: float = 200.0,
        prelude: Prelude | None = None,
    ) -> None:
        self._plans = plans
        self._world = world
        self._state = state
        self._per_s = per_s
        self._prelude = prelude
        self.stations: list[Station] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, duration_s: float | None = None, on_tick: Callable[[], None] = lambda: None) -> None:
        """Run until `world.stopping` is set or the time is over; then stop every station in order."""
        loop = asyncio.get_running_loop()
        until = None if duration_s is None else loop.time() + duration_s
        starter = loop.create_task(self._start_all())
        saved_at = loop.time()
        try:
            while not self._world.stopping.is_set() and (until is None or loop.time() < until):
                wait_s = 0.5 if until is None else max(0.0, min(0.5, until - loop.time()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._world.stopping.wait()
                on_tick()
                if loop.time() - saved_at > _SAVE_EVERY_S:
                    saved_at = loop.time()
                    self.save()
        finally:
            starter.cancel()
            await self._stop_all()
            self.save()

    async def _start_all(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index, plan in enumerate(self._plans):
            # What was installed in an earlier run is still installed.
            version = self._world.firmware.get(plan.station_id, plan.firmware_version)
            station = Station(structs.replace(plan, firmware_version=version), self._world, self._prelude)
            self.stations.append(station)
            task = loop.create_task(station.run())
            task.add_done_callback(self._ended)
            self._tasks.append(task)
            ahead_s = (index + 1) / self._per_s - (loop.time() - began)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._world.tally.error("simulator_errors", f"{type(error).__name__}: {error}")

    async def _stop_all(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await asyncio.gather(*(station.stop() for station in self.stations), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def save(self) -> None:
        """Write what the stations must not forget."""
        if self._state is not None:
            kept = dict(self._world.memory)
            kept.update({station.plan.station_id: station.memory() for station in self.stations if station.is_alive})
            planned = {plan.station_id: plan.firmware_version for plan in self._plans}
            runs = {s.plan.station_id: s.plan.firmware_version for s in self.stations}
            new = {station_id: version for station_id, version in runs.items() if version != planned[station_id]}
            memory.save(self._state, Memory(kept, self._world.passwords, self._world.firmware | new))
