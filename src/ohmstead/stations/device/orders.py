"""Orders that only the upkeep of stations gives: local authorization lists."""

from __future__ import annotations

from typing import Literal

import msgspec

from ohmstead.stations.device.lists import Entry


class ListVersion(
    msgspec.Struct, tag="list_version", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Which version of the local authorization list does the station hold?"""


class ListUpdate(
    msgspec.Struct, tag="list_update", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Replace the local authorization list (`full`), or add to it and remove from it. `version`: its number afterwards."""

    how: Literal["full", "differential"]
    version: int
    entries: tuple[Entry, ...] = ()
    removals: tuple[Entry, ...] = ()
