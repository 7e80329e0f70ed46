"""With what tokens and drivers pay, as people set it. The edge opens the transaction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.companies import queries as companies
from ohmstead.billing.paying import store
from ohmstead.billing.paying.covering import cover_of
from ohmstead.billing.paying.model import (
    Cover,
    Method,
    NewPayingMethod,
    PayingMethod,
    PayingPartner,
    PayingPolicy,
    PayingPolicyChange,
    SessionCover,
)
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.wallets import service as wallets
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

_MOST = Decimal(100_000)


async def method_of(
    conn: Connection, party_id: UUID, *, token_id: UUID | None = None, driver_id: UUID | None = None
) -> PayingMethod:
    """With what a token pays, or a driver whatever token they show; who owes is `refused`. Raises NotFound."""
    known, kind = None, None
    if token_id is not None:
        token = await store.find_token(conn, party_id, token_id)
        if token is None:
            raise NotFound(f"no token {token_id}")
        driver_id, kind = token["driver_id"], token["type"]
        known = (await store.look_up(conn, [party_id], [token_id], [kind])).get(0)
    elif driver_id is not None:
        known = await store.look_up_driver(conn, party_id, driver_id)
    cover = cover_of(known.asked) if known is not None else Cover(kind="invoice", source="policy")
    return PayingMethod(
        kind=cover.kind,
        source=cover.source,
        ref=cover.ref,
        name=await _name(conn, party_id, driver_id, cover),
        token_id=token_id,
        driver_id=driver_id,
    )


async def set_method(
    conn: Connection,
    actor: Actor,
    given: NewPayingMethod,
    *,
    token_id: UUID | None = None,
    driver_id: UUID | None = None,
) -> PayingMethod:
    """With what a token, or a driver, pays from now on; sessions that began stay as they are. A wallet is opened with it.

    Raises NotFound, Invalid for a card that is not the driver's or a company that is not there, Refused for a token that
    nobody holds.
    """
    holder = await _holder(conn, actor.party_id, token_id, driver_id)
    method = await _checked(conn, actor, given, holder)
    await store.ensure_policy(conn, actor.party_id)
    await store.set_method(
        conn,
        actor.party_id,
        token_id=token_id,
        driver_id=driver_id if token_id is None else None,
        method=method,
        at=clock.now(),
        by=actor.actor_id,
    )
    thing = f"token/{token_id}" if token_id is not None else f"driver/{driver_id}"
    detail: dict[str, object] = {"kind": method.kind, **({"ref": method.ref} if method.ref else {})}
    await accounts.audit(conn, actor, "paying_method.set", thing, detail)
    return await method_of(conn, actor.party_id, token_id=token_id, driver_id=driver_id)


async def unset_method(
    conn: Connection, actor: Actor, *, token_id: UUID | None = None, driver_id: UUID | None = None
) -> None:
    """No word of their own any more: the next rule counts. Raises NotFound."""
    if not await store.delete_method(conn, actor.party_id, token_id, driver_id if token_id is None else None):
        raise NotFound("nothing was set")
    thing = f"token/{token_id}" if token_id is not None else f"driver/{driver_id}"
    await accounts.audit(conn, actor, "paying_method.unset", thing)


async def _holder(conn: Connection, party_id: UUID, token_id: UUID | None, driver_id: UUID | None) -> UUID | None:
    if token_id is not None:
        token = await store.find_token(conn, party_id, token_id)
        if token is None:
            raise NotFound(f"no token {token_id}")
        holder: UUID | None = token["driver_id"]
        return holder
    if driver_id is None or not await store.is_driver(conn, party_id, driver_id):
        raise NotFound(f"no driver {driver_id}")
    return driver_id


async def _checked(conn: Connection, actor: Actor, given: NewPayingMethod, holder: UUID | None) -> Method:
    needs = {"card": "method_id", "company": "company_id", "partner": "partner"}
    for kind, name in needs.items():
        if (getattr(given, name) is not None) != (given.kind == kind):
            raise Invalid(f"goes with {kind}", field=name)
    if given.kind in ("wallet", "card") and holder is None:
        raise Refused("nobody holds this token: give it to a driver first", code="no_driver")
    if given.kind == "wallet":
        assert holder is not None
        await wallets.open_wallet(conn, actor, holder)
    if given.kind == "card":
        assert holder is not None
        if all(one.method_id != given.method_id for one in await payments.list_methods(conn, actor.party_id, holder)):
            raise Invalid("the driver has no such stored card", field="method_id")
        return Method(kind="card", ref=str(given.method_id))
    if given.kind == "company":
        assert given.company_id is not None
        company = await companies.find_company(conn, actor.party_id, given.company_id)
        if company is None or company.status == "ended":
            raise Invalid("no such company", field="company_id")
        return Method(kind="company", ref=str(given.company_id))
    return Method(kind=given.kind, ref=given.partner)


async def _name(conn: Connection, party_id: UUID, driver_id: UUID | None, cover: Cover) -> str:
    if cover.ref is None:
        return ""
    if cover.kind == "card" and driver_id is not None:
        cards = await payments.list_methods(conn, party_id, driver_id)
        return next((f"{one.brand} {one.last4}".strip() for one in cards if str(one.method_id) == cover.ref), "")
    if cover.kind in ("company", "partner"):
        return await store.name_of(conn, party_id, cover.kind, cover.ref)
    return ""


async def policy_of(conn: Connection, party_id: UUID) -> PayingPolicy:
    """How a party is paid; what counts without a word from it, where it said none."""
    return await store.find_policy(conn, party_id) or PayingPolicy(party_id=party_id)


async def change_policy(
    conn: Connection, actor: Actor, given: PayingPolicyChange, if_version: int | None = None
) -> PayingPolicy:
    """Raises Invalid, Conflict when it is not in the version `if_version`."""
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    for name, least in (("hold_amount", Decimal("0.01")), ("least_credit", Decimal(0))):
        value, most = values.get(name), _MOST
        if value is not None and not (least <= value <= most and value == round(value, 3)):
            raise Invalid(f"from {least} to {most}, with at most 3 decimals", field=name)
    before = await policy_of(conn, actor.party_id)
    if if_version is not None and if_version != before.version:
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await store.ensure_policy(conn, actor.party_id)
    if values and not await store.change_policy(conn, actor.party_id, values, if_version or None):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    was = {name: _plain(getattr(before, name)) for name in values}
    now = {name: _plain(value) for name, value in values.items()}
    await accounts.audit(conn, actor, "paying_policy.changed", f"party/{actor.party_id}", before=was, after=now)
    return await policy_of(conn, actor.party_id)


async def list_partners(conn: Connection, party_id: UUID) -> list[PayingPartner]:
    """Whose contracts are billed to whom."""
    return await store.list_partners(conn, party_id)


async def put_partner(conn: Connection, actor: Actor, given: PayingPartner) -> list[PayingPartner]:
    """Contracts that begin so are paid for by that partner from now on. Raises Invalid."""
    named = msgspec.structs.replace(given, name=checked(given.name, "name"))
    if not named.name:
        raise Invalid("may not be empty", field="name")
    await store.ensure_policy(conn, actor.party_id)
    await store.put_partner(conn, actor.party_id, named)
    detail: dict[str, object] = {"partner": given.partner, "name": named.name}
    await accounts.audit(conn, actor, "paying_partner.set", f"partner/{given.prefix}", detail)
    return await store.list_partners(conn, actor.party_id)


async def remove_partner(conn: Connection, actor: Actor, prefix: str) -> None:
    """Raises NotFound."""
    if not await store.delete_partner(conn, actor.party_id, prefix):
        raise NotFound(f"no partner pays for contracts that begin {prefix}")
    await accounts.audit(conn, actor, "paying_partner.removed", f"partner/{prefix}")


async def cover_of_session(conn: Connection, party_id: UUID, session_id: UUID) -> SessionCover | None:
    """Who pays for a session; None where nothing in particular was set up when it began."""
    return (await store.list_covers(conn, party_id, [session_id])).get(session_id)


async def limit_of_session(conn: Connection, party_id: UUID, session_id: UUID) -> Money | None:
    """What is held for a session now, of whatever covers it; None: nothing is."""
    held = (await store.list_guests(conn, [session_id])).get(session_id)
    if held is not None:
        return held
    cover = await cover_of_session(conn, party_id, session_id)
    if cover is None or cover.limit_amount is None or cover.currency is None:
        return None
    return Money(cover.limit_amount, cover.currency)


async def get_cover(conn: Connection, party_id: UUID, session_id: UUID) -> SessionCover:
    """The same; where nothing in particular was set up, it is on account. Raises NotFound for no session of theirs."""
    found = await cover_of_session(conn, party_id, session_id)
    if found is not None:
        return found
    if not await store.starts_of(conn, party_id, [session_id]):
        raise NotFound(f"no session {session_id}")
    return SessionCover(
        session_id=session_id,
        party_id=party_id,
        kind="invoice",
        ref=None,
        source="policy",
        driver_id=None,
        limit_amount=None,
        currency=None,
    )


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
