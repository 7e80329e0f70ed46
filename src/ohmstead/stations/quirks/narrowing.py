"""What a make of station does about charging profiles, whatever it tells of itself. Pure."""

from __future__ import annotations

import msgspec

from ohmstead.stations.features import Features
from ohmstead.stations.quirks.profiles import Effects


def narrowed(features: Features, effects: Effects | None) -> Features:
    """A station's features with what its make is known to take: a quirk profile's word counts more than the station's."""
    if effects is None:
        return features
    changes: dict[str, object] = {}
    if effects.rate_unit is not None:
        changes["rate_units"] = frozenset({effects.rate_unit})
    highest = effects.highest_stack_level
    if highest is not None and (features.most_stack_level is None or highest < features.most_stack_level):
        changes["most_stack_level"] = highest
    if effects.lowest_stack_level is not None:
        changes["least_stack_level"] = effects.lowest_stack_level
    return msgspec.structs.replace(features, **changes) if changes else features
