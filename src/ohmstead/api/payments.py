"""/payments, /payment-debts, /payment-disputes, /payment-differences: money that people pay, owe and take back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
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
from ohmstead.billing.payments import queries, service
from ohmstead.billing.payments.model import (
    Debt,
    DebtForgiveness,
    DifferenceNote,
    DifferenceState,
    Dispute,
    DisputeState,
    Payment,
    PaymentDifference,
    PaymentSetting,
    Purpose,
    RefundOrder,
    ReleaseOrder,
    State,
)
from ohmstead.billing.payments.ports import Providers
from ohmstead.billing.payments.queries import DebtFilter, PaymentFilter
from ohmstead.billing.payments.reconciling import differences
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE

_Key = tuple[datetime, UUID]
PAYMENTS = Keyset(item=Payment, type=_Key, of=lambda payment: (payment.created_at, payment.payment_id))
DEBTS = Keyset(item=Debt, type=_Key, of=lambda debt: (debt.opened_at, debt.debt_id))
DISPUTES = Keyset(item=Dispute, type=_Key, of=lambda dispute: (dispute.opened_at, dispute.dispute_id))
DIFFERENCES = Keyset(item=PaymentDifference, type=_Key, of=lambda found: (found.found_at, found.difference_id))


class PaymentQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of payments."""

    purpose: Annotated[Purpose | None, Meta(description="For this.")] = None
    state: Annotated[State | None, Meta(description="In this state.")] = None
    customer: Annotated[str, Meta(description="Of this customer: `driver:<id>`, …", max_length=80)] | None = None
    provider: Annotated[str, Meta(description="Through this provider.", max_length=40)] | None = None
    session: Annotated[UUID | None, Meta(description="For this session.")] = None
    station: Annotated[str, Meta(description="Of guests at this station.", max_length=48)] | None = None
    since: Annotated[datetime, Meta(description="Asked at or after.", tz=True)] | None = field(
        default=None, name="from"
    )
    until: Annotated[datetime, Meta(description="Asked before.", tz=True)] | None = field(default=None, name="to")
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class DebtQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of debts."""

    customer: Annotated[str, Meta(description="Of this customer.", max_length=80)] | None = None
    open: Annotated[bool | None, Meta(description="true: those that nobody has settled.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class DisputeQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of chargebacks."""

    state: Annotated[DisputeState | None, Meta(description="In this state.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class DifferenceQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of differences."""

    state: Annotated[DifferenceState | None, Meta(description="In this state.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/payments", opt=operation("payments:read", exports=(CSV, NDJSON)))
async def list_payments(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PaymentQuery]
) -> Response[Page[Payment]]:
    """List payments, newest first: what was asked, held, captured and given back."""
    names = ("purpose", "state", "customer", "provider", "session", "station", "since", "until")
    wanted = PaymentFilter(**{name: getattr(filters, name) for name in names})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Payment]:
        return await queries.list_payments(conn, actor.party_id, wanted, before=after, limit=limit)

    return await listed(request, pool, PAYMENTS, fetch, filters, name="payments")


@get("/payments/{payment_id:uuid}", opt=operation("payments:read", errors=(404,)))
async def get_payment(pool: ThePool, actor: TheActor, payment_id: FromPath[UUID]) -> Response[Payment]:
    """Read a payment."""
    async with pool.acquire() as conn:
        return answer(await queries.get_payment(conn, actor.party_id, payment_id))


@post(
    "/payments/{payment_id:uuid}/refund",
    status_code=202,
    opt=operation("payments:write", errors=(404, 409)) | {"needs_proof": True},
)
async def refund_payment(
    pool: ThePool, bus: TheBus, actor: TheActor, payment_id: FromPath[UUID], given: NamedDependency[RefundOrder]
) -> Response[Payment]:
    """Give back what was captured, or a part of it. The provider is asked at once; `PaymentRefunded` tells when it is done.

    Of a payment for a session that was billed, its CDR is reduced by as much, as by `POST /cdrs/{id}/reduce`; what the payment
    left owed is off first. Other payments are given back, and nothing else changes.
    """
    async with pool.acquire() as conn, conn.transaction():
        payment = await refunds.refund(conn, actor, payment_id, given)
    await bus.publish(NUDGE, {})
    return answer(payment, status=202)


@post(
    "/payments/{payment_id:uuid}/release",
    status_code=202,
    opt=operation("payments:write", errors=(404, 409)),
)
async def release_payment(
    pool: ThePool, bus: TheBus, actor: TheActor, payment_id: FromPath[UUID], given: NamedDependency[ReleaseOrder]
) -> Response[Payment]:
    """Let a hold go with which nothing has begun, or close a page on which nobody has paid."""
    async with pool.acquire() as conn, conn.transaction():
        payment = await service.release_by_person(conn, actor, payment_id, given)
    await bus.publish(NUDGE, {})
    return answer(payment, status=202)


@get("/payment-debts", opt=operation("payments:read", exports=(CSV, NDJSON)))
async def list_debts(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[DebtQuery]
) -> Response[Page[Debt]]:
    """List what payments should have covered and did not, latest first."""
    wanted = DebtFilter(customer=filters.customer, is_open=filters.open)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Debt]:
        return await queries.list_debts(conn, actor.party_id, wanted, before=after, limit=limit)

    return await listed(request, pool, DEBTS, fetch, filters, name="payment-debts")


