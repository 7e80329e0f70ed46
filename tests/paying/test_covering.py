"""Who pays, and how much is held: tables and many made-up cases, without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.holding.reckoning import Funds, hold_at_start, payable, raised_hold
from ohmstead.billing.paying.covering import Asked, cover_of, customer_of
from ohmstead.billing.paying.model import Method

WALLET, CARD, INVOICE, FREE = (
    Method(kind="wallet"),
    Method(kind="card", ref="c1"),
    Method(kind="invoice"),
    Method(kind="free"),
)
COMPANY, PARTNER = Method(kind="company", ref="co1"), Method(kind="partner", ref="DE-ABC")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ("invoice", "policy", None)),
        ({"without_method": "refuse"}, ("refused", "policy", None)),
        ({"driver_id": "d", "driver_method": WALLET, "has_wallet": True}, ("wallet", "driver", "d")),
        ({"driver_id": "d", "driver_method": WALLET}, ("refused", "driver", "d")),
        ({"token_method": WALLET, "has_wallet": True}, ("refused", "token", None)),
        (
            {"driver_id": "d", "token_method": CARD, "driver_method": WALLET, "has_wallet": True},
            ("card", "token", "c1"),
        ),
        ({"driver_id": "d", "driver_method": INVOICE, "driver_company": "co"}, ("invoice", "driver", None)),
        ({"driver_company": "co"}, ("company", "company", "co")),
        ({"driver_method": CARD, "driver_company": "co"}, ("company", "company", "co")),
        ({"driver_id": "d", "driver_method": WALLET, "token_company": "co"}, ("company", "company", "co")),
        (
            {"driver_method": WALLET, "driver_company": "co", "suspended_companies": {"co"}},
            ("refused", "company", "co"),
        ),
        ({"token_method": CARD, "driver_company": "co"}, ("card", "token", "c1")),
        ({"driver_company": "co", "token_company": "other"}, ("company", "company", "other")),
        ({"driver_company": "co", "suspended_companies": {"co"}}, ("refused", "company", "co")),
        (
            {"driver_company": "co", "token_method": COMPANY, "suspended_companies": {"co"}},
            ("company", "token", "co1"),
        ),
        ({"token_method": COMPANY}, ("company", "token", "co1")),
        ({"partner": "DE-ABC"}, ("partner", "contract", "DE-ABC")),
        ({"partner": "DE-ABC", "without_method": "refuse"}, ("partner", "contract", "DE-ABC")),
        ({"partner": "DE-ABC", "driver_company": "co"}, ("company", "company", "co")),
        ({"token_method": PARTNER}, ("partner", "token", "DE-ABC")),
        ({"type": "DirectPayment", "without_method": "refuse"}, ("terminal", "terminal", None)),
        ({"type": "DirectPayment", "payment_id": "p"}, ("ad_hoc", "payment", "p")),
        ({"is_in_debt": True}, ("refused", "policy", None)),
        ({"is_in_debt": True, "driver_method": CARD}, ("refused", "driver", "c1")),
        ({"is_in_debt": True, "driver_company": "co"}, ("company", "company", "co")),
        ({"is_in_debt": True, "token_method": FREE}, ("free", "token", None)),
        ({"is_in_debt": True, "partner": "DE-ABC"}, ("partner", "contract", "DE-ABC")),
    ],
)
def test_the_first_that_applies_pays(asked: dict[str, Any], expected: tuple[str, str, str | None]) -> None:
    cover = cover_of(Asked(**asked))
    assert (cover.kind, cover.source, cover.ref) == expected


def test_whoever_covers_a_session_owes_it() -> None:
    nobody: dict[str, Any] = {"driver_id": None, "token_id": None, "payment_id": None}
    assert customer_of(None, None, **nobody) == "nobody"
    assert customer_of("wallet", "d", **nobody | {"token_id": "t"}) == "token:t"
    assert customer_of("wallet", "d", **nobody | {"token_id": "t", "driver_id": "d"}) == "driver:d"
    assert customer_of("company", "c", **nobody | {"driver_id": "d"}) == "company:c"
    assert customer_of("partner", "DE-ABC", **nobody | {"token_id": "t"}) == "partner:DE-ABC"
    assert customer_of("ad_hoc", "p", **nobody | {"token_id": "t", "payment_id": "p"}) == "payment:p"


MINOR = st.integers(min_value=0, max_value=10**6)
FUNDS = st.builds(
    Funds, balance=st.integers(min_value=-(10**5), max_value=10**6), credit_limit=MINOR, held=MINOR, due=MINOR
)


@given(FUNDS, MINOR, MINOR)
def test_a_start_holds_no_more_than_there_is_and_no_less_than_the_least(funds: Funds, wanted: int, least: int) -> None:
    held = hold_at_start(funds, wanted, least)
    if held is None:
        assert funds.available < max(1, least)
    else:
        assert 0 < held <= funds.available
        assert funds.held + held + funds.due <= funds.balance + funds.credit_limit


@given(FUNDS, MINOR, MINOR, MINOR)
def test_a_raise_takes_nothing_that_others_hold_and_gives_nothing_back(
    funds: Funds, holds: int, spent: int, step: int
) -> None:
    raised = raised_hold(funds, holds, spent, step)
    assert raised >= holds
    assert raised == holds or raised <= funds.available
    if (holds - spent) * 2 <= step and funds.available >= spent + max(step, 1):
        assert raised >= spent + step


@given(FUNDS, MINOR)
def test_a_bill_takes_nothing_that_others_hold(funds: Funds, due: int) -> None:
    paid = payable(funds, due)
    assert 0 <= paid <= due
    assert paid == 0 or funds.balance + funds.credit_limit - funds.held - paid >= 0
