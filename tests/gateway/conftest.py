"""A running gateway."""

from tests.gateway.fixtures import house, party_id

__all__ = ["house", "party_id"]
