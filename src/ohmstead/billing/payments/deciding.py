"""What becomes of a payment: the state machine as a table, and what is still to be done about what is owed. Pure.

What a provider tells is a whole state, never a step, and it may be old: so a state only moves forward, sums only grow, and
whatever was seen after we had given up is undone (a late hold is let go, money that came late is given back).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.billing.payments.model import Operation, OperationKind, Purpose, State
from ohmstead.billing.payments.ports import SeenState

ZERO: Final = Decimal(0)
# What is over: nothing but what a provider tells changes it.
OVER: Final[frozenset[State]] = frozenset({"captured", "released", "failed"})
# So long before the end of a hold it is captured, whatever is known then.
CAPTURES_AHEAD: Final = timedelta(hours=24)

TABLE: Final[dict[State, dict[SeenState, State]]] = {
    "created": {
        "open": "authorizing", "held": "held", "captured": "captured", "canceled": "released", "failed": "failed",
    },
    "authorizing": {
        "open": "authorizing", "held": "held", "captured": "captured", "canceled": "released", "failed": "failed",
    },
    "held": {"open": "held", "held": "held", "captured": "captured", "canceled": "released", "failed": "failed"},
    # The hold ended before it was captured: what is owed becomes a debt.
    "capturing": {
        "open": "capturing", "held": "capturing", "captured": "captured", "canceled": "failed", "failed": "failed",
    },
    "releasing": {
        "open": "releasing", "held": "releasing", "captured": "captured", "canceled": "released", "failed": "released",
    },
    # Somebody paid on a page that was to be closed: it is let go again.
    "released": {
        "open": "released", "held": "releasing", "captured": "captured", "canceled": "released", "failed": "released",
    },
    "failed": {
        "open": "failed", "held": "releasing", "captured": "captured", "canceled": "failed", "failed": "failed",
    },
    "captured": {
        "open": "captured", "held": "captured", "captured": "captured", "canceled": "captured", "failed": "captured",
    },
}  # fmt: skip

Ask: TypeAlias = Literal["capture", "release", "refund"]


class Standing(Struct, frozen=True, kw_only=True):
    """How a payment stands with us. `wanted`: what is to be captured of a hold; 0: it is let go; None: not known yet.

    `asked_back`: refunds that are on their way.
    """

    state: State
    purpose: Purpose
    is_hold: bool
    amount: Decimal
    captured: Decimal = ZERO
    refunded: Decimal = ZERO
    asked_back: Decimal = ZERO
    wanted: Decimal | None = None


class Sight(Struct, frozen=True, kw_only=True):
    """What the provider says now."""

    state: SeenState
    held: Decimal = ZERO
    captured: Decimal = ZERO
    refunded: Decimal = ZERO


class Step(Struct, frozen=True, kw_only=True):
    """What becomes of it: how it stands then, and what is to be asked of the provider next."""

    after: Standing
    ask: OperationKind | None = None
    amount: Decimal | None = None


def observe(before: Standing, seen: Sight) -> Step:
    """The provider told how it stands. Told again, or late, or out of order, it comes to the same."""
    state = TABLE[before.state][seen.state]
    held = before.amount
    if before.is_hold and state == "held" and seen.held > 0:
        held = seen.held
    captured = min(max(before.captured, seen.captured), held) if state == "captured" else before.captured
    refunded = min(max(before.refunded, seen.refunded), captured)
    asked_back = max(before.asked_back - (refunded - before.refunded), ZERO)
    after = replace(before, state=state, amount=held, captured=captured, refunded=refunded, asked_back=asked_back)
    return _next(before, after)


def _next(before: Standing, after: Standing) -> Step:
    if after.state == "held" and after.wanted is not None:
        return want(after, after.wanted)
    if after.state == "releasing" and before.state in ("released", "failed"):
        return Step(after=replace(after, wanted=ZERO), ask="release")
    if after.state == "captured" and before.state in ("releasing", "released") and is_unwanted(after):
        left = after.captured - after.refunded - after.asked_back
        if left > 0:
            return Step(after=replace(after, asked_back=after.asked_back + left), ask="refund", amount=left)
    return Step(after=after)


def is_unwanted(standing: Standing) -> bool:
    """Money that came after all for what did not take place: a session that never began. What was meant to be paid
    anyway (a debt, a wallet) is taken for that.
    """
    return standing.purpose == "session" and standing.wanted == ZERO


def want(before: Standing, wanted: Decimal) -> Step:
    """So much is to be captured of it; nothing: it is let go. What is more than is held cannot be captured."""
    wanted = min(max(wanted, ZERO), before.amount)
    after = replace(before, wanted=wanted)
    if before.state == "held":
        if wanted > 0:
            return Step(after=replace(after, state="capturing"), ask="capture", amount=wanted)
        return Step(after=replace(after, state="releasing"), ask="release")
    if before.state in ("created", "authorizing") and wanted == 0:
        return Step(after=replace(after, state="releasing"), ask="release")
    if before.state in ("created", "authorizing"):
        return Step(after=after)  # captured as soon as it is held
    return Step(after=before)


def give_up(before: Standing) -> Standing:
    """What was asked of the provider cannot be done, or was asked for too long."""
    if before.state in ("created", "authorizing", "capturing"):
        return replace(before, state="failed")
    if before.state == "releasing":
        return replace(before, state="released")
    return before


class Balance(Struct, frozen=True, kw_only=True):
    """How what is due for a payment's session is to be met. At most one of the first three."""

    want: Decimal | None = None
    refund: Decimal | None = None
    waits: bool = False
    debt: Decimal = ZERO


