"""Waiting for what happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ohmstead.core.db import Pool
from ohmstead.core.events import Runner

Look: TypeAlias = Callable[[], Awaitable[Any]]


def reading(pool: Pool, runner: Runner) -> Look:
    """Does the worker that was given this runner read the outbox, for all its consumers?"""

    async def is_reading() -> bool:
        found = await pool.fetch("select consumer from outbox_cursor")
        return bool(runner.consumers) and {row["consumer"] for row in found} >= set(runner.consumers)

    return is_reading


async def until(is_so: Look, what: str, patience_s: float = 15.0) -> None:
    """Look again and again until it is so. AssertionError when it does not come."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                if await is_so():
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {patience_s:g} s in vain until {what}") from None
