"""/paying-policy, /paying-partners, and with what drivers and tokens pay; who pays for a session; PINs of drivers."""

from uuid import UUID

from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.api.operations import ApiRequest, TheActor, TheBus, ThePool, answer, expected_version, operation
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import (
    NewPayingMethod,
    PayingMethod,
    PayingPartner,
    PayingPolicy,
    PayingPolicyChange,
    SessionCover,
)
from ohmstead.core.errors import NotFound
from ohmstead.core.events import NUDGE
from ohmstead.drivers import pins, queries
from ohmstead.drivers.pins import DriverPin, NewPin


class PayingPartners(Struct, frozen=True, kw_only=True):
    """All of them."""

    items: list[PayingPartner]


@get("/paying-policy", opt=operation("billing:read"))
async def get_paying_policy(pool: ThePool, actor: TheActor) -> Response[PayingPolicy]:
    """Read how the party is paid: tokens for which nobody pays in particular, and what sessions hold of wallets."""
    async with pool.acquire() as conn:
        policy = await paying.policy_of(conn, actor.party_id)
    return answer(policy, version=policy.version)


@patch("/paying-policy", opt=operation("billing:write", errors=(409,), takes_if_match=True))
async def change_paying_policy(
    request: ApiRequest, pool: ThePool, actor: TheActor, given: NamedDependency[PayingPolicyChange]
) -> Response[PayingPolicy]:
    """Change it. With `refuse`, tokens for which nobody pays begin no session from now on."""
    async with pool.acquire() as conn, conn.transaction():
        policy = await paying.change_policy(conn, actor, given, expected_version(request))
    return answer(policy, version=policy.version)


@get("/paying-partners", opt=operation("billing:read"))
async def list_paying_partners(pool: ThePool, actor: TheActor) -> Response[PayingPartners]:
    """List whose contracts (eMAID) are billed to which partner."""
    async with pool.acquire() as conn:
        return answer(PayingPartners(items=await paying.list_partners(conn, actor.party_id)))


@post("/paying-partners", status_code=201, opt=operation("billing:write"))
async def put_paying_partner(
    pool: ThePool, actor: TheActor, given: NamedDependency[PayingPartner]
) -> Response[PayingPartner]:
    """Bill contracts that begin so to a partner from now on, whoever paid before. Sessions that began stay whose they are."""
    async with pool.acquire() as conn, conn.transaction():
        found = await paying.put_partner(conn, actor, given)
    made = next(one for one in found if one.prefix == given.prefix)
    return answer(made, status=201, headers={"Location": "/api/v1/paying-partners"})


@delete("/paying-partners/{prefix:str}", status_code=204, opt=operation("billing:write", errors=(404,)))
async def delete_paying_partner(pool: ThePool, actor: TheActor, prefix: FromPath[str]) -> None:
    """Bill such contracts to their drivers again."""
    async with pool.acquire() as conn, conn.transaction():
        await paying.remove_partner(conn, actor, prefix)


@get("/drivers/{driver_id:uuid}/paying-method", opt=operation("drivers:read", errors=(404,)))
async def get_driver_paying_method(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[PayingMethod]:
    """Read with what a driver pays, and what decides it."""
    async with pool.acquire() as conn:
        await queries.get_driver(conn, actor.party_id, driver_id)
        return answer(await paying.method_of(conn, actor.party_id, driver_id=driver_id))


@put("/drivers/{driver_id:uuid}/paying-method", opt=operation("drivers:write", errors=(404, 409)))
async def set_driver_paying_method(
    pool: ThePool, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[NewPayingMethod]
) -> Response[PayingMethod]:
    """Set with what a driver pays from now on. A wallet is opened with it."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await paying.set_method(conn, actor, given, driver_id=driver_id))


@delete("/drivers/{driver_id:uuid}/paying-method", status_code=204, opt=operation("drivers:write", errors=(404,)))
async def unset_driver_paying_method(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> None:
    """Forget it: their company pays, or the party's policy counts."""
    async with pool.acquire() as conn, conn.transaction():
        await paying.unset_method(conn, actor, driver_id=driver_id)


@get("/tokens/{token_id:uuid}/paying-method", opt=operation("drivers:read", errors=(404,)))
async def get_token_paying_method(pool: ThePool, actor: TheActor, token_id: FromPath[UUID]) -> Response[PayingMethod]:
    """Read with what sessions of a token are paid, and what decides it."""
    async with pool.acquire() as conn:
        return answer(await paying.method_of(conn, actor.party_id, token_id=token_id))


@put("/tokens/{token_id:uuid}/paying-method", opt=operation("drivers:write", errors=(404, 409)))
async def set_token_paying_method(
    pool: ThePool, actor: TheActor, token_id: FromPath[UUID], given: NamedDependency[NewPayingMethod]
) -> Response[PayingMethod]:
    """Set with what this token pays from now on, whatever its driver pays with otherwise."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await paying.set_method(conn, actor, given, token_id=token_id))


@delete("/tokens/{token_id:uuid}/paying-method", status_code=204, opt=operation("drivers:write", errors=(404,)))
async def unset_token_paying_method(pool: ThePool, actor: TheActor, token_id: FromPath[UUID]) -> None:
    """Forget it: the token pays as its driver does."""
    async with pool.acquire() as conn, conn.transaction():
        await paying.unset_method(conn, actor, token_id=token_id)


@get("/sessions/{session_id:uuid}/cover", opt=operation("billing:read", errors=(404,)))
async def get_session_cover(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SessionCover]:
    """Read who pays for a session and with what, as it was when it began."""
    async with pool.acquire() as conn:
        return answer(await paying.get_cover(conn, actor.party_id, session_id))


@get("/drivers/{driver_id:uuid}/pin", opt=operation("drivers:read", errors=(404,)))
async def get_driver_pin(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[DriverPin]:
    """Read whether a driver has a PIN, and since when. 404: none."""
    async with pool.acquire() as conn:
        found = await pins.find_pin(conn, actor.party_id, driver_id)
    if found is None:
        raise NotFound("the driver has no PIN")
    return answer(found)


@post("/drivers/{driver_id:uuid}/pin", status_code=201, opt=operation("drivers:write", errors=(404, 409)))
async def reset_driver_pin(pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID]) -> Response[NewPin]:
    """Give a driver a new PIN for stations' keypads (OCPP 2.x); it is told once, and the one before is good no more."""
    async with pool.acquire() as conn, conn.transaction():
        made = await pins.reset_pin(conn, actor, driver_id)
    await bus.publish(NUDGE, {})
    return answer(made, status=201, headers={"Location": f"/api/v1/drivers/{driver_id}/pin"})


@delete("/drivers/{driver_id:uuid}/pin", status_code=204, opt=operation("drivers:write", errors=(404,)))
async def delete_driver_pin(pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID]) -> None:
    """Take a driver's PIN away."""
    async with pool.acquire() as conn, conn.transaction():
        await pins.remove_pin(conn, actor, driver_id)
    await bus.publish(NUDGE, {})


HANDLERS = [
    get_paying_policy,
    change_paying_policy,
    list_paying_partners,
    put_paying_partner,
    delete_paying_partner,
    get_driver_paying_method,
    set_driver_paying_method,
    unset_driver_paying_method,
    get_token_paying_method,
    set_token_paying_method,
    unset_token_paying_method,
    get_session_cover,
    get_driver_pin,
    reset_driver_pin,
    delete_driver_pin,
]
