"""A request before it leaves and an answer after it came: pure, the same for both clients."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from ohmstead_client.errors import ApiError, ClientError, UnreadableAnswer
from ohmstead_client.problems import BY_TYPE

T = TypeVar("T")
Query: TypeAlias = Mapping[str, Any]
Parameters: TypeAlias = list[tuple[str, str | int | float | bool | None]]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
LONGEST_PAUSE_S: Final = 30.0
# Refused before anything was done: these can be sent again whatever they ask for.
_NOT_DONE: Final = frozenset({429, 503})


class Call(Struct, frozen=True, kw_only=True):
    """One request. `query` and `headers` leave out what is None."""

    method: str
    path: str
    query: Query = {}
    headers: Mapping[str, str | None] = {}
    content: bytes | None = None
    content_type: str | None = None
    patience_s: float = 0.0

    def __post_init__(self) -> None:
        if self.method == "POST" and self.headers.get("Idempotency-Key") is None:
            # One key for all tries, so that the server sees them as one request.
            msgspec.structs.force_setattr(self, "headers", {**self.headers, "Idempotency-Key": str(uuid4())})

    @property
    def sent_headers(self) -> dict[str, str]:
        headers = {name: value for name, value in self.headers.items() if value is not None}
        if self.content_type is not None:
            headers["Content-Type"] = self.content_type
        return headers

    @property
    def parameters(self) -> Parameters:
        """The query as it is written; a list is a parameter that is given several times."""
        found: Parameters = []
        for name, value in self.query.items():
            if value is None:
                continue
            values = value if isinstance(value, list | tuple | set | frozenset) else [value]
            found += [(name, _word(one)) for one in values]
        return found

    @property
    def may_be_repeated(self) -> bool:
        """Whether it can be sent again when nobody knows what became of it."""
        return self.method != "PATCH"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else str(plain)


def segment(value: str | int | UUID) -> str:
    """A value as one part of a path. Raises ClientError for one that would be another path."""
    text = str(value)
    if text in ("", ".", ".."):
        raise ClientError(f"{text!r} is no id")
    return quote(text, safe="")


def version(value: str | int | None) -> str | None:
    """An If-Match header: the version you read, or an ETag as it came."""
    return f'"{value}"' if isinstance(value, int) else value


def encoded(body: Any) -> bytes:
    """JSON; decimals leave as numbers with every digit."""
    return _ENCODER.encode(body)


def decoded(content: bytes, kind: type[T] | Any) -> T:
    """An answer as its type. Raises UnreadableAnswer."""
    try:
        found: T = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableAnswer(f"the answer cannot be read: {error}", content) from error
    return found


def problem(status: int, content: bytes, request_id: str | None) -> ApiError:
    """The exception that an answer with an error stands for."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        # A proxy in between, most likely.
        document = {"title": "No problem document", "detail": content[:200].decode(errors="replace")}
    name = str(document.get("type", "")).rpartition("/")[2]
    return BY_TYPE.get(name, ApiError)(status, document, request_id)


def pause_s(call: Call, n_tries: int, retries: int, error: ApiError | None, retry_after: str | None) -> float | None:
    """How long to wait before trying again; None: do not. `error` is None when there was no answer at all."""
    if n_tries > retries:
        return None
    if error is None:
        is_worth_it = call.may_be_repeated
    else:
        is_worth_it = error.status in _NOT_DONE or error.code == "in_progress"
    if not is_worth_it:
        return None
    if (asked := _asked_s(retry_after)) is not None:
        return asked if asked <= LONGEST_PAUSE_S else None
    return min(LONGEST_PAUSE_S, 0.25 * 2.0 ** (n_tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def _asked_s(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
