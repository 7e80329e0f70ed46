"""What notifications need of the outside: somebody who carries a letter over a channel."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.model import Subscription


class Enclosure(Struct, frozen=True, kw_only=True):
    """A file that goes along."""

    name: str
    media_type: str
    content: bytes


class Letter(Struct, frozen=True, kw_only=True):
    """A message as it goes out. `brief`: its first paragraph, for small screens. `unsubscribe_url`: None where it cannot be
    turned off. `subscription`: where a push goes. `useful_s`: for how many seconds it is of use.
    """

    notification_id: UUID
    kind: str
    network: str
    address: str | None
    subject: str
    text: str
    html: str
    brief: str
    link: str | None = None
    unsubscribe_url: str | None = None
    enclosures: tuple[Enclosure, ...] = ()
    subscription: Subscription | None = None
    is_urgent: bool = False
    useful_s: int = 3600
    language: str = "en"


class Gone(ExternalFailure):
    """Nobody is at this address any more, and never will be."""

    def __init__(self, text: str) -> None:
        super().__init__(text, permanent=True)


class Carrier(Protocol):
    """A channel of this installation."""

    async def carry(self, letter: Letter) -> str:
        """Hand it over; returns what whoever takes it answered. Raises ExternalFailure, permanent where trying again is
        pointless, and Gone. The same letter may come again: it carries the same id.
        """
        ...
