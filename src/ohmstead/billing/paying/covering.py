"""Who pays for what a token charges. Pure.

The first that applies counts: a guest's payment; a payment terminal; what the token itself pays with; what its driver pays
with, unless that is their own wallet or card; a company whose member the token or its driver is; the driver's own wallet or
card; a partner who pays for such contracts; the party's policy for the rest. What is blocked or over pays for nothing, and
nothing else steps in for it.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.ledger.entries import NOBODY
from ohmstead.billing.paying.model import Cover, Method

AD_HOC_TYPES = frozenset({"DirectPayment"})


class Asked(Struct, frozen=True, kw_only=True):
    """What is known of whoever shows a token. `*_company`: the company whose member it is; `suspended_companies`: of those that
    may come into question, the ones that pay for nothing now.
    """

    type: str | None = None
    driver_id: str | None = None
    payment_id: str | None = None
    token_method: Method | None = None
    driver_method: Method | None = None
    token_company: str | None = None
    driver_company: str | None = None
    suspended_companies: frozenset[str] = frozenset()
    partner: str | None = None
    is_in_debt: bool = False
    has_wallet: bool = False
    without_method: Literal["invoice", "refuse"] = "invoice"


def cover_of(asked: Asked) -> Cover:
    """Who pays; kind `refused` where nobody does, with what stands in the way as its source."""
    if asked.payment_id is not None:
        return Cover(kind="ad_hoc", source="payment", ref=asked.payment_id)
    if asked.type in AD_HOC_TYPES:
        return Cover(kind="terminal", source="terminal")
    cover, company = _by_method(asked), asked.token_company or asked.driver_company
    if cover is None or (company is not None and _is_own(cover)):
        if company is not None:
            cover = Cover(kind="company", source="company", ref=company)
        elif asked.partner is not None:
            cover = Cover(kind="partner", source="contract", ref=asked.partner)
        else:
            kind: Literal["invoice", "refused"] = "invoice" if asked.without_method == "invoice" else "refused"
            cover = Cover(kind=kind, source="policy")
    return _held_to(asked, cover)


def _is_own(cover: Cover) -> bool:
    """The driver's own money, which a company spares them; what operators set otherwise stays."""
    return cover.source == "driver" and cover.kind in ("wallet", "card")


def _by_method(asked: Asked) -> Cover | None:
    if asked.token_method is not None:
        method, source = asked.token_method, "token"
    elif asked.driver_method is not None:
        method, source = asked.driver_method, "driver"
    else:
        return None
    ref = asked.driver_id if method.kind == "wallet" else method.ref
    return Cover(kind=method.kind, source="token" if source == "token" else "driver", ref=ref)


def _held_to(asked: Asked, cover: Cover) -> Cover:
    """Who owes begins nothing, whatever they pay with; but what others pay for, or nobody, is no matter of theirs."""
    lacks_wallet = cover.kind == "wallet" and not (asked.has_wallet and asked.driver_id is not None)
    is_suspended = cover.kind == "company" and cover.ref in asked.suspended_companies
    owes = asked.is_in_debt and cover.kind in ("wallet", "card", "invoice")
    return Cover(kind="refused", source=cover.source, ref=cover.ref) if lacks_wallet or is_suspended or owes else cover


def customer_of(
    kind: str | None, ref: str | None, *, driver_id: UUID | None, token_id: UUID | None, payment_id: UUID | None
) -> str:
    """Who owes what a session costs: whoever covers it, else its driver, else its token, else nobody that we know."""
    if kind in ("company", "partner") and ref is not None:
        return f"{kind}:{ref}"
    if payment_id is not None:
        return f"payment:{payment_id}"
    if driver_id is not None:
        return f"driver:{driver_id}"
    return f"token:{token_id}" if token_id is not None else NOBODY
