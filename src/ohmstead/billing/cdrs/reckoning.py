"""A CDR's price by kind of revenue and by tax, and the postings that put it into the ledger. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Posting, RevenueKind
from ohmstead.tariffs.pricing import CostBreakdown
from ohmstead.tariffs.pricing.cost import CostKind, CostLine
from ohmstead.tariffs.pricing.limits import RATE, TaxSet, half_up, rate_of, taxes_of

REVENUE: Final[dict[CostKind, RevenueKind]] = {
    "ENERGY": "energy",
    "TIME": "time",
    "PARKING_TIME": "parking",
    "IDLE": "parking",
    "IDLE_CAP": "parking",
    "FLAT": "flat",
    "RESERVATION": "reservation",
    "RESERVATION_FEE": "reservation",
    "DAY_CAP": "adjustments",
    "ADJUSTMENT": "adjustments",
    "MAX_PRICE": "adjustments",
    "MIN_PRICE": "adjustments",
}


def net_lines(cost: CostBreakdown) -> list[Decimal]:
    """Of each line its amount without taxes, exact in minor units. Together they are `before_taxes`.

    Where prices include taxes, what is taxed alike shares its taxes: each line gives the difference of two rounded running
    sums, so that nothing is lost on the way, and the last one what the whole comes to.
    """
    if not cost.includes_taxes:
        return [line.amount for line in cost.lines]
    groups: dict[TaxSet, list[int]] = {}
    for n, line in enumerate(cost.lines):
        groups.setdefault(tuple(line.taxes), []).append(n)
    found = [Decimal(0)] * len(cost.lines)
    for taxes, places in groups.items():
        minors = [entries.exact_minor(cost.lines[n].amount, cost.currency) for n in places]
        gross = sum(minors)
        net = gross - sum(share for _, share in taxes_of({taxes: gross}, includes_taxes=True).values())
        whole = RATE + sum(rate_of(one.percentage) for one in taxes)
        so_far = given = 0
        for n, minor in zip(places, minors, strict=True):
            so_far += minor
            until = net if n == places[-1] else half_up(so_far * RATE, whole)
            found[n] = entries.amount_of(until - given, cost.currency)
            given = until
    return found


def revenue_of(cost: CostBreakdown) -> dict[RevenueKind, Decimal]:
    """What was earned by kind, without taxes."""
    found: dict[RevenueKind, Decimal] = {}
    for line, net in zip(cost.lines, net_lines(cost), strict=True):
        kind = REVENUE[line.kind]
        found[kind] = found.get(kind, Decimal(0)) + net
    return found


def postings_of(cdr: Cdr) -> tuple[Posting, ...]:
    """A charge in the books: the customer owes the total; what is without taxes was earned, the taxes are owed on.

    Empty where everything comes to nothing. What rounding leaves between lines and total goes to its own account.
    """
    cost, currency = cdr.cost, cdr.currency
    postings = [Posting(entries.receivable(cdr.customer, currency), cost.total)]
    postings += [Posting(entries.revenue(kind, currency), -net) for kind, net in revenue_of(cost).items()]
    postings += [
        Posting(entries.tax(cdr.place.country, one.name, one.percentage, currency), -one.amount) for one in cost.taxes
    ]
    left = sum((posting.amount for posting in postings), Decimal(0))
    postings.append(Posting(entries.rounding(currency), -left))
    return entries.gathered(postings)


def lines_of(cost: CostBreakdown, kinds: Sequence[CostKind]) -> list[CostLine]:
    """Those of some kinds."""
    return [line for line in cost.lines if line.kind in kinds]
