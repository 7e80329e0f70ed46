"""/tokens: who may charge."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    TheBus,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
    table_body,
)
from ohmstead.api.stations import MAX_TABLE_BYTES
from ohmstead.core.db import Connection, trial
from ohmstead.core.events import NUDGE
from ohmstead.core.workbooks import MEDIA_TYPE as XLSX
from ohmstead.reports.people import queries as people
from ohmstead.reports.people.queries import TokenUsage
from ohmstead.tokens import queries
from ohmstead.tokens.queries import Sort, TokenFilter, TokenView
from ohmstead.tokens.register import many
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.many import ManyReport, ManyTokens
from ohmstead.tokens.register.service import NewToken, TokenChange, TokenReport


class TokenQuery(TokenFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of tokens."""

    sort: Annotated[Sort, Meta(description="By what; with - before it, downwards.")] = "uid"
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv sends everything that matches as a table.")] = None


class ImportQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How to take a table of tokens in."""

    dry_run: Annotated[bool, Meta(description="Report what would happen, and change nothing.")] = False
    all_or_none: Annotated[bool, Meta(description="Change nothing unless every row is good.")] = False


class ManyQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How to change many tokens."""

    dry_run: Annotated[bool, Meta(description="Report what would happen, and change nothing.")] = False


@get("/tokens", opt=operation("tokens:read", exports=(CSV, NDJSON)))
async def list_tokens(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[TokenQuery]
) -> Response[Page[TokenView]]:
    """List tokens."""
    order = queries.order_of(filters.sort)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[TokenView]:
        return await queries.list_tokens(conn, actor.party_id, filters, filters.sort, after=after, limit=limit)

    keyset = Keyset(item=TokenView, type=tuple[order.column.type, UUID], of=order.key_of)  # type: ignore[name-defined]
    return await listed(request, pool, keyset, fetch, filters, name="tokens")


@post("/tokens", opt=operation("tokens:write", errors=(409,)))
async def create_token(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewToken]
) -> Response[TokenView]:
    """Create a token."""
    async with pool.acquire() as conn, conn.transaction():
        token = await register.create_token(conn, actor, given)
    await bus.publish(NUDGE, {})
    return answer(token, status=201, version=token.version, headers={"Location": f"/api/v1/tokens/{token.token_id}"})


@post(
    "/tokens/bulk",
    status_code=200,
    request_max_body_size=MAX_TABLE_BYTES,
    opt=operation("tokens:write", takes=CSV, also_takes=(XLSX,)),
)
async def import_tokens(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, filters: NamedDependency[ImportQuery]
) -> Response[TokenReport]:
    """Create and update many tokens from a table: CSV, or an XLSX workbook's sheet `Tokens`, else its first.

    Good rows count even when others fail, unless `all_or_none`. The same table a second time changes nothing.
    """
    data = await table_body(request)
    async with pool.acquire() as conn, trial(conn, is_kept=not filters.dry_run):
        report = await register.import_tokens(conn, actor, data, all_or_none=filters.all_or_none)
    report.is_dry_run = filters.dry_run
    report.is_kept = report.is_kept and not filters.dry_run
    if report.is_kept:
        await bus.publish(NUDGE, {})
    return answer(report)


@post("/tokens/many", status_code=200, opt=operation("tokens:write"))
async def change_tokens(
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    given: NamedDependency[ManyTokens],
    filters: NamedDependency[ManyQuery],
) -> Response[ManyReport]:
    """Block, unblock, give to a driver or put into a group: many tokens in one step, all or none of them.

    Tokens that cannot be changed are left out with the reason; they do not hinder the others.
    """
    async with pool.acquire() as conn, trial(conn, is_kept=not filters.dry_run):
        report = await many.change_many(conn, actor, given)
    report.is_dry_run = filters.dry_run
    if not filters.dry_run:
        await bus.publish(NUDGE, {})
    return answer(report)


@get("/tokens/{token_id:uuid}", opt=operation("tokens:read", errors=(404,)))
async def get_token(pool: ThePool, actor: TheActor, token_id: FromPath[UUID]) -> Response[TokenView]:
    """Read a token."""
    async with pool.acquire() as conn:
        token = await queries.get_token(conn, actor.party_id, token_id)
    return answer(token, version=token.version)


@get("/tokens/{token_id:uuid}/usage", opt=operation("tokens:read", errors=(404,)))
async def get_token_usage(pool: ThePool, actor: TheActor, token_id: FromPath[UUID]) -> Response[TokenUsage]:
    """Read what was charged with a token, and where it was refused. Sessions: `/sessions?token=`."""
    async with pool.acquire() as conn:
        token = await queries.get_token(conn, actor.party_id, token_id)
        return answer(await people.token_usage(conn, actor.party_id, token.uid))


@patch("/tokens/{token_id:uuid}", opt=operation("tokens:write", errors=(404,), takes_if_match=True))
async def change_token(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    token_id: FromPath[UUID],
    given: NamedDependency[TokenChange],
) -> Response[TokenView]:
    """Change a token. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        token = await register.change_token(conn, actor, token_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(token, version=token.version)


@post(
    "/tokens/{token_id:uuid}/block",
    status_code=200,
    opt=operation("tokens:write", errors=(404,), takes_if_match=True),
)
async def block_token(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, token_id: FromPath[UUID]
) -> Response[TokenView]:
    """Block a token: it begins no more sessions."""
    return await _given_status(request, pool, bus, actor, token_id, "blocked")


@post(
    "/tokens/{token_id:uuid}/unblock",
    status_code=200,
    opt=operation("tokens:write", errors=(404,), takes_if_match=True),
)
async def unblock_token(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, token_id: FromPath[UUID]
) -> Response[TokenView]:
    """Let a blocked token charge again."""
    return await _given_status(request, pool, bus, actor, token_id, "active")


async def _given_status(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    token_id: UUID,
    status: Literal["active", "blocked"],
) -> Response[TokenView]:
    async with pool.acquire() as conn, conn.transaction():
        token = await register.set_status(conn, actor, token_id, status, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(token, version=token.version)


@delete("/tokens/{token_id:uuid}", opt=operation("tokens:write", errors=(404,), takes_if_match=True))
async def delete_token(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, token_id: FromPath[UUID]
) -> None:
    """Delete a token. Its sessions stay."""
    async with pool.acquire() as conn, conn.transaction():
        await register.delete_token(conn, actor, token_id, expected_version(request))
    await bus.publish(NUDGE, {})


HANDLERS = [
    list_tokens,
    create_token,
    import_tokens,
    change_tokens,
    get_token,
    get_token_usage,
    change_token,
    block_token,
    unblock_token,
    delete_token,
]
