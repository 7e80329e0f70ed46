"""What a location is for drivers and technicians: hours, amenities, access, photos, and what its circuits may carry.

Names are OCPI 2.2.1's (8.3 Locations module, Location class), in lower case.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

Access: TypeAlias = Literal["public", "restricted", "private"]
ParkingType: TypeAlias = Literal[
    "along_motorway", "parking_garage", "parking_lot", "on_driveway", "on_street", "underground_garage"
]
ParkingRestriction: TypeAlias = Literal["ev_only", "plugged", "disabled", "customers", "motorcycles"]
Facility: TypeAlias = Literal[
    "hotel",
    "restaurant",
    "cafe",
    "mall",
    "supermarket",
    "sport",
    "recreation_area",
    "nature",
    "museum",
    "bike_sharing",
    "bus_stop",
    "taxi_stand",
    "tram_stop",
    "metro_station",
    "train_station",
    "airport",
    "parking_lot",
    "carpool_parking",
    "fuel_station",
    "wifi",
]
Clock: TypeAlias = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="Local time, as 07:30.")
]


class WeeklyHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open on a weekday between two local times; `until` 23:59 means to the end of the day."""

    weekday: Annotated[int, Meta(ge=1, le=7, description="1 is Monday.")]
    since: Clock
    until: Clock


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of time that is not as the week says."""

    since: datetime
    until: datetime


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a location is open. `openings` add to the week, `closings` go before everything."""

    is_always: Annotated[bool, Meta(description="Round the clock, but for `closings`.")] = False
    weekly: Annotated[list[WeeklyHours], Meta(max_length=100)] = []
    openings: Annotated[list[Span], Meta(max_length=200)] = []
    closings: Annotated[list[Span], Meta(max_length=200)] = []


CircuitName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
LimitA: TypeAlias = Annotated[
    Decimal, Meta(description="What a phase may carry, in A, up to 100000: the fuse, or what the contract says.")
]


class Circuit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grid connection (without a parent) or a circuit below one, and the stations it feeds directly."""

    circuit_id: UUID
    name: CircuitName
    limit_a: LimitA
    phases: Literal[1, 3] = 3
    voltage_v: Annotated[int, Meta(ge=50, le=1000, description="Between a phase and neutral, in V.")] = 230
    parent_id: Annotated[UUID | None, Meta(description="The circuit that feeds it; null: the grid.")] = None
    station_ids: Annotated[list[str], Meta(max_length=1000)] = []


class TreeChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole power tree of a location, as it is to be. Ids are the sender's to choose; known ones are changed."""

    circuits: Annotated[list[Circuit], Meta(max_length=200)]


Kind: TypeAlias = Literal["circuits_exceed", "stations_exceed", "unrated"]


class Doubt(Struct, frozen=True, kw_only=True):
    """Something about a circuit that is allowed, and that somebody should know."""

    circuit_id: UUID
    kind: Kind
    text: str


class PlacedCircuit(Struct, frozen=True, kw_only=True):
    """A circuit as it is, with what is below it."""

    circuit_id: UUID
    name: str
    limit_a: Decimal
    limit_w: Annotated[int, Meta(description="What all its phases may carry together, in W.")]
    phases: int
    voltage_v: int
    parent_id: UUID | None
    depth: Annotated[int, Meta(description="0: a grid connection.")]
    station_ids: list[str]
    circuits_w: Annotated[int, Meta(description="The limits of the circuits right below it, added up, in W.")]
    stations_w: Annotated[int, Meta(description="What the stations right below it may draw, added up, in W.")]


class PowerTree(Struct, kw_only=True):
    """What a location's grid connections and circuits may carry, each after what feeds it."""

    location_id: UUID
    version: Annotated[int, Meta(description="Of the location; it is the ETag.")]
    circuits: list[PlacedCircuit]
    doubts: list[Doubt]
    unplaced: Annotated[list[str], Meta(description="Stations at the location that no circuit feeds.")]


class PhotoChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a photo; what is left out stays."""

    alt: Annotated[str, Meta(max_length=300, description="What it shows, for who cannot see it.")] | None = None
    position: Annotated[int, Meta(ge=1, le=100, description="1 comes first; the others make room.")] | None = None


class Photo(Struct, frozen=True, kw_only=True):
    """A photo of a location, in the order they are shown."""

    photo_id: UUID
    location_id: UUID
    position: int
    alt: str
    sha256: str
    width: int
    height: int
    size_bytes: int
    created_at: datetime
