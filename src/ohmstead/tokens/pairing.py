"""AutoCharge: which car belongs to a card. A pure decision.

A car's MAC address can be copied and is not unique on every model, so that it counts only for cards whose holders asked
for it, only for few cars of each, and only where there is no doubt which car was meant.
"""

from __future__ import annotations

from collections.abc import Collection

MOST_VEHICLES = 3


def vehicle_of(shown: Collection[str], known: Collection[str], n_paired: int) -> str | None:
    """The car to be paired with a card that just began to charge.

    `shown`: vehicle ids that the station asked about a moment before; `known`: those of them that are tokens already,
    be they this card's or somebody else's; `n_paired`: cars that the card has.
    """
    taken = {uid.lower() for uid in known}
    fresh = {uid.lower(): uid for uid in shown}
    if len(fresh) != 1 or n_paired >= MOST_VEHICLES:
        return None
    ((key, uid),) = fresh.items()
    return None if key in taken else uid
