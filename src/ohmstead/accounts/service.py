"""Signing in, web sessions, API keys and the audit log.

Secrets are random (at least 192 bits), so one round of SHA-256 keeps them: there is nothing to guess that would make a
slow hash worth its time on every request.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.accounts import access, store
from ohmstead.accounts.access import Actor
from ohmstead.accounts.audit.changes import changed
from ohmstead.accounts.model import ApiKey, Operator, Party, WebSession
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id, new_secret

LINK_VALID_S = 30 * 60
# A browser stays signed in while it is used at least weekly, and at most for a month.
SESSION_IDLE_S = 7 * 86400
SESSION_LONGEST_S = 30 * 86400
KEY_PREFIX = "ohm_"
_TOUCH_EVERY = timedelta(minutes=1)


class SignedIn(Struct, frozen=True, kw_only=True):
    """A fresh web session: `cookie` goes to the browser and is kept nowhere else."""

    cookie: str
    csrf_token: str
    expires_at: datetime
    operator: Operator


class Recognised(Struct, frozen=True, kw_only=True):
    """A browser that is signed in: who it is, and what unsafe requests must carry."""

    actor: Actor
    csrf_token: str


def digest(secret: str) -> bytes:
    """What is kept of a secret that we made."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def ensure_first_operator(conn: Connection, *, currency: str = "EUR", time_zone: str = "UTC") -> Operator:
    """The first owner, made with a party of its own when there is nobody yet. Wants the caller's transaction."""
    await store.lock_first_party(conn)
    found = await store.find_first_operator(conn)
    if found is not None:
        return found
    party = Party(
        party_id=new_id(),
        name="Ohmstead",
        country_code="XX",
        party_code="OHM",
        currency=currency,
        time_zone=time_zone,
        owns_installation=True,
    )
    operator = Operator(
        operator_id=new_id(), party_id=party.party_id, name="Owner", email=None, role="owner", created_at=clock.now()
    )
    await store.insert_party(conn, party)
    await store.insert_operator(conn, operator)
    await audit(conn, access.system(party.party_id), "operator.created", f"operator/{operator.operator_id}")
    return operator


async def has_signed_in(conn: Connection, operator_id: UUID) -> bool:
    """Has this operator ever used a sign-in link?"""
    return await store.has_used_link(conn, operator_id)


async def new_sign_in_link(
    conn: Connection, operator_id: UUID, valid_s: float = LINK_VALID_S, by: Actor | None = None
) -> str:
    """The secret of a link that signs this operator in once within `valid_s` seconds. Raises NotFound."""
    operator = await store.find_operator(conn, operator_id)
    if operator is None or operator.disabled_at is not None:
        raise NotFound(f"no operator {operator_id}")
    secret = new_secret()
    now = clock.now()
    await store.insert_link(conn, digest(secret), operator_id, now, now + timedelta(seconds=valid_s))
    await audit(conn, by or access.system(operator.party_id), "sign_in_link.created", f"operator/{operator_id}")
    return secret


async def redeem_sign_in_link(
    conn: Connection, secret: str, *, remote_address: str | None = None, user_agent: str | None = None
) -> SignedIn:
    """Turn a link into a web session, once. Raises Refused when the link is unknown, used or over (which, is not told)."""
    operator = await store.use_link(conn, digest(secret), clock.now())
    if operator is None:
        raise Refused("this sign-in link was used already, is over, or was never given out")
    return await open_session(conn, operator, "link", remote_address=remote_address, user_agent=user_agent)


async def open_session(
    conn: Connection,
    operator: Operator,
    method: str,
    *,
    remote_address: str | None = None,
    user_agent: str | None = None,
    provider: str | None = None,
    id_token: str | None = None,
    detail: dict[str, object] | None = None,
) -> SignedIn:
    """A fresh web session of somebody who has just shown who they are, by `method`; noted in the audit log."""
    cookie, csrf_token = new_secret(32), new_secret(24)
    now = clock.now()
    expires_at = now + timedelta(seconds=SESSION_IDLE_S)
    session = WebSession(
        web_session_id=new_id(),
        operator_id=operator.operator_id,
        created_at=now,
        last_seen_at=now,
        expires_at=expires_at,
        remote_address=remote_address,
        user_agent=user_agent[:300] if user_agent else None,
        method=method,
        proved_at=now,
        provider=provider,
    )
    await store.insert_web_session(conn, session, digest(cookie), csrf_token, id_token)
    actor = actor_of(operator, remote_address)
    noted: dict[str, object] = {"method": method, **(detail or {})}
    await audit(conn, actor, "operator.signed_in", f"operator/{operator.operator_id}", noted)
    return SignedIn(cookie=cookie, csrf_token=csrf_token, expires_at=expires_at, operator=operator)


