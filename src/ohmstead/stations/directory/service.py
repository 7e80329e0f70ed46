"""What people decide about locations and stations. Every change is audited and recorded as an event.

The edge opens the transaction, and after its commit calls `announce`, so that gateways and pages learn of it.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import WHOLE_PARTY, Actor, NotAllowed
from ohmstead.core import clock
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.db import Connection, to_json
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE, Event, record
from ohmstead.core.ids import new_id
from ohmstead.stations import queries
from ohmstead.stations.credentials import check_chosen, hash_secret, new_secret
from ohmstead.stations.directory import store
from ohmstead.stations.queries import Location, StationView
from ohmstead.stations.sites import hours
from ohmstead.stations.sites.model import Access, Facility, Hours, ParkingRestriction, ParkingType

Name: TypeAlias = Annotated[str, Meta(max_length=200)]
# OCPP 2.x identifierString; 1.6 identities are URL path parts and fit it.
StationId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9*\-_=:+|@.]{1,48}$(?!\n)",
        description="The OCPP identity: 1 to 48 of letters, digits and `*-_=:+|@.`",
    ),
]
SecurityProfile: TypeAlias = Annotated[int, Meta(ge=0, le=3)]
Password: TypeAlias = Annotated[
    str, Meta(min_length=16, max_length=40, description="Leave it out to have one generated, which is stronger.")
]
PowerW: TypeAlias = Annotated[int, Meta(ge=1, le=10_000_000)]
IntervalS: TypeAlias = Annotated[int, Meta(ge=10, le=86400)]
What: TypeAlias = Literal["created", "changed", "adopted", "rejected", "retired"]
_SET_BY_PEOPLE = (
    *("name", "location_id", "registration", "is_lab", "security_profile", "certificate_name", "max_power_w"),
    *("heartbeat_interval_s", "onboarding", "takes_templates", "takes_local_list", "retired_at"),
)
_SET_OF_EVSES = ("evse_number", "current_type", "max_power_w", "physical_reference")


Reference: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="What other systems call it, as the id of an OCPI Location.")
]
Phone: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9+()/ .\-]{0,30}$(?!\n)", description="As +49 30 1234567.")]
Website: TypeAlias = Annotated[str, Meta(pattern=r"^(https?://[^\s<>\"]{1,250})?$(?!\n)")]
Directions: TypeAlias = Annotated[str, Meta(max_length=2000, description="How to find it once near.")]
Country: TypeAlias = Annotated[
    str, Meta(pattern=r"^([A-Z]{2,3})?$(?!\n)", description="ISO 3166-1, two or three letters.")
]
Latitude: TypeAlias = Annotated[float, Meta(ge=-90, le=90)]
Longitude: TypeAlias = Annotated[float, Meta(ge=-180, le=180)]
Restrictions: TypeAlias = Annotated[list[ParkingRestriction], Meta(max_length=5)]
Facilities: TypeAlias = Annotated[list[Facility], Meta(max_length=20)]


class NewLocation(Struct, kw_only=True, forbid_unknown_fields=True):
    """A site to be."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    address: Name = ""
    city: Name = ""
    postal_code: Annotated[str, Meta(max_length=20)] = ""
    country: Country = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    reference: Reference | None = None
    state: Name = ""
    directions: Directions = ""
    owner: Name = ""
    owner_website: Website = ""
    help_phone: Phone = ""
    access: Access = "public"
    parking_type: ParkingType | None = None
    parking_restrictions: Restrictions = []
    facilities: Facilities = []
    opening: Hours | None = None
    charges_when_closed: bool = True
    energy_supplier: Name = ""
    is_green_energy: bool | None = None
    is_published: bool = True


class LocationChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a location; what is left out stays."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    address: Name | UnsetType = UNSET
    city: Name | UnsetType = UNSET
    postal_code: Annotated[str, Meta(max_length=20)] | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    latitude: Latitude | None | UnsetType = UNSET
    longitude: Longitude | None | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    reference: Reference | None | UnsetType = UNSET
    state: Name | UnsetType = UNSET
    directions: Directions | UnsetType = UNSET
    owner: Name | UnsetType = UNSET
    owner_website: Website | UnsetType = UNSET
    help_phone: Phone | UnsetType = UNSET
    access: Access | UnsetType = UNSET
    parking_type: ParkingType | None | UnsetType = UNSET
    parking_restrictions: Restrictions | UnsetType = UNSET
    facilities: Facilities | UnsetType = UNSET
    opening: Hours | None | UnsetType = UNSET
    charges_when_closed: bool | UnsetType = UNSET
    energy_supplier: Name | UnsetType = UNSET
    is_green_energy: bool | None | UnsetType = UNSET
    is_published: bool | UnsetType = UNSET


