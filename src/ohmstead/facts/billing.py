"""What happens to bills and books."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from ohmstead.facts.kinds import OPERATOR, STATION, By, Id, StationId, fact

_CDR: dict[str, Any] = {
    "cdr_id": "019a9d90-4400-7a10-8b00-2b3c4d5e6f71",
    "session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
    "station_id": STATION,
    "version": 1,
    "currency": "EUR",
    "before_taxes": "9.80",
    "total": "11.86",
    "by": "system",
}


class CdrFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which CDR, of which session, over how much."""

    cdr_id: Id
    session_id: Id
    station_id: StationId
    version: Annotated[int, Meta(description="How often the session was billed.")]
    currency: str
    before_taxes: Annotated[str, Meta(description="An exact decimal; negative of a credit.")]
    total: Annotated[str, Meta(description="With taxes; an exact decimal, negative of a credit.")]
    by: By


@fact("Billing", "cdr/<id>", **_CDR, replaces_id=None)
class CdrCreated(CdrFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A settled session was billed: its price is final, and in the books."""

    replaces_id: Annotated[str | None, Meta(description="The credited CDR that it was made instead of.")]


@fact(
    "Billing",
    "cdr/<id>",
    **_CDR
    | {"cdr_id": "019a9d90-5500-7a10-8b00-2b3c4d5e6f71", "before_taxes": "-9.80", "total": "-11.86", "by": OPERATOR},
    credits_id=_CDR["cdr_id"],
    reason="The meter was wrong",
)
class CdrCredited(CdrFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CDR was taken back by a credit, which is the CDR that this tells of."""

    credits_id: Annotated[str, Meta(description="The CDR that was taken back.")]
    reason: str


@fact("Billing", "ledger/<month>", month="2026-02", by=OPERATOR)
class PeriodLocked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A month of the ledger was closed, with all before it."""

    month: Annotated[str, Meta(description="`2026-02`.")]
    by: By


@fact(
    "Billing",
    "invoice/<id>",
    invoice_id="019a9da0-1100-7a10-8b00-2b3c4d5e6f71",
    number="R-2026-000042",
    kind="receipt",
    customer="driver:019a9d5f-2200-7b66-9f00-5e6f7a8b9c0d",
    total="11.86",
    currency="EUR",
    session_id=_CDR["session_id"],
    by="system",
)
class InvoiceIssued(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt, invoice, statement, credit note or statement to a host was issued."""

    invoice_id: Id
    number: Annotated[str, Meta(description="As it stands on the document; without gaps in its range.")]
    kind: Annotated[str, Meta(description="`receipt`, `invoice`, `statement`, `credit_note` or `self_billing`.")]
    customer: Annotated[str, Meta(description="Whom it is for: `driver:<id>`, `company:<id>`, `host:<id>` and so on.")]
    total: Annotated[str, Meta(description="With taxes; an exact decimal, negative of a credit note.")]
    currency: str
    session_id: Annotated[str | None, Meta(description="Of a receipt: its session.")]
    by: By


@fact(
    "Billing",
    "invoice/<id>",
    invoice_id="019a9da0-1100-7a10-8b00-2b3c4d5e6f72",
    number="INV-2026-000007",
    customer="company:019a9d5f-3300-7b66-9f00-5e6f7a8b9c0d",
    currency="EUR",
    paid_on="2026-03-20",
    by="system",
)
class InvoicePaid(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing is open of an invoice any more: it was paid by bank, or through a provider, after it was issued."""

    invoice_id: Id
    number: str
    customer: Annotated[str, Meta(description="Whom it is for: `company:<id>`, `driver:<id>` and so on.")]
    currency: str
    paid_on: Annotated[str, Meta(description="The day on which the last of it came in: `2026-03-20`.")]
    by: By


@fact(
    "Billing",
    "invoice/<id>",
    invoice_id="019a9da0-1100-7a10-8b00-2b3c4d5e6f72",
    number="INV-2026-000007",
    customer="company:019a9d5f-3300-7b66-9f00-5e6f7a8b9c0d",
    stage=1,
    is_final=False,
    open="71.15",
    currency="EUR",
    due_on="2026-04-15",
    at="2026-04-22T09:00:00+00:00",
)
class InvoiceReminded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer is reminded of an invoice that is overdue."""

    invoice_id: Id
    number: str
    customer: Annotated[str, Meta(description="Whom it is for: `company:<id>`, `driver:<id>` and so on.")]
    stage: Annotated[int, Meta(description="1, 2 or 3.")]
    is_final: Annotated[bool, Meta(description="There will be no other reminder.")]
    open: Annotated[str, Meta(description="What is open of it; an exact decimal.")]
    currency: str
    due_on: Annotated[str, Meta(description="`2026-04-15`.")]
    at: Annotated[str, Meta(description="When.")]