async def renew_session(conn: Connection, actor: Actor) -> SignedIn:
    """A fresh cookie for a browser whose person has just proved who they are; the old one opens nothing. Raises NotFound.

    The token of forms stays: those that are open in other tabs must not lose what was typed.
    """
    operator = await store.find_operator(conn, actor.operator_id) if actor.operator_id else None
    if operator is None or actor.web_session_id is None:
        raise NotFound("no such web session")
    cookie = new_secret(32)
    row = await store.renew_web_session(conn, actor.web_session_id, digest(cookie), clock.now())
    if row is None:
        raise NotFound("no such web session")
    await audit(conn, actor.at_home, "operator.proved", f"operator/{operator.operator_id}")
    return SignedIn(cookie=cookie, csrf_token=row["csrf_token"], expires_at=row["expires_at"], operator=operator)


async def recognise_cookie(conn: Connection, cookie: str, remote_address: str | None = None) -> Recognised | None:
    """Who a browser's cookie belongs to; its expiry slides, written at most once a minute."""
    now = clock.now()
    cookie_hash = digest(cookie)
    row = await store.find_web_session(conn, cookie_hash, now)
    if row is None:
        return None
    if now - row["last_seen_at"] >= _TOUCH_EVERY:
        last = row["created_at"] + timedelta(seconds=SESSION_LONGEST_S)
        await store.touch_web_session(conn, cookie_hash, now, min(last, now + timedelta(seconds=SESSION_IDLE_S)))
    actor = msgspec.structs.replace(
        _operator_actor(
            row["operator_id"], row["name"], row["party_id"], row["role"], row["location_ids"], remote_address
        ),
        home_party_id=row["home_party_id"],
        owns_installation=row["owns_installation"],
        web_session_id=row["web_session_id"],
        proved_at=row["proved_at"],
    )
    return Recognised(actor=actor, csrf_token=row["csrf_token"])


class SignedOut(Struct, frozen=True, kw_only=True):
    """A session that is over: the provider that it came from, and that one's word for it."""

    provider: str | None
    id_token: str | None


async def sign_out(conn: Connection, cookie: str) -> SignedOut | None:
    """End the browser's session; None when it was over already."""
    row = await store.delete_web_session_by_cookie(conn, digest(cookie))
    return SignedOut(provider=row["provider"], id_token=row["id_token"]) if row else None


async def list_web_sessions(conn: Connection, operator_id: UUID) -> list[WebSession]:
    """The operator's signed-in browsers, last seen first."""
    return await store.list_web_sessions(conn, operator_id, clock.now())


async def revoke_web_session(conn: Connection, actor: Actor, operator_id: UUID, web_session_id: UUID) -> None:
    """Sign a browser out. Raises NotFound."""
    actor = await _looking_after(conn, actor, operator_id)
    if not await store.delete_web_session(conn, operator_id, web_session_id):
        raise NotFound("no such web session")
    detail: dict[str, object] = {"web_session_id": str(web_session_id)}
    await audit(conn, actor, "web_session.revoked", f"operator/{operator_id}", detail)


async def end_sessions(conn: Connection, actor: Actor, operator_id: UUID, *, but: UUID | None = None) -> int:
    """Sign the operator's browsers out, all but one when `but` names it; returns how many. Raises NotFound."""
    actor = await _looking_after(conn, actor, operator_id)
    n = await store.delete_web_sessions(conn, operator_id, but)
    if n:
        await audit(conn, actor, "web_sessions.ended", f"operator/{operator_id}", {"n": n})
    return n


async def _looking_after(conn: Connection, actor: Actor, operator_id: UUID) -> Actor:
    """The actor in the party that keeps an account: the one they act for, or, of their own account, their own.

    Raises NotFound for the account of somebody else's people.
    """
    acting = actor.at_home if operator_id == actor.operator_id else actor
    operator = await store.find_operator(conn, operator_id)
    if operator is None or operator.party_id != acting.party_id:
        raise NotFound(f"no operator {operator_id}")
    return acting


