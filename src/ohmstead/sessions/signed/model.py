"""What meters signed, and what it is worth."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

Verdict: TypeAlias = Literal["verified", "failed", "no_key", "not_checkable"]
Doubt: TypeAlias = Literal["never", "failed", "missing"]


class Shown(Struct, frozen=True, kw_only=True):
    """One register reading inside a record. `mark`: OCMF's TX. `resolution_wh`: what its last digit stands for."""

    at: datetime
    mark: str
    register_wh: Decimal
    resolution_wh: Decimal
    obis: str
    status: str
    errors: str
    clock: str


class Record(Struct, frozen=True, kw_only=True):
    """What a signed text says. `page`: its number in the meter's count of transaction readings; None: it tells none.
    `session`: the meter's own number of the session, where it signs one.
    """

    serial: str
    page: int | None
    shown: list[Shown]
    session: str = ""


class SignedReading(Struct, frozen=True, kw_only=True):
    """A meter's signed statement, with the bytes as the station sent them."""

    signed_reading_id: Annotated[str, Meta(description="SHA-256 of the bytes, hexadecimal.")]
    format: Annotated[str, Meta(description="`OCMF`, `ALFEN`; others are kept and not checked: `EDL40`, ….")]
    raw: bytes
    encoding: str | None
    signing_method: str | None
    public_key: Annotated[str | None, Meta(description="What it was checked with: DER, hexadecimal.")]
    verdict: Annotated[Verdict, Meta(description="Whether the signature is the meter's.")]
    why: Annotated[str, Meta(description="What is wrong, in words; empty of a verified one.")]
    reading_wh: Annotated[Decimal | None, Meta(description="The signed register, Wh.")]
    at: Annotated[datetime, Meta(description="When it was read: as signed, else as the station told.")]
    context: str
    measurand: str


class SignedSession(Struct, frozen=True, kw_only=True):
    """What the signed readings of a settled session are worth together."""

    session_id: UUID
    verdict: Verdict
    reasons: Annotated[list[str], Meta(description="What does not hold, in words.")]
    n_readings: int
    energy_wh: Annotated[Decimal | None, Meta(description="The difference of the signed registers, Wh.")]
    checked_at: datetime


class MeterKey(Struct, frozen=True, kw_only=True):
    """A meter's public key, as it is or was pinned to an EVSE."""

    meter_key_id: UUID
    station_id: str
    evse_number: Annotated[int, Meta(description="0: the station's only meter.")]
    public_key: Annotated[str, Meta(description="DER, hexadecimal.")]
    curve: str
    serial: Annotated[str, Meta(description="The meter's serial number, where somebody told it.")]
    source: Annotated[
        Literal["registered", "message"],
        Meta(description="registered: by a person; message: the first one that came with a signed reading."),
    ]
    since_at: datetime
    until_at: Annotated[datetime | None, Meta(description="null: readings are checked with it.")]
    added_by: str


class NewMeterKey(Struct, kw_only=True, forbid_unknown_fields=True):
    """A public key to pin, as it is printed on the meter or listed by the authority."""

    evse_number: Annotated[int, Meta(ge=0, le=1000, description="0: the station's only meter.")]
    public_key: Annotated[str, Meta(min_length=1, max_length=2000, description="DER in hexadecimal or base64, or PEM.")]
    serial: Annotated[str, Meta(max_length=100, description="The meter's serial number.")] = ""


class SignedPolicy(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which sessions signatures keep from being billed by themselves."""

    doubt: Annotated[
        Doubt,
        Meta(
            description="never: none; failed: those whose signed readings do not stand the check; missing: also those"
            " without verified ones at EVSEs with a registered key."
        ),
    ]
