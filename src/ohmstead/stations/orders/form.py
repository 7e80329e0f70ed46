"""What orders are made of: the form they all have, and the parts that several of them share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Whole: TypeAlias = Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=2_147_483_647)]
EvseNumber: TypeAlias = Annotated[int, Meta(ge=1, le=10_000, description="An EVSE of the station, from 1.")]
Outlet: TypeAlias = Annotated[int, Meta(ge=0, le=10_000, description="An EVSE from 1; 0 is the station as a whole.")]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
TransactionId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=36)]
Url: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000, description="Where the station finds it.")]
Pem: TypeAlias = Annotated[str, Meta(min_length=1, max_length=10_000, description="PEM.")]
RequestId: TypeAlias = Annotated[
    int, Meta(ge=0, le=2_147_483_647, description="By which later reports are known; chosen when left out.")
]
Uid: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Secret: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
RateUnit: TypeAlias = Literal["A", "W"]


class OrderForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=True):
    """What is asked of a station; the tag is the command's `kind`."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of an order."""


class TokenRef(Part, frozen=True, kw_only=True):
    """A card, app or contract, as a station would read it."""

    uid: Uid
    type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"


class Text(Part, frozen=True, kw_only=True):
    """Words for a display. `language` is an RFC 5646 code."""

    content: Annotated[str, Meta(min_length=1, max_length=1024)]
    format: Literal["ascii", "html", "uri", "utf8", "qr_code"] = "utf8"
    language: Annotated[str, Meta(max_length=8)] | None = None


class CertificateRef(Part, frozen=True, kw_only=True):
    """A certificate by its hashes, as `list_certificates` reports it."""

    hash_algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    issuer_name_hash: Annotated[str, Meta(min_length=1, max_length=128)]
    issuer_key_hash: Annotated[str, Meta(min_length=1, max_length=128)]
    serial_number: Annotated[str, Meta(min_length=1, max_length=40)]
