"""/audit-log: who did what, and what was before and after."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from ohmstead.accounts.access import ADMIN
from ohmstead.accounts.audit import queries, service
from ohmstead.accounts.audit.chain import Fault
from ohmstead.accounts.audit.queries import AuditFilter
from ohmstead.accounts.model import AuditEntry
from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.core.db import Connection

KEYSET = Keyset(item=AuditEntry, type=tuple[datetime, int], of=lambda entry: (entry.at, entry.entry_id))


class AuditQuery(Struct, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """The query of the audit log."""

    object: Annotated[str, Meta(description="About this, as `station/CS-1`.", max_length=200)] | None = None
    actor: Annotated[str, Meta(description="By this one, as `key:<id>` or `system`.", max_length=200)] | None = None
    action: (
        Annotated[str, Meta(description="`station.changed`, or `station.` for all of stations.", max_length=100)] | None
    ) = None
    q: Annotated[str, Meta(description="Anywhere in the entry, upper and lower case alike.", max_length=200)] | None = (
        None
    )
    since: Annotated[datetime, Meta(tz=True, description="Not before.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Before.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class AuditVerdict(Struct, frozen=True, kw_only=True):
    """Whether the log is whole. Note `head_number` and `head_hash` outside: with them a log that was rewritten shows."""

    is_whole: bool
    n_entries: int
    head_number: Annotated[int, Meta(description="The last entry's place in the chain; 0 when there is none.")]
    head_hash: str
    faults: Annotated[list[Fault], Meta(description="What is wrong, in the order of the chain; the first hundred.")]


@get("/audit-log", opt=operation(ADMIN, exports=(CSV, NDJSON)))
async def list_audit_log(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[AuditQuery]
) -> Response[Page[AuditEntry]]:
    """List who did what, newest first.

    Every entry carries what is needed to check the chain outside: `hash` is SHA-256 over `previous_hash` in hexadecimal,
    a newline, and `content`.
    """
    only = AuditFilter(
        **{name: getattr(filters, name) for name in ("object", "actor", "action", "q", "since", "until")}
    )

    async def fetch(conn: Connection, after: Any, limit: int) -> list[AuditEntry]:
        return await queries.list_entries(conn, actor.party_id, only, before=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="audit-log")


@get("/audit-log/verdict", opt=operation(ADMIN))
async def get_audit_verdict(pool: ThePool, actor: TheActor) -> Response[AuditVerdict]:
    """Check the whole chain: what was altered, deleted, inserted or moved since it was written."""
    async with pool.acquire() as conn:
        verdict = await service.verify(conn, actor.party_id)
    return answer(
        AuditVerdict(
            is_whole=not verdict.faults,
            n_entries=verdict.n_entries,
            head_number=verdict.head.number,
            head_hash=verdict.head.hash.hex(),
            faults=verdict.faults,
        )
    )


HANDLERS = [list_audit_log, get_audit_verdict]
