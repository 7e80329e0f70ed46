"""A driver's PIN for stations' keypads: a token of type KeyCode, drawn by us, told once. The edge opens the transaction."""

from __future__ import annotations

import secrets
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, NotFound, Refused
from ohmstead.drivers import queries
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter, TokenView
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.service import NewToken

KIND: Final = "KeyCode"
# With a lock after five wrong ones a station, guessing one of a thousand drivers' takes years.
DIGITS: Final = 8
_TRIES: Final = 20


class DriverPin(Struct, frozen=True, kw_only=True):
    """That a driver has a PIN, and since when."""

    driver_id: UUID
    token_id: Annotated[UUID, Meta(description="The token that it is.")]
    is_blocked: bool
    set_at: datetime


class NewPin(Struct, frozen=True, kw_only=True):
    """A PIN, told this once."""

    driver_id: UUID
    token_id: UUID
    pin: Annotated[str, Meta(description="What the driver types at stations' keypads.")]


async def find_pin(conn: Connection, party_id: UUID, driver_id: UUID) -> DriverPin | None:
    """None where the driver has none."""
    found = await _of(conn, party_id, driver_id)
    if not found:
        return None
    one = found[0]
    return DriverPin(
        driver_id=driver_id, token_id=one.token_id, is_blocked=one.status == "blocked", set_at=one.created_at
    )


async def reset_pin(conn: Connection, actor: Actor, driver_id: UUID) -> NewPin:
    """A new PIN instead of the one before, which is good no more; nobody else of the party has it.

    Raises NotFound, Refused for a driver who is blocked or erased.
    """
    driver = await queries.get_driver(conn, actor.party_id, driver_id)
    if driver.status != "active":
        raise Refused("this driver is blocked or erased", code="driver_blocked")
    for before in await _of(conn, actor.party_id, driver_id):
        await register.delete_token(conn, actor, before.token_id)
    for _ in range(_TRIES):
        pin = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        if _is_plain(pin):
            continue
        try:
            given = NewToken(
                uid=pin,
                type=KIND,
                label="PIN",
                driver_id=driver_id,
                group_uid=driver.group_uid,
                language=driver.language,
            )
            made = await register.create_token(conn, actor, given)
        except Conflict:
            continue
        await accounts.audit(conn, actor, "driver.pin_set", f"driver/{driver_id}")
        return NewPin(driver_id=driver_id, token_id=made.token_id, pin=pin)
    raise Conflict("no free PIN was found: try again", code="taken")


async def remove_pin(conn: Connection, actor: Actor, driver_id: UUID) -> None:
    """The driver has none any more. Raises NotFound."""
    found = await _of(conn, actor.party_id, driver_id)
    if not found:
        raise NotFound("the driver has no PIN")
    for one in found:
        await register.delete_token(conn, actor, one.token_id)
    await accounts.audit(conn, actor, "driver.pin_removed", f"driver/{driver_id}")


async def _of(conn: Connection, party_id: UUID, driver_id: UUID) -> list[TokenView]:
    return await tokens.list_tokens(conn, party_id, TokenFilter(type=KIND, driver=driver_id), "-created")


def _is_plain(pin: str) -> bool:
    """What people try first: one digit again and again, or counting up or down."""
    steps = {int(b) - int(a) for a, b in pairwise(pin)}
    return len(set(pin)) < 3 or steps in ({1}, {-1})
