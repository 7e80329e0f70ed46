"""Amounts as Stripe writes them: whole numbers, of a unit that is not always the currency's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ohmstead.core.errors import ExternalFailure
from ohmstead.core.money import Money, minor_units

# Without decimals everywhere else, and with two noughts at Stripe.
_TWO_NOUGHTS: Final = frozenset({"ISK", "UGX"})
# What a charge comes to at least (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
LEAST: Final = {
    currency: Decimal(amount)
    for amount, currencies in {
        "0.30": "GBP",
        "0.50": "AUD BRL CAD CHF EUR INR NZD SGD USD",
        "1": "BGN",
        "2": "AED MYR PLN RON",
        "2.50": "DKK",
        "3": "NOK SEK",
        "4": "HKD",
        "10": "MXN THB",
        "15": "CZK",
        "50": "JPY",
        "175": "HUF",
    }.items()
    for currency in currencies.split()
}


def _digits(currency: str) -> int:
    return 2 if currency in _TWO_NOUGHTS else minor_units(currency)


def written(money: Money) -> int:
    """An amount for Stripe. Raises ExternalFailure for one that it cannot take: of currencies with three decimals it takes
    two.
    """
    shifted = money.amount.scaleb(_digits(money.currency))
    if shifted != shifted.to_integral_value() or (_digits(money.currency) == 3 and int(shifted) % 10):
        raise ExternalFailure(f"Stripe takes no {money.amount} {money.currency}", permanent=True)
    return int(shifted)


def written_down(money: Money) -> int:
    """The same, rounded down to what it takes: so much is captured at most, the rest stays owed."""
    if _digits(money.currency) != 3:
        return written(money)
    return int(money.amount.scaleb(3)) // 10 * 10


def read(amount: int, currency: str) -> Decimal:
    """An amount of Stripe's; `currency` as we write it."""
    found = Decimal(amount).scaleb(-_digits(currency))
    return found.quantize(Decimal(1).scaleb(-minor_units(currency)))
