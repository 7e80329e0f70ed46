"""What running sessions, and refunds on their way, hold of an account."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Hold(Struct, frozen=True, kw_only=True):
    """Money that is spoken for. `account`: `driver:<id>` (their wallet) or `company:<id>` (its limit).

    Of a session (`session_id`), of a start whose session nobody has seen yet (`uid_key`, `station_id`, until
    `expires_at`), or of a refund (`payment_id`).
    """

    hold_id: UUID
    party_id: UUID
    account: str
    currency: str
    amount_minor: int
    made_at: datetime
    uid_key: str | None = None
    station_id: str | None = None
    session_id: UUID | None = None
    payment_id: UUID | None = None
    expires_at: datetime | None = None


def of_wallet(driver_id: UUID | str) -> str:
    """The account that holds of a wallet are on."""
    return f"driver:{driver_id}"


def of_company(company_id: UUID | str) -> str:
    """The account that holds of a company's limit are on."""
    return f"company:{company_id}"
