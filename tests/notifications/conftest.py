"""A network with drivers who are told things."""

import pytest

from ohmstead.core.db import Pool
from tests.notifications.network import Harbour


@pytest.fixture
async def harbour(db: Pool) -> Harbour:
    return await Harbour(db).opens()
