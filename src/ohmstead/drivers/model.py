"""Drivers: people who charge. As little is kept of them as the network needs, and all of it can be erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.tokens.register.service import Language, Uid

Status: TypeAlias = Literal["active", "blocked", "erased"]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, description="What they are called.")]
Email: TypeAlias = Annotated[
    str, Meta(pattern=r"^[^\s@]{1,64}@[^\s@]{1,189}$(?!\n)", max_length=254, description="Where they are written to.")
]
Phone: TypeAlias = Annotated[
    str, Meta(pattern=r"^\+?[0-9 ()/.-]{3,30}$(?!\n)", description="Digits, best with the country: +43 1 234567.")
]
Company: TypeAlias = Annotated[str, Meta(max_length=200, description="Whom they drive for.")]
Notes: TypeAlias = Annotated[str, Meta(max_length=2000, description="Anything to remember; erased with them.")]
Vehicle: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Vehicles: TypeAlias = Annotated[
    list[Vehicle], Meta(max_length=20, description="Their cars, as anybody would name them.")
]


class Driver(Struct, frozen=True, kw_only=True):
    """A person who charges."""

    driver_id: UUID
    party_id: UUID
    name: Annotated[str, Meta(description="Empty once erased.")]
    email: str | None
    phone: str | None
    phone_confirmed_at: Annotated[
        datetime | None,
        Meta(
            description="When a code that was sent to the number was typed in; null: no SMS goes there but such codes."
        ),
    ]
    language: Annotated[str | None, Meta(description="What they read: RFC 5646.")]
    company: str
    notes: str
    group_uid: Annotated[str | None, Meta(description="The group that tokens given to them get.")]
    vehicles: list[str]
    status: Annotated[Status, Meta(description="blocked: no token of theirs begins a session.")]
    n_tokens: Annotated[int, Meta(description="Tokens they hold now.")]
    contracts: Annotated[list[str], Meta(description="The contracts (eMAID) of their tokens.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class NewDriver(Struct, kw_only=True, forbid_unknown_fields=True):
    """A driver to be."""

    name: Name
    email: Email | None = None
    phone: Phone | None = None
    language: Language | None = None
    company: Company = ""
    notes: Notes = ""
    group_uid: Uid | None = None
    vehicles: Vehicles = []


class DriverChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a driver; what is left out stays."""

    name: Name | UnsetType = UNSET
    email: Email | None | UnsetType = UNSET
    phone: Phone | None | UnsetType = UNSET
    language: Language | None | UnsetType = UNSET
    company: Company | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    group_uid: Uid | None | UnsetType = UNSET
    vehicles: Vehicles | UnsetType = UNSET
