"""Parties as they are made and changed, and people who work for several."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.accounts.model import PartyKind, Role

_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
_Country: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="ISO 3166-1, two letters.")]
_Code: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Z0-9]{3}$(?!\n)", description="With the country, what others know the party by (OCPI).")
]
_Currency: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217.")]
_Zone: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, description="IANA name, as Europe/Amsterdam.")]
_Language: TypeAlias = Annotated[
    str, Meta(pattern=r"^[a-z]{2}(-[A-Z]{2})?$(?!\n)", description="As `en` or `de-AT`, for people who chose none.")
]


class PartyView(Struct, frozen=True, kw_only=True):
    """A party of this installation."""

    party_id: UUID
    name: str
    kind: PartyKind
    country_code: str
    party_code: str
    currency: str
    time_zone: str
    language: str
    owns_installation: Annotated[bool, Meta(description="It runs this installation and may make others.")]
    needs_second_person: Annotated[bool, Meta(description="Orders to many stations wait for a second person.")]
    created_at: datetime
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]


class NewParty(Struct, kw_only=True, forbid_unknown_fields=True):
    """A party to be. `owner_name` and `owner_email`: its first owner, who gets a link."""

    name: _Name
    kind: PartyKind
    country_code: _Country
    party_code: _Code
    currency: _Currency = "EUR"
    time_zone: _Zone = "UTC"
    language: _Language = "en"
    owner_name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    owner_email: Annotated[str, Meta(min_length=3, max_length=254)] | None = None


class PartyChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a party; what is left out stays. Its kind is for the installation's owner to change."""

    name: _Name | UnsetType = UNSET
    kind: PartyKind | UnsetType = UNSET
    country_code: _Country | UnsetType = UNSET
    party_code: _Code | UnsetType = UNSET
    currency: _Currency | UnsetType = UNSET
    time_zone: _Zone | UnsetType = UNSET
    language: _Language | UnsetType = UNSET
    needs_second_person: bool | UnsetType = UNSET


class Membership(Struct, frozen=True, kw_only=True):
    """One of the parties that somebody works for. `is_home`: their own, where their account is kept."""

    party_id: UUID
    party_name: str
    kind: PartyKind
    role: Role
    location_ids: Annotated[list[UUID] | None, Meta(description="Only these locations; null: all.")]
    is_home: bool


class Guest(Struct, frozen=True, kw_only=True):
    """Somebody of another party who works for this one too."""

    operator_id: UUID
    name: str
    email: str | None
    home: Annotated[str, Meta(description="The name of their own party.")]
    role: Role
    location_ids: Annotated[list[UUID] | None, Meta(description="Only these locations; null: all.")]
    created_at: datetime


class NewMembership(Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody of another party may do here, and where."""

    role: Role
    location_ids: (
        Annotated[list[UUID], Meta(max_length=1000, description="Only these locations; null: all.")] | None
    ) = None


class Places(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where somebody may do what their role says."""

    location_ids: Annotated[list[UUID], Meta(max_length=1000, description="Only these locations; null: all.")] | None
