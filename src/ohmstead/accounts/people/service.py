"""The people of a party: invited, given roles, disabled, and helped back in."""

from __future__ import annotations

import re
from typing import Final, cast
from uuid import UUID

import msgspec

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.model import Operator, Role
from ohmstead.accounts.people import store
from ohmstead.accounts.people.model import Group, Person
from ohmstead.accounts.signin import service as signin
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id

INVITATION_VALID_S: Final = 7 * 86400
_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f<>\",;:()\[\]\\]+@[^\s@\x00-\x1f<>\",;:()\[\]\\]+\.[^\s@.]{2,}")


async def list_people(conn: Connection, party_id: UUID) -> list[Person]:
    """Everybody of the party, those who are disabled last."""
    return await store.list_people(conn, party_id, clock.now())


async def get_person(conn: Connection, party_id: UUID, operator_id: UUID) -> Operator:
    """Raises NotFound."""
    found = await store.find_operator(conn, party_id, operator_id)
    if found is None:
        raise NotFound(f"no operator {operator_id}")
    return found


async def invite(conn: Connection, actor: Actor, *, name: str, email: str, role: str) -> tuple[Operator, str]:
    """A new operator, and the secret of the link that lets them in once within a week. Raises Invalid and Conflict."""
    check_giving(actor, role)
    operator = Operator(
        operator_id=new_id(),
        party_id=actor.party_id,
        name=named(name),
        email=email_of(email),
        role=cast(Role, role),
        created_at=clock.now(),
    )
    if not await store.insert_operator(conn, actor.party_id, operator):
        raise Conflict("somebody has this e-mail address already", field="email")
    detail: dict[str, object] = {"name": operator.name, "role": role}
    await accounts.audit(conn, actor, "operator.invited", f"operator/{operator.operator_id}", detail)
    return operator, await accounts.new_sign_in_link(conn, operator.operator_id, INVITATION_VALID_S, actor)


async def change_role(conn: Connection, actor: Actor, operator_id: UUID, role: str) -> Operator:
    """Raises Refused for one's own role, for the last owner's, and for one that a directory gives."""
    owners = await store.lock_owners(conn, actor.party_id)
    found = await _other(conn, actor, operator_id, "your own role is for another owner to change")
    check_giving(actor, role)
    check_giving(actor, found.role)
    if found.role == role:
        return found
    if found.is_provisioned and await store.list_groups_of(conn, actor.party_id, [operator_id]):
        raise Refused("a directory gives this person's role, through its groups: change what the group gives")
    if owners == [operator_id]:
        raise Refused("this is the last owner: make somebody else one first")
    changed = msgspec.structs.replace(found, role=cast(Role, role))
    await store.update_operator(conn, actor.party_id, changed)
    detail: dict[str, object] = {"before": found.role, "after": role}
    await accounts.audit(conn, actor, "operator.role_changed", f"operator/{operator_id}", detail)
    return changed


async def disable(conn: Connection, actor: Actor, operator_id: UUID) -> Operator:
    """They are out at once, everywhere. Raises Refused for oneself and for the last owner."""
    owners = await store.lock_owners(conn, actor.party_id)
    found = await _other(conn, actor, operator_id, "you cannot disable yourself")
    check_giving(actor, found.role)
    if owners == [operator_id]:
        raise Refused("this is the last owner: make somebody else one first")
    if found.disabled_at is not None:
        return found
    changed = msgspec.structs.replace(found, disabled_at=clock.now())
    await store.update_operator(conn, actor.party_id, changed)
    await accounts.audit(conn, actor, "operator.disabled", f"operator/{operator_id}")
    await accounts.end_sessions(conn, actor, operator_id)
    return changed


async def enable(conn: Connection, actor: Actor, operator_id: UUID) -> Operator:
    """They may sign in again, with what they had."""
    found = await _other(conn, actor, operator_id, "you are not disabled")
    check_giving(actor, found.role)
    if found.disabled_at is None:
        return found
    changed = msgspec.structs.replace(found, disabled_at=None)
    await store.update_operator(conn, actor.party_id, changed)
    await accounts.audit(conn, actor, "operator.enabled", f"operator/{operator_id}")
    return changed


