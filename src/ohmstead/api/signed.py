"""What meters signed: verdicts, the data for transparency software, meters' keys, and what doubts keep from being billed."""

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.core.errors import NotFound
from ohmstead.sessions import queries
from ohmstead.sessions.signed import container
from ohmstead.sessions.signed import service as signed
from ohmstead.sessions.signed.model import MeterKey, NewMeterKey, SignedPolicy, SignedSession
from ohmstead.stations import queries as stations


class MeterKeys(Struct):
    """The public keys of a station's meters."""

    items: Annotated[list[MeterKey], Meta(description="Those that readings are checked with first.")]


@get("/sessions/{session_id:uuid}/signed-verdict", opt=operation("sessions:read", errors=(404,)))
async def get_signed_verdict(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SignedSession]:
    """Read what the signed readings of a settled session are worth."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)
        found = await signed.find_verdict(conn, actor.party_id, session_id)
    if found is None:
        raise NotFound("nothing was signed in this session, or it is not settled yet")
    return answer(found)


@get(
    "/sessions/{session_id:uuid}/signed-data",
    media_type=container.MEDIA_TYPE,
    opt=operation("sessions:read", errors=(404,), exports=(container.MEDIA_TYPE,)),
)
async def get_signed_data_file(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[bytes]:
    """Download all signed readings with the public keys, in the XML that transparency software reads."""
    async with pool.acquire() as conn:
        await queries.get_session_view(conn, actor.party_id, session_id)
        readings = await signed.readings_of(conn, actor.party_id, session_id)
    if not readings:
        raise NotFound("nothing was signed in this session")
    name = {"Content-Disposition": f'attachment; filename="signed-{session_id}.xml"'}
    return Response(container.as_xml(readings), media_type=container.MEDIA_TYPE, headers=name)


@get("/stations/{station_id:str}/meter-keys", opt=operation("stations:read", errors=(404,)))
async def list_meter_keys(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[MeterKeys]:
    """List the public keys of a station's meters, those that hold and those that did."""
    async with pool.acquire() as conn:
        await stations.get_station_view(conn, actor.party_id, station_id)
        return answer(MeterKeys(await signed.list_keys(conn, actor.party_id, station_id)))


@post(
    "/stations/{station_id:str}/meter-keys",
    status_code=201,
    opt=operation("stations:write", errors=(404, 409)) | {"needs_proof": True},
)
async def register_meter_key(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], given: NamedDependency[NewMeterKey]
) -> Response[MeterKey]:
    """Pin a meter's public key to an EVSE: from now on its readings are checked with it. The one before ends."""
    async with pool.acquire() as conn, conn.transaction():
        made = await signed.register_key(conn, actor, station_id, given)
    return answer(made, status=201)


@delete(
    "/stations/{station_id:str}/meter-keys/{evse_number:int}",
    status_code=204,
    opt=operation("stations:write", errors=(404,)) | {"needs_proof": True},
)
async def remove_meter_key(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], evse_number: FromPath[int]
) -> None:
    """Unpin the key of an EVSE (0: the station's only meter), until one is pinned again, or a reading brings one."""
    async with pool.acquire() as conn, conn.transaction():
        await stations.get_station_view(conn, actor.party_id, station_id)
        await signed.remove_key(conn, actor, station_id, evse_number)


@get("/signed-policy", opt=operation("billing:read"))
async def get_signed_policy(pool: ThePool, actor: TheActor) -> Response[SignedPolicy]:
    """Read which sessions are not billed by themselves for what their meter signed, or did not."""
    async with pool.acquire() as conn:
        return answer(await signed.get_policy(conn, actor.party_id))


@put("/signed-policy", opt=operation("billing:write") | {"needs_proof": True})
async def put_signed_policy(
    pool: ThePool, actor: TheActor, given: NamedDependency[SignedPolicy]
) -> Response[SignedPolicy]:
    """Say which sessions are not billed by themselves for what their meter signed, or did not; from now on."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await signed.set_policy(conn, actor, given.doubt))


HANDLERS = [
    get_signed_verdict,
    get_signed_data_file,
    list_meter_keys,
    register_meter_key,
    remove_meter_key,
    get_signed_policy,
    put_signed_policy,
]
