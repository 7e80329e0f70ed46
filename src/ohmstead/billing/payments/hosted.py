"""The sandbox's own page, as the edge that serves it sees it: no money moves, and no card number is asked for."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from ohmstead.core.money import Money

PageState: TypeAlias = Literal["open", "proof", "done", "over"]


class TestCard(Struct, frozen=True, kw_only=True):
    """A card of the sandbox's, and what happens with it."""

    __test__ = False

    name: str
    title: str
    meaning: str


class HostedPage(Struct, frozen=True, kw_only=True):
    """A page on which somebody pays, or stores a card. `proof`: their bank asks whether it is them (3-D Secure).

    `problem`: why the card that was tried last was refused.
    """

    ref: str
    state: PageState
    amount: Money | None
    is_hold: bool
    description: str
    return_url: str
    cards: tuple[TestCard, ...]
    problem: str | None = None
    language: str | None = None


class HostedPages(Protocol):
    """Whoever has such pages. All raise NotFound for a page that there is not."""

    async def find(self, ref: str) -> HostedPage: ...

    async def pay(self, ref: str, card: str) -> HostedPage:
        """With one of the cards. Raises Invalid for another one, Conflict when it was paid."""
        ...

    async def prove(self, ref: str, *, is_them: bool) -> HostedPage:
        """What the payer told their bank."""
        ...

    async def give_up(self, ref: str) -> HostedPage:
        """They do not want to."""
        ...
