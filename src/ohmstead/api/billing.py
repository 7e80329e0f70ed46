"""/cdrs and /unbillable-sessions: what sessions cost, once and for all, and those for which nothing is due yet."""

from datetime import datetime
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
    TheActor,
    TheBus,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.billing.cdrs import ocpi, queries
from ohmstead.billing.cdrs import service as cdrs
from ohmstead.billing.cdrs.model import (
    Cdr,
    CdrCredit,
    CdrKind,
    CreditOrder,
    DecidedSession,
    Decision,
    Reason,
    ReduceOrder,
    UnbillableDecision,
    UnbillableSession,
)
from ohmstead.billing.cdrs.ocpi import OcpiCdr
from ohmstead.billing.cdrs.queries import CdrFilter, UnbillableFilter
from ohmstead.billing.refunds import service as refunds
from ohmstead.billing.refunds.model import Reduced, RefundPreview
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.doorway import WITHIN
from ohmstead.sessions.signed import service as signed

KEYSET = Keyset(item=Cdr, type=tuple[datetime, UUID], of=lambda cdr: (cdr.created_at, cdr.cdr_id))
UNBILLABLE = Keyset(
    item=UnbillableSession, type=tuple[datetime, UUID], of=lambda session: (session.found_at, session.session_id)
)


class CdrQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of CDRs."""

    session: Annotated[UUID | None, Meta(description="Of this session.")] = None
    location: Annotated[UUID | None, Meta(description="Of sessions at this location.")] = None
    station: Annotated[str, Meta(description="Of sessions on this station.", max_length=48)] | None = None
    token: Annotated[str, Meta(description="Of the token with this uid.", max_length=255)] | None = None
    customer: Annotated[str, Meta(description="`driver:<id>`, `token:<id>` or `nobody`.", max_length=80)] | None = None
    kind: Annotated[CdrKind | None, Meta(description="Charges or credits only.")] = None
    currency: Annotated[str, Meta(description="In this currency.", min_length=3, max_length=3)] | None = None
    since: Annotated[datetime, Meta(description="Made at or after.", tz=True)] | None = field(default=None, name="from")
    until: Annotated[datetime, Meta(description="Made before.", tz=True)] | None = field(default=None, name="to")
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class UnbillableQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of unbillable sessions."""

    location: Annotated[UUID | None, Meta(description="At this location.")] = None
    station: Annotated[str, Meta(description="On this station.", max_length=48)] | None = None
    reason: Annotated[Reason | None, Meta(description="For this reason.")] = None
    decision: Annotated[Decision | None, Meta(description="About which this was decided.")] = None
    open: Annotated[bool | None, Meta(description="true: about which nobody has decided yet.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/cdrs", opt=operation("billing:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_cdrs(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[CdrQuery]
) -> Response[Page[Cdr]]:
    """List what sessions cost, newest first: charges, and credits that took some of them back."""
    names = ("session", "location", "station", "token", "customer", "kind", "currency", "since", "until")
    wanted = CdrFilter(**{name: getattr(filters, name) for name in names})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Cdr]:
        return await queries.list_cdrs(conn, actor.scope, wanted, before=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="cdrs")


@get("/cdrs/{cdr_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_cdr(pool: ThePool, actor: TheActor, cdr_id: FromPath[UUID]) -> Response[Cdr]:
    """Read a CDR with its lines and taxes, its place and its periods."""
    async with pool.acquire() as conn:
        return answer(await queries.get_cdr(conn, actor.party_id, cdr_id))


@get("/cdrs/{cdr_id:uuid}/ocpi", opt=operation("billing:read", errors=(404,)))
async def get_ocpi_cdr(pool: ThePool, actor: TheActor, cdr_id: FromPath[UUID]) -> Response[OcpiCdr]:
    """Read a CDR as the object that OCPI 2.2.1 has for it."""
    async with pool.acquire() as conn:
        cdr = await queries.get_cdr(conn, actor.party_id, cdr_id)
        country_code, party_code, version = await queries.get_owner(conn, actor.party_id, cdr)
        method = await queries.find_auth_method(conn, actor.party_id, cdr.session_id)
        readings = await signed.readings_of(conn, actor.party_id, cdr.session_id)
    return answer(ocpi.cdr_object(cdr, country_code, party_code, version.tariff, auth_method=method, signed=readings))


@post(
    "/cdrs/{cdr_id:uuid}/credit",
    status_code=201,
    opt=operation("billing:write", errors=(404, 409)) | {"needs_proof": True},
)
async def credit_cdr(
    pool: ThePool, bus: TheBus, actor: TheActor, cdr_id: FromPath[UUID], given: NamedDependency[CreditOrder]
) -> Response[CdrCredit]:
    """Take a CDR back by a credit, and bill its session anew if wanted. The CDR itself stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        made = await cdrs.credit(conn, actor, cdr_id, given)
    await bus.publish(NUDGE, {})
    return answer(made, status=201, headers={"Location": f"/api/v1/cdrs/{made.credit.cdr_id}"})


@post(
    "/cdrs/{cdr_id:uuid}/reduce",
    status_code=201,
    opt=operation("billing:write", errors=(404, 409)) | {"needs_proof": True},
)
async def reduce_cdr(
    pool: ThePool, bus: TheBus, actor: TheActor, cdr_id: FromPath[UUID], given: NamedDependency[ReduceOrder]
) -> Response[Reduced]:
    """Take an amount off what a session was billed, or all of it.

    The CDR is credited, and one that comes to exactly so much less is made instead. Documents are corrected by credit notes,
    and what was paid too much is given back.
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await refunds.reduce(conn, actor, cdr_id, given)
    await bus.publish(NUDGE, {})
    shown = made.replacement or made.credit
    return answer(made, status=201, headers={"Location": f"/api/v1/cdrs/{shown.cdr_id}"})


@post("/cdrs/{cdr_id:uuid}/reduction-preview", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def preview_cdr_reduction(
    pool: ThePool, actor: TheActor, cdr_id: FromPath[UUID], given: NamedDependency[ReduceOrder]
) -> Response[RefundPreview]:
    """Say what a reduction would do, without doing it: what goes back, and which documents are corrected."""
    async with pool.acquire() as conn:
        return answer(await refunds.preview(conn, actor, cdr_id, given))


@get("/unbillable-sessions", opt=operation("billing:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_unbillable_sessions(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[UnbillableQuery]
) -> Response[Page[UnbillableSession]]:
    """List settled sessions that were not billed by themselves, each with its reason, latest first."""
    wanted = UnbillableFilter(
        location=filters.location,
        station=filters.station,
        reason=filters.reason,
        decision=filters.decision,
        is_open=filters.open,
    )

    async def fetch(conn: Connection, after: Any, limit: int) -> list[UnbillableSession]:
        return await queries.list_unbillable(conn, actor.scope, wanted, before=after, limit=limit)

    return await listed(request, pool, UNBILLABLE, fetch, filters, name="unbillable-sessions")


@post(
    "/unbillable-sessions/{session_id:uuid}/decision",
    status_code=200,
    opt=operation("billing:write", errors=(404, 409)),
)
async def decide_unbillable_session(
    pool: ThePool, bus: TheBus, actor: TheActor, session_id: FromPath[UUID], given: NamedDependency[UnbillableDecision]
) -> Response[DecidedSession]:
    """Bill a session after all, or never. It can be decided anew until it is billed."""
    async with pool.acquire() as conn, conn.transaction():
        decided = await cdrs.decide(conn, actor, session_id, given)
    await bus.publish(NUDGE, {})
    return answer(decided)


HANDLERS = [
    list_cdrs,
    get_cdr,
    get_ocpi_cdr,
    credit_cdr,
    reduce_cdr,
    preview_cdr_reduction,
    list_unbillable_sessions,
    decide_unbillable_session,
]
