"""What happens to locations, and to what is set for a whole party."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.facts.kinds import OPERATOR, By, Id, fact

LOCATION_ID = "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"
_THEME = "Locations"
_SUBJECT = "location/<id>"


class LocationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which location, who did it, and what was set."""

    location_id: Id
    by: By
    name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    postal_code: str | UnsetType = UNSET
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-3 or alpha-2.")] | UnsetType = UNSET
    latitude: float | None | UnsetType = UNSET
    longitude: float | None | UnsetType = UNSET
    time_zone: Annotated[str, Meta(description="An IANA name.")] | UnsetType = UNSET
    reference: Annotated[str | None, Meta(description="What other systems call it.")] | UnsetType = UNSET
    state: str | UnsetType = UNSET
    directions: str | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    owner_website: str | UnsetType = UNSET
    help_phone: str | UnsetType = UNSET
    access: str | UnsetType = UNSET
    parking_type: str | None | UnsetType = UNSET
    parking_restrictions: list[str] | UnsetType = UNSET
    facilities: list[str] | UnsetType = UNSET
    opening: Annotated[dict[str, Any] | None, Meta(description="Hours, as in the API.")] | UnsetType = UNSET
    charges_when_closed: bool | UnsetType = UNSET
    energy_supplier: str | UnsetType = UNSET
    is_green_energy: bool | None | UnsetType = UNSET
    is_published: bool | UnsetType = UNSET
    power_tree: Annotated[list[dict[str, Any]], Meta(description="Its circuits as they are now.")] | UnsetType = UNSET
    photo_added: Id | UnsetType = UNSET
    photo_changed: Id | UnsetType = UNSET
    photo_deleted: Id | UnsetType = UNSET


@fact(
    _THEME,
    _SUBJECT,
    location_id=LOCATION_ID,
    by=OPERATOR,
    name="Harbour Car Park",
    address="Quay 1",
    city="Rotterdam",
    postal_code="3011",
    country="NLD",
    latitude=51.91,
    longitude=4.48,
    time_zone="Europe/Amsterdam",
)
class LocationCreated(LocationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A location was created."""


@fact(_THEME, _SUBJECT, location_id=LOCATION_ID, by=OPERATOR, name="Harbour East")
class LocationChanged(LocationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A location was changed; what was set stands here, with its new value."""


@fact(_THEME, _SUBJECT, location_id=LOCATION_ID, by=OPERATOR)
class LocationDeleted(LocationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A location was deleted. Sessions that were there stay."""


@fact("Setting stations up", "party/<id>", is_on=True, by=OPERATOR)
class LocalListsChanged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether stations get local authorization lists was changed."""

    is_on: bool
    by: By
