"""/stations/{id}/charging-profiles and what belongs to them: limits, composite schedules, what cars need."""

from typing import Annotated

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.commands import SendQuery, raise_for
from ohmstead.api.operations import TheActor, TheDesk, ThePool, answer, operation
from ohmstead.api.problems import FieldError, Unprocessable
from ohmstead.core.errors import NotFound
from ohmstead.smartcharging import queries
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.model import Composite, HeldLimit, HeldProfile, KeptNeeds
from ohmstead.stations.orders import ChargingProfile, ClearProfiles, Command
from ohmstead.stations.orders.form import Outlet, RateUnit
from ohmstead.stations.queries import require_station, without_secrets


class NewProfile(Struct, kw_only=True, forbid_unknown_fields=True):
    """A profile for an EVSE of a station; 0 is the whole station. A `profile_id` of 0 gets one of its own."""

    evse_number: Outlet
    profile: ChargingProfile


class ProfileQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which profiles."""

    all: Annotated[bool, Meta(description="Those refused, cleared and never answered too.")] = False


class CompositeQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to ask for."""

    evse: Annotated[int, Meta(ge=0, le=1000, description="The EVSE; 0 is the grid connection.")] = 0
    duration: Annotated[int, Meta(ge=1, le=31_536_000, description="Seconds from now.")] = 86_400
    unit: Annotated[RateUnit | None, Meta(description="A or W; the station's choice when left out.")] = None


class Profiles(Struct):
    """Profiles by EVSE, purpose and stack level."""

    items: list[HeldProfile]


class ChargingLimits(Struct):
    """ChargingLimits that somebody else set."""

    items: list[HeldLimit]


class Composites(Struct):
    """Composite schedules as the station last told them."""

    items: list[Composite]


class AllNeeds(Struct):
    """What cars asked for, newest first."""

    items: list[KeptNeeds]


@get("/stations/{station_id:str}/charging-profiles", opt=operation("stations:read", errors=(404,)))
async def list_charging_profiles(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[ProfileQuery]
) -> Response[Profiles]:
    """List the charging profiles that a station holds, as far as it told or took them."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await queries.list_profiles(conn, actor.party_id, station_id, is_present=not filters.all)
    return answer(Profiles(found))


@post(
    "/stations/{station_id:str}/charging-profiles",
    status_code=200,
    opt=operation("commands:send", errors=(404,)),
)
async def set_charging_profile(
    pool: ThePool,
    desk: TheDesk,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[NewProfile],
    filters: NamedDependency[SendQuery],
) -> Response[HeldProfile]:
    """Give a station a charging profile and wait for its answer; `status` says whether it holds it.

    What the station cannot hold by what it told of itself (stack level, periods, unit, number of profiles) is refused
    before anything is sent, with the fields in `errors`. A unit that it does not take is converted.
    """
    try:
        held, _ = await smartcharging.set_profile(
            pool,
            desk,
            party_id=actor.party_id,
            station_id=station_id,
            evse_number=given.evse_number,
            profile=given.profile,
            requested_by=actor.actor_id,
            timeout_s=filters.timeout,
            queue_for_s=filters.queue_for,
        )
    except smartcharging.Misfit as misfit:
        errors = [FieldError(field, rule) for field, rule in misfit.faults]
        raise Unprocessable(misfit.text, errors) from misfit
    return answer(held)


@delete(
    "/stations/{station_id:str}/charging-profiles/{profile_id:int}",
    status_code=204,
    opt=operation("commands:send", errors=(404, 409, 502, 504)),
)
async def clear_charging_profile(
    pool: ThePool, desk: TheDesk, actor: TheActor, station_id: FromPath[str], profile_id: FromPath[int]
) -> None:
    """Take a charging profile away from a station. One that it does not know is gone as well."""
    if not 0 <= profile_id < 2**31:
        raise NotFound(f"no profile {profile_id}")
    command = await smartcharging.clear_profiles(
        pool,
        desk,
        ClearProfiles(profile_id=profile_id),
        party_id=actor.party_id,
        station_id=station_id,
        requested_by=actor.actor_id,
    )
    raise_for(command)


@post(
    "/stations/{station_id:str}/charging-profiles/report",
    status_code=200,
    opt=operation("commands:send", errors=(404,)),
)
async def report_charging_profiles(
    pool: ThePool, desk: TheDesk, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[SendQuery]
) -> Response[Command]:
    """Have a station report all its profiles (OCPP 2.x); those that it does not name count as gone afterwards."""
    command = await smartcharging.ask_for_profiles(
        pool,
        desk,
        party_id=actor.party_id,
        station_id=station_id,
        requested_by=actor.actor_id,
        timeout_s=filters.timeout,
    )
    return answer(without_secrets(command))


@post(
    "/stations/{station_id:str}/composite-schedules",
    status_code=200,
    opt=operation("commands:send", errors=(404, 409, 502, 504)),
)
async def ask_composite_schedule(
    desk: TheDesk, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[CompositeQuery]
) -> Response[Command]:
    """Ask a station what it would deliver, all profiles taken together; the answer is kept for the list."""
    command = await smartcharging.ask_for_composite(
        desk,
        party_id=actor.party_id,
        station_id=station_id,
        evse_number=filters.evse,
        duration_s=filters.duration,
        rate_unit=filters.unit,
        requested_by=actor.actor_id,
    )
    raise_for(command)
    return answer(without_secrets(command))


@get("/stations/{station_id:str}/composite-schedules", opt=operation("stations:read", errors=(404,)))
async def list_composite_schedules(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Composites]:
    """List composite schedules as the station last told them, by EVSE."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await queries.list_composites(conn, actor.party_id, station_id)
    return answer(Composites(found))


@get("/stations/{station_id:str}/charging-limits", opt=operation("stations:read", errors=(404,)))
async def list_charging_limits(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[ChargingLimits]:
    """List limits that somebody else set at the station: its energy manager, the grid operator."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await queries.list_limits(conn, actor.party_id, station_id)
    return answer(ChargingLimits(found))


@get("/stations/{station_id:str}/charging-needs", opt=operation("sessions:read", errors=(404,)))
async def list_charging_needs(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[AllNeeds]:
    """List what cars at the station asked for (ISO 15118), and the plans that they were given, newest first."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await queries.list_needs(conn, actor.party_id, station_id)
    return answer(AllNeeds(found))


HANDLERS = [
    list_charging_profiles,
    set_charging_profile,
    clear_charging_profile,
    report_charging_profiles,
    ask_composite_schedule,
    list_composite_schedules,
    list_charging_limits,
    list_charging_needs,
]
