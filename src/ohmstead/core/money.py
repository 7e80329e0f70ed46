"""Money: an exact amount in one currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

# ISO 4217 minor units that differ from 2.
ODD_MINOR_UNITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in units of `currency` (ISO 4217), full precision until `rounded()`."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"money wants Decimal, not {type(self.amount).__name__}")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"not an ISO 4217 code: {self.currency!r}")
        if not self.amount.is_finite():
            raise ValueError("money is finite")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def rounded(self) -> Money:
        """Half up to the currency's minor unit: what can be paid."""
        return Money(self.amount.quantize(Decimal(1).scaleb(-minor_units(self.currency)), ROUND_HALF_UP), self.currency)

    def minor(self) -> int:
        """The rounded amount in minor units (cents; whole yen; fils)."""
        return int(self.rounded().amount.scaleb(minor_units(self.currency)))

    @classmethod
    def from_minor(cls, amount: int, currency: str) -> Money:
        return cls(Decimal(amount).scaleb(-minor_units(currency)), currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} cannot meet {self.currency} without an exchange rate")
        return other.amount


def minor_units(currency: str) -> int:
    """Digits after the decimal point of a currency (ISO 4217)."""
    return ODD_MINOR_UNITS.get(currency, 2)
