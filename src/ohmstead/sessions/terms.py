"""On what terms a driver charges, where there are any: pure. Who knows them is a port (costs.py)."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from ohmstead.core.money import Money
from ohmstead.stations.orders import SessionLimit, StationTariff
from ohmstead.tokens.model import Authorization, AuthorizationRequest


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What comes with a token that may charge.

    `credit`: what is left on a prepaid card (2.1 C17), taxes included; None where nothing was paid before. `tariff`: the
    driver's own, for stations that reckon by themselves (2.1 I08). `limit`: where their sessions end (2.1 E16). `covers`:
    somebody pays for another session; false: none begins.
    """

    credit: Money | None = None
    tariff: StationTariff | None = None
    limit: SessionLimit | None = None
    covers: bool = True

    def session_limit(self) -> SessionLimit | None:
        """The limit that a session begins with; credit is one of cost."""
        if self.credit is None:
            return self.limit
        left = max(self.credit.rounded().amount, self.credit.amount * 0)
        given = self.limit or SessionLimit()
        cost = left if given.max_cost is None else min(left, given.max_cost)
        return msgspec.structs.replace(given, max_cost=cost)


class CoverLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session's cover goes: at `limit`, with taxes, it is stopped; from `warn_at` on it is told (CoverEnding)."""

    limit: Money
    warn_at: Money


def judge(
    request: AuthorizationRequest, answer: Authorization, terms: Terms | None, holds: Collection[UUID]
) -> Authorization:
    """The answer, with a card refused whose credit is used up, or for which nobody pays; `holds`: the sessions that the
    token has now.

    It still ends what it began: a card that holds a session may be shown, and may go on with that session.
    """
    if terms is None or not answer.is_accepted:
        return answer
    if terms.covers and (terms.credit is None or terms.credit.rounded().amount > 0):
        return answer
    is_going_on = request.session_id in holds if request.is_start else bool(holds)
    return answer if is_going_on else msgspec.structs.replace(answer, status="no_credit")
