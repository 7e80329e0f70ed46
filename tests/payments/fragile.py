"""A process that dies at a chosen step: just before or after a commit, just before or after a request to the provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class Fuse:
    """Burns at the step of that number; `n` says how many there were."""

    def __init__(self, at: int) -> None:
        self.at, self.n, self.is_burnt = at, 0, False

    def step(self) -> None:
        if self.is_burnt:
            raise Killed
        self.n += 1
        if self.n == self.at:
            self.is_burnt = True
            raise Killed


class FragileProvider:
    """A provider's adapter in a process that dies."""

    def __init__(self, provider: Any, fuse: Fuse) -> None:
        self._provider, self._fuse = provider, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        asked = ("checkout", "hold", "charge", "increase", "capture", "cancel", "refund", "fetch")
        if name not in (*asked, "forget_method", "forget_customer"):
            return found

        async def request(*args: Any, **more: Any) -> Any:
            self._fuse.step()
            done = await found(*args, **more)
            self._fuse.step()
            return done

        return request


class _Transaction:
    def __init__(self, transaction: Any, fuse: Fuse) -> None:
        self._transaction, self._fuse = transaction, fuse

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            await self._transaction.rollback()
            return
        try:
            self._fuse.step()
        except Killed:
            await self._transaction.rollback()
            raise
        await self._transaction.commit()
        self._fuse.step()


class _Connection:
    def __init__(self, conn: Any, fuse: Fuse) -> None:
        self._conn, self._fuse = conn, fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def transaction(self, **more: Any) -> _Transaction:
        return _Transaction(self._conn.transaction(**more), self._fuse)


class FragilePool:
    """The database of a process that dies."""

    def __init__(self, pool: Any, fuse: Fuse) -> None:
        self._pool, self._fuse = pool, fuse

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as conn:
            yield _Connection(conn, self._fuse)
