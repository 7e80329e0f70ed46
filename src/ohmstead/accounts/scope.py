"""What of a party's data somebody sees. Values only."""

from uuid import UUID

from msgspec import Struct


class Scope(Struct, frozen=True):
    """A party's data: all of it (`locations` is None), or only what belongs to some of its locations.

    In SQL: `party_id = $1 and ($2::uuid[] is null or location_id = any($2))`. What is at no location is nobody's whose
    scope names locations.
    """

    party_id: UUID
    locations: tuple[UUID, ...] | None = None

    def holds(self, location_id: UUID | None) -> bool:
        """Is something of the party at this location within it?"""
        return self.locations is None or location_id in self.locations
