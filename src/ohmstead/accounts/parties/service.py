"""The parties of an installation, and people who work for several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.model import Operator, Role
from ohmstead.accounts.parties import store
from ohmstead.accounts.parties.model import Guest, Membership, NewMembership, NewParty, PartyChange, PartyView
from ohmstead.accounts.people import service as people
from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id, new_secret

MAKE = "parties:write"
_TAKEN = "another party has this country and code"

list_parties = store.list_parties
list_guests = store.list_guests
list_memberships = store.list_memberships
get_person = people.get_person


def scope_of(party: PartyView) -> Scope:
    """All that is the party's."""
    return Scope(party.party_id)


async def get_party(conn: Connection, party_id: UUID) -> PartyView:
    """Raises NotFound."""
    party = await store.find_party(conn, party_id)
    if party is None:
        raise NotFound(f"no party {party_id}")
    return party


async def create(conn: Connection, actor: Actor, given: NewParty) -> tuple[PartyView, Operator | None, str | None]:
    """A new party, its first owner and the secret of the link that lets them in, when one is named.

    Raises NotAllowed, Invalid and Conflict.
    """
    access.require(actor, MAKE)
    _check_zone(given.time_zone)
    if (given.owner_name is None) != (given.owner_email is None):
        raise Invalid("an owner has a name and an address", field="owner_email" if given.owner_name else "owner_name")
    party_id = new_id()
    if not await store.insert_party(conn, party_id, msgspec.structs.asdict(given)):
        raise Conflict(_TAKEN, field="party_code")
    detail: dict[str, object] = {"name": given.name, "kind": given.kind}
    await accounts.audit(conn, actor, "party.created", f"party/{party_id}", detail)
    owner: Operator | None = None
    secret: str | None = None
    if given.owner_name is not None and given.owner_email is not None:
        there = access.system(party_id, actor.name)
        owner, secret = await people.invite(conn, there, name=given.owner_name, email=given.owner_email, role="owner")
    return await get_party(conn, party_id), owner, secret


async def change(
    conn: Connection, actor: Actor, party_id: UUID, given: PartyChange, if_version: int | None = None
) -> PartyView:
    """Of one's own party, or of another by the installation's owner. Raises NotFound, NotAllowed, Invalid, Conflict."""
    if party_id != actor.party_id and not access.may(actor, MAKE):
        raise NotFound(f"no party {party_id}")
    if party_id == actor.party_id:
        access.require(actor, access.ADMIN)
    before = msgspec.structs.asdict(await get_party(conn, party_id))
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    values = {name: value for name, value in values.items() if before[name] != value}
    if "kind" in values:
        access.require(actor, MAKE)
    if "time_zone" in values:
        _check_zone(values["time_zone"])
    if not values and if_version in (None, before["version"]):
        return await get_party(conn, party_id)
    done = await store.update_party(conn, party_id, values, if_version) if values else False
    if done is None:
        raise Conflict(_TAKEN, field="party_code")
    if not done:
        raise Conflict("somebody changed the party since you read it", is_stale=True)
    noted: dict[str, object] = {name: {"before": before[name], "after": value} for name, value in values.items()}
    await _note(conn, actor, party_id, "party.changed", f"party/{party_id}", noted)
    return await get_party(conn, party_id)


async def lend(conn: Connection, actor: Actor, party_id: UUID, operator_id: UUID, given: NewMembership) -> list[Guest]:
    """Let somebody of another party work for this one too; again: with another role or elsewhere.

    Only for the installation's owner, who knows both. Raises NotAllowed, NotFound, Invalid and Refused.
    """
    access.require(actor, MAKE)
    await get_party(conn, party_id)
    home = await store.find_home(conn, operator_id)
    if home is None:
        raise NotFound(f"no operator {operator_id}")
    if home == party_id:
        raise Refused("this is their own party: their role there is on its page People")
    places = await _checked(conn, party_id, given.role, given.location_ids)
    await store.upsert_membership(conn, party_id, operator_id, given.role, places, actor.actor_id)
    detail: dict[str, object] = {"party_id": str(party_id), "role": given.role, "location_ids": _texts(places)}
    await _note(conn, actor, party_id, "membership.given", f"operator/{operator_id}", detail)
    return await list_guests(conn, party_id)


