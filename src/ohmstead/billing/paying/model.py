"""Ways of paying: with what a token or a driver pays, what a party asks for, and who pays for a session."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

MethodKind: TypeAlias = Literal["wallet", "card", "company", "invoice", "partner", "free"]
CoverKind: TypeAlias = Literal[
    "wallet", "card", "company", "invoice", "partner", "free", "ad_hoc", "terminal", "refused"
]
Source: TypeAlias = Literal["token", "driver", "company", "contract", "payment", "terminal", "policy"]
Amount: TypeAlias = Annotated[Decimal, Meta(description="Exact, in its currency's minor unit.")]
PartnerCode: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}-[A-Z0-9]{3}$(?!\n)", description="Country and party, as OCPI has them: `DE-ABC`.")
]


class Method(Struct, frozen=True, kw_only=True):
    """With what somebody pays. `ref`: which stored card or company (its id), or which partner (its code)."""

    kind: MethodKind
    ref: str | None = None


class Cover(Struct, frozen=True, kw_only=True):
    """Who pays for a session, and with what. `source`: what decided it.

    `ref` of a wallet is its driver's id, of an ad hoc payment the payment's.
    """

    kind: CoverKind
    source: Source
    ref: str | None = None


class PayingMethod(Struct, frozen=True, kw_only=True):
    """With what a token or a driver pays, and what decides it."""

    kind: Annotated[CoverKind, Meta(description="`refused`: nobody pays, so that no session begins.")]
    source: Annotated[Source, Meta(description="What decides: the token, its driver, a company's membership, …")]
    ref: Annotated[str | None, Meta(description="The stored card, company, partner, payment, or wallet's driver.")]
    name: Annotated[str, Meta(description="Of the card, the company or the partner, as people call it.")] = ""
    token_id: UUID | None = None
    driver_id: UUID | None = None


class NewPayingMethod(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With what a token or a driver shall pay."""

    kind: MethodKind
    method_id: Annotated[UUID | None, Meta(description="Of `card`: which stored card.")] = None
    company_id: Annotated[UUID | None, Meta(description="Of `company`: which.")] = None
    partner: Annotated[PartnerCode | None, Meta(description="Of `partner`: which.")] = None


class PayingPolicy(Struct, frozen=True, kw_only=True):
    """How a party is paid. Amounts are in the currency of the wallet or company that they are about."""

    party_id: UUID
    without_method: Annotated[
        Literal["invoice", "refuse"],
        Meta(description="Tokens for which nobody pays in particular: on account, or no session."),
    ] = "invoice"
    hold_amount: Annotated[Decimal, Meta(description="What a session holds of a wallet, again and again.")] = Decimal(
        20
    )
    least_credit: Annotated[Decimal, Meta(description="With less to spend no session begins.")] = Decimal(1)
    version: Annotated[int, Meta(description="Counts changes; it is the ETag. 0: nothing was set up.")] = 0


class PayingPolicyChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of it; what is left out stays."""

    without_method: Literal["invoice", "refuse"] | UnsetType = UNSET
    hold_amount: Decimal | UnsetType = UNSET
    least_credit: Decimal | UnsetType = UNSET


class PayingPartner(Struct, frozen=True, kw_only=True):
    """Contracts that a partner pays for: a car maker's, or another provider's."""

    prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{2}[A-Z0-9]{3}$(?!\n)",
            description="How their contract ids (eMAID) begin, without hyphens: country and provider, `DE8AA`.",
        ),
    ]
    partner: PartnerCode
    name: Annotated[str, Meta(min_length=1, max_length=100)]


class SessionCover(Struct, frozen=True, kw_only=True):
    """Who pays for a session and with what, as it was when it began."""

    session_id: UUID
    party_id: UUID
    kind: CoverKind
    ref: str | None
    source: Source
    driver_id: UUID | None
    limit_amount: Annotated[Decimal | None, Meta(description="What is held for it now; null: nothing is.")]
    currency: str | None
    plans: list[str] = []
    coupons: list[str] = []
