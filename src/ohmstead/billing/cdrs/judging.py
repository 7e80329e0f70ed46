"""Is a settled session billed by itself, or is there a reason to ask a person first? Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ohmstead.billing.cdrs.model import Reason
from ohmstead.billing.ledger.entries import exact_minor
from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_
from ohmstead.sessions.model import Session
from ohmstead.tariffs.pricing import CostBreakdown

SHORTEST: Final = timedelta(seconds=60)
# A fast charger delivers this within a second or two: shorter and less is a plug that did not hold.
LEAST_WH: Final = Decimal(100)
LONGEST: Final = timedelta(days=31)
# Where metering had to leave something out, or times cannot be believed, the bill could be wrong either way.
DOUBTFUL: Final = {
    "clock_wrong": N_("the station's clock was wrong"),
    "implausible_end": N_("the last reading cannot be true"),
    "implausible_jump": N_("the meter jumped"),
    "implausible_register": N_("a reading cannot be true"),
    "foreign_transaction": N_("the station reported another station's transaction"),
}


class Doubt(NamedTuple):
    """Why it is not billed by itself, and that in words."""

    reason: Reason
    detail: str


def doubt_of(
    session: Session, *, is_test: bool, has_tariff: bool, cost: CostBreakdown | None, signed: str | None = None
) -> Doubt | None:
    """The first reason that applies; None: bill it. `is_test`: the station is on trial. `cost`: None where none is known.

    `signed`: what speaks against it in what its meter signed, where the party wants to be asked.
    """
    if is_test:
        return Doubt("test", N_("the station is on trial"))
    if session.is_orphan:
        return Doubt("orphan", N_("its start never came"))
    if (detail := _implausible(session)) is not None:
        return Doubt("implausible", detail)
    if session.energy_wh <= 0:
        return Doubt("no_energy", N_("no energy was delivered"))
    assert session.ended_at is not None
    if session.ended_at - session.started_at < SHORTEST and session.energy_wh < LEAST_WH:
        return Doubt("too_short", N_("less than a minute and less than 100 Wh"))
    if signed is not None:
        return Doubt("implausible", signed)
    if not has_tariff:
        return Doubt("no_tariff", N_("no tariff applied when it began"))
    if cost is None:
        return Doubt("price_unknown", N_("its tariff gives no price for it"))
    if any(not part.is_told for line in cost.lines for part in line.parts):
        return Doubt("price_unknown", N_("the market's price is not known for all of it"))
    return Doubt("implausible", N_("its price cannot be true")) if is_absurd(cost) else None


def _implausible(session: Session) -> str | None:
    if session.status != "completed":
        return N_("it never became a charge")
    if session.ended_at is None or session.ended_at < session.started_at:
        return N_("it ends before it begins")
    if session.ended_at - session.started_at > LONGEST:
        return N_("it took more than 31 days")
    return next((DOUBTFUL[one] for one in session.anomalies if one in DOUBTFUL), None)


def is_absurd(cost: CostBreakdown) -> bool:
    """Is it more than anything costs, or not exact in its currency? Nobody can bill that, whatever they decide."""
    try:
        for amount in (cost.before_taxes, cost.total, *(line.amount for line in cost.lines)):
            exact_minor(amount, cost.currency)
    except Invalid:
        return True
    return False
