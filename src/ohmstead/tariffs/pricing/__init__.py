"""Prices: pure, exact, incremental, and explained.

`price` answers for a whole session; a `Meter` goes on with one, a stretch at a time, and `break_down` tells at any moment
what it has come to. docs/prices.md has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ohmstead.core.errors import Invalid
from ohmstead.tariffs.pricing.concessions import Concession, Included, applied, reduced
from ohmstead.tariffs.pricing.cost import CostBreakdown, CostLine, CostPart, CostTax, Payer
from ohmstead.tariffs.pricing.plan import Plan, plan_of
from ohmstead.tariffs.pricing.reckoning import NOBODY, break_down, total_of
from ohmstead.tariffs.pricing.stretches import Shown, stretches_of
from ohmstead.tariffs.pricing.tally import MarketPrices, Meter, Stretch, StretchKind, Tally, as_json, from_json

__all__ = [
    "Concession", "CostBreakdown", "CostLine", "CostPart", "CostTax", "Included", "MarketPrices", "Meter", "Payer", "Plan",
    "Shown", "Stretch", "StretchKind", "Tally", "applied", "as_json", "break_down", "from_json", "plan_of", "price", "reduced",
    "stretches_of", "tallied", "total_of",
]  # fmt: skip


def tallied(plan: Plan, stretches: Iterable[Stretch], market: Mapping[str, MarketPrices] | None = None) -> Meter:
    """All stretches of a session counted, whatever their order; one that comes twice counts once.

    Raises Invalid where there is none, or where two overlap.
    """
    ordered = sorted(stretches, key=lambda one: (one.started_at, one.ended_at))
    meter = Meter.begin(plan, ordered[0].started_at, market) if ordered else None
    if meter is None:
        raise Invalid("a session has at least one stretch", field="stretches")
    before = None
    for stretch in ordered:
        if stretch != before:
            meter.add(stretch)
        before = stretch
    return meter


def price(
    plan: Plan,
    stretches: Iterable[Stretch],
    payer: Payer = NOBODY,
    market: Mapping[str, MarketPrices] | None = None,
) -> CostBreakdown:
    """What a whole session costs. Raises Invalid as `tallied` does."""
    return break_down(plan, tallied(plan, stretches, market).tally, payer)