def settle(standing: Standing, due: Decimal, disputed: Decimal = ZERO) -> Balance:
    """`due`: what all CDRs of the session come to; negative is nothing. The debt is what stays uncovered then.

    While a capture is on its way nothing is decided: it is looked at again once it is known what was captured.
    """
    due = max(due, ZERO)
    if standing.state in ("created", "authorizing", "held"):
        return Balance(want=min(due, standing.amount), debt=max(due - standing.amount, ZERO))
    if standing.state == "capturing" or (standing.state == "releasing" and standing.purpose == "session"):
        if standing.state == "releasing":
            return Balance(debt=due)
        return Balance(waits=True, debt=max(due - standing.amount, ZERO))
    if standing.state in ("released", "failed"):
        return Balance(debt=due)
    net = standing.captured - standing.refunded - standing.asked_back - disputed
    if net > due:
        return Balance(refund=net - due)
    return Balance(debt=due - net)


class Charge(Struct, frozen=True, kw_only=True):
    """What a stored card was charged for a session. `corrected`: what went back of it since the session came to less, or is on
    its way; `is_let_go`: it was, because nothing was due.
    """

    payment_id: UUID
    state: State
    amount: Decimal
    captured: Decimal = ZERO
    corrected: Decimal = ZERO
    is_let_go: bool = False

    @property
    def is_refused(self) -> bool:
        """Nothing comes of it, and not because nothing was due: what it should have paid is owed."""
        return self.state in ("releasing", "released", "failed") and not self.is_let_go

    @property
    def most(self) -> Decimal:
        """What it can pay, whatever its payer took back."""
        if self.state in ("releasing", "released", "failed"):
            return self.amount if self.is_refused else ZERO
        return (self.captured if self.state == "captured" else self.amount) - self.corrected


def share_out(due: Decimal, charges: Sequence[Charge]) -> tuple[list[Decimal], Decimal]:
    """What of `due` each charge has to cover, and what is to be charged on top. The oldest cover first, and those that were
    refused after all others. Once one was refused nothing more is charged: what is not covered is owed with the last of those.
    """
    left = max(due, ZERO)
    shares = [ZERO] * len(charges)
    for is_refused in (False, True):
        for n, one in enumerate(charges):
            if one.is_refused == is_refused:
                shares[n] = min(left, max(one.most, ZERO))
                left -= shares[n]
    last = max((n for n, one in enumerate(charges) if one.is_refused), default=None)
    if last is None:
        return shares, left
    shares[last] += left
    return shares, ZERO


def capture_due(capture_before: datetime | None, now: datetime) -> bool:
    """Is it time to capture what is held, since the hold ends soon?"""
    return capture_before is not None and capture_before - CAPTURES_AHEAD <= now


# When something that failed outside is tried again, in seconds; after the last of them it is given up.
PAUSES_S: Final = (2, 10, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 43_200, 86_400)
# A card that was declined, softly: another day there may be money on it.
DECLINED_PAUSES_S: Final = (3600, 86_400, 3 * 86_400)
# Providers know a key for a day at least. What moves money once for a key is not asked for with one that may be forgotten.
KEYS_LAST: Final = timedelta(hours=23)
# When a provider is asked about a payment that somebody is making, told or not.
LOOKS_S: Final = (10, 20, 40, 60, 120, 300, 600)


def pause_s(n_tries: int, chance: float) -> float | None:
    """Seconds until the next try after so many; None: none any more. `chance`, 0 to 1, spreads it by ±20 %."""
    if n_tries > len(PAUSES_S):
        return None
    return PAUSES_S[n_tries - 1] * (0.8 + 0.4 * chance)


def declined_pause_s(kind: OperationKind, n_declines: int, *, is_final: bool) -> float | None:
    """The same for what the provider refused for certain. Only what a stored card owes is asked for again."""
    if is_final or kind != "charge" or n_declines > len(DECLINED_PAUSES_S):
        return None
    return float(DECLINED_PAUSES_S[n_declines - 1])


def is_pointless(kind: OperationKind, n_tries: int, state: State) -> bool:
    """Need nobody be asked for it any more? A webhook told that it is over, or it is to be let go and this is the first try
    of its key; what was tried before is asked for, so that it is known what is to be let go.
    """
    if kind not in ("checkout", "hold", "charge"):
        return False
    return state in OVER or (state == "releasing" and n_tries <= 1)


def is_key_forgotten(operation: Operation, now: datetime) -> bool:
    """Could asking again do it a second time? It was tried before, so long ago that its key may not be known any more.
    A payment that was declined is confirmed by its own name: that happens once, whatever the key.
    """
    if operation.kind not in ("hold", "charge", "refund") or operation.n_declines:
        return False
    return operation.n_tries > 1 and now - operation.created_at >= KEYS_LAST


def next_look_s(waited_s: float) -> float:
    """Seconds until the provider is asked the next time, of somebody who has been paying for so long."""
    return next((float(pause) for pause in LOOKS_S if waited_s < 2 * pause), float(LOOKS_S[-1]))
