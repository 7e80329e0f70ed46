"""Places and plugs as drivers see them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.stations.sites.model import Hours


class PublicPlug(Struct, frozen=True, kw_only=True):
    """A connector. `state` as the reports work it out; `power_w`: what it can give, as far as anybody said."""

    station_id: str
    evse_number: int
    connector_number: int
    n_connectors: int
    label: str
    standard: str | None
    current_type: str | None
    power_w: int | None
    state: str
    state_at: datetime | None


class PublicSite(Struct, frozen=True, kw_only=True):
    """A location with its plugs."""

    location_id: UUID
    party_id: UUID
    name: str
    address: str
    city: str
    postal_code: str
    country: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    directions: str
    help_phone: str
    access: str
    is_published: bool
    facilities: list[str]
    opening: Hours | None
    is_green_energy: bool | None
    operator: str
    plugs: list[PublicPlug]


class PlugPage(Struct, frozen=True, kw_only=True):
    """An outlet (EVSE) as its page needs it: the place, its connectors, and the session that goes on at it."""

    party_id: UUID
    party_name: str
    currency: str
    station_id: str
    evse_number: int
    station_name: str
    reference: str
    location_id: UUID | None
    location_name: str
    city: str
    time_zone: str
    help_phone: str
    access: str
    latitude: float | None
    longitude: float | None
    connectors: list[PublicPlug]
    session_id: UUID | None
    session_token_id: UUID | None
    session_energy_wh: Decimal | None
    session_started_at: datetime | None
    reserved_until: datetime | None
    has_payment_code: bool
