"""Drivers' cars, as they write them down themselves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

CarName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Standard: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z0-9_]{2,40}$(?!\n)", description="As OCPI names connectors.")]


class NewCar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A car to be."""

    name: CarName
    standard: Standard | None = None
    wh_per_km: Annotated[Decimal | None, Meta(description="What it uses, 50 to 1000.")] = None


class Car(Struct, frozen=True, kw_only=True):
    """A driver's car. `standard`: the plug it takes; `wh_per_km`: what it uses, as its driver says."""

    car_id: UUID
    name: str
    standard: str | None
    wh_per_km: Decimal | None
    created_at: datetime
