"""A business with drivers, cards and ways of paying."""

import pytest

from ohmstead.core.db import Pool
from tests.paying.customers import Customers, untaxed


@pytest.fixture
async def customers(db: Pool) -> Customers:
    """A kWh costs 0.50, and nothing is taxed."""
    return await Customers(db).founded(untaxed("0.50"))
