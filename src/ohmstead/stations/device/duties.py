"""How a duty to a station ends."""

from __future__ import annotations

import msgspec

from ohmstead.stations.orders import Command

RETRY_S = 30.0


class Done(msgspec.Struct, frozen=True):
    """How a duty ended. `again_after_s`: when it is due again by itself; `is_failure` makes that later each time."""

    result: str
    text: str | None = None
    again_after_s: float | None = None
    is_failure: bool = False


def unheard(command: Command) -> Done | None:
    """How a duty ends whose order got no answer; None when the station did answer."""
    if command.status in ("accepted", "rejected"):
        return None
    if command.status in ("offline", "queued"):
        return Done("offline", "the station went away; it is due when it is back", RETRY_S, is_failure=True)
    return Done("failed", command.error_text or command.status, RETRY_S, is_failure=True)
