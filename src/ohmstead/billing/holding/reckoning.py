"""How much of a wallet, or of a company's limit, may be held and taken. Pure; whole minor units in and out."""

from __future__ import annotations

from msgspec import Struct


class Funds(Struct, frozen=True, kw_only=True):
    """What an account has, in minor units: `balance` (of a company: what is left of its month), how far below nothing it
    may go, what is held of it by others than the one who asks, and what it has yet to pay.
    """

    balance: int
    credit_limit: int = 0
    held: int = 0
    due: int = 0

    @property
    def available(self) -> int:
        """What can be spent or held now; never below nothing."""
        return max(0, self.balance + self.credit_limit - self.held - self.due)


def hold_at_start(funds: Funds, wanted: int, least: int) -> int | None:
    """What a session holds as it begins: what is wanted, or whatever there is. None: less than the least."""
    if funds.available < max(least, 1):
        return None
    return min(max(wanted, 1), funds.available)


def raised_hold(funds: Funds, holds: int, spent: int, step: int) -> int:
    """What a session is to hold that has cost `spent` so far: a step more than that, as far as there is any, once less
    than half a step is left of what it holds. `funds` without its own hold.
    """
    if (holds - spent) * 2 > step:
        return holds
    return max(holds, min(spent + max(step, 1), holds + max(0, funds.available - holds)))


def payable(funds: Funds, due: int) -> int:
    """What an account can pay of a bill now; `funds` without what is held for the bill itself."""
    return max(0, min(due, funds.balance + funds.credit_limit - funds.held))
