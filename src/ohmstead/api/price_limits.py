"""/drivers/{id}/price-limit: what a driver wants to pay for a session at most."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.core.errors import NotFound
from ohmstead.core.money import Money
from ohmstead.sessions.covers import service as covers


class DriverPriceLimit(Struct, kw_only=True, forbid_unknown_fields=True):
    """At this cost, with taxes, a driver's session is ended. A session in another currency is not limited by it."""

    amount: Annotated[Decimal, Meta(description="More than nothing, exact in its currency.")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217.")]


@get("/drivers/{driver_id:uuid}/price-limit", opt=operation("drivers:read", errors=(404,)))
async def get_price_limit(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[DriverPriceLimit]:
    """Read what a driver wants to pay for a session at most."""
    async with pool.acquire() as conn:
        found = await covers.get_price_limit(conn, actor.party_id, driver_id)
    if found is None:
        raise NotFound("this driver has no price limit")
    return answer(DriverPriceLimit(amount=found.amount, currency=found.currency))


@put("/drivers/{driver_id:uuid}/price-limit", opt=operation("drivers:write", errors=(404,)))
async def put_price_limit(
    pool: ThePool, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[DriverPriceLimit]
) -> Response[DriverPriceLimit]:
    """Say what a driver wants to pay for a session at most; it holds for sessions that go on, too."""
    async with pool.acquire() as conn, conn.transaction():
        await covers.set_price_limit(conn, actor.party_id, driver_id, Money(given.amount, given.currency))
    return answer(given)


@delete("/drivers/{driver_id:uuid}/price-limit", status_code=204, opt=operation("drivers:write", errors=(404,)))
async def delete_price_limit(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> None:
    """Let a driver's sessions cost what they do."""
    async with pool.acquire() as conn, conn.transaction():
        await covers.set_price_limit(conn, actor.party_id, driver_id, None)


HANDLERS = [get_price_limit, put_price_limit, delete_price_limit]
