"""A business whose sessions are billed."""

import pytest

from ohmstead.core.db import Pool
from tests.billing.network import Business, per_kwh


@pytest.fixture
async def business(db: Pool) -> Business:
    """A kWh costs 0.49, before 21 % VAT."""
    return await Business(db).founded(per_kwh("0.49"))
