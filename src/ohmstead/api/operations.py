"""What all operations of the API share: who may, what comes in, what goes out."""

import asyncio
import base64
import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation
from litestar.response import Stream
from msgspec import Meta, Struct

from ohmstead.accounts import access
from ohmstead.accounts.access import Actor, NotSignedIn
from ohmstead.api.problems import BadRequest, FieldError, Unprocessable, UnsupportedMedia
from ohmstead.core import sheets
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict
from ohmstead.core.validation import fault_of
from ohmstead.settings import Settings
from ohmstead.stations.commands import CommandDesk

T = TypeVar("T")
ApiRequest: TypeAlias = Request[Any, Any, State]

ThePool: TypeAlias = NamedDependency[Pool]
TheBus: TypeAlias = NamedDependency[Bus]
TheDesk: TypeAlias = NamedDependency[CommandDesk]
TheActor: TypeAlias = NamedDependency[Actor]
# The framework would check the struct field by field, and knows no networks.
TheSettings: TypeAlias = NamedDependency[SkipValidation[Settings]]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
EXPORT_BATCH = 500
CSV = "text/csv"
NDJSON = "application/x-ndjson"


class Operation(Struct, frozen=True, kw_only=True):
    """What a route says of itself besides its signature: the action it takes, and how it can fail beyond the usual."""

    action: str | None
    errors: tuple[int, ...] = ()
    takes: str = "application/json"
    takes_if_match: bool = False
    exports: tuple[str, ...] = ()


