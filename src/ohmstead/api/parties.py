"""/party, /parties and /guests: whose data this is, who runs the installation, and who works for several."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.access import ADMIN
from ohmstead.accounts.model import Operator
from ohmstead.accounts.parties import service as parties
from ohmstead.accounts.parties.model import Guest, Membership, NewMembership, NewParty, PartyChange, PartyView, Places
from ohmstead.api.operations import ApiRequest, TheActor, ThePool, TheSettings, answer, expected_version, operation
from ohmstead.doorway import WITHIN

DANGEROUS: dict[str, Any] = {"needs_proof": True}


class Parties(Struct):
    """All parties of the installation, the one that runs it first."""

    items: list[PartyView]


class Memberships(Struct):
    """The parties you work for, your own first."""

    items: list[Membership]


class Guests(Struct):
    """People of other parties who work for this one too, by name."""

    items: list[Guest]


class MadeParty(Struct, frozen=True, kw_only=True):
    """A party just made; `link` lets its first owner in once within a week, and is told this once."""

    party: PartyView
    link: Annotated[str | None, Meta(description="Null when no owner was named.")]


@get("/party", opt=operation(None) | WITHIN)
async def get_own_party(pool: ThePool, actor: TheActor) -> Response[PartyView]:
    """Read the party you act for."""
    async with pool.acquire() as conn:
        found = await parties.get_party(conn, actor.party_id)
    return answer(found, version=found.version)


@patch("/party", opt=operation(ADMIN, errors=(409,), takes_if_match=True) | DANGEROUS)
async def change_own_party(
    request: ApiRequest, pool: ThePool, actor: TheActor, given: NamedDependency[PartyChange]
) -> Response[PartyView]:
    """Change the party you act for: name, codes, currency, time zone, language, second person."""
    async with pool.acquire() as conn, conn.transaction():
        made = await parties.change(conn, actor, actor.party_id, given, expected_version(request))
    return answer(made, version=made.version)


@get("/me/parties", opt=operation(None) | WITHIN)
async def list_memberships(pool: ThePool, actor: TheActor) -> Response[Memberships]:
    """List the parties you work for. A key works for one, and is told none."""
    if actor.operator_id is None:
        return answer(Memberships([]))
    async with pool.acquire() as conn:
        return answer(Memberships(await parties.list_memberships(conn, actor.operator_id)))


@get("/parties", opt=operation(parties.MAKE))
async def list_parties(pool: ThePool) -> Response[Parties]:
    """List the parties of the installation. Only for the party that runs it, as all of /parties."""
    async with pool.acquire() as conn:
        return answer(Parties(await parties.list_parties(conn)))


@post("/parties", opt=operation(parties.MAKE, errors=(409,)) | DANGEROUS)
async def create_party(
    pool: ThePool, actor: TheActor, settings: TheSettings, given: NamedDependency[NewParty]
) -> Response[MadeParty]:
    """Make a party, and invite its first owner."""
    async with pool.acquire() as conn, conn.transaction():
        made, _, secret = await parties.create(conn, actor, given)
    link = f"{settings.console_url}/sign-in?link={quote(secret)}" if secret else None
    where = {"Location": f"/api/v1/parties/{made.party_id}"}
    return answer(MadeParty(party=made, link=link), status=201, version=made.version, headers=where)


@get("/parties/{party_id:uuid}", opt=operation(parties.MAKE, errors=(404,)))
async def get_party(pool: ThePool, party_id: FromPath[UUID]) -> Response[PartyView]:
    """Read a party."""
    async with pool.acquire() as conn:
        found = await parties.get_party(conn, party_id)
    return answer(found, version=found.version)


@patch("/parties/{party_id:uuid}", opt=operation(parties.MAKE, errors=(404, 409), takes_if_match=True) | DANGEROUS)
async def change_party(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    party_id: FromPath[UUID],
    given: NamedDependency[PartyChange],
) -> Response[PartyView]:
    """Change a party, its kind too."""
    async with pool.acquire() as conn, conn.transaction():
        made = await parties.change(conn, actor, party_id, given, expected_version(request))
    return answer(made, version=made.version)


@get("/parties/{party_id:uuid}/guests", opt=operation(parties.MAKE, errors=(404,)))
async def list_party_guests(pool: ThePool, party_id: FromPath[UUID]) -> Response[Guests]:
    """List people of other parties who work for this one too."""
    async with pool.acquire() as conn:
        await parties.get_party(conn, party_id)
        return answer(Guests(await parties.list_guests(conn, party_id)))


@put(
    "/parties/{party_id:uuid}/guests/{operator_id:uuid}",
    opt=operation(parties.MAKE, errors=(404, 409)) | DANGEROUS,
)
async def lend_operator(
    pool: ThePool,
    actor: TheActor,
    party_id: FromPath[UUID],
    operator_id: FromPath[UUID],
    given: NamedDependency[NewMembership],
) -> Response[Guests]:
    """Let somebody work for another party too, with a role and, if you like, at some locations only."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(Guests(await parties.lend(conn, actor, party_id, operator_id, given)))


@delete("/parties/{party_id:uuid}/guests/{operator_id:uuid}", opt=operation(parties.MAKE, errors=(404,)))
async def withdraw_operator(
    pool: ThePool, actor: TheActor, party_id: FromPath[UUID], operator_id: FromPath[UUID]
) -> None:
    """Somebody works for another party no longer. It counts at once."""
    async with pool.acquire() as conn, conn.transaction():
        await parties.withdraw(conn, actor, party_id, operator_id)


@get("/guests", opt=operation("people:write"))
async def list_guests(pool: ThePool, actor: TheActor) -> Response[Guests]:
    """List people of other parties who work for yours."""
    async with pool.acquire() as conn:
        return answer(Guests(await parties.list_guests(conn, actor.party_id)))


@delete("/guests/{operator_id:uuid}", opt=operation("people:write", errors=(404,)))
async def remove_guest(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> None:
    """Somebody of another party works for yours no longer. It counts at once."""
    async with pool.acquire() as conn, conn.transaction():
        await parties.withdraw(conn, actor, actor.party_id, operator_id)


@put("/operators/{operator_id:uuid}/locations", opt=operation("people:write", errors=(404, 409)) | DANGEROUS)
async def give_locations(
    pool: ThePool, actor: TheActor, operator_id: FromPath[UUID], given: NamedDependency[Places]
) -> Response[Operator]:
    """Let somebody see some locations only, and what is at them; null: everything again. It counts at once."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await parties.give_locations(conn, actor, operator_id, given.location_ids))


HANDLERS = [
    get_own_party,
    change_own_party,
    list_memberships,
    list_parties,
    create_party,
    get_party,
    change_party,
    list_party_guests,
    lend_operator,
    withdraw_operator,
    list_guests,
    remove_guest,
    give_locations,
]
