"""What stations tell beside charging itself: payments settled, batteries swapped, tax numbers shown."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """A payment terminal says that a payment was settled, or that it could not be (2.1 C18–C24); or we settled it.

    `currency` None: that of the station's prices, which it does not tell.
    """

    station_id: str
    party_id: UUID
    psp_ref: str
    status: Literal["settled", "canceled", "rejected", "failed"]
    amount: Decimal
    settled_at: datetime
    received_at: datetime
    transaction_id: str | None = None
    status_info: str | None = None
    receipt_id: str | None = None
    receipt_url: str | None = None
    vat_number: str | None = None
    vat_company: dict[str, Any] | None = None
    settled_by: Literal["station", "us"] = "station"
    currency: str | None = None


class StationCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a station reckons that a session costs (2.1 I12): `total` with taxes where it tells them, `details` in its own
    words. `failure`: why it could not reckon. The latest counts.
    """

    station_id: str
    party_id: UUID
    transaction_id: str
    seq_no: int
    at: datetime
    currency: str
    total: Decimal
    details: dict[str, Any]
    failure: str | None = None


class BatterySwap(msgspec.Struct, frozen=True, kw_only=True):
    """Batteries went into a swap station, came out, or were not taken (2.1 S01–S04)."""

    station_id: str
    party_id: UUID
    request_id: int
    event: Literal["in", "out", "out_timeout"]
    token_uid: str
    batteries: tuple[dict[str, Any], ...]
    at: datetime


class VatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a VAT number. `is_valid` None: nobody could tell."""

    number: str
    is_valid: bool | None
    reason: str = ""
    name: str | None = None
    address: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
