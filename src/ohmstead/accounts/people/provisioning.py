"""People and groups as a directory keeps them (SCIM, providers): who is there, who is not, and what groups give."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.model import Operator, Role
from ohmstead.accounts.people import service as people
from ohmstead.accounts.people import store
from ohmstead.accounts.people.model import Group, Kept
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id

# Who is in no group that means something may sign in and do nothing.
NO_ROLE: Role = "api"


async def create(conn: Connection, actor: Actor, kept: Kept) -> Operator:
    """A person whom the directory has. One who was invited before under the same address is taken over. Raises Conflict."""
    _check(kept)
    if await store.find_by_user_name(conn, actor.party_id, kept.user_name) is not None:
        raise Conflict(f"there is a user {kept.user_name!r} already", field="userName")
    known = await store.find_by_email(conn, actor.party_id, kept.email) if kept.email else None
    if known is not None and known.user_name is None:
        return await replace(conn, actor, known.operator_id, kept)
    operator = Operator(
        operator_id=new_id(),
        party_id=actor.party_id,
        name=kept.name,
        email=kept.email,
        role=NO_ROLE,
        created_at=clock.now(),
        disabled_at=None if kept.is_active else clock.now(),
        user_name=kept.user_name,
        external_id=kept.external_id,
        is_provisioned=True,
    )
    if not await store.insert_operator(conn, actor.party_id, operator):
        raise Conflict("somebody has this e-mail address or user name already", field="emails")
    thing = f"operator/{operator.operator_id}"
    await accounts.audit(conn, actor, "operator.provisioned", thing, {"user_name": kept.user_name})
    return operator


async def replace(conn: Connection, actor: Actor, operator_id: UUID, kept: Kept) -> Operator:
    """A person as the directory has them now; who is no longer active is out at once. Raises NotFound and Conflict."""
    _check(kept)
    owners = await store.lock_owners(conn, actor.party_id)
    found = await store.find_operator(conn, actor.party_id, operator_id, for_update=True)
    if found is None:
        raise NotFound(f"no user {operator_id}")
    other = await store.find_by_user_name(conn, actor.party_id, kept.user_name)
    if other is not None and other.operator_id != operator_id:
        raise Conflict(f"there is a user {kept.user_name!r} already", field="userName")
    if kept.email and await store.is_email_taken(conn, kept.email, operator_id):
        raise Conflict("somebody has this e-mail address already", field="emails")
    if not kept.is_active and owners == [operator_id]:
        raise Refused("this is the last owner: nobody could let anybody in again")
    changed = msgspec.structs.replace(
        found,
        name=kept.name,
        email=kept.email,
        user_name=kept.user_name,
        external_id=kept.external_id,
        is_provisioned=True,
        disabled_at=None if kept.is_active else (found.disabled_at or clock.now()),
    )
    if changed == found:
        return found
    await store.update_operator(conn, actor.party_id, changed)
    detail: dict[str, object] = {"user_name": kept.user_name, "is_active": kept.is_active}
    await accounts.audit(conn, actor, "operator.provisioned", f"operator/{operator_id}", detail)
    if not kept.is_active:
        await accounts.end_sessions(conn, actor, operator_id)
    return changed


async def deactivate(conn: Connection, actor: Actor, operator_id: UUID) -> None:
    """The directory no longer has the person: disabled and signed out; what they did stays theirs. Raises NotFound."""
    found = await store.find_operator(conn, actor.party_id, operator_id)
    if found is None or found.user_name is None:
        raise NotFound(f"no user {operator_id}")
    owners = await store.lock_owners(conn, actor.party_id)
    if owners == [operator_id]:
        raise Refused("this is the last owner: nobody could let anybody in again")
    gone = msgspec.structs.replace(
        found, user_name=None, external_id=None, disabled_at=found.disabled_at or clock.now()
    )
    await store.update_operator(conn, actor.party_id, gone)
    for _, group in await store.list_groups_of(conn, actor.party_id, [operator_id]):
        await store.change_members(conn, actor.party_id, group.group_id, [], [operator_id])
    await accounts.audit(conn, actor, "operator.disabled", f"operator/{operator_id}", {"by": "directory"})
    await accounts.end_sessions(conn, actor, operator_id)


async def get(conn: Connection, party_id: UUID, operator_id: UUID) -> Operator:
    """Raises NotFound, also for people whom no directory keeps."""
    found = await store.find_operator(conn, party_id, operator_id)
    if found is None or found.user_name is None:
        raise NotFound(f"no user {operator_id}")
    return found


def _check(kept: Kept) -> None:
    people.named(kept.name)
    if kept.email is not None:
        people.email_of(kept.email)
    if not kept.user_name.strip() or len(kept.user_name) > 254 or not kept.user_name.isprintable():
        raise Invalid("a user name of up to 254 characters", "userName")


# ------------------------------------------------------------------------------------------------------------ groups


async def create_group(
    conn: Connection, actor: Actor, name: str, external_id: str | None, members: Sequence[UUID]
) -> Group:
    """A group of the directory. It means nothing until an owner gives it a role. Raises Conflict."""
    now = clock.now()
    group = Group(
        group_id=new_id(),
        party_id=actor.party_id,
        name=_group_name(name),
        external_id=external_id,
        role=None,
        created_at=now,
        changed_at=now,
    )
    if not await store.insert_group(conn, actor.party_id, group):
        raise Conflict(f"there is a group {name!r} already", field="displayName")
    await accounts.audit(conn, actor, "group.created", f"group/{group.group_id}", {"name": group.name})
    await change_members(conn, actor, group.group_id, add=members, remove=())
    return group


async def rename_group(conn: Connection, actor: Actor, group_id: UUID, name: str, external_id: str | None) -> Group:
    """Raises NotFound and Conflict."""
    found = await _group(conn, actor, group_id)
    changed = msgspec.structs.replace(found, name=_group_name(name), external_id=external_id, changed_at=clock.now())
    if not await store.update_group(conn, actor.party_id, changed):
        raise Conflict(f"there is a group {name!r} already", field="displayName")
    return changed


async def give_role(conn: Connection, actor: Actor, group_id: UUID, role: Role | None) -> Group:
    """What the group's members may do from now on. Raises Refused for more, now or before, than the actor may do."""
    found = await _group(conn, actor, group_id)
    for one in (found.role, role):
        if one is not None:
            people.check_giving(actor, one)
    changed = msgspec.structs.replace(found, role=role, changed_at=clock.now())
    await store.update_group(conn, actor.party_id, changed)
    detail: dict[str, object] = {"name": found.name, "before": found.role, "after": role}
    await accounts.audit(conn, actor, "group.role_changed", f"group/{group_id}", detail)
    members = await store.list_members(conn, actor.party_id, [group_id])
    await settle_roles(conn, actor, [operator_id for _, operator_id, _ in members])
    return changed