async def create_api_key(
    conn: Connection,
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    location_ids: Sequence[UUID] | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is told this once. Raises Invalid, or Refused for scopes the actor has not itself.

    `location_ids`: it reaches only what belongs to these; None: all that its maker does.
    """
    if not name.strip():
        raise Invalid("a key needs a name", field="name")
    if not scopes:
        raise Invalid("a key needs at least one scope", field="scopes")
    if unknown := access.unknown_scopes(scopes):
        raise Invalid(f"unknown scope: {', '.join(unknown)}; there are {', '.join(access.ACTIONS)}", field="scopes")
    if beyond := access.beyond(actor, scopes):
        raise Refused(f"you cannot give what you may not do yourself: {', '.join(beyond)}")
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise Invalid("the key would be over before it is made", field="expires_at")
    secret = KEY_PREFIX + new_secret(32)
    key = ApiKey(
        api_key_id=new_id(),
        name=name.strip(),
        key_start=secret[:10],
        scopes=sorted(set(scopes)),
        created_at=now,
        created_by=actor.actor_id,
        expires_at=expires_at,
        location_ids=_within(actor, location_ids),
    )
    await store.insert_api_key(conn, actor.party_id, key, digest(secret))
    await audit(conn, actor, "api_key.created", f"api_key/{key.api_key_id}", {"name": key.name, "scopes": key.scopes})
    return key, secret


def _within(actor: Actor, location_ids: Sequence[UUID] | None) -> list[UUID] | None:
    if location_ids is None:
        return None if actor.locations is None else list(actor.locations)
    if not all(actor.scope.holds(one) for one in location_ids):
        raise Invalid("one of these is no location of yours", field="location_ids")
    return sorted(set(location_ids))


async def recognise_key(conn: Connection, secret: str, remote_address: str | None = None) -> Actor | None:
    """Who a bearer key belongs to; None when it is unknown, over or revoked."""
    if not secret.startswith(KEY_PREFIX) or len(secret) > 200:
        return None
    now = clock.now()
    row = await store.find_api_key(conn, digest(secret), now)
    if row is None:
        return None
    if row["last_used_at"] is None or now - row["last_used_at"] >= _TOUCH_EVERY:
        await store.touch_api_key(conn, row["api_key_id"], now, remote_address)
    return Actor(
        actor_id=f"key:{row['api_key_id']}",
        name=row["name"],
        party_id=row["party_id"],
        actions=frozenset(row["scopes"]),
        locations=None if row["location_ids"] is None else tuple(row["location_ids"]),
        owns_installation=row["owns_installation"],
        remote_address=remote_address,
    )


async def is_current(conn: Connection, actor: Actor) -> bool:
    """Whether somebody who was let in a while ago, and listens since, would be let in as the same again.

    Not once their session or key is over, they are disabled, or they work for another party, have another role or see
    other locations.
    """
    now = clock.now()
    if actor.web_session_id is not None:
        row = await store.find_web_session_by_id(conn, actor.web_session_id, now)
        if row is None:
            return False
        today = _operator_actor(
            row["operator_id"], row["name"], row["party_id"], row["role"], row["location_ids"], actor.remote_address
        )
        return (today.scope, today.role) == (actor.scope, actor.role)
    return await is_at_work(conn, actor.party_id, actor.actor_id)


async def is_at_work(conn: Connection, party_id: UUID, actor_id: str) -> bool:
    """Whether somebody may still act for a party: a person who is neither disabled nor lent no longer, a key that is good."""
    kind, _, known = actor_id.partition(":")
    if kind == "operator":
        return await store.works_for(conn, party_id, UUID(known))
    if kind == "key":
        key = await store.find_api_key_by_id(conn, party_id, UUID(known))
        return key is not None and _is_good(key, clock.now())
    return True


def _is_good(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


async def list_api_keys(conn: Connection, party_id: UUID) -> list[ApiKey]:
    """All keys of a party, revoked ones too, newest first."""
    return await store.list_api_keys(conn, party_id)


async def list_keys_of(conn: Connection, party_id: UUID, operator_id: UUID) -> list[ApiKey]:
    """Keys that are good and that somebody made, or that such a key made: they go on when the person is out."""
    keys, now = await list_api_keys(conn, party_id), clock.now()
    makers = {f"key:{key.api_key_id}": key.created_by for key in keys}

    def is_theirs(key: ApiKey) -> bool:
        maker = key.created_by
        while maker in makers:
            maker = makers[maker]
        return maker == f"operator:{operator_id}"

    return [key for key in keys if _is_good(key, now) and is_theirs(key)]


async def get_api_key(conn: Connection, party_id: UUID, api_key_id: UUID) -> ApiKey:
    """Raises NotFound."""
    key = await store.find_api_key_by_id(conn, party_id, api_key_id)
    if key is None:
        raise NotFound(f"no API key {api_key_id}")
    return key


async def person_behind(conn: Connection, party_id: UUID, actor_id: str) -> str:
    """Who made a key, or made the key that made it, and so on; whoever is no key is behind themselves. Raises NotFound."""
    while actor_id.startswith("key:"):
        actor_id = (await get_api_key(conn, party_id, UUID(actor_id.removeprefix("key:")))).created_by
    return actor_id


async def revoke_api_key(conn: Connection, actor: Actor, api_key_id: UUID) -> ApiKey:
    """The key opens nothing from now on; one that was revoked before stays so. Raises NotFound."""
    is_new = await store.revoke_api_key(conn, actor.party_id, api_key_id, clock.now())
    key = await get_api_key(conn, actor.party_id, api_key_id)
    if is_new:
        was, now = {"revoked_at": None}, {"revoked_at": key.revoked_at}
        await audit(conn, actor, "api_key.revoked", f"api_key/{api_key_id}", {"name": key.name}, before=was, after=now)
    return key


async def rename_api_key(
    conn: Connection, actor: Actor, api_key_id: UUID, name: str, expected_version: int | None = None
) -> ApiKey:
    """Call it otherwise. Raises NotFound, Invalid for no name, Conflict (`is_stale`) when it is of another version by now."""
    if not name.strip():
        raise Invalid("a key needs a name", field="name")
    was = await get_api_key(conn, actor.party_id, api_key_id)
    if not await store.rename_api_key(conn, actor.party_id, api_key_id, name.strip(), expected_version):
        raise Conflict("somebody changed the key meanwhile", is_stale=True)
    key = await get_api_key(conn, actor.party_id, api_key_id)
    before, after = {"name": was.name}, {"name": key.name}
    await audit(conn, actor, "api_key.renamed", f"api_key/{api_key_id}", before=before, after=after)
    return key


async def audit(
    conn: Connection,
    actor: Actor,
    action: str,
    thing: str,
    detail: dict[str, object] | None = None,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write down who did what, in the transaction that does it. `thing` names the object as `kind/id`; no secrets.

    `before` and `after`: fields of what was changed; those of `after` that differ are kept, secret ones blotted out. The
    entry becomes a link of the party's chain as the transaction commits (docs/adr/0014-audit-chain.md).
    """
    changes = changed(before or {}, after or {})
    await store.insert_audit_entry(
        conn, actor.party_id, actor.actor_id, action, thing, detail or {}, changes, actor.remote_address
    )


async def audit_many(
    conn: Connection,
    actor: Actor,
    action: str,
    things: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]],
) -> None:
    """The same action on many objects, one entry for each: the object with its fields before and after."""
    changes = [changed(before, after) for before, after in things.values()]
    await store.insert_audit_entries(
        conn, actor.party_id, actor.actor_id, action, list(things), changes, actor.remote_address
    )


