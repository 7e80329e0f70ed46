"""How a kind of event is put into the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from msgspec import Meta, Struct

S = TypeVar("S", bound=Struct)

EXAMPLE_AT = "2026-03-02T09:10:00Z"
STATION = "HARBOUR-01"
OPERATOR = "operator:019a9d5e-7b10-7000-8000-000000000001"

StationId: TypeAlias = Annotated[str, Meta(description="The station's OCPP identity.")]
By: TypeAlias = Annotated[str, Meta(description="Who did it: `operator:<id>`, `key:<id>` or `system…`.")]
EvseNumber: TypeAlias = Annotated[int | None, Meta(description="The outlet in its station, from 1; null: not told.")]
Id: TypeAlias = Annotated[str, Meta(description="A UUID.")]
Instant: TypeAlias = Annotated[str, Meta(description="RFC 3339.")]


# What it takes to hear of what not everybody may read who follows events, by theme.
TAKES: Final = {
    "Billing": "billing:read",
    "Payments": "payments:read",
    "Wallets and plans": "drivers:read",
    "Tokens": "tokens:read",
    "Drivers": "drivers:read",
}


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of event: what its `subject` looks like, and the type of its payload."""

    name: str
    theme: str
    subject: str
    payload: type[Struct]
    example: dict[str, Any]

    @property
    def takes(self) -> str | None:
        """What hearing of it takes besides the right to follow events; None: nothing."""
        return TAKES.get(self.theme)


KINDS: dict[str, Kind] = {}


def fact(theme: str, subject: str, **example: Any) -> Callable[[type[S]], type[S]]:
    """Puts a payload's type into the catalogue under its own name; `example` are the fields of one."""

    def put(payload: type[S]) -> type[S]:
        name = payload.__name__
        KINDS[name] = Kind(name=name, theme=theme, subject=subject, payload=payload, example=example)
        return payload

    return put
