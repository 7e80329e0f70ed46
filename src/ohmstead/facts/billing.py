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