class NewConnector(Struct, kw_only=True, forbid_unknown_fields=True):
    """A plug or socket."""

    connector_number: Annotated[int, Meta(ge=1, le=99)] = 1
    standard: Annotated[str, Meta(max_length=40, description="As OCPI names it: `IEC_62196_T2_COMBO`.")] | None = None
    max_power_w: PowerW | None = None


class NewEvse(Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of a station that charges one car at a time; without connectors it gets one."""

    evse_number: Annotated[int, Meta(ge=1, le=99)]
    current_type: Literal["AC", "DC"] | None = None
    max_power_w: PowerW | None = None
    physical_reference: Annotated[str, Meta(max_length=40)] | None = None
    connectors: list[NewConnector] = []


class NewStation(Struct, kw_only=True, forbid_unknown_fields=True):
    """A station to be. With profile 1 or 2 and no password one is generated, and told this once."""

    station_id: StationId
    name: Name = ""
    location_id: UUID | None = None
    security_profile: SecurityProfile = 1
    password: Password | None = None
    certificate_name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    heartbeat_interval_s: IntervalS | None = None
    max_power_w: PowerW | None = None
    evses: Annotated[list[NewEvse], Meta(max_length=99)] = []


class StationChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a station; what is left out stays. EVSEs named are added or changed, others stay."""

    name: Name | UnsetType = UNSET
    location_id: UUID | None | UnsetType = UNSET
    security_profile: SecurityProfile | UnsetType = UNSET
    certificate_name: Annotated[str, Meta(min_length=1, max_length=100)] | None | UnsetType = UNSET
    heartbeat_interval_s: IntervalS | None | UnsetType = UNSET
    max_power_w: PowerW | None | UnsetType = UNSET
    evses: Annotated[list[NewEvse], Meta(max_length=99)] | UnsetType = UNSET
    takes_templates: Annotated[bool, Meta(description="Whether templates change its configuration.")] | UnsetType = (
        UNSET
    )
    takes_local_list: (
        Annotated[bool, Meta(description="Whether it gets a local authorization list; null: as the party says.")]
        | None
        | UnsetType
    ) = UNSET


class Adoption(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a station from the onboarding list goes into service."""

    name: Name | UnsetType = UNSET
    location_id: UUID | None | UnsetType = UNSET
    security_profile: SecurityProfile | UnsetType = UNSET
    password: Password | None = None
    own_password: Annotated[
        bool,
        Meta(
            description="Give the station a password of its own over its connection; it is accepted once it comes with it."
        ),
    ] = False
    evses: Annotated[
        list[NewEvse], Meta(max_length=99, description="What is known of its outlets; others stay as it reports them.")
    ] = []
    takes_templates: Annotated[bool, Meta(description="Whether templates change its configuration.")] | UnsetType = (
        UNSET
    )


class WithSecret(Struct, frozen=True, kw_only=True):
    """A station, and its password if one was generated just now: nobody can read it again."""

    station: StationView
    secret: str | None = None


async def create_location(conn: Connection, actor: Actor, given: NewLocation) -> Location:
    """Raises Invalid, and NotAllowed for those who see some locations only."""
    if actor.locations is not None:
        raise NotAllowed(WHOLE_PARTY)
    values = msgspec.structs.asdict(given)
    if values["time_zone"] is None:
        values["time_zone"] = (await accounts.get_party(conn, actor.party_id)).time_zone
    _check_place(values)
    await _check_reference(conn, actor, values["reference"], None)
    location_id = new_id()
    values["opening"] = to_json(given.opening) if given.opening else None
    await store.insert_location(conn, actor.party_id, location_id, values)
    await _note_location(conn, actor, "created", location_id, values)
    return await queries.get_location(conn, actor.party_id, location_id)


async def change_location(
    conn: Connection, actor: Actor, location_id: UUID, given: LocationChange, if_version: int | None = None
) -> Location:
    """Raises NotFound, Invalid, and Conflict when it is not in the version `if_version`."""
    values = _given(given)
    before = await queries.get_location(conn, actor.party_id, location_id)
    _check_place({**msgspec.structs.asdict(before), **values})
    await _check_reference(conn, actor, values.get("reference"), location_id)
    if values.get("opening") is not None:
        values["opening"] = to_json(values["opening"])
    if not await store.update_location(conn, actor.party_id, location_id, values, if_version):
        raise _stale()
    await _note_location(conn, actor, "changed", location_id, values, msgspec.structs.asdict(before))
    return await queries.get_location(conn, actor.party_id, location_id)


async def delete_location(conn: Connection, actor: Actor, location_id: UUID, if_version: int | None = None) -> None:
    """Raises NotFound, Conflict (version), and Refused while stations in service are there."""
    before = await queries.get_location(conn, actor.party_id, location_id)
    if n := await store.count_stations_at(conn, actor.party_id, location_id):
        raise Refused(f"{n} stations in service are at this location: move or retire them first")
    if not await store.delete_location(conn, actor.party_id, location_id, if_version):
        raise _stale()
    await _note_location(conn, actor, "deleted", location_id, {"name": before.name})


async def create_station(conn: Connection, actor: Actor, given: NewStation, pepper: bytes) -> WithSecret:
    """Raises Invalid, and Conflict when the identity is taken."""
    await _check_location(conn, actor, given.location_id)
    check_evses(given.evses)
    check_password(given.password, given.security_profile, given.station_id)
    secret, secret_hash = await make_secret(given.password, given.security_profile, pepper)
    values = msgspec.structs.asdict(given)
    for name in ("station_id", "password", "evses"):
        del values[name]
    if not await store.insert_station(conn, actor.party_id, given.station_id, {**values, "secret_hash": secret_hash}):
        raise await _taken(conn, actor, given.station_id)
    await store.upsert_evses(conn, actor.party_id, {given.station_id: _evses(given.evses)})
    await note_station(conn, actor, "created", given.station_id, {"security_profile": given.security_profile})
    return WithSecret(station=await queries.get_station_view(conn, actor.party_id, given.station_id), secret=secret)


async def change_station(
    conn: Connection, actor: Actor, station_id: str, given: StationChange, if_version: int | None = None
) -> StationView:
    """Raises NotFound, Invalid, and Conflict when it is not in the version `if_version`."""
    values = _given(given)
    evses: list[NewEvse] = [] if given.evses is UNSET else given.evses
    values.pop("evses", None)
    check_evses(evses)
    await _check_location(conn, actor, values.get("location_id", UNSET))
    before = await queries.get_station_view(conn, actor.party_id, station_id)
    await _check_location(conn, actor, values.get("location_id", UNSET))
    await _write(conn, actor, station_id, values, if_version)
    await store.upsert_evses(conn, actor.party_id, {station_id: _evses(evses)})
    detail = {**values, **({"evses": [e.evse_number for e in evses]} if evses else {})}
    view = await queries.get_station_view(conn, actor.party_id, station_id)
    await note_station(conn, actor, "changed", station_id, detail, (before, view))
    return view


async def rotate_secret(
    conn: Connection,
    actor: Actor,
    station_id: str,
    password: str | None,
    pepper: bytes,
    if_version: int | None = None,
) -> WithSecret:
    """A new password, generated unless given; the old one is good no longer. Raises NotFound, Invalid, Conflict."""
    check_password(password, 1, station_id)
    secret, secret_hash = await make_secret(password, 1, pepper)
    values = {"secret_hash": secret_hash, "next_secret_hashes": None, "onboarding": None}
    await _write(conn, actor, station_id, values, if_version)
    await _note(conn, actor, "station.secret_changed", "StationSecretChanged", station_id, {})
    return WithSecret(station=await queries.get_station_view(conn, actor.party_id, station_id), secret=secret)


async def adopt(
    conn: Connection, actor: Actor, station_id: str, given: Adoption, pepper: bytes, if_version: int | None = None
) -> WithSecret:
    """Put a station that waits, or was rejected, into service. Raises NotFound, Invalid, Refused, Conflict."""
    station = await queries.get_station_view(conn, actor.party_id, station_id)
    if station.retired_at is not None:
        raise Refused("the station is retired: reinstate it first")
    values = _given(given)
    password = values.pop("password")
    check_evses(values.pop("evses"))
    await store.upsert_evses(conn, actor.party_id, {station_id: _evses(given.evses)})
    if values.pop("own_password"):
        return await _onboard(conn, actor, station, values, password, if_version)
    profile = values.get("security_profile", station.security_profile)
    await _check_location(conn, actor, values.get("location_id", UNSET))
    check_password(password, profile, station_id)
    secret = None
    if password is not None or not station.has_secret:
        secret, secret_hash = await make_secret(password, profile, pepper)
        if secret_hash is not None:
            values |= {"secret_hash": secret_hash, "next_secret_hashes": None}
    settled = {"registration": "accepted", "is_lab": False, "onboarding": None}
    await _write(conn, actor, station_id, {**values, **settled}, if_version)
    view = await queries.get_station_view(conn, actor.party_id, station_id)
    await note_station(conn, actor, "adopted", station_id, {"security_profile": profile}, (station, view))
    return WithSecret(station=view, secret=secret)


async def _onboard(
    conn: Connection,
    actor: Actor,
    station: StationView,
    values: dict[str, Any],
    password: str | None,
    if_version: int | None,
) -> WithSecret:
    """The first half of an adoption: it goes on once the station came with the password that it is given."""
    profile = values.get("security_profile", station.security_profile)
    if password is not None:
        raise Invalid("a password of its own is generated", field="password")
    if profile not in (0, 1, 2):
        raise Invalid(f"security profile {profile} uses no password", field="own_password")
    await _check_location(conn, actor, values.get("location_id", UNSET))
    registration = "accepted" if station.registration == "accepted" else "pending"
    changes = {**values, "registration": registration, "onboarding": "set_password"}
    await _write(conn, actor, station.station_id, changes, if_version)
    await _note(conn, actor, "station.onboarding", "StationOnboarding", station.station_id, {})
    return WithSecret(station=await queries.get_station_view(conn, actor.party_id, station.station_id))


async def reject(
    conn: Connection, actor: Actor, station_id: str, if_version: int | None = None, reason: str = ""
) -> StationView:
    """Turn a station away from now on; it stays on record, and why in the audit log. Raises NotFound, Conflict."""
    before = await queries.get_station_view(conn, actor.party_id, station_id)
    await _write(conn, actor, station_id, {"registration": "rejected"}, if_version)
    view = await queries.get_station_view(conn, actor.party_id, station_id)
    await note_station(conn, actor, "rejected", station_id, {"reason": reason} if reason else {}, (before, view))
    return view


async def retire(conn: Connection, actor: Actor, station_id: str, if_version: int | None = None) -> StationView:
    """Take a station out of service for good; its past stays. Raises NotFound, Conflict."""
    before = await queries.get_station_view(conn, actor.party_id, station_id)
    await _write(conn, actor, station_id, {"retired_at": clock.now()}, if_version)
    n_cancelled = await store.cancel_queued_commands(conn, actor.party_id, station_id)
    view = await queries.get_station_view(conn, actor.party_id, station_id)
    await note_station(conn, actor, "retired", station_id, {"cancelled_commands": n_cancelled}, (before, view))
    return view


async def reinstate(conn: Connection, actor: Actor, station_id: str, if_version: int | None = None) -> StationView:
    """Bring a retired station back into service. Raises NotFound, Conflict."""
    before = await queries.get_station_view(conn, actor.party_id, station_id)
    await _write(conn, actor, station_id, {"retired_at": None}, if_version)
    view = await queries.get_station_view(conn, actor.party_id, station_id)
    await note_station(conn, actor, "changed", station_id, {"retired_at": None}, (before, view))
    return view


async def announce(bus: Bus, party_id: UUID, station_ids: Sequence[str], what: What) -> None:
    """After the commit: gateways read these stations again, pages show them, consumers of the outbox wake up."""
    for station_id in station_ids:
        await bus.publish("ohmstead.station.changed", {"station_id": station_id})
    at = clock.now()
    news = [{"kind": "station", "at": at, "station_id": station_id, "what": what} for station_id in station_ids]
    for start in range(0, len(news), 500):
        await bus.publish(LIVE + party_id.hex, news[start : start + 500])
    await bus.publish(NUDGE, {})


# ------------------------------------------------------------------------------------------------ rules and notes


def check_password(password: str | None, security_profile: int, station_id: str) -> None:
    """Raises Invalid for a password that is weak, or that the profile has no use for."""
    if password is None:
        return
    if security_profile not in (1, 2):
        raise Invalid(f"security profile {security_profile} uses no password", field="password")
    check_chosen(password, station_id)


async def make_secret(password: str | None, security_profile: int, pepper: bytes) -> tuple[str | None, str | None]:
    """(what to tell, what to keep): told only when generated, kept only as a hash, both None without a password."""
    if password is not None:
        return None, await hash_secret(password, pepper, is_generated=False)
    if security_profile not in (1, 2):
        return None, None
    secret = new_secret()
    return secret, await hash_secret(secret, pepper, is_generated=True)


def check_evses(evses: Sequence[NewEvse]) -> None:
    """Raises Invalid when a number is there twice."""
    numbers = [evse.evse_number for evse in evses]
    if len(set(numbers)) < len(numbers):
        raise Invalid("an EVSE number is there twice", field="evses")
    for evse in evses:
        plugs = [connector.connector_number for connector in evse.connectors]
        if len(set(plugs)) < len(plugs):
            raise Invalid(f"a connector number of EVSE {evse.evse_number} is there twice", field="evses")


def _evses(evses: Iterable[NewEvse]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(evse) for evse in evses]


def _given(change: Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}


def _check_place(values: dict[str, Any]) -> None:
    try:
        ZoneInfo(values["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("not a time zone, such as Europe/Amsterdam", field="time_zone") from error
    if (values["latitude"] is None) != (values["longitude"] is None):
        raise Invalid("latitude and longitude belong together", field="latitude")
    if values["opening"] is not None:
        hours.check(values["opening"])
    for name in ("facilities", "parking_restrictions"):
        if len(set(values[name])) < len(values[name]):
            raise Invalid("something is there twice", field=name)


async def _check_reference(conn: Connection, actor: Actor, reference: str | None, location_id: UUID | None) -> None:
    if reference is None:
        return
    found = await store.find_references(conn, actor.party_id, [reference])
    if any(one != location_id for one in found.values()):
        raise Invalid("another location has this reference", field="reference")


async def _check_location(conn: Connection, actor: Actor, location_id: UUID | None | UnsetType) -> None:
    if location_id is UNSET:
        return
    if location_id is None and actor.locations is not None:
        raise Invalid("it must be at one of your locations", field="location_id")
    if location_id is None:
        return
    if not actor.scope.holds(location_id) or await queries.find_location(conn, actor.party_id, location_id) is None:
        raise Invalid("no such location", field="location_id")


async def _write(
    conn: Connection, actor: Actor, station_id: str, values: dict[str, Any], if_version: int | None
) -> None:
    if not await store.update_station(conn, actor.party_id, station_id, values, if_version):
        await queries.require_station(conn, actor.party_id, station_id)
        raise _stale()


async def _taken(conn: Connection, actor: Actor, station_id: str) -> Conflict:
    present = (await store.lock_stations(conn, actor.party_id, [station_id])).get(station_id.lower())
    if present is None or not present["is_ours"]:
        return Conflict(f"the identity {station_id} is taken", code="taken")
    how = "is retired: reinstate it" if present["retired_at"] else "is in the register"
    if present["registration"] != "accepted":
        how = "waits on the onboarding list: adopt it"
    return Conflict(f"{present['station_id']} {how}", code="taken")


def _stale() -> Conflict:
    return Conflict("it has changed since you read it: read it again", is_stale=True)


async def note_station(
    conn: Connection,
    actor: Actor,
    what: What,
    station_id: str,
    detail: dict[str, Any],
    views: tuple[StationView, StationView] | None = None,
) -> None:
    """The audit entry and the event of a change; `views`: the station before and after."""
    await _note(conn, actor, f"station.{what}", f"Station{what.capitalize()}", station_id, detail, views)


async def _note(
    conn: Connection,
    actor: Actor,
    action: str,
    kind: str,
    station_id: str,
    detail: dict[str, Any],
    views: tuple[StationView, StationView] | None = None,
) -> None:
    subject = f"station/{station_id}"
    before, after = map(_told_of, views) if views else ({}, {})
    await accounts.audit(conn, actor, action, subject, detail, before=before, after=after)
    payload = {"station_id": station_id, "by": actor.actor_id, **detail}
    await record(conn, [Event(kind=kind, subject=subject, party_id=actor.party_id, payload=payload)])


def _told_of(view: StationView) -> dict[str, Any]:
    """What people set of a station; what it reports of itself is none of the audit log's."""
    told = {name: getattr(view, name) for name in _SET_BY_PEOPLE}
    return told | {"evses": [{name: getattr(evse, name) for name in _SET_OF_EVSES} for evse in view.evses]}


async def _note_location(
    conn: Connection,
    actor: Actor,
    what: str,
    location_id: UUID,
    detail: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> None:
    if isinstance(detail.get("opening"), str):
        detail = {**detail, "opening": msgspec.json.decode(detail["opening"])}
    subject = f"location/{location_id}"
    after = detail if before is not None else {}
    await accounts.audit(conn, actor, f"location.{what}", subject, detail, before=before, after=after)
    payload = {"location_id": location_id, "by": actor.actor_id, **detail}
    event = Event(kind=f"Location{what.capitalize()}", subject=subject, party_id=actor.party_id, payload=payload)
    await record(conn, [event])
