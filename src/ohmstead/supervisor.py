"""Keeps processes running: starts them, sees them die, starts them again with back-off, stops them in order."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

import psutil

from ohmstead.core.log import logger

log = logger("ohmstead.supervisor")

POLL_S = 0.2
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 3.0
STABLE_AFTER_S = 30.0


class Unready(Exception):
    """A process that was started died, or did not become ready in its time. The text ends with its last words."""


class Service(Protocol):
    """What is kept running."""

    name: str
    stop_signals: tuple[tuple[int, float], ...]
    """Signals to stop it, each with the seconds it is given before the next."""

    start_attempts: int
    """How often a first start is tried before it counts as failed."""

    def find(self) -> psutil.Process | None:
        """A process left over from an earlier supervisor."""
        ...

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it, without waiting."""
        ...

    async def ready(self, alive: Callable[[], bool]) -> None:
        """Return when it serves. Raises Unready when it does not in time, or when `alive()` turns false."""
        ...


class Keeper:
    """One process kept running. `changed` is called when one was launched, and again when it is ready."""

    def __init__(self, service: Service, changed: Callable[[], None] = lambda: None) -> None:
        self.service = service
        self.adopted = False
        self.is_ready = False
        self.restarts = 0
        self._changed = changed
        self._process: psutil.Process | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._is_untold = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_alive(self) -> bool:
        """Whether the process exists (and is not merely an unburied corpse)."""
        if self._popen is not None:
            return self._popen.poll() is None
        return self._process is not None and process_is_alive(self._process)

    async def start(self) -> None:
        """Take over a leftover that serves, else stop it and start anew. Raises Unready; afterwards nothing runs."""
        leftover = self.service.find()
        if leftover is not None:
            self._process = leftover
            try:
                await asyncio.wait_for(self.service.ready(self.is_alive), 20)
                self.adopted = self.is_ready = True
                log.info("adopted", service=self.service.name, pid=leftover.pid)
            except (Unready, TimeoutError):
                log.warning("leftover_stopped", service=self.service.name, pid=leftover.pid)
                await self._end()
        if not self.adopted:
            await self._first_launch()
        self._tell()
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.service.name}")

    async def stop(self) -> None:
        """Stop watching, then stop the process: each signal in turn until it is gone."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    async def _first_launch(self) -> None:
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, self.service.start_attempts + 1):
            try:
                return await self._launch()
            except BaseException as error:
                await self._end()
                if not isinstance(error, Unready) or attempt == self.service.start_attempts:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return None

    async def _launch(self) -> None:
        self._popen = await asyncio.to_thread(self.service.launch)
        self._process = psutil.Process(self._popen.pid)
        self._tell()
        await self.service.ready(self.is_alive)
        self.is_ready = True

    def _tell(self) -> None:
        """A full disk must not end the watching: what could not be written down is written down later."""
        try:
            self._changed()
        except OSError as error:
            if not self._is_untold:
                log.warning("state_not_written", service=self.service.name, error=str(error))
            self._is_untold = True
        else:
            self._is_untold = False

    async def _keep(self) -> None:
        pause_s, started = FIRST_PAUSE_S, time.monotonic()
        while True:
            await asyncio.sleep(POLL_S)
            if self.is_alive():
                if self._is_untold:
                    self._tell()
                continue
            self.is_ready = False
            code = self._popen.returncode if self._popen is not None else None
            if time.monotonic() - started > STABLE_AFTER_S:
                pause_s = FIRST_PAUSE_S
            log.warning("died", service=self.service.name, pid=self.pid, exit_code=code, again_in_s=round(pause_s, 1))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            started = time.monotonic()
            self.restarts += 1
            try:
                await self._launch()
            except (Unready, OSError) as error:
                log.error("restart_failed", service=self.service.name, error=str(error))
                await self._end()
                continue
            log.info("restarted", service=self.service.name, pid=self.pid)
            self._tell()

    async def _end(self) -> None:
        for number, patience_s in (*self.service.stop_signals, (signal.SIGKILL, 5.0)):
            if not self.is_alive() or self._process is None:
                break
            try:
                self._process.send_signal(number)
            except psutil.NoSuchProcess:
                break
            if await self._gone(patience_s):
                break
        self._process = self._popen = None
        self.is_ready = False

    async def _gone(self, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not self.is_alive():
                return True
            await asyncio.sleep(0.02)
        return not self.is_alive()


def process_is_alive(process: psutil.Process) -> bool:
    """Whether it is still the same process, and more than an unburied corpse."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def process_of(pid: int, *words: str) -> psutil.Process | None:
    """The living process `pid`, if its command line has all `words` (numbers of dead processes are given out again)."""
    try:
        process = psutil.Process(pid)
        line = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
        return None
    if not process_is_alive(process) or not all(any(word in part for part in line) for word in words):
        return None
    return process
