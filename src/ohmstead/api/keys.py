"""/api-keys and /me: who may come in, and who you are."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts import access, service
from ohmstead.accounts.access import ADMIN
from ohmstead.accounts.model import ApiKey
from ohmstead.accounts.parties import service as parties
from ohmstead.api.operations import ApiRequest, TheActor, ThePool, answer, expected_version, operation
from ohmstead.doorway import WITHIN


class NewApiKey(Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to be. It can do no more than its maker."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Meta(min_length=1, max_length=50, description=", ".join(access.ACTIONS))]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    location_ids: (
        Annotated[list[UUID], Meta(max_length=1000, description="Only what is at these; null: all that you see.")]
        | None
    ) = None


class ApiKeyChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What of a key can be changed. What it may do cannot: make another one."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]


class CreatedApiKey(Struct, frozen=True, kw_only=True):
    """A key just made; `secret` is what goes after `Bearer`, and is told this once."""

    key: ApiKey
    secret: str


class ApiKeys(Struct):
    """All keys, revoked ones too, newest first."""

    items: list[ApiKey]


class Me(Struct, frozen=True, kw_only=True):
    """Who you are to Ohmstead, and what you may do."""

    actor_id: str
    name: str
    party_id: UUID
    role: str | None
    actions: list[str]
    location_ids: Annotated[list[UUID] | None, Meta(description="You see only what is at these; null: everything.")]
    owns_installation: Annotated[bool, Meta(description="Your party runs this installation.")]


@get("/me", opt=operation(None) | WITHIN)
async def get_me(actor: TheActor) -> Response[Me]:
    """Read who you are and what you may do."""
    return answer(
        Me(
            actor_id=actor.actor_id,
            name=actor.name,
            party_id=actor.party_id,
            role=actor.role,
            actions=sorted(actor.actions),
            location_ids=None if actor.locations is None else list(actor.locations),
            owns_installation=actor.owns_installation,
        )
    )


@get("/api-keys", opt=operation(ADMIN))
async def list_api_keys(pool: ThePool, actor: TheActor) -> Response[ApiKeys]:
    """List API keys."""
    async with pool.acquire() as conn:
        return answer(ApiKeys(await service.list_api_keys(conn, actor.party_id)))


@post("/api-keys", opt=operation(ADMIN, errors=(409,)) | {"needs_proof": True})
async def create_api_key(pool: ThePool, actor: TheActor, given: NamedDependency[NewApiKey]) -> Response[CreatedApiKey]:
    """Make an API key. The key itself is shown only here."""
    async with pool.acquire() as conn, conn.transaction():
        if given.location_ids is not None:
            await parties.check_locations(conn, actor.party_id, given.location_ids)
        key, secret = await service.create_api_key(
            conn,
            actor,
            name=given.name,
            scopes=given.scopes,
            expires_at=given.expires_at,
            location_ids=given.location_ids,
        )
    where = {"Location": f"/api/v1/api-keys/{key.api_key_id}"}
    return answer(CreatedApiKey(key=key, secret=secret), status=201, version=key.version, headers=where)


@get("/api-keys/{api_key_id:uuid}", opt=operation(ADMIN, errors=(404,)))
async def get_api_key(pool: ThePool, actor: TheActor, api_key_id: FromPath[UUID]) -> Response[ApiKey]:
    """Read an API key's name, scopes and use."""
    async with pool.acquire() as conn:
        key = await service.get_api_key(conn, actor.party_id, api_key_id)
    return answer(key, version=key.version)


@patch("/api-keys/{api_key_id:uuid}", opt=operation(ADMIN, errors=(404,), takes_if_match=True))
async def change_api_key(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    api_key_id: FromPath[UUID],
    given: NamedDependency[ApiKeyChange],
) -> Response[ApiKey]:
    """Rename an API key."""
    async with pool.acquire() as conn, conn.transaction():
        key = await service.rename_api_key(conn, actor, api_key_id, given.name, expected_version(request))
    return answer(key, version=key.version)


@delete("/api-keys/{api_key_id:uuid}", opt=operation(ADMIN, errors=(404,)))
async def revoke_api_key(pool: ThePool, actor: TheActor, api_key_id: FromPath[UUID]) -> None:
    """Revoke an API key. It opens nothing from now on, and stays on record."""
    async with pool.acquire() as conn, conn.transaction():
        await service.revoke_api_key(conn, actor, api_key_id)


HANDLERS = [get_me, list_api_keys, create_api_key, get_api_key, change_api_key, revoke_api_key]
