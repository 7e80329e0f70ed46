"""Any sequence of bills, late news, credits, decisions, repeats and closed months leaves the books right."""

import contextlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.ledger.entries import amount_of, exact_minor
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Refused
from ohmstead.tariffs.model import IdleFee, PriceComponent, PriceLimit, Tariff, TariffElement, TariffTax, TaxIncluded
from tests.billing.network import VAT, Business

LOW = TariffTax(percentage=Decimal(9))
MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04")
KINDS: tuple[tuple[str, TaxIncluded], ...] = (("EUR", "YES"), ("EUR", "NO"), ("JPY", "YES"), ("KWD", "NO"))
RULES = [
    Tariff(
        currency=currency,
        tax_included=included,
        elements=[
            TariffElement(
                price_components=[
                    PriceComponent(type="FLAT", price=Decimal("0.35"), taxes=[LOW]),
                    PriceComponent(type="ENERGY", price=Decimal("0.4999"), taxes=[VAT]),
                    PriceComponent(type="TIME", price=Decimal("1.117"), taxes=[VAT]),
                ]
            )
        ],
        idle_fee=IdleFee(price_per_minute=Decimal("0.1"), taxes=[LOW]),
        max_price=PriceLimit(before_taxes=Decimal(20)),
    )
    for currency, included in KINDS
]

which = st.integers(0, 20)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("session"), st.integers(0, 60_000), st.integers(0, 90)),
        st.tuples(st.just("settles"), which),
        st.tuples(st.just("becomes"), which, st.integers(0, 60_000)),
        st.tuples(st.just("credits"), which, st.booleans()),
        st.tuples(st.just("reduces"), which, st.integers(1, 120)),
        st.tuples(st.just("decides"), which, st.sampled_from(["bill", "never"])),
        st.tuples(st.just("closes"), st.sampled_from(MONTHS)),
    ),
    min_size=4,
    max_size=25,
)


async def _does(business: Business, sessions: list[UUID], step: tuple[Any, ...]) -> None:
    name, *values = step
    if name == "session":
        wh, days = values
        started_at = datetime(2026, 1, 1, 23, 20, tzinfo=UTC) + timedelta(days=days)
        sessions.append(await business.session(wh, started_at))
        await business.settles(sessions[-1])
    elif name == "closes":
        await business.closes(values[0])
    elif name == "credits":
        cdrs = await business.cdrs()
        if cdrs:
            await business.credits(cdrs[values[0] % len(cdrs)].cdr_id, again=values[1])
    elif name == "reduces":
        found = [cdr for cdr in await business.cdrs() if cdr.kind == "charge" and cdr.total > 0]
        if found:
            await _reduces(business, found[values[0] % len(found)], values[1])
    elif name == "decides":
        listed = sorted(await business.unbillable())
        if listed:
            await business.decides(listed[values[0] % len(listed)], values[1])
    elif sessions:
        session_id = sessions[values[0] % len(sessions)]
        if name == "becomes":
            await business.becomes(session_id, values[1])
        await business.settles(session_id)


async def _reduces(business: Business, cdr: Cdr, percent: int) -> None:
    """By so much of it, or by all; what is left is exact."""
    minor = exact_minor(cdr.total, cdr.currency) * percent // 100
    amount = amount_of(minor, cdr.currency)
    made = await business.reduces(cdr.cdr_id, str(amount) if 0 < amount <= cdr.total else None)
    if made.replacement is not None:
        assert made.replacement.total == cdr.total - amount
        assert made.replacement.total > 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sampled_from(RULES))
async def test_the_books_are_right_whatever_happens(db: Pool, script: list[tuple[Any, ...]], rules: Tariff) -> None:
    clock.set_source(lambda: datetime(2026, 4, 10, 12, tzinfo=UTC))
    try:
        business = await Business(db).founded(rules)
        sessions: list[UUID] = []
        for step in script:
            with contextlib.suppress(Conflict, Refused):  # told so; nothing of it was done
                await _does(business, sessions, step)
        await _holds(business, sessions)
    finally:
        clock.set_source(None)


async def _holds(business: Business, sessions: list[UUID]) -> None:
    assert await business.faults() == []
    balances = await business.balances()
    assert sum(balances.values()) == 0
    rows = await business.pool.fetch(
        "select account_id, sum(amount_minor) as posted from ledger_posting where party_id = $1 group by 1",
        business.party_id,
    )
    kept = await business.pool.fetch(
        "select account_id, sum(debit_minor - credit_minor) as posted from ledger_balance where party_id = $1 group by 1",
        business.party_id,
    )
    assert {row["account_id"]: row["posted"] for row in rows} == {row["account_id"]: row["posted"] for row in kept}
    cdrs = await business.cdrs()
    # A credit's amounts are negative, so this is charges less credits.
    earned = sum((cdr.before_taxes for cdr in cdrs), Decimal(0))
    owed = sum((cdr.total for cdr in cdrs), Decimal(0))
    assert -sum(value for code, value in balances.items() if code.startswith("revenue:")) == earned
    assert sum(value for code, value in balances.items() if code.startswith("receivable:")) == owed
    assert -sum(value for code, value in balances.items() if code.startswith("tax:")) == owed - earned
    standing: dict[UUID, int] = defaultdict(int)
    for cdr in cdrs:
        standing[cdr.session_id] += 1 if cdr.kind == "charge" else -1
    open_or_never = {one for one, (_, decision) in (await business.unbillable()).items() if decision != "bill"}
    for session_id in sessions:
        assert standing[session_id] + (session_id in open_or_never) == 1, "billed once, or on the list"
