"""A party to own the stations."""

from tests.gateway.fixtures import party_id

__all__ = ["party_id"]
