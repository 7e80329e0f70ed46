"""What happens to stations: on the line, in the register, by orders."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.facts.kinds import EXAMPLE_AT, OPERATOR, STATION, By, Id, Instant, StationId, fact

_LINE = "Stations on the line"
_REGISTER = "Stations in the register"
_SUBJECT = "station/<id>"


@fact(_LINE, _SUBJECT, station_id=STATION, ocpp_version="2.0.1")
class StationConnected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station is connected."""

    station_id: StationId
    ocpp_version: Annotated[str, Meta(description="`1.6`, `2.0.1` or `2.1`.")]


@fact(_LINE, _SUBJECT, station_id=STATION, reason="ping_timeout")
class StationDisconnected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station is connected no longer."""

    station_id: StationId
    reason: Annotated[str | None, Meta(description="Why, in a word; `gateway_lost` when nobody saw it end.")]


@fact(
    _LINE,
    _SUBJECT,
    station_id=STATION,
    vendor="Example Power",
    model="Quay 150",
    firmware_version="3.1.0",
    reason="PowerUp",
)
class StationBooted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station started, and told what it is."""

    station_id: StationId
    vendor: str
    model: str
    firmware_version: str | None
    reason: Annotated[str | None, Meta(description="As OCPP 2.x names it; 1.6 tells none.")]


@fact(
    _LINE,
    _SUBJECT,
    station_id=STATION,
    evse_number=1,
    connector_number=1,
    error_code="GroundFailure",
    vendor_error_code=None,
    info=None,
)
class ConnectorFaulted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station says that a connector, or it as a whole, is faulted."""

    station_id: StationId
    evse_number: Annotated[int | None, Meta(description="0 or null: the station as a whole.")]
    connector_number: int | None
    error_code: str | None
    vendor_error_code: str | None
    info: str | None


@fact(_LINE, _SUBJECT, station_id=STATION, kind="invalid_password", at="2026-03-02T09:10:00Z")
class SecuritySignalRaised(Struct, frozen=True, kw_only=True):
    """Something that may be an attack, or a fault that looks like one. Further fields depend on `kind`."""

    station_id: Annotated[str, Meta(description="The station's OCPP identity; `-` where none is known.")]
    kind: str


@fact(
    _LINE,
    _SUBJECT,
    command_id="019a9d63-90c8-7e21-8d44-7c8d9e0f1a2b",
    kind="reserve",
    status="accepted",
    parameters={"reservation_id": 7, "evse_number": 1},
    error_code=None,
    error_text=None,
    station_id=STATION,
    requested_by=OPERATOR,
    requested_at=EXAMPLE_AT,
)
class CommandAnswered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station answered an order about reservations or charging profiles. Of other orders `GET /commands` tells."""

    command_id: Id
    kind: Annotated[str, Meta(description="`reserve`, `cancel_reservation`, `set_profile` or `clear_profiles`.")]
    status: str
    parameters: dict[str, Any]
    error_code: str | None
    error_text: str | None
    station_id: StationId
    requested_by: By
    requested_at: Instant


@fact(_REGISTER, _SUBJECT, station_id=STATION, registration="pending")
class StationAppeared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station that nobody registered came by itself."""

    station_id: StationId
    registration: Annotated[str, Meta(description="`pending`: it waits for adoption.")]


class StationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which station, and who did it."""

    station_id: StationId
    by: By


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR, security_profile=2)
class StationCreated(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station was registered."""

    security_profile: int | UnsetType = UNSET
    source: Annotated[str, Meta(description="`import`: by a table.")] | UnsetType = UNSET


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR, name="Harbour 1", evses=[1])
class StationChanged(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station was changed; what was set stands here, with its new value."""

    name: str | UnsetType = UNSET
    location_id: Id | None | UnsetType = UNSET
    security_profile: int | UnsetType = UNSET
    certificate_name: str | None | UnsetType = UNSET
    heartbeat_interval_s: int | None | UnsetType = UNSET
    max_power_w: int | None | UnsetType = UNSET
    takes_templates: bool | UnsetType = UNSET
    takes_local_list: bool | None | UnsetType = UNSET
    retired_at: Annotated[Instant | None, Meta(description="null: it was reinstated.")] | UnsetType = UNSET
    evses: Annotated[list[int], Meta(description="Numbers of the EVSEs that were added or changed.")] | UnsetType = (
        UNSET
    )
    source: Annotated[str, Meta(description="`import`: by a table.")] | UnsetType = UNSET


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR, security_profile=2)
class StationAdopted(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station that waited went into service."""

    security_profile: int


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR)
class StationRejected(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station is turned away from now on."""

    reason: Annotated[str, Meta(description="As the person who did it gave it.")] | UnsetType = UNSET


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR, cancelled_commands=0)
class StationRetired(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station was taken out of service."""

    cancelled_commands: Annotated[int, Meta(description="Orders that still waited for it.")]


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR)
class StationOnboarding(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station is being given a password of its own."""


@fact(_REGISTER, _SUBJECT, station_id=STATION, by="system:password")
class StationOnboarded(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station came with the password it was given, and is in service."""


@fact(_REGISTER, _SUBJECT, station_id=STATION, by=OPERATOR)
class StationSecretChanged(StationFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station has another password. The password itself is told nowhere."""


@fact(_REGISTER, _SUBJECT, station_id=STATION, security_profile=3)
class SecurityProfileRaised(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station came with the higher security profile it was asked to take."""

    station_id: StationId
    security_profile: int
