"""What every page of the console begins with: who looks, at whose network, and may they?"""

from __future__ import annotations

from typing import Any, TypeAlias
from uuid import UUID

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ohmstead.accounts.access import Actor, NotAllowed, may
from ohmstead.accounts.parties import service as parties
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import NotFound
from ohmstead.reports import service
from ohmstead.settings import Settings
from ohmstead.stations.commands import CommandDesk
from ohmstead.ui.templating import View, view_of

PageRequest: TypeAlias = Request[Any, Any, State]
SettingsIn: TypeAlias = NamedDependency[SkipValidation[Settings]]
PoolIn: TypeAlias = NamedDependency[Pool]
BusIn: TypeAlias = NamedDependency[Bus]
DeskIn: TypeAlias = NamedDependency[CommandDesk]
ActorIn: TypeAlias = NamedDependency[Actor]


async def opened(request: PageRequest, conn: Connection, actor: Actor, action: str | None = "stations:read") -> View:
    """The page's view. Raises NotAllowed when the actor may not do `action`; None is everybody's who is signed in."""
    if action is not None:
        allow(actor, action)
    state, news = request.scope["state"], request.app.state.live_news
    # Before anything is read: what happens from now on the page is told when it listens.
    state["live_position"] = await news.position(actor.party_id)
    frame = await service.frame(conn, actor.scope)
    state["party_name"], state["party_zone"], state["n_attention"] = frame.network, frame.time_zone, frame.n_concerns
    if actor.operator_id is not None:
        state["memberships"] = await parties.list_memberships(conn, actor.operator_id)
    state.pop("view", None)
    return view_of(request)


def allow(actor: Actor, action: str) -> None:
    """Raises NotAllowed."""
    if not may(actor, action):
        raise NotAllowed(f"your role does not include {action}")


def uuid_of(text: str, what: str) -> UUID:
    """A path's id. Raises NotFound for what cannot be one, as for one that is not there."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"no {what} {text}") from None
