"""/operators, /sign-in-attempts and /approvals: who may come in, who tried to, and what waits for a second person."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.approvals import service as approvals
from ohmstead.accounts.approvals.model import Approval
from ohmstead.accounts.model import Operator, Role, WebSession
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.people import service as people
from ohmstead.accounts.people.model import Group, Person
from ohmstead.accounts.signin import service as signin
from ohmstead.accounts.signin.model import Outcome, SignInAttempt
from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    ThePool,
    TheSettings,
    answer,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.settings import Settings

ATTEMPTS = Keyset(item=SignInAttempt, type=tuple[datetime, int], of=lambda one: (one.at, one.attempt_id))


class Operators(Struct):
    """Everybody of the party, those who are disabled last."""

    items: list[Person]


class NewOperator(Struct, kw_only=True, forbid_unknown_fields=True):
    """Somebody to be invited. They may do no more than who invites."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    email: Annotated[str, Meta(min_length=3, max_length=254)]
    role: Role


class OperatorLink(Struct, frozen=True, kw_only=True):
    """A person, and the link that lets them in once within a week; it is told this once."""

    operator: Operator
    link: str


class NewRole(Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody may do from now on."""

    role: Role


class GroupRole(Struct, kw_only=True, forbid_unknown_fields=True):
    """What the members of a directory's group may do from now on."""

    role: Annotated[Role | None, Meta(description="null: the group means nothing here.")]


class OperatorGroups(Struct):
    """A directory's groups, by name."""

    items: list[Group]


class WebSessions(Struct):
    """The browsers in which somebody is signed in, last seen first."""

    items: list[WebSession]


class SignedOutBrowsers(Struct, frozen=True, kw_only=True):
    """How many browsers were signed out."""

    n_browsers: int


class Approvals(Struct):
    """What waits for a second person first, then the latest hundred."""

    items: list[Approval]


class AttemptQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of attempts to sign in."""

    outcome: Annotated[Outcome | None, Meta(description="Only these.")] = None
    operator_id: Annotated[UUID | None, Meta(description="At this person's account.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


def _told(settings: Settings, operator: Operator, secret: str, status: int) -> Response[OperatorLink]:
    link = f"{settings.console_url}/sign-in?link={quote(secret)}"
    return answer(OperatorLink(operator=operator, link=link), status=status)


@get("/operators", opt=operation("people:write"))
async def list_operators(pool: ThePool, actor: TheActor) -> Response[Operators]:
    """List the people of the party, and what each signs in with."""
    async with pool.acquire() as conn:
        return answer(Operators(await people.list_people(conn, actor.party_id)))


@post("/operators", opt=operation("people:write", errors=(409,)) | {"needs_proof": True})
async def invite_operator(
    pool: ThePool, actor: TheActor, settings: TheSettings, given: NamedDependency[NewOperator]
) -> Response[OperatorLink]:
    """Invite somebody. The link is told only here; send it by a way you trust."""
    async with pool.acquire() as conn, conn.transaction():
        made, secret = await people.invite(conn, actor, name=given.name, email=given.email, role=given.role)
    return _told(settings, made, secret, 201)


@get("/operators/{operator_id:uuid}", opt=operation("people:write", errors=(404,)))
async def get_operator(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> Response[Operator]:
    """Read one person."""
    async with pool.acquire() as conn:
        return answer(await people.get_person(conn, actor.party_id, operator_id))


@post(
    "/operators/{operator_id:uuid}/role",
    status_code=200,
    opt=operation("people:write", errors=(404, 409)) | {"needs_proof": True},
)
async def give_role(
    pool: ThePool, actor: TheActor, operator_id: FromPath[UUID], given: NamedDependency[NewRole]
) -> Response[Operator]:
    """Give somebody another role; it counts at once. The last owner stays one."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await people.change_role(conn, actor, operator_id, given.role))


@post(
    "/operators/{operator_id:uuid}/disable",
    status_code=200,
    opt=operation("people:write", errors=(404, 409)) | {"needs_proof": True},
)
async def disable_operator(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> Response[Operator]:
    """Keep somebody out. They are signed out everywhere at once."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await people.disable(conn, actor, operator_id))


@post(
    "/operators/{operator_id:uuid}/enable",
    status_code=200,
    opt=operation("people:write", errors=(404, 409)) | {"needs_proof": True},
)
async def enable_operator(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> Response[Operator]:
    """Let somebody in again, with what they had."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await people.enable(conn, actor, operator_id))


@post(
    "/operators/{operator_id:uuid}/reset",
    status_code=200,
    opt=operation("people:write", errors=(404, 409)) | {"needs_proof": True},
)
async def reset_operator(
    pool: ThePool, actor: TheActor, settings: TheSettings, operator_id: FromPath[UUID]
) -> Response[OperatorLink]:
    """Help somebody who lost everything: passkeys, password and codes are gone; a link lets them in once."""
    async with pool.acquire() as conn, conn.transaction():
        secret = await people.reset(conn, actor, operator_id)
        found = await people.get_person(conn, actor.party_id, operator_id)
    return _told(settings, found, secret, 200)


@get("/operators/{operator_id:uuid}/web-sessions", opt=operation("people:write", errors=(404,)))
async def list_web_sessions(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> Response[WebSessions]:
    """List the browsers in which somebody is signed in."""
    async with pool.acquire() as conn:
        await people.get_person(conn, actor.party_id, operator_id)
        return answer(WebSessions(await accounts.list_web_sessions(conn, operator_id)))


@post(
    "/operators/{operator_id:uuid}/sign-out",
    status_code=200,
    opt=operation("people:write", errors=(404,)) | {"needs_proof": True},
)
async def sign_operator_out(pool: ThePool, actor: TheActor, operator_id: FromPath[UUID]) -> Response[SignedOutBrowsers]:
    """Sign somebody out everywhere."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(SignedOutBrowsers(n_browsers=await people.end_sessions(conn, actor, operator_id)))


@delete(
    "/operators/{operator_id:uuid}/web-sessions/{web_session_id:uuid}",
    status_code=204,
    opt=operation("people:write", errors=(404,)) | {"needs_proof": True},
)
async def end_web_session(
    pool: ThePool, actor: TheActor, operator_id: FromPath[UUID], web_session_id: FromPath[UUID]
) -> None:
    """Sign somebody out of one browser."""
    async with pool.acquire() as conn, conn.transaction():
        await accounts.revoke_web_session(conn, actor, operator_id, web_session_id)


@get("/operator-groups", opt=operation("people:write"))
async def list_operator_groups(pool: ThePool, actor: TheActor) -> Response[OperatorGroups]:
    """List the groups that a directory keeps people in (SCIM), each with what its members may do here."""
    async with pool.acquire() as conn:
        return answer(OperatorGroups(await people.list_groups(conn, actor.party_id)))


@put(
    "/operator-groups/{group_id:uuid}/role",
    opt=operation("people:write", errors=(404, 409)) | {"needs_proof": True},
)
async def give_group_role(
    pool: ThePool, actor: TheActor, group_id: FromPath[UUID], given: NamedDependency[GroupRole]
) -> Response[Group]:
    """Say what the members of a directory's group may do; it counts at once. Of several groups the weightiest role counts."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await provisioning.give_role(conn, actor, group_id, given.role))


@get("/sign-in-attempts", opt=operation("people:write", exports=(CSV, NDJSON)))
async def list_sign_in_attempts(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[AttemptQuery]
) -> Response[Page[SignInAttempt]]:
    """List who signed in and who was refused, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SignInAttempt]:
        return await signin.list_attempts(
            conn,
            actor.party_id,
            outcome=filters.outcome,
            operator_id=filters.operator_id,
            before=after,
            limit=limit,
        )

    return await listed(request, pool, ATTEMPTS, fetch, filters, name="sign-in-attempts")


@get("/approvals", opt=operation("commands:send"))
async def list_approvals(pool: ThePool, actor: TheActor) -> Response[Approvals]:
    """List what waits for a second person. Only people decide, in the console."""
    async with pool.acquire() as conn:
        return answer(Approvals(await approvals.list_shown(conn, actor.party_id)))


@get("/approvals/{approval_id:uuid}", opt=operation("commands:send", errors=(404,)))
async def get_approval(pool: ThePool, actor: TheActor, approval_id: FromPath[UUID]) -> Response[Approval]:
    """Read what became of something that waited for a second person."""
    async with pool.acquire() as conn:
        return answer(approvals.shown(await approvals.get(conn, actor.party_id, approval_id)))


@post(
    "/approvals/{approval_id:uuid}/withdraw",
    status_code=200,
    opt=operation("commands:send", errors=(404, 409)),
)
async def withdraw_approval(pool: ThePool, actor: TheActor, approval_id: FromPath[UUID]) -> Response[Approval]:
    """Want it no longer: only whoever asked can. To agree or to reject takes a second person, in the console."""
    async with pool.acquire() as conn, conn.transaction():
        await approvals.withdraw(conn, actor, approval_id)
        return answer(approvals.shown(await approvals.get(conn, actor.party_id, approval_id)))


HANDLERS = [
    list_operators,
    invite_operator,
    get_operator,
    give_role,
    disable_operator,
    enable_operator,
    reset_operator,
    list_web_sessions,
    sign_operator_out,
    end_web_session,
    list_operator_groups,
    give_group_role,
    list_sign_in_attempts,
    list_approvals,
    get_approval,
    withdraw_approval,
]
