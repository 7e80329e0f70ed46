"""Overdue invoices are reminded of, each time once, and no more once they are paid."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from ohmstead.billing.incoming import reminding
from ohmstead.core import clock
from tests.incoming.till import Bank
from tests.payments.till import Clock


@pytest.fixture
def time() -> Iterator[Clock]:
    source = Clock()
    clock.set_source(source)
    yield source
    clock.set_source(None)


@pytest.mark.parametrize(
    ("days", "had", "overdue", "since", "stage"),
    [
        ([], 0, 100, None, None),
        ([7, 21, 35], 0, 6, None, None),
        ([7, 21, 35], 0, 7, None, 1),
        ([7, 21, 35], 0, 100, None, 1),
        ([7, 21, 35], 1, 100, 13, None),
        ([7, 21, 35], 1, 100, 14, 2),
        ([7, 21, 35], 1, 20, 13, None),
        ([7, 21, 35], 2, 35, 14, 3),
        ([7, 21, 35], 3, 400, 300, None),
        ([7], 3, 400, 300, None),
    ],
)
def test_which_reminder_is_due(days: list[int], had: int, overdue: int, since: int | None, stage: int | None) -> None:
    assert reminding.next_stage(days, had, overdue, since) == stage


async def test_a_customer_is_reminded_until_they_pay(bank: Bank, time: Clock) -> None:
    invoice, other = await bank.company_invoice(), await bank.company_invoice()
    assert invoice.due_on is not None
    await bank.books(await bank.comes_in("11.86", bank_ref="R1"), (other.invoice_id, "11.86"))

    async def sent() -> list[tuple[str, int, bool, str]]:
        for _ in range(2):
            await reminding.remind_all(bank.pool)
        facts = await bank.facts("InvoiceReminded")
        return [(one["number"], one["stage"], one["is_final"], one["open"]) for one in facts]

    time.passes(days=(invoice.due_on - invoice.issued_on).days + 30)
    assert await sent() == [], "not unless it is wanted"
    await bank.wants(reminder_days=[3, 10])
    assert await sent() == [(invoice.number, 1, False, "11.86")]
    await bank.books(await bank.comes_in("1.86", bank_ref="R2"), (invoice.invoice_id, "1.86"))
    time.at += timedelta(days=6)
    assert len(await sent()) == 1
    time.at += timedelta(days=1)
    assert (await sent())[1:] == [(invoice.number, 2, True, "10.00")]
    await bank.books(await bank.comes_in("10.00", bank_ref="R3"), (invoice.invoice_id, "10.00"))
    time.at += timedelta(days=100)
    assert len(await sent()) == 2
    assert (await bank.stands(invoice)).open == Decimal(0)
