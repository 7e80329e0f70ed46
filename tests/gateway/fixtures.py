"""Fixtures for every folder that tests the running gateway."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from tests.gateway.running import House, new_party, open_gateway


@pytest.fixture
async def party_id(db: Pool) -> UUID:
    """The installation's first party."""
    return await new_party(db)


@pytest.fixture
async def house(settings: Settings, db: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway on plain sockets with the usual settings."""
    async with open_gateway(settings, db, party_id) as running:
        yield running