async def get_party(conn: Connection, party_id: UUID) -> Party:
    """Raises NotFound."""
    party = await store.find_party(conn, party_id)
    if party is None:
        raise NotFound(f"no party {party_id}")
    return party


def actor_of(operator: Operator, remote_address: str | None = None) -> Actor:
    """The operator as somebody who acts, for their own party."""
    return _operator_actor(
        operator.operator_id,
        operator.name,
        operator.party_id,
        operator.role,
        operator.location_ids,
        remote_address,
    )


def _operator_actor(
    operator_id: UUID,
    name: str,
    party_id: UUID,
    role: str,
    location_ids: Sequence[UUID] | None,
    remote_address: str | None,
) -> Actor:
    # Who hosts sites sees these; one that nobody named yet is no reason to show all.
    is_host = role == "site_host"
    return Actor(
        actor_id=f"operator:{operator_id}",
        name=name,
        party_id=party_id,
        actions=access.for_role(role),
        role=role,
        locations=tuple(location_ids or ()) if is_host or location_ids is not None else None,
        remote_address=remote_address,
    )


# ------------------------------------------------------------------------------------- answers to repeated requests


async def claim_request(
    conn: Connection, party_id: UUID, key: str, fingerprint: bytes, *, stale_after: timedelta, kept_for: timedelta
) -> bool:
    """Be the one who carries out the request with this key; False when another did, or does just now."""
    now = clock.now()
    return await store.claim_request(conn, party_id, key, fingerprint, now, now - stale_after, now - kept_for)


find_request = store.find_request
finish_request = store.finish_request
forget_request = store.forget_request


async def drop_old_requests(conn: Connection, kept_for: timedelta = timedelta(days=1)) -> int:
    """Forget answers older than `kept_for`; returns how many."""
    return await store.drop_requests(conn, clock.now() - kept_for)
