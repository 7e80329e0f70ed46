"""What happens to sessions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ohmstead.facts.kinds import STATION, EvseNumber, Id, Instant, StationId, fact

SESSION_ID = "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"
_THEME = "Sessions"
_SUBJECT = "session/<id>"
_EXAMPLE: dict[str, Any] = {
    "session_id": SESSION_ID,
    "station_id": STATION,
    "evse_number": 1,
    "transaction_id": "tx-17",
    "status": "active",
    "energy_wh": "11759.75",
    "ocpp_version": "2.0.1",
}


class SessionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session as it was then."""

    session_id: Id
    station_id: StationId
    evse_number: EvseNumber
    transaction_id: Annotated[str | None, Meta(description="What the station calls it.")]
    status: Literal["pending", "active", "closing", "completed", "invalid"]
    energy_wh: Annotated[str, Meta(description="Wh so far, an exact decimal.")]
    ocpp_version: Annotated[str, Meta(description="`1.6`, `2.0.1` or `2.1`.")]


@fact(_THEME, _SUBJECT, **_EXAMPLE)
class SessionStarted(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session began, with or without a car that charges yet."""


@fact(_THEME, _SUBJECT, **_EXAMPLE | {"status": "completed"})
class SessionEnded(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session ended. Its totals become final with `SessionSettled`."""


@fact(_THEME, _SUBJECT, **_EXAMPLE | {"status": "completed"})
class SessionChanged(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something about a session that had ended became known late. It is settled once more."""


@fact(_THEME, _SUBJECT, **_EXAMPLE | {"status": "completed", "energy_wh": "31250.5"})
class SessionSettled(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's totals were computed from all its samples: these are the ones to bill. Comes again after late news."""


@fact(_THEME, _SUBJECT, **_EXAMPLE)
class SessionGapFound(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages of a session are missing; the station is asked for them."""


@fact(_THEME, _SUBJECT, **_EXAMPLE | {"status": "invalid"})
class OrphanRecorded(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station reported the end of a session whose beginning never came."""


@fact(_THEME, _SUBJECT, **_EXAMPLE | {"status": "invalid"})
class ForeignTransactionReported(SessionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station reported on a transaction that is another station's. Nothing of that one was touched."""


class Settlement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a payment terminal said."""

    station_id: StationId
    psp_ref: Annotated[str, Meta(description="The payment provider's reference.")]
    transaction_id: str | None
    status: Annotated[str, Meta(description="`settled`, `canceled`, `rejected` or `failed`.")]
    amount: Annotated[str, Meta(description="An exact decimal, in the terminal's currency.")]


_SETTLEMENT = {"station_id": STATION, "psp_ref": "psp-77", "transaction_id": "tx-17", "amount": "12.40"}


@fact("Payment", "station/<id>", **_SETTLEMENT | {"status": "settled"})
class PaymentSettled(Settlement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment terminal says that a payment went through."""


@fact("Payment", "station/<id>", **_SETTLEMENT | {"status": "rejected"})
class SettlementFailed(Settlement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment terminal says that a payment did not go through."""


@fact(_THEME, "station/<id>", station_id=STATION, at="2026-03-02T09:10:00Z", needs_id=SESSION_ID)
class ChargingNeedsReported(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A car said how much it needs and by when (ISO 15118)."""

    station_id: StationId
    at: Instant
    needs_id: Id


class CoverFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a session costs, and where its limit is."""

    session_id: Id
    station_id: StationId
    evse_number: EvseNumber
    whose: Annotated[
        Literal["cover", "driver"],
        Meta(description="cover: as much as is paid for, or can be; driver: as much as they want to pay."),
    ]
    limit: Annotated[str, Meta(description="With taxes; an exact decimal.")]
    total: Annotated[str, Meta(description="What the session costs so far, with taxes; an exact decimal.")]
    currency: str


_COVER: dict[str, Any] = {
    "session_id": SESSION_ID,
    "station_id": STATION,
    "evse_number": 1,
    "whose": "cover",
    "limit": "40.00",
    "currency": "EUR",
}


@fact(_THEME, _SUBJECT, **_COVER, total="36.12")
class CoverEnding(CoverFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's cost comes near its limit. Told once for each limit."""


@fact(_THEME, _SUBJECT, **_COVER, total="40.07")
class CoverRanOut(CoverFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's cost reached its limit: the station is asked to end it. Told once for each limit."""


@fact(
    _THEME,
    _SUBJECT,
    session_id=SESSION_ID,
    station_id=STATION,
    evse_number=1,
    verdict="failed",
    reasons=["the signature is not the meter's"],
)
class SignedReadingsFailed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the meter signed in a session did not stand the check."""

    session_id: Id
    station_id: StationId
    evse_number: EvseNumber
    verdict: Literal["failed"]
    reasons: list[str]
