"""Errors as problem documents (RFC 9457): the one table from core.errors to HTTP."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import UNSET, Struct, UnsetType

from ohmstead.accounts.access import NotAllowed, NotSignedIn, ProofNeeded, TooManyAttempts
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.language import N_, gettext, told
from ohmstead.core.log import logger

log = logger("ohmstead.web")

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/api/v1/problems/"


class FieldError(Struct, frozen=True):
    """One thing wrong in the input: `field` is a dotted path, or a query parameter's name."""

    field: str
    error: str


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457). `type` is stable and meant for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    field: str | UnsetType = UNSET
    errors: Sequence[FieldError] | UnsetType = UNSET
    code: str | UnsetType = UNSET
    command_id: str | UnsetType = UNSET
    approval_id: str | UnsetType = UNSET


class BadRequest(OhmsteadError):
    """The request itself is malformed: not JSON, an unknown query parameter, a cursor that is not ours."""

    def __init__(self, text: str, errors: Sequence[FieldError] = (), **detail: object) -> None:
        super().__init__(text, **detail)
        self.errors = errors


class Unprocessable(OhmsteadError):
    """Well-formed input that breaks its schema."""

    def __init__(self, text: str, errors: Sequence[FieldError] = (), **detail: object) -> None:
        super().__init__(text, **detail)
        self.errors = errors


class UnsupportedMedia(OhmsteadError):
    """A body of a kind this operation does not read."""


class TooLarge(OhmsteadError):
    """A body beyond the operation's limit."""


class SecondPersonNeeded(OhmsteadError):
    """It is written down, and waits until somebody else agrees."""


class StationOffline(OhmsteadError):
    """The station is not connected."""


class StationRefused(OhmsteadError):
    """The station answered with a CALLERROR; `detail` has its code."""


class StationSilent(OhmsteadError):
    """The station did not answer in time."""


class Overloaded(OhmsteadError):
    """We have no room for this now."""


STALE = (412, "stale", N_("It has changed since you read it"))
INTERNAL = (500, "internal", N_("We failed"))

# error → (status, type, title)
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    BadRequest: (400, "bad-request", N_("The request is malformed")),
    NotSignedIn: (401, "not-signed-in", N_("Credentials are missing or not good")),
    NotAllowed: (403, "not-allowed", N_("Not yours to do")),
    ProofNeeded: (403, "proof-needed", N_("Show once more that it is you")),
    Refused: (409, "refused", N_("A rule says no")),
    SecondPersonNeeded: (409, "second-person-needed", N_("It waits for a second person")),
    NotFound: (404, "not-found", N_("There is no such thing")),
    Conflict: (409, "conflict", N_("It exists already or has changed")),
    StationOffline: (409, "station-offline", N_("The station is not connected")),
    TooLarge: (413, "too-large", N_("The body is too large")),
    UnsupportedMedia: (415, "unsupported-media-type", N_("Not a kind of body read here")),
    Invalid: (422, "invalid", N_("The input does not fit")),
    Unprocessable: (422, "invalid", N_("The input does not fit")),
    TooManyAttempts: (429, "too-many-attempts", N_("Too many bad attempts")),
    StationRefused: (502, "station-error", N_("The station answered with an error")),
    ExternalFailure: (502, "external-failure", N_("Something outside did not do its part")),
    Overloaded: (503, "unavailable", N_("Not available just now")),
    StationSilent: (504, "station-timeout", N_("The station did not answer in time")),
}
# The phrases of HTTP that people meet as titles.
PHRASES = (
    N_("Bad Request"),
    N_("Not Found"),
    N_("Method Not Allowed"),
    N_("Request Entity Too Large"),
    N_("Unsupported Media Type"),
    N_("Internal Server Error"),
)
# What the framework itself refuses is found here by its status, and by `all_types` with the rest.
_OTHERS = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}


def all_types() -> list[tuple[int, str, str]]:
    """(status, name, title) of every type of problem there is, by status."""
    return sorted({*TABLE.values(), STALE, INTERNAL, (405, "method-not-allowed", "Method Not Allowed")})


def problem_of(error: Exception, instance: str) -> Problem:
    """The document for any error; what we do not know is an internal error, whose cause is only in the log."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            status, name, title = TABLE[kind]
            if isinstance(error, Conflict) and error.detail.get("is_stale"):
                status, name, title = STALE
            text = error.text if isinstance(error, OhmsteadError) else title
            problem = Problem(type=TYPE_PREFIX + name, title=title, status=status, detail=text, instance=instance)
            return _with_detail(problem, error)
    if isinstance(error, HTTPException):
        return _of_framework(error, instance)
    if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.InterfaceError | OSError | TimeoutError):
        return Problem(
            type=TYPE_PREFIX + "unavailable",
            title=N_("Not available just now"),
            status=503,
            detail=N_("The database cannot be reached; try again in a moment."),
            instance=instance,
        )
    return Problem(
        type=TYPE_PREFIX + "internal",
        title=N_("We failed"),
        status=500,
        detail=N_("Something went wrong on our side. The request id in X-Request-Id finds it in the log."),
        instance=instance,
    )


def for_people(problem: Problem) -> Problem:
    """The same in the language of this task; what /api answers stays English."""
    return msgspec.structs.replace(problem, title=gettext(problem.title), detail=gettext(told(problem.detail)))


def _with_detail(problem: Problem, error: Exception) -> Problem:
    changes: dict[str, Any] = {}
    if isinstance(error, Invalid) and error.field:
        changes["field"] = error.field
        changes["errors"] = [FieldError(error.field, error.text)]
    if isinstance(error, BadRequest | Unprocessable) and error.errors:
        changes["field"] = error.errors[0].field
        changes["errors"] = error.errors
    if isinstance(error, OhmsteadError):
        changes |= {
            name: str(error.detail[name]) for name in ("code", "command_id", "approval_id") if error.detail.get(name)
        }
    return msgspec.structs.replace(problem, **changes) if changes else problem


def _of_framework(error: HTTPException, instance: str) -> Problem:
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    name = _OTHERS.get(status, "bad-request" if status < 500 else "internal")
    # The framework's own text quotes the request; ours does not.
    detail = {404: N_("There is nothing at this path."), 405: N_("This path does not know that method.")}.get(
        status, phrase
    )
    errors = [
        FieldError(str(item.get("key", "")), str(item.get("message", "")))
        for item in (error.extra if isinstance(error.extra, list) else ())
        if isinstance(item, dict)
    ]
    if status == 400 and errors:
        detail = "; ".join(f"{item.field}: {item.error}" for item in errors)
    return Problem(
        type=TYPE_PREFIX + name,
        title=phrase,
        status=status,
        detail=detail,
        instance=instance,
        errors=errors or UNSET,
    )


def headers_of(error: Exception) -> dict[str, str]:
    """Headers that belong to an error's answer."""
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, NotSignedIn):
        return {"WWW-Authenticate": 'Bearer realm="ohmstead"'}
    if isinstance(error, HTTPException) and error.headers:
        return {name: value for name, value in error.headers.items() if name.lower() == "allow"}
    return {}


def problem_response(
    request: Request[Any, Any, Any], error: Exception, *, is_for_people: bool = False
) -> Response[bytes]:
    """An error under /api; one that a page's script shows is for people."""
    problem = problem_of(error, request.scope["path"])
    if is_for_people:
        problem = for_people(problem)
    if problem.status >= 500 and not isinstance(error, OhmsteadError):
        log.error("request_failed", path=request.scope["path"], status=problem.status, exc_info=error)
    return Response(
        msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers_of(error)
    )
