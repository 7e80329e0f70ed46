"""A business that is known as a seller."""

import pytest

from ohmstead.core.db import Pool
from tests.billing.network import per_kwh
from tests.invoices.office import Office


@pytest.fixture
async def office(db: Pool) -> Office:
    """A kWh costs 0.49, before 21 % VAT; the seller is set up."""
    office = Office(db)
    await office.founded(per_kwh("0.49"))
    return await office.opened()
