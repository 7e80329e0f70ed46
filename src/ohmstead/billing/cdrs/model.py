"""What a session cost, once and for all; and sessions for which nothing is due until a person says so."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.pricing import CostBreakdown

CdrKind: TypeAlias = Literal["charge", "credit"]
Reason: TypeAlias = Literal[
    "too_short", "no_energy", "implausible", "orphan", "test", "no_tariff", "price_unknown", "credited"
]
Decision: TypeAlias = Literal["bill", "never"]
Why: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500, description="Why; it stays with it.")]


class CdrPlace(Struct, frozen=True, kw_only=True):
    """Where it was charged, as it was called then."""

    location_id: UUID | None = None
    name: str = ""
    address: str = ""
    city: str = ""
    postal_code: str = ""
    state: str = ""
    country: Annotated[str, Meta(description="ISO 3166-1, two letters: whose taxes are due.")] = ""
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"
    station_id: str
    station_name: str = ""
    evse_number: int | None = None
    connector_number: int | None = None
    connector_standard: Annotated[str | None, Meta(description="As OCPI names it.")] = None
    current_type: Literal["AC", "DC"] | None = None
    max_power_w: int | None = None


class CdrToken(Struct, frozen=True, kw_only=True):
    """With what it was charged. An erased driver's is a pseudonym."""

    uid: str | None = None
    type: str | None = None
    token_id: UUID | None = None
    contract_id: str | None = None


class CdrContent(Struct, frozen=True, kw_only=True):
    """What is kept of a CDR as a whole."""

    place: CdrPlace
    cost: CostBreakdown
    periods: list[ChargingPeriod]
    charging_s: int
    idle_s: int
    peak_power_w: Decimal | None = None


class Cdr(Struct, frozen=True, kw_only=True):
    """A charge detail record: what a session cost, line by line. Never changed."""

    cdr_id: UUID
    party_id: UUID
    kind: Annotated[CdrKind, Meta(description="A credit takes a charge back.")]
    session_id: UUID
    version: Annotated[int, Meta(description="How often the session was billed; a credit has what it credits has.")]
    credits_id: Annotated[UUID | None, Meta(description="Of a credit: what it credits.")]
    replaces_id: Annotated[UUID | None, Meta(description="Which credited one it was made instead of.")]
    credited_by: Annotated[UUID | None, Meta(description="The credit that took it back.")] = None
    location_id: UUID | None
    station_id: str
    token: CdrToken
    customer: Annotated[str, Meta(description="Who owes it: `driver:<id>`, `token:<id>`, or `nobody` that we know.")]
    started_at: datetime
    ended_at: datetime
    energy_wh: Decimal
    currency: str
    before_taxes: Annotated[Decimal, Meta(description="Negative of a credit.")]
    total: Annotated[Decimal, Meta(description="With taxes. Negative of a credit.")]
    tariff_id: UUID
    tariff_version: int
    place: CdrPlace
    cost: Annotated[CostBreakdown, Meta(description="Lines and taxes; of a credit those of what it credits.")]
    periods: list[ChargingPeriod]
    charging_s: Annotated[int, Meta(description="Seconds in which energy flowed.")]
    idle_s: Annotated[int, Meta(description="Seconds without.")]
    peak_power_w: Decimal | None
    reason: Annotated[str, Meta(description="Why it was credited, or made anew.")]
    created_at: datetime
    created_by: str

    @property
    def content(self) -> CdrContent:
        """What is kept as a whole."""
        return CdrContent(
            place=self.place,
            cost=self.cost,
            periods=self.periods,
            charging_s=self.charging_s,
            idle_s=self.idle_s,
            peak_power_w=self.peak_power_w,
        )

    def says_the_same_as(self, other: Cdr) -> bool:
        """Would a bill by the one come to the same as by the other? Who pays, and in which words, does not count."""
        names = (
            "started_at",
            "ended_at",
            "energy_wh",
            "tariff_id",
            "tariff_version",
            "currency",
            "before_taxes",
            "total",
        )
        if any(getattr(self, name) != getattr(other, name) for name in names):
            return False
        return self.cost.taxes == other.cost.taxes and _amounts(self.cost) == _amounts(other.cost)


def _amounts(cost: CostBreakdown) -> list[tuple[str, Decimal, Decimal | None]]:
    return [(line.kind, line.amount, line.quantity) for line in cost.lines]


class CdrCredit(Struct, frozen=True, kw_only=True):
    """A credit, and the CDR that was made instead, if one was."""

    credit: Cdr
    replacement: Cdr | None


class CreditOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a CDR back."""

    reason: Why
    bill_again: Annotated[
        bool,
        Meta(
            description="Make a new one from the session as it is now, less what it was reduced by; else the session is not"
            " billed any more."
        ),
    ] = False


class ReduceOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take something off what was billed, or all of it."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, description="Why. Whoever pays reads it on their documents.")
    ]
    amount: Annotated[
        Decimal | None, Meta(description="How much, with taxes, in the CDR's currency; null: all of it.")
    ] = None
    currency: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] | None,
        Meta(description="Refused where the CDR is in another one; null: not looked at."),
    ] = None


class UnbillableSession(Struct, frozen=True, kw_only=True):
    """A settled session without a CDR, and why."""

    session_id: UUID
    party_id: UUID
    location_id: UUID | None
    station_id: str
    started_at: datetime
    ended_at: datetime | None
    energy_wh: Decimal
    token_uid: str | None
    reason: Annotated[Reason, Meta(description="credited: it was billed, and a person took that back.")]
    detail: Annotated[str, Meta(description="The reason in words.")]
    found_at: datetime
    decision: Annotated[Decision | None, Meta(description="null: nobody has decided yet.")]
    note: str
    decided_at: datetime | None
    decided_by: str | None


class UnbillableDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall become of an unbillable session."""

    decision: Annotated[Decision, Meta(description="bill: after all, by its tariff; never: it stays free.")]
    note: Why
    tariff_id: Annotated[
        UUID | None,
        Meta(description="Of a session without a tariff (`no_tariff`): bill it by the newest version of this one."),
    ] = None


class DecidedSession(Struct, frozen=True, kw_only=True):
    """What became of it."""

    session: UnbillableSession
    cdr: Annotated[Cdr | None, Meta(description="The CDR that was made, if it is billed.")]


def content_of(raw: Any) -> CdrContent:
    """As it was kept."""
    return msgspec.convert(raw, CdrContent)
