"""/ledger: accounts with their balances, what was posted to them, months that are closed."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct, field

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.billing import verifying
from ohmstead.billing.ledger import queries
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import AccountKind, month_of
from ohmstead.billing.ledger.model import LedgerAccount, LedgerLock, LedgerPosting, NewLedgerLock
from ohmstead.billing.ledger.queries import AccountFilter
from ohmstead.billing.verifying import BookVerdict
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE

ACCOUNTS = Keyset(item=LedgerAccount, type=tuple[str, str], of=lambda account: (account.code, account.currency))
# What the database's columns can hold: a cursor with more is not one of ours.
_Place = tuple[Annotated[int, Meta(ge=0, le=2**63 - 1)], Annotated[int, Meta(ge=0, le=32767)]]
POSTINGS = Keyset(item=LedgerPosting, type=_Place, of=lambda posting: (posting.number, posting.position))
LOCKS = Keyset(item=LedgerLock, type=date, of=lambda lock: month_of(lock.month))


class AccountQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of accounts."""

    kind: Annotated[AccountKind | None, Meta(description="Of this kind.")] = None
    code: Annotated[str, Meta(description="Whose code begins so: `tax:NL`.", max_length=200)] | None = None
    currency: Annotated[str, Meta(description="In this currency.", min_length=3, max_length=3)] | None = None
    on: Annotated[date | None, Meta(description="Balances at the end of this day; null: of all that is booked.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class PostingQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of an account's entries."""

    since: Annotated[date | None, Meta(description="Booked on this day or later.")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="Booked before this day.")] = field(default=None, name="to")
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/ledger/accounts", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_ledger_accounts(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[AccountQuery]
) -> Response[Page[LedgerAccount]]:
    """List the accounts of the ledger by code, each with its balance. All balances of a currency add up to nothing."""
    wanted = AccountFilter(kind=filters.kind, code=filters.code, currency=filters.currency, until=filters.on)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[LedgerAccount]:
        return await queries.list_accounts(conn, actor.party_id, wanted, after=after, limit=limit)

    return await listed(request, pool, ACCOUNTS, fetch, filters, name="ledger-accounts")


@get(
    "/ledger/accounts/{account_id:uuid}/entries",
    opt=operation("billing:read", errors=(404,), exports=(CSV, NDJSON)),
)
async def list_ledger_entries(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    account_id: FromPath[UUID],
    filters: NamedDependency[PostingQuery],
) -> Response[Page[LedgerPosting]]:
    """List what was posted to an account, the latest entry first."""
    async with pool.acquire() as conn:
        await queries.get_account(conn, actor.party_id, account_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[LedgerPosting]:
        return await queries.list_postings(
            conn,
            actor.party_id,
            account_id,
            since=filters.since,
            until=filters.until,
            before=after,
            limit=limit,
        )

    return await listed(request, pool, POSTINGS, fetch, filters, name=f"ledger-{account_id}")


@get("/ledger/locks", opt=operation("billing:read"))
async def list_ledger_locks(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[LedgerLock]]:
    """List the months that are closed, latest first; each closed all before it, too."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[LedgerLock]:
        return await queries.list_locks(conn, actor.party_id, before=after, limit=limit)

    return await listed(request, pool, LOCKS, fetch, filters)


@post("/ledger/locks", status_code=201, opt=operation("billing:write", errors=(409,)) | {"needs_proof": True})
async def lock_ledger(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewLedgerLock]
) -> Response[LedgerLock]:
    """Close a month that is over, and all before it. Nothing is booked in it any more; there is no way back."""
    async with pool.acquire() as conn, conn.transaction():
        made = await ledger.lock(conn, actor, given.month)
    await bus.publish(NUDGE, {})
    return answer(made, status=201)


@get("/ledger/verdict", opt=operation("billing:read", errors=(409,)))
async def get_ledger_verdict(pool: ThePool, actor: TheActor) -> Response[BookVerdict]:
    """Reckon all of the books anew, as they are now, and read what is wrong: nothing should be.

    Refused for books of more than 100,000 entries: `ohmstead ledger verify` has all the time.
    """
    async with pool.acquire() as conn:
        return answer(await verifying.verify(conn, actor.party_id, most=verifying.MOST_AT_ONCE))


HANDLERS = [list_ledger_accounts, list_ledger_entries, list_ledger_locks, lock_ledger, get_ledger_verdict]
