"""Give something back: what a session was billed is reduced. First it says what will happen, then it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs.model import ReduceOrder
from ohmstead.billing.refunds import service
from ohmstead.billing.refunds.model import RefundPreview
from ohmstead.console.forms import Form, decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_words import customer_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_
from ohmstead.ui import prices
from ohmstead.ui.templating import page

PARTS: Final = {"part": N_("A part of it"), "whole": N_("All of it")}


def _is_done(fields: Mapping[str, str]) -> bool:
    return fields.get("step") == "do"


@get("/cdrs/{cdr_id:str}/refund")
async def refund_page(request: PageRequest, pool: PoolIn, actor: ActorIn, cdr_id: FromPath[str]) -> Response[str]:
    """How much, and why?"""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        given = {"part": "whole" if view.query["part"] == "whole" else "part"}
        return await _page(request, conn, actor, uuid_of(cdr_id, "CDR"), given)


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    cdr_id: UUID,
    given: Mapping[str, str],
    *,
    seen: RefundPreview | None = None,
    errors: Mapping[str, str] | None = None,
    error: str = "",
) -> Response[str]:
    cdr = await cdrs.get_cdr(conn, actor.party_id, cdr_id)
    names = await customer_names(conn, actor, [cdr.customer])
    may_write = may(actor, "billing:write")
    return page(
        request,
        "money/refund.html",
        status=422 if errors else 409 if error else 200,
        cdr=cdr,
        seen=seen,
        parts=PARTS,
        customer=customer_of(cdr.customer, names, actor),
        may_write=may_write,
        may_reduce=may_write and cdr.kind == "charge" and cdr.credited_by is None and cdr.total > 0,
        given={"part": "part", "amount": "", "reason": "", **given},
        errors=errors or {},
        error=error,
        prices=prices,
    )


@post("/cdrs/{cdr_id:str}/refund", status_code=200, opt={"needs_proof": _is_done})
async def refund_cdr(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, cdr_id: FromPath[str]
) -> Response[Any]:
    """First it says what goes back and which documents are corrected, and asks; on a second press it is done."""
    allow(actor, "billing:write")
    given = await form_of(request)
    known = uuid_of(cdr_id, "CDR")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        try:
            wanted = _wanted(given)
            if not _is_done(given.fields):
                seen = await service.preview(conn, actor, known, wanted)
                return await _page(request, conn, actor, known, given.fields, seen=seen)
            async with conn.transaction():
                made = await service.reduce(conn, actor, known, wanted)
        except (msgspec.ValidationError, Invalid) as fault:
            errors = faults_of(fault, ("amount", "reason"))
            return await _page(request, conn, actor, known, given.fields, errors=errors)
        except (Conflict, Refused) as fault:
            return await _page(request, conn, actor, known, given.fields, error=fault.text)
    await bus.publish(NUDGE, {})
    shown = made.replacement or made.credit
    return Redirect(f"/cdrs/{shown.cdr_id}?done=refund#documents", status_code=303)


def _wanted(given: Form) -> ReduceOrder:
    """Raises ValidationError and Invalid."""
    amount = None
    if given.fields.get("part") != "whole" and (amount := decimal_in(given, "amount")) is None:
        raise Invalid("say how much", field="amount")
    raw = {"reason": given.fields.get("reason", ""), "amount": amount}
    return msgspec.convert(raw, ReduceOrder)


HANDLERS: Sequence[Any] = [refund_page, refund_cdr]
