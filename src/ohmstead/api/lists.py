"""/saved-lists and /list-layouts: lists as somebody left them. A key has its own, as people have."""

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.lists import service as lists
from ohmstead.accounts.lists.service import NewSavedList, PageName, SavedList, SavedListChange
from ohmstead.api.operations import (
    ApiRequest,
    TheActor,
    ThePool,
    answer,
    expected_version,
    operation,
)
from ohmstead.doorway import WITHIN


class ListsQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which page's lists."""

    page: Annotated[PageName | None, Meta(description="Of this page only.")] = None


class LayoutQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose columns."""

    page: Annotated[PageName, Meta(description="The page they are on.")] = "stations"


class SavedLists(Struct):
    """One's own by name, then those that others share."""

    items: list[SavedList]


class ListLayout(Struct, kw_only=True, forbid_unknown_fields=True):
    """How somebody wants to see a list."""

    hidden: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=80)]],
        Meta(max_length=100, description="Columns that are not shown, by what stands above them."),
    ]


@get("/saved-lists", opt=operation("stations:read") | WITHIN)
async def list_saved_lists(
    pool: ThePool, actor: TheActor, filters: NamedDependency[ListsQuery]
) -> Response[SavedLists]:
    """List saved lists of a page: one's own, and those that are shared."""
    async with pool.acquire() as conn:
        return answer(SavedLists(await lists.list_saved(conn, actor, filters.page)))


@post("/saved-lists", status_code=201, opt=operation("stations:read", errors=(409,)) | WITHIN)
async def create_saved_list(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewSavedList]
) -> Response[SavedList]:
    """Keep a list under a name, for oneself or for everybody of the party."""
    async with pool.acquire() as conn, conn.transaction():
        made = await lists.save(conn, actor, given)
    where = {"Location": f"/api/v1/saved-lists/{made.saved_list_id}"}
    return answer(made, status=201, version=made.version, headers=where)


@get("/saved-lists/{saved_list_id:uuid}", opt=operation("stations:read", errors=(404,)) | WITHIN)
async def get_saved_list(pool: ThePool, actor: TheActor, saved_list_id: FromPath[UUID]) -> Response[SavedList]:
    """Read a saved list."""
    async with pool.acquire() as conn:
        found = await lists.get_saved(conn, actor, saved_list_id)
    return answer(found, version=found.version)


@patch(
    "/saved-lists/{saved_list_id:uuid}", opt=operation("stations:read", errors=(404, 409), takes_if_match=True) | WITHIN
)
async def change_saved_list(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    saved_list_id: FromPath[UUID],
    given: NamedDependency[SavedListChange],
) -> Response[SavedList]:
    """Change one's own saved list. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        changed = await lists.change(conn, actor, saved_list_id, given, expected_version(request))
    return answer(changed, version=changed.version)


@delete("/saved-lists/{saved_list_id:uuid}", opt=operation("stations:read", errors=(404, 409)) | WITHIN)
async def delete_saved_list(pool: ThePool, actor: TheActor, saved_list_id: FromPath[UUID]) -> None:
    """Delete one's own saved list."""
    async with pool.acquire() as conn, conn.transaction():
        await lists.delete(conn, actor, saved_list_id)


@get("/list-layout", opt=operation("stations:read") | WITHIN)
async def get_list_layout(
    pool: ThePool, actor: TheActor, filters: NamedDependency[LayoutQuery]
) -> Response[ListLayout]:
    """Read which columns of a list one has hidden."""
    async with pool.acquire() as conn:
        return answer(ListLayout(hidden=await lists.hidden_columns(conn, actor, filters.page)))


@put("/list-layout", status_code=200, opt=operation("stations:read") | WITHIN)
async def set_list_layout(
    pool: ThePool, actor: TheActor, given: NamedDependency[ListLayout], filters: NamedDependency[LayoutQuery]
) -> Response[ListLayout]:
    """Hide columns of a list, for oneself."""
    async with pool.acquire() as conn, conn.transaction():
        await lists.hide_columns(conn, actor, filters.page, given.hidden)
        return answer(ListLayout(hidden=await lists.hidden_columns(conn, actor, filters.page)))


HANDLERS = [
    list_saved_lists,
    create_saved_list,
    get_saved_list,
    change_saved_list,
    delete_saved_list,
    get_list_layout,
    set_list_layout,
]
