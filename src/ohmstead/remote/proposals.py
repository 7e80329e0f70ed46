"""Orders that were proposed and wait to be confirmed: nothing reaches a station in one step."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid, NotFound
from ohmstead_client import models

GOOD_FOR_S: Final = 300.0
MOST_WAITING: Final = 100


class Proposal(Struct, frozen=True, kw_only=True):
    """An order to a station that is to be confirmed with `token`, once, before `expires_s` on the monotonic clock."""

    token: str
    station_id: str
    order: dict[str, Any]
    expires_s: float


class Proposals:
    """Those that wait. `now_s`: a monotonic clock, in seconds."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._waiting: OrderedDict[str, Proposal] = OrderedDict()

    def add(self, station_id: str, order: Mapping[str, Any]) -> Proposal:
        """Keep an order until it is confirmed. Raises Invalid for what is no order; of too many the oldest is dropped."""
        made = Proposal(
            token=secrets.token_urlsafe(18),
            station_id=station_id,
            order=checked(order),
            expires_s=self._now_s() + GOOD_FOR_S,
        )
        self._waiting[made.token] = made
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        return made

    def take(self, token: str) -> Proposal:
        """The proposal, which is gone then: a token is good once. Raises NotFound."""
        found = self._waiting.pop(token, None)
        if found is None or found.expires_s < self._now_s():
            raise NotFound(
                "no proposal waits under this token: it was confirmed already, is too old, or never was. Propose anew"
            )
        return found


def checked(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order, if it is one. Raises Invalid with its field."""
    try:
        read = msgspec.convert(dict(order), models.Order)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        raise Invalid(text, field=place.strip(".`")) from error
    known = {field.encode_name for field in msgspec.structs.fields(read)}
    if unknown := sorted(set(order) - known - {"kind"}):
        there_are = ", ".join(sorted(known)) or "nothing"
        text = f"{order['kind']} knows no {', '.join(unknown)}; it knows {there_are}"
        raise Invalid(text, field=unknown[0])
    return dict(order)
