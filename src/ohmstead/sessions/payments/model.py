"""Payments on the web page behind a station's QR code (OCPP 2.1 C25)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.stations.orders import SessionLimit

Why: TypeAlias = Literal[
    "not_set_up", "unknown_evse", "unknown_version", "password_form", "password_wrong", "password_used", "being_paid"
]


class NewSetup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a station's QR codes shall look."""

    url_template: Annotated[
        str,
        Meta(
            pattern=r"^https://[\x21-\x7e]+$(?!\n)",
            max_length=500,
            description="With `{chargingstationid}`, `{evse}`, `{totp}` and `{version}` where the station puts them.",
        ),
    ]
    validity_s: Annotated[int, Meta(ge=6, le=3600, description="How long a password is shown.")] = 60
    length: Annotated[int, Meta(ge=6, le=32, description="Of the passwords.")] = 8


class Setup(Struct, frozen=True, kw_only=True):
    """A station that shows QR codes with one-time passwords."""

    station_id: str
    party_id: UUID
    generation: UUID
    validity_s: int
    length: int
    set_at: datetime


class SetupView(Struct, frozen=True, kw_only=True):
    """How a station's QR codes look; the secret behind them is shown to nobody."""

    station_id: str
    validity_s: int
    length: int
    set_at: datetime
    command_id: Annotated[UUID, Meta(description="The order that told the station.")]


class Scan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a QR code says. The limits are what the driver chose at the station; they come in the code, too."""

    station_id: Annotated[str, Meta(min_length=1, max_length=48)]
    evse_number: Annotated[int, Meta(ge=1, le=10_000)]
    totp: Annotated[str, Meta(min_length=1, max_length=64, description="The one-time password.")]
    version: Annotated[str, Meta(min_length=1, max_length=10, description="Of the passwords: v1.")] = "v1"
    limit: SessionLimit | None = None


class WebPayment(Struct, frozen=True, kw_only=True):
    """Leave to pay for a session at an EVSE, and the start that came of it."""

    web_payment_id: UUID
    party_id: UUID
    station_id: str
    evse_number: int
    limits: Annotated[SessionLimit | None, Meta(description="What the driver chose at the station.")]
    begun_at: datetime
    expires_at: Annotated[datetime, Meta(description="Until when a session may be started with it.")]
    psp_ref: Annotated[str | None, Meta(description="The payment that the session was started with.")] = None
    command_id: Annotated[UUID | None, Meta(description="The remote start.")] = None


class Refusal(Struct, frozen=True):
    """A QR code that is not good, and why: `why` for programs, `text` for people."""

    why: Why
    text: str
    field: str


class NewStart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment that the provider has authorized."""

    psp_ref: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}$(?!\n)", description="The provider's reference.")]
    limit: Annotated[SessionLimit | None, Meta(description="What was authorized, beside the driver's own limits.")] = (
        None
    )
