"""What many ask of the database at once goes there together: one statement and one commit for all that wait.

Nobody waits for others to come: what is asked while a statement is under way gathers for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

from ohmstead.core.db import Connection, Pool

A = TypeVar("A")
R = TypeVar("R")
MOST = 250
# The database is not there: trying each alone would only take longer.
_AWAY = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Gathering(Generic[A, R]):
    """`work(conn, asked)` gives the answers in the order of `asked`, within one transaction."""

    def __init__(self, pool: Pool, work: Callable[[Connection, Sequence[A]], Awaitable[Sequence[R]]]) -> None:
        self._pool = pool
        self._work = work
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, item: A) -> R:
        """The answer, once it is committed. Raises what the work raised for it; others that came with it do not suffer."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer(taken)
        finally:
            self._running = None
            for _, future in self._waiting:  # only when this task was cancelled: the process ends
                future.cancel()

    async def _answer(self, taken: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                answers = await self._work(conn, [item for item, _ in taken])
        except Exception as error:  # noqa: BLE001  (told to whoever waits)
            if len(taken) > 1 and not isinstance(error, _AWAY):
                for one in taken:
                    await self._answer([one])
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
            return
        except asyncio.CancelledError:
            for _, future in taken:
                future.cancel()
            raise
        for (_, future), answer in zip(taken, answers, strict=True):
            if not future.done():  # whoever asked may have gone
                future.set_result(answer)
