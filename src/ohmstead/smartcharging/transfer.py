"""Which way energy may flow in a session, and what a car that told its needs is answered. Pure.

A car may only give energy back where somebody allowed it: the holder of the token that charges, or an operator for this
one session, whose word then counts (OCPP 2.1 Q01, Q02).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ohmstead.smartcharging.model import Needs, NeedsAnswer
from ohmstead.stations.orders.charging import EnergyTransfer


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the session at an outlet.

    `may_discharge`: of its token; None: no session was told of yet. `ways`: what its station was told, if it was.
    """

    may_discharge: bool | None = None
    ways: Sequence[EnergyTransfer] | None = None


def may_flow_back(needs: Needs, permission: Permission) -> bool:
    """Whether the car may give energy back, as far as is known now."""
    if not needs.is_bidirectional:
        return False
    if permission.ways is not None:
        return needs.way in permission.ways
    return permission.may_discharge is True


def answer(needs: Needs, permission: Permission) -> tuple[NeedsAnswer, str | None]:
    """What a car is answered, and why it is refused.

    accepted: a profile follows; processing: whether it may give energy back is known once its session is told of; free:
    a car that follows our setpoints wants nothing that one could plan for, so that it gets none (K19).
    """
    if permission.ways is not None and needs.way is not None and needs.way not in permission.ways:
        return "refused", f"the session may not use {needs.way}"
    if needs.is_bidirectional and permission.ways is None:
        if permission.may_discharge is None:
            return "processing", None
        if not permission.may_discharge:
            return "refused", "the token may not give energy back"
    if needs.control == "dynamic" and needs.energy_wh is None and needs.departs_at is None:
        return "free", None
    return "accepted", None
