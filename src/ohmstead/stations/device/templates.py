"""What people decide about configuration templates and local lists. Every change is audited and recorded as an event."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.stations import queries as stations
from ohmstead.stations.device import drift, queries, store
from ohmstead.stations.device.drift import Generation
from ohmstead.stations.device.queries import TemplateView
from ohmstead.stations.device.tree import parts_of
from ohmstead.stations.redaction import is_secret

Pattern: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="With `*` and `?`, whatever its case; null fits all.")
]
Priority: TypeAlias = Annotated[
    int, Meta(ge=-1000, le=1000, description="Of several that fit, the higher one wins, variable by variable.")
]
Variables: TypeAlias = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=300)], Annotated[str, Meta(max_length=2500)]],
    Meta(
        min_length=1,
        max_length=500,
        description="Name → value. Names as in orders; values may hold {station_id}, {name}, {location}, {serial_number},"
        " {vendor}, {model}.",
    ),
]
StationIds: TypeAlias = Annotated[
    list[Annotated[str, Meta(max_length=48)]], Meta(max_length=10_000, description="Only these; null: whatever fits.")
]


class NewTemplate(Struct, kw_only=True, forbid_unknown_fields=True):
    """A template to be. All of its conditions must fit."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    generation: Annotated[Generation, Meta(description="Which names its variables have: 1.6 keys, or 2.x variables.")]
    variables: Variables
    priority: Priority = 0
    vendor: Pattern | None = None
    model: Pattern | None = None
    firmware: Pattern | None = None
    location_id: UUID | None = None
    station_ids: StationIds | None = None
    resets_on_idle: Annotated[
        bool, Meta(description="Restart a station when nobody charges, where values are in force only after that.")
    ] = False
    is_enabled: bool = True


class TemplateChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a template; what is left out stays."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    variables: Variables | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    vendor: Pattern | None | UnsetType = UNSET
    model: Pattern | None | UnsetType = UNSET
    firmware: Pattern | None | UnsetType = UNSET
    location_id: UUID | None | UnsetType = UNSET
    station_ids: StationIds | None | UnsetType = UNSET
    resets_on_idle: bool | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


async def create_template(conn: Connection, actor: Actor, given: NewTemplate) -> TemplateView:
    """Raises Invalid, and Conflict when the name is taken."""
    values = msgspec.structs.asdict(given)
    await _check(conn, actor, values, given.generation)
    template_id = new_id()
    if not await store.insert_template(conn, actor.party_id, template_id, values):
        raise Conflict(f"there is a template {given.name} already", code="taken")
    await _note(conn, actor, "created", template_id, values)
    return await queries.get_template(conn, actor.party_id, template_id)


async def change_template(
    conn: Connection, actor: Actor, template_id: UUID, given: TemplateChange, if_version: int | None = None
) -> TemplateView:
    """Raises NotFound, Invalid, and Conflict when it is not in the version `if_version`, or the name is taken."""
    before = await queries.get_template(conn, actor.party_id, template_id)
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    await _check(conn, actor, values, before.generation)
    name = values.get("name")
    if name is not None and name != before.name and await queries.has_template(conn, actor.party_id, name):
        raise Conflict(f"there is a template {name} already", code="taken")
    if not await store.update_template(conn, actor.party_id, template_id, values, if_version):
        raise _stale()
    await _note(conn, actor, "changed", template_id, values, msgspec.structs.asdict(before))
    return await queries.get_template(conn, actor.party_id, template_id)


async def delete_template(conn: Connection, actor: Actor, template_id: UUID, if_version: int | None = None) -> None:
    """What it set stays set. Raises NotFound, Conflict."""
    before = await queries.get_template(conn, actor.party_id, template_id)
    if not await store.delete_template(conn, actor.party_id, template_id, if_version):
        raise _stale()
    await _note(conn, actor, "deleted", template_id, {"name": before.name})


async def reconcile_now(conn: Connection, actor: Actor, station_id: str) -> None:
    """Compare and set at once, what the station refused before included. Raises NotFound."""
    await stations.require_station(conn, actor.party_id, station_id)
    await store.forget_all_refusals(conn, station_id)
    await store.ask(conn, "templates", [station_id], clock.now())
    await accounts.audit(conn, actor, "station.reconcile", f"station/{station_id}", {})


async def send_list_now(conn: Connection, actor: Actor, station_id: str) -> None:
    """Bring the local list up to date at once. Raises NotFound."""
    await stations.require_station(conn, actor.party_id, station_id)
    await store.ask(conn, "local_list", [station_id], clock.now())
    await accounts.audit(conn, actor, "station.local_list", f"station/{station_id}", {})


async def renew_password(conn: Connection, actor: Actor, station_id: str) -> None:
    """Give a station a new password over its connection; the old one is good until it comes with the new one.

    Raises NotFound, Refused, Invalid.
    """
    station = await stations.get_station_view(conn, actor.party_id, station_id)
    if station.registration != "accepted":
        raise Refused("the station is not in service: adopt it with a password of its own")
    if station.security_profile not in (1, 2):
        raise Invalid(f"security profile {station.security_profile} uses no password", field="security_profile")
    await store.begin_onboarding(conn, actor.party_id, station_id)
    await accounts.audit(conn, actor, "station.renew_password", f"station/{station_id}", {})
    event = Event(
        kind="StationOnboarding",
        subject=f"station/{station_id}",
        party_id=actor.party_id,
        payload={"station_id": station_id, "by": actor.actor_id},
    )
    await record(conn, [event])


async def _check(conn: Connection, actor: Actor, values: dict[str, Any], generation: Generation) -> None:
    for name, value in values.get("variables", {}).items():
        component, variable = parts_of(name, generation)
        if generation == "2.x" and not (component and variable):
            raise Invalid(
                f"not a variable: {name!r}; write Component.Variable, e.g. OCPPCommCtrlr.HeartbeatInterval",
                field="variables",
            )
        if is_secret(variable.partition("[")[0]):
            raise Invalid(f"{name}: passwords are never the same for several stations", field="variables")
        if generation == "1.6" and (len(name) > 50 or len(value) > 500):
            raise Invalid(f"{name}: OCPP 1.6 keys have at most 50 characters, values 500", field="variables")
        if strange := drift.unknown_placeholders(value):
            known = ", ".join("{" + one + "}" for one in drift.PLACEHOLDERS)
            raise Invalid(f"{name}: {{{strange[0]}}} stands for nothing; there are {known}", field="variables")
    location_id = values.get("location_id")
    if location_id is not None and await stations.find_location(conn, actor.party_id, location_id) is None:
        raise Invalid("no such location", field="location_id")


def _stale() -> Conflict:
    return Conflict("it has changed since you read it: read it again", is_stale=True)


async def _note(
    conn: Connection,
    actor: Actor,
    what: str,
    template_id: UUID,
    detail: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> None:
    subject = f"template/{template_id}"
    after = detail if before is not None else {}
    await accounts.audit(conn, actor, f"template.{what}", subject, detail, before=before, after=after)
    payload = {"template_id": template_id, "by": actor.actor_id, "name": detail.get("name")}
    event = Event(kind=f"Template{what.capitalize()}", subject=subject, party_id=actor.party_id, payload=payload)
    await record(conn, [event])
