"""A call to a station and what its answer means, the same for every version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from ohmstead.core.db import Connection
from ohmstead.stations.model import Variable


class Result(msgspec.Struct, frozen=True):
    """What a station's answer means. `text`: its own word for a refusal or a condition. `keep` writes down what else it
    told, in a transaction of its own; the answer may come twice.
    """

    status: Literal["accepted", "rejected"]
    text: str | None = None
    variables: tuple[Variable, ...] = ()
    keep: Callable[[Connection], Awaitable[None]] | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a station: `payload` as JSON, `read` turns the typed response into its meaning."""

    action: str
    payload: bytes
    read: Callable[[msgspec.Struct], Result]