async def change_members(
    conn: Connection, actor: Actor, group_id: UUID, *, add: Sequence[UUID], remove: Sequence[UUID]
) -> None:
    """Members come and go, and their roles with it. Raises NotFound, and Invalid for members who are nobody here."""
    await _group(conn, actor, group_id)
    for operator_id in add:
        if await store.find_operator(conn, actor.party_id, operator_id) is None:
            raise Invalid(f"there is no user {operator_id}", "members")
    await store.change_members(conn, actor.party_id, group_id, add, remove)
    if add or remove:
        detail: dict[str, object] = {"added": [str(one) for one in add], "removed": [str(one) for one in remove]}
        await accounts.audit(conn, actor, "group.members_changed", f"group/{group_id}", detail)
    await settle_roles(conn, actor, [*add, *remove])


async def delete_group(conn: Connection, actor: Actor, group_id: UUID) -> None:
    """Its members lose what it gave. Raises NotFound."""
    members = await store.list_members(conn, actor.party_id, [group_id])
    if not await store.delete_group(conn, actor.party_id, group_id):
        raise NotFound(f"no group {group_id}")
    await accounts.audit(conn, actor, "group.deleted", f"group/{group_id}")
    await settle_roles(conn, actor, [operator_id for _, operator_id, _ in members])


async def settle_roles(conn: Connection, actor: Actor, operator_ids: Sequence[UUID]) -> None:
    """Give people the weightiest role of their groups; the last owner stays one."""
    given: dict[UUID, list[str]] = {operator_id: [] for operator_id in operator_ids}
    for operator_id, group in await store.list_groups_of(conn, actor.party_id, list(given)):
        if group.role is not None:
            given[operator_id].append(group.role)
    for operator_id, roles in given.items():
        await set_role(conn, actor, operator_id, access.weightiest(roles) or NO_ROLE)


async def set_role(conn: Connection, actor: Actor, operator_id: UUID, role: str) -> None:
    """What a directory says of one person; it counts at once, in browsers that are signed in too."""
    owners = await store.lock_owners(conn, actor.party_id)
    found = await store.find_operator(conn, actor.party_id, operator_id, for_update=True)
    if found is None or found.role == role or not found.is_provisioned:
        return
    if owners == [operator_id]:
        return  # nobody could let anybody in again
    changed = msgspec.convert(msgspec.structs.asdict(found) | {"role": role}, Operator)
    await store.update_operator(conn, actor.party_id, changed)
    detail: dict[str, object] = {"before": found.role, "after": role, "by": "directory"}
    await accounts.audit(conn, actor, "operator.role_changed", f"operator/{operator_id}", detail)


async def _group(conn: Connection, actor: Actor, group_id: UUID) -> Group:
    found = await store.find_group(conn, actor.party_id, group_id, for_update=True)
    if found is None:
        raise NotFound(f"no group {group_id}")
    return found


def _group_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 200 or not name.isprintable():
        raise Invalid("a name of up to 200 characters", "displayName")
    return name


list_operators = store.list_operators
list_groups = store.list_groups
list_groups_of = store.list_groups_of
list_members = store.list_members
find_group = store.find_group
find_by_email = store.find_by_email
find_by_identity = store.find_by_identity
find_party_by_code = store.find_party_by_code
has_identity = store.has_identity
insert_identity = store.insert_identity
insert_operator = store.insert_operator
