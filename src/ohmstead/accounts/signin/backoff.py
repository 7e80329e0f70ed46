"""How long to wait after wrong attempts: longer each time, never for ever. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

LONGEST_S: Final = 900.0
FORGOTTEN_AFTER: Final = timedelta(hours=24)


class Policy(Struct, frozen=True):
    """`n_free` attempts cost nothing; the next costs `first_s` seconds, and each further one twice the one before."""

    n_free: int
    first_s: float = 2.0


# An account is guessed at by one; an address may be an office full of people.
ACCOUNT: Final = Policy(n_free=5)
ADDRESS: Final = Policy(n_free=40)


class Memory(Struct, frozen=True):
    """What is remembered of attempts at one account, or from one address."""

    n_failures: int
    last_at: datetime
    blocked_until: datetime | None = None


def wait_s(policy: Policy, n_failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    beyond = n_failures - policy.n_free
    if beyond <= 0:
        return 0.0
    return min(LONGEST_S, policy.first_s * 2.0 ** min(beyond - 1, 30))


def blocked_s(memory: Memory | None, now: datetime) -> float:
    """Seconds until the next attempt is looked at; 0 when it is looked at now."""
    if memory is None or memory.blocked_until is None:
        return 0.0
    return max(0.0, (memory.blocked_until - now).total_seconds())


def after_attempt(policy: Policy, memory: Memory | None, now: datetime) -> Memory:
    """What to remember when an attempt begins: it counts as failed until it succeeded.

    Not for attempts that come while blocked: those are turned away and change nothing, so that nobody can prolong
    another's wait by knocking.
    """
    is_fresh = memory is None or now - memory.last_at >= FORGOTTEN_AFTER
    n_failures = 1 if is_fresh or memory is None else memory.n_failures + 1
    pause_s = wait_s(policy, n_failures)
    return Memory(n_failures, now, now + timedelta(seconds=pause_s) if pause_s else None)
