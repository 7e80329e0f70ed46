"""Every kind of event that outsiders may see: its payload as a type, what it means, an example.

Webhooks, `/events/outbox` and the OpenAPI document are made from this; docs/events.md is generated from it. A kind that
is not here stays inside. The tests hold every event that any of them caused against its type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ohmstead.facts import (
    billing,
    drivers,
    paying,
    payments,
    places,
    sessions,
    stations,
    tariffs,
    tokens,
    trust,
    upkeep,
    webhooks,
)
from ohmstead.facts.kinds import KINDS, Kind

__all__ = ["KINDS", "EventKind", "Kind", "described", "fault_of", "in_order", "named", "schemas"]

ROOMS = (sessions, stations, places, tariffs, billing, payments, paying, tokens, drivers, trust, upkeep, webhooks)
_REF = "#/components/schemas/{name}"


class EventKind(Struct, frozen=True, kw_only=True):
    """A kind of event."""

    kind: str
    theme: str
    meaning: str
    subject: Annotated[str, Meta(description="What the `subject` of such an event looks like.")]
    payload_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of its payload.")]
    example: Annotated[dict[str, Any], Meta(description="A payload.")]
    takes: Annotated[str | None, Meta(description="What hearing of it takes besides `events:read`; null: nothing.")]


def named(kind: str) -> Kind:
    """Raises KeyError."""
    return KINDS[kind]


def described() -> list[EventKind]:
    """The whole catalogue, by theme and in the order of the files."""
    return [
        EventKind(
            kind=one.name,
            theme=one.theme,
            meaning=inspect.cleandoc(one.payload.__doc__ or ""),
            subject=one.subject,
            payload_schema=_inlined(one.payload),
            example=one.example,
            takes=one.takes,
        )
        for one in in_order()
    ]


def in_order() -> list[Kind]:
    """All kinds, theme by theme."""
    rooms = [room.__name__ for room in ROOMS]
    return sorted(KINDS.values(), key=lambda kind: rooms.index(kind.payload.__module__))


def heard_with(may: Callable[[str], bool]) -> list[str]:
    """The kinds that somebody hears of; `may`: whether they may do an action."""
    return [kind.name for kind in KINDS.values() if kind.takes is None or may(kind.takes)]


def fault_of(kind: str, payload: dict[str, Any]) -> str | None:
    """Why a payload is not of its kind's type; None when it is."""
    if kind not in KINDS:
        return f"{kind} is not in the catalogue"
    try:
        msgspec.convert(payload, KINDS[kind].payload)
    except msgspec.ValidationError as error:
        return f"{kind}: {error}"
    return None


def schemas() -> dict[str, Any]:
    """JSON schemas of all payloads by kind, for the components of an OpenAPI document."""
    _, components = msgspec.json.schema_components([one.payload for one in KINDS.values()], ref_template=_REF)
    return components


def _inlined(payload: type[Struct]) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema_components([payload], ref_template=_REF)[1][payload.__name__]
    return schema