def operation(
    action: str | None,
    *,
    errors: tuple[int, ...] = (),
    takes: str = "application/json",
    takes_if_match: bool = False,
    exports: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The `opt` of a route. An action of None is everybody's who is signed in."""
    if action is not None and action not in access.ACTIONS:
        raise ValueError(f"no such action: {action}")
    known = Operation(action=action, errors=errors, takes=takes, takes_if_match=takes_if_match, exports=exports)
    return {"operation": known}


class PageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a list that has no filters."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None


class NoQuery(Struct, forbid_unknown_fields=True):
    """The query of an operation that takes none."""


class Page(Struct, Generic[T]):
    """A page of a list."""

    items: list[T]
    next_cursor: Annotated[str | None, Meta(description="For the page after this one; null on the last.")] = None


async def guard_operation(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Who asks may do this, and says nothing that would be overheard."""
    known = handler.opt.get("operation")
    if known is None:
        return
    actor = connection.scope["state"].get("actor")
    if actor is None:
        raise NotSignedIn("send `Authorization: Bearer ohm_…` with a key, or sign in")
    if known.action is not None:
        access.require(actor, known.action)
    for name, value in connection.path_params.items():
        if isinstance(value, str) and not _is_clean(value):
            raise BadRequest(f"{name} holds characters that no id has", [FieldError(name, "unprintable")])
    # Here, not where it is injected: the query is judged before the body, always.
    filters = handler.parsed_fn_signature.parameters.get("filters")
    connection.scope["state"]["filters"] = _convert_query(connection, filters.annotation if filters else NoQuery)


def given_filters(request: ApiRequest) -> Any:
    """The query parameters, as the struct that the handler's parameter `filters` names."""
    return request.scope["state"]["filters"]


def _convert_query(connection: ASGIConnection[Any, Any, Any, Any], kind: type[T]) -> T:
    fields = {field.encode_name: field for field in msgspec.structs.fields(cast(Any, kind))}
    values: dict[str, Any] = {}
    for name, value in connection.query_params.multi_items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise BadRequest(
                f"no such query parameter: {name[:80]!r} (there are: {known})", [FieldError(name[:80], "unknown")]
            )
        if not isinstance(value, str) or not _is_clean(value):
            raise BadRequest(f"{name} holds characters that cannot be looked for", [FieldError(name, "unprintable")])
        if "list" in str(fields[name].type):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise BadRequest(f"{name} is given twice", [FieldError(name, "given twice")])
        else:
            values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        fault = field_error(error)
        raise BadRequest(f"{fault.field}: {fault.error}", [fault]) from error


def _is_clean(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


async def given_body(request: ApiRequest) -> Any:
    """The JSON body as the type that the handler's parameter `given` names; types are taken strictly."""
    kind = request.route_handler.parsed_fn_signature.parameters["given"].annotation
    media, _ = request.content_type
    if media and media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMedia(f"send application/json, not {media[:80]}")
    body = await request.body()
    return decode_body(body, kind)


async def table_body(request: ApiRequest, *, max_rows: int | None = None) -> bytes:
    """The body of an import as CSV. Where `max_rows` is given, a workbook (XLSX) is welcome too."""
    media, _ = request.content_type
    kinds = [CSV, "application/csv", "text/plain", ""]
    if max_rows is not None:
        kinds += [sheets.MEDIA_TYPE, "application/octet-stream"]
    if media not in kinds:
        raise UnsupportedMedia(f"send text/csv, not {media[:80]}")
    data = await request.body()
    if max_rows is not None and sheets.is_workbook(data):
        return await asyncio.to_thread(sheets.as_csv, data, max_rows=max_rows)
    return data


def decode_body(body: bytes, kind: Any) -> Any:
    """JSON as `kind`. Raises BadRequest when it is not JSON, Unprocessable with the field when it is not of its type."""
    if not body.strip():
        raise BadRequest("the body is empty: send JSON")
    if _NUL.search(body):
        raise Unprocessable("text cannot hold the character U+0000")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        fault = field_error(error)
        raise Unprocessable(f"{fault.field}: {fault.error}" if fault.field else fault.error, [fault]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequest("nested too deeply") from error


def field_error(error: msgspec.ValidationError) -> FieldError:
    """Where and what."""
    return FieldError(*fault_of(error))


def expected_version(request: ApiRequest) -> int | None:
    """The version that If-Match asks for; None when it asks for none in particular."""
    value = request.headers.get("if-match")
    if value is None or value.strip() == "*":
        return None
    if (match := re.fullmatch(r'\s*"(\d{1,9})"\s*', value)) is None:
        raise Conflict("If-Match names no version that this ever had", is_stale=True)
    return int(match[1])


def answer(
    value: T, *, status: int = 200, version: int | None = None, headers: dict[str, str] | None = None
) -> Response[T]:
    """JSON with exact decimals; `version` becomes the ETag."""
    out = dict(headers or {})
    if version is not None:
        out["ETag"] = f'"{version}"'
    return Response(cast(Any, _ENCODER.encode(value)), status_code=status, media_type="application/json", headers=out)


class Keyset(Struct, Generic[T], frozen=True):
    """What a list of `item` is ordered by: `type` of the key, and how to read it off an item."""

    item: type[T]
    type: Any
    of: Callable[[T], Any]

    def cursor(self, item: T) -> str:
        """Where the page after `item` goes on."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self.of(item))).decode().rstrip("=")

    def parse(self, cursor: str | None) -> Any:
        """Raises BadRequest for a cursor that we did not make."""
        if cursor is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            key = msgspec.json.decode(raw, type=self.type)
        except (ValueError, UnicodeEncodeError) as error:
            raise BadRequest("cursor: not one of ours", [FieldError("cursor", "not one of ours")]) from error
        if "\x00" in str(key):
            raise BadRequest("cursor: not one of ours", [FieldError("cursor", "not one of ours")])
        return key


Fetch: TypeAlias = Callable[[Connection, Any, int], Awaitable[list[T]]]
Form: TypeAlias = Literal["json", "csv", "ndjson"]


class Paged(Protocol):
    """The query of any list."""

    limit: int
    cursor: str | None


async def listed(
    request: ApiRequest, pool: Pool, keyset: Keyset[T], fetch: Fetch[T], filters: Paged, *, name: str = ""
) -> Response[Page[T]]:
    """A page as JSON with its Link header, or everything that matches as CSV or NDJSON named `name`."""
    after = keyset.parse(filters.cursor)
    wanted = getattr(filters, "format", None) or _accepted(request)
    if wanted != "json":
        return export(pool, keyset, fetch, after, wanted, name)
    async with pool.acquire() as conn:
        items = await fetch(conn, after, filters.limit + 1)
    has_more = len(items) > filters.limit
    items = items[: filters.limit]
    next_cursor = keyset.cursor(items[-1]) if has_more else None
    headers = {"Link": f'<{_next_url(request, next_cursor)}>; rel="next"'} if next_cursor else {}
    return answer(Page(items, next_cursor), headers=headers)


def _accepted(request: ApiRequest) -> Form:
    if "accept" not in request.headers:
        return "json"
    known: Operation = request.route_handler.opt["operation"]
    best = request.accept.best_match(["application/json", *known.exports])
    return "csv" if best == CSV else "ndjson" if best == NDJSON else "json"


def _next_url(request: ApiRequest, cursor: str) -> str:
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.scope['path']}?{urlencode([*rest, ('cursor', cursor)])}"


def export(pool: Pool, keyset: Keyset[T], fetch: Fetch[T], after: Any, form: Form, name: str) -> Response[Page[T]]:
    """Everything from `after` on, read and sent in pieces, so that its size does not matter."""
    media = CSV if form == "csv" else NDJSON
    batches = _all_batches(pool, keyset, fetch, after)
    response = Stream(
        _as_csv(batches, list(cast(Any, keyset.item).__struct_fields__)) if form == "csv" else _as_ndjson(batches),
        media_type=media,
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )
    return cast("Response[Page[T]]", response)


async def _all_batches(pool: Pool, keyset: Keyset[T], fetch: Fetch[T], after: Any) -> AsyncIterator[list[T]]:
    while True:
        async with pool.acquire() as conn:
            batch = await fetch(conn, after, EXPORT_BATCH)
        if batch:
            yield batch
        if len(batch) < EXPORT_BATCH:
            return
        after = keyset.of(batch[-1])


async def _as_ndjson(batches: AsyncIterator[list[Any]]) -> AsyncIterator[bytes]:
    async for batch in batches:
        yield b"".join(_ENCODER.encode(item) + b"\n" for item in batch)


async def _as_csv(batches: AsyncIterator[list[Any]], columns: list[str]) -> AsyncIterator[bytes]:
    yield csv_lines([columns])
    async for batch in batches:
        yield csv_lines([cell(getattr(item, column)) for column in columns] for item in batch)


def csv_lines(rows: Iterable[list[str]]) -> bytes:
    """Rows as RFC 4180 wants them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def cell(value: Any) -> str:
    """A CSV cell. Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else _as_text(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _as_text(value: Any) -> str:
    encoded = _ENCODER.encode(value).decode()
    return encoded.strip('"') if encoded.startswith('"') else encoded
