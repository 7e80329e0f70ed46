"""Whom a provider vouches for: found, made just in time, given the role of their groups, or turned away."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.model import Operator, Role
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.people import service as people
from ohmstead.accounts.providers.model import Provider, Vouched
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.ids import new_id


def role_of(provider: Provider, groups: Sequence[str]) -> Role | None:
    """The weightiest role that these groups give; else the provider's default."""
    found = access.weightiest(provider.groups[group] for group in groups if group in provider.groups)
    return msgspec.convert(found, Role) if found else provider.default_role


async def admit(conn: Connection, provider: Provider, vouched: Vouched) -> Operator:
    """The operator that it is, with today's role. Raises Refused for whoever has no place here."""
    party_id = await provisioning.find_party_by_code(conn, provider.party)
    if party_id is None:
        raise Refused("the provider's party does not exist here")
    found = await provisioning.find_by_identity(conn, provider.name, vouched.subject)
    if found is not None and found.party_id != party_id:
        raise Refused("this person belongs to another party")
    if found is None:
        found = await _linked(conn, provider, vouched, party_id)
    if found is not None and found.disabled_at is not None:
        raise Refused("this account is disabled")
    role = role_of(provider, vouched.groups)
    if role is None and found is not None and not found.is_provisioned:
        return found  # invited by name: the provider says who they are, not what they may do
    if role is None and found is not None and await provisioning.list_groups_of(conn, party_id, [found.operator_id]):
        return found  # a directory gives the role
    if role is None:
        raise Refused("none of your groups has a role here")
    system = access.system(party_id)
    if found is None:
        return await _made(conn, provider, vouched, party_id, role)
    if not await provisioning.list_groups_of(conn, party_id, [found.operator_id]):
        await provisioning.set_role(conn, system, found.operator_id, role)
    return await people.get_person(conn, party_id, found.operator_id)


async def _linked(conn: Connection, provider: Provider, vouched: Vouched, party_id: UUID) -> Operator | None:
    """Somebody known by the same address, who from now on is this person at the provider."""
    if not provider.links_by_email or not vouched.is_email_verified or not vouched.email:
        return None
    found = await provisioning.find_by_email(conn, party_id, vouched.email)
    if found is None:
        return None
    if await provisioning.has_identity(conn, provider.name, found.operator_id):
        # Addresses are given to others when people go; who somebody is at the provider stays theirs (OpenID Connect Core §5.7).
        raise Refused(
            "somebody else at the provider signs in here with your address: ask an owner to reset that account"
        )
    await provisioning.insert_identity(conn, provider.name, vouched.subject, found.operator_id, clock.now())
    detail: dict[str, object] = {"provider": provider.name}
    await accounts.audit(conn, access.system(party_id), "provider.linked", f"operator/{found.operator_id}", detail)
    return found


async def _made(conn: Connection, provider: Provider, vouched: Vouched, party_id: UUID, role: Role) -> Operator:
    if not provider.creates_people:
        raise Refused("nobody has invited you")
    try:
        email = people.email_of(vouched.email) if vouched.email and vouched.is_email_verified else None
        name = people.named((vouched.name or email or vouched.subject)[:100])
    except Invalid as error:
        raise Refused(f"what the provider says of you does not fit: {error.text}") from error
    operator = Operator(
        operator_id=new_id(),
        party_id=party_id,
        name=name,
        email=email,
        role=role,
        created_at=clock.now(),
        is_provisioned=True,
    )
    if not await provisioning.insert_operator(conn, party_id, operator):
        raise Refused("somebody else has your e-mail address here")
    if not await provisioning.insert_identity(conn, provider.name, vouched.subject, operator.operator_id, clock.now()):
        raise Refused("you are signing in twice at once: try again")
    detail: dict[str, object] = {"provider": provider.name, "role": role}
    system = access.system(party_id)
    await accounts.audit(conn, system, "operator.provisioned", f"operator/{operator.operator_id}", detail)
    return operator