@post(
    "/payment-debts/{debt_id:uuid}/forgive",
    status_code=200,
    opt=operation("payments:write", errors=(404, 409)) | {"needs_proof": True},
)
async def forgive_debt(
    pool: ThePool, bus: TheBus, actor: TheActor, debt_id: FromPath[UUID], given: NamedDependency[DebtForgiveness]
) -> Response[Debt]:
    """Ask for a debt no more; its customer may charge again."""
    async with pool.acquire() as conn, conn.transaction():
        debt = await service.forgive_debt(conn, actor, debt_id, given)
    await bus.publish(NUDGE, {})
    return answer(debt)


@get("/payment-disputes", opt=operation("payments:read", exports=(CSV, NDJSON)))
async def list_disputes(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[DisputeQuery]
) -> Response[Page[Dispute]]:
    """List chargebacks, latest first. Evidence is given at the provider."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Dispute]:
        return await queries.list_disputes(conn, actor.party_id, state=filters.state, before=after, limit=limit)

    return await listed(request, pool, DISPUTES, fetch, filters, name="payment-disputes")


@get("/payment-differences", opt=operation("payments:read", exports=(CSV, NDJSON)))
async def list_differences(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[DifferenceQuery]
) -> Response[Page[PaymentDifference]]:
    """List where providers' statements, the books and CDRs do not agree, latest first, each with its reason."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[PaymentDifference]:
        return await queries.list_differences(conn, actor.party_id, state=filters.state, before=after, limit=limit)

    return await listed(request, pool, DIFFERENCES, fetch, filters, name="payment-differences")


@post(
    "/payment-differences/{difference_id:uuid}/explain",
    status_code=200,
    opt=operation("payments:write", errors=(404, 409)),
)
async def explain_difference(
    pool: ThePool, actor: TheActor, difference_id: FromPath[UUID], given: NamedDependency[DifferenceNote]
) -> Response[PaymentDifference]:
    """Say what a difference comes from; it can be said anew."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await differences.explain(conn, actor, difference_id, given))


@get("/payment-settings", opt=operation("payments:read"))
async def get_payment_settings(pool: ThePool, actor: TheActor) -> Response[PaymentSetting]:
    """Read through whom guests pay, and how much is held of them."""
    async with pool.acquire() as conn:
        return answer(await service.get_setting(conn, actor.party_id))


@put("/payment-settings", opt=operation("payments:write"))
async def set_payment_settings(
    pool: ThePool,
    actor: TheActor,
    providers: NamedDependency[SkipValidation[Providers]],
    given: NamedDependency[PaymentSetting],
) -> Response[PaymentSetting]:
    """Set through whom guests pay, and how much is held of them, from now on."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.set_setting(conn, actor, providers, given))


HANDLERS = [
    list_payments,
    get_payment,
    refund_payment,
    release_payment,
    list_debts,
    forgive_debt,
    list_disputes,
    list_differences,
    explain_difference,
    get_payment_settings,
    set_payment_settings,
]
