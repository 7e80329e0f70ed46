"""/sessions: what was charged, and the evidence for it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.access import WHOLE_PARTY, NotAllowed, require
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
from ohmstead.core.errors import NotFound
from ohmstead.doorway import WITHIN
from ohmstead.sessions import queries
from ohmstead.sessions.model import ChargingPeriod, SessionEvent, Status
from ohmstead.sessions.queries import SampleView, SessionFilter, SessionView, SignedReadingView

KEYSET = Keyset(
    item=SessionView, type=tuple[datetime, UUID], of=lambda session: (session.started_at, session.session_id)
)
SAMPLE_KEYSET = Keyset(
    item=SampleView, type=tuple[datetime, str], of=lambda sample: (sample.sampled_at, sample.context)
)


class SessionQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of sessions."""

    station: Annotated[str, Meta(description="On this station.", max_length=48)] | None = None
    location: Annotated[UUID | None, Meta(description="At this location.")] = None
    token: Annotated[str, Meta(description="Of the token with this uid.", max_length=255)] | None = None
    driver: Annotated[UUID | None, Meta(description="Of this driver, with tokens while they held them.")] = None
    status: Annotated[list[Status] | None, Meta(description="Any of these; may be given several times.")] = None
    since: Annotated[datetime, Meta(description="Started at or after.", tz=True)] | None = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[datetime, Meta(description="Started before.", tz=True)] | None = msgspec.field(
        default=None, name="to"
    )
    q: (
        Annotated[
            str,
            Meta(
                description="Found in stations, locations and cards, or begins a session, token or transaction id.",
                max_length=100,
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None

    def wanted(self) -> SessionFilter:
        """The filters alone."""
        return SessionFilter(
            station=self.station,
            location=self.location,
            token=self.token,
            driver=self.driver,
            status=self.status,
            since=self.since,
            until=self.until,
            q=self.q,
        )


class SampleQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a session's samples."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 500
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything.")] = None


class SessionEvents(Struct):
    """What happened in a session, in the station's time."""

    items: list[SessionEvent]


class ChargingPeriods(Struct):
    """A settled session in pieces; their energies add up to the session's."""

    items: list[ChargingPeriod]


class SignedReadings(Struct):
    """What the meter signed."""

    items: list[SignedReadingView]


@get("/sessions", opt=operation("sessions:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_sessions(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[SessionQuery]
) -> Response[Page[SessionView]]:
    """List sessions, latest start first. `driver` takes `drivers:read`, and is for who sees all of the party."""
    wanted = filters.wanted()
    if wanted.driver is not None:
        require(actor, "drivers:read")
        if actor.locations is not None:
            raise NotAllowed(WHOLE_PARTY)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SessionView]:
        return await queries.list_sessions(conn, actor.scope, wanted, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="sessions")


@get("/sessions/{session_id:uuid}", opt=operation("sessions:read", errors=(404,)))
async def get_session(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SessionView]:
    """Read a session."""
    async with pool.acquire() as conn:
        return answer(await queries.get_session_view(conn, actor.party_id, session_id))


@get("/sessions/{session_id:uuid}/samples", opt=operation("sessions:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_samples(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    session_id: FromPath[UUID],
    filters: NamedDependency[SampleQuery],
) -> Response[Page[SampleView]]:
    """List a session's meter samples in time order."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SampleView]:
        return await queries.list_sample_views(conn, actor.party_id, session_id, after=after, limit=limit)

    return await listed(request, pool, SAMPLE_KEYSET, fetch, filters, name=f"samples-{session_id}")


@get("/sessions/{session_id:uuid}/events", opt=operation("sessions:read", errors=(404,)))
async def list_events(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SessionEvents]:
    """List what happened in a session."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)
        return answer(SessionEvents(await queries.list_session_events(conn, actor.party_id, session_id)))


@get("/sessions/{session_id:uuid}/periods", opt=operation("sessions:read", errors=(404,)))
async def list_periods(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[ChargingPeriods]:
    """List the charging periods of a settled session."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)
        return answer(ChargingPeriods(await queries.list_charging_periods(conn, actor.party_id, session_id)))


@get("/sessions/{session_id:uuid}/signed-readings", opt=operation("sessions:read", errors=(404,)))
async def list_signed_readings(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SignedReadings]:
    """List what the meter signed in a session."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)
        return answer(SignedReadings(await queries.list_signed_readings(conn, actor.party_id, session_id)))


@get(
    "/sessions/{session_id:uuid}/signed-readings/{digest:str}",
    media_type="application/octet-stream",
    opt=operation("sessions:read", errors=(404,), exports=("application/octet-stream",)),
)
async def get_signed_data(
    pool: ThePool, actor: TheActor, session_id: FromPath[UUID], digest: FromPath[str]
) -> Response[bytes]:
    """Download a signed reading byte for byte as the station sent it."""
    try:
        wanted = bytes.fromhex(digest)
    except ValueError as error:
        raise NotFound("no such signed reading") from error
    async with pool.acquire() as conn:
        data = await queries.get_signed_data(conn, actor.party_id, session_id, wanted)
    name = {"Content-Disposition": f'attachment; filename="signed-{wanted.hex()[:16]}.bin"'}
    return Response(data, media_type="application/octet-stream", headers=name)


HANDLERS = [
    list_sessions,
    get_session,
    list_samples,
    list_events,
    list_periods,
    list_signed_readings,
    get_signed_data,
]