async def reset(conn: Connection, actor: Actor, operator_id: UUID) -> str:
    """For who lost everything: their passkeys, password and codes are gone, their browsers signed out.

    Gives the secret of a link that lets them in once within a week. Raises Refused for oneself.
    """
    found = await _other(conn, actor, operator_id, "your own passkeys and password are on your account page")
    check_giving(actor, found.role)
    if found.disabled_at is not None:
        raise Refused("this person is disabled: enable them first")
    await signin.forget_factors(conn, operator_id)
    await accounts.audit(conn, actor, "operator.reset", f"operator/{operator_id}")
    await accounts.end_sessions(conn, actor, operator_id)
    return await accounts.new_sign_in_link(conn, operator_id, INVITATION_VALID_S, actor)


async def end_sessions(conn: Connection, actor: Actor, operator_id: UUID) -> int:
    """Sign somebody out everywhere; returns how many browsers that were. Raises NotFound."""
    await get_person(conn, actor.party_id, operator_id)
    return await accounts.end_sessions(conn, actor, operator_id)


async def change_self(conn: Connection, actor: Actor, *, name: str, email: str) -> Operator:
    """One's own name and address. Raises Invalid, and Conflict when the address is somebody's."""
    if actor.operator_id is None:
        raise NotFound("no such operator")
    found = await store.find_operator(conn, actor.home, actor.operator_id, for_update=True)
    if found is None:
        raise NotFound("no such operator")
    if found.is_provisioned:
        raise Refused("a directory keeps your name and address: change them there")
    changed = msgspec.structs.replace(found, name=named(name), email=email_of(email))
    if changed.email and await store.is_email_taken(conn, changed.email, found.operator_id):
        raise Conflict("somebody has this e-mail address already", field="email")
    await store.update_operator(conn, actor.home, changed)
    detail: dict[str, object] = {"before": [found.name, found.email], "after": [changed.name, changed.email]}
    await accounts.audit(conn, actor.at_home, "operator.changed", f"operator/{found.operator_id}", detail)
    return changed


async def set_second_person(conn: Connection, actor: Actor, is_needed: bool) -> None:
    """Whether orders to many stations wait for somebody else's approval. Raises NotAllowed."""
    access.require(actor, access.ADMIN)
    party = await accounts.get_party(conn, actor.party_id)
    if party.needs_second_person == is_needed:
        return
    await store.set_second_person(conn, actor.party_id, is_needed)
    detail: dict[str, object] = {"before": party.needs_second_person, "after": is_needed}
    await accounts.audit(conn, actor, "party.second_person", f"party/{actor.party_id}", detail)


async def list_groups(conn: Connection, party_id: UUID) -> list[Group]:
    """The directory's groups, by name."""
    return (await store.list_groups(conn, party_id))[0]


def named(name: str) -> str:
    """A person's name as it is kept. Raises Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise Invalid("a name of up to 100 characters", "name")
    return name


def email_of(text: str) -> str:
    """An e-mail address as it is kept. Raises Invalid."""
    text = text.strip()
    if len(text) > 254 or _EMAIL.fullmatch(text) is None or not text.isprintable():
        raise Invalid("an e-mail address such as ada@example.com", "email")
    return text


def check_giving(actor: Actor, role: str) -> None:
    """Nobody gives, or takes from somebody, more than they have. Raises Invalid for no role, and Refused."""
    if role not in access.ROLES:
        raise Invalid(f"there are {', '.join(access.ROLES)}", "role")
    if beyond := access.beyond(actor, access.for_role(role)):
        raise Refused(f"this role may do what you may not: {', '.join(beyond)}")


async def _other(conn: Connection, actor: Actor, operator_id: UUID, text: str) -> Operator:
    found = await store.find_operator(conn, actor.party_id, operator_id, for_update=True)
    if found is None:
        raise NotFound(f"no operator {operator_id}")
    if actor.operator_id == operator_id:
        raise Refused(text)
    return found
