"""What happens to tokens and reservations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.facts.kinds import OPERATOR, STATION, By, EvseNumber, Id, Instant, StationId, fact

_TOKEN = {"token_id": "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d", "uid": "04A2B3C4D5E680", "by": OPERATOR}
_RESERVATION = {
    "reservation_id": "019a9d70-1a00-7c11-9a00-2b3c4d5e6f70",
    "number": 7,
    "station_id": STATION,
    "evse_number": 1,
    "from_at": "2026-03-02T10:00:00Z",
    "until_at": "2026-03-02T10:30:00Z",
}


class TokenFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which token, and who did it."""

    token_id: Id
    uid: Annotated[str, Meta(description="What stations read of it.")]
    by: By


@fact("Tokens", "token/<id>", **_TOKEN)
class TokenCreated(TokenFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token was created."""


@fact("Tokens", "token/<id>", **_TOKEN, fields=["label"])
class TokenChanged(TokenFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token was changed."""

    fields: Annotated[list[str], Meta(description="What was set; left out when a table did it.")] | UnsetType = UNSET


@fact("Tokens", "token/<id>", **_TOKEN)
class TokenBlocked(TokenFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token may charge no longer."""


@fact("Tokens", "token/<id>", **_TOKEN)
class TokenUnblocked(TokenFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that was blocked may charge again."""


@fact("Tokens", "token/<id>", **_TOKEN)
class TokenDeleted(TokenFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token was deleted. Its sessions stay."""


class ReservationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reservation as it is now."""

    reservation_id: Id
    number: Annotated[int, Meta(description="What the station knows it by.")]
    station_id: StationId
    evse_number: EvseNumber
    status: Literal["requested", "accepted", "refused", "active", "used", "expired", "no_show", "cancelled"]
    from_at: Instant
    until_at: Instant


@fact("Reservations", "reservation/<id>", **_RESERVATION, status="requested")
class ReservationMade(ReservationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outlet was reserved in the books; the station is told when its time comes."""


@fact("Reservations", "reservation/<id>", **_RESERVATION, status="active")
class ReservationChanged(ReservationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reservation has another status: the station agreed or would not, it was used, it ran out, somebody cancelled."""
