"""/drivers: people who charge."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

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
    TheSettings,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.core.events import NUDGE
from ohmstead.drivers import queries
from ohmstead.drivers import service as drivers
from ohmstead.drivers.model import Driver, DriverChange, NewDriver
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.phones.model import SentPhoneCode, TypedPhoneCode
from ohmstead.drivers.queries import DriverFilter, Sort
from ohmstead.notifications import confirming
from ohmstead.reports.people import queries as people
from ohmstead.reports.people.queries import TokenUsage
from ohmstead.sessions.erasing import service as erasing
from ohmstead.sessions.erasing.service import Erased


class DriverQuery(DriverFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of drivers."""

    sort: Annotated[Sort, Meta(description="By what; with - before it, downwards.")] = "name"
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/drivers", opt=operation("drivers:read", exports=(CSV, NDJSON)))
async def list_drivers(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[DriverQuery]
) -> Response[Page[Driver]]:
    """List drivers. Those who were erased are on the list, without a name."""
    order = queries.order_of(filters.sort)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Driver]:
        return await queries.list_drivers(conn, actor.party_id, filters, filters.sort, after=after, limit=limit)

    keyset = Keyset(item=Driver, type=tuple[order.column.type, UUID], of=order.key_of)  # type: ignore[name-defined]
    return await listed(request, pool, keyset, fetch, filters, name="drivers")


@post("/drivers", status_code=201, opt=operation("drivers:write"))
async def create_driver(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewDriver]
) -> Response[Driver]:
    """Create a driver. Tokens are given to drivers by `driver_id`, at creation, by a change or many at once."""
    async with pool.acquire() as conn, conn.transaction():
        driver = await drivers.create_driver(conn, actor, given)
    await bus.publish(NUDGE, {})
    where = {"Location": f"/api/v1/drivers/{driver.driver_id}"}
    return answer(driver, status=201, version=driver.version, headers=where)


@get("/drivers/{driver_id:uuid}", opt=operation("drivers:read", errors=(404,)))
async def get_driver(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[Driver]:
    """Read a driver."""
    async with pool.acquire() as conn:
        driver = await queries.get_driver(conn, actor.party_id, driver_id)
    return answer(driver, version=driver.version)


@patch("/drivers/{driver_id:uuid}", opt=operation("drivers:write", errors=(404, 409), takes_if_match=True))
async def change_driver(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    driver_id: FromPath[UUID],
    given: NamedDependency[DriverChange],
) -> Response[Driver]:
    """Change a driver. What is left out stays as it is. Tokens that are in the driver's group change it with them."""
    async with pool.acquire() as conn, conn.transaction():
        driver = await drivers.change_driver(conn, actor, driver_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(driver, version=driver.version)


@post(
    "/drivers/{driver_id:uuid}/block",
    status_code=200,
    opt=operation("drivers:write", errors=(404, 409), takes_if_match=True),
)
async def block_driver(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID]
) -> Response[Driver]:
    """Block a driver and all their tokens: they begin no more sessions. Stations' local lists follow."""
    return await _given_status(request, pool, bus, actor, driver_id, "blocked")


@post(
    "/drivers/{driver_id:uuid}/unblock",
    status_code=200,
    opt=operation("drivers:write", errors=(404, 409), takes_if_match=True),
)
async def unblock_driver(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID]
) -> Response[Driver]:
    """Let a driver charge again, with the tokens that were blocked with them."""
    return await _given_status(request, pool, bus, actor, driver_id, "active")


async def _given_status(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    driver_id: UUID,
    status: Literal["active", "blocked"],
) -> Response[Driver]:
    async with pool.acquire() as conn, conn.transaction():
        driver = await drivers.set_status(conn, actor, driver_id, status, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(driver, version=driver.version)


@post(
    "/drivers/{driver_id:uuid}/erase",
    status_code=200,
    opt=operation("drivers:write", errors=(404, 409), takes_if_match=True) | {"needs_proof": True},
)
async def erase_driver(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID]
) -> Response[Erased]:
    """Erase a driver for good: what is known of them and their tokens go, their sessions stay under a pseudonym.

    Refused while they charge or have an outlet reserved. The message log keeps what stations said until its retention.
    """
    async with pool.acquire() as conn, conn.transaction():
        erased = await erasing.erase_driver(conn, actor, driver_id, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(erased)


@post("/drivers/{driver_id:uuid}/phone-code", status_code=202, opt=operation("drivers:write", errors=(404, 409)))
async def send_phone_code(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    driver_id: FromPath[UUID],
) -> Response[SentPhoneCode]:
    """Send a code to a driver's telephone number by SMS, for them to type in: six an hour for a driver, and for a number."""
    seals = request.app.state.sign_in_desk.seals
    has_sms = settings.sms_url is not None
    async with pool.acquire() as conn, conn.transaction():
        sent = await confirming.send_phone_code(conn, seals, actor.party_id, driver_id, has_sms=has_sms)
    await bus.publish(NUDGE, {})
    return answer(sent, status=202)


@post(
    "/drivers/{driver_id:uuid}/phone-confirmation", status_code=200, opt=operation("drivers:write", errors=(404, 409))
)
async def confirm_phone(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    driver_id: FromPath[UUID],
    given: NamedDependency[TypedPhoneCode],
) -> Response[Driver]:
    """Confirm a driver's telephone number by the latest code that was sent there. Five tries; another number needs another."""
    seals = request.app.state.sign_in_desk.seals
    async with pool.acquire() as conn, conn.transaction():
        is_right = await phones.try_code(conn, seals, actor, driver_id, given.code)
    if not is_right:
        raise Refused(phones.WRONG)
    await bus.publish(NUDGE, {})
    async with pool.acquire() as conn:
        driver = await queries.get_driver(conn, actor.party_id, driver_id)
    return answer(driver, version=driver.version)


@get("/drivers/{driver_id:uuid}/usage", opt=operation("drivers:read", errors=(404,)))
async def get_driver_usage(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[TokenUsage]:
    """Read what a driver charged, with all tokens they held while they held them. Sessions: `/sessions?driver=`."""
    async with pool.acquire() as conn:
        await queries.get_driver(conn, actor.party_id, driver_id)
        return answer(await people.driver_usage(conn, actor.party_id, driver_id))


HANDLERS = [
    list_drivers,
    create_driver,
    get_driver,
    change_driver,
    block_driver,
    unblock_driver,
    erase_driver,
    send_phone_code,
    confirm_phone,
    get_driver_usage,
]
