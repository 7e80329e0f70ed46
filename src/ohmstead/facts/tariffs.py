"""What happens to tariffs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ohmstead.facts.kinds import OPERATOR, STATION, By, Id, fact

_TARIFF = {"tariff_id": "019a9d80-1100-7a10-8b00-2b3c4d5e6f71", "by": OPERATOR}
_PLACE = {
    "assignment_id": "019a9d80-2200-7a10-8b00-2b3c4d5e6f71",
    "level": "station",
    "location_id": None,
    "station_id": STATION,
    "evse_number": None,
    "connector_number": None,
    "group_uid": None,
}


class TariffFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tariff, and who did it."""

    tariff_id: Id
    by: By


class TariffPlace(TariffFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and for whom."""

    assignment_id: Id
    level: Annotated[str, Meta(description="connector, station, location or party.")]
    location_id: Id | None
    station_id: str | None
    evse_number: int | None
    connector_number: int | None
    group_uid: Annotated[str | None, Meta(description="Only for tokens of this group; null: for everybody.")]


@fact("Tariffs", "tariff/<id>", **_TARIFF, name="Harbour by day and night", version=3, currency="EUR")
class TariffPublished(TariffFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff, or a new version of one, holds for sessions that begin from now on."""

    name: str
    version: int
    currency: str


@fact("Tariffs", "tariff/<id>", **_TARIFF, **_PLACE)
class TariffAssigned(TariffPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff applies at one more place."""


@fact("Tariffs", "tariff/<id>", **_TARIFF, **_PLACE)
class TariffUnassigned(TariffPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff no longer applies at a place. Sessions that began with it keep it."""
