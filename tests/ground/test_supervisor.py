"""Keeping processes running."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from ohmstead.supervisor import Keeper, Unready, process_of


class Program:
    """A Python program that is ready when its file exists."""

    name = "program"
    stop_signals: tuple[tuple[int, float], ...] = ((signal.SIGTERM, 0.5),)
    start_attempts = 1

    def __init__(self, folder: Path, code: str = "") -> None:
        self.file = folder / "ready"
        self.code = (
            f"import pathlib, signal, sys, time\n{code}\npathlib.Path({str(self.file)!r}).touch()\ntime.sleep(60)"
        )
        self.launches = 0
        self.leftover: psutil.Process | None = None

    def find(self) -> psutil.Process | None:
        return self.leftover

    def launch(self) -> "subprocess.Popen[bytes]":
        self.launches += 1
        self.file.unlink(missing_ok=True)
        return subprocess.Popen([sys.executable, "-c", self.code])

    async def ready(self, alive: Callable[[], bool]) -> None:
        while not self.file.exists():
            if not alive():
                raise Unready("it died")
            await asyncio.sleep(0.01)


async def until(check: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


async def with_keeper(keeper: Keeper, work: Callable[[], Awaitable[None]]) -> None:
    await keeper.start()
    try:
        await work()
    finally:
        await keeper.stop()


async def test_a_process_that_dies_is_started_again_and_that_is_told(tmp_path: Path) -> None:
    told: list[tuple[int | None, bool]] = []
    keeper = Keeper(Program(tmp_path), lambda: told.append((keeper.pid, keeper.is_ready)))

    async def work() -> None:
        first = keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(told) == 4)
        assert told == [(first, False), (first, True), (keeper.pid, False), (keeper.pid, True)]
        assert keeper.restarts == 1

    await with_keeper(keeper, work)


async def test_a_state_that_cannot_be_written_down_ends_no_watching_and_is_written_later(tmp_path: Path) -> None:
    is_full, written = True, []

    def changed() -> None:
        if is_full:
            raise OSError(28, "No space left on device")
        written.append(keeper.pid)

    program = Program(tmp_path)
    keeper = Keeper(program, changed)

    async def work() -> None:
        nonlocal is_full
        os.kill(keeper.pid or 0, signal.SIGKILL)
        await until(lambda: program.launches == 2 and keeper.is_ready)
        os.kill(keeper.pid or 0, signal.SIGKILL)
        await until(lambda: program.launches == 3 and keeper.is_ready)
        is_full = False
        await until(lambda: written == [keeper.pid])

    await with_keeper(keeper, work)


async def test_pauses_between_failed_restarts_grow(tmp_path: Path) -> None:
    program = Program(tmp_path)
    keeper = Keeper(program)

    async def work() -> None:
        program.code = "raise SystemExit(1)"
        assert keeper.pid is not None
        os.kill(keeper.pid, signal.SIGKILL)
        await asyncio.sleep(2.5)
        # 0.2 s, 0.4 s, 0.8 s, … and the time to see each death: without back-off it would be a dozen.
        assert 2 <= program.launches - 1 <= 4

    await with_keeper(keeper, work)


async def test_a_first_start_that_fails_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    keeper = Keeper(Program(tmp_path, "raise SystemExit(1)"))
    with pytest.raises(Unready, match="it died"):
        await keeper.start()
    assert keeper.pid is None


async def test_a_process_that_ignores_the_signal_is_killed_after_its_time(tmp_path: Path) -> None:
    keeper = Keeper(Program(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    await keeper.start()
    pid = keeper.pid
    began = time.monotonic()
    await keeper.stop()
    assert 0.4 < time.monotonic() - began < 3
    assert process_of(pid or 0) is None


async def test_a_leftover_that_serves_is_taken_over_and_stopped_in_the_end(tmp_path: Path) -> None:
    program = Program(tmp_path)
    left = program.launch()
    await until(program.file.exists)
    program.leftover = psutil.Process(left.pid)
    keeper = Keeper(program)

    async def work() -> None:
        assert keeper.adopted
        assert keeper.pid == left.pid
        assert program.launches == 1

    await with_keeper(keeper, work)
    assert left.wait() == -signal.SIGTERM


async def test_a_stop_while_it_waits_to_start_again_starts_nothing(tmp_path: Path) -> None:
    program = Program(tmp_path)
    keeper = Keeper(program)
    await keeper.start()
    assert keeper.pid is not None
    os.kill(keeper.pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    await keeper.stop()
    await asyncio.sleep(0.8)
    assert program.launches == 1


def test_a_number_that_went_to_another_program_is_not_taken_for_ours() -> None:
    assert process_of(os.getpid(), "nats-server") is None
    assert process_of(os.getpid(), "python") is not None
    assert process_of(2**22 - 7, "python") is None
