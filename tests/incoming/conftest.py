"""A business whose invoices are paid by bank and online."""

import pytest

from ohmstead.core.db import Pool
from tests.billing.network import per_kwh
from tests.incoming.till import Bank


@pytest.fixture
async def bank(db: Pool) -> Bank:
    """A kWh costs 0.49, before 21 % VAT; the seller is set up."""
    bank = Bank(db)
    await bank.founded(per_kwh("0.49"))
    await bank.opened()
    return bank
