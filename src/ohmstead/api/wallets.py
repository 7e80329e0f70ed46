"""/drivers/<id>/wallet: what drivers paid ahead."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, post, put
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
)
from ohmstead.billing.payments.model import Payment
from ohmstead.billing.wallets import queries, topping
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets.model import AutoTopUp, Wallet, WalletChange, WalletEntry, WalletRefund
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money

KEYSET = Keyset(item=WalletEntry, type=tuple[int, int], of=lambda entry: (entry.number, 0))


class WalletQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a wallet's entries."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class CreditLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far below nothing a wallet may go."""

    amount: Annotated[Decimal, Meta(description="In the wallet's currency; 0: not at all.")]


class CardTopUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of a stored card of the driver's."""

    method_id: UUID
    amount: Decimal
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]


class RefundOfBalance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to go back."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    amount: Annotated[Decimal | None, Meta(description="null: all that is free.")] = None


@get("/drivers/{driver_id:uuid}/wallet", opt=operation("drivers:read", errors=(404,)))
async def get_wallet(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[Wallet]:
    """Read what is in a driver's wallet, what sessions hold of it, and what can be spent. 404: they have none."""
    async with pool.acquire() as conn:
        wallet = await wallets.get_wallet(conn, actor.party_id, driver_id)
    return answer(wallet, version=wallet.version)


@put("/drivers/{driver_id:uuid}/wallet", opt=operation("drivers:write", errors=(404,)))
async def open_wallet(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[Wallet]:
    """Open a wallet for a driver in the party's currency; the one there is, where there is one."""
    async with pool.acquire() as conn, conn.transaction():
        wallet = await wallets.open_wallet(conn, actor, driver_id)
    return answer(wallet, version=wallet.version)


@get("/drivers/{driver_id:uuid}/wallet/entries", opt=operation("drivers:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_wallet_entries(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    driver_id: FromPath[UUID],
    filters: NamedDependency[WalletQuery],
) -> Response[Page[WalletEntry]]:
    """List what came into a wallet and went out of it, newest first. They add up to its balance."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[WalletEntry]:
        return await queries.list_entries(conn, actor.party_id, driver_id, before=after, limit=limit)

    async with pool.acquire() as conn:
        await wallets.get_wallet(conn, actor.party_id, driver_id)
    return await listed(request, pool, KEYSET, fetch, filters, name="wallet-entries")


@post(
    "/drivers/{driver_id:uuid}/wallet/adjustments",
    status_code=201,
    opt=operation("billing:write", errors=(404,)) | {"needs_proof": True},
)
async def adjust_wallet(
    pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[WalletChange]
) -> Response[Wallet]:
    """Give goodwill to a driver, or take some back, with a reason that stays."""
    async with pool.acquire() as conn, conn.transaction():
        wallet = await wallets.adjust(conn, actor, driver_id, given)
    await bus.publish(NUDGE, {})
    return answer(wallet, status=201, headers={"Location": f"/api/v1/drivers/{driver_id}/wallet"})


@post(
    "/drivers/{driver_id:uuid}/wallet/refund",
    status_code=200,
    opt=operation("billing:write", errors=(404,)) | {"needs_proof": True},
)
async def refund_wallet(
    pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[RefundOfBalance]
) -> Response[WalletRefund]:
    """Give what is free in a wallet back to the payments it came from, the newest first. It is held until it is there."""
    async with pool.acquire() as conn, conn.transaction():
        done = await topping.refund_balance(conn, actor, driver_id, given.reason, given.amount)
    await bus.publish(NUDGE, {})
    return answer(done)


@post("/drivers/{driver_id:uuid}/wallet/top-ups", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def top_up_wallet(
    pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[CardTopUp]
) -> Response[Payment]:
    """Take money for a wallet of a stored card of the driver's. It is in when the payment is captured."""
    async with pool.acquire() as conn, conn.transaction():
        payment = await topping.top_up_from_card(
            conn, actor, driver_id, given.method_id, Money(given.amount, given.currency), key=str(new_id())
        )
    await bus.publish(NUDGE, {})
    return answer(payment, status=201, headers={"Location": f"/api/v1/payments/{payment.payment_id}"})


@put(
    "/drivers/{driver_id:uuid}/wallet/auto-top-up",
    opt=operation("drivers:write", errors=(404, 409), takes_if_match=True),
)
async def set_auto_top_up(
    request: ApiRequest, pool: ThePool, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[AutoTopUp]
) -> Response[Wallet]:
    """Top a wallet up by itself from a stored card, whenever less than a threshold is left to spend."""
    async with pool.acquire() as conn, conn.transaction():
        wallet = await wallets.set_auto_top_up(conn, actor, driver_id, given, expected_version(request))
    return answer(wallet, version=wallet.version)


@delete("/drivers/{driver_id:uuid}/wallet/auto-top-up", status_code=204, opt=operation("drivers:write", errors=(404,)))
async def unset_auto_top_up(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> None:
    """Top it up by itself no more."""
    async with pool.acquire() as conn, conn.transaction():
        await wallets.set_auto_top_up(conn, actor, driver_id, None)


@put(
    "/drivers/{driver_id:uuid}/wallet/credit-limit",
    opt=operation("billing:write", errors=(404, 409), takes_if_match=True) | {"needs_proof": True},
)
async def set_wallet_credit_limit(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    driver_id: FromPath[UUID],
    given: NamedDependency[CreditLimit],
) -> Response[Wallet]:
    """Let a wallet go below nothing, so far."""
    async with pool.acquire() as conn, conn.transaction():
        wallet = await wallets.set_credit_limit(conn, actor, driver_id, given.amount, expected_version(request))
    return answer(wallet, version=wallet.version)


HANDLERS = [
    get_wallet,
    open_wallet,
    list_wallet_entries,
    adjust_wallet,
    refund_wallet,
    top_up_wallet,
    set_auto_top_up,
    unset_auto_top_up,
    set_wallet_credit_limit,
]
