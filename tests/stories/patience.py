"""Waiting for what happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Look: TypeAlias = Callable[[], Awaitable[Any]]


async def until(is_so: Look, what: str, patience_s: float = 8.0) -> None:
    """Look again and again until it is so. AssertionError when it does not come."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                if await is_so():
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {patience_s:g} s in vain until {what}") from None
