"""How the installation is set up, as far as it may be told: nothing secret, and addresses only to who runs it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ohmstead.accounts.model import Role
from ohmstead.stations.quirks.profiles import Effects, Match


class ProviderView(Struct, frozen=True, kw_only=True):
    """A provider of OpenID Connect that people may sign in with, and its rules."""

    name: str
    label: str
    issuer: str
    client_id: str
    party: Annotated[str | None, Meta(description="Whose people it vouches for; null: the one that runs it all.")]
    groups_claim: str
    groups: Annotated[dict[str, Role], Meta(description="The role that each of its groups gives.")]
    default_role: Annotated[Role | None, Meta(description="For who is in none of them; null: turned away.")]
    creates_people: bool
    links_by_email: bool


class DirectoryState(Struct, frozen=True, kw_only=True):
    """Directories (SCIM): on where a key that is good may keep people."""

    address: str
    is_on: bool
    n_keys: int
    last_used_at: datetime | None
    last_used_from: str | None


class SignInWays(Struct, frozen=True, kw_only=True):
    """How people come in."""

    console_url: Annotated[str, Meta(description="Where people reach the console.")]
    passkey_origin: Annotated[str, Meta(description="Passkeys are good at this address only.")]
    passkey_domain: str
    asks_breach_list: Annotated[bool, Meta(description="Are passwords compared with those that became public?")]
    providers: list[ProviderView]
    directory: DirectoryState


class Integration(Struct, frozen=True, kw_only=True):
    """Something outside that is asked, or told."""

    name: str
    meaning: str
    is_on: bool
    settings: Annotated[list[str], Meta(description="The settings that say so.")]
    where: Annotated[list[str], Meta(description="Addresses or hosts; told to the party that runs it all only.")]


class VendorMessages(Struct, frozen=True, kw_only=True):
    """A vendor whose own messages (DataTransfer) are understood."""

    vendor_id: str
    meaning: str
    to_station: list[str]
    from_station: list[str]


class Integrations(Struct, frozen=True, kw_only=True):
    """What Ohmstead speaks with besides stations and people."""

    items: list[Integration]
    vendors: list[VendorMessages]


class Kept(Struct, frozen=True, kw_only=True):
    """How long something is kept."""

    what: str
    days: Annotated[int | None, Meta(description="null: for good.")]
    setting: Annotated[str | None, Meta(description="The setting that says so; null: it is always so.")]
    note: str


class Retention(Struct):
    """What is kept how long."""

    items: list[Kept]


class KnownQuirk(Struct, frozen=True, kw_only=True):
    """What a make does differently, why that is believed, and how many stations it is about."""

    name: str
    match: Match
    because: str
    source: str
    effects: Effects
    is_own: Annotated[bool, Meta(description="From the operator's own directory.")]
    n_stations: Annotated[int, Meta(description="Stations of yours that it fits.")]
