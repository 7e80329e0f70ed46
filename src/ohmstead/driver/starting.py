"""A charge that begins from a page: a driver's own, or one that costs nothing."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from ohmstead.accounts import access
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Refused
from ohmstead.core.language import N_
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.reports.driving import queries as driving
from ohmstead.reports.plugs.model import PlugPage
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.orders import RemoteStart
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter, TokenView
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.service import NewToken

APP_LABEL: Final = "App"
# OCPP 1.6 takes 20 characters; 16 of these letters cannot be guessed.
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH: Final = 16
_ANSWERS_WITHIN_S: Final = 20.0
_FREE_FOR: Final = timedelta(minutes=10)

# What a station's refusal means to whoever stands before it.
REFUSALS: Final = {
    "offline": N_("The station cannot be reached. Try another plug, or call for help."),
    "timed_out": N_("The station has not answered yet. If your car is plugged in, wait a moment."),
    "rejected": N_("The station says no. Check that the cable is plugged in at both ends, then try again."),
    "failed": N_("The station did not understand. Try another plug, or call for help."),
    "expired": N_("The station did not answer in time. Try again."),
}


async def token_of(conn: Connection, who: SignedInDriver) -> TokenView:
    """The token with which a driver begins charges from these pages; made when it is needed first. Raises Refused."""
    if who.status != "active":
        raise Refused("your account is blocked: call for help")
    held = await tokens.list_tokens(conn, who.party_id, TokenFilter(driver=who.driver_id, type="Central"), limit=20)
    mine = next((one for one in held if one.label == APP_LABEL), None)
    if mine is None:
        given = NewToken(uid=_uid("A"), type="Central", label=APP_LABEL, driver_id=who.driver_id)
        mine = await register.create_token(conn, access.system(who.party_id), given)
    if mine.status != "active":
        raise Refused("charging from this page is blocked for you: call for help")
    return mine


async def free_token(conn: Connection, plug: PlugPage) -> TokenView:
    """A token for one charge that costs nothing: good at that place, for a few minutes."""
    given = NewToken(
        uid=_uid("F"),
        type="Central",
        label="Free charge",
        valid_until=clock.now() + _FREE_FOR,
        location_ids=[plug.location_id] if plug.location_id is not None else None,
        max_sessions=1,
    )
    return await register.create_token(conn, access.system(plug.party_id), given)


async def begin(
    pool: Pool, desk: CommandDesk, plug: PlugPage, who: SignedInDriver | None, connector_number: int | None
) -> Command:
    """Have the station begin, for the driver or, where nothing is due, for nobody. Raises Refused."""
    async with pool.acquire() as conn, conn.transaction():
        token = await token_of(conn, who) if who is not None else await free_token(conn, plug)
        n_open = await driving.count_open_of_token(conn, token.party_id, token.token_id)
        if token.max_sessions is not None and n_open >= token.max_sessions:
            # The station would begin, and end it at once because the card is in use.
            raise Refused("you charge at another plug already: end that first, or use a charge card here")
    return await desk.send(
        RemoteStart(
            token_uid=token.uid,
            token_type=token.type,
            evse_number=plug.evse_number,
            connector_number=connector_number,
        ),
        party_id=plug.party_id,
        station_id=plug.station_id,
        requested_by=f"driver:{who.driver_id}" if who is not None else "guest",
        timeout_s=_ANSWERS_WITHIN_S,
    )


def is_under_way(command: Command) -> bool:
    """Whether a session may come of it: the station said that it will, or has not said anything yet."""
    return command.status in ("accepted", "sent", "sending", "timed_out")


def _uid(kind: str) -> str:
    return f"{kind}-" + "".join(secrets.choice(_LETTERS) for _n in range(_LENGTH))
