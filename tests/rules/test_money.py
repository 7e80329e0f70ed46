"""Money: exact, in one currency, rounded only to be paid."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.money import Money, minor_units


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def test_money_is_added_and_taken_away_exactly() -> None:
    assert euros("0.1") + euros("0.2") == euros("0.3")
    assert euros("1") - euros("0.01") == euros("0.99")
    assert -euros("5") == euros("-5")
    assert euros("0.3333") * 3 == euros("0.9999")
    assert euros("10") * Decimal("0.2") == euros("2.0")


@pytest.mark.parametrize(
    ("amount", "currency", "rounded", "minor"),
    [
        ("1.005", "EUR", "1.01", 101),
        ("1.004", "EUR", "1.00", 100),
        ("-1.005", "EUR", "-1.01", -101),
        ("2.675", "USD", "2.68", 268),
        ("1500.4", "JPY", "1500", 1500),
        ("1500.5", "JPY", "1501", 1501),
        ("5000", "KRW", "5000", 5000),
        ("1.2345", "KWD", "1.235", 1235),
        ("0.0005", "BHD", "0.001", 1),
    ],
)
def test_rounding_is_half_up_to_what_the_currency_has(amount: str, currency: str, rounded: str, minor: int) -> None:
    """17: yen and won charged a hundredfold."""
    money = Money(Decimal(amount), currency)
    assert money.rounded() == Money(Decimal(rounded), currency)
    assert money.minor() == minor
    assert Money.from_minor(minor, currency) == money.rounded()


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("TND", 3)])
def test_currencies_have_the_digits_they_have(currency: str, digits: int) -> None:
    assert minor_units(currency) == digits


def test_currencies_do_not_mix() -> None:
    francs = Money(Decimal(1), "CHF")
    for mix in (lambda: euros("1") + francs, lambda: euros("1") - francs, lambda: euros("1") < francs):
        with pytest.raises(ValueError, match="CHF"):
            mix()
    assert euros("1") != Money(Decimal(1), "CHF")


def test_money_is_compared_and_may_be_nothing() -> None:
    assert euros("1") < euros("1.01")
    assert euros("1") <= euros("1.00")
    assert euros("0.01")
    assert not euros("0.00")


@pytest.mark.parametrize(
    ("amount", "currency", "error"),
    [
        (1.5, "EUR", TypeError),
        (2, "EUR", TypeError),
        (Decimal("NaN"), "EUR", ValueError),
        (Decimal("Infinity"), "EUR", ValueError),
        (Decimal(1), "eur", ValueError),
        (Decimal(1), "EURO", ValueError),
        (Decimal(1), "", ValueError),
    ],
)
def test_what_is_no_money(amount: object, currency: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Money(amount, currency)  # type: ignore[arg-type]


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_minor_units_go_there_and_back(minor: int, currency: str) -> None:
    assert Money.from_minor(minor, currency).minor() == minor