async def find_by_email(conn: Connection, actor: Actor, email: str) -> UUID:
    """Somebody of the installation by their address. Raises NotAllowed and NotFound."""
    access.require(actor, MAKE)
    found = await store.find_by_email(conn, email.strip())
    if found is None:
        raise NotFound("nobody has this address")
    return found


async def withdraw(conn: Connection, actor: Actor, party_id: UUID, operator_id: UUID) -> None:
    """Somebody of another party works for this one no longer; their browsers are back in their own at once.

    For the installation's owner, and for who keeps the party's people. Raises NotAllowed and NotFound.
    """
    if party_id != actor.party_id:
        access.require(actor, MAKE)
    if not await store.delete_membership(conn, party_id, operator_id):
        raise NotFound(f"no guest {operator_id}")
    detail: dict[str, object] = {"party_id": str(party_id)}
    await _note(conn, actor, party_id, "membership.withdrawn", f"operator/{operator_id}", detail)


async def give_locations(
    conn: Connection, actor: Actor, operator_id: UUID, location_ids: Sequence[UUID] | None
) -> Operator:
    """Where one of the party's own people may do what their role says; None: everywhere. It counts at once.

    Raises NotFound, Invalid, and Refused for oneself, for owners, and for who may do more than the actor.
    """
    found = await people.get_person(conn, actor.party_id, operator_id)
    if actor.operator_id == operator_id:
        raise Refused("your own locations are for another owner to change")
    people.check_giving(actor, found.role)
    places = await _checked(conn, actor.party_id, found.role, location_ids)
    changed = await store.set_locations(conn, actor.party_id, operator_id, places)
    if changed is None:
        raise Refused("an owner sees every location: give another role first")
    detail: dict[str, object] = {"location_ids": _texts(places)}
    await accounts.audit(conn, actor, "operator.locations_changed", f"operator/{operator_id}", detail)
    return changed


async def check_locations(conn: Connection, party_id: UUID, location_ids: Sequence[UUID]) -> None:
    """Raises Invalid when one of these is not the party's."""
    if not await store.are_locations_of(conn, party_id, location_ids):
        raise Invalid("one of these is no location of the party", field="location_ids")


async def switch(conn: Connection, actor: Actor, party_id: UUID) -> Membership:
    """Work for another of one's parties in this browser from now on. Raises NotFound."""
    if actor.operator_id is None or actor.web_session_id is None:
        raise NotFound(f"no party {party_id}")
    for one in await list_memberships(conn, actor.operator_id):
        if one.party_id == party_id:
            await store.switch(conn, None if one.is_home else party_id, actor.web_session_id, new_secret(24))
            await accounts.audit(
                conn,
                msgspec.structs.replace(actor, party_id=party_id),
                "operator.switched",
                f"operator/{actor.operator_id}",
                {"from": str(actor.party_id)},
            )
            return one
    raise NotFound(f"no party {party_id}")


async def _note(
    conn: Connection, actor: Actor, party_id: UUID, action: str, thing: str, detail: dict[str, object]
) -> None:
    """Into the log of the party whose it is, and of the actor's where that is another."""
    for one in sorted({actor.party_id, party_id}):
        await accounts.audit(conn, msgspec.structs.replace(actor, party_id=one), action, thing, detail)


async def _checked(
    conn: Connection, party_id: UUID, role: Role, location_ids: Sequence[UUID] | None
) -> list[UUID] | None:
    if location_ids is None:
        return None
    if role == "owner":
        raise Refused("an owner sees every location: give another role first")
    await check_locations(conn, party_id, location_ids)
    return sorted(set(location_ids))


def _texts(places: list[UUID] | None) -> Any:
    return None if places is None else [str(one) for one in places]


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("not a time zone, such as Europe/Amsterdam", field="time_zone") from error
