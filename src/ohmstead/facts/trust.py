"""What happens to certificates."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.facts.kinds import OPERATOR, STATION, By, Id, Instant, StationId, fact

_THEME = "Certificates"
_ID = "019a9d71-3300-7d22-8b11-3c4d5e6f7081"
_ENDS = "2027-03-02T09:10:00+00:00"


class OfStation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose certificate, and for what."""

    station_id: StationId
    use: Annotated[str, Meta(description="`station` or `v2g`.")]


@fact(_THEME, "station/<id>", station_id=STATION, use="station", signing_request_id=_ID)
class CertificateRequested(OfStation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station asked for a certificate, and its request is in order."""

    signing_request_id: Id


@fact(_THEME, "station/<id>", station_id=STATION, use="station", certificate_id=_ID, not_after=_ENDS)
class CertificateIssued(OfStation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate was signed for a station."""

    certificate_id: Id
    not_after: Instant


@fact(_THEME, "station/<id>", station_id=STATION, use="station", certificate_id=_ID)
class CertificateDelivered(OfStation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station took its certificate."""

    certificate_id: Id


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate; a root is no station's."""

    station_id: Annotated[str | None, Meta(description="The station's OCPP identity; null: a root.")]
    certificate_id: Id
    use: Annotated[str, Meta(description="`station`, `v2g`, or what a root is trusted for.")]


@fact(_THEME, "station/<id>", station_id=STATION, certificate_id=_ID, use="station", not_after=_ENDS)
class CertificateActivated(Known, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate is in use for the first time."""

    not_after: Instant


@fact(
    _THEME,
    "station/<id> or certificate/<id>",
    station_id=STATION,
    certificate_id=_ID,
    use="station",
    reason="key_compromise",
    by=OPERATOR,
)
class CertificateRevoked(Known, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate is good no longer."""

    reason: str
    by: Annotated[By, Meta(description="Left out where a newer one took its place.")] | UnsetType = UNSET
